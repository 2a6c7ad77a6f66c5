// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of weir_endpoint_create() in module/route/endpoint.c, for an endpoint
 * without a socket: its owner pays for it, it serves a path, and its end leaves
 * nothing behind. The caller is a socket of the kernel's own. The test reads
 * the endpoint's inbox and writes its outbox. One test is of weir_pass_wake()
 * in module/route/router.c.
 *
 * Runs in KUnit's thread. The namespace is the initial one, in which nothing
 * else runs meanwhile.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/net.h>
#include <linux/numa.h>
#include <linux/wait_bit.h>

#include "net.h"
#include "path.h"
#include "ring/inbox.h"
#include "ring/wake.h"
#include "route/endpoint.h"
#include "route/pass.h"
#include "route/route.h"
#include "route/router.h"
#include "route/target.h"
#include "sock/sock.h"

#define UID	KUIDT_INIT(61234)	/* has nothing but the endpoint */
#define BYTES	WEIR_RING_MIN		/* of each ring */
#define PATIENCE	(20 * HZ)	/* for what workers do */

static const char path[] = "/kunit/endpoint";

/**
 * struct fixture - an endpoint without a socket, and a socket that calls it
 * @owner: owner of the endpoint, a user of its own.
 * @account: account of @owner, held.
 * @puts: how often @owner has been put.
 * @put: @owner has been put.
 * @inbox: inbox of @ep, held; NULL: there is none any more.
 * @ep: the endpoint; NULL: it has been closed.
 * @outbox: outbox of @ep, with its maker's reference; NULL before @ep is made.
 * @caller: the socket, which also has made the route.
 */
struct fixture {
	struct weir_owner	owner;
	struct weir_account	*account;
	int			puts;
	struct completion	put;
	struct weir_ring	*inbox;
	struct weir_endpoint	*ep;
	struct weir_ring	*outbox;
	struct socket		*caller;
};

/* --- the endpoint ------------------------------------------------------- */

static s64 held(const struct fixture *f, enum weir_account_kind kind)
{
	return atomic64_read(&f->account->users[0]->usage.used[kind]);
}

/* weir_endpoint.put_owner */
static void owner_put(struct weir_owner *o)
{
	struct fixture *f = container_of(o, struct fixture, owner);

	f->puts++;
	complete(&f->put);
}

/* The inbox's reader is the test itself: it needs to be told of nothing. */
static void reader_invalid(struct weir_reader *rd)
{
}

static const struct weir_reader_ops reader_ops = {
	.invalid	= reader_invalid,
};

static int make_owner(struct fixture *f)
{
	struct cred *cred = prepare_creds();
	const struct cred *old;
	int err;

	if (!cred)
		return -ENOMEM;
	cred->uid = UID;
	cred->euid = UID;
	cred->fsuid = UID;
	old = override_creds(cred);
	err = weir_owner_init(&f->owner, weir_sk(f->caller->sk)->owner.wn, NULL,
			      path);
	revert_creds(old);
	put_cred(cred);
	if (err)
		return err;
	f->account = f->owner.account;
	weir_account_get(f->account);
	return 0;
}

static int make_inbox(struct fixture *f)
{
	const struct weir_ring_spec spec = {
		.bytes = BYTES,
		.type = SOCK_RDM,
		.inbox = true,
		.node = NUMA_NO_NODE,
	};
	struct weir_ring *inbox;

	inbox = weir_inbox_create_kernel(&f->owner, &spec, &reader_ops, f);
	if (IS_ERR(inbox))
		return PTR_ERR(inbox);
	f->inbox = inbox;
	return 0;
}

static int make_endpoint(struct fixture *f)
{
	const struct weir_ring_spec spec = {
		.bytes = BYTES,
		.type = SOCK_RDM,
		.node = NUMA_NO_NODE,
	};
	struct weir_endpoint *ep;

	ep = weir_endpoint_create(&f->owner, f->inbox, &spec, owner_put);
	if (IS_ERR(ep))
		return PTR_ERR(ep);
	f->ep = ep;
	f->outbox = ep->outbox;
	return 0;
}

/* Closes the endpoint, then its rings, in the order of a socket. */
static void close_endpoint(struct fixture *f)
{
	if (f->ep) {
		weir_endpoint_close(f->ep);
		f->ep = NULL;
		weir_ring_owner_gone(f->outbox, NULL, false);
	}
	if (f->inbox) {
		weir_inbox_close(f->inbox);
		weir_ring_put(f->inbox);
		f->inbox = NULL;
	}
}

/* Makes the endpoint a target of @path. The caller's socket pays for that. */
static int serve(struct fixture *f)
{
	struct weir_owner *o = &weir_sk(f->caller->sk)->owner;
	struct weir_net *wn = o->wn;
	struct weir_target *target;
	struct weir_route *route;
	int err;

	mutex_lock(&wn->lock);
	route = weir_route_obtain(o, path, strlen(path), WEIR_USE_SERVE);
	err = PTR_ERR_OR_ZERO(route);
	if (err)
		goto unlock;
	target = weir_target_add(o, route, f->ep, NULL, NULL, 1);
	err = PTR_ERR_OR_ZERO(target);
	if (err) {
		weir_route_tidy(route);
		goto unlock;
	}
	err = weir_route_replan(route);
	if (err)
		weir_target_remove(target);
unlock:
	mutex_unlock(&wn->lock);
	return err;
}

/* --- messages ----------------------------------------------------------- */

/* Sends a request from the caller's socket to @path. */
static int request(const struct fixture *f, const char *text)
{
	struct sockaddr_weir addr = { .sw_family = WEIR_FAMILY_DEFAULT };
	struct msghdr msg = {
		.msg_name = &addr,
		.msg_namelen = sizeof(addr),
		.msg_flags = MSG_DONTWAIT,
	};
	struct kvec vec = {
		.iov_base = (void *)text,
		.iov_len = strlen(text),
	};

	strscpy(addr.sw_path, path, sizeof(addr.sw_path));
	return kernel_sendmsg(f->caller, &msg, &vec, 1, vec.iov_len);
}

/* Receives what the caller has got: its length, or the router's error. */
static int answer(const struct fixture *f, char *text, size_t room)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = text, .iov_len = room };

	return kernel_recvmsg(f->caller, &msg, &vec, 1, room, 0);
}

/* Takes the next record out of the endpoint's inbox. */
static bool next_record(const struct fixture *f, struct weir_record *head,
			char *text, size_t room)
{
	struct weir_reader *rd = f->inbox->post.reader;
	struct weir_ring_rec rec;
	u64 pos = rd->cursor->pos;

	if (weir_ring_peek(&f->inbox->view, &pos, &rec) != 1 || rec.len >= room)
		return false;
	*head = *rec.rec;
	memcpy(text, rec.payload, rec.len);
	text[rec.len] = '\0';
	weir_reader_move(rd, rec.next, rec.seq + 1);
	return true;
}

/* Writes the reply to a request into the endpoint's outbox, and kicks. */
static int reply(const struct fixture *f, const struct weir_record *to,
		 const char *text)
{
	u32 len = strlen(text), total = weir_ring_need(len), seq;
	struct weir_record *rec;
	u64 pos;

	if (!weir_writable(f->outbox, total) ||
	    weir_ring_claim(&f->outbox->view, total, 0, &pos, &seq))
		return -EAGAIN;
	rec = weir_ring_at(&f->outbox->view, pos);
	rec->len = len;
	rec->kind = WEIR_KIND_REPLY;
	rec->flags = 0;
	rec->ext = 0;
	rec->reserved = 0;
	rec->seq = seq;
	rec->route = to->route;
	rec->tag = to->tag;
	rec->key = 0;
	memcpy(rec + 1, text, len);
	weir_ring_commit(&f->outbox->view, rec, pos);
	smp_mb();						/* (C) */
	weir_pass_dispatch(f->ep);
	return 0;
}

/* --- the cases ---------------------------------------------------------- */

/*
 * Waits as the end of a namespace does: until the router has no object in it,
 * and no ring is left. Returns whether that came to pass.
 */
static bool namespace_may_end(struct weir_net *wn)
{
	return wait_var_event_timeout(&wn->nrouted, !atomic_read(&wn->nrouted),
				      PATIENCE) &&
	       wait_var_event_timeout(&wn->nrings, !atomic_read(&wn->nrings),
				      PATIENCE);
}

/* Ends all, and expects that nothing is left of it. */
static void expect_nothing_left(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_net *wn = f->owner.wn;

	close_endpoint(f);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&f->put, PATIENCE),
			0);
	sock_release(f->caller);
	f->caller = NULL;
	KUNIT_EXPECT_TRUE(test, namespace_may_end(wn));
	KUNIT_EXPECT_EQ(test, f->puts, 1);
	KUNIT_EXPECT_EQ(test, held(f, WEIR_ACCOUNT_OBJECTS), 0);
	KUNIT_EXPECT_EQ(test, held(f, WEIR_ACCOUNT_BYTES), 0);
	/* the owner's, and the test's: no charge has one */
	KUNIT_EXPECT_EQ(test, refcount_read(&f->account->refs), 2);
}

static void endpoint_create__charges_the_owner(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, held(f, WEIR_ACCOUNT_OBJECTS), 0);
	KUNIT_ASSERT_EQ(test, make_inbox(f), 0);
	/* the ring and its reader */
	KUNIT_EXPECT_EQ(test, held(f, WEIR_ACCOUNT_OBJECTS), 2);
	KUNIT_ASSERT_EQ(test, make_endpoint(f), 0);
	/* the endpoint, its outbox and the router's reader */
	KUNIT_EXPECT_EQ(test, held(f, WEIR_ACCOUNT_OBJECTS), 5);
	KUNIT_EXPECT_GT(test, held(f, WEIR_ACCOUNT_BYTES),
			2 * BYTES + sizeof(*f->ep));
	KUNIT_EXPECT_PTR_EQ(test, f->ep->owner, &f->owner);
	KUNIT_EXPECT_EQ(test, f->ep->sock_id, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->owner.wn->nrouted), 1);
	KUNIT_EXPECT_EQ(test, f->puts, 0);
	expect_nothing_left(test);
}

static void endpoint_create__serves_without_a_socket(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_record head;
	char text[16];

	KUNIT_ASSERT_EQ(test, make_inbox(f), 0);
	KUNIT_ASSERT_EQ(test, make_endpoint(f), 0);
	KUNIT_ASSERT_EQ(test, serve(f), 0);
	KUNIT_ASSERT_EQ(test, request(f, "ping"), 4);
	KUNIT_ASSERT_TRUE(test, next_record(f, &head, text, sizeof(text)));
	KUNIT_EXPECT_EQ(test, head.kind, WEIR_KIND_REQUEST);
	KUNIT_EXPECT_STREQ(test, text, "ping");
	KUNIT_EXPECT_FALSE(test, next_record(f, &head, text, sizeof(text)));
	KUNIT_ASSERT_EQ(test, reply(f, &head, "pong!"), 0);
	KUNIT_ASSERT_EQ(test, answer(f, text, sizeof(text)), 5);
	KUNIT_EXPECT_EQ(test, memcmp(text, "pong!", 5), 0);
	expect_nothing_left(test);
}

/* The caller is told, and not left to wait for its deadline. */
static void endpoint_close__ends_the_requests_it_holds(struct kunit *test)
{
	struct fixture *f = test->priv;
	char text[16];

	KUNIT_ASSERT_EQ(test, make_inbox(f), 0);
	KUNIT_ASSERT_EQ(test, make_endpoint(f), 0);
	KUNIT_ASSERT_EQ(test, serve(f), 0);
	KUNIT_ASSERT_EQ(test, request(f, "ping"), 4);
	close_endpoint(f);
	KUNIT_EXPECT_EQ(test, answer(f, text, sizeof(text)),
			-weir_reason_errno(WEIR_REASON_TARGET_DIED));
	expect_nothing_left(test);
}

/* Ends a section that has written to an inbox. */
static void wake(struct weir_pass *pass, struct weir_ring *inbox)
{
	local_bh_disable();
	weir_pass_touch(pass, inbox);
	weir_pass_wake(pass);
	local_bh_enable();
}

/* A section may wake a reader for each of its messages, but not thousands. */
static void pass_wake__takes_steps_of_the_section(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_party *p = &weir_sk(f->caller->sk)->party;
	struct weir_pass *pass = kunit_kzalloc(test, sizeof(*pass), GFP_KERNEL);
	u32 n, steps;

	KUNIT_ASSERT_NOT_NULL(test, pass);
	KUNIT_ASSERT_EQ(test, make_inbox(f), 0);
	KUNIT_ASSERT_EQ(test, make_endpoint(f), 0);
	KUNIT_ASSERT_EQ(test, serve(f), 0);
	/* this makes the caller's inbox */
	KUNIT_ASSERT_EQ(test, request(f, "ping"), 4);
	for (n = 0; n < 2 * WEIR_TARGETS_MAX; n++) {
		if (pass->steps > WEIR_STEPS_MAX)
			break;
		KUNIT_ASSERT_FALSE(test, weir_party_arm(p));
		wake(pass, p->inbox);
	}
	KUNIT_EXPECT_GT(test, n, WEIR_PASS_MESSAGES);
	KUNIT_EXPECT_LE(test, n, WEIR_TARGETS_MAX);
	steps = pass->steps;
	wake(pass, p->inbox);
	/* its reader does not sleep */
	KUNIT_EXPECT_EQ(test, pass->steps, steps);
	expect_nothing_left(test);
}

static int endpoint_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int err;

	if (!f)
		return -ENOMEM;
	init_completion(&f->put);
	err = sock_create_kern(&init_net, WEIR_FAMILY_DEFAULT, SOCK_RDM, 0,
			       &f->caller);
	if (err)
		return err;
	f->caller->sk->sk_rcvtimeo = PATIENCE;
	err = make_owner(f);
	if (err) {
		sock_release(f->caller);
		return err;
	}
	test->priv = f;
	return 0;
}

static void endpoint_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	/* what a case that has failed has left */
	if (f->caller) {
		close_endpoint(f);
		if (f->outbox)
			wait_for_completion_timeout(&f->put, PATIENCE);
		sock_release(f->caller);
		namespace_may_end(f->owner.wn);
	}
	weir_owner_release(&f->owner);
	weir_account_put(f->account);
}

static struct kunit_case endpoint_cases[] = {
	KUNIT_CASE(endpoint_create__charges_the_owner),
	KUNIT_CASE(endpoint_create__serves_without_a_socket),
	KUNIT_CASE(endpoint_close__ends_the_requests_it_holds),
	KUNIT_CASE(pass_wake__takes_steps_of_the_section),
	{}
};

static struct kunit_suite endpoint_suite = {
	.name = "weir_endpoint",
	.init = endpoint_test_init,
	.exit = endpoint_test_exit,
	.test_cases = endpoint_cases,
};

kunit_test_suites(&endpoint_suite);
