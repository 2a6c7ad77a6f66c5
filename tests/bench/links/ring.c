// SPDX-License-Identifier: GPL-2.0
/*
 * The fastest bare ring that we could write: fixed slots, the sequence number
 * in the slot, so that a message of up to 56 bytes is one cache line; no
 * header, no checks, messages read in place. The reader tells its position
 * only eight times a lap, and the writer looks only when it has used up what
 * it knows of, so in between nothing moves but the slots. Its sides trust each
 * other fully.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

#define LINK		link_ring
#define LINK_NAME	"ring"
#define LINK_WHAT	"bare shared-memory ring: fixed slots, sequence in the slot, no checks, both sides polling"
#define LINK_MODULE	false
#define LINK_SLEEPS	false
#define LINK_BROADCAST	1
#define LINK_FANIN	1
#define LINK_FANIN_NEXT	1
#define LINK_TRY	1
#define LINK_SLOW	1
#define LINK_LEN_MAX	(1 * MIB)

#define LINE		64

struct slot {
	uint64_t	seq;
	unsigned char	data[];
};

/* Where a reader is; a line of its own. */
struct place {
	_Alignas(LINE) uint64_t pos;
};

struct shared {
	struct place	reader[FAN_MAX];
	_Alignas(LINE) unsigned char slots[];
};

/**
 * struct end - one side
 * @out, @in: rings.
 * @mask: slots - 1.
 * @stride: bytes of a slot.
 * @sent: messages sent.
 * @limit: may be sent.
 * @seen: messages read.
 * @readers: of @out.
 * @me: place in @in.
 */
struct end {
	struct shared	*out;
	struct shared	*in;
	uint64_t	mask;
	uint64_t	stride;
	uint64_t	sent;
	uint64_t	limit;
	uint64_t	seen;
	unsigned int	readers;
	struct place	*me;
};

static struct shared *rings[FAN_MAX];
static unsigned int nrings;
static size_t ring_len, slots, stride;

static int pair_open(const struct job *job)
{
	size_t room = job->ring_bytes;
	unsigned int i;

	nrings = job->senders > 2 ? job->senders : 2;
	stride = (job->len + sizeof(struct slot) + LINE - 1) & ~(LINE - 1UL);
	for (slots = 1; slots * 2 * stride <= room; slots *= 2)
		;
	ring_len = sizeof(struct shared) + slots * stride;
	for (i = 0; i < nrings; i++) {
		rings[i] = mmap(NULL, ring_len, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (rings[i] == MAP_FAILED)
			die("no memory for a ring");
	}
	return 0;
}

static int fan_open(const struct job *job)
{
	return pair_open(job);
}

static void pair_close(void)
{
	while (nrings)
		munmap(rings[--nrings], ring_len);
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	unsigned int i;

	(void)job;
	(void)link;
	for (i = 0; i < nrings; i++)
		job_touch(rings[i], ring_len);
	e->out = rings[side];
	e->in = rings[!side];
	e->mask = slots - 1;
	e->stride = stride;
	e->sent = 0;
	e->limit = slots;
	e->seen = 0;
	e->readers = 1;
	e->me = &e->in->reader[0];
}

static void fan_join(struct end *from, struct end *to, const struct job *job)
{
	unsigned int r;

	end_join(from, job, 0, 0);
	from->readers = job->readers;
	for (r = 0; r < job->readers; r++) {
		end_join(&to[r], job, 0, 1);
		to[r].me = &to[r].in->reader[r];
	}
}

/* A ring for each sender. */
static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	unsigned int r;

	end_join(from, job, 0, 0);
	end_join(to, job, 0, 1);
	for (r = 1; r < job->senders; r++) {
		from[r] = *from;
		to[r] = *to;
	}
	for (r = 0; r < job->senders; r++) {
		from[r].out = rings[r];
		to[r].in = rings[r];
		to[r].me = &rings[r]->reader[0];
	}
	return job->senders;
}

static void end_leave(struct end *e)
{
	(void)e;
}

static uint64_t end_copied(struct end *e)
{
	(void)e;
	return 0;
}

static inline struct slot *slot_at(struct shared *ring, const struct end *e,
				   uint64_t n)
{
	return (void *)(ring->slots + (n & e->mask) * e->stride);
}

static __attribute__((noinline)) void look(struct end *e)
{
	unsigned int r, looks = 0;
	uint64_t min;

	for (;;) {
		min = UINT64_MAX;
		for (r = 0; r < e->readers; r++) {
			uint64_t pos = __atomic_load_n(&e->out->reader[r].pos,
						       __ATOMIC_ACQUIRE);

			if (pos < min)
				min = pos;
		}
		e->limit = min + e->mask + 1;
		if (e->limit != e->sent)
			return;
		spin(&looks);
	}
}

/* Nothing is kept between the calls. */
struct claim { };
struct view { };

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	(void)c;
	(void)len;
	if (__builtin_expect(e->sent == e->limit, 0))
		look(e);
	return slot_at(e->out, e, e->sent)->data;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)len;
	(void)c;
	(void)more;
	__atomic_store_n(&slot_at(e->out, e, e->sent)->seq, e->sent + 1,
			 __ATOMIC_RELEASE);
	e->sent++;
}

/* Looks at one after the other. */
static inline struct end *fanin_next(struct end *to, unsigned int n)
{
	static unsigned int at;
	struct end *e;

	do {
		if (++at >= n)
			at = 0;
		e = &to[at];
	} while (__atomic_load_n(&slot_at(e->in, e, e->seen)->seq,
				 __ATOMIC_ACQUIRE) != e->seen + 1);
	return e;
}

static inline const void *end_try(struct end *e, size_t len, struct view *v)
{
	struct slot *slot = slot_at(e->in, e, e->seen);

	(void)v;
	(void)len;
	return __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE) == e->seen + 1 ?
	       slot->data : NULL;
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	struct slot *slot = slot_at(e->in, e, e->seen);
	unsigned int looks = 0;

	(void)v;
	(void)len;
	while (__atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE) != e->seen + 1)
		spin(&looks);
	return slot->data;
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)v;
	e->seen++;
	if (!(e->seen & (e->mask >> 3)))
		__atomic_store_n(&e->me->pos, e->seen, __ATOMIC_RELEASE);
}

#include "loops.h"
