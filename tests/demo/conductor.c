// SPDX-License-Identifier: GPL-2.0
/*
 * The conductor of the first act: starts its processes, lets the publisher make
 * one pass after another over each part of the index, brings the slow subscriber
 * in for one of two, kills and restarts a subscriber half-way in a pass over all
 * of it, and ends it all.
 */
#include <string.h>

#include "demo.h"

#define DOWN_NS		(700 * MS)

/* Least number of pairs of passes, alone and with the slow one. */
#define PAIRS_MIN	PASS_PARTS

const char *const party_name[PARTIES] = {
	[PARTY_PUBLISHER]	= "publisher",
	[PARTY_ALL]		= "all",
	[PARTY_SECTION]		= "section",
	[PARTY_RESTARTED]	= "restarted",
	[PARTY_SLOW]		= "slow",
	[PARTY_SERVER]		= "server",
	[PARTY_CLIENT]		= "client",
};

/**
 * struct conductor - the state of a run
 * @d: the run.
 * @stage: its processes.
 * @pass: number of the pass, from 1.
 * @killed: the subscriber has been killed and is back.
 */
struct conductor {
	struct demo	*d;
	struct stage	stage;
	uint32_t	pass;
	bool		killed;
};

/* --- what all processes use --- */

/* The plain definition of a match, independent of the kernel's. */
static bool path_matches(const char *pattern, const char *path)
{
	while (*pattern && *path) {
		size_t want = strcspn(++pattern, "/"), has = strcspn(++path, "/");

		if (want == 2 && !memcmp(pattern, "**", 2))
			return true;
		if (!(want == 1 && *pattern == '*') &&
		    (want != has || memcmp(pattern, path, has)))
			return false;
		pattern += want;
		path += has;
	}
	return !*pattern && !*path;
}

bool demo_reads(const struct demo *d, enum party_id id, uint32_t section)
{
	return path_matches(d->pattern[id], d->index.sections[section].path);
}

/* What @who has of the sections that @like reads. */
struct count demo_total(const struct demo *d, enum party_id who,
			enum party_id like)
{
	struct count total = { 0 };
	uint32_t i;

	for (i = 0; i < d->index.header->nsections; i++) {
		struct count c;

		if (!demo_reads(d, like, i))
			continue;
		c = tally_get(&d->shared->party[who].tally[i]);
		total.messages += c.messages;
		total.bytes += c.bytes;
		total.sum += c.sum;
	}
	return total;
}

/* --- processes --- */

static struct actor *party_actor(void *data, uint32_t id)
{
	const struct conductor *c = data;

	return &c->d->shared->party[id].actor;
}

static const char *party_words(uint32_t id)
{
	return party_name[id];
}

static int party_play(void *data, uint32_t id)
{
	struct demo *d = ((struct conductor *)data)->d;
	struct party *p = &d->shared->party[id];

	switch (id) {
	case PARTY_PUBLISHER:
		return publisher_run(d, p);
	case PARTY_SERVER:
		return server_run(d, p);
	case PARTY_CLIENT:
		return client_run(d, p);
	default:
		return subscriber_run(d, p, id);
	}
}

static uint64_t party_moved(void *data)
{
	const struct conductor *c = data;
	uint64_t sum = demo_total(c->d, PARTY_PUBLISHER, PARTY_ALL).messages;
	enum party_id i;

	for (i = PARTY_ALL; i <= PARTY_SLOW; i++)
		sum += demo_total(c->d, i, PARTY_ALL).messages;
	return sum;
}

static void party_show(void *data, uint64_t elapsed_ns)
{
	report_progress(((struct conductor *)data)->d, elapsed_ns);
}

static const struct act feed_act = {
	.actors	= PARTIES,
	.actor	= party_actor,
	.name	= party_words,
	.play	= party_play,
	.moved	= party_moved,
	.show	= party_show,
};

static int start_and_wait(struct conductor *c, enum party_id id)
{
	return stage_start(&c->stage, id) ? -1 :
	       stage_wait(&c->stage, id, ACTOR_READY);
}

/* --- passes --- */

static uint64_t behind(const struct demo *d, enum party_id id)
{
	return demo_total(d, PARTY_PUBLISHER, id).messages -
	       demo_total(d, id, id).messages;
}

static bool all_read(const struct demo *d)
{
	return !behind(d, PARTY_ALL) && !behind(d, PARTY_SECTION) &&
	       !behind(d, PARTY_RESTARTED);
}

/* kill -9, a while of absence, and a new process that takes its place. */
static int kill_and_restart(struct conductor *c)
{
	struct shared *s = c->d->shared;
	uint64_t began = demo_now_ns();

	if (stage_kill(&c->stage, PARTY_RESTARTED))
		return -1;
	s->killed_at = demo_total(c->d, PARTY_RESTARTED, PARTY_RESTARTED).messages;
	while (demo_now_ns() - began < DOWN_NS) {
		if (stage_look(&c->stage, "the restart"))
			return -1;
		demo_pause(MS);
	}
	if (start_and_wait(c, PARTY_RESTARTED))
		return -1;
	s->down_ns = demo_now_ns() - began;
	c->killed = true;
	return 0;
}

/* Until the pass is published and read, killing on the way if it is time. */
static int pass_wait(struct conductor *c, uint64_t kill_at)
{
	struct shared *s = c->d->shared;

	while (__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) != c->pass ||
	       !all_read(c->d)) {
		if (stage_look(&c->stage, "the subscribers"))
			return -1;
		if (kill_at && demo_total(c->d, PARTY_RESTARTED,
					  PARTY_RESTARTED).messages >= kill_at) {
			kill_at = 0;
			if (kill_and_restart(c))
				return -1;
		}
		demo_pause(MS);
	}
	return 0;
}

/* How many of these packages does a party read? */
static uint64_t packages_of(const struct demo *d, enum party_id id,
			    uint32_t from, uint32_t to)
{
	uint64_t n = 0;

	for (; from < to; from++)
		n += demo_reads(d, id, index_package(&d->index, from)->section);
	return n;
}

static int run_pass(struct conductor *c, enum pass_kind kind, uint32_t from,
		    uint32_t to)
{
	struct shared *s = c->d->shared;
	struct party *slow = &s->party[PARTY_SLOW];
	uint64_t kill_at = 0, began, ns;

	if (kind == PASS_SLOW && start_and_wait(c, PARTY_SLOW))
		return -1;
	if (kind == PASS_KILL)
		kill_at = demo_total(c->d, PARTY_RESTARTED,
				     PARTY_RESTARTED).messages +
			  packages_of(c->d, PARTY_RESTARTED, from, to) * 4 / 10;
	s->kind = kind;
	s->from = from;
	s->to = to;
	began = demo_now_ns();
	__atomic_store_n(&s->go, ++c->pass, __ATOMIC_RELEASE);
	if (pass_wait(c, kill_at))
		return -1;
	ns = demo_now_ns() - began;
	s->kind_ns[kind] += ns;
	s->pass_ns[kind][s->passes[kind]++ % PASSES_MAX] = ns;
	if (kind != PASS_SLOW)
		return 0;
	slow->offered += packages_of(c->d, PARTY_SLOW, from, to);
	actor_dismiss(&slow->actor);
	return stage_wait(&c->stage, PARTY_SLOW, ACTOR_DONE);
}

/* Every second pair runs the other way round, so that a drift favours no kind. */
static int run_pair(struct conductor *c, uint32_t n)
{
	enum pass_kind first = n % 2 ? PASS_SLOW : PASS_ALONE;
	uint64_t packages = c->d->index.header->npackages;
	uint32_t part = n % PASS_PARTS;
	uint32_t from = (uint32_t)(packages * part / PASS_PARTS);
	uint32_t to = (uint32_t)(packages * (part + 1) / PASS_PARTS);

	if (run_pass(c, first, from, to))
		return -1;
	return run_pass(c, first == PASS_SLOW ? PASS_ALONE : PASS_SLOW, from,
			to);
}

static int run_passes(struct conductor *c)
{
	uint64_t length = c->d->seconds * SECOND;
	uint32_t pairs = 0;

	do {
		if (run_pair(c, pairs++))
			return -1;
		if (demo_now_ns() - c->stage.began_ns >= length * 4 / 10 &&
		    !c->killed &&
		    run_pass(c, PASS_KILL, 0, c->d->index.header->npackages))
			return -1;
	} while (pairs < PAIRS_MIN || !c->killed ||
		 demo_now_ns() - c->stage.began_ns < length);
	return 0;
}

static int start_all(struct conductor *c)
{
	/* the subscribers first, so that they have all from the beginning */
	static const enum party_id order[] = {
		PARTY_SERVER, PARTY_ALL, PARTY_SECTION, PARTY_RESTARTED,
		PARTY_CLIENT, PARTY_PUBLISHER,
	};
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (start_and_wait(c, order[i]))
			return -1;
	}
	return 0;
}

static int finish_all(struct conductor *c)
{
	static const enum party_id order[] = {
		PARTY_CLIENT, PARTY_SERVER, PARTY_PUBLISHER, PARTY_ALL,
		PARTY_SECTION, PARTY_RESTARTED,
	};
	struct shared *s = c->d->shared;
	size_t i;

	actor_dismiss(&s->party[PARTY_CLIENT].actor);
	__atomic_store_n(&s->finish, 1, __ATOMIC_RELEASE);
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (stage_wait(&c->stage, order[i], ACTOR_DONE))
			return -1;
	}
	return 0;
}

/**
 * demo_run() - the whole first act, but for the report at its end
 * @d: what to do.
 * @why: out: words for a failure.
 */
int demo_run(struct demo *d, const char **why)
{
	static struct conductor c;
	int err;

	c.d = d;
	stage_open(&c.stage, &feed_act, &c, d->lines);
	err = start_all(&c);
	if (!err)
		err = run_passes(&c);
	if (!err)
		err = finish_all(&c);
	stage_close(&c.stage);
	*why = c.stage.why;
	return err;
}
