// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Sockets, paths, streams and cursors of this network namespace, as
 * WEIR_IOC_LIST gives them: fetched page by page, filtered by path, printed as
 * a table or as JSON. Without CAP_NET_ADMIN the kernel shows a user its own
 * objects and the paths that it may read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_pattern.h"
#include "weirctl_reason.h"
#include "weirctl_table.h"
#include "weirctl_unit.h"

#define WEIRCTL_PAGE	256	/* entries a call */

/* weir_list_entry.state of sockets is the kernel's, TCP's by tradition. */
#define WEIRCTL_ESTABLISHED	1
#define WEIRCTL_LISTEN		10
/* ours, of a socket that is the target of a route */
#define WEIRCTL_SERVING		0x100

int weirctl_open(struct weir **w)
{
	int err = weir_open(w, SOCK_RDM, NULL);

	if (err)
		return weirctl_fail("%s", weir_error());
	return WEIRCTL_OK;
}

static size_t weirctl_entry_bytes(uint32_t kind)
{
	switch (kind) {
	case WEIR_LIST_ROUTES:
		return sizeof(struct weir_route_entry);
	case WEIR_LIST_TARGETS:
		return sizeof(struct weir_target_entry);
	default:
		return sizeof(struct weir_list_entry);
	}
}

static uint64_t weirctl_entry_id(const struct weirctl_list *list, size_t i)
{
	switch (list->kind) {
	case WEIR_LIST_ROUTES:
		return list->routes[i].id;
	case WEIR_LIST_TARGETS:
		return list->targets[i].id;
	default:
		return list->entries[i].id;
	}
}

static void weirctl_list_grow(struct weirctl_list *list)
{
	if (list->room - list->count >= WEIRCTL_PAGE)
		return;
	list->room = 2 * list->room + WEIRCTL_PAGE;
	list->data = weirctl_must(realloc(list->data, list->room *
					  weirctl_entry_bytes(list->kind)));
}

/**
 * weirctl_list_try() - fetch all objects of a kind
 * @w: any handle.
 * @kind: kind of the objects.
 * @list: out: the objects; the caller frees it, also after a failure.
 *
 * Return: 0 or -errno; a module without routes gives -EOPNOTSUPP for them.
 */
int weirctl_list_try(struct weir *w, uint32_t kind, struct weirctl_list *list)
{
	size_t bytes = weirctl_entry_bytes(kind);
	struct weir_ioc_list req;

	memset(list, 0, sizeof(*list));
	list->kind = kind;
	for (;;) {
		weirctl_list_grow(list);
		memset(&req, 0, sizeof(req));
		req.size = sizeof(req);
		req.kind = kind;
		req.entry_size = (uint32_t)bytes;
		req.count = WEIRCTL_PAGE;
		req.after = list->count ?
			    weirctl_entry_id(list, list->count - 1) : 0;
		req.entries = (uintptr_t)list->data + list->count * bytes;
		if (ioctl(weir_fd(w), WEIR_IOC_LIST, &req))
			return errno == EINVAL && kind >= WEIR_LIST_ROUTES ?
			       -EOPNOTSUPP : -errno;
		if (!req.count)
			return 0;
		list->count += req.count;
	}
}

/* As weirctl_list_try(), and says what went wrong. */
int weirctl_list_fetch(struct weir *w, uint32_t kind,
		       struct weirctl_list *list)
{
	int err = weirctl_list_try(w, kind, list);

	if (err == -EOPNOTSUPP)
		return weirctl_fail("this weir module knows no routes");
	if (err)
		return weirctl_fail("listing: %s", strerror(-err));
	return WEIRCTL_OK;
}

void weirctl_list_free(struct weirctl_list *list)
{
	free(list->data);
	list->data = NULL;
	list->count = 0;
	list->room = 0;
}

const void *weirctl_list_find(const struct weirctl_list *list, uint64_t id)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		uint64_t at = weirctl_entry_id(list, mid);

		if (at == id)
			return (const char *)list->data +
			       mid * weirctl_entry_bytes(list->kind);
		if (at < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* --- what entries mean --- */

static const char *weirctl_type_name(uint32_t type)
{
	switch (type) {
	case SOCK_SEQPACKET:
		return "seqpacket";
	case SOCK_RDM:
		return "rdm";
	case SOCK_DGRAM:
		return "dgram";
	default:
		return "?";
	}
}

static const char *weirctl_socket_state(const struct weir_list_entry *e)
{
	bool pair = e->type == SOCK_SEQPACKET;

	if (e->state == WEIRCTL_LISTEN)
		return "listening";
	if (e->state == WEIRCTL_SERVING)
		return "serving";
	if (e->state == WEIRCTL_ESTABLISHED)
		return pair ? "connected" : "subscribed";
	return e->name[0] ? "bound" : "idle";
}

const char *weirctl_state_name(const struct weir_list_entry *e)
{
	if (e->kind == WEIR_LIST_SOCKETS)
		return weirctl_socket_state(e);
	return weirctl_ring_state(e->state);
}

/* Only a cursor with a name can be held without a reader. */
static bool weirctl_is_router(const struct weir_list_entry *e)
{
	return !e->peer && !(e->flags & WEIR_READER_NAMED);
}

const char *weirctl_cursor_flags(const struct weir_list_entry *e, char buf[24])
{
	snprintf(buf, 24, "%s%s%s",
		 e->flags & WEIR_READER_EVICTED ? "evicted" :
		 e->flags & WEIR_READER_GATING ? "gating" : "lossy",
		 e->flags & WEIR_READER_NAMED ? ",named" : "",
		 e->peer ? "" : weirctl_is_router(e) ? ",router" : ",held");
	return buf;
}

/* The path that an entry is about: a cursor's is that of its stream. */
const char *weirctl_path_of(const struct weirctl_list *streams,
			    const struct weir_list_entry *e)
{
	const struct weir_list_entry *stream;

	if (e->kind != WEIR_LIST_CURSORS)
		return e->name;
	stream = weirctl_list_find(streams, e->parent);
	return stream ? stream->name : "";
}

/* --- JSON --- */

static void weirctl_json_mode(json_t *o, const struct weir_list_entry *e)
{
	char mode[16];

	snprintf(mode, sizeof(mode), "%04o", e->mode & 0777);
	json_object_set_new(o, "mode", json_string(mode));
}

static void weirctl_json_cursor(json_t *o, const struct weir_list_entry *e)
{
	weirctl_json_put(o, "stream", e->parent);
	weirctl_json_put(o, "socket", e->peer);
	weirctl_json_put(o, "pid", e->pid);
	json_object_set_new(o, "name", weirctl_json_text(e->name));
	json_object_set_new(o, "gating",
			    json_boolean(e->flags & WEIR_READER_GATING));
	json_object_set_new(o, "named",
			    json_boolean(e->flags & WEIR_READER_NAMED));
	json_object_set_new(o, "evicted",
			    json_boolean(e->flags & WEIR_READER_EVICTED));
	json_object_set_new(o, "router", json_boolean(weirctl_is_router(e)));
	weirctl_json_put(o, "position_bytes", e->pos);
	weirctl_json_put(o, "records", e->seq);
	weirctl_json_put(o, "lag_bytes", e->lag_bytes);
	weirctl_json_put(o, "lag_records", e->lag_records);
	weirctl_json_put(o, "missed", e->missed);
}

static void weirctl_json_stream(json_t *o, const struct weir_list_entry *e)
{
	weirctl_json_put(o, "socket", e->parent);
	weirctl_json_put(o, "pid", e->pid);
	json_object_set_new(o, "type", json_string(weirctl_type_name(e->type)));
	json_object_set_new(o, "state", json_string(weirctl_state_name(e)));
	json_object_set_new(o, "lossy",
			    json_boolean(e->flags & WEIR_STATUS_LOSSY));
	weirctl_json_put(o, "ring_bytes", e->ring_bytes);
	weirctl_json_put(o, "readers", e->count);
	weirctl_json_put(o, "position_bytes", e->pos);
	weirctl_json_put(o, "records", e->seq);
	weirctl_json_put(o, "lag_bytes", e->lag_bytes);
	weirctl_json_put(o, "lag_records", e->lag_records);
	weirctl_json_put(o, "copied_bytes", e->copied_bytes);
}

static void weirctl_json_socket(json_t *o, const struct weir_list_entry *e)
{
	weirctl_json_put(o, "pid", e->pid);
	json_object_set_new(o, "type", json_string(weirctl_type_name(e->type)));
	json_object_set_new(o, "state", json_string(weirctl_state_name(e)));
	weirctl_json_mode(o, e);
	weirctl_json_put(o, "streams", e->count);
	weirctl_json_put(o, "missed", e->missed);
	weirctl_json_put(o, "copied_bytes", e->copied_bytes);
}

static void weirctl_json_path(json_t *o, const struct weir_list_entry *e)
{
	weirctl_json_put(o, "gid", e->gid);
	weirctl_json_mode(o, e);
	weirctl_json_put(o, "publishers", e->count);
	json_object_set_new(o, "listening",
			    json_boolean(e->state == WEIRCTL_LISTEN));
}

json_t *weirctl_entry_json(const struct weir_list_entry *e,
			   const struct weirctl_list *streams)
{
	json_t *o = json_object();

	weirctl_json_put(o, "id", e->id);
	json_object_set_new(o, "path",
			    weirctl_json_text(weirctl_path_of(streams, e)));
	weirctl_json_put(o, "uid", e->uid);
	switch (e->kind) {
	case WEIR_LIST_SOCKETS:
		weirctl_json_socket(o, e);
		break;
	case WEIR_LIST_PATHS:
		weirctl_json_path(o, e);
		break;
	case WEIR_LIST_STREAMS:
		weirctl_json_stream(o, e);
		break;
	default:
		weirctl_json_cursor(o, e);
	}
	return o;
}

/* --- tables --- */

static struct weirctl_table *weirctl_table_of(uint32_t kind)
{
	static const char *const sockets[] = {
		"ID", "TYPE", "STATE", "PID", "UID", "STREAMS", "MISSED",
		"COPIED", "PATH" };
	static const char *const paths[] = {
		"ID", "MODE", "UID", "GID", "PUBLISHERS", "LISTENER", "PATH" };
	static const char *const streams[] = {
		"ID", "TYPE", "STATE", "SOCKET", "PID", "UID", "RING",
		"RECORDS", "READERS", "LAG", "LAGRECS", "COPIED", "PATH" };
	static const char *const cursors[] = {
		"ID", "STREAM", "SOCKET", "PID", "UID", "RECORDS", "LAG",
		"LAGRECS", "MISSED", "FLAGS", "NAME", "PATH" };

	switch (kind) {
	case WEIR_LIST_SOCKETS:
		return weirctl_table_new(sockets, "rllrrrrrl");
	case WEIR_LIST_PATHS:
		return weirctl_table_new(paths, "rlrrrll");
	case WEIR_LIST_STREAMS:
		return weirctl_table_new(streams, "rllrrrrrrrrrl");
	default:
		return weirctl_table_new(cursors, "rrrrrrrrrlll");
	}
}

#define U(value)	((unsigned long long)(value))

static void weirctl_row_start(struct weirctl_table *t,
			      const struct weir_list_entry *e)
{
	weirctl_table_cell(t, "%llu", U(e->id));
	if (e->kind == WEIR_LIST_PATHS || e->kind == WEIR_LIST_CURSORS)
		return;
	weirctl_table_cell(t, "%s", weirctl_type_name(e->type));
	weirctl_table_cell(t, "%s", weirctl_state_name(e));
}

static void weirctl_row_end(struct weirctl_table *t, const char *path)
{
	weirctl_table_cell(t, "%s", path[0] ? path : "-");
}

static void weirctl_row(const struct weirctl_options *o,
			struct weirctl_table *t,
			const struct weirctl_list *streams,
			const struct weir_list_entry *e)
{
	char b[24];

	weirctl_row_start(t, e);
	switch (e->kind) {
	case WEIR_LIST_SOCKETS:
		weirctl_table_cell(t, "%u", e->pid);
		weirctl_table_cell(t, "%u", e->uid);
		weirctl_table_cell(t, "%llu", U(e->count));
		weirctl_table_cell(t, "%llu", U(e->missed));
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->copied_bytes, b));
		break;
	case WEIR_LIST_PATHS:
		weirctl_table_cell(t, "%04o", e->mode & 0777);
		weirctl_table_cell(t, "%u", e->uid);
		weirctl_table_cell(t, "%u", e->gid);
		weirctl_table_cell(t, "%llu", U(e->count));
		weirctl_table_cell(t, "%s", e->state == WEIRCTL_LISTEN ?
				   "yes" : "no");
		break;
	case WEIR_LIST_STREAMS:
		weirctl_table_cell(t, "%llu", U(e->parent));
		weirctl_table_cell(t, "%u", e->pid);
		weirctl_table_cell(t, "%u", e->uid);
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->ring_bytes, b));
		weirctl_table_cell(t, "%llu", U(e->seq));
		weirctl_table_cell(t, "%llu", U(e->count));
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->lag_bytes, b));
		weirctl_table_cell(t, "%llu", U(e->lag_records));
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->copied_bytes, b));
		break;
	default:
		weirctl_table_cell(t, "%llu", U(e->parent));
		weirctl_table_cell(t, "%llu", U(e->peer));
		weirctl_table_cell(t, "%u", e->pid);
		weirctl_table_cell(t, "%u", e->uid);
		weirctl_table_cell(t, "%llu", U(e->seq));
		weirctl_table_cell(t, "%s", weirctl_bytes(o, e->lag_bytes, b));
		weirctl_table_cell(t, "%llu", U(e->lag_records));
		weirctl_table_cell(t, "%llu", U(e->missed));
		weirctl_table_cell(t, "%s", weirctl_cursor_flags(e, b));
		weirctl_table_cell(t, "%s", e->name[0] ? e->name : "-");
	}
	weirctl_row_end(t, weirctl_path_of(streams, e));
}

/* The socket that asks is not worth listing. */
static bool weirctl_is_self(const struct weir_list_entry *e)
{
	return e->kind == WEIR_LIST_SOCKETS && !e->name[0] &&
	       e->pid == (uint32_t)getpid();
}

static int weirctl_show(const struct weirctl_options *o,
			const struct weirctl_list *list,
			const struct weirctl_list *streams)
{
	struct weirctl_table *t = NULL;
	json_t *array = NULL;
	size_t i;

	if (o->json)
		array = json_array();
	else
		t = weirctl_table_of(list->kind);
	for (i = 0; i < list->count; i++) {
		const struct weir_list_entry *e = &list->entries[i];

		if (weirctl_is_self(e) ||
		    (o->pattern && !weirctl_pattern_match(o->pattern,
					weirctl_path_of(streams, e))))
			continue;
		if (o->json)
			json_array_append_new(array,
					      weirctl_entry_json(e, streams));
		else
			weirctl_row(o, t, streams, e);
	}
	if (o->json) {
		weirctl_json_print(array);
	} else {
		weirctl_table_print(t);
		weirctl_table_free(t);
	}
	return WEIRCTL_OK;
}

/*
 * Which sockets serve, and what: the list of sockets does not say. A socket
 * with a path of its own keeps it. A module without routes has no such sockets.
 */
static void weirctl_list_serving(struct weir *w, struct weirctl_list *sockets)
{
	struct weirctl_list targets, routes = { 0 };
	size_t i;

	if (!weirctl_list_try(w, WEIR_LIST_TARGETS, &targets))
		weirctl_list_try(w, WEIR_LIST_ROUTES, &routes);
	for (i = 0; i < targets.count; i++) {
		const struct weir_target_entry *t = &targets.targets[i];
		const struct weir_route_entry *r;
		struct weir_list_entry *e;

		/* the list is ours */
		e = t->socket ? (void *)(uintptr_t)
				weirctl_list_find(sockets, t->socket) : NULL;
		if (!e)
			continue;
		e->state = WEIRCTL_SERVING;
		r = weirctl_list_find(&routes, t->route);
		if (r && !e->name[0])
			memcpy(e->name, r->path, sizeof(e->name));
	}
	weirctl_list_free(&routes);
	weirctl_list_free(&targets);
}

/* weirctl socket, path, stream, cursor */
int weirctl_list(const struct weirctl_options *o, uint32_t kind)
{
	struct weirctl_list list = { 0 }, streams = { 0 };
	struct weir *w;
	int ret = weirctl_open(&w);

	if (ret)
		return ret;
	/* cursors first: when a stream goes in between, only a path is missing */
	ret = weirctl_list_fetch(w, kind, &list);
	if (!ret && kind == WEIR_LIST_SOCKETS)
		weirctl_list_serving(w, &list);
	if (!ret && kind == WEIR_LIST_CURSORS)
		ret = weirctl_list_fetch(w, WEIR_LIST_STREAMS, &streams);
	if (!ret)
		ret = weirctl_show(o, &list, &streams);
	weirctl_list_free(&streams);
	weirctl_list_free(&list);
	weir_close(w);
	return ret;
}
