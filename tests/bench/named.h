/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets with names, of several families; see named.c. */
#ifndef WEIR_BENCH_NAMED_H
#define WEIR_BENCH_NAMED_H

#include <stdint.h>
#include <sys/socket.h>

#include "bench.h"

/**
 * struct named - a kind of socket
 * @who: as figures call it.
 * @solo: contestant that has both ends in one process.
 * @rtt: contestant that has sleeping sides.
 * @family: of addresses; AF_UNSPEC: weir's, which is known at run time.
 * @type: of a socket that is bound and no more.
 * @listener: type of one that others connect to.
 * @accepts: which it does before anything can be sent.
 * @address: of name number @i; its length.
 */
struct named {
	const char		*who;
	const struct contestant	*solo;
	const struct contestant	*rtt;
	int			family;
	int			type;
	int			listener;
	bool			accepts;
	socklen_t		(*address)(struct sockaddr_storage *to,
					   unsigned int i);
};

#define NAMED	5

extern const struct named named[NAMED];

bool named_works(const struct named *kind);
int named_open(const struct named *kind, int type);
int named_socket(const struct named *kind, int type);
int named_bind(const struct named *kind, int type, unsigned int i,
	       uint64_t *took);
int named_listen(const struct named *kind, unsigned int i);
int named_connect(const struct named *kind, unsigned int i, int listener,
		  int fd[2], uint64_t *took);

#endif /* WEIR_BENCH_NAMED_H */
