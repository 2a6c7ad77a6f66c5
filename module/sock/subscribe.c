// SPDX-License-Identifier: GPL-2.0
/*
 * Subscribing by name (SOCK_RDM and SOCK_DGRAM): connect attaches the socket to
 * the streams of a path, or of all paths that a pattern matches. publish.c says
 * how both sides meet.
 *
 * Process context, under lock_sock of the calling socket.
 */
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/pending_joins.h"
#include "logic/trie.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "party.h"
#include "path.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "sock/join.h"
#include "sock/pubsub.h"
#include "sock/sock.h"
#include "sock/socket.h"
#include "stats.h"
#include "weir.h"

/*
 * Goes on with a held cursor of the stream, returned in @rd; NULL if there is
 * none. Returns 0; 1 when the subscription does not take the stream; or a
 * negative errno. @exact: the subscription is to a plain path.
 */
static int weir_join_resume(struct weir_sock *ws, struct weir_ring *ring,
			    bool exact, struct weir_reader **rd)
{
	/* the search takes long: not under weir_net.lock */
	struct weir_reader *named =
		weir_reader_find_named(ws->opt.name, ws->owner.uid, ring);
	int err = 0;

	*rd = NULL;
	mutex_lock(&ws->owner.wn->lock);
	if (!ring->path) {
		err = 1;
	} else if (!weir_path_permits(&ws->owner, ring->path, MAY_READ)) {
		weir_drop(ring->name, WEIR_REASON_DENIED);
		err = exact ? weir_refuse(ws, -EACCES,
					  "the path's mode does not permit it") : 1;
	} else if (!weir_sub_takes(ws, ring->path)) {
		weir_drop(ring->name, WEIR_REASON_DENIED);
		err = 1;
	} else {
		*rd = weir_reader_resume(&ws->party, named, ws->opt.hold_ms);
	}
	mutex_unlock(&ws->owner.wn->lock);
	if (named)
		weir_reader_put(named);
	return err;
}

/*
 * Joins an older stream. Returns 0, or a negative errno with an error text.
 */
static int weir_join_stream(struct weir_sock *ws, struct weir_ring *ring,
			    bool exact)
{
	struct weir_reader *rd;
	unsigned int tries = 0;
	int err;

	if (READ_ONCE(ring->writer) == &ws->party || !weir_ring_live(ring))
		return 0;
	do {
		err = weir_join_resume(ws, ring, exact, &rd);
	} while (!err && weir_prime(&ws->owner, PTR_ERR_OR_ZERO(rd),
				    WEIR_PRIME_SLOT, &tries));
	if (err)
		return min(err, 0);
	if (!rd)
		rd = weir_sock_attach(ws, ring, weir_join_gates(ws, ring),
				      WEIR_ORIGIN_READER, ws->party.sub_seq);
	if (!IS_ERR(rd)) {
		weir_reader_put(rd);
		return 0;
	}
	/* one bad stream of a pattern must not keep out the other streams */
	if (!exact && weir_join_left_out(ws, ring, PTR_ERR(rd)))
		return 0;
	return PTR_ERR(rd);
}

/* Joins all streams that match a pattern. */
static int weir_join_matching(struct weir_sock *ws, const char *pattern,
			      u32 len)
{
	struct weir_ring *ring;
	unsigned long id = 0;
	int err = 0;

	while (!err && (ring = weir_ring_next(ws->owner.wn, &id))) {
		/* a ring with a number has a name */
		u64 seq = smp_load_acquire(&ring->pub_seq);

		if (seq && seq < ws->party.sub_seq &&
		    weir_path_match(pattern, len, ring->name,
				    strlen(ring->name)))
			err = weir_join_stream(ws, ring, false);
		weir_ring_put(ring);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/* Streams that are searched in one hold of weir_net.lock. */
#define WEIR_PATH_STEPS	64

/*
 * Finds the next stream of a path with a number above @seq. @at: ring where the
 * last search ended, or NULL. Returns a ring, held; @more: it is only the ring
 * where the next search continues. If @at has left the path meanwhile, the
 * search starts from the first ring of the path.
 */
static struct weir_ring *weir_path_scan(struct weir_sock *ws, const char *name,
					u32 len, struct weir_ring *at, u64 seq,
					bool *more)
	__must_hold(&ws->owner.wn->lock)
{
	struct weir_path *path = weir_path_find(ws->owner.wn, name, len);
	u32 steps = WEIR_PATH_STEPS;
	struct weir_ring *ring;

	lockdep_assert_held(&ws->owner.wn->lock);
	*more = false;
	if (!path)
		return NULL;
	/* the rings are in the order of their numbers */
	ring = at && at->path == path ? list_next_entry(at, path_link) :
	       list_first_entry(&path->rings, struct weir_ring, path_link);
	list_for_each_entry_from(ring, &path->rings, path_link) {
		if (ring->pub_seq >= ws->party.sub_seq)
			break;
		*more = ring->pub_seq <= seq;
		if (*more && --steps)
			continue;
		weir_ring_get(ring);
		return ring;
	}
	*more = false;
	return NULL;
}

/*
 * The next stream of a path after @last, held; the first one if @last is NULL.
 * NULL when no other stream is older than the subscription. Puts @last.
 */
static struct weir_ring *weir_path_next_ring(struct weir_sock *ws,
					     const char *name, u32 len,
					     struct weir_ring *last)
{
	u64 seq = last ? last->pub_seq : 0;
	struct weir_ring *at = last, *next;
	bool more = true;

	while (more) {
		mutex_lock(&ws->owner.wn->lock);
		next = weir_path_scan(ws, name, len, at, seq, &more);
		mutex_unlock(&ws->owner.wn->lock);
		if (at)
			weir_ring_put(at);
		at = next;
		cond_resched();
	}
	return at;
}

/* Joins all streams of one path. */
static int weir_join_path(struct weir_sock *ws, const char *name, u32 len)
{
	struct weir_ring *ring = NULL;
	int err;

	while ((ring = weir_path_next_ring(ws, name, len, ring))) {
		err = weir_join_stream(ws, ring, true);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err) {
			weir_ring_put(ring);
			return err;
		}
		cond_resched();
	}
	return 0;
}

/*
 * Makes the subscriber's struct weir_pending_joins, which the subscription pays
 * for.
 */
static int weir_pending_make(struct weir_sock *ws)
{
	struct weir_pending_joins *joins;

	if (ws->sub.pending)
		return 0;
	joins = kzalloc(sizeof(*joins), WEIR_GFP);
	if (!joins)
		return weir_refuse(ws, -ENOMEM,
				   "no memory for the subscription");
	/* its creator holds lock_sock; workers look for it under its lock */
	spin_lock(&ws->party.lock);
	ws->sub.pending = joins;
	spin_unlock(&ws->party.lock);
	return 0;
}

/*
 * Frees the subscriber's struct weir_pending_joins: there is no subscription.
 */
static void weir_pending_free(struct weir_sock *ws)
{
	struct weir_pending_joins *joins;

	spin_lock(&ws->party.lock);
	joins = ws->sub.pending;
	ws->sub.pending = NULL;
	spin_unlock(&ws->party.lock);
	kfree(joins);
}

/* Leaves the pattern: no stream is joined from then on. */
static void weir_leave_pattern(struct weir_sock *ws)
{
	struct weir_pattern *pattern;

	mutex_lock(&ws->owner.wn->lock);
	pattern = ws->sub.pattern;
	if (pattern) {
		spin_lock(&ws->party.lock);
		ws->party.sub_seq = 0;
		spin_unlock(&ws->party.lock);
		weir_pending_free(ws);
		weir_uncharge(&ws->sub.charge);
		list_del_init(&ws->sub.link);
		WRITE_ONCE(ws->sub.pattern, NULL);
		if (list_empty(&pattern->subscribers)) {
			weir_trie_set_item(pattern->node, NULL);
			weir_trie_remove(&ws->owner.wn->patterns,
					 pattern->node);
			kfree(pattern);
		}
	}
	mutex_unlock(&ws->owner.wn->lock);
}

/*
 * Leaves the pattern and all streams. @failed: the call that joined them has
 * failed; otherwise the socket is being closed.
 */
static void weir_leave_all(struct weir_sock *ws, bool failed)
{
	struct weir_reader *rd;

	weir_leave_pattern(ws);
	for (;;) {
		spin_lock(&ws->party.lock);
		rd = list_first_entry_or_null(&ws->party.readers,
					      struct weir_reader,
					      party_link);
		if (rd)
			weir_reader_get(rd);
		spin_unlock(&ws->party.lock);
		if (!rd)
			break;
		if (failed)
			weir_reader_undo(&ws->party, rd);
		else
			weir_reader_leave(rd);
		weir_reader_put(rd);
		cond_resched();
	}
}

/* Adds the subscription to its pattern. */
static int weir_enter_pattern(struct weir_sock *ws, const char *pattern,
			      u32 len)
	__must_hold(&ws->owner.wn->lock)
{
	struct weir_net *wn = ws->owner.wn;
	struct weir_trie_node *node;
	struct weir_pattern *item;
	struct weir_path *path;
	int err;

	lockdep_assert_held(&wn->lock);
	if (ws->sub.pattern)
		return weir_refuse(ws, -EISCONN,
				   "the socket subscribes already");
	path = weir_path_is_pattern(pattern, len) ? NULL :
	       weir_path_find(wn, pattern, len);
	if (path && !weir_path_permits(&ws->owner, path, MAY_READ)) {
		weir_drop(path->name, WEIR_REASON_DENIED);
		return weir_refuse(ws, -EACCES,
				   "the path's mode does not permit it");
	}
	err = weir_charge_owner(&ws->sub.charge, &ws->owner,
				sizeof(*item) + sizeof(*ws->sub.pending) +
				weir_name_bytes(pattern, len), 1);
	if (err)
		return err;
	node = weir_trie_insert(&wn->patterns, pattern, len);
	if (IS_ERR(node)) {
		weir_uncharge(&ws->sub.charge);
		return weir_refuse(ws, PTR_ERR(node),
				   "the pattern cannot be entered");
	}
	item = weir_trie_item(node);
	if (!item) {
		item = kzalloc(sizeof(*item), WEIR_GFP_NOWAIT);
		if (!item) {
			weir_trie_remove(&wn->patterns, node);
			weir_uncharge(&ws->sub.charge);
			return weir_refuse(ws, -ENOMEM,
					   "no memory for the subscription");
		}
		item->node = node;
		INIT_LIST_HEAD(&item->subscribers);
		weir_trie_set_item(node, item);
	}
	memcpy(ws->peer_path, pattern, len);
	ws->peer_path[len] = '\0';
	ws->sub.bound = false;
	WRITE_ONCE(ws->party.left_out, WEIR_REASON_NONE);
	spin_lock(&ws->party.lock);
	ws->party.sub_seq = ++wn->seq;
	spin_unlock(&ws->party.lock);
	WRITE_ONCE(ws->sub.pattern, item);
	list_add_tail(&ws->sub.link, &item->subscribers);
	return 0;
}

/**
 * weir_sock_subscribe() - connect a SOCK_RDM or SOCK_DGRAM socket
 * @ws: the socket; lock_sock is held.
 * @pattern: path or pattern.
 * @len: bytes.
 *
 * Attaches the socket to all matching streams, now and until it is closed. A
 * path without a publisher is no error. A stream that matches a pattern is left
 * out when it is broken, at a cap or without memory; weir_inbox_refused() then
 * posts a notice. A later stream is left out, too, when it waits for memory and
 * weir_pending_add() has no entry for it. Process context, may sleep.
 *
 * Return: 0, or a negative errno with an error text: -EINVAL, -EISCONN, -EACCES
 * (a plain path that may not be read), -EBUSY (cursor name in use), -ENOBUFS
 * and -ENOMEM (the subscription itself, or a stream of a plain path), -EINTR
 * (killed meanwhile).
 */
int weir_sock_subscribe(struct weir_sock *ws, const char *pattern, u32 len)
{
	struct weir_net *wn = ws->owner.wn;
	unsigned int tries = 0;
	const char *why;
	int err;

	sock_owned_by_me(&ws->sk);
	err = weir_path_check(pattern, len, true, &why);
	if (err)
		return weir_refuse(ws, err, why);
	err = weir_pending_make(ws);
	if (err)
		return err;
	/* its cursors are charged to this cgroup until release */
	if (!ws->owner.memcg)
		ws->owner.memcg = get_mem_cgroup_from_mm(current->mm);
	do {
		mutex_lock(&wn->lock);
		err = weir_enter_pattern(ws, pattern, len);
		mutex_unlock(&wn->lock);
	} while (weir_prime(&ws->owner, err, WEIR_PRIME_NAME, &tries));
	if (err) {
		if (!ws->sub.pattern)
			weir_pending_free(ws);
		return err;
	}
	if (weir_path_is_pattern(pattern, len))
		err = weir_join_matching(ws, pattern, len);
	else
		err = weir_join_path(ws, pattern, len);
	if (err)
		weir_leave_all(ws, true);
	else
		WRITE_ONCE(ws->sk.sk_state, TCP_ESTABLISHED);
	return err;
}

/* weir_unsubscribe() - the socket is being closed; may sleep */
void weir_unsubscribe(struct weir_sock *ws)
{
	weir_leave_all(ws, false);
}
