// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Mapping of outboxes, streams and inboxes. Offsets, lengths and sizes come from
 * the kernel's answer, and are checked against the map in uapi/weir.h. The size
 * and the secret are copied once, and never read from shared memory again.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "private.h"

#define WEIR_HUGE_BYTES	((size_t)2 << 20)

/* Bytes of the owner's view with so many cursor pages. */
#define WEIR_OWNER_VIEW(slots)	((size_t)WEIR_PAGE_BYTES * (1 + (slots)))

/* The view of a handle without an outbox: its status says that no side sleeps. */
static const struct weir_status weir_no_status;
static const struct weir_head weir_no_head;
const struct weir_ring_view weir_no_outbox = {
	.head	= (struct weir_head *)&weir_no_head,
	.status	= &weir_no_status,
};

/*
 * Reserves addresses for a region whose data begins at byte @head, so that the
 * data is aligned for large pages. Returns NULL when the region is too small for
 * them. The caller maps the region over the reservation.
 */
static void *weir_map_reserve(size_t want, size_t head)
{
	uintptr_t start, data;
	char *room;

	if (want < 2 * WEIR_HUGE_BYTES)
		return NULL;
	room = mmap(NULL, want + WEIR_HUGE_BYTES, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return NULL;
	start = (uintptr_t)room;
	data = (start + head + WEIR_HUGE_BYTES - 1) & ~(WEIR_HUGE_BYTES - 1);
	start = data - head - start;
	if (start)
		munmap(room, start);
	if (start != WEIR_HUGE_BYTES)
		munmap(room + start + want, WEIR_HUGE_BYTES - start);
	return room + start;
}

static int weir_map_one(int fd, const struct weir_ioc_map *ioc, int region,
			size_t want, void **at)
{
	size_t head = ioc->id == WEIR_ID_OUTBOX ? WEIR_PAGE_BYTES :
						  2 * WEIR_PAGE_BYTES;
	int saved = errno, err, prot = PROT_READ;
	void *p, *place = NULL;

	if (region == WEIR_MAP_OWN)
		prot |= PROT_WRITE;
	/* The owner's view and a reader's cursor page hold no data. */
	if ((ioc->id == WEIR_ID_OUTBOX) == (region == WEIR_MAP_OWN))
		place = weir_map_reserve(want, head);
	p = mmap(place, want, prot, MAP_SHARED | (place ? MAP_FIXED : 0), fd,
		 (off_t)ioc->offset[region]);
	if (p == MAP_FAILED) {
		err = -errno;
		if (place)
			munmap(place, want);
		errno = saved;
		return weir_fail_syscall(fd, err, "mmap of %zu bytes", want);
	}
	*at = p;
	return 0;
}

static void weir_unmap(void **at, size_t *len)
{
	int saved = errno;

	if (*at)
		munmap(*at, *len);
	errno = saved;
	*at = NULL;
	*len = 0;
}

/* Checks the kernel's length of a region. */
static int weir_map_length_ok(const struct weir_ioc_map *ioc, int region,
			      size_t want)
{
	return ioc->length[region] == want ? 0 :
	       weir_fail(-EPROTO,
			 "the kernel's map has %llu bytes where %zu belong: library and module do not fit",
			 (unsigned long long)ioc->length[region], want);
}

/*
 * Maps the first *@len bytes of the view of a ring, or all of its @whole bytes
 * if an older module refuses a part.
 */
static int weir_map_view(int fd, const struct weir_ioc_map *ioc, size_t whole,
			 void **view, size_t *len)
{
	int err = weir_map_length_ok(ioc, WEIR_MAP_VIEW, whole);

	if (err)
		return err;
	if (*len < whole) {
		err = weir_map_one(fd, ioc, WEIR_MAP_VIEW, *len, view);
		if (err != -EINVAL)
			return err;
		*len = whole;
	}
	return weir_map_one(fd, ioc, WEIR_MAP_VIEW, *len, view);
}

/*
 * Asks the kernel for a ring and maps both regions of it. *@view_len: of an
 * outbox: how much of the owner's view is wanted; out: what is mapped.
 */
static int weir_map_ring(int fd, struct weir_ioc_map *ioc, void **view,
			 size_t *view_len, void **own, size_t *own_len)
{
	size_t data, view_whole;
	int err;

	ioc->size = sizeof(*ioc);
	err = weir_fd_ioctl(fd, WEIR_IOC_MAP, ioc);
	if (err)
		return weir_fail_syscall(fd, err, "mapping ring %u", ioc->id);
	if (ioc->ring_bytes < WEIR_RING_MIN || ioc->ring_bytes > WEIR_RING_MAX ||
	    ioc->ring_bytes & (ioc->ring_bytes - 1) ||
	    ioc->slot >= WEIR_SLOTS_MAX)
		return weir_fail(-EPROTO, "the kernel describes an impossible ring");

	data = 2 * (size_t)ioc->ring_bytes;
	if (ioc->id == WEIR_ID_OUTBOX) {
		view_whole = WEIR_OWNER_VIEW(WEIR_SLOTS_MAX);
		*own_len = WEIR_PAGE_BYTES + data;
	} else {
		view_whole = 2 * WEIR_PAGE_BYTES + data;
		*view_len = view_whole;
		*own_len = WEIR_PAGE_BYTES;
	}
	err = weir_map_length_ok(ioc, WEIR_MAP_OWN, *own_len);
	if (!err)
		err = weir_map_view(fd, ioc, view_whole, view, view_len);
	if (err)
		return err;
	err = weir_map_one(fd, ioc, WEIR_MAP_OWN, *own_len, own);
	if (err)
		weir_unmap(view, view_len);
	return err;
}

static int weir_map_check(struct weir_ring_view *ring, __u64 ring_bytes)
{
	const struct weir_status *status = ring->status;

	if (status->magic != WEIR_STATUS_MAGIC ||
	    status->version != WEIR_ABI_VERSION ||
	    status->ring_bytes != ring_bytes)
		return weir_fail(-EPROTO,
				 "the status page has version %u where %u belongs: library and module do not fit",
				 status->version, WEIR_ABI_VERSION);
	ring->mask = ring_bytes - 1;
	ring->secret = status->secret;
	return 0;
}

/* The first cursor pages, and a table of further blocks if need be. */
static int weir_map_blocks(struct weir *w)
{
	w->cursors = (unsigned char *)w->out_view + WEIR_PAGE_BYTES;
	if (w->type == SOCK_SEQPACKET ||
	    w->out_view_len == WEIR_OWNER_VIEW(WEIR_SLOTS_MAX))
		return 0;
	w->cursor_blocks = weir_zalloc(WEIR_BLOCKS * sizeof(*w->cursor_blocks));
	return w->cursor_blocks ? 0 : -ENOMEM;
}

/*
 * Maps a further block of cursor pages. Several threads may call this at once.
 * Returns NULL, with words, when there is no memory.
 */
const unsigned char *weir_map_cursors(struct weir *w, uint32_t block)
{
	const size_t bytes = (size_t)WEIR_PAGE_BYTES * WEIR_BLOCK_SLOTS;
	const unsigned char *none = NULL;
	struct weir_ioc_map ioc = {
		.size = sizeof(ioc),
		.id = WEIR_ID_OUTBOX,
	};
	void *pages = NULL;
	int err = weir_fd_ioctl(w->fd, WEIR_IOC_MAP, &ioc);

	ioc.offset[WEIR_MAP_VIEW] += WEIR_PAGE_BYTES + block * bytes;
	if (!err)
		err = weir_map_one(w->fd, &ioc, WEIR_MAP_VIEW, bytes, &pages);
	if (err) {
		weir_fail_syscall(w->fd, err, "mapping cursors of readers");
		return NULL;
	}
	if (!__atomic_compare_exchange_n(&w->cursor_blocks[block], &none, pages,
					 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		munmap(pages, bytes);
		return none;
	}
	return pages;
}

static void weir_unmap_blocks(struct weir *w)
{
	const size_t bytes = (size_t)WEIR_PAGE_BYTES * WEIR_BLOCK_SLOTS;
	size_t i, len;

	for (i = 0; w->cursor_blocks && i < WEIR_BLOCKS; i++) {
		void *pages = (void *)w->cursor_blocks[i];

		len = bytes;
		weir_unmap(&pages, &len);
	}
	free(w->cursor_blocks);
	w->cursor_blocks = NULL;
}

int weir_map_outbox(struct weir *w)
{
	struct weir_ioc_map ioc = { .id = WEIR_ID_OUTBOX };
	struct weir_ring_view ring = { 0 };
	int err;

	/* the end of a pair has one reader, its peer */
	w->out_view_len = WEIR_OWNER_VIEW(w->type == SOCK_SEQPACKET ? 1 :
					  WEIR_BLOCK_SLOTS);
	err = weir_map_ring(w->fd, &ioc, &w->out_view, &w->out_view_len,
			    &w->out_own, &w->out_own_len);
	if (err)
		return err;
	ring.status = w->out_view;
	ring.head = w->out_own;
	ring.data = (unsigned char *)w->out_own + WEIR_PAGE_BYTES;
	err = weir_map_check(&ring, ioc.ring_bytes);
	if (err) {
		weir_unmap_outbox(w);
		return err;
	}
	err = weir_map_blocks(w);
	if (err) {
		weir_unmap_outbox(w);
		return err;
	}
	w->resumed = ioc.resumed != 0;
	w->out = ring;
	w->claim_end = w->shared ? 0 : weir_ring_max_len(&ring) + 1;
	return 0;
}

void weir_unmap_outbox(struct weir *w)
{
	w->out = weir_no_outbox;
	w->claim_end = 0;
	weir_unmap_blocks(w);
	weir_unmap(&w->out_view, &w->out_view_len);
	weir_unmap(&w->out_own, &w->out_own_len);
}

/* Maps the stream, or the inbox, whose id is in @s. */
int weir_map_stream(int fd, struct weir_stream *s)
{
	struct weir_ioc_map ioc = { .id = s->id };
	__u64 pos;
	int err;

	err = weir_map_ring(fd, &ioc, &s->view, &s->view_len, &s->own,
			    &s->own_len);
	if (err)
		return err;
	s->ring.status = s->view;
	s->ring.head = (void *)((unsigned char *)s->view + WEIR_PAGE_BYTES);
	s->ring.data = (unsigned char *)s->view + 2 * WEIR_PAGE_BYTES;
	s->cursor = s->own;
	err = weir_map_check(&s->ring, ioc.ring_bytes);
	if (err) {
		weir_unmap_stream(s);
		return err;
	}
	s->slot = ioc.slot;
	s->gating = ioc.gating != 0;
	/* An old value, so that the first release checks the gating bit. */
	weir_stream_revalidate(s, weir_load(&s->ring.status->gen) - 1);
	/* An earlier process may have left any value in a named cursor. */
	pos = weir_stream_pos(s);
	if (pos & (WEIR_GRANULE - 1))
		weir_store(&s->cursor->pos, pos & ~(__u64)(WEIR_GRANULE - 1));
	weir_fork_add_stream(s);
	return 0;
}

void weir_unmap_stream(struct weir_stream *s)
{
	weir_fork_del_stream(s);
	weir_unmap(&s->view, &s->view_len);
	weir_unmap(&s->own, &s->own_len);
}
