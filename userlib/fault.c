// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Reasons why there is no reply: the router's reasons and guards as errno
 * values, names and words. Each reason that the router gives has an errno value
 * of its own, so a program can tell them apart.
 */
#include <errno.h>
#include <string.h>

#include "private.h"

/**
 * struct weir_reason_text - name and words of a reason
 * @name: short name, as in sysfs and in weirctl.
 * @words: words for weir_error(); NULL for reasons that the router never gives.
 */
struct weir_reason_text {
	const char	*name;
	const char	*words;
};

static const struct weir_reason_text weir_reasons[] = {
	[WEIR_REASON_NONE]	= { "none", NULL },
	[WEIR_REASON_CLOSED]	= { "closed", NULL },
	[WEIR_REASON_SLOW]	= { "slow", NULL },
	[WEIR_REASON_BAD_CURSOR] = { "bad_cursor", NULL },
	[WEIR_REASON_BAD_RECORD] = { "bad_record", NULL },
	[WEIR_REASON_DENIED]	= { "denied",
		"the path may not be called, or has become another user's" },
	[WEIR_REASON_LIMIT]	= { "limit",
		"a limit of the router is reached" },
	[WEIR_REASON_NO_MEMORY]	= { "no_memory",
		"the router has no memory" },
	[WEIR_REASON_OVERRUN]	= { "overrun", NULL },
	[WEIR_REASON_EXPIRED]	= { "expired", NULL },
	[WEIR_REASON_NETNS]	= { "netns", NULL },
	[WEIR_REASON_TAKEN_OVER] = { "taken_over", NULL },
	[WEIR_REASON_NO_ROUTE]	= { "no_route",
		"no such route" },
	[WEIR_REASON_NO_TARGET]	= { "no_target",
		"nobody serves the path" },
	[WEIR_REASON_DEADLINE]	= { "deadline",
		"not answered in time" },
	[WEIR_REASON_RATE]	= { "rate",
		"more requests than the route's rate allows, or the user's share of it" },
	[WEIR_REASON_BULKHEAD]	= { "bulkhead",
		"as many requests in flight as may be, of all or of the user" },
	[WEIR_REASON_BREAKER]	= { "breaker",
		"the circuit breakers are open" },
	[WEIR_REASON_INBOX_FULL] = { "inbox_full",
		"the target's inbox is full" },
	[WEIR_REASON_TARGET_DIED] = { "target_died",
		"the target died" },
	[WEIR_REASON_TARGET_EJECTED] = { "target_ejected",
		"the target does nothing" },
	[WEIR_REASON_TOO_LARGE]	= { "too_large",
		"the message is larger than the inbox" },
	[WEIR_REASON_LOOP]	= { "loop",
		"more routes or patterns on the way than may be" },
	[WEIR_REASON_QUORUM]	= { "quorum",
		"too few can still answer" },
	[WEIR_REASON_BAD_REQUEST] = { "bad_request",
		"the request makes no sense" },
	[WEIR_REASON_LATE]	= { "late", NULL },
	[WEIR_REASON_DUPLICATE]	= { "duplicate",
		"the first request with its key was lost" },
	[WEIR_REASON_TRIES]	= { "tries",
		"more routes and targets on the way than one message may try" },
	[WEIR_REASON_PATIENCE]	= { "patience",
		"the inbox had no room for the reply for as long as it may wait" },
};

static const char *const weir_guards[] = {
	[WEIR_GUARD_NONE]	= "none",
	[WEIR_GUARD_ROUTE]	= "route",
	[WEIR_GUARD_PERMISSION]	= "permission",
	[WEIR_GUARD_DEADLINE]	= "deadline",
	[WEIR_GUARD_BUCKET]	= "bucket",
	[WEIR_GUARD_BULKHEAD]	= "bulkhead",
	[WEIR_GUARD_BREAKER]	= "breaker",
	[WEIR_GUARD_INBOX]	= "inbox",
	[WEIR_GUARD_WATCHDOG]	= "watchdog",
	[WEIR_GUARD_POLICY]	= "policy",
	[WEIR_GUARD_CHECK]	= "check",
	[WEIR_GUARD_DUP]	= "dup",
};

#define WEIR_REASONS	(sizeof(weir_reasons) / sizeof(weir_reasons[0]))
#define WEIR_GUARDS	(sizeof(weir_guards) / sizeof(weir_guards[0]))

_Static_assert(WEIR_REASONS == WEIR_REASON_MAX, "each reason has a text");
_Static_assert(WEIR_GUARDS == WEIR_GUARD_MAX, "each guard has a name");

int weir_fault_errno(uint32_t reason)
{
	return weir_reason_errno(reason);
}

const char *weir_reason_name(uint32_t reason)
{
	return reason < WEIR_REASONS ? weir_reasons[reason].name : "unknown";
}

const char *weir_guard_name(uint32_t guard)
{
	return guard < WEIR_GUARDS ? weir_guards[guard] : "unknown";
}

int weir_fault_get(const struct weir_msg *msg, struct weir_fault *fault)
{
	if (msg->kind != WEIR_KIND_ERROR || !weir_msg_routed(msg) ||
	    msg->len < sizeof(*fault) ||
	    !(weir_load(&msg->rec->flags) & WEIR_REC_ROUTER))
		return 0;
	memcpy(fault, msg->data, sizeof(*fault));
	return 1;
}

/* Sets the words for a router's error. Returns its errno value, negative. */
int weir_fault_refuse(const void *payload, uint32_t len)
{
	struct weir_fault f = { 0 };
	const char *words = NULL;

	memcpy(&f, payload, len < sizeof(f) ? len : sizeof(f));
	if (f.reason < WEIR_REASONS)
		words = weir_reasons[f.reason].words;
	if (f.wait_ns)
		return weir_fail(-weir_fault_errno(f.reason),
				 "%s (reason %s, guard %s); try again in %llu.%03llu ms",
				 words ? words : "no reply",
				 weir_reason_name(f.reason),
				 weir_guard_name(f.guard),
				 (unsigned long long)f.wait_ns / 1000000,
				 (unsigned long long)f.wait_ns / 1000 % 1000);
	return weir_fail(-weir_fault_errno(f.reason),
			 "%s (reason %s, guard %s)",
			 words ? words : "no reply", weir_reason_name(f.reason),
			 weir_guard_name(f.guard));
}
