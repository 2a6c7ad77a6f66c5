// SPDX-License-Identifier: GPL-2.0
/*
 * Lossy readers: what they get is whole and in order, and what they get and
 * what they are told they missed adds up to what was sent, exactly.
 *
 * A lossy reader reads bytes that the writer may be overwriting and finds out
 * afterwards: a data race by design (a sequence lock), so under the thread
 * sanitizer the part with two threads is left out.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../../tap/tap.h"
#include "../model/model.h"
#include "../random.h"

static uint32_t ring_bytes;

static void open_both(struct weir **out, struct weir **in, int out_type)
{
	struct weir_config config = { .ring_bytes = ring_bytes };

	tap_need(!weir_open(out, out_type, &config));
	tap_need(!weir_open(in, SOCK_DGRAM, &config));
	tap_need(!weir_bind(*out, "/out"));
	tap_need(!weir_subscribe(*in, "/out"));
}

struct number {
	uint32_t n;
	uint32_t copies[1];
};

static void send_number(struct weir *out, uint32_t n)
{
	uint32_t count = 1 + n * 2654435761U % 60, i;
	struct weir_buf buf;
	struct number *number;

	tap_need(!weir_claim(out, (1 + count) * sizeof(n), &buf));
	number = buf.data;
	number->n = n;
	for (i = 0; i < count; i++)
		number->copies[i] = n * (i + 3);
	weir_commit(out, &buf);
}

static bool number_whole(const struct weir_msg *msg, uint32_t *n)
{
	uint32_t words[64], count, i;

	if (msg->len < 8 || msg->len > sizeof(words))
		return false;
	memcpy(words, msg->data, msg->len);
	*n = words[0];
	count = 1 + *n * 2654435761U % 60;
	if (msg->len != (1 + count) * sizeof(*n))
		return false;
	for (i = 0; i < count; i++) {
		if (words[1 + i] != *n * (i + 3))
			return false;
	}
	return true;
}

/**
 * struct tally - what a lossy reader has seen
 * @got: messages received whole.
 * @stale: messages overwritten in use.
 * @next: lowest number that may come.
 * @sound: all were whole and in order.
 */
struct tally {
	uint64_t got, stale;
	uint32_t next;
	bool sound;
};

static int take(struct weir *in, struct tally *t)
{
	struct weir_msg msg;
	uint32_t n = 0;
	int ret = weir_peek(in, &msg);
	bool whole;

	tap_need(ret >= 0);
	if (!ret)
		return 0;
	whole = number_whole(&msg, &n);
	ret = weir_release(in, &msg);
	tap_need(!ret || ret == -ESTALE);
	if (ret) {
		t->stale++;
		return 1;
	}
	t->sound &= whole && n >= t->next;
	t->next = n + 1;
	t->got++;
	return 1;
}

static void test_sums(int type, __u64 pos, __u32 seq)
{
	struct tally t = { .sound = true };
	unsigned long long rnd = 7;
	struct weir *out, *in;
	uint32_t sent = 0;
	uint64_t missed;

	model_start_pos = pos;
	model_start_seq = seq;
	open_both(&out, &in, type);
	while (sent < 20000) {
		unsigned int n = random_next(&rnd) % 200;

		while (n--)
			send_number(out, sent++);
		for (n = random_next(&rnd) % 100; n && take(in, &t); n--)
			;
	}
	while (take(in, &t))
		;
	missed = weir_stream_missed(in->streams[0]);
	tap_ok(t.sound, "lossy, type %d, ring %u: whole and in order", type,
	       ring_bytes);
	tap_ok(missed && t.got + missed == sent,
	       "%llu received + %llu missed = %u sent",
	       (unsigned long long)t.got, (unsigned long long)missed, sent);
	weir_close(in);
	weir_close(out);
	model_start_pos = 0;
	model_start_seq = 0;
}

static void test_in_use(void)
{
	struct weir *out, *in;
	struct weir_msg msg;
	struct tally t = { .sound = true };
	uint32_t i;

	open_both(&out, &in, SOCK_DGRAM);
	for (i = 0; i < 10; i++)
		send_number(out, i);
	tap_need(weir_peek(in, &msg) == 1);
	tap_ok(!weir_peek_next(in, &msg), "a lossy stream has batches of one");
	for (; i < 1000; i++)
		send_number(out, i);
	tap_ok(weir_release(in, &msg) == -ESTALE,
	       "a message overwritten while in use is reported");
	while (take(in, &t))
		;
	tap_ok(t.sound && t.got + weir_stream_missed(in->streams[0]) == 1000,
	       "and counted as missed once");
	weir_close(in);
	weir_close(out);
}

/* What a writer took back would have been overwritten without a trace. */
static void test_abort(void)
{
	struct weir *out, *in;
	struct weir_buf buf;
	struct weir_msg msg;

	open_both(&out, &in, SOCK_DGRAM);
	tap_need(!weir_send(out, "old", 3, 0));
	while (weir_stream_lag(in->streams[0]) < ring_bytes)
		tap_need(!weir_send(out, "x", 1, 0));
	tap_need(weir_peek(in, &msg) == 1);
	tap_need(!weir_claim(out, 3, &buf));
	memcpy(buf.data, "new", 3);
	weir_abort(out, &buf);
	tap_ok(weir_release(in, &msg) == -ESTALE,
	       "an aborted claim counts as overwriting");
	weir_close(in);
	weir_close(out);
}

#ifdef __SANITIZE_THREAD__
static void test_race(void)
{
	tap_skip("lossy reader beside its writer", "a data race by design");
}
#else
#define RACE_MESSAGES	300000

static void *race_writer(void *arg)
{
	uint32_t i;

	for (i = 0; i < RACE_MESSAGES; i++)
		send_number(arg, i);
	return NULL;
}

static void test_race(void)
{
	struct tally t = { .sound = true };
	struct weir *out, *in;
	pthread_t writer;
	uint64_t missed;

	open_both(&out, &in, SOCK_DGRAM);
	tap_need(!weir_peek(in, &(struct weir_msg){ 0 }));
	tap_need(!pthread_create(&writer, NULL, race_writer, out));
	while (t.next < RACE_MESSAGES / 2)
		take(in, &t);
	pthread_join(writer, NULL);
	while (take(in, &t))
		;
	missed = weir_stream_missed(in->streams[0]);
	tap_ok(t.sound, "beside its writer, ring %u: whole and in order",
	       ring_bytes);
	tap_ok(t.got + missed == RACE_MESSAGES,
	       "%llu received + %llu missed (%llu in use) = %u sent",
	       (unsigned long long)t.got, (unsigned long long)missed,
	       (unsigned long long)t.stale, RACE_MESSAGES);
	weir_close(in);
	weir_close(out);
}
#endif

int main(void)
{
	tap_alarm(TAP_SECONDS);
	for (ring_bytes = 4096; ring_bytes <= 65536; ring_bytes *= 4) {
		test_sums(SOCK_DGRAM, 0, 0);
		test_in_use();
		test_abort();
		test_race();
	}
	ring_bytes = 4096;
	test_sums(SOCK_RDM, 0, 0);
	test_sums(SOCK_DGRAM, ((1ULL << 32) - 500) * 64, (__u32)-700);
	test_sums(SOCK_DGRAM, (1ULL << 63) - 640, 0x7ffffe00);
	return tap_done();
}
