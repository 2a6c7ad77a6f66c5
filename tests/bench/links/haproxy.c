// SPDX-License-Identifier: GPL-2.0
/*
 * A user-space proxy between two sides: haproxy in TCP mode over loopback, one
 * thread. Only beside the router, which it is there to be compared with.
 */
#include <stdio.h>
#include <unistd.h>

#include "loopback.h"

#define LINK		link_haproxy
#define LINK_NAME	"haproxy"
#define LINK_WHAT	"haproxy as a proxy between two TCP connections on loopback (mode tcp, one thread, TCP_NODELAY), all sleeping"
#define LINK_NEEDS	"no program haproxy, or it wants instructions that the emulated processor lacks"
#define LINK_MODULE	true
#define LINK_SLEEPS	true
#define LINK_HELPED	true
#define LINK_LEN_MAX	(16 * KIB)
#define FD_UNPAIR	1

static pid_t proxy;

static pid_t proxy_start(const char *program, unsigned int front,
			 unsigned int back)
{
	char text[512], config[32];
	const char *const args[] = { "haproxy", "-q", "-db", "-f", config, NULL };
	pid_t pid;
	int fd;

	snprintf(text, sizeof(text),
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
	fd = daemon_config(text, config, sizeof(config));
	pid = daemon_start(program, args);
	close(fd);
	return pid;
}

static void fd_unpair(void)
{
	if (!proxy)
		return;
	daemon_stop(proxy);
	proxy = 0;
}

static int fd_pair(int fd[2][2], const struct job *job)
{
	const char *program = program_find("haproxy");
	struct sockaddr_in front, back;
	int listener, ours;

	(void)job;
	if (!program || proxy)
		return -ENOENT;
	listener = tcp_listening(&back);
	/* its number is free again when it is closed */
	close(loopback_bound(SOCK_STREAM, &front));
	proxy = proxy_start(program, ntohs(front.sin_port),
			    ntohs(back.sin_port));
	ours = loopback_reached(proxy, &front);
	if (ours < 0) {
		close(listener);
		proxy = 0;
		return ours;
	}
	tcp_ends(fd, ours, listener);
	return 0;
}

#include "fd_end.h"
