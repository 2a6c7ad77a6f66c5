// SPDX-License-Identifier: GPL-2.0
/*
 * A reader that lies with its cursor: ahead of the writer, more than a ring
 * behind, unaligned, at the ends of the number range, going backwards, or with
 * a demand that makes no sense. A position that cannot be true gets it evicted
 * (counted in drops/bad_cursor) as soon as the writer needs to know; one that
 * could be true holds the writer for evict_ms at most. The writer, by sendmsg
 * or through the library, goes on, and honest readers lose nothing. One that
 * lies at random all the time cannot do more.
 */
#include <pthread.h>

#include "hard.h"

#define RING		8192
#define EVICT_MS	1000

static struct weir *out;
static uint64_t sent;

static struct weir *publisher(void)
{
	struct weir_config c = { .ring_bytes = RING, .evict_ms = EVICT_MS };
	struct weir *w;

	need(!weir_open(&w, SOCK_RDM, &c) && !weir_bind(w, "/liar/p"), "bind");
	sent = 0;
	return w;
}

static struct weir *honest(void)
{
	struct weir *w;

	need(!weir_open(&w, SOCK_RDM, NULL) && !weir_subscribe(w, "/liar/p"),
	     "subscribe");
	return w;
}

static int publish(bool kernel)
{
	unsigned char data[200];
	uint32_t len = item_len(sizeof(data));
	int ret;

	item_fill(data, len, 1, sent);
	if (kernel)
		ret = send(weir_fd(out), data, len, 0) == (ssize_t)len ? 0 : -errno;
	else
		ret = weir_send(out, data, len, HARD_DEADLINE_NS);
	sent += !ret;
	return ret;
}

static bool drain_library(struct weir *w, uint64_t *next)
{
	unsigned char data[256];
	ssize_t len;

	while ((len = weir_recv(w, data, sizeof(data), WEIR_DONTWAIT)) > 0)
		if (!item_good(data, (size_t)len) ||
		    ((struct item *)data)->n != (*next)++)
			return false;
	return len == -EAGAIN;
}

static bool drain_kernel(int fd, uint64_t *next)
{
	unsigned char data[256];
	ssize_t len;

	while ((len = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		if (!item_good(data, (size_t)len) ||
		    ((struct item *)data)->n != (*next)++)
			return false;
	return len < 0 && errno == EAGAIN;
}

static const struct {
	const char *name;
	uint64_t pos;		/* what the cursor says */
	bool relative;		/* to where it is */
	uint32_t demand;
	bool use_demand;
	bool liar;		/* cannot be true: bad_cursor, at once */
} lies[] = {
	{ "all ones", ~0ULL, false, 0, false, true },
	{ "the largest multiple of 64", ~63ULL, false, 0, false, true },
	{ "the sign bit", 1ULL << 63, true, 0, false, true },
	{ "ahead by a record", 64, true, 0, false, true },
	{ "ahead by a ring", RING, true, 0, false, true },
	{ "ahead by 256 GiB", 1ULL << 38, true, 0, false, true },
	{ "unaligned by 1", 1, true, 0, false, true },
	{ "unaligned by 63", 63, true, 0, false, true },
	{ "back by a record more than a ring", (uint64_t)-(RING + 64), true, 0, false, true },
	{ "back by 256 GiB", (uint64_t)-(1LL << 38), true, 0, false, true },
	{ "back by a ring", (uint64_t)-RING, true, 0, false, false },
	{ "where it is, for ever", 0, true, 0, false, false },
	{ "a demand of 0", 0, true, 0, true, false },
	{ "a demand of all ones", 0, true, ~0U, true, false },
	{ "a demand of the sign bit", 0, true, 0x80000000U, true, false },
};

static void one_lie(size_t i, bool kernel)
{
	const char *name = lies[i].name, *how = kernel ? "sendmsg" : "library";
	struct weir *good = NULL;
	long long bad, slow;
	uint64_t next_l = 0, next_k = 0;
	int fd, liar, ret = 0, k;
	bool whole = true;
	struct raw_map m;
	uint64_t from;

	out = publisher();
	good = honest();
	fd = raw_subscriber(SOCK_RDM, "/liar/p");
	/* two rings full, so that every position has been there */
	for (k = 0; k < 400; k++) {
		ret |= publish(kernel);
		whole &= drain_library(good, &next_l) && drain_kernel(fd, &next_k);
	}
	liar = raw_subscriber(SOCK_RDM, "/liar/p");
	need(!raw_map(liar, WEIR_ID_STREAM, &m), "map");
	bad = tap_stat("drops/bad_cursor");
	slow = tap_stat("drops/slow");
	from = m.cursor->pos;
	if (lies[i].use_demand) {
		m.cursor->demand = lies[i].demand;
		m.cursor->flags = WEIR_CURSOR_DEMAND;
	}
	weir_store_release(&m.cursor->pos, lies[i].relative ?
			   from + lies[i].pos : lies[i].pos);
	for (k = 0; !ret && k < 1000; k++) {
		ret |= publish(kernel);
		whole &= drain_library(good, &next_l) && drain_kernel(fd, &next_k);
		if (lies[i].liar && k < 30)	/* and again, if it was believed */
			weir_store_release(&m.cursor->pos, lies[i].relative ?
					   from + lies[i].pos : lies[i].pos);
	}
	bad = tap_stat("drops/bad_cursor") - bad;
	slow = tap_stat("drops/slow") - slow;
	check(!ret && whole && next_l == sent && next_k == sent,
	      "%s, %s: writer and honest readers go on (%d)", name, how, ret);
	if (lies[i].liar && (int64_t)lies[i].pos > 0 && lies[i].pos < RING * 2 &&
	    lies[i].relative)
		/* by the time that the writer looks it may have come true */
		check(bad + slow == 1, "%s, %s: evicted (%lld, %lld)", name, how, bad, slow);
	else if (lies[i].liar)
		check(bad == 1 && !slow, "%s, %s: counted as a bad cursor (%lld, %lld)",
		      name, how, bad, slow);
	else
		check(bad + slow == 1, "%s, %s: evicted (%lld, %lld)", name, how,
		      bad, slow);
	check(recv(liar, &k, sizeof(k), MSG_DONTWAIT) < 0 &&
	      (errno == ESTALE || (errno == EAGAIN && bad + slow == 0)),
	      "%s, %s: recv is ESTALE (%s)", name, how, strerror(errno));
	raw_unmap(&m);
	close(liar);
	close(fd);
	weir_close(good);
	weir_close(out);
}

/* --- at random ------------------------------------------------------------ */

static struct {
	int stop;
	uint64_t rounds[2];
} *liar_state;

static int random_liar(void *arg)
{
	uint64_t *rounds = arg;

	while (!get(&liar_state->stop)) {
		int fd = raw_subscriber(SOCK_RDM, "/liar/p"), i;
		struct raw_map m;
		uint64_t at;

		if (raw_map(fd, WEIR_ID_STREAM, &m)) {
			close(fd);
			continue;
		}
		at = m.cursor->pos;
		for (i = 0; i < 200; i++) {
			switch (rnd() % 5) {
			case 0:
				m.cursor->pos = rnd();
				break;
			case 1:
				m.cursor->pos = at + 64 * (rnd() % 256) - 64 * 128;
				break;
			case 2:
				m.cursor->pos = at += 64;
				break;
			case 3:
				m.cursor->flags = (uint32_t)rnd();
				m.cursor->demand = (uint32_t)rnd();
				break;
			default:
				memset(m.own, (int)rnd(), 4096);
			}
			if (rnd() % 8 == 0)
				tap_kick(fd, WEIR_KICK_WRITER | 2 << 8);
			if (rnd() % 8 == 0)
				recv(fd, &i, sizeof(i), MSG_DONTWAIT | MSG_PEEK);
			i &= 0xff;
		}
		raw_unmap(&m);
		close(fd);
		add(rounds, 1);
	}
	return 0;
}

static void *read_all(void *arg)
{
	struct weir *w = arg;
	unsigned char data[256];
	uint64_t next = 0;

	for (;;) {
		ssize_t len = weir_recv(w, data, sizeof(data), HARD_DEADLINE_NS);

		if (len == sizeof(struct item) && ((struct item *)data)->from == 2)
			return (void *)(uintptr_t)next;
		if (len < 0 || !item_good(data, (size_t)len) ||
		    ((struct item *)data)->n != next++)
			return (void *)-1;
	}
}

static bool each_lied(void)
{
	return get(&liar_state->rounds[0]) && get(&liar_state->rounds[1]);
}

static void at_random(void)
{
	long count = scaled(60000), n = 0, i;
	unsigned char last[sizeof(struct item)];
	pid_t liars[2];
	int64_t until = now_ms() + HARD_DEADLINE_MS;
	pthread_t reader;
	struct weir *good;
	void *got = NULL;
	int ret = 0;

	liar_state = tap_shared(sizeof(*liar_state));
	out = publisher();
	good = honest();
	need(!pthread_create(&reader, NULL, read_all, good), "thread");
	for (i = 0; i < 2; i++)
		liars[i] = spawn(random_liar, &liar_state->rounds[i]);
	while (!ret && (n < count || (!each_lied() && now_ms() < until)))
		ret = publish(n++ & 1);
	check(!ret, "a writer with liars at random goes on (%d after %ld)", ret, n);
	item_fill(last, sizeof(last), 2, 0);
	weir_send(out, last, sizeof(last), HARD_DEADLINE_NS);
	pthread_join(reader, &got);
	check((uint64_t)(uintptr_t)got == sent, "the honest reader lost nothing (%lld of %llu)",
	      (long long)(intptr_t)got, (unsigned long long)sent);
	put(&liar_state->stop, 1);
	for (i = 0; i < 2; i++)
		check(!tap_wait(liars[i]), "liar %ld ended", i);
	check(each_lied(), "after %llu and %llu rounds",
	      (unsigned long long)liar_state->rounds[0],
	      (unsigned long long)liar_state->rounds[1]);
	weir_close(good);
	weir_close(out);
}

int main(void)
{
	struct counters before;
	size_t i;

	hard_begin();
	before = counters();
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		one_lie(i, false);
		one_lie(i, true);
	}
	at_random();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
