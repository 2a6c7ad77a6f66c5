// SPDX-License-Identifier: GPL-2.0
/*
 * Charging users and namespaces for memory and objects: see account.h.
 *
 * This file owns the users in the table, and is the only one that adds to a
 * counter under a cap. It knows neither the things that are charged nor the
 * source of the caps. A charge or an uncharge takes no lock: it changes each
 * counter by compare-and-swap, and never takes it above its cap. A charge
 * changes the counters of the users first, and then the counter of the
 * namespace.
 *
 * weir_account_create() runs in process context, everything else in any
 * context.
 */
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "logic/account.h"
#include "logic/alloc.h"

/*
 * The words of a refusal: [kind][0] for a user's cap, [kind][1] for the
 * namespace's.
 */
static const char *const weir_account_words[WEIR_ACCOUNT_KINDS][2] = {
	[WEIR_ACCOUNT_BYTES] = {
		"the user's memory cap is reached",
		"the network namespace's memory cap is reached",
	},
	[WEIR_ACCOUNT_OBJECTS] = {
		"the user's cap on objects is reached",
		"the network namespace's cap on objects is reached",
	},
};

/* How many users without an account weir_users_tidy() looks at. */
#define WEIR_USERS_SCANNED	4

/*
 * Add @n, unless that takes the counter above @max. Returns whether it was
 * added.
 */
static bool weir_account_add(atomic64_t *used, u64 n, u64 max)
{
	s64 old = atomic64_read(used);

	do {
		if (n > max || (u64)old > max - n)
			return false;
	} while (!atomic64_try_cmpxchg(used, &old, old + n));
	return true;
}

/*
 * Subtract @n. If the counter is less than @n, which is a bug, it becomes zero.
 */
static void weir_account_sub(atomic64_t *used, u64 n)
{
	s64 old = atomic64_read(used);

	do {
		if (WARN_ON_ONCE(n > (u64)old))
			n = old;
	} while (!atomic64_try_cmpxchg(used, &old, old - n));
}

/* Subtract @amount from the counters of the first @n users of an account. */
static void weir_account_sub_users(struct weir_account *a, u32 n,
				   enum weir_account_kind kind, u64 amount)
{
	while (n--)
		weir_account_sub(&a->users[n]->usage.used[kind], amount);
}

/*
 * Charge @amount of one kind to all that pay in an account, or to none of them.
 * Returns 0, or -ENOBUFS with the refusal in @why.
 */
static int weir_account_charge(struct weir_account *a,
			       enum weir_account_kind kind, u64 amount,
			       const struct weir_caps *caps, const char **why)
{
	u32 i;

	if (!amount)
		return 0;	/* even if a cap is now below the amount held */
	for (i = 0; i < a->n; i++) {
		if (!weir_account_add(&a->users[i]->usage.used[kind], amount,
				      caps->user[kind])) {
			*why = weir_account_words[kind][0];
			goto err_users;
		}
	}
	if (!weir_account_add(&a->ns->used[kind], amount, caps->ns[kind])) {
		*why = weir_account_words[kind][1];
		goto err_users;
	}
	atomic64_add(amount, &a->users[0]->table->sum.used[kind]);
	return 0;

err_users:
	weir_account_sub_users(a, i, kind, amount);
	return -ENOBUFS;
}

static void weir_account_uncharge(struct weir_account *a,
				  enum weir_account_kind kind, u64 amount)
{
	weir_account_sub(&a->users[0]->table->sum.used[kind], amount);
	weir_account_sub(&a->ns->used[kind], amount);
	weir_account_sub_users(a, a->n, kind, amount);
}

/**
 * weir_usage_init() - nothing is in use yet
 * @usage: the amounts.
 */
void weir_usage_init(struct weir_usage *usage)
{
	int kind;

	for (kind = 0; kind < WEIR_ACCOUNT_KINDS; kind++)
		atomic64_set(&usage->used[kind], 0);
}

/**
 * weir_usage_destroy() - check that nothing is held any more
 * @usage: the amounts. They are no longer used, and everything has been given
 *	back.
 */
void weir_usage_destroy(struct weir_usage *usage)
{
	int kind;

	for (kind = 0; kind < WEIR_ACCOUNT_KINDS; kind++)
		WARN_ON_ONCE(atomic64_read(&usage->used[kind]));
}

static void weir_user_free(struct weir_user *user)
{
	weir_usage_destroy(&user->usage);
	if (user->number != WEIR_USER_NO_NUMBER)
		ida_free(&user->table->numbers, user->number);
	kfree(user);
}

/**
 * weir_users_init() - set up a table of users
 * @users: the table.
 */
void weir_users_init(struct weir_users *users)
{
	spin_lock_init(&users->lock);
	hash_init(users->users);
	INIT_LIST_HEAD(&users->idle);
	ida_init(&users->numbers);
	weir_usage_init(&users->sum);
}

/**
 * weir_users_destroy() - free a table of users
 * @users: the table, after the last weir_account_put().
 *
 * Frees the users that are still there without an account.
 */
void weir_users_destroy(struct weir_users *users)
{
	struct weir_user *user, *next;

	list_for_each_entry_safe(user, next, &users->idle, idle_link) {
		hash_del(&user->link);
		weir_user_free(user);
	}
	WARN_ON_ONCE(!hash_empty(users->users));
	ida_destroy(&users->numbers);
	weir_usage_destroy(&users->sum);
}

/*
 * Find the user of a uid in the table. Returns the user with a reference for
 * the caller, or NULL.
 */
static struct weir_user *weir_user_find(struct weir_users *users, kuid_t uid)
{
	struct weir_user *user;

	lockdep_assert_held(&users->lock);
	hash_for_each_possible(users->users, user, link, __kuid_val(uid)) {
		if (!uid_eq(user->uid, uid))
			continue;
		/* zero: the user is idle; the last put takes the lock, too */
		if (!refcount_inc_not_zero(&user->refs)) {
			list_del(&user->idle_link);
			refcount_set(&user->refs, 1);
		}
		return user;
	}
	return NULL;
}

/*
 * Find or make the user of a uid. Returns the user with a reference for the
 * caller; NULL: no memory. May sleep.
 */
static struct weir_user *weir_user_get(struct weir_users *users, kuid_t uid)
{
	struct weir_user *user, *new = NULL;
	unsigned long flags;

	for (;;) {
		spin_lock_irqsave(&users->lock, flags);
		user = weir_user_find(users, uid);
		if (!user && new) {
			hash_add(users->users, &new->link, __kuid_val(uid));
			user = new;
			new = NULL;
		}
		spin_unlock_irqrestore(&users->lock, flags);
		if (user) {
			if (new)
				weir_user_free(new);
			return user;
		}

		new = kzalloc(sizeof(*new), WEIR_GFP);
		if (!new)
			return NULL;
		new->number = WEIR_USER_NO_NUMBER;
		new->table = users;
		new->uid = uid;
		refcount_set(&new->refs, 1);
		mutex_init(&new->change_lock);
		weir_usage_init(&new->usage);
	}
}

/*
 * Give a user a number, if it has none. Only the first user of an account needs
 * one. If all users had one, a user with many subordinate uids could choose how
 * far the number of the next user is from its own, and so make that user share
 * its slot (weir_user_slot()). Returns 0 or -ENOMEM. May sleep.
 */
static int weir_user_number(struct weir_user *user)
{
	struct weir_users *users = user->table;
	unsigned long flags;
	bool taken = true;
	int number;

	if (READ_ONCE(user->number) != WEIR_USER_NO_NUMBER)
		return 0;
	number = ida_alloc(&users->numbers, GFP_KERNEL);
	if (number < 0)
		return -ENOMEM;
	spin_lock_irqsave(&users->lock, flags);
	if (user->number == WEIR_USER_NO_NUMBER) {
		WRITE_ONCE(user->number, number);
		taken = false;
	}
	spin_unlock_irqrestore(&users->lock, flags);
	/* another account of the user was faster */
	if (taken)
		ida_free(&users->numbers, number);
	return 0;
}

/*
 * Has the user ever used a part of its allowances? A word that is zero has
 * never been used.
 */
static bool weir_user_has_used(const struct weir_user *user)
{
	return atomic64_read(&user->patience.back_ns) ||
	       atomic64_read(&user->fence_at);
}

/* Are the user's allowances whole again, as if it had never used any? */
static bool weir_user_is_whole(const struct weir_user *user, u64 now)
{
	return weir_patience_whole(&user->patience, now) &&
	       atomic64_read(&user->fence_at) - (s64)now <= 0;
}

static void weir_user_put(struct weir_user *user)
{
	struct weir_users *users = user->table;
	bool gone, idle = false;
	unsigned long flags;

	/* the last step is under the lock: no look-up may find a dying user */
	if (refcount_dec_not_one(&user->refs))
		return;
	spin_lock_irqsave(&users->lock, flags);
	gone = refcount_dec_and_test(&user->refs);
	if (gone) {
		idle = weir_user_has_used(user);
		if (idle)
			list_add_tail(&user->idle_link, &users->idle);
		else
			hash_del(&user->link);
	}
	spin_unlock_irqrestore(&users->lock, flags);
	if (gone && !idle)
		weir_user_free(user);
}

/*
 * Free users without an account whose allowances are whole. Each call looks at
 * a few users. Only the allowances of its first user are used through an
 * account. So an account leaves at most one such user behind, and they do not
 * pile up.
 */
static void weir_users_tidy(struct weir_users *users, u64 now)
{
	struct weir_user *user;
	unsigned long flags;
	bool whole;
	u32 n;

	for (n = 0; n < WEIR_USERS_SCANNED; n++) {
		if (list_empty_careful(&users->idle))
			return;
		spin_lock_irqsave(&users->lock, flags);
		user = list_first_entry_or_null(&users->idle, struct weir_user,
						idle_link);
		whole = user && weir_user_is_whole(user, now);
		if (whole) {
			list_del(&user->idle_link);
			hash_del(&user->link);
		} else if (user) {
			list_move_tail(&user->idle_link, &users->idle);
		}
		spin_unlock_irqrestore(&users->lock, flags);
		if (whole)
			weir_user_free(user);
	}
}

/**
 * weir_account_create() - make an account of users that pay together
 * @users: the table of all users.
 * @ns: usage of the network namespace.
 * @uids: the users that pay, all different. The first one's shares of tables
 *	count.
 * @n: number of @uids, at least 1.
 * @now: the time in nanoseconds, of the clock that weir_account_may_fence(),
 *	weir_account_patience() and weir_account_waited() use.
 *
 * May sleep.
 *
 * Return: the account with a reference for the caller, or ERR_PTR(-ENOMEM).
 */
struct weir_account *weir_account_create(struct weir_users *users,
					 struct weir_usage *ns,
					 const kuid_t *uids, u32 n, u64 now)
{
	struct weir_account *a;

	weir_users_tidy(users, now);
	a = kzalloc(struct_size(a, users, n), WEIR_GFP);
	if (!a)
		return ERR_PTR(-ENOMEM);
	refcount_set(&a->refs, 1);
	a->ns = ns;
	for (; a->n < n; a->n++) {
		a->users[a->n] = weir_user_get(users, uids[a->n]);
		if (!a->users[a->n]) {
			weir_account_put(a);
			return ERR_PTR(-ENOMEM);
		}
	}
	if (weir_user_number(a->users[0])) {
		weir_account_put(a);
		return ERR_PTR(-ENOMEM);
	}
	return a;
}

/* weir_account_get() - take one more reference; any context */
void weir_account_get(struct weir_account *a)
{
	refcount_inc(&a->refs);
}

/**
 * weir_account_put() - drop a reference; the last one frees the account
 * @a: the account. When its last reference goes, everything that was charged to
 *	it has been uncharged.
 *
 * Any context.
 */
void weir_account_put(struct weir_account *a)
{
	if (!refcount_dec_and_test(&a->refs))
		return;
	while (a->n--)
		weir_user_put(a->users[a->n]);
	kfree(a);
}

/**
 * weir_charge() - charge memory and objects under all caps, or nothing
 * @c: amounts charged for the thing so far; the new amounts are added. The
 *	caller holds the lock that guards the thing.
 * @a: account that pays; the same as before, if something has been charged.
 * @bytes: how many bytes; may be 0.
 * @objects: how many objects; may be 0.
 * @caps: the caps of each user and of the namespace.
 * @why: out: on refusal, the cap that is reached, in words (a static string).
 *
 * No counter ever exceeds the cap given here, even if others charge at the same
 * time. A charge changes the counters one after another, and takes back the
 * changes if a later cap refuses it. Meanwhile an earlier cap may refuse
 * another charge that would have fitted.
 *
 * Any context.
 *
 * Return: 0, or -ENOBUFS: then nothing has changed.
 */
int weir_charge(struct weir_charge *c, struct weir_account *a, u64 bytes,
		u64 objects, const struct weir_caps *caps, const char **why)
{
	int err;

	err = weir_account_charge(a, WEIR_ACCOUNT_OBJECTS, objects, caps, why);
	if (err)
		return err;
	err = weir_account_charge(a, WEIR_ACCOUNT_BYTES, bytes, caps, why);
	if (err) {
		if (objects)
			weir_account_uncharge(a, WEIR_ACCOUNT_OBJECTS, objects);
		return err;
	}
	if (!c->account) {
		weir_account_get(a);
		c->account = a;
	}
	WARN_ON_ONCE(c->account != a);
	c->used[WEIR_ACCOUNT_BYTES] += bytes;
	c->used[WEIR_ACCOUNT_OBJECTS] += objects;
	return 0;
}

/**
 * weir_uncharge_some() - give back a part of a charge
 * @c: amounts charged for the thing; not empty.
 * @bytes: how many bytes, at most those in @c.
 * @objects: how many objects, at most those in @c.
 *
 * The charge keeps its reference on the account. Any context.
 */
void weir_uncharge_some(struct weir_charge *c, u64 bytes, u64 objects)
{
	c->used[WEIR_ACCOUNT_BYTES] -= bytes;
	c->used[WEIR_ACCOUNT_OBJECTS] -= objects;
	weir_account_uncharge(c->account, WEIR_ACCOUNT_BYTES, bytes);
	weir_account_uncharge(c->account, WEIR_ACCOUNT_OBJECTS, objects);
}

/**
 * weir_uncharge() - give back all of a charge
 * @c: amounts charged for the thing; may be empty; empty afterwards.
 *
 * Any context.
 */
void weir_uncharge(struct weir_charge *c)
{
	struct weir_account *a = c->account;

	if (!a)
		return;
	weir_uncharge_some(c, c->used[WEIR_ACCOUNT_BYTES],
			   c->used[WEIR_ACCOUNT_OBJECTS]);
	c->account = NULL;
	weir_account_put(a);
}

static unsigned long weir_tally_of(const struct weir_tally *t, kuid_t user)
{
	void *entry = xa_load((struct xarray *)&t->users, __kuid_val(user));

	return entry ? xa_to_value(entry) : 0;
}

/* weir_tally_init() - set up a tally in which no user has an entry */
void weir_tally_init(struct weir_tally *t)
{
	t->total = 0;
	xa_init_flags(&t->users, XA_FLAGS_ACCOUNT);
}

/* weir_tally_destroy() - free a tally with all that is in it */
void weir_tally_destroy(struct weir_tally *t)
{
	xa_destroy(&t->users);
}

/**
 * weir_tally_full() - has a user used up its share of a shared table?
 * @t: the tally of the table.
 * @user: uid of the user.
 * @size: number of entries that the table may have.
 *
 * Return: true if the user may have no more entries; see weir_share().
 */
bool weir_tally_full(const struct weir_tally *t, kuid_t user, u32 size)
{
	unsigned long own = weir_tally_of(t, user);

	return own >= weir_share(size, t->total - own);
}

/**
 * weir_tally_add() - count one more entry for a user
 * @t: the tally of the table.
 * @user: uid of the user.
 * @gfp: GFP flags for the memory that counts this user.
 *
 * Return: 0 or -ENOMEM; then nothing has changed.
 */
int weir_tally_add(struct weir_tally *t, kuid_t user, gfp_t gfp)
{
	void *entry = xa_mk_value(weir_tally_of(t, user) + 1);
	int err = xa_err(xa_store(&t->users, __kuid_val(user), entry, gfp));

	if (!err)
		t->total++;
	return err;
}

/**
 * weir_tally_sub() - count one entry less for a user
 * @t: the tally of the table.
 * @user: uid of the user, who has at least one entry.
 */
void weir_tally_sub(struct weir_tally *t, kuid_t user)
{
	unsigned long own = weir_tally_of(t, user);

	if (WARN_ON_ONCE(!own))
		return;
	/* the user is in the array, so this needs no memory */
	xa_store(&t->users, __kuid_val(user),
		 own > 1 ? xa_mk_value(own - 1) : NULL, 0);
	t->total--;
}

/**
 * weir_account_may_fence() - may a user have other CPUs interrupted once more?
 * @a: the account; its first user's allowance counts.
 * @now: the time in nanoseconds, of a clock that only goes forward.
 *
 * A user may have one barrier in each WEIR_FENCE_NS, and WEIR_FENCE_BURST
 * barriers at once. Any context.
 *
 * Return: true if the user may; then one barrier of the allowance is used up.
 */
bool weir_account_may_fence(const struct weir_account *a, u64 now)
{
	struct weir_user *user = a->users[0];
	s64 at = atomic64_read(&user->fence_at);

	do {
		if (at - (s64)now > (s64)(WEIR_FENCE_NS *
					  (WEIR_FENCE_BURST - 1)))
			return false;
	} while (!atomic64_try_cmpxchg(&user->fence_at, &at,
				       max_t(s64, at, now) +
				       (s64)WEIR_FENCE_NS));
	return true;
}

/**
 * weir_account_patience() - how long others may wait for a user now
 * @a: the account; its first user's patience counts.
 * @most_ns: how long, if nobody has waited for the user lately.
 * @now: the time in nanoseconds, of a clock that only goes forward.
 *
 * Any context.
 *
 * Return: nanoseconds, 0 to @most_ns.
 */
u64 weir_account_patience(const struct weir_account *a, u64 most_ns, u64 now)
{
	return weir_patience_left(&a->users[0]->patience, most_ns, now);
}

/**
 * weir_account_waited() - use up a user's patience after others waited for it
 * @a: the account; its first user's patience is used up.
 * @now: the time in nanoseconds after the wait, same clock as
 *	weir_account_patience().
 * @waited_ns: length of the wait in nanoseconds; at most a day.
 *
 * Any context.
 */
void weir_account_waited(const struct weir_account *a, u64 now, u64 waited_ns)
{
	weir_patience_use(&a->users[0]->patience, now, waited_ns);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_usage_init);
EXPORT_SYMBOL_IF_KUNIT(weir_usage_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_users_init);
EXPORT_SYMBOL_IF_KUNIT(weir_users_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_account_create);
EXPORT_SYMBOL_IF_KUNIT(weir_account_get);
EXPORT_SYMBOL_IF_KUNIT(weir_account_put);
EXPORT_SYMBOL_IF_KUNIT(weir_charge);
EXPORT_SYMBOL_IF_KUNIT(weir_uncharge);
EXPORT_SYMBOL_IF_KUNIT(weir_uncharge_some);
EXPORT_SYMBOL_IF_KUNIT(weir_tally_init);
EXPORT_SYMBOL_IF_KUNIT(weir_tally_destroy);
EXPORT_SYMBOL_IF_KUNIT(weir_tally_full);
EXPORT_SYMBOL_IF_KUNIT(weir_tally_add);
EXPORT_SYMBOL_IF_KUNIT(weir_tally_sub);
EXPORT_SYMBOL_IF_KUNIT(weir_account_may_fence);
EXPORT_SYMBOL_IF_KUNIT(weir_account_patience);
EXPORT_SYMBOL_IF_KUNIT(weir_account_waited);
#endif
