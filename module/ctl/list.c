// SPDX-License-Identifier: GPL-2.0
/*
 * WEIR_IOC_LIST: the objects of a network namespace, page by page, in the order
 * of their ids. So a caller that comes back for the next page misses no object
 * that stayed. Without CAP_NET_ADMIN a caller sees the objects of its own user,
 * and the paths that it may read.
 *
 * Process context.
 */
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "copy_in.h"
#include "ctl/list.h"
#include "logic/memory.h"
#include "net.h"
#include "path.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "route/router.h"
#include "sock.h"
#include "sock/socket.h"
#include "weir.h"

static bool weir_list_sees(const struct weir_list_ctx *ctx, kuid_t uid)
{
	return ctx->all || uid_eq(uid, current_fsuid());
}

/* weir_list_emit() - copy the entry to the caller; returns 0 or -EFAULT */
int weir_list_emit(struct weir_list_ctx *ctx)
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

static struct weir_list_entry *weir_list_fresh(struct weir_list_ctx *ctx,
					       u64 id, kuid_t uid)
{
	struct weir_list_entry *e = ctx->entry;

	memset(e, 0, sizeof(*e));
	e->kind = ctx->kind;
	e->id = id;
	e->uid = from_kuid_munged(current_user_ns(), uid);
	return e;
}

static int weir_list_sockets(struct weir_list_ctx *ctx)
{
	struct weir_net *wn = ctx->ws->owner.wn;
	unsigned long id = ctx->after;
	struct weir_list_entry *e;
	struct weir_sock *ws;
	int err = 0;

	while (ctx->room && !err) {
		ws = weir_sock_next(wn, &id);
		if (!ws)
			break;
		if (weir_list_sees(ctx, ws->owner.uid)) {
			e = weir_list_fresh(ctx, ws->id, ws->owner.uid);
			e->pid = pid_vnr(ws->owner.pid);
			e->type = ws->sk.sk_type;
			e->state = READ_ONCE(ws->sk.sk_state);
			e->mode = ws->owner.mode;
			e->count = READ_ONCE(ws->nreaders);
			e->missed = atomic64_read(&ws->missed);
			e->copied_bytes = atomic64_read(&ws->copied_bytes);
			mutex_lock(&wn->lock);
			strscpy(e->name, ws->own_path[0] ? ws->own_path :
				ws->peer_path, sizeof(e->name));
			mutex_unlock(&wn->lock);
			err = weir_list_emit(ctx);
		}
		sock_put(&ws->sk);
		err = weir_list_pause(err);
	}
	return err;
}

/* Count of the record that a reader at @pos reads next. */
static u32 weir_list_seq(const struct weir_reader *rd, u64 pos)
{
	if (!rd->gating)
		return READ_ONCE(rd->cursor->seq);
	return weir_ring_seq(&rd->ring->view, pos);
}

/*
 * How far is a cursor at @pos behind the writer? @from: count of its next
 * record. Returns false if its position or the ring is broken.
 */
static bool weir_list_lag(const struct weir_ring *ring, u64 pos, u32 from,
			  u64 *bytes, u64 *records)
{
	u64 tail;
	u32 seq;

	/* read the tail last: a busy writer must not seem behind a reader */
	if (weir_ring_tail(&ring->view, &tail, &seq))
		return false;
	*bytes = tail - pos;
	*records = seq - from;
	return (s64)*bytes >= 0;
}

/**
 * struct weir_list_slowest - the reader of a stream that is furthest behind
 * @behind: bytes from its position to e->pos, which the writer had reached when
 *	the listing of the stream began; -1: there is no gating reader.
 * @pos: its position.
 * @seq: count of the record at @pos.
 */
struct weir_list_slowest {
	s64 behind;
	u64 pos;
	u32 seq;
};

/*
 * Count the readers and find the slowest one. The tail is searched for once in
 * all, not once for each reader. Under ring->lock.
 */
static void weir_list_readers(struct weir_list_entry *e, struct weir_ring *ring,
			      struct weir_list_slowest *slowest)
{
	struct weir_reader *rd;

	lockdep_assert_held(&ring->lock);
	slowest->behind = -1;
	list_for_each_entry(rd, &ring->readers, ring_link) {
		u64 pos = READ_ONCE(rd->cursor->pos);

		e->count++;
		if (!rd->gating || rd->evicted ||
		    (s64)(e->pos - pos) <= slowest->behind)
			continue;
		slowest->behind = e->pos - pos;
		slowest->pos = pos;
		slowest->seq = weir_list_seq(rd, pos);
	}
}

static int weir_list_stream(struct weir_list_ctx *ctx, struct weir_ring *ring)
{
	struct weir_list_slowest slowest;
	struct weir_list_entry *e;
	u64 bytes, records;
	u32 seq = 0;

	e = weir_list_fresh(ctx, ring->id, ring->uid);
	e->type = ring->type;
	e->ring_bytes = weir_ring_bytes(&ring->view);
	e->state = READ_ONCE(weir_ring_status(ring)->state);
	e->flags = weir_ring_status(ring)->flags;
	e->copied_bytes = weir_ring_status(ring)->copied_bytes;
	if (!weir_ring_tail(&ring->view, &e->pos, &seq))
		e->seq = seq;
	strscpy(e->name, ring->name, sizeof(e->name));
	spin_lock(&ring->lock);
	e->pid = pid_vnr(ring->pid);
	e->parent = ring->owner ? ring->owner->id : 0;
	weir_list_readers(e, ring, &slowest);
	spin_unlock(&ring->lock);
	if (slowest.behind >= 0 &&
	    weir_list_lag(ring, slowest.pos, slowest.seq, &bytes, &records)) {
		e->lag_bytes = bytes;
		e->lag_records = records;
	}
	return weir_list_emit(ctx);
}

static int weir_list_streams(struct weir_list_ctx *ctx)
{
	unsigned long id = ctx->after;
	struct weir_ring *ring;
	int err = 0;

	while (ctx->room && !err) {
		ring = weir_ring_next(ctx->ws->owner.wn, &id);
		if (!ring)
			break;
		if (weir_list_sees(ctx, ring->uid))
			err = weir_list_stream(ctx, ring);
		weir_ring_put(ring);
		err = weir_list_pause(err);
	}
	return err;
}

/*
 * The id of a cursor is the ring's id shifted by this, plus the slot, plus 1.
 */
#define WEIR_LIST_SLOT_BITS	13

/*
 * Make the entry of the ring's first cursor that the caller may see, in slots
 * from *@slot on. Sets *@slot to its slot. Returns false when there is none.
 */
static bool weir_list_next_cursor(struct weir_list_ctx *ctx,
				  struct weir_ring *ring, unsigned long *slot)
{
	struct weir_list_entry *e;
	struct weir_reader *rd;
	unsigned long at;

	/* the caller copies the entry: mmap_lock comes before slot_lock */
	mutex_lock(&ring->slot_lock);
	xa_for_each_start(&ring->slots, at, rd, *slot) {
		if (weir_list_sees(ctx, rd->uid))
			break;
	}
	if (!rd) {
		mutex_unlock(&ring->slot_lock);
		return false;
	}
	*slot = at;
	e = weir_list_fresh(ctx, ((u64)ring->id << WEIR_LIST_SLOT_BITS) + at + 1,
			    rd->uid);
	e->parent = ring->id;
	spin_lock(&ring->lock);
	e->peer = rd->ws ? rd->ws->id : 0;
	e->pid = rd->ws ? pid_vnr(rd->ws->owner.pid) : 0;
	spin_unlock(&ring->lock);
	e->type = ring->type;
	e->flags = (rd->gating ? WEIR_READER_GATING : 0) |
		   (rd->name[0] ? WEIR_READER_NAMED : 0) |
		   (rd->evicted ? WEIR_READER_EVICTED : 0);
	e->pos = READ_ONCE(rd->cursor->pos);
	e->seq = weir_list_seq(rd, e->pos);
	e->missed = rd->missed;
	if (!weir_list_lag(ring, e->pos, e->seq, &e->lag_bytes,
			   &e->lag_records)) {
		e->lag_bytes = 0;
		e->lag_records = 0;
	}
	strscpy(e->name, rd->name, sizeof(e->name));
	mutex_unlock(&ring->slot_lock);
	return true;
}

static int weir_list_cursors_of(struct weir_list_ctx *ctx,
				struct weir_ring *ring)
{
	u64 base = (u64)ring->id << WEIR_LIST_SLOT_BITS;
	unsigned long slot = ctx->after > base ? ctx->after - base : 0;
	int err = 0;

	while (ctx->room && !err && weir_list_next_cursor(ctx, ring, &slot)) {
		err = weir_list_emit(ctx);
		slot++;
	}
	return err;
}

static int weir_list_cursors(struct weir_list_ctx *ctx)
{
	/* begin with the ring of the last cursor, which may have more */
	unsigned long id = ctx->after >> WEIR_LIST_SLOT_BITS;
	struct weir_ring *ring;
	int err = 0;

	if (id)
		id--;
	while (ctx->room && !err) {
		ring = weir_ring_next(ctx->ws->owner.wn, &id);
		if (!ring)
			break;
		err = weir_list_cursors_of(ctx, ring);
		weir_ring_put(ring);
		err = weir_list_pause(err);
	}
	return err;
}

/* Number of a path's streams, with publishers that are about to make one. */
static u32 weir_path_rings(const struct weir_path *path)
{
	return path->users - path->patterns - !!path->listener -
	       !!rcu_access_pointer(path->route);
}

static int weir_list_paths(struct weir_list_ctx *ctx)
{
	struct weir_net *wn = ctx->ws->owner.wn;
	unsigned long id = ctx->after;
	struct weir_list_entry *e;
	struct weir_path *path;
	bool seen;
	int err = 0;

	while (ctx->room && !err) {
		mutex_lock(&wn->lock);
		path = xa_find_after(&wn->path_ids, &id, ULONG_MAX, XA_PRESENT);
		seen = path && (ctx->all ||
				weir_path_permits(&ctx->ws->owner, path,
						  MAY_READ));
		if (seen) {
			e = weir_list_fresh(ctx, path->id, path->uid);
			e->gid = from_kgid_munged(current_user_ns(), path->gid);
			e->mode = path->mode;
			if (path->listener)
				e->state = READ_ONCE(path->listener->sk.sk_state);
			e->count = weir_path_rings(path);
			strscpy(e->name, path->name, sizeof(e->name));
		}
		mutex_unlock(&wn->lock);
		if (!path)
			break;
		if (seen)
			err = weir_list_emit(ctx);
		err = weir_list_pause(err);
	}
	return err;
}

/* Bytes of an entry of this kind, as this module knows it. */
static u32 weir_list_known(u32 kind)
{
	switch (kind) {
	case WEIR_LIST_ROUTES:
		return sizeof(struct weir_route_entry);
	case WEIR_LIST_TARGETS:
		return sizeof(struct weir_target_entry);
	}
	return sizeof(struct weir_list_entry);
}

/* weir_list() - WEIR_IOC_LIST; returns 0 or a negative errno */
int weir_list(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_list req;
	struct weir_list_ctx ctx = { .ws = ws };
	u32 size;
	int err;

	err = weir_copy_in(&ws->owner, &req, sizeof(req), arg);
	if (err)
		return err;
	size = min_t(u32, req.size, sizeof(req));
	if (req.entry_size < offsetofend(struct weir_list_entry, id) ||
	    req.entry_size > PAGE_SIZE)
		return weir_refuse(ws, -EINVAL, "entry_size is wrong");
	ctx.kind = req.kind;
	ctx.after = req.after;
	ctx.room = min_t(u32, req.count, WEIR_LIST_MAX);
	ctx.entry_size = req.entry_size;
	ctx.to = u64_to_user_ptr(req.entries);
	ctx.all = ns_capable(sock_net(&ws->sk)->user_ns, CAP_NET_ADMIN);
	ctx.known = weir_list_known(req.kind);
	ctx.entry = kzalloc(ctx.known, WEIR_GFP);
	if (!ctx.entry)
		return -ENOMEM;

	switch (req.kind) {
	case WEIR_LIST_SOCKETS:
		err = weir_list_sockets(&ctx);
		break;
	case WEIR_LIST_PATHS:
		err = weir_list_paths(&ctx);
		break;
	case WEIR_LIST_STREAMS:
		err = weir_list_streams(&ctx);
		break;
	case WEIR_LIST_CURSORS:
		err = weir_list_cursors(&ctx);
		break;
	case WEIR_LIST_ROUTES:
		err = weir_list_routes(&ctx);
		break;
	case WEIR_LIST_TARGETS:
		err = weir_list_targets(&ctx);
		break;
	default:
		err = weir_refuse(ws, -EINVAL, "no such kind of object");
	}
	kfree(ctx.entry);
	if (err)
		return err;
	req.count = ctx.count;
	return copy_to_user(arg, &req, size) ? -EFAULT : 0;
}
