// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Reasons why there is no reply: the router's reasons and guards as errno
 * values, names and words. Each reason that the router gives has an errno value
 * of its own, so a program can tell them apart.
 */
#include <errno.h>
#include <string.h>

#include "private.h"

#define WEIR_NAME(_name, _number, _text, ...)	[_number] = _text,

static const char *const weir_reasons[WEIR_REASON_MAX] = {
	WEIR_REASON_LIST(WEIR_NAME)
};

static const char *const weir_guards[WEIR_GUARD_MAX] = {
	WEIR_GUARD_LIST(WEIR_NAME)
};

/* Words for weir_error(); NULL for reasons that the router never gives. */
static const char *const weir_reason_words[WEIR_REASON_MAX] = {
	[WEIR_REASON_DENIED] =
		"the path may not be called, or has become another user's",
	[WEIR_REASON_LIMIT] = "a limit of the router is reached",
	[WEIR_REASON_NO_MEMORY] = "the router has no memory",
	[WEIR_REASON_NO_ROUTE] = "no such route",
	[WEIR_REASON_NO_TARGET] = "nobody serves the path",
	[WEIR_REASON_DEADLINE] = "not answered in time",
	[WEIR_REASON_RATE] =
		"more requests than the route's rate allows, or the user's share of it",
	[WEIR_REASON_BULKHEAD] =
		"as many requests in flight as may be, of all or of the user",
	[WEIR_REASON_BREAKER] = "the circuit breakers are open",
	[WEIR_REASON_INBOX_FULL] = "the target's inbox is full",
	[WEIR_REASON_TARGET_DIED] = "the target died",
	[WEIR_REASON_TARGET_EJECTED] = "the target does nothing",
	[WEIR_REASON_TOO_LARGE] = "the message is larger than the inbox",
	[WEIR_REASON_LOOP] = "more routes or patterns on the way than may be",
	[WEIR_REASON_QUORUM] = "too few can still answer",
	[WEIR_REASON_BAD_REQUEST] = "the request makes no sense",
	[WEIR_REASON_DUPLICATE] = "the first request with its key was lost",
	[WEIR_REASON_TRIES] =
		"more routes and targets on the way than one message may try",
	[WEIR_REASON_PATIENCE] =
		"the inbox had no room for the reply for as long as it may wait",
	[WEIR_REASON_KEY_REUSED] =
		"the first request with its key was another one",
};

int weir_refusal_errno(uint32_t reason)
{
	return weir_reason_errno(reason);
}

const char *weir_reason_name(uint32_t reason)
{
	return reason < WEIR_REASON_MAX ? weir_reasons[reason] : "unknown";
}

const char *weir_guard_name(uint32_t guard)
{
	return guard < WEIR_GUARD_MAX ? weir_guards[guard] : "unknown";
}

int weir_refusal_get(const struct weir_msg *msg, struct weir_refusal *refusal)
{
	if (msg->kind != WEIR_KIND_ERROR || !weir_msg_routed(msg) ||
	    msg->len < sizeof(*refusal) ||
	    !(weir_load(&msg->rec->flags) & WEIR_REC_ROUTER))
		return 0;
	memcpy(refusal, msg->data, sizeof(*refusal));
	return 1;
}

/* Sets the words for a router's error. Returns its errno value, negative. */
int weir_refusal_fail(const void *payload, uint32_t len)
{
	struct weir_refusal f = { 0 };
	const char *words = NULL;

	memcpy(&f, payload, len < sizeof(f) ? len : sizeof(f));
	if (f.reason < WEIR_REASON_MAX)
		words = weir_reason_words[f.reason];
	if (f.wait_ns)
		return weir_fail(-weir_refusal_errno(f.reason),
				 "%s (reason %s, guard %s); try again in %llu.%03llu ms",
				 words ? words : "no reply",
				 weir_reason_name(f.reason),
				 weir_guard_name(f.guard),
				 (unsigned long long)f.wait_ns / 1000000,
				 (unsigned long long)f.wait_ns / 1000 % 1000);
	return weir_fail(-weir_refusal_errno(f.reason),
			 "%s (reason %s, guard %s)",
			 words ? words : "no reply", weir_reason_name(f.reason),
			 weir_guard_name(f.guard));
}

/* Earlier names, for programs that were compiled with them; in no header. */
int weir_fault_errno(uint32_t reason)
	__attribute__((alias("weir_refusal_errno")));
int weir_fault_get(const struct weir_msg *msg, struct weir_refusal *refusal)
	__attribute__((alias("weir_refusal_get")));
