// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the steps of module/ctl/list_ring.c and list_route.c: each step goes
 * on behind an id, whatever has come and gone since the step before.
 *
 * Runs in KUnit's thread. The namespace is the initial one, in which nothing
 * else runs meanwhile.
 */
#include "../socket.h"
#include "ctl/list.h"
#include "path.h"
#include "route/route.h"
#include "uapi/weir_route.h"

#define PUBLISHERS	3
#define SUBSCRIBERS	3
#define ROUTES		4
#define IDS		32

typedef enum weir_list_found step_fn(struct weir_list_ctx *ctx,
				     unsigned long *id);

/**
 * struct fixture - objects to list
 * @from: publishers of one path.
 * @to: their subscribers, each of which reads all of them.
 * @asks: the socket that lists.
 * @routes: routes, held by nothing else; NULL: gone.
 * @entry: for weir_list_ctx.entry.
 * @ids: ids that a list had.
 */
struct fixture {
	struct socket		*from[PUBLISHERS];
	struct socket		*to[SUBSCRIBERS];
	struct socket		*asks;
	struct weir_route	*routes[ROUTES];
	union {
		struct weir_list_entry		list;
		struct weir_route_entry		route;
	} entry;
	u64			ids[IDS];
};

static struct weir_net *net(const struct fixture *f)
{
	return weir_sk(f->asks->sk)->owner.wn;
}

static void make_streams(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	for (i = 0; i < PUBLISHERS; i++) {
		f->from[i] = socket_make(test, SOCK_RDM);
		KUNIT_ASSERT_EQ(test, socket_bind(f->from[i], "/kunit/list"),
				0);
	}
	for (i = 0; i < SUBSCRIBERS; i++) {
		f->to[i] = socket_make(test, SOCK_RDM);
		KUNIT_ASSERT_EQ(test, socket_connect(f->to[i], "/kunit/list"),
				0);
	}
}

static void make_routes(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct weir_owner *o = &weir_sk(f->asks->sk)->owner;
	struct weir_route *route;
	char name[] = "/kunit/list/0";
	int i;

	for (i = 0; i < ROUTES; i++, name[sizeof(name) - 2]++) {
		mutex_lock(&o->wn->lock);
		route = weir_route_obtain(o, name, sizeof(name) - 1,
					  WEIR_USE_CONTROL);
		mutex_unlock(&o->wn->lock);
		KUNIT_ASSERT_FALSE(test, IS_ERR(route));
		f->routes[i] = route;
	}
}

static void end_route(struct fixture *f, int i)
{
	mutex_lock(&net(f)->lock);
	if (f->routes[i])
		weir_route_tidy(f->routes[i]);
	f->routes[i] = NULL;
	mutex_unlock(&net(f)->lock);
}

/* Lists what is behind @after. Returns how many there are, with their ids. */
static int list(struct kunit *test, step_fn *step, unsigned long after)
{
	struct fixture *f = test->priv;
	struct weir_list_ctx ctx = {
		.ws = weir_sk(f->asks->sk),
		.all = true,
		.entry = &f->entry,
	};
	enum weir_list_found found;
	unsigned long id = after, last;
	int n = 0;

	for (;;) {
		last = id;
		found = step(&ctx, &id);
		if (found == WEIR_FOUND_END)
			return n;
		/* else a list would not come to its end */
		KUNIT_ASSERT_GT(test, id, last);
		if (found != WEIR_FOUND_ENTRY)
			continue;
		KUNIT_ASSERT_LT(test, n, IDS);
		/* the caller goes on behind this */
		KUNIT_EXPECT_EQ(test, step == weir_list_route ?
				      f->entry.route.id : f->entry.list.id,
				(u64)id);
		f->ids[n++] = id;
	}
}

/* Of a list of @n: the part behind each id is what the whole list has there. */
static void expect_parts(struct kunit *test, step_fn *step, int n)
{
	struct fixture *f = test->priv;
	u64 all[IDS];
	int i;

	KUNIT_ASSERT_EQ(test, list(test, step, 0), n);
	memcpy(all, f->ids, sizeof(all));
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, list(test, step, all[i]), n - 1 - i);
		KUNIT_EXPECT_EQ(test, memcmp(f->ids, all + i + 1,
					     (n - 1 - i) * sizeof(*all)), 0);
		/* as after an object that has gone */
		KUNIT_EXPECT_EQ(test, list(test, step, all[i] - 1), n - i);
	}
	KUNIT_EXPECT_EQ(test, list(test, step, ULONG_MAX), 0);
}

static void list_stream__goes_on_behind_an_id(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 second;

	make_streams(test);
	expect_parts(test, weir_list_stream, PUBLISHERS);
	list(test, weir_list_stream, 0);
	second = f->ids[1];
	KUNIT_EXPECT_STREQ(test, f->entry.list.name, "/kunit/list");
	KUNIT_EXPECT_EQ(test, f->entry.list.count, SUBSCRIBERS);
	/* rings of sockets have their order */
	socket_release(&f->from[1], 1);
	socket_release(f->to, SUBSCRIBERS);
	KUNIT_EXPECT_TRUE(test, socket_rings_left(net(f), PUBLISHERS - 1));
	KUNIT_EXPECT_EQ(test, list(test, weir_list_stream, second), 1);
	KUNIT_EXPECT_EQ(test, list(test, weir_list_stream, 0), PUBLISHERS - 1);
}

static void list_cursor__goes_on_behind_an_id(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 middle;

	KUNIT_EXPECT_EQ(test, list(test, weir_list_cursor, 0), 0);
	make_streams(test);
	expect_parts(test, weir_list_cursor, PUBLISHERS * SUBSCRIBERS);
	list(test, weir_list_cursor, 0);
	middle = f->ids[PUBLISHERS * SUBSCRIBERS / 2];
	/* the cursor in the middle of each ring */
	socket_release(&f->to[1], 1);
	KUNIT_EXPECT_EQ(test, list(test, weir_list_cursor, 0),
			PUBLISHERS * (SUBSCRIBERS - 1));
	KUNIT_EXPECT_EQ(test, list(test, weir_list_cursor, middle),
			PUBLISHERS * (SUBSCRIBERS - 1) / 2);
	/* all of the first ring, which stays */
	socket_release(f->to, SUBSCRIBERS);
	KUNIT_EXPECT_EQ(test, list(test, weir_list_cursor, 0), 0);
}

static void list_route__goes_on_behind_an_id(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 second;

	KUNIT_EXPECT_EQ(test, list(test, weir_list_route, 0), 0);
	make_routes(test);
	/* paths without a route are between them */
	make_streams(test);
	expect_parts(test, weir_list_route, ROUTES);
	list(test, weir_list_route, 0);
	second = f->ids[1];
	end_route(f, 1);
	KUNIT_EXPECT_EQ(test, list(test, weir_list_route, second), ROUTES - 2);
	end_route(f, 2);
	KUNIT_EXPECT_EQ(test, list(test, weir_list_route, second), ROUTES - 3);
	KUNIT_EXPECT_EQ(test, list(test, weir_list_route, 0), ROUTES - 2);
}

static int list_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->asks = socket_make(test, SOCK_RDM);
	test->priv = f;
	return 0;
}

static void list_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	if (!f)
		return;
	for (i = 0; i < ROUTES; i++)
		end_route(f, i);
	socket_release(f->from, PUBLISHERS);
	socket_release(f->to, SUBSCRIBERS);
	socket_rings_left(net(f), 0);
	sock_release(f->asks);
}

static struct kunit_case list_cases[] = {
	KUNIT_CASE(list_stream__goes_on_behind_an_id),
	KUNIT_CASE(list_cursor__goes_on_behind_an_id),
	KUNIT_CASE(list_route__goes_on_behind_an_id),
	{}
};

static struct kunit_suite list_suite = {
	.name = "weir_list",
	.init = list_test_init,
	.exit = list_test_exit,
	.test_cases = list_cases,
};

kunit_test_suites(&list_suite);
