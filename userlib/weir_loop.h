/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libweir: a service on several CPUs. weir_loop_run() starts a thread for each
 * CPU and pins it there. Each thread has a handle of its own, and all handles
 * serve the same path, so the router distributes the requests among them. No
 * other part of the library starts threads. Programs that use this part are
 * linked with -pthread.
 *
 * With coroutines, each request is handled on a stack of its own. A handler may
 * then call another service by weir_co_call(). While it waits for the reply, its
 * thread handles other requests.
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
 * @w: handle of the thread.
 * @calls: its table of calls, for weir_calls_send(); NULL if it has none. The
 *	loop handles the answers.
 * @cpu: number of the CPU that it runs on.
 * @index: number of the thread: 0 for that of the first CPU, and so on.
 * @arg: arg of struct weir_loop_config.
 * @user: for the application.
 *
 * Only this thread may use it, in functions that the loop calls.
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
 * struct weir_loop_config - settings of a loop
 * @path: path or pattern that it serves.
 * @cpus: CPUs that it runs on; NULL: every CPU that the calling thread may use.
 * @config: settings of the handles; NULL: the defaults. A thread polls for
 *	spin_ns of it before it sleeps.
 * @weight: weight of each thread, see weir_serve(); 0: 1.
 * @calls: most calls that each thread may have in flight; if less than
 *	@coroutines, as many as those.
 * @coroutines: most requests that each thread may handle at once, each on a
 *	stack of its own. 0: handlers run on the thread's stack and may not call
 *	weir_co_call().
 * @stack_bytes: bytes of each of those stacks; 0: 64 KiB.
 * @handler: called for each request and one-way event. The message is valid
 *	until it returns or calls weir_co_call(), whichever is first. The ticket
 *	stays valid.
 * @on_start: called in each thread before it serves, or NULL. If it returns a
 *	value other than 0, that is the loop's error.
 * @on_stop: called in each thread after the last request, or NULL; also when
 *	@on_start has failed.
 * @arg: weir_worker.arg of each thread.
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
 * After the stop the loop takes no more requests, handles those that have come,
 * and ends its threads. Returns 0, or the first error, whose words weir_error()
 * has.
 */
int weir_loop_run(const struct weir_loop_config *config);

/*
 * Ends every loop of this process. If none runs, the next one ends at once.
 * Signal handlers may call it.
 */
void weir_loop_stop(void);

/**
 * weir_worker_reply() - copy a reply into the outbox
 *
 * Waits for room. The loop sends the replies of a round together. Handlers may
 * use weir_reply_claim() and weir_reply_commit_more() instead. Returns as
 * weir_reply().
 */
int weir_worker_reply(struct weir_worker *worker, struct weir_ticket ticket,
		      const void *data, size_t len);

/**
 * weir_co_call() - send a request and wait for its reply on a coroutine
 * @worker: worker that the handler got.
 *
 * Other requests of the thread are handled while this one waits.
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
