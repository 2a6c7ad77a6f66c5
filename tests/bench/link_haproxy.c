// SPDX-License-Identifier: GPL-2.0
/*
 * A user-space proxy between two sides: haproxy in TCP mode over loopback, one
 * thread. Only beside the router, which it is there to be compared with.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tcp_pair.h"

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
	int listener, ours, theirs;
	size_t i;

	(void)job;
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (!program && !access(programs[i], X_OK))
			program = programs[i];
	}
	if (!program || proxy)
		return -ENOENT;
	listener = tcp_listening(&back);
	/* its number is free again when it is closed */
	close(tcp_bound(&front));
	fflush(NULL);
	proxy = fork();
	if (proxy < 0)
		die("fork: %s", strerror(errno));
	if (!proxy)
		proxy_run(program, ntohs(front.sin_port), ntohs(back.sin_port));
	ours = tcp_connect(&front);
	if (ours < 0) {
		close(listener);
		fd_unpair();
		return -ENOEXEC;
	}
	theirs = accept(listener, NULL, NULL);
	if (theirs < 0)
		die("accept: %s", strerror(errno));
	close(listener);
	tcp_ends(fd, ours, theirs);
	return 0;
}

#include "fd_end.h"
