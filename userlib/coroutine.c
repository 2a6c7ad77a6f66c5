// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Coroutines of a loop's thread: a stack for each request that is being handled.
 * When a handler waits for a reply, its thread switches to another stack. The
 * callback of the answer, in the thread's table of calls, switches back. The
 * contexts are those of the C library. Only one thread uses them, so there are
 * no locks.
 *
 * A stack is never unwound: a free coroutine waits at the end of its own loop
 * for the next request.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "worker.h"

#define WEIR_STACK_BYTES	65536	/* of a stack, unless the caller says */

/**
 * struct weir_co - one coroutine
 * @own: context in which the coroutine goes on.
 * @back: context that goes on when the coroutine waits or is done.
 * @t: its thread.
 * @next: next in the list of free or of stalled coroutines.
 * @msg: the request; not valid after the first wait.
 * @ticket: ticket of the request.
 * @reply: buffer for the reply to the call that it waits for.
 * @room: bytes at @reply.
 * @result: return value of that call.
 */
struct weir_co {
	ucontext_t		own;
	ucontext_t		back;
	struct weir_thread	*t;
	struct weir_co		*next;
	struct weir_msg		msg;
	struct weir_ticket	ticket;
	void			*reply;
	size_t			room;
	ssize_t			result;
};

/* --- one coroutine --- */

/* Runs a coroutine until it waits or is done. Another one may call this. */
static void weir_co_resume(struct weir_co *co)
{
	struct weir_co *before = co->t->cos.running;
	int saved = errno;

	co->t->cos.running = co;
	swapcontext(&co->back, &co->own);
	co->t->cos.running = before;
	errno = saved;
}

/* Switches back to the stack that resumed this coroutine. */
static void weir_co_yield(struct weir_co *co)
{
	swapcontext(&co->own, &co->back);
}

static void weir_co_main(unsigned int high, unsigned int low)
{
	struct weir_co *co = (struct weir_co *)
			     (uintptr_t)((uint64_t)high << 32 | low);
	struct weir_cos *cos = &co->t->cos;

	for (;;) {
		weir_thread_handle(co->t, &co->msg, co->ticket);
		co->next = cos->free;
		cos->free = co;
		weir_co_yield(co);
	}
}

/* Handles a request on a free stack. The caller checks that there is one. */
void weir_co_run(struct weir_thread *t, const struct weir_msg *msg)
{
	struct weir_co *co = t->cos.free;

	t->cos.free = co->next;
	co->msg = *msg;
	co->ticket = weir_ticket(msg);
	weir_co_resume(co);
}

/* --- calls --- */

/* Callback for the answer. The call gets the first reply; others are dropped. */
static void weir_co_done(void *arg, int err, const struct weir_msg *msg)
{
	struct weir_co *co = arg;

	co->result = msg ? weir_call_result(msg, co->reply, co->room) : err;
	if (msg)
		weir_calls_drop(co->t->worker.calls, msg);
	weir_co_resume(co);
}

/* Waits for room in the table of calls or in the outbox. */
static void weir_co_stall(struct weir_co *co)
{
	struct weir_cos *cos = &co->t->cos;

	co->next = NULL;
	*cos->stalled_end = co;
	cos->stalled_end = &co->next;
	weir_co_yield(co);
}

ssize_t weir_co_call(struct weir_worker *worker, const struct weir_call *call,
		     const void *data, size_t len, void *reply, size_t room)
{
	struct weir_thread *t = (struct weir_thread *)worker;
	struct weir_co *co = t->cos.running;
	int err;

	if (!co)
		return weir_fail(-EINVAL, "not in a handler of a loop with coroutines");
	for (;;) {
		if (t->cos.ending)
			return weir_fail(-ECANCELED, "the loop ends");
		err = weir_calls_send(worker->calls, call, data, len,
				      weir_co_done, co);
		if (err != -EAGAIN)
			break;
		weir_co_stall(co);
	}
	if (err || call->one_way)
		return err;
	co->reply = reply;
	co->room = room;
	weir_co_yield(co);
	if (co->result == -ECANCELED)
		return weir_fail(-ECANCELED, "the loop ends");
	return co->result;
}

/* Has each coroutine that waits for room try again once. */
void weir_cos_retry(struct weir_thread *t)
{
	struct weir_cos *cos = &t->cos;
	struct weir_co *co = cos->stalled, *next;

	cos->stalled = NULL;
	cos->stalled_end = &cos->stalled;
	for (; co; co = next) {
		next = co->next;
		weir_co_resume(co);
	}
}

/*
 * Ends new calls, and fails those that wait for room. Coroutines that wait for an
 * answer go on waiting.
 */
void weir_cos_end(struct weir_thread *t)
{
	t->cos.ending = true;
	if (t->cos.n)
		weir_cos_retry(t);
}

/* --- their memory --- */

static int weir_co_init(struct weir_thread *t, struct weir_co *co,
			unsigned char *stack, size_t bytes)
{
	uint64_t at = (uintptr_t)co;

	co->t = t;
	if (mprotect(stack, bytes, PROT_READ | PROT_WRITE) ||
	    getcontext(&co->own))
		return -errno;
	co->own.uc_stack.ss_sp = stack;
	co->own.uc_stack.ss_size = bytes;
	makecontext(&co->own, (void (*)(void))weir_co_main, 2,
		    (unsigned int)(at >> 32), (unsigned int)at);
	co->next = t->cos.free;
	t->cos.free = co;
	return 0;
}

static int weir_cos_map(struct weir_cos *cos, size_t each)
{
	cos->memory = mmap(NULL, cos->bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (cos->memory == MAP_FAILED) {
		cos->memory = NULL;
		return -errno;
	}
	cos->stack_area = cos->n * each;
	cos->stacks = mmap(NULL, cos->stack_area, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			   MAP_STACK, -1, 0);
	if (cos->stacks == MAP_FAILED) {
		cos->stacks = NULL;
		return -errno;
	}
	return 0;
}

/**
 * weir_cos_init() - make the coroutines of a thread
 * @n: number of coroutines; 0: none.
 * @stack_bytes: bytes of each stack, 0: 64 KiB. A guard page lies below each.
 *
 * The caller calls weir_cos_destroy() after an error too.
 */
int weir_cos_init(struct weir_thread *t, uint32_t n, size_t stack_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes;
	struct weir_cos *cos = &t->cos;
	int saved = errno, err;
	uint32_t i;

	cos->stalled_end = &cos->stalled;
	if (!n)
		return 0;
	bytes = stack_bytes ? stack_bytes : WEIR_STACK_BYTES;
	if (bytes > SIZE_MAX / 2 / n)
		return weir_fail(-EINVAL, "stacks of %zu bytes", bytes);
	bytes = (bytes + page - 1) & ~(page - 1);
	cos->n = n;
	cos->bytes = n * sizeof(struct weir_co);
	err = weir_cos_map(cos, bytes + page);
	for (i = 0; !err && i < n; i++)
		err = weir_co_init(t, &cos->memory[i],
				   (unsigned char *)cos->stacks +
				   i * (bytes + page) + page, bytes);
	errno = saved;
	if (err)
		return weir_fail_syscall(-1, err, "%u stacks of %zu bytes", n,
					 bytes);
	return 0;
}

void weir_cos_destroy(struct weir_thread *t)
{
	struct weir_cos *cos = &t->cos;
	int saved = errno;

	if (cos->stacks)
		munmap(cos->stacks, cos->stack_area);
	if (cos->memory)
		munmap(cos->memory, cos->bytes);
	errno = saved;
}
