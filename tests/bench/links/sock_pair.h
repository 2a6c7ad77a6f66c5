/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pair of connected sockets. The file that includes this defines
 * SOCK_FAMILY and SOCK_KIND, and SOCK_LOAD, a command, if the kernel does not
 * load the family by itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench.h"

static int sock_pair(int sv[2])
{
	int err = socketpair(SOCK_FAMILY, SOCK_KIND, 0, sv);

#ifdef SOCK_LOAD
	if (err && errno == EAFNOSUPPORT && !system(SOCK_LOAD))
		err = socketpair(SOCK_FAMILY, SOCK_KIND, 0, sv);
#endif
	return err;
}

static int fd_pair(int fd[2][2], const struct job *job)
{
	int sv[2], i, bytes = (int)(4 * job->len);

	if (sock_pair(sv))
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
