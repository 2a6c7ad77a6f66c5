/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring to test with: what ring.c and hostile.c of the tests share.
 *
 * All parties are in one place here: the test is owner, readers and kernel of
 * the ring. The data's pages are mapped twice back to back, as they are in a
 * process, with nothing mapped behind them.
 */
#ifndef _WEIR_KUNIT_RING_H
#define _WEIR_KUNIT_RING_H

#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "uapi/weir_ring.h"

#define RING_PAGES	2
#define RING_BYTES	(RING_PAGES * PAGE_SIZE)
#define RING_GRANULES	(RING_BYTES / WEIR_GRANULE)
#define RING_CURSORS	3
#define RING_SECRET	0x8c5f7a1d3e9b2467ULL

/**
 * struct ring - a ring and its readers
 * @r: the view of it that all parties use.
 * @status: the kernel's words.
 * @cursor: the readers' words.
 * @pages: of the data, each twice.
 */
struct ring {
	struct weir_ring_view	r;
	struct weir_status	*status;
	struct weir_cursor	cursor[RING_CURSORS];
	struct page		*pages[2 * RING_PAGES];
};

static inline int ring_test_init(struct kunit *test)
{
	struct ring *ring;
	int i;

	ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	test->priv = ring;	/* exit frees what there is */
	ring->status = kunit_kzalloc(test, sizeof(*ring->status), GFP_KERNEL);
	ring->r.head = kunit_kzalloc(test, sizeof(*ring->r.head), GFP_KERNEL);
	if (!ring->status || !ring->r.head)
		return -ENOMEM;
	for (i = 0; i < RING_PAGES; i++) {
		ring->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!ring->pages[i])
			return -ENOMEM;
		ring->pages[i + RING_PAGES] = ring->pages[i];
	}
	ring->r.data = vmap(ring->pages, 2 * RING_PAGES, VM_MAP, PAGE_KERNEL);
	if (!ring->r.data)
		return -ENOMEM;
	ring->r.status = ring->status;
	ring->r.mask = RING_BYTES - 1;
	ring->r.secret = RING_SECRET;
	ring->r.head->limit = RING_BYTES;
	ring->r.head->intent = RING_BYTES;
	ring->r.head->seq_limit = S32_MAX;
	return 0;
}

static inline void ring_test_exit(struct kunit *test)
{
	struct ring *ring = test->priv;
	int i;

	if (!ring)
		return;
	vunmap(ring->r.data);
	for (i = 0; i < RING_PAGES; i++)
		if (ring->pages[i])
			__free_page(ring->pages[i]);
}

/* Fill in a claimed record and commit it: @len bytes that follow from @tag. */
static inline void ring_commit(struct ring *ring, u64 pos, u32 seq, u32 len,
			       u32 tag, u8 flags)
{
	struct weir_record *rec = weir_ring_at(&ring->r, pos);
	u32 i;

	rec->len = len;
	rec->kind = WEIR_KIND_EVENT;
	rec->flags = flags;
	rec->ext = 0;
	rec->reserved = 0;
	rec->seq = seq;
	rec->route = 0;
	rec->tag = tag;
	rec->key = 0;
	for (i = 0; i < len; i++)
		((u8 *)rec)[WEIR_HEADER_BYTES + i] = tag + i * 7;
	weir_ring_commit(&ring->r, rec, pos);
}

/* Claim and commit. Returns 0 or the error of the claim. */
static inline int ring_write(struct ring *ring, u32 len, u32 tag, u64 *pos)
{
	u32 seq;
	int err;

	err = weir_ring_claim(&ring->r, weir_ring_need(len), 0, pos, &seq);
	if (!err)
		ring_commit(ring, *pos, seq, len, tag, 0);
	return err;
}

/* Are these the bytes of ring_commit()? */
static inline bool ring_payload_ok(const struct weir_ring_rec *rec, u32 len,
				   u32 tag)
{
	u32 i;

	if (rec->len != len)
		return false;
	for (i = 0; i < len; i++)
		if (rec->payload[i] != (u8)(tag + i * 7))
			return false;
	return true;
}

/* A look at the first @n cursors. Returns what the scan does. */
static inline int ring_scan(struct ring *ring, int n)
{
	struct weir_ring_scan s;
	int i, err;

	err = weir_ring_scan_begin(&ring->r, &s);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		weir_ring_scan_cursor(&ring->r, &s, &ring->cursor[i]);
	return weir_ring_scan_end(&ring->r, &s);
}

/* Start an empty ring over at a position and record count. */
static inline void ring_start_at(struct ring *ring, u64 pos, u32 seq)
{
	struct weir_head *head = ring->r.head;
	int i;

	head->claim = weir_ring_pack(pos >> WEIR_GRANULE_SHIFT, seq);
	head->limit = pos + RING_BYTES;
	head->intent = head->limit;
	head->seq_limit = seq + S32_MAX;
	for (i = 0; i < RING_CURSORS; i++) {
		ring->cursor[i].pos = pos;
		ring->cursor[i].seq = seq;
	}
}

#endif /* _WEIR_KUNIT_RING_H */
