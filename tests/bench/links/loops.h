/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The measuring loops. Each contestant defines the operations below as static
 * inline functions and includes this file, so that all run the same loop and
 * none pays for a call through a pointer.
 *
 *	LINK, LINK_NAME, LINK_WHAT	symbol and words
 *	LINK_MODULE, LINK_SLEEPS	flags of struct contestant
 *	LINK_NEEDS			in words, what it needs to take part
 *	LINK_THREADS			1 if its sides are threads of one process
 *	LINK_HELPED			1 if others than the two sides do part of the
 *					work: threads of a library, a daemon
 *	LINK_BROADCAST			it has fan_open and fan_join
 *	LINK_BATCHES			end_claim() takes places for several messages
 *					at once; only for rate and solo
 *	LINK_LEN_MAX			longest message
 *	LINK_FANIN			it has fanin_join()
 *	LINK_FANIN_NEXT			that may return more than one end: it has
 *					fanin_next()
 *	LINK_FANIN_POLL			it has fanin_poll()
 *	LINK_TRY			it has end_try()
 *	LINK_SLOW			the same, and it is measured in slow.h
 *	LINK_ONLY			names of what alone is measured of it
 *	LINK_OWN			it has functions and a struct contestant of its
 *					own; here are only the parts for them
 *	struct end			one side
 *	pair_open(job), pair_close()	both sides, before the fork; pair_open may
 *					be called once for each of several links
 *	end_join(end, job, link, side)	in the process that uses it
 *	end_leave(end)
 *	end_copied(end)			payload bytes that the kernel copied
 *	struct claim, struct view	what is kept from claim to commit, and from
 *					peek to release; and, zeroed before the
 *					first, from message to message
 *	end_claim(end, len, claim)	where to write a message; waits for room
 *	end_commit(end, len, claim, more)
 *					sends it. @more: an end_peek() comes next
 *	end_peek(end, len, view)	the next message; waits for it
 *	end_release(end, view)
 *	end_rest(end, claim, view)	with LINK_BATCHES: sends what waits for more,
 *					aborts what was claimed and not used,
 *					releases what is held
 *	fanin_join(from, to, job)	@senders senders and what gets theirs;
 *					returns how many ends that is
 *	fanin_next(to, n)		one of these that has a message
 *	fanin_poll(to, n)		asks the kernel for one, without waiting; how many
 *	end_try(end, len, view)		the next message, or NULL
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#ifndef LINK_ONLY
#define LINK_ONLY	NULL
#endif
#ifndef LINK_NEEDS
#define LINK_NEEDS	"this machine does not have it"
#endif
#ifndef LINK_THREADS
#define LINK_THREADS	false
#endif
#ifndef LINK_HELPED
#define LINK_HELPED	false
#endif

#ifndef LINK_BATCHES
static inline void end_rest(struct end *e, struct claim *c, struct view *v)
{
	(void)e;
	(void)c;
	(void)v;
}
#endif

/*
 * The whole message is written in place and read in place. 32 bytes are four
 * words, as an application's structure would be; the rest is memset and a sum
 * of 16 bytes at a time.
 */
inlined void payload_fill(void *at, size_t len, uint64_t value)
{
	uint64_t *word = at;

	if (__builtin_constant_p(len) && len == 32) {
		word[0] = value;
		word[1] = value;
		word[2] = value;
		word[3] = value;
	} else {
		memset(at, (int)value, len);
	}
}

struct lanes {
	uint64_t lane __attribute__((vector_size(16)));
} __attribute__((packed, aligned(8), may_alias));

inlined uint64_t payload_sum(const void *at, size_t len)
{
	const uint64_t *word = at;
	const struct lanes *v = at;
	struct lanes a = { { 0 } }, b = a, c = a, d = a;
	size_t i;

	if (__builtin_constant_p(len) && len == 32)
		return word[0] + word[1] + word[2] + word[3];
	for (i = 0; i + 4 <= len / sizeof(*v); i += 4) {
		a.lane += v[i].lane;
		b.lane += v[i + 1].lane;
		c.lane += v[i + 2].lane;
		d.lane += v[i + 3].lane;
	}
	a.lane += b.lane + c.lane + d.lane;
	return a.lane[0] + a.lane[1];
}

/* A sum that the compiler must not throw away. */
inlined void used(uint64_t value)
{
	__asm__ volatile("" : : "r" (value));
}

/* What only batches keep from message to message is not kept without. */
inlined void put(struct end *e, size_t len, struct claim *c, uint64_t value,
		 bool more)
{
#ifndef LINK_BATCHES
	struct claim one;

	c = &one;
#endif
	payload_fill(end_claim(e, len, c), len, value);
	end_commit(e, len, c, more);
}

inlined uint64_t get(struct end *e, size_t len, struct view *v)
{
#ifndef LINK_BATCHES
	struct view one;

	v = &one;
#endif
	uint64_t sum = payload_sum(end_peek(e, len, v), len);

	end_release(e, v);
	return sum;
}

/* Without a look at the payload. */
inlined void put_in_place(struct end *e, size_t len)
{
	struct claim c = { };

	end_claim(e, len, &c);
	end_commit(e, len, &c, false);
}

inlined void get_in_place(struct end *e, size_t len)
{
	struct view v = { };

	end_peek(e, len, &v);
	end_release(e, &v);
}

#define STAMPS_MAX	4096

static uint64_t took[STAMPS_MAX];

static int stamp_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t took_median(uint64_t n)
{
	if (n > STAMPS_MAX)
		n = STAMPS_MAX;
	qsort(took, n, sizeof(took[0]), stamp_order);
	return took[n / 2];
}

/* The least of the medians, one for each period of looks. */
static uint64_t took_best(uint64_t n)
{
	static uint64_t same[STAMPS_MAX];
	uint64_t best = UINT64_MAX, m, i;
	unsigned int p;

	if (n > STAMPS_MAX)
		n = STAMPS_MAX;
	if (LINK_SLEEPS || n < 8 * SPIN_PERIODS)
		return took_median(n);
	for (p = 0; p < SPIN_PERIODS; p++) {
		for (m = 0, i = p; i < n; i += SPIN_PERIODS)
			same[m++] = took[i];
		qsort(same, m, sizeof(same[0]), stamp_order);
		if (same[m / 2] < best)
			best = same[m / 2];
	}
	return best;
}

/* What a look at the clock costs if nothing comes between, to be taken off. */
static uint64_t clock_ns(void)
{
	uint64_t least = UINT64_MAX, at, now;
	int i;

	for (i = 0; i < 100; i++) {
		at = now_ns();
		now = now_ns();
		if (now - at < least)
			least = now - at;
	}
	return least;
}

/* --- round trips --- */

/*
 * Trips are timed in slices, and the median slice counts: one in which a timer
 * ticked, or somebody else had a processor, is left out by that. Each slice has
 * the next period of looks. Sides that
 * sleep take long enough for slices of one. Each side claims its next message's
 * place before it waits, as a program that wants to answer at once does.
 */
#define SLICE_TRIPS	(LINK_SLEEPS ? 1 : 64)

inlined void rtt_loop(struct job *job, struct end *e, int side, size_t len)
{
	uint64_t i, n = job->warm + job->count, off = clock_ns(), at = 0, now;
	uint64_t slice = job->count < 16 * SLICE_TRIPS ? 1 : SLICE_TRIPS, k = 0;
	uint64_t left = job->counted ? UINT64_MAX : job->warm + slice;
	struct claim c = { };
	void *room = end_claim(e, len, &c);
	struct view v = { };

	for (i = 0; i < n; i++) {
		if (i == job->warm) {
			if (!side)
				job_traced(job);
			count_start(job, 1);
			at = now_ns();
		}
		if (side) {
			used(payload_sum(end_peek(e, len, &v), len));
			payload_fill(room, len, i);
			end_commit(e, len, &c, i + 1 < n);
			/* what was read stays until the answer has gone */
			end_release(e, &v);
		} else {
			payload_fill(room, len, i);
			end_commit(e, len, &c, true);
		}
		if (i + 1 < n)
			room = end_claim(e, len, &c);
		if (!side)
			used(get(e, len, &v));
		if (--left)
			continue;
		left = slice;
		if (!LINK_SLEEPS)
			spin_next_period();
		if (side)
			continue;
		now = now_ns();
		took[k++ % STAMPS_MAX] = now - at - off;
		at = now;
	}
	count_stop(job, side, true);
	if (!side)
		job_untraced(job);
	if (!side && k)
		job->ns = took_best(k) * job->count / slice;
}

/* --- at a fixed load --- */

/*
 * Each message when it is due, or as soon after that as can be. Its latency
 * counts from when it was due, whether the sender was kept from it or not: so
 * nothing is left out of what an earlier one that took long did to it (G. Tene's
 * coordinated omission). It ends where the message is, or, if each is answered,
 * where its answer is.
 */
static void paced_send(struct job *job, struct end *e)
{
	uint64_t i, n = job->warm + job->count, at, begin = now_ns() + 2000000;

	for (i = 0; i < n; i++) {
		struct claim c = { };
		struct view v = { };
		uint64_t *word;

		at = begin + i * job->period_ns;
		while (now_ns() < at)
			__builtin_ia32_pause();
		word = end_claim(e, job->len, &c);
		payload_fill(word, job->len, i);
		*word = at;
		end_commit(e, job->len, &c, job->answered);
		if (!job->answered)
			continue;
		used(get(e, job->len, &v));
		if (i >= job->warm)
			hist_add(&job->hist, now_ns() - at);
	}
}

#ifndef LINK_OWN

static void paced_receive(struct job *job, struct end *e)
{
	uint64_t i, n = job->warm + job->count, at;

	for (i = 0; i < n; i++) {
		struct claim c = { };
		struct view v = { };
		const uint64_t *msg = end_peek(e, job->len, &v);

		used(payload_sum(msg, job->len));
		at = *msg;
		end_release(e, &v);
		if (job->answered)
			put(e, job->len, &c, i, i + 1 < n);
		else if (i >= job->warm)
			hist_add(&job->hist, now_ns() - at);
	}
}

/* --- both sides --- */

/* One side of it: by a loop that knows the most usual length beforehand. */
inlined void side_run(struct job *job, int side,
		      void (*loop)(struct job *job, struct end *e, int side,
				   size_t len))
{
	struct end e;

	end_join(&e, job, 0, side);
	job_meet(job);
	cpu_start(job, side);
	if (job->len == 32)
		loop(job, &e, side, 32);
	else
		loop(job, &e, side, job->len);
	cpu_stop(job, side);
	job_meet(job);
	/* the counters are of all messages, warm ones too */
	if (!side)
		job->copied_bytes = end_copied(&e);
	job_meet(job);
	end_leave(&e);
}

static void rtt(struct job *job, int side)
{
	side_run(job, side, rtt_loop);
}

static void paced(struct job *job, int side)
{
	struct end e;

	end_join(&e, job, 0, side);
	job_meet(job);
	if (side) {
		/* the sender looks at the clock all the time */
		cpu_start(job, side);
		paced_receive(job, &e);
		cpu_stop(job, side);
	} else {
		paced_send(job, &e);
	}
	job_meet(job);
	end_leave(&e);
}

/* --- one way --- */

#define ANSWER_BYTES	32

static void oneway(struct job *job, int side)
{
	uint64_t i, n = job->count < STAMPS_MAX ? job->count : STAMPS_MAX;
	struct end e;

	end_join(&e, job, 0, side);
	job_meet(job);
	for (i = 0; i < job->warm + n; i++) {
		uint64_t at, *word;
		const void *msg;
		struct claim c = { };
		struct view v = { };

		if (!side) {
			at = now_ns();
			word = end_claim(&e, job->len, &c);
			payload_fill(word, job->len, i);
			*word = at;
			end_commit(&e, job->len, &c, true);
			used(get(&e, ANSWER_BYTES, &v));
			continue;
		}
		msg = end_peek(&e, job->len, &v);
		used(payload_sum(msg, job->len));
		at = *(const uint64_t *)msg;
		took[i % STAMPS_MAX] = now_ns() - at;
		end_release(&e, &v);
		put(&e, ANSWER_BYTES, &c, i, i + 1 < job->warm + n);
	}
	if (side)
		job->ns = took_median(n) - clock_ns();
	job_meet(job);
	end_leave(&e);
}

/* --- throughput --- */

/*
 * The receiver times slices of several laps of the ring, so that none shows
 * only how fast a full ring is emptied.
 */
inlined void rate_loop(struct job *job, struct end *e, int side, size_t len)
{
	uint64_t i, at = 0, now, k = 0, slice = 4 * job->ring_bytes / (len + 32);
	uint64_t n = job->warm + job->count, left = job->warm;
	struct claim c = { };
	struct view v = { };

	if (slice > job->count / 8)
		slice = job->count / 8;
	if (!side) {
		for (i = 0; i < n; i++)
			put(e, len, &c, i, false);
		end_rest(e, &c, NULL);
		return;
	}
	for (i = 0; i < n; i++) {
		used(get(e, len, &v));
		if (--left)
			continue;
		now = now_ns();
		if (at)
			took[k++ % STAMPS_MAX] = now - at;
		at = now;
		left = slice;
	}
	job->ns = took_median(k) * job->count / slice;
}

static void rate(struct job *job, int side)
{
	side_run(job, side, rate_loop);
}

/* --- both ends in one process --- */

inlined void solo_loop(struct job *job, struct end *from, struct end *to,
		       unsigned int readers, size_t len, bool touch)
{
	uint64_t i, off = clock_ns(), sent = 0, received = 0;
	unsigned int b, r, n = batch_of(touch ? len : 64);
	uint64_t rounds = (job->warm + job->count) / n, skip = job->warm / n;
	struct claim c = { };

	for (i = 0; i < rounds; i++) {
		uint64_t at;

		if (i == skip) {
			sent = 0;
			received = 0;
		}
		at = now_ns();
		for (b = 0; b < n; b++) {
#ifdef LINK_BROADCAST
			if (touch)
				put(from, len, &c, i, false);
			else
				put_in_place(from, len);
#else
			for (r = 0; r < readers; r++)
				put(&from[r], len, &c, i, false);
#endif
		}
		sent += now_ns() - at - off;
		at = now_ns();
		for (r = 0; r < readers; r++) {
			struct view v = { };

			for (b = 0; b < n; b++) {
				if (touch)
					used(get(&to[r], len, &v));
				else
					get_in_place(&to[r], len);
			}
			end_rest(&to[r], NULL, &v);
		}
		received += now_ns() - at - off;
	}
	end_rest(from, &c, NULL);
	job->count = (rounds - skip) * n;
	job->ns = sent;
	job->ns2 = received;
}

/* The same without clocks, for counting the instructions of each half. */
inlined void solo_count(struct job *job, struct end *from, struct end *to,
			size_t len)
{
	unsigned int half, b, n = batch_of(len);
	uint64_t i, rounds = job->stepping ? 2 : 512;
	struct claim c = { };
	struct view v = { };

	memset(job->insns, 0, sizeof(job->insns));
	for (half = 0; half < 2; half++) {
		for (i = 0; i < rounds; i++) {
			count_start(job, half == 0 ? 1 : 0);
			for (b = 0; b < n; b++)
				put(from, len, &c, i, false);
			count_stop(job, 0, half == 0);
			count_start(job, half == 1 ? 2 : 0);
			for (b = 0; b < n; b++)
				used(get(to, len, &v));
			count_stop(job, 1, half == 1);
		}
	}
	job->count = rounds * n;
}

static void solo(struct job *job, int side)
{
	struct end from, to;

	(void)side;
	end_join(&from, job, 0, 0);
	end_join(&to, job, 0, 1);
	if (job->len == 32)
		solo_loop(job, &from, &to, 1, 32, true);
	else
		solo_loop(job, &from, &to, 1, job->len, true);
	if (job->counted) {
		job_traced(job);
		if (job->len == 32)
			solo_count(job, &from, &to, 32);
		else
			solo_count(job, &from, &to, job->len);
		job_untraced(job);
	}
	end_leave(&from);
	end_leave(&to);
}

static void handover(struct job *job, int side)
{
#ifdef LINK_BROADCAST
	struct end from, to;

	(void)side;
	end_join(&from, job, 0, 0);
	end_join(&to, job, 0, 1);
	solo_loop(job, &from, &to, 1, job->len, false);
	end_leave(&from);
	end_leave(&to);
#else
	(void)side;
	job->count = 0;
#endif
}

static void fan(struct job *job, int side)
{
	static struct end from[FAN_MAX], to[FAN_MAX];
	unsigned int r;

	(void)side;
#ifdef LINK_BROADCAST
	fan_join(from, to, job);
#else
	for (r = 0; r < job->readers; r++) {
		end_join(&from[r], job, r, 0);
		end_join(&to[r], job, r, 1);
	}
#endif
	solo_loop(job, from, to, job->readers, 32, true);
	for (r = 0; r < job->readers; r++)
		end_leave(&to[r]);
#ifdef LINK_BROADCAST
	end_leave(from);
#else
	for (r = 0; r < job->readers; r++)
		end_leave(&from[r]);
#endif
}

#ifdef LINK_SLOW
#include "slow.h"
#endif

#ifdef LINK_FANIN
#ifndef LINK_FANIN_NEXT
static inline struct end *fanin_next(struct end *to, unsigned int n)
{
	(void)n;
	return to;
}
#endif

#define EMPTY_LOOKS	32

/* What it costs to look when nobody has sent anything. */
inlined void fanin_empty(struct job *job, struct end *to, unsigned int ends,
			 uint64_t off)
{
	uint64_t at;
	unsigned int i;

	(void)at;
	(void)to;
	(void)ends;
	(void)off;
	/* the first ends what the last message has begun */
	for (i = 0; i <= EMPTY_LOOKS; i++) {
#ifdef LINK_TRY
		unsigned int s;
		struct view v = { };

		at = now_ns();
		for (s = 0; s < ends; s++) {
			if (end_try(&to[s], 32, &v))
				die("%s: a message that nobody sent", LINK_NAME);
		}
		job->peek_ns = i ? job->peek_ns + now_ns() - at - off : 0;
#endif
#ifdef LINK_FANIN_POLL
		at = now_ns();
		if (fanin_poll(to, ends))
			die("%s: a message that nobody sent", LINK_NAME);
		job->poll_ns = i ? job->poll_ns + now_ns() - at - off : 0;
#endif
	}
	job->peek_ns /= EMPTY_LOOKS;
	job->poll_ns /= EMPTY_LOOKS;
}

/* One message from each, then all of them. */
static void fanin(struct job *job, int side)
{
	static struct end from[FAN_MAX], to[FAN_MAX];
	static struct claim c[FAN_MAX];
	static struct view v[FAN_MAX];
	uint64_t at, off = clock_ns(), sent = 0, received = 0, rounds, i;
	unsigned int s, ends;

	(void)side;
	rounds = job->count / job->senders + 2;
	ends = fanin_join(from, to, job);
	for (i = 0; i < rounds; i++) {
		/* one to warm up */
		if (i == 1)
			sent = received = 0;
		at = now_ns();
		for (s = 0; s < job->senders; s++)
			put(&from[s], 32, &c[s], i, false);
		sent += now_ns() - at - off;
		at = now_ns();
		for (s = 0; s < job->senders; s++) {
			struct end *e = fanin_next(to, ends);

			used(get(e, 32, &v[e - to]));
		}
		received += now_ns() - at - off;
	}
	fanin_empty(job, to, ends, off);
	job->count = (rounds - 1) * job->senders;
	job->ns = sent;
	job->ns2 = received;
	for (s = 0; s < job->senders; s++)
		end_leave(&from[s]);
	for (s = 0; s < ends; s++)
		end_leave(&to[s]);
}
#endif

static int open_all(const struct job *job)
{
#ifdef LINK_BROADCAST
	return job->readers || job->senders ? fan_open(job) : pair_open(job);
#else
	unsigned int r, n = job->readers + job->senders;
	int err = 0;

	for (r = 0; !err && r < (n ? n : 1); r++)
		err = pair_open(job);
	return err;
#endif
}

/* --- setting up --- */

/*
 * Both ends opened and joined, a first message, and all closed again, in one
 * process. The first time, which may start a daemon and makes what a library
 * keeps, is told apart from the median of the others.
 */
static void setup(struct job *job, int side)
{
	static uint64_t part[SETUPS][STAMPS_MAX];
	uint64_t i, at, opened, joined, first;
	unsigned int s;

	(void)side;
	for (i = 0; i <= job->count; i++) {
		struct claim c = { };
		struct view v = { };
		struct end from, to;
		int err;

		at = now_ns();
		err = open_all(job);
		if (err)
			die("%s: %s", LINK_NAME, strerror(-err));
		opened = now_ns();
		end_join(&from, job, 0, 0);
		end_join(&to, job, 0, 1);
		joined = now_ns();
		put(&from, job->len, &c, i, false);
		used(get(&to, job->len, &v));
		first = now_ns();
		part[SETUP_OPEN][i] = opened - at;
		part[SETUP_JOIN][i] = joined - at;
		part[SETUP_FIRST][i] = first - at;
		at = now_ns();
		end_leave(&from);
		end_leave(&to);
		pair_close();
		part[SETUP_CLOSE][i] = now_ns() - at;
	}
	job->ns = part[SETUP_FIRST][0];
	for (s = 0; s < SETUPS; s++) {
		memcpy(took, &part[s][1], job->count * sizeof(took[0]));
		job->stage[s] = took_median(job->count);
	}
}

const struct contestant LINK = {
	.name		= LINK_NAME,
	.what		= LINK_WHAT,
	.needs		= LINK_NEEDS,
	.module		= LINK_MODULE,
	.sleeps		= LINK_SLEEPS,
	.threads	= LINK_THREADS,
	.helped		= LINK_HELPED,
#ifdef LINK_BROADCAST
	.broadcast	= true,
#endif
#ifdef LINK_BATCHES
	.batches	= true,
#endif
	.only		= LINK_ONLY,
	.len_max	= LINK_LEN_MAX,
	.open		= open_all,
	.close		= pair_close,
	.rtt		= rtt,
	.paced		= paced,
	.oneway		= oneway,
	.rate		= rate,
	.solo		= solo,
	.fan		= fan,
#ifdef LINK_FANIN
	.fanin		= fanin,
#endif
#ifdef LINK_SLOW
	.slow		= slow,
#endif
	.handover	= handover,
	.setup		= setup,
};

#endif /* LINK_OWN */
