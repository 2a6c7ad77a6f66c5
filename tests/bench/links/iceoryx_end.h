/* SPDX-License-Identifier: GPL-2.0 */
/*
 * iceoryx 2.0, by its binding for C: publisher and subscriber on shared memory,
 * nothing copied, who receives polling or (LINK_SLEEPS) waiting. The sender
 * stays within the receivers' queues, as long as weir's ring has room, up to the
 * library's limit: its own way of waiting for them sleeps for long. RouDi, its
 * daemon, has the memory.
 */
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/notification_info.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "daemon.h"
#include "window.h"

#define LINK_NEEDS	"no program iox-roudi"
#define LINK_MODULE	false
#define LINK_HELPED	true
#define LINK_BROADCAST	1
#define LINK_FANIN	1
#define LINK_TRY	1
#define LINK_SLOW	1
#define LINK_LEN_MAX	(1 * MIB)

#define QUEUE_MAX	256	/* its limit */

/**
 * struct end - one side
 * @pub: what it sends by.
 * @sub: what it receives by.
 * @ws: that is waited on.
 * @window: what it may send.
 * @room: messages that may wait.
 * @found: somebody has subscribed to @pub.
 */
struct end {
	iox_pub_storage_t	pub_storage;
	iox_sub_storage_t	sub_storage;
	iox_pub_t		pub;
	iox_sub_t		sub;
#if LINK_SLEEPS
	iox_ws_storage_t	ws_storage;
	iox_ws_t		ws;
#endif
	struct window		window;
	uint64_t		room;
	bool			found;
};

struct claim {
	void			*chunk;
};

struct view {
	const void		*chunk;
};

static unsigned int times;	/* it has been used */
static bool known;		/* to RouDi, until this process exits */

static int pair_open(const struct job *job)
{
	(void)job;
	times++;
	window_open();
	return roudi_start();
}

static int fan_open(const struct job *job)
{
	return pair_open(job);
}

/* RouDi and window are for all measurements. */
static void pair_close(void)
{
}

/* What goes to a side has a name that no earlier measurement had. */
static void names(char *instance, size_t room, char *event, int side)
{
	snprintf(instance, room, "%u", times);
	event[0] = (char)('0' + side);
	event[1] = 0;
}

static void sub_join(struct end *e, const struct job *job, int side,
		     unsigned int me)
{
	uint64_t room = job->ring_bytes / (job->len + 32);
	char name[32], instance[16], event[2];
	iox_sub_options_t how;

	memset(e, 0, sizeof(*e));
	e->room = room < QUEUE_MAX ? room : QUEUE_MAX;
	window_join(&e->window, side, me);
	if (!known) {
		snprintf(name, sizeof(name), "weir-bench-%d", (int)getpid());
		iox_set_loglevel(Iceoryx_LogLevel_Fatal);
		iox_runtime_init(name);
		known = true;
	}
	names(instance, sizeof(instance), event, side);
	iox_sub_options_init(&how);
	how.queueCapacity = e->room;
	e->sub = iox_sub_init(&e->sub_storage, "weir-bench", instance, event,
			      &how);
#if LINK_SLEEPS
	e->ws = iox_ws_init(&e->ws_storage);
	if (iox_ws_attach_subscriber_state(e->ws, e->sub,
					   SubscriberState_HAS_DATA, 0, NULL) !=
	    WaitSetResult_SUCCESS)
		die("iceoryx: nothing to wait on");
#endif
}

static void pub_join(struct end *e, int side)
{
	char instance[16], event[2];
	iox_pub_options_t how;

	names(instance, sizeof(instance), event, !side);
	iox_pub_options_init(&how);
	e->pub = iox_pub_init(&e->pub_storage, "weir-bench", instance, event,
			      &how);
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	(void)link;
	sub_join(e, job, side, 0);
	pub_join(e, side);
}

static void fan_join(struct end *from, struct end *to, const struct job *job)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	unsigned int r;

	end_join(from, job, 0, 0);
	/* a fixed load goes out, whoever is behind */
	from->window.readers = job->period_ns ? 0 : job->readers;
	for (r = 0; r < job->readers; r++)
		sub_join(&to[r], job, 1, r);
	for (r = 0; r < job->readers; r++) {
		while (iox_sub_get_subscription_state(to[r].sub) !=
		       SubscribeState_SUBSCRIBED)
			nanosleep(&nap, NULL);
	}
}

static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	unsigned int r;

	sub_join(to, job, 1, 0);
	memset(from, 0, job->senders * sizeof(*from));
	for (r = 0; r < job->senders; r++)
		pub_join(&from[r], 0);
	return 1;
}

static void end_leave(struct end *e)
{
	if (e->pub)
		iox_pub_deinit(e->pub);
#if LINK_SLEEPS
	if (e->ws)
		iox_ws_deinit(e->ws);
#endif
	if (e->sub)
		iox_sub_deinit(e->sub);
}

static uint64_t end_copied(struct end *e)
{
	(void)e;
	return 0;
}

static __attribute__((noinline)) void find(struct end *e)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	while (!iox_pub_has_subscribers(e->pub))
		nanosleep(&nap, NULL);
	e->found = true;
}

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	unsigned int looks = 0;

	if (__builtin_expect(!e->found, 0))
		find(e);
	window_wait(&e->window, e->room, LINK_SLEEPS);
	while (iox_pub_loan_chunk(e->pub, &c->chunk, (uint32_t)len) !=
	       AllocationResult_SUCCESS)
		spin(&looks);
	return c->chunk;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)len;
	(void)more;
	iox_pub_publish_chunk(e->pub, c->chunk);
}

static inline const void *end_try(struct end *e, size_t len, struct view *v)
{
	(void)len;
	return iox_sub_take_chunk(e->sub, &v->chunk) ==
	       ChunkReceiveResult_SUCCESS ? v->chunk : NULL;
}

static inline void wait(struct end *e)
{
#if LINK_SLEEPS
	iox_notification_info_t what;
	uint64_t missed;

	iox_ws_wait(e->ws, &what, 1, &missed);
#else
	static unsigned int looks;

	(void)e;
	spin(&looks);
#endif
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	(void)len;
	while (iox_sub_take_chunk(e->sub, &v->chunk) !=
	       ChunkReceiveResult_SUCCESS)
		wait(e);
	return v->chunk;
}

static inline void end_release(struct end *e, struct view *v)
{
	iox_sub_release_chunk(e->sub, v->chunk);
	window_read(&e->window);
}

#include "loops.h"
