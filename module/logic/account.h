/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounts: how much memory and how many objects each user holds on the whole
 * host, and all users in one network namespace, against caps.
 *
 * A user is counted once for the whole module (struct weir_user), whatever
 * namespaces it works in. An account (struct weir_account) names all who pay for
 * something together: some users, each within its own cap, and one namespace,
 * within its cap. Who they are is the caller's: charge.c takes the maker of a
 * socket and the owners of the user namespaces that it works in, so that a user
 * gets no second cap from a namespace or from a subordinate uid.
 *
 * This only counts. What is charged and with which caps is the caller's: caps
 * come as an argument of each charge, so a changed tunable counts from the next
 * charge on. Memory cgroups are charged elsewhere (GFP flags).
 *
 * weir_account_create() may sleep; everything else runs in any context.
 *
 * Lifetime: each charge that is not empty holds a reference on its account, and
 * each account on its users; the last put frees them. A user that has used some
 * of its allowances (patience, barriers) stays without an account until they are
 * whole: it gets no new ones by closing all its sockets. weir_account_create()
 * looks for such users. All accounts of a table are put before
 * weir_users_destroy(), and all of a namespace before weir_holdings_destroy().
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

/**
 * enum weir_account_kind - what is counted
 * @WEIR_ACCOUNT_BYTES: memory.
 * @WEIR_ACCOUNT_OBJECTS: things.
 * @WEIR_ACCOUNT_KINDS: how many kinds there are.
 */
enum weir_account_kind {
	WEIR_ACCOUNT_BYTES,
	WEIR_ACCOUNT_OBJECTS,
	WEIR_ACCOUNT_KINDS
};

/**
 * struct weir_holdings - what somebody holds
 * @used: by kind; changed by compare-and-swap alone.
 */
struct weir_holdings {
	atomic64_t	used[WEIR_ACCOUNT_KINDS];
};

/**
 * struct weir_caps - the most that may be held; no cap is ever exceeded
 * @user: of one user, in all namespaces together; by kind.
 * @ns: of all users in one network namespace; by kind.
 */
struct weir_caps {
	u64	user[WEIR_ACCOUNT_KINDS];
	u64	ns[WEIR_ACCOUNT_KINDS];
};

/**
 * struct weir_users - a table of users
 * @lock: guards @users, @idle, and the step of a user's refcount from one to
 *	zero and back.
 * @users: struct weir_user by uid.
 * @idle: users without an account, by weir_user.idle_link.
 * @numbers: those of users that are in use.
 * @sum: what all accounts of the table hold, each counted once.
 */
struct weir_users {
	spinlock_t		lock;
	DECLARE_HASHTABLE(users, WEIR_USER_HASH_BITS);
	struct list_head	idle;
	struct ida		numbers;
	struct weir_holdings	sum;
};

/**
 * struct weir_user - one user, in all namespaces
 * @link: in weir_users.users; weir_users.lock.
 * @idle_link: in weir_users.idle while @refs is zero; weir_users.lock.
 * @table: where it is; never changes, outlives this.
 * @uid: the user; never changes.
 * @number: no other user has it; the lowest that was free; never changes.
 * @refs: the accounts in which the user pays.
 * @held: what all these accounts hold.
 * @patience: of services that wait for its inboxes, in all namespaces.
 * @fence_at: nanoseconds: when the user's allowance of barriers on other CPUs is
 *	whole again; see weir_account_may_fence(). Changed by compare-and-swap.
 * @turn: whoever makes changes under weir_net.lock that take long; taken before
 *	it. So one user's threads have one place in its queue, not one each.
 */
struct weir_user {
	struct hlist_node	link;
	struct list_head	idle_link;
	struct weir_users	*table;
	kuid_t			uid;
	u32			number;
	refcount_t		refs;
	struct weir_holdings	held;
	struct weir_patience	patience;
	atomic64_t		fence_at;
	struct mutex		turn;
};

/**
 * struct weir_account - who pay together
 * @refs: charges, and whatever may charge.
 * @ns: the network namespace's holdings; never changes, outlives this.
 * @n: entries of @users, at least 1; never changes.
 * @users: who pay, all different, each held; never changes. The first is the
 *	one whose shares of tables count: see weir_account_user().
 */
struct weir_account {
	refcount_t		refs;
	struct weir_holdings	*ns;
	u32			n;
	struct weir_user	*users[];
};

/**
 * struct weir_charge - what has been charged for one thing, to be given back
 * @account: who pay; held; NULL while nothing is charged.
 * @used: how much; by kind.
 *
 * Begins as zeroes. Guarded by whatever guards the thing.
 */
struct weir_charge {
	struct weir_account	*account;
	u64			used[WEIR_ACCOUNT_KINDS];
};

/**
 * struct weir_tally - what users have of a table that many use
 * @total: of all users.
 * @users: of each user, xa_mk_value() by uid; no entry: nothing.
 *
 * Guarded by whatever guards the table.
 */
struct weir_tally {
	u32		total;
	struct xarray	users;
};

void weir_holdings_init(struct weir_holdings *held);
void weir_holdings_destroy(struct weir_holdings *held);
void weir_users_init(struct weir_users *users);
void weir_users_destroy(struct weir_users *users);

struct weir_account *weir_account_create(struct weir_users *users,
					 struct weir_holdings *ns,
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

/* What is held at the moment. Any context. */
static inline u64 weir_held(const struct weir_holdings *held,
			    enum weir_account_kind kind)
{
	return atomic64_read(&held->used[kind]);
}

/**
 * weir_account_user() - whose shares of a table that many users use count
 * @a: the account.
 *
 * Subordinate users have their owner's share, not one each. Any context.
 */
static inline kuid_t weir_account_user(const struct weir_account *a)
{
	return a->users[0]->uid;
}

/*
 * Places of a table that has one for each user, so that a message finds its own
 * at once. Where there are more users, some have one together.
 */
#define WEIR_USER_PLACES	256U

/* weir_account_place() - the place of an account's user in such a table */
static inline u32 weir_account_place(const struct weir_account *a)
{
	return a->users[0]->number % WEIR_USER_PLACES;
}

/* The turn of an account's user: see struct weir_user. */
static inline struct mutex *weir_account_turn(const struct weir_account *a)
{
	return &a->users[0]->turn;
}

/* A user may have a barrier on other CPUs so often, and so many at once. */
#define WEIR_FENCE_NS		1000000ULL
#define WEIR_FENCE_BURST	32

bool weir_account_may_fence(const struct weir_account *a, u64 now);
u64 weir_account_patience(const struct weir_account *a, u64 most_ns, u64 now);
void weir_account_waited(const struct weir_account *a, u64 now, u64 waited_ns);

/**
 * weir_share() - how much of a shared table one user may have
 * @size: of the table.
 * @others: what all others have.
 *
 * Half of what the others have left, so that there is always as much left for
 * the next user as this one has; but one at least. What a user has stays when
 * its share becomes smaller.
 */
static inline u64 weir_share(u64 size, u64 others)
{
	u64 left = size > others ? size - others : 0;

	return left > 1 ? left / 2 : 1;
}

#endif /* _WEIR_ACCOUNT_H */
