// SPDX-License-Identifier: GPL-2.0
/*
 * What one would build by hand: messages in shared memory, and an eventfd that
 * the receiver sleeps on. One write and one read for each message; with the
 * semaphore flag the counter is the number of messages that wait. A sender
 * without a free slot gives the processor away until there is one.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define LINK		link_eventfd
#define LINK_NAME	"eventfd"
#define LINK_WHAT	"slots in shared memory, an eventfd for each direction, sleeping"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(1 * MIB)

struct slots {
	_Alignas(64) uint64_t seen;
	_Alignas(64) unsigned char data[];
};

/**
 * struct end - one side
 * @bell: to ring. @ear: to sleep on.
 * @out, @in: slots.
 * @sent, @seen: messages.
 * @nslots, @stride: how many slots of which size.
 */
struct end {
	int		bell;
	int		ear;
	struct slots	*out;
	struct slots	*in;
	uint64_t	sent;
	uint64_t	seen;
	uint64_t	nslots;
	size_t		stride;
};

struct link {
	int		fd[2];
	struct slots	*slots[2];
	size_t		bytes;
};

static struct link links[FAN_MAX];
static unsigned int nlinks;
static uint64_t nslots;
static size_t stride;

static int pair_open(const struct job *job)
{
	struct link *l = &links[nlinks];
	int i;

	stride = (job->len + 63) & ~63UL;
	for (nslots = 1; nslots * 2 * stride <= job->ring_bytes; nslots *= 2)
		;
	l->bytes = sizeof(struct slots) + nslots * stride;
	for (i = 0; i < 2; i++) {
		l->fd[i] = eventfd(0, EFD_SEMAPHORE);
		if (l->fd[i] < 0)
			return -errno;
		l->slots[i] = mmap(NULL, l->bytes, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
				   -1, 0);
		if (l->slots[i] == MAP_FAILED)
			return -errno;
	}
	nlinks++;
	return 0;
}

static void pair_close(void)
{
	while (nlinks) {
		struct link *l = &links[--nlinks];
		int i;

		for (i = 0; i < 2; i++) {
			close(l->fd[i]);
			munmap(l->slots[i], l->bytes);
		}
	}
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	struct link *l = &links[link];

	(void)job;
	memset(e, 0, sizeof(*e));
	e->bell = l->fd[side];
	e->ear = l->fd[!side];
	e->out = l->slots[side];
	e->in = l->slots[!side];
	e->nslots = nslots;
	e->stride = stride;
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

/* Nothing is kept between the calls. */
struct claim { };
struct view { };

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	(void)c;
	(void)len;
	while (e->sent - __atomic_load_n(&e->out->seen, __ATOMIC_ACQUIRE) >=
	       e->nslots)
		sched_yield();
	return e->out->data + (e->sent & (e->nslots - 1)) * e->stride;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	uint64_t one = 1;

	(void)len;
	(void)c;
	(void)more;
	e->sent++;
	if (write(e->bell, &one, sizeof(one)) != sizeof(one))
		die("eventfd: %s", strerror(errno));
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	uint64_t one;

	(void)v;
	(void)len;
	if (read(e->ear, &one, sizeof(one)) != sizeof(one))
		die("eventfd: %s", strerror(errno));
	return e->in->data + (e->seen & (e->nslots - 1)) * e->stride;
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)v;
	__atomic_store_n(&e->in->seen, ++e->seen, __ATOMIC_RELEASE);
}

#include "loops.h"
