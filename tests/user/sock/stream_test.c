// SPDX-License-Identifier: GPL-2.0
/*
 * Streams that come and go: notices, draining what a publisher left, eviction,
 * broken owners, turns, connected pairs, one descriptor adopted.
 */
#include <errno.h>
#include <string.h>

#include "../../tap/tap.h"
#include "../model/model.h"

static struct weir *open_type(int type, uint32_t flags)
{
	struct weir_config config = { .flags = flags, .ring_bytes = 16384 };
	struct weir *w;

	tap_need(!weir_open(&w, type, &config));
	return w;
}

static struct weir *publisher(void)
{
	struct weir *w = open_type(SOCK_RDM, 0);

	tap_need(!weir_bind(w, "/out"));
	return w;
}

static struct weir *subscriber(uint32_t flags)
{
	struct weir *w = open_type(SOCK_RDM, flags);

	tap_need(!weir_subscribe(w, "/out"));
	return w;
}

static void send_n(struct weir *w, int n)
{
	while (n--)
		tap_need(!weir_send(w, "message", 7, 0));
}

static int drain(struct weir *w)
{
	struct weir_msg msg;
	int n = 0, ret;

	while ((ret = weir_peek(w, &msg)) == 1) {
		tap_need(msg.len == 7 && !memcmp(msg.data, "message", 7));
		tap_need(!weir_release(w, &msg));
		n++;
	}
	return ret ? ret : n;
}

static void test_drain(void)
{
	struct weir *in = subscriber(0), *out = publisher();

	send_n(out, 100);
	weir_close(out);
	tap_ok(drain(in) == 100, "what a publisher left is drained");
	tap_ok(!in->nstreams, "and its stream dropped");
	out = publisher();
	send_n(out, 3);
	tap_ok(drain(in) == 3 &&
	       !strcmp(weir_stream_path(in->streams[0]), "/out"),
	       "the next publisher is read");
	weir_close(in);
	weir_close(out);
}

/* The publisher is gone before the subscriber has a handle. */
static void test_late(void)
{
	struct sockaddr_weir addr = {
		.sw_family = (sa_family_t)weir_family(), .sw_path = "/out"
	};
	struct weir *raw = open_type(SOCK_RDM, 0), *out = publisher(), *in;

	tap_need(!connect(weir_fd(raw), (struct sockaddr *)&addr, sizeof(addr)));
	send_n(out, 3);
	weir_close(out);
	tap_need(!weir_adopt(&in, weir_fd(raw), NULL));
	tap_ok(drain(in) == 3 && !in->nstreams,
	       "a stream that ended before the socket was adopted");
	tap_ok(!weir_wait(in, WEIR_WAIT_IN, 0, 1000000),
	       "is not waited for any more");
	weir_close(in);
	model_forget(raw);
}

/* An address has room for 126 bytes; what is longer is set before. */
static void test_long_path(void)
{
	char path[WEIR_PATH_MAX + 2];
	struct weir *out, *in;
	size_t len, bad = 0;

	memset(path, 'p', sizeof(path));
	path[0] = '/';
	for (len = 125; len <= WEIR_PATH_MAX; len++) {
		out = open_type(SOCK_RDM, 0);
		in = open_type(SOCK_RDM, 0);
		path[len] = '\0';
		bad += weir_bind(out, path) || weir_subscribe(in, path);
		path[len] = 'p';
		weir_close(in);
		weir_close(out);
	}
	tap_ok(!bad, "paths of 125 to 255 bytes are bound and subscribed to");
	out = open_type(SOCK_RDM, 0);
	path[len] = '\0';
	tap_ok(weir_bind(out, path) == -ENAMETOOLONG, "one of 256 is not: %s",
	       weir_error());
	weir_close(out);
}

static void test_notices(void)
{
	struct weir *in = subscriber(WEIR_NOTICES), *out = publisher();
	struct weir_notice n;
	struct weir_msg msg;
	struct weir_stream *s;
	int i;

	tap_need(weir_peek(in, &msg) == 1);
	memcpy(&n, msg.data, sizeof(n));
	s = weir_stream_find(in, n.id);
	tap_ok(msg.kind == WEIR_KIND_NOTICE && n.type == WEIR_NOTICE_ATTACHED &&
	       s, "ATTACHED is shown and its stream there");
	tap_ok(weir_peek(in, &msg) == 1 && msg.kind == WEIR_KIND_NOTICE &&
	       !weir_release(in, &msg), "peeking twice shows it twice");
	send_n(out, 10);
	weir_close(out);
	for (i = 0; weir_peek(in, &msg) == 1 && msg.kind == WEIR_KIND_EVENT; i++)
		weir_release(in, &msg);
	memcpy(&n, msg.data, sizeof(n));
	tap_ok(i == 10 && n.type == WEIR_NOTICE_DETACHED,
	       "DETACHED comes after the last message");
	tap_ok(weir_stream_find(in, n.id) == s && weir_stream_ended(s),
	       "and still finds the stream");
	weir_release(in, &msg);
	tap_ok(!weir_peek(in, &msg) && !weir_stream_find(in, n.id),
	       "which the next peek frees");
	weir_close(in);
}

static void test_inbox_full(void)
{
	struct weir *in, *out[40];
	int i;

	model_inbox_bytes = 4096;
	in = subscriber(0);
	for (i = 0; i < 40; i++) {
		out[i] = publisher();
		send_n(out[i], 2);
	}
	tap_ok(drain(in) == 80 && in->nstreams == 40,
	       "notices that the inbox could not hold come later");
	for (i = 0; i < 40; i++)
		weir_close(out[i]);
	tap_ok(!drain(in) && !in->nstreams, "those of the end too");
	weir_close(in);
	model_inbox_bytes = 16384;
}

static void test_evicted(void)
{
	struct weir *in = subscriber(0), *out = publisher();
	struct weir_msg msg;
	int ret;

	send_n(out, 5);
	tap_need(weir_peek(in, &msg) == 1);
	model_evict(weir_fd(out), 0);
	tap_ok(weir_release(in, &msg) == -ESTALE,
	       "an evicted reader is told when it releases");
	while ((ret = weir_peek(in, &msg)) == 1)
		tap_need(weir_release(in, &msg) == -ESTALE);
	tap_ok(ret == -ESTALE && weir_stream_ended(msg.stream),
	       "and once when it peeks");
	tap_ok(!weir_peek(in, &msg) && !in->nstreams, "and no more after that");
	weir_close(in);
	in = subscriber(0);
	send_n(out, 5);
	tap_ok(drain(in) == 5, "and may come back");
	weir_close(in);
	weir_close(out);
}

static void test_batch(void)
{
	struct weir *in = subscriber(WEIR_NOTICES), *out = publisher();
	struct weir *other = publisher();
	struct weir_msg msg;
	int n = 0, notices = 0;

	send_n(out, 5);
	send_n(other, 5);
	while (weir_peek(in, &msg) == 1) {
		const struct weir_stream *s = msg.stream;

		if (msg.kind == WEIR_KIND_NOTICE) {
			tap_need(!weir_peek_next(in, &msg));
			notices++;
		} else {
			n = 1;
			while (weir_peek_next(in, &msg) && msg.stream == s)
				n++;
			tap_need(n == 5);
		}
		tap_need(!weir_release(in, &msg));
	}
	tap_ok(n == 5 && notices == 2, "a batch is of one stream, of notices it "
	       "is one");
	weir_close(other);
	weir_close(in);
	weir_close(out);
}

/*
 * A batch whose reader is evicted after three messages; @more are published,
 * and the stream ends.
 */
static int evicted_batch(int more)
{
	struct weir *in = subscriber(0), *out = publisher();
	struct weir_msg msg;
	int n, ret;

	send_n(out, 5);
	tap_need(weir_peek(in, &msg) == 1);
	for (n = 1; n < 3; n++)
		tap_need(weir_peek_next(in, &msg));
	model_evict(weir_fd(out), 0);
	send_n(out, more);
	if (more)
		weir_close(out);
	ret = weir_release(in, &msg);
	weir_close(in);
	if (!more)
		weir_close(out);
	return ret;
}

static void test_evicted_batch(void)
{
	/* 256 such messages in a ring */
	tap_ok(evicted_batch(0) == -ESTALE,
	       "who is evicted in a batch is told so");
	tap_ok(!evicted_batch(251),
	       "but not if the stream has ended and all of it is still there");
	tap_ok(evicted_batch(252) == -ESTALE,
	       "and is if only its first message is not");
}

static void test_broken(void)
{
	struct weir *in = subscriber(0), *out = publisher();
	struct weir_buf buf;
	struct weir_msg msg;

	send_n(out, 5);
	model_end(weir_fd(out), WEIR_STATE_BROKEN);
	tap_ok(drain(in) == -EPROTO, "a broken stream is drained, then reported");
	tap_ok(!weir_peek(in, &msg), "once");
	tap_ok(weir_send(out, "x", 1, 0) == -EPIPE, "its owner can't send: %s",
	       weir_error());
	weir_flush(out);
	tap_ok(weir_claim(out, 1, &buf) == -EPIPE, "nor claim");
	weir_close(in);
	weir_close(out);
}

/* With two busy streams both are read, and a peek without release holds. */
static void test_turns(void)
{
	struct weir *in = subscriber(0), *a = publisher(), *b = publisher();
	struct weir_stream *first = NULL;
	struct weir_msg msg, again;
	int n = 0, i;
	bool same = true;

	send_n(a, 200);
	send_n(b, 200);
	for (i = 0; i < 100; i++) {
		tap_need(weir_peek(in, &msg) == 1);
		same &= weir_peek(in, &again) == 1 && again.data == msg.data;
		if (!first)
			first = msg.stream;
		n += msg.stream == first;
		weir_release(in, &msg);
	}
	tap_ok(n == 64, "after 64 messages the other stream has its turn (%d)",
	       n);
	tap_ok(same, "peeking twice shows the same message");
	tap_ok(drain(in) == 300, "and all are read");
	tap_ok(!weir_stream_detach(in, in->streams[0]) && in->nstreams == 1,
	       "a stream can be left");
	tap_ok(weir_stream_detach(in, in->detached) == -EINVAL, "but once: %s",
	       weir_error());
	send_n(a, 1);
	send_n(b, 1);
	tap_ok(drain(in) == 1, "the other goes on");
	weir_close(in);
	weir_close(a);
	weir_close(b);
}

#define ROUND	5

/* Reads what there is: how often each of the streams from @first on was seen. */
static void round_drain(struct weir *in, uint32_t first, int seen[ROUND],
			int *stale, int *broken)
{
	struct weir_msg msg;
	int ret;

	*stale = *broken = 0;
	memset(seen, 0, ROUND * sizeof(*seen));
	while ((ret = weir_peek(in, &msg))) {
		uint32_t i = msg.stream->id - first;

		tap_need(i < ROUND);
		if (ret == -ESTALE)
			*stale += 1 << i;
		else if (ret == -EPROTO)
			*broken += 1 << i;
		else
			/* what a release does not trust has not been seen */
			seen[i] += ret == 1 && !weir_release(in, &msg);
	}
}

/* Many streams have one message each; and of some there is more to be told. */
static void test_round(void)
{
	struct weir *in = subscriber(0), *out[ROUND];
	int seen[ROUND], lap, i, stale, broken;
	struct weir_buf buf;
	bool all = true;
	uint32_t first;

	for (i = 0; i < ROUND; i++)
		out[i] = publisher();
	tap_need(!weir_peek(in, &(struct weir_msg){ 0 }) &&
		 in->nstreams == ROUND);
	first = in->streams[0]->id;
	for (lap = 0; lap < 600; lap++) {
		for (i = 0; i < ROUND; i++)
			send_n(out[i], 1);
		round_drain(in, first, seen, &stale, &broken);
		for (i = 0; i < ROUND; i++)
			all &= seen[i] == 1;
		all &= !stale && !broken;
	}
	tap_ok(all, "of many streams with a message each all are read");

	tap_need(!weir_claim(out[0], 100, &buf));
	weir_abort(out[0], &buf);
	for (i = 0; i < ROUND; i++)
		send_n(out[i], 1);
	model_evict(weir_fd(out[1]), 0);
	model_end(weir_fd(out[2]), WEIR_STATE_BROKEN);
	weir_close(out[3]);
	round_drain(in, first, seen, &stale, &broken);
	tap_ok(seen[0] == 1 && seen[3] == 1 && seen[4] == 1,
	       "behind what was aborted, and of who has ended, too");
	tap_ok(!seen[1] && stale == 1 << 1,
	       "one from which the reader was evicted is told of, once");
	tap_ok(seen[2] == 1 && broken == 1 << 2,
	       "as is a broken one, when all of it is read");
	tap_ok(in->nstreams == 2, "the others are left");
	weir_close(in);
	for (i = 0; i < ROUND; i++) {
		if (i != 3)
			weir_close(out[i]);
	}
}

static void test_pair(void)
{
	struct weir *end[2];
	struct weir_msg msg;
	char data[64];
	int fd[2], i;

	model_pair(fd, 4096);
	for (i = 0; i < 2; i++)
		tap_need(!weir_adopt(&end[i], fd[i], NULL));
	tap_ok(!weir_send(end[0], "ping", 4, 0) &&
	       weir_recv(end[1], data, sizeof(data), 0) == 4 &&
	       !weir_send(end[1], "pong", 4, 0) &&
	       weir_recv(end[0], data, sizeof(data), 0) == 4 &&
	       !memcmp(data, "pong", 4), "an adopted pair talks both ways");
	tap_ok(!weir_wait(end[1], WEIR_WAIT_IN, 0, 0) &&
	       !weir_send(end[0], "last", 4, 0) &&
	       weir_wait(end[1], WEIR_WAIT_IN, 0, 0) == WEIR_WAIT_IN,
	       "waiting looks");
	weir_close(end[0]);
	tap_ok(weir_recv(end[1], data, sizeof(data), WEIR_FOREVER) == 4,
	       "what the peer sent last is read");
	msg.stream = (void *)&msg;
	tap_ok(weir_peek(end[1], &msg) == -EPIPE && !msg.stream &&
	       weir_peek(end[1], &msg) == -EPIPE &&
	       weir_recv(end[1], data, sizeof(data), WEIR_FOREVER) == -EPIPE,
	       "then it is the end, and stays so");
	weir_close(end[1]);
}

static void test_states(void)
{
	struct weir *w = open_type(SOCK_SEQPACKET, 0);
	struct weir_config config = { .flags = 0x80 }, set = { .set = 0x80 };
	struct weir_buf buf;
	struct weir_msg msg;

	tap_ok(weir_claim(w, 1, &buf) == -ENOTCONN, "no claim yet: %s",
	       weir_error());
	msg.stream = (void *)&msg;
	tap_ok(weir_peek(w, &msg) == -ENOTCONN && !msg.stream, "no peek yet");
	tap_ok(weir_subscribe(w, "/x") == -EOPNOTSUPP, "no subscription: %s",
	       weir_error());
	weir_close(w);
	w = open_type(SOCK_RDM, 0);
	tap_ok(weir_connect(w, "/x") == -EOPNOTSUPP, "no connection: %s",
	       weir_error());
	tap_ok(!weir_peek(w, &msg), "nothing subscribed, nothing there");
	tap_ok(!weir_arm(w), "nor armed");
	weir_close(w);
	tap_ok(weir_open(&w, SOCK_RDM, &config) == -EINVAL, "flags: %s",
	       weir_error());
	tap_ok(weir_open(&w, SOCK_RDM, &set) == -EINVAL, "set: %s",
	       weir_error());
	weir_close(NULL);
}

static void test_family(void)
{
	struct weir *w;

	model_family_errno = ENOENT;
	model_family = 0;
	tap_ok(weir_family() == -EAFNOSUPPORT &&
	       (strstr(weir_error(), "not loaded") ||
		strstr(weir_error(), "/parameters/family")),
	       "no file and no socket: %s", weir_error());
	model_family_errno = EACCES;
	tap_ok(weir_family() == -EAFNOSUPPORT &&
	       strstr(weir_error(), "/parameters/family") &&
	       weir_open(&w, SOCK_RDM, NULL) == -EAFNOSUPPORT,
	       "a file that may not be read: %s", weir_error());
	model_family = 25;
	tap_ok(weir_family() == 25 && !weir_open(&w, SOCK_RDM, NULL),
	       "the number that sockets prove");
	weir_close(w);
	model_family = WEIR_FAMILY_DEFAULT;
	model_family_errno = 0;
	tap_ok(weir_family() == 18, "the number");
}

int main(void)
{
	tap_alarm(TAP_SECONDS);
	test_drain();
	test_late();
	test_long_path();
	test_notices();
	test_inbox_full();
	test_evicted();
	test_batch();
	test_evicted_batch();
	test_broken();
	test_turns();
	test_round();
	test_pair();
	test_states();
	test_family();
	return tap_done();
}
