// SPDX-License-Identifier: GPL-2.0
/*
 * NATS: its server on loopback between two clients (libnats). What somebody
 * waits for goes out at once (natsOptions_SetSendAsap()), the rest as the
 * library sees fit, by another connection. A sender keeps no more on the way
 * than the server may hold for a client.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "daemon.h"
#include "nats_server.h"
#include "window.h"

#define LINK		link_nats
#define LINK_NAME	"nats"
#define LINK_WHAT	"nats-server on loopback between two clients (libnats); what is waited for goes out at once (SendAsap), the rest as the library gathers it; sleeping"
#define LINK_NEEDS	"no program nats-server"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_HELPED	true
#define LINK_BROADCAST	1
#define LINK_FANIN	1
#define LINK_SLOW	1
#define LINK_LEN_MAX	(512 * KIB)

#define PATIENCE_MS	20000
#define WAITING_BYTES	(8 * MIB)

/**
 * struct end - one side
 * @soon: connection for what is waited for, and for receiving.
 * @bulk: for the rest.
 * @sub: what it receives.
 * @to: subject that it sends to.
 * @put: message being written.
 * @window: what it may send.
 * @copied: payload bytes copied by the kernel.
 */
struct end {
	natsConnection		*soon;
	natsConnection		*bulk;
	natsSubscription	*sub;
	char			to[32];
	unsigned char		*put;
	struct window		window;
	uint64_t		copied;
};

struct claim { };

struct view {
	natsMsg			*msg;
};

static struct {
	pid_t		server;
	char		url[NATS_URL_MAX];
	unsigned int	times;	/* it has been used */
} nats;

/* Once for all measurements. */
static int nats_start(void)
{
	pid_t server = nats_server_start(nats.url);

	if (server < 0)
		return server;
	nats.server = server;
	return 0;
}

static int pair_open(const struct job *job)
{
	int err = nats.server ? 0 : nats_start();

	(void)job;
	if (err)
		return err;
	nats.times++;
	window_open();
	return 0;
}

static int fan_open(const struct job *job)
{
	return pair_open(job);
}

/* Server and window are for all measurements. */
static void pair_close(void)
{
}

/* Reader @me of what side @side gets. */
static void reader_join(struct end *e, const struct job *job, int side,
			unsigned int me)
{
	char from[32];

	memset(e, 0, sizeof(*e));
	e->put = calloc(1, job->len);
	if (!e->put)
		die("no memory for a buffer");
	window_join(&e->window, side, me);
	snprintf(from, sizeof(from), "bench.%u.%d", nats.times, side);
	snprintf(e->to, sizeof(e->to), "bench.%u.%d", nats.times, !side);
	e->soon = nats_connect(nats.url, true);
	good(natsConnection_SubscribeSync(&e->sub, e->soon, from), "subscribe");
	good(natsSubscription_SetPendingLimits(e->sub, -1, -1), "limits");
	/* the server knows of it before anybody sends */
	good(natsConnection_Flush(e->soon), "flush");
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	(void)link;
	reader_join(e, job, side, 0);
	e->bulk = nats_connect(nats.url, job->period_ns);
}

static void fan_join(struct end *from, struct end *to, const struct job *job)
{
	unsigned int r;

	end_join(from, job, 0, 0);
	/* a fixed load goes out, whoever is behind */
	from->window.readers = job->period_ns ? 0 : job->readers;
	for (r = 0; r < job->readers; r++)
		reader_join(&to[r], job, 1, r);
}

static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	char subject[32] = { 0 };
	unsigned int r;

	snprintf(subject, sizeof(subject), "bench.%u.1", nats.times);
	reader_join(to, job, 1, 0);
	for (r = 0; r < job->senders; r++) {
		/* all together keep few on the way */
		memset(&from[r], 0, sizeof(from[r]));
		memcpy(from[r].to, subject, sizeof(subject));
		from[r].put = calloc(1, job->len);
		if (!from[r].put)
			die("no memory for a buffer");
		from[r].bulk = nats_connect(nats.url, false);
	}
	return 1;
}

static void end_leave(struct end *e)
{
	natsSubscription_Destroy(e->sub);
	natsConnection_Destroy(e->soon);
	natsConnection_Destroy(e->bulk);
	free(e->put);
}

/* Into the server and out of it again, each in at one end and out at another. */
static uint64_t end_copied(struct end *e)
{
	return 4 * e->copied;
}

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	(void)c;
	window_wait(&e->window, WAITING_BYTES / len, true);
	return e->put;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)c;
	good(natsConnection_Publish(more ? e->soon : e->bulk, e->to, e->put,
				    (int)len), "publish");
	e->copied += len;
}

static inline const void *end_try(struct end *e, size_t len, struct view *v)
{
	(void)len;
	/* the library says so when it has thrown some away, and goes on */
	if (natsSubscription_NextMsg(&v->msg, e->sub, 0) != NATS_OK)
		return NULL;
	return natsMsg_GetData(v->msg);
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	good(natsSubscription_NextMsg(&v->msg, e->sub, 10 * PATIENCE_MS),
	     "receive");
	if (natsMsg_GetDataLength(v->msg) != (int)len)
		die("nats: %d bytes instead of %zu",
		    natsMsg_GetDataLength(v->msg), len);
	return natsMsg_GetData(v->msg);
}

static inline void end_release(struct end *e, struct view *v)
{
	natsMsg_Destroy(v->msg);
	window_read(&e->window);
}

#include "loops.h"
