// SPDX-License-Identifier: GPL-2.0
/*
 * WEIR_IOC_LIST: the objects of a network namespace, page by page, in the order
 * of their ids. So a caller that comes back for the next page misses no object
 * that stayed. Without CAP_NET_ADMIN a caller sees the objects of its own user,
 * and the paths that it may read.
 *
 * Process context.
 */
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "copy_in.h"
#include "ctl/list.h"
#include "logic/alloc.h"
#include "net.h"
#include "owner.h"
#include "party.h"
#include "path.h"
#include "sock/sock.h"
#include "sock/socket.h"
#include "uapi/weir_route.h"
#include "weir.h"

/* May the caller see an object of this user? */
bool weir_list_sees(const struct weir_list_ctx *ctx, kuid_t uid)
{
	return ctx->all || uid_eq(uid, current_fsuid());
}

/* Copy the entry to the caller. Returns 0 or -EFAULT. */
static int weir_list_emit(struct weir_list_ctx *ctx)
{
	u32 n = min(ctx->entry_size, ctx->known);

	if (copy_to_user(ctx->to, ctx->entry, n) ||
	    clear_user(ctx->to + n, ctx->entry_size - n))
		return -EFAULT;
	ctx->to += ctx->entry_size;
	ctx->count++;
	ctx->room--;
	return 0;
}

/* Begin the entry of an object. */
struct weir_list_entry *weir_list_fresh(struct weir_list_ctx *ctx, u64 id,
					kuid_t uid)
{
	struct weir_list_entry *e = ctx->entry;

	memset(e, 0, sizeof(*e));
	e->kind = ctx->kind;
	e->id = id;
	e->uid = from_kuid_munged(current_user_ns(), uid);
	return e;
}

static enum weir_list_found weir_list_sock(struct weir_list_ctx *ctx,
					   unsigned long *id)
{
	struct weir_net *wn = ctx->ws->owner.wn;
	struct weir_sock *ws = weir_sock_next(wn, id);
	enum weir_list_found found = WEIR_FOUND_HIDDEN;
	struct weir_list_entry *e;

	if (!ws)
		return WEIR_FOUND_END;
	if (weir_list_sees(ctx, ws->owner.uid)) {
		e = weir_list_fresh(ctx, ws->id, ws->owner.uid);
		e->pid = pid_vnr(ws->owner.pid);
		e->type = ws->sk.sk_type;
		e->state = READ_ONCE(ws->sk.sk_state);
		e->mode = ws->owner.mode;
		e->count = READ_ONCE(ws->party.nreaders);
		e->missed = atomic64_read(&ws->party.missed);
		e->copied_bytes = atomic64_read(&ws->counts.copied_bytes);
		mutex_lock(&wn->lock);
		strscpy(e->name, ws->own_path[0] ? ws->own_path :
			ws->peer_path, sizeof(e->name));
		mutex_unlock(&wn->lock);
		found = WEIR_FOUND_ENTRY;
	}
	sock_put(&ws->sk);
	return found;
}

/* Number of a path's streams, with publishers that are about to make one. */
static u32 weir_path_rings(const struct weir_path *path)
{
	return path->users - path->patterns - !!path->listener -
	       !!rcu_access_pointer(path->route);
}

/* May the caller see what the path names? @mask: MAY_READ or MAY_WRITE. */
bool weir_list_may(const struct weir_list_ctx *ctx,
		   const struct weir_path *path, int mask)
{
	return ctx->all || weir_path_permits(&ctx->ws->owner, path, mask);
}

/*
 * Finds the first path with a larger id than *@id, and has @fill make the
 * entry. @fill is called under weir_net.lock, and may hide the path.
 */
enum weir_list_found
weir_list_paths(struct weir_list_ctx *ctx, unsigned long *id,
		enum weir_list_found (*fill)(struct weir_list_ctx *ctx,
					     struct weir_path *path))
{
	struct weir_net *wn = ctx->ws->owner.wn;
	enum weir_list_found found = WEIR_FOUND_END;
	struct weir_path *path;

	mutex_lock(&wn->lock);
	path = xa_find_after(&wn->path_ids, id, ULONG_MAX, XA_PRESENT);
	if (path)
		found = fill(ctx, path);
	mutex_unlock(&wn->lock);
	return found;
}

static enum weir_list_found weir_list_fill_path(struct weir_list_ctx *ctx,
						struct weir_path *path)
{
	struct weir_list_entry *e;

	if (!weir_list_may(ctx, path, MAY_READ))
		return WEIR_FOUND_HIDDEN;
	e = weir_list_fresh(ctx, path->id, path->uid);
	e->gid = from_kgid_munged(current_user_ns(), path->gid);
	e->mode = path->mode;
	if (path->listener)
		e->state = READ_ONCE(path->listener->sk.sk_state);
	e->count = weir_path_rings(path);
	strscpy(e->name, path->name, sizeof(e->name));
	return WEIR_FOUND_ENTRY;
}

static enum weir_list_found weir_list_path(struct weir_list_ctx *ctx,
					   unsigned long *id)
{
	return weir_list_paths(ctx, id, weir_list_fill_path);
}

/**
 * struct weir_list_type - how objects of one kind are listed
 * @known: bytes of an entry, as this module knows it.
 * @step: finds the next object, see list.h; NULL: there is no such kind.
 */
struct weir_list_type {
	u32 known;
	enum weir_list_found (*step)(struct weir_list_ctx *ctx,
				     unsigned long *id);
};

static const struct weir_list_type weir_lists[] = {
	[WEIR_LIST_SOCKETS] = {
		sizeof(struct weir_list_entry), weir_list_sock },
	[WEIR_LIST_PATHS] = {
		sizeof(struct weir_list_entry), weir_list_path },
	[WEIR_LIST_STREAMS] = {
		sizeof(struct weir_list_entry), weir_list_stream },
	[WEIR_LIST_CURSORS] = {
		sizeof(struct weir_list_entry), weir_list_cursor },
	[WEIR_LIST_ROUTES] = {
		sizeof(struct weir_route_entry), weir_list_route },
	[WEIR_LIST_TARGETS] = {
		sizeof(struct weir_target_entry), weir_list_target },
};

static const struct weir_list_type *weir_list_find(u32 kind)
{
	if (kind >= ARRAY_SIZE(weir_lists))
		return NULL;
	kind = array_index_nospec(kind, ARRAY_SIZE(weir_lists));
	return weir_lists[kind].step ? &weir_lists[kind] : NULL;
}

/*
 * Copy entries to the caller until the objects or the room end. Gives way after
 * each object. Returns 0, -EFAULT, or -EINTR on a fatal signal.
 */
static int weir_list_all(struct weir_list_ctx *ctx,
			 const struct weir_list_type *type)
{
	unsigned long id = ctx->after;
	enum weir_list_found found;
	int err;

	while (ctx->room) {
		found = type->step(ctx, &id);
		if (found == WEIR_FOUND_END)
			break;
		if (found == WEIR_FOUND_ENTRY) {
			err = weir_list_emit(ctx);
			if (err)
				return err;
		}
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* weir_list() - WEIR_IOC_LIST; returns 0 or a negative errno */
int weir_list(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_list req;
	struct weir_list_ctx ctx = { .ws = ws };
	const struct weir_list_type *type;
	u32 size;
	int err;

	err = weir_copy_in(&ws->owner, &req, sizeof(req), arg);
	if (err)
		return err;
	size = min_t(u32, req.size, sizeof(req));
	if (req.entry_size < offsetofend(struct weir_list_entry, id) ||
	    req.entry_size > PAGE_SIZE)
		return weir_refuse(ws, -EINVAL, "entry_size is wrong");
	type = weir_list_find(req.kind);
	if (!type)
		return weir_refuse(ws, -EINVAL, "no such kind of object");
	ctx.kind = req.kind;
	ctx.after = req.after;
	ctx.room = min_t(u32, req.count, WEIR_LIST_MAX);
	ctx.entry_size = req.entry_size;
	ctx.to = u64_to_user_ptr(req.entries);
	ctx.all = ns_capable(sock_net(&ws->sk)->user_ns, CAP_NET_ADMIN);
	ctx.known = type->known;
	ctx.entry = kzalloc(ctx.known, WEIR_GFP);
	if (!ctx.entry)
		return -ENOMEM;
	err = weir_list_all(&ctx, type);
	kfree(ctx.entry);
	if (err)
		return err;
	req.count = ctx.count;
	return copy_to_user(arg, &req, size) ? -EFAULT : 0;
}
