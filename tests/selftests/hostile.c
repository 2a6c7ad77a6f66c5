// SPDX-License-Identifier: GPL-2.0
/*
 * Publishers, peers and readers that write nonsense into every word they can
 * write. First one lie at a time: extremes of the head's words, record headers,
 * forged commit words. Then at random, by processes that come and go, while
 * honest peers publish, subscribe, connect, poll, list and read through the
 * kernel and through the library. Honest peers neither crash nor hang, honest
 * streams stay whole, nothing is left behind, the kernel is clean. Then
 * sockets that are used by other threads while they connect and fail, and a
 * head that changes while somebody looks for the oldest record.
 */
#include <pthread.h>
#include <sys/uio.h>

#include "hard.h"

#define RING	(16 << 10)

/* --- one lie at a time --------------------------------------------------- */

/**
 * struct target - a ring to lie in
 * @m: as mapped by its owner.
 * @v: the protocol's view of it.
 * @pos: position of the first record that was published.
 * @tail: position behind the last.
 * @seq: their count.
 */
struct target {
	struct raw_map m;
	struct weir_ring_view v;
	__u64 pos, tail;
	__u32 seq;
};

static struct weir_record *first(struct target *t)
{
	return weir_ring_at(&t->v, t->pos);
}

/* A record at a position, with everything said. */
static void forge(struct target *t, __u64 pos, __u32 len, __u8 flags)
{
	struct weir_record *rec = weir_ring_at(&t->v, pos);

	rec->len = len;
	rec->flags = flags;
	rec->kind = 0;
	rec->ext = 0;
	weir_ring_commit(&t->v, rec, pos);
}

#define LIE(name, what)							\
	static void lie_##name(struct target *t)			\
	{								\
		struct weir_head *h = t->m.head;			\
									\
		(void)h;						\
		what;							\
	}

LIE(none, )
LIE(claim_0, h->claim = 0)
LIE(claim_max, h->claim = ~0ULL)
LIE(claim_back, h->claim = weir_ring_pack(0, t->seq))
LIE(claim_ahead, h->claim += 1ULL << 40)
LIE(claim_lap, h->claim += (__u64)(RING / 64) << 32)
LIE(claim_seq, h->claim ^= 0xffffffffULL)
LIE(limit_0, h->limit = 0)
LIE(limit_max, h->limit = ~0ULL)
LIE(limit_odd, h->limit += 1)
LIE(limit_63, h->limit += 63)
LIE(limit_far, h->limit += 1ULL << 50)
LIE(limit_sign, h->limit += 1ULL << 63)
LIE(limit_wide, h->limit += 2 * RING)
LIE(limit_4g, h->limit += 1ULL << 38)
LIE(limit_low, h->limit = t->tail - 64)
LIE(both_max, h->limit = ~63ULL; h->claim = weir_ring_pack(~0U, ~0U))
LIE(both_top, h->limit = ~63ULL; h->claim = weir_ring_pack(~0U - 3, 7))
LIE(intent_0, h->intent = 0)
LIE(intent_max, h->intent = ~0ULL)
LIE(intent_odd, h->intent |= 33)
LIE(seq_limit_0, h->seq_limit = 0)
LIE(seq_limit_max, h->seq_limit = ~0U)
LIE(seq_limit_half, h->seq_limit = t->seq + 0x80000000U)
LIE(head_ones, memset(h, 0xff, sizeof(*h)))
LIE(head_zero, memset(h, 0, sizeof(*h)))
LIE(page_random, for (int i = 0; i < 512; i++) ((__u64 *)h)[i] = rnd())
LIE(len_max, first(t)->len = ~0U)
LIE(len_sign, first(t)->len = 0x80000000U)
LIE(len_ring, first(t)->len = RING)
LIE(len_most, first(t)->len = RING - 32)
LIE(len_most_1, first(t)->len = RING - 31)
LIE(len_wrap, first(t)->len = ~0U - 95)
LIE(ext_255, first(t)->ext = 255)
LIE(ext_len, first(t)->ext = 255; first(t)->len = RING - 32 - 255 * 8)
LIE(ext_len_1, first(t)->ext = 255; first(t)->len = RING - 32 - 255 * 8 + 1)
LIE(kind_255, first(t)->kind = 255)
LIE(kind_notice, first(t)->kind = WEIR_KIND_NOTICE; first(t)->len = 8)
LIE(flags_all, first(t)->flags = 255)
LIE(header_ones, memset((char *)first(t) + 8, 0xff, 24))
LIE(seq_wild, first(t)->seq ^= 0x80000001U)
LIE(uncommit, first(t)->commit = 0)
LIE(commit_lap, first(t)->commit += RING)
LIE(commit_unaligned, weir_store((__u64 *)((char *)first(t) + 8), t->pos + 8 + t->v.secret))
LIE(commit_ahead, forge(t, t->tail, 100, 0))
LIE(commit_ahead_lap, for (__u64 p = t->tail; p < t->tail + RING; p += 64) forge(t, p, 16, 0))
LIE(abort_circle, for (__u64 p = t->pos; p < t->pos + 2 * RING; p += 64) forge(t, p, 32, WEIR_REC_ABORTED))
LIE(abort_huge, forge(t, t->pos, RING - 32, WEIR_REC_ABORTED); forge(t, t->pos + RING, RING - 32, WEIR_REC_ABORTED))
LIE(abort_all, for (__u64 p = t->pos; p < t->pos + RING; p += 64) weir_ring_at(&t->v, p)->flags = 255)
LIE(data_random, for (int i = 0; i < RING / 8; i++) ((__u64 *)t->m.data)[i] = rnd())
LIE(data_secret, for (int i = 0; i < RING / 8; i++) ((__u64 *)t->m.data)[i] = t->v.secret + (__u64)i * 8)
LIE(data_ones, memset(t->m.data, 0xff, RING))

static const struct lie {
	const char *name;
	void (*tell)(struct target *t);
} lies[] = {
#define L(name) { #name, lie_##name }
	L(none), L(claim_0), L(claim_max), L(claim_back), L(claim_ahead),
	L(claim_lap), L(claim_seq), L(limit_0), L(limit_max), L(limit_odd),
	L(limit_63), L(limit_far), L(limit_sign), L(limit_wide), L(limit_4g),
	L(limit_low), L(both_max), L(both_top), L(intent_0), L(intent_max),
	L(intent_odd), L(seq_limit_0), L(seq_limit_max), L(seq_limit_half),
	L(head_ones), L(head_zero), L(page_random), L(len_max), L(len_sign),
	L(len_ring), L(len_most), L(len_most_1), L(len_wrap), L(ext_255),
	L(ext_len), L(ext_len_1), L(kind_255), L(kind_notice), L(flags_all),
	L(header_ones), L(seq_wild), L(uncommit), L(commit_lap),
	L(commit_unaligned), L(commit_ahead), L(commit_ahead_lap),
	L(abort_circle), L(abort_huge), L(abort_all), L(data_random),
	L(data_secret), L(data_ones),
#undef L
};

/* Uses every byte of a message, so that one outside of its mapping is found. */
static volatile unsigned int eaten;

static void eat(const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += p[i];
	eaten += sum;
}

/* Reads through the library what there is, up to a number of messages. */
static void library_reads(struct weir *w, int most)
{
	while (most--) {
		struct weir_msg msg;
		int ret = weir_peek(w, &msg);

		if (ret < 0)
			continue;	/* told once for each stream */
		if (!ret)
			return;
		eat(msg.data, msg.len);
		if (weir_release(w, &msg) == -ESTALE)
			continue;
	}
}

static void kernel_reads(int fd, int most)
{
	static char data[RING];
	int n;

	while (most--) {
		ssize_t len = recv(fd, data, sizeof(data), MSG_DONTWAIT);

		if (len < 0 && errno == EAGAIN)
			return;
		if (len > (ssize_t)sizeof(data))
			_exit(3);
		ioctl(fd, 0x541B /* FIONREAD */, &n);
	}
}

static void lists(int fd)
{
	static struct weir_list_entry entries[32];
	uint32_t kind;

	for (kind = WEIR_LIST_SOCKETS; kind <= WEIR_LIST_CURSORS; kind++) {
		struct weir_ioc_list l = {
			.size = sizeof(l), .kind = kind, .entry_size = sizeof(entries[0]),
			.count = 32, .entries = (uintptr_t)entries,
		};

		ioctl(fd, WEIR_IOC_LIST, &l);
	}
}

/* Everything that can be asked about a ring of which nothing is true. */
static void exercise(int p, int k, struct weir *l, const char *path, int type)
{
	struct weir_config oldest = { .start = WEIR_START_OLDEST };
	struct pollfd pf[] = { { p, POLLIN | POLLOUT, 0 }, { k, POLLIN, 0 } };
	struct weir_so_wait wait = {
		.flags = WEIR_WAIT_OUT, .bytes = 1000,
	};
	char big[3000] = { 0 };
	struct weir *late;
	int n, i;

	poll(pf, 2, 0);
	ioctl(p, 0x5411 /* TIOCOUTQ */, &n);
	for (i = 0; i < 20; i++) {
		send(p, big, (size_t)(i * 150), MSG_DONTWAIT);
		kernel_reads(k, 10);
		library_reads(l, 10);
		tap_kick(p, WEIR_KICK_READERS);
	}
	send(p, (char *)4096, 100, MSG_DONTWAIT);
	tap_sleep(p, &wait);
	wait.timeout_ns = 1000000;
	wait.bytes = RING;
	tap_sleep(p, &wait);
	lists(p);
	if (!weir_open(&late, type, &oldest)) {
		if (!weir_subscribe(late, path))
			library_reads(late, 1000);
		weir_close(late);
	}
	kernel_reads(k, 2000);
	library_reads(l, 2000);
	weir_wait(l, WEIR_WAIT_IN, 0, 1000000);
	poll(pf, 2, 1);
}

struct lie_arg {
	const struct lie *lie;
	int type;
	bool library;
};

static int one_lie(void *p)
{
	struct lie_arg *a = p;
	struct target t = { .pos = 0 };
	struct weir *l, *out = NULL;
	char data[200];
	int fd, k, i;

	if (a->library) {
		struct weir_config c = { .ring_bytes = RING };

		if (weir_open(&out, a->type, &c) || weir_bind(out, "/hostile/one"))
			return 10;
		fd = weir_fd(out);
	} else {
		fd = raw_publisher(a->type, "/hostile/one", RING);
	}
	k = raw_subscriber(a->type, "/hostile/one");
	if (weir_open(&l, a->type, NULL) || weir_subscribe(l, "/hostile/one"))
		return 11;
	if (raw_map(fd, WEIR_ID_OUTBOX, &t.m))
		return 12;
	t.v = raw_view(&t.m);
	for (i = 0; i < 3; i++) {
		item_fill(data, 100, 0, (uint64_t)i);
		if (write(fd, data, 100) != 100)
			return 13;
	}
	if (weir_ring_tail(&t.v, &t.tail, &t.seq))
		return 14;
	a->lie->tell(&t);
	if (out) {
		for (i = 0; i < 50; i++)
			weir_send(out, data, (size_t)(i * 4), WEIR_DONTWAIT);
		weir_wait(out, WEIR_WAIT_OUT, 1000, 1000000);
	}
	exercise(fd, k, l, "/hostile/one", a->type);
	/* once more on top of what the others made of it */
	a->lie->tell(&t);
	exercise(fd, k, l, "/hostile/one", a->type);
	shutdown(fd, SHUT_WR);
	a->lie->tell(&t);
	exercise(fd, k, l, "/hostile/one", a->type);
	weir_close(l);
	close(k);
	return 0;
}

static void one_by_one(void)
{
	static const int types[] = { SOCK_RDM, SOCK_DGRAM };
	bool all_ways = scaled(100) >= 100;
	size_t i;
	int j, bad = 0;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		for (j = 0; j < 4; j++) {
			/* on a slow kernel each lie is told in one way */
			if (!all_ways && j != (int)(i % 4))
				continue;
			struct lie_arg a = { &lies[i], types[j & 1], j & 2 };
			int ret = tap_wait(spawn(one_lie, &a));

			if (ret) {
				note("%s, type %d, %s: %d", lies[i].name, types[j & 1],
				     a.library ? "library" : "raw", ret);
				bad++;
			}
		}
	}
	check(!bad, "%zu lies, one at a time: nobody crashes or hangs", i);
}

/* --- at random ------------------------------------------------------------ */

static struct {
	int stop;
	long rounds[2];
	long good_sent;
	long good_read[2];
	long strange[2];
	long churns, pairs;
} *all;

static uint64_t wild(struct raw_map *m, uint64_t now)
{
	static const uint64_t some[] = {
		0, 1, 63, 64, 65, 4095, 4096, RING - 1, RING, RING + 1, 2 * RING,
		0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 63, ~0ULL,
		~63ULL,
	};

	switch (rnd() % 6) {
	case 0:
		return rnd();
	case 1:
		return some[rnd() % (sizeof(some) / sizeof(some[0]))];
	case 2:
		return now + some[rnd() % (sizeof(some) / sizeof(some[0]))];
	case 3:
		return now - 64 * (rnd() % 100);
	case 4:
		return m->status->secret + 64 * (rnd() % (2 * RING / 64));
	default:
		return now ^ 1ULL << rnd() % 64;
	}
}

static void scribble(struct raw_map *m, int words)
{
	while (words--) {
		size_t n = m->d.length[WEIR_MAP_OWN] / 8;
		uint64_t *at = (uint64_t *)m->own;

		/* the words that count, more often than the rest */
		at += rnd() % 3 ? rnd() % 5 : rnd() % n;
		if (rnd() % 8 == 0)
			*(uint32_t *)at = (uint32_t)rnd();
		else
			*at = wild(m, *at);
	}
}

/* A process that comes, lies with all that it has, and goes. */
static int hostile(void *arg)
{
	int me = (int)(intptr_t)arg;

	while (!get(&all->stop)) {
		static const int types[] = { SOCK_RDM, SOCK_DGRAM };
		struct raw_map maps[8];
		int fds[8], n = 0, k, i, nmaps = 0;
		char path[32], junk[600];

		memset(junk, (int)rnd(), sizeof(junk));
		for (i = 0; i < 2; i++) {
			snprintf(path, sizeof(path), "/hostile/%d%d", me, i);
			fds[n] = raw_socket(types[i]);
			raw_set(fds[n], WEIR_SO_RING_BYTES, RING);
			raw_set(fds[n], WEIR_SO_EVICT_MS, 1);
			raw_set(fds[n], WEIR_SO_LINGER_MS, rnd() & 1 ? 5 : 0);
			raw_bind(fds[n], path);
			if (!raw_map(fds[n++], WEIR_ID_OUTBOX, &maps[nmaps]))
				nmaps++;
		}
		fds[n] = raw_socket(SOCK_SEQPACKET);
		if (!raw_connect(fds[n], "/pairs/l")) {
			nmaps += !raw_map(fds[n], WEIR_ID_OUTBOX, &maps[nmaps]);
			nmaps += !raw_map(fds[n], WEIR_ID_STREAM, &maps[nmaps]);
		}
		n++;
		fds[n] = raw_socket(SOCK_RDM);
		raw_connect(fds[n], "/good/a");
		nmaps += !raw_map(fds[n], WEIR_ID_INBOX, &maps[nmaps]);
		nmaps += !raw_map(fds[n++], WEIR_ID_STREAM, &maps[nmaps]);

		for (k = 0; k < 30; k++) {
			for (i = 0; i < nmaps; i++) {
				if (rnd() & 1)
					scribble(&maps[i], 1 + (int)(rnd() % 8));
			}
			for (i = 0; i < n; i++) {
				struct weir_so_wait wait = {
					.bytes = rnd() % RING,
					.flags = 1 + rnd() % 3,
				};
				struct pollfd p = { fds[i], POLLIN | POLLOUT, 0 };

				switch (rnd() % 6) {
				case 0:
					send(fds[i], junk, rnd() % sizeof(junk),
					     MSG_DONTWAIT);
					break;
				case 1:
					tap_kick(fds[i], rnd() % 8 | (rnd() % 4) << 8);
					break;
				case 2:
					tap_sleep(fds[i], &wait);
					break;
				case 3:
					poll(&p, 1, 0);
					break;
				case 4:
					recv(fds[i], junk, sizeof(junk), MSG_DONTWAIT);
					break;
				default:
					if (rnd() % 16 == 0)
						shutdown(fds[i], (int)(rnd() % 3));
				}
			}
		}
		for (i = 0; i < nmaps; i++) {
			/* some are left to the end of the descriptors */
			raw_unmap(&maps[i]);
		}
		for (i = 0; i < n; i++)
			close(fds[i]);
		add(&all->rounds[me], 1);
	}
	return 0;
}

/* Publishes numbered messages; a hostile reader must not stop it for long. */
static int good_publisher(void *arg)
{
	/* longer than an honest reader of a slow machine does nothing */
	struct weir_config c = { .ring_bytes = 64 << 10, .evict_ms = 50000 };
	unsigned char data[400];
	struct weir *w;
	uint64_t n = 0;

	(void)arg;
	if (weir_open(&w, SOCK_RDM, &c) || weir_bind(w, "/good/a"))
		return 10;
	while (!get(&all->stop)) {
		uint32_t len = item_len(sizeof(data));

		item_fill(data, len, 1, n);
		if (weir_send(w, data, len, HARD_DEADLINE_NS))
			return 11;
		put(&all->good_sent, (long)++n);
	}
	/* an end mark, so that the subscribers know that they have all */
	item_fill(data, sizeof(struct item), 2, n);
	if (weir_send(w, data, sizeof(struct item), HARD_DEADLINE_NS))
		return 12;
	weir_close(w);
	return 0;
}

/* 0 to go on, 1 at the end mark, larger: an error. */
static int good_message(int me, const void *data, size_t len, uint64_t *next)
{
	const struct item *it = data;

	if (!item_good(data, len))
		return 20;
	if (it->n != *next)
		return 21;
	if (it->from == 2)
		return 1;
	(*next)++;
	add(&all->good_read[me], 1);
	return 0;
}

static int library_subscriber(void *arg)
{
	struct weir *w;
	uint64_t next = 0;

	(void)arg;
	if (weir_open(&w, SOCK_RDM, NULL) || weir_subscribe(w, "/**"))
		return 10;
	add(&all->churns, 1);
	for (;;) {
		struct weir_msg msg;
		int ret = weir_peek(w, &msg), got = 0;

		if (ret < 0) {
			if (ret != -ESTALE && ret != -EPROTO && ret != -ENXIO)
				return 11;
			if (ret == -ESTALE && msg.stream &&
			    !strcmp(weir_stream_path(msg.stream), "/good/a"))
				return 12;
			continue;
		}
		if (!ret) {
			ret = weir_wait(w, WEIR_WAIT_IN, 0, HARD_DEADLINE_NS);
			if (ret <= 0)
				return ret ? 13 : 14;
			continue;
		}
		if (!strcmp(weir_stream_path(msg.stream), "/good/a")) {
			got = good_message(0, msg.data, msg.len, &next);
		} else {
			eat(msg.data, msg.len);
			add(&all->strange[0], 1);
		}
		weir_release(w, &msg);
		if (got)
			return got == 1 ? 0 : got;
	}
}

static int kernel_subscriber(void *arg)
{
	int fd = raw_subscriber(SOCK_RDM, "/**");
	static char data[2 * RING];
	uint64_t next = 0;

	(void)arg;
	add(&all->churns, 1);
	for (;;) {
		struct sockaddr_weir from;
		socklen_t room = sizeof(from);
		struct pollfd p = { fd, POLLIN, 0 };
		ssize_t len = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT,
				       (void *)&from, &room);
		int got;

		if (len < 0 && errno == EAGAIN) {
			if (poll(&p, 1, HARD_DEADLINE_MS) != 1)
				return 14;
			continue;
		}
		if (len < 0) {
			if (errno != EPROTO && errno != ESTALE)
				return 11;
			continue;
		}
		if (strcmp(from.sw_path, "/good/a")) {
			add(&all->strange[1], 1);
			continue;
		}
		got = good_message(1, data, (size_t)len, &next);
		if (got)
			return got == 1 ? 0 : got;
	}
}

/* Accepts hostile peers and talks to them a little. */
static int pair_server(void *arg)
{
	struct weir_config c = { .ring_bytes = 4096 };
	struct weir *l, *conn;
	char data[5000];

	(void)arg;
	if (weir_open(&l, SOCK_SEQPACKET, &c) || weir_bind(l, "/pairs/l") ||
	    weir_listen(l, 10))
		return 10;
	add(&all->churns, 1);
	while (!get(&all->stop)) {
		int ret = weir_accept(l, &conn, 10 * 1000000), i;

		if (ret == -ETIMEDOUT)
			continue;
		if (ret)
			return 11;
		for (i = 0; i < 5; i++) {
			weir_send(conn, data, rnd() % 3000, WEIR_DONTWAIT);
			weir_recv(conn, data, sizeof(data), WEIR_DONTWAIT);
			send(weir_fd(conn), data, 100, MSG_DONTWAIT);
			recv(weir_fd(conn), data, sizeof(data), MSG_DONTWAIT);
		}
		weir_recv(conn, data, sizeof(data), 1000000);
		weir_close(conn);
		add(&all->pairs, 1);
	}
	return 0;
}

/* Comes and goes at whatever is there, from the oldest record on. */
static int churner(void *arg)
{
	int i = 0;

	(void)arg;
	while (!get(&all->stop)) {
		struct weir_config c = { .start = (uint32_t)(i & 1),
					 .set = i & 2 ? WEIR_SET_DEMAND : 0,
					 .demand = 4 };
		int type = i & 4 ? SOCK_RDM : SOCK_DGRAM;
		struct weir *w;

		if (weir_open(&w, type, &c))
			return 10;
		if (!weir_subscribe(w, "/hostile/**"))
			library_reads(w, 100);
		lists(weir_fd(w));
		weir_close(w);
		i++;
	}
	return 0;
}

static void at_random(void)
{
	static const struct {
		const char *name;
		int (*run)(void *arg);
	} honest[] = {
		{ "library subscriber", library_subscriber },
		{ "kernel subscriber", kernel_subscriber },
		{ "pair server", pair_server },
		{ "publisher", good_publisher },
		{ "comer and goer", churner },
	};
	pid_t bad[2], good[5];
	long rounds = scaled(1500);
	int i;

	all = tap_shared(4096);
	for (i = 0; i < 3; i++)
		good[i] = spawn(honest[i].run, NULL);
	need(soon(get(&all->churns) == 3), "honest processes");
	for (; i < 5; i++)
		good[i] = spawn(honest[i].run, NULL);
	for (i = 0; i < 2; i++)
		bad[i] = spawn(hostile, (void *)(intptr_t)i);
	/* a slow machine makes fewer rounds in the time that there is */
	tap_within(HARD_DEADLINE_MS, get(&all->rounds[0]) >= rounds &&
				 get(&all->rounds[1]) >= rounds);
	check(get(&all->rounds[0]) >= rounds / 15 &&
	      get(&all->rounds[1]) >= rounds / 15,
	      "hostile processes made %ld and %ld rounds of %ld",
	      get(&all->rounds[0]), get(&all->rounds[1]), rounds);
	put(&all->stop, 1);
	for (i = 0; i < 2; i++)
		check(!tap_wait(bad[i]), "hostile process %d ended", i);
	for (i = 0; i < 5; i++) {
		int ret = tap_wait(good[i]);

		check(!ret, "%s neither crashed nor hung nor lost anything (%d)",
		      honest[i].name, ret);
	}
	note("good messages: %ld sent, %ld and %ld read; %ld and %ld of the others; %ld pairs",
	     all->good_sent, all->good_read[0], all->good_read[1],
	     all->strange[0], all->strange[1], all->pairs);
	check(all->good_sent > 0 && all->good_read[0] == all->good_sent &&
	      all->good_read[1] == all->good_sent,
	      "the honest stream arrived whole at both subscribers");
	check(all->strange[0] + all->strange[1] > 0, "the others were looked at, too");
}

/* --- a head that is two things at once ------------------------------------ */

static int flip_publisher(void *arg)
{
	int fd = raw_publisher(SOCK_RDM, "/flip", RING), *stop = arg;
	struct raw_map m;
	__u64 n = 0;

	if (raw_map(fd, WEIR_ID_OUTBOX, &m))
		return 10;
	put(&stop[1], 1);
	while (!get(stop)) {
		/* both are heads that could be true; from one to the other never */
		__u64 limit = ++n & 1 ? RING : 1ULL << 37;

		weir_store(&m.head->limit, limit);
		weir_store(&m.head->claim,
			   weir_ring_pack((__u32)(limit >> WEIR_GRANULE_SHIFT), 7));
		weir_store(&m.head->intent, limit);
		/* stay so for a while of any length */
		for (__u64 i = rnd() % 1000; i; i--)
			weir_compiler_fence();
	}
	raw_unmap(&m);
	close(fd);
	return 0;
}

/* A reader that asks for the oldest record looks between two such heads. */
static void flipping_head(void)
{
	struct weir_config c = { .start = WEIR_START_OLDEST };
	int *stop = tap_shared(4096);
	long tries = scaled(5000), made = 0, i;
	pid_t pid = spawn(flip_publisher, stop);
	int64_t until;

	need(soon(get(&stop[1])), "a publisher whose head flips");
	until = now_ms() + HARD_DEADLINE_MS;
	/* it may stand still where no one can subscribe */
	for (i = 0; i < tries || (!made && now_ms() < until); i++) {
		struct weir *w;

		need(!weir_open(&w, SOCK_RDM, &c), "a socket");
		made += !weir_subscribe(w, "/flip");
		weir_close(w);
	}
	put(stop, 1);
	check(!tap_wait(pid), "the publisher whose head flips ended");
	check(made > 0, "a head that flips: %ld of %ld subscribed, none hung",
	      made, i);
}

/* --- a socket in use while it connects ------------------------------------ */

static int racing_fd = -1, racing_stop;

static void *race_send(void *arg)
{
	while (!get(&racing_stop)) {
		send(get(&racing_fd), "race", 4, MSG_DONTWAIT);
		if (arg) {
			struct pollfd p = { get(&racing_fd), POLLIN | POLLOUT, 0 };
			struct raw_map m;

			poll(&p, 1, 0);
			if (!raw_map(get(&racing_fd), WEIR_ID_OUTBOX, &m)) {
				m.data[100] = 1;
				raw_unmap(&m);
			}
		}
	}
	return NULL;
}

static int race_listener(void *arg)
{
	int *stop = arg;

	while (!get(stop)) {
		int l = raw_socket(SOCK_SEQPACKET), i;

		if (raw_bind(l, "/race/l") || listen(l, 0)) {
			close(l);
			continue;
		}
		fcntl(l, F_SETFL, O_NONBLOCK);
		for (i = 0; i < 20; i++) {
			int c = accept(l, NULL, NULL);

			if (c >= 0)
				close(c);
			else
				sched_yield();
		}
		close(l);
	}
	return 0;
}

static int race_connector(void *arg)
{
	int *stop = arg;

	while (!get(stop)) {
		int fd = raw_socket(SOCK_SEQPACKET | SOCK_NONBLOCK);

		raw_connect(fd, "/race/l");
		close(fd);
	}
	return 0;
}

static void connect_race(void)
{
	int *stop = tap_shared(4096);
	long tries = scaled(3000), i, made = 0;
	int64_t until = now_ms() + HARD_DEADLINE_MS;
	pthread_t t[2];
	pid_t pid[2];

	pid[0] = spawn(race_listener, stop);
	pid[1] = spawn(race_connector, stop);
	for (i = 0; i < 2; i++)
		need(!pthread_create(&t[i], NULL, race_send, (void *)i), "thread");
	/* the listener may not have begun */
	for (i = 0; i < tries || (!made && now_ms() < until); i++) {
		int fd = raw_socket(SOCK_SEQPACKET | SOCK_NONBLOCK), k;

		put(&racing_fd, fd);
		for (k = 0; k < 50; k++) {
			if (!raw_connect(fd, "/race/l")) {
				made++;
				break;
			}
		}
		close(fd);
	}
	put(&racing_stop, 1);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	put(stop, 1);
	for (i = 0; i < 2; i++)
		check(!tap_wait(pid[i]), "connect race: process %ld", i);
	check(made > 0, "sockets in use while they connect: %ld of %ld connected",
	      made, i);
}

int main(int argc, char **argv)
{
	struct counters before;

	hard_begin();
	before = counters();
	if (argc < 2 || strchr(argv[1], '1')) {
		one_by_one();
		check_counters(&before);
		check_kernel();
	}
	if (argc < 2 || strchr(argv[1], '2')) {
		at_random();
		check_counters(&before);
		check_kernel();
	}
	if (argc < 2 || strchr(argv[1], '3')) {
		connect_race();
		check_counters(&before);
		check_kernel();
	}
	if (argc < 2 || strchr(argv[1], '4')) {
		flipping_head();
		check_counters(&before);
		check_kernel();
	}
	return tap_done();
}
