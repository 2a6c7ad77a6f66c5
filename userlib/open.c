// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Sockets: functions that make a handle, give it a name or a peer, and close it.
 * They make ordinary socket calls, and map the handle's rings (see map.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "private.h"

#define WEIR_FAMILY_FILE	"/sys/module/weir/parameters/family"

#define WEIR_FLAGS	(WEIR_SHARED | WEIR_NOTICES | WEIR_NONBLOCK | WEIR_HUGE)
#define WEIR_SETS	(WEIR_SET_NODE | WEIR_SET_MODE | WEIR_SET_GROUP | \
			 WEIR_SET_DEMAND)

/* Numbers that no family of the kernel has: the module suggests them. */
static const int weir_families[] = { WEIR_FAMILY_DEFAULT, 19, 25 };

static void weir_close_fd(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

/* Returns whether a descriptor is a weir socket: it answers as no other does. */
static bool weir_is_socket(int fd)
{
	struct weir_sock_info info;
	socklen_t len = sizeof(info);

	return !weir_fd_getsockopt(fd, SOL_WEIR, WEIR_SO_INFO, &info, &len);
}

/*
 * Finds the family by its sockets, for containers without /sys. Returns the
 * number, or -EAFNOSUPPORT.
 */
static int weir_family_probe(void)
{
	int saved = errno, fd;
	bool found = false;
	size_t i;

	for (i = 0; i < sizeof(weir_families) / sizeof(weir_families[0]); i++) {
		fd = socket(weir_families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		found = weir_is_socket(fd);
		close(fd);
		if (found)
			break;
	}
	errno = saved;
	return found ? weir_families[i] : -EAFNOSUPPORT;
}

/* The family, when its file gives the error @err. */
static int weir_family_without_file(int err)
{
	int family = weir_family_probe(), saved = errno;
	bool sys;

	if (family > 0)
		return family;
	sys = !access("/sys/module", F_OK);
	errno = saved;
	/* Without the directory, /sys is not mounted, or is empty. */
	if (err == -ENOENT && sys)
		return weir_fail(-EAFNOSUPPORT,
				 "the weir module is not loaded: modprobe weir");
	weir_fail_syscall(-1, err,
			  "no weir socket of family %d, %d or %d, and the number of another is in a file that cannot be read: "
			  WEIR_FAMILY_FILE, weir_families[0],
			  weir_families[1], weir_families[2]);
	return -EAFNOSUPPORT;
}

int weir_family(void)
{
	int saved = errno, fd = open(WEIR_FAMILY_FILE, O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int err = n < 0 ? -errno : 0;
	long family;

	if (fd >= 0)
		close(fd);
	errno = saved;
	if (err)
		return weir_family_without_file(err);
	text[n] = '\0';
	family = strtol(text, NULL, 10);
	if (family <= 0 || family > 255)
		return weir_fail(-EAFNOSUPPORT, WEIR_FAMILY_FILE " says '%s'",
				 text);
	return (int)family;
}

static int weir_set_option(int fd, int option, const char *what,
			   const void *value, size_t len)
{
	int err = weir_fd_setsockopt(fd, option, value, (socklen_t)len);

	return err ? weir_fail_syscall(fd, err, "%s", what) : 0;
}

static int weir_configure(int fd, const struct weir_config *c)
{
	const struct {
		int		option;
		const char	*what;
		uint32_t	given;
		uint32_t	value;
	} set[] = {
		{ WEIR_SO_RING_BYTES, "ring_bytes", c->ring_bytes, c->ring_bytes },
		{ WEIR_SO_NODE, "node", c->set & WEIR_SET_NODE, c->node },
		{ WEIR_SO_MODE, "mode", c->set & WEIR_SET_MODE, c->mode },
		{ WEIR_SO_GROUP, "group", c->set & WEIR_SET_GROUP, c->group },
		{ WEIR_SO_EVICT_MS, "evict_ms", c->evict_ms, c->evict_ms },
		{ WEIR_SO_LINGER_MS, "linger_ms", c->linger_ms, c->linger_ms },
		{ WEIR_SO_HOLD_MS, "hold_ms", c->hold_ms, c->hold_ms },
		{ WEIR_SO_START, "start", c->start, c->start },
		{ WEIR_SO_DEMAND, "demand", c->set & WEIR_SET_DEMAND, c->demand },
		{ WEIR_SO_HUGE, "huge pages", c->flags & WEIR_HUGE, 1 },
		{ WEIR_SO_INBOX_BYTES, "inbox_bytes", c->inbox_bytes,
		  c->inbox_bytes },
	};
	size_t i;
	int err = 0;

	if (c->name)
		err = weir_set_option(fd, WEIR_SO_NAME, "cursor name", c->name,
				      strlen(c->name));
	for (i = 0; !err && i < sizeof(set) / sizeof(set[0]); i++) {
		if (set[i].given)
			err = weir_set_option(fd, set[i].option, set[i].what,
					      &set[i].value,
					      sizeof(set[i].value));
	}
	return err;
}

/* Makes a handle for a descriptor. It maps no ring. */
static struct weir *weir_new(int fd, int type, uint32_t flags, uint64_t spin_ns)
{
	struct weir *w = weir_zalloc(sizeof(*w));

	if (!w)
		return NULL;
	w->fd = fd;
	w->type = type;
	w->flags = flags;
	w->shared = !!(flags & WEIR_SHARED);
	/* Half of the range, so that a sum with any time does not overflow. */
	w->spin_ns = spin_ns < INT64_MAX / 2 ? spin_ns : INT64_MAX / 2;
	w->out = weir_no_outbox;
	weir_turn_finish(w);
	if (weir_fork_add(w)) {
		free(w);
		return NULL;
	}
	return w;
}

/* Unmaps the rings and frees the handle. The descriptor stays open. */
static void weir_free(struct weir *w)
{
	uint32_t i;

	weir_fork_del(w);
	weir_stream_free_detached(w);
	for (i = 0; i < w->nstreams; i++) {
		weir_unmap_stream(w->streams[i]);
		free(w->streams[i]);
	}
	if (w->inbox) {
		weir_unmap_stream(w->inbox);
		free(w->inbox);
	}
	weir_unmap_outbox(w);
	free(w->streams);
	free(w);
}

static int weir_check_flags(const struct weir_config *config)
{
	if (config->flags & ~WEIR_FLAGS)
		return weir_fail(-EINVAL, "unknown flags %#x in the configuration",
				 config->flags & ~WEIR_FLAGS);
	if (config->set & ~WEIR_SETS)
		return weir_fail(-EINVAL, "unknown bits %#x in set of the configuration",
				 config->set & ~WEIR_SETS);
	return 0;
}

int weir_open(struct weir **w, int type, const struct weir_config *config)
{
	static const struct weir_config defaults;
	int family = weir_family(), flags = SOCK_CLOEXEC, saved = errno, fd, err;

	if (!config)
		config = &defaults;
	err = weir_check_flags(config);
	if (family < 0 || err)
		return family < 0 ? family : err;
	if (config->flags & WEIR_NONBLOCK)
		flags |= SOCK_NONBLOCK;
	fd = socket(family, type | flags, 0);
	if (fd < 0) {
		err = -errno;
		errno = saved;
		return weir_fail_syscall(-1, err, "a weir socket of type %d", type);
	}
	err = weir_configure(fd, config);
	if (err)
		goto err_close;
	*w = weir_new(fd, type, config->flags, config->spin_ns);
	if (*w)
		return 0;
	err = -ENOMEM;
err_close:
	weir_close_fd(fd);
	return err;
}

/* Maps the rings of a connected pair: the outbox, and the peer's as a stream. */
static int weir_map_pair(struct weir *w)
{
	char path[WEIR_PATH_MAX + 1] = "";
	socklen_t len = sizeof(path) - 1;
	int err = weir_map_outbox(w);

	if (err)
		return err;
	if (weir_fd_getsockopt(w->fd, SOL_WEIR, WEIR_SO_PEER_PATH, path, &len))
		path[0] = '\0';
	err = weir_stream_add(w, WEIR_ID_STREAM, path, strlen(path));
	if (err)
		weir_unmap_outbox(w);
	return err;
}

/*
 * Returns whether the router reads the outbox of an adopted socket: an outbox
 * that is published has a path.
 */
static bool weir_is_routed(struct weir *w)
{
	char path[WEIR_PATH_MAX + 1] = "";
	socklen_t len = sizeof(path) - 1;

	return w->type == SOCK_RDM && w->out.data &&
	       !weir_fd_getsockopt(w->fd, SOL_WEIR, WEIR_SO_PATH, path, &len) &&
	       !path[0];
}

static int weir_map_present(struct weir *w)
{
	char pattern[WEIR_PATH_MAX + 1] = "";
	socklen_t len = sizeof(pattern) - 1;
	struct weir_sock_info info;
	int err = weir_info(w, &info);

	if (err)
		return err;
	if (w->type == SOCK_SEQPACKET)
		return info.ring_bytes ? weir_map_pair(w) : 0;
	if (info.ring_bytes)
		err = weir_map_outbox(w);
	if (!err)
		err = weir_fd_getsockopt(w->fd, SOL_WEIR, WEIR_SO_PEER_PATH,
					 pattern, &len);
	if (err)
		return err;
	w->subscribed = pattern[0] != '\0';
	if (weir_is_routed(w))
		err = weir_route_map(w);
	if (!err && w->subscribed)
		err = weir_inbox_open(w);
	return err;
}

int weir_adopt(struct weir **w, int fd, const struct weir_config *config)
{
	static const struct weir_config defaults;
	socklen_t len = sizeof(int);
	struct weir *made;
	int type = -1, err;

	if (!config)
		config = &defaults;
	err = weir_check_flags(config);
	if (err)
		return err;
	err = weir_fd_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	if (err)
		return weir_fail_syscall(-1, err, "descriptor %d", fd);
	if (!weir_is_socket(fd))
		return weir_fail(-EAFNOSUPPORT, "not a weir socket");
	made = weir_new(fd, type, config->flags, config->spin_ns);
	if (!made)
		return -ENOMEM;
	err = weir_map_present(made);
	if (err) {
		weir_free(made);
		return err;
	}
	*w = made;
	return 0;
}

void weir_close(struct weir *w)
{
	int fd;

	if (!w)
		return;
	fd = weir_fd(w);
	weir_free(w);
	weir_close_fd(fd);
}

int weir_fd(const struct weir *w)
{
	return w->forked ? w->parent_fd : w->fd;
}

/*
 * Calls bind() or connect(). Sets a path that is too long for an address by
 * WEIR_SO_LONG_PATH first; the address is then empty.
 */
static int weir_bind_or_connect(struct weir *w, bool binds, const char *what,
				const char *path)
{
	struct sockaddr_weir addr = { 0 };
	const struct sockaddr *sa = (const struct sockaddr *)&addr;
	size_t len = strlen(path);
	int saved = errno, domain = 0, err = weir_fork_check(w);
	socklen_t n = sizeof(domain);

	if (err)
		return err;
	if (len > WEIR_PATH_MAX)
		return weir_fail(-ENAMETOOLONG, "%s: a path of %zu bytes; %d may be",
				 what, len, WEIR_PATH_MAX);
	err = weir_fd_getsockopt(w->fd, SOL_SOCKET, SO_DOMAIN, &domain, &n);
	if (err)
		return weir_fail_syscall(-1, err, "%s %s", what, path);
	addr.sw_family = (__kernel_sa_family_t)domain;
	if (len <= sizeof(addr.sw_path)) {
		memcpy(addr.sw_path, path, len);
	} else {
		err = weir_set_option(w->fd, WEIR_SO_LONG_PATH, what, path,
				      len);
		if (err)
			return err;
	}
	if (binds ? bind(w->fd, sa, sizeof(addr)) :
		    connect(w->fd, sa, sizeof(addr)))
		err = -errno;
	errno = saved;
	return err ? weir_fail_syscall(w->fd, err, "%s %s", what, path) : 0;
}

int weir_bind(struct weir *w, const char *path)
{
	int err = weir_bind_or_connect(w, true, "bind", path);

	if (err || w->type == SOCK_SEQPACKET)
		return err;
	return weir_map_outbox(w);
}

int weir_connect(struct weir *w, const char *path)
{
	int err;

	if (w->type != SOCK_SEQPACKET)
		return weir_fail(-EOPNOTSUPP,
				 "only SOCK_SEQPACKET connects; subscribe instead");
	err = weir_bind_or_connect(w, false, "connect", path);
	return err ? err : weir_map_pair(w);
}

int weir_subscribe(struct weir *w, const char *pattern)
{
	int err;

	if (w->type == SOCK_SEQPACKET)
		return weir_fail(-EOPNOTSUPP,
				 "SOCK_SEQPACKET does not subscribe; connect instead");
	err = weir_bind_or_connect(w, false, "subscribe", pattern);
	if (err)
		return err;
	w->subscribed = 1;
	return weir_inbox_open(w);
}

int weir_listen(struct weir *w, int backlog)
{
	int saved = errno, err = weir_fork_check(w);

	if (err)
		return err;
	err = listen(w->fd, backlog) ? -errno : 0;
	errno = saved;
	return err ? weir_fail_syscall(w->fd, err, "listen") : 0;
}

/* Waits for a connection. The longest timeout of poll() is only 24 days. */
static int weir_accept_poll(int fd, int64_t timeout_ns)
{
	const struct timespec timeout = {
		.tv_sec = timeout_ns / 1000000000,
		.tv_nsec = timeout_ns % 1000000000,
	};
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int saved = errno, ret;

	ret = ppoll(&p, 1, timeout_ns < 0 ? NULL : &timeout, NULL);
	if (ret < 0)
		ret = -errno;
	errno = saved;
	if (ret)
		return ret < 0 ? ret : 0;
	return timeout_ns ? -ETIMEDOUT : -EAGAIN;
}

/*
 * Takes a connection. The one of which poll() told may have gone to another
 * thread or process: the descriptor does not block, or the call would sleep.
 * Returns the connection's descriptor, or a negative errno.
 */
static int weir_accept_now(const struct weir *w)
{
	int how = fcntl(w->fd, F_GETFL), flags = SOCK_CLOEXEC, fd;

	if (how >= 0 && !(how & O_NONBLOCK))
		fcntl(w->fd, F_SETFL, how | O_NONBLOCK);
	if (w->flags & WEIR_NONBLOCK)
		flags |= SOCK_NONBLOCK;
	fd = accept4(w->fd, NULL, NULL, flags);
	return fd < 0 ? -errno : fd;
}

int weir_accept(struct weir *w, struct weir **conn, int64_t timeout_ns)
{
	struct weir_deadline end = weir_deadline(timeout_ns);
	int saved = errno, fd, err;
	struct weir *made;

	if (w->type != SOCK_SEQPACKET)
		return weir_fail(-EOPNOTSUPP,
				 "only SOCK_SEQPACKET handles accept");
	err = weir_fork_check(w);
	if (err)
		return err;
	do {
		err = weir_accept_poll(w->fd, weir_left_ns(&end));
		fd = err ? err : weir_accept_now(w);
	} while (!err && fd == -EAGAIN && weir_left_ns(&end));
	errno = saved;
	if (fd == -EAGAIN)
		return timeout_ns ? -ETIMEDOUT : fd;
	if (fd < 0)
		return err ? err : weir_fail_syscall(w->fd, fd, "accept");
	made = weir_new(fd, w->type, w->flags, w->spin_ns);
	if (!made) {
		weir_close_fd(fd);
		return -ENOMEM;
	}
	err = weir_map_pair(made);
	if (err) {
		weir_close(made);
		return err;
	}
	*conn = made;
	return 0;
}

int weir_shutdown(struct weir *w, int how)
{
	int saved = errno, err = weir_fork_check(w);

	if (err)
		return err;
	err = shutdown(w->fd, how) ? -errno : 0;
	errno = saved;
	return err ? weir_fail_syscall(w->fd, err, "shutdown") : 0;
}

int weir_info(struct weir *w, struct weir_sock_info *info)
{
	socklen_t len = sizeof(*info);
	int err = weir_fork_check(w);

	memset(info, 0, sizeof(*info));
	if (err)
		return err;
	err = weir_fd_getsockopt(w->fd, SOL_WEIR, WEIR_SO_INFO, info, &len);
	return err ? weir_fail_syscall(w->fd, err, "socket information") : 0;
}
