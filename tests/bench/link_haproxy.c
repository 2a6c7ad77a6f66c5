// SPDX-License-Identifier: GPL-2.0
/*
 * A user-space proxy between two sides: haproxy in TCP mode over loopback, one
 * thread. Only beside the router, which it is there to be compared with.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define LINK		link_haproxy
#define LINK_NAME	"haproxy"
#define LINK_WHAT	"haproxy over TCP on loopback, all sleeping"
#define LINK_MODULE	true
#define LINK_SLEEPS	true
#define LINK_LEN_MAX	(16 * KIB)
#define FD_UNPAIR	1

#define PATIENCE_MS	20000

static const char *const programs[] = {
	"/usr/sbin/haproxy", "/bin/haproxy",
};

static pid_t proxy;

static int tcp_bound(struct sockaddr_in *at)
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

static _Noreturn void proxy_run(const char *program, unsigned int front,
				unsigned int back)
{
	int fd = memfd_create("haproxy.cfg", 0);
	char name[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0)
		_exit(1);
	dprintf(fd,
		"global\n"
		"\tnbthread 1\n"
		"\tmaxconn 16\n"
		"defaults\n"
		"\tmode tcp\n"
		"\ttimeout connect 10s\n"
		"\ttimeout client 1h\n"
		"\ttimeout server 1h\n"
		"listen bench\n"
		"\tbind 127.0.0.1:%u\n"
		"\tserver target 127.0.0.1:%u\n", front, back);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	execl(program, "haproxy", "-q", "-db", "-f", name, NULL);
	_exit(1);
}

/* Connects as soon as the proxy listens, unless it cannot run here. */
static int tcp_connect(const struct sockaddr_in *to)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	int fd, tries;

	for (tries = 0; tries < PATIENCE_MS / 10; tries++) {
		if (waitpid(proxy, NULL, WNOHANG)) {
			proxy = 0;
			break;
		}
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (const void *)to, sizeof(*to)))
			return fd;
		close(fd);
		nanosleep(&nap, NULL);
	}
	return -1;
}

static void fd_unpair(void)
{
	if (!proxy)
		return;
	kill(proxy, SIGKILL);
	waitpid(proxy, NULL, 0);
	proxy = 0;
}

static int fd_pair(int fd[2][2], const struct job *job)
{
	const char *program = NULL;
	struct sockaddr_in front, back;
	int listener, sv[2], side, on = 1;
	size_t i;

	(void)job;
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (!program && !access(programs[i], X_OK))
			program = programs[i];
	}
	if (!program || proxy)
		return -ENOENT;
	listener = tcp_bound(&back);
	/* its number is free again when it is closed */
	close(tcp_bound(&front));
	if (listen(listener, 1))
		die("listen: %s", strerror(errno));
	fflush(NULL);
	proxy = fork();
	if (proxy < 0)
		die("fork: %s", strerror(errno));
	if (!proxy)
		proxy_run(program, ntohs(front.sin_port), ntohs(back.sin_port));
	sv[0] = tcp_connect(&front);
	if (sv[0] < 0) {
		close(listener);
		fd_unpair();
		return -ENOEXEC;
	}
	sv[1] = accept(listener, NULL, NULL);
	if (sv[1] < 0)
		die("accept: %s", strerror(errno));
	close(listener);
	for (side = 0; side < 2; side++) {
		setsockopt(sv[side], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		fd[side][0] = sv[side];
		fd[side][1] = sv[side];
	}
	return 0;
}

#include "fd_end.h"
