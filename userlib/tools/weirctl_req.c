// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl req and weirctl ping: call a service, and show its replies or how long
 * they take.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <weir.h>

#include "weirctl.h"
#include "weirctl_json.h"
#include "weirctl_message.h"
#include "weirctl_unit.h"

#define WEIRCTL_TIMEOUT_NS	5000000000LL	/* of a request, by default */
#define WEIRCTL_REPLY		(1 << 20)	/* bytes of a reply that are shown */
#define WEIRCTL_WORDS		400	/* bytes of an error that are shown */
#define WEIRCTL_PING_BYTES	56		/* as ping(8) has it */

/**
 * struct weirctl_caller - a service that is called
 * @o: the command line.
 * @w: handle.
 * @call: options of each request.
 * @reply: the last reply, or the error's payload.
 * @len: bytes of the last reply; more than WEIRCTL_REPLY: it was cut.
 * @took_ns: time that the last call took.
 * @words: why the last call failed.
 * @tally: calls, and those that failed.
 */
struct weirctl_caller {
	const struct weirctl_options	*o;
	struct weir			*w;
	struct weir_call		call;
	char				*reply;
	ssize_t				len;
	uint64_t			took_ns;
	char				words[WEIRCTL_WORDS + 64];
	struct weirctl_tally		tally;
};

static int weirctl_caller_open(struct weirctl_caller *c,
			       const struct weirctl_options *o)
{
	int handle = weir_open(&c->w, SOCK_RDM, NULL);

	c->o = o;
	c->reply = weirctl_must(malloc(WEIRCTL_REPLY));
	if (!handle)
		handle = weir_route(c->w, o->argv[0]);
	if (handle < 0)
		return weirctl_fail("%s", weir_error());
	c->call.route = (uint32_t)handle;
	c->call.flags = o->wait ? WEIR_REC_WAIT : 0;
	weirctl_tally_start(&c->tally);
	return WEIRCTL_OK;
}

static void weirctl_caller_close(struct weirctl_caller *c)
{
	weir_close(c->w);
	free(c->reply);
}

/*
 * The words of a failure: those of the router, or the error that the service
 * sent.
 */
static void weirctl_caller_words(struct weirctl_caller *c)
{
	char *at;

	if (c->len != -EREMOTEIO || !c->reply[0]) {
		snprintf(c->words, sizeof(c->words), "%s", weir_error());
		return;
	}
	snprintf(c->words, sizeof(c->words), "the service answers with an error: %.*s",
		 WEIRCTL_WORDS, c->reply);
	for (at = c->words; *at; at++) {
		if (!isprint((unsigned char)*at))
			*at = ' ';
	}
}

/* Calls once: the length of the reply, or -errno with the reason in words. */
static ssize_t weirctl_caller_call(struct weirctl_caller *c, const void *data,
				   size_t len)
{
	const struct weirctl_options *o = c->o;
	uint64_t start = weirctl_monotonic_ns();

	/* the length of an error is not told */
	memset(c->reply, 0, WEIRCTL_WORDS);
	c->len = weir_call(c->w, &c->call, data, len, c->reply, WEIRCTL_REPLY,
			   o->timeout_ns ? (int64_t)o->timeout_ns :
			   WEIRCTL_TIMEOUT_NS);
	c->took_ns = weirctl_monotonic_ns() - start;
	if (c->len >= 0) {
		weirctl_tally_add(&c->tally, (size_t)c->len);
		return c->len;
	}
	c->tally.failed++;
	weirctl_caller_words(c);
	return c->len;
}

static size_t weirctl_reply_len(const struct weirctl_caller *c)
{
	return c->len < WEIRCTL_REPLY ? (size_t)c->len : WEIRCTL_REPLY;
}

/* --- req --- */

static void weirctl_reply_json(const struct weirctl_caller *c)
{
	json_t *o = json_object();

	weirctl_json_put(o, "took_ns", c->took_ns);
	if (c->len >= 0)
		weirctl_payload_json(o, c->reply, weirctl_reply_len(c));
	else
		json_object_set_new(o, "error", json_string(c->words));
	weirctl_json_line(o);
}

static void weirctl_reply_show(const struct weirctl_caller *c)
{
	if (c->o->json)
		weirctl_reply_json(c);
	else if (c->len >= 0)
		weirctl_payload_print(c->o, c->reply, weirctl_reply_len(c));
	else
		weirctl_fail("%s", c->words);
	if (c->len > WEIRCTL_REPLY)
		weirctl_fail("the reply of %zd bytes was cut to 1M", c->len);
	fflush(stdout);
}

/* weirctl req PATH [MESSAGE]... */
int weirctl_req(const struct weirctl_options *o)
{
	struct weirctl_caller c = { .o = o };
	struct weirctl_source source;
	const void *data;
	size_t len;
	int ret = weirctl_source_open(&source, o);

	weirctl_catch_signals();
	if (!ret)
		ret = weirctl_caller_open(&c, o);
	while (!ret && weirctl_pace(&c.tally, o->rate) &&
	       weirctl_source_next(&source, &data, &len)) {
		if (weirctl_caller_call(&c, data, len) == -EINTR &&
		    weirctl_stopped())
			break;
		weirctl_tally_clear(&c.tally);
		weirctl_reply_show(&c);
	}
	if (!ret && c.tally.failed)
		ret = WEIRCTL_FAILED;
	weirctl_caller_close(&c);
	weirctl_source_close(&source);
	return ret;
}

/* --- ping --- */

static void weirctl_ping_line(const struct weirctl_caller *c)
{
	char b[24];

	if (c->o->json)
		weirctl_reply_json(c);
	else if (c->len >= 0)
		printf("%s: %zd bytes, %s\n", c->o->argv[0], c->len,
		       weirctl_time(c->o, c->took_ns, b));
	else
		printf("%s: %s\n", c->o->argv[0], c->words);
	fflush(stdout);
}

static void weirctl_ping_end(struct weirctl_caller *c,
			     struct weirctl_times *times)
{
	const struct weirctl_options *o = c->o;
	char min[24], p50[24], p99[24], max[24];
	json_t *all;

	weirctl_times_sort(times);
	if (o->json) {
		all = weirctl_tally_json(&c->tally);
		weirctl_times_json(times, all);
		weirctl_json_line(all);
		return;
	}
	printf("%llu replies, %llu failed", (unsigned long long)
	       c->tally.messages, (unsigned long long)c->tally.failed);
	if (times->count)
		printf("; least %s, median %s, 99%% %s, most %s",
		       weirctl_time(o, weirctl_times_at(times, 0), min),
		       weirctl_time(o, weirctl_times_at(times, 50), p50),
		       weirctl_time(o, weirctl_times_at(times, 99), p99),
		       weirctl_time(o, weirctl_times_at(times, 100), max));
	putchar('\n');
}

/* weirctl ping PATH */
int weirctl_ping(const struct weirctl_options *o)
{
	size_t bytes = o->size ? (size_t)o->size : WEIRCTL_PING_BYTES;
	char *data = weirctl_must(calloc(1, bytes));
	struct weirctl_caller c = { .o = o };
	struct weirctl_times times = { 0 };
	double rate = o->rate > 0 ? o->rate : 1;
	int ret = weirctl_caller_open(&c, o);

	weirctl_catch_signals();
	/* each reply has a line: that is progress enough */
	c.tally.tty = false;
	while (!ret && weirctl_pace(&c.tally, rate) &&
	       (!o->count || c.tally.messages + c.tally.failed < o->count)) {
		if (weirctl_caller_call(&c, data, bytes) >= 0) {
			weirctl_times_add(&times, c.took_ns);
		} else if (weirctl_stopped()) {
			c.tally.failed--;
			break;
		}
		weirctl_ping_line(&c);
	}
	if (!ret) {
		weirctl_ping_end(&c, &times);
		ret = c.tally.messages ? WEIRCTL_OK : WEIRCTL_FAILED;
	}
	weirctl_caller_close(&c);
	free(times.ns);
	free(data);
	return ret;
}
