// SPDX-License-Identifier: GPL-2.0
/*
 * ZeroMQ: what the n-th subscriber of one publisher costs, over ipc://, from
 * its zmq_connect() until the publisher has its subscription. A publisher that
 * tells so is an XPUB. Both in one process, without which the end could not be
 * seen; the library's thread does most of it. Each takes three descriptors.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "bench.h"
#include "many.h"
#include "scale.h"

#define SUBSCRIBERS	1000
#define DESCRIPTORS	3

static struct many *many;	/* shared with the process that subscribes */
static char at[64];

static void zmq_good(bool good, const char *what)
{
	if (!good)
		die("zmq: %s: %s", what, zmq_strerror(errno));
}

static void subscribe_many(struct job *job, int side)
{
	void *subscriber[SUBSCRIBERS + MANY_AROUND];
	void *context = zmq_ctx_new(), *publisher;
	const int none = 0, all = 1;
	char got[16];
	uint64_t start;
	unsigned int i;

	(void)job;
	(void)side;
	zmq_good(context && !zmq_ctx_set(context, ZMQ_MAX_SOCKETS,
					 2 * SUBSCRIBERS), "context");
	publisher = zmq_socket(context, ZMQ_XPUB);
	/* that of each, not only the first on a subject */
	zmq_good(publisher && !zmq_setsockopt(publisher, ZMQ_XPUB_VERBOSE, &all,
					      sizeof(all)) &&
		 !zmq_bind(publisher, at), "publisher");
	while (!many_full(many)) {
		void *s = zmq_socket(context, ZMQ_SUB);

		zmq_good(s && !zmq_setsockopt(s, ZMQ_SUBSCRIBE, "bench", 5) &&
			 !zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof(none)),
			 "subscriber");
		start = now_ns();
		zmq_good(!zmq_connect(s, at), "connect");
		zmq_good(zmq_recv(publisher, got, sizeof(got), 0) == 6,
			 "a subscription");
		subscriber[many->n] = s;
		many_add(many, -1, (double)(now_ns() - start));
	}
	for (i = 0; i < many->n; i++)
		zmq_close(subscriber[i]);
	zmq_close(publisher);
	zmq_ctx_term(context);
}

void scale_zmq(unsigned int round)
{
	struct job *job = job_new();

	if (!wanted("subscribe", "zmq-ipc"))
		return;
	snprintf(at, sizeof(at), "ipc:///tmp/weir-bench-zmq-%d", (int)getpid());
	many = many_new(many_files(DESCRIPTORS * SUBSCRIBERS) / DESCRIPTORS);
	job->helped = true;
	if (job_run(job, subscribe_many, 1))
		many_figures(many, round, "subscribe", "zmq-ipc");
	many_free(many);
	unlink(at + strlen("ipc://"));
}
