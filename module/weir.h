/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The objects of the module, their owners, and the order of locks.
 *
 * Lifetimes
 *   object        references are held by               last put
 *   weir_sock     the file, each sock_hold()           frees the sock
 *   weir_ring     its owner socket, its path while     frees pages, gives the
 *                 lingering, each reader, each VMA,    memory back to the caps
 *                 its timers that are set
 *   weir_reader   its ring's slot table, its socket's  frees the cursor page,
 *                 table, each VMA, its timer while     puts the ring
 *                 it is set, short users
 *   weir_path     publishers, lingering rings, the     leaves the trie (under
 *                 listener, the route, patterns        weir_net.lock)
 *   weir_account  its sockets, each charge to it       puts its users
 *   weir_tenant   sockets, rings, readers, endpoints,  leaves the table of users
 *                 its queued works
 *
 * A queued work holds its object too: see work.h. A look-up under RCU alone
 * (rings, endpoints, routes) may find an object that is ending. Such a look-up
 * takes a reference that can fail. Other objects leave their table, under the
 * table's lock, before their last put. A look-up under that lock may take a
 * reference without a check.
 *
 * Lock order, outermost first
 *   1 lock_sock(sk)            a socket's set-up state (bind, connect, ...)
 *   2 weir_net.lock            names, patterns, subscriptions; held for a
 *                              constant time: no large allocation or search
 *   3 weir_sock.iolock         one kernel receiver at a time
 *   4 mmap_lock                (copying to and from user space, mmap, faults)
 *   5 weir_ring.slot_lock      slot table, cursor pages in the owner's VMAs
 *   6 weir_sock.rlock          the list of streams that a socket reads
 *   7 weir_ring.lock           readers, armed sleepers, the status page
 *   8 weir_ring.post.lock      space in an inbox, notices that wait for it
 *   8a weir_tenant.lock       what is done later for a user
 *   9 weir_ring.lock of an inbox (a lock class of its own)
 * The locks of routed messages are in router.h.
 *
 * A ring's pointer to a socket is cleared, under the ring's lock, before the
 * socket is freed.
 */
#ifndef _WEIR_MODULE_H
#define _WEIR_MODULE_H

#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include <uapi/weir.h>
#include <uapi/weir_ring.h>

#include "logic/account.h"
#include "compat.h"
#include "logic/memory.h"
#include "logic/trie.h"
#include "stats.h"
#include "tenant.h"
#include "work.h"

struct weir_forms;
struct mem_cgroup;
struct weir_endpoint;
struct weir_ring;
struct weir_route;
struct weir_sock;

/**
 * struct weir_tunables - /sys/kernel/weir, see sysfs.c for the ranges
 * @ring_bytes: bytes of an outbox, unless WEIR_SO_RING_BYTES is set.
 * @ring_bytes_max: bytes of the largest outbox.
 * @inbox_bytes: bytes of an inbox, unless WEIR_SO_INBOX_BYTES is set.
 * @user_bytes_max: memory of one user, in bytes, in all namespaces.
 * @netns_bytes_max: memory of all users in one namespace, in bytes.
 * @user_objects_max: sockets, paths, rings, subscriptions, cursors and other
 *	objects of one user, in all namespaces.
 * @netns_objects_max: these objects of all users in one namespace.
 * @streams_max: streams that one socket may read.
 * @poll_idle_us: microseconds without work after which a polling thread sleeps.
 * @fence_records: records between two sleeps of readers. Above this number the
 *	sleeper sends the barrier, up to it the writer fences after each record.
 */
struct weir_tunables {
	u32 ring_bytes;
	u32 ring_bytes_max;
	u32 inbox_bytes;
	u64 user_bytes_max;
	u64 netns_bytes_max;
	u64 user_objects_max;
	u64 netns_objects_max;
	u32 streams_max;
	u32 poll_idle_us;
	u32 fence_records;
};

extern struct weir_tunables weir_tunables;
extern unsigned int weir_family;
extern struct workqueue_struct *weir_wq;	/* timers of rings: tenant.c */
extern struct workqueue_struct *weir_router_wq;	/* turns: route/turn.c */
extern struct workqueue_struct *weir_join_wq;	/* joins that need not wait */
extern struct workqueue_struct *weir_late_wq;	/* jobs that may wait: tenant.c */

/* --- main.c --- */
void weir_drop(const char *name, enum weir_reason reason);

#define WEIR_ROUTE_MARKS	256

/**
 * struct weir_net - weir in one network namespace
 * @net: the namespace.
 * @lock: guards the members below for which no other lock is named.
 * @paths: names in use; items are struct weir_path.
 * @patterns: patterns subscribed to; items are struct weir_pattern.
 * @path_ids: the same paths, by id.
 * @sockets: all sockets, by id; its own xa_lock.
 * @rings: all outboxes, by id; its own xa_lock, read under RCU.
 * @endpoints: all endpoints, by id; its own xa_lock, read under RCU.
 * @targets: all targets of routes, by id.
 * @nendpoints: endpoints that were ever made; xa_lock of @endpoints.
 * @route_gen: changes when a callable name comes or goes; read without @lock.
 * @marks: for each hash of a name or of a pattern's prefix: @route_gen at the
 *	last change of a name with this hash. Read without @lock.
 * @mark_seed: random seed of that hash: users can't choose names that collide.
 * @next_id: last id given to a socket, ring, path or target.
 * @seq: last number given to a stream with a path or to a subscription.
 * @lingering: outboxes that may be taken over, by weir_linger_key().
 * @nrings: outboxes and inboxes, also those that are ending; atomic.
 * @joinings: new streams that still have subscribers to join; atomic.
 * @joining: these streams, by weir_joining.wn_link; @join_lock.
 * @join_lock: guards @joining. Only the locks of tenants are taken inside.
 * @held: memory and objects of all users here; atomic counters.
 */
struct weir_net {
	struct net *net;
	struct mutex lock;
	struct weir_trie paths;
	struct weir_trie patterns;
	struct xarray path_ids;
	struct xarray sockets;
	struct xarray rings;
	struct xarray endpoints;
	struct xarray targets;
	u32 nendpoints;
	u32 route_gen;
	u32 marks[WEIR_ROUTE_MARKS];
	u32 mark_seed;
	atomic_long_t next_id;
	u64 seq;
	DECLARE_HASHTABLE(lingering, 10);
	atomic_t nrings;
	atomic_t joinings;
	struct list_head joining;
	spinlock_t join_lock;
	struct weir_holdings held;
};

struct weir_net *weir_net(const struct net *net);

/**
 * struct weir_path - a name that is in use
 * @wn: namespace; weir_net.lock guards all members.
 * @node: place in the trie.
 * @id: for WEIR_IOC_LIST, also the id of the path's route.
 * @charge: for one object and its memory; fixed.
 * @uid: owner, the user that made the path; never changes.
 * @grantor: owner of the most specific pattern that matched the path when it
 *	was made, and which permitted it; @uid if no pattern matched. Fixed.
 * @gid: group. Senders read @gid and @mode under RCU.
 * @mode: permission bits: read to subscribe; write to publish, listen, connect
 *	and call; execute to serve.
 * @trusted: the maker had CAP_NET_ADMIN in the namespace; never changes.
 * @shadows: names of other users, older than this path, may be below the path.
 * @prefix: of a pattern: the path above its first wildcard, held; NULL for a
 *	path and for a pattern at the top level.
 * @patterns: number of patterns whose @prefix is this path.
 * @forms: the forms of these patterns; NULL without patterns.
 * @forms_charge: for @forms, charged to the maker of the first such pattern.
 * @users: number of publishers, lingering rings, listener, route and @patterns.
 * @rings: outboxes published under the path, lingering ones included.
 * @listener: socket that accepts connections here.
 * @route: routes the requests to this path; also read under RCU.
 * @rcu: frees the path after a grace period, for look-ups of @route.
 * @len: bytes of @name.
 * @name: the path, ended by a NUL byte.
 */
struct weir_path {
	struct weir_net *wn;
	struct weir_trie_node *node;
	u64 id;
	struct weir_charge charge;
	kuid_t uid;
	kuid_t grantor;
	kgid_t gid;
	umode_t mode;
	bool trusted;
	bool shadows;
	struct weir_path *prefix;
	u32 patterns;
	struct weir_forms *forms;
	struct weir_charge forms_charge;
	u32 users;
	struct list_head rings;
	struct weir_sock *listener;
	struct weir_route __rcu *route;
	struct rcu_head rcu;
	u32 len;
	char name[WEIR_PATH_MAX + 1];
};

/**
 * enum weir_use - how a socket wants to use a path
 * @WEIR_USE_PUBLISH: publish or listen; not a pattern; needs MAY_WRITE.
 * @WEIR_USE_SERVE: serve requests; may be a pattern; see weir_path_may_serve().
 * @WEIR_USE_OWN: change the targets; may be a pattern; only for the owner.
 * @WEIR_USE_BEHIND: get the requests of another route; may be a pattern; needs
 *	the permissions to serve and to call.
 * @WEIR_USE_CONTROL: a control call with CAP_NET_ADMIN; always permitted.
 */
enum weir_use {
	WEIR_USE_PUBLISH,
	WEIR_USE_SERVE,
	WEIR_USE_OWN,
	WEIR_USE_BEHIND,
	WEIR_USE_CONTROL,
};

/**
 * struct weir_pattern - a pattern (or plain path) with subscribers
 * @node: place in the trie.
 * @subscribers: sockets, by weir_sock.pattern_link.
 *
 * Guarded by weir_net.lock.
 */
struct weir_pattern {
	struct weir_trie_node *node;
	struct list_head subscribers;
};

/**
 * struct weir_post - the writing side of an inbox
 * @lock: guards the other members, and notices that wait for room.
 * @reader: the socket's cursor, held; NULL before it is attached and after the
 *	socket has been released.
 * @pos: byte position of the next record.
 * @limit: position up to which the kernel may write, from its last look at the
 *	cursor; lower when room is reserved for waiters.
 * @seq: records written, low 32 bits.
 * @kept: granules that stay free: one for the answer to each call, @granted,
 *	and room for copies that are not made yet.
 * @nwaiting: number of waiters for room.
 * @queued: a waiter needs the free room. New records must not take it.
 * @granted: granules of @kept that are reserved for called waiters.
 * @waiting: first waiter of each user and those that go ahead;
 *	weir_waiter.link.
 * @called: waiters with granted room, by weir_waiter.called, oldest call first.
 * @on_room: called under @lock when the reader has made room or the inbox has
 *	ended. Returns the bytes of room that the first waiter still wants,
 *	U64_MAX without one. Set before the first waiter is added; NULL before.
 */
struct weir_post {
	spinlock_t lock;
	struct weir_reader *reader;
	u64 pos;
	u64 limit;
	u32 seq;
	u32 kept;
	u32 nwaiting;
	bool queued;
	u32 granted;
	struct list_head waiting;
	struct list_head called;
	u64 (*on_room)(struct weir_ring *inbox);
};

/**
 * struct weir_ring - the memory of an outbox or inbox, and its readers
 * @ref: see the table of lifetimes.
 * @rcu: frees the ring after a grace period, for look-ups by id.
 * @view: the kernel's view; its mask and secret are trusted.
 * @id: for WEIR_IOC_LIST; 0 for inboxes.
 * @wn: namespace; VMAs may outlive the namespace and must not use it.
 * @pages: data pages, in order.
 * @nr_pages: number of data pages.
 * @page_order: order of the blocks that the last data pages were allocated in.
 * @head_page: struct weir_head.
 * @status_page: struct weir_status.
 * @charge: for one object and its pages, charged to the maker; fixed.
 * @type: SOCK_* of the socket that made the ring.
 * @uid: user that made the ring. Only this user may take it over.
 * @pid: process that owns the ring, held; @lock.
 * @lossy: the writer waits for no reader.
 * @slot_lock: guards @slots, @slot_users and @owner_mapping.
 * @slots: readers by slot.
 * @slot_users: number of slots of each user.
 * @owner_mapping: address space of the owner's socket, for removing a cursor
 *	page from the owner's VMAs.
 * @lock: guards the members below, and writes to the status page.
 * @readers: by weir_reader.ring_link.
 * @armed: readers that sleep, by weir_reader.armed_link.
 * @waking: those of them that a thread has yet to wake, by the same link.
 * @fenced: WEIR_WAKE_FENCE is in force on every CPU of the writer. An address
 *	space that maps the ring later finds the bit set: it takes @lock first.
 * @fence_gen: number of times that WEIR_WAKE_FENCE was set.
 * @arm_seq: record count when a reader last went to sleep, low 32 bits.
 * @owner: socket that writes; NULL while lingering, closed, and for inboxes.
 * @inbox_of: for inboxes: the socket; fixed.
 * @owner_mm: address space that maps the ring writable, held with mmgrab().
 * @owner_maps: number of writable VMAs.
 * @owner_forked: a fork copied the mapping (MADV_DOFORK). The writer may then
 *	be on any CPU.
 * @want: bytes that the sleeping writer wants.
 * @on_full: called when @owner finds no room and goes to sleep. Set before the
 *	first reader is attached, then fixed; may be NULL.
 * @evict_ms: milliseconds that a reader may hold the writer back; 0: no limit.
 * @tenant: user that made it, held; its worker calls the functions of timers.
 * @reap: finds such readers while the writer is held back; of an inbox: looks
 *	for room for notices.
 * @linger_ms: milliseconds that the ring lingers after its owner is gone.
 * @linger_end: end of the linger time, in jiffies.
 * @closing: the publisher has ended the stream. It lingers until @keeper has
 *	gone and cannot be taken over.
 * @expire: ends the stream at @linger_end.
 * @settle: job that repairs the ring and lets it linger or end, once its owner is
 *	gone.
 * @path: name it is published under; weir_net.lock.
 * @path_link: in weir_path.rings; weir_net.lock.
 * @linger_link: in weir_net.lingering; weir_net.lock.
 * @pub_seq: weir_net.seq when it got its path; 0: no path yet, or a pair's
 *	ring. Set after @name, with release. The publisher joins subscriptions
 *	with a lower number; those with a higher number join by themselves.
 * @keeper: cursor that holds the first position while a worker joins
 *	subscribers; struct weir_joining holds the reference.
 * @post: for inboxes: the kernel's writing side.
 * @grants: for inboxes: takes back granted room that is not used in time.
 * @name: name of @path; of a pair: path of one end, or ""; fixed once shared.
 */
struct weir_ring {
	refcount_t ref;
	struct rcu_head rcu;
	struct weir_ring_view view;
	unsigned long id;
	struct weir_net *wn;
	struct page **pages;
	unsigned int nr_pages;
	unsigned int page_order;
	struct page *head_page;
	struct page *status_page;
	struct weir_charge charge;
	int type;
	kuid_t uid;
	struct pid *pid;
	bool lossy;

	struct mutex slot_lock;
	struct xarray slots;
	struct weir_tally slot_users;
	struct address_space *owner_mapping;

	spinlock_t lock;
	struct list_head readers;
	struct list_head armed;
	struct list_head waking;
	bool fenced;
	u32 fence_gen;
	u32 arm_seq;
	struct weir_sock *owner;
	struct weir_sock *inbox_of;
	struct mm_struct *owner_mm;
	unsigned int owner_maps;
	bool owner_forked;
	u64 want;
	void (*on_full)(struct weir_sock *ws);
	u32 evict_ms;
	struct weir_tenant *tenant;
	struct weir_timer reap;
	u32 linger_ms;
	unsigned long linger_end;
	bool closing;
	struct weir_timer expire;
	struct weir_job settle;

	struct weir_path *path;
	struct list_head path_link;
	struct hlist_node linger_link;
	u64 pub_seq;
	struct weir_reader *keeper;
	struct weir_post post;
	struct weir_timer grants;
	char name[WEIR_PATH_MAX + 1];
};

/**
 * struct weir_reader - a cursor on a ring
 * @ref: see the table of lifetimes.
 * @ring: the ring it reads; held.
 * @slot: index in the ring's slot table and gating bitmap.
 * @start_pos: position where it was attached; not writable by the process.
 * @start_seq: record count there, low 32 bits.
 * @id: stream id on the reading socket.
 * @sub: weir_sock.sub_seq of its subscription; 0: reader of a pair, an inbox or
 *	the router.
 * @page: the cursor page.
 * @cursor: the kernel's address of @page.
 * @charge: for one object and the page, charged to the reader; fixed.
 * @gating: the writer waits for this reader.
 * @router: the kernel's own cursor, on the outbox of an endpoint.
 * @ws: the reading socket; NULL while held by name only. Guarded by ring->lock.
 * @ring_link: in weir_ring.readers, under its lock; empty once detached.
 * @armed_link: in weir_ring.armed or waking, under its lock.
 * @sock_link: in weir_sock.readers, under its rlock.
 * @fence_gen: weir_ring.fence_gen when this reader last went to sleep.
 * @armed_fenced: since it was armed, a barrier has run on the writer's CPUs or
 *	was not needed. Of a reader that is not armed, without meaning. ring->lock.
 * @mm: address space that maps the cursor, held with mmgrab(); ring->lock.
 * @maps: number of such VMAs; ring->lock.
 * @forked: as weir_ring.owner_forked.
 * @evicted: no longer gating: it was too slow or its cursor was invalid.
 * @stuck_pos: cursor position when it first held the writer back; ring->lock.
 * @stuck_since: time of that look; 0 while the writer is free; ring->lock.
 * @resync_at: jiffies from which on a search after an overrun may take its
 *	whole length again, see recv.c; the socket's iolock.
 * @resync_left: bytes that may be searched until then; iolock.
 * @missed: records lost: overwritten, or published before a late join.
 * @notices: BIT(enum weir_notice_type) not yet posted; the inbox's post.lock.
 * @reason: reason of the last of these notices; the inbox's post.lock.
 * @resumed: a socket went on with this named cursor.
 * @joining: being attached: @ws is not set yet, and the cursor is not one that
 *	is held by name. Guarded by ring->lock.
 * @uid: user that made it.
 * @hold_ms: named: milliseconds that it is held after its socket has gone.
 * @hold_end: end of the hold time, in jiffies; ring->lock.
 * @tenant: user that made it, held; its worker calls the function of @hold.
 * @hold: detaches the cursor at @hold_end.
 * @name: cursor name, or "".
 */
struct weir_reader {
	refcount_t ref;
	struct weir_ring *ring;
	u32 slot;
	u64 start_pos;
	u32 start_seq;
	u32 id;
	u64 sub;
	struct page *page;
	struct weir_cursor *cursor;
	struct weir_charge charge;
	bool gating;
	bool router;
	struct weir_sock *ws;
	struct list_head ring_link;
	struct list_head armed_link;
	struct list_head sock_link;
	u32 fence_gen;
	bool armed_fenced;
	struct mm_struct *mm;
	unsigned int maps;
	bool forked;
	bool evicted;
	u64 stuck_pos;
	ktime_t stuck_since;
	unsigned long resync_at;
	u32 resync_left;
	u64 missed;
	unsigned long notices;
	enum weir_reason reason;
	bool resumed;
	bool joining;
	kuid_t uid;
	u32 hold_ms;
	unsigned long hold_end;
	struct weir_tenant *tenant;
	struct weir_timer hold;
	char name[WEIR_NAME_MAX + 1];
};

/**
 * struct weir_sock - an AF_WEIR socket
 * @sk: first, as the socket layer requires.
 * @wn: namespace.
 * @id: for WEIR_IOC_LIST.
 * @uid: user that made it.
 * @account: pays for all that the socket uses; held, never changes.
 * @tenant: user of @account, held; never changes.
 * @charge: for the socket itself; fixed.
 * @cred: credentials of the maker, held; for permission checks on paths; fixed.
 * @pid: process that made the socket; of an accepted one: its listener; held.
 * @ring_bytes: bytes of @outbox; 0: the tunable's. lock_sock guards options.
 * @inbox_bytes: bytes of @inbox; 0: the tunable's.
 * @node: NUMA node of the rings.
 * @mode: permission bits of the path.
 * @gid: group of the path, if @gid_set.
 * @gid_set: WEIR_SO_GROUP was given.
 * @huge: WEIR_SO_HUGE.
 * @evict_ms: WEIR_SO_EVICT_MS.
 * @linger_ms: WEIR_SO_LINGER_MS.
 * @hold_ms: WEIR_SO_HOLD_MS.
 * @start: WEIR_SO_START.
 * @demand: WEIR_SO_DEMAND.
 * @name: WEIR_SO_NAME.
 * @long_path: WEIR_SO_LONG_PATH, "" after its use; lock_sock.
 * @why: text of the last refusal, a static string; no lock.
 * @outbox: set once, stable until release.
 * @inbox: set once, stable until release.
 * @ep: endpoint, if it calls or serves; set once, stable until release.
 * @resumed: bind took over a lingering ring.
 * @path: path that the socket is bound to (pairs), or NULL; lock_sock.
 * @own_path: bound path, or the listener's for an accepted socket, or "".
 *	@own_path and @peer_path are written under weir_net.lock.
 * @peer_path: path or pattern given to connect, or the peer's own path.
 * @pattern: subscribed pattern, or NULL; weir_net.lock.
 * @pattern_link: in weir_pattern.subscribers; weir_net.lock.
 * @pattern_charge: for the subscription; weir_net.lock.
 * @sub_owner: of a subscription to a plain path: owner of the first path found,
 *	valid if @sub_bound; weir_net.lock.
 * @sub_bound: such a path was found; weir_net.lock.
 * @left_out: enum weir_reason of the last stream that was refused while there
 *	was no inbox for the notice; WEIR_REASON_NONE: no stream was.
 * @sub_seq: weir_net.seq when it subscribed; 0 without a subscription. Written
 *	under weir_net.lock and @rlock.
 * @memcg: memory cgroup of the first subscriber process, held. Cursors of the
 *	subscription are charged to it. NULL before, and without cgroups.
 * @late: streams it is joined to once there is memory; NULL without a
 *	subscription. Set under lock_sock and @rlock; workers take @rlock.
 * @peer: connected pair: the other end; guarded by pair_lock in pair.c.
 * @rlock: guards @readers, @nreaders and @barrier.
 * @readers: streams, by weir_reader.sock_link; the head is next in turn.
 * @ids: streams and the inbox's reader by id; its own xa_lock.
 * @nreaders: number of streams in @readers.
 * @next_id: where the search for the next id begins; xa_lock of @ids.
 * @barrier: scratch: CPUs that must run a barrier before the socket sleeps.
 * @iolock: one kernel receiver at a time.
 * @accept_lock: listening: guards the queue and the state TCP_LISTEN.
 * @backlog: listening: limit of @waiting; one more may wait. accept_lock.
 * @waiting: listening: connections in the queue, by user; accept_lock.
 * @accept_queue: listening: sockets, by @accept_link.
 * @accept_link: see @accept_queue.
 * @disconnect: job that ends the sockets in @accept_queue.
 * @connecter: waiting to be accepted: user whose share of the queue it takes.
 * @connect_wait: listening: waiters for room in the queue, the first of each
 *	user.
 * @connecters: listening: these, by weir_connecter.link; accept_lock.
 * @sent: records sent by sendmsg.
 * @received: records received by recvmsg.
 * @copied_bytes: payload bytes copied by sendmsg and recvmsg.
 * @missed: records that its streams lost, see weir_reader.missed.
 * @evicted: number of evictions of its readers.
 */
struct weir_sock {
	struct sock sk;
	struct weir_net *wn;
	unsigned long id;
	kuid_t uid;
	struct weir_account *account;
	struct weir_tenant *tenant;
	struct weir_charge charge;
	const struct cred *cred;
	struct pid *pid;

	u32 ring_bytes;
	u32 inbox_bytes;
	int node;
	umode_t mode;
	kgid_t gid;
	bool gid_set;
	bool huge;
	u32 evict_ms;
	u32 linger_ms;
	u32 hold_ms;
	u32 start;
	s32 demand;
	char name[WEIR_NAME_MAX + 1];
	char long_path[WEIR_PATH_MAX + 1];
	const char *why;

	struct weir_ring *outbox;
	struct weir_ring *inbox;
	struct weir_endpoint *ep;
	bool resumed;
	struct weir_path *path;
	char own_path[WEIR_PATH_MAX + 1];
	char peer_path[WEIR_PATH_MAX + 1];
	struct weir_pattern *pattern;
	struct list_head pattern_link;
	struct weir_charge pattern_charge;
	kuid_t sub_owner;
	bool sub_bound;
	enum weir_reason left_out;
	u64 sub_seq;
	struct mem_cgroup *memcg;
	struct weir_late *late;
	struct weir_sock *peer;

	spinlock_t rlock;
	struct list_head readers;
	struct xarray ids;
	u32 next_id;
	u32 nreaders;
	cpumask_var_t barrier;
	struct mutex iolock;

	spinlock_t accept_lock;
	u32 backlog;
	struct weir_tally waiting;
	struct list_head accept_queue;
	struct list_head accept_link;
	struct weir_job disconnect;
	kuid_t connecter;
	wait_queue_head_t connect_wait;
	struct list_head connecters;

	atomic64_t sent;
	atomic64_t received;
	atomic64_t copied_bytes;
	atomic64_t missed;
	atomic64_t evicted;
};

static inline struct weir_sock *weir_sk(const struct sock *sk)
{
	return (struct weir_sock *)sk;
}

/* Bytes of the outbox that the socket will get. */
static inline u32 weir_outbox_bytes(const struct weir_sock *ws)
{
	return ws->ring_bytes ?: min(READ_ONCE(weir_tunables.ring_bytes),
				     READ_ONCE(weir_tunables.ring_bytes_max));
}

/* Returns @err, and keeps the text @why for WEIR_SO_ERROR_TEXT. */
static inline int weir_refuse(struct weir_sock *ws, int err, const char *why)
{
	WRITE_ONCE(ws->why, why);
	return err;
}

/*
 * weir_memory_prime() for a socket's call that ran out of memory under a lock.
 * Clears the error text when the call is to be tried again.
 */
static inline bool weir_prime(struct weir_sock *ws, int err, u64 bytes,
			      unsigned int *tries)
{
	if (!weir_memory_prime(err, bytes, tries))
		return false;
	WRITE_ONCE(ws->why, NULL);
	return true;
}

/* --- charge.c --- */
extern struct weir_users weir_users;

struct weir_account *weir_account_of_current(struct net *net);
int weir_charge_account(struct weir_charge *c, struct weir_account *a,
			u64 bytes, u64 objects, const char *name,
			const char **why);
int weir_charge_sock(struct weir_charge *c, struct weir_sock *ws, u64 bytes,
		     u64 objects);
u64 weir_name_bytes(const char *name, u32 len);
bool weir_share_exempt(struct weir_sock *ws, const struct weir_account *owner);

/*
 * Aborted records that one look at a ring passes. If only aborted records were
 * seen, the stream counts as readable: recvmsg releases them in such steps.
 */
#define WEIR_LOOK_RECORDS	64

/*
 * Aborted records that one look passes in all streams of a socket, under its
 * rlock. When the budget is used up, a stream with any committed record counts
 * as readable, and the socket does not sleep.
 */
#define WEIR_LOOK_BUDGET	1024

/* Part of WEIR_LOOK_BUDGET that a look from @from to @to costs. */
static inline u32 weir_look_cost(u64 from, u64 to)
{
	return min_t(u64, (to - from) >> WEIR_GRANULE_SHIFT, WEIR_LOOK_RECORDS);
}

/* --- ring.c --- */
/* Key of a lingering stream: only the same user may take it over. */
static inline u64 weir_linger_key(const struct weir_path *path, kuid_t uid)
{
	return (u64)(unsigned long)path + __kuid_val(uid) * GOLDEN_RATIO_64;
}

struct weir_ring *weir_ring_create(struct weir_sock *ws, u64 bytes, bool inbox);
void weir_ring_get(struct weir_ring *ring);
void weir_ring_put(struct weir_ring *ring);
struct weir_ring *weir_ring_next(struct weir_net *wn, unsigned long *id);
void weir_ring_joined(struct weir_ring *ring);
void weir_ring_shut(struct weir_ring *ring, enum weir_reason reason);

/*
 * Is this thread of another user than @uid, and of another process than @pid? It
 * may close a socket last which it was passed, or by which a dead process was
 * passed: the work of that is not its own.
 */
static inline bool weir_stranger(kuid_t uid, const struct pid *pid)
{
	return !uid_eq(current_euid(), uid) && task_tgid(current) != pid;
}

void weir_ring_owner_gone(struct weir_ring *ring, struct weir_ring **outbox,
			  bool repair);
int weir_ring_repair(struct weir_ring *ring);
bool weir_ring_search(const struct weir_ring *ring, u64 from, u64 to, u64 *pos);
void weir_ring_close(struct weir_ring *ring, enum weir_state state,
		     enum weir_reason reason);
void weir_ring_break(struct weir_ring *ring, enum weir_reason reason);
void weir_ring_take_over(struct weir_ring *ring, struct weir_sock *ws);

static inline struct weir_status *weir_ring_status(const struct weir_ring *ring)
{
	/* const for the shared ring code; the kernel writes it */
	return (struct weir_status *)ring->view.status;
}

static inline bool weir_ring_live(const struct weir_ring *ring)
{
	u32 state = READ_ONCE(weir_ring_status(ring)->state);

	return state == WEIR_STATE_OPEN || state == WEIR_STATE_LINGER;
}

/* Is there a committed record at @pos? The owner may lie about it. */
static __always_inline bool weir_committed(const struct weir_ring_view *v,
					   u64 pos)
{
	return smp_load_acquire(&weir_ring_at(v, pos)->commit) ==
	       pos + v->secret;					/* (B) */
}

/*
 * Is there certainly nothing to see for the reader? A quick check for sleepers;
 * weir_reader_ready() decides the other cases.
 */
static __always_inline bool weir_reader_quiet(const struct weir_reader *rd)
{
	u64 pos = READ_ONCE(rd->cursor->pos);

	return rd->gating && !rd->evicted && !(pos & (WEIR_GRANULE - 1)) &&
	       weir_ring_live(rd->ring) &&
	       !weir_committed(&rd->ring->view, pos);
}

/* Counts copied payload bytes: for the socket, the ring and the whole host. */
static inline void weir_count_copy(struct weir_sock *ws, struct weir_ring *ring,
				   size_t bytes)
{
	atomic64_add(bytes, &ws->copied_bytes);
	atomic64_add(bytes,
		     (atomic64_t *)&weir_ring_status(ring)->copied_bytes);
	weir_stat_add(WEIR_STAT_COPIED_BYTES, bytes);
}

/* --- reader.c --- */
/**
 * enum weir_origin - the call in which a socket becomes a reader
 * @WEIR_ORIGIN_READER: the socket's own call: it starts at WEIR_SO_START.
 * @WEIR_ORIGIN_WRITER: bind of a publisher that has written nothing yet. It
 *	does not wait for memory of the reader's cgroup.
 * @WEIR_ORIGIN_LATE: a worker, for a publisher with many subscribers. The
 *	reader starts at the first position while the keeper holds it. The
 *	worker does not wait for memory either.
 * @WEIR_ORIGIN_LAST: a worker, for readers that found no memory as
 *	WEIR_ORIGIN_LATE. It waits for memory.
 */
enum weir_origin {
	WEIR_ORIGIN_READER,
	WEIR_ORIGIN_WRITER,
	WEIR_ORIGIN_LATE,
	WEIR_ORIGIN_LAST,
};

struct weir_reader *weir_reader_attach(struct weir_sock *ws,
				       struct weir_ring *ring, bool gating,
				       enum weir_origin origin, u64 sub);
struct weir_reader *weir_reader_attach_keeper(struct weir_sock *ws,
					      struct weir_ring *ring,
					      u32 hold_ms);
void weir_reader_detach(struct weir_reader *rd, enum weir_reason reason);
struct weir_reader *weir_reader_attach_router(struct weir_sock *ws,
					      struct weir_ring *ring);
struct weir_reader *weir_reader_find_named(const struct weir_sock *ws,
					   struct weir_ring *ring);
struct weir_reader *weir_reader_resume(struct weir_sock *ws,
				       struct weir_reader *found);
void weir_reader_evict(struct weir_reader *rd, enum weir_reason reason);
struct weir_reader *weir_reader_find(struct weir_sock *ws, u32 id);
void weir_reader_get(struct weir_reader *rd);
void weir_reader_put(struct weir_reader *rd);
bool weir_reader_ready(struct weir_reader *rd, u32 *left);
bool weir_reader_ended(struct weir_reader *rd, u64 pos);

/* --- hold.c --- */
void weir_reader_leave(struct weir_reader *rd);
void weir_reader_unhold(struct weir_reader *rd);
void weir_reader_undo(struct weir_sock *ws, struct weir_reader *rd);

/* --- wake.c --- */
void weir_fence_cpus(const struct cpumask *cpus);
void weir_ring_wake_readers(struct weir_ring *ring);
void weir_ring_wake_writer(struct weir_ring *ring);
bool weir_arm_readable(struct weir_sock *ws);
bool weir_writable(struct weir_ring *ring, u64 bytes);
bool weir_arm_writable(struct weir_ring *ring, u64 bytes);
__poll_t weir_poll(struct file *file, struct socket *sock, poll_table *wait);
int weir_sock_wait(struct weir_sock *ws, u32 flags, u64 bytes, s64 timeout_ns);
void weir_ring_reap(struct weir_timer *timer);
u64 weir_out_want(const struct weir_ring *ring);

/* --- path.c --- */
bool weir_sock_admin(const struct weir_sock *ws);
struct weir_path *weir_path_get(struct weir_sock *ws, const char *name,
				u32 len, enum weir_use use);
void weir_path_put(struct weir_path *path);
struct weir_path *weir_prefix_hold(struct weir_sock *ws, const char *name,
				   u32 len);
void weir_path_unhold(struct weir_sock *ws, struct weir_path *path);
bool weir_path_owns(struct weir_sock *ws, const struct weir_path *path);
bool weir_path_succeeds(const struct weir_path *path, kuid_t owner);
struct weir_path *weir_path_find(struct weir_net *wn, const char *name,
				 u32 len);
bool weir_path_permits(struct weir_sock *ws, const struct weir_path *path,
		       int access);

/* --- pubsub.c --- */
int weir_publish(struct weir_sock *ws, const char *name, u32 len);
int weir_sock_subscribe(struct weir_sock *ws, const char *pattern, u32 len);
void weir_unsubscribe(struct weir_sock *ws);
void weir_joins_first(struct weir_net *wn);

/* --- pair.c --- */
int weir_pair_bind(struct weir_sock *ws, const char *name, u32 len);
int weir_pair_connect(struct weir_sock *ws, const char *name, u32 len,
		      int flags);
int weir_sock_listen(struct socket *sock, int backlog);
int weir_pair_accept(struct socket *sock, struct socket *newsock, int flags);
int weir_socketpair(struct socket *a, struct socket *b);
int weir_sock_shutdown(struct socket *sock, int how);
void weir_pair_reset(struct weir_sock *ws);
void weir_pair_release(struct weir_sock *ws);
void weir_sock_destroy(struct weir_sock *ws);

/* --- send.c, recv.c --- */
int weir_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int weir_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		 int flags);

/* --- map.c --- */
int weir_mmap(struct file *file, struct socket *sock,
	      struct vm_area_struct *vma);
int weir_map_describe(struct weir_sock *ws, struct weir_ioc_map *map);
loff_t weir_map_cursor_offset(u32 slot);

/* --- control.c --- */
int weir_copy_in(struct weir_sock *ws, void *to, size_t known,
		 const void __user *from);
int weir_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
int weir_compat_ioctl(struct socket *sock, unsigned int cmd,
		      unsigned long arg);
int weir_setsockopt(struct socket *sock, int level, int name,
		    sockptr_t value, unsigned int len);
int weir_getsockopt(struct socket *sock, int level, int name,
		    char __user *value, int __user *len);

/* --- list.c --- */
int weir_list(struct weir_sock *ws, void __user *arg);

/* --- routelist.c --- */
struct weir_list_ctx;
int weir_list_routes(struct weir_list_ctx *ctx);
int weir_list_targets(struct weir_list_ctx *ctx);

/* --- socket.c --- */
struct weir_sock *weir_sock_next(struct weir_net *wn, unsigned long *id);
struct sock *weir_sock_alloc(struct net *net, struct socket *sock, int type,
			     int kern, const struct weir_sock *listener);
int weir_socket_init(void);
void weir_socket_exit(void);

/* --- sysfs.c --- */
int weir_sysfs_init(void);
void weir_sysfs_exit(void);

#endif /* _WEIR_MODULE_H */
