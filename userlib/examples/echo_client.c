// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Sends requests and waits for each reply: echo_client PATH [COUNT [BYTES]].
 * Prints the mean round trip. The commit of a request wakes no reader. The wait
 * after it wakes the server and sleeps in one system call.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir.h>

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int request(struct weir *w, uint32_t tag, size_t len)
{
	struct weir_buf buf;
	int err = weir_claim_wait(w, len, &buf, WEIR_FOREVER);

	if (err)
		return err;
	memset(buf.data, (int)(tag & 0xff), len);
	buf.kind = WEIR_KIND_REQUEST;
	buf.tag = tag;
	weir_commit_more(w, &buf);
	return 0;
}

static int await_reply(struct weir *w, uint32_t tag, size_t len)
{
	struct weir_msg msg;
	int ret;

	while (!(ret = weir_peek(w, &msg))) {
		ret = weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
		if (ret < 0)
			return ret;
	}
	if (ret < 0)
		return ret;
	if (msg.rec->tag != tag || msg.len != len)
		fprintf(stderr, "echo_client: reply %u of %u bytes to request %u\n",
			msg.rec->tag, msg.len, tag);
	return weir_release(w, &msg);
}

int main(int argc, char **argv)
{
	struct weir_config config = { .spin_ns = 20000 };
	uint32_t count = 1000, tag;
	size_t len = 32;
	struct weir *w;
	double start;
	int err;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: echo_client PATH [COUNT [BYTES]]\n");
		return 2;
	}
	if (argc > 2)
		count = (uint32_t)strtoul(argv[2], NULL, 10);
	if (argc > 3)
		len = strtoul(argv[3], NULL, 10);
	err = weir_open(&w, SOCK_SEQPACKET, &config);
	if (err)
		goto fail;
	err = weir_connect(w, argv[1]);
	start = now_us();
	for (tag = 0; !err && tag < count; tag++) {
		err = request(w, tag, len);
		if (!err)
			err = await_reply(w, tag, len);
	}
	if (!err && count)
		printf("%u round trips of %zu bytes, %.2f us each\n", count, len,
		       (now_us() - start) / count);
	weir_close(w);
	if (!err)
		return 0;
fail:
	fprintf(stderr, "echo_client: %s\n",
		err == -EPIPE ? "the server closed the connection" :
		err == -EINTR ? "interrupted" : weir_error());
	return 1;
}
