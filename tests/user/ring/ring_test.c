// SPDX-License-Identifier: GPL-2.0
/*
 * Claim, commit, peek and release on one thread: contents and order across
 * many laps and across the wrap of every counter, records that are aborted or
 * cut short, a full ring, demand.
 */
#include <errno.h>
#include <string.h>

#include "../../tap/tap.h"
#include "../model/model.h"
#include "../random.h"

#define RING	8192

static struct weir *open_type(int type, int demand)
{
	struct weir_config config = { .ring_bytes = RING,
				      .set = demand < 0 ? 0 : WEIR_SET_DEMAND,
				      .demand = (uint32_t)demand };
	struct weir *w;

	tap_need(!weir_open(&w, type, &config));
	return w;
}

static void open_both(struct weir **out, struct weir **in, int demand)
{
	*out = open_type(SOCK_RDM, -1);
	*in = open_type(SOCK_RDM, demand);
	tap_need(!weir_bind(*out, "/out"));
	tap_need(!weir_subscribe(*in, "/out"));
}

static void close_both(struct weir *out, struct weir *in)
{
	weir_close(in);
	weir_close(out);
}

static void fill(void *data, uint32_t len, uint32_t n)
{
	unsigned char *p = data;
	uint32_t i;

	for (i = 0; i < len; i++)
		p[i] = (unsigned char)(n * 31 + i * 7);
}

static bool filled(const void *data, uint32_t len, uint32_t n)
{
	const unsigned char *p = data;
	uint32_t i;

	for (i = 0; i < len; i++) {
		if (p[i] != (unsigned char)(n * 31 + i * 7))
			return false;
	}
	return true;
}

/* Random lengths, cut short and aborted at random; the reader lags at random. */
static void test_laps(const char *what, __u64 pos, __u32 seq)
{
	unsigned long long rnd = 42;
	uint32_t sent = 0, got = 0, lens[256];
	struct weir *out, *in;
	struct weir_msg msg;
	bool whole = true;
	int ret;

	model_start_pos = pos;
	model_start_seq = seq;
	open_both(&out, &in, -1);
	while (got < 5000) {
		uint32_t claim = (uint32_t)(random_next(&rnd) % 1500);
		struct weir_buf buf;

		if (random_next(&rnd) % 2 && sent - got < 250 &&
		    !weir_claim(out, claim, &buf)) {
			unsigned int fate = random_next(&rnd) % 8;

			if (fate == 0) {
				memset(buf.data, 0xff, buf.len);
				weir_abort(out, &buf);
				continue;
			}
			if (fate < 3)
				buf.len = (uint32_t)(random_next(&rnd) %
						     (claim + 1));
			fill(buf.data, buf.len, sent);
			buf.tag = sent;
			lens[sent++ % 256] = buf.len;
			weir_commit(out, &buf);
			continue;
		}
		ret = weir_peek(in, &msg);
		tap_need(ret >= 0);
		if (!ret)
			continue;
		whole &= msg.len == lens[got % 256] && msg.rec->tag == got &&
			 filled(msg.data, msg.len, got);
		whole &= !weir_release(in, &msg);
		got++;
	}
	tap_ok(whole, "5000 messages whole and in order, %s", what);
	tap_ok(!weir_stream_missed(in->streams[0]) &&
	       model_words(weir_fd(out), 0).status->evictions == 0 &&
	       model_words(weir_fd(out), 0).status->gating[0] == 1,
	       "nothing missed, nobody evicted, %s", what);
	close_both(out, in);
	model_start_pos = 0;
	model_start_seq = 0;
}

/* Records that nobody sees must not hold the writer. */
static void test_aborted(void)
{
	struct weir *out, *in;
	struct weir_buf buf;
	struct weir_msg msg;
	int i;

	open_both(&out, &in, -1);
	for (i = 0; i < 1000; i++) {
		if (weir_claim(out, 100, &buf)) {
			tap_need(!weir_peek(in, &msg));
			tap_need(!weir_claim(out, 100, &buf));
		}
		weir_abort(out, &buf);
	}
	tap_ok(!weir_peek(in, &msg), "1000 aborted records are skipped");
	tap_need(!weir_send(out, "x", 1, 0));
	tap_ok(weir_peek(in, &msg) == 1 && msg.seq == 1000,
	       "and counted as records");
	close_both(out, in);
}

static void test_cut(void)
{
	bool whole = true;
	uint32_t cut;

	for (cut = 0; cut <= 300; cut++) {
		struct weir *out, *in;
		struct weir_buf buf;
		struct weir_msg msg;
		char text[8];

		open_both(&out, &in, -1);
		tap_need(!weir_claim(out, 300, &buf));
		fill(buf.data, cut, cut);
		buf.len = cut;
		weir_commit(out, &buf);
		tap_need(!weir_send(out, "next", 4, 0));
		whole &= weir_peek(in, &msg) == 1 && msg.len == cut &&
			 filled(msg.data, cut, cut) && !weir_release(in, &msg);
		whole &= weir_recv(in, text, sizeof(text), 0) == 4 &&
			 !memcmp(text, "next", 4);
		close_both(out, in);
	}
	tap_ok(whole, "a claim of 300 bytes cut to each length");
}

static void test_sizes(void)
{
	static char data[RING];
	struct weir *out, *in;
	struct weir_buf buf;

	open_both(&out, &in, -1);
	tap_ok(weir_claim(out, RING - 31, &buf) == -EMSGSIZE,
	       "a message larger than the ring: %s", weir_error());
	tap_ok(weir_claim(out, (size_t)1 << 32, &buf) == -EMSGSIZE,
	       "a message of 4 GiB");
	tap_ok(!weir_send(out, data, RING - 32, 0) &&
	       weir_recv(in, data, sizeof(data), 0) == RING - 32,
	       "the largest message");
	tap_ok(!weir_send(out, NULL, 0, 0) &&
	       weir_recv(in, data, sizeof(data), 0) == 0, "the smallest");
	tap_ok(!weir_send(out, "truncated", 9, 0) &&
	       weir_recv(in, data, 5, 0) == 9 && !memcmp(data, "trunc", 5),
	       "a message longer than the receiver's room");
	tap_ok(weir_recv(in, data, sizeof(data), 0) == -EAGAIN &&
	       weir_recv(in, data, sizeof(data), 1000000) == -ETIMEDOUT,
	       "none: -EAGAIN and -ETIMEDOUT");
	close_both(out, in);
}

static void test_full(void)
{
	struct weir *out, *in, *slow;
	struct weir_msg msg;
	int n = 0, ret;

	open_both(&out, &in, -1);
	slow = open_type(SOCK_RDM, -1);
	tap_need(!weir_subscribe(slow, "/out"));
	while (!(ret = weir_send(out, "x", 1, 0)))
		n++;
	tap_ok(ret == -EAGAIN && n == RING / 64, "full after %d records", n);
	while (weir_peek(in, &msg) == 1)
		weir_release(in, &msg);
	tap_ok(weir_send(out, "x", 1, 0) == -EAGAIN,
	       "full while one of two readers has not read");
	tap_ok(weir_send(out, "x", 1, 1000000) == -ETIMEDOUT,
	       "waiting for room times out");
	ret = model_waits;
	for (n = 0; n < 100; n++)
		weir_send(out, "x", 1, 0);
	tap_ok(model_waits - ret <= 1,
	       "a full ring costs a system call now and then, not each time");
	tap_need(weir_peek(slow, &msg) == 1);
	weir_release(slow, &msg);
	tap_ok(!weir_send(out, "x", 1, 0) &&
	       weir_send(out, "x", 1, 0) == -EAGAIN,
	       "one record read by the slowest makes room for one");
	weir_close(slow);
	tap_ok(!weir_send(out, "x", 1, 0), "a reader that leaves holds nobody");
	close_both(out, in);
}

static void test_liar(void)
{
	struct weir *out, *in;
	struct weir_msg msg;
	int i, sent = 0;

	open_both(&out, &in, -1);
	tap_need(!weir_send(out, "x", 1, 0));
	tap_need(weir_peek(in, &msg) == 1);
	weir_store(&model_words(weir_fd(out), 0).cursor->pos, 1ULL << 40);
	for (i = 0; i < 1000; i++)
		sent += !weir_send(out, "x", 1, 0);
	tap_ok(sent == 1000, "a cursor ahead of the writer is thrown out");
	tap_ok(weir_release(in, &msg) == -ESTALE, "and its reader is told");
	close_both(out, in);
}

static int send_all(struct weir *out)
{
	int n = 0;

	while (!weir_send(out, "x", 1, 0))
		n++;
	return n;
}

static void test_demand(void)
{
	struct weir *out, *in;
	struct weir_msg msg;

	open_both(&out, &in, 5);
	tap_need(!weir_peek(in, &msg));
	tap_ok(send_all(out) == 5, "an initial demand of 5 is published");
	tap_ok(!weir_request(in, in->streams[0], 3) && send_all(out) == 3,
	       "3 more are asked for and published");
	while (weir_peek(in, &msg) == 1)
		weir_release(in, &msg);
	tap_ok(!send_all(out), "reading alone is not asking");
	tap_ok(!weir_request(in, in->streams[0], 1) &&
	       !weir_request(in, in->streams[0], 1) && send_all(out) == 2,
	       "requests add up");
	tap_ok(weir_request(in, in->streams[0], 1U << 31) == -EINVAL,
	       "demand has a limit: %s", weir_error());
	close_both(out, in);

	open_both(&out, &in, 0);
	tap_ok(!send_all(out), "a demand of 0 holds the writer");
	close_both(out, in);
	open_both(&out, &in, -1);
	tap_need(!weir_peek(in, &msg));
	tap_ok(weir_request(in, in->streams[0], 1) == -EINVAL,
	       "no request without demand: %s", weir_error());
	close_both(out, in);
}

/*
 * Batches of random length and fate, cut short and aborted in the middle, read
 * in batches that are released whole, in part or not yet.
 */
static void test_batches(const char *what, __u64 pos, __u32 seq)
{
	unsigned long long rnd = 43;
	uint32_t sent = 0, got = 0, most = 0, aborted = 0, lens[256];
	struct weir *out, *in;
	bool whole = true;

	model_start_pos = pos;
	model_start_seq = seq;
	open_both(&out, &in, -1);
	while (got < 5000) {
		uint32_t len = (uint32_t)(random_next(&rnd) % 300);
		uint32_t want = 1 + (uint32_t)(random_next(&rnd) % 20), n = 0;
		struct weir_msg msg, first;
		uint32_t seen = got;
		struct weir_buf buf;
		int left;

		if (random_next(&rnd) % 2 && sent - got < 200) {
			left = weir_claim_batch(out, len, want, &buf);
			whole &= left == -EAGAIN || (left > 0 &&
						     left <= (int)want);
			for (; left > 0; left = weir_claim_next(out, &buf), n++) {
				unsigned int fate = random_next(&rnd) % 8;

				whole &= buf.len == len && !buf.tag && !buf.key &&
					 buf.kind == WEIR_KIND_EVENT;
				if (fate == 0) {
					weir_abort(out, &buf);
					aborted++;
					continue;
				}
				if (fate == 1)
					buf.len = (uint32_t)(random_next(&rnd) %
							     (len + 1));
				fill(buf.data, buf.len, sent);
				buf.tag = sent;
				buf.key = 7;
				buf.kind = WEIR_KIND_REQUEST;
				lens[sent++ % 256] = buf.len;
				weir_commit_more(out, &buf);
			}
			if (n > most)
				most = n;
			weir_flush(out);
			continue;
		}
		if (weir_peek(in, &msg) != 1)
			continue;
		first = msg;
		do {
			whole &= msg.len == lens[seen % 256] &&
				 msg.rec->tag == seen && msg.rec->key == 7 &&
				 msg.kind == WEIR_KIND_REQUEST &&
				 filled(msg.data, msg.len, seen);
			seen++;
		} while (random_next(&rnd) % 8 && weir_peek_next(in, &msg));
		switch (random_next(&rnd) % 4) {
		case 0:
			/* not released, all of it comes again */
			break;
		case 1:
			/* but for the first, it comes again */
			whole &= !weir_release(in, &first);
			got++;
			break;
		default:
			whole &= !weir_release(in, &msg);
			got = seen;
		}
	}
	tap_ok(whole && most == 20 && aborted,
	       "5000 messages in batches, whole and in order, %s", what);
	close_both(out, in);
	model_start_pos = 0;
	model_start_seq = 0;
}

/* As many as there is room for; the rest when there is more. */
static void test_batch_full(void)
{
	struct weir *out, *in;
	struct weir_buf buf = { 0 };
	struct weir_msg msg;
	int n, ones = 0;

	open_both(&out, &in, -1);
	tap_ok(weir_claim_batch(out, 0, 0, &buf) == -EINVAL,
	       "a batch of none is refused: %s", weir_error());
	tap_ok(weir_claim_batch(out, RING, 2, &buf) == -EMSGSIZE,
	       "one of messages that are too long is, too: %s", weir_error());
	tap_ok(weir_claim_batch(out, 0, RING / 64 + 1, &buf) == 1,
	       "of more than the ring holds, one is claimed");
	weir_commit(out, &buf);
	n = weir_claim_batch(out, 0, RING / 64 - 1, &buf);
	tap_ok(n == RING / 64 - 1, "all that the ring holds are claimed");
	for (; n > 0; n = weir_claim_next(out, &buf))
		weir_commit_more(out, &buf);
	tap_ok(!weir_claim_next(out, &buf) && !weir_claim_next(out, &buf),
	       "behind the last there is none");
	tap_ok(weir_claim_batch(out, 0, 2, &buf) == -EAGAIN,
	       "into a full ring, none is");
	tap_need(weir_peek(in, &msg) == 1);
	for (n = 1; weir_peek_next(in, &msg); n++)
		;
	tap_ok(n == RING / 64 && msg.seq == RING / 64 - 1,
	       "a full ring is one batch for its reader");
	tap_ok(weir_claim_batch(out, 0, 2, &buf) == -EAGAIN,
	       "whose space stays taken until its release");
	tap_need(!weir_release(in, &msg));
	tap_ok(!weir_peek(in, &msg), "which releases all of it");
	for (n = RING / 64; n; ones++) {
		int k = weir_claim_batch(out, 0, (uint32_t)n, &buf);

		tap_need(k > 0);
		for (; k > 0; k = weir_claim_next(out, &buf), n--)
			weir_commit_more(out, &buf);
	}
	tap_ok(ones <= 2, "and then there is room for a full batch");
	close_both(out, in);
}

/* Demand counts each message of a batch. */
static void test_batch_demand(void)
{
	struct weir *out, *in;
	struct weir_buf buf = { 0 };
	struct weir_msg msg;
	int n = 0;

	open_both(&out, &in, 5);
	while (weir_claim_batch(out, 8, 4, &buf) > 0) {
		do
			n++;
		while (weir_commit_more(out, &buf), weir_claim_next(out, &buf));
	}
	tap_ok(n == 5, "with a demand of 5, batches of 4 claim 5");
	tap_need(weir_peek(in, &msg) == 1);
	tap_need(!weir_request(in, msg.stream, 4));
	tap_ok(weir_claim_batch(out, 8, 4, &buf) == 4,
	       "4 more of them are had at once");
	do
		weir_abort(out, &buf);
	while (weir_claim_next(out, &buf));
	close_both(out, in);
}

int main(void)
{
	tap_alarm(TAP_SECONDS);
	test_laps("from 0", 0, 0);
	test_laps("granule number and count wrap", ((1ULL << 32) - 500) * 64,
		  (__u32)-700);
	test_laps("position becomes negative", (1ULL << 63) - 640, 0x7ffffe00);
	test_aborted();
	test_cut();
	test_sizes();
	test_full();
	test_liar();
	test_demand();
	test_batches("from 0", 0, 0);
	test_batches("granule number and count wrap", ((1ULL << 32) - 500) * 64,
		     (__u32)-700);
	test_batches("position becomes negative", (1ULL << 63) - 640,
		     0x7ffffe00);
	test_batch_full();
	test_batch_demand();
	return tap_done();
}
