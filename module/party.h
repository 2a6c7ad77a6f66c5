/* SPDX-License-Identifier: GPL-2.0 */
/* A socket as its rings know it. */
#ifndef _WEIR_PARTY_H
#define _WEIR_PARTY_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <net/sock.h>

#include "tenant.h"
#include "weir.h"

/**
 * enum weir_watch - what waits on a party without asking before each sleep
 * @WEIR_WATCH_IN: is told of each message: edge-triggered and exclusive waiters
 *	of epoll and io_uring, and O_ASYNC.
 * @WEIR_WATCH_OUT: is told when there is room again, edge-triggered.
 * @WEIR_WATCH_ROOM: is told of each quarter of the ring that readers make room:
 *	exclusive waiters.
 * @WEIR_WATCH_POLL: something has polled: what its entry in the wait queue
 *	takes to be woken is for its user to say. See ring/tell.c.
 * @WEIR_WATCH_LONG: the wait queue is long, or there is O_ASYNC. The same file.
 *
 * Other waiters look at the party, and are armed, before they sleep.
 */
enum weir_watch {
	WEIR_WATCH_IN	= BIT(0),
	WEIR_WATCH_OUT	= BIT(1),
	WEIR_WATCH_ROOM	= BIT(2),
	WEIR_WATCH_POLL	= BIT(3),
	WEIR_WATCH_LONG	= BIT(4),
};

/**
 * struct weir_party - what reads streams, and sleeps until rings are ready
 *
 * A socket contains one. The kernel's own readers have none.
 */
struct weir_party {
	/** @sk: what sleeps and is woken; a reference of it holds the party. */
	struct sock *sk;
	/** @owner: pays for the readers, and is told why one is refused. */
	struct weir_owner *owner;
	/** @single: it reads one stream at most: an end of a pair. */
	bool single;
	/** @reads: path or pattern that it subscribes to, or "". */
	const char *reads;
	/** @inbox: set once, stable until release. */
	struct weir_ring *inbox;
	/**
	 * @left_out: enum weir_reason of the last stream that was refused while
	 * there was no inbox for the notice; WEIR_REASON_NONE: no stream was.
	 */
	enum weir_reason left_out;
	/**
	 * @lock: guards @readers, @nreaders, @barrier, @watch and @watching.
	 */
	spinlock_t lock;
	/**
	 * @readers: streams, by weir_reader.party_link; the head is next in
	 * turn.
	 */
	struct list_head readers;
	/** @ids: streams and the inbox's reader by id; its own xa_lock. */
	struct xarray ids;
	/**
	 * @next_id: where the search for the next id begins; xa_lock of @ids.
	 */
	u32 next_id;
	/** @nreaders: number of streams in @readers. */
	u32 nreaders;
	/**
	 * @barrier: scratch: CPUs that must run a barrier before the party
	 * sleeps.
	 */
	cpumask_var_t barrier;
	/**
	 * @watch: WEIR_WATCH_* bits. They are set under @lock and stay set, but
	 * for WEIR_WATCH_LONG. A bit counts only while somebody is on the
	 * socket's wait queue or list of O_ASYNC.
	 */
	u8 watch;
	/**
	 * @watching: all readers have been armed for WEIR_WATCH_IN. Set under
	 * @lock, cleared under the ring->lock of a reader that is no longer
	 * armed.
	 */
	bool watching;
	/**
	 * @merged: one wake-up may have been for several messages or
	 * connections: see weir_wake_next(). Without a lock.
	 */
	bool merged;
	/**
	 * @tells: enum weir_tell: what @later tells, as bits; changed
	 * atomically.
	 */
	unsigned long tells;
	/**
	 * @later: has the worker of the owner's user tell what waits on @sk;
	 * holds @sk while it is queued.
	 */
	struct weir_work_item later;
	/**
	 * @sub_seq: weir_net.seq when it subscribed; 0 without a subscription.
	 * Written under weir_net.lock and @lock.
	 */
	u64 sub_seq;
	/** @missed: records that its streams lost, see weir_reader.missed. */
	atomic64_t missed;
	/** @evicted: number of evictions of its readers. */
	atomic64_t evicted;
};

#endif /* _WEIR_PARTY_H */
