// SPDX-License-Identifier: GPL-2.0
/*
 * The table of dup.h: a hash by key, and lists of the answered requests, the
 * oldest first. One list holds the answered requests of all users: they expire
 * in this order. Each user has one more list of its own: its requests are
 * dropped in that order.
 *
 * An entry that leaves the table goes to a list of dead entries. That list is
 * freed after the lock has been released.
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
#include "logic/alloc.h"
#include "logic/dup.h"
#include "logic/softirq.h"

#define WEIR_DUP_USER_HEADS	64U
#define WEIR_DUP_BUCKETS_MAX	(1U << 16)
#define WEIR_DUP_BUCKETS(entries)					\
	((entries) < WEIR_DUP_BUCKETS_MAX ?				\
	 roundup_pow_of_two(max((entries), 1U)) : WEIR_DUP_BUCKETS_MAX)
#define WEIR_DUP_EXPIRE_STEPS	4	/* per call; more than a call adds */
#define WEIR_DUP_DROP_STEPS	16	/* in one hold of the lock */

/**
 * struct weir_dup_user - a user with requests in the table
 * @link: in weir_dups.users.
 * @uid: uid of the user; never changes.
 * @entries: how many requests are in the table, at least 1.
 * @bytes: how many bytes the replies to these requests take.
 * @answered: the user's answered requests (struct weir_dup), by @own, the
 *	oldest first.
 *
 * All fields are guarded by weir_dups.lock. The user is freed with its last
 * entry.
 */
struct weir_dup_user {
	struct hlist_node	link;
	u32			uid;
	u32			entries;
	u32			bytes;
	struct list_head	answered;
};

/**
 * struct weir_dup - an entry of the table: a request that has been seen
 *
 * All fields are guarded by weir_dups.lock.
 */
struct weir_dup {
	/** @link: in weir_dups.bucket. */
	struct hlist_node	link;
	/**
	 * @age: in weir_dups.answered once the request is answered, or in a
	 * list of dead entries.
	 */
	struct list_head	age;
	/** @own: in weir_dup_user.answered once the request is answered. */
	struct list_head	own;
	/** @user: user in whose share the entry is. */
	struct weir_dup_user	*user;
	/**
	 * @followers: struct weir_dup_follower, in the order in which they
	 * came.
	 */
	struct list_head	followers;
	/**
	 * @n_followers: length of @followers; at most WEIR_DUP_FOLLOWERS_MAX.
	 */
	u32			n_followers;
	/** @done: the request has been answered; false: it is in flight. */
	bool			done;
	/**
	 * @reply: the reply, held. NULL: the request is in flight, or there was
	 * no room to keep the reply.
	 */
	struct weir_dup_reply	*reply;
	/** @scope: first half of the key; never changes. */
	u64			scope;
	/** @id: second half of the key; never changes. */
	u64			id;
	/** @digest: digest of the request's content; never changes. */
	u64			digest;
	/** @done_ns: time at which the request was answered. */
	u64			done_ns;
};

/**
 * struct weir_dups - the table of one route
 */
struct weir_dups {
	/** @lock: guards all fields that change. */
	spinlock_t		lock;
	/**
	 * @window_ns: how long a reply is kept, in nanoseconds; never changes.
	 */
	u64			window_ns;
	/**
	 * @max_entries: most entries of one user. All users together may have
	 * twice as many. Never changes.
	 */
	u32			max_entries;
	/**
	 * @max_bytes: most bytes that the replies of one user may take. Those
	 * of all users together may take twice as many. Never changes.
	 */
	u32			max_bytes;
	/** @seed: random seed of the hash; never changes. */
	u32			seed;
	/** @mask: number of entries in @bucket less one; never changes. */
	u32			mask;
	/** @entries: how many requests are in the table. */
	u32			entries;
	/** @bytes: how many bytes all replies take. */
	u32			bytes;
	/**
	 * @answered: answered requests (struct weir_dup), by @age, the oldest
	 * first.
	 */
	struct list_head	answered;
	/** @users: struct weir_dup_user by uid. */
	struct hlist_head	users[WEIR_DUP_USER_HEADS];
	/** @bucket: struct weir_dup by key. */
	struct hlist_head	bucket[];
};

/* --- replies ------------------------------------------------------------- */

/**
 * weir_dup_reply_create() - allocate a reply
 * @kind: the caller's kind of reply.
 * @len: length of the reply in bytes.
 * @gfp: GFP flags of the allocation; with GFP_KERNEL this may sleep.
 *
 * The caller fills in the bytes before it gives the reply to the table.
 *
 * Return: the reply with one reference, or ERR_PTR(-ENOMEM).
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
 * weir_dup_reply_put() - drop a reference on a reply
 * @reply: the reply, or NULL. The last put frees it after a grace period.
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

/*
 * Bytes for which a reply counts. If they overflow, the result is larger than
 * any limit.
 */
static size_t weir_dup_reply_bytes(const struct weir_dup_reply *reply)
{
	return struct_size(reply, bytes, reply->len);
}

/* --- the table ----------------------------------------------------------- */

/**
 * weir_dups_create() - make an empty table
 * @window_ns: how long a request stays in the table after it was answered, in
 *	nanoseconds; 1 to 2^63 - 1.
 * @max_entries: most requests of one user in the table, 1 to WEIR_DUPS_MAX.
 * @max_bytes: most bytes that the replies to one user may take, the header of
 *	each reply included; less than 2^31.
 * @seed: any number that the user that chooses the identities does not know.
 *
 * May sleep.
 *
 * Return: the table, ERR_PTR(-EINVAL) or ERR_PTR(-ENOMEM).
 */
struct weir_dups *weir_dups_create(u64 window_ns, u32 max_entries,
				   u32 max_bytes, u32 seed)
{
	struct weir_dups *d;
	u32 buckets = WEIR_DUP_BUCKETS(max_entries);

	if ((s64)window_ns <= 0 || !max_entries ||
	    max_entries > WEIR_DUPS_MAX || max_bytes > S32_MAX)
		return ERR_PTR(-EINVAL);
	d = kvzalloc(struct_size(d, bucket, buckets), WEIR_GFP);
	if (!d)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&d->lock);
	weir_softirq_takes(&d->lock);
	INIT_LIST_HEAD(&d->answered);
	d->window_ns = window_ns;
	d->max_entries = max_entries;
	d->max_bytes = max_bytes;
	d->seed = seed;
	d->mask = buckets - 1;
	return d;
}

/**
 * weir_dups_most() - most memory that a table with all its entries may take
 * @max_entries: as for weir_dups_create().
 * @max_bytes: as for weir_dups_create().
 *
 * Return: bytes.
 */
u64 weir_dups_most(u32 max_entries, u32 max_bytes)
{
	/* at worst, each entry has another user */
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

/*
 * Take an entry out of the share of its user. The last entry of a user frees
 * it.
 */
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

static void weir_dup_free_list(struct list_head *dead)
{
	struct weir_dup *e, *next;

	list_for_each_entry_safe(e, next, dead, age)
		weir_dup_free(e);
	INIT_LIST_HEAD(dead);
}

/**
 * weir_dups_destroy() - free a table
 * @d: the table. Nobody uses it any more, and no follower is in it.
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
			WARN_ON_ONCE(e->n_followers);
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
 * @entries: out: number of requests in the table.
 * @bytes: out: bytes that their replies take.
 */
void weir_dups_usage(struct weir_dups *d, u32 *entries, u32 *bytes)
{
	spin_lock_bh(&d->lock);
	*entries = d->entries;
	*bytes = d->bytes;
	spin_unlock_bh(&d->lock);
}

static struct hlist_head *weir_dup_bucket(struct weir_dups *d, u64 scope,
					  u64 id)
{
	const u32 key[] = { scope, scope >> 32, id, id >> 32 };

	return &d->bucket[jhash2(key, ARRAY_SIZE(key), d->seed) & d->mask];
}

static struct weir_dup *weir_dup_find(struct weir_dups *d, u64 scope, u64 id)
	__must_hold(&d->lock)
{
	struct weir_dup *e;

	lockdep_assert_held(&d->lock);
	hlist_for_each_entry(e, weir_dup_bucket(d, scope, id), link)
		if (e->id == id && e->scope == scope)
			return e;
	return NULL;
}

/*
 * Remove an entry, whose followers have been taken out before, and add it to
 * @dead.
 */
static void weir_dup_forget(struct weir_dups *d, struct weir_dup *e,
			    struct list_head *dead)
	__must_hold(&d->lock)
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

/* Signed difference: the time may be a little behind another CPU's. */
static bool weir_dup_expired(const struct weir_dups *d,
			     const struct weir_dup *e, u64 now_ns)
{
	return (s64)(now_ns - e->done_ns) >= (s64)d->window_ns;
}

/*
 * Remove a few entries whose window is over, not all of them. Later calls
 * remove the others, as does weir_dup_begin() for the key that it looks for.
 */
static void weir_dups_expire(struct weir_dups *d, u64 now_ns,
			     struct list_head *dead)
	__must_hold(&d->lock)
{
	struct weir_dup *e;
	u32 i;

	lockdep_assert_held(&d->lock);
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

/* The user's answered request that is the oldest, or NULL. */
static struct weir_dup *weir_dup_user_oldest(struct weir_dup_user *user)
{
	return list_first_entry_or_null(&user->answered, struct weir_dup, own);
}

/* Add a user that has no entry in the table yet. NULL: no memory. */
static struct weir_dup_user *weir_dup_user_new(struct weir_dups *d, u32 uid)
{
	struct weir_dup_user *user;

	user = kzalloc(sizeof(*user), WEIR_GFP_NOWAIT);
	if (!user)
		return NULL;
	user->uid = uid;
	INIT_LIST_HEAD(&user->answered);
	hlist_add_head(&user->link, &d->users[uid % WEIR_DUP_USER_HEADS]);
	return user;
}

/*
 * Add an entry for a request that is not in the table. A user that has used up
 * its share loses the oldest answered request of its own. Returns WEIR_DUP_NEW,
 * WEIR_DUP_FULL or WEIR_DUP_NO_MEMORY.
 */
static enum weir_dup_state weir_dup_enter(struct weir_dups *d,
					  const struct weir_dup_key *key,
					  struct list_head *dead)
	__must_hold(&d->lock)
{
	struct weir_dup_user *user = weir_dup_user_find(d, key->uid);
	u32 own = user ? user->entries : 0;
	struct weir_dup *e, *oldest = NULL;

	lockdep_assert_held(&d->lock);
	if (d->entries >= 2 * d->max_entries ||
	    own >= weir_share(2ULL * d->max_entries, d->entries - own)) {
		oldest = user ? weir_dup_user_oldest(user) : NULL;
		if (!oldest)
			return WEIR_DUP_FULL;
	}
	e = kzalloc(sizeof(*e), WEIR_GFP_NOWAIT);
	if (!e)
		return WEIR_DUP_NO_MEMORY;
	if (!user)
		user = weir_dup_user_new(d, key->uid);
	if (!user) {
		kfree(e);
		return WEIR_DUP_NO_MEMORY;
	}
	e->user = user;
	e->scope = key->scope;
	e->id = key->id;
	e->digest = key->digest;
	INIT_LIST_HEAD(&e->followers);
	hlist_add_head(&e->link, weir_dup_bucket(d, key->scope, key->id));
	d->entries++;
	user->entries++;
	if (oldest)
		weir_dup_forget(d, oldest, dead);
	return WEIR_DUP_NEW;
}

static enum weir_dup_state weir_dup_follow(struct weir_dup *e,
					   struct weir_dup_follower *follower)
{
	if (!follower)
		return WEIR_DUP_BUSY;
	if (e->n_followers >= WEIR_DUP_FOLLOWERS_MAX)
		return WEIR_DUP_FULL;
	list_add_tail(&follower->link, &e->followers);
	e->n_followers++;
	return WEIR_DUP_BUSY;
}

/**
 * weir_dup_begin() - is this request a duplicate?
 * @d: the table.
 * @key: the request.
 * @now_ns: the time.
 * @follower: queued if the state is WEIR_DUP_BUSY. weir_dup_done(),
 *	weir_dup_fail() or weir_dup_unfollow() takes it out again. NULL: the
 *	caller does not wait.
 * @reply: out: if the state is WEIR_DUP_DONE, the reply; the caller puts it.
 *
 * After WEIR_DUP_NEW the caller must call weir_dup_done() or weir_dup_fail()
 * for the same key. A user that has used up its share loses its oldest replies.
 *
 * Return: the state of the first request with the key. WEIR_DUP_FULL,
 * WEIR_DUP_NO_MEMORY and WEIR_DUP_OTHER: this request is neither the first nor
 * a follower.
 */
enum weir_dup_state weir_dup_begin(struct weir_dups *d,
				   const struct weir_dup_key *key, u64 now_ns,
				   struct weir_dup_follower *follower,
				   struct weir_dup_reply **reply)
{
	struct weir_dup *e;
	enum weir_dup_state state;
	LIST_HEAD(dead);

	spin_lock_bh(&d->lock);
	weir_dups_expire(d, now_ns, &dead);
	e = weir_dup_find(d, key->scope, key->id);
	if (e && e->done && weir_dup_expired(d, e, now_ns)) {
		weir_dup_forget(d, e, &dead);
		e = NULL;
	}
	if (!e) {
		state = weir_dup_enter(d, key, &dead);
	} else if (e->digest != key->digest) {
		state = WEIR_DUP_OTHER;
	} else if (e->done && !e->reply) {
		state = WEIR_DUP_FULL;
	} else if (e->done) {
		*reply = weir_dup_reply_get(e->reply);
		state = WEIR_DUP_DONE;
	} else {
		state = weir_dup_follow(e, follower);
	}
	spin_unlock_bh(&d->lock);
	weir_dup_free_list(&dead);
	return state;
}

static void weir_dup_take_followers(struct weir_dup *e,
				    struct list_head *followers)
{
	list_splice_tail_init(&e->followers, followers);
	e->n_followers = 0;
}

/*
 * Is there room for a reply? WEIR_DUP_ROOM_AGAIN: weir_dup_make_room() has to
 * be called again; WEIR_DUP_ROOM_NONE: nothing is left to drop.
 */
enum weir_dup_room {
	WEIR_DUP_ROOM_FOUND,
	WEIR_DUP_ROOM_AGAIN,
	WEIR_DUP_ROOM_NONE,
};

/*
 * Drop the user's oldest answered requests, to make room for @bytes in its
 * share, but at most WEIR_DUP_DROP_STEPS of them.
 */
static enum weir_dup_room weir_dup_make_room(struct weir_dups *d,
					     struct weir_dup_user *user,
					     size_t bytes,
					     struct list_head *dead)
	__must_hold(&d->lock)
{
	u32 i;

	lockdep_assert_held(&d->lock);
	for (i = 0; i < WEIR_DUP_DROP_STEPS; i++) {
		struct weir_dup *e = weir_dup_user_oldest(user);
		u64 others = d->bytes - user->bytes;

		if (d->bytes + bytes <= 2ULL * d->max_bytes &&
		    user->bytes + bytes <= weir_share(2ULL * d->max_bytes,
						      others))
			return WEIR_DUP_ROOM_FOUND;
		if (!e)
			return WEIR_DUP_ROOM_NONE;
		weir_dup_forget(d, e, dead);
	}
	return WEIR_DUP_ROOM_AGAIN;
}

/**
 * weir_dup_done() - complete a request that has been answered
 * @d: the table.
 * @scope: scope that the request began with.
 * @id: identity that the request began with.
 * @now_ns: the time.
 * @reply: the reply; the table takes a reference of its own. NULL: the reply
 *	could not be kept.
 * @followers: out: the followers are added to the end of this list, in the
 *	order in which they came; the caller gives them @reply.
 *
 * The user's oldest replies make room for this one. A reply that finds no room,
 * or that alone is larger than max_bytes, is not kept. The entry is kept
 * nevertheless, so later duplicates are refused. A large reply may drop many
 * entries: the lock is released now and then, and this may sleep.
 */
void weir_dup_done(struct weir_dups *d, u64 scope, u64 id, u64 now_ns,
		   struct weir_dup_reply *reply, struct list_head *followers)
{
	size_t bytes = reply ? weir_dup_reply_bytes(reply) : SIZE_MAX;
	enum weir_dup_room room = bytes <= d->max_bytes ?
				  WEIR_DUP_ROOM_AGAIN : WEIR_DUP_ROOM_NONE;
	struct weir_dup *e;
	LIST_HEAD(dead);

	spin_lock_bh(&d->lock);
	weir_dups_expire(d, now_ns, &dead);
	/* an entry in flight stays in the table while the lock is released */
	e = weir_dup_find(d, scope, id);
	if (WARN_ON_ONCE(!e || e->done))
		goto unlock;
	while (room == WEIR_DUP_ROOM_AGAIN) {
		room = weir_dup_make_room(d, e->user, bytes, &dead);
		if (room != WEIR_DUP_ROOM_AGAIN)
			break;
		spin_unlock_bh(&d->lock);
		weir_dup_free_list(&dead);
		cond_resched();
		spin_lock_bh(&d->lock);
	}
	weir_dup_take_followers(e, followers);
	if (room == WEIR_DUP_ROOM_FOUND) {
		e->reply = weir_dup_reply_get(reply);
		e->user->bytes += bytes;
		d->bytes += bytes;
	}
	e->done = true;
	e->done_ns = now_ns;
	list_add_tail(&e->age, &d->answered);
	list_add_tail(&e->own, &e->user->answered);
unlock:
	spin_unlock_bh(&d->lock);
	weir_dup_free_list(&dead);
}

/**
 * weir_dup_fail() - forget a request that will not be answered
 * @d: the table.
 * @scope: scope that the request began with.
 * @id: identity that the request began with.
 * @followers: out: the followers are added to the end of this list, in the
 *	order in which they came; each of them may begin again.
 *
 * The next request with this key is new.
 */
void weir_dup_fail(struct weir_dups *d, u64 scope, u64 id,
		   struct list_head *followers)
{
	struct weir_dup *e;
	LIST_HEAD(dead);

	spin_lock_bh(&d->lock);
	e = weir_dup_find(d, scope, id);
	if (!WARN_ON_ONCE(!e || e->done)) {
		weir_dup_take_followers(e, followers);
		weir_dup_forget(d, e, &dead);
	}
	spin_unlock_bh(&d->lock);
	weir_dup_free_list(&dead);
}

/**
 * weir_dup_unfollow() - take out a follower whose caller waits no longer
 * @d: the table.
 * @scope: scope that the request began with.
 * @id: identity that the request began with.
 * @follower: follower that weir_dup_begin() has queued.
 *
 * Return: true if the follower was still queued; now it is not. False: another
 * caller has it in the list of weir_dup_done() or weir_dup_fail(), or is about
 * to get it.
 */
bool weir_dup_unfollow(struct weir_dups *d, u64 scope, u64 id,
		       struct weir_dup_follower *follower)
{
	struct weir_dup_follower *w;
	struct weir_dup *e;
	bool queued = false;

	spin_lock_bh(&d->lock);
	e = weir_dup_find(d, scope, id);
	if (e) {
		/* the entry may be a newer one: search its followers */
		list_for_each_entry(w, &e->followers, link) {
			if (w != follower)
				continue;
			list_del_init(&w->link);
			e->n_followers--;
			queued = true;
			break;
		}
	}
	spin_unlock_bh(&d->lock);
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
EXPORT_SYMBOL_IF_KUNIT(weir_dup_unfollow);
#endif
