// SPDX-License-Identifier: GPL-2.0
/*
 * Services that end and others that take their place: what a target has not
 * looked at is not lost with it. One that is drained gets no more.
 */
#include "routed.h"

/* A drained socket gets nothing new on any of its paths, and keeps what it has. */
static void drained(void)
{
	struct weir *old, *next, *c = handle(0, 0);
	uint32_t a, b, i;

	old = server("/rolling/a", 1);
	need(!weir_serve(old, "/rolling/b", 1, NULL), "%s", weir_error());
	a = route_of(c, "/rolling/a");
	b = route_of(c, "/rolling/b");
	ask(c, a, 1);
	ask(c, b, 2);
	next = server("/rolling/a", 1);
	need(!weir_serve(next, "/rolling/b", 1, NULL), "%s", weir_error());
	check(!weir_drain(old), "a service is drained");
	for (i = 3; i < 43; i++)
		ask(c, i & 1 ? a : b, i);
	check(serve_all(old, WEIR_KIND_REPLY) == 2, "it has what came before");
	check(serve_all(next, WEIR_KIND_REPLY) == 40, "the rest comes to another");
	weir_close(old);
	for (i = 0; i < 42; i++)
		need(next_outcome(c).kind == WEIR_KIND_REPLY, "reply %u", i);
	check(!drain(c), "each is answered, with a reply");
	check(!weir_drain(next) && !weir_drain(next), "drained twice");
	ask(c, a, 50);
	check(answer(c, 50) == WEIR_REASON_NO_TARGET, "none is left");
	check(!weir_drain(c), "a caller can be drained, too");
	weir_close(next);
	weir_close(c);
}

/* The same for a socket without the library. */
static void drained_plain(void)
{
	int fd = socket(weir_family(), SOCK_RDM, 0), one = 1, two = 2;
	struct weir *c = handle(0, 0);
	char buf[64];
	uint32_t a;

	need(fd >= 0, "socket");
	check(!setsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN, &one, sizeof(one)),
	      "a socket that serves nothing is drained");
	need(!setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, "/rolling/p", 10),
	     "serve");
	a = route_of(c, "/rolling/p");
	ask(c, a, 1);
	need(!setsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN, &one, sizeof(one)),
	     "drain");
	ask(c, a, 2);
	check(answer(c, 2) == WEIR_REASON_NO_TARGET, "it gets no more");
	check(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 8,
	      "and keeps what it has");
	tap_fails(setsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN, &two, sizeof(two)),
		  EINVAL, "a value other than 1");
	close(fd);
	weir_close(c);
}

int main(void)
{
	hard_begin();
	part(drained);
	part(drained_plain);
	return tap_done();
}
