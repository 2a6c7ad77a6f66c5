// SPDX-License-Identifier: GPL-2.0
/* weir as its fastest users have it: claim, commit, peek, release. */
#define LINK		link_weir
#define LINK_NAME	"weir"
#define LINK_WHAT	"weir direct, both sides polling"
#define WEIR_WAY	WAY_POLL
#define LINK_MODULE	false
#define LINK_SLEEPS	(WEIR_WAY != WAY_POLL)

#include "weir_end.h"
