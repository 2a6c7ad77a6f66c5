/* SPDX-License-Identifier: GPL-2.0 */
/* Many of a kind, in the order in which they were made; see many.c. */
#ifndef WEIR_BENCH_MANY_H
#define WEIR_BENCH_MANY_H

#include <stdbool.h>

#define POINTS		5
#define MANY_AROUND	5
#define MANY_MAX	10000

/**
 * struct many - things of one kind; a child may fill it for its parent
 * @room: how many there may be.
 * @n: how many there are.
 * @of: descriptor, or -1; nanoseconds that making it took.
 */
struct many {
	unsigned int	room;
	unsigned int	n;
	struct {
		int	fd;
		double	took;
	} of[];
};

extern const unsigned int points[POINTS];

unsigned int many_files(unsigned int n);
struct many *many_new(unsigned int room);
bool many_full(const struct many *m);
void many_add(struct many *m, int fd, double took);
void many_free(struct many *m);
void many_figures(const struct many *m, unsigned int round, const char *bench,
		  const char *who);

#endif /* WEIR_BENCH_MANY_H */
