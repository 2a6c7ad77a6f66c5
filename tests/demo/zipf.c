// SPDX-License-Identifier: GPL-2.0
/*
 * The distribution of zipf.h.
 */
#include <stdlib.h>

#include "random.h"
#include "zipf.h"

/* Weight of the first; with 2^22 things the sum stays below 2^45. */
#define ZIPF_FIRST	(UINT64_C(1) << 40)

int zipf_make(struct zipf *z, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t i;

	z->n = n;
	z->below = calloc(n, sizeof(*z->below));
	if (!z->below)
		return -1;
	for (i = 0; i < n; i++) {
		sum += ZIPF_FIRST / (i + 1);
		z->below[i] = sum;
	}
	return 0;
}

void zipf_free(struct zipf *z)
{
	free(z->below);
	z->below = NULL;
}

uint32_t zipf_draw(const struct zipf *z, uint64_t *random)
{
	uint64_t at = random_next(random) % z->below[z->n - 1];
	uint32_t from = 0, to = z->n - 1;

	/* the first whose sum is beyond the number drawn */
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (z->below[middle] > at)
			to = middle;
		else
			from = middle + 1;
	}
	return from;
}
