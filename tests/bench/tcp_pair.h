/* SPDX-License-Identifier: GPL-2.0 */
/* TCP over loopback. */
#ifndef WEIR_BENCH_TCP_PAIR_H
#define WEIR_BENCH_TCP_PAIR_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"

/* A socket on a port of its own, and where that is. */
static inline int tcp_bound(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*at);

	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (void *)at, sizeof(*at)) ||
	    getsockname(fd, (void *)at, &len))
		die("a TCP socket: %s", strerror(errno));
	return fd;
}

static inline int tcp_listening(struct sockaddr_in *at)
{
	int fd = tcp_bound(at);

	if (listen(fd, 1))
		die("listen: %s", strerror(errno));
	return fd;
}

/* Both ends of a connection; small messages go out at once. */
static inline void tcp_ends(int fd[2][2], int ours, int theirs)
{
	int sv[2] = { ours, theirs }, side, on = 1;

	for (side = 0; side < 2; side++) {
		setsockopt(sv[side], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		fd[side][0] = sv[side];
		fd[side][1] = sv[side];
	}
}

#endif /* WEIR_BENCH_TCP_PAIR_H */
