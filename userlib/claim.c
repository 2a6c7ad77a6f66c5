// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Claims that find no room, and records that fill what a claim leaves over.
 * The inline half of a claim is in weir.h.
 */
#include <errno.h>

#include "private.h"

/* Scans of the cursors, at most, while the set of readers keeps changing. */
#define WEIR_SCAN_TRIES		8

/*
 * A scan that finds less than 1 / SHARE of the ring is repeated at most
 * DEFERRALS times, with PAUSES pauses of the processor before each.
 */
#define WEIR_SCAN_SHARE		4
#define WEIR_SCAN_DEFERRALS	16
#define WEIR_SCAN_PAUSES	16

/* Refused claims between two reports to the kernel that the writer waits. */
#define WEIR_REPORT_EVERY	1000

/* The cursor pages from slot @base on, or NULL, with words: no memory. */
static const unsigned char *weir_cursors_at(struct weir *w, uint32_t base)
{
	const unsigned char *pages;

	if (!base || !w->cursor_blocks)
		return w->cursors + (size_t)base * WEIR_PAGE_BYTES;
	pages = weir_load_acquire(&w->cursor_blocks[base / WEIR_BLOCK_SLOTS]);
	return pages ? pages : weir_map_cursors(w, base / WEIR_BLOCK_SLOTS);
}

/*
 * Finds the lowest cursor and the least demand. Returns -ERANGE when a cursor is
 * invalid, -EPROTO when the head words are, and -ENOMEM, with words, when cursor
 * pages cannot be mapped.
 */
static int weir_scan_cursors(struct weir *w, struct weir_ring_scan *scan)
{
	const struct weir_status *status = w->out.status;
	uint32_t nslots, base;
	bool invalid = false;
	int err;

	err = weir_ring_scan_begin(&w->out, scan);
	if (err)
		return err;
	nslots = weir_load_acquire(&status->nslots);
	for (base = 0; base < nslots && base < WEIR_SLOTS_MAX; base += 64) {
		__u64 bits = weir_load_acquire(&status->gating[base / 64]);
		const unsigned char *pages;

		if (!bits)
			continue;
		pages = weir_cursors_at(w, base);
		if (!pages)
			return -ENOMEM;
		for (; bits; bits &= bits - 1) {
			size_t slot = (size_t)__builtin_ctzll(bits);
			const void *page = pages + slot * WEIR_PAGE_BYTES;

			invalid |= !!weir_ring_scan_cursor(&w->out, scan, page);
		}
	}
	return invalid ? -ERANGE : 0;
}

/*
 * Each scan takes the cursors' cache lines from the readers that write them.
 * While there is a little room and readers keep moving, one more scan in a
 * moment is cheaper than a scan after each of the next few messages. Returns
 * true after pausing, when the caller is to scan again.
 *
 * @limit: limit that the scan before this one found.
 */
static bool weir_limit_defer(const struct weir *w,
			     const struct weir_ring_scan *scan, uint32_t total,
			     __u64 limit)
{
	__u64 bytes = weir_ring_bytes(&w->out);
	__u64 room = scan->min + bytes - scan->claim;
	int i;

	if (room < total || room >= bytes / WEIR_SCAN_SHARE ||
	    scan->min + bytes == limit)
		return false;
	for (i = 0; i < WEIR_SCAN_PAUSES; i++)
		weir_pause();
	return true;
}

static int weir_limit_try(struct weir *w, uint32_t total)
{
	__u64 limit = weir_load(&w->out.head->limit);
	struct weir_ring_scan scan;
	int tries = 0, err;

	for (;;) {
		err = weir_scan_cursors(w, &scan);
		if (err || tries++ == WEIR_SCAN_DEFERRALS ||
		    !weir_limit_defer(w, &scan, total, limit))
			break;
		limit = scan.min + weir_ring_bytes(&w->out);
	}
	if (err == -ERANGE) {
		/* The kernel finds the invalid cursor and evicts its reader. */
		weir_fd_wait(w, WEIR_WAIT_OUT, total, 0);
		return -EAGAIN;
	}
	return err ? err : weir_ring_scan_end(&w->out, &scan);
}

/*
 * Turns the cursors into a new limit. Returns 0; -EAGAIN when the set of readers
 * kept changing; -EPROTO when this handle's own head words are nonsense; -ENOMEM,
 * with words.
 */
static int weir_limit_update(struct weir *w, uint32_t total)
{
	int tries, err = -EAGAIN;

	for (tries = 0; err == -EAGAIN && tries < WEIR_SCAN_TRIES; tries++)
		err = weir_limit_try(w, total);
	return err;
}

/*
 * Tells the kernel that this writer waits: the eviction time of readers begins
 * with the first report. One report for each time that the ring becomes full
 * would do. Further ones come now and then, because the kernel may have seen
 * room at the first. Returns whether the kernel sees room.
 */
static bool weir_report_full(struct weir *w, uint32_t total)
{
	uint32_t n = __atomic_fetch_add(&w->refused, 1, __ATOMIC_RELAXED);

	weir_store(&w->wanted, total);
	return n % WEIR_REPORT_EVERY == 0 &&
	       weir_fd_wait(w, WEIR_WAIT_OUT, total, 0) == WEIR_WAIT_OUT;
}

/* The error of a claim in a ring that is not open. */
int weir_claim_closed(const struct weir *w)
{
	int err = weir_fork_check(w);

	return err ? err : weir_fail(-EPIPE, "the stream has been shut down");
}

/*
 * Sets @buf->pos and @buf->seq only. Of a batch of @n messages it claims one:
 * the batch then has one message, and the next batch may find space inline.
 */
int weir_claim_slow(struct weir *w, size_t len, uint32_t n,
		    struct weir_buf *buf)
{
	uint32_t total;
	int err;

	if (!n)
		return weir_fail(-EINVAL, "a batch of no messages");
	if (!w->out.data) {
		err = weir_fork_check(w);
		return err ? err : weir_fail(-ENOTCONN,
				 "no outbox: bind to publish, or connect, first");
	}
	if (len > weir_ring_max_len(&w->out))
		return weir_fail(-EMSGSIZE,
				 "a message of %zu bytes; the ring takes at most %u",
				 len, weir_ring_max_len(&w->out));
	total = weir_ring_need((uint32_t)len);
	if (!weir_ring_claim(&w->out, total, w->shared, &buf->pos, &buf->seq))
		return 0;
	/* Records that the router was not told of would fill the ring for ever. */
	if (weir_kick_due(w) & WEIR_WAKE_ROUTER && weir_has_unsent(w))
		weir_kick_now(w);
	do {
		if (weir_load_acquire(&w->out.status->state) != WEIR_STATE_OPEN)
			return weir_claim_closed(w);
		err = weir_limit_update(w, total);
		if (err == -ENOMEM)
			return err;
		if (err && err != -EAGAIN)
			return weir_fail(err,
					 "the head of our own ring is overwritten");
		if (!weir_ring_claim(&w->out, total, w->shared, &buf->pos,
				     &buf->seq)) {
			weir_store(&w->refused, 0);
			return 0;
		}
	} while (weir_report_full(w, total));
	return -EAGAIN;
}

/* --- commit --- */

/*
 * Shortens a message to @len bytes where @total bytes of ring were claimed. The
 * rest of the claim becomes an aborted record, which readers skip. Returns the
 * length to publish.
 */
uint32_t weir_commit_pad(struct weir *w, __u64 pos, uint32_t total,
			 uint32_t seq, uint32_t len)
{
	uint32_t need = weir_ring_need(len);
	struct weir_buf rest = { .pos = pos + need, .seq = seq };

	/* A buffer from before a fork. */
	if (!w->out.data)
		return len;
	/* A longer message than was claimed would reach into others' space. */
	if (len > total - WEIR_HEADER_BYTES || need >= total)
		return total - WEIR_HEADER_BYTES;
	weir_buf_set(w, &rest, total - need - WEIR_HEADER_BYTES, total - need);
	weir_buf_publish(w, &rest, WEIR_REC_ABORTED);
	return len;
}
