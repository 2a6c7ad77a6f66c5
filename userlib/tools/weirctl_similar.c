// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Finds the known word that is nearest to an unknown one, for "did you mean".
 * The distance of two words is the number of letters to insert, leave out,
 * replace, or swap with the next one.
 */
#include <stdio.h>
#include <string.h>

#include "weirctl_similar.h"

#define WEIRCTL_WORD	32	/* longer words are not compared */

static size_t weirctl_least(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static size_t weirctl_distance(const char *a, const char *b)
{
	size_t d[WEIRCTL_WORD + 1][WEIRCTL_WORD + 1];
	size_t na = strlen(a), nb = strlen(b), i, j;

	if (na > WEIRCTL_WORD || nb > WEIRCTL_WORD)
		return WEIRCTL_WORD;
	for (i = 0; i <= na; i++)
		d[i][0] = i;
	for (j = 0; j <= nb; j++)
		d[0][j] = j;
	for (i = 1; i <= na; i++) {
		for (j = 1; j <= nb; j++) {
			d[i][j] = weirctl_least(d[i - 1][j] + 1, d[i][j - 1] + 1,
						d[i - 1][j - 1] +
						(a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[na][nb];
}

/* Is a known word nearer to the given one than those before? */
void weirctl_similar_try(struct weirctl_similar *s, const char *known)
{
	size_t len = strlen(s->word), distance;

	/* the beginning of a word counts as one wrong letter */
	distance = len > 1 && !strncmp(s->word, known, len) ? 1 :
		   weirctl_distance(s->word, known);
	/* a third of the letters may be wrong, and one of a short word */
	if (distance > (len > 3 ? len / 3 : 1) ||
	    (s->best && distance >= s->distance))
		return;
	s->best = known;
	s->distance = distance;
}

/* " (did you mean '--json'?)", with @before in front of the word; or "". */
const char *weirctl_similar_text(const struct weirctl_similar *s,
				 const char *before, char buf[80])
{
	buf[0] = '\0';
	if (s->best)
		snprintf(buf, 80, " (did you mean '%s%s'?)", before, s->best);
	return buf;
}
