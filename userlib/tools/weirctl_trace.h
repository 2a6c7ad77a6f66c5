/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Why a message does not arrive: tracepoints, and obstacles on its route. */
#ifndef WEIRCTL_TRACE_H
#define WEIRCTL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <weir.h>

#include "weirctl.h"

struct tep_event;
struct tep_record;

int weirctl_trace(const struct weirctl_options *o);
bool weirctl_event_text(struct tep_event *event, struct tep_record *record,
			const char **path, char *text, size_t size);
int weirctl_diagnose(struct weir *w, const struct weirctl_options *o);

#endif /* WEIRCTL_TRACE_H */
