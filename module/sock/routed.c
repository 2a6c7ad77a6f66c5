// SPDX-License-Identifier: GPL-2.0
/*
 * A socket that calls and serves: the endpoint that it has in the router, and
 * the ioctls for that. The endpoint is made at the first of these calls.
 *
 * Process context; the functions may sleep.
 */
#include <linux/err.h>
#include <linux/uaccess.h>
#include <net/sock.h>

#include "copy_in.h"
#include "logic/trie.h"
#include "owner.h"
#include "ring/ring.h"
#include "route/endpoint.h"
#include "route/poller.h"
#include "route/target.h"
#include "sock/pair.h"
#include "sock/routed.h"
#include "sock/sock.h"
#include "weir.h"

/* weir_endpoint.put_owner of a socket's endpoint. */
static void weir_sock_put_owner(struct weir_owner *o)
{
	sock_put(&container_of(o, struct weir_sock, owner)->sk);
}

/**
 * weir_sock_endpoint() - get the endpoint of a socket, or make one
 * @ws: the socket; its lock_sock() is not held.
 *
 * Return: the endpoint, without a reference: it lasts as long as the socket. Or
 * an ERR_PTR, with words: -EOPNOTSUPP: the socket is no SOCK_RDM; -EISCONN: it
 * publishes; -ENOBUFS: a cap is reached; -ENOMEM.
 */
struct weir_endpoint *weir_sock_endpoint(struct weir_sock *ws)
{
	struct weir_endpoint *ep = smp_load_acquire(&ws->ep);
	struct weir_ring_spec outbox;
	int err = 0;

	if (ep)
		return ep;
	if (ws->sk.sk_type != SOCK_RDM)
		return ERR_PTR(weir_refuse(ws, -EOPNOTSUPP,
					   "only SOCK_RDM sockets call and serve"));
	lock_sock(&ws->sk);
	ep = ws->ep;
	if (ep)
		goto out;
	if (ws->outbox)
		err = weir_refuse(ws, -EISCONN,
				  "the socket publishes: call and serve on another");
	else if (!ws->party.inbox)
		err = weir_sock_inbox(ws);
	if (err) {
		ep = ERR_PTR(err);
		goto out;
	}
	weir_sock_spec(ws, &outbox);
	/* the router's cursor is never evicted: the socket waits for it */
	outbox.evict_ms = 0;
	ep = weir_endpoint_create(&ws->owner, ws->party.inbox, &outbox,
				  weir_sock_put_owner);
	if (IS_ERR(ep))
		goto out;
	ep->sock_id = ws->id;
	strscpy(ep->name, ws->opt.name, sizeof(ep->name));
	WRITE_ONCE(ws->sk.sk_state, TCP_ESTABLISHED);
	smp_store_release(&ws->ep, ep);
	smp_store_release(&ws->outbox, ep->outbox);
	weir_end_shut(ws);
	weir_poll_join(ep);
out:
	release_sock(&ws->sk);
	return ep;
}

/**
 * weir_sock_serve_path() - have a socket serve a path
 * @ws: the socket; an endpoint is made for it if it has none.
 * @serve: path and weight; out: the number of the target in @id.
 *
 * Return: 0, or a negative errno with words.
 */
int weir_sock_serve_path(struct weir_sock *ws, struct weir_ioc_serve *serve)
{
	struct weir_endpoint *ep = weir_sock_endpoint(ws);

	return IS_ERR(ep) ? PTR_ERR(ep) :
			    weir_target_serve(&ws->owner, ep, serve);
}

/* weir_sock_serve() - WEIR_IOC_SERVE; @arg: struct weir_ioc_serve */
int weir_sock_serve(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_serve serve;
	int err;

	err = weir_copy_in(&ws->owner, &serve, sizeof(serve), arg);
	if (err)
		return err;
	if (serve.flags || serve.reserved)
		return weir_refuse(ws, -EINVAL, "unknown flags");
	if (serve.weight > WEIR_WEIGHT_MAX)
		return weir_refuse(ws, -EINVAL, "a weight is at most 1000000");
	err = weir_sock_serve_path(ws, &serve);
	if (err)
		return err;
	return copy_to_user(arg, &serve, min_t(u32, serve.size,
					       sizeof(serve))) ?
	       -EFAULT : 0;
}

/* weir_sock_drain() - WEIR_SO_DRAIN: no new requests come to the socket */
int weir_sock_drain(struct weir_sock *ws)
{
	return ws->ep ? weir_targets_drain(&ws->owner, ws->ep) : 0;
}

/* weir_sock_call() - WEIR_IOC_CALL: get a handle; @arg: struct weir_ioc_call */
int weir_sock_call(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_call call;
	struct weir_endpoint *ep;
	const char *why;
	u32 len;
	int err;

	err = weir_copy_in(&ws->owner, &call, sizeof(call), arg);
	if (err)
		return err;
	if (call.flags || call.reserved)
		return weir_refuse(ws, -EINVAL, "unknown flags");
	len = strnlen(call.path, sizeof(call.path));
	err = weir_path_check(call.path, len, false, &why);
	if (err)
		return weir_refuse(ws, err, why);
	ep = weir_sock_endpoint(ws);
	if (IS_ERR(ep))
		return PTR_ERR(ep);
	err = weir_endpoint_call(ep, call.path, len, &call.route);
	if (err)
		return err;
	return copy_to_user(arg, &call, min_t(u32, call.size, sizeof(call))) ?
	       -EFAULT : 0;
}
