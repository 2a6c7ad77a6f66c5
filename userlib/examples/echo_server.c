// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Answers each message with itself: echo_server PATH [CONNECTIONS]. Serves one
 * connection after the other (SOCK_SEQPACKET). The reply has the tag of its
 * request, so a client may have several requests in flight.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.h>

/* Copies from the client's ring directly into this server's. */
static int reply(struct weir *conn, struct weir_msg *msg)
{
	struct weir_buf buf;
	int err = weir_claim_wait(conn, msg->len, &buf, WEIR_FOREVER);

	if (err)
		return err;
	memcpy(buf.data, msg->data, msg->len);
	buf.kind = WEIR_KIND_REPLY;
	buf.tag = msg->rec->tag;
	/* The weir_wait() after the last message wakes the client. */
	weir_commit_more(conn, &buf);
	return weir_release(conn, msg);
}

static int serve(struct weir *conn)
{
	struct weir_msg msg;
	int ret;

	for (;;) {
		ret = weir_peek(conn, &msg);
		if (ret == 1)
			ret = reply(conn, &msg);
		else if (!ret)
			ret = weir_wait(conn, WEIR_WAIT_IN, 0, WEIR_FOREVER);
		if (ret < 0)
			return ret == -EPIPE ? 0 : ret;
	}
}

int main(int argc, char **argv)
{
	struct weir_config config = { .spin_ns = 20000 };
	unsigned long left = (unsigned long)-1;
	struct weir *w, *conn;
	int err;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: echo_server PATH [CONNECTIONS]\n");
		return 2;
	}
	if (argc == 3)
		left = strtoul(argv[2], NULL, 10);
	err = weir_open(&w, SOCK_SEQPACKET, &config);
	if (err)
		goto fail;
	err = weir_bind(w, argv[1]);
	if (!err)
		err = weir_listen(w, 16);
	while (!err && left--) {
		err = weir_accept(w, &conn, WEIR_FOREVER);
		if (err)
			break;
		if (serve(conn))
			fprintf(stderr, "echo_server: a client failed\n");
		weir_close(conn);
	}
	weir_close(w);
	if (!err)
		return 0;
fail:
	fprintf(stderr, "echo_server: %s\n",
		err == -EINTR ? "interrupted" : weir_error());
	return 1;
}
