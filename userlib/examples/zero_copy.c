// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * A C structure written and read in place: zero_copy publish PATH COUNT, and
 * zero_copy subscribe PATH COUNT. No byte of a message is copied between the two
 * processes. The subscriber works on the publisher's memory, which it can only
 * read. Claims, wake-ups and releases are made for batches of quotes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.h>

/* Format for both sides: fixed sizes, no pointers, 8-byte alignment. */
struct quote {
	uint64_t	number;
	int64_t		bid_cents;
	int64_t		ask_cents;
	char		symbol[8];
};

#define BATCH	16

static int publish(struct weir *w, const char *path, unsigned long count)
{
	int err = weir_bind(w, path);
	unsigned long i = 0;

	while (!err && i < count) {
		unsigned long want = count - i < BATCH ? count - i : BATCH;
		struct weir_buf buf;
		int left = weir_claim_batch(w, sizeof(struct quote),
					    (uint32_t)want, &buf);

		if (left == -EAGAIN) {
			/* Subscribers hold the ring: wait for space for one. */
			err = weir_wait(w, WEIR_WAIT_OUT,
					weir_ring_need(sizeof(struct quote)),
					WEIR_FOREVER);
			err = err < 0 ? err : 0;
			continue;
		}
		if (left < 0)
			return left;
		for (; left > 0; left = weir_claim_next(w, &buf), i++) {
			struct quote *q = buf.data;

			q->number = i;
			q->bid_cents = 10000 + (int64_t)(i % 100);
			q->ask_cents = q->bid_cents + 2;
			memcpy(q->symbol, "WEIR\0\0\0", sizeof(q->symbol));
			weir_commit_more(w, &buf);
		}
		weir_flush(w);
	}
	return err;
}

static int subscribe(struct weir *w, const char *path, unsigned long count)
{
	int ret = weir_subscribe(w, path);
	unsigned long got = 0;
	int64_t spread = 0;

	while (ret >= 0 && got < count) {
		struct weir_msg msg;
		int n = 0;

		ret = weir_peek(w, &msg);
		if (ret < 0)
			break;
		if (!ret) {
			ret = weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
			continue;
		}
		do {
			/* The sender chooses the length: check it before use. */
			if (msg.len == sizeof(struct quote)) {
				const struct quote *q = msg.data;

				spread += q->ask_cents - q->bid_cents;
				got++;
			}
		} while (++n < BATCH && got < count && weir_peek_next(w, &msg));
		ret = weir_release(w, &msg);
	}
	if (ret >= 0)
		printf("%lu quotes, mean spread %.2f cents\n", got,
		       got ? (double)spread / (double)got : 0.0);
	return ret < 0 ? ret : 0;
}

int main(int argc, char **argv)
{
	unsigned long count;
	struct weir *w;
	int err;

	if (argc != 4 || (strcmp(argv[1], "publish") &&
			  strcmp(argv[1], "subscribe"))) {
		fprintf(stderr, "usage: zero_copy publish|subscribe PATH COUNT\n");
		return 2;
	}
	count = strtoul(argv[3], NULL, 10);
	err = weir_open(&w, SOCK_RDM, NULL);
	if (!err) {
		err = argv[1][0] == 'p' ? publish(w, argv[2], count) :
					  subscribe(w, argv[2], count);
		weir_close(w);
	}
	if (err)
		fprintf(stderr, "zero_copy: %s\n",
			err == -ESTALE ? "too slow, evicted" :
			err == -EPROTO ? "the publisher wrote nonsense" :
			err == -EINTR ? "interrupted" : weir_error());
	return err ? 1 : 0;
}
