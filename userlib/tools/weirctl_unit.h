/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Values with units: exactly as a user writes them, or rounded for display. */
#ifndef WEIRCTL_UNIT_H
#define WEIRCTL_UNIT_H

#include <stdbool.h>
#include <stdint.h>

struct weirctl_options;

bool weirctl_number(const char *text, unsigned long long *value);
bool weirctl_duration(const char *text, uint64_t *ns);
bool weirctl_share(const char *text, uint32_t *permille);
const char *weirctl_duration_text(uint64_t ns, char buf[24]);
const char *weirctl_size_text(uint64_t bytes, char buf[24]);

/* Each writes a readable number to @buf, which has 24 bytes, and returns it. */
const char *weirctl_bytes(const struct weirctl_options *o, uint64_t n,
			  char *buf);
const char *weirctl_rate(const struct weirctl_options *o, double n, char *buf);
const char *weirctl_time(const struct weirctl_options *o, uint64_t ns,
			 char *buf);

#endif /* WEIRCTL_UNIT_H */
