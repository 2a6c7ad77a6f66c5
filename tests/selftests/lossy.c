// SPDX-License-Identifier: GPL-2.0
/*
 * Lossy streams lose nothing unnoticed: with SOCK_DGRAM at both ends, and with
 * a SOCK_DGRAM tap on a SOCK_RDM publisher, what was received plus what
 * WEIR_SO_INFO counts as missed is exactly what was sent, under concurrent
 * load; messages come in order and whole. The publisher is never held back.
 */
#include <sched.h>

#include "selftest.h"

struct message {
	uint32_t n;
	uint32_t len;
	char bytes[1000];
};

#define LAST	0x80000000u

#define RING_BYTES	8192
#define RING_HOLDS	(RING_BYTES / 64)

/* A child that reads to the mark or the end. Its findings are shared. */
struct reader {
	uint64_t count;		/* how many there will be */
	uint64_t sent;		/* how many there are, for the slow one to wait for */
	uint64_t received;
	uint64_t missed;
	int ready;
	int disorder;
	int damaged;
};

/* A reader that falls behind by more than the ring holds, on any machine. */
static void fall_behind(struct reader *r, uint32_t seen)
{
	tap_until(({
		uint64_t sent = __atomic_load_n(&r->sent, __ATOMIC_ACQUIRE);

		sent > seen + RING_HOLDS + 1 || sent == r->count;
	}));
}

static void read_all(const char *path, struct reader *r, int slow)
{
	int fd = tap_subscriber(SOCK_DGRAM, path);
	struct message m;
	int64_t last = -1;
	ssize_t n;

	__atomic_store_n(&r->ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		n = recv(fd, &m, sizeof(m), 0);
		if (n < 0)
			_exit(2);
		r->received++;
		if (n < 8 || (size_t)n != 8 + m.len ||
		    !tap_filled(m.bytes, m.len, m.n & ~LAST))
			r->damaged++;
		if ((int64_t)(m.n & ~LAST) <= last)
			r->disorder++;
		last = m.n & ~LAST;
		if (m.n & LAST)
			break;
		if (slow && r->received == 50)
			fall_behind(r, m.n);
		/* now and then somebody who may not keep up */
		if (slow && r->received % 50 == 0)
			sched_yield(), usleep(500);
	}
	r->missed = tap_info(fd).missed;
	_exit(0);
}

#define READERS	3

static void load(int type, const char *path, const char *name)
{
	struct reader *r = tap_shared(READERS * sizeof(*r));
	long count = tap_scale(60000, 1000), n;
	int fd = tap_publisher(type, path, RING_BYTES), i, failed = 0;
	uint64_t lost = 0;
	pid_t pid[READERS];
	struct message m;
	unsigned int seed = 7;

	tap_diag("%s", name);
	for (i = 0; i < READERS; i++) {
		r[i].count = (uint64_t)count;
		pid[i] = fork();
		if (!pid[i]) {
			close(fd);
			read_all(path, &r[i], i);
		}
	}
	for (i = 0; i < READERS; i++)
		if (!tap_until(__atomic_load_n(&r[i].ready, __ATOMIC_ACQUIRE)))
			tap_bail("reader %d", i);
	for (n = 0; n < count; n++) {
		m.n = n | (n == count - 1 ? LAST : 0);
		m.len = rand_r(&seed) % 500;
		tap_fill(m.bytes, m.len, n);
		failed += send(fd, &m, 8 + m.len, MSG_DONTWAIT) !=
			  (ssize_t)(8 + m.len);
		for (i = 0; i < READERS; i++)
			__atomic_store_n(&r[i].sent, n + 1, __ATOMIC_RELEASE);
	}
	tap_is(failed, 0, "the publisher is never held back");
	for (i = 0; i < READERS; i++) {
		tap_is(tap_wait(pid[i]), 0, "the reader saw the last message");
		tap_is(r[i].received + r[i].missed, count,
		       "received + missed == sent");
		tap_is(r[i].disorder, 0, "in order");
		tap_is(r[i].damaged, 0, "whole");
		tap_diag("reader %d: %llu received, %llu missed", i,
			 (unsigned long long)r[i].received,
			 (unsigned long long)r[i].missed);
		lost += r[i].missed;
	}
	tap_ok(lost > 0, "the load was enough to lose something");
	close(fd);
	munmap(r, READERS * sizeof(*r));
}

/* The same without concurrency: every number is known. */
static void exact(int type, const char *path, const char *name)
{
	long long before = tap_stat("stats/missed");
	int fd = tap_publisher(type, path, 4096), sub, n, got = 0;
	uint32_t v, first = ~0u, last = 0, sum;

	tap_diag("%s", name);
	sub = tap_subscriber(SOCK_DGRAM, path);
	for (n = 0; n < 64; n++)
		send(fd, &n, sizeof(n), MSG_DONTWAIT);
	for (n = 0; n < 64; n++)
		got += recv(sub, &v, sizeof(v), MSG_DONTWAIT) == 4 &&
		       v == (uint32_t)n;
	tap_is(got, 64, "a whole ring is kept");
	tap_is(tap_info(sub).missed, 0, "and nothing counted as missed");
	for (n = 0; n < 1000; n++)
		send(fd, &n, sizeof(n), MSG_DONTWAIT);
	tap_ok(tap_poll_now(sub, POLLIN) & POLLIN, "overrun is readable");
	for (got = 0; recv(sub, &v, sizeof(v), MSG_DONTWAIT) == 4; got++) {
		if (first == ~0u)
			first = v;
		else if (v != last + 1)
			tap_ok(0, "gap after %u", last);
		last = v;
	}
	sum = got + tap_info(sub).missed;
	tap_is(last, 999, "goes on to the newest");
	tap_is(sum, 1000, "received + missed == sent");
	tap_is(first, tap_info(sub).missed, "the first kept comes after those");
	tap_ok(got > 0 && got <= 64, "%d of a ring of 64 were kept", got);
	tap_is(tap_stat("stats/missed") - before, tap_info(sub).missed,
	       "stats/missed counts them too");
	close(sub);
	close(fd);
}

int main(void)
{
	tap_family();
	tap_watchdog(300);
	exact(SOCK_DGRAM, "/lossy/exact", "DGRAM to DGRAM, known numbers");
	exact(SOCK_RDM, "/lossy/tap", "RDM to DGRAM, known numbers");
	load(SOCK_DGRAM, "/lossy/load", "DGRAM to DGRAM under load");
	load(SOCK_RDM, "/lossy/tapload", "RDM to DGRAM under load");
	return tap_done();
}
