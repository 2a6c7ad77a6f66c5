// SPDX-License-Identifier: GPL-2.0
/*
 * The model's router: requests go to the sockets that serve exactly their path,
 * in turns, and replies back. It has no guards; what they say is asked for by
 * path:
 *
 *	/fault/N	refused with reason N, by guard N % WEIR_GUARD_MAX
 *	/void		never answered
 *	/all/...	sent to all that serve it; all replies are delivered
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../tap/tap.h"
#include "model_private.h"

#define MODEL_PATHS	16
#define MODEL_CALLS	4096

/**
 * struct model_port - a socket's part in the router
 * @rd: the router's cursor on its outbox.
 * @id: of that reader on the router's socket.
 * @handles: paths called, by handle - 1.
 * @serves: paths served.
 * @weights: of those.
 * @turn: when it was last sent a request.
 */
struct model_port {
	struct model_reader *rd;
	unsigned int id;
	char handles[MODEL_PATHS][WEIR_PATH_MAX + 1];
	char serves[MODEL_PATHS][WEIR_PATH_MAX + 1];
	__u32 weights[MODEL_PATHS];
	__u64 turn;
};

/**
 * struct model_call - a request that is not answered
 * @caller: NULL: the slot is free.
 * @target: socket that has it; NULL if several have it, or none.
 * @handle, @tag: the caller's.
 * @gen: its name is slot + 1, @gen.
 * @left: replies that are to come.
 * @deadline_ns: 0: none.
 */
struct model_call {
	struct model_sock *caller, *target;
	__u32 handle, tag, gen, left;
	__u64 deadline_ns;
};

static struct model_sock model_router = { .type = SOCK_RDM, .demand = -1 };
static struct model_call model_calls[MODEL_CALLS];
static __u64 model_turns;

/* --- delivery --- */

struct model_parcel {
	__u8 kind, flags;
	__u32 route, tag, key, len;
	__u64 deadline_ns;
	const void *data;
};

/* Into an inbox; false when there is no room: its reader is to kick. */
static bool model_deliver(struct model_sock *ws, const struct model_parcel *m)
{
	struct model_ring *in = ws->inbox;
	__u32 seq, ext = m->deadline_ns ? 8 : 0;
	__u32 total = weir_ring_need(m->len + ext);
	struct weir_ring_scan scan;
	struct weir_record *rec;
	unsigned char *to;
	__u64 pos;

	tap_need(!weir_ring_scan_begin(&in->v, &scan));
	weir_ring_scan_cursor(&in->v, &scan, model_cursor(ws->readers[1]));
	weir_ring_scan_end(&in->v, &scan);
	if (weir_ring_claim(&in->v, total, 0, &pos, &seq)) {
		weir_store(&in->status->wake_pos, 0);
		return false;
	}
	rec = weir_ring_at(&in->v, pos);
	to = (unsigned char *)(rec + 1);
	weir_store(&rec->len, m->len);
	weir_store(&rec->kind, m->kind);
	weir_store(&rec->flags, m->flags);
	weir_store(&rec->ext, (__u8)(ext / 8));
	weir_store(&rec->seq, seq);
	weir_store(&rec->route, m->route);
	weir_store(&rec->tag, m->tag);
	weir_store(&rec->key, m->key);
	if (ext)
		memcpy(to, &m->deadline_ns, 8);
	if (m->len)
		memcpy(to + ext, m->data, m->len);
	weir_ring_commit(&in->v, rec, pos);
	model_wake_all();
	return true;
}

static bool model_refuse(struct model_sock *ws, __u32 route, __u32 tag,
			 __u32 reason)
{
	struct weir_refusal fault = {
		.reason = reason,
		.guard = reason % WEIR_GUARD_MAX,
		.wait_ns = reason == WEIR_REASON_RATE ? 1234567 : 0,
	};
	struct model_parcel m = {
		.kind = WEIR_KIND_ERROR,
		.flags = WEIR_REC_ROUTER,
		.route = route,
		.tag = tag,
		.len = sizeof(fault),
		.data = &fault,
	};

	return model_deliver(ws, &m);
}

/* --- requests and replies --- */

static int model_serves(const struct model_sock *ws, const char *path)
{
	int i;

	for (i = 0; ws && ws->port && i < MODEL_PATHS; i++) {
		if (ws->port->weights[i] && !strcmp(ws->port->serves[i], path))
			return i;
	}
	return -1;
}

static struct model_sock *model_pick(const char *path)
{
	struct model_sock *best = NULL;
	unsigned int fd;

	for (fd = 0; fd < MODEL_FDS; fd++) {
		struct model_sock *ws = model_socks[fd];

		if (model_serves(ws, path) >= 0 &&
		    (!best || ws->port->turn < best->port->turn))
			best = ws;
	}
	return best;
}

static struct model_call *model_call_new(struct model_sock *caller,
					 const struct model_parcel *m)
{
	struct model_call *call = model_calls;

	while (call < model_calls + MODEL_CALLS && call->caller)
		call++;
	tap_need(call < model_calls + MODEL_CALLS);
	call->caller = caller;
	call->target = NULL;
	call->handle = m->route;
	call->tag = m->tag;
	call->gen++;
	call->left = 1;
	call->deadline_ns = m->deadline_ns;
	return call;
}

static void model_name(struct model_parcel *m, const struct model_call *call)
{
	m->route = call ? (__u32)(call - model_calls) + 1 : 0;
	m->tag = call ? call->gen : 0;
}

/* Returns whether the record has been dealt with. */
static bool model_request(struct model_sock *ws, const char *path,
			  struct model_parcel *m)
{
	bool asks = m->kind == WEIR_KIND_REQUEST;
	struct model_call *call = NULL;
	struct model_sock *target;
	unsigned int fd;

	if (!strncmp(path, "/fault/", 7))
		return !asks || model_refuse(ws, m->route, m->tag,
					     (__u32)atoi(path + 7));
	if (!strcmp(path, "/void")) {
		m->deadline_ns = 0;
		if (asks)
			model_call_new(ws, m);
		return true;
	}
	target = model_pick(path);
	if (!target)
		return !asks || model_refuse(ws, m->route, m->tag,
					     WEIR_REASON_NO_TARGET);
	if (asks)
		call = model_call_new(ws, m);
	m->flags &= WEIR_REC_IDEMPOTENT;
	model_name(m, call);
	if (!strncmp(path, "/all/", 5)) {
		for (fd = 0; fd < MODEL_FDS; fd++) {
			if (model_serves(model_socks[fd], path) >= 0 &&
			    model_deliver(model_socks[fd], m))
				call->left++;
		}
		call->left--;
		return true;
	}
	if (!model_deliver(target, m)) {
		if (call)
			call->caller = NULL;
		return false;
	}
	target->port->turn = ++model_turns;
	if (call)
		call->target = target;
	return true;
}

static bool model_reply(struct model_parcel *m)
{
	struct model_call *call = &model_calls[m->route - 1];

	/* late, or never asked for */
	if (m->route - 1 >= MODEL_CALLS || !call->caller ||
	    call->gen != m->tag)
		return true;
	m->flags = call->left > 1 ? WEIR_REC_MORE : 0;
	m->route = call->handle;
	m->tag = call->tag;
	m->deadline_ns = 0;
	if (!model_deliver(call->caller, m))
		return false;
	if (!--call->left)
		call->caller = NULL;
	return true;
}

static bool model_route_one(struct model_sock *ws,
			    const struct weir_ring_rec *r)
{
	struct model_parcel m = {
		.kind = r->kind,
		.flags = r->rec->flags,
		.route = r->rec->route,
		.tag = r->rec->tag,
		.key = r->rec->key,
		.len = r->len,
		.data = r->payload,
	};

	if (r->rec->ext)
		memcpy(&m.deadline_ns, r->rec + 1, 8);
	if (r->kind == WEIR_KIND_REPLY || r->kind == WEIR_KIND_ERROR)
		return model_reply(&m);
	tap_need(m.route && m.route <= MODEL_PATHS &&
		 ws->port->handles[m.route - 1][0]);
	return model_request(ws, ws->port->handles[m.route - 1], &m);
}

/* Routes what has been committed, as far as there is room for it. */
void model_route_run(struct model_sock *ws)
{
	struct weir_cursor *cursor;
	struct weir_ring_rec r;
	__u64 pos;

	if (!ws->port)
		return;
	cursor = model_cursor(ws->port->rd);
	pos = cursor->pos;
	while (weir_ring_peek(&ws->outbox->v, &pos, &r) == 1 &&
	       model_route_one(ws, &r))
		pos = r.next;
	weir_store_release(&cursor->pos, pos);
}

void model_route_resume(void)
{
	unsigned int fd;

	for (fd = 0; fd < MODEL_FDS; fd++) {
		if (model_socks[fd] && model_socks[fd]->port)
			model_route_run(model_socks[fd]);
	}
}

/* Answers the calls whose deadline has passed. */
bool model_route_expire(void)
{
	struct model_call *call;
	struct timespec t;
	bool any = false;
	__u64 now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (__u64)t.tv_sec * 1000000000 + (__u64)t.tv_nsec;
	for (call = model_calls; call < model_calls + MODEL_CALLS; call++) {
		if (!call->caller || !call->deadline_ns ||
		    call->deadline_ns > now)
			continue;
		any |= model_refuse(call->caller, call->handle, call->tag,
				    WEIR_REASON_DEADLINE);
		call->caller = NULL;
	}
	return any;
}

/* --- a socket's part --- */

static void model_port_new(struct model_sock *ws)
{
	if (ws->port)
		return;
	ws->port = calloc(1, sizeof(*ws->port));
	tap_need(ws->port && ws->type == SOCK_RDM);
	if (!ws->outbox)
		ws->outbox = model_ring_new(ws->ring_bytes, ws->type,
					    model_start_pos, model_start_seq);
	if (!ws->inbox)
		model_inbox_new(ws);
	ws->port->rd = model_attach(&model_router, WEIR_ID_STREAM, ws->outbox);
	while (model_router.readers[ws->port->id] != ws->port->rd)
		ws->port->id++;
	weir_store(&ws->outbox->status->wake,
		   ws->outbox->status->wake | WEIR_WAKE_ROUTER);
}

static int model_slot(char paths[][WEIR_PATH_MAX + 1], const char *path)
{
	int i = 0;

	while (i < MODEL_PATHS && paths[i][0] && strcmp(paths[i], path))
		i++;
	tap_need(i < MODEL_PATHS);
	strcpy(paths[i], path);
	return i;
}

/* Targets are named by the number of their socket's file and their place. */
static int model_control(const struct weir_ioc_control *control)
{
	const struct weir_route_op *op =
		(const struct weir_route_op *)(uintptr_t)control->ops;

	tap_need(control->size == sizeof(*control) && control->count == 1 &&
		 control->op_size == sizeof(*op) &&
		 op->op == WEIR_OP_TARGET_SET);
	model_socks[op->target / MODEL_PATHS]->port->weights
		[op->target % MODEL_PATHS] = op->weight;
	return 0;
}

/* WEIR_SO_DRAIN */
void model_drain(struct model_sock *ws)
{
	if (ws->port)
		memset(ws->port->weights, 0, sizeof(ws->port->weights));
}

int model_route_ioctl(struct model_sock *ws, unsigned long request, void *arg)
{
	struct weir_ioc_serve *serve = arg;
	struct weir_ioc_call *call = arg;
	unsigned int fd = 0;
	int i;

	switch (request) {
	case WEIR_IOC_SERVE:
		tap_need(serve->size == sizeof(*serve));
		if (serve->path[0] != '/')
			return -EINVAL;
		model_port_new(ws);
		i = model_slot(ws->port->serves, serve->path);
		ws->port->weights[i] = serve->weight;
		while (model_socks[fd] != ws)
			fd++;
		serve->id = fd * MODEL_PATHS + (unsigned int)i;
		return 0;
	case WEIR_IOC_CALL:
		tap_need(call->size == sizeof(*call));
		if (call->path[0] != '/')
			return -EINVAL;
		model_port_new(ws);
		call->route = (__u32)model_slot(ws->port->handles,
						call->path) + 1;
		return 0;
	case WEIR_IOC_CONTROL:
		return model_control(arg);
	default:
		return -ENOTTY;
	}
}

/* Tells the callers that wait for it, and drops what it waited for. */
void model_route_close(struct model_sock *ws)
{
	struct model_call *call;

	if (!ws->port)
		return;
	for (call = model_calls; call < model_calls + MODEL_CALLS; call++) {
		if (call->caller && call->target == ws && call->caller != ws)
			model_refuse(call->caller, call->handle, call->tag,
				     WEIR_REASON_TARGET_DIED);
		if (call->caller == ws || call->target == ws)
			call->caller = NULL;
	}
	model_detach(&model_router, ws->port->id);
	free(ws->port);
	ws->port = NULL;
}
