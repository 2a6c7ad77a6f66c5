// SPDX-License-Identifier: GPL-2.0
/*
 * Rings of large pages (WEIR_SO_HUGE): the same bytes arrive as with small
 * ones, in every part of the ring and across its end, and kernels that can (6.12
 * and later) really put large pages into both mappings.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "hard.h"

#define RING_BYTES	(8u << 20)
#define MESSAGE_BYTES	100000u

static unsigned char pattern(uint32_t seq, uint32_t i)
{
	return (unsigned char)(seq * 131 + i * 7 + (i >> 8));
}

static bool whole(const struct weir_msg *msg)
{
	const unsigned char *p = msg->data;
	uint32_t i;

	for (i = 0; i < msg->len; i += 97) {
		if (p[i] != pattern(msg->seq, i))
			return false;
	}
	return msg->len == MESSAGE_BYTES;
}

/* Three times round the ring, so that records lie across its end. */
static void three_laps(struct weir *out, struct weir *in)
{
	uint32_t n, i, good = 0, laps = 3 * (RING_BYTES / MESSAGE_BYTES);

	for (n = 0; n < laps; n++) {
		struct weir_buf buf;
		struct weir_msg msg;

		if (weir_claim_wait(out, MESSAGE_BYTES, &buf, WEIR_DONTWAIT))
			break;
		for (i = 0; i < MESSAGE_BYTES; i++)
			((unsigned char *)buf.data)[i] = pattern(buf.seq, i);
		weir_commit(out, &buf);
		if (weir_peek(in, &msg) != 1)
			break;
		good += whole(&msg);
		weir_release(in, &msg);
	}
	check(good == laps, "%u of %u messages arrive whole", good, laps);
}

int main(void)
{
	struct weir_config config = { .flags = WEIR_HUGE,
				      .ring_bytes = RING_BYTES };
	struct weir *out, *in;
	unsigned int major = 0, minor = 0;
	struct counters before;
	struct utsname host;
	long huge;

	hard_begin();
	before = counters();
	huge = tap_stat("stats/huge_maps");
	need(!weir_open(&out, SOCK_RDM, &config), "open: %s", weir_error());
	need(!weir_open(&in, SOCK_RDM, NULL), "open: %s", weir_error());
	need(!weir_bind(out, "/huge"), "bind: %s", weir_error());
	need(!weir_subscribe(in, "/huge"), "subscribe: %s", weir_error());
	three_laps(out, in);
	huge = tap_stat("stats/huge_maps") - huge;
	uname(&host);
	sscanf(host.release, "%u.%u", &major, &minor);
	if (major * 1000 + minor >= 6012)
		check(huge >= 4, "large pages were mapped: %ld", huge);
	else
		check(huge == 0, "kernel %s maps small ones", host.release);
	weir_close(in);
	weir_close(out);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
