/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A circuit breaker, one for each target of a route: too many calls that fail
 * or are slow open it, and nothing is sent to that target; after a while a few
 * probes are let through, and close it or open it again (M. Nygard, Release
 * It!, "Circuit Breaker"; the sliding window and the slow calls are as in
 * resilience4j).
 *
 *	           share of errors or slow calls reached
 *	 CLOSED --------------------------------------------> OPEN
 *	   ^                                                 |    ^
 *	   | all probes were good                  open_ns   |    | a probe
 *	   |                                       are over  v    | was bad
 *	   +---------------------------------------------- HALF_OPEN
 *
 * Probes that are out for open_ns are lost, and as many more are let through.
 *
 * It knows no socket and no clock; times and outcomes are arguments. Its lock
 * is a leaf. Any context.
 */
#ifndef _WEIR_BREAKER_H
#define _WEIR_BREAKER_H

#include <linux/spinlock.h>
#include <linux/types.h>

#define WEIR_BREAKER_SLICES	8	/* of the sliding window */
#define WEIR_BREAKER_PROBES_MAX	64

enum weir_breaker_state {
	WEIR_BREAKER_CLOSED,
	WEIR_BREAKER_OPEN,
	WEIR_BREAKER_HALF_OPEN,
	WEIR_BREAKER_STATES
};

extern const char *const weir_breaker_names[WEIR_BREAKER_STATES];

/**
 * struct weir_breaker_conf - when to open and close; of the route
 * @window_ns: calls of so long ago count.
 * @open_ns: how long it stays open.
 * @slow_ns: a good call that takes longer is slow; 0: none is.
 * @min_calls: in the window before anything is concluded, at least 1.
 * @error_percent: it opens when so many of 100 calls fail; 0: never.
 * @slow_percent: it opens when so many of 100 calls are slow; 0: never.
 * @probes: calls let through half open, 1 to WEIR_BREAKER_PROBES_MAX.
 */
struct weir_breaker_conf {
	u64	window_ns;
	u64	open_ns;
	u64	slow_ns;
	u32	min_calls;
	u32	error_percent;
	u32	slow_percent;
	u32	probes;
};

/**
 * struct weir_breaker_slice - one part of the window
 * @calls: that ended in it.
 * @errors: of those.
 * @slow: of those.
 */
struct weir_breaker_slice {
	u32	calls;
	u32	errors;
	u32	slow;
};

/**
 * struct weir_breaker - of one target
 * @lock: guards the rest. @state is also read without it.
 * @state: enum weir_breaker_state; written by weir_breaker_event() alone.
 * @round: counts states, from 1 to S32_MAX and from 1 again; a call that began in
 *	an earlier one tells nothing, nor does one of round 0, which began while
 *	there was no breaker.
 * @probes_out: probes let through, half open.
 * @probes_good: of those, ended well.
 * @probed_ns: when the last probe was let through; nanoseconds of the caller's
 *	clock.
 * @opened_ns: when it opened.
 * @slice_ns: when the current slice began.
 * @slice: the window, the current one at @at.
 * @at: index of the current slice.
 * @opens: how often it has opened.
 */
struct weir_breaker {
	spinlock_t			lock;
	u8				state;
	u8				at;
	u32				round;
	u32				probes_out;
	u32				probes_good;
	u64				probed_ns;
	u64				opened_ns;
	u64				slice_ns;
	u64				opens;
	struct weir_breaker_slice	slice[WEIR_BREAKER_SLICES];
};

int weir_breaker_conf_check(const struct weir_breaker_conf *c,
			    const char **why);
void weir_breaker_init(struct weir_breaker *b, u64 now_ns);
void weir_breaker_reset(struct weir_breaker *b, u64 now_ns);
bool weir_breaker_permit(struct weir_breaker *b,
			 const struct weir_breaker_conf *c, u64 now_ns,
			 u32 *round);
void weir_breaker_done(struct weir_breaker *b,
		       const struct weir_breaker_conf *c, u64 now_ns, u32 round,
		       bool good, u64 took_ns);
void weir_breaker_good(struct weir_breaker *b,
		       const struct weir_breaker_conf *c, u64 now_ns, u32 round,
		       u32 n);
void weir_breaker_forget(struct weir_breaker *b, u32 round);

#endif /* _WEIR_BREAKER_H */
