/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * weir: the kernel interface of routed messages, requests and replies.
 *
 * A SOCK_RDM socket serves paths (WEIR_IOC_SERVE), calls paths (WEIR_IOC_CALL),
 * or both. It gets an outbox that the kernel's router alone reads, and an
 * inbox. What it writes into its outbox as a record of kind REQUEST, REPLY,
 * ERROR or (one way) EVENT, the router copies once, into the inbox of the
 * socket that it is for; see weir.h for the rings.
 *
 *   caller                      router                        target
 *   outbox: REQUEST  ------->   guards, policy   --------->   inbox: REQUEST
 *     route  handle               permission                    route \ name
 *     tag    the caller's         deadline                      tag   / the call
 *     key    shard key            token bucket                  key  shard key
 *     ext[0] deadline, or 0       bulkhead                      ext[0] deadline
 *     ext[1] idempotency key      circuit breaker
 *
 *   inbox: REPLY, ERROR <----   the call is answered <-----   outbox: REPLY
 *     route  handle               once; what comes              route \ of the
 *     tag    the caller's         later is dropped              tag   / request
 *
 * The router looks at an outbox when its owner kicks (WEIR_KICK_READERS, or
 * WEIR_WAIT_KICK), which weir_status.wake asks for by WEIR_WAKE_ROUTER unless
 * the socket is polled. A worker copies a message of more than 64 KiB later.
 */
#ifndef _UAPI_WEIR_ROUTE_H
#define _UAPI_WEIR_ROUTE_H

#include <linux/errno.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include "weir.h"

/* --- Records ------------------------------------------------------------ */

/* weir_record.flags of routed messages */
#define WEIR_REC_IDEMPOTENT	0x02	/* REQUEST: may be sent more than once */
#define WEIR_REC_REFUSE		0x04	/* REQUEST, EVENT: a full inbox refuses it */
#define WEIR_REC_DROP		0x08	/* a full inbox drops it: no answer at all */
#define WEIR_REC_MORE		0x10	/* REPLY, delivered: more follow for this tag */
#define WEIR_REC_ROUTER		0x20	/* delivered: made by the router itself */
#define WEIR_REC_WAIT		0x40	/* REPLY: wait for room, see patience_ns */

/* 8-byte words between header and payload of a request, as many as ext says */
/* CLOCK_MONOTONIC nanoseconds; 0: the route's; UINT64_MAX: its latest */
#define WEIR_EXT_DEADLINE	0
#define WEIR_EXT_DUP		1	/* idempotency key; 0: none */
#define WEIR_EXT_MAX		2

/**
 * struct weir_fault - payload of an ERROR record made by the router
 * @reason: enum weir_reason: why there is no reply.
 * @guard: enum weir_guard: who refused.
 * @target: the target concerned, 0 if there was none.
 * @wait_ns: try again after so long, 0 when that is not known.
 * @reserved: zero.
 */
struct weir_fault {
	__u32	reason;
	__u32	guard;
	__u64	target;
	__u64	wait_ns;
	__u64	reserved;
};

/**
 * weir_reason_errno() - errno value of a reason why there is no reply
 * @reason: enum weir_reason; any value.
 *
 * Return: one of its own for each reason that the router gives, positive;
 * EPROTO for all others.
 */
static inline int weir_reason_errno(__u32 reason)
{
	switch (reason) {
	case WEIR_REASON_DENIED:
		return EACCES;
	case WEIR_REASON_LIMIT:
		return ENOSPC;
	case WEIR_REASON_NO_MEMORY:
		return ENOMEM;
	case WEIR_REASON_NO_ROUTE:
		return ENOENT;
	case WEIR_REASON_NO_TARGET:
		return EHOSTUNREACH;
	case WEIR_REASON_DEADLINE:
		return ETIME;
	case WEIR_REASON_RATE:
		return EDQUOT;
	case WEIR_REASON_BULKHEAD:
		return EBUSY;
	case WEIR_REASON_BREAKER:
		return ECONNREFUSED;
	case WEIR_REASON_INBOX_FULL:
		return ENOBUFS;
	case WEIR_REASON_TARGET_DIED:
		return ECONNRESET;
	case WEIR_REASON_TARGET_HUNG:
		return EHOSTDOWN;
	case WEIR_REASON_TOO_LARGE:
		return EMSGSIZE;
	case WEIR_REASON_LOOP:
		return ELOOP;
	case WEIR_REASON_QUORUM:
		return ENOLINK;
	case WEIR_REASON_BAD_REQUEST:
		return EBADMSG;
	case WEIR_REASON_DUPLICATE:
		return EALREADY;
	case WEIR_REASON_TRIES:
		return ETOOMANYREFS;
	case WEIR_REASON_PATIENCE:
		return EXFULL;
	}
	return EPROTO;
}

/**
 * struct weir_scm_route - control message of level SOL_WEIR, WEIR_SCM_ROUTE
 * @kind: enum weir_kind.
 * @flags: WEIR_REC_*.
 * @route: handle, or half of what names the call.
 * @tag: tag, or the other half.
 * @key: shard key.
 * @deadline_ns: on CLOCK_MONOTONIC; 0: the route's; UINT64_MAX: its latest.
 * @dup: idempotency key of a request that is sent; 0: none.
 *
 * Without the library: sendmsg(2) to the address of a path sends a request
 * there. With this it says how; and a reply, which has no address, says with
 * the @route and @tag of the request what it answers. recvmsg(2) gives it for
 * each message that was routed. Without room for it, an error that the router
 * made is the error of the call.
 */
struct weir_scm_route {
	__u32	kind;
	__u32	flags;
	__u32	route;
	__u32	tag;
	__u32	key;
	__u32	reserved;
	__u64	deadline_ns;
	__u64	dup;
};

#define WEIR_SCM_ROUTE		1

enum weir_guard {
	WEIR_GUARD_NONE		= 0,
	WEIR_GUARD_ROUTE	= 1,	/* no such path, nobody serves it */
	WEIR_GUARD_PERMISSION	= 2,
	WEIR_GUARD_DEADLINE	= 3,
	WEIR_GUARD_BUCKET	= 4,
	WEIR_GUARD_BULKHEAD	= 5,
	WEIR_GUARD_BREAKER	= 6,
	WEIR_GUARD_INBOX	= 7,
	WEIR_GUARD_WATCHDOG	= 8,
	WEIR_GUARD_POLICY	= 9,	/* a quorum that cannot be had */
	WEIR_GUARD_CHECK	= 10,	/* the record is not a good one */
	WEIR_GUARD_DUP		= 11,	/* the idempotency key */
	WEIR_GUARD_MAX
};

/* --- A socket's part ---------------------------------------------------- */

#define WEIR_SERVES_MAX		64	/* paths served by one socket */
#define WEIR_ROUTES_MAX		4096	/* paths called by one socket */
#define WEIR_TARGETS_MAX	256	/* targets of one route */
#define WEIR_HOPS_MAX		4	/* routes that a request goes through */
#define WEIR_WEIGHT_MAX		1000000U

/**
 * struct weir_ioc_serve - WEIR_IOC_SERVE: take requests for a path
 * @size: sizeof this structure.
 * @flags: zero.
 * @weight: share of the requests, relative to the other targets; 0 takes none
 *	until WEIR_OP_TARGET_SET says otherwise; at most WEIR_WEIGHT_MAX.
 * @reserved: zero.
 * @id: out: the target.
 * @path: path or pattern, ended by a NUL byte.
 *
 * The first that serves a path makes it, with the socket's mode and group; the
 * others need to be its owner, have execute permission or CAP_NET_ADMIN. A
 * pattern is served by the owner of the path above its first wildcard, which is
 * made if it is not in use; at the top level it needs CAP_NET_ADMIN. Permissions
 * in weir(7) has the whole.
 */
struct weir_ioc_serve {
	__u32	size;
	__u32	flags;
	__u32	weight;
	__u32	reserved;
	__u64	id;
	char	path[WEIR_PATH_MAX + 1];
};

/**
 * struct weir_ioc_call - WEIR_IOC_CALL: get a handle for a path
 * @size: sizeof this structure.
 * @flags: zero.
 * @route: out: the handle, for weir_record.route.
 * @reserved: zero.
 * @path: path, ended by a NUL byte. Nobody need serve it yet.
 *
 * Calling needs write permission on the path. The same path gives the same
 * handle. It stays with the owner of the first route that is found for it:
 * requests are refused with WEIR_REASON_DENIED while the path is another user's,
 * unless that one has CAP_NET_ADMIN or the owner's leave. Asking for the handle
 * again takes it to whoever serves the path then.
 */
struct weir_ioc_call {
	__u32	size;
	__u32	flags;
	__u32	route;
	__u32	reserved;
	char	path[WEIR_PATH_MAX + 1];
};

/* --- Control ------------------------------------------------------------ */

enum weir_policy {
	WEIR_POLICY_ANY		= 0,	/* least in flight of two */
	WEIR_POLICY_WEIGHTED	= 1,	/* in proportion to the weights */
	WEIR_POLICY_SHARD	= 2,	/* by the record's key, consistently */
	WEIR_POLICY_PRIMARY	= 3,	/* the first healthy one by weight */
	WEIR_POLICY_ALL		= 4,	/* every one of them */
	WEIR_POLICY_QUORUM	= 5,	/* every one; answered when k have */
	WEIR_POLICY_MAX
};

/**
 * struct weir_route_conf - how a route treats its messages
 * @policy: enum weir_policy.
 * @quorum: WEIR_POLICY_QUORUM: replies that complete a request; 0: most.
 * @rate: messages per second that the route takes; 0: any. When half of @burst
 *	is used up, each user that calls has a like part of @rate and of the lower
 *	half, of which an eighth, or one, is left for a user that comes later; what
 *	others do not use is anybody's.
 * @burst: messages that it takes at once; 0: a tenth of @rate, at least 1.
 * @bulkhead: requests in flight at one target; 0: any number. When half of it is
 *	taken, each user that calls has a like part of the other half, of which an
 *	eighth, or one, is left for a user that comes later. Callers with
 *	CAP_NET_ADMIN may have all of @rate and @bulkhead.
 * @mirror_permille: share of the messages that @mirror gets as well.
 * @timeout_ns: deadline of requests that have none; 0: 5 s, or @deadline_max_ns
 *	if that is shorter.
 * @probe_ns: the watchdog looks so often at targets that hold requests, and
 *	gives up one which has done nothing for two looks; 0: 40 ms;
 *	WEIR_PROBE_OFF: it does not.
 * @breaker_window_ns: see struct weir_breaker_conf in module/logic/breaker.h.
 * @breaker_open_ns: likewise.
 * @breaker_slow_ns: likewise.
 * @breaker_min_calls: likewise; 0: no breaker.
 * @breaker_error_percent: likewise.
 * @breaker_slow_percent: likewise.
 * @breaker_probes: likewise.
 * @retries: attempts after the first, of idempotent requests that failed.
 * @retry_base_ns: pause before the first of them; it doubles each time.
 * @retry_max_ns: longest pause.
 * @dup_window_ns: a request with an idempotency key that came before, so long
 *	ago at most, is answered from the first one's reply; 0: no.
 * @dup_entries: keys of one user that are remembered, at most 2^20; 0: 4096. Of
 *	all users together twice as many are, of which each may have half of what
 *	the others have left. A user's new keys make the module forget that user's
 *	oldest, and no other's; a key that finds no room is refused with
 *	WEIR_REASON_LIMIT.
 * @dup_bytes: bytes of replies of one user that are, at most 64 MiB; 0: 1 MiB;
 *	shared as @dup_entries are. Where a reply finds no room, here or in its
 *	caller's memory cgroup, or is larger, its key stays without it: who waits
 *	for it is told WEIR_REASON_DUPLICATE, and who comes within the window is
 *	refused with WEIR_REASON_LIMIT.
 * @fallback_len: bytes of @fallback_reply.
 * @fallback_reply: user address of a reply for requests that a guard refused,
 *	at most WEIR_FALLBACK_MAX bytes; not given back when a route is read. 0
 *	with the length that the route's reply has: that one stays.
 * @fallback: path that gets those requests instead, or "".
 * @mirror: path that gets copies, whose replies go nowhere, or "".
 * @deadline_max_ns: longest deadline of a request, from when the router takes
 *	it, at most a day; a later one, UINT64_MAX included, becomes this one.
 *	0: a minute, or @timeout_ns if that is longer. It is at least @timeout_ns.
 * @patience_ns: a reply with WEIR_REC_WAIT waits so long for room in a caller's
 *	inbox, at most a day; 0: 100 ms. Callers of a user that does not read
 *	are waited for less: the patience that a user has used up comes back in
 *	16 times as long, whether the user has sockets or not.
 * @reserved: zero. Later members come from here: what follows a conf in
 *	struct weir_route_entry keeps its place.
 */
struct weir_route_conf {
	__u32	policy;
	__u32	quorum;
	__u32	rate;
	__u32	burst;
	__u32	bulkhead;
	__u32	mirror_permille;
	__u64	timeout_ns;
	__u64	probe_ns;
	__u64	breaker_window_ns;
	__u64	breaker_open_ns;
	__u64	breaker_slow_ns;
	__u32	breaker_min_calls;
	__u32	breaker_error_percent;
	__u32	breaker_slow_percent;
	__u32	breaker_probes;
	__u32	retries;
	__u32	dup_entries;
	__u64	retry_base_ns;
	__u64	retry_max_ns;
	__u64	dup_window_ns;
	__u32	dup_bytes;
	__u32	fallback_len;
	__u64	fallback_reply;
	char	fallback[WEIR_PATH_MAX + 1];
	char	mirror[WEIR_PATH_MAX + 1];
	__u64	deadline_max_ns;
	__u64	patience_ns;
	__u64	reserved[14];
};

#define WEIR_PROBE_OFF		(~0ULL)
#define WEIR_FALLBACK_MAX	4096U

enum weir_op {
	WEIR_OP_ROUTE_SET	= 1,	/* make or change a route: @conf */
	WEIR_OP_ROUTE_DEL	= 2,	/* back to the defaults; gone if nobody serves */
	WEIR_OP_TARGET_ADD	= 3,	/* @target_path with @weight */
	WEIR_OP_TARGET_SET	= 4,	/* @weight of @target or @target_path */
	WEIR_OP_TARGET_DEL	= 5,	/* @target or @target_path */
	WEIR_OP_BREAKER		= 6,	/* of @target: enum weir_breaker_force */
};

enum weir_breaker_force {
	WEIR_FORCE_AUTO		= 0,	/* closed, and from then on by itself */
	WEIR_FORCE_OPEN		= 1,	/* nothing goes there until told */
};

/**
 * struct weir_route_op - one change
 * @op: enum weir_op.
 * @weight: of a target; WEIR_OP_BREAKER: enum weir_breaker_force.
 * @target: a socket's target, by id; 0 when @target_path counts.
 * @path: the route: path or pattern.
 * @target_path: a target that is itself a route.
 * @conf: WEIR_OP_ROUTE_SET.
 */
struct weir_route_op {
	__u32	op;
	__u32	weight;
	__u64	target;
	char	path[WEIR_PATH_MAX + 1];
	char	target_path[WEIR_PATH_MAX + 1];
	struct weir_route_conf conf;
};

/**
 * struct weir_ioc_control - WEIR_IOC_CONTROL: change routes, all or nothing
 * @size: sizeof this structure.
 * @op_size: sizeof(struct weir_route_op) as the caller knows it.
 * @count: changes, 1 to WEIR_OPS_MAX; without CAP_NET_ADMIN in the namespace
 *	to WEIR_OPS_USER_MAX.
 * @failed: out: index of the one that was refused.
 * @ops: user address of an array of struct weir_route_op.
 *
 * Either all are done, in order, or none is. The owner of a path may change its
 * targets; one that is a route needs write and execute permission on its path.
 * The rest needs CAP_NET_ADMIN in the namespace. Names wait while changes are
 * made: so without it a call makes few, and -E2BIG tells that these are too many,
 * or too much work: new targets, long names, several routes of many targets, or
 * routes with many others before and behind them. One change is never too much.
 */
struct weir_ioc_control {
	__u32	size;
	__u32	op_size;
	__u32	count;
	__u32	failed;
	__u64	ops;
};

#define WEIR_OPS_MAX		4096
#define WEIR_OPS_USER_MAX	8	/* without CAP_NET_ADMIN */

/* --- Sight -------------------------------------------------------------- */

#define WEIR_HIST_BUCKETS	208	/* see module/logic/hist.h for their bounds */

enum weir_target_state {
	WEIR_TARGET_UP		= 0,
	WEIR_TARGET_HUNG	= 1,	/* the watchdog gave it up for now */
	WEIR_TARGET_GONE	= 2,
};

#define WEIR_REFUSED_FIRST	32	/* reasons in the first part of an entry */
#define WEIR_REFUSED_MORE	32	/* in the second part */

/**
 * struct weir_route_entry - one route
 * @id: stable while it lives.
 * @uid: owner of the path.
 * @gid: its group.
 * @mode: its permission bits.
 * @targets: how many.
 * @set: 1 when it was made by WEIR_OP_ROUTE_SET.
 * @reserved: zero.
 * @calls: messages sent to its targets.
 * @mirrored: copies that @conf.mirror got.
 * @fallbacks: requests that the fallback answered or got.
 * @retries: attempts after the first.
 * @dups: requests answered from another one's reply.
 * @refused: by enum weir_reason, below WEIR_REFUSED_FIRST.
 * @path: its name.
 * @conf: as set; pointers are zero.
 * @refused_more: as @refused, from WEIR_REFUSED_FIRST on.
 *
 * weir_route_refused() finds the counter of any reason.
 */
struct weir_route_entry {
	__u64	id;
	__u32	uid;
	__u32	gid;
	__u32	mode;
	__u32	targets;
	__u32	set;
	__u32	reserved;
	__u64	calls;
	__u64	mirrored;
	__u64	fallbacks;
	__u64	retries;
	__u64	dups;
	__u64	refused[WEIR_REFUSED_FIRST];
	char	path[WEIR_PATH_MAX + 1];
	struct weir_route_conf conf;
	__u64	refused_more[WEIR_REFUSED_MORE];
};

/**
 * weir_route_refused() - how many messages a route refused for a reason
 * @e: the route; all of it, zero where the kernel knew less.
 * @reason: enum weir_reason; any value.
 *
 * Return: how many; 0 for a reason that an entry has no room for.
 */
static inline __u64 weir_route_refused(const struct weir_route_entry *e,
				       __u32 reason)
{
	if (reason < WEIR_REFUSED_FIRST)
		return e->refused[reason];
	if (reason - WEIR_REFUSED_FIRST < WEIR_REFUSED_MORE)
		return e->refused_more[reason - WEIR_REFUSED_FIRST];
	return 0;
}

/**
 * struct weir_target_entry - one target
 * @id: stable while it lives.
 * @route: id of its route.
 * @socket: id of the serving socket; 0 for one that is a route.
 * @pid: process that made the socket, as the caller's pid namespace numbers it;
 *	0 if it has no number there.
 * @uid: owner of the socket.
 * @weight: relative share.
 * @state: enum weir_target_state.
 * @breaker: 0 closed, 1 open, 2 half open.
 * @in_flight: requests sent there and not answered.
 * @requests: sent there so far.
 * @replies: that it has answered.
 * @errors: of those, with an error.
 * @expired: that it did not answer in time.
 * @breaker_opens: how often its breaker has opened.
 * @hangs: how often the watchdog gave it up.
 * @path: of a target that is a route; else the path it serves.
 * @hist: times from request to reply, by bucket.
 */
struct weir_target_entry {
	__u64	id;
	__u64	route;
	__u64	socket;
	__u32	pid;
	__u32	uid;
	__u32	weight;
	__u32	state;
	__u32	breaker;
	__u32	in_flight;
	__u64	requests;
	__u64	replies;
	__u64	errors;
	__u64	expired;
	__u64	breaker_opens;
	__u64	hangs;
	char	path[WEIR_PATH_MAX + 1];
	__u32	hist[WEIR_HIST_BUCKETS];
};

/*
 * WEIR_IOC_LIST with these kinds of enum weir_list_kind gives the entries
 * above. Without CAP_NET_ADMIN one sees the routes that one may call.
 */
#define WEIR_LIST_ROUTES	16	/* struct weir_route_entry */
#define WEIR_LIST_TARGETS	17	/* struct weir_target_entry */

#define WEIR_IOC_SERVE		_IOWR(WEIR_IOC_MAGIC, 6, struct weir_ioc_serve)
#define WEIR_IOC_CALL		_IOWR(WEIR_IOC_MAGIC, 7, struct weir_ioc_call)
#define WEIR_IOC_CONTROL	_IOWR(WEIR_IOC_MAGIC, 8, struct weir_ioc_control)

#endif /* _UAPI_WEIR_ROUTE_H */
