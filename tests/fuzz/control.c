// SPDX-License-Identifier: GPL-2.0
/*
 * Options, ioctls, and lists of control operations.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <linux/sockios.h>

#include "fuzz.h"

#define OPS_MAX		8
#define ENTRIES_MAX	64

/* --- options -------------------------------------------------------------- */

static void run_setopt(struct state *s, const uint64_t *a)
{
	int value = (int)a[2];

	setsockopt(slot_fd(s, a[0]), a[3] == 7 ? SOL_SOCKET : SOL_WEIR,
		   (int)a[1], &value, a[3] == 6 ? (socklen_t)a[2] : sizeof(value));
}

static void run_setopt_text(struct state *s, const uint64_t *a)
{
	const char *text = path_of(a[2]);
	socklen_t len = (socklen_t)strlen(text);

	/* a NUL more, or far more than there is */
	if (a[3] == 1)
		len++;
	else if (a[3] == 2)
		len = 300;
	else if (a[3] == 3)
		len = 0x7fffffff;
	setsockopt(slot_fd(s, a[0]), SOL_WEIR, (int)a[1],
		   a[3] == 4 ? (void *)-4096L : (void *)text, len);
}

static void run_getopt(struct state *s, const uint64_t *a)
{
	char room[1024];
	socklen_t len = (socklen_t)a[2] < sizeof(room) || a[3] == 1 ?
			(socklen_t)a[2] : sizeof(room);

	getsockopt(slot_fd(s, a[0]), a[3] == 7 ? SOL_SOCKET : SOL_WEIR,
		   (int)a[1], a[3] == 2 ? (void *)-4096L : (void *)room, &len);
}

static void run_times(struct state *s, const uint64_t *a)
{
	struct timeval tv = { 0, (suseconds_t)(a[1] / 1000 % 1000000) };

	setsockopt(slot_fd(s, a[0]), SOL_SOCKET,
		   a[2] & 1 ? SO_RCVTIMEO : SO_SNDTIMEO, &tv, sizeof(tv));
}

static void run_kick(struct state *s, const uint64_t *a)
{
	int value = (int)((a[1] & 0x87) | a[2] << 8);

	setsockopt(slot_fd(s, a[0]), SOL_WEIR, WEIR_SO_KICK, &value,
		   sizeof(value));
}

static void run_wait(struct state *s, const uint64_t *a)
{
	struct {
		struct weir_so_wait wait;
		uint64_t more;
	} w = {
		.wait = {
			.flags = (uint32_t)a[1],
			.timeout_ns = (int64_t)a[2],
			.bytes = a[3],
		},
	};
	socklen_t len = a[4] == 7 ? sizeof(w) : a[4] == 6 ? (socklen_t)a[3] :
			sizeof(w.wait);

	if (a[4] == 5)
		w.wait.reserved = 1;
	setsockopt(slot_fd(s, a[0]), SOL_WEIR, WEIR_SO_WAIT,
		   a[4] == 4 ? (void *)-4096L : (void *)&w, len);
}

/* --- ioctls --------------------------------------------------------------- */

static uint32_t size_of(uint64_t arg, size_t right)
{
	return arg == 0xffff ? (uint32_t)right : (uint32_t)arg;
}

static void run_describe(struct state *s, const uint64_t *a)
{
	/* a page, as the size may say as much */
	union {
		struct weir_ioc_map map;
		char page[8192];
	} u = { 0 };

	u.map.size = size_of(a[2], sizeof(u.map));
	u.map.id = (uint32_t)a[1];
	u.map.flags = a[3] == 7;
	if (a[3] == 6)
		u.page[sizeof(u.map)] = 1;
	ioctl(slot_fd(s, a[0]), WEIR_IOC_MAP, a[3] == 5 ? NULL : &u);
}

static void run_detach(struct state *s, const uint64_t *a)
{
	ioctl(slot_fd(s, a[0]), WEIR_IOC_DETACH, a[1]);
}

static void run_list(struct state *s, const uint64_t *a)
{
	static const uint32_t kinds[] = {
		WEIR_LIST_SOCKETS, WEIR_LIST_PATHS, WEIR_LIST_STREAMS,
		WEIR_LIST_CURSORS, WEIR_LIST_ROUTES, WEIR_LIST_TARGETS, 0, 99,
	};
	static const uint32_t sizes[] = {
		sizeof(struct weir_list_entry), sizeof(struct weir_list_entry),
		sizeof(struct weir_list_entry), sizeof(struct weir_list_entry),
		sizeof(struct weir_route_entry),
		sizeof(struct weir_target_entry), 100, 100,
	};
	static char *room;
	struct weir_ioc_list list = {
		.size = size_of(a[3], sizeof(list)),
		.kind = kinds[a[1] % 8],
		.entry_size = sizes[a[1] % 8],
		.count = 1 + (uint32_t)a[2] % ENTRIES_MAX,
	};
	unsigned int calls = 0;

	if (!room)
		room = malloc(ENTRIES_MAX * 4096);
	list.entries = (uintptr_t)room;
	if (a[4] == 7)
		list.entry_size = (uint32_t)a[2];
	if (a[4] == 6)
		list.entries = (uint64_t)-4096;
	if (a[4] == 5)
		list.after = a[2];
	/* the whole list, page by page */
	while (!ioctl(slot_fd(s, a[0]), WEIR_IOC_LIST, &list) && list.count &&
	       list.entry_size >= 16 && calls++ < 4) {
		const char *last = room + (list.count - 1) * list.entry_size;

		memcpy(&list.after, last + (list.kind < WEIR_LIST_ROUTES ?
		       offsetof(struct weir_list_entry, id) : 0), 8);
	}
}

static void run_serve(struct state *s, const uint64_t *a)
{
	struct weir_ioc_serve serve = {
		.size = size_of(a[3], sizeof(serve)),
		.weight = (uint32_t)a[2],
		.flags = a[4] == 7,
	};

	strncpy(serve.path, path_of(a[1]), sizeof(serve.path) - 1);
	if (a[4] == 6)
		memset(serve.path, 'x', sizeof(serve.path));
	ioctl(slot_fd(s, a[0]), WEIR_IOC_SERVE, &serve);
}

static void run_call(struct state *s, const uint64_t *a)
{
	struct weir_ioc_call call = {
		.size = size_of(a[3], sizeof(call)),
		.flags = a[4] == 7,
	};

	strncpy(call.path, path_of(a[1]), sizeof(call.path) - 1);
	if (a[4] == 6)
		memset(call.path, 'x', sizeof(call.path));
	if (!ioctl(slot_fd(s, a[0]), WEIR_IOC_CALL, &call))
		s->handle[a[2] % ARRAY_SIZE(s->handle)] = call.route;
}

static void run_ioctl(struct state *s, const uint64_t *a)
{
	static const unsigned long commands[] = {
		FIONREAD, SIOCOUTQ, _IO(WEIR_IOC_MAGIC, 2),
		_IO(WEIR_IOC_MAGIC, 3), _IO(WEIR_IOC_MAGIC, 99), SIOCATMARK,
		FIONREAD, SIOCOUTQ,
	};
	int value = 0;

	ioctl(slot_fd(s, a[0]), commands[a[1] % 8],
	      a[2] == 7 ? (void *)-4096L : (void *)&value);
}

/* --- control -------------------------------------------------------------- */

static uint64_t some_ns(struct rng *r)
{
	static const uint64_t ns[] = {
		0, 1, 1000, 100000, 1000000, 5000000, 20000000, 1000000000,
		UINT64_MAX, INT64_MAX, UINT64_C(1) << 50,
	};

	return ns[rng_below(r, rng_one_in(r, 4) ? ARRAY_SIZE(ns) : 8)];
}

static uint32_t some_int(struct rng *r)
{
	static const uint32_t n[] = {
		0, 1, 2, 3, 5, 10, 50, 100, 1000, 1U << 20, (1U << 20) + 1,
		0x7fffffff, 0xffffffff,
	};

	return n[rng_below(r, rng_one_in(r, 8) ? ARRAY_SIZE(n) : 8)];
}

static void some_path(struct rng *r, char *to)
{
	strncpy(to, path_of(rng_below(r, rng_one_in(r, 8) ? 32 : 4)),
		WEIR_PATH_MAX);
}

/* What a configuration has, as bits; a step of its own names them. */
enum feature {
	WITH_RATE	= 0x01,
	WITH_BULKHEAD	= 0x02,
	WITH_MIRROR	= 0x04,
	WITH_BREAKER	= 0x08,
	WITH_RETRY	= 0x10,
	WITH_DUP	= 0x20,
	WITH_FALLBACK	= 0x40,
	WITH_REPLY	= 0x80,
};

static uint64_t tame_ns(struct rng *r)
{
	static const uint64_t ns[] = { 100000, 1000000, 5000000, 1000000000 };

	return ns[rng_below(r, ARRAY_SIZE(ns))];
}

/* Values that are taken. */
static void conf_tame(struct rng *r, struct weir_route_conf *c, unsigned int with)
{
	static char reply[WEIR_FALLBACK_MAX];

	if (with & WITH_RATE)
		c->rate = 1 + (uint32_t)rng_below(r, 1000);
	if (with & WITH_BULKHEAD)
		c->bulkhead = 1 + (uint32_t)rng_below(r, 3);
	if (with & WITH_MIRROR) {
		c->mirror_permille = rng_one_in(r, 2) ? 1000 : 500;
		some_path(r, c->mirror);
	}
	if (with & WITH_BREAKER) {
		c->breaker_window_ns = 1000000000;
		c->breaker_open_ns = tame_ns(r);
		c->breaker_slow_ns = tame_ns(r);
		c->breaker_min_calls = 1 + (uint32_t)rng_below(r, 3);
		c->breaker_error_percent = 1 + (uint32_t)rng_below(r, 100);
		c->breaker_slow_percent = 1 + (uint32_t)rng_below(r, 100);
		c->breaker_probes = 1 + (uint32_t)rng_below(r, 2);
	}
	if (with & WITH_RETRY) {
		c->retries = 1 + (uint32_t)rng_below(r, 3);
		c->retry_base_ns = 100000;
		c->retry_max_ns = 1000000;
	}
	if (with & WITH_DUP && c->policy < WEIR_POLICY_ALL) {
		c->dup_window_ns = tame_ns(r);
		c->dup_entries = (uint32_t)rng_below(r, 4);
		c->dup_bytes = rng_one_in(r, 2) ? 128 : 0;
	}
	if (with & WITH_FALLBACK) {
		some_path(r, c->fallback);
	} else if (with & WITH_REPLY) {
		c->fallback_len = 1 + (uint32_t)rng_below(r, sizeof(reply));
		c->fallback_reply = (uintptr_t)reply;
	}
}

/* One member or another becomes what it should not be. */
static void conf_wild(struct rng *r, struct weir_route_conf *c)
{
	uint32_t *words = (uint32_t *)(void *)c;
	size_t n = offsetof(struct weir_route_conf, fallback) / 4;
	unsigned int changes = 1 + (unsigned int)rng_below(r, 3);

	while (changes--) {
		if (rng_one_in(r, 4))
			some_path(r, rng_one_in(r, 2) ? c->mirror : c->fallback);
		else
			words[rng_below(r, n)] = rng_one_in(r, 2) ? some_int(r) :
						 (uint32_t)some_ns(r);
	}
}

static void conf_make(struct rng *r, struct weir_route_conf *c, uint32_t policy,
		      unsigned int with, bool wild)
{
	memset(c, 0, sizeof(*c));
	c->policy = policy;
	c->quorum = (uint32_t)rng_below(r, 3);
	if (rng_one_in(r, 2))
		c->timeout_ns = tame_ns(r);
	if (rng_one_in(r, 2))
		c->probe_ns = rng_one_in(r, 4) ? WEIR_PROBE_OFF : 1000000;
	conf_tame(r, c, with);
	if (wild && rng_one_in(r, 6))
		conf_wild(r, c);
}

/* A route gets this policy and these guards. */
static void run_conf(struct state *s, const uint64_t *a)
{
	static struct weir_route_op op;
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(op), .count = 1,
		.ops = (uintptr_t)&op,
	};
	struct rng r = { a[4] };

	memset(&op, 0, sizeof(op));
	op.op = WEIR_OP_ROUTE_SET;
	strncpy(op.path, path_of(a[1]), WEIR_PATH_MAX);
	/* the small numbers, of which seeds.c makes use, are all accepted */
	conf_make(&r, &op.conf, (uint32_t)a[2], (unsigned int)a[3], a[4] > 15);
	ioctl(slot_fd(s, a[0]), WEIR_IOC_CONTROL, &ctl);
}

static void run_control(struct state *s, const uint64_t *a)
{
	static struct weir_route_op *ops;
	struct rng r = { a[5] };
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl),
		.op_size = sizeof(*ops),
		.count = 1 + (uint32_t)a[4] % OPS_MAX,
	};
	unsigned int i;

	if (!ops)
		ops = calloc(OPS_MAX, sizeof(*ops));
	ctl.ops = (uintptr_t)ops;
	for (i = 0; i < ctl.count; i++) {
		struct weir_route_op *op = &ops[i];
		/* the first is as the step says, the others go on from it */
		uint64_t path = i ? rng_below(&r, 5) : a[2];
		uint64_t target = i ? rng_below(&r, 5) : a[3];

		memset(op, 0, sizeof(*op));
		op->op = i ? 1 + (uint32_t)rng_below(&r, 6) : (uint32_t)a[1];
		op->weight = rng_one_in(&r, 8) ? some_int(&r) :
			     (uint32_t)rng_below(&r, 3);
		op->target = rng_one_in(&r, 4) ? rng_below(&r, 64) : 0;
		strncpy(op->path, path_of(path), WEIR_PATH_MAX);
		if (op->op != WEIR_OP_ROUTE_SET && op->op != WEIR_OP_ROUTE_DEL)
			strncpy(op->target_path, path_of(target),
				WEIR_PATH_MAX);
		if (op->op == WEIR_OP_ROUTE_SET)
			conf_make(&r, &op->conf, (uint32_t)rng_below(&r, 7),
				  (unsigned int)(rng_next(&r) & rng_next(&r)),
				  true);
	}
	if (rng_one_in(&r, 32))
		ctl.op_size = some_int(&r);
	if (rng_one_in(&r, 32))
		ctl.count = some_int(&r);
	if (rng_one_in(&r, 32))
		ctl.ops = some_int(&r);
	ioctl(slot_fd(s, a[0]), WEIR_IOC_CONTROL, &ctl);
}

/* The breaker or weight of a target that there is, by its id. */
static void run_target(struct state *s, const uint64_t *a)
{
	struct weir_target_entry entries[4];
	struct weir_ioc_list list = {
		.size = sizeof(list), .kind = WEIR_LIST_TARGETS,
		.entry_size = sizeof(entries[0]), .count = 4,
		.entries = (uintptr_t)entries,
	};
	struct weir_route_op op = {
		.op = (uint32_t)a[2], .weight = (uint32_t)a[3],
	};
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(op), .count = 1,
		.ops = (uintptr_t)&op,
	};

	memset(entries, 0, sizeof(entries));
	if (ioctl(slot_fd(s, a[0]), WEIR_IOC_LIST, &list) || !list.count)
		return;
	op.target = entries[a[4] % list.count].id;
	strncpy(op.path, path_of(a[1]), WEIR_PATH_MAX);
	ioctl(slot_fd(s, a[0]), WEIR_IOC_CONTROL, &ctl);
}

static const struct call calls[] = {
	{ "setopt", 12, { KIND_SLOT, KIND_OPTION, KIND_INT, KIND_SMALL }, run_setopt },
	{ "setopt_text", 4, { KIND_SLOT, KIND_OPTION, KIND_PATH, KIND_SMALL },
	  run_setopt_text },
	{ "getopt", 4, { KIND_SLOT, KIND_OPTION, KIND_INT, KIND_SMALL }, run_getopt },
	{ "times", 1, { KIND_SLOT, KIND_NS, KIND_SMALL }, run_times },
	{ "kick", 6, { KIND_SLOT, KIND_FLAGS, KIND_ID }, run_kick },
	{ "wait", 8, { KIND_SLOT, KIND_SMALL, KIND_NS, KIND_LEN, KIND_SMALL }, run_wait },
	{ "describe", 3, { KIND_SLOT, KIND_ID, KIND_SIZE, KIND_SMALL }, run_describe },
	{ "detach", 4, { KIND_SLOT, KIND_ID }, run_detach },
	{ "list", 4, { KIND_SLOT, KIND_SMALL, KIND_INT, KIND_SIZE, KIND_SMALL }, run_list },
	{ "serve", 8, { KIND_SLOT, KIND_PATH, KIND_INT, KIND_SIZE, KIND_SMALL }, run_serve },
	{ "call", 8, { KIND_SLOT, KIND_PATH, KIND_SMALL, KIND_SIZE, KIND_SMALL }, run_call },
	{ "ioctl", 2, { KIND_SLOT, KIND_SMALL, KIND_SMALL }, run_ioctl },
	{ "control", 10, { KIND_SLOT, KIND_SMALL, KIND_PATH, KIND_PATH, KIND_SMALL,
			   KIND_BITS }, run_control },
	{ "conf", 8, { KIND_SLOT, KIND_PATH, KIND_SMALL, KIND_FLAGS, KIND_BITS }, run_conf },
	{ "target", 3, { KIND_SLOT, KIND_PATH, KIND_SMALL, KIND_SMALL, KIND_SMALL },
	  run_target },
};

const struct call_table control_calls = { calls, ARRAY_SIZE(calls) };
