/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pairs that are nothing but a name until their ends are joined, for libraries
 * of which nothing is to be used before a fork. The file that includes this
 * defines PAIR_AT, an address with places for process group and pair. What
 * ipc:// leaves in the filesystem is removed.
 */
#include <string.h>
#include <unistd.h>

#include "bench.h"

static unsigned int npairs;

static int pair_open(const struct job *job)
{
	(void)job;
	npairs++;
	return 0;
}

static int fan_open(const struct job *job)
{
	return pair_open(job);
}

static void pair_name(char *to, size_t room, int link)
{
	snprintf(to, room, PAIR_AT, (int)getpgrp(), link);
}

static void pair_close(void)
{
	static const char ipc[] = "ipc://";
	char at[64];

	while (npairs) {
		pair_name(at, sizeof(at), (int)--npairs);
		if (!strncmp(at, ipc, strlen(ipc)))
			unlink(at + strlen(ipc));
	}
}
