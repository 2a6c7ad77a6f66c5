// SPDX-License-Identifier: GPL-2.0
/*
 * weir-demo: Debian's package index through an event mesh, as a feed and as a
 * key-value service.
 *
 *	apt-cache dumpavail | weir-demo pack FILE
 *	weir-demo list FILE
 *	weir-demo run FILE
 *
 * The command line only; conductor.c and kv.c run the two acts, report.c and
 * kv_report.c print them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"
#include "kv.h"

#define MAX_BYTES	(30U << 20)
#define SECONDS		15
#define KV_SECONDS	9
#define SLOW_US		2000
#define RING_MIN	(64U << 10)

static int usage(void)
{
	fprintf(stderr,
		"usage: weir-demo pack [-m BYTES] [-n RECORDS] FILE <RECORDS\n"
		"         packs what apt-cache dumpavail prints; -m: thin it out to so many\n"
		"         bytes (%u), -n: fail with fewer records (1)\n"
		"       weir-demo list FILE\n"
		"         prints its packages, a line each\n"
		"       weir-demo run [-s SECONDS] [-w MICROSECONDS] [-k SECONDS] [-l] FILE\n"
		"         publishes it again and again for so long (%d); -w: what the slow\n"
		"         subscriber pauses after each message (%d); then serves it for so long\n"
		"         (-k, %d); -l: progress in lines\n",
		MAX_BYTES, SECONDS, SLOW_US, KV_SECONDS);
	return 2;
}

/* A whole number from 1 to @max, or 0. */
static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	return errno || *end || *text == '-' || n > max ? 0 : n;
}

static int pack_main(int argc, char **argv)
{
	uint64_t max_bytes = MAX_BYTES, min_packages = 1;
	int option;

	while ((option = getopt(argc, argv, "m:n:")) >= 0) {
		if (option == 'm')
			max_bytes = number(optarg, UINT32_MAX);
		else if (option == 'n')
			min_packages = number(optarg, INDEX_PACKAGES_MAX);
		else
			return usage();
	}
	if (!max_bytes || !min_packages || optind != argc - 1)
		return usage();
	return index_pack(stdin, argv[optind], max_bytes,
			  (uint32_t)min_packages) ? 1 : 0;
}

static int list_main(int argc, char **argv)
{
	struct index index;

	if (argc != 2)
		return usage();
	return index_map(&index, argv[1]) || index_list(&index, stdout) ? 1 : 0;
}

/* The section with the most packages is the one to be read by itself. */
static const char *largest_section(const struct index *index)
{
	const struct index_section *largest = index->sections;
	uint32_t i;

	for (i = 1; i < index->header->nsections; i++) {
		if (index->sections[i].packages > largest->packages)
			largest = &index->sections[i];
	}
	return largest->path;
}

/* A ring takes several of the largest messages. */
static uint32_t ring_bytes(const struct index *index)
{
	uint32_t bytes = RING_MIN;

	while (bytes < 4 * (index->header->largest + STAMP_BYTES))
		bytes *= 2;
	return bytes;
}

static bool run_feed(struct demo *d, const char **why)
{
	d->shared = stage_memory(sizeof(*d->shared));
	if (!d->shared)
		return false;
	d->pattern[PARTY_PUBLISHER] = "/deb/*/*";
	d->pattern[PARTY_ALL] = "/deb/**";
	d->pattern[PARTY_SECTION] = largest_section(&d->index);
	d->pattern[PARTY_RESTARTED] = "/deb/main/*";
	d->pattern[PARTY_SLOW] = "/deb/**";
	d->pattern[PARTY_SERVER] = QUERY_PATH;
	d->pattern[PARTY_CLIENT] = QUERY_PATH;
	d->ring_bytes = ring_bytes(&d->index);
	printf("%u packages of Debian's index, %.1f MB, in %u sections: an outbox of %u KiB for each\n",
	       d->index.header->npackages, (double)d->index.header->bytes / 1e6,
	       d->index.header->nsections, d->ring_bytes >> 10);
	return !demo_run(d, why) && report_print(d, why);
}

static bool run_service(struct kv *k, const char **why)
{
	k->shared = stage_memory(sizeof(*k->shared));
	if (!k->shared)
		return false;
	printf("The same index as a key-value service: %d instances of %s, %d callers, keys by Zipf's law\n",
	       KV_INSTANCES, KV_PATH, KV_CALLERS);
	return !kv_run(k, why) && kv_print(k, why);
}

static int run(struct demo *d, struct kv *k)
{
	const char *why = "see above";
	bool passed = run_feed(d, &why) && run_service(k, &why);

	if (passed)
		printf("DEMO PASSED\n");
	else
		printf("DEMO FAILED: %s\n", why);
	return passed ? 0 : 1;
}

static int run_main(int argc, char **argv)
{
	struct demo d = { .lines = !isatty(STDOUT_FILENO) };
	uint64_t seconds = SECONDS, slow_us = SLOW_US, kv_seconds = KV_SECONDS;
	static struct kv k;
	int option;

	while ((option = getopt(argc, argv, "k:ls:w:")) >= 0) {
		if (option == 'l')
			d.lines = true;
		else if (option == 's')
			seconds = number(optarg, 86400);
		else if (option == 'k')
			kv_seconds = number(optarg, 86400);
		else if (option == 'w')
			slow_us = number(optarg, 60 * 1000 * 1000);
		else
			return usage();
	}
	if (!seconds || !slow_us || !kv_seconds || optind != argc - 1)
		return usage();
	d.seconds = (uint32_t)seconds;
	d.slow_ns = slow_us * 1000;
	if (weir_family() < 0) {
		fprintf(stderr, "weir-demo: %s\n", weir_error());
		return 1;
	}
	if (index_map(&d.index, argv[optind]))
		return 1;
	k.index = d.index;
	k.seconds = (uint32_t)kv_seconds;
	k.lines = d.lines;
	return run(&d, &k);
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "pack"))
		return pack_main(argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "list"))
		return list_main(argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "run"))
		return run_main(argc - 1, argv + 1);
	return usage();
}
