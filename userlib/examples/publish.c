// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Publishes lines: publish PATH [COUNT]. Without COUNT it publishes each line of
 * its standard input as a message. With COUNT it publishes numbered messages.
 * Slow subscribers hold it back (SOCK_RDM).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.h>

static int publish_lines(struct weir *w)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		int err = weir_send(w, line, strcspn(line, "\n"), WEIR_FOREVER);

		if (err)
			return err;
	}
	return 0;
}

/* Formats in place, so no byte is copied. */
static int publish_numbers(struct weir *w, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++) {
		struct weir_buf buf;
		int err = weir_claim_wait(w, 64, &buf, WEIR_FOREVER);

		if (err)
			return err;
		/* Claim the longest text, commit the used part. */
		buf.len = (uint32_t)snprintf(buf.data, 64, "message %lu", i);
		weir_commit(w, &buf);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct weir *w;
	int err;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: publish PATH [COUNT]\n");
		return 2;
	}
	err = weir_open(&w, SOCK_RDM, NULL);
	if (err)
		goto fail;
	err = weir_bind(w, argv[1]);
	if (!err)
		err = argc == 3 ? publish_numbers(w, strtoul(argv[2], NULL, 10)) :
				  publish_lines(w);
	weir_close(w);
	if (!err)
		return 0;
fail:
	fprintf(stderr, "publish: %s\n",
		err == -EINTR ? "interrupted" : weir_error());
	return 1;
}
