/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Attaching a reader at an old position while the writer takes room, edge (E)
 * of uapi/weir_ring.h, with store buffers (x86-TSO). A record is one unit, the
 * ring holds RING of them; the writer may not claim what would overwrite the
 * reader's next record.
 *
 * Four controls must fail: NO_FENCE, a writer that does not fence between its
 * intent and its second look at gen; NO_GEN, a writer that does not look again;
 * TAIL_FIRST, a kernel that lets the writer see the new cursor at the tail
 * before it moves it back to the oldest record; and LATE_INTENT, a kernel that
 * reads the tail before the intent, which may then be too high for it.
 */
#define RING	2
#define LAST	6

byte claim, claim_mem;		/* as the writer sees it, as others do */
byte intent, intent_mem;
byte behind;			/* claim when the intent was stored */
byte limit;
byte cursor;
byte gen;
bit gating, placed;

#define drain	atomic { claim_mem = claim; intent_mem = intent }
#define safe	(!placed || claim <= cursor + RING)

/* The intent leaves the store buffer behind the claims that were before it. */
active proctype buffer()
{
end:
	do
	:: atomic { claim_mem < claim -> claim_mem++ }
	:: atomic { intent_mem < intent && claim_mem >= behind ->
		    intent_mem = intent }
	od
}

/* weir_ring_claim(), weir_claim_slow() */
active proctype writer()
{
	byte g, min;

end:
	do
	:: claim < LAST && claim < limit ->
		atomic { claim++; assert(safe) }
	:: claim < LAST && claim == limit ->
		g = gen;
		min = claim;
		if
		:: gating ->
			atomic {
				if
				:: claim > cursor + RING ->
					/* a liar? the kernel looks, under its lock */
					placed; assert(safe)
				:: else
				fi;
				if :: cursor < min -> min = cursor :: else fi
			}
		:: else
		fi;
		if
		:: min + RING > intent ->
			atomic { intent = min + RING; behind = claim }
		:: else
		fi;
#ifndef NO_FENCE
		drain;
#endif
		if
#ifdef NO_GEN
		:: true ->
#else
		:: gen == g ->
#endif
			if :: min + RING > limit -> limit = min + RING :: else fi
#ifndef NO_GEN
		:: else
#endif
		fi
	od
}

/* weir_reader_seek(): the tail, or the oldest that the writer does not want */
inline place(oldest)
{
#ifdef LATE_INTENT
	tail = claim_mem;
	floor = intent_mem;
#else
	floor = intent_mem;
	tail = claim_mem;
#endif
	pos = tail;
	if
	:: oldest && (floor < RING || floor > tail + RING) ->
		/* before the first look, or nonsense: what the ring holds */
		pos = (tail > RING -> tail - RING : 0)
	:: oldest && floor >= RING && floor <= tail + RING ->
		pos = floor - RING
	:: !oldest
	fi;
	cursor = pos
}

/* weir_reader_attach(); the ring's lock is held until placed */
active proctype kernel()
{
	bit oldest;
	byte tail, pos, floor;

	if :: oldest = 0 :: oldest = 1 fi;
#ifdef TAIL_FIRST
	place(0);
#else
	place(oldest);
#endif
	gating = 1;
	gen++;
	place(oldest);
	atomic { placed = 1; assert(safe) };
	/* and reads */
end:
	do
	:: cursor < claim_mem -> cursor++
	od
}
