/* SPDX-License-Identifier: GPL-2.0 */
/* How a side of weir sleeps until it can go on. */
#ifndef WEIR_BENCH_WEIR_SLEEP_H
#define WEIR_BENCH_WEIR_SLEEP_H

#include <string.h>
#include <weir.h>

#include "bench.h"

/* Until there is room for a message of @len bytes. */
inlined void sleep_for_room(struct weir *w, size_t len)
{
	if (weir_wait(w, WEIR_WAIT_OUT, weir_ring_need((uint32_t)len),
		      WEIR_FOREVER) < 0)
		die("weir_wait: %s", weir_error());
}

/* Until there may be a message; with @kick, wakes sleepers. */
inlined void sleep_for_message(struct weir *w, uint32_t kick)
{
	if (weir_wait(w, WEIR_WAIT_IN | kick, 0, WEIR_FOREVER) < 0)
		die("weir_wait: %s", weir_error());
}

/*
 * The next message. If what it answers is still @pending, that is not there yet:
 * others are woken and this side sleeps in one call before it looks. @polls:
 * else it does not sleep.
 */
inlined void message_wait(struct weir *w, struct weir_msg *msg, bool *pending,
			  bool polls)
{
	unsigned int looks = 0;
	int ret;

	if (*pending) {
		*pending = false;
		sleep_for_message(w, WEIR_WAIT_KICK);
	}
	while (weir_unlikely((ret = weir_peek(w, msg)) != 1)) {
		if (ret < 0)
			die("weir_peek: %s", strerror(-ret));
		if (polls)
			spin(&looks);
		else
			sleep_for_message(w, 0);
	}
}

#endif /* WEIR_BENCH_WEIR_SLEEP_H */
