/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of hostile memory, crashes and races share: deadlines, the
 * module's counters before and after, raw mapping without the library, and
 * payloads that tell when they are damaged.
 */
#ifndef WEIR_SELFTEST_HARD_H
#define WEIR_SELFTEST_HARD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

#include "selftest.h"

#define HARD_DEADLINE_MS	TAP_DEADLINE_MS
#define HARD_DEADLINE_NS	(HARD_DEADLINE_MS * INT64_C(1000000))

/* Short names: nearly every statement of these tests is one of them. */
#define check	tap_ok
#define note	tap_diag

/* Ends the whole test: without this step the others mean nothing. */
#define need(good, format, ...)						\
	do {								\
		if (!(good))						\
			tap_bail(format "; weir: %s", ##__VA_ARGS__,	\
				 weir_error());				\
	} while (0)

/* --- time --------------------------------------------------------------- */

__attribute__((unused))
static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

__attribute__((unused))
static long scaled(long n)
{
	return tap_scale(n, 1);
}

#define soon	tap_until

/* --- random numbers, one state a thread --------------------------------- */

static __thread uint64_t hard_seed = UINT64_C(0x9e3779b97f4a7c15);

__attribute__((unused))
static void seed(uint64_t n)
{
	hard_seed = (n + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

__attribute__((unused))
static uint64_t rnd(void)
{
	hard_seed ^= hard_seed << 13;
	hard_seed ^= hard_seed >> 7;
	hard_seed ^= hard_seed << 17;
	return hard_seed;
}

/* --- descriptors --------------------------------------------------------- */

/* Passes descriptors on. Returns 0 or a negative error. */
__attribute__((unused))
static int send_fd(int via, const int *fds, int n)
{
	char ctl[CMSG_SPACE(8 * sizeof(int))] = { 0 }, c = 'f';
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl,
		.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(cm), fds, (size_t)n * sizeof(int));
	return sendmsg(via, &msg, 0) == 1 ? 0 : -errno;
}

/* The first descriptor that comes, or a negative error. */
__attribute__((unused))
static int recv_fd(int via)
{
	char ctl[CMSG_SPACE(8 * sizeof(int))] = { 0 }, c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *cm;
	int fd;

	if (recvmsg(via, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	cm = CMSG_FIRSTHDR(&msg);
	if (!cm || cm->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(cm), sizeof(fd));
	return fd;
}

/* --- the module's counters ---------------------------------------------- */

struct counters {
	long long sockets, rings, ring_bytes, readers;
};

static struct counters counters(void)
{
	struct counters c = {
		tap_stat("stats/sockets"), tap_stat("stats/rings"),
		tap_stat("stats/ring_bytes"), tap_stat("stats/readers"),
	};

	return c;
}

static bool counters_same(const struct counters *a)
{
	struct counters b = counters();

	return a->sockets == b.sockets && a->rings == b.rings &&
	       a->ring_bytes == b.ring_bytes && a->readers == b.readers;
}

/* All that was made since @before is gone again. */
__attribute__((unused))
static void check_counters(const struct counters *before)
{
	struct counters b;

	if (check(soon(counters_same(before)),
		  "sockets, rings, bytes and readers are where they were"))
		return;
	b = counters();
	note("sockets %lld -> %lld, rings %lld -> %lld, bytes %lld -> %lld, readers %lld -> %lld",
	     before->sockets, b.sockets, before->rings, b.rings,
	     before->ring_bytes, b.ring_bytes, before->readers, b.readers);
}

/* Taint bits but for out-of-tree, unsigned and test modules. */
static unsigned long hard_taint(void)
{
	FILE *f = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long t = 0;

	if (f) {
		if (fscanf(f, "%lu", &t) != 1)
			t = 0;
		fclose(f);
	}
	return t & ~(1UL << 12 | 1UL << 13 | 1UL << 18);
}

/* Is lockdep still at work? -1: it is not in this kernel. */
static int hard_lockdep(void)
{
	FILE *f = fopen("/proc/lockdep_stats", "r");
	char line[128];
	int on = -1;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		sscanf(line, " debug_locks: %d", &on);
	fclose(f);
	return on;
}

/* Of a kernel that looks over its own shoulder times mean little. */
__attribute__((unused))
static bool hard_slow(void)
{
	return hard_lockdep() >= 0 ||
	       !access("/sys/kernel/debug/kcsan", F_OK);
}

/* PREEMPT_RT: a thread may lose its processor while it holds a spin lock. */
__attribute__((unused))
static bool hard_rt(void)
{
	struct utsname host;

	return !uname(&host) && strstr(host.version, "PREEMPT_RT");
}

__attribute__((unused))
static void check_kernel(void)
{
	unsigned long t = hard_taint();

	check(!t, "the kernel is clean (taint %#lx)", t);
	/* lockdep switches itself off when it has found something */
	if (hard_lockdep() >= 0)
		check(hard_lockdep(), "lockdep has found nothing");
}

/* Begins a test: skips it when the module is not there. */
__attribute__((unused))
static void hard_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (weir_family() < 0)
		tap_skip_all("the weir module is not loaded");
	/* what the last test had is freed in its own time */
	tap_within(5000, !tap_stat("stats/rings"));
}

/* --- processes ---------------------------------------------------------- */

/* A child that dies with its parent and ends with @run's result. */
__attribute__((unused))
static pid_t spawn(int (*run)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	need(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		seed((uint64_t)getpid());
		_exit(run(arg));
	}
	return pid;
}

#define get(p)		__atomic_load_n((p), __ATOMIC_SEQ_CST)
#define put(p, v)	__atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define add(p, v)	__atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)

/* --- sockets without the library ---------------------------------------- */

__attribute__((unused))
static int raw_socket(int type)
{
	return socket(weir_family(), type | SOCK_CLOEXEC, 0);
}

__attribute__((unused))
static int raw_bind(int fd, const char *path)
{
	return tap_bind(fd, path) ? -errno : 0;
}

__attribute__((unused))
static int raw_connect(int fd, const char *path)
{
	return tap_connect(fd, path) ? -errno : 0;
}

__attribute__((unused))
static int raw_set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_WEIR, option, &value, sizeof(value)) ?
	       -errno : 0;
}

/* A publisher's or subscriber's descriptor; fails the test if there is none. */
__attribute__((unused))
static int raw_publisher(int type, const char *path, int ring_bytes)
{
	int fd = raw_socket(type);

	need(fd >= 0, "socket");
	if (ring_bytes)
		need(!raw_set(fd, WEIR_SO_RING_BYTES, ring_bytes), "ring_bytes");
	need(!raw_bind(fd, path), "bind %s", path);
	return fd;
}

__attribute__((unused))
static int raw_subscriber(int type, const char *pattern)
{
	int fd = raw_socket(type);

	need(fd >= 0, "socket");
	need(!raw_connect(fd, pattern), "subscribe %s", pattern);
	return fd;
}

/**
 * struct raw_map - a ring as mapped by hand
 * @d: what the kernel said.
 * @view, @own: the regions.
 * @status, @head, @data, @cursor: what is in them; @cursor of a reader's own.
 */
struct raw_map {
	struct weir_ioc_map d;
	unsigned char *view, *own;
	const struct weir_status *status;
	struct weir_head *head;
	unsigned char *data;
	struct weir_cursor *cursor;
};

__attribute__((unused))
static int raw_map(int fd, uint32_t id, struct raw_map *m)
{
	memset(m, 0, sizeof(*m));
	m->d.size = sizeof(m->d);
	m->d.id = id;
	if (ioctl(fd, WEIR_IOC_MAP, &m->d))
		return -errno;
	m->view = mmap(NULL, m->d.length[WEIR_MAP_VIEW], PROT_READ, MAP_SHARED,
		       fd, (off_t)m->d.offset[WEIR_MAP_VIEW]);
	if (m->view == MAP_FAILED)
		return -errno;
	m->own = mmap(NULL, m->d.length[WEIR_MAP_OWN], PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, (off_t)m->d.offset[WEIR_MAP_OWN]);
	if (m->own == MAP_FAILED) {
		int err = -errno;

		munmap(m->view, m->d.length[WEIR_MAP_VIEW]);
		return err;
	}
	m->status = (void *)m->view;
	if (id == WEIR_ID_OUTBOX) {
		m->head = (void *)m->own;
		m->data = m->own + WEIR_PAGE_BYTES;
	} else {
		m->head = (void *)(m->view + WEIR_PAGE_BYTES);
		m->data = m->view + 2 * WEIR_PAGE_BYTES;
		m->cursor = (void *)m->own;
	}
	return 0;
}

__attribute__((unused))
static void raw_unmap(struct raw_map *m)
{
	munmap(m->view, m->d.length[WEIR_MAP_VIEW]);
	munmap(m->own, m->d.length[WEIR_MAP_OWN]);
}

/* The protocol's view of a ring that was mapped by hand. */
__attribute__((unused))
static struct weir_ring_view raw_view(const struct raw_map *m)
{
	struct weir_ring_view v = {
		.data = m->data,
		.head = m->head,
		.status = m->status,
		.mask = m->d.ring_bytes - 1,
		.secret = m->status->secret,
	};

	return v;
}

/* --- payloads ----------------------------------------------------------- */

/**
 * struct item - a payload that tells when it is damaged
 * @n: number within its stream.
 * @from: which stream.
 * @len: bytes of the whole.
 * @sum: over all that follows and the members above.
 */
struct item {
	uint64_t n;
	uint32_t from;
	uint32_t len;
	uint64_t sum;
	unsigned char more[];
};

static uint64_t item_sum(const struct item *it, size_t len)
{
	uint64_t h = it->n * 31 + it->from * 17 + it->len;
	size_t i;

	for (i = sizeof(*it); i < len; i++)
		h = h * UINT64_C(1099511628211) + ((const unsigned char *)it)[i];
	return h;
}

__attribute__((unused))
static void item_fill(void *at, uint32_t len, uint32_t from, uint64_t n)
{
	struct item *it = at;
	uint32_t i;

	it->n = n;
	it->from = from;
	it->len = len;
	for (i = 0; i + sizeof(*it) < len; i++)
		it->more[i] = (unsigned char)(n * 7 + i);
	it->sum = item_sum(it, len);
}

__attribute__((unused))
static bool item_good(const void *at, size_t len)
{
	const struct item *it = at;

	return len >= sizeof(*it) && it->len == len &&
	       it->sum == item_sum(it, len);
}

/* Lengths from the smallest item up to @most, many of them short. */
__attribute__((unused))
static uint32_t item_len(uint32_t most)
{
	uint32_t room = most - (uint32_t)sizeof(struct item) + 1;

	if (rnd() & 3)
		room = room < 64 ? room : 64;
	return (uint32_t)(sizeof(struct item) + rnd() % room);
}

#endif /* WEIR_SELFTEST_HARD_H */
