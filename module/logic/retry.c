// SPDX-License-Identifier: GPL-2.0
/*
 * The backoff of retry.h.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "logic/retry.h"

/**
 * weir_retry_conf_check() - can it be used?
 * @c: from user space.
 * @why: out: the words of a refusal.
 *
 * Return: 0 or -EINVAL.
 */
int weir_retry_conf_check(const struct weir_retry_conf *c, const char **why)
{
	*why = NULL;
	if (c->tries > WEIR_RETRY_TRIES_MAX)
		*why = "a request is tried again 16 times at most";
	else if (c->tries && !c->base_ns)
		*why = "there must be some time before trying again";
	else if (c->tries && c->max_ns < c->base_ns)
		*why = "the longest wait is shorter than the first one";
	return *why ? -EINVAL : 0;
}

/**
 * weir_retry_delay_ns() - how long to wait before an attempt
 * @c: when to try again.
 * @attempt: 1 for the first one after the request has failed; whether there is
 *	one more is for the caller to see from @c.
 * @random: any number, another one each time.
 *
 * Return: nanoseconds, at least half of the longest wait before this attempt,
 * less than it if it is longer than 1.
 */
u64 weir_retry_delay_ns(const struct weir_retry_conf *c, u32 attempt,
			u32 random)
{
	u32 doublings = attempt ? attempt - 1 : 0;
	u64 longest = c->max_ns;

	/* what would be shifted out is beyond any maximum */
	if (doublings < 64 && c->base_ns <= longest >> doublings)
		longest = c->base_ns << doublings;
	return longest - longest / 2 +
	       mul_u64_u32_shr(longest / 2, random, 32);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_retry_conf_check);
EXPORT_SYMBOL_IF_KUNIT(weir_retry_delay_ns);
#endif
