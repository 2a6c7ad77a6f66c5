// SPDX-License-Identifier: GPL-2.0
/*
 * Edge-triggered subscribers of another user stay armed without doing anything,
 * and a user may put any number of entries on the wait queue of its socket. A
 * publisher pays for few of these wake-ups: the worker of the subscriber's user
 * makes the others. No subscriber loses a wake-up by that: an edge, or a signal,
 * comes for each message, and for the last one of each burst.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define SOCKETS		16	/* of the attacker's, each in several epolls */
#define EPOLLS		8
#define QUEUE		3000	/* entries on one wait queue */
#define MESSAGES	2000	/* of a round */
#define RING		(1 << 20)

/**
 * struct stage - what the processes share
 * @go: subscribers that are there.
 * @calls: system calls of the publisher, without and beside the attack.
 * @ns: its processor time.
 * @sent: messages to the honest subscriber.
 * @got: messages that it has received.
 * @told: events that it was told.
 */
static struct stage {
	int go;
	uint64_t calls[2];
	uint64_t ns[2];
	uint64_t sent;
	uint64_t got;
	uint64_t told;
} *stage;

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void ready(void)
{
	__atomic_add_fetch(&stage->go, 1, __ATOMIC_RELEASE);
}

static pid_t subscriber(int (*fn)(void *arg), void *arg)
{
	int before = stage->go;
	pid_t pid = tenant_start(TENANT_ATTACKER, fn, arg);

	if (!tap_until(__atomic_load_n(&stage->go, __ATOMIC_ACQUIRE) > before))
		tap_bail("no subscriber");
	return pid;
}

/* Registers @fd, edge-triggered, in an epoll descriptor of its own or in @ep. */
static int edge(int ep, int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	if (ep < 0)
		ep = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		_exit(30);
	return ep;
}

/* --- many edge-triggered sockets ---------------------------------------------- */

static int many_edges(void *path)
{
	int i, k;

	for (i = 0; i < SOCKETS; i++) {
		int fd = tap_subscriber(SOCK_DGRAM, path);

		for (k = 0; k < EPOLLS; k++)
			edge(-1, fd);
	}
	ready();
	return pause();
}

static struct weir *publisher(const char *path, struct raw_map *m)
{
	struct weir_config conf = { .ring_bytes = RING };
	struct weir *w;

	if (weir_open(&w, SOCK_DGRAM, &conf) || weir_bind(w, path) ||
	    raw_map(weir_fd(w), WEIR_ID_OUTBOX, m))
		_exit(31);
	return w;
}

static void publish(struct weir *w, int n)
{
	struct weir_buf buf;

	while (n--) {
		if (weir_claim(w, 8, &buf))
			_exit(32);
		memcpy(buf.data, &n, sizeof(n));
		weir_commit(w, &buf);
	}
}

static int victim(void *arg)
{
	static const char * const paths[2] = { "/edges/alone", "/edges/hit" };
	long rounds = tap_scale(30, 6), r;
	struct raw_map m[2];
	struct weir *w[2];
	int i;

	(void)arg;
	for (i = 0; i < 2; i++)
		w[i] = publisher(paths[i], &m[i]);
	for (r = 0; r < rounds; r++) {
		for (i = 0; i < 2; i++) {
			uint64_t begun = cpu_ns();

			publish(w[i], MESSAGES);
			stage->ns[i] += cpu_ns() - begun;
		}
	}
	for (i = 0; i < 2; i++)
		stage->calls[i] = m[i].status->kicks;
	return 0;
}

static void edges(void)
{
	uint64_t all = (uint64_t)tap_scale(30, 6) * MESSAGES;
	pid_t attacker = subscriber(many_edges, "/edges/hit");

	tap_ok(!tap_wait(tenant_start(TENANT_VICTIM, victim, NULL)),
	       "the publisher ends well");
	tap_kill(attacker);
	tap_diag("%llu messages: %llu us alone, %llu us beside edges",
		 (unsigned long long)all,
		 (unsigned long long)stage->ns[0] / 1000,
		 (unsigned long long)stage->ns[1] / 1000);
	tap_ok(stage->calls[1] <= all / 4,
	       "beside edges one message of 4 at most is a system call (%llu of %llu, %llu alone)",
	       (unsigned long long)stage->calls[1], (unsigned long long)all,
	       (unsigned long long)stage->calls[0]);
}

/* --- a long wait queue --------------------------------------------------------- */

static int long_queue(void *arg)
{
	static const char * const paths[2] = { "/edges/short", "/edges/long" };
	int ep = -1, i, k;

	(void)arg;
	for (i = 0; i < 2; i++) {
		int fd = tap_subscriber(SOCK_DGRAM, paths[i]);

		ep = edge(-1, fd);
		for (k = 1; i && k < QUEUE; k++)
			edge(ep, dup(fd));
	}
	ready();
	return pause();
}

static int by_time(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sends now and then; the processor time of a call in the middle. */
static int sender(void *arg)
{
	static const char * const paths[2] = { "/edges/short", "/edges/long" };
	enum { SENDS = 60 };
	static uint64_t ns[2][SENDS];
	int fd[2], i, n;

	(void)arg;
	for (i = 0; i < 2; i++)
		fd[i] = tap_publisher(SOCK_DGRAM, paths[i], RING);
	for (n = 0; n < SENDS; n++) {
		for (i = 0; i < 2; i++) {
			usleep(2000);
			ns[i][n] = cpu_ns();
			if (send(fd[i], "x", 1, 0) != 1)
				return 33;
			ns[i][n] = cpu_ns() - ns[i][n];
		}
	}
	for (i = 0; i < 2; i++) {
		qsort(ns[i], SENDS, sizeof(ns[i][0]), by_time);
		stage->ns[i] = ns[i][SENDS / 2];
	}
	return 0;
}

static void queue(void)
{
	const struct rlimit most = { 2 * QUEUE, 2 * QUEUE };
	pid_t attacker;

	if (setrlimit(RLIMIT_NOFILE, &most))
		tap_bail("descriptors");
	attacker = subscriber(long_queue, NULL);
	tap_ok(!tap_wait(tenant_start(TENANT_VICTIM, sender, NULL)),
	       "the sender ends well");
	tap_kill(attacker);
	tap_ok(stage->ns[1] <= 4 * stage->ns[0],
	       "a send takes at most 4 times as long for a queue of %d entries (%llu ns, %llu ns)",
	       QUEUE, (unsigned long long)stage->ns[1],
	       (unsigned long long)stage->ns[0]);
}

/* --- no wake-up is lost --------------------------------------------------------- */

/*
 * Reads all that there is at each edge. @arg: entries on the wait queue. It is
 * told only what comes after it has looked, so it never looks by itself.
 */
static int reader(void *arg)
{
	int fd = tap_subscriber(SOCK_RDM, "/edges/honest"), k;
	int ep = edge(-1, fd);
	struct epoll_event e;
	char c;

	for (k = 1; k < *(int *)arg; k++)
		edge(-1, fd);
	ready();
	while (epoll_wait(ep, &e, 1, -1) == 1) {
		add(&stage->told, 1);
		while (recv(fd, &c, 1, MSG_DONTWAIT) == 1)
			add(&stage->got, 1);
	}
	return 38;
}

/* Bursts of any length, each of which the reader must have read at last. */
static int bursts(void *arg)
{
	int fd = tap_publisher(SOCK_RDM, "/edges/honest", RING);
	long n = tap_scale(2000, 300);
	uint64_t k;

	(void)arg;
	while (n--) {
		for (k = rnd() % (n % 8 ? 3 : 300) + 1; k; k--) {
			if (send(fd, "x", 1, 0) != 1)
				return 34;
			stage->sent++;
		}
		if (!tap_until(get(&stage->got) == stage->sent))
			return 35;
	}
	return 0;
}

static void honest(int entries, const char *what)
{
	pid_t pid;

	stage->sent = stage->got = stage->told = 0;
	pid = subscriber(reader, &entries);
	tap_ok(!tap_wait(tenant_start(TENANT_VICTIM, bursts, NULL)),
	       "%s: the last message of each burst is told", what);
	tap_diag("%s: %llu messages, %llu events", what,
		 (unsigned long long)get(&stage->got),
		 (unsigned long long)get(&stage->told));
	tap_kill(pid);
}

/* One message at a time: an edge, and a signal, for each. */
static int each(void *arg)
{
	int fd = tap_subscriber(SOCK_RDM, "/edges/each"), ep, k, n = 0;
	const struct timespec most = { TAP_DEADLINE_MS / 1000, 0 };
	struct epoll_event e;
	sigset_t set;
	char c;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ep = edge(-1, fd);
	ready();
	for (k = 0; k < 40; k++) {
		if (k == 20) {
			fcntl(fd, F_SETOWN, getpid());
			fcntl(fd, F_SETFL, O_ASYNC);
		}
		add(&stage->got, 1);
		n += epoll_wait(ep, &e, 1, TAP_DEADLINE_MS) == 1;
		n += k >= 20 && sigtimedwait(&set, NULL, &most) == SIGIO;
		recv(fd, &c, 1, MSG_DONTWAIT);
	}
	return n == 60 ? 0 : 36;
}

static int each_sender(void *arg)
{
	int fd = tap_publisher(SOCK_RDM, "/edges/each", RING);
	uint64_t k;

	(void)arg;
	for (k = 1; k <= 40; k++) {
		if (!tap_until(get(&stage->got) >= k) || send(fd, "x", 1, 0) != 1)
			return 37;
	}
	return 0;
}

static void each_is_told(void)
{
	pid_t pid;

	stage->got = 0;
	pid = subscriber(each, NULL);
	tap_is(tap_wait(tenant_start(TENANT_VICTIM, each_sender, NULL)), 0,
	       "messages, one at a time, are sent");
	tap_is(tap_wait(pid), 0, "an edge comes for each, and a signal");
}

/* --- exclusive waiters ---------------------------------------------------------- */

/* Takes one message of each two, and is busy until the other one is taken. */
static void *worker(void *arg)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd = *(int *)arg, ep = epoll_create1(EPOLL_CLOEXEC);
	uint64_t all;
	char c;

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		_exit(39);
	add(&stage->go, 1);
	for (all = 2;; all += 2) {
		do {
			epoll_wait(ep, &e, 1, -1);
		} while (recv(fd, &c, 1, MSG_DONTWAIT) != 1);
		add(&stage->got, 1);
		while (get(&stage->got) < all)
			usleep(100);
	}
	return NULL;
}

/* Two workers at a socket that so many wait on that others do not wake them. */
static int pool(void *arg)
{
	int fd = tap_subscriber(SOCK_RDM, "/edges/pool"), k;
	pthread_t t;

	(void)arg;
	for (k = 0; k < 40; k++)
		edge(-1, fd);
	for (k = 0; k < 2; k++) {
		if (pthread_create(&t, NULL, worker, &fd))
			_exit(40);
	}
	return pause();
}

static int twos(void *arg)
{
	int fd = tap_publisher(SOCK_RDM, "/edges/pool", RING);
	long n = tap_scale(500, 100);

	(void)arg;
	while (n--) {
		usleep(1000);
		if (send(fd, "x", 1, 0) != 1 || send(fd, "x", 1, 0) != 1)
			return 41;
		stage->sent += 2;
		if (!tap_until(get(&stage->got) == stage->sent))
			return 42;
	}
	return 0;
}

static void two_workers(void)
{
	int before = stage->go;
	pid_t pid;

	stage->sent = stage->got = 0;
	pid = subscriber(pool, NULL);
	if (!tap_until(get(&stage->go) == before + 2))
		tap_bail("no workers");
	tap_is(tap_wait(tenant_start(TENANT_VICTIM, twos, NULL)), 0,
	       "of two messages at once each has an exclusive waiter");
	tap_kill(pid);
}

int main(void)
{
	hard_begin();
	tap_watchdog(250);
	stage = tap_shared(sizeof(*stage));
	edges();
	queue();
	honest(1, "one entry");
	honest(40, "40 entries");
	each_is_told();
	two_workers();
	check_kernel();
	return tap_done();
}
