// SPDX-License-Identifier: GPL-2.0
/*
 * Results in memory: for each thing measured the value of each round. Rounds
 * are kept apart, because contestants are compared within a round: the machine
 * may be half as fast in the next.
 */
#include <math.h>
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

/* The first of whatever size it was made with. */
const struct figure *figure_any(enum bench_mode mode, const char *bench,
				const char *who)
{
	unsigned int i;

	for (i = 0; i < nfigures; i++) {
		const struct figure *f = &figures[i];

		if (f->mode == mode && !strcmp(f->bench, bench) &&
		    !strcmp(f->who, who))
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

/* A number, rounded to @decimals digits behind the point. */
json_t *json_rounded(double value, int decimals)
{
	double scale = pow(10, decimals);

	return json_real(round(value * scale) / scale);
}

/* Writes an object on a line of its own, and frees it. */
void json_line(FILE *file, json_t *object)
{
	if (json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(12)))
		die("a figure cannot be written as JSON");
	fputc('\n', file);
	json_decref(object);
}

/* One JSON object a line. */
void figure_write(FILE *file)
{
	unsigned int i, k, n;

	for (i = 0; i < nfigures; i++) {
		const struct figure *f = &figures[i];
		double v[ROUNDS_MAX], m;
		json_t *rounds;

		n = figure_values(f, v);
		if (!n)
			continue;
		m = median(v, n);
		rounds = json_array();
		for (k = 0; k < f->rounds; k++)
			json_array_append_new(rounds,
					      json_rounded(f->value[k], 2));
		json_line(file, json_pack("{ss, ss, ss, sI, so, so, so, so}",
					  "mode", mode_names[f->mode],
					  "bench", f->bench, "who", f->who,
					  "size", (json_int_t)f->size,
					  "median", json_rounded(m, 2),
					  "min", json_rounded(v[0], 2),
					  "max", json_rounded(v[n - 1], 2),
					  "rounds", rounds));
	}
}

static void figure_read_one(json_t *object)
{
	const char *mode, *bench, *who;
	json_t *rounds, *value;
	struct figure *f;
	json_int_t size;
	unsigned int m;
	size_t i;

	if (json_unpack(object, "{ss, ss, ss, sI, so}", "mode", &mode,
			"bench", &bench, "who", &who, "size", &size,
			"rounds", &rounds))
		return;
	m = mode_parse(mode);
	if (m == MODES)
		return;
	f = figure_make((enum bench_mode)m, bench, who, (unsigned long)size);
	f->rounds = 0;
	json_array_foreach(rounds, i, value) {
		if (f->rounds < ROUNDS_MAX)
			f->value[f->rounds++] = json_number_value(value);
	}
}

/*
 * Reads what run_write(), figure_write() and paced_write() wrote, among whatever
 * else there is.
 */
void figure_read(FILE *file)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, file) > 0) {
		json_t *object = line[0] == '{' ? json_loads(line, 0, NULL) :
						  NULL;

		if (json_object_get(object, "hist"))
			paced_keep(object);
		else if (!run_read(object))
			figure_read_one(object);
		json_decref(object);
	}
	free(line);
}
