/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Percentiles of times. */
#ifndef WEIRCTL_HIST_H
#define WEIRCTL_HIST_H

#include <stdbool.h>
#include <stdint.h>

uint64_t weirctl_hist_low(unsigned int i);
bool weirctl_hist_percentile(const uint32_t *is, const uint32_t *was,
			     unsigned int percent, uint64_t *ns);

#endif /* WEIRCTL_HIST_H */
