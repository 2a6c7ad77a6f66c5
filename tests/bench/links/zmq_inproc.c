// SPDX-License-Identifier: GPL-2.0
/* ZeroMQ between threads of one process. */
#define LINK		link_zmq_inproc
#define LINK_NAME	"zmq-inproc"
#define LINK_WHAT	"ZeroMQ PAIR over inproc:// (fan-out XPUB/SUB, fan-in PUSH/PULL), two threads, as many waiting as fit the ring, sleeping"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_THREADS	true
#define LINK_LEN_MAX	(1 * MIB)
#define PAIR_AT		"inproc://weir-bench-%d-%d"

#include "zmq_end.h"
