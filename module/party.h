/* SPDX-License-Identifier: GPL-2.0 */
/* A socket as its rings know it. */
#ifndef _WEIR_PARTY_H
#define _WEIR_PARTY_H

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <net/sock.h>

#include "weir.h"

/**
 * struct weir_party - what reads streams, and sleeps until rings are ready
 * @sk: what sleeps and is woken; a reference of it holds the party.
 * @owner: pays for the readers, and is told why one is refused.
 * @single: it reads one stream at most: an end of a pair.
 * @reads: path or pattern that it subscribes to, or "".
 * @inbox: set once, stable until release.
 * @left_out: enum weir_reason of the last stream that was refused while there
 *	was no inbox for the notice; WEIR_REASON_NONE: no stream was.
 * @lock: guards @readers, @nreaders and @barrier.
 * @readers: streams, by weir_reader.party_link; the head is next in turn.
 * @ids: streams and the inbox's reader by id; its own xa_lock.
 * @nreaders: number of streams in @readers.
 * @next_id: where the search for the next id begins; xa_lock of @ids.
 * @barrier: scratch: CPUs that must run a barrier before the party sleeps.
 * @sub_seq: weir_net.seq when it subscribed; 0 without a subscription. Written
 *	under weir_net.lock and @lock.
 * @missed: records that its streams lost, see weir_reader.missed.
 * @evicted: number of evictions of its readers.
 *
 * A socket contains one. The kernel's own readers have none.
 */
struct weir_party {
	struct sock *sk;
	struct weir_owner *owner;
	bool single;
	const char *reads;
	struct weir_ring *inbox;
	enum weir_reason left_out;
	spinlock_t lock;
	struct list_head readers;
	struct xarray ids;
	u32 next_id;
	u32 nreaders;
	cpumask_var_t barrier;
	u64 sub_seq;
	atomic64_t missed;
	atomic64_t evicted;
};

#endif /* _WEIR_PARTY_H */
