// SPDX-License-Identifier: GPL-2.0
/*
 * Idempotency keys: of requests with the same key one is done, and all get its
 * reply, whether they come while it is in flight or later within the window;
 * a first that fails leaves no trace; users do not share keys; another payload
 * is another request.
 */
#include "routed.h"

/* A window that is not over before the test is. */
static struct weir_route_conf conf = { QUIET, .dup_window_ns = 600 * SECOND };

/* The next answer: its payload, or -reason. */
static long value(struct weir *w, uint32_t tag)
{
	struct weir_msg msg = next_message(w, "a caller");
	struct weir_refusal fault;
	long v = -1000;

	if (msg.rec->tag != tag)
		check(false, "the answer is for %u, not %u", msg.rec->tag, tag);
	if (weir_refusal_get(&msg, &fault))
		v = -(long)fault.reason;
	else if (msg.len == sizeof(v))
		memcpy(&v, msg.data, sizeof(v));
	weir_release(w, &msg);
	return v;
}

static void give(struct weir *s, const struct weir_ticket *ticket, long v)
{
	need(!weir_reply(s, ticket, &v, sizeof(v), SECOND), "reply");
}

static void ask_key(struct weir *w, uint32_t route, uint32_t tag, uint64_t key)
{
	struct weir_call call = { .route = route, .tag = tag, .dup = key };

	ask_for(w, &call, "?", 1);
}

static void together(void)
{
	uint32_t ra, rb;
	struct weir *s = server("/once/a", 1);
	struct weir *a, *b;
	struct weir_ticket ticket;

	need(!route_set("/once/a", &conf), "keys are switched on");
	a = caller("/once/a", &ra);
	b = caller("/once/a", &rb);
	ask_key(a, ra, 1, 42);
	ask_key(a, ra, 2, 42);
	ask_key(b, rb, 3, 42);
	ask_key(b, rb, 4, 43);
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 100);
	check(value(a, 1) == 100, "the first has its reply");
	check(value(a, 2) == 100, "the same caller's second gets a copy");
	check(value(b, 3) == 100, "and so does another caller's");
	ticket = next_ticket(s, "the target");
	check(drain(s) == 0, "the target has seen one request of each key");
	give(s, &ticket, 200);
	check(value(b, 4) == 200, "another key is another request");
	ask_key(b, rb, 5, 42);
	check(value(b, 5) == 100, "later within the window: the same reply");
	check(drain(s) == 0, "without the target");
	check(route_now("/once/a").dups == 3,
	      "three duplicates are counted (%llu)",
	      (unsigned long long)route_now("/once/a").dups);
	ask_key(a, ra, 7, 0);
	ask_key(a, ra, 8, 0);
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 1);
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 2);
	check(value(a, 7) == 1 && value(a, 8) == 2, "key 0 is none");
	weir_close(a);
	weir_close(b);
	weir_close(s);
	need(!route_del("/once/a"), "del");
}

/* Of a key whose window passes. */
static void forgotten(void)
{
	const int64_t window_ns = 200 * MS;
	struct weir_route_conf brief = conf;
	struct weir *s = server("/once/w", 1), *a;
	struct weir_ticket ticket;
	struct weir_msg msg;
	uint32_t ra, tag = 1, same = 0;
	int64_t asked;

	brief.dup_window_ns = (uint64_t)window_ns;
	need(!route_set("/once/w", &brief), "keys");
	a = caller("/once/w", &ra);
	asked = now_ns();
	ask_key(a, ra, tag, 42);
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 100);
	check(value(a, tag) == 100, "a key's reply");
	/* again and again, until the target has it */
	while (ask_key(a, ra, ++tag, 42), weir_peek(s, &msg) != 1) {
		if (value(a, tag) != 100 ||
		    now_ns() - asked > HARD_DEADLINE_NS)
			break;
		same++;
		usleep(1000);
	}
	check(now_ns() - asked >= window_ns,
	      "is given within the window (%u times, %lld ms)", same,
	      (long long)((now_ns() - asked) / MS));
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 300);
	check(value(a, tag) == 300, "after the window it is done again");
	weir_close(a);
	weir_close(s);
	need(!route_del("/once/w"), "del");
}

static void failing(void)
{
	uint32_t ra, rb;
	long got;
	struct weir *s = server("/once/f", 1), *s2;
	struct weir *a, *b;
	struct weir_ticket ticket;
	struct weir_msg msg;

	need(!route_set("/once/f", &conf), "keys");
	a = caller("/once/f", &ra);
	b = caller("/once/f", &rb);
	ask_key(a, ra, 1, 7);
	ask_key(b, rb, 2, 7);
	ticket = next_ticket(s, "the target");
	need(!weir_reply_error(s, &ticket, "no", 2, SECOND), "error");
	msg = next_message(a, "the first");
	check(msg.kind == WEIR_KIND_ERROR && msg.len == 2,
	      "the first has the target's error");
	weir_release(a, &msg);
	check(value(b, 2) == -WEIR_REASON_DUPLICATE,
	      "who waited learns that the first was lost");
	ask_key(b, rb, 3, 7);
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 5);
	check(value(b, 3) == 5, "an error is not remembered");

	/* the first's caller goes */
	ask_key(a, ra, 4, 8);
	ask_key(b, rb, 5, 8);
	ticket = next_ticket(s, "the target");
	weir_close(a);
	check(value(b, 5) == -WEIR_REASON_DUPLICATE,
	      "nor one whose caller went");
	/* the waiter goes */
	a = caller("/once/f", &ra);
	ask_key(b, rb, 6, 9);
	ask_key(a, ra, 7, 9);
	weir_close(a);
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 6);
	check(value(b, 6) == 6, "one that waited and went is no harm");
	/* the target goes */
	ask_key(b, rb, 8, 10);
	s2 = server("/once/f", 0);
	weir_close(s);
	check(value(b, 8) == -WEIR_REASON_TARGET_DIED, "the target goes");
	weir_close(s2);
	ask_key(b, rb, 9, 10);
	got = value(b, 9);
	check(got == -WEIR_REASON_NO_TARGET, "nobody there: refused (%ld)",
	      got);
	weir_close(b);
	need(!route_del("/once/f"), "del");
}

/* Another user's key of the same number is another key. */
static void users(void)
{
	uint32_t ra;
	struct weir_config open = { .set = WEIR_SET_MODE, .mode = 0666 };
	struct weir *s, *a;
	struct weir_ticket ticket;
	int status;
	pid_t pid;

	need(!weir_open(&s, SOCK_RDM, &open), "open");
	need(!weir_serve(s, "/once/u", 1, NULL), "serve");
	need(!route_set("/once/u", &conf), "keys");
	a = caller("/once/u", &ra);
	ask_key(a, ra, 1, 11);
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 1);
	check(value(a, 1) == 1, "one user's");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		uint32_t r;
		struct weir *w;

		if (setgid(65534) || setuid(65534))
			_exit(9);
		w = caller("/once/u", &r);
		ask_key(w, r, 2, 11);
		_exit(value(w, 2) == 2 ? 0 : 1);
	}
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 2);
	status = tap_wait(pid);
	check(status == 0, "another's is done for itself (%d)", status);
	weir_close(a);
	weir_close(s);
	need(!route_del("/once/u"), "del");
}

static void ask_body(struct weir *w, uint32_t route, uint32_t tag, uint64_t key,
		     const void *body, size_t len)
{
	struct weir_call call = { .route = route, .tag = tag, .dup = key };

	ask_for(w, &call, body, len);
}

/* The same key with another payload, in flight and afterwards. */
static void reused(void)
{
	static char large[300000];
	struct weir *s = server_of("/once/r", 1, PLENTY, NULL), *a;
	struct weir_ticket ticket;
	uint32_t ra, n;

	need(!route_set("/once/r", &conf), "keys");
	a = handle(PLENTY, 0);
	ra = route_of(a, "/once/r");
	ask_body(a, ra, 1, 7, "take 100", 8);
	ask_body(a, ra, 2, 7, "take 200", 8);
	check(refused_by(a, 2, WEIR_REASON_KEY_REUSED, WEIR_GUARD_DUP,
			 "another payload in flight is refused"),
	      "with its reason");
	ask_body(a, ra, 3, 7, "take 10", 7);
	check(answer(a, 3) == WEIR_REASON_KEY_REUSED, "and so is a shorter one");
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 100);
	check(value(a, 1) == 100, "the first has its reply");
	ask_body(a, ra, 4, 7, "take 200", 8);
	check(answer(a, 4) == WEIR_REASON_KEY_REUSED, "another one afterwards");
	ask_body(a, ra, 5, 7, "take 100", 8);
	check(value(a, 5) == 100, "the same one: the reply");
	ask_body(a, ra, 6, 9, "", 0);
	ask_body(a, ra, 7, 9, "x", 1);
	check(answer(a, 7) == WEIR_REASON_KEY_REUSED, "one without a payload");
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 6);
	check(value(a, 6) == 6, "has its reply");
	/* copied and digested in pieces; the last byte differs */
	ask_body(a, ra, 10, 8, large, sizeof(large));
	large[sizeof(large) - 1] = 1;
	ask_body(a, ra, 11, 8, large, sizeof(large));
	check(answer(a, 11) == WEIR_REASON_KEY_REUSED, "the last byte counts");
	large[sizeof(large) - 1] = 0;
	ask_body(a, ra, 12, 8, large, sizeof(large));
	ticket = next_ticket(s, "the target");
	give(s, &ticket, 800);
	check(value(a, 10) == 800 && value(a, 12) == 800,
	      "a large one and its repetition have one reply");
	n = (uint32_t)(route_now("/once/r").refused[WEIR_REASON_KEY_REUSED]);
	check(n == 5 && !drain(s), "5 are counted as refused (%u)", n);
	weir_close(a);
	weir_close(s);
	need(!route_del("/once/r"), "del");
}

int main(void)
{
	hard_begin();
	together();
	reused();
	forgotten();
	failing();
	users();
	return tap_done();
}
