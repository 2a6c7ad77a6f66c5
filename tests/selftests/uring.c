// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring drives weir sockets as any others: POLL_ADD (once and repeated),
 * RECV, SEND, READ, WRITE, ACCEPT and CONNECT complete at once when they can,
 * when somebody else makes it possible if not, and can be cancelled. Options may
 * be set through it, but nothing sleeps in them. Uses the bare system calls, so
 * that it needs no library; skipped where the kernel has no io_uring.
 */
#include "uring.h"

static int pending(void)
{
	struct io_uring_cqe cqe;

	return !reap(&cqe);
}

/* Waits for the completion of @id; its result. */
static int result(uint64_t id)
{
	struct io_uring_cqe cqe = { 0 };

	if (!tap_until(reap(&cqe)))
		return -ETIME;
	if (cqe.user_data != id) {
		tap_diag("completion of %llu instead of %llu",
			 (unsigned long long)cqe.user_data,
			 (unsigned long long)id);
		return -EBADMSG;
	}
	return cqe.res;
}

static struct io_uring_sqe op_io(int opcode, int fd, void *buf, int len)
{
	return (struct io_uring_sqe) {
		.opcode = opcode, .fd = fd, .addr = (uintptr_t)buf,
		.len = len,
	};
}

static void polls(void)
{
	int p = tap_publisher(SOCK_RDM, "/uring/poll", 4096), n, res, bad = 0;
	int s = tap_subscriber(SOCK_RDM, "/uring/poll");
	struct io_uring_cqe cqe;
	char buf[8];

	submit(op_poll(p, POLLOUT, 0), 1);
	tap_ok(result(1) & POLLOUT, "POLL_ADD of a writable socket");
	submit(op_poll(s, POLLIN, 0), 2);
	tap_ok(pending(), "POLL_ADD of a socket with nothing waits");
	send(p, "x", 1, 0);
	tap_ok(result(2) & POLLIN, "a message completes it");
	recv(s, buf, 8, 0);
	while (send(p, "x", 1, MSG_DONTWAIT) == 1)
		;
	submit(op_poll(p, POLLOUT, 0), 3);
	tap_ok(pending(), "POLL_ADD of a full publisher waits");
	while (recv(s, buf, 8, MSG_DONTWAIT) == 1)
		;
	tap_ok(result(3) & POLLOUT, "reading completes it");

	submit(op_poll(s, POLLIN, IORING_POLL_ADD_MULTI), 4);
	for (n = 0; n < 10; n++) {
		send(p, "x", 1, 0);
		res = tap_until(reap(&cqe)) ? cqe.res : -ETIME;
		if (cqe.user_data != 4 || !(res & POLLIN) ||
		    !(cqe.flags & IORING_CQE_F_MORE))
			break;
		bad += recv(s, buf, 8, MSG_DONTWAIT) != 1;
	}
	tap_is(n - bad, 10, "a repeated POLL_ADD tells each message");
	submit((struct io_uring_sqe) {
		.opcode = IORING_OP_POLL_REMOVE, .addr = 4,
	}, 5);
	res = 0;
	for (n = 0; n < 2 && tap_until(reap(&cqe)); n++)
		res += cqe.user_data == 5 ? cqe.res == 0 :
		       cqe.user_data == 4 && cqe.res == -ECANCELED;
	tap_is(res, 2, "POLL_REMOVE ends it");
	close(p);
	close(s);
}

/* An option, as io_uring sets them since 6.7; what came of it. */
static int set_option(int fd, int option, const void *value, uint32_t len)
{
	submit((struct io_uring_sqe) {
		.opcode = IORING_OP_URING_CMD, .fd = fd,
		.off = 3,			/* SOCKET_URING_OP_SETSOCKOPT */
		.addr = SOL_WEIR | (uint64_t)option << 32,
		.splice_fd_in = (int32_t)len,	/* optlen */
		.addr3 = (uint64_t)(uintptr_t)value,
	}, 6);
	return result(6);
}

static void options(void)
{
	struct weir_so_wait wait = { .flags = WEIR_WAIT_OUT, .timeout_ns = -1 };
	int fd = tap_publisher(SOCK_RDM, "/uring/options", 4096);
	int kick = WEIR_KICK_READERS;

	tap_is(set_option(fd, WEIR_SO_WAIT, &wait, sizeof(wait)), -EOPNOTSUPP,
	       "nobody sleeps in io_uring's part");
	if (set_option(fd, WEIR_SO_KICK, &kick, sizeof(kick)) == -EOPNOTSUPP) {
		tap_diag("it sets no options here");
	} else {
		wait.timeout_ns = 0;
		tap_is(set_option(fd, WEIR_SO_WAIT, &wait, sizeof(wait)),
		       WEIR_WAIT_OUT, "but looks");
	}
	wait.timeout_ns = -1;
	tap_is(tap_sleep(fd, &wait), WEIR_WAIT_OUT, "as setsockopt() does");
	close(fd);
}

static void transfers(int read_op, int write_op, const char *name)
{
	static char out[2000], in[2000];
	long n = tap_scale(300, 20), i, bad = 0;
	struct io_uring_cqe cqe = { 0 };
	int fd[2];

	tap_diag("%s", name);
	if (socketpair(tap_family(), SOCK_SEQPACKET, 0, fd))
		tap_bail("socketpair");
	submit(op_io(write_op, fd[0], "hello", 5), 1);
	tap_is(result(1), 5, "sent at once");
	submit(op_io(read_op, fd[1], in, 100), 2);
	tap_is(result(2), 5, "received at once");
	tap_ok(!memcmp(in, "hello", 5), "contents");
	submit(op_io(read_op, fd[1], in, 100), 3);
	tap_ok(pending(), "a receiver waits");
	send(fd[0], "later", 5, 0);
	tap_is(result(3), 5, "a message completes it");
	tap_ok(!memcmp(in, "later", 5), "contents");
	for (i = 0; i < n; i++) {
		int len = i * 7 % 2000, k;
		unsigned int seen = 0;

		tap_fill(out, len, i);
		/* the receiver first, so that each one is woken */
		submit(op_io(read_op, fd[1], in, sizeof(in)), 10);
		submit(op_io(write_op, fd[0], out, len), 11);
		/* the two complete in either order */
		for (k = 0; k < 2; k++) {
			bad += !tap_until(reap(&cqe));
			bad += cqe.res != len;
			seen |= 1u << (cqe.user_data - 10);
		}
		bad += seen != 3 || !tap_filled(in, len, i);
	}
	tap_is(bad, 0, "a waiting receiver gets each of many messages whole");
	while (send(fd[0], out, sizeof(out), MSG_DONTWAIT) > 0)
		;
	submit(op_io(write_op, fd[0], out, sizeof(out)), 4);
	tap_ok(pending(), "a sender waits for room");
	while (recv(fd[1], in, sizeof(in), MSG_DONTWAIT) > 0)
		;
	tap_is(result(4), sizeof(out), "reading completes it");
	while (recv(fd[1], in, sizeof(in), MSG_DONTWAIT) > 0)
		;
	submit(op_io(read_op, fd[0], in, 100), 5);
	tap_ok(pending(), "a receiver waits");
	close(fd[1]);
	tap_is(result(5), 0, "the peer's close ends it");
	submit(op_io(write_op, fd[0], out, 10), 6);
	tap_is(result(6), -EPIPE, "a send after that fails");
	close(fd[0]);
}

static void connections(void)
{
	int l = tap_socket(SOCK_SEQPACKET), c = tap_socket(SOCK_SEQPACKET), s;
	struct sockaddr_weir addr;
	socklen_t len = tap_addr(&addr, "/uring/listen");
	char buf[8];

	if (tap_bind(l, "/uring/listen") || listen(l, 4))
		tap_bail("listen");
	submit((struct io_uring_sqe) {
		.opcode = IORING_OP_ACCEPT, .fd = l,
	}, 1);
	tap_ok(pending(), "ACCEPT waits");
	submit((struct io_uring_sqe) {
		.opcode = IORING_OP_CONNECT, .fd = c,
		.addr = (uintptr_t)&addr, .off = len,
	}, 2);
	s = result(2);
	tap_is(s, 0, "CONNECT completes at once");
	s = result(1);
	tap_ok(s >= 0, "ACCEPT completes");
	send(c, "ring", 4, 0);
	tap_is(recv(s, buf, 8, 0), 4, "they are connected");
	close(s);
	close(c);
	close(l);
	c = tap_socket(SOCK_SEQPACKET);
	submit((struct io_uring_sqe) {
		.opcode = IORING_OP_CONNECT, .fd = c,
		.addr = (uintptr_t)&addr, .off = len,
	}, 3);
	tap_is(result(3), -ECONNREFUSED, "CONNECT to nobody");
	close(c);
}

static void cancels(void)
{
	int s = tap_subscriber(SOCK_RDM, "/uring/cancel"), n, good = 0, p;
	struct io_uring_cqe cqe;
	char buf[8];

	submit(op_io(IORING_OP_RECV, s, buf, 8), 1);
	tap_ok(pending(), "RECV of a subscriber without publisher waits");
	submit((struct io_uring_sqe) {
		.opcode = IORING_OP_ASYNC_CANCEL, .addr = 1,
	}, 2);
	for (n = 0; n < 2 && tap_until(reap(&cqe)); n++)
		good += cqe.user_data == 2 ? cqe.res == 0 :
			cqe.user_data == 1 && cqe.res == -ECANCELED;
	tap_is(good, 2, "and is cancelled");
	submit(op_io(IORING_OP_RECV, s, buf, 8), 3);
	tap_ok(pending(), "it waits again");
	p = tap_publisher(SOCK_RDM, "/uring/cancel", 4096);
	send(p, "new", 3, 0);
	tap_is(result(3), 3, "a publisher that comes later completes it");
	/* in flight when the ring ends */
	submit(op_io(IORING_OP_RECV, s, buf, 8), 4);
	close(s);
	close(p);
	tap_ok(pending() && tap_stat("stats/sockets") > 0,
	       "one that is closed meanwhile waits on");
}

int main(void)
{
	const char *why;

	tap_family();
	tap_watchdog(200);
	signal(SIGPIPE, SIG_IGN);
	why = uring_setup();
	if (why)
		tap_skip_all(why);
	polls();
	options();
	transfers(IORING_OP_RECV, IORING_OP_SEND, "RECV and SEND");
	transfers(IORING_OP_READ, IORING_OP_WRITE, "READ and WRITE");
	connections();
	cancels();
	uring_end();
	tap_ok(tap_until(!tap_stat("stats/sockets")),
	       "the end of the ring lets go of that socket, too");
	return tap_done();
}
