// SPDX-License-Identifier: GPL-2.0
/*
 * The publisher: one process that owns an outbox for each section and sends
 * the index, in its order, as much of it as the pass says. Nothing bounds its
 * rate but the rings: when one is full because a reliable subscriber has not
 * read it yet, the publisher sleeps until there is room.
 *
 * What it counts comes from the index, not from the ring, so the sums do not
 * agree by reading one memory twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

/* Wakes up so often to see whether it has been told to leave. */
#define LOOK_NS		((int64_t)(200 * MS))

/**
 * struct publisher - the state of this process
 * @d, @p: the run, and our part in it.
 * @outbox: a handle for each section.
 * @hash: of each package.
 */
struct publisher {
	struct demo	*d;
	struct party	*p;
	struct weir	*outbox[INDEX_SECTIONS_MAX];
	uint64_t	*hash;
};

static int open_outboxes(struct publisher *pub)
{
	const struct index *index = &pub->d->index;
	struct weir_config config = { .ring_bytes = pub->d->ring_bytes };
	uint32_t i;
	int err;

	for (i = 0; i < index->header->nsections; i++) {
		err = weir_open(&pub->outbox[i], SOCK_RDM, &config);
		if (!err)
			err = weir_bind(pub->outbox[i], index->sections[i].path);
		if (err)
			return actor_fail(&pub->p->actor,
					  index->sections[i].path, err);
	}
	return 0;
}

/* Waits for room, and keeps count of the time that it takes. */
static int claim(struct publisher *pub, struct weir *w, size_t len,
		 struct weir_buf *buf)
{
	int err = weir_claim(w, len, buf);
	uint64_t began;

	if (err != -EAGAIN)
		return err;
	began = demo_now_ns();
	do {
		err = weir_claim_wait(w, len, buf, LOOK_NS);
	} while ((err == -ETIMEDOUT || err == -EINTR) &&
		 !actor_leaves(&pub->p->actor));
	pub->p->waits++;
	pub->p->waited_ns += demo_now_ns() - began;
	return err;
}

static int publish(struct publisher *pub, uint32_t id, uint32_t kind)
{
	const struct package *package = index_package(&pub->d->index, id);
	struct tally *t = &pub->p->tally[package->section];
	struct weir *w = pub->outbox[package->section];
	size_t len = STAMP_BYTES + package->bytes;
	struct message *m;
	struct weir_buf buf;
	uint64_t seq = t->count[t->turn & 1].next, sent_ns, check;
	int err = claim(pub, w, len, &buf);

	if (err)
		return actor_fail(&pub->p->actor, "claim", err);
	m = buf.data;
	memcpy(&m->package, package, package->bytes);
	sent_ns = demo_now_ns();
	check = demo_check(pub->hash[id], seq, sent_ns, kind);
	m->check = check;
	m->seq = seq;
	m->sent_ns = sent_ns;
	m->kind = kind;
	m->reserved = 0;
	/* before it is seen: no reader is ever ahead of this count */
	tally_add(t, seq, len, check);
	weir_commit(w, &buf);
	return 0;
}

static int publish_pass(struct publisher *pub)
{
	const struct shared *s = pub->d->shared;
	uint32_t i;
	int err = 0;

	for (i = s->from; !err && i < s->to; i++)
		err = publish(pub, i, s->kind);
	return err;
}

/* Waits for the conductor: 1 with a pass to publish, 0 at the end. */
static int next_pass(const struct publisher *pub, uint32_t *pass)
{
	const struct shared *s = pub->d->shared;
	uint32_t go;

	for (;;) {
		go = __atomic_load_n(&s->go, __ATOMIC_ACQUIRE);
		if (go != *pass) {
			*pass = go;
			return 1;
		}
		if (__atomic_load_n(&s->finish, __ATOMIC_ACQUIRE) ||
		    actor_leaves(&pub->p->actor))
			return 0;
		demo_pause(MS / 2);
	}
}

static int prepare(struct publisher *pub)
{
	uint32_t i, n = pub->d->index.header->npackages;

	pub->hash = calloc(n, sizeof(*pub->hash));
	if (!pub->hash)
		return actor_fail(&pub->p->actor, "out of memory", 0);
	for (i = 0; i < n; i++) {
		const struct package *package = index_package(&pub->d->index, i);

		pub->hash[i] = hash_words(package, package->bytes);
	}
	return open_outboxes(pub);
}

static void close_outboxes(struct publisher *pub)
{
	struct weir_sock_info info;
	uint32_t i;

	for (i = 0; i < pub->d->index.header->nsections; i++) {
		if (pub->outbox[i] && !weir_info(pub->outbox[i], &info))
			pub->p->copied_bytes += info.copied_bytes;
		weir_close(pub->outbox[i]);
	}
	free(pub->hash);
}

int publisher_run(struct demo *d, struct party *p)
{
	struct publisher pub = { .d = d, .p = p };
	struct shared *s = d->shared;
	uint32_t pass = 0;
	int err = prepare(&pub);

	if (!err)
		actor_set_state(&p->actor, ACTOR_READY);
	while (!err && next_pass(&pub, &pass)) {
		err = publish_pass(&pub);
		__atomic_store_n(&s->done, pass, __ATOMIC_RELEASE);
	}
	close_outboxes(&pub);
	return err;
}
