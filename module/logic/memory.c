// SPDX-License-Identifier: GPL-2.0
/*
 * Is there memory for a ring, and some left for others? It knows neither rings
 * nor users; caps are account.c's.
 *
 * Called by ring.c and map.c before they allocate, by who has found no memory under
 * a lock, and by sysfs.c for defaults that fit the machine. Process context.
 */
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "logic/memory.h"

/* Left of @total pages for others: a sixteenth, at most 256 MiB. */
static u64 weir_memory_reserve(u64 total)
{
	return min_t(u64, total / 16, SZ_256M >> PAGE_SHIFT);
}

#ifdef CONFIG_MEMCG
/* Pages of the cgroup's own processes that reclaim can drop. */
static u64 weir_memcg_file_pages(struct mem_cgroup *memcg)
{
	u64 pages = 0;
	int node, zone;

	for_each_node_state(node, N_MEMORY) {
		struct lruvec *lruvec = &memcg->nodeinfo[node]->lruvec;

		for (zone = 0; zone < MAX_NR_ZONES; zone++)
			pages += mem_cgroup_get_zone_lru_size(lruvec,
							      LRU_INACTIVE_FILE,
							      zone) +
				 mem_cgroup_get_zone_lru_size(lruvec,
							      LRU_ACTIVE_FILE,
							      zone);
	}
	return pages;
}

/*
 * Would so many pages leave the task's memory cgroup too little? Reclaimable
 * slab is not known here, so a few pages are left to the charge, which knows.
 * The cgroups above hold other cgroups' pages: they refuse here only what can
 * never fit.
 */
static bool weir_memcg_short(u64 pages)
{
	struct mem_cgroup *memcg;
	bool none = false;
	u64 file;

	if (mem_cgroup_disabled())
		return false;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	file = memcg ? weir_memcg_file_pages(memcg) : 0;
	for (; memcg && !none; memcg = parent_mem_cgroup(memcg)) {
		u64 most = READ_ONCE(memcg->memory.max);
		u64 used = page_counter_read(&memcg->memory);
		u64 left = weir_memory_reserve(most);

		used -= min(used, file);
		none = pages > left && used + pages + left > most;
		file = U64_MAX;
	}
	rcu_read_unlock();
	return none;
}

/**
 * weir_memory_free() - is so much of a memory cgroup free?
 * @memcg: the cgroup, held; NULL: none.
 * @bytes: what is wanted.
 *
 * Then it can be charged there without reclaim and without the pauses of who is
 * above memory.high, unless somebody else of the cgroup is quicker.
 */
bool weir_memory_free(struct mem_cgroup *memcg, u64 bytes)
{
	u64 pages = DIV_ROUND_UP(bytes, PAGE_SIZE);
	bool fits = true;

	if (mem_cgroup_disabled())
		return true;
	rcu_read_lock();
	for (; memcg && fits; memcg = parent_mem_cgroup(memcg))
		fits = page_counter_read(&memcg->memory) + pages <=
		       min(READ_ONCE(memcg->memory.max),
			   READ_ONCE(memcg->memory.high));
	rcu_read_unlock();
	return fits;
}
#else
static bool weir_memcg_short(u64 pages)
{
	return false;
}

bool weir_memory_free(struct mem_cgroup *memcg, u64 bytes)
{
	return true;
}
#endif

/**
 * weir_memory_short() - would an allocation leave too little for others?
 * @bytes: what is wanted.
 *
 * An estimate, of the machine and of the calling task's memory cgroup. Several
 * tasks may each be told that there is enough, so a large allocation asks again
 * on the way.
 *
 * Return: NULL when there is enough; else words for a refusal by -ENOMEM.
 */
const char *weir_memory_short(u64 bytes)
{
	u64 pages = DIV_ROUND_UP(bytes, PAGE_SIZE);
	s64 left = si_mem_available();

	if (left < (s64)(pages + weir_memory_reserve(totalram_pages())))
		return "the machine has too little memory left for it";
	if (weir_memcg_short(pages))
		return "the memory cgroup has too little memory left for it";
	return NULL;
}

/* Times that what found no memory under a lock is tried. */
#define WEIR_PRIMES_MAX	8

/**
 * weir_memory_prime() - wait for memory that was not there under a lock
 * @err: what has come of it there.
 * @bytes: what it allocates there, about.
 * @tries: how often it has been tried; 0 at first, counted here.
 *
 * As much is allocated as it needs, with reclaim in the caller's memory cgroup,
 * and freed again: then it is there for the next try, unless somebody else of
 * that cgroup is quicker. Without locks.
 *
 * Return: whether it is to be tried again.
 */
bool weir_memory_prime(int err, u64 bytes, unsigned int *tries)
{
	void *room;

	if (err != -ENOMEM || ++*tries >= WEIR_PRIMES_MAX ||
	    fatal_signal_pending(current))
		return false;
	/* what is tried next must be in one piece */
	room = kmalloc(min_t(u64, bytes, SZ_32K), WEIR_GFP);
	kfree(room);
	if (!room)
		return false;
	room = kvmalloc(bytes, WEIR_GFP);
	kvfree(room);
	return room;
}

/**
 * weir_memory_share() - a default that fits the machine
 * @part: the share is one part in so many of the machine's memory.
 * @most: at most so many bytes.
 *
 * Return: bytes.
 */
u64 weir_memory_share(unsigned int part, u64 most)
{
	return min((u64)(totalram_pages() / part) << PAGE_SHIFT, most);
}
