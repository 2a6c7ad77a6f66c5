// SPDX-License-Identifier: GPL-2.0
/*
 * Many of a kind: what the n-th name costs, joining somebody by a name among n,
 * the n-th subscription of one path, and a message among n idle sockets of the
 * same kind. Times are those of the system calls that name, connect, accept or
 * subscribe. Names of message queues, which are files, are here too; what
 * libraries do is in scale_nats.c and scale_zmq.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir.h>

#include "many.h"
#include "named.h"
#include "routed.h"
#include "scale.h"

#define SUBSCRIPTIONS	1000	/* WEIR_SLOTS_MAX is less than the next point */
#define PROBES		11	/* connections at each number of names */
#define QUEUES_MAX	"/proc/sys/fs/mqueue/queues_max"

/* Others than weir, whose figures are required, have fewer when it is quick. */
unsigned int scale_most(bool required)
{
	return options.quick && !required ? 1000 : MANY_MAX;
}

/* --- a message among idle sockets --- */

static void scale_message(unsigned int round, const char *bench,
			  const struct contestant *c, bool solo,
			  unsigned int idle)
{
	struct job *job = job_new();
	int err;

	job->len = 32;
	job->ring_bytes = 64 * KIB;
	job->warm = 100;
	job->count = options.quick ? 100 : 500;
	if (solo) {
		job->count = c->sleeps ? 1024 : 16 * 1024;
		job->warm = c->sleeps ? 128 : 2048;
	}
	err = c->open(job);
	if (err) {
		say("%s %s among %u: %s", bench, c->name, idle, strerror(-err));
		return;
	}
	if (job_run(job, solo ? c->solo : c->rtt, solo ? 1 : 2))
		figure_add(round, bench, c->name, idle,
			   (double)(job->ns + job->ns2) / (double)job->count);
	c->close();
}

static void scale_messages(unsigned int round, const struct named *kind,
			   unsigned int idle)
{
	if (!wanted("idle", kind->who))
		return;
	scale_message(round, "idle_solo", kind->solo, true, idle);
	scale_message(round, "idle_rtt", kind->rtt, false, idle);
}

/* --- names --- */

/*
 * The socket that is connected to among some names has its own, by numbers from
 * @first on, when there were half as many: tables that put the newest first, or
 * last, find it in the middle.
 */
static void scale_listen(const struct named *kind, unsigned int first,
			 int fd[PROBES])
{
	unsigned int i;

	for (i = 0; i < PROBES; i++)
		fd[i] = named_listen(kind, first + i);
}

static void scale_deafen(int fd[PROBES])
{
	unsigned int i;

	for (i = 0; i < PROBES; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}

static void scale_connect(unsigned int round, const struct named *kind,
			  unsigned int first, const int listener[PROBES],
			  unsigned int n)
{
	unsigned int i, good = 0;
	double took[PROBES];
	uint64_t ns;
	int fd[2];

	for (i = 0; i < PROBES; i++) {
		if (listener[i] < 0)
			continue;
		if (named_connect(kind, first + i, listener[i], fd, &ns))
			continue;
		took[good++] = (double)ns;
		close(fd[0]);
		if (fd[1] >= 0)
			close(fd[1]);
	}
	if (good == PROBES)
		figure_add(round, "connect", kind->who, n, median(took, good));
}

/* Names, one after the other, and what else is looked at among them. */
static void scale_names_add(unsigned int round, const struct named *kind,
			    struct many *m)
{
	bool connects = wanted("connect", kind->who);
	unsigned int p = 0, i, next = 0, first = 0;
	int listener[PROBES], fd;
	uint64_t took;

	for (i = 0; i < PROBES; i++)
		listener[i] = -1;
	while (!many_full(m)) {
		if (connects && p < POINTS && m->n == points[p] / 2) {
			first = next;
			next += PROBES;
			scale_listen(kind, first, listener);
		}
		fd = named_bind(kind, kind->type, next++, &took);
		if (fd < 0)
			break;
		many_add(m, fd, (double)took);
		if (p == POINTS || m->n != points[p])
			continue;
		p++;
		if (connects)
			scale_connect(round, kind, first, listener, m->n);
		scale_deafen(listener);
		scale_messages(round, kind, m->n);
	}
	scale_deafen(listener);
}

static void scale_names(unsigned int round, const struct named *kind)
{
	struct many *m;

	if (!(wanted("path", kind->who) || wanted("connect", kind->who) ||
	      wanted("idle", kind->who)) ||
	    !named_works(kind))
		return;
	m = many_new(many_files(scale_most(!kind->family)));
	scale_messages(round, kind, 0);
	scale_names_add(round, kind, m);
	if (wanted("path", kind->who))
		many_figures(m, round, "path", kind->who);
	many_free(m);
}

/* --- message queues --- */

static void queue_name(char *to, size_t room, unsigned int i)
{
	snprintf(to, room, "/weir-bench-%d-%u", (int)getpid(), i);
}

/* The least queue, by a new name. */
static bool queue_add(struct many *m)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 32 };
	uint64_t start;
	char name[48];
	int fd;

	queue_name(name, sizeof(name), m->n);
	start = now_ns();
	fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (fd < 0) {
		say("mq: number %u: %s", m->n, strerror(errno));
		return false;
	}
	many_add(m, fd, (double)(now_ns() - start));
	return true;
}

/*
 * Only on machines of our own: as many want the machine's limit raised, and
 * would stay if this ended halfway.
 */
static void scale_queues(unsigned int round)
{
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned int most = scale_most(false), i;
	char value[16], name[48];
	struct many *m;

	if (!wanted("path", "mq") || mode_real(options.mode))
		return;
	snprintf(value, sizeof(value), "%u", 2 * most);
	if (!routed_write(QUEUES_MAX, value) || setrlimit(RLIMIT_MSGQUEUE, &any)) {
		say("path mq: %s", strerror(errno));
		return;
	}
	m = many_new(many_files(most));
	while (!many_full(m) && queue_add(m))
		;
	many_figures(m, round, "path", "mq");
	for (i = 0; i < m->n; i++) {
		queue_name(name, sizeof(name), i);
		mq_unlink(name);
	}
	many_free(m);
}

/* --- subscriptions of one path --- */

static bool scale_subscribe(const struct named *weir, struct many *m)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = weir->address(&at, 0);
	int fd = named_socket(weir, weir->type);
	uint64_t start;

	if (fd < 0)
		return false;
	start = now_ns();
	if (connect(fd, (void *)&at, len)) {
		say("subscribe weir: number %u: %s", m->n, strerror(errno));
		close(fd);
		return false;
	}
	many_add(m, fd, (double)(now_ns() - start));
	return true;
}

static void scale_subscriptions(unsigned int round)
{
	const struct named *weir = &named[0];
	struct many *m;
	uint64_t took;
	int publisher;

	if (!wanted("subscribe", weir->who) || !named_works(weir))
		return;
	publisher = named_bind(weir, weir->type, 0, &took);
	if (publisher < 0)
		return;
	m = many_new(many_files(SUBSCRIPTIONS));
	while (!many_full(m) && scale_subscribe(weir, m))
		;
	many_figures(m, round, "subscribe", weir->who);
	many_free(m);
	close(publisher);
}

void scale_measure(unsigned int round)
{
	unsigned int i;

	scale_subscriptions(round);
	for (i = 0; i < NAMED; i++)
		scale_names(round, &named[i]);
	scale_queues(round);
	oneshot_measure(round);
	scale_nats(round);
	scale_zmq(round);
}
