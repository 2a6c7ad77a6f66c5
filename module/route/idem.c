// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of idem.h. A reply is remembered by the pass that brings it, after the
 * section. Those that wait for it are told by a work, because that may take long.
 *
 * Process context; weir_idem_leave() under post.lock of the caller's inbox.
 */
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "route/pass.h"

static void weir_idem_free(struct weir_idem *idem)
{
	if (idem->ep)
		weir_endpoint_put(idem->ep);
	weir_idem_set_put(idem->set);
	kfree(idem);
}

/* One that has waited gets the reply, or learns that there is none. */
static void weir_idem_deliver(struct weir_idem *idem,
			      const struct weir_dup_reply *reply)
{
	struct weir_endpoint *ep = idem->ep;
	struct weir_post *post = &ep->inbox->post;
	struct weir_fault fault = {
		.reason = WEIR_REASON_DUPLICATE,
		.guard = WEIR_GUARD_DUP,
	};
	struct weir_reservation at = { .inbox = ep->inbox };
	struct weir_call *call;
	bool fits = false;
	u32 handle = 0;
	u64 tag_key = 0;

	spin_lock(&post->lock);
	call = weir_calls_find(&ep->calls, idem->name);
	if (!call || weir_call_state(call) != WEIR_CALL_WAIT ||
	    call->idem != idem)
		goto out;	/* it has been answered otherwise */
	handle = call->handle;
	tag_key = call->tag_key;
	call->idem = NULL;
	post->kept--;
	if (reply) {
		fault.reason = WEIR_REASON_INBOX_FULL;
		fault.guard = WEIR_GUARD_INBOX;
		fits = weir_inbox_claim(ep->inbox, weir_ring_need(reply->len),
					(u64)post->kept * WEIR_ANSWER_BYTES,
					&at.pos, &at.seq);
	}
	weir_call_end(ep, call);
	if (!fits) {
		weir_endpoint_fault(ep, handle, tag_key, 0, &fault);
		weir_refused(NULL, (u32)tag_key, &fault);
	}
out:
	spin_unlock(&post->lock);
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

static void weir_idem_work(struct work_struct *work)
{
	struct weir_idem_set *set = container_of(work, struct weir_idem_set,
						 work);
	struct llist_node *over = llist_del_all(&set->over);
	struct weir_idem *idem, *next, *waiter, *later;

	llist_for_each_entry_safe(idem, next, over, link) {
		list_for_each_entry_safe(waiter, later, &idem->waiters,
					 waiter.link) {
			list_del(&waiter->waiter.link);
			weir_idem_deliver(waiter, idem->reply);
			weir_idem_free(waiter);
		}
		weir_dup_reply_put(idem->reply);
		weir_idem_free(idem);
		cond_resched();
	}
	weir_idem_set_put(set);
}

static void weir_idem_set_free(struct work_struct *work)
{
	struct weir_idem_set *set = container_of(work, struct weir_idem_set,
						 free);

	weir_dups_destroy(set->dups);
	weir_uncharge(&set->charge);
	kfree(set);
}

/**
 * weir_idem_set_create() - an empty table of keys
 * @ws: who sets it and pays for all that it may remember: nothing is charged for
 *	a message.
 * @window_ns: replies are remembered for so long.
 * @entries: keys that are.
 * @bytes: of replies that are.
 *
 * Return: the set, or an ERR_PTR with words.
 */
struct weir_idem_set *weir_idem_set_create(struct weir_sock *ws, u64 window_ns,
					   u32 entries, u32 bytes)
{
	struct weir_idem_set *set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
	struct weir_dups *dups;
	int err;

	if (!set)
		return ERR_PTR(weir_refuse(ws, -ENOMEM,
					   "no memory for idempotency keys"));
	err = weir_charge_sock(&set->charge, ws, sizeof(*set) +
			       weir_dups_most(entries, bytes), 0);
	if (err)
		goto err_free;
	dups = weir_dups_create(window_ns, entries, bytes, get_random_u32());
	if (IS_ERR(dups)) {
		err = weir_refuse(ws, PTR_ERR(dups),
				  "no memory for idempotency keys");
		goto err_uncharge;
	}
	set->dups = dups;
	refcount_set(&set->ref, 1);
	init_llist_head(&set->over);
	INIT_WORK(&set->work, weir_idem_work);
	INIT_WORK(&set->free, weir_idem_set_free);
	set->bytes = bytes;
	return set;

err_uncharge:
	weir_uncharge(&set->charge);
err_free:
	kfree(set);
	return ERR_PTR(err);
}

/* weir_idem_set_put() - any context; @set may be NULL */
void weir_idem_set_put(struct weir_idem_set *set)
{
	if (set && refcount_dec_and_test(&set->ref))
		queue_work(weir_router_wq, &set->free);
}

/* Those that waited for a first are told by a worker. Any context. */
static void weir_idem_tell(struct weir_idem *idem)
{
	struct weir_idem_set *set = idem->set;

	/* the work may put what the first holds, the last other, at once */
	refcount_inc(&set->ref);
	llist_add(&idem->link, &set->over);
	weir_work_queue(weir_router_wq, &set->work, &set->ref);
	weir_idem_set_put(set);
}

/**
 * weir_idem_complete() - a first has ended without a reply
 * @idem: it; not the caller's any more.
 *
 * Any context.
 */
void weir_idem_complete(struct weir_idem *idem)
{
	idem->reply = NULL;
	INIT_LIST_HEAD(&idem->waiters);
	/* now, so that a caller that hears of it and asks once more is a first */
	weir_dup_fail(idem->set->dups, idem->scope, idem->id, &idem->waiters);
	weir_idem_tell(idem);
}

/* A call that is ended has a key. */
void weir_idem_leave(struct weir_call *call)
{
	struct weir_idem *idem = call->idem;

	call->idem = NULL;
	if (!idem->waits)
		weir_idem_complete(idem);
	else if (weir_dup_unwait(idem->set->dups, idem->scope, idem->id,
				 &idem->waiter))
		weir_idem_free(idem);
}

/*
 * Room for the reply to a caller, in its memory cgroup; or NULL. The target's
 * thread neither frees what is of that cgroup nor pauses for it. Only where
 * another of the cgroup takes what was free a moment ago, one large reply is one
 * try at reclaim.
 */
static struct weir_dup_reply *
weir_idem_reply_create(const struct weir_idem *idem,
		       const struct weir_endpoint *caller,
		       const struct weir_idem_reply *r)
{
	struct weir_dup_reply *reply;
	gfp_t gfp = GFP_NOWAIT;
	struct mem_cgroup *old;

	if (r->len > idem->set->bytes)
		return NULL;
	/* what takes many pages cannot be had without sleeping */
	if (r->len > WEIR_PIECE_BYTES) {
		if (!weir_memory_free(caller->memcg, r->len + SZ_64K))
			return NULL;
		gfp = GFP_KERNEL | __GFP_NORETRY;
	}
	old = set_active_memcg(caller->memcg);
	reply = weir_dup_reply_create(r->kind, r->len,
				      gfp | __GFP_ACCOUNT | __GFP_NOWARN);
	set_active_memcg(old);
	return IS_ERR(reply) ? NULL : reply;
}

/**
 * weir_idem_remember() - the call of a first has had its reply, and is over
 * @idem: the first; not the caller's any more.
 * @caller: whose call it was; its memory cgroup pays, not that of who replies.
 * @r: the reply.
 *
 * Sleeps. Of one for which there is no room it is remembered that there was one:
 * its request is not done twice.
 */
void weir_idem_remember(struct weir_idem *idem, struct weir_endpoint *caller,
			const struct weir_idem_reply *r)
{
	struct weir_dup_reply *reply = weir_idem_reply_create(idem, caller, r);

	if (reply)
		weir_copy_pieces(reply->bytes, r->from, r->len);
	idem->reply = reply;
	INIT_LIST_HEAD(&idem->waiters);
	/* now: until then the key is one of those that its user has in flight */
	weir_dup_done(idem->set->dups, idem->scope, idem->id, ktime_get_ns(),
		      reply, &idem->waiters);
	weir_idem_tell(idem);
}

/* A call that waits for another's reply; false when there is no room for it. */
static bool weir_idem_wait(struct weir_endpoint *ep,
			   const struct weir_message *m, struct weir_idem *idem,
			   u64 deadline_ns)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_call *call;

	if (!weir_endpoint_ready(ep, 1, 1))
		return false;
	call = weir_calls_take(&ep->calls, false);
	ep->answers--;
	weir_call_fill(call, m->route, m->tag_key, deadline_ns);
	call->idem = idem;
	idem->name = call->name;
	spin_lock(&post->lock);
	call->state = WEIR_CALL_WAIT;
	weir_endpoint_timer(ep, deadline_ns);
	spin_unlock(&post->lock);
	return true;
}

/*
 * It need not wait: its slot is free again. Under dispatch_lock it is still
 * there.
 */
static void weir_idem_unwait(struct weir_endpoint *ep, struct weir_idem *idem)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_call *call;

	spin_lock(&post->lock);
	call = weir_calls_find(&ep->calls, idem->name);
	call->idem = NULL;
	post->kept--;
	weir_call_end(ep, call);
	spin_unlock(&post->lock);
}

/**
 * weir_idem_begin() - has a request with this key been made before?
 * @ep: the caller.
 * @m: the request.
 * @set: keys of its route.
 * @deadline_ns: when it is given up.
 * @reply: out: the reply of an earlier one, the caller's; or NULL.
 *
 * Return: WEIR_REASON_NONE: if there is no @reply and ep->pass.idem is set,
 * it is the first, and whoever sends it takes that over; without it, it waits
 * for the first's reply and nothing more is to be done. Otherwise WEIR_HELD or
 * a reason to refuse it.
 */
int weir_idem_begin(struct weir_endpoint *ep, const struct weir_message *m,
		    struct weir_idem_set *set, u64 deadline_ns,
		    struct weir_dup_reply **reply)
{
	struct weir_idem *idem = ep->idem_held;
	struct mem_cgroup *old;
	int ret;

	*reply = NULL;
	if (idem && idem->pos == m->pos) {
		ep->idem_held = NULL;
		ep->pass.idem = idem;
		return WEIR_REASON_NONE;
	}
	old = set_active_memcg(ep->memcg);
	idem = kzalloc(sizeof(*idem),
		       GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	set_active_memcg(old);
	if (!idem)
		return WEIR_REASON_NO_MEMORY;
	idem->scope = __kuid_val(ep->uid);
	idem->id = m->dup;
	idem->pos = m->pos;
	idem->set = set;
	refcount_inc(&set->ref);
	/* it is in the table before its call is: @waits says whose it is */
	idem->waits = true;
	idem->ep = ep;
	weir_endpoint_get(ep);
	if (!weir_idem_wait(ep, m, idem, deadline_ns)) {
		weir_idem_free(idem);
		return WEIR_HELD;
	}
	old = set_active_memcg(ep->memcg);
	ret = weir_dup_begin(set->dups,
			     __kuid_val(weir_account_user(ep->account)),
			     idem->scope, idem->id, ep->pass.now_ns,
			     &idem->waiter, reply);
	set_active_memcg(old);
	if (ret == WEIR_DUP_BUSY)
		return WEIR_REASON_NONE;
	weir_idem_unwait(ep, idem);
	if (ret == WEIR_DUP_NEW) {
		idem->waits = false;
		ep->pass.idem = idem;
		return WEIR_REASON_NONE;
	}
	weir_idem_free(idem);
	if (ret == WEIR_DUP_DONE)
		return WEIR_REASON_NONE;
	return ret == -ENOMEM ? WEIR_REASON_NO_MEMORY : WEIR_REASON_LIMIT;
}
