// SPDX-License-Identifier: GPL-2.0
/*
 * poll, select and epoll tell what holds on every kind of weir socket, and
 * sleepers in them are woken by what they wait for: level-triggered with plain
 * calls, edge-triggered with WEIR_SO_WAIT and a time-out of 0 as the re-arming
 * call. With 200 sockets in one epoll, each wakes for its own messages only.
 */
#include <sys/epoll.h>
#include <sys/select.h>

#include "selftest.h"

#define R	(POLLIN | POLLRDNORM)
#define W	(POLLOUT | POLLWRNORM)
#define ALL	(R | W | POLLRDHUP)

static void is(int fd, int want, const char *name)
{
	int got = tap_poll_now(fd, ALL);

	if (!tap_ok(got == want, "%s", name))
		tap_diag("got %#x, want %#x", got, want);
}

static void pub_sub(void)
{
	int p = tap_socket(SOCK_RDM), s = tap_socket(SOCK_RDM);
	char buf[8];
	int n;

	is(p, W, "a new SOCK_RDM socket: a send does not wait");
	tap_setopt(p, WEIR_SO_RING_BYTES, 4096);
	if (tap_bind(p, "/poll/rdm") || tap_connect(s, "/poll/rdm"))
		tap_bail("pair");
	is(p, W, "a publisher: writable");
	is(s, W, "a subscriber: nothing to read");
	send(p, "1", 1, 0);
	is(s, R | W, "a subscriber with a message: readable");
	is(s, R | W, "level: still readable");
	recv(s, buf, 8, 0);
	is(s, W, "read: no more");
	for (n = 0; n < 48; n++)
		send(p, "1", 1, 0);
	is(p, W, "a quarter of the ring is free: writable");
	send(p, "1", 1, 0);
	is(p, 0, "less: not writable");
	for (; n >= 0; n--)
		recv(s, buf, 8, 0);
	is(p, W, "drained: writable");
	shutdown(p, SHUT_WR);
	is(p, W, "shut for writing: writable (EPIPE)");
	close(p);
	recv(s, buf, 8, MSG_DONTWAIT);
	is(s, W, "a subscriber of an ended stream waits for others");
	close(s);

	p = tap_publisher(SOCK_DGRAM, "/poll/dgram", 4096);
	s = tap_subscriber(SOCK_DGRAM, "/poll/dgram");
	for (n = 0; n < 1000; n++)
		send(p, "1", 1, 0);
	is(p, W, "a lossy publisher is always writable");
	is(s, R | W, "an overrun subscriber is readable");
	close(p);
	close(s);
}

static void listening(void)
{
	int l = tap_socket(SOCK_SEQPACKET), c, s;

	if (tap_bind(l, "/poll/listen") || listen(l, 4))
		tap_bail("listen");
	is(l, 0, "a listener: nothing");
	c = tap_socket(SOCK_SEQPACKET);
	is(c, W | POLLHUP, "unconnected: hung up");
	if (tap_connect(c, "/poll/listen"))
		tap_bail("connect");
	is(l, R, "a listener with a connection: readable");
	is(c, W, "connected: writable");
	s = accept(l, NULL, NULL);
	is(l, 0, "accepted: nothing");
	is(s, W, "the accepted: writable");
	shutdown(c, SHUT_WR);
	is(s, W | R | POLLRDHUP, "the peer's SHUT_WR: RDHUP and readable");
	is(c, W, "own SHUT_WR: writable");
	close(c);
	is(s, W | R | POLLRDHUP | POLLHUP, "the peer's close: HUP");
	close(s);
	close(l);
}

static void by_select(void)
{
	int p = tap_publisher(SOCK_RDM, "/poll/select", 4096);
	int s = tap_subscriber(SOCK_RDM, "/poll/select");
	struct timeval tv = { 0, 0 };
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(s, &in);
	FD_SET(p, &out);
	tap_is(select(64, &in, &out, NULL, &tv), 1, "select: one of two");
	tap_ok(FD_ISSET(p, &out) && !FD_ISSET(s, &in), "the writable one");
	send(p, "1", 1, 0);
	FD_SET(s, &in);
	FD_SET(p, &out);
	tap_is(select(64, &in, &out, NULL, &tv), 2, "select: both");
	close(p);
	close(s);
}

/* A child that sleeps in poll says when it saw what it waited for. */
static void sleepers(void)
{
	long n = tap_scale(500, 20), i, bad = 0;
	int fd[2], out[2];
	char buf[8];
	pid_t pid;

	if (socketpair(tap_family(), SOCK_SEQPACKET, 0, fd) || pipe(out))
		tap_bail("pair");
	pid = fork();
	if (!pid) {
		close(fd[0]);
		for (i = 0; i < n; i++) {
			if (!(tap_poll(fd[1], POLLIN, TAP_DEADLINE_MS) &
			      POLLIN))
				_exit(1);
			if (recv(fd[1], buf, 8, MSG_DONTWAIT) != 1)
				_exit(2);
			if (write(out[1], "x", 1) != 1)
				_exit(3);
		}
		_exit(tap_poll(fd[1], POLLRDHUP, TAP_DEADLINE_MS) & POLLRDHUP ?
		      0 : 4);
	}
	close(fd[1]);
	for (i = 0; i < n; i++) {
		bad += send(fd[0], "x", 1, 0) != 1;
		bad += read(out[0], buf, 1) != 1;
	}
	tap_is(bad, 0, "each message wakes a sleeper in poll");
	close(fd[0]);
	tap_is(tap_wait(pid), 0, "and so does the end");
	close(out[0]);
	close(out[1]);
}

static int add(int ep, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int arm(int fd, uint32_t flags)
{
	struct weir_so_wait w = {
		.flags = flags, .bytes = 4000,
	};

	return tap_sleep(fd, &w);
}

static void edges(void)
{
	int p = tap_publisher(SOCK_RDM, "/poll/edge", 4096);
	int s = tap_subscriber(SOCK_RDM, "/poll/edge");
	int ep = epoll_create1(0), i, bad = 0;
	long n = tap_scale(200, 20);
	struct epoll_event e;
	char buf[8];

	tap_call(add(ep, s, EPOLLIN | EPOLLET), "add, edge-triggered");
	tap_is(epoll_wait(ep, &e, 1, 0), 0, "nothing yet");
	send(p, "1", 1, 0);
	tap_is(epoll_wait(ep, &e, 1, TAP_DEADLINE_MS), 1, "an edge");
	tap_is(epoll_wait(ep, &e, 1, 0), 0, "told once");
	tap_is(arm(s, WEIR_WAIT_IN), WEIR_WAIT_IN,
	       "arming says that there is something");
	recv(s, buf, 8, 0);
	tap_is(arm(s, WEIR_WAIT_IN), 0, "drained and armed");
	tap_is(epoll_wait(ep, &e, 1, 0), 0, "nothing yet");
	for (i = 0; i < n; i++) {
		send(p, "1", 1, 0);
		bad += epoll_wait(ep, &e, 1, TAP_DEADLINE_MS) != 1;
		bad += recv(s, buf, 8, MSG_DONTWAIT) != 1;
		bad += arm(s, WEIR_WAIT_IN) != 0;
	}
	tap_is(bad, 0, "an edge for each message after arming");
	close(ep);

	ep = epoll_create1(0);
	tap_call(add(ep, p, EPOLLOUT | EPOLLET), "add a publisher");
	tap_is(epoll_wait(ep, &e, 1, TAP_DEADLINE_MS), 1, "writable");
	while (send(p, "1", 1, MSG_DONTWAIT) == 1)
		;
	tap_is(arm(p, WEIR_WAIT_OUT), 0, "full and armed");
	tap_is(epoll_wait(ep, &e, 1, 0), 0, "not writable");
	while (recv(s, buf, 8, MSG_DONTWAIT) == 1)
		;
	tap_is(epoll_wait(ep, &e, 1, TAP_DEADLINE_MS), 1, "an edge of room");
	tap_is(arm(p, WEIR_WAIT_OUT), WEIR_WAIT_OUT, "there is room");
	close(ep);
	close(p);
	close(s);
}

#define MANY	200

static void many(void)
{
	int p[MANY], s[MANY], ep = epoll_create1(0), i, n, bad = 0, woken = 0;
	long rounds = tap_scale(20, 2), r;
	struct epoll_event e[MANY];
	char path[32], buf[16], want[16];

	for (i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "/poll/many/%d", i);
		p[i] = tap_publisher(SOCK_RDM, path, 4096);
		s[i] = tap_subscriber(SOCK_RDM, path);
		e[0].events = EPOLLIN;
		e[0].data.u32 = i;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, s[i], &e[0]))
			tap_bail("epoll_ctl");
	}
	tap_is(epoll_wait(ep, e, MANY, 0), 0, "200 sockets, none readable");
	for (r = 0; r < rounds; r++) {
		int sent = 0;

		for (i = r % 7; i < MANY; i += 7, sent++) {
			n = snprintf(buf, sizeof(buf), "%d", i);
			send(p[i], buf, n, 0);
		}
		n = epoll_wait(ep, e, MANY, TAP_DEADLINE_MS);
		bad += n != sent;
		for (i = 0; i < n; i++) {
			int from = e[i].data.u32, len;

			bad += from % 7 != r % 7;
			len = snprintf(want, sizeof(want), "%d", from);
			bad += recv(s[from], buf, 16, MSG_DONTWAIT) != len ||
			       memcmp(buf, want, len);
			woken++;
		}
		bad += epoll_wait(ep, e, MANY, 0) != 0;
	}
	tap_is(bad, 0, "exactly those with a message wake");
	tap_diag("%d events", woken);
	for (i = 0; i < MANY; i++) {
		close(p[i]);
		close(s[i]);
	}
	close(ep);
}

int main(void)
{
	tap_family();
	tap_watchdog(200);
	signal(SIGPIPE, SIG_IGN);
	pub_sub();
	listening();
	by_select();
	sleepers();
	edges();
	many();
	return tap_done();
}
