// SPDX-License-Identifier: GPL-2.0
/*
 * What a process can set on its socket and ask of it: ioctls and socket
 * options. A structure carries its own size and is copied once. Bytes beyond
 * the fields that this module knows must be zero. A refusal leaves words for
 * WEIR_SO_ERROR_TEXT, except for plain errors such as -EFAULT.
 *
 * Process context.
 */
#include <linux/compat.h>
#include <linux/log2.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sockios.h>
#include <linux/uaccess.h>
#include <asm/ioctls.h>
#include <asm/syscall.h>

#include "copy_in.h"
#include "ctl/list.h"
#include "ring/inbox.h"
#include "ring/map.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "route/router.h"
#include "sock.h"
#include "sock/socket.h"
#include "tunables.h"
#include "weir.h"

static int weir_ioc_map(struct weir_sock *ws, void __user *arg)
{
	struct weir_ioc_map map;
	u32 size;
	int err;

	err = weir_copy_in(&ws->owner, &map, sizeof(map), arg);
	if (err)
		return err;
	size = min_t(u32, map.size, sizeof(map));
	if (map.flags)
		return weir_refuse(ws, -EINVAL, "unknown flags");
	if (map.id == WEIR_ID_INBOX) {
		lock_sock(&ws->sk);
		err = weir_inbox_create(ws);
		release_sock(&ws->sk);
		if (err)
			return err;
	}
	err = weir_map_describe(ws, &map);
	if (err)
		return err;
	return copy_to_user(arg, &map, size) ? -EFAULT : 0;
}

static int weir_kick(struct weir_sock *ws, unsigned long arg)
{
	struct weir_ring *ring;
	struct weir_reader *rd;

	if (arg & 0xff & ~(WEIR_KICK_READERS | WEIR_KICK_WRITER |
			   WEIR_KICK_INBOX))
		return weir_refuse(ws, -EINVAL, "unknown flags");
	smp_mb();						/* (C) */
	if (arg & WEIR_KICK_READERS) {
		ring = smp_load_acquire(&ws->outbox);
		if (!ring)
			return weir_refuse(ws, -ENOTCONN,
					   "the socket has no outbox");
		if (ws->ep)
			weir_endpoint_kick(ws->ep);
		else
			weir_ring_wake_readers(ring);
	}
	if (arg & WEIR_KICK_WRITER) {
		rd = weir_reader_find(ws, arg >> 8);
		if (!rd)
			return weir_refuse(ws, -ENXIO,
					   "the socket has no stream of this id");
		weir_ring_wake_writer(rd->ring);
		weir_reader_put(rd);
	}
	if (arg & WEIR_KICK_INBOX)
		weir_inbox_flush(ws);
	return 0;
}

/*
 * Copy in a structure of any length, by the rules of copy_struct_from_user();
 * also from kernel memory.
 */
static noinline int weir_wait_in_any(struct weir_sock *ws,
				     struct weir_so_wait *wait, sockptr_t from,
				     unsigned int len)
{
	unsigned int n = min_t(unsigned int, len, sizeof(*wait));
	int zeros = 1;

	if (len < sizeof(wait->flags) || len > PAGE_SIZE)
		return weir_refuse(ws, -EINVAL, "the option takes a struct weir_so_wait");
	memset(wait, 0, sizeof(*wait));
	if (copy_from_sockptr(wait, from, n))
		zeros = -EFAULT;
	else if (sockptr_is_kernel(from))
		zeros = !memchr_inv(from.kernel + n, 0, len - n);
	else
		zeros = check_zeroed_user(from.user + n, len - n);
	if (zeros < 0)
		return weir_refuse(ws, -EFAULT, "the structure is not readable");
	if (!zeros)
		return weir_refuse(ws, -E2BIG, "the structure has fields this module does not know");
	return 0;
}

/*
 * Copy in the structure that comes with each sleep. This is done word by word,
 * because the function calls for a copy of unknown length cost more than the
 * copy.
 */
static int weir_wait_in(struct weir_sock *ws, struct weir_so_wait *wait,
			sockptr_t value, unsigned int len)
{
	const struct weir_so_wait __user *from = value.user;

	if (unlikely(len != sizeof(*wait) || sockptr_is_kernel(value)) ||
	    !user_read_access_begin(from, sizeof(*from)))
		goto any;
	unsafe_get_user(wait->flags, &from->flags, fault);
	unsafe_get_user(wait->reserved, &from->reserved, fault);
	unsafe_get_user(wait->timeout_ns, &from->timeout_ns, fault);
	unsafe_get_user(wait->bytes, &from->bytes, fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
any:
	return weir_wait_in_any(ws, wait, value, len);
}

/*
 * Does the current task call setsockopt() itself? Since 6.7 io_uring sets
 * options too, with its ring locked or in a thread that serves the whole ring:
 * no call may sleep there.
 */
static bool weir_called_itself(void)
{
	return !(current->flags & PF_IO_WORKER) &&
	       (in_compat_syscall() ||
		syscall_get_nr(current, current_pt_regs()) == __NR_setsockopt);
}

/* WEIR_SO_WAIT. Not inlined: the kick must not pay for this stack frame. */
static noinline int weir_set_wait(struct weir_sock *ws, sockptr_t value,
				  unsigned int len)
{
	struct weir_so_wait wait;
	struct weir_ring *ring;
	int err;

	err = weir_wait_in(ws, &wait, value, len);
	if (err)
		return err;
	if (wait.reserved)
		return weir_refuse(ws, -EINVAL, "reserved is not zero");
	if (wait.timeout_ns && unlikely(!weir_called_itself()))
		return weir_refuse(ws, -EOPNOTSUPP,
				   "only setsockopt() itself may sleep");
	if (wait.flags & ~(WEIR_WAIT_IN | WEIR_WAIT_OUT | WEIR_WAIT_KICK) ||
	    !(wait.flags & (WEIR_WAIT_IN | WEIR_WAIT_OUT)))
		return weir_refuse(ws, -EINVAL, "wait for WEIR_WAIT_IN, WEIR_WAIT_OUT or both");
	ring = smp_load_acquire(&ws->outbox);
	if (wait.flags & WEIR_WAIT_OUT) {
		if (!ring)
			return weir_refuse(ws, -ENOTCONN,
					   "the socket has no outbox");
		if (wait.bytes > weir_ring_bytes(&ring->view))
			return weir_refuse(ws, -EMSGSIZE,
					   "more bytes than the ring has");
	}
	if (wait.flags & WEIR_WAIT_KICK && ring) {
		smp_mb();					/* (C) */
		if (ws->ep)
			weir_endpoint_kick(ws->ep);
		else if (READ_ONCE(weir_ring_status(ring)->wake) &
			 WEIR_WAKE_READERS)
			weir_ring_wake_readers(ring);
	}
	return weir_sock_wait(ws, wait.flags,
			      max_t(u64, wait.bytes, WEIR_GRANULE),
			      wait.timeout_ns);
}

static int weir_ioc_detach(struct weir_sock *ws, unsigned long id)
{
	struct weir_reader *rd;

	if (ws->sk.sk_type == SOCK_SEQPACKET || id < WEIR_ID_STREAM ||
	    id > U32_MAX)
		return weir_refuse(ws, -EINVAL, "only subscribed streams can be detached");
	rd = weir_reader_find(ws, id);
	if (!rd)
		return weir_refuse(ws, -ENXIO, "the socket has no stream of this id");
	weir_reader_detach(rd, WEIR_REASON_CLOSED);
	weir_reader_put(rd);
	return 0;
}

/*
 * Length of a stream's next message; 0: there is none; -EAGAIN: @budget looks
 * were not enough, and *@pos is where to go on. Any context.
 */
static int weir_reader_next_len(const struct weir_reader *rd, u64 *pos,
				u32 budget)
{
	struct weir_ring_rec rec;
	int got;

	while (budget--) {
		got = weir_ring_peek_some(&rd->ring->view, pos, &rec,
					  WEIR_LOOK_RECORDS);
		if (got == -EAGAIN)
			continue;
		if (got != 1)
			return 0;
		if (rec.kind != WEIR_KIND_NOTICE || rd->id != WEIR_ID_INBOX)
			return rec.len;
		*pos = rec.next;
	}
	return -EAGAIN;
}

static u64 weir_reader_pos(const struct weir_reader *rd)
{
	return READ_ONCE(rd->cursor->pos) & ~(u64)(WEIR_GRANULE - 1);
}

/* The same for a whole ring. Puts the reader. May sleep. */
static int weir_reader_next_len_put(struct weir_reader *rd)
{
	u64 pos = weir_reader_pos(rd);
	u64 end = pos + weir_ring_bytes(&rd->ring->view);
	int len;

	do {
		len = weir_reader_next_len(rd, &pos, 1);
		cond_resched();
	} while (len == -EAGAIN && (s64)(end - pos) > 0 &&
		 !signal_pending(current));
	weir_reader_put(rd);
	return max(len, 0);
}

/*
 * The same for the streams from the head of the list on, up to
 * WEIR_LOOK_BUDGET. The next call begins behind the last stream that this one
 * has looked at. @seen: is increased for each stream. @more: out: the first
 * stream whose look was not finished, held. Under the socket's rlock.
 */
static int weir_next_len_some(struct weir_sock *ws, u32 *seen,
			      struct weir_reader **more)
{
	u32 left = WEIR_LOOK_BUDGET, cost;
	struct weir_reader *rd;
	u64 pos, from;
	int len;

	list_for_each_entry(rd, &ws->readers, sock_link) {
		from = pos = weir_reader_pos(rd);
		len = weir_reader_next_len(rd, &pos, 1);
		++*seen;
		if (len > 0)
			return len;
		if (len == -EAGAIN && !*more) {
			/* a longer look must not be made under a spinlock */
			weir_reader_get(rd);
			*more = rd;
		}
		/* a look at a stream without records costs something, too */
		cost = max(weir_look_cost(from, pos), 1U);
		if (cost >= left) {
			list_move(&ws->readers, &rd->sock_link);
			return 0;
		}
		left -= cost;
	}
	return 0;
}

/* FIONREAD: length of the next message; 0 when there is none. May sleep. */
static int weir_next_len(struct weir_sock *ws)
{
	struct weir_reader *rd, *more = NULL;
	u32 seen = 0, all;
	int len = 0;

	if (smp_load_acquire(&ws->ep)) {
		rd = weir_reader_find(ws, WEIR_ID_INBOX);
		if (rd)
			len = weir_reader_next_len_put(rd);
	}
	if (len)
		return len;
	do {
		spin_lock(&ws->rlock);
		len = weir_next_len_some(ws, &seen, &more);
		all = ws->nreaders;
		spin_unlock(&ws->rlock);
		cond_resched();
	} while (!len && seen < all && !signal_pending(current));
	if (more && len)
		weir_reader_put(more);
	else if (more)
		len = weir_reader_next_len_put(more);
	return len;
}

/* SIOCOUTQ: bytes of the outbox that the slowest gating reader has not read. */
static int weir_unread(struct weir_sock *ws)
{
	struct weir_ring *ring = smp_load_acquire(&ws->outbox);
	struct weir_reader *rd;
	u64 most = 0, tail;
	u32 seq;

	if (!ring || weir_ring_tail(&ring->view, &tail, &seq))
		return 0;
	spin_lock(&ring->lock);
	list_for_each_entry(rd, &ring->readers, ring_link) {
		u64 lag = tail - READ_ONCE(rd->cursor->pos);

		if (rd->gating && !rd->evicted &&
		    lag <= weir_ring_bytes(&ring->view))
			most = max(most, lag);
	}
	spin_unlock(&ring->lock);
	return most;
}

int weir_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct weir_sock *ws = weir_sk(sock->sk);
	void __user *uarg = (void __user *)arg;

	WRITE_ONCE(ws->owner.why, NULL);
	switch (cmd) {
	case WEIR_IOC_MAP:
		return weir_ioc_map(ws, uarg);
	case WEIR_IOC_DETACH:
		return weir_ioc_detach(ws, arg);
	case WEIR_IOC_LIST:
		return weir_list(ws, uarg);
	case WEIR_IOC_SERVE:
		return weir_target_serve(ws, uarg);
	case WEIR_IOC_CALL:
		return weir_endpoint_call(ws, uarg);
	case WEIR_IOC_CONTROL:
		return weir_control(ws, uarg);
	case SIOCINQ:
		if (READ_ONCE(sock->sk->sk_state) == TCP_LISTEN)
			return weir_refuse(ws, -EINVAL, "the socket listens");
		return put_user(weir_next_len(ws), (int __user *)uarg);
	case SIOCOUTQ:
		return put_user(weir_unread(ws), (int __user *)uarg);
	default:
		return -ENOIOCTLCMD;
	}
}

#ifdef CONFIG_COMPAT
/*
 * An ioctl of a 32-bit program. The structures are the same, as
 * tests/selftests/abi.c asserts. Only the argument needs care: it is an id or a
 * pointer.
 */
int weir_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	if (cmd != WEIR_IOC_DETACH)
		arg = (unsigned long)compat_ptr(arg);
	return weir_ioctl(sock, cmd, arg);
}
#endif

/* --- socket options ----------------------------------------------------- */

static int weir_set_name(struct weir_sock *ws, sockptr_t value,
			 unsigned int len)
{
	char name[WEIR_NAME_MAX + 1] = {};

	if (len > WEIR_NAME_MAX)
		return weir_refuse(ws, -EINVAL,
				   "a cursor name has at most 63 bytes");
	if (copy_from_sockptr(name, value, len))
		return -EFAULT;
	if (strnlen(name, sizeof(name)) + 1 < len)
		return weir_refuse(ws, -EINVAL,
				   "a cursor name has no NUL bytes");
	memcpy(ws->name, name, sizeof(name));
	return 0;
}

/*
 * Copy in an option that is a path, with or without a NUL at its end. @path:
 * out: has room for WEIR_PATH_MAX + 1 bytes.
 */
static int weir_get_path(struct weir_sock *ws, sockptr_t value,
			 unsigned int len, char *path)
{
	if (len > WEIR_PATH_MAX + 1)
		return weir_refuse(ws, -ENAMETOOLONG,
				   "a path has at most 255 bytes");
	if (copy_from_sockptr(path, value, len))
		return weir_refuse(ws, -EFAULT, "the path is not readable");
	if (len && !path[len - 1])
		len--;
	if (len > WEIR_PATH_MAX)
		return weir_refuse(ws, -ENAMETOOLONG,
				   "a path has at most 255 bytes");
	if (memchr(path, '\0', len))
		return weir_refuse(ws, -EINVAL, "a path has no NUL bytes");
	path[len] = '\0';
	return 0;
}

/*
 * WEIR_SO_LONG_PATH: the path for the next bind or connect, if it is too long
 * for an address.
 */
static int weir_set_long_path(struct weir_sock *ws, sockptr_t value,
			      unsigned int len)
{
	char path[WEIR_PATH_MAX + 1];
	int err = weir_get_path(ws, value, len, path);

	if (!err)
		strscpy(ws->long_path, path, sizeof(path));
	return err;
}

/* WEIR_SO_SERVE: as WEIR_IOC_SERVE, for programs that can't make an ioctl. */
static int weir_set_serve(struct weir_sock *ws, sockptr_t value,
			  unsigned int len)
{
	struct weir_ioc_serve serve = { .weight = 1 };
	int err = weir_get_path(ws, value, len, serve.path);

	return err ?: weir_target_serve_path(ws, &serve);
}

static int weir_set_group(struct weir_sock *ws, int v)
{
	kgid_t gid = make_kgid(current_user_ns(), v);

	if (!gid_valid(gid))
		return weir_refuse(ws, -EINVAL, "no such group");
	if (!in_group_p(gid) &&
	    !ns_capable(sock_net(&ws->sk)->user_ns, CAP_NET_ADMIN))
		return weir_refuse(ws, -EPERM,
				   "the caller is not in that group");
	ws->owner.gid = gid;
	return 0;
}

static int weir_set_ring_bytes(struct weir_sock *ws, u32 *bytes, u32 v)
{
	if (!is_power_of_2(v) || v < WEIR_RING_MIN || v > WEIR_RING_MAX)
		return weir_refuse(ws, -EINVAL, "ring sizes are powers of two from 4 KiB to 1 GiB");
	if (v > READ_ONCE(weir_tunables.ring_bytes_max))
		return weir_refuse(ws, -EPERM,
				   "larger than ring_bytes_max permits");
	*bytes = v;
	return 0;
}

/* Options that take effect when the socket is bound or connected. */
static int weir_set_early(struct weir_sock *ws, int name, int v)
{
	switch (name) {
	case WEIR_SO_RING_BYTES:
		return weir_set_ring_bytes(ws, &ws->ring_bytes, v);
	case WEIR_SO_INBOX_BYTES:
		if (ws->inbox)
			return weir_refuse(ws, -EISCONN,
					   "the socket has its inbox already");
		return weir_set_ring_bytes(ws, &ws->inbox_bytes, v);
	case WEIR_SO_NODE:
		if (v != NUMA_NO_NODE &&
		    (v < 0 || v >= MAX_NUMNODES || !node_online(v)))
			return weir_refuse(ws, -EINVAL, "no such NUMA node");
		ws->node = v;
		return 0;
	case WEIR_SO_MODE:
		if (v & ~0777)
			return weir_refuse(ws, -EINVAL,
					   "a mode has nine permission bits");
		ws->owner.mode = v;
		return 0;
	case WEIR_SO_GROUP:
		return weir_set_group(ws, v);
	case WEIR_SO_HOLD_MS:
		if (v < 0)
			return weir_refuse(ws, -EINVAL, "a time is not negative");
		ws->hold_ms = v;
		return 0;
	case WEIR_SO_START:
		if (v != WEIR_START_TAIL && v != WEIR_START_OLDEST)
			return weir_refuse(ws, -EINVAL, "no such start");
		ws->start = v;
		return 0;
	case WEIR_SO_DEMAND:
		if (v < -1)
			return weir_refuse(ws, -EINVAL, "a demand is -1 (none) or a count");
		ws->demand = v;
		return 0;
	case WEIR_SO_HUGE:
		if (v != 0 && v != 1)
			return weir_refuse(ws, -EINVAL, "huge pages: 0 or 1");
		ws->huge = v;
		return 0;
	}
	return weir_refuse(ws, -ENOPROTOOPT, "no such option");
}

/* Copy in an int. The usual case avoids the function calls of a copy. */
static int weir_get_option(struct weir_sock *ws, sockptr_t value,
			   unsigned int len, int *v)
{
	if (len != sizeof(*v))
		return weir_refuse(ws, -EINVAL, "the option takes an int");
	if (likely(!sockptr_is_kernel(value)))
		return get_user(*v, (int __user *)value.user);
	*v = *(int *)value.kernel;
	return 0;
}

/* Options that may change while messages flow. */
static int weir_set_late(struct weir_sock *ws, int name, int v)
{
	if (v < 0)
		return weir_refuse(ws, -EINVAL, "a time is not negative");
	if (name == WEIR_SO_EVICT_MS)
		ws->evict_ms = v;
	else
		ws->linger_ms = v;
	if (ws->outbox) {
		WRITE_ONCE(ws->outbox->evict_ms, ws->evict_ms);
		WRITE_ONCE(ws->outbox->linger_ms, ws->linger_ms);
	}
	return 0;
}

static noinline int weir_set(struct weir_sock *ws, int name, sockptr_t value,
			     unsigned int len)
{
	int err, v = 0;

	if (name != WEIR_SO_NAME && name != WEIR_SO_LONG_PATH &&
	    name != WEIR_SO_SERVE) {
		err = weir_get_option(ws, value, len, &v);
		if (err)
			return err;
	}
	WRITE_ONCE(ws->owner.why, NULL);
	if (name == WEIR_SO_SERVE)
		return weir_set_serve(ws, value, len);
	lock_sock(&ws->sk);
	if (name == WEIR_SO_EVICT_MS || name == WEIR_SO_LINGER_MS)
		err = weir_set_late(ws, name, v);
	else if (name == WEIR_SO_LONG_PATH)
		err = weir_set_long_path(ws, value, len);
	else if (ws->outbox || ws->path || ws->pattern)
		err = weir_refuse(ws, -EISCONN,
				  "the option must be set before bind and connect");
	else if (name == WEIR_SO_NAME)
		err = weir_set_name(ws, value, len);
	else
		err = weir_set_early(ws, name, v);
	release_sock(&ws->sk);
	return err;
}

int weir_setsockopt(struct socket *sock, int level, int name,
		    sockptr_t value, unsigned int len)
{
	struct weir_sock *ws = weir_sk(sock->sk);
	int err, v;

	if (level != SOL_WEIR)
		return -ENOPROTOOPT;
	switch (name) {
	case WEIR_SO_WAIT:
		return weir_set_wait(ws, value, len);
	case WEIR_SO_KICK:
		err = weir_get_option(ws, value, len, &v);
		return err ?: weir_kick(ws, (u32)v);
	default:
		/* all other options may be slower */
		return weir_set(ws, name, value, len);
	}
}

static int weir_put_bytes(const void *from, size_t n, char __user *value,
			  int __user *ulen, int len)
{
	n = min_t(size_t, n, len);
	if (put_user((int)n, ulen) || copy_to_user(value, from, n))
		return -EFAULT;
	return 0;
}

static void weir_sock_info(struct weir_sock *ws, struct weir_sock_info *info)
{
	memset(info, 0, sizeof(*info));
	info->ring_bytes = ws->outbox ? weir_ring_bytes(&ws->outbox->view) : 0;
	info->streams = READ_ONCE(ws->nreaders);
	info->resumed = ws->resumed;
	info->sent = atomic64_read(&ws->sent);
	info->received = atomic64_read(&ws->received);
	info->missed = atomic64_read(&ws->missed);
	info->copied_bytes = atomic64_read(&ws->copied_bytes);
	info->evicted = atomic64_read(&ws->evicted);
}

static int weir_get_int(struct weir_sock *ws, int name, int *v)
{
	struct weir_ring_spec spec;

	switch (name) {
	case WEIR_SO_RING_BYTES:
		weir_sock_spec(ws, &spec);
		*v = ws->outbox ? weir_ring_bytes(&ws->outbox->view) :
				  spec.bytes;
		return 0;
	case WEIR_SO_INBOX_BYTES:
		*v = ws->inbox ? weir_ring_bytes(&ws->inbox->view) :
		     ws->inbox_bytes ?: READ_ONCE(weir_tunables.inbox_bytes);
		return 0;
	case WEIR_SO_NODE:
		*v = ws->node;
		return 0;
	case WEIR_SO_MODE:
		*v = ws->owner.mode;
		return 0;
	case WEIR_SO_GROUP:
		*v = from_kgid_munged(current_user_ns(), ws->owner.gid);
		return 0;
	case WEIR_SO_EVICT_MS:
		*v = ws->evict_ms;
		return 0;
	case WEIR_SO_LINGER_MS:
		*v = ws->linger_ms;
		return 0;
	case WEIR_SO_HOLD_MS:
		*v = ws->hold_ms;
		return 0;
	case WEIR_SO_START:
		*v = ws->start;
		return 0;
	case WEIR_SO_DEMAND:
		*v = ws->demand;
		return 0;
	case WEIR_SO_HUGE:
		*v = ws->huge;
		return 0;
	}
	return -ENOPROTOOPT;
}

int weir_getsockopt(struct socket *sock, int level, int name,
		    char __user *value, int __user *ulen)
{
	struct weir_sock *ws = weir_sk(sock->sk);
	struct weir_sock_info info;
	char copy[WEIR_PATH_MAX + 1];
	const char *text = NULL;
	int len, v, err;

	if (level != SOL_WEIR)
		return -ENOPROTOOPT;
	if (get_user(len, ulen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;

	lock_sock(sock->sk);
	switch (name) {
	case WEIR_SO_NAME:
		text = ws->name;
		break;
	case WEIR_SO_PATH:
		text = ws->own_path;
		break;
	case WEIR_SO_PEER_PATH:
		text = ws->peer_path;
		break;
	case WEIR_SO_ERROR_TEXT:
		text = READ_ONCE(ws->owner.why) ?: "";
		break;
	}
	if (text) {
		/* usercopy hardening rejects copies from a socket's memory */
		strscpy(copy, text, sizeof(copy));
		err = weir_put_bytes(copy, strlen(copy) + 1, value, ulen, len);
	} else if (name == WEIR_SO_INFO) {
		weir_sock_info(ws, &info);
		err = weir_put_bytes(&info, sizeof(info), value, ulen, len);
	} else {
		err = weir_get_int(ws, name, &v);
		if (!err)
			err = weir_put_bytes(&v, sizeof(v), value, ulen, len);
	}
	release_sock(sock->sk);
	return err;
}
