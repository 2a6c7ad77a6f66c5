// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/dup.c: against a plain list of all that is known,
 * searched from end to end and cleared of what has expired before anything
 * else; and with threads that begin the same requests at once.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "logic/dup.h"

#define WINDOW	1000
#define HEADER	sizeof(struct weir_dup_reply)

/* A reply of @len bytes, all of them @byte; none without memory. */
static struct weir_dup_reply *answer(struct kunit *test, u8 byte, u32 len)
{
	struct weir_dup_reply *reply = weir_dup_reply_create(byte, len,
							     GFP_KERNEL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(reply));
	memset(reply->bytes, byte, len);
	return reply;
}

static struct weir_dups *table(struct kunit *test, u32 entries, u32 bytes)
{
	struct weir_dups *d = weir_dups_create(WINDOW, entries, bytes, 42);

	KUNIT_ASSERT_FALSE(test, IS_ERR(d));
	return d;
}

/* Ends a request that somebody has begun; nobody waits for it. */
static void end(struct kunit *test, struct weir_dups *d, u64 id, u64 now,
		u32 len)
{
	struct weir_dup_reply *reply = answer(test, id, len);
	LIST_HEAD(followers);

	weir_dup_done(d, 1, id, now, reply, &followers);
	KUNIT_EXPECT_TRUE(test, list_empty(&followers));
	weir_dup_reply_put(reply);
}

/*
 * Begins one; all have the same content. Seven parameters: a key has three
 * parts.
 */
static enum weir_dup_state begin_key(struct weir_dups *d, u32 uid, u64 scope,
				     u64 id, u64 now,
				     struct weir_dup_follower *follower,
				     struct weir_dup_reply **reply)
{
	const struct weir_dup_key key = {
		.uid = uid, .scope = scope, .id = id, .digest = 1,
	};

	return weir_dup_begin(d, &key, now, follower, reply);
}

/* Begins one and puts what it gets. */
static int begin(struct weir_dups *d, u64 scope, u64 id, u64 now)
{
	struct weir_dup_reply *reply = NULL;
	int state = begin_key(d, 0, scope, id, now, NULL, &reply);

	weir_dup_reply_put(reply);
	return state;
}

static u32 known(struct weir_dups *d)
{
	u32 entries, bytes;

	weir_dups_usage(d, &entries, &bytes);
	return entries;
}

static u32 length(const struct list_head *list)
{
	const struct list_head *at;
	u32 n = 0;

	list_for_each(at, list)
		n++;
	return n;
}

static void dups_create__refuses_nonsense(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(weir_dups_create(0, 1, 1, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(weir_dups_create(1ULL << 63, 1, 1, 0)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(weir_dups_create(1, 0, 1, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(weir_dups_create(1, WEIR_DUPS_MAX + 1, 1,
						       0)), -EINVAL);
}

static void dup_begin__gives_the_first_reply(struct kunit *test)
{
	struct weir_dups *d = table(test, 8, 1000);
	struct weir_dup_reply *first = answer(test, 7, 20), *got = NULL;
	struct weir_dup_follower a, b;
	LIST_HEAD(followers);
	u32 entries, bytes;

	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 0), WEIR_DUP_NEW);
	/* the same identity of somebody else is another request */
	KUNIT_EXPECT_EQ(test, begin(d, 2, 7, 0), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, begin(d, 7, 1, 0), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 0), WEIR_DUP_BUSY);
	KUNIT_EXPECT_EQ(test, begin_key(d, 0, 1, 7, 0, &a, &got),
			WEIR_DUP_BUSY);
	KUNIT_EXPECT_EQ(test, begin_key(d, 0, 1, 7, 0, &b, &got),
			WEIR_DUP_BUSY);
	KUNIT_EXPECT_NULL(test, got);
	weir_dup_done(d, 1, 7, 50, first, &followers);
	KUNIT_EXPECT_PTR_EQ(test, followers.next, &a.link);
	KUNIT_EXPECT_PTR_EQ(test, followers.next->next, &b.link);
	KUNIT_EXPECT_PTR_EQ(test, b.link.next, &followers);
	KUNIT_EXPECT_EQ(test, begin_key(d, 0, 1, 7, 60, &a, &got),
			WEIR_DUP_DONE);
	KUNIT_EXPECT_PTR_EQ(test, got, first);
	weir_dup_reply_put(got);
	weir_dups_usage(d, &entries, &bytes);
	KUNIT_EXPECT_EQ(test, entries, 3);
	KUNIT_EXPECT_EQ(test, bytes, HEADER + 20);
	KUNIT_EXPECT_EQ(test, begin(d, 2, 7, 60), WEIR_DUP_BUSY);
	/* the window is over; a time that is a little older than the reply */
	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 45), WEIR_DUP_DONE);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 50 + WINDOW - 1), WEIR_DUP_DONE);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 50 + WINDOW), WEIR_DUP_NEW);
	weir_dups_destroy(d);
	KUNIT_EXPECT_EQ(test, refcount_read(&first->refs), 1);
	weir_dup_reply_put(first);
}

/* Another content is another request, in flight and afterwards. */
static void dup_begin__tells_contents_apart(struct kunit *test)
{
	struct weir_dups *d = table(test, 8, 1000);
	struct weir_dup_key other = { .scope = 1, .id = 7, .digest = 2 };
	struct weir_dup_reply *got = NULL;
	struct weir_dup_follower follower;

	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 0), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, weir_dup_begin(d, &other, 0, &follower, &got),
			WEIR_DUP_OTHER);
	end(test, d, 7, 10, 20);
	KUNIT_EXPECT_EQ(test, weir_dup_begin(d, &other, 10, &follower, &got),
			WEIR_DUP_OTHER);
	KUNIT_EXPECT_NULL(test, got);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 10), WEIR_DUP_DONE);
	KUNIT_EXPECT_EQ(test, weir_dup_begin(d, &other, 10 + WINDOW, &follower,
					     &got), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 10 + WINDOW), WEIR_DUP_OTHER);
	weir_dups_destroy(d);
}

/* In a table of one bucket, so that nothing but the key tells them apart. */
static void dup_begin__keeps_users_apart(struct kunit *test)
{
	static const struct {
		u64 scope, id;
	} others[] = {
		{ 2, 7 }, { 7, 1 }, { 1, 8 }, { 1 | 1ULL << 32, 7 },
		{ 1, 7 | 1ULL << 63 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		struct weir_dups *d = table(test, 1, 1000);
		u64 scope = others[i].scope, id = others[i].id;

		KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 0), WEIR_DUP_NEW);
		KUNIT_EXPECT_EQ(test, begin(d, scope, id, 0), WEIR_DUP_FULL);
		end(test, d, 7, 0, 5);
		KUNIT_EXPECT_EQ(test, begin(d, 1, 7, 0), WEIR_DUP_DONE);
		KUNIT_EXPECT_EQ(test, begin(d, scope, id, 0), WEIR_DUP_NEW);
		weir_dups_destroy(d);
	}
}

static void dup_begin__makes_room_of_the_oldest(struct kunit *test)
{
	struct weir_dups *d = table(test, 4, 1000);
	u64 id;

	for (id = 1; id <= 4; id++)
		KUNIT_EXPECT_EQ(test, begin(d, 1, id, 0), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 5, 0), WEIR_DUP_FULL);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 4, 0), WEIR_DUP_BUSY);
	end(test, d, 3, 10, 5);
	end(test, d, 1, 20, 5);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 5, 30), WEIR_DUP_NEW);
	/* 3 was answered first, so it had to go */
	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 30), WEIR_DUP_DONE);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 3, 30), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 30), WEIR_DUP_FULL);
	weir_dups_destroy(d);
}

static void dup_begin__lets_only_so_many_wait(struct kunit *test)
{
	struct weir_dups *d = table(test, 4, 1000);
	struct weir_dup_reply *none;
	struct weir_dup_follower *w;
	LIST_HEAD(followers);
	u32 i;

	w = kunit_kcalloc(test, WEIR_DUP_FOLLOWERS_MAX + 1, sizeof(*w),
			  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 0), WEIR_DUP_NEW);
	for (i = 0; i < WEIR_DUP_FOLLOWERS_MAX; i++)
		KUNIT_EXPECT_EQ(test, begin_key(d, 0, 1, 1, 0, &w[i], &none),
				WEIR_DUP_BUSY);
	KUNIT_EXPECT_EQ(test, begin_key(d, 0, 1, 1, 0, &w[i], &none),
			WEIR_DUP_FULL);
	KUNIT_EXPECT_TRUE(test, weir_dup_unfollow(d, 1, 1, &w[3]));
	KUNIT_EXPECT_FALSE(test, weir_dup_unfollow(d, 1, 1, &w[3]));
	KUNIT_EXPECT_FALSE(test, weir_dup_unfollow(d, 1, 2, &w[4]));
	KUNIT_EXPECT_EQ(test, begin_key(d, 0, 1, 1, 0, &w[i], &none),
			WEIR_DUP_BUSY);
	weir_dup_fail(d, 1, 1, &followers);
	KUNIT_EXPECT_FALSE(test, weir_dup_unfollow(d, 1, 1, &w[4]));
	KUNIT_EXPECT_EQ(test, length(&followers), WEIR_DUP_FOLLOWERS_MAX);
	KUNIT_EXPECT_EQ(test, known(d), 0);
	/* it is in a list yet, but not in that of the new one */
	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 0), WEIR_DUP_NEW);
	KUNIT_EXPECT_FALSE(test, weir_dup_unfollow(d, 1, 1, &w[4]));
	KUNIT_EXPECT_EQ(test, length(&followers), WEIR_DUP_FOLLOWERS_MAX);
	weir_dups_destroy(d);
}

/* However many have expired, a request forgets a few; but it sees none. */
static void dup_begin__expires_a_few_at_a_time(struct kunit *test)
{
	struct weir_dups *d = table(test, 1000, 100000);
	u32 before, most = 0;
	u64 id, now = 0;

	for (id = 0; id < 500; id++) {
		KUNIT_EXPECT_EQ(test, begin(d, 1, id, 0), WEIR_DUP_NEW);
		end(test, d, id, 0, 10);
	}
	now += WINDOW;
	KUNIT_EXPECT_EQ(test, begin(d, 1, 499, now), WEIR_DUP_NEW);
	for (id = 1000; known(d) > id - 1000 + 2; id++) {
		before = known(d);
		KUNIT_EXPECT_EQ(test, begin(d, 1, id, now), WEIR_DUP_NEW);
		most = max(most, before + 1 - known(d));
	}
	KUNIT_EXPECT_GT(test, id, 1000 + 50);
	KUNIT_EXPECT_LT(test, id, 1000 + 500);
	KUNIT_EXPECT_LE(test, most, 8);
	weir_dups_destroy(d);
}

static void dup_done__keeps_what_fits(struct kunit *test)
{
	struct weir_dups *d = table(test, 200, 100 * (HEADER + 10));
	u32 entries, bytes;
	u64 id;

	for (id = 0; id < 150; id++) {
		KUNIT_EXPECT_EQ(test, begin(d, 1, id, 0), WEIR_DUP_NEW);
		end(test, d, id, 0, 10);
	}
	weir_dups_usage(d, &entries, &bytes);
	KUNIT_EXPECT_EQ(test, entries, 100);
	KUNIT_EXPECT_EQ(test, bytes, 100 * (HEADER + 10));
	KUNIT_EXPECT_EQ(test, begin(d, 1, 50, 0), WEIR_DUP_DONE);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 49, 0), WEIR_DUP_NEW);
	/* one that is too large pushes out none, and is not done twice */
	end(test, d, 49, 0, 100 * (HEADER + 10) - HEADER + 1);
	KUNIT_EXPECT_EQ(test, known(d), 101);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 49, 0), WEIR_DUP_FULL);
	/* the largest there can be takes the place of all replies */
	KUNIT_EXPECT_EQ(test, begin(d, 1, 48, 0), WEIR_DUP_NEW);
	end(test, d, 48, 0, 100 * (HEADER + 10) - HEADER);
	KUNIT_EXPECT_EQ(test, known(d), 2);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 48, 0), WEIR_DUP_DONE);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 49, 0), WEIR_DUP_FULL);
	weir_dups_destroy(d);
}

/* A reply for which there is no memory: its request is not done twice. */
static void dup_done__remembers_without_a_reply(struct kunit *test)
{
	struct weir_dups *d = table(test, 8, 100000);
	struct weir_dup_follower follower;
	struct weir_dup_reply *reply = NULL;
	LIST_HEAD(followers);

	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 0), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, begin_key(d, 0, 1, 1, 0, &follower, &reply),
			WEIR_DUP_BUSY);
	weir_dup_done(d, 1, 1, 10, NULL, &followers);
	KUNIT_EXPECT_EQ(test, length(&followers), 1);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 10 + WINDOW - 1), WEIR_DUP_FULL);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 10 + WINDOW), WEIR_DUP_NEW);
	end(test, d, 1, 10 + WINDOW, 5);
	KUNIT_EXPECT_EQ(test, begin(d, 1, 1, 10 + WINDOW), WEIR_DUP_DONE);
	weir_dups_destroy(d);
}

/* Begins one in a user's share; its scope is the user, too. */
static int begin_of(struct weir_dups *d, u32 uid, u64 id, u64 now)
{
	struct weir_dup_reply *reply = NULL;
	int state = begin_key(d, uid, uid, id, now, NULL, &reply);

	weir_dup_reply_put(reply);
	return state;
}

static void end_of(struct kunit *test, struct weir_dups *d, u32 uid, u64 id,
		   u64 now, u32 len)
{
	struct weir_dup_reply *reply = answer(test, id, len);
	LIST_HEAD(followers);

	weir_dup_done(d, uid, id, now, reply, &followers);
	weir_dup_reply_put(reply);
}

/* As many keys as another user likes push out none that is not its own. */
static void dup_begin__gives_each_user_a_share(struct kunit *test)
{
	struct weir_dups *d = table(test, 8, 100000);
	u32 uid, n, wrong = 0;
	u64 id;

	/* a user alone has what the table was made for */
	for (id = 0; id < 8; id++) {
		wrong += begin_of(d, 1, id, 0) != WEIR_DUP_NEW;
		end_of(test, d, 1, id, 0, 5);
	}
	KUNIT_EXPECT_EQ(test, known(d), 8);
	for (id = 0; id < 1000; id++) {
		wrong += begin_of(d, 2, id, 10) != WEIR_DUP_NEW;
		end_of(test, d, 2, id, 10, 5);
	}
	KUNIT_EXPECT_EQ(test, known(d), 8 + 4);
	for (id = 0; id < 8; id++)
		wrong += begin_of(d, 1, id, 20) != WEIR_DUP_DONE;
	/* its own last ones are still there, and no others */
	KUNIT_EXPECT_EQ(test, begin_of(d, 2, 996, 20), WEIR_DUP_DONE);
	KUNIT_EXPECT_EQ(test, begin_of(d, 2, 995, 20), WEIR_DUP_NEW);
	end_of(test, d, 2, 995, 20, 5);
	/* at its share, each new key costs the user one, and only one */
	KUNIT_EXPECT_EQ(test, begin_of(d, 1, 8, 30), WEIR_DUP_NEW);
	end_of(test, d, 1, 8, 30, 5);
	KUNIT_EXPECT_EQ(test, known(d), 8 + 4);
	KUNIT_EXPECT_EQ(test, begin_of(d, 1, 1, 30), WEIR_DUP_DONE);
	/* others still get something, until all is taken: 2, 1, 1 */
	for (uid = 3; uid < 6; uid++) {
		for (n = 0; begin_of(d, uid, n, 30) == WEIR_DUP_NEW; n++)
			wrong += n > 2;
		KUNIT_EXPECT_EQ(test, n, uid == 3 ? 2 : 1);
	}
	/* refused, not at another's expense */
	KUNIT_EXPECT_EQ(test, known(d), 16);
	KUNIT_EXPECT_EQ(test, begin_of(d, 6, 0, 30), WEIR_DUP_FULL);
	KUNIT_EXPECT_EQ(test, begin_of(d, 1, 1, 30), WEIR_DUP_DONE);
	/* when the windows are over there is room for others */
	KUNIT_EXPECT_EQ(test, begin_of(d, 6, 0, 20 + WINDOW), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	weir_dups_destroy(d);
}

/* A reply that others leave no room for is not done twice for all that. */
static void dup_done__gives_each_user_a_share(struct kunit *test)
{
	const u32 most = 16 * (HEADER + 100);
	struct weir_dups *d = table(test, 1000, most);
	u32 entries, bytes, wrong = 0;
	u64 id;

	for (id = 0; id < 100; id++) {
		wrong += begin_of(d, 1, id, 0) != WEIR_DUP_NEW;
		end_of(test, d, 1, id, 0, 100);
	}
	weir_dups_usage(d, &entries, &bytes);
	KUNIT_EXPECT_EQ(test, bytes, most);
	for (id = 0; id < 100; id++) {
		wrong += begin_of(d, 2, id, 0) != WEIR_DUP_NEW;
		end_of(test, d, 2, id, 0, 100);
	}
	weir_dups_usage(d, &entries, &bytes);
	KUNIT_EXPECT_EQ(test, bytes, most + most / 2);
	for (id = 84; id < 100; id++)
		wrong += begin_of(d, 1, id, 1) != WEIR_DUP_DONE;
	/* a third has a quarter: this is more, and pushes out none */
	KUNIT_EXPECT_EQ(test, begin_of(d, 3, 0, 1), WEIR_DUP_NEW);
	end_of(test, d, 3, 0, 1, most / 2);
	KUNIT_EXPECT_EQ(test, begin_of(d, 3, 0, 1), WEIR_DUP_FULL);
	for (id = 84; id < 100; id++)
		wrong += begin_of(d, 1, id, 1) != WEIR_DUP_DONE;
	KUNIT_EXPECT_EQ(test, begin_of(d, 3, 0, 1 + WINDOW), WEIR_DUP_NEW);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	weir_dups_destroy(d);
}

/* --- against a list ------------------------------------------------------ */

#define ENTRIES	12
#define BYTES	(8 * (HEADER + 40))
#define KEYS	40
#define FOLLOWERS	100

struct item {
	struct list_head	link;	/* the answered in order, then others */
	u64			scope;
	u64			id;
	bool			done;
	struct weir_dup_reply	*reply;	/* NULL: it was too large */
	u64			done_ns;
};

struct request {
	struct weir_dup_follower	follower;
	struct item		*of;	/* what it waits for, or NULL */
	u64			since;
};

struct model {
	struct list_head	items;
	u32			n;
	size_t			bytes;
	u64			turn;
	struct request		request[FOLLOWERS];
};

static void item_drop(struct model *m, struct item *item)
{
	list_del(&item->link);
	m->n--;
	if (item->reply)
		m->bytes -= HEADER + item->reply->len;
	weir_dup_reply_put(item->reply);
	kfree(item);
}

/* The one that was answered first, or NULL. */
static struct item *model_oldest(struct model *m)
{
	struct item *item;

	list_for_each_entry(item, &m->items, link)
		if (item->done)
			return item;
	return NULL;
}

static void model_expire(struct model *m, u64 now)
{
	struct item *item, *next;

	list_for_each_entry_safe(item, next, &m->items, link)
		if (item->done && now >= item->done_ns + WINDOW)
			item_drop(m, item);
}

static struct item *model_find(struct model *m, u64 scope, u64 id)
{
	struct item *item;

	list_for_each_entry(item, &m->items, link)
		if (item->scope == scope && item->id == id)
			return item;
	return NULL;
}

static struct item *model_random_busy(struct model *m, struct rnd_state *rnd)
{
	struct item *item, *found = NULL;
	u32 n = 0;

	list_for_each_entry(item, &m->items, link)
		if (!item->done && prandom_u32_state(rnd) % ++n == 0)
			found = item;
	return found;
}

/* The first of the callers that wait for @item. */
static struct request *model_first(struct model *m, const struct item *item)
{
	struct request *first = NULL;
	u32 i;

	for (i = 0; i < FOLLOWERS; i++) {
		struct request *r = &m->request[i];

		if (r->of == item && (!first || r->since < first->since))
			first = r;
	}
	return first;
}

/* Counts what is wrong: @followers are those of @item, and in order. */
static u32 model_came_back(struct model *m, struct item *item,
			   struct list_head *followers)
{
	struct weir_dup_follower *w, *next;
	u32 wrong = 0;

	list_for_each_entry_safe(w, next, followers, link) {
		struct request *r = model_first(m, item);

		wrong += !r || w != &r->follower;
		list_del(&w->link);
		if (r)
			r->of = NULL;
	}
	return wrong + !!model_first(m, item);
}

static u32 try_begin(struct weir_dups *d, struct model *m,
		     struct rnd_state *rnd, u64 now)
{
	u64 key = prandom_u32_state(rnd) % KEYS;
	/* halves of keys that look alike */
	u64 scope = (key % 2) << 40, id = (key / 2) << (key % 3 * 16);
	struct request *r = &m->request[prandom_u32_state(rnd) % FOLLOWERS];
	struct weir_dup_reply *reply = NULL;
	struct item *item = model_find(m, scope, id);
	int state;

	if (r->of)
		r = NULL;
	state = begin_key(d, 0, scope, id, now, r ? &r->follower : NULL,
			  &reply);
	if (item && item->done && !item->reply)
		return state != WEIR_DUP_FULL;
	if (item && item->done) {
		u32 wrong = state != WEIR_DUP_DONE || reply != item->reply;

		weir_dup_reply_put(reply);
		return wrong;
	}
	if (item) {
		if (r) {
			r->of = item;
			r->since = m->turn++;
		}
		return state != WEIR_DUP_BUSY;
	}
	if (m->n == ENTRIES) {
		if (!model_oldest(m))
			return state != WEIR_DUP_FULL;
		item_drop(m, model_oldest(m));
	}
	item = kzalloc(sizeof(*item), GFP_KERNEL | __GFP_NOFAIL);
	item->scope = scope;
	item->id = id;
	list_add_tail(&item->link, &m->items);
	m->n++;
	return state != WEIR_DUP_NEW;
}

static u32 try_done(struct kunit *test, struct weir_dups *d, struct model *m,
		    struct rnd_state *rnd, u64 now)
{
	struct item *item = model_random_busy(m, rnd);
	u32 len = prandom_u32_state(rnd) % 80, wrong;
	struct weir_dup_reply *reply;
	LIST_HEAD(followers);

	if (!item)
		return 0;
	if (prandom_u32_state(rnd) % 10 == 0)
		len = prandom_u32_state(rnd) % (2 * BYTES);
	reply = answer(test, item->id, len);
	weir_dup_done(d, item->scope, item->id, now, reply, &followers);
	wrong = model_came_back(m, item, &followers);
	item->done_ns = now;
	if (HEADER + len > BYTES) {
		weir_dup_reply_put(reply);
		item->done = true;
		list_move_tail(&item->link, &m->items);
		return wrong;
	}
	while (m->bytes + HEADER + len > BYTES)
		item_drop(m, model_oldest(m));
	/* this reference of the model's own */
	item->reply = reply;
	item->done = true;
	m->bytes += HEADER + len;
	list_move_tail(&item->link, &m->items);
	return wrong;
}

static u32 try_fail(struct weir_dups *d, struct model *m,
		    struct rnd_state *rnd)
{
	struct item *item = model_random_busy(m, rnd);
	LIST_HEAD(followers);
	u32 wrong;

	if (!item)
		return 0;
	weir_dup_fail(d, item->scope, item->id, &followers);
	wrong = model_came_back(m, item, &followers);
	item_drop(m, item);
	return wrong;
}

static u32 try_unwait(struct weir_dups *d, struct model *m,
		      struct rnd_state *rnd)
{
	struct request *r = &m->request[prandom_u32_state(rnd) % FOLLOWERS];
	struct item *item = r->of;

	if (!item)
		return weir_dup_unfollow(d, 0, 0, &r->follower);
	r->of = NULL;
	return !weir_dup_unfollow(d, item->scope, item->id, &r->follower);
}

static void dup_begin__agrees_with_a_list(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct weir_dups *d = table(test, ENTRIES, BYTES);
	u32 turn, i, entries, bytes, wrong = 0, dropped = 0;
	u64 now = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, m);
	INIT_LIST_HEAD(&m->items);
	prandom_seed_state(&rnd, 409);
	for (turn = 0; turn < 40000 && !wrong; turn++) {
		u32 what = prandom_u32_state(&rnd) % 20;

		now += prandom_u32_state(&rnd) % 40;
		if (prandom_u32_state(&rnd) % 500 == 0)
			now += 2 * WINDOW;
		model_expire(m, now);
		if (what < 11)
			wrong += try_begin(d, m, &rnd, now);
		else if (what < 17)
			wrong += try_done(test, d, m, &rnd, now);
		else if (what < 18)
			wrong += try_fail(d, m, &rnd);
		else
			wrong += try_unwait(d, m, &rnd);
		/* the table may know more, of what has expired */
		weir_dups_usage(d, &entries, &bytes);
		wrong += entries > ENTRIES || entries < m->n;
		wrong += bytes > BYTES || bytes < m->bytes;
		dropped += m->n == ENTRIES;
	}
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "in turn %u", turn);
	KUNIT_EXPECT_GT(test, dropped, 1000);
	for (i = 0; i < FOLLOWERS; i++)
		if (m->request[i].of)
			weir_dup_unfollow(d, m->request[i].of->scope,
					m->request[i].of->id,
					&m->request[i].follower);
	weir_dups_destroy(d);
	/* what the model has a reference on nobody else has any more */
	while (!list_empty(&m->items)) {
		struct item *item = list_first_entry(&m->items, struct item,
						     link);

		if (item->reply)
			KUNIT_EXPECT_EQ(test,
					refcount_read(&item->reply->refs), 1);
		item_drop(m, item);
	}
}

/* --- with others at once ------------------------------------------------- */

#define THREADS	4
#define TURNS	4000
#define SHARED	5

struct crowd {
	struct weir_dups	*d;
	atomic64_t		now;
	atomic_t		sending[SHARED];
	atomic_t		wrong;
	struct completion	go;
};

struct member {
	struct weir_dup_follower	follower;
	struct completion	back;
	struct crowd		*crowd;
	struct completion	done;
	u32			number;
	u32			states[WEIR_DUP_DONE + 1];
};

/* Sends the one request of this key that there may be, and ends it. */
static void member_send(struct member *m, u32 id, u32 dice)
{
	struct crowd *c = m->crowd;
	struct weir_dup_reply *reply;
	struct weir_dup_follower *w, *next;
	LIST_HEAD(followers);

	if (atomic_inc_return(&c->sending[id]) != 1)
		atomic_inc(&c->wrong);
	schedule();
	reply = weir_dup_reply_create(id, 100, GFP_KERNEL);
	atomic_dec(&c->sending[id]);
	if (dice % 5 == 0 || IS_ERR(reply)) {
		weir_dup_fail(c->d, 9, id, &followers);
	} else {
		reply->bytes[99] = id;
		weir_dup_done(c->d, 9, id, atomic64_inc_return(&c->now), reply,
			      &followers);
	}
	if (!IS_ERR(reply))
		weir_dup_reply_put(reply);
	list_for_each_entry_safe(w, next, &followers, link)
		complete(&container_of(w, struct member, follower)->back);
}

static int member_run(void *data)
{
	struct member *m = data;
	struct crowd *c = m->crowd;
	struct rnd_state rnd;
	u32 turn;

	prandom_seed_state(&rnd, 500 + m->number);
	wait_for_completion(&c->go);
	for (turn = 0; turn < TURNS; turn++) {
		u32 id = prandom_u32_state(&rnd) % SHARED;
		u32 dice = prandom_u32_state(&rnd);
		struct weir_dup_reply *reply = NULL;
		int state = begin_key(c->d, 0, 9, id,
				      atomic64_inc_return(&c->now),
				      &m->follower, &reply);

		if (state > WEIR_DUP_DONE) {
			atomic_inc(&c->wrong);
			continue;
		}
		m->states[state]++;
		if (state == WEIR_DUP_NEW) {
			member_send(m, id, dice);
		} else if (state == WEIR_DUP_DONE) {
			if (reply->kind != id || reply->bytes[99] != id)
				atomic_inc(&c->wrong);
			weir_dup_reply_put(reply);
		} else if (dice % 2 || !weir_dup_unfollow(c->d, 9, id,
							&m->follower)) {
			wait_for_completion(&m->back);
		}
	}
	kthread_complete_and_exit(&m->done, 0);
}

/* One caller sends at a time, all that wait come back, all replies are right. */
static void dup_begin__holds_against_many(struct kunit *test)
{
	struct crowd *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct member *m = kunit_kcalloc(test, THREADS, sizeof(*m), GFP_KERNEL);
	struct task_struct *task[THREADS];
	u32 states[WEIR_DUP_DONE + 1] = { 0 }, i, s;

	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_ASSERT_NOT_NULL(test, m);
	c->d = weir_dups_create(8, SHARED, 300, 42);
	KUNIT_ASSERT_FALSE(test, IS_ERR(c->d));
	init_completion(&c->go);
	for (i = 0; i < THREADS; i++) {
		m[i].crowd = c;
		m[i].number = i;
		init_completion(&m[i].done);
		init_completion(&m[i].back);
		task[i] = kthread_run(member_run, &m[i], "weir_kunit");
		KUNIT_EXPECT_FALSE(test, IS_ERR(task[i]));
	}
	complete_all(&c->go);
	for (i = 0; i < THREADS; i++) {
		if (IS_ERR(task[i]))
			continue;
		wait_for_completion(&m[i].done);
		for (s = 0; s < ARRAY_SIZE(states); s++)
			states[s] += m[i].states[s];
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&c->wrong), 0);
	for (s = 0; s < ARRAY_SIZE(states); s++)
		KUNIT_EXPECT_GT_MSG(test, states[s], 100, "of state %u", s);
	weir_dups_destroy(c->d);
}

static struct kunit_case dup_cases[] = {
	KUNIT_CASE(dups_create__refuses_nonsense),
	KUNIT_CASE(dup_begin__gives_the_first_reply),
	KUNIT_CASE(dup_begin__tells_contents_apart),
	KUNIT_CASE(dup_begin__keeps_users_apart),
	KUNIT_CASE(dup_begin__makes_room_of_the_oldest),
	KUNIT_CASE(dup_begin__lets_only_so_many_wait),
	KUNIT_CASE(dup_begin__expires_a_few_at_a_time),
	KUNIT_CASE(dup_done__keeps_what_fits),
	KUNIT_CASE(dup_done__remembers_without_a_reply),
	KUNIT_CASE(dup_begin__gives_each_user_a_share),
	KUNIT_CASE(dup_done__gives_each_user_a_share),
	KUNIT_CASE(dup_begin__agrees_with_a_list),
	KUNIT_CASE(dup_begin__holds_against_many),
	{}
};

static struct kunit_suite dup_suite = {
	.name = "weir_dup",
	.test_cases = dup_cases,
};

kunit_test_suites(&dup_suite);
