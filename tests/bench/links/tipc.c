// SPDX-License-Identifier: GPL-2.0
/*
 * A connected pair of TIPC sockets, the kernel's, within a node. A message of
 * theirs is 66000 bytes at most.
 */
#define LINK		BATCHED(link_tipc)
#define LINK_NAME	BATCHED_NAME("tipc")
#define LINK_WHAT	"TIPC SOCK_SEQPACKET within the node, read() and write(), sleeping" BATCHED_MMSG
#define LINK_NEEDS	"this kernel has no TIPC"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(64 * KIB)
#define FD_DATAGRAMS	1
#define SOCK_FAMILY	AF_TIPC
#define SOCK_KIND	SOCK_SEQPACKET
#define SOCK_LOAD	"modprobe -q tipc"

#include "sock_pair.h"
