/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Routed messages: the objects, who holds whom, and the order of locks.
 *
 *   object        held by                              last put
 *   weir_endpoint its socket, the targets it serves,   a grace period later:
 *                 works, who waits or is waited for    frees its calls, puts
 *                                                      its rings
 *   weir_route    its path, targets, handles, plans    frees it
 *                 that name it
 *   weir_target   its route's list, plans, its watch   a grace period later:
 *                                                      puts endpoint and routes
 *   weir_plan     its route alone                      a grace period later:
 *                                                      puts targets, routes
 *
 * A message goes from an outbox to an inbox under rcu_read_lock(): handle,
 * plan, target, endpoint. Nothing on that way is shared by all but what is only
 * read; what is written belongs to the caller, the target or one route's
 * rate limit.
 *
 * Lock order, between those of weir.h
 *   1 lock_sock
 *   1a weir_user.turn          one user's changes of routes at a time
 *   2 weir_net.lock            routes, targets, plans
 *   2a poll_lock, then weir_poller.lock (poller.c)
 *   2b weir_endpoint.dispatch_lock one pass over an outbox at a time
 *   7 weir_ring.lock
 *   8 weir_ring.post.lock      of an inbox: space in it, and its endpoint's calls;
 *                              never two at a time
 *   8a weir_tenant.lock
 *   9 weir_ring.lock of an inbox; weir_breaker.lock; weir_dups.lock
 */
#ifndef _WEIR_ROUTER_H
#define _WEIR_ROUTER_H

#include <linux/sizes.h>
#include <linux/string.h>

#include "uapi/weir_route.h"
#include "weir.h"
#include "logic/breaker.h"
#include "logic/bulkhead.h"
#include "logic/calls.h"
#include "logic/hist.h"
#include "ring/inbox.h"
#include "logic/rate_limit.h"
#include "route/idem.h"
#include "logic/policy.h"
#include "logic/retry.h"
#include "route/room.h"
#include "route/dispatch_lock.h"
#include "route/turn.h"

/*
 * The owner of a call is the number of its endpoint. Its target sees the name in
 * route (low half) and tag.
 */
#define WEIR_ENDPOINT_MASK	((1U << WEIR_CALL_OWNER_BITS) - 1)

/**
 * struct weir_fallback_reply - a reply that a route holds
 * @ref: plans that use it.
 * @len: bytes.
 * @data: the payload.
 */
struct weir_fallback_reply {
	refcount_t	ref;
	u32		len;
	u8		data[];
};

/**
 * struct weir_plan - what a route does, as of its last change
 * @policy: enum weir_policy.
 * @n: targets.
 * @quorum: replies that complete a request to several.
 * @bulkhead: requests in flight at one target; 0: any number. If it is not 0,
 *	each target has weir_target.callers.
 * @bulkhead_lower: of these, how many are had as they come, see
 *	weir_bulkhead_lower(); 0: any number.
 * @mirror_permille: share of messages for @mirror.
 * @has_breaker: @breaker counts.
 * @batch_divisor: a batch is handed on in so many parts at least, up to one for
 *	each message.
 * @slow_threshold_ns: good replies that take no longer are not slow.
 * @timeout_ns: deadline of requests without; at most @deadline_max_ns.
 * @deadline_max_ns: longest deadline of a request, from when it is taken.
 * @patience_ns: how long a reply waits for its caller's inbox.
 * @probe_ns: the watchdog's period; WEIR_PROBE_OFF.
 * @breaker: when breakers open.
 * @retry: when and how often to send again.
 * @pick: what the policy picks from.
 * @fallback: route for what a guard refuses, or NULL.
 * @mirror: route that gets copies, or NULL.
 * @fallback_reply: reply for what a guard refuses, or NULL.
 * @idem: idempotency keys, or NULL; held.
 * @rate_limit: rate and burst, the route's; NULL: none.
 * @free: frees it after a grace period.
 * @targets: by number.
 *
 * Read under RCU; nothing of it changes but the rate limit.
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
	struct rcu_work			free;
	struct weir_target		*targets[];
};

/* weir_call.round of a call that is counted in weir_target.callers, too. */
#define WEIR_ROUND_SHARED	BIT(31)

/*
 * What a target adds to a plan, and to what its policy picks from; and what it
 * takes for the calls of each user.
 */
#define WEIR_PLAN_TARGET_BYTES						\
	(2 * sizeof(void *) + sizeof(u64) + sizeof(u32) +		\
	 max(sizeof(struct weir_pick_entry),				\
	     sizeof(struct weir_pick_column)) +				\
	 sizeof(struct weir_callers))

/* What a route counts besides its targets; refusals follow, by reason. */
enum weir_route_stat {
	WEIR_ROUTE_MIRRORED,
	WEIR_ROUTE_FALLBACKS,
	WEIR_ROUTE_RETRIES,
	WEIR_ROUTE_DUPS,
	WEIR_ROUTE_GONE,	/* requests that targets had which are gone */
	WEIR_ROUTE_REFUSED,
	WEIR_ROUTE_STATS = WEIR_ROUTE_REFUSED + WEIR_REASON_MAX
};

/**
 * struct weir_route_stats - counters of a route that has something to count
 * @count: by enum weir_route_stat.
 */
struct weir_route_stats {
	atomic64_t	count[WEIR_ROUTE_STATS];
};

/**
 * struct weir_edge - a route that stands behind another; see chain.c
 * @from: the route in front; NULL while this is no edge.
 * @to: the route behind it, its target or its fallback.
 * @behind_link: in from->behind.
 * @before_link: in to->before.
 *
 * Guarded by weir_net.lock. Both routes are held by what this is part of.
 */
struct weir_edge {
	struct weir_route	*from;
	struct weir_route	*to;
	struct list_head	behind_link;
	struct list_head	before_link;
};

/**
 * struct weir_settings - how a route was set by a control call
 * @conf: the figures; names and addresses in it are not used.
 * @fallback: route for what a guard refuses, counted in its @uses; or NULL.
 * @edge: to @fallback, while these are the settings of a route.
 * @mirror: route that gets copies, counted in its @uses; or NULL.
 * @fallback_reply: reply for what a guard refuses, or NULL.
 * @rate_limit: rate and burst, or NULL.
 * @idem: idempotency keys, or NULL; held.
 * @charge: for all this but @idem, to who set it; fixed.
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
 * @rcu: for lookups under RCU.
 * @plan: what it does; NULL once it is gone.
 * @stats: counters; NULL until there is something to count.
 * @path: its name and permissions; weir_net.lock, or RCU to look at the name.
 *	NULL once it is gone.
 * @set: by a control call, and stays without targets; NULL: the defaults.
 *	weir_net.lock.
 * @targets: by weir_target.route_link, the heaviest first, and of equals the
 *	oldest; weir_net.lock.
 * @ntargets: how many.
 * @target_users: how many of them each user has; weir_net.lock.
 * @uses: routes that name it as target, fallback or mirror, and changes to it
 *	in progress; weir_net.lock.
 * @planned: one of these changes has its plan; weir_net.lock.
 * @charge: for itself and a plan, to who made it; weir_net.lock.
 * @behind: edges to routes that it leads to, by weir_edge.behind_link;
 *	weir_net.lock.
 * @before: edges from routes that lead to it, by weir_edge.before_link;
 *	weir_net.lock.
 * @nbehind: ways along edges that begin here; weir_net.lock.
 * @nbefore: ways along edges that end here; weir_net.lock.
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
 * struct weir_target - who serves a route: a socket, or another route
 * @load: what policies look at.
 * @forced: its breaker is open until told otherwise.
 * @gone: it takes no more; written under weir_net.lock.
 * @leaving: a control call in progress takes it away; weir_net.lock.
 * @planned: it is @gone, and in the route's plan still for want of memory; who
 *	ends it.
 * @hung: the watchdog has given it up for now.
 * @watched: its watch is under way.
 * @ep: the socket's; held. NULL if it is a route.
 * @next: the route; held. NULL if it is a socket.
 * @edge: to @next, unless it is about to leave; weir_net.lock.
 * @route: what it serves; held.
 * @breaker: of this target.
 * @requests: sent there; ep->inbox->post.lock.
 * @replies: that it gave; ep->dispatch_lock.
 * @errors: of those; ep->dispatch_lock.
 * @expired: requests that it did not answer in time.
 * @hangs: times given up.
 * @ref: see the table of lifetimes.
 * @free: frees it after a grace period.
 * @id: for listing.
 * @weight: share; weir_net.lock.
 * @charge: for itself and its place in plans, to who added it; fixed.
 * @route_link: in weir_route.targets; weir_net.lock.
 * @ep_link: in weir_endpoint.targets; weir_net.lock.
 * @watch: has the turn of its user look whether it does something.
 * @turn_link: in tenant->targets of its endpoint, under that lock, with a
 *	reference.
 * @seen_pos: how far it had read its inbox at the last look.
 * @seen_out: up to where its outbox had been routed.
 * @still: looks in a row at which nothing had changed.
 * @moved: @requests when what may be sent twice was last taken from it.
 * @lost_ns: when that was: calls sent up to then are.
 * @telling: callers are being told of it; the turn's.
 * @told: number of the last endpoint that has been; the turn's.
 * @callers: of @load.in_flight, what each user has of the bulkhead's upper half;
 *	made before the first plan with a bulkhead is seen; NULL: there was none.
 * @hist: times from request to reply; ep->dispatch_lock.
 */
struct weir_target {
	struct weir_load		load;
	bool				forced;
	bool				gone;
	bool				leaving;
	bool				planned;
	bool				hung;
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
	atomic64_t			hangs;
	refcount_t			ref;
	struct rcu_work			free;
	u64				id;
	u32				weight;
	struct weir_charge		charge;
	struct list_head		route_link;
	struct list_head		ep_link;
	struct delayed_work		watch;
	struct list_head		turn_link;
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
 * @route: its route; held. NULL if there is none or it may not be called.
 * @gen: weir_net.route_gen when that was found out, or was still so.
 * @owner: owner of the first route that was found; valid if @bound.
 * @hash: of @path.
 * @next: handle of the next one in its bucket, 0 for none.
 * @len: bytes of @path.
 * @reason: enum weir_reason: why @route is NULL.
 * @bound: a route was found since the handle was made or asked for.
 * @path: the name.
 *
 * Of a size that indexing is a shift: each request does it.
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

/* A pass lets others run after so many messages, or bytes. */
#define WEIR_PASS_MESSAGES	64
#define WEIR_PASS_BYTES		SZ_64K

/* What is longer, with its header, is copied in such pieces, outside of RCU. */
#define WEIR_PIECE_BYTES	(SZ_64K + WEIR_GRANULE)

/*
 * Messages that are handed on together, a batch: small ones that follow one
 * another in an outbox and go the same way. What is decided for the first holds
 * for all.
 */
#define WEIR_BATCH_MAX		32
#define WEIR_BATCH_LEN		256	/* bytes of payload */

/* Large copies of one message: one, and one for a mirror of each route. */
#define WEIR_COPIES_OWN		(WEIR_HOPS_MAX + 2)

/* Inboxes written to before their readers are woken. */
#define WEIR_DIRTY_INBOXES_MAX	16

/**
 * struct weir_reservation - space for a record in an inbox
 * @inbox: where.
 * @pos: of the record.
 * @seq: its record count.
 */
struct weir_reservation {
	struct weir_ring	*inbox;
	u64			pos;
	u32			seq;
};

/**
 * struct weir_copy - a copy that is made when the section is over; see copy.c
 * @at: where; the inbox is held.
 * @kept: granules that are kept for it there, in post.granted, too: its place is
 *	taken when it is made; 0: it has been taken.
 * @from: what; of the pass's own outbox, or of @reply.
 * @len: bytes.
 * @shape: kind and flags of the record.
 * @route: of the record.
 * @tag_key: of the record.
 * @deadline_ns: of the record; 0: none.
 * @call: a request: not made any more when this has ended; NULL.
 * @name: of @call.
 * @reply: a reply that was remembered, held; NULL.
 */
struct weir_copy {
	struct weir_reservation	at;
	u32			kept;
	const u8		*from;
	u32			len;
	u64			shape;
	u32			route;
	u64			tag_key;
	u64			deadline_ns;
	struct weir_call	*call;
	u64			name;
	struct weir_dup_reply	*reply;
};

/**
 * enum weir_dispatcher - who routes what an outbox has
 * @WEIR_DISPATCH_WORKER: a worker of the owner's user: all there is to do.
 * @WEIR_DISPATCH_OWNER: a thread of the owner's. It may be kept from running for
 *	as long as its owner likes, so it makes no large copies: space that is
 *	claimed in another's inbox is filled at once.
 * @WEIR_DISPATCH_POLL: a polling thread. That of others stands still meanwhile, so
 *	it does not allocate, wait or send interrupts either.
 */
enum weir_dispatcher {
	WEIR_DISPATCH_WORKER,
	WEIR_DISPATCH_OWNER,
	WEIR_DISPATCH_POLL,
};

/**
 * struct weir_pass - a pass over an outbox in progress
 * @now_ns: time of the pass.
 * @slots: for calls: wanted at least, and not found; 0.
 * @no_slots: enum weir_reason: why there never will be as many as the message in
 *	batch needs; WEIR_REASON_NONE. It is kept until that message is done, by
 *	whatever route: a message that forgets it is held up for ever.
 * @ahead: messages that the pass began with, as if all were alike.
 * @left: bytes of records that are left, the one in hand included.
 * @each: bytes of the one in hand.
 * @used: messages that were sent or answered at once.
 * @looks: at targets, that the messages of this section have taken; see
 *	WEIR_LOOKS_MAX in request.h.
 * @idem: the message in hand is the first of its key; NULL.
 * @tokens: of @rate_limit, taken and not used.
 * @rate_limit: where they are from.
 * @token_cost: of each, for weir_rate_limit_give(); 0: they are of no user's share.
 * @caller: who got the last reply; valid under the same rcu_read_lock().
 * @served: target whose good replies are not accounted for yet; as @caller.
 * @served_plan: of its route.
 * @served_sent_ns: when the last of them was called.
 * @served_took_ns: how long it took.
 * @served_bucket: where that is counted.
 * @served_calm: that is not slow.
 * @served_round: of its breaker, when they were called.
 * @nserved: how many.
 * @wait_for: inbox that the pass has to wait for, held; NULL.
 * @wait_bytes: room that it needs there.
 * @dispatcher: who does.
 * @left_over: the message that it has stopped at is left to a worker.
 * @copies: to be made when the section is over; @own or allocated, or NULL.
 * @ncopies: how many.
 * @copy_room: for how many there is room.
 * @own: of a message to one target, and for mirrors.
 * @replied: the first of its key that a reply is for; NULL.
 * @replied_to: the caller that has made it; held.
 * @reply: that reply, in the outbox.
 * @lens: lengths of the messages in a batch.
 * @ends: of their records.
 * @ndirty_inboxes: entries of @dirty_inboxes.
 * @dirty_inboxes: inboxes written to; valid under the same rcu_read_lock().
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
	bool			served_calm;
	u32			served_round;
	u32			nserved;
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
 * struct weir_endpoint - a socket's part in the router
 * @ref: see the table of lifetimes.
 * @free: frees it after a grace period.
 * @wn: namespace.
 * @ws: the socket; NULL once it is gone. Guarded by @dispatch_lock.
 * @sock_id: the socket's number.
 * @pid: process that made it, held.
 * @uid: who did.
 * @account: who pays for what is kept for it; held.
 * @memcg: memory cgroup of the process that made it, held: what is allocated for
 *	it later is charged there, whoever's work that is; NULL if there are none.
 * @charge: for itself, its handles and its slots for calls; dispatch_lock.
 * @id: in weir_net.endpoints.
 * @outbox: read by the router; held.
 * @inbox: written by it; held.
 * @rd: the router's cursor on @outbox; held.
 * @dispatch_lock: one pass over @outbox at a time.
 * @pos: next record to look at; dispatch_lock.
 * @answers: room kept in @inbox for answers to calls not made yet; dispatch_lock.
 * @pass: the pass in progress; dispatch_lock.
 * @waits_for_slot: the pass waits for a slot: set under dispatch_lock and
 *	inbox->post.lock, cleared under dispatch_lock.
 * @exempt: its maker has CAP_NET_ADMIN in the namespace, and so may take more
 *	than its user's share of a rate and of a bulkhead; never changes.
 * @random: state of a xorshift generator; dispatch_lock.
 * @handles: what it calls; dispatch_lock.
 * @nhandles: how many.
 * @handle_room: entries that @handles has room for, a power of two, or 0.
 * @by_name: first handle of each of as many buckets of names, 0 for none.
 * @held_pos: message that the pass waits with, if it does; dispatch_lock.
 * @held_ns: when that is given up, U64_MAX if never; dispatch_lock.
 * @held_by: for a reply: account of the caller whose inbox has no room, held: it
 *	is charged for the wait even if it closes its socket; NULL for others;
 *	dispatch_lock.
 * @held_since_ns: for a reply: since when @held_by is charged for the wait, as
 *	ktime_get_ns() counts; dispatch_lock.
 * @idem_held: of the first of its key whose pass is held up; dispatch_lock.
 * @calls: requests that it waits for: made under dispatch_lock, ended under
 *	inbox->post.lock.
 * @ended: calls that have ended with their parents since somebody began to
 *	count; inbox->post.lock.
 * @timer_ns: when a call is given up, at the earliest; U64_MAX: none is.
 *	inbox->post.lock.
 * @armed_ns: when @timer is due, U64_MAX if never; inbox->post.lock.
 * @scan_slot: calls up to it have been looked at for their deadlines and for
 *	targets that hang, 0 if nobody is looking; inbox->post.lock.
 * @scan_lost: some of these are to be sent again; dispatch_lock.
 * @scan_ns: the earliest deadline of these; inbox->post.lock.
 * @targets: what it serves; weir_net.lock.
 * @ntargets: how many.
 * @gone: those that nobody picks any more, whose calls have not ended yet, by
 *	weir_target.ep_link; the closer's, and then the worker's.
 * @cpus: for fencing the reader of a full inbox; dispatch_lock.
 * @waiter: the pass waits for room.
 * @retry: a request that is to be sent again waits for room, and with it those
 *	behind it by the same handle.
 * @retry_name: its call; dispatch_lock.
 * @retry_handle: that handle; dispatch_lock.
 * @tenant: the turn of its user; held.
 * @turn_link: in tenant->endpoints, under its lock, with a reference.
 * @last_pos: its socket is being released: up to where @outbox is routed, at
 *	most; 0. dispatch_lock.
 * @last_ns: a worker is at that: how long what is left waits for room, as
 *	ktime_get_ns() counts; 0. dispatch_lock.
 * @end: ends its part in the router, when a worker has done the rest.
 * @poller: thread that looks at @outbox; NULL. Guarded by poll_lock in
 *	poller.c, read under RCU.
 * @poll_user: what that polls for the user; poll_lock.
 * @poll_link: in its list, or in that of endpoints without; poll_lock.
 * @timer: deadlines and requests to be sent again.
 */
struct weir_endpoint {
	refcount_t		ref;
	struct rcu_work		free;
	struct weir_net		*wn;
	struct weir_sock	*ws;
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
	struct weir_idem	*idem_held;
	struct weir_calls	calls;
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
	struct delayed_work	timer;
};

extern struct workqueue_struct *weir_router_wq;

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
struct weir_endpoint *weir_endpoint_make(struct weir_sock *ws);
void weir_endpoint_get(struct weir_endpoint *ep);
void weir_endpoint_put(struct weir_endpoint *ep);
int weir_endpoint_call(struct weir_sock *ws, void __user *arg);
void weir_endpoint_timer(struct weir_endpoint *ep, u64 due_ns);
int weir_endpoint_add_handle(struct weir_endpoint *ep, const char *path,
			     u32 len, u32 *handle, const char **why);
void weir_endpoint_arm(struct weir_endpoint *ep, u64 due_ns);
void weir_endpoint_tick(struct weir_endpoint *ep);
void weir_endpoint_retries(struct weir_endpoint *ep,
			   enum weir_dispatcher dispatcher);

/* --- ending.c --- */
void weir_endpoint_close(struct weir_sock *ws);
bool weir_endpoint_end_part(struct weir_job *job);

/* router.c */
void weir_dispatch_wanted(struct weir_endpoint *ep);

/* Ends a pass, or what else is done under dispatch_lock. */
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

/* --- request.c --- */
int weir_route_again(struct weir_endpoint *ep, struct weir_call *call);

/* --- answer.c --- */
void weir_route_answer(struct weir_endpoint *ep, struct weir_call *call,
		       struct weir_route *route, enum weir_reason reason,
		       enum weir_guard guard, u64 wait_ns);
void weir_call_leave(struct weir_endpoint *ep, struct weir_call *call,
		     u64 now_ns, bool bad);
void weir_call_lost(struct weir_endpoint *ep, struct weir_call *call,
		    enum weir_reason reason, enum weir_guard guard);

/* --- named.c --- */
int weir_named_address(struct weir_sock *ws, struct msghdr *msg,
		       struct weir_scm_route *scm);
void weir_named_record(const struct weir_ring_rec *rec,
		       struct weir_scm_route *scm);

/* --- poller.c --- */
void weir_poll_join(struct weir_endpoint *ep);
void weir_poll_leave(struct weir_endpoint *ep);
void weir_poll_kick(struct weir_endpoint *ep);
void weir_poll_took(struct weir_endpoint *ep, u32 bytes);
int weir_poll_set(const struct cpumask *cpus);
int weir_poll_show(char *buf);

/* The owner has published: what it has committed goes out. Process context. */
static inline void weir_endpoint_kick(struct weir_endpoint *ep)
{
	weir_route_dispatch(ep);
	weir_poll_kick(ep);
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

/* Does nobody serve, set or use it? weir_net.lock */
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

/* --- chain.c --- */
bool weir_chain_leads(struct weir_route *from, const struct weir_route *to);
int weir_edge_add(struct weir_edge *edge, struct weir_route *from,
		  struct weir_route *to, const char **why);
void weir_edge_restore(struct weir_edge *edge, struct weir_route *from,
		       struct weir_route *to);
u32 weir_edge_ways(const struct weir_route *from, const struct weir_route *to);
void weir_edge_del(struct weir_edge *edge);

/* --- lost.c --- */
bool weir_ports_tell(struct weir_target *target);
void weir_endpoint_lost_calls(struct weir_endpoint *ep,
			      const struct weir_target *target);
void weir_endpoint_died(const struct weir_endpoint *server,
			const struct list_head *gone);

/* --- target.c --- */
int weir_target_serve(struct weir_sock *ws, void __user *arg);
int weir_target_serve_path(struct weir_sock *ws, struct weir_ioc_serve *serve);
struct weir_target *weir_target_add(struct weir_sock *ws,
				    struct weir_route *route,
				    struct weir_endpoint *ep,
				    struct weir_route *next, u32 weight);
void weir_target_remove(struct weir_target *target);
bool weir_targets_leave(struct weir_endpoint *ep);
void weir_targets_end(struct weir_endpoint *ep);
void weir_target_take_back(struct weir_target *target);
void weir_target_weigh(struct weir_target *target, u32 weight);
void weir_target_get(struct weir_target *target);
void weir_target_put(struct weir_target *target);
void weir_target_watch(struct weir_target *target);
void weir_target_turn(struct weir_target *target);

/* --- routectl.c --- */
int weir_control(struct weir_sock *ws, void __user *arg);

int weir_op_check(const struct weir_route_op *op, bool admin, const char **why);

/* Bytes of a change's name; above WEIR_PATH_MAX it is too long. */
static inline u32 weir_op_name_len(const char *name)
{
	return strnlen(name, WEIR_PATH_MAX + 1);
}


#endif /* _WEIR_ROUTER_H */
