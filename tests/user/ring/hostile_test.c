// SPDX-License-Identifier: GPL-2.0
/*
 * The other party writes nonsense: every word of its head, of its cursor, of
 * its records is set at random between calls of the library. Nothing may be
 * touched outside the mappings (guard pages and the address sanitizer watch),
 * every call must come back, and what a message says of itself must lie within
 * the mapping.
 */
#include <errno.h>
#include <string.h>

#include "../../tap/tap.h"
#include "../model/model.h"
#include "../random.h"

#define RING	4096
#define ROUNDS	40000

static unsigned long long rnd = 99;

/* Values near the edges are as likely as any other. */
static __u64 nasty(__u64 near)
{
	static const __u64 edges[] = { 0, ~0ULL, 1ULL << 31, 1ULL << 32,
				       1ULL << 63, 0xffffffc0, RING, 64 };
	__u64 r = random_next(&rnd);

	switch (r % 4) {
	case 0:
		return random_next(&rnd);
	case 1:
		return near + (r >> 8) % 9 * 64 - 256;
	case 2:
		return near + (r >> 8) % 9 - 4;
	default:
		return edges[(r >> 8) % 8] + (r >> 16) % 3 - 1;
	}
}

static void open_type(struct weir **w, int type, uint32_t flags)
{
	struct weir_config config = { .flags = flags, .ring_bytes = RING };

	tap_need(!weir_open(w, type, &config));
}

/* A record header as the owner of the secret can forge it; most would pass. */
static void forge(const struct model_words *m, __u64 pos)
{
	struct weir_record *rec = (void *)(m->data + (pos & (RING - 1) & ~63ULL));
	bool passes = random_next(&rnd) % 8;

	weir_store(&rec->len, passes ? (__u32)(random_next(&rnd) % (RING / 2)) :
				       (__u32)nasty(RING));
	weir_store(&rec->ext, (__u8)random_next(&rnd));
	weir_store(&rec->flags, (__u8)(random_next(&rnd) % 2));
	weir_store(&rec->kind, (__u8)(random_next(&rnd) % 6));
	weir_store(&rec->seq, (__u32)random_next(&rnd));
	weir_store_release(&rec->commit, (pos & ~63ULL) + m->status->secret);
}

static void spoil_owner(const struct model_words *m, __u64 reader_pos)
{
	__u64 granule = m->head->claim >> 32;

	switch (random_next(&rnd) % 12) {
	case 0:
		weir_store(&m->head->claim, nasty(m->head->claim));
		break;
	case 1:
		weir_store(&m->head->limit, nasty(reader_pos + RING));
		break;
	case 2:
		weir_store(&m->head->intent, nasty(m->head->intent));
		break;
	case 3:
		weir_store(&m->head->seq_limit, (__u32)nasty(0));
		break;
	case 4:
		/* a claim that a lossy reader takes for an overrun */
		weir_store(&m->head->limit, (granule + RING / 32) * 64);
		weir_store(&m->head->claim, (granule + RING / 32) << 32);
		break;
	default:
		forge(m, random_next(&rnd) % 2 ? reader_pos :
						nasty(reader_pos));
	}
}

static void check_msg(const struct weir_msg *msg)
{
	const unsigned char *from = msg->stream->view;
	const unsigned char *data = msg->data;
	unsigned int sum = 0;
	uint32_t i;

	tap_need(data >= from + 2 * WEIR_PAGE_BYTES);
	tap_need(msg->len <= msg->stream->view_len &&
		 data + msg->len <= from + msg->stream->view_len);
	for (i = 0; i < msg->len; i += 61)
		sum += data[i];
	if (msg->len)
		sum += data[msg->len - 1];
	__asm__ volatile("" : : "r"(sum));
}

static void test_owner(int type)
{
	unsigned int round, got = 0, broken = 0;
	struct weir *out = NULL, *in = NULL;
	char data[256];

	for (round = 0; round < ROUNDS; round++) {
		struct model_words m;
		struct weir_msg msg;
		ssize_t len;
		int ret;

		if (!in || !in->nstreams) {
			weir_close(in);
			weir_close(out);
			open_type(&out, type, 0);
			open_type(&in, type, 0);
			tap_need(!weir_bind(out, "/out"));
			tap_need(!weir_subscribe(in, "/out"));
			tap_need(in->nstreams == 1);
		}
		m = model_words(weir_fd(out), 0);
		spoil_owner(&m, in->streams[0]->cursor->pos);
		weir_stream_lag(in->streams[0]);
		ret = weir_peek(in, &msg);
		tap_need(ret == 0 || ret == 1 || ret == -EPROTO ||
			 ret == -ESTALE);
		if (ret < 0) {
			broken++;
			continue;
		}
		if (ret) {
			got++;
			check_msg(&msg);
			spoil_owner(&m, msg.pos);
			if (random_next(&rnd) % 4)
				weir_release(in, &msg);
		}
		spoil_owner(&m, in->streams[0]->cursor->pos);
		if (random_next(&rnd) % 8 == 0) {
			len = weir_recv(in, data, sizeof(data), 0);
			tap_need(len >= -4095);
		}
		if (random_next(&rnd) % 1000 == 0)
			model_end(weir_fd(out), WEIR_STATE_CLOSED);
	}
	tap_ok(got && broken, "a hostile owner, type %d: %u messages, %u streams given up",
	       type, got, broken);
	weir_close(in);
	weir_close(out);
}

static void test_reader(uint32_t flags)
{
	struct weir *out = NULL, *in = NULL;
	unsigned int round, sent = 0, full = 0, evicted = 0;

	for (round = 0; round < ROUNDS; round++) {
		struct model_words m;
		struct weir_buf buf;
		int ret;

		if (!out || !(model_words(weir_fd(out), 0).status->gating[0])) {
			evicted += !!out;
			weir_close(in);
			weir_close(out);
			open_type(&out, SOCK_RDM, flags);
			open_type(&in, SOCK_RDM, 0);
			tap_need(!weir_bind(out, "/out"));
			tap_need(!weir_subscribe(in, "/out"));
		}
		m = model_words(weir_fd(out), 0);
		switch (random_next(&rnd) % 4) {
		case 0:
			weir_store(&m.cursor->pos, nasty(m.head->limit));
			break;
		case 1:
			/* honest: as far as the writer is */
			weir_store(&m.cursor->pos,
				   (m.head->claim >> 32) * 64);
			break;
		case 2:
			weir_store(&m.cursor->flags,
				   (__u32)random_next(&rnd) % 4);
			break;
		default:
			weir_store(&m.cursor->demand, (__u32)nasty(sent));
		}
		ret = weir_claim(out, random_next(&rnd) % 700, &buf);
		tap_need(!ret || ret == -EAGAIN);
		if (ret) {
			full++;
			continue;
		}
		memset(buf.data, 0x5a, buf.len);
		weir_commit(out, &buf);
		sent++;
	}
	tap_ok(sent > 1000, "a hostile reader%s: %u sent, %u refused, %u evicted",
	       flags ? " of shared claims" : "", sent, full, evicted);
	weir_close(in);
	weir_close(out);
}

/* Our own head, written by a wild pointer of ours: words, not a crash. */
static void test_self(void)
{
	unsigned int round, refused = 0;

	for (round = 0; round < 200; round++) {
		struct weir *out;
		struct weir_buf buf;
		int i, ret = 0;

		open_type(&out, SOCK_RDM, 0);
		tap_need(!weir_bind(out, "/out"));
		spoil_owner(&(struct model_words){ .head = out->out.head,
			.data = out->out.data, .status =
			model_words(weir_fd(out), 0).status }, 0);
		for (i = 0; !ret && i < 200; i++) {
			ret = weir_claim(out, 32, &buf);
			if (!ret)
				weir_commit(out, &buf);
		}
		refused += ret == -EPROTO;
		weir_close(out);
	}
	tap_ok(refused, "an own head overwritten: refused %u times of 200",
	       refused);
}

int main(void)
{
	tap_alarm(TAP_SECONDS);
	test_owner(SOCK_RDM);
	test_owner(SOCK_DGRAM);
	test_reader(0);
	test_reader(WEIR_SHARED);
	test_self();
	return tap_done();
}
