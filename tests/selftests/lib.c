// SPDX-License-Identifier: GPL-2.0
/*
 * The library on real sockets: each function, what it returns in each state,
 * and that refusals come with words while errno stays as it was.
 */
#include <poll.h>
#include <sys/syscall.h>

#include "hard.h"

#define MS	INT64_C(1000000)

/* A refusal with this errno value, with words. */
#define refused(want, call) do {					\
	int got_;							\
									\
	errno = 4711;							\
	got_ = (int)(call);						\
	check(got_ == (want) && weir_error()[0], "%s is %d: %s (%d)",	\
	      #call, (want), weir_error(), got_);			\
	if (errno != 4711)						\
		check(false, "errno was changed to %d", errno);		\
} while (0)

#define is(want, call) do {						\
	long long got_;							\
									\
	errno = 4711;							\
	got_ = (long long)(call);					\
	check(got_ == (long long)(want), "%s is %lld (%lld)", #call,	\
	      (long long)(want), got_);					\
	if (errno != 4711)						\
		check(false, "errno was changed to %d", errno);		\
} while (0)

static void refusals(void)
{
	struct weir_config c = { .flags = 0x80000000U };
	char longpath[300];
	struct weir *w, *x;
	struct weir_buf buf;
	struct weir_msg msg;
	struct weir_sock_info info;

	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	c = (struct weir_config){ .ring_bytes = 5000 };
	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	c = (struct weir_config){ .ring_bytes = 1U << 31 };
	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	c = (struct weir_config){ .set = 0x10 };
	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	c = (struct weir_config){ .set = WEIR_SET_MODE, .mode = 010000 };
	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	c = (struct weir_config){ .set = WEIR_SET_NODE, .node = 1000 };
	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	c = (struct weir_config){ .start = 7 };
	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	memset(longpath, 'n', sizeof(longpath));
	longpath[64] = '\0';
	c = (struct weir_config){ .name = longpath };
	refused(-EINVAL, weir_open(&w, SOCK_RDM, &c));
	refused(-ESOCKTNOSUPPORT, weir_open(&w, SOCK_STREAM, NULL));
	refused(-EAFNOSUPPORT, weir_adopt(&w, socket(AF_UNIX, SOCK_STREAM, 0), NULL));
	refused(-ENOTSOCK, weir_adopt(&w, open("/dev/null", O_RDONLY), NULL));
	refused(-EBADF, weir_adopt(&w, 999, NULL));

	is(0, weir_open(&w, SOCK_RDM, NULL));
	memset(longpath, '/', sizeof(longpath));
	longpath[299] = '\0';
	refused(-ENAMETOOLONG, weir_bind(w, longpath));
	refused(-EINVAL, weir_bind(w, ""));
	refused(-EINVAL, weir_bind(w, "lib"));
	refused(-EINVAL, weir_bind(w, "/lib/*"));
	refused(-EINVAL, weir_bind(w, "/lib//a"));
	refused(-EINVAL, weir_subscribe(w, "/lib/**/a"));
	refused(-EOPNOTSUPP, weir_connect(w, "/lib"));
	refused(-EOPNOTSUPP, weir_listen(w, 1));
	refused(-ENOTCONN, weir_claim(w, 1, &buf));
	refused(-ENOTCONN, weir_send(w, "x", 1, WEIR_DONTWAIT));
	is(0, weir_peek(w, &msg));
	is(0, weir_info(w, &info));
	is(0, info.ring_bytes);
	is(0, weir_bind(w, "/lib/refuse"));
	refused(-EINVAL, weir_bind(w, "/lib/again"));
	refused(-EMSGSIZE, weir_claim(w, (64 << 10) - 31, &buf));
	refused(-EMSGSIZE, weir_send(w, "x", 1 << 20, WEIR_DONTWAIT));
	refused(-EINVAL, weir_shutdown(w, 9));
	is(0, weir_open(&x, SOCK_SEQPACKET, NULL));
	refused(-EOPNOTSUPP, weir_subscribe(x, "/lib"));
	refused(-ECONNREFUSED, weir_connect(x, "/lib/nobody"));
	refused(-EINVAL, weir_listen(x, 1));
	is(-ENOTCONN, weir_peek(x, &msg));
	refused(-EADDRINUSE, weir_bind(x, "/lib/refuse"));
	is(0, weir_bind(x, "/lib/listener"));
	is(0, weir_listen(x, 1));
	weir_close(x);
	weir_close(w);
	weir_close(NULL);
}

/* Claim, tag, key, kind, shorten, abort. */
static void claims(struct weir *p, struct weir *s)
{
	struct weir_buf a = { 0 }, b = { 0 };
	struct weir_msg msg = { 0 }, again = { 0 };
	char data[5000];

	is(0, weir_claim(p, 100, &a));
	check(a.len == 100 && a.seq == 0 && (uintptr_t)a.data % 32 == 0,
	      "a claim is aligned and counted");
	is(0, weir_peek(s, &msg));
	memset(a.data, 'a', 100);
	a.tag = 7;
	a.key = 8;
	a.kind = WEIR_KIND_REQUEST;
	a.len = 10;
	weir_commit(p, &a);
	is(0, weir_claim(p, 0, &a));
	weir_abort(p, &a);
	is(0, weir_claim(p, 300, &a));
	is(0, weir_claim(p, 20, &b));
	memset(b.data, 'b', 20);
	weir_commit(p, &b);
	is(1, weir_peek(s, &msg));
	check(msg.len == 10 && !memcmp(msg.data, "aaaaaaaaaa", 10) &&
	      msg.rec->tag == 7 && msg.rec->key == 8 &&
	      msg.kind == WEIR_KIND_REQUEST && msg.seq == 0,
	      "tag, key, kind and the shortened length arrive");
	is(1, weir_peek(s, &again));
	check(again.data == msg.data, "peeking twice shows the same message");
	is(0, strcmp(weir_stream_path(msg.stream), "/lib/m"));
	check(weir_stream_find(s, msg.stream->id) == msg.stream, "weir_stream_find");
	is(0, weir_stream_ended(msg.stream));
	check(weir_stream_lag(msg.stream) > 0, "weir_stream_lag");
	is(0, weir_release(s, &msg));
	is(0, weir_peek(s, &msg));	/* the open claim is before b */
	weir_abort(p, &a);
	is(1, weir_peek(s, &msg));
	check(msg.len == 20 && *(const char *)msg.data == 'b', "an aborted claim is skipped");
	is(0, weir_release(s, &msg));
	is(0, weir_recv(s, data, sizeof(data), WEIR_DONTWAIT) + EAGAIN);
}

static void lengths(struct weir *p, struct weir *s)
{
	struct weir_buf a = { 0 };
	struct weir_msg msg = { 0 };
	char data[5000];
	uint32_t i;

	/* too long a buffer is cut back to the claim, not beyond */
	is(0, weir_claim(p, 40, &a));
	memset(a.data, 'c', 40);
	a.len = 4000;
	weir_commit(p, &a);
	is(1, weir_peek(s, &msg));
	check(msg.len < 100, "a length beyond the claim is not published (%u)", msg.len);
	weir_release(s, &msg);

	/* shortened by every amount */
	for (i = 0; i <= 400; i++) {
		if (weir_claim(p, 400, &a))
			break;
		memset(a.data, (int)i, 400);
		a.len = i;
		weir_commit(p, &a);
		if (weir_recv(s, data, sizeof(data), WEIR_DONTWAIT) != (ssize_t)i ||
		    (i && (unsigned char)data[i - 1] != (unsigned char)i))
			break;
	}
	is(401, i);
}

static void batches(struct weir *p, struct weir *s, int type)
{
	struct weir_buf a = { 0 };
	struct weir_msg msg = { 0 };
	char data[8];
	uint32_t i;

	for (i = 0; i < 10; i++) {
		is(0, weir_claim(p, 8, &a));
		memcpy(a.data, "batch...", 8);
		weir_commit_more(p, &a);
	}
	weir_flush(p);
	for (i = 0; i < 10; i++)
		is(8, weir_recv(s, data, 8, WEIR_DONTWAIT));
	refused(-EINVAL, weir_claim_batch(p, 8, 0, &a));
	refused(-EMSGSIZE, weir_claim_batch(p, 4096, 2, &a));
	/* near the ring's end or a look at the readers it may be fewer */
	for (i = 0; i < 10; ) {
		int n = weir_claim_batch(p, 8, 10 - i, &a);

		check(n > 0 && n <= (int)(10 - i), "a batch of %u: %d", 10 - i, n);
		for (; n > 0; n = weir_claim_next(p, &a)) {
			memset(a.data, (int)i++, 8);
			weir_commit_more(p, &a);
		}
	}
	weir_flush(p);
	for (i = 0; i < 10; ) {
		is(1, weir_peek(s, &msg));
		do
			check(msg.len == 8 && *(const unsigned char *)msg.data == i,
			      "message %u of a batch", i);
		while (++i && weir_peek_next(s, &msg));
		check(type == SOCK_DGRAM || i == 10, "read as one batch");
		is(0, weir_release(s, &msg));
	}
	is(0, weir_peek(s, &msg));
}

/* Cut off, empty, the largest that fits. */
static void sizes(struct weir *p, struct weir *s)
{
	char data[5000];

	is(0, weir_send(p, "truncated", 9, WEIR_DONTWAIT));
	is(9, weir_recv(s, data, 2, WEIR_DONTWAIT));
	is(0, weir_send(p, NULL, 0, WEIR_DONTWAIT));
	is(0, weir_recv(s, data, sizeof(data), WEIR_DONTWAIT));
	memset(data, 'L', sizeof(data));
	is(0, weir_send(p, data, 4096 - 32, WEIR_DONTWAIT));
	is(4096 - 32, weir_recv(s, data, sizeof(data), WEIR_DONTWAIT));
	is(0, weir_send(p, data, 4096 - 32, WEIR_DONTWAIT));
	is(4096 - 32, weir_recv(s, data, sizeof(data), WEIR_DONTWAIT));
}

static void overrun(struct weir *p, struct weir *s)
{
	char data[5000];
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < 1000; i++)
		if (weir_send(p, "lossy", 5, WEIR_DONTWAIT))
			break;
	is(1000, i);
	while (weir_recv(s, data, sizeof(data), WEIR_DONTWAIT) == 5)
		n++;
	is(1000, n + weir_stream_missed(s->streams[0]));
	check(n > 0, "a lossy reader gets the newest (%llu)", (unsigned long long)n);
}

static void held_back(struct weir *p, struct weir *s)
{
	struct weir_buf a = { 0 };
	char data[8];
	uint32_t i;

	for (i = 0; !weir_send(p, "fill", 4, WEIR_DONTWAIT); i++)
		;
	is(64, i);
	is(-EAGAIN, weir_claim(p, 4, &a));
	is(-EAGAIN, weir_claim_wait(p, 4, &a, WEIR_DONTWAIT));
	is(-ETIMEDOUT, weir_claim_wait(p, 4, &a, 20 * MS));
	is(-ETIMEDOUT, weir_send(p, "x", 1, 20 * MS));
	is(0, weir_wait(p, WEIR_WAIT_OUT, 64, 20 * MS));
	is(4, weir_recv(s, data, 8, WEIR_DONTWAIT));
	is(WEIR_WAIT_OUT, weir_wait(p, WEIR_WAIT_OUT, 64, 20 * MS));
	is(0, weir_claim(p, 4, &a));
	weir_abort(p, &a);
	while (weir_recv(s, data, 8, WEIR_DONTWAIT) == 4)
		;
}

static void waiting(struct weir *p, struct weir *s)
{
	char data[8];

	is(-ETIMEDOUT, weir_recv(s, data, 8, 20 * MS));
	is(0, weir_wait(s, WEIR_WAIT_IN, 0, 20 * MS));
	is(0, weir_wait(s, WEIR_WAIT_IN, 0, WEIR_DONTWAIT));
	is(0, weir_arm(s));
	is(0, weir_send(p, "w", 1, WEIR_DONTWAIT));
	is(WEIR_WAIT_IN, weir_wait(s, WEIR_WAIT_IN, 0, 20 * MS));
	is(WEIR_WAIT_IN, weir_arm(s));
	is(POLLIN, tap_poll_now(weir_fd(s), POLLIN));
	is(1, weir_recv(s, data, 8, WEIR_FOREVER));
	is(0, tap_poll_now(weir_fd(s), POLLIN));
}

static void end_of_stream(struct weir *p, struct weir *s)
{
	char data[8];

	is(0, weir_send(p, "last", 4, WEIR_DONTWAIT));
	is(0, weir_shutdown(p, SHUT_WR));
	refused(-EPIPE, weir_send(p, "x", 1, WEIR_DONTWAIT));
	is(4, weir_recv(s, data, 8, WEIR_DONTWAIT));
	is(-EAGAIN, weir_recv(s, data, 8, WEIR_DONTWAIT));
	is(0, s->nstreams);
}

static void messages(int type)
{
	struct weir_config c = { .ring_bytes = 4096 };
	struct weir *p, *s;

	is(0, weir_open(&p, type, &c));
	is(0, weir_open(&s, type, NULL));
	is(0, weir_subscribe(s, "/lib/m"));
	is(0, weir_bind(p, "/lib/m"));
	check(weir_fd(p) > 2, "weir_fd");

	claims(p, s);
	lengths(p, s);
	batches(p, s, type);
	sizes(p, s);
	if (type == SOCK_DGRAM)
		overrun(p, s);
	else
		held_back(p, s);
	waiting(p, s);
	end_of_stream(p, s);
	weir_close(p);
	weir_close(s);
}

static int stolen_fd = -1;

/* The library's own, in place of libc's: another one takes the connection. */
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	  const sigset_t *mask)
{
	struct timespec left = timeout ? *timeout : (struct timespec){ 0 };
	long ret = syscall(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, 8);

	if (ret > 0 && stolen_fd >= 0) {
		close(accept(stolen_fd, NULL, NULL));
		stolen_fd = -1;
	}
	return (int)ret;
}

/* A connection of which poll() tells goes to another: the call waits on. */
static void accept_stolen(void)
{
	struct weir *l, *a, *b;
	int64_t begun;

	is(0, weir_open(&l, SOCK_SEQPACKET, NULL));
	is(0, weir_bind(l, "/lib/stolen"));
	is(0, weir_listen(l, 2));
	is(0, weir_open(&a, SOCK_SEQPACKET, NULL));
	is(0, weir_connect(a, "/lib/stolen"));
	stolen_fd = weir_fd(l);
	begun = now_ms();
	is(-ETIMEDOUT, weir_accept(l, &b, 100 * MS));
	check(now_ms() - begun >= 100, "it waits for its time");
	weir_close(a);
	is(0, weir_open(&a, SOCK_SEQPACKET, NULL));
	is(0, weir_connect(a, "/lib/stolen"));
	stolen_fd = weir_fd(l);
	is(-EAGAIN, weir_accept(l, &b, WEIR_DONTWAIT));
	weir_close(a);
	weir_close(l);
}

static void pairs(void)
{
	struct weir *l, *a, *b;
	struct weir_sock_info info;
	struct weir_buf buf = { 0 };
	struct weir_msg msg;
	char data[100];

	is(0, weir_open(&l, SOCK_SEQPACKET, NULL));
	is(0, weir_bind(l, "/lib/l"));
	is(0, weir_listen(l, 2));
	is(-EAGAIN, weir_accept(l, &b, WEIR_DONTWAIT));
	is(-ETIMEDOUT, weir_accept(l, &b, 20 * MS));
	is(0, weir_open(&a, SOCK_SEQPACKET, NULL));
	is(0, weir_connect(a, "/lib/l"));
	refused(-EISCONN, weir_connect(a, "/lib/l"));
	is(0, weir_accept(l, &b, 1000 * MS));
	is(0, weir_info(a, &info));
	is(1, info.streams);
	is(64 << 10, info.ring_bytes);
	is(0, weir_send(a, "question", 8, WEIR_DONTWAIT));
	is(8, weir_recv(b, data, sizeof(data), 1000 * MS));
	is(0, weir_claim(b, 6, &buf));
	memcpy(buf.data, "answer", 6);
	weir_commit_more(b, &buf);
	is(0, weir_wait(b, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, 10 * MS));
	is(6, weir_recv(a, data, sizeof(data), 1000 * MS));
	refused(-EINVAL, weir_request(a, a->streams[0], 1));
	is(0, weir_shutdown(a, SHUT_WR));
	is(-EPIPE, weir_recv(b, data, sizeof(data), 1000 * MS));
	is(-EPIPE, weir_peek(b, &msg));
	is(0, weir_send(b, "still", 5, WEIR_DONTWAIT));
	is(5, weir_recv(a, data, sizeof(data), 1000 * MS));
	refused(-EPIPE, weir_send(a, "x", 1, WEIR_DONTWAIT));
	weir_close(b);
	is(-EPIPE, weir_recv(a, data, sizeof(data), 1000 * MS));
	is(WEIR_WAIT_IN, weir_wait(a, WEIR_WAIT_IN, 0, 1000 * MS));
	weir_close(a);
	weir_close(l);
}

static void demand(void)
{
	struct weir_config c = { .set = WEIR_SET_DEMAND };
	struct weir *p, *s;
	char data[100];
	int i;

	is(0, weir_open(&p, SOCK_RDM, NULL));
	is(0, weir_bind(p, "/lib/demand"));
	is(0, weir_open(&s, SOCK_RDM, &c));
	is(0, weir_subscribe(s, "/lib/demand"));
	is(-EAGAIN, weir_recv(s, data, 8, WEIR_DONTWAIT));
	is(-EAGAIN, weir_send(p, "x", 1, WEIR_DONTWAIT));
	for (i = 1; i < 4; i++) {
		int k, ret = 0;

		is(0, weir_request(s, s->streams[0], (uint32_t)i));
		for (k = 0; !ret; k++)
			ret = weir_send(p, "x", 1, WEIR_DONTWAIT);
		is(i + 1, k);
		for (k = 0; k < i; k++)
			is(1, weir_recv(s, data, 8, WEIR_DONTWAIT));
	}
	refused(-EINVAL, weir_request(s, s->streams[0], 0x80000000U));
	is(0, weir_request(s, s->streams[0], 0x7fffffff));
	refused(-EINVAL, weir_request(s, s->streams[0], 1));
	is(0, weir_send(p, "x", 1, WEIR_DONTWAIT));
	weir_close(s);
	weir_close(p);
}

/* What comes and goes is told in order; a stream outlives its notice. */
static void notices(void)
{
	struct weir_config c = { .flags = WEIR_NOTICES };
	uint32_t seen[8] = { 0 }, n = 0, id = 0;
	struct weir *p, *s, *q;
	struct weir_msg msg;
	int i, found = 0;

	is(0, weir_open(&s, SOCK_RDM, &c));
	is(0, weir_subscribe(s, "/lib/n/*"));
	is(0, weir_peek(s, &msg));
	is(0, weir_open(&p, SOCK_RDM, NULL));
	is(0, weir_bind(p, "/lib/n/1"));
	is(0, weir_send(p, "only", 4, WEIR_DONTWAIT));
	weir_close(p);
	while (weir_peek(s, &msg) == 1 && n < 8) {
		if (msg.kind == WEIR_KIND_NOTICE) {
			const struct weir_notice *no = msg.data;

			seen[n++] = no->type;
			id = no->id;
			if (no->type == WEIR_NOTICE_DETACHED)
				found += weir_stream_find(s, id) != NULL;
			check(no->path_len == 8 && !memcmp(no + 1, "/lib/n/1", 8),
			      "a notice names the path");
		} else {
			seen[n++] = 100;
		}
		is(0, weir_release(s, &msg));
	}
	check(n == 3 && seen[0] == WEIR_NOTICE_ATTACHED && seen[1] == 100 &&
	      seen[2] == WEIR_NOTICE_DETACHED,
	      "attached, the message, detached (%u: %u %u %u)", n, seen[0], seen[1],
	      seen[2]);
	is(1, found);
	is(0, weir_peek(s, &msg));
	check(!weir_stream_find(s, id), "the stream is gone after its notice");

	/* leaving one stream of two */
	is(0, weir_open(&p, SOCK_RDM, NULL));
	is(0, weir_bind(p, "/lib/n/1"));
	is(0, weir_open(&q, SOCK_RDM, NULL));
	is(0, weir_bind(q, "/lib/n/2"));
	for (i = 0; weir_peek(s, &msg) == 1 && i < 10; i++)
		weir_release(s, &msg);
	is(2, s->nstreams);
	for (i = 0; i < 2; i++)
		if (!strcmp(weir_stream_path(s->streams[i]), "/lib/n/1"))
			break;
	check(i < 2, "the stream of /lib/n/1");
	if (i < 2) {
		struct weir_stream *gone = s->streams[i];

		is(0, weir_stream_detach(s, gone));
		refused(-EINVAL, weir_stream_detach(s, gone));
	}
	is(0, weir_send(p, "one", 3, WEIR_DONTWAIT));
	is(0, weir_send(q, "two", 3, WEIR_DONTWAIT));
	n = 0;
	while (weir_peek(s, &msg) == 1) {
		n += msg.kind == WEIR_KIND_EVENT;
		weir_release(s, &msg);
	}
	is(1, n);
	weir_close(p);
	weir_close(q);
	weir_close(s);
}

static void adopted(void)
{
	struct weir *p, *s;
	int fd = raw_publisher(SOCK_RDM, "/lib/adopt", 8192);
	int in = raw_subscriber(SOCK_RDM, "/lib/*");
	char data[20];

	need(write(fd, "raw", 3) == 3, "write");
	is(0, weir_adopt(&p, fd, NULL));
	is(0, weir_adopt(&s, in, NULL));
	is(0, weir_send(p, "lib", 3, WEIR_DONTWAIT));
	is(3, weir_recv(s, data, sizeof(data), 1000 * MS));
	check(!memcmp(data, "raw", 3), "what was sent before the adoption");
	is(3, weir_recv(s, data, sizeof(data), 1000 * MS));
	check(!memcmp(data, "lib", 3), "and after it");
	weir_close(p);
	weir_close(s);
}

/* Longer than an address has room for: the library sets them before. */
static void long_paths(void)
{
	char path[WEIR_PATH_MAX + 1], pattern[] = "/lib/*", data[8];
	struct weir *p, *s, *l, *c, *a;

	memset(path, 'l', WEIR_PATH_MAX);
	memcpy(path, "/lib/", 5);
	path[WEIR_PATH_MAX] = '\0';
	is(0, weir_open(&p, SOCK_RDM, NULL));
	is(0, weir_bind(p, path));
	is(0, weir_open(&s, SOCK_RDM, NULL));
	is(0, weir_subscribe(s, pattern));
	is(0, weir_send(p, "long", 4, WEIR_DONTWAIT));
	is(4, weir_recv(s, data, 8, 1000 * MS));
	check(!strcmp(weir_stream_path(s->streams[0]), path), "path of 255 bytes");
	refused(-EINVAL, weir_bind(p, path));
	weir_close(s);
	weir_close(p);

	is(0, weir_open(&l, SOCK_SEQPACKET, NULL));
	is(0, weir_bind(l, path));
	is(0, weir_listen(l, 1));
	is(0, weir_open(&c, SOCK_SEQPACKET, NULL));
	is(0, weir_connect(c, path));
	is(0, weir_accept(l, &a, 1000 * MS));
	weir_close(a);
	weir_close(c);
	weir_close(l);
}

static void waker(int sig)
{
	(void)sig;
}

static volatile sig_atomic_t signals;
static int signals_fd;

/* Publishes at the third signal. */
static void sender(int sig)
{
	(void)sig;
	if (++signals == 3 && send(signals_fd, "x", 1, MSG_DONTWAIT) != 1)
		signals = 0;
}

/*
 * A signal ends a wait, but not one without an end if its handler has
 * SA_RESTART; spinning does not change what is returned.
 */
static void signals_and_spin(void)
{
	struct weir_config c = { .spin_ns = 50000 };
	struct sigaction sa = { .sa_handler = waker };
	struct weir *p, *s;
	char data[8];

	is(0, weir_open(&p, SOCK_RDM, &c));
	is(0, weir_bind(p, "/lib/spin"));
	is(0, weir_open(&s, SOCK_RDM, &c));
	is(0, weir_subscribe(s, "/lib/spin"));
	is(-ETIMEDOUT, weir_recv(s, data, 8, 5 * MS));
	is(0, weir_send(p, "spin", 4, WEIR_DONTWAIT));
	is(4, weir_recv(s, data, 8, 1000 * MS));
	sigaction(SIGALRM, &sa, NULL);
	ualarm(50000, 50000);
	is(-EINTR, weir_recv(s, data, 8, WEIR_FOREVER));
	is(-EINTR, weir_wait(s, WEIR_WAIT_IN, 0, 1000000 * MS));
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	is(-EINTR, weir_wait(s, WEIR_WAIT_IN, 0, 1000000 * MS));
	signals_fd = weir_fd(p);
	sa.sa_handler = sender;
	sigaction(SIGALRM, &sa, NULL);
	is(WEIR_WAIT_IN, weir_wait(s, WEIR_WAIT_IN, 0, WEIR_FOREVER));
	check(signals >= 3, "SA_RESTART: %d signals did not end it", signals);
	ualarm(0, 0);
	weir_close(p);
	weir_close(s);
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	refusals();
	messages(SOCK_RDM);
	messages(SOCK_DGRAM);
	pairs();
	accept_stolen();
	demand();
	notices();
	adopted();
	long_paths();
	signals_and_spin();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
