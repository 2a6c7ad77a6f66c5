// SPDX-License-Identifier: GPL-2.0
/*
 * What new calls of an endpoint need: slots, and room for their answers. See
 * call.h.
 */
#include <linux/minmax.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/calls.h"
#include "ring/ring.h"
#include "route/call.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/request.h"
#include "weir.h"

/**
 * weir_endpoint_reserve() - reserve room for answers, and slots, for calls
 * @ep: the caller.
 * @least: granules that are needed; more if there is room, for those ahead.
 *
 * They stay reserved until calls use them, or the section ends. Return: false
 * when there is no room for @least. Does not sleep.
 */
bool weir_endpoint_reserve(struct weir_endpoint *ep, u32 least)
{
	/* not more than an eighth, so that larger replies find room, too */
	u32 most = min_t(u64, weir_ring_bytes(&ep->inbox->view) /
			      (8 * WEIR_ANSWER_BYTES), U32_MAX);

	return weir_endpoint_reserve_some(
		ep, least, max(least, min(most, weir_pass_ahead(&ep->pass))));
}

/**
 * weir_endpoint_slots() - are there free slots for calls?
 * @ep: the caller.
 * @n: slots that are needed.
 *
 * Return: false when there are not, and the pass has to wait. It goes on when
 * there are more (weir_endpoint_more()), or when a call ends.
 */
bool weir_endpoint_slots(struct weir_endpoint *ep, u32 n)
{
	struct weir_post *post = &ep->inbox->post;

	if (likely(ep->calls.nlocal >= n))
		return true;
	spin_lock(&post->lock);
	weir_call_table_refill(&ep->calls);
	WRITE_ONCE(ep->waits_for_slot, ep->calls.nlocal < n);
	spin_unlock(&post->lock);
	/* calls in the queue may have ended before @waits_for_slot was set */
	weir_call_table_prune(&ep->calls);
	WRITE_ONCE(ep->waits_for_slot, ep->calls.nlocal < n);
	if (ep->waits_for_slot)
		ep->pass.slots = n;
	return !ep->waits_for_slot;
}

/*
 * Adds a chunk of slots for calls. The first chunk was charged with the
 * endpoint. May sleep. Returns WEIR_REASON_NONE, or why there is no more.
 */
static enum weir_reason weir_endpoint_grow(struct weir_endpoint *ep)
{
	u64 bytes = ep->calls.size ? WEIR_CALLS_CHUNK_BYTES : 0;
	struct weir_call_entry *chunk;
	struct mem_cgroup *old;
	const char *why;
	bool taken;

	if (ep->calls.size >= ep->calls.most ||
	    weir_charge_account(&ep->charge, ep->account, bytes, 0, "",
				&why))
		return WEIR_REASON_LIMIT;
	/* the endpoint's cgroup pays, in a worker, too */
	old = set_active_memcg(ep->memcg);
	chunk = weir_call_table_grow_alloc();
	set_active_memcg(old);
	if (!chunk) {
		weir_uncharge_some(&ep->charge, bytes, 0);
		return WEIR_REASON_NO_MEMORY;
	}
	spin_lock_bh(&ep->inbox->post.lock);
	taken = weir_call_table_grow(&ep->calls, chunk);
	spin_unlock_bh(&ep->inbox->post.lock);
	if (WARN_ON_ONCE(!taken)) {
		kfree(chunk);
		weir_uncharge_some(&ep->charge, bytes, 0);
	}
	return WEIR_REASON_NONE;
}

/*
 * weir_endpoint_more() - add slots for calls
 *
 * A message found too few slots. Adds as many as there are, or as many as the
 * message needs. May sleep. Returns whether to try the message again: there are
 * more slots, or the message is to be refused, as there will never be enough.
 */
bool weir_endpoint_more(struct weir_endpoint *ep)
{
	u32 slots = ep->pass.slots, size = ep->calls.size;
	u32 want = max(size, slots), n;
	enum weir_reason reason = WEIR_REASON_NONE;

	ep->pass.slots = 0;
	for (n = 0; n < want && !reason; n += WEIR_CALLS_CHUNK)
		reason = weir_endpoint_grow(ep);
	/* enough slots get free when calls end, or are added at a later kick */
	ep->pass.no_slots = slots > max(ep->calls.size, 1U) ?
			     reason : WEIR_REASON_NONE;
	return ep->calls.size > size || ep->pass.no_slots;
}
