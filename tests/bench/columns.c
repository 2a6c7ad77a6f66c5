// SPDX-License-Identifier: GPL-2.0
/*
 * Tables whose columns are measurements instead of sizes: what setting up costs
 * and what memory is taken, each with half of what its rounds (or repeats) lie
 * apart.
 */
#include <string.h>

#include "columns.h"
#include "figure.h"

/**
 * struct column - of a table
 * @bench: measurement; of whatever size it was made with.
 * @what: its words.
 */
struct column {
	const char	*bench;
	const char	*what;
};

static void column_text(char *to, size_t room, const struct figure *f)
{
	double v[ROUNDS_MAX], middle;
	unsigned int n = f ? figure_values(f, v) : 0;

	if (!n) {
		snprintf(to, room, "-");
		return;
	}
	middle = median(v, n);
	if (n == 1)
		snprintf(to, room, "%.0f", middle);
	else
		snprintf(to, room, "%.0f ± %.0f", middle,
			 (v[n - 1] - v[0]) / 2);
}

static bool columns_table(FILE *out, enum bench_mode mode, const char *title,
			  const struct column *column, unsigned int n)
{
	unsigned int i, k;
	bool head = false;
	char text[64];

	for (i = 0; i < who_count; i++) {
		const char *who = who_order[i];
		bool any = false;

		for (k = 0; k < n; k++)
			any |= !!figure_any(mode, column[k].bench, who);
		if (!any)
			continue;
		if (!head) {
			fprintf(out, "\n**%s**\n\n| |", title);
			for (k = 0; k < n; k++)
				fprintf(out, " %s |", column[k].what);
			fprintf(out, "\n|---|");
			for (k = 0; k < n; k++)
				fprintf(out, "---:|");
			fputc('\n', out);
			head = true;
		}
		fprintf(out, "| %s |", who);
		for (k = 0; k < n; k++) {
			column_text(text, sizeof(text),
				    figure_any(mode, column[k].bench, who));
			fprintf(out, " %s |", text);
		}
		fputc('\n', out);
	}
	return head;
}

void columns_tables(FILE *out, enum bench_mode mode)
{
	static const struct column setup[] = {
		{ "setup_open", "opened" },
		{ "setup_join", "and joined" },
		{ "setup_first", "and a first message" },
		{ "setup_close", "closed" },
		{ "setup_start", "daemon or module started" },
		{ "setup_stop", "and stopped" },
	};
	static const struct column oneshot[] = {
		{ "oneshot_open", "opened, connected, accepted" },
		{ "oneshot_first", "and its message received" },
		{ "oneshot_close", "both ends closed" },
	};
	static const struct column memory[] = {
		{ "mem_socket", "socket" },
		{ "mem_bound", "with a name" },
		{ "mem_joined", "two joined" },
		{ "mem_first", "and a message each way" },
		{ "mem_mapped", "two joined and mapped" },
		{ "mem_mapped_first", "and a message each way" },
		{ "mem_client", "client of one server" },
		{ "mem_client_sent", "that has sent 1 KiB" },
		{ "mem_attached", "subscription" },
		{ "mem_route", "route" },
		{ "mem_bound_rings", "rings accounted, with a name" },
		{ "mem_joined_rings", "two joined" },
	};
	char title[96];

	snprintf(title, sizeof(title), "Setting up both ends in one process, %s",
		 mode == MODE_ICOUNT ? "instructions" : "ns");
	if (columns_table(out, mode, title, setup,
			  sizeof(setup) / sizeof(setup[0])))
		fprintf(out, "\nweir: what joins is mapping. NATS: two connections at each end. haproxy: one is started\n"
			"for each connection, so that all is in its start and stop. Whether a daemon is ready is\n"
			"looked at every millisecond%s.\n",
			mode == MODE_ICOUNT ? "; sleeping until then counts, too" : "");
	snprintf(title, sizeof(title), "A client that comes for one message, plain calls, %s",
		 mode == MODE_ICOUNT ? "instructions" : "ns");
	columns_table(out, mode, title, oneshot,
		      sizeof(oneshot) / sizeof(oneshot[0]));
	if (columns_table(out, mode, "Bytes of memory each", memory,
			  sizeof(memory) / sizeof(memory[0])))
		fprintf(out, "\nWhat the machine has less of with many of them, through their number. weir's rings are\n"
			"the least, and mapped by the library, whose handles count. NATS: what its server has\n"
			"resident, of connections (two joined) without the kernel's part, and of subscriptions:\n"
			"each of a subject of its own (with a name), all of one (subscription).\n");
}
