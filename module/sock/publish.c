// SPDX-License-Identifier: GPL-2.0
/*
 * Publishing by name (SOCK_RDM and SOCK_DGRAM): bind makes an outbox, or takes
 * over one that lingers, and connects it with the sockets that subscribe to its
 * path. subscribe.c has the other side. Either may come first.
 *
 * A reader gates the writer when both ends are SOCK_RDM. A SOCK_DGRAM publisher
 * waits for nobody, and a SOCK_DGRAM subscriber holds nobody back.
 *
 * Streams and subscriptions get numbers in one order, under weir_net.lock. Of
 * each matching pair, the side that came later attaches the reader, without the
 * lock.
 *
 * Process context, under lock_sock of the calling socket.
 */
#include "logic/forms.h"
#include "logic/trie.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "path.h"
#include "ring/ring.h"
#include "sock/join.h"
#include "sock/pair.h"
#include "sock/pubsub.h"
#include "sock/sock.h"
#include "tenant.h"
#include "trace.h"
#include "weir.h"

/*
 * A stream that lingers under this path and that this user may take over; or
 * NULL. Streams of other users on the path have another key in the hash table.
 */
static struct weir_ring *weir_lingering(struct weir_sock *ws,
					struct weir_path *path)
	__must_hold(&ws->owner.wn->lock)
{
	struct weir_ring *ring;

	lockdep_assert_held(&ws->owner.wn->lock);
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
	memcpy(ws->own_path, path->name, path->len);
	ring->path = path;
	weir_ring_get(ring);	/* the path's */
	list_add_tail(&ring->path_link, &path->rings);
	smp_store_release(&ring->pub_seq, ++wn->seq);
	/* users may make patterns of many forms: a worker looks at the rest */
	if (weir_trie_match_patterns(&wn->patterns, path->name, path->len,
				     weir_join_note, j, WEIR_TRIE_STEPS_MAX))
		j->more = true;
}

/* The outbox is there: to threads that wait, and to an earlier shutdown(). */
static void weir_outbox_announce(struct weir_sock *ws)
{
	weir_end_shut(ws);
	ws->sk.sk_state_change(&ws->sk);
}

/**
 * weir_publish() - bind a SOCK_RDM or SOCK_DGRAM socket
 * @ws: the socket; lock_sock is held.
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

	sock_owned_by_me(&ws->sk);
	if (ws->outbox)
		return weir_refuse(ws, -EINVAL, "the socket is bound already");
	do {
		mutex_lock(&wn->lock);
		err = weir_publish_path(ws, name, len, &path);
		mutex_unlock(&wn->lock);
	} while (weir_prime(&ws->owner, err, WEIR_PRIME_NAME, &tries));
	if (err == 1)
		weir_outbox_announce(ws);
	if (err)
		return err < 0 ? err : 0;

	/* the path has a user: no listener can take it meanwhile */
	weir_sock_spec(ws, &spec);
	spec.name = path->name;
	ring = weir_ring_create(&ws->owner, &spec);
	if (IS_ERR(ring)) {
		err = PTR_ERR(ring);
		goto err_path;
	}
	j = weir_joining_make(ring);
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
	weir_outbox_announce(ws);
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
