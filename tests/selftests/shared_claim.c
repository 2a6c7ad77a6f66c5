// SPDX-License-Identifier: GPL-2.0
/*
 * WEIR_SHARED: four threads publish on one outbox at once, aborted claims and
 * shortened messages mixed in, while three processes subscribe, one of them
 * through recvmsg. Each subscriber sees each thread's messages in order, every
 * one once, whole. The ring is small, so that threads also wait for room.
 */
#include <pthread.h>

#include "hard.h"

#define THREADS		4
#define READERS		3
#define RING		(16 << 10)

static struct weir *out;
static long each;
static int *ready;

static void *publish(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;
	long n = 0;

	seed(me + 100);
	while (n < each) {
		uint32_t len = item_len(500);
		bool shorten = !(rnd() % 8);
		struct weir_buf buf;
		int err;

		err = weir_claim_wait(out, len + (shorten ? 300 : 0), &buf,
				      HARD_DEADLINE_NS);
		if (err)
			return (void *)(intptr_t)err;
		if (!(rnd() % 16)) {
			memset(buf.data, 0xee, buf.len);
			weir_abort(out, &buf);
			continue;
		}
		if (!(rnd() % 16))
			sched_yield();
		item_fill(buf.data, len, me, (uint64_t)n++);
		buf.len = len;
		buf.tag = me;
		weir_commit(out, &buf);
	}
	return NULL;
}

/* Reads until all have come; an error says which check failed. */
static int follow(long next[THREADS], const void *data, size_t len)
{
	const struct item *it = data;

	if (!item_good(it, len) || it->from >= THREADS)
		return 10;
	if (it->n != (uint64_t)next[it->from])
		return it->n < (uint64_t)next[it->from] ? 11 : 12;
	next[it->from]++;
	return 0;
}

static int subscribe_library(void *arg)
{
	long next[THREADS] = { 0 }, total = 0;
	struct weir *in;

	(void)arg;
	if (weir_open(&in, SOCK_RDM, NULL) || weir_subscribe(in, "/shared/*"))
		return 20;
	add(ready, 1);
	while (total < each * THREADS) {
		struct weir_msg msg;
		int ret = weir_peek(in, &msg);

		if (ret < 0)
			return 21;
		if (!ret) {
			if (weir_wait(in, WEIR_WAIT_IN, 0, HARD_DEADLINE_NS) <= 0)
				return 22;
			continue;
		}
		ret = follow(next, msg.data, msg.len);
		if (ret)
			return ret;
		if (((const struct item *)msg.data)->from != msg.rec->tag)
			return 23;
		if (weir_release(in, &msg))
			return 24;
		total++;
	}
	return weir_recv(in, next, sizeof(next), WEIR_DONTWAIT) == -EAGAIN ? 0 : 25;
}

static int subscribe_kernel(void *arg)
{
	long next[THREADS] = { 0 }, total = 0;
	int fd = raw_subscriber(SOCK_RDM, "/shared/*"), ret;
	static char data[RING];

	(void)arg;
	add(ready, 1);
	while (total < each * THREADS) {
		struct pollfd p = { fd, POLLIN, 0 };
		ssize_t len;

		if (poll(&p, 1, HARD_DEADLINE_MS) != 1)
			return 22;
		len = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		if (len < 0 && errno == EAGAIN)
			continue;
		if (len < 0)
			return 21;
		ret = follow(next, data, (size_t)len);
		if (ret)
			return ret;
		total++;
	}
	return recv(fd, data, sizeof(data), MSG_DONTWAIT) < 0 ? 0 : 25;
}

int main(void)
{
	struct weir_config config = { .flags = WEIR_SHARED, .ring_bytes = RING };
	struct counters before;
	pthread_t threads[THREADS];
	pid_t readers[READERS];
	int i;

	hard_begin();
	before = counters();
	each = scaled(10000);
	ready = tap_shared(4096);
	need(!weir_open(&out, SOCK_RDM, &config), "open");
	need(!weir_bind(out, "/shared/claim"), "bind");
	for (i = 0; i < READERS; i++)
		readers[i] = spawn(i ? subscribe_library : subscribe_kernel, NULL);
	need(soon(get(ready) == READERS), "subscribers");

	for (i = 0; i < THREADS; i++)
		need(!pthread_create(&threads[i], NULL, publish,
				     (void *)(uintptr_t)i), "thread");
	for (i = 0; i < THREADS; i++) {
		void *err;

		pthread_join(threads[i], &err);
		check(!err, "thread %d published %ld messages (%ld)", i, each,
		      (long)(intptr_t)err);
	}
	for (i = 0; i < READERS; i++) {
		int ret = tap_wait_within(readers[i], 2 * HARD_DEADLINE_MS);

		check(!ret, "%s subscriber saw each thread's messages once, in order (%d)",
		      i ? "library" : "kernel", ret);
	}
	weir_close(out);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
