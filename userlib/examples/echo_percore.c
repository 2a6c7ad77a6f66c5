// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Answers each request with itself, on every CPU: echo_percore PATH [SPIN_US].
 * The handler writes the reply directly into the outbox. The loop sends the
 * replies of a round by one system call. Each thread polls for SPIN_US
 * microseconds before it sleeps.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir_loop.h>

static void echo(struct weir_worker *worker, const struct weir_msg *msg,
		 struct weir_ticket ticket)
{
	struct weir_buf buf;

	while (weir_reply_claim(worker->w, &ticket, msg->len, &buf)) {
		if (weir_wait(worker->w, WEIR_WAIT_OUT,
			      weir_ring_need(msg->len), WEIR_FOREVER) < 0)
			return;
	}
	memcpy(buf.data, msg->data, msg->len);
	weir_reply_commit_more(worker->w, &ticket, WEIR_KIND_REPLY, 0, &buf);
}

static void on_signal(int signal)
{
	(void)signal;
	weir_loop_stop();
}

int main(int argc, char **argv)
{
	struct weir_config config = { .inbox_bytes = 1 << 20 };
	struct weir_loop_config loop = { .config = &config, .handler = echo };

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: echo_percore PATH [SPIN_US]\n");
		return 2;
	}
	loop.path = argv[1];
	if (argc > 2)
		config.spin_ns = 1000 * strtoull(argv[2], NULL, 10);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (weir_loop_run(&loop)) {
		fprintf(stderr, "echo_percore: %s\n", weir_error());
		return 1;
	}
	return 0;
}
