/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lock of a pass: the thread that reads an endpoint's outbox holds it. It
 * is a mutex that a polling thread can try in two instructions. A worker that
 * finds it taken leaves, and is called again when the lock is free.
 *
 * Process context. Not fair: only threads of the socket's owners sleep for it,
 * and the worker that ends a closed socket.
 */
#ifndef _WEIR_DISPATCH_LOCK_H
#define _WEIR_DISPATCH_LOCK_H

#include <linux/bitops.h>
#include <linux/lockdep.h>
#include <linux/wait.h>

/* Bits of weir_dispatch_lock.word. */
#define WEIR_DISPATCH_LOCKED		0
#define WEIR_DISPATCH_LATER		1	/* a worker wants the lock */
#define WEIR_DISPATCH_WAITED		2	/* a thread sleeps for it */

/**
 * struct weir_dispatch_lock - lock with a sleeping and a deferred waiter
 * @word: bits WEIR_DISPATCH_*; changed by atomic operations.
 * @wait: threads that sleep until the lock is free.
 * @dep_map: for lockdep.
 */
struct weir_dispatch_lock {
	unsigned long		word;
	wait_queue_head_t	wait;
#ifdef CONFIG_DEBUG_LOCK_ALLOC
	struct lockdep_map	dep_map;
#endif
};

#define weir_dispatch_lock_init(l)						\
do {									\
	static struct lock_class_key __key;				\
									\
	(l)->word = 0;							\
	init_waitqueue_head(&(l)->wait);				\
	lockdep_init_map(&(l)->dep_map, "weir_endpoint.dispatch_lock", &__key, 0); \
} while (0)

/* router.c */
void weir_dispatch_lock_wait(struct weir_dispatch_lock *l);

/* Sets the lock bit, unless it is set. Returns whether it did. */
static __always_inline bool weir_dispatch_take(struct weir_dispatch_lock *l)
{
	return !test_and_set_bit_lock(WEIR_DISPATCH_LOCKED, &l->word);
}

/* The same. If the bit is set, sets @bit for the holder and tries once more. */
static inline bool weir_dispatch_take_or(struct weir_dispatch_lock *l, int bit)
{
	if (weir_dispatch_take(l))
		return true;
	set_bit(bit, &l->word);
	/* the holder sees @bit, or it has unlocked already */
	smp_mb__after_atomic();
	return weir_dispatch_take(l);
}

/* Takes the lock if it is free. Does not sleep. Returns whether it did. */
static __always_inline bool weir_dispatch_trylock(struct weir_dispatch_lock *l)
{
	if (!weir_dispatch_take(l))
		return false;
	lock_acquire_exclusive(&l->dep_map, 0, 1, NULL, _RET_IP_);
	return true;
}

/* The same in a worker. If the lock is taken, its holder calls a worker. */
static inline bool weir_dispatch_trylock_later(struct weir_dispatch_lock *l)
{
	if (!weir_dispatch_take_or(l, WEIR_DISPATCH_LATER))
		return false;
	lock_acquire_exclusive(&l->dep_map, 0, 1, NULL, _RET_IP_);
	return true;
}

/* Takes the lock. May sleep. */
static __always_inline void weir_dispatch_lock(struct weir_dispatch_lock *l)
{
	lock_acquire_exclusive(&l->dep_map, 0, 0, NULL, _RET_IP_);
	if (unlikely(!weir_dispatch_take(l)))
		weir_dispatch_lock_wait(l);
}

#endif /* _WEIR_DISPATCH_LOCK_H */
