// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers: a thousand subscribers of one path, two thousand paths with one
 * subscriber to all of them (its inbox is far too small for all these notices
 * at once), and readers that come and go while messages flow. All get all, and
 * nothing is left behind. Fewer with a smaller WEIR_TEST_SCALE.
 */
#include <sys/resource.h>

#include "hard.h"

static void more_descriptors(void)
{
	struct rlimit r = { 20000, 20000 };

	need(!setrlimit(RLIMIT_NOFILE, &r), "RLIMIT_NOFILE");
}

/* Half of them through the library, the others through recvmsg. */
static void subscribers(void)
{
	long n = scaled(1000), messages = scaled(100), i, k, wrong = 0;
	struct weir_config c = { .ring_bytes = 4096 };
	struct weir **w = calloc((size_t)n, sizeof(*w)), *out;
	int *fd = calloc((size_t)n, sizeof(*fd));
	unsigned char data[64];

	need(!weir_open(&out, SOCK_RDM, &c) && !weir_bind(out, "/many/one"), "bind");
	for (i = 0; i < n; i++) {
		if (i & 1)
			fd[i] = raw_subscriber(SOCK_RDM, "/many/one");
		else
			need(!weir_open(&w[i], SOCK_RDM, NULL) &&
			     !weir_subscribe(w[i], "/many/one"), "subscriber %ld", i);
	}
	for (k = 0; k < messages; k++) {
		item_fill(data, sizeof(data), 1, (uint64_t)k);
		if (weir_send(out, data, sizeof(data), HARD_DEADLINE_NS))
			break;
		for (i = 0; i < n; i++) {
			ssize_t len = i & 1 ? recv(fd[i], data, sizeof(data), MSG_DONTWAIT) :
				weir_recv(w[i], data, sizeof(data), WEIR_DONTWAIT);

			wrong += len != sizeof(data) || !item_good(data, (size_t)len) ||
				 ((struct item *)data)->n != (uint64_t)k;
		}
	}
	check(k == messages && !wrong, "%ld subscribers of one path got all %ld messages (%ld wrong)",
	      n, k, wrong);
	for (i = 0; i < n; i++) {
		if (i & 1)
			close(fd[i]);
		else
			weir_close(w[i]);
	}
	weir_close(out);
	free(w);
	free(fd);
}

/* Slots are a fixed table: one too many is refused, in words. */
static void too_many(void)
{
	int p = raw_publisher(SOCK_RDM, "/many/full", 4096), s, err = 0;
	long n = scaled(1) ? WEIR_SLOTS_MAX : 0, i;
	int *fd = calloc(WEIR_SLOTS_MAX + 1, sizeof(*fd));
	char words[200] = "";
	socklen_t len = sizeof(words) - 1;

	for (i = 0; i < n; i++)
		fd[i] = raw_subscriber(SOCK_DGRAM, "/many/full");
	s = raw_socket(SOCK_DGRAM);
	err = raw_connect(s, "/many/full");
	getsockopt(s, SOL_WEIR, WEIR_SO_ERROR_TEXT, words, &len);
	check(err < 0 && words[0], "reader %ld is refused: %d, %s", n + 1, err, words);
	close(fd[0]);
	err = raw_connect(s, "/many/full");
	check(!err, "and gets the slot of one that leaves (%d)", err);
	close(s);
	for (i = 1; i < n; i++)
		close(fd[i]);
	close(p);
	free(fd);
}

static void paths(bool subscribe_first)
{
	long n = scaled(2000), rounds = 3, i, k, got = 0, wrong = 0;
	struct weir_config c = { .ring_bytes = 4096 };
	uint64_t *next = calloc((size_t)n, sizeof(*next));
	int *fd = calloc((size_t)n, sizeof(*fd)), raw;
	unsigned char data[64];
	struct weir *all;
	char path[32];
	ssize_t len;

	need(!weir_open(&all, SOCK_RDM, &c), "open");
	raw = raw_socket(SOCK_RDM);
	if (subscribe_first)
		need(!weir_subscribe(all, "/**") && !raw_connect(raw, "/**"),
		     "subscribe");
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/many/%ld/%ld", i % 40, i);
		fd[i] = raw_publisher(SOCK_RDM, path, 4096);
	}
	if (!subscribe_first)
		need(!weir_subscribe(all, "/**") && !raw_connect(raw, "/**"),
		     "subscribe");
	for (k = 0; k < rounds; k++) {
		for (i = 0; i < n; i++) {
			item_fill(data, sizeof(data), (uint32_t)i, (uint64_t)k);
			need(write(fd[i], data, sizeof(data)) == sizeof(data), "write");
		}
	}
	while (got < n * rounds) {
		len = weir_recv(all, data, sizeof(data), HARD_DEADLINE_NS);
		if (len != sizeof(data) || !item_good(data, sizeof(data)) ||
		    ((struct item *)data)->from >= n ||
		    next[((struct item *)data)->from]++ != ((struct item *)data)->n) {
			wrong = len < 0 ? len : -1;
			break;
		}
		got++;
	}
	check(got == n * rounds, "%ld paths, one library subscriber, %s: %ld of %ld (%ld)",
	      n, subscribe_first ? "first" : "last", got, n * rounds, wrong);
	got = 0;
	memset(next, 0, (size_t)n * sizeof(*next));
	while (recv(raw, data, sizeof(data), MSG_DONTWAIT) == sizeof(data)) {
		if (((struct item *)data)->from < n &&
		    next[((struct item *)data)->from]++ == ((struct item *)data)->n)
			got++;
	}
	check(got == n * rounds, "and one kernel subscriber: %ld of %ld", got, n * rounds);
	for (i = 0; i < n; i++)
		close(fd[i]);
	/* the ends of all streams come, too */
	check(soon((len = weir_recv(all, data, sizeof(data), WEIR_DONTWAIT)) < 0 &&
		   len == -EAGAIN && !all->nstreams),
	      "all streams have ended for it (%u left, %zd)", all->nstreams, len);
	weir_close(all);
	close(raw);
	free(fd);
	free(next);
}

/* --- coming and going ------------------------------------------------------ */

static struct {
	int stop, ready;
	uint64_t sent;
} *sh;

/* What it sees is in order and whole from where it starts. */
static int comer(void *arg)
{
	uint32_t start = arg ? WEIR_START_OLDEST : WEIR_START_TAIL;

	add(&sh->ready, 1);
	while (!get(&sh->stop)) {
		struct weir_config c = { .start = start };
		unsigned char data[300];
		uint64_t next = 0;
		struct weir *w;
		int i;

		if (weir_open(&w, SOCK_RDM, &c) || weir_subscribe(w, "/many/*"))
			return 10;
		for (i = 0; i < 20 && !get(&sh->stop); i++) {
			ssize_t len = weir_recv(w, data, sizeof(data), 100 * 1000000);

			if (len == -ETIMEDOUT)
				break;
			if (len < 0)
				return 11;
			if (!item_good(data, (size_t)len))
				return 12;
			if (next && ((struct item *)data)->n != next)
				return 13;
			next = ((struct item *)data)->n + 1;
		}
		weir_close(w);
	}
	return 0;
}

static void churn(void)
{
	struct weir_config c = { .ring_bytes = 8192 };
	long count = scaled(100000), i;
	unsigned char data[300];
	struct weir *out;
	pid_t pids[4];
	int ret = 0;

	sh = tap_shared(4096);
	need(!weir_open(&out, SOCK_RDM, &c) && !weir_bind(out, "/many/churn"), "bind");
	for (i = 0; i < 4; i++)
		pids[i] = spawn(comer, i & 1 ? sh : NULL);
	need(soon(get(&sh->ready) == 4), "children");
	for (i = 0; !ret && i < count; i++) {
		uint32_t len = item_len(sizeof(data));

		item_fill(data, len, 1, (uint64_t)i);
		ret = weir_send(out, data, len, HARD_DEADLINE_NS);
	}
	check(!ret, "%ld messages to readers that come and go (%d)", i, ret);
	put(&sh->stop, 1);
	for (i = 0; i < 4; i++) {
		ret = tap_wait(pids[i]);
		check(!ret, "reader %ld saw an unbroken run each time (%d)", i, ret);
	}
	check(out->out.status->evictions == 0, "and nobody was evicted");
	weir_close(out);
}

int main(void)
{
	struct counters before;
	long long streams;

	hard_begin();
	before = counters();
	more_descriptors();
	streams = tap_stat("tunables/streams_max");
	need(!tap_tune("streams_max", 4096), "streams_max");
	subscribers();
	check_counters(&before);
	too_many();
	check_counters(&before);
	paths(true);
	check_counters(&before);
	paths(false);
	check_counters(&before);
	churn();
	check_counters(&before);
	need(!tap_tune("streams_max", (unsigned long long)streams),
	     "streams_max");
	check_kernel();
	return tap_done();
}
