/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * weir: the kernel interface of routed messages, requests and replies.
 *
 * A SOCK_RDM socket serves paths (WEIR_IOC_SERVE), calls paths (WEIR_IOC_CALL),
 * or both. It gets an inbox, and an outbox that the kernel's router alone reads.
 * The socket writes records of kind REQUEST, REPLY, ERROR or (one way) EVENT
 * into its outbox. The router copies each record once, into the inbox of the
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
 *     route  handle               once; later replies           route \ of the
 *     tag    the caller's         are dropped                   tag   / request
 *
 * The router reads an outbox when its owner kicks (WEIR_KICK_READERS, or
 * WEIR_WAIT_KICK). WEIR_WAKE_ROUTER in weir_status.wake asks the owner to do so,
 * except while a thread of the kernel polls the socket. A worker copies messages
 * of more than 64 KiB later.
 *
 * A deadline counts on CLOCK_MONOTONIC, in nanoseconds; 0 means none, and one
 * above INT64_MAX the latest that the route allows. In a ring the clock is that
 * of the time namespace of the task that made the socket. The router translates
 * a deadline from the caller's ring to the target's.
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
#define WEIR_REC_REFUSE		0x04	/* REQUEST, EVENT: refuse if inbox full */
#define WEIR_REC_DROP		0x08	/* drop if inbox full, without an answer;
					 * one sent before is refused instead */
#define WEIR_REC_MORE		0x10	/* REPLY, delivered: more of them follow */
#define WEIR_REC_ROUTER		0x20	/* delivered: made by the router itself */
#define WEIR_REC_WAIT		0x40	/* REPLY: wait for room, see patience_ns;
					 * REQUEST: wait for a target: below */

/* 8-byte words between header and payload of a request; ext is their number */
/* CLOCK_MONOTONIC ns; 0: the route's timeout; above INT64_MAX: its maximum */
#define WEIR_EXT_DEADLINE	0
#define WEIR_EXT_DUP		1	/* idempotency key; 0: none */
#define WEIR_EXT_MAX		2

/*
 * A request with WEIR_REC_WAIT that finds no target, or no route or too few
 * targets for a quorum, waits for one until its deadline. The router looks for
 * a target after 1 or 2 ms and then less and less often, at least once in 50 ms
 * while at most 2,500 requests of its user wait; if more do, 50,000 times a
 * second for all of them. The request keeps its place in the outbox until it is
 * answered. Requests behind it are sent before it. A fallback of the route comes
 * first. An idempotency key is looked up once there is a route. A fan-out whose
 * caller then has no room for the answers looks again later: no fallback gets
 * it for that. With WEIR_REC_DROP it waits for a target, but not for room: it is
 * dropped if the target's inbox is full.
 */

/**
 * struct weir_refusal - payload of an ERROR record made by the router
 * @reason: enum weir_reason: why there is no reply.
 * @guard: enum weir_guard: the guard that refused.
 * @target: id of the target concerned, 0 if there was none.
 * @wait_ns: nanoseconds after which a retry makes sense, 0 when not known.
 * @reserved: zero.
 */
struct weir_refusal {
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
#define WEIR_REASON_CASE(_name, _number, _text, _errno, ...)		\
	case _number:							\
		return _errno;
	WEIR_REASON_LIST(WEIR_REASON_CASE)
#undef WEIR_REASON_CASE
	}
	return EPROTO;
}

/**
 * struct weir_scm_route - control message of level SOL_WEIR, WEIR_SCM_ROUTE
 * @kind: enum weir_kind.
 * @flags: WEIR_REC_*.
 * @route: route handle; of a received request, one half of the call's name.
 * @tag: the caller's tag; of a received request, the other half of that name.
 * @key: shard key.
 * @reserved: zero.
 * @deadline_ns: on CLOCK_MONOTONIC of the task that sends or receives; 0: the
 *	route's timeout; above INT64_MAX: the route's maximum.
 * @dup: idempotency key of a request that is sent; 0: none.
 *
 * For sockets used without the library. sendmsg(2) to the address of a path
 * sends a request there; this message gives its options. A reply has no
 * address: this message gives the @route and @tag of the request that it
 * answers. recvmsg(2) gives this message with each routed one. A caller that
 * leaves no room for it gets an error of the router as the error of recvmsg(2).
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

/* What refused a message: X(NAME, number, "name", "words for people"). */
#define WEIR_GUARD_LIST(X)						\
	X(NONE, 0, "none", "the router")				\
	X(ROUTE, 1, "route", "the route")				\
	X(PERMISSION, 2, "permission", "the permission check")		\
	X(DEADLINE, 3, "deadline", "the deadline")			\
	X(BUCKET, 4, "bucket", "the token bucket")			\
	X(BULKHEAD, 5, "bulkhead", "the bulkhead")			\
	X(BREAKER, 6, "breaker", "the circuit breaker")			\
	X(INBOX, 7, "inbox", "the inbox")				\
	X(WATCHDOG, 8, "watchdog", "the watchdog")			\
	X(POLICY, 9, "policy", "the policy")				\
	X(CHECK, 10, "check", "the check of its record")		\
	X(DUP, 11, "dup", "its idempotency key")

enum weir_guard {
#define WEIR_GUARD_ENUM(_name, _number, ...) WEIR_GUARD_##_name = _number,
	WEIR_GUARD_LIST(WEIR_GUARD_ENUM)
#undef WEIR_GUARD_ENUM
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
 * @weight: share of the requests, relative to the other targets, at most
 *	WEIR_WEIGHT_MAX. With 0 the target takes none until WEIR_OP_TARGET_SET
 *	changes it.
 * @reserved: zero.
 * @id: out: id of the target.
 * @path: path or pattern, ended by a NUL byte.
 *
 * The name of the socket (WEIR_SO_NAME) is the name of its targets. It stands
 * for one target of a user on a route. With WEIR_POLICY_SHARD, a target that
 * comes again under its name gets the keys that it had.
 *
 * The first socket that serves a path makes it, with the socket's mode and
 * group. Other users need execute permission on it or CAP_NET_ADMIN. Only the
 * owner of the path above its first wildcard may serve a pattern. That path is
 * made if it is not in use. A pattern at the top level needs CAP_NET_ADMIN.
 * weir_users(7) has all rules.
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
 * struct weir_ioc_call - WEIR_IOC_CALL: get a route handle for a path
 * @size: sizeof this structure.
 * @flags: zero.
 * @route: out: the route handle, for weir_record.route.
 * @reserved: zero.
 * @path: path, ended by a NUL byte. It may have no target yet.
 *
 * Calling needs write permission on the path. The same path gives the same
 * route handle. The route handle stays with the owner of the first route that
 * is found for it. While the path is another user's, requests are refused with
 * WEIR_REASON_DENIED, unless that user has CAP_NET_ADMIN or the owner's
 * permission. A second call for the same path moves the route handle to the
 * owner that the path has then.
 */
struct weir_ioc_call {
	__u32	size;
	__u32	flags;
	__u32	route;
	__u32	reserved;
	char	path[WEIR_PATH_MAX + 1];
};

/* --- Control ------------------------------------------------------------ */

/* How a route picks targets: X(NAME, number, "name"). */
#define WEIR_POLICY_LIST(X)						\
	X(ANY, 0, "any")		/* less in flight, of two */	\
	X(WEIGHTED, 1, "weighted")	/* in proportion to weight */	\
	X(SHARD, 2, "shard")		/* by a hash of the key */	\
	X(PRIMARY, 3, "primary")	/* healthy, with most weight */	\
	X(ALL, 4, "all")		/* all targets */		\
	X(QUORUM, 5, "quorum")		/* all; done when k answered */

enum weir_policy {
#define WEIR_POLICY_ENUM(_name, _number, ...) WEIR_POLICY_##_name = _number,
	WEIR_POLICY_LIST(WEIR_POLICY_ENUM)
#undef WEIR_POLICY_ENUM
	WEIR_POLICY_MAX
};

/**
 * struct weir_route_conf - how a route treats its messages
 * @policy: enum weir_policy.
 * @quorum: WEIR_POLICY_QUORUM: replies that complete a request; 0: more than
 *	half of the targets that have a weight.
 * @rate: messages per second that the route takes; 0: no limit. When half of
 *	@burst is used up, each user that calls has an equal part of @rate and of
 *	the lower half. An eighth of that half, or one message, stays for a user
 *	that comes later. Any user may use what others leave.
 * @burst: messages that it takes at once; 0: a tenth of @rate, at least 1.
 * @bulkhead: requests in flight at one target; 0: no limit. When half of it is
 *	taken, each user that calls has an equal part of the other half. An
 *	eighth of that half, or one request, stays for a user that comes later.
 *	Callers with CAP_NET_ADMIN may have all of @rate and @bulkhead.
 * @mirror_permille: share of the messages that @mirror gets as well, in
 *	thousandths.
 * @timeout_ns: nanoseconds until the deadline of requests that have none; 0:
 *	5 s, or @deadline_max_ns if that is shorter.
 * @probe_ns: nanoseconds between two checks of the watchdog. It checks targets
 *	that hold requests, and ejects a target that has done nothing at two
 *	checks in a row. 0: 40 ms; WEIR_PROBE_OFF: no watchdog.
 * @breaker_window_ns: nanoseconds over which the circuit breaker counts. It finds
 *	the user with most errors and slow calls, and opens for all users if the
 *	calls of the others reach a share below, and for that user alone if only
 *	the calls of that user do.
 * @breaker_open_ns: nanoseconds that it stays open before it lets probes pass.
 * @breaker_slow_ns: a good call that takes more nanoseconds is slow; 0: none is.
 * @breaker_min_calls: calls in the window before it may open; 0: no breaker. For
 *	all it opens if the others have made as many as well; for one user, if that
 *	user has made as many, or twice as many where others call too.
 * @breaker_error_percent: share of errors at which it opens, 1 to 100; 0: it
 *	does not open because of errors.
 * @breaker_slow_percent: share of slow calls at which it opens, 1 to 100; 0: it
 *	does not open because of slow calls.
 * @breaker_probes: requests that it lets pass while half open. A round of them
 *	takes @breaker_open_ns for each at most.
 * @retries: attempts after the first, for idempotent requests that failed.
 *	Each goes to a target that has not failed the request yet, or to any
 *	when all have. An attempt that finds no target counts, too.
 * @retry_base_ns: nanoseconds before the first of them; doubles each time.
 * @retry_max_ns: longest such pause, in nanoseconds.
 * @dup_window_ns: nanoseconds that an idempotency key is remembered. A request
 *	whose key came before gets the first request's reply. One with another
 *	payload is refused with WEIR_REASON_KEY_REUSED. 0: never.
 * @dup_entries: keys remembered for one user, at most 2^20; 0: 4096. All users
 *	together have twice as many, and each user may have half of what the
 *	others leave. A user's new keys push out that user's oldest, and no
 *	other's. A key that finds no room is refused with WEIR_REASON_LIMIT.
 * @dup_bytes: bytes of replies kept for one user, at most 64 MiB; 0: 1 MiB.
 *	Users share them as @dup_entries. A reply may find no room here or in its
 *	caller's memory cgroup, or be larger. Its key then stays without it:
 *	callers that wait for the reply get WEIR_REASON_DUPLICATE, and later
 *	callers in the window get WEIR_REASON_LIMIT.
 * @fallback_len: bytes of @fallback_reply.
 * @fallback_reply: user address of a reply for requests that a guard refused,
 *	at most WEIR_FALLBACK_MAX bytes. It is 0 when a route is read. When it is
 *	0 and @fallback_len is that of the route's reply, that reply stays.
 * @fallback: path that gets those requests instead, or "".
 * @mirror: path that gets copies, or ""; replies to copies are dropped.
 * @deadline_max_ns: longest time from when the router takes a request to its
 *	deadline, in nanoseconds, at most a day and at least @timeout_ns. A later
 *	deadline, one above INT64_MAX included, becomes this one. 0: a minute, or
 *	@timeout_ns if that is longer.
 * @patience_ns: nanoseconds that a reply with WEIR_REC_WAIT waits for room in
 *	a caller's inbox, at most a day; 0: 100 ms. A user whose callers do not
 *	read uses up its patience, and replies then wait less. The patience comes
 *	back in 16 times as long, whether the user has sockets or not.
 * @breaker_max_open_percent: share of the targets, 1 to 100, whose breakers may
 *	refuse a caller at once, and one target in any case. While more are open
 *	for the caller, none of them refuses it: all targets are tried. Targets
 *	of weight 0 do not count. A breaker that is open for the caller alone,
 *	while calls of other users to its target go well, does not count either,
 *	and still refuses the caller. 0: all breakers may. A user who serves on
 *	the route can keep breakers of its own targets open, and so switch those
 *	of others off.
 * @reserved_percent: zero.
 * @reserved: zero. New members take their bytes from here, so that the fields
 *	behind a conf in struct weir_route_entry keep their offsets.
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
	__u32	breaker_max_open_percent;
	__u32	reserved_percent;
	__u64	reserved[13];
};

#define WEIR_PROBE_OFF		(~0ULL)
#define WEIR_FALLBACK_MAX	4096U

/*
 * When WEIR_OP_TARGET_SET has given a target the weight 0 and the call returns,
 * no sender uses the weight before any more. So weir_target_entry.in_flight has
 * all the requests that the target gets by this route, and only falls.
 */
enum weir_op {
	WEIR_OP_ROUTE_SET	= 1,	/* make or change a route: @conf */
	WEIR_OP_ROUTE_DEL	= 2,	/* to defaults; gone if without targets */
	WEIR_OP_TARGET_ADD	= 3,	/* @target_path with @weight */
	WEIR_OP_TARGET_SET	= 4,	/* @weight of @target or @target_path */
	WEIR_OP_TARGET_DEL	= 5,	/* @target or @target_path */
	WEIR_OP_BREAKER		= 6,	/* of @target: enum weir_breaker_force */
};

enum weir_breaker_force {
	WEIR_FORCE_AUTO		= 0,	/* closed now, then decides by itself */
	WEIR_FORCE_OPEN		= 1,	/* open until WEIR_FORCE_AUTO */
};

/**
 * struct weir_route_op - one change
 * @op: enum weir_op.
 * @weight: weight of the target; WEIR_OP_BREAKER: enum weir_breaker_force.
 * @target: id of a socket's target; 0: @target_path names the target.
 * @path: path or pattern of the route.
 * @target_path: path of a target that is itself a route.
 * @conf: WEIR_OP_ROUTE_SET: settings of the route.
 * @name: WEIR_OP_TARGET_ADD: name of the target, as WEIR_SO_NAME; or "".
 */
struct weir_route_op {
	__u32	op;
	__u32	weight;
	__u64	target;
	char	path[WEIR_PATH_MAX + 1];
	char	target_path[WEIR_PATH_MAX + 1];
	struct weir_route_conf conf;
	char	name[WEIR_NAME_MAX + 1];
};

/**
 * struct weir_ioc_control - WEIR_IOC_CONTROL: change routes, all or nothing
 * @size: sizeof this structure.
 * @op_size: sizeof(struct weir_route_op) as the caller knows it.
 * @count: changes, 1 to WEIR_OPS_MAX; without CAP_NET_ADMIN in the namespace
 *	1 to WEIR_OPS_USER_MAX.
 * @failed: out: index of the change that was refused.
 * @ops: user address of an array of struct weir_route_op.
 *
 * Either all changes are made, in order, or none is. The owner of a path may
 * change its targets. A target that is a route needs write and execute
 * permission on that route's path. All else needs CAP_NET_ADMIN in the
 * namespace. Changes hold a lock that all names need. So a call without
 * CAP_NET_ADMIN gets -E2BIG for too many changes, and for changes that are too
 * much work: new targets, long names, several routes of many targets, or routes
 * with many others before and behind them. One change is never too much.
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

/* --- Lists -------------------------------------------------------------- */

#define WEIR_HIST_BUCKETS	208	/* bounds: module/logic/hist.h */

/* States of a target: X(NAME, number, "name"). */
#define WEIR_TARGET_STATE_LIST(X)					\
	X(UP, 0, "up")							\
	X(EJECTED, 1, "ejected") /* by the watchdog, for now */		\
	X(GONE, 2, "gone")

enum weir_target_state {
#define WEIR_TARGET_ENUM(_name, _number, ...) WEIR_TARGET_##_name = _number,
	WEIR_TARGET_STATE_LIST(WEIR_TARGET_ENUM)
#undef WEIR_TARGET_ENUM
};

/* States of a circuit breaker: X(NAME, number, "name"). */
#define WEIR_BREAKER_STATE_LIST(X)					\
	X(CLOSED, 0, "closed")		/* calls pass */		\
	X(OPEN, 1, "open")		/* no call passes */		\
	X(HALF_OPEN, 2, "half-open")	/* probes pass */		\
	X(ONE_USER, 3, "one-user")	/* 1 or 2 for one of all users */

enum weir_breaker_state {
#define WEIR_BREAKER_ENUM(_name, _number, ...) WEIR_BREAKER_##_name = _number,
	WEIR_BREAKER_STATE_LIST(WEIR_BREAKER_ENUM)
#undef WEIR_BREAKER_ENUM
};

#define WEIR_REFUSED_FIRST	32	/* reasons in the first part of an entry */
#define WEIR_REFUSED_MORE	32	/* in the second part */

/**
 * struct weir_route_entry - one route
 * @id: id of the route; does not change while the route exists.
 * @uid: owner of the path, in the caller's user namespace.
 * @gid: group of the path.
 * @mode: permission bits of the path.
 * @targets: number of targets.
 * @set: 1 when WEIR_OP_ROUTE_SET made the route.
 * @reserved: zero.
 * @calls: messages sent to its targets.
 * @mirrored: copies sent to @conf.mirror.
 * @fallbacks: requests that the fallback reply answered or the fallback path got.
 * @retries: attempts after the first.
 * @dups: requests answered from an earlier request's reply.
 * @refused: messages refused, by enum weir_reason below WEIR_REFUSED_FIRST.
 * @path: path or pattern of the route.
 * @conf: settings of the route; pointers are zero.
 * @refused_more: as @refused, for reasons from WEIR_REFUSED_FIRST on.
 *
 * weir_route_refused() returns the counter of any reason.
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
 * @e: the route; fields that an older kernel did not fill are zero.
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
 * @id: id of the target; does not change while the target exists.
 * @route: id of its route.
 * @socket: id of the serving socket; 0 for a target that is a route.
 * @pid: process that made the socket, as the caller's pid namespace numbers it;
 *	0 if it has no number there.
 * @uid: owner of the socket, in the caller's user namespace.
 * @weight: share of the requests, relative to the other targets.
 * @state: enum weir_target_state.
 * @breaker: enum weir_breaker_state.
 * @in_flight: requests sent to it and not answered yet.
 * @requests: requests sent to it so far.
 * @replies: requests that it has answered.
 * @errors: those of @replies that were errors.
 * @expired: requests that it did not answer in time.
 * @breaker_opens: how often its breaker has opened.
 * @ejections: how often the watchdog has ejected it.
 * @path: path of a target that is a route, else the path that it serves.
 * @hist: times from request to reply: the number of replies in each bucket.
 * @name: name of the target among those of its user on the route, or "".
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
	__u64	ejections;
	char	path[WEIR_PATH_MAX + 1];
	__u32	hist[WEIR_HIST_BUCKETS];
	char	name[WEIR_NAME_MAX + 1];
};

/*
 * WEIR_IOC_LIST with these kinds gives the entries above. They go on from enum
 * weir_list_kind. A caller without CAP_NET_ADMIN sees the routes that it may
 * call.
 */
#define WEIR_LIST_ROUTES	16	/* struct weir_route_entry */
#define WEIR_LIST_TARGETS	17	/* struct weir_target_entry */

#define WEIR_IOC_SERVE		_IOWR(WEIR_IOC_MAGIC, 6, struct weir_ioc_serve)
#define WEIR_IOC_CALL		_IOWR(WEIR_IOC_MAGIC, 7, struct weir_ioc_call)
#define WEIR_IOC_CONTROL	_IOWR(WEIR_IOC_MAGIC, 8, struct weir_ioc_control)

#endif /* _UAPI_WEIR_ROUTE_H */
