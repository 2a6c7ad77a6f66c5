// SPDX-License-Identifier: GPL-2.0
/*
 * A caller moves the cursor of its inbox back and forth, so that a reply that
 * fits into the room kept for it waits all the same, and is called for no room
 * at all. The target's port is not left in the inbox's list of those that were
 * called: it goes, and others that wait there are called after it.
 */
#include "routed.h"

#define INBOX	4096
#define GRANULE	64

/* Reads everything; whether an answer with this tag was there. */
static bool read_all(struct weir *w, uint32_t tag)
{
	struct weir_msg msg;
	bool found = false;

	while (weir_peek(w, &msg) == 1) {
		found |= msg.kind == WEIR_KIND_REPLY && msg.rec->tag == tag;
		weir_release(w, &msg);
	}
	weir_flush(w);
	return found;
}

/* A target replies so. */
static bool waits_for_nothing(struct weir *c, struct weir *s, struct weir *x,
			      uint32_t in, uint32_t tag)
{
	uint32_t route = route_of(c, "/grant/target");
	struct weir_buf buf = { 0 };
	struct weir_ticket t;
	struct weir_msg msg;

	ask(c, route, tag);
	msg = next_message(s, "the target");
	t = weir_ticket(&msg);
	weir_release(s, &msg);
	/* full, but for what is kept for the answer; then fuller than that */
	shower(x, in, INBOX / GRANULE);
	c->inbox->cursor->pos -= GRANULE;
	shower(x, in, 1);
	need(!weir_reply_claim(s, &t, 4, &buf), "claim");
	memcpy(buf.data, &tag, 4);
	weir_reply_commit_more(s, &t, WEIR_KIND_REPLY, WEIR_REC_WAIT, &buf);
	weir_flush(s);
	c->inbox->cursor->pos += GRANULE;
	weir_flush(c);
	return soon(read_all(c, tag));
}

int main(void)
{
	struct weir_route_conf conf = { 0 };
	struct weir_call call = { .one_way = 1 };
	struct weir *c, *s, *x;
	struct weir_msg first;
	uint32_t in, tag, i, good;

	hard_begin();
	c = handle(INBOX, INBOX);
	need(!weir_serve(c, "/grant/caller", 1, NULL), "serve");
	x = caller("/grant/caller", &in);
	call.route = in;
	/* its cursor has somewhere to go back to */
	shower(x, in, 1);
	first = next_message(c, "the caller");
	weir_release(c, &first);
	/* a reply waits for as long as a slow machine needs */
	conf.patience_ns = HARD_DEADLINE_NS;
	need(!route_set("/grant/target", &conf), "route");
	for (tag = 1; tag <= 8; tag++) {
		s = server_of("/grant/target", 1, INBOX, NULL);
		/* again before the first call is forgotten */
		for (i = 0; i < 4; i++)
			check(waits_for_nothing(c, s, x, in, tag * 4 + i),
			      "a reply comes that needs no more room (%u)",
			      tag);
		weir_close(s);
		/* one waits for room, and is called when the others have gone */
		for (i = 0; i <= INBOX / GRANULE; i++)
			need(!request(x, &call, &i, sizeof(i)), "event");
		weir_flush(x);
		pass(50 * 1000000);
		good = 0;
		for (i = 0; i <= INBOX / GRANULE;) {
			struct weir_msg msg = next_message(c, "the caller");

			good += msg.kind == WEIR_KIND_EVENT && msg.len == 4 &&
				!memcmp(msg.data, &i, 4);
			i += msg.kind == WEIR_KIND_EVENT;
			weir_release(c, &msg);
			weir_flush(c);
		}
		check(good == i, "and who waits for more gets it (%u)", tag);
	}
	weir_close(x);
	weir_close(c);
	need(!route_del("/grant/target"), "del");
	check_routes_gone("grants");
	check_kernel();
	return tap_done();
}
