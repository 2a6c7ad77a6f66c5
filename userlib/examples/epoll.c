// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * An event loop over several sockets: epoll PATTERN... prints the lengths of the
 * messages that are published under any of the patterns. The descriptors are
 * level-triggered: epoll_wait() arms their wake-ups when it finds them empty, and
 * while the program reads, no publisher makes a system call for it. With EPOLLET
 * each message is one.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <weir.h>

#define MOST	16

/* Reads until the socket is empty. */
static int drain(struct weir *w)
{
	struct weir_msg msg;
	int ret;

	for (;;) {
		ret = weir_peek(w, &msg);
		if (ret == 1) {
			printf("%s: %u bytes\n", weir_stream_path(msg.stream),
			       msg.len);
			weir_release(w, &msg);
		} else if (ret == -ESTALE || ret == -EPROTO) {
			printf("%s: lost\n", weir_stream_path(msg.stream));
		} else {
			return ret;
		}
	}
}

static int follow(int epfd, const char *pattern)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct weir_config config = { .flags = WEIR_NONBLOCK };
	struct weir *w;
	int err;

	err = weir_open(&w, SOCK_RDM, &config);
	if (err)
		return err;
	err = weir_subscribe(w, pattern);
	if (!err) {
		event.data.ptr = w;
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, weir_fd(w), &event))
			err = -errno;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct epoll_event events[MOST];
	int epfd, err = 0, i, n;

	if (argc < 2) {
		fprintf(stderr, "usage: epoll PATTERN...\n");
		return 2;
	}
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0) {
		perror("epoll: epoll_create1");
		return 1;
	}
	for (i = 1; !err && i < argc; i++)
		err = follow(epfd, argv[i]);
	while (!err) {
		fflush(stdout);
		n = epoll_wait(epfd, events, MOST, -1);
		if (n < 0)
			err = -errno;
		for (i = 0; !err && i < n; i++)
			err = drain(events[i].data.ptr);
	}
	fprintf(stderr, "epoll: %s\n",
		err == -EINTR ? "interrupted" : weir_error());
	return 1;
}
