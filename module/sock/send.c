// SPDX-License-Identifier: GPL-2.0
/*
 * sendmsg: publishing with ordinary socket calls, with one copy. It uses the
 * ring by the same protocol as the library, so a program may use both in turn.
 *
 * Process context.
 */
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "logic/clock.h"
#include "owner.h"
#include "party.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "ring/wake.h"
#include "sock/message.h"
#include "sock/plain_route.h"
#include "sock/routed.h"
#include "sock/sock.h"
#include "sock/wait.h"
#include "stats.h"
#include "weir.h"

/* Claims space; looks at the cursors if the cached limit is too low. */
static int weir_send_claim(struct weir_ring *ring, u32 total, u64 *pos,
			   u32 *seq)
{
	int err = weir_ring_claim(&ring->view, total, 1, pos, seq);

	if (err) {
		if (!weir_writable(ring, total))
			return -EAGAIN;
		err = weir_ring_claim(&ring->view, total, 1, pos, seq);
	}
	return err;
}

/*
 * Sleeps until there may be room; 0, -EAGAIN on timeout, or a signal's errno.
 */
static int weir_send_wait(struct weir_sock *ws, u32 total, long *timeo)
{
	struct sock *sk = &ws->sk;
	DEFINE_WAIT(wait);
	int err = 0;

	prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
	weir_party_waits(&ws->party);
	if (!weir_arm_writable(ws->outbox, total)) {
		if (!*timeo)
			err = weir_refuse(ws, -EAGAIN,
					  "readers hold the whole ring");
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		else
			*timeo = schedule_timeout(*timeo);
	} else if (signal_pending(current)) {
		/* a malicious thread makes and takes room */
		err = sock_intr_errno(*timeo);
	}
	finish_wait(sk_sleep(sk), &wait);
	cond_resched();
	return err;
}

static int weir_send_error(struct weir_sock *ws, const struct msghdr *msg,
			   int err, const char *why)
{
	if (err == -EPIPE && !(msg->msg_flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	return weir_refuse(ws, err, why);
}

/* Can this socket send now? 0, or a negative errno with an error text. */
static int weir_send_check(struct weir_sock *ws, struct msghdr *msg)
{
	struct weir_ring *ring = smp_load_acquire(&ws->outbox);
	int err;

	err = sock_error(&ws->sk);
	if (err)
		return weir_refuse(ws, err, "the peer closed with data unread");
	if (!ring)
		return weir_refuse(ws, ws->sk.sk_type == SOCK_SEQPACKET ?
				   -ENOTCONN : -EDESTADDRREQ,
				   "the socket has no outbox: bind or connect it first");
	if (READ_ONCE(ws->sk.sk_shutdown) & SEND_SHUTDOWN ||
	    !weir_ring_live(ring))
		return weir_send_error(ws, msg, -EPIPE, "the stream has ended");
	return 0;
}

/*
 * Where does a message go: into the socket's stream, or to the address or
 * handle in the message? Fills @scm for the latter. 0 or a negative errno.
 */
static int weir_send_where(struct weir_sock *ws, struct msghdr *msg,
			   struct weir_scm_route *scm)
{
	bool streams = ws->sk.sk_type != SOCK_RDM ||
		       (READ_ONCE(ws->outbox) && !READ_ONCE(ws->ep));

	if (!streams && (msg->msg_namelen || msg->msg_controllen))
		return weir_named_address(ws, msg, scm);
	if (msg->msg_controllen)
		return weir_refuse(ws, -EINVAL,
				   "weir carries no descriptors, credentials or other control messages");
	if (msg->msg_namelen)
		return weir_refuse(ws, ws->sk.sk_state == TCP_ESTABLISHED ?
				   -EISCONN : -EOPNOTSUPP,
				   "a socket sends to its own path only");
	if (READ_ONCE(ws->ep))
		return weir_refuse(ws, -EDESTADDRREQ,
				   "a socket that calls or serves says where each message goes");
	return 0;
}

int weir_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk;
	struct weir_sock *ws = weir_sk(sk);
	struct weir_scm_route scm = { .kind = WEIR_KIND_EVENT };
	struct weir_record *rec;
	struct weir_ring *ring;
	u32 total, seq, ext;
	long timeo;
	u64 pos;
	int err;

	if (msg->msg_flags & MSG_OOB)
		return weir_refuse(ws, -EOPNOTSUPP, "no out-of-band data");
	err = weir_send_where(ws, msg, &scm);
	if (!err)
		err = weir_send_check(ws, msg);
	if (err)
		return err;
	ring = ws->outbox;
	ext = scm.dup ? 2 : scm.deadline_ns ? 1 : 0;
	if (len > weir_ring_max_len(&ring->view) - ext * 8)
		return weir_refuse(ws, -EMSGSIZE,
				   "the message is larger than the ring");
	total = weir_ring_need(len + ext * 8);
	timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);

	while (weir_send_claim(ring, total, &pos, &seq)) {
		err = weir_send_wait(ws, total, &timeo);
		if (!err)
			err = weir_send_check(ws, msg);
		if (err)
			return err;
	}

	rec = weir_ring_at(&ring->view, pos);
	rec->kind = scm.kind;
	rec->flags = scm.flags;
	rec->ext = ext;
	rec->reserved = 0;
	rec->seq = seq;
	rec->route = scm.route;
	rec->tag = scm.tag;
	rec->key = scm.key;
	rec->len = len;
	if (ext)
		((u64 *)(rec + 1))[WEIR_EXT_DEADLINE] =
			weir_clock_between(scm.deadline_ns, weir_clock_here(),
					   ring->clock_ns);
	if (ext > WEIR_EXT_DUP)
		((u64 *)(rec + 1))[WEIR_EXT_DUP] = scm.dup;
	if (!copy_from_iter_full((u64 *)(rec + 1) + ext, len,
				 &msg->msg_iter)) {
		err = weir_refuse(ws, -EFAULT, "the message is not readable");
		/* cannot be taken back: a reader may have attached behind it */
		rec->flags = WEIR_REC_ABORTED;
		weir_ring_commit(&ring->view, rec, pos);
		return err;
	}
	weir_ring_commit(&ring->view, rec, pos);
	smp_mb();						/* (C) */
	weir_outbox_kick(ws, ring);
	if (unlikely(READ_ONCE(ws->party.watch) & WEIR_WATCH_OUT))
		weir_watch_sent(ws, ring);

	atomic64_inc(&ws->counts.sent);
	weir_stat_inc(WEIR_STAT_SENT);
	weir_count_copy(ws, ring, len);
	return len;
}
