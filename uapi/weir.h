/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * weir: the kernel interface of AF_WEIR sockets.
 *
 * A socket owns one outbox, a ring of records that it writes and others read.
 * Each reader of an outbox has a cursor in a page of its own. The kernel alone
 * writes the status page. No page is writable by two parties.
 *
 *         WEIR_IOC_MAP gives the offsets; each region is mapped as a whole,
 *         but for the owner's view, of which any pages can be mapped
 *
 *  the owner (id WEIR_ID_OUTBOX)           a reader (id of the stream)
 *  WEIR_MAP_VIEW, read only                WEIR_MAP_VIEW, read only
 *  +-----------------------+               +-----------------------+
 *  | struct weir_status    | kernel writes | struct weir_status    |
 *  +-----------------------+               +-----------------------+
 *  | cursor page of slot 0 | readers write | struct weir_head      |
 *  | cursor page of slot 1 |               +-----------------------+
 *  | ... WEIR_SLOTS_MAX    |               | data, ring_bytes      |
 *  +-----------------------+               +-----------------------+
 *  WEIR_MAP_OWN, read and write            | the same data again   |
 *  +-----------------------+               +-----------------------+
 *  | struct weir_head      | owner writes  WEIR_MAP_OWN, read and write
 *  +-----------------------+               +-----------------------+
 *  | data, ring_bytes      |               | struct weir_cursor    |
 *  +-----------------------+               +-----------------------+
 *  | the same data again   |
 *  +-----------------------+
 *
 * The data is mapped twice back to back, so a record that runs over the end of
 * the ring is still contiguous. The kernel writes the socket's inbox
 * (WEIR_ID_INBOX). The socket maps and reads it as it does a stream.
 *
 * The module's part is in module/ring: ring.c (memory), map.c (mmap), reader.c
 * (cursors), wake.c (wake-ups), and in module/ctl: ioctl.c, option.c.
 * The ring protocol, shared by the kernel and the library, is in
 * uapi/weir_ring.h.
 */
#ifndef _UAPI_WEIR_H
#define _UAPI_WEIR_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/socket.h>

/*
 * Default of the module's parameter for the family number. A family that is not
 * part of the kernel has no number of its own, so programs read the number from
 * /sys/module/weir/parameters/family.
 */
#define WEIR_FAMILY_DEFAULT	18

#define WEIR_ABI_VERSION	1

#define WEIR_PATH_MAX		255	/* bytes, without the final NUL */
#define WEIR_DEPTH_MAX		16	/* segments of a path */
#define WEIR_NAME_MAX		63	/* bytes of a cursor's name */
#define WEIR_SLOTS_MAX		4096	/* readers of one outbox */
#define WEIR_PAGE_BYTES		4096	/* of the head, status, cursor pages */
#define WEIR_RING_MIN		4096
#define WEIR_RING_MAX		(1U << 30)

/**
 * struct sockaddr_weir - address of bind, connect, getsockname, getpeername
 * @sw_family: the family number.
 * @sw_path: a path or, for a subscription, a pattern. It ends at the first NUL
 *	byte or at the end of the address. An address has at most 128 bytes. For
 *	a longer path set WEIR_SO_LONG_PATH first, and leave this one empty.
 */
struct sockaddr_weir {
	__kernel_sa_family_t	sw_family;
	char			sw_path[126];
};

/* --- Shared memory ------------------------------------------------------ */

/*
 * Records start at multiples of 64 bytes (a granule, one cache line). So a
 * record with at most 32 bytes of payload fills one cache line, header included.
 */
#define WEIR_GRANULE		64U

enum weir_kind {
	WEIR_KIND_EVENT		= 0,
	WEIR_KIND_REQUEST	= 1,
	WEIR_KIND_REPLY		= 2,
	WEIR_KIND_ERROR		= 3,
	WEIR_KIND_NOTICE	= 4,	/* kernel to inbox: struct weir_notice */
};

#define WEIR_REC_ABORTED	0x01	/* readers skip it; others: weir_route.h */

/**
 * struct weir_record - header of a record; the payload follows
 * @commit: the record's own position in bytes plus the ring's secret. The owner
 *	stores it last, with release. It alone makes a record visible.
 * @len: bytes of payload, without header and extension.
 * @kind: enum weir_kind.
 * @flags: WEIR_REC_*.
 * @ext: number of 8-byte words between this header and the payload, such as the
 *	deadline of a routed message; 0 on direct streams.
 * @reserved: zero.
 * @seq: count of records claimed in the ring before this one, low 32 bits.
 * @route: route handle; 0 on direct streams.
 * @tag: correlation tag, chosen by the sender.
 * @key: shard key, chosen by the sender.
 */
struct weir_record {
	__u64	commit;
	__u32	len;
	__u8	kind;
	__u8	flags;
	__u8	ext;
	__u8	reserved;
	__u32	seq;
	__u32	route;
	__u32	tag;
	__u32	key;
};

#define WEIR_HEADER_BYTES	32U

/**
 * struct weir_head - written by the outbox's owner, read by readers and kernel
 * @claim: end of the claimed space. The high half is the granule number
 *	(position / 64, low 32 bits), the low half the record count (low 32
 *	bits), so that one compare-and-swap claims both.
 * @limit: position in bytes up to which the owner may write, as of its last
 *	scan of the cursors. It gives @claim its upper bits.
 * @intent: highest limit that the owner has considered; see (E) in weir_ring.h.
 * @seq_limit: record count, low 32 bits, up to which the readers' demand allows
 *	the owner to publish.
 * @reserved: zero.
 */
struct weir_head {
	__u64	claim;
	__u64	limit;
	__u64	intent;
	__u32	seq_limit;
	__u32	reserved[9];
};

/* States of a ring: X(NAME, number, "name"). */
#define WEIR_STATE_LIST(X)						\
	X(OPEN, 1, "open")						\
	X(LINGER, 2, "linger")	/* no owner: ends or is taken over */	\
	X(CLOSED, 3, "closed")	/* ends at final_pos */			\
	X(BROKEN, 4, "broken")	/* its owner wrote nonsense */

enum weir_state {
#define WEIR_STATE_ENUM(_name, _number, ...) WEIR_STATE_##_name = _number,
	WEIR_STATE_LIST(WEIR_STATE_ENUM)
#undef WEIR_STATE_ENUM
};

/* weir_status.wake */
#define WEIR_WAKE_READERS	0x1	/* kick after a publish */
#define WEIR_WAKE_FENCE		0x2	/* full fence before looking again */
#define WEIR_WAKE_WRITER	0x4	/* owner sleeps: kick after more demand */
#define WEIR_WAKE_CLOSED	0x8	/* the stream has ended: claim no more */
#define WEIR_WAKE_ROUTER	0x10	/* router sleeps: kick after a publish */

#define WEIR_STATUS_LOSSY	0x1	/* the owner waits for no reader */

#define WEIR_STATUS_MAGIC	0x72696577	/* "weir" */

/**
 * struct weir_status - written by the kernel, read by all
 * @magic: WEIR_STATUS_MAGIC.
 * @version: WEIR_ABI_VERSION.
 * @secret: a random odd number, added to the position in commit words.
 * @ring_bytes: size of the data area, a power of two.
 * @flags: WEIR_STATUS_*.
 * @reserved0: zero.
 * @wake: WEIR_WAKE_*. The owner loads it after each publish. It changes rarely,
 *	so this cache line stays shared.
 * @nslots: slots at and above this one have never been used.
 * @state: enum weir_state. Readers load it and @gen as one word of 64 bits.
 * @gen: changes whenever the set of gating readers changes; of an inbox also
 *	when recvmsg has passed over a notice. WEIR_IOC_MAP of the inbox then
 *	posts a notice for each stream again.
 * @wake_pos: position in bytes; a reader kicks when its cursor reaches it. The
 *	kernel sets it while the owner waits for space, else it is all ones.
 * @final_pos: position in bytes of the stream's end, once the state is CLOSED
 *	or BROKEN.
 * @final_seq: record count at @final_pos, low 32 bits.
 * @reserved1: zero.
 * @attaches: readers attached so far.
 * @detaches: readers gone so far, evictions included.
 * @evictions: readers evicted so far.
 * @kicks: system calls that woke readers of this outbox.
 * @copied_bytes: payload bytes that the kernel copied in or out (sendmsg and
 *	recvmsg); zero when all sides use the mapped ring.
 * @reserved2: zero.
 * @gating: one bit for each slot. While it is set, the owner may not overwrite
 *	what the slot's cursor has not passed. The kernel clears the bit of a
 *	reader that it evicts.
 */
struct weir_status {
	__u32	magic;
	__u32	version;
	__u64	secret;
	__u64	ring_bytes;
	__u32	flags;
	__u32	reserved0[9];

	__u32	wake;
	__u32	nslots;
	__u32	state;
	__u32	gen;
	__u64	wake_pos;
	__u64	final_pos;
	__u32	final_seq;
	__u32	reserved1[7];

	__u64	attaches;
	__u64	detaches;
	__u64	evictions;
	__u64	kicks;
	__u64	copied_bytes;
	__u64	reserved2[3];

	__u64	gating[WEIR_SLOTS_MAX / 64];
};

#define WEIR_CURSOR_DEMAND	0x1	/* @demand counts */
#define WEIR_CURSOR_SEEN	0x2	/* @seen counts */

/**
 * struct weir_cursor - written by one reader, read by the owner and kernel
 * @pos: position in bytes of the next record to read, a multiple of 64.
 * @seq: of a lossy reader: count of the next record to read, low 32 bits. The
 *	reader has missed the records between this count and that of the record
 *	that it finds. A gating reader does not update the field:
 *	weir_ring_seq() tells its count.
 * @demand: with WEIR_CURSOR_DEMAND: the owner may publish records with a count
 *	below this one, low 32 bits (request(n) of Reactive Streams). It only
 *	rises.
 * @flags: WEIR_CURSOR_*.
 * @reserved0: zero.
 * @seen: of an inbox, with WEIR_CURSOR_SEEN: position in bytes behind the last
 *	record that the reader has looked at, if that is not the one at @pos. The
 *	reader stores it before it uses the record. When the socket is closed,
 *	requests behind @seen and behind the record at @pos go to other targets.
 *	Without the flag, a socket that maps its inbox counts as one that has
 *	looked at all. The kernel clears the flag when the page is mapped.
 * @reserved: zero.
 */
struct weir_cursor {
	__u64	pos;
	__u32	seq;
	__u32	demand;
	__u32	flags;
	__u32	reserved0;
	__u64	seen;
	__u32	reserved[8];
};

enum weir_notice_type {
	WEIR_NOTICE_ATTACHED	= 1,	/* a stream has been added */
	WEIR_NOTICE_DETACHED	= 2,	/* a stream is gone */
	WEIR_NOTICE_EVICTED	= 3,	/* this reader was too slow */
	WEIR_NOTICE_BROKEN	= 4,	/* the stream's owner wrote nonsense */
	WEIR_NOTICE_REFUSED	= 5,	/* a matching path could not be attached */
};

/*
 * A list of all members calls X for each of them, so that a program can make its
 * own table: X(NAME, number, "name", ...). More arguments may come.
 *
 * Reasons why something was dropped, refused, evicted or detached; see weir(7):
 * X(NAME, number, "name", value of weir_reason_errno(), "words for people").
 * Those from NO_ROUTE on are of routed messages.
 */
#define WEIR_REASON_LIST(X)						\
	X(NONE, 0, "none", EPROTO, "for no reason")			\
	X(CLOSED, 1, "closed", EPROTO, "closed in good order")		\
	X(SLOW, 2, "slow", EPROTO,					\
	  "it held the writer back for longer than evict_ms")		\
	X(BAD_CURSOR, 3, "bad_cursor", EPROTO,				\
	  "its cursor is where none can be")				\
	X(BAD_RECORD, 4, "bad_record", EPROTO,				\
	  "a record or ring head that cannot be")			\
	X(DENIED, 5, "denied", EACCES,					\
	  "the path's mode does not permit this user, or it has become "	\
	  "another user's")						\
	X(LIMIT, 6, "limit", ENOSPC,					\
	  "a cap was reached, see 'weirctl limit'")			\
	X(NO_MEMORY, 7, "no_memory", ENOMEM, "out of memory")		\
	X(OVERRUN, 8, "overrun", EPROTO,				\
	  "the writer overtook a reader that it does not wait for")	\
	X(EXPIRED, 9, "expired", EPROTO,				\
	  "the time to linger or to be held is over")			\
	X(NETNS, 10, "netns", EPROTO, "the network namespace is gone")	\
	X(TAKEN_OVER, 11, "taken_over", EPROTO,				\
	  "a new process goes on from here")				\
	X(NO_ROUTE, 12, "no_route", ENOENT,				\
	  "there is no such path or route handle")			\
	X(NO_TARGET, 13, "no_target", EHOSTUNREACH,			\
	  "nobody serves the path now")					\
	X(DEADLINE, 14, "deadline", ETIME,				\
	  "it was not answered in time")				\
	X(RATE, 15, "rate", EDQUOT,					\
	  "more messages than the route's rate and burst let "		\
	  "through, or the user's share of them")			\
	X(BULKHEAD, 16, "bulkhead", EBUSY,				\
	  "as many requests are in flight as bulkhead allows, or "	\
	  "the user's share of it")					\
	X(BREAKER, 17, "breaker", ECONNREFUSED,				\
	  "the circuit breaker is open: too many calls failed or "	\
	  "were slow")							\
	X(INBOX_FULL, 18, "inbox_full", ENOBUFS,			\
	  "the target does not read its inbox, and it is full")		\
	X(TARGET_DIED, 19, "target_died", ECONNRESET,			\
	  "the target ended before it answered")			\
	X(TARGET_EJECTED, 20, "target_ejected", EHOSTDOWN,		\
	  "the target holds requests and does nothing")			\
	X(TOO_LARGE, 21, "too_large", EMSGSIZE,				\
	  "the message is larger than the target's inbox can hold")	\
	X(LOOP, 22, "loop", ELOOP,					\
	  "more routes or patterns were on its way than may be")	\
	X(QUORUM, 23, "quorum", ENOLINK,				\
	  "too few targets can still answer for a quorum")		\
	X(BAD_REQUEST, 24, "bad_request", EBADMSG,			\
	  "the record makes no sense")					\
	X(LATE, 25, "late", EPROTO,					\
	  "a reply to what had been answered already")			\
	X(DUPLICATE, 26, "duplicate", EALREADY,				\
	  "the first request with its idempotency key was lost")	\
	X(TRIES, 27, "tries", ETOOMANYREFS,				\
	  "as many targets as one message may try have refused it")	\
	X(PATIENCE, 28, "patience", EXFULL,				\
	  "the caller left no room for the reply for as long as it "	\
	  "may wait")							\
	X(KEY_REUSED, 29, "key_reused", ENOTUNIQ,			\
	  "the first request with its idempotency key was another")

enum weir_reason {
#define WEIR_REASON_ENUM(_name, _number, ...) WEIR_REASON_##_name = _number,
	WEIR_REASON_LIST(WEIR_REASON_ENUM)
#undef WEIR_REASON_ENUM
	WEIR_REASON_MAX
};

/**
 * struct weir_notice - payload of a WEIR_KIND_NOTICE record in the inbox
 * @type: enum weir_notice_type.
 * @id: the stream's id on this socket.
 * @reason: enum weir_reason.
 * @path_len: bytes of path that follow this structure.
 * @pos: position in the stream's ring, in bytes, at which it happened.
 * @ring_bytes: size of the stream's ring.
 */
struct weir_notice {
	__u32	type;
	__u32	id;
	__u32	reason;
	__u32	path_len;
	__u64	pos;
	__u64	ring_bytes;
};

/* --- Socket options, level SOL_WEIR ------------------------------------- */

#define SOL_WEIR		0x7765

/*
 * Each option takes an int unless its comment says otherwise. An option marked
 * (early) must be set before bind, connect or listen.
 */
#define WEIR_SO_RING_BYTES	1	/* (early) outbox, power of two */
#define WEIR_SO_NODE		2	/* (early) NUMA node, -1 any */
#define WEIR_SO_MODE		3	/* (early) permission bits of the path */
#define WEIR_SO_GROUP		4	/* (early) gid of the path */
#define WEIR_SO_EVICT_MS	5	/* evict readers stuck so long; 0: never */
#define WEIR_SO_LINGER_MS	6	/* the outbox outlives its owner; 0: not */
#define WEIR_SO_HOLD_MS		7	/* (early) cursor outlives its reader */
#define WEIR_SO_START		8	/* (early) enum weir_start */
#define WEIR_SO_NAME		9	/* (early) string: name of cursors, and
					 * of targets: see weir_ioc_serve */
#define WEIR_SO_PATH		10	/* get, string: bound path or pattern */
#define WEIR_SO_PEER_PATH	11	/* get, string */
#define WEIR_SO_ERROR_TEXT	12	/* get, string: why the last call on this
					 * socket was refused */
#define WEIR_SO_INFO		13	/* get, struct weir_sock_info */
#define WEIR_SO_DEMAND		14	/* (early) first demand; -1: none */
#define WEIR_SO_HUGE		15	/* (early) 1: large pages where possible */
#define WEIR_SO_LONG_PATH	16	/* set, string: see below */
#define WEIR_SO_INBOX_BYTES	17	/* (early) inbox, power of two */
#define WEIR_SO_SERVE		18	/* set, string: path or pattern, as
					 * WEIR_IOC_SERVE with weight 1 */
#define WEIR_SO_KICK		19	/* set: wake the other side, WEIR_KICK_* */
#define WEIR_SO_WAIT		20	/* set, struct weir_so_wait: sleep */
#define WEIR_SO_DRAIN		21	/* set, 1: see below */

/*
 * WEIR_SO_DRAIN gives weight 0 to all targets that the socket is. Once the call
 * returns, no new request comes to the socket, but for large ones that a worker
 * still copies: of more than 64 KiB, or to several targets whose copies together
 * are larger. So a service that is to end reads what has come, answers it and
 * closes the socket, and no caller gets an error. A path that the socket serves
 * later has the weight that it is given then.
 *
 * WEIR_SO_LONG_PATH sets a path or pattern for the next bind or connect on this
 * socket: up to WEIR_PATH_MAX bytes, which a final NUL may follow. That call
 * takes the path if its address has an empty one. A path in the address comes
 * first. Either way the call empties the option, whether it succeeds or not. A
 * signal that interrupts the call leaves the option, so that the call can be
 * made again. The option may be set at any time. Setting it again replaces it,
 * and an empty string empties it.
 */

enum weir_start {
	WEIR_START_TAIL		= 0,	/* records published from now on */
	WEIR_START_OLDEST	= 1,	/* the oldest record still in the ring */
};

/* --- ioctl -------------------------------------------------------------- */

/* Ids of a socket's own rings; streams that it reads are numbered from 2. */
#define WEIR_ID_OUTBOX		0
#define WEIR_ID_INBOX		1
#define WEIR_ID_STREAM		2

enum weir_map_region {
	WEIR_MAP_VIEW		= 0,	/* pages that this party may only read */
	WEIR_MAP_OWN		= 1,	/* pages that this party writes */
	WEIR_MAP_MAX
};

/**
 * struct weir_ioc_map - WEIR_IOC_MAP: where to mmap a ring
 * @size: sizeof this structure.
 * @id: WEIR_ID_OUTBOX, WEIR_ID_INBOX or a stream's id.
 * @flags: zero.
 * @gating: out: 1 if this reader holds the writer back.
 * @slot: out: the reader's slot in the outbox.
 * @resumed: out: 1 if the socket took over an earlier stream or named cursor.
 * @ring_bytes: out: bytes of the data area, a power of two.
 * @offset: out: mmap offset of each region.
 * @length: out: mmap length of each region.
 */
struct weir_ioc_map {
	__u32	size;
	__u32	id;
	__u32	flags;
	__u32	gating;
	__u32	slot;
	__u32	resumed;
	__u64	ring_bytes;
	__u64	offset[WEIR_MAP_MAX];
	__u64	length[WEIR_MAP_MAX];
};

#define WEIR_WAIT_IN		0x1	/* until there is something to read */
#define WEIR_WAIT_OUT		0x2	/* until @bytes can be claimed */
#define WEIR_WAIT_KICK		0x4	/* first do what WEIR_SO_KICK does */

/**
 * struct weir_so_wait - WEIR_SO_WAIT: sleep until the rings are ready
 * @flags: WEIR_WAIT_*.
 * @reserved: 0.
 * @timeout_ns: nanoseconds to sleep. 0: arm the wake-up and check once, for
 *	edge-triggered epoll. Negative: sleep without a time limit.
 * @bytes: with WEIR_WAIT_OUT: bytes of ring space wanted, header included.
 *
 * The option may be shorter than this structure: the missing fields count as 0.
 * It may be longer if the bytes behind the structure are 0. Only setsockopt()
 * sleeps. io_uring may set the option with a timeout of 0 alone, and gets
 * -EOPNOTSUPP otherwise. The call returns the WEIR_WAIT_IN and WEIR_WAIT_OUT
 * bits that hold, 0 on time-out, or -EINTR on a signal. A wait goes on after a
 * signal that has no handler, such as SIGSTOP and SIGCONT; one without a time
 * limit also after a signal whose handler has SA_RESTART. After a signal
 * @timeout_ns of the caller's structure is the time that was left, as with
 * select(2). If it cannot be written, each signal ends a wait with a time limit.
 */
struct weir_so_wait {
	__u32	flags;
	__u32	reserved;
	__s64	timeout_ns;
	__u64	bytes;
};

enum weir_list_kind {
	WEIR_LIST_SOCKETS	= 1,
	WEIR_LIST_PATHS		= 2,
	WEIR_LIST_STREAMS	= 3,	/* outboxes */
	WEIR_LIST_CURSORS	= 4,
};

/* weir_list_entry.flags of cursors */
#define WEIR_READER_GATING	0x1	/* the writer waits for it */
#define WEIR_READER_NAMED	0x2	/* it has a name */
#define WEIR_READER_EVICTED	0x4	/* it was evicted */

/**
 * struct weir_list_entry - one line of WEIR_IOC_LIST
 * @kind: enum weir_list_kind.
 * @id: identity of the object within its kind, stable while it lives.
 * @parent: SOCKETS: 0. STREAMS: id of the owning socket, 0 if lingering.
 *	CURSORS: id of the stream.
 * @peer: CURSORS: id of the reading socket, 0 if only held by name.
 * @pid: process that made the object, as the caller's pid namespace numbers it;
 *	0 if it has no number there. Of an accepted socket: the listener's.
 * @uid: owner, in the caller's user namespace.
 * @gid: group of the path.
 * @mode: permission bits of the path.
 * @type: SOCK_* of the socket.
 * @state: STREAMS: enum weir_state; SOCKETS, PATHS: state of the socket, or of
 *	the listener.
 * @flags: STREAMS: WEIR_STATUS_*; CURSORS: WEIR_READER_*.
 * @count: PATHS: publishers; SOCKETS: streams read; STREAMS: readers.
 * @ring_bytes: STREAMS: size.
 * @pos: STREAMS: bytes claimed so far; CURSORS: bytes read so far.
 * @seq: STREAMS: records claimed; CURSORS: records read (low 32 bits).
 * @lag_bytes: CURSORS: bytes behind the writer; STREAMS: those of the slowest
 *	reader.
 * @lag_records: as @lag_bytes, in records.
 * @missed: CURSORS: records lost (as counted by the kernel's recvmsg).
 * @copied_bytes: payload copied by the kernel.
 * @name: PATHS, STREAMS: the path; CURSORS: the cursor's name.
 */
struct weir_list_entry {
	__u32	kind;
	__u32	type;
	__u64	id;
	__u64	parent;
	__u64	peer;
	__u32	pid;
	__u32	uid;
	__u32	gid;
	__u32	mode;
	__u32	state;
	__u32	flags;
	__u64	count;
	__u64	ring_bytes;
	__u64	pos;
	__u64	seq;
	__u64	lag_bytes;
	__u64	lag_records;
	__u64	missed;
	__u64	copied_bytes;
	char	name[WEIR_PATH_MAX + 1];
};

/**
 * struct weir_ioc_list - WEIR_IOC_LIST: what is in this network namespace
 * @size: sizeof this structure.
 * @kind: enum weir_list_kind.
 * @entry_size: sizeof(struct weir_list_entry) as the caller knows it.
 * @count: in: entries that the array has room for; out: entries written.
 * @after: in: list objects with a larger id; 0: all.
 * @entries: user address of the array.
 *
 * A caller without CAP_NET_ADMIN in the namespace sees only its own user's
 * objects and the paths that it may read. Returns 0; @count 0 means the end.
 */
struct weir_ioc_list {
	__u32	size;
	__u32	kind;
	__u32	entry_size;
	__u32	count;
	__u64	after;
	__u64	entries;
};

/**
 * struct weir_sock_info - WEIR_SO_INFO
 * @ring_bytes: size of the outbox, 0 if there is none yet.
 * @streams: streams that the socket reads.
 * @resumed: 1 if bind took over a lingering outbox.
 * @sent: records sent with sendmsg.
 * @received: records received with recvmsg.
 * @missed: records that a lossy recvmsg reader lost.
 * @copied_bytes: payload copied by the kernel for this socket.
 * @evicted: times that this socket was evicted as a reader.
 * @reserved: zero.
 */
struct weir_sock_info {
	__u64	ring_bytes;
	__u32	streams;
	__u32	resumed;
	__u64	sent;
	__u64	received;
	__u64	missed;
	__u64	copied_bytes;
	__u64	evicted;
	__u64	reserved;
};

/*
 * The value of WEIR_SO_KICK tells what was done in shared memory. WEIR_SO_KICK
 * and WEIR_SO_WAIT are options and not ioctls, because setsockopt() costs less.
 */
#define WEIR_KICK_READERS	0x1	/* records were published */
#define WEIR_KICK_WRITER	0x2	/* the cursor of stream id (value >> 8)
					 * moved, or its demand was raised */
#define WEIR_KICK_INBOX		0x4	/* the inbox has room again */

#define WEIR_IOC_MAGIC		0xB5
#define WEIR_IOC_MAP		_IOWR(WEIR_IOC_MAGIC, 1, struct weir_ioc_map)
/* 2 and 3 are not used */
#define WEIR_IOC_DETACH		_IO(WEIR_IOC_MAGIC, 4)	/* arg: stream id */
#define WEIR_IOC_LIST		_IOWR(WEIR_IOC_MAGIC, 5, struct weir_ioc_list)

#endif /* _UAPI_WEIR_H */
