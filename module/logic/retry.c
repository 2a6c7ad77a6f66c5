// SPDX-License-Identifier: GPL-2.0
/*
 * The backoff of retry.h.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>

#include "logic/retry.h"

/**
 * weir_retry_conf_check() - check a configuration
 * @c: configuration that a user has asked for.
 * @why: out: on refusal, the reason in words (a static string); otherwise NULL.
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
 * @c: the route's configuration. The caller checks that it allows this attempt.
 * @attempt: number of the attempt: 1 for the first one after the request has
 *	failed.
 * @random: any number; another one for each call.
 *
 * Return: nanoseconds: at least half of the longest wait before this attempt,
 * and less than that wait if it is more than 1.
 */
u64 weir_retry_delay_ns(const struct weir_retry_conf *c, u32 attempt,
			u32 random)
{
	u32 doublings = attempt ? attempt - 1 : 0;
	u64 longest = c->max_ns;

	/* a wait whose bits are shifted out is longer than any maximum */
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
