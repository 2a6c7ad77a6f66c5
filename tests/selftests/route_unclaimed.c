// SPDX-License-Identifier: GPL-2.0
/*
 * Records that are committed where nothing was claimed, behind aborted ones
 * too: they are not routed, keep no polling thread awake, and are no sign of
 * life to the watchdog, and neither is a kick. A ring full of aborted records is
 * passed over, and what is behind them is routed.
 */
#include <pthread.h>

#include "routed.h"

#define RING	4096

/**
 * struct raw - a target whose shared memory was mapped by hand
 * @fd: the socket.
 * @out: its outbox.
 * @in: its inbox.
 * @v: the outbox, as its owner sees it.
 * @inbox: the inbox.
 */
struct raw {
	int			fd;
	struct raw_map		out, in;
	struct weir_ring_view	v, inbox;
};

static uint64_t raw_open(struct raw *r, const char *path)
{
	struct weir_ioc_serve s = { .size = sizeof(s), .weight = 1 };

	snprintf(s.path, sizeof(s.path), "%s", path);
	r->fd = raw_socket(SOCK_RDM);
	need(r->fd >= 0 && !raw_set(r->fd, WEIR_SO_RING_BYTES, RING) &&
	     !raw_set(r->fd, WEIR_SO_INBOX_BYTES, RING) &&
	     !ioctl(r->fd, WEIR_IOC_SERVE, &s) &&
	     !raw_map(r->fd, WEIR_ID_OUTBOX, &r->out) &&
	     !raw_map(r->fd, WEIR_ID_INBOX, &r->in), "a target by hand");
	r->v = raw_view(&r->out);
	r->inbox = raw_view(&r->in);
	return s.id;
}

static void raw_close(struct raw *r)
{
	raw_unmap(&r->out);
	raw_unmap(&r->in);
	close(r->fd);
}

/* Commits a record, claimed or not; in answer to @to, if there is such. */
static void raw_commit(struct raw *r, __u64 pos, uint8_t kind, uint8_t flags,
		       uint32_t len, const struct weir_ring_rec *to)
{
	struct weir_record *rec = weir_ring_at(&r->v, pos);

	rec->len = len;
	rec->kind = kind;
	rec->flags = flags;
	rec->ext = 0;
	rec->route = to ? to->rec->route : 0;
	rec->tag = to ? to->rec->tag : 0;
	rec->key = 0;
	weir_ring_commit(&r->v, rec, pos);
}

static __u64 raw_claim(struct raw *r, uint32_t total)
{
	__u64 pos = 0;
	__u32 seq;

	if (weir_ring_claim(&r->v, total, 0, &pos, &seq)) {
		/* the router gives space back in its cursor, slot 0 */
		r->v.head->limit = ((struct weir_cursor *)(void *)
				    (r->out.view + WEIR_PAGE_BYTES))->pos + RING;
		r->v.head->seq_limit = (__u32)r->v.head->claim + (1U << 30);
		need(!weir_ring_claim(&r->v, total, 0, &pos, &seq), "claim");
	}
	return pos;
}

/* The request at the head of the inbox. */
static void raw_next(struct raw *r, struct weir_ring_rec *rec)
{
	__u64 pos = r->in.cursor->pos;

	need(soon(weir_ring_peek(&r->inbox, &pos, rec) == 1), "a request");
}

static bool asks(const struct raw *r)
{
	return weir_load(&r->v.status->wake) & WEIR_WAKE_ROUTER;
}

static uint32_t state(const struct raw *r)
{
	return weir_load(&r->v.status->state);
}

static int poll_cpus(const char *cpus)
{
	return tap_write_file("/sys/kernel/weir/tunables/poll_cpus", cpus);
}

static void behind_aborted(void)
{
	struct weir_ring_rec rec;
	struct outcome o;
	struct raw r;
	struct weir *c;
	uint32_t route;
	__u64 pos;

	route_quiet("/unclaimed/a");
	raw_open(&r, "/unclaimed/a");
	c = caller("/unclaimed/a", &route);
	ask(c, route, 1);
	raw_next(&r, &rec);
	pos = raw_claim(&r, 64);
	raw_commit(&r, pos, 0, WEIR_REC_ABORTED, 32, NULL);
	raw_commit(&r, pos + 64, WEIR_KIND_REPLY, 0, 8, &rec);
	tap_kick(r.fd, WEIR_KICK_READERS);
	check(!outcome_now(c, &o) && state(&r) == WEIR_STATE_OPEN,
	      "a reply that is not claimed yet, behind an aborted record, waits");
	need(raw_claim(&r, 64) == pos + 64, "claim what is committed");
	tap_kick(r.fd, WEIR_KICK_READERS);
	check(replied(c, 1), "and goes when it is");

	ask(c, route, 2);
	r.in.cursor->pos = rec.next;
	raw_next(&r, &rec);
	pos = raw_claim(&r, 64);
	raw_commit(&r, pos, 0, WEIR_REC_ABORTED, 96, NULL);
	raw_commit(&r, pos + 128, WEIR_KIND_REPLY, 0, 8, &rec);
	tap_kick(r.fd, WEIR_KICK_READERS);
	check(!outcome_now(c, &o) && state(&r) == WEIR_STATE_BROKEN,
	      "an aborted record that ends behind the claim breaks the ring");
	raw_close(&r);
	weir_close(c);
	need(!route_del("/unclaimed/a"), "del");
}

/* As many of them as the ring has room for, and a request. */
static void all_aborted(void)
{
	struct raw r;
	struct weir *s = server("/unclaimed/b", 1);
	struct weir_ioc_call call = { .size = sizeof(call),
				      .path = "/unclaimed/b" };
	struct weir_record *rec;
	__u64 pos;
	int i;

	raw_open(&r, "/unclaimed/c");
	need(!ioctl(r.fd, WEIR_IOC_CALL, &call), "call");
	for (i = 0; i < RING / 64 - 1; i++)
		raw_commit(&r, raw_claim(&r, 64), 0, WEIR_REC_ABORTED, 32,
			   NULL);
	pos = raw_claim(&r, 64);
	rec = weir_ring_at(&r.v, pos);
	raw_commit(&r, pos, WEIR_KIND_REQUEST, 0, 8, NULL);
	rec->route = call.route;
	tap_kick(r.fd, WEIR_KICK_READERS);
	check(soon(drain(s) == 1), "a request behind a ring of aborted records");
	raw_close(&r);
	weir_close(s);
}

static void polled(void)
{
	struct raw r, broken;

	raw_open(&r, "/unclaimed/d");
	raw_open(&broken, "/unclaimed/e");
	need(!tap_tune("poll_idle_us", 1000), "idle time");
	raw_commit(&r, 0, WEIR_KIND_REPLY, 0, 8, NULL);
	need(!poll_cpus("1"), "polling on");
	tap_kick(r.fd, WEIR_KICK_READERS);
	check(soon(asks(&r)), "what is not claimed keeps no polling thread awake");
	/* one that claims less than it has is broken, and what it has stays */
	raw_claim(&broken, 64);
	raw_commit(&broken, 0, WEIR_KIND_REPLY, 0, 200, NULL);
	tap_kick(broken.fd, WEIR_KICK_READERS);
	check(soon(state(&broken) == WEIR_STATE_BROKEN && asks(&r)),
	      "nor does a broken ring");
	need(!poll_cpus("\n"), "polling off");
	raw_close(&r);
	raw_close(&broken);
}

static int quit;

static void *kicker(void *arg)
{
	const struct raw *r = arg;

	while (!get(&quit))
		tap_kick(r->fd, WEIR_KICK_READERS | WEIR_KICK_INBOX);
	return NULL;
}

/* A target that does not read, but commits what it has not claimed, and kicks. */
static void watched(void)
{
	struct weir_route_conf conf = { .timeout_ns = 600 * SECOND,
					.probe_ns = 20 * MS };
	pthread_t thread;
	struct raw r;
	struct weir *c;
	uint32_t route;
	uint64_t id;

	need(!route_set("/unclaimed/f", &conf), "route");
	id = raw_open(&r, "/unclaimed/f");
	c = caller("/unclaimed/f", &route);
	raw_commit(&r, 0, WEIR_KIND_REPLY, 0, 8, NULL);
	need(!poll_cpus("1"), "polling on");
	put(&quit, 0);
	need(!pthread_create(&thread, NULL, kicker, &r), "thread");
	ask(c, route, 1);
	check(soon(target_now(id).state == WEIR_TARGET_EJECTED),
	      "neither what is not claimed nor a kick is a sign of life");
	put(&quit, 1);
	pthread_join(thread, NULL);
	need(!poll_cpus("\n"), "polling off");
	weir_close(c);
	raw_close(&r);
	need(!route_del("/unclaimed/f"), "del");
}

int main(void)
{
	long long idle;

	hard_begin();
	idle = tap_stat("tunables/poll_idle_us");
	part(behind_aborted);
	part(all_aborted);
	part(polled);
	part(watched);
	need(!tap_tune("poll_idle_us", (unsigned long long)idle), "idle time");
	check_routes_gone("unclaimed");
	check_kernel();
	return tap_done();
}
