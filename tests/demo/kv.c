// SPDX-License-Identifier: GPL-2.0
/*
 * The conductor of the second act: the route with its guards, the instances,
 * the callers, and the two faults, one after the other so that what each did
 * can be told apart.
 */
#include <stdio.h>
#include <string.h>

#include "kv.h"

/* Looks at the router's counts so often; while a moment is awaited each time. */
#define SAMPLE_NS	(20 * MS)

/* Requests in flight at which the victim is killed; and looks, at most. */
#define BUSY		8
#define BUSY_LOOKS	200

/**
 * struct conductor - the state of the act
 * @k: the act.
 * @stage: its processes: the instances, then the callers.
 * @sampled_ns: when the router was last asked.
 */
struct conductor {
	struct kv	*k;
	struct stage	stage;
	uint64_t	sampled_ns;
};

/* --- processes --- */

static struct actor *kv_actor(void *data, uint32_t id)
{
	struct kv_shared *s = ((struct conductor *)data)->k->shared;

	return id < KV_INSTANCES ? &s->instance[id].actor :
				   &s->caller[id - KV_INSTANCES].actor;
}

static const char *kv_name(uint32_t id)
{
	static char words[24];

	if (id < KV_INSTANCES)
		snprintf(words, sizeof(words), "instance %u", id + 1);
	else
		snprintf(words, sizeof(words), "caller %u",
			 id - KV_INSTANCES + 1);
	return words;
}

static int kv_play(void *data, uint32_t id)
{
	struct kv *k = ((struct conductor *)data)->k;

	return id < KV_INSTANCES ? kv_instance_run(k, id) :
				   kv_caller_run(k, id - KV_INSTANCES);
}

static uint64_t kv_moved(void *data)
{
	const struct kv_shared *s = ((struct conductor *)data)->k->shared;
	uint64_t sum = 0;
	int i;

	for (i = 0; i < KV_CALLERS; i++)
		sum += kv_answered(&s->caller[i]);
	return sum;
}

static void kv_show(void *data, uint64_t elapsed_ns)
{
	kv_progress(((struct conductor *)data)->k, elapsed_ns);
}

static const struct act kv_act = {
	.actors	= KV_INSTANCES + KV_CALLERS,
	.actor	= kv_actor,
	.name	= kv_name,
	.play	= kv_play,
	.moved	= kv_moved,
	.show	= kv_show,
};

/* --- the act --- */

static int sample(struct conductor *c)
{
	int err = kv_sample(c->k->shared, &c->k->last);

	c->sampled_ns = c->k->last.ns;
	return err ? stage_give_up(&c->stage, "no list of the routes: %s",
				   strerror(-err)) : 0;
}

/* Has the breaker of the late one opened since? */
static void look_at_breaker(struct kv *k)
{
	const struct weir_target_entry *before = &k->after_kill.target[KV_LATE];

	if (!k->late_ns || k->opened_ns || k->last.target[KV_LATE].breaker_opens ==
					   before->breaker_opens)
		return;
	k->at_open = k->last;
	k->opened_ns = k->last.ns;
}

static int go_on(struct conductor *c, uint64_t ns)
{
	struct kv *k = c->k;
	uint64_t until = demo_now_ns() + ns, now;

	while ((now = demo_now_ns()) < until) {
		bool awaited = k->late_ns && !k->opened_ns;

		if (stage_look(&c->stage, "the callers"))
			return -1;
		if (awaited || now - c->sampled_ns >= SAMPLE_NS) {
			if (sample(c))
				return -1;
			look_at_breaker(k);
		}
		demo_pause(MS);
	}
	return sample(c);
}

/* An instance that is killed with its hands full is worth more to look at. */
static int await_busy(struct conductor *c)
{
	int looks;

	for (looks = 0; looks < BUSY_LOOKS; looks++) {
		if (c->k->last.target[KV_VICTIM].in_flight >= BUSY)
			return 0;
		demo_pause(MS);
		if (stage_look(&c->stage, "a busy instance") || sample(c))
			return -1;
	}
	return 0;
}

static void set_phase(struct kv *k, enum kv_phase phase)
{
	__atomic_store_n(&k->shared->phase, phase, __ATOMIC_RELEASE);
}

static int play(struct conductor *c)
{
	struct kv *k = c->k;
	struct kv_shared *s = k->shared;
	uint64_t length = k->seconds * SECOND;

	k->began_ns = demo_now_ns();
	__atomic_store_n(&s->go, 1, __ATOMIC_RELEASE);
	if (go_on(c, length / 2) || await_busy(c))
		return -1;
	k->at_kill = k->last;
	set_phase(k, KV_KILLED);
	__atomic_store_n(&s->killed_ns, demo_now_ns(), __ATOMIC_RELEASE);
	k->phase_ns[KV_WHOLE] = s->killed_ns - k->began_ns;
	if (stage_kill(&c->stage, KV_VICTIM) || go_on(c, length / 6))
		return -1;
	k->after_kill = k->last;
	set_phase(k, KV_SLOWED);
	k->late_ns = demo_now_ns();
	k->phase_ns[KV_KILLED] = k->late_ns - s->killed_ns;
	__atomic_store_n(&s->instance[KV_LATE].late, 1, __ATOMIC_RELEASE);
	if (go_on(c, length / 3))
		return -1;
	k->phase_ns[KV_SLOWED] = demo_now_ns() - k->late_ns;
	return 0;
}

static int start_all(struct conductor *c)
{
	uint32_t id;
	int err = kv_route_set();

	if (err)
		return stage_give_up(&c->stage, "%s: setting the route: %s",
				     KV_PATH, strerror(-err));
	for (id = 0; id < kv_act.actors; id++) {
		if (stage_start(&c->stage, id))
			return -1;
	}
	for (id = 0; id < kv_act.actors; id++) {
		if (stage_wait(&c->stage, id, ACTOR_READY))
			return -1;
	}
	return 0;
}

/* The callers first, who wait for what is open. */
static int finish_all(struct conductor *c)
{
	struct kv_shared *s = c->k->shared;
	uint32_t id;

	__atomic_store_n(&s->finish, 1, __ATOMIC_RELEASE);
	for (id = KV_INSTANCES; id < kv_act.actors; id++) {
		if (stage_wait(&c->stage, id, ACTOR_DONE))
			return -1;
	}
	if (sample(c))
		return -1;
	for (id = 0; id < KV_INSTANCES; id++) {
		actor_dismiss(&s->instance[id].actor);
		if (id != KV_VICTIM && stage_wait(&c->stage, id, ACTOR_DONE))
			return -1;
	}
	return 0;
}

/**
 * kv_run() - the whole second act, but for the report at its end
 * @k: what to do.
 * @why: out: words for a failure.
 */
int kv_run(struct kv *k, const char **why)
{
	static struct conductor c;
	int err;

	c.k = k;
	stage_open(&c.stage, &kv_act, &c, k->lines);
	err = start_all(&c);
	if (!err)
		err = play(&c);
	if (!err)
		err = finish_all(&c);
	stage_close(&c.stage);
	kv_route_del();
	*why = c.stage.why;
	return err;
}
