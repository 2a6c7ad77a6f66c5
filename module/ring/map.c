// SPDX-License-Identifier: GPL-2.0
/*
 * mmap of the rings, as drawn in uapi/weir.h. A VMA maps one whole region; of
 * the owner's view, which has room for all cursor pages, it may be a part. It
 * holds the memory object (ring or reader), never the socket. A region that a
 * party may only read is mapped without VM_MAYWRITE, so mprotect cannot make it
 * writable. VMAs are shared. They are not inherited by fork, and cannot be
 * split, moved or grown.
 *
 * All pages are inserted when the region is mapped, so the data path takes no
 * faults. There are two exceptions. First, cursor pages in the owner's view:
 * readers come and go, so these pages are inserted on a fault, under the ring's
 * slot_lock, and unmapped before a slot is used again (attach.c). Second, rings
 * made of large blocks (WEIR_SO_HUGE): they are inserted on faults of 2 MiB
 * where the address and the kernel allow it. Those VMAs map page frames without
 * counting them (VM_PFNMAP); the ring that they hold keeps the pages.
 *
 * Each writable region has one address space at a time. A sleeper sends its
 * barrier to the CPUs of that address space (wake.c).
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "memory.h"
#include "owner.h"
#include "party.h"
#include "ring/map.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "stats.h"
#include "weir.h"

/* mmap offset: the id from bit 36 up, the region from bit 34 up. */
#define WEIR_MAP_ID_SHIFT	36
#define WEIR_MAP_REGION_SHIFT	34

static_assert(PAGE_SIZE == WEIR_PAGE_BYTES);

/**
 * struct weir_map - the mapping behind a VMA
 * @ref: VMAs that share it: one; two for a moment when the kernel copies the
 *	VMA.
 * @ring: the ring, held.
 * @rd: the reader, held; NULL in the owner's VMAs.
 * @region: enum weir_map_region.
 * @first: index in the region of the VMA's first page.
 * @mm: address space that writes through it, or NULL; the ring or the reader
 *	holds it.
 */
struct weir_map {
	refcount_t ref;
	struct weir_ring *ring;
	struct weir_reader *rd;
	u32 region;
	unsigned long first;
	struct mm_struct *mm;
};

static u64 weir_map_offset(u32 id, u32 region)
{
	return (u64)id << WEIR_MAP_ID_SHIFT |
	       (u64)region << WEIR_MAP_REGION_SHIFT;
}

/* mmap offset in the owner's view of a slot's cursor page. */
loff_t weir_map_cursor_offset(u32 slot)
{
	return weir_map_offset(WEIR_ID_OUTBOX, WEIR_MAP_VIEW) +
	       (1 + (u64)slot) * PAGE_SIZE;
}

static u64 weir_map_length(const struct weir_ring *ring,
			   const struct weir_reader *rd, u32 region)
{
	u64 twice = 2 * weir_ring_bytes(&ring->view);

	if (rd)
		return region == WEIR_MAP_VIEW ? 2 * PAGE_SIZE + twice :
						 PAGE_SIZE;
	return region == WEIR_MAP_VIEW ? (1 + WEIR_SLOTS_MAX) * PAGE_SIZE :
					 PAGE_SIZE + twice;
}

/*
 * The page at index @i of a region; NULL for a cursor page in the owner's view,
 * which weir_map_fault() looks up.
 */
static struct page *weir_map_page(const struct weir_map *map, unsigned long i)
{
	struct weir_ring *ring = map->ring;

	if (map->rd && map->region == WEIR_MAP_OWN)
		return map->rd->page;
	if (map->region == WEIR_MAP_VIEW) {
		if (i == 0)
			return ring->status_page;
		if (!map->rd)
			return NULL;
		i--;
	}
	if (i == 0)
		return ring->head_page;
	return ring->pages[(i - 1) % ring->nr_pages];
}

/* Does the VMA map uncounted page frames, so that large pages are possible? */
static bool weir_map_huge(const struct weir_map *map)
{
	return WEIR_HUGE_FAULT && map->ring->page_order &&
	       (map->rd ? map->region == WEIR_MAP_VIEW :
			  map->region == WEIR_MAP_OWN);
}

#if WEIR_HUGE_FAULT
static vm_fault_t weir_map_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct weir_map *map = vma->vm_private_data;
	unsigned long start = vmf->address & PMD_MASK, i;
	unsigned long head = map->rd ? 2 : 1;
	vm_fault_t ret;

	if (!weir_map_huge(map) || order != PMD_ORDER ||
	    map->ring->page_order != PMD_ORDER ||
	    start < vma->vm_start + head * PAGE_SIZE ||
	    start + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	i = (start - vma->vm_start) / PAGE_SIZE - head;
	i %= map->ring->nr_pages;
	if (i % (PMD_SIZE / PAGE_SIZE))
		return VM_FAULT_FALLBACK;
	ret = weir_insert_pfn_pmd(vmf, page_to_pfn(map->ring->pages[i]),
				  vma->vm_flags & VM_WRITE);
	if (ret == VM_FAULT_NOPAGE)
		weir_stat_inc(WEIR_STAT_HUGE_MAPS);
	return ret;
}
#endif

static int weir_map_nothing(pte_t *pte, unsigned long addr, void *unused)
{
	return 0;
}

static vm_fault_t weir_map_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct weir_map *map = vma->vm_private_data;
	struct weir_ring *ring = map->ring;
	unsigned long i = map->first +
			  ((vmf->address - vma->vm_start) >> PAGE_SHIFT);
	struct page *page = weir_map_page(map, i);
	struct weir_reader *rd;
	vm_fault_t ret;

	if (page && weir_map_huge(map))
		return vmf_insert_pfn(vma, vmf->address, page_to_pfn(page));
	if (page)
		return vmf_insert_page(vma, vmf->address, page);

	/* page tables first: no waiting for memory under the lock */
	if (apply_to_page_range(vma->vm_mm, vmf->address & PAGE_MASK, PAGE_SIZE,
				weir_map_nothing, NULL))
		return VM_FAULT_OOM;
	mutex_lock(&ring->slot_lock);
	rd = xa_load(&ring->slots, i - 1);
	/* an unused slot shows the status page: harmless, and no SIGBUS */
	ret = vmf_insert_page(vma, vmf->address,
			      rd ? rd->page : ring->status_page);
	mutex_unlock(&ring->slot_lock);
	return ret;
}

static void weir_map_open(struct vm_area_struct *vma)
{
	struct weir_map *map = vma->vm_private_data;
	struct weir_ring *ring = map->ring;

	refcount_inc(&map->ref);
	if (!map->mm || vma->vm_mm == map->mm)
		return;
	/* after MADV_DOFORK and fork: a second address space writes */
	spin_lock_bh(&ring->lock);
	if (map->rd)
		map->rd->forked = true;
	else
		ring->owner_forked = true;
	spin_unlock_bh(&ring->lock);
}

/* Drops one writable VMA of the address space, and with the last one its mm. */
static void weir_map_forget_mm(struct weir_map *map)
{
	struct weir_ring *ring = map->ring;
	struct mm_struct *mm = NULL;

	spin_lock_bh(&ring->lock);
	if (map->rd) {
		if (!--map->rd->maps)
			swap(map->rd->mm, mm);
	} else {
		if (!--ring->owner_maps)
			swap(ring->owner_mm, mm);
	}
	spin_unlock_bh(&ring->lock);
	if (mm)
		mmdrop(mm);
}

static void weir_map_put(struct weir_map *map)
{
	if (!refcount_dec_and_test(&map->ref))
		return;
	if (map->mm)
		weir_map_forget_mm(map);
	if (map->rd)
		weir_reader_put(map->rd);
	weir_ring_put(map->ring);
	kfree(map);
}

static void weir_map_close(struct vm_area_struct *vma)
{
	weir_map_put(vma->vm_private_data);
}

static int weir_map_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int weir_map_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct weir_map_ops = {
	.open		= weir_map_open,
	.close		= weir_map_close,
	.may_split	= weir_map_may_split,
	.mremap		= weir_map_mremap,
	.fault		= weir_map_fault,
#if WEIR_HUGE_FAULT
	.huge_fault	= weir_map_huge_fault,
#endif
};

/* Notes the writing address space; -EBUSY when there is another one already. */
static int weir_map_note_mm(struct weir_map *map)
{
	struct weir_ring *ring = map->ring;
	struct mm_struct **mm = map->rd ? &map->rd->mm : &ring->owner_mm;
	unsigned int *maps = map->rd ? &map->rd->maps : &ring->owner_maps;
	int err = 0;

	spin_lock_bh(&ring->lock);
	if (*mm && *mm != current->mm) {
		err = -EBUSY;
	} else {
		if (!*mm) {
			mmgrab(current->mm);
			*mm = current->mm;
		}
		(*maps)++;
		map->mm = current->mm;
	}
	spin_unlock_bh(&ring->lock);
	return err;
}

/* Inserts all pages of a region, except cursor pages in the owner's view. */
static int weir_map_fill(struct vm_area_struct *vma, struct weir_map *map)
{
	unsigned long n = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT, i = 0;
	int err;

	if (weir_map_huge(map))
		return 0;
	if (!map->rd && map->region == WEIR_MAP_VIEW)
		n = map->first ? 0 : 1;
	/* page tables: one word for each page */
	if (weir_memory_short(n * sizeof(void *)))
		return -ENOMEM;
	while (i < n) {
		unsigned long addr = vma->vm_start + i * PAGE_SIZE;
		unsigned long data = map->rd ? 2 : 1, left;

		if (map->rd && map->region == WEIR_MAP_OWN)
			data = n;
		if (i < data || (!map->rd && map->region == WEIR_MAP_VIEW)) {
			err = vm_insert_page(vma, addr, weir_map_page(map, i));
			if (err)
				return err;
			i++;
			continue;
		}
		/* one whole copy of the data at once */
		left = map->ring->nr_pages;
		err = vm_insert_pages(vma, addr, map->ring->pages, &left);
		if (err)
			return err;
		i += map->ring->nr_pages;
		cond_resched();
	}
	return 0;
}

/* Finds ring and reader for an id of the party; held, or an ERR_PTR. */
static struct weir_map *weir_map_get(struct weir_party *p,
				     struct weir_ring *outbox, u32 id,
				     u32 region)
{
	struct weir_reader *rd = NULL;
	struct weir_ring *ring;
	struct weir_map *map;

	if (region >= WEIR_MAP_MAX)
		return ERR_PTR(-EINVAL);
	if (id == WEIR_ID_OUTBOX) {
		ring = outbox;
		if (!ring)
			return ERR_PTR(-ENXIO);
	} else {
		rd = weir_reader_find(p, id);
		if (!rd)
			return ERR_PTR(-ENXIO);
		ring = rd->ring;
	}
	map = kzalloc(sizeof(*map), WEIR_GFP);
	if (!map) {
		if (rd)
			weir_reader_put(rd);
		return ERR_PTR(-ENOMEM);
	}
	weir_ring_get(ring);
	refcount_set(&map->ref, 1);
	map->ring = ring;
	map->rd = rd;
	map->region = region;
	return map;
}

/* May these bytes be mapped? Notes which page is the first. */
static bool weir_map_fits(struct weir_map *map, u64 from, u64 bytes)
{
	u64 length = weir_map_length(map->ring, map->rd, map->region);

	map->first = from >> PAGE_SHIFT;
	if (!map->rd && map->region == WEIR_MAP_VIEW)
		return from < length && bytes <= length - from;
	return !from && bytes == length;
}

/*
 * A process is about to see the records of a reader. From now on the flags of
 * its cursor page say whether it stores how far it has looked.
 */
static void weir_map_looks(struct weir_map *map)
{
	struct weir_cursor *cursor = map->rd->cursor;

	WRITE_ONCE(map->rd->mapped, true);
	if (map->region == WEIR_MAP_OWN)
		WRITE_ONCE(cursor->flags, READ_ONCE(cursor->flags) &
					  ~WEIR_CURSOR_SEEN);
}

/*
 * weir_map_vma() - map a region of one ring, or a part of the owner's view
 *
 * @outbox is the ring that the party writes, or NULL.
 *
 * Returns 0; -EINVAL for private, executable or wrongly writable mappings, and
 * for parts of other regions; -ENXIO when there is no such ring; -EBUSY when
 * another process maps the writable region; -ENOMEM.
 */
int weir_map_vma(struct file *file, struct weir_party *p,
		 struct weir_ring *outbox, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u32 id = offset >> WEIR_MAP_ID_SHIFT;
	u32 region = offset >> WEIR_MAP_REGION_SHIFT & 3;
	struct weir_map *map;
	int err;

	map = weir_map_get(p, outbox, id, region);
	if (IS_ERR(map))
		return PTR_ERR(map);
	err = -EINVAL;
	if (!weir_map_fits(map, offset - weir_map_offset(id, region),
			   vma->vm_end - vma->vm_start))
		goto err_put;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		goto err_put;
	if (region == WEIR_MAP_VIEW && vma->vm_flags & VM_WRITE)
		goto err_put;

	weir_vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP |
			  (weir_map_huge(map) ? VM_PFNMAP : VM_MIXEDMAP));
	weir_vm_flags_clear(vma, VM_MAYEXEC);
	if (region == WEIR_MAP_VIEW)
		weir_vm_flags_clear(vma, VM_MAYWRITE);
	if (region == WEIR_MAP_OWN) {
		err = weir_map_note_mm(map);
		if (err)
			goto err_put;
	}
	if (map->rd)
		weir_map_looks(map);
	err = weir_map_fill(vma, map);
	if (err)
		goto err_put;
	if (!map->rd && region == WEIR_MAP_VIEW) {
		mutex_lock(&map->ring->slot_lock);
		map->ring->owner_mapping = file->f_mapping;
		mutex_unlock(&map->ring->slot_lock);
	}
	vma->vm_private_data = map;
	vma->vm_ops = &weir_map_ops;
	return 0;

err_put:
	weir_map_put(map);
	return err;
}

/**
 * weir_map_describe() - answer WEIR_IOC_MAP
 * @p: the party that asks.
 * @outbox: the ring that it writes, or NULL.
 * @desc: in: id; out: the other members but @size and @flags, and
 *	of the outbox @resumed.
 *
 * Return: 0; -ENXIO with an error text when the socket has no such ring;
 * -ENOMEM.
 */
int weir_map_describe(struct weir_party *p, struct weir_ring *outbox,
		      struct weir_ioc_map *desc)
{
	struct weir_map *map = weir_map_get(p, outbox, desc->id,
					    WEIR_MAP_VIEW);
	u32 region;

	if (IS_ERR(map))
		return weir_owner_refuse(p->owner, PTR_ERR(map),
					 "the socket has no ring of this id");
	desc->gating = map->rd && map->rd->gating;
	desc->slot = map->rd ? map->rd->slot : 0;
	desc->resumed = map->rd && map->rd->resumed;
	desc->ring_bytes = weir_ring_bytes(&map->ring->view);
	for (region = 0; region < WEIR_MAP_MAX; region++) {
		desc->offset[region] = weir_map_offset(desc->id, region);
		desc->length[region] = weir_map_length(map->ring, map->rd,
						       region);
	}
	weir_map_put(map);
	return 0;
}
