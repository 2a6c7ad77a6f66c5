// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * What the kernel's numbers for reasons, guards and states mean, in words for
 * people. The names of reasons are the library's, weir_reason_name().
 */
#include <string.h>

#include <weir_route.h>
#include <uapi/weir_route.h>

#include "weirctl_reason.h"

static const char *const weirctl_reasons[] = {
	[WEIR_REASON_NONE] = "for no reason",
	[WEIR_REASON_CLOSED] = "closed in good order",
	[WEIR_REASON_SLOW] =
		"it held the writer back for longer than evict_ms",
	[WEIR_REASON_BAD_CURSOR] =
		"its cursor is where none can be",
	[WEIR_REASON_BAD_RECORD] =
		"a record or ring head that cannot be",
	[WEIR_REASON_DENIED] =
		"the path's mode does not let this user, or it has become another user's",
	[WEIR_REASON_LIMIT] =
		"a cap was reached, see 'weirctl limit'",
	[WEIR_REASON_NO_MEMORY] = "memory is out",
	[WEIR_REASON_OVERRUN] =
		"the writer overtook a reader that it does not wait for",
	[WEIR_REASON_EXPIRED] =
		"the time to linger or to be held is over",
	[WEIR_REASON_NETNS] =
		"the network namespace is gone",
	[WEIR_REASON_TAKEN_OVER] =
		"a new process goes on from here",
	[WEIR_REASON_NO_ROUTE] =
		"there is no such path or handle",
	[WEIR_REASON_NO_TARGET] =
		"nobody serves the path now",
	[WEIR_REASON_DEADLINE] =
		"it was not answered in time",
	[WEIR_REASON_RATE] =
		"more messages than the route's rate and burst let through, or the user's share of them",
	[WEIR_REASON_BULKHEAD] =
		"as many requests are in flight as bulkhead allows, or the user's share of it",
	[WEIR_REASON_BREAKER] =
		"the circuit breaker is open: too many calls failed or were slow",
	[WEIR_REASON_INBOX_FULL] =
		"the target does not read its inbox, and it is full",
	[WEIR_REASON_TARGET_DIED] =
		"the target ended before it answered",
	[WEIR_REASON_TARGET_EJECTED] =
		"the target holds requests and does nothing",
	[WEIR_REASON_TOO_LARGE] =
		"the message is larger than the target's inbox can hold",
	[WEIR_REASON_LOOP] =
		"more routes or patterns were on its way than may be",
	[WEIR_REASON_QUORUM] =
		"too few targets can still answer for a quorum",
	[WEIR_REASON_BAD_REQUEST] =
		"the record makes no sense",
	[WEIR_REASON_LATE] =
		"a reply to what had been answered already",
	[WEIR_REASON_DUPLICATE] =
		"the first request with its idempotency key was lost",
	[WEIR_REASON_TRIES] =
		"as many targets as one message may try have refused it",
	[WEIR_REASON_PATIENCE] =
		"the caller left no room for the reply for as long as it may wait",
};

static const char *const weirctl_guards[] = {
	[WEIR_GUARD_NONE]	= "the router",
	[WEIR_GUARD_ROUTE]	= "the route",
	[WEIR_GUARD_PERMISSION]	= "the permission check",
	[WEIR_GUARD_DEADLINE]	= "the deadline",
	[WEIR_GUARD_BUCKET]	= "the token bucket",
	[WEIR_GUARD_BULKHEAD]	= "the bulkhead",
	[WEIR_GUARD_BREAKER]	= "the circuit breaker",
	[WEIR_GUARD_INBOX]	= "the inbox",
	[WEIR_GUARD_WATCHDOG]	= "the watchdog",
	[WEIR_GUARD_POLICY]	= "the policy",
	[WEIR_GUARD_CHECK]	= "the check of its record",
	[WEIR_GUARD_DUP]	= "its idempotency key",
};

_Static_assert(sizeof(weirctl_reasons) / sizeof(weirctl_reasons[0]) ==
	       WEIR_REASON_MAX, "a reason without words");
_Static_assert(sizeof(weirctl_guards) / sizeof(weirctl_guards[0]) ==
	       WEIR_GUARD_MAX, "a guard without words");

/* The reason of this name; WEIR_REASON_MAX if there is none. */
uint32_t weirctl_reason_named(const char *name)
{
	uint32_t reason = 0;

	while (reason < WEIR_REASON_MAX &&
	       strcmp(weir_reason_name(reason), name))
		reason++;
	return reason;
}

const char *weirctl_reason_text(uint32_t reason)
{
	return reason < WEIR_REASON_MAX ? weirctl_reasons[reason] :
	       "for a reason that this weirctl does not know";
}

const char *weirctl_guard_text(uint32_t guard)
{
	return guard < WEIR_GUARD_MAX ? weirctl_guards[guard] : "a guard";
}

const char *weirctl_breaker_name(uint32_t breaker)
{
	static const char *const names[] = {
		"closed", "open", "half-open", "one-user" };

	return breaker < 4 ? names[breaker] : "?";
}

const char *weirctl_target_state(uint32_t state)
{
	static const char *const names[] = {
		[WEIR_TARGET_UP] = "up",
		[WEIR_TARGET_EJECTED] = "ejected",
		[WEIR_TARGET_GONE] = "gone",
	};

	return state <= WEIR_TARGET_GONE ? names[state] : "?";
}
