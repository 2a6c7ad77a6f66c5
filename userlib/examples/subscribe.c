// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Prints published messages: subscribe [-l] PATTERN [COUNT]. With -l it is lossy
 * (SOCK_DGRAM): it holds no publisher back, and prints how many it missed. Ends
 * after COUNT messages, or never.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.h>

static void print(const struct weir_msg *msg)
{
	uintptr_t missed = (uintptr_t)weir_stream_missed(msg->stream);

	/* The stream's user pointer is the count printed last. */
	if (missed != (uintptr_t)msg->stream->user) {
		msg->stream->user = (void *)missed;
		printf("%s: %ju missed so far\n", weir_stream_path(msg->stream),
		       (uintmax_t)missed);
	}
	printf("%s #%u: %.*s\n", weir_stream_path(msg->stream), msg->seq,
	       (int)msg->len, (const char *)msg->data);
}

static int follow(struct weir *w, unsigned long count)
{
	struct weir_msg msg;
	int ret = 0;

	while (count && ret >= 0) {
		ret = weir_peek(w, &msg);
		if (!ret) {
			fflush(stdout);
			ret = weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
			continue;
		}
		if (ret == -ESTALE || ret == -EPROTO) {
			/* One stream has failed; the others go on. */
			fprintf(stderr, "subscribe: %s: %s\n",
				weir_stream_path(msg.stream),
				ret == -ESTALE ? "too slow, evicted" :
						 "its publisher wrote nonsense");
			ret = 0;
			continue;
		}
		if (ret < 0)
			break;
		print(&msg);
		/* A message overwritten during the printing does not count. */
		if (!weir_release(w, &msg))
			count--;
	}
	return ret < 0 ? ret : 0;
}

int main(int argc, char **argv)
{
	int lossy = argc > 1 && !strcmp(argv[1], "-l"), err;
	unsigned long count = (unsigned long)-1;
	struct weir *w;

	argc -= lossy;
	argv += lossy;
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: subscribe [-l] PATTERN [COUNT]\n");
		return 2;
	}
	if (argc == 3)
		count = strtoul(argv[2], NULL, 10);
	err = weir_open(&w, lossy ? SOCK_DGRAM : SOCK_RDM, NULL);
	if (err)
		goto fail;
	err = weir_subscribe(w, argv[1]);
	if (!err)
		err = follow(w, count);
	weir_close(w);
	if (!err)
		return 0;
fail:
	fprintf(stderr, "subscribe: %s\n",
		err == -EINTR ? "interrupted" : weir_error());
	return 1;
}
