// SPDX-License-Identifier: GPL-2.0
/*
 * Loops: threads that serve a path, that end when told to or when one fails,
 * and coroutines in them that call others. The thread sanitizer does not know
 * the C library's contexts, so under it there are no coroutines.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "../../../userlib/weir_loop.h"
#include "../../tap/tap.h"
#include "../model/model.h"

#define MS	1000000LL

#ifdef __SANITIZE_THREAD__
#define COROUTINES	0
#else
#define COROUTINES	1
#endif

static const struct weir_config handles = {
	.ring_bytes = 65536,
	.inbox_bytes = 65536,
};

/**
 * struct run - a loop in a thread
 * @config: what it does.
 * @thread: where.
 * @ret: what weir_loop_run() returned.
 * @words: and why.
 */
struct run {
	struct weir_loop_config	config;
	pthread_t		thread;
	int			ret;
	char			words[256];
};

static void *run_main(void *arg)
{
	struct run *run = arg;

	run->ret = weir_loop_run(&run->config);
	if (run->ret)
		strncpy(run->words, weir_error(), sizeof(run->words) - 1);
	return NULL;
}

static void run_begin(struct run *run)
{
	run->config.config = &handles;
	tap_need(!pthread_create(&run->thread, NULL, run_main, run));
}

static void run_end(struct run *run)
{
	weir_loop_stop();
	tap_need(!pthread_join(run->thread, NULL));
}

static struct weir *client(void)
{
	struct weir *w;

	tap_need(!weir_open(&w, SOCK_RDM, &handles));
	return w;
}

/* Until the path is served. */
static void await(struct weir *w, const char *path)
{
	struct weir_call call = { .route = (uint32_t)weir_route(w, path) };

	while (weir_call(w, &call, "", 0, NULL, 0, 1000 * MS) == -EHOSTUNREACH)
		sched_yield();
}

/* --- threads --- */

static uint32_t handled[CPU_SETSIZE], started, stopped;

static void echo(struct weir_worker *worker, const struct weir_msg *msg,
		 struct weir_ticket ticket)
{
	__atomic_fetch_add(&handled[worker->index], 1, __ATOMIC_RELAXED);
	tap_need(!weir_worker_reply(worker, ticket, msg->data, msg->len));
}

static int start(struct weir_worker *worker)
{
	tap_need(worker->w && worker->arg == handled);
	__atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
	return 0;
}

static void stop(struct weir_worker *worker)
{
	(void)worker;
	__atomic_fetch_add(&stopped, 1, __ATOMIC_RELAXED);
}

/**
 * struct answers - what a client got
 * @good: replies as they should be.
 * @bad: others.
 * @last: error of the last of those.
 * @want: bytes of a reply.
 */
struct answers {
	int		good;
	int		bad;
	int		last;
	uint32_t	want;
};

static void answered(void *arg, int err, const struct weir_msg *msg)
{
	struct answers *a = arg;

	if (!err && msg->len == a->want) {
		a->good++;
	} else {
		a->bad++;
		a->last = err;
	}
}

/* Sends @n requests, @window at a time, and waits for all answers. */
static void ask(struct weir *w, const char *path, int n, uint32_t window,
		struct answers *a)
{
	struct weir_call call = { .route = (uint32_t)weir_route(w, path) };
	struct weir_calls *c = weir_calls_create(w, window);
	int sent = 0, ret;

	tap_need(c);
	memset(a, 0, sizeof(*a));
	a->want = 10;
	while (sent < n || weir_calls_pending(c)) {
		while (sent < n) {
			ret = weir_calls_send(c, &call, "0123456789", 10,
					      answered, a);
			if (ret == -EAGAIN)
				break;
			tap_need(!ret);
			sent++;
		}
		ret = weir_calls_run(c, 1000 * MS);
		tap_need(ret >= 0);
	}
	weir_calls_destroy(c);
}

/* Threads that have handled something. */
static unsigned int busy(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < CPU_SETSIZE; i++)
		n += !!__atomic_load_n(&handled[i], __ATOMIC_RELAXED);
	return n;
}

static void test_echo(void)
{
	struct run run = { .config = {
		.path = "/echo",
		.handler = echo,
		.on_start = start,
		.on_stop = stop,
		.arg = handled,
	} };
	unsigned int i, n = 0, asked = 1, threads;
	struct weir *w = client();
	struct answers a;
	cpu_set_t cpus;

	tap_need(!sched_getaffinity(0, sizeof(cpus), &cpus));
	threads = (unsigned int)CPU_COUNT(&cpus);
	run_begin(&run);
	await(w, "/echo");
	/* until the last thread has come and had its share */
	do {
		ask(w, "/echo", 2000, 64, &a);
		asked += 2000;
		tap_need(a.good == 2000 && !a.bad);
	} while (busy() < threads);
	tap_ok(started == threads, "requests are answered by %u threads",
	       threads);
	run_end(&run);
	for (i = 0; i < threads; i++)
		n += handled[i];
	tap_ok(n == asked, "each once");
	tap_ok(!run.ret && stopped == threads, "they end when told to");
	tap_ok(weir_call(w, &(struct weir_call){ .route = 1 }, "", 0, NULL, 0,
			 1000 * MS) == -EHOSTUNREACH, "then nobody serves");
	weir_close(w);
}

static int fail(struct weir_worker *worker)
{
	struct weir_config bad = { .set = 0x80 };
	struct weir *w;

	(void)worker;
	/* for the words */
	tap_need(weir_open(&w, SOCK_RDM, &bad) == -EINVAL);
	return -EINVAL;
}

static void test_ends(void)
{
	struct run run = { .config = { .path = "/echo", .handler = echo } };
	cpu_set_t none;

	run.config.config = &handles;
	weir_loop_stop();
	run_main(&run);
	tap_ok(!run.ret, "a stop that comes early holds");
	run.config.on_start = fail;
	run_main(&run);
	tap_ok(run.ret == -EINVAL && strstr(run.words, "0x80"),
	       "the first error is returned, with its words: %s", run.words);
	run.config.on_start = NULL;
	run.config.calls = WEIR_CALLS_MAX + 1;
	run_main(&run);
	tap_ok(run.ret == -EINVAL, "too many calls: %s", run.words);
	run.config.calls = 0;
	run.config.path = "echo";
	run_main(&run);
	tap_ok(run.ret == -EINVAL, "a path that cannot be served: %s",
	       run.words);
	CPU_ZERO(&none);
	run.config.cpus = &none;
	run_main(&run);
	tap_ok(run.ret == -EINVAL, "no CPU: %s", run.words);
	run.config.handler = NULL;
	run_main(&run);
	tap_ok(run.ret == -EINVAL, "no handler: %s", run.words);
}

/* --- coroutines --- */

/* Asks another service twice, and once one that refuses. */
static void relay(struct weir_worker *worker, const struct weir_msg *msg,
		  struct weir_ticket ticket)
{
	struct weir_call call = { .route = 1 }, bad = { .route = 2 };
	char text[16], back[16];
	uint32_t len = msg->len;
	ssize_t n;

	memcpy(text, msg->data, len);
	n = weir_co_call(worker, &call, text, len, back, sizeof(back));
	tap_need(n == (ssize_t)len && !memcmp(back, text, len));
	tap_need(weir_co_call(worker, &bad, text, len, back, sizeof(back)) ==
		 -EBUSY && strstr(weir_error(), "bulkhead"));
	n = weir_co_call(worker, &call, text, len, back, 4);
	tap_need(n == (ssize_t)len && !memcmp(back, text, len < 4 ? len : 4));
	tap_need(!weir_worker_reply(worker, ticket, text, len));
}

static int relay_start(struct weir_worker *worker)
{
	tap_need(weir_route(worker->w, worker->arg) == 1);
	tap_need(weir_route(worker->w, "/fault/16") == 2);
	return 0;
}

static void test_coroutines(uint32_t n, const char *behind)
{
	struct run back = { .config = { .path = behind, .handler = echo } };
	struct run run = { .config = {
		.path = "/relay",
		.handler = relay,
		.on_start = relay_start,
		.coroutines = n,
		.arg = (void *)behind,
	} };
	struct weir *w = client();
	struct answers a;

	run_begin(&back);
	run_begin(&run);
	await(w, behind);
	await(w, "/relay");
	ask(w, "/relay", 500, 128, &a);
	tap_ok(a.good == 500 && !a.bad,
	       "500 requests that each make 3 calls, %u at a time, to %s", n,
	       behind);
	/* one word ends both */
	run_end(&run);
	tap_need(!pthread_join(back.thread, NULL));
	tap_ok(!run.ret && !back.ret, "and an end");
	weir_close(w);
}

/* --- answers behind a request that has to wait --- */

static int parts;

static void part(void *arg, int err, const struct weir_msg *msg)
{
	(void)arg;
	(void)msg;
	tap_need(!err);
	__atomic_fetch_add(&parts, 1, __ATOMIC_RELAXED);
}

/* Asks three, and waits for a fourth. */
static void gather(struct weir_worker *worker, const struct weir_msg *msg,
		   struct weir_ticket ticket)
{
	struct weir_call all = { .route = 1 }, gate = { .route = 2 };

	if (msg->len) {
		tap_need(!weir_calls_send(worker->calls, &all, "x", 1, part,
					  NULL));
		tap_need(!weir_co_call(worker, &gate, "", 0, NULL, 0));
	}
	tap_need(!weir_worker_reply(worker, ticket, "x", 1));
}

static int gather_start(struct weir_worker *worker)
{
	tap_need(weir_route(worker->w, "/all/part") == 1);
	tap_need(weir_route(worker->w, "/gate") == 2);
	return 0;
}

static struct weir *serve(const char *path)
{
	struct weir *w = client();

	tap_need(!weir_serve(w, path, 1, NULL));
	return w;
}

/* Waits for one message, and answers it if it is a request. */
static void answer_one(struct weir *w)
{
	struct weir_ticket ticket;
	struct weir_msg msg;

	while (weir_peek(w, &msg) != 1)
		tap_need(weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER) >= 0);
	ticket = weir_ticket(&msg);
	weir_release(w, &msg);
	tap_need(!weir_reply(w, &ticket, "", 0, 0));
}

static void test_ahead(void)
{
	struct run run = { .config = {
		.path = "/gather",
		.handler = gather,
		.on_start = gather_start,
		.coroutines = 1,
		.calls = 4,
	} };
	struct timespec nap = { .tv_nsec = 2 * MS };
	struct weir_call call = { 0 };
	struct weir *w = client(), *in[3], *gate = serve("/gate");
	struct weir_buf buf;
	cpu_set_t cpu;
	int i, k;

	for (i = 0; i < 3; i++)
		in[i] = serve("/all/part");
	tap_need(!sched_getaffinity(0, sizeof(cpu), &cpu));
	for (i = 0; !CPU_ISSET(i, &cpu); i++)
		;
	CPU_ZERO(&cpu);
	CPU_SET(i, &cpu);
	run.config.cpus = &cpu;
	run_begin(&run);
	await(w, "/gather");
	call.route = (uint32_t)weir_route(w, "/gather");
	for (i = 0; i < 2; i++) {
		tap_need(!weir_call_claim(w, &call, 1, &buf));
		weir_call_commit_more(w, &call, &buf);
	}
	weir_flush(w);
	for (k = 0; k < 2; k++) {
		for (i = 0; i < 3; i++) {
			answer_one(in[i]);
			/* looks meanwhile */
			clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		}
		answer_one(gate);
	}
	for (k = 0; k < 2; k++)
		answer_one(w);
	tap_ok(parts == 6, "of several replies each is handled once: %d of 6",
	       parts);
	run_end(&run);
	tap_ok(!run.ret, "and an end");
	for (i = 0; i < 3; i++)
		weir_close(in[i]);
	weir_close(gate);
	weir_close(w);
}

static void lost(struct weir_worker *worker, const struct weir_msg *msg,
		 struct weir_ticket ticket)
{
	(void)msg;
	(void)ticket;
	tap_need(weir_co_call(worker, &(struct weir_call){ .route = 1 }, "", 0,
			      NULL, 0) == -EINVAL);
}

static void test_no_coroutine(void)
{
	struct run run = { .config = { .path = "/lost", .handler = lost } };
	struct weir_call call = { .one_way = 1 };
	struct weir *w = client();

	run_begin(&run);
	call.route = (uint32_t)weir_route(w, "/lost");
	/* comes nowhere until it is served; at the end it is handled */
	tap_need(!weir_call(w, &call, "", 0, NULL, 0, 1000 * MS));
	run_end(&run);
	tap_ok(!run.ret, "a handler without a stack of its own can't wait");
	weir_close(w);
}

int main(void)
{
	tap_alarm(TAP_SECONDS);
	test_echo();
	test_ends();
	test_no_coroutine();
	if (COROUTINES) {
		test_coroutines(256, "/echo");
		test_coroutines(3, "/echo");
		test_coroutines(1, "/echo");
		/* several replies to each call, of which the first counts */
		test_coroutines(20, "/all/echo");
		test_ahead();
	} else {
		tap_skip("coroutines", "the thread sanitizer does not know them");
	}
	tap_ok(!model_lost_wakeups, "nobody slept in vain");
	return tap_done();
}
