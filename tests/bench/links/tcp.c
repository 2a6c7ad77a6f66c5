// SPDX-License-Identifier: GPL-2.0
/* A TCP connection over loopback. */
#include "loopback.h"

#define LINK		BATCHED(link_tcp)
#define LINK_NAME	BATCHED_NAME("tcp")
#define LINK_WHAT	"TCP over loopback, TCP_NODELAY, read() and write(), sleeping" BATCHED_STREAM
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(1 * MIB)

static int fd_pair(int fd[2][2], const struct job *job)
{
	struct sockaddr_in at;
	int listener = tcp_listening(&at);
	int ours = socket(AF_INET, SOCK_STREAM, 0);

	(void)job;
	if (ours < 0 || connect(ours, (void *)&at, sizeof(at)))
		die("connect: %s", strerror(errno));
	tcp_ends(fd, ours, listener);
	return 0;
}

#include "fd_end.h"
