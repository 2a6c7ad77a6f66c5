/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contestants that copy messages through descriptors. The file that includes
 * this defines fd_pair(int fd[2][2]), where fd[side][0] is what a side reads
 * from and fd[side][1] what it writes to, and if that takes more than
 * descriptors, FD_UNPAIR and fd_unpair(); FD_READ and FD_WRITE if they are not
 * read() and write().
 */
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

#ifndef FD_READ
#define FD_READ		read
#define FD_WRITE	write
#endif

/**
 * struct end - one side
 * @in, @out: descriptors.
 * @put, @got: message being written, being read.
 * @copied: payload bytes copied by the kernel.
 */
struct end {
	int		in;
	int		out;
	unsigned char	*put;
	unsigned char	*got;
	uint64_t	copied;
};

static int pairs[FAN_MAX][2][2];
static unsigned int npairs;

static int pair_open(const struct job *job)
{
	int err = fd_pair(pairs[npairs], job);

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
	size_t room = job->len < 4 * KIB ? 4 * KIB : job->len;

	e->in = pairs[link][side][0];
	e->out = pairs[link][side][1];
	e->copied = 0;
	if (posix_memalign((void **)&e->put, 4 * KIB, room) ||
	    posix_memalign((void **)&e->got, 4 * KIB, room))
		die("no memory for buffers");
	memset(e->put, 0, room);
	memset(e->got, 0, room);
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

/* Nothing is kept between the calls. */
struct claim { };
struct view { };

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	(void)c;
	(void)len;
	return e->put;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	size_t done = 0;

	(void)c;
	(void)more;
	do {
		ssize_t n = FD_WRITE(e->out, (void *)(e->put + done),
				     len - done);

		if (n <= 0)
			die("write: %s", strerror(errno));
		done += (size_t)n;
	} while (done < len);
	e->copied += len;
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	size_t done = 0;

	(void)v;
	do {
		ssize_t n = FD_READ(e->in, (void *)(e->got + done),
				    len - done);

		if (n <= 0)
			die("read: %s", n ? strerror(errno) : "end of file");
		done += (size_t)n;
	} while (done < len);
	return e->got;
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)v;
	(void)e;
}

#include "loops.h"
