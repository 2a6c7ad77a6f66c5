// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Handles in a child of fork(2). The kernel does not map rings into the child:
 * they have one writer. So in the child a handle with rings is dead, and each
 * call on it returns -ECHILD. weir_close() frees it.
 *
 * A handler of fork(2) marks the handle, and changes what the inline functions
 * read, so that they call their slow halves. Calls that the kernel must answer
 * fail because the handle has no valid descriptor. So the fast path has no check.
 * Private memory takes the rings' place: messages and buffers from before the
 * fork may still be touched.
 *
 * The handler cannot use the handle's own list of streams: another thread may
 * have been changing it. So handles and mapped streams are in lists of their own.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "private.h"

static pthread_once_t weir_fork_once = PTHREAD_ONCE_INIT;
static int weir_fork_err;

/* Guards both lists. */
static pthread_mutex_t weir_fork_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir *weir_fork_handles;
static struct weir_stream *weir_fork_streams;

/*
 * Puts private memory where a region was mapped. Another handler of fork(2) may
 * have used the address since: then *@at is set to NULL.
 */
static void weir_fork_replace(void **at, size_t *len, int prot)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		    MAP_FIXED_NOREPLACE;
	void *p;

	if (!*at)
		return;
	p = mmap(*at, *len, prot, flags, -1, 0);
	/* Writable memory may be limited, which address space is not. */
	if (p == MAP_FAILED && errno != EEXIST)
		p = mmap(*at, *len, PROT_READ, flags, -1, 0);
	if (p == *at)
		return;
	*at = NULL;
	*len = 0;
}

static void weir_fork_stream(struct weir_stream *s)
{
	weir_fork_replace(&s->view, &s->view_len, PROT_READ);
	weir_fork_replace(&s->own, &s->own_len, PROT_READ | PROT_WRITE);
	if (!s->view) {
		s->ring = weir_no_outbox;
		s->ring.data = weir_no_stream.ring.data;
		s->ring.secret = weir_no_stream.ring.secret;
	}
	if (!s->own)
		s->cursor = weir_no_stream.cursor;
	/* No ring has this value: weir_release() calls its slow half. */
	s->epoch = UINT32_MAX;
	s->fork_prev = NULL;
}

static void weir_fork_handle(struct weir *w)
{
	w->fork_prev = NULL;
	/* A descriptor without rings can be used by both processes. */
	if (!w->out_view && !w->inbox && !w->nstreams)
		return;
	w->forked = 1;
	w->parent_fd = w->fd;
	w->fd = WEIR_FD_FORKED;
	weir_fork_replace(&w->out_view, &w->out_view_len, PROT_READ);
	weir_fork_replace(&w->out_own, &w->out_own_len,
			  PROT_READ | PROT_WRITE);
	w->out.status = weir_no_outbox.status;
	w->out.head = weir_no_outbox.head;
	if (!w->out_own) {
		w->out.data = NULL;
		w->out.mask = 0;
	}
	w->claim_end = 0;
	if (w->cursor_blocks)
		memset(w->cursor_blocks, 0,
		       WEIR_BLOCKS * sizeof(*w->cursor_blocks));
	weir_turn_finish(w);
}

static void weir_fork_prepare(void)
{
	pthread_mutex_lock(&weir_fork_lock);
}

static void weir_fork_parent(void)
{
	pthread_mutex_unlock(&weir_fork_lock);
}

static void weir_fork_child(void)
{
	struct weir_stream *s = weir_fork_streams;
	struct weir *w = weir_fork_handles;
	int saved = errno;

	for (; s; s = s->fork_next)
		weir_fork_stream(s);
	for (; w; w = w->fork_next)
		weir_fork_handle(w);
	weir_fork_streams = NULL;
	weir_fork_handles = NULL;
	pthread_mutex_unlock(&weir_fork_lock);
	errno = saved;
}

static void weir_fork_init(void)
{
	weir_fork_err = -pthread_atfork(weir_fork_prepare, weir_fork_parent,
					weir_fork_child);
}

/* Has a fork mark this handle. Returns 0 or -ENOMEM. */
int weir_fork_add(struct weir *w)
{
	pthread_once(&weir_fork_once, weir_fork_init);
	if (weir_fork_err)
		return weir_fail_syscall(-1, weir_fork_err, "pthread_atfork");
	pthread_mutex_lock(&weir_fork_lock);
	w->fork_next = weir_fork_handles;
	w->fork_prev = &weir_fork_handles;
	if (w->fork_next)
		w->fork_next->fork_prev = &w->fork_next;
	weir_fork_handles = w;
	pthread_mutex_unlock(&weir_fork_lock);
	return 0;
}

void weir_fork_del(struct weir *w)
{
	pthread_mutex_lock(&weir_fork_lock);
	if (w->fork_prev) {
		*w->fork_prev = w->fork_next;
		if (w->fork_next)
			w->fork_next->fork_prev = w->fork_prev;
		w->fork_prev = NULL;
	}
	pthread_mutex_unlock(&weir_fork_lock);
}

/* The same for a stream that has been mapped. */
void weir_fork_add_stream(struct weir_stream *s)
{
	pthread_mutex_lock(&weir_fork_lock);
	s->fork_next = weir_fork_streams;
	s->fork_prev = &weir_fork_streams;
	if (s->fork_next)
		s->fork_next->fork_prev = &s->fork_next;
	weir_fork_streams = s;
	pthread_mutex_unlock(&weir_fork_lock);
}

void weir_fork_del_stream(struct weir_stream *s)
{
	pthread_mutex_lock(&weir_fork_lock);
	if (s->fork_prev) {
		*s->fork_prev = s->fork_next;
		if (s->fork_next)
			s->fork_next->fork_prev = s->fork_prev;
		s->fork_prev = NULL;
	}
	pthread_mutex_unlock(&weir_fork_lock);
}

int weir_fork_fail(void)
{
	return weir_fail(-ECHILD,
			 "the rings of this handle belong to the parent process: open or adopt a handle after fork()");
}
