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
#include "route/waiter.h"
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
 */
struct weir_endpoint {
	/** @ref: see the table of lifetimes. */
	refcount_t		ref;
	/** @free: frees the endpoint after a grace period. */
	struct rcu_work		free;
	/** @wn: namespace. */
	struct weir_net		*wn;
	/**
	 * @owner: user that made the endpoint: the socket's, if it has a
	 * socket. NULL once the endpoint has ended. Guarded by @dispatch_lock.
	 */
	struct weir_owner	*owner;
	/**
	 * @put_owner: called when the endpoint has ended and uses @owner no
	 * more; never changes.
	 */
	void			(*put_owner)(struct weir_owner *o);
	/** @sock_id: the socket's number, 0 without a socket; never changes. */
	u64			sock_id;
	/** @pid: process of @owner, held. */
	struct pid		*pid;
	/** @uid: user that made the socket; never changes. */
	kuid_t			uid;
	/**
	 * @account: account that pays for what is kept for the endpoint; held.
	 */
	struct weir_account	*account;
	/**
	 * @memcg: memory cgroup of the process that made the endpoint, held.
	 * Later allocations for it are charged there, whatever thread makes
	 * them; NULL without memory cgroups.
	 */
	struct mem_cgroup	*memcg;
	/**
	 * @charge: the endpoint, its handles and its slots for calls;
	 * dispatch_lock.
	 */
	struct weir_charge	charge;
	/** @id: number of the endpoint in weir_net.endpoints; never changes. */
	u32			id;
	/** @outbox: ring that the socket writes and the router reads; held. */
	struct weir_ring	*outbox;
	/** @inbox: ring that the router writes and the socket reads; held. */
	struct weir_ring	*inbox;
	/** @rd: the router's cursor on @outbox; held. */
	struct weir_reader	*rd;
	/** @dispatch_lock: held by the one thread that reads @outbox. */
	struct weir_dispatch_lock	dispatch_lock;
	/** @pos: position of the next record to route; dispatch_lock. */
	u64			pos;
	/**
	 * @answers: granules kept free in @inbox for answers to calls that are
	 * not made yet; part of post.kept. dispatch_lock.
	 */
	u32			answers;
	/**
	 * @waits_for_slot: the pass waits for a free slot: set under
	 * dispatch_lock and inbox->post.lock, cleared under dispatch_lock.
	 */
	bool			waits_for_slot;
	/**
	 * @exempt: the creator of the socket has CAP_NET_ADMIN in the
	 * namespace, and so may take more than its user's share of a rate limit
	 * and of a bulkhead; never changes.
	 */
	bool			exempt;
	/**
	 * @repaired: the socket is being closed, and a worker has repaired
	 * @outbox; dispatch_lock.
	 */
	bool			repaired;
	/** @pass: the pass in progress; dispatch_lock. */
	struct weir_pass	pass;
	/** @random: state of a xorshift generator; dispatch_lock. */
	u32			random;
	/** @handles: the paths that the socket calls; dispatch_lock. */
	struct weir_handle	*handles;
	/** @nhandles: used entries of @handles; dispatch_lock. */
	u32			nhandles;
	/**
	 * @handle_room: entries that @handles and @by_name have room for: a
	 * power of two, or 0; dispatch_lock.
	 */
	u32			handle_room;
	/**
	 * @by_name: hash table: the first handle of each bucket, 0 for none;
	 * dispatch_lock.
	 */
	u32			*by_name;
	/**
	 * @blocked_pos: position of the message that the pass last waited with;
	 * U64_MAX: none yet. dispatch_lock.
	 */
	u64			blocked_pos;
	/**
	 * @blocked_until_ns: when the router gives that message up, as
	 * ktime_get_ns() counts; U64_MAX: never. dispatch_lock.
	 */
	u64			blocked_until_ns;
	/**
	 * @blocked_payer: for a reply that waits: account of the caller whose
	 * inbox has no room, held. The account is charged for the wait even
	 * after the caller has closed its socket. NULL for other messages.
	 * dispatch_lock.
	 */
	struct weir_account	*blocked_payer;
	/**
	 * @blocked_since_ns: for a reply that waits: start of the time that
	 * @blocked_payer is not charged for yet, as ktime_get_ns() counts;
	 * dispatch_lock.
	 */
	u64			blocked_since_ns;
	/**
	 * @reply_wait_begin_ns: start of the last time in which replies of the
	 * endpoint waited for callers, as ktime_get_ns() counts; dispatch_lock.
	 */
	u64			reply_wait_begin_ns;
	/**
	 * @reply_wait_end_ns: end of that time so far; written under
	 * dispatch_lock.
	 */
	u64			reply_wait_end_ns;
	/**
	 * @blocked_dup: idempotency entry of a leader that waits for room; or
	 * NULL. dispatch_lock.
	 */
	struct weir_dup_call	*blocked_dup;
	/**
	 * @calls: requests that wait for their answers: made under
	 * dispatch_lock, ended under inbox->post.lock.
	 */
	struct weir_call_table	calls;
	/**
	 * @ended: calls that ended without a reply of their own in this hold of
	 * inbox->post.lock; see weir_endpoint_unawaited().
	 */
	u32			ended;
	/**
	 * @timer_ns: when the router must next look through the calls, for
	 * deadlines and for ejected targets; U64_MAX: never. inbox->post.lock.
	 */
	u64			timer_ns;
	/**
	 * @armed_ns: when @timer is due, U64_MAX if never; inbox->post.lock.
	 */
	u64			armed_ns;
	/**
	 * @scan_slot: the look through the calls has done the slots below this
	 * one; 0: no look is under way. inbox->post.lock.
	 */
	u32			scan_slot;
	/**
	 * @scan_lost: that look has found calls that are to be sent again;
	 * dispatch_lock.
	 */
	bool			scan_lost;
	/**
	 * @scan_ns: the earliest deadline that the look has found;
	 * inbox->post.lock.
	 */
	u64			scan_ns;
	/**
	 * @targets: one target for each path that the socket serves, by
	 * weir_target.ep_link; weir_net.lock.
	 */
	struct list_head	targets;
	/**
	 * @seen: position in @inbox of the first record that the socket has not
	 * looked at; set when the socket is closed.
	 */
	u64			seen;
	/**
	 * @unsent: no sender is on its way to the targets in @gone; written by
	 * the worker that ends them.
	 */
	bool			unsent;
	/** @ntargets: entries of @targets; weir_net.lock. */
	u32			ntargets;
	/**
	 * @gone: targets that are gone and whose calls have not ended yet, by
	 * weir_target.ep_link. Belongs to the thread that closes the socket,
	 * then to the worker that ends the endpoint.
	 */
	struct list_head	gone;
	/**
	 * @cpus: scratch mask of CPUs, to fence the reader of a full inbox;
	 * dispatch_lock.
	 */
	cpumask_var_t		cpus;
	/** @waiter: waits for room in an inbox on behalf of the pass. */
	struct weir_waiter	waiter;
	/**
	 * @retry: waits for room in an inbox on behalf of a request that is to
	 * be sent again. Retries by the same handle wait behind that request.
	 */
	struct weir_waiter	retry;
	/** @retry_name: name of that request's call; dispatch_lock. */
	u64			retry_name;
	/** @retry_handle: handle of that request; dispatch_lock. */
	u32			retry_handle;
	/**
	 * @tenant: the endpoint's user, held; worker.c says what its worker
	 * does.
	 */
	struct weir_tenant	*tenant;
	/** @work: has the user's worker do what is to be done. */
	struct weir_work_item	work;
	/**
	 * @last_pos: the socket is being closed: @outbox is routed up to this
	 * position at most. 0: it is not being closed. dispatch_lock.
	 */
	u64			last_pos;
	/**
	 * @last_ns: a worker routes the rest of @outbox: until this time
	 * messages may wait for room, as ktime_get_ns() counts; U64_MAX: none
	 * has waited yet. 0: no worker does that. dispatch_lock.
	 */
	u64			last_ns;
	/** @end: job that ends the endpoint in a worker, if that takes long. */
	struct weir_job		end;
	/**
	 * @poller: thread that polls @outbox; or NULL. Written under poll_lock
	 * of poller.c, read under RCU.
	 */
	struct weir_poller	*poller;
	/** @poll_user: share of the endpoint's user in @poller; poll_lock. */
	struct weir_poll_user	*poll_user;
	/** @poll_link: in a list of @poller, or in weir_unpolled; poll_lock. */
	struct list_head	poll_link;
	/**
	 * @timer: has the user's worker look at deadlines and at requests to be
	 * sent again.
	 */
	struct weir_timer	timer;
	/**
	 * @name: name of the targets that it serves as, or ""; never changes
	 * once it serves.
	 */
	char			name[WEIR_NAME_MAX + 1];
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
void weir_endpoint_get(struct weir_endpoint *ep);
void weir_endpoint_put(struct weir_endpoint *ep);
void weir_endpoint_set_payer(struct weir_endpoint *ep,
			     struct weir_account *account);
int weir_endpoint_call(struct weir_endpoint *ep, const char *path, u32 len,
		       u32 *handle);
void weir_deadline_arm(struct weir_endpoint *ep, u64 due_ns);
void weir_deadline_arm_lock(struct weir_endpoint *ep, u64 deadline_ns);
void weir_endpoint_arm(struct weir_endpoint *ep, u64 due_ns);
void weir_endpoint_handle_due(struct weir_endpoint *ep);
void weir_endpoint_retries(struct weir_endpoint *ep,
			   enum weir_dispatcher dispatcher);

/* teardown.c */
void weir_endpoint_close(struct weir_endpoint *ep);
bool weir_endpoint_end_part(struct weir_job *job);

#endif /* _WEIR_ENDPOINT_H */
