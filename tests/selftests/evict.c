// SPDX-License-Identifier: GPL-2.0
/*
 * A reader that stops reading: with evict_ms the writer waits that long, not
 * less, and then goes on without it; the reader is told by a notice and by
 * -ESTALE, through the kernel by ESTALE; the other readers lose nothing. With
 * evict_ms 0 the writer waits as long as it is let. The same for a reader that
 * holds the writer back by its demand.
 */
#include "hard.h"

#define RING		4096
#define EVICT_MS	500

static struct weir *publisher(void)
{
	struct weir_config config = { .ring_bytes = RING };
	struct weir *w;

	need(!weir_open(&w, SOCK_RDM, &config), "open");
	need(!weir_bind(w, "/evict/x"), "bind");
	return w;
}

/*
 * Set only while a reader that does not read at all is waited for: no other is
 * late.
 */
static void patience(struct weir *w, int evict_ms)
{
	need(!tap_setopt(weir_fd(w), WEIR_SO_EVICT_MS, evict_ms), "evict_ms");
}

static struct weir *subscriber(uint32_t flags, int demand)
{
	struct weir_config config = {
		.flags = flags,
		.set = demand < 0 ? 0 : WEIR_SET_DEMAND,
		.demand = (uint32_t)demand,
	};
	struct weir *w;

	need(!weir_open(&w, SOCK_RDM, &config), "open");
	need(!weir_subscribe(w, "/evict/*"), "subscribe");
	return w;
}

/* Publishes until it would wait; how many. */
static long fill(struct weir *w, uint64_t *n)
{
	unsigned char data[64];
	long count = 0;

	for (;;) {
		item_fill(data, sizeof(data), 0, *n);
		if (weir_send(w, data, sizeof(data), WEIR_DONTWAIT))
			return count;
		count++;
		(*n)++;
	}
}

/* Reads all there is; false when something is missing or damaged. */
static bool drain(struct weir *w, uint64_t *next)
{
	unsigned char data[128];
	ssize_t len;

	while ((len = weir_recv(w, data, sizeof(data), WEIR_DONTWAIT)) > 0) {
		if (!item_good(data, (size_t)len) ||
		    ((struct item *)data)->n != (*next)++)
			return false;
	}
	return len == -EAGAIN;
}

/* The writer goes on without @who after its patience, and not before. */
static void evict(struct weir *out, uint64_t *n, const char *who)
{
	unsigned char data[64];
	int64_t since, took;
	int ret;

	item_fill(data, sizeof(data), 0, *n);
	check(weir_send(out, data, sizeof(data), WEIR_DONTWAIT) == -EAGAIN,
	      "%s: the writer is held back", who);
	since = now_ms();
	patience(out, EVICT_MS);
	ret = weir_send(out, data, sizeof(data), HARD_DEADLINE_NS);
	took = now_ms() - since;
	patience(out, 0);
	check(!ret, "%s: the writer goes on after evict_ms (%d)", who, ret);
	/* its patience ran from the refusal, which came after @since */
	check(took >= EVICT_MS, "%s: and not before (%lld ms of %d)", who,
	      (long long)took, EVICT_MS);
	note("%s: evicted after %lld ms of %d", who, (long long)took, EVICT_MS);
	*n += !ret;
}

static void told_by_recv(int fd, const char *who)
{
	char c[128];
	int ret = (int)recv(fd, c, sizeof(c), MSG_DONTWAIT);

	check(ret < 0 && errno == ESTALE, "%s: recv is ESTALE", who);
}

static bool notice_of_eviction(const struct weir_msg *msg)
{
	const struct weir_notice *no = msg->data;

	return msg->kind == WEIR_KIND_NOTICE && no->type == WEIR_NOTICE_EVICTED;
}

static void told_by_peek(struct weir *slow, const char *who)
{
	bool noticed = false;
	struct weir_msg msg;
	int ret = 1;

	while (ret == 1) {
		ret = weir_peek(slow, &msg);
		if (ret == 1) {
			const struct weir_notice *no = msg.data;

			noticed |= notice_of_eviction(&msg) &&
				   no->reason == WEIR_REASON_SLOW;
			if (weir_release(slow, &msg) == -ESTALE)
				ret = 1;
		}
	}
	check(ret == -ESTALE, "%s: weir_peek is -ESTALE (%d)", who, ret);
	do {
		ret = weir_peek(slow, &msg);
		if (ret == 1) {
			noticed |= notice_of_eviction(&msg);
			weir_release(slow, &msg);
		}
	} while (ret == 1);
	check(noticed, "%s: and a notice says why", who);
	check(ret == 0, "%s: told once (%d)", who, ret);
}

static void stuck(bool raw, bool by_demand)
{
	const char *who = by_demand ? "demand" : raw ? "kernel reader" : "library reader";
	struct weir *out = publisher(), *good = subscriber(0, -1);
	struct weir *slow = raw ? NULL :
		subscriber(WEIR_NOTICES, by_demand ? 2 : -1);
	int fd = raw ? raw_subscriber(SOCK_RDM, "/evict/x") : -1;
	long long drops = tap_stat("drops/slow");
	uint64_t n = 0, next = 0, before;

	/* the good reader has drained all; only the slow one holds the ring */
	fill(out, &n);
	check(drain(good, &next) && next == n, "%s: the ring is full", who);
	before = n;
	if (by_demand)
		check(n == 2, "%s: exactly what was asked for is published (%llu)",
		      who, (unsigned long long)n);
	evict(out, &n, who);
	check(tap_stat("drops/slow") == drops + 1, "%s: counted", who);
	check(drain(good, &next) && next == n, "%s: the other reader lost nothing", who);
	while (n < before + 500) {
		fill(out, &n);
		if (!drain(good, &next))
			break;
	}
	check(next == n && n >= before + 500, "%s: nor later on", who);

	if (raw) {
		told_by_recv(fd, who);
		close(fd);
	} else {
		told_by_peek(slow, who);
		weir_close(slow);
	}
	weir_close(good);
	weir_close(out);
}

static void patient(void)
{
	struct weir *out = publisher(), *slow = subscriber(0, -1);
	uint64_t n = 0, next = 0;
	unsigned char data[64];
	int64_t since;
	int ret;

	fill(out, &n);
	item_fill(data, sizeof(data), 0, n);
	since = now_ms();
	ret = weir_send(out, data, sizeof(data), 2000 * INT64_C(1000000));
	check(ret == -ETIMEDOUT && now_ms() - since >= 2000,
	      "without evict_ms the writer waits for its reader (%d)", ret);
	check(drain(slow, &next) && next == n, "who finds all");
	check(!weir_send(out, data, sizeof(data), HARD_DEADLINE_NS),
	      "and then it goes on");
	weir_close(slow);
	ret = 0;
	while (!ret && n++ < 1000)
		ret = weir_send(out, data, sizeof(data), HARD_DEADLINE_NS);
	check(!ret, "the writer is free when its only reader has left");
	weir_close(out);
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	stuck(false, false);
	stuck(true, false);
	stuck(false, true);
	patient();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
