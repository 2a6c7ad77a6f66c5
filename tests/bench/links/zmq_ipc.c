// SPDX-License-Identifier: GPL-2.0
/* ZeroMQ between processes. */
#define LINK		link_zmq_ipc
#define LINK_NAME	"zmq-ipc"
#define LINK_WHAT	"ZeroMQ PAIR over ipc:// (fan-out XPUB/SUB, fan-in PUSH/PULL), messages built in place, one I/O thread a process, sleeping"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_HELPED	true
#define LINK_THREADS	false
#define LINK_LEN_MAX	(1 * MIB)
#define PAIR_AT		"ipc:///tmp/weir-bench-%d-%d"

#include "zmq_end.h"
