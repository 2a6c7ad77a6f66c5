/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Routed messages: the objects, the holders of references, the order of locks.
 *
 *   object        held by                              last put
 *   weir_endpoint its owner, the targets it serves,    a grace period later:
 *                 its turn, its timer while it is set, frees its calls, puts
 *                 idempotency entries                  its rings
 *   weir_route    its path, targets, handles, plans    frees it
 *                 that name it
 *   weir_target   its route's list, plans, its timer   a grace period later:
 *                 while it is set, its job @late       puts endpoint and routes
 *   weir_plan     its route alone                      a grace period later:
 *                                                      puts targets, routes
 *
 * A message goes from an outbox to an inbox in a section of a pass, under
 * rcu_read_lock_bh(): see pass.h. The router follows the handle to the plan, the
 * target and its endpoint. Data that all messages share is only read on this
 * path. Data that is written belongs to the caller, to the target or to the rate
 * limit of one route.
 *
 * Lock order. The numbers are those of weir.h; a letter marks a lock that comes
 * in between.
 *   1 lock_sock
 *   1a weir_user.turn          one user's changes of routes at a time
 *   2 weir_net.lock            routes, targets, plans
 *   2a poll_lock, then weir_poller.lock (poller.c)
 *   2b weir_endpoint.dispatch_lock one pass over an outbox at a time
 *   7 weir_ring.lock
 *   8 weir_ring.post.lock      of an inbox: space in it, and its endpoint's
 *                              calls; a second one only by spin_trylock()
 *   9 weir_ring.lock of an inbox; weir_breaker.lock; weir_dups.lock
 */
#ifndef _WEIR_ROUTER_H
#define _WEIR_ROUTER_H

#include <linux/sizes.h>
#include <linux/string.h>

#include "uapi/weir_route.h"
#include "charge.h"
#include "logic/breaker.h"
#include "logic/bulkhead.h"
#include "logic/calls.h"
#include "logic/hist.h"
#include "logic/memory.h"
#include "logic/policy.h"
#include "logic/rate_limit.h"
#include "logic/retry.h"
#include "net.h"
#include "path.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "route/chain.h"
#include "route/dispatch_lock.h"
#include "route/idem.h"
#include "route/room.h"
#include "sock.h"
#include "stats.h"
#include "tenant.h"
#include "tunables.h"
#include "weir.h"
#include "work.h"

/*
 * The low bits of a call's name are the number of the caller's endpoint. The
 * target sees the name in two header fields: the low half in the route, the
 * high half in the tag.
 */
#define WEIR_ENDPOINT_MASK	((1U << WEIR_CALL_OWNER_BITS) - 1)

/**
 * enum weir_outcome - what has become of a message
 * @WEIR_DELIVERED: it is done: sent, answered, or dropped as its sender wants.
 * @WEIR_WAIT: nothing has become of it. The pass waits for room or slots, or
 *	leaves the message to a worker.
 * @WEIR_REFUSED: no target takes it. weir_attempt.reason says why.
 */
enum weir_outcome {
	WEIR_DELIVERED,
	WEIR_WAIT,
	WEIR_REFUSED,
};

/**
 * struct weir_fallback_reply - a reply that a route keeps for refused requests
 * @ref: references of settings, of plans and of a control call in progress.
 * @len: bytes of @data; never changes.
 * @data: the payload; never changes.
 */
struct weir_fallback_reply {
	refcount_t	ref;
	u32		len;
	u8		data[];
};

/**
 * struct weir_plan - all that senders know of a route, as of its last change
 * @policy: enum weir_policy.
 * @n: entries of @targets.
 * @quorum: WEIR_POLICY_QUORUM: good replies that complete a request; 0: more
 *	than half of the targets.
 * @bulkhead: requests that may be in flight at one target; 0: any number. If it
 *	is not 0, weir_target.callers counts the requests above
 *	@bulkhead_lower.
 * @bulkhead_lower: part of @bulkhead that any user may take, see
 *	weir_bulkhead_lower(); less than 0: no part; 0: there is no bulkhead.
 * @mirror_permille: thousandths of the messages that are copied to @mirror.
 * @has_breaker: @breaker is in use.
 * @batch_divisor: one target gets at most weir_pass.ahead / @batch_divisor
 *	messages at once, but at least one.
 * @slow_threshold_ns: longest time from request to reply that is not slow.
 * @timeout_ns: time that a request without a deadline may take; at most
 *	@deadline_max_ns.
 * @deadline_max_ns: longest time that a request may take, from when the router
 *	reads it.
 * @patience_ns: longest time that a reply waits for room in its caller's inbox.
 * @probe_ns: time between two looks of the watchdog; WEIR_PROBE_OFF: it does
 *	not look.
 * @breaker: when the breakers of the targets open.
 * @retry: when and how often a failed request is sent again.
 * @pick: table from which the policy picks a target.
 * @fallback: route for requests that a guard refuses, held; or NULL.
 * @mirror: route that gets copies, held; or NULL.
 * @fallback_reply: reply for requests that a guard refuses, held; or NULL.
 * @idem: idempotency keys, held; or NULL.
 * @rate_limit: rate limit, owned by the route's settings; NULL: none.
 * @wn: namespace.
 * @free: frees the plan after a grace period.
 * @targets: by number; each is held.
 *
 * Read under RCU. Nothing in a published plan changes; only the objects that it
 * points to do.
 */
struct weir_plan {
	u8				policy;
	u8				has_breaker;
	u32				batch_divisor;
	u32				n;
	u32				quorum;
	u32				bulkhead;
	int				bulkhead_lower;
	u32				mirror_permille;
	u64				slow_threshold_ns;
	u64				timeout_ns;
	u64				deadline_max_ns;
	u64				patience_ns;
	u64				probe_ns;
	struct weir_breaker_conf	breaker;
	struct weir_retry_conf		retry;
	struct weir_pick		*pick;
	struct weir_route		*fallback;
	struct weir_route		*mirror;
	struct weir_fallback_reply	*fallback_reply;
	struct weir_idem_set		*idem;
	struct weir_rate_limit		*rate_limit;
	struct weir_net			*wn;
	struct rcu_work			free;
	struct weir_target		*targets[];
};

/* The plan of a route, or NULL. In a section, or under rcu_read_lock(). */
#define weir_route_plan(route)						\
	rcu_dereference_check((route)->plan, rcu_read_lock_bh_held())

/* Bit of weir_call_entry.round: weir_target.callers counts the call, too. */
#define WEIR_ROUND_SHARED	BIT(31)

/*
 * Bytes that one target adds to a plan and to the table of the plan's policy.
 */
#define WEIR_PLAN_TARGET_BYTES						\
	(2 * sizeof(void *) + sizeof(u64) + sizeof(u32) +		\
	 max(sizeof(struct weir_pick_entry),				\
	     sizeof(struct weir_pick_column)))

/* Counters of a route besides those of its targets, refusals by reason last. */
enum weir_route_stat {
	WEIR_ROUTE_MIRRORED,
	WEIR_ROUTE_FALLBACKS,
	WEIR_ROUTE_RETRIES,
	WEIR_ROUTE_DUPS,
	WEIR_ROUTE_GONE,	/* messages sent to targets that are gone */
	WEIR_ROUTE_REFUSED,
	WEIR_ROUTE_STATS = WEIR_ROUTE_REFUSED + WEIR_REASON_MAX
};

/**
 * struct weir_route_stats - counters of a route; allocated for the first event
 * @count: by enum weir_route_stat.
 */
struct weir_route_stats {
	atomic64_t	count[WEIR_ROUTE_STATS];
};

/**
 * struct weir_settings - the settings that a control call gave to a route
 * @conf: the numbers. The paths and user addresses in it are not used.
 * @fallback: route for requests that a guard refuses, counted in its @uses; or
 *	NULL.
 * @edge: edge to @fallback, while the route has these settings.
 * @mirror: route that gets copies, counted in its @uses; or NULL.
 * @fallback_reply: reply for requests that a guard refuses, held; or NULL.
 * @rate_limit: rate limit, owned; or NULL.
 * @idem: idempotency keys, held; or NULL.
 * @charge: memory of all this but @idem, paid by the user that made the control
 *	call; never changes.
 *
 * Guarded by weir_net.lock.
 */
struct weir_settings {
	struct weir_route_conf	conf;
	struct weir_route	*fallback;
	struct weir_edge	edge;
	struct weir_route	*mirror;
	struct weir_fallback_reply	*fallback_reply;
	struct weir_rate_limit	*rate_limit;
	struct weir_idem_set	*idem;
	struct weir_charge	charge;
};

/**
 * struct weir_route - a path or pattern that can be called
 * @ref: see the table of lifetimes.
 * @rcu: frees the route after a grace period: lookups read it under RCU.
 * @plan: the current plan, written under weir_net.lock; NULL once the route is
 *	gone.
 * @stats: counters; NULL until the first event is counted. Set once by
 *	compare-and-swap.
 * @path: its name and permissions; NULL once the route is gone. Guarded by
 *	weir_net.lock; the name may be read under RCU.
 * @set: settings of a control call, which keep the route even without targets;
 *	NULL: the defaults apply. weir_net.lock.
 * @targets: list by weir_target.route_link, the greatest weight first, and the
 *	oldest first among equal weights; weir_net.lock.
 * @ntargets: entries of @targets; weir_net.lock.
 * @target_users: how many of @targets each user has; weir_net.lock.
 * @uses: other routes that name it as target, fallback or mirror, and changes
 *	in progress that concern it; weir_net.lock.
 * @planned: the control call in progress has made the new plan of the route;
 *	weir_net.lock.
 * @charge: the route and a plan, paid by the user that made it; weir_net.lock.
 * @behind: edges to the routes behind it, by weir_edge.behind_link;
 *	weir_net.lock.
 * @before: edges from the routes before it, by weir_edge.before_link;
 *	weir_net.lock.
 * @nbehind: number of ways along edges that begin here; weir_net.lock.
 * @nbefore: number of ways along edges that end here; weir_net.lock.
 */
struct weir_route {
	refcount_t			ref;
	struct rcu_head			rcu;
	struct weir_plan __rcu		*plan;
	struct weir_route_stats		*stats;
	struct weir_path		*path;
	struct weir_settings		*set;
	struct list_head		targets;
	u32				ntargets;
	struct weir_tally		target_users;
	u32				uses;
	bool				planned;
	struct weir_charge		charge;
	struct list_head		behind;
	struct list_head		before;
	u32				nbehind;
	u32				nbefore;
};

/**
 * struct weir_target - a socket, or another route, that serves a route
 * @load: state that policies read: requests in flight, and whether it is up.
 * @forced: a control call holds the breaker open; written under weir_net.lock.
 * @gone: it takes no more messages; written under weir_net.lock.
 * @leaving: the control call in progress removes it; weir_net.lock.
 * @planned: it is @gone, but there was no memory for a plan without it; written
 *	by the thread or worker that ends the target.
 * @ejected: the watchdog has ejected it and has seen no progress since.
 * @watched: bit 0: the watchdog is to look at it. Changed by atomic operations.
 * @ep: endpoint of the socket, held; NULL if the target is a route.
 * @next: the route, held; NULL if the target is a socket.
 * @edge: edge to @next, until the target is about to leave; weir_net.lock.
 * @route: the route that it serves; held.
 * @breaker: its circuit breaker; has a lock of its own.
 * @requests: messages that were sent to it, those that want no answer included;
 *	ep->inbox->post.lock.
 * @replies: replies and errors that it gave; ep->dispatch_lock.
 * @errors: those of @replies that were errors; ep->dispatch_lock.
 * @expired: requests that it did not answer before their deadline.
 * @ejections: how often the watchdog has ejected it.
 * @ref: see the table of lifetimes.
 * @wn: namespace; never changes.
 * @free: frees the target after a grace period.
 * @late: job that looks for calls that were sent to the target after it was
 *	gone.
 * @seeking: @late has been added and has not begun. Changed by xchg().
 * @id: number in listings and errors; never changes.
 * @weight: share of the messages, relative to other targets; weir_net.lock.
 * @charge: the target, @callers and its entry in plans, paid by the user that
 *	added it; never changes.
 * @route_link: in weir_route.targets; weir_net.lock.
 * @ep_link: in weir_endpoint.targets, under weir_net.lock; once the target is
 *	gone, in weir_endpoint.gone.
 * @watch: has the worker of its endpoint's user look at it for the watchdog.
 * @seen_pos: position of its cursor in its inbox at the watchdog's last look.
 * @seen_out: position up to which its outbox had been routed at that look.
 * @still: looks in a row without a change of @seen_pos and @seen_out.
 * @moved: value of @requests when the watchdog last took idempotent calls from
 *	the target.
 * @lost_ns: when that was, as ktime_get_ns() counts: idempotent calls sent up
 *	to then go to another target. Written by the watchdog.
 * @telling: the watchdog still has to tell callers that the target is ejected;
 *	written by the worker of the target's user.
 * @told: number of the last endpoint that was told; written by that worker.
 * @callers: requests that each user has in the upper half of the bulkhead; part
 *	of @load.in_flight. Owned. NULL if the target is a route.
 * @hist: histogram of the times from request to reply; ep->dispatch_lock.
 */
struct weir_target {
	struct weir_load		load;
	bool				forced;
	bool				gone;
	bool				leaving;
	bool				planned;
	bool				ejected;
	unsigned long			watched;
	struct weir_endpoint		*ep;
	struct weir_route		*next;
	struct weir_edge		edge;
	struct weir_route		*route;
	struct weir_breaker		breaker;
	u64				requests;
	u64				replies;
	u64				errors;
	atomic64_t			expired;
	atomic64_t			ejections;
	refcount_t			ref;
	struct weir_net			*wn;
	struct rcu_work			free;
	struct weir_job			late;
	bool				seeking;
	u64				id;
	u32				weight;
	struct weir_charge		charge;
	struct list_head		route_link;
	struct list_head		ep_link;
	struct weir_timer		watch;
	u64				seen_pos;
	u64				seen_out;
	u32				still;
	u64				moved;
	u64				lost_ns;
	bool				telling;
	unsigned long			told;
	struct weir_callers		*callers;
	struct weir_hist		hist;
};

/**
 * struct weir_handle - a path that a socket calls
 * @route: the route of the path, held; NULL if there is none or the socket may
 *	not call it.
 * @gen: value of weir_net.route_gen for which @route is known to be right.
 * @owner: owner of the first route that was found; valid if @bound.
 * @hash: hash of @path.
 * @next: next handle in the same bucket of weir_endpoint.by_name; 0: none.
 * @len: bytes of @path.
 * @reason: enum weir_reason: why @route is NULL.
 * @bound: a route was found since the socket last asked for the handle.
 * @path: the name, not ended by a NUL byte; owned.
 *
 * Guarded by the endpoint's dispatch_lock. The size is a power of two, so that
 * an index into the array is a shift: each request needs one.
 */
struct weir_handle {
	struct weir_route	*route;
	u32			gen;
	kuid_t			owner;
	u32			hash;
	u16			next;
	u8			len;
	u8			reason : 7;
	u8			bound : 1;
	char			*path;
};

#ifdef CONFIG_64BIT
static_assert(sizeof(struct weir_handle) == 32);
#endif
static_assert(WEIR_ROUTES_MAX <= U16_MAX && WEIR_REASON_MAX <= 128);

/* A section ends after this many messages or bytes, so that others can run. */
#define WEIR_PASS_MESSAGES	64
#define WEIR_PASS_BYTES		SZ_64K

/* A larger message is copied after the section, in pieces of this many bytes. */
#define WEIR_PIECE_BYTES	(SZ_64K + WEIR_GRANULE)

/*
 * A batch: small messages that follow one another in an outbox and that use the
 * same handle. The router decides for the first, and this holds for all.
 */
#define WEIR_BATCH_MAX		32
#define WEIR_BATCH_LEN		256	/* bytes of payload */

/* Large copies of one message: to one target, and to a mirror of each route. */
#define WEIR_COPIES_OWN		(WEIR_HOPS_MAX + 2)

/* Inboxes that a section writes to before it wakes their readers. */
#define WEIR_DIRTY_INBOXES_MAX	16

/**
 * struct weir_reservation - space for a record in an inbox
 * @inbox: the inbox.
 * @pos: position of the record.
 * @seq: record count of the record, low 32 bits.
 */
struct weir_reservation {
	struct weir_ring	*inbox;
	u64			pos;
	u32			seq;
};

/**
 * struct weir_copy - a copy that is made after the section; see copy.c
 * @at: space in the inbox; @at.inbox is held.
 * @kept: granules of room that are kept in the inbox for the copy, and counted
 *	in post.granted: the copy claims its space when it begins. 0: @at is
 *	claimed already.
 * @from: source, in the outbox of the pass, or in @reply.
 * @len: bytes to copy.
 * @header: kind and flags of the record.
 * @route: route of the record.
 * @tag_key: tag and shard key of the record.
 * @deadline_ns: deadline that the record names; 0: none.
 * @call: call of a request: the copy is given up when the call ends; or NULL.
 * @name: name of @call.
 * @reply: remembered reply that @from points into, held; or NULL.
 */
struct weir_copy {
	struct weir_reservation	at;
	u32			kept;
	const u8		*from;
	u32			len;
	u64			header;
	u32			route;
	u64			tag_key;
	u64			deadline_ns;
	struct weir_call_entry	*call;
	u64			name;
	struct weir_dup_reply	*reply;
};

/**
 * enum weir_dispatcher - the thread that routes an outbox
 * @WEIR_DISPATCH_WORKER: a worker of the owner's user. It does everything.
 * @WEIR_DISPATCH_OWNER: a thread of the owner, which may not get to run for a
 *	long time. So it makes no large copies: space that it claims in another
 *	user's inbox is filled at once.
 * @WEIR_DISPATCH_POLL: a polling thread. Other users wait while it works, so it
 *	makes no large copies, and does not allocate, wait or send interrupts.
 */
enum weir_dispatcher {
	WEIR_DISPATCH_WORKER,
	WEIR_DISPATCH_OWNER,
	WEIR_DISPATCH_POLL,
};

/**
 * struct weir_pass - state of a pass over an outbox
 * @now_ns: time at the start of the section, as ktime_get_ns() counts.
 * @slots: free slots that the message in hand needs and did not find; 0: it
 *	found enough.
 * @no_slots: enum weir_reason: why there will never be enough slots for the
 *	message in hand; WEIR_REASON_NONE: there may be. It is kept until that
 *	message is done, on all routes that the message tries: without it the
 *	message would wait for ever.
 * @ahead: messages at the start of the section, estimated by weir_pass_ahead().
 * @left: bytes of records that are not routed yet, the record in hand included.
 * @each: bytes of ring that the record in hand takes.
 * @used: messages of the batch in hand that were sent or answered.
 * @looks: looks at targets that this section has taken, see WEIR_LOOKS_MAX in
 *	request.h; and for each look-up of a handle its most steps.
 * @idem: idempotency entry of the message in hand, which is the leader of its
 *	key; or NULL.
 * @tokens: tokens of @rate_limit that were taken and are not used yet.
 * @rate_limit: the rate limit of @tokens; or NULL.
 * @token_cost: cost of each token in its user's share, for
 *	weir_rate_limit_give(); 0: the tokens are of no user's share.
 * @caller: endpoint that the last reply names, or NULL; valid in this section.
 * @served: target with good replies that are not accounted for yet, or NULL;
 *	valid in this section.
 * @served_plan: plan of the route of @served; or NULL.
 * @served_sent_ns: when the last of these requests was sent.
 * @served_took_ns: time from there to the reply.
 * @served_bucket: bucket of that time in the target's histogram.
 * @served_fast: that time is not above the slow threshold.
 * @served_round: round of the target's breaker when the requests were sent.
 * @nserved: number of these replies.
 * @served_user: user of @caller, and of the caller before if that is NULL.
 * @wait_for: inbox whose room the pass has to wait for, held; or NULL.
 * @wait_bytes: room that it needs there; see weir_pass_hold().
 * @dispatcher: the thread that routes.
 * @left_over: the pass has stopped at a message that a worker has to route.
 * @copies: copies to make after the section: @own, or allocated; or NULL.
 * @ncopies: used entries of @copies.
 * @copy_room: entries that @copies has room for.
 * @own: copies of a message to one target and to mirrors.
 * @replied: idempotency entry of the leader whose reply this section has
 *	delivered; or NULL.
 * @replied_to: endpoint of that leader; held while @replied is set.
 * @reply: the reply, in the outbox.
 * @lens: bytes of payload of each message in the batch in hand.
 * @ends: position of the end of each record in the batch in hand.
 * @ndirty_inboxes: used entries of @dirty_inboxes.
 * @dirty_inboxes: inboxes written to in this section, whose readers are not
 *	woken yet.
 *
 * Guarded by the endpoint's dispatch_lock.
 */
struct weir_pass {
	u64			now_ns;
	u32			slots;
	enum weir_reason	no_slots;
	u32			ahead;
	u64			left;
	u64			each;
	u32			used;
	u32			looks;
	struct weir_idem	*idem;
	u32			tokens;
	struct weir_rate_limit	*rate_limit;
	u64			token_cost;
	struct weir_endpoint	*caller;
	struct weir_target	*served;
	const struct weir_plan	*served_plan;
	u64			served_sent_ns;
	s64			served_took_ns;
	u32			served_bucket;
	bool			served_fast;
	u32			served_round;
	u32			nserved;
	u32			served_user;
	struct weir_ring	*wait_for;
	u64			wait_bytes;
	enum weir_dispatcher	dispatcher;
	bool			left_over;
	struct weir_copy	*copies;
	u32			ncopies;
	u32			copy_room;
	struct weir_copy	own[WEIR_COPIES_OWN];
	struct weir_idem	*replied;
	struct weir_endpoint	*replied_to;
	struct weir_idem_reply	reply;
	u32			lens[WEIR_BATCH_MAX];
	u64			ends[WEIR_BATCH_MAX];
	u32			ndirty_inboxes;
	struct weir_ring	*dirty_inboxes[WEIR_DIRTY_INBOXES_MAX];
};

/**
 * struct weir_endpoint - what calls and serves: a socket's part in the router
 * @ref: see the table of lifetimes.
 * @free: frees the endpoint after a grace period.
 * @wn: namespace.
 * @owner: user that made the endpoint: the socket's, if it has a socket. NULL
 *	once the endpoint has ended. Guarded by @dispatch_lock.
 * @put_owner: called when the endpoint has ended and uses @owner no more; never
 *	changes.
 * @sock_id: the socket's number, 0 without a socket; never changes.
 * @pid: process of @owner, held.
 * @uid: user that made the socket; never changes.
 * @account: account that pays for what is kept for the endpoint; held.
 * @memcg: memory cgroup of the process that made the endpoint, held. Later
 *	allocations for it are charged there, whatever thread makes them; NULL
 *	without memory cgroups.
 * @charge: the endpoint, its handles and its slots for calls; dispatch_lock.
 * @id: number of the endpoint in weir_net.endpoints; never changes.
 * @outbox: ring that the socket writes and the router reads; held.
 * @inbox: ring that the router writes and the socket reads; held.
 * @rd: the router's cursor on @outbox; held.
 * @dispatch_lock: held by the one thread that reads @outbox.
 * @pos: position of the next record to route; dispatch_lock.
 * @answers: granules kept free in @inbox for answers to calls that are not made
 *	yet; part of post.kept. dispatch_lock.
 * @pass: the pass in progress; dispatch_lock.
 * @waits_for_slot: the pass waits for a free slot: set under dispatch_lock and
 *	inbox->post.lock, cleared under dispatch_lock.
 * @exempt: the creator of the socket has CAP_NET_ADMIN in the namespace, and so
 *	may take more than its user's share of a rate limit and of a bulkhead;
 *	never changes.
 * @repaired: the socket is being released, and a worker has repaired @outbox;
 *	dispatch_lock.
 * @random: state of a xorshift generator; dispatch_lock.
 * @handles: the paths that the socket calls; dispatch_lock.
 * @nhandles: used entries of @handles; dispatch_lock.
 * @handle_room: entries that @handles and @by_name have room for: a power of
 *	two, or 0; dispatch_lock.
 * @by_name: hash table: the first handle of each bucket, 0 for none;
 *	dispatch_lock.
 * @held_pos: position of the message that the pass last waited with; U64_MAX:
 *	none yet. dispatch_lock.
 * @held_ns: when the router gives that message up, as ktime_get_ns() counts;
 *	U64_MAX: never. dispatch_lock.
 * @held_by: for a reply that waits: account of the caller whose inbox has no
 *	room, held. The account is charged for the wait even after the caller
 *	has closed its socket. NULL for other messages. dispatch_lock.
 * @held_since_ns: for a reply that waits: start of the time that @held_by is
 *	not charged for yet, as ktime_get_ns() counts; dispatch_lock.
 * @waits_ns: start of the last time in which replies of the endpoint waited for
 *	callers, as ktime_get_ns() counts; dispatch_lock.
 * @waited_ns: end of that time so far; written under dispatch_lock.
 * @idem_held: idempotency entry of a leader that waits for room; or NULL.
 *	dispatch_lock.
 * @calls: requests that wait for their answers: made under dispatch_lock, ended
 *	under inbox->post.lock.
 * @ended: calls that ended without a reply of their own in this hold of
 *	inbox->post.lock; see weir_endpoint_unawaited().
 * @timer_ns: when the router must next look through the calls, for deadlines
 *	and for ejected targets; U64_MAX: never. inbox->post.lock.
 * @armed_ns: when @timer is due, U64_MAX if never; inbox->post.lock.
 * @scan_slot: the look through the calls has done the slots below this one; 0:
 *	no look is under way. inbox->post.lock.
 * @scan_lost: that look has found calls that are to be sent again;
 *	dispatch_lock.
 * @scan_ns: the earliest deadline that the look has found; inbox->post.lock.
 * @targets: one target for each path that the socket serves, by
 *	weir_target.ep_link; weir_net.lock.
 * @ntargets: entries of @targets; weir_net.lock.
 * @gone: targets that are gone and whose calls have not ended yet, by
 *	weir_target.ep_link. Belongs to the thread that closes the socket, then
 *	to the worker that ends the endpoint.
 * @cpus: scratch mask of CPUs, to fence the reader of a full inbox;
 *	dispatch_lock.
 * @waiter: waits for room in an inbox on behalf of the pass.
 * @retry: waits for room in an inbox on behalf of a request that is to be sent
 *	again. Retries by the same handle wait behind that request.
 * @retry_name: name of that request's call; dispatch_lock.
 * @retry_handle: handle of that request; dispatch_lock.
 * @tenant: the endpoint's user, held; turn.c says what its worker does.
 * @turn_link: in tenant->endpoints, under tenant->lock, with a reference.
 * @last_pos: the socket is being released: @outbox is routed up to this
 *	position at most. 0: it is not being released. dispatch_lock.
 * @last_ns: a worker routes the rest of @outbox: until this time messages may
 *	wait for room, as ktime_get_ns() counts; U64_MAX: none has waited yet.
 *	0: no worker does that. dispatch_lock.
 * @end: job that ends the endpoint in a worker, if that takes long.
 * @poller: thread that polls @outbox; or NULL. Written under poll_lock of
 *	poller.c, read under RCU.
 * @poll_user: share of the endpoint's user in @poller; poll_lock.
 * @poll_link: in a list of @poller, or in weir_unpolled; poll_lock.
 * @timer: has the user's worker look at deadlines and at requests to be sent
 *	again.
 */
struct weir_endpoint {
	refcount_t		ref;
	struct rcu_work		free;
	struct weir_net		*wn;
	struct weir_owner	*owner;
	void			(*put_owner)(struct weir_owner *o);
	u64			sock_id;
	struct pid		*pid;
	kuid_t			uid;
	struct weir_account	*account;
	struct mem_cgroup	*memcg;
	struct weir_charge	charge;
	u32			id;
	struct weir_ring	*outbox;
	struct weir_ring	*inbox;
	struct weir_reader	*rd;
	struct weir_dispatch_lock	dispatch_lock;
	u64			pos;
	u32			answers;
	bool			waits_for_slot;
	bool			exempt;
	bool			repaired;
	struct weir_pass	pass;
	u32			random;
	struct weir_handle	*handles;
	u32			nhandles;
	u32			handle_room;
	u32			*by_name;
	u64			held_pos;
	u64			held_ns;
	struct weir_account	*held_by;
	u64			held_since_ns;
	u64			waits_ns;
	u64			waited_ns;
	struct weir_idem	*idem_held;
	struct weir_call_table	calls;
	u32			ended;
	u64			timer_ns;
	u64			armed_ns;
	u32			scan_slot;
	bool			scan_lost;
	u64			scan_ns;
	struct list_head	targets;
	u32			ntargets;
	struct list_head	gone;
	cpumask_var_t		cpus;
	struct weir_waiter	waiter;
	struct weir_waiter	retry;
	u64			retry_name;
	u32			retry_handle;
	struct weir_tenant	*tenant;
	struct list_head	turn_link;
	u64			last_pos;
	u64			last_ns;
	struct weir_job		end;
	struct weir_poller	*poller;
	struct weir_poll_user	*poll_user;
	struct list_head	poll_link;
	struct weir_timer	timer;
};

static inline struct weir_breaker_conf
weir_conf_breaker(const struct weir_route_conf *c)
{
	return (struct weir_breaker_conf){
		.window_ns = c->breaker_window_ns,
		.open_ns = c->breaker_open_ns,
		.slow_ns = c->breaker_slow_ns,
		.min_calls = c->breaker_min_calls,
		.error_percent = c->breaker_error_percent,
		.slow_percent = c->breaker_slow_percent,
		.probes = c->breaker_probes,
	};
}

static inline struct weir_retry_conf
weir_conf_retry(const struct weir_route_conf *c)
{
	return (struct weir_retry_conf){
		.tries = c->retries,
		.base_ns = c->retry_base_ns,
		.max_ns = c->retry_max_ns,
	};
}

/* --- endpoint.c --- */
struct weir_endpoint *weir_endpoint_create(struct weir_owner *o,
					   struct weir_ring *inbox,
					   const struct weir_ring_spec *outbox,
					   void (*put_owner)
					   (struct weir_owner *o));
struct weir_endpoint *weir_endpoint_make(struct weir_sock *ws);
void weir_endpoint_get(struct weir_endpoint *ep);
void weir_endpoint_put(struct weir_endpoint *ep);
int weir_endpoint_call(struct weir_sock *ws, void __user *arg);
void weir_deadline_arm(struct weir_endpoint *ep, u64 due_ns);
void weir_deadline_arm_lock(struct weir_endpoint *ep, u64 deadline_ns);
int weir_endpoint_add_handle(struct weir_endpoint *ep, const char *path,
			     u32 len, u32 *handle, const char **why);
void weir_endpoint_arm(struct weir_endpoint *ep, u64 due_ns);
void weir_endpoint_handle_due(struct weir_endpoint *ep);
void weir_endpoint_retries(struct weir_endpoint *ep,
			   enum weir_dispatcher dispatcher);

/* --- ending.c --- */
void weir_endpoint_close(struct weir_endpoint *ep);
bool weir_endpoint_end_part(struct weir_job *job);

/* router.c */
void weir_dispatch_wanted(struct weir_endpoint *ep);

/* Releases dispatch_lock, and calls a worker or a sleeper that wants it. */
static __always_inline void weir_dispatch_unlock(struct weir_endpoint *ep)
{
	struct weir_dispatch_lock *l = &ep->dispatch_lock;

	lock_release(&l->dep_map, _RET_IP_);
	clear_bit_unlock(WEIR_DISPATCH_LOCKED, &l->word);
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(l->word) & (BIT(WEIR_DISPATCH_LATER) |
					   BIT(WEIR_DISPATCH_WAITED))))
		weir_dispatch_wanted(ep);
}

/* --- router.c --- */
void weir_route_begin(struct weir_endpoint *ep,
		      enum weir_dispatcher dispatcher);
void weir_route_settle(struct weir_endpoint *ep);
void weir_route_dispatch(struct weir_endpoint *ep);
void weir_route_turn(struct weir_endpoint *ep);
void weir_route_poll(struct weir_endpoint *ep, u64 pos);
bool weir_route_last(struct weir_endpoint *ep);

/* --- turn.c --- */
u32 weir_tenant_slots(struct weir_tenant *t, u32 want);
void weir_endpoint_later(struct weir_endpoint *ep);
void weir_endpoint_never(struct weir_endpoint *ep);

/* --- request.c --- */
enum weir_outcome weir_route_again(struct weir_endpoint *ep,
				   struct weir_call_entry *call);

/* --- answer.c --- */
void weir_route_answer(struct weir_endpoint *ep, struct weir_call_entry *call,
		       struct weir_route *route, enum weir_reason reason,
		       enum weir_guard guard, u64 wait_ns);
void weir_call_leave(struct weir_endpoint *ep, struct weir_call_entry *call,
		     u64 now_ns, enum weir_reason reason);
void weir_call_end_parent(struct weir_endpoint *ep,
			  struct weir_call_entry *parent);
void weir_call_lost(struct weir_endpoint *ep, struct weir_call_entry *call,
		    enum weir_reason reason, enum weir_guard guard);

/* --- poller.c --- */
void weir_poll_join(struct weir_endpoint *ep);
void weir_poll_leave(struct weir_endpoint *ep);
void weir_poll_kick(struct weir_endpoint *ep);
void weir_poll_took(struct weir_endpoint *ep, u32 bytes);
int weir_poll_set(const struct cpumask *cpus);
int weir_poll_show(char *buf);

/* The owner has kicked: routes the records that it committed. May sleep. */
static inline void weir_endpoint_kick(struct weir_endpoint *ep)
{
	weir_route_dispatch(ep);
	weir_poll_kick(ep);
}

/*
 * The socket has kicked: routes the records that it committed to its outbox, or
 * wakes the readers that sleep. The caller has fenced. May sleep.
 */
static __always_inline void weir_outbox_kick(struct weir_sock *ws,
					     struct weir_ring *outbox)
{
	if (ws->ep)
		weir_endpoint_kick(ws->ep);
	else if (READ_ONCE(weir_ring_status(outbox)->wake) & WEIR_WAKE_READERS)
		weir_ring_wake_readers(outbox);
}

/* --- route.c --- */
struct weir_route *weir_route_obtain(struct weir_sock *ws, const char *name,
				     u32 len, enum weir_use use);
void weir_route_get(struct weir_route *route);
void weir_route_put(struct weir_route *route);
void weir_route_use(struct weir_route *route);
void weir_route_unuse(struct weir_route *route);
int weir_route_replan(struct weir_route *route);
void weir_route_tidy(struct weir_route *route);

/* Does no target, no setting and no other route need it? weir_net.lock */
static inline bool weir_route_idle(const struct weir_route *route)
{
	return !route->set && !route->ntargets && !route->uses;
}

struct weir_plan *weir_plan_create(struct weir_route *route);
void weir_plan_publish(struct weir_route *route, struct weir_plan *plan);
void weir_plan_drop(struct weir_plan *plan);
void weir_fallback_reply_put(struct weir_fallback_reply *fallback_reply);
void weir_settings_free(struct weir_settings *set);
void weir_routes_end(struct weir_net *wn);
void weir_route_count(struct weir_route *route, unsigned int which, u64 n);
u64 weir_route_counted(const struct weir_route *route, unsigned int which);
void weir_handle_resolve(struct weir_endpoint *ep, struct weir_handle *h);
void weir_handle_ask(struct weir_endpoint *ep, struct weir_handle *h);

/* --- lost.c --- */
bool weir_endpoints_tell(struct weir_target *target);
bool weir_target_late_part(struct weir_job *job);
void weir_target_sent_late(struct weir_target *target);
void weir_endpoint_died(const struct weir_endpoint *server,
			const struct list_head *gone);

/* --- target.c --- */
int weir_target_serve(struct weir_sock *ws, void __user *arg);
int weir_target_serve_path(struct weir_sock *ws, struct weir_ioc_serve *serve);
struct weir_target *weir_target_add(struct weir_sock *ws,
				    struct weir_route *route,
				    struct weir_endpoint *ep,
				    struct weir_callers *callers,
				    struct weir_route *next, u32 weight);
void weir_target_remove(struct weir_target *target);
bool weir_targets_leave(struct weir_endpoint *ep);
bool weir_targets_called(const struct weir_endpoint *ep);
void weir_targets_end(struct weir_endpoint *ep, bool called);
void weir_target_weigh(struct weir_target *target, u32 weight);
void weir_target_get(struct weir_target *target);
void weir_target_put(struct weir_target *target);
void weir_target_watch(struct weir_target *target);
bool weir_target_waits(const struct weir_target *target);

/* Bytes of a path in a control call; above WEIR_PATH_MAX it is too long. */
static inline u32 weir_op_name_len(const char *name)
{
	return strnlen(name, WEIR_PATH_MAX + 1);
}

#endif /* _WEIR_ROUTER_H */
