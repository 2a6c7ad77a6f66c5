// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl bench: how fast do two processes exchange messages? The other process
 * is a child of this one: a subscriber, or a service that answers each request
 * with itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir.h>

#include "weirctl.h"
#include "weirctl_json.h"
#include "weirctl_message.h"
#include "weirctl_unit.h"

#define WEIRCTL_BENCH_BYTES	64
#define WEIRCTL_BENCH_PUB	1000000	/* messages */
#define WEIRCTL_BENCH_REQ	100000
#define WEIRCTL_IDLE_NS		2000000000LL	/* a lossy reader's end */
#define WEIRCTL_WAIT_NS		5000000000LL

/**
 * struct weirctl_bench - one run
 * @o: the command line.
 * @path: path that the messages are sent to.
 * @count: number of messages.
 * @bytes: payload bytes of each message.
 * @child: the other process.
 * @fd: end of a pipe from the child: in the child the end for writing, in the
 *	parent the end for reading.
 */
struct weirctl_bench {
	const struct weirctl_options	*o;
	char				path[WEIR_PATH_MAX + 1];
	uint64_t			count;
	size_t				bytes;
	pid_t				child;
	int				fd;
};

/**
 * struct weirctl_got - what the subscriber reports when it ends
 * @messages: number of messages that it received.
 * @ns: time from the first message to the last.
 */
struct weirctl_got {
	uint64_t	messages;
	uint64_t	ns;
};

static void weirctl_bench_init(struct weirctl_bench *b,
			       const struct weirctl_options *o, uint64_t count)
{
	b->o = o;
	b->count = o->count ? o->count : count;
	b->bytes = o->size ? (size_t)o->size : WEIRCTL_BENCH_BYTES;
	if (o->argc)
		snprintf(b->path, sizeof(b->path), "%s", o->argv[0]);
	else
		snprintf(b->path, sizeof(b->path), "/weirctl/bench/%d",
			 (int)getpid());
	weirctl_catch_signals();
}

/* Has a child run @part, whose return value is its exit status. */
static int weirctl_bench_start(struct weirctl_bench *b,
			       int (*part)(struct weirctl_bench *b))
{
	int fds[2];

	if (pipe(fds))
		return weirctl_fail("pipe: %s", strerror(errno));
	fflush(stdout);
	b->child = fork();
	if (b->child < 0)
		return weirctl_fail("fork: %s", strerror(errno));
	if (!b->child) {
		close(fds[0]);
		b->fd = fds[1];
		_exit(part(b));
	}
	close(fds[1]);
	b->fd = fds[0];
	return WEIRCTL_OK;
}

static void weirctl_bench_stop(struct weirctl_bench *b)
{
	if (b->child > 0) {
		kill(b->child, SIGTERM);
		while (waitpid(b->child, NULL, 0) < 0 && errno == EINTR)
			;
		close(b->fd);
	}
}

/* --- publish and subscribe --- */

static int weirctl_bench_count(struct weirctl_bench *b, struct weir *w,
			       struct weirctl_got *got)
{
	uint64_t first = 0;
	struct weir_msg msg;
	int ret = 0;

	while (got->messages < b->count && ret >= 0 && !weirctl_stopped()) {
		ret = weir_peek(w, &msg);
		if (ret < 0)
			break;
		if (!ret) {
			ret = weir_wait(w, WEIR_WAIT_IN, 0, first ?
					WEIRCTL_IDLE_NS : WEIR_FOREVER);
			if (!ret)	/* a lossy reader misses the last ones */
				break;
			continue;
		}
		if (!first)
			first = weirctl_monotonic_ns();
		if (!weir_release(w, &msg))
			got->messages++;
		if (!(got->messages & 1023) || got->messages == b->count)
			got->ns = weirctl_monotonic_ns() - first;
	}
	return ret < 0 && !weirctl_stopped() ? ret : 0;
}

static int weirctl_bench_subscriber(struct weirctl_bench *b)
{
	struct weirctl_got got = { 0 };
	struct weir *w;
	int err = weir_open(&w, b->o->lossy ? SOCK_DGRAM : SOCK_RDM, NULL);

	if (!err)
		err = weir_subscribe(w, b->path);
	if (!err)
		err = weirctl_bench_count(b, w, &got);
	if (err)
		return weirctl_fail("subscriber: %s", weir_error());
	if (write(b->fd, &got, sizeof(got)) != sizeof(got))
		return WEIRCTL_FAILED;
	weir_close(w);
	return WEIRCTL_OK;
}

static int weirctl_bench_publish(struct weirctl_bench *b, struct weir *w,
				 struct weirctl_tally *t)
{
	struct weir_buf buf;
	int err = weir_bind(w, b->path);

	if (err || !weirctl_wait_readers(w, b->path, 1))
		return err;
	weirctl_tally_start(t);
	while (t->messages < b->count && !weirctl_stopped()) {
		err = weir_claim_wait(w, b->bytes, &buf, WEIR_FOREVER);
		if (err)
			return err;
		memset(buf.data, 0, b->bytes);
		weir_commit(w, &buf);
		weirctl_tally_add(t, b->bytes);
	}
	return 0;
}

static void weirctl_bench_pub_print(const struct weirctl_bench *b,
				    const struct weirctl_tally *t,
				    const struct weirctl_got *got)
{
	double rate = got->ns ? (double)got->messages * 1e9 / (double)got->ns :
		      0;
	char n[24], bytes[24];
	json_t *o;

	weirctl_tally_clear(t);
	if (!b->o->json) {
		printf("%llu messages of %zu bytes, %llu received: %s messages and %s bytes a second\n",
		       (unsigned long long)t->messages, b->bytes,
		       (unsigned long long)got->messages,
		       weirctl_rate(b->o, rate, n),
		       weirctl_rate(b->o, rate * (double)b->bytes, bytes));
		return;
	}
	o = json_object();
	weirctl_json_put(o, "messages", t->messages);
	weirctl_json_put(o, "size", b->bytes);
	weirctl_json_put(o, "received", got->messages);
	json_object_set_new(o, "messages_per_second", json_real(rate));
	weirctl_json_line(o);
}

/* weirctl bench [pub] [PATH] */
int weirctl_bench_pub(const struct weirctl_options *o)
{
	struct weirctl_bench b = { .fd = -1 };
	struct weirctl_got got = { 0 };
	struct weirctl_tally tally;
	struct weir *w;
	int ret, err;

	weirctl_bench_init(&b, o, WEIRCTL_BENCH_PUB);
	weirctl_tally_start(&tally);
	ret = weirctl_bench_start(&b, weirctl_bench_subscriber);
	if (ret)
		return ret;
	err = weir_open(&w, o->lossy ? SOCK_DGRAM : SOCK_RDM, NULL);
	if (!err)
		err = weirctl_bench_publish(&b, w, &tally);
	if (err)
		ret = weirctl_fail("%s", weir_error());
	else if (read(b.fd, &got, sizeof(got)) != sizeof(got))
		ret = weirctl_fail("the subscriber has failed, or was interrupted");
	else
		weirctl_bench_pub_print(&b, &tally, &got);
	weirctl_bench_stop(&b);
	weir_close(w);
	return ret;
}

/* --- requests --- */

static int weirctl_bench_answer(struct weir *w, struct weir_msg *msg)
{
	const struct weir_ticket ticket = weir_ticket(msg);
	int err = weir_reply(w, &ticket, msg->data, msg->len, WEIR_FOREVER);

	return err ? err : weir_release(w, msg);
}

static int weirctl_bench_answers(struct weir *w)
{
	struct weir_msg msg;
	int ret = 0;

	while (ret >= 0 && !weirctl_stopped()) {
		ret = weir_peek(w, &msg);
		if (ret == 1)
			ret = weirctl_bench_answer(w, &msg);
		else if (!ret)
			ret = weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
	}
	return ret < 0 && !weirctl_stopped() ? ret : 0;
}

static int weirctl_bench_service(struct weirctl_bench *b)
{
	struct weir *w;
	int err = weir_open(&w, SOCK_RDM, NULL);

	if (!err)
		err = weir_serve(w, b->path, 1, NULL);
	if (err)
		return weirctl_fail("service: %s", weir_error());
	/* it serves now */
	if (write(b->fd, "", 1) != 1)
		return WEIRCTL_FAILED;
	err = weirctl_bench_answers(w);
	if (err)
		weirctl_fail("service: %s", weir_error());
	weir_close(w);
	return err ? WEIRCTL_FAILED : WEIRCTL_OK;
}

static int weirctl_bench_call(struct weirctl_bench *b, struct weir *w,
			      struct weirctl_tally *t,
			      struct weirctl_times *times)
{
	char *data = weirctl_must(calloc(2, b->bytes));
	struct weir_call call = { .route = 0 };
	int64_t timeout = b->o->timeout_ns ? (int64_t)b->o->timeout_ns :
			  WEIRCTL_WAIT_NS;
	ssize_t n = weir_route(w, b->path);
	uint64_t start;

	call.route = n > 0 ? (uint32_t)n : 0;
	weirctl_tally_start(t);
	while (n >= 0 && t->messages < b->count && !weirctl_stopped()) {
		start = weirctl_monotonic_ns();
		n = weir_call(w, &call, data, b->bytes, data + b->bytes,
			      b->bytes, timeout);
		if (n < 0)
			break;
		weirctl_times_add(times, weirctl_monotonic_ns() - start);
		weirctl_tally_add(t, b->bytes);
	}
	free(data);
	return n < 0 && !weirctl_stopped() ? (int)n : 0;
}

static void weirctl_bench_req_print(const struct weirctl_bench *b,
				    const struct weirctl_tally *t,
				    struct weirctl_times *times)
{
	json_t *o = weirctl_tally_json(t);
	char rate[24], p50[24], p99[24], p999[24];
	double n = json_real_value(json_object_get(o, "messages_per_second"));

	weirctl_tally_clear(t);
	weirctl_times_sort(times);
	if (b->o->json) {
		weirctl_json_put(o, "size", b->bytes);
		weirctl_times_json(times, o);
		weirctl_json_line(o);
		return;
	}
	printf("%llu requests of %zu bytes, one at a time: %s a second; median %s, 99%% %s, 99.9%% %s\n",
	       (unsigned long long)t->messages, b->bytes,
	       weirctl_rate(b->o, n, rate),
	       weirctl_time(b->o, weirctl_times_at(times, 50), p50),
	       weirctl_time(b->o, weirctl_times_at(times, 99), p99),
	       weirctl_time(b->o, weirctl_times_at(times, 99.9), p999));
	json_decref(o);
}

/* weirctl bench req [PATH] */
int weirctl_bench_req(const struct weirctl_options *o)
{
	struct weirctl_bench b = { .fd = -1 };
	struct weirctl_times times = { 0 };
	struct weirctl_tally tally;
	struct weir *w = NULL;
	char ready;
	int ret;

	weirctl_bench_init(&b, o, WEIRCTL_BENCH_REQ);
	ret = weirctl_bench_start(&b, weirctl_bench_service);
	if (ret)
		return ret;
	if (read(b.fd, &ready, 1) != 1)
		ret = WEIRCTL_FAILED;	/* the service has said why */
	else if (weir_open(&w, SOCK_RDM, NULL) ||
		 weirctl_bench_call(&b, w, &tally, &times))
		ret = weirctl_fail("%s", weir_error());
	else
		weirctl_bench_req_print(&b, &tally, &times);
	weirctl_bench_stop(&b);
	weir_close(w);
	free(times.ns);
	return ret;
}
