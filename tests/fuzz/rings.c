// SPDX-License-Identifier: GPL-2.0
/*
 * Shared memory: mapping rings in every way, using them as the library does,
 * and writing what nobody should. All touches are guarded, as another process
 * or a step may take the pages away.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "fuzz.h"

static struct map *map_of(struct state *s, uint64_t arg)
{
	return &s->map[arg % FUZZ_MAPS];
}

void map_drop(struct map *m)
{
	if (m->view)
		munmap(m->view, m->d.length[WEIR_MAP_VIEW]);
	if (m->own)
		munmap(m->own, m->d.length[WEIR_MAP_OWN]);
	memset(m, 0, sizeof(*m));
}

static void *region_map(int fd, const struct weir_ioc_map *d, int region,
			int prot)
{
	void *at = mmap(NULL, d->length[region], prot, MAP_SHARED, fd,
			(off_t)d->offset[region]);

	return at == MAP_FAILED ? NULL : at;
}

static void run_map(struct state *s, const uint64_t *a)
{
	struct map *m = map_of(s, a[0]);
	int fd = slot_fd(s, a[1]);

	map_drop(m);
	m->d.size = sizeof(m->d);
	m->d.id = (uint32_t)a[2];
	if (ioctl(fd, WEIR_IOC_MAP, &m->d)) {
		memset(m, 0, sizeof(*m));
		return;
	}
	m->view = region_map(fd, &m->d, WEIR_MAP_VIEW, PROT_READ);
	m->own = region_map(fd, &m->d, WEIR_MAP_OWN, PROT_READ | PROT_WRITE);
	if (!m->view || !m->own)
		map_drop(m);
}

/* Lengths, offsets and protections that must be refused, or just not harm. */
static void run_mmap(struct state *s, const uint64_t *a)
{
	struct weir_ioc_map d = { .size = sizeof(d), .id = (uint32_t)a[1] };
	int region = (int)(a[2] & 1), prot = (int)(a[3] & 7);
	int flags = a[2] & 4 ? MAP_PRIVATE : MAP_SHARED;
	uint64_t offset, length;
	unsigned char *at;

	if (ioctl(slot_fd(s, a[0]), WEIR_IOC_MAP, &d))
		d.length[region] = a[4] % 65536;
	offset = d.offset[region] + (a[4] & 0x10 ? 4096 : 0);
	length = d.length[region] + (a[4] & 0x20 ? 4096 : 0);
	if (a[4] & 0x40)
		length /= 2;
	if (a[4] & 0x80)
		offset = a[4] << 12;
	at = mmap(NULL, length, prot, flags | (a[2] & 2 ? MAP_POPULATE : 0),
		  slot_fd(s, a[0]), (off_t)offset);
	if (at != MAP_FAILED)
		munmap(at, length);
}

static void run_unmap(struct state *s, const uint64_t *a)
{
	map_drop(map_of(s, a[0]));
}

/* What can be done to a mapping that is there. */
static void run_remap(struct state *s, const uint64_t *a)
{
	struct map *m = map_of(s, a[0]);
	int region = (int)(a[1] & 1);
	unsigned char *at = region ? m->own : m->view;
	size_t length = m->d.length[region];
	static const int advice[] = {
		MADV_DOFORK, MADV_DONTNEED, MADV_WILLNEED, MADV_DODUMP,
	};

	if (!at)
		return;
	switch (a[2] % 8) {
	case 0:
		mprotect(at, length, (int)(a[3] & 7));
		break;
	case 1:
		mprotect(at, 4096, PROT_READ);
		break;
	case 2:
		if (mremap(at, length, length * 2, MREMAP_MAYMOVE) != MAP_FAILED)
			memset(m, 0, sizeof(*m));
		break;
	case 3:
		if (mremap(at, length, length, MREMAP_MAYMOVE | MREMAP_FIXED,
			   (void *)0x700000000000) != MAP_FAILED)
			memset(m, 0, sizeof(*m));
		break;
	case 4:
		/* not split: refused, and if not it would be unmapped in part */
		munmap(at + 4096, 4096);
		break;
	case 5:
		mlock(at, length);
		break;
	case 6:
		msync(at, length, MS_SYNC);
		break;
	default:
		madvise(at, length, advice[a[3] % 4]);
		break;
	}
}

/* --- as the library does -------------------------------------------------- */

/**
 * struct touch - what a guarded function is to do with a map
 * @s: the sequence.
 * @m: a map of it.
 * @a: the step's arguments.
 */
struct touch {
	struct state *s;
	struct map *m;
	const uint64_t *a;
};

static bool touch(struct state *s, const uint64_t *a, void (*how)(void *arg))
{
	struct touch t = { s, map_of(s, a[0]), a };

	return t.m->view && t.m->own && guarded(how, &t);
}

static bool map_is_outbox(const struct map *m)
{
	return m->d.id == WEIR_ID_OUTBOX;
}

static void view_of(const struct map *m, struct weir_ring_view *v)
{
	bool owner = map_is_outbox(m);

	v->status = (const void *)m->view;
	v->head = (void *)(owner ? m->own : m->view + WEIR_PAGE_BYTES);
	v->data = owner ? m->own + WEIR_PAGE_BYTES :
			  m->view + 2 * WEIR_PAGE_BYTES;
	v->mask = m->d.ring_bytes - 1;
	v->secret = v->status->secret;
}

static uint64_t deadline(uint64_t ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec + ns;
}

/* Goes on past readers: those that are not waited for; at times the others. */
static bool overrun(const struct weir_ring_view *v, uint64_t how)
{
	struct weir_ring_scan scan;

	return (v->status->flags & WEIR_STATUS_LOSSY || how & 0x400) &&
	       !weir_ring_scan_begin(v, &scan) && !weir_ring_scan_end(v, &scan);
}

/*
 * Publishes a few records. kind: the low bits of a[2]; the rest of it says
 * whether the record has an extension, is aborted, or never committed.
 */
static void publish(void *arg)
{
	struct touch *t = arg;
	const uint64_t *a = t->a;
	uint32_t n = 1 + (uint32_t)a[4] % 16, ext = (uint32_t)(a[2] >> 4 & 3);
	uint32_t len = (uint32_t)a[1], kind = (uint32_t)a[2] & 7, seq;
	struct weir_ring_view v;
	__u64 pos;

	view_of(t->m, &v);
	if (len > weir_ring_max_len(&v) - 24)
		len = 8;
	while (n--) {
		struct weir_record *rec;
		unsigned int i = t->s->nasked++ % FUZZ_ASKED;
		uint64_t *words;

		if (weir_ring_claim(&v, weir_ring_need(len + ext * 8), 1, &pos,
				    &seq)) {
			if (!overrun(&v, a[5]) ||
			    weir_ring_claim(&v, weir_ring_need(len + ext * 8),
					    1, &pos, &seq))
				return;
		}
		rec = weir_ring_at(&v, pos);
		rec->len = len;
		rec->kind = (uint8_t)kind;
		rec->flags = (uint8_t)a[3];
		rec->ext = (uint8_t)ext;
		rec->reserved = 0;
		rec->seq = seq;
		rec->route = kind == WEIR_KIND_REPLY || kind == WEIR_KIND_ERROR ?
			     t->s->asked[i].route : a[5] & 0x100 ?
			     (uint32_t)a[5] : t->s->handle[a[5] % 8];
		rec->tag = kind == WEIR_KIND_REPLY || kind == WEIR_KIND_ERROR ?
			   t->s->asked[i].tag : n;
		rec->key = (uint32_t)(a[5] >> 9);
		words = (uint64_t *)(rec + 1);
		if (ext)
			words[0] = a[5] & 0x200 ? deadline(5000000) : a[5] >> 10;
		if (ext > 1)
			words[1] = a[5] >> 3 & 7;
		/* a hole in the ring, for its repair to find */
		if (a[2] & 0x40 && n & 1)
			continue;
		weir_ring_commit(&v, rec, pos);
	}
}

static void run_publish(struct state *s, const uint64_t *a)
{
	if (map_is_outbox(map_of(s, a[0])))
		touch(s, a, publish);
}

/* Reads up to a number of records and moves the cursor behind them. */
static void consume(void *arg)
{
	struct touch *t = arg;
	uint32_t n = 1 + (uint32_t)t->a[1];
	struct weir_cursor *cursor = (void *)t->m->own;
	struct weir_ring_view v;
	struct weir_ring_rec rec;

	view_of(t->m, &v);
	while (n--) {
		__u64 pos = weir_load(&cursor->pos);

		if (pos & (WEIR_GRANULE - 1) ||
		    weir_ring_peek(&v, &pos, &rec) != 1)
			return;
		if (rec.kind == WEIR_KIND_REQUEST) {
			unsigned int i = t->s->nasked++ % FUZZ_ASKED;

			t->s->asked[i].route = rec.rec->route;
			t->s->asked[i].tag = rec.rec->tag;
		}
		cursor->seq = rec.seq + 1;
		weir_store_release(&cursor->pos, rec.next);
	}
}

static void run_consume(struct state *s, const uint64_t *a)
{
	if (!map_is_outbox(map_of(s, a[0])))
		touch(s, a, consume);
}

static void demand(void *arg)
{
	struct touch *t = arg;
	struct weir_cursor *cursor = (void *)t->m->own;

	cursor->flags = (uint32_t)t->a[1] & 1;
	cursor->demand += (uint32_t)t->a[2];
}

static void run_demand(struct state *s, const uint64_t *a)
{
	if (!map_is_outbox(map_of(s, a[0])))
		touch(s, a, demand);
}

/* --- as nobody should ----------------------------------------------------- */

static uint64_t wild(struct touch *t, uint64_t is)
{
	uint64_t size = t->m->d.ring_bytes;
	const struct weir_status *status = (const void *)t->m->view;

	switch (rng_below(&t->s->rng, 8)) {
	case 0:
		return rng_next(&t->s->rng);
	case 1:
		return is + size;
	case 2:
		return is - 64 * rng_below(&t->s->rng, 100);
	case 3:
		return status->secret + 64 * rng_below(&t->s->rng, 2 * size / 64);
	case 4:
		return is ^ UINT64_C(1) << rng_below(&t->s->rng, 64);
	case 5:
		return -rng_below(&t->s->rng, 65);
	case 6:
		return is + 64 * rng_below(&t->s->rng, 4);
	default:
		return is + 1;
	}
}

static void scribble(void *arg)
{
	struct touch *t = arg;
	uint64_t words = t->m->d.length[WEIR_MAP_OWN] / 8, *at;
	unsigned int n = 1 + (unsigned int)t->a[1];

	while (n--) {
		at = (uint64_t *)(void *)t->m->own;
		/* head or cursor, more often than the data */
		at += t->a[2] & 1 ? rng_below(&t->s->rng, 5) : t->a[2] & 2 ?
		      512 + rng_below(&t->s->rng, 64) :
		      rng_below(&t->s->rng, words);
		if ((uint64_t)((unsigned char *)at - t->m->own) < words * 8)
			*at = wild(t, *at);
	}
}

static void run_scribble(struct state *s, const uint64_t *a)
{
	touch(s, a, scribble);
}

/* One given word becomes a given value, or the sum of it and what is there. */
static void poke(void *arg)
{
	struct touch *t = arg;
	uint64_t words = t->m->d.length[WEIR_MAP_OWN] / 8;
	uint64_t *at = (uint64_t *)(void *)t->m->own;

	at += t->a[1] % words;
	*at = t->a[3] & 1 ? *at + t->a[2] : t->a[2];
}

static void run_poke(struct state *s, const uint64_t *a)
{
	touch(s, a, poke);
}

/* Looks at pages that are faulted in: the cursors of the readers. */
static void look(void *arg)
{
	struct touch *t = arg;
	uint64_t pages = t->m->d.length[WEIR_MAP_VIEW] / 4096;
	volatile const unsigned char *view = t->m->view;

	(void)view[4096 * (t->a[1] % pages)];
	(void)view[4096 * (rng_next(&t->s->rng) % pages)];
}

static void run_look(struct state *s, const uint64_t *a)
{
	touch(s, a, look);
}

static const struct call calls[] = {
	{ "map", 14, { KIND_MAP, KIND_SLOT, KIND_ID }, run_map },
	{ "mmap", 3, { KIND_SLOT, KIND_ID, KIND_SMALL, KIND_SMALL, KIND_FLAGS }, run_mmap },
	{ "unmap", 3, { KIND_MAP }, run_unmap },
	{ "remap", 3, { KIND_MAP, KIND_SMALL, KIND_SMALL, KIND_SMALL }, run_remap },
	{ "publish", 20, { KIND_MAP, KIND_LEN, KIND_FLAGS, KIND_FLAGS, KIND_SMALL,
			   KIND_BITS }, run_publish },
	{ "consume", 10, { KIND_MAP, KIND_SMALL }, run_consume },
	{ "demand", 2, { KIND_MAP, KIND_SMALL, KIND_INT }, run_demand },
	{ "scribble", 6, { KIND_MAP, KIND_SMALL, KIND_SMALL }, run_scribble },
	{ "poke", 3, { KIND_MAP, KIND_SMALL, KIND_BITS, KIND_SMALL }, run_poke },
	{ "look", 2, { KIND_MAP, KIND_INT }, run_look },
};

const struct call_table ring_calls = { calls, ARRAY_SIZE(calls) };
