// SPDX-License-Identifier: GPL-2.0
/*
 * The options of a socket. One table, weir_options, says what each takes, when
 * it may be set, how it is set and how it is read. The two options that each
 * message may need, WEIR_SO_KICK and WEIR_SO_WAIT, are dispatched ahead of the
 * table. A refusal leaves words for WEIR_SO_ERROR_TEXT, except for plain errors
 * such as -EFAULT.
 *
 * Process context.
 */
#include <linux/compat.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/ptrace.h>
#include <linux/uaccess.h>
#include <asm/syscall.h>

#include "owner.h"
#include "party.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "sock/routed.h"
#include "sock/sock.h"
#include "sock/socket.h"
#include "sock/wait.h"
#include "tunables.h"
#include "weir.h"

/* --- wake and sleep ----------------------------------------------------- */

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
		weir_outbox_kick(ws, ring);
	}
	if (arg & WEIR_KICK_WRITER) {
		rd = weir_reader_find(&ws->party, arg >> 8);
		if (!rd)
			return weir_refuse(ws, -ENXIO,
					   "the socket has no stream of this id");
		weir_ring_moved(rd->ring, U64_MAX);
		weir_reader_put(rd);
	}
	if (arg & WEIR_KICK_INBOX) {
		ring = smp_load_acquire(&ws->party.inbox);
		if (ring)
			weir_inbox_flush(ring);
	}
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

#define WEIR_WAIT_FLAGS	(WEIR_WAIT_IN | WEIR_WAIT_OUT | WEIR_WAIT_KICK)

/*
 * A signal has ended a wait with a time limit. If it has no handler, as SIGSTOP
 * and SIGCONT usually have none, the kernel makes the call again with the same
 * structure, which then has the time that is left: as select(2) does. A program
 * that keeps the structure where it cannot be written gets -EINTR.
 */
static noinline int weir_wait_again(sockptr_t value, unsigned int len,
				    s64 left)
{
	struct weir_so_wait __user *to = value.user;

	if (len < offsetofend(struct weir_so_wait, timeout_ns) ||
	    sockptr_is_kernel(value) || put_user(left, &to->timeout_ns))
		return -EINTR;
	return -ERESTARTNOHAND;
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
	if (wait.timeout_ns && unlikely(!weir_called_itself()))
		return weir_refuse(ws, -EOPNOTSUPP,
				   "only setsockopt() itself may sleep");
	if ((wait.flags & ~WEIR_WAIT_FLAGS) | wait.reserved ||
	    !(wait.flags & (WEIR_WAIT_IN | WEIR_WAIT_OUT)))
		return weir_refuse(ws, -EINVAL, wait.reserved ?
				   "reserved is not zero" :
				   "wait for WEIR_WAIT_IN, WEIR_WAIT_OUT or both");
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
		weir_outbox_kick(ws, ring);
	}
	err = weir_sock_wait(ws, wait.flags,
			     max_t(u64, wait.bytes, WEIR_GRANULE),
			     &wait.timeout_ns);
	return unlikely(err == -ERESTARTNOHAND) ?
	       weir_wait_again(value, len, wait.timeout_ns) : err;
}

/* --- what options set --------------------------------------------------- */

static int weir_set_name(struct weir_sock *ws, sockptr_t value,
			 unsigned int len)
{
	char name[WEIR_NAME_MAX + 1] = {};

	if (len > WEIR_NAME_MAX)
		return weir_refuse(ws, -EINVAL,
				   "a name has at most 63 bytes");
	if (copy_from_sockptr(name, value, len))
		return -EFAULT;
	if (strnlen(name, sizeof(name)) + 1 < len)
		return weir_refuse(ws, -EINVAL,
				   "a name has no NUL bytes");
	memcpy(ws->opt.name, name, sizeof(name));
	return 0;
}

/*
 * Copy in an option that is a path, with or without a NUL at its end. @path:
 * out: has room for WEIR_PATH_MAX + 1 bytes.
 */
static int weir_copy_path(struct weir_sock *ws, sockptr_t value,
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
	int err = weir_copy_path(ws, value, len, path);

	if (!err)
		strscpy(ws->opt.long_path, path, sizeof(path));
	return err;
}

/* WEIR_SO_SERVE: as WEIR_IOC_SERVE, for programs that can't make an ioctl. */
static int weir_set_serve(struct weir_sock *ws, sockptr_t value,
			  unsigned int len)
{
	struct weir_ioc_serve serve = { .weight = 1 };
	int err = weir_copy_path(ws, value, len, serve.path);

	return err ?: weir_sock_serve_path(ws, &serve);
}

static int weir_set_drain(struct weir_sock *ws, int v)
{
	return weir_sock_drain(ws);
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

static int weir_set_bytes(struct weir_sock *ws, u32 *bytes, u32 v)
{
	if (!is_power_of_2(v) || v < WEIR_RING_MIN || v > WEIR_RING_MAX)
		return weir_refuse(ws, -EINVAL, "ring sizes are powers of two from 4 KiB to 1 GiB");
	if (v > READ_ONCE(weir_tunables.ring_bytes_max))
		return weir_refuse(ws, -EPERM,
				   "larger than ring_bytes_max permits");
	*bytes = v;
	return 0;
}

/* --- the table ---------------------------------------------------------- */

/**
 * union weir_option_value - the value of an option that is read
 * @number: of an option that is an int.
 * @info: of WEIR_SO_INFO.
 * @text: of an option that is a string.
 */
union weir_option_value {
	int			number;
	struct weir_sock_info	info;
	char			text[WEIR_PATH_MAX + 1];
};

/**
 * enum weir_option_when - when an option may be set
 * @WEIR_OPTION_EARLY: before bind, connect and listen; under lock_sock.
 * @WEIR_OPTION_ANY: at any time; under lock_sock.
 * @WEIR_OPTION_CALL: at any time; a call that takes lock_sock by itself.
 */
enum weir_option_when {
	WEIR_OPTION_EARLY,
	WEIR_OPTION_ANY,
	WEIR_OPTION_CALL,
};

/**
 * struct weir_option - an option of a socket
 * @when: time at which it may be set.
 * @min: smallest int that it takes.
 * @max: largest int that it takes.
 * @range: the words of a refusal of other ints.
 * @field: offset in struct weir_sock of the int that holds the value; 0: the
 *	functions below keep the value.
 * @set: function that sets it to an int from @min to @max; NULL: @field is
 *	written.
 * @set_text: function that copies in a string of that length and sets it;
 *	NULL: the option is not a string, or can only be read.
 * @get: function that stores the value and returns its bytes; NULL: @field is
 *	read.
 *
 * The functions run under lock_sock, except for WEIR_OPTION_CALL. Those that
 * set return 0 or a negative errno with words. An option that has no
 * @field and no function to set it can only be read; one that has no @field and
 * no @get can only be set.
 */
struct weir_option {
	enum weir_option_when when;
	int min;
	int max;
	const char *range;
	size_t field;
	int (*set)(struct weir_sock *ws, int v);
	int (*set_text)(struct weir_sock *ws, sockptr_t value,
			unsigned int len);
	int (*get)(struct weir_sock *ws, union weir_option_value *v);
};

static int weir_get_int(union weir_option_value *v, int number)
{
	v->number = number;
	return sizeof(v->number);
}

static int weir_get_text(union weir_option_value *v, const char *text)
{
	strscpy(v->text, text, sizeof(v->text));
	return strlen(v->text) + 1;
}

static int weir_set_ring_bytes(struct weir_sock *ws, int v)
{
	return weir_set_bytes(ws, &ws->opt.ring_bytes, v);
}

static int weir_get_ring_bytes(struct weir_sock *ws, union weir_option_value *v)
{
	struct weir_ring_spec spec;

	weir_sock_spec(ws, &spec);
	return weir_get_int(v, ws->outbox ? weir_ring_bytes(&ws->outbox->view) :
			    spec.bytes);
}

static int weir_set_inbox_bytes(struct weir_sock *ws, int v)
{
	if (ws->party.inbox)
		return weir_refuse(ws, -EISCONN,
				   "the socket has its inbox already");
	return weir_set_bytes(ws, &ws->opt.inbox_bytes, v);
}

static int weir_get_inbox_bytes(struct weir_sock *ws,
				union weir_option_value *v)
{
	struct weir_ring *inbox = ws->party.inbox;

	return weir_get_int(v, inbox ? weir_ring_bytes(&inbox->view) :
			    ws->opt.inbox_bytes ?:
			    READ_ONCE(weir_tunables.inbox_bytes));
}

static int weir_set_node(struct weir_sock *ws, int v)
{
	if (v != NUMA_NO_NODE &&
	    (v < 0 || v >= MAX_NUMNODES || !node_online(v)))
		return weir_refuse(ws, -EINVAL, "no such NUMA node");
	ws->opt.node = v;
	return 0;
}

static int weir_set_mode(struct weir_sock *ws, int v)
{
	ws->owner.mode = v;
	return 0;
}

static int weir_get_mode(struct weir_sock *ws, union weir_option_value *v)
{
	return weir_get_int(v, ws->owner.mode);
}

static int weir_get_group(struct weir_sock *ws, union weir_option_value *v)
{
	return weir_get_int(v, from_kgid_munged(current_user_ns(),
						ws->owner.gid));
}

static int weir_set_evict_ms(struct weir_sock *ws, int v)
{
	ws->opt.evict_ms = v;
	if (ws->outbox)
		WRITE_ONCE(ws->outbox->evict_ms, v);
	return 0;
}

static int weir_set_linger_ms(struct weir_sock *ws, int v)
{
	ws->opt.linger_ms = v;
	if (ws->outbox)
		WRITE_ONCE(ws->outbox->linger_ms, v);
	return 0;
}

static int weir_get_name(struct weir_sock *ws, union weir_option_value *v)
{
	return weir_get_text(v, ws->opt.name);
}

static int weir_get_own_path(struct weir_sock *ws, union weir_option_value *v)
{
	return weir_get_text(v, ws->own_path);
}

static int weir_get_peer_path(struct weir_sock *ws, union weir_option_value *v)
{
	return weir_get_text(v, ws->peer_path);
}

static int weir_get_error_text(struct weir_sock *ws, union weir_option_value *v)
{
	return weir_get_text(v, READ_ONCE(ws->owner.why) ?: "");
}

static int weir_get_info(struct weir_sock *ws, union weir_option_value *v)
{
	struct weir_sock_info *info = &v->info;

	memset(info, 0, sizeof(*info));
	info->ring_bytes = ws->outbox ? weir_ring_bytes(&ws->outbox->view) : 0;
	info->streams = READ_ONCE(ws->party.nreaders);
	info->resumed = ws->resumed;
	info->sent = atomic64_read(&ws->counts.sent);
	info->received = atomic64_read(&ws->counts.received);
	info->missed = atomic64_read(&ws->party.missed);
	info->copied_bytes = atomic64_read(&ws->counts.copied_bytes);
	info->evicted = atomic64_read(&ws->party.evicted);
	return sizeof(*info);
}

/* An int of any value, which the setter checks by itself. */
#define WEIR_OPTION_ALL		.min = INT_MIN, .max = INT_MAX
/* A time in milliseconds. */
#define WEIR_OPTION_TIME	.min = 0, .max = INT_MAX,		\
				.range = "a time is not negative"
#define WEIR_OPTION_FIELD(_member)					\
	.field = offsetof(struct weir_sock, opt._member) +		\
		 BUILD_BUG_ON_ZERO(sizeof_field(struct weir_sock,	\
						opt._member) != sizeof(int))

static const struct weir_option weir_options[] = {
	[WEIR_SO_RING_BYTES] = {
		.when = WEIR_OPTION_EARLY, WEIR_OPTION_ALL,
		.set = weir_set_ring_bytes, .get = weir_get_ring_bytes,
	},
	[WEIR_SO_INBOX_BYTES] = {
		.when = WEIR_OPTION_EARLY, WEIR_OPTION_ALL,
		.set = weir_set_inbox_bytes, .get = weir_get_inbox_bytes,
	},
	[WEIR_SO_NODE] = {
		.when = WEIR_OPTION_EARLY, WEIR_OPTION_ALL,
		WEIR_OPTION_FIELD(node), .set = weir_set_node,
	},
	[WEIR_SO_MODE] = {
		.when = WEIR_OPTION_EARLY, .min = 0, .max = 0777,
		.range = "a mode has nine permission bits",
		.set = weir_set_mode, .get = weir_get_mode,
	},
	[WEIR_SO_GROUP] = {
		.when = WEIR_OPTION_EARLY, WEIR_OPTION_ALL,
		.set = weir_set_group, .get = weir_get_group,
	},
	[WEIR_SO_EVICT_MS] = {
		.when = WEIR_OPTION_ANY, WEIR_OPTION_TIME,
		WEIR_OPTION_FIELD(evict_ms), .set = weir_set_evict_ms,
	},
	[WEIR_SO_LINGER_MS] = {
		.when = WEIR_OPTION_ANY, WEIR_OPTION_TIME,
		WEIR_OPTION_FIELD(linger_ms), .set = weir_set_linger_ms,
	},
	[WEIR_SO_HOLD_MS] = {
		.when = WEIR_OPTION_EARLY, WEIR_OPTION_TIME,
		WEIR_OPTION_FIELD(hold_ms),
	},
	[WEIR_SO_START] = {
		.when = WEIR_OPTION_EARLY,
		.min = WEIR_START_TAIL, .max = WEIR_START_OLDEST,
		.range = "no such start",
		WEIR_OPTION_FIELD(start),
	},
	[WEIR_SO_DEMAND] = {
		.when = WEIR_OPTION_EARLY, .min = -1, .max = INT_MAX,
		.range = "a demand is -1 (none) or a count",
		WEIR_OPTION_FIELD(demand),
	},
	[WEIR_SO_HUGE] = {
		.when = WEIR_OPTION_EARLY, .min = 0, .max = 1,
		.range = "huge pages: 0 or 1",
		WEIR_OPTION_FIELD(huge),
	},
	[WEIR_SO_NAME] = {
		.when = WEIR_OPTION_EARLY,
		.set_text = weir_set_name, .get = weir_get_name,
	},
	[WEIR_SO_LONG_PATH] = {
		.when = WEIR_OPTION_ANY, .set_text = weir_set_long_path,
	},
	[WEIR_SO_SERVE] = {
		.when = WEIR_OPTION_CALL, .set_text = weir_set_serve,
	},
	[WEIR_SO_DRAIN] = {
		.when = WEIR_OPTION_ANY, .min = 1, .max = 1,
		.range = "a socket is drained for good: 1",
		.set = weir_set_drain,
	},
	[WEIR_SO_PATH] = { .get = weir_get_own_path },
	[WEIR_SO_PEER_PATH] = { .get = weir_get_peer_path },
	[WEIR_SO_ERROR_TEXT] = { .get = weir_get_error_text },
	[WEIR_SO_INFO] = { .get = weir_get_info },
};

/* Finds an option. A number without an option gives one that does nothing. */
static const struct weir_option *weir_option_find(unsigned int name)
{
	static const struct weir_option none;

	if (name >= ARRAY_SIZE(weir_options))
		return &none;
	return &weir_options[array_index_nospec(name,
						ARRAY_SIZE(weir_options))];
}

/* Copy in an int. The usual case avoids the function calls of a copy. */
static int weir_copy_int(struct weir_sock *ws, sockptr_t value,
			 unsigned int len, int *v)
{
	if (len != sizeof(*v))
		return weir_refuse(ws, -EINVAL, "the option takes an int");
	if (likely(!sockptr_is_kernel(value)))
		return get_user(*v, (int __user *)value.user);
	*v = *(int *)value.kernel;
	return 0;
}

static int *weir_option_field(struct weir_sock *ws, const struct weir_option *o)
{
	return (int *)((char *)ws + o->field);
}

/* Sets an option whose value is an int, if the value is in its range. */
static int weir_option_set_int(struct weir_sock *ws,
			       const struct weir_option *o, int v)
{
	sock_owned_by_me(&ws->sk);
	if (!o->set && !o->field)
		return weir_refuse(ws, -ENOPROTOOPT, "no such option");
	if (v < o->min || v > o->max)
		return weir_refuse(ws, -EINVAL, o->range);
	if (o->set)
		return o->set(ws, v);
	*weir_option_field(ws, o) = v;
	return 0;
}

static noinline int weir_option_set(struct weir_sock *ws, int name,
				    sockptr_t value, unsigned int len)
{
	const struct weir_option *o = weir_option_find(name);
	int err, v = 0;

	if (!o->set_text) {
		err = weir_copy_int(ws, value, len, &v);
		if (err)
			return err;
	}
	WRITE_ONCE(ws->owner.why, NULL);
	if (o->when == WEIR_OPTION_CALL)
		return o->set_text(ws, value, len);
	lock_sock(&ws->sk);
	if (o->when == WEIR_OPTION_EARLY &&
	    (ws->outbox || ws->path || ws->sub.pattern))
		err = weir_refuse(ws, -EISCONN,
				  "the option must be set before bind and connect");
	else if (o->set_text)
		err = o->set_text(ws, value, len);
	else
		err = weir_option_set_int(ws, o, v);
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
		err = weir_copy_int(ws, value, len, &v);
		return err ?: weir_kick(ws, (u32)v);
	default:
		/* all other options may be slower */
		return weir_option_set(ws, name, value, len);
	}
}

int weir_getsockopt(struct socket *sock, int level, int name,
		    char __user *value, int __user *ulen)
{
	const struct weir_option *o = weir_option_find(name);
	struct weir_sock *ws = weir_sk(sock->sk);
	union weir_option_value v;
	int len, n;

	if (level != SOL_WEIR)
		return -ENOPROTOOPT;
	if (get_user(len, ulen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	if (!o->get && !o->field)
		return -ENOPROTOOPT;
	lock_sock(sock->sk);
	n = o->get ? o->get(ws, &v) :
	    weir_get_int(&v, *weir_option_field(ws, o));
	release_sock(sock->sk);
	/* usercopy hardening rejects copies from a socket's memory */
	n = min(n, len);
	if (put_user(n, ulen) || copy_to_user(value, &v, n))
		return -EFAULT;
	return 0;
}
