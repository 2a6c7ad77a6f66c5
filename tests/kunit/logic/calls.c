// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/calls.c: the table against a model that has a line for each
 * slot and one for each call that was ever made, and the producer and the
 * completers in threads of their own.
 *
 * Runs in KUnit's thread, with a kthread where the two sides meet. Mismatches
 * in loops are counted and reported once.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "logic/calls.h"

#define OWNER	0x54321U
#define GEN_MAX	((1ULL << (64 - WEIR_CALL_GEN_SHIFT)) - 1)

/* The name of a slot's call. */
static u64 name_of(u32 slot, u64 gen)
{
	return OWNER | (u64)slot << WEIR_CALL_OWNER_BITS |
	       gen << WEIR_CALL_GEN_SHIFT;
}

static void calls_test_exit(struct kunit *test)
{
	if (test->priv)
		weir_call_table_destroy(test->priv);
}

/* A table that is destroyed with the test. */
static struct weir_call_table *table(struct kunit *test, u32 most)
{
	struct weir_call_table *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_ASSERT_EQ(test, weir_call_table_init(c, most), 0);
	c->begin = OWNER;
	test->priv = c;
	return c;
}

static bool grow(struct weir_call_table *c)
{
	struct weir_call_entry *chunk = weir_call_table_grow_alloc();

	if (!chunk)
		return false;
	if (weir_call_table_grow(c, chunk))
		return true;
	kfree(chunk);
	return false;
}

/* Begin a call, as a sender does. */
static struct weir_call_entry *begin(struct weir_call_table *c, bool hold)
{
	struct weir_call_entry *call = weir_call_table_take(c, hold);

	if (!call)
		return NULL;
	smp_store_release(&call->state, WEIR_CALL_SENT);
	return call;
}

static void calls_init__is_empty(struct kunit *test)
{
	struct weir_call_table *c = table(test, 64);

	KUNIT_EXPECT_EQ(test, c->size, 0);
	KUNIT_EXPECT_EQ(test, c->nlocal, 0);
	KUNIT_EXPECT_EQ(test, c->nreturned, 0);
	KUNIT_EXPECT_NULL(test, weir_call_table_take(c, false));
	KUNIT_EXPECT_NULL(test, weir_call_table_oldest(c));
	KUNIT_EXPECT_NULL(test, weir_call_table_find(c, 0));
	KUNIT_EXPECT_NULL(test, weir_call_table_find(c, name_of(0, 0)));
	KUNIT_EXPECT_NULL(test, weir_call_table_find(c, U64_MAX));
	weir_call_table_refill(c);
	weir_call_table_prune(c);
	KUNIT_EXPECT_NULL(test, weir_call_table_take(c, false));
}

static void calls_grow__ends_at_most(struct kunit *test)
{
	struct weir_call_table *c = table(test, 3 * WEIR_CALLS_CHUNK);
	u32 i, wrong = 0;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_TRUE(test, grow(c));
		KUNIT_EXPECT_EQ(test, c->size, (i + 1) * WEIR_CALLS_CHUNK);
		KUNIT_EXPECT_EQ(test, c->nlocal, c->size);
	}
	KUNIT_EXPECT_FALSE(test, grow(c));
	KUNIT_EXPECT_EQ(test, c->size, 3 * WEIR_CALLS_CHUNK);
	KUNIT_EXPECT_NULL(test, weir_call_table_find(c, name_of(c->size, 0)));
	/* a slot that differs above the mask is another one */
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_find(c, name_of(1, 0)),
			    weir_call_table_at(c, 1));
	for (i = c->mask + 1; i < 1U << WEIR_CALL_SLOT_BITS; i *= 2)
		wrong += !!weir_call_table_find(c, name_of(i + 1, 0));
	/* a slot knows its number, and has a name before its first call */
	for (i = 0; i < c->size; i++) {
		struct weir_call_entry *call = weir_call_table_at(c, i);

		wrong += call->slot != i || call->name != name_of(i, 0) ||
			 call->state != WEIR_CALL_FREE || call->tries;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* The call that is due first, or NULL. */
static struct weir_call_entry *retry_first(const struct weir_call_table *c)
{
	return rb_entry_safe(rb_first_cached(&c->retries),
			     struct weir_call_entry, retry);
}

/* By the time that they are due, and as they were sent where that is the same. */
static void calls_retry__is_in_order(struct kunit *test)
{
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	struct weir_call_entry *call, *last = NULL;
	u32 i, n = 0, wrong = 0;

	KUNIT_ASSERT_TRUE(test, grow(c));
	KUNIT_EXPECT_NULL(test, retry_first(c));
	for (i = 0; i < WEIR_CALLS_CHUNK; i++) {
		call = begin(c, true);
		call->state = WEIR_CALL_RETRY;
		/* positions wrap */
		call->pos = 8 - (u64)i * 64;
		weir_call_table_retry(c, call, (i * 7) % 5);
	}
	KUNIT_EXPECT_TRUE(test, weir_call_table_retrying(c));
	/* one in the middle ends otherwise, and is then there no more */
	call = weir_call_table_at(c, 13);
	weir_call_table_retry_stop(c, call);
	weir_call_table_retry_stop(c, call);
	while ((call = retry_first(c))) {
		wrong += call->slot == 13;
		wrong += last && (last->sent_ns > call->sent_ns ||
				  (last->sent_ns == call->sent_ns &&
				   (s64)(last->pos - call->pos) > 0));
		last = call;
		weir_call_table_retry_stop(c, call);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, WEIR_CALLS_CHUNK - 1);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_FALSE(test, weir_call_table_retrying(c));
}

/* A search that is to go on behind a call does so, whatever comes and goes. */
static void calls_retry__goes_on(struct kunit *test)
{
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	struct weir_call_entry *calls[4];
	u32 i;

	KUNIT_ASSERT_TRUE(test, grow(c));
	for (i = 0; i < 4; i++) {
		calls[i] = begin(c, true);
		calls[i]->state = WEIR_CALL_RETRY;
		weir_call_table_retry(c, calls[i], 10 * (i + 1));
	}
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_retry_after(c, 20),
			    &calls[2]->retry);
	KUNIT_EXPECT_NULL(test, weir_call_table_retry_after(c, 40));
	c->retry_from = &calls[1]->retry;
	weir_call_table_retry_stop(c, calls[1]);
	KUNIT_EXPECT_PTR_EQ(test, c->retry_from, &calls[2]->retry);
	weir_call_table_retry(c, calls[1], 35);
	KUNIT_EXPECT_PTR_EQ(test, c->retry_from, &calls[2]->retry);
	weir_call_table_retry_stop(c, calls[1]);
	/* what is due before it is found */
	weir_call_table_retry(c, calls[1], 25);
	KUNIT_EXPECT_NULL(test, c->retry_from);
	c->retry_from = &calls[3]->retry;
	weir_call_table_retry_stop(c, calls[3]);
	KUNIT_EXPECT_NULL(test, c->retry_from);
	for (i = 0; i < 3; i++)
		weir_call_table_retry_stop(c, calls[i]);
}

/* Of new slots the lowest go first. */
static void calls_take__gives_each_slot_once(struct kunit *test)
{
	struct weir_call_table *c = table(test, 2 * WEIR_CALLS_CHUNK);
	struct weir_call_entry *call;
	u32 i;

	KUNIT_ASSERT_TRUE(test, grow(c));
	for (i = 0; i < WEIR_CALLS_CHUNK; i++) {
		call = weir_call_table_take(c, false);
		KUNIT_ASSERT_NOT_NULL(test, call);
		KUNIT_EXPECT_EQ(test, call->slot, i);
	}
	KUNIT_EXPECT_NULL(test, weir_call_table_take(c, false));
	KUNIT_ASSERT_TRUE(test, grow(c));
	call = weir_call_table_take(c, false);
	KUNIT_ASSERT_NOT_NULL(test, call);
	KUNIT_EXPECT_EQ(test, call->slot, WEIR_CALLS_CHUNK);
}

/* An ended call waits for the refill, whichever list is the longer. */
static void calls_refill__joins_both_lists(struct kunit *test)
{
	static const u32 ends[] = { 0, 1, 5, 16, 27, 31, 32 };
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	size_t e;
	u32 i;

	KUNIT_ASSERT_TRUE(test, grow(c));
	for (e = 0; e < ARRAY_SIZE(ends); e++) {
		u32 n = ends[e];
		u64 seen = 0;

		for (i = 0; i < n; i++)
			begin(c, false);
		for (i = 0; i < WEIR_CALLS_CHUNK; i++) {
			struct weir_call_entry *call = weir_call_table_at(c, i);

			if (call->state == WEIR_CALL_SENT)
				weir_call_table_put(c, call);
		}
		KUNIT_EXPECT_EQ(test, c->nreturned, n);
		KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_CHUNK - n);
		weir_call_table_refill(c);
		KUNIT_EXPECT_EQ(test, c->nreturned, 0);
		KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_CHUNK);
		for (i = 0; i < WEIR_CALLS_CHUNK; i++) {
			struct weir_call_entry *call = begin(c, false);

			KUNIT_ASSERT_NOT_NULL(test, call);
			seen |= 1ULL << call->slot;
		}
		KUNIT_EXPECT_EQ(test, seen, U32_MAX);
		KUNIT_EXPECT_NULL(test, weir_call_table_take(c, false));
		for (i = 0; i < WEIR_CALLS_CHUNK; i++)
			weir_call_table_put(c, weir_call_table_at(c, i));
		weir_call_table_refill(c);
	}
}

static void calls_prune__keeps_what_is_behind_the_oldest(struct kunit *test)
{
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	struct weir_call_entry *call[4];
	u32 i;

	KUNIT_ASSERT_TRUE(test, grow(c));
	for (i = 0; i < 4; i++)
		call[i] = begin(c, true);
	weir_call_table_put(c, call[1]);
	weir_call_table_put(c, call[2]);
	KUNIT_EXPECT_EQ(test, call[1]->state, WEIR_CALL_SPENT);
	weir_call_table_prune(c);
	/* spent slots are nobody's */
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_oldest(c), call[0]);
	KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_CHUNK - 4);
	KUNIT_EXPECT_EQ(test, c->nreturned, 0);
	weir_call_table_put(c, call[0]);
	weir_call_table_prune(c);
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_oldest(c), call[3]);
	KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_CHUNK - 1);
	weir_call_table_put(c, call[3]);
	weir_call_table_prune(c);
	KUNIT_EXPECT_NULL(test, weir_call_table_oldest(c));
	KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_CHUNK);
	/* the queue begins again */
	call[0] = begin(c, true);
	call[1] = begin(c, true);
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_oldest(c), call[0]);
	weir_call_table_put(c, call[0]);
	weir_call_table_prune(c);
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_oldest(c), call[1]);
}

/* A prune frees a limited number of calls, and the next one goes on. */
static void calls_prune__is_bounded(struct kunit *test)
{
	const u32 most = 2 * WEIR_CALLS_PRUNED;
	struct weir_call_table *c = table(test, most);
	struct weir_call_entry *next;
	u32 i;

	for (i = 0; i < most; i += WEIR_CALLS_CHUNK)
		KUNIT_ASSERT_TRUE(test, grow(c));
	for (i = 0; i < most; i++)
		begin(c, true);
	for (i = 0; i < most; i++)
		weir_call_table_put(c, weir_call_table_at(c, i));
	weir_call_table_prune(c);
	KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_PRUNED);
	next = weir_call_table_oldest(c);
	KUNIT_ASSERT_NOT_NULL(test, next);
	KUNIT_EXPECT_EQ(test, weir_call_state(next), WEIR_CALL_SPENT);
	weir_call_table_prune(c);
	KUNIT_EXPECT_EQ(test, c->nlocal, most);
	KUNIT_EXPECT_NULL(test, weir_call_table_oldest(c));
}

/*
 * Calls begun together are what they would be one by one, also when some of
 * them end before all have begun.
 */
static void calls_take_many(struct kunit *test, bool hold)
{
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	struct weir_call_entry *call, *next, *first;
	u32 i;

	KUNIT_ASSERT_TRUE(test, grow(c));
	first = begin(c, true);
	KUNIT_ASSERT_NOT_NULL(test, first);
	for (next = c->local, i = 0; i < 5; i++) {
		call = next;
		next = call->next;
		KUNIT_EXPECT_EQ(test, call->slot, i + 1);
		call->tries = hold;
		smp_store_release(&call->state, WEIR_CALL_SENT);
		if (i % 2 == 0)
			weir_call_table_put(c, call);
	}
	weir_call_table_count_off(c, 5);
	weir_call_table_take_many(c, 5, call, next, hold);
	KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_CHUNK - 6);
	KUNIT_EXPECT_EQ(test, c->nreturned, hold ? 0 : 3);
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_oldest(c), first);
	weir_call_table_put(c, first);
	weir_call_table_prune(c);
	/* behind the first, 1 has ended and 2 has not */
	call = weir_call_table_oldest(c);
	if (hold)
		KUNIT_EXPECT_PTR_EQ(test, call, weir_call_table_at(c, 2));
	else
		KUNIT_EXPECT_NULL(test, call);
	weir_call_table_put(c, weir_call_table_at(c, 2));
	weir_call_table_put(c, weir_call_table_at(c, 4));
	weir_call_table_prune(c);
	weir_call_table_refill(c);
	KUNIT_EXPECT_NULL(test, weir_call_table_oldest(c));
	KUNIT_EXPECT_EQ(test, c->nlocal, WEIR_CALLS_CHUNK);
}

static void calls_take_many__free(struct kunit *test)
{
	calls_take_many(test, false);
}

static void calls_take_many__held(struct kunit *test)
{
	calls_take_many(test, true);
}

/* No other's name finds a call, and the generation wraps within itself. */
static void calls_put__generation_wraps(struct kunit *test)
{
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	struct weir_call_entry *call;
	u64 name;

	KUNIT_ASSERT_TRUE(test, grow(c));
	call = begin(c, false);
	KUNIT_ASSERT_NOT_NULL(test, call);
	name = name_of(call->slot, GEN_MAX);
	call->name = name;
	KUNIT_EXPECT_PTR_EQ(test, weir_call_table_find(c, name), call);
	KUNIT_EXPECT_NULL(test, weir_call_table_find(c, name ^ 1));
	KUNIT_EXPECT_NULL(test, weir_call_table_find(c, name - OWNER));
	weir_call_table_put(c, call);
	KUNIT_EXPECT_EQ(test, call->name, name_of(call->slot, 0));
	KUNIT_EXPECT_NULL(test, weir_call_table_find(c, name));
}

/* --- against the model --------------------------------------------------- */

#define CHUNKS	6
#define SLOTS	(CHUNKS * WEIR_CALLS_CHUNK)
#define STEPS	60000

/* One call that was made, the n-th of all. */
struct made {
	u64	name;
	u32	slot;
	bool	held;
	bool	over;
};

/**
 * struct model - what the table must be
 * @made: every call ever made.
 * @nmade: how many.
 * @live: calls that are not over, by index into @made; in no order.
 * @nlive: how many.
 * @busy: by slot: index of the call that has it, or -1. A held call has it
 *	until it has left the queue.
 * @queue: held calls in their order, by index; @head of them have left.
 * @head: first that is in the queue.
 * @tail: end of the queue.
 * @size: slots.
 * @nlocal: free ones of the producer.
 * @nreturned: of the completers.
 */
struct model {
	struct made	made[STEPS];
	u32		nmade;
	u32		live[SLOTS];
	u32		nlive;
	s32		busy[SLOTS];
	u32		queue[STEPS];
	u32		head;
	u32		tail;
	u32		size;
	u32		nlocal;
	u32		nreturned;
};

static u32 model_take(struct model *m, struct weir_call_table *c, bool hold)
{
	struct weir_call_entry *call = begin(c, hold);
	struct made *made = &m->made[m->nmade];

	if (!call)
		return m->nlocal != 0;
	/* nobody has the slot, and nobody had this number */
	if (!m->nlocal || call->slot >= m->size || m->busy[call->slot] >= 0 ||
	    (call->name ^ name_of(call->slot, 0)) << (64 - WEIR_CALL_GEN_SHIFT))
		return 1;
	call->tag_key = m->nmade;
	*made = (struct made){ .slot = call->slot, .name = call->name,
			       .held = hold };
	m->busy[call->slot] = m->nmade;
	m->live[m->nlive++] = m->nmade;
	m->nlocal--;
	if (hold)
		m->queue[m->tail++] = m->nmade;
	m->nmade++;
	return 0;
}

static u32 model_put(struct model *m, struct weir_call_table *c, u32 at)
{
	struct made *made = &m->made[m->live[at]];
	struct weir_call_entry *call = weir_call_table_find(c, made->name);

	if (!call || call->tag_key != m->live[at])
		return 1;
	weir_call_table_put(c, call);
	made->over = true;
	m->live[at] = m->live[--m->nlive];
	if (!made->held) {
		m->busy[made->slot] = -1;
		m->nreturned++;
	}
	return 0;
}

static u32 model_prune(struct model *m, struct weir_call_table *c)
{
	struct weir_call_entry *oldest;

	weir_call_table_prune(c);
	for (; m->head < m->tail && m->made[m->queue[m->head]].over;
	     m->head++) {
		m->busy[m->made[m->queue[m->head]].slot] = -1;
		m->nlocal++;
	}
	/* the head of the queue is the oldest that is not over */
	oldest = weir_call_table_oldest(c);
	if (m->head == m->tail)
		return !!oldest;
	return !oldest || oldest->tag_key != m->queue[m->head] ||
	       oldest->slot != m->made[m->queue[m->head]].slot;
}

static u32 model_grow(struct model *m, struct weir_call_table *c)
{
	bool may = m->size < SLOTS;

	if (grow(c) != may)
		return 1;
	if (may) {
		m->size += WEIR_CALLS_CHUNK;
		m->nlocal += WEIR_CALLS_CHUNK;
	}
	return 0;
}

/* A number finds its own call while that is not over, and nothing later. */
static u32 model_find(const struct model *m, const struct weir_call_table *c,
		      u32 n)
{
	const struct made *made = &m->made[n];
	struct weir_call_entry *call = weir_call_table_find(c, made->name);

	if (made->over)
		return !!call;
	return !call || call->tag_key != n ||
	       weir_call_state(call) != WEIR_CALL_SENT;
}

/* Marks the slots of a list; returns how many, or U32_MAX if one comes twice. */
static u32 list_mark(const struct weir_call_table *c,
		     const struct weir_call_entry *call, u8 *seen)
{
	u32 n = 0;

	for (; call; call = call->next) {
		if (call->slot >= c->size || seen[call->slot]++)
			return U32_MAX;
		n++;
	}
	return n;
}

/* Every slot is in one list, or with one call that is not held. */
static u32 model_lists(const struct model *m, const struct weir_call_table *c)
{
	u8 seen[SLOTS] = { 0 };
	u32 i, wrong = 0;

	wrong += list_mark(c, c->local, seen) != m->nlocal;
	wrong += list_mark(c, c->returned, seen) != m->nreturned;
	for (i = 0; i < m->size; i++)
		wrong += seen[i] != (m->busy[i] < 0);
	wrong += list_mark(c, c->first, seen) != m->tail - m->head;
	for (i = 0; i < m->size; i++)
		wrong += !seen[i] && m->made[m->busy[i]].held;
	return wrong;
}

static void calls__agree_with_a_model(struct kunit *test)
{
	struct weir_call_table *c = table(test, SLOTS);
	u32 i, wrong = 0, full = 0, reused = 0;
	struct rnd_state rnd;
	struct model *m;

	m = kvzalloc(sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < SLOTS; i++)
		m->busy[i] = -1;
	prandom_seed_state(&rnd, 1963);
	for (i = 0; i < STEPS && !wrong; i++) {
		u32 dice = prandom_u32_state(&rnd) % 100;
		/* by turns more begin than end, and the other way round */
		u32 takes = i / 2000 % 2 ? 30 : 55;

		if (dice < takes) {
			full += !m->nlocal;
			wrong += model_take(m, c, prandom_u32_state(&rnd) & 1);
		} else if (dice < 88) {
			if (m->nlive)
				wrong += model_put(m, c,
						   prandom_u32_state(&rnd) %
						   m->nlive);
		} else if (dice < 94) {
			wrong += model_prune(m, c);
		} else if (dice < 98) {
			weir_call_table_refill(c);
			m->nlocal += m->nreturned;
			m->nreturned = 0;
		} else if (dice < 99 && prandom_u32_state(&rnd) % 16 == 0) {
			wrong += model_grow(m, c);
		} else if (m->nmade) {
			wrong += model_find(m, c, prandom_u32_state(&rnd) %
					    m->nmade);
		}
		wrong += c->size != m->size || c->nlocal != m->nlocal ||
			 c->nreturned != m->nreturned;
		if (i % 32 == 0)
			wrong += model_lists(m, c);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, i, STEPS);
	/* all of them, at the end */
	for (i = 0; i < m->nmade; i++) {
		wrong += model_find(m, c, i);
		reused += m->made[i].name >> WEIR_CALL_GEN_SHIFT > 1;
	}
	while (m->nlive && !wrong)
		wrong += model_put(m, c, m->nlive - 1);
	wrong += model_prune(m, c);
	weir_call_table_refill(c);
	kunit_info(test, "%u calls, %u of them in slots used before; full %u times\n",
		   m->nmade, reused, full);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, c->nlocal, SLOTS);
	KUNIT_EXPECT_GT(test, reused, 1000);
	KUNIT_EXPECT_GT(test, full, 100);
	kvfree(m);
}

/* --- two sides ----------------------------------------------------------- */

#define MEETINGS	30000
#define WAY		64	/* numbers under way from one to the other */

/**
 * struct meeting - a producer and a completer on one table
 * @c: the table.
 * @lock: the completers' lock: only a refill takes it on both sides.
 * @attempt: numbers of calls that may be ended, in a ring.
 * @made: calls made so far; the producer's.
 * @ended: calls ended so far; the completer's.
 */
struct meeting {
	struct weir_call_table	*c;
	struct mutex		lock;
	u64			attempt[WAY];
	u32			made;
	u32			ended;
};

/* Ends calls, some of them out of their order. Returns what went wrong. */
static int meeting_end(void *data)
{
	struct meeting *m = data;
	u64 kept[2] = { 0 };
	u32 n = 0, stale = 0;
	int wrong = 0;

	while (n < MEETINGS && !kthread_should_stop()) {
		struct weir_call_entry *call;
		u64 number;

		if (n == smp_load_acquire(&m->made)) {
			cond_resched();
			continue;
		}
		number = m->attempt[n % WAY];
		/* every other one ends after the one behind it */
		swap(number, kept[n % 3 == 0]);
		if (number) {
			mutex_lock(&m->lock);
			call = weir_call_table_find(m->c, number);
			wrong += !call ||
				 weir_call_state(call) != WEIR_CALL_SENT ||
				 call->tag_key != number;
			if (call)
				weir_call_table_put(m->c, call);
			/* a reply that comes twice */
			stale += !!weir_call_table_find(m->c, number);
			mutex_unlock(&m->lock);
		}
		smp_store_release(&m->ended, ++n);
		cond_resched();
	}
	for (n = 0; n < 2; n++) {
		mutex_lock(&m->lock);
		if (kept[n])
			weir_call_table_put(m->c,
				weir_call_table_find(m->c, kept[n]));
		mutex_unlock(&m->lock);
	}
	while (!kthread_should_stop())
		msleep(1);
	return wrong + stale;
}

/* Make one call; 0 when there is no slot now. */
static u64 meeting_make(struct meeting *m, u32 n)
{
	struct weir_call_entry *call;
	u64 number;

	weir_call_table_prune(m->c);
	call = weir_call_table_take(m->c, n % 5 < 2);
	if (!call) {
		mutex_lock(&m->lock);
		weir_call_table_refill(m->c);
		if (!m->c->local && m->c->size < SLOTS)
			grow(m->c);
		mutex_unlock(&m->lock);
		return 0;
	}
	number = call->name;
	call->tag_key = number;
	smp_store_release(&call->state, WEIR_CALL_SENT);
	return number;
}

static void calls__two_sides_meet(struct kunit *test)
{
	unsigned long deadline = jiffies + 60 * HZ;
	struct weir_call_table *c = table(test, SLOTS);
	struct task_struct *completer;
	struct meeting *m;
	u32 n = 0;

	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	m->c = c;
	mutex_init(&m->lock);
	completer = kthread_run(meeting_end, m, "weir_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(completer));
	while (n < MEETINGS && time_before(jiffies, deadline)) {
		u64 number = 0;

		if (n - smp_load_acquire(&m->ended) < WAY)
			number = meeting_make(m, n);
		if (number) {
			m->attempt[n % WAY] = number;
			smp_store_release(&m->made, ++n);
		}
		cond_resched();
	}
	while (smp_load_acquire(&m->ended) < n && time_before(jiffies, deadline))
		msleep(1);
	KUNIT_EXPECT_EQ(test, kthread_stop(completer), 0);
	KUNIT_EXPECT_EQ(test, m->ended, MEETINGS);
	weir_call_table_prune(c);
	weir_call_table_refill(c);
	KUNIT_EXPECT_NULL(test, weir_call_table_oldest(c));
	KUNIT_EXPECT_EQ(test, c->nlocal, c->size);
}

/* A call remembers the targets that have failed it, and then the last ones. */
static void calls_failed_at__is_remembered(struct kunit *test)
{
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	const u64 far = 1ULL << 40;
	struct weir_call_entry *call;
	u32 n, i, wrong = 0;

	KUNIT_ASSERT_TRUE(test, grow(c));
	call = begin(c, true);
	KUNIT_ASSERT_NOT_NULL(test, call);
	/* what the slot's last user has left is not this call's */
	memset(call->tried, 0, sizeof(call->tried));
	for (n = 1; n <= WEIR_CALL_TRIED + 3; n++) {
		u32 first = n > WEIR_CALL_TRIED ? n - WEIR_CALL_TRIED + 1 : 1;

		call->tries = n;
		weir_call_failed_at(call, far + n);
		for (i = 0; i <= WEIR_CALL_TRIED + 4; i++)
			wrong += weir_call_has_tried(call, far + i) !=
				 (i >= first && i <= n);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* A call that waits is in the queue, and has no target that failed it. */
static void calls_failed_nowhere__counts(struct kunit *test)
{
	struct weir_call_table *c = table(test, WEIR_CALLS_CHUNK);
	struct weir_call_entry *call;
	u32 id, wrong = 0;

	KUNIT_ASSERT_TRUE(test, grow(c));
	call = begin(c, true);
	KUNIT_ASSERT_NOT_NULL(test, call);
	memset(call->tried, 1, sizeof(call->tried));
	call->tries = WEIR_CALL_UNSENT;
	for (id = 0; id < 1000; id++)
		wrong += weir_call_has_tried(call, id);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	weir_call_failed_nowhere(call);
	weir_call_failed_nowhere(call);
	KUNIT_EXPECT_EQ(test, weir_call_attempts(call), 2);
	KUNIT_EXPECT_TRUE(test, call->tries & WEIR_CALL_UNSENT);
	weir_call_count_sent(call);
	weir_call_failed_at(call, 7);
	KUNIT_EXPECT_EQ(test, call->tries, 3);
	for (id = 1; id < 1000; id++)
		wrong += weir_call_has_tried(call, id) != (id == 7);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* one that may be sent once has more attempts than any route allows */
	call->tries = WEIR_CALL_UNSENT | WEIR_CALL_ONCE;
	KUNIT_EXPECT_EQ(test, weir_call_attempts(call), 0);
	weir_call_count_sent(call);
	KUNIT_EXPECT_EQ(test, weir_call_attempts(call), 1);
	KUNIT_EXPECT_GT(test, (u32)call->tries, 64);
}

static struct kunit_case calls_cases[] = {
	KUNIT_CASE(calls_init__is_empty),
	KUNIT_CASE(calls_grow__ends_at_most),
	KUNIT_CASE(calls_retry__is_in_order),
	KUNIT_CASE(calls_retry__goes_on),
	KUNIT_CASE(calls_take__gives_each_slot_once),
	KUNIT_CASE(calls_refill__joins_both_lists),
	KUNIT_CASE(calls_prune__keeps_what_is_behind_the_oldest),
	KUNIT_CASE(calls_prune__is_bounded),
	KUNIT_CASE(calls_take_many__free),
	KUNIT_CASE(calls_take_many__held),
	KUNIT_CASE(calls_put__generation_wraps),
	KUNIT_CASE(calls_failed_at__is_remembered),
	KUNIT_CASE(calls_failed_nowhere__counts),
	KUNIT_CASE(calls__agree_with_a_model),
	KUNIT_CASE(calls__two_sides_meet),
	{}
};

static struct kunit_suite calls_suite = {
	.name		= "weir_call_table",
	.exit		= calls_test_exit,
	.test_cases	= calls_cases,
};

kunit_test_suites(&calls_suite);
