// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl pub and weirctl sub: publish messages, and show those that are
 * published.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <weir.h>

#include "weirctl.h"
#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_message.h"

#define WEIRCTL_LOOK_NS		10000000	/* between two looks for readers */

/* --- pub --- */

/* Subscribers of our stream, as the kernel lists them; 0 if it does not. */
static uint64_t weirctl_readers(struct weir *w, const char *path)
{
	struct weirctl_list streams;
	uint64_t readers = 0;
	size_t i;

	weirctl_list_try(w, WEIR_LIST_STREAMS, &streams);
	for (i = 0; i < streams.count; i++) {
		const struct weir_list_entry *e = &streams.entries[i];

		if (e->pid == (uint32_t)getpid() && !strcmp(e->name, path))
			readers = e->count;
	}
	weirctl_list_free(&streams);
	return readers;
}

/* Waits until as many subscribers read the stream; false to end. */
bool weirctl_wait_readers(struct weir *w, const char *path, uint64_t readers)
{
	const struct timespec pause = { .tv_nsec = WEIRCTL_LOOK_NS };

	while (!weirctl_stopped() && weirctl_readers(w, path) < readers)
		nanosleep(&pause, NULL);
	return !weirctl_stopped();
}

static int weirctl_publish(struct weir *w, const struct weirctl_options *o,
			   struct weirctl_source *s, struct weirctl_tally *t)
{
	const void *data;
	size_t len;
	int err = 0;

	if (!weirctl_wait_readers(w, o->argv[0], o->readers))
		return 0;
	weirctl_tally_start(t);
	while (!err && weirctl_pace(t, o->rate) &&
	       weirctl_source_next(s, &data, &len)) {
		err = weir_send(w, data, len, WEIR_FOREVER);
		if (!err)
			weirctl_tally_add(t, len);
	}
	return err == -EINTR && weirctl_stopped() ? 0 : err;
}

/* weirctl pub PATH [MESSAGE]... */
int weirctl_pub(const struct weirctl_options *o)
{
	struct weirctl_source source;
	struct weirctl_tally tally;
	struct weir *w;
	int ret = weirctl_source_open(&source, o), err;

	if (ret) {
		weirctl_source_close(&source);
		return ret;
	}
	weirctl_catch_signals();
	err = weir_open(&w, o->lossy ? SOCK_DGRAM : SOCK_RDM, NULL);
	if (!err)
		err = weir_bind(w, o->argv[0]);
	weirctl_tally_start(&tally);
	if (!err)
		err = weirctl_publish(w, o, &source, &tally);
	if (err)
		ret = weirctl_fail("%s", weir_error());
	else
		weirctl_tally_end(&tally, o);
	weir_close(w);
	weirctl_source_close(&source);
	return ret;
}

/* --- sub --- */

static void weirctl_show_message(const struct weirctl_options *o,
				 const struct weir_msg *msg)
{
	const char *path = weir_stream_path(msg->stream);
	json_t *object;

	if (!o->json) {
		if (!o->raw)
			printf("%s: ", path);
		weirctl_payload_print(o, msg->data, msg->len);
		return;
	}
	object = json_object();
	json_object_set_new(object, "path", weirctl_json_text(path));
	weirctl_json_put(object, "seq", msg->seq);
	weirctl_json_put(object, "missed", weir_stream_missed(msg->stream));
	weirctl_payload_json(object, msg->data, msg->len);
	weirctl_json_line(object);
}

/* One stream has failed; the others go on. */
static bool weirctl_stream_failed(const struct weir_msg *msg, int err)
{
	if (err != -ESTALE && err != -EPROTO)
		return false;
	weirctl_fail("%s: %s", weir_stream_path(msg->stream), err == -ESTALE ?
		     "too slow, evicted" : "its publisher wrote nonsense");
	return true;
}

static int weirctl_take_message(struct weir *w, const struct weirctl_options *o,
				struct weir_msg *msg, struct weirctl_tally *t)
{
	weirctl_tally_clear(t);
	weirctl_show_message(o, msg);
	if (!weir_release(w, msg))
		weirctl_tally_add(t, msg->len);
	return 0;
}

/* weirctl sub PATTERN */
int weirctl_sub(const struct weirctl_options *o)
{
	/* what is shown is progress enough */
	const struct weirctl_receiver receiver = {
		.type = o->lossy ? SOCK_DGRAM : SOCK_RDM,
		.begin = weir_subscribe,
		.take = weirctl_take_message,
		.failed = weirctl_stream_failed,
		.quiet = true,
	};

	return weirctl_receive(o, &receiver);
}
