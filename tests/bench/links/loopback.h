/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets of the internet's families on loopback. */
#ifndef WEIR_BENCH_LOOPBACK_H
#define WEIR_BENCH_LOOPBACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "daemon.h"

#define LOOPBACK_PATIENCE_MS	20000

/* A socket of a type on a port of its own, and where that is. */
static inline int loopback_bound(int type, struct sockaddr_in *at)
{
	int fd = socket(AF_INET, type, 0);
	socklen_t len = sizeof(*at);

	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (void *)at, sizeof(*at)) ||
	    getsockname(fd, (void *)at, &len))
		die("a socket on loopback: %s", strerror(errno));
	return fd;
}

static inline int tcp_listening(struct sockaddr_in *at)
{
	int fd = loopback_bound(SOCK_STREAM, at);

	if (listen(fd, 1))
		die("listen: %s", strerror(errno));
	return fd;
}

/*
 * Connects as soon as a daemon listens; the descriptor, or -errno: it has ended
 * (-ENOEXEC), or has been stopped, since it does not come to that (-ETIMEDOUT).
 */
static inline int loopback_reached(pid_t daemon, const struct sockaddr_in *at)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	int fd, tries;

	for (tries = 0; tries < LOOPBACK_PATIENCE_MS; tries++) {
		if (daemon_ended(daemon))
			return -ENOEXEC;
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (const void *)at, sizeof(*at)))
			return fd;
		close(fd);
		nanosleep(&nap, NULL);
	}
	daemon_stop(daemon);
	return -ETIMEDOUT;
}

/*
 * The other end of what has connected to a listener, which is closed. Small
 * messages go out at once.
 */
static inline void tcp_ends(int fd[2][2], int ours, int listener)
{
	int sv[2] = { ours, accept(listener, NULL, NULL) }, side, on = 1;

	if (sv[1] < 0)
		die("accept: %s", strerror(errno));
	close(listener);
	for (side = 0; side < 2; side++) {
		setsockopt(sv[side], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		fd[side][0] = sv[side];
		fd[side][1] = sv[side];
	}
}

#endif /* WEIR_BENCH_LOOPBACK_H */
