/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounts: they count the memory and the objects of each user on the whole
 * host, and of all users in one network namespace, and compare them with caps.
 *
 * A user is counted once for the whole module (struct weir_user), in whatever
 * namespaces the user works. An account (struct weir_account) names all that
 * pay for something: one or more users, each within its own cap, and one
 * network namespace, within its cap. The caller chooses the users. charge.c
 * takes the creator of a socket and the owners of the user namespaces that the
 * creator works in. So a user gets no second cap from a new namespace or from a
 * subordinate uid.
 *
 * This file only counts. The caller decides what it charges, and passes the
 * caps with each charge, so a changed tunable takes effect at the next charge.
 * The kernel charges memory cgroups by itself (GFP flags).
 *
 * weir_account_create() may sleep. The other functions run in any context;
 * those of struct weir_tally need the lock of the shared table.
 *
 * Lifetime: each charge that is not empty holds a reference on its account.
 * Each account holds a reference on each of its users. The last put frees the
 * account or the user. There is one exception: a user that has used a part of
 * an allowance (patience, barriers) stays in the table without an account until
 * the allowance is whole again. Otherwise a user could get new allowances by
 * closing all sockets. weir_account_create() looks for such users and frees
 * them. All accounts of a table must be put before weir_users_destroy(), and
 * all accounts of a namespace before weir_usage_destroy().
 */
#ifndef _WEIR_ACCOUNT_H
#define _WEIR_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/hashtable.h>
#include <linux/idr.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include "logic/patience.h"

#define WEIR_USER_HASH_BITS	8
#define WEIR_USER_NO_NUMBER	U32_MAX

/**
 * enum weir_account_kind - a kind of thing that is counted
 * @WEIR_ACCOUNT_BYTES: memory, in bytes.
 * @WEIR_ACCOUNT_OBJECTS: objects: sockets, paths, rings, cursors and the like.
 * @WEIR_ACCOUNT_KINDS: number of kinds.
 */
enum weir_account_kind {
	WEIR_ACCOUNT_BYTES,
	WEIR_ACCOUNT_OBJECTS,
	WEIR_ACCOUNT_KINDS
};

/**
 * struct weir_usage - how much a user, a namespace or a table of users holds
 * @used: amount of each kind; changed by atomic operations, without a lock.
 */
struct weir_usage {
	atomic64_t	used[WEIR_ACCOUNT_KINDS];
};

/**
 * struct weir_caps - the most that may be held
 * @user: cap of one user, in all namespaces together; by kind.
 * @ns: cap of all users in one network namespace together; by kind.
 *
 * A charge never takes a counter above the cap that it is made with.
 */
struct weir_caps {
	u64	user[WEIR_ACCOUNT_KINDS];
	u64	ns[WEIR_ACCOUNT_KINDS];
};

/**
 * struct weir_users - a table of users
 * @lock: guards @users and @idle. A user's last reference goes, and its first
 *	one comes back, under this lock.
 * @users: struct weir_user by uid; @lock.
 * @idle: users without an account, by weir_user.idle_link; @lock.
 * @numbers: allocates weir_user.number; has its own lock.
 * @sum: amounts that all accounts of the table hold; each charge counts once.
 */
struct weir_users {
	spinlock_t		lock;
	DECLARE_HASHTABLE(users, WEIR_USER_HASH_BITS);
	struct list_head	idle;
	struct ida		numbers;
	struct weir_usage	sum;
};

/**
 * struct weir_user - one user, in all namespaces
 */
struct weir_user {
	/** @link: entry in weir_users.users; weir_users.lock. */
	struct hlist_node	link;
	/**
	 * @idle_link: entry in weir_users.idle while @refs is zero;
	 * weir_users.lock.
	 */
	struct list_head	idle_link;
	/**
	 * @table: the table that this user is in; never changes, outlives the
	 * user.
	 */
	struct weir_users	*table;
	/** @uid: uid of the user; never changes. */
	kuid_t			uid;
	/**
	 * @number: lowest number that no other user of the table had when this
	 * one became the first user of an account; does not change after that.
	 * WEIR_USER_NO_NUMBER before.
	 */
	u32			number;
	/** @refs: number of accounts in which the user pays. */
	refcount_t		refs;
	/** @usage: amounts that all these accounts hold. */
	struct weir_usage	usage;
	/**
	 * @patience: how long others may wait for this user's inboxes, in all
	 * namespaces; see patience.h.
	 */
	struct weir_patience	patience;
	/**
	 * @fence_at: time in nanoseconds at which the user's allowance of
	 * barriers on other CPUs is whole again; see weir_account_may_fence().
	 * Changed by compare-and-swap.
	 */
	atomic64_t		fence_at;
	/**
	 * @change_lock: mutex for long changes under weir_net.lock. A thread
	 * takes it before weir_net.lock. So all threads of one user together
	 * have one place in the queue for weir_net.lock.
	 */
	struct mutex		change_lock;
};

/**
 * struct weir_account - the users and the namespace that pay together
 * @refs: one for each charge that is not empty, and one for each other holder.
 * @ns: usage of the network namespace; never changes, outlives the account.
 * @n: number of entries in @users, at least 1; never changes.
 * @users: the users that pay, all different; the account holds a reference on
 *	each; never changes. The first one's shares of tables count: see
 *	weir_account_user().
 */
struct weir_account {
	refcount_t		refs;
	struct weir_usage	*ns;
	u32			n;
	struct weir_user	*users[];
};

/**
 * struct weir_charge - the amounts that have been charged for one thing
 * @account: account that pays, held; NULL while nothing is charged.
 * @used: amount of each kind.
 *
 * A charge begins as zeroes. It is guarded by the lock that guards the thing.
 */
struct weir_charge {
	struct weir_account	*account;
	u64			used[WEIR_ACCOUNT_KINDS];
};

/**
 * struct weir_tally - how many entries each user has in a shared table
 * @total: entries of all users together.
 * @users: entries of each user, xa_mk_value() by uid; a user without an entry
 *	has none.
 *
 * A tally is guarded by the lock that guards the shared table.
 */
struct weir_tally {
	u32		total;
	struct xarray	users;
};

void weir_usage_init(struct weir_usage *usage);
void weir_usage_destroy(struct weir_usage *usage);
void weir_users_init(struct weir_users *users);
void weir_users_destroy(struct weir_users *users);

struct weir_account *weir_account_create(struct weir_users *users,
					 struct weir_usage *ns,
					 const kuid_t *uids, u32 n, u64 now);
void weir_account_get(struct weir_account *a);
void weir_account_put(struct weir_account *a);

int weir_charge(struct weir_charge *c, struct weir_account *a, u64 bytes,
		u64 objects, const struct weir_caps *caps, const char **why);
void weir_uncharge(struct weir_charge *c);
void weir_uncharge_some(struct weir_charge *c, u64 bytes, u64 objects);

void weir_tally_init(struct weir_tally *t);
void weir_tally_destroy(struct weir_tally *t);
bool weir_tally_full(const struct weir_tally *t, kuid_t user, u32 size);
int weir_tally_add(struct weir_tally *t, kuid_t user, gfp_t gfp);
void weir_tally_sub(struct weir_tally *t, kuid_t user);

/* The amount of one kind that is held now. Any context. */
static inline u64 weir_usage_read(const struct weir_usage *usage,
				  enum weir_account_kind kind)
{
	return atomic64_read(&usage->used[kind]);
}

/**
 * weir_account_user() - the user whose shares of shared tables count
 * @a: the account.
 *
 * Subordinate users have a part of their owner's share, and no shares of their
 * own. Any context.
 *
 * Return: the uid of that user.
 */
static inline kuid_t weir_account_user(const struct weir_account *a)
{
	return a->users[0]->uid;
}

/*
 * Number of user slots: the entries of a table that has one for each user. A
 * message finds the slot of its user in one step. If there are more users than
 * slots, some users have one slot together.
 */
#define WEIR_USER_SLOTS	252U	/* struct weir_callers takes 2 KiB */

/*
 * weir_user_slot() - the user slot of an account's first user
 */
static inline u32 weir_user_slot(const struct weir_account *a)
{
	return a->users[0]->number % WEIR_USER_SLOTS;
}

/* The mutex weir_user.change_lock of an account's first user. */
static inline struct mutex *
weir_account_change_lock(const struct weir_account *a)
{
	return &a->users[0]->change_lock;
}

/*
 * A user may have one barrier on other CPUs in WEIR_FENCE_NS nanoseconds, and
 * WEIR_FENCE_BURST of them at once.
 */
#define WEIR_FENCE_NS		1000000ULL
#define WEIR_FENCE_BURST	32

bool weir_account_may_fence(const struct weir_account *a, u64 now);
u64 weir_account_patience(const struct weir_account *a, u64 most_ns, u64 now);
void weir_account_waited(const struct weir_account *a, u64 now, u64 waited_ns);

/**
 * weir_share() - how much of a shared table one user may have
 * @size: size of the table.
 * @others: how much of the table all other users have together.
 *
 * The share is half of the part that the other users do not have, but at least
 * one. So the next user finds as much as this user may have. A user keeps what
 * it has when its share becomes smaller.
 *
 * Return: the share, at least 1.
 */
static inline u64 weir_share(u64 size, u64 others)
{
	u64 left = size > others ? size - others : 0;

	return left > 1 ? left / 2 : 1;
}

#endif /* _WEIR_ACCOUNT_H */
