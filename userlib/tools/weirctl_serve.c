// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl serve: answer the requests to a path, one after another, with what a
 * command says. Without a command, the answer to a request is its own payload.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <weir.h>

#include "weirctl.h"
#include "weirctl_json.h"
#include "weirctl_message.h"

/**
 * struct weirctl_answer - the answer to a request
 * @data: payload; owned if @run.out is it.
 * @len: bytes of @data.
 * @bad: the answer is an error.
 * @status: exit status of the command, as weirctl_run() returns it.
 * @words: payload of an error without any output.
 * @run: the command.
 */
struct weirctl_answer {
	const void		*data;
	size_t			len;
	bool			bad;
	int			status;
	char			words[256];
	struct weirctl_run	run;
};

/* Why there is no reply of the command, in words. */
static void weirctl_answer_words(struct weirctl_answer *a)
{
	const char *name = a->run.argv[0];

	if (a->status == -ETIME)
		snprintf(a->words, sizeof(a->words),
			 "%.100s took too long, and was killed", name);
	else if (a->status < 0)
		snprintf(a->words, sizeof(a->words), "%.100s: %s", name,
			 strerror(-a->status));
	else if (a->status > 128)
		snprintf(a->words, sizeof(a->words),
			 "%.100s was killed by signal %d", name,
			 a->status - 128);
	else
		snprintf(a->words, sizeof(a->words), "%.100s: exit status %d",
			 name, a->status);
}

/* The caller gives up at the request's deadline, so the command need not go on. */
static uint64_t weirctl_answer_time(const struct weirctl_options *o,
				    const struct weir_msg *msg)
{
	uint64_t deadline = weir_msg_deadline(msg), now, left;

	if (!deadline)
		return o->timeout_ns;
	now = weirctl_monotonic_ns();
	left = deadline > now ? deadline - now : 1;
	return o->timeout_ns && o->timeout_ns < left ? o->timeout_ns : left;
}

static void weirctl_answer_make(struct weirctl_answer *a,
				const struct weirctl_options *o,
				const struct weir_msg *msg)
{
	memset(a, 0, sizeof(*a));
	if (o->argc == 1) {
		a->data = msg->data;
		a->len = msg->len;
		return;
	}
	a->run.argv = o->argv + 1;
	a->run.in = msg->data;
	a->run.len = msg->len;
	a->run.timeout_ns = weirctl_answer_time(o, msg);
	a->status = weirctl_run(&a->run);
	a->bad = a->status != 0;
	a->data = a->run.out;
	a->len = a->run.out_len;
	if (!a->bad)
		return;
	weirctl_answer_words(a);
	weirctl_fail("%s", a->words);
	if (!a->len) {
		a->data = a->words;
		a->len = strlen(a->words);
	}
}

static int weirctl_answer_send(struct weir *w, const struct weir_msg *msg,
			       const struct weirctl_answer *a)
{
	const struct weir_ticket ticket = weir_ticket(msg);

	return (a->bad ? weir_reply_error : weir_reply)(w, &ticket, a->data,
							a->len, WEIR_FOREVER);
}

static void weirctl_answer_line(const struct weirctl_options *o,
				const struct weir_msg *msg,
				const struct weirctl_answer *a)
{
	json_t *object;

	if (!o->json)
		return;
	object = json_object();
	weirctl_json_put(object, "bytes", msg->len);
	weirctl_json_put(object, "reply_bytes", a->len);
	json_object_set_new(object, "status", json_integer(a->status));
	if (a->bad)
		json_object_set_new(object, "error",
				    weirctl_json_text(a->words));
	weirctl_json_line(object);
	fflush(stdout);
}

/* Answers a request, and releases it. */
static int weirctl_serve_one(struct weir *w, const struct weirctl_options *o,
			     struct weir_msg *msg, struct weirctl_tally *t)
{
	struct weirctl_answer answer;
	int err;

	weirctl_answer_make(&answer, o, msg);
	err = weirctl_answer_send(w, msg, &answer);
	if (err == -EMSGSIZE) {
		weirctl_fail("%s", weir_error());
		snprintf(answer.words, sizeof(answer.words),
			 "the reply of %zu bytes is too large", answer.len);
		answer.bad = true;
		answer.data = answer.words;
		answer.len = strlen(answer.words);
		err = weirctl_answer_send(w, msg, &answer);
	}
	weirctl_answer_line(o, msg, &answer);
	free(answer.run.out);
	if (!err)
		weirctl_tally_add(t, msg->len);
	return err ? err : weir_release(w, msg);
}

static int weirctl_serve_begin(struct weir *w, const char *path)
{
	return weir_serve(w, path, 1, NULL);
}

/* weirctl serve PATH [COMMAND [ARGUMENT]...] */
int weirctl_serve(const struct weirctl_options *o)
{
	static const struct weirctl_receiver receiver = {
		.type = SOCK_RDM,
		.begin = weirctl_serve_begin,
		.take = weirctl_serve_one,
	};

	return weirctl_receive(o, &receiver);
}
