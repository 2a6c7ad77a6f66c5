// SPDX-License-Identifier: GPL-2.0
/* iceoryx, both sides polling. */
#define LINK		link_iceoryx
#define LINK_NAME	"iceoryx"
#define LINK_WHAT	"iceoryx 2.0 with its daemon RouDi, loaned chunks, both sides polling; queue of 256, which the sender stays within"
#define LINK_SLEEPS	false

#include "iceoryx_end.h"
