// SPDX-License-Identifier: GPL-2.0
/* Two POSIX message queues. Their descriptors are files' on Linux. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

#define LINK		link_mq
#define LINK_NAME	"mq"
#define LINK_WHAT	"two POSIX message queues of up to 1024 messages, one priority, sleeping"
#define LINK_NEEDS	"queues of more than ten messages want CAP_SYS_RESOURCE"
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(1 * MIB)
#define FD_SHARED	1
#define FD_READ(fd, to, len)	((void)(len), mq_receive(fd, to, longest, NULL))
#define FD_WRITE(fd, from, len)	(mq_send(fd, from, len, 0) ? -1 : (ssize_t)(len))

#define QUEUE_MAX	1024	/* messages */

/* A reader must have room for the longest, whatever comes. */
static size_t longest;

/* Both ends of one; nobody else finds it. */
static int queue(int *in, int *out, const struct job *job)
{
	long room = (long)(job->ring_bytes / job->len);
	struct mq_attr attr = {
		.mq_maxmsg = room < QUEUE_MAX ? room : QUEUE_MAX,
		.mq_msgsize = (long)job->len,
	};
	char name[32];
	int err = 0;

	snprintf(name, sizeof(name), "/weir-bench-%d", (int)getpid());
	*in = mq_open(name, O_RDONLY | O_CREAT | O_EXCL, 0600, &attr);
	if (*in < 0)
		return errno == EINVAL ? -EPERM : -errno;
	*out = mq_open(name, O_WRONLY);
	if (*out < 0)
		err = -errno;
	mq_unlink(name);
	return err;
}

static int fd_pair(int fd[2][2], const struct job *job)
{
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	int err;

	longest = job->len;
	/* more than ten messages, or 8 KiB, want CAP_SYS_RESOURCE */
	setrlimit(RLIMIT_MSGQUEUE, &any);
	err = queue(&fd[1][0], &fd[0][1], job);
	return err ? err : queue(&fd[0][0], &fd[1][1], job);
}

#include "fd_end.h"
