// SPDX-License-Identifier: GPL-2.0
/*
 * Joins the subscribers of a new stream. The publisher joins at most
 * WEIR_JOIN_NOW of them itself. A worker of its user joins the others in parts,
 * and takes turns between the user's streams.
 *
 * Process context.
 */
#include <linux/slab.h>

#include "logic/alloc.h"
#include "logic/pending_joins.h"
#include "net.h"
#include "owner.h"
#include "party.h"
#include "path.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "sock/join.h"
#include "sock/sock.h"
#include "sock/socket.h"
#include "stats.h"
#include "tenant.h"
#include "weir.h"

/* Milliseconds that the first position is held while a worker joins others. */
#define WEIR_JOIN_HOLD_MS	100

/* Sockets that a worker looks at before the user's next stream is served. */
#define WEIR_JOIN_PART	64

/*
 * Does a subscription take the streams of a path? A subscription to a plain
 * path stays with the first owner of the path. If another user takes the name
 * while the publisher restarts, that user's stream is not read in its place.
 */
bool weir_sub_takes(struct weir_sock *ws, const struct weir_path *path)
{
	if (ws->sub.pattern->node->wild)
		return true;
	if (!ws->sub.bound)
		ws->sub.path_owner = path->uid;
	ws->sub.bound = true;
	return weir_path_succeeds(path, ws->sub.path_owner);
}

/* May a subscription read a stream, and does it take it? weir_net.lock */
static bool weir_join_may(struct weir_sock *ws, const struct weir_ring *ring)
{
	if (weir_path_permits(&ws->owner, ring->path, MAY_READ) &&
	    weir_sub_takes(ws, ring->path))
		return true;
	weir_drop(ring->name, WEIR_REASON_DENIED);
	return false;
}

/* Does the writer of a stream wait for this reader? */
bool weir_join_gates(const struct weir_sock *ws, const struct weir_ring *ring)
{
	return ring->type == SOCK_RDM && ws->sk.sk_type == SOCK_RDM;
}

/*
 * Posts the reason when a stream is left out, because its publisher's head
 * words are invalid, at a cap, or without memory. The subscription still reads
 * other streams. Returns false for other errors: they make the subscription
 * fail.
 */
bool weir_join_left_out(struct weir_sock *ws, struct weir_ring *ring, int err)
{
	enum weir_reason reason;

	switch (err) {
	case -EPROTO:
		reason = WEIR_REASON_BAD_RECORD;
		break;
	case -ENOBUFS:
		reason = WEIR_REASON_LIMIT;
		break;
	case -ENOMEM:
		reason = WEIR_REASON_NO_MEMORY;
		break;
	default:
		return false;
	}
	weir_inbox_refused(&ws->party, ring, reason);
	return true;
}

/*
 * Notes the subscribers of a pattern that bind joins; for
 * weir_trie_match_patterns(). Under weir_net.lock.
 */
int weir_join_note(void *item, void *ctx)
{
	struct weir_pattern *pattern = item;
	struct weir_joining *j = ctx;
	struct weir_sock *ws;

	list_for_each_entry(ws, &pattern->subscribers, sub.link) {
		if (j->n == WEIR_JOIN_NOW)
			return 1;
		j->ids[j->n] = ws->id;
		j->subs[j->n] = ws->party.sub_seq;
		j->socks[j->n] = NULL;
		/* a socket does not read its own stream */
		if (&ws->party != j->ring->writer &&
		    weir_join_may(ws, j->ring)) {
			sock_hold(&ws->sk);
			j->socks[j->n] = ws;
		}
		j->n++;
	}
	return 0;
}

/*
 * Joins one subscriber. A subscriber at its cap gets a notice and does not make
 * the publisher fail. Returns 0, or -ENOMEM when there was no memory and a
 * later try may wait for it.
 */
static int weir_join_one(struct weir_sock *ws, struct weir_ring *ring,
			 enum weir_origin origin, u64 sub)
{
	struct weir_reader *rd;

	rd = weir_sock_attach(ws, ring, weir_join_gates(ws, ring), origin,
			      sub);
	if (!IS_ERR(rd)) {
		weir_reader_put(rd);
		return 0;
	}
	if (PTR_ERR(rd) == -ENOMEM && origin != WEIR_ORIGIN_RETRY)
		return -ENOMEM;
	weir_join_left_out(ws, ring, PTR_ERR(rd));
	return 0;
}

/* Must the job join this socket? @sub: out: its subscription. */
static bool weir_join_wants(const struct weir_joining *j, struct weir_sock *ws,
			    u64 *sub)
{
	struct weir_ring *ring = j->ring;
	bool wants = false;
	u32 i;

	if (!READ_ONCE(ws->sub.pattern) ||
	    &ws->party == READ_ONCE(ring->writer))
		return false;
	for (i = 0; i < j->n; i++) {
		if (j->ids[i] == ws->id)
			return false;
	}
	mutex_lock(&ring->wn->lock);
	if (ring->path && ws->sub.pattern &&
	    ws->party.sub_seq < ring->pub_seq &&
	    weir_path_match(ws->peer_path, strlen(ws->peer_path), ring->name,
			    strlen(ring->name))) {
		wants = weir_join_may(ws, ring);
		*sub = ws->party.sub_seq;
	}
	mutex_unlock(&ring->wn->lock);
	return wants;
}

/* Ends it: the job is done, or was never added. */
void weir_joining_free(struct weir_joining *j)
{
	struct weir_net *wn = j->ring->wn;

	if (j->keeper) {
		weir_reader_detach(j->keeper, WEIR_REASON_CLOSED);
		weir_reader_put(j->keeper);
		weir_ring_joined(j->ring);
	}
	spin_lock(&wn->join_lock);
	list_del(&j->wn_link);
	spin_unlock(&wn->join_lock);
	weir_ring_put(j->ring);
	kfree(j);
	if (atomic_dec_and_test(&wn->joinings))
		wake_up_var(&wn->joinings);
}

/* Notes that a subscriber waits for memory. False: there is no entry for it. */
static bool weir_join_later(struct weir_sock *ws, const struct weir_joining *j)
{
	bool noted;

	spin_lock(&ws->party.lock);
	noted = ws->sub.pending &&
		weir_pending_add(ws->sub.pending, j->ring->tenant->uid,
			      j->ring->pub_seq);
	spin_unlock(&ws->party.lock);
	return noted;
}

/* Takes that note back. Returns whether there was one. */
static bool weir_join_forget(struct weir_sock *ws, const struct weir_joining *j)
{
	bool noted;

	spin_lock(&ws->party.lock);
	noted = ws->sub.pending &&
		weir_pending_take(ws->sub.pending, j->ring->pub_seq);
	spin_unlock(&ws->party.lock);
	return noted;
}

/*
 * weir_job.part: looks for a subscriber without memory, joins it, and waits for
 * memory. It goes on to the last note when the stream has ended: a note that
 * stays would take an entry of the subscriber's table.
 */
static bool weir_join_last(struct weir_job *job)
{
	struct weir_joining *j = container_of(job, struct weir_joining, job);
	bool found = false;
	struct weir_sock *ws;
	u64 sub;
	u32 n;

	for (n = 0; n < WEIR_JOIN_PART && j->waiting && !found; n++) {
		ws = weir_sock_next(j->ring->wn, &j->after);
		if (!ws) {
			/* the others have been closed */
			j->waiting = 0;
			break;
		}
		found = weir_join_forget(ws, j);
		if (found) {
			j->waiting--;
			if (weir_ring_live(j->ring) &&
			    weir_join_wants(j, ws, &sub))
				weir_join_one(ws, j->ring, WEIR_ORIGIN_RETRY,
					      sub);
		}
		sock_put(&ws->sk);
		cond_resched();
	}
	if (j->waiting)
		return true;
	weir_joining_free(j);
	return false;
}

/* weir_job.part: joins some subscribers, without waiting for memory. */
static bool weir_join_some(struct weir_job *job)
{
	struct weir_joining *j = container_of(job, struct weir_joining, job);
	struct weir_sock *ws;
	u64 sub;
	u32 n;

	for (n = 0; n < WEIR_JOIN_PART; n++) {
		ws = weir_ring_live(j->ring) ?
		     weir_sock_next(j->ring->wn, &j->after) : NULL;
		if (!ws)
			break;
		if (weir_join_wants(j, ws, &sub) &&
		    weir_join_one(ws, j->ring, WEIR_ORIGIN_WORKER, sub)) {
			if (weir_join_later(ws, j))
				j->waiting++;
			else
				weir_join_left_out(ws, j->ring, -ENOMEM);
		}
		sock_put(&ws->sk);
		cond_resched();
	}
	if (n == WEIR_JOIN_PART)
		return true;
	if (!j->waiting) {
		weir_joining_free(j);
	} else {
		j->after = 0;
		j->job.part = weir_join_last;
		weir_jobs_add(&j->ring->tenant->pending_joins, &j->job);
	}
	return false;
}

/* weir_joins_first() - do a namespace's joins before those of all others */
void weir_joins_first(struct weir_net *wn)
{
	struct weir_joining *j;

	spin_lock(&wn->join_lock);
	list_for_each_entry(j, &wn->joining, wn_link)
		weir_job_first(j->ring->tenant, &j->job);
	spin_unlock(&wn->join_lock);
}

/* The subscribers of a new stream; NULL without memory. */
struct weir_joining *weir_joining_make(struct weir_ring *ring)
{
	struct weir_joining *j = kzalloc(sizeof(*j), WEIR_GFP);

	if (!j)
		return NULL;
	j->job.part = weir_join_some;
	weir_ring_get(ring);
	j->ring = ring;
	INIT_LIST_HEAD(&j->job.link);
	atomic_inc(&ring->wn->joinings);
	spin_lock(&ring->wn->join_lock);
	list_add_tail(&j->wn_link, &ring->wn->joining);
	spin_unlock(&ring->wn->join_lock);
	return j;
}

/* Joins the noted subscribers; nothing has been published yet. */
void weir_join_now(struct weir_joining *j)
{
	u32 i;

	for (i = 0; i < j->n; i++) {
		if (!j->socks[i])
			continue;
		if (weir_join_one(j->socks[i], j->ring, WEIR_ORIGIN_WRITER,
				  j->subs[i])) {
			j->ids[i] = 0;
			j->more = true;
		}
		sock_put(&j->socks[i]->sk);
	}
}

/* Holds the first position for the subscribers that a worker joins. */
void weir_join_hold(struct weir_joining *j, struct weir_sock *ws)
{
	if (j->ring->type != SOCK_RDM)
		return;
	j->keeper = weir_reader_attach_keeper(&ws->owner, j->ring,
					      WEIR_JOIN_HOLD_MS);
	/* no keeper: late subscribers begin at the tail */
	if (IS_ERR(j->keeper))
		j->keeper = NULL;
}
