/* SPDX-License-Identifier: GPL-2.0 */
/* Making sockets, and the table of them: see socket.c. */
#ifndef _WEIR_SOCKET_H
#define _WEIR_SOCKET_H

#include <linux/sockptr.h>

#include "ring/reader.h"
#include "weir.h"

struct net;
struct sock;
struct socket;

struct weir_reader *weir_sock_attach(struct weir_sock *ws,
				     struct weir_ring *ring, bool gating,
				     enum weir_origin origin, u64 sub);
struct weir_sock *weir_sock_next(struct weir_net *wn, unsigned long *id);
struct sock *weir_sock_alloc(struct net *net, struct socket *sock, int type,
			     int kern, const struct weir_sock *listener);
void weir_sock_destroy(struct weir_sock *ws);
int weir_socket_init(void);
void weir_socket_exit(void);

/* ctl/ioctl.c, ctl/option.c: calls in the table of operations */
int weir_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
int weir_compat_ioctl(struct socket *sock, unsigned int cmd,
		      unsigned long arg);
int weir_setsockopt(struct socket *sock, int level, int name,
		    sockptr_t value, unsigned int len);
int weir_getsockopt(struct socket *sock, int level, int name,
		    char __user *value, int __user *len);

#endif /* _WEIR_SOCKET_H */
