// SPDX-License-Identifier: GPL-2.0
/*
 * A socket's waiters are told the same as those of an AF_UNIX socket, in
 * whatever order a program registers, connects, uses, reads partly and sleeps.
 * Random walks make the same steps on both families and compare each result:
 * poll, select, epoll (level, edge, one-shot, exclusive), O_ASYNC, io_uring's
 * POLL_ADD, and threads that sleep. Connections are compared with
 * SOCK_SEQPACKET, subscribers with SOCK_DGRAM. WEIR_TEST_SEED repeats a walk.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/un.h>

#include "uring.h"

#define STEPS		40
#define BACKLOG		8	/* below AF_UNIX's max_dgram_qlen */
#define WALK_MS		60000	/* for all walks */

/* How a watcher waits; the last ones have no epoll descriptor. */
enum how {
	LEVEL, EDGE, ONCE, EDGE_ONCE, EXCLUSIVE, EDGE_EXCLUSIVE, OUT_EDGE,
	EPOLLS, URING_ONCE = EPOLLS, URING_MULTI, ASYNC, HOWS,
};

static const struct {
	const char *name;
	uint32_t events;
} hows[HOWS] = {
	[LEVEL] = { "level", EPOLLIN },
	[EDGE] = { "edge", EPOLLIN | EPOLLET },
	[ONCE] = { "one-shot", EPOLLIN | EPOLLONESHOT },
	[EDGE_ONCE] = { "edge, one-shot", EPOLLIN | EPOLLET | EPOLLONESHOT },
	[EXCLUSIVE] = { "exclusive", EPOLLIN | EPOLLEXCLUSIVE },
	[EDGE_EXCLUSIVE] = { "edge, exclusive",
			     EPOLLIN | EPOLLET | EPOLLEXCLUSIVE },
	[OUT_EDGE] = { "edge of room", EPOLLOUT | EPOLLET },
	[URING_ONCE] = { "io_uring", POLLIN },
	[URING_MULTI] = { "io_uring, repeated", POLLIN },
	[ASYNC] = { "O_ASYNC", 0 },
};

/* The steps of a walk; those of watchers are counted by watcher. */
enum step {
	SEND, SEND_AGAIN, RECV, RECV_AGAIN, DRAIN, POLL, SELECT, FILL_AND_DRAIN,
	SLEEP_POLL, SLEEP_SELECT, SLEEP_RECV, PLAIN,
	REGISTER = PLAIN, CHECK = REGISTER + HOWS, SLEEP = CHECK + HOWS,
	STEPS_ALL = SLEEP + EPOLLS,
};

/* One family's side of a walk. */
struct side {
	int un;			/* AF_UNIX */
	int pairs;		/* connections; else datagrams */
	int fd, peer, listener;
	int connected;
	int queued;
	int ep[EPOLLS];
	unsigned int on, told;	/* bits by enum how */
	uint64_t id[HOWS];	/* of the request in io_uring */
};

static uint64_t state, next_id;
static int have_uring;
static unsigned int cqes[2][2];	/* completions by side and kind */

static unsigned int rnd(unsigned int n)
{
	state = state * UINT64_C(6364136223846793005) + 1;
	return (unsigned int)(state >> 33) % n;
}

static socklen_t name(const struct side *s, struct sockaddr_storage *a,
		      const char *path)
{
	struct sockaddr_un *u = (void *)a;

	if (!s->un)
		return tap_addr((void *)a, path);
	memset(u, 0, sizeof(*u));
	u->sun_family = AF_UNIX;
	strcpy(u->sun_path + 1, path);	/* abstract */
	return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(path);
}

static void must(int ok, const char *what)
{
	if (!ok)
		tap_bail("%s", what);
}

/* A socket that will receive, and what will send to it; not connected yet. */
static void begin(struct side *s)
{
	int type = s->pairs ? SOCK_SEQPACKET : s->un ? SOCK_DGRAM : SOCK_RDM;
	int family = s->un ? AF_UNIX : tap_family(), i, small = 4096;
	struct sockaddr_storage a;
	socklen_t len = name(s, &a, "/watchers");

	s->fd = socket(family, type | SOCK_CLOEXEC, 0);
	s->listener = socket(family, type | SOCK_CLOEXEC, 0);
	must(s->fd >= 0 && s->listener >= 0, "socket");
	if (s->un)
		setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	else
		must(!tap_setopt(s->fd, WEIR_SO_RING_BYTES, small) &&
		     !tap_setopt(s->listener, WEIR_SO_RING_BYTES, small),
		     "ring size");
	if (s->pairs)
		must(!bind(s->listener, (void *)&a, len) &&
		     !listen(s->listener, 4), "listen");
	for (i = 0; i < EPOLLS; i++) {
		s->ep[i] = epoll_create1(EPOLL_CLOEXEC);
		must(s->ep[i] >= 0, "epoll_create1");
	}
}

static void join(struct side *s)
{
	struct sockaddr_storage a;
	socklen_t len = name(s, &a, "/watchers");

	if (s->connected)
		return;
	s->connected = 1;
	if (s->pairs) {
		must(!connect(s->fd, (void *)&a, len), "connect");
		s->peer = accept(s->listener, NULL, NULL);
		must(s->peer >= 0, "accept");
	} else if (s->un) {
		s->peer = dup(s->listener);
		must(!bind(s->fd, (void *)&a, len) &&
		     !connect(s->peer, (void *)&a, len), "bind and connect");
	} else {
		s->peer = dup(s->listener);
		must(!connect(s->fd, (void *)&a, len) &&
		     !bind(s->peer, (void *)&a, len), "connect and bind");
	}
}

static void end(struct side *s)
{
	int i;

	if (s->on & 1u << ASYNC)
		fcntl(s->fd, F_SETFL, 0);
	for (i = 0; i < EPOLLS; i++)
		close(s->ep[i]);
	for (i = URING_ONCE; i <= URING_MULTI; i++) {
		if (s->id[i])
			submit((struct io_uring_sqe) {
				.opcode = IORING_OP_POLL_REMOVE,
				.addr = s->id[i],
			}, 0);
	}
	close(s->fd);
	close(s->listener);
	if (s->connected)
		close(s->peer);
}

/* --- watchers ------------------------------------------------------------- */

static int epoll_change(struct side *s, int op, int how)
{
	struct epoll_event e = { .events = hows[how].events };

	return epoll_ctl(s->ep[how], op, s->fd, &e);
}

/* Registers, or no longer; a one-shot watcher asks again. */
static long watch(struct side *s, int how)
{
	unsigned int bit = 1u << how;
	long ret = 0;

	if (how < EPOLLS && hows[how].events & EPOLLONESHOT && s->on & bit)
		return epoll_change(s, EPOLL_CTL_MOD, how);
	if (how < EPOLLS) {
		ret = epoll_change(s, s->on & bit ? EPOLL_CTL_DEL :
				   EPOLL_CTL_ADD, how);
		s->on ^= bit;
	} else if (how == ASYNC) {
		s->on ^= bit;
		fcntl(s->fd, F_SETOWN, getpid());
		ret = fcntl(s->fd, F_SETFL, s->on & bit ? O_ASYNC : 0);
	} else if (have_uring && !s->id[how]) {
		s->id[how] = ++next_id;
		submit(op_poll(s->fd, POLLIN, how == URING_MULTI ?
			       IORING_POLL_ADD_MULTI : 0), next_id);
	}
	return ret;
}

static int caught(void)
{
	const struct timespec now = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	return sigtimedwait(&set, NULL, &now) == SIGIO;
}

/* Takes all completions, and notes for both sides of which kind they are. */
static void complete(struct side *sides)
{
	struct io_uring_cqe cqe;
	int i, how;

	while (have_uring && reap(&cqe)) {
		for (i = 0; i < 2; i++) {
			for (how = URING_ONCE; how <= URING_MULTI; how++) {
				if (!cqe.user_data ||
				    sides[i].id[how] != cqe.user_data)
					continue;
				cqes[i][how - URING_ONCE] |= cqe.res;
				if (!(cqe.flags & IORING_CQE_F_MORE))
					sides[i].id[how] = 0;
			}
		}
	}
}

/* What a watcher has been told since the last look. */
static long told(struct side *sides, struct side *s, int how)
{
	struct epoll_event e = { 0 };
	long ret;

	if (how < EPOLLS) {
		ret = epoll_wait(s->ep[how], &e, 1, 0);
		return ret == 1 ? (long)e.events : ret;
	}
	if (how == ASYNC)
		return -1;	/* looked at after each step */
	complete(sides);
	ret = cqes[s - sides][how - URING_ONCE];
	cqes[s - sides][how - URING_ONCE] = 0;
	return ret;
}

/* --- threads that sleep --------------------------------------------------- */

struct sleeper {
	struct side *s;
	int step;
	pid_t tid;
	long got;
};

static void *sleeper(void *arg)
{
	struct sleeper *z = arg;
	int fd = z->s->fd, how = z->step - SLEEP;
	struct epoll_event e = { 0 };
	fd_set in;
	char c;

	__atomic_store_n(&z->tid, gettid(), __ATOMIC_RELEASE);
	if (z->step == SLEEP_POLL) {
		z->got = tap_poll(fd, POLLIN, TAP_DEADLINE_MS);
	} else if (z->step == SLEEP_SELECT) {
		FD_ZERO(&in);
		FD_SET(fd, &in);
		z->got = select(fd + 1, &in, NULL, NULL,
				&(struct timeval) { TAP_DEADLINE_MS / 1000, 0 });
	} else if (z->step == SLEEP_RECV) {
		z->got = recv(fd, &c, 1, 0);
	} else {
		z->got = epoll_wait(z->s->ep[how], &e, 1, TAP_DEADLINE_MS);
		z->got = z->got == 1 ? (long)e.events : -1;
	}
	return NULL;
}

/* Does it sleep, or has it ended already? */
static int asleep(const struct sleeper *z)
{
	pid_t tid = __atomic_load_n(&z->tid, __ATOMIC_ACQUIRE);
	char state = tid ? tap_state(tid) : 'R';

	return !state || state == 'S';
}

/* A thread sleeps, and a message wakes it; what its call returned. */
static long sleep_and_wake(struct side *s, int step)
{
	struct timeval limit = { TAP_DEADLINE_MS / 1000, 0 };
	struct sleeper z = { .s = s, .step = step, .got = -2 };
	pthread_t t;

	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	must(!pthread_create(&t, NULL, sleeper, &z), "pthread_create");
	must(tap_until(asleep(&z)), "a thread that sleeps");
	must(send(s->peer, "z", 1, MSG_DONTWAIT) == 1, "send to a sleeper");
	s->queued++;
	pthread_join(t, NULL);
	if (step == SLEEP_RECV && z.got == 1)
		s->queued--;
	return z.got;
}

/* --- steps ---------------------------------------------------------------- */

static long receive(struct side *s)
{
	char buf[8];
	long n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);

	s->queued -= n > 0;
	return n < 0 ? -errno : n;
}

/* The socket's own messages fill its peer's queue; room is told of once. */
static long fill_and_drain(struct side *s)
{
	struct epoll_event e;
	char buf[64] = "";
	long ret;

	while (send(s->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	ret = tap_poll_now(s->fd, POLLOUT);
	epoll_wait(s->ep[OUT_EDGE], &e, 1, 0);
	while (recv(s->peer, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return ret << 16 | tap_poll_now(s->fd, POLLOUT) << 8 |
	       epoll_wait(s->ep[OUT_EDGE], &e, 1, 0);
}

static int possible(const struct side *s, unsigned int step)
{
	if (step == FILL_AND_DRAIN)
		return s->connected && s->pairs;
	if (step == SEND || step == SEND_AGAIN)
		return s->queued < BACKLOG;
	if (step >= SLEEP_POLL && step < PLAIN)
		return s->connected && s->queued < BACKLOG &&
		       (step != SLEEP_RECV || !s->queued);
	if (step == REGISTER + OUT_EDGE || step == CHECK + OUT_EDGE)
		return s->pairs && step != CHECK + OUT_EDGE;
	if (step >= SLEEP)
		return s->connected && s->queued < BACKLOG &&
		       s->on & 1u << (step - SLEEP) &&
		       !(hows[step - SLEEP].events & (EPOLLONESHOT | EPOLLOUT));
	return 1;
}

static long take(struct side *sides, struct side *s, unsigned int step)
{
	fd_set in;

	switch (step) {
	case SEND:
	case SEND_AGAIN:
		join(s);
		s->queued++;
		return send(s->peer, "x", 1, MSG_DONTWAIT);
	case RECV:
	case RECV_AGAIN:
		return s->connected ? receive(s) : 0;
	case DRAIN:
		while (s->connected && receive(s) > 0)
			;
		return 0;
	case POLL:
		return tap_poll_now(s->fd, POLLIN | POLLRDNORM | POLLRDHUP);
	case SELECT:
		FD_ZERO(&in);
		FD_SET(s->fd, &in);
		return select(s->fd + 1, &in, NULL, NULL,
			      &(struct timeval) { 0, 0 });
	case FILL_AND_DRAIN:
		return fill_and_drain(s);
	}
	if (step >= SLEEP || step < PLAIN)
		return sleep_and_wake(s, step);
	if (step >= CHECK)
		return told(sides, s, step - CHECK);
	return watch(s, step - REGISTER);
}

static const char *step_name(unsigned int step)
{
	static const char *const plain[] = {
		"send", "send", "recv", "recv", "drain", "poll", "select",
		"fill and drain", "sleep in poll", "sleep in select",
		"sleep in recv",
	};
	static char words[64];

	if (step < PLAIN)
		return plain[step];
	snprintf(words, sizeof(words), "%s %s",
		 step < CHECK ? "register" : step < SLEEP ? "look at" :
		 "sleep in", hows[step < CHECK ? step - REGISTER :
				  step < SLEEP ? step - CHECK :
				  step - SLEEP].name);
	return words;
}

/* One walk; 0 if both families told the same. */
static int walk(unsigned long seed, int pairs)
{
	struct side sides[2] = { { .un = 1, .pairs = pairs },
				 { .pairs = pairs } };
	unsigned int steps[STEPS], n, i;
	long ret[2];
	int sig[2], bad = 0;

	state = seed;
	memset(cqes, 0, sizeof(cqes));
	begin(&sides[0]);
	begin(&sides[1]);
	for (n = 0; n < STEPS && !bad; n++) {
		do
			steps[n] = rnd(STEPS_ALL);
		while (!possible(&sides[0], steps[n]));
		for (i = 0; i < 2; i++) {
			ret[i] = take(sides, &sides[i], steps[n]);
			sig[i] = caught();
		}
		/* AF_UNIX says O_ASYNC of room only if it saw a full buffer */
		if (steps[n] == FILL_AND_DRAIN)
			sig[0] = sig[1];
		bad = ret[0] != ret[1] || sig[0] != sig[1];
	}
	for (i = 0; bad && i < n; i++)
		tap_diag("seed %lu: %s", seed, step_name(steps[i]));
	if (bad)
		tap_diag("AF_UNIX %ld, SIGIO %d; weir %ld, SIGIO %d", ret[0],
			 sig[0], ret[1], sig[1]);
	end(&sides[0]);
	end(&sides[1]);
	complete(sides);
	return bad;
}

static void walks(int pairs)
{
	uint64_t until = tap_now_ms() + WALK_MS / 2;
	unsigned long seed = tap_seed() ? tap_seed() : 1;
	long n = tap_scale(300, 30), i, bad = 0;

	for (i = 0; i < n && bad < 3 && tap_now_ms() < until; i++)
		bad += walk(seed + i, pairs);
	tap_ok(!bad, "%s: the same as AF_UNIX's, seeds from %lu on",
	       pairs ? "connections" : "datagrams", seed);
	tap_diag("%ld walks of %d steps", i, STEPS);
}

/* --- what users met ------------------------------------------------------- */

/* A thread that sleeps in epoll_wait() on a descriptor of its own, once. */
struct worker {
	struct sleeper z;
	pthread_t t;
	int ep;
	int done;
};

static void *worker(void *arg)
{
	struct worker *w = arg;
	struct epoll_event e;

	__atomic_store_n(&w->z.tid, gettid(), __ATOMIC_RELEASE);
	w->z.got = epoll_wait(w->ep, &e, 1, TAP_DEADLINE_MS);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void workers_begin(struct worker w[2], int fd, uint32_t events)
{
	struct epoll_event e = { .events = events | EPOLLEXCLUSIVE };
	int i;

	for (i = 0; i < 2; i++) {
		w[i] = (struct worker) { .ep = epoll_create1(EPOLL_CLOEXEC) };
		must(!epoll_ctl(w[i].ep, EPOLL_CTL_ADD, fd, &e),
		     "EPOLL_CTL_ADD");
		must(!pthread_create(&w[i].t, NULL, worker, &w[i]),
		     "pthread_create");
		must(tap_until(asleep(&w[i].z)), "a thread that sleeps");
	}
}

/* Do at least @n of the two wake up in time? */
static bool workers_woken(struct worker w[2], int n)
{
	return tap_within(20000,
			  __atomic_load_n(&w[0].done, __ATOMIC_ACQUIRE) +
			  __atomic_load_n(&w[1].done, __ATOMIC_ACQUIRE) >= n);
}

static void workers_end(struct worker w[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		pthread_join(w[i].t, NULL);
		close(w[i].ep);
	}
}

/* Two workers wait on one socket: a busy one does not keep the other asleep. */
static void two_workers(void)
{
	int p = tap_publisher(SOCK_RDM, "/watchers/two", 4096), i;
	int s = tap_subscriber(SOCK_RDM, "/watchers/two");
	struct worker w[2];
	char c;

	workers_begin(w, s, EPOLLIN);
	for (i = 1; i <= 2; i++) {
		send(p, "job", 3, 0);
		tap_ok(workers_woken(w, i), "job %d wakes a worker", i);
		/* it works, and does not come back */
		tap_is(recv(s, &c, 1, MSG_DONTWAIT), 1, "which takes it");
	}
	workers_end(w);
	close(p);
	close(s);
}

/* The same for room: the first one that is told does not use it. */
static void two_senders(void)
{
	int p = tap_publisher(SOCK_RDM, "/watchers/room", 4096), i, k;
	int r = tap_subscriber(SOCK_RDM, "/watchers/room");
	struct worker w[2];
	char c;

	while (send(p, "x", 1, MSG_DONTWAIT) == 1)
		;
	workers_begin(w, p, EPOLLOUT);
	for (i = 1; i <= 2; i++) {
		for (k = 0; k < 24; k++)
			recv(r, &c, 1, MSG_DONTWAIT);
		tap_ok(workers_woken(w, i), "room wakes %d of 2 that wait", i);
	}
	workers_end(w);
	close(r);
	close(p);
}

/* The sender was never refused: room is told of all the same. */
static void last_that_fits(void)
{
	int p = tap_publisher(SOCK_RDM, "/watchers/last", 4096), ep, n, i;
	int r = tap_subscriber(SOCK_RDM, "/watchers/last"), sent = 0;
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	char c;

	for (n = 0; send(p, "x", 1, MSG_DONTWAIT) == 1; n++)
		;
	while (recv(r, &c, 1, MSG_DONTWAIT) == 1)
		;
	ep = epoll_create1(EPOLL_CLOEXEC);
	must(!epoll_ctl(ep, EPOLL_CTL_ADD, p, &e), "EPOLL_CTL_ADD");
	tap_is(epoll_wait(ep, &e, 1, 0), 1, "a publisher is writable");
	for (i = 0; i < n; i++)
		sent += send(p, "x", 1, MSG_DONTWAIT) == 1;
	tap_ok(sent == n && !epoll_wait(ep, &e, 1, 0),
	       "%d messages fill its ring", n);
	while (recv(r, &c, 1, MSG_DONTWAIT) == 1)
		;
	tap_is(epoll_wait(ep, &e, 1, 0), 1, "EPOLLET: an edge of room");
	close(ep);
	close(r);
	close(p);
}

/* One receive for each event is enough when there was one message. */
static void each_is_told(void)
{
	int p = tap_publisher(SOCK_RDM, "/watchers/each", 4096);
	int s = tap_subscriber(SOCK_RDM, "/watchers/each"), ep, i, n = 0;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	char c;

	ep = epoll_create1(EPOLL_CLOEXEC);
	must(!epoll_ctl(ep, EPOLL_CTL_ADD, s, &e), "EPOLL_CTL_ADD");
	for (i = 0; i < 6; i++) {
		send(p, "x", 1, 0);
		n += epoll_wait(ep, &e, 1, 0) == 1;
		recv(s, &c, 1, MSG_DONTWAIT);
	}
	tap_is(n, 6, "EPOLLET: an edge for each message");
	close(ep);
	for (i = n = 0; i < 5; i++) {
		send(p, "x", 1, 0);
		recv(s, &c, 1, MSG_DONTWAIT);
	}
	fcntl(s, F_SETOWN, getpid());
	fcntl(s, F_SETFL, O_ASYNC);
	for (i = n = 0; i < 5; i++) {
		send(p, "x", 1, 0);
		n += caught();
		recv(s, &c, 1, MSG_DONTWAIT);
	}
	tap_is(n, 5, "O_ASYNC: a signal for each message");
	fcntl(s, F_SETFL, 0);
	send(p, "x", 1, 0);
	tap_ok(!caught(), "without it none");
	close(p);
	close(s);
}

/* O_ASYNC tells of room, and of the two ends of a connection. */
static void signals(int un)
{
	struct side s = { .un = un, .pairs = 1 };
	const char *family = un ? "AF_UNIX" : "weir";
	char buf[64] = "";

	begin(&s);
	join(&s);
	watch(&s, ASYNC);
	while (send(s.fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	caught();
	while (recv(s.peer, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	tap_ok(caught(), "%s: O_ASYNC tells of room", family);
	tap_ok(!caught(), "%s: once", family);
	shutdown(s.peer, SHUT_WR);
	tap_ok(caught(), "%s: of a peer that sends no more", family);
	close(s.peer);
	s.connected = 0;
	tap_ok(caught(), "%s: and of its end", family);
	end(&s);
}

/* Nobody is registered any more: a publish makes no system call again. */
static void it_ends(void)
{
	int p = tap_publisher(SOCK_RDM, "/watchers/end", 4096);
	int s = tap_subscriber(SOCK_RDM, "/watchers/end"), ep;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	long long before;
	int i;

	ep = epoll_create1(EPOLL_CLOEXEC);
	must(!epoll_ctl(ep, EPOLL_CTL_ADD, s, &e), "EPOLL_CTL_ADD");
	before = tap_stat("stats/reader_wakeups");
	for (i = 0; i < 5; i++)
		send(p, "x", 1, 0);
	tap_ok(tap_stat("stats/reader_wakeups") >= before + 5,
	       "a registered socket is woken for each message");
	close(ep);
	send(p, "x", 1, 0);	/* finds nobody */
	before = tap_stat("stats/reader_wakeups");
	for (i = 0; i < 5; i++)
		send(p, "x", 1, 0);
	tap_is(tap_stat("stats/reader_wakeups") - before, 0,
	       "and no longer when nobody is");
	close(p);
	close(s);
}

int main(void)
{
	const char *why;
	sigset_t set;

	tap_family();
	tap_watchdog(250);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	why = uring_setup();
	have_uring = !why;
	if (why)
		tap_diag("%s", why);
	two_workers();
	two_senders();
	last_that_fits();
	each_is_told();
	signals(1);
	signals(0);
	it_ends();
	walks(1);
	walks(0);
	return tap_done();
}
