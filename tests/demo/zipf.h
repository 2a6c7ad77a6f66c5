/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zipf's law: the k-th most popular of n things is asked for in proportion to
 * 1 / k (G. K. Zipf, Human Behavior and the Principle of Least Effort, 1949;
 * the exponent is 1, as his).
 *
 * Drawn by inversion, a binary search in the table of the distribution function
 * (L. Devroye, Non-Uniform Random Variate Generation, 1986, III.2), in whole
 * numbers: the same on every machine.
 */
#ifndef DEMO_ZIPF_H
#define DEMO_ZIPF_H

#include <stdint.h>

/**
 * struct zipf - a law for n things; fields are private
 * @n: how many.
 * @below: of each rank from 0, the sum of the weights up to it.
 */
struct zipf {
	uint32_t	n;
	uint64_t	*below;
};

/* 0, or -1 without memory; 2^22 things at most. */
int zipf_make(struct zipf *z, uint32_t n);
void zipf_free(struct zipf *z);

/* A rank, from 0. @random: state of random.h. */
uint32_t zipf_draw(const struct zipf *z, uint64_t *random);

#endif /* DEMO_ZIPF_H */
