// SPDX-License-Identifier: GPL-2.0
/*
 * Names in use: who made them, who may use them, what is published under them.
 * A path exists while a publisher, a lingering stream, a listener or a route
 * has it. Its owner, group and mode bits are those of a file: read permission
 * to subscribe; write permission to publish, listen, connect and call; execute
 * permission, or to be its owner, to serve. A new name below
 * a name in use needs write permission on the nearest such ancestor, so that
 * nobody can slip a publisher under somebody else's tree.
 *
 * Process context, under weir_net.lock.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "weir.h"

/**
 * weir_path_permits() - may the maker of a socket use a path?
 * @ws: the socket; its creator's credentials count, whoever calls.
 * @path: the path.
 * @access: MAY_READ or MAY_WRITE.
 */
bool weir_path_permits(struct weir_sock *ws, const struct weir_path *path,
		       int access)
{
	const struct cred *old = override_creds(ws->cred);
	umode_t mode = path->mode;
	bool ok;

	if (uid_eq(ws->cred->fsuid, path->uid))
		mode >>= 6;
	else if (in_group_p(path->gid))
		mode >>= 3;
	ok = (mode & access) == access ||
	     ns_capable(sock_net(&ws->sk)->user_ns, CAP_NET_ADMIN);
	revert_creds(old);
	return ok;
}

/**
 * weir_path_may_serve() - may the maker of a socket take a path's requests?
 * @ws: the socket.
 * @path: the path.
 *
 * Who may send there must not for that be able to read what others send: so
 * it takes the owner, execute permission or CAP_NET_ADMIN.
 */
bool weir_path_may_serve(struct weir_sock *ws, const struct weir_path *path)
{
	return uid_eq(ws->cred->fsuid, path->uid) ||
	       weir_path_permits(ws, path, MAY_EXEC);
}

struct weir_path *weir_path_find(struct weir_net *wn, const char *name,
				 u32 len)
{
	struct weir_trie_node *node;

	lockdep_assert_held(&wn->lock);
	node = weir_trie_find(&wn->paths, name, len);
	return node ? weir_trie_item(node) : NULL;
}

static bool weir_path_usable(struct weir_sock *ws, const struct weir_path *path,
			     enum weir_use use)
{
	switch (use) {
	case WEIR_USE_PUBLISH:
		return weir_path_permits(ws, path, MAY_WRITE);
	case WEIR_USE_SERVE:
		return weir_path_may_serve(ws, path);
	case WEIR_USE_CONTROL:
		return true;
	}
	return false;
}

/**
 * weir_path_get() - find or make a path
 * @ws: for whom; its options give a new path's mode and group.
 * @name: its bytes.
 * @len: how many.
 * @use: what for.
 *
 * Returns the path with one more user, or an ERR_PTR with words.
 */
struct weir_path *weir_path_get(struct weir_sock *ws, const char *name,
				u32 len, enum weir_use use)
{
	struct weir_net *wn = ws->wn;
	struct weir_path *path, *above;
	struct weir_trie_node *node;
	const char *why;
	int err;

	lockdep_assert_held(&wn->lock);
	err = weir_path_check(name, len, use != WEIR_USE_PUBLISH, &why);
	if (err)
		return ERR_PTR(weir_refuse(ws, err, why));
	path = weir_path_find(wn, name, len);
	if (path) {
		if (!weir_path_usable(ws, path, use)) {
			weir_drop(name, WEIR_REASON_DENIED);
			return ERR_PTR(weir_refuse(ws, -EACCES,
						   "the path's mode does not permit it"));
		}
		path->users++;
		return path;
	}

	path = kzalloc(sizeof(*path), GFP_KERNEL_ACCOUNT);
	if (!path)
		return ERR_PTR(weir_refuse(ws, -ENOMEM, "no memory for the path"));
	err = weir_charge_sock(&path->charge, ws, 0, 1);
	if (err)
		goto err_free;
	node = weir_trie_insert(&wn->paths, name, len);
	if (IS_ERR(node)) {
		err = weir_refuse(ws, PTR_ERR(node),
				  "the path cannot be entered");
		goto err_uncharge;
	}
	above = weir_trie_parent_item(node);
	if (above && use != WEIR_USE_CONTROL &&
	    !weir_path_permits(ws, above, MAY_WRITE)) {
		weir_drop(name, WEIR_REASON_DENIED);
		err = weir_refuse(ws, -EACCES,
				  "the mode of a path above does not permit it");
		goto err_remove;
	}
	path->id = atomic_long_inc_return(&wn->next_id);
	err = xa_insert(&wn->path_ids, path->id, path, GFP_KERNEL_ACCOUNT);
	if (err) {
		weir_refuse(ws, err, "no memory for the path");
		goto err_remove;
	}
	path->wn = wn;
	path->node = node;
	path->uid = ws->uid;
	path->gid = ws->gid_set ? ws->gid : ws->cred->fsgid;
	path->mode = ws->mode;
	path->users = 1;
	INIT_LIST_HEAD(&path->rings);
	path->len = len;
	memcpy(path->name, name, len);
	weir_trie_set_item(node, path);
	return path;

err_remove:
	weir_trie_remove(&wn->paths, node);
err_uncharge:
	weir_uncharge(&path->charge);
err_free:
	kfree(path);
	return ERR_PTR(err);
}

/* One user less; the last one takes the name out of the trie. */
void weir_path_put(struct weir_path *path)
{
	struct weir_net *wn = path->wn;

	lockdep_assert_held(&wn->lock);
	if (--path->users)
		return;
	WARN_ON_ONCE(!list_empty(&path->rings) || path->listener);
	weir_trie_set_item(path->node, NULL);
	weir_trie_remove(&wn->paths, path->node);
	xa_erase(&wn->path_ids, path->id);
	weir_uncharge(&path->charge);
	kfree_rcu(path, rcu);	/* senders look its route up */
}
