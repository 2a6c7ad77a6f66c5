// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of what libraries and daemons make: of ZeroMQ and nng all that the
 * machine has less of, in the kernel and in the process. Of NATS it is what its
 * server has resident, without the sockets in the kernel and without what the
 * client has; each time it is a new server. iceoryx has what its configuration
 * gives it from the start, and haproxy none to itself: a connection of its is
 * two of TCP's.
 */
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "daemon.h"
#include "memory.h"
#include "nats_server.h"

#define SOCKETS		500
#define PAIRS		250
#define SUBSCRIPTIONS	20000
#define CONNECTIONS	200

/* --- ZeroMQ --- */

static void *context;

static bool zmq_begin(const struct thing *t)
{
	context = zmq_ctx_new();
	return context && !zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 4 * (int)t->n);
}

static bool zmq_make(const struct thing *t, unsigned int i)
{
	(void)t;
	(void)i;
	return zmq_socket(context, ZMQ_PAIR);
}

static bool zmq_join(const struct thing *t, unsigned int i)
{
	void *one = zmq_socket(context, ZMQ_PAIR);
	void *other = zmq_socket(context, ZMQ_PAIR);
	char at[64];

	snprintf(at, sizeof(at), "%s-%d-%u", !strcmp(t->who, "zmq-ipc") ?
		 "ipc://@weir-bench" : "inproc://weir-bench", (int)getpid(), i);
	return one && other && !zmq_bind(one, at) && !zmq_connect(other, at);
}

/* --- nng --- */

static bool nng_make(const struct thing *t, unsigned int i)
{
	nng_socket s;
	int err = nng_pair0_open(&s);

	(void)t;
	if (err)
		say("nng: number %u: %s", i, nng_strerror(err));
	return !err;
}

static bool nng_join(const struct thing *t, unsigned int i)
{
	nng_socket one, other;
	char at[64];
	int err;

	(void)t;
	snprintf(at, sizeof(at), "abstract://weir-bench-%d-%u", (int)getpid(),
		 i);
	if ((err = nng_pair0_open(&one)) || (err = nng_pair0_open(&other)) ||
	    (err = nng_listen(one, at, NULL, 0)) ||
	    (err = nng_dial(other, at, NULL, 0)))
		say("nng: number %u: %s", i, nng_strerror(err));
	return !err;
}

/* --- NATS --- */

static struct {
	char		url[NATS_URL_MAX];
	pid_t		server;
	natsConnection	*c;
} nats;

static bool nats_begin(const struct thing *t)
{
	(void)t;
	nats.server = nats_server_start(nats.url);
	if (nats.server < 0) {
		errno = -nats.server;
		return false;
	}
	nats.c = nats_connect(nats.url, false);
	return true;
}

static double nats_used(void)
{
	good(natsConnection_Flush(nats.c), "flush");
	return memory_resident(nats.server);
}

static void nats_subscribe(const char *subject)
{
	natsSubscription *sub;

	good(natsConnection_SubscribeSync(&sub, nats.c, subject), "subscribe");
}

static bool nats_subscribe_new(const struct thing *t, unsigned int i)
{
	char subject[64];

	(void)t;
	snprintf(subject, sizeof(subject), "bench.path.%u.%u", i / 100, i);
	nats_subscribe(subject);
	return true;
}

static bool nats_subscribe_same(const struct thing *t, unsigned int i)
{
	(void)t;
	(void)i;
	nats_subscribe("bench.many");
	return true;
}

static bool nats_join(const struct thing *t, unsigned int i)
{
	(void)t;
	(void)i;
	nats_connect(nats.url, true);
	return true;
}

const struct thing memory_peers[] = {
	{ "mem_socket", "zmq-inproc", SOCKETS, .make = zmq_make, .begin = zmq_begin },
	{ "mem_socket", "nng", SOCKETS, .make = nng_make },
	{ "mem_joined", "zmq-ipc", PAIRS, .make = zmq_join, .begin = zmq_begin },
	{ "mem_joined", "zmq-inproc", PAIRS, .make = zmq_join, .begin = zmq_begin },
	{ "mem_joined", "nng", PAIRS, .make = nng_join },
	{ "mem_bound", "nats", SUBSCRIPTIONS, .make = nats_subscribe_new,
	  .begin = nats_begin, .used = nats_used },
	{ "mem_attached", "nats", SUBSCRIPTIONS, .make = nats_subscribe_same,
	  .begin = nats_begin, .used = nats_used },
	{ "mem_joined", "nats", CONNECTIONS, .make = nats_join, .begin = nats_begin,
	  .used = nats_used },
};

const unsigned int memory_peers_count =
	sizeof(memory_peers) / sizeof(memory_peers[0]);
