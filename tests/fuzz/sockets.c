// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of an ordinary socket: making, naming and connecting, messages,
 * poll and its kin.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define PAYLOAD_MAX	(1U << 20)

int fuzz_family(void)
{
	static int family;
	FILE *f;

	if (family)
		return family;
	f = fopen("/sys/module/weir/parameters/family", "r");
	if (!f || fscanf(f, "%d", &family) != 1)
		family = -1;
	if (f)
		fclose(f);
	return family;
}

void slot_put(struct state *s, uint64_t arg, int fd)
{
	int *slot = &s->fd[arg % FUZZ_SLOTS];

	if (fd < 0)
		return;
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

size_t address_of(struct sockaddr_weir *addr, uint64_t path)
{
	const char *name = path_of(path);
	size_t len = strlen(name);

	memset(addr, 0, sizeof(*addr));
	addr->sw_family = (__kernel_sa_family_t)fuzz_family();
	if (len >= sizeof(addr->sw_path))
		len = sizeof(addr->sw_path) - 1;
	memcpy(addr->sw_path, name, len);
	return offsetof(struct sockaddr_weir, sw_path) + len;
}

/* Bytes to send or to receive into; each process has them once. */
unsigned char *payload(struct state *s, size_t len)
{
	static unsigned char *bytes;
	size_t i;

	if (!bytes)
		bytes = calloc(1, PAYLOAD_MAX);
	if (!bytes || len > PAYLOAD_MAX)
		return NULL;
	for (i = 0; i < len && i < 64; i++)
		bytes[i] = (unsigned char)rng_next(&s->rng);
	return bytes;
}

static size_t length_of(uint64_t arg)
{
	return arg > PAYLOAD_MAX ? PAYLOAD_MAX : arg;
}

/* --- making and naming ---------------------------------------------------- */

static void run_socket(struct state *s, const uint64_t *a)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_RDM, SOCK_DGRAM };
	int type = a[1] < 3 ? types[a[1]] : (int)a[1];
	int flags = a[2] & 1 ? SOCK_NONBLOCK : 0;

	slot_put(s, a[0], socket(fuzz_family(), type | flags, (int)a[3]));
}

static void run_bind(struct state *s, const uint64_t *a)
{
	struct sockaddr_weir addr;
	size_t len = address_of(&addr, a[1]);

	if (a[2] & 0x80)
		len = a[2];
	if (bind(slot_fd(s, a[0]), (void *)&addr, (socklen_t)len))
		return;
}

static void run_connect(struct state *s, const uint64_t *a)
{
	struct sockaddr_weir addr;
	size_t len = address_of(&addr, a[1]);

	if (a[2] & 0x80)
		addr.sw_family = (__kernel_sa_family_t)a[2];
	if (connect(slot_fd(s, a[0]), (void *)&addr, (socklen_t)len))
		return;
}

static void run_listen(struct state *s, const uint64_t *a)
{
	listen(slot_fd(s, a[0]), (int)a[1]);
}

static void run_accept(struct state *s, const uint64_t *a)
{
	struct sockaddr_weir addr;
	socklen_t len = sizeof(addr);

	slot_put(s, a[1], accept4(slot_fd(s, a[0]), (void *)&addr, &len,
				  a[2] & 1 ? SOCK_NONBLOCK : 0));
}

static void run_socketpair(struct state *s, const uint64_t *a)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_RDM, SOCK_DGRAM };
	int pair[2];

	if (socketpair(fuzz_family(), types[a[2] % 3], 0, pair))
		return;
	slot_put(s, a[0], pair[0]);
	slot_put(s, a[1], pair[1]);
}

static void run_shutdown(struct state *s, const uint64_t *a)
{
	shutdown(slot_fd(s, a[0]), (int)a[1]);
}

static void run_names(struct state *s, const uint64_t *a)
{
	struct sockaddr_weir addr;
	socklen_t len = a[2] & 1 ? (socklen_t)a[2] : sizeof(addr);

	if (a[1] & 1)
		getpeername(slot_fd(s, a[0]), (void *)&addr, &len);
	else
		getsockname(slot_fd(s, a[0]), (void *)&addr, &len);
}

/* --- messages ------------------------------------------------------------- */

static void run_send(struct state *s, const uint64_t *a)
{
	size_t len = length_of(a[1]);

	send(slot_fd(s, a[0]), payload(s, len), len, (int)a[2] | MSG_NOSIGNAL);
}

static void run_sendto(struct state *s, const uint64_t *a)
{
	size_t len = length_of(a[2]);
	struct sockaddr_weir addr;
	size_t n = address_of(&addr, a[1]);

	sendto(slot_fd(s, a[0]), payload(s, len), len, (int)a[3] | MSG_NOSIGNAL,
	       (void *)&addr, (socklen_t)n);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* A request with all that can be said of it: a deadline, a key. */
static void scm_request(struct weir_scm_route *scm, const uint64_t *a)
{
	memset(scm, 0, sizeof(*scm));
	scm->kind = a[4] & 1 ? WEIR_KIND_EVENT : WEIR_KIND_REQUEST;
	scm->flags = (uint32_t)a[3];
	scm->tag = (uint32_t)a[4];
	scm->key = (uint32_t)(a[4] >> 4);
	if (a[5])
		scm->deadline_ns = now_ns() + a[5];
	if (a[4] & 4)
		scm->dup = 1 + (a[4] >> 8) % 4;
}

/* Seven parameters: what sendmsg() takes apart from its structure. */
static void send_scm(int fd, struct sockaddr_weir *addr, size_t addr_len,
		     const struct weir_scm_route *scm, void *data, size_t len,
		     int flags)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(*scm))];
	} u = { 0 };
	struct iovec iov = { data, len };
	struct msghdr msg = {
		.msg_name = addr, .msg_namelen = (socklen_t)addr_len,
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &u, .msg_controllen = sizeof(u),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_WEIR;
	c->cmsg_type = WEIR_SCM_ROUTE;
	c->cmsg_len = CMSG_LEN(sizeof(*scm));
	memcpy(CMSG_DATA(c), scm, sizeof(*scm));
	sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
}

static void run_request(struct state *s, const uint64_t *a)
{
	size_t len = length_of(a[2]);
	struct sockaddr_weir addr;
	size_t n = address_of(&addr, a[1]);
	struct weir_scm_route scm;

	scm_request(&scm, a);
	send_scm(slot_fd(s, a[0]), &addr, n, &scm, payload(s, len), len,
		 MSG_DONTWAIT);
}

/* Answers a request that was received; or one that never came. */
static void run_reply(struct state *s, const uint64_t *a)
{
	size_t len = length_of(a[1]);
	struct weir_scm_route scm = {
		.kind = a[2] & 0x80 ? WEIR_KIND_ERROR : WEIR_KIND_REPLY,
		.flags = (uint32_t)a[2] & 0x7f,
	};
	unsigned int i = (unsigned int)a[3] % FUZZ_ASKED;

	scm.route = a[3] > 63 ? (uint32_t)a[3] : s->asked[i].route;
	scm.tag = s->asked[i].tag;
	send_scm(slot_fd(s, a[0]), NULL, 0, &scm, payload(s, len), len,
		 MSG_DONTWAIT);
}

static void run_recv(struct state *s, const uint64_t *a)
{
	size_t len = length_of(a[1]);

	recv(slot_fd(s, a[0]), payload(s, len), len, (int)a[2]);
}

static void run_recvmsg(struct state *s, const uint64_t *a)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct weir_scm_route))];
	} u = { 0 };
	size_t len = length_of(a[1]);
	struct sockaddr_weir from;
	struct iovec iov = { payload(s, len), len };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &u,
		.msg_controllen = a[3] & 1 ? a[3] % sizeof(u) : sizeof(u),
	};
	struct weir_scm_route scm;
	struct cmsghdr *c;

	if (recvmsg(slot_fd(s, a[0]), &msg, (int)a[2]) < 0)
		return;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_level != SOL_WEIR ||
	    c->cmsg_len < CMSG_LEN(sizeof(scm)))
		return;
	memcpy(&scm, CMSG_DATA(c), sizeof(scm));
	if (scm.kind != WEIR_KIND_REQUEST)
		return;
	s->asked[s->nasked % FUZZ_ASKED].route = scm.route;
	s->asked[s->nasked % FUZZ_ASKED].tag = scm.tag;
	s->nasked++;
}

/* A buffer of which only the first page can be read or written. */
static void run_bad_buffer(struct state *s, const uint64_t *a)
{
	unsigned char *page = payload(s, 0);
	void *bad = a[1] & 1 ? (void *)0x10 : (void *)-4096L;
	struct iovec iov[2] = { { page, (size_t)a[2] % 4096 }, { bad, 4096 } };

	if (a[1] & 2) {
		if (writev(slot_fd(s, a[0]), iov, 2) < 0)
			return;
	} else if (readv(slot_fd(s, a[0]), iov, 2) < 0) {
		return;
	}
}

/* --- waiting -------------------------------------------------------------- */

static void run_poll(struct state *s, const uint64_t *a)
{
	struct pollfd p[FUZZ_SLOTS];
	unsigned int i;

	for (i = 0; i < FUZZ_SLOTS; i++) {
		p[i].fd = s->fd[i];
		p[i].events = (short)(a[0] & 0x7fff);
	}
	poll(p, FUZZ_SLOTS, (int)(a[1] % 4));
}

static void run_select(struct state *s, const uint64_t *a)
{
	struct timeval tv = { 0, (suseconds_t)(a[1] % 2000) };
	int fd = slot_fd(s, a[0]);
	fd_set in, out;

	if (fd < 0 || fd >= FD_SETSIZE)
		return;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd, &in);
	FD_SET(fd, &out);
	select(fd + 1, &in, &out, NULL, &tv);
}

/* Into a slot, too: an epoll descriptor is one to be passed and closed. */
static void run_epoll(struct state *s, const uint64_t *a)
{
	struct epoll_event event = {
		.events = (uint32_t)a[2] | (a[2] & 1 ? (uint32_t)EPOLLET : 0),
	};
	int ep = slot_fd(s, a[0]);

	if (ep < 0 || a[3] & 1) {
		ep = epoll_create1(EPOLL_CLOEXEC);
		slot_put(s, a[0], ep);
	}
	epoll_ctl(ep, a[3] & 2 ? EPOLL_CTL_DEL : EPOLL_CTL_ADD,
		  slot_fd(s, a[1]), &event);
	epoll_wait(ep, &event, 1, (int)(a[3] >> 2 & 3));
}

static const struct call calls[] = {
	{ "socket", 8, { KIND_SLOT, KIND_TYPE, KIND_SMALL }, run_socket },
	{ "bind", 10, { KIND_SLOT, KIND_PATH, KIND_SMALL }, run_bind },
	{ "connect", 10, { KIND_SLOT, KIND_PATH, KIND_SMALL }, run_connect },
	{ "listen", 4, { KIND_SLOT, KIND_INT }, run_listen },
	{ "accept", 4, { KIND_SLOT, KIND_SLOT, KIND_SMALL }, run_accept },
	{ "socketpair", 3, { KIND_SLOT, KIND_SLOT, KIND_TYPE }, run_socketpair },
	{ "shutdown", 3, { KIND_SLOT, KIND_SMALL }, run_shutdown },
	{ "names", 2, { KIND_SLOT, KIND_SMALL, KIND_SMALL }, run_names },
	{ "send", 8, { KIND_SLOT, KIND_LEN, KIND_MSG }, run_send },
	{ "sendto", 6, { KIND_SLOT, KIND_PATH, KIND_LEN, KIND_MSG }, run_sendto },
	{ "request", 10, { KIND_SLOT, KIND_PATH, KIND_LEN, KIND_FLAGS,
			   KIND_BITS, KIND_NS }, run_request },
	{ "reply", 8, { KIND_SLOT, KIND_LEN, KIND_FLAGS, KIND_SMALL }, run_reply },
	{ "recv", 6, { KIND_SLOT, KIND_LEN, KIND_MSG }, run_recv },
	{ "recvmsg", 8, { KIND_SLOT, KIND_LEN, KIND_MSG, KIND_SMALL }, run_recvmsg },
	{ "bad_buffer", 2, { KIND_SLOT, KIND_SMALL, KIND_INT }, run_bad_buffer },
	{ "poll", 4, { KIND_FLAGS, KIND_SMALL }, run_poll },
	{ "select", 1, { KIND_SLOT, KIND_INT }, run_select },
	{ "epoll", 3, { KIND_SLOT, KIND_SLOT, KIND_FLAGS, KIND_SMALL }, run_epoll },
};

const struct call_table socket_calls = { calls, ARRAY_SIZE(calls) };
