/* SPDX-License-Identifier: GPL-2.0 */
/* Connections: see pair.c. */
#ifndef _WEIR_PAIR_H
#define _WEIR_PAIR_H

#include <linux/types.h>

#include "weir.h"

struct socket;

int weir_pair_bind(struct weir_sock *ws, const char *name, u32 len);
int weir_pair_connect(struct weir_sock *ws, const char *name, u32 len,
		      int flags);
int weir_sock_listen(struct socket *sock, int backlog);
int weir_pair_accept(struct socket *sock, struct socket *newsock, int flags);
int weir_socketpair(struct socket *a, struct socket *b);
void weir_end_shut(struct weir_sock *ws);
int weir_sock_shutdown(struct socket *sock, int how);
void weir_pair_reset(struct weir_sock *ws);
bool weir_pair_orphans(struct weir_sock *ws, unsigned int max,
		       struct list_head *orphans);
void weir_pair_release(struct weir_sock *ws, struct list_head *orphans);

#endif /* _WEIR_PAIR_H */
