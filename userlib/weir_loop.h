/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libweir: a service on several CPUs. weir_loop_run() starts a thread for each
 * CPU and pins it there; each has a handle of its own that serves the same
 * path, so the router shares the requests out among them and they share
 * nothing. This is the one part of the library that starts threads; programs
 * that use it are linked with -pthread.
 *
 * With coroutines, each request is handled on a stack of its own: a handler
 * that calls another service by weir_co_call() sleeps alone, and its thread
 * goes on with other requests meanwhile.
 */
#ifndef WEIR_LOOP_H
#define WEIR_LOOP_H

#include <sched.h>
#include "weir.h"

#ifdef __cplusplus
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/**
 * struct weir_worker - one thread of a loop
 * @w: its handle.
 * @calls: its table of calls, for weir_calls_send(); NULL if it has none. The
 *	loop handles the answers.
 * @cpu: where it runs.
 * @index: 0 for the first CPU, and so on.
 * @arg: of struct weir_loop_config.
 * @user: the application's.
 *
 * For its own thread alone: functions that the loop has called.
 */
struct weir_worker {
	struct weir		*w;
	struct weir_calls	*calls;
	unsigned int		cpu;
	unsigned int		index;
	void			*arg;
	void			*user;
};

/**
 * struct weir_loop_config - what a loop does
 * @path: that it serves.
 * @cpus: where; NULL: on every CPU that the calling thread may use.
 * @config: of the handles; NULL: the defaults. Its spin_ns is for how long a
 *	thread polls before it sleeps.
 * @weight: of each thread, see weir_serve(); 0: 1.
 * @calls: that each thread may have in flight.
 * @coroutines: requests that each thread may have in hand at once, each on a
 *	stack of its own; 0: handlers run on the thread's and do not call
 *	weir_co_call().
 * @stack_bytes: of each of those stacks; 0: 64 KiB.
 * @handler: called for each request and one-way event. The message is released
 *	after it returns or calls weir_co_call(), whichever is first; the ticket
 *	stays good.
 * @on_start: called in each thread before it serves, or NULL; what it returns
 *	if not 0 ends the loop.
 * @on_stop: called in each thread after the last request, or NULL; also when
 *	@on_start has failed.
 * @arg: for them.
 */
struct weir_loop_config {
	const char			*path;
	const cpu_set_t			*cpus;
	const struct weir_config	*config;
	uint32_t			weight;
	uint32_t			calls;
	uint32_t			coroutines;
	size_t				stack_bytes;
	void (*handler)(struct weir_worker *worker, const struct weir_msg *msg,
			struct weir_ticket ticket);
	int (*on_start)(struct weir_worker *worker);
	void (*on_stop)(struct weir_worker *worker);
	void				*arg;
};

/**
 * weir_loop_run() - serve a path until weir_loop_stop()
 *
 * Then no more requests are taken, those which have come are handled, and the
 * threads end. Returns 0, or the first error; its words are weir_error()'s.
 */
int weir_loop_run(const struct weir_loop_config *config);

/*
 * Ends every loop of this process that runs, or the next one if none does. May
 * be called by signal handlers.
 */
void weir_loop_stop(void);

/**
 * weir_worker_reply() - copy a reply into the outbox
 *
 * Waits for room; the loop sends it together with others. Handlers may use
 * weir_reply_claim() and weir_reply_commit_more() just as well. Returns as
 * weir_reply().
 */
int weir_worker_reply(struct weir_worker *worker, struct weir_ticket ticket,
		      const void *data, size_t len);

/**
 * weir_co_call() - send a request and wait for its reply, others go on
 * @worker: as given to the handler that calls this.
 *
 * Returns as weir_call(); -EINVAL outside a handler of a loop with coroutines,
 * -ECANCELED when the loop ends.
 */
ssize_t weir_co_call(struct weir_worker *worker, const struct weir_call *call,
		     const void *data, size_t len, void *reply, size_t room);

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif /* WEIR_LOOP_H */
