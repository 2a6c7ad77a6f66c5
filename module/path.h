/* SPDX-License-Identifier: GPL-2.0 */
/* Names in use, and the permissions to use them: see path.c. */
#ifndef _WEIR_PATH_H
#define _WEIR_PATH_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/uidgid.h>

#include "logic/account.h"
#include "weir.h"

struct weir_trie_node;

/**
 * struct weir_path - a name that is in use
 */
struct weir_path {
	/** @wn: namespace; weir_net.lock guards all members. */
	struct weir_net *wn;
	/** @node: place in the trie. */
	struct weir_trie_node *node;
	/** @id: for WEIR_IOC_LIST, also the id of the path's route. */
	u64 id;
	/** @charge: for one object and its memory; fixed. */
	struct weir_charge charge;
	/** @uid: owner, the user that made the path; never changes. */
	kuid_t uid;
	/**
	 * @grantor: owner of the most specific pattern that matched the path
	 * when it was made, and which permitted it; @uid if no pattern matched.
	 * Fixed.
	 */
	kuid_t grantor;
	/** @gid: group. Senders read @gid and @mode under RCU. */
	kgid_t gid;
	/**
	 * @mode: permission bits: read to subscribe; write to publish, listen,
	 * connect and call; execute to serve.
	 */
	umode_t mode;
	/**
	 * @trusted: the creator had CAP_NET_ADMIN in the namespace; never
	 * changes.
	 */
	bool trusted;
	/**
	 * @shadows: names of other users, older than this path, may be below
	 * the path.
	 */
	bool shadows;
	/**
	 * @prefix: of a pattern: the path above its first wildcard, held; NULL
	 * for a path and for a pattern at the top level.
	 */
	struct weir_path *prefix;
	/** @patterns: number of patterns whose @prefix is this path. */
	u32 patterns;
	/** @forms: the forms of these patterns; NULL without patterns. */
	struct weir_forms *forms;
	/**
	 * @forms_charge: for @forms, charged to the creator of the first such
	 * pattern.
	 */
	struct weir_charge forms_charge;
	/**
	 * @users: number of publishers, lingering rings, listener, route and
	 * @patterns.
	 */
	u32 users;
	/**
	 * @rings: outboxes published under the path, lingering ones included.
	 */
	struct list_head rings;
	/** @listener: socket that accepts connections here. */
	struct weir_sock *listener;
	/** @route: routes the requests to this path; also read under RCU. */
	struct weir_route __rcu *route;
	/**
	 * @rcu: frees the path after a grace period, for look-ups of @route.
	 */
	struct rcu_head rcu;
	/** @len: bytes of @name. */
	u32 len;
	/** @name: the path, ended by a NUL byte. */
	char name[WEIR_PATH_MAX + 1];
};

/**
 * enum weir_use - how an owner wants to use a path
 * @WEIR_USE_PUBLISH: publish or listen; not a pattern; needs MAY_WRITE.
 * @WEIR_USE_SERVE: serve requests; may be a pattern; see weir_path_may_serve().
 * @WEIR_USE_OWN: change the targets; may be a pattern; only for the owner.
 * @WEIR_USE_BEHIND: get the requests of another route; may be a pattern; needs
 *	the permissions to serve and to call.
 * @WEIR_USE_CONTROL: a control call with CAP_NET_ADMIN; always permitted.
 */
enum weir_use {
	WEIR_USE_PUBLISH,
	WEIR_USE_SERVE,
	WEIR_USE_OWN,
	WEIR_USE_BEHIND,
	WEIR_USE_CONTROL,
};

/**
 * struct weir_pattern - a pattern (or plain path) with subscribers
 * @node: place in the trie.
 * @subscribers: sockets, by weir_sock.sub.link.
 *
 * Guarded by weir_net.lock.
 */
struct weir_pattern {
	struct weir_trie_node *node;
	struct list_head subscribers;
};

struct weir_path *weir_path_get(struct weir_owner *o, const char *name,
				u32 len, enum weir_use use);
void weir_path_put(struct weir_path *path);
struct weir_path *weir_path_make_prefix(struct weir_owner *o, const char *name,
					u32 len);
void weir_path_drop(struct weir_owner *o, struct weir_path *path);
bool weir_path_owns(struct weir_owner *o, const struct weir_path *path);
bool weir_path_succeeds(const struct weir_path *path, kuid_t owner);
struct weir_path *weir_path_find(struct weir_net *wn, const char *name,
				 u32 len);
bool weir_path_permits(struct weir_owner *o, const struct weir_path *path,
		       int access);

#endif /* _WEIR_PATH_H */
