// SPDX-License-Identifier: GPL-2.0
/*
 * A ring full of aborted records, which are what a send from memory that cannot
 * be read leaves. The writer waits for their space, the reader passes them over:
 * it lets go of them and wakes the writer, although it has nothing to hand on.
 */
#include "selftest.h"

#define A_LOOK	64	/* records that the kernel looks at in one go */

static int writer(int fd)
{
	return send(fd, "after", 5, MSG_NOSIGNAL) != 5;
}

int main(void)
{
	struct timeval patience = { .tv_sec = TAP_DEADLINE_MS / 1000 };
	int pair[2], refused = 0;
	char buf[16] = "";
	pid_t pid;

	tap_watchdog(150);
	if (socketpair(tap_family(), SOCK_SEQPACKET, 0, pair))
		tap_bail("socketpair");
	/* a ring of the module's size: as many aborted records as it has room for */
	while (send(pair[0], (void *)8, 32, MSG_DONTWAIT) == -1 &&
	       errno == EFAULT)
		refused++;
	tap_ok(errno == EAGAIN && refused >= A_LOOK,
	       "aborted records fill the ring (%d)", refused);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(writer(pair[0]));
	tap_until_asleep(pid);
	setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	tap_is(recv(pair[1], buf, sizeof(buf), 0), 5,
	       "a message gets through when they are let go of");
	tap_ok(!memcmp(buf, "after", 5), "the one that waited for space");
	tap_is(tap_wait(pid), 0, "its sender goes on");
	return tap_done();
}
