// SPDX-License-Identifier: GPL-2.0
/*
 * Publishing and subscribing by name (SOCK_RDM and SOCK_DGRAM): brings outboxes
 * and the sockets that want to read them together, whichever comes first.
 *
 * A reader gates the writer when both ends are SOCK_RDM. A SOCK_DGRAM
 * publisher waits for nobody, and a SOCK_DGRAM subscriber holds nobody back.
 *
 * Process context, under lock_sock of the calling socket.
 */
#include <linux/fs.h>
#include <linux/slab.h>

#include "weir.h"
#include "trace.h"

/*
 * Does a subscription take what is published under a path? That of a plain path
 * stays with the first owner: whoever takes the name while a publisher restarts
 * is not read as if it were the publisher.
 */
static bool weir_sub_takes(struct weir_sock *ws, const struct weir_path *path)
{
	if (ws->pattern->node->wild)
		return true;
	if (!ws->sub_bound)
		ws->sub_owner = path->uid;
	ws->sub_bound = true;
	return weir_path_succeeds(path, ws->sub_owner);
}

/* Attaches one socket to one outbox, or resumes its named cursor there. */
static int weir_join(struct weir_sock *ws, struct weir_ring *ring)
{
	struct weir_reader *rd;

	if (ring->owner == ws || ring->type == SOCK_SEQPACKET ||
	    !weir_ring_live(ring))
		return 0;
	if (!weir_sub_takes(ws, ring->path)) {
		weir_drop(ring->name, WEIR_REASON_DENIED);
		return 0;
	}
	rd = weir_reader_resume(ws, ring);
	if (!rd)
		rd = weir_reader_attach(ws, ring, ring->type == SOCK_RDM &&
					ws->sk.sk_type == SOCK_RDM);
	if (IS_ERR(rd))
		return PTR_ERR(rd);
	weir_reader_put(rd);
	return 0;
}

static int weir_join_subscribers(void *item, void *ctx)
{
	struct weir_pattern *pattern = item;
	struct weir_ring *ring = ctx;
	struct weir_sock *ws;

	list_for_each_entry(ws, &pattern->subscribers, pattern_link) {
		if (!weir_path_permits(ws, ring->path, MAY_READ)) {
			weir_drop(ring->name, WEIR_REASON_DENIED);
			continue;
		}
		/* a subscriber at its cap must not stop the publisher */
		weir_join(ws, ring);
	}
	return 0;
}

/* A stream under this path that its owner left to linger for this user. */
static struct weir_ring *weir_lingering(struct weir_sock *ws,
					struct weir_path *path)
{
	struct weir_ring *ring;

	list_for_each_entry(ring, &path->rings, path_link) {
		if (weir_ring_status(ring)->state == WEIR_STATE_LINGER &&
		    ring->type == ws->sk.sk_type && uid_eq(ring->uid, ws->uid))
			return ring;
	}
	return NULL;
}

/**
 * weir_publish() - bind a SOCK_RDM or SOCK_DGRAM socket
 * @ws: the socket, under lock_sock.
 * @name: path.
 * @len: bytes.
 *
 * Goes on with a lingering stream of the same user and type if there is one.
 * Subscribers are attached before this returns. A named cursor (WEIR_SO_HOLD_MS)
 * holds records for its next reader only from when it was made: it must be there
 * before a record is published to be sure of it. Made later, it starts at the
 * tail or, with WEIR_START_OLDEST, at what the ring still holds.
 *
 * Returns 0 or a negative errno with words: -EINVAL (bad path, bound already,
 * another ring size than the lingering stream's), -EACCES, -EADDRINUSE (a
 * listener has the path), -ENOBUFS, -ENOMEM.
 */
int weir_publish(struct weir_sock *ws, const char *name, u32 len)
{
	struct weir_net *wn = ws->wn;
	struct weir_path *path;
	struct weir_ring *ring;
	int err = 0;

	if (ws->outbox)
		return weir_refuse(ws, -EINVAL, "the socket is bound already");
	mutex_lock(&wn->lock);
	path = weir_path_get(ws, name, len, WEIR_USE_PUBLISH);
	if (IS_ERR(path)) {
		err = PTR_ERR(path);
		goto out_unlock;
	}
	if (path->listener) {
		err = weir_refuse(ws, -EADDRINUSE,
				  "a socket listens on this path");
		goto out_put;
	}
	ring = weir_lingering(ws, path);
	if (ring) {
		if (ws->ring_bytes &&
		    ws->ring_bytes != weir_ring_bytes(&ring->view)) {
			err = weir_refuse(ws, -EINVAL,
					  "a stream of another size lingers on this path");
			goto out_put;
		}
		weir_ring_take_over(ring, ws);
		ws->resumed = true;
		memcpy(ws->own_path, name, len);
		smp_store_release(&ws->outbox, ring);
		goto out_put;	/* the ring counts as a user already */
	}

	ring = weir_ring_create(ws, weir_outbox_bytes(ws), false);
	if (IS_ERR(ring)) {
		err = PTR_ERR(ring);
		goto out_put;
	}
	memcpy(ring->name, name, len);
	ring->path = path;
	weir_ring_get(ring);	/* the path's */
	list_add_tail(&ring->path_link, &path->rings);
	weir_trie_match_patterns(&wn->patterns, name, len,
				 weir_join_subscribers, ring);
	/* last: whoever sees an outbox sees it with its readers attached */
	memcpy(ws->own_path, name, len);
	smp_store_release(&ws->outbox, ring);
	trace_weir_state(ring, WEIR_STATE_OPEN, WEIR_REASON_NONE);
	goto out_unlock;

out_put:
	weir_path_put(path);
out_unlock:
	mutex_unlock(&wn->lock);
	return err;
}

struct weir_subscribe_ctx {
	struct weir_sock *ws;
	bool exact;
};

static int weir_join_path(void *item, void *data)
{
	struct weir_subscribe_ctx *ctx = data;
	struct weir_path *path = item;
	struct weir_ring *ring;
	int err;

	if (!weir_path_permits(ctx->ws, path, MAY_READ)) {
		weir_drop(path->name, WEIR_REASON_DENIED);
		if (ctx->exact)
			return weir_refuse(ctx->ws, -EACCES,
					   "the path's mode does not permit it");
		return 0;
	}
	list_for_each_entry(ring, &path->rings, path_link) {
		err = weir_join(ctx->ws, ring);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Leaves the pattern and all streams: because the socket is being released, or
 * because the call that joined them has @failed. Under weir_net.lock.
 */
static void weir_leave_all(struct weir_sock *ws, bool failed)
{
	struct weir_pattern *pattern = ws->pattern;
	struct weir_reader *rd;

	lockdep_assert_held(&ws->wn->lock);
	if (pattern) {
		weir_uncharge(&ws->pattern_charge);
		list_del_init(&ws->pattern_link);
		ws->pattern = NULL;
		if (list_empty(&pattern->subscribers)) {
			weir_trie_set_item(pattern->node, NULL);
			weir_trie_remove(&ws->wn->patterns, pattern->node);
			kfree(pattern);
		}
	}
	for (;;) {
		spin_lock(&ws->rlock);
		rd = list_first_entry_or_null(&ws->readers, struct weir_reader,
					      sock_link);
		if (rd)
			weir_reader_get(rd);
		spin_unlock(&ws->rlock);
		if (!rd)
			break;
		if (failed)
			weir_reader_undo(ws, rd);
		else
			weir_reader_leave(rd);
		weir_reader_put(rd);
	}
}

/**
 * weir_subscribe() - connect a SOCK_RDM or SOCK_DGRAM socket
 * @ws: the socket, under lock_sock.
 * @pattern: path or pattern.
 * @len: bytes.
 *
 * Attaches to all that is published under it now and, until the socket is
 * closed, to all that will be. A path that nobody publishes yet is no error.
 * Returns 0 or a negative errno with words: -EINVAL, -EISCONN, -EACCES (a
 * plain path that may not be read), -EBUSY (cursor name in use), -ENOBUFS,
 * -ENOMEM.
 */
int weir_subscribe(struct weir_sock *ws, const char *pattern, u32 len)
{
	struct weir_subscribe_ctx ctx = { .ws = ws };
	struct weir_net *wn = ws->wn;
	struct weir_trie_node *node;
	struct weir_pattern *item;
	const char *why;
	int err;

	err = weir_path_check(pattern, len, true, &why);
	if (err)
		return weir_refuse(ws, err, why);
	ctx.exact = !weir_path_is_pattern(pattern, len);
	mutex_lock(&wn->lock);
	if (ws->pattern) {
		err = weir_refuse(ws, -EISCONN,
				  "the socket subscribes already");
		goto out;
	}
	err = weir_charge_sock(&ws->pattern_charge, ws,
			       sizeof(*item) + weir_name_bytes(pattern, len), 1);
	if (err)
		goto out;
	node = weir_trie_insert(&wn->patterns, pattern, len);
	if (IS_ERR(node)) {
		weir_uncharge(&ws->pattern_charge);
		err = weir_refuse(ws, PTR_ERR(node),
				  "the pattern cannot be entered");
		goto out;
	}
	item = weir_trie_item(node);
	if (!item) {
		item = kzalloc(sizeof(*item), GFP_KERNEL_ACCOUNT);
		if (!item) {
			weir_trie_remove(&wn->patterns, node);
			weir_uncharge(&ws->pattern_charge);
			err = weir_refuse(ws, -ENOMEM,
					  "no memory for the subscription");
			goto out;
		}
		item->node = node;
		INIT_LIST_HEAD(&item->subscribers);
		weir_trie_set_item(node, item);
	}
	ws->pattern = item;
	list_add_tail(&ws->pattern_link, &item->subscribers);
	memcpy(ws->peer_path, pattern, len);
	ws->peer_path[len] = '\0';

	err = weir_trie_match_names(&wn->paths, pattern, len, weir_join_path,
				    &ctx);
	if (err)
		weir_leave_all(ws, true);
	else
		WRITE_ONCE(ws->sk.sk_state, TCP_ESTABLISHED);
out:
	mutex_unlock(&wn->lock);
	return err;
}

/*
 * weir_unsubscribe() - the socket is being released
 */
void weir_unsubscribe(struct weir_sock *ws)
{
	mutex_lock(&ws->wn->lock);
	weir_leave_all(ws, false);
	mutex_unlock(&ws->wn->lock);
}
