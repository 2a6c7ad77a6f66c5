// SPDX-License-Identifier: GPL-2.0
/*
 * The circuit breaker of breaker.h.
 *
 * A call carries the round in which the breaker let it through. If the call
 * ends in a later round, its end is ignored: a call from before the breaker
 * opened is never taken for a probe, however late it ends. A breaker waits for
 * its probes only as long as it stays open. The end of a probe may never be
 * reported: the probe may have been sent while the breaker was on, and have
 * ended while it was off.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/string.h>

#include "logic/breaker.h"
#include "logic/softirq.h"

/**
 * enum weir_breaker_event - an event that may change the state of a breaker
 * @WEIR_BREAKER_SICK: the window holds too many errors or slow calls; of all
 *	users, or of one.
 * @WEIR_BREAKER_RESTED: open_ns are over and a caller wants to call.
 * @WEIR_BREAKER_PROBE_BAD: a probe failed or was slow.
 * @WEIR_BREAKER_PROBES_GOOD: all probes ended well.
 * @WEIR_BREAKER_PROBES_LOST: all probes are out, and the last one was let
 *	through open_ns ago.
 * @WEIR_BREAKER_RESET: a control call closes the breaker.
 */
enum weir_breaker_event {
	WEIR_BREAKER_SICK,
	WEIR_BREAKER_RESTED,
	WEIR_BREAKER_PROBE_BAD,
	WEIR_BREAKER_PROBES_GOOD,
	WEIR_BREAKER_PROBES_LOST,
	WEIR_BREAKER_RESET,
};

/**
 * weir_breaker_conf_check() - check a configuration
 * @c: configuration that a user has asked for.
 * @why: out: on refusal, the reason in words (a static string); otherwise NULL.
 *
 * Return: 0 or -EINVAL.
 */
int weir_breaker_conf_check(const struct weir_breaker_conf *c,
			    const char **why)
{
	*why = NULL;
	if (c->window_ns < WEIR_BREAKER_SLICES)
		*why = "the breaker's window is too short";
	else if (!c->open_ns)
		*why = "the breaker must stay open for some time";
	else if (!c->min_calls)
		*why = "the breaker needs one call at least to judge by";
	else if (c->error_percent > 100 || c->slow_percent > 100)
		*why = "a share of calls is 0 to 100 percent";
	else if (c->slow_percent && !c->slow_ns)
		*why = "a share of slow calls without saying what is slow";
	else if (!c->probes || c->probes > WEIR_BREAKER_PROBES_MAX)
		*why = "the breaker takes 1 to 64 probes";
	return *why ? -EINVAL : 0;
}

static void weir_breaker_window_clear(struct weir_breaker *b, u64 now_ns)
{
	memset(b->slice, 0, sizeof(b->slice));
	b->at = 0;
	b->slice_ns = now_ns;
	b->worst = WEIR_BREAKER_NO_USER;
	b->lead = 0;
}

/* Takes the calls of the worst user out of the window. */
static void weir_breaker_window_part(struct weir_breaker *b)
{
	struct weir_breaker_slice *slice;

	for (slice = b->slice; slice < b->slice + WEIR_BREAKER_SLICES; slice++) {
		slice->all.calls -= slice->worst.calls;
		slice->all.errors -= slice->worst.errors;
		slice->all.slow -= slice->worst.slow;
		slice->worst = (struct weir_breaker_count){ };
	}
	b->worst = WEIR_BREAKER_NO_USER;
	b->lead = 0;
}

/**
 * weir_breaker_init() - set up a closed breaker with an empty window
 * @b: the breaker.
 * @now_ns: the time.
 */
void weir_breaker_init(struct weir_breaker *b, u64 now_ns)
{
	memset(b, 0, sizeof(*b));
	spin_lock_init(&b->lock);
	weir_softirq_takes(&b->lock);
	/* round 0 is for calls that were sent while there was no breaker */
	b->round = 1;
	b->window_round = 1;
	b->prober = WEIR_BREAKER_NO_USER;
	b->only = WEIR_BREAKER_NO_USER;
	weir_breaker_window_clear(b, now_ns);
}

/* weir_breaker_shown() - what a list shows of a breaker */
enum weir_breaker_state weir_breaker_shown(const struct weir_breaker *b)
{
	enum weir_breaker_state state = READ_ONCE(b->state);
	u64 others = 0;
	unsigned int i;

	if (READ_ONCE(b->only) == WEIR_BREAKER_NO_USER)
		return state;
	/* since it opened for that user, the window counts the others */
	for (i = 0; i < WEIR_BREAKER_SLICES; i++)
		others += READ_ONCE(b->slice[i].all.calls);
	return others ? WEIR_BREAKER_ONE_USER : state;
}

/* Is the breaker closed for this user? Then its calls count in the window. */
static bool weir_breaker_closed_for(const struct weir_breaker *b, u32 user)
{
	return b->state == WEIR_BREAKER_CLOSED || weir_breaker_spares(b, user);
}

/* The round of the calls of a user. */
static u32 weir_breaker_round(const struct weir_breaker *b, u32 user)
{
	return weir_breaker_spares(b, user) ? b->window_round : b->round;
}

/*
 * Change the state after an event. Only this function writes the state. An
 * event that the current state does not expect comes too late, and is ignored.
 * When the breaker closes, or opens because of the calls in the window, the
 * user of the last probe is forgotten, and the window is emptied. If it opens
 * for one user, only the calls of that user leave the window.
 */
static void weir_breaker_event(struct weir_breaker *b,
			       enum weir_breaker_event event, u64 now_ns)
{
	enum weir_breaker_state to;

	lockdep_assert_held(&b->lock);
	if (event == WEIR_BREAKER_RESET)
		to = WEIR_BREAKER_CLOSED;
	else if (event == WEIR_BREAKER_SICK)
		to = WEIR_BREAKER_OPEN;
	else if (b->state == WEIR_BREAKER_OPEN && event == WEIR_BREAKER_RESTED)
		to = WEIR_BREAKER_HALF_OPEN;
	else if (b->state == WEIR_BREAKER_HALF_OPEN &&
		 event == WEIR_BREAKER_PROBE_BAD)
		to = WEIR_BREAKER_OPEN;
	else if (b->state == WEIR_BREAKER_HALF_OPEN &&
		 event == WEIR_BREAKER_PROBES_GOOD)
		to = WEIR_BREAKER_CLOSED;
	else if (b->state == WEIR_BREAKER_HALF_OPEN &&
		 event == WEIR_BREAKER_PROBES_LOST)
		to = WEIR_BREAKER_HALF_OPEN;
	else
		return;
	if (to == WEIR_BREAKER_OPEN) {
		b->since_ns = now_ns;
		b->opens++;
	}
	/* the router uses the highest bit of a call's round for itself */
	b->round = b->round % S32_MAX + 1;
	b->probes_out = 0;
	b->probes_good = 0;
	if (to == WEIR_BREAKER_CLOSED)
		WRITE_ONCE(b->only, WEIR_BREAKER_NO_USER);
	if (to == WEIR_BREAKER_CLOSED || event == WEIR_BREAKER_SICK) {
		b->prober = WEIR_BREAKER_NO_USER;
		if (b->only == WEIR_BREAKER_NO_USER) {
			WRITE_ONCE(b->window_round, b->round);
			weir_breaker_window_clear(b, now_ns);
		} else {
			weir_breaker_window_part(b);
		}
	}
	WRITE_ONCE(b->state, to);
}

/**
 * weir_breaker_reset() - close a breaker and empty its window
 * @b: the breaker; may be in use.
 * @now_ns: the time.
 *
 * Process context.
 */
void weir_breaker_reset(struct weir_breaker *b, u64 now_ns)
{
	spin_lock_bh(&b->lock);
	weir_breaker_event(b, WEIR_BREAKER_RESET, now_ns);
	spin_unlock_bh(&b->lock);
}

/* BH are disabled: the router counts calls in sections and under its locks. */
static inline void weir_breaker_lock(struct weir_breaker *b)
	__acquires(&b->lock)
{
	lockdep_assert_in_softirq();
	spin_lock(&b->lock);
}

/*
 * May a user probe, as far as other users matter? They do not matter if the
 * breaker is open for one user alone. Otherwise one user makes all probes of a
 * round. Others wait until the round has not moved (@moved_ns) for open_ns. The
 * user that made the last round leaves the next open_ns to the others, if its
 * probes came to nothing. Differences are signed, as a clock may wrap.
 */
static bool weir_breaker_turn(const struct weir_breaker *b,
			      const struct weir_breaker_conf *c, u32 user,
			      u64 now_ns)
{
	if (b->only != WEIR_BREAKER_NO_USER)
		return true;
	if (b->prober != user)
		return !b->probes_out ||
		       (s64)(now_ns - b->moved_ns) >= (s64)c->open_ns;
	return (b->probes_out && b->probes_out < c->probes) ||
	       (s64)(now_ns - b->since_ns - c->open_ns) >= (s64)c->open_ns;
}

/**
 * weir_breaker_permit() - may a call go to this target now?
 * @b: the target's breaker.
 * @c: the route's configuration.
 * @user: number of the user that calls; not WEIR_BREAKER_NO_USER.
 * @now_ns: the time.
 * @round: out: round of the call. If the call may go, the caller passes it to
 *	weir_breaker_done(), weir_breaker_good() or weir_breaker_forget() later.
 *
 * This takes no lock while the breaker is closed.
 *
 * Return: true if the call may go.
 */
bool weir_breaker_permit(struct weir_breaker *b,
			 const struct weir_breaker_conf *c, u32 user,
			 u64 now_ns, u32 *round)
{
	bool may = false;

	*round = READ_ONCE(b->round);
	if (likely(READ_ONCE(b->state) == WEIR_BREAKER_CLOSED))
		return true;
	weir_breaker_lock(b);
	if (weir_breaker_closed_for(b, user)) {
		may = true;
		goto unlock;
	}
	if (!weir_breaker_turn(b, c, user, now_ns))
		goto unlock;
	/* signed difference: the time may be a little behind another CPU's */
	if (b->state == WEIR_BREAKER_OPEN &&
	    (s64)(now_ns - b->since_ns) >= (s64)c->open_ns)
		weir_breaker_event(b, WEIR_BREAKER_RESTED, now_ns);
	else if (b->state == WEIR_BREAKER_HALF_OPEN &&
		 ((b->probes_out && b->prober != user &&
		   b->only == WEIR_BREAKER_NO_USER) ||
		  (b->probes_out >= c->probes &&
		   (s64)(now_ns - b->since_ns) >= (s64)c->open_ns)))
		weir_breaker_event(b, WEIR_BREAKER_PROBES_LOST, now_ns);
	if (b->state == WEIR_BREAKER_HALF_OPEN && b->probes_out < c->probes) {
		if (!b->probes_out++)
			b->moved_ns = now_ns;
		b->since_ns = now_ns;
		b->prober = user;
		may = true;
	}
unlock:
	*round = weir_breaker_round(b, user);
	spin_unlock(&b->lock);
	return may;
}

/* Empties the slices that are older than the window. */
static noinline void weir_breaker_window_slide(struct weir_breaker *b,
					       u64 window_ns, u64 now_ns)
{
	u64 slice_ns = window_ns / WEIR_BREAKER_SLICES;
	unsigned int i;

	if ((s64)(now_ns - b->slice_ns) >= (s64)window_ns) {
		weir_breaker_window_clear(b, now_ns);
		return;
	}
	for (i = 0; i < WEIR_BREAKER_SLICES &&
		    (s64)(now_ns - b->slice_ns) >= (s64)slice_ns; i++) {
		b->slice_ns += slice_ns;
		b->at = (b->at + 1) % WEIR_BREAKER_SLICES;
		b->slice[b->at] = (struct weir_breaker_slice){ };
	}
}

/* The slice of the window for @now_ns. */
static inline struct weir_breaker_slice *
weir_breaker_slice_of(struct weir_breaker *b, const struct weir_breaker_conf *c,
		      u64 now_ns)
{
	if (unlikely((s64)(now_ns - b->slice_ns) >=
		     (s64)(c->window_ns / WEIR_BREAKER_SLICES)))
		weir_breaker_window_slide(b, c->window_ns, now_ns);
	return &b->slice[b->at];
}

/* Is @some at least @percent of @all? Never, if @percent is 0. */
static bool weir_breaker_share(u64 some, u64 all, u32 percent)
{
	return percent && some * 100 >= all * percent;
}

static void weir_breaker_add(struct weir_breaker_count *sum,
			     const struct weir_breaker_count *n)
{
	sum->calls += n->calls;
	sum->errors += n->errors;
	sum->slow += n->slow;
}

/* Do these calls reach a share at which the breaker opens, however few? */
static bool weir_breaker_bad(const struct weir_breaker_count *n,
			     const struct weir_breaker_conf *c)
{
	return weir_breaker_share(n->errors, n->calls, c->error_percent) ||
	       weir_breaker_share(n->slow, n->calls, c->slow_percent);
}

/* Are these calls enough, and bad enough, for the breaker to open? */
static bool weir_breaker_exceeds(const struct weir_breaker_count *n,
				 const struct weir_breaker_conf *c)
{
	return n->calls >= c->min_calls && weir_breaker_bad(n, c);
}

/*
 * Opens the breaker, for all users or for one, if the window gives a reason.
 * For one user, it waits for twice as many calls if others call too: the others
 * may have seen as many errors. If the breaker is open for one user already,
 * and all calls of the others in the window were bad, it opens for all.
 */
static void weir_breaker_judge(struct weir_breaker *b,
			       const struct weir_breaker_conf *c, u64 now_ns)
{
	struct weir_breaker_count all = { }, worst = { }, others;
	unsigned int i;

	for (i = 0; i < WEIR_BREAKER_SLICES; i++) {
		weir_breaker_add(&all, &b->slice[i].all);
		weir_breaker_add(&worst, &b->slice[i].worst);
	}
	if (!weir_breaker_exceeds(&all, c))
		return;
	others.calls = all.calls - worst.calls;
	others.errors = all.errors - worst.errors;
	others.slow = all.slow - worst.slow;
	if (weir_breaker_exceeds(&others, c) ||
	    (b->only != WEIR_BREAKER_NO_USER &&
	     others.errors + others.slow >= others.calls))
		WRITE_ONCE(b->only, WEIR_BREAKER_NO_USER);
	else if (weir_breaker_exceeds(&worst, c) &&
		 (!others.calls || worst.calls >= 2 * (u64)c->min_calls))
		WRITE_ONCE(b->only, b->worst);
	else
		return;
	weir_breaker_event(b, WEIR_BREAKER_SICK, now_ns);
}

/* Counts @n calls of a user. */
static inline void weir_breaker_count(struct weir_breaker *b,
				      struct weir_breaker_slice *slice,
				      u32 user, u32 n)
{
	WRITE_ONCE(slice->all.calls, slice->all.calls + n);
	if (b->worst != user) {
		if (b->worst != WEIR_BREAKER_NO_USER)
			return;
		b->worst = user;
	}
	slice->worst.calls += n;
}

/*
 * Counts a bad call in @slice. When the lead of the worst user is used up,
 * @user becomes the worst user. The earlier calls of @user then count as calls
 * of the others. At most as many of them were bad as of all the others. So they
 * can at most double the share of bad calls that the others have.
 */
static void weir_breaker_count_bad(struct weir_breaker *b,
				   struct weir_breaker_slice *slice, u32 user,
				   bool slow)
{
	u64 most = 0;
	u32 i;

	slice->all.errors += !slow;
	slice->all.slow += slow;
	if (b->worst != user) {
		for (i = 0; i < WEIR_BREAKER_SLICES; i++)
			most += b->slice[i].worst.errors +
				b->slice[i].worst.slow;
		b->lead = min(b->lead, most);
		if (b->lead) {
			b->lead--;
			return;
		}
		b->worst = user;
		for (i = 0; i < WEIR_BREAKER_SLICES; i++)
			b->slice[i].worst = (struct weir_breaker_count){ };
		slice->worst.calls = 1;
	}
	b->lead++;
	slice->worst.errors += !slow;
	slice->worst.slow += slow;
}

/* Counts @n probes that have ended well. */
static void weir_breaker_probed(struct weir_breaker *b,
				const struct weir_breaker_conf *c, u64 now_ns,
				u32 n)
{
	b->probes_good += n;
	b->moved_ns = now_ns;
	if (b->probes_good >= c->probes)
		weir_breaker_event(b, WEIR_BREAKER_PROBES_GOOD, now_ns);
}

/**
 * weir_breaker_done() - tell a breaker that a call has ended
 * @b: the target's breaker.
 * @c: the route's configuration.
 * @user: number of the user that called, as for weir_breaker_permit().
 * @now_ns: the time.
 * @round: from weir_breaker_permit().
 * @good: the call was answered, and not with an error of the target.
 * @took_ns: how long the call took, in nanoseconds; used only if @good.
 *
 * Seven parameters: the outcome of a call has these parts, and a structure
 * would have to be filled for each reply.
 */
void weir_breaker_done(struct weir_breaker *b,
		       const struct weir_breaker_conf *c, u32 user, u64 now_ns,
		       u32 round, bool good, u64 took_ns)
{
	bool slow = good && c->slow_percent && took_ns > c->slow_ns;
	struct weir_breaker_slice *slice;

	weir_breaker_lock(b);
	if (round != weir_breaker_round(b, user))
		goto unlock;
	if (weir_breaker_closed_for(b, user)) {
		slice = weir_breaker_slice_of(b, c, now_ns);
		weir_breaker_count(b, slice, user, 1);
		/* a good and fast call can't open the breaker */
		if (!good || slow) {
			weir_breaker_count_bad(b, slice, user, slow);
			weir_breaker_judge(b, c, now_ns);
		}
	} else if (b->state == WEIR_BREAKER_HALF_OPEN) {
		if (!good || slow)
			weir_breaker_event(b, WEIR_BREAKER_PROBE_BAD, now_ns);
		else
			weir_breaker_probed(b, c, now_ns, 1);
	}
unlock:
	spin_unlock(&b->lock);
}

/**
 * weir_breaker_good() - tell a breaker that good calls have ended, none of them
 * slow
 * @b: the target's breaker.
 * @c: the route's configuration.
 * @user: number of the user that made all of them.
 * @now_ns: the time.
 * @round: from weir_breaker_permit(); the same for all these calls.
 * @n: number of calls, at least 1.
 */
void weir_breaker_good(struct weir_breaker *b,
		       const struct weir_breaker_conf *c, u32 user, u64 now_ns,
		       u32 round, u32 n)
{
	weir_breaker_lock(b);
	/* good calls can't open the breaker */
	if (round != weir_breaker_round(b, user))
		goto unlock;
	if (weir_breaker_closed_for(b, user))
		weir_breaker_count(b, weir_breaker_slice_of(b, c, now_ns), user,
				   n);
	else if (b->state == WEIR_BREAKER_HALF_OPEN)
		weir_breaker_probed(b, c, now_ns, n);
unlock:
	spin_unlock(&b->lock);
}

/**
 * weir_breaker_forget() - tell a breaker that a call will have no outcome
 * @b: the target's breaker.
 * @user: number of the user that called, as for weir_breaker_permit().
 * @round: from weir_breaker_permit().
 * @sent: the call was sent.
 *
 * Something else refused the call, or its caller went away. If the call was a
 * probe, another call may be the probe instead.
 */
void weir_breaker_forget(struct weir_breaker *b, u32 user, u32 round, bool sent)
{
	weir_breaker_lock(b);
	if (round == b->round && b->state == WEIR_BREAKER_HALF_OPEN &&
	    !weir_breaker_closed_for(b, user) &&
	    b->probes_out > b->probes_good) {
		b->probes_out--;
		if (!sent && !b->probes_out)
			b->prober = WEIR_BREAKER_NO_USER;
	}
	spin_unlock(&b->lock);
}

/**
 * weir_breaker_blames() - does a breaker refuse a user for the user's own calls?
 * @b: the target's breaker.
 * @c: the route's configuration.
 * @user: number of the user.
 * @now_ns: the time.
 *
 * Return: true if the breaker is open or half open for this user alone, and
 * calls of others in the window say that the target is well. If no others have
 * called, the fault may be the target's.
 */
bool weir_breaker_blames(struct weir_breaker *b,
			 const struct weir_breaker_conf *c, u32 user,
			 u64 now_ns)
{
	struct weir_breaker_count others = { };
	unsigned int i;

	if (READ_ONCE(b->only) != user)
		return false;
	weir_breaker_lock(b);
	/* while it is open for @user alone, the window counts the others */
	if (b->only == user) {
		weir_breaker_slice_of(b, c, now_ns);
		for (i = 0; i < WEIR_BREAKER_SLICES; i++)
			weir_breaker_add(&others, &b->slice[i].all);
	}
	spin_unlock(&b->lock);
	return others.calls && !weir_breaker_bad(&others, c);
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_conf_check);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_init);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_shown);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_reset);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_permit);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_done);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_good);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_forget);
EXPORT_SYMBOL_IF_KUNIT(weir_breaker_blames);
#endif
