// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Telling the kernel what was done in shared memory, so that it wakes others;
 * see (C) in weir_ring.h.
 */
#include "private.h"

/*
 * Does a reader of our outbox sleep, or the router? Fences first where that
 * is our part. Returns those bits of status.wake.
 */
uint32_t weir_kick_due(const struct weir *w)
{
	uint32_t wake = weir_load(&w->out.status->wake);

	if (wake & WEIR_WAKE_FENCE) {
		weir_fence();
		wake = weir_load(&w->out.status->wake);
	}
	return wake & (WEIR_WAKE_READERS | WEIR_WAKE_ROUTER);
}

/*
 * Has anything been claimed since the router was last told? The router wants
 * to be told always, so this saves telling it of nothing. Not for the last
 * look before sleeping: what was claimed by then may be committed only now.
 */
bool weir_has_unsent(const struct weir *w)
{
	return weir_load(&w->out.head->claim) != weir_load(&w->kicked);
}

void weir_kick_now(struct weir *w)
{
	weir_store(&w->kicked, weir_load(&w->out.head->claim));
	weir_fd_kick(w->fd, WEIR_KICK_READERS);
}

void weir_wake_readers(struct weir *w)
{
	/* no room from here on, so that the next claim finds the end */
	if (weir_load(&w->out.status->wake) & WEIR_WAKE_CLOSED)
		weir_store(&w->out.head->seq_limit,
			   (uint32_t)weir_load(&w->out.head->claim));
	if (weir_kick_due(w))
		weir_kick_now(w);
}

void weir_wake_writer(struct weir *w, struct weir_stream *s)
{
	if (s->id == WEIR_ID_INBOX)
		weir_fd_kick(w->fd, WEIR_KICK_INBOX);
	else
		weir_fd_kick(w->fd, WEIR_KICK_WRITER | s->id << 8);
}

int weir_fd_wait(struct weir *w, uint32_t flags, uint64_t bytes,
		 int64_t timeout_ns)
{
	struct weir_so_wait wait = {
		.flags = flags,
		.timeout_ns = timeout_ns,
		.bytes = bytes,
	};

	if (flags & WEIR_WAIT_KICK)
		weir_store(&w->kicked, weir_load(&w->out.head->claim));
	return weir_fd_setsockopt(w->fd, WEIR_SO_WAIT, &wait, sizeof(wait));
}
