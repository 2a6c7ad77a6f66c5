// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Restart without loss: resume publish PATH COUNT, and resume read PATH NAME
 * COUNT. Either may be killed and started again. The publisher's outbox lingers
 * for a minute, and the next publisher continues its numbers. The reader's
 * cursor has a name and is held for a minute. The next reader of that name
 * starts at the first message that the last reader did not release.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.h>

#define MINUTE_MS	60000

static int publish(const char *path, unsigned long count)
{
	struct weir_config config = { .linger_ms = MINUTE_MS };
	struct weir_sock_info info;
	unsigned long i;
	struct weir *w;
	int err;

	err = weir_open(&w, SOCK_RDM, &config);
	if (err)
		return err;
	err = weir_bind(w, path);
	if (!err)
		err = weir_info(w, &info);
	if (!err)
		printf("%s stream\n", info.resumed ? "an earlier" : "a new");
	for (i = 0; !err && i < count; i++) {
		struct weir_buf buf;
		uint32_t number;

		err = weir_claim_wait(w, sizeof(number), &buf, WEIR_FOREVER);
		if (err)
			break;
		/* The ring counts its records, across restarts too. */
		number = buf.seq;
		memcpy(buf.data, &number, sizeof(number));
		weir_commit(w, &buf);
	}
	weir_close(w);
	return err;
}

static int read_on(struct weir *w, unsigned long count)
{
	uint32_t number, expected = 0;
	unsigned long got;

	for (got = 0; got < count; got++) {
		ssize_t len = weir_recv(w, &number, sizeof(number), WEIR_FOREVER);

		if (len < 0)
			return (int)len;
		if (got && number != expected)
			printf("gap: %u where %u was expected\n", number, expected);
		if (!got)
			printf("from %u on\n", number);
		expected = number + 1;
	}
	if (count)
		printf("up to %u\n", number);
	return 0;
}

static int subscribe(const char *path, const char *name, unsigned long count)
{
	struct weir_config config = {
		.name = name,
		.hold_ms = MINUTE_MS,
		.start = WEIR_START_OLDEST,
	};
	struct weir *w;
	int err;

	err = weir_open(&w, SOCK_RDM, &config);
	if (err)
		return err;
	err = weir_subscribe(w, path);
	if (!err)
		err = read_on(w, count);
	weir_close(w);
	return err;
}

int main(int argc, char **argv)
{
	int err;

	if (argc == 4 && !strcmp(argv[1], "publish")) {
		err = publish(argv[2], strtoul(argv[3], NULL, 10));
	} else if (argc == 5 && !strcmp(argv[1], "read")) {
		err = subscribe(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	} else {
		fprintf(stderr, "usage: resume publish PATH COUNT\n"
				"       resume read PATH NAME COUNT\n");
		return 2;
	}
	if (err)
		fprintf(stderr, "resume: %s\n",
			err == -ESTALE ? "too slow, evicted" :
			err == -EINTR ? "interrupted" : weir_error());
	return err ? 1 : 0;
}
