// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of a socket. A structure carries its own size and is copied once.
 * Bytes beyond the fields that this module knows must be zero. A refusal leaves
 * words for WEIR_SO_ERROR_TEXT, except for plain errors such as -EFAULT.
 *
 * Process context.
 */
#include <linux/compat.h>
#include <linux/sched/signal.h>
#include <linux/sockios.h>
#include <linux/uaccess.h>
#include <asm/ioctls.h>

#include "copy_in.h"
#include "ctl/control.h"
#include "ctl/list.h"
#include "owner.h"
#include "party.h"
#include "ring/inbox.h"
#include "ring/map.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "sock/message.h"
#include "sock/routed.h"
#include "sock/sock.h"
#include "sock/socket.h"
#include "weir.h"

static int weir_ioc_map(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_map map;
	u32 size;
	int err;

	err = weir_copy_in(&ws->owner, &map, sizeof(map), arg);
	if (err)
		return err;
	size = min_t(u32, map.size, sizeof(map));
	if (map.flags)
		return weir_refuse(ws, -EINVAL, "unknown flags");
	if (map.id == WEIR_ID_INBOX) {
		lock_sock(&ws->sk);
		err = weir_sock_inbox(ws);
		release_sock(&ws->sk);
		if (err)
			return err;
	}
	err = weir_map_describe(&ws->party, smp_load_acquire(&ws->outbox),
				&map);
	if (err)
		return err;
	if (map.id == WEIR_ID_OUTBOX)
		map.resumed = ws->resumed;
	return copy_to_user(arg, &map, size) ? -EFAULT : 0;
}

static int weir_ioc_detach(struct weir_sock *ws, unsigned long id)
{
	struct weir_reader *rd;

	if (ws->sk.sk_type == SOCK_SEQPACKET || id < WEIR_ID_STREAM ||
	    id > U32_MAX)
		return weir_refuse(ws, -EINVAL, "only subscribed streams can be detached");
	rd = weir_reader_find(&ws->party, id);
	if (!rd)
		return weir_refuse(ws, -ENXIO, "the socket has no stream of this id");
	weir_reader_detach(rd, WEIR_REASON_CLOSED);
	weir_reader_put(rd);
	return 0;
}

/*
 * Length of a stream's next message; -ENODATA: there is none; -EAGAIN: @budget
 * steps were not enough, and *@pos is where to go on. Any context.
 */
static int weir_reader_next_len(const struct weir_reader *rd, u64 *pos,
				u32 budget)
{
	struct weir_ring_rec rec;
	int got;

	while (budget--) {
		got = weir_ring_peek_some(&rd->ring->view, pos, &rec,
					  WEIR_SCAN_RECORDS);
		if (got == -EAGAIN)
			continue;
		if (got != 1)
			return -ENODATA;
		if (rec.kind != WEIR_KIND_NOTICE || rd->id != WEIR_ID_INBOX)
			return rec.len;
		*pos = rec.next;
	}
	return -EAGAIN;
}

static u64 weir_reader_pos(const struct weir_reader *rd)
{
	return READ_ONCE(rd->cursor->pos) & ~(u64)(WEIR_GRANULE - 1);
}

/*
 * weir_reader_next_len() for a whole ring; negative: there is none. Puts the
 * reader. May sleep.
 */
static int weir_reader_next_len_put(struct weir_reader *rd)
{
	u64 pos = weir_reader_pos(rd);
	u64 end = pos + weir_ring_bytes(&rd->ring->view);
	int len;

	do {
		len = weir_reader_next_len(rd, &pos, 1);
		cond_resched();
	} while (len == -EAGAIN && (s64)(end - pos) > 0 &&
		 !signal_pending(current));
	weir_reader_put(rd);
	return len;
}

/* Times that FIONREAD moves overtaken readers on, at most. */
#define WEIR_NEXT_LOST	10

/*
 * weir_reader_next_len() for the streams from the head of the list on, up to
 * WEIR_SCAN_BUDGET. The next call begins behind the last stream that this one
 * has looked at. @seen: is increased for each stream. @more: out: the first
 * stream whose look was not finished, held. Negative: no message was found.
 * -ESTALE: before one is found @more must be moved on, it has been overtaken.
 */
static int weir_next_len_some(struct weir_sock *ws, u32 *seen,
			      struct weir_reader **more)
	__must_hold(&ws->party.lock)
{
	u32 left = WEIR_SCAN_BUDGET, cost;
	struct weir_reader *rd;
	u64 pos, from;
	int len;

	lockdep_assert_held(&ws->party.lock);
	list_for_each_entry(rd, &ws->party.readers, party_link) {
		from = pos = weir_reader_pos(rd);
		len = weir_reader_next_len(rd, &pos, 1);
		++*seen;
		if (!rd->gating && !*more &&
		    weir_ring_overtaken(&rd->ring->view, from)) {
			weir_reader_get(rd);
			*more = rd;
			return -ESTALE;
		}
		if (len >= 0)
			return len;
		if (len == -EAGAIN && !*more) {
			/* a longer look must not be made under a spinlock */
			weir_reader_get(rd);
			*more = rd;
		}
		/* a look at a stream without records costs something, too */
		cost = max(weir_scan_cost(from, pos), 1U);
		if (cost >= left) {
			list_move(&ws->party.readers, &rd->party_link);
			break;
		}
		left -= cost;
	}
	return -ENODATA;
}

/*
 * FIONREAD: length of the message that recvmsg returns next; 0 when there is
 * none. Looks in the order of recvmsg: the streams in turn, then the inbox. May
 * sleep.
 */
static int weir_next_len(struct weir_sock *ws)
{
	struct weir_reader *rd, *more = NULL;
	u32 seen = 0, all, lost = 0;
	int len;

	do {
		spin_lock(&ws->party.lock);
		len = weir_next_len_some(ws, &seen, &more);
		all = ws->party.nreaders;
		spin_unlock(&ws->party.lock);
		if (len == -ESTALE) {
			if (weir_recv_catch_up(ws, more) ||
			    ++lost == WEIR_NEXT_LOST)
				seen = all;
			else
				seen = 0;
			weir_reader_put(more);
			more = NULL;
		}
		cond_resched();
	} while (len < 0 && seen < all && !signal_pending(current));
	if (more && len >= 0)
		weir_reader_put(more);
	else if (more)
		len = weir_reader_next_len_put(more);
	if (len < 0 && smp_load_acquire(&ws->ep)) {
		rd = weir_reader_find(&ws->party, WEIR_ID_INBOX);
		if (rd)
			len = weir_reader_next_len_put(rd);
	}
	return max(len, 0);
}

/* SIOCOUTQ: bytes of the outbox that the slowest gating reader has not read. */
static int weir_unread(struct weir_sock *ws)
{
	struct weir_ring *ring = smp_load_acquire(&ws->outbox);
	struct weir_reader *rd;
	u64 most = 0, tail;
	u32 seq;

	if (!ring || weir_ring_tail(&ring->view, &tail, &seq))
		return 0;
	spin_lock_bh(&ring->lock);
	list_for_each_entry(rd, &ring->readers, ring_link) {
		u64 lag = tail - READ_ONCE(rd->cursor->pos);

		if (rd->gating && !rd->evicted &&
		    lag <= weir_ring_bytes(&ring->view))
			most = max(most, lag);
	}
	spin_unlock_bh(&ring->lock);
	return most;
}

int weir_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct weir_sock *ws = weir_sk(sock->sk);
	void __user *uarg = (void __user *)arg;

	WRITE_ONCE(ws->owner.why, NULL);
	switch (cmd) {
	case WEIR_IOC_MAP:
		return weir_ioc_map(ws, uarg);
	case WEIR_IOC_DETACH:
		return weir_ioc_detach(ws, arg);
	case WEIR_IOC_LIST:
		return weir_list(ws, uarg);
	case WEIR_IOC_SERVE:
		return weir_sock_serve(ws, uarg);
	case WEIR_IOC_CALL:
		return weir_sock_call(ws, uarg);
	case WEIR_IOC_CONTROL:
		return weir_control(ws, uarg);
	case SIOCINQ:
		if (READ_ONCE(sock->sk->sk_state) == TCP_LISTEN)
			return weir_refuse(ws, -EINVAL, "the socket listens");
		return put_user(weir_next_len(ws), (int __user *)uarg);
	case SIOCOUTQ:
		return put_user(weir_unread(ws), (int __user *)uarg);
	default:
		return -ENOIOCTLCMD;
	}
}

#ifdef CONFIG_COMPAT
/*
 * An ioctl of a 32-bit program. The structures are the same, as
 * tests/selftests/abi.c asserts. Only the argument needs care: it is an id or a
 * pointer.
 */
int weir_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	if (cmd != WEIR_IOC_DETACH)
		arg = (unsigned long)compat_ptr(arg);
	return weir_ioctl(sock, cmd, arg);
}
#endif
