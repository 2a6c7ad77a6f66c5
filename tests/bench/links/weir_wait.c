// SPDX-License-Identifier: GPL-2.0
/* weir with sides that sleep: one system call for each hop. */
#define LINK		link_weir_wait
#define LINK_NAME	"weir-wait"
#define LINK_WHAT	"weir direct, sleeping: weir_commit_more(), weir_wait() with WEIR_WAIT_KICK"
#define WEIR_WAY	WAY_WAIT
#define LINK_MODULE	true
#define LINK_SLEEPS	(WEIR_WAY != WAY_POLL)

#include "weir_end.h"
