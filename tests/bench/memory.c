// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes of memory for a socket, for one with a name, for two joined ends, for a
 * client of a server, for a subscription and for a route: what the machine has
 * less of when it has N of them, through N. Each is done twice, in a process of
 * its own that ends with all it has made; figures of the two are kept as two
 * rounds, so that they say how exact they are. What a page of the kernel is used
 * for is not asked: a socket's is with its file, inode and name, and where a
 * library is in it, with what that has in this process. With --quick it is once,
 * and a quarter of N, which is less exact.
 *
 * Only where nobody else takes memory: in a guest. Instructions are not time
 * here, so mode icount would say the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <mqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

#include "many.h"
#include "many_routes.h"
#include "memory.h"
#include "named.h"
#include "routed.h"

#define ROUTES		100000
#define SOCKETS		2000	/* no more subscribers than WEIR_SLOTS_MAX */
#define CLIENTS		10000
#define FILES		(2 * CLIENTS + 100)	/* in all */
#define REPEATS		2
#define PAGE_BYTES	4096.0
#define NEAR_PAGES	32	/* a difference of this size does not count */

/* --- what memory there is --- */

/*
 * Free pages with those that are free on a processor's list: on these there are
 * more or fewer from one moment to the next.
 */
static double free_pages(void)
{
	static const char lists[] = "count:", all[] = "nr_free_pages";
	char line[256], word[32];
	double sum = 0, n;
	FILE *file;

	/* makes the processors' counts part of the zones' */
	file = fopen("/proc/sys/vm/stat_refresh", "r");
	if (file) {
		if (fgets(line, sizeof(line), file))
			say("memory: stat_refresh says %s", line);
		fclose(file);
	}
	file = fopen("/proc/zoneinfo", "r");
	if (!file)
		die("/proc/zoneinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %31s %lf", word, &n) == 2 &&
		    (!strcmp(word, lists) || !strcmp(word, all)))
			sum += n;
	}
	fclose(file);
	return sum;
}

/* Slabs keep some of their pages when all in them is free: not now. */
static void slabs_shrink(void)
{
	char name[128], to[4];
	glob_t caches;
	size_t i;

	if (glob("/sys/kernel/slab/*", GLOB_NOSORT, NULL, &caches))
		return;
	for (i = 0; i < caches.gl_pathc; i++) {
		/* further names of the same */
		if (readlink(caches.gl_pathv[i], to, sizeof(to)) >= 0)
			continue;
		snprintf(name, sizeof(name), "%s/shrink", caches.gl_pathv[i]);
		if (!routed_write(name, "1"))
			say("memory: %s: %s", name, strerror(errno));
	}
	globfree(&caches);
}

/* When nothing is freed any more. */
static double settled_pages(void)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	double before = -1, now = 0;
	int tries, same = 0;

	if (!routed_write("/proc/sys/vm/drop_caches", "3"))
		die("drop_caches: %s", strerror(errno));
	slabs_shrink();
	for (tries = 0; tries < 100 && same < 3; tries++) {
		nanosleep(&nap, NULL);
		now = free_pages();
		same = now - before < NEAR_PAGES && before - now < NEAR_PAGES ?
		       same + 1 : 0;
		before = now;
	}
	return now;
}

/* Resident memory of a process. */
double memory_resident(pid_t pid)
{
	unsigned long all, resident;
	char name[32];
	FILE *file;
	int got;

	snprintf(name, sizeof(name), "/proc/%d/statm", (int)pid);
	file = fopen(name, "r");
	if (!file)
		die("%s: %s", name, strerror(errno));
	got = fscanf(file, "%lu %lu", &all, &resident);
	fclose(file);
	if (got != 2)
		die("%s: not two numbers", name);
	return (double)resident * PAGE_BYTES;
}

/* --- things --- */

static bool make_socket(const struct thing *t, unsigned int i)
{
	(void)i;
	return named_socket(t->kind, t->kind->type) >= 0;
}

static bool make_bound(const struct thing *t, unsigned int i)
{
	uint64_t took;

	return named_bind(t->kind, t->kind->type, i, &took) >= 0;
}

/* A connection by name, whose listener goes; or two that one has connected. */
static bool join(const struct thing *t, unsigned int i, int fd[2])
{
	int listener = named_listen(t->kind, i);
	uint64_t took;

	if (listener < 0 || named_connect(t->kind, i, listener, fd, &took))
		return false;
	if (fd[1] >= 0)
		close(listener);
	else
		fd[1] = listener;
	return true;
}

static bool make_joined(const struct thing *t, unsigned int i)
{
	int fd[2];

	return join(t, i, fd);
}

/* 32 bytes from each to the other, received. */
static bool exchange(const int fd[2])
{
	char message[32] = "first";
	int i;

	for (i = 0; i < 2; i++) {
		if (send(fd[i], message, sizeof(message), 0) < 0 ||
		    recv(fd[!i], message, sizeof(message), 0) < 0)
			return false;
	}
	return true;
}

static bool make_first(const struct thing *t, unsigned int i)
{
	int fd[2];

	return join(t, i, fd) && exchange(fd);
}

/* As the library has them: both ends in this process. */
static bool map(const int fd[2], struct weir *w[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		if (weir_adopt(&w[i], fd[i], NULL)) {
			say("weir_adopt: %s", weir_error());
			return false;
		}
	}
	return true;
}

static bool make_mapped(const struct thing *t, unsigned int i)
{
	struct weir *w[2];
	int fd[2];

	return join(t, i, fd) && map(fd, w);
}

static bool make_mapped_first(const struct thing *t, unsigned int i)
{
	char message[32] = "first";
	struct weir *w[2];
	int fd[2], k;

	if (!join(t, i, fd) || !map(fd, w))
		return false;
	for (k = 0; k < 2; k++) {
		if (weir_send(w[k], message, sizeof(message), WEIR_DONTWAIT) ||
		    weir_recv(w[!k], message, sizeof(message),
			      WEIR_DONTWAIT) < 0) {
			say("a message: %s", weir_error());
			return false;
		}
	}
	return true;
}

static int server;

static bool begin_server(const struct thing *t)
{
	server = named_listen(t->kind, 0);
	return server >= 0;
}

static bool make_client(const struct thing *t, unsigned int i)
{
	uint64_t took;
	int fd[2];

	(void)i;
	return !named_connect(t->kind, 0, server, fd, &took);
}

/* One whose message the server has not received yet. */
static bool make_client_sent(const struct thing *t, unsigned int i)
{
	char message[KIB] = "waits";
	uint64_t took;
	int fd[2];

	(void)i;
	return !named_connect(t->kind, 0, server, fd, &took) &&
	       send(fd[0], message, sizeof(message), 0) == sizeof(message);
}

static bool make_pipe(const struct thing *t, unsigned int i)
{
	int fd[2];

	(void)t;
	(void)i;
	return !pipe(fd);
}

static bool make_eventfd(const struct thing *t, unsigned int i)
{
	(void)t;
	(void)i;
	return eventfd(0, 0) >= 0;
}

/* Its name goes at once, so that nothing is left behind. */
static bool make_queue(const struct thing *t, unsigned int i)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 32 };
	char name[32];

	(void)t;
	(void)i;
	snprintf(name, sizeof(name), "/weir-bench-%d", (int)getpid());
	if (mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr) < 0)
		return false;
	return !mq_unlink(name);
}

static bool begin_queues(const struct thing *t)
{
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	char value[16];

	snprintf(value, sizeof(value), "%u", 2 * t->n);
	return routed_write("/proc/sys/fs/mqueue/queues_max", value) &&
	       !setrlimit(RLIMIT_MSGQUEUE, &any);
}

static bool begin_publisher(const struct thing *t)
{
	return make_bound(t, 0);
}

static bool make_subscriber(const struct thing *t, unsigned int i)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = t->kind->address(&at, 0);
	int fd = named_socket(t->kind, t->kind->type);

	(void)i;
	return fd >= 0 && !connect(fd, (void *)&at, len);
}

static bool make_routes(const struct thing *t, unsigned int i)
{
	unsigned int to = i + WEIR_OPS_MAX < t->n ? i + WEIR_OPS_MAX : t->n;

	return i % WEIR_OPS_MAX || many_routes_set(i, to);
}

static bool begin_routes(const struct thing *t)
{
	return many_routes_allow(t->n);
}

static void end_routes(const struct thing *t)
{
	many_routes_remove(0, t->n);
}

static const struct thing things[] = {
	{ "mem_socket", "weir", SOCKETS, .make = make_socket, .kind = &named[0] },
	{ "mem_socket", "seqpacket", SOCKETS, .make = make_socket, .kind = &named[1] },
	{ "mem_socket", "udp", SOCKETS, .make = make_socket, .kind = &named[2] },
	{ "mem_socket", "tcp", SOCKETS, .make = make_socket, .kind = &named[3] },
	{ "mem_socket", "tipc", SOCKETS, .make = make_socket, .kind = &named[4] },
	{ "mem_socket", "eventfd", SOCKETS, .make = make_eventfd },
	{ "mem_bound", "weir", SOCKETS, .make = make_bound, .kind = &named[0] },
	{ "mem_bound", "seqpacket", SOCKETS, .make = make_bound, .kind = &named[1] },
	{ "mem_bound", "udp", SOCKETS, .make = make_bound, .kind = &named[2] },
	{ "mem_bound", "tcp", SOCKETS, .make = make_bound, .kind = &named[3] },
	{ "mem_bound", "tipc", SOCKETS, .make = make_bound, .kind = &named[4] },
	{ "mem_bound", "mq", SOCKETS, .make = make_queue, .begin = begin_queues },
	{ "mem_joined", "weir", SOCKETS, .make = make_joined, .kind = &named[0] },
	{ "mem_joined", "seqpacket", SOCKETS, .make = make_joined, .kind = &named[1] },
	{ "mem_joined", "udp", SOCKETS, .make = make_joined, .kind = &named[2] },
	{ "mem_joined", "tcp", SOCKETS, .make = make_joined, .kind = &named[3] },
	{ "mem_joined", "tipc", SOCKETS, .make = make_joined, .kind = &named[4] },
	{ "mem_joined", "pipe", SOCKETS, .make = make_pipe },
	{ "mem_first", "weir", SOCKETS, .make = make_first, .kind = &named[0] },
	{ "mem_first", "seqpacket", SOCKETS, .make = make_first, .kind = &named[1] },
	{ "mem_first", "tcp", SOCKETS, .make = make_first, .kind = &named[3] },
	{ "mem_first", "tipc", SOCKETS, .make = make_first, .kind = &named[4] },
	{ "mem_mapped", "weir", SOCKETS, .make = make_mapped, .kind = &named[0] },
	{ "mem_mapped_first", "weir", SOCKETS, .make = make_mapped_first,
	  .kind = &named[0] },
	{ "mem_client", "weir", CLIENTS, .make = make_client, .kind = &named[0],
	  .begin = begin_server },
	{ "mem_client_sent", "weir", CLIENTS, .make = make_client_sent,
	  .kind = &named[0], .begin = begin_server },
	{ "mem_client", "seqpacket", CLIENTS, .make = make_client, .kind = &named[1],
	  .begin = begin_server },
	{ "mem_client_sent", "seqpacket", CLIENTS, .make = make_client_sent,
	  .kind = &named[1], .begin = begin_server },
	{ "mem_client", "tcp", CLIENTS, .make = make_client, .kind = &named[3],
	  .begin = begin_server },
	{ "mem_client_sent", "tcp", CLIENTS, .make = make_client_sent,
	  .kind = &named[3], .begin = begin_server },
	{ "mem_attached", "weir", SOCKETS, .make = make_subscriber,
	  .kind = &named[0], .begin = begin_publisher },
	{ "mem_route", "weir", ROUTES, .make = make_routes,
	  .begin = begin_routes, .end = end_routes },
};

/* --- measuring --- */

static struct thing thing;	/* that is to be measured */
static struct many *result;		/* of the process that does */

/* What weir accounts of it: bytes of rings. */
static double ring_bytes(void)
{
	FILE *file = fopen("/sys/kernel/weir/stats/ring_bytes", "r");
	double bytes = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lf", &bytes) != 1)
		bytes = 0;
	fclose(file);
	return bytes;
}

static double bytes_used(void)
{
	return thing.used ? thing.used() : -PAGE_BYTES * settled_pages();
}

/* The table of open files is not to grow meanwhile. */
static void files_grow(void)
{
	int last = FILES - 1;

	if (dup2(STDERR_FILENO, last) < 0)
		die("descriptor %d: %s", last, strerror(errno));
	close(last);
}

static void memory_job(struct job *job, int side)
{
	double before, rings;
	unsigned int i;

	(void)job;
	(void)side;
	files_grow();
	if (thing.begin && !thing.begin(&thing))
		die("%s %s: %s", thing.bench, thing.who, strerror(errno));
	rings = ring_bytes();
	before = bytes_used();
	for (i = 0; i < thing.n; i++) {
		if (!thing.make(&thing, i))
			die("%s %s: number %u: %s", thing.bench, thing.who, i,
			    strerror(errno));
	}
	many_add(result, -1, (bytes_used() - before) / thing.n);
	many_add(result, -1, (ring_bytes() - rings) / thing.n);
	if (thing.end)
		thing.end(&thing);
}

static void memory_figures(unsigned int repeat)
{
	char name[24];

	figure_add(repeat, thing.bench, thing.who, thing.n,
		   result->of[0].took);
	if (result->of[1].took <= 0)
		return;
	snprintf(name, sizeof(name), "%s_rings", thing.bench);
	figure_add(repeat, name, thing.who, thing.n, result->of[1].took);
}

static void memory_of(const struct thing *t)
{
	unsigned int repeat, repeats = options.quick ? 1 : REPEATS;
	struct job *job;

	if (!wanted(t->bench, t->who) || (t->kind && !named_works(t->kind)))
		return;
	thing = *t;
	if (options.quick)
		thing.n /= 4;
	for (repeat = 0; repeat < repeats; repeat++) {
		job = job_new();
		job->helped = true;
		result = many_new(2);
		if (job_run(job, memory_job, 1))
			memory_figures(repeat);
		many_free(result);
	}
}

void memory_measure(unsigned int round)
{
	unsigned int i;

	if (options.mode != MODE_GUEST || round ||
	    many_files(FILES) < FILES)
		return;
	for (i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		memory_of(&things[i]);
	for (i = 0; i < memory_peers_count; i++)
		memory_of(&memory_peers[i]);
}
