// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Telling the kernel what was done in shared memory, so that it wakes others;
 * see (C) in weir_ring.h.
 */
#include "private.h"

/*
 * Returns the bits of status.wake that tell whether a reader of this outbox
 * sleeps, or the router. Runs the fence of (C) first when WEIR_WAKE_FENCE asks
 * the writer for it.
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
 * Returns whether anything was claimed since the router was last told. The
 * router's bit in status.wake stays set unless the router polls, so this saves
 * calls that tell it of nothing. A caller must not rely on this before it sleeps:
 * a record that was claimed before the last kick may have been committed after.
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
	/* Takes all room away, so that the next claim finds the shutdown. */
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
