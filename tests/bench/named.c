// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets with names: weir's paths, abstract names of AF_UNIX, ports of UDP and
 * TCP, service addresses of TIPC. Made by number, so that measurements can have
 * as many as they want; only the system call that names, or those that join,
 * are timed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tipc.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir.h>

#include "named.h"

#define FIRST_PORT	10000	/* below those that the kernel gives out */
#define FIRST_SERVICE	70000

static socklen_t weir_address(struct sockaddr_storage *to, unsigned int i)
{
	struct sockaddr_weir *at = (void *)to;

	at->sw_family = (unsigned short)weir_family();
	snprintf(at->sw_path, sizeof(at->sw_path), "/bench/path/%u/%u",
		 i / 100, i);
	return sizeof(*at);
}

static socklen_t unix_address(struct sockaddr_storage *to, unsigned int i)
{
	struct sockaddr_un *at = (void *)to;
	int len;

	at->sun_family = AF_UNIX;
	len = snprintf(at->sun_path + 1, sizeof(at->sun_path) - 1,
		       "weir-bench/%d/path/%u/%u", (int)getpid(), i / 100, i);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)len);
}

static socklen_t inet_address(struct sockaddr_storage *to, unsigned int i)
{
	struct sockaddr_in *at = (void *)to;

	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at->sin_port = htons((uint16_t)(FIRST_PORT + i));
	return sizeof(*at);
}

static socklen_t tipc_address(struct sockaddr_storage *to, unsigned int i)
{
	struct sockaddr_tipc *at = (void *)to;

	at->family = AF_TIPC;
	at->addrtype = TIPC_SERVICE_ADDR;
	at->scope = TIPC_NODE_SCOPE;
	at->addr.name.name.type = FIRST_SERVICE + i / 100;
	at->addr.name.name.instance = i;
	return sizeof(*at);
}

const struct named named[NAMED] = {
	{ "weir", &link_weir, &link_weir_wait, AF_UNSPEC, SOCK_RDM,
	  SOCK_SEQPACKET, true, weir_address },
	{ "seqpacket", &link_seqpacket, &link_seqpacket, AF_UNIX,
	  SOCK_SEQPACKET, SOCK_SEQPACKET, true, unix_address },
	{ "udp", &link_udp, &link_udp, AF_INET, SOCK_DGRAM, SOCK_DGRAM, false,
	  inet_address },
	{ "tcp", &link_tcp, &link_tcp, AF_INET, SOCK_STREAM, SOCK_STREAM, true,
	  inet_address },
	{ "tipc", &link_tipc, &link_tipc, AF_TIPC, SOCK_SEQPACKET,
	  SOCK_SEQPACKET, true, tipc_address },
};

/* Does the machine have it? Its contestant loads what is not loaded yet. */
bool named_works(const struct named *kind)
{
	struct job *job = job_new();
	int err;

	if (kind->rtt->module && options.mode == MODE_NATIVE)
		return false;
	job->len = 32;
	job->ring_bytes = 64 * KIB;
	err = kind->rtt->open(job);
	if (err)
		say("%s: %s", kind->who, strerror(-err));
	else
		kind->rtt->close();
	return !err;
}

/* One without a name, as it is from the start; -1 after words. */
int named_open(const struct named *kind, int type)
{
	/* weir's number is read from a file: once */
	static int weir;
	int fd;

	if (!kind->family && weir <= 0)
		weir = weir_family();
	fd = socket(kind->family ? kind->family : weir, type, 0);
	if (fd < 0)
		say("%s: a socket: %s", kind->who, strerror(errno));
	return fd;
}

/* One without a name, with the least ring if it has any; -1 after words. */
int named_socket(const struct named *kind, int type)
{
	const struct linger none = { .l_onoff = 1 };
	int bytes = WEIR_RING_MIN, fd = named_open(kind, type), err = 0;

	if (fd < 0)
		return -1;
	if (!kind->family)
		err = setsockopt(fd, SOL_WEIR, WEIR_SO_RING_BYTES, &bytes,
				 sizeof(bytes));
	else if (type == SOCK_STREAM)
		/* a connection of TCP is to be gone when it is closed */
		err = setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	if (err) {
		say("%s: an option: %s", kind->who, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* A socket with name number @i; -1 after words. @took: out: ns of bind(). */
int named_bind(const struct named *kind, int type, unsigned int i,
	       uint64_t *took)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = kind->address(&at, i);
	int fd = named_socket(kind, type);
	uint64_t start;

	if (fd < 0)
		return -1;
	start = now_ns();
	if (bind(fd, (void *)&at, len)) {
		say("%s: name number %u: %s", kind->who, i, strerror(errno));
		close(fd);
		return -1;
	}
	*took = now_ns() - start;
	return fd;
}

/* A socket with name number @i that others can connect to; -1 after words. */
int named_listen(const struct named *kind, unsigned int i)
{
	uint64_t took;
	int fd = named_bind(kind, kind->listener, i, &took);

	if (fd >= 0 && kind->accepts && listen(fd, 1)) {
		say("%s: listen: %s", kind->who, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Connects to name number @i, which @listener has. @fd: out: the socket that
 * has connected, and the one that was accepted, or -1. @took: out: ns of
 * connect(), and accept() if that has to be. -1 after words.
 */
int named_connect(const struct named *kind, unsigned int i, int listener,
		  int fd[2], uint64_t *took)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = kind->address(&at, i);
	uint64_t start;

	fd[1] = -1;
	/* TIPC's connect() would wait for the accept() */
	fd[0] = named_socket(kind, kind->listener |
			     (kind->family == AF_TIPC ? SOCK_NONBLOCK : 0));
	if (fd[0] < 0)
		return -1;
	start = now_ns();
	if ((!connect(fd[0], (void *)&at, len) || errno == EINPROGRESS) &&
	    (!kind->accepts || (fd[1] = accept(listener, NULL, NULL)) >= 0)) {
		*took = now_ns() - start;
		return 0;
	}
	say("%s: connecting to number %u: %s", kind->who, i, strerror(errno));
	close(fd[0]);
	return -1;
}
