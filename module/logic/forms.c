// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the forms of the patterns below one path: see forms.h.
 *
 * The caller holds a lock that guards the forms. Does not sleep.
 */
#include <linux/errno.h>

#include "logic/forms.h"

static_assert(2 * WEIR_DEPTH_MAX <= 32);

/*
 * Add the next segment of a pattern, which begins at *@at, to @form. Moves *@at
 * to the end of that segment.
 */
static u32 weir_form_next(u32 form, const char *pattern, size_t len, size_t *at)
{
	size_t begin = *at + 1, end = begin;
	u32 kind = WEIR_SEGMENT_LITERAL;

	while (end < len && pattern[end] != '/')
		end++;
	if (pattern[begin] == '*')
		kind = end - begin == 1 ? WEIR_SEGMENT_ONE : WEIR_SEGMENT_REST;
	*at = end;
	return form << 2 | (kind + 1);
}

static struct weir_form *weir_form_find(struct weir_forms *f, u32 form)
{
	u32 i;

	for (i = 0; i < f->n; i++) {
		if (f->forms[i].form == form)
			return &f->forms[i];
	}
	return NULL;
}

/*
 * Count one user less for each form of a pattern, up to the segment that ends
 * at @end.
 */
static void weir_forms_drop(struct weir_forms *f, const char *pattern,
			    size_t end)
{
	size_t at = weir_path_prefix(pattern, end);
	struct weir_form *entry;
	u32 form = 0;

	while (at < end) {
		form = weir_form_next(form, pattern, end, &at);
		entry = weir_form_find(f, form);
		if (!WARN_ON_ONCE(!entry) && !--entry->users)
			*entry = f->forms[--f->n];
	}
}

/**
 * weir_forms_add() - count the forms of a new pattern
 * @f: the forms below the prefix of the pattern.
 * @pattern: a pattern that has passed weir_path_check().
 * @len: number of bytes.
 *
 * Return: 0; or -ENOSPC: there would be more than WEIR_FORMS_MAX forms, and
 * nothing has changed.
 */
int weir_forms_add(struct weir_forms *f, const char *pattern, size_t len)
{
	size_t at = weir_path_prefix(pattern, len), done;
	struct weir_form *entry;
	u32 form = 0;

	while (at < len) {
		done = at;
		form = weir_form_next(form, pattern, len, &at);
		entry = weir_form_find(f, form);
		if (!entry && f->n == WEIR_FORMS_MAX) {
			weir_forms_drop(f, pattern, done);
			return -ENOSPC;
		}
		if (!entry) {
			entry = &f->forms[f->n++];
			entry->form = form;
			entry->users = 0;
		}
		entry->users++;
	}
	return 0;
}

/**
 * weir_forms_remove() - take the forms of a pattern out of the count
 * @f: the forms that the pattern was added to.
 * @pattern: the pattern.
 * @len: number of bytes.
 */
void weir_forms_remove(struct weir_forms *f, const char *pattern, size_t len)
{
	weir_forms_drop(f, pattern, len);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_forms_add);
EXPORT_SYMBOL_IF_KUNIT(weir_forms_remove);
#endif
