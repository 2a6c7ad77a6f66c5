/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The need-wakeup protocol, edge (C) of uapi/weir_ring.h, on a machine with
 * store buffers (x86-TSO): two threads of the writing process publish, two
 * readers sleep when they have read all they see. A state in which a reader
 * sleeps for ever is an invalid end state, so SPIN finds lost wake-ups.
 *
 * As in module/ring/wake.c, each sleep decides whether the writer shall fence for
 * itself from now on (FENCE) or be fenced by sleepers. The status page's word
 * is written under the ring's lock only: those steps are atomic here.
 *
 * Two controls must fail: NO_BARRIER, in which sleepers fence nobody though no
 * writer fences, and BIT_ONLY, in which they set FENCE and trust that it is in
 * force at once.
 */
#define WRITERS	2
#define READERS	2
#define N	2			/* records of each writer */

byte issued[WRITERS];			/* commits that left the program */
byte mem[WRITERS];			/* commits that left the store buffer */
bit wake_readers, wake_fence;		/* status.wake */
bit fenced;				/* FENCE is in force on every CPU */
bit armed[READERS], woken[READERS];
bit armed_fenced[READERS];		/* a barrier has run since it was armed */

#define visible		(mem[0] + mem[1])

/* Store buffers empty themselves at any time, in order. */
active proctype buffers()
{
end:
	do
	:: atomic { mem[0] < issued[0] -> mem[0]++ }
	:: atomic { mem[1] < issued[1] -> mem[1]++ }
	od
}

/* weir_commit() */
active [WRITERS] proctype writer()
{
	byte me = _pid - 1, n;
	bit r, f;

	do
	:: n == N -> break
	:: n < N ->
		atomic { issued[me]++; n++ };
		atomic { r = wake_readers; f = wake_fence }
		if
		:: f ->
			atomic { mem[me] = issued[me]; r = wake_readers }
		:: else
		fi;
		if
		:: r ->
			atomic {
				mem[me] = issued[me];	/* a system call */
				wake_readers = 0;
				if :: armed[0] -> armed[0] = 0; woken[0] = 1 :: else fi;
				if :: armed[1] -> armed[1] = 0; woken[1] = 1 :: else fi
			}
		:: else
		fi
	od
}

/* weir_peek(), and weir_wait() with weir_arm_readable() in the kernel */
active [READERS] proctype reader()
{
	byte me = _pid - 1 - WRITERS, taken;

	do
	:: taken == WRITERS * N -> break
	:: taken < WRITERS * N ->
		if
		:: atomic { taken < visible -> taken++ }
		:: atomic { taken == visible -> woken[me] = 0 };
			atomic {
				if
				:: !armed[me] ->
					armed[me] = 1;
					armed_fenced[me] = 0;
					wake_readers = 1;
					if
#ifndef BIT_ONLY
					:: wake_fence = 0; fenced = 0
#endif
#ifndef NO_BARRIER
					:: wake_fence = 1
#endif
					fi
				:: else
				fi
			};
#ifdef BIT_ONLY
			fenced = 1;
#endif
			if
			:: !fenced && !armed_fenced[me] ->
#ifndef NO_BARRIER
				/* one CPU after the other */
				mem[0] = issued[0];
				mem[1] = issued[1];
				atomic {
					armed_fenced[me] = 1;
					if
					:: armed[me] && wake_fence -> fenced = 1
					:: else
					fi
				}
#else
				skip
#endif
			:: fenced || armed_fenced[me] -> skip
			fi;
			if
			:: taken < visible
			:: taken == visible -> woken[me]	/* sleeps */
			fi
		fi
	od
}
