// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Counters and tunables: the files under /sys/kernel/weir, which
 * weir-sysfs(5) describes. The limits are those tunables that are caps. The
 * kernel decides about a new value. The ranges here explain a refusal, and
 * allow all values of a file to be checked before the first one is written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_json.h"
#include "weirctl_list.h"
#include "weirctl_reason.h"
#include "weirctl_similar.h"
#include "weirctl_sysfs.h"
#include "weirctl_table.h"
#include "weirctl_unit.h"

#define WEIRCTL_SYSFS	"/sys/kernel/weir"

/**
 * struct weirctl_word - what a counter means
 * @name: the file.
 * @text: its meaning in words.
 */
struct weirctl_word {
	const char *name;
	const char *text;
};

static const struct weirctl_word weirctl_words[] = {
	{ "sockets",		"open now" },
	{ "rings",		"in memory now, inboxes included" },
	{ "ring_bytes",		"memory of those rings now" },
	{ "readers",		"cursors now, of inboxes too" },
	{ "charged_bytes",	"memory held by all users now" },
	{ "charged_objects",	"objects held by all users now" },
	{ "attaches",		"readers attached so far" },
	{ "detaches",		"readers gone so far" },
	{ "evictions",		"readers thrown out so far" },
	{ "reader_wakeups",	"sleeping readers woken" },
	{ "writer_wakeups",	"sleeping writers woken" },
	{ "barriers",		"barriers sent to other CPUs by sleepers" },
	{ "sent",		"records sent by sendmsg" },
	{ "received",		"records received by recvmsg" },
	{ "copied_bytes",	"payload copied by either" },
	{ "missed",		"records lost by lossy recvmsg readers" },
	{ "broken",		"rings whose owner wrote nonsense" },
	{ "notices",		"notices posted to inboxes" },
	{ "notices_deferred",	"times that a notice found its inbox full" },
	{ "huge_maps",		"2 MiB pages put into mappings" },
};

/* Counters of drops have the names of their reasons. */
static const char *weirctl_word(const char *name, bool drops)
{
	uint32_t reason = drops ? weirctl_reason_named(name) : WEIR_REASON_MAX;
	size_t i;

	if (reason < WEIR_REASON_MAX)
		return weirctl_reason_text(reason);
	for (i = 0; i < sizeof(weirctl_words) / sizeof(weirctl_words[0]); i++) {
		if (!strcmp(weirctl_words[i].name, name))
			return weirctl_words[i].text;
	}
	return "";
}

/**
 * struct weirctl_range - what a tunable takes
 * @name: the file.
 * @power: only powers of two.
 * @min: smallest value.
 * @max: largest value.
 * @text: its meaning in words.
 */
struct weirctl_range {
	const char		*name;
	bool			power;
	unsigned long long	min;
	unsigned long long	max;
	const char		*text;
};

static const struct weirctl_range weirctl_ranges[] = {
	{ "ring_bytes",		true,	WEIR_RING_MIN, WEIR_RING_MAX,
	  "outbox of sockets that do not say" },
	{ "ring_bytes_max",	true,	WEIR_RING_MIN, WEIR_RING_MAX,
	  "largest outbox that may be asked for" },
	{ "inbox_bytes",	true,	WEIR_RING_MIN, 1 << 20,
	  "inbox of a socket" },
	{ "user_bytes_max",	false,	0, INT64_MAX,
	  "memory of a user, in all network namespaces" },
	{ "netns_bytes_max",	false,	0, INT64_MAX,
	  "memory of a network namespace" },
	{ "user_objects_max",	false,	0, UINT32_MAX,
	  "rings and cursors of a user, in all network namespaces" },
	{ "netns_objects_max",	false,	0, UINT32_MAX,
	  "rings and cursors of a network namespace" },
	{ "streams_max",	false,	0, 1 << 20,
	  "streams that one socket may read" },
	{ "poll_idle_us",	false,	0, 10000000,
	  "microseconds after which a polling thread sleeps" },
	{ "fence_records",	false,	0, UINT32_MAX,
	  "records a sleep up to which the writer fences for itself" },
};

static const struct weirctl_range *weirctl_range(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(weirctl_ranges) / sizeof(weirctl_ranges[0]); i++) {
		if (!strcmp(weirctl_ranges[i].name, name))
			return &weirctl_ranges[i];
	}
	return NULL;
}

static bool weirctl_is_limit(const char *name);

static const char *weirctl_name_hint(const char *name, bool limits,
				     char buf[80])
{
	struct weirctl_similar s = { .word = name };
	size_t i;

	for (i = 0; i < sizeof(weirctl_ranges) / sizeof(weirctl_ranges[0]); i++) {
		if (!limits || weirctl_is_limit(weirctl_ranges[i].name))
			weirctl_similar_try(&s, weirctl_ranges[i].name);
	}
	return weirctl_similar_text(&s, "", buf);
}

/* " (did you mean 'streams_max'?)" for a name that is no tunable's; or "". */
const char *weirctl_tunable_hint(const char *name, char buf[80])
{
	return weirctl_name_hint(name, false, buf);
}

static const char *weirctl_limit_hint(const char *name, char buf[80])
{
	return weirctl_name_hint(name, true, buf);
}

static const char *weirctl_range_text(const struct weirctl_range *r,
				      char buf[80])
{
	char min[24], max[24];

	if (r->max == INT64_MAX)
		return "0 to 2^63 - 1";
	if (r->max == UINT32_MAX)
		return "0 to 2^32 - 1";
	snprintf(buf, 80, "%s to %s%s", weirctl_size_text(r->min, min),
		 weirctl_size_text(r->max, max),
		 r->power ? ", a power of two" : "");
	return buf;
}

bool weirctl_sysfs_read(const char *group, const char *name,
			unsigned long long *value)
{
	char path[512];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), WEIRCTL_SYSFS "/%s/%s", group, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fscanf(f, "%llu", value);
	fclose(f);
	return n == 1;
}

/* May this user not read the counters? */
bool weirctl_sysfs_hidden(void)
{
	return access(WEIRCTL_SYSFS "/stats/sockets", R_OK) && errno == EACCES;
}

/* Calls @each for every file of a group, in order of name. */
int weirctl_sysfs_each(const char *group, void *ctx,
			void (*each)(void *ctx, const char *name,
				     unsigned long long value))
{
	struct dirent **files;
	unsigned long long v;
	char path[64];
	int i, n;

	snprintf(path, sizeof(path), WEIRCTL_SYSFS "/%s", group);
	if (weirctl_sysfs_hidden() && strcmp(group, "tunables"))
		return weirctl_fail("%s: only root may read the counters, for they count what all users do",
				    path);
	n = scandir(path, &files, NULL, alphasort);
	if (n < 0)
		return weirctl_fail("%s: %s", path, strerror(errno));
	for (i = 0; i < n; i++) {
		if (files[i]->d_name[0] != '.' &&
		    weirctl_sysfs_read(group, files[i]->d_name, &v))
			each(ctx, files[i]->d_name, v);
		free(files[i]);
	}
	free(files);
	return WEIRCTL_OK;
}

static int weirctl_loaded(void)
{
	if (weir_family() < 0)
		return weirctl_fail("%s", weir_error());
	if (access(WEIRCTL_SYSFS, F_OK))
		return weirctl_fail(WEIRCTL_SYSFS " is not there: is sysfs mounted on /sys?");
	return WEIRCTL_OK;
}

static void weirctl_to_json(void *ctx, const char *name,
			    unsigned long long value)
{
	json_object_set_new(ctx, name, json_integer((json_int_t)value));
}

/* --- counters --- */

/**
 * struct weirctl_rows - a table while it is filled
 * @o: the command line.
 * @t: the table.
 * @limits: only tunables that are caps.
 * @drops: counters of drops, not stats.
 */
struct weirctl_rows {
	const struct weirctl_options	*o;
	struct weirctl_table		*t;
	bool				limits;
	bool				drops;
};

static void weirctl_counter_row(void *ctx, const char *name,
				unsigned long long value)
{
	const struct weirctl_rows *rows = ctx;
	const char *end = strstr(name, "_bytes");
	char b[24];

	weirctl_table_cell(rows->t, "%s", name);
	if (end)
		weirctl_table_cell(rows->t, "%s",
				   weirctl_bytes(rows->o, value, b));
	else
		weirctl_table_cell(rows->t, "%llu", value);
	weirctl_table_cell(rows->t, "%s", weirctl_word(name, rows->drops));
}

static int weirctl_stat_table(const struct weirctl_options *o,
			      const char *group, const char *const *titles)
{
	struct weirctl_rows rows = { .o = o, .drops = group[0] == 'd' };
	int ret;

	rows.t = weirctl_table_new(titles, "lrl");
	ret = weirctl_sysfs_each(group, &rows, weirctl_counter_row);
	if (!ret)
		weirctl_table_print(rows.t);
	weirctl_table_free(rows.t);
	return ret;
}

/* weirctl stat */
int weirctl_stat(const struct weirctl_options *o)
{
	static const char *const stats[] = { "COUNTER", "VALUE", "MEANING" };
	static const char *const drops[] = { "DROPS", "VALUE", "MEANING" };
	json_t *all, *group;
	int ret = weirctl_loaded();

	if (ret)
		return ret;
	if (!o->json) {
		ret = weirctl_stat_table(o, "stats", stats);
		if (ret)
			return ret;
		putchar('\n');
		return weirctl_stat_table(o, "drops", drops);
	}
	all = json_object();
	group = json_object();
	json_object_set_new(all, "stats", group);
	ret = weirctl_sysfs_each("stats", group, weirctl_to_json);
	group = json_object();
	json_object_set_new(all, "drops", group);
	if (!ret)
		ret = weirctl_sysfs_each("drops", group, weirctl_to_json);
	if (ret)
		json_decref(all);
	else
		weirctl_json_print(all);
	return ret;
}

/* --- tunables --- */

/* Caps are known by their names. */
static bool weirctl_is_limit(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && !strcmp(name + len - 4, "_max");
}

static void weirctl_tunable_row(void *ctx, const char *name,
				unsigned long long value)
{
	const struct weirctl_range *r = weirctl_range(name);
	const struct weirctl_rows *rows = ctx;
	char b[80];

	if (rows->limits && !weirctl_is_limit(name))
		return;
	weirctl_table_cell(rows->t, "%s", name);
	if (strstr(name, "_bytes"))
		weirctl_table_cell(rows->t, "%s",
				   weirctl_bytes(rows->o, value, b));
	else
		weirctl_table_cell(rows->t, "%llu", value);
	weirctl_table_cell(rows->t, "%s", r ? weirctl_range_text(r, b) : "");
	weirctl_table_cell(rows->t, "%s", r ? r->text : "");
}

static int weirctl_tunable_table(const struct weirctl_options *o, bool limits)
{
	static const char *const titles[] = {
		"TUNABLE", "VALUE", "RANGE", "MEANING" };
	static const char *const caps[] = {
		"LIMIT", "VALUE", "RANGE", "MEANING" };
	struct weirctl_rows rows = { .o = o, .limits = limits };
	int ret;

	rows.t = weirctl_table_new(limits ? caps : titles, "lrll");
	ret = weirctl_sysfs_each("tunables", &rows, weirctl_tunable_row);
	if (!ret)
		weirctl_table_print(rows.t);
	weirctl_table_free(rows.t);
	return ret;
}

static int weirctl_tune_all(const struct weirctl_options *o)
{
	json_t *all;
	int ret;

	if (!o->json)
		return weirctl_tunable_table(o, false);
	all = json_object();
	ret = weirctl_sysfs_each("tunables", all, weirctl_to_json);
	if (ret)
		json_decref(all);
	else
		weirctl_json_print(all);
	return ret;
}

static int weirctl_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		err = -errno;
	close(fd);
	return err;
}

/**
 * weirctl_tunable_check() - would the kernel take this value?
 * @name: name of a tunable.
 * @value: new value.
 * @why: out: the words of a refusal.
 *
 * Return: false if not; true for a tunable that this program does not know.
 */
bool weirctl_tunable_check(const char *name, unsigned long long value,
			   char why[WEIRCTL_WHY])
{
	const struct weirctl_range *r = weirctl_range(name);
	char b[80];

	if (!r || (value >= r->min && value <= r->max &&
		   !(r->power && value & (value - 1))))
		return true;
	snprintf(why, WEIRCTL_WHY, "%s: %llu is out of range: %s", name, value,
		 weirctl_range_text(r, b));
	return false;
}

/* Sets a tunable; WEIRCTL_OK, or WEIRCTL_FAILED and why. */
int weirctl_tunable_write(const char *name, unsigned long long value,
			  char why[WEIRCTL_WHY])
{
	char path[512], text[32];
	int err;

	snprintf(path, sizeof(path), WEIRCTL_SYSFS "/tunables/%s", name);
	snprintf(text, sizeof(text), "%llu\n", value);
	err = weirctl_write(path, text);
	switch (err) {
	case 0:
		return WEIRCTL_OK;
	case -ERANGE:
	case -EINVAL:
		if (weirctl_tunable_check(name, value, why))
			snprintf(why, WEIRCTL_WHY, "%s: %llu is out of range; the kernel log says what it takes",
				 name, value);
		break;
	case -EACCES:
	case -EPERM:
	case -EROFS:
		snprintf(why, WEIRCTL_WHY, "%s: only root may change tunables",
			 name);
		break;
	default:
		snprintf(why, WEIRCTL_WHY, "%s: %s", name, strerror(-err));
	}
	return WEIRCTL_FAILED;
}

/* A name of a file in tunables/, and of nothing else. */
bool weirctl_is_tunable(const char *name)
{
	unsigned long long v;

	return !strchr(name, '/') && strlen(name) < 64 &&
	       weirctl_sysfs_read("tunables", name, &v);
}

static int weirctl_tune_set(const char *name, const char *value)
{
	unsigned long long v;
	char why[WEIRCTL_WHY];

	if (!weirctl_number(value, &v)) {
		weirctl_fail("%s: '%s' is not a number, with K, M, G or T behind it if you like",
			     name, value);
		return WEIRCTL_USAGE;
	}
	if (weirctl_tunable_write(name, v, why))
		return weirctl_fail("%s", why);
	return WEIRCTL_OK;
}

/* weirctl tune [NAME [VALUE]] */
int weirctl_tune(const struct weirctl_options *o)
{
	const char *name = o->argv[0];
	unsigned long long v;
	char hint[80];
	int ret = weirctl_loaded();

	if (ret)
		return ret;
	if (!o->argc)
		return weirctl_tune_all(o);
	if (!weirctl_is_tunable(name)) {
		weirctl_fail("no tunable '%s'%s; 'weirctl tune' lists them",
			     name, weirctl_tunable_hint(name, hint));
		return WEIRCTL_USAGE;
	}
	if (o->argc > 1)
		return weirctl_tune_set(name, o->argv[1]);
	if (!weirctl_sysfs_read("tunables", name, &v))
		return weirctl_fail("%s is not readable", name);
	if (o->json)
		weirctl_json_print(json_pack("{s:I}", name, (json_int_t)v));
	else
		printf("%llu\n", v);
	return WEIRCTL_OK;
}

/* --- limits --- */

/**
 * struct weirctl_refusal - what was refused for one reason
 * @host: number of refusals on the whole host, from the drop counters.
 * @routes: number of refusals by those routes of this network namespace that
 *	the caller may see.
 */
struct weirctl_refusal {
	unsigned long long	host;
	unsigned long long	routes;
};

static void weirctl_refusal_host(void *ctx, const char *name,
				 unsigned long long value)
{
	struct weirctl_refusal *refusals = ctx;
	uint32_t reason = weirctl_reason_named(name);

	if (reason < WEIR_REASON_MAX)
		refusals[reason].host = value;
}

/* A module without routes has refused none of their messages. */
static void weirctl_refusal_routes(struct weirctl_refusal *refusals)
{
	struct weirctl_list routes = { 0 };
	struct weir *w;
	uint32_t j;
	size_t i;

	if (weir_open(&w, SOCK_RDM, NULL))
		return;
	if (!weirctl_list_try(w, WEIR_LIST_ROUTES, &routes)) {
		for (i = 0; i < routes.count; i++) {
			for (j = 0; j < WEIR_REASON_MAX; j++)
				refusals[j].routes +=
					weir_route_refused(&routes.routes[i],
							   j);
		}
	}
	weirctl_list_free(&routes);
	weir_close(w);
}

static json_t *weirctl_refusals_json(const struct weirctl_refusal *refusals)
{
	json_t *all = json_object();
	uint32_t i;

	for (i = 0; i < WEIR_REASON_MAX; i++) {
		if (refusals[i].host || refusals[i].routes)
			json_object_set_new(all, weir_reason_name(i),
				json_pack("{s:I, s:I}",
					  "host", (json_int_t)refusals[i].host,
					  "routes", (json_int_t)refusals[i].routes));
	}
	return all;
}

static void weirctl_refusals_print(const struct weirctl_refusal *refusals)
{
	static const char *const titles[] = {
		"REFUSED", "HOST", "ROUTES", "MEANING" };
	struct weirctl_table *t = weirctl_table_new(titles, "lrrl");
	bool hidden = weirctl_sysfs_hidden();
	uint32_t i;

	for (i = 0; i < WEIR_REASON_MAX; i++) {
		if (!refusals[i].host && !refusals[i].routes)
			continue;
		weirctl_table_cell(t, "%s", weir_reason_name(i));
		if (hidden)
			weirctl_table_cell(t, "-");
		else
			weirctl_table_cell(t, "%llu", refusals[i].host);
		weirctl_table_cell(t, "%llu", refusals[i].routes);
		weirctl_table_cell(t, "%s", weirctl_reason_text(i));
	}
	putchar('\n');
	weirctl_table_print(t);
	weirctl_table_free(t);
}

static void weirctl_limit_json(void *ctx, const char *name,
			       unsigned long long value)
{
	if (weirctl_is_limit(name))
		weirctl_to_json(ctx, name, value);
}

/* weirctl limit [list] */
int weirctl_limit_list(const struct weirctl_options *o)
{
	struct weirctl_refusal refusals[WEIR_REASON_MAX] = { 0 };
	json_t *limits;
	int ret = weirctl_loaded();

	/* other users see what routes have refused, not what the host has */
	if (!ret && !weirctl_sysfs_hidden())
		ret = weirctl_sysfs_each("drops", refusals,
					 weirctl_refusal_host);
	if (ret)
		return ret;
	weirctl_refusal_routes(refusals);
	if (!o->json) {
		ret = weirctl_tunable_table(o, true);
		if (!ret)
			weirctl_refusals_print(refusals);
		return ret;
	}
	limits = json_object();
	ret = weirctl_sysfs_each("tunables", limits, weirctl_limit_json);
	if (ret)
		json_decref(limits);
	else
		weirctl_json_print(json_pack("{s:o, s:o}", "limits", limits,
				"refused", weirctl_refusals_json(refusals)));
	return ret;
}

/* weirctl limit set NAME VALUE */
int weirctl_limit_set(const struct weirctl_options *o)
{
	int ret = weirctl_loaded();
	char hint[80];

	if (ret)
		return ret;
	if (!weirctl_is_limit(o->argv[0]) || !weirctl_is_tunable(o->argv[0]))
		return weirctl_misuse("no limit '%s'%s; 'weirctl limit' lists them",
				      o->argv[0],
				      weirctl_limit_hint(o->argv[0], hint));
	return weirctl_tune_set(o->argv[0], o->argv[1]);
}
