// SPDX-License-Identifier: GPL-2.0
/*
 * Is there memory for a ring, and is some left for others? This file knows
 * neither rings nor users, and no caps: these are in account.c.
 *
 * ring.c and map.c call this before they allocate. A caller that has found no
 * memory under a lock calls weir_memory_prime(). sysfs.c gets defaults that fit
 * the machine. Process context.
 */
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "memory.h"

/*
 * How many of @total pages are left for others: a sixteenth, at most 256 MiB.
 */
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
 * Would @pages more pages leave too little in the memory cgroup of the current
 * task? Reclaimable slab memory is not known here, so a few pages are left to
 * the charge, which does know. The cgroups above also hold pages of other
 * cgroups: here they refuse only an allocation that can never fit.
 */
static bool weir_memcg_short(u64 pages)
{
	struct mem_cgroup *memcg;
	bool too_little = false;
	u64 file;

	if (mem_cgroup_disabled())
		return false;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	file = memcg ? weir_memcg_file_pages(memcg) : 0;
	for (; memcg && !too_little; memcg = parent_mem_cgroup(memcg)) {
		u64 most = READ_ONCE(memcg->memory.max);
		u64 used = page_counter_read(&memcg->memory);
		u64 left = weir_memory_reserve(most);

		used -= min(used, file);
		too_little = pages > left && used + pages + left > most;
		file = U64_MAX;
	}
	rcu_read_unlock();
	return too_little;
}

/**
 * weir_memory_free() - is this much of a memory cgroup free?
 * @memcg: the cgroup, held; NULL: there is none.
 * @bytes: how much is wanted.
 *
 * If it is, a task can charge it there without reclaim, and without the pause
 * that the kernel imposes above memory.high. But another task of the cgroup may
 * take the memory first.
 *
 * Return: true if @bytes are free in the cgroup and in all cgroups above it.
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
 * @bytes: how much is wanted.
 *
 * This is an estimate for the machine and for the memory cgroup of the current
 * task. Several tasks may each learn that there is enough. So the caller of a
 * large allocation asks again on the way.
 *
 * Return: NULL when there is enough; otherwise the words of a refusal with
 * -ENOMEM (a static string).
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

/* How often a call that finds no memory under a lock tries. */
#define WEIR_PRIMES_MAX	8

/**
 * weir_memory_prime() - reclaim memory that was missing under a lock
 * @err: result of the last try under the lock. Only after -ENOMEM is there a
 *	next try.
 * @bytes: about how many bytes the try allocates.
 * @tries: number of tries so far; 0 before the first call; counted here.
 *
 * This function allocates that much, with reclaim in the memory cgroup that the
 * caller charges, and frees it again. The next try then finds the memory,
 * unless another task of the cgroup takes it first. May sleep; the caller holds
 * no lock.
 *
 * Return: true if the caller is to try again.
 */
bool weir_memory_prime(int err, u64 bytes, unsigned int *tries)
{
	void *room;

	if (err != -ENOMEM || ++*tries >= WEIR_PRIMES_MAX ||
	    fatal_signal_pending(current))
		return false;
	/* the next try needs memory in one piece */
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
 * @part: the result is one part in @part of the machine's memory.
 * @most: upper limit in bytes.
 *
 * Return: bytes.
 */
u64 weir_memory_share(unsigned int part, u64 most)
{
	return min((u64)(totalram_pages() / part) << PAGE_SHIFT, most);
}
