// SPDX-License-Identifier: GPL-2.0
/*
 * An instance: looks packages up by name. It answers in the order of asking,
 * out of a queue: one that is well has an empty queue at once, one that was made
 * late lets each request ripen in it, and reads its inbox all the while.
 */
#include <errno.h>
#include <string.h>

#include "kv.h"

#define LOOK_NS		((int64_t)(100 * MS))
#define RING_BYTES	(1U << 20)

/* More than can be in flight; those that were called off are among them. */
#define QUEUE_MAX	4096

/**
 * struct waiting - a request that is to be answered
 * @ticket: of the request, which has been released.
 * @id: of the request.
 * @due_ns: when.
 * @package: NULL: there is none of that name.
 */
struct waiting {
	struct weir_ticket	ticket;
	uint64_t		id;
	uint64_t		due_ns;
	const struct package	*package;
};

/**
 * struct instance - the state of this process
 * @p: our part in the run.
 * @number: of this instance.
 * @w: our socket.
 * @names: finds packages.
 * @first: requests answered so far.
 * @last: requests read so far.
 * @queue: those between them, by their number.
 */
struct instance {
	struct kv_instance	*p;
	uint32_t		number;
	struct weir		*w;
	struct index_names	names;
	uint32_t		first;
	uint32_t		last;
	struct waiting		queue[QUEUE_MAX];
};

static void take(struct instance *s, const struct weir_msg *msg)
{
	struct waiting *q = &s->queue[s->last++ % QUEUE_MAX];
	const struct kv_request *r = msg->data;
	bool late = __atomic_load_n(&s->p->late, __ATOMIC_RELAXED);

	q->ticket = weir_ticket(msg);
	q->id = 0;
	q->package = NULL;
	q->due_ns = late ? demo_now_ns() + KV_LATE_NS : 0;
	s->p->requests++;
	if (msg->len < sizeof(*r))
		return;
	q->id = r->id;
	q->package = index_find(&s->names, r->name, msg->len - sizeof(*r));
}

/* Reads all that is there, as far as the queue goes. */
static int take_all(struct instance *s)
{
	struct weir_msg msg;
	int ret = 0;

	while (s->last - s->first < QUEUE_MAX) {
		ret = weir_peek(s->w, &msg);
		if (ret != 1)
			break;
		if (msg.kind == WEIR_KIND_REQUEST)
			take(s, &msg);
		weir_release(s->w, &msg);
	}
	return ret < 0 ? actor_fail(&s->p->actor, "peek", ret) : 0;
}

static int answer(struct instance *s, const struct waiting *q)
{
	size_t len = KV_REPLY_LEAD + (q->package ? q->package->bytes : 0);
	uint8_t kind = q->package ? WEIR_KIND_REPLY : WEIR_KIND_ERROR;
	struct kv_reply *r;
	struct weir_buf buf;
	int err;

	err = weir_reply_claim(s->w, &q->ticket, len, &buf);
	if (err == -EAGAIN)
		err = weir_claim_wait(s->w, len, &buf, WEIR_FOREVER);
	if (err)
		return actor_fail(&s->p->actor, "reply", err);
	r = buf.data;
	r->id = q->id;
	r->instance = s->number;
	r->reserved = 0;
	r->check = 0;
	if (q->package) {
		memcpy(&r->package, q->package, q->package->bytes);
		r->check = kv_check(hash_words(q->package, q->package->bytes),
				    q->id, s->number);
	}
	s->p->replies++;
	s->p->unknown += !q->package;
	/* the router is told by the wait for more */
	weir_reply_commit_more(s->w, &q->ticket, kind, 0, &buf);
	return 0;
}

/* Answers what is due. Out: how long until the next one is. */
static int answer_due(struct instance *s, int64_t *left_ns)
{
	*left_ns = LOOK_NS;
	while (s->first != s->last) {
		const struct waiting *q = &s->queue[s->first % QUEUE_MAX];
		uint64_t now = q->due_ns ? demo_now_ns() : 0;

		if (q->due_ns > now) {
			*left_ns = (int64_t)(q->due_ns - now);
			return 0;
		}
		if (answer(s, q))
			return -1;
		s->first++;
	}
	return 0;
}

static int serve(struct instance *s)
{
	int64_t left_ns;
	int ret;

	while (!actor_leaves(&s->p->actor)) {
		if (take_all(s) || answer_due(s, &left_ns))
			return -1;
		ret = weir_wait(s->w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, left_ns);
		if (ret < 0 && ret != -EINTR)
			return actor_fail(&s->p->actor, "wait", ret);
	}
	return 0;
}

int kv_instance_run(struct kv *k, uint32_t number)
{
	static struct instance s;
	struct weir_config config = { .ring_bytes = RING_BYTES };
	int err;

	s.p = &k->shared->instance[number];
	s.number = number;
	if (index_names_make(&s.names, &k->index))
		return actor_fail(&s.p->actor, "out of memory", 0);
	err = weir_open(&s.w, SOCK_RDM, &config);
	if (err)
		return actor_fail(&s.p->actor, "socket", err);
	err = weir_serve(s.w, KV_PATH, 1, &s.p->target);
	if (err) {
		err = actor_fail(&s.p->actor, KV_PATH, err);
	} else {
		actor_set_state(&s.p->actor, ACTOR_READY);
		err = serve(&s);
	}
	weir_close(s.w);
	index_names_free(&s.names);
	return err;
}
