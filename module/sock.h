/* SPDX-License-Identifier: GPL-2.0 */
/* An AF_WEIR socket. */
#ifndef _WEIR_SOCK_H
#define _WEIR_SOCK_H

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <net/sock.h>

#include "logic/account.h"
#include "owner.h"
#include "stats.h"
#include "tenant.h"
#include "tunables.h"
#include "weir.h"

/**
 * struct weir_sock - an AF_WEIR socket
 * @sk: first, as the socket layer requires.
 * @owner: the user that made the socket, pays for all that it uses, and is told
 *	why a call is refused; of an accepted socket, that of its listener.
 *	@owner.memcg is the cgroup of the process that subscribed: the cursors
 *	of the subscription are charged to it. lock_sock guards the options.
 * @id: for WEIR_IOC_LIST.
 * @charge: for the socket itself; fixed.
 * @ring_bytes: bytes of @outbox; 0: the tunable's.
 * @inbox_bytes: bytes of @inbox; 0: the tunable's.
 * @node: NUMA node of the rings.
 * @huge: 0 or 1, WEIR_SO_HUGE.
 * @evict_ms: WEIR_SO_EVICT_MS.
 * @linger_ms: WEIR_SO_LINGER_MS.
 * @hold_ms: WEIR_SO_HOLD_MS.
 * @start: WEIR_SO_START.
 * @demand: WEIR_SO_DEMAND.
 * @name: WEIR_SO_NAME.
 * @long_path: WEIR_SO_LONG_PATH, "" after its use; lock_sock.
 * @outbox: set once, stable until release.
 * @inbox: set once, stable until release.
 * @ep: endpoint, if it calls or serves; set once, stable until release.
 * @resumed: bind took over a lingering ring.
 * @path: path that the socket is bound to (pairs), or NULL; lock_sock.
 * @own_path: bound path, or the listener's for an accepted socket, or "".
 *	@own_path and @peer_path are written under weir_net.lock.
 * @peer_path: path or pattern given to connect, or the peer's own path.
 * @pattern: subscribed pattern, or NULL; weir_net.lock.
 * @pattern_link: in weir_pattern.subscribers; weir_net.lock.
 * @pattern_charge: for the subscription; weir_net.lock.
 * @sub_owner: of a subscription to a plain path: owner of the first path found,
 *	valid if @sub_bound; weir_net.lock.
 * @sub_bound: such a path was found; weir_net.lock.
 * @left_out: enum weir_reason of the last stream that was refused while there
 *	was no inbox for the notice; WEIR_REASON_NONE: no stream was.
 * @sub_seq: weir_net.seq when it subscribed; 0 without a subscription. Written
 *	under weir_net.lock and @rlock.
 * @late: streams that the socket joins once there is memory; NULL without a
 *	subscription. Set under lock_sock and @rlock; workers take @rlock.
 * @peer: connected pair: the other end; guarded by pair_lock in pair.c.
 * @rlock: guards @readers, @nreaders and @barrier.
 * @readers: streams, by weir_reader.sock_link; the head is next in turn.
 * @ids: streams and the inbox's reader by id; its own xa_lock.
 * @nreaders: number of streams in @readers.
 * @next_id: where the search for the next id begins; xa_lock of @ids.
 * @barrier: scratch: CPUs that must run a barrier before the socket sleeps.
 * @iolock: one kernel receiver at a time.
 * @accept_lock: listening: guards the queue and the state TCP_LISTEN.
 * @backlog: listening: limit of @waiting; one more may wait. accept_lock.
 * @waiting: listening: number of connections in the queue, by user;
 *	accept_lock.
 * @accept_queue: listening: sockets, by @accept_link.
 * @accept_link: see @accept_queue.
 * @disconnect: job that ends the sockets in @accept_queue.
 * @connecter: in an accept queue: user whose share of the queue it takes.
 * @connect_wait: listening: waiters for room in the queue, the first of each
 *	user.
 * @connecters: listening: these, by weir_connecter.link; accept_lock.
 * @sent: records sent by sendmsg.
 * @received: records received by recvmsg.
 * @copied_bytes: payload bytes copied by sendmsg and recvmsg.
 * @missed: records that its streams lost, see weir_reader.missed.
 * @evicted: number of evictions of its readers.
 */
struct weir_sock {
	struct sock sk;
	struct weir_owner owner;
	unsigned long id;
	struct weir_charge charge;

	u32 ring_bytes;
	u32 inbox_bytes;
	int node;
	u32 huge;
	u32 evict_ms;
	u32 linger_ms;
	u32 hold_ms;
	u32 start;
	s32 demand;
	char name[WEIR_NAME_MAX + 1];
	char long_path[WEIR_PATH_MAX + 1];

	struct weir_ring *outbox;
	struct weir_ring *inbox;
	struct weir_endpoint *ep;
	bool resumed;
	struct weir_path *path;
	char own_path[WEIR_PATH_MAX + 1];
	char peer_path[WEIR_PATH_MAX + 1];
	struct weir_pattern *pattern;
	struct list_head pattern_link;
	struct weir_charge pattern_charge;
	kuid_t sub_owner;
	bool sub_bound;
	enum weir_reason left_out;
	u64 sub_seq;
	struct weir_late *late;
	struct weir_sock *peer;

	spinlock_t rlock;
	struct list_head readers;
	struct xarray ids;
	u32 next_id;
	u32 nreaders;
	cpumask_var_t barrier;
	struct mutex iolock;

	spinlock_t accept_lock;
	u32 backlog;
	struct weir_tally waiting;
	struct list_head accept_queue;
	struct list_head accept_link;
	struct weir_job disconnect;
	kuid_t connecter;
	wait_queue_head_t connect_wait;
	struct list_head connecters;

	atomic64_t sent;
	atomic64_t received;
	atomic64_t copied_bytes;
	atomic64_t missed;
	atomic64_t evicted;
};

static inline struct weir_sock *weir_sk(const struct sock *sk)
{
	return (struct weir_sock *)sk;
}

/* Returns @err, and keeps the text @why for WEIR_SO_ERROR_TEXT. */
static inline int weir_refuse(struct weir_sock *ws, int err, const char *why)
{
	return weir_owner_refuse(&ws->owner, err, why);
}

void weir_sock_spec(struct weir_sock *ws, struct weir_ring_spec *spec);

#endif /* _WEIR_SOCK_H */
