// SPDX-License-Identifier: GPL-2.0
/*
 * NATS: what the n-th subscription of one connection costs, on one subject and
 * on one of its own, until the server has it: the library's part and a PING
 * that the server answers when it has done what came before. Only around the
 * numbers that are looked at is each waited for. In a process and with a server
 * of its own, which starts without any.
 */
#include <string.h>

#include "daemon.h"
#include "many.h"
#include "nats_server.h"
#include "scale.h"

static struct many *many;	/* shared with the process that subscribes */
static bool same;		/* subject */
static char url[NATS_URL_MAX];

/* Is number @n, from 1, one that counts? */
static bool near_point(unsigned int n)
{
	unsigned int p;

	for (p = 0; p < POINTS; p++) {
		if (n + MANY_AROUND >= points[p] && n <= points[p] + MANY_AROUND)
			return true;
	}
	return false;
}

static void subscribe_many(struct job *job, int side)
{
	natsConnection *c = nats_connect(url, false);
	natsSubscription *sub;
	char subject[64];
	uint64_t start;
	unsigned int i;

	(void)job;
	(void)side;
	while (!many_full(many)) {
		i = same ? 0 : many->n;
		snprintf(subject, sizeof(subject), "bench.path.%u.%u", i / 100, i);
		start = now_ns();
		good(natsConnection_SubscribeSync(&sub, c, subject), "subscribe");
		if (near_point(many->n + 1))
			good(natsConnection_Flush(c), "flush");
		many_add(many, -1, (double)(now_ns() - start));
		/* the server is to have done them all before the next that counts */
		if (!near_point(many->n) && near_point(many->n + 1))
			good(natsConnection_Flush(c), "flush");
	}
	/* what the library keeps of them ends with this process */
	natsConnection_Destroy(c);
}

static void scale_nats_one(unsigned int round, const char *bench, bool one)
{
	struct job *job = job_new();
	pid_t server;

	if (!wanted(bench, "nats"))
		return;
	server = nats_server_start(url);
	if (server < 0) {
		say("%s nats: %s", bench, strerror(-server));
		return;
	}
	same = one;
	many = many_new(scale_most(false));
	job->helped = true;
	if (job_run(job, subscribe_many, 1))
		many_figures(many, round, bench, "nats");
	many_free(many);
	daemon_stop(server);
}

void scale_nats(unsigned int round)
{
	scale_nats_one(round, "subscribe", true);
	scale_nats_one(round, "path", false);
}
