// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of uapi/weir_ring.h in the kernel: claim, commit and peek, the limit
 * and demand, lapped readers, positions beyond 32 bits, and several threads
 * claiming at once. What hostile words do is in hostile.c.
 *
 * Runs in KUnit's thread, with kthreads of its own for the last. The same
 * header is tested in user space too, under the sanitizers.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "ring.h"

/* --- claim --------------------------------------------------------------- */

static void ring_need__rounds_to_granules(struct kunit *test)
{
	struct ring *ring = test->priv;

	KUNIT_EXPECT_EQ(test, weir_ring_need(0), 64);
	KUNIT_EXPECT_EQ(test, weir_ring_need(32), 64);
	KUNIT_EXPECT_EQ(test, weir_ring_need(33), 128);
	KUNIT_EXPECT_EQ(test, weir_ring_need(96), 128);
	KUNIT_EXPECT_EQ(test, weir_ring_need(97), 192);
	KUNIT_EXPECT_EQ(test, weir_ring_need(weir_ring_max_len(&ring->r)),
			RING_BYTES);
}

static void ring_claim__advances_until_full(struct kunit *test)
{
	struct ring *ring = test->priv;
	u64 pos, at, claim;
	u32 seq, n;

	for (n = 0, at = 0; at + 192 <= RING_BYTES; n++, at += 192) {
		int err = weir_ring_claim(&ring->r, 192, n & 1, &pos, &seq);

		if (err || pos != at || seq != n)
			break;
	}
	KUNIT_EXPECT_EQ(test, n, RING_BYTES / 192);
	claim = ring->r.head->claim;
	KUNIT_EXPECT_EQ(test, weir_ring_claim(&ring->r, 192, 0, &pos, &seq),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, weir_ring_claim(&ring->r, 192, 1, &pos, &seq),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, ring->r.head->claim, claim);
	/* what is left still goes to a reader that needs less */
	KUNIT_ASSERT_EQ(test, RING_BYTES - at, 128);
	KUNIT_EXPECT_EQ(test, weir_ring_claim(&ring->r, 128, 0, &pos, &seq), 0);
	KUNIT_EXPECT_EQ(test, pos, at);
	KUNIT_EXPECT_EQ(test, weir_ring_claim(&ring->r, 64, 0, &pos, &seq),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, weir_ring_tail(&ring->r, &pos, &seq), 0);
	KUNIT_EXPECT_EQ(test, pos, RING_BYTES);
	KUNIT_EXPECT_EQ(test, seq, n + 1);
}

/* Claims one by one what the short form has claimed at once. */
static bool ring_claim_agrees(struct ring *ring, u32 total, u32 many, u64 at,
			      u32 seq_at)
{
	u64 pos;
	u32 seq, i;

	for (i = 0; i < many; i++) {
		if (weir_ring_claim(&ring->r, total, 0, &pos, &seq) ||
		    pos != at + (u64)i * total || seq != seq_at + i ||
		    seq == U32_MAX)
			return false;
	}
	return true;
}

/* The short form claims what the long one would, or leaves it to it. */
static void ring_claim_plain__agrees_with_claim(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_head *head = ring->r.head, before, after;
	struct rnd_state rnd;
	u32 i, claimed = 0, left = 0;

	prandom_seed_state(&rnd, 6947);
	for (i = 0; i < 20000; i++) {
		u32 many = 1 + prandom_u32_state(&rnd) % 4;
		u32 total = 64 * (1 + prandom_u32_state(&rnd) %
				      (RING_BYTES / 64 / many));
		u64 tail = 64 * (u64)prandom_u32_state(&rnd);
		u32 n = i & 1 ? prandom_u32_state(&rnd) :
				(u32)-4 + prandom_u32_state(&rnd) % 8;
		u64 pos;
		u32 seq;
		int err;

		head->limit = tail + 64 * (prandom_u32_state(&rnd) %
					   (RING_BYTES / 64 + 1));
		head->claim = weir_ring_pack(tail >> WEIR_GRANULE_SHIFT, n);
		head->seq_limit = n + prandom_u32_state(&rnd) % 6;
		before = *head;
		err = weir_ring_claim_plain(&ring->r, total, many, &pos, &seq);
		after = *head;
		*head = before;
		if (err) {
			left++;
			if (memcmp(&before, &after, sizeof(after)))
				break;
			continue;
		}
		claimed++;
		if (!ring_claim_agrees(ring, total, many, pos, seq) ||
		    memcmp(head, &after, sizeof(after)))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, 20000);
	KUNIT_EXPECT_GT(test, claimed, 1000);
	KUNIT_EXPECT_GT(test, left, 1000);
}

/* No number of records gets past the room, however it is multiplied. */
static void ring_claim_plain__refuses_too_many(struct kunit *test)
{
	static const u32 many[] = {
		0, RING_BYTES / 64 + 1, 1 << 25, 1 << 26, 1U << 31, U32_MAX,
	};
	struct ring *ring = test->priv;
	struct weir_head *head = ring->r.head;
	u64 pos, claim = weir_ring_pack(2, 7);
	u32 seq, i;

	head->limit = 128 + RING_BYTES;
	head->claim = claim;
	head->seq_limit = 7U + S32_MAX;
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		KUNIT_EXPECT_EQ(test,
				weir_ring_claim_plain(&ring->r, 64, many[i],
						      &pos, &seq), -EAGAIN);
		KUNIT_EXPECT_EQ(test,
				weir_ring_claim_plain(&ring->r, RING_BYTES,
						      many[i], &pos, &seq),
				-EAGAIN);
	}
	KUNIT_EXPECT_EQ(test, head->claim, claim);
	KUNIT_EXPECT_EQ(test, weir_ring_claim_plain(&ring->r, 64,
						    RING_BYTES / 64, &pos,
						    &seq), 0);
	KUNIT_EXPECT_EQ(test, head->claim,
			claim + weir_ring_pack(RING_BYTES / 64, RING_BYTES / 64));
}

/* The record count wraps, through the long form, and the granules do not. */
static void ring_claim__wraps_the_count(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_head *head = ring->r.head;
	u64 pos;
	u32 seq;

	head->limit = RING_BYTES;
	head->claim = weir_ring_pack(2, U32_MAX);
	head->seq_limit = 100;
	KUNIT_EXPECT_EQ(test,
			weir_ring_claim_plain(&ring->r, 64, 1, &pos, &seq),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, weir_ring_claim(&ring->r, 64, 0, &pos, &seq), 0);
	KUNIT_EXPECT_EQ(test, pos, 128);
	KUNIT_EXPECT_EQ(test, seq, U32_MAX);
	KUNIT_EXPECT_EQ(test, head->claim, weir_ring_pack(3, 0));
	KUNIT_EXPECT_EQ(test,
			weir_ring_claim_plain(&ring->r, 64, 1, &pos, &seq),
			0);
	KUNIT_EXPECT_EQ(test, pos, 192);
	KUNIT_EXPECT_EQ(test, seq, 0);
}

static void ring_claim__takes_the_whole_ring(struct kunit *test)
{
	struct ring *ring = test->priv;
	u32 len = weir_ring_max_len(&ring->r), seq;
	struct weir_ring_rec rec;
	u64 pos;

	ring_start_at(ring, 5 * WEIR_GRANULE, 0);	/* runs over the end */
	KUNIT_EXPECT_EQ(test, weir_ring_claim(&ring->r, RING_BYTES + 64, 0,
					      &pos, &seq), -EAGAIN);
	KUNIT_ASSERT_EQ(test, ring_write(ring, len, 9, &pos), 0);
	KUNIT_EXPECT_EQ(test, pos, 5 * WEIR_GRANULE);
	KUNIT_ASSERT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 1);
	KUNIT_EXPECT_TRUE(test, ring_payload_ok(&rec, len, 9));
	KUNIT_EXPECT_EQ(test, rec.next - rec.pos, RING_BYTES);
}

static void ring_peek__sees_only_what_is_committed(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_ring_rec rec;
	u64 first, second, pos = 0;
	u32 seq1, seq2;

	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	KUNIT_ASSERT_EQ(test, weir_ring_claim(&ring->r, 128, 0, &first, &seq1),
			0);
	KUNIT_ASSERT_EQ(test, weir_ring_claim(&ring->r, 64, 0, &second, &seq2),
			0);
	/* committed out of order: the reader waits for the first */
	ring_commit(ring, second, seq2, 20, 2, 0);
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	KUNIT_EXPECT_EQ(test, pos, 0);
	ring_commit(ring, first, seq1, 90, 1, 0);
	KUNIT_ASSERT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 1);
	KUNIT_EXPECT_EQ(test, rec.pos, 0);
	KUNIT_EXPECT_EQ(test, rec.seq, 0);
	KUNIT_EXPECT_EQ(test, rec.next - rec.pos, 128);
	KUNIT_EXPECT_EQ(test, rec.kind, WEIR_KIND_EVENT);
	KUNIT_EXPECT_TRUE(test, ring_payload_ok(&rec, 90, 1));
	pos = rec.next;
	KUNIT_ASSERT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 1);
	KUNIT_EXPECT_EQ(test, rec.seq, 1);
	KUNIT_EXPECT_TRUE(test, ring_payload_ok(&rec, 20, 2));
	pos = rec.next;
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
}

/*
 * Push records of changing length through, with @start as the first position:
 * every position, count and byte is checked. Returns how many records ran over
 * the end of the ring, or -1.
 */
static int ring_run_through(struct kunit *test, u64 start, u32 seq, int records)
{
	struct ring *ring = test->priv;
	u64 wpos, expect = start, rpos = start;
	int written = 0, read = 0, over = 0;

	ring_start_at(ring, start, seq);
	while (read < records) {
		struct weir_ring_rec rec;
		u32 len;

		/* as many as fit */
		for (; written < records; written++) {
			len = (written * 37) % 700;
			if (ring_write(ring, len, written, &wpos))
				break;
			if (wpos != expect)
				goto wrong;
			over += (wpos & ring->r.mask) + weir_ring_need(len) >
				RING_BYTES;
			expect += weir_ring_need(len);
		}
		/* and three of them out again */
		for (len = 0; len < 3; len++) {
			int got = weir_ring_peek(&ring->r, &rpos, &rec);

			if (!got)
				break;
			if (got < 0 || rec.seq != seq + read ||
			    !ring_payload_ok(&rec, (read * 37) % 700, read))
				goto wrong;
			rpos = rec.next;
			read++;
		}
		if (!len)
			goto wrong;
		weir_store_release(&ring->cursor[0].pos, rpos);
		if (ring_scan(ring, 1) || ring->r.head->limit !=
					  rpos + RING_BYTES)
			goto wrong;
	}
	return rpos == expect ? over : -1;
wrong:
	kunit_err(test, "record %d of %d, position %llx\n", read, written,
		  rpos);
	return -1;
}

static void ring_peek__wraps_at_the_end(struct kunit *test)
{
	KUNIT_EXPECT_GT(test, ring_run_through(test, 0, 0, 2000), 10);
}

static void ring_peek__skips_aborted(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_ring_rec rec;
	u64 at, pos = 0;
	u32 seq;
	int i;

	for (i = 0; i < 5; i++) {
		KUNIT_ASSERT_EQ(test, weir_ring_claim(&ring->r, 128, 0, &at,
						      &seq), 0);
		ring_commit(ring, at, seq, 70, i, WEIR_REC_ABORTED);
	}
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	KUNIT_EXPECT_EQ(test, pos, 5 * 128);
	KUNIT_ASSERT_EQ(test, ring_write(ring, 8, 3, &at), 0);
	pos = 0;
	KUNIT_ASSERT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 1);
	KUNIT_EXPECT_EQ(test, pos, at);
	KUNIT_EXPECT_EQ(test, rec.seq, 5);
	KUNIT_EXPECT_TRUE(test, ring_payload_ok(&rec, 8, 3));
}

static void ring_peek__skips_a_ring_full_of_aborted(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_ring_rec rec;
	u64 at, pos = 0;
	u32 seq;

	while (!weir_ring_claim(&ring->r, 64, 0, &at, &seq))
		ring_commit(ring, at, seq, 0, 0, WEIR_REC_ABORTED);
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	KUNIT_EXPECT_EQ(test, pos, RING_BYTES);
}

static void ring_peek_some__gives_up_and_goes_on(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_ring_rec rec;
	u64 at, pos = 0;
	u32 seq;
	int i;

	for (i = 0; i < 10; i++) {
		KUNIT_ASSERT_EQ(test, weir_ring_claim(&ring->r, 128, 0, &at,
						      &seq), 0);
		ring_commit(ring, at, seq, 70, i, WEIR_REC_ABORTED);
	}
	KUNIT_ASSERT_EQ(test, ring_write(ring, 8, 3, &at), 0);
	KUNIT_EXPECT_EQ(test, weir_ring_peek_some(&ring->r, &pos, &rec, 4),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, pos, 4 * 128);
	KUNIT_EXPECT_EQ(test, weir_ring_peek_some(&ring->r, &pos, &rec, 4),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, pos, 8 * 128);
	KUNIT_EXPECT_EQ(test, weir_ring_peek_some(&ring->r, &pos, &rec, 4), 1);
	KUNIT_EXPECT_EQ(test, pos, at);
	KUNIT_EXPECT_TRUE(test, ring_payload_ok(&rec, 8, 3));
	/* a record at once takes nothing of what may be passed */
	KUNIT_EXPECT_EQ(test, weir_ring_peek_some(&ring->r, &pos, &rec, 1), 1);
}

/* A header left from the lap before, or another ring's, is not a record. */
static void ring_peek__ignores_earlier_laps(struct kunit *test)
{
	struct ring *ring = test->priv;
	u64 at, pos = RING_BYTES;
	struct weir_ring_rec rec;
	struct weir_record *hdr;

	while (!ring_write(ring, 0, 1, &at))
		;
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	pos = 2 * RING_BYTES;
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	/* 2^32 granules on, the low 32 bits of the granule are the same */
	pos = 1ULL << (32 + WEIR_GRANULE_SHIFT);
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	pos = 0;
	hdr = weir_ring_at(&ring->r, 0);
	hdr->commit = RING_SECRET + 2;
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
	hdr->commit = 0;	/* the position without the secret */
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), 0);
}

static void ring_peek__crosses_32_bits(struct kunit *test)
{
	static const u64 starts[] = {
		(1ULL << 32) - 2 * WEIR_GRANULE,
		(1ULL << (32 + WEIR_GRANULE_SHIFT)) - 3 * WEIR_GRANULE,
		(1ULL << (32 + WEIR_GRANULE_SHIFT)) - RING_BYTES,
		(1ULL << (32 + WEIR_GRANULE_SHIFT)) * 5,
		(1ULL << 62),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		int over = ring_run_through(test, starts[i], U32_MAX - 20, 200);

		KUNIT_EXPECT_GT_MSG(test, over, 1, "from %llx", starts[i]);
	}
}

/* --- limit and demand ---------------------------------------------------- */

static void ring_scan__takes_the_lowest_cursor(struct kunit *test)
{
	struct ring *ring = test->priv;
	u64 pos;

	while (!ring_write(ring, 100, 0, &pos))
		;
	ring->cursor[0].pos = 40 * WEIR_GRANULE;
	ring->cursor[1].pos = 7 * WEIR_GRANULE;
	ring->cursor[2].pos = 90 * WEIR_GRANULE;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 3), 0);
	KUNIT_EXPECT_EQ(test, ring->r.head->limit,
			RING_BYTES + 7 * WEIR_GRANULE);
	KUNIT_EXPECT_EQ(test, ring->r.head->intent, ring->r.head->limit);
	/* a reader that attaches behind the limit does not take it back */
	ring->cursor[1].pos = 3 * WEIR_GRANULE;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 3), 0);
	KUNIT_EXPECT_EQ(test, ring->r.head->limit,
			RING_BYTES + 7 * WEIR_GRANULE);
	ring->cursor[1].pos = 128 * WEIR_GRANULE;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 3), 0);
	KUNIT_EXPECT_EQ(test, ring->r.head->limit,
			RING_BYTES + 40 * WEIR_GRANULE);
}

static void ring_scan__without_readers_gives_a_ring(struct kunit *test)
{
	struct ring *ring = test->priv;
	u64 pos;

	while (!ring_write(ring, 100, 0, &pos))
		;
	pos = weir_ring_claim_pos(ring->r.head->claim, ring->r.head->limit);
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 0), 0);
	KUNIT_EXPECT_EQ(test, ring->r.head->limit, pos + RING_BYTES);
}

static void ring_scan__leaves_liars_out(struct kunit *test)
{
	static const u64 lies[] = {
		101 * WEIR_GRANULE,		/* ahead of the writer */
		50 * WEIR_GRANULE + 8,		/* unaligned */
		-29 * (u64)WEIR_GRANULE,	/* a ring and one behind */
		1ULL << 63,
		U64_MAX,
	};
	struct ring *ring = test->priv;
	struct weir_ring_scan s;
	u64 pos;
	int i;

	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, ring_write(ring, 0, 0, &pos), 0);
	KUNIT_ASSERT_EQ(test, weir_ring_scan_begin(&ring->r, &s), 0);
	ring->cursor[0].pos = 60 * WEIR_GRANULE;
	KUNIT_EXPECT_EQ(test, weir_ring_scan_cursor(&ring->r, &s,
						    &ring->cursor[0]), 0);
	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		ring->cursor[1].pos = lies[i];
		KUNIT_EXPECT_EQ_MSG(test, -ERANGE,
				    weir_ring_scan_cursor(&ring->r, &s,
							  &ring->cursor[1]),
				    "%llx", lies[i]);
	}
	KUNIT_EXPECT_EQ(test, weir_ring_scan_end(&ring->r, &s), 0);
	KUNIT_EXPECT_EQ(test, ring->r.head->limit,
			RING_BYTES + 60 * WEIR_GRANULE);
}

/* More than a ring behind, in a ring that has gone round. */
static void ring_scan__leaves_the_lapped_out(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_ring_scan s;

	ring_start_at(ring, 10 * RING_BYTES, 0);
	KUNIT_ASSERT_EQ(test, weir_ring_scan_begin(&ring->r, &s), 0);
	ring->cursor[0].pos = 9 * RING_BYTES - WEIR_GRANULE;
	KUNIT_EXPECT_EQ(test, weir_ring_scan_cursor(&ring->r, &s,
						    &ring->cursor[0]), -ERANGE);
	ring->cursor[0].pos = 9 * RING_BYTES;
	KUNIT_EXPECT_EQ(test, weir_ring_scan_cursor(&ring->r, &s,
						    &ring->cursor[0]), 0);
}

static void ring_scan__again_when_readers_change(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_ring_scan s;
	u64 pos, limit;

	while (!ring_write(ring, 100, 0, &pos))
		;
	limit = ring->r.head->limit;
	ring->cursor[0].pos = 40 * WEIR_GRANULE;
	KUNIT_ASSERT_EQ(test, weir_ring_scan_begin(&ring->r, &s), 0);
	KUNIT_EXPECT_EQ(test, weir_ring_scan_cursor(&ring->r, &s,
						    &ring->cursor[0]), 0);
	ring->status->gen++;
	KUNIT_EXPECT_EQ(test, weir_ring_scan_end(&ring->r, &s), -EAGAIN);
	/* not used, but said: (E) */
	KUNIT_EXPECT_EQ(test, ring->r.head->limit, limit);
	KUNIT_EXPECT_EQ(test, ring->r.head->intent,
			RING_BYTES + 40 * WEIR_GRANULE);
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 1), 0);
	KUNIT_EXPECT_EQ(test, ring->r.head->limit,
			RING_BYTES + 40 * WEIR_GRANULE);
}

/* Writes until refused. Returns how many were let through. */
static int ring_fill(struct ring *ring)
{
	u64 pos;
	int n = 0;

	while (!ring_write(ring, 0, 0, &pos))
		n++;
	return n;
}

static void ring_scan__honours_demand(struct kunit *test)
{
	struct ring *ring = test->priv;

	ring->cursor[0].flags = WEIR_CURSOR_DEMAND;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 2), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), 0);
	ring->cursor[0].demand = 5;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 2), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), 5);
	/* the least of two */
	ring->cursor[0].demand = 20;
	ring->cursor[1].flags = WEIR_CURSOR_DEMAND;
	ring->cursor[1].demand = 12;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 2), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), 7);
	/* one that has sunk lets nothing through, and is no huge one */
	ring->cursor[1].demand = 3;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 2), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), 0);
	/* one that does not count any more */
	ring->cursor[1].flags = 0;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 2), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), 8);
	/* more than the ring holds: the ring is the limit */
	ring->cursor[0].demand = 1000;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 2), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), RING_GRANULES - 20);
}

static void ring_scan__demand_wraps_with_the_count(struct kunit *test)
{
	struct ring *ring = test->priv;

	ring_start_at(ring, 0, U32_MAX - 1);
	ring->cursor[0].flags = WEIR_CURSOR_DEMAND;
	ring->cursor[0].demand = 3;	/* counts U32_MAX - 1 to 2 */
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 1), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), 5);
	ring->cursor[0].demand = 5;
	KUNIT_EXPECT_EQ(test, ring_scan(ring, 1), 0);
	KUNIT_EXPECT_EQ(test, ring_fill(ring), 2);
}

/* --- lapped readers ------------------------------------------------------ */

/* The header's where there is one, else the writer's next. */
static void ring_seq__of_the_next_record(struct kunit *test)
{
	struct ring *ring = test->priv;
	u64 first, second, pos;
	u32 seq;

	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, 0), 0);
	ring->r.head->claim = weir_ring_pack(0, U32_MAX);
	ring->r.head->seq_limit = 100;
	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, 0), U32_MAX);
	KUNIT_ASSERT_EQ(test, ring_write(ring, 100, 1, &first), 0);
	KUNIT_ASSERT_EQ(test, ring_write(ring, 10, 2, &second), 0);
	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, first), U32_MAX);
	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, second), 0);
	KUNIT_ASSERT_EQ(test, weir_ring_claim(&ring->r, 64, 0, &pos, &seq), 0);
	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, pos), 2);
	ring_commit(ring, pos, seq, 10, 3, 0);
	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, pos), 1);
	/* a cursor is another process's word */
	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, pos + 63), 2);
	KUNIT_EXPECT_EQ(test, weir_ring_seq(&ring->r, U64_MAX), 2);
}

static void ring_overtaken__after_a_lap(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_ring_rec rec;
	u64 pos, mine = 0;

	while (!ring_write(ring, 0, 1, &pos))
		;
	KUNIT_ASSERT_EQ(test, weir_ring_peek(&ring->r, &mine, &rec), 1);
	KUNIT_EXPECT_EQ(test, weir_ring_overtaken(&ring->r, mine), 0);
	/* the owner waits for nobody, and claims over it */
	KUNIT_ASSERT_EQ(test, ring_scan(ring, 0), 0);
	KUNIT_EXPECT_EQ(test, weir_ring_overtaken(&ring->r, mine), 0);
	KUNIT_ASSERT_EQ(test, ring_write(ring, 0, 2, &pos), 0);
	KUNIT_EXPECT_EQ(test, weir_ring_overtaken(&ring->r, mine), 1);
	KUNIT_EXPECT_EQ(test, weir_ring_overtaken(&ring->r, 64), 0);
	/* head words that can't be: nothing is safe */
	ring->r.head->limit += 8;
	KUNIT_EXPECT_EQ(test, weir_ring_overtaken(&ring->r, 64), 1);
}

static void ring_resync__finds_the_next_record(struct kunit *test)
{
	struct ring *ring = test->priv;
	u64 pos, hole, third;
	u32 seq;

	KUNIT_EXPECT_EQ(test, weir_ring_resync(&ring->r, 0, RING_BYTES, &pos),
			0);
	KUNIT_EXPECT_EQ(test, pos, RING_BYTES);
	KUNIT_ASSERT_EQ(test, ring_write(ring, 100, 1, &pos), 0);
	KUNIT_ASSERT_EQ(test, weir_ring_claim(&ring->r, 448, 0, &hole, &seq),
			0);
	KUNIT_ASSERT_EQ(test, ring_write(ring, 200, 3, &third), 0);

	KUNIT_EXPECT_EQ(test, weir_ring_resync(&ring->r, 0, RING_BYTES, &pos),
			1);
	KUNIT_EXPECT_EQ(test, pos, 0);
	/* beyond the hole, from anywhere within it or the record before */
	for (seq = 64; seq <= third; seq += 40) {
		KUNIT_EXPECT_EQ(test, weir_ring_resync(&ring->r, seq,
						       RING_BYTES, &pos), 1);
		KUNIT_EXPECT_EQ(test, pos, third);
	}
	KUNIT_EXPECT_EQ(test, weir_ring_resync(&ring->r, 64, third, &pos), 0);
	KUNIT_EXPECT_EQ(test, pos, third);
	KUNIT_EXPECT_EQ(test, weir_ring_resync(&ring->r, third + 64, RING_BYTES,
					       &pos), 0);
	KUNIT_EXPECT_EQ(test, weir_ring_resync(&ring->r, third, third, &pos),
			0);
	KUNIT_EXPECT_EQ(test, pos, third);
}

/* From long ago: starts with the oldest that can still be there. */
static void ring_resync__begins_a_ring_behind(struct kunit *test)
{
	struct ring *ring = test->priv;
	u64 pos, tail;

	KUNIT_ASSERT_GE(test, ring_run_through(test, 1ULL << 40, 0, 1000), 0);
	tail = weir_ring_claim_pos(ring->r.head->claim, ring->r.head->limit);
	KUNIT_EXPECT_EQ(test, weir_ring_resync(&ring->r, 1ULL << 40, tail,
					       &pos), 1);
	KUNIT_EXPECT_GE(test, pos, tail - RING_BYTES);
	KUNIT_EXPECT_LT(test, pos, tail - RING_BYTES + 800);
}

/* --- threads ------------------------------------------------------------- */

#define WRITERS		3
#define RECORDS		3000

/**
 * struct writer - one of several threads that claim in one ring
 * @ring: the ring.
 * @no: which of the threads.
 * @stop: set when the reader has given up.
 * @wrong: what went wrong, counted.
 * @done: its last touch of anything.
 */
struct writer {
	struct ring		*ring;
	int			no;
	bool			stop;
	unsigned int		wrong;
	struct completion	done;
};

static int writer_run(void *data)
{
	struct writer *w = data;
	struct ring *ring = w->ring;
	u32 i;

	for (i = 0; i < RECORDS && !READ_ONCE(w->stop); ) {
		u32 len = (i * 11 + w->no) % 90, seq;
		u64 pos;
		int err;

		err = weir_ring_claim(&ring->r, weir_ring_need(len), 1, &pos,
				      &seq);
		if (err == -EAGAIN) {
			err = ring_scan(ring, 1);
			w->wrong += err && err != -EAGAIN;
			cond_resched();
			continue;
		}
		w->wrong += !!err;
		/* one in eight is given up half way */
		if (i % 8 == 7) {
			ring_commit(ring, pos, seq, len, i,
				    WEIR_REC_ABORTED);
		} else {
			ring_commit(ring, pos, seq, len, w->no << 16 | i, 0);
		}
		i++;
	}
	kthread_complete_and_exit(&w->done, 0);
}

/* Reads until every writer's last record. Returns false when one is wrong. */
static bool writers_read(struct kunit *test, struct ring *ring,
			 unsigned long deadline)
{
	u32 next[WRITERS] = {}, last_seq = 0;
	int left = WRITERS * (RECORDS / 8 * 7);
	u64 pos = 0;

	while (left) {
		struct weir_ring_rec rec;
		struct weir_record *hdr;
		u32 no, i;
		int got;

		got = weir_ring_peek(&ring->r, &pos, &rec);
		if (!got) {
			weir_store_release(&ring->cursor[0].pos, pos);
			if (time_after(jiffies, deadline))
				goto wrong;
			cond_resched();
			continue;
		}
		if (got < 0)
			goto wrong;
		hdr = weir_ring_at(&ring->r, pos);
		no = hdr->tag >> 16;
		i = hdr->tag & 0xffff;
		if (no >= WRITERS || i != next[no] ||
		    !ring_payload_ok(&rec, (i * 11 + no) % 90, hdr->tag) ||
		    (s32)(rec.seq - last_seq) < 0)
			goto wrong;
		last_seq = rec.seq;
		next[no] = i + (i % 8 == 6 ? 2 : 1);
		pos = rec.next;
		weir_store_release(&ring->cursor[0].pos, pos);
		left--;
	}
	return true;
wrong:
	kunit_err(test, "at %llx with %d left\n", pos, left);
	return false;
}

static void ring_claim__by_several_threads(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct task_struct *task[WRITERS];
	bool all = true, good;
	struct writer *w;
	int i;

	w = kunit_kcalloc(test, WRITERS, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	for (i = 0; i < WRITERS; i++) {
		w[i].ring = ring;
		w[i].no = i;
		init_completion(&w[i].done);
		task[i] = kthread_run(writer_run, &w[i], "weir_kunit");
		all = all && !IS_ERR(task[i]);
	}
	good = all && writers_read(test, ring, jiffies + 120 * HZ);
	for (i = 0; i < WRITERS; i++) {
		if (IS_ERR(task[i]))
			continue;
		if (!good)
			WRITE_ONCE(w[i].stop, true);
		wait_for_completion(&w[i].done);
		KUNIT_EXPECT_EQ(test, w[i].wrong, 0);
	}
	KUNIT_EXPECT_TRUE(test, good);
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(ring_need__rounds_to_granules),
	KUNIT_CASE(ring_claim__advances_until_full),
	KUNIT_CASE(ring_claim_plain__agrees_with_claim),
	KUNIT_CASE(ring_claim_plain__refuses_too_many),
	KUNIT_CASE(ring_claim__wraps_the_count),
	KUNIT_CASE(ring_claim__takes_the_whole_ring),
	KUNIT_CASE(ring_claim__by_several_threads),
	KUNIT_CASE(ring_scan__takes_the_lowest_cursor),
	KUNIT_CASE(ring_scan__without_readers_gives_a_ring),
	KUNIT_CASE(ring_scan__leaves_liars_out),
	KUNIT_CASE(ring_scan__leaves_the_lapped_out),
	KUNIT_CASE(ring_scan__again_when_readers_change),
	KUNIT_CASE(ring_scan__honours_demand),
	KUNIT_CASE(ring_scan__demand_wraps_with_the_count),
	KUNIT_CASE(ring_peek__sees_only_what_is_committed),
	KUNIT_CASE(ring_peek__wraps_at_the_end),
	KUNIT_CASE(ring_peek__skips_aborted),
	KUNIT_CASE(ring_peek__skips_a_ring_full_of_aborted),
	KUNIT_CASE(ring_peek_some__gives_up_and_goes_on),
	KUNIT_CASE(ring_peek__ignores_earlier_laps),
	KUNIT_CASE(ring_peek__crosses_32_bits),
	KUNIT_CASE(ring_seq__of_the_next_record),
	KUNIT_CASE(ring_overtaken__after_a_lap),
	KUNIT_CASE(ring_resync__finds_the_next_record),
	KUNIT_CASE(ring_resync__begins_a_ring_behind),
	{}
};

static struct kunit_suite ring_suite = {
	.name = "weir_ring",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = ring_cases,
};

kunit_test_suite(ring_suite);
