// SPDX-License-Identifier: GPL-2.0
/*
 * Floods through polled outboxes, and through outboxes that their owner kicks,
 * of messages of all sizes, by a user with one socket and by one with many: a
 * victim's round trips take hardly longer than beside a loop that uses as much
 * processor time and sends nothing.
 *
 * The victim is polled, or kicks, as the flood does; it sleeps between its round
 * trips, and runs, as the flood does, on processor 0, the polling thread on 1.
 * Large messages of a polled outbox are copied by a worker of the user, besides:
 * the loop that these are compared with is two, one on each processor.
 */
#include <sys/sysinfo.h>

#include "routed.h"
#include "tenants.h"

#define PORTS_MANY	48

/**
 * struct flood - an attack
 * @name: of it.
 * @bytes: of a message.
 * @ring: bytes of each outbox, and of the inbox.
 * @ports: sockets that send.
 * @polled: they are polled, and so is the victim.
 * @sent: messages that were sent, so far.
 * @ready: the attack is under way.
 */
struct flood {
	const char *name;
	uint32_t bytes;
	uint32_t ring;
	int ports;
	int polled;
	uint64_t sent;
	int ready;
};

static struct tenant_meter *meter;

/* One round trip, with or without system calls; whether it went well. */
static bool round_trip(struct weir *c, struct weir *s, uint32_t route,
		       uint32_t tag, int polled)
{
	struct weir_call call = { .route = route, .tag = tag };
	int64_t until = now_ns() + HARD_DEADLINE_NS;
	struct weir_ticket t;
	struct weir_buf buf = { 0 };
	struct weir_msg msg;

	if (request(c, &call, &tag, sizeof(tag)))
		return false;
	if (!polled || weir_load(&c->out.status->wake) & WEIR_WAKE_ROUTER)
		weir_flush(c);
	while (weir_peek(s, &msg) != 1) {
		if (now_ns() > until)
			return false;
	}
	t = weir_ticket(&msg);
	weir_release(s, &msg);
	if (weir_reply_claim(s, &t, 4, &buf))
		return false;
	memcpy(buf.data, &tag, 4);
	weir_reply_commit_more(s, &t, WEIR_KIND_REPLY, 0, &buf);
	if (!polled || weir_load(&s->out.status->wake) & WEIR_WAKE_ROUTER)
		weir_flush(s);
	while (weir_peek(c, &msg) != 1) {
		if (now_ns() > until)
			return false;
	}
	until = msg.kind == WEIR_KIND_REPLY && msg.rec->tag == tag;
	weir_release(c, &msg);
	return until;
}

static int victim(void *arg)
{
	const struct flood *f = arg;
	struct weir *s = server("/turns/victim", 1), *c;
	uint32_t route, tag;

	tenant_on_cpu(0);
	c = caller("/turns/victim", &route);
	add(&meter->ready, 1);
	for (tag = 1; !get(&meter->stop); tag++) {
		int64_t begun;
		bool good;

		usleep(1000);
		begun = now_ns();
		good = round_trip(c, s, route, tag, f->polled);
		tenant_note(meter, (uint64_t)(now_ns() - begun), good);
	}
	return 0;
}

/* Uses as much of the processors and sends nothing. */
static int loop(void *arg)
{
	struct flood *f = arg;
	bool two = f->polled && f->bytes > 64 << 10;

	tenant_on_cpu(two && !tenant_fork(TENANT_ATTACKER) ? 1 : 0);
	put(&f->ready, 1);
	for (;;)
		add(&f->sent, 1);
	return 0;
}

/* Fills one outbox; the messages of which there is no room are dropped. */
static void fill(struct flood *f, struct weir *w, uint32_t route)
{
	struct weir_call call = {
		.route = route, .flags = WEIR_REC_DROP, .one_way = 1,
	};
	struct weir_buf buf;
	uint32_t n = 0;

	while (n++ < f->ring / f->bytes &&
	       !weir_call_claim(w, &call, f->bytes, &buf)) {
		weir_call_commit_more(w, &call, &buf);
		f->sent++;
	}
	if (!f->polled || weir_load(&w->out.status->wake) & WEIR_WAKE_ROUTER)
		weir_flush(w);
}

static int attack(void *arg)
{
	struct weir *w[PORTS_MANY], *s;
	struct flood *f = arg;
	uint32_t route[PORTS_MANY];
	int i;

	tenant_on_cpu(0);
	s = server_of("/turns/flood", 1, f->ring, NULL);
	for (i = 0; i < f->ports; i++) {
		w[i] = handle(f->ring, 0);
		route[i] = route_of(w[i], "/turns/flood");
	}
	put(&f->ready, 1);
	for (;;) {
		for (i = 0; i < f->ports; i++)
			fill(f, w[i], route[i]);
		drain(s);
	}
	return 0;
}

/* Round trips beside somebody; how many nanoseconds 99 of 100 take at most. */
static uint64_t beside(struct flood *f, int phase, int (*what)(void *arg),
		       uint64_t rounds)
{
	long long bytes = tap_stat("stats/ring_bytes");
	pid_t pid;

	put(&f->ready, 0);
	pid = tenant_start(TENANT_ATTACKER, what, f);
	need(soon(get(&f->ready)), "the other one runs");
	check(tenant_measure(meter, phase, rounds) &&
	      !meter->phases[phase].bad, "%s: the victim is served", f->name);
	tap_kill(pid);
	/* there is not room for the rings of two */
	need(soon(tap_stat("stats/ring_bytes") <= bytes), "its rings are gone");
	tenant_show(meter, phase, phase == 1 ? "beside a loop" :
		    "beside the flood");
	return tenant_quantile(meter, phase, 990);
}

static void flooded(struct flood *f)
{
	uint64_t rounds = (uint64_t)tap_scale(300, 60), loop_ns = 0, ns = 0;
	int tries = 5;
	pid_t pid;

	need(!tap_write_file("/sys/kernel/weir/tunables/poll_cpus",
			     f->polled ? "1" : "\n"), "poll_cpus");
	meter = tenant_meter_new();
	pid = tenant_start(TENANT_VICTIM, victim, f);
	need(soon(get(&meter->ready)), "the victim is at work");
	need(tenant_measure(meter, 0, rounds / 4), "alone");
	tenant_show(meter, 0, "alone");
	/* of a machine that others use as well, the best of five */
	while (tries--) {
		memset(&meter->phases[1], 0, sizeof(meter->phases[1]));
		memset(&meter->phases[2], 0, sizeof(meter->phases[2]));
		loop_ns = beside(f, 1, loop, rounds);
		f->sent = 0;
		ns = beside(f, 2, attack, rounds);
		tenant_measure(meter, 3, 1);
		if (ns <= 2 * loop_ns || slow_kernel())
			break;
	}
	check(f->sent > 0, "%s: the flood is under way (%llu messages)",
	      f->name, (unsigned long long)f->sent);
	/* the sanitizer kernel looks for faults; its times mean little */
	if (slow_kernel())
		tap_skip(f->name, "times mean little on this kernel");
	else
		check(ns <= 2 * loop_ns,
		      "%s: at most twice as long as beside a loop (%llu us, %llu us)",
		      f->name, (unsigned long long)ns / 1000,
		      (unsigned long long)loop_ns / 1000);
	put(&meter->stop, 1);
	check(!tap_wait(pid), "%s: and ends well", f->name);
	tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "\n");
}

#define M (1U << 20)

int main(void)
{
	static const struct flood floods[] = {
		{ "polled, 32 B", 32, 16 * M, 1, 1, 0, 0 },
		{ "polled, 32 B, many sockets", 32, M / 4, PORTS_MANY, 1, 0, 0 },
		{ "polled, 64 KiB", 64 << 10, 16 * M, 1, 1, 0, 0 },
		{ "polled, 8 MiB", 8 * M, 32 * M, 1, 1, 0, 0 },
		{ "polled, 200 MiB", 200 * M, 256 * M, 1, 1, 0, 0 },
		{ "kicked, 32 B", 32, 16 * M, 1, 0, 0, 0 },
		{ "kicked, 8 MiB", 8 * M, 32 * M, 1, 0, 0, 0 },
		{ "kicked, 200 MiB", 200 * M, 256 * M, 1, 0, 0, 0 },
	};
	long long most, idle;
	struct sysinfo info;
	size_t i;

	hard_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		tap_skip_all("one processor");
	most = tap_stat("tunables/user_bytes_max");
	idle = tap_stat("tunables/poll_idle_us");
	/* rings of 256 MiB, on whatever machine */
	need(!tap_tune("user_bytes_max", 1ULL << 30), "the user's cap");
	need(!tap_tune("poll_idle_us", 1000000), "idle time");
	for (i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		struct flood *f = tap_shared(sizeof(*f));

		*f = floods[i];
		/* two rings of it, and half as much again */
		if (slow_kernel() && f->bytes > 8 * M) {
			tap_skip(f->name, "too much for this kernel");
			continue;
		}
		if (!sysinfo(&info) &&
		    3ULL * f->ring > (uint64_t)info.freeram * info.mem_unit) {
			tap_skip(f->name, "not enough memory");
			continue;
		}
		flooded(f);
	}
	tap_tune("user_bytes_max", (unsigned long long)most);
	tap_tune("poll_idle_us", (unsigned long long)idle);
	check_routes_gone("turns");
	check_kernel();
	return tap_done();
}
