/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The second act: the index as a key-value service. Instances serve one path,
 * callers ask for packages by name, and the kernel's router takes each request
 * to one of the instances. Half-way one of them is killed; a little later
 * another one is late with every answer.
 *
 *	conductor	sets the route and its guards, starts the others, kills
 *			one, slows one down, looks at what the router counts
 *	instances	hold the index; weir_serve()
 *	callers		many requests in flight each, keys by Zipf's law; check
 *			each answer against an index of their own
 *
 * As in demo.h, the counts are beside the mesh, not in it.
 */
#ifndef DEMO_KV_H
#define DEMO_KV_H

#include <stdbool.h>
#include <stdint.h>
#include <weir_route.h>

#include "figures.h"
#include "index.h"
#include "stage.h"

#define KV_PATH		"/demo/packages"
#define KV_INSTANCES	4
#define KV_CALLERS	3
#define KV_WINDOW	32	/* requests in flight of each caller */

/* What the faults happen to. */
#define KV_VICTIM	1
#define KV_LATE		2

/* How late; longer than what the breaker calls slow. */
#define KV_LATE_NS	(60 * MS)
#define KV_SLOW_NS	(50 * MS)

/* This caller does not wait longer; the others as long as the route says. */
#define KV_HASTY	2
#define KV_HASTY_NS	(40 * MS)
#define KV_TIMEOUT_NS	(2 * SECOND)

enum kv_phase {
	KV_WHOLE,		/* all instances are well */
	KV_KILLED,		/* KV_VICTIM has been killed */
	KV_SLOWED,		/* and KV_LATE is late */
	KV_PHASES
};

/**
 * struct kv_request - payload of a request; the name follows, to its end
 * @id: no other request of the run has it.
 */
struct kv_request {
	uint64_t	id;
	char		name[];
};

/**
 * struct kv_reply - payload of a reply
 * @check: kv_check() of the package's hash and the next two members.
 * @id: of the request.
 * @instance: the instance that answered.
 * @reserved: zero.
 * @package: the record, with its strings.
 */
struct kv_reply {
	uint64_t	check;
	uint64_t	id;
	uint32_t	instance;
	uint32_t	reserved;
	struct package	package;
};

#define KV_REPLY_LEAD	offsetof(struct kv_reply, package)

static inline uint64_t kv_check(uint64_t package_hash, uint64_t id,
				uint32_t instance)
{
	const uint64_t words[] = { package_hash, id, instance };

	return hash_words(words, sizeof(words));
}

/**
 * struct kv_instance - one instance, as it tells about itself
 * @actor: the process.
 * @target: its id in the router.
 * @late: the conductor's: from now on it answers KV_LATE_NS late.
 * @requests: that it has read.
 * @replies: that it has written.
 * @unknown: of those, errors: there was no such package.
 */
struct kv_instance {
	struct actor	actor;
	uint64_t	target;
	uint32_t	late;
	uint64_t	requests;
	uint64_t	replies;
	uint64_t	unknown;
};

/**
 * struct kv_caller - one caller, as it tells about itself
 * @actor: the process.
 * @sent: requests, by the phase in which they were sent.
 * @good: of those, answered with the right package.
 * @by: of those, by whom.
 * @refused: answered by the router instead, by enum weir_reason.
 * @wrong: answered with anything else.
 * @doubled: answers to what was not asked, or had been answered.
 * @sent_sum: of the hashes of all ids sent.
 * @answered_sum: of all ids answered.
 * @open: requests in flight when the victim was killed and answered since.
 * @open_ns: after that, the last good answer to one of them.
 * @first_ns: after that, the first good answer to one sent later.
 * @latency: round trips of good answers, by the phase they were sent in.
 */
struct kv_caller {
	struct actor		actor;
	uint64_t		sent[KV_PHASES];
	uint64_t		good[KV_PHASES];
	uint64_t		by[KV_PHASES][KV_INSTANCES];
	uint64_t		refused[WEIR_REASON_MAX];
	uint64_t		wrong;
	uint64_t		doubled;
	uint64_t		sent_sum;
	uint64_t		answered_sum;
	uint64_t		open;
	uint64_t		open_ns;
	uint64_t		first_ns;
	struct histogram	latency[KV_PHASES];
};

/**
 * struct kv_shared - what all processes of the act see
 * @go: callers may begin.
 * @finish: they send nothing more.
 * @phase: enum kv_phase.
 * @killed_ns: when the victim was killed; 0 before.
 * @instance, @caller: the processes that take part.
 */
struct kv_shared {
	uint32_t		go;
	uint32_t		finish;
	uint32_t		phase;
	uint64_t		killed_ns;
	struct kv_instance	instance[KV_INSTANCES];
	struct kv_caller	caller[KV_CALLERS];
};

/**
 * struct kv_sample - what the router says at one time
 * @ns: when.
 * @route: the route.
 * @target: by instance; of one that is gone as it was last seen.
 */
struct kv_sample {
	uint64_t			ns;
	struct weir_route_entry		route;
	struct weir_target_entry	target[KV_INSTANCES];
};

/**
 * struct kv - the act, as each process knows it
 * @index: what is served.
 * @shared: counts; see above.
 * @seconds: how long to go on, about.
 * @lines: progress as lines, not one line that is written over.
 * @began_ns: when the callers began.
 * @phase_ns: how long each phase was.
 * @late_ns: when KV_LATE was made late.
 * @opened_ns: when its breaker was first seen open after that; 0: never.
 * @at_kill: what the router said just before the kill.
 * @after_kill: just before KV_LATE was made late.
 * @at_open: when its breaker was seen open.
 * @last: at the end, or now.
 */
struct kv {
	struct index		index;
	struct kv_shared	*shared;
	uint32_t		seconds;
	bool			lines;
	uint64_t		began_ns;
	uint64_t		phase_ns[KV_PHASES];
	uint64_t		late_ns;
	uint64_t		opened_ns;
	struct kv_sample	at_kill;
	struct kv_sample	after_kill;
	struct kv_sample	at_open;
	struct kv_sample	last;
};

int kv_run(struct kv *k, const char **why);
int kv_instance_run(struct kv *k, uint32_t number);
int kv_caller_run(struct kv *k, uint32_t number);

/* kv_route.c: what is told to the router, and asked; 0 or a negative errno. */
int kv_route_set(void);
int kv_route_del(void);
int kv_sample(const struct kv_shared *shared, struct kv_sample *sample);

/* kv_report.c */
uint64_t kv_answered(const struct kv_caller *c);
uint64_t kv_refused(const struct kv_caller *c);
void kv_progress(const struct kv *k, uint64_t elapsed_ns);
bool kv_print(const struct kv *k, const char **why);

#endif /* DEMO_KV_H */
