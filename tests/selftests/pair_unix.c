// SPDX-License-Identifier: GPL-2.0
/*
 * Connected pairs behave as AF_UNIX SOCK_SEQPACKET does. Each behaviour below
 * is run on both families; it notes what each call returned (value or errno),
 * and the two notes are compared line by line. Where AF_WEIR differs on
 * purpose, the line stands in the table of differences with both results and
 * the reason; a difference that is not in the table fails, and so does a line
 * of the table that is no longer true.
 */
#include <grp.h>
#include <linux/sockios.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "selftest.h"

#define LINES_MAX	64

struct line {
	const char *what;
	long ret;
	int err;
};

/* One run of one behaviour on one family. */
struct run {
	int family;
	int weir;
	int count;
	struct line lines[LINES_MAX];
};

/* Notes the result of a call; returns it. */
static long note(struct run *r, const char *what, long ret)
{
	int err = errno;

	if (r->count == LINES_MAX)
		tap_bail("too many lines");
	r->lines[r->count++] = (struct line) {
		.what = what, .ret = ret, .err = ret == -1 ? err : 0,
	};
	return ret;
}

/* A call that is no part of the comparison and must work. */
static long must(long ret, const char *what)
{
	if (ret < 0)
		tap_bail("%s", what);
	return ret;
}

static socklen_t address(const struct run *r, void *to, const char *name)
{
	struct sockaddr_un *un = to;

	if (r->weir)
		return tap_addr(to, name);
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	/* abstract */
	strcpy(un->sun_path + 1, name);
	return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}

static int sock(const struct run *r, int flags)
{
	return must(socket(r->family, SOCK_SEQPACKET | flags, 0), "socket");
}

static int bind_to(const struct run *r, int fd, const char *name)
{
	struct sockaddr_storage a;
	socklen_t len = address(r, &a, name);

	return bind(fd, (struct sockaddr *)&a, len);
}

static int connect_to(const struct run *r, int fd, const char *name)
{
	struct sockaddr_storage a;
	socklen_t len = address(r, &a, name);

	return connect(fd, (struct sockaddr *)&a, len);
}

static int listener(const struct run *r, const char *name, int backlog)
{
	int fd = sock(r, 0);

	must(bind_to(r, fd, name), "bind");
	must(listen(fd, backlog), "listen");
	return fd;
}

static void pair(const struct run *r, int fd[2])
{
	must(socketpair(r->family, SOCK_SEQPACKET, 0, fd), "socketpair");
}

/* A connected pair with names; fd[0] is the one that connected. */
static void named_pair(const struct run *r, int fd[2], const char *name)
{
	int l = listener(r, name, 4);

	fd[0] = sock(r, 0);
	must(connect_to(r, fd[0], name), "connect");
	fd[1] = must(accept(l, NULL, NULL), "accept");
	close(l);
}

#define POLL_ALL	(POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | \
			 POLLWRNORM)

static long bits(int fd)
{
	return tap_poll_now(fd, POLL_ALL);
}

static volatile sig_atomic_t sigpipes;

static void on_sigpipe(int sig)
{
	(void)sig;
	sigpipes++;
}

static void close_pair(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* --- behaviours ----------------------------------------------------------- */

static void boundaries(struct run *r)
{
	char buf[100];
	int fd[2];

	pair(r, fd);
	note(r, "send 5", send(fd[0], "hello", 5, 0));
	note(r, "send 3", send(fd[0], "abc", 3, 0));
	note(r, "send 0", send(fd[0], "", 0, 0));
	note(r, "write 2", write(fd[0], "xy", 2));
	note(r, "write 0", write(fd[0], "", 0));
	note(r, "recv 1st", recv(fd[1], buf, sizeof(buf), 0));
	note(r, "contents", memcmp(buf, "hello", 5));
	note(r, "read 2nd", read(fd[1], buf, sizeof(buf)));
	note(r, "contents", memcmp(buf, "abc", 3));
	note(r, "recv empty message", recv(fd[1], buf, sizeof(buf), 0));
	note(r, "read room 0", read(fd[1], buf, 0));
	note(r, "recv 4th", recv(fd[1], buf, sizeof(buf), MSG_WAITALL));
	note(r, "recv empty message",
	     recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT));
	note(r, "recv nothing", recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT));
	note(r, "other way", send(fd[1], "back", 4, 0));
	note(r, "other way", recv(fd[0], buf, sizeof(buf), 0));
	note(r, "recv room 0", (send(fd[0], "12", 2, 0),
				recv(fd[1], buf, 0, 0)));
	note(r, "it was consumed",
	     recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT));
	close_pair(fd);
}

static void peek_and_trunc(struct run *r)
{
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	char buf[100];
	int fd[2];

	pair(r, fd);
	must(send(fd[0], "0123456789", 10, 0), "send");
	must(send(fd[0], "second", 6, 0), "send");
	note(r, "peek", recv(fd[1], buf, sizeof(buf), MSG_PEEK));
	note(r, "peek again", recv(fd[1], buf, 4, MSG_PEEK));
	note(r, "peek trunc", recv(fd[1], buf, 4, MSG_PEEK | MSG_TRUNC));
	note(r, "peek room 0", recv(fd[1], buf, 0, MSG_PEEK | MSG_TRUNC));
	iov = (struct iovec) { buf, 4 };
	note(r, "recvmsg cut", recvmsg(fd[1], &msg, 0));
	note(r, "flags", msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC | MSG_OOB));
	iov = (struct iovec) { buf, 3 };
	note(r, "recvmsg MSG_TRUNC", recvmsg(fd[1], &msg, MSG_TRUNC));
	note(r, "flags", msg.msg_flags & MSG_TRUNC);
	note(r, "the rest is gone", recvmsg(fd[1], &msg, MSG_DONTWAIT));
	must(send(fd[0], "fits", 4, 0), "send");
	iov = (struct iovec) { buf, 4 };
	note(r, "recvmsg exact", recvmsg(fd[1], &msg, 0));
	note(r, "flags", msg.msg_flags & MSG_TRUNC);
	close_pair(fd);
}

static void vectors(struct run *r)
{
	struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } };
	char a[3], b[10];
	struct iovec in[2] = { { a, 3 }, { b, 10 } };
	struct iovec tiny[2] = { { a, 1 }, { b, 2 } };
	struct msghdr msg = { .msg_iov = tiny, .msg_iovlen = 2 };
	struct msghdr none = { 0 };
	int fd[2];

	pair(r, fd);
	note(r, "writev", writev(fd[0], out, 3));
	note(r, "readv", readv(fd[1], in, 2));
	note(r, "contents", memcmp(a, "abc", 3) || memcmp(b, "def", 3));
	note(r, "writev", writev(fd[0], out, 3));
	note(r, "small iovecs", recvmsg(fd[1], &msg, 0));
	note(r, "flags", msg.msg_flags & MSG_TRUNC);
	note(r, "contents", memcmp(a, "a", 1) || memcmp(b, "bc", 2));
	note(r, "sendmsg of no iovec", sendmsg(fd[0], &none, 0));
	note(r, "recv it", recv(fd[1], a, 1, MSG_DONTWAIT));
	note(r, "sendmsg bad pointer",
	     send(fd[0], (void *)8, 100, MSG_DONTWAIT));
	note(r, "nothing was sent", recv(fd[1], a, 1, MSG_DONTWAIT));
	must(send(fd[0], "xyz", 3, 0), "send");
	note(r, "recv bad pointer", recv(fd[1], (void *)8, 100, MSG_DONTWAIT));
	close_pair(fd);
}

static void unconnected(struct run *r)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char buf[4];
	int fd = sock(r, 0);

	note(r, "send", send(fd, "x", 1, MSG_NOSIGNAL));
	note(r, "recv", recv(fd, buf, 4, MSG_DONTWAIT));
	note(r, "blocking recv", recv(fd, buf, 4, 0));
	note(r, "getpeername", getpeername(fd, (struct sockaddr *)&a, &len));
	len = sizeof(a);
	note(r, "getsockname", getsockname(fd, (struct sockaddr *)&a, &len));
	note(r, "its length", len);
	note(r, "its family", a.ss_family == r->family);
	note(r, "poll", bits(fd));
	note(r, "shutdown", shutdown(fd, SHUT_RDWR));
	note(r, "shutdown nonsense", shutdown(fd, 7));
	close(fd);
	fd = sock(r, 0);
	note(r, "listen unbound", listen(fd, 3));
	note(r, "accept unbound", accept(fd, NULL, NULL));
	note(r, "connect to nobody", connect_to(r, fd, "/unix/nobody"));
	note(r, "still unconnected", send(fd, "x", 1, MSG_NOSIGNAL));
	close(fd);
}

static void creation(struct run *r)
{
	int v = 0, fd;
	socklen_t len = sizeof(v);

	note(r, "protocol 99", socket(r->family, SOCK_SEQPACKET, 99));
	note(r, "SOCK_STREAM of odd protocol",
	     socket(r->family, SOCK_SEQPACKET, -1));
	note(r, "no such type", socket(r->family, 9, 0));
	fd = sock(r, SOCK_NONBLOCK | SOCK_CLOEXEC);
	note(r, "FD_CLOEXEC", fcntl(fd, F_GETFD));
	note(r, "O_NONBLOCK", fcntl(fd, F_GETFL) & O_NONBLOCK);
	note(r, "SO_TYPE", getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len));
	note(r, "value", v);
	note(r, "SO_DOMAIN", getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &len));
	note(r, "value", v == r->family);
	note(r, "SO_PROTOCOL",
	     getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &v, &len));
	note(r, "value", v);
	note(r, "SO_ACCEPTCONN",
	     getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &len));
	note(r, "value", v);
	must(bind_to(r, fd, "/unix/creation"), "bind");
	must(listen(fd, 1), "listen");
	note(r, "SO_ACCEPTCONN",
	     getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &len));
	note(r, "value", v);
	note(r, "unknown option", getsockopt(fd, SOL_SOCKET, 9999, &v, &len));
	note(r, "unknown ioctl", ioctl(fd, 0x12345678, 0));
	note(r, "lseek", lseek(fd, 0, SEEK_CUR));
	close(fd);
}

static void names(struct run *r)
{
	struct sockaddr_storage want, a;
	socklen_t wlen, len;
	int l, c, s, x;

	l = sock(r, 0);
	note(r, "bind", bind_to(r, l, "/unix/names"));
	note(r, "bind again", bind_to(r, l, "/unix/names2"));
	x = sock(r, 0);
	note(r, "name in use", bind_to(r, x, "/unix/names"));
	note(r, "connect to bound, not listening",
	     connect_to(r, x, "/unix/names"));
	note(r, "listen", listen(l, 5));
	note(r, "listen again", listen(l, 6));
	note(r, "listener connects", connect_to(r, l, "/unix/names"));
	note(r, "listener sends", send(l, "x", 1, MSG_NOSIGNAL));
	note(r, "listener receives", recv(l, &a, 1, MSG_DONTWAIT));
	c = sock(r, 0);
	must(bind_to(r, c, "/unix/names/client"), "bind");
	note(r, "connect", connect_to(r, c, "/unix/names"));
	note(r, "connect again", connect_to(r, c, "/unix/names"));
	note(r, "listen connected", listen(c, 1));
	len = sizeof(a);
	s = note(r, "accept", accept(l, (struct sockaddr *)&a, &len)) >= 0;
	r->lines[r->count - 1].ret = s;
	wlen = address(r, &want, "/unix/names/client");
	note(r, "accept's address", len == wlen && !memcmp(&a, &want, len));
	close(c);
	c = sock(r, 0);
	must(connect_to(r, c, "/unix/names"), "connect");
	len = sizeof(a);
	s = must(accept(l, (struct sockaddr *)&a, &len), "accept");
	note(r, "accept's address, unnamed", len);
	wlen = address(r, &want, "/unix/names");
	len = sizeof(a);
	note(r, "peer of connected",
	     getpeername(c, (struct sockaddr *)&a, &len));
	note(r, "is the listener's", len == wlen && !memcmp(&a, &want, len));
	len = sizeof(a);
	note(r, "own name of accepted",
	     getsockname(s, (struct sockaddr *)&a, &len));
	note(r, "is the listener's", len == wlen && !memcmp(&a, &want, len));
	len = sizeof(a);
	note(r, "peer of accepted",
	     getpeername(s, (struct sockaddr *)&a, &len));
	note(r, "is unnamed", len);
	len = 3;
	note(r, "short room", getsockname(s, (struct sockaddr *)&a, &len));
	note(r, "length in full", len == wlen);
	close(l);
	note(r, "name free after close", bind_to(r, x, "/unix/names"));
	close(s);
	len = sizeof(a);
	note(r, "peer's name after its close",
	     getpeername(c, (struct sockaddr *)&a, &len));
	close(c);
	close(x);
}

static void from_address(struct run *r)
{
	struct sockaddr_storage want, a;
	socklen_t wlen, len;
	char buf[10];
	int fd[2];

	pair(r, fd);
	must(send(fd[0], "x", 1, 0), "send");
	len = sizeof(a);
	note(r, "socketpair: recvfrom",
	     recvfrom(fd[1], buf, 10, 0, (struct sockaddr *)&a, &len));
	note(r, "socketpair: length", len);
	close_pair(fd);
	named_pair(r, fd, "/unix/from");
	wlen = address(r, &want, "/unix/from");
	must(send(fd[1], "x", 1, 0), "send");
	len = sizeof(a);
	note(r, "from accepted",
	     recvfrom(fd[0], buf, 10, 0, (struct sockaddr *)&a, &len));
	note(r, "is the listener's", len == wlen && !memcmp(&a, &want, len));
	must(send(fd[0], "x", 1, 0), "send");
	len = sizeof(a);
	note(r, "from unnamed",
	     recvfrom(fd[1], buf, 10, 0, (struct sockaddr *)&a, &len));
	note(r, "length", len);
	close_pair(fd);
}

static void addresses(struct run *r)
{
	struct sockaddr_storage a;
	int fd = sock(r, 0);

	memset(&a, 0, sizeof(a));
	a.ss_family = AF_INET;
	note(r, "connect to another family",
	     connect(fd, (struct sockaddr *)&a, 16));
	note(r, "bind to another family",
	     bind(fd, (struct sockaddr *)&a, 16));
	a.ss_family = r->family;
	note(r, "connect, address of 1 byte",
	     connect(fd, (struct sockaddr *)&a, 1));
	note(r, "connect, address too long",
	     connect(fd, (struct sockaddr *)&a, sizeof(a) + 1));
	note(r, "connect, bad pointer",
	     connect(fd, (struct sockaddr *)8, 20));
	note(r, "bind, bad pointer", bind(fd, (struct sockaddr *)8, 20));
	close(fd);
}

static void backlog(struct run *r, int max, const char *name)
{
	int l = listener(r, name, max), c, i, s;

	fcntl(l, F_SETFL, O_NONBLOCK);
	note(r, "accept of nothing", accept(l, NULL, NULL));
	note(r, "poll listener", bits(l));
	for (i = 0; i < max + 2; i++) {
		c = sock(r, SOCK_NONBLOCK);
		note(r, "connect", connect_to(r, c, name));
		if (i < max + 1)
			must(send(c, "hi", 2, 0), "send before accept");
	}
	note(r, "poll listener", bits(l));
	s = must(accept(l, NULL, NULL), "accept");
	note(r, "data was waiting", recv(s, &i, 4, MSG_DONTWAIT));
	note(r, "accepted is blocking", fcntl(s, F_GETFL) & O_NONBLOCK);
	note(r, "room for one more", connect_to(r, c, name));
	c = sock(r, 0);
	must(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO,
			&(struct timeval) { .tv_usec = 20000 },
			sizeof(struct timeval)), "SO_SNDTIMEO");
	note(r, "connect times out", connect_to(r, c, name));
	for (i = 3; i < 64; i++)
		close(i);
}

static void backlog_0(struct run *r)
{
	backlog(r, 0, "/unix/backlog0");
}

static void backlog_1(struct run *r)
{
	backlog(r, 1, "/unix/backlog1");
}

static void listener_closes(struct run *r)
{
	int l = listener(r, "/unix/closes", 4), c = sock(r, 0), v = 0;
	socklen_t len = sizeof(v);
	char buf[4];

	must(connect_to(r, c, "/unix/closes"), "connect");
	close(l);
	note(r, "poll", bits(c));
	note(r, "SO_ERROR", getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &len));
	note(r, "value", v);
	note(r, "recv", recv(c, buf, 4, 0));
	note(r, "send", send(c, "x", 1, MSG_NOSIGNAL));
	note(r, "connect to the closed", connect_to(r, sock(r, 0),
						    "/unix/closes"));
	for (v = 3; v < 64; v++)
		close(v);
}

static void broken_pipe(struct run *r)
{
	char buf[4];
	int fd[2];

	signal(SIGPIPE, on_sigpipe);
	pair(r, fd);
	note(r, "poll both up", bits(fd[0]));
	close(fd[1]);
	note(r, "poll", bits(fd[0]));
	sigpipes = 0;
	note(r, "send", send(fd[0], "x", 1, 0));
	note(r, "SIGPIPE", sigpipes);
	note(r, "send MSG_NOSIGNAL", send(fd[0], "x", 1, MSG_NOSIGNAL));
	note(r, "no more SIGPIPE", sigpipes);
	note(r, "write", write(fd[0], "x", 1));
	note(r, "recv: end", recv(fd[0], buf, 4, 0));
	note(r, "recv: end again", recv(fd[0], buf, 4, 0));
	note(r, "recv: end, not to wait", recv(fd[0], buf, 4, MSG_DONTWAIT));
	note(r, "poll", bits(fd[0]));
	close(fd[0]);
	signal(SIGPIPE, SIG_IGN);
}

static void drain_then_end(struct run *r)
{
	char buf[10];
	int fd[2];

	pair(r, fd);
	must(send(fd[1], "one", 3, 0), "send");
	must(send(fd[1], "two", 3, 0), "send");
	close(fd[1]);
	note(r, "poll", bits(fd[0]));
	note(r, "first", recv(fd[0], buf, 10, 0));
	note(r, "second", recv(fd[0], buf, 10, 0));
	note(r, "end", recv(fd[0], buf, 10, 0));
	note(r, "end", recv(fd[0], buf, 10, 0));
	close(fd[0]);
}

static void reset(struct run *r)
{
	int fd[2], v = 0;
	socklen_t len = sizeof(v);
	char buf[10];

	pair(r, fd);
	must(send(fd[0], "unread", 6, 0), "send");
	close(fd[1]);
	note(r, "poll", bits(fd[0]));
	note(r, "recv", recv(fd[0], buf, 10, 0));
	note(r, "recv", recv(fd[0], buf, 10, 0));
	note(r, "poll", bits(fd[0]));
	note(r, "send", send(fd[0], "x", 1, MSG_NOSIGNAL));
	note(r, "recv", recv(fd[0], buf, 10, MSG_DONTWAIT));
	close(fd[0]);

	pair(r, fd);
	must(send(fd[0], "unread", 6, 0), "send");
	close(fd[1]);
	note(r, "send tells the reset", send(fd[0], "x", 1, MSG_NOSIGNAL));
	note(r, "send tells it once", send(fd[0], "x", 1, MSG_NOSIGNAL));
	note(r, "then the end", recv(fd[0], buf, 10, 0));
	close(fd[0]);

	pair(r, fd);
	must(send(fd[0], "unread", 6, 0), "send");
	close(fd[1]);
	note(r, "SO_ERROR", getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &v, &len));
	note(r, "value", v);
	note(r, "recv", recv(fd[0], buf, 10, 0));
	close(fd[0]);

	/* data for us, too: which comes first? */
	pair(r, fd);
	must(send(fd[0], "unread", 6, 0), "send");
	must(send(fd[1], "data", 4, 0), "send");
	close(fd[1]);
	note(r, "with data: 1st recv", recv(fd[0], buf, 10, 0));
	note(r, "with data: 2nd recv", recv(fd[0], buf, 10, 0));
	note(r, "with data: 3rd recv", recv(fd[0], buf, 10, 0));
	close(fd[0]);
}

static void shut(struct run *r, int how)
{
	char buf[10];
	int fd[2];

	pair(r, fd);
	must(send(fd[0], "to b", 4, 0), "send");
	must(send(fd[1], "to a!", 5, 0), "send");
	note(r, "shutdown", shutdown(fd[0], how));
	note(r, "a: poll", bits(fd[0]));
	note(r, "b: poll", bits(fd[1]));
	note(r, "a: recv", recv(fd[0], buf, 10, MSG_DONTWAIT));
	note(r, "a: recv", recv(fd[0], buf, 10, MSG_DONTWAIT));
	note(r, "b: recv", recv(fd[1], buf, 10, MSG_DONTWAIT));
	note(r, "b: recv", recv(fd[1], buf, 10, MSG_DONTWAIT));
	note(r, "a: poll drained", bits(fd[0]));
	note(r, "b: poll drained", bits(fd[1]));
	note(r, "a: send", send(fd[0], "xx", 2, MSG_NOSIGNAL));
	note(r, "b: send", send(fd[1], "yyy", 3, MSG_NOSIGNAL));
	note(r, "a: recv", recv(fd[0], buf, 10, MSG_DONTWAIT));
	note(r, "b: recv", recv(fd[1], buf, 10, MSG_DONTWAIT));
	note(r, "shutdown again", shutdown(fd[0], how));
	note(r, "b: shutdown", shutdown(fd[1], SHUT_RDWR));
	note(r, "a: poll after both", bits(fd[0]));
	note(r, "b: poll after both", bits(fd[1]));
	close(fd[1]);
	note(r, "a: poll after close", bits(fd[0]));
	note(r, "a: send after close", send(fd[0], "x", 1, MSG_NOSIGNAL));
	note(r, "a: shutdown after close", shutdown(fd[0], how));
	close(fd[0]);
}

static void shut_rd(struct run *r)
{
	shut(r, SHUT_RD);
}

static void shut_wr(struct run *r)
{
	shut(r, SHUT_WR);
}

static void shut_rdwr(struct run *r)
{
	shut(r, SHUT_RDWR);
}

static void shut_listener(struct run *r)
{
	int l = listener(r, "/unix/shutl", 4);

	fcntl(l, F_SETFL, O_NONBLOCK);
	note(r, "shutdown", shutdown(l, SHUT_RD));
	note(r, "accept", accept(l, NULL, NULL));
	note(r, "connect", connect_to(r, sock(r, SOCK_NONBLOCK),
				      "/unix/shutl"));
	for (l = 3; l < 16; l++)
		close(l);
}

static void poll_states(struct run *r)
{
	static char big[3000];
	int fd[2], n;
	long ret;

	pair(r, fd);
	note(r, "idle", bits(fd[0]));
	must(send(fd[1], "x", 1, 0), "send");
	note(r, "to read", bits(fd[0]));
	note(r, "the other", bits(fd[1]));
	note(r, "POLLIN only", tap_poll_now(fd[0], POLLIN));
	note(r, "POLLOUT only", tap_poll_now(fd[0], POLLOUT));
	note(r, "no events", tap_poll_now(fd[0], 0));
	must(recv(fd[0], big, 1, 0), "recv");
	note(r, "read it", bits(fd[0]));
	for (n = 0; n < 100000; n++) {
		ret = send(fd[0], big, sizeof(big), MSG_DONTWAIT);
		if (ret < 0)
			break;
	}
	note(r, "send when full", ret);
	note(r, "full", bits(fd[0]));
	note(r, "other side of full", bits(fd[1]));
	while (recv(fd[1], big, sizeof(big), MSG_DONTWAIT) > 0)
		;
	note(r, "drained", bits(fd[0]));
	note(r, "send again", send(fd[0], big, sizeof(big), MSG_DONTWAIT));
	close_pair(fd);
}

/*
 * A time-out counts ticks, and ticks that the guest's processor missed arrive
 * all at once: AF_UNIX's sleep has been seen to end early, too.
 */
static void timeouts(struct run *r)
{
	struct timeval tv = { .tv_usec = 300000 }, got;
	static char big[3000];
	uint64_t t0 = tap_now_ms();
	socklen_t len = sizeof(got);
	char buf[4];
	int fd[2];

	pair(r, fd);
	note(r, "SO_RCVTIMEO", setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv,
					  sizeof(tv)));
	note(r, "recv", recv(fd[0], buf, 4, 0));
	note(r, "it took its time", tap_now_ms() - t0 >= 150);
	note(r, "get", getsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len));
	note(r, "SO_SNDTIMEO", setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv,
					  sizeof(tv)));
	while (send(fd[0], big, sizeof(big), MSG_DONTWAIT) > 0)
		;
	t0 = tap_now_ms();
	note(r, "send", send(fd[0], big, sizeof(big), 0));
	note(r, "it took its time", tap_now_ms() - t0 >= 150);
	close_pair(fd);
}

static void nonblock(struct run *r)
{
	static char big[3000];
	char buf[4];
	int fd[2], one = 1;

	pair(r, fd);
	note(r, "F_SETFL", fcntl(fd[0], F_SETFL, O_NONBLOCK));
	note(r, "recv", recv(fd[0], buf, 4, 0));
	note(r, "read", read(fd[0], buf, 4));
	while (send(fd[0], big, sizeof(big), 0) > 0)
		;
	note(r, "send", send(fd[0], big, sizeof(big), 0));
	note(r, "write", write(fd[0], big, sizeof(big)));
	note(r, "FIONBIO", ioctl(fd[1], FIONBIO, &one));
	while (recv(fd[1], big, sizeof(big), 0) > 0)
		;
	note(r, "recv", recv(fd[1], big, 4, 0));
	close_pair(fd);
}

static void queues(struct run *r)
{
	int fd[2], v = -1;

	pair(r, fd);
	note(r, "FIONREAD of nothing", ioctl(fd[1], FIONREAD, &v));
	note(r, "value", v);
	must(send(fd[0], "hello", 5, 0), "send");
	note(r, "FIONREAD of one", ioctl(fd[1], FIONREAD, &v));
	note(r, "value", v);
	must(send(fd[0], "abc", 3, 0), "send");
	note(r, "FIONREAD of two", ioctl(fd[1], FIONREAD, &v));
	note(r, "FIONREAD of two: bytes", v);
	note(r, "SIOCOUTQ", ioctl(fd[0], SIOCOUTQ, &v));
	note(r, "at least what was sent", v >= 8);
	recv(fd[1], &v, 4, 0);
	recv(fd[1], &v, 4, 0);
	note(r, "SIOCOUTQ", ioctl(fd[0], SIOCOUTQ, &v));
	note(r, "nothing left", v);
	note(r, "FIONREAD bad pointer", ioctl(fd[0], FIONREAD, 8));
	close_pair(fd);
	v = -1;
	fd[0] = listener(r, "/unix/queues", 1);
	note(r, "FIONREAD of a listener", ioctl(fd[0], FIONREAD, &v));
	close(fd[0]);
}

static void credentials(struct run *r)
{
	int l = listener(r, "/unix/creds", 4), s, status;
	struct ucred c = { 0 };
	socklen_t len = sizeof(c);
	pid_t pid;
	int up[2];

	must(pipe(up), "pipe");
	pid = must(fork(), "fork");
	if (!pid) {
		int fd = sock(r, 0);

		if (setgroups(0, NULL) || setresgid(2002, 2002, 2002) ||
		    setresuid(1001, 1001, 1001))
			_exit(9);
		if (connect_to(r, fd, "/unix/creds"))
			_exit(8);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len))
			_exit(7);
		if (c.pid != getppid() || c.uid || c.gid)
			_exit(6);
		if (write(up[1], "x", 1) != 1)
			_exit(5);
		/* stays until the other side has looked */
		_exit(recv(fd, &c, sizeof(c), 0) == 1 ? 0 : 4);
	}
	s = must(accept(l, NULL, NULL), "accept");
	note(r, "SO_PEERCRED", getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c,
					  &len));
	note(r, "pid", c.pid == pid);
	note(r, "uid", c.uid);
	note(r, "gid", c.gid);
	must(read(up[0], &status, 1), "pipe");
	must(send(s, "x", 1, 0), "send");
	note(r, "child saw the listener's", tap_wait(pid));
	close(s);
	close(up[0]);
	close(up[1]);

	pair(r, &up[0]);
	note(r, "socketpair", getsockopt(up[0], SOL_SOCKET, SO_PEERCRED, &c,
					 &len));
	note(r, "pid", c.pid == getpid());
	note(r, "uid", c.uid);
	close_pair(up);
	len = sizeof(c);
	s = sock(r, 0);
	note(r, "unconnected", getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c,
					  &len));
	note(r, "pid", c.pid);
	note(r, "uid", (int)c.uid);
	close(s);
	close(l);
}

static void pass_fd(int over, int fd, struct msghdr *msg, char *buf)
{
	struct cmsghdr *cm;

	msg->msg_control = buf;
	msg->msg_controllen = CMSG_SPACE(sizeof(int));
	cm = CMSG_FIRSTHDR(msg);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	(void)over;
}

static void descriptors(struct run *r)
{
	char buf[8], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { "fd", 2 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd[2], un[2], d, got = -1, status;
	pid_t pid;

	/* dup: the other end sees the end when the last copy is closed */
	pair(r, fd);
	d = dup(fd[0]);
	close(fd[0]);
	note(r, "send on a copy", send(d, "dup", 3, 0));
	note(r, "recv", recv(fd[1], buf, 8, 0));
	close(d);
	note(r, "end", recv(fd[1], buf, 8, 0));
	close(fd[1]);

	/* fork: both have it */
	pair(r, fd);
	pid = must(fork(), "fork");
	if (!pid) {
		close(fd[0]);
		_exit(recv(fd[1], buf, 8, 0) == 2 &&
		      send(fd[1], "child", 5, 0) == 5 ? 0 : 1);
	}
	close(fd[1]);
	note(r, "send to child", send(fd[0], "hi", 2, 0));
	note(r, "recv from child", recv(fd[0], buf, 8, 0));
	waitpid(pid, &status, 0);
	note(r, "child", status);
	note(r, "end after its exit", recv(fd[0], buf, 8, 0));
	close(fd[0]);

	/* over SCM_RIGHTS of an AF_UNIX socket */
	pair(r, fd);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, un), "socketpair");
	memset(control, 0, sizeof(control));
	pass_fd(un[0], fd[0], &msg, control);
	must(sendmsg(un[0], &msg, 0), "SCM_RIGHTS");
	close(fd[0]);
	iov = (struct iovec) { buf, 8 };
	memset(control, 0, sizeof(control));
	msg.msg_controllen = sizeof(control);
	must(recvmsg(un[1], &msg, 0), "SCM_RIGHTS");
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	note(r, "send on the passed", send(got, "via", 3, 0));
	note(r, "recv", recv(fd[1], buf, 8, 0));
	close(got);
	note(r, "end", recv(fd[1], buf, 8, 0));
	close(fd[1]);
	close_pair(un);

	/* over the family's own sockets */
	pair(r, fd);
	iov = (struct iovec) { "fd", 2 };
	memset(control, 0, sizeof(control));
	pass_fd(fd[0], 1, &msg, control);
	note(r, "SCM_RIGHTS over itself", sendmsg(fd[0], &msg, 0));
	close_pair(fd);
}

static void odd_sends(struct run *r)
{
	struct sockaddr_storage a;
	socklen_t len = address(r, &a, "/unix/odd");
	static char big[4 << 20];
	char buf[4];
	int fd[2];

	named_pair(r, fd, "/unix/odd");
	note(r, "sendto with a name", sendto(fd[0], "x", 1, 0,
					     (struct sockaddr *)&a, len));
	while (recv(fd[1], buf, 4, MSG_DONTWAIT) > 0)
		;
	note(r, "send MSG_OOB", send(fd[0], "x", 1, MSG_OOB));
	note(r, "recv MSG_OOB", recv(fd[0], buf, 4, MSG_OOB | MSG_DONTWAIT));
	note(r, "send MSG_EOR", send(fd[0], "x", 1, MSG_EOR));
	note(r, "send MSG_MORE", send(fd[0], "x", 1, MSG_MORE));
	note(r, "4 MiB", send(fd[0], big, sizeof(big), 0));
	note(r, "accept on connected", accept(fd[0], NULL, NULL));
	close_pair(fd);
}

/* --- on purpose different ------------------------------------------------- */

struct difference {
	const char *behaviour;
	const char *what;
	long ret;	/* of AF_WEIR */
	int err;
	const char *why;
};

static const struct difference differences[] = {
	{ "broken_pipe", "SIGPIPE", 1, 0,
	  "POSIX wants it of connections; AF_UNIX has it for SOCK_STREAM" },
	{ "broken_pipe", "no more SIGPIPE", 1, 0,
	  "the one from before" },
	{ "queues", "FIONREAD of two: bytes", 5, 0,
	  "it is the next message's length, as of datagrams" },
	{ "descriptors", "SCM_RIGHTS over itself", -1, EINVAL,
	  "weir carries none, and says so" },
	{ "odd_sends", "sendto with a name", -1, EISCONN,
	  "a name that would be ignored is refused, as POSIX says" },
};

/* --- the table ------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*run)(struct run *r);
} behaviours[] = {
	{ "creation", creation },
	{ "boundaries", boundaries },
	{ "peek_and_trunc", peek_and_trunc },
	{ "vectors", vectors },
	{ "unconnected", unconnected },
	{ "names", names },
	{ "from_address", from_address },
	{ "addresses", addresses },
	{ "backlog_0", backlog_0 },
	{ "backlog_1", backlog_1 },
	{ "listener_closes", listener_closes },
	{ "broken_pipe", broken_pipe },
	{ "drain_then_end", drain_then_end },
	{ "reset", reset },
	{ "shut_rd", shut_rd },
	{ "shut_wr", shut_wr },
	{ "shut_rdwr", shut_rdwr },
	{ "shut_listener", shut_listener },
	{ "poll_states", poll_states },
	{ "timeouts", timeouts },
	{ "nonblock", nonblock },
	{ "queues", queues },
	{ "credentials", credentials },
	{ "descriptors", descriptors },
	{ "odd_sends", odd_sends },
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static int same(const struct line *a, long ret, int err)
{
	return a->ret == ret && a->err == err;
}

static void compare(const char *name, const struct run *u, const struct run *w)
{
	int i, wrong = 0, purpose = 0;
	size_t d;

	for (i = 0; i < u->count && i < w->count; i++) {
		const struct line *a = &u->lines[i], *b = &w->lines[i];
		int known = 0;

		for (d = 0; d < COUNT(differences); d++) {
			const struct difference *x = &differences[d];

			if (strcmp(x->behaviour, name) ||
			    strcmp(x->what, b->what))
				continue;
			known |= same(b, x->ret, x->err);
		}
		if (same(a, b->ret, b->err))
			continue;
		if (known) {
			purpose++;
			continue;
		}
		wrong++;
		tap_diag("%s: line %d, %s: AF_UNIX %ld %s, AF_WEIR %ld %s",
			 name, i, a->what, a->ret,
			 a->err ? strerrorname_np(a->err) : "-", b->ret,
			 b->err ? strerrorname_np(b->err) : "-");
	}
	wrong += u->count != w->count;
	tap_ok(!wrong, "%s: %d results as AF_UNIX's, %d different on purpose",
	       name, w->count - wrong - purpose, purpose);
}

/* Each line of the table of differences must still be true. */
static void still_different(size_t b, const struct run *u, const struct run *w)
{
	size_t d;
	int i, seen;

	for (d = 0; d < COUNT(differences); d++) {
		const struct difference *x = &differences[d];

		if (strcmp(x->behaviour, behaviours[b].name))
			continue;
		for (i = 0, seen = 0; i < w->count; i++)
			seen |= !strcmp(x->what, w->lines[i].what) &&
				same(&w->lines[i], x->ret, x->err) &&
				!same(&u->lines[i], x->ret, x->err);
		tap_ok(seen, "%s, %s: differs because %s", x->behaviour,
		       x->what, x->why);
	}
}

int main(void)
{
	static struct run u, w;
	size_t i;

	tap_family();
	tap_watchdog(300);
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < COUNT(behaviours); i++) {
		memset(&u, 0, sizeof(u));
		memset(&w, 0, sizeof(w));
		u.family = AF_UNIX;
		w.family = tap_family();
		w.weir = 1;
		behaviours[i].run(&u);
		behaviours[i].run(&w);
		compare(behaviours[i].name, &u, &w);
		still_different(i, &u, &w);
	}
	return tap_done();
}
