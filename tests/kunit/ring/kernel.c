// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of rings without a socket: an inbox that kernel code reads, an outbox
 * that kernel code writes and reads, and the owner of both. Softirq writes,
 * reads, breaks and puts them, too.
 *
 * Runs in KUnit's thread, with a tasklet. The namespace is the initial one, in
 * which nothing else runs meanwhile.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/memcontrol.h>
#include <linux/net.h>
#include <linux/numa.h>
#include <linux/wait_bit.h>

#include "../socket.h"
#include "net.h"
#include "owner.h"
#include "ring/inbox.h"
#include "ring/reader.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "sock/sock.h"
#include "tenant.h"

#define BYTES		WEIR_RING_MIN
#define RECORD		512		/* bytes of ring, header included */
#define PATIENCE	(20 * HZ)	/* for what workers do */

/**
 * struct fixture - an owner, and a ring of its own
 * @owner: the owner.
 * @ring: the ring, held; NULL: there is none.
 * @rd: reader of an outbox, held; NULL: there is none.
 * @wakes: how often a reader was told that there are records.
 * @fulls: how often a reader was told that the writer waits.
 * @rooms: how often the writer was told of room.
 * @releases: how often a reader has ended.
 * @tasklet: calls @fn in softirq.
 * @fn: what softirq does.
 * @done: @fn has returned.
 */
struct fixture {
	struct weir_owner	owner;
	struct weir_ring	*ring;
	struct weir_reader	*rd;
	int			wakes;
	int			fulls;
	int			rooms;
	int			releases;
	struct tasklet_struct	tasklet;
	void			(*fn)(struct fixture *f);
	struct completion	done;
};

/* --- rings --------------------------------------------------------------- */

static void reader_wake(struct weir_reader *rd)
{
	struct fixture *f = rd->data;

	f->wakes++;
}

static void reader_full(struct weir_reader *rd)
{
	struct fixture *f = rd->data;

	f->fulls++;
}

static void reader_invalid(struct weir_reader *rd)
{
}

static void reader_release(void *data)
{
	struct fixture *f = data;

	f->releases++;
}

static const struct weir_reader_ops reader_ops = {
	.wake		= reader_wake,
	.full		= reader_full,
	.invalid	= reader_invalid,
	.release	= reader_release,
};

/* A reader that comes later: the writer tells another one that it waits. */
static const struct weir_reader_ops later_ops = {
	.wake		= reader_wake,
	.invalid	= reader_invalid,
	.release	= reader_release,
};

static void ring_writable(struct weir_ring *ring)
{
	struct fixture *f = ring->data;

	f->rooms++;
}

static const struct weir_ring_ops outbox_ops = {
	.room		= weir_ring_wake_writer,
	.reap		= weir_ring_reap,
	.writable	= ring_writable,
};

static void make_outbox(struct kunit *test)
{
	struct fixture *f = test->priv;
	const struct weir_ring_spec spec = {
		.bytes = BYTES,
		.type = SOCK_RDM,
		.node = NUMA_NO_NODE,
		.ops = &outbox_ops,
		.data = f,
	};
	struct weir_ring *ring = weir_ring_create(&f->owner, &spec);

	KUNIT_ASSERT_FALSE(test, IS_ERR(ring));
	f->ring = ring;
}

static struct weir_reader *attach(struct kunit *test,
				  const struct weir_reader_ops *ops)
{
	struct fixture *f = test->priv;
	struct weir_reader *rd;

	rd = weir_reader_attach_kernel(&f->owner, f->ring, ops, f);
	KUNIT_ASSERT_FALSE(test, IS_ERR(rd));
	return rd;
}

static void leave(struct weir_reader *rd)
{
	weir_reader_detach(rd, WEIR_REASON_CLOSED);
	weir_reader_put(rd);
}

/* weir_post.on_room: nobody waits any more. */
static u64 inbox_on_room(struct weir_ring *inbox)
{
	struct fixture *f = inbox->post.reader->data;

	f->rooms++;
	return U64_MAX;
}

static void make_inbox(struct kunit *test)
{
	struct fixture *f = test->priv;
	const struct weir_ring_spec spec = {
		.bytes = BYTES,
		.type = SOCK_RDM,
		.inbox = true,
		.node = NUMA_NO_NODE,
	};
	struct weir_ring *inbox;

	inbox = weir_inbox_create_kernel(&f->owner, &spec, &reader_ops, f);
	KUNIT_ASSERT_FALSE(test, IS_ERR(inbox));
	f->ring = inbox;
}

/* --- records ------------------------------------------------------------- */

static void commit(struct weir_ring *ring, u64 pos, u32 seq)
{
	struct weir_record *rec = weir_ring_at(&ring->view, pos);

	memset(rec, 0, RECORD);
	rec->len = RECORD - WEIR_HEADER_BYTES;
	rec->kind = WEIR_KIND_EVENT;
	rec->seq = seq;
	weir_ring_commit(&ring->view, rec, pos);
}

/* Writes a record to the inbox; false when there is no room. */
static bool inbox_write(struct weir_ring *inbox)
{
	bool room;
	u64 pos;
	u32 seq;

	spin_lock_bh(&inbox->post.lock);
	room = weir_inbox_claim(inbox, RECORD, 0, &pos, &seq);
	if (room)
		commit(inbox, pos, seq);
	spin_unlock_bh(&inbox->post.lock);
	if (room)
		weir_inbox_wake(inbox);
	return room;
}

/* Writes a record to the outbox; false when there is no room. */
static bool outbox_write(struct weir_ring *ring)
{
	u64 pos;
	u32 seq;

	if (!weir_writable(ring, RECORD) ||
	    weir_ring_claim(&ring->view, RECORD, 0, &pos, &seq))
		return false;
	commit(ring, pos, seq);
	smp_mb();						/* (C) */
	if (weir_ring_status(ring)->wake & WEIR_WAKE_READERS)
		weir_ring_wake_readers(ring);
	return true;
}

/* Reads up to @n records. Returns how many there were. */
static int read_on(struct weir_reader *rd, int n)
{
	struct weir_ring_rec rec;
	int i;

	for (i = 0; i < n; i++) {
		u64 pos = rd->cursor->pos;

		if (weir_ring_peek(&rd->ring->view, &pos, &rec) != 1)
			break;
		weir_reader_move(rd, rec.next, rec.seq + 1);
	}
	return i;
}

/* --- softirq ------------------------------------------------------------- */

static void softirq_run(struct tasklet_struct *tasklet)
{
	struct fixture *f = container_of(tasklet, struct fixture, tasklet);

	f->fn(f);
	complete(&f->done);
}

/* Calls @fn in softirq, and waits for its end. */
static void in_softirq_do(struct fixture *f, void (*fn)(struct fixture *f))
{
	f->fn = fn;
	reinit_completion(&f->done);
	tasklet_schedule(&f->tasklet);
	wait_for_completion(&f->done);
}

static void softirq_write(struct fixture *f)
{
	inbox_write(f->ring);
}

static void softirq_read(struct fixture *f)
{
	read_on(f->ring->post.reader, INT_MAX);
}

static void softirq_break(struct fixture *f)
{
	weir_ring_break(f->ring, WEIR_REASON_BAD_RECORD);
}

static void softirq_put(struct fixture *f)
{
	weir_ring_put(f->ring);
	f->ring = NULL;
}

/* --- the cases ----------------------------------------------------------- */

static void inbox__kernel_code_reads_on_and_gives_room_back(struct kunit *test)
{
	struct fixture *f = test->priv;
	int n = 0;

	make_inbox(test);
	while (inbox_write(f->ring))
		n++;
	KUNIT_EXPECT_EQ(test, n, BYTES / RECORD);
	f->ring->post.on_room = inbox_on_room;
	spin_lock_bh(&f->ring->post.lock);
	weir_inbox_want(f->ring, RECORD);
	spin_unlock_bh(&f->ring->post.lock);
	/* told once, when a quarter is free */
	KUNIT_EXPECT_EQ(test, read_on(f->ring->post.reader, n / 4 - 1),
			n / 4 - 1);
	KUNIT_EXPECT_EQ(test, f->rooms, 0);
	KUNIT_EXPECT_EQ(test, read_on(f->ring->post.reader, 2), 2);
	KUNIT_EXPECT_EQ(test, f->rooms, 1);
	KUNIT_EXPECT_TRUE(test, inbox_write(f->ring));
	KUNIT_EXPECT_EQ(test, read_on(f->ring->post.reader, INT_MAX),
			n - n / 4);
	KUNIT_EXPECT_EQ(test, f->rooms, 1);
}

static void inbox__wakes_its_kernel_reader(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_reader *rd;

	make_inbox(test);
	rd = f->ring->post.reader;
	KUNIT_EXPECT_TRUE(test, inbox_write(f->ring));
	KUNIT_EXPECT_EQ(test, f->wakes, 0);
	KUNIT_EXPECT_TRUE(test, weir_reader_arm_kernel(rd));
	KUNIT_EXPECT_EQ(test, read_on(rd, 1), 1);
	KUNIT_EXPECT_FALSE(test, weir_reader_arm_kernel(rd));
	KUNIT_EXPECT_FALSE(test, weir_reader_arm_kernel(rd));
	KUNIT_EXPECT_TRUE(test, inbox_write(f->ring));
	KUNIT_EXPECT_TRUE(test, inbox_write(f->ring));
	KUNIT_EXPECT_EQ(test, f->wakes, 1);
	KUNIT_EXPECT_TRUE(test, weir_reader_arm_kernel(rd));
}

static void inbox__softirq_writes_and_reads(struct kunit *test)
{
	struct fixture *f = test->priv;

	make_inbox(test);
	KUNIT_ASSERT_FALSE(test, weir_reader_arm_kernel(f->ring->post.reader));
	in_softirq_do(f, softirq_write);
	KUNIT_EXPECT_EQ(test, f->wakes, 1);
	f->ring->post.on_room = inbox_on_room;
	spin_lock_bh(&f->ring->post.lock);
	weir_inbox_want(f->ring, BYTES);
	spin_unlock_bh(&f->ring->post.lock);
	in_softirq_do(f, softirq_read);
	KUNIT_EXPECT_EQ(test, f->rooms, 1);
}

static void outbox__kernel_code_is_told_of_room(struct kunit *test)
{
	struct fixture *f = test->priv;
	cpumask_var_t cpus;
	int n = 0;

	KUNIT_ASSERT_TRUE(test, zalloc_cpumask_var(&cpus, GFP_KERNEL));
	make_outbox(test);
	f->rd = attach(test, &reader_ops);
	KUNIT_EXPECT_FALSE(test, weir_reader_arm_kernel(f->rd));
	while (outbox_write(f->ring))
		n++;
	KUNIT_EXPECT_EQ(test, n, BYTES / RECORD);
	KUNIT_EXPECT_EQ(test, f->wakes, 1);
	KUNIT_EXPECT_FALSE(test, weir_ring_want_room(f->ring, RECORD, cpus));
	KUNIT_EXPECT_EQ(test, f->fulls, 1);
	KUNIT_EXPECT_EQ(test, f->rooms, 0);
	KUNIT_EXPECT_EQ(test, read_on(f->rd, 2), 2);
	KUNIT_EXPECT_EQ(test, f->rooms, 1);
	KUNIT_EXPECT_TRUE(test, weir_ring_want_room(f->ring, RECORD, cpus));
	KUNIT_EXPECT_EQ(test, f->fulls, 1);
	KUNIT_EXPECT_TRUE(test, outbox_write(f->ring));
	free_cpumask_var(cpus);
}

static void reader_attach_kernel__takes_any_slot(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_status *status;
	struct weir_reader *second;

	make_outbox(test);
	status = weir_ring_status(f->ring);
	f->rd = attach(test, &reader_ops);
	KUNIT_EXPECT_TRUE(test, outbox_write(f->ring));
	second = attach(test, &later_ops);
	KUNIT_EXPECT_EQ(test, f->rd->slot, 0);
	KUNIT_EXPECT_EQ(test, second->slot, 1);
	KUNIT_EXPECT_EQ(test, status->nslots, 2);
	KUNIT_EXPECT_EQ(test, status->gating[0], 3);
	/* that is for the owner of an endpoint's outbox */
	KUNIT_EXPECT_FALSE(test, status->wake & WEIR_WAKE_ROUTER);
	/* the second begins at the tail */
	KUNIT_EXPECT_EQ(test, read_on(f->rd, INT_MAX), 1);
	KUNIT_EXPECT_EQ(test, read_on(second, INT_MAX), 0);
	KUNIT_EXPECT_PTR_EQ(test, f->ring->full_reader, f->rd);
	leave(second);
	KUNIT_EXPECT_EQ(test, status->gating[0], 1);
}

static void reader_attach_kernel__tells_one_that_the_ring_is_full(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_reader *second;
	cpumask_var_t cpus;

	KUNIT_ASSERT_TRUE(test, zalloc_cpumask_var(&cpus, GFP_KERNEL));
	make_outbox(test);
	f->rd = attach(test, &reader_ops);
	f->owner.why = NULL;
	second = weir_reader_attach_kernel(&f->owner, f->ring, &reader_ops, f);
	KUNIT_EXPECT_PTR_EQ(test, second, ERR_PTR(-EBUSY));
	KUNIT_EXPECT_NOT_NULL(test, f->owner.why);
	/* nothing is left of it, and the first one is still told */
	KUNIT_EXPECT_EQ(test, f->releases, 1);
	KUNIT_EXPECT_EQ(test, weir_ring_status(f->ring)->gating[0], 1);
	KUNIT_EXPECT_PTR_EQ(test, f->ring->full_reader, f->rd);
	leave(f->rd);
	f->rd = NULL;
	KUNIT_EXPECT_EQ(test, f->releases, 2);
	KUNIT_EXPECT_NULL(test, f->ring->full_reader);
	f->rd = attach(test, &later_ops);
	while (outbox_write(f->ring))
		;
	KUNIT_EXPECT_FALSE(test, weir_ring_want_room(f->ring, RECORD, cpus));
	KUNIT_EXPECT_EQ(test, f->fulls, 0);
	second = attach(test, &reader_ops);
	KUNIT_EXPECT_PTR_EQ(test, f->ring->full_reader, second);
	leave(second);
	free_cpumask_var(cpus);
}

/*
 * A reader of the kernel may be armed where it can't interrupt the writer: so
 * the writer fences, however seldom a reader of a process sleeps.
 */
static void reader_attach_kernel__has_the_writer_fence(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct socket *socks[2] = { socket_make(test, SOCK_RDM),
				    socket_make(test, SOCK_RDM) };
	struct weir_party *p = &weir_sk(socks[1]->sk)->party;
	const struct weir_status *status;
	struct weir_ring *ring;
	struct weir_reader *rd;

	KUNIT_EXPECT_EQ(test, socket_bind(socks[0], "/kunit/fence"), 0);
	KUNIT_EXPECT_EQ(test, socket_connect(socks[1], "/kunit/fence"), 0);
	ring = weir_sk(socks[0]->sk)->outbox;
	status = weir_ring_status(ring);
	rd = weir_reader_attach_kernel(&f->owner, ring, &later_ops, f);
	KUNIT_EXPECT_FALSE(test, IS_ERR(rd));
	if (!IS_ERR(rd)) {
		KUNIT_EXPECT_NE(test, status->wake & WEIR_WAKE_FENCE, 0);
		ring->arm_seq -= INT_MAX;	/* long ago */
		KUNIT_EXPECT_FALSE(test, weir_party_arm(p));
		KUNIT_EXPECT_NE(test, status->wake & WEIR_WAKE_FENCE, 0);
		KUNIT_EXPECT_FALSE(test, weir_reader_arm_kernel(rd));
		weir_ring_wake_readers(ring);
		KUNIT_EXPECT_EQ(test, f->wakes, 1);
		KUNIT_EXPECT_NE(test, status->wake & WEIR_WAKE_FENCE, 0);
		leave(rd);
		KUNIT_EXPECT_EQ(test, ring->fence_pins, 0);
		ring->arm_seq -= INT_MAX;
		KUNIT_EXPECT_FALSE(test, weir_party_arm(p));
		KUNIT_EXPECT_EQ(test, status->wake & WEIR_WAKE_FENCE, 0);
	}
	socket_release(socks, 2);
}

/* Who still has the reader may still use its data. */
static void reader_put__releases_the_data_once(struct kunit *test)
{
	struct fixture *f = test->priv;

	make_outbox(test);
	f->rd = attach(test, &reader_ops);
	weir_reader_detach(f->rd, WEIR_REASON_CLOSED);
	KUNIT_EXPECT_EQ(test, f->releases, 0);
	weir_reader_detach(f->rd, WEIR_REASON_CLOSED);
	KUNIT_EXPECT_EQ(test, f->releases, 0);
	weir_reader_put(f->rd);
	f->rd = NULL;
	KUNIT_EXPECT_EQ(test, f->releases, 1);
}

static void ring_break__in_softirq_wakes_the_reader(struct kunit *test)
{
	struct fixture *f = test->priv;

	make_outbox(test);
	f->rd = attach(test, &reader_ops);
	KUNIT_ASSERT_FALSE(test, weir_reader_arm_kernel(f->rd));
	in_softirq_do(f, softirq_break);
	KUNIT_EXPECT_EQ(test, f->wakes, 1);
	KUNIT_EXPECT_EQ(test, weir_ring_status(f->ring)->state,
			WEIR_STATE_BROKEN);
	KUNIT_EXPECT_TRUE(test, weir_reader_arm_kernel(f->rd));
}

/* The kernel's mapping of a ring is not undone in softirq. */
static void ring_put__in_softirq_leaves_the_end_to_a_worker(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_net *wn = f->owner.wn;
	int before = atomic_read(&wn->nrings);

	make_outbox(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&wn->nrings), before + 1);
	in_softirq_do(f, softirq_put);
	KUNIT_EXPECT_TRUE(test,
			  wait_var_event_timeout(&wn->nrings,
						 atomic_read(&wn->nrings) ==
						 before, PATIENCE));
}

static void owner_init__takes_all_of_another(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_owner o = {};

	KUNIT_EXPECT_EQ(test, f->owner.mode, 0666 & ~current_umask());
	/* nothing of it is what the calling task would give */
	f->owner.mode = 0640;
	f->owner.gid = KGIDT_INIT(4321);
	f->owner.uid = KUIDT_INIT(4322);
	f->owner.clock_ns++;
	f->owner.memcg = get_mem_cgroup_from_mm(current->mm);
	KUNIT_ASSERT_EQ(test, weir_owner_init(&o, f->owner.wn, &f->owner, ""),
			0);
	KUNIT_EXPECT_EQ(test, o.mode, 0640);
	KUNIT_EXPECT_TRUE(test, gid_eq(o.gid, f->owner.gid));
	KUNIT_EXPECT_TRUE(test, uid_eq(o.uid, f->owner.uid));
	KUNIT_EXPECT_EQ(test, o.clock_ns, f->owner.clock_ns);
	KUNIT_EXPECT_PTR_EQ(test, o.memcg, f->owner.memcg);
	KUNIT_EXPECT_PTR_EQ(test, o.account, f->owner.account);
	weir_owner_release(&o);
}

static int kernel_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct socket *sock;
	struct weir_net *wn;
	int err;

	if (!f)
		return -ENOMEM;
	init_completion(&f->done);
	tasklet_setup(&f->tasklet, softirq_run);
	err = sock_create_kern(&init_net, WEIR_FAMILY_DEFAULT, SOCK_RDM, 0,
			       &sock);
	if (err)
		return err;
	wn = weir_sk(sock->sk)->owner.wn;
	sock_release(sock);
	err = weir_owner_init(&f->owner, wn, NULL, "");
	if (!err)
		test->priv = f;
	return err;
}

static void kernel_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	tasklet_kill(&f->tasklet);
	if (f->rd)
		leave(f->rd);
	if (f->ring && f->ring->id) {
		weir_ring_owner_gone(f->ring, NULL, false);
	} else if (f->ring) {
		f->ring->post.on_room = NULL;
		weir_inbox_close(f->ring);
		weir_ring_put(f->ring);
	}
	weir_owner_release(&f->owner);
}

static struct kunit_case kernel_cases[] = {
	KUNIT_CASE(inbox__kernel_code_reads_on_and_gives_room_back),
	KUNIT_CASE(inbox__wakes_its_kernel_reader),
	KUNIT_CASE(inbox__softirq_writes_and_reads),
	KUNIT_CASE(outbox__kernel_code_is_told_of_room),
	KUNIT_CASE(reader_attach_kernel__takes_any_slot),
	KUNIT_CASE(reader_attach_kernel__tells_one_that_the_ring_is_full),
	KUNIT_CASE(reader_attach_kernel__has_the_writer_fence),
	KUNIT_CASE(reader_put__releases_the_data_once),
	KUNIT_CASE(ring_break__in_softirq_wakes_the_reader),
	KUNIT_CASE(ring_put__in_softirq_leaves_the_end_to_a_worker),
	KUNIT_CASE(owner_init__takes_all_of_another),
	{}
};

static struct kunit_suite kernel_suite = {
	.name = "weir_kernel_rings",
	.init = kernel_test_init,
	.exit = kernel_test_exit,
	.test_cases = kernel_cases,
};

kunit_test_suites(&kernel_suite);
