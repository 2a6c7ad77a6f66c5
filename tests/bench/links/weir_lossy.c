// SPDX-License-Identifier: GPL-2.0
/* weir's lossy sockets: a slow reader loses messages, and is told how many. */
#include <sys/socket.h>

#define LINK		link_weir_lossy
#define LINK_NAME	"weir-lossy"
#define LINK_WHAT	"weir's SOCK_DGRAM, publisher sleeping"
#define LINK_MODULE	true
#define LINK_SLEEPS	true
#define LINK_ONLY	"slow"
#define WEIR_WAY	WAY_PLAIN
#define WEIR_TYPE	SOCK_DGRAM

#include "weir_end.h"
