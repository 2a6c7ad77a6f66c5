/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * The part of a loop and its threads that applications do not see; for loop.c
 * and coroutine.c.
 */
#ifndef WEIR_WORKER_H
#define WEIR_WORKER_H

#include <pthread.h>
#include "private.h"
#include "weir_loop.h"

struct weir_co;

/**
 * struct weir_cos - the coroutines of a thread
 * @memory: array of all coroutines.
 * @bytes: bytes of @memory.
 * @stacks: stacks of the coroutines.
 * @stack_area: bytes of @stacks.
 * @n: number of coroutines; 0: handlers run on the thread's stack.
 * @free: list of coroutines without a request, the last one freed first.
 * @stalled: list of coroutines that wait for room to send, the oldest first.
 * @stalled_end: link at which the next stalled coroutine is added.
 * @running: the coroutine that runs; NULL while the thread's own stack does.
 * @ending: the thread ends: weir_co_call() sends no more calls.
 */
struct weir_cos {
	struct weir_co	*memory;
	size_t		bytes;
	void		*stacks;
	size_t		stack_area;
	uint32_t	n;
	struct weir_co	*free;
	struct weir_co	*stalled;
	struct weir_co	**stalled_end;
	struct weir_co	*running;
	bool		ending;
};

/**
 * struct weir_thread - a thread of a loop
 * @worker: the part that the application sees.
 * @loop: loop that the thread belongs to.
 * @cos: its coroutines.
 * @thread: the POSIX thread, if @started.
 * @id: id of its target in the router.
 * @done: messages handled since the thread last sent.
 * @tick: tv_nsec of CLOCK_MONOTONIC_COARSE when it last sent.
 * @answers_pos: position in the inbox, in bytes: the thread has handled the
 *	answers before it.
 * @started: pthread_create() has succeeded.
 * @padding: keeps the next thread's words out of this thread's cache lines.
 */
struct weir_thread {
	struct weir_worker	worker;
	struct weir_loop	*loop;
	struct weir_cos		cos;
	pthread_t		thread;
	uint64_t		id;
	uint32_t		done;
	long			tick;
	uint64_t		answers_pos;
	bool			started;
	unsigned char		padding[128];
};

/**
 * struct weir_loop - the part that all threads of a loop share
 * @config: the caller's settings.
 * @n: number of threads.
 * @lock: guards @err and @words.
 * @err: the first error, a negative errno value; 0: none.
 * @words: words of @err.
 * @ending: 1 after an error, when the threads must end; else 0. Atomic.
 * @threads: the threads.
 */
struct weir_loop {
	const struct weir_loop_config	*config;
	unsigned int			n;
	pthread_mutex_t			lock;
	int				err;
	char				words[512];
	uint32_t			ending;
	struct weir_thread		threads[];
};

/* Calls the application's handler. */
static inline void weir_thread_handle(struct weir_thread *t,
				      const struct weir_msg *msg,
				      struct weir_ticket ticket)
{
	t->loop->config->handler(&t->worker, msg, ticket);
}

int weir_cos_init(struct weir_thread *t, uint32_t n, size_t stack_bytes);
void weir_cos_destroy(struct weir_thread *t);
void weir_co_run(struct weir_thread *t, const struct weir_msg *msg);
void weir_cos_retry(struct weir_thread *t);
void weir_cos_end(struct weir_thread *t);

#endif /* WEIR_WORKER_H */
