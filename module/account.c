// SPDX-License-Identifier: GPL-2.0
/*
 * Charging users and namespaces for memory and objects: see account.h.
 *
 * Owns the accounts and the one way to add to a counter under a cap. It knows
 * neither what is charged nor where the caps come from, and takes no lock on a
 * charge or uncharge: two counters, each a compare-and-swap that never passes
 * its cap, the user's first and then the namespace's.
 *
 * Called by ring.c, path.c, reader.c and socket.c; weir_account_get() in
 * process context, everything else in any.
 */
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/slab.h>

#include "account.h"

/* The words of a refusal: [kind][0] is the user's cap, [1] the namespace's. */
static const char *const account_words[WEIR_ACCOUNT_KINDS][2] = {
	[WEIR_ACCOUNT_BYTES] = {
		"the user's memory cap is reached",
		"the network namespace's memory cap is reached",
	},
	[WEIR_ACCOUNT_OBJECTS] = {
		"the user's cap on objects is reached",
		"the network namespace's cap on objects is reached",
	},
};

/* Add @n unless that takes the counter over @max. */
static bool account_add(atomic64_t *used, u64 n, u64 max)
{
	s64 old = atomic64_read(used);

	do {
		if (n > max || (u64)old > max - n)
			return false;
	} while (!atomic64_try_cmpxchg(used, &old, old + n));
	return true;
}

/* Take @n off; more than there is would be a bug of ours, and takes it all. */
static void account_sub(atomic64_t *used, u64 n)
{
	s64 old = atomic64_read(used);

	do {
		if (WARN_ON_ONCE(n > (u64)old))
			n = old;
	} while (!atomic64_try_cmpxchg(used, &old, old - n));
}

static int account_charge(struct weir_account *a, enum weir_account_kind kind,
			  u64 n, u64 user_max, u64 ns_max, const char **why)
{
	if (!n)
		return 0;	/* also when a cap has sunk below what is held */
	if (!account_add(&a->used[kind], n, user_max)) {
		*why = account_words[kind][0];
		return -ENOBUFS;
	}
	if (!account_add(&a->as->used[kind], n, ns_max)) {
		account_sub(&a->used[kind], n);
		*why = account_words[kind][1];
		return -ENOBUFS;
	}
	return 0;
}

static void account_uncharge(struct weir_account *a,
			     enum weir_account_kind kind, u64 n)
{
	account_sub(&a->as->used[kind], n);
	account_sub(&a->used[kind], n);
}

/**
 * weir_accounts_init() - set up a namespace's accounts
 * @as: the accounts.
 */
void weir_accounts_init(struct weir_accounts *as)
{
	int kind;

	spin_lock_init(&as->lock);
	hash_init(as->users);
	for (kind = 0; kind < WEIR_ACCOUNT_KINDS; kind++)
		atomic64_set(&as->used[kind], 0);
}

/**
 * weir_accounts_destroy() - the namespace's accounts are no longer needed
 * @as: the accounts, after the last weir_account_put().
 */
void weir_accounts_destroy(struct weir_accounts *as)
{
	int kind;

	WARN_ON_ONCE(!hash_empty(as->users));
	for (kind = 0; kind < WEIR_ACCOUNT_KINDS; kind++)
		WARN_ON_ONCE(atomic64_read(&as->used[kind]));
}

/* Those in the table have a reference: the last put holds the lock too. */
static struct weir_account *account_find(struct weir_accounts *as, kuid_t uid)
{
	struct weir_account *a;

	lockdep_assert_held(&as->lock);
	hash_for_each_possible(as->users, a, link, __kuid_val(uid))
		if (uid_eq(a->uid, uid))
			return a;
	return NULL;
}

/**
 * weir_account_get() - the account of a user, made if there is none
 * @as: the namespace's accounts.
 * @uid: the user.
 *
 * May sleep.
 *
 * Return: the account with a reference for the caller, or ERR_PTR(-ENOMEM).
 */
struct weir_account *weir_account_get(struct weir_accounts *as, kuid_t uid)
{
	struct weir_account *a, *new = NULL;
	unsigned long flags;

	for (;;) {
		spin_lock_irqsave(&as->lock, flags);
		a = account_find(as, uid);
		if (a) {
			refcount_inc(&a->refs);
		} else if (new) {
			hash_add(as->users, &new->link, __kuid_val(uid));
			a = new;
			new = NULL;
		}
		spin_unlock_irqrestore(&as->lock, flags);
		if (a) {
			kfree(new);
			return a;
		}

		new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
		if (!new)
			return ERR_PTR(-ENOMEM);
		new->as = as;
		new->uid = uid;
		refcount_set(&new->refs, 1);
	}
}

/**
 * weir_account_put() - drop a reference
 * @a: the account; gone with its last reference. By then all that was charged
 *	has been uncharged.
 *
 * Any context.
 */
void weir_account_put(struct weir_account *a)
{
	struct weir_accounts *as = a->as;
	unsigned long flags;
	bool gone;
	int kind;

	/* the last step is under the lock, so that no get finds the dying */
	if (refcount_dec_not_one(&a->refs))
		return;
	spin_lock_irqsave(&as->lock, flags);
	gone = refcount_dec_and_test(&a->refs);
	if (gone)
		hash_del(&a->link);
	spin_unlock_irqrestore(&as->lock, flags);
	if (!gone)
		return;

	for (kind = 0; kind < WEIR_ACCOUNT_KINDS; kind++) {
		u64 left = weir_account_used(a, kind);

		/* keep the namespace's sum true all the same */
		if (WARN_ON_ONCE(left))
			account_uncharge(a, kind, left);
	}
	kfree(a);
}

/**
 * weir_account_charge() - take memory under both caps, or nothing
 * @a: the user's account.
 * @bytes: how much; 0 always succeeds.
 * @user_max: cap of the user.
 * @ns_max: cap of the network namespace.
 * @why: out: on refusal, which cap in words (a static string).
 *
 * Neither counter ever exceeds the cap given here, whoever else charges. While
 * one charge is being refused by the namespace's cap, another of the same user
 * may be refused by the user's although it would have fitted.
 *
 * Any context.
 *
 * Return: 0 or -ENOBUFS.
 */
int weir_account_charge(struct weir_account *a, u64 bytes, u64 user_max,
			u64 ns_max, const char **why)
{
	return account_charge(a, WEIR_ACCOUNT_BYTES, bytes, user_max, ns_max,
			      why);
}

/**
 * weir_account_uncharge() - give memory back
 * @a: the account that was charged.
 * @bytes: at most what was charged.
 *
 * Any context.
 */
void weir_account_uncharge(struct weir_account *a, u64 bytes)
{
	account_uncharge(a, WEIR_ACCOUNT_BYTES, bytes);
}

/**
 * weir_account_charge_objects() - take objects under both caps, or nothing
 * @a: the user's account.
 * @n: how many; 0 always succeeds.
 * @user_max: cap of the user.
 * @ns_max: cap of the network namespace.
 * @why: out: on refusal, which cap in words (a static string).
 *
 * As weir_account_charge(). Any context.
 *
 * Return: 0 or -ENOBUFS.
 */
int weir_account_charge_objects(struct weir_account *a, u64 n, u64 user_max,
				u64 ns_max, const char **why)
{
	return account_charge(a, WEIR_ACCOUNT_OBJECTS, n, user_max, ns_max,
			      why);
}

/**
 * weir_account_uncharge_objects() - give objects back
 * @a: the account that was charged.
 * @n: at most what was charged.
 *
 * Any context.
 */
void weir_account_uncharge_objects(struct weir_account *a, u64 n)
{
	account_uncharge(a, WEIR_ACCOUNT_OBJECTS, n);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_accounts_init);
EXPORT_SYMBOL_IF_KUNIT(weir_accounts_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_account_get);
EXPORT_SYMBOL_IF_KUNIT(weir_account_put);
EXPORT_SYMBOL_IF_KUNIT(weir_account_charge);
EXPORT_SYMBOL_IF_KUNIT(weir_account_uncharge);
EXPORT_SYMBOL_IF_KUNIT(weir_account_charge_objects);
EXPORT_SYMBOL_IF_KUNIT(weir_account_uncharge_objects);
#endif
