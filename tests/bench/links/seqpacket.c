// SPDX-License-Identifier: GPL-2.0
/* A connected pair of AF_UNIX SOCK_SEQPACKET sockets. */
#define LINK		BATCHED(link_seqpacket)
#define LINK_NAME	BATCHED_NAME("seqpacket")
#define LINK_WHAT	"AF_UNIX SOCK_SEQPACKET, read() and write(), default buffers (larger for long messages), sleeping" BATCHED_MMSG
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(1 * MIB)
#define FD_DATAGRAMS	1
#define SOCK_FAMILY	AF_UNIX
#define SOCK_KIND	SOCK_SEQPACKET

#include "sock_pair.h"
