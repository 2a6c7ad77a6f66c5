// SPDX-License-Identifier: GPL-2.0
/*
 * WEIR_IOC_CONTROL: a list of changes to routes, targets and breakers. This
 * file copies and checks the changes, and makes what they need, without
 * weir_net.lock. change.c makes the changes under that lock, which all names
 * need.
 *
 * Process context.
 */
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "copy_in.h"
#include "ctl/change.h"
#include "ctl/control.h"
#include "logic/account.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "path.h"
#include "route/dup_call.h"
#include "route/plan.h"
#include "route/route.h"
#include "sock/sock.h"
#include "weir.h"

/* Defaults for idempotency keys: number of entries, and bytes of replies. */
#define WEIR_DUP_ENTRIES	4096U
#define WEIR_DUP_BYTES		SZ_1M

/* Copy in the fallback reply of a checked change, if the change has one. */
static int weir_control_reply(struct weir_changes *c,
			      const struct weir_route_op *op,
			      struct weir_fallback_reply **given)
{
	u32 len = op->conf.fallback_len;
	struct weir_fallback_reply *fallback_reply;

	if (op->op != WEIR_OP_ROUTE_SET || !len || !op->conf.fallback_reply)
		return 0;
	fallback_reply = kvmalloc(struct_size(fallback_reply, data, len),
				  WEIR_GFP);
	if (!fallback_reply)
		return weir_refuse(c->ws, -ENOMEM, "no memory for the reply");
	refcount_set(&fallback_reply->ref, 1);
	fallback_reply->len = len;
	*given = fallback_reply;
	if (copy_from_user(fallback_reply->data,
			   u64_to_user_ptr(op->conf.fallback_reply), len))
		return weir_refuse(c->ws, -EFAULT,
				   "the fallback reply is not readable");
	return 0;
}

/* Copy in and check all changes, before any lock is taken. */
static int weir_control_read(struct weir_changes *c,
			     const struct weir_ioc_control *ctl,
			     struct weir_route_op *ops, u32 *failed)
{
	const u8 __user *from = u64_to_user_ptr(ctl->ops);
	const char *why;
	int err;
	u32 i;

	for (i = 0; i < ctl->count; i++) {
		*failed = i;
		err = copy_struct_from_user(&ops[i], sizeof(*ops),
					    from + (u64)i * ctl->op_size,
					    ctl->op_size);
		if (err)
			return weir_refuse(c->ws, err, err == -E2BIG ?
					   "the change has fields this module does not know" :
					   "the change is not readable");
		err = weir_op_check(&ops[i], c->admin, &why);
		if (err)
			return weir_refuse(c->ws, err, why);
		err = weir_control_reply(c, &ops[i], &c->list[i].given);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Hold a name and its prefix until the call is over. Without weir_net.lock. */
static int weir_control_name(struct weir_changes *c, const char *name,
			     enum weir_use use, struct weir_path **held)
{
	struct weir_sock *ws = c->ws;
	u32 len = weir_op_name_len(name);
	unsigned int tries = 0;
	struct weir_path *path;

	do {
		path = weir_path_make_prefix(&ws->owner, name, len);
		if (IS_ERR(path))
			continue;
		/* NULL: none needed, or an earlier try has it */
		if (path)
			held[0] = path;
		mutex_lock(&ws->owner.wn->lock);
		path = weir_path_get(&ws->owner, name, len, use);
		mutex_unlock(&ws->owner.wn->lock);
		if (!IS_ERR(path))
			held[1] = path;
	} while (weir_prime(&ws->owner, PTR_ERR_OR_ZERO(path), WEIR_PRIME_NAME,
			    &tries));
	return PTR_ERR_OR_ZERO(path);
}

/*
 * Make and hold the names that new targets need before the changes are made,
 * each one by itself: a new name is compared with many others. Not done for an
 * administrator, who may add thousands.
 */
static int weir_control_names(struct weir_changes *c,
			      const struct weir_route_op *ops, u32 count,
			      u32 *failed)
{
	struct mutex *change_lock =
		weir_account_change_lock(c->ws->owner.account);
	u32 i;
	int err = 0;

	for (i = 0; i < count && !err; i++) {
		if (c->admin || ops[i].op != WEIR_OP_TARGET_ADD)
			continue;
		*failed = i;
		mutex_lock(change_lock);
		err = weir_control_name(c, ops[i].path, WEIR_USE_OWN,
					c->list[i].names);
		if (!err)
			err = weir_control_name(c, ops[i].target_path,
						WEIR_USE_BEHIND,
						c->list[i].names + 2);
		mutex_unlock(change_lock);
	}
	return err;
}

/* The call is over: put what was made ready for its changes. */
static void weir_control_end(struct weir_changes *c, u32 count)
{
	u32 i, k;

	for (i = 0; i < count; i++) {
		struct weir_change *change = &c->list[i];

		weir_fallback_reply_put(change->given);
		weir_dup_set_put(change->dup);
		for (k = 0; k < WEIR_CHANGE_NAMES; k++)
			weir_path_drop(&c->ws->owner, change->names[k]);
	}
}

/* Does a change need a new table of keys, as its route is now? weir_net.lock */
static bool weir_control_lacks(struct weir_changes *c,
			       const struct weir_route_op *op)
{
	struct weir_route *route = weir_change_find(c->ws->owner.wn, op->path);

	return !weir_dup_set_alike(route ? route->set : NULL, &op->conf);
}

/*
 * Make the table of keys that change *@failed lacks, and the tables that later
 * changes will need. Without weir_net.lock.
 */
static int weir_control_dup(struct weir_changes *c,
			    const struct weir_route_op *ops, u32 count,
			    u32 *failed)
{
	u32 i = *failed;
	bool lacks = true;

	for (; i < count; i++, lacks = false) {
		const struct weir_route_conf *conf = &ops[i].conf;
		struct weir_dup_set *dup;

		if (ops[i].op != WEIR_OP_ROUTE_SET || !conf->dup_window_ns ||
		    c->list[i].dup)
			continue;
		mutex_lock(&c->ws->owner.wn->lock);
		lacks = lacks || weir_control_lacks(c, &ops[i]);
		mutex_unlock(&c->ws->owner.wn->lock);
		if (!lacks)
			continue;
		*failed = i;
		dup = weir_dup_set_create(&c->ws->owner, conf->dup_window_ns,
					  conf->dup_entries ?: WEIR_DUP_ENTRIES,
					  conf->dup_bytes ?: WEIR_DUP_BYTES);
		if (IS_ERR(dup))
			return PTR_ERR(dup);
		c->list[i].dup = dup;
		cond_resched();
	}
	return 0;
}

/*
 * Make all changes, or none. If there is no memory under the lock, the changes
 * are undone, and made again once there is some.
 */
static int weir_control_apply(struct weir_changes *c,
			      const struct weir_route_op *ops, u32 count,
			      u32 *failed)
{
	u64 bytes = WEIR_PRIME_NAME + (u64)count * SZ_4K;
	unsigned int tries = 0;
	int err;

	do {
		weir_changes_begin(c, count);
		mutex_lock(weir_account_change_lock(c->ws->owner.account));
		mutex_lock(&c->ws->owner.wn->lock);
		err = weir_changes_make(c, ops, count, failed);
		mutex_unlock(&c->ws->owner.wn->lock);
		mutex_unlock(weir_account_change_lock(c->ws->owner.account));
		if (c->lacks)
			err = weir_control_dup(c, ops, count, failed);
	} while (c->lacks ? !err :
		 weir_prime(&c->ws->owner, err, bytes, &tries));
	return err;
}

/*
 * Has a change given a target weight 0? Then senders that still read the plan
 * before may send it requests, which its process, when it is to end, would not
 * wait for.
 */
static bool weir_control_drains(const struct weir_route_op *ops, u32 count)
{
	while (count && (ops[count - 1].op != WEIR_OP_TARGET_SET ||
			 ops[count - 1].weight))
		count--;
	return count;
}

/* WEIR_IOC_CONTROL. Returns 0 or a negative errno. */
int weir_control(struct weir_sock *ws, void __user *arg)
{
	struct weir_changes c = { .ws = ws };
	struct weir_ioc_control ctl;
	struct weir_route_op *ops;
	u32 failed = 0;
	int err;

	err = weir_copy_in(&ws->owner, &ctl, sizeof(ctl), arg);
	if (err)
		return err;
	if (!ctl.count || ctl.count > WEIR_OPS_MAX)
		return weir_refuse(ws, -EINVAL, "1 to 4096 changes at a time");
	if (ctl.op_size < offsetof(struct weir_route_op, conf) ||
	    ctl.op_size > PAGE_SIZE)
		return weir_refuse(ws, -EINVAL, "op_size is wrong");
	c.admin = ns_capable(sock_net(&ws->sk)->user_ns, CAP_NET_ADMIN);
	if (!c.admin && ctl.count > WEIR_OPS_USER_MAX)
		return weir_refuse(ws, -E2BIG,
				   "more than 8 changes at a time need CAP_NET_ADMIN");
	ops = kvcalloc(ctl.count, sizeof(*ops), WEIR_GFP);
	c.list = kvcalloc(ctl.count, sizeof(*c.list), WEIR_GFP);
	if (!ops || !c.list) {
		err = weir_refuse(ws, -ENOMEM, "no memory for the changes");
		goto out;
	}
	err = weir_control_read(&c, &ctl, ops, &failed);
	if (!err)
		err = weir_control_names(&c, ops, ctl.count, &failed);
	if (!err)
		err = weir_control_apply(&c, ops, ctl.count, &failed);
	weir_control_end(&c, ctl.count);
	/* all sections with the plan before are over: their requests are counted */
	if (!err && weir_control_drains(ops, ctl.count))
		synchronize_rcu();
out:
	kvfree(c.list);
	kvfree(ops);
	if (err && ctl.size >= offsetofend(struct weir_ioc_control, failed) &&
	    put_user(failed, (u32 __user *)(arg + offsetof(struct
			     weir_ioc_control, failed))))
		return -EFAULT;
	return err;
}
