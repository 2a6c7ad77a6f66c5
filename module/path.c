// SPDX-License-Identifier: GPL-2.0
/*
 * Names in use: their owners, their permissions, and the streams published
 * under them. A path exists while a publisher, a lingering stream, a listener,
 * a route or a pattern below uses it. Its owner, group and mode bits work like
 * those of a file: read permission to subscribe; write permission to publish,
 * listen, connect and call; execute permission or ownership to serve.
 *
 * A new name must not take anything from another user. Its creator needs
 * - the consent of each pattern that shares paths with the name: the creator
 *   owns the pattern or has execute permission on it;
 * - write permission on the nearest used name above, so that nobody puts a
 *   publisher into the tree of another user. Not needed if the owner of that
 *   name has consented as the owner of a pattern;
 * - for a pattern: to own the path above its first wildcard, its prefix. No
 *   name of another user may be below that prefix.
 * A pattern holds its prefix. CAP_NET_ADMIN overrides all these rules. Patterns
 * below one prefix have at most WEIR_FORMS_MAX forms, so a path is found with
 * any set of patterns.
 *
 * Process context, under weir_net.lock. After -ENOMEM the caller tries again
 * after weir_memory_prime().
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/forms.h"
#include "logic/trie.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "path.h"
#include "stats.h"
#include "weir.h"

/**
 * weir_path_permits() - may an owner use a path?
 * @o: the owner; its credentials count, not the caller's.
 * @path: the path, under weir_net.lock or rcu_read_lock().
 * @access: MAY_READ, MAY_WRITE or MAY_EXEC.
 *
 * Return: true if the mode bits or CAP_NET_ADMIN permit it.
 */
bool weir_path_permits(struct weir_owner *o, const struct weir_path *path,
		       int access)
{
	const struct cred *old = override_creds(o->cred);
	umode_t mode = READ_ONCE(path->mode);
	bool ok;

	if (uid_eq(o->cred->fsuid, path->uid))
		mode >>= 6;
	else if (in_group_p(READ_ONCE(path->gid)))
		mode >>= 3;
	ok = (mode & access) == access ||
	     ns_capable(o->wn->net->user_ns, CAP_NET_ADMIN);
	revert_creds(old);
	return ok;
}

/**
 * weir_path_owns() - may an owner change a path's targets?
 * @o: the owner.
 * @path: the path.
 *
 * Return: true for the owner of the path and with CAP_NET_ADMIN.
 */
bool weir_path_owns(struct weir_owner *o, const struct weir_path *path)
{
	return uid_eq(o->cred->fsuid, path->uid) || weir_owner_admin(o);
}

/*
 * May an owner serve a path? Write permission must not be enough to read the
 * requests of other users. Serving needs ownership, execute permission or
 * CAP_NET_ADMIN.
 */
static bool weir_path_may_serve(struct weir_owner *o,
				const struct weir_path *path)
{
	return uid_eq(o->cred->fsuid, path->uid) ||
	       weir_path_permits(o, path, MAY_EXEC);
}

/**
 * weir_path_succeeds() - may a path replace an earlier one of the same name?
 * @path: the path, under weir_net.lock or rcu_read_lock().
 * @owner: owner of the earlier path.
 *
 * This check protects readers and callers while an owner restarts: without it,
 * another user could take the name and would be taken for the owner.
 *
 * Return: true if @owner made the path or let its creator make it, or if the
 * creator had CAP_NET_ADMIN.
 */
bool weir_path_succeeds(const struct weir_path *path, kuid_t owner)
{
	return uid_eq(path->uid, owner) || uid_eq(path->grantor, owner) ||
	       path->trusted;
}

struct weir_path *weir_path_find(struct weir_net *wn, const char *name,
				 u32 len)
{
	struct weir_trie_node *node;

	lockdep_assert_held(&wn->lock);
	node = weir_trie_find(&wn->paths, name, len);
	return node ? weir_trie_item(node) : NULL;
}

static bool weir_path_usable(struct weir_owner *o, const struct weir_path *path,
			     enum weir_use use)
{
	switch (use) {
	case WEIR_USE_PUBLISH:
		return weir_path_permits(o, path, MAY_WRITE);
	case WEIR_USE_SERVE:
		return weir_path_may_serve(o, path);
	case WEIR_USE_OWN:
		return weir_path_owns(o, path);
	case WEIR_USE_BEHIND:
		return weir_path_may_serve(o, path) &&
		       weir_path_permits(o, path, MAY_WRITE);
	case WEIR_USE_CONTROL:
		return true;
	}
	return false;
}

/* Returns @err with an error text, and counts the refusal as denied. */
static int weir_path_deny(struct weir_owner *o, const char *name, int err,
			  const char *why)
{
	weir_drop(name, WEIR_REASON_DENIED);
	return weir_owner_refuse(o, err, why);
}

/* --- new names ------------------------------------------------------------ */

/**
 * struct weir_consent - the patterns that share paths with a new name
 * @o: owner that makes the name.
 * @grantor: owner of the first pattern found, the most specific one; the user
 *	of @o without one.
 * @any: a pattern was found.
 */
struct weir_consent {
	struct weir_owner *o;
	kuid_t grantor;
	bool any;
};

static int weir_pattern_consents(void *item, void *ctx)
{
	struct weir_consent *consent = ctx;
	struct weir_path *pattern = item;

	if (!weir_path_may_serve(consent->o, pattern))
		return -EACCES;
	if (!consent->any)
		consent->grantor = pattern->uid;
	consent->any = true;
	return 0;
}

static int weir_path_is_others(void *item, void *ctx)
{
	struct weir_path *path = item;
	struct weir_owner *o = ctx;

	return uid_eq(path->uid, o->uid) ? 0 : -EACCES;
}

/*
 * May an owner make a name? Returns 0 with the grantor, or a negative errno
 * with an error text.
 */
static int weir_path_judge(struct weir_owner *o, const char *name, u32 len,
			   const struct weir_trie_node *node, kuid_t *grantor)
{
	struct weir_consent consent = { .o = o, .grantor = o->uid };
	struct weir_path *above = weir_trie_parent_item(node);
	int err;

	err = weir_trie_match_overlaps(&o->wn->paths, name, len,
				       weir_pattern_consents, &consent);
	if (err == -EACCES)
		return weir_path_deny(o, name, err,
				      "a pattern that somebody serves has this name, and its mode does not permit it");
	if (err)
		return weir_owner_refuse(o, err,
					 "more patterns have this name than are looked at");
	/* permission to serve a pattern permits names that match it */
	if (above && !(consent.any && uid_eq(consent.grantor, above->uid)) &&
	    !weir_path_permits(o, above, MAY_WRITE))
		return weir_path_deny(o, name, -EACCES,
				      "the mode of a path above does not permit it");
	*grantor = consent.grantor;
	return 0;
}

static struct weir_path *weir_path_make(struct weir_owner *o, const char *name,
					u32 len, umode_t mode, bool admin);

/* May an owner claim all names below a path with a pattern? */
static int weir_prefix_judge(struct weir_owner *o, struct weir_path *prefix)
{
	int err;

	if (!uid_eq(prefix->uid, o->uid))
		return weir_path_deny(o, prefix->name, -EACCES,
				      "the path above the first wildcard is another user's");
	if (!prefix->shadows)
		return 0;
	err = weir_trie_below(&o->wn->paths, prefix->node, weir_path_is_others,
			      o);
	if (err == -EACCES)
		return weir_path_deny(o, prefix->name, err,
				      "there are names of other users below the path above the first wildcard");
	if (err)
		return weir_owner_refuse(o, -ENOSPC,
					 "there are too many names below the path above the first wildcard to see whose they are: serve the pattern first");
	/* names made from here on need the owner's permission */
	prefix->shadows = false;
	return 0;
}

/* Makes the forms for the first pattern below a path; its creator pays. */
static int weir_prefix_forms(struct weir_owner *o, struct weir_path *prefix)
{
	int err = weir_charge_owner(&prefix->forms_charge, o,
				    sizeof(*prefix->forms), 0);

	if (err)
		return err;
	prefix->forms = kzalloc(sizeof(*prefix->forms), WEIR_GFP_NOWAIT);
	if (prefix->forms)
		return 0;
	weir_uncharge(&prefix->forms_charge);
	return weir_owner_refuse(o, -ENOMEM, "no memory for the pattern");
}

/* Adds a pattern below its prefix. */
static int weir_prefix_add(struct weir_owner *o, struct weir_path *prefix,
			   const char *name, u32 len)
{
	int err = prefix->forms ? 0 : weir_prefix_forms(o, prefix);

	if (err)
		return err;
	if (weir_forms_add(prefix->forms, name, len))
		return weir_owner_refuse(o, -ENOSPC,
					 "patterns of too many forms have the same path above the first wildcard");
	prefix->patterns++;
	return 0;
}

/* Finds or makes the path above a pattern's first wildcard; held. */
static struct weir_path *weir_prefix_get(struct weir_owner *o, const char *name,
					 u32 len, bool admin)
{
	u32 above = weir_path_prefix(name, len);
	struct weir_path *prefix;
	int err;

	if (!above && admin)
		return NULL;
	if (!above)
		return ERR_PTR(weir_path_deny(o, name, -EPERM,
					      "a pattern at the top level needs CAP_NET_ADMIN"));
	prefix = weir_path_find(o->wn, name, above);
	if (prefix)
		prefix->users++;
	else
		prefix = weir_path_make(o, name, above, o->mode & ~0033,
					admin);
	if (IS_ERR(prefix))
		return prefix;
	err = admin ? 0 : weir_prefix_judge(o, prefix);
	if (!err)
		err = weir_prefix_add(o, prefix, name, len);
	if (err) {
		weir_path_put(prefix);
		return ERR_PTR(err);
	}
	return prefix;
}

/* Removes a pattern from its prefix and puts the prefix. */
static void weir_prefix_put(struct weir_path *prefix, const char *name, u32 len)
{
	if (!prefix)
		return;
	weir_forms_remove(prefix->forms, name, len);
	if (!--prefix->patterns) {
		kfree(prefix->forms);
		prefix->forms = NULL;
		weir_uncharge(&prefix->forms_charge);
	}
	weir_path_put(prefix);
}

/* Fills a new path, except its name. */
static void weir_path_fill(struct weir_path *path, struct weir_owner *o,
			   struct weir_trie_node *node, umode_t mode,
			   bool admin)
{
	path->wn = o->wn;
	path->node = node;
	path->uid = o->uid;
	path->gid = o->gid;
	path->mode = mode;
	path->trusted = admin;
	path->shadows = !list_empty(&node->children);
	path->users = 1;
	INIT_LIST_HEAD(&path->rings);
}

/* @admin: the creator has CAP_NET_ADMIN. Returns as weir_path_get(). */
static struct weir_path *weir_path_make(struct weir_owner *o, const char *name,
					u32 len, umode_t mode, bool admin)
	__must_hold(&o->wn->lock)
{
	struct weir_net *wn = o->wn;
	struct weir_trie_node *node;
	struct weir_path *path;
	int err;

	lockdep_assert_held(&o->wn->lock);
	path = kzalloc(sizeof(*path), WEIR_GFP_NOWAIT);
	if (!path)
		return ERR_PTR(weir_owner_refuse(o, -ENOMEM, "no memory for the path"));
	err = weir_charge_owner(&path->charge, o,
				sizeof(*path) + weir_name_bytes(name, len), 1);
	if (err)
		goto err_free;
	if (weir_path_is_pattern(name, len)) {
		path->prefix = weir_prefix_get(o, name, len, admin);
		if (IS_ERR(path->prefix)) {
			err = PTR_ERR(path->prefix);
			goto err_uncharge;
		}
	}
	node = weir_trie_insert(&wn->paths, name, len);
	if (IS_ERR(node)) {
		err = weir_owner_refuse(o, PTR_ERR(node),
					"the path cannot be entered");
		goto err_prefix;
	}
	path->grantor = o->uid;
	err = admin ? 0 : weir_path_judge(o, name, len, node, &path->grantor);
	if (err)
		goto err_remove;
	path->id = atomic_long_inc_return(&wn->next_id);
	err = xa_insert(&wn->path_ids, path->id, path, WEIR_GFP_NOWAIT);
	if (err) {
		weir_owner_refuse(o, err, "no memory for the path");
		goto err_remove;
	}
	weir_path_fill(path, o, node, mode, admin);
	path->len = len;
	memcpy(path->name, name, len);
	weir_trie_set_item(node, path);
	return path;

err_remove:
	weir_trie_remove(&wn->paths, node);
err_prefix:
	weir_prefix_put(path->prefix, name, len);
err_uncharge:
	weir_uncharge(&path->charge);
err_free:
	kfree(path);
	return ERR_PTR(err);
}

/**
 * weir_path_make_prefix() - make a pattern's prefix before the pattern itself
 * @o: owner that makes them.
 * @name: a path or pattern; may be invalid.
 * @len: its bytes.
 *
 * Each new name is compared with many others. Two new names would hold the lock
 * for too long, so the prefix is made on its own. Takes weir_net.lock and
 * releases it.
 *
 * Return: the path above the first wildcard, held; the caller puts it with
 * weir_path_drop() when the pattern holds it. NULL: there is nothing to make.
 * An ERR_PTR with an error text, as weir_path_get().
 */
struct weir_path *weir_path_make_prefix(struct weir_owner *o, const char *name,
					u32 len)
{
	u32 above = weir_path_prefix(name, len);
	struct weir_path *prefix = NULL;
	const char *why;
	bool admin;

	if (!above || above == len || weir_path_check(name, len, true, &why))
		return NULL;
	admin = weir_owner_admin(o);
	mutex_lock(&o->wn->lock);
	if (!weir_path_find(o->wn, name, above))
		prefix = weir_path_make(o, name, above, o->mode & ~0033,
					admin);
	mutex_unlock(&o->wn->lock);
	return prefix;
}

/* weir_path_drop() - put a path, if not NULL. Takes weir_net.lock. */
void weir_path_drop(struct weir_owner *o, struct weir_path *path)
{
	if (!path)
		return;
	mutex_lock(&o->wn->lock);
	weir_path_put(path);
	mutex_unlock(&o->wn->lock);
}

/*
 * Gives a path that only patterns have held the mode and group that @o gives,
 * as if @o had made it. For the path's owner only.
 */
static void weir_path_adopt(struct weir_owner *o, struct weir_path *path)
{
	if (path->users != path->patterns || !uid_eq(path->uid, o->uid))
		return;
	WRITE_ONCE(path->mode, o->mode);
	WRITE_ONCE(path->gid, o->gid);
}

/**
 * weir_path_get() - find or make a path
 * @o: the owner; its options give a new path's mode and group.
 * @name: the path's name.
 * @len: bytes of @name.
 * @use: how @o wants to use the path.
 *
 * The caller holds weir_net.lock.
 *
 * Return: the path with one more user, or an ERR_PTR with an error text. After
 * -ENOMEM the caller releases the lock, asks weir_memory_prime() and tries
 * again.
 */
struct weir_path *weir_path_get(struct weir_owner *o, const char *name,
				u32 len, enum weir_use use)
	__must_hold(&o->wn->lock)
{
	struct weir_path *path;
	const char *why;
	int err;

	lockdep_assert_held(&o->wn->lock);
	path = weir_path_find(o->wn, name, len);
	/* the name of an existing path is valid */
	err = !path || use == WEIR_USE_PUBLISH ?
	      weir_path_check(name, len, use != WEIR_USE_PUBLISH, &why) : 0;
	if (err)
		return ERR_PTR(weir_owner_refuse(o, err, why));
	if (!path)
		return weir_path_make(o, name, len, o->mode,
				      use == WEIR_USE_CONTROL ||
				      weir_owner_admin(o));
	weir_path_adopt(o, path);
	if (!weir_path_usable(o, path, use))
		return ERR_PTR(weir_path_deny(o, name, -EACCES,
					      "the path's mode does not permit it"));
	path->users++;
	return path;
}

/* Drops one user. The last one removes the name. */
void weir_path_put(struct weir_path *path)
	__must_hold(&path->wn->lock)
{
	struct weir_net *wn = path->wn;

	lockdep_assert_held(&wn->lock);
	if (--path->users) {
		/* only patterns hold it: it is a mere prefix again */
		if (path->users == path->patterns)
			WRITE_ONCE(path->mode, path->mode & ~0033);
		return;
	}
	WARN_ON_ONCE(!list_empty(&path->rings) || path->listener);
	weir_trie_set_item(path->node, NULL);
	weir_trie_remove(&wn->paths, path->node);
	xa_erase(&wn->path_ids, path->id);
	weir_uncharge(&path->charge);
	weir_prefix_put(path->prefix, path->name, path->len);
	kfree_rcu(path, rcu);	/* senders look up its route */
}
