// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the table of socket options in module/ctl/option.c, as setsockopt()
 * of kernel code reaches it: ranges, sizes, what may still be set once the
 * socket has its path, and that a refusal has words and changes nothing.
 *
 * Runs in KUnit's thread. The namespace is the initial one.
 */
#include "../socket.h"
#include "ring/ring.h"
#include "uapi/weir.h"

/**
 * struct row - an option that is an int
 * @name: the option.
 * @at: offset of its value in struct weir_sock.
 * @early: it can't be set once the socket has its path.
 * @good: values that it takes; the last one stays.
 * @bad: values that it refuses.
 */
struct row {
	int	name;
	size_t	at;
	bool	early;
	int	good[3];
	int	bad[4];
};

#define OPT(member)	offsetof(struct weir_sock, opt.member)

static const struct row rows[] = {
	{ WEIR_SO_RING_BYTES, OPT(ring_bytes), true,
	  { WEIR_RING_MIN, 1 << 20, 8192 },
	  { 0, WEIR_RING_MIN / 2, WEIR_RING_MIN + 1, INT_MIN } },
	{ WEIR_SO_INBOX_BYTES, OPT(inbox_bytes), true,
	  { WEIR_RING_MIN, 1 << 20, 8192 },
	  { 0, WEIR_RING_MIN / 2, 3 * WEIR_RING_MIN, -1 } },
	{ WEIR_SO_NODE, OPT(node), true,
	  { 0, NUMA_NO_NODE, 0 }, { -2, MAX_NUMNODES, INT_MAX, INT_MIN } },
	{ WEIR_SO_MODE, offsetof(struct weir_sock, owner.mode), true,
	  { 0, 0777, 0640 }, { -1, 01000, INT_MAX, INT_MIN } },
	{ WEIR_SO_EVICT_MS, OPT(evict_ms), false,
	  { 0, INT_MAX, 70 }, { -1, -2, INT_MIN + 1, INT_MIN } },
	{ WEIR_SO_LINGER_MS, OPT(linger_ms), false,
	  { 0, INT_MAX, 71 }, { -1, -2, INT_MIN + 1, INT_MIN } },
	{ WEIR_SO_HOLD_MS, OPT(hold_ms), true,
	  { 0, INT_MAX, 72 }, { -1, -2, INT_MIN + 1, INT_MIN } },
	{ WEIR_SO_START, OPT(start), true,
	  { WEIR_START_OLDEST, WEIR_START_TAIL, WEIR_START_OLDEST },
	  { -1, WEIR_START_OLDEST + 1, INT_MAX, INT_MIN } },
	{ WEIR_SO_DEMAND, OPT(demand), true,
	  { -1, 0, INT_MAX }, { -2, -3, INT_MIN + 1, INT_MIN } },
	{ WEIR_SO_HUGE, OPT(huge), true,
	  { 0, 1, 0 }, { -1, 2, INT_MAX, INT_MIN } },
};

/* Options that can only be read, and numbers that are no option. */
static const int unset[] = {
	WEIR_SO_PATH, WEIR_SO_PEER_PATH, WEIR_SO_ERROR_TEXT, WEIR_SO_INFO,
	0, WEIR_SO_DRAIN + 1, 63, 64, 4096, INT_MAX, -1, INT_MIN,
};

static int set_bytes(struct socket *sock, int name, const void *value,
		     unsigned int len)
{
	weir_sk(sock->sk)->owner.why = NULL;
	return sock->ops->setsockopt(sock, SOL_WEIR, name,
				     KERNEL_SOCKPTR((void *)value), len);
}

static int set(struct socket *sock, int name, int v)
{
	return set_bytes(sock, name, &v, sizeof(v));
}

static int value(const struct socket *sock, const struct row *row)
{
	return *(int *)((char *)weir_sk(sock->sk) + row->at);
}

static void expect_words(struct kunit *test, const struct socket *sock,
			 int name)
{
	KUNIT_EXPECT_NOT_NULL_MSG(test, weir_sk(sock->sk)->owner.why,
				  "option %d", name);
}

static struct socket *make(struct kunit *test)
{
	struct socket **at = test->priv;

	*at = socket_make(test, SOCK_RDM);
	return *at;
}

static void setsockopt__takes_what_is_in_range(struct kunit *test)
{
	struct socket *sock = make(test);
	const struct row *row;
	int i, keep;

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		for (i = 0; i < ARRAY_SIZE(row->good); i++) {
			KUNIT_EXPECT_EQ_MSG(test,
				set(sock, row->name, row->good[i]), 0,
				"option %d: %d", row->name, row->good[i]);
			KUNIT_EXPECT_EQ_MSG(test, value(sock, row),
					    row->good[i], "option %d",
					    row->name);
		}
		keep = value(sock, row);
		for (i = 0; i < ARRAY_SIZE(row->bad); i++) {
			KUNIT_EXPECT_EQ_MSG(test,
				set(sock, row->name, row->bad[i]), -EINVAL,
				"option %d: %d", row->name, row->bad[i]);
			KUNIT_EXPECT_EQ(test, value(sock, row), keep);
			expect_words(test, sock, row->name);
		}
	}
}

static void setsockopt__of_an_int_takes_four_bytes(struct kunit *test)
{
	static const unsigned int lens[] = { 0, 1, 3, 5, 8, UINT_MAX };
	static const char bytes[8];
	struct socket *sock = make(test);
	const struct row *row;
	int i;

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		for (i = 0; i < ARRAY_SIZE(lens); i++) {
			KUNIT_EXPECT_EQ_MSG(test,
				set_bytes(sock, row->name, bytes, lens[i]),
				-EINVAL, "option %d, %u bytes", row->name,
				lens[i]);
			expect_words(test, sock, row->name);
		}
	}
}

static void setsockopt__knows_what_cannot_be_set(struct kunit *test)
{
	struct socket *sock = make(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(unset); i++) {
		KUNIT_EXPECT_EQ_MSG(test, set(sock, unset[i], 0), -ENOPROTOOPT,
				    "option %d", unset[i]);
		expect_words(test, sock, unset[i]);
	}
	KUNIT_EXPECT_EQ(test, sock->ops->setsockopt(sock, SOL_SOCKET,
						    WEIR_SO_HUGE,
						    KERNEL_SOCKPTR(&i),
						    sizeof(i)), -ENOPROTOOPT);
}

static void setsockopt__is_too_late_once_there_is_a_path(struct kunit *test)
{
	struct socket *sock = make(test);
	const struct weir_sock *ws = weir_sk(sock->sk);
	const struct row *row;
	int keep, err;

	KUNIT_ASSERT_EQ(test, socket_bind(sock, "/kunit/option"), 0);
	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		keep = value(sock, row);
		err = set(sock, row->name, row->good[0]);
		KUNIT_EXPECT_EQ_MSG(test, err, row->early ? -EISCONN : 0,
				    "option %d", row->name);
		if (row->early) {
			KUNIT_EXPECT_EQ(test, value(sock, row), keep);
			expect_words(test, sock, row->name);
		}
	}
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_NAME, "a", 1), -EISCONN);
	/* the outbox has these two, too */
	KUNIT_EXPECT_EQ(test, set(sock, WEIR_SO_EVICT_MS, 500), 0);
	KUNIT_EXPECT_EQ(test, set(sock, WEIR_SO_LINGER_MS, 600), 0);
	KUNIT_EXPECT_EQ(test, ws->outbox->evict_ms, 500);
	KUNIT_EXPECT_EQ(test, ws->outbox->linger_ms, 600);
	KUNIT_EXPECT_EQ(test, set(sock, WEIR_SO_LINGER_MS, 0), 0);
}

/* A name has up to 63 bytes, with a NUL at its end or without. */
static void setsockopt__takes_names_by_their_length(struct kunit *test)
{
	struct socket *sock = make(test);
	const char *name = weir_sk(sock->sk)->opt.name;
	char text[WEIR_NAME_MAX + 1];

	memset(text, 'n', sizeof(text));
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_NAME, "ab", 3), 0);
	KUNIT_EXPECT_STREQ(test, name, "ab");
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_NAME, "abc", 2), 0);
	KUNIT_EXPECT_STREQ(test, name, "ab");
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_NAME, "a\0b", 3),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_NAME, text,
					sizeof(text)), -EINVAL);
	expect_words(test, sock, WEIR_SO_NAME);
	KUNIT_EXPECT_STREQ(test, name, "ab");
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_NAME, text,
					WEIR_NAME_MAX), 0);
	KUNIT_EXPECT_EQ(test, strlen(name), (size_t)WEIR_NAME_MAX);
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_NAME, text, 0), 0);
	KUNIT_EXPECT_STREQ(test, name, "");
}

static void setsockopt__takes_long_paths_by_their_length(struct kunit *test)
{
	struct socket *sock = make(test);
	const char *path = weir_sk(sock->sk)->opt.long_path;
	char *text = kunit_kmalloc(test, WEIR_PATH_MAX + 2, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'p', WEIR_PATH_MAX + 2);
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_LONG_PATH, text,
					WEIR_PATH_MAX), 0);
	KUNIT_EXPECT_EQ(test, strlen(path), (size_t)WEIR_PATH_MAX);
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_LONG_PATH, text,
					WEIR_PATH_MAX + 1), -ENAMETOOLONG);
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_LONG_PATH, text,
					WEIR_PATH_MAX + 2), -ENAMETOOLONG);
	KUNIT_EXPECT_EQ(test, set_bytes(sock, WEIR_SO_LONG_PATH, "/a\0b", 4),
			-EINVAL);
	expect_words(test, sock, WEIR_SO_LONG_PATH);
	KUNIT_EXPECT_EQ(test, strlen(path), (size_t)WEIR_PATH_MAX);
}

static int option_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct socket *), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void option_test_exit(struct kunit *test)
{
	if (test->priv)
		socket_release(test->priv, 1);
}

static struct kunit_case option_cases[] = {
	KUNIT_CASE(setsockopt__takes_what_is_in_range),
	KUNIT_CASE(setsockopt__of_an_int_takes_four_bytes),
	KUNIT_CASE(setsockopt__knows_what_cannot_be_set),
	KUNIT_CASE(setsockopt__is_too_late_once_there_is_a_path),
	KUNIT_CASE(setsockopt__takes_names_by_their_length),
	KUNIT_CASE(setsockopt__takes_long_paths_by_their_length),
	{}
};

static struct kunit_suite option_suite = {
	.name = "weir_option",
	.init = option_test_init,
	.exit = option_test_exit,
	.test_cases = option_cases,
};

kunit_test_suites(&option_suite);
