/* SPDX-License-Identifier: GPL-2.0 */
/* An AF_WEIR socket. */
#ifndef _WEIR_SOCK_H
#define _WEIR_SOCK_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <net/sock.h>

#include "logic/account.h"
#include "owner.h"
#include "party.h"
#include "tenant.h"
#include "weir.h"

/**
 * struct weir_sock_options - what a program has set; see ctl/option.c
 *
 * lock_sock guards all of them. The mode and the group of paths are those of
 * weir_sock.owner.
 */
struct weir_sock_options {
	/** @ring_bytes: bytes of the outbox; 0: the tunable's. */
	u32 ring_bytes;
	/** @inbox_bytes: bytes of the inbox; 0: the tunable's. */
	u32 inbox_bytes;
	/** @node: NUMA node of the rings, or NUMA_NO_NODE. */
	int node;
	/** @huge: 1: large pages for the outbox where possible; else 0. */
	u32 huge;
	/** @evict_ms: weir_ring.evict_ms of the outbox. */
	u32 evict_ms;
	/** @linger_ms: weir_ring.linger_ms of the outbox. */
	u32 linger_ms;
	/** @hold_ms: weir_reader.hold_ms of the streams, if @name is set. */
	u32 hold_ms;
	/** @start: enum weir_start: where reading begins. */
	u32 start;
	/** @demand: first demand of the streams, in records; -1: none. */
	s32 demand;
	/** @name: name of the cursors, or "". */
	char name[WEIR_NAME_MAX + 1];
	/** @long_path: path for the next bind or connect; "" after its use. */
	char long_path[WEIR_PATH_MAX + 1];
};

/**
 * struct weir_subscription - the pattern that a socket subscribes to
 *
 * weir_net.lock guards the members for which no other lock is named.
 */
struct weir_subscription {
	/** @pattern: the pattern or path; NULL without a subscription. */
	struct weir_pattern *pattern;
	/** @link: in weir_pattern.subscribers. */
	struct list_head link;
	/** @charge: for the subscription. */
	struct weir_charge charge;
	/**
	 * @path_owner: of a plain path: owner of the first path found, valid
	 * if @bound.
	 */
	kuid_t path_owner;
	/** @bound: such a path was found. */
	bool bound;
	/**
	 * @pending: streams that the socket joins once there is memory; NULL
	 * without a subscription. Set under lock_sock and weir_party.lock;
	 * workers take weir_party.lock.
	 */
	struct weir_pending_joins *pending;
};

/**
 * struct weir_listener - the queue of a socket that listens
 *
 * @lock guards the members for which no other lock is named.
 */
struct weir_listener {
	/** @lock: guards the queue and the socket's state TCP_LISTEN. */
	spinlock_t lock;
	/** @backlog: limit of @waiting; one more may wait. */
	u32 backlog;
	/** @waiting: connections in the queue, by user. */
	struct weir_tally waiting;
	/** @queue: sockets to be accepted, by weir_sock.accept_link. */
	struct list_head queue;
	/** @disconnect: job that ends the sockets in @queue. */
	struct weir_job disconnect;
	/**
	 * @connect_wait: waiters for room in the queue, the first of each user;
	 * its own lock.
	 */
	wait_queue_head_t connect_wait;
	/** @connecters: these waiters, by weir_connecter.link. */
	struct list_head connecters;
};

/**
 * struct weir_sock_counts - counters of a socket; atomic
 */
struct weir_sock_counts {
	/** @sent: records sent by sendmsg. */
	atomic64_t sent;
	/** @received: records received by recvmsg. */
	atomic64_t received;
	/** @copied_bytes: payload bytes copied by sendmsg and recvmsg. */
	atomic64_t copied_bytes;
};

/**
 * struct weir_sock - an AF_WEIR socket
 */
struct weir_sock {
	/** @sk: first, as the socket layer requires. */
	struct sock sk;
	/**
	 * @owner: the user that made the socket, pays for all that it uses, and
	 * is told why a call is refused. Of an accepted socket: its listener's.
	 * Its memcg is that of the first subscriber process: the subscription's
	 * cursors are charged to it.
	 */
	struct weir_owner owner;
	/** @party: what it reads: its streams and its inbox. */
	struct weir_party party;
	/** @id: for WEIR_IOC_LIST. */
	unsigned long id;
	/** @charge: for the socket itself; fixed. */
	struct weir_charge charge;
	/** @opt: what the program has set. */
	struct weir_sock_options opt;

	/** @outbox: set once, stable until release. */
	struct weir_ring *outbox;
	/**
	 * @ep: endpoint, if it calls or serves; set once, stable until release.
	 */
	struct weir_endpoint *ep;
	/** @resumed: bind took over a lingering ring. */
	bool resumed;

	/** @path: of pairs: path that it is bound to, or NULL; lock_sock. */
	struct weir_path *path;
	/**
	 * @own_path: bound path, or the listener's for an accepted socket, or
	 * "". Written under weir_net.lock, as @peer_path is.
	 */
	char own_path[WEIR_PATH_MAX + 1];
	/**
	 * @peer_path: path or pattern given to connect, or the peer's own path.
	 */
	char peer_path[WEIR_PATH_MAX + 1];
	/** @sub: what a subscriber subscribes to. */
	struct weir_subscription sub;

	/** @iolock: one kernel receiver at a time. */
	struct mutex iolock;

	/** @peer: connected pair: the other end; pair_lock in pair.c. */
	struct weir_sock *peer;
	/** @listen: of a listening socket: its queue. */
	struct weir_listener listen;
	/** @accept_link: to be accepted: in weir_listener.queue; its lock. */
	struct list_head accept_link;
	/**
	 * @connecter: to be accepted: user whose share of the queue it takes;
	 * fixed.
	 */
	kuid_t connecter;

	/** @counts: what it has sent, received and lost. */
	struct weir_sock_counts counts;
};

static inline struct weir_sock *weir_sk(const struct sock *sk)
{
	return (struct weir_sock *)sk;
}

/* The socket of a party. */
static inline struct weir_sock *weir_party_sock(struct weir_party *p)
{
	return container_of(p, struct weir_sock, party);
}

/* Returns @err, and keeps the text @why for WEIR_SO_ERROR_TEXT. */
static inline int weir_refuse(struct weir_sock *ws, int err, const char *why)
{
	return weir_owner_refuse(&ws->owner, err, why);
}

/* socket.c */
int weir_sock_inbox(struct weir_sock *ws);
void weir_sock_spec(struct weir_sock *ws, struct weir_ring_spec *spec);

#endif /* _WEIR_SOCK_H */
