// SPDX-License-Identifier: GPL-2.0
/*
 * The interface to the socket layer: making and releasing sockets, the names of
 * both ends, and the tables of operations. The operations are in pair.c,
 * publish.c, subscribe.c, send.c, recv.c, wait.c, ioctl.c and option.c.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/module.h>
#include <linux/net.h>
#include <net/sock.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/alloc.h"
#include "net.h"
#include "owner.h"
#include "party.h"
#include "ring/inbox.h"
#include "ring/map.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/tell.h"
#include "route/endpoint.h"
#include "sock/message.h"
#include "sock/pair.h"
#include "sock/pubsub.h"
#include "sock/sock.h"
#include "sock/socket.h"
#include "sock/wait.h"
#include "stats.h"
#include "tenant.h"
#include "tunables.h"
#include "weir.h"

static struct proto weir_proto = {
	.name		= "WEIR",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct weir_sock),
	.release_cb	= weir_watch_async,
};

static void weir_sock_destruct(struct sock *sk)
{
	struct weir_sock *ws = weir_sk(sk);

	WARN_ON_ONCE(ws->outbox || ws->party.nreaders);
	if (ws->party.inbox)
		weir_ring_put(ws->party.inbox);
	xa_destroy(&ws->party.ids);
	weir_tally_destroy(&ws->listen.waiting);
	free_cpumask_var(ws->party.barrier);
	weir_uncharge(&ws->charge);
	weir_owner_release(&ws->owner);
	weir_stat_add(WEIR_STAT_SOCKETS, -1);
}

/**
 * weir_sock_spec() - the ring that a socket's options ask for
 * @ws: the socket.
 * @spec: out: properties of its outbox.
 */
void weir_sock_spec(struct weir_sock *ws, struct weir_ring_spec *spec)
{
	*spec = (struct weir_ring_spec) {
		.bytes = ws->opt.ring_bytes ?:
			 min(READ_ONCE(weir_tunables.ring_bytes),
			     READ_ONCE(weir_tunables.ring_bytes_max)),
		.type = ws->sk.sk_type,
		.node = ws->opt.node,
		.huge = ws->opt.huge,
		.evict_ms = ws->opt.evict_ms,
		.linger_ms = ws->opt.linger_ms,
		.party = &ws->party,
	};
}

/**
 * weir_sock_inbox() - make a socket's inbox, if it has none yet
 * @ws: the socket; lock_sock is held.
 *
 * May sleep. Return: 0 or a negative errno with an error text.
 */
int weir_sock_inbox(struct weir_sock *ws)
{
	struct weir_ring_spec spec;

	sock_owned_by_me(&ws->sk);
	weir_sock_spec(ws, &spec);
	spec.bytes = ws->opt.inbox_bytes ?:
		     READ_ONCE(weir_tunables.inbox_bytes);
	spec.inbox = true;
	return weir_inbox_create(&ws->party, &spec);
}

/**
 * weir_sock_attach() - make a socket a reader of a ring, as its options say
 * @ws: the socket.
 * @ring: the ring.
 * @gating: the writer waits for the reader.
 * @origin: the call in which this happens.
 * @sub: weir_party.sub_seq of the subscription; 0 without one.
 *
 * Return: as weir_reader_attach().
 */
struct weir_reader *weir_sock_attach(struct weir_sock *ws,
				     struct weir_ring *ring, bool gating,
				     enum weir_origin origin, u64 sub)
{
	const struct weir_reader_spec spec = {
		.gating = gating,
		.origin = origin,
		.sub = sub,
		.start = ws->opt.start,
		.demand = ws->opt.demand,
		.name = ws->opt.name,
		.hold_ms = ws->opt.hold_ms,
	};

	return weir_reader_attach(&ws->party, ring, &spec);
}

/**
 * weir_sock_next() - the next socket of a namespace
 * @wn: the namespace.
 * @id: number after which the search begins; out: that of the socket found.
 *
 * Return: the socket, held; NULL if there is none.
 */
struct weir_sock *weir_sock_next(struct weir_net *wn, unsigned long *id)
{
	struct weir_sock *ws;

	/* a socket leaves the table before its last put */
	xa_lock(&wn->sockets);
	ws = xa_find_after(&wn->sockets, id, ULONG_MAX, XA_PRESENT);
	if (ws)
		sock_hold(&ws->sk);
	xa_unlock(&wn->sockets);
	return ws;
}

/*
 * Ends one socket, and puts it. Adds the sockets that waited to be accepted by
 * it to @orphans. May sleep.
 */
static void weir_sock_end(struct weir_sock *ws, struct list_head *orphans)
{
	/* 1. no message is routed to it or from it any more */
	if (ws->ep) {
		sock_hold(&ws->sk);	/* until the endpoint has ended */
		weir_endpoint_close(ws->ep);
	}

	/* 2. the outbox lingers or ends, before the peer is woken */
	xa_erase(&ws->owner.wn->sockets, ws->id);
	weir_pair_reset(ws);
	if (ws->outbox)
		weir_ring_owner_gone(ws->outbox, &ws->outbox, !ws->ep);

	/* 3. leave the names and queues */
	weir_pair_release(ws, orphans);
	weir_unsubscribe(ws);

	/* 4. the inbox, which no worker looks at any more */
	weir_party_quits(&ws->party);
	if (ws->party.inbox)
		weir_inbox_close(ws->party.inbox);
	sock_orphan(&ws->sk);
	sock_put(&ws->sk);
}

static void weir_orphans_end(struct list_head *orphans)
{
	struct weir_sock *ws;

	while (!list_empty(orphans)) {
		ws = list_first_entry(orphans, struct weir_sock, accept_link);
		list_del_init(&ws->accept_link);
		weir_sock_end(ws, orphans);
		cond_resched();
	}
}

/* Sockets in the accept queue that are ended in one part. */
#define WEIR_DISCONNECT_PART	16

/* weir_sock.listen.disconnect */
static bool weir_disconnect_part(struct weir_job *job)
{
	struct weir_sock *ws = container_of(job, struct weir_sock,
					    listen.disconnect);
	LIST_HEAD(orphans);
	bool more;

	more = weir_pair_orphans(ws, WEIR_DISCONNECT_PART, &orphans);
	weir_orphans_end(&orphans);
	if (!more)
		sock_put(&ws->sk);
	return more;
}

/*
 * weir_sock_destroy() - end a socket, and the sockets that it has not accepted
 *
 * Called when the last descriptor is closed, and for sockets that were never
 * accepted. No VMA of the socket is left, because each VMA holds the file. May
 * sleep.
 */
void weir_sock_destroy(struct weir_sock *ws)
{
	LIST_HEAD(orphans);

	weir_sock_end(ws, &orphans);
	weir_orphans_end(&orphans);
}

/**
 * weir_sock_alloc() - make a socket
 * @net: its namespace.
 * @sock: struct socket that it belongs to; NULL until it is accepted.
 * @type: SOCK_*.
 * @kern: as given by the socket layer.
 * @listener: listener of a connection: its user, credentials and account are
 *	those of the new socket; NULL: the calling task's.
 *
 * Lists show the socket from here on, so its owner never changes. Process
 * context, may sleep.
 *
 * Return: the sock, or an ERR_PTR: -ENOBUFS at a cap, -ENOMEM.
 */
struct sock *weir_sock_alloc(struct net *net, struct socket *sock, int type,
			     int kern, const struct weir_sock *listener)
{
	struct weir_sock *ws;
	struct sock *sk;
	int err = -ENOMEM;

	sk = sk_alloc(net, weir_family, WEIR_GFP, &weir_proto, kern);
	if (!sk)
		return ERR_PTR(err);
	sock_init_data(sock, sk);
	sk->sk_type = type;
	ws = weir_sk(sk);
	err = weir_owner_init(&ws->owner, weir_net(net),
			      listener ? &listener->owner : NULL, ws->own_path);
	if (err)
		goto err_free;
	err = weir_charge_owner(&ws->charge, &ws->owner, sizeof(*ws), 1);
	if (err)
		goto err_owner;
	if (!zalloc_cpumask_var(&ws->party.barrier, WEIR_GFP)) {
		err = -ENOMEM;
		goto err_charge;
	}
	ws->id = atomic_long_inc_return(&ws->owner.wn->next_id);
	ws->opt.node = NUMA_NO_NODE;
	/* an accepted socket has not been told otherwise */
	ws->owner.mode = 0666 & ~current_umask();
	ws->owner.gid = ws->owner.cred->fsgid;
	ws->opt.demand = -1;
	INIT_LIST_HEAD(&ws->sub.link);
	ws->party.sk = sk;
	ws->party.owner = &ws->owner;
	ws->party.single = type == SOCK_SEQPACKET;
	ws->party.reads = ws->peer_path;
	spin_lock_init(&ws->party.lock);
	INIT_LIST_HEAD(&ws->party.readers);
	weir_party_tells(&ws->party);
	xa_init_flags(&ws->party.ids, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT |
		      XA_FLAGS_LOCK_BH);
	mutex_init(&ws->iolock);
	spin_lock_init(&ws->listen.lock);
	INIT_LIST_HEAD(&ws->listen.queue);
	weir_tally_init(&ws->listen.waiting);
	INIT_LIST_HEAD(&ws->accept_link);
	ws->listen.disconnect.part = weir_disconnect_part;
	init_waitqueue_head(&ws->listen.connect_wait);
	INIT_LIST_HEAD(&ws->listen.connecters);
	sk->sk_destruct = weir_sock_destruct;
	weir_stat_inc(WEIR_STAT_SOCKETS);
	if (xa_insert(&ws->owner.wn->sockets, ws->id, ws, WEIR_GFP)) {
		sock_put(sk);
		return ERR_PTR(-ENOMEM);
	}
	return sk;

err_charge:
	weir_uncharge(&ws->charge);
err_owner:
	weir_owner_release(&ws->owner);
err_free:
	sk_free(sk);
	return ERR_PTR(err);
}

static int weir_sock_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	sock->sk = NULL;
	weir_sock_destroy(weir_sk(sk));
	return 0;
}

/*
 * Copies the path in an address or, if that is empty, the path of
 * WEIR_SO_LONG_PATH to @path, of WEIR_PATH_MAX + 1 bytes, and ends it with a
 * NUL byte: an address that is full has none. Returns its length in bytes, or
 * -EINVAL for an invalid address.
 */
static int weir_addr_path(struct weir_sock *ws, const struct sockaddr_weir *addr,
			  int len, char *path)
{
	int n;

	if (len < (int)offsetof(struct sockaddr_weir, sw_path) ||
	    len > (int)sizeof(*addr))
		return weir_refuse(ws, -EINVAL, "the address has a wrong length");
	if (addr->sw_family != weir_family)
		return weir_refuse(ws, -EINVAL, "the address is of another family");
	n = strnlen(addr->sw_path,
		    len - offsetof(struct sockaddr_weir, sw_path));
	if (!n)
		return strscpy(path, ws->opt.long_path, WEIR_PATH_MAX + 1);
	memcpy(path, addr->sw_path, n);
	path[n] = '\0';
	return n;
}

/* Clears WEIR_SO_LONG_PATH, unless a signal makes the caller call again. */
static void weir_end_long_path(struct weir_sock *ws, int err)
{
	if (err != -ERESTARTSYS && err != -EINTR)
		ws->opt.long_path[0] = '\0';
}

/* Publishes on a path, or names a listener. */
static int weir_sock_bind(struct socket *sock, struct weir_sockaddr *uaddr,
			  int len)
{
	struct weir_sock *ws = weir_sk(sock->sk);
	char path[WEIR_PATH_MAX + 1];
	int err;

	WRITE_ONCE(ws->owner.why, NULL);
	lock_sock(sock->sk);
	len = weir_addr_path(ws, (const void *)uaddr, len, path);
	if (len < 0)
		err = len;
	else if (sock->sk->sk_type == SOCK_SEQPACKET)
		err = weir_pair_bind(ws, path, len);
	else
		err = weir_publish(ws, path, len);
	weir_end_long_path(ws, err);
	release_sock(sock->sk);
	return err;
}

/* Connects to a listener, or subscribes to a pattern. */
static int weir_sock_connect(struct socket *sock, struct weir_sockaddr *uaddr,
			     int len, int flags)
{
	struct weir_sock *ws = weir_sk(sock->sk);
	char path[WEIR_PATH_MAX + 1];
	int err;

	WRITE_ONCE(ws->owner.why, NULL);
	lock_sock(sock->sk);
	len = weir_addr_path(ws, (const void *)uaddr, len, path);
	if (len < 0)
		err = len;
	else if (sock->sk->sk_type == SOCK_SEQPACKET)
		err = weir_pair_connect(ws, path, len, flags);
	else
		err = weir_sock_subscribe(ws, path, len);
	if (!err)
		sock->state = SS_CONNECTED;
	weir_end_long_path(ws, err);
	release_sock(sock->sk);
	return err;
}

static int weir_sock_accept(struct socket *sock, struct socket *newsock,
			    WEIR_ACCEPT_ARGS)
{
	return weir_pair_accept(sock, newsock, WEIR_ACCEPT_FLAGS);
}

static int weir_getname(struct socket *sock, struct sockaddr *uaddr, int peer)
{
	struct sockaddr_weir *addr = (struct sockaddr_weir *)uaddr;
	struct weir_sock *ws = weir_sk(sock->sk);
	const char *name = peer ? ws->peer_path : ws->own_path;
	size_t len;

	if (peer && READ_ONCE(sock->sk->sk_state) != TCP_ESTABLISHED)
		return -ENOTCONN;
	lock_sock(sock->sk);
	memset(addr, 0, sizeof(*addr));
	addr->sw_family = weir_family;
	len = min(strlen(name), sizeof(addr->sw_path) - 1);
	memcpy(addr->sw_path, name, len);
	release_sock(sock->sk);
	return offsetof(struct sockaddr_weir, sw_path) + (len ? len + 1 : 0);
}

#ifdef CONFIG_COMPAT
#define WEIR_COMPAT_IOCTL	.compat_ioctl	= weir_compat_ioctl,
#else
#define WEIR_COMPAT_IOCTL
#endif

static int weir_sock_mmap(struct file *file, struct socket *sock,
			  struct vm_area_struct *vma)
{
	struct weir_sock *ws = weir_sk(sock->sk);

	return weir_map_vma(file, &ws->party, smp_load_acquire(&ws->outbox),
			    vma);
}

static const struct proto_ops weir_seqpacket_ops = {
	.family		= WEIR_FAMILY_DEFAULT,
	.owner		= THIS_MODULE,
	.release	= weir_sock_release,
	.bind		= weir_sock_bind,
	.connect	= weir_sock_connect,
	.socketpair	= weir_socketpair,
	.accept		= weir_sock_accept,
	.getname	= weir_getname,
	.poll		= weir_poll,
	.ioctl		= weir_ioctl,
	WEIR_COMPAT_IOCTL
	.listen		= weir_sock_listen,
	.shutdown	= weir_sock_shutdown,
	.setsockopt	= weir_setsockopt,
	.getsockopt	= weir_getsockopt,
	.sendmsg	= weir_sendmsg,
	.recvmsg	= weir_recvmsg,
	.mmap		= weir_sock_mmap,
};

static const struct proto_ops weir_path_ops = {
	.family		= WEIR_FAMILY_DEFAULT,
	.owner		= THIS_MODULE,
	.release	= weir_sock_release,
	.bind		= weir_sock_bind,
	.connect	= weir_sock_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= weir_getname,
	.poll		= weir_poll,
	.ioctl		= weir_ioctl,
	WEIR_COMPAT_IOCTL
	.listen		= weir_sock_listen,
	.shutdown	= weir_sock_shutdown,
	.setsockopt	= weir_setsockopt,
	.getsockopt	= weir_getsockopt,
	.sendmsg	= weir_sendmsg,
	.recvmsg	= weir_recvmsg,
	.mmap		= weir_sock_mmap,
};

static int weir_create(struct net *net, struct socket *sock, int protocol,
		       int kern)
{
	struct sock *sk;

	if (protocol)
		return -EPROTONOSUPPORT;
	switch (sock->type) {
	case SOCK_SEQPACKET:
		sock->ops = &weir_seqpacket_ops;
		break;
	case SOCK_RDM:
	case SOCK_DGRAM:
		sock->ops = &weir_path_ops;
		break;
	default:
		return -ESOCKTNOSUPPORT;
	}
	sock->state = SS_UNCONNECTED;
	sk = weir_sock_alloc(net, sock, sock->type, kern, NULL);
	if (IS_ERR(sk))
		sock->sk = NULL;	/* freed; sock_init_data() had set it */
	return PTR_ERR_OR_ZERO(sk);
}

static struct net_proto_family weir_family_ops = {
	.create	= weir_create,
	.owner	= THIS_MODULE,
};

int weir_socket_init(void)
{
	int err;

	if (!weir_family || weir_family >= AF_MAX) {
		pr_err("weir: address family %u does not exist; load the module with family=N, N one that no module uses (18, 19, 25)\n",
		       weir_family);
		return -EINVAL;
	}
	err = proto_register(&weir_proto, 1);
	if (err)
		return err;
	weir_family_ops.family = weir_family;
	err = sock_register(&weir_family_ops);
	if (!err)
		return 0;
	proto_unregister(&weir_proto);
	if (err != -EEXIST)
		return err;
	pr_err("weir: address family %u is taken; load the module with family=N, N one that no module uses (18, 19, 25)\n",
	       weir_family);
	/* modprobe takes EEXIST for a module that is loaded already */
	return -EBUSY;
}

void weir_socket_exit(void)
{
	sock_unregister(weir_family);
	proto_unregister(&weir_proto);
}
