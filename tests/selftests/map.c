// SPDX-License-Identifier: GPL-2.0
/*
 * mmap of rings, without the library: each region can be had whole, shared and
 * with its own protection only; what is read-only stays so against mprotect,
 * /proc/pid/mem, ptrace, process_vm_writev and pages pinned by the kernel; fork
 * does not inherit, nothing is split, moved or grown; one address space writes
 * at a time; a mapping outlives descriptor and peer; the owner always sees the
 * cursor page of the reader that has the slot now; a new ring is all zero.
 */
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "hard.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

#define RING	(64 << 10)

static bool refused(int fd, size_t len, int prot, int flags, uint64_t offset)
{
	void *p = mmap(NULL, len, prot, flags, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return true;
	munmap(p, len);
	return false;
}

/* One ring's regions, every wrong way. */
static void wrong_ways(int fd, uint32_t id, const char *whose)
{
	struct weir_ioc_map d = { .size = sizeof(d), .id = id };
	int region, bad = 0;

	need(!ioctl(fd, WEIR_IOC_MAP, &d), "WEIR_IOC_MAP %u", id);
	for (region = 0; region < WEIR_MAP_MAX; region++) {
		uint64_t at = d.offset[region];
		size_t len = d.length[region];
		int rw = region == WEIR_MAP_OWN ? PROT_READ | PROT_WRITE :
						  PROT_READ;
		const struct {
			const char *what;
			size_t len;
			int prot, flags;
			uint64_t at;
		} way[] = {
			{ "a page too long", len + 4096, rw, MAP_SHARED, at },
			{ "a page too short", len - 4096, rw, MAP_SHARED, at },
			{ "one page", 4096, rw, MAP_SHARED, at },
			{ "from the second page", len, rw, MAP_SHARED, at + 4096 },
			{ "the rest", len - 4096, rw, MAP_SHARED, at + 4096 },
			{ "an offset behind all", len, rw, MAP_SHARED, at + (UINT64_C(1) << 33) },
			{ "region 2", len, rw, MAP_SHARED, ((uint64_t)id << 36) + (UINT64_C(2) << 34) },
			{ "region 3", len, rw, MAP_SHARED, ((uint64_t)id << 36) + (UINT64_C(3) << 34) },
			{ "an id that is not", len, rw, MAP_SHARED, at + (UINT64_C(77) << 36) },
			{ "the largest offset", len, rw, MAP_SHARED, UINT64_C(0x7ffffffff000) & ~UINT64_C(0xfff) },
			{ "a negative offset", len, rw, MAP_SHARED, ~UINT64_C(0xfff) },
			{ "private", len, rw, MAP_PRIVATE, at },
			{ "private, read only", len, PROT_READ, MAP_PRIVATE, at },
			{ "executable", len, rw | PROT_EXEC, MAP_SHARED, at },
			{ "executable only", len, PROT_EXEC, MAP_SHARED, at },
			{ "writable", region == WEIR_MAP_VIEW ? len : 4096,
			  PROT_READ | PROT_WRITE, MAP_SHARED, at },
			{ "write only", region == WEIR_MAP_VIEW ? len : 4096,
			  PROT_WRITE, MAP_SHARED, at },
		};
		size_t i;

		for (i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
			/* of the owner's view parts may be mapped: memlock.c */
			if (id == WEIR_ID_OUTBOX && region == WEIR_MAP_VIEW &&
			    way[i].len != len && way[i].at >= at &&
			    way[i].at + way[i].len <= at + len)
				continue;
			/* a one-page region cannot be had shorter; 4096 is whole */
			if (region == WEIR_MAP_OWN && len == 4096 &&
			    (way[i].len == 4096 || !way[i].len) &&
			    way[i].at == at && way[i].flags == MAP_SHARED &&
			    !(way[i].prot & PROT_EXEC))
				continue;
			if (!refused(fd, way[i].len, way[i].prot, way[i].flags,
				     way[i].at)) {
				note("%s region %d: %s was not refused", whose,
				     region, way[i].what);
				bad++;
			}
		}
	}
	check(!bad, "%s: only whole, shared, with its own protection", whose);
}

static int poke_self_mem(void *at)
{
	int fd = open("/proc/self/mem", O_RDWR);
	char c = 'x';
	ssize_t n = pwrite(fd, &c, 1, (off_t)(uintptr_t)at);

	close(fd);
	return n == 1;
}

static int poke_process_vm(void *at)
{
	char c = 'x';
	struct iovec from = { &c, 1 }, to = { at, 1 };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == 1;
}

/* A tracer writes into this process's view. */
static int poke_ptrace(void *at)
{
	pid_t me = getpid(), pid;
	int go[2], status;
	char c;

	need(!pipe(go), "pipe");
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		long ret = -1;

		if (!ptrace(PTRACE_ATTACH, me, 0, 0)) {
			waitpid(me, &status, 0);
			errno = 0;
			ret = ptrace(PTRACE_POKEDATA, me, at, 0x7878L);
			ptrace(PTRACE_DETACH, me, 0, 0);
		} else {
			ret = -2;
		}
		_exit(ret == 0 ? 1 : ret == -2 ? 2 : 0);
	}
	close(go[1]);
	/* returns when the tracer has ended and so has closed its end */
	while (read(go[0], &c, 1) < 0 && errno == EINTR)
		;
	close(go[0]);
	return tap_wait(pid);
}

/* The kernel writes user memory: by a plain copy and by pinned pages. */
static int poke_read(void *at)
{
	int p[2], n, err;

	need(!pipe(p) && write(p[1], "xxxx", 4) == 4, "pipe");
	n = read(p[0], at, 4) >= 0;
	err = errno;
	close(p[0]);
	close(p[1]);
	return n ? 1 : err == EFAULT ? 0 : 2;
}

static int poke_direct(void *at)
{
	/* vmsplice with a reading pipe copies; get_user_pages by O_DIRECT */
	const char *name = "/tmp/map-direct";
	int fd = open(name, O_RDWR | O_CREAT | O_DIRECT, 0600), ret = 0;
	void *page = NULL;

	if (fd < 0)
		return 0;	/* a file system without it */
	if (!posix_memalign(&page, 4096, 4096)) {
		memset(page, 'x', 4096);
		if (write(fd, page, 4096) == 4096)
			ret = pread(fd, at, 4096, 0) > 0;
		free(page);
	}
	close(fd);
	unlink(name);
	return ret;
}

static void read_only(struct raw_map *m, const char *whose)
{
	unsigned char *last = m->view + m->d.length[WEIR_MAP_VIEW] - 4096;
	uint64_t before = m->status->secret;
	int bad = 0;

	bad |= !mprotect(m->view, m->d.length[WEIR_MAP_VIEW],
			 PROT_READ | PROT_WRITE) << 0;
	bad |= !mprotect(m->view, 4096, PROT_READ | PROT_WRITE) << 1;
	bad |= !mprotect(m->view, m->d.length[WEIR_MAP_VIEW],
			 PROT_READ | PROT_EXEC) << 2;
	bad |= !mprotect(m->own, m->d.length[WEIR_MAP_OWN],
			 PROT_READ | PROT_WRITE | PROT_EXEC) << 3;
	check(!bad, "%s: mprotect does not make it writable or executable (%#x)",
	      whose, bad);

	bad = poke_self_mem(m->view + 8) | poke_self_mem(last) << 1;
	bad |= (poke_process_vm(m->view + 8) | poke_process_vm(last) << 1) << 2;
	check(!bad, "%s: not written by /proc/self/mem or process_vm_writev (%#x)",
	      whose, bad);
	bad = poke_ptrace(m->view + 8);
	if (bad == 2)
		note("ptrace is not permitted here");
	check(bad != 1, "%s: not written by a tracer", whose);
	check(!poke_read(m->view) && !poke_read(last),
	      "%s: read() into it is EFAULT", whose);
	check(!poke_direct(m->view) && !poke_direct(last),
	      "%s: direct I/O into it fails", whose);
	check(madvise(m->view, 4096, MADV_POPULATE_WRITE) != 0,
	      "%s: MADV_POPULATE_WRITE fails", whose);
	check(m->status->secret == before && m->status->magic == WEIR_STATUS_MAGIC,
	      "%s: the status page is as it was", whose);
}

static int touch(void *at)
{
	return *(volatile unsigned char *)at;
}

static void shapes(struct raw_map *m, const char *whose)
{
	size_t view = m->d.length[WEIR_MAP_VIEW], own = m->d.length[WEIR_MAP_OWN];
	void *hole = mmap(NULL, view + (1 << 20), PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int bad = 0;

	need(hole != MAP_FAILED, "address space");
	bad |= (mremap(m->view, view, view + 4096, MREMAP_MAYMOVE) != MAP_FAILED) << 0;
	bad |= (mremap(m->own, own, own + 4096, MREMAP_MAYMOVE) != MAP_FAILED) << 1;
	bad |= (mremap(m->own, own, own, MREMAP_MAYMOVE | MREMAP_FIXED, hole) != MAP_FAILED) << 2;
	bad |= (mremap(m->view, view, view, MREMAP_MAYMOVE | MREMAP_FIXED, hole) != MAP_FAILED) << 3;
	bad |= (mremap(m->own, 0, own, MREMAP_MAYMOVE) != MAP_FAILED) << 4;
	bad |= (mremap(m->view, 0, view, MREMAP_MAYMOVE) != MAP_FAILED) << 5;
	bad |= (mremap(m->view, view, view - 4096, 0) != MAP_FAILED) << 6;
	bad |= (mremap(m->view, 4096, 8192, MREMAP_MAYMOVE) != MAP_FAILED) << 7;
	check(!bad, "%s: mremap is refused, moving, growing, shrinking, doubling (%#x)",
	      whose, bad);

	bad = 0;
	bad |= !munmap(m->view, 4096) << 0;
	bad |= !munmap(m->view + 4096, 4096) << 1;
	bad |= !munmap(m->view + view - 4096, 4096) << 2;
	if (own > 4096) {
		bad |= !munmap(m->own, 4096) << 3;
		bad |= !munmap(m->own + 4096, own - 4096) << 4;
		bad |= !mprotect(m->own, 4096, PROT_READ) << 5;
		bad |= (mmap(m->own + 4096, 4096, PROT_READ, MAP_FIXED |
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) << 6;
	}
	check(!bad, "%s: no part is unmapped or changed (%#x)", whose, bad);
	munmap(hole, view + (1 << 20));
	check(m->status->magic == WEIR_STATUS_MAGIC && (touch(m->own), true) &&
	      (touch(m->view + view - 1), true) && (touch(m->own + own - 1), true),
	      "%s: still there afterwards", whose);
}

/* Advice that takes pages out of the tables must not lose or change them. */
static void advice(struct raw_map *m, const char *whose)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED, MADV_DONTNEED,
		MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_MERGEABLE,
		MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK,
		MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_DONTNEED,
	};
	unsigned char *owner_data = m->cursor ? NULL : m->data;
	size_t i, n = (size_t)m->d.ring_bytes;
	uint64_t before = m->status->secret;
	bool good = true;

	if (owner_data)
		for (i = 0; i < n; i += 509)
			owner_data[i] = (unsigned char)(i * 3 + 1);
	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		madvise(m->view, m->d.length[WEIR_MAP_VIEW], advices[i]);
		madvise(m->own, m->d.length[WEIR_MAP_OWN], advices[i]);
		madvise(m->view + 4096, 4096, advices[i]);
		good &= m->status->secret == before;
		touch(m->own);
	}
	mlock(m->view, m->d.length[WEIR_MAP_VIEW]);
	mlock(m->own, m->d.length[WEIR_MAP_OWN]);
	munlock(m->view, m->d.length[WEIR_MAP_VIEW]);
	munlock(m->own, m->d.length[WEIR_MAP_OWN]);
	msync(m->own, m->d.length[WEIR_MAP_OWN], MS_SYNC);
	if (owner_data)
		for (i = 0; i < n; i += 509)
			good &= owner_data[i] == (unsigned char)(i * 3 + 1) &&
				owner_data[i + n] == owner_data[i];
	check(good && m->status->magic == WEIR_STATUS_MAGIC,
	      "%s: survives all advice, with its content", whose);
}

static void *at_in_child;

static int child_touches(void *arg)
{
	(void)arg;
	signal(SIGSEGV, SIG_DFL);
	return touch(at_in_child) ? 1 : 2;
}

static void fork_has_none(struct raw_map *m, const char *whose)
{
	int view, own;

	at_in_child = m->view;
	view = tap_wait(spawn(child_touches, NULL));
	at_in_child = m->own;
	own = tap_wait(spawn(child_touches, NULL));
	check(view == 128 + SIGSEGV && own == 128 + SIGSEGV,
	      "%s: a child of fork has no mapping (%d, %d)", whose, view, own);
}

struct fork_arg {
	int fd;
	uint32_t id;
	int want;
};

/* Child: the same socket, another address space. */
static int child_maps(void *p)
{
	struct fork_arg *arg = p;
	struct raw_map m;
	int ret = raw_map(arg->fd, arg->id, &m);

	return ret == arg->want ? 0 : 1;
}

static void one_writer(int fd, uint32_t id, struct raw_map *m, const char *whose)
{
	struct fork_arg arg = { fd, id, -EBUSY };
	void *again;

	check(!tap_wait(spawn(child_maps, &arg)),
	      "%s: another process gets EBUSY for what this one writes", whose);
	again = mmap(NULL, m->d.length[WEIR_MAP_OWN], PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, (off_t)m->d.offset[WEIR_MAP_OWN]);
	check(again != MAP_FAILED, "%s: this one may map it twice", whose);
	if (again != MAP_FAILED)
		munmap(again, m->d.length[WEIR_MAP_OWN]);
	check(!tap_wait(spawn(child_maps, &arg)),
	      "%s: and still counts as the writer",
	      whose);
	raw_unmap(m);
	arg.want = 0;
	check(!tap_wait(spawn(child_maps, &arg)),
	      "%s: free for another process after the unmapping", whose);
	need(!raw_map(fd, id, m), "mapping again");
}

/*
 * MADV_DOFORK takes the protection against fork away; two processes then
 * write one ring, which may confuse them and must not confuse the kernel.
 */
static int child_writes(void *p)
{
	struct raw_map *m = p;
	int i;

	signal(SIGSEGV, SIG_DFL);
	for (i = 0; i < 1000; i++) {
		m->head->reserved[i % 9] = (uint32_t)i;
		m->data[i % RING]++;
	}
	return 0;
}

static void dofork(struct raw_map *m)
{
	int refused_by = madvise(m->own, m->d.length[WEIR_MAP_OWN], MADV_DOFORK);
	int ret = tap_wait(spawn(child_writes, m));

	note("MADV_DOFORK: %s, child %d", refused_by ? "refused" : "allowed", ret);
	check(ret == 128 + SIGSEGV || (!refused_by && !ret),
	      "a forced fork of the mapping does no harm");
	madvise(m->own, m->d.length[WEIR_MAP_OWN], MADV_DONTFORK);
}

static void twice(struct raw_map *m)
{
	size_t n = (size_t)m->d.ring_bytes, i;
	bool good = true;

	for (i = 0; i < n; i++)
		m->data[i] = (unsigned char)(i ^ i >> 8);
	for (i = 0; i < n; i++)
		good &= m->data[n + i] == (unsigned char)(i ^ i >> 8);
	m->data[2 * n - 1] = 0xa5;
	good &= m->data[n - 1] == 0xa5;
	check(good, "the second copy of the data is the first");
}

static void outlives(void)
{
	int p = raw_publisher(SOCK_RDM, "/map/outlives", RING);
	int s = raw_subscriber(SOCK_RDM, "/map/outlives");
	struct raw_map out, in;
	struct weir_ring_view v;
	struct weir_ring_rec rec;
	__u64 pos;

	need(!raw_map(p, WEIR_ID_OUTBOX, &out), "outbox");
	need(!raw_map(s, WEIR_ID_STREAM, &in), "stream");
	need(write(p, "kept", 4) == 4, "write");
	close(p);
	out.head->reserved[0] = 1;
	out.data[100000 % RING] = 1;
	check(in.status->state == WEIR_STATE_OPEN,
	      "a mapped outbox stays open when its descriptor is closed");
	raw_unmap(&out);
	check(soon(in.status->state == WEIR_STATE_CLOSED),
	      "and closes with the mapping");
	close(s);
	v = raw_view(&in);
	pos = in.cursor->pos;
	check(weir_ring_peek(&v, &pos, &rec) == 1 && rec.len == 4 &&
	      !memcmp(rec.payload, "kept", 4),
	      "a reader's mapping outlives both descriptors and the publisher");
	in.cursor->pos = ~0ULL;
	raw_unmap(&in);
}

/* A stream is detached, and its publisher goes, while it is mapped. */
static void detached(void)
{
	int p = raw_publisher(SOCK_RDM, "/map/detached", RING);
	int s = raw_subscriber(SOCK_RDM, "/map/detached");
	long long rings = tap_stat("stats/rings");
	struct weir_ring_view v;
	struct weir_ring_rec rec;
	struct raw_map in;
	__u64 pos;

	need(!raw_map(s, WEIR_ID_STREAM, &in), "stream");
	need(write(p, "kept", 4) == 4, "write");
	need(!ioctl(s, WEIR_IOC_DETACH, WEIR_ID_STREAM), "detach");
	close(p);
	v = raw_view(&in);
	pos = in.cursor->pos;
	check(weir_ring_peek(&v, &pos, &rec) == 1 && rec.len == 4 &&
	      !memcmp(rec.payload, "kept", 4),
	      "a mapping outlives its stream and the publisher");
	check(tap_stat("stats/rings") == rings,
	      "and the ring is there for as long as it is mapped");
	in.cursor->pos = ~0ULL;
	raw_unmap(&in);
	check(soon(tap_stat("stats/rings") == rings - 1), "and no longer");
	close(s);
}

/* The owner reads all cursor pages while readers come and go. */
static struct raw_map slots_out;
static int slots_stop;

static int slots_attach(void *arg)
{
	long rounds = scaled(5000), i;
	int fds[8];
	unsigned int n = 0, k;

	(void)arg;
	memset(fds, -1, sizeof(fds));
	for (i = 0; i < rounds; i++, n++) {
		k = n % 8;
		if (fds[k] >= 0)
			close(fds[k]);
		fds[k] = raw_subscriber(SOCK_RDM, "/map/slots");
	}
	return 0;
}

static void slots(void)
{
	int p = raw_publisher(SOCK_RDM, "/map/slots", RING), s, i, bad = 0;
	unsigned long long sum = 0;
	long rounds = 0;
	pid_t pid;
	bool done = false;

	need(!raw_map(p, WEIR_ID_OUTBOX, &slots_out), "outbox");
	pid = spawn(slots_attach, NULL);
	while (!done) {
		int status;

		for (i = 0; i < WEIR_SLOTS_MAX; i++) {
			const struct weir_cursor *c = (void *)
				(slots_out.view + 4096 * (size_t)(1 + i));

			sum += weir_load(&c->pos);
			if (i == 15 && rounds & 63)
				break;
		}
		rounds++;
		done = waitpid(pid, &status, WNOHANG) == pid;
		if (done)
			bad = status;
	}
	slots_stop = (int)sum;
	check(!bad, "owner reads the cursor pages while readers come and go");
	note("%ld looks", rounds);

	/* each new reader of slot 0 must be seen in the page already mapped */
	for (i = 0; i < scaled(500); i++) {
		const struct weir_cursor *seen = (void *)(slots_out.view + 4096);
		struct raw_map in;

		s = raw_subscriber(SOCK_RDM, "/map/slots");
		need(!raw_map(s, WEIR_ID_STREAM, &in), "stream");
		if (in.d.slot)
			bad++;
		in.cursor->reserved[3] = (uint32_t)(i + 1);
		if (weir_load(&seen->reserved[3]) != (uint32_t)(i + 1))
			bad++;
		raw_unmap(&in);
		close(s);
	}
	check(!bad,
	      "a slot that is used again shows the new reader's page (%d "
	      "wrong)",
	      bad);
	raw_unmap(&slots_out);
	close(p);
}

/* Nothing of an earlier ring, cursor or head is in a new one. */
static void all_zero(void)
{
	long rounds = scaled(50), i;
	size_t k, dirty = 0;

	for (i = 0; i < rounds; i++) {
		int p = raw_publisher(SOCK_RDM, "/map/zero", 256 << 10);
		int s = raw_subscriber(SOCK_RDM, "/map/zero");
		struct raw_map out, in;
		const uint64_t *words;

		need(!raw_map(p, WEIR_ID_OUTBOX, &out), "outbox");
		need(!raw_map(s, WEIR_ID_STREAM, &in), "stream");
		words = (void *)out.own;
		for (k = 0; k < out.d.length[WEIR_MAP_OWN] / 8; k++)
			dirty += !!words[k];
		words = (void *)in.own;
		for (k = 0; k < 512; k++)
			dirty += !!words[k];
		words = (void *)(out.view + offsetof(struct weir_status, attaches));
		for (k = sizeof(struct weir_status); k < 4096; k++)
			dirty += !!out.view[k];
		memset(out.own, 0x5a, out.d.length[WEIR_MAP_OWN]);
		memset(in.own, 0x5a, 4096);
		raw_unmap(&out);
		raw_unmap(&in);
		close(p);
		close(s);
	}
	check(!dirty, "new rings and cursors are zero (%zu words are not)", dirty);
}

int main(void)
{
	struct raw_map out, in, inbox;
	struct counters before;
	int p, s;

	hard_begin();
	before = counters();
	p = raw_publisher(SOCK_RDM, "/map/a", RING);
	s = raw_subscriber(SOCK_RDM, "/map/a");

	wrong_ways(p, WEIR_ID_OUTBOX, "outbox");
	wrong_ways(s, WEIR_ID_STREAM, "stream");
	wrong_ways(s, WEIR_ID_INBOX, "inbox");
	need(!raw_map(p, WEIR_ID_OUTBOX, &out), "outbox");
	need(!raw_map(s, WEIR_ID_STREAM, &in), "stream");
	need(!raw_map(s, WEIR_ID_INBOX, &inbox), "inbox");
	read_only(&out, "outbox");
	read_only(&in, "stream");
	read_only(&inbox, "inbox");
	shapes(&out, "outbox");
	shapes(&in, "stream");
	shapes(&inbox, "inbox");
	/* advice may keep a mapping from a child, too */
	fork_has_none(&out, "outbox");
	fork_has_none(&in, "stream");
	advice(&out, "outbox");
	advice(&in, "stream");
	advice(&inbox, "inbox");
	one_writer(p, WEIR_ID_OUTBOX, &out, "outbox");
	one_writer(s, WEIR_ID_STREAM, &in, "stream");
	twice(&out);
	dofork(&out);
	raw_unmap(&out);
	raw_unmap(&in);
	raw_unmap(&inbox);
	close(p);
	close(s);
	outlives();
	detached();
	slots();
	all_zero();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
