// SPDX-License-Identifier: GPL-2.0
/*
 * What a program of the promised ABI does: each kind of socket, with and without
 * the library. tests/abi/run compiles it with an old and with the new library,
 * so it uses what both have, and none of the other tests' headers.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir.h>
#include <weir_loop.h>

#include "tap.h"

#define LIMIT_NS	(INT64_C(20) * 1000000000)

static struct weir *opened(int type, const struct weir_config *config)
{
	struct weir *w = NULL;
	int err = weir_open(&w, type, config);

	if (err)
		tap_bail("a socket: %d %s", err, weir_error());
	return w;
}

static void streams(int type, const char *what)
{
	const struct weir_config small = { .ring_bytes = 4096 };
	struct weir *p = opened(type, &small), *s = opened(type, NULL);
	struct weir_sock_info info;
	struct weir_msg msg;
	struct weir_buf buf;
	char data[64];
	int n, i;

	tap_ok(!weir_subscribe(s, "/abi/*") && !weir_bind(p, "/abi/p"),
	       "%s: a publisher and a subscriber: %s", what, weir_error());
	for (i = 0; i < 1000; i++) {
		if (weir_send(p, &i, sizeof(i), LIMIT_NS) ||
		    weir_recv(s, &n, sizeof(n), LIMIT_NS) != sizeof(n) || n != i)
			break;
	}
	tap_is(i, 1000, "messages in turn");
	n = weir_claim_batch(p, 8, 4, &buf);
	tap_is(n, 4, "a batch is claimed");
	for (; n > 0; n = weir_claim_next(p, &buf)) {
		memset(buf.data, n, 8);
		weir_commit_more(p, &buf);
	}
	weir_flush(p);
	n = 0;
	while (weir_wait(s, WEIR_WAIT_IN, 0, 1000000) == WEIR_WAIT_IN &&
	       weir_peek(s, &msg) == 1) {
		n += msg.len;
		tap_need(!weir_release(s, &msg));
	}
	tap_is(n, 32, "and peeked at in place");
	tap_ok(write(weir_fd(p), "plain", 5) == 5 &&
	       recv(weir_fd(s), data, sizeof(data), 0) == 5,
	       "plain calls on the same sockets");
	tap_ok(!weir_info(p, &info) && info.ring_bytes == 4096 &&
	       info.sent == 1 && info.copied_bytes == 5, "and what they count");
	if (type == SOCK_RDM) {
		for (n = 0; !weir_send(p, "full", 4, WEIR_DONTWAIT); n++)
			;
		tap_ok(n == 64 && weir_recv(s, data, 64, 0) == 4,
		       "a reader holds the publisher back (%d)", n);
	}
	weir_close(p);
	while ((n = (int)weir_recv(s, data, sizeof(data), 0)) > 0)
		;
	tap_is(n, -EAGAIN, "the rest is read after the end");
	weir_close(s);
}

static void pair(void)
{
	struct weir *l = opened(SOCK_SEQPACKET, NULL), *b = NULL, *again = NULL;
	struct weir *a = opened(SOCK_SEQPACKET, NULL);
	char data[64];

	tap_ok(!weir_bind(l, "/abi/l") && !weir_listen(l, 4) &&
	       !weir_connect(a, "/abi/l") && !weir_accept(l, &b, LIMIT_NS),
	       "a pair: %s", weir_error());
	if (!b)
		tap_bail("no pair");
	tap_ok(!weir_send(a, "to b", 4, 0) &&
	       weir_recv(b, data, sizeof(data), LIMIT_NS) == 4 &&
	       !weir_send(b, "to a", 4, 0) &&
	       weir_recv(a, data, sizeof(data), LIMIT_NS) == 4, "both ways");
	tap_ok(!weir_adopt(&again, dup(weir_fd(b)), NULL) &&
	       !weir_send(a, "more", 4, 0) &&
	       weir_recv(again, data, sizeof(data), LIMIT_NS) == 4,
	       "an adopted end");
	weir_close(again);
	weir_close(b);
	tap_is(weir_recv(a, data, sizeof(data), LIMIT_NS), -EPIPE, "the end");
	weir_close(a);
	weir_close(l);
}

static void answered(void *arg, int err, const struct weir_msg *msg)
{
	int *sum = arg;

	*sum += err || !msg ? 1000 : (int)msg->len;
}

static void handler(struct weir_worker *worker, const struct weir_msg *msg,
		    struct weir_ticket ticket)
{
	weir_worker_reply(worker, ticket, msg->data, msg->len);
}

static void *serve(void *arg)
{
	return (void *)(long)weir_loop_run(arg);
}

static void calls(void)
{
	struct weir_loop_config loop = { .path = "/abi/s", .handler = handler };
	struct weir_call call = { 0 };
	struct weir *w = opened(SOCK_RDM, NULL);
	int tries = 0, sum = 0, i, route;
	struct weir_calls *table;
	pthread_t thread;
	ssize_t n;
	char data[64];

	tap_need(!pthread_create(&thread, NULL, serve, &loop));
	while ((route = weir_route(w, "/abi/s")) < 0 && tries++ < 2000)
		usleep(10000);
	call.route = (uint32_t)route;
	do {
		n = weir_call(w, &call, "request", 7, data, sizeof(data), LIMIT_NS);
	} while (n < 0 && tries++ < 2000 && !usleep(10000));
	tap_ok(n == 7 && !memcmp(data, "request", 7), "a call and its reply: %s",
	       n < 0 ? weir_error() : "");
	table = weir_calls_create(w, 8);
	for (i = 0; i < 8; i++)
		tap_need(!weir_calls_send(table, &call, data, 5, answered, &sum));
	while (weir_calls_pending(table) &&
	       weir_calls_run(table, LIMIT_NS) > 0)
		;
	tap_is(sum, 40, "many at once");
	weir_calls_destroy(table);
	weir_close(w);
	weir_loop_stop();
	pthread_join(thread, NULL);
	w = opened(SOCK_RDM, NULL);
	route = weir_route(w, "/abi/s");
	call.route = (uint32_t)route;
	n = route < 0 ? route : weir_call(w, &call, "x", 1, data, 64, LIMIT_NS);
	tap_ok(n < 0, "nobody serves it now: %s", weir_error());
	weir_close(w);
}

/* A service ends: what it has looked at goes to no other. */
static void ended(void)
{
	struct weir *s = opened(SOCK_RDM, NULL), *next = opened(SOCK_RDM, NULL);
	struct weir *c = opened(SOCK_RDM, NULL);
	struct weir_ticket ticket;
	struct weir_call call = { 0 };
	struct weir_msg msg;
	struct weir_buf buf;
	int i, answers = 0, again = 0;

	tap_need(!weir_serve(s, "/abi/e", 1, NULL));
	call.route = (uint32_t)weir_route(c, "/abi/e");
	for (i = 0; i < 6; i++) {
		tap_need(!weir_call_claim(c, &call, sizeof(i), &buf));
		memcpy(buf.data, &i, sizeof(i));
		weir_call_commit(c, &call, &buf);
	}
	tap_need(weir_peek(s, &msg) == 1 && weir_peek_next(s, &msg) &&
		 weir_peek_next(s, &msg));
	tap_need(!weir_serve(next, "/abi/e", 1, NULL));
	weir_close(s);
	for (i = 0; answers < 6 && i < 2000; i++) {
		if (weir_peek(next, &msg) == 1) {
			again += *(const int *)msg.data < 3;
			ticket = weir_ticket(&msg);
			weir_release(next, &msg);
			tap_need(!weir_reply(next, &ticket, "x", 1, LIMIT_NS));
		}
		while (weir_peek(c, &msg) == 1) {
			weir_release(c, &msg);
			answers++;
		}
		usleep(1000);
	}
	tap_ok(answers == 6 && !again, "a service ends: %d answers, %d of what it has seen go to another",
	       answers, again);
	weir_close(next);
	weir_close(c);
}

int main(void)
{
	tap_alarm(120);
	if (weir_family() < 0)
		tap_bail("no module: %s", weir_error());
	streams(SOCK_RDM, "gating");
	streams(SOCK_DGRAM, "lossy");
	pair();
	calls();
	ended();
	return tap_done();
}
