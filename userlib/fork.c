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
#include <stddef.h>
#include <sys/mman.h>

#include "private.h"

static pthread_once_t weir_fork_once = PTHREAD_ONCE_INIT;
static int weir_fork_err;

/* Guards both lists. */
static pthread_mutex_t weir_fork_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_fork_link *weir_fork_handles, *weir_fork_streams;

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
	/* Writable memory may be limited where address space is not. */
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
	s->fork.prev = NULL;
}

static void weir_fork_handle(struct weir *w)
{
	w->fork.prev = NULL;
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
	struct weir_fork_link *l;
	int saved = errno;

	for (l = weir_fork_streams; l; l = l->next)
		weir_fork_stream((void *)((char *)l -
					  offsetof(struct weir_stream, fork)));
	for (l = weir_fork_handles; l; l = l->next)
		weir_fork_handle((void *)((char *)l -
					  offsetof(struct weir, fork)));
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

static void weir_fork_link_add(struct weir_fork_link **list,
			       struct weir_fork_link *l)
{
	pthread_mutex_lock(&weir_fork_lock);
	l->next = *list;
	l->prev = list;
	if (l->next)
		l->next->prev = &l->next;
	*list = l;
	pthread_mutex_unlock(&weir_fork_lock);
}

static void weir_fork_link_del(struct weir_fork_link *l)
{
	pthread_mutex_lock(&weir_fork_lock);
	if (l->prev) {
		*l->prev = l->next;
		if (l->next)
			l->next->prev = l->prev;
		l->prev = NULL;
	}
	pthread_mutex_unlock(&weir_fork_lock);
}

/* Has a fork mark this handle. Returns 0 or -ENOMEM. */
int weir_fork_add(struct weir *w)
{
	pthread_once(&weir_fork_once, weir_fork_init);
	if (weir_fork_err)
		return weir_fail_syscall(-1, weir_fork_err, "pthread_atfork");
	weir_fork_link_add(&weir_fork_handles, &w->fork);
	return 0;
}

void weir_fork_del(struct weir *w)
{
	weir_fork_link_del(&w->fork);
}

/* The same for a stream that has been mapped. */
void weir_fork_add_stream(struct weir_stream *s)
{
	weir_fork_link_add(&weir_fork_streams, &s->fork);
}

void weir_fork_del_stream(struct weir_stream *s)
{
	weir_fork_link_del(&s->fork);
}

int weir_fork_fail(void)
{
	return weir_fail(-ECHILD,
			 "the rings of this handle belong to the parent process: open or adopt a handle after fork()");
}
