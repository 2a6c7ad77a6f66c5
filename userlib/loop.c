// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * A service on several CPUs: a pinned thread on each, with a handle of its own.
 * It reads requests, calls the handler for each, and sends the answers of a
 * round together. Threads share only the request to stop and the first error.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

/* Messages of a round: the thread then releases them and sends the answers. */
#define WEIR_ROUND		64

/* Nanoseconds without work before a thread sleeps where a stop wakes it. */
#define WEIR_IDLE_NS		100000000

/* Nanoseconds without a message after which the router sends no more. */
#define WEIR_DRAIN_NS		10000000

/* Nanoseconds between two tries of a coroutine that waits for room to send. */
#define WEIR_STALL_NS		1000000

/* Nanoseconds between two searches for answers behind requests that wait. */
#define WEIR_POLL_NS		50000

/* --- to stop --- */

/**
 * struct weir_stop - the request to stop, one for the process
 * @lock: guards @loops and the opening of @fd.
 * @loops: number of loops that run.
 * @fd: eventfd that is readable after a request; -1 before the first loop. It is
 *	never closed: a signal handler could write to another file of its number.
 * @requested: 1 after a request, until the last loop has ended; else 0. Atomic.
 */
static struct {
	pthread_mutex_t	lock;
	unsigned int	loops;
	int		fd;
	uint32_t	requested;
} weir_stop = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* Wakes threads that sleep in poll(). */
static void weir_stop_wake(void)
{
	int fd = __atomic_load_n(&weir_stop.fd, __ATOMIC_SEQ_CST);
	ssize_t n = fd < 0 ? 0 : eventfd_write(fd, 1);

	(void)n;
}

void weir_loop_stop(void)
{
	int saved = errno;

	__atomic_store_n(&weir_stop.requested, 1, __ATOMIC_SEQ_CST);
	weir_stop_wake();
	errno = saved;
}

static bool weir_stop_requested(const struct weir_loop *loop)
{
	return __atomic_load_n(&weir_stop.requested, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&loop->ending, __ATOMIC_SEQ_CST);
}

static void weir_stop_prepare(void)
{
	pthread_mutex_lock(&weir_stop.lock);
}

static void weir_stop_parent(void)
{
	pthread_mutex_unlock(&weir_stop.lock);
}

/* In a child of fork(2) no loop runs, and the eventfd is the parent's. */
static void weir_stop_child(void)
{
	if (weir_stop.fd >= 0)
		close(weir_stop.fd);
	weir_stop.fd = -1;
	weir_stop.loops = 0;
	weir_stop.requested = 0;
	pthread_mutex_unlock(&weir_stop.lock);
}

static void weir_stop_atfork(void)
{
	pthread_atfork(weir_stop_prepare, weir_stop_parent, weir_stop_child);
}

static int weir_stop_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int err = 0, fd;

	pthread_once(&once, weir_stop_atfork);
	pthread_mutex_lock(&weir_stop.lock);
	if (weir_stop.fd < 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = fd < 0 ? -errno : 0;
		if (!err)
			__atomic_store_n(&weir_stop.fd, fd, __ATOMIC_SEQ_CST);
	}
	if (!err)
		weir_stop.loops++;
	pthread_mutex_unlock(&weir_stop.lock);
	return err;
}

static void weir_stop_end(void)
{
	eventfd_t words;

	pthread_mutex_lock(&weir_stop.lock);
	if (!--weir_stop.loops) {
		eventfd_read(weir_stop.fd, &words);
		__atomic_store_n(&weir_stop.requested, 0, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&weir_stop.lock);
}

/* Remembers the first error, and stops the other threads. */
static void weir_loop_fail(struct weir_loop *loop, int err)
{
	pthread_mutex_lock(&loop->lock);
	if (!loop->err) {
		loop->err = err;
		strncpy(loop->words, weir_error(), sizeof(loop->words) - 1);
	}
	pthread_mutex_unlock(&loop->lock);
	__atomic_store_n(&loop->ending, 1, __ATOMIC_SEQ_CST);
	weir_stop_wake();
}

/* --- messages --- */

static bool weir_thread_full(const struct weir_thread *t)
{
	return t->cos.n && !t->cos.free;
}

/* Returns whether a message is an answer that came through the router. */
static bool weir_msg_answers(const struct weir_msg *msg)
{
	return (msg->kind == WEIR_KIND_REPLY || msg->kind == WEIR_KIND_ERROR) &&
	       weir_msg_routed(msg);
}

/*
 * Handles one message. Returns false, and does nothing, if it is a request and
 * all stacks are in use.
 */
static bool weir_thread_message(struct weir_thread *t,
				const struct weir_msg *msg)
{
	if (weir_msg_answers(msg)) {
		if (t->worker.calls && (__s64)(msg->pos - t->answers_pos) >= 0)
			weir_calls_take(t->worker.calls, msg);
		return true;
	}
	if (!t->cos.n) {
		weir_thread_handle(t, msg, weir_ticket(msg));
		return true;
	}
	if (weir_thread_full(t))
		return false;
	weir_co_run(t, msg);
	return true;
}

/*
 * All stacks are in use, and the answers that they wait for lie behind a
 * request. This function handles those answers where they lie, and remembers it
 * in answers_pos, so that the thread skips them later. A thread with unread
 * messages is not woken for further ones, so it checks at intervals.
 */
static int weir_thread_look_ahead(struct weir_thread *t)
{
	struct timespec delay = { .tv_nsec = WEIR_POLL_NS };
	struct weir_stream *in = t->worker.w->inbox;
	__u64 pos = weir_stream_pos(in);
	struct weir_ring_rec r;
	struct weir_msg msg;
	int ret;

	if ((__s64)(pos - t->answers_pos) < 0)
		pos = t->answers_pos;
	weir_flush(t->worker.w);
	while ((ret = weir_ring_peek(&in->ring, &pos, &r)) == 1) {
		weir_msg_set(&msg, in, &r);
		pos = r.next;
		t->answers_pos = pos;
		if (weir_msg_answers(&msg))
			weir_calls_take(t->worker.calls, &msg);
		if (!weir_thread_full(t))
			return 1;
	}
	if (ret < 0)
		return weir_fail(ret, "the inbox is overwritten");
	clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL);
	return 1;
}

/* Sends the answers and calls that were committed in a round, if any. */
static void weir_thread_send(struct weir_thread *t)
{
	t->done = 0;
	if (weir_has_unsent(t->worker.w))
		weir_flush(t->worker.w);
}

/*
 * Answers are sent together, after a round or when the thread goes to sleep. If
 * handlers take long, they are sent when the coarse clock has ticked, which it
 * does every few milliseconds. Reading that clock costs little.
 */
static void weir_thread_handled(struct weir_thread *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (++t->done < WEIR_ROUND && now.tv_nsec == t->tick)
		return;
	t->tick = now.tv_nsec;
	weir_thread_send(t);
}

/* Handles up to a round of messages. Returns their number, or an error. */
static int weir_thread_round(struct weir_thread *t)
{
	struct weir *w = t->worker.w;
	struct weir_msg msg, last;
	int n = 0, ret;

	if (t->cos.stalled)
		weir_cos_retry(t);
	ret = weir_peek(w, &msg);
	/* A stream of the application has failed; the others go on. */
	if (ret == -ESTALE || ret == -EPROTO)
		return 1;
	if (ret != 1)
		return ret;
	do {
		if (!weir_thread_message(t, &msg))
			break;
		weir_thread_handled(t);
		last = msg;
	} while (++n < WEIR_ROUND && weir_peek_next(w, &msg));
	if (!n)
		return weir_thread_look_ahead(t);
	weir_release(w, &last);
	return n;
}

/* --- one thread --- */

/* Sleeps until a message comes or the loop must end. */
static int weir_thread_idle(struct weir_thread *t)
{
	struct weir *w = t->worker.w;
	struct pollfd p[2] = {
		{ .fd = weir_fd(w), .events = POLLIN },
		{ .fd = weir_stop.fd, .events = POLLIN },
	};
	int ret;

	t->done = 0;
	/* This sends the answers too. */
	ret = weir_wait(w, WEIR_WAIT_IN, 0,
			t->cos.stalled ? WEIR_STALL_NS : WEIR_IDLE_NS);
	if (ret)
		return ret == -EINTR ? 0 : ret;
	if (weir_stop_requested(t->loop) || t->cos.stalled)
		return 0;
	if (poll(p, 2, -1) < 0 && errno != EINTR)
		return weir_fail_syscall(-1, -errno, "poll");
	return 0;
}

/*
 * Tells the router to send no more. A module without WEIR_SO_DRAIN lets the
 * route's owner set the weight. Returns 0, or an error.
 */
static int weir_thread_retire(struct weir_thread *t)
{
	struct weir_route_op op = {
		.op = WEIR_OP_TARGET_SET,
		.target = t->id,
	};
	struct weir_ioc_control control = {
		.size = sizeof(control),
		.op_size = sizeof(op),
		.count = 1,
		.ops = (uintptr_t)&op,
	};

	if (!weir_drain(t->worker.w))
		return 0;
	strcpy(op.path, t->loop->config->path);
	return weir_fd_ioctl(weir_fd(t->worker.w), WEIR_IOC_CONTROL, &control);
}

static bool weir_thread_busy(const struct weir_thread *t)
{
	return t->cos.stalled || (t->worker.calls &&
				  weir_calls_pending(t->worker.calls));
}

/*
 * Handles messages until all calls are answered and no more messages come. If
 * the router refuses to send no more, requests keep coming: then the end is the
 * last message that has come by now.
 */
static int weir_thread_drain(struct weir_thread *t)
{
	bool retired = !weir_thread_retire(t);
	struct weir *w = t->worker.w;
	struct weir_stream *in = w->inbox;
	__u64 end = 0;
	__u32 seq;
	int ret;

	if (!retired)
		weir_ring_tail(&in->ring, &end, &seq);
	do {
		ret = weir_thread_round(t);
		if (!ret)
			ret = weir_wait(w, WEIR_WAIT_IN, 0, WEIR_DRAIN_NS);
		if (ret == -EINTR || (!ret && weir_thread_busy(t)))
			ret = 1;
		if (!retired && ret > 0 && !weir_thread_busy(t) &&
		    (__s64)(weir_stream_pos(in) - end) >= 0)
			ret = 0;
	} while (ret > 0);
	return ret;
}

static int weir_thread_serve(struct weir_thread *t)
{
	int ret = 0;

	while (ret >= 0 && !weir_stop_requested(t->loop)) {
		ret = weir_thread_round(t);
		if (!ret)
			ret = weir_thread_idle(t);
	}
	return ret < 0 ? ret : weir_thread_drain(t);
}

static int weir_thread_pin(const struct weir_thread *t)
{
	cpu_set_t cpus;
	int err;

	CPU_ZERO(&cpus);
	CPU_SET(t->worker.cpu, &cpus);
	err = pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	return err ? weir_fail_syscall(-1, -err, "CPU %u", t->worker.cpu) : 0;
}

/* Makes the handle, the table of calls and the stacks, and serves the path. */
static int weir_thread_open(struct weir_thread *t)
{
	const struct weir_loop_config *config = t->loop->config;
	uint32_t calls = config->calls;
	int err = weir_thread_pin(t);

	if (!err)
		err = weir_open(&t->worker.w, SOCK_RDM, config->config);
	if (!err)
		err = weir_cos_init(t, config->coroutines,
				    config->stack_bytes);
	if (calls < config->coroutines)
		calls = config->coroutines;
	if (!err && calls) {
		t->worker.calls = weir_calls_create(t->worker.w, calls);
		if (!t->worker.calls)
			err = calls > WEIR_CALLS_MAX ? -EINVAL : -ENOMEM;
	}
	if (!err && config->on_start)
		err = config->on_start(&t->worker);
	if (!err)
		err = weir_serve(t->worker.w, config->path,
				 config->weight ? config->weight : 1, &t->id);
	if (!err)
		t->answers_pos = weir_stream_pos(t->worker.w->inbox);
	return err;
}

/* Ends calls that wait for an answer, and frees what weir_thread_open() made. */
static void weir_thread_close(struct weir_thread *t)
{
	const struct weir_loop_config *config = t->loop->config;

	weir_cos_end(t);
	weir_calls_destroy(t->worker.calls);
	t->worker.calls = NULL;
	if (t->worker.w) {
		weir_flush(t->worker.w);
		if (config->on_stop)
			config->on_stop(&t->worker);
	}
	weir_close(t->worker.w);
	weir_cos_destroy(t);
}

static void *weir_thread_main(void *arg)
{
	struct weir_thread *t = arg;
	int err = weir_thread_open(t);

	if (!err)
		err = weir_thread_serve(t);
	if (err)
		weir_loop_fail(t->loop, err);
	weir_thread_close(t);
	return NULL;
}

/* --- the loop --- */

/* Starts the threads. If one does not start, those that have started end. */
static void weir_loop_start(struct weir_loop *loop, const cpu_set_t *cpus)
{
	unsigned int cpu, i = 0;
	int err = 0;

	for (cpu = 0; !err && cpu < CPU_SETSIZE; cpu++) {
		struct weir_thread *t = &loop->threads[i];

		if (!CPU_ISSET(cpu, cpus))
			continue;
		t->loop = loop;
		t->worker.cpu = cpu;
		t->worker.index = i++;
		t->worker.arg = loop->config->arg;
		err = pthread_create(&t->thread, NULL, weir_thread_main, t);
		t->started = !err;
	}
	if (err)
		weir_loop_fail(loop, weir_fail_syscall(-1, -err, "a thread"));
}

static int weir_loop_threads(const struct weir_loop_config *config,
			     const cpu_set_t *cpus)
{
	unsigned int n = (unsigned int)CPU_COUNT(cpus), i;
	struct weir_loop *loop;
	int err;

	if (!n)
		return weir_fail(-EINVAL, "no CPU to run on");
	loop = weir_zalloc(sizeof(*loop) + n * sizeof(loop->threads[0]));
	if (!loop)
		return -ENOMEM;
	loop->config = config;
	loop->n = n;
	pthread_mutex_init(&loop->lock, NULL);
	weir_loop_start(loop, cpus);
	for (i = 0; i < n; i++) {
		if (loop->threads[i].started)
			pthread_join(loop->threads[i].thread, NULL);
	}
	err = loop->err;
	if (err)
		weir_fail(err, "%s", loop->words);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
	return err;
}

int weir_loop_run(const struct weir_loop_config *config)
{
	int saved = errno, err = 0;
	cpu_set_t cpus;

	if (!config->handler || !config->path)
		return weir_fail(-EINVAL, "a loop needs a path and a handler");
	if (config->cpus)
		cpus = *config->cpus;
	else if (sched_getaffinity(0, sizeof(cpus), &cpus))
		err = weir_fail_syscall(-1, -errno, "the CPUs of this thread");
	if (!err) {
		err = weir_stop_begin();
		if (err)
			weir_fail_syscall(-1, err, "an eventfd");
	}
	if (!err) {
		err = weir_loop_threads(config, &cpus);
		weir_stop_end();
	}
	errno = saved;
	return err;
}

int weir_worker_reply(struct weir_worker *worker, struct weir_ticket ticket,
		      const void *data, size_t len)
{
	int ret = weir_reply_copy_more(worker->w, &ticket, WEIR_KIND_REPLY,
				       data, len, WEIR_FOREVER);

	return ret < 0 ? ret : 0;
}
