/* SPDX-License-Identifier: GPL-2.0 */
/* Results; see figure.c. */
#ifndef WEIR_BENCH_FIGURE_H
#define WEIR_BENCH_FIGURE_H

#include <jansson.h>

#include "bench.h"

#define FIGURES_MAX	8192

/**
 * struct figure - what was measured, in all rounds
 * @mode: where.
 * @bench: what.
 * @who: contestant.
 * @size: bytes of a message, or what else varies.
 * @rounds: used entries of @value.
 * @value: of each round; -1 where it was not measured.
 */
struct figure {
	enum bench_mode	mode;
	char		bench[24];
	char		who[20];
	unsigned long	size;
	unsigned int	rounds;
	double		value[ROUNDS_MAX];
};

extern struct figure figures[FIGURES_MAX];
extern unsigned int nfigures;

/* Contestants, and what else has figures, in the order of tables; report.c. */
extern const char *const who_order[];
extern const unsigned int who_count;

struct figure *figure_find(enum bench_mode mode, const char *bench,
			   const char *who, unsigned long size);
struct figure *figure_make(enum bench_mode mode, const char *bench,
			   const char *who, unsigned long size);
const struct figure *figure_any(enum bench_mode mode, const char *bench,
				const char *who);
double figure_median(const struct figure *f);
double figure_ratio(const struct figure *a, const struct figure *b);
unsigned int figure_interval(const struct figure *a, const struct figure *b,
			     double *mean, double *low, double *high);
void figure_read(FILE *file);
json_t *json_rounded(double value, int decimals);
void json_line(FILE *file, json_t *object);

/* --- run.c, paced.c --- */
bool run_read(json_t *object);
void paced_keep(json_t *object);
unsigned int figure_values(const struct figure *f, double *to);

#endif /* WEIR_BENCH_FIGURE_H */
