// SPDX-License-Identifier: GPL-2.0
/*
 * Two files of figures: which differences are real. Each figure's rounds of the
 * one are held against those of the other by rank (H. B. Mann and D. R. Whitney,
 * 1947, two-sided, exact), and of all that stand out 5 % at most are expected to
 * be there by chance (Y. Benjamini and Y. Hochberg, Controlling the false discovery
 * rate, 1995).
 */
#include <stdlib.h>
#include <string.h>

#include "figure.h"

#define FALSE_SHARE	0.05

/**
 * struct pair - a figure in both files
 * @a, @b: it.
 * @p: probability of such a difference, or a larger one, by chance.
 */
struct pair {
	const struct figure	*a;
	const struct figure	*b;
	double			p;
};

/*
 * In how many orders of n and m values, as a share of all, does the first kind
 * come after the second exactly u times?
 */
static double orders(unsigned int n, unsigned int m, unsigned int u)
{
	static double share[ROUNDS_MAX + 1][ROUNDS_MAX + 1]
			   [ROUNDS_MAX * ROUNDS_MAX + 1];
	static bool made;
	unsigned int i, j, k;

	for (i = 0; !made && i <= ROUNDS_MAX; i++) {
		for (j = 0; j <= ROUNDS_MAX; j++) {
			for (k = 0; k <= i * j; k++) {
				double *s = &share[i][j][k];

				if (!i || !j) {
					*s = 1;
					continue;
				}
				/* the last is of the first kind, or it is not */
				if (k >= j)
					*s += share[i - 1][j][k - j] * i / (i + j);
				*s += share[i][j - 1][k] * j / (i + j);
			}
		}
	}
	made = true;
	return share[n][m][u];
}

/* The test's probability; 1 if there are too few values for it to say. */
static double by_chance(const double *a, unsigned int n, const double *b,
			unsigned int m)
{
	double u = 0, low = 0, high = 0;
	unsigned int i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < m; k++)
			u += a[i] > b[k] ? 1 : a[i] == b[k] ? 0.5 : 0;
	}
	for (i = 0; i <= n * m; i++) {
		if (i <= u)
			low += orders(n, m, i);
		if (i >= u)
			high += orders(n, m, i);
	}
	low = 2 * (low < high ? low : high);
	return low > 1 ? 1 : low;
}

static int pair_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

static struct figure *find(struct figure *in, unsigned int n,
			   const struct figure *like)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (in[i].mode == like->mode && in[i].size == like->size &&
		    !strcmp(in[i].bench, like->bench) &&
		    !strcmp(in[i].who, like->who))
			return &in[i];
	}
	return NULL;
}

static void read_file(const char *name)
{
	FILE *file = fopen(name, "r");

	if (!file)
		die("cannot read %s", name);
	nfigures = 0;
	figure_read(file);
	fclose(file);
	if (!nfigures)
		die("%s: no figures", name);
}

/* A table of the differences between two files that are no chance. */
void compare(FILE *out, const char *name_a, const char *name_b)
{
	static struct figure old[FIGURES_MAX];
	static struct pair pairs[FIGURES_MAX];
	unsigned int nold, n = 0, few = 0, real = 0, i;

	read_file(name_a);
	nold = nfigures;
	memcpy(old, figures, nold * sizeof(*old));
	read_file(name_b);
	for (i = 0; i < nfigures; i++) {
		struct pair *p = &pairs[n];
		double a[ROUNDS_MAX], b[ROUNDS_MAX];
		unsigned int na, nb;

		p->b = &figures[i];
		p->a = find(old, nold, p->b);
		if (!p->a)
			continue;
		na = figure_values(p->a, a);
		nb = figure_values(p->b, b);
		/* not even if all of one were above all of the other */
		if (na < 4 || nb < 4) {
			few++;
			continue;
		}
		p->p = by_chance(a, na, b, nb);
		n++;
	}
	qsort(pairs, n, sizeof(*pairs), pair_order);
	for (i = 0; i < n; i++) {
		if (pairs[i].p <= FALSE_SHARE * (i + 1) / n)
			real = i + 1;
	}
	fprintf(out, "| mode | figure | who | size | A | B | B / A | by chance |\n"
		"|---|---|---|---:|---:|---:|---:|---:|\n");
	for (i = 0; i < real; i++) {
		double a = figure_median(pairs[i].a);
		double b = figure_median(pairs[i].b);

		fprintf(out, "| %s | %s | %s | %lu | %.2f | %.2f | %.3f | %.4f |\n",
			mode_names[pairs[i].a->mode], pairs[i].a->bench,
			pairs[i].a->who, pairs[i].a->size, a, b,
			a > 0 ? b / a : 0, pairs[i].p);
	}
	fprintf(out, "\n%u figures of both differ, of %u with four rounds or more; %.0f %% of the former at\n"
		"most are expected to be chance. %u have fewer rounds: nothing can be said of them.\n",
		real, n, 100 * FALSE_SHARE, few);
}
