// SPDX-License-Identifier: GPL-2.0
/*
 * A subscriber: reads the packages where they lie in the publisher's rings,
 * checks every byte of them, and keeps count by section. The reliable ones
 * (SOCK_RDM) finish when the publisher has closed its outboxes and they are
 * drained. The slow one (SOCK_DGRAM) pauses after each message, holds nobody
 * back, is overrun, and is told exactly how much it missed.
 *
 * The one that is killed has a named cursor: its place in each ring is kept
 * for the next process of that name. Counting a message and releasing it are
 * two steps; if the kill falls between them, the message comes again, and is
 * recognised by its number.
 */
#include <errno.h>
#include <string.h>

#include "demo.h"

#define LOOK_NS		((int64_t)(200 * MS))
#define HOLD_MS		60000

/**
 * struct subscriber - the state of this process
 * @d, @p, @id: the run, and our part in it.
 * @w: our socket.
 * @attached, @detached: streams so far.
 * @first: sections of which nothing has come yet in this life.
 * @stream: by section; of the slow one, to ask for what was missed.
 */
struct subscriber {
	struct demo		*d;
	struct party		*p;
	enum party_id		id;
	struct weir		*w;
	uint32_t		attached;
	uint32_t		detached;
	bool			first[INDEX_SECTIONS_MAX];
	struct weir_stream	*stream[INDEX_SECTIONS_MAX];
};

/* --- streams that come and go --- */

static int find_section(const struct subscriber *sub, const char *path)
{
	const struct index *index = &sub->d->index;
	uint32_t i;

	for (i = 0; i < index->header->nsections; i++) {
		if (!strcmp(index->sections[i].path, path))
			return (int)i;
	}
	return -1;
}

static int stream_attached(struct subscriber *sub, uint32_t id)
{
	struct weir_stream *stream = weir_stream_find(sub->w, id);
	int section;

	sub->attached++;
	if (!stream)
		return 0;	/* ended already; DETACHED follows */
	section = find_section(sub, weir_stream_path(stream));
	if (section < 0 || !demo_reads(sub->d, sub->id, (uint32_t)section))
		return actor_fail(&sub->p->actor,
				  "attached to a path that the pattern does not match", 0);
	sub->stream[section] = stream;
	/* the next message tells the section by this, not by its own word */
	stream->user = &sub->p->tally[section];
	return 0;
}

static int take_notice(struct subscriber *sub, struct weir_msg *msg)
{
	struct weir_notice n;
	int err = 0;

	if (msg->len < sizeof(n))
		return 0;
	memcpy(&n, msg->data, sizeof(n));
	if (n.type == WEIR_NOTICE_ATTACHED)
		err = stream_attached(sub, n.id);
	else if (n.type == WEIR_NOTICE_DETACHED)
		sub->detached++;
	else
		err = actor_fail(&sub->p->actor,
				 n.type == WEIR_NOTICE_EVICTED ?
				 "evicted" : "the kernel sent bad news", 0);
	weir_release(sub->w, msg);
	return err;
}

/* --- messages --- */

/**
 * struct taken - what is kept of a message when it is released
 * @check, @seq, @sent_ns, @kind: of the message.
 * @section: of the package.
 * @bytes: length.
 */
struct taken {
	uint64_t	check;
	uint64_t	seq;
	uint64_t	sent_ns;
	uint32_t	kind;
	uint32_t	section;
	uint64_t	bytes;
};

/*
 * Reads all of a message, in place; false if anything is not as published.
 * Under a lossy reader it may be overwritten meanwhile: nothing here leaves
 * the message for that, and only the release tells whether to believe it.
 */
static bool read_message(const struct subscriber *sub,
			 const struct weir_msg *msg, struct taken *t)
{
	const struct message *m = msg->data;
	size_t bytes;

	if (msg->len < sizeof(*m))
		return false;
	bytes = msg->len - STAMP_BYTES;
	t->seq = m->seq;
	t->sent_ns = m->sent_ns;
	t->kind = m->kind;
	t->section = __atomic_load_n(&m->package.section, __ATOMIC_RELAXED);
	t->bytes = msg->len;
	if (!package_valid(&m->package, bytes) || m->package.bytes != bytes ||
	    t->section >= sub->d->index.header->nsections ||
	    msg->stream->user != &sub->p->tally[t->section])
		return false;
	t->check = demo_check(hash_words(&m->package, bytes), t->seq,
			      t->sent_ns, t->kind);
	return t->check == m->check && t->kind < PASS_KINDS;
}

/*
 * Counts a message if it is new: its number must be the one to come. A lossy
 * one may jump ahead; what it jumped over the library has counted as missed.
 */
static void count_message(struct subscriber *sub, const struct taken *t)
{
	uint64_t now = demo_now_ns(), next;
	bool first = sub->first[t->section];
	struct party *p = sub->p;

	next = tally_get(&p->tally[t->section]).next;
	sub->first[t->section] = false;
	if (t->seq < next) {
		/* counted by the process that was killed, but not released */
		if (first && p->actor.starts > 1 && t->seq + 1 == next &&
		    sub->id == PARTY_RESTARTED)
			p->in_hand++;
		else
			p->doubled++;
		return;
	}
	if (sub->id != PARTY_SLOW)
		p->lost += t->seq - next;
	histogram_add(&p->latency[t->kind],
		      now > t->sent_ns ? now - t->sent_ns : 0);
	tally_add(&p->tally[t->section], t->seq, t->bytes, t->check);
}

static int take_reliable(struct subscriber *sub, struct weir_msg *msg)
{
	struct taken t;

	if (read_message(sub, msg, &t))
		count_message(sub, &t);
	else
		sub->p->broken++;
	return weir_release(sub->w, msg) ?
	       actor_fail(&sub->p->actor, "evicted", 0) : 0;
}

/* Nothing is counted before the release has said that it was whole. */
static int take_lossy(struct subscriber *sub, struct weir_msg *msg)
{
	struct taken t;
	bool good = read_message(sub, msg, &t);

	if (weir_release(sub->w, msg)) {
		sub->p->torn++;
		return 0;
	}
	sub->p->seen++;
	if (good)
		count_message(sub, &t);
	else
		sub->p->broken++;
	return 0;
}

/* --- the two ways to read --- */

static int read_failed(struct subscriber *sub, int err)
{
	return actor_fail(&sub->p->actor, err == -ESTALE ? "evicted" :
			  err == -EPROTO ? "a stream is broken" : "peek", err);
}

/* 1 if something was taken, 0 if there is nothing, -1 after actor_fail(). */
static int take_one(struct subscriber *sub)
{
	struct weir_msg msg;
	int ret = weir_peek(sub->w, &msg);

	if (ret < 0)
		return read_failed(sub, ret);
	if (!ret)
		return 0;
	if (msg.kind == WEIR_KIND_NOTICE)
		ret = take_notice(sub, &msg);
	else if (sub->id == PARTY_SLOW)
		ret = take_lossy(sub, &msg);
	else
		ret = take_reliable(sub, &msg);
	return ret ? -1 : 1;
}

static int wait_for_more(struct subscriber *sub)
{
	int ret = weir_wait(sub->w, WEIR_WAIT_IN, 0, LOOK_NS);

	return ret < 0 && ret != -EINTR ?
	       actor_fail(&sub->p->actor, "wait", ret) : 0;
}

/* Until every stream has ended and been drained. */
static int read_all(struct subscriber *sub)
{
	int ret = 0;

	while (ret >= 0 && !actor_leaves(&sub->p->actor)) {
		ret = take_one(sub);
		if (ret)
			continue;
		if (sub->attached && sub->detached == sub->attached)
			return 0;
		ret = wait_for_more(sub);
	}
	return ret < 0 ? -1 : 0;
}

/*
 * At its own speed until it is told to leave; then it drains what is there,
 * which no longer changes, and so knows all that it missed.
 */
static int read_slowly(struct subscriber *sub)
{
	uint32_t i;
	int ret;

	for (;;) {
		bool leave = actor_leaves(&sub->p->actor);
		uint64_t seen = sub->p->seen;

		ret = take_one(sub);
		if (ret < 0)
			return -1;
		if (!ret && leave)
			break;
		if (!ret)
			ret = wait_for_more(sub);
		else if (sub->p->seen == seen)
			continue;	/* a notice is no message */
		else if (!leave)
			demo_pause(sub->d->slow_ns);
		else
			sub->p->drained++;
	}
	for (i = 0; i < sub->d->index.header->nsections; i++) {
		if (sub->stream[i])
			sub->p->missed += weir_stream_missed(sub->stream[i]);
	}
	return 0;
}

/* The slow one comes between two passes: what is published then is offered. */
static void start_counting(struct subscriber *sub)
{
	const struct party *publisher = &sub->d->shared->party[PARTY_PUBLISHER];
	uint32_t i;

	for (i = 0; i < sub->d->index.header->nsections; i++) {
		struct count c = tally_get(&sub->p->tally[i]);

		sub->first[i] = true;
		if (sub->id != PARTY_SLOW)
			continue;
		c.next = tally_get(&publisher->tally[i]).next;
		tally_set(&sub->p->tally[i], &c);
	}
}

int subscriber_run(struct demo *d, struct party *p, enum party_id id)
{
	struct subscriber sub = { .d = d, .p = p, .id = id };
	struct weir_config config = { .flags = WEIR_NOTICES };
	struct weir_sock_info info;
	int err;

	if (id == PARTY_RESTARTED) {
		config.name = CURSOR_NAME;
		config.hold_ms = HOLD_MS;
	}
	start_counting(&sub);
	err = weir_open(&sub.w, id == PARTY_SLOW ? SOCK_DGRAM : SOCK_RDM, &config);
	if (err)
		return actor_fail(&p->actor, "socket", err);
	err = weir_subscribe(sub.w, d->pattern[id]);
	if (err) {
		actor_fail(&p->actor, d->pattern[id], err);
	} else {
		actor_set_state(&p->actor, ACTOR_READY);
		err = id == PARTY_SLOW ? read_slowly(&sub) : read_all(&sub);
	}
	if (!weir_info(sub.w, &info))
		p->copied_bytes += info.copied_bytes;
	weir_close(sub.w);
	return err ? -1 : 0;
}
