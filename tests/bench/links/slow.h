/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One slow subscriber among many, for loops.h: messages are published at a fixed
 * load to @readers, of which the last, if @stalled, does not look until the
 * others have had their time. What becomes of the others' messages? The
 * publisher is a thread of its own, all readers are read by turns by another.
 *
 *	end_try(end, len, view)		end_peek() that does not wait: NULL
 */
#include <pthread.h>

#define SLOW_QUIET_NS	UINT64_C(200000000)	/* nothing more comes */
#define SLOW_OVER_NS	UINT64_C(500000000)	/* after the last was due */

static struct {
	struct job		*job;
	struct end		*from;
	_Atomic uint64_t	sent;
} slow_side;

static void *slow_publish(void *unused)
{
	struct job *job = slow_side.job;
	uint64_t i;

	(void)unused;
	job_pin(0);
	for (i = 0; i < job->count; i++) {
		uint64_t at = job->begin_ns + i * job->period_ns, *word;
		struct timespec until = {
			.tv_sec = (time_t)(at / 1000000000),
			.tv_nsec = (long)(at % 1000000000),
		};
		struct claim c = { };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		word = end_claim(slow_side.from, job->len, &c);
		payload_fill(word, job->len, i);
		*word = at;
		end_commit(slow_side.from, job->len, &c, false);
		atomic_store(&slow_side.sent, i + 1);
	}
	return NULL;
}

/* Reads what there is; how many. @hist: of their latencies, or NULL. */
static uint64_t slow_read(struct end *e, size_t len, struct hist *hist)
{
	const uint64_t *msg;
	uint64_t n = 0, at;

	for (;;) {
		struct view v = { };

		msg = end_try(e, len, &v);
		if (!msg)
			return n;
		at = *msg;
		used(payload_sum(msg, len));
		end_release(e, &v);
		if (hist)
			hist_add(hist, now_ns() - at);
		n++;
	}
}

static void slow(struct job *job, int side)
{
	static struct end from[FAN_MAX], to[FAN_MAX];
	uint64_t got[FAN_MAX] = { 0 }, some, now, over, last, lost = 0;
	unsigned int r, fast = job->readers - job->stalled;
	pthread_t publisher;
	bool resumed = false;

	(void)side;
	fan_join(from, to, job);
	job_pin(1);
	job->begin_ns = now_ns() + 10000000;
	over = job->begin_ns + job->count * job->period_ns + SLOW_OVER_NS;
	slow_side.job = job;
	slow_side.from = from;
	if (pthread_create(&publisher, NULL, slow_publish, NULL))
		die("no thread");
	last = over;
	for (;;) {
		for (some = 0, r = 0; r < (resumed ? job->readers : fast); r++) {
			uint64_t n = slow_read(&to[r], job->len,
					       resumed ? NULL : &job->hist);

			got[r] += n;
			some += n;
		}
		now = now_ns();
		if (some)
			last = now;
		else
			sched_yield();
		if (!resumed && now > over) {
			resumed = true;
			last = now;
			job->sent = atomic_load(&slow_side.sent);
		}
		if (resumed && now - last > SLOW_QUIET_NS &&
		    atomic_load(&slow_side.sent) == job->count)
			break;
	}
	pthread_join(publisher, NULL);
	for (r = 0; r < fast; r++)
		lost += job->count - got[r];
	job->lost = lost / fast;
	job->kept = got[job->readers - 1];
	for (r = 0; r < job->readers; r++)
		end_leave(&to[r]);
	end_leave(from);
}
