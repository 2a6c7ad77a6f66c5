/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEIR_TESTS_RANDOM_H
#define WEIR_TESTS_RANDOM_H

/* Repeatable random numbers (xorshift64*). */
static inline unsigned long long random_next(unsigned long long *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif /* WEIR_TESTS_RANDOM_H */
