// SPDX-License-Identifier: GPL-2.0
/*
 * The rate and the bulkhead of a route that several users call: one user that
 * asks for all it can get has nearly all while it is alone, and a second one has
 * its share as soon as it comes. What is set for the route holds for all together.
 * It does so as well at a target whose memory cgroup has no room left.
 */
#include "routed.h"
#include "tenants.h"

#define RATE	40	/* a second */
#define BURST	16
#define PACE	(SECOND / 10)	/* of the victim: half of its share */
#define DEPTH	32	/* requests that the attacker has open */
#define MOST	16	/* in flight, of which the lower half is had as it comes */
#define WANTS	8	/* of the victim */
#define PART	3	/* of the upper half, less one for the next, by two */

/* Whose a request is, by its key. */
enum { ATTACKER, VICTIM, USERS };

/**
 * struct shared - what the processes of a part tell each other
 * @good: replies that the attacker has got.
 * @refused: requests of its that were refused for want of a share.
 * @odd: other answers.
 * @stop: nonzero: it ends.
 */
struct shared {
	uint64_t good, refused, odd;
	int stop;
};

static struct shared *shared;

static void count_answer(const struct outcome *o, uint32_t reason)
{
	if (o->kind == WEIR_KIND_REPLY)
		add(&shared->good, 1);
	else if (o->fault.reason == reason)
		add(&shared->refused, 1);
	else
		add(&shared->odd, 1);
}

/* Asks again as soon as it has an answer, good or bad, with DEPTH requests. */
static int flood(const char *path, uint32_t reason)
{
	struct weir_call call = { .tag = 1, .key = ATTACKER };
	struct weir *w = caller(path, &call.route);
	struct outcome o;
	int open = 0;

	while (!get(&shared->stop)) {
		while (open < DEPTH && !request(w, &call, "x", 1))
			open++;
		weir_flush(w);
		while (outcome_now(w, &o)) {
			count_answer(&o, reason);
			open--;
		}
	}
	weir_close(w);
	return 0;
}

/* --- rate ------------------------------------------------------------------- */

static int flood_rate(void *arg)
{
	(void)arg;
	return flood("/rates/rate", WEIR_REASON_RATE);
}

/* Calls at a pace below its share, and measures each call. */
static int paced(void *arg)
{
	struct tenant_meter *m = arg;
	uint32_t tag = 0;
	struct outcome o;
	uint32_t route;
	struct weir *w = caller("/rates/rate", &route);
	int64_t next = now_ns(), begun;

	while (!get(&m->stop)) {
		pass(next - now_ns());
		next = now_ns() + PACE;
		begun = now_ns();
		ask(w, route, ++tag);
		o = next_outcome(w);
		if (o.kind == WEIR_KIND_ERROR)
			put(&m->refused, o.fault.reason |
			    (uint64_t)o.fault.guard << 32);
		tenant_note(m, (uint64_t)(now_ns() - begun),
			    o.kind == WEIR_KIND_REPLY && o.tag == tag);
	}
	weir_close(w);
	return 0;
}

/* What @n messages a second come to from then on, in messages. */
static double worth(double n, int64_t since)
{
	return n * (double)(now_ns() - since) / (double)SECOND;
}

static void rate(void)
{
	struct weir_route_conf conf = { QUIET, .rate = RATE, .burst = BURST };
	uint64_t calls = (uint64_t)tap_scale(60, 15), before;
	struct tenant_meter *m = tenant_meter_new();
	struct tenant_job job = { .path = "/rates/rate", .meter = m, .cpu = -1 };
	pid_t service, attacker, victim;
	int64_t begun, since;
	double all;

	memset(shared, 0, sizeof(*shared));
	service = tenant_start(TENANT_OTHER, tenant_service, &job);
	need(soon(get(&m->ready) == 1) && !route_set(job.path, &conf), "route");
	begun = now_ns();
	attacker = tenant_start(TENANT_ATTACKER, flood_rate, NULL);
	need(soon(get(&shared->refused) >= DEPTH), "the attacker has had all");
	since = now_ns();
	before = get(&shared->good);
	pass(2 * SECOND);
	all = worth(RATE, since);
	check((double)(get(&shared->good) - before) >= all * 3 / 4,
	      "one user alone has nearly all of a rate (%llu of %.0f)",
	      (unsigned long long)(get(&shared->good) - before), all);

	victim = tenant_start(TENANT_VICTIM, paced, m);
	since = now_ns();
	before = get(&shared->good);
	check(tenant_measure(m, 0, calls), "the victim calls beside");
	tenant_show(m, 0, "beside one that floods");
	all = worth(RATE, since) - (double)m->phases[0].good;
	check(m->phases[0].bad * 10 <= calls,
	      "a second user that asks for less than its share has it (%llu of %llu refused)",
	      (unsigned long long)m->phases[0].bad, (unsigned long long)calls);
	check((double)(get(&shared->good) - before) >= all * 3 / 4,
	      "and the first one what is left (%llu of %.0f)",
	      (unsigned long long)(get(&shared->good) - before), all);
	put(&shared->stop, 1);
	check(!tap_wait(attacker) && !get(&shared->odd),
	      "the attacker ends well");
	all = worth(RATE, begun) + BURST + 1;
	check((double)(get(&shared->good) + m->phases[0].good) <= all,
	      "together they have no more than the rate (%llu, at most %.0f)",
	      (unsigned long long)(get(&shared->good) + m->phases[0].good), all);
	check(tenant_measure(m, 1, 10) && !m->phases[1].bad,
	      "alone again the victim is served");
	put(&m->stop, 1);
	check(!tap_wait(victim) && !tap_wait(service), "all end well");
	need(!route_del(job.path), "del");
}

/* --- bulkhead --------------------------------------------------------------- */

/**
 * struct held - requests that a target has and does not answer
 * @n: how many.
 * @ticket: what the answers take, the oldest first.
 */
struct held {
	int n;
	struct weir_ticket ticket[MOST + 1];
};

static int flood_bulkhead(void *arg)
{
	(void)arg;
	return flood("/rates/bulkhead", WEIR_REASON_BULKHEAD);
}

/* Wants WANTS in flight: what is refused is asked once more. */
static int want_some(void *arg)
{
	struct tenant_meter *m = arg;
	uint32_t route;
	struct weir *w = caller("/rates/bulkhead", &route);
	int open = 0;
	struct outcome o;

	while (!get(&m->stop)) {
		for (; open < WANTS; open++)
			ask_with(w, route, 2, VICTIM, 0);
		while (outcome_now(w, &o)) {
			tenant_note(m, 0, o.kind == WEIR_KIND_REPLY);
			open--;
		}
	}
	weir_close(w);
	return 0;
}

/* Takes what has come to the target: of the attacker, and of the victim. */
static void take_in(struct weir *s, struct held *held)
{
	struct weir_msg msg;
	struct held *h;

	while (weir_peek(s, &msg) == 1) {
		h = &held[msg.rec->key == VICTIM];
		need(h->n <= MOST, "no more than the bulkhead");
		h->ticket[h->n++] = weir_ticket(&msg);
		weir_release(s, &msg);
	}
	weir_flush(s);
}

static void answer_oldest(struct weir *s, struct held *h)
{
	need(!weir_reply(s, &h->ticket[0], "x", 1, HARD_DEADLINE_NS), "reply");
	weir_flush(s);
	memmove(h->ticket, h->ticket + 1, (size_t)--h->n * sizeof(*h->ticket));
}

/*
 * One of the attacker's ends, and both have asked for the room: the attacker with
 * all of its requests, the victim unless it has what it wants.
 */
static bool next_end(struct weir *s, struct held *held, struct tenant_meter *m)
{
	uint64_t asked, refused, had = (uint64_t)held[VICTIM].n;

	answer_oldest(s, &held[ATTACKER]);
	asked = get(&shared->refused) + 2 * DEPTH;
	refused = get(&m->phases[0].bad);
	return soon((take_in(s, held), get(&shared->refused) >= asked &&
		     (get(&m->phases[0].bad) > refused ||
		      (uint64_t)held[VICTIM].n > had)));
}

static void bulkhead(void)
{
	struct weir_route_conf conf = { QUIET, .bulkhead = MOST };
	struct tenant_meter *m = tenant_meter_new();
	struct weir *s = handle(0, PLENTY);
	struct held held[USERS] = { 0 };
	const char *path = "/rates/bulkhead";
	pid_t attacker, victim;
	int i;

	memset(shared, 0, sizeof(*shared));
	need(!tap_setopt(weir_fd(s), WEIR_SO_MODE, 0666) &&
	     !weir_serve(s, path, 1, NULL) && !route_set(path, &conf), "route");
	attacker = tenant_start(TENANT_ATTACKER, flood_bulkhead, NULL);
	need(soon((take_in(s, held), get(&shared->refused) >= 2 * DEPTH)),
	     "the attacker has had all");
	/* what came since the last look, and before those that were refused */
	take_in(s, held);
	check(held[ATTACKER].n >= MOST * 3 / 4,
	      "one user alone has nearly all of a bulkhead (%d of %d)",
	      held[ATTACKER].n, MOST);

	victim = tenant_start(TENANT_VICTIM, want_some, m);
	check(soon((take_in(s, held), held[VICTIM].n)),
	      "a second user gets in although none of the first one's end");
	note("beside one that floods: %d and %d in flight", held[ATTACKER].n,
	     held[VICTIM].n);
	for (i = 0; i < 2 * MOST && held[VICTIM].n && held[ATTACKER].n &&
		    held[VICTIM].n < PART; i++)
		need(next_end(s, held, m), "both have asked");
	check(held[VICTIM].n >= PART,
	      "and has its share when some have ended (%d after %d)",
	      held[VICTIM].n, i);
	check(held[ATTACKER].n + held[VICTIM].n <= MOST,
	      "together they have no more than the bulkhead (%d and %d)",
	      held[ATTACKER].n, held[VICTIM].n);
	put(&shared->stop, 1);
	put(&m->stop, 1);
	check(!tap_wait(attacker) && !get(&shared->odd) && !tap_wait(victim),
	      "all end well");
	check(soon(!in_flight_count()), "nothing is left in flight");
	weir_close(s);
	need(!route_del(path), "del");
}

#define MEMORY	"/rates/memory"
#define GROUP	"tenants_rates"
#define TARGETS	8
#define ALL	(TARGETS * MOST)
#define SPARE	(4 << 20)

/* Serves eight times, with the memory of a cgroup, and never answers. */
static int serve_in_group(void *arg)
{
	struct tenant_meter *m = arg;
	struct weir *s;
	void *spare;
	int i;

	for (i = 0; i < TARGETS; i++) {
		s = handle(0, PLENTY);
		if (tap_setopt(weir_fd(s), WEIR_SO_MODE, 0666) ||
		    weir_serve(s, MEMORY, 1, NULL))
			return 99;
	}
	/* the kernel may take this back, but does not while it must not wait */
	spare = mmap(NULL, SPARE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (spare == MAP_FAILED)
		return 97;
	memset(spare, 1, SPARE);
	if (madvise(spare, SPARE, MADV_FREE))
		return 96;
	put(&m->ready, 1);
	for (;;)
		pause();
}

/* Takes the room of the group, and then lets it have what it uses, no more. */
static void fill_group(void)
{
	char max[32];
	int i;

	for (i = 1; i >= 0; i--) {
		snprintf(max, sizeof(max), "%lld",
			 tenant_cgroup_read(GROUP, "memory.current") -
			 i * SPARE / 2);
		need(!tenant_cgroup_write(GROUP, "memory.max", max), "max");
	}
}

/* Asks twice for what all targets may have in flight. */
static int want_all(void *arg)
{
	struct outcome o;
	uint32_t route;
	struct weir *w = caller(MEMORY, &route);
	int i;

	(void)arg;
	for (i = 0; i < 2 * ALL; i++)
		ask_with(w, route, 2, ATTACKER, 0);
	while (!get(&shared->stop)) {
		if (outcome_now(w, &o))
			count_answer(&o, WEIR_REASON_BULKHEAD);
	}
	weir_close(w);
	return 0;
}

static void bulkhead_without_memory(void)
{
	struct weir_route_conf conf = { QUIET, .bulkhead = MOST };
	struct tenant_meter *m = tenant_meter_new();
	pid_t service, user;
	uint64_t all;

	if (tenant_cgroup(GROUP, 0)) {
		tap_skip("targets whose cgroup is full", "no memory cgroups");
		return;
	}
	memset(shared, 0, sizeof(*shared));
	service = tenant_start_in(GROUP, geteuid(), serve_in_group, m);
	need(soon(get(&m->ready)) && !route_set(MEMORY, &conf), "route");
	fill_group();
	user = tenant_start(TENANT_ATTACKER, want_all, NULL);
	need(soon(get(&shared->refused) + in_flight_count() >= 2 * ALL),
	     "all are asked");
	all = 2 * ALL - get(&shared->refused);
	check(all >= ALL * 3 / 4,
	      "one user alone has nearly all of it when the targets' cgroup is full (%llu of %d)",
	      (unsigned long long)all, ALL);
	put(&shared->stop, 1);
	check(!tap_wait(user) && !get(&shared->odd), "the user ends well");
	tenant_cgroup_write(GROUP, "memory.max", "max");
	tap_kill(service);
	need(!route_del(MEMORY), "del");
	rmdir(TENANT_CGROUPS "/" GROUP);
}

int main(void)
{
	hard_begin();
	shared = tap_shared(sizeof(*shared));
	part(rate);
	part(bulkhead);
	part(bulkhead_without_memory);
	check_routes_gone("rates");
	check_kernel();
	return tap_done();
}
