// SPDX-License-Identifier: GPL-2.0
/*
 * A socket's inbox: a ring that the kernel writes and the socket reads with a
 * cursor like any other stream. It carries notices about the socket's streams
 * and, if the socket has a part in the router, requests and replies. A notice
 * that finds the inbox full waits as a bit on its reader and is posted when
 * the socket has read on; none is lost. Who else finds it full waits in
 * post.waiting.
 *
 * The words of its head are written by the kernel alone; where it stands is
 * kept in struct weir_post all the same, in one line with the lock.
 *
 * Process context; only weir_inbox_create() and weir_inbox_fence() sleep.
 */
#include "ring/inbox.h"

/**
 * weir_inbox_room() - look at the cursor: are there so many bytes?
 * @inbox: the ring, under its post.lock.
 * @bytes: how many.
 *
 * Return: whether there are.
 */
bool weir_inbox_room(struct weir_ring *inbox, u64 bytes)
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
 * weir_inbox_look() - the same for what goes before those that wait for room
 * @inbox: the ring, under its post.lock.
 * @bytes: that are taken at most.
 *
 * Followed by a comparison with post.limit; there may be less room. What is left
 * of the room is for those that wait, so post.limit stays below.
 */
void weir_inbox_look(struct weir_ring *inbox, u64 bytes)
{
	struct weir_post *post = &inbox->post;

	weir_inbox_room(inbox, 0);
	if (post->queued)
		post->limit = min(post->limit, post->pos + bytes +
				  (u64)post->kept * WEIR_GRANULE);
}

/**
 * weir_inbox_want() - have the socket kick when there is room
 * @inbox: the ring, under its post.lock.
 * @bytes: of room.
 *
 * The caller then runs weir_inbox_fence() and looks once more.
 */
void weir_inbox_want(struct weir_ring *inbox, u64 bytes)
{
	struct weir_status *status = weir_ring_status(inbox);
	u64 size = weir_ring_bytes(&inbox->view), wake;

	lockdep_assert_held(&inbox->post.lock);
	/* a quarter at least, or it would kick for each message that it reads */
	bytes = min(max(bytes, size / 4), size);
	wake = inbox->post.pos + bytes - size;
	spin_lock(&inbox->lock);
	if (!(status->wake & WEIR_WAKE_WRITER) ||
	    (s64)(wake - status->wake_pos) < 0)
		WRITE_ONCE(status->wake_pos, (s64)wake < 0 ? 0 : wake);
	WRITE_ONCE(status->wake, status->wake | WEIR_WAKE_WRITER);
	spin_unlock(&inbox->lock);
}

/**
 * weir_inbox_fence() - make weir_inbox_want() known to the reader's CPUs
 * @inbox: the ring.
 * @account: of the user that waits for room.
 * @cpus: scratch.
 *
 * Return: false when that user has had others interrupted too often; then the
 * reader may overlook that it is to kick.
 */
bool weir_inbox_fence(struct weir_ring *inbox,
		      const struct weir_account *account, struct cpumask *cpus)
{
	struct weir_reader *rd;
	bool mapped = false;

	cpumask_clear(cpus);
	spin_lock(&inbox->lock);
	list_for_each_entry(rd, &inbox->readers, ring_link) {
		if (rd->mm) {
			weir_mm_cpus(rd->mm, rd->forked, cpus);
			mapped = true;
		}
	}
	spin_unlock(&inbox->lock);
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
 * What still waits wants so many bytes: the socket need not kick before. Who
 * waits has set the bit, and it stays, so that no kick is missed meanwhile.
 * U64_MAX: nothing waits. Under post.lock.
 */
static void weir_inbox_rest(struct weir_ring *inbox, u64 bytes)
{
	struct weir_status *status = weir_ring_status(inbox);
	u64 size = weir_ring_bytes(&inbox->view), wake;

	spin_lock(&inbox->lock);
	if (bytes == U64_MAX) {
		WRITE_ONCE(status->wake, status->wake & ~WEIR_WAKE_WRITER);
		WRITE_ONCE(status->wake_pos, U64_MAX);
	} else {
		bytes = min(max(bytes, size / 4), size);
		wake = inbox->post.pos + bytes - size;
		if ((s64)wake > (s64)status->wake_pos)
			WRITE_ONCE(status->wake_pos, wake);
	}
	spin_unlock(&inbox->lock);
}

/* One notice into an inbox; false when there is no room. Under post.lock. */
static bool weir_inbox_write(struct weir_ring *inbox,
			     const struct weir_notice *notice, const char *path)
{
	struct weir_ring_view *v = &inbox->view;
	u32 len = sizeof(*notice) + notice->path_len, total, seq;
	struct weir_record *rec;
	u64 pos;
	u8 *to;

	total = weir_ring_need(len);
	if (!weir_inbox_claim(inbox, total,
			      (u64)inbox->post.kept * WEIR_GRANULE, &pos, &seq))
		return false;
	rec = weir_ring_at(v, pos);
	to = (u8 *)(rec + 1);
	memcpy(to, notice, sizeof(*notice));
	memcpy(to + sizeof(*notice), path, notice->path_len);
	/* nothing of an earlier lap behind the notice */
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

/* One about a stream. */
static bool weir_inbox_tell(struct weir_ring *inbox,
			    const struct weir_reader *rd,
			    enum weir_notice_type type)
{
	struct weir_notice notice = {
		.type = type,
		.id = rd->id,
		.reason = rd->reason,
		.path_len = strlen(rd->ring->name),
		.pos = READ_ONCE(rd->cursor->pos),
		.ring_bytes = weir_ring_bytes(&rd->ring->view),
	};

	return weir_inbox_write(inbox, &notice, rd->ring->name);
}

/* Posts what waits on one reader; false when there is no room. */
static bool weir_inbox_drain(struct weir_sock *ws, struct weir_reader *rd)
{
	unsigned int type;

	lockdep_assert_held(&ws->inbox->post.lock);
	for_each_set_bit(type, &rd->notices, BITS_PER_LONG) {
		if (!weir_inbox_tell(ws->inbox, rd, type)) {
			weir_inbox_want(ws->inbox, 0);
			weir_stat_inc(WEIR_STAT_NOTICES_DEFERRED);
			return false;
		}
		__clear_bit(type, &rd->notices);
	}
	return true;
}

/*
 * A notice waits, and the socket is asked to kick when it has read. Nobody's
 * processor is interrupted for that, since others decide how often it happens: a
 * cursor store that is still held back, whose owner overlooks that it is to kick,
 * is seen a tick later, when what waits is looked at once. Under post.lock.
 */
static void weir_inbox_later(struct weir_ring *inbox)
{
	if (inbox->post.reader)
		weir_delayed_queue(weir_wq, &inbox->reap, 2, &inbox->ref);
}

/* weir_inbox_wake() - wake who sleeps for what an inbox has got */
void weir_inbox_wake(struct weir_ring *inbox)
{
	smp_mb();						/* (C) */
	if (READ_ONCE(weir_ring_status(inbox)->wake) & WEIR_WAKE_READERS)
		weir_wake_readers(inbox);
}

/*
 * weir_inbox_post() - tell a socket about one of its streams
 *
 * Without an inbox (nobody mapped it) nothing is posted: recvmsg tells such
 * sockets by its results.
 */
void weir_inbox_post(struct weir_sock *ws, struct weir_reader *rd,
		     enum weir_notice_type type, enum weir_reason reason)
{
	if (!smp_load_acquire(&ws->inbox) || rd->id == WEIR_ID_INBOX)
		return;
	spin_lock(&ws->inbox->post.lock);
	rd->reason = reason;
	__set_bit(type, &rd->notices);
	if (!weir_inbox_drain(ws, rd))
		weir_inbox_later(ws->inbox);
	spin_unlock(&ws->inbox->post.lock);
	weir_inbox_wake(ws->inbox);
}

/**
 * weir_inbox_refused() - tell a socket of a stream that it did not get
 * @ws: a socket that subscribes.
 * @ring: the stream.
 * @reason: why.
 *
 * There is no reader with which it could wait for room: without room it is
 * dropped. Of what was refused before there is an inbox, the last reason is told
 * when there is one.
 */
void weir_inbox_refused(struct weir_sock *ws, struct weir_ring *ring,
			enum weir_reason reason)
{
	struct weir_ring *inbox = smp_load_acquire(&ws->inbox);
	struct weir_notice notice = {
		.type = WEIR_NOTICE_REFUSED,
		.reason = reason,
		.path_len = strlen(ring->name),
		.ring_bytes = weir_ring_bytes(&ring->view),
	};
	bool told;

	if (!inbox) {
		WRITE_ONCE(ws->left_out, reason);
		return;
	}
	spin_lock(&inbox->post.lock);
	told = weir_inbox_write(inbox, &notice, ring->name);
	spin_unlock(&inbox->post.lock);
	if (told)
		weir_inbox_wake(inbox);
	else
		weir_drop(ring->name, WEIR_REASON_INBOX_FULL);
}

/* Those that wait for room look again. Returns what the first one still wants. */
static u64 weir_inbox_on_room(struct weir_ring *inbox)
{
	struct weir_post *post = &inbox->post;

	lockdep_assert_held(&post->lock);
	return post->on_room ? post->on_room(inbox) : U64_MAX;
}

/* What is kept for those that wait may have been so for too long. */
static void weir_inbox_grants_work(struct work_struct *work)
{
	struct weir_ring *inbox = container_of(to_delayed_work(work),
					       struct weir_ring, grants);

	spin_lock(&inbox->post.lock);
	weir_inbox_on_room(inbox);
	spin_unlock(&inbox->post.lock);
	weir_ring_put(inbox);
}

/*
 * weir_inbox_flush() - the socket has read on: post what waited
 */
void weir_inbox_flush(struct weir_sock *ws)
{
	struct weir_ring *inbox = smp_load_acquire(&ws->inbox);
	struct weir_reader *rd;
	bool full = false;
	u64 want;

	if (!inbox)
		return;
	spin_lock(&ws->rlock);
	spin_lock(&ws->inbox->post.lock);
	list_for_each_entry(rd, &ws->readers, sock_link) {
		full = rd->notices && !weir_inbox_drain(ws, rd);
		if (full)
			break;
	}
	want = weir_inbox_on_room(inbox);
	weir_inbox_rest(inbox, full ? 0 : want);
	spin_unlock(&ws->inbox->post.lock);
	spin_unlock(&ws->rlock);
	weir_inbox_wake(inbox);
}

/*
 * weir_inbox_close() - the socket is being released
 *
 * The memory stays for who may still be posting; nothing more goes in.
 */
void weir_inbox_close(struct weir_ring *inbox)
{
	struct weir_reader *rd;

	spin_lock(&inbox->post.lock);
	rd = inbox->post.reader;
	inbox->post.reader = NULL;
	inbox->post.limit = inbox->post.pos;
	weir_inbox_on_room(inbox);
	weir_delayed_cancel(&inbox->grants, &inbox->ref);
	spin_unlock(&inbox->post.lock);
	if (!rd)
		return;
	/* without a reader it is not queued again */
	weir_delayed_cancel_sync(&inbox->reap, &inbox->ref);
	weir_reader_detach(rd, WEIR_REASON_CLOSED);
	weir_reader_put(rd);
}

/* What was refused before there was an inbox: of the subscription as a whole. */
static void weir_inbox_left_out(struct weir_sock *ws)
{
	struct weir_notice notice = {
		.type = WEIR_NOTICE_REFUSED,
		.reason = READ_ONCE(ws->left_out),
		.path_len = strlen(ws->peer_path),
	};

	if (!notice.reason)
		return;
	spin_lock(&ws->inbox->post.lock);
	weir_inbox_write(ws->inbox, &notice, ws->peer_path);
	spin_unlock(&ws->inbox->post.lock);
}

/*
 * weir_inbox_create() - give a socket an inbox, unless it has one
 *
 * Posts a notice for each stream that it reads already; whoever attaches another
 * meanwhile finds either its stream in that list or the inbox here. Caller holds
 * lock_sock. Returns 0 or a negative errno with words.
 */
int weir_inbox_create(struct weir_sock *ws)
{
	struct weir_reader *rd, *self;
	struct weir_ring *inbox;

	sock_owned_by_me(&ws->sk);
	if (ws->inbox)
		goto announce;	/* to a handle that has not seen the notices */
	inbox = weir_ring_create(ws, ws->inbox_bytes ?:
				 READ_ONCE(weir_tunables.inbox_bytes), true);
	if (IS_ERR(inbox))
		return PTR_ERR(inbox);
	self = weir_reader_attach(ws, inbox, true, WEIR_ORIGIN_READER, 0);
	if (IS_ERR(self)) {
		weir_ring_put(inbox);
		return PTR_ERR(self);
	}
	inbox->post.reader = self;
	INIT_DELAYED_WORK(&inbox->grants, weir_inbox_grants_work);
	smp_store_release(&ws->inbox, inbox);
	weir_inbox_left_out(ws);
announce:
	spin_lock(&ws->rlock);
	spin_lock(&ws->inbox->post.lock);
	list_for_each_entry(rd, &ws->readers, sock_link) {
		rd->reason = WEIR_REASON_NONE;
		__set_bit(WEIR_NOTICE_ATTACHED, &rd->notices);
		if (rd->evicted)
			__set_bit(WEIR_NOTICE_EVICTED, &rd->notices);
		if (!weir_ring_live(rd->ring))
			__set_bit(weir_ring_status(rd->ring)->state ==
				  WEIR_STATE_BROKEN ? WEIR_NOTICE_BROKEN :
				  WEIR_NOTICE_DETACHED, &rd->notices);
		if (!weir_inbox_drain(ws, rd))
			weir_inbox_later(ws->inbox);
	}
	spin_unlock(&ws->inbox->post.lock);
	spin_unlock(&ws->rlock);
	weir_inbox_wake(ws->inbox);
	return 0;
}
