// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * A service that calls two others: coroutine PATH FIRST SECOND. Each request
 * goes to both, one after the other. Its reply is both answers together. The
 * handler reads as if it had a thread of its own, but up to a thousand handlers
 * wait on each CPU at once.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <weir_loop.h>

#define TEXT_MAX	1024

/**
 * struct asked - the services that are called
 * @path: their paths.
 */
struct asked {
	const char *path[2];
};

/* Each thread asks in this order, so the route handles are the same in all. */
static int start(struct weir_worker *worker)
{
	const struct asked *asked = worker->arg;
	int i, route = 0;

	for (i = 0; i < 2 && route >= 0; i++)
		route = weir_route(worker->w, asked->path[i]);
	return route < 0 ? route : 0;
}

static void handle(struct weir_worker *worker, const struct weir_msg *msg,
		   struct weir_ticket ticket)
{
	struct weir_call call = { .flags = WEIR_REC_IDEMPOTENT };
	char text[TEXT_MAX], both[2 * TEXT_MAX + 3];
	size_t len = msg->len < TEXT_MAX ? msg->len : TEXT_MAX, n = 0;
	ssize_t got;

	/* The request is not valid after the first wait: keep its deadline. */
	memcpy(text, msg->data, len);
	call.deadline_ns = weir_msg_deadline(msg);
	for (call.route = 1; call.route <= 2; call.route++) {
		got = weir_co_call(worker, &call, text, len, both + n,
				   TEXT_MAX);
		if (got == -ECANCELED)
			return;
		if (got < 0) {
			weir_reply_error(worker->w, &ticket, weir_error(),
					 strlen(weir_error()), WEIR_FOREVER);
			return;
		}
		n += (size_t)got < TEXT_MAX ? (size_t)got : TEXT_MAX;
		if (call.route == 1) {
			memcpy(both + n, " | ", 3);
			n += 3;
		}
	}
	if (weir_worker_reply(worker, ticket, both, n))
		fprintf(stderr, "coroutine: %s\n", weir_error());
}

static void on_signal(int signal)
{
	(void)signal;
	weir_loop_stop();
}

int main(int argc, char **argv)
{
	struct weir_config config = { .inbox_bytes = 1 << 20 };
	struct weir_loop_config loop = {
		.config = &config,
		.coroutines = 1000,
		.handler = handle,
		.on_start = start,
	};
	struct asked asked;

	if (argc != 4) {
		fprintf(stderr, "usage: coroutine PATH FIRST SECOND\n");
		return 2;
	}
	loop.path = argv[1];
	asked.path[0] = argv[2];
	asked.path[1] = argv[3];
	loop.arg = &asked;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (weir_loop_run(&loop)) {
		fprintf(stderr, "coroutine: %s\n", weir_error());
		return 1;
	}
	return 0;
}
