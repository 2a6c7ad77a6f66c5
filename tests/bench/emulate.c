// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's pages without the kernel: rings as drawn in uapi/weir.h, in
 * memory that forked processes share, with nobody asleep and every reader
 * gating. So the library's ring code runs at the machine's own speed, where
 * the module cannot be loaded. Nothing here is measured.
 *
 * The handles are put together by hand; this is the only place outside the
 * library that knows their fields.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include <weir.h>

#include "bench.h"

#define RINGS_MAX	2

/**
 * struct emulated - one ring
 * @at: status page, cursor pages, head page, data, data again.
 * @bytes: all of it.
 * @status, @cursors, @head, @data: in it.
 */
struct emulated {
	unsigned char		*at;
	size_t			bytes;
	struct weir_status	*status;
	unsigned char		*cursors;
	struct weir_head	*head;
	unsigned char		*data;
};

static struct emulated rings[RINGS_MAX];
static size_t data_bytes;

static void emulate_map(struct emulated *r, unsigned int readers)
{
	size_t before = (2 + (size_t)readers) * WEIR_PAGE_BYTES;
	int fd = memfd_create("weir-bench", MFD_CLOEXEC);
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;

	r->bytes = before + 2 * data_bytes;
	if (fd < 0 || ftruncate(fd, (off_t)(before + data_bytes)))
		die("no memory for an emulated ring");
	r->at = mmap(NULL, r->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (r->at == MAP_FAILED ||
	    mmap(r->at, before + data_bytes, prot, flags | MAP_POPULATE, fd,
		 0) == MAP_FAILED ||
	    mmap(r->at + before + data_bytes, data_bytes, prot,
		 flags | MAP_POPULATE, fd, (off_t)before) == MAP_FAILED)
		die("no address space for an emulated ring");
	close(fd);
	r->status = (void *)r->at;
	r->cursors = r->at + WEIR_PAGE_BYTES;
	r->head = (void *)(r->cursors + readers * WEIR_PAGE_BYTES);
	r->data = r->at + before;
}

static void emulate_status(struct weir_status *s, unsigned int readers)
{
	unsigned int i;

	s->magic = WEIR_STATUS_MAGIC;
	s->version = WEIR_ABI_VERSION;
	if (getrandom(&s->secret, sizeof(s->secret), 0) < 0)
		die("no random number");
	s->secret |= 1;
	s->ring_bytes = data_bytes;
	s->state = WEIR_STATE_OPEN;
	s->gen = 1;
	s->nslots = readers;
	s->wake_pos = UINT64_MAX;
	s->final_pos = UINT64_MAX;
	for (i = 0; i < readers; i++)
		s->gating[i / 64] |= UINT64_C(1) << i % 64;
}

int emulate_open(unsigned int n, unsigned int readers, size_t ring_bytes)
{
	unsigned int i;

	data_bytes = ring_bytes;
	for (i = 0; i < n; i++) {
		emulate_map(&rings[i], readers);
		emulate_status(rings[i].status, readers);
	}
	return 0;
}

void emulate_close(void)
{
	unsigned int i;

	for (i = 0; i < RINGS_MAX; i++) {
		if (rings[i].at)
			munmap(rings[i].at, rings[i].bytes);
		memset(&rings[i], 0, sizeof(rings[i]));
	}
}

static struct weir_ring_view emulate_view(const struct emulated *r)
{
	return (struct weir_ring_view){
		.data	= r->data,
		.head	= r->head,
		.status	= r->status,
		.mask	= data_bytes - 1,
		.secret	= r->status->secret,
	};
}

/*
 * A handle that writes ring @write and reads ring @read as reader @reader;
 * UINT32_MAX for neither. It is never freed: its process ends.
 */
struct weir *emulate_join(unsigned int write, unsigned int read,
			  unsigned int reader)
{
	struct weir *w = calloc(1, sizeof(*w));
	struct weir_stream *s = calloc(1, sizeof(*s));
	struct weir_stream **list = malloc(sizeof(*list));

	if (!w || !s || !list)
		die("no memory for a handle");
	w->fd = -1;
	w->type = SOCK_SEQPACKET;
	if (write != UINT32_MAX) {
		job_touch(rings[write].at, rings[write].bytes);
		w->out = emulate_view(&rings[write]);
		w->cursors = rings[write].cursors;
		w->claim_end = weir_ring_max_len(&w->out) + 1;
	}
	if (read != UINT32_MAX) {
		job_touch(rings[read].at, rings[read].bytes);
		s->ring = emulate_view(&rings[read]);
		s->cursor = (void *)(rings[read].cursors +
				     (size_t)reader * WEIR_PAGE_BYTES);
		s->epoch = weir_ring_epoch(&s->ring);
		s->id = WEIR_ID_STREAM;
		s->slot = reader;
		s->gating = 1;
		*list = s;
		w->streams = list;
		w->nstreams = 1;
		w->room = 1;
		w->hot = s;
		w->hot_only = 1;
		w->turn_end = UINT64_MAX;
	}
	return w;
}
