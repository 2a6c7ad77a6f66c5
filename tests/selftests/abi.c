// SPDX-License-Identifier: GPL-2.0
/*
 * The binary interface stands still: sizes and offsets of every structure in
 * the uapi headers, numbers of the ioctls, what the mapped pages say of
 * themselves, and how calls take structures that are smaller or larger than
 * the module's, unknown flags and commands, and bad pointers. Every refusal
 * leaves words in WEIR_SO_ERROR_TEXT.
 */
#include <linux/sockios.h>
#include <stddef.h>
#include <uapi/weir_ring.h>
#include <uapi/weir_route.h>

/* The Makefile has the layout alone checked for 32-bit programs, too. */
#ifdef ABI_LAYOUT
#define static_assert	_Static_assert
#else
#include <assert.h>
#include "selftest.h"
#endif

#define SIZE(type, n)	static_assert(sizeof(struct type) == (n), #type)
#define AT(type, member, n)						\
	static_assert(offsetof(struct type, member) == (n), #type "." #member)

SIZE(sockaddr_weir, 128);
AT(sockaddr_weir, sw_path, 2);

SIZE(weir_record, 32);
AT(weir_record, commit, 0);
AT(weir_record, len, 8);
AT(weir_record, kind, 12);
AT(weir_record, flags, 13);
AT(weir_record, ext, 14);
AT(weir_record, reserved, 15);
AT(weir_record, seq, 16);
AT(weir_record, route, 20);
AT(weir_record, tag, 24);
AT(weir_record, key, 28);

SIZE(weir_head, 64);
AT(weir_head, claim, 0);
AT(weir_head, limit, 8);
AT(weir_head, intent, 16);
AT(weir_head, seq_limit, 24);

SIZE(weir_status, 192 + 512);
AT(weir_status, magic, 0);
AT(weir_status, version, 4);
AT(weir_status, secret, 8);
AT(weir_status, ring_bytes, 16);
AT(weir_status, flags, 24);
AT(weir_status, wake, 64);
AT(weir_status, nslots, 68);
AT(weir_status, state, 72);
AT(weir_status, gen, 76);
AT(weir_status, wake_pos, 80);
AT(weir_status, final_pos, 88);
AT(weir_status, final_seq, 96);
AT(weir_status, attaches, 128);
AT(weir_status, detaches, 136);
AT(weir_status, evictions, 144);
AT(weir_status, kicks, 152);
AT(weir_status, copied_bytes, 160);
AT(weir_status, gating, 192);

SIZE(weir_cursor, 64);
AT(weir_cursor, pos, 0);
AT(weir_cursor, seq, 8);
AT(weir_cursor, demand, 12);
AT(weir_cursor, flags, 16);
AT(weir_cursor, seen, 24);

SIZE(weir_notice, 32);
AT(weir_notice, id, 4);
AT(weir_notice, reason, 8);
AT(weir_notice, path_len, 12);
AT(weir_notice, pos, 16);
AT(weir_notice, ring_bytes, 24);

SIZE(weir_ioc_map, 64);
AT(weir_ioc_map, id, 4);
AT(weir_ioc_map, flags, 8);
AT(weir_ioc_map, gating, 12);
AT(weir_ioc_map, slot, 16);
AT(weir_ioc_map, resumed, 20);
AT(weir_ioc_map, ring_bytes, 24);
AT(weir_ioc_map, offset, 32);
AT(weir_ioc_map, length, 48);

SIZE(weir_so_wait, 24);
AT(weir_so_wait, flags, 0);
AT(weir_so_wait, reserved, 4);
AT(weir_so_wait, timeout_ns, 8);
AT(weir_so_wait, bytes, 16);

SIZE(weir_list_entry, 376);
AT(weir_list_entry, id, 8);
AT(weir_list_entry, parent, 16);
AT(weir_list_entry, peer, 24);
AT(weir_list_entry, pid, 32);
AT(weir_list_entry, uid, 36);
AT(weir_list_entry, gid, 40);
AT(weir_list_entry, mode, 44);
AT(weir_list_entry, state, 48);
AT(weir_list_entry, flags, 52);
AT(weir_list_entry, count, 56);
AT(weir_list_entry, ring_bytes, 64);
AT(weir_list_entry, pos, 72);
AT(weir_list_entry, seq, 80);
AT(weir_list_entry, lag_bytes, 88);
AT(weir_list_entry, lag_records, 96);
AT(weir_list_entry, missed, 104);
AT(weir_list_entry, copied_bytes, 112);
AT(weir_list_entry, name, 120);

SIZE(weir_ioc_list, 32);
AT(weir_ioc_list, kind, 4);
AT(weir_ioc_list, entry_size, 8);
AT(weir_ioc_list, count, 12);
AT(weir_ioc_list, after, 16);
AT(weir_ioc_list, entries, 24);

SIZE(weir_sock_info, 64);
AT(weir_sock_info, streams, 8);
AT(weir_sock_info, resumed, 12);
AT(weir_sock_info, sent, 16);
AT(weir_sock_info, received, 24);
AT(weir_sock_info, missed, 32);
AT(weir_sock_info, copied_bytes, 40);
AT(weir_sock_info, evicted, 48);

SIZE(weir_refusal, 32);
AT(weir_refusal, reason, 0);
AT(weir_refusal, guard, 4);
AT(weir_refusal, target, 8);
AT(weir_refusal, wait_ns, 16);
AT(weir_refusal, reserved, 24);

SIZE(weir_ioc_serve, 280);
AT(weir_ioc_serve, flags, 4);
AT(weir_ioc_serve, weight, 8);
AT(weir_ioc_serve, reserved, 12);
AT(weir_ioc_serve, id, 16);
AT(weir_ioc_serve, path, 24);

SIZE(weir_ioc_call, 272);
AT(weir_ioc_call, flags, 4);
AT(weir_ioc_call, route, 8);
AT(weir_ioc_call, reserved, 12);
AT(weir_ioc_call, path, 16);

SIZE(weir_route_conf, 768);
AT(weir_route_conf, policy, 0);
AT(weir_route_conf, quorum, 4);
AT(weir_route_conf, rate, 8);
AT(weir_route_conf, burst, 12);
AT(weir_route_conf, bulkhead, 16);
AT(weir_route_conf, mirror_permille, 20);
AT(weir_route_conf, timeout_ns, 24);
AT(weir_route_conf, probe_ns, 32);
AT(weir_route_conf, breaker_window_ns, 40);
AT(weir_route_conf, breaker_open_ns, 48);
AT(weir_route_conf, breaker_slow_ns, 56);
AT(weir_route_conf, breaker_min_calls, 64);
AT(weir_route_conf, breaker_error_percent, 68);
AT(weir_route_conf, breaker_slow_percent, 72);
AT(weir_route_conf, breaker_probes, 76);
AT(weir_route_conf, retries, 80);
AT(weir_route_conf, dup_entries, 84);
AT(weir_route_conf, retry_base_ns, 88);
AT(weir_route_conf, retry_max_ns, 96);
AT(weir_route_conf, dup_window_ns, 104);
AT(weir_route_conf, dup_bytes, 112);
AT(weir_route_conf, fallback_len, 116);
AT(weir_route_conf, fallback_reply, 120);
AT(weir_route_conf, fallback, 128);
AT(weir_route_conf, mirror, 384);
AT(weir_route_conf, deadline_max_ns, 640);
AT(weir_route_conf, patience_ns, 648);
AT(weir_route_conf, breaker_max_open_percent, 656);
AT(weir_route_conf, reserved_percent, 660);
AT(weir_route_conf, reserved, 664);

SIZE(weir_route_op, 1360);
AT(weir_route_op, op, 0);
AT(weir_route_op, weight, 4);
AT(weir_route_op, target, 8);
AT(weir_route_op, path, 16);
AT(weir_route_op, target_path, 272);
AT(weir_route_op, conf, 528);
AT(weir_route_op, name, 1296);

SIZE(weir_ioc_control, 24);
AT(weir_ioc_control, op_size, 4);
AT(weir_ioc_control, count, 8);
AT(weir_ioc_control, failed, 12);
AT(weir_ioc_control, ops, 16);

SIZE(weir_route_entry, 1608);
AT(weir_route_entry, id, 0);
AT(weir_route_entry, uid, 8);
AT(weir_route_entry, gid, 12);
AT(weir_route_entry, mode, 16);
AT(weir_route_entry, targets, 20);
AT(weir_route_entry, set, 24);
AT(weir_route_entry, reserved, 28);
AT(weir_route_entry, calls, 32);
AT(weir_route_entry, mirrored, 40);
AT(weir_route_entry, fallbacks, 48);
AT(weir_route_entry, retries, 56);
AT(weir_route_entry, dups, 64);
AT(weir_route_entry, refused, 72);
AT(weir_route_entry, path, 328);
AT(weir_route_entry, conf, 584);
AT(weir_route_entry, refused_more, 1352);

SIZE(weir_target_entry, 1248);
AT(weir_target_entry, id, 0);
AT(weir_target_entry, route, 8);
AT(weir_target_entry, socket, 16);
AT(weir_target_entry, pid, 24);
AT(weir_target_entry, uid, 28);
AT(weir_target_entry, weight, 32);
AT(weir_target_entry, state, 36);
AT(weir_target_entry, breaker, 40);
AT(weir_target_entry, in_flight, 44);
AT(weir_target_entry, requests, 48);
AT(weir_target_entry, replies, 56);
AT(weir_target_entry, errors, 64);
AT(weir_target_entry, expired, 72);
AT(weir_target_entry, breaker_opens, 80);
AT(weir_target_entry, ejections, 88);
AT(weir_target_entry, path, 96);
AT(weir_target_entry, hist, 352);
AT(weir_target_entry, name, 1184);

static_assert(WEIR_IOC_MAP == 0xc040b501, "WEIR_IOC_MAP");
static_assert(WEIR_IOC_DETACH == 0xb504, "WEIR_IOC_DETACH");
static_assert(WEIR_IOC_LIST == 0xc020b505, "WEIR_IOC_LIST");
static_assert(WEIR_IOC_SERVE == 0xc118b506, "WEIR_IOC_SERVE");
static_assert(WEIR_IOC_CALL == 0xc110b507, "WEIR_IOC_CALL");
static_assert(WEIR_IOC_CONTROL == 0xc018b508, "WEIR_IOC_CONTROL");
static_assert(WEIR_SO_LONG_PATH == 16, "WEIR_SO_LONG_PATH");
static_assert(SOL_WEIR == 0x7765, "SOL_WEIR");

/* what a record says of itself: bits of one byte, and one bit each */
static_assert((WEIR_REC_ABORTED ^ WEIR_REC_IDEMPOTENT ^ WEIR_REC_REFUSE ^
	       WEIR_REC_DROP ^ WEIR_REC_MORE ^ WEIR_REC_ROUTER ^
	       WEIR_REC_WAIT) == 0x7f, "WEIR_REC_*: no two are the same bit");
static_assert(WEIR_REC_ABORTED == 0x01, "WEIR_REC_ABORTED");
static_assert(WEIR_REC_IDEMPOTENT == 0x02, "WEIR_REC_IDEMPOTENT");
static_assert(WEIR_REC_REFUSE == 0x04, "WEIR_REC_REFUSE");
static_assert(WEIR_REC_DROP == 0x08, "WEIR_REC_DROP");
static_assert(WEIR_REC_MORE == 0x10, "WEIR_REC_MORE");
static_assert(WEIR_REC_ROUTER == 0x20, "WEIR_REC_ROUTER");
static_assert(WEIR_REC_WAIT == 0x40, "WEIR_REC_WAIT");
static_assert(WEIR_EXT_DEADLINE == 0, "WEIR_EXT_DEADLINE");
static_assert(WEIR_EXT_DUP == 1, "WEIR_EXT_DUP");
static_assert(WEIR_EXT_MAX == 2, "WEIR_EXT_MAX");

/* The values of an enum are the numbers from @first on, in this order. */
#define ENUM(name, first, ...)						\
	static const int name[] = { __VA_ARGS__ };			\
	enum { name##_first = (first) }

ENUM(kinds, 0, WEIR_KIND_EVENT, WEIR_KIND_REQUEST, WEIR_KIND_REPLY,
     WEIR_KIND_ERROR, WEIR_KIND_NOTICE);
ENUM(reasons, 0, WEIR_REASON_NONE, WEIR_REASON_CLOSED, WEIR_REASON_SLOW,
     WEIR_REASON_BAD_CURSOR, WEIR_REASON_BAD_RECORD, WEIR_REASON_DENIED,
     WEIR_REASON_LIMIT, WEIR_REASON_NO_MEMORY, WEIR_REASON_OVERRUN,
     WEIR_REASON_EXPIRED, WEIR_REASON_NETNS, WEIR_REASON_TAKEN_OVER,
     WEIR_REASON_NO_ROUTE, WEIR_REASON_NO_TARGET, WEIR_REASON_DEADLINE,
     WEIR_REASON_RATE, WEIR_REASON_BULKHEAD, WEIR_REASON_BREAKER,
     WEIR_REASON_INBOX_FULL, WEIR_REASON_TARGET_DIED,
     WEIR_REASON_TARGET_EJECTED, WEIR_REASON_TOO_LARGE, WEIR_REASON_LOOP,
     WEIR_REASON_QUORUM, WEIR_REASON_BAD_REQUEST, WEIR_REASON_LATE,
     WEIR_REASON_DUPLICATE, WEIR_REASON_TRIES, WEIR_REASON_PATIENCE,
     WEIR_REASON_KEY_REUSED);
ENUM(guards, 0, WEIR_GUARD_NONE, WEIR_GUARD_ROUTE, WEIR_GUARD_PERMISSION,
     WEIR_GUARD_DEADLINE, WEIR_GUARD_BUCKET, WEIR_GUARD_BULKHEAD,
     WEIR_GUARD_BREAKER, WEIR_GUARD_INBOX, WEIR_GUARD_WATCHDOG,
     WEIR_GUARD_POLICY, WEIR_GUARD_CHECK, WEIR_GUARD_DUP);
ENUM(policies, 0, WEIR_POLICY_ANY, WEIR_POLICY_WEIGHTED, WEIR_POLICY_SHARD,
     WEIR_POLICY_PRIMARY, WEIR_POLICY_ALL, WEIR_POLICY_QUORUM);
ENUM(ops, 1, WEIR_OP_ROUTE_SET, WEIR_OP_ROUTE_DEL, WEIR_OP_TARGET_ADD,
     WEIR_OP_TARGET_SET, WEIR_OP_TARGET_DEL, WEIR_OP_BREAKER);
ENUM(forces, 0, WEIR_FORCE_AUTO, WEIR_FORCE_OPEN);
ENUM(target_states, 0, WEIR_TARGET_UP, WEIR_TARGET_EJECTED, WEIR_TARGET_GONE);
ENUM(breakers, 0, WEIR_BREAKER_CLOSED, WEIR_BREAKER_OPEN,
     WEIR_BREAKER_HALF_OPEN, WEIR_BREAKER_ONE_USER);
ENUM(states, 1, WEIR_STATE_OPEN, WEIR_STATE_LINGER, WEIR_STATE_CLOSED,
     WEIR_STATE_BROKEN);

static_assert(WEIR_READER_GATING == 1, "WEIR_READER_GATING");
static_assert(WEIR_READER_NAMED == 2, "WEIR_READER_NAMED");
static_assert(WEIR_READER_EVICTED == 4, "WEIR_READER_EVICTED");

static_assert(WEIR_SERVES_MAX == 64, "WEIR_SERVES_MAX");
static_assert(WEIR_ROUTES_MAX == 4096, "WEIR_ROUTES_MAX");
static_assert(WEIR_TARGETS_MAX == 256, "WEIR_TARGETS_MAX");
static_assert(WEIR_HOPS_MAX == 4, "WEIR_HOPS_MAX");
static_assert(WEIR_WEIGHT_MAX == 1000000, "WEIR_WEIGHT_MAX");
static_assert(WEIR_PROBE_OFF == ~0ull, "WEIR_PROBE_OFF");
static_assert(WEIR_FALLBACK_MAX == 4096, "WEIR_FALLBACK_MAX");
static_assert(WEIR_OPS_MAX == 4096, "WEIR_OPS_MAX");
static_assert(WEIR_OPS_USER_MAX == 8, "WEIR_OPS_USER_MAX");
static_assert(WEIR_HIST_BUCKETS == 208, "WEIR_HIST_BUCKETS");
static_assert(WEIR_LIST_ROUTES == 16, "WEIR_LIST_ROUTES");
static_assert(WEIR_LIST_TARGETS == 17, "WEIR_LIST_TARGETS");
static_assert(WEIR_SO_INBOX_BYTES == 17, "WEIR_SO_INBOX_BYTES");
static_assert(WEIR_SO_KICK == 19, "WEIR_SO_KICK");
static_assert(WEIR_SO_WAIT == 20, "WEIR_SO_WAIT");
/* a route entry has room for reasons to come */
static_assert(WEIR_REFUSED_FIRST == 32, "WEIR_REFUSED_FIRST");
static_assert(WEIR_REFUSED_MORE == 32, "WEIR_REFUSED_MORE");
static_assert(WEIR_REASON_MAX <= WEIR_REFUSED_FIRST + WEIR_REFUSED_MORE,
	      "refused");

#ifndef ABI_LAYOUT

/* A refusal with @err and with words about it. */
static void refused(int fd, int ret, int err, const char *name)
{
	int got = errno;

	tap_ok(ret == -1 && got == err, "%s: %s", name, strerror(err));
	if (ret != -1 || got != err)
		tap_diag("got %d, %s", ret, ret == -1 ? strerror(got) : "-");
	tap_ok(strlen(tap_words(fd)) > 8, "%s: words: %s", name, tap_words(fd));
	/* other words next time */
	ioctl(fd, WEIR_IOC_DETACH, 77777);
}

#define enum_is(name, max)						\
	in_order(#name, name, sizeof(name) / sizeof(*name), name##_first, max)

/* @max: the enum's own end, or -1 if it has none. */
static void in_order(const char *name, const int *values, int n, int first,
		     int max)
{
	int i;

	for (i = 0; i < n && values[i] == first + i; i++)
		;
	tap_ok(i == n && (max < 0 || max == first + n),
	       "%s: the numbers from %d to %d", name, first, first + n - 1);
}

static void enums(void)
{
	enum_is(kinds, -1);
	enum_is(reasons, WEIR_REASON_MAX);
	enum_is(guards, WEIR_GUARD_MAX);
	enum_is(policies, WEIR_POLICY_MAX);
	enum_is(ops, -1);
	enum_is(forces, -1);
	enum_is(target_states, -1);
	enum_is(breakers, -1);
	enum_is(states, -1);
}

/* A structure of any size in a page, followed by nothing that can be read. */
static void *at_end(size_t size)
{
	static char *two;

	if (!two) {
		two = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (two == MAP_FAILED || munmap(two + 4096, 4096))
			tap_bail("mmap");
	}
	memset(two, 0, 4096);
	return two + 4096 - size;
}

#define ROUTED_PATH	"/abi/routed"

/**
 * struct call - a call that takes a structure which begins with its size
 * @flags_at: offset of its flags.
 * @flag: the first that is none.
 * @path_at: offset of a path that it needs; 0: none.
 * @out_at: and of what it gives back for that.
 */
struct call {
	const char *name;
	unsigned int cmd;
	uint32_t size, flags_at, flag, path_at, out_at;
};

static const struct call map_call = {
	"WEIR_IOC_MAP", WEIR_IOC_MAP, sizeof(struct weir_ioc_map), 8, 8, 0, 0
};

static const struct call routed_calls[] = {
	{ "WEIR_IOC_SERVE", WEIR_IOC_SERVE, sizeof(struct weir_ioc_serve), 4, 1,
	  24, 16 },
	{ "WEIR_IOC_CALL", WEIR_IOC_CALL, sizeof(struct weir_ioc_call), 4, 1,
	  16, 8 },
};

/* A good one, but that it has @room bytes and says that it has @size. */
static char *make_call(const struct call *c, uint32_t room, uint32_t size,
		       const char *path)
{
	char *p = at_end(room);

	memcpy(p, &size, sizeof(size));
	if (c->path_at)
		memcpy(p + c->path_at, path, strlen(path));
	return p;
}

/* What no call takes. */
static void structures(int fd, const struct call *c)
{
	const uint32_t sizes[] = { 0, 3, 4097, ~0u };
	uint32_t i, flag;
	char *p;

	for (i = 0; i < 4; i++) {
		p = make_call(c, c->size, sizes[i], ROUTED_PATH);
		refused(fd, ioctl(fd, c->cmd, p), EINVAL, c->name);
	}
	p = make_call(c, c->size, c->size + 8, ROUTED_PATH);
	refused(fd, ioctl(fd, c->cmd, p), EFAULT, c->name);
	refused(fd, ioctl(fd, c->cmd, NULL), EFAULT, c->name);
	refused(fd, ioctl(fd, c->cmd, -4096L), EFAULT, c->name);
	refused(fd, ioctl(fd, c->cmd, at_end(2)), EFAULT, c->name);

	p = make_call(c, c->size + 8, c->size + 8, ROUTED_PATH);
	p[c->size + 7] = 1;
	refused(fd, ioctl(fd, c->cmd, p), E2BIG, c->name);
	for (flag = c->flag; flag; flag <<= 1) {
		p = make_call(c, c->size, c->size, ROUTED_PATH);
		memcpy(p + c->flags_at, &flag, 4);
		if (ioctl(fd, c->cmd, p) != -1 || errno != EINVAL)
			break;
	}
	tap_ok(!flag, "%s: unknown flags are refused", c->name);
}

/* A structure of a later version, of which this module knows all that counts. */
static char *larger(int fd, const struct call *c)
{
	char *p = make_call(c, c->size + 8, c->size + 8, ROUTED_PATH);

	tap_call(ioctl(fd, c->cmd, p), c->name);
	tap_ok(!p[c->size] && !p[c->size + 7],
	       "%s: larger with a zero tail is taken", c->name);
	return p;
}

static void mapped(const struct call *c)
{
	int fd = tap_publisher(SOCK_RDM, "/abi/pub", 4096);
	char *p;

	structures(fd, c);
	larger(fd, c);
	close(fd);

	/* an older caller's: just what is needed */
	fd = tap_publisher(SOCK_RDM, "/abi/pub", 4096);
	p = make_call(c, 16, 16, "");
	tap_call(ioctl(fd, c->cmd, p), c->name);
	tap_ok(*(uint32_t *)p == 16, "%s: smaller is taken", c->name);
	close(fd);
}

static int wait_of(int fd, const void *wait, socklen_t len)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_WAIT, wait, len);
}

/* An option has no size of its own but its length. */
static void waits(void)
{
	int fd = tap_publisher(SOCK_RDM, "/abi/pub", 4096);
	struct weir_so_wait w = { .flags = WEIR_WAIT_OUT, .bytes = 4096 };
	const socklen_t bad[] = { 0, 3, 4097, 1 << 30 };
	socklen_t len;
	uint32_t i;
	char *p;

	for (i = 0; i < 4; i++)
		refused(fd, wait_of(fd, &w, bad[i]), EINVAL, "wait, length");
	refused(fd, wait_of(fd, NULL, sizeof(w)), EFAULT, "wait, nowhere");
	refused(fd, wait_of(fd, (void *)-4096L, sizeof(w)), EFAULT,
		"wait, in the kernel");
	refused(fd, wait_of(fd, at_end(sizeof(w) - 2), sizeof(w)), EFAULT,
		"wait, half of it");
	refused(fd, wait_of(fd, at_end(2), 4), EFAULT, "wait, half of little");
	p = at_end(sizeof(w));
	memcpy(p, &w, sizeof(w));
	tap_is(wait_of(fd, p, sizeof(w)), WEIR_WAIT_OUT, "wait, at a page's end");
	refused(fd, wait_of(fd, p, sizeof(w) + 8), EFAULT, "wait, beyond it");
	p = at_end(sizeof(w) + 8);
	memcpy(p, &w, sizeof(w));
	tap_is(wait_of(fd, p, sizeof(w) + 8), WEIR_WAIT_OUT,
	       "wait, longer with a zero tail");
	p[sizeof(w) + 7] = 1;
	refused(fd, wait_of(fd, p, sizeof(w) + 8), E2BIG,
		"wait, longer with something");
	/* an older caller's: just what is needed, which is for one record */
	for (len = 4; len <= 16; len += 4)
		tap_is(wait_of(fd, &w, len), WEIR_WAIT_OUT, "wait, shorter");
	w.reserved = 1;
	refused(fd, tap_sleep(fd, &w), EINVAL, "wait, reserved");
	w.reserved = 0;
	for (i = 8; i; i <<= 1) {
		w.flags = WEIR_WAIT_OUT | i;
		if (tap_sleep(fd, &w) != -1 || errno != EINVAL)
			break;
	}
	tap_ok(!i, "wait: unknown flags are refused");
	w.flags = WEIR_WAIT_IN;
	len = sizeof(w);
	tap_fails(getsockopt(fd, SOL_WEIR, WEIR_SO_WAIT, &w, &len),
		  ENOPROTOOPT, "a wait cannot be got");
	tap_fails(ioctl(fd, _IOW(WEIR_IOC_MAGIC, 3, struct weir_so_wait), &w),
		  ENOTTY, "an ioctl is no wait");
	close(fd);
}

/* With an address that is nothing but the family. */
static int bind_nothing(int fd)
{
	struct sockaddr_weir addr = { .sw_family = tap_family() };

	return bind(fd, (struct sockaddr *)&addr,
		    offsetof(struct sockaddr_weir, sw_path));
}

static int connect_nothing(int fd)
{
	struct sockaddr_weir addr = { .sw_family = tap_family() };

	return connect(fd, (struct sockaddr *)&addr,
		       offsetof(struct sockaddr_weir, sw_path));
}

static int set_long(int fd, const void *path, socklen_t len)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_LONG_PATH, path, len);
}

static int has_path(int fd, int option, const char *want)
{
	char text[300] = "";
	socklen_t len = sizeof(text);

	return !getsockopt(fd, SOL_WEIR, option, text, &len) &&
	       len == strlen(want) + 1 && !strcmp(text, want);
}

static void names(void)
{
	struct sockaddr_weir addr = { .sw_family = tap_family() };
	int fd = tap_socket(SOCK_RDM);

	refused(fd, bind_nothing(fd), EINVAL, "bind, no path");
	refused(fd, tap_bind(fd, ""), EINVAL, "bind, an empty path");
	refused(fd, connect_nothing(fd), EINVAL, "connect, no path");
	refused(fd, tap_connect(fd, ""), EINVAL, "connect, an empty path");
	refused(fd, tap_bind(fd, "/abi/*"), EINVAL, "publish a pattern");
	refused(fd, bind(fd, (struct sockaddr *)&addr, 1), EINVAL,
		"an address without its family");
	addr.sw_family = AF_UNIX;
	refused(fd, bind(fd, (struct sockaddr *)&addr, sizeof(addr)), EINVAL,
		"an address of another family");
	close(fd);
}

/**
 * struct long_names - a path and a pattern as long as may be
 * @path: /abi/llll/llll of 255 bytes, in room for two more.
 * @pattern: the same with a star for its last segment.
 */
struct long_names {
	char path[WEIR_PATH_MAX + 2];
	char pattern[WEIR_PATH_MAX + 1];
};

static void long_names_fill(struct long_names *n)
{
	memset(n->path, 'l', sizeof(n->path));
	memcpy(n->path, "/abi/", 5);
	n->path[240] = '/';
	n->path[WEIR_PATH_MAX] = 0;
	memcpy(n->pattern, n->path, sizeof(n->pattern));
	strcpy(n->pattern + 241, "*");
}

static void long_paths_refused(int p, struct long_names *n)
{
	char *path = n->path;
	socklen_t len;
	int v;

	memset(path + WEIR_PATH_MAX, 'l', 2);
	refused(p, set_long(p, path, WEIR_PATH_MAX + 1), ENAMETOOLONG,
		"a path of 256 bytes");
	path[WEIR_PATH_MAX] = 0;
	refused(p, set_long(p, path, WEIR_PATH_MAX + 2), ENAMETOOLONG,
		"more than 256 bytes");
	refused(p, set_long(p, path, ~0u >> 1), ENAMETOOLONG, "2 GiB of path");
	refused(p, set_long(p, "/abi\0x", 6), EINVAL, "a NUL inside");
	refused(p, set_long(p, "/abi\0", 6), EINVAL, "two NULs behind");
	refused(p, set_long(p, NULL, 8), EFAULT, "a bad pointer");
	len = sizeof(v);
	tap_fails(getsockopt(p, SOL_WEIR, WEIR_SO_LONG_PATH, &v, &len),
		  ENOPROTOOPT, "it cannot be asked for");
	refused(p, bind_nothing(p), EINVAL, "nothing was set by these");
}

/* Through bind and connect, either form of an empty path. */
static void long_paths_streams(int p, const struct long_names *n)
{
	const char *path = n->path, *pattern = n->pattern;
	int s = tap_socket(SOCK_RDM);
	char c;

	tap_call(set_long(s, pattern, strlen(pattern)), "set a long pattern");
	tap_call(connect_nothing(s), "and subscribe to it");
	tap_ok(has_path(s, WEIR_SO_PEER_PATH, pattern), "WEIR_SO_PEER_PATH");
	tap_call(set_long(p, path, WEIR_PATH_MAX + 1),
		 "set 255 bytes with their NUL");
	tap_call(tap_bind(p, ""), "and bind");
	tap_ok(has_path(p, WEIR_SO_PATH, path), "WEIR_SO_PATH has them all");
	tap_is(send(p, "x", 1, 0), 1, "send");
	tap_is(recv(s, &c, 1, MSG_DONTWAIT), 1, "and the subscriber has it");

	/* set on a bound socket, for its subscription; used up by success */
	tap_call(set_long(p, pattern, strlen(pattern)), "set when bound");
	tap_call(connect_nothing(p), "to subscribe as well");
	refused(p, connect_nothing(p), EINVAL, "it is used up");
	close(s);
}

/* Used up by failure, by a path of the call's own, emptied. */
static void long_paths_used_up(void)
{
	int s = tap_socket(SOCK_RDM);

	set_long(s, "/abi/**/x", 9);
	refused(s, connect_nothing(s), EINVAL, "a bad pattern");
	tap_call(set_long(s, "/abi/one", 8), "set a path");
	refused(s, tap_connect(s, "bad"), EINVAL, "the call's own path counts");
	refused(s, bind_nothing(s), EINVAL, "and leaves none");
	set_long(s, "/abi/one", 8);
	tap_call(tap_connect(s, "/abi/own"), "or it is a good one");
	tap_ok(has_path(s, WEIR_SO_PEER_PATH, "/abi/own"), "which counts");
	refused(s, bind_nothing(s), EINVAL, "and leaves none");
	set_long(s, "/abi/one", 8);
	tap_call(set_long(s, "/abi/two", 8), "set again");
	tap_call(tap_bind(s, ""), "bind");
	tap_ok(has_path(s, WEIR_SO_PATH, "/abi/two"), "the last one counts");
	close(s);
	s = tap_socket(SOCK_RDM);
	set_long(s, "/abi/one", 8);
	tap_call(set_long(s, NULL, 0), "emptied");
	refused(s, bind_nothing(s), EINVAL, "so there is none");
	close(s);
}

/* A pair; the client binds first and connects then. */
static void long_paths_pair(struct long_names *n)
{
	int l = tap_socket(SOCK_SEQPACKET), s = tap_socket(SOCK_SEQPACKET), v;
	char *path = n->path, *pattern = n->pattern;

	tap_call(set_long(l, path, WEIR_PATH_MAX) || tap_bind(l, "") ||
		 listen(l, 1), "listen on a long path");
	pattern[241] = 'c';
	tap_call(set_long(s, pattern, strlen(pattern)) || tap_bind(s, ""),
		 "bind the client to another");
	tap_call(set_long(s, path, WEIR_PATH_MAX) || connect_nothing(s),
		 "and connect it");
	v = accept(l, NULL, NULL);
	tap_ok(has_path(v, WEIR_SO_PEER_PATH, pattern) &&
	       has_path(v, WEIR_SO_PATH, path) &&
	       has_path(s, WEIR_SO_PEER_PATH, path), "both ends know both");
	close(v);
	close(s);
	close(l);
}

static void long_paths(void)
{
	int p = tap_socket(SOCK_RDM);
	struct long_names n;

	long_names_fill(&n);
	long_paths_refused(p, &n);
	long_paths_streams(p, &n);
	close(p);
	long_paths_used_up();
	long_paths_pair(&n);
}

static void wrong_calls(void)
{
	struct weir_ioc_map map = { .size = sizeof(map), .id = 7 };
	struct weir_so_wait w = { .flags = 0 };
	int fd = tap_socket(SOCK_RDM), v;

	refused(fd, ioctl(fd, WEIR_IOC_MAP, &map), ENXIO, "map no such stream");
	map.id = 0;
	refused(fd, ioctl(fd, WEIR_IOC_MAP, &map), ENXIO, "map no outbox");
	refused(fd, tap_sleep(fd, &w), EINVAL, "wait for nothing");
	w.flags = WEIR_WAIT_KICK;
	refused(fd, tap_sleep(fd, &w), EINVAL, "wait, kick only");
	w.flags = WEIR_WAIT_OUT;
	refused(fd, tap_sleep(fd, &w), ENOTCONN,
		"wait for room without outbox");
	refused(fd, tap_kick(fd, WEIR_KICK_READERS), ENOTCONN,
		"kick without outbox");
	refused(fd, tap_kick(fd, 0x80), EINVAL, "kick, bad flag");
	refused(fd, tap_kick(fd, WEIR_KICK_WRITER | 9 << 8), ENXIO,
		"kick no such stream");
	tap_call(tap_kick(fd, 0), "kick nobody");
	tap_fails(ioctl(fd, _IO(WEIR_IOC_MAGIC, 2), 0), ENOTTY,
		  "an ioctl is no kick");
	refused(fd, setsockopt(fd, SOL_WEIR, WEIR_SO_KICK, &v, 8), EINVAL,
		"a kick takes an int");
	tap_fails(setsockopt(fd, SOL_WEIR, WEIR_SO_KICK, NULL, sizeof(v)),
		  EFAULT, "a kick, nowhere");
	v = sizeof(w);
	tap_fails(getsockopt(fd, SOL_WEIR, WEIR_SO_KICK, &w, (void *)&v),
		  ENOPROTOOPT, "a kick cannot be got");
	refused(fd, ioctl(fd, WEIR_IOC_DETACH, 2), ENXIO, "detach nothing");
	refused(fd, ioctl(fd, WEIR_IOC_DETACH, 1), EINVAL, "detach the inbox");
	refused(fd, ioctl(fd, WEIR_IOC_DETACH, 0), EINVAL, "detach the outbox");
	refused(fd, ioctl(fd, WEIR_IOC_DETACH, 1L << 32 | 2), EINVAL,
		"detach beyond 32 bits");
	if (tap_bind(fd, "/abi/calls"))
		tap_bail("bind");
	w.bytes = 65536 + 1;
	refused(fd, tap_sleep(fd, &w), EMSGSIZE,
		"wait for more than the ring");
	w.bytes = 65536;
	tap_is(tap_sleep(fd, &w), WEIR_WAIT_OUT,
	       "wait for the whole ring");
	w.flags = WEIR_WAIT_IN;
	w.timeout_ns = 1000000;
	tap_is(tap_sleep(fd, &w), 0, "a wait that finds nothing is 0");
	tap_fails(ioctl(fd, _IO(WEIR_IOC_MAGIC, 0), 0), ENOTTY, "command 0");
	tap_fails(ioctl(fd, _IO(WEIR_IOC_MAGIC, 6), 0), ENOTTY, "command 6");
	tap_fails(ioctl(fd, _IOWR(WEIR_IOC_MAGIC, 1, char[72]), &map), ENOTTY,
		  "a known number with another size");
	tap_fails(ioctl(fd, _IO('x', 3), 0), ENOTTY, "somebody else's");
	tap_fails(ioctl(fd, SIOCINQ, 8), EFAULT, "SIOCINQ, bad pointer");
	tap_fails(ioctl(fd, SIOCOUTQ, 8), EFAULT, "SIOCOUTQ, bad pointer");
	tap_call(ioctl(fd, SIOCOUTQ, &v), "SIOCOUTQ");
	close(fd);
}

/* Calls of routed messages: their path is what they need. */
static void routed(const struct call *c)
{
	int fd = tap_socket(SOCK_RDM);
	uint32_t cut = c->path_at + 11, out;
	char *p;

	structures(fd, c);
	refused(fd, ioctl(fd, c->cmd, make_call(c, c->size, c->size, "")),
		EINVAL, "no path");
	refused(fd, ioctl(fd, c->cmd, make_call(c, c->size, c->size, "abi")),
		EINVAL, "no slash");
	/* a path that does not end */
	p = make_call(c, c->size, c->size, "/");
	memset(p + c->path_at + 1, 'x', WEIR_PATH_MAX);
	refused(fd, ioctl(fd, c->cmd, p), ENAMETOOLONG,
		"256 bytes without a NUL");
	/* cut within the path */
	p = make_call(c, cut, cut, ROUTED_PATH);
	tap_call(ioctl(fd, c->cmd, p), c->name);
	memcpy(&out, p + c->out_at, 4);
	tap_ok(out, "%s: smaller is taken", c->name);
	/* and larger, by another socket: one does not serve a path twice */
	close(fd);
	fd = tap_socket(SOCK_RDM);
	p = larger(fd, c);
	memcpy(&out, p + c->out_at, 4);
	tap_ok(out, "%s: and gives back what it is for", c->name);
	close(fd);
	fd = tap_publisher(SOCK_RDM, "/abi/pub", 4096);
	p = make_call(c, c->size, c->size, ROUTED_PATH);
	refused(fd, ioctl(fd, c->cmd, p), EISCONN, "a publisher");
	close(fd);
	fd = tap_socket(SOCK_SEQPACKET);
	refused(fd, ioctl(fd, c->cmd, p), EOPNOTSUPP, "a socket of pairs");
	close(fd);
}

/* The one route there is, read by callers of different versions. */
static void route_entries(int fd, const char *path)
{
	struct { struct weir_route_entry e; uint64_t more; } is;
	const uint32_t sizes[] = {
		offsetof(struct weir_route_entry, conf.deadline_max_ns),
		sizeof(is.e), sizeof(is),
	};
	struct weir_ioc_list l = {
		.size = sizeof(l), .kind = WEIR_LIST_ROUTES,
		.entries = (uintptr_t)&is,
	};
	const unsigned char *at = (const void *)&is;
	uint32_t i, end;

	for (i = 0; i < 3; i++) {
		memset(&is, 0x55, sizeof(is));
		l.entry_size = sizes[i];
		l.count = 1;
		tap_call(ioctl(fd, WEIR_IOC_LIST, &l), "list routes");
		for (end = sizeof(is); end && at[end - 1] == 0x55; end--)
			;
		tap_ok(l.count == 1 && !strcmp(is.e.path, path) &&
		       end == sizes[i], "an entry of %u bytes", sizes[i]);
	}
}

static void control(void)
{
	struct weir_route_op two[2] = {
		{ .op = WEIR_OP_ROUTE_SET, .path = "/abi/control" },
		{ .op = WEIR_OP_ROUTE_DEL, .path = "/abi/control" },
	};
	struct { struct weir_route_op op; char more[8]; } large[2];
	struct weir_ioc_control good = {
		.size = sizeof(good), .op_size = sizeof(*two), .count = 2,
		.ops = (uintptr_t)two,
	}, c = good;
	int fd = tap_socket(SOCK_RDM), i;

	tap_call(ioctl(fd, WEIR_IOC_CONTROL, &c), "control: two changes");
	c.count = 0;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EINVAL, "no changes");
	c.count = WEIR_OPS_MAX + 1;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EINVAL, "too many");
	c = good;
	c.op_size = offsetof(struct weir_route_op, conf) - 1;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EINVAL, "tiny changes");
	c.op_size = 4097;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EINVAL, "huge changes");
	c = good;
	c.ops = 8;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EFAULT, "from nowhere");
	c = good;
	c.size = offsetof(struct weir_ioc_control, ops);
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EFAULT,
		"cut before its address");
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, NULL), EFAULT, "no structure");

	/* the second is refused: it is named, and the first is undone */
	c = good;
	two[1].op = 0;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EINVAL, "operation 0");
	tap_is(c.failed, 1, "the second of them");
	two[1].op = WEIR_OP_BREAKER + 1;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), EINVAL, "operation 7");
	two[1].op = WEIR_OP_ROUTE_DEL;
	c.ops = (uintptr_t)&two[1];
	c.count = 1;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), ENOENT, "it was undone");

	/* changes of another size than the module's */
	memset(large, 0, sizeof(large));
	for (i = 0; i < 2; i++)
		large[i].op = two[i];
	c = good;
	c.op_size = sizeof(*large);
	c.ops = (uintptr_t)large;
	tap_call(ioctl(fd, WEIR_IOC_CONTROL, &c),
		 "larger changes with zero tails");
	large[1].more[7] = 1;
	refused(fd, ioctl(fd, WEIR_IOC_CONTROL, &c), E2BIG, "not zero");
	tap_is(c.failed, 1, "of the second");
	c = good;
	c.op_size = offsetof(struct weir_route_op, conf);
	c.count = 1;
	tap_call(ioctl(fd, WEIR_IOC_CONTROL, &c), "smaller ones: all defaults");
	c.op_size = offsetof(struct weir_route_op,
			     conf.deadline_max_ns);
	tap_call(ioctl(fd, WEIR_IOC_CONTROL, &c),
		 "changes of before there were reserved members");
	route_entries(fd, two[0].path);
	c.op_size = sizeof(*two);
	for (i = 0; i < 13; i++) {
		two[0].conf.reserved[i] = 1;
		if (ioctl(fd, WEIR_IOC_CONTROL, &c) != -1 || errno != EINVAL)
			break;
		two[0].conf.reserved[i] = 0;
	}
	tap_ok(i == 13, "reserved members are refused");
	two[0].op = WEIR_OP_ROUTE_DEL;
	tap_call(ioctl(fd, WEIR_IOC_CONTROL, &c), "and away");
	close(fd);
}

static void lists(void)
{
	struct weir_list_entry e[8];
	struct weir_ioc_list l = {
		.size = sizeof(l), .kind = WEIR_LIST_STREAMS,
		.entry_size = sizeof(*e), .count = 8, .entries = (uintptr_t)e,
	}, bad;
	int p = tap_publisher(SOCK_RDM, "/abi/list", 8192);
	int s = tap_subscriber(SOCK_RDM, "/abi/*");
	struct { struct weir_list_entry e; char more[8]; } large[2];

	send(p, "hello", 5, 0);
	tap_call(ioctl(p, WEIR_IOC_LIST, &l), "list streams");
	tap_ok(l.count == 1 && !strcmp(e[0].name, "/abi/list") &&
	       e[0].ring_bytes == 8192 && e[0].seq == 1 && e[0].pos == 64 &&
	       e[0].count == 1 && e[0].lag_bytes == 64 &&
	       e[0].lag_records == 1 && e[0].state == WEIR_STATE_OPEN &&
	       e[0].pid == (uint32_t)getpid() && e[0].kind == l.kind,
	       "one stream, with its numbers");
	l.after = e[0].id;
	l.count = 8;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && !l.count, "none after it");
	l.kind = WEIR_LIST_SOCKETS;
	l.after = 0;
	l.count = 1;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && l.count == 1, "one of two");
	l.after = e[0].id;
	l.count = 8;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && l.count == 1 &&
	       e[0].id > l.after, "and the other");
	l.kind = WEIR_LIST_CURSORS;
	l.after = 0;
	l.count = 8;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && l.count == 1 &&
	       e[0].flags & WEIR_READER_GATING && !e[0].pos && !e[0].seq &&
	       e[0].lag_bytes == 64 && e[0].lag_records == 1,
	       "one gating cursor");
	recv(s, large, sizeof(large), 0);
	l.count = 8;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && l.count == 1 &&
	       e[0].pos == 64 && e[0].seq == 1 && !e[0].lag_bytes &&
	       !e[0].lag_records, "which has moved on");
	l.kind = WEIR_LIST_PATHS;
	l.count = 8;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && l.count == 1 &&
	       e[0].count == 1 && !strcmp(e[0].name, "/abi/list"), "one path");
	l.count = 0;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && !l.count, "room for none");
	memset(large, 0x55, sizeof(large));
	l.entry_size = sizeof(*large);
	l.entries = (uintptr_t)large;
	l.count = 2;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && l.count == 1 &&
	       !large[0].more[0] && !large[0].more[7] &&
	       large[1].more[0] == 0x55, "larger entries are zero behind");
	memset(large, 0x55, sizeof(large));
	l.entry_size = 16;
	l.count = 2;
	tap_ok(!ioctl(p, WEIR_IOC_LIST, &l) && l.count == 1 &&
	       large[0].e.id && large[0].e.parent == 0x5555555555555555ull,
	       "smaller entries are cut");
	bad = l;
	bad.kind = 9;
	refused(p, ioctl(p, WEIR_IOC_LIST, &bad), EINVAL, "list no such kind");
	bad = l;
	bad.entry_size = 15;
	refused(p, ioctl(p, WEIR_IOC_LIST, &bad), EINVAL, "list tiny entries");
	bad.entry_size = 4097;
	refused(p, ioctl(p, WEIR_IOC_LIST, &bad), EINVAL, "list huge entries");
	bad = l;
	bad.size = 8;
	refused(p, ioctl(p, WEIR_IOC_LIST, &bad), EINVAL, "list, bad size");
	bad = l;
	bad.count = 8;
	bad.entries = 8;
	tap_fails(ioctl(p, WEIR_IOC_LIST, &bad), EFAULT, "list to nowhere");
	refused(p, ioctl(p, WEIR_IOC_LIST, NULL), EFAULT, "list from nowhere");
	close(s);
	close(p);
}

static void pages(void)
{
	struct weir_ioc_map m = { .size = sizeof(m) }, r = m;
	int p = tap_publisher(SOCK_RDM, "/abi/pages", 8192);
	int s = tap_subscriber(SOCK_RDM, "/abi/pages");
	const struct weir_status *st;
	struct weir_ring_view v;
	struct weir_ring_rec rec;
	char *own, *view, *cur;
	__u64 pos = 0;

	tap_call(ioctl(p, WEIR_IOC_MAP, &m), "map the outbox");
	tap_is(m.ring_bytes, 8192, "ring size");
	tap_is(m.length[WEIR_MAP_VIEW], (1 + WEIR_SLOTS_MAX) * 4096,
	       "length of the owner's view");
	tap_is(m.length[WEIR_MAP_OWN], 4096 + 2 * 8192, "of what it writes");
	own = mmap(NULL, m.length[1], PROT_READ | PROT_WRITE, MAP_SHARED, p,
		   m.offset[1]);
	view = mmap(NULL, m.length[0], PROT_READ, MAP_SHARED, p, m.offset[0]);
	if (own == MAP_FAILED || view == MAP_FAILED)
		tap_bail("mmap");
	st = (void *)view;
	tap_is(st->magic, WEIR_STATUS_MAGIC, "status magic");
	tap_ok(!memcmp(view, "weir", 4), "which spells weir");
	tap_is(st->version, WEIR_ABI_VERSION, "status version");
	tap_is(st->version, 1, "which is 1");
	tap_is(st->ring_bytes, 8192, "status ring size");
	tap_is(st->flags, 0, "status flags");
	tap_is(st->state, WEIR_STATE_OPEN, "status state");
	tap_ok(st->secret & 1, "the secret is odd");
	tap_is(st->nslots, 1, "one slot");
	tap_is(st->gating[0], 1, "its reader gates");
	tap_is(st->attaches, 1, "one reader so far");

	r.id = WEIR_ID_STREAM;
	tap_call(ioctl(s, WEIR_IOC_MAP, &r), "map the stream");
	tap_is(r.gating, 1, "it gates");
	tap_is(r.slot, 0, "from slot 0");
	tap_is(r.resumed, 0, "and is no successor");
	tap_is(r.length[WEIR_MAP_VIEW], 2 * 4096 + 2 * 8192,
	       "length of the reader's view");
	tap_is(r.length[WEIR_MAP_OWN], 4096, "of its cursor");
	view = mmap(NULL, r.length[0], PROT_READ, MAP_SHARED, s, r.offset[0]);
	cur = mmap(NULL, r.length[1], PROT_READ | PROT_WRITE, MAP_SHARED, s,
		   r.offset[1]);
	if (view == MAP_FAILED || cur == MAP_FAILED)
		tap_bail("mmap");
	send(p, "mapped", 6, 0);
	v = (struct weir_ring_view) {
		.data = (unsigned char *)view + 8192,
		.head = (void *)(view + 4096), .status = (void *)view,
		.mask = 8191, .secret = st->secret,
	};
	tap_is(weir_ring_peek(&v, &pos, &rec), 1, "a record by the protocol");
	tap_ok(rec.len == 6 && !memcmp(rec.payload, "mapped", 6) &&
	       !rec.seq && rec.kind == WEIR_KIND_EVENT && rec.next - rec.pos == 64,
	       "with its contents");
	tap_ok(!memcmp(own + 4096, own + 4096 + 8192, 64) &&
	       !memcmp(own + 4096, view + 8192, 64), "the data is mapped twice");
	tap_is(((struct weir_cursor *)cur)->pos, 0, "the cursor is where it was");
	recv(s, &rec, 1, 0);
	tap_is(((struct weir_cursor *)cur)->pos, 64, "recv moves the cursor");
	close(p);
	munmap(own, m.length[1]);
	munmap((void *)st, m.length[0]);
	tap_ok(tap_until(v.status->state == WEIR_STATE_CLOSED),
	       "the end shows in the status page");
	tap_is(v.status->final_pos, 64, "final position");
	tap_is(v.status->final_seq, 1, "final count");
	tap_ok(v.status->wake & WEIR_WAKE_CLOSED, "wake says so too");
	munmap(view, r.length[0]);
	munmap(cur, r.length[1]);
	close(s);
}

int main(void)
{
	int i;

	tap_family();
	tap_watchdog(120);
	mapped(&map_call);
	waits();
	enums();
	names();
	long_paths();
	wrong_calls();
	lists();
	pages();
	/* rings of routed sockets are listed for a grace period after them */
	for (i = 0; i < 2; i++)
		routed(&routed_calls[i]);
	control();
	return tap_done();
}

#endif /* ABI_LAYOUT */
