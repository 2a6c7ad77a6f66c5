// SPDX-License-Identifier: GPL-2.0
/*
 * Idempotency entries and their calls; see dup_call.h. The pass that brings a
 * reply remembers it, after its section. A worker then delivers the reply to
 * the followers, since that may take long.
 *
 * Process context; weir_dup_call_leave() under post.lock of the caller's inbox.
 */
#include <linux/once.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/siphash.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/calls.h"
#include "logic/dup.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/copy.h"
#include "route/dup_call.h"
#include "route/endpoint.h"
#include "route/record.h"
#include "route/request.h"
#include "tenant.h"
#include "weir.h"

/*
 * The key of digests: for as long as the module is loaded. So nobody can make
 * two payloads with the same digest on purpose. Never changes once there is a
 * set of keys.
 */
static siphash_key_t weir_dup_digest_key;

static void weir_dup_call_free(struct weir_dup_call *dup)
{
	weir_dup_set_put(dup->set);
	weir_endpoint_put(dup->ep);
	kfree(dup);
}

/*
 * Ends the call of a follower with a copy of the leader's reply. The caller
 * gets an error instead if there is no reply (@reply is NULL), or no room for
 * it. May sleep.
 */
static void weir_dup_call_deliver(struct weir_dup_call *dup,
				  const struct weir_dup_reply *reply)
{
	struct weir_endpoint *ep = dup->ep;
	struct weir_post *post = &ep->inbox->post;
	struct weir_refusal refusal = {
		.reason = WEIR_REASON_DUPLICATE,
		.guard = WEIR_GUARD_DUP,
	};
	struct weir_reservation at = { .inbox = ep->inbox };
	struct weir_call_entry *call;
	bool fits = false;
	u32 handle = 0;
	u64 tag_key = 0;

	spin_lock_bh(&post->lock);
	call = weir_call_table_find(&ep->calls, dup->name);
	if (!call || weir_call_state(call) != WEIR_CALL_WAIT ||
	    call->dup != dup)
		goto out;	/* the call has ended already */
	handle = call->handle;
	tag_key = call->tag_key;
	call->dup = NULL;
	post->kept--;
	if (reply) {
		refusal.reason = WEIR_REASON_INBOX_FULL;
		refusal.guard = WEIR_GUARD_INBOX;
		fits = weir_inbox_claim(ep->inbox, weir_ring_need(reply->len),
					(u64)post->kept * WEIR_ANSWER_BYTES,
					&at.pos, &at.seq);
	}
	weir_call_end(ep, call);
	if (!fits) {
		weir_endpoint_refusal(ep, handle, tag_key, 0, &refusal);
		weir_refused(NULL, (u32)tag_key, &refusal);
	}
out:
	spin_unlock_bh(&post->lock);
	if (fits) {
		weir_copy_pieces((u8 *)(weir_ring_at(&ep->inbox->view,
						     at.pos) + 1),
				 reply->bytes, reply->len);
		weir_reservation_show(&at, reply->len,
				      (u64)reply->kind << WEIR_KIND_SHIFT,
				      handle, tag_key, 0);
	}
	weir_inbox_wake(ep->inbox);
}

/*
 * weir_dup_call.deliver: delivers the reply of a leader that has ended to its
 * followers, of which there are WEIR_DUP_FOLLOWERS_MAX at most, and frees the
 * leader. Returns false: there is no more.
 */
static bool weir_dup_call_deliver_part(struct weir_job *job)
{
	struct weir_dup_call *dup = container_of(job, struct weir_dup_call,
						 deliver);
	struct weir_dup_call *each, *next;

	list_for_each_entry_safe(each, next, &dup->followers, follower.link) {
		list_del(&each->follower.link);
		weir_dup_call_deliver(each, dup->reply);
		weir_dup_call_free(each);
		cond_resched();
	}
	weir_dup_reply_put(dup->reply);
	weir_dup_call_free(dup);
	return false;
}

/* weir_dup_set.free: the last reference has been put. */
static void weir_dup_set_free(struct work_struct *work)
{
	struct weir_dup_set *set = container_of(work, struct weir_dup_set,
						free);
	struct weir_net *wn = set->wn;

	weir_dups_destroy(set->dups);
	weir_uncharge(&set->charge);
	kfree(set);
	weir_net_put(wn);
}

/**
 * weir_dup_set_create() - make an empty set of keys for a route
 * @o: owner that makes the setting. Its user pays at once for all memory that
 *	the set may ever take; nothing is charged for a single message.
 * @window_ns: time for which replies are remembered, in ns.
 * @entries: size of the table: keys.
 * @bytes: size of the table: bytes of replies.
 *
 * May sleep. Return: the set, with a reference of the caller's; or an ERR_PTR,
 * and @o has the words of the error.
 */
struct weir_dup_set *weir_dup_set_create(struct weir_owner *o, u64 window_ns,
					 u32 entries, u32 bytes)
{
	struct weir_dup_set *set = kzalloc(sizeof(*set), WEIR_GFP);
	struct weir_dups *dups;
	int err;

	if (!set)
		return ERR_PTR(weir_owner_refuse(o, -ENOMEM,
						 "no memory for idempotency keys"));
	get_random_once(&weir_dup_digest_key, sizeof(weir_dup_digest_key));
	err = weir_charge_owner(&set->charge, o, sizeof(*set) +
				weir_dups_most(entries, bytes), 0);
	if (err)
		goto err_free;
	dups = weir_dups_create(window_ns, entries, bytes, get_random_u32());
	if (IS_ERR(dups)) {
		err = weir_owner_refuse(o, PTR_ERR(dups),
					"no memory for idempotency keys");
		goto err_uncharge;
	}
	set->dups = dups;
	refcount_set(&set->ref, 1);
	INIT_WORK(&set->free, weir_dup_set_free);
	set->bytes = bytes;
	set->wn = o->wn;
	weir_net_get(set->wn);
	return set;

err_uncharge:
	weir_uncharge(&set->charge);
err_free:
	kfree(set);
	return ERR_PTR(err);
}

/*
 * weir_dup_set_put() - put a reference on a set; the last put has it freed
 *
 * @set: the set, or NULL. Any context.
 */
void weir_dup_set_put(struct weir_dup_set *set)
{
	if (set && refcount_dec_and_test(&set->ref))
		queue_work(weir_router_wq, &set->free);
}

/*
 * Has the worker of the leader's user deliver to the followers of a leader that
 * has ended. The leader belongs to that worker then. Does not sleep.
 */
static void weir_dup_call_tell(struct weir_dup_call *dup)
{
	dup->deliver.part = weir_dup_call_deliver_part;
	weir_jobs_add(&dup->ep->tenant->deliver, &dup->deliver);
}

/**
 * weir_dup_call_complete() - end a leader without a reply
 * @dup: the leader; it does not belong to the caller any more.
 *
 * The key is free again, and the followers get an error. Process context; does
 * not sleep.
 */
void weir_dup_call_complete(struct weir_dup_call *dup)
{
	dup->reply = NULL;
	INIT_LIST_HEAD(&dup->followers);
	/* at once: a caller that learns of it and asks again is a leader */
	weir_dup_fail(dup->set->dups, dup->scope, dup->id, &dup->followers);
	weir_dup_call_tell(dup);
}

/*
 * weir_dup_call_leave() - a call with an idempotency entry ends
 *
 * @call: the call, under post.lock of the caller's inbox. A leader ends without
 * a reply. A follower waits no longer; if a worker has the follower already,
 * the worker frees it.
 */
void weir_dup_call_leave(struct weir_call_entry *call)
{
	struct weir_dup_call *dup = call->dup;

	call->dup = NULL;
	if (!dup->follows)
		weir_dup_call_complete(dup);
	else if (weir_dup_unfollow(dup->set->dups, dup->scope, dup->id,
				   &dup->follower))
		weir_dup_call_free(dup);
}

/*
 * Memory for the leader's reply, charged to the caller's memory cgroup; or
 * NULL. The target's thread, which runs this, shall not reclaim memory of the
 * caller's cgroup, or be slowed down for it. So memory for a large reply is
 * allocated only if the cgroup has it free. If another task of the cgroup takes
 * that memory first, the thread makes one attempt at reclaim.
 */
static struct weir_dup_reply *
weir_dup_payload_copy(const struct weir_dup_call *dup,
		      const struct weir_endpoint *caller,
		      const struct weir_dup_payload *r)
{
	struct weir_dup_reply *reply;
	gfp_t gfp = WEIR_GFP_NOWAIT;
	struct mem_cgroup *old;

	if (r->len > dup->set->bytes)
		return NULL;
	/* many pages cannot be allocated without sleeping */
	if (r->len > WEIR_PIECE_BYTES) {
		if (!weir_memory_free(caller->memcg, r->len + SZ_64K))
			return NULL;
		gfp = GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN;
	}
	old = set_active_memcg(caller->memcg);
	reply = weir_dup_reply_create(r->kind, r->len, gfp);
	set_active_memcg(old);
	return IS_ERR(reply) ? NULL : reply;
}

/**
 * weir_dup_call_remember() - remember the reply of a leader, whose call is over
 * @dup: the leader; it does not belong to the caller any more.
 * @caller: endpoint of the leader's call. Its memory cgroup pays for the copy
 *	of the reply; that of the target does not.
 * @r: the reply.
 *
 * The followers get the reply from a worker. If there is no room for the reply,
 * the table still remembers that there was one: later requests with this key
 * are refused, and not sent again. May sleep.
 */
void weir_dup_call_remember(struct weir_dup_call *dup,
			    struct weir_endpoint *caller,
			    const struct weir_dup_payload *r)
{
	struct weir_dup_reply *reply = weir_dup_payload_copy(dup, caller, r);

	if (reply)
		weir_copy_pieces(reply->bytes, r->from, r->len);
	dup->reply = reply;
	INIT_LIST_HEAD(&dup->followers);
	/* at once: until then the key counts as in flight for its user */
	weir_dup_done(dup->set->dups, dup->scope, dup->id, ktime_get_ns(),
		      reply, &dup->followers);
	weir_dup_call_tell(dup);
}

/*
 * Begins the call of a follower: @call, which is in state RETRY and not queued,
 * or a new one if @call is NULL. @deadline_ns: when a new one is given up.
 * Returns false when the caller's inbox has no room for the answer, or when
 * there is no slot.
 */
static bool weir_dup_call_wait(struct weir_endpoint *ep,
			       const struct weir_message *m,
			       struct weir_call_entry *call,
			       struct weir_dup_call *dup, u64 deadline_ns)
{
	struct weir_post *post = &ep->inbox->post;

	if (!call && !weir_endpoint_ready(ep, 1, 1))
		return false;
	if (!call) {
		call = weir_call_table_take(&ep->calls, false);
		ep->answers--;
		weir_call_fill(call, m->route, m->tag_key, deadline_ns);
	}
	call->dup = dup;
	dup->name = call->name;
	spin_lock(&post->lock);
	call->state = WEIR_CALL_WAIT;
	weir_deadline_arm(ep, call->deadline_ns);
	spin_unlock(&post->lock);
	return true;
}

/*
 * The call of a follower need not wait: it is as it was (@again), or its slot
 * is freed. The call is still there: dispatch_lock is held, and the follower is
 * not in the table.
 */
static void weir_dup_call_unwait(struct weir_endpoint *ep,
				 struct weir_dup_call *dup, bool again)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_call_entry *call;

	spin_lock(&post->lock);
	call = weir_call_table_find(&ep->calls, dup->name);
	call->dup = NULL;
	if (again) {
		call->state = WEIR_CALL_RETRY;
	} else {
		post->kept--;
		weir_call_end(ep, call);
	}
	spin_unlock(&post->lock);
}

static u64 weir_dup_hash(const u8 *from, u32 len)
{
	return siphash(from, len, &weir_dup_digest_key);
}

/**
 * weir_dup_digest_make() - digest a large payload
 * @d: d->from and d->len; out: the digest. The outbox still has the payload.
 *
 * May sleep.
 */
void weir_dup_digest_make(struct weir_dup_digest *d)
{
	u64 digest = d->len;
	u32 at, n;

	for (at = 0; at < d->len; at += n) {
		n = min_t(u32, d->len - at, WEIR_PIECE_BYTES);
		digest = siphash_2u64(digest, weir_dup_hash(d->from + at, n),
				      &weir_dup_digest_key);
		cond_resched();
	}
	d->digest = digest;
	d->from = NULL;
}

/*
 * The digest of a request's payload. Returns false if it is to be made after
 * the section.
 */
static bool weir_dup_digest(struct weir_dup_digest *d,
			    const struct weir_message *m, u64 *digest)
{
	if (m->len <= WEIR_PIECE_BYTES) {
		*digest = weir_dup_hash(m->payload, m->len);
		return true;
	}
	*digest = d->digest;
	if (d->pos == m->pos)
		return true;
	d->pos = m->pos;
	d->from = m->payload;
	d->len = m->len;
	return false;
}

/**
 * weir_dup_call_begin() - find out whether a request is the first of its key
 * @ep: the caller's endpoint.
 * @m: the request, which has a key.
 * @call: its call, which has waited for a route: in state RETRY, and not in
 *	weir_call_table.retries; or NULL. The call of a follower goes on to wait
 *	for the leader's reply.
 * @set: keys of its route.
 * @deadline_ns: when the request is given up, as ktime_get_ns() counts; without
 *	@call.
 * @reply: out: WEIR_ROLE_ANSWERED: the leader's reply, with a reference of the
 *	caller's; else NULL.
 *
 * Does not sleep. The step that sends a leader takes ep->pass.dup over.
 *
 * Return: what the request is.
 */
enum weir_dup_role weir_dup_call_begin(struct weir_endpoint *ep,
				       const struct weir_message *m,
				       struct weir_call_entry *call,
				       struct weir_dup_set *set,
				       u64 deadline_ns,
				       struct weir_dup_reply **reply)
	__must_hold(&ep->dispatch_lock)
{
	struct weir_dup_call *dup = ep->blocked_dup;
	struct weir_dup_key key = {
		.uid = __kuid_val(weir_account_user(ep->account)),
		.scope = __kuid_val(ep->uid),
		.id = m->dup,
	};
	struct mem_cgroup *old;
	enum weir_dup_state state;

	lockdep_assert_held(&ep->dispatch_lock);
	*reply = NULL;
	if (dup && dup->pos == m->pos) {
		ep->blocked_dup = NULL;
		ep->pass.dup = dup;
		return WEIR_ROLE_LEADER;
	}
	if (!weir_dup_digest(&ep->pass.digest, m, &key.digest))
		return WEIR_ROLE_DIGEST;
	old = set_active_memcg(ep->memcg);
	dup = kzalloc(sizeof(*dup), WEIR_GFP_NOWAIT);
	set_active_memcg(old);
	if (!dup)
		return WEIR_ROLE_NO_MEMORY;
	dup->scope = key.scope;
	dup->id = key.id;
	dup->pos = m->pos;
	dup->set = set;
	refcount_inc(&set->ref);
	/* the call is entered first: then a worker may deliver at once */
	dup->follows = true;
	dup->ep = ep;
	weir_endpoint_get(ep);
	if (!weir_dup_call_wait(ep, m, call, dup, deadline_ns)) {
		weir_dup_call_free(dup);
		return WEIR_ROLE_NO_ROOM;
	}
	old = set_active_memcg(ep->memcg);
	state = weir_dup_begin(set->dups, &key, ep->pass.now_ns,
			       &dup->follower, reply);
	set_active_memcg(old);
	if (state == WEIR_DUP_BUSY)
		return WEIR_ROLE_FOLLOWER;
	weir_dup_call_unwait(ep, dup, call);
	if (state == WEIR_DUP_NEW) {
		dup->follows = false;
		ep->pass.dup = dup;
		return WEIR_ROLE_LEADER;
	}
	weir_dup_call_free(dup);
	if (state == WEIR_DUP_DONE)
		return WEIR_ROLE_ANSWERED;
	if (state == WEIR_DUP_OTHER)
		return WEIR_ROLE_OTHER;
	return state == WEIR_DUP_NO_MEMORY ? WEIR_ROLE_NO_MEMORY :
					     WEIR_ROLE_LIMIT;
}
