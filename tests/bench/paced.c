// SPDX-License-Identifier: GPL-2.0
/*
 * Latencies at a fixed load: percentiles of each round, and of all rounds
 * together, whose histogram is written, too.
 */
#include <stdlib.h>
#include <string.h>

#include "figure.h"

#define KEPT_MAX	128

/* A round has too few messages for the last of them. */
static const struct {
	const char	*name;
	double		percent;
	bool		of_all;
} percentiles[] = {
	{ "p50", 50, false }, { "p90", 90, false }, { "p99", 99, false },
	{ "p99.9", 99.9, false }, { "p99.99", 99.99, true },
	{ "max", 100, true },
};

#define PERCENTILES	(sizeof(percentiles) / sizeof(percentiles[0]))

/* Of all rounds so far, by measurement, contestant and rate. */
static struct kept {
	const char	*bench;
	const char	*who;
	unsigned long	rate;
	struct hist	hist;
} kept[KEPT_MAX];

static unsigned int nkept;

static struct kept *kept_of(const char *bench, const char *who,
			    unsigned long rate)
{
	unsigned int i;

	for (i = 0; i < nkept; i++) {
		if (!strcmp(kept[i].bench, bench) &&
		    !strcmp(kept[i].who, who) && kept[i].rate == rate)
			return &kept[i];
	}
	if (nkept == KEPT_MAX)
		die("too many histograms");
	kept[nkept].bench = bench;
	kept[nkept].who = who;
	kept[nkept].rate = rate;
	return &kept[nkept++];
}

static void add(unsigned int round, const struct kept *k, const struct hist *h,
		bool of_all)
{
	char name[24];
	size_t i;

	for (i = 0; i < PERCENTILES; i++) {
		if (percentiles[i].of_all != of_all)
			continue;
		snprintf(name, sizeof(name), "%s_%s", k->bench,
			 percentiles[i].name);
		figure_add(round, name, k->who, k->rate,
			   (double)hist_percentile(h, percentiles[i].percent));
	}
}

/* What a job has measured is added to the figures. */
void paced_measure(unsigned int round, const struct contestant *c,
		   const struct job *job)
{
	struct kept *k = kept_of(job->answered ? "paced_rtt" : "paced", c->name,
				 1000000000 / job->period_ns);

	hist_merge(&k->hist, &job->hist);
	add(round, k, &job->hist, false);
}

/* All rounds are over. */
void paced_sum(void)
{
	unsigned int i;

	for (i = 0; i < nkept; i++)
		add(0, &kept[i], &kept[i].hist, true);
}

/* Lines of earlier runs. */
static char **lines;
static size_t nlines;

/* A line of paced_write(), to be written again. */
void paced_keep(const char *line)
{
	lines = realloc(lines, (nlines + 1) * sizeof(*lines));
	if (!lines || !(lines[nlines++] = strdup(line)))
		die("no memory for a histogram");
}

/* Histograms, one JSON object a line: buckets with something, from the least. */
void paced_write(FILE *file)
{
	unsigned int i, b;
	size_t l;

	for (l = 0; l < nlines; l++)
		fputs(lines[l], file);
	for (i = 0; i < nkept; i++) {
		const struct hist *h = &kept[i].hist;
		bool first = true;

		fprintf(file,
			"{\"mode\":\"%s\",\"hist\":\"%s\",\"who\":\"%s\",\"rate\":%lu,"
			"\"n\":%llu,\"max\":%llu,\"buckets\":[",
			mode_names[options.mode], kept[i].bench, kept[i].who,
			kept[i].rate,
			(unsigned long long)h->n, (unsigned long long)h->max);
		for (b = 0; b < HIST_BUCKETS; b++) {
			if (!h->count[b])
				continue;
			fprintf(file, "%s[%llu,%u]", first ? "" : ",",
				(unsigned long long)hist_low(b), h->count[b]);
			first = false;
		}
		fputs("]}\n", file);
	}
}
