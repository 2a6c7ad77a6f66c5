/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* Which known word did the user mean? */
#ifndef WEIRCTL_SIMILAR_H
#define WEIRCTL_SIMILAR_H

#include <stddef.h>

/**
 * struct weirctl_similar - the known word that is most like a given one
 * @word: the given word.
 * @best: the known word, or NULL while none is like it.
 * @distance: changes of a letter from one to the other.
 */
struct weirctl_similar {
	const char	*word;
	const char	*best;
	size_t		distance;
};

void weirctl_similar_try(struct weirctl_similar *s, const char *known);
const char *weirctl_similar_text(const struct weirctl_similar *s,
				 const char *before, char buf[80]);

#endif /* WEIRCTL_SIMILAR_H */
