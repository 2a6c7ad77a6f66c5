// SPDX-License-Identifier: GPL-2.0
/*
 * The library and plain calls on one socket, in turn: poll() tells what recv()
 * returns, also while the inbox has notices; recv() waits for a message; and the
 * library still finds each stream after recv() has passed over its notice.
 */
#include <pthread.h>

#include "hard.h"

static struct weir *opened(int type, const char *publishes, uint32_t flags)
{
	const struct weir_config config = { .flags = flags };
	struct weir *w;

	need(!weir_open(&w, type, &config), "a socket");
	need(!publishes || !weir_bind(w, publishes), "bind");
	return w;
}

static struct weir *subscriber(int type, uint32_t flags)
{
	struct weir *w = opened(type, NULL, flags);

	need(!weir_subscribe(w, "/mixed/*"), "subscribe");
	return w;
}

/* A plain recv() that does not wait: the length or a negative errno value. */
static int plain(struct weir *w, int flags)
{
	char data[64];
	ssize_t n = recv(weir_fd(w), data, sizeof(data), flags | MSG_DONTWAIT);

	return n < 0 ? -errno : (int)n;
}

static bool readable(struct weir *w)
{
	return tap_poll_now(weir_fd(w), POLLIN) & POLLIN;
}

static void send_to(struct weir *w, int len)
{
	need(!weir_send(w, "message", (size_t)len, HARD_DEADLINE_NS), "send");
}

/* Only a notice is there. */
static void notice_alone(int type, uint32_t flags, const char *what)
{
	struct weir *a = opened(type, "/mixed/a", 0), *b;
	struct weir *w = subscriber(type, flags);
	char data[64];

	while (flags && weir_recv(w, data, sizeof(data), 0) > 0)
		;
	b = opened(type, "/mixed/b", 0);
	check(plain(w, MSG_PEEK) == -EAGAIN && plain(w, 0) == -EAGAIN &&
	      !readable(w), "%s: what recv() does not return is not readable",
	      what);
	send_to(b, 1);
	check(readable(w) && plain(w, MSG_PEEK) == 1 && readable(w) &&
	      plain(w, 0) == 1 && !readable(w), "%s: recv() reads it", what);
	send_to(b, 2);
	check(weir_wait(w, WEIR_WAIT_IN, 0, HARD_DEADLINE_NS) == WEIR_WAIT_IN &&
	      weir_recv(w, data, sizeof(data), HARD_DEADLINE_NS) == 2,
	      "%s: the library finds a stream whose notice recv() passed over",
	      what);
	send_to(a, 3);
	send_to(b, 4);
	check(weir_recv(w, data, sizeof(data), HARD_DEADLINE_NS) +
	      plain(w, 0) == 7 && !readable(w) &&
	      weir_recv(w, data, sizeof(data), 0) == -EAGAIN,
	      "%s: each message is read once", what);
	weir_close(b);
	check(plain(w, 0) == -EAGAIN && !readable(w),
	      "%s: nor is the end of a stream readable for recv()", what);
	check(weir_recv(w, data, sizeof(data), 0) == -EAGAIN,
	      "%s: nothing for the library", what);
	check(flags || w->nstreams == 1, "%s: the stream is left (%u)", what,
	      w->nstreams);
	send_to(a, 5);
	check(weir_recv(w, data, sizeof(data), HARD_DEADLINE_NS) == 5,
	      "%s: the other goes on", what);
	weir_close(a);
	weir_close(w);
}

static void *receives(void *arg)
{
	struct weir *w = arg;
	char data[64];

	return (void *)recv(weir_fd(w), data, sizeof(data), 0);
}

/* A recv() that waits, while notices come. */
static void blocking(int timeout_s)
{
	struct timeval limit = { .tv_sec = timeout_s };
	struct weir *w = subscriber(SOCK_RDM, 0), *a, *b;
	pthread_t thread;
	void *got = NULL;

	need(!setsockopt(weir_fd(w), SOL_SOCKET, SO_RCVTIMEO, &limit,
			 sizeof(limit)), "SO_RCVTIMEO");
	a = opened(SOCK_RDM, "/mixed/a", 0);
	need(!pthread_create(&thread, NULL, receives, w), "a thread");
	usleep(50000);
	b = opened(SOCK_RDM, "/mixed/b", 0);
	weir_close(b);
	usleep(50000);
	send_to(a, 3);
	pthread_join(thread, &got);
	check((long)got == 3, "recv() with SO_RCVTIMEO %d waits for a message (%ld)",
	      timeout_s, (long)got);
	weir_close(a);
	weir_close(w);
}

/* Requests come in the inbox, behind notices. */
static void routed(void)
{
	struct weir *s = subscriber(SOCK_RDM, 0), *c, *a;
	struct weir_call call = { .one_way = 1 };
	char data[64];
	int route;

	need(!weir_serve(s, "/mixed-service", 1, NULL), "serve");
	c = opened(SOCK_RDM, NULL, 0);
	route = weir_route(c, "/mixed-service");
	need(route > 0, "route");
	call.route = (uint32_t)route;
	a = opened(SOCK_RDM, "/mixed/a", 0);
	need(!weir_call(c, &call, "call", 4, NULL, 0, 0) &&
	     soon(readable(s)), "a call");
	check(soon(plain(s, 0) == 4) && !readable(s),
	      "recv() returns the request behind a notice");
	send_to(a, 6);
	check(weir_recv(s, data, sizeof(data), HARD_DEADLINE_NS) == 6,
	      "and the library reads the stream of the notice");
	need(!weir_call(c, &call, "again", 5, NULL, 0, 0), "a call");
	check(weir_recv(s, data, sizeof(data), HARD_DEADLINE_NS) == 5,
	      "and the next request");
	weir_close(a);
	weir_close(c);
	weir_close(s);
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	notice_alone(SOCK_RDM, 0, "gating");
	notice_alone(SOCK_DGRAM, 0, "lossy");
	notice_alone(SOCK_RDM, WEIR_NOTICES, "with notices");
	blocking(0);
	blocking(20);
	routed();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
