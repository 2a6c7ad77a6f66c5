// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * weirctl doctor: is the host set up well, and is everything on it in order?
 * The checks are in weirctl_host.c and weirctl_health.c, one small function
 * each. This file runs them and prints what they find. They look at files below
 * a directory that stands for /, so that tests can show them any host.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_doctor.h"
#include "weirctl_json.h"
#include "weirctl_look.h"

static const char *const weirctl_verdicts[] = {
	[WEIRCTL_CHECK_OK]	= "OK",
	[WEIRCTL_CHECK_SKIP]	= "SKIP",
	[WEIRCTL_CHECK_WARN]	= "WARN",
	[WEIRCTL_CHECK_FAIL]	= "FAIL",
};

/* --- for the checks --- */

/* Records a finding. The worst verdict stays, with its words. */
void weirctl_find(struct weirctl_finding *f, enum weirctl_verdict verdict,
		  const char *format, ...)
{
	va_list args;

	f->kept = !f->text[0] || verdict > f->verdict;
	if (!f->kept)
		return;
	f->verdict = verdict;
	f->remedy[0] = '\0';
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
}

/*
 * Records the remedy for the last finding of weirctl_find(), if that finding
 * stayed.
 */
void weirctl_remedy(struct weirctl_finding *f, const char *format, ...)
{
	va_list args;

	if (!f->kept)
		return;
	va_start(args, format);
	vsnprintf(f->remedy, sizeof(f->remedy), format, args);
	va_end(args);
}

static FILE *weirctl_root_open(const struct weirctl_subject *p,
			       const char *path)
{
	char name[4096];

	if (snprintf(name, sizeof(name), "%s%s", p->root, path) >=
	    (int)sizeof(name))
		return NULL;
	return fopen(name, "re");
}

bool weirctl_root_has(const struct weirctl_subject *p, const char *path)
{
	char name[4096];

	return snprintf(name, sizeof(name), "%s%s", p->root, path) <
	       (int)sizeof(name) && !access(name, F_OK);
}

/* The start of a file, without the final newline; false when there is none. */
bool weirctl_root_read(const struct weirctl_subject *p, const char *path,
		       char *text, size_t size)
{
	FILE *in = weirctl_root_open(p, path);
	size_t n;

	text[0] = '\0';
	if (!in)
		return false;
	n = fread(text, 1, size - 1, in);
	fclose(in);
	text[n] = '\0';
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return true;
}

/* The first line of a file that has this in it; false when there is none. */
bool weirctl_root_line(const struct weirctl_subject *p, const char *path,
		       const char *what, char *text, size_t size)
{
	FILE *in = weirctl_root_open(p, path);
	char *line = NULL;
	bool found = false;
	size_t room = 0;

	while (in && !found && getline(&line, &room, in) > 0)
		found = strstr(line, what);
	snprintf(text, size, "%s", found ? line : "");
	free(line);
	if (in)
		fclose(in);
	return found;
}

bool weirctl_root_mentions(const struct weirctl_subject *p, const char *path,
			   const char *what)
{
	char line[16];

	return weirctl_root_line(p, path, what, line, sizeof(line));
}

/* Are these the last bytes of a file? They are at most 63. */
bool weirctl_root_ends(const struct weirctl_subject *p, const char *path,
		       const char *end)
{
	FILE *in = weirctl_root_open(p, path);
	size_t len = strlen(end);
	char text[64] = "";
	bool same;

	same = in && len < sizeof(text) &&
	       !fseek(in, -(long)len, SEEK_END) &&
	       fread(text, 1, len, in) == len && !memcmp(text, end, len);
	if (in)
		fclose(in);
	return same;
}

bool weirctl_root_number(const struct weirctl_subject *p, const char *path,
			 unsigned long long *value)
{
	char text[64], *end;

	if (!weirctl_root_read(p, path, text, sizeof(text)))
		return false;
	*value = strtoull(text, &end, 10);
	return end != text && !*end;
}

/* --- running them --- */

static void weirctl_finding_print(const struct weirctl_check *c,
				  const struct weirctl_finding *f)
{
	printf("%-4s  %-16s %s\n", weirctl_verdicts[f->verdict], c->name,
	       f->text);
	if (f->remedy[0])
		printf("      %-16s   %s\n", "", f->remedy);
}

static void weirctl_finding_json(json_t *array, const struct weirctl_check *c,
				 const struct weirctl_finding *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "check", json_string(c->name));
	json_object_set_new(o, "verdict",
			    json_string(weirctl_verdicts[f->verdict]));
	json_object_set_new(o, "text", weirctl_json_text(f->text));
	json_object_set_new(o, "remedy", f->remedy[0] ?
			    weirctl_json_text(f->remedy) : json_null());
	json_array_append_new(array, o);
}

static void weirctl_examine(const struct weirctl_subject *p, json_t *array,
			    const struct weirctl_check *checks, size_t count,
			    unsigned int *tally)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct weirctl_finding f = { .verdict = WEIRCTL_CHECK_OK };

		checks[i].look(p, &f);
		tally[f.verdict]++;
		if (array)
			weirctl_finding_json(array, &checks[i], &f);
		else
			weirctl_finding_print(&checks[i], &f);
	}
}

/* weirctl doctor */
int weirctl_doctor(const struct weirctl_options *o)
{
	struct weirctl_subject p = { .root = o->root };
	json_t *array = o->json ? json_array() : NULL;
	unsigned int tally[WEIRCTL_CHECK_FAIL + 1] = { 0 };
	struct weirctl_look look = { .at = 0 };
	struct weir *w = NULL;

	/* without a module the host can still be checked */
	if (!weir_open(&w, SOCK_RDM, NULL) && !weirctl_look(w, &look))
		p.live = &look;
	weirctl_examine(&p, array, weirctl_host_checks,
			weirctl_host_check_count, tally);
	weirctl_examine(&p, array, weirctl_health_checks,
			weirctl_health_check_count, tally);
	if (array)
		weirctl_json_print(array);
	else
		printf("\n%u fine, %u to look at, %u wrong, %u not applicable\n",
		       tally[WEIRCTL_CHECK_OK], tally[WEIRCTL_CHECK_WARN],
		       tally[WEIRCTL_CHECK_FAIL], tally[WEIRCTL_CHECK_SKIP]);
	weirctl_look_free(&look);
	weir_close(w);
	return tally[WEIRCTL_CHECK_FAIL] ? WEIRCTL_FAILED : WEIRCTL_OK;
}
