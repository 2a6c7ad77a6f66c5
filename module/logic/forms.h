/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The forms of the patterns below one path.
 *
 * The form of a name tells for each segment from its first wildcard on whether
 * it is literal, "*" or "**". A path meets at most one node of the trie for each
 * form below one prefix, because its own segments say which the literal ones
 * are. So what a search meets is bounded by bounding the forms, however many
 * patterns there are. A pattern counts once for each of its nodes: for its own
 * form and for each beginning of it.
 *
 * Knows no lock and no socket; path.c calls it under weir_net.lock.
 */
#ifndef _WEIR_FORMS_H
#define _WEIR_FORMS_H

#include <linux/types.h>

#include "logic/trie.h"

#define WEIR_FORMS_MAX	16

/**
 * struct weir_form - a form and how often it occurs
 * @form: two bits for each segment from the first wildcard on, the last one
 *	lowest: enum weir_segment plus 1.
 * @users: patterns that have it.
 */
struct weir_form {
	u32	form;
	u32	users;
};

/**
 * struct weir_forms - the forms below one path
 * @n: entries of @forms in use.
 * @forms: in no order.
 */
struct weir_forms {
	u32			n;
	struct weir_form	forms[WEIR_FORMS_MAX];
};

int weir_forms_add(struct weir_forms *f, const char *pattern, size_t len);
void weir_forms_remove(struct weir_forms *f, const char *pattern, size_t len);

#endif /* _WEIR_FORMS_H */
