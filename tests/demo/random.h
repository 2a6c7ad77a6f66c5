/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A generator whose numbers are the same in each run: xorshift64 (G. Marsaglia,
 * Xorshift RNGs, Journal of Statistical Software 8(14), 2003).
 */
#ifndef DEMO_RANDOM_H
#define DEMO_RANDOM_H

#include <stdint.h>

/* Marsaglia's own; any but 0. */
#define RANDOM_SEED	UINT64_C(88172645463325252)

static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((random_next(state) >> 32) * n >> 32);
}

#endif /* DEMO_RANDOM_H */
