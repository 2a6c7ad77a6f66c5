// SPDX-License-Identifier: GPL-2.0
/*
 * Routed messages by ordinary socket calls: sendmsg to the address of a path,
 * replies with a control message, recvmsg from the inbox. A message goes into
 * the socket's outbox as with the library, and is routed at once.
 *
 * A name is translated to a handle of the socket. Each CPU caches the handles
 * of the last names, by socket and name. So the usual look-up is one probe for
 * any number of names. A handle notices changes of the routes by itself
 * (weir_handle_resolve()).
 *
 * Process context.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/uio.h>

#include "logic/clock.h"
#include "logic/trie.h"
#include "owner.h"
#include "ring/ring.h"
#include "route/dispatch_lock.h"
#include "route/endpoint.h"
#include "route/handle.h"
#include "route/router.h"
#include "sock/plain_route.h"
#include "sock/routed.h"
#include "sock/sock.h"
#include "weir.h"

#define WEIR_NAMES_BITS	8

/**
 * struct weir_name_seen - a name in a CPU's cache
 * @ep: id of the endpoint that sent to the name.
 * @hash: hash of the name.
 * @handle: the endpoint's handle for it.
 *
 * Written under the endpoint's dispatch_lock, and without a lock by other
 * endpoints. A reader checks the handle.
 */
struct weir_name_seen {
	u32	ep;
	u32	hash;
	u32	handle;
};

static DEFINE_PER_CPU(struct weir_name_seen[1 << WEIR_NAMES_BITS],
		      weir_names_seen);

static bool weir_handle_is(const struct weir_endpoint *ep, u32 handle,
			   const char *name, u32 len)
{
	const struct weir_handle *h;

	if (handle - 1 >= ep->nhandles)
		return false;
	h = &ep->handles[handle - 1];
	return h->len == len && !memcmp(h->path, name, len);
}

/*
 * Finds the handle of a name; makes it if there is none. Takes dispatch_lock.
 */
static int weir_name_handle(struct weir_endpoint *ep, const char *name, u32 len,
			    u32 *handle, const char **why)
{
	u32 hash = jhash(name, len, ep->id), at;
	struct weir_name_seen *seen;
	int err = 0;

	at = hash_32(hash, WEIR_NAMES_BITS);
	weir_dispatch_lock(&ep->dispatch_lock);
	/* the entry of any CPU will do: its handle is checked */
	seen = raw_cpu_ptr(&weir_names_seen[at]);
	*handle = READ_ONCE(seen->handle);
	if (READ_ONCE(seen->ep) != ep->id || READ_ONCE(seen->hash) != hash ||
	    !weir_handle_is(ep, *handle, name, len)) {
		err = weir_endpoint_add_handle(ep, name, len, handle, why);
		if (!err) {
			WRITE_ONCE(seen->ep, ep->id);
			WRITE_ONCE(seen->hash, hash);
			WRITE_ONCE(seen->handle, *handle);
		}
	}
	weir_dispatch_unlock(ep);
	return err;
}

/* Copies the control message of a message, if it has one, and checks it. */
static int weir_named_scm(struct weir_sock *ws, struct msghdr *msg,
			  struct weir_scm_route *scm)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return weir_refuse(ws, -EINVAL,
					   "the control message is cut short");
		if (cmsg->cmsg_level != SOL_WEIR ||
		    cmsg->cmsg_type != WEIR_SCM_ROUTE)
			return weir_refuse(ws, -EINVAL,
					   "weir carries no descriptors, credentials or other control messages");
		if (cmsg->cmsg_len != CMSG_LEN(sizeof(*scm)))
			return weir_refuse(ws, -EINVAL,
					   "the control message has a wrong size");
		memcpy(scm, CMSG_DATA(cmsg), sizeof(*scm));
	}
	if (scm->kind > WEIR_KIND_ERROR || scm->reserved ||
	    scm->flags & ~(WEIR_REC_IDEMPOTENT | WEIR_REC_REFUSE |
			   WEIR_REC_DROP | WEIR_REC_WAIT))
		return weir_refuse(ws, -EINVAL, "unknown kind or flags");
	return 0;
}

/**
 * weir_named_address() - header words for a message to be sent
 * @ws: a SOCK_RDM socket; it gets an endpoint if it has none.
 * @msg: with a control message, an address, or both.
 * @scm: out: the record's header words; with an address, the handle is filled
 *	in.
 *
 * May sleep. Return: 0; or a negative errno with an error text.
 */
int weir_named_address(struct weir_sock *ws, struct msghdr *msg,
		       struct weir_scm_route *scm)
{
	DECLARE_SOCKADDR(struct sockaddr_weir *, addr, msg->msg_name);
	struct weir_endpoint *ep;
	const char *why;
	u32 len;
	int err;

	memset(scm, 0, sizeof(*scm));
	scm->kind = WEIR_KIND_REQUEST;
	err = weir_named_scm(ws, msg, scm);
	if (err)
		return err;
	ep = weir_sock_endpoint(ws);
	if (IS_ERR(ep))
		return PTR_ERR(ep);
	if (!msg->msg_namelen) {
		/* nobody would be told that it leads nowhere */
		if (scm->kind == WEIR_KIND_EVENT &&
		    scm->route - 1 >= READ_ONCE(ep->nhandles))
			return weir_refuse(ws, -EINVAL,
					   "the message names no path that the socket calls; a reply has kind 2 or 3");
		return 0;
	}
	if (scm->kind == WEIR_KIND_REPLY || scm->kind == WEIR_KIND_ERROR)
		return weir_refuse(ws, -EINVAL,
				   "a reply goes to the caller, not to an address");
	if (msg->msg_namelen < (int)offsetof(struct sockaddr_weir, sw_path) ||
	    addr->sw_family != weir_family)
		return weir_refuse(ws, -EINVAL,
				   "the address is none of weir's");
	len = strnlen(addr->sw_path, min_t(size_t, sizeof(addr->sw_path),
					   msg->msg_namelen -
					   offsetof(struct sockaddr_weir,
						    sw_path)));
	err = weir_path_check(addr->sw_path, len, false, &why);
	if (err)
		return weir_refuse(ws, err, why);
	err = weir_name_handle(ep, addr->sw_path, len, &scm->route, &why);
	return err ? weir_refuse(ws, err, why) : 0;
}

/*
 * Copies the header words of a routed record to @scm, for recvmsg. @inbox has
 * the record. The deadline goes to the caller's clock.
 */
void weir_named_record(const struct weir_ring *inbox,
		       const struct weir_ring_rec *rec,
		       struct weir_scm_route *scm)
{
	const struct weir_record *r = rec->rec;

	memset(scm, 0, sizeof(*scm));
	scm->kind = rec->kind;
	scm->flags = READ_ONCE(r->flags);
	scm->route = READ_ONCE(r->route);
	scm->tag = READ_ONCE(r->tag);
	scm->key = READ_ONCE(r->key);
	if (READ_ONCE(r->ext))
		scm->deadline_ns = weir_clock_between(
					READ_ONCE(*(const u64 *)(r + 1)),
					inbox->clock_ns, weir_clock_here());
}
