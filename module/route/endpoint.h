/* SPDX-License-Identifier: GPL-2.0 */
/* What calls and serves, a socket's part in the router: see endpoint.c. */
#ifndef _WEIR_ENDPOINT_H
#define _WEIR_ENDPOINT_H

#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "logic/account.h"
#include "logic/calls.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "route/dispatch_lock.h"
#include "route/handle.h"
#include "route/pass.h"
#include "route/room.h"
#include "tenant.h"
#include "weir.h"

struct pid;
struct weir_poll_user;
struct weir_poller;

/*
 * The low bits of a call's name are the number of the caller's endpoint. The
 * target sees the name in two header fields: the low half in the route, the
 * high half in the tag.
 */
#define WEIR_ENDPOINT_MASK	((1U << WEIR_CALL_OWNER_BITS) - 1)

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

/* xorshift (G. Marsaglia, 2003): spreading load needs no secret numbers. */
static inline u32 weir_pass_random(struct weir_endpoint *ep)
{
	u32 x = ep->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return ep->random = x;
}

/* endpoint.c */
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
void weir_endpoint_arm(struct weir_endpoint *ep, u64 due_ns);
void weir_endpoint_handle_due(struct weir_endpoint *ep);
void weir_endpoint_retries(struct weir_endpoint *ep,
			   enum weir_dispatcher dispatcher);

/* ending.c */
void weir_endpoint_close(struct weir_endpoint *ep);
bool weir_endpoint_end_part(struct weir_job *job);

#endif /* _WEIR_ENDPOINT_H */
