/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pair of ZeroMQ sockets (ZMQ_PAIR), or what the library has for one to many
 * and many to one, without a copy by the sides: a message is filled in the
 * library's memory (zmq_msg_init_size()) and read there. As many may wait as
 * weir's ring has room for. The file that includes this defines PAIR_AT.
 *
 * A context does not survive a fork, so each process makes its own.
 */
#include <errno.h>
#include <pthread.h>
#include <zmq.h>

#include "named_pair.h"

#define LINK_BROADCAST	1
#define LINK_FANIN	1
#define LINK_TRY	1
#define LINK_SLOW	1

/**
 * struct end - one side
 * @sock: its socket.
 * @copied: payload bytes copied by the kernel.
 */
struct end {
	void		*sock;
	uint64_t	copied;
};

struct claim {
	zmq_msg_t	msg;
};

struct view {
	zmq_msg_t	msg;
};

static void *context;
static unsigned int users;
static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;

/* Binds a socket of that type, or connects it. */
static void sock_join(struct end *e, const struct job *job, int link, int type,
		      bool bound)
{
	int many = (int)(job->ring_bytes / (job->len + 32)), none = 0;
	char at[64];

	pthread_mutex_lock(&context_lock);
	if (!users++)
		context = zmq_ctx_new();
	pthread_mutex_unlock(&context_lock);
	e->sock = zmq_socket(context, type);
	e->copied = 0;
	if (!e->sock)
		die("zmq_socket: %s", zmq_strerror(errno));
	zmq_setsockopt(e->sock, ZMQ_SNDHWM, &many, sizeof(many));
	zmq_setsockopt(e->sock, ZMQ_RCVHWM, &many, sizeof(many));
	zmq_setsockopt(e->sock, ZMQ_LINGER, &none, sizeof(none));
	if (type == ZMQ_SUB)
		zmq_setsockopt(e->sock, ZMQ_SUBSCRIBE, "", 0);
	pair_name(at, sizeof(at), link);
	/* a side that connects before the other has bound tries again 100 ms later */
	if (bound ? zmq_bind(e->sock, at) : zmq_connect(e->sock, at))
		die("%s: %s", at, zmq_strerror(errno));
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	sock_join(e, job, link, ZMQ_PAIR, !side);
}

static void fan_join(struct end *from, struct end *to, const struct job *job)
{
	unsigned int r;
	char what[8];
	int on = 1;

	sock_join(from, job, 0, ZMQ_XPUB, true);
	/*
	 * A slow receiver is waited for, but at a fixed load, and each
	 * subscription is heard of.
	 */
	if (!job->period_ns)
		zmq_setsockopt(from->sock, ZMQ_XPUB_NODROP, &on, sizeof(on));
	zmq_setsockopt(from->sock, ZMQ_XPUB_VERBOSE, &on, sizeof(on));
	for (r = 0; r < job->readers; r++)
		sock_join(&to[r], job, 0, ZMQ_SUB, false);
	for (r = 0; r < job->readers; r++) {
		if (zmq_recv(from->sock, what, sizeof(what), 0) < 0)
			die("zmq_recv: %s", zmq_strerror(errno));
	}
}

static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	unsigned int r;

	sock_join(to, job, 0, ZMQ_PULL, true);
	for (r = 0; r < job->senders; r++)
		sock_join(&from[r], job, 0, ZMQ_PUSH, false);
	return 1;
}

static void end_leave(struct end *e)
{
	zmq_close(e->sock);
	pthread_mutex_lock(&context_lock);
	if (!--users)
		zmq_ctx_term(context);
	pthread_mutex_unlock(&context_lock);
}

/* In at one end and out at the other, if it goes through the kernel. */
static uint64_t end_copied(struct end *e)
{
	return LINK_THREADS ? 0 : 2 * e->copied;
}

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	(void)e;
	if (zmq_msg_init_size(&c->msg, len))
		die("zmq_msg_init_size: %s", zmq_strerror(errno));
	return zmq_msg_data(&c->msg);
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)more;
	if (zmq_msg_send(&c->msg, e->sock, 0) < 0)
		die("zmq_msg_send: %s", zmq_strerror(errno));
	e->copied += len;
}

static inline const void *end_try(struct end *e, size_t len, struct view *v)
{
	(void)len;
	zmq_msg_init(&v->msg);
	return zmq_msg_recv(&v->msg, e->sock, ZMQ_DONTWAIT) < 0 ?
	       NULL : zmq_msg_data(&v->msg);
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	zmq_msg_init(&v->msg);
	if (zmq_msg_recv(&v->msg, e->sock, 0) != (int)len)
		die("zmq_msg_recv: %s", zmq_strerror(errno));
	return zmq_msg_data(&v->msg);
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)e;
	zmq_msg_close(&v->msg);
}

#include "loops.h"
