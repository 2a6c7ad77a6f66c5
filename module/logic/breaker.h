/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A circuit breaker, one for each target of a route. It opens when too many
 * calls fail or are slow. While it is open, no call is sent to the target.
 * After a while it lets a few probes through. The probes close it, or open it
 * again (M. Nygard, Release It!, "Circuit Breaker"; the sliding window and the
 * slow calls are as in resilience4j).
 *
 *	           share of errors or slow calls reached
 *	 CLOSED --------------------------------------------> OPEN
 *	   ^                                                 |    ^
 *	   | all probes were good                  open_ns   |    | a probe
 *	   |                                       are over  v    | was bad
 *	   +---------------------------------------------- HALF_OPEN
 *
 * Probes that have not ended after open_ns count as lost: then the breaker lets
 * as many new probes through.
 *
 * Many users share a breaker, and the requests of one user may cause all the
 * errors. So the breaker finds the user with most errors and slow calls (R.
 * Boyer, J. Moore, "MJRTY - A Fast Majority Vote Algorithm"). If the calls of
 * the other users reach the share too, the breaker opens for all users. If only
 * the calls of that user do, it opens for that user alone. Then the calls of
 * the others count as if the breaker were closed. So one user can at most
 * double the share of errors that the others have. An error of the others
 * counts for this while errors of that user do, which may be one window longer.
 *
 * While the breaker is open for all users, they take turns with the probes. One
 * user makes all probes of a round, and then leaves the next round to others
 * for open_ns. So open_ns should be longer than a call takes. A round takes at
 * most open_ns for each good probe.
 *
 * This file knows no socket and no clock: times and outcomes are arguments. The
 * breaker's lock is a leaf, and softirq takes it, too. The functions don't
 * sleep, and are called with BH disabled, unless they say otherwise.
 */
#ifndef _WEIR_BREAKER_H
#define _WEIR_BREAKER_H

#include <linux/minmax.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "uapi/weir_route.h"

#define WEIR_BREAKER_SLICES	8	/* slices of the sliding window */
#define WEIR_BREAKER_PROBES_MAX	64
#define WEIR_BREAKER_NO_USER	U32_MAX	/* the number of no user */

/* A breaker's own states; ONE_USER is for weir_breaker_shown(). */
#define WEIR_BREAKER_STATES	WEIR_BREAKER_ONE_USER

/**
 * struct weir_breaker_conf - when breakers open and close; one for each route
 * @window_ns: length of the sliding window in nanoseconds: older calls don't
 *	count.
 * @open_ns: how long a breaker stays open, in nanoseconds.
 * @slow_ns: a good call that takes more nanoseconds is slow; 0: no call is
 *	slow.
 * @min_calls: how many calls the window must hold before the breaker may open,
 *	at least 1.
 * @error_percent: the breaker opens when this share of calls fails, 1 to 100;
 *	0: it does not open because of errors.
 * @slow_percent: the breaker opens when this share of calls is slow, 1 to 100;
 *	0: it does not open because of slow calls.
 * @probes: how many calls a half-open breaker lets through, 1 to
 *	WEIR_BREAKER_PROBES_MAX.
 */
struct weir_breaker_conf {
	u64	window_ns;
	u64	open_ns;
	u64	slow_ns;
	u32	min_calls;
	u32	error_percent;
	u32	slow_percent;
	u32	probes;
};

/**
 * struct weir_breaker_count - how some calls ended
 * @calls: how many there were.
 * @errors: calls of @calls that failed.
 * @slow: calls of @calls that were good, but slow; none if the breaker does not
 *	open because of these.
 */
struct weir_breaker_count {
	u64	calls;
	u64	errors;
	u64	slow;
};

/**
 * struct weir_breaker_slice - one part of the window
 * @all: all calls that ended in this part.
 * @worst: those of weir_breaker.worst, since that user is the worst one.
 */
struct weir_breaker_slice {
	struct weir_breaker_count	all;
	struct weir_breaker_count	worst;
};

/**
 * struct weir_breaker - the breaker of one target
 */
struct weir_breaker {
	/**
	 * @lock: guards all other fields. weir_breaker_permit() also reads
	 * @state and @round without it.
	 */
	spinlock_t			lock;
	/**
	 * @state: enum weir_breaker_state; written by weir_breaker_event()
	 * alone.
	 */
	u8				state;
	/** @at: index in @slice of the current slice. */
	u8				at;
	/**
	 * @round: changes with each change of state: from 1 to S32_MAX, then
	 * from 1 again. The end of a call that began in another round is
	 * ignored. Calls that began while there was no breaker are of round 0.
	 */
	u32				round;
	/**
	 * @window_round: round in which the window was emptied for all users.
	 * The calls of a user for which the breaker is closed are of this
	 * round.
	 */
	u32				window_round;
	/** @probes_out: half open: how many probes have been let through. */
	u32				probes_out;
	/** @probes_good: half open: how many probes have ended well. */
	u32				probes_good;
	/**
	 * @since_ns: time at which the breaker opened last, or at which it has
	 * let a probe through since; nanoseconds of the caller's clock, as all
	 * times here.
	 */
	u64				since_ns;
	/**
	 * @moved_ns: time at which the first probe of the round was let
	 * through, or at which a probe of the round last ended well.
	 */
	u64				moved_ns;
	/** @prober: user of the last probe, or WEIR_BREAKER_NO_USER. */
	u32				prober;
	/**
	 * @only: the breaker is open or half open for this user alone;
	 * WEIR_BREAKER_NO_USER: for all, or it is closed.
	 */
	u32				only;
	/**
	 * @worst: the user with most errors and slow calls in the window, or
	 * WEIR_BREAKER_NO_USER.
	 */
	u32				worst;
	/**
	 * @lead: bad calls of @worst less the bad calls of the others; at most
	 * the bad calls of @worst in the window.
	 */
	u64				lead;
	/** @slice_ns: time at which the current slice began. */
	u64				slice_ns;
	/** @opens: how often the breaker has opened. */
	u64				opens;
	/**
	 * @slice: the sliding window. While the breaker is open for @only,
	 * calls of that user are not in it.
	 */
	struct weir_breaker_slice	slice[WEIR_BREAKER_SLICES];
};

int weir_breaker_conf_check(const struct weir_breaker_conf *c,
			    const char **why);
void weir_breaker_init(struct weir_breaker *b, u64 now_ns);
void weir_breaker_reset(struct weir_breaker *b, u64 now_ns);
enum weir_breaker_state weir_breaker_shown(const struct weir_breaker *b);
bool weir_breaker_permit(struct weir_breaker *b,
			 const struct weir_breaker_conf *c, u32 user,
			 u64 now_ns, u32 *round);
void weir_breaker_done(struct weir_breaker *b,
		       const struct weir_breaker_conf *c, u32 user, u64 now_ns,
		       u32 round, bool good, u64 took_ns);
void weir_breaker_good(struct weir_breaker *b,
		       const struct weir_breaker_conf *c, u32 user, u64 now_ns,
		       u32 round, u32 n);
void weir_breaker_forget(struct weir_breaker *b, u32 user, u32 round,
			 bool sent);
bool weir_breaker_blames(struct weir_breaker *b,
			 const struct weir_breaker_conf *c, u32 user,
			 u64 now_ns);

/*
 * How many of @n breakers may refuse a user at once: @percent of them, rounded
 * down, and one in any case. With 0 percent, any number may.
 */
static inline u32 weir_breaker_max_open(u32 n, u32 percent)
{
	return percent ? max(n * percent / 100, 1U) : U32_MAX;
}

/*
 * Is the breaker open or half open for another user alone? Without the lock the
 * answer may be out of date, as the state may be.
 */
static inline bool weir_breaker_spares(const struct weir_breaker *b, u32 user)
{
	u32 only = READ_ONCE(b->only);

	return only != WEIR_BREAKER_NO_USER && only != user;
}

/* Does the breaker stand in the way of a user? Without the lock, as above. */
static inline bool weir_breaker_open_for(const struct weir_breaker *b, u32 user)
{
	return READ_ONCE(b->state) != WEIR_BREAKER_CLOSED &&
	       !weir_breaker_spares(b, user);
}

#endif /* _WEIR_BREAKER_H */
