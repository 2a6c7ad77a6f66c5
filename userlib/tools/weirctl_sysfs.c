// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Counters and tunables: the files under /sys/kernel/weir, which
 * weir-sysfs(5) describes. The kernel is the judge of a new value; the ranges
 * here are only the words for its refusal.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weirctl.h"

#define WEIRCTL_SYSFS	"/sys/kernel/weir"

/**
 * struct weirctl_word - what a file means
 * @name: the file.
 * @text: in words.
 */
struct weirctl_word {
	const char *name;
	const char *text;
};

static const struct weirctl_word weirctl_words[] = {
	/* stats */
	{ "sockets",		"open now" },
	{ "rings",		"in memory now, inboxes included" },
	{ "ring_bytes",		"memory of those rings now" },
	{ "readers",		"cursors now, of inboxes too" },
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
	/* drops */
	{ "slow",		"readers evicted after evict_ms" },
	{ "bad_cursor",		"readers evicted for an impossible cursor" },
	{ "bad_record",		"impossible records or ring heads" },
	{ "denied",		"refused by a path's mode" },
	{ "limit",		"refused by a cap" },
	{ "no_memory",		"refused for want of memory" },
	{ "overrun",		"times that a lossy recvmsg reader was overtaken" },
	{ "expired",		"lingering streams whose time was over" },
	{ "netns",		"streams ended with their network namespace" },
};

static const char *weirctl_word(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(weirctl_words) / sizeof(weirctl_words[0]); i++) {
		if (!strcmp(weirctl_words[i].name, name))
			return weirctl_words[i].text;
	}
	return "";
}

/**
 * struct weirctl_range - what a tunable takes
 * @name: the file.
 * @range: in words.
 * @text: what it is.
 */
struct weirctl_range {
	const char *name;
	const char *range;
	const char *text;
};

static const struct weirctl_range weirctl_ranges[] = {
	{ "ring_bytes",		"4K to 1G, a power of two",
	  "outbox of sockets that do not say" },
	{ "ring_bytes_max",	"4K to 1G, a power of two",
	  "largest outbox that may be asked for" },
	{ "inbox_bytes",	"4K to 1M, a power of two",
	  "inbox of a socket" },
	{ "user_bytes_max",	"0 to 2^63 - 1 bytes",
	  "memory of a user in a network namespace" },
	{ "netns_bytes_max",	"0 to 2^63 - 1 bytes",
	  "memory of a network namespace" },
	{ "user_objects_max",	"0 to 2^32 - 1",
	  "rings and cursors of a user in a network namespace" },
	{ "netns_objects_max",	"0 to 2^32 - 1",
	  "rings and cursors of a network namespace" },
	{ "streams_max",	"0 to 1048576",
	  "streams that one socket may read" },
	{ "fence_records",	"0 to 2^32 - 1",
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

/* Calls @each for every file of a group, in order of name. */
static int weirctl_each(const char *group, void *ctx,
			void (*each)(void *ctx, const char *name,
				     unsigned long long value))
{
	struct dirent **files;
	unsigned long long v;
	char path[64];
	int i, n;

	snprintf(path, sizeof(path), WEIRCTL_SYSFS "/%s", group);
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

static void weirctl_dump(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

/* --- counters --- */

struct weirctl_rows {
	const struct weirctl_options *o;
	struct weirctl_table *t;
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
	weirctl_table_cell(rows->t, "%s", weirctl_word(name));
}

static int weirctl_stat_table(const struct weirctl_options *o,
			      const char *group, const char *const *titles)
{
	struct weirctl_rows rows = { .o = o };
	int ret;

	rows.t = weirctl_table_new(titles, "lrl");
	ret = weirctl_each(group, &rows, weirctl_counter_row);
	if (!ret)
		weirctl_table_print(rows.t, 0);
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
	ret = weirctl_each("stats", group, weirctl_to_json);
	group = json_object();
	json_object_set_new(all, "drops", group);
	if (!ret)
		ret = weirctl_each("drops", group, weirctl_to_json);
	if (ret)
		json_decref(all);
	else
		weirctl_dump(all);
	return ret;
}

/* --- tunables --- */

static void weirctl_tunable_row(void *ctx, const char *name,
				unsigned long long value)
{
	const struct weirctl_range *r = weirctl_range(name);
	const struct weirctl_rows *rows = ctx;
	char b[24];

	weirctl_table_cell(rows->t, "%s", name);
	if (strstr(name, "_bytes"))
		weirctl_table_cell(rows->t, "%s",
				   weirctl_bytes(rows->o, value, b));
	else
		weirctl_table_cell(rows->t, "%llu", value);
	weirctl_table_cell(rows->t, "%s", r ? r->range : "");
	weirctl_table_cell(rows->t, "%s", r ? r->text : "");
}

static int weirctl_tune_all(const struct weirctl_options *o)
{
	static const char *const titles[] = {
		"TUNABLE", "VALUE", "RANGE", "MEANING" };
	struct weirctl_rows rows = { .o = o };
	json_t *all;
	int ret;

	if (o->json) {
		all = json_object();
		ret = weirctl_each("tunables", all, weirctl_to_json);
		if (ret)
			json_decref(all);
		else
			weirctl_dump(all);
		return ret;
	}
	rows.t = weirctl_table_new(titles, "lrll");
	ret = weirctl_each("tunables", &rows, weirctl_tunable_row);
	if (!ret)
		weirctl_table_print(rows.t, 0);
	weirctl_table_free(rows.t);
	return ret;
}

/* A number with an optional K, M, G or T for powers of 1024. */
static bool weirctl_number(const char *text, unsigned long long *value)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	int shift;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end | 0x20);
	if (!unit || end[1])
		return false;
	shift = 10 * (int)(unit - units + 1);
	if (*value > ~0ULL >> shift)
		return false;
	*value <<= shift;
	return true;
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

static int weirctl_tune_set(const char *name, const char *value)
{
	const struct weirctl_range *r = weirctl_range(name);
	unsigned long long v;
	char path[512], text[32];
	int err;

	if (!weirctl_number(value, &v)) {
		weirctl_fail("%s: '%s' is not a number, with K, M, G or T behind it if you like",
			     name, value);
		return WEIRCTL_USAGE;
	}
	snprintf(path, sizeof(path), WEIRCTL_SYSFS "/tunables/%s", name);
	snprintf(text, sizeof(text), "%llu\n", v);
	err = weirctl_write(path, text);
	switch (err) {
	case 0:
		return WEIRCTL_OK;
	case -ERANGE:
	case -EINVAL:
		return weirctl_fail("%s: %s is out of range%s%s", name, value,
				    r ? ": it takes " : "", r ? r->range : "");
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return weirctl_fail("%s: only root may change tunables", name);
	default:
		return weirctl_fail("%s: %s", name, strerror(-err));
	}
}

/* A name of a file in tunables/, and of nothing else. */
static bool weirctl_is_tunable(const char *name)
{
	unsigned long long v;

	return !strchr(name, '/') && strlen(name) < 64 &&
	       weirctl_sysfs_read("tunables", name, &v);
}

/* weirctl tune [NAME [VALUE]] */
int weirctl_tune(const struct weirctl_options *o, const char *name,
		 const char *value)
{
	unsigned long long v;
	int ret = weirctl_loaded();

	if (ret)
		return ret;
	if (!name)
		return weirctl_tune_all(o);
	if (!weirctl_is_tunable(name)) {
		weirctl_fail("no tunable '%s'; 'weirctl tune' lists them", name);
		return WEIRCTL_USAGE;
	}
	if (value)
		return weirctl_tune_set(name, value);
	if (!weirctl_sysfs_read("tunables", name, &v))
		return weirctl_fail("%s is not readable", name);
	if (o->json)
		weirctl_dump(json_pack("{s:I}", name, (json_int_t)v));
	else
		printf("%llu\n", v);
	return WEIRCTL_OK;
}
