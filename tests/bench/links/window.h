/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For what loses messages, or blocks for long, when receivers fall behind: they
 * say in shared memory how far they are, and a sender keeps no more on the way
 * than there is room for; it looks when it has used up what it knows of.
 */
#ifndef WEIR_BENCH_WINDOW_H
#define WEIR_BENCH_WINDOW_H

#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define WINDOW_BYTES	(2 * FAN_MAX * sizeof(uint64_t))

/* How many each reader of either side has seen. */
static uint64_t *window_seen;

/**
 * struct window - of one end
 * @sent, @seen: messages.
 * @limit: of @sent, as far as it knows.
 * @tell: where it says @seen.
 * @told: where the readers of what it sends do.
 * @readers: how many these are; 0: nobody is waited for.
 */
struct window {
	uint64_t	sent;
	uint64_t	seen;
	uint64_t	limit;
	uint64_t	*tell;
	uint64_t	*told;
	unsigned int	readers;
};

/* The same for all measurements, whose set-up it is no part of. */
static inline void window_open(void)
{
	if (!window_seen)
		window_seen = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (window_seen == MAP_FAILED)
		die("no memory for windows");
	memset(window_seen, 0, WINDOW_BYTES);
}

/* Reader @me of what side @side gets, and sender to the other's reader @me. */
static inline void window_join(struct window *w, int side, unsigned int me)
{
	*w = (struct window){
		.tell		= window_seen + FAN_MAX * side + me,
		.told		= window_seen + FAN_MAX * !side + me,
		.readers	= 1,
	};
}

/* Before one more is sent: @most are on the way after that. */
inlined void window_wait(struct window *w, uint64_t most, bool sleeps)
{
	unsigned int r, looks = 0;
	uint64_t least, at;

	while (__builtin_expect(w->sent == w->limit && w->readers, 0)) {
		least = w->sent;
		for (r = 0; r < w->readers; r++) {
			at = __atomic_load_n(&w->told[r], __ATOMIC_ACQUIRE);
			if (at < least)
				least = at;
		}
		w->limit = least + most;
		if (w->limit > w->sent)
			break;
		if (sleeps)
			sched_yield();
		else
			spin(&looks);
	}
	w->sent++;
}

inlined void window_read(struct window *w)
{
	__atomic_store_n(w->tell, ++w->seen, __ATOMIC_RELEASE);
}

#endif /* WEIR_BENCH_WINDOW_H */
