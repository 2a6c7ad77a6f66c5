// SPDX-License-Identifier: GPL-2.0
/* A connected pair of AF_UNIX SOCK_STREAM sockets. */
#define LINK		BATCHED(link_stream)
#define LINK_NAME	BATCHED_NAME("stream")
#define LINK_WHAT	"AF_UNIX SOCK_STREAM, read() and write(), default buffers (larger for long messages), sleeping" BATCHED_STREAM
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(1 * MIB)
#define SOCK_FAMILY	AF_UNIX
#define SOCK_KIND	SOCK_STREAM

#include "sock_pair.h"
