// SPDX-License-Identifier: GPL-2.0
/*
 * Two connected UDP sockets on loopback. A datagram that finds the receiver's
 * buffer full is lost, so throughput is measured with a window: the receiver
 * says how far it is in shared memory, and the sender stays within what the
 * buffer holds. That costs it a load.
 */
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "loopback.h"

#define LINK		link_udp
#define LINK_NAME	"udp"
#define LINK_WHAT	"UDP on loopback, connected, receive buffer of 8 MiB, at most 64 datagrams on the way, sleeping"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(60 * KIB)

#define BUFFER_BYTES	(8 * MIB)
#define WINDOW		64

/**
 * struct end - one side
 * @fd: socket.
 * @put, @got: message being written, being read.
 * @sent, @seen: how many.
 * @told: the other side's @seen, shared.
 * @tell: ours.
 * @copied: payload bytes copied by the kernel.
 */
struct end {
	int		fd;
	unsigned char	*put;
	unsigned char	*got;
	uint64_t	sent;
	uint64_t	seen;
	uint64_t	*told;
	uint64_t	*tell;
	uint64_t	copied;
};

struct link {
	int		fd[2];
	uint64_t	*seen;
};

static struct link links[FAN_MAX];
static unsigned int nlinks;

static int pair_open(const struct job *job)
{
	struct link *l = &links[nlinks];
	struct sockaddr_in at[2];
	int side, bytes = BUFFER_BYTES;

	(void)job;
	for (side = 0; side < 2; side++) {
		l->fd[side] = loopback_bound(SOCK_DGRAM, &at[side]);
		setsockopt(l->fd[side], SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
			   sizeof(bytes));
	}
	for (side = 0; side < 2; side++) {
		if (connect(l->fd[side], (void *)&at[!side], sizeof(at[0])))
			return -errno;
	}
	l->seen = mmap(NULL, 4 * KIB, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l->seen == MAP_FAILED)
		return -errno;
	nlinks++;
	return 0;
}

static void pair_close(void)
{
	while (nlinks) {
		struct link *l = &links[--nlinks];

		close(l->fd[0]);
		close(l->fd[1]);
		munmap(l->seen, 4 * KIB);
	}
}

static void end_join(struct end *e, const struct job *job, int link, int side)
{
	memset(e, 0, sizeof(*e));
	e->fd = links[link].fd[side];
	e->tell = links[link].seen + 8 * side;
	e->told = links[link].seen + 8 * !side;
	e->put = calloc(1, job->len);
	e->got = calloc(1, job->len);
	if (!e->put || !e->got)
		die("no memory for buffers");
}

static void end_leave(struct end *e)
{
	free(e->put);
	free(e->got);
}

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
	while (e->sent - __atomic_load_n(e->told, __ATOMIC_ACQUIRE) >= WINDOW)
		sched_yield();
	return e->put;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)c;
	(void)more;
	if (send(e->fd, e->put, len, 0) != (ssize_t)len)
		die("send: %s", strerror(errno));
	e->sent++;
	e->copied += len;
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	(void)v;
	if (recv(e->fd, e->got, len, 0) != (ssize_t)len)
		die("recv: %s", strerror(errno));
	return e->got;
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)v;
	__atomic_store_n(e->tell, ++e->seen, __ATOMIC_RELEASE);
}

#include "loops.h"
