// SPDX-License-Identifier: GPL-2.0
/*
 * A weir module for weirctl alone, linked into it in place of some functions of
 * the C library: it answers WEIR_IOC_LIST and WEIR_IOC_CONTROL from a scene, a
 * file of JSON, and puts what was changed back into it. Files below
 * /sys/kernel/weir and /sys/module/weir are those below the scene's directory.
 *
 *	FAKE	directory: scene.json, sys/...; log gets a line for each call
 *
 * A scene has "routes", "targets", "streams", "cursors", "sockets" and "paths":
 * arrays of objects whose keys are members of the structures in uapi; "conf" of
 * a route is the structure in hexadecimal. It knows as much of the rules as
 * the tests need; words begin with "fake: ".
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uapi/weir.h>
#include <uapi/weir_route.h>

#define FAKE_FAMILY	18

static int fake_fd = -1;
static char fake_words[256];

/* --- files --- */

static const char *fake_path(const char *path, char buf[4096])
{
	const char *dir = getenv("FAKE");

	if (!dir || (strncmp(path, "/sys/kernel/weir", 16) &&
		     strncmp(path, "/sys/module/weir", 16)))
		return path;
	snprintf(buf, 4096, "%s%s", dir, path);
	return buf;
}

#define REAL(name)	((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int open(const char *path, int flags, ...)
{
	char buf[4096];
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	return REAL(open)(fake_path(path, buf), flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	char buf[4096];

	return REAL(fopen)(fake_path(path, buf), mode);
}

int access(const char *path, int mode)
{
	char buf[4096];

	return REAL(access)(fake_path(path, buf), mode);
}

int scandir(const char *path, struct dirent ***list,
	    int (*filter)(const struct dirent *),
	    int (*order)(const struct dirent **, const struct dirent **))
{
	char buf[4096];

	return REAL(scandir)(fake_path(path, buf), list, filter, order);
}

/* --- the scene --- */

static json_t *fake_scene(void)
{
	char path[4096];
	json_error_t err;
	json_t *scene;

	snprintf(path, sizeof(path), "%s/scene.json", getenv("FAKE"));
	scene = json_load_file(path, 0, &err);
	if (!scene) {
		fprintf(stderr, "fake: %s:%d: %s\n", path, err.line, err.text);
		exit(99);
	}
	return scene;
}

static void fake_keep(const json_t *scene)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/scene.json", getenv("FAKE"));
	json_dump_file(scene, path, JSON_INDENT(1));
}

/* An array of the scene, made if there is none. */
static json_t *fake_array(json_t *scene, const char *name)
{
	json_t *array = json_object_get(scene, name);

	if (!array) {
		array = json_array();
		json_object_set_new(scene, name, array);
	}
	return array;
}

static uint64_t fake_number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static const char *fake_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void fake_unhex(const char *hex, void *to, size_t size)
{
	unsigned char *at = to;
	unsigned int byte;

	for (; size-- && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		*at++ = (unsigned char)byte;
}

static json_t *fake_hex(const void *from, size_t size)
{
	const unsigned char *at = from;
	char *hex = calloc(2, size + 1);
	json_t *text;
	size_t i;

	for (i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", at[i]);
	text = json_string(hex);
	free(hex);
	return text;
}

static json_t *fake_route(json_t *scene, const char *path)
{
	json_t *route;
	size_t i;

	json_array_foreach(fake_array(scene, "routes"), i, route) {
		if (!strcmp(fake_text(route, "path"), path))
			return route;
	}
	return NULL;
}

static json_t *fake_target(json_t *scene, const json_t *route, uint64_t id,
			   const char *path, size_t *at)
{
	json_t *t;
	size_t i;

	json_array_foreach(fake_array(scene, "targets"), i, t) {
		*at = i;
		if (fake_number(t, "route") == fake_number(route, "id") &&
		    (id ? fake_number(t, "id") == id :
		     !fake_number(t, "socket") &&
		     !strcmp(fake_text(t, "path"), path)))
			return t;
	}
	return NULL;
}

static uint64_t fake_next(json_t *scene)
{
	uint64_t id = fake_number(scene, "next");

	id = id ? id : 1000;
	json_object_set_new(scene, "next", json_integer((json_int_t)id + 1));
	return id;
}

/* --- WEIR_IOC_LIST --- */

/* By reason, as the module counts them. */
static void fake_refused(struct weir_route_entry *e, size_t reason, uint64_t n)
{
	if (reason < WEIR_REFUSED_FIRST)
		e->refused[reason] = n;
	else if (reason < WEIR_REFUSED_FIRST + WEIR_REFUSED_MORE)
		e->refused_more[reason - WEIR_REFUSED_FIRST] = n;
}

static void fake_route_entry(json_t *scene, const json_t *o,
			     struct weir_route_entry *e)
{
	json_t *n, *t;
	size_t i;

	memset(e, 0, sizeof(*e));
	e->id = fake_number(o, "id");
	e->uid = (uint32_t)fake_number(o, "uid");
	e->mode = json_object_get(o, "mode") ?
		  (uint32_t)fake_number(o, "mode") : 0666;
	e->set = (uint32_t)fake_number(o, "set");
	e->calls = fake_number(o, "calls");
	json_array_foreach(json_object_get(o, "refused"), i, n)
		fake_refused(e, i, (uint64_t)json_integer_value(n));
	json_array_foreach(fake_array(scene, "targets"), i, t)
		e->targets += fake_number(t, "route") == e->id;
	strncpy(e->path, fake_text(o, "path"), WEIR_PATH_MAX);
	fake_unhex(fake_text(o, "conf"), &e->conf, sizeof(e->conf));
}

static void fake_target_entry(const json_t *o, struct weir_target_entry *e)
{
	json_t *n;
	size_t i;

	memset(e, 0, sizeof(*e));
	e->id = fake_number(o, "id");
	e->route = fake_number(o, "route");
	e->socket = fake_number(o, "socket");
	e->pid = (uint32_t)fake_number(o, "pid");
	e->weight = (uint32_t)fake_number(o, "weight");
	e->state = (uint32_t)fake_number(o, "state");
	e->breaker = (uint32_t)fake_number(o, "breaker");
	e->in_flight = (uint32_t)fake_number(o, "in_flight");
	e->requests = fake_number(o, "requests");
	e->replies = fake_number(o, "replies");
	e->errors = fake_number(o, "errors");
	e->ejections = fake_number(o, "ejections");
	strncpy(e->path, fake_text(o, "path"), WEIR_PATH_MAX);
	json_array_foreach(json_object_get(o, "hist"), i, n)
		e->hist[i] = (uint32_t)json_integer_value(n);
}

static void fake_list_entry(const json_t *o, uint32_t kind,
			    struct weir_list_entry *e)
{
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->id = fake_number(o, "id");
	e->parent = fake_number(o, "parent");
	e->peer = fake_number(o, "peer");
	e->pid = (uint32_t)fake_number(o, "pid");
	e->uid = (uint32_t)fake_number(o, "uid");
	e->type = (uint32_t)fake_number(o, "type");
	e->state = (uint32_t)fake_number(o, "state");
	e->flags = (uint32_t)fake_number(o, "flags");
	e->count = fake_number(o, "count");
	e->ring_bytes = fake_number(o, "ring_bytes");
	e->pos = fake_number(o, "pos");
	e->lag_bytes = fake_number(o, "lag_bytes");
	strncpy(e->name, fake_text(o, "name"), WEIR_PATH_MAX);
}

static const char *fake_kind(uint32_t kind)
{
	switch (kind) {
	case WEIR_LIST_SOCKETS:
		return "sockets";
	case WEIR_LIST_PATHS:
		return "paths";
	case WEIR_LIST_STREAMS:
		return "streams";
	case WEIR_LIST_CURSORS:
		return "cursors";
	case WEIR_LIST_ROUTES:
		return "routes";
	case WEIR_LIST_TARGETS:
		return "targets";
	default:
		return NULL;
	}
}

/* Two entries a call, so that callers must come back for more. */
static int fake_list(struct weir_ioc_list *req)
{
	json_t *scene = fake_scene(), *o;
	const char *name = fake_kind(req->kind);
	unsigned char *to = (unsigned char *)(uintptr_t)req->entries;
	union {
		struct weir_route_entry route;
		struct weir_target_entry target;
		struct weir_list_entry entry;
	} e;
	uint32_t n = 0;
	size_t i;

	json_array_foreach(fake_array(scene, name), i, o) {
		if (fake_number(o, "id") <= req->after || n == 2 ||
		    n == req->count)
			continue;
		if (req->kind == WEIR_LIST_ROUTES)
			fake_route_entry(scene, o, &e.route);
		else if (req->kind == WEIR_LIST_TARGETS)
			fake_target_entry(o, &e.target);
		else
			fake_list_entry(o, req->kind, &e.entry);
		memcpy(to, &e, req->entry_size);
		to += req->entry_size;
		n++;
	}
	req->count = n;
	json_decref(scene);
	return 0;
}

/* --- WEIR_IOC_CONTROL --- */

__attribute__((format(printf, 1, 2)))
static int fake_no(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fake_words, sizeof(fake_words), format, args);
	va_end(args);
	return -1;
}

static int fake_route_set(json_t *scene, const struct weir_route_op *op)
{
	json_t *route = fake_route(scene, op->path);
	struct weir_route_conf conf = op->conf, was;
	const void *reply = (const void *)(uintptr_t)conf.fallback_reply;

	if (conf.policy == WEIR_POLICY_QUORUM && conf.quorum == 13)
		return fake_no("fake: 13 brings bad luck");
	if (!route) {
		route = json_pack("{s:I, s:s}", "id",
				  (json_int_t)fake_next(scene), "path",
				  op->path);
		json_array_append_new(fake_array(scene, "routes"), route);
	}
	memset(&was, 0, sizeof(was));
	fake_unhex(fake_text(route, "conf"), &was, sizeof(was));
	if (conf.fallback_len && !reply &&
	    conf.fallback_len != was.fallback_len)
		return fake_no("fake: no reply to keep");
	if (reply)
		json_object_set_new(route, "reply",
				    fake_hex(reply, conf.fallback_len));
	conf.fallback_reply = 0;
	json_object_set_new(route, "conf", fake_hex(&conf, sizeof(conf)));
	json_object_set_new(route, "set", json_integer(1));
	return 0;
}

static int fake_target_op(json_t *scene, const struct weir_route_op *op)
{
	json_t *route = fake_route(scene, op->path), *t;
	size_t at;

	if (!route)
		return fake_no("fake: there is no route %s", op->path);
	t = fake_target(scene, route, op->target, op->target_path, &at);
	if (op->op == WEIR_OP_TARGET_ADD) {
		if (t)
			return fake_no("fake: it is a target already");
		json_array_append_new(fake_array(scene, "targets"),
			json_pack("{s:I, s:I, s:s, s:I}",
				  "id", (json_int_t)fake_next(scene),
				  "route", (json_int_t)fake_number(route, "id"),
				  "path", op->target_path,
				  "weight", (json_int_t)op->weight));
		return 0;
	}
	if (!t)
		return fake_no("fake: there is no such target");
	if (op->op == WEIR_OP_TARGET_DEL)
		json_array_remove(fake_array(scene, "targets"), at);
	else
		json_object_set_new(t, op->op == WEIR_OP_BREAKER ? "breaker" :
				    "weight", json_integer(op->weight));
	return 0;
}

static int fake_route_del(json_t *scene, const struct weir_route_op *op)
{
	json_t *route;
	size_t i;

	json_array_foreach(fake_array(scene, "routes"), i, route) {
		if (strcmp(fake_text(route, "path"), op->path))
			continue;
		json_array_remove(fake_array(scene, "routes"), i);
		return 0;
	}
	return fake_no("fake: there is no route %s", op->path);
}

static int fake_control(struct weir_ioc_control *c)
{
	const struct weir_route_op *ops = (const void *)(uintptr_t)c->ops;
	const char *most = getenv("FAKE_MOST");
	json_t *scene;
	FILE *log;
	char path[4096];
	uint32_t i;
	int err = 0;

	if (most && c->count > strtoul(most, NULL, 10)) {
		fake_no("fake: more than %s changes", most);
		errno = E2BIG;
		return -1;
	}
	scene = fake_scene();
	snprintf(path, sizeof(path), "%s/log", getenv("FAKE"));
	log = fopen(path, "a");
	for (i = 0; i < c->count && !err; i++) {
		fprintf(log, "%s%u %s %llu%s %u", i ? "; " : "", ops[i].op,
			ops[i].path, (unsigned long long)ops[i].target,
			ops[i].target_path, ops[i].weight);
		if (ops[i].op == WEIR_OP_ROUTE_SET)
			err = fake_route_set(scene, &ops[i]);
		else if (ops[i].op == WEIR_OP_ROUTE_DEL)
			err = fake_route_del(scene, &ops[i]);
		else
			err = fake_target_op(scene, &ops[i]);
		if (err)
			c->failed = i;
	}
	fprintf(log, "%s\n", err ? " refused" : "");
	fclose(log);
	if (!err)
		fake_keep(scene);
	json_decref(scene);
	if (err)
		errno = EINVAL;
	return err;
}

/* --- sockets --- */

int socket(int family, int type, int protocol)
{
	if (family != FAKE_FAMILY || !getenv("FAKE"))
		return REAL(socket)(family, type, protocol);
	fake_fd = memfd_create("fake", MFD_CLOEXEC);
	return fake_fd;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fd != fake_fd || fake_fd < 0)
		return REAL(ioctl)(fd, request, arg);
	if (request == WEIR_IOC_LIST)
		return fake_list(arg);
	if (request == WEIR_IOC_CONTROL)
		return fake_control(arg);
	errno = ENOTTY;
	return -1;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	if (fd != fake_fd || level != SOL_WEIR)
		return REAL(getsockopt)(fd, level, option, value, len);
	if (option != WEIR_SO_ERROR_TEXT || strlen(fake_words) > *len) {
		errno = ENOPROTOOPT;
		return -1;
	}
	memcpy(value, fake_words, strlen(fake_words));
	*len = (socklen_t)strlen(fake_words);
	return 0;
}
