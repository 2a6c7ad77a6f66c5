// SPDX-License-Identifier: GPL-2.0
/*
 * A process that locks all memory that it maps, with Linux's default limit of
 * 8 MiB, can publish: the library maps the cursor pages that are used, and more
 * when readers come, whose cursors then hold the publisher back as all do. An end
 * of a pair maps its peer's cursor alone. Also parts of the owner's view, mapped
 * without the library.
 */
#include <sys/resource.h>

#include "hard.h"

#define MANY	130	/* three blocks of cursor pages */
#define PAGE	4096

/* Sends until the ring is full; the number of messages. */
static int fill(struct weir *w)
{
	int n = 0;

	while (!weir_send(w, "full", 4, WEIR_DONTWAIT))
		n++;
	return n;
}

static int drain(int fd)
{
	char data[64];
	int n = 0;

	while (recv(fd, data, sizeof(data), MSG_DONTWAIT) == 4)
		n++;
	return n;
}

static int locked(void *arg)
{
	const struct weir_config small = { .ring_bytes = PAGE };
	struct rlimit limit = { 8 << 20, 8 << 20 }, files = { 400, 400 };
	struct weir *p, *s;
	int fd[MANY], i, n;
	char data[64];

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &files) ||
	    setrlimit(RLIMIT_MEMLOCK, &limit) || setresuid(65534, 65534, 65534) ||
	    mlockall(MCL_CURRENT | MCL_FUTURE))
		return 1;
	if (weir_open(&p, SOCK_RDM, &small) || weir_bind(p, "/memlock/p")) {
		note("bind: %s", weir_error());
		return 2;
	}
	if (weir_open(&s, SOCK_RDM, NULL) || weir_subscribe(s, "/memlock/p") ||
	    weir_send(p, "full", 4, 0) ||
	    weir_recv(s, data, sizeof(data), HARD_DEADLINE_NS) != 4)
		return 3;
	for (i = 0; i < MANY; i++) {
		fd[i] = raw_subscriber(SOCK_RDM, "/memlock/p");
		if (fd[i] < 0)
			return 4;
	}
	n = fill(p);
	if (n != PAGE / 64)
		return 5;
	/* the last reader alone holds the ring */
	if (weir_recv(s, data, sizeof(data), 0) != 4)
		return 6;
	while (weir_recv(s, data, sizeof(data), 0) == 4)
		;
	for (i = 0; i < MANY - 1; i++) {
		if (drain(fd[i]) != n)
			return 7;
	}
	if (fill(p))
		return 8;
	if (drain(fd[MANY - 1]) != n || fill(p) != n)
		return 9;
	weir_close(p);
	return 0;
}

/* Pages that this process has mapped, with and without memory. */
static long mapped_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &pages) != 1)
		pages = -1;
	fclose(file);
	return pages;
}

#define PAIRS	3

/* What both ends of a pair map: each ring twice, its head, status, cursor. */
static void pairs(void)
{
	const struct weir_config small = { .ring_bytes = PAGE };
	struct weir *l, *one[PAIRS], *other[PAIRS];
	long first = 0, pages;
	int i;

	need(!weir_open(&l, SOCK_SEQPACKET, &small) &&
	     !weir_bind(l, "/memlock/pair") && !weir_listen(l, PAIRS),
	     "listen: %s", weir_error());
	for (i = 0; i < PAIRS; i++) {
		/* the first makes room on the heap, too */
		if (i == 1)
			first = mapped_pages();
		need(!weir_open(&one[i], SOCK_SEQPACKET, &small) &&
		     !weir_connect(one[i], "/memlock/pair") &&
		     !weir_accept(l, &other[i], HARD_DEADLINE_NS),
		     "connect: %s", weir_error());
	}
	pages = (mapped_pages() - first) / (PAIRS - 1);
	check(first > 0 && pages <= 24,
	      "both ends of a pair map at most 24 pages (%ld)", pages);
	for (i = 0; i < PAIRS; i++) {
		weir_close(one[i]);
		weir_close(other[i]);
	}
	weir_close(l);
}

/* Any pages of the owner's view, and no others. */
static void parts(void)
{
	int fd = raw_publisher(SOCK_RDM, "/memlock/parts", PAGE), i;
	struct weir_ioc_map map = { .size = sizeof(map), .id = WEIR_ID_OUTBOX };
	static const struct {
		size_t page, pages;
		bool fits;
	} part[] = {
		{ 0, 1, true }, { 0, 65, true }, { 1, 1, true },
		{ 65, 64, true }, { WEIR_SLOTS_MAX, 1, true },
		{ 1, WEIR_SLOTS_MAX, true }, { 0, WEIR_SLOTS_MAX + 1, true },
		{ 0, WEIR_SLOTS_MAX + 2, false }, { 1, WEIR_SLOTS_MAX + 1, false },
		{ WEIR_SLOTS_MAX, 2, false }, { WEIR_SLOTS_MAX + 1, 1, false },
	};

	need(fd >= 0 && !ioctl(fd, WEIR_IOC_MAP, &map), "map");
	for (i = 0; i < (int)(sizeof(part) / sizeof(part[0])); i++) {
		char *at = mmap(NULL, part[i].pages * PAGE, PROT_READ,
				MAP_SHARED, fd,
				(off_t)(map.offset[WEIR_MAP_VIEW] +
					part[i].page * PAGE));
		bool ok = (at != MAP_FAILED) == part[i].fits;

		if (at != MAP_FAILED) {
			volatile char *last = at + part[i].pages * PAGE - 1;

			(void)*last;
			if (!part[i].page)
				ok = ok && ((struct weir_status *)at)->magic ==
					   WEIR_STATUS_MAGIC;
			munmap(at, part[i].pages * PAGE);
		}
		check(ok, "pages %zu to %zu: %s", part[i].page,
		      part[i].page + part[i].pages,
		      part[i].fits ? "mapped" : "refused");
	}
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
		   (off_t)map.offset[WEIR_MAP_OWN]) == MAP_FAILED,
	      "but no part of what the owner writes");
	close(fd);
}

int main(void)
{
	struct counters before;
	int ret;

	hard_begin();
	before = counters();
	ret = tap_wait(spawn(locked, NULL));
	check(!ret, "a process that locks all its memory publishes (%d)", ret);
	pairs();
	parts();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
