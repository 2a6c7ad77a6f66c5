/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The forms of the patterns below one path.
 *
 * The form of a pattern says for each segment, from the first wildcard on,
 * whether it is literal, "*" or "**". Below one prefix, a path meets at most
 * one node of the trie for each form: its own segments say which literal ones
 * match. So a limit on the number of forms limits the cost of a search, however
 * many patterns there are. A pattern counts once for each of its nodes from the
 * first wildcard on: for its own form, and for the form of each shorter
 * beginning.
 *
 * This file knows no lock and no socket; path.c calls it under weir_net.lock.
 */
#ifndef _WEIR_FORMS_H
#define _WEIR_FORMS_H

#include <linux/types.h>

#include "logic/trie.h"

#define WEIR_FORMS_MAX	16

/**
 * struct weir_form - a form, and how often it occurs
 * @form: two bits for each segment from the first wildcard on, the last segment
 *	in the lowest bits: enum weir_segment plus 1.
 * @users: how many patterns have this form, or begin with it.
 */
struct weir_form {
	u32	form;
	u32	users;
};

/**
 * struct weir_forms - the forms below one path
 * @n: number of entries of @forms that are in use.
 * @forms: the forms, in any order.
 */
struct weir_forms {
	u32			n;
	struct weir_form	forms[WEIR_FORMS_MAX];
};

int weir_forms_add(struct weir_forms *f, const char *pattern, size_t len);
void weir_forms_remove(struct weir_forms *f, const char *pattern, size_t len);

#endif /* _WEIR_FORMS_H */
