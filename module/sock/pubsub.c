// SPDX-License-Identifier: GPL-2.0
/*
 * Publishing and subscribing by name (SOCK_RDM and SOCK_DGRAM): connects
 * outboxes with the sockets that read them. Either side may come first.
 *
 * A reader gates the writer when both ends are SOCK_RDM. A SOCK_DGRAM publisher
 * waits for nobody, and a SOCK_DGRAM subscriber holds nobody back.
 *
 * Streams and subscriptions get numbers in one order, under weir_net.lock. Of
 * each matching pair, the side that came later attaches the reader, without the
 * lock. A publisher attaches at most WEIR_JOIN_NOW subscribers itself. A worker
 * of its user attaches the others in parts, and takes turns between the user's
 * streams.
 *
 * Process context, under lock_sock of the calling socket.
 */
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/forms.h"
#include "logic/late.h"
#include "logic/memory.h"
#include "logic/trie.h"
#include "net.h"
#include "path.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "route/router.h"
#include "sock.h"
#include "sock/pubsub.h"
#include "sock/socket.h"
#include "stats.h"
#include "tenant.h"
#include "trace.h"
#include "weir.h"

/* Subscribers that bind looks at; a worker looks at the others. */
#define WEIR_JOIN_NOW	64U

/* Milliseconds that the first position is held while a worker joins others. */
#define WEIR_JOIN_HOLD_MS	100

/* Sockets that a worker looks at before the user's next stream is served. */
#define WEIR_JOIN_PART	64

/**
 * struct weir_joining - the subscribers of a new stream
 * @job: joins the subscribers that bind left out, first without waiting for
 *	memory, and at last those that found no memory.
 * @wn_link: in weir_net.joining; weir_net.join_lock.
 * @ring: the stream, held.
 * @keeper: cursor that holds the first position, held; NULL: there is none.
 * @after: id of the last socket that the job has looked at.
 * @waiting: number of sockets that have the stream in weir_sock.late.
 * @n: entries used in the arrays below: subscribers that bind has looked at.
 * @more: there are or may be other subscribers.
 * @socks: subscribers that bind joins, held; NULL: not to be joined.
 * @ids: ids of the subscribers; 0: left to the job.
 * @subs: weir_sock.sub.seq of each.
 */
struct weir_joining {
	struct weir_job		job;
	struct list_head	wn_link;
	struct weir_ring	*ring;
	struct weir_reader	*keeper;
	unsigned long		after;
	u32			waiting;
	u32			n;
	bool			more;
	struct weir_sock	*socks[WEIR_JOIN_NOW];
	unsigned long		ids[WEIR_JOIN_NOW];
	u64			subs[WEIR_JOIN_NOW];
};

/*
 * Does a subscription take the streams of a path? A subscription to a plain
 * path stays with the first owner of the path. If another user takes the name
 * while the publisher restarts, that user's stream is not read in its place.
 */
static bool weir_sub_takes(struct weir_sock *ws, const struct weir_path *path)
{
	if (ws->sub.pattern->node->wild)
		return true;
	if (!ws->sub.bound)
		ws->sub.owner = path->uid;
	ws->sub.bound = true;
	return weir_path_succeeds(path, ws->sub.owner);
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

static bool weir_join_gates(const struct weir_sock *ws,
			    const struct weir_ring *ring)
{
	return ring->type == SOCK_RDM && ws->sk.sk_type == SOCK_RDM;
}

/*
 * Posts the reason when a stream is left out, because its publisher's head
 * words are invalid, at a cap, or without memory. The subscription still reads
 * other streams. Returns false for other errors: they make the subscription
 * fail.
 */
static bool weir_join_left_out(struct weir_sock *ws, struct weir_ring *ring,
			       int err)
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
	weir_inbox_refused(ws, ring, reason);
	return true;
}

/* --- for a publisher ---------------------------------------------------- */

/* Notes the subscribers of a pattern that bind joins. Under weir_net.lock. */
static int weir_join_note(void *item, void *ctx)
{
	struct weir_pattern *pattern = item;
	struct weir_joining *j = ctx;
	struct weir_sock *ws;

	list_for_each_entry(ws, &pattern->subscribers, sub.link) {
		if (j->n == WEIR_JOIN_NOW)
			return 1;
		j->ids[j->n] = ws->id;
		j->subs[j->n] = ws->sub.seq;
		j->socks[j->n] = NULL;
		/* a socket does not read its own stream */
		if (ws != j->ring->owner && weir_join_may(ws, j->ring)) {
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

	rd = weir_reader_attach(ws, ring, weir_join_gates(ws, ring), origin,
				sub);
	if (!IS_ERR(rd)) {
		weir_reader_put(rd);
		return 0;
	}
	if (PTR_ERR(rd) == -ENOMEM && origin != WEIR_ORIGIN_LAST)
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

	if (!READ_ONCE(ws->sub.pattern) || ws == READ_ONCE(ring->owner))
		return false;
	for (i = 0; i < j->n; i++) {
		if (j->ids[i] == ws->id)
			return false;
	}
	mutex_lock(&ring->wn->lock);
	if (ring->path && ws->sub.pattern && ws->sub.seq < ring->pub_seq &&
	    weir_path_match(ws->peer_path, strlen(ws->peer_path), ring->name,
			    strlen(ring->name))) {
		wants = weir_join_may(ws, ring);
		*sub = ws->sub.seq;
	}
	mutex_unlock(&ring->wn->lock);
	return wants;
}

static void weir_joining_free(struct weir_joining *j)
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

/* Notes that a subscriber waits for memory. False: it has no place. */
static bool weir_join_later(struct weir_sock *ws, const struct weir_joining *j)
{
	bool noted;

	spin_lock(&ws->rlock);
	noted = ws->sub.late &&
		weir_late_add(ws->sub.late, j->ring->tenant->uid, j->ring->pub_seq);
	spin_unlock(&ws->rlock);
	return noted;
}

/* Takes that note back. Returns whether there was one. */
static bool weir_join_noted(struct weir_sock *ws, const struct weir_joining *j)
{
	bool noted;

	spin_lock(&ws->rlock);
	noted = ws->sub.late && weir_late_take(ws->sub.late, j->ring->pub_seq);
	spin_unlock(&ws->rlock);
	return noted;
}

/*
 * weir_job.part: looks for a subscriber without memory, joins it, and waits for
 * memory. It goes on to the last note when the stream has ended: a note that
 * stays would take a place in the subscriber's table.
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
		found = weir_join_noted(ws, j);
		if (found) {
			j->waiting--;
			if (weir_ring_live(j->ring) &&
			    weir_join_wants(j, ws, &sub))
				weir_join_one(ws, j->ring, WEIR_ORIGIN_LAST,
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
		    weir_join_one(ws, j->ring, WEIR_ORIGIN_LATE, sub)) {
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
		weir_jobs_add(&j->ring->tenant->late, &j->job);
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

static struct weir_joining *weir_joining_make(struct weir_sock *ws,
					      struct weir_ring *ring)
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
static void weir_join_now(struct weir_joining *j)
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
static void weir_join_hold(struct weir_joining *j, struct weir_sock *ws)
{
	if (j->ring->type != SOCK_RDM)
		return;
	j->keeper = weir_reader_attach_keeper(&ws->owner, j->ring,
					      WEIR_JOIN_HOLD_MS);
	/* no keeper: late subscribers begin at the tail */
	if (IS_ERR(j->keeper))
		j->keeper = NULL;
}

/*
 * A stream that lingers under this path and that this user may take over; or
 * NULL. Streams of other users on the path have another key in the hash table.
 */
static struct weir_ring *weir_lingering(struct weir_sock *ws,
					struct weir_path *path)
{
	struct weir_ring *ring;

	hash_for_each_possible(ws->owner.wn->lingering, ring, linger_link,
			       weir_linger_key(path, ws->owner.uid)) {
		if (ring->path == path && uid_eq(ring->uid, ws->owner.uid) &&
		    ring->type == ws->sk.sk_type &&
		    weir_ring_status(ring)->state == WEIR_STATE_LINGER)
			return ring;
	}
	return NULL;
}

/*
 * Finds or makes the path. Returns 0 with @path for a new ring; 1 when a
 * lingering stream has been taken over; or a negative errno with an error text.
 */
static int weir_publish_path(struct weir_sock *ws, const char *name, u32 len,
			     struct weir_path **path)
{
	struct weir_ring_spec spec;
	struct weir_ring *ring;
	int err = 0;

	lockdep_assert_held(&ws->owner.wn->lock);
	*path = weir_path_get(&ws->owner, name, len, WEIR_USE_PUBLISH);
	if (IS_ERR(*path))
		return PTR_ERR(*path);
	ring = weir_lingering(ws, *path);
	if ((*path)->listener) {
		err = weir_refuse(ws, -EADDRINUSE,
				  "a socket listens on this path");
	} else if (ring && ws->opt.ring_bytes &&
		   ws->opt.ring_bytes != weir_ring_bytes(&ring->view)) {
		err = weir_refuse(ws, -EINVAL,
				  "a stream of another size lingers on this path");
	} else if (ring) {
		weir_sock_spec(ws, &spec);
		weir_ring_take_over(ring, &ws->owner, &spec);
		ws->resumed = true;
		memcpy(ws->own_path, name, len);
		smp_store_release(&ws->outbox, ring);
		err = 1;	/* the ring counts as a user already */
	}
	if (err)
		weir_path_put(*path);
	return err;
}

/* Makes the stream visible, and notes the subscribers that bind joins. */
static void weir_publish_ring(struct weir_sock *ws, struct weir_ring *ring,
			      struct weir_path *path, struct weir_joining *j)
{
	struct weir_net *wn = ws->owner.wn;

	lockdep_assert_held(&wn->lock);
	memcpy(ring->name, path->name, path->len);
	memcpy(ws->own_path, path->name, path->len);
	ring->path = path;
	weir_ring_get(ring);	/* the path's */
	list_add_tail(&ring->path_link, &path->rings);
	smp_store_release(&ring->pub_seq, ++wn->seq);
	/* users may make patterns of many forms: a worker looks at the rest */
	if (weir_trie_match_patterns(&wn->patterns, path->name, path->len,
				     weir_join_note, j, WEIR_TRIE_LOOKS_MAX))
		j->more = true;
}

/**
 * weir_publish() - bind a SOCK_RDM or SOCK_DGRAM socket
 * @ws: the socket, under lock_sock.
 * @name: path.
 * @len: bytes.
 *
 * Takes over a lingering stream of the same user and type if there is one. Up
 * to WEIR_JOIN_NOW subscribers are attached before this returns. A worker
 * attaches the others later: they get the first record too if they are attached
 * within WEIR_JOIN_HOLD_MS.
 *
 * A named cursor (WEIR_SO_HOLD_MS) holds records for its next reader only from
 * its creation on. It must exist before a record is published to hold that
 * record. A later one starts at the tail or, with WEIR_START_OLDEST, at the
 * oldest record in the ring.
 *
 * Process context, may sleep.
 *
 * Return: 0, or a negative errno with an error text: -EINVAL (invalid path,
 * already bound, or another ring size than the lingering stream's), -EACCES,
 * -EADDRINUSE (a listener has the path), -ENOBUFS, -ENOMEM, -EINTR (killed
 * meanwhile).
 */
int weir_publish(struct weir_sock *ws, const char *name, u32 len)
{
	struct weir_net *wn = ws->owner.wn;
	struct weir_joining *j = NULL;
	struct weir_ring_spec spec;
	struct weir_path *path;
	struct weir_ring *ring;
	unsigned int tries = 0;
	int err;

	if (ws->outbox)
		return weir_refuse(ws, -EINVAL, "the socket is bound already");
	do {
		mutex_lock(&wn->lock);
		err = weir_publish_path(ws, name, len, &path);
		mutex_unlock(&wn->lock);
	} while (weir_prime(&ws->owner, err, WEIR_PRIME_NAME, &tries));
	if (err)
		return err < 0 ? err : 0;

	/* the path has a user: no listener can take it meanwhile */
	weir_sock_spec(ws, &spec);
	ring = weir_ring_create(&ws->owner, &spec);
	if (IS_ERR(ring)) {
		err = PTR_ERR(ring);
		goto err_path;
	}
	j = weir_joining_make(ws, ring);
	if (!j) {
		err = weir_refuse(ws, -ENOMEM, "no memory for the subscribers");
		goto err_ring;
	}
	mutex_lock(&wn->lock);
	weir_publish_ring(ws, ring, path, j);
	mutex_unlock(&wn->lock);
	weir_join_now(j);
	if (j->more)
		weir_join_hold(j, ws);
	/* a thread that sees the outbox also sees these readers */
	smp_store_release(&ws->outbox, ring);
	trace_weir_state(ring, WEIR_STATE_OPEN, WEIR_REASON_NONE);
	if (j->more)
		weir_jobs_add(&j->ring->tenant->joins, &j->job);
	else
		weir_joining_free(j);
	return 0;

err_ring:
	weir_ring_owner_gone(ring, NULL, false);
err_path:
	mutex_lock(&wn->lock);
	weir_path_put(path);
	mutex_unlock(&wn->lock);
	return err;
}

/* --- for a subscriber --------------------------------------------------- */

/*
 * Goes on with a held cursor of the stream, returned in @rd; NULL if there is
 * none. Returns 0; 1 when the subscription does not take the stream; or a
 * negative errno. @exact: the subscription is to a plain path.
 */
static int weir_join_resume(struct weir_sock *ws, struct weir_ring *ring,
			    bool exact, struct weir_reader **rd)
{
	/* the search takes long: not under weir_net.lock */
	struct weir_reader *named = weir_reader_find_named(ws, ring);
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
		*rd = weir_reader_resume(ws, named);
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

	if (READ_ONCE(ring->owner) == ws || !weir_ring_live(ring))
		return 0;
	do {
		err = weir_join_resume(ws, ring, exact, &rd);
	} while (!err && weir_prime(&ws->owner, PTR_ERR_OR_ZERO(rd),
				    WEIR_PRIME_SLOT, &tries));
	if (err)
		return min(err, 0);
	if (!rd)
		rd = weir_reader_attach(ws, ring, weir_join_gates(ws, ring),
					WEIR_ORIGIN_READER, ws->sub.seq);
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

		if (seq && seq < ws->sub.seq &&
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

/* Streams that are looked at in one hold of weir_net.lock. */
#define WEIR_PATH_LOOKS	64

/*
 * Looks for the next stream of a path with a number above @seq. @at: ring where
 * the last look ended, or NULL. Returns a ring, held; @more: it is only the
 * place where the next look continues. If @at has left the path meanwhile, the
 * look starts from the first ring of the path. Under weir_net.lock.
 */
static struct weir_ring *weir_path_look(struct weir_sock *ws, const char *name,
					u32 len, struct weir_ring *at, u64 seq,
					bool *more)
{
	struct weir_path *path = weir_path_find(ws->owner.wn, name, len);
	u32 looks = WEIR_PATH_LOOKS;
	struct weir_ring *ring;

	*more = false;
	if (!path)
		return NULL;
	/* the rings are in the order of their numbers */
	ring = at && at->path == path ? list_next_entry(at, path_link) :
	       list_first_entry(&path->rings, struct weir_ring, path_link);
	list_for_each_entry_from(ring, &path->rings, path_link) {
		if (ring->pub_seq >= ws->sub.seq)
			break;
		*more = ring->pub_seq <= seq;
		if (*more && --looks)
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
		next = weir_path_look(ws, name, len, at, seq, &more);
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

/* Makes the subscriber's struct weir_late, which the subscription pays for. */
static int weir_late_make(struct weir_sock *ws)
{
	struct weir_late *late;

	if (ws->sub.late)
		return 0;
	late = kzalloc(sizeof(*late), WEIR_GFP);
	if (!late)
		return weir_refuse(ws, -ENOMEM,
				   "no memory for the subscription");
	/* its creator holds lock_sock; workers look for it under rlock */
	spin_lock(&ws->rlock);
	ws->sub.late = late;
	spin_unlock(&ws->rlock);
	return 0;
}

/* Frees the subscriber's struct weir_late: there is no subscription. */
static void weir_late_free(struct weir_sock *ws)
{
	struct weir_late *late;

	spin_lock(&ws->rlock);
	late = ws->sub.late;
	ws->sub.late = NULL;
	spin_unlock(&ws->rlock);
	kfree(late);
}

/* Leaves the pattern: no stream is joined from then on. */
static void weir_leave_pattern(struct weir_sock *ws)
{
	struct weir_pattern *pattern;

	mutex_lock(&ws->owner.wn->lock);
	pattern = ws->sub.pattern;
	if (pattern) {
		spin_lock(&ws->rlock);
		ws->sub.seq = 0;
		spin_unlock(&ws->rlock);
		weir_late_free(ws);
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
 * failed; otherwise the socket is being released.
 */
static void weir_leave_all(struct weir_sock *ws, bool failed)
{
	struct weir_reader *rd;

	weir_leave_pattern(ws);
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
		cond_resched();
	}
}

/* Adds the subscription to its pattern. Under weir_net.lock. */
static int weir_enter_pattern(struct weir_sock *ws, const char *pattern,
			      u32 len)
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
				sizeof(*item) + sizeof(*ws->sub.late) +
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
	WRITE_ONCE(ws->sub.left_out, WEIR_REASON_NONE);
	spin_lock(&ws->rlock);
	ws->sub.seq = ++wn->seq;
	spin_unlock(&ws->rlock);
	WRITE_ONCE(ws->sub.pattern, item);
	list_add_tail(&ws->sub.link, &item->subscribers);
	return 0;
}

/**
 * weir_sock_subscribe() - connect a SOCK_RDM or SOCK_DGRAM socket
 * @ws: the socket, under lock_sock.
 * @pattern: path or pattern.
 * @len: bytes.
 *
 * Attaches the socket to all matching streams, now and until it is closed. A
 * path without a publisher is no error. A stream that matches a pattern is left
 * out when it is broken, at a cap or without memory; weir_inbox_refused() then
 * posts a notice. A later stream is left out, too, when it waits for memory and
 * weir_late_add() has no place for it. Process context, may sleep.
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

	err = weir_path_check(pattern, len, true, &why);
	if (err)
		return weir_refuse(ws, err, why);
	err = weir_late_make(ws);
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
			weir_late_free(ws);
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

/* weir_unsubscribe() - the socket is being released; may sleep */
void weir_unsubscribe(struct weir_sock *ws)
{
	weir_leave_all(ws, false);
}
