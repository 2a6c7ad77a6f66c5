// SPDX-License-Identifier: GPL-2.0
/*
 * What a run was: when, on which kernel and processor, how long; and which
 * contestants could not take part, and why.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "figure.h"

#define ABSENT_MAX	32

/**
 * struct note - a run in one mode
 * @date: it began.
 * @kernel: release.
 * @cpu: name of the processor.
 * @seconds: it took.
 * @rounds: it had.
 * @quick: with few messages.
 * @some: not all has been measured, but what --only said.
 */
static struct note {
	char		date[24];
	char		kernel[64];
	char		cpu[64];
	unsigned long	seconds;
	unsigned int	rounds;
	unsigned int	quick;
	unsigned int	some;
} notes[MODES];

static struct absent {
	enum bench_mode	mode;
	char		who[20];
	char		why[128];
} absent[ABSENT_MAX];

static unsigned int nabsent;

static void cpu_name(char *to, size_t room)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256], name[64];

	snprintf(to, room, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "model name : %63[^\n]", name) == 1) {
			snprintf(to, room, "%s", name);
			break;
		}
	}
	if (file)
		fclose(file);
}

void run_begins(void)
{
	struct note *n = &notes[options.mode];
	time_t now = time(NULL);
	struct utsname system;

	strftime(n->date, sizeof(n->date), "%Y-%m-%d %H:%M UTC", gmtime(&now));
	uname(&system);
	snprintf(n->kernel, sizeof(n->kernel), "%.63s", system.release);
	cpu_name(n->cpu, sizeof(n->cpu));
	n->quick = options.quick;
	n->some = !!options.only;
}

void run_ended(unsigned int rounds, unsigned long seconds)
{
	notes[options.mode].rounds = rounds;
	notes[options.mode].seconds = seconds;
}

static struct absent *absent_find(enum bench_mode mode, const char *who)
{
	unsigned int i;

	for (i = 0; i < nabsent; i++) {
		if (absent[i].mode == mode && !strcmp(absent[i].who, who))
			return &absent[i];
	}
	return NULL;
}

/* Why it has no part in this mode, or NULL. */
const char *absent_why(enum bench_mode mode, const char *who)
{
	const struct absent *a = absent_find(mode, who);

	return a ? a->why : NULL;
}

void absent_add(enum bench_mode mode, const char *who, const char *why)
{
	struct absent *a = absent_find(mode, who);

	if (a || nabsent == ABSENT_MAX)
		return;
	a = &absent[nabsent++];
	a->mode = mode;
	snprintf(a->who, sizeof(a->who), "%s", who);
	snprintf(a->why, sizeof(a->why), "%s", why);
}

/* JSON, a line each. */
void run_write(FILE *file)
{
	unsigned int m, i;

	for (m = 0; m < MODES; m++) {
		const struct note *n = &notes[m];

		if (n->rounds)
			json_line(file, json_pack("{ss, ss, ss, ss, sI, si, si, si}",
						  "mode", mode_names[m],
						  "run", n->date,
						  "kernel", n->kernel,
						  "cpu", n->cpu, "seconds",
						  (json_int_t)n->seconds,
						  "of_rounds", n->rounds,
						  "quick", n->quick,
						  "some", n->some));
	}
	for (i = 0; i < nabsent; i++)
		json_line(file, json_pack("{ss, ss, ss}", "mode",
					  mode_names[absent[i].mode],
					  "absent", absent[i].who,
					  "why", absent[i].why));
}

/* An object of run_write(). False: it is none. */
bool run_read(json_t *object)
{
	const char *mode, *who, *why, *date, *kernel, *cpu;
	struct note n = { .rounds = 0 };
	json_int_t seconds;
	unsigned int m;

	if (!json_unpack(object, "{ss, ss, ss}", "mode", &mode,
			 "absent", &who, "why", &why)) {
		m = mode_parse(mode);
		if (m < MODES)
			absent_add((enum bench_mode)m, who, why);
		return true;
	}
	if (json_unpack(object, "{ss, ss, ss, ss, sI, si, si, si}",
			"mode", &mode, "run", &date, "kernel", &kernel,
			"cpu", &cpu, "seconds", &seconds,
			"of_rounds", &n.rounds, "quick", &n.quick,
			"some", &n.some))
		return false;
	snprintf(n.date, sizeof(n.date), "%s", date);
	snprintf(n.kernel, sizeof(n.kernel), "%s", kernel);
	snprintf(n.cpu, sizeof(n.cpu), "%s", cpu);
	n.seconds = (unsigned long)seconds;
	m = mode_parse(mode);
	/* the later part of a mode has only some of its figures */
	if (m < MODES && (!notes[m].rounds || !n.some))
		notes[m] = n;
	return true;
}

/* In words. */
void run_table(FILE *out)
{
	unsigned int m;

	fprintf(out, "\n| | begun | kernel | processor | rounds | took |\n"
		"|---|---|---|---|---:|---:|\n");
	for (m = 0; m < MODES; m++) {
		const struct note *n = &notes[m];

		if (n->rounds)
			fprintf(out, "| %s%s | %s | %s | %s | %u | %lu s |\n",
				mode_names[m], n->quick ? ", quick" : "",
				n->date, n->kernel, n->cpu, n->rounds,
				n->seconds);
	}
}
