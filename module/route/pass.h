/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of a pass over an outbox. All steps that route a message share it.
 *
 *   router.c     the pass            request.c, fast.c, deliver.c, fanout.c
 *                                                a message to targets
 *   reply.c      a message back       answer.c    calls that end
 *   record.c     what is read         call.c      slots, and room for answers
 *
 * Unless a function says otherwise, it is called in a section: in process
 * context, under the dispatch_lock of the endpoint whose outbox is read, and
 * under rcu_read_lock_bh(). So it does not sleep. It takes locks that softirq
 * takes, too, by plain spin_lock(): BH are disabled once in a section, not once
 * for each lock. A grace period waits for the section, which so keeps plans,
 * targets and endpoints.
 *
 * Others wait for what a section does: for the commit of a claimed record, for
 * the wake-up of a sleeper. Without PREEMPT_RT the thread keeps its processor
 * until the section ends, but for interrupts. With PREEMPT_RT a thread of
 * higher priority may run meanwhile: BH that are disabled, RCU and the locks,
 * which sleep there, do not keep it off. The section goes on after that thread,
 * or at once on its behalf if it wants one of the locks.
 */
#ifndef _WEIR_PASS_H
#define _WEIR_PASS_H

#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/sizes.h>

#include "ring/ring.h"
#include "ring/wake.h"
#include "route/copy.h"
#include "route/dup_call.h"
#include "route/record.h"
#include "weir.h"

struct weir_plan;
struct weir_rate_limit;
struct weir_target;

/* A section ends after this many messages or bytes, so that others can run. */
#define WEIR_PASS_MESSAGES	64
#define WEIR_PASS_BYTES		SZ_64K

/* Inboxes that a section writes to before it wakes their readers. */
#define WEIR_DIRTY_INBOXES_MAX	16

/*
 * Steps that one message may take, on all routes that it goes through, and
 * after which a section ends. Nothing else runs on the processor meanwhile:
 * 5120 steps are some 100,000 instructions. The policy takes one step for each
 * target that it considers. To ask a target, or to go on to another route,
 * takes 8 steps. After 2048 steps the policy is not asked any more: the targets
 * that are left are asked in turn, so that all 256 targets of one route can be
 * asked.
 *
 * To wake the reader of an inbox takes 64 steps of the section. So a section
 * goes on if each of its messages has woken another reader, and ends after one
 * message that has woken those of 256. Readers that sleep in poll(2) on the
 * same processor take 900 instructions for one, and 2,100 each for 64. So the
 * 80 wake-ups of 5120 steps are 170,000 instructions at most.
 */
#define WEIR_STEPS_MAX		5120
#define WEIR_STEPS_PICKED	2048
#define WEIR_STEPS_ASK		8
#define WEIR_STEPS_WAKE		64

static_assert(WEIR_PASS_MESSAGES * WEIR_STEPS_WAKE < WEIR_STEPS_MAX);
static_assert((WEIR_TARGETS_MAX - WEIR_DIRTY_INBOXES_MAX) * WEIR_STEPS_WAKE >
	      WEIR_STEPS_MAX);

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
 *
 * Guarded by the endpoint's dispatch_lock.
 */
struct weir_pass {
	/**
	 * @now_ns: time at the start of the section, as ktime_get_ns() counts.
	 */
	u64			now_ns;
	/**
	 * @slots: free slots that the message in hand needs and did not find;
	 * 0: it found enough.
	 */
	u32			slots;
	/**
	 * @no_slots: enum weir_reason: why there will never be enough slots for
	 * the message in hand; WEIR_REASON_NONE: there may be. It is kept until
	 * that message is done, on all routes that the message tries: without
	 * it the message would wait for ever.
	 */
	enum weir_reason	no_slots;
	/**
	 * @ahead: messages at the start of the section, estimated by
	 * weir_pass_ahead().
	 */
	u32			ahead;
	/**
	 * @left: bytes of records that are not routed yet, the record in hand
	 * included.
	 */
	u64			left;
	/** @each: bytes of ring that the record in hand takes. */
	u64			each;
	/** @used: messages of the batch in hand that were sent or answered. */
	u32			used;
	/**
	 * @steps: steps that this section has taken, see WEIR_STEPS_MAX; for
	 * each look-up of a handle, its most steps.
	 */
	u32			steps;
	/**
	 * @dup: idempotency entry of the message in hand, which is the leader
	 * of its key; or NULL.
	 */
	struct weir_dup_call	*dup;
	/**
	 * @tokens: tokens of @rate_limit that were taken and are not used yet.
	 */
	u32			tokens;
	/** @rate_limit: the rate limit of @tokens; or NULL. */
	struct weir_rate_limit	*rate_limit;
	/**
	 * @token_cost: cost of each token in its user's share, for
	 * weir_rate_limit_give(); 0: the tokens are of no user's share.
	 */
	u64			token_cost;
	/**
	 * @caller: endpoint that the last reply names, or NULL; valid in this
	 * section.
	 */
	struct weir_endpoint	*caller;
	/**
	 * @served: target with good replies that are not accounted for yet, or
	 * NULL; valid in this section.
	 */
	struct weir_target	*served;
	/** @served_plan: plan of the route of @served; or NULL. */
	const struct weir_plan	*served_plan;
	/** @served_sent_ns: when the last of these requests was sent. */
	u64			served_sent_ns;
	/** @served_took_ns: time from there to the reply. */
	s64			served_took_ns;
	/** @served_bucket: bucket of that time in the target's histogram. */
	u32			served_bucket;
	/** @served_fast: that time is not above the slow threshold. */
	bool			served_fast;
	/**
	 * @served_round: round of the target's breaker when the requests were
	 * sent.
	 */
	u32			served_round;
	/** @nserved: number of these replies. */
	u32			nserved;
	/**
	 * @served_user: user of @caller, and of the caller before if that is
	 * NULL.
	 */
	u32			served_user;
	/**
	 * @open_plan: plan whose open breakers this section has counted last;
	 * or NULL.
	 */
	const struct weir_plan	*open_plan;
	/**
	 * @nopen: of @open_plan: breakers that are open for the owner's user,
	 * without those that weir_breaker_blames() the user.
	 */
	u32			nopen;
	/**
	 * @wait_for: inbox whose room the pass has to wait for, held; or NULL.
	 */
	struct weir_ring	*wait_for;
	/** @wait_bytes: room that it needs there; see weir_pass_wait(). */
	u64			wait_bytes;
	/** @dispatcher: the thread that routes. */
	enum weir_dispatcher	dispatcher;
	/**
	 * @left_over: the pass has stopped at a message that a worker has to
	 * route.
	 */
	bool			left_over;
	/**
	 * @copies: copies to make after the section: @own, or allocated; or
	 * NULL.
	 */
	struct weir_copy	*copies;
	/** @ncopies: used entries of @copies. */
	u32			ncopies;
	/** @copy_room: entries that @copies has room for. */
	u32			copy_room;
	/** @own: copies of a message to one target and to mirrors. */
	struct weir_copy	own[WEIR_COPIES_OWN];
	/**
	 * @replied: idempotency entry of the leader whose reply this section
	 * has delivered; or NULL.
	 */
	struct weir_dup_call	*replied;
	/** @replied_to: endpoint of that leader; held while @replied is set. */
	struct weir_endpoint	*replied_to;
	/** @digest: digest of the last large request with a key. */
	struct weir_dup_digest	digest;
	/** @reply: the reply, in the outbox. */
	struct weir_dup_payload	reply;
	/** @lens: bytes of payload of each message in the batch in hand. */
	u32			lens[WEIR_BATCH_MAX];
	/** @ends: position of the end of each record in the batch in hand. */
	u64			ends[WEIR_BATCH_MAX];
	/** @ndirty_inboxes: used entries of @dirty_inboxes. */
	u32			ndirty_inboxes;
	/**
	 * @dirty_inboxes: inboxes written to in this section, whose readers are
	 * not woken yet.
	 */
	struct weir_ring	*dirty_inboxes[WEIR_DIRTY_INBOXES_MAX];
};

/* Messages that are left if all are as long as this one; at least 1. */
static inline u32 weir_pass_ahead(const struct weir_pass *pass)
{
	return clamp_t(u64, pass->left / pass->each, 1, WEIR_PASS_MESSAGES);
}

/*
 * Must a worker copy a message because of its length, and does another thread
 * run this pass? Then the pass ends and leaves the message to a worker. @bytes:
 * bytes to be copied.
 */
static __always_inline bool weir_copy_left(struct weir_pass *pass, u64 bytes)
{
	if (likely(bytes <= WEIR_PIECE_BYTES) ||
	    pass->dispatcher == WEIR_DISPATCH_WORKER)
		return false;
	pass->left_over = true;
	return true;
}

/* Is there an entry in @copies for one more copy of a message? */
static inline bool weir_copy_fits(const struct weir_pass *pass, u32 len)
{
	return len <= WEIR_PIECE_BYTES || !pass->copies ||
	       pass->ncopies < pass->copy_room;
}

/* router.c */
void weir_pass_wake(struct weir_pass *pass);
void weir_pass_pause(struct weir_pass *pass);

/* The section wakes this inbox's reader when it ends. */
static __always_inline void weir_pass_touch(struct weir_pass *pass,
					    struct weir_ring *inbox)
{
	u32 i;

	for (i = pass->ndirty_inboxes; i-- > 0;) {
		if (pass->dirty_inboxes[i] == inbox)
			return;
	}
	if (pass->ndirty_inboxes == WEIR_DIRTY_INBOXES_MAX)
		weir_pass_wake(pass);
	pass->dirty_inboxes[pass->ndirty_inboxes++] = inbox;
}

/*
 * The pass waits with the message in hand until an inbox has room: @bytes more
 * than are kept free for answers then. U64_MAX: the pass does not wait for
 * room, but for a free slot. Returns WEIR_WAIT.
 */
static inline enum weir_outcome weir_pass_wait(struct weir_pass *pass,
					       struct weir_ring *inbox,
					       u64 bytes)
{
	if (!pass->wait_for) {
		weir_ring_get(inbox);
		pass->wait_for = inbox;
		pass->wait_bytes = bytes;
	}
	return WEIR_WAIT;
}

/* Forgets pass->wait_for: the pass need not wait, or is queued already. */
static inline void weir_pass_forget(struct weir_pass *pass)
{
	if (pass->wait_for)
		weir_ring_put(pass->wait_for);
	pass->wait_for = NULL;
}

/*
 * Wakes the reader of an inbox if it sleeps, in a section; the caller has
 * fenced: (C). Returns whether it seemed to sleep.
 */
static __always_inline bool weir_inbox_wake_fenced(struct weir_ring *inbox)
{
	if (!(READ_ONCE(weir_ring_status(inbox)->wake) & WEIR_WAKE_READERS))
		return false;
	weir_inbox_wake_reader(inbox);
	return true;
}

#endif /* _WEIR_PASS_H */
