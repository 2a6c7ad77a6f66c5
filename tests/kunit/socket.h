/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets of the kernel's own in the initial namespace, to test with. */
#ifndef _WEIR_KUNIT_SOCKET_H
#define _WEIR_KUNIT_SOCKET_H

#include <kunit/test.h>
#include <linux/fcntl.h>
#include <linux/net.h>
#include <linux/string.h>
#include <linux/wait_bit.h>
#include <net/net_namespace.h>

#include "net.h"
#include "sock/sock.h"

#define SOCKET_PATIENCE	(20 * HZ)	/* for what workers do */

static inline struct socket *socket_make(struct kunit *test, int type)
{
	struct socket *sock = NULL;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, WEIR_FAMILY_DEFAULT,
					       type, 0, &sock), 0);
	return sock;
}

/* The namespace of these sockets. */
static inline struct weir_net *socket_net(struct kunit *test)
{
	struct socket *sock = socket_make(test, SOCK_RDM);
	struct weir_net *wn = weir_sk(sock->sk)->owner.wn;

	sock_release(sock);
	return wn;
}

static inline struct sockaddr_weir socket_address(const char *path)
{
	struct sockaddr_weir addr = { .sw_family = WEIR_FAMILY_DEFAULT };

	strscpy(addr.sw_path, path, sizeof(addr.sw_path));
	return addr;
}

static inline int socket_bind(struct socket *sock, const char *path)
{
	struct sockaddr_weir addr = socket_address(path);

	return kernel_bind(sock, (struct sockaddr *)&addr, sizeof(addr));
}

/* Does not wait for a peer that accepts. */
static inline int socket_connect(struct socket *sock, const char *path)
{
	struct sockaddr_weir addr = socket_address(path);

	return kernel_connect(sock, (struct sockaddr *)&addr, sizeof(addr),
			      O_NONBLOCK);
}

/* Releases @n sockets of @socks; NULL: one that is gone already. */
static inline void socket_release(struct socket **socks, unsigned int n)
{
	while (n--) {
		if (socks[n])
			sock_release(socks[n]);
		socks[n] = NULL;
	}
}

/* Waits until the namespace has only @rings rings; returns whether it has. */
static inline bool socket_rings_left(struct weir_net *wn, int rings)
{
	return wait_var_event_timeout(&wn->nrings,
				      atomic_read(&wn->nrings) == rings,
				      SOCKET_PATIENCE);
}

#endif /* _WEIR_KUNIT_SOCKET_H */
