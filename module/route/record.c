// SPDX-License-Identifier: GPL-2.0
/* Records with more to read than a header: see record.h. */
#include "logic/clock.h"
#include "ring/ring.h"
#include "route/record.h"
#include "uapi/weir_route.h"
#include "weir.h"

/*
 * weir_message_read_slow() - the rest of weir_message_read(): records that are
 * aborted, have an extension or a length that is not possible
 *
 * @v: view of an outbox.
 */
enum weir_read weir_message_read_slow(const struct weir_ring_view *v, u64 *pos,
				      struct weir_message *m)
{
	u32 ext, most = weir_ring_max_len(v), n;
	struct weir_record *rec;
	struct weir_words *words;
	const struct weir_ring *outbox;
	const u64 *ext_words;
	u64 header;

	for (n = 0; ; n++) {
		if (n == WEIR_ABORTED_MAX)
			return WEIR_READ_MORE;
		rec = weir_ring_at(v, *pos);
		words = (struct weir_words *)rec;
		if (smp_load_acquire(&rec->commit) != *pos + v->secret)	/* (B) */
			return WEIR_READ_NONE;
		header = WEIR_WORD(READ_ONCE(words->header));
		m->len = (u32)header;
		ext = (u8)(header >> WEIR_EXT_SHIFT) * 8U;
		if (m->len > most || ext > most - m->len)
			return WEIR_READ_BROKEN;
		m->total = weir_ring_need(m->len + ext);
		m->flags = header >> WEIR_FLAGS_SHIFT;
		if (!(m->flags & WEIR_REC_ABORTED))
			break;
		*pos += m->total;
	}
	m->kind = header >> WEIR_KIND_SHIFT;
	m->pos = *pos;
	m->route = WEIR_WORD(READ_ONCE(words->seq_route)) >> 32;
	m->tag_key = WEIR_WORD(READ_ONCE(words->tag_key));
	m->payload = (u8 *)(rec + 1) + ext;
	ext_words = (const u64 *)(rec + 1);
	outbox = container_of(v, struct weir_ring, view);
	m->deadline_ns = ext ? weir_clock_in(READ_ONCE(
					     ext_words[WEIR_EXT_DEADLINE]),
					     outbox->clock_ns) : 0;
	m->dup = ext > WEIR_EXT_DUP * 8U ?
		 READ_ONCE(ext_words[WEIR_EXT_DUP]) : 0;
	if (ext > WEIR_EXT_MAX * 8U)
		m->kind |= WEIR_MESSAGE_BAD;
	m->small = false;
	return WEIR_READ_ONE;
}
