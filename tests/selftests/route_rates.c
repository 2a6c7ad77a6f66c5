// SPDX-License-Identifier: GPL-2.0
/*
 * The rate of a route whose target is another route with a rate: callers that
 * send at the same time get no more through than it allows, all together.
 *
 * The message of a caller gives its tokens of the first bucket back while it is
 * asked for those of the second, where another caller may find them.
 */
#include "routed.h"

#define FRONT	"/rates/front"
#define BACK	"/rates/back"
#define CALLERS	2
#define RATE	10000
#define BURST	100
#define BATCH	32
/* What a pause adds to: the bucket's upper half, by time. */
#define KEPT_NS	(SECOND * BURST / 2 / RATE)

/**
 * struct crowd - what callers and the test tell each other, in shared memory
 * @ready: callers that are at work.
 * @stop: nonzero: they end.
 * @asked: messages that they have sent.
 * @last_ns: when one of them asked last.
 * @idle_ns: time in which none asked, but for the first KEPT_NS of each pause.
 */
struct crowd {
	int ready, stop;
	uint64_t asked;
	int64_t last_ns;
	int64_t idle_ns;
};

static struct crowd *crowd;

/*
 * One of them asks. What comes into the bucket while something else has their
 * processors for longer than it keeps is lost.
 */
static void note_turn(void)
{
	int64_t now = now_ns();
	int64_t last = __atomic_load_n(&crowd->last_ns, __ATOMIC_ACQUIRE);

	do {
		if (now <= last)
			return;
	} while (!__atomic_compare_exchange_n(&crowd->last_ns, &last, now, 0,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	if (now - last > KEPT_NS)
		__atomic_add_fetch(&crowd->idle_ns, now - last - KEPT_NS,
				   __ATOMIC_RELAXED);
}

static int call(void *arg)
{
	struct weir_call how = { .one_way = 1, .flags = WEIR_REC_DROP };
	struct weir *w = caller(FRONT, &how.route);
	int i;

	(void)arg;
	__atomic_add_fetch(&crowd->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&crowd->stop, __ATOMIC_ACQUIRE)) {
		note_turn();
		for (i = 0; i < BATCH && !request(w, &how, "rate", 4); i++)
			;
		weir_flush(w);
		__atomic_add_fetch(&crowd->asked, i, __ATOMIC_RELAXED);
	}
	weir_close(w);
	return 0;
}

static uint64_t read_all(struct weir *w)
{
	struct weir_msg msg;
	uint64_t n = 0;

	while (weir_peek(w, &msg) == 1) {
		n += msg.kind == WEIR_KIND_EVENT;
		weir_release(w, &msg);
	}
	return n;
}

int main(void)
{
	struct weir_route_conf conf = { QUIET, .rate = 1000000000 };
	uint64_t got = 0, allowed, there;
	pid_t pid[CALLERS];
	int64_t begun, ms;
	struct weir *s;
	int i, good = 0;

	tap_family();
	tap_watchdog(200);
	crowd = tap_shared(sizeof(*crowd));
	/* with room for all that there can be, so that none is dropped there */
	s = server_of(BACK, 1, 16 << 20, NULL);
	need(!target_op(WEIR_OP_TARGET_ADD, FRONT, BACK, 0, 1), "target");
	need(!route_set(BACK, &conf), "the rate behind");
	conf = (struct weir_route_conf){ QUIET, .rate = RATE, .burst = BURST };
	need(!route_set(FRONT, &conf), "the rate in front");

	begun = crowd->last_ns = now_ns();
	for (i = 0; i < CALLERS; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(call(NULL));
	}
	tap_until(__atomic_load_n(&crowd->ready, __ATOMIC_ACQUIRE) == CALLERS);
	ms = tap_scale(4000, 1000);
	while (now_ns() - begun < ms * 1000000) {
		got += read_all(s);
		usleep(10000);
	}
	__atomic_store_n(&crowd->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < CALLERS; i++)
		good += !tap_wait(pid[i]);
	tap_is(good, CALLERS, "the callers end well");
	ms = (now_ns() - begun) / 1000000 + 1;
	got += read_all(s);
	/* and what each may have been sending when it owed already */
	allowed = (uint64_t)ms * RATE / 1000 + BURST + CALLERS * BATCH;
	note_turn();
	there = (uint64_t)(ms - crowd->idle_ns / MS) * RATE / 1000;
	tap_diag("%llu of %llu in %lld ms, which allow %llu, of which %llu while they asked",
		 (unsigned long long)got, (unsigned long long)crowd->asked,
		 (long long)ms, (unsigned long long)allowed,
		 (unsigned long long)there);
	tap_ok(got <= allowed, "callers together keep the rate of a route in front");
	if (crowd->asked < 2 * allowed)
		tap_skip("and ask for more", "this machine is too slow for that");
	else
		tap_ok(got > there / 2, "and get it, when they ask for more");
	weir_close(s);
	need(!target_op(WEIR_OP_TARGET_DEL, FRONT, BACK, 0, 0), "target");
	need(!route_del(FRONT) && !route_del(BACK), "routes");
	return tap_done();
}
