// SPDX-License-Identifier: GPL-2.0
/* iceoryx, who receives sleeping. */
#define LINK		link_iceoryx_wait
#define LINK_NAME	"iceoryx-wait"
#define LINK_WHAT	"the same, who receives sleeping on a WaitSet"
#define LINK_SLEEPS	true
#define LINK_ONLY	"rtt oneway paced"

#include "iceoryx_end.h"
