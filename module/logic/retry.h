/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When to try again: exponential backoff with jitter, for requests that do no
 * harm when they are done twice.
 *
 * Each wait is twice as long as the one before, up to a limit, and its second
 * half is random: those that were refused together do not come back together
 * ("equal jitter": M. Brooker, Exponential Backoff And Jitter, AWS Architecture
 * Blog, 2015).
 *
 * It knows no clock, no timer and no request, and draws nothing itself. Any
 * context.
 */
#ifndef _WEIR_RETRY_H
#define _WEIR_RETRY_H

#include <linux/types.h>

#define WEIR_RETRY_TRIES_MAX	16

/**
 * struct weir_retry_conf - how often and when; of the route
 * @tries: attempts after the first, 0 to WEIR_RETRY_TRIES_MAX; 0: none.
 * @base_ns: the longest wait before the first of them.
 * @max_ns: the longest wait before any.
 */
struct weir_retry_conf {
	u32	tries;
	u64	base_ns;
	u64	max_ns;
};

int weir_retry_conf_check(const struct weir_retry_conf *c, const char **why);
u64 weir_retry_delay_ns(const struct weir_retry_conf *c, u32 attempt,
			u32 random);

#endif /* _WEIR_RETRY_H */
