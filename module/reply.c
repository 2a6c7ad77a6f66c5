// SPDX-License-Identifier: GPL-2.0
/*
 * A reply on its way back: the call that it names is found, must have been sent
 * to the port that answers, and is over; the reply goes straight into the
 * caller's inbox. What names no such call is dropped and counted.
 *
 * Process context, under run_lock of the port that answers and
 * rcu_read_lock().
 */
#include "walk.h"

/* The caller that a call's name is of, or NULL. Under rcu_read_lock(). */
static struct weir_port *weir_run_caller(struct weir_port *port, u32 id)
{
	struct weir_port *caller = port->run.caller;

	if (likely(caller && caller->id == id))
		return caller;
	caller = xa_load(&port->wn->ports, id);
	port->run.caller = caller;
	return caller;
}

/**
 * weir_run_served() - account for good replies of a target
 * @run: the walk; it has summed them up.
 */
void weir_run_served(struct weir_run *run)
{
	struct weir_target *target = run->served;
	const struct weir_plan *plan = run->served_plan;

	if (!run->nserved)
		return;
	atomic_sub(run->nserved, &target->load.in_flight);
	if (plan && plan->has_breaker)
		weir_breaker_good(&target->breaker, &plan->breaker,
				  run->now_ns, run->served_round, run->nserved);
	target->replies += run->nserved;
	run->nserved = 0;
}

/* A reply that says more than that all is well. */
static noinline void weir_target_replied(struct weir_run *run,
					 struct weir_target *target,
					 const struct weir_plan *plan,
					 u32 round, bool good, u64 took_ns)
{
	weir_bulkhead_give(&target->load.in_flight, 1);
	if (plan && plan->has_breaker)
		weir_breaker_done(&target->breaker, &plan->breaker,
				  run->now_ns, round, good, took_ns);
	target->replies++;
	target->errors += !good;
}

/* What a reply says about the target that gave it. */
static __always_inline void weir_run_serve(struct weir_run *run,
					   struct weir_target *target,
					   u64 sent_ns, u32 round, bool good)
{
	s64 took_ns = run->now_ns - sent_ns;

	/* the walk that sent it may have begun after ours */
	if (took_ns < 0)
		took_ns = 0;
	if (unlikely(run->served != target || run->served_round != round)) {
		weir_run_served(run);
		run->served = target;
		run->served_round = round;
		run->served_plan = rcu_dereference(target->route->plan);
	}
	weir_hist_add(&target->hist, took_ns);
	if (likely(good && (!run->served_plan ||
			    took_ns <= run->served_plan->calm_ns)))
		run->nserved++;
	else
		weir_target_replied(run, target, run->served_plan, round, good,
				    took_ns);
}

/*
 * Is a call that failed to be sent again, and when? Under the caller's
 * post.lock.
 */
static bool weir_call_retry(struct weir_port *caller, struct weir_call *call,
			    const struct weir_plan *plan, u64 now_ns,
			    u32 random)
{
	u64 due;

	if (!call->held || !plan || call->attempt >= plan->retry.tries)
		return false;
	due = now_ns + weir_retry_delay_ns(&plan->retry, call->attempt + 1,
					   random);
	if (due >= call->deadline_ns)
		return false;
	call->state = WEIR_CALL_RETRY;
	call->target = NULL;
	call->sent_ns = due;
	if (due < caller->timer_ns)
		weir_port_timer(caller, due);
	return true;
}

/**
 * struct weir_back - a reply that has its space in the caller's inbox
 * @pos: of the record.
 * @seq: its record count.
 * @handle: the caller's.
 * @tag_key: of the request.
 */
struct weir_back {
	u64	pos;
	u32	seq;
	u32	handle;
	u64	tag_key;
};

/*
 * Good replies of a hand, all to one caller, as far as each ends a plain call
 * and there is room. Returns how many.
 */
static u32 weir_reply_hand(struct weir_port *port, struct weir_port *caller,
			   const struct weir_parcel *m, u32 n)
{
	struct weir_post *post = &caller->inbox->post;
	struct weir_back back[WEIR_HAND_MAX];
	struct weir_run *run = &port->run;
	u32 i, j;

	spin_lock(&post->lock);
	for (i = 0; i < n; i++) {
		u64 name = m[i].route | m[i].tag_key << 32;
		struct weir_back *b = &back[i];
		struct weir_target *target;
		struct weir_call *call;

		call = weir_calls_find(&caller->calls, weir_name_slot(name),
				       weir_name_gen(name));
		if (unlikely(!call || weir_call_state(call) != WEIR_CALL_SENT))
			break;
		target = call->target;
		if (unlikely(target->port != port || call->once ||
			     call->parent != WEIR_CALL_NONE))
			break;
		if (unlikely(!weir_inbox_claim(caller->inbox, m[i].total,
					       (u64)(post->kept - 1) *
					       WEIR_ANSWER_BYTES,
					       &b->pos, &b->seq)))
			break;
		b->handle = call->handle;
		b->tag_key = call->tag_key;
		post->kept--;
		weir_run_serve(run, target, call->sent_ns, call->round, true);
		weir_call_end(caller, call);
	}
	spin_unlock(&post->lock);
	for (j = 0; j < i; j++) {
		const struct weir_place at = {
			.inbox = caller->inbox,
			.pos = back[j].pos,
			.seq = back[j].seq,
		};

		weir_place_fill(&at, m[j].payload, m[j].len,
				(u64)WEIR_KIND_REPLY << WEIR_KIND_SHIFT,
				back[j].handle, back[j].tag_key, 0);
	}
	if (likely(i))
		weir_run_touch(run, caller->inbox);
	return i;
}

/*
 * A reply or an error from a target, to whoever called, in all its cases.
 * Returns 0 or WEIR_HELD.
 */
static noinline int weir_reply_one(struct weir_port *port,
				   struct weir_port *caller,
				   const struct weir_parcel *m)
{
	u64 name = m->route | m->tag_key << 32, sent_ns, tag_key;
	bool good = m->kind == WEIR_KIND_REPLY, fits;
	struct weir_run *run = &port->run;
	struct weir_target *target;
	struct weir_place at;
	struct weir_call *call;
	struct weir_post *post;
	u32 total, round, handle;
	int more = 0;
	u64 keep;

	total = weir_ring_need(m->len);
	post = &caller->inbox->post;
	spin_lock(&post->lock);
	call = weir_calls_find(&caller->calls, weir_name_slot(name),
			       weir_name_gen(name));
	if (unlikely(!call || weir_call_state(call) != WEIR_CALL_SENT ||
		     call->target->port != port)) {
		spin_unlock(&post->lock);
		goto late;
	}
	target = call->target;
	sent_ns = call->sent_ns;
	round = call->round;
	if (!good && weir_call_retry(caller, call,
				     rcu_dereference(target->route->plan),
				     run->now_ns, weir_run_random(port))) {
		spin_unlock(&post->lock);
		goto replied;
	}
	/* beyond the room kept for all other answers */
	keep = (u64)(post->kept - 1) * WEIR_ANSWER_BYTES;
	at.inbox = caller->inbox;
	fits = weir_inbox_claim(caller->inbox, total, keep, &at.pos, &at.seq);
	if (unlikely(!fits && post->reader && m->flags & WEIR_REC_WAIT &&
		     total + keep <= weir_ring_bytes(&caller->inbox->view))) {
		spin_unlock(&post->lock);
		return weir_run_hold(run, caller->inbox, total + keep);
	}
	handle = call->handle;
	tag_key = call->tag_key;
	post->kept--;
	if (unlikely(call->once) && good)
		weir_once_replied(call, m);
	if (unlikely(call->parent != WEIR_CALL_NONE))
		more = weir_call_child_done(caller, call, good);
	else
		weir_call_end(caller, call);
	if (unlikely(!fits)) {
		struct weir_fault fault = {
			.reason = m->len > weir_ring_max_len(&caller->inbox->view) ?
				  WEIR_REASON_TOO_LARGE : WEIR_REASON_INBOX_FULL,
			.guard = WEIR_GUARD_INBOX,
			.target = target->id,
		};

		if (more >= 0) {
			weir_port_fault(caller, handle, tag_key, more, &fault);
			weir_refused(target->route, (u32)tag_key,
				     &fault);
		}
	}
	spin_unlock(&post->lock);
	if (likely(fits)) {
		if (likely(more >= 0))
			weir_place_fill(&at, m->payload, m->len,
					(u64)m->kind << WEIR_KIND_SHIFT |
					(u64)more << WEIR_FLAGS_SHIFT,
					handle, tag_key, 0);
		else
			weir_place_abort(&at, total);
	}
	weir_run_touch(run, caller->inbox);
replied:
	weir_run_serve(run, target, sent_ns, round, good);
	return 0;

late:
	/* to what is answered already, or was never asked */
	this_cpu_inc(weir_drops[WEIR_REASON_LATE]);
	return 0;
}

/**
 * weir_route_reply() - route replies and errors of a target
 * @port: the target's.
 * @m: a hand of them: of one kind, flags and caller.
 * @n: how many, at least 1.
 *
 * Return: 0 when run.used of them, at least one, have been handed on or
 * dropped; WEIR_HELD: the walk has to wait.
 */
int weir_route_reply(struct weir_port *port, const struct weir_parcel *m, u32 n)
{
	struct weir_port *caller;
	u32 done;

	if (unlikely(!(m->route | (u32)m->tag_key)))
		return 0;	/* nobody wants it */
	caller = weir_run_caller(port, m->route & ((1U << WEIR_PORT_BITS) - 1));
	if (unlikely(!caller)) {
		this_cpu_inc(weir_drops[WEIR_REASON_LATE]);
		return 0;
	}
	if (likely(m->kind == WEIR_KIND_REPLY)) {
		done = weir_reply_hand(port, caller, m, n);
		if (likely(done)) {
			port->run.used = done;
			return 0;
		}
	}
	return weir_reply_one(port, caller, m);
}
