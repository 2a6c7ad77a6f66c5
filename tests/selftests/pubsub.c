// SPDX-License-Identifier: GPL-2.0
/*
 * Publishing and subscribing over SOCK_RDM with plain socket calls: whoever
 * comes first, patterns, many publishers under a name, from-addresses, every
 * size, contents around the ring many times, back-pressure on the writer and
 * its end, where subscribers start, cursors that are held by name, outboxes
 * that linger and are taken over, eviction, and how streams end. Nothing is
 * lost and nothing comes twice.
 */
#include "selftest.h"

static int put(int fd, const char *words)
{
	return send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The next message is this one. */
static int next_is(int fd, const char *words)
{
	char buf[200] = "";
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	if (n == (ssize_t)strlen(words) && !strcmp(buf, words))
		return 1;
	tap_diag("want \"%s\", got %zd \"%s\" (%s)", words, n,
		 n > 0 ? buf : "", n < 0 ? strerror(errno) : "");
	return 0;
}

static int nothing(int fd)
{
	char buf[4];

	return recv(fd, buf, 4, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

/* Where the next message came from; it is thrown away. */
static const char *from(int fd)
{
	static struct sockaddr_weir addr;
	socklen_t len = sizeof(addr);
	char buf[200];

	memset(&addr, 0xee, sizeof(addr));
	if (recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
		     (struct sockaddr *)&addr, &len) < 0)
		return "nothing";
	if (len != offsetof(struct sockaddr_weir, sw_path) +
		   strlen(addr.sw_path) + 1 || addr.sw_family != tap_family())
		return "wrong length or family";
	return addr.sw_path;
}

static void order_of_coming(void)
{
	int s, p, late;

	s = tap_subscriber(SOCK_RDM, "/ps/order");
	tap_ok(nothing(s), "a subscriber before the publisher has nothing");
	tap_is(tap_info(s).streams, 0, "and no stream");
	p = tap_publisher(SOCK_RDM, "/ps/order", 0);
	tap_is(tap_info(s).streams, 1, "the publisher's stream is attached");
	put(p, "one");
	tap_ok(next_is(s, "one"), "it gets what is published");
	late = tap_subscriber(SOCK_RDM, "/ps/order");
	tap_ok(nothing(late), "a late one gets nothing old");
	put(p, "two");
	tap_ok(next_is(late, "two") && next_is(s, "two"), "both get the next");
	tap_ok(nothing(s) && nothing(late), "once");
	close(s);
	close(late);
	tap_is(put(p, "three"), 5, "publishing to nobody works");
	close(p);
}

/* Sleeps before there is any publisher; the one that comes wakes it. */
static void sleeping_first(int by_poll, int type, const char *what)
{
	pid_t pid = fork();
	int p;

	if (!pid) {
		int s = tap_subscriber(type, "/ps/sleeper");
		char buf[8];

		signal(SIGALRM, SIG_DFL);
		alarm(TAP_DEADLINE_MS / 1000);
		if (by_poll && tap_poll(s, POLLIN, -1) != POLLIN)
			_exit(2);
		_exit(recv(s, buf, 8, 0) == 4 ? 0 : 4);
	}
	tap_until_asleep(pid);
	p = tap_publisher(SOCK_RDM, "/ps/sleeper", 4096);
	/* it may subscribe only now */
	if (!tap_until(tap_stat("stats/readers") > 0))
		tap_bail("no reader");
	put(p, "wake");
	tap_is(tap_wait(pid), 0, what);
	close(p);
}

static void patterns(void)
{
	static const char *const paths[] = {
		"/ps/a/x", "/ps/a/y", "/ps/b/x", "/ps/a", "/ps/a/x/deep",
	};
	static const struct {
		const char *pattern;
		unsigned int matches;	/* bit per path */
	} subs[] = {
		{ "/ps/a/x", 0x01 }, { "/ps/a/*", 0x03 }, { "/ps/*/x", 0x05 },
		{ "/ps/**", 0x1f }, { "/ps/a/**", 0x13 }, { "/**", 0x1f },
		{ "/ps/*", 0x08 }, { "/*/*/*", 0x07 }, { "/ps/a/*/deep", 0x10 },
		{ "/nowhere/**", 0 },
	};
	int before[10], after[10], pub[5], i, j, when;

	for (i = 0; i < 10; i++)
		before[i] = tap_subscriber(SOCK_RDM, subs[i].pattern);
	for (i = 0; i < 5; i++)
		pub[i] = tap_publisher(SOCK_RDM, paths[i], 4096);
	for (i = 0; i < 10; i++)
		after[i] = tap_subscriber(SOCK_RDM, subs[i].pattern);
	for (i = 0; i < 5; i++)
		put(pub[i], paths[i]);
	for (when = 0; when < 2; when++) {
		for (i = 0; i < 10; i++) {
			int fd = when ? after[i] : before[i];
			unsigned int seen = 0;
			int twice = 0;

			for (;;) {
				const char *path = from(fd);

				for (j = 0; j < 5; j++)
					if (!strcmp(path, paths[j]))
						break;
				if (j == 5)
					break;
				twice += seen >> j & 1;
				seen |= 1u << j;
			}
			tap_ok(seen == subs[i].matches && !twice,
			       "%s, subscribed %s: matches %#x",
			       subs[i].pattern, when ? "after" : "before",
			       seen);
			close(fd);
		}
	}
	for (i = 0; i < 5; i++)
		close(pub[i]);
}

static void bad_patterns(void)
{
	static const char *const bad[] = {
		"", "/", "relative", "/a//b", "/a/", "/a*", "/a/**/b", "/a/b*c",
		"/ctl\x01",
	};
	size_t i;
	int fd;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fd = tap_socket(SOCK_RDM);
		tap_fails(tap_connect(fd, bad[i]), EINVAL, "a bad pattern");
		tap_ok(strlen(tap_words(fd)) > 8, "\"%s\": %s", bad[i],
		       tap_words(fd));
		tap_fails(tap_bind(fd, bad[i]), EINVAL, "nor a good path");
		close(fd);
	}
	fd = tap_socket(SOCK_RDM);
	tap_fails(tap_bind(fd, "/ps/*"), EINVAL, "patterns are not published");
	tap_fails(tap_bind(fd, "/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h"),
		  ENAMETOOLONG, "17 segments");
	tap_call(tap_bind(fd, "/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g"),
		 "16 segments");
	close(fd);
}

static void several_publishers(void)
{
	int s = tap_subscriber(SOCK_RDM, "/ps/many"), p[4], i, n, bad = 0;
	int count[4] = { 0 };
	char buf[8];

	for (i = 0; i < 4; i++)
		p[i] = tap_publisher(SOCK_RDM, "/ps/many", 4096);
	tap_is(tap_info(s).streams, 4, "four publishers under one path");
	for (n = 0; n < 20; n++)
		for (i = 0; i < 4; i++) {
			buf[0] = i;
			buf[1] = n;
			send(p[i], buf, 2, MSG_DONTWAIT);
		}
	while (recv(s, buf, 8, MSG_DONTWAIT) == 2)
		bad += count[(int)buf[0]]++ != buf[1];
	tap_ok(!bad && count[0] == 20 && count[1] == 20 && count[2] == 20 &&
	       count[3] == 20, "each one's messages come in order, none lost");
	put(p[0], "last words");
	close(p[0]);
	tap_ok(next_is(s, "last words"), "what a gone publisher said");
	tap_ok(nothing(s), "its end is not the socket's");
	tap_is(tap_info(s).streams, 3, "its stream is gone");
	p[0] = tap_publisher(SOCK_RDM, "/ps/many", 4096);
	put(p[1], "old");
	tap_ok(next_is(s, "old"), "publishers come and go: one that stayed");
	put(p[0], "new");
	tap_ok(next_is(s, "new") && nothing(s), "and one that came");
	for (i = 0; i < 4; i++)
		close(p[i]);
	close(s);
}

static void sizes(void)
{
	static char out[8192], in[8192];
	int p = tap_publisher(SOCK_RDM, "/ps/sizes", 4096), n, i, bad = 0;
	int s = tap_subscriber(SOCK_RDM, "/ps/sizes");
	long laps = tap_scale(20000, 500);
	unsigned int seed = 3;

	for (n = 0; n <= 4096 - 32; n++) {
		tap_fill(out, n, n);
		memset(in, 0xee, sizeof(in));
		bad += send(p, out, n, MSG_DONTWAIT) != n;
		bad += recv(s, in, sizeof(in), MSG_DONTWAIT) != n;
		bad += !tap_filled(in, n, n) || in[n] != (char)0xee;
	}
	tap_is(bad, 0, "all sizes from 0 to ring - 32");
	tap_fails(send(p, out, 4096 - 31, MSG_DONTWAIT), EMSGSIZE,
		  "one byte more");
	/* several in the ring at a time, at every alignment */
	for (i = 0; i < laps; i++) {
		int len[3], k;

		for (k = 0; k < 3; k++) {
			len[k] = rand_r(&seed) % 1200;
			tap_fill(out, len[k], i + k);
			bad += send(p, out, len[k], MSG_DONTWAIT) != len[k];
		}
		for (k = 0; k < 3; k++) {
			bad += recv(s, in, sizeof(in), MSG_DONTWAIT) != len[k];
			bad += !tap_filled(in, len[k], i + k);
		}
	}
	tap_is(bad, 0, "contents are whole around the ring");
	close(p);
	close(s);
}

#define RING_HOLDS	64

/*
 * Fills a ring of 4 KiB with one-granule messages "0", "1", ...; how many went
 * in. More than the ring holds: nobody holds the writer back.
 */
static int fill(int fd, int first)
{
	char buf[12];
	int n;

	for (n = 0; n <= RING_HOLDS; n++) {
		snprintf(buf, sizeof(buf), "%d", first + n);
		if (put(fd, buf) < 0)
			break;
	}
	return n;
}

static int expect(int fd, int first, int count)
{
	char buf[12];

	for (; count; count--, first++) {
		snprintf(buf, sizeof(buf), "%d", first);
		if (!next_is(fd, buf))
			return 0;
	}
	return 1;
}

static void back_pressure(void)
{
	int p = tap_publisher(SOCK_RDM, "/ps/slow", 4096);
	int a = tap_subscriber(SOCK_RDM, "/ps/slow");
	int b = tap_subscriber(SOCK_RDM, "/ps/**");
	int c = tap_subscriber(SOCK_RDM, "/ps/*");

	tap_ok(tap_poll_now(p, POLLOUT) & POLLOUT, "an empty ring is writable");
	tap_is(fill(p, 0), 64, "64 granules are taken");
	tap_fails(put(p, "x"), EAGAIN, "then EAGAIN");
	tap_is(tap_poll_now(p, POLLOUT), 0, "not writable");
	tap_ok(expect(a, 0, 64), "the first reader reads all");
	tap_ok(expect(b, 0, 64), "the second too");
	tap_fails(put(p, "x"), EAGAIN, "the third still blocks the writer");
	tap_is(tap_poll_now(p, POLLOUT), 0, "not writable yet");
	tap_ok(expect(c, 0, 32), "the third reads half");
	tap_ok(tap_poll(p, POLLOUT, TAP_DEADLINE_MS) & POLLOUT,
	       "writable again");
	tap_is(fill(p, 64), 32, "exactly what was read is free");
	tap_ok(expect(c, 32, 64) && nothing(c), "the third gets all");
	tap_ok(expect(a, 64, 32) && nothing(a), "the first gets all");
	tap_is(fill(p, 96), 32, "now the second is the slowest");
	tap_fails(put(p, "x"), EAGAIN, "and blocks");
	close(b);
	tap_ok(tap_poll(p, POLLOUT, TAP_DEADLINE_MS) & POLLOUT,
	       "its close frees the writer");
	tap_is(fill(p, 128), 32, "as far as the others have read");
	close(a);
	close(c);
	tap_is(put(p, "free"), 4, "without readers nothing blocks");
	close(p);
}

static int subscriber_from(const char *path, int start, const char *name,
			   int hold_ms)
{
	int fd = tap_socket(SOCK_RDM);

	if (tap_setopt(fd, WEIR_SO_START, start) ||
	    tap_setopt(fd, WEIR_SO_HOLD_MS, hold_ms))
		tap_bail("options: %s", tap_words(fd));
	if (name && setsockopt(fd, SOL_WEIR, WEIR_SO_NAME, name, strlen(name)))
		tap_bail("name: %s", tap_words(fd));
	return tap_connect(fd, path) ? -1 : fd;
}

static void oldest(void)
{
	int p = tap_publisher(SOCK_RDM, "/ps/oldest", 4096), s, n;
	char buf[12];

	for (n = 0; n < 10; n++) {
		snprintf(buf, sizeof(buf), "%d", n);
		put(p, buf);
	}
	s = subscriber_from("/ps/oldest", WEIR_START_OLDEST, NULL, 0);
	tap_ok(expect(s, 0, 10) && nothing(s), "all that is held");
	close(s);
	for (; n < 200; n++) {
		snprintf(buf, sizeof(buf), "%d", n);
		put(p, buf);
	}
	s = subscriber_from("/ps/oldest", WEIR_START_OLDEST, NULL, 0);
	memset(buf, 0, sizeof(buf));
	recv(s, buf, sizeof(buf), MSG_DONTWAIT);
	n = atoi(buf);
	tap_ok(n >= 200 - 64 && n < 200, "after some laps it starts at %d", n);
	tap_ok(expect(s, n + 1, 199 - n) && nothing(s), "and goes to the end");
	close(s);
	close(p);
}

/* A cursor that is held by name between two subscribers. */
static void held(void)
{
	int p = tap_publisher(SOCK_RDM, "/ps/held", 4096), s, t, n;
	char buf[12];

	s = subscriber_from("/ps/held", WEIR_START_TAIL, "worker", 60000);
	for (n = 0; n < 20; n++) {
		snprintf(buf, sizeof(buf), "%d", n);
		put(p, buf);
	}
	tap_ok(expect(s, 0, 5), "five of twenty are read");
	tap_is(subscriber_from("/ps/held", 0, "worker", 60000), -1,
	       "the name is taken");
	tap_is(errno, EBUSY, "with EBUSY");
	t = subscriber_from("/ps/held", 0, "other", 0);
	tap_ok(t >= 0, "another name is another cursor");
	close(t);
	close(s);
	for (; n < 30; n++) {
		snprintf(buf, sizeof(buf), "%d", n);
		put(p, buf);
	}
	s = subscriber_from("/ps/held", WEIR_START_TAIL, "worker", 60000);
	tap_ok(expect(s, 5, 25) && nothing(s),
	       "a new process goes on: no loss, no duplicate");
	close(s);
	tap_is(fill(p, 0), 64, "a held cursor holds the writer back");
	s = subscriber_from("/ps/held", WEIR_START_TAIL, "worker", 60000);
	tap_ok(expect(s, 0, 64), "and has it all");
	/* its time may be over at once: the ring is full before that is set */
	tap_is(fill(p, 0), 64, "and the next");
	close(s);
	s = subscriber_from("/ps/held", WEIR_START_TAIL, "worker", 50);
	close(s);
	tap_ok(tap_poll(p, POLLOUT, TAP_DEADLINE_MS) & POLLOUT,
	       "until its hold time is over");
	tap_is(put(p, "x"), 1, "then the writer is free");
	s = subscriber_from("/ps/held", WEIR_START_TAIL, "worker", 0);
	tap_ok(nothing(s), "and a newcomer of that name starts at the tail");
	close(s);
	close(p);
}

static int publisher_lingering(const char *path, int ms)
{
	int fd = tap_socket(SOCK_RDM);

	if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096) ||
	    tap_setopt(fd, WEIR_SO_LINGER_MS, ms))
		tap_bail("options: %s", tap_words(fd));
	return tap_bind(fd, path) ? -1 : fd;
}

static void linger(void)
{
	int p = publisher_lingering("/ps/linger", 60000), s, n, q;
	long long expired;
	struct weir_ioc_map map = { .size = sizeof(map), .id = WEIR_ID_STREAM };
	char buf[12];

	s = tap_subscriber(SOCK_RDM, "/ps/linger");
	tap_is(tap_info(p).resumed, 0, "the first is not a successor");
	for (n = 0; n < 10; n++) {
		snprintf(buf, sizeof(buf), "%d", n);
		put(p, buf);
	}
	close(p);
	tap_ok(expect(s, 0, 5), "the outbox outlives its owner");
	tap_is(tap_info(s).streams, 1, "its stream has not ended");
	q = subscriber_from("/ps/linger", WEIR_START_OLDEST, NULL, 0);
	tap_ok(expect(q, 0, 10) && nothing(q), "a late one finds it");
	p = tap_socket(SOCK_RDM);
	tap_setopt(p, WEIR_SO_RING_BYTES, 8192);
	tap_fails(tap_bind(p, "/ps/linger"), EINVAL,
		  "a successor of another size is refused");
	close(p);
	p = publisher_lingering("/ps/linger", 60000);
	tap_is(tap_info(p).resumed, 1, "a successor takes over");
	for (; n < 20; n++) {
		snprintf(buf, sizeof(buf), "%d", n);
		put(p, buf);
	}
	tap_ok(expect(s, 5, 15) && nothing(s), "no loss, no duplicate");
	tap_ok(expect(q, 10, 10) && nothing(q), "for the other too");
	tap_is(tap_info(s).streams, 1, "it is the same stream");
	tap_is(ioctl(s, WEIR_IOC_MAP, &map), 0, "of the same id");
	tap_is(fill(p, 20), 64, "the readers still hold the writer back");
	tap_setopt(p, WEIR_SO_LINGER_MS, 30);
	expired = tap_stat("drops/expired");
	close(p);
	tap_ok(tap_until(tap_stat("drops/expired") > expired),
	       "the time to linger ends");
	tap_ok(expect(s, 20, 64), "what it said can still be read");
	tap_ok(nothing(s), "then nothing");
	/* what an earlier test left may have expired */
	tap_ok(tap_until(nothing(s) && !tap_info(s).streams),
	       "the stream has ended");
	p = publisher_lingering("/ps/linger", 0);
	tap_is(tap_info(p).resumed, 0,
	       "the next publisher starts a new stream");
	close(p);
	close(q);
	close(s);
}

static void evict(void)
{
	int p = tap_socket(SOCK_RDM), slow, quick, n;
	long long evictions = tap_stat("stats/evictions");
	char buf[12];

	tap_setopt(p, WEIR_SO_RING_BYTES, 4096);
	tap_call(tap_bind(p, "/ps/evict"), "a publisher");
	slow = tap_subscriber(SOCK_RDM, "/ps/evict");
	quick = tap_subscriber(SOCK_RDM, "/ps/evict");
	tap_is(fill(p, 0), 64, "the ring is full");
	tap_ok(expect(quick, 0, 64), "one reads, one does not");
	/* not before: nobody is late while the ring is filled, on any kernel */
	tap_call(tap_setopt(p, WEIR_SO_EVICT_MS, 100), "WEIR_SO_EVICT_MS");
	tap_fails(put(p, "x"), EAGAIN, "the slow one holds the writer back");
	tap_ok(tap_poll(p, POLLOUT, TAP_DEADLINE_MS) & POLLOUT,
	       "the slow one is evicted");
	tap_setopt(p, WEIR_SO_EVICT_MS, 0);
	tap_is(tap_stat("stats/evictions") - evictions, 1, "one eviction");
	n = fill(p, 64);
	tap_is(n, 64, "the writer goes on");
	tap_ok(expect(quick, 64, 64), "the quick one lost nothing");
	tap_ok(tap_poll_now(slow, POLLIN) & POLLIN, "the evicted is readable");
	tap_fails(recv(slow, buf, sizeof(buf), MSG_DONTWAIT), ESTALE,
		  "and told with ESTALE");
	tap_is(tap_info(slow).evicted, 1, "WEIR_SO_INFO tells it too");
	tap_is(tap_info(quick).evicted, 0, "the quick one was not");
	tap_ok(nothing(slow), "told once");
	/* a blocked send is let go too */
	close(slow);
	slow = tap_subscriber(SOCK_RDM, "/ps/evict");
	for (n = 0; n <= RING_HOLDS && put(p, "fill") > 0; n++)
		while (recv(quick, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	tap_is(n, RING_HOLDS, "another slow one fills the ring");
	tap_setopt(p, WEIR_SO_EVICT_MS, 100);
	tap_is(send(p, "blocked", 7, 0), 7, "eviction wakes a blocked send");
	close(slow);
	close(quick);
	close(p);
}

static void ends(void)
{
	int p = tap_publisher(SOCK_RDM, "/ps/ends", 4096);
	int s = tap_subscriber(SOCK_RDM, "/ps/ends");

	put(p, "a");
	put(p, "b");
	tap_call(shutdown(p, SHUT_WR), "a publisher shuts its stream");
	tap_fails(put(p, "c"), EPIPE, "it can say no more");
	tap_ok(next_is(s, "a") && next_is(s, "b"), "readers drain it");
	tap_ok(nothing(s), "and wait for other publishers: no end of file");
	tap_is(tap_info(s).streams, 0, "the stream is gone");
	close(p);
	p = tap_publisher(SOCK_RDM, "/ps/ends", 4096);
	put(p, "next");
	tap_ok(next_is(s, "next"), "the path goes on with the next publisher");
	tap_fails(tap_bind(p, "/ps/ends2"), EINVAL, "a socket binds once");
	tap_fails(tap_connect(s, "/ps/x"), EISCONN, "and subscribes once");
	tap_fails(recv(p, &s, 0, MSG_DONTWAIT), ENOTCONN,
		  "a publisher that does not subscribe has nothing to read");
	tap_fails(put(s, "x"), EDESTADDRREQ,
		  "a subscriber that does not publish has nowhere to send");
	tap_call(tap_connect(p, "/ps/**"), "but one socket can do both");
	put(p, "self");
	tap_ok(nothing(p), "and does not hear itself");
	tap_fails(listen(p, 1), EOPNOTSUPP, "it does not listen");
	tap_fails(accept(p, NULL, NULL), EOPNOTSUPP, "nor accept");
	close(p);
	p = tap_socket(SOCK_SEQPACKET);
	tap_call(tap_bind(p, "/ps/listener"), "a listener's name");
	tap_fails(tap_bind(tap_socket(SOCK_RDM), "/ps/listener"), EADDRINUSE,
		  "is not to be published under");
	close(p);
	close(s);
}

int main(void)
{
	long long bytes, rings;

	tap_family();
	tap_watchdog(300);
	bytes = tap_stat("stats/ring_bytes");
	rings = tap_stat("stats/rings");
	order_of_coming();
	sleeping_first(0, SOCK_RDM,
		       "a publisher wakes who sleeps in recv already");
	sleeping_first(1, SOCK_RDM, "and who sleeps in poll");
	sleeping_first(0, SOCK_DGRAM, "and a lossy subscriber");
	patterns();
	bad_patterns();
	several_publishers();
	sizes();
	back_pressure();
	oldest();
	held();
	linger();
	evict();
	ends();
	tap_ok(tap_until(tap_stat("stats/ring_bytes") == bytes &&
			 tap_stat("stats/rings") == rings),
	       "all memory is given back");
	return tap_done();
}
