// SPDX-License-Identifier: GPL-2.0
/*
 * An inbox: a ring that the kernel writes. Its socket reads it with a cursor
 * like any other stream, or kernel code does, with a reader of the kernel. It
 * carries notices about the socket's streams and, if the socket has an
 * endpoint, requests and replies. A notice that finds the inbox full stays as a
 * bit on its reader. It is posted when the socket has read on, so no notice
 * about an attached stream is lost. Other writers that find the inbox full wait
 * in post.waiting.
 *
 * Only the kernel writes the inbox's head words. The position is kept in struct
 * weir_post as well, in one cache line with the lock.
 *
 * Softirq may call what does not sleep; weir_inbox_flush() of an inbox that
 * kernel code reads, but not of a socket's. weir_inbox_create(),
 * weir_inbox_create_kernel() and weir_inbox_close() are for process context,
 * and may sleep. weir_inbox_fence() waits for other CPUs, with interrupts
 * enabled.
 */
#include "logic/account.h"
#include "owner.h"
#include "party.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "stats.h"
#include "tenant.h"
#include "weir.h"

/**
 * weir_inbox_room() - look at the cursor: is there enough room?
 * @inbox: the ring.
 * @bytes: bytes of room that are needed.
 *
 * Updates post.limit. Return: whether there are @bytes of room. False if the
 * cursor is invalid or the socket is gone.
 */
bool weir_inbox_room(struct weir_ring *inbox, u64 bytes)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;
	u64 size = weir_ring_bytes(&inbox->view), at;

	lockdep_assert_held(&post->lock);
	if (!post->reader)
		return false;
	at = smp_load_acquire(&post->reader->cursor->pos);	/* (D) */
	if (post->pos - at > size || at & (WEIR_GRANULE - 1))
		return false;
	post->limit = at + size;
	WRITE_ONCE(inbox->view.head->limit, post->limit);
	return post->limit - post->pos >= bytes;
}

/**
 * weir_inbox_refresh() - read the cursor again, for a writer that does not wait
 * @inbox: the ring.
 * @bytes: most bytes that the caller takes.
 *
 * The caller then compares with post.limit: there may be less room. While
 * waiters need the room, post.limit leaves @bytes and the kept room, no more:
 * the rest of the room is reserved for the waiters.
 */
void weir_inbox_refresh(struct weir_ring *inbox, u64 bytes)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;

	lockdep_assert_held(&inbox->post.lock);
	weir_inbox_room(inbox, 0);
	if (post->queued)
		post->limit = min(post->limit, post->pos + bytes +
				  (u64)post->kept * WEIR_GRANULE);
}

/**
 * weir_inbox_want() - make the socket kick when there is room
 * @inbox: the ring.
 * @bytes: bytes of room that are wanted.
 *
 * The caller then runs weir_inbox_fence() and looks once more.
 */
void weir_inbox_want(struct weir_ring *inbox, u64 bytes)
	__must_hold(&inbox->post.lock)
{
	struct weir_status *status = weir_ring_status(inbox);
	u64 wake;

	lockdep_assert_held(&inbox->post.lock);
	wake = inbox->post.pos + weir_ring_wake_room(inbox, bytes) -
	       weir_ring_bytes(&inbox->view);
	spin_lock(&inbox->lock);
	if (!(status->wake & WEIR_WAKE_WRITER) ||
	    (s64)(wake - status->wake_pos) < 0)
		WRITE_ONCE(status->wake_pos, (s64)wake < 0 ? 0 : wake);
	WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_WRITER);
	spin_unlock(&inbox->lock);
}

/**
 * weir_inbox_fence() - make weir_inbox_want() visible to the reader's CPUs
 * @inbox: the ring; its locks are not held.
 * @account: account of the waiting user.
 * @cpus: scratch, overwritten.
 *
 * Return: false when the user has reached its limit of barriers; the reader may
 * then miss the request to kick.
 */
bool weir_inbox_fence(struct weir_ring *inbox,
		      const struct weir_account *account, struct cpumask *cpus)
{
	struct weir_reader *rd;
	bool mapped = false;

	cpumask_clear(cpus);
	spin_lock_bh(&inbox->lock);
	list_for_each_entry(rd, &inbox->readers, ring_link) {
		if (rd->mm) {
			weir_mm_cpus(rd->mm, rd->forked, cpus);
			mapped = true;
		}
	}
	spin_unlock_bh(&inbox->lock);
	if (!mapped) {
		smp_mb();
		return true;
	}
	if (!weir_account_may_fence(account, ktime_get_ns())) {
		smp_mb();
		return false;
	}
	weir_fence_cpus(cpus);					/* (C) */
	return true;
}

/*
 * Tells the socket that it need not kick before there are @bytes of room;
 * U64_MAX: no waiter is left. The waiters have set the wake bit, and it stays
 * set, so that no kick is missed meanwhile.
 */
static void weir_inbox_rest(struct weir_ring *inbox, u64 bytes)
	__must_hold(&inbox->post.lock)
{
	struct weir_status *status = weir_ring_status(inbox);
	u64 wake;

	lockdep_assert_held(&inbox->post.lock);
	spin_lock(&inbox->lock);
	if (bytes == U64_MAX) {
		WRITE_ONCE(status->wake, status->wake & ~WEIR_WAKE_WRITER);
		WRITE_ONCE(status->wake_pos, U64_MAX);
	} else {
		wake = inbox->post.pos + weir_ring_wake_room(inbox, bytes) -
		       weir_ring_bytes(&inbox->view);
		if ((s64)wake > (s64)status->wake_pos)
			WRITE_ONCE(status->wake_pos, wake);
	}
	spin_unlock(&inbox->lock);
}

/* Writes a notice into an inbox; false when there is no room. */
static bool weir_inbox_write(struct weir_ring *inbox,
			     const struct weir_notice *notice, const char *path)
	__must_hold(&inbox->post.lock)
{
	struct weir_ring_view *v = &inbox->view;
	u32 len = sizeof(*notice) + notice->path_len, total, seq;
	struct weir_record *rec;
	u64 pos;
	u8 *to;

	lockdep_assert_held(&inbox->post.lock);
	total = weir_ring_need(len);
	if (!weir_inbox_claim(inbox, total,
			      (u64)inbox->post.kept * WEIR_GRANULE, &pos, &seq))
		return false;
	rec = weir_ring_at(v, pos);
	to = (u8 *)(rec + 1);
	memcpy(to, notice, sizeof(*notice));
	memcpy(to + sizeof(*notice), path, notice->path_len);
	/* clear the bytes of an earlier lap behind the notice */
	memset(to + len, 0, total - WEIR_HEADER_BYTES - len);
	rec->len = len;
	rec->kind = WEIR_KIND_NOTICE;
	rec->flags = 0;
	rec->ext = 0;
	rec->seq = seq;
	weir_ring_commit(v, rec, pos);
	weir_stat_inc(WEIR_STAT_NOTICES);
	return true;
}

/* Writes a notice about a stream; false when there is no room. */
static bool weir_inbox_tell(struct weir_ring *inbox,
			    const struct weir_reader *rd,
			    enum weir_notice_type type)
	__must_hold(&inbox->post.lock)
{
	struct weir_notice notice = {
		.type = type,
		.id = rd->id,
		.reason = rd->reason,
		.path_len = strlen(rd->ring->name),
		.pos = READ_ONCE(rd->cursor->pos),
		.ring_bytes = weir_ring_bytes(&rd->ring->view),
	};

	lockdep_assert_held(&inbox->post.lock);
	return weir_inbox_write(inbox, &notice, rd->ring->name);
}

/* Posts the waiting notices of one reader; false when there is no room. */
static bool weir_inbox_drain(struct weir_party *p, struct weir_reader *rd)
	__must_hold(&p->inbox->post.lock)
{
	unsigned int type;

	lockdep_assert_held(&p->inbox->post.lock);
	for_each_set_bit(type, &rd->notices, BITS_PER_LONG) {
		if (!weir_inbox_tell(p->inbox, rd, type)) {
			weir_inbox_want(p->inbox, 0);
			weir_stat_inc(WEIR_STAT_NOTICES_DEFERRED);
			return false;
		}
		__clear_bit(type, &rd->notices);
	}
	return true;
}

/*
 * A notice waits for room, and the socket was asked to kick after reading.
 * Other users decide how often this happens, so no CPU is interrupted for it.
 * The reader may then miss the request while its cursor store is still in a
 * store buffer. A timer therefore looks once more after a tick.
 */
static void weir_inbox_later(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	lockdep_assert_held(&inbox->post.lock);
	if (inbox->post.reader)
		weir_timer_set(&inbox->reap, 2);
}

/* weir_inbox_wake() - wake the reader if it sleeps, after a commit */
void weir_inbox_wake(struct weir_ring *inbox)
{
	smp_mb();						/* (C) */
	if (!(READ_ONCE(weir_ring_status(inbox)->wake) & WEIR_WAKE_READERS))
		return;
	local_bh_disable();
	weir_inbox_wake_reader(inbox);
	local_bh_enable();
}

/*
 * weir_inbox_passed() - recvmsg passes over a notice
 *
 * If a library handle reads the inbox too, it sees the new number and asks for
 * the notices again, see weir_inbox_create(). Does not sleep.
 */
void weir_inbox_passed(struct weir_ring *inbox)
{
	struct weir_status *status = weir_ring_status(inbox);

	spin_lock_bh(&inbox->lock);
	smp_store_release(&status->gen, status->gen + 1);
	spin_unlock_bh(&inbox->lock);
}

/* Parts of an inbox full of aborted records that weir_inbox_seen() looks at. */
#define WEIR_SEEN_PARTS	16

/*
 * Returns how far a process has looked that maps its inbox and has set
 * WEIR_CURSOR_SEEN: behind the first record from @pos on, or as far as its
 * cursor page says, if that is further. Returns @end if it is not known.
 */
static u64 weir_inbox_looked(const struct weir_reader *rd, u64 pos, u64 end)
{
	u64 seen = READ_ONCE(rd->cursor->seen), from = pos;
	struct weir_ring_rec rec;
	int got, parts = 0;

	do {
		got = weir_ring_peek_some(&rd->ring->view, &pos, &rec,
					  WEIR_SCAN_RECORDS);
		cond_resched();
	} while (got == -EAGAIN && ++parts < WEIR_SEEN_PARTS);
	if (got < 0)
		return end;
	if (got)
		pos = rec.next;
	/* it writes the word, so only what lies in the ring can be true */
	return seen - from <= end - from ? max(seen, pos) : pos;
}

/**
 * weir_inbox_seen() - how far has a socket looked at its inbox?
 * @inbox: the ring; its socket is being closed.
 *
 * The process may have looked at records that it has not released yet. What is
 * read by system calls, the kernel knows. Process context, may sleep.
 *
 * Return: the position of the first record that the socket has surely not
 * looked at; the end of the inbox if that is not known.
 */
u64 weir_inbox_seen(struct weir_ring *inbox)
{
	struct weir_post *post = &inbox->post;
	u64 size = weir_ring_bytes(&inbox->view), end, pos, seen;
	struct weir_reader *rd;

	spin_lock_bh(&post->lock);
	end = post->pos;
	rd = post->party ? post->reader : NULL;
	spin_unlock_bh(&post->lock);
	if (!rd)
		return end;
	pos = READ_ONCE(rd->cursor->pos);
	if (end - pos > size || pos & (WEIR_GRANULE - 1))
		return end;
	seen = rd->peeked - pos <= end - pos ? rd->peeked : pos;
	if (!READ_ONCE(rd->mapped))
		return seen;
	if (!(READ_ONCE(rd->cursor->flags) & WEIR_CURSOR_SEEN))
		return end;
	return max(seen, weir_inbox_looked(rd, pos, end));
}

/*
 * weir_inbox_post() - post a notice to a socket about one of its streams
 *
 * Nothing is posted without an inbox (the process has not mapped one). Such a
 * socket learns of changes from the results of recvmsg. Does not sleep.
 */
void weir_inbox_post(struct weir_party *p, struct weir_reader *rd,
		     enum weir_notice_type type, enum weir_reason reason)
{
	if (!smp_load_acquire(&p->inbox) || rd->id == WEIR_ID_INBOX)
		return;
	spin_lock_bh(&p->inbox->post.lock);
	rd->reason = reason;
	__set_bit(type, &rd->notices);
	if (!weir_inbox_drain(p, rd))
		weir_inbox_later(p->inbox);
	spin_unlock_bh(&p->inbox->post.lock);
	weir_inbox_wake(p->inbox);
}

/**
 * weir_inbox_refused() - post a notice about a stream that was refused
 * @p: a party that subscribes.
 * @ring: the stream.
 * @reason: reason of the refusal.
 *
 * Without room the notice is dropped: there is no reader on which it could
 * wait. Without an inbox the socket keeps the last reason, for a notice when
 * the inbox is made. Does not sleep.
 */
void weir_inbox_refused(struct weir_party *p, struct weir_ring *ring,
			enum weir_reason reason)
{
	struct weir_ring *inbox = smp_load_acquire(&p->inbox);
	struct weir_notice notice = {
		.type = WEIR_NOTICE_REFUSED,
		.reason = reason,
		.path_len = strlen(ring->name),
		.ring_bytes = weir_ring_bytes(&ring->view),
	};
	bool told;

	if (!inbox) {
		WRITE_ONCE(p->left_out, reason);
		return;
	}
	spin_lock_bh(&inbox->post.lock);
	told = weir_inbox_write(inbox, &notice, ring->name);
	spin_unlock_bh(&inbox->post.lock);
	if (told)
		weir_inbox_wake(inbox);
	else
		weir_drop(ring->name, WEIR_REASON_INBOX_FULL);
}

/* Calls waiters for which there is room. Returns the bytes still wanted. */
static u64 weir_inbox_on_room(struct weir_ring *inbox)
	__must_hold(&inbox->post.lock)
{
	struct weir_post *post = &inbox->post;

	lockdep_assert_held(&post->lock);
	return post->on_room ? post->on_room(inbox) : U64_MAX;
}

/* weir_ring.grants: takes back granted room that was not used in time */
void weir_inbox_grants_over(struct weir_timer *timer)
{
	struct weir_ring *inbox = container_of(timer, struct weir_ring, grants);

	spin_lock_bh(&inbox->post.lock);
	weir_inbox_on_room(inbox);
	spin_unlock_bh(&inbox->post.lock);
	weir_ring_put(inbox);
}

/*
 * Calls waiters, and says how much room the others want. @full: a notice waits,
 * too.
 */
static void weir_inbox_share_out(struct weir_ring *inbox, bool full)
	__must_hold(&inbox->post.lock)
{
	u64 want;

	lockdep_assert_held(&inbox->post.lock);
	want = weir_inbox_on_room(inbox);
	weir_inbox_rest(inbox, full ? 0 : want);
}

/*
 * Streams that are looked at in one hold of the locks of party and inbox.
 * Threads of other users spin on these locks when they end streams of the party
 * or post notices.
 */
#define WEIR_INBOX_PART	64

/*
 * Calls @fn for the next streams of the socket after *@id, and moves *@id on.
 * Ends when @fn returns false: *@ended. Returns whether there may be more
 * streams.
 */
static bool weir_inbox_part(struct weir_party *p, unsigned long *id,
			    bool (*fn)(struct weir_party *p,
				       struct weir_reader *rd), bool *ended)
	__must_hold(&p->lock)
	__must_hold(&p->inbox->post.lock)
{
	struct weir_reader *rd;
	u32 n;

	lockdep_assert_held(&p->inbox->post.lock);
	lockdep_assert_held(&p->lock);
	for (n = 0; n < WEIR_INBOX_PART && p->nreaders; n++) {
		rd = xa_find_after(&p->ids, id, ULONG_MAX, XA_PRESENT);
		if (!rd)
			return false;
		*ended = !fn(p, rd);
		if (*ended)
			return false;
	}
	return n == WEIR_INBOX_PART;
}

/* Posts the waiting notices of one stream; false when there is no room. */
static bool weir_inbox_flush_one(struct weir_party *p, struct weir_reader *rd)
	__must_hold(&p->inbox->post.lock)
{
	lockdep_assert_held(&p->inbox->post.lock);
	return !rd->notices || weir_inbox_drain(p, rd);
}

/* Posts the waiting notices of a party, then shares out the room. */
static void weir_inbox_flush_party(struct weir_party *p)
{
	struct weir_ring *inbox = p->inbox;
	unsigned long id = WEIR_ID_INBOX;
	bool more, full = false;

	do {
		spin_lock(&p->lock);
		spin_lock_bh(&inbox->post.lock);
		more = weir_inbox_part(p, &id, weir_inbox_flush_one, &full);
		/*
		 * A notice of an earlier part's stream that finds no room
		 * meanwhile is looked at by weir_inbox_later().
		 */
		if (!more)
			weir_inbox_share_out(inbox, full);
		spin_unlock_bh(&inbox->post.lock);
		spin_unlock(&p->lock);
	} while (more);
}

/*
 * weir_inbox_flush() - the inbox has been read on: post waiting notices, call
 * waiters
 */
void weir_inbox_flush(struct weir_ring *inbox)
{
	if (inbox->post.party) {
		weir_inbox_flush_party(inbox->post.party);
	} else {
		spin_lock_bh(&inbox->post.lock);
		weir_inbox_share_out(inbox, false);
		spin_unlock_bh(&inbox->post.lock);
	}
	weir_inbox_wake(inbox);
}

/* weir_ring_ops.room of an inbox */
static void weir_inbox_moved(struct weir_ring *inbox, u64 pos)
{
	if (READ_ONCE(weir_ring_status(inbox)->wake_pos) <= pos)
		weir_inbox_flush(inbox);
}

/*
 * weir_ring.reap of an inbox: looks once for room for waiting notices.
 * weir_inbox_close() cancels the timer.
 */
static void weir_inbox_reap(struct weir_timer *timer)
{
	struct weir_ring *inbox = container_of(timer, struct weir_ring, reap);

	weir_inbox_flush(inbox);
	weir_ring_put(inbox);
}

const struct weir_ring_ops weir_inbox_ops = {
	.room		= weir_inbox_moved,
	.reap		= weir_inbox_reap,
};

/*
 * weir_inbox_close() - the socket is being closed, or the kernel code that
 * reads ends
 *
 * The memory stays for writers that still hold the inbox. They find no room in
 * it. May sleep.
 */
void weir_inbox_close(struct weir_ring *inbox)
{
	struct weir_reader *rd;

	spin_lock_bh(&inbox->post.lock);
	rd = inbox->post.reader;
	inbox->post.reader = NULL;
	inbox->post.limit = inbox->post.pos;
	weir_inbox_on_room(inbox);
	weir_inbox_rest(inbox, U64_MAX);
	weir_timer_cancel(&inbox->grants);
	spin_unlock_bh(&inbox->post.lock);
	if (!rd)
		return;
	/* without a reader the timer is not set again */
	weir_timer_cancel_sync(&inbox->reap);
	weir_reader_detach(rd, WEIR_REASON_CLOSED);
	weir_reader_put(rd);
}

/* Posts the refusal from before the inbox, for the subscription as a whole. */
static void weir_inbox_left_out(struct weir_party *p)
{
	struct weir_notice notice = {
		.type = WEIR_NOTICE_REFUSED,
		.reason = READ_ONCE(p->left_out),
		.path_len = strlen(p->reads),
	};

	if (!notice.reason)
		return;
	spin_lock_bh(&p->inbox->post.lock);
	weir_inbox_write(p->inbox, &notice, p->reads);
	spin_unlock_bh(&p->inbox->post.lock);
}

/*
 * Posts notices of a stream that the socket reads already: that it is attached,
 * and whether it has ended since.
 */
static bool weir_inbox_announce(struct weir_party *p, struct weir_reader *rd)
	__must_hold(&p->inbox->post.lock)
{
	lockdep_assert_held(&p->inbox->post.lock);
	rd->reason = WEIR_REASON_NONE;
	__set_bit(WEIR_NOTICE_ATTACHED, &rd->notices);
	if (rd->evicted)
		__set_bit(WEIR_NOTICE_EVICTED, &rd->notices);
	if (!weir_ring_live(rd->ring))
		__set_bit(weir_ring_status(rd->ring)->state ==
			  WEIR_STATE_BROKEN ? WEIR_NOTICE_BROKEN :
			  WEIR_NOTICE_DETACHED, &rd->notices);
	if (!weir_inbox_drain(p, rd))
		weir_inbox_later(p->inbox);
	return true;
}

/*
 * weir_inbox_create() - make the inbox of a party, if it has none yet
 *
 * Posts a notice for each stream that the socket reads already. A stream that
 * is attached meanwhile is either in that list or finds the inbox. The caller
 * holds lock_sock. May sleep. Returns 0 or a negative errno with an error text.
 */
int weir_inbox_create(struct weir_party *p, const struct weir_ring_spec *spec)
{
	unsigned long id = WEIR_ID_INBOX;
	const struct weir_reader_spec reader = {
		.inbox = true,
		.gating = true,
		.origin = WEIR_ORIGIN_READER,
		.start = WEIR_START_TAIL,
		.demand = -1,
		.name = "",
	};
	struct weir_reader *self;
	struct weir_ring *inbox;
	bool more, ended;

	sock_owned_by_me(p->sk);
	if (p->inbox)
		goto announce;	/* to a library handle without the notices */
	inbox = weir_ring_create(p->owner, spec);
	if (IS_ERR(inbox))
		return PTR_ERR(inbox);
	self = weir_reader_attach(p, inbox, &reader);
	if (IS_ERR(self)) {
		weir_ring_put(inbox);
		return PTR_ERR(self);
	}
	inbox->post.party = p;
	inbox->post.reader = self;
	smp_store_release(&p->inbox, inbox);
	weir_inbox_left_out(p);
announce:
	do {
		spin_lock(&p->lock);
		spin_lock_bh(&p->inbox->post.lock);
		more = weir_inbox_part(p, &id, weir_inbox_announce, &ended);
		spin_unlock_bh(&p->inbox->post.lock);
		spin_unlock(&p->lock);
		cond_resched();
	} while (more);
	weir_inbox_wake(p->inbox);
	return 0;
}

/**
 * weir_inbox_create_kernel() - make an inbox that kernel code reads
 * @o: the owner, which is charged.
 * @spec: properties of the ring; @inbox is set.
 * @ops: what its reader does when it is told of something.
 * @data: weir_reader.data.
 *
 * The code reads at post.reader, moves on by weir_reader_move(), and sleeps by
 * weir_reader_arm_kernel(). weir_inbox_close() ends the inbox, before the last
 * put. Process context, may sleep.
 *
 * Return: the inbox with one reference, or an ERR_PTR with an error text on @o.
 */
struct weir_ring *weir_inbox_create_kernel(struct weir_owner *o,
					   const struct weir_ring_spec *spec,
					   const struct weir_reader_ops *ops,
					   void *data)
{
	struct weir_ring *inbox = weir_ring_create(o, spec);
	struct weir_reader *rd;

	if (IS_ERR(inbox))
		return inbox;
	rd = weir_reader_attach_kernel(o, inbox, ops, data);
	if (IS_ERR(rd)) {
		weir_ring_put(inbox);
		return ERR_CAST(rd);
	}
	inbox->post.reader = rd;
	return inbox;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_refused);
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_close);
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_create);
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_create_kernel);
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_flush);
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_refresh);
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_want);
EXPORT_SYMBOL_IF_KUNIT(weir_inbox_wake);
#endif
