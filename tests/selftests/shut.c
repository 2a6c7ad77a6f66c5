// SPDX-License-Identifier: GPL-2.0
/*
 * shutdown() wakes the threads that wait, in every state of a socket and in
 * plain calls and the library's. A fresh SOCK_RDM socket may wait for what comes
 * once another thread lets it call, serve or subscribe.
 */
#include <poll.h>
#include <pthread.h>

#include "hard.h"

/* What a thread waits in, and what its call returned: a value, or -errno. */
struct waiter {
	pthread_t thread;
	long (*call)(struct waiter *z);
	int fd;
	struct weir *w;
	pid_t tid;
	long got;
};

static void *run(void *arg)
{
	struct waiter *z = arg;

	__atomic_store_n(&z->tid, gettid(), __ATOMIC_RELEASE);
	z->got = z->call(z);
	return NULL;
}

static int asleep(const struct waiter *z)
{
	pid_t tid = __atomic_load_n(&z->tid, __ATOMIC_ACQUIRE);

	return tid && tap_state(tid) == 'S';
}

static void begin(struct waiter *z, long (*call)(struct waiter *), int fd,
		  struct weir *w)
{
	*z = (struct waiter) { .call = call, .fd = fd, .w = w };
	need(!pthread_create(&z->thread, NULL, run, z), "pthread_create");
	need(soon(asleep(z)), "a thread that sleeps");
}

/* The thread ends in time, or the test does. */
static long result(struct waiter *z)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20;
	if (pthread_timedjoin_np(z->thread, NULL, &end))
		return -ETIME;
	return z->got;
}

static long by_recv(struct waiter *z)
{
	char c;
	long n = recv(z->fd, &c, 1, 0);

	return n < 0 ? -errno : n;
}

static long by_accept(struct waiter *z)
{
	long n = accept(z->fd, NULL, NULL);

	return n < 0 ? -errno : n;
}

static long by_connect(struct waiter *z)
{
	return tap_connect(z->fd, "/shut/full") ? -errno : 0;
}

static long by_poll(struct waiter *z)
{
	return tap_poll(z->fd, POLLIN | POLLRDHUP, TAP_DEADLINE_MS);
}

static long by_weir_recv(struct waiter *z)
{
	char c;

	return weir_recv(z->w, &c, 1, WEIR_FOREVER);
}

static long by_weir_wait(struct waiter *z)
{
	return weir_wait(z->w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
}

static void listeners(void)
{
	int l = tap_socket(SOCK_SEQPACKET), c = tap_socket(SOCK_SEQPACKET), s;
	struct waiter z, p;

	need(!tap_bind(l, "/shut/listener") && !listen(l, 4), "listen");
	begin(&z, by_accept, l, NULL);
	begin(&p, by_poll, l, NULL);
	tap_call(shutdown(l, SHUT_RD), "shutdown of a listener");
	tap_is(result(&z), -EINVAL, "wakes accept()");
	tap_is(result(&p), POLLIN | POLLRDHUP, "and poll()");
	tap_fails(tap_connect(c, "/shut/listener"), ECONNREFUSED,
		  "it takes no new connection");
	close(l);

	l = tap_socket(SOCK_SEQPACKET);
	need(!tap_bind(l, "/shut/queue") && !listen(l, 4), "listen");
	need(!tap_connect(c, "/shut/queue"), "connect");
	shutdown(l, SHUT_RDWR);
	s = accept(l, NULL, NULL);
	tap_ok(s >= 0, "what waits in the queue is accepted");
	tap_is(send(c, "x", 1, 0), 1, "and connected");
	tap_fails(accept(l, NULL, NULL), EINVAL, "nothing more is");
	close(s);
	close(c);
	close(l);
}

/* A thread waits in connect(), for room in the queue of a listener. */
static void full_queue(void)
{
	int l = tap_socket(SOCK_SEQPACKET), c[16], n, fd;
	struct waiter z;

	need(!tap_bind(l, "/shut/full") && !listen(l, 1), "listen");
	for (n = 0; n < 16; n++) {
		c[n] = tap_socket(SOCK_SEQPACKET);
		fcntl(c[n], F_SETFL, O_NONBLOCK);
		if (tap_connect(c[n], "/shut/full"))
			break;
	}
	need(n && n < 16 && errno == EAGAIN, "the queue is full");
	fcntl(c[n], F_SETFL, 0);
	begin(&z, by_connect, c[n], NULL);
	tap_call(shutdown(l, SHUT_RD), "shutdown of a listener");
	tap_is(result(&z), -ECONNREFUSED, "wakes connect()");
	fd = accept(l, NULL, NULL);
	tap_ok(fd >= 0, "what was in the queue is accepted");
	close(fd);
	for (; n >= 0; n--)
		close(c[n]);
	close(l);
}

/* Each waits in a subscriber; the publisher lives on. */
static void subscribers(void)
{
	static const struct {
		const char *name;
		long (*call)(struct waiter *z);
		long want;
	} calls[] = {
		{ "recv()", by_recv, 0 },
		{ "poll()", by_poll, POLLIN | POLLRDHUP },
		{ "weir_recv()", by_weir_recv, -EPIPE },
		{ "weir_wait()", by_weir_wait, -EPIPE },
	};
	struct weir *p, *s;
	struct waiter z;
	char c = 'c';
	size_t i;

	need(!weir_open(&p, SOCK_RDM, NULL) && !weir_bind(p, "/shut/sub"),
	     "publisher");
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		need(!weir_open(&s, SOCK_RDM, NULL) &&
		     !weir_subscribe(s, "/shut/sub"), "subscriber");
		/* the library's notices are not for recv() and poll() */
		while (weir_recv(s, &c, 1, WEIR_DONTWAIT) >= 0)
			;
		begin(&z, calls[i].call, weir_fd(s), s);
		tap_call(shutdown(weir_fd(s), SHUT_RD), "shut a subscriber");
		tap_is(result(&z), calls[i].want, calls[i].name);
		weir_send(p, "x", 1, WEIR_DONTWAIT);
		tap_is(weir_recv(s, &c, 1, WEIR_DONTWAIT), 1,
		       "what comes is read");
		tap_is(weir_recv(s, &c, 1, WEIR_FOREVER), -EPIPE,
		       "and nothing waited for");
		weir_close(s);
	}
	weir_close(p);
}

/* No state is too early. */
static void fresh(void)
{
	int fd = tap_socket(SOCK_RDM), s;
	struct waiter z;
	char c;

	begin(&z, by_recv, fd, NULL);
	tap_call(shutdown(fd, SHUT_RDWR), "shutdown of a fresh socket");
	tap_is(result(&z), 0, "wakes recv()");
	tap_is(tap_poll_now(fd, POLLIN | POLLRDHUP),
	       POLLIN | POLLRDHUP | POLLHUP, "poll tells the end");
	tap_call(tap_bind(fd, "/shut/fresh"), "it may still publish");
	s = tap_subscriber(SOCK_RDM, "/shut/fresh");
	tap_fails(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE, "but not send");
	tap_fails(recv(s, &c, 1, MSG_DONTWAIT), EAGAIN,
		  "and nothing comes of it");
	close(s);
	close(fd);
}

/* What is bound or connected later has a stream that has ended. */
static void ended_before(void)
{
	int l = tap_socket(SOCK_SEQPACKET), c = tap_socket(SOCK_SEQPACKET), s;
	struct weir *w;
	char x;

	need(!weir_open(&w, SOCK_RDM, NULL), "a handle");
	tap_call(shutdown(weir_fd(w), SHUT_WR), "shutdown of a fresh handle");
	need(!weir_bind(w, "/shut/mapped"), "bind");
	tap_is(weir_send(w, "x", 1, WEIR_DONTWAIT), -EPIPE,
	       "the library does not send either");
	weir_close(w);

	need(!tap_bind(l, "/shut/before") && !listen(l, 1), "listen");
	tap_call(shutdown(c, SHUT_WR), "shutdown of an unconnected socket");
	tap_call(tap_connect(c, "/shut/before"), "it may still connect");
	s = accept(l, NULL, NULL);
	tap_is(recv(s, &x, 1, MSG_DONTWAIT), 0, "and its peer reads the end");
	tap_is(send(s, "x", 1, 0), 1, "and sends");
	tap_is(recv(c, &x, 1, 0), 1, "what it reads");
	close(s);
	close(c);
	close(l);
}

/* A receiver is there before its socket calls, subscribes or publishes. */
static void early(void)
{
	int fd = tap_socket(SOCK_RDM), p;
	struct sockaddr_weir addr;
	socklen_t len = tap_addr(&addr, "/shut/nobody");
	struct waiter z;
	char c;

	tap_ok(tap_poll_now(fd, POLLOUT) & POLLOUT,
	       "a fresh SOCK_RDM socket is writable");
	tap_fails(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN,
		  "and has nothing to read yet");
	begin(&z, by_recv, fd, NULL);
	sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, len);
	tap_is(result(&z), -ENOENT, "an answer wakes a receiver from before");
	close(fd);

	fd = tap_socket(SOCK_RDM);
	begin(&z, by_recv, fd, NULL);
	need(!tap_connect(fd, "/shut/early"), "subscribe");
	p = tap_publisher(SOCK_RDM, "/shut/early", 4096);
	send(p, "x", 1, 0);
	tap_is(result(&z), 1, "so does a message to a subscriber");
	close(fd);
	close(p);

	fd = tap_socket(SOCK_RDM);
	begin(&z, by_recv, fd, NULL);
	need(!tap_bind(fd, "/shut/late"), "bind");
	tap_is(result(&z), -ENOTCONN, "a publisher has nothing to wait for");
	close(fd);
}

int main(void)
{
	hard_begin();
	tap_watchdog(120);
	listeners();
	full_queue();
	subscribers();
	fresh();
	ended_before();
	early();
	return tap_done();
}
