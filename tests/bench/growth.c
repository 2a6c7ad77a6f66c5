// SPDX-License-Identifier: GPL-2.0
/*
 * How costs grow: cost ~ n^k, where k is the slope of a straight line through
 * the logarithms of both, fitted by ordinary least squares, with the slope's
 * standard error, s / sqrt(Sxx), s^2 being the sum of the residuals' squares by
 * the number of points less two (N. R. Draper and H. Smith, Applied Regression
 * Analysis, chapter 1). Costs are medians over the rounds. Points with n < 10
 * are left out: there what is paid once outweighs what grows. A line through
 * two points has no error.
 *
 * k = 0: it costs the same among however many; k = 1: in proportion to n.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"
#include "growth.h"

#define LEAST_N		10
#define GROWTH_POINTS	16

/**
 * struct fit - a fitted power
 * @points: how many.
 * @n: at these, in order.
 * @cost: that.
 * @k: exponent.
 * @error: its standard error; below 0: it cannot be told.
 */
struct fit {
	unsigned int	points;
	double		n[GROWTH_POINTS];
	double		cost[GROWTH_POINTS];
	double		k;
	double		error;
};

static void fit_add(struct fit *f, double n, double cost)
{
	unsigned int i = f->points++;

	for (; i && f->n[i - 1] > n; i--) {
		f->n[i] = f->n[i - 1];
		f->cost[i] = f->cost[i - 1];
	}
	f->n[i] = n;
	f->cost[i] = cost;
}

static void fit_line(struct fit *f)
{
	double x = 0, y = 0, xx = 0, xy = 0, left = 0, d;
	unsigned int i;

	for (i = 0; i < f->points; i++) {
		x += log(f->n[i]) / f->points;
		y += log(f->cost[i]) / f->points;
	}
	for (i = 0; i < f->points; i++) {
		d = log(f->n[i]) - x;
		xx += d * d;
		xy += d * (log(f->cost[i]) - y);
	}
	f->k = xy / xx;
	f->error = -1;
	if (f->points < 3)
		return;
	for (i = 0; i < f->points; i++) {
		d = log(f->cost[i]) - y - f->k * (log(f->n[i]) - x);
		left += d * d;
	}
	f->error = sqrt(left / (f->points - 2) / xx);
}

/* False when there are not even two points. */
static bool fit_of(struct fit *f, enum bench_mode mode, const char *bench,
		   const char *who)
{
	unsigned int i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < nfigures && f->points < GROWTH_POINTS; i++) {
		const struct figure *g = &figures[i];
		double cost;

		if (g->mode != mode || g->size < LEAST_N ||
		    strcmp(g->bench, bench) || strcmp(g->who, who))
			continue;
		cost = figure_median(g);
		if (cost > 0 && isfinite(cost))
			fit_add(f, (double)g->size, cost);
	}
	if (f->points < 2)
		return false;
	fit_line(f);
	return true;
}

static void fit_row(FILE *out, const struct fit *f, const char *what,
		    const char *who)
{
	unsigned int last = f->points - 1;
	/* no minus before what is shown as nothing */
	double k = fabs(f->k) < 0.0005 ? 0 : f->k;
	char error[16] = "-";

	if (f->error >= 0)
		snprintf(error, sizeof(error), "%.3f", f->error);
	fprintf(out, "| %s | %s | %.0f to %.0f | %u | %.0f | %.0f | %.3f | %s |\n",
		what, who, f->n[0], f->n[last], f->points, f->cost[0],
		f->cost[last], k, error);
}

static const struct {
	const char *bench;
	const char *what;
} list[] = {
	{ "path", "n-th path, name, queue or subject" },
	{ "connect", "connecting to a name among n" },
	{ "subscribe", "n-th subscription of a path" },
	{ "idle_solo", "publish and consume among n idle sockets" },
	{ "idle_rtt", "sleeping round trip among n idle sockets" },
	{ "send_cached", "request by a known handle among n routes" },
	{ "send_uncached", "request by a handle to be found first" },
	{ "send_named", "request by a name met before" },
	{ "send_named_new", "request by a name met for the first time" },
	{ "route_set", "making a route, up to n" },
	{ "fan_publish", "publisher's cost of a message to n subscribers" },
	{ "fanin_receive", "receiving a message from one of n senders" },
	{ "fanin_peek", "looking for a message of n senders in vain" },
	{ "fanin_poll", "asking the kernel for one in vain" },
	{ "publish", "publishing n bytes" },
	{ "rate", "time a message of n bytes at full rate" },
};

#define LIST	(sizeof(list) / sizeof(list[0]))

/* For pictures: a JSON object a line. */
void growth_write(FILE *file)
{
	unsigned int m, i, k;
	struct fit fit;

	for (m = 0; m < MODES; m++) {
		for (i = 0; i < LIST; i++) {
			for (k = 0; k < who_count; k++) {
				if (!fit_of(&fit, (enum bench_mode)m,
					    list[i].bench, who_order[k]))
					continue;
				json_line(file, json_pack("{ss, ss, ss, so, so}",
					"mode", mode_names[m],
					"growth", list[i].bench,
					"who", who_order[k],
					"k", json_rounded(fit.k, 3),
					"error", json_rounded(fit.error, 3)));
			}
		}
	}
}

void growth_table(FILE *out, enum bench_mode mode)
{
	bool head = false;
	struct fit fit;
	unsigned int i, k;

	for (i = 0; i < LIST; i++) {
		for (k = 0; k < who_count; k++) {
			if (!fit_of(&fit, mode, list[i].bench, who_order[k]))
				continue;
			if (!head)
				fprintf(out, "\n**Growth: cost ~ n^k**, fitted to the points with n >= %d\n\n"
					"| cost | of | n | points | first | last | k | standard error |\n"
					"|---|---|---:|---:|---:|---:|---:|---:|\n",
					LEAST_N);
			head = true;
			fit_row(out, &fit, list[i].what, who_order[k]);
		}
	}
	if (head)
		fprintf(out, "\nk = 0: it costs the same among however many; k = 1: in proportion to n. First and\n"
			"last are the costs at both ends of n, in %s.\n",
			mode == MODE_ICOUNT ? "instructions" : "ns");
}
