// SPDX-License-Identifier: GPL-2.0
/*
 * Connected pairs (SOCK_SEQPACKET): listen, connect, accept, socketpair and
 * shutdown. Each end owns an outbox and reads the other's. Programs see the
 * same behaviour as with AF_UNIX SOCK_SEQPACKET.
 *
 * Security modules check what a process does with its own socket. Their hooks
 * for create, bind, connect, listen, accept and messages run in the socket
 * layer; those for ioctl and mmap run before it. No hook checks two weir
 * sockets together. The kernel exports two such hooks,
 * security_unix_stream_connect() and security_unix_may_send(). They must not be
 * called here: Landlock and AppArmor treat both socks as struct unix_sock, and
 * would follow the bytes at the place of its address pointer. weir(7) documents
 * this.
 *
 * Process context, under lock_sock of the calling socket where stated.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/security.h>

#include "logic/account.h"
#include "logic/trie.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "party.h"
#include "path.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "sock/backlog.h"
#include "sock/pair.h"
#include "sock/sock.h"
#include "sock/socket.h"
#include "sock/wait.h"
#include "stats.h"
#include "tenant.h"
#include "weir.h"

/* Guards weir_sock.peer of all sockets; taken for a few instructions only. */
static DEFINE_SPINLOCK(weir_pair_lock);

static struct weir_sock *weir_peer_get(struct weir_sock *ws)
{
	struct weir_sock *peer;

	spin_lock(&weir_pair_lock);
	peer = ws->peer;
	if (peer)
		sock_hold(&peer->sk);
	spin_unlock(&weir_pair_lock);
	return peer;
}

static void weir_set_peer_cred(struct sock *sk, struct pid *pid,
			       const struct cred *cred)
{
	spin_lock(&sk->sk_peer_lock);
	put_pid(sk->sk_peer_pid);
	if (sk->sk_peer_cred)
		put_cred(sk->sk_peer_cred);
	sk->sk_peer_pid = get_pid(pid);
	sk->sk_peer_cred = get_cred(cred);
	spin_unlock(&sk->sk_peer_lock);
}

/* Makes both outboxes, and makes each end a reader of the other's outbox. */
static int weir_pair_join(struct weir_sock *a, struct weir_sock *b)
{
	struct weir_sock *const end[2] = { a, b };
	struct weir_reader *rd[2] = {};
	struct weir_ring *ring[2] = {};
	int i, err;

	for (i = 0; i < 2; i++) {
		struct weir_ring_spec spec;

		weir_sock_spec(end[i], &spec);
		spec.name = end[i]->own_path[0] ? end[i]->own_path :
						  end[i]->peer_path;
		ring[i] = weir_ring_create(&end[i]->owner, &spec);
		if (IS_ERR(ring[i])) {
			err = PTR_ERR(ring[i]);
			ring[i] = NULL;
			goto err_rings;
		}
	}
	for (i = 0; i < 2; i++) {
		rd[i] = weir_sock_attach(end[i], ring[!i], true,
					 WEIR_ORIGIN_READER, 0);
		if (IS_ERR(rd[i])) {
			err = PTR_ERR(rd[i]);
			rd[i] = NULL;
			goto err_readers;
		}
	}
	for (i = 0; i < 2; i++) {
		weir_reader_put(rd[i]);
		sock_hold(&end[!i]->sk);
		spin_lock(&weir_pair_lock);
		end[i]->peer = end[!i];
		spin_unlock(&weir_pair_lock);
		WRITE_ONCE(end[i]->sk.sk_state, TCP_ESTABLISHED);
		smp_store_release(&end[i]->outbox, ring[i]);
	}
	return 0;

err_readers:
	for (i = 0; i < 2; i++) {
		if (!rd[i])
			continue;
		weir_reader_detach(rd[i], WEIR_REASON_NO_MEMORY);
		weir_reader_put(rd[i]);
	}
err_rings:
	for (i = 0; i < 2; i++) {
		if (ring[i])
			weir_ring_owner_gone(ring[i], NULL, false);
	}
	/* the caller gets the error text, whichever end failed */
	if (b->owner.why)
		a->owner.why = b->owner.why;
	return err;
}

/* Separates the pair; returns the peer, held, or NULL. */
static struct weir_sock *weir_unlink_peer(struct weir_sock *ws)
{
	struct weir_sock *peer;
	bool both = false;

	spin_lock(&weir_pair_lock);
	peer = ws->peer;
	ws->peer = NULL;
	if (peer && peer->peer == ws) {
		peer->peer = NULL;
		both = true;
	}
	spin_unlock(&weir_pair_lock);
	if (both)
		sock_put(&ws->sk);	/* the caller has a reference */
	return peer;
}

static int weir_pair_name(struct weir_sock *ws, const char *name, u32 len)
{
	struct weir_path *path;
	int err = 0;

	mutex_lock(&ws->owner.wn->lock);
	path = weir_path_get(&ws->owner, name, len, WEIR_USE_PUBLISH);
	if (IS_ERR(path)) {
		err = PTR_ERR(path);
	} else if (path->users - path->patterns > 1) {
		weir_path_put(path);
		err = weir_refuse(ws, -EADDRINUSE, "the path is in use");
	} else {
		path->listener = ws;
		ws->path = path;
		memcpy(ws->own_path, name, len);
	}
	mutex_unlock(&ws->owner.wn->lock);
	return err;
}

/*
 * weir_pair_bind() - give a SOCK_SEQPACKET socket its name
 *
 * The socket keeps the name until it is closed. Returns 0, -EADDRINUSE when
 * the path is in use, or an error of weir_path_get().
 */
int weir_pair_bind(struct weir_sock *ws, const char *name, u32 len)
{
	unsigned int tries = 0;
	int err;

	sock_owned_by_me(&ws->sk);
	if (ws->path)
		return weir_refuse(ws, -EINVAL, "the socket is bound already");
	do {
		err = weir_pair_name(ws, name, len);
	} while (weir_prime(&ws->owner, err, WEIR_PRIME_NAME, &tries));
	return err;
}

int weir_sock_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	struct weir_sock *ws = weir_sk(sk);
	struct pid *pid;
	int err = 0;

	if (sk->sk_type != SOCK_SEQPACKET)
		return weir_refuse(ws, -EOPNOTSUPP,
				   "only SOCK_SEQPACKET sockets listen");
	lock_sock(sk);
	if (!ws->path) {
		err = weir_refuse(ws, -EINVAL, "listen needs a bound path");
	} else if (sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN) {
		err = weir_refuse(ws, -EINVAL, "the socket is connected");
	} else {
		spin_lock(&ws->listen.lock);
		ws->listen.backlog = backlog;
		WRITE_ONCE(sk->sk_state, TCP_LISTEN);
		wake_up_interruptible(&ws->listen.connect_wait);
		spin_unlock(&ws->listen.lock);
		/* SO_PEERCRED of the sockets that connect */
		pid = get_pid(task_tgid(current));
		weir_set_peer_cred(sk, pid, current_cred());
		put_pid(pid);
	}
	release_sock(sk);
	return err;
}

/* The listening socket of a path, held, or an ERR_PTR with an error text. */
static struct weir_sock *weir_find_listener(struct weir_sock *ws,
					    const char *name, u32 len)
{
	struct weir_sock *found = NULL;
	struct weir_path *path;
	const char *why;
	int err;

	err = weir_path_check(name, len, false, &why);
	if (err)
		return ERR_PTR(weir_refuse(ws, err, why));
	mutex_lock(&ws->owner.wn->lock);
	path = weir_path_find(ws->owner.wn, name, len);
	if (!path || !path->listener ||
	    !weir_listens(path->listener)) {
		err = weir_refuse(ws, -ECONNREFUSED,
				  "nobody listens on this path");
	} else if (!weir_path_permits(&ws->owner, path, MAY_WRITE)) {
		weir_drop(path->name, WEIR_REASON_DENIED);
		err = weir_refuse(ws, -EACCES,
				  "the path's mode does not permit it");
	} else {
		found = path->listener;
		sock_hold(&found->sk);
	}
	mutex_unlock(&ws->owner.wn->lock);
	return found ?: ERR_PTR(err);
}

/**
 * weir_pair_connect() - connect a SOCK_SEQPACKET socket to a listener
 * @ws: the socket; lock_sock is held.
 * @name: path of the listener.
 * @len: bytes.
 * @flags: O_NONBLOCK.
 *
 * On return the sockets are connected, even before accept, as with AF_UNIX. May
 * sleep.
 *
 * Return: 0, or a negative errno with an error text: -EINVAL, -ECONNREFUSED,
 * -EACCES, -EAGAIN (backlog full, and O_NONBLOCK or the send timeout is over),
 * -EISCONN, -ENOBUFS, -ENOMEM; -EINTR or -ERESTARTSYS on a signal.
 */
int weir_pair_connect(struct weir_sock *ws, const char *name, u32 len,
		      int flags)
{
	long timeo = sock_sndtimeo(&ws->sk, flags & O_NONBLOCK);
	struct weir_sock *listener, *child;
	const struct cred *cred;
	struct pid *pid;
	struct sock *sk;
	int err;

	sock_owned_by_me(&ws->sk);
	if (ws->sk.sk_state == TCP_LISTEN)
		return weir_refuse(ws, -EINVAL, "the socket listens");
	if (ws->outbox)
		return weir_refuse(ws, -EISCONN, "the socket is connected already");
	listener = weir_find_listener(ws, name, len);
	if (IS_ERR(listener))
		return PTR_ERR(listener);
	err = weir_wait_backlog(ws, listener, timeo);
	if (err)
		goto out;

	sk = weir_sock_alloc(sock_net(&ws->sk), NULL, SOCK_SEQPACKET, 0,
			     listener);
	if (IS_ERR(sk)) {
		err = weir_refuse(ws, PTR_ERR(sk), PTR_ERR(sk) == -ENOBUFS ?
				  "the listener's user has as much as it may" :
				  "no memory for the connection");
		goto out_unreserve;
	}
	child = weir_sk(sk);
	/* the security label is the listener's too, not the connecter's */
	security_sk_clone(&listener->sk, sk);
	child->opt.ring_bytes = listener->opt.ring_bytes;
	child->opt.node = listener->opt.node;
	child->opt.huge = listener->opt.huge;
	child->opt.evict_ms = listener->opt.evict_ms;
	child->opt.demand = listener->opt.demand;
	child->connecter = weir_account_user(ws->owner.account);
	mutex_lock(&ws->owner.wn->lock);
	memcpy(child->own_path, name, len);
	memcpy(child->peer_path, ws->own_path, sizeof(child->peer_path));
	memcpy(ws->peer_path, name, len);
	ws->peer_path[len] = '\0';
	mutex_unlock(&ws->owner.wn->lock);
	err = weir_pair_join(ws, child);
	if (err) {
		weir_sock_destroy(child);
		goto out_unreserve;
	}
	weir_end_shut(ws);
	pid = get_pid(task_tgid(current));
	weir_set_peer_cred(sk, pid, current_cred());
	put_pid(pid);
	/* another listen() may be replacing them */
	spin_lock(&listener->sk.sk_peer_lock);
	pid = get_pid(listener->sk.sk_peer_pid);
	cred = get_cred(listener->sk.sk_peer_cred);
	spin_unlock(&listener->sk.sk_peer_lock);
	weir_set_peer_cred(&ws->sk, pid, cred);
	put_pid(pid);
	put_cred(cred);

	/* if the listener has gone meanwhile, the peer hangs up */
	if (weir_enqueue(listener, child))
		weir_party_tell(&listener->party, WEIR_TELL_IN);
	else
		weir_sock_destroy(child);
	goto out;

out_unreserve:
	weir_unreserve(listener, weir_account_user(ws->owner.account));
out:
	sock_put(&listener->sk);
	return err;
}

int weir_pair_accept(struct socket *sock, struct socket *newsock, int flags)
{
	struct sock *sk = sock->sk;
	struct weir_sock *ws = weir_sk(sk), *child = NULL;
	DEFINE_WAIT(wait);
	long timeo;
	int err = 0;

	if (sk->sk_type != SOCK_SEQPACKET)
		return -EOPNOTSUPP;
	if (READ_ONCE(sk->sk_state) != TCP_LISTEN)
		return weir_refuse(ws, -EINVAL, "the socket does not listen");
	timeo = sock_rcvtimeo(sk, flags & O_NONBLOCK);
	for (;;) {
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		child = weir_dequeue(ws);
		if (child)
			break;
		if (!timeo) {
			err = -EAGAIN;
			break;
		}
		if (!weir_listens(ws)) {
			err = weir_refuse(ws, -EINVAL,
					  "the listener has been shut down");
			break;
		}
		if (signal_pending(current)) {
			err = sock_intr_errno(timeo);
			break;
		}
		timeo = schedule_timeout(timeo);
	}
	finish_wait(sk_sleep(sk), &wait);
	/* a wake-up for a later connection may have been for this call */
	if (!child)
		child = weir_dequeue(ws);
	if (!child)
		return err;
	weir_wake_next(ws);
	sock_graft(&child->sk, newsock);
	newsock->state = SS_CONNECTED;
	return 0;
}

int weir_socketpair(struct socket *a, struct socket *b)
{
	struct weir_sock *wa = weir_sk(a->sk), *wb = weir_sk(b->sk);
	struct pid *pid;
	int err;

	if (a->sk->sk_type != SOCK_SEQPACKET)
		return -EOPNOTSUPP;
	err = weir_pair_join(wa, wb);
	if (err)
		return err;
	pid = get_pid(task_tgid(current));
	weir_set_peer_cred(a->sk, pid, current_cred());
	weir_set_peer_cred(b->sk, pid, current_cred());
	put_pid(pid);
	a->state = SS_CONNECTED;
	b->state = SS_CONNECTED;
	return 0;
}

/* Ends the stream that @ws writes; its reader sees the end. May sleep. */
static void weir_end_outbox(struct weir_sock *ws, enum weir_reason reason)
{
	struct weir_ring *ring;

	mutex_lock(&ws->owner.wn->lock);
	ring = ws->outbox;
	if (ring)
		weir_ring_get(ring);
	mutex_unlock(&ws->owner.wn->lock);
	if (!ring)
		return;
	weir_ring_shut(ring, reason);
	weir_ring_put(ring);
}

/*
 * weir_end_shut() - the outbox is there; has shutdown() come before it?
 *
 * Either this sees the shutdown, or that sees the outbox. May sleep.
 */
void weir_end_shut(struct weir_sock *ws)
{
	smp_mb();	/* with weir_sock_shutdown() */
	if (READ_ONCE(ws->sk.sk_shutdown) & SEND_SHUTDOWN)
		weir_end_outbox(ws, WEIR_REASON_CLOSED);
}

static void weir_mark_shut(struct weir_sock *ws, u8 shut)
{
	spin_lock(&ws->party.lock);
	WRITE_ONCE(ws->sk.sk_shutdown, ws->sk.sk_shutdown | shut);
	spin_unlock(&ws->party.lock);
	weir_party_tell(&ws->party, WEIR_TELL_STATE);
}

/* Marks the other end of a connection, with the signals that it expects. */
static void weir_mark_peer(struct weir_sock *peer, u8 shut)
{
	weir_mark_shut(peer, shut);
	if (shut == SHUTDOWN_MASK)
		weir_party_tell(&peer->party, WEIR_TELL_HUP);
	else if (shut & RCV_SHUTDOWN)
		weir_party_tell(&peer->party, WEIR_TELL_END);
}

/* Connections that wait in the queue can be accepted; those before it fail. */
static void weir_shut_listener(struct weir_sock *ws)
{
	spin_lock(&ws->listen.lock);
	wake_up_interruptible_all(&ws->listen.connect_wait);
	spin_unlock(&ws->listen.lock);
}

/*
 * weir_sock_shutdown() - end one or both halves of a socket, in any state
 *
 * Threads that wait are woken. A publisher's sending half is its stream, which
 * ends. A subscriber goes on to read what comes, but no longer waits for it. A
 * listener accepts what waits in its queue, and nothing else.
 */
int weir_sock_shutdown(struct socket *sock, int how)
{
	struct weir_sock *ws = weir_sk(sock->sk), *peer;
	u8 mine = 0, theirs = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return weir_refuse(ws, -EINVAL, "shutdown takes SHUT_RD, SHUT_WR or SHUT_RDWR");
	if (how != SHUT_WR) {
		mine |= RCV_SHUTDOWN;
		theirs |= SEND_SHUTDOWN;
	}
	if (how != SHUT_RD) {
		mine |= SEND_SHUTDOWN;
		theirs |= RCV_SHUTDOWN;
	}
	if (mine & SEND_SHUTDOWN)
		weir_end_outbox(ws, WEIR_REASON_CLOSED);
	weir_mark_shut(ws, mine);
	weir_end_shut(ws);
	if (mine & RCV_SHUTDOWN)
		weir_shut_listener(ws);
	peer = weir_peer_get(ws);
	if (peer) {
		if (theirs & SEND_SHUTDOWN)
			weir_end_outbox(peer, WEIR_REASON_CLOSED);
		weir_mark_peer(peer, theirs);
		sock_put(&peer->sk);
	}
	return 0;
}

/*
 * weir_pair_reset() - set the peer's ECONNRESET if its data was left unread
 *
 * Called before the outbox ends: a thread of the peer that sees the end then
 * sees the error too.
 */
void weir_pair_reset(struct weir_sock *ws)
{
	struct weir_sock *peer = weir_peer_get(ws);
	struct weir_reader *rd;
	struct weir_ring_rec rec;
	bool unread = !ws->sk.sk_socket;	/* never accepted */
	int got;
	u64 pos;

	if (!peer)
		return;
	rd = weir_reader_find(&ws->party, WEIR_ID_STREAM);
	if (rd) {
		pos = READ_ONCE(rd->cursor->pos) & ~(u64)(WEIR_GRANULE - 1);
		got = weir_ring_peek_some(&rd->ring->view, &pos, &rec,
					  WEIR_SCAN_RECORDS);
		unread |= got == 1 || got == -EAGAIN;
		weir_reader_put(rd);
	}
	if (unread)
		WRITE_ONCE(peer->sk.sk_err, ECONNRESET);
	sock_put(&peer->sk);
}

/**
 * weir_pair_orphans() - take sockets out of a queue in which nothing enters
 * @ws: the socket that has listened.
 * @max: most sockets to take.
 * @orphans: they are added here, by weir_sock.accept_link.
 *
 * Takes each out by itself, and gives way in between: a queue may be long. May
 * sleep. Return: true if there may be more.
 */
bool weir_pair_orphans(struct weir_sock *ws, unsigned int max,
		       struct list_head *orphans)
{
	struct weir_sock *child;

	while (max--) {
		child = weir_dequeue(ws);
		if (!child)
			return false;
		list_add_tail(&child->accept_link, orphans);
		cond_resched();
	}
	return true;
}

/**
 * weir_pair_release() - end the connection of a socket that is being closed
 * @ws: the socket.
 * @orphans: the sockets in its accept queue are added here, by
 *	weir_sock.accept_link. The caller ends them.
 *
 * Gives up its name and its accept queue, ends the peer's stream and shuts the
 * peer down. A thread that has nothing to do with the owner leaves the queue to
 * a worker of the owner's user, see weir_sock.listen.disconnect. May sleep.
 */
void weir_pair_release(struct weir_sock *ws, struct list_head *orphans)
{
	struct weir_sock *peer;
	bool waiting;

	/* 1. the name is free: no new connection finds the listener */
	if (ws->path) {
		mutex_lock(&ws->owner.wn->lock);
		ws->path->listener = NULL;
		weir_path_put(ws->path);
		mutex_unlock(&ws->owner.wn->lock);
		ws->path = NULL;
	}

	/* 2. close the queue, and empty it */
	spin_lock(&ws->listen.lock);
	WRITE_ONCE(ws->sk.sk_state, TCP_CLOSE);
	wake_up_interruptible_all(&ws->listen.connect_wait);
	/* from here on nothing enters */
	waiting = !list_empty(&ws->listen.queue);
	spin_unlock(&ws->listen.lock);
	if (waiting && weir_stranger(ws->owner.uid, ws->owner.pid)) {
		sock_hold(&ws->sk);
		weir_jobs_add(&ws->owner.tenant->ends, &ws->listen.disconnect);
	} else {
		weir_pair_orphans(ws, UINT_MAX, orphans);
	}

	/* 3. the peer */
	peer = weir_unlink_peer(ws);
	if (!peer)
		return;
	weir_end_outbox(peer, WEIR_REASON_CLOSED);
	weir_mark_peer(peer, SHUTDOWN_MASK);
	sock_put(&peer->sk);
}
