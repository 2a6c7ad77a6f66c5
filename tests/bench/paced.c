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

/* Histograms of earlier runs: an array of the objects of paced_write(). */
static json_t *earlier;

/* An object of paced_write(), to be written again. */
void paced_keep(json_t *object)
{
	if (!earlier)
		earlier = json_array();
	if (json_array_append(earlier, object))
		die("no memory for a histogram");
}

/* Histograms, one JSON object a line: buckets with something, from the least. */
void paced_write(FILE *file)
{
	json_t *object, *buckets;
	unsigned int i, b;
	size_t l;

	json_array_foreach(earlier, l, object)
		json_line(file, json_incref(object));
	for (i = 0; i < nkept; i++) {
		const struct hist *h = &kept[i].hist;

		buckets = json_array();
		for (b = 0; b < HIST_BUCKETS; b++) {
			if (h->count[b])
				json_array_append_new(buckets,
					json_pack("[I, I]",
						  (json_int_t)hist_low(b),
						  (json_int_t)h->count[b]));
		}
		json_line(file, json_pack("{ss, ss, ss, sI, sI, sI, so}",
					  "mode", mode_names[options.mode],
					  "hist", kept[i].bench,
					  "who", kept[i].who,
					  "rate", (json_int_t)kept[i].rate,
					  "n", (json_int_t)h->n,
					  "max", (json_int_t)h->max,
					  "buckets", buckets));
	}
}
