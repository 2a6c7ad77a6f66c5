// SPDX-License-Identifier: GPL-2.0
/*
 * The model of the kernel, see model.h. One mutex guards all of it and one
 * condition variable is where everybody sleeps; the words in shared memory are
 * handled exactly as the module handles them, since those are under test.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "../../../userlib/private.h"
#include "../../tap/tap.h"
#include "model_private.h"

#define MODEL_SLEEP_S	5		/* a sleep this long was not woken */
#define MODEL_GRAVES	32		/* dead rings that stay mapped for a while */
#define MODEL_MAPS	4096		/* mappings at once */

#ifdef __SANITIZE_THREAD__
#define MODEL_SHARED_MAPPING	1
#else
#define MODEL_SHARED_MAPPING	0
#endif

__u64 model_start_pos;
__u32 model_start_seq;
int model_fence_mode;
int model_lost_wakeups;
int model_kicks, model_waits;
int model_family_errno;
int model_family = WEIR_FAMILY_DEFAULT;
__u32 model_inbox_bytes = 16384;

static pthread_mutex_t model_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t model_cond = PTHREAD_COND_INITIALIZER;
struct model_sock *model_socks[MODEL_FDS];
static __u64 model_secrets = 0x9e3779b97f4a7c15ULL;

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_munmap(void *at, size_t len);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);

struct weir_cursor *model_cursor(const struct model_reader *rd)
{
	return (void *)(rd->ring->cursors + (1 + rd->slot) * WEIR_PAGE_BYTES);
}

/* Sleepers look again, each at what it sleeps for. */
void model_wake_all(void)
{
	pthread_cond_broadcast(&model_cond);
}

/* --- memory --- */

/* Address space with a guard page on either side. */
static unsigned char *model_reserve(size_t len)
{
	unsigned char *at = mmap(NULL, len + 2 * WEIR_PAGE_BYTES, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 -1, 0);

	tap_need(at != MAP_FAILED);
	return at + WEIR_PAGE_BYTES;
}

static void model_place(unsigned char *at, size_t len, int prot, int fd,
			off_t offset)
{
	tap_need(mmap(at, len, prot, MAP_SHARED | MAP_FIXED, fd, offset) == at);
}

/* status, head, data, data; from the page numbered @from on. */
static unsigned char *model_map_data(const struct model_ring *ring, int from,
				     int prot)
{
	size_t bytes = weir_ring_bytes(&ring->v);
	size_t lead = (size_t)(2 - from) * WEIR_PAGE_BYTES;
	unsigned char *at = model_reserve(lead + 2 * bytes);

	model_place(at, lead + bytes, prot, ring->memfd,
		    (off_t)from * WEIR_PAGE_BYTES);
	model_place(at + lead + bytes, bytes, prot, ring->memfd,
		    2 * WEIR_PAGE_BYTES);
	return at;
}

static unsigned char *model_map_cursors(const struct model_ring *ring, int prot)
{
	size_t len = (size_t)WEIR_SLOTS_MAX * WEIR_PAGE_BYTES;
	unsigned char *at = model_reserve(len + WEIR_PAGE_BYTES);

	model_place(at, WEIR_PAGE_BYTES, PROT_READ, ring->memfd, 0);
	model_place(at + WEIR_PAGE_BYTES, len, prot, ring->cursor_fd, 0);
	return at;
}

struct model_ring *model_ring_new(__u32 bytes, int type, __u64 pos, __u32 seq)
{
	struct model_ring *ring = calloc(1, sizeof(*ring));
	struct weir_status *st;

	tap_need(ring);
	ring->type = type;
	ring->owned = true;
	ring->v.mask = bytes - 1;
	ring->memfd = memfd_create("ring", 0);
	ring->cursor_fd = memfd_create("cursors", 0);
	tap_need(!ftruncate(ring->memfd, 2 * WEIR_PAGE_BYTES + (off_t)bytes));
	tap_need(!ftruncate(ring->cursor_fd,
			    (off_t)WEIR_SLOTS_MAX * WEIR_PAGE_BYTES));
	ring->base = model_map_data(ring, 0, PROT_READ | PROT_WRITE);
	ring->cursors = model_map_cursors(ring, PROT_READ | PROT_WRITE);
	st = ring->status = (void *)ring->base;
	st->magic = WEIR_STATUS_MAGIC;
	st->version = WEIR_ABI_VERSION;
	st->secret = model_secrets | 1;
	model_secrets *= 0xd1342543de82ef95ULL;
	st->ring_bytes = bytes;
	st->flags = type == SOCK_DGRAM ? WEIR_STATUS_LOSSY : 0;
	st->state = WEIR_STATE_OPEN;
	st->wake_pos = ~0ULL;
	st->wake = model_fence_mode ? WEIR_WAKE_FENCE : 0;
	ring->v.status = st;
	ring->v.head = (void *)(ring->base + WEIR_PAGE_BYTES);
	ring->v.data = ring->base + 2 * WEIR_PAGE_BYTES;
	ring->v.secret = st->secret;
	ring->v.head->claim = weir_ring_pack((__u32)(pos >> WEIR_GRANULE_SHIFT),
					     seq);
	ring->v.head->limit = pos;
	ring->v.head->intent = pos;
	ring->v.head->seq_limit = seq;
	return ring;
}

static void model_unreserve(unsigned char *at, size_t len)
{
	__real_munmap(at - WEIR_PAGE_BYTES, len + 2 * WEIR_PAGE_BYTES);
}

/*
 * Buries a ring that nobody owns or reads. The library may have it mapped
 * until its next peek, so it goes when some more have died.
 */
static void model_ring_put(struct model_ring *ring)
{
	static struct model_ring *graves[MODEL_GRAVES];
	static unsigned int next;
	struct model_ring *old;
	unsigned int slot;

	for (slot = 0; slot < MODEL_SLOTS; slot++) {
		if (ring->slots[slot])
			return;
	}
	if (ring->owned || ring->dead)
		return;
	ring->dead = true;
	old = graves[next];
	graves[next] = ring;
	next = (next + 1) % MODEL_GRAVES;
	if (!old)
		return;
	model_unreserve(old->base, 2 * WEIR_PAGE_BYTES +
				   2 * weir_ring_bytes(&old->v));
	model_unreserve(old->cursors, (1 + (size_t)WEIR_SLOTS_MAX) *
				      WEIR_PAGE_BYTES);
	__real_close(old->memfd);
	__real_close(old->cursor_fd);
	free(old);
}

/* --- readers --- */

static void model_status_gen(struct model_ring *ring)
{
	weir_store_release(&ring->status->gen, ring->status->gen + 1);
}

static bool model_gates(const struct model_reader *rd)
{
	return rd->gating && !rd->evicted;
}

/* Posts what waits on the streams of a socket, as far as there is room. */
static void model_post(struct model_sock *ws)
{
	struct model_ring *in = ws->inbox;
	unsigned int id, type;

	if (!in)
		return;
	in->status->wake_pos = ~0ULL;
	for (id = WEIR_ID_STREAM; id < MODEL_READERS; id++) {
		struct model_reader *rd = ws->readers[id];

		for (type = 0; rd && type < 8; type++) {
			struct weir_notice n = { .type = type, .id = id,
						 .path_len = 4 };
			struct weir_ring_scan scan;
			struct weir_record *rec;
			__u32 seq, total = weir_ring_need(sizeof(n) + 4);
			__u64 pos;

			if (!(rd->notices & 1U << type))
				continue;
			tap_need(!weir_ring_scan_begin(&in->v, &scan));
			weir_ring_scan_cursor(&in->v, &scan,
					      model_cursor(ws->readers[1]));
			weir_ring_scan_end(&in->v, &scan);
			if (weir_ring_claim(&in->v, total, 0, &pos, &seq)) {
				weir_store(&in->status->wake_pos, 0);
				return;
			}
			rec = weir_ring_at(&in->v, pos);
			weir_store(&rec->len, (__u32)sizeof(n) + 4);
			weir_store(&rec->kind, WEIR_KIND_NOTICE);
			weir_store(&rec->flags, 0);
			weir_store(&rec->ext, 0);
			weir_store(&rec->seq, seq);
			memcpy(rec + 1, &n, sizeof(n));
			memcpy((char *)(rec + 1) + sizeof(n), "/out", 4);
			weir_ring_commit(&in->v, rec, pos);
			rd->notices &= ~(1U << type);
		}
	}
}

static void model_notify(struct model_reader *rd, unsigned int type)
{
	unsigned int fd, id;

	for (fd = 0; fd < MODEL_FDS; fd++) {
		for (id = 0; model_socks[fd] && id < MODEL_READERS; id++) {
			if (model_socks[fd]->readers[id] == rd &&
			    model_socks[fd]->inbox) {
				rd->notices |= 1U << type;
				model_post(model_socks[fd]);
			}
		}
	}
}

struct model_reader *model_attach(struct model_sock *ws, unsigned int id,
				  struct model_ring *ring)
{
	struct model_reader *rd = calloc(1, sizeof(*rd));
	struct weir_status *st = ring->status;
	struct weir_cursor *c;
	__u64 pos;
	__u32 seq;

	tap_need(rd);
	while (id < MODEL_READERS && ws->readers[id])
		id++;
	while (rd->slot < MODEL_SLOTS && ring->slots[rd->slot])
		rd->slot++;
	tap_need(id < MODEL_READERS && rd->slot < MODEL_SLOTS);
	rd->ring = ring;
	rd->gating = ring->type != SOCK_DGRAM && ws->type != SOCK_DGRAM;
	c = model_cursor(rd);
	tap_need(!weir_ring_tail(&ring->v, &pos, &seq));
	weir_store(&c->seq, seq);
	weir_store(&c->flags, ws->demand >= 0 ? WEIR_CURSOR_DEMAND : 0);
	weir_store(&c->demand, seq + (__u32)ws->demand);
	weir_store_release(&c->pos, pos);
	if (rd->slot >= st->nslots)
		weir_store(&st->nslots, rd->slot + 1);
	if (rd->gating) {
		weir_store(&st->gating[0], st->gating[0] | 1ULL << rd->slot);
		model_status_gen(ring);
	}
	/* the tail may have moved before the writer could see the gating bit */
	weir_fence();						/* (E) */
	tap_need(!weir_ring_tail(&ring->v, &pos, &seq));
	weir_store(&c->seq, seq);
	weir_store_release(&c->pos, pos);
	ring->slots[rd->slot] = rd;
	ws->readers[id] = rd;
	if (id >= WEIR_ID_STREAM) {
		rd->notices = 1U << WEIR_NOTICE_ATTACHED;
		model_post(ws);
	}
	return rd;
}

static void model_ungate(struct model_reader *rd)
{
	struct weir_status *st = rd->ring->status;

	if (st->gating[0] & 1ULL << rd->slot) {
		weir_store(&st->gating[0],
			   st->gating[0] & ~(1ULL << rd->slot));
		model_status_gen(rd->ring);
	}
}

static void model_evict_reader(struct model_reader *rd)
{
	rd->evicted = true;
	model_ungate(rd);
	model_notify(rd, WEIR_NOTICE_EVICTED);
}

void model_detach(struct model_sock *ws, unsigned int id)
{
	struct model_reader *rd = ws->readers[id];

	model_ungate(rd);
	rd->ring->slots[rd->slot] = NULL;
	ws->readers[id] = NULL;
	model_ring_put(rd->ring);
	free(rd);
	pthread_cond_broadcast(&model_cond);
}

/* --- readiness, as in module/ring/wake.c --- */

static bool model_ended(const struct model_ring *ring)
{
	return ring->status->state != WEIR_STATE_OPEN;
}

static bool model_reader_ready(const struct model_reader *rd)
{
	__u64 pos = weir_load(&model_cursor(rd)->pos), tail;
	struct weir_ring_rec rec;
	__u32 seq;

	if (rd->evicted || pos & (WEIR_GRANULE - 1) || model_ended(rd->ring) ||
	    weir_ring_peek(&rd->ring->v, &pos, &rec))
		return true;
	return !rd->gating && !weir_ring_tail(&rd->ring->v, &tail, &seq) &&
	       tail - pos > weir_ring_bytes(&rd->ring->v);
}

static bool model_readable(const struct model_sock *ws)
{
	unsigned int id;

	for (id = 0; id < MODEL_READERS; id++) {
		if (ws->readers[id] && model_reader_ready(ws->readers[id]))
			return true;
	}
	return false;
}

static bool model_writable(struct model_ring *ring, __u64 bytes)
{
	struct weir_ring_scan scan;
	unsigned int slot;
	__u64 tail;
	__u32 seq;

	if (model_ended(ring) || weir_ring_scan_begin(&ring->v, &scan))
		return true;
	for (slot = 0; slot < MODEL_SLOTS; slot++) {
		struct model_reader *rd = ring->slots[slot];

		if (rd && model_gates(rd) &&
		    weir_ring_scan_cursor(&ring->v, &scan, model_cursor(rd)))
			model_evict_reader(rd);
	}
	weir_ring_scan_end(&ring->v, &scan);
	if (!scan.room || weir_ring_tail(&ring->v, &tail, &seq))
		return !!scan.room;
	return (__s64)(scan.min + weir_ring_bytes(&ring->v) - tail) >=
	       (__s64)bytes;
}

/* --- sleeping --- */

/* A full barrier on every CPU that runs a thread of ours. */
static void model_fence_cpus(void)
{
	static bool registered;

	if (!registered)
		syscall(__NR_membarrier,
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	registered = true;
	tap_need(!syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			  0, 0));
}

static void model_arm(struct model_sock *ws, __u32 flags, __u64 bytes)
{
	unsigned int id;

	for (id = 0; flags & WEIR_WAIT_IN && id < MODEL_READERS; id++) {
		struct model_reader *rd = ws->readers[id];

		if (!rd)
			continue;
		rd->armed = true;
		weir_store(&rd->ring->status->wake,
			   rd->ring->status->wake | WEIR_WAKE_READERS);
	}
	if (flags & WEIR_WAIT_OUT && ws->outbox) {
		struct weir_status *st = ws->outbox->status;

		ws->outbox->want = bytes;
		/* any move will do; the module is choosier */
		weir_store(&st->wake_pos, 0);
		weir_store(&st->wake, st->wake | WEIR_WAKE_WRITER);
	}
	weir_fence();						/* (C) */
	if (!model_fence_mode || flags & WEIR_WAIT_OUT)
		model_fence_cpus();
}

static __u32 model_ready(struct model_sock *ws, __u32 flags, __u64 bytes)
{
	__u32 ready = 0;

	if (flags & WEIR_WAIT_IN && model_readable(ws))
		ready |= WEIR_WAIT_IN;
	if (flags & WEIR_WAIT_OUT && ws->outbox &&
	    model_writable(ws->outbox, bytes))
		ready |= WEIR_WAIT_OUT;
	return ready;
}

static void model_kick_readers(struct model_ring *ring)
{
	unsigned int slot;

	weir_store(&ring->status->wake,
		   ring->status->wake & ~WEIR_WAKE_READERS);
	for (slot = 0; slot < MODEL_SLOTS; slot++) {
		if (ring->slots[slot])
			ring->slots[slot]->armed = false;
	}
	pthread_cond_broadcast(&model_cond);
}

static void model_kick_writer(struct model_ring *ring)
{
	if (!model_writable(ring, ring->want))
		return;
	weir_store(&ring->status->wake, ring->status->wake & ~WEIR_WAKE_WRITER);
	weir_store(&ring->status->wake_pos, ~0ULL);
	pthread_cond_broadcast(&model_cond);
}

static int model_wait(struct model_sock *ws, const struct weir_so_wait *wait)
{
	__u64 ns = wait->timeout_ns < 0 ? ~0ULL : (__u64)wait->timeout_ns;
	bool mine = ns < MODEL_SLEEP_S * 1000000000ULL;
	struct timespec until;
	__u32 ready;

	if (!mine)
		ns = MODEL_SLEEP_S * 1000000000ULL;
	clock_gettime(CLOCK_REALTIME, &until);
	ns += (__u64)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1000000000);
	until.tv_nsec = (long)(ns % 1000000000);
	for (;;) {
		ready = model_ready(ws, wait->flags, wait->bytes);
		if (ready)
			return (int)ready;
		model_arm(ws, wait->flags, wait->bytes);
		ready = model_ready(ws, wait->flags, wait->bytes);
		if (ready || !wait->timeout_ns)
			return (int)ready;
		if (!pthread_cond_timedwait(&model_cond, &model_lock, &until))
			continue;
		ready = model_ready(ws, wait->flags, wait->bytes);
		if (!mine && ready)
			model_lost_wakeups++;
		if (!ready && model_route_expire())
			ready = model_ready(ws, wait->flags, wait->bytes);
		return (int)ready;
	}
}

/* --- the system calls of the library --- */

static struct model_sock *model_sock_new(int type, __u32 ring_bytes, int *fd)
{
	struct model_sock *ws = calloc(1, sizeof(*ws));

	*fd = __real_open("/dev/null", O_RDWR);
	tap_need(ws && *fd >= 0 && *fd < MODEL_FDS);
	ws->type = type;
	ws->ring_bytes = ring_bytes;
	ws->demand = -1;
	model_socks[*fd] = ws;
	return ws;
}

void model_inbox_new(struct model_sock *ws)
{
	ws->inbox = model_ring_new(ws->inbox_bytes ? ws->inbox_bytes :
				   model_inbox_bytes, SOCK_RDM, 0, 0);
	model_attach(ws, WEIR_ID_INBOX, ws->inbox);
	weir_store(&model_cursor(ws->readers[1])->flags, 0);
}

static int model_ioc_map(struct model_sock *ws, struct weir_ioc_map *ioc)
{
	bool out = ioc->id == WEIR_ID_OUTBOX;
	struct model_reader *rd = NULL;
	struct model_ring *ring = ws->outbox;
	unsigned int id;

	tap_need(ioc->size == sizeof(*ioc));
	if (ioc->id == WEIR_ID_INBOX && !ws->inbox) {
		model_inbox_new(ws);
		/* streams are announced; what befell them before is not */
		for (id = WEIR_ID_STREAM; id < MODEL_READERS; id++) {
			if (ws->readers[id])
				ws->readers[id]->notices =
					1U << WEIR_NOTICE_ATTACHED;
		}
		model_post(ws);
	}
	if (!out) {
		rd = ioc->id < MODEL_READERS ? ws->readers[ioc->id] : NULL;
		ring = rd ? rd->ring : NULL;
	}
	if (!ring)
		return -ENXIO;
	ioc->gating = rd && rd->gating;
	ioc->slot = rd ? rd->slot : 0;
	ioc->ring_bytes = weir_ring_bytes(&ring->v);
	ioc->offset[WEIR_MAP_VIEW] = (__u64)ioc->id << 36;
	ioc->offset[WEIR_MAP_OWN] = (__u64)ioc->id << 36 | 1ULL << 34;
	ioc->length[WEIR_MAP_VIEW] = out ?
		(1 + (__u64)WEIR_SLOTS_MAX) * WEIR_PAGE_BYTES :
		2 * WEIR_PAGE_BYTES + 2 * ioc->ring_bytes;
	ioc->length[WEIR_MAP_OWN] = WEIR_PAGE_BYTES +
				    (out ? 2 * ioc->ring_bytes : 0);
	return 0;
}

/* Every path is a good one, but there must be one. */
static void model_use_path(struct model_sock *ws, const struct sockaddr *sa,
			   socklen_t len)
{
	const struct sockaddr_weir *addr = (const void *)sa;

	tap_need(len == sizeof(*addr) && addr->sw_family == model_family);
	tap_need(addr->sw_path[0] ? !ws->long_path[0] :
		 strlen(ws->long_path) > sizeof(addr->sw_path));
	ws->long_path[0] = '\0';
}

int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct model_sock *ws = model_socks[fd];
	int i;

	pthread_mutex_lock(&model_lock);
	model_use_path(ws, addr, len);
	ws->bound = true;
	ws->outbox = model_ring_new(ws->ring_bytes, ws->type, model_start_pos,
				    model_start_seq);
	for (i = 0; i < MODEL_FDS; i++) {
		if (model_socks[i] && model_socks[i]->subscribed)
			model_attach(model_socks[i], WEIR_ID_STREAM,
				     ws->outbox);
	}
	pthread_mutex_unlock(&model_lock);
	return 0;
}

/* What connect(2) does for a subscriber. */
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct model_sock *ws = model_socks[fd];
	int i;

	pthread_mutex_lock(&model_lock);
	model_use_path(ws, addr, len);
	ws->subscribed = true;
	for (i = 0; i < MODEL_FDS; i++) {
		if (model_socks[i] && model_socks[i]->bound)
			model_attach(ws, WEIR_ID_STREAM,
				     model_socks[i]->outbox);
	}
	pthread_mutex_unlock(&model_lock);
	return 0;
}

static int model_kick(struct model_sock *ws, unsigned long what)
{
	unsigned long id = what >> 8;

	model_kicks++;
	if (what & WEIR_KICK_READERS && ws->outbox) {
		model_kick_readers(ws->outbox);
		model_route_run(ws);
	}
	if (what & WEIR_KICK_WRITER && id < MODEL_READERS && ws->readers[id])
		model_kick_writer(ws->readers[id]->ring);
	if (what & WEIR_KICK_INBOX) {
		model_post(ws);
		model_route_resume();
	}
	return 0;
}

static int model_ioctl(struct model_sock *ws, unsigned long request, void *arg)
{
	unsigned long id = (unsigned long)arg;

	switch (request) {
	case WEIR_IOC_MAP:
		return model_ioc_map(ws, arg);
	case WEIR_IOC_DETACH:
		if (id >= MODEL_READERS || !ws->readers[id])
			return -ENXIO;
		model_detach(ws, (unsigned int)id);
		return 0;
	default:
		return model_route_ioctl(ws, request, arg);
	}
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	pthread_mutex_lock(&model_lock);
	tap_need(fd >= 0 && fd < MODEL_FDS && model_socks[fd]);
	ret = model_ioctl(model_socks[fd], request, arg);
	pthread_mutex_unlock(&model_lock);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

/* Mappings that the library has: is one of them @from? It becomes @to. */
static bool model_given(void *from, void *to)
{
	static void *given[MODEL_MAPS];
	int i = 0;

	while (i < MODEL_MAPS && given[i] != from)
		i++;
	if (i < MODEL_MAPS)
		given[i] = to;
	tap_need(from || i < MODEL_MAPS);
	return i < MODEL_MAPS;
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	unsigned int id = (unsigned int)(off >> 36);
	bool own = off >> 34 & 1;
	struct model_ring *ring;
	struct model_sock *ws;
	void *p;

	if (fd < 0 || fd >= MODEL_FDS || !model_socks[fd])
		return __real_mmap(at, len, prot, flags, fd, off);
	/* as a module before parts of the owner's view could be mapped */
	if (!id && !own && len != (1 + (size_t)WEIR_SLOTS_MAX) * WEIR_PAGE_BYTES) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	pthread_mutex_lock(&model_lock);
	ws = model_socks[fd];
	ring = id ? ws->readers[id]->ring : ws->outbox;
	if (!id)
		p = own ? (MODEL_SHARED_MAPPING ? ring->base + WEIR_PAGE_BYTES :
			   model_map_data(ring, 1, prot)) :
			  (MODEL_SHARED_MAPPING ? ring->cursors :
			   model_map_cursors(ring, prot));
	else if (!own)
		p = MODEL_SHARED_MAPPING ? ring->base :
		    model_map_data(ring, 0, prot);
	else if (MODEL_SHARED_MAPPING) {
		p = model_cursor(ws->readers[id]);
	} else {
		p = model_reserve(WEIR_PAGE_BYTES);
		model_place(p, WEIR_PAGE_BYTES, prot, ring->cursor_fd,
			    (off_t)ws->readers[id]->slot * WEIR_PAGE_BYTES);
	}
	model_given(NULL, p);
	pthread_mutex_unlock(&model_lock);
	return p;
}

void model_forget(struct weir *w)
{
	if (w->inbox)
		weir_fork_del_stream(w->inbox);
	weir_fork_del(w);
	free(w->inbox);
	free(w);
}

int __wrap_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len)
{
	bool ours;

	pthread_mutex_lock(&model_lock);
	ours = model_given(at, NULL);
	pthread_mutex_unlock(&model_lock);
	if (!ours)
		return __real_munmap(at, len);
	if (!MODEL_SHARED_MAPPING)
		model_unreserve(at, len);
	return 0;
}

int __wrap_open(const char *path, int flags);
int __wrap_open(const char *path, int flags)
{
	int fd;

	if (strcmp(path, "/sys/module/weir/parameters/family"))
		return __real_open(path, flags);
	if (model_family_errno) {
		errno = model_family_errno;
		return -1;
	}
	fd = memfd_create("family", 0);
	tap_need(write(fd, "18\n", 3) == 3 && !lseek(fd, 0, SEEK_SET));
	return fd;
}

int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
	int fd;

	tap_need(!protocol);
	if (domain != model_family) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	pthread_mutex_lock(&model_lock);
	model_sock_new(type & 0xff, 4096, &fd);
	pthread_mutex_unlock(&model_lock);
	return fd;
}

static int model_set_wait(struct model_sock *ws,
			  const struct weir_so_wait *wait, socklen_t len)
{
	int ret;

	tap_need(len == sizeof(*wait) && !wait->reserved);
	pthread_mutex_lock(&model_lock);
	model_waits++;
	if (wait->flags & WEIR_WAIT_KICK)
		model_kick(ws, WEIR_KICK_READERS);
	ret = model_wait(ws, wait);
	pthread_mutex_unlock(&model_lock);
	return ret;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len);
int __wrap_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len)
{
	tap_need(level == SOL_WEIR);
	if (option == WEIR_SO_WAIT)
		return model_set_wait(model_socks[fd], value, len);
	if (option == WEIR_SO_LONG_PATH) {
		tap_need(len <= WEIR_PATH_MAX);
		memcpy(model_socks[fd]->long_path, value, len);
		model_socks[fd]->long_path[len] = '\0';
		return 0;
	}
	tap_need(len == sizeof(int));
	if (option == WEIR_SO_KICK) {
		pthread_mutex_lock(&model_lock);
		model_kick(model_socks[fd], *(const unsigned int *)value);
		pthread_mutex_unlock(&model_lock);
	}
	if (option == WEIR_SO_DRAIN) {
		pthread_mutex_lock(&model_lock);
		model_drain(model_socks[fd]);
		pthread_mutex_unlock(&model_lock);
	}
	if (option == WEIR_SO_RING_BYTES)
		memcpy(&model_socks[fd]->ring_bytes, value, len);
	if (option == WEIR_SO_DEMAND)
		memcpy(&model_socks[fd]->demand, value, len);
	if (option == WEIR_SO_INBOX_BYTES)
		memcpy(&model_socks[fd]->inbox_bytes, value, len);
	return 0;
}

int __wrap_getsockopt(int fd, int level, int option, void *value,
		      socklen_t *len);
int __wrap_getsockopt(int fd, int level, int option, void *value,
		      socklen_t *len)
{
	const struct model_sock *ws = model_socks[fd];
	struct weir_sock_info *info = value;

	if (level == SOL_SOCKET) {
		*(int *)value = option == SO_DOMAIN ? model_family : ws->type;
		return 0;
	}
	memset(value, 0, *len);
	if (option == WEIR_SO_INFO && ws->outbox)
		info->ring_bytes = weir_ring_bytes(&ws->outbox->v);
	if (option == WEIR_SO_PEER_PATH && ws->subscribed)
		memcpy(value, "/out", 4);
	if (option == WEIR_SO_PATH && ws->bound)
		memcpy(value, "/out", 4);
	return 0;
}

/* The socket's readers leave; its outbox ends. */
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	struct model_sock *ws;
	unsigned int id;

	/* other threads open files, with the numbers of sockets that were */
	pthread_mutex_lock(&model_lock);
	ws = fd >= 0 && fd < MODEL_FDS ? model_socks[fd] : NULL;
	pthread_mutex_unlock(&model_lock);
	if (ws) {
		if (ws->outbox)
			model_end(fd, WEIR_STATE_CLOSED);
		pthread_mutex_lock(&model_lock);
		model_route_close(ws);
		for (id = 0; id < MODEL_READERS; id++) {
			if (ws->readers[id])
				model_detach(ws, id);
		}
		if (ws->outbox) {
			ws->outbox->owned = false;
			model_ring_put(ws->outbox);
		}
		if (ws->inbox) {
			ws->inbox->owned = false;
			model_ring_put(ws->inbox);
		}
		model_socks[fd] = NULL;
		free(ws);
		pthread_mutex_unlock(&model_lock);
	}
	return __real_close(fd);
}

/* --- what tests ask of the kernel --- */

struct model_words model_words(int fd, unsigned int slot)
{
	struct model_ring *ring = model_socks[fd]->outbox;
	struct model_words words = {
		.status = ring->status,
		.head = ring->v.head,
		.data = ring->v.data,
		.cursor = (void *)(ring->cursors + (1 + (size_t)slot) *
						   WEIR_PAGE_BYTES),
	};

	return words;
}

void model_pair(int fd[2], __u32 ring_bytes)
{
	struct model_sock *ws[2];
	int i;

	pthread_mutex_lock(&model_lock);
	for (i = 0; i < 2; i++) {
		ws[i] = model_sock_new(SOCK_SEQPACKET, ring_bytes, &fd[i]);
		ws[i]->outbox = model_ring_new(ring_bytes, SOCK_SEQPACKET,
					       model_start_pos, model_start_seq);
	}
	for (i = 0; i < 2; i++)
		model_attach(ws[i], WEIR_ID_STREAM, ws[!i]->outbox);
	pthread_mutex_unlock(&model_lock);
}

void model_end(int fd, enum weir_state state)
{
	struct model_ring *ring;
	unsigned int slot;
	__u64 pos = 0;
	__u32 seq = 0;

	pthread_mutex_lock(&model_lock);
	ring = model_socks[fd]->outbox;
	if (!model_ended(ring)) {
		weir_ring_tail(&ring->v, &pos, &seq);
		weir_store(&ring->status->final_pos, pos);
		weir_store(&ring->status->final_seq, seq);
		weir_store_release(&ring->status->state, state);
		weir_store(&ring->status->wake,
			   ring->status->wake | WEIR_WAKE_CLOSED);
		for (slot = 0; slot < MODEL_SLOTS; slot++) {
			if (ring->slots[slot])
				model_notify(ring->slots[slot],
					     state == WEIR_STATE_BROKEN ?
					     WEIR_NOTICE_BROKEN :
					     WEIR_NOTICE_DETACHED);
		}
		pthread_cond_broadcast(&model_cond);
	}
	pthread_mutex_unlock(&model_lock);
}

void model_evict(int fd, unsigned int slot)
{
	pthread_mutex_lock(&model_lock);
	model_evict_reader(model_socks[fd]->outbox->slots[slot]);
	pthread_cond_broadcast(&model_cond);
	pthread_mutex_unlock(&model_lock);
}
