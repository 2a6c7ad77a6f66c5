// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * What the kernel's numbers for reasons, guards, states and policies mean, in
 * words for people. The names of reasons are the library's, weir_reason_name().
 */
#include <string.h>

#include <weir_route.h>
#include <uapi/weir_route.h>

#include "weirctl_reason.h"

/* The members of a list of uapi/: their names, or their words. */
#define WEIRCTL_NAME(_name, _number, _text, ...)	[_number] = _text,
#define WEIRCTL_REASON(_name, _number, _text, _errno, _words)		\
	[_number] = _words,
#define WEIRCTL_GUARD(_name, _number, _text, _words)	[_number] = _words,

static const char *const weirctl_reasons[WEIR_REASON_MAX] = {
	WEIR_REASON_LIST(WEIRCTL_REASON)
};

static const char *const weirctl_guards[WEIR_GUARD_MAX] = {
	WEIR_GUARD_LIST(WEIRCTL_GUARD)
};

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
		WEIR_BREAKER_STATE_LIST(WEIRCTL_NAME)
	};

	return breaker < sizeof(names) / sizeof(names[0]) ? names[breaker] :
							    "?";
}

const char *weirctl_target_state(uint32_t state)
{
	static const char *const names[] = {
		WEIR_TARGET_STATE_LIST(WEIRCTL_NAME)
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

const char *weirctl_ring_state(uint32_t state)
{
	static const char *const names[] = { "?", WEIR_STATE_LIST(WEIRCTL_NAME) };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

const char *weirctl_policy_name(uint32_t policy)
{
	static const char *const names[WEIR_POLICY_MAX] = {
		WEIR_POLICY_LIST(WEIRCTL_NAME)
	};

	return policy < WEIR_POLICY_MAX ? names[policy] : "?";
}
