// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * What the commands that send and receive messages share: where the messages
 * come from, how they are received, the rate, progress, times, and how a payload
 * is shown.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_json.h"
#include "weirctl_message.h"
#include "weirctl_unit.h"

#define WEIRCTL_SECOND		1000000000ULL
#define WEIRCTL_FILE_MAX	(64 << 20)	/* bytes of a message from a file */

/* --- the end --- */

static volatile sig_atomic_t weirctl_caught;

static void weirctl_on_catch(int sig)
{
	(void)sig;
	weirctl_caught = 1;
}

/* An interrupt ends what runs, and the summary still comes. */
void weirctl_catch_signals(void)
{
	struct sigaction act = { .sa_handler = weirctl_on_catch };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

bool weirctl_stopped(void)
{
	return weirctl_caught || ferror(stdout);
}

/* --- time --- */

uint64_t weirctl_monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * WEIRCTL_SECOND + (uint64_t)t.tv_nsec;
}

/* Waits until the next message is due at this rate; false to end. */
bool weirctl_pace(const struct weirctl_tally *t, double rate)
{
	uint64_t n = t->messages + t->failed, due;
	struct timespec at;

	if (rate <= 0 || weirctl_stopped())
		return !weirctl_stopped();
	due = t->start_ns + (uint64_t)((double)n / rate * 1e9);
	at.tv_sec = (time_t)(due / WEIRCTL_SECOND);
	at.tv_nsec = (long)(due % WEIRCTL_SECOND);
	while (!weirctl_stopped() &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL))
		;
	return !weirctl_stopped();
}

/* --- where messages come from --- */

static int weirctl_source_file(struct weirctl_source *s, const char *name)
{
	FILE *in = fopen(name, "re");
	size_t n;

	if (!in)
		return weirctl_fail("%s: %s", name, strerror(errno));
	s->text = weirctl_must(malloc(WEIRCTL_FILE_MAX + 1));
	n = fread(s->text, 1, WEIRCTL_FILE_MAX + 1, in);
	if (ferror(in) || n > WEIRCTL_FILE_MAX) {
		fclose(in);
		return weirctl_fail("%s: %s", name, n > WEIRCTL_FILE_MAX ?
				    "a message has at most 64M" :
				    strerror(errno));
	}
	fclose(in);
	s->len = n;
	return WEIRCTL_OK;
}

int weirctl_source_open(struct weirctl_source *s,
			const struct weirctl_options *o)
{
	memset(s, 0, sizeof(*s));
	s->o = o;
	if (!o->file)
		return WEIRCTL_OK;
	if (o->argc > 1)
		return weirctl_misuse("messages come from --file or from the command line");
	return weirctl_source_file(s, o->file);
}

static bool weirctl_source_line(struct weirctl_source *s, const void **data,
				size_t *len)
{
	ssize_t n = getline(&s->text, &s->room, stdin);

	if (n < 0)
		return false;
	if (n && s->text[n - 1] == '\n')
		n--;
	*data = s->text;
	*len = (size_t)n;
	return true;
}

/* The next message; false when there is none. */
bool weirctl_source_next(struct weirctl_source *s, const void **data,
			 size_t *len)
{
	const struct weirctl_options *o = s->o;
	uint64_t words = (uint64_t)o->argc - 1, n = s->next++;

	if (o->count && n >= o->count)
		return false;
	if (!words && !o->file)
		return weirctl_source_line(s, data, len);
	if (!o->count && n >= (words ? words : 1))
		return false;
	*data = words ? o->argv[1 + n % words] : s->text;
	*len = words ? strlen(*data) : s->len;
	return true;
}

void weirctl_source_close(struct weirctl_source *s)
{
	free(s->text);
}

/* --- what was sent or received --- */

void weirctl_tally_start(struct weirctl_tally *t)
{
	memset(t, 0, sizeof(*t));
	t->tty = isatty(STDERR_FILENO);
	t->start_ns = weirctl_monotonic_ns();
	t->shown_ns = t->start_ns;
}

static double weirctl_tally_rate(const struct weirctl_tally *t)
{
	double ns = (double)(weirctl_monotonic_ns() - t->start_ns);

	return ns > 0 ? (double)t->messages * 1e9 / ns : 0;
}

/* Counts a message, and shows progress on a terminal once a second. */
void weirctl_tally_add(struct weirctl_tally *t, size_t bytes)
{
	const struct weirctl_options plain = { .exact = false };
	char n[24], rate[24];
	uint64_t now;

	t->messages++;
	t->bytes += bytes;
	/* the clock is not read for each of many */
	if (!t->tty || (t->messages & 63 && t->messages > 64))
		return;
	now = weirctl_monotonic_ns();
	if (now - t->shown_ns < WEIRCTL_SECOND)
		return;
	t->shown_ns = now;
	fprintf(stderr, "\r%s messages, %s a second\033[K",
		weirctl_rate(&plain, (double)t->messages, n),
		weirctl_rate(&plain, weirctl_tally_rate(t), rate));
}

/* Clears the line of progress, before something else is shown. */
void weirctl_tally_clear(const struct weirctl_tally *t)
{
	if (t->shown_ns != t->start_ns)
		fputs("\r\033[K", stderr);
}

json_t *weirctl_tally_json(const struct weirctl_tally *t)
{
	json_t *o = json_object();

	weirctl_json_put(o, "messages", t->messages);
	weirctl_json_put(o, "bytes", t->bytes);
	weirctl_json_put(o, "failed", t->failed);
	json_object_set_new(o, "seconds",
		json_real((double)(weirctl_monotonic_ns() - t->start_ns) / 1e9));
	json_object_set_new(o, "messages_per_second",
			    json_real(weirctl_tally_rate(t)));
	return o;
}

/* The summary: JSON if that is wanted, and else a line for a terminal. */
void weirctl_tally_end(const struct weirctl_tally *t,
		       const struct weirctl_options *o)
{
	char bytes[24], rate[24];

	weirctl_tally_clear(t);
	if (o->json)
		weirctl_json_line(weirctl_tally_json(t));
	else if (t->tty)
		fprintf(stderr, "%llu messages, %s bytes, %s messages a second\n",
			(unsigned long long)t->messages,
			weirctl_bytes(o, t->bytes, bytes),
			weirctl_rate(o, weirctl_tally_rate(t), rate));
}

/* --- receiving --- */

static int weirctl_receive_all(struct weir *w, const struct weirctl_options *o,
			       const struct weirctl_receiver *r,
			       struct weirctl_tally *t)
{
	struct weir_msg msg;
	int ret = 0;

	while (ret >= 0 && !weirctl_stopped() &&
	       (!o->count || t->messages < o->count)) {
		ret = weir_peek(w, &msg);
		if (ret == 1) {
			ret = r->take(w, o, &msg, t);
		} else if (!ret) {
			fflush(stdout);
			ret = weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
		} else if (r->failed && r->failed(&msg, ret)) {
			ret = 0;
		}
	}
	return ret == -EINTR && weirctl_stopped() ? 0 : ret < 0 ? ret : 0;
}

/* Receives at o->argv[0] until there are --count messages, or a signal comes. */
int weirctl_receive(const struct weirctl_options *o,
		    const struct weirctl_receiver *r)
{
	const struct weir_config config = { .name = o->name };
	struct weirctl_tally tally;
	struct weir *w;
	int err, ret = WEIRCTL_OK;

	weirctl_catch_signals();
	err = weir_open(&w, r->type, &config);
	if (!err)
		err = r->begin(w, o->argv[0]);
	weirctl_tally_start(&tally);
	if (r->quiet)
		tally.tty = false;
	if (!err)
		err = weirctl_receive_all(w, o, r, &tally);
	weirctl_tally_clear(&tally);
	if (err)
		ret = weirctl_fail("%s", weir_error());
	weir_close(w);
	return ret;
}

/* --- times --- */

void weirctl_times_add(struct weirctl_times *t, uint64_t ns)
{
	if (!t->ns)
		t->ns = weirctl_must(calloc(WEIRCTL_TIMES_MAX, sizeof(*t->ns)));
	t->ns[t->count++ % WEIRCTL_TIMES_MAX] = ns;
}

static size_t weirctl_times_kept(const struct weirctl_times *t)
{
	return t->count < WEIRCTL_TIMES_MAX ? (size_t)t->count :
	       WEIRCTL_TIMES_MAX;
}

static int weirctl_by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts the times. Call it before weirctl_times_at(). */
void weirctl_times_sort(struct weirctl_times *t)
{
	if (t->ns)
		qsort(t->ns, weirctl_times_kept(t), sizeof(*t->ns),
		      weirctl_by_time);
}

/* The time that this share of the calls took at most; 0 without any. */
uint64_t weirctl_times_at(const struct weirctl_times *t, double percent)
{
	size_t kept = weirctl_times_kept(t), i;

	if (!kept)
		return 0;
	i = (size_t)(percent / 100 * (double)kept);
	return t->ns[i < kept ? i : kept - 1];
}

void weirctl_times_json(const struct weirctl_times *t, json_t *o)
{
	static const struct {
		const char	*key;
		double		percent;
	} times[] = { { "min_ns", 0 }, { "p50_ns", 50 }, { "p90_ns", 90 },
		      { "p99_ns", 99 }, { "p999_ns", 99.9 }, { "max_ns", 100 } };
	size_t i;

	for (i = 0; t->count && i < sizeof(times) / sizeof(times[0]); i++)
		weirctl_json_put(o, times[i].key,
				 weirctl_times_at(t, times[i].percent));
}

/* --- payloads --- */

/*
 * Prints a payload: with --raw its bytes unchanged, else as a line. A terminal
 * gets no control character, because another user may have written the payload.
 */
void weirctl_payload_print(const struct weirctl_options *o, const void *data,
			   size_t len)
{
	bool tty = !o->raw && isatty(STDOUT_FILENO);
	const unsigned char *at = data;
	size_t i;

	if (!tty)
		fwrite(data, 1, len, stdout);
	for (i = 0; tty && i < len; i++) {
		if (isprint(at[i]) || at[i] == '\t')
			putchar(at[i]);
		else
			printf("\\x%02x", at[i]);
	}
	if (!o->raw)
		putchar('\n');
}

/* "data" if it is text, else "hex". */
void weirctl_payload_json(json_t *o, const void *data, size_t len)
{
	json_t *text = json_stringn(data, len);
	const unsigned char *at = data;
	char *hex;
	size_t i;

	if (text) {
		json_object_set_new(o, "data", text);
		return;
	}
	hex = weirctl_must(malloc(2 * len + 1));
	for (i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", at[i]);
	json_object_set_new(o, "hex", json_string(hex));
	free(hex);
}
