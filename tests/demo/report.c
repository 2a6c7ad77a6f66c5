// SPDX-License-Identifier: GPL-2.0
/*
 * What the demo shows: a line of progress, and the tables at the end with the
 * verdict. Reads the shared counts, changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

static const enum party_id reliable[] = {
	PARTY_ALL, PARTY_SECTION, PARTY_RESTARTED,
};

#define RELIABLE	(sizeof(reliable) / sizeof(reliable[0]))

/* --- progress --- */

static const char *pass_words(const struct demo *d)
{
	const struct shared *s = d->shared;

	if (!s->go)
		return "starting";
	if (s->kind == PASS_SLOW)
		return "with slow";
	if (s->kind == PASS_ALONE)
		return "alone";
	return s->party[PARTY_RESTARTED].actor.pid ? "kill -9" : "KILLED";
}

static uint64_t lag(const struct demo *d, enum party_id id)
{
	uint64_t read = demo_total(d, id, id).messages;
	uint64_t sent = demo_total(d, PARTY_PUBLISHER, id).messages;

	return sent > read ? sent - read : 0;
}

void report_progress(const struct demo *d, uint64_t elapsed_ns)
{
	static uint64_t last_messages, last_ns;
	uint64_t messages = demo_total(d, PARTY_PUBLISHER, PARTY_ALL).messages;
	const struct party *slow = &d->shared->party[PARTY_SLOW];
	double seconds = (double)(elapsed_ns - last_ns) / 1e9;
	char slow_words[24] = "-";

	if (slow->actor.pid)
		snprintf(slow_words, sizeof(slow_words), "read %llu",
			 (unsigned long long)slow->seen);
	printf("%s%5.1fs pass %2u %-9s| %8llu msg %6.1fk/s | lag: all %-5llu section %-4llu restarted %-5llu slow %-10s| asked %llu%s",
	       d->lines ? "" : "\r", (double)elapsed_ns / 1e9, d->shared->go,
	       pass_words(d), (unsigned long long)messages,
	       (double)(messages - last_messages) / 1e3 / (seconds > 0 ? seconds : 1),
	       (unsigned long long)lag(d, PARTY_ALL),
	       (unsigned long long)lag(d, PARTY_SECTION),
	       (unsigned long long)lag(d, PARTY_RESTARTED), slow_words,
	       (unsigned long long)tally_get(&d->shared->party[PARTY_CLIENT]
					     .tally[TALLY_REQUESTS]).messages,
	       d->lines ? "\n" : "\033[K");
	fflush(stdout);
	last_messages = messages;
	last_ns = elapsed_ns;
}

/* --- the tables --- */

#define KINDS_ALL	((1U << PASS_KINDS) - 1)

/* Sums the histograms of the kinds whose bits are set. */
static void latency_sum(const struct party *p, unsigned int kinds,
			struct histogram *out)
{
	unsigned int kind;

	memset(out, 0, sizeof(*out));
	for (kind = 0; kind < PASS_KINDS; kind++) {
		if (kinds >> kind & 1)
			histogram_merge(out, &p->latency[kind]);
	}
}

static double total_seconds(const struct shared *s)
{
	double seconds = 0;
	int kind;

	for (kind = 0; kind < PASS_KINDS; kind++)
		seconds += (double)s->kind_ns[kind] / 1e9;
	return seconds;
}

static void print_speed(const struct demo *d, enum party_id id,
			struct count c, double seconds)
{
	struct histogram latency;
	uint64_t timed = c.messages - d->shared->party[id].drained;

	printf("%-10s %-18s %9llu %8.1f %8.0f", party_name[id],
	       d->pattern[id], (unsigned long long)c.messages,
	       (double)c.bytes / 1e6,
	       seconds > 0 ? (double)timed / seconds : 0);
	if (id != PARTY_PUBLISHER && id != PARTY_SERVER) {
		latency_sum(&d->shared->party[id], KINDS_ALL, &latency);
		print_latencies(&latency);
	}
	printf("\n");
}

static void print_speeds(const struct demo *d)
{
	const struct shared *s = d->shared;
	double seconds = total_seconds(s);
	size_t i;

	printf("%-10s %-18s %9s %8s %8s" LATENCY_HEAD "\n", "party",
	       "reads or serves", "messages", "MB", "msg/s");
	print_speed(d, PARTY_PUBLISHER,
		    demo_total(d, PARTY_PUBLISHER, PARTY_ALL), seconds);
	for (i = 0; i < RELIABLE; i++)
		print_speed(d, reliable[i],
			    demo_total(d, reliable[i], reliable[i]), seconds);
	print_speed(d, PARTY_SLOW, demo_total(d, PARTY_SLOW, PARTY_SLOW),
		    (double)s->kind_ns[PASS_SLOW] / 1e9);
	print_speed(d, PARTY_SERVER,
		    tally_get(&s->party[PARTY_SERVER].tally[TALLY_REPLIES]),
		    seconds);
	print_speed(d, PARTY_CLIENT,
		    tally_get(&s->party[PARTY_CLIENT].tally[TALLY_REPLIES]),
		    seconds);
	printf("Latency: from the publisher's clock in the message to when it has been read, with the\n"
	       "publisher as fast as the readers let it be; of the client, from request to reply.\n");
}

static void print_sums(const char *name, struct count sent, struct count got,
		       uint64_t lost, uint64_t doubled, const char **why)
{
	bool agree = sent.messages == got.messages && sent.sum == got.sum &&
		     sent.bytes == got.bytes;

	printf("%-10s %9llu %9llu %6llu %10llu  %016llx  %016llx  %s\n", name,
	       (unsigned long long)sent.messages,
	       (unsigned long long)got.messages, (unsigned long long)lost,
	       (unsigned long long)doubled, (unsigned long long)sent.sum,
	       (unsigned long long)got.sum, agree ? "agree" : "DIFFER");
	if (lost)
		object(why, "%s: %llu messages lost", name,
		       (unsigned long long)lost);
	if (doubled)
		object(why, "%s: %llu messages came twice", name,
		       (unsigned long long)doubled);
	if (!agree)
		object(why, "%s: the checksums do not agree", name);
}

static void print_integrity(const struct demo *d, const char **why)
{
	const struct party *server = &d->shared->party[PARTY_SERVER];
	const struct party *client = &d->shared->party[PARTY_CLIENT];
	size_t i;

	printf("%-10s %9s %9s %6s %10s  %-16s  %-16s\n", "party", "sent",
	       "received", "lost", "duplicates", "checksum in", "checksum out");
	for (i = 0; i < RELIABLE; i++) {
		const struct party *p = &d->shared->party[reliable[i]];
		struct count sent = demo_total(d, PARTY_PUBLISHER, reliable[i]);
		struct count got = demo_total(d, reliable[i], PARTY_ALL);
		uint64_t lost = p->lost;

		/* what never came after the last that did leaves no gap */
		if (sent.messages > got.messages + lost)
			lost = sent.messages - got.messages;
		print_sums(party_name[reliable[i]], sent, got, lost,
			   p->doubled, why);
	}
	print_sums("requests", tally_get(&client->tally[TALLY_REQUESTS]),
		   tally_get(&server->tally[TALLY_REQUESTS]), 0, 0, why);
	print_sums("replies", tally_get(&server->tally[TALLY_REPLIES]),
		   tally_get(&client->tally[TALLY_REPLIES]), 0, 0, why);
	print_sums("refusals", tally_get(&server->tally[TALLY_REFUSED]),
		   tally_get(&client->tally[TALLY_REFUSED]), 0, 0, why);
	for (i = 0; i < PARTIES; i++) {
		if (d->shared->party[i].broken)
			object(why, "%s: %llu messages were not as sent",
			       party_name[i],
			       (unsigned long long)d->shared->party[i].broken);
	}
}

/* --- the slow one and the killed one --- */

static void print_ratio(const char *what, uint64_t alone, uint64_t slow)
{
	char a[24], b[24];

	printf("  %-24s %10s %10s   x%.2f\n", what,
	       time_words(alone, a, sizeof(a)), time_words(slow, b, sizeof(b)),
	       alone ? (double)slow / (double)alone : 0);
}

static int compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value that is @part of the way from the least to the most. */
static double value_at(double *values, uint32_t n, double part)
{
	qsort(values, n, sizeof(values[0]), compare_double);
	return n ? values[(uint32_t)((n - 1) * part + 0.5)] : 0;
}

static uint32_t remembered(const struct shared *s, enum pass_kind kind)
{
	return s->passes[kind] < PASSES_MAX ? s->passes[kind] : PASSES_MAX;
}

/* Median over the passes of a kind. */
static double pass_rate(const struct demo *d, enum pass_kind kind)
{
	static double rate[PASSES_MAX];
	const struct shared *s = d->shared;
	uint32_t n = remembered(s, kind), i;

	for (i = 0; i < n; i++)
		rate[i] = d->index.header->npackages / (double)PASS_PARTS /
			  ((double)s->pass_ns[kind][i] / 1e9);
	return value_at(rate, n, 0.5);
}

static void print_rates(const struct demo *d)
{
	static double ratio[PASSES_MAX];
	const struct shared *s = d->shared;
	uint32_t n = remembered(s, PASS_SLOW), i;

	/* all pairs are whole by now */
	for (i = 0; i < n; i++)
		ratio[i] = (double)s->pass_ns[PASS_ALONE][i] /
			   (double)s->pass_ns[PASS_SLOW][i];
	printf("  %-24s %8.0f/s %8.0f/s\n", "messages, median pass",
	       pass_rate(d, PASS_ALONE), pass_rate(d, PASS_SLOW));
	printf("    pair by pair: the median x%.2f, half of them x%.2f to x%.2f\n",
	       value_at(ratio, n, 0.5), value_at(ratio, n, 0.25),
	       value_at(ratio, n, 0.75));
}

static void print_slow(const struct demo *d, const char **why)
{
	const struct party *p = &d->shared->party[PARTY_SLOW];
	static const double parts[] = { 0.5, 0.99 };
	struct histogram with, without;
	char what[40];
	size_t i, j;

	printf("What the slow subscriber did to the others (%u pairs of passes, without and with it):\n",
	       d->shared->passes[PASS_SLOW]);
	printf("  %-24s %10s %10s   ratio\n", "", "without", "with");
	print_rates(d);
	for (i = 0; i < RELIABLE; i++) {
		const struct party *other = &d->shared->party[reliable[i]];

		latency_sum(other, 1U << PASS_ALONE, &without);
		latency_sum(other, 1U << PASS_SLOW, &with);
		for (j = 0; j < 2; j++) {
			snprintf(what, sizeof(what), "%s p%.0f",
				 party_name[reliable[i]], parts[j] * 100);
			print_ratio(what, percentile(&without, parts[j]),
				    percentile(&with, parts[j]));
		}
	}
	printf("It read %llu and missed %llu (%llu overwritten under its eyes, and noticed) of the %llu\n"
	       "published while it was there; the publisher never waits for it.\n",
	       (unsigned long long)p->seen, (unsigned long long)p->missed,
	       (unsigned long long)p->torn, (unsigned long long)p->offered);
	if (p->seen + p->missed != p->offered)
		object(why, "slow: read %llu and missed %llu, but %llu were published",
		       (unsigned long long)p->seen,
		       (unsigned long long)p->missed,
		       (unsigned long long)p->offered);
	if (p->doubled)
		object(why, "slow: %llu messages came twice",
		       (unsigned long long)p->doubled);
}

static void print_killed(const struct demo *d, const char **why)
{
	const struct party *p = &d->shared->party[PARTY_RESTARTED];
	const struct shared *s = d->shared;
	uint64_t total = demo_total(d, PARTY_RESTARTED, PARTY_ALL).messages;

	printf("Killed with kill -9 after %llu messages, away for %.1f s, went on with the next one and\n"
	       "read %llu more. The one in its hands when it was killed: %s.\n",
	       (unsigned long long)s->killed_at, (double)s->down_ns / 1e9,
	       (unsigned long long)(total - s->killed_at),
	       p->in_hand ? "given to it again, and known by its number" : "none");
	if (p->actor.starts != 2)
		object(why, "the subscriber was started %u times, not twice",
		       p->actor.starts);
	if (p->in_hand > 1)
		object(why, "restarted: %llu messages came again, one might",
		       (unsigned long long)p->in_hand);
}

static void print_copies(const struct demo *d)
{
	const struct party *p = &d->shared->party[PARTY_PUBLISHER];
	uint64_t copied = 0;
	int i;

	for (i = 0; i < PARTIES; i++)
		copied += d->shared->party[i].copied_bytes;
	printf("Payload bytes copied by the kernel: %llu. The publisher found a ring full %llu times and\n"
	       "slept %.1f s for room in all.\n", (unsigned long long)copied,
	       (unsigned long long)p->waits, (double)p->waited_ns / 1e9);
}

/**
 * report_print() - the tables, after a run that went to its end
 * @d: the run.
 * @why: out: why it did not pass after all.
 */
bool report_print(const struct demo *d, const char **why)
{
	*why = NULL;
	printf("\n");
	print_speeds(d);
	printf("\n");
	print_integrity(d, why);
	printf("\n");
	print_slow(d, why);
	printf("\n");
	print_killed(d, why);
	print_copies(d);
	printf("\n");
	return !*why;
}
