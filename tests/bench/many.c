// SPDX-License-Identifier: GPL-2.0
/*
 * Many of a kind, and what each of them took: looked at where there are 1, 10,
 * 100, 1,000 and 10,000. Around each of these numbers it is the median of
 * eleven; the first one is alone, and cold.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "many.h"

#define FILES_BESIDE	100	/* descriptors for other things */

const unsigned int points[POINTS] = { 1, 10, 100, 1000, 10000 };

/* Makes it possible to have @n files open; how many it can be, after words. */
unsigned int many_files(unsigned int n)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die("getrlimit: %s", strerror(errno));
	if (limit.rlim_cur >= n + FILES_BESIDE)
		return n;
	more.rlim_cur = n + FILES_BESIDE;
	more.rlim_max = limit.rlim_max > more.rlim_cur ? limit.rlim_max :
							 more.rlim_cur;
	if (!setrlimit(RLIMIT_NOFILE, &more))
		return n;
	say("scale: only %lu open files, instead of %lu: %s",
	    (unsigned long)limit.rlim_max, (unsigned long)more.rlim_cur,
	    strerror(errno));
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit: %s", strerror(errno));
	if (limit.rlim_cur < FILES_BESIDE)
		return 0;
	return (unsigned int)limit.rlim_cur - FILES_BESIDE;
}

static size_t many_bytes(unsigned int room)
{
	return sizeof(struct many) + room * sizeof(((struct many *)0)->of[0]);
}

/* Room for @room, and those around the last. */
struct many *many_new(unsigned int room)
{
	struct many *m;

	room += MANY_AROUND;
	m = mmap(NULL, many_bytes(room), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		die("no memory for %u things", room);
	m->room = room;
	return m;
}

bool many_full(const struct many *m)
{
	return m->n == m->room;
}

void many_add(struct many *m, int fd, double took)
{
	m->of[m->n].fd = fd;
	m->of[m->n++].took = took;
}

void many_free(struct many *m)
{
	while (m->n) {
		if (m->of[--m->n].fd >= 0)
			close(m->of[m->n].fd);
	}
	munmap(m, many_bytes(m->room));
}

void many_figures(const struct many *m, unsigned int round, const char *bench,
		  const char *who)
{
	double v[2 * MANY_AROUND + 1];
	unsigned int p, i, around;

	for (p = 0; p < POINTS; p++) {
		around = points[p] > MANY_AROUND ? MANY_AROUND : points[p] - 1;
		if (m->n < points[p] + around)
			return;
		for (i = 0; i < 2 * around + 1; i++)
			v[i] = m->of[points[p] - 1 - around + i].took;
		figure_add(round, bench, who, points[p],
			   median(v, 2 * around + 1));
	}
}
