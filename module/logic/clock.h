/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deadlines on the clock of a process, and on the kernel's. In a time namespace
 * CLOCK_MONOTONIC is the kernel's monotonic clock and an offset, which may be
 * negative. The router counts on the kernel's clock alone. So it translates a
 * deadline where the deadline comes in and where it goes out.
 *
 * A deadline is in nanoseconds. 0 means none. One above S64_MAX is none of the
 * sender's own, and the longest that the route allows.
 *
 * This file knows no clock: offsets are arguments. Any context.
 */
#ifndef _WEIR_CLOCK_H
#define _WEIR_CLOCK_H

#include <linux/limits.h>
#include <linux/overflow.h>
#include <linux/types.h>

/**
 * weir_clock_in() - a deadline of a process, on the kernel's clock
 * @deadline_ns: on the clock of the process.
 * @offset_ns: what this clock is ahead of the kernel's.
 *
 * Return: the deadline; 1, which is over, if it lies before the kernel's clock
 * began; U64_MAX if it is above S64_MAX on either clock.
 */
static inline u64 weir_clock_in(u64 deadline_ns, s64 offset_ns)
{
	s64 at;

	if (!deadline_ns)
		return 0;
	if (deadline_ns > S64_MAX ||
	    check_sub_overflow((s64)deadline_ns, offset_ns, &at))
		return U64_MAX;
	return at > 0 ? at : 1;
}

/**
 * weir_clock_out() - a deadline on the kernel's clock, for a process
 * @deadline_ns: on the kernel's clock.
 * @offset_ns: what the clock of the process is ahead of it.
 *
 * Return: the deadline; 1, which is over, if it lies before the clock of the
 * process began; U64_MAX if it is above S64_MAX on either clock.
 */
static inline u64 weir_clock_out(u64 deadline_ns, s64 offset_ns)
{
	s64 at;

	if (!deadline_ns)
		return 0;
	if (deadline_ns > S64_MAX ||
	    check_add_overflow((s64)deadline_ns, offset_ns, &at))
		return U64_MAX;
	return at > 0 ? at : 1;
}

/* A deadline that goes from one process to another, by their clocks' offsets. */
static inline u64 weir_clock_between(u64 deadline_ns, s64 from_ns, s64 to_ns)
{
	return from_ns == to_ns ? deadline_ns :
	       weir_clock_out(weir_clock_in(deadline_ns, from_ns), to_ns);
}

#endif /* _WEIR_CLOCK_H */
