// SPDX-License-Identifier: GPL-2.0
/*
 * A caller: keeps a window of requests in flight, each for a package drawn by
 * Zipf's law, and checks every byte of what comes back against the index.
 *
 * It keeps its own table of what is in flight, not struct weir_calls, which
 * passes over a second answer in silence: here it would be counted. A tag is
 * used once, so an answer is either to a request that is open or one too many.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"
#include "random.h"
#include "zipf.h"

#define LOOK_NS		((int64_t)(100 * MS))

/* After a refusal; the router need not hear from us at once. */
#define REST_NS		(2 * MS)

/* At the end, for the last answers: more than any deadline. */
#define DRAIN_NS	(20 * SECOND)

/* Of the records in it, the oldest that is not answered keeps the others. */
#define RING_BYTES	(1U << 18)

/**
 * struct slot - one request of the window
 * @tag: of the request that is open, or will be.
 * @open: it is not answered.
 * @phase: in which it was sent.
 * @sent_ns: when.
 * @rest_ns: when the slot may be used again.
 * @want: what was asked for.
 */
struct slot {
	uint32_t		tag;
	bool			open;
	uint32_t		phase;
	uint64_t		sent_ns;
	uint64_t		rest_ns;
	const struct package	*want;
};

/**
 * struct caller - the state of this process
 * @k, @p: the run, and our part in it.
 * @number: of this caller.
 * @w: our socket.
 * @call: how requests are sent.
 * @zipf: which rank is asked for.
 * @ranked: the packages by rank.
 * @random: state of a generator.
 * @hash: of each package.
 * @open: requests in flight.
 * @slot: the window.
 */
struct caller {
	struct kv		*k;
	struct kv_caller	*p;
	uint32_t		number;
	struct weir		*w;
	struct weir_call	call;
	struct zipf		zipf;
	uint32_t		*ranked;
	uint64_t		random;
	uint64_t		*hash;
	uint32_t		open;
	struct slot		slot[KV_WINDOW];
};

static uint64_t request_id(const struct caller *c, uint32_t tag)
{
	return (uint64_t)(c->number + 1) << 32 | tag;
}

static uint64_t id_hash(uint64_t id)
{
	return hash_words(&id, sizeof(id));
}

/* --- asking --- */

/* Which packages are popular is a matter of chance, the same for all callers. */
static int rank_packages(struct caller *c)
{
	const struct index *index = &c->k->index;
	uint32_t n = 0, i, j, other, total = index->header->npackages;
	uint64_t random = RANDOM_SEED;
	struct index_names names;

	c->ranked = calloc(total, sizeof(*c->ranked));
	c->hash = calloc(total, sizeof(*c->hash));
	if (!c->ranked || !c->hash || index_names_make(&names, index))
		return -1;
	for (i = 0; i < total; i++) {
		const struct package *p = index_package(index, i);

		c->hash[i] = hash_words(p, p->bytes);
		/* a name that is there twice stands for its first package */
		if (index_find(&names, package_string(p, PACKAGE_NAME),
			       p->string[PACKAGE_NAME].length) == p)
			c->ranked[n++] = i;
	}
	index_names_free(&names);
	/* a shuffle (R. A. Fisher and F. Yates; R. Durstenfeld, 1964) */
	for (i = n; i > 1; i--) {
		j = random_below(&random, i);
		other = c->ranked[j];
		c->ranked[j] = c->ranked[i - 1];
		c->ranked[i - 1] = other;
	}
	return zipf_make(&c->zipf, n);
}

/* 0, or -EAGAIN when there is no room for the request. */
static int ask(struct caller *c, struct slot *s)
{
	uint32_t rank = zipf_draw(&c->zipf, &c->random);
	struct kv_request *r;
	struct weir_buf buf;
	size_t len;
	int err;

	s->want = index_package(&c->k->index, c->ranked[rank]);
	len = s->want->string[PACKAGE_NAME].length;
	s->phase = __atomic_load_n(&c->k->shared->phase, __ATOMIC_ACQUIRE);
	s->sent_ns = demo_now_ns();
	c->call.tag = s->tag;
	if (c->number == KV_HASTY)
		c->call.deadline_ns = s->sent_ns + KV_HASTY_NS;
	err = weir_call_claim(c->w, &c->call, sizeof(*r) + len, &buf);
	if (err)
		return err;
	r = buf.data;
	r->id = request_id(c, s->tag);
	memcpy(r->name, package_string(s->want, PACKAGE_NAME), len);
	s->open = true;
	c->open++;
	c->p->sent[s->phase]++;
	c->p->sent_sum += id_hash(r->id);
	weir_call_commit_more(c->w, &c->call, &buf);
	return 0;
}

/* Fills the window. Out: how long to wait for an answer before a look. */
static int ask_all(struct caller *c, int64_t *left_ns)
{
	uint64_t now = demo_now_ns();
	uint32_t i;
	int err;

	*left_ns = LOOK_NS;
	for (i = 0; i < KV_WINDOW; i++) {
		struct slot *s = &c->slot[i];

		if (s->open)
			continue;
		if (s->rest_ns > now) {
			*left_ns = (int64_t)REST_NS;
			continue;
		}
		err = ask(c, s);
		if (err == -EAGAIN)
			return 0;
		if (err)
			return actor_fail(&c->p->actor, "request", err);
	}
	return 0;
}

/* --- answers --- */

/* Is this what was asked for? */
static bool fits(const struct caller *c, const struct slot *s,
		 const struct weir_msg *msg)
{
	const struct kv_reply *r = msg->data;
	const struct package *want = s->want;

	return msg->kind == WEIR_KIND_REPLY &&
	       msg->len == KV_REPLY_LEAD + want->bytes &&
	       r->id == request_id(c, s->tag) && r->instance < KV_INSTANCES &&
	       r->check == kv_check(c->hash[want->id], r->id, r->instance) &&
	       !memcmp(&r->package, want, want->bytes);
}

/* When did the service go on after the kill? */
static void note_failover(struct caller *c, const struct slot *s, uint64_t now)
{
	uint64_t killed = __atomic_load_n(&c->k->shared->killed_ns,
					  __ATOMIC_ACQUIRE);

	if (!killed || now < killed)
		return;
	if (s->sent_ns < killed) {
		c->p->open++;
		c->p->open_ns = now - killed;
	} else if (!c->p->first_ns) {
		c->p->first_ns = now - killed;
	}
}

static void take_reply(struct caller *c, const struct slot *s,
		       const struct weir_msg *msg)
{
	const struct kv_reply *r = msg->data;
	uint64_t now = demo_now_ns();

	if (!fits(c, s, msg)) {
		c->p->wrong++;
		return;
	}
	c->p->good[s->phase]++;
	c->p->by[s->phase][r->instance]++;
	histogram_add(&c->p->latency[s->phase], now - s->sent_ns);
	note_failover(c, s, now);
}

static void take(struct caller *c, const struct weir_msg *msg)
{
	uint32_t tag = msg->rec->tag;
	struct slot *s = &c->slot[tag % KV_WINDOW];
	struct weir_refusal fault;

	if (!s->open || s->tag != tag) {
		c->p->doubled++;
		return;
	}
	s->open = false;
	c->open--;
	s->rest_ns = 0;
	if (weir_refusal_get(msg, &fault)) {
		c->p->refused[fault.reason < WEIR_REASON_MAX ? fault.reason : 0]++;
		s->rest_ns = demo_now_ns() + REST_NS;
	} else {
		take_reply(c, s, msg);
	}
	c->p->answered_sum += id_hash(request_id(c, tag));
	s->tag += KV_WINDOW;
}

static int take_all(struct caller *c)
{
	struct weir_msg msg;
	int ret;

	while ((ret = weir_peek(c->w, &msg)) == 1) {
		take(c, &msg);
		weir_release(c->w, &msg);
	}
	return ret < 0 ? actor_fail(&c->p->actor, "peek", ret) : 0;
}

/* --- the whole --- */

/* Asks until it is told to finish, then waits for what is open. */
static int call_all(struct caller *c)
{
	uint64_t finish_ns = 0;
	int64_t left_ns = LOOK_NS;
	int ret;

	for (;;) {
		if (!finish_ns && __atomic_load_n(&c->k->shared->finish,
						  __ATOMIC_ACQUIRE))
			finish_ns = demo_now_ns();
		if (!finish_ns && ask_all(c, &left_ns))
			return -1;
		if (finish_ns && (!c->open ||
				  demo_now_ns() - finish_ns > DRAIN_NS))
			return 0;
		ret = weir_wait(c->w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, left_ns);
		if (ret < 0 && ret != -EINTR)
			return actor_fail(&c->p->actor, "wait", ret);
		if (take_all(c))
			return -1;
	}
}

/* Room for the largest answer to each request. */
static uint32_t inbox_bytes(const struct index *index)
{
	uint64_t want = (uint64_t)KV_WINDOW * (index->header->largest +
					       KV_REPLY_LEAD + 64);
	uint32_t bytes = 1U << 16;

	while (bytes < want && bytes < 1U << 30)
		bytes *= 2;
	return bytes;
}

static int caller_open(struct caller *c)
{
	struct weir_config config = {
		.ring_bytes = RING_BYTES,
		.inbox_bytes = inbox_bytes(&c->k->index),
	};
	int ret = weir_open(&c->w, SOCK_RDM, &config);

	if (ret)
		return actor_fail(&c->p->actor, "socket", ret);
	ret = weir_route(c->w, KV_PATH);
	if (ret < 0)
		return actor_fail(&c->p->actor, KV_PATH, ret);
	c->call.route = (uint32_t)ret;
	c->call.flags = WEIR_REC_IDEMPOTENT;
	return 0;
}

int kv_caller_run(struct kv *k, uint32_t number)
{
	static struct caller c;
	uint32_t i;
	int err;

	c.k = k;
	c.p = &k->shared->caller[number];
	c.number = number;
	c.random = RANDOM_SEED + number + 1;
	for (i = 0; i < KV_WINDOW; i++)
		c.slot[i].tag = i;
	if (rank_packages(&c))
		return actor_fail(&c.p->actor, "out of memory", 0);
	err = caller_open(&c);
	if (!err)
		actor_set_state(&c.p->actor, ACTOR_READY);
	while (!err && !__atomic_load_n(&k->shared->go, __ATOMIC_ACQUIRE))
		demo_pause(MS);
	if (!err)
		err = call_all(&c);
	weir_close(c.w);
	zipf_free(&c.zipf);
	free(c.ranked);
	free(c.hash);
	return err;
}
