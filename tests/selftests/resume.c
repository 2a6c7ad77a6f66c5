// SPDX-License-Identifier: GPL-2.0
/*
 * Restart without loss. A publisher whose outbox lingers and a subscriber with
 * a named cursor are killed with SIGKILL at random, one or both, and started
 * again, many times. The publisher goes on with the ring's own count of
 * records (weir_buf.seq), so the stream that the subscribers work off is
 * 0, 1, 2, ... without a gap; each releases a message after having noted it,
 * so at most the one in work at its death is seen twice, by the next one, as
 * its first. Also: a reader that attached behind a claim which then died
 * uncommitted, for both kinds of reader.
 */
#include "hard.h"

#define MINUTE	60000

static struct {
	uint64_t published;	/* committed for certain */
	uint64_t noted;		/* next number that has not been noted */
	uint64_t repeats;	/* messages seen twice, over all restarts */
	uint64_t runs[2];	/* starts of publisher, subscriber */
	int bad;		/* first error seen by anybody */
	uint64_t bad_a, bad_b;
} *sh;

static int fail_with(int what, uint64_t a, uint64_t b)
{
	if (!get(&sh->bad)) {
		sh->bad_a = a;
		sh->bad_b = b;
		put(&sh->bad, what);
	}
	return what;
}

static int publisher(void *arg)
{
	struct weir_config c = {
		.ring_bytes = 16 << 10, .linger_ms = MINUTE,
	};
	bool first = arg;
	struct weir_sock_info info;
	struct weir *w;

	if (weir_open(&w, SOCK_RDM, &c) || weir_bind(w, "/resume/s") ||
	    weir_info(w, &info))
		return fail_with(1, 0, 0);
	if (!first && !info.resumed)
		return fail_with(2, 0, 0);
	add(&sh->runs[0], 1);
	for (;;) {
		uint32_t len = item_len(600);
		struct weir_buf buf;
		int err = weir_claim_wait(w, len, &buf, HARD_DEADLINE_NS);

		if (err == -ETIMEDOUT)
			continue;	/* the subscriber is not there just now */
		if (err)
			return fail_with(3, (uint64_t)-err, 0);
		/* dies here, or half through, or after it */
		item_fill(buf.data, len, 1, buf.seq);
		weir_commit(w, &buf);
		put(&sh->published, (uint64_t)buf.seq + 1);
	}
}

static int subscriber(void *arg)
{
	struct weir_config c = {
		.name = "worker", .hold_ms = MINUTE,
		.start = WEIR_START_OLDEST,
	};
	bool first = true;
	struct weir *w;

	(void)arg;
	if (weir_open(&w, SOCK_RDM, &c))
		return fail_with(10, 0, 0);
	/* the dead one's socket may not be released yet */
	if (!soon(!weir_subscribe(w, "/resume/s")))
		return fail_with(11, 0, 0);
	add(&sh->runs[1], 1);
	for (;;) {
		const struct item *it;
		struct weir_msg msg;
		uint64_t want = get(&sh->noted);
		int ret = weir_peek(w, &msg);

		if (ret < 0)
			return fail_with(12, (uint64_t)-ret, want);
		if (!ret) {
			weir_wait(w, WEIR_WAIT_IN, 0, HARD_DEADLINE_NS);
			continue;
		}
		it = msg.data;
		if (!item_good(it, msg.len))
			return fail_with(13, msg.len, want);
		if (first && it->n + 1 == want)
			add(&sh->repeats, 1);
		else if (it->n != want)
			return fail_with(14, it->n, want);
		first = false;
		put(&sh->noted, it->n + 1);
		if (weir_release(w, &msg))
			return fail_with(15, it->n, want);
	}
}

static void strike(pid_t *pid, int (*run)(void *arg))
{
	tap_kill(*pid);
	*pid = spawn(run, NULL);
}

static void restarts(void)
{
	long rounds = scaled(200), i;
	pid_t sub = spawn(subscriber, NULL), pub;
	uint64_t last;

	/* there before the stream, so that it sees the first message */
	need(soon(get(&sh->runs[1]) == 1), "subscriber");
	pub = spawn(publisher, &rounds);
	need(soon(get(&sh->noted) > 0 || get(&sh->bad)), "first messages");
	for (i = 0; i < rounds && !get(&sh->bad); i++) {
		uint64_t target = get(&sh->noted) + rnd() % 200;
		int what = (int)(rnd() % 3);

		/* now and then not even started */
		if (rnd() % 8 && !soon(get(&sh->noted) >= target || get(&sh->bad))) {
			fail_with(20, get(&sh->noted), target);
			break;
		}
		if (what != 1)
			strike(&pub, publisher);
		if (what != 0)
			strike(&sub, subscriber);
	}
	last = get(&sh->noted);
	check(soon(get(&sh->noted) > last + 500 || get(&sh->bad)) && !get(&sh->bad),
	      "%ld deaths: nothing lost, nothing twice (%d: %llu, %llu)", i,
	      sh->bad, (unsigned long long)sh->bad_a, (unsigned long long)sh->bad_b);
	tap_kill(pub);
	last = get(&sh->published);
	check(soon(get(&sh->noted) >= last || get(&sh->bad)) && !get(&sh->bad),
	      "and all that was published has come: %llu of %llu",
	      (unsigned long long)get(&sh->noted), (unsigned long long)last);
	note("%llu messages, %llu publishers, %llu subscribers, %llu in work at a death",
	     (unsigned long long)sh->noted, (unsigned long long)sh->runs[0],
	     (unsigned long long)sh->runs[1], (unsigned long long)sh->repeats);
	check(sh->repeats <= sh->runs[1], "at most one message in work at each death");
	tap_kill(sub);
}

/*
 * Ends what lingers: a publisher without linger takes the stream over and
 * closes it; held cursors on it go with their time, so they are resumed first.
 */
static void end_lingering(const char *path, const char *name)
{
	struct weir_config c = { .name = name };
	struct weir *s = NULL, *p;

	if (name) {
		need(!weir_open(&s, SOCK_RDM, &c), "open");
		need(soon(!weir_subscribe(s, path)), "subscribe");
	}
	need(!weir_open(&p, SOCK_RDM, NULL) && !weir_bind(p, path), "bind");
	weir_close(p);
	weir_close(s);
}

/* A claim that dies uncommitted, with a reader attached behind it. */
static int dies_in_claim(void *arg)
{
	struct weir_config c = { .linger_ms = MINUTE };
	int type = *(int *)arg, i;
	struct weir_buf buf;
	struct weir *w;

	if (weir_open(&w, type, &c) || weir_bind(w, "/resume/claim"))
		return 1;
	for (i = 0; i < 3; i++)
		weir_send(w, "before", 6, WEIR_DONTWAIT);
	for (i = 0; i < 5; i++)
		if (weir_claim(w, 100, &buf))
			return 2;
	/* and a batch, of which a part is published */
	if (weir_claim_batch(w, 40, 5, &buf) != 5)
		return 3;
	for (i = 0; i < 2; i++) {
		weir_commit_more(w, &buf);
		weir_claim_next(w, &buf);
	}
	put(&sh->published, 1);
	for (;;)
		pause();
}

static void behind_a_claim(int type, bool library)
{
	const char *what = type == SOCK_RDM ? "gating" : "lossy";
	long long liars = tap_stat("drops/bad_cursor");
	struct weir_config c = { .linger_ms = 0 };
	struct weir *in = NULL, *out;
	char data[64] = "";
	int fd = -1, i, got = 0;
	pid_t pid;

	put(&sh->published, 0);
	pid = spawn(dies_in_claim, &type);
	need(soon(get(&sh->published)), "claims");
	if (library)
		need(!weir_open(&in, type, NULL) &&
		     !weir_subscribe(in, "/resume/claim"), "subscribe");
	else
		fd = raw_subscriber(type, "/resume/claim");
	tap_kill(pid);
	need(!weir_open(&out, type, &c) && !weir_bind(out, "/resume/claim"), "bind");
	check(out->resumed, "%s: the stream is taken over", what);
	for (i = 0; i < 3; i++) {
		snprintf(data, sizeof(data), "after %d", i);
		/* other lengths than those of the claims that died */
		need(!weir_send(out, data, 7 + (size_t)i * 0, HARD_DEADLINE_NS), "send");
	}
	for (i = 0; i < 3; i++) {
		char want[64];
		ssize_t len = library ?
			weir_recv(in, data, sizeof(data), 1000000000) :
			recv(fd, data, sizeof(data), MSG_DONTWAIT);

		snprintf(want, sizeof(want), "after %d", i);
		got += len == 7 && !memcmp(data, want, 7);
	}
	check(got == 3, "%s %s reader attached behind a claim that died gets what follows (%d of 3)",
	      what, library ? "library" : "kernel", got);
	check(tap_stat("drops/bad_cursor") == liars,
	      "and is not taken for a liar");
	weir_close(in);
	if (fd >= 0)
		close(fd);
	weir_close(out);
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	sh = tap_shared(4096);
	restarts();
	end_lingering("/resume/s", "worker");
	check_counters(&before);
	behind_a_claim(SOCK_RDM, true);
	behind_a_claim(SOCK_RDM, false);
	behind_a_claim(SOCK_DGRAM, true);
	behind_a_claim(SOCK_DGRAM, false);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
