// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlines and time namespaces. Callers and services have clocks of their own:
 * CLOCK_MONOTONIC is ahead in one namespace and behind in another. A deadline is
 * the same instant on all of them, by the library and by plain socket calls, for
 * small messages, for large ones and for several targets. Sockets are passed
 * from one namespace to another. Then the longest times to wait.
 */
#include "routed.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x80
#endif

#define AHEAD_S		100000
#define BEHIND_S	(-1)	/* the guest's clock may have begun seconds ago */
#define LEFT_NS		(30 * (int64_t)SECOND)
#define LARGE		(100 << 10)
#define MIB		(1 << 20)

static const char path[] = "/clocks/a";

/**
 * struct stage - what the processes of a case share
 * @ready: services that are there.
 * @left_ns: what a service saw left until the deadline, on its own clock.
 * @seen: requests that services have seen.
 * @services: how many are to see the request. What they have not seen is
 *	withdrawn when the caller ends.
 */
static struct stage {
	int ready;
	int64_t left_ns;
	int seen;
	int services;
} *stage;

/* --- processes in another time namespace ---------------------------------- */

/**
 * struct job - what a process does in its namespace
 * @ahead_s: what its clock is ahead of the test's, in seconds.
 * @run: the work; its result is the exit status.
 * @len: bytes of a request.
 * @fd: a socket that it is to use; -1: it makes its own.
 */
struct job {
	long ahead_s;
	int (*run)(struct job *job);
	size_t len;
	int fd;
};

static int in_namespace(void *arg)
{
	struct job *job = arg;

	/* the test's own limit is a time on the parent's clock */
	tap_watchdog_ms += (uint64_t)(job->ahead_s * 1000);
	return job->run(job);
}

/* A process comes into a namespace by birth alone. */
static int parent(void *arg)
{
	struct job *job = arg;
	char words[64];

	if (job->ahead_s) {
		if (unshare(CLONE_NEWTIME))
			return TAP_SKIP;
		snprintf(words, sizeof(words), "monotonic %ld 0", job->ahead_s);
		need(!tap_write_file("/proc/self/timens_offsets", words),
		     "offsets: %s", strerror(errno));
	}
	return tap_wait(spawn(in_namespace, job));
}

/* --- by the library --------------------------------------------------------- */

static int serve(struct job *job)
{
	struct weir *s = server_of(path, 1, MIB, NULL);
	struct weir_ticket ticket;
	struct weir_msg msg;

	(void)job;
	add(&stage->ready, 1);
	msg = next_message(s, "the service");
	put(&stage->left_ns, (int64_t)weir_msg_deadline(&msg) - now_ns());
	add(&stage->seen, 1);
	ticket = weir_ticket(&msg);
	weir_release(s, &msg);
	need(!weir_reply(s, &ticket, "yes", 3, HARD_DEADLINE_NS), "reply");
	return 0;
}

static int call(struct job *job)
{
	struct weir *c = handle(MIB, 0);
	struct weir_call one = { .route = route_of(c, path) };
	static char data[LARGE];
	char reply[8];
	ssize_t len = weir_call(c, &one, data, job->len, reply, sizeof(reply),
				LEFT_NS);

	if (len != 3)
		note("weir_call: %zd, %s", len, weir_error());
	return len != 3 || !soon(get(&stage->seen) == stage->services);
}

/* A deadline of the caller's own passes there, and not before or later. */
static int call_in_vain(struct job *job)
{
	struct weir *c = handle(MIB, 0);
	struct weir_call one = { .route = route_of(c, path) };
	int64_t begun = now_ns(), took;
	char reply[8];
	ssize_t len = weir_call(c, &one, "x", 1, reply, sizeof(reply),
				200 * MS);

	(void)job;
	took = (now_ns() - begun) / (int64_t)MS;
	if (len != -ETIME || took < 200)
		note("weir_call: %zd, %s, in %lld ms", len, weir_error(),
		     (long long)took);
	return len != -ETIME || took < 200;
}

/* --- by plain socket calls -------------------------------------------------- */

static void scm_of(struct msghdr *msg, struct weir_scm_route *scm, char *ctl,
		   bool fill)
{
	struct cmsghdr *cm;

	msg->msg_control = ctl;
	msg->msg_controllen = CMSG_SPACE(sizeof(*scm));
	cm = CMSG_FIRSTHDR(msg);
	if (fill) {
		cm->cmsg_level = SOL_WEIR;
		cm->cmsg_type = WEIR_SCM_ROUTE;
		cm->cmsg_len = CMSG_LEN(sizeof(*scm));
		memcpy(CMSG_DATA(cm), scm, sizeof(*scm));
	}
}

/* As weir_serve(), without the library. */
static void serve_at(int fd)
{
	need(!tap_setopt(fd, WEIR_SO_INBOX_BYTES, MIB), "inbox");
	need(!setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, path, sizeof(path) - 1),
	     "serve: %s", tap_words(fd));
}

static int serve_plain(struct job *job)
{
	char ctl[CMSG_SPACE(sizeof(struct weir_scm_route))] = { 0 };
	struct iovec iov = { (char [LARGE]) { 0 }, LARGE };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct weir_scm_route scm = { 0 };
	int fd = job->fd;

	if (fd < 0) {
		fd = tap_socket(SOCK_RDM);
		serve_at(fd);
	}
	add(&stage->ready, 1);
	scm_of(&msg, &scm, ctl, false);
	need(recvmsg(fd, &msg, 0) > 0, "recvmsg");
	memcpy(&scm, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(scm));
	put(&stage->left_ns, (int64_t)scm.deadline_ns - now_ns());
	add(&stage->seen, 1);
	scm.kind = WEIR_KIND_REPLY;
	scm.flags = 0;
	scm.deadline_ns = 0;
	iov.iov_base = "yes";
	iov.iov_len = 3;
	scm_of(&msg, &scm, ctl, true);
	need(sendmsg(fd, &msg, 0) == 3, "reply: %s", tap_words(fd));
	return 0;
}

static int call_plain(struct job *job)
{
	char ctl[CMSG_SPACE(sizeof(struct weir_scm_route))] = { 0 };
	struct sockaddr_weir to = { .sw_family = tap_family() };
	struct iovec iov = { (char [LARGE]) { 0 }, job->len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_name = &to, .msg_namelen = sizeof(to),
	};
	struct weir_scm_route scm = {
		.kind = WEIR_KIND_REQUEST, .tag = 9,
		.deadline_ns = (uint64_t)(now_ns() + LEFT_NS),
	};
	int fd = job->fd;
	char reply[8];

	if (fd < 0) {
		fd = tap_socket(SOCK_RDM);
		need(!tap_setopt(fd, WEIR_SO_RING_BYTES, MIB), "outbox");
	}
	strcpy(to.sw_path, path);
	scm_of(&msg, &scm, ctl, true);
	need(sendmsg(fd, &msg, 0) == (ssize_t)job->len, "sendmsg: %s",
	     tap_words(fd));
	return recv(fd, reply, sizeof(reply), 0) != 3;
}

/* --- cases ------------------------------------------------------------------ */

#define OWN	(-1)

/**
 * struct clocks_case - a caller and a service, and what their clocks are ahead
 * @services: how many, all at work at once.
 */
static const struct clocks_case {
	const char *name;
	int (*caller)(struct job *job);
	long caller_s;
	int (*service)(struct job *job);
	long service_s;
	size_t len;
	int services;
} cases[] = {
	{ "no namespace", call, 0, serve, 0, 4, 1 },
	{ "a caller ahead", call, AHEAD_S, serve, 0, 4, 1 },
	{ "a caller behind", call, BEHIND_S, serve, 0, 4, 1 },
	{ "a service ahead", call, 0, serve, AHEAD_S, 4, 1 },
	{ "a service behind", call, 0, serve, BEHIND_S, 4, 1 },
	{ "both ahead", call, AHEAD_S, serve, AHEAD_S / 2, 4, 1 },
	{ "one ahead, one behind", call, AHEAD_S, serve, BEHIND_S, 4, 1 },
	{ "a large request", call, AHEAD_S, serve, AHEAD_S / 2, LARGE, 1 },
	{ "several services", call, AHEAD_S, serve, AHEAD_S / 2, 4, 3 },
	{ "sendmsg and recvmsg", call_plain, AHEAD_S, serve_plain, BEHIND_S, 4,
	  1 },
	{ "sendmsg of much", call_plain, AHEAD_S, serve, BEHIND_S, LARGE, 1 },
	{ "recvmsg of much", call, BEHIND_S, serve_plain, AHEAD_S, LARGE, 1 },
};

/* The sockets are the case's own, or these of the test's namespace. */
static void run_case(const struct clocks_case *c, int caller_fd, int service_fd)
{
	struct weir_route_conf conf = {
		.timeout_ns = 60 * SECOND, .probe_ns = WEIR_PROBE_OFF,
		.policy = c->services > 1 ? WEIR_POLICY_ALL : WEIR_POLICY_ANY,
	};
	struct job service = { c->service_s, c->service, c->len, service_fd };
	struct job caller = { c->caller_s, c->caller, c->len, caller_fd };
	pid_t pid[4];
	int64_t left;
	int i, good;

	memset(stage, 0, sizeof(*stage));
	stage->services = c->services;
	need(!route_set(path, &conf), "route");
	for (i = 0; i < c->services; i++)
		pid[i] = spawn(parent, &service);
	need(soon(get(&stage->ready) == c->services), "services");
	good = tap_wait(spawn(parent, &caller));
	if (good == TAP_SKIP)
		tap_skip_all("no time namespaces");
	check(!good, "%s: a call has its reply", c->name);
	for (i = 0; i < c->services; i++)
		good |= tap_wait(pid[i]);
	left = get(&stage->left_ns) / (int64_t)MS;
	check(!good && get(&stage->seen) == c->services && left > 0 &&
	      left <= LEFT_NS / (int64_t)MS,
	      "%s: the deadline is the same there (%lld ms left)", c->name,
	      (long long)left);
	need(!route_del(path), "route");
}

/* A socket counts with the clock of its maker, and the calls with their own. */
static void passed(void)
{
	static const struct clocks_case plain = {
		"sockets that were passed on", call_plain, AHEAD_S, serve_plain,
		BEHIND_S, 4, 1
	};
	int caller_fd = tap_socket(SOCK_RDM), fd = tap_socket(SOCK_RDM);

	serve_at(fd);
	run_case(&plain, caller_fd, fd);
	close(caller_fd);
	close(fd);
}

static void over(long ahead_s, const char *name)
{
	struct job job = { ahead_s, call_in_vain, 1, OWN };
	struct weir *s;

	route_quiet(path);
	s = server(path, 1);
	check(!tap_wait(spawn(parent, &job)), "%s: its deadline passes in time",
	      name);
	need(!route_del(path), "route");
	weir_close(s);
}

/* --- the longest times ------------------------------------------------------ */

static int answer_late(void *arg)
{
	struct weir *s = server(path, 1);
	int n;

	(void)arg;
	add(&stage->ready, 1);
	for (n = 0; n < 2; n++) {
		struct weir_ticket ticket = next_ticket(s, "the service");

		pass(50 * MS);
		need(!weir_reply(s, &ticket, "yes", 3, INT64_MAX), "reply");
	}
	return 0;
}

/* Is what lies so far ahead no time that has passed? */
static void longest(int64_t ns, const char *name)
{
	struct weir_msg msg = { 0 };
	struct weir_call one = { 0 };
	struct weir *c;
	char reply[8];
	pid_t pid;
	int ready;

	memset(stage, 0, sizeof(*stage));
	route_quiet(path);
	pid = spawn(answer_late, NULL);
	need(soon(get(&stage->ready)), "the service");
	c = caller(path, &one.route);
	check(weir_call(c, &one, "x", 1, reply, sizeof(reply), ns) == 3,
	      "%s: weir_call() waits: %s", name, weir_error());
	one.tag = 1;
	ask_for(c, &one, "x", 1);
	ready = weir_wait(c, WEIR_WAIT_IN, 0, ns);
	check(ready == WEIR_WAIT_IN && weir_peek(c, &msg) == 1,
	      "%s: so does weir_wait() (%d)", name, ready);
	weir_close(c);
	check(!tap_wait(pid), "%s: the service ends", name);
	need(!route_del(path), "route");
}

int main(void)
{
	size_t i;

	hard_begin();
	tap_watchdog(300);
	stage = tap_shared(sizeof(*stage));
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		run_case(&cases[i], OWN, OWN);
	passed();
	over(0, "no namespace");
	over(AHEAD_S, "a caller ahead");
	over(BEHIND_S, "a caller behind");
	longest(INT64_MAX, "INT64_MAX");
	longest(INT64_MAX - now_ns() - SECOND, "almost INT64_MAX");
	check_routes_gone("clocks");
	return tap_done();
}
