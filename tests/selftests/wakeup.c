// SPDX-License-Identifier: GPL-2.0
/*
 * Lost wake-ups. Two processes play ping-pong, each sleeping for each message
 * after a spin of random length, so that the publish of one falls everywhere
 * around the falling asleep of the other; each wait has a deadline of 30 s, and
 * one that is over is a wake-up lost. All pairings of library and kernel, of
 * sleeping in WEIR_SO_WAIT, poll and edge-triggered epoll; many readers of
 * one ring; a writer that sleeps for room; both ways of fencing and the
 * changing between them (tunable fence_records).
 */
#include <sys/epoll.h>

#include "hard.h"

#define WAIT_MS		30000
#define WAIT_NS		(WAIT_MS * INT64_C(1000000))

enum way { LIBRARY, KERNEL, POLL, EPOLL, WAYS };

static const char *const way_name[] = {
	"library", "kernel", "library+poll", "library+epoll",
};

/* Spins for up to a few microseconds. */
static void dither(void)
{
	volatile int n = (int)(rnd() % 4 ? rnd() % 200 : rnd() % 4000);

	while (n--)
		;
}

/**
 * struct player - one end
 * @w: its handle.
 * @way: how it waits and reads.
 * @ep: its epoll descriptor.
 */
struct player {
	struct weir *w;
	enum way way;
	int ep;
};

static int player_begin(struct player *p)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct timeval t = { WAIT_MS / 1000, 0 };

	if (p->way == KERNEL)
		return setsockopt(weir_fd(p->w), SOL_SOCKET, SO_RCVTIMEO, &t,
				  sizeof(t));
	if (p->way != EPOLL)
		return 0;
	p->ep = epoll_create1(0);
	return p->ep < 0 ||
	       epoll_ctl(p->ep, EPOLL_CTL_ADD, weir_fd(p->w), &ev);
}

/* 0 when woken, 1 at the deadline. */
static int player_sleep(struct player *p)
{
	struct pollfd pf = { weir_fd(p->w), POLLIN, 0 };
	struct epoll_event ev;
	int ret;

	switch (p->way) {
	case POLL:
		return poll(&pf, 1, WAIT_MS) != 1;
	case EPOLL:
		ret = weir_arm(p->w);
		if (ret)
			return ret < 0 ? 2 : 0;
		return epoll_wait(p->ep, &ev, 1, WAIT_MS) != 1;
	default:
		return weir_wait(p->w, WEIR_WAIT_IN, 0, WAIT_NS) <= 0;
	}
}

/* The next number; 0, 1 for a wake-up that was lost, more for an error. */
static int player_read(struct player *p, uint64_t *n)
{
	struct weir_msg msg;
	int ret, tries;

	if (p->way == KERNEL) {
		ssize_t len = recv(weir_fd(p->w), n, sizeof(*n), 0);

		return len == sizeof(*n) ? 0 : len < 0 && errno == EAGAIN ? 1 : 3;
	}
	for (tries = 0; tries < 1000; tries++) {
		ret = weir_peek(p->w, &msg);
		if (ret < 0)
			return 4;
		if (ret) {
			memcpy(n, msg.data, sizeof(*n));
			return weir_release(p->w, &msg) ? 5 : 0;
		}
		ret = player_sleep(p);
		if (ret) {
			/* was there a message all the time? */
			return weir_peek(p->w, &msg) == 1 ? 1 : 6;
		}
	}
	return 7;
}

static int player_write(struct player *p, uint64_t n)
{
	if (p->way == KERNEL)
		return send(weir_fd(p->w), &n, sizeof(n), 0) == sizeof(n) ? 0 : 8;
	return weir_send(p->w, &n, sizeof(n), WAIT_NS) ? 9 : 0;
}

struct pong {
	enum way way;
	long rounds;
	char path[64];
};

static int pong(void *arg)
{
	struct pong *a = arg;
	struct player p = { .way = a->way };
	long i;
	int ret;

	if (weir_open(&p.w, SOCK_SEQPACKET, NULL) || weir_connect(p.w, a->path) ||
	    player_begin(&p))
		return 20;
	for (i = 0; i < a->rounds; i++) {
		uint64_t n;

		dither();
		ret = player_read(&p, &n);
		if (ret)
			return ret;
		if (n != (uint64_t)i)
			return 21;
		dither();
		ret = player_write(&p, n);
		if (ret)
			return ret;
	}
	return 0;
}

static void ping_pong(enum way mine, enum way theirs, long fence, long rounds)
{
	struct pong a = { .way = theirs, .rounds = rounds };
	struct player p = { .way = mine };
	struct weir *l;
	pid_t pid;
	long i;
	int ret = 0, other;

	need(!tap_tune("fence_records", fence), "fence_records");
	strcpy(a.path, "/wakeup/pair");
	need(!weir_open(&l, SOCK_SEQPACKET, NULL) && !weir_bind(l, a.path) &&
	     !weir_listen(l, 1), "listen");
	pid = spawn(pong, &a);
	need(!weir_accept(l, &p.w, WAIT_NS), "accept");
	need(!player_begin(&p), "epoll");
	for (i = 0; !ret && i < rounds; i++) {
		uint64_t n = 0;

		ret = player_write(&p, (uint64_t)i);
		if (!ret) {
			dither();
			ret = player_read(&p, &n);
		}
		if (!ret && n != (uint64_t)i)
			ret = 21;
	}
	other = ret ? tap_wait_within(pid, 2 * WAIT_MS) : tap_wait(pid);
	check(!ret && !other, "%s and %s, fence_records %ld: %ld rounds (%s: %d, %d)",
	      way_name[mine], way_name[theirs], fence, i,
	      ret == 1 || other == 1 ? "lost wake-up" : "result", ret, other);
	if (mine == EPOLL)
		close(p.ep);
	weir_close(p.w);
	weir_close(l);
}

/* --- many readers of one ring, a writer that waits for room --------------- */

struct crowd {
	int ready;
	int stop;
	uint64_t seen[16];
};

static struct crowd *crowd;

struct crowd_arg {
	int me;
	enum way way;
	bool slow;
	long count;
};

static int crowd_reader(void *arg)
{
	struct crowd_arg *a = arg;
	struct player p = { .way = a->way };
	uint64_t n, next = 0;
	int ret;

	if (weir_open(&p.w, SOCK_RDM, NULL) || weir_subscribe(p.w, "/wakeup/many") ||
	    player_begin(&p))
		return 20;
	add(&crowd->ready, 1);
	while (next < (uint64_t)a->count) {
		ret = player_read(&p, &n);
		if (ret)
			return ret;
		if (n != next)
			return 21;
		next++;
		put(&crowd->seen[a->me], next);
		if (a->slow)
			dither();
	}
	return 0;
}

/*
 * Lock step: the next message is sent when all have seen the last, so all
 * sleep or are about to. Flood: the ring is tiny, so the writer sleeps too.
 */
static void many(bool flood, enum way writer, long fence, long count)
{
	struct weir_config c = { .ring_bytes = 4096 };
	struct crowd_arg args[6];
	struct player p = { .way = writer };
	pid_t pids[6];
	int readers = flood ? 3 : 6, i, ret = 0;
	long k;

	need(!tap_tune("fence_records", fence), "fence_records");
	memset(crowd, 0, sizeof(*crowd));
	need(!weir_open(&p.w, SOCK_RDM, &c) && !weir_bind(p.w, "/wakeup/many"), "bind");
	for (i = 0; i < readers; i++) {
		args[i] = (struct crowd_arg){ i, (enum way)(i % WAYS), flood, count };
		pids[i] = spawn(crowd_reader, &args[i]);
	}
	need(soon(get(&crowd->ready) == readers), "readers");
	if (writer == KERNEL) {
		struct timeval t = { WAIT_MS / 1000, 0 };

		setsockopt(weir_fd(p.w), SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	}
	for (k = 0; !ret && k < count; k++) {
		ret = player_write(&p, (uint64_t)k);
		if (flood) {
			if (rnd() % 64 == 0)
				dither();
			continue;
		}
		for (i = 0; !ret && i < readers; i++) {
			int64_t until = now_ms() + WAIT_MS;

			while (get(&crowd->seen[i]) != (uint64_t)k + 1) {
				sched_yield();
				if (now_ms() > until) {
					ret = 1;
					break;
				}
			}
		}
		dither();
	}
	check(!ret, "%s, %s writer, fence_records %ld: %ld messages (%d)",
	      flood ? "a writer that waits for room" : "many sleepers",
	      way_name[writer], fence, k, ret);
	for (i = 0; i < readers; i++) {
		int got = tap_wait_within(pids[i], ret ? 2 * WAIT_MS :
					  HARD_DEADLINE_MS);

		check(!got, "reader %d, %s (%d)", i, way_name[args[i].way], got);
	}
	weir_close(p.w);
}

int main(void)
{
	static const long fences[] = { 64, 0, 4294967295L };
	long keep = tap_stat("tunables/fence_records");
	struct counters before;
	long rounds = scaled(15000);
	size_t f;
	int a, b;

	hard_begin();
	before = counters();
	crowd = tap_shared(sizeof(*crowd));
	for (f = 0; f < 3; f++) {
		for (a = 0; a < WAYS; a++) {
			for (b = a; b < WAYS; b++) {
				/* the library against itself is the main thing */
				ping_pong((enum way)a, (enum way)b, fences[f],
					  1 + (a || b ? rounds / 25 : rounds / 3));
			}
		}
		many(false, LIBRARY, fences[f], 1 + rounds / 50);
		many(false, KERNEL, fences[f], 1 + rounds / 100);
		many(true, LIBRARY, fences[f], 1 + rounds / 2);
		many(true, KERNEL, fences[f], 1 + rounds / 10);
	}
	tap_tune("fence_records", keep);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
