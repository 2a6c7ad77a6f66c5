// SPDX-License-Identifier: GPL-2.0
/*
 * What connected pairs do beyond AF_UNIX's example (which is pair_unix.c's):
 * messages of every size up to the ring's, data that goes around the ring many
 * times between two processes and stays whole, who is woken by what, the paths
 * that both ends tell, the listener's options on accepted sockets, and that
 * all memory is given back.
 */
#include "selftest.h"

static int seqpacket_pair(int fd[2])
{
	return socketpair(tap_family(), SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd);
}

static int small_listener(const char *path, int ring_bytes, int backlog)
{
	int fd = tap_socket(SOCK_SEQPACKET);

	if (tap_setopt(fd, WEIR_SO_RING_BYTES, ring_bytes) ||
	    tap_bind(fd, path) || listen(fd, backlog))
		tap_bail("listener: %s", tap_words(fd));
	return fd;
}

/* Every size from nothing to the ring, both ways, in lock step. */
static void sizes(void)
{
	static char out[8192], in[8192];
	int l = small_listener("/pair/sizes", 4096, 1), c, s, n, bad = 0;
	int max = 4096 - 32;

	c = tap_socket(SOCK_SEQPACKET);
	tap_setopt(c, WEIR_SO_RING_BYTES, 4096);
	tap_call(tap_connect(c, "/pair/sizes"), "connect");
	s = accept(l, NULL, NULL);
	tap_is(tap_getopt(s, WEIR_SO_RING_BYTES), 4096,
	       "accepted socket has the listener's ring size");
	for (n = 0; n <= max; n++) {
		tap_fill(out, n, n);
		memset(in, 0xee, sizeof(in));
		bad += send(c, out, n, MSG_DONTWAIT) != n;
		bad += recv(s, in, sizeof(in), MSG_DONTWAIT) != n;
		bad += !tap_filled(in, n, n) || in[n] != (char)0xee;
		bad += send(s, in, n, MSG_DONTWAIT) != n;
		memset(in, 0, sizeof(in));
		bad += recv(c, in, sizeof(in), MSG_DONTWAIT) != n;
		bad += !tap_filled(in, n, n);
	}
	tap_is(bad, 0, "all sizes from 0 to ring - 32, both ways");
	tap_fails(send(c, out, max + 1, MSG_DONTWAIT), EMSGSIZE,
		  "one byte more");
	tap_ok(strlen(tap_words(c)) > 5, "refused in words: %s", tap_words(c));
	tap_is(tap_info(c).sent, max + 1, "records sent are counted");
	tap_is(tap_info(s).received, max + 1, "records received are counted");
	tap_is(tap_info(c).ring_bytes, 4096, "WEIR_SO_INFO tells the ring size");
	tap_is(tap_info(c).streams, 1, "one stream is read");
	close(c);
	close(s);
	close(l);
}

static void full(void)
{
	char buf[64];
	int fd[2], n, sent;

	if (seqpacket_pair(fd))
		tap_bail("socketpair");
	for (sent = 0; send(fd[0], "x", 1, MSG_DONTWAIT) == 1; sent++)
		;
	tap_is(sent, tap_getopt(fd[0], WEIR_SO_RING_BYTES) / 64,
	       "records of one granule until the ring is full");
	tap_is(errno, EAGAIN, "then EAGAIN");
	tap_is(tap_poll_now(fd[0], POLLOUT), 0, "not writable");
	for (n = 0; n < sent / 8; n++)
		recv(fd[1], buf, sizeof(buf), 0);
	tap_is(send(fd[0], "x", 1, MSG_DONTWAIT), 1,
	       "room for a message after some were read");
	for (; n < sent / 2; n++)
		recv(fd[1], buf, sizeof(buf), 0);
	tap_ok(tap_poll(fd[0], POLLOUT, TAP_DEADLINE_MS) & POLLOUT,
	       "writable after half was read");
	close(fd[0]);
	close(fd[1]);
}

/* Two processes, random sizes, many laps; the far end checks each byte. */
static void laps(void)
{
	static char buf[4096];
	long count = tap_scale(4000, 200), n;
	unsigned int seed = 1;
	int l = small_listener("/pair/laps", 8192, 1), c, s, bad = 0;
	pid_t pid = fork();

	if (!pid) {
		unsigned int far = 1;

		c = tap_socket(SOCK_SEQPACKET);
		if (tap_connect(c, "/pair/laps"))
			_exit(2);
		for (n = 0; n < count; n++) {
			int len = rand_r(&far) % 3000;

			if (recv(c, buf, sizeof(buf), 0) != len)
				_exit(3);
			if (!tap_filled(buf, len, n))
				_exit(4);
			if (n % 16 == 15 && send(c, &n, sizeof(n), 0) !=
			    sizeof(n))
				_exit(5);
		}
		_exit(recv(c, buf, sizeof(buf), 0) == 0 ? 0 : 6);
	}
	s = accept(l, NULL, NULL);
	for (n = 0; n < count && !bad; n++) {
		int len = rand_r(&seed) % 3000;
		long back = -1;

		tap_fill(buf, len, n);
		bad += send(s, buf, len, 0) != len;
		if (n % 16 == 15) {
			bad += recv(s, &back, sizeof(back), 0) != sizeof(back);
			bad += back != n;
		}
	}
	tap_is(bad, 0, "the near end of many laps");
	close(s);
	tap_is(tap_wait(pid), 0, "the far end saw every byte and the end");
	close(l);
}

/* One process sleeps in a call; another does what must wake it. */
static void wakes(const char *what, int (*sleeper)(int fd), int (*waker)(int fd),
		  int fill)
{
	static char big[4000];
	int fd[2], far;
	pid_t pid;

	if (seqpacket_pair(fd))
		tap_bail("socketpair");
	while (fill && send(fd[0], big, sizeof(big), MSG_DONTWAIT) > 0)
		;
	pid = fork();
	if (!pid) {
		close(fd[1]);
		_exit(sleeper(fd[0]));
	}
	close(fd[0]);
	tap_until_asleep(pid);
	far = waker(fd[1]);
	tap_is(tap_wait(pid), 0, what);
	if (far >= 0)
		close(far);
}

static int sleep_recv_1(int fd)
{
	char buf[4];

	return recv(fd, buf, 4, 0) != 1;
}

static int sleep_recv_end(int fd)
{
	char buf[4];

	return recv(fd, buf, 4, 0) != 0;
}

static int sleep_send(int fd)
{
	static char big[4000];

	return send(fd, big, sizeof(big), 0) != sizeof(big);
}

static int sleep_send_end(int fd)
{
	static char big[4000];

	return !(send(fd, big, sizeof(big), MSG_NOSIGNAL) == -1 &&
		 (errno == EPIPE || errno == ECONNRESET));
}

static int sleep_poll_hup(int fd)
{
	char buf[4];

	/* the end of the stream may show a moment before the hang-up */
	if (!(tap_poll(fd, POLLIN, TAP_DEADLINE_MS) & POLLIN))
		return 1;
	if (recv(fd, buf, 4, MSG_DONTWAIT) != 0)
		return 2;
	return !tap_until(tap_poll_now(fd, POLLIN) & POLLHUP);
}

static int wake_send(int fd)
{
	if (send(fd, "x", 1, 0) != 1)
		tap_bail("send");
	return fd;
}

static int wake_drain(int fd)
{
	static char big[4000];

	while (recv(fd, big, sizeof(big), MSG_DONTWAIT) > 0)
		;
	return fd;
}

static int wake_close(int fd)
{
	close(fd);
	return -1;
}

static int wake_shut_wr(int fd)
{
	shutdown(fd, SHUT_WR);
	return fd;
}

static int wake_shut_rd(int fd)
{
	shutdown(fd, SHUT_RD);
	return fd;
}

/* As AF_UNIX: the reset is told before the end, to a sleeper too. */
static void reset_sleeper(void)
{
	long rounds = tap_scale(40, 10), i, bad = 0, early = 0;

	for (i = 0; i < rounds; i++) {
		int fd[2], status;
		pid_t pid;

		if (seqpacket_pair(fd))
			tap_bail("socketpair");
		send(fd[0], "unread", 6, 0);
		pid = fork();
		if (!pid) {
			char buf[4];
			ssize_t n;

			close(fd[1]);
			n = recv(fd[0], buf, 4, 0);
			_exit(n == 0 ? 1 : n == -1 && errno == ECONNRESET ?
			      0 : 2);
		}
		close(fd[0]);
		tap_until_asleep(pid);
		close(fd[1]);
		status = tap_wait(pid);
		early += status == 1;
		bad += status != 0;
	}
	if (!tap_ok(!bad, "close with unread data: a sleeping recv is reset"))
		tap_diag("%ld of %ld saw the end instead", early, rounds);
}

static void sleepers(void)
{
	wakes("a message wakes recv", sleep_recv_1, wake_send, 0);
	wakes("close wakes recv", sleep_recv_end, wake_close, 0);
	wakes("the peer's SHUT_WR wakes recv", sleep_recv_end, wake_shut_wr, 0);
	wakes("reading wakes send", sleep_send, wake_drain, 1);
	wakes("close wakes send", sleep_send_end, wake_close, 1);
	wakes("the peer's SHUT_RD wakes send", sleep_send_end, wake_shut_rd, 1);
	wakes("close wakes poll", sleep_poll_hup, wake_close, 0);
}

/* A connect that waits for room in the backlog is let in by accept. */
static void waiting_connect(void)
{
	int l = small_listener("/pair/wait", 4096, 0), c, s;
	char buf[4];
	pid_t pid;

	c = tap_socket(SOCK_SEQPACKET);
	tap_call(tap_connect(c, "/pair/wait"), "connect fills the backlog");
	pid = fork();
	if (!pid) {
		c = tap_socket(SOCK_SEQPACKET);
		if (tap_connect(c, "/pair/wait"))
			_exit(1);
		_exit(send(c, "2nd", 3, 0) == 3 ? 0 : 2);
	}
	tap_until_asleep(pid);
	s = accept(l, NULL, NULL);
	tap_call(s, "accept the first");
	tap_is(tap_wait(pid), 0, "the second connect came through");
	close(s);
	s = accept(l, NULL, NULL);
	tap_is(recv(s, buf, 4, 0), 3, "and its message is there");
	close(s);
	close(c);

	/* and one whose listener goes away is refused */
	c = tap_socket(SOCK_SEQPACKET);
	tap_call(tap_connect(c, "/pair/wait"), "connect fills the backlog");
	pid = fork();
	if (!pid) {
		close(l);
		c = tap_socket(SOCK_SEQPACKET);
		_exit(tap_connect(c, "/pair/wait") == -1 &&
		      errno == ECONNREFUSED ? 0 : 1);
	}
	tap_until_asleep(pid);
	close(l);
	tap_is(tap_wait(pid), 0, "a waiting connect is refused at close");
	close(c);
}

static int *signals;	/* handled by a child */

static void on_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(signals, 1, __ATOMIC_SEQ_CST);
}

/* A connect that a signal interrupts and that is made again has its path. */
static void interrupted_connect(int l, const char *path)
{
	struct sigaction act = { .sa_handler = on_signal };
	int flags[] = { SA_RESTART, 0 }, s = tap_socket(SOCK_SEQPACKET);
	pid_t pid;
	int i;

	signals = tap_shared(4096);
	for (i = 0; i < 2; i++) {
		act.sa_flags = flags[i];
		sigaction(SIGUSR1, &act, NULL);
		pid = fork();
		if (!pid) {
			int ret;

			if (tap_long_path(s, path))
				_exit(1);
			ret = tap_connect(s, "");
			if (flags[i])
				_exit(ret ? 2 : 0);
			if (ret && errno != EINTR)
				_exit(3);
			_exit(ret && tap_connect(s, "") ? 4 : 0);
		}
		tap_until_asleep(pid);
		kill(pid, SIGUSR1);
		tap_until(__atomic_load_n(signals, __ATOMIC_SEQ_CST) > i);
		tap_until_asleep(pid);
		close(accept(l, NULL, NULL));
		tap_is(tap_wait(pid), 0, flags[i] ?
		       "a connect that is restarted has its path" :
		       "one that is made again after EINTR, too");
		close(s);
		s = tap_socket(SOCK_SEQPACKET);
	}
	close(s);
}

static void paths(void)
{
	int l = small_listener("/pair/paths", 4096, 4), c, s;
	char text[300], want[300];
	socklen_t len;

	c = tap_socket(SOCK_SEQPACKET);
	tap_call(tap_bind(c, "/pair/paths/client"), "bind the client");
	tap_call(tap_connect(c, "/pair/paths"), "connect");
	s = accept(l, NULL, NULL);
	len = sizeof(text);
	getsockopt(s, SOL_WEIR, WEIR_SO_PEER_PATH, text, &len);
	tap_ok(!strcmp(text, "/pair/paths/client"), "peer path is %s", text);
	len = sizeof(text);
	getsockopt(s, SOL_WEIR, WEIR_SO_PATH, text, &len);
	tap_ok(!strcmp(text, "/pair/paths"), "own path is %s", text);
	len = sizeof(text);
	getsockopt(c, SOL_WEIR, WEIR_SO_PEER_PATH, text, &len);
	tap_ok(!strcmp(text, "/pair/paths"), "the client's peer is %s", text);
	close(c);
	close(s);
	close(l);

	/* 255 bytes are more than an address has room for */
	memset(want, 0, sizeof(want));
	memset(want, 'p', WEIR_PATH_MAX);
	want[0] = '/';
	l = tap_socket(SOCK_SEQPACKET);
	tap_call(tap_long_path(l, want) || tap_bind(l, ""), "bind 255 bytes");
	listen(l, 0);
	c = tap_socket(SOCK_SEQPACKET);
	tap_call(tap_long_path(c, want) || tap_connect(c, ""), "connect");
	len = sizeof(text);
	getsockopt(c, SOL_WEIR, WEIR_SO_PEER_PATH, text, &len);
	tap_ok(len == 256 && !strcmp(text, want), "WEIR_SO_PEER_PATH has it all");
	interrupted_connect(l, want);
	close(c);
	close(l);
}

static void memory(long long rings, long long bytes, long long readers,
		   long long sockets)
{
	tap_ok(tap_until(tap_stat("stats/rings") == rings), "rings are freed");
	tap_ok(tap_until(tap_stat("stats/ring_bytes") == bytes),
	       "bytes are given back");
	tap_ok(tap_until(tap_stat("stats/readers") == readers),
	       "cursors are freed");
	tap_ok(tap_until(tap_stat("stats/sockets") == sockets),
	       "sockets are freed");
}

int main(void)
{
	long long rings, bytes, readers, sockets;

	tap_family();
	tap_watchdog(300);
	signal(SIGPIPE, SIG_IGN);
	rings = tap_stat("stats/rings");
	bytes = tap_stat("stats/ring_bytes");
	readers = tap_stat("stats/readers");
	sockets = tap_stat("stats/sockets");
	sizes();
	full();
	laps();
	sleepers();
	reset_sleeper();
	waiting_connect();
	paths();
	memory(rings, bytes, readers, sockets);
	return tap_done();
}
