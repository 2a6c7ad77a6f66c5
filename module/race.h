/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points: named places where a test makes a thread wait, so that rare
 * races happen. A point stands between a decision and the action that follows
 * from it. Race points exist only in builds for kernels with KUnit (WEIR_RACES,
 * see scripts/module). The file weir/races in debugfs sets them.
 */
#ifndef _WEIR_RACE_H
#define _WEIR_RACE_H

#ifdef WEIR_RACES

/*
 *   attach_slot   a reader is allocated and has no slot yet
 *   attach_gate   it has a slot; the writer does not wait for it yet
 *   attach_show   it is on its ring; its socket does not know it yet
 *   detach        it is off its ring; its socket still knows it
 *   evict         it is about to be evicted
 *   leave         its socket is about to drop it
 *   keep          it is held by name; it is still on its socket's list
 *   hold_work     its hold time is over; the lock is not taken yet
 *   hold_done     the timer of hold_work only has to put its reference
 *   resume        a held cursor is found; its hold is not cancelled yet
 *   owner_gone    a ring's socket is released; nothing is done yet
 *   linger        the ring is to linger or to end; the lock is not taken yet
 *   expire_work   its linger time is over; the lock is not taken yet
 *   expire_done   the timer of expire_work only has to put its reference
 *   take_over     a lingering ring is found; its end is not cancelled yet
 *   ring_next     a ring is found by number; it is not held yet
 *   netns_exit    the end of a namespace holds a ring
 *   route_owned   the owner's pass has its lock; it has done nothing yet
 *   endpoint_close no new pass over an endpoint; its targets still exist
 *   target_remove a target is no longer picked; its calls still exist
 *   calls_cancel  some calls of a gone socket have ended, others are open
 *   endpoint_free an endpoint has left the table; it still has its rings
 *   tick          a user's timer has come; the lock is not taken yet
 *   turn          a user's worker has its turn; it has done nothing yet
 */
#define WEIR_RACE_POINTS(point)						\
	point(attach_slot) point(attach_gate) point(attach_show)	\
	point(detach) point(evict) point(leave) point(keep)		\
	point(hold_work) point(hold_done) point(resume)			\
	point(owner_gone) point(linger) point(expire_work)		\
	point(expire_done) point(take_over) point(ring_next)		\
	point(netns_exit) point(route_owned) point(endpoint_close)		\
	point(target_remove) point(calls_cancel) point(endpoint_free)	\
	point(tick) point(turn)

#define WEIR_RACE_ENUM(name)	WEIR_RACE_##name,
enum weir_race_point {
	WEIR_RACE_POINTS(WEIR_RACE_ENUM)
	WEIR_RACE_MAX
};

void weir_race_hit(enum weir_race_point point);
void weir_race_init(void);
void weir_race_exit(void);

/* Any context. Where sleeping is forbidden, it spins for a short time. */
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
