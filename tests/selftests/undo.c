// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that fail half-way leave nothing behind. A connect of a pair is failed
 * at each step of its way, several times, and then comes through: its stream is
 * the new one. A subscribe with a named cursor is failed when some streams are
 * joined: what it attached is gone, what it resumed is held as before.
 */
#include "selftest.h"

#define STREAMS	4
#define LONG_MS	600000

static long long readers(void)
{
	return tap_stat("stats/readers");
}

static int named(const char *name, int hold_ms)
{
	int fd = tap_socket(SOCK_RDM);

	if (setsockopt(fd, SOL_WEIR, WEIR_SO_NAME, name, strlen(name)) ||
	    tap_setopt(fd, WEIR_SO_HOLD_MS, hold_ms))
		tap_bail("cursor name: %s", tap_words(fd));
	return fd;
}

/* --- pairs ---------------------------------------------------------------- */

static void connects(void)
{
	long long cap = tap_stat("tunables/user_objects_max");
	int l = tap_socket(SOCK_SEQPACKET), c, a, i, failed = 0, err = 0;
	struct weir_ioc_map map = { .size = sizeof(map), .id = WEIR_ID_STREAM };
	char buf[8] = "";

	if (tap_bind(l, "/undo/pair") || listen(l, 1))
		tap_bail("listen: %s", tap_words(l));
	c = tap_socket(SOCK_SEQPACKET);
	/* each step takes an object: the end of the other side, rings, cursors */
	for (i = 0; i < 100; i++) {
		if (tap_tune("user_objects_max", (unsigned long long)i / 3))
			tap_bail("user_objects_max");
		err = tap_connect(c, "/undo/pair");
		if (!err)
			break;
		failed += errno == ENOBUFS;
	}
	tap_tune("user_objects_max", (unsigned long long)cap);
	tap_ok(!err && failed == i && i > 12,
	       "a connect fails at each step and then comes through (%d times)", i);
	tap_ok(tap_until(readers() == 2), "the pair has two readers, and no others are left");
	tap_is(tap_stat("stats/rings"), 2, "and two rings");
	a = accept(l, NULL, NULL);
	tap_is(send(a, "hello", 5, 0), 5, "the other end sends");
	tap_is(recv(c, buf, sizeof(buf), MSG_DONTWAIT), 5, "and is read, not the end of a stream that failed");
	tap_call(ioctl(c, WEIR_IOC_MAP, &map), "the stream has the first number");
	/* what is left unread is known as well */
	send(a, "unread", 6, 0);
	close(c);
	tap_fails(recv(a, buf, sizeof(buf), MSG_DONTWAIT), ECONNRESET,
		  "closing with data unread resets the peer");
	close(a);
	close(l);
	tap_ok(tap_until(!readers() && !tap_stat("stats/rings")),
	       "nothing is left of it");
}

/* --- subscriptions -------------------------------------------------------- */

static int pub[STREAMS];

static const char *path(int i)
{
	static char words[32];

	snprintf(words, sizeof(words), "/undo/s/%d", i);
	return words;
}

/*
 * A subscription to all streams finds one of them in use. Returns who uses it,
 * -1 if it did not fail for that.
 */
static int fails_at(int busy, int user_ms, int hold_ms)
{
	int holder = named("n", user_ms), fd = named("n", hold_ms), err;

	if (tap_connect(holder, path(busy)))
		tap_bail("connect: %s", tap_words(holder));
	err = tap_connect(fd, "/undo/s/*") ? errno : 0;
	close(fd);
	return err == EBUSY ? holder : -1;
}

static void detach_all(const char *pattern)
{
	int fd = named("n", 0);

	if (tap_connect(fd, pattern))
		tap_bail("connect: %s", tap_words(fd));
	close(fd);
}

static void attached(void)
{
	long long attaches = tap_stat("stats/attaches");
	int i, fd, bad = 0, left = 0;

	for (i = 0; i < STREAMS; i++) {
		fd = fails_at(i, 0, LONG_MS);
		bad += fd < 0;
		/* the one in use; what is detached is so when connect returns */
		left += readers() != 1;
		close(fd);
	}
	attaches = tap_stat("stats/attaches") - attaches;
	tap_is(bad, 0, "a subscribe fails where its cursor name is in use");
	tap_ok(attaches > STREAMS, "having joined other streams before (%lld)",
	       attaches - STREAMS);
	tap_is(left, 0, "what it attached is gone, not held");
}

static void resumed(void)
{
	int fd = named("n", LONG_MS), i, bad = 0, got = 0;
	char buf[8];

	if (tap_connect(fd, "/undo/s/*"))
		tap_bail("connect: %s", tap_words(fd));
	for (i = 0; i < STREAMS; i++)
		bad += send(pub[i], "kept", 4, MSG_DONTWAIT) != 4;
	close(fd);
	tap_is(readers(), STREAMS, "cursors are held on all streams");
	/* its own hold time is short, and not what counts */
	for (i = 0; i < STREAMS; i++) {
		fd = fails_at(i, LONG_MS, 1);
		bad += fd < 0;
		close(fd);
	}
	tap_is(bad, 0, "a subscribe fails having resumed some of them");
	/* works of a millisecond would be done by the time of this one's */
	fd = named("other", 1);
	if (tap_connect(fd, path(0)))
		tap_bail("connect: %s", tap_words(fd));
	close(fd);
	tap_until(readers() == STREAMS);
	fd = named("n", LONG_MS);
	tap_call(tap_connect(fd, "/undo/s/*"), "then one succeeds");
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 4)
		got++;
	tap_is(got, STREAMS, "and goes on at what was held for it");
	close(fd);
	detach_all("/undo/s/*");
	tap_ok(tap_until(!readers()), "nothing is held any more");
}

static void short_lived(void)
{
	int fd = named("n", 100), i, left = 0;

	/* what is left of a short time is short, whoever resumed it meanwhile */
	if (tap_connect(fd, "/undo/s/*"))
		tap_bail("connect: %s", tap_words(fd));
	close(fd);
	for (i = 0; i < STREAMS; i++) {
		fd = fails_at(i, 0, LONG_MS);
		close(fd);
	}
	left = !tap_until(!readers());
	tap_is(left, 0, "a hold time that a failed subscribe interrupted ends in its time");
	if (left)
		detach_all("/undo/s/*");
}

int main(void)
{
	int i;

	tap_begin_as_root(300);
	if (!tap_until(!tap_stat("stats/rings")))
		tap_bail("an earlier test has left something");
	connects();
	for (i = 0; i < STREAMS; i++)
		pub[i] = tap_publisher(SOCK_RDM, path(i), 4096);
	attached();
	resumed();
	short_lived();
	for (i = 0; i < STREAMS; i++)
		close(pub[i]);
	tap_ok(tap_until(!tap_stat("stats/rings") && !readers()),
	       "nothing is left");
	return tap_done();
}
