// SPDX-License-Identifier: GPL-2.0
/* weir with sides that sleep, and no hint that an answer is awaited. */
#define LINK		link_weir_plain
#define LINK_NAME	"weir-plain"
#define LINK_WHAT	"weir direct, sleeping: weir_commit(), weir_wait()"
#define WEIR_WAY	WAY_PLAIN
#define LINK_MODULE	true
#define LINK_SLEEPS	(WEIR_WAY != WAY_POLL)

#include "weir_end.h"
