// SPDX-License-Identifier: GPL-2.0
/* Two pipes. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"

#define LINK		BATCHED(link_pipe)
#define LINK_NAME	BATCHED_NAME("pipe")
#define LINK_WHAT	"two pipes with as much room as the rings (F_SETPIPE_SZ), sleeping" BATCHED_STREAM
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(1 * MIB)
#define FD_SHARED	1

static int fd_pair(int fd[2][2], const struct job *job)
{
	int there[2], back[2], size = (int)job->ring_bytes;

	if (pipe(there) || pipe(back))
		return -errno;
	/* as much room as the others have; what is refused stays as it is */
	fcntl(there[1], F_SETPIPE_SZ, size);
	fcntl(back[1], F_SETPIPE_SZ, size);
	fd[0][0] = back[0];
	fd[0][1] = there[1];
	fd[1][0] = there[0];
	fd[1][1] = back[1];
	return 0;
}

#include "fd_end.h"
