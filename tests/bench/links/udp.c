// SPDX-License-Identifier: GPL-2.0
/*
 * Two connected UDP sockets on loopback. A datagram that finds the receiver's
 * buffer full is lost, so throughput is measured with a window, within what the
 * buffer holds. That costs it a load.
 */
#include "loopback.h"

#define LINK		BATCHED(link_udp)
#define LINK_NAME	BATCHED_NAME("udp")
#define LINK_WHAT	"UDP on loopback, connected, receive buffer of 8 MiB, at most 64 datagrams on the way, sleeping" BATCHED_MMSG
#define LINK_MODULE	false
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(60 * KIB)
#define FD_WINDOW	64
#define FD_SHARED	1
#define FD_DATAGRAMS	1

#define BUFFER_BYTES	(8 * MIB)

static int fd_pair(int fd[2][2], const struct job *job)
{
	struct sockaddr_in at[2];
	int side, bytes = BUFFER_BYTES;

	(void)job;
	for (side = 0; side < 2; side++) {
		fd[side][0] = loopback_bound(SOCK_DGRAM, &at[side]);
		fd[side][1] = fd[side][0];
		setsockopt(fd[side][0], SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
			   sizeof(bytes));
	}
	for (side = 0; side < 2; side++) {
		if (connect(fd[side][0], (void *)&at[!side], sizeof(at[0])))
			return -errno;
	}
	return 0;
}

#include "fd_end.h"
