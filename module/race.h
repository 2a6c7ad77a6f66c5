/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points: named places at which a test has a thread wait, so that what
 * seldom meets does. A point stands where something has been decided and not
 * done yet. They are in builds for kernels with KUnit alone (WEIR_RACES, see
 * scripts/module) and nothing in any other; weir/races in debugfs sets them.
 */
#ifndef _WEIR_RACE_H
#define _WEIR_RACE_H

#ifdef WEIR_RACES

/*
 *   attach_slot   a reader is made, and has no slot yet
 *   attach_gate   it has a slot; the writer does not wait for it yet
 *   attach_show   it is on its ring; its socket does not know it yet
 *   detach        it is off its ring; its socket knows it still
 *   evict         it is to be evicted
 *   leave         its socket lets go of it
 *   keep          it is held by name; the socket has it on its list still
 *   hold_work     its hold time is over; the lock is not taken yet
 *   hold_done     the work of that has nothing more to do
 *   resume        a held cursor is found; its hold is not cancelled yet
 *   owner_gone    a ring's socket is released; nothing is done yet
 *   linger        it is to linger or to end; the lock is not taken yet
 *   expire_work   its linger time is over; the lock is not taken yet
 *   expire_done   the work of that has nothing more to do but to let go of it
 *   take_over     a lingering ring is found; its end is not cancelled yet
 *   ring_next     a ring is found by number; it is not held yet
 *   netns_exit    a ring is held by the end of its namespace
 *   route_owned   an owner's pass has its lock; nothing has been done yet
 *   endpoint_close no pass over an endpoint begins; its targets are there still
 *   target_remove a target is picked no more; its calls are there still
 */
#define WEIR_RACE_POINTS(point)						\
	point(attach_slot) point(attach_gate) point(attach_show)	\
	point(detach) point(evict) point(leave) point(keep)		\
	point(hold_work) point(hold_done) point(resume)			\
	point(owner_gone) point(linger) point(expire_work)		\
	point(expire_done) point(take_over) point(ring_next)		\
	point(netns_exit) point(route_owned) point(endpoint_close)		\
	point(target_remove)

#define WEIR_RACE_ENUM(name)	WEIR_RACE_##name,
enum weir_race_point {
	WEIR_RACE_POINTS(WEIR_RACE_ENUM)
	WEIR_RACE_MAX
};

void weir_race_hit(enum weir_race_point point);
void weir_race_init(void);
void weir_race_exit(void);

/* Any context; spins for a short time where it may not sleep. */
#define weir_race_point(name)	weir_race_hit(WEIR_RACE_##name)

#else

#define weir_race_point(name)	do { } while (0)
static inline void weir_race_init(void)
{
}

static inline void weir_race_exit(void)
{
}

#endif /* WEIR_RACES */
#endif /* _WEIR_RACE_H */
