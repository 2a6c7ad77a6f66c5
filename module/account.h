/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounts: how much memory and how many objects each user holds in a network
 * namespace, against caps per user and per namespace.
 *
 * It only counts. What is charged, to whom and with which caps is the
 * caller's: caps come as arguments at each charge, so a changed tunable counts
 * from the next charge on. Memory cgroups are charged elsewhere (GFP flags).
 *
 * Objects are whatever must not be had without end: sockets with rings,
 * subscriptions, paths. Called by ring.c, path.c, reader.c and socket.c.
 * weir_account_get() may sleep; everything else runs in any context.
 *
 * Lifetime: each object that is charged holds a reference on its account and
 * drops it after the uncharge; the last put frees the account.
 * All of them are put before weir_accounts_destroy().
 */
#ifndef _WEIR_ACCOUNT_H
#define _WEIR_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#define WEIR_ACCOUNT_HASH_BITS	8

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
 * struct weir_accounts - the accounts of one network namespace
 * @lock: guards @users, and the step of a refcount from one to zero.
 * @users: struct weir_account by uid.
 * @used: sums over all users; changed by compare-and-swap alone.
 */
struct weir_accounts {
	spinlock_t	lock;
	DECLARE_HASHTABLE(users, WEIR_ACCOUNT_HASH_BITS);
	atomic64_t	used[WEIR_ACCOUNT_KINDS];
};

/**
 * struct weir_account - one user in one network namespace
 * @link: in weir_accounts.users; weir_accounts.lock.
 * @as: the namespace's accounts; never changes, outlives this.
 * @uid: the user; never changes.
 * @refs: objects that are charged here, and callers that look.
 * @used: what the user holds; changed by compare-and-swap alone.
 */
struct weir_account {
	struct hlist_node	link;
	struct weir_accounts	*as;
	kuid_t			uid;
	refcount_t		refs;
	atomic64_t		used[WEIR_ACCOUNT_KINDS];
};

void weir_accounts_init(struct weir_accounts *as);
void weir_accounts_destroy(struct weir_accounts *as);

struct weir_account *weir_account_get(struct weir_accounts *as, kuid_t uid);
void weir_account_put(struct weir_account *a);

int weir_account_charge(struct weir_account *a, u64 bytes, u64 user_max,
			u64 ns_max, const char **why);
void weir_account_uncharge(struct weir_account *a, u64 bytes);
int weir_account_charge_objects(struct weir_account *a, u64 n, u64 user_max,
				u64 ns_max, const char **why);
void weir_account_uncharge_objects(struct weir_account *a, u64 n);

/* What one user holds at the moment. Any context. */
static inline u64 weir_account_used(const struct weir_account *a,
				    enum weir_account_kind kind)
{
	return atomic64_read(&a->used[kind]);
}

/* What the whole namespace holds at the moment. Any context. */
static inline u64 weir_accounts_used(const struct weir_accounts *as,
				     enum weir_account_kind kind)
{
	return atomic64_read(&as->used[kind]);
}

#endif /* _WEIR_ACCOUNT_H */
