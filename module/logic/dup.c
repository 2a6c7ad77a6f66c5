// SPDX-License-Identifier: GPL-2.0
/*
 * The table of dup.h: a hash by key, and lists of the answered in the order in
 * which they were: one of all, in which they expire, and one for each user, in
 * which its own are evicted.
 *
 * What leaves the table is put into a list and freed when the lock has been
 * released.
 */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "logic/account.h"
#include "logic/dup.h"

#define WEIR_DUP_USER_HEADS	64U
#define WEIR_DUP_BUCKETS_MAX	(1U << 16)
#define WEIR_DUP_BUCKETS(entries)					\
	((entries) < WEIR_DUP_BUCKETS_MAX ?				\
	 roundup_pow_of_two(max((entries), 1U)) : WEIR_DUP_BUCKETS_MAX)
#define WEIR_DUP_EXPIRE_STEPS	4	/* a call: more than it adds */
#define WEIR_DUP_EVICT_STEPS	16	/* while the lock is held */

/**
 * struct weir_dup_user - a user some of whose requests are in the table
 * @link: in weir_dups.users.
 * @uid: the user; never changes.
 * @entries: in the table, at least 1.
 * @bytes: that the replies take.
 * @answered: struct weir_dup that was answered, by @own, the oldest first.
 *
 * All guarded by weir_dups.lock. Goes with its last entry.
 */
struct weir_dup_user {
	struct hlist_node	link;
	u32			uid;
	u32			entries;
	u32			bytes;
	struct list_head	answered;
};

/**
 * struct weir_dup - a request that has been seen
 * @link: in weir_dups.bucket.
 * @age: in weir_dups.answered, or in the list of those to be freed.
 * @own: in weir_dup_user.answered.
 * @user: in whose share it is.
 * @waiters: struct weir_dup_waiter, in the order in which they came.
 * @n_waiters: how many; at most WEIR_DUP_WAITERS_MAX.
 * @done: it has been answered; else it is in flight.
 * @reply: a reference; NULL: it is in flight, or there was no room for it.
 * @scope: first half of its key; never changes.
 * @id: the other half; never changes.
 * @done_ns: when it was answered.
 *
 * All guarded by weir_dups.lock.
 */
struct weir_dup {
	struct hlist_node	link;
	struct list_head	age;
	struct list_head	own;
	struct weir_dup_user	*user;
	struct list_head	waiters;
	u32			n_waiters;
	bool			done;
	struct weir_dup_reply	*reply;
	u64			scope;
	u64			id;
	u64			done_ns;
};

/**
 * struct weir_dups - a table
 * @lock: guards what changes.
 * @window_ns: for so long a reply is kept; never changes.
 * @max_entries: most of one user; of all, twice as many; never changes.
 * @max_bytes: most that the replies of one user may take; never changes.
 * @seed: of the hash; never changes.
 * @mask: buckets less one; never changes.
 * @entries: in the table.
 * @bytes: that the replies take.
 * @answered: struct weir_dup that was answered, by @age, the oldest first.
 * @users: struct weir_dup_user by uid.
 * @bucket: struct weir_dup by key.
 */
struct weir_dups {
	spinlock_t		lock;
	u64			window_ns;
	u32			max_entries;
	u32			max_bytes;
	u32			seed;
	u32			mask;
	u32			entries;
	u32			bytes;
	struct list_head	answered;
	struct hlist_head	users[WEIR_DUP_USER_HEADS];
	struct hlist_head	bucket[];
};

/* --- replies ------------------------------------------------------------- */

/**
 * weir_dup_reply_create() - room for a reply
 * @kind: of the caller's.
 * @len: how long it is.
 * @gfp: how it is allocated; may sleep.
 *
 * The caller fills in the bytes before anybody else sees it.
 *
 * Return: it, with one reference, or ERR_PTR(-ENOMEM).
 */
struct weir_dup_reply *weir_dup_reply_create(u8 kind, u32 len, gfp_t gfp)
{
	struct weir_dup_reply *reply;

	reply = kvmalloc(struct_size(reply, bytes, len), gfp);
	if (!reply)
		return ERR_PTR(-ENOMEM);
	refcount_set(&reply->refs, 1);
	reply->kind = kind;
	reply->len = len;
	return reply;
}

/**
 * weir_dup_reply_put() - drop a reference
 * @reply: the reply, or NULL; the last put frees it.
 */
void weir_dup_reply_put(struct weir_dup_reply *reply)
{
	if (reply && refcount_dec_and_test(&reply->refs))
		kvfree_rcu(reply, rcu);
}

static struct weir_dup_reply *weir_dup_reply_get(struct weir_dup_reply *reply)
{
	refcount_inc(&reply->refs);
	return reply;
}

/* What it counts for; larger than any limit if it is out of all reason. */
static size_t weir_dup_reply_bytes(const struct weir_dup_reply *reply)
{
	return struct_size(reply, bytes, reply->len);
}

/* --- the table ----------------------------------------------------------- */

/**
 * weir_dups_create() - an empty table
 * @window_ns: for so long after it was answered a request is known; not 0, and
 *	less than 2^63.
 * @max_entries: requests of one user that are known at once, 1 to WEIR_DUPS_MAX.
 * @max_bytes: most that their replies may take, with 12 bytes for each; less
 *	than 2^31.
 * @seed: any number that whoever chooses identities does not know.
 *
 * May sleep.
 *
 * Return: it, or ERR_PTR(-EINVAL) or ERR_PTR(-ENOMEM).
 */
struct weir_dups *weir_dups_create(u64 window_ns, u32 max_entries,
				   u32 max_bytes, u32 seed)
{
	struct weir_dups *d;
	u32 buckets = WEIR_DUP_BUCKETS(max_entries);

	if ((s64)window_ns <= 0 || !max_entries ||
	    max_entries > WEIR_DUPS_MAX || max_bytes > S32_MAX)
		return ERR_PTR(-EINVAL);
	d = kvzalloc(struct_size(d, bucket, buckets), GFP_KERNEL_ACCOUNT);
	if (!d)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&d->lock);
	INIT_LIST_HEAD(&d->answered);
	d->window_ns = window_ns;
	d->max_entries = max_entries;
	d->max_bytes = max_bytes;
	d->seed = seed;
	d->mask = buckets - 1;
	return d;
}

/**
 * weir_dups_most() - memory that a table and all that is in it may take
 * @max_entries: as for weir_dups_create().
 * @max_bytes: as for weir_dups_create().
 */
u64 weir_dups_most(u32 max_entries, u32 max_bytes)
{
	/* a user for each entry at worst */
	return sizeof(struct weir_dups) +
	       sizeof(struct hlist_head) * WEIR_DUP_BUCKETS(max_entries) +
	       2ULL * max_entries * (sizeof(struct weir_dup) +
				     sizeof(struct weir_dup_user)) +
	       2ULL * max_bytes;
}

static void weir_dup_free(struct weir_dup *e)
{
	weir_dup_reply_put(e->reply);
	kfree(e);
}

/* One entry less in the share of its user, who goes with the last. */
static void weir_dup_leave(struct weir_dup *e)
{
	struct weir_dup_user *user = e->user;

	if (e->done)
		list_del(&e->own);
	if (e->reply)
		user->bytes -= weir_dup_reply_bytes(e->reply);
	if (--user->entries)
		return;
	hlist_del(&user->link);
	kfree(user);
}

static void weir_dups_free(struct list_head *dead)
{
	struct weir_dup *e, *next;

	list_for_each_entry_safe(e, next, dead, age)
		weir_dup_free(e);
	INIT_LIST_HEAD(dead);
}

/**
 * weir_dups_destroy() - free a table
 * @d: the table; nobody uses it any more, and nobody waits in it.
 *
 * May sleep.
 */
void weir_dups_destroy(struct weir_dups *d)
{
	struct hlist_node *next;
	struct weir_dup *e;
	u32 i;

	for (i = 0; i <= d->mask; i++) {
		hlist_for_each_entry_safe(e, next, &d->bucket[i], link) {
			WARN_ON_ONCE(e->n_waiters);
			weir_dup_leave(e);
			weir_dup_free(e);
		}
		cond_resched();
	}
	kvfree(d);
}

/**
 * weir_dups_usage() - how full a table is
 * @d: the table.
 * @entries: out: requests that it knows.
 * @bytes: out: what their replies take.
 */
void weir_dups_usage(struct weir_dups *d, u32 *entries, u32 *bytes)
{
	spin_lock(&d->lock);
	*entries = d->entries;
	*bytes = d->bytes;
	spin_unlock(&d->lock);
}

static struct hlist_head *weir_dup_bucket(struct weir_dups *d, u64 scope,
					  u64 id)
{
	const u32 key[] = { scope, scope >> 32, id, id >> 32 };

	return &d->bucket[jhash2(key, ARRAY_SIZE(key), d->seed) & d->mask];
}

static struct weir_dup *weir_dup_find(struct weir_dups *d, u64 scope, u64 id)
{
	struct weir_dup *e;

	lockdep_assert_held(&d->lock);
	hlist_for_each_entry(e, weir_dup_bucket(d, scope, id), link)
		if (e->id == id && e->scope == scope)
			return e;
	return NULL;
}

/* Forgets a request: those who waited have been taken out. */
static void weir_dup_forget(struct weir_dups *d, struct weir_dup *e,
			    struct list_head *dead)
{
	lockdep_assert_held(&d->lock);
	hlist_del(&e->link);
	d->entries--;
	if (e->reply)
		d->bytes -= weir_dup_reply_bytes(e->reply);
	if (e->done)
		list_del(&e->age);
	list_add_tail(&e->age, dead);
	weir_dup_leave(e);
}

static struct weir_dup *weir_dups_oldest(struct weir_dups *d)
{
	return list_first_entry_or_null(&d->answered, struct weir_dup, age);
}

/* By the signed difference: another CPU's time may be a little older. */
static bool weir_dup_expired(const struct weir_dups *d,
			     const struct weir_dup *e, u64 now_ns)
{
	return (s64)(now_ns - e->done_ns) >= (s64)d->window_ns;
}

/*
 * A few of those whose window is over, not all of them: what is left is
 * forgotten by the requests to come, or when it is looked for.
 */
static void weir_dups_expire(struct weir_dups *d, u64 now_ns,
			     struct list_head *dead)
{
	struct weir_dup *e;
	u32 i;

	for (i = 0; i < WEIR_DUP_EXPIRE_STEPS; i++) {
		e = weir_dups_oldest(d);
		if (!e || !weir_dup_expired(d, e, now_ns))
			return;
		weir_dup_forget(d, e, dead);
	}
}

static struct weir_dup_user *weir_dup_user_find(struct weir_dups *d, u32 uid)
{
	struct weir_dup_user *user;

	hlist_for_each_entry(user, &d->users[uid % WEIR_DUP_USER_HEADS], link)
		if (user->uid == uid)
			return user;
	return NULL;
}

/* What is remembered of a user the longest, or NULL. */
static struct weir_dup *weir_dup_user_oldest(struct weir_dup_user *user)
{
	return list_first_entry_or_null(&user->answered, struct weir_dup, own);
}

/* A user of whom nothing is in the table. */
static struct weir_dup_user *weir_dup_user_new(struct weir_dups *d, u32 uid)
{
	struct weir_dup_user *user;

	user = kzalloc(sizeof(*user), GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!user)
		return NULL;
	user->uid = uid;
	INIT_LIST_HEAD(&user->answered);
	hlist_add_head(&user->link, &d->users[uid % WEIR_DUP_USER_HEADS]);
	return user;
}

/*
 * A request that is not in the table. A user at its share makes room of its own
 * oldest; what is remembered for another is not touched.
 */
static int weir_dup_enter(struct weir_dups *d, u32 uid, u64 scope, u64 id,
			  struct list_head *dead)
{
	struct weir_dup_user *user = weir_dup_user_find(d, uid);
	u32 own = user ? user->entries : 0;
	struct weir_dup *e, *oldest = NULL;

	lockdep_assert_held(&d->lock);
	if (d->entries >= 2 * d->max_entries ||
	    own >= weir_share(2ULL * d->max_entries, d->entries - own)) {
		oldest = user ? weir_dup_user_oldest(user) : NULL;
		if (!oldest)
			return -ENOBUFS;
	}
	e = kzalloc(sizeof(*e), GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!e)
		return -ENOMEM;
	if (!user)
		user = weir_dup_user_new(d, uid);
	if (!user) {
		kfree(e);
		return -ENOMEM;
	}
	e->user = user;
	e->scope = scope;
	e->id = id;
	INIT_LIST_HEAD(&e->waiters);
	hlist_add_head(&e->link, weir_dup_bucket(d, scope, id));
	d->entries++;
	user->entries++;
	if (oldest)
		weir_dup_forget(d, oldest, dead);
	return WEIR_DUP_NEW;
}

static int weir_dup_wait(struct weir_dup *e, struct weir_dup_waiter *waiter)
{
	if (!waiter)
		return WEIR_DUP_BUSY;
	if (e->n_waiters >= WEIR_DUP_WAITERS_MAX)
		return -ENOBUFS;
	list_add_tail(&waiter->link, &e->waiters);
	e->n_waiters++;
	return WEIR_DUP_BUSY;
}

/**
 * weir_dup_begin() - is this request a duplicate?
 * @d: the table.
 * @uid: in whose share of the table it is to be.
 * @scope: whose identity @id is.
 * @id: of the request.
 * @now_ns: the time.
 * @waiter: queued if the state is WEIR_DUP_BUSY, and handed back by
 *	weir_dup_done(), weir_dup_fail() or weir_dup_unwait(). NULL: the caller
 *	does not wait.
 * @reply: out: if the state is WEIR_DUP_DONE, the reply; the caller puts it.
 *
 * After WEIR_DUP_NEW, weir_dup_done() or weir_dup_fail() must follow with the
 * same key. A user's oldest replies are forgotten when its share is used up.
 *
 * Return: enum weir_dup_state, or -ENOBUFS if all that the user has room for is
 * in flight, WEIR_DUP_WAITERS_MAX are waiting for this one, or it has been
 * answered and there was no room for the reply; or -ENOMEM.
 */
int weir_dup_begin(struct weir_dups *d, u32 uid, u64 scope, u64 id, u64 now_ns,
		   struct weir_dup_waiter *waiter,
		   struct weir_dup_reply **reply)
{
	struct weir_dup *e;
	LIST_HEAD(dead);
	int state;

	spin_lock(&d->lock);
	weir_dups_expire(d, now_ns, &dead);
	e = weir_dup_find(d, scope, id);
	if (e && e->done && weir_dup_expired(d, e, now_ns)) {
		weir_dup_forget(d, e, &dead);
		e = NULL;
	}
	if (!e) {
		state = weir_dup_enter(d, uid, scope, id, &dead);
	} else if (e->done && !e->reply) {
		state = -ENOBUFS;
	} else if (e->done) {
		*reply = weir_dup_reply_get(e->reply);
		state = WEIR_DUP_DONE;
	} else {
		state = weir_dup_wait(e, waiter);
	}
	spin_unlock(&d->lock);
	weir_dups_free(&dead);
	return state;
}

static void weir_dup_wake(struct weir_dup *e, struct list_head *waiters)
{
	list_splice_tail_init(&e->waiters, waiters);
	e->n_waiters = 0;
}

/*
 * Evicts the user's oldest for @bytes of room in its share, but only so many at
 * once. Returns 1 when there is room, 0 when it has to be called again, and
 * -ENOBUFS when there is no room and nothing left to evict.
 */
static int weir_dup_make_room(struct weir_dups *d, struct weir_dup_user *user,
			      size_t bytes, struct list_head *dead)
{
	u32 i;

	for (i = 0; i < WEIR_DUP_EVICT_STEPS; i++) {
		struct weir_dup *e = weir_dup_user_oldest(user);
		u64 others = d->bytes - user->bytes;

		if (d->bytes + bytes <= 2ULL * d->max_bytes &&
		    user->bytes + bytes <= weir_share(2ULL * d->max_bytes,
						      others))
			return 1;
		if (!e)
			return -ENOBUFS;
		weir_dup_forget(d, e, dead);
	}
	return 0;
}

/**
 * weir_dup_done() - a request has been answered
 * @d: the table.
 * @scope: as it was begun.
 * @id: as it was begun.
 * @now_ns: the time.
 * @reply: the answer; the table takes a reference of its own. NULL: it could not
 *	be kept.
 * @waiters: out: struct weir_dup_waiter, those who waited are added at its end
 *	in the order in which they came; the caller gives them @reply.
 *
 * The user's oldest replies are forgotten for this one. One that finds no room, or
 * is larger than the table's limit on its own, is not kept, but that there was one
 * is: a duplicate is refused. A large one may push out many, so the lock is
 * released now and then.
 */
void weir_dup_done(struct weir_dups *d, u64 scope, u64 id, u64 now_ns,
		   struct weir_dup_reply *reply, struct list_head *waiters)
{
	size_t bytes = reply ? weir_dup_reply_bytes(reply) : SIZE_MAX;
	int room = bytes <= d->max_bytes ? 0 : -ENOBUFS;
	struct weir_dup *e;
	LIST_HEAD(dead);

	spin_lock(&d->lock);
	weir_dups_expire(d, now_ns, &dead);
	/* in flight: it is nobody's to forget until it is done */
	e = weir_dup_find(d, scope, id);
	if (WARN_ON_ONCE(!e || e->done))
		goto unlock;
	while (!room) {
		room = weir_dup_make_room(d, e->user, bytes, &dead);
		if (room)
			break;
		spin_unlock(&d->lock);
		weir_dups_free(&dead);
		cond_resched();
		spin_lock(&d->lock);
	}
	weir_dup_wake(e, waiters);
	if (room > 0) {
		e->reply = weir_dup_reply_get(reply);
		e->user->bytes += bytes;
		d->bytes += bytes;
	}
	e->done = true;
	e->done_ns = now_ns;
	list_add_tail(&e->age, &d->answered);
	list_add_tail(&e->own, &e->user->answered);
unlock:
	spin_unlock(&d->lock);
	weir_dups_free(&dead);
}

/**
 * weir_dup_fail() - a request will not be answered
 * @d: the table.
 * @scope: as it was begun.
 * @id: as it was begun.
 * @waiters: out: struct weir_dup_waiter, those who waited are added at its end
 *	in the order in which they came; they may begin again.
 *
 * It is forgotten, and the next one of this key is new.
 */
void weir_dup_fail(struct weir_dups *d, u64 scope, u64 id,
		   struct list_head *waiters)
{
	struct weir_dup *e;
	LIST_HEAD(dead);

	spin_lock(&d->lock);
	e = weir_dup_find(d, scope, id);
	if (!WARN_ON_ONCE(!e || e->done)) {
		weir_dup_wake(e, waiters);
		weir_dup_forget(d, e, &dead);
	}
	spin_unlock(&d->lock);
	weir_dups_free(&dead);
}

/**
 * weir_dup_unwait() - a caller goes away and waits no longer
 * @d: the table.
 * @scope: as it was begun.
 * @id: as it was begun.
 * @waiter: that was queued.
 *
 * Return: whether it was still queued, and is not any more. If not, somebody
 * has it in the list of weir_dup_done() or weir_dup_fail(), or is about to.
 */
bool weir_dup_unwait(struct weir_dups *d, u64 scope, u64 id,
		     struct weir_dup_waiter *waiter)
{
	struct weir_dup_waiter *w;
	struct weir_dup *e;
	bool queued = false;

	spin_lock(&d->lock);
	e = weir_dup_find(d, scope, id);
	if (e) {
		/* the entry may be a later one, so it has to be looked for */
		list_for_each_entry(w, &e->waiters, link) {
			if (w != waiter)
				continue;
			list_del_init(&w->link);
			e->n_waiters--;
			queued = true;
			break;
		}
	}
	spin_unlock(&d->lock);
	return queued;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_dup_reply_create);
EXPORT_SYMBOL_IF_KUNIT(weir_dup_reply_put);
EXPORT_SYMBOL_IF_KUNIT(weir_dups_create);
EXPORT_SYMBOL_IF_KUNIT(weir_dups_most);
EXPORT_SYMBOL_IF_KUNIT(weir_dups_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_dups_usage);
EXPORT_SYMBOL_IF_KUNIT(weir_dup_begin);
EXPORT_SYMBOL_IF_KUNIT(weir_dup_done);
EXPORT_SYMBOL_IF_KUNIT(weir_dup_fail);
EXPORT_SYMBOL_IF_KUNIT(weir_dup_unwait);
#endif
