// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/logic/softirq.h, and of what softirq does with rings. A
 * tasklet does it, on a socket of the kernel's own. With lockdep, this also
 * shows a lock that other code takes with BH enabled.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/net.h>
#include <linux/numa.h>

#include "logic/softirq.h"
#include "party.h"
#include "ring/inbox.h"
#include "ring/ring.h"
#include "ring/wake.h"
#include "sock/sock.h"
#include "tenant.h"

/**
 * struct softirq - a socket, and a call that a tasklet makes
 * @sock: the socket, which has an inbox.
 * @tasklet: calls @fn in softirq.
 * @fn: what is tested.
 * @done: @fn has returned.
 * @softirq: it was called in softirq.
 */
struct softirq {
	struct socket		*sock;
	struct tasklet_struct	tasklet;
	void			(*fn)(struct weir_party *p);
	struct completion	done;
	bool			softirq;
};

static struct weir_party *softirq_party(const struct softirq *s)
{
	return &weir_sk(s->sock->sk)->party;
}

static void softirq_run(struct tasklet_struct *tasklet)
{
	struct softirq *s = container_of(tasklet, struct softirq, tasklet);

	s->softirq = in_serving_softirq();
	s->fn(softirq_party(s));
	complete(&s->done);
}

/* Calls @fn in softirq, and waits for its end. Returns the inbox. */
static struct weir_ring *softirq_call(struct kunit *test,
				      void (*fn)(struct weir_party *p))
{
	struct softirq *s = test->priv;

	s->fn = fn;
	reinit_completion(&s->done);
	tasklet_schedule(&s->tasklet);
	wait_for_completion(&s->done);
	KUNIT_EXPECT_TRUE(test, s->softirq);
	return softirq_party(s)->inbox;
}

static int softirq_test_init(struct kunit *test)
{
	struct softirq *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct weir_ring_spec spec = {
		.bytes = WEIR_RING_MIN,
		.type = SOCK_RDM,
		.inbox = true,
		.node = NUMA_NO_NODE,
	};
	int err;

	if (!s)
		return -ENOMEM;
	init_completion(&s->done);
	tasklet_setup(&s->tasklet, softirq_run);
	err = sock_create_kern(&init_net, WEIR_FAMILY_DEFAULT, SOCK_RDM, 0,
			       &s->sock);
	if (err)
		return err;
	test->priv = s;
	spec.party = softirq_party(s);
	lock_sock(s->sock->sk);
	err = weir_inbox_create(spec.party, &spec);
	release_sock(s->sock->sk);
	return err;
}

static void softirq_test_exit(struct kunit *test)
{
	struct softirq *s = test->priv;

	if (!s)
		return;
	tasklet_kill(&s->tasklet);
	sock_release(s->sock);
}

static void softirq_notice(struct weir_party *p)
{
	weir_inbox_refused(p, p->inbox, WEIR_REASON_LIMIT);
}

static void inbox_refused__writes_a_notice_in_softirq(struct kunit *test)
{
	struct weir_ring *inbox = softirq_call(test, softirq_notice);

	KUNIT_EXPECT_TRUE(test, weir_committed(&inbox->view, 0));
	KUNIT_EXPECT_NE(test, inbox->post.pos, 0);
}

static void inbox_refused__wakes_the_reader_in_softirq(struct kunit *test)
{
	struct weir_party *p = softirq_party(test->priv);
	struct weir_status *status = weir_ring_status(p->inbox);
	u64 kicks = status->kicks;

	KUNIT_ASSERT_FALSE(test, weir_party_arm(p));
	KUNIT_EXPECT_TRUE(test, status->wake & WEIR_WAKE_READERS);
	softirq_call(test, softirq_notice);
	KUNIT_EXPECT_FALSE(test, status->wake & WEIR_WAKE_READERS);
	KUNIT_EXPECT_EQ(test, status->kicks, kicks + 1);
	KUNIT_EXPECT_TRUE(test, weir_party_arm(p));
}

static void softirq_set(struct weir_party *p)
{
	weir_timer_set(&p->inbox->reap, 0);
}

static void timer_set__has_the_worker_come_from_softirq(struct kunit *test)
{
	struct weir_ring *inbox = softirq_call(test, softirq_set);

	/* its function has been called, or is not called any more */
	weir_timer_cancel_sync(&inbox->reap);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&inbox->reap.node.node));
}

static struct kunit_case softirq_cases[] = {
	KUNIT_CASE(inbox_refused__writes_a_notice_in_softirq),
	KUNIT_CASE(inbox_refused__wakes_the_reader_in_softirq),
	KUNIT_CASE(timer_set__has_the_worker_come_from_softirq),
	{}
};

static struct kunit_suite softirq_suite = {
	.name = "weir_softirq",
	.init = softirq_test_init,
	.exit = softirq_test_exit,
	.test_cases = softirq_cases,
};

kunit_test_suites(&softirq_suite);
