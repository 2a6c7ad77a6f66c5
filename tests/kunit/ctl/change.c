// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/ctl/change.c, change_route.c and change_target.c: the changes
 * of a call are all made, or a failing one leaves everything as it was.
 *
 * Runs in KUnit's thread, for an administrator. The namespace is the initial
 * one, in which nothing else runs meanwhile.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "../socket.h"
#include "ctl/change.h"
#include "path.h"
#include "route/plan.h"
#include "route/route.h"
#include "route/target.h"

#define A	"/kunit/change/a"
#define X	"/kunit/change/x"
#define Y	"/kunit/change/y"
#define Z	"/kunit/change/z"
#define NEW	"/kunit/change/new"

enum { CHANGES = 10, TARGETS = 4 };

/**
 * struct fixture - a socket that makes calls
 * @sock: the socket.
 * @wn: its namespace.
 * @c: the call.
 * @list: for weir_changes.list.
 * @ops: its changes.
 */
struct fixture {
	struct socket		*sock;
	struct weir_net		*wn;
	struct weir_changes	c;
	struct weir_change	list[CHANGES];
	struct weir_route_op	ops[CHANGES];
};

/* What a failed call must leave as it was: of route A, and of all. */
struct seen {
	const struct weir_route		*route;
	const struct weir_plan		*plan;
	const struct weir_settings	*set;
	u32				ntargets;
	const struct weir_target	*targets[TARGETS];
	u32				weights[TARGETS];
	u32				uses;
	u32				nbehind;
	u32				nbefore;
	unsigned int			paths;
	s64				objects;
	s64				bytes;
};

/* --- calls -------------------------------------------------------------- */

static struct weir_route_op *op(struct fixture *f, u32 i, u32 what,
				const char *path, const char *target_path,
				u32 weight)
{
	struct weir_route_op *op = &f->ops[i];

	memset(op, 0, sizeof(*op));
	op->op = what;
	op->weight = weight;
	strscpy(op->path, path, sizeof(op->path));
	strscpy(op->target_path, target_path, sizeof(op->target_path));
	return op;
}

static int make(struct fixture *f, u32 count, u32 *failed)
{
	int err;

	weir_changes_begin(&f->c, count);
	weir_sk(f->sock->sk)->owner.why = NULL;
	mutex_lock(&f->wn->lock);
	err = weir_changes_make(&f->c, f->ops, count, failed);
	mutex_unlock(&f->wn->lock);
	return err;
}

/* The route of a path, which it has until the next call; or NULL. */
static struct weir_route *route(const struct fixture *f, const char *name)
{
	struct weir_path *path;
	unsigned long id;

	xa_for_each(&f->wn->path_ids, id, path) {
		if (!strcmp(path->name, name))
			return rcu_dereference_protected(path->route, true);
	}
	return NULL;
}

static s64 used(const struct fixture *f, enum weir_account_kind kind)
{
	const struct weir_account *account =
		weir_sk(f->sock->sk)->owner.account;

	return atomic64_read(&account->users[0]->usage.used[kind]);
}

static void look(const struct fixture *f, struct seen *s)
{
	struct weir_target *target;
	struct weir_route *a = route(f, A);
	struct weir_path *path;
	unsigned long id;
	u32 i = 0;

	memset(s, 0, sizeof(*s));
	xa_for_each(&f->wn->path_ids, id, path)
		s->paths++;
	s->objects = used(f, WEIR_ACCOUNT_OBJECTS);
	s->bytes = used(f, WEIR_ACCOUNT_BYTES);
	s->route = a;
	if (!a)
		return;
	s->plan = rcu_dereference_protected(a->plan, true);
	s->set = a->set;
	s->ntargets = a->ntargets;
	s->uses = a->uses;
	s->nbehind = a->nbehind;
	s->nbefore = a->nbefore;
	list_for_each_entry(target, &a->targets, route_link) {
		if (i == TARGETS)
			break;
		s->targets[i] = target;
		s->weights[i++] = target->weight + target->removing;
	}
}

/* A route with settings, a fallback and two targets that are routes. */
static void make_route(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_route_op *set = op(f, 0, WEIR_OP_ROUTE_SET, A, "", 0);
	u32 failed;

	set->conf.rate = 1000;
	set->conf.burst = 10;
	strscpy(set->conf.fallback, "/kunit/change/f",
		sizeof(set->conf.fallback));
	op(f, 1, WEIR_OP_TARGET_ADD, A, X, 3);
	op(f, 2, WEIR_OP_TARGET_ADD, A, Y, 1);
	KUNIT_ASSERT_EQ(test, make(f, 3, &failed), 0);
}

/* Many kinds of changes, each of which is possible after those before. */
static u32 some_changes(struct fixture *f)
{
	struct weir_route_op *o = op(f, 0, WEIR_OP_ROUTE_SET, A, "", 0);

	o->conf.policy = WEIR_POLICY_WEIGHTED;
	o->conf.mirror_permille = 100;
	strscpy(o->conf.mirror, "/kunit/change/m", sizeof(o->conf.mirror));
	op(f, 1, WEIR_OP_TARGET_SET, A, X, 0);
	op(f, 2, WEIR_OP_TARGET_ADD, A, Z, 5);
	op(f, 3, WEIR_OP_TARGET_DEL, A, Y, 0);
	/* A is no longer before Y: this is no loop */
	op(f, 4, WEIR_OP_TARGET_ADD, Y, A, 1);
	o = op(f, 5, WEIR_OP_ROUTE_SET, NEW, "", 0);
	o->conf.bulkhead = 7;
	op(f, 6, WEIR_OP_ROUTE_DEL, A, "", 0);
	op(f, 7, WEIR_OP_TARGET_SET, A, Z, 6);
	return 8;
}

static void expect_same(struct kunit *test, const struct seen *before)
{
	const struct fixture *f = test->priv;
	unsigned long end = jiffies + SOCKET_PATIENCE;
	struct seen s;

	/* targets are charged until a grace period later */
	while (used(f, WEIR_ACCOUNT_OBJECTS) != before->objects &&
	       time_before(jiffies, end))
		msleep(20);
	look(f, &s);
	KUNIT_EXPECT_PTR_EQ(test, s.route, before->route);
	KUNIT_EXPECT_PTR_EQ(test, s.plan, before->plan);
	KUNIT_EXPECT_PTR_EQ(test, s.set, before->set);
	KUNIT_EXPECT_EQ(test, s.ntargets, before->ntargets);
	KUNIT_EXPECT_EQ(test, memcmp(s.targets, before->targets,
				     sizeof(s.targets)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(s.weights, before->weights,
				     sizeof(s.weights)), 0);
	KUNIT_EXPECT_EQ(test, s.uses, before->uses);
	KUNIT_EXPECT_EQ(test, s.nbehind, before->nbehind);
	KUNIT_EXPECT_EQ(test, s.nbefore, before->nbefore);
	KUNIT_EXPECT_EQ(test, s.paths, before->paths);
	KUNIT_EXPECT_EQ(test, s.objects, before->objects);
	KUNIT_EXPECT_EQ(test, s.bytes, before->bytes);
	KUNIT_EXPECT_NULL(test, route(f, NEW));
	KUNIT_EXPECT_FALSE(test, before->route && before->route->planned);
}

/* --- the cases ---------------------------------------------------------- */

static void changes_make__makes_all(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 failed, n;
	struct seen before, after;

	make_route(test);
	look(f, &before);
	n = some_changes(f);
	KUNIT_ASSERT_EQ(test, make(f, n, &failed), 0);
	look(f, &after);
	KUNIT_EXPECT_PTR_EQ(test, after.route, before.route);
	KUNIT_EXPECT_PTR_NE(test, after.plan, before.plan);
	KUNIT_EXPECT_NULL(test, after.set);
	KUNIT_ASSERT_EQ(test, after.ntargets, 2);
	KUNIT_EXPECT_STREQ(test, after.targets[0]->next->path->name, Z);
	KUNIT_EXPECT_EQ(test, after.weights[0], 6);
	KUNIT_EXPECT_PTR_EQ(test, after.targets[1], before.targets[0]);
	KUNIT_EXPECT_EQ(test, after.weights[1], 0);
	KUNIT_EXPECT_EQ(test, after.plan->n, 2);
	KUNIT_ASSERT_NOT_NULL(test, route(f, NEW));
	KUNIT_EXPECT_EQ(test, route(f, NEW)->set->conf.bulkhead, 7);
	KUNIT_EXPECT_EQ(test, route(f, Y)->ntargets, 1);
}

/* However many of the changes were made before the one that fails. */
static void changes_make__undoes_all_when_one_fails(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct seen before;
	u32 failed, n, i;

	make_route(test);
	look(f, &before);
	n = some_changes(f);
	for (i = 0; i <= n; i++) {
		some_changes(f);
		op(f, i, WEIR_OP_ROUTE_DEL, "/kunit/change/none", "", 0);
		failed = CHANGES;
		KUNIT_EXPECT_EQ(test, make(f, i + 1, &failed), -ENOENT);
		KUNIT_EXPECT_EQ(test, failed, i);
		KUNIT_EXPECT_NOT_NULL(test, weir_sk(f->sock->sk)->owner.why);
		expect_same(test, &before);
	}
}

/* Nothing is left of what the first change of a route has made, either. */
static void changes_make__undoes_a_new_route(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct seen before;
	u32 failed;

	look(f, &before);
	KUNIT_EXPECT_NULL(test, before.route);
	op(f, 0, WEIR_OP_TARGET_ADD, A, X, 1);
	op(f, 1, WEIR_OP_TARGET_ADD, X, Y, 1);
	op(f, 2, WEIR_OP_TARGET_ADD, Y, A, 1);
	KUNIT_EXPECT_EQ(test, make(f, 3, &failed), -ELOOP);
	KUNIT_EXPECT_EQ(test, failed, 2);
	expect_same(test, &before);
	op(f, 2, WEIR_OP_TARGET_ADD, A, X, 2);
	KUNIT_EXPECT_EQ(test, make(f, 3, &failed), -EEXIST);
	KUNIT_EXPECT_EQ(test, failed, 2);
	expect_same(test, &before);
}

/* Plans come last: the last change of the route is the one that failed. */
static void changes_make__undoes_all_when_a_plan_fails(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct seen before;
	u32 failed, n;

	make_route(test);
	look(f, &before);
	n = some_changes(f) - 2;	/* without the end of the settings */
	f->ops[0].conf.policy = WEIR_POLICY_ALL;
	KUNIT_EXPECT_EQ(test, make(f, n, &failed), -EINVAL);
	KUNIT_EXPECT_EQ(test, failed, 3);
	KUNIT_EXPECT_NOT_NULL(test, weir_sk(f->sock->sk)->owner.why);
	expect_same(test, &before);
}

/* A caller without the capability may make changes of a limited cost at once. */
static void changes_cost__bounds_a_user(struct kunit *test)
{
	struct fixture *f = test->priv;

	weir_changes_begin(&f->c, 1);
	KUNIT_EXPECT_EQ(test, weir_changes_cost(&f->c, 2 * WEIR_COST_MAX), 0);
	f->c.admin = false;
	weir_changes_begin(&f->c, 1);
	/* one change alone is never too much */
	KUNIT_EXPECT_EQ(test, weir_changes_cost(&f->c, 2 * WEIR_COST_MAX), 0);
	weir_changes_begin(&f->c, 1);
	f->c.n = 1;
	KUNIT_EXPECT_EQ(test, weir_changes_cost(&f->c, WEIR_COST_MAX), 0);
	KUNIT_EXPECT_EQ(test, weir_changes_cost(&f->c, 1), -E2BIG);
	f->c.n = 0;
}

static int change_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->sock = socket_make(test, SOCK_RDM);
	f->wn = weir_sk(f->sock->sk)->owner.wn;
	f->c.ws = weir_sk(f->sock->sk);
	f->c.admin = true;
	f->c.list = f->list;
	test->priv = f;
	return 0;
}

/* Takes all targets and settings away, so that the routes go. */
static void change_test_exit(struct kunit *test)
{
	static const char *const names[] = { A, X, Y, Z, NEW };
	struct fixture *f = test->priv;
	struct weir_target *target;
	struct weir_route *r;
	u32 failed;
	int i;

	if (!f)
		return;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		while ((r = route(f, names[i])) && !list_empty(&r->targets)) {
			target = list_first_entry(&r->targets,
						  struct weir_target,
						  route_link);
			op(f, 0, WEIR_OP_TARGET_DEL, names[i],
			   target->next->path->name, 0);
			if (make(f, 1, &failed))
				break;
		}
		op(f, 0, WEIR_OP_ROUTE_DEL, names[i], "", 0);
		make(f, 1, &failed);
	}
	sock_release(f->sock);
	wait_var_event_timeout(&f->wn->nrouted, !atomic_read(&f->wn->nrouted),
			       SOCKET_PATIENCE);
}

static struct kunit_case change_cases[] = {
	KUNIT_CASE(changes_cost__bounds_a_user),
	KUNIT_CASE(changes_make__makes_all),
	KUNIT_CASE(changes_make__undoes_all_when_one_fails),
	KUNIT_CASE(changes_make__undoes_a_new_route),
	KUNIT_CASE(changes_make__undoes_all_when_a_plan_fails),
	{}
};

static struct kunit_suite change_suite = {
	.name = "weir_change",
	.init = change_test_init,
	.exit = change_test_exit,
	.test_cases = change_cases,
};

kunit_test_suites(&change_suite);
