// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the calls of module/sock/ by kernel code, whose sockets have no
 * process and whose messages are in kernel memory: publishing, subscribing,
 * connected pairs, and that nothing is left of a socket that is released.
 *
 * Runs in KUnit's thread. The namespace is the initial one, in which nothing
 * else runs meanwhile.
 */
#include "../socket.h"

static const char path[] = "/kunit/sock";

enum { SUBSCRIBERS = 3 };

/**
 * struct fixture - sockets
 * @from: a publisher, or the listener of a pair.
 * @to: subscribers, or the ends of a pair; NULL: there is none.
 * @wn: their namespace.
 * @rings: its rings before.
 */
struct fixture {
	struct socket	*from;
	struct socket	*to[SUBSCRIBERS];
	struct weir_net	*wn;
	int		rings;
};

static int send(struct socket *sock, const void *data, size_t len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };

	return kernel_sendmsg(sock, &msg, &vec, 1, len);
}

/* @flags: out: those of the message. */
static int receive(struct socket *sock, void *data, size_t room, int *flags)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = data, .iov_len = room };
	int len;

	len = kernel_recvmsg(sock, &msg, &vec, 1, room, MSG_DONTWAIT);
	*flags = msg.msg_flags;
	return len;
}

static void expect_message(struct kunit *test, struct socket *sock,
			   const char *text)
{
	char buf[32] = {};
	int flags;

	KUNIT_EXPECT_EQ(test, receive(sock, buf, sizeof(buf) - 1, &flags),
			(int)strlen(text));
	KUNIT_EXPECT_STREQ(test, buf, text);
	KUNIT_EXPECT_EQ(test, flags & MSG_TRUNC, 0);
}

static void expect_none(struct kunit *test, struct socket *sock)
{
	char buf[32];
	int flags;

	KUNIT_EXPECT_EQ(test, receive(sock, buf, sizeof(buf), &flags), -EAGAIN);
}

static void publish_to(struct kunit *test, unsigned int subscribers)
{
	struct fixture *f = test->priv;
	unsigned int i;

	f->from = socket_make(test, SOCK_RDM);
	KUNIT_ASSERT_EQ(test, socket_bind(f->from, path), 0);
	for (i = 0; i < subscribers; i++) {
		f->to[i] = socket_make(test, SOCK_RDM);
		KUNIT_ASSERT_EQ(test, socket_connect(f->to[i], path), 0);
	}
}

static void sendmsg__reaches_every_subscriber(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	publish_to(test, SUBSCRIBERS);
	KUNIT_EXPECT_EQ(test, send(f->from, "one", 3), 3);
	KUNIT_EXPECT_EQ(test, send(f->from, "", 0), 0);
	KUNIT_EXPECT_EQ(test, send(f->from, "three", 5), 5);
	for (i = 0; i < SUBSCRIBERS; i++) {
		expect_message(test, f->to[i], "one");
		expect_message(test, f->to[i], "");
		expect_message(test, f->to[i], "three");
		expect_none(test, f->to[i]);
	}
	KUNIT_EXPECT_EQ(test, atomic64_read(&weir_sk(f->from->sk)->counts.sent),
			3);
	KUNIT_EXPECT_EQ(test,
			atomic64_read(&weir_sk(f->to[0]->sk)->counts.received),
			3);
}

static void sendmsg__without_an_outbox_is_refused_with_words(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->from = socket_make(test, SOCK_RDM);
	KUNIT_EXPECT_LT(test, send(f->from, "one", 3), 0);
	KUNIT_EXPECT_NOT_NULL(test, weir_sk(f->from->sk)->owner.why);
}

/* The rest of a message is gone with it, and the next one is whole. */
static void recvmsg__cuts_what_has_no_room(struct kunit *test)
{
	struct fixture *f = test->priv;
	char buf[4] = "....";
	int flags;

	publish_to(test, 1);
	KUNIT_EXPECT_EQ(test, send(f->from, "longer", 6), 6);
	KUNIT_EXPECT_EQ(test, send(f->from, "next", 4), 4);
	KUNIT_EXPECT_EQ(test, receive(f->to[0], buf, 3, &flags), 3);
	KUNIT_EXPECT_EQ(test, memcmp(buf, "lon.", 4), 0);
	KUNIT_EXPECT_NE(test, flags & MSG_TRUNC, 0);
	expect_message(test, f->to[0], "next");
	expect_none(test, f->to[0]);
}

/* A reader that does not read stops the publisher, and no one else does. */
static void sendmsg__waits_for_a_reader_and_goes_on_without_it(struct kunit *test)
{
	struct fixture *f = test->priv;
	char buf[512] = {};
	int n = 0, flags;

	publish_to(test, 2);
	while (send(f->from, buf, sizeof(buf)) == sizeof(buf)) {
		KUNIT_ASSERT_LT(test, ++n, 100000);
		KUNIT_ASSERT_EQ(test, receive(f->to[0], buf, sizeof(buf),
					      &flags), (int)sizeof(buf));
	}
	KUNIT_EXPECT_GT(test, n, 1);
	KUNIT_EXPECT_EQ(test, send(f->from, buf, sizeof(buf)), -EAGAIN);
	sock_release(f->to[1]);
	f->to[1] = NULL;
	KUNIT_EXPECT_EQ(test, send(f->from, buf, sizeof(buf)),
			(int)sizeof(buf));
}

static void make_pair(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->from = socket_make(test, SOCK_SEQPACKET);
	KUNIT_ASSERT_EQ(test, socket_bind(f->from, path), 0);
	KUNIT_ASSERT_EQ(test, kernel_listen(f->from, 1), 0);
	f->to[0] = socket_make(test, SOCK_SEQPACKET);
	KUNIT_ASSERT_EQ(test, socket_connect(f->to[0], path), 0);
	KUNIT_ASSERT_EQ(test, kernel_accept(f->from, &f->to[1], O_NONBLOCK), 0);
}

static void accept__joins_a_pair(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct socket *more = NULL;

	make_pair(test);
	KUNIT_EXPECT_EQ(test, kernel_accept(f->from, &more, O_NONBLOCK),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, send(f->to[0], "there", 5), 5);
	KUNIT_EXPECT_EQ(test, send(f->to[1], "back", 4), 4);
	expect_message(test, f->to[1], "there");
	expect_message(test, f->to[0], "back");
	expect_none(test, f->to[0]);
	expect_none(test, f->to[1]);
}

/* What was sent before is still received; then comes the end, not an error. */
static void shutdown__ends_one_direction(struct kunit *test)
{
	struct fixture *f = test->priv;
	char buf[8];
	int flags;

	make_pair(test);
	KUNIT_EXPECT_EQ(test, send(f->to[0], "last", 4), 4);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(f->to[0], SHUT_WR), 0);
	KUNIT_EXPECT_EQ(test, send(f->to[0], "more", 4), -EPIPE);
	expect_message(test, f->to[1], "last");
	KUNIT_EXPECT_EQ(test, receive(f->to[1], buf, sizeof(buf), &flags), 0);
	KUNIT_EXPECT_EQ(test, send(f->to[1], "back", 4), 4);
	expect_message(test, f->to[0], "back");
}

/* With messages that nobody has read, and a pair that nobody has accepted. */
static void release__leaves_no_ring(struct kunit *test)
{
	struct fixture *f = test->priv;

	publish_to(test, 1);
	KUNIT_EXPECT_EQ(test, send(f->from, "lost", 4), 4);
	KUNIT_EXPECT_GT(test, atomic_read(&f->wn->nrings), f->rings);
	socket_release(&f->from, 1);
	socket_release(f->to, SUBSCRIBERS);
	KUNIT_EXPECT_TRUE(test, socket_rings_left(f->wn, f->rings));
	f->from = socket_make(test, SOCK_SEQPACKET);
	KUNIT_ASSERT_EQ(test, socket_bind(f->from, path), 0);
	KUNIT_ASSERT_EQ(test, kernel_listen(f->from, 1), 0);
	f->to[0] = socket_make(test, SOCK_SEQPACKET);
	KUNIT_ASSERT_EQ(test, socket_connect(f->to[0], path), 0);
	KUNIT_EXPECT_EQ(test, send(f->to[0], "lost", 4), 4);
	socket_release(&f->from, 1);
	socket_release(f->to, SUBSCRIBERS);
	KUNIT_EXPECT_TRUE(test, socket_rings_left(f->wn, f->rings));
}

static int sock_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->wn = socket_net(test);
	f->rings = atomic_read(&f->wn->nrings);
	test->priv = f;
	return 0;
}

static void sock_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	socket_release(&f->from, 1);
	socket_release(f->to, SUBSCRIBERS);
	socket_rings_left(f->wn, f->rings);
}

static struct kunit_case sock_cases[] = {
	KUNIT_CASE(sendmsg__reaches_every_subscriber),
	KUNIT_CASE(sendmsg__without_an_outbox_is_refused_with_words),
	KUNIT_CASE(sendmsg__waits_for_a_reader_and_goes_on_without_it),
	KUNIT_CASE(recvmsg__cuts_what_has_no_room),
	KUNIT_CASE(accept__joins_a_pair),
	KUNIT_CASE(shutdown__ends_one_direction),
	KUNIT_CASE(release__leaves_no_ring),
	{}
};

static struct kunit_suite sock_suite = {
	.name = "weir_sock_kernel",
	.init = sock_test_init,
	.exit = sock_test_exit,
	.test_cases = sock_cases,
};

kunit_test_suites(&sock_suite);
