/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Reasons, guards and states, in words. */
#ifndef WEIRCTL_REASON_H
#define WEIRCTL_REASON_H

#include <stdint.h>

uint32_t weirctl_reason_named(const char *name);
const char *weirctl_reason_text(uint32_t reason);
const char *weirctl_guard_text(uint32_t guard);
const char *weirctl_breaker_name(uint32_t breaker);
const char *weirctl_target_state(uint32_t state);
const char *weirctl_ring_state(uint32_t state);
const char *weirctl_policy_name(uint32_t policy);

#endif /* WEIRCTL_REASON_H */
