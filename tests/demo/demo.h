/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first act: the index as a feed. What its processes share: the messages that they exchange, and
 * a block of anonymous shared memory in which each keeps count. The counts
 * are beside the mesh, not in it: they are how the demo checks the mesh, and
 * they survive the process that is killed.
 *
 *	conductor	starts, kills and restarts the others, shows progress
 *	publisher	one outbox for each section, the index again and again,
 *			a part of it in a pass
 *	subscribers	see enum party_id
 *	server, client	a connected pair: packages by name
 *
 * A pass ends when all reliable subscribers have all of it, so that what is
 * measured in one pass is not the queue left by the one before.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdbool.h>
#include <stdint.h>
#include <weir.h>

#include "figures.h"
#include "index.h"
#include "stage.h"

#define QUERY_PATH	"/query/packages"
#define CURSOR_NAME	"weir-demo"

enum party_id {
	PARTY_PUBLISHER,
	PARTY_ALL,		/* every section */
	PARTY_SECTION,		/* one section */
	PARTY_RESTARTED,	/* killed half-way; named cursor */
	PARTY_SLOW,		/* every section, lossy, at its own speed */
	PARTY_SERVER,
	PARTY_CLIENT,
	PARTIES
};

enum pass_kind {
	PASS_ALONE,		/* no slow subscriber */
	PASS_SLOW,		/* with it */
	PASS_KILL,		/* no slow one; PARTY_RESTARTED is killed */
	PASS_KINDS
};

/* Of each kind, remembered: the last. */
#define PASSES_MAX	4096

/*
 * With and without the slow one are compared in pairs of passes over the same
 * part of the index, as short as can be timed: a machine with other work to do
 * is twice as fast in one second as in the next.
 */
#define PASS_PARTS	8

/**
 * struct message - what is published
 * @check: demo_check() of the package's hash and the next three members.
 * @seq: number within the section, from 0.
 * @sent_ns: CLOCK_MONOTONIC, just before it was committed.
 * @kind: enum pass_kind of the pass that it belongs to.
 * @reserved: zero.
 * @package: the record, with its strings.
 */
struct message {
	uint64_t	check;
	uint64_t	seq;
	uint64_t	sent_ns;
	uint32_t	kind;
	uint32_t	reserved;
	struct package	package;
};

#define STAMP_BYTES	offsetof(struct message, package)

static inline uint64_t demo_check(uint64_t package_hash, uint64_t seq,
				  uint64_t sent_ns, uint32_t kind)
{
	const uint64_t words[] = { package_hash, seq, sent_ns, kind };

	return hash_words(words, sizeof(words));
}

/**
 * struct count - what a party has of one section
 * @next: number of the message to come.
 * @messages: how many it published or received.
 * @bytes: of these.
 * @sum: of their @check: the same whatever their order, but not if one is
 *	lost, doubled or changed.
 */
struct count {
	uint64_t	next;
	uint64_t	messages;
	uint64_t	bytes;
	uint64_t	sum;
};

/**
 * struct tally - a count that a kill at any moment leaves whole
 * @turn: its lowest bit tells which of the two counts.
 * @count: that one, and the one being written.
 */
struct tally {
	uint64_t	turn;
	struct count	count[2];
};

static inline struct count tally_get(const struct tally *t)
{
	struct count c;
	uint64_t turn;

	/* another process may be writing: again, if it wrote twice */
	do {
		turn = __atomic_load_n(&t->turn, __ATOMIC_ACQUIRE);
		c = t->count[turn & 1];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&t->turn, __ATOMIC_RELAXED) != turn);
	return c;
}

static inline void tally_set(struct tally *t, const struct count *c)
{
	/* the last turn is seen before what it made free is overwritten */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	t->count[(t->turn + 1) & 1] = *c;
	__atomic_store_n(&t->turn, t->turn + 1, __ATOMIC_RELEASE);
}

static inline void tally_add(struct tally *t, uint64_t seq, uint64_t bytes,
			     uint64_t check)
{
	struct count c = t->count[t->turn & 1];

	c.next = seq + 1;
	c.messages++;
	c.bytes += bytes;
	c.sum += check;
	tally_set(t, &c);
}

/**
 * struct party - one process of the demo, as it tells about itself
 * @actor: the process.
 * @lost: gaps in the numbers of a reliable stream.
 * @doubled: numbers that came again.
 * @broken: messages whose check did not match.
 * @in_hand: the message that it had not released when it was killed, given to
 *	it again and recognised.
 * @offered: of PARTY_SLOW: what was published while it was there.
 * @seen, @missed: of PARTY_SLOW: of these, by the library's count.
 * @drained: of PARTY_SLOW: of @seen, after a pass, no longer at its own speed.
 * @torn: of PARTY_SLOW: overwritten while in use, which the library noticed.
 *	Counted in @missed.
 * @waits, @waited_ns: of PARTY_PUBLISHER: for room, on any section.
 * @copied_bytes: payload that the kernel copied for it.
 * @tally: by section; of the server and client, TALLY_REQUESTS and so on.
 * @latency: by enum pass_kind.
 */
struct party {
	struct actor		actor;
	uint64_t		lost;
	uint64_t		doubled;
	uint64_t		broken;
	uint64_t		in_hand;
	uint64_t		offered;
	uint64_t		seen;
	uint64_t		drained;
	uint64_t		missed;
	uint64_t		torn;
	uint64_t		waits;
	uint64_t		waited_ns;
	uint64_t		copied_bytes;
	struct tally		tally[INDEX_SECTIONS_MAX];
	struct histogram	latency[PASS_KINDS];
};

enum { TALLY_REQUESTS, TALLY_REPLIES, TALLY_REFUSED };

/**
 * struct shared - what all processes of a run see
 * @go: number of the pass that may be published, from 1; 0: none yet.
 * @kind: its enum pass_kind.
 * @from: its first package.
 * @to: the one behind its last.
 * @finish: no pass follows.
 * @done: last pass that has been published.
 * @passes: of each kind, complete.
 * @kind_ns: time that all of a kind took.
 * @pass_ns: time that each took, from the first message to the last reader, at
 *	its number modulo PASSES_MAX; those of a pair have the same place.
 * @killed_at: messages that PARTY_RESTARTED had by then.
 * @down_ns: how long it was away.
 * @party: the parties that take part.
 */
struct shared {
	uint32_t	go;
	uint32_t	kind;
	uint32_t	from;
	uint32_t	to;
	uint32_t	finish;
	uint32_t	done;
	uint32_t	passes[PASS_KINDS];
	uint64_t	kind_ns[PASS_KINDS];
	uint64_t	pass_ns[PASS_KINDS][PASSES_MAX];
	uint64_t	killed_at;
	uint64_t	down_ns;
	struct party	party[PARTIES];
};

/**
 * struct demo - a run, as each process knows it
 * @index: what is published; read only.
 * @shared: counts; see above.
 * @pattern: what each party reads, or where it serves; NULL if nothing.
 * @ring_bytes: of the outboxes.
 * @slow_ns: pause of the slow subscriber after each message.
 * @seconds: how long to go on, about.
 * @lines: progress as lines, not one line that is written over.
 */
struct demo {
	struct index	index;
	struct shared	*shared;
	const char	*pattern[PARTIES];
	uint32_t	ring_bytes;
	uint64_t	slow_ns;
	uint32_t	seconds;
	bool		lines;
};

/* conductor.c */
extern const char *const party_name[PARTIES];

bool demo_reads(const struct demo *d, enum party_id id, uint32_t section);
struct count demo_total(const struct demo *d, enum party_id who,
			enum party_id like);
int demo_run(struct demo *d, const char **why);

/* What each process does; 0, or -1 after actor_fail(). */
int publisher_run(struct demo *d, struct party *p);
int subscriber_run(struct demo *d, struct party *p, enum party_id id);
int server_run(struct demo *d, struct party *p);
int client_run(struct demo *d, struct party *p);

/* report.c */
void report_progress(const struct demo *d, uint64_t elapsed_ns);
bool report_print(const struct demo *d, const char **why);

#endif /* DEMO_H */
