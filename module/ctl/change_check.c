// SPDX-License-Identifier: GPL-2.0
/*
 * The checks of a change to routes that need nothing but the change itself.
 * They do not depend on the routes that exist, know no socket and take no lock.
 * control.c makes them before it takes a lock.
 */
#include <linux/sizes.h>
#include <linux/string.h>

#include "ctl/change.h"
#include "logic/breaker.h"
#include "logic/dup.h"
#include "logic/policy.h"
#include "logic/retry.h"
#include "route/plan.h"
#include "route/route.h"
#include "weir.h"

#define WEIR_TIME_MAX		(24 * 3600 * NSEC_PER_SEC)
#define WEIR_PROBE_MIN		NSEC_PER_MSEC
#define WEIR_DUP_BYTES_MAX	SZ_64M

static const char *weir_conf_wrong(const struct weir_route_conf *c)
{
	const struct weir_breaker_conf breaker = weir_conf_breaker(c);
	const struct weir_retry_conf retry = weir_conf_retry(c);
	const char *why = NULL;

	if (c->policy >= WEIR_POLICY_MAX)
		return "no such policy";
	if (c->reserved_percent ||
	    memchr_inv(c->reserved, 0, sizeof(c->reserved)))
		return "the route has settings that this module does not know";
	if (c->quorum > WEIR_TARGETS_MAX)
		return "a quorum is at most 256 targets";
	if (c->burst && !c->rate)
		return "a burst without a rate";
	if (c->bulkhead > S32_MAX)
		return "a bulkhead is at most 2147483647";
	if (c->mirror_permille > 1000)
		return "a share is at most 1000 permille";
	if (!c->mirror_permille != !c->mirror[0])
		return "a mirror takes a path and a share";
	if (c->timeout_ns > WEIR_TIME_MAX)
		return "a timeout is at most a day";
	if (c->deadline_max_ns > WEIR_TIME_MAX)
		return "the longest deadline is at most a day";
	if (c->deadline_max_ns && c->timeout_ns > c->deadline_max_ns)
		return "a timeout is at most as long as the longest deadline";
	if (c->patience_ns > WEIR_TIME_MAX)
		return "the patience with a caller is at most a day";
	if (c->probe_ns && c->probe_ns != WEIR_PROBE_OFF &&
	    (c->probe_ns < WEIR_PROBE_MIN || c->probe_ns > WEIR_TIME_MAX))
		return "the watchdog's period is a millisecond to a day";
	if (c->breaker_window_ns > WEIR_TIME_MAX ||
	    c->breaker_open_ns > WEIR_TIME_MAX ||
	    c->breaker_slow_ns > WEIR_TIME_MAX)
		return "the breaker's times are at most a day";
	if (c->breaker_max_open_percent > 100)
		return "a share of targets is 0 to 100 percent";
	if (c->breaker_min_calls && weir_breaker_conf_check(&breaker, &why))
		return why;
	if (weir_retry_conf_check(&retry, &why))
		return why;
	if (c->dup_window_ns > WEIR_TIME_MAX)
		return "the window of idempotency keys is at most a day";
	if (c->dup_window_ns && weir_policy_fans_out(weir_policy_of(c->policy)))
		return "idempotency keys are for policies of one target";
	if (!c->dup_window_ns && (c->dup_entries || c->dup_bytes))
		return "idempotency keys take a window";
	if (c->dup_entries > WEIR_DUPS_MAX)
		return "at most 1048576 idempotency keys are remembered";
	if (c->dup_bytes > WEIR_DUP_BYTES_MAX)
		return "at most 64 MiB of replies are remembered";
	if (c->fallback[0] && c->fallback_len)
		return "a fallback is a path or a reply, not both";
	if (c->fallback_len > WEIR_FALLBACK_MAX)
		return "a fallback reply is at most 4096 bytes";
	return NULL;
}

/**
 * weir_op_check() - is a change valid by itself?
 * @op: the change, in kernel memory.
 * @admin: the caller has CAP_NET_ADMIN in the namespace.
 * @why: out: the words of a refusal; NULL if there is none.
 *
 * Any context. Return: 0; -EINVAL, -ENAMETOOLONG or -EPERM.
 */
int weir_op_check(const struct weir_route_op *op, bool admin, const char **why)
{
	if (!op->op || op->op > WEIR_OP_BREAKER) {
		*why = "no such change";
		return -EINVAL;
	}
	if (weir_op_name_len(op->path) > WEIR_PATH_MAX ||
	    weir_op_name_len(op->target_path) > WEIR_PATH_MAX ||
	    weir_op_name_len(op->conf.fallback) > WEIR_PATH_MAX ||
	    weir_op_name_len(op->conf.mirror) > WEIR_PATH_MAX) {
		*why = "a path has at most 255 bytes";
		return -ENAMETOOLONG;
	}
	if (strnlen(op->name, sizeof(op->name)) > WEIR_NAME_MAX) {
		*why = "a target's name has at most 63 bytes";
		return -ENAMETOOLONG;
	}
	if (op->weight > WEIR_WEIGHT_MAX) {
		*why = "a weight is at most 1000000";
		return -EINVAL;
	}
	if (!admin && (op->op == WEIR_OP_ROUTE_SET ||
		       op->op == WEIR_OP_ROUTE_DEL)) {
		*why = "policies and guards need CAP_NET_ADMIN";
		return -EPERM;
	}
	*why = NULL;
	if (op->op == WEIR_OP_ROUTE_SET)
		*why = weir_conf_wrong(&op->conf);
	else if (op->op == WEIR_OP_TARGET_ADD &&
		 (op->target || !op->target_path[0]))
		*why = "a target is added by its path; sockets come by themselves";
	else if (op->op != WEIR_OP_TARGET_ADD && op->name[0])
		*why = "a target gets its name when it is added";
	return *why ? -EINVAL : 0;
}
