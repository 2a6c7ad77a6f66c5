// SPDX-License-Identifier: GPL-2.0
/*
 * Callers and targets that write nonsense into every word they can write: the
 * head of the outbox, headers of records, the cursor of the inbox; first one
 * lie at a time, then at random while another thread has it routed. Forged
 * replies to others' calls, tickets used again, storms of kicks, control calls
 * of all wrong sizes, and everything taken that can be had. All the while a
 * caller and its targets, of which none of this is the business, go on
 * undisturbed.
 */
#include <pthread.h>

#include "routed.h"

#define RING	8192

static struct crew *crew;
static pid_t victims[3];
static struct crew_job victim_job[3];

static void victims_begin(void)
{
	int i;

	crew = crew_make();
	route_quiet("/victim");
	for (i = 0; i < 3; i++) {
		victim_job[i] = (struct crew_job){
			.crew = crew, .path = "/victim", .weight = 1,
			.number = i < 2 ? (uint32_t)i : 0, .depth = 16,
			.nap_us = slow_kernel() ? 20000 : 2000,
		};
		victims[i] = i < 2 ? crew_server(&victim_job[i]) :
				     spawn(crew_call, &victim_job[i]);
	}
	need(crew_progress(crew, 50), "the victims work");
}

/* They have gone on, and nothing has happened to them. */
static void check_victims(const char *what)
{
	if (!check(crew_progress(crew, 20) && !crew_bad(crew),
		   "%s: others have not noticed (%llu good, %llu bad)", what,
		   (unsigned long long)crew_good(crew),
		   (unsigned long long)crew_bad(crew)))
		crew_note(crew, what);
}

static void victims_end(void)
{
	crew_calm(crew, &victims[2], 1, false, "victims");
	check(!crew_bad(crew),
	      "every request of theirs was answered well, once: %llu",
	      (unsigned long long)crew_good(crew));
	crew_end(crew, victims, 2);
	need(!route_del("/victim"), "del");
}

/* --- a liar ------------------------------------------------------------------ */

/**
 * struct liar - a socket whose shared memory was mapped by hand
 * @fd: the socket; it serves /liar and calls /victim (1) and /liar (2).
 * @out, @in: its rings.
 * @v: the outbox, as its owner sees it.
 */
struct liar {
	int			fd;
	struct raw_map		out, in;
	struct weir_ring_view	v;
};

static int raw_serve(int fd, const char *path, uint32_t weight)
{
	struct weir_ioc_serve s = { .size = sizeof(s), .weight = weight };

	snprintf(s.path, sizeof(s.path), "%s", path);
	return ioctl(fd, WEIR_IOC_SERVE, &s) ? -errno : 0;
}

static int raw_call(int fd, const char *path)
{
	struct weir_ioc_call c = { .size = sizeof(c) };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ioctl(fd, WEIR_IOC_CALL, &c) ? -errno : (int)c.route;
}

static bool liar_open(struct liar *l)
{
	l->fd = raw_socket(SOCK_RDM);
	if (l->fd < 0 || raw_set(l->fd, WEIR_SO_RING_BYTES, RING) ||
	    raw_set(l->fd, WEIR_SO_INBOX_BYTES, RING) ||
	    raw_serve(l->fd, "/liar", 1) || raw_call(l->fd, "/victim") != 1 ||
	    raw_call(l->fd, "/liar") != 2 ||
	    raw_map(l->fd, WEIR_ID_OUTBOX, &l->out) ||
	    raw_map(l->fd, WEIR_ID_INBOX, &l->in))
		return false;
	l->v = raw_view(&l->out);
	return true;
}

static void liar_close(struct liar *l)
{
	raw_unmap(&l->out);
	raw_unmap(&l->in);
	close(l->fd);
}

/*
 * Writes a record into the outbox, which may be false in any of its fields:
 * these are the parameters.
 */
static struct weir_record *liar_say(struct liar *l, uint8_t kind, uint8_t flags,
				    uint8_t ext, uint32_t len, uint32_t route,
				    uint32_t tag)
{
	struct weir_record *rec;
	__u64 pos;
	__u32 seq;

	if (weir_ring_claim(&l->v, 128, 0, &pos, &seq)) {
		/* the router gives space back in its cursor, slot 0 */
		l->v.head->limit = ((struct weir_cursor *)(void *)
				    (l->out.view + WEIR_PAGE_BYTES))->pos + RING;
		l->v.head->seq_limit = (__u32)l->v.head->claim + (1U << 30);
		if (weir_ring_claim(&l->v, 128, 0, &pos, &seq))
			return NULL;
	}
	rec = weir_ring_at(&l->v, pos);
	rec->len = len;
	rec->kind = kind;
	rec->flags = flags;
	rec->ext = ext;
	rec->seq = seq;
	rec->route = route;
	rec->tag = tag;
	rec->key = tag;
	weir_ring_commit(&l->v, rec, pos);
	return rec;
}

static void liar_kick(struct liar *l)
{
	tap_kick(l->fd, WEIR_KICK_READERS | WEIR_KICK_INBOX);
}

#define LIE(name, what)							\
	static void lie_##name(struct liar *l, struct weir_record *rec)	\
	{								\
		struct weir_head *h = l->out.head;			\
		struct weir_cursor *cur = l->in.cursor;			\
		__u64 *ext = (__u64 *)(void *)(rec + 1);		\
									\
		(void)h; (void)cur; (void)ext;				\
		what;							\
	}

LIE(none, )
LIE(claim_0, h->claim = 0)
LIE(claim_max, h->claim = ~0ULL)
LIE(claim_ahead, h->claim += 1ULL << 40)
LIE(claim_lap, h->claim += (__u64)(RING / 64) << 32)
LIE(claim_back, h->claim -= 1ULL << 32)
LIE(limit_0, h->limit = 0)
LIE(limit_max, h->limit = ~0ULL)
LIE(limit_odd, h->limit += 1)
LIE(limit_far, h->limit += 1ULL << 50)
LIE(limit_low, h->limit -= RING)
LIE(head_ones, memset(h, 0xff, sizeof(*h)))
LIE(head_zero, memset(h, 0, sizeof(*h)))
LIE(intent, h->intent = ~0ULL; h->seq_limit = 0)
LIE(len_max, rec->len = ~0U)
LIE(len_sign, rec->len = 0x80000000U)
LIE(len_ring, rec->len = RING)
LIE(len_most, rec->len = RING - 32)
LIE(len_wrap, rec->len = ~0U - 95)
LIE(len_next, rec->len = 200)
LIE(ext_255, rec->ext = 255)
LIE(ext_len, rec->ext = 255; rec->len = RING - 32 - 255 * 8)
LIE(ext_len_1, rec->ext = 255; rec->len = RING - 32 - 255 * 8 + 1)
LIE(ext_1, rec->ext = 1; ext[0] = 1)
LIE(ext_max, rec->ext = 1; ext[0] = ~0ULL)
LIE(ext_sign, rec->ext = 1; ext[0] = 1ULL << 63)
LIE(ext_far, rec->ext = 1; ext[0] = (__u64)now_ns() + (1ULL << 61))
LIE(ext_soon, rec->ext = 1; ext[0] = (__u64)now_ns() + 1000)
LIE(ext_dup, rec->ext = 2; ext[0] = 0; ext[1] = 77)
LIE(kind_reply, rec->kind = WEIR_KIND_REPLY)
LIE(kind_error, rec->kind = WEIR_KIND_ERROR)
LIE(kind_notice, rec->kind = WEIR_KIND_NOTICE)
LIE(kind_255, rec->kind = 255)
LIE(flags_255, rec->flags = 255)
LIE(flags_254, rec->flags = 254)
LIE(flags_more, rec->flags = WEIR_REC_MORE | WEIR_REC_ROUTER)
LIE(flags_wait, rec->kind = WEIR_KIND_REPLY; rec->flags = WEIR_REC_WAIT)
LIE(route_0, rec->route = 0)
LIE(route_3, rec->route = 3)
LIE(route_max, rec->route = ~0U)
LIE(name_zero, rec->kind = WEIR_KIND_REPLY; rec->route = 0; rec->tag = 0)
LIE(name_max, rec->kind = WEIR_KIND_REPLY; rec->route = ~0U; rec->tag = ~0U)
LIE(uncommit, rec->commit = 0)
LIE(commit_lap, rec->commit += RING)
LIE(header_ones, memset((char *)rec + 8, 0xff, 24))
LIE(data_ones, memset(l->out.data, 0xff, RING))
LIE(data_random, for (int i = 0; i < RING / 8; i++) ((__u64 *)(void *)l->out.data)[i] = rnd())
LIE(aborted_circle, for (__u64 p = 0; p < 4 * RING; p += 64) { struct weir_record *r = weir_ring_at(&l->v, p); r->len = 32; r->ext = 0; r->flags = WEIR_REC_ABORTED; weir_ring_commit(&l->v, r, p); })
LIE(ahead, for (__u64 p = 0; p < RING; p += 64) { struct weir_record *r = weir_ring_at(&l->v, p); r->len = 8; r->ext = 0; r->flags = 0; r->kind = WEIR_KIND_REQUEST; r->route = 2; weir_ring_commit(&l->v, r, p); })
LIE(cursor_0, cur->pos = 0)
LIE(cursor_max, cur->pos = ~0ULL)
LIE(cursor_odd, cur->pos += 1)
LIE(cursor_ahead, cur->pos += 1 << 20)
LIE(cursor_lap, cur->pos += RING)
LIE(cursor_back, cur->pos -= RING)
LIE(cursor_sign, cur->pos += 1ULL << 63)
LIE(cursor_page, memset(cur, 0xff, 4096))

static const struct lie {
	const char *name;
	void (*tell)(struct liar *l, struct weir_record *rec);
} lies[] = {
#define L(name) { #name, lie_##name }
	L(none), L(claim_0), L(claim_max), L(claim_ahead), L(claim_lap),
	L(claim_back), L(limit_0), L(limit_max), L(limit_odd), L(limit_far),
	L(limit_low), L(head_ones), L(head_zero), L(intent), L(len_max),
	L(len_sign), L(len_ring), L(len_most), L(len_wrap), L(len_next),
	L(ext_255), L(ext_len), L(ext_len_1), L(ext_1), L(ext_max), L(ext_sign),
	L(ext_far), L(ext_soon), L(ext_dup), L(kind_reply), L(kind_error),
	L(kind_notice), L(kind_255), L(flags_255), L(flags_254), L(flags_more),
	L(flags_wait), L(route_0), L(route_3), L(route_max), L(name_zero),
	L(name_max), L(uncommit), L(commit_lap), L(header_ones), L(data_ones),
	L(data_random), L(aborted_circle), L(ahead), L(cursor_0), L(cursor_max),
	L(cursor_odd), L(cursor_ahead), L(cursor_lap), L(cursor_back),
	L(cursor_sign), L(cursor_page),
#undef L
};

#define LIES	(sizeof(lies) / sizeof(lies[0]))

static int one_lie(void *arg)
{
	const struct lie *lie = arg;
	struct weir_so_wait wait = {
		.timeout_ns = MS,
		.flags = WEIR_WAIT_IN | WEIR_WAIT_OUT | WEIR_WAIT_KICK,
		.bytes = 64,
	};
	struct weir_record *rec;
	struct liar l;
	uint32_t i, n;

	if (!liar_open(&l))
		return 1;
	/*
	 * before the router has seen the record; and again with calls pending
	 */
	for (i = 0; i < 2; i++) {
		rec = liar_say(&l, WEIR_KIND_REQUEST, i ? WEIR_REC_IDEMPOTENT : 0,
			       0, 8, 1 + i, 5);
		if (!rec)
			return i ? 0 : 2;
		liar_say(&l, WEIR_KIND_REQUEST, WEIR_REC_IDEMPOTENT, 0, 8, 2, 6);
		if (i)
			liar_kick(&l);
		lie->tell(&l, rec);
		for (n = 0; n < 3; n++)
			liar_kick(&l);
		tap_sleep(l.fd, &wait);
		tap_poll_now(l.fd, POLLIN | POLLOUT);
		for (n = 0; n < 20; n++)
			liar_say(&l, WEIR_KIND_REQUEST, 0, 0, 8, 2, n);
		liar_kick(&l);
	}
	liar_close(&l);
	return 0;
}

/* Some lies in one process, from @arg on. */
#define LIES_AT_ONCE	8

static int some_lies(void *arg)
{
	uintptr_t i = (uintptr_t)arg, end = i + LIES_AT_ONCE;
	int status = 0;

	for (; i < end && i < LIES && !status; i++)
		status = one_lie((void *)&lies[i]);
	return status;
}

static void one_by_one(void)
{
	uint32_t i, bad = 0;

	for (i = 0; i < LIES; i += LIES_AT_ONCE) {
		int status = tap_wait(spawn(some_lies, (void *)(uintptr_t)i));

		if (status) {
			note("from %s: %d", lies[i].name, status);
			bad++;
		}
	}
	i = LIES;
	check(!bad, "%u lies, one at a time (%u went wrong)", i, bad);
	check_victims("lies");
}

/* --- while it is routed -------------------------------------------------------- */

static struct liar now;
static int quit;

static void *flipper(void *arg)
{
	seed((uint64_t)(uintptr_t)arg);
	while (!get(&quit)) {
		__u64 *data = (void *)now.out.data;
		unsigned int where = (unsigned int)(rnd() % (RING / 64));

		switch (rnd() % 8) {
		case 0:
			/* a header's words, but for the commit word */
			data[where * 8 + 1 + rnd() % 3] ^= 1ULL << rnd() % 64;
			break;
		case 1:
			((struct weir_record *)(void *)&data[where * 8])->len =
				(uint32_t)(rnd() % (2 * RING));
			break;
		case 2:
			((struct weir_record *)(void *)&data[where * 8])->ext =
				(uint8_t)rnd();
			break;
		case 3:
			((struct weir_record *)(void *)&data[where * 8])->kind =
				(uint8_t)(rnd() % 6);
			break;
		case 4:
			((struct weir_record *)(void *)&data[where * 8])->route =
				(uint32_t)(rnd() % 4);
			break;
		case 5:
			data[where * 8 + 4 + rnd() % 4] = rnd();
			break;
		case 6:
			if (rnd() % 64 == 0)
				now.in.cursor->pos ^= 1ULL << rnd() % 64;
			break;
		default:
			if (rnd() % 256 == 0)
				now.out.head->claim ^= 1ULL << (32 + rnd() % 8);
			break;
		}
	}
	return NULL;
}

static void *kicker(void *arg)
{
	(void)arg;
	while (!get(&quit)) {
		liar_kick(&now);
		if (rnd() % 16 == 0)
			tap_poll_now(now.fd, POLLIN | POLLOUT);
	}
	return NULL;
}

static int changing(void *arg)
{
	pthread_t t[3];
	long i, k, n = 0;

	(void)arg;
	if (!liar_open(&now))
		return 1;
	for (i = 0; i < 3; i++) {
		if (pthread_create(&t[i], NULL, i < 2 ? flipper : kicker,
				   (void *)(uintptr_t)(i + rnd())))
			return 2;
	}
	for (i = 0; i < 200 && now.out.status->state == WEIR_STATE_OPEN; i++) {
		for (k = 0; k < 30; k++) {
			if (!liar_say(&now, rnd() % 4 ? WEIR_KIND_REQUEST :
				      WEIR_KIND_REPLY,
				      (uint8_t)(rnd() & 0xfe), 0,
				      (uint32_t)(rnd() % 90), 1 + (rnd() & 1),
				      (uint32_t)rnd()))
				break;
			n++;
		}
		liar_kick(&now);
		/* as a target: what came is read */
		now.in.cursor->pos = ((now.in.head->claim >> 32) *
				      WEIR_GRANULE);
		tap_kick(now.fd, WEIR_KICK_INBOX);
	}
	put(&quit, 1);
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	liar_close(&now);
	return n ? 0 : 3;
}

static void while_routed(void)
{
	long rounds = tap_scale(80, 4), i, bad = 0, said = 0;

	/*
	 * a ring may be in pieces before anything is said by it: enough others
	 */
	for (i = 0; i < rounds || (said <= rounds / 2 && i < 10 * rounds);
	     i++) {
		int status = tap_wait(spawn(changing, NULL));

		/* 3: the ring was in pieces before anything was said */
		bad += status != 0 && status != 3;
		said += status == 0;
	}
	check(!bad && said > rounds / 2,
	      "changed at random while it is routed, %ld times (%ld went wrong)",
	      said, bad);
	check_victims("changes while routed");
}

/* --- forged ------------------------------------------------------------------- */

static void reply_to(struct weir *w, struct weir_ticket t, const char *words)
{
	weir_reply(w, &t, words, strlen(words), WEIR_DONTWAIT);
	weir_reply_error(w, &t, words, strlen(words), WEIR_DONTWAIT);
}

/**
 * struct forgery - calls of one caller, and the forger of their replies
 * @good: the target that was asked.
 * @evil: the target of another path; it has one call of the same caller's.
 * @second: another target of @good's path, which came after the calls.
 * @caller: the process that asked.
 * @route: to @good.
 * @t: what answers the calls take.
 * @old: the same of the calls before these.
 */
struct forgery {
	struct weir *good, *evil, *second, *caller;
	uint32_t route;
	struct weir_ticket t[32], old[32];
};

#define FORGED	(sizeof(((struct forgery *)0)->t) / sizeof(struct weir_ticket))

/* The names are known: another socket answers by them. */
static void forge_known(struct forgery *f)
{
	uint32_t i;

	for (i = 0; i < FORGED; i++) {
		reply_to(f->evil, f->t[i], "forged");
		reply_to(f->second, f->t[i], "forged");
		reply_to(f->caller, f->t[i], "forged");
	}
	check(!drain(f->caller), "another socket cannot answer, though it knows the names");
}

/* Guesses: about where the others are, from the generation before. */
static void forge_guessed(struct forgery *f)
{
	uint64_t names = 0, near = (f->t[0].tag >> 6) - 1;
	struct weir_ticket guess;
	uint32_t port, slot, gen;
	int answers;

	for (port = 1; port < (slow_kernel() ? 16 : 64); port++) {
		for (slot = 0; slot < 40; slot++) {
			for (gen = 0; gen < 3; gen++) {
				uint64_t name = port | (uint64_t)slot << 20 |
						(near + gen) << 38;

				guess.route = (uint32_t)name;
				guess.tag = (uint32_t)(name >> 32);
				reply_to(f->evil, guess, "guess");
				names++;
			}
		}
		drain(f->evil);
	}
	/* at most the one call that it had */
	answers = drain(f->caller);
	check(answers <= 1, "nor guess (%llu names, %d answers to its own call)",
	      (unsigned long long)names, answers);
}

static void true_answers(struct forgery *f)
{
	uint32_t i, wrong = 0;
	struct weir_msg msg;

	for (i = 0; i < FORGED; i++) {
		uint32_t at = (i * 7) % FORGED;

		need(!weir_reply(f->good, &f->t[at], &at, 4, SECOND), "reply");
		msg = next_message(f->caller, "the caller");
		wrong += msg.kind != WEIR_KIND_REPLY || msg.rec->tag != at ||
			 msg.len != 4 || memcmp(msg.data, &at, 4);
		weir_release(f->caller, &msg);
	}
	check(!wrong && !drain(f->caller), "the true answers come, once (%u wrong)", wrong);
}

/* Tickets of calls that are over, while others are in their slots. */
static void forge_used(struct forgery *f)
{
	long rounds = tap_scale(2000, 200);
	uint32_t i, wrong = 0;

	for (i = 0; i < (uint32_t)rounds; i++) {
		uint32_t k = i % FORGED;

		ask(f->caller, f->route, 1000 + i);
		f->t[k] = next_ticket(f->good, "the target");
		reply_to(f->good, f->old[(i + 1) % FORGED], "old");
		reply_to(f->good, f->old[k], "old");
		wrong += (uint32_t)drain(f->caller);
		need(!weir_reply(f->good, &f->t[k], "new", 3, SECOND), "reply");
		wrong += !replied(f->caller, 1000 + i);
		f->old[k] = f->t[k];
	}
	check(!wrong, "tickets that were used are worth nothing, %ld times (%u wrong)",
	      rounds, wrong);
}

/* Of a call to several each target answers its own part. */
static void forge_quorum(void)
{
	struct weir_route_conf conf = { QUIET, .quorum = 2,
					.policy = WEIR_POLICY_QUORUM };
	struct weir *s[3], *c;
	struct weir_ticket t[3];
	uint32_t route, i;

	need(!route_set("/forge/q", &conf), "route");
	for (i = 0; i < 3; i++)
		s[i] = server("/forge/q", 1);
	c = caller("/forge/q", &route);
	ask(c, route, 1);
	for (i = 0; i < 3; i++)
		t[i] = next_ticket(s[i], "each");
	for (i = 0; i < 3; i++) {
		reply_to(s[0], t[i], "mine");
		reply_to(s[0], t[i], "mine");
	}
	check(!drain(c), "one of three cannot be a quorum by itself");
	reply_to(s[1], t[1], "two");
	check(replied(c, 1) && !drain(c), "two are");
	for (i = 0; i < 3; i++)
		weir_close(s[i]);
	weir_close(c);
	need(!route_del("/forge/q"), "del");
}

/* Whose replies are forged reads them: nothing but the true ones may come. */
static void forged(void)
{
	struct forgery f;
	uint32_t i;

	route_quiet("/forge/a");
	route_quiet("/forge/evil");
	f.good = server("/forge/a", 1);
	f.evil = server("/forge/evil", 1);
	f.caller = caller("/forge/a", &f.route);
	ask(f.caller, route_of(f.caller, "/forge/evil"), 500);
	for (i = 0; i < FORGED; i++) {
		ask(f.caller, f.route, i);
		f.t[i] = next_ticket(f.good, "the target");
		f.old[i] = f.t[i];
	}
	f.second = server("/forge/a", 1);
	forge_known(&f);
	forge_guessed(&f);
	true_answers(&f);
	weir_close(f.second);
	forge_used(&f);
	need(!route_del("/forge/a") && !route_del("/forge/evil"), "del");
	weir_close(f.good);
	weir_close(f.evil);
	weir_close(f.caller);
	forge_quorum();
	check_victims("forged replies");
}

/* A caller that has gone leaves its number to another, not its answers. */
static void inherited(void)
{
	enum { GONE = 64, NUMBER = 0xfffff };
	struct weir *good = server("/heir/a", 1), *c;
	long rounds = tap_scale(1000, 100), i;
	int64_t end = now_ns() + HARD_DEADLINE_NS;
	struct weir_ticket t, gone[GONE] = { };
	uint32_t route, k, same = 0, wrong = 0;

	route_quiet("/heir/a");
	/* a slow kernel frees the first numbers later */
	for (i = 0; i < rounds || (!same && now_ns() < end); i++) {
		c = caller("/heir/a", &route);
		ask(c, route, (uint32_t)i);
		gone[i % GONE] = next_ticket(good, "the target");
		weir_close(c);

		c = caller("/heir/a", &route);
		ask(c, route, (uint32_t)i);
		t = next_ticket(good, "the target");
		for (k = 0; k < GONE; k++) {
			same += (t.route & NUMBER) == (gone[k].route & NUMBER);
			reply_to(good, gone[k], "late");
		}
		if (!drain(c)) {
			need(!weir_reply(good, &t, "mine", 4, SECOND), "reply");
			wrong += !replied(c, (uint32_t)i);
		} else {
			wrong++;
		}
		weir_close(c);
	}
	check(same && !wrong,
	      "who has the number of one that has gone gets only its own answers (%u wrong, %u times the same number)",
	      wrong, same);
	need(!route_del("/heir/a"), "del");
	weir_close(good);
	check_victims("late replies");
}

/* --- cursors that lie ------------------------------------------------------- */

static void lying_target(void)
{
	const __u64 lie[] = { 64, 1, ~0ULL, 1ULL << 63, 1 << 20, -(__u64)RING };
	uint32_t route, i, refused = 0, late = 0, works = 0;
	struct weir_call call = { .tag = 2 };
	struct weir *s, *c;
	struct outcome o;

	route_quiet("/trap");
	s = handle(0, 4096);
	need(!weir_serve(s, "/trap", 1, NULL), "serve");
	c = caller("/trap", &route);
	shower(c, route, 64);
	for (i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
		struct weir_cursor *cur = s->inbox->cursor;
		__u64 was = cur->pos;

		put(&cur->pos, i ? was + lie[i] : was + (1 << 16));
		ask_with(c, route, 1, 0, WEIR_REC_REFUSE);
		o = next_outcome(c);
		refused += o.fault.reason == WEIR_REASON_INBOX_FULL;
		call.route = route;
		call.deadline_ns = (uint64_t)(now_ns() + 30 * MS);
		ask_for(c, &call, "x", 1);
		o = next_outcome(c);
		late += o.tag == 2 && o.fault.reason == WEIR_REASON_DEADLINE;
		put(&cur->pos, was);
		drain(s);
		drain(c);
		ask(c, route, 3);
		works += soon(serve_one(s, WEIR_KIND_REPLY)) && replied(c, 3);
		shower(c, route, 64);
	}
	check(refused == i, "a target whose cursor lies is a full one (%u of %u)",
	      refused, i);
	check(late == i, "who waits for it has his deadline (%u of %u)", late, i);
	check(works == i, "when it tells the truth it serves again (%u of %u)",
	      works, i);
	weir_close(s);
	weir_close(c);
	need(!route_del("/trap"), "del");
	check_victims("cursors of targets");
}

/*
 * More calls than the caller's inbox has room for replies to, each answered
 * with WEIR_REC_WAIT before its deadline. How many, or 0 when the deadline came
 * first.
 */
static uint32_t late_replies(struct weir *s, struct weir *caller, int64_t wait_ns)
{
	struct weir_call call = { .tag = 9 };
	struct weir_ticket t[30];
	struct weir_msg msg;
	struct weir_buf buf;
	uint32_t i, n;

	call.route = route_of(caller, "/trap");
	call.deadline_ns = (uint64_t)(now_ns() + wait_ns);
	for (i = 0; i < 30; i++)
		need(!request(caller, &call, "x", 1), "request");
	weir_flush(caller);
	for (n = 0; n < 30 && weir_peek(s, &msg) == 1; n++) {
		t[n] = weir_ticket(&msg);
		weir_release(s, &msg);
	}
	for (i = 0; i < n; i++) {
		if (weir_reply_claim(s, &t[i], 200, &buf))
			break;
		memset(buf.data, 'w', 200);
		weir_reply_commit(s, &t[i], WEIR_KIND_REPLY, WEIR_REC_WAIT, &buf);
	}
	return n > 16 && now_ns() < (int64_t)call.deadline_ns ? i : 0;
}

/* A caller that does not read does not keep its target from others. */
static void lying_caller(void)
{
	uint32_t r_evil, r_good, i, n;
	struct weir *s = server("/trap", 1), *evil = handle(0, 4096), *good;
	uint64_t wait_ns;

	route_quiet("/trap");
	r_evil = route_of(evil, "/trap");
	good = caller("/trap", &r_good);
	for (i = 0; i < 40; i++)
		ask(evil, r_evil, i);
	put(&evil->inbox->cursor->pos, 64 * 1000);
	check(serve_all(s, WEIR_KIND_REPLY) == 40, "a caller whose cursor lies is answered");
	ask(good, r_good, 1);
	check(serve_one(s, WEIR_KIND_REPLY) && replied(good, 1),
	      "and another one too");
	put(&evil->inbox->cursor->pos, 0);
	weir_close(evil);

	/* replies that wait for room in his inbox, until his deadline */
	for (wait_ns = 2 * SECOND; ; wait_ns *= 2) {
		evil = handle(0, 4096);
		n = late_replies(s, evil, (int64_t)wait_ns);
		if (n || wait_ns >= HARD_DEADLINE_NS / 4)
			break;
		/* the deadline was over before: this machine is slow */
		weir_close(evil);
	}
	need(n, "replies that wait");
	ask(good, r_good, 2);
	need(serve_one(s, WEIR_KIND_REPLY), "an answer");
	check(soon(drain(good) == 1),
	      "replies that wait for one caller's room hold others up until its deadline at most (%u)",
	      n);
	weir_close(evil);
	ask(good, r_good, 3);
	check(serve_one(s, WEIR_KIND_REPLY) && soon(drain(good) > 0),
	      "and not beyond its end");
	need(!route_del("/trap"), "del");
	weir_close(good);
	weir_close(s);
	check_victims("cursors of callers");
}

/* --- bad records are answered ------------------------------------------------- */

static void bad_records(void)
{
	struct liar l;
	__u64 pos;
	uint32_t i, reason = 0, n = 0;
	struct weir_ring_view in;

	need(liar_open(&l), "liar");
	in = raw_view(&l.in);
	pos = l.in.cursor->pos;
	liar_say(&l, WEIR_KIND_REQUEST, 0, 3, 8, 1, 77);
	liar_kick(&l);
	for (i = 0; i < 2; i++) {
		struct weir_ring_rec r;

		if (weir_ring_peek(&in, &pos, &r) != 1)
			break;
		n++;
		if (r.kind == WEIR_KIND_ERROR && r.rec->tag == 77)
			reason = ((struct weir_refusal *)(void *)r.payload)->reason;
		pos = r.next;
	}
	check(n == 1 && reason == WEIR_REASON_BAD_REQUEST,
	      "a request with too many words is answered: bad request (%u answers, %s)",
	      n, weir_reason_name(reason));
	liar_close(&l);
}

/* --- storms -------------------------------------------------------------------- */

static struct weir *storm_w;
static uint32_t storm_route;

static void *stormer(void *arg)
{
	long n = tap_scale(20000, 1000);

	seed((uint64_t)(uintptr_t)arg);
	while (n-- && !get(&quit)) {
		struct weir_so_wait wait = {
			.flags = WEIR_WAIT_IN | WEIR_WAIT_KICK,
		};

		if (rnd() % 4)
			tap_kick(weir_fd(storm_w), rnd() % 8);
		else
			tap_sleep(weir_fd(storm_w), &wait);
		if (rnd() % 64 == 0)
			raw_call(weir_fd(storm_w), rnd() % 2 ? "/storm" : "/storm/x");
	}
	return NULL;
}

static void storms(void)
{
	uint32_t sent = 0, answered = 0, tag = 0;
	uint32_t most = (uint32_t)tap_scale(20000, 1000);
	struct weir *s = server("/storm", 1);
	pthread_t t[4];
	int i;

	route_quiet("/storm");
	storm_w = caller("/storm", &storm_route);
	put(&quit, 0);
	for (i = 0; i < 4; i++)
		need(!pthread_create(&t[i], NULL, stormer,
				     (void *)(uintptr_t)(i + 1)), "thread");
	while (tag < most && pthread_tryjoin_np(t[0], NULL)) {
		struct weir_call call = { .route = storm_route, .tag = tag };

		if (!request(storm_w, &call, "storm", 5)) {
			tag++;
			sent++;
		}
		serve_all(s, WEIR_KIND_REPLY);
		answered += (uint32_t)drain(storm_w);
		if (tag == most)
			put(&quit, 1);
	}
	put(&quit, 1);
	for (i = 1; i < 4; i++)
		pthread_join(t[i], NULL);
	if (tag == most)
		pthread_join(t[0], NULL);
	weir_flush(storm_w);
	check(soon((serve_all(s, WEIR_KIND_REPLY),
		    (answered += (uint32_t)drain(storm_w)) == sent)),
	      "kicks of four threads at once: %u requests, %u answers", sent,
	      answered);
	weir_close(storm_w);
	weir_close(s);
	need(!route_del("/storm"), "del");
	check_victims("storms");
}

/* --- control calls ------------------------------------------------------------ */

static int raw_control(int fd, uint32_t size, uint32_t op_size, uint32_t count,
		       const void *ops)
{
	char big[sizeof(struct weir_ioc_control) + 64] = { 0 };
	struct weir_ioc_control *ctl = (void *)big;

	ctl->size = size;
	ctl->op_size = op_size;
	ctl->count = count;
	ctl->ops = (uintptr_t)ops;
	return ioctl(fd, WEIR_IOC_CONTROL, ctl) ? -errno : 0;
}

#define OP_BYTES	((uint32_t)sizeof(struct weir_route_op))

/* A good change, in calls whose sizes, counts and addresses are wrong. */
static void bad_counts(int fd, const struct weir_route_op *op)
{
	check(raw_control(fd, 0, OP_BYTES, 1, op) < 0 &&
	      raw_control(fd, 4, OP_BYTES, 1, op) < 0 &&
	      raw_control(fd, ~0U, OP_BYTES, 1, op) < 0, "control: wrong sizes of the call");
	check(raw_control(fd, 32, 0, 1, op) == -EINVAL &&
	      raw_control(fd, 32, 8, 1, op) == -EINVAL &&
	      raw_control(fd, 32, ~0U, 1, op) == -EINVAL &&
	      raw_control(fd, 32, 4097, 1, op) == -EINVAL, "of the changes");
	check(raw_control(fd, 32, OP_BYTES, 0, op) == -EINVAL &&
	      raw_control(fd, 32, OP_BYTES, 4097, op) == -EINVAL &&
	      raw_control(fd, 32, OP_BYTES, ~0U, op) == -EINVAL, "wrong counts");
	check(raw_control(fd, 32, OP_BYTES, 1, NULL) == -EFAULT &&
	      raw_control(fd, 32, OP_BYTES, 1, (void *)~0xfffULL) == -EFAULT &&
	      raw_control(fd, 32, OP_BYTES, 1, (void *)0xffff888000000000ULL) ==
	      -EFAULT && ioctl(fd, WEIR_IOC_CONTROL, 8) < 0, "wrong addresses");
}

/* The second one cannot be read: nor is the first done. */
static void half_readable(int fd, const struct weir_route_op *op)
{
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	need(edge != MAP_FAILED && !mprotect(edge + 4096, 4096, PROT_NONE), "edge");
	memcpy(edge + 4096 - OP_BYTES, op, OP_BYTES);
	err = raw_control(fd, 32, OP_BYTES, 2, edge + 4096 - OP_BYTES);
	check(err == -EFAULT && routes_count() == 1,
	      "the second is not readable: nothing is done (%d, %u routes)",
	      err, routes_count());
	munmap(edge, 8192);
}

/* @room: a good change, and zeros behind it. */
static void other_versions(int fd, char *room)
{
	check(!raw_control(fd, 32, OP_BYTES + 64, 1, room) && routes_count() == 2,
	      "a longer one of a later version, whose rest is zeros, is done");
	room[OP_BYTES + 10] = 1;
	check(raw_control(fd, 32, OP_BYTES + 64, 1, room) == -E2BIG,
	      "one whose rest is not is refused");
	room[OP_BYTES + 10] = 0;
	check(!raw_control(fd, 32, offsetof(struct weir_route_op, conf), 1, room),
	      "a shorter one of an earlier version is done");
}

static void bad_changes(int fd, struct weir_route_op *op)
{
	op->op = 0;
	check(raw_control(fd, 32, OP_BYTES, 1, op) == -EINVAL, "change 0");
	op->op = 99;
	check(raw_control(fd, 32, OP_BYTES, 1, op) == -EINVAL, "change 99");
	op->op = WEIR_OP_ROUTE_SET;
	memset(op->path, '/', sizeof(op->path));
	check(raw_control(fd, 32, OP_BYTES, 1, op) == -ENAMETOOLONG, "a path without an end");
	memset(op->path, 0, sizeof(op->path));
	check(raw_control(fd, 32, OP_BYTES, 1, op) < 0, "no path");
	strcpy(op->path, "/ctl");
	memset(op->conf.mirror, 'x', sizeof(op->conf.mirror));
	check(raw_control(fd, 32, OP_BYTES, 1, op) < 0, "a mirror without an end");
	memset(op->conf.mirror, 0, sizeof(op->conf.mirror));
	memset(&op->conf, 0xff, sizeof(op->conf));
	check(raw_control(fd, 32, OP_BYTES, 1, op) < 0, "all ones");
}

static void random_changes(int fd)
{
	uint32_t i, randoms = (uint32_t)tap_scale(3000, 100);

	for (i = 0; i < randoms; i++) {
		struct weir_route_op op = { .op = (uint32_t)(rnd() % 8) };

		strcpy(op.path, "/ctl");
		op.weight = (uint32_t)(rnd() % 3);
		for (uint32_t k = 0; k < 3; k++)
			((uint32_t *)(void *)&op.conf)[rnd() % 32] =
				rnd() & 1 ? (uint32_t)rnd() : (uint32_t)(rnd() % 4);
		raw_control(fd, 32, OP_BYTES, 1, &op);
	}
	check(routes_count() <= 2, "%u at random", randoms);
}

/* /ctl and 60 paths below it are set, over and over, and deleted. */
static void many_changes(int fd)
{
	uint32_t i, most = slow_kernel() ? 256 : 4096;
	struct weir_route_op *many = calloc(4096, OP_BYTES);
	int64_t begun;
	int err;

	need(many != NULL, "memory");
	for (i = 0; i < most; i++) {
		many[i].op = WEIR_OP_ROUTE_SET;
		strcpy(many[i].path, "/ctl");
		if (i)
			snprintf(many[i].path, sizeof(many[i].path), "/ctl/%u", i % 60);
	}
	begun = now_ms();
	err = raw_control(fd, 32, OP_BYTES, most, many);
	check(!err, "%u changes at once (%lld ms)", most,
	      (long long)(now_ms() - begun));
	for (i = 0; i < 61; i++) {
		many[i].op = WEIR_OP_ROUTE_DEL;
		strcpy(many[i].path, "/ctl");
		if (i)
			snprintf(many[i].path, sizeof(many[i].path), "/ctl/%u", i - 1);
	}
	check(!raw_control(fd, 32, OP_BYTES, 61, many), "and all away");
	free(many);
}

static void bad_control(void)
{
	static char room[8192];
	struct weir_route_op *op = (void *)room;
	int fd = tap_socket(SOCK_RDM);

	op->op = WEIR_OP_ROUTE_SET;
	strcpy(op->path, "/ctl");
	bad_counts(fd, op);
	half_readable(fd, op);
	other_versions(fd, room);
	bad_changes(fd, op);
	random_changes(fd);
	many_changes(fd);
	close(fd);
	check_victims("control calls");
}

/* The same for a socket's own calls. */
static void bad_calls(void)
{
	struct weir_ioc_serve s = { .size = sizeof(s), .weight = 1 };
	struct weir_ioc_call c = { .size = sizeof(c) };
	int fd = tap_socket(SOCK_RDM), other;

	strcpy(s.path, "/bad");
	s.flags = 1;
	check(ioctl(fd, WEIR_IOC_SERVE, &s) && errno == EINVAL, "serve: flags");
	s.flags = 0;
	s.weight = WEIR_WEIGHT_MAX + 1;
	check(ioctl(fd, WEIR_IOC_SERVE, &s) && errno == EINVAL, "serve: weight");
	s.weight = 1;
	memset(s.path, '/', sizeof(s.path));
	check(ioctl(fd, WEIR_IOC_SERVE, &s), "serve: a path without an end");
	memset(c.path, '/', sizeof(c.path));
	check(ioctl(fd, WEIR_IOC_CALL, &c), "call: a path without an end");
	memset(c.path, 0, sizeof(c.path));
	check(ioctl(fd, WEIR_IOC_CALL, &c), "call: no path");
	check(ioctl(fd, WEIR_IOC_CALL, 8) && ioctl(fd, WEIR_IOC_SERVE, 8),
	      "nothing readable");
	c.size = 3;
	check(ioctl(fd, WEIR_IOC_CALL, &c), "a wrong size");
	close(fd);
	fd = tap_socket(SOCK_DGRAM);
	check(raw_call(fd, "/bad") == -EOPNOTSUPP &&
	      raw_serve(fd, "/bad", 1) == -EOPNOTSUPP, "not on SOCK_DGRAM");
	close(fd);
	fd = raw_publisher(SOCK_RDM, "/bad/pub", 4096);
	check(raw_call(fd, "/bad") == -EISCONN, "not on a publisher");
	other = tap_socket(SOCK_RDM);
	check(raw_call(other, "/bad") == 1 && raw_bind(other, "/bad/two") < 0,
	      "who calls does not publish");
	/* whatever that says: it must do no harm */
	send(other, "x", 1, MSG_DONTWAIT);
	tap_kick(other, WEIR_KICK_READERS);
	close(other);
	close(fd);
}

/* --- as much as there is ------------------------------------------------------- */

static void exhausted(void)
{
	uint32_t i, n, route, answered;
	struct weir *w, *s;
	char path[64];
	int err = 0;

	w = handle(0, 0);
	for (n = 0; n <= WEIR_SERVES_MAX && !err; n++) {
		snprintf(path, sizeof(path), "/much/%u", n);
		err = weir_serve(w, path, 1, NULL);
	}
	check(n == WEIR_SERVES_MAX + 1 && err == -ENOBUFS,
	      "a socket serves %d paths (%u, %d)", WEIR_SERVES_MAX, n - 1, err);
	for (n = 0, err = 1; n <= WEIR_ROUTES_MAX && err > 0 &&
			     !slow_kernel(); n++) {
		snprintf(path, sizeof(path), "/much/called/%u", n);
		err = raw_call(weir_fd(w), path);
	}
	if (slow_kernel())
		tap_skip("and calls 4096", "takes too long on this kernel");
	else
		check(n == WEIR_ROUTES_MAX + 1 && err == -ENOBUFS,
		      "and calls %d (%u, %d)", WEIR_ROUTES_MAX, n - 1, err);
	weir_close(w);
	check_victims("paths of one socket");

	if (!slow_kernel()) {
		static struct weir *t[WEIR_TARGETS_MAX + 1];

		for (n = 0, err = 0; n <= WEIR_TARGETS_MAX && !err; n++) {
			t[n] = handle(4096, 4096);
			err = weir_serve(t[n], "/much/t", 1, NULL);
		}
		check(n == WEIR_TARGETS_MAX + 1 && err == -ENOSPC,
		      "%d targets serve a path (%u, %d)", WEIR_TARGETS_MAX,
		      n - 1, err);
		while (n--)
			weir_close(t[n]);
	} else {
		tap_skip("a path has 256 targets at most",
			 "takes too long on this kernel");
	}

	/* calls, as many as the inbox can take answers */
	route_quiet("/much/s");
	s = server_of("/much/s", 1, 1 << 16, NULL);
	w = handle(1 << 16, 4096);
	route = route_of(w, "/much/s");
	for (n = tap_scale(200, 10); n--;) {
		for (i = 0; i < 300; i++) {
			struct weir_call call = { .route = route, .tag = i };

			need(!request(w, &call, "much", 4), "request");
		}
		weir_flush(w);
		answered = 0;
		soon((serve_all(s, WEIR_KIND_REPLY),
		      (answered += (uint32_t)drain(w)) >= 300));
		if (answered != 300)
			break;
	}
	check(answered == 300, "more calls than there may be in flight: the rest waits (%u of 300)",
	      answered);
	need(!route_del("/much/s"), "del");
	weir_close(w);
	weir_close(s);
	check_victims("calls");
}

/* A user's cap holds for a server too, and what it had is free again. */
static int as_nobody(void *arg)
{
	struct weir *w[8];
	char path[64];
	int i, k = 0, n = 0, err = 0;

	(void)arg;
	if (setgid(65534) || setuid(65534))
		return 1;
	for (i = 0; i < 8 && !err; i++) {
		err = weir_open(&w[i], SOCK_RDM, NULL);
		if (err)
			break;
		for (k = 0; k < WEIR_SERVES_MAX && !err; k++) {
			snprintf(path, sizeof(path), "/nobody/%d/%d", i, k);
			err = weir_serve(w[i], path, 1, NULL);
			n += !err;
		}
	}
	return err == -ENOBUFS && n > 10 && n < 200 ? 0 : 2 + (n == 0);
}

static void capped(void)
{
	long long was = tap_stat("tunables/user_objects_max");
	int status;

	if (was < 0 || tap_tune("user_objects_max", 200)) {
		tap_skip("caps of a user", "no such tunable");
		return;
	}
	status = tap_wait(spawn(as_nobody, NULL));
	check(!status, "a user serves no more than his share of objects (%d)", status);
	status = tap_wait(spawn(as_nobody, NULL));
	check(!status, "and has it back afterwards (%d)", status);
	tap_tune("user_objects_max", was);
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	victims_begin();
	part(bad_control);
	part(one_by_one);
	part(bad_records);
	part(while_routed);
	part(forged);
	part(inherited);
	part(lying_target);
	part(lying_caller);
	part(storms);
	part(bad_calls);
	part(exhausted);
	part(capped);
	victims_end();
	check_routes_gone("hostile");
	check_counters(&before);
	check_kernel();
	return tap_done();
}
