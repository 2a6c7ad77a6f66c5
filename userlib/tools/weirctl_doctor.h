/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Checks of the host, and of the objects in the network namespace. */
#ifndef WEIRCTL_DOCTOR_H
#define WEIRCTL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "weirctl.h"
#include "weirctl_look.h"

enum weirctl_verdict {
	WEIRCTL_CHECK_OK,
	WEIRCTL_CHECK_SKIP,
	WEIRCTL_CHECK_WARN,
	WEIRCTL_CHECK_FAIL,
};

/**
 * struct weirctl_subject - what the checks look at
 * @root: directory in place of /.
 * @live: objects in the network namespace; NULL when no module answers.
 */
struct weirctl_subject {
	const char			*root;
	const struct weirctl_look	*live;
};

/**
 * struct weirctl_finding - what a check found
 * @verdict: the worst verdict of the check so far.
 * @kept: the last call of weirctl_find() was the worst so far, and @text is its
 *	text. Only then does weirctl_remedy() write @remedy.
 * @text: the finding in words.
 * @remedy: command that helps, or "".
 */
struct weirctl_finding {
	enum weirctl_verdict	verdict;
	bool			kept;
	char			text[512];
	char			remedy[512];
};

/**
 * struct weirctl_check - one check
 * @name: name of the check.
 * @look: function that checks. It gets a finding that is OK and empty, and
 *	writes into it.
 */
struct weirctl_check {
	const char *name;
	void (*look)(const struct weirctl_subject *p,
		     struct weirctl_finding *f);
};

extern const struct weirctl_check weirctl_host_checks[];
extern const size_t weirctl_host_check_count;
extern const struct weirctl_check weirctl_health_checks[];
extern const size_t weirctl_health_check_count;

int weirctl_doctor(const struct weirctl_options *o);
void weirctl_find(struct weirctl_finding *f, enum weirctl_verdict verdict,
		  const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void weirctl_remedy(struct weirctl_finding *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool weirctl_root_read(const struct weirctl_subject *p, const char *path,
		       char *text, size_t size);
bool weirctl_root_number(const struct weirctl_subject *p, const char *path,
			 unsigned long long *value);
bool weirctl_root_mentions(const struct weirctl_subject *p, const char *path,
			   const char *what);
bool weirctl_root_line(const struct weirctl_subject *p, const char *path,
		       const char *what, char *text, size_t size);
bool weirctl_root_ends(const struct weirctl_subject *p, const char *path,
		       const char *end);
bool weirctl_root_has(const struct weirctl_subject *p, const char *path);

#endif /* WEIRCTL_DOCTOR_H */
