// SPDX-License-Identifier: GPL-2.0
/*
 * The memory object: pages of an outbox or inbox, and the kernel's double
 * mapping of them. This file makes the head and status pages. The life of the
 * stream in them is in stream.c, cursors are in reader.c, VMAs in map.c,
 * sleeping in wake.c, names in path.c.
 *
 * Process context. The functions may sleep unless their comment says otherwise.
 */
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/overflow.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "charge.h"
#include "logic/account.h"
#include "logic/softirq.h"
#include "memory.h"
#include "net.h"
#include "owner.h"
#include "race.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "stats.h"
#include "tenant.h"
#include "weir.h"

#define WEIR_HUGE_ORDER	9	/* 2 MiB on x86-64 */

static struct lock_class_key weir_inbox_lock_key;

/* Pages that are freed between two calls of cond_resched(). */
#define WEIR_FREE_PAGES	256

static void weir_ring_free_pages(struct weir_ring *ring)
{
	unsigned int i;

	if (ring->view.data)
		vunmap(ring->view.data);
	for (i = 0; i < ring->nr_pages; i++) {
		put_page(ring->pages[i]);
		/* a ring of 1 GiB has 2^18 pages */
		if (i % WEIR_FREE_PAGES == 0)
			cond_resched();
	}
	kvfree(ring->pages);
	if (ring->head_page)
		put_page(ring->head_page);
	if (ring->status_page)
		put_page(ring->status_page);
}

/* Pages that are allocated between two checks of the free memory. */
#define WEIR_CHECK_PAGES	(SZ_4M >> PAGE_SHIFT)

/*
 * Bytes that a ring with @pages data pages takes: these pages, its head and
 * status pages and, rounded down to whole pages, the array of pages and the
 * page tables of the kernel's double mapping (three words for each page).
 */
static u64 weir_ring_cost(unsigned int pages)
{
	u64 words = 3ULL * pages * sizeof(void *);

	return ((u64)pages + 2) * PAGE_SIZE + (words & PAGE_MASK);
}

/*
 * Allocates the data pages in blocks of 2^@order. Each block is split into
 * single pages at once, so that every page has its own reference count for any
 * mapping. Returns 0, -ENOMEM, with the error text in @why if there is one, or
 * -EINTR after a fatal signal. On error the pages allocated so far stay in
 * @ring.
 */
static int weir_ring_alloc_pages(struct weir_ring *ring, unsigned int total,
				 int node, unsigned int order, const char **why)
{
	unsigned int looked = 0, i;

	ring->pages = kvcalloc(total, sizeof(*ring->pages), WEIR_GFP);
	if (!ring->pages)
		return -ENOMEM;
	while (ring->nr_pages < total) {
		gfp_t gfp = WEIR_GFP_PAGES;
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		/* others allocate too: check again */
		if (ring->nr_pages - looked >= WEIR_CHECK_PAGES) {
			looked = ring->nr_pages;
			*why = weir_memory_short((u64)(total - looked) *
						 PAGE_SIZE);
			if (*why)
				return -ENOMEM;
		}
		if (order)
			gfp = (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY;
		page = alloc_pages_node(node, gfp, order);
		if (!page && order) {
			/* no large block: single pages for the rest */
			order = 0;
			continue;
		}
		if (!page)
			return -ENOMEM;
		if (order)
			split_page(page, order);
		for (i = 0; i < 1U << order; i++)
			ring->pages[ring->nr_pages++] = page + i;
		cond_resched();
	}
	ring->page_order = order;
	return 0;
}

/* Maps the data pages twice, back to back, for the kernel. */
static int weir_ring_map_data(struct weir_ring *ring)
{
	unsigned int total = ring->nr_pages;
	struct page **twice;

	twice = kvmalloc_array(total, 2 * sizeof(*twice), WEIR_GFP);
	if (!twice)
		return -ENOMEM;
	memcpy(twice, ring->pages, array_size(total, sizeof(*twice)));
	memcpy(twice + total, ring->pages, array_size(total, sizeof(*twice)));
	ring->view.data = vmap(twice, 2 * total, VM_MAP, PAGE_KERNEL);
	kvfree(twice);
	return ring->view.data ? 0 : -ENOMEM;
}

/*
 * Allocates all of a ring's memory. Returns 0, -ENOMEM (an error text may be in
 * @why) or -EINTR. The caller frees the pages on error.
 */
static int weir_ring_alloc(struct weir_ring *ring, unsigned int total,
			   const struct weir_ring_spec *spec, const char **why)
{
	bool huge = spec->huge && total >= 1U << WEIR_HUGE_ORDER;
	int err;

	*why = weir_memory_short(ring->charge.used[WEIR_ACCOUNT_BYTES]);
	if (*why)
		return -ENOMEM;
	ring->head_page = alloc_pages_node(spec->node, WEIR_GFP_PAGES, 0);
	ring->status_page = alloc_pages_node(spec->node, WEIR_GFP_PAGES, 0);
	if (!ring->head_page || !ring->status_page)
		return -ENOMEM;
	err = weir_ring_alloc_pages(ring, total, spec->node,
				    huge ? WEIR_HUGE_ORDER : 0, why);
	return err ?: weir_ring_map_data(ring);
}

/* After the last put. May sleep. */
static void weir_ring_free(struct weir_ring *ring)
{
	struct weir_net *wn = ring->wn;

	if (ring->id)
		xa_erase(&ring->wn->rings, ring->id);
	WARN_ON_ONCE(!xa_empty(&ring->slots));
	xa_destroy(&ring->slots);
	weir_tally_destroy(&ring->slot_users);
	weir_stat_add(WEIR_STAT_RINGS, -1);
	weir_stat_add(WEIR_STAT_RING_BYTES,
		      -(s64)ring->charge.used[WEIR_ACCOUNT_BYTES]);
	weir_ring_free_pages(ring);
	weir_uncharge(&ring->charge);
	put_pid(ring->pid);
	weir_tenant_put(ring->tenant);
	kfree_rcu(ring, rcu);	/* for weir_ring_next() */
	/* last: the namespace may end then */
	if (atomic_dec_and_test(&wn->nrings))
		wake_up_var(&wn->nrings);
}

/* weir_ring.free */
static void weir_ring_free_work(struct work_struct *work)
{
	weir_ring_free(container_of(work, struct weir_ring, free));
}

/* Makes a ring without pages, with one reference; NULL: no memory. */
static struct weir_ring *weir_ring_new(const struct weir_owner *o,
				       const struct weir_ring_spec *spec)
{
	size_t len = spec->name ? strlen(spec->name) : 0;
	struct weir_ring *ring;

	ring = kzalloc(struct_size(ring, name, len + 1), WEIR_GFP);
	if (!ring)
		return NULL;
	refcount_set(&ring->ref, 1);
	memcpy(ring->name, spec->name ?: "", len);
	ring->wn = o->wn;
	ring->type = spec->type;
	ring->lossy = ring->type == SOCK_DGRAM && !spec->inbox;
	ring->uid = o->uid;
	ring->pid = get_pid(o->pid);
	ring->clock_ns = o->clock_ns;
	ring->evict_ms = spec->evict_ms;
	ring->linger_ms = spec->linger_ms;
	mutex_init(&ring->slot_lock);
	weir_memory_never_under(&ring->slot_lock);
	xa_init_flags(&ring->slots, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	weir_tally_init(&ring->slot_users);
	spin_lock_init(&ring->lock);
	if (spec->inbox)
		lockdep_set_class(&ring->lock, &weir_inbox_lock_key);
	weir_softirq_takes(&ring->lock);
	INIT_LIST_HEAD(&ring->readers);
	INIT_LIST_HEAD(&ring->armed);
	INIT_LIST_HEAD(&ring->waking);
	INIT_LIST_HEAD(&ring->path_link);
	spin_lock_init(&ring->post.lock);
	weir_softirq_takes(&ring->post.lock);
	INIT_LIST_HEAD(&ring->post.waiting);
	INIT_LIST_HEAD(&ring->post.called);
	ring->tenant = weir_tenant_get(o->tenant);
	ring->ops = spec->ops ?: spec->inbox ? &weir_inbox_ops :
					      &weir_outbox_ops;
	ring->data = spec->data;
	weir_timer_init(&ring->reap, &ring->tenant->timers, &ring->ref,
			ring->ops->reap);
	weir_timer_init(&ring->grants, &ring->tenant->timers, &ring->ref,
			weir_inbox_grants_over);
	weir_timer_init(&ring->expire, &ring->tenant->lingers, &ring->ref,
			weir_ring_expire);
	INIT_LIST_HEAD(&ring->settle.link);
	ring->settle.part = weir_ring_settle_part;
	INIT_WORK(&ring->free, weir_ring_free_work);
	return ring;
}

/* Fills the status page before anybody can map it. */
static void weir_ring_fill_status(struct weir_ring *ring, u64 bytes)
{
	struct weir_status *status = page_address(ring->status_page);

	ring->view.head = page_address(ring->head_page);
	ring->view.status = status;
	ring->view.mask = bytes - 1;
	ring->view.secret = get_random_u64() | 1;
	status->magic = WEIR_STATUS_MAGIC;
	status->version = WEIR_ABI_VERSION;
	status->secret = ring->view.secret;
	status->ring_bytes = bytes;
	status->flags = ring->lossy ? WEIR_STATUS_LOSSY : 0;
	status->state = WEIR_STATE_OPEN;
	status->wake_pos = U64_MAX;
}

/* Sets an outbox's writer. From here on the outbox can be found by its id. */
static int weir_ring_own(struct weir_ring *ring,
			 const struct weir_ring_spec *spec)
{
	if (spec->inbox)
		return 0;
	ring->writer = spec->party;
	ring->id = atomic_long_inc_return(&ring->wn->next_id);
	return xa_insert(&ring->wn->rings, ring->id, ring, WEIR_GFP);
}

/**
 * weir_ring_create() - make an outbox, or an inbox
 * @o: the owner, which is charged.
 * @spec: properties of the ring.
 *
 * The pages are charged to the memory cgroup of the calling task. Process
 * context, may sleep.
 *
 * Return: the ring with one reference, or an ERR_PTR: -ENOBUFS at a cap,
 * -ENOMEM when too little memory would be left for others, -EINTR after a fatal
 * signal. An error text is set, except when the first small allocation failed.
 */
struct weir_ring *weir_ring_create(struct weir_owner *o,
				   const struct weir_ring_spec *spec)
{
	struct weir_ring *ring = weir_ring_new(o, spec);
	unsigned int pages = spec->bytes >> PAGE_SHIFT;
	const char *why = NULL;
	int err;

	if (!ring)
		return ERR_PTR(-ENOMEM);
	err = weir_charge_owner(&ring->charge, o, weir_ring_cost(pages), 1);
	if (err)
		goto err_free;
	err = weir_ring_alloc(ring, pages, spec, &why);
	if (err)
		goto err_pages;
	weir_ring_fill_status(ring, spec->bytes);
	err = weir_ring_own(ring, spec);
	if (err)
		goto err_pages;
	atomic_inc(&ring->wn->nrings);
	weir_stat_inc(WEIR_STAT_RINGS);
	weir_stat_add(WEIR_STAT_RING_BYTES,
		      ring->charge.used[WEIR_ACCOUNT_BYTES]);
	return ring;

err_pages:
	weir_ring_free_pages(ring);
	weir_uncharge(&ring->charge);
	if (err == -ENOMEM)
		weir_drop(o->path, WEIR_REASON_NO_MEMORY);
	weir_owner_refuse(o, err, why ?: "no memory for the ring");
err_free:
	put_pid(ring->pid);
	weir_tenant_put(ring->tenant);
	kfree(ring);
	return ERR_PTR(err);
}

void weir_ring_get(struct weir_ring *ring)
{
	refcount_inc(&ring->ref);
}

/*
 * weir_ring_put() - put a reference of a ring; the last one frees the ring
 *
 * A worker frees it if BH are disabled: its kernel mapping cannot be undone
 * there. So softirq may put a ring, and a socket, too.
 */
void weir_ring_put(struct weir_ring *ring)
{
	if (!refcount_dec_and_test(&ring->ref))
		return;
	if (in_softirq())
		queue_work(weir_wq, &ring->free);
	else
		weir_ring_free(ring);
}

/**
 * weir_ring_next() - the next outbox of a namespace
 * @wn: the namespace.
 * @id: id after which the search begins; out: the id of the ring found.
 *
 * All look-ups of rings by id go through this function. A ring stays in the
 * table until after its last put, so a ring in the table may be ending; such a
 * ring is skipped. Any context.
 *
 * Return: the ring, held, or NULL when there is none.
 */
struct weir_ring *weir_ring_next(struct weir_net *wn, unsigned long *id)
{
	struct weir_ring *ring;

	rcu_read_lock();
	do {
		ring = xa_find_after(&wn->rings, id, ULONG_MAX, XA_PRESENT);
		weir_race_point(ring_next);
	} while (ring && !refcount_inc_not_zero(&ring->ref));
	rcu_read_unlock();
	return ring;
}

/**
 * weir_ring_search() - weir_ring_resync() for rings of any size
 * @ring: the ring.
 * @from: first position to try.
 * @to: position where the search ends.
 * @pos: out: position of the first committed record, or @to.
 *
 * @from and @to may come from shared words that a malicious writer changed in
 * between. The search therefore stays within one ring size before @to. It calls
 * cond_resched(). Process context, no spinlock held.
 *
 * Return: true if a committed record was found.
 */
bool weir_ring_search(const struct weir_ring *ring, u64 from, u64 to, u64 *pos)
{
	const u64 chunk = SZ_64K, size = weir_ring_bytes(&ring->view);

	if (to - from > size)
		from = to > size ? to - size : 0;
	while (to - from > chunk) {
		if (weir_ring_resync(&ring->view, from, from + chunk, pos))
			return true;
		from += chunk;
		cond_resched();
	}
	return weir_ring_resync(&ring->view, from, to, pos);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_ring_create);
EXPORT_SYMBOL_IF_KUNIT(weir_ring_put);
#endif
