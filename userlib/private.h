/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * Functions that the files of the library share and applications do not see.
 *
 *	error.c		words of errors, system calls that do not change errno
 *	map.c		mapping of rings
 *	fork.c		handles in a child of fork(2)
 *	open.c		sockets: open, adopt, bind, connect, accept, subscribe
 *	stream.c	one stream: peek, end, detach, demand
 *	inbox.c		notices of the kernel
 *	claim.c		claims that find no room
 *	peek.c		peeks at several rings, releases that end a turn
 *	kick.c		telling the kernel, so that it wakes others
 *	wait.c		sleeping; send and receive by copying
 *	route.c		serving and calling paths; replies
 *	call.c		a request and its reply, one at a time
 *	calls.c		many requests, each with a callback
 *	refusal.c	reasons why there is no reply
 *	loop.c		threads that serve a path, see worker.h
 *	coroutine.c	a stack for each request of such a thread
 *	inline.c	the fast path as symbols
 */
#ifndef WEIR_PRIVATE_H
#define WEIR_PRIVATE_H

#include <stdbool.h>
#include <string.h>
#include "weir.h"

/* Bytes of ring that are read in one turn of a stream or of the inbox. */
#define WEIR_TURN		4096

/* For loops that poll: saves power, and leaves the core to its other thread. */
static inline void weir_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#else
	weir_compiler_fence();
#endif
}

/* The descriptor of a handle in a child of fork(2), see fork.c. */
#define WEIR_FD_FORKED		(-2)

/* --- error.c --- */
int weir_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int weir_fail_syscall(int fd, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int weir_fd_ioctl(int fd, unsigned long request, void *arg);
int weir_fd_setsockopt(int fd, int option, const void *value, socklen_t len);
int weir_fd_kick(int fd, unsigned int what);
int weir_fd_getsockopt(int fd, int level, int option, void *value,
		       socklen_t *len);
void *weir_zalloc(size_t bytes);

/* --- map.c --- */
/* Slots whose cursor pages are mapped together. */
#define WEIR_BLOCK_SLOTS	64U
#define WEIR_BLOCKS		(WEIR_SLOTS_MAX / WEIR_BLOCK_SLOTS)

extern const struct weir_ring_view weir_no_outbox;
int weir_map_outbox(struct weir *w);
void weir_unmap_outbox(struct weir *w);
const unsigned char *weir_map_cursors(struct weir *w, uint32_t block);
int weir_map_stream(int fd, struct weir_stream *s);
void weir_unmap_stream(struct weir_stream *s);

/* --- fork.c --- */
int weir_fork_add(struct weir *w);
void weir_fork_del(struct weir *w);
void weir_fork_add_stream(struct weir_stream *s);
void weir_fork_del_stream(struct weir_stream *s);
int weir_fork_fail(void);

/* The error of calls on a handle whose rings another process has; else 0. */
static inline int weir_fork_check(const struct weir *w)
{
	return weir_likely(!w->forked) ? 0 : weir_fork_fail();
}

/* --- stream.c --- */
extern const struct weir_stream weir_no_stream;

/* Position of the next record to read, in bytes. */
static inline __u64 weir_stream_pos(const struct weir_stream *s)
{
	return weir_load(&s->cursor->pos);
}

/*
 * Remembers that this reader was not evicted when status.gen was @gen. While the
 * stream stays open and gen is the same, weir_release() checks no more.
 */
static inline void weir_stream_revalidate(struct weir_stream *s, uint32_t gen)
{
	s->epoch = s->gating ? WEIR_STATE_OPEN | (__u64)gen << 32 : ~0ULL;
}

int weir_stream_add(struct weir *w, uint32_t id, const char *path,
		    size_t path_len);
void weir_stream_drop(struct weir *w, struct weir_stream *s);
void weir_stream_free_detached(struct weir *w);
bool weir_stream_closed(const struct weir_stream *s);
bool weir_stream_evicted(struct weir_stream *s, __u64 pos);
int weir_stream_peek(struct weir *w, struct weir_stream *s,
		     struct weir_msg *msg);
int weir_stream_give_up(struct weir *w, struct weir_stream *s,
			enum weir_reason reason, struct weir_msg *msg);
void weir_stream_move(struct weir *w, struct weir_stream *s, __u64 pos);
void weir_turn_finish(struct weir *w);
bool weir_stream_ready(struct weir_stream *s);

/* --- inbox.c --- */
void weir_inbox_turn(struct weir *w);
int weir_inbox_open(struct weir *w);
int weir_inbox_peek(struct weir *w, struct weir_msg *msg);

/* --- kick.c --- */
uint32_t weir_kick_due(const struct weir *w);
bool weir_has_unsent(const struct weir *w);
void weir_kick_now(struct weir *w);
int weir_fd_wait(struct weir *w, uint32_t flags, uint64_t bytes,
		 int64_t timeout_ns);

/* --- claim.c --- */
int weir_claim_closed(const struct weir *w);

/* --- wait.c --- */

/**
 * struct weir_deadline - time at which a wait ends
 * @at_ns: time on CLOCK_MONOTONIC in nanoseconds, if @timed; 0: do not wait.
 * @timed: the wait has an end; else it lasts for ever.
 */
struct weir_deadline {
	int64_t	at_ns;
	bool	timed;
};

int64_t weir_now_ns(void);
struct weir_deadline weir_deadline(int64_t timeout_ns);
int64_t weir_left_ns(const struct weir_deadline *d);
int weir_wait_until(struct weir *w, uint32_t events, uint64_t bytes,
		    const struct weir_deadline *end);

/*
 * Copies @len bytes. The compiler makes a few moves of a constant length. For a
 * length that comes from a ring it calls memcpy(), whose branches must wait for
 * the length. That takes several times as long as the rest of a small message.
 */
static inline void weir_copy(void *to, const void *from, size_t len)
{
	switch (len) {
	case 8:
		memcpy(to, from, 8);
		break;
	case 16:
		memcpy(to, from, 16);
		break;
	case 32:
		memcpy(to, from, 32);
		break;
	case 64:
		memcpy(to, from, 64);
		break;
	default:
		memcpy(to, from, len);
	}
}

/* --- route.c --- */
int weir_route_map(struct weir *w);
int weir_reply_copy_more(struct weir *w, const struct weir_ticket *ticket,
			 uint8_t kind, const void *data, size_t len,
			 int64_t timeout_ns);

/* --- call.c --- */
ssize_t weir_call_result(const struct weir_msg *answer, void *reply,
			 size_t room);

/* --- calls.c --- */
void weir_calls_drop(struct weir_calls *c, const struct weir_msg *msg);

/* --- refusal.c --- */
int weir_refusal_fail(const void *payload, uint32_t len);

#endif /* WEIR_PRIVATE_H */
