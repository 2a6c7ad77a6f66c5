// SPDX-License-Identifier: GPL-2.0
/*
 * nng between processes: a pair (pair0), or what the library has for one to many
 * (pub0, sub0) and many to one (push0, pull0), over ipc://, without a copy by the
 * sides: a message is filled in the library's memory and read there. As many
 * may wait as weir's ring has room for, up to 8192, which is the library's
 * limit.
 *
 * Its threads do not survive a fork, so nothing of it is used before.
 */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/supplemental/util/platform.h>

#define PAIR_AT		"ipc:///tmp/weir-bench-nng-%d-%d"

#include "named_pair.h"

#define LINK		link_nng
#define LINK_NAME	"nng"
#define LINK_WHAT	"nng pair0 over ipc:// (fan-out pub0/sub0, fan-in push0/pull0), messages built in place, up to 8192 waiting, sleeping"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_HELPED	true
#define LINK_LEN_MAX	(1 * MIB)
#define LINK_BROADCAST	1
#define LINK_FANIN	1
#define LINK_SLOW	1

#define WAITING_MAX	8192

/**
 * struct end - one side
 * @sock: its socket.
 * @copied: payload bytes copied by the kernel.
 */
struct end {
	nng_socket	sock;
	uint64_t	copied;
};

struct claim {
	nng_msg		*msg;
};

struct view {
	nng_msg		*msg;
};

static void good(int err, const char *what)
{
	if (err)
		die("nng: %s: %s", what, nng_strerror(err));
}

/* What a socket that has been opened needs, and one end of an address. */
static void sock_join(struct end *e, const struct job *job, int link,
		      bool listens)
{
	int many = (int)(job->ring_bytes / (job->len + 32)), err = 0;
	char at[64];

	if (many > WAITING_MAX)
		many = WAITING_MAX;
	e->copied = 0;
	/* some have no queue in one direction */
	nng_socket_set_int(e->sock, NNG_OPT_SENDBUF, many);
	nng_socket_set_int(e->sock, NNG_OPT_RECVBUF, many);
	good(nng_socket_set_size(e->sock, NNG_OPT_RECVMAXSZ, 2 * MIB), "size");
	pair_name(at, sizeof(at), link);
	if (listens)
		err = nng_listen(e->sock, at, NULL, 0);
	/* the other side may not listen yet */
	while (!listens && ((err = nng_dial(e->sock, at, NULL, 0)) ==
			    NNG_ECONNREFUSED || err == NNG_ENOENT))
		nng_msleep(1);
	good(err, at);
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	good(nng_pair0_open(&e->sock), "pair");
	sock_join(e, job, link, !side);
}

static _Atomic unsigned int subscribers;

static void count_joined(nng_pipe pipe, nng_pipe_ev event, void *unused)
{
	(void)pipe;
	(void)event;
	(void)unused;
	subscribers++;
}

static void fan_join(struct end *from, struct end *to, const struct job *job)
{
	unsigned int r;

	good(nng_pub0_open(&from->sock), "pub");
	good(nng_pipe_notify(from->sock, NNG_PIPE_EV_ADD_POST, count_joined,
			     NULL), "notify");
	sock_join(from, job, 0, true);
	for (r = 0; r < job->readers; r++) {
		good(nng_sub0_open(&to[r].sock), "sub");
		good(nng_socket_set(to[r].sock, NNG_OPT_SUB_SUBSCRIBE, "", 0),
		     "subscribe");
		sock_join(&to[r], job, 0, false);
	}
	while (subscribers < job->readers)
		nng_msleep(1);
}

static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	unsigned int r;

	good(nng_pull0_open(&to->sock), "pull");
	sock_join(to, job, 0, true);
	for (r = 0; r < job->senders; r++) {
		good(nng_push0_open(&from[r].sock), "push");
		sock_join(&from[r], job, 0, false);
	}
	return 1;
}

static void end_leave(struct end *e)
{
	nng_close(e->sock);
}

/* In at one end and out at the other. */
static uint64_t end_copied(struct end *e)
{
	return 2 * e->copied;
}

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	(void)e;
	good(nng_msg_alloc(&c->msg, len), "message");
	return nng_msg_body(c->msg);
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)more;
	good(nng_sendmsg(e->sock, c->msg, 0), "send");
	e->copied += len;
}

static inline const void *end_try(struct end *e, size_t len, struct view *v)
{
	(void)len;
	return nng_recvmsg(e->sock, &v->msg, NNG_FLAG_NONBLOCK) ?
	       NULL : nng_msg_body(v->msg);
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	good(nng_recvmsg(e->sock, &v->msg, 0), "receive");
	if (nng_msg_len(v->msg) != len)
		die("nng: %zu bytes instead of %zu", nng_msg_len(v->msg), len);
	return nng_msg_body(v->msg);
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)e;
	nng_msg_free(v->msg);
}

#include "loops.h"
