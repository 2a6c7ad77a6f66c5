// SPDX-License-Identifier: GPL-2.0
/*
 * Requests and replies by ordinary socket calls: sendto() the address of a
 * path, replies by control message, recv(), and what they refuse.
 */
#include <sys/ioctl.h>

#include "routed.h"

union control {
	struct cmsghdr	head;
	char		room[CMSG_SPACE(sizeof(struct weir_scm_route))];
};

static ssize_t send_route(int fd, const char *path,
			  const struct weir_scm_route *scm, const void *data,
			  size_t len)
{
	struct sockaddr_weir addr;
	union control control = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (path) {
		msg.msg_name = &addr;
		msg.msg_namelen = tap_addr(&addr, path);
	}
	if (scm) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_WEIR;
		control.head.cmsg_type = WEIR_SCM_ROUTE;
		control.head.cmsg_len = CMSG_LEN(sizeof(*scm));
		memcpy(CMSG_DATA(&control.head), scm, sizeof(*scm));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT);
}

static ssize_t recv_route(int fd, struct weir_scm_route *scm, void *data,
			  size_t len)
{
	union control control = { 0 };
	struct iovec iov = { data, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	memset(scm, 0, sizeof(*scm));
	if (n >= 0 && msg.msg_controllen)
		memcpy(scm, CMSG_DATA(&control.head), sizeof(*scm));
	return n;
}

static int service(const char *path)
{
	int fd = tap_socket(SOCK_RDM);

	if (setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, path, strlen(path)))
		tap_bail("serve %s: %s", path, tap_words(fd));
	return fd;
}

static void echo_plain(int fd)
{
	struct weir_scm_route scm;
	char data[64];
	ssize_t n = recv_route(fd, &scm, data, sizeof(data));

	need(n >= 0 && scm.kind == WEIR_KIND_REQUEST, "a request (%zd)", n);
	scm.kind = WEIR_KIND_REPLY;
	scm.key = 0;
	scm.flags = 0;
	scm.deadline_ns = 0;
	need(send_route(fd, NULL, &scm, data, n) == n, "a reply: %s",
	     tap_words(fd));
}

static void calls(void)
{
	int s = service("/named/echo"), c = tap_socket(SOCK_RDM);
	struct weir_scm_route scm = { .kind = WEIR_KIND_REQUEST, .tag = 7,
				      .key = 8 };
	char data[64] = "";
	int next = -1;

	tap_ok(!ioctl(s, FIONREAD, &next) && !next, "FIONREAD of nothing");
	route_quiet("/named/echo");
	tap_is(send_route(c, "/named/echo", NULL, "hello", 5), 5,
	       "sendto the address of a path");
	tap_ok(tap_poll_now(s, POLLIN) & POLLIN, "the service may read");
	tap_ok(!ioctl(s, FIONREAD, &next) && next == 5,
	       "FIONREAD of the request");
	echo_plain(s);
	tap_ok(!ioctl(c, FIONREAD, &next) && next == 5,
	       "FIONREAD of the reply");
	tap_ok(tap_poll_now(c, POLLIN) & POLLIN, "and then the caller");
	tap_is(recv(c, data, sizeof(data), MSG_DONTWAIT), 5, "a reply");
	tap_ok(!memcmp(data, "hello", 5), "with the payload");
	tap_fails(recv(c, data, sizeof(data), MSG_DONTWAIT), EAGAIN,
		  "that is all");

	tap_is(send_route(c, "/named/echo", &scm, "x", 1), 1, "with a tag");
	echo_plain(s);
	tap_is(recv_route(c, &scm, data, sizeof(data)), 1, "the reply");
	tap_ok(scm.kind == WEIR_KIND_REPLY && scm.tag == 7 && scm.key == 8,
	       "has it");

	/* the library's calls and these work on one socket */
	tap_is(send_route(c, "/named/echo", NULL, "abc", 3), 3, "a request");
	{
		struct weir *w;
		struct weir_msg msg;

		need(!weir_adopt(&w, dup(s), NULL), "adopt: %s", weir_error());
		msg = next_message(w, "the library");
		tap_ok(msg.len == 3 && msg.kind == WEIR_KIND_REQUEST,
		       "the library reads it");
		echo(w);
		weir_close(w);
	}
	tap_is(recv(c, data, sizeof(data), MSG_DONTWAIT), 3, "and answers it");

	/* a route that is set would stay */
	need(!route_del("/named/echo"), "del");
	close(s);
	tap_is(send_route(c, "/named/echo", NULL, "x", 1), 1,
	       "nobody serves it any more");
	tap_fails(recv(c, data, sizeof(data), MSG_DONTWAIT), ENOENT,
		  "the answer is an error of recv");
	tap_is(send_route(c, "/named/echo", NULL, "x", 1), 1, "once more");
	tap_is(recv_route(c, &scm, data, sizeof(data)),
	       sizeof(struct weir_refusal), "or a record, for who can tell");
	tap_ok(scm.kind == WEIR_KIND_ERROR && scm.flags & WEIR_REC_ROUTER,
	       "of the router's");
	close(c);
}

/* The router's error, with control data of any size: an error, or told apart. */
static void cut_short(void)
{
	int c = tap_socket(SOCK_RDM), data_as_error = 0, told = 0, wrong = 0;
	union control control;
	char data[64];
	size_t room;

	for (room = 0; room <= sizeof(control); room++) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = room,
		};
		ssize_t n;

		need(send_route(c, "/named/none", NULL, "x", 1) == 1, "send");
		memset(&control, 0, sizeof(control));
		n = recvmsg(c, &msg, MSG_DONTWAIT | MSG_PEEK);
		wrong += n < 0 && errno != ENOENT;
		msg.msg_controllen = room;
		n = recvmsg(c, &msg, MSG_DONTWAIT);
		wrong += n < 0 && errno != ENOENT;
		if (n < 0)
			data_as_error++;
		else if (!(msg.msg_flags & MSG_CTRUNC) && msg.msg_controllen)
			told++;
		else
			wrong++;
	}
	/* where nothing can be written */
	{
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE |
					    MAP_ANONYMOUS, -1, 0),
			.msg_controllen = sizeof(control),
		};

		need(msg.msg_control != MAP_FAILED, "mmap");
		need(send_route(c, "/named/none", NULL, "x", 1) == 1, "send");
		tap_fails(recvmsg(c, &msg, MSG_DONTWAIT), ENOENT,
			  "with a control buffer that is read-only: an error");
	}
	tap_is(wrong, 0, "the router's error never looks like data");
	tap_is(data_as_error, CMSG_LEN(sizeof(struct weir_scm_route)),
	       "without room for the control data it is the call's error");
	tap_ok(told, "with room it is told by that");
	close(c);
}

static void refused(void)
{
	int p = tap_publisher(SOCK_RDM, "/named/pub", 0);
	int c = tap_socket(SOCK_RDM);
	struct weir_scm_route scm = { .kind = WEIR_KIND_NOTICE };

	tap_fails(send_route(p, "/named/x", NULL, "x", 1), EOPNOTSUPP,
		  "a publisher does not call");
	tap_fails(send_route(c, "/named/*", NULL, "x", 1), EINVAL,
		  "a pattern is not called");
	tap_fails(send_route(c, "/named/x", &scm, "x", 1), EINVAL,
		  "a notice is not sent");
	scm.kind = WEIR_KIND_REPLY;
	tap_fails(send_route(c, "/named/x", &scm, "x", 1), EINVAL,
		  "a reply has no address");
	scm.route = 12345;
	tap_is(send_route(c, NULL, &scm, "x", 1), 1,
	       "a reply to nothing is dropped");
	/* what a reply has, but for its kind */
	scm.kind = WEIR_KIND_EVENT;
	tap_fails(send_route(c, NULL, &scm, "x", 1), EINVAL,
		  "a reply whose kind was left at 0 is told");
	tap_ok(strstr(tap_words(c), "a reply has kind 2"), "in words: %s",
	       tap_words(c));
	scm.route = 0;
	tap_fails(send_route(c, NULL, &scm, "x", 1), EINVAL,
		  "so is a message without a handle");
	tap_is(send_route(c, "/named/nobody", &scm, "x", 1), 1,
	       "a message with an address needs none");
	scm.route = 1;
	tap_is(send_route(c, NULL, &scm, "x", 1), 1,
	       "nor an address with its handle");
	tap_fails(send(c, "x", 1, 0), EDESTADDRREQ, "a message to nowhere");
	tap_fails(setsockopt(c, SOL_WEIR, WEIR_SO_SERVE, "named", 5), EINVAL,
		  "no path");
	tap_fails(setsockopt(c, SOL_WEIR, WEIR_SO_SERVE, "/na\0d", 5), EINVAL,
		  "nor a NUL byte in the middle of one");
	tap_fails(setsockopt(p, SOL_WEIR, WEIR_SO_SERVE, "/a", 2), EISCONN,
		  "a publisher does not serve");
	close(c);
	close(p);
}

/* More names than a CPU remembers. */
static void many_names(void)
{
	enum { N = 1000 };
	int s = service("/named/**"), c = tap_socket(SOCK_RDM), i, bad = 0;

	route_quiet("/named/**");
	for (i = 0; i < 3 * N; i++) {
		char path[64], data[8];

		snprintf(path, sizeof(path), "/named/many/%d", i * 7 % N);
		if (send_route(c, path, NULL, &i, sizeof(i)) != sizeof(i))
			bad++;
		echo_plain(s);
		if (recv(c, data, sizeof(data), MSG_DONTWAIT) != sizeof(i) ||
		    memcmp(data, &i, sizeof(i)))
			bad++;
	}
	tap_is(bad, 0, "a thousand names, thrice");
	need(!route_del("/named/**"), "del");
	close(c);
	close(s);
}

/* Lines of the trace with this text. */
static int traced(const char *text)
{
	FILE *f = fopen(TAP_TRACING "trace", "r");
	char line[1024];
	int lines = 0;

	while (f && fgets(line, sizeof(line), f))
		lines += !!strstr(line, text);
	if (f)
		fclose(f);
	return lines;
}

/* What leads to no route is traced by what was called. */
static void refused_in_trace(void)
{
	int s = service("/named/mine"), c = tap_socket(SOCK_RDM);
	struct weir_scm_route event = { .kind = WEIR_KIND_EVENT };
	struct weir_ioc_call call = { .size = sizeof(call),
				      .path = "/named/mine" };

	if (tap_trace("weir/weir_refuse", 1) || tap_trace("weir/weir_drop", 1)) {
		tap_skip("refusals in the trace", "no trace events");
		return;
	}
	need(!tap_trace_begin(), "tracing is off");
	need(send_route(c, "/named/nobody", NULL, "x", 1) == 1, "a request");
	need(send_route(c, "/named/none", &event, "x", 1) == 1, "an event");
	tap_is(traced("weir_refuse: /named/nobody reason no_route"), 1,
	       "the trace shows a request to a path that nobody serves");
	tap_is(traced("weir_refuse: /named/none reason no_route"), 1,
	       "and a message that wants no reply");
	if (geteuid()) {
		tap_skip("denied calls in the trace", "not root");
	} else {
		/* the service is root's, and its mode lets nobody else call */
		need(!seteuid(65534), "another user");
		close(c);
		c = tap_socket(SOCK_RDM);
		tap_fails(ioctl(c, WEIR_IOC_CALL, &call), EACCES,
			  "a stranger gets no handle");
		need(send_route(c, "/named/mine", NULL, "x", 1) == 1,
		     "a request");
		need(!seteuid(0), "root again");
		tap_is(traced("weir_drop: /named/mine reason denied"), 1,
		       "the trace shows that");
		tap_is(traced("weir_refuse: /named/mine reason denied"), 1,
		       "and a request that is denied");
	}
	tap_trace("weir/weir_refuse", 0);
	tap_trace("weir/weir_drop", 0);
	close(c);
	close(s);
}

int main(void)
{
	hard_begin();
	calls();
	cut_short();
	refused();
	refused_in_trace();
	many_names();
	check_kernel();
	return tap_done();
}
