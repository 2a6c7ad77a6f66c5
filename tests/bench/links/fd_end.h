/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contestants that copy messages through descriptors. The file that includes
 * this defines fd_pair(int fd[2][2]), where fd[side][0] is what a side reads
 * from and fd[side][1] what it writes to, and if that takes more than
 * descriptors, FD_UNPAIR and fd_unpair(); FD_READ and FD_WRITE if they are not
 * read() and write().
 *
 *	FD_WINDOW	what finds the receiver's buffer full is lost: so many
 *			messages are on the way at most. The receiver says in
 *			shared memory how far it is.
 *	FD_SHARED	many may write to what one reads from
 *	FD_DATAGRAMS	with LINK_BATCHES: sendmmsg() and recvmmsg()
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#ifdef FD_WINDOW
#include "window.h"
#endif

#define LINK_FANIN	1
#define LINK_FANIN_POLL	1
#ifndef FD_SHARED
#define LINK_FANIN_NEXT	1
#endif

#ifndef FD_READ
#define FD_READ		read
#define FD_WRITE	write
#endif

/**
 * struct end - one side
 * @in, @out: descriptors.
 * @put, @got: message being written, being read; or several.
 * @len: of a message.
 * @copied: payload bytes copied by the kernel.
 * @window: what it may send.
 */
struct end {
	int		in;
	int		out;
	unsigned char	*put;
	unsigned char	*got;
	size_t		len;
	uint64_t	copied;
#ifdef FD_WINDOW
	struct window	window;
#endif
};

static int pairs[FAN_MAX][2][2];
static unsigned int npairs;

static int pair_open(const struct job *job)
{
	int err;

#ifdef FD_WINDOW
	if (!npairs)
		window_open();
#endif
#ifdef FD_SHARED
	if (npairs && job->senders) {
		/* another writer */
		int side;

		for (side = 0; side < 2; side++) {
			pairs[npairs][side][0] = dup(pairs[0][side][0]);
			pairs[npairs][side][1] = dup(pairs[0][side][1]);
		}
		npairs++;
		return 0;
	}
#endif
	err = fd_pair(pairs[npairs], job);
	if (!err)
		npairs++;
	return err;
}

static void pair_close(void)
{
	while (npairs) {
		int (*fd)[2] = pairs[--npairs];

		close(fd[0][0]);
		close(fd[1][0]);
		if (fd[0][0] != fd[0][1]) {
			close(fd[0][1]);
			close(fd[1][1]);
		}
	}
#ifdef FD_UNPAIR
	fd_unpair();
#endif
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	size_t room = job->len * batch_of(job->len);

	if (room < 4 * KIB)
		room = 4 * KIB;
	memset(e, 0, sizeof(*e));
	e->in = pairs[link][side][0];
	e->out = pairs[link][side][1];
	e->len = job->len;
	if (posix_memalign((void **)&e->put, 4 * KIB, room) ||
	    posix_memalign((void **)&e->got, 4 * KIB, room))
		die("no memory for buffers");
	memset(e->put, 0, room);
	memset(e->got, 0, room);
#ifdef FD_WINDOW
	window_join(&e->window, side, (unsigned int)link);
#endif
}

static void end_leave(struct end *e)
{
	free(e->put);
	free(e->got);
}

/* In at one end and out at the other. */
static uint64_t end_copied(struct end *e)
{
	return 2 * e->copied;
}

/* --- many to one --- */

#ifdef FD_SHARED

static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	unsigned int r;

	for (r = 0; r < job->senders; r++) {
		end_join(&from[r], job, (int)r, 0);
#ifdef FD_WINDOW
		/* no more are on the way than its buffer holds */
		from[r].window.readers = 0;
#endif
	}
	end_join(to, job, 0, 1);
	return 1;
}

static inline int fanin_poll(struct end *to, unsigned int n)
{
	struct pollfd p = { .fd = to->in, .events = POLLIN };

	(void)n;
	return poll(&p, 1, 0);
}

#else

static int readable = -1;	/* epoll: those of many that are */

static unsigned int fanin_join(struct end *from, struct end *to,
			       const struct job *job)
{
	unsigned int r;

	readable = epoll_create1(0);
	for (r = 0; r < job->senders; r++) {
		struct epoll_event at = { .events = EPOLLIN, .data.u32 = r };

		end_join(&from[r], job, (int)r, 0);
		end_join(&to[r], job, (int)r, 1);
		if (epoll_ctl(readable, EPOLL_CTL_ADD, to[r].in, &at))
			die("epoll: %s", strerror(errno));
	}
	return job->senders;
}

/* One that has a message. */
static inline struct end *fanin_next(struct end *to, unsigned int n)
{
	static struct epoll_event at[64];
	static int left;

	if (n == 1)
		return to;
	if (!left)
		left = epoll_wait(readable, at, 64, -1);
	if (left <= 0)
		die("epoll_wait: %s", strerror(errno));
	return &to[at[--left].data.u32];
}

static inline int fanin_poll(struct end *to, unsigned int n)
{
	struct epoll_event at;

	(void)to;
	(void)n;
	return epoll_wait(readable, &at, 1, 0);
}

#endif /* FD_SHARED */

/* --- messages --- */

/* Room for one more on the way. */
static inline void fd_window(struct end *e)
{
#ifdef FD_WINDOW
	window_wait(&e->window, FD_WINDOW, true);
#else
	(void)e;
#endif
}

static inline void fd_seen(struct end *e)
{
#ifdef FD_WINDOW
	window_read(&e->window);
#else
	(void)e;
#endif
}

static inline void fd_write(struct end *e, size_t len)
{
	size_t done = 0;

	do {
		ssize_t n = FD_WRITE(e->out, (void *)(e->put + done),
				     len - done);

		if (n <= 0)
			die("write: %s", strerror(errno));
		done += (size_t)n;
	} while (done < len);
	e->copied += len;
}

/* At least this many bytes, behind those that are there already. */
static inline size_t fd_read(struct end *e, size_t done, size_t least,
			     size_t most)
{
	do {
		ssize_t n = FD_READ(e->in, (void *)(e->got + done),
				    most - done);

		if (n <= 0)
			die("read: %s", n ? strerror(errno) : "end of file");
		done += (size_t)n;
	} while (done < least);
	return done;
}

#ifdef LINK_BATCHES
#include "fd_batch.h"
#else

/* Nothing is kept between the calls. */
struct claim { };
struct view { };

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	(void)c;
	(void)len;
	fd_window(e);
	return e->put;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)c;
	(void)more;
	fd_write(e, len);
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	(void)v;
	fd_read(e, 0, len, len);
	return e->got;
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)v;
	fd_seen(e);
}

#endif /* LINK_BATCHES */

#include "loops.h"
