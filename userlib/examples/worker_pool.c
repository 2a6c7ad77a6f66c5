// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * A service with several threads: worker_pool PATH [THREADS]. It replies with
 * the number of words in a request, or with an error if the request is not text.
 * The router distributes the requests among the threads. Each thread is pinned
 * to a CPU, and they share no data. SIGINT and SIGTERM end the service after it
 * has answered the requests that have come by then.
 */
#define _GNU_SOURCE 1	/* for sched_getaffinity() */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir_loop.h>

/* Returns the number of words, or -1 if it is not text. */
static int count_words(const unsigned char *text, uint32_t len)
{
	int words = 0, within = 0;
	uint32_t i;

	for (i = 0; i < len; i++) {
		if (!isprint(text[i]) && !isspace(text[i]))
			return -1;
		words += !within && !isspace(text[i]);
		within = !isspace(text[i]);
	}
	return words;
}

static void handle(struct weir_worker *worker, const struct weir_msg *msg,
		   struct weir_ticket ticket)
{
	int words = count_words(msg->data, msg->len), err, n;
	unsigned long *handled = worker->user;
	char text[32];

	++*handled;
	if (words < 0) {
		err = weir_reply_error(worker->w, &ticket, "no text", 7,
				       WEIR_FOREVER);
	} else {
		n = snprintf(text, sizeof(text), "%d words", words);
		err = weir_worker_reply(worker, ticket, text, (size_t)n);
	}
	if (err)
		fprintf(stderr, "worker_pool: %s\n", weir_error());
}

static int start(struct weir_worker *worker)
{
	worker->user = calloc(1, sizeof(unsigned long));
	return worker->user ? 0 : -ENOMEM;
}

static void stop(struct weir_worker *worker)
{
	unsigned long *handled = worker->user;

	if (handled)
		printf("CPU %u: %lu requests\n", worker->cpu, *handled);
	free(handled);
}

static void on_signal(int signal)
{
	(void)signal;
	weir_loop_stop();
}

/* Chooses the first CPUs of those that this thread may use. */
static int choose(cpu_set_t *cpus, int n)
{
	int cpu;

	if (sched_getaffinity(0, sizeof(*cpus), cpus))
		return -1;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, cpus) && --n < 0)
			CPU_CLR(cpu, cpus);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct weir_config config = { .inbox_bytes = 1 << 20 };
	struct weir_loop_config loop = {
		.config = &config,
		.handler = handle,
		.on_start = start,
		.on_stop = stop,
	};
	cpu_set_t cpus;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: worker_pool PATH [THREADS]\n");
		return 2;
	}
	loop.path = argv[1];
	if (argc > 2) {
		if (choose(&cpus, atoi(argv[2]))) {
			perror("worker_pool");
			return 1;
		}
		loop.cpus = &cpus;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (weir_loop_run(&loop)) {
		fprintf(stderr, "worker_pool: %s\n", weir_error());
		return 1;
	}
	return 0;
}
