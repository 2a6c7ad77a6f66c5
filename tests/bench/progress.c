// SPDX-License-Identifier: GPL-2.0
/*
 * How far it is, on standard error: a bar where that is a terminal, else a line
 * for each percent, "progress PERCENT WHAT", of which scripts/bench makes one.
 */
#include <stdarg.h>
#include <unistd.h>

#include "bench.h"

#define BAR	40

static struct {
	unsigned int	steps;	/* of a round */
	unsigned int	done;	/* of this round */
	unsigned int	round;
	unsigned int	rounds;	/* there will be, as far as is known */
	int		shown;	/* percent; -1: nothing yet */
} progress = { .shown = -1 };

/* A guest's standard error is a serial line, at whose end there is a script. */
static bool progress_bar(void)
{
	return mode_real(options.mode) && isatty(STDERR_FILENO);
}

/* The n-th round of @rounds begins, in as many steps as the last one had. */
void progress_round(unsigned int round, unsigned int rounds)
{
	if (round)
		progress.steps = progress.done;
	progress.done = 0;
	progress.round = round;
	progress.rounds = rounds;
}

/* About how many steps the first round has. */
void progress_steps(unsigned int n)
{
	progress.steps = n;
}

/* A step begins. */
void progress_step(const char *bench, unsigned long size, const char *who)
{
	double share = (double)progress.done / (progress.steps ? progress.steps : 1);
	int percent, i;

	progress.done++;
	if (share > 1)
		share = 1;
	percent = (int)(100 * (progress.round + share) / progress.rounds);
	if (percent <= progress.shown && !progress_bar())
		return;
	if (percent < progress.shown)
		percent = progress.shown;
	progress.shown = percent;
	if (!progress_bar()) {
		say("progress %d round %u of %u: %s %lu %s", percent,
		    progress.round + 1, progress.rounds, bench, size, who);
		return;
	}
	fputs("\r[", stderr);
	for (i = 0; i < BAR; i++)
		fputc(i < percent * BAR / 100 ? '#' : '-', stderr);
	fprintf(stderr, "] %3d %% round %u of %u: %s %lu %-12s\033[K", percent,
		progress.round + 1, progress.rounds, bench, size, who);
}

/* Nothing is left to do. */
void progress_end(void)
{
	if (progress_bar())
		fputs("\r\033[K", stderr);
	else
		say("progress 100 done");
}
