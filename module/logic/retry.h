/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When to send a request again: exponential backoff with jitter. This is for
 * requests that do no harm when a target carries them out twice.
 *
 * Each wait is twice as long as the wait before, up to a limit. The second half
 * of each wait is random, so requests that were refused together do not come
 * back together ("equal jitter": M. Brooker, Exponential Backoff And Jitter,
 * AWS Architecture Blog, 2015).
 *
 * This file knows no clock, no timer and no request. It draws no random
 * numbers: they are arguments. Any context.
 */
#ifndef _WEIR_RETRY_H
#define _WEIR_RETRY_H

#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define WEIR_RETRY_TRIES_MAX	16

/**
 * struct weir_retry_conf - how often and when a route sends a request again
 * @tries: how many attempts may follow the first one, 0 to
 *	WEIR_RETRY_TRIES_MAX.
 * @base_ns: longest wait before the first of these attempts, in nanoseconds.
 * @max_ns: longest wait before any of them, in nanoseconds.
 */
struct weir_retry_conf {
	u32	tries;
	u64	base_ns;
	u64	max_ns;
};

int weir_retry_conf_check(const struct weir_retry_conf *c, const char **why);
u64 weir_retry_delay_ns(const struct weir_retry_conf *c, u32 attempt,
			u32 random);

/*
 * Spreads attempts over time: returns @due_ns, or later, so that @pace_ns
 * passes after the last attempt that was spread. *@last_ns: when that is due;
 * it is set. Of threads that call it at the same time with one @last_ns, some
 * may get the same time.
 */
static inline u64 weir_retry_spread_ns(u64 *last_ns, u64 due_ns, u64 pace_ns)
{
	due_ns = max(due_ns, READ_ONCE(*last_ns) + pace_ns);
	WRITE_ONCE(*last_ns, due_ns);
	return due_ns;
}

#endif /* _WEIR_RETRY_H */
