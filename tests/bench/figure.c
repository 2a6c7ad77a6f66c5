// SPDX-License-Identifier: GPL-2.0
/*
 * Results in memory: for each thing measured the value of each round. Rounds
 * are kept apart, because contestants are compared within a round: the machine
 * may be half as fast in the next.
 */
#include <stdlib.h>
#include <string.h>

#include "figure.h"

struct figure figures[FIGURES_MAX];
unsigned int nfigures;

static int value_order(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorts them. */
double median(double *values, unsigned int n)
{
	if (!n)
		return 0;
	qsort(values, n, sizeof(*values), value_order);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct figure *figure_find(enum bench_mode mode, const char *bench,
			   const char *who, unsigned long size)
{
	unsigned int i;

	for (i = 0; i < nfigures; i++) {
		struct figure *f = &figures[i];

		if (f->mode == mode && f->size == size &&
		    !strcmp(f->bench, bench) && !strcmp(f->who, who))
			return f;
	}
	return NULL;
}

struct figure *figure_make(enum bench_mode mode, const char *bench,
			   const char *who, unsigned long size)
{
	struct figure *f = figure_find(mode, bench, who, size);
	unsigned int i;

	if (f)
		return f;
	if (nfigures == FIGURES_MAX)
		die("too many figures");
	f = &figures[nfigures++];
	f->mode = mode;
	snprintf(f->bench, sizeof(f->bench), "%s", bench);
	snprintf(f->who, sizeof(f->who), "%s", who);
	f->size = size;
	for (i = 0; i < ROUNDS_MAX; i++)
		f->value[i] = -1;
	return f;
}

void figure_add(unsigned int round, const char *bench, const char *who,
		unsigned long size, double value)
{
	struct figure *f = figure_make(options.mode, bench, who, size);

	f->value[round] = value;
	if (round >= f->rounds)
		f->rounds = round + 1;
}

/* The values that there are; returns how many. */
unsigned int figure_values(const struct figure *f, double *to)
{
	unsigned int i, n = 0;

	for (i = 0; i < f->rounds; i++) {
		if (f->value[i] >= 0)
			to[n++] = f->value[i];
	}
	return n;
}

double figure_median(const struct figure *f)
{
	double v[ROUNDS_MAX];

	return f ? median(v, figure_values(f, v)) : -1;
}

/* Median over the rounds of a/b, taken in each round; -1 without. */
double figure_ratio(const struct figure *a, const struct figure *b)
{
	double v[ROUNDS_MAX];
	unsigned int i, n = 0;

	if (!a || !b)
		return -1;
	for (i = 0; i < a->rounds && i < b->rounds; i++) {
		if (a->value[i] >= 0 && b->value[i] > 0)
			v[n++] = a->value[i] / b->value[i];
	}
	return n ? median(v, n) : -1;
}

/* One JSON object a line. */
void figure_write(FILE *file)
{
	unsigned int i, k, n;

	for (i = 0; i < nfigures; i++) {
		const struct figure *f = &figures[i];
		double v[ROUNDS_MAX], m;

		n = figure_values(f, v);
		if (!n)
			continue;
		m = median(v, n);
		fprintf(file,
			"{\"mode\":\"%s\",\"bench\":\"%s\",\"who\":\"%s\",\"size\":%lu,"
			"\"median\":%.2f,\"min\":%.2f,\"max\":%.2f,\"rounds\":[",
			mode_names[f->mode], f->bench, f->who, f->size, m,
			v[0], v[n - 1]);
		for (k = 0; k < f->rounds; k++)
			fprintf(file, "%s%.2f", k ? "," : "", f->value[k]);
		fprintf(file, "]}\n");
	}
}

/* Reads what run_write(), figure_write() and paced_write() wrote; passes over the rest. */
void figure_read(FILE *file)
{
	char mode[16], bench[24], who[20], *line = NULL, *at;
	unsigned long size;
	unsigned int m;
	size_t room = 0;

	while (getline(&line, &room, file) > 0) {
		struct figure *f;

		if (run_read(line))
			continue;
		if (strstr(line, "\"hist\":")) {
			paced_keep(line);
			continue;
		}
		if (sscanf(line, "{\"mode\":\"%15[^\"]\",\"bench\":\"%23[^\"]\",\"who\":\"%19[^\"]\",\"size\":%lu",
			   mode, bench, who, &size) != 4)
			continue;
		m = mode_parse(mode);
		at = strstr(line, "\"rounds\":[");
		if (m == MODES || !at)
			continue;
		f = figure_make((enum bench_mode)m, bench, who, size);
		at += strlen("\"rounds\":");
		for (f->rounds = 0; *at != ']' && f->rounds < ROUNDS_MAX;)
			f->value[f->rounds++] = strtod(at + 1, &at);
	}
	free(line);
}
