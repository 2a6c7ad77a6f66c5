// SPDX-License-Identifier: GPL-2.0
/*
 * Process ids in lists: those of the pid namespace of the process that lists,
 * and of nobody whom it cannot see. A container learns no number of the host's,
 * and its own are right. An accepted socket belongs to the process that
 * listens, whoever connected.
 */
#include <sched.h>
#include <stdbool.h>
#include <uapi/weir_route.h>

#include "selftest.h"

#define MOST	64

struct shared {
	int ready;
	int end;
	int inner_seen;		/* what the container saw of its own pid */
	int inner_host;		/* and of the host's process */
	int listed;
};

static struct shared *all;

static int load(const int *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(int *word, int value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* The pid listed with a name; -1 when there is no such object. */
static long pid_of(uint32_t kind, const char *name)
{
	bool target = kind == WEIR_LIST_TARGETS;
	size_t size = target ? sizeof(struct weir_target_entry) :
		      sizeof(struct weir_list_entry);
	char *room = calloc(MOST, size);
	struct weir_ioc_list list = {
		.size = sizeof(list), .kind = kind, .count = MOST,
		.entry_size = (uint32_t)size, .entries = (uintptr_t)room,
	};
	int fd = tap_socket(SOCK_RDM);
	long pid = -1;
	uint32_t i;

	if (ioctl(fd, WEIR_IOC_LIST, &list))
		tap_bail("list %u: %s", kind, tap_words(fd));
	for (i = 0; i < list.count; i++) {
		const void *at = room + i * size;
		const struct weir_target_entry *t = at;
		const struct weir_list_entry *e = at;

		if (!strcmp(target ? t->path : e->name, name))
			pid = target ? t->pid : e->pid;
	}
	close(fd);
	free(room);
	return pid;
}

/* Everything that is listed with a pid, by the name /pids/WHERE/... */
static void make(const char *where)
{
	char path[64], name[32];
	struct weir_ioc_serve serve = { .size = sizeof(serve), .weight = 1 };
	int fd;

	snprintf(path, sizeof(path), "/pids/%s/feed", where);
	tap_publisher(SOCK_RDM, path, 0);
	fd = tap_socket(SOCK_RDM);
	snprintf(name, sizeof(name), "%s-cursor", where);
	if (setsockopt(fd, SOL_WEIR, WEIR_SO_NAME, name, strlen(name)) ||
	    tap_connect(fd, path))
		tap_bail("cursor: %s", tap_words(fd));
	fd = tap_socket(SOCK_RDM);
	snprintf(serve.path, sizeof(serve.path), "/pids/%s/service", where);
	if (ioctl(fd, WEIR_IOC_SERVE, &serve))
		tap_bail("serve: %s", tap_words(fd));
}

static const struct {
	uint32_t kind;
	const char *what, *name;
} kinds[] = {
	{ WEIR_LIST_SOCKETS, "sockets", "/pids/%s/feed" },
	{ WEIR_LIST_STREAMS, "streams", "/pids/%s/feed" },
	{ WEIR_LIST_CURSORS, "cursors", "%s-cursor" },
	{ WEIR_LIST_TARGETS, "targets", "/pids/%s/service" },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static long listed(unsigned int i, const char *where)
{
	char name[64];

	snprintf(name, sizeof(name), kinds[i].name, where);
	return pid_of(kinds[i].kind, name);
}

/* Process 1 of a pid namespace. */
static int container(void)
{
	unsigned int i;
	int good = 1;

	make("inner");
	for (i = 0; i < KINDS; i++) {
		if (listed(i, "inner") != getpid())
			good = 0;
		/* it is there, and has no number here */
		if (listed(i, "host") > 0)
			store(&all->inner_host, (int)listed(i, "host"));
		else if (!listed(i, "host"))
			store(&all->listed, load(&all->listed) + 1);
	}
	store(&all->inner_seen, good);
	store(&all->ready, 1);
	return tap_until(load(&all->end)) ? 0 : 1;
}

static void namespaces(void)
{
	unsigned int i;
	char path[64];
	pid_t pid;

	make("host");
	for (i = 0; i < KINDS; i++) {
		snprintf(path, sizeof(path), "the maker's own pid, of %s",
			 kinds[i].what);
		tap_is(listed(i, "host"), getpid(), path);
	}
	if (unshare(CLONE_NEWPID)) {
		tap_skip("pids in a container", "no pid namespace to be had");
		return;
	}
	pid = fork();
	if (!pid)
		_exit(container());
	tap_ok(tap_until(load(&all->ready)), "a container makes the same");
	tap_ok(load(&all->inner_seen), "and sees its own pid in its own");
	tap_is(load(&all->inner_host), 0, "it sees no pid of the host's");
	tap_is(load(&all->listed), (long)KINDS,
	       "what the host has is there, without a pid");
	for (i = 0; i < KINDS; i++) {
		snprintf(path, sizeof(path),
			 "the host sees the host's pid of a container, of %s",
			 kinds[i].what);
		tap_is(listed(i, "inner"), pid, path);
	}
	store(&all->end, 1);
	tap_is(tap_wait(pid), 0, "the container ends");
}

/* Before the pid namespace: a child would be its first process. */
static void accepted(void)
{
	int listener = tap_socket(SOCK_SEQPACKET), child;
	struct weir_ioc_list list = {
		.size = sizeof(list), .kind = WEIR_LIST_SOCKETS, .count = MOST,
		.entry_size = sizeof(struct weir_list_entry),
	};
	struct weir_list_entry *room = calloc(MOST, sizeof(*room));
	long mine = 0, others = 0;
	pid_t pid;
	uint32_t i;

	if (tap_bind(listener, "/pids/pair") || listen(listener, 1))
		tap_bail("listen: %s", tap_words(listener));
	pid = fork();
	if (!pid) {
		int fd = tap_socket(SOCK_SEQPACKET);

		if (tap_connect(fd, "/pids/pair"))
			_exit(1);
		_exit(tap_until(load(&all->end)) ? 0 : 1);
	}
	child = accept(listener, NULL, NULL);
	tap_call(child, "accept");
	list.entries = (uintptr_t)room;
	if (ioctl(child, WEIR_IOC_LIST, &list))
		tap_bail("list: %s", tap_words(child));
	for (i = 0; i < list.count; i++) {
		if (strcmp(room[i].name, "/pids/pair"))
			continue;
		mine += room[i].pid == (uint32_t)getpid();
		others += room[i].pid == (uint32_t)pid;
	}
	tap_is(mine, 2, "the listener and what it accepted are the listener's");
	tap_is(others, 1, "the connection's other end is the other process's");
	store(&all->end, 1);
	tap_is(tap_wait(pid), 0, "the other process ends");
	store(&all->end, 0);
	close(child);
	close(listener);
	free(room);
}

int main(void)
{
	tap_family();
	tap_watchdog(120);
	all = tap_shared(sizeof(*all));
	accepted();
	namespaces();
	return tap_done();
}
