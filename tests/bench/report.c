// SPDX-License-Identifier: GPL-2.0
/*
 * Tables, in Markdown: what was measured, by machine; and what weir must reach
 * against what it does reach. Ratios are taken within each round, and the
 * median of the rounds is shown.
 */
#include <string.h>

#include "columns.h"
#include "figure.h"
#include "growth.h"

const char *const who_order[] = {
	"weir", "ring", "weir-batch", "weir-wait", "weir-plain", "weir-lossy", "eventfd", "pipe",
	"stream", "seqpacket", "udp", "tcp", "tipc", "mq",
	"pipe-batch", "stream-batch", "seqpacket-batch", "udp-batch",
	"tcp-batch", "tipc-batch", "zmq-ipc",
	"zmq-inproc", "nng", "nats", "iceoryx", "iceoryx-wait",
	"routed", "routed-bare", "routed-poll", "haproxy",
	/* no contestants: guards, faults */
	"bucket", "bulkhead", "breaker", "retry", "killed", "stopped", "load",
};

#define WHO	(sizeof(who_order) / sizeof(who_order[0]))
#define COLUMNS	8

const unsigned int who_count = WHO;

static const char *const mode_words[MODES] = {
	[MODE_NATIVE]	= "on this machine, ring code alone (kernel's pages emulated)",
	[MODE_GUEST]	= "guest with the module, emulated processors in parallel",
	[MODE_ICOUNT]	= "guest with the module, instructions as time (1 ns = 1 instruction)",
	[MODE_HOST]	= "on this machine, with the module",
	[MODE_RT]	= "guest with the module, PREEMPT_RT; a real-time reader sleeps on a processor that others keep busy",
};

static void size_text(char *to, size_t room, unsigned long size, bool bytes)
{
	if (bytes && size >= MIB)
		snprintf(to, room, "%lu MiB", size / MIB);
	else if (bytes && size >= KIB)
		snprintf(to, room, "%lu KiB", size / KIB);
	else
		snprintf(to, room, "%lu%s", size, bytes ? " B" : "");
}

static void value_text(char *to, size_t room, double v)
{
	if (v < 0)
		snprintf(to, room, "-");
	else if (v < 100)
		snprintf(to, room, "%.1f", v);
	else
		snprintf(to, room, "%.0f", v);
}

/* Sizes that a measurement has, in order; returns how many. */
static unsigned int columns(enum bench_mode mode, const char *bench,
			    unsigned long *to)
{
	unsigned int i, k, n = 0;

	for (i = 0; i < nfigures; i++) {
		struct figure *f = &figures[i];

		if (f->mode != mode || strcmp(f->bench, bench))
			continue;
		for (k = 0; k < n && to[k] < f->size; k++)
			;
		if ((k < n && to[k] == f->size) || n == COLUMNS)
			continue;
		memmove(&to[k + 1], &to[k], (n - k) * sizeof(*to));
		to[k] = f->size;
		n++;
	}
	return n;
}

static void table(FILE *out, enum bench_mode mode, const char *bench,
		  const char *title, bool bytes)
{
	unsigned long size[COLUMNS + 1];
	unsigned int n = columns(mode, bench, size), i, k;
	char text[32];

	if (!n)
		return;
	fprintf(out, "\n**%s**\n\n| |", title);
	for (k = 0; k < n; k++) {
		size_text(text, sizeof(text), size[k], bytes);
		fprintf(out, " %s |", text);
	}
	fprintf(out, "\n|---|");
	for (k = 0; k < n; k++)
		fprintf(out, "---:|");
	fputc('\n', out);
	for (i = 0; i < WHO; i++) {
		bool any = false;

		for (k = 0; k < n; k++)
			any |= !!figure_find(mode, bench, who_order[i], size[k]);
		if (!any)
			continue;
		fprintf(out, "| %s |", who_order[i]);
		for (k = 0; k < n; k++) {
			value_text(text, sizeof(text),
				   figure_median(figure_find(mode, bench,
							     who_order[i],
							     size[k])));
			fprintf(out, " %s |", text);
		}
		fputc('\n', out);
	}
}

static double med(enum bench_mode mode, const char *bench, const char *who,
		  unsigned long size)
{
	return figure_median(figure_find(mode, bench, who, size));
}

/*
 * Instructions for 32 bytes, user and kernel apart. Kernel is counted by the
 * CPU, or is what single steps through the user's part leave of the total.
 */
static void table_instructions(FILE *out, enum bench_mode mode)
{
	static const char *const part[] = { "publish", "consume", "rtt" };
	char name[24], text[2][32];
	bool head = false;
	size_t i, k;

	for (i = 0; i < WHO; i++) {
		const char *who = who_order[i];
		char row[512];
		size_t at = 0;
		bool any = false;

		for (k = 0; k < 3; k++) {
			double user, kernel, total;

			snprintf(name, sizeof(name), "%s_user", part[k]);
			user = med(mode, name, who, 32);
			snprintf(name, sizeof(name), "%s_kernel", part[k]);
			kernel = med(mode, name, who, 32);
			total = med(mode, part[k], who, 32);
			if (mode == MODE_ICOUNT && user >= 0 && total >= 0)
				kernel = total > user ? total - user : 0;
			any |= user >= 0;
			value_text(text[0], sizeof(text[0]), user);
			value_text(text[1], sizeof(text[1]), kernel);
			at += (size_t)snprintf(row + at, sizeof(row) - at,
					       " %s | %s |", text[0], text[1]);
		}
		if (!any)
			continue;
		if (!head)
			fprintf(out, "\n**Instructions, 32 B**\n\n"
				"| | publish, user | kernel | consume, user | kernel | round trip, user | kernel |\n"
				"|---|---:|---:|---:|---:|---:|---:|\n");
		head = true;
		fprintf(out, "| %s |%s\n", who, row);
	}
}

/* What a request and its reply cost, stage by stage, all guards on and off. */
static void table_stages(FILE *out, enum bench_mode mode)
{
	static const struct {
		const char *who;
		unsigned long batch;
	} column[] = {
		{ "routed", 1 }, { "routed-bare", 1 }, { "routed-poll", 1 },
		{ "routed", 64 }, { "routed-bare", 64 },
	};
	static const struct {
		const char *bench;
		const char *what;
	} sum[] = {
		{ "request", "**request in all**" },
		{ "reply", "**reply in all**" },
		{ "both", "**both**" },
	};
	char name[24], text[32];
	size_t c, i;

	if (!figure_find(mode, "both", "routed", 1))
		return;
	fprintf(out, "\n**%s of a routed 64 B message, both ends in one process**\n\n"
		"| | alone, all guards on | off | on, polled | 64 at once, on | off |\n"
		"|---|---:|---:|---:|---:|---:|\n",
		mode == MODE_ICOUNT ? "Instructions" : "Nanoseconds");
	for (i = 0; i < STAGES + sizeof(sum) / sizeof(sum[0]); i++) {
		snprintf(name, sizeof(name), "stage_%zu", i);
		if (i >= STAGES)
			snprintf(name, sizeof(name), "%s", sum[i - STAGES].bench);
		fprintf(out, "| %s |", i < STAGES ? stage_names[i] :
			sum[i - STAGES].what);
		for (c = 0; c < sizeof(column) / sizeof(column[0]); c++) {
			value_text(text, sizeof(text),
				   med(mode, name, column[c].who,
				       column[c].batch));
			fprintf(out, " %s |", text);
		}
		fputc('\n', out);
	}
	fprintf(out, "\nA kick for nothing is part of both other kicks; it is for each kick, not each message.\n");
	if (med(mode, "poll_rounds", "routed-poll", 1) < 0)
		return;
	fprintf(out, "Polled, nobody kicks: it is a round of the router's thread over 5 sockets, from the\n"
		"sender's pause until the thread has looked and pauses itself. A message took %.2f rounds.\n"
		"What the thread spends while there is nothing to route is not in it: \"a kick for nothing\"\n"
		"is one such round.\n",
		med(mode, "poll_rounds", "routed-poll", 1));
}

/* How fast the machine was meanwhile. */
static void bracket(FILE *out, enum bench_mode mode)
{
	double low = -1, high = -1;
	unsigned int i, k;

	for (i = 0; i < nfigures; i++) {
		struct figure *f = &figures[i];

		if (f->mode != mode || strcmp(f->bench, "line"))
			continue;
		for (k = 0; k < f->rounds; k++) {
			if (low < 0 || f->value[k] < low)
				low = f->value[k];
			if (f->value[k] > high)
				high = f->value[k];
		}
	}
	if (low >= 0)
		fprintf(out, "\nA cache line there and back, between the measurements: %.0f to %.0f ns.\n",
			low, high);
}

/* What the machines themselves cost, side by side. */
static void machines(FILE *out)
{
	static const struct {
		const char *bench;
		const char *who;
		const char *what;
	} list[] = {
		{ "machine", "syscall", "an empty system call" },
		{ "machine", "switch", "a switch between two processes on one processor" },
		{ "machine", "copy", "copying 1 KiB of 4 MiB" },
		{ "line", "end", "a cache line to the other processor and back" },
	};
	enum bench_mode m;
	char text[32];
	size_t i;

	fprintf(out, "\n## The machines themselves\n\n| |");
	for (m = 0; m < MODES; m++)
		fprintf(out, " %s, %s |", mode_names[m],
			m == MODE_ICOUNT ? "instructions" : "ns");
	fprintf(out, " guest / native |\n|---|---:|---:|---:|---:|---:|\n");
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		double v[MODES];

		fprintf(out, "| %s |", list[i].what);
		for (m = 0; m < MODES; m++) {
			v[m] = med(m, list[i].bench, list[i].who, 0);
			value_text(text, sizeof(text), v[m]);
			fprintf(out, " %s |", text);
		}
		value_text(text, sizeof(text),
			   v[MODE_GUEST] > 0 && v[MODE_NATIVE] > 0 ?
			   v[MODE_GUEST] / v[MODE_NATIVE] : -1);
		fprintf(out, " %s |\n", text);
	}
	fprintf(out, "\nWhere the last column differs from line to line, times in the guest are no measure\n"
		"of what is made of both.\n");
}

static bool has_figures(enum bench_mode mode)
{
	unsigned int i;

	for (i = 0; i < nfigures && figures[i].mode != mode; i++)
		;
	return i < nfigures;
}

/* The tables of one figure each; %s is the mode's unit. */
static const struct {
	const char *bench;
	const char *what;
	bool bytes;
} benches[] = {
	{ "rtt", "Round trip, %s", true },
	{ "rtt_cpu", "Processor time of a round trip, %s: both sides' and daemons'", true },
	{ "oneway", "One way, %s (with two looks at the clock)", true },
	{ "paced_p50", "64 B, one way at a fixed load, %s from when it was to be sent, by messages a second: median", false },
	{ "paced_p90", "The same, 90 %%", false },
	{ "paced_p99", "99 %%", false },
	{ "paced_p99.9", "99.9 %%", false },
	{ "paced_p99.99", "99.99 %%, of all rounds", false },
	{ "paced_max", "The longest", false },
	{ "paced_rtt_p50", "64 B and an answer at a fixed load, %s from when it was to be sent, by requests a second: median", false },
	{ "paced_rtt_p90", "The same, 90 %%", false },
	{ "paced_rtt_p99", "99 %%", false },
	{ "paced_rtt_p99.9", "99.9 %%", false },
	{ "paced_rtt_p99.99", "99.99 %%, of all rounds", false },
	{ "paced_rtt_max", "The longest", false },
	{ "paced_cpu", "One way at a fixed load: the receiver's and daemons' processor time, %s a message", false },
	{ "rate", "Throughput, %s per message", true },
	{ "rate_cpu", "Processor time a message at full rate, both sides' and daemons', %s", true },
	{ "publish", "Publish, %s per message, both ends in one process", true },
	{ "consume", "Consume, %s per message, both ends in one process", true },
	{ "fan_publish", "Fan-out: publisher's %s per message, by subscribers", false },
	{ "fan_consume", "Fan-out: each subscriber's %s per message, by subscribers", false },
	{ "fanin_send", "Fan-in: %s per message for its sender, by senders", false },
	{ "fanin_receive", "Fan-in: %s per message for who receives from all", false },
	{ "fanin_peek", "Fan-in: %s for a look when nobody has sent, by senders", false },
	{ "fanin_poll", "Fan-in: %s for poll() or epoll_wait() then, by senders", false },
	{ "slow_p99", "Eight subscribers, 1 KiB at a fixed load: %s until those who read have it, 99 %%; 1: one does not read", false },
	{ "slow_max", "The longest", false },
	{ "slow_sent", "Percent of the messages that could be sent in time", false },
	{ "slow_lost", "Percent that those who read have lost", false },
	{ "slow_kept", "Percent that the one who did not read gets later", false },
	{ "handover", "Handing over what is in place, %s", true },
	{ "traffic", "Bytes moved per 64 KiB message (user's fill and sum, kernel's copies)", true },
	{ "subscribe", "The n-th subscription of a path, %s", false },
	{ "path", "The n-th path, name, queue or subject, %s", false },
	{ "connect", "Connecting to a name, and accepting that, %s, by names", false },
	{ "idle_solo", "32 B, publish and consume, %s, by idle sockets of the same kind", false },
	{ "idle_rtt", "32 B, round trip of sleeping sides, %s, by idle sockets of the same kind", false },
	{ "routed_rate", "Throughput, %s per message: a request or a reply, 64 at once; beside SEQPACKET", true },
	{ "guard", "A request and its reply, %s, with one guard alone, by requests at once", false },
	{ "send_cached", "Sending a request by a known handle, %s, by routes", false },
	{ "send_uncached", "The same with finding the handle first, %s, by routes", false },
	{ "send_named", "Sending by name (sendto), %s, by routes; the name met before on this processor", false },
	{ "send_named_new", "The same, a name met for the first time", false },
	{ "route_probes", "Probes of the trie for a path of eight segments, by routes", false },
	{ "route_set", "Making a route, 4096 in a call, %s each, by routes", false },
	{ "failover", "Longest wait of any request for its reply from the fault on, ms, by probe period in ms (0: the default); median", false },
	{ "failover_worst", "The same, worst, ms", false },
	{ "failover_faults", "Of so many faults", false },
	{ "failover_lost", "Of these with an error for a request, or no reply", false },
	{ "failover_late", "Further faults, left out because the machine itself was late", false },
	{ "failover_late_lost", "Of those left out with an error", false },
	{ "trips", "Under full load: targets given up, breakers opened, errors; by probe period in ms", false },
	{ "trips_seconds", "In so many seconds", false },
	{ "trips_late", "Further seconds, left out because the machine itself was late", false },
	{ "trips_then", "Given up, opened, errors in those left out", false },
	{ "trips_calls", "Calls in all of these seconds", false },
};

static void tables(FILE *out, enum bench_mode mode)
{
	const char *unit = mode == MODE_ICOUNT ? "instructions" : "ns";
	char title[128];
	unsigned int i;

	if (!has_figures(mode))
		return;
	fprintf(out, "\n## %s: %s\n", mode_names[mode], mode_words[mode]);
	bracket(out, mode);
	summary(out, mode);
	for (i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(title, sizeof(title), benches[i].what, unit);
#pragma GCC diagnostic pop
		table(out, mode, benches[i].bench, title, benches[i].bytes);
	}
	growth_table(out, mode);
	columns_tables(out, mode);
	table_stages(out, mode);
	table_instructions(out, mode);
}

/* --- what is required --- */

static void verdict(FILE *out, const char *what, const char *where,
		    bool at_most, double bound, double measured)
{
	const char *word = measured < 0 ? "not measured" :
			   (at_most ? measured <= bound : measured >= bound) ?
			   "met" : "**not met**";
	char text[32] = "-";

	/* nothing of that has been measured at all */
	if (!has_figures((enum bench_mode)mode_parse(where)))
		return;
	if (measured >= 0)
		snprintf(text, sizeof(text), "%.3f", measured);
	fprintf(out, "| %s | %s | %s %.5g | %s | %s |\n", what, where,
		at_most ? "at most" : "at least", bound, text, word);
}

static double ratio(enum bench_mode mode, const char *bench, const char *a,
		    unsigned long size_a, const char *b, unsigned long size_b)
{
	return figure_ratio(figure_find(mode, bench, a, size_a),
			    figure_find(mode, bench, b, size_b));
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static void required(FILE *out)
{
	static const char *const sleepers[] = { "weir-wait", "weir-plain" };
	const enum bench_mode N = MODE_NATIVE, G = MODE_GUEST, I = MODE_ICOUNT;
	char what[96];
	size_t i;

	fprintf(out, "\n## Required figures\n\n"
		"| figure | where | required | measured | verdict |\n"
		"|---|---|---:|---:|---|\n");
	verdict(out, "a. 32 B round trip, weir / bare ring", "native", true,
		1.05, ratio(N, "rtt", "weir", 32, "ring", 32));
	verdict(out, "a. 32 B messages/s, weir / bare ring", "native", false,
		1.0, ratio(N, "rate", "ring", 32, "weir", 32));
	verdict(out, "a. 32 B messages/s, weir-batch / bare ring", "native", false,
		1.0, ratio(N, "rate", "ring", 32, "weir-batch", 32));
	verdict(out, "a. 32 B messages/s, weir / SEQPACKET", "guest", false,
		20, ratio(G, "rate", "seqpacket", 32, "weir", 32));
	for (i = 0; i < 2; i++) {
		const char *w = sleepers[i];

		/* the best of two is the one that weir looks worst against */
		snprintf(what, sizeof(what),
			 "b. round trip of sleeping sides, %s / best of eventfd, pipe", w);
		verdict(out, what, "icount", true, 1.10,
			larger(ratio(I, "rtt", w, 32, "eventfd", 32),
			       ratio(I, "rtt", w, 32, "pipe", 32)));
		snprintf(what, sizeof(what),
			 "b. round trip of sleeping sides, %s / SEQPACKET", w);
		verdict(out, what, "icount", true, 0.75,
			ratio(I, "rtt", w, 32, "seqpacket", 32));
	}
	verdict(out, "c. 64 KiB bytes/s, weir / SEQPACKET", "guest", false, 2,
		ratio(G, "rate", "seqpacket", 64 * KIB, "weir", 64 * KIB));
	verdict(out, "c. 64 KiB bytes/s, weir / SEQPACKET", "native", false, 2,
		ratio(N, "rate", "seqpacket", 64 * KIB, "weir", 64 * KIB));
	verdict(out, "c. 64 KiB memory traffic, weir / SEQPACKET", "guest",
		true, 0.6,
		ratio(G, "traffic", "weir", 64 * KIB, "seqpacket", 64 * KIB));
	verdict(out, "c. 64 KiB payload bytes copied by the kernel", "guest",
		true, 0, med(G, "copied", "weir", 64 * KIB));
	verdict(out, "c. handing over 1 MiB in place / 64 B", "icount", true,
		1.1, ratio(I, "handover", "weir", MIB, "weir", 64));
	verdict(out, "c. the same in time", "native", true, 1.1,
		ratio(N, "handover", "weir", MIB, "weir", 64));
	verdict(out, "d. publisher's cost, 64 subscribers / 1", "icount", true,
		1.2, ratio(I, "fan_publish", "weir", 64, "weir", 1));
	verdict(out, "e. 1,000th subscription / 10th", "icount", true, 2,
		ratio(I, "subscribe", "weir", 1000, "weir", 10));
	verdict(out, "e. 10,000th path / 10th", "icount", true, 2,
		ratio(I, "path", "weir", 10000, "weir", 10));
	verdict(out, "e. message among 10,000 idle sockets / none", "icount",
		true, 1.1, ratio(I, "idle_solo", "weir", 10000, "weir", 0));
	verdict(out, "e. sleeping round trip among them / none", "icount",
		true, 1.1,
		ratio(I, "idle_rtt", "weir-wait", 10000, "weir-wait", 0));
}

static double routed_cost(const char *who, unsigned long batch)
{
	return larger(med(MODE_ICOUNT, "request", who, batch),
		      med(MODE_ICOUNT, "reply", who, batch));
}

static void required_trips(FILE *out, enum bench_mode m, unsigned long probe_ms)
{
	char what[96];

	snprintf(what, sizeof(what), "j. false trips in %.0f s of full load, %s",
		 larger(med(m, "trips_seconds", "load", probe_ms), 0),
		 probe_ms ? "10 ms probes" : "default");
	verdict(out, what, mode_names[m], true, 0,
		med(m, "trips", "load", probe_ms));
}

static void required_failover(FILE *out, enum bench_mode m, const char *who,
			      unsigned long probe_ms)
{
	char what[96];

	snprintf(what, sizeof(what), "j. fail-over, target %s, %s, worst, ms",
		 who, probe_ms ? "10 ms probes" : "default");
	verdict(out, what, mode_names[m], true, probe_ms ? 50 : 200,
		med(m, "failover_worst", who, probe_ms));
	snprintf(what, sizeof(what),
		 "j. faults of these with an error or no reply");
	verdict(out, what, mode_names[m], true, 0,
		med(m, "failover_lost", who, probe_ms));
}

static void required_routed(FILE *out)
{
	static const unsigned long probes_ms[] = { 10, 0 };
	const enum bench_mode G = MODE_GUEST, I = MODE_ICOUNT;
	unsigned long routes[COLUMNS + 1], many;
	unsigned int n = columns(I, "send_cached", routes), i;
	enum bench_mode m;
	char sends[96];

	many = n > 1 ? routes[n - 1] : 1000000;

	verdict(out, "f. routed 64 B messages/s, all guards, 64 at once / SEQPACKET",
		"guest", false, 10,
		ratio(G, "routed_rate", "seqpacket", 64, "routed", 64));
	verdict(out, "g. routed message one way, alone, instructions, request or reply, polled",
		"icount", true, 900, routed_cost("routed-poll", 1));
	verdict(out, "g. the same, each with a system call", "icount", true, 900,
		routed_cost("routed", 1));
	verdict(out, "g. the same, 64 at once", "icount", true, 250,
		routed_cost("routed", 64));
	verdict(out, "g. all guards on / off, alone", "icount", true, 1.15,
		ratio(I, "both", "routed", 1, "routed-bare", 1));
	verdict(out, "g. all guards on / off, 64 at once", "icount", true, 1.15,
		ratio(I, "both", "routed", 64, "routed-bare", 64));
	verdict(out, "h. request and reply of sleeping sides, routed / weir-wait",
		"icount", true, 1.3,
		ratio(I, "rtt", "routed", 32, "weir-wait", 32));
	verdict(out, "h. request and reply of sleeping sides, routed / haproxy",
		"icount", true, 0.5,
		ratio(I, "rtt", "routed", 32, "haproxy", 32));
	snprintf(sends, sizeof(sends), "i. cached send, %lu routes / 100", many);
	verdict(out, sends, "icount", true, 1.1,
		ratio(I, "send_cached", "routed", many, "routed", 100));
	snprintf(sends, sizeof(sends), "i. uncached send, %lu routes / 100",
		 many);
	verdict(out, sends, "icount", true, 2,
		ratio(I, "send_uncached", "routed", many, "routed", 100));
	verdict(out, "i. probes for a path of 8 segments", "icount", true, 8,
		med(I, "route_probes", "routed", many));
	for (m = G; m <= I; m++) {
		for (i = 0; i < 2; i++) {
			required_failover(out, m, "killed", probes_ms[i]);
			required_failover(out, m, "stopped", probes_ms[i]);
			required_trips(out, m, probes_ms[i]);
		}
	}
}

static double any(enum bench_mode mode, const char *bench, const char *who)
{
	return figure_median(figure_any(mode, bench, who));
}

/* Receiving from several senders, where it costs most. */
static double fanin_worst(enum bench_mode mode)
{
	unsigned long senders[COLUMNS + 1];
	unsigned int n = columns(mode, "fanin_receive", senders), i;
	double worst = -1;

	for (i = 0; i < n; i++) {
		if (senders[i] > 1)
			worst = larger(worst, med(mode, "fanin_receive", "weir",
						  senders[i]));
	}
	return worst;
}

/* What it costs to be there: memory, setting up, many senders. */
static void required_presence(FILE *out)
{
	const enum bench_mode G = MODE_GUEST, I = MODE_ICOUNT;

	verdict(out, "k. bytes of a pair before its first message", "guest",
		true, 20000, any(G, "mem_joined", "weir"));
	verdict(out, "k. bytes of a subscription", "guest", true, 5000,
		any(G, "mem_attached", "weir"));
	verdict(out, "k. bytes of a socket with a path", "guest", true, 8000,
		any(G, "mem_bound", "weir"));
	verdict(out, "k. bytes of each client of one server", "guest", true,
		20000, any(G, "mem_client", "weir"));
	verdict(out, "k. bytes of each that has sent 1 KiB", "guest", true,
		40000, any(G, "mem_client_sent", "weir"));
	verdict(out, "l. a pair, opened and mapped", "icount", true, 90000,
		any(I, "setup_join", "weir"));
	verdict(out, "l. the 1,000th path", "icount", true, 8000,
		med(I, "path", "weir", 1000));
	verdict(out, "l. the 1,000th subscription", "icount", true, 6000,
		med(I, "subscribe", "weir", 1000));
	verdict(out, "l. a client of one message, plain calls, weir / SEQPACKET",
		"icount", true, 2,
		figure_ratio(figure_any(I, "oneshot_first", "weir"),
			     figure_any(I, "oneshot_first", "seqpacket")));
	verdict(out, "m. receiving from many by turns, a message", "icount",
		true, 120, fanin_worst(I));
	verdict(out, "m. a look when nobody has sent, 64 senders / 1", "icount",
		true, 1.1, ratio(I, "fanin_peek", "weir", 64, "weir", 1));
	verdict(out, "m. poll() then, 64 senders / 1", "icount", true, 1.1,
		ratio(I, "fanin_poll", "weir", 64, "weir", 1));
	verdict(out, "m. a request or reply alone, each with a system call",
		"icount", true, 1300, routed_cost("routed", 1));
}

void report(FILE *out)
{
	unsigned int m;

	fprintf(out, "# weir-bench\n\nMedians over the rounds; ratios are taken within each round.\n");
	run_table(out);
	machines(out);
	for (m = 0; m < MODES; m++)
		tables(out, (enum bench_mode)m);
	required(out);
	required_routed(out);
	required_presence(out);
	contestants_table(out);
}
