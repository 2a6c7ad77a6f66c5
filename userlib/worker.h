/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * What loop.c and coroutine.c know of a worker and applications do not.
 */
#ifndef WEIR_WORKER_H
#define WEIR_WORKER_H

#include <pthread.h>
#include "private.h"
#include "weir_loop.h"

struct weir_co;

/**
 * struct weir_cos - the coroutines of a thread
 * @memory: all of them.
 * @bytes: of @memory.
 * @stacks: their stacks.
 * @stack_area: bytes of @stacks.
 * @n: how many.
 * @free: those that have nothing to do, the last one first.
 * @stalled: those that wait for room to send, the first one first.
 * @stalled_end: where the next one goes.
 * @running: the one that runs, NULL while the thread does.
 * @ending: calls are no longer made.
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
 * struct weir_thread - a worker with what is the loop's
 * @worker: what the application sees.
 * @loop: its loop.
 * @cos: its coroutines.
 * @thread: the thread.
 * @id: the target.
 * @done: messages handled since something was last sent.
 * @tick: of the clock, then.
 * @answers_pos: answers in the inbox before this position have been handled.
 * @started: @thread counts.
 * @padding: keeps the next thread's words on lines of their own.
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
 * struct weir_loop - what its threads share
 * @config: as given.
 * @n: threads.
 * @lock: guards @err and @words.
 * @err: the first error.
 * @words: its words.
 * @ending: the threads are to end.
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
