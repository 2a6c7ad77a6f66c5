// SPDX-License-Identifier: GPL-2.0
/*
 * Several threads at once: four producers that claim in one outbox, three
 * readers that gate it, all of them asleep much of the time; and two that send
 * one message to and fro, where each message is a chance to lose a wake-up.
 * Once with sleepers that fence the others, once with writers that fence.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../../tap/tap.h"
#include "../model/model.h"

#define PRODUCERS	4
#define READERS		3

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define EACH		20000U
#define ROUND_TRIPS	3000
#else
#define EACH		200000U
#define ROUND_TRIPS	20000
#endif

struct item {
	uint32_t producer;
	uint32_t n;
	uint64_t check;
	unsigned char tail[200];
};

static uint64_t checksum(uint32_t producer, uint32_t n)
{
	return (producer + 1) * 0x9e3779b97f4a7c15ULL ^ n * 0xd1342543de82ef95ULL;
}

struct producer {
	struct weir *w;
	uint32_t id;
	pthread_t thread;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	uint32_t n;

	for (n = 0; n < EACH; n++) {
		uint32_t extra = (n * 7 + p->id) % 200;
		struct weir_buf buf;
		struct item *item;
		int err = weir_claim_wait(p->w, 16 + extra, &buf, WEIR_FOREVER);

		tap_need(!err);
		item = buf.data;
		item->producer = p->id;
		item->n = n;
		item->check = checksum(p->id, n);
		memset(item->tail, (int)(n & 0xff), extra);
		if (n % 1000 == 999) {
			/* a second claim, given up, between the others */
			struct weir_buf none;

			if (!weir_claim(p->w, 64, &none))
				weir_abort(p->w, &none);
		}
		weir_commit(p->w, &buf);
	}
	return NULL;
}

struct reader {
	struct weir *w;
	pthread_t thread;
	uint32_t next[PRODUCERS];
	bool sound;
};

static void *consume(void *arg)
{
	struct reader *r = arg;
	uint64_t left = (uint64_t)EACH * PRODUCERS;

	r->sound = true;
	while (left) {
		const struct item *item;
		struct weir_msg msg;
		uint32_t i;
		int ret = weir_peek(r->w, &msg);

		tap_need(ret >= 0);
		if (!ret) {
			ret = weir_wait(r->w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
			tap_need(ret >= 0);
			continue;
		}
		item = msg.data;
		tap_need(msg.len >= 16 && item->producer < PRODUCERS);
		r->sound &= item->n == r->next[item->producer] &&
			    item->check == checksum(item->producer, item->n);
		for (i = 16; i < msg.len; i++)
			r->sound &= ((const unsigned char *)msg.data)[i] ==
				    (item->n & 0xff);
		r->next[item->producer]++;
		r->sound &= !weir_release(r->w, &msg);
		left--;
	}
	return NULL;
}

static void test_many(const char *mode)
{
	struct weir_config config = { .flags = WEIR_SHARED, .ring_bytes = 16384 };
	struct producer producers[PRODUCERS];
	struct reader readers[READERS] = { 0 };
	struct weir *out;
	bool sound = true;
	uint32_t i;

	model_start_pos = ((1ULL << 32) - 1000) * 64;
	model_start_seq = (__u32)-5000;
	tap_need(!weir_open(&out, SOCK_RDM, &config));
	tap_need(!weir_bind(out, "/out"));
	for (i = 0; i < READERS; i++) {
		tap_need(!weir_open(&readers[i].w, SOCK_RDM, NULL));
		tap_need(!weir_subscribe(readers[i].w, "/out"));
		tap_need(!pthread_create(&readers[i].thread, NULL, consume,
					 &readers[i]));
	}
	for (i = 0; i < PRODUCERS; i++) {
		producers[i].w = out;
		producers[i].id = i;
		tap_need(!pthread_create(&producers[i].thread, NULL, produce,
					 &producers[i]));
	}
	for (i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i].thread, NULL);
	for (i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		sound &= readers[i].sound;
		weir_close(readers[i].w);
	}
	weir_close(out);
	tap_ok(sound, "%d producers, %d readers: all whole, in order, once (%s)",
	       PRODUCERS, READERS, mode);
	model_start_pos = 0;
	model_start_seq = 0;
}

static void *pong(void *arg)
{
	char data[64];
	ssize_t len;

	while ((len = weir_recv(arg, data, sizeof(data), WEIR_FOREVER)) >= 0)
		tap_need(!weir_send(arg, data, (size_t)len, WEIR_FOREVER));
	tap_need(len == -EPIPE);
	return NULL;
}

static void test_ping_pong(const char *mode, uint64_t spin_ns)
{
	struct weir_config config = { .spin_ns = spin_ns };
	struct weir *end[2];
	pthread_t thread;
	bool same = true;
	uint32_t n, got;
	int fd[2], i;

	model_pair(fd, 4096);
	for (i = 0; i < 2; i++)
		tap_need(!weir_adopt(&end[i], fd[i], &config));
	tap_need(!pthread_create(&thread, NULL, pong, end[1]));
	for (n = 0; n < ROUND_TRIPS; n++) {
		tap_need(!weir_send(end[0], &n, sizeof(n), WEIR_FOREVER));
		same &= weir_recv(end[0], &got, sizeof(got), WEIR_FOREVER) ==
			sizeof(got) && got == n;
	}
	weir_close(end[0]);
	pthread_join(thread, NULL);
	weir_close(end[1]);
	tap_ok(same, "%d round trips, polling %llu ns (%s)", ROUND_TRIPS,
	       (unsigned long long)spin_ns, mode);
}

static void test_mode(const char *mode)
{
	test_many(mode);
	test_ping_pong(mode, 0);
	test_ping_pong(mode, 2000);
}

int main(void)
{
	tap_alarm(TAP_SECONDS);
	test_mode("sleepers fence writers");
	model_fence_mode = 1;
	test_mode("writers fence");
	tap_ok(!model_lost_wakeups, "no wake-up lost (%d)", model_lost_wakeups);
	return tap_done();
}
