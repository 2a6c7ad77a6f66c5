// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of uapi/weir_ring.h with words that lie: headers, head words and
 * cursors are what an attacker likes, drawn at random from values near the
 * edges. Nothing may leave the ring, run for long, or give a limit that frees
 * what a true cursor holds. (Threats 1, 4 and 5 of the threat model.)
 *
 * Runs in KUnit's thread. An access outside the mapping meets a guard page or
 * KASAN; beyond that each answer is checked to lie within the ring.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "ring.h"

#define ROUNDS	3000

/* A 64-bit word near one of the edges, or anything. */
static u64 draw(struct rnd_state *rnd, u64 near)
{
	static const u64 edges[] = {
		0, U32_MAX, 1ULL << 32, 1ULL << 38, S64_MAX, U64_MAX,
		RING_BYTES, RING_BYTES - WEIR_HEADER_BYTES,
	};
	u32 pick = prandom_u32_state(rnd) % 16;
	u64 word = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
	s32 off = (s32)(prandom_u32_state(rnd) % 257) - 128;

	if (pick < ARRAY_SIZE(edges))
		return edges[pick] + off;
	if (pick < 12)
		return near + off;
	if (pick < 14)
		return near + (s64)off * WEIR_GRANULE;
	return word;
}

/* Whether a record that was let through lies within the mapping. */
static bool rec_within(const struct ring *ring, const struct weir_ring_rec *rec)
{
	u64 from = rec->payload - ring->r.data;

	return from >= WEIR_HEADER_BYTES && from <= 2 * RING_BYTES &&
	       rec->len <= 2 * RING_BYTES - from && rec->next != rec->pos &&
	       rec->next - rec->pos <= RING_BYTES &&
	       !((rec->next - rec->pos) % WEIR_GRANULE);
}

static void ring_peek__hostile_headers_stay_within(struct kunit *test)
{
	struct ring *ring = test->priv;
	unsigned int wrong = 0, records = 0, refused = 0;
	struct rnd_state rnd;
	int round;

	prandom_seed_state(&rnd, 1);
	for (round = 0; round < ROUNDS; round++) {
		u64 pos = (u64)prandom_u32_state(&rnd) << WEIR_GRANULE_SHIFT;
		struct weir_record *hdr = weir_ring_at(&ring->r, pos);
		struct weir_ring_rec rec;
		u64 at = pos;
		int got;

		hdr->commit = pos + RING_SECRET;
		hdr->len = draw(&rnd, weir_ring_max_len(&ring->r));
		hdr->ext = prandom_u32_state(&rnd);
		hdr->flags = prandom_u32_state(&rnd) & ~WEIR_REC_ABORTED;
		hdr->kind = prandom_u32_state(&rnd);
		got = weir_ring_peek(&ring->r, &at, &rec);
		if (got == 1) {
			wrong += !rec_within(ring, &rec) || rec.pos != pos;
			/* touch both ends */
			if (rec.len) {
				READ_ONCE(rec.payload[0]);
				READ_ONCE(rec.payload[rec.len - 1]);
			}
			records++;
		} else {
			wrong += got != -EPROTO;
			refused++;
		}
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, records, 100);
	KUNIT_EXPECT_GT(test, refused, 100);
}

/* Chains of aborted records, one in each granule, of all lengths. */
static void ring_peek__hostile_aborts_end(struct kunit *test)
{
	struct ring *ring = test->priv;
	unsigned int wrong = 0;
	struct rnd_state rnd;
	int round;

	prandom_seed_state(&rnd, 2);
	for (round = 0; round < ROUNDS / 10; round++) {
		u64 base = draw(&rnd, 1ULL << 40) & ~(u64)(WEIR_GRANULE - 1);
		struct weir_ring_rec rec;
		u64 pos = base, g;
		int got;

		for (g = 0; g < RING_GRANULES; g++) {
			struct weir_record *hdr;
			u64 at = base + g * WEIR_GRANULE;

			hdr = weir_ring_at(&ring->r, at);
			hdr->commit = at + RING_SECRET;
			hdr->flags = prandom_u32_state(&rnd) % 64 ?
				     WEIR_REC_ABORTED : 0;
			hdr->len = prandom_u32_state(&rnd) % 4 ? 0 :
				   draw(&rnd, weir_ring_max_len(&ring->r));
			hdr->ext = prandom_u32_state(&rnd) % 4 ? 0 : 255;
		}
		got = weir_ring_peek(&ring->r, &pos, &rec);
		wrong += got == 1 && !rec_within(ring, &rec);
		/* at most one ring and the record that was too much */
		wrong += pos - base > 2 * RING_BYTES;
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* Aborted records each of which sends the reader nearly a ring further. */
static void ring_peek__hostile_aborts_cannot_lead_on(struct kunit *test)
{
	struct ring *ring = test->priv;
	u32 len = weir_ring_max_len(&ring->r) - WEIR_GRANULE;
	struct weir_ring_rec rec;
	u64 pos = 0, g;

	for (g = 0; g < RING_GRANULES; g++) {
		struct weir_record *hdr = weir_ring_at(&ring->r, pos);

		hdr->commit = pos + RING_SECRET;
		hdr->flags = WEIR_REC_ABORTED;
		hdr->len = len;
		pos += weir_ring_need(len);
	}
	pos = 0;
	KUNIT_EXPECT_EQ(test, weir_ring_peek(&ring->r, &pos, &rec), -EPROTO);
	KUNIT_EXPECT_LE(test, pos, 2 * RING_BYTES);
}

static void ring_tail__hostile_heads_are_refused(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_head *head = ring->r.head;
	unsigned int wrong = 0, taken = 0, refused = 0;
	struct rnd_state rnd;
	int round;

	prandom_seed_state(&rnd, 3);
	for (round = 0; round < ROUNDS; round++) {
		u64 limit = draw(&rnd, 1ULL << 41);
		u64 at = draw(&rnd, limit), tail;
		u32 seq;

		head->limit = limit;
		head->claim = weir_ring_pack(at >> WEIR_GRANULE_SHIFT,
					     prandom_u32_state(&rnd));
		if (weir_ring_tail(&ring->r, &tail, &seq)) {
			refused++;
			wrong += !weir_ring_overtaken(&ring->r, at);
			continue;
		}
		taken++;
		wrong += limit % WEIR_GRANULE || tail % WEIR_GRANULE ||
			 limit - tail > RING_BYTES ||
			 seq != (u32)head->claim;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, taken, 50);
	KUNIT_EXPECT_GT(test, refused, 50);
}

/*
 * The kernel writes too (sendmsg), by head words that the process can change:
 * what it claims must be whole granules, or its release-store of the commit
 * word is misaligned, which is fatal on some machines.
 */
static void ring_claim__hostile_heads_stay_within(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_head *head = ring->r.head;
	unsigned int wrong = 0, unaligned = 0, granted = 0;
	struct rnd_state rnd;
	int round;

	prandom_seed_state(&rnd, 4);
	for (round = 0; round < ROUNDS; round++) {
		u32 len = draw(&rnd, weir_ring_max_len(&ring->r)) %
			  (weir_ring_max_len(&ring->r) + 1);
		u64 pos;

		head->limit = draw(&rnd, 1ULL << 41);
		head->claim = weir_ring_pack(draw(&rnd, head->limit) >>
					     WEIR_GRANULE_SHIFT, round);
		head->seq_limit = round + 1;
		if (ring_write(ring, len, round, &pos))
			continue;
		granted++;
		wrong += (head->limit & ~63ULL) - pos > RING_BYTES;
		unaligned += pos % WEIR_GRANULE != 0;
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, unaligned, 0);
	KUNIT_EXPECT_GT(test, granted, 50);
}

/* One true cursor among liars: the limit never passes it. */
static void ring_scan__hostile_cursors_free_nothing(struct kunit *test)
{
	struct ring *ring = test->priv;
	struct weir_head *head = ring->r.head;
	struct rnd_state rnd;
	unsigned int wrong = 0;
	int round;

	prandom_seed_state(&rnd, 5);
	for (round = 0; round < ROUNDS; round++) {
		u64 tail = (draw(&rnd, 1ULL << 41) >> 2) &
			   ~(u64)(WEIR_GRANULE - 1);
		u64 behind = (u64)(prandom_u32_state(&rnd) %
				   (RING_GRANULES + 1)) * WEIR_GRANULE;
		u32 seq = prandom_u32_state(&rnd);
		u64 pos;
		int i;

		if (tail < RING_BYTES)
			continue;	/* room for the truth behind it */
		head->claim = weir_ring_pack(tail >> WEIR_GRANULE_SHIFT, seq);
		head->limit = tail;
		head->intent = tail;
		for (i = 0; i < RING_CURSORS; i++) {
			ring->cursor[i].pos = draw(&rnd, tail);
			ring->cursor[i].demand = draw(&rnd, seq);
			ring->cursor[i].flags = prandom_u32_state(&rnd);
		}
		i = prandom_u32_state(&rnd) % RING_CURSORS;
		ring->cursor[i].pos = tail - behind;
		wrong += !!ring_scan(ring, RING_CURSORS);
		wrong += head->limit - tail > RING_BYTES - behind;
		wrong += head->limit % WEIR_GRANULE;
		/* a demand may stop the writer, not more */
		if (!ring_write(ring, 0, 0, &pos))
			wrong += pos != tail;
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void ring_resync__hostile_commits_stay_within(struct kunit *test)
{
	struct ring *ring = test->priv;
	unsigned int wrong = 0, found = 0;
	struct rnd_state rnd;
	int round;

	prandom_seed_state(&rnd, 6);
	for (round = 0; round < ROUNDS; round++) {
		u64 to = draw(&rnd, 1ULL << 41) & ~(u64)(WEIR_GRANULE - 1);
		u64 from, at, pos;

		if (to < 2 * RING_BYTES)
			continue;
		from = to - prandom_u32_state(&rnd) % (2 * RING_BYTES);
		at = draw(&rnd, to - RING_BYTES / 2);
		weir_ring_at(&ring->r, at & ~(u64)(WEIR_GRANULE - 1))->commit =
			(at & ~(u64)(WEIR_GRANULE - 1)) + RING_SECRET;
		if (weir_ring_resync(&ring->r, from, to, &pos)) {
			found++;
			wrong += pos >= to || pos < (from & ~63ULL) ||
				 to - pos > RING_BYTES || pos % WEIR_GRANULE;
		} else {
			wrong += pos != to;
		}
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, found, 50);
}

static struct kunit_case hostile_cases[] = {
	KUNIT_CASE(ring_tail__hostile_heads_are_refused),
	KUNIT_CASE(ring_claim__hostile_heads_stay_within),
	KUNIT_CASE(ring_scan__hostile_cursors_free_nothing),
	KUNIT_CASE(ring_peek__hostile_headers_stay_within),
	KUNIT_CASE(ring_peek__hostile_aborts_end),
	KUNIT_CASE(ring_peek__hostile_aborts_cannot_lead_on),
	KUNIT_CASE(ring_resync__hostile_commits_stay_within),
	{}
};

static struct kunit_suite hostile_suite = {
	.name = "weir_hostile",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = hostile_cases,
};

kunit_test_suite(hostile_suite);
