/* SPDX-License-Identifier: GPL-2.0 */
/*
 * weir as a contestant, through the library's public functions only. Its ways
 * differ in WEIR_WAY:
 *
 *	WAY_POLL	both sides poll; no system call
 *	WAY_BATCH	the same, BATCH messages claimed and released at once
 *	WAY_WAIT	a sender that waits for an answer publishes without
 *			waking, then wakes and sleeps in one system call
 *	WAY_PLAIN	weir_commit(), weir_wait()
 *
 * Without the module (mode native) the handles are put together over memory
 * that looks as the kernel's would.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <weir.h>

#include "weir_sleep.h"

#define WAY_POLL	0
#define WAY_WAIT	1
#define WAY_PLAIN	2
#define WAY_BATCH	3

#define POLLS		(WEIR_WAY == WAY_POLL || WEIR_WAY == WAY_BATCH)
#define BATCH		16

#define LINK_BROADCAST	1
#define LINK_FANIN	1
#define LINK_FANIN_POLL	1
#define LINK_TRY	1
#if WEIR_WAY == WAY_PLAIN
#define LINK_SLOW	1
#endif
#ifndef WEIR_TYPE
#define WEIR_TYPE	SOCK_RDM
#endif
#define EVICT_MS	50	/* with a subscriber that stalls */
#define LINK_LEN_MAX	(1 * MIB)
#define FAN_PATH	"/bench/fan"
#define FANIN_PATH	"/bench/in/"

/**
 * struct end - one side
 * @w: handle.
 * @pending: something was committed and nobody woken for it.
 */
struct end {
	struct weir	*w;
	bool		pending;
};

/**
 * struct claim - a place in the outbox
 * @buf: the place.
 * @left: of a batch, with this one.
 */
struct claim {
	struct weir_buf	buf;
	int		left;
};

/**
 * struct view - a message
 * @msg: the message.
 * @held: messages of a batch that are not yet released, with this one.
 */
struct view {
	struct weir_msg	msg;
	unsigned int	held;
};

static int fds[2] = { -1, -1 };

static struct weir_config config(const struct job *job)
{
	return (struct weir_config){
		.ring_bytes = (uint32_t)job->ring_bytes,
		.evict_ms = job->stalled ? EVICT_MS : 0,
	};
}

/* The kernel's half of a connection; the ends map it where they run. */
static int pair_open(const struct job *job)
{
	int family, bytes = (int)job->ring_bytes, listener, err = -1;
	struct sockaddr_weir at = { 0 };

	if (options.mode == MODE_NATIVE)
		return emulate_open(2, 1, job->ring_bytes);
	family = weir_family();
	if (family < 0)
		return family;
	at.sw_family = (unsigned short)family;
	snprintf(at.sw_path, sizeof(at.sw_path), "/bench/pair/%d", (int)getpid());
	listener = socket(family, SOCK_SEQPACKET, 0);
	fds[0] = socket(family, SOCK_SEQPACKET, 0);
	if (listener >= 0 && fds[0] >= 0 &&
	    !setsockopt(listener, SOL_WEIR, WEIR_SO_RING_BYTES, &bytes,
			sizeof(bytes)) &&
	    !setsockopt(fds[0], SOL_WEIR, WEIR_SO_RING_BYTES, &bytes,
			sizeof(bytes)) &&
	    !bind(listener, (void *)&at, sizeof(at)) && !listen(listener, 1) &&
	    !connect(fds[0], (void *)&at, sizeof(at))) {
		fds[1] = accept(listener, NULL, NULL);
		err = fds[1] < 0;
	}
	if (err)
		die("a weir connection: %s", strerror(errno));
	close(listener);
	return 0;
}

static int fan_open(const struct job *job)
{
	if (options.mode == MODE_NATIVE && job->senders)
		return -ENOSYS;
	if (options.mode == MODE_NATIVE)
		return emulate_open(1, job->readers, job->ring_bytes);
	return weir_family() < 0 ? -EAFNOSUPPORT : 0;
}

static void pair_close(void)
{
	if (options.mode == MODE_NATIVE) {
		emulate_close();
		return;
	}
	close(fds[0]);
	close(fds[1]);
	fds[0] = -1;
	fds[1] = -1;
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	struct weir_config c = config(job);
	int err;

	(void)link;
	memset(e, 0, sizeof(*e));
	if (options.mode == MODE_NATIVE) {
		e->w = emulate_join((unsigned int)side, (unsigned int)!side, 0);
		return;
	}
	err = weir_adopt(&e->w, dup(fds[side]), &c);
	if (err)
		die("weir_adopt: %s", weir_error());
}

static void fan_join(struct end *from, struct end *to, const struct job *job)
{
	struct weir_config c = config(job);
	unsigned int r;
	int err;

	memset(from, 0, sizeof(*from));
	memset(to, 0, job->readers * sizeof(*to));
	if (options.mode == MODE_NATIVE) {
		from->w = emulate_join(0, UINT32_MAX, 0);
		for (r = 0; r < job->readers; r++)
			to[r].w = emulate_join(UINT32_MAX, 0, r);
		return;
	}
	err = weir_open(&from->w, WEIR_TYPE, &c);
	if (!err)
		err = weir_bind(from->w, FAN_PATH);
	for (r = 0; !err && r < job->readers; r++) {
		err = weir_open(&to[r].w, WEIR_TYPE, NULL);
		if (!err)
			err = weir_subscribe(to[r].w, FAN_PATH);
	}
	if (err)
		die("weir subscription: %s", weir_error());
}

/* A publisher for each sender, and one subscription of all of them. */
static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	struct weir_config c = config(job);
	char path[32];
	unsigned int r;
	int err;

	memset(from, 0, job->senders * sizeof(*from));
	memset(to, 0, sizeof(*to));
	err = weir_open(&to->w, SOCK_RDM, NULL);
	if (!err)
		err = weir_subscribe(to->w, FANIN_PATH "*");
	for (r = 0; !err && r < job->senders; r++) {
		snprintf(path, sizeof(path), FANIN_PATH "%u", r);
		err = weir_open(&from[r].w, SOCK_RDM, &c);
		if (!err)
			err = weir_bind(from[r].w, path);
	}
	if (err)
		die("weir subscription: %s", weir_error());
	return 1;
}

static void end_leave(struct end *e)
{
	if (options.mode != MODE_NATIVE)
		weir_close(e->w);
}

static uint64_t end_copied(struct end *e)
{
	struct weir_sock_info info;

	if (options.mode == MODE_NATIVE)
		return 0;
	if (weir_info(e->w, &info))
		die("weir_info: %s", weir_error());
	return info.copied_bytes;
}

inlined void *end_claim(struct end *e, size_t len, struct claim *c)
{
	unsigned int looks = 0;

	if (WEIR_WAY == WAY_BATCH && c->left &&
	    weir_likely((c->left = weir_claim_next(e->w, &c->buf))))
		return c->buf.data;
	while (weir_unlikely((c->left = weir_claim_batch(e->w, len,
			WEIR_WAY == WAY_BATCH ? BATCH : 1, &c->buf)) < 0)) {
		if (c->left != -EAGAIN)
			die("weir_claim: %s", weir_error());
		if (POLLS)
			spin(&looks);
		else
			sleep_for_room(e->w, len);
	}
	return c->buf.data;
}

inlined void end_commit(struct end *e, size_t len, struct claim *c, bool more)
{
	(void)len;
	if (WEIR_WAY == WAY_BATCH ? c->left > 1 : WEIR_WAY == WAY_WAIT && more) {
		weir_commit_more(e->w, &c->buf);
		if (WEIR_WAY == WAY_WAIT)
			e->pending = true;
	} else {
		weir_commit(e->w, &c->buf);
	}
}

static inline int fanin_poll(struct end *to, unsigned int n)
{
	struct pollfd p = { .fd = weir_fd(to->w), .events = POLLIN };

	(void)n;
	return poll(&p, 1, 0);
}

/* An eviction is one of the things to be told of: there is nothing then. */
inlined const void *end_try(struct end *e, size_t len, struct view *v)
{
	(void)len;
	return weir_peek(e->w, &v->msg) == 1 ? v->msg.data : NULL;
}

inlined const void *end_peek(struct end *e, size_t len, struct view *v)
{
	(void)len;
	if (WEIR_WAY == WAY_BATCH && v->held) {
		if (weir_likely(weir_peek_next(e->w, &v->msg)))
			return v->msg.data;
		weir_release(e->w, &v->msg);
		v->held = 0;
	}
	message_wait(e->w, &v->msg,
		     WEIR_WAY == WAY_WAIT ? &e->pending : &(bool){ false },
		     POLLS);
	return v->msg.data;
}

inlined void end_release(struct end *e, struct view *v)
{
	if (WEIR_WAY == WAY_BATCH && ++v->held < BATCH)
		return;
	weir_release(e->w, &v->msg);
	v->held = 0;
}

#ifdef LINK_BATCHES
inlined void end_rest(struct end *e, struct claim *c, struct view *v)
{
	while (c && c->left > 1 && (c->left = weir_claim_next(e->w, &c->buf)))
		weir_abort(e->w, &c->buf);
	if (v && v->held)
		weir_release(e->w, &v->msg);
}
#endif

#include "loops.h"
