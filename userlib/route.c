// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Serving and calling paths, and the replies that are copied into the outbox.
 * The kernel makes the outbox and the inbox when a handle first serves or calls
 * a path. This file has them mapped then.
 */
#include <errno.h>
#include <string.h>

#include "private.h"

/* Maps the outbox and the inbox that the kernel has made for the router. */
int weir_route_map(struct weir *w)
{
	int err;

	if (w->routed)
		return 0;
	if (!w->out.data) {
		err = weir_map_outbox(w);
		if (err)
			return err;
	}
	err = weir_inbox_open(w);
	if (err)
		return err;
	w->routed = 1;
	weir_turn_finish(w);
	return 0;
}

/* Copies a path to @to, which holds WEIR_PATH_MAX + 1 zero bytes. */
static int weir_route_path(const struct weir *w, const char *what,
			   const char *path, char *to)
{
	size_t len = strlen(path);
	int err = weir_fork_check(w);

	if (err)
		return err;
	if (w->type != SOCK_RDM)
		return weir_fail(-EOPNOTSUPP,
				 "only SOCK_RDM serves and calls paths");
	if (len > WEIR_PATH_MAX)
		return weir_fail(-ENAMETOOLONG, "%s: a path of %zu bytes; %d may be",
				 what, len, WEIR_PATH_MAX);
	memcpy(to, path, len);
	return 0;
}

int (weir_serve)(struct weir *w, const char *path, uint32_t weight,
		 uint64_t *id)
{
	struct weir_ioc_serve serve = {
		.size = sizeof(serve),
		.weight = weight,
	};
	int err = weir_route_path(w, "serve", path, serve.path);

	if (err)
		return err;
	err = weir_fd_ioctl(w->fd, WEIR_IOC_SERVE, &serve);
	if (err)
		return weir_fail_syscall(w->fd, err, "serve %s", path);
	if (id)
		*id = serve.id;
	return weir_route_map(w);
}

int weir_serve_seen(struct weir *w, const char *path, uint32_t weight,
		    uint64_t *id)
{
	int err = (weir_serve)(w, path, weight, id);

	if (err)
		return err;
	/*
	 * cursor->seen stays: a handle that serves another path already may have
	 * shown more than the message at the cursor.
	 */
	__atomic_fetch_or(&w->inbox->cursor->flags, WEIR_CURSOR_SEEN,
			  __ATOMIC_RELEASE);
	return 0;
}

int weir_drain(struct weir *w)
{
	int one = 1, err = weir_fork_check(w);

	if (err)
		return err;
	err = weir_fd_setsockopt(w->fd, WEIR_SO_DRAIN, &one, sizeof(one));
	return err < 0 ? weir_fail_syscall(w->fd, err, "drain") : 0;
}

int weir_route(struct weir *w, const char *path)
{
	struct weir_ioc_call call = { .size = sizeof(call) };
	int err = weir_route_path(w, "route", path, call.path);

	if (err)
		return err;
	err = weir_fd_ioctl(w->fd, WEIR_IOC_CALL, &call);
	if (err)
		return weir_fail_syscall(w->fd, err, "route %s", path);
	err = weir_route_map(w);
	return err ? err : (int)call.route;
}

/* Copies a reply into the outbox. Returns 1 if the router must be told of it. */
int weir_reply_copy_more(struct weir *w, const struct weir_ticket *ticket,
			 uint8_t kind, const void *data, size_t len,
			 int64_t timeout_ns)
{
	struct weir_buf buf;
	int err;

	if (!weir_ticket_wanted(ticket))
		return 0;
	err = weir_claim_wait(w, len, &buf, timeout_ns);
	if (err)
		return err;
	if (len)
		weir_copy(buf.data, data, len);
	weir_reply_commit_more(w, ticket, kind, 0, &buf);
	return 1;
}

static int weir_reply_copy(struct weir *w, const struct weir_ticket *ticket,
			   uint8_t kind, const void *data, size_t len,
			   int64_t timeout_ns)
{
	int ret = weir_reply_copy_more(w, ticket, kind, data, len, timeout_ns);

	if (ret > 0)
		weir_flush(w);
	return ret < 0 ? ret : 0;
}

int weir_reply(struct weir *w, const struct weir_ticket *ticket,
	       const void *data, size_t len, int64_t timeout_ns)
{
	return weir_reply_copy(w, ticket, WEIR_KIND_REPLY, data, len,
			       timeout_ns);
}

int weir_reply_error(struct weir *w, const struct weir_ticket *ticket,
		     const void *data, size_t len, int64_t timeout_ns)
{
	return weir_reply_copy(w, ticket, WEIR_KIND_ERROR, data, len,
			       timeout_ns);
}
