// SPDX-License-Identifier: GPL-2.0
/* A connected pair of AF_UNIX SOCK_SEQPACKET sockets. */
#include <errno.h>
#include <sys/socket.h>

#include "bench.h"

#define LINK		link_seqpacket
#define LINK_NAME	"seqpacket"
#define LINK_WHAT	"AF_UNIX SOCK_SEQPACKET, sleeping"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(1 * MIB)

static int fd_pair(int fd[2][2], const struct job *job)
{
	int sv[2], i, bytes = (int)(4 * job->len);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv))
		return -errno;
	for (i = 0; i < 2; i++) {
		/* long messages need a larger buffer than the default */
		if (job->len > 32 * KIB)
			setsockopt(sv[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
				   sizeof(bytes));
		fd[i][0] = sv[i];
		fd[i][1] = sv[i];
	}
	return 0;
}

#include "fd_end.h"
