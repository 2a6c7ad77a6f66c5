// SPDX-License-Identifier: GPL-2.0
/*
 * A publisher fills its ring with aborted records, as small as they can be. A
 * subscriber of another user who looks whether there is something pays for a
 * bounded look, however large the ring and however many the streams; recvmsg gets
 * over them to the record behind. Nor does it search for long if the publisher
 * pretends to write on and on.
 *
 * A look at them is compared with a look of a second subscriber, who is behind
 * them already and finds nothing there. The two look in turn.
 */
#include <limits.h>
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define PATH	"/looks/stream"
#define POLLS	300
#define MANY	"/looks/many"
#define FEW	60	/* aborted records of each of many streams */

enum phase { EMPTY, ABORTED };

/**
 * struct stage - what attacker and victim share
 * @meter: the victim's.
 * @type: of the subscriber: gating or lossy.
 * @ring_bytes: of the attacker's outbox.
 * @streams: outboxes of an attacker that has many.
 * @step: how far they are: the attacker publishes (1), the victim subscribes (2),
 *	the ring is full (3), the victim has measured it (4).
 * @ready: polls that said that there is something; of lies: time of a recvmsg,
 *	in times of a search.
 * @got: bytes of the record behind, as received.
 */
struct stage {
	struct tenant_meter meter;
	int type;
	unsigned int ring_bytes;
	int streams;
	int step;
	int ready;
	ssize_t got;
};

static void step(struct stage *s, int to)
{
	__atomic_store_n(&s->step, to, __ATOMIC_RELEASE);
}

static bool reached(struct stage *s, int to)
{
	return tap_until(__atomic_load_n(&s->step, __ATOMIC_ACQUIRE) >= to);
}

/* Publishes aborted records, @most or as many as there is room for. */
static int aborted(int fd, const struct weir_ring_view *v, int most)
{
	struct weir_record *rec;
	uint32_t seq;
	__u64 pos;
	int n;

	/* which has the limit raised */
	if (!(tap_poll_now(fd, POLLOUT) & POLLOUT))
		return 0;
	for (n = 0; n < most && !weir_ring_claim(v, 64, 0, &pos, &seq); n++) {
		rec = weir_ring_at(v, pos);
		memset((char *)rec + 8, 0, 24);
		rec->seq = seq;
		rec->flags = WEIR_REC_ABORTED;
		weir_ring_commit(v, rec, pos);
	}
	return n;
}

static int publish(void *arg)
{
	struct stage *s = arg;
	int fd = tap_publisher(SOCK_RDM, PATH, (int)s->ring_bytes);
	struct weir_ring_view v;
	struct raw_map m;

	if (raw_map(fd, WEIR_ID_OUTBOX, &m))
		return 2;
	v = raw_view(&m);
	step(s, 1);
	if (!reached(s, 2))
		return 3;
	if (!aborted(fd, &v, INT_MAX))
		return 6;
	tap_kick(fd, WEIR_KICK_READERS);
	step(s, 3);
	if (!reached(s, 4))
		return 4;
	return send(fd, "behind", 6, 0) == 6 ? 0 : 5;
}

/* A look of a subscriber; whether it says that there is something. */
static int look(struct stage *s, int fd, int phase)
{
	uint64_t begin = tenant_now_ns();
	int ready = !!tap_poll_now(fd, POLLIN);

	s->meter.phase = phase;
	tenant_note(&s->meter, tenant_now_ns() - begin, 1);
	return ready;
}

/* Gets over all that is aborted. Returns whether there is nothing else. */
static bool get_over(int fd)
{
	uint64_t end = tap_now_ms() + TAP_DEADLINE_MS;
	char buf[16];

	do {
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) != -1 ||
		    errno != EAGAIN)
			return false;
	} while (tap_poll_now(fd, POLLIN) && tap_now_ms() < end);
	return !tap_poll_now(fd, POLLIN);
}

/*
 * Looks of one that is behind all records, and of one that is before them. The
 * number of the first's that say that there is something, or -1 if one of the
 * other's does.
 */
static int measure(struct stage *s, int behind, int before)
{
	int i, ready = 0;

	if (!get_over(behind))
		return -1;
	for (i = 0; i < POLLS; i++) {
		if (look(s, behind, EMPTY))
			return -1;
		ready += look(s, before, ABORTED);
	}
	return ready;
}

static int subscribe(void *arg)
{
	struct stage *s = arg;
	char buf[16];
	int fd, behind;

	if (!reached(s, 1))
		return 2;
	fd = tap_subscriber(s->type, PATH);
	behind = tap_subscriber(s->type, PATH);
	step(s, 2);
	if (!reached(s, 3))
		return 3;
	s->ready = measure(s, behind, fd);
	close(behind);
	step(s, 4);
	/* all that was aborted lies before it */
	s->got = recv(fd, buf, sizeof(buf), 0);
	return 0;
}

static void looks(struct stage *s, int type, const char *name)
{
	unsigned long long empty, aborted;
	pid_t publisher, subscriber;

	memset(s, 0, sizeof(*s));
	s->type = type;
	for (s->ring_bytes = 8 << 20; s->ring_bytes < tap_scale(128 << 20, 0) &&
				      s->ring_bytes < 128 << 20;)
		s->ring_bytes *= 2;
	publisher = tenant_start(TENANT_ATTACKER, publish, s);
	subscriber = tenant_start(TENANT_VICTIM, subscribe, s);
	tap_is(tap_wait(subscriber), 0, name);
	tap_is(tap_wait(publisher), 0, "the publisher ends well");
	tenant_show(&s->meter, EMPTY, "poll, nothing there");
	tenant_show(&s->meter, ABORTED, "poll, a ring of aborted records");
	empty = tenant_quantile(&s->meter, EMPTY, 500);
	aborted = tenant_quantile(&s->meter, ABORTED, 500);
	tap_ok(aborted <= 20 * empty,
	       "a look at %u MiB of aborted records takes at most 20 times as long as at nothing",
	       s->ring_bytes >> 20);
	tap_is(s->ready, POLLS, "it says that there may be something");
	tap_is(s->got, 6, "recvmsg gets the record behind them");
}

/* The same with many small outboxes, each with fewer records than a look has. */
static int publish_many(void *arg)
{
	struct rlimit limit = { 4096, 4096 };
	struct stage *s = arg;
	struct weir_ring_view v;
	struct raw_map m;
	char path[64];
	int i, *fd;

	setrlimit(RLIMIT_NOFILE, &limit);
	fd = calloc(s->streams, sizeof(*fd));
	for (i = 0; i < s->streams; i++) {
		snprintf(path, sizeof(path), MANY "/%d", i);
		fd[i] = tap_publisher(SOCK_RDM, path, 4096);
	}
	step(s, 1);
	if (!reached(s, 2))
		return 3;
	for (i = 0; i < s->streams; i++) {
		if (raw_map(fd[i], WEIR_ID_OUTBOX, &m))
			return 2;
		v = raw_view(&m);
		if (aborted(fd[i], &v, FEW) != FEW)
			return 6;
		raw_unmap(&m);
	}
	step(s, 3);
	if (!reached(s, 4))
		return 4;
	return send(fd[s->streams - 1], "behind", 6, 0) == 6 ? 0 : 5;
}

static int subscribe_many(void *arg)
{
	struct stage *s = arg;
	char buf[16];
	int fd, behind, n;

	if (!reached(s, 1))
		return 2;
	fd = tap_subscriber(SOCK_RDM, MANY "/*");
	behind = tap_subscriber(SOCK_RDM, MANY "/*");
	step(s, 2);
	if (!reached(s, 3))
		return 3;
	s->ready = measure(s, behind, fd);
	close(behind);
	/* recvmsg lets go of all of them, and then there is nothing to see */
	if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) != -1 || errno != EAGAIN ||
	    tap_poll_now(fd, POLLIN))
		return 4;
	step(s, 4);
	if (tap_poll(fd, POLLIN, TAP_DEADLINE_MS) != POLLIN ||
	    ioctl(fd, FIONREAD, &n) || n != 6)
		return 5;
	s->got = recv(fd, buf, sizeof(buf), 0);
	return 0;
}

static void looks_at_many(struct stage *s)
{
	unsigned long long empty, many;
	pid_t publisher, subscriber;

	memset(s, 0, sizeof(*s));
	s->streams = (int)tap_scale(1000, 100);
	publisher = tenant_start(TENANT_ATTACKER, publish_many, s);
	subscriber = tenant_start(TENANT_VICTIM, subscribe_many, s);
	tap_is(tap_wait(subscriber), 0, "a subscriber of many streams");
	tap_is(tap_wait(publisher), 0, "their publisher ends well");
	tenant_show(&s->meter, EMPTY, "poll, nothing there");
	tenant_show(&s->meter, ABORTED, "poll, aborted records in all");
	empty = tenant_quantile(&s->meter, EMPTY, 500);
	many = tenant_quantile(&s->meter, ABORTED, 500);
	tap_ok(many <= 3 * empty,
	       "a look at aborted records in %d streams takes at most 3 times as long as at nothing",
	       s->streams);
	tap_is(s->ready, POLLS, "it says that there may be something");
	tap_is(s->got, 6, "and a record behind them is got");
}

/* --- a publisher that pretends to write ------------------------------------ */

#define LIES		"/looks/lies"
#define LIES_RING	(32 << 20)
#define CALLS		9	/* for the median */
#define SEARCHES	5	/* of one search each, for the least */
#define BUSY		(3 + 2 * SEARCHES)	/* the step that follows */

/* All readers have been overtaken, and nothing is there. */
static void overtake(struct raw_map *m, uint64_t rings)
{
	static uint64_t limit;
	static uint32_t seq;

	/* at each moment the two words belong together */
	limit += rings * LIES_RING;
	weir_store_release(&m->head->limit, limit);
	weir_store_release(&m->head->claim,
			   weir_ring_pack((uint32_t)(limit >> 6), ++seq));
}

static int publish_lies(void *arg)
{
	struct stage *s = arg;
	int fd = tap_publisher(SOCK_RDM, LIES, LIES_RING);
	struct raw_map m;
	uint64_t begin;
	int n = 0, i;

	if (raw_map(fd, WEIR_ID_OUTBOX, &m))
		return 2;
	step(s, 1);
	if (!reached(s, 2))
		return 3;
	for (i = 0; i < SEARCHES; i++) {
		overtake(&m, 2);
		step(s, 3 + 2 * i);
		if (!reached(s, 4 + 2 * i))
			return 3;
	}
	while (__atomic_load_n(&s->step, __ATOMIC_ACQUIRE) < BUSY + 1) {
		overtake(&m, 1);
		if (++n == 3)
			step(s, BUSY);
		for (begin = tenant_now_ns(); tenant_now_ns() - begin < 20000;)
			;
	}
	/* more than a ring, so that it goes to the tail for certain */
	overtake(&m, 2);
	step(s, BUSY + 2);
	if (!reached(s, BUSY + 3))
		return 4;
	return send(fd, "behind", 6, 0) == 6 ? 0 : 5;
}

/* A call that finds nothing; how long it takes, or 0. */
static uint64_t nothing_ns(int fd)
{
	uint64_t begin = tenant_now_ns();
	char buf[16];

	if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) != -1 || errno != EAGAIN)
		return 0;
	return tenant_now_ns() - begin;
}

/* Sleeps until the kernel searches again after a search of @ns at most. */
static void after_pause(uint64_t ns)
{
	usleep((useconds_t)(100000 + ns / 100));
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int subscribe_lies(void *arg)
{
	struct stage *s = arg;
	uint64_t once = UINT64_MAX, ns, busy[CALLS];
	char buf[16];
	int fd, i;

	if (!reached(s, 1))
		return 2;
	fd = tap_subscriber(SOCK_DGRAM, LIES);
	step(s, 2);
	/* one search each, the next one when the pause after it is over */
	for (i = 0; i < SEARCHES; i++) {
		if (!reached(s, 3 + 2 * i))
			return 3;
		ns = nothing_ns(fd);
		if (!ns)
			return 4;
		once = ns < once ? ns : once;
		after_pause(ns);
		step(s, 4 + 2 * i);
	}
	if (!reached(s, BUSY))
		return 3;
	for (i = 0; i < CALLS; i++) {
		busy[i] = nothing_ns(fd);
		if (!busy[i])
			return 4;
		after_pause(busy[i]);
	}
	qsort(busy, CALLS, sizeof(*busy), by_size);
	s->ready = (int)(busy[CALLS / 2] / once);
	step(s, BUSY + 1);
	if (!reached(s, BUSY + 2))
		return 5;
	/* from here on it has not been overtaken */
	nothing_ns(fd);
	step(s, BUSY + 3);
	s->got = recv(fd, buf, sizeof(buf), 0);
	return 0;
}

static void looks_at_lies(struct stage *s)
{
	pid_t publisher, subscriber;

	memset(s, 0, sizeof(*s));
	publisher = tenant_start(TENANT_ATTACKER, publish_lies, s);
	subscriber = tenant_start(TENANT_VICTIM, subscribe_lies, s);
	tap_is(tap_wait(subscriber), 0, "a subscriber that is overtaken on and on");
	tap_is(tap_wait(publisher), 0, "its publisher ends well");
	tap_diag("recvmsg took as long as %d searches, the median of %d", s->ready,
		 CALLS);
	tap_ok(s->ready <= 10,
	       "recvmsg takes as long as 10 searches at most");
	tap_is(s->got, 6, "and it gets the next record");
}

int main(void)
{
	struct stage *s = tap_shared(sizeof(*s));

	tap_begin_as_root(200);
	looks(s, SOCK_RDM, "a subscriber that the publisher waits for");
	looks(s, SOCK_DGRAM, "a lossy subscriber");
	looks_at_many(s);
	looks_at_lies(s);
	return tap_done();
}
