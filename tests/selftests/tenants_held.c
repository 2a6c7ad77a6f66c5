// SPDX-License-Identifier: GPL-2.0
/*
 * How long one call of an ordinary user holds the lock that all names need:
 * changes to the largest routes that there may be, names below as many patterns,
 * edges of the largest graph, sockets that serve and close, and lists. One change
 * is made, whatever its route is like; of changes that are too much work for one
 * call none is made, and names go on.
 *
 * Where tests/holds measures the lock and time is counted instructions, each
 * call has a limit. A call of an administrator has none and is only shown: all
 * its changes are made or none, nobody may see some of them, and whoever looks at
 * names would.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define HOLDS		"/sys/kernel/debug/weir_holds"
#define HOLD_MAX_NS	100000
#define LATE_MAX_NS	1000000
#define ROUTES		(WEIR_OPS_USER_MAX + 1)
#define BEFORE		764	/* routes before one: few more are the most */
#define BEHIND		505	/* and behind one that has some before it */
#define DEPTH		16

/**
 * struct shared - what the sleeper tells
 * @ready: it is at work.
 * @stop: it is to end.
 * @late_ns: by how much it woke too late, at most.
 */
struct shared {
	int ready;
	int stop;
	uint64_t late_ns;
};

static struct shared *shared;
static struct weir_route_op ops[WEIR_OPS_MAX];
static int fd, holds = -1, targets = WEIR_TARGETS_MAX;
static unsigned long long longest;	/* of all that are judged */
static bool wide;	/* names are as long as they may be */

/* --- measuring ------------------------------------------------------------ */

static void begin(void)
{
	if (holds >= 0 && write(holds, "begin", 5) != 5)
		tap_bail(HOLDS);
}

/* The longest hold since begin(), in instructions. */
static unsigned long long held(void)
{
	unsigned long long ns;
	char text[4096];
	ssize_t n;

	n = pread(holds, text, sizeof(text) - 1, 0);
	if (n < 0)
		tap_bail(HOLDS);
	text[n] = '\0';
	return sscanf(text, "%llu", &ns) == 1 ? ns : 0;
}

static void judge(const char *what)
{
	unsigned long long ns;

	if (holds < 0)
		return;
	ns = held();
	longest = ns > longest ? ns : longest;
	tap_ok(ns <= HOLD_MAX_NS,
	       "%s%s: the lock is held for at most %d instructions: %llu",
	       what, wide ? ", long names" : "", HOLD_MAX_NS, ns);
}

/* What follows is done by this user. */
static void become(uid_t uid)
{
	if (seteuid(0) || setegid(uid) || seteuid(uid))
		tap_bail("seteuid");
}

/* --- changes -------------------------------------------------------------- */

/* Names of 255 bytes differ at their ends. */
static void name(char *path, const char *what, int i)
{
	int n = snprintf(path, WEIR_PATH_MAX + 1, "/held/%s/%s/", what,
			 wide ? "w" : "n");

	if (wide) {
		memset(path + n, 'x', WEIR_PATH_MAX - 4 - n);
		n = WEIR_PATH_MAX - 4;
	}
	snprintf(path + n, 5, "%04u", i % 10000U);
}

static struct weir_route_op *change(int n, uint32_t op, const char *from, int i,
				    const char *to, int k)
{
	memset(&ops[n], 0, sizeof(*ops));
	ops[n].op = op;
	ops[n].weight = 1 + n % 100;
	name(ops[n].path, from, i);
	if (to)
		name(ops[n].target_path, to, k);
	return &ops[n];
}

static int call(int n)
{
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(*ops), .count = n,
		.ops = (uintptr_t)ops,
	};

	return ioctl(fd, WEIR_IOC_CONTROL, &ctl) ? errno : 0;
}

/* Makes as many of the first @n changes as one call takes; how many, or 0. */
static int most(int n)
{
	int err;

	while ((err = call(n)) == E2BIG && n > 1)
		n--;
	if (err)
		tap_diag("%s: %s", ops[0].path, tap_words(fd));
	return err ? 0 : n;
}

/* Such a call of a user; how many are made. */
static int measure(const char *what, int n)
{
	int done;

	become(TENANT_ATTACKER);
	begin();
	done = most(n);
	become(0);
	tap_ok(done > 0, "%s%s: %d of %d changes are made by one call", what,
	       wide ? ", long names" : "", done, n);
	judge(what);
	return done;
}

/* One change of a user that is not measured. */
static int quietly(uint32_t op, const char *from, int i, const char *to, int k)
{
	int err;

	change(0, op, from, i, to, k);
	become(TENANT_ATTACKER);
	err = call(1);
	become(0);
	return err;
}

/* --- routes of many targets ----------------------------------------------- */

/* Each gets all that it may have, many at a time. */
static void fill(void)
{
	int route, i, n, done;

	for (route = 0; route < ROUTES; route++) {
		become(TENANT_ATTACKER);
		begin();
		for (i = 0, done = 1; done && i < targets; i += done) {
			for (n = 0; n < WEIR_OPS_USER_MAX && i + n < targets; n++)
				change(n, WEIR_OP_TARGET_ADD, "large", route,
				       "small", i + n);
			done = most(n);
		}
		become(0);
		tap_is(i, targets, "a route gets all its targets");
		judge("targets are added");
	}
}

static void weights(void)
{
	int i;

	change(0, WEIR_OP_TARGET_SET, "large", 0, "small", targets - 1);
	measure("one weight", 1);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_SET, "large", 0, "small",
		       targets - 1 - i);
	measure("weights of one route", WEIR_OPS_USER_MAX);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_SET, "large", i, "small", targets - 1);
	i = measure("weights of several routes", WEIR_OPS_USER_MAX);
	tap_ok(targets < WEIR_TARGETS_MAX || i < WEIR_OPS_USER_MAX,
	       "of as many large routes, they are too much work");
}

static void come_and_go(void)
{
	int i;

	change(0, WEIR_OP_TARGET_DEL, "large", 0, "small", targets - 1);
	measure("one target goes", 1);
	change(0, WEIR_OP_TARGET_ADD, "large", 0, "small", targets - 1);
	measure("one target comes", 1);
	change(0, WEIR_OP_TARGET_DEL, "large", 0, "small", targets - 1);
	measure("one target goes", 1);
	change(0, WEIR_OP_TARGET_ADD, "large", 0, "fresh", 0);
	measure("one with a new name comes", 1);
	change(0, WEIR_OP_TARGET_DEL, "large", 0, "fresh", 0);
	measure("it goes, and its name", 1);
	change(0, WEIR_OP_TARGET_ADD, "large", 0, "small", targets - 1);
	measure("one target comes", 1);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_DEL, "large", 0, "small",
		       targets - 1 - i);
	measure("targets of one route go", WEIR_OPS_USER_MAX);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		quietly(WEIR_OP_TARGET_ADD, "large", 0, "small",
			targets - 1 - i);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_DEL, "large", i, "small",
		       targets - 1);
	measure("targets of several routes go", WEIR_OPS_USER_MAX);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		quietly(WEIR_OP_TARGET_ADD, "large", i, "small", targets - 1);
}

/* The last change of a call is wrong: those before it are undone. */
static void undone(void)
{
	int i, n, err = E2BIG;

	become(TENANT_ATTACKER);
	begin();
	for (n = WEIR_OPS_USER_MAX; err == E2BIG && n > 1; n--) {
		for (i = 0; i < n - 1; i++)
			change(i, WEIR_OP_TARGET_DEL, "large", 0, "small", i);
		change(i, WEIR_OP_TARGET_DEL, "large", 0, "none", 0);
		err = call(n);
	}
	become(0);
	tap_is(err, ENOENT, "a call with a wrong change is refused");
	judge("changes are undone");
}

static void set_policy(uint32_t op, uint32_t policy)
{
	int i;

	for (i = 0; i < ROUTES; i++) {
		change(0, op, "large", i, NULL, 0)->conf.policy = policy;
		if (call(1))
			tap_bail("policy %u: %s", policy, tap_words(fd));
	}
}

static void policies(void)
{
	uint32_t policy;

	for (policy = 0; policy < WEIR_POLICY_ALL; policy++) {
		begin();
		set_policy(WEIR_OP_ROUTE_SET, policy);
		if (holds >= 0)
			tap_diag("an administrator sets policy %u: %llu",
				 policy, held());
		weights();
		undone();
		come_and_go();
	}
	set_policy(WEIR_OP_ROUTE_DEL, 0);
}

/* --- names ---------------------------------------------------------------- */

static void fresh(void)
{
	int i;

	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_ADD, "new", i, "newer", i);
	measure("new names", WEIR_OPS_USER_MAX);
	change(0, WEIR_OP_TARGET_ADD, "new", 10, "newer", 10);
	measure("two new names", 1);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_ADD, "new", 10, "newer", 20 + i);
	measure("targets of new names", WEIR_OPS_USER_MAX);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++) {
		quietly(WEIR_OP_TARGET_ADD, "new", 20 + i, "newer", i);
		quietly(WEIR_OP_TARGET_ADD, "new", 20 + i, "newest", i);
	}
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_SET, "new", 20 + i, "newer", i);
	measure("weights of small routes", WEIR_OPS_USER_MAX);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_DEL, "new", 20 + i, "newest", i);
	measure("targets of small routes go", WEIR_OPS_USER_MAX);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_DEL, "new", 20 + i, "newer", i);
	measure("small routes go", WEIR_OPS_USER_MAX);
}

/* A name of @DEPTH segments, those of @stars wildcards. */
static void deep(char *path, unsigned int stars, const char *last)
{
	int n = snprintf(path, WEIR_PATH_MAX + 1, "/deep"), i;

	for (i = 2; i < DEPTH; i++)
		n += snprintf(path + n, WEIR_PATH_MAX + 1 - n, "/%s",
			      stars & 1U << i ? "*" : "a");
	snprintf(path + n, WEIR_PATH_MAX + 1 - n, "/%s", last);
}

/* As many patterns as there may be, and then names that all of them share. */
static void patterns(void)
{
	unsigned int stars, n = 0;
	int i;

	become(TENANT_ATTACKER);
	begin();
	for (stars = 0; stars < 1 << DEPTH; stars += stars < 64 ? 1 : 64) {
		change(0, WEIR_OP_TARGET_ADD, "none", 0, "plain", 0);
		deep(ops[0].path, stars, "*");
		n += !call(1);
	}
	become(0);
	tap_ok(n >= 16, "%u patterns are there", n);
	judge("patterns come");
	for (i = 0; i < 4; i++) {
		change(0, WEIR_OP_TARGET_ADD, "none", 0, "none", 0);
		deep(ops[0].path, 0, i & 1 ? "b" : "d");
		deep(ops[0].target_path, 0, i & 1 ? "c" : "e");
		/* the end of a pattern's prefix, too */
		if (i < 2)
			ops[0].path[strlen(ops[0].path) - 2] = '\0';
		measure("two names below patterns", 1);
	}
	for (i = 0; i < WEIR_OPS_USER_MAX; i++) {
		change(i, WEIR_OP_TARGET_ADD, "none", 0, "none", 0);
		deep(ops[i].path, 0, "b");
		deep(ops[i].target_path, 0, "0");
		ops[i].target_path[strlen(ops[i].target_path) - 1] += i;
	}
	measure("names below patterns", WEIR_OPS_USER_MAX);
}

/* --- the graph ------------------------------------------------------------ */

static int edge(const char *what, uint32_t op, const char *from, int i,
		const char *to, int k)
{
	int err;

	change(0, op, from, i, to, k);
	become(TENANT_ATTACKER);
	begin();
	err = call(1);
	become(0);
	judge(what);
	return err;
}

/*
 * As many ways as there may be lead to a hub, and nearly as many from another
 * route, which is to stand behind it.
 */
static void graph(int before, int behind)
{
	int i, n = 0;

	for (i = 0; i < before; i++)
		n += !quietly(WEIR_OP_TARGET_ADD, "before", i, "hub", 0);
	for (i = 0; i < behind; i++)
		n += !quietly(WEIR_OP_TARGET_ADD, "fan", i / 250, "leaf", i);
	for (i = 1; i * 250 < behind; i++)
		n += !quietly(WEIR_OP_TARGET_ADD, "fan", 0, "fan", i);
	tap_is(n, before + behind + (behind - 1) / 250, "a graph is made");
	tap_is(edge("an edge of many ways comes", WEIR_OP_TARGET_ADD, "hub", 0,
		    "fan", 0), 0, "an edge of many ways comes");
	tap_is(edge("an edge of many ways goes", WEIR_OP_TARGET_DEL, "hub", 0,
		    "fan", 0), 0, "and goes");
	/* found when all before the hub have been counted */
	tap_is(quietly(WEIR_OP_TARGET_ADD, "before", before, "before",
		       before - 1), 0, "one chain is longer");
	tap_is(quietly(WEIR_OP_TARGET_ADD, "fan", 1, "fan", 10), 0,
	       "another, too");
	tap_is(edge("too long a chain", WEIR_OP_TARGET_ADD, "hub", 0, "fan", 0),
	       ELOOP, "an edge that makes too long a chain is refused");
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(i, WEIR_OP_TARGET_ADD, "hub", 0, "twig", i);
	measure("edges come", WEIR_OPS_USER_MAX);
	for (i = 1; i <= 4; i++)
		n = edge("a way too many", WEIR_OP_TARGET_ADD, "before",
			 before + i, "hub", 0);
	tap_is(n, before < BEFORE ? 0 : ELOOP,
	       "more ways than there may be are refused");
}

/* --- sockets -------------------------------------------------------------- */

static void serve(void)
{
	static int s[WEIR_TARGETS_MAX];
	struct weir_ioc_serve serve = { .size = sizeof(serve) };
	int i, n = 0;

	name(serve.path, "serve", 0);
	become(TENANT_ATTACKER);
	begin();
	for (i = 0; i < targets; i++) {
		s[i] = tap_socket(SOCK_RDM);
		tap_setopt(s[i], WEIR_SO_RING_BYTES, 4096);
		tap_setopt(s[i], WEIR_SO_INBOX_BYTES, 4096);
		/* each goes before all others */
		serve.weight = i + 1;
		n += !ioctl(s[i], WEIR_IOC_SERVE, &serve);
	}
	tap_is(n, targets, "sockets serve one path");
	judge("sockets serve a path");
	begin();
	for (i = targets; i-- > 0;)
		close(s[i]);
	judge("sockets close");
	become(0);
}

static void lists(void)
{
	static char entry[sizeof(struct weir_route_entry) +
			  sizeof(struct weir_target_entry)];
	uint64_t id = 0;

	begin();
	while (tenant_list_next(fd, WEIR_LIST_ROUTES, entry,
				sizeof(struct weir_route_entry), &id))
		;
	id = 0;
	while (tenant_list_next(fd, WEIR_LIST_TARGETS, entry,
				sizeof(struct weir_target_entry), &id))
		;
	judge("lists of routes and targets");
}

/* Sleeps again and again, before all others: how late it wakes, in ns. */
static int sleeper(void *arg)
{
	struct sched_param first = { .sched_priority = 1 };
	uint64_t begin, late;

	(void)arg;
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		return 1;
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE)) {
		begin = tenant_now_ns();
		usleep(1000);
		late = tenant_now_ns() - begin - 1000000;
		if (late > shared->late_ns)
			shared->late_ns = late;
	}
	return 0;
}

static void administrator_call(const char *what, int want)
{
	begin();
	tap_is(call(WEIR_OPS_MAX), want, what);
	if (holds >= 0)
		tap_diag("%s: %llu", what, held());
}

/* Thousands of changes by one call. */
static void administrator(void)
{
	pid_t pid = tenant_start(0, sleeper, NULL);
	int i;

	if (!tap_until(__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE)))
		tap_bail("nobody sleeps");
	for (i = 0; i < WEIR_OPS_MAX; i++)
		change(i, WEIR_OP_TARGET_SET, "large", i % ROUTES, "small",
		       i / ROUTES % targets);
	administrator_call("an administrator changes weights", 0);
	change(WEIR_OPS_MAX - 1, WEIR_OP_TARGET_SET, "large", 0, "none", 0);
	administrator_call("a wrong change undoes all", ENOENT);
	for (i = 0; i < WEIR_OPS_MAX; i++)
		change(i, WEIR_OP_TARGET_ADD, "more", i / targets, "much", i);
	administrator_call("an administrator adds targets", 0);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(pid), 0, "the sleeper ends");
	if (holds >= 0)
		tap_ok(shared->late_ns <= LATE_MAX_NS,
		       "a processor is given up within %d instructions: %llu",
		       LATE_MAX_NS, (unsigned long long)shared->late_ns);
}

int main(void)
{
	struct rlimit files = { 8192, 8192 };
	int i;

	tap_begin_as_root(250);
	shared = tap_shared(sizeof(*shared));
	if (getenv("WEIR_TEST_ICOUNT"))
		holds = open(HOLDS, O_RDWR);
	if (hard_slow())
		targets = 32;
	setrlimit(RLIMIT_NOFILE, &files);
	setgroups(0, NULL);
	become(TENANT_ATTACKER);
	fd = tap_socket(SOCK_RDM);
	become(0);
	/* how long names are matters where it is measured */
	for (i = 0; i < (holds < 0 ? 1 : 2); i++) {
		wide = i;
		fresh();
		fill();
		policies();
		serve();
	}
	patterns();
	lists();
	wide = true;
	graph(hard_slow() ? 60 : BEFORE, hard_slow() ? 255 : BEHIND);
	wide = false;
	administrator();
	close(fd);
	tenant_routes_end();
	if (holds >= 0)
		tap_diag("longest of all: %llu", longest);
	tap_ok(tap_until(!tap_stat("stats/charged_objects")),
	       "nothing is charged any more");
	return tap_done();
}
