/* SPDX-License-Identifier: GPL-2.0 */
/* Things that take memory; see memory.c. */
#ifndef WEIR_BENCH_MEMORY_H
#define WEIR_BENCH_MEMORY_H

#include <stdbool.h>
#include <sys/types.h>

struct named;

/**
 * struct thing - that takes memory
 * @bench: figure.
 * @who: whose.
 * @n: number of objects that are made.
 * @make: number @i of them; false if it cannot be had.
 * @kind: of socket, or NULL.
 * @begin: what they have in common, before the first; or NULL.
 * @end: of what does not end with the process; or NULL.
 * @used: bytes in use, or NULL: what the machine has less of.
 */
struct thing {
	const char		*bench;
	const char		*who;
	unsigned int		n;
	bool			(*make)(const struct thing *t, unsigned int i);
	const struct named	*kind;
	bool			(*begin)(const struct thing *t);
	void			(*end)(const struct thing *t);
	double			(*used)(void);
};

double memory_resident(pid_t pid);

/* Those of libraries and daemons; memory_peers.c. */
extern const struct thing memory_peers[];
extern const unsigned int memory_peers_count;

#endif /* WEIR_BENCH_MEMORY_H */
