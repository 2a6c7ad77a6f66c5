// SPDX-License-Identifier: GPL-2.0
/*
 * Fan-out: a message to all targets of a route (policies all and quorum).
 *
 *   1. Space is claimed in the inbox of each target. Large copies are made
 *      after the section: for these, room is kept instead.
 *   2. A request enters calls: a parent, and a child for each target.
 *   3. The records are written and committed, or the copies are queued.
 *
 * In a section of a pass: see pass.h.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "logic/alloc.h"
#include "logic/calls.h"
#include "logic/policy.h"
#include "ring/ring.h"
#include "route/answer.h"
#include "route/call.h"
#include "route/copy.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/plan.h"
#include "route/record.h"
#include "route/request.h"
#include "route/target.h"
#include "weir.h"

/**
 * struct weir_branch - one target of a fan-out message
 * @target: the target; valid in this section.
 * @at: space in the target's inbox. While @kept is not 0, only its @inbox is
 *	set.
 * @kept: granules that are kept in the target's inbox for a later copy; 0: the
 *	space has been claimed. As in struct weir_copy.
 * @round: round of the target's breaker that let the request through, perhaps
 *	with WEIR_ROUND_SHARED. Not set for an event.
 * @call: the child call at this target; NULL: the message wants no answer.
 * @name: name of @call, or 0.
 *
 * Only the pass that allocated it reads and writes it, under dispatch_lock.
 */
struct weir_branch {
	struct weir_target	*target;
	struct weir_reservation	at;
	u32			kept;
	u32			round;
	struct weir_call_entry	*call;
	u64			name;
};

/*
 * Claims space at each target that takes the message. Targets that are routes,
 * and targets that the policy may not pick now, are passed over.
 *
 * @later: the copies are made after the section: keep room instead of claiming
 * space. @branches: out: the targets that take the message; the array has one
 * entry more than the plan has targets. @worst: out: reason of the last
 * refusal; not written if no target refuses. Returns the number of branches.
 */
static u32 weir_branches_claim(struct weir_endpoint *ep,
			       const struct weir_message *m,
			       const struct weir_plan *plan, bool later,
			       struct weir_branch *branches,
			       enum weir_reason *worst)
{
	bool answer = m->kind == WEIR_KIND_REQUEST;
	enum weir_reason reason;
	u32 i, n = 0;

	for (i = 0; i < plan->n; i++) {
		struct weir_branch *b = &branches[n];
		u32 one = 1;

		b->target = plan->targets[i];
		b->call = NULL;
		b->name = 0;
		b->kept = 0;
		if (b->target->next || !weir_pick_may(plan->pick, i, NULL))
			continue;
		reason = answer ? weir_target_admit(ep, plan, b->target, &one,
						    &b->round) :
				  weir_target_open(b->target);
		if (reason == WEIR_REASON_BULKHEAD)
			reason = weir_target_admit_share(ep, plan, b->target,
							 &one, &b->round);
		if (!reason) {
			reason = later ? weir_copy_keep(b->target, m, &b->at,
							&b->kept) :
					 weir_target_claim(b->target, m, &one,
							   &b->at);
			if (reason && answer)
				weir_target_dismiss(ep, plan, b->target, 1,
						    b->round);
		}
		if (reason)
			*worst = reason;
		else
			n++;
	}
	return n;
}

/* Good replies that a request needs. Targets that are drained do not count. */
static u32 weir_plan_quorum(const struct weir_plan *plan)
{
	return plan->quorum ?: plan->pick->n_weighted / 2 + 1;
}

/*
 * Enters the calls of a fan-out request: a parent, and a child for each branch.
 * They become visible together, since those that end calls take post.lock, too.
 *
 * @branches: in: @n of them, at least 1; out: their @call and @name.
 * @deadline_ns: when the request is given up, as ktime_get_ns() counts. The
 * caller has reserved @n answers and @n + 1 slots.
 */
static void weir_branches_enter(struct weir_endpoint *ep,
				const struct weir_message *m,
				const struct weir_plan *plan,
				struct weir_branch *branches, u32 n,
				u64 deadline_ns)
{
	struct weir_post *post = &ep->inbox->post;
	struct weir_call_entry *parent, *call;
	u32 i;

	ep->answers -= n;
	parent = weir_call_table_take(&ep->calls, false);
	parent->sibling = WEIR_CALL_NONE;
	parent->gather = !plan->pick->ops->quorum;
	parent->need = weir_plan_quorum(plan);
	parent->left = n;
	spin_lock(&post->lock);
	parent->state = WEIR_CALL_PARENT;
	for (i = 0; i < n; i++) {
		struct weir_branch *b = &branches[i];

		call = weir_call_table_take(&ep->calls, false);
		weir_call_fill(call, m->route, m->tag_key, deadline_ns);
		call->parent = parent->slot;
		call->sibling = parent->sibling;
		parent->sibling = call->slot;
		b->call = call;
		b->name = call->name;
		weir_call_set_sent(call, b->target, ep->pass.now_ns, b->kept ?
				   0 : b->at.pos + b->at.inbox->view.secret,
				   b->round);
	}
	weir_deadline_arm(ep, deadline_ns);
	smp_mb();
	/* a target that went meanwhile may not have found its call */
	for (i = 0; i < n; i++) {
		if (!READ_ONCE(branches[i].target->gone))
			continue;
		call = weir_call_table_find(&ep->calls, branches[i].name);
		if (call && call->state == WEIR_CALL_SENT)
			weir_call_lost(ep, call, WEIR_REASON_TARGET_DIED,
				       WEIR_GUARD_NONE);
	}
	/* no reply to these calls can wait yet, but their room is free again */
	weir_endpoint_unawaited(ep);
	spin_unlock(&post->lock);
}

/*
 * Memory for @n branches, or NULL. The sender's memory cgroup pays for it.
 * This does not sleep and does not use the memory reserves.
 */
static struct weir_branch *weir_branches_alloc(struct weir_endpoint *ep, u32 n)
{
	struct mem_cgroup *old = set_active_memcg(ep->memcg);
	struct weir_branch *branches;

	branches = kmalloc_array(n, sizeof(*branches), WEIR_GFP_NOWAIT);
	set_active_memcg(old);
	return branches;
}

/* Gives back what a branch has taken: the message is not sent. */
static void weir_branch_drop(struct weir_endpoint *ep,
			     const struct weir_message *m,
			     const struct weir_plan *plan,
			     struct weir_branch *b, bool later)
{
	if (m->kind == WEIR_KIND_REQUEST)
		weir_target_dismiss(ep, plan, b->target, 1, b->round);
	if (later)
		weir_copy_give(b->at.inbox, b->kept);
	else
		weir_reservation_abort(&b->at, weir_message_need(m));
}

/*
 * Sends a message to each target that takes it; of a route with the quorum
 * policy, a request only if enough targets take it.
 *
 * @ep: the sender's endpoint. @m: the message; of a batch, only the first one
 * is sent. @plan: of the route. @attempt: out: @sent is 1. Returns WEIR_WAIT
 * when the pass has to wait for the sender's own room (for attempt->answers
 * answers) or slots, or leaves the message to a worker.
 */
enum weir_outcome weir_send_fanout(struct weir_endpoint *ep,
				   const struct weir_message *m,
				   const struct weir_plan *plan,
				   struct weir_attempt *attempt)
{
	bool answer = m->kind == WEIR_KIND_REQUEST;
	struct weir_pass *pass = &ep->pass;
	struct weir_branch *branches;
	enum weir_reason worst = WEIR_REASON_NO_TARGET;
	u32 i, n, least = 1;
	bool later;

	if (answer && plan->n + 1 > ep->calls.most)
		return weir_attempt_refuse(attempt, WEIR_REASON_LIMIT);
	if (!weir_attempt_step(&ep->pass, attempt, plan->n * WEIR_STEPS_ASK))
		return weir_attempt_refuse(attempt, WEIR_REASON_TRIES);
	/* leave it to a worker before anything is taken from a target */
	later = (u64)plan->n * m->len > WEIR_PIECE_BYTES;
	if (later && weir_copy_left(pass, U32_MAX))
		return WEIR_WAIT;
	if (answer && !weir_endpoint_ready(ep, plan->n, plan->n + 1)) {
		if (ep->pass.no_slots && plan->n + 1 > ep->calls.size) {
			worst = ep->pass.no_slots;
			/* the message does not wait for slots */
			ep->pass.slots = 0;
			WRITE_ONCE(ep->waits_for_slot, false);
			return weir_attempt_refuse(attempt, worst);
		}
		attempt->answers = plan->n;
		return WEIR_WAIT;
	}
	branches = weir_branches_alloc(ep, plan->n + 1);
	if (branches && later &&
	    !weir_copies_reserve(pass, plan->n + WEIR_COPIES_OWN)) {
		kfree(branches);
		branches = NULL;
	}
	if (!branches)
		return weir_attempt_refuse(attempt, WEIR_REASON_NO_MEMORY);
	n = weir_branches_claim(ep, m, plan, later, branches, &worst);
	if (answer && plan->pick->ops->quorum)
		least = weir_plan_quorum(plan);
	if (n >= least)
		worst = WEIR_REASON_NONE;
	else if (n)
		worst = WEIR_REASON_QUORUM;
	if (!worst && answer)
		weir_branches_enter(ep, m, plan, branches, n,
				    attempt->deadline_ns);
	for (i = 0; i < n; i++) {
		struct weir_branch *b = &branches[i];

		if (worst) {
			weir_branch_drop(ep, m, plan, b, later);
			continue;
		}
		if (later)
			weir_copy_request(pass, &b->at, b->kept, m, b->call,
					  b->name, attempt->deadline_ns);
		else
			weir_reservation_request(&b->at, m, b->name,
						 attempt->deadline_ns);
		weir_pass_touch(pass, b->at.inbox);
		if (answer)
			weir_target_watch(b->target);
	}
	kfree(branches);
	if (later && !pass->ncopies)
		weir_copies_free(pass);
	attempt->sent = 1;
	return worst ? weir_attempt_refuse(attempt, worst) : WEIR_DELIVERED;
}
