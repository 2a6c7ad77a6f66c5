// SPDX-License-Identifier: GPL-2.0
/*
 * A user has hundreds of targets that hang, recover and hang again, each with one
 * open call, by callers that have grown large tables of calls. A victim whose
 * large requests are copied by a worker, and which closes sockets that serve, is
 * served hardly slower than beside loops that use as much processor time.
 */
#include "routed.h"
#include "tenants.h"

#define SERVERS		8
#define PATHS		64		/* of each: as many as it may serve */
#define TABLE		16384		/* calls of each caller, when it has grown */
#define FLAP_US		170000		/* four looks of the watchdog and a bit */
#define LARGE		(128 << 10)	/* a worker copies it */
#define HANGS		2	/* of each of the attacker's targets, in a round */

enum phase { ALONE, LOOPS, ATTACK, AFTER, BETWEEN };

/**
 * struct stage - what the processes share
 * @trip: round trips of the victim.
 * @shut: closes of the victim's.
 * @id: number of the attacker's first target.
 * @ready: attackers, or loops, that are at work.
 */
struct stage {
	struct tenant_meter trip;
	struct tenant_meter shut;
	uint64_t id;
	int ready;
};

static struct stage *stage;

/* --- the victim -------------------------------------------------------------- */

/* Waits for a message without a processor of its own. */
static struct weir_msg wait_message(struct weir *w)
{
	int64_t until = now_ns() + HARD_DEADLINE_NS;
	struct weir_msg msg;

	while (weir_peek(w, &msg) != 1) {
		if (now_ns() > until)
			_exit(20);
		usleep(100);
	}
	return msg;
}

/* A large request and its answer. */
static bool trip(struct weir *c, struct weir *s, uint32_t route, uint32_t tag)
{
	static char data[LARGE];
	struct weir_call call = { .route = route, .tag = tag };
	struct weir_ticket t;
	struct weir_msg msg;
	bool good;

	if (request(c, &call, data, sizeof(data)))
		return false;
	weir_flush(c);
	msg = wait_message(s);
	t = weir_ticket(&msg);
	weir_release(s, &msg);
	if (weir_reply(s, &t, &tag, sizeof(tag), HARD_DEADLINE_NS))
		return false;
	msg = wait_message(c);
	good = msg.kind == WEIR_KIND_REPLY && msg.rec->tag == tag;
	weir_release(c, &msg);
	return good;
}

/* A socket goes that has a call to answer; the caller hears of it. */
static bool shut(struct weir *c, uint32_t route, uint32_t tag, int64_t *took)
{
	struct weir *s = server("/watch/gone", 1);
	struct weir_msg msg;
	bool good;

	ask(c, route, tag);
	*took = now_ns();
	weir_close(s);
	*took = now_ns() - *took;
	msg = wait_message(c);
	good = msg.kind == WEIR_KIND_ERROR && msg.rec->tag == tag;
	weir_release(c, &msg);
	return good;
}

static int victim(void *arg)
{
	struct weir *s = server_of("/watch/victim", 1, PLENTY, NULL), *c, *d;
	uint32_t route, gone, tag;
	int64_t took;
	bool good;

	(void)arg;
	c = handle(PLENTY, 0);
	route = route_of(c, "/watch/victim");
	d = caller("/watch/gone", &gone);
	for (tag = 1; !get(&stage->trip.stop); tag++) {
		took = now_ns();
		good = trip(c, s, route, tag);
		tenant_note(&stage->trip, (uint64_t)(now_ns() - took), good);
		good = shut(d, gone, tag, &took);
		tenant_note(&stage->shut, (uint64_t)took, good);
		put(&stage->trip.ready, 1);
	}
	return 0;
}

/* --- the attack -------------------------------------------------------------- */

/* A caller keeps the room for the most calls that it has had open at once. */
static void grow(struct weir *c, uint32_t n)
{
	struct weir *sink = handle(0, 2 * TABLE * 64);
	struct weir_call call = { .deadline_ns = UINT64_MAX };
	uint32_t i, ended = 0;

	need(!weir_serve(sink, "/watch/sink", 1, NULL), "sink");
	call.route = route_of(c, "/watch/sink");
	for (i = 0; i < n; i++) {
		call.tag = i;
		if (request(c, &call, "12345678", 8))
			break;
		if (i % 64 == 63)
			weir_flush(c);
	}
	weir_flush(c);
	weir_close(sink);
	need(soon((ended += (uint32_t)drain(c)) >= i), "its calls end");
}

static void path_of(char *path, int k, int i)
{
	sprintf(path, "/watch/flap/%d/%d", k, i);
}

static int attack(void *arg)
{
	uint32_t table = (uint32_t)tap_scale(TABLE, 4096), nowhere[SERVERS];
	struct weir *s[SERVERS], *c;
	char path[64];
	int k, i;

	(void)arg;
	for (k = 0; k < SERVERS; k++) {
		s[k] = handle(4096, 65536);
		for (i = 0; i < PATHS; i++) {
			path_of(path, k, i);
			need(!weir_serve(s[k], path, 1, k || i ? NULL :
					 &stage->id), "serve: %s",
			     weir_error());
		}
		nowhere[k] = route_of(s[k], "/watch/nowhere");
		c = handle(PLENTY, TABLE * 64);
		grow(c, table);
		for (i = 0; i < PATHS; i++) {
			struct weir_call call = {
				.tag = (uint32_t)i,
				.deadline_ns = UINT64_MAX,
			};

			path_of(path, k, i);
			call.route = route_of(c, path);
			ask_for(c, &call, path, sizeof(path));
		}
	}
	put(&stage->ready, 1);
	for (;;) {
		for (k = 0; k < SERVERS; k++)
			shower(s[k], nowhere[k], 1);
		usleep(FLAP_US);
	}
	return 0;
}

/* Uses a processor and sends nothing. */
static int loop(void *arg)
{
	(void)arg;
	for (;;)
		__asm__ volatile("" ::: "memory");
	return 0;
}

/* --- the verdict ------------------------------------------------------------- */

static void begin(int phase)
{
	tenant_begin(&stage->trip, phase);
	tenant_begin(&stage->shut, phase);
}

static void measure(int phase, uint64_t rounds, const char *what)
{
	begin(phase);
	need(tenant_measured(&stage->trip, phase, rounds), "%s: rounds", what);
	begin(BETWEEN);
}

static void beside_loops(uint64_t rounds)
{
	pid_t pid[2];
	int i;

	for (i = 0; i < 2; i++)
		pid[i] = tenant_start(TENANT_ATTACKER, loop, NULL);
	measure(LOOPS, rounds, "beside loops");
	for (i = 0; i < 2; i++)
		tap_kill(pid[i]);
}

/* Lets the attacker go on, until its targets have hung several times. */
static void beside_attack(pid_t pid, uint64_t rounds)
{
	int64_t until = now_ns() + HARD_DEADLINE_NS;
	uint64_t before, hangs;

	kill(pid, SIGCONT);
	need(soon(target_now(stage->id).state == WEIR_TARGET_UP),
	     "its targets recover");
	before = target_now(stage->id).ejections;
	begin(ATTACK);
	do {
		need(tenant_measured(&stage->trip, ATTACK,
				     tenant_count(&stage->trip, ATTACK) + rounds),
		     "beside the attack");
		hangs = target_now(stage->id).ejections - before;
	} while (hangs < HANGS && now_ns() < until);
	begin(BETWEEN);
	check(hangs >= HANGS, "the attacker's targets hang meanwhile (%llu times)",
	      (unsigned long long)hangs);
	tenant_pause(pid);
	/* all of its targets hang once more, and then rest */
	pass(2 * FLAP_US * 1000);
}

/* The attacker, who has prepared all, and waits. */
static pid_t attacker(void)
{
	pid_t pid = tenant_start(TENANT_ATTACKER, attack, NULL);

	need(soon(get(&stage->ready)), "the attack");
	need(soon(target_now(stage->id).ejections > 1), "its targets hang");
	tenant_pause(pid);
	pass(2 * FLAP_US * 1000);
	return pid;
}

static void judge(const struct tenant_meter *m,
		  const struct tenant_verdict *verdict, const char *what)
{
	char words[96];

	tenant_show(m, ALONE, "alone");
	tenant_show(m, LOOPS, "beside loops");
	tenant_show(m, ATTACK, "beside the attack");
	tenant_show(m, AFTER, "after it");
	check(!m->phases[ATTACK].bad, "%s: all went well beside the attack",
	      what);
	snprintf(words, sizeof(words),
		 "%s take at most 4 times as long as beside loops", what);
	tenant_judge(verdict, words);
}

static void compare(const struct tenant_meter *m, struct tenant_verdict *verdict)
{
	tenant_compare(verdict, tenant_last(m, ATTACK, 900),
		       tenant_last(m, LOOPS, 900));
}

int main(void)
{
	struct tenant_verdict trips = { .limit = 4 }, closes = { .limit = 4 };
	uint64_t rounds = (uint64_t)tap_scale(50, 30);
	pid_t pid, evil;

	hard_begin();
	if (slow_kernel())
		tap_skip_all("the attack itself takes too long on this kernel");
	tap_watchdog(300);
	stage = tap_shared(sizeof(*stage));
	pid = tenant_start(TENANT_VICTIM, victim, NULL);
	need(soon(get(&stage->trip.ready)), "the victim is at work");
	measure(ALONE, rounds, "alone");
	evil = attacker();
	while (tenant_undecided(&trips) || tenant_undecided(&closes)) {
		beside_loops(rounds);
		beside_attack(evil, rounds);
		compare(&stage->trip, &trips);
		compare(&stage->shut, &closes);
	}
	tap_kill(evil);
	measure(AFTER, rounds / 2, "after it");
	judge(&stage->trip, &trips, "large requests");
	judge(&stage->shut, &closes, "closes");
	put(&stage->trip.stop, 1);
	check(!tap_wait(pid), "the victim ends well");
	check_routes_gone("watch");
	check_kernel();
	return tap_done();
}
