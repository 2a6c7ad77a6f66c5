// SPDX-License-Identifier: GPL-2.0
/*
 * Handles of the library in a child of fork(2): each call on a handle with rings
 * is refused there, also with messages and buffers from before the fork, and the
 * parent goes on. A handle without rings works in both. What the child frees, it
 * frees for itself alone; once the parent has closed, the child can adopt.
 */
#include "hard.h"

#define PAGE	4096

/* A handle of each kind, and what was begun before the fork. */
struct parent {
	struct weir *pub, *sub, *lossy, *a, *b, *routed, *listener;
	struct weir_buf buf, batch;
	struct weir_msg msg, last;
	int route;
};

static int failures;

static void dead(long ret, const char *what)
{
	if (ret == -ECHILD && strstr(weir_error(), "fork"))
		return;
	note("in the child: %s returned %ld: %s", what, ret, weir_error());
	failures++;
}

/* Each call that takes a handle and can say no. */
static void calls_dead(struct weir *w, struct parent *p)
{
	struct weir_call call = { .route = (uint32_t)p->route };
	struct weir_ticket ticket = { 1, 1 };
	struct weir_sock_info info;
	struct weir_calls *calls;
	struct weir *conn;
	struct weir_msg msg;
	struct weir_buf buf;
	char data[64] = "";

	dead(weir_peek(w, &msg), "weir_peek");
	dead(weir_recv(w, data, sizeof(data), WEIR_DONTWAIT), "weir_recv");
	dead(weir_recv(w, data, sizeof(data), 1000000), "weir_recv, timed");
	dead(weir_wait(w, WEIR_WAIT_IN, 0, WEIR_DONTWAIT), "weir_wait");
	dead(weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, 1000000),
	     "weir_wait, timed");
	dead(weir_wait(w, WEIR_WAIT_OUT, PAGE, 0), "weir_wait for room");
	dead(weir_arm(w), "weir_arm");
	dead(weir_claim(w, 8, &buf), "weir_claim");
	dead(weir_claim_batch(w, 8, 4, &buf), "weir_claim_batch");
	dead(weir_claim_wait(w, 8, &buf, 1000000), "weir_claim_wait");
	dead(weir_send(w, data, 8, WEIR_DONTWAIT), "weir_send");
	dead(weir_info(w, &info), "weir_info");
	dead(weir_shutdown(w, SHUT_RDWR), "weir_shutdown");
	if (w->type == SOCK_SEQPACKET) {
		dead(weir_bind(w, "/fork/late"), "weir_bind");
		dead(weir_connect(w, "/fork/pair"), "weir_connect");
		dead(weir_listen(w, 1), "weir_listen");
		dead(weir_accept(w, &conn, WEIR_DONTWAIT), "weir_accept");
	} else {
		dead(weir_bind(w, "/fork/late"), "weir_bind");
		dead(weir_subscribe(w, "/fork/**"), "weir_subscribe");
	}
	weir_flush(w);
	weir_wake_readers(w);
	dead(weir_reply(w, &ticket, data, 8, WEIR_DONTWAIT), "weir_reply");
	if (w->type != SOCK_RDM)
		return;
	dead(weir_serve(w, "/fork/late", 1, NULL), "weir_serve");
	dead(weir_route(w, "/fork/late"), "weir_route");
	dead(weir_call_claim(w, &call, 8, &buf), "weir_call_claim");
	if (!w->routed)
		return;
	dead(weir_call(w, &call, data, 8, data, sizeof(data), 1000000),
	     "weir_call");
	calls = weir_calls_create(w, 1);
	dead(weir_calls_send(calls, &call, data, 8, NULL, NULL),
	     "weir_calls_send");
	dead(weir_calls_run(calls, 1000000), "weir_calls_run");
	weir_calls_destroy(calls);
}

static void streams_dead(struct parent *p)
{
	struct weir_stream *s = p->msg.stream;

	dead(weir_release(p->sub, &p->msg), "weir_release");
	dead(weir_release(p->lossy, &p->last), "weir_release, lossy");
	if (weir_peek_next(p->sub, &p->msg))
		failures++;
	dead(weir_request(p->sub, s, 1), "weir_request");
	dead(weir_stream_detach(p->sub, s), "weir_stream_detach");
	if (strcmp(weir_stream_path(s), "/fork/x") || weir_stream_ended(s) ||
	    weir_stream_missed(s) || weir_stream_lag(s) ||
	    weir_stream_find(p->sub, s->id) != s)
		failures++;
}

/* What has no return value: it neither crashes nor reaches the parent's ring. */
static void buffers_dead(struct parent *p)
{
	strcpy(p->buf.data, "the child's");
	p->buf.len = 1;
	weir_commit(p->pub, &p->buf);
	weir_abort(p->pub, &p->batch);
	if (weir_claim_next(p->pub, &p->batch)) {
		memset(p->batch.data, 1, p->batch.len);
		weir_commit_more(p->pub, &p->batch);
	}
}

static int child(void *arg)
{
	struct parent *p = arg;
	struct weir *all[] = { p->pub, p->sub, p->lossy, p->a, p->b, p->routed };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		calls_dead(all[i], p);
	streams_dead(p);
	buffers_dead(p);
	/* a child of the child, too */
	if (tap_wait(spawn((int (*)(void *))(void *)weir_fd, p->pub)) !=
	    weir_fd(p->pub))
		failures++;
	if (fcntl(weir_fd(p->pub), F_GETFD) < 0)
		failures++;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		weir_close(all[i]);
	return failures;
}

static struct weir *opened(int type, const struct weir_config *config)
{
	struct weir *w;

	need(!weir_open(&w, type, config), "a socket");
	return w;
}

static void parent_begin(struct parent *p)
{
	const struct weir_config small = { .ring_bytes = PAGE };

	p->pub = opened(SOCK_RDM, &small);
	need(!weir_bind(p->pub, "/fork/x"), "bind");
	p->sub = opened(SOCK_RDM, NULL);
	need(!weir_subscribe(p->sub, "/fork/*"), "subscribe");
	p->lossy = opened(SOCK_DGRAM, NULL);
	need(!weir_subscribe(p->lossy, "/fork/*"), "subscribe");
	p->listener = opened(SOCK_SEQPACKET, &small);
	need(!weir_bind(p->listener, "/fork/pair") &&
	     !weir_listen(p->listener, 8), "listen");
	p->a = opened(SOCK_SEQPACKET, &small);
	need(!weir_connect(p->a, "/fork/pair") &&
	     !weir_accept(p->listener, &p->b, HARD_DEADLINE_NS), "a pair");
	p->routed = opened(SOCK_RDM, &small);
	need(!weir_serve(p->routed, "/fork/service", 1, NULL), "serve");
	p->route = weir_route(p->routed, "/fork/service");
	need(p->route > 0, "route");
	need(!weir_send(p->pub, "first", 5, 0) &&
	     weir_peek(p->sub, &p->msg) == 1 &&
	     weir_peek(p->lossy, &p->last) == 1 &&
	     !weir_claim(p->pub, 100, &p->buf) &&
	     weir_claim_batch(p->pub, 8, 2, &p->batch) == 2, "begin");
}

/* Finishes what was begun before the fork. */
static void parent_end(struct parent *p)
{
	struct weir_call call = { .route = (uint32_t)p->route, .one_way = 1 };
	char data[64];

	check(!weir_release(p->sub, &p->msg) && !weir_release(p->lossy, &p->last),
	      "the parent releases what it had peeked");
	strcpy(p->buf.data, "the parent's");
	weir_commit(p->pub, &p->buf);
	weir_abort(p->pub, &p->batch);
	check(weir_claim_next(p->pub, &p->batch) == 1, "it goes on with a batch");
	weir_abort(p->pub, &p->batch);
	check(weir_recv(p->sub, data, sizeof(data), HARD_DEADLINE_NS) == 100 &&
	      !strcmp(data, "the parent's"), "and publishes what it had claimed");
	check(!weir_send(p->a, "pair", 4, 0) &&
	      weir_recv(p->b, data, sizeof(data), HARD_DEADLINE_NS) == 4,
	      "its connection is open");
	check(!weir_call(p->routed, &call, "call", 4, NULL, 0, 0) &&
	      weir_recv(p->routed, data, sizeof(data), HARD_DEADLINE_NS) == 4,
	      "it serves and calls");
}

static int accepts(void *arg)
{
	struct parent *p = arg;
	struct weir *conn;
	char data[64];

	if (weir_accept(p->listener, &conn, HARD_DEADLINE_NS))
		return 1;
	if (weir_recv(conn, data, sizeof(data), HARD_DEADLINE_NS) != 5)
		return 2;
	return weir_send(conn, "reply", 5, 0) ? 3 : 0;
}

/* Servers that fork before they accept. */
static void prefork(struct parent *p)
{
	struct weir *w = opened(SOCK_SEQPACKET, NULL);
	pid_t pid = spawn(accepts, p);
	char data[64];

	check(!weir_connect(w, "/fork/pair") && !weir_send(w, "hello", 5, 0) &&
	      weir_recv(w, data, sizeof(data), HARD_DEADLINE_NS) == 5 &&
	      !tap_wait(pid), "a child accepts on a listener from before the fork");
	weir_close(w);
}

struct adopter {
	struct weir *pub;
	int tried[2];
};

static int adopts(void *arg)
{
	struct adopter *a = arg;
	int fd = dup(weir_fd(a->pub)), i;
	struct weir *w = NULL;

	weir_close(a->pub);
	if (weir_adopt(&w, fd, NULL) != -EBUSY)
		return 1;
	if (write(a->tried[1], "", 1) != 1)
		return 2;
	for (i = 0; weir_adopt(&w, fd, NULL); i++) {
		if (i == 1000)
			return 3;
		usleep(1000);
	}
	return weir_send(w, "adopted", 7, 0) ? 4 : 0;
}

static void adopted(struct parent *p)
{
	struct adopter a = { .pub = p->pub };
	char data[64];
	pid_t pid;

	need(!pipe(a.tried), "pipe");
	pid = spawn(adopts, &a);
	close(a.tried[1]);
	check(read(a.tried[0], data, 1) == 1,
	      "a child cannot adopt the socket that its parent has mapped");
	close(a.tried[0]);
	weir_close(p->pub);
	check(weir_recv(p->sub, data, sizeof(data), HARD_DEADLINE_NS) == 7,
	      "it can when its parent has closed it");
	check(!tap_wait(pid), "the child ends well");
}

int main(void)
{
	struct counters before;
	struct parent p = { 0 };
	int ret;

	hard_begin();
	before = counters();
	parent_begin(&p);
	ret = tap_wait(spawn(child, &p));
	check(!ret, "each call in the child is refused (%d)", ret);
	parent_end(&p);
	prefork(&p);
	adopted(&p);
	weir_close(p.sub);
	weir_close(p.lossy);
	weir_close(p.a);
	weir_close(p.b);
	weir_close(p.routed);
	weir_close(p.listener);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
