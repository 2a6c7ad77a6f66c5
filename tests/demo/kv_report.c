// SPDX-License-Identifier: GPL-2.0
/*
 * What the second act shows: a line of progress, and the tables at the end with
 * the verdict. Reads the counts, changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "kv.h"

static const char *const phase_words[KV_PHASES] = {
	[KV_WHOLE]	= "all are well",
	[KV_KILLED]	= "one killed",
	[KV_SLOWED]	= "and one late",
};

static uint64_t total(const uint64_t *of_phase)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < KV_PHASES; i++)
		sum += of_phase[i];
	return sum;
}

uint64_t kv_refused(const struct kv_caller *c)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < WEIR_REASON_MAX; i++)
		sum += c->refused[i];
	return sum;
}

uint64_t kv_answered(const struct kv_caller *c)
{
	return total(c->good) + c->wrong + kv_refused(c);
}

/* Good replies of one instance to what was sent in one phase. */
static uint64_t replies_by(const struct kv_shared *s, enum kv_phase phase,
			   uint32_t instance)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < KV_CALLERS; i++)
		sum += s->caller[i].by[phase][instance];
	return sum;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* --- progress --- */

static const char *breaker_words(const struct kv *k, uint32_t i)
{
	static const char *const words[] = { "ok", "open", "half open" };
	uint32_t breaker = k->last.target[i].breaker;

	if (i == KV_VICTIM && k->shared->killed_ns)
		return "dead";
	if (k->last.target[i].state == WEIR_TARGET_EJECTED)
		return "ejected";
	return breaker < 3 ? words[breaker] : "?";
}

void kv_progress(const struct kv *k, uint64_t elapsed_ns)
{
	static uint64_t last_answered, last_ns;
	const struct kv_shared *s = k->shared;
	double seconds = (double)(elapsed_ns - last_ns) / 1e9;
	uint64_t answered = 0, refused = 0;
	uint32_t i;

	for (i = 0; i < KV_CALLERS; i++) {
		answered += kv_answered(&s->caller[i]);
		refused += kv_refused(&s->caller[i]);
	}
	printf("%s%5.1fs %-12s | %8llu answered %6.1fk/s | refused %-5llu | instances:",
	       k->lines ? "" : "\r", (double)elapsed_ns / 1e9,
	       s->go ? phase_words[s->phase] : "starting",
	       (unsigned long long)answered,
	       (double)(answered - last_answered) / 1e3 /
	       (seconds > 0 ? seconds : 1), (unsigned long long)refused);
	for (i = 0; i < KV_INSTANCES; i++)
		printf(" %s", breaker_words(k, i));
	printf("%s", k->lines ? "\n" : "\033[K");
	fflush(stdout);
	last_answered = answered;
	last_ns = elapsed_ns;
}

/* --- instances --- */

static void print_state(const struct kv *k, uint32_t i)
{
	const struct weir_target_entry *t = &k->last.target[i];
	double began = (double)k->began_ns;

	if (i == KV_VICTIM)
		printf("killed at %.1f s with %u in flight",
		       ((double)k->shared->killed_ns - began) / 1e9,
		       k->at_kill.target[i].in_flight);
	else if (i == KV_LATE)
		printf("late from %.1f s on",
		       ((double)k->late_ns - began) / 1e9);
	else
		printf("well");
	if (t->breaker_opens)
		printf(", breaker opened %llux",
		       (unsigned long long)t->breaker_opens);
	if (t->ejections)
		printf(", ejected %llux", (unsigned long long)t->ejections);
	printf("\n");
}

static void print_instances(const struct kv *k)
{
	const struct kv_shared *s = k->shared;
	uint64_t good[KV_PHASES] = { 0 };
	int i, phase;

	for (phase = 0; phase < KV_PHASES; phase++) {
		for (i = 0; i < KV_CALLERS; i++)
			good[phase] += s->caller[i].good[phase];
	}
	printf("%-8s %9s %9s %7s %8s  %6s %6s %6s  %s\n", "instance",
	       "requests", "replies", "errors", "expired", "well", "killed",
	       "late", "state");
	for (i = 0; i < KV_INSTANCES; i++) {
		const struct weir_target_entry *t = &k->last.target[i];

		printf("%-8d %9llu %9llu %7llu %8llu ", i + 1,
		       (unsigned long long)t->requests,
		       (unsigned long long)t->replies,
		       (unsigned long long)t->errors,
		       (unsigned long long)t->expired);
		for (phase = 0; phase < KV_PHASES; phase++)
			printf(" %5.1f%%", percent(replies_by(s, phase, i),
						   good[phase]));
		printf("  ");
		print_state(k, i);
	}
	printf("Requests to replies: the router's counts, of the killed one just before. Then its share of\n"
	       "the good replies while all were well, after one was killed, and after one was late as well.\n");
}

/* --- callers --- */

static void print_callers(const struct kv *k)
{
	int i, phase;

	printf("%-8s %-12s %8s %8s %8s" LATENCY_HEAD "\n", "caller", "while",
	       "asked", "good", "good/s");
	for (i = 0; i < KV_CALLERS; i++) {
		const struct kv_caller *c = &k->shared->caller[i];

		for (phase = 0; phase < KV_PHASES; phase++) {
			double seconds = (double)k->phase_ns[phase] / 1e9;

			printf("%-8d %-12s %8llu %8llu %8.0f", i + 1,
			       phase_words[phase],
			       (unsigned long long)c->sent[phase],
			       (unsigned long long)c->good[phase],
			       seconds > 0 ? (double)c->good[phase] / seconds : 0);
			print_latencies(&c->latency[phase]);
			printf("\n");
		}
	}
	printf("Round trips of good replies, with %u requests of each caller in flight, by when they were\n"
	       "sent. Caller %d waits %d ms for each, the others %.0f s.\n",
	       KV_WINDOW, KV_HASTY + 1, (int)(KV_HASTY_NS / MS),
	       (double)KV_TIMEOUT_NS / 1e9);
}

/* --- the faults --- */

static void print_kill(const struct kv *k, const char **why)
{
	const struct kv_shared *s = k->shared;
	uint64_t first = 0, last = 0, open = 0, moved;
	char a[24], b[24];
	int i;

	for (i = 0; i < KV_CALLERS; i++) {
		const struct kv_caller *c = &s->caller[i];

		open += c->open;
		if (c->first_ns && (!first || c->first_ns < first))
			first = c->first_ns;
		if (c->open_ns > last)
			last = c->open_ns;
	}
	moved = k->after_kill.route.retries - k->at_kill.route.retries;
	printf("Fail-over after kill -9: the first good reply to a new request after %s; of the requests that\n"
	       "were open then, at it or others, %llu were answered, the last after %s; %llu were moved to others.\n",
	       time_words(first, a, sizeof(a)), (unsigned long long)open,
	       time_words(last, b, sizeof(b)), (unsigned long long)moved);
	if (!first)
		object(why, "no reply to what was asked after the kill");
	if (k->at_kill.target[KV_VICTIM].requests == 0)
		object(why, "the instance had had no requests when it was killed");
	if (replies_by(s, KV_SLOWED, KV_VICTIM))
		object(why, "the dead instance answered");
}

static void print_late(const struct kv *k, const char **why)
{
	const struct weir_target_entry *before = &k->after_kill.target[KV_LATE];
	const struct weir_target_entry *open = &k->at_open.target[KV_LATE];
	const struct weir_target_entry *last = &k->last.target[KV_LATE];
	uint64_t at_it, at_all;
	char words[24];

	if (!k->opened_ns) {
		object(why, "the breaker of the late instance did not open");
		return;
	}
	at_it = last->requests - open->requests;
	at_all = k->last.route.calls - k->at_open.route.calls;
	printf("Fail-over from the one that answers %d ms late: its breaker (%d ms are slow) opened after %s;\n"
	       "it had got %llu requests by then, and %llu of the %llu after that (%.1f%%), as probes.\n",
	       (int)(KV_LATE_NS / MS), (int)(KV_SLOW_NS / MS),
	       time_words(k->opened_ns - k->late_ns, words, sizeof(words)),
	       (unsigned long long)(open->requests - before->requests),
	       (unsigned long long)at_it, (unsigned long long)at_all,
	       percent(at_it, at_all));
	/* a third would be its share */
	if (!at_all || percent(at_it, at_all) > 10)
		object(why, "the traffic did not leave the late instance");
}

/* --- refusals --- */

/* What the guards are there for; the rest would be a fault of the mesh's. */
static bool expected(uint32_t reason)
{
	return reason == WEIR_REASON_DEADLINE ||
	       reason == WEIR_REASON_BULKHEAD || reason == WEIR_REASON_BREAKER;
}

static void print_refusals(const struct kv *k, const char **why)
{
	uint32_t reason, i, reasons = 0;

	printf("Refusals by reason, as the callers got them and as the route counts them:");
	for (reason = 0; reason < WEIR_REASON_MAX; reason++) {
		uint64_t counted = weir_route_refused(&k->last.route, reason), got = 0;

		for (i = 0; i < KV_CALLERS; i++)
			got += k->shared->caller[i].refused[reason];
		if (!got && !counted)
			continue;
		printf("%s %s %llu, %llu", reasons++ ? ";" : "",
		       weir_reason_name(reason), (unsigned long long)got,
		       (unsigned long long)counted);
		if (counted != got)
			object(why, "%s: the callers got %llu refusals, the route counts %llu",
			       weir_reason_name(reason),
			       (unsigned long long)got,
			       (unsigned long long)counted);
		if (!expected(reason))
			object(why, "%llu requests were refused: %s",
			       (unsigned long long)got,
			       weir_reason_name(reason));
	}
	printf("%s.\n", reasons ? "" : " none");
}

/* --- exactly once --- */

static void print_once(const struct kv *k, const char **why)
{
	int i;

	printf("%-8s %9s %9s %9s %8s %7s %10s  %-16s  %-16s\n", "caller",
	       "asked", "good", "refused", "missing", "wrong", "duplicates",
	       "checksum in", "checksum out");
	for (i = 0; i < KV_CALLERS; i++) {
		const struct kv_caller *c = &k->shared->caller[i];
		uint64_t sent = total(c->sent), answered = kv_answered(c);
		bool agree = sent == answered && c->sent_sum == c->answered_sum;

		printf("%-8d %9llu %9llu %9llu %8lld %7llu %10llu  %016llx  %016llx  %s\n",
		       i + 1, (unsigned long long)sent,
		       (unsigned long long)total(c->good),
		       (unsigned long long)kv_refused(c),
		       (long long)(sent - answered),
		       (unsigned long long)c->wrong,
		       (unsigned long long)c->doubled,
		       (unsigned long long)c->sent_sum,
		       (unsigned long long)c->answered_sum,
		       agree ? "agree" : "DIFFER");
		if (!agree)
			object(why, "caller %d: %llu requests, %llu answers",
			       i + 1, (unsigned long long)sent,
			       (unsigned long long)answered);
		if (c->doubled)
			object(why, "caller %d: %llu answers came twice", i + 1,
			       (unsigned long long)c->doubled);
		if (c->wrong)
			object(why, "caller %d: %llu answers were wrong", i + 1,
			       (unsigned long long)c->wrong);
		if (!total(c->good))
			object(why, "caller %d: no good reply", i + 1);
	}
	printf("Every request is to be answered once, by an instance or, if refused, by the router. All may be\n"
	       "done twice: %llu were sent to a second instance because the first had died or did nothing.\n",
	       (unsigned long long)k->last.route.retries);
}

/**
 * kv_print() - the tables, after an act that went to its end
 * @k: the act.
 * @why: out: why it did not pass after all.
 */
bool kv_print(const struct kv *k, const char **why)
{
	*why = NULL;
	printf("\n");
	print_instances(k);
	printf("\n");
	print_callers(k);
	printf("\n");
	print_kill(k, why);
	print_late(k, why);
	print_refusals(k, why);
	printf("\n");
	print_once(k, why);
	printf("\n");
	return !*why;
}
