// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Requests in flight, each with a callback: a table of slots. The low bits of a
 * request's tag are the number of its slot, so an answer finds its slot at once.
 * The bits above are a count, so the slot tells that a late answer is late.
 */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

/* Messages that one weir_calls_run() handles, at most. */
#define WEIR_CALLS_BATCH	64

/* Tag of a free slot: no request has it. */
#define WEIR_TAG_NONE		WEIR_TAG_CALL

/**
 * struct weir_slot - one call
 * @done: callback for the answer.
 * @arg: first argument of @done.
 * @tag: tag of the request; WEIR_TAG_NONE while the slot is free.
 * @next: number of the next free slot, while this one is free.
 */
struct weir_slot {
	void		(*done)(void *arg, int err, const struct weir_msg *msg);
	void		*arg;
	uint32_t	tag;
	uint32_t	next;
};

/**
 * struct weir_calls - a table of calls, see weir_route.h
 * @w: handle that sends the calls.
 * @max: number of slots.
 * @bits: low bits of a tag that hold the number of the slot.
 * @free: number of the first free slot; @max if there is none.
 * @pending: number of slots in use.
 * @unsent: a request was committed since the router was last told.
 * @ending: weir_calls_destroy() runs: no call is sent.
 * @slots: the slots.
 */
struct weir_calls {
	struct weir		*w;
	uint32_t		max;
	uint32_t		bits;
	uint32_t		free;
	uint32_t		pending;
	bool			unsent;
	bool			ending;
	struct weir_slot	slots[];
};

struct weir_calls *weir_calls_create(struct weir *w, uint32_t max)
{
	struct weir_calls *c;
	uint32_t i;

	if (!max || max > WEIR_CALLS_MAX) {
		weir_fail(-EINVAL, "a table of %u calls; 1 to %u may be", max,
			  WEIR_CALLS_MAX);
		return NULL;
	}
	c = weir_zalloc(sizeof(*c) + max * sizeof(c->slots[0]));
	if (!c)
		return NULL;
	c->w = w;
	c->max = max;
	while (1U << c->bits < max)
		c->bits++;
	for (i = 0; i < max; i++) {
		c->slots[i].tag = WEIR_TAG_NONE;
		c->slots[i].next = i + 1;
	}
	return c;
}

static void weir_slot_free(struct weir_calls *c, struct weir_slot *slot)
{
	slot->tag = WEIR_TAG_NONE;
	slot->next = c->free;
	c->free = (uint32_t)(slot - c->slots);
	c->pending--;
}

void weir_calls_destroy(struct weir_calls *c)
{
	uint32_t i;

	if (!c)
		return;
	c->ending = true;
	for (i = 0; c->pending && i < c->max; i++) {
		struct weir_slot *slot = &c->slots[i];

		if (slot->tag == WEIR_TAG_NONE)
			continue;
		weir_slot_free(c, slot);
		slot->done(slot->arg, -ECANCELED, NULL);
	}
	free(c);
}

int weir_calls_send(struct weir_calls *c, const struct weir_call *call,
		    const void *data, size_t len,
		    void (*done)(void *arg, int err,
				 const struct weir_msg *msg),
		    void *arg)
{
	uint32_t index = c->free;
	struct weir_call tagged;
	struct weir_buf buf;
	int err;

	/* The callback of this call would never run. */
	if (c->ending)
		return weir_fail(-ECANCELED, "the table of calls is ending");
	if (!call->one_way && index == c->max)
		return -EAGAIN;
	tagged = *call;
	tagged.tag = (c->w->calls_seq << c->bits | index) & ~WEIR_TAG_CALL;
	err = weir_call_claim(c->w, &tagged, len, &buf);
	if (err)
		return err;
	if (len)
		weir_copy(buf.data, data, len);
	weir_call_commit_more(c->w, &tagged, &buf);
	c->unsent = true;
	if (!call->one_way) {
		struct weir_slot *slot = &c->slots[index];

		c->w->calls_seq++;
		c->free = slot->next;
		c->pending++;
		slot->tag = tagged.tag;
		slot->done = done;
		slot->arg = arg;
	}
	return 0;
}

static int weir_calls_err(const struct weir_msg *msg)
{
	struct weir_refusal refusal;

	if (msg->kind == WEIR_KIND_REPLY)
		return 0;
	if (!weir_refusal_get(msg, &refusal))
		return -EREMOTEIO;
	return -weir_refusal_errno(refusal.reason);
}

int weir_calls_take(struct weir_calls *c, const struct weir_msg *msg)
{
	struct weir_slot *slot;
	uint32_t tag, index;

	if ((msg->kind != WEIR_KIND_REPLY && msg->kind != WEIR_KIND_ERROR) ||
	    !weir_msg_routed(msg))
		return 0;
	tag = weir_load(&msg->rec->tag);
	index = tag & ((1U << c->bits) - 1);
	if (index >= c->max || tag & WEIR_TAG_CALL)
		return 1;
	slot = &c->slots[index];
	if (slot->tag != tag)
		return 1;
	/* Free first, so that the callback may send another call. */
	if (!(weir_load(&msg->rec->flags) & WEIR_REC_MORE))
		weir_slot_free(c, slot);
	slot->done(slot->arg, weir_calls_err(msg), msg);
	return 1;
}

static void weir_calls_nothing(void *arg, int err, const struct weir_msg *msg)
{
	(void)arg;
	(void)err;
	(void)msg;
}

/* For a callback: further answers to this call are dropped. */
void weir_calls_drop(struct weir_calls *c, const struct weir_msg *msg)
{
	uint32_t tag = weir_load(&msg->rec->tag);
	struct weir_slot *slot = &c->slots[tag & ((1U << c->bits) - 1)];

	if (slot->tag == tag)
		slot->done = weir_calls_nothing;
}

/* Handles up to a batch of answers. Returns their number, or an error. */
static int weir_calls_handle(struct weir_calls *c)
{
	struct weir_msg msg;
	int n = 0, ret;

	while (n < WEIR_CALLS_BATCH) {
		ret = weir_peek(c->w, &msg);
		if (ret == 1 && !weir_calls_take(c, &msg))
			ret = weir_fail(-EBUSY,
					"the next message is one for weir_peek()");
		if (ret != 1)
			return n ? n : ret;
		weir_release(c->w, &msg);
		n++;
	}
	return n;
}

int weir_calls_run(struct weir_calls *c, int64_t timeout_ns)
{
	int ret = weir_calls_handle(c);

	if (!ret && timeout_ns != WEIR_DONTWAIT) {
		uint32_t kick = c->unsent ? WEIR_WAIT_KICK : 0;

		c->unsent = false;
		ret = weir_wait(c->w, WEIR_WAIT_IN | kick, 0, timeout_ns);
		if (ret > 0)
			ret = weir_calls_handle(c);
	}
	if (c->unsent) {
		c->unsent = false;
		weir_flush(c->w);
	}
	return ret;
}

uint32_t weir_calls_pending(const struct weir_calls *c)
{
	return c->pending;
}
