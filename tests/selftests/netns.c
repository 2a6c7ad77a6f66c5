// SPDX-License-Identifier: GPL-2.0
/*
 * Names belong to the network namespace: the same path in two of them is two
 * paths, and nothing crosses over, but for descriptors that are handed over. A
 * namespace that goes takes with it what lingers and what is held by name; a
 * socket or a mapping that outlives its process keeps what it needs. Namespaces
 * end, several at once, while what was left in them expires.
 */
#include <sched.h>
#include <uapi/weir_route.h>

#include "selftest.h"

#define AT_ONCE	4	/* namespaces that race */

static int put(int fd, const char *words)
{
	return send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int lingerer(const char *path, int ms)
{
	int fd = tap_socket(SOCK_RDM);

	tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
	tap_setopt(fd, WEIR_SO_LINGER_MS, ms);
	return tap_bind(fd, path) ? -1 : fd;
}

static int named(const char *path, const char *name, int ms)
{
	int fd = tap_socket(SOCK_RDM);

	setsockopt(fd, SOL_WEIR, WEIR_SO_NAME, name, strlen(name));
	tap_setopt(fd, WEIR_SO_HOLD_MS, ms);
	return tap_connect(fd, path) ? -1 : fd;
}

static long namespaces;

static pid_t begin_inside(int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	namespaces++;
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(TAP_SKIP);
		_exit(fn(arg));
	}
	return pid;
}

/* Runs in a new namespace; exit status. */
static int inside(int (*fn)(void *arg), void *arg)
{
	return tap_wait(begin_inside(fn, arg));
}

static int separate(void *arg)
{
	int p, s, c, *outer = arg;
	char buf[8];

	c = tap_socket(SOCK_SEQPACKET);
	if (tap_connect(c, "/ns/listener") != -1 || errno != ECONNREFUSED)
		return 1;
	s = tap_subscriber(SOCK_RDM, "/**");
	if (tap_info(s).streams)
		return 2;
	/* the same names again */
	p = tap_publisher(SOCK_RDM, "/ns/pub", 4096);
	if (tap_info(s).streams != 1)
		return 3;
	if (put(p, "inner") != 5 || recv(s, buf, 8, MSG_DONTWAIT) != 5 ||
	    memcmp(buf, "inner", 5))
		return 4;
	if (tap_bind(tap_socket(SOCK_SEQPACKET), "/ns/listener"))
		return 5;
	/* a descriptor from outside is a socket of outside */
	if (put(*outer, "outer") != 5)
		return 6;
	if (recv(s, buf, 8, MSG_DONTWAIT) != -1 || errno != EAGAIN)
		return 7;
	return 0;
}

static void names(void)
{
	int p = tap_publisher(SOCK_RDM, "/ns/pub", 4096), got;
	int s = tap_subscriber(SOCK_RDM, "/ns/**"), l;
	char buf[8] = "";

	l = tap_socket(SOCK_SEQPACKET);
	if (tap_bind(l, "/ns/listener") || listen(l, 1))
		tap_bail("listen");
	got = inside(separate, &p);
	if (got == TAP_SKIP)
		tap_skip_all("no network namespaces");
	tap_is(got, 0, "names of two namespaces are separate");
	tap_is(recv(s, buf, 8, MSG_DONTWAIT), 5, "outside hears outside");
	tap_ok(!memcmp(buf, "outer", 5), "and not what was said inside");
	tap_fails(recv(s, buf, 8, MSG_DONTWAIT), EAGAIN, "nothing else");
	tap_is(tap_info(s).streams, 1, "no stream of the other namespace");
	close(l);
	close(s);
	close(p);
}

static int leave_things(void *arg)
{
	int p, q, s, i;
	char path[32];

	(void)arg;
	for (i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/ns/left/%d", i);
		p = lingerer(path, 1000000);
		s = named(path, "keeper", 1000000);
		if (p < 0 || s < 0 || put(p, "unread") != 6)
			return 1;
		close(p);
		close(s);
	}
	/* a live one of each as well, closed by exit */
	q = lingerer("/ns/left/live", 1000000);
	s = named("/ns/left/*", "all", 1000000);
	if (q < 0 || s < 0 || tap_info(s).streams != 11)
		return 2;
	return tap_stat("stats/rings") >= 11 ? 0 : 3;
}

static void leaving(void)
{
	long long drops = tap_stat("drops/netns");

	tap_is(inside(leave_things, NULL), 0,
	       "a namespace ends with lingering streams and held cursors");
	tap_ok(tap_until(!tap_stat("stats/rings")), "its rings are freed");
	tap_ok(tap_until(!tap_stat("stats/readers")), "its cursors are freed");
	tap_ok(tap_until(!tap_stat("stats/sockets")), "its sockets are freed");
	tap_is(tap_stat("stats/ring_bytes"), 0, "its memory is given back");
	tap_ok(tap_until(tap_stat("drops/netns") - drops == 11),
	       "each stream is counted in drops/netns");
}

/* A socket that is the last thing to hold a namespace. */
static int give_away(void *arg)
{
	int *un = arg, fd = lingerer("/ns/given", 1000000);
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	return sendmsg(un[1], &msg, 0) != 1;
}

static void outliving(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct weir_ioc_map map = { .size = sizeof(map) };
	struct weir_status *status;
	int un[2], fd = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, un))
		tap_bail("socketpair");
	tap_is(inside(give_away, un), 0, "a socket leaves its namespace");
	if (recvmsg(un[0], &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		tap_bail("SCM_RIGHTS");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	tap_is(put(fd, "still here"), 10, "it works when its process is gone");
	tap_call(ioctl(fd, WEIR_IOC_MAP, &map), "WEIR_IOC_MAP");
	status = mmap(NULL, map.length[WEIR_MAP_VIEW], PROT_READ, MAP_SHARED,
		      fd, map.offset[WEIR_MAP_VIEW]);
	if (!tap_ok(status != MAP_FAILED, "map it"))
		return;
	tap_is(status->state, WEIR_STATE_OPEN, "its stream is open");
	munmap(status, map.length[WEIR_MAP_VIEW]);
	close(fd);
	tap_ok(tap_until(!tap_stat("stats/rings")),
	       "with it the namespace and the lingering stream go");
	close(un[0]);
	close(un[1]);
}

static int leave_one(void *arg)
{
	return lingerer("/ns/quick", *(int *)arg) < 0;
}

/* Both ends of a pair, one that nobody has accepted, and a message. */
static int leave_pairs(void)
{
	int l = tap_socket(SOCK_SEQPACKET), a = tap_socket(SOCK_SEQPACKET);
	int b = tap_socket(SOCK_SEQPACKET);

	if (tap_bind(l, "/ns/pairs") || listen(l, 4) ||
	    tap_connect(a, "/ns/pairs") || tap_connect(b, "/ns/pairs"))
		return 11;
	if (accept4(l, NULL, NULL, SOCK_CLOEXEC) < 0)
		return 12;
	return put(a, "unread") == 6 ? 0 : 13;
}

/* Requests that nobody has answered. What is set for a path stays with it. */
static int leave_requests(void)
{
	static const char path[] = "/ns/service";
	struct weir_route_op op = {
		.op = WEIR_OP_ROUTE_SET, .conf.timeout_ns = 20000000,
	};
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(op), .count = 1,
		.ops = (uintptr_t)&op,
	};
	int s = tap_socket(SOCK_RDM), c = tap_socket(SOCK_RDM), i;
	struct sockaddr_weir addr;
	socklen_t len = tap_addr(&addr, path);

	strcpy(op.path, path);
	if (setsockopt(s, SOL_WEIR, WEIR_SO_SERVE, path, strlen(path)) ||
	    ioctl(c, WEIR_IOC_CONTROL, &ctl))
		return 14;
	for (i = 0; i < 10; i++) {
		if (sendto(c, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&addr,
			   len) != 1)
			return 15;
	}
	return 0;
}

/* Somebody else has them as well, for a moment longer. */
static int leave_heir(int ms)
{
	pid_t pid = fork();

	if (!pid) {
		usleep((useconds_t)(rand() % (ms * 1000)));
		_exit(0);
	}
	return pid < 0 ? 16 : 0;
}

/*
 * Leaves things behind, some of them each time: what lingers and is held for
 * @arg ms at most. Now and then it dies half way.
 */
static int leave_some(void *arg)
{
	int most = *(int *)arg, ret = 0, what = rand();

	signal(SIGALRM, SIG_DFL);
	if (what % 4 == 0)
		ualarm(1 + (useconds_t)(rand() % (most * 1000)), 0);
	if (what & 4 && lingerer("/ns/quick", 1 + rand() % most) < 0)
		return 10;
	if (what & 8 && named("/ns/*", "keeper", 1 + rand() % most) < 0)
		return 17;
	if (what & 16)
		ret = leave_pairs();
	if (!ret && what & 32)
		ret = leave_requests();
	if (!ret && what & 64)
		ret = leave_heir(most);
	return ret;
}

/*
 * Expiry and the end of the namespace meet: streams linger and cursors are held
 * about as long as it takes until the end comes to them. Several namespaces are
 * there at once, so that they end together, and while others begin.
 */
static void race(void)
{
	long n = tap_scale(100, 5), i, bad = 0;
	int ms = 1000000, took, alive = 0, status;
	uint64_t start = tap_now_ms();

	srand((unsigned int)tap_seed());
	for (i = 0; i < 3; i++) {
		bad += inside(leave_one, &ms) != 0;
		tap_until(!tap_stat("stats/rings"));
	}
	took = (int)((tap_now_ms() - start) / 3) + 1;
	if (took > 500)
		took = 500;
	for (i = 0; i < n || alive; alive--) {
		for (; i < n && alive < AT_ONCE; i++, alive++) {
			srand((unsigned int)(tap_seed() << 20 | (unsigned long)i));
			begin_inside(leave_some, &took);
		}
		if (wait(&status) < 0)
			tap_bail("wait");
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
			continue;
		bad += !WIFEXITED(status) || WEXITSTATUS(status);
	}
	tap_is(bad, 0, "namespaces end while streams expire");
	tap_diag("%ld namespaces, streams that linger up to %d ms", n, took);
	tap_ok(tap_until(!tap_stat("stats/rings")), "all rings are freed");
}

int main(void)
{
	tap_begin_as_root(300);
	if (tap_stat("stats/rings"))
		tap_skip_all("somebody else uses weir");
	names();
	leaving();
	outliving();
	race();
	tap_ok(tap_until(!tap_stat("stats/ring_bytes") &&
			 !tap_stat("stats/sockets") &&
			 !tap_stat("stats/readers")), "nothing is left");
	tap_diag("%ld namespaces", namespaces);
	return tap_done();
}
