// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Calls a service and prints its answer: call PATH [TEXT [COUNT]]. It sends one
 * request at a time. One system call sends the request and waits for its reply.
 * With COUNT it calls COUNT times and prints the mean time. Exit status 3 means
 * that the router or the service refused. The words tell which of them, why, and
 * when to try again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir.h>

#define TIMEOUT_NS	INT64_C(2000000000)

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	struct weir_call call = { .flags = WEIR_REC_IDEMPOTENT };
	const char *text = argc > 2 ? argv[2] : "hello";
	unsigned long count = 1, i;
	char reply[4096];
	double start, took;
	struct weir *w;
	ssize_t n;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: call PATH [TEXT [COUNT]]\n");
		return 2;
	}
	if (argc > 3)
		count = strtoul(argv[3], NULL, 10);
	if (weir_open(&w, SOCK_RDM, NULL)) {
		fprintf(stderr, "call: %s\n", weir_error());
		return 1;
	}
	n = weir_route(w, argv[1]);
	if (n > 0)
		call.route = (uint32_t)n;
	start = now_us();
	for (i = 0; n >= 0 && i < count; i++)
		n = weir_call(w, &call, text, strlen(text), reply,
			      sizeof(reply), TIMEOUT_NS);
	took = now_us() - start;
	if (n < 0)
		fprintf(stderr, "call: %s\n",
			n == -EINTR ? "interrupted" : weir_error());
	else if (count)
		printf("%.*s%s\n", n < (ssize_t)sizeof(reply) ? (int)n :
		       (int)sizeof(reply), reply,
		       n > (ssize_t)sizeof(reply) ? " (cut)" : "");
	if (n >= 0 && count > 1)
		printf("%lu calls, %.2f us each\n", count, took / (double)count);
	weir_close(w);
	return n < 0 ? 3 : 0;
}
