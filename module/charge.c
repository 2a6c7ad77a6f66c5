// SPDX-License-Identifier: GPL-2.0
/*
 * Which users pay for the memory and objects of a socket: its creator, the
 * owners of the user namespaces around the creator, and the network namespace.
 *
 * A user may make any number of user namespaces, and network namespaces in
 * them. Most users also have subordinate uids for these (subuid(5)). The caps
 * treat all of them as one user. A socket is charged to its creator's uid, to
 * the owner of the creator's user namespace, to the owner of the next outer
 * one, and so on; also to the owners of the user namespaces around the network
 * namespace. The chain ends at the initial user namespace. Namespaces that root
 * has made (for containers) add no payer.
 *
 * Shares of tables that many users use (weir_share()) belong to the outermost
 * owner, or to the creator without such an owner.
 *
 * Process context.
 */
#include <linux/cred.h>
#include <linux/ktime.h>
#include <linux/user_namespace.h>

#include "charge.h"
#include "logic/account.h"
#include "net.h"
#include "owner.h"
#include "stats.h"
#include "tunables.h"
#include "weir.h"

/*
 * Levels of user namespaces that the kernel allows (create_user_ns()), plus 1.
 */
#define WEIR_USERNS_MAX	34

/* All users of the module, in all namespaces. */
struct weir_users weir_users;

/* Adds a user to the payers, unless it is one already. Returns its index. */
static u32 weir_payer_add(kuid_t *uids, u32 *n, kuid_t uid)
{
	u32 i;

	for (i = 0; i < *n; i++)
		if (uid_eq(uids[i], uid))
			return i;
	uids[*n] = uid;
	return (*n)++;
}

/*
 * Adds the owners of a user namespace and of those around it to the payers.
 * Returns the index of the outermost owner; @outermost if there is none.
 */
static u32 weir_payer_owners(kuid_t *uids, u32 *n, struct user_namespace *ns,
			     u32 outermost)
{
	u32 level;

	for (level = 0; ns != &init_user_ns && level < WEIR_USERNS_MAX;
	     level++, ns = ns->parent) {
		if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
			outermost = weir_payer_add(uids, n, ns->owner);
	}
	return outermost;
}

/**
 * weir_account_of_current() - the account that pays for a new socket
 * @net: its network namespace.
 *
 * Process context, may sleep. Return: the account, held for the caller; or
 * ERR_PTR(-ENOMEM).
 */
struct weir_account *weir_account_of_current(struct net *net)
{
	kuid_t uids[1 + 2 * WEIR_USERNS_MAX];
	u32 n = 0, first;

	first = weir_payer_add(uids, &n, current_fsuid());
	first = weir_payer_owners(uids, &n, current_user_ns(), first);
	weir_payer_owners(uids, &n, net->user_ns, first);
	swap(uids[0], uids[first]);
	return weir_account_create(&weir_users, &weir_net(net)->usage, uids, n,
				   ktime_get_ns());
}

/**
 * weir_share_exempt() - may an owner take more than its user's share?
 * @o: the owner; its credentials count.
 * @payer: account that pays for the table.
 *
 * Process context. Return: true if the owner's user is the one that pays for
 * the table, and with CAP_NET_ADMIN.
 */
bool weir_share_exempt(const struct weir_owner *o,
		       const struct weir_account *payer)
{
	return uid_eq(weir_account_user(o->account),
		      weir_account_user(payer)) || weir_owner_admin(o);
}

/**
 * weir_name_bytes() - memory that a name may take in a trie
 * @name: path or pattern.
 * @len: bytes.
 *
 * Return: bytes, if no segment is shared with another name.
 */
u64 weir_name_bytes(const char *name, u32 len)
{
	u64 bytes = len;
	u32 i;

	for (i = 0; i < len; i++)
		if (name[i] == '/')
			bytes += sizeof(struct weir_trie_node);
	return bytes;
}

/**
 * weir_charge_account() - charge an account for a thing
 * @c: charge of the thing; the new amounts are added to it.
 * @a: account that pays.
 * @bytes: memory.
 * @objects: number of objects that the thing counts as.
 * @name: path of the thing, or "".
 * @why: out: on refusal, the error text.
 *
 * Any context. Return: 0, or -ENOBUFS at a cap, counted as a drop.
 */
int weir_charge_account(struct weir_charge *c, struct weir_account *a,
			u64 bytes, u64 objects, const char *name,
			const char **why)
{
	const struct weir_caps caps = {
		.user = {
			[WEIR_ACCOUNT_BYTES] =
				READ_ONCE(weir_tunables.user_bytes_max),
			[WEIR_ACCOUNT_OBJECTS] =
				READ_ONCE(weir_tunables.user_objects_max),
		},
		.ns = {
			[WEIR_ACCOUNT_BYTES] =
				READ_ONCE(weir_tunables.netns_bytes_max),
			[WEIR_ACCOUNT_OBJECTS] =
				READ_ONCE(weir_tunables.netns_objects_max),
		},
	};
	int err = weir_charge(c, a, bytes, objects, &caps, why);

	if (err)
		weir_drop(name, WEIR_REASON_LIMIT);
	return err;
}

/**
 * weir_charge_owner() - charge an owner for a thing
 * @c: as for weir_charge_account().
 * @o: the owner.
 * @bytes: memory.
 * @objects: number of objects that the thing counts as.
 *
 * Any context. Return: 0, or -ENOBUFS with an error text on @o.
 */
int weir_charge_owner(struct weir_charge *c, struct weir_owner *o, u64 bytes,
		      u64 objects)
{
	const char *why;
	int err = weir_charge_account(c, o->account, bytes, objects,
				      o->path, &why);

	return err ? weir_owner_refuse(o, err, why) : 0;
}
