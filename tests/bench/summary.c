// SPDX-License-Identifier: GPL-2.0
/*
 * All against weir in one table for each machine: how many times weir's cost a
 * contestant's is, with the confidence interval of that. Ratios are taken in
 * each round, where both have met the same machine; of their logarithms the mean
 * and its 95 % interval are shown (Student's t, 1908).
 */
#include <math.h>
#include <string.h>

#include "figure.h"

/**
 * struct kind - a column
 * @what: its head.
 * @bench: figures.
 * @size: of these.
 * @polls, @sleeps: weir's contestants with which those that poll, or sleep, are
 *	compared.
 */
struct kind {
	const char	*what;
	const char	*bench;
	unsigned long	size;
	const char	*polls;
	const char	*sleeps;
};

static const struct kind kinds[] = {
	{ "round trip", "rtt", 32, "weir", "weir-wait" },
	{ "its processor time", "rtt_cpu", 32, NULL, "weir-wait" },
	{ "one way", "oneway", 32, "weir", "weir-wait" },
	{ "fixed load, median", "paced_p50", 5000, "weir", "weir-wait" },
	{ "99 %", "paced_p99", 5000, "weir", "weir-wait" },
	{ "99.99 %", "paced_p99.99", 5000, "weir", "weir-wait" },
	{ "answer, 99 %", "paced_rtt_p99", 1000, "weir", "weir-wait" },
	/* of real-time readers */
	{ "1000 a second, median", "paced_p50", 1000, NULL, "weir-wait" },
	{ "their 99 %", "paced_p99", 1000, NULL, "weir-wait" },
	{ "their 99.9 %", "paced_p99.9", 1000, NULL, "weir-wait" },
	{ "stream", "rate", 32, "weir", "weir" },
	{ "stream, 64 KiB", "rate", 64 * KIB, "weir", "weir" },
	{ "send", "publish", 32, "weir", "weir" },
	{ "receive", "consume", 32, "weir", "weir" },
	{ "send to 64", "fan_publish", 64, "weir", "weir" },
	{ "each of 64 receives", "fan_consume", 64, "weir", "weir" },
	{ "receive from 64", "fanin_receive", 64, "weir", "weir" },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

/* Of t, 97.5 %, by degrees of freedom from 1. */
static const double student[] = {
	12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
	2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
	2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	2.040,
};

/*
 * How many times @b's is @a's? @low, @high: 95 % interval. Returns the number of
 * rounds that have both; with one there is no interval.
 */
unsigned int figure_interval(const struct figure *a, const struct figure *b,
			     double *mean, double *low, double *high)
{
	double v[ROUNDS_MAX], sum = 0, square = 0, error;
	unsigned int i, n = 0;

	for (i = 0; a && b && i < a->rounds && i < b->rounds; i++) {
		if (a->value[i] > 0 && b->value[i] > 0) {
			v[n] = log(a->value[i] / b->value[i]);
			sum += v[n++];
		}
	}
	if (!n)
		return 0;
	sum /= n;
	*mean = *low = *high = exp(sum);
	if (n == 1)
		return 1;
	for (i = 0; i < n; i++)
		square += (v[i] - sum) * (v[i] - sum);
	error = sqrt(square / (n - 1) / n) * student[n - 2];
	*low = exp(sum - error);
	*high = exp(sum + error);
	return n;
}

static void ratio_text(char *to, size_t room, double v)
{
	snprintf(to, room, v >= 100 ? "%.0f" : v >= 10 ? "%.1f" : "%.2f", v);
}

static void cell(FILE *out, enum bench_mode mode, const struct kind *k,
		 const struct contestant *c)
{
	const char *against = c->sleeps ? k->sleeps : k->polls;
	double mean, low, high;
	char text[3][16];
	unsigned int n;

	n = against ? figure_interval(figure_find(mode, k->bench, c->name, k->size),
				      figure_find(mode, k->bench, against, k->size),
				      &mean, &low, &high) : 0;
	if (!n) {
		fputs(" |", out);
		return;
	}
	ratio_text(text[0], sizeof(text[0]), mean);
	ratio_text(text[1], sizeof(text[1]), low);
	ratio_text(text[2], sizeof(text[2]), high);
	if (n == 1)
		fprintf(out, " %s |", text[0]);
	else
		fprintf(out, high < 1 ? " **%s** (%s to %s) |" : " %s (%s to %s) |",
			text[0], text[1], text[2]);
}

/* Is there anything to be shown of it? */
static bool any(enum bench_mode mode, const struct kind *k,
		const struct contestant *c)
{
	const char *against = c->sleeps ? k->sleeps : k->polls;

	return against && figure_find(mode, k->bench, c->name, k->size) &&
	       figure_find(mode, k->bench, against, k->size);
}

/* The table for one machine. */
void summary(FILE *out, enum bench_mode mode)
{
	bool column[KINDS] = { false }, row, head = false;
	const struct contestant *c;
	size_t i, k;

	for (i = 0; (c = contestant_at(i)); i++) {
		for (k = 0; k < KINDS; k++)
			column[k] |= any(mode, &kinds[k], c);
	}
	for (i = 0; (c = contestant_at(i)); i++) {
		for (row = false, k = 0; k < KINDS; k++)
			row |= any(mode, &kinds[k], c);
		if (!row)
			continue;
		if (!head) {
			fprintf(out, "\n**At a glance: so many times weir's cost, 32 B if nothing else is said (95 %% interval)**\n\n| |");
			for (k = 0; k < KINDS; k++) {
				if (column[k])
					fprintf(out, " %s |", kinds[k].what);
			}
			fprintf(out, "\n|---|");
			for (k = 0; k < KINDS; k++) {
				if (column[k])
					fprintf(out, "---:|");
			}
			fputc('\n', out);
			head = true;
		}
		fprintf(out, "| %s |", c->name);
		for (k = 0; k < KINDS; k++) {
			if (column[k])
				cell(out, mode, &kinds[k], c);
		}
		fputc('\n', out);
	}
	if (head)
		fprintf(out, "\nLess than 1: weir loses; in bold where that is no chance. Those who sleep are held\n"
			"against weir-wait where somebody waits, else all against weir, polling.\n");
}
