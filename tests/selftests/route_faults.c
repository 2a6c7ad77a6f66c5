// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that runs out within one call: for every n the n-th allocation of a
 * control call, of serving, of a handle and of a send by name fails. The call
 * says so, nothing of it is done, and the same call made again works; or it did
 * without that memory, and is done whole. Then requests and replies: whatever
 * the n-th allocation was for, there is one answer. Needs a kernel with fault
 * injection and debugfs.
 */
#include "routed.h"

#define DEBUG_DIR	"/sys/kernel/debug/"
#define NTH_MAX		2000
#define OPS_MAX		8
#define TARGETS		3

/* --- the n-th allocation ---------------------------------------------------- */

static int nth_fd = -1;

/* From now on, in this thread: its n-th allocation fails; 0: none. */
static void nth_arm(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	need(pwrite(nth_fd, text, (size_t)len, 0) == len, "fail-nth");
}

/* Ends that. False when there were fewer. */
static bool nth_failed(void)
{
	char text[16] = "";

	need(pread(nth_fd, text, sizeof(text) - 1, 0) > 0, "fail-nth");
	nth_arm(0);
	return atoi(text) == 0;
}

static bool nth_begin(void)
{
	static const char *const files[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/cache-filter", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
	};
	char path[128];
	size_t i;

	if (access(DEBUG_DIR "failslab", F_OK))
		return false;
	/* what one kernel does not have another does not need */
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), DEBUG_DIR "%s", files[i][0]);
		tap_write_file(path, files[i][1]);
	}
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth_fd >= 0;
}

/* --- what there is ---------------------------------------------------------- */

/**
 * struct state - all that a call may change; numbers of targets left out, as
 * they are new when something is done again
 */
struct state {
	struct counters counters;
	uint32_t nroutes, ntargets;
	struct {
		char			path[WEIR_PATH_MAX + 1];
		uint32_t		set, targets;
		struct weir_route_conf	conf;
	} routes[16];
	struct {
		char		path[WEIR_PATH_MAX + 1];
		uint32_t	weight, breaker;
	} targets[16];
};

static void state_take(struct state *st)
{
	struct weir_target_entry *t;
	struct weir_route_entry *r;
	uint32_t i;

	memset(st, 0, sizeof(*st));
	r = routes(&st->nroutes);
	need(st->nroutes <= 16, "few routes");
	for (i = 0; i < st->nroutes; i++) {
		strcpy(st->routes[i].path, r[i].path);
		st->routes[i].set = r[i].set;
		st->routes[i].targets = r[i].targets;
		st->routes[i].conf = r[i].conf;
	}
	t = targets(&st->ntargets);
	need(st->ntargets <= 16, "few targets");
	for (i = 0; i < st->ntargets; i++) {
		strcpy(st->targets[i].path, t[i].path);
		st->targets[i].weight = t[i].weight;
		st->targets[i].breaker = t[i].breaker;
	}
	st->counters = counters();
}

/* But for what is counted: a socket may keep rings that it has got. */
static bool state_like(const struct state *want)
{
	static struct state now;

	state_take(&now);
	now.counters = want->counters;
	return !memcmp(&now, want, sizeof(now));
}

static bool state_same(const struct state *want)
{
	return state_like(want) && counters_same(&want->counters);
}

/* --- calls ------------------------------------------------------------------ */

/**
 * struct step - a call, made with every allocation failing in its turn
 * @name: for the results.
 * @ops, @n: changes of a control call,
 * @undo, @nundo: and those that take them back.
 * @call: or what a new socket does each time.
 * @before: what it does before that.
 */
struct step {
	const char *name;
	struct weir_route_op ops[OPS_MAX], undo[OPS_MAX];
	uint32_t n, nundo;
	int (*call)(int fd);
	int (*before)(int fd);
};

static int step_run(const struct step *step, int fd)
{
	return step->call ? step->call(fd) :
	       control_by(list_fd, step->ops, step->n, NULL);
}

/* A socket of its own, if it takes one. */
static int step_begin(const struct step *step)
{
	int fd;

	if (!step->call)
		return -1;
	fd = tap_socket(SOCK_RDM);
	/* no more pages than need be */
	need(!raw_set(fd, WEIR_SO_RING_BYTES, 4096) &&
	     !raw_set(fd, WEIR_SO_INBOX_BYTES, 4096), "rings");
	need(!step->before || !step->before(fd), "%s: before it", step->name);
	return fd;
}

static void step_undo(const struct step *step, int fd)
{
	if (step->call)
		close(fd);
	else
		need(!control_by(list_fd, step->undo, step->nundo, NULL),
		     "%s: undo: %s", step->name, tap_words(list_fd));
}

static void step_test(const struct step *step)
{
	static struct state idle, before, after;
	int n, fd, ret, refused = 0, without = 0;
	const char *wrong = NULL;

	state_take(&idle);
	fd = step_begin(step);
	state_take(&before);
	need(!step_run(step, fd), "%s: %s", step->name,
	     tap_words(fd < 0 ? list_fd : fd));
	state_take(&after);
	step_undo(step, fd);
	need(soon(state_same(&idle)), "%s: can be undone", step->name);
	for (n = 1; n < NTH_MAX && !wrong; n++) {
		bool failed;

		fd = step_begin(step);
		nth_arm(n);
		ret = step_run(step, fd);
		failed = nth_failed();
		if (!failed && ret)
			wrong = "an error without a reason";
		else if (ret && ret != -ENOMEM)
			wrong = "another error";
		else if (ret && !soon(state_like(&before)))
			wrong = "something was done";
		else if (ret && step_run(step, fd))
			wrong = "the next try fails";
		else if (!soon(state_like(&after)))
			wrong = "not all was done";
		refused += !!ret;
		without += !ret && failed;
		step_undo(step, fd);
		if (!failed)
			break;
	}
	if (!wrong && !soon(state_same(&idle)))
		wrong = "something is left";
	/* each failed, and was told or made up for */
	check(!wrong && n > 1 && refused + without == n - 1 && n < NTH_MAX,
	      "%s: %d allocations, %d refused, %d done without (%s)",
	      step->name, n - 1, refused, without, wrong ? wrong : "good");
	if (wrong)
		note("at %d: %d", n, ret);
}

static int serve_path(int fd, const char *path)
{
	struct weir_ioc_serve s = { .size = sizeof(s), .weight = 1 };

	strcpy(s.path, path);
	return ioctl(fd, WEIR_IOC_SERVE, &s) ? -errno : 0;
}

static int call_path(int fd, const char *path)
{
	struct weir_ioc_call c = { .size = sizeof(c) };

	strcpy(c.path, path);
	return ioctl(fd, WEIR_IOC_CALL, &c) ? -errno : 0;
}

static int serve_first(int fd)
{
	return serve_path(fd, "/flt/serve");
}

static int serve_second(int fd)
{
	return serve_path(fd, "/flt/serve2");
}

static int serve_beside(int fd)
{
	return serve_path(fd, "/flt/r");
}

static int serve_plain(int fd)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, "/flt/plain", 10) ?
	       -errno : 0;
}

static int call_first(int fd)
{
	return call_path(fd, "/flt/r");
}

static int call_second(int fd)
{
	return call_path(fd, "/flt/none");
}

static int send_named(int fd)
{
	struct sockaddr_weir addr;
	socklen_t len = tap_addr(&addr, "/flt/named");
	ssize_t ret = sendto(fd, "x", 1, MSG_DONTWAIT,
			     (struct sockaddr *)&addr, len);

	return ret == 1 ? 0 : -errno;
}

static const struct weir_route_conf everything = {
	QUIET,
	.rate = 1000000, .burst = 1000, .bulkhead = 1000,
	.mirror_permille = 10, .mirror = "/flt/mirror",
	.breaker_window_ns = SECOND, .breaker_open_ns = SECOND,
	.breaker_min_calls = 100, .breaker_error_percent = 50,
	.breaker_probes = 1,
	.retries = 2, .retry_base_ns = MS, .retry_max_ns = MS,
	.dup_window_ns = SECOND,
	.fallback_len = 6, .fallback_reply = (uintptr_t)"canned",
};

static struct weir_route_op set_op(const char *path,
				   const struct weir_route_conf *conf)
{
	struct weir_route_op op = route_op(WEIR_OP_ROUTE_SET, path, "", 0, 0);

	op.conf = *conf;
	return op;
}

static void calls(void)
{
	static const struct {
		const char *name;
		int (*call)(int fd), (*before)(int fd);
	} cases[] = {
		{ "the first path is served", serve_first, NULL },
		{ "a second path", serve_second, serve_first },
		{ "a path that others serve", serve_beside, NULL },
		{ "a path is served by an option", serve_plain, NULL },
		{ "the first handle", call_first, NULL },
		{ "a handle of a path that nobody serves", call_second,
		  call_first },
		{ "a server gets a handle", call_first, serve_first },
		{ "a message is sent by name", send_named, NULL },
	};
	struct weir *s = server("/flt/r", 1), *named = server("/flt/named", 1);
	struct step step;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		step = (struct step){
			.name = cases[i].name,
			.call = cases[i].call,
			.before = cases[i].before,
		};
		step_test(&step);
		drain(named);
	}
	weir_close(s);
	weir_close(named);
	check_routes_gone("calls");
}

static const struct weir_route_conf with_fallback = {
	QUIET, .fallback = "/flt/behind",
};

/* Tries one change and its opposite, then leaves things as they were. */
static void change_test(const char *name, struct weir_route_op op,
			struct weir_route_op undo)
{
	struct step step = {
		.name = name, .n = 1, .nundo = 1,
		.ops = { op }, .undo = { undo },
	};

	step_test(&step);
}

static void new_routes(void)
{
	struct weir_route_op undo = route_op(WEIR_OP_ROUTE_DEL, "/flt/new",
					     "", 0, 0);

	change_test("a route is set", set_op("/flt/new", &quiet), undo);
	change_test("one with all guards", set_op("/flt/new", &everything), undo);
	change_test("one with another behind it",
		    set_op("/flt/new", &with_fallback), undo);
}

/* Settings of a route that is served. */
static void new_settings(void)
{
	static const char *const policies[] = {
		"any", "weighted", "shard", "primary", "all", "quorum",
	};
	struct weir_route_op undo = set_op("/flt/r", &quiet);
	struct weir_route_conf conf = quiet;
	char name[64];
	uint32_t i;

	change_test("all guards for one that is served",
		    set_op("/flt/r", &everything), undo);
	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		snprintf(name, sizeof(name), "policy %s", policies[i]);
		conf.policy = i;
		/* so that it is not the same one */
		conf.timeout_ns = SECOND;
		change_test(name, set_op("/flt/r", &conf), undo);
	}
}

/* @id: of a socket that serves the route. */
static void new_targets(uint64_t id)
{
	struct weir_route_op add, del;

	add = route_op(WEIR_OP_TARGET_ADD, "/flt/r", "/flt/t", 0, 1);
	del = route_op(WEIR_OP_TARGET_DEL, "/flt/r", "/flt/t", 0, 0);
	change_test("a path becomes a target", add, del);
	need(!control(&add, 1), "add");
	change_test("it is taken away", del, add);
	need(!control(&del, 1), "del");
	change_test("a weight",
		    route_op(WEIR_OP_TARGET_SET, "/flt/r", "", id, 7),
		    route_op(WEIR_OP_TARGET_SET, "/flt/r", "", id, 1));
	change_test("a breaker is forced open",
		    route_op(WEIR_OP_BREAKER, "/flt/r", "", id, WEIR_FORCE_OPEN),
		    route_op(WEIR_OP_BREAKER, "/flt/r", "", id, WEIR_FORCE_AUTO));
}

static void many_changes(uint64_t id)
{
	struct step step = {
		.name = "six changes at once", .n = 6, .nundo = 5,
		.ops = {
			set_op("/flt/a", &everything),
			set_op("/flt/r", &with_fallback),
			route_op(WEIR_OP_TARGET_ADD, "/flt/r", "/flt/a", 0, 1),
			route_op(WEIR_OP_TARGET_ADD, "/flt/b", "/flt/c", 0, 1),
			route_op(WEIR_OP_TARGET_SET, "/flt/r", "", id, 3),
			route_op(WEIR_OP_TARGET_SET, "/flt/b", "/flt/c", 0, 2),
		},
		.undo = {
			set_op("/flt/r", &quiet),
			route_op(WEIR_OP_TARGET_DEL, "/flt/r", "/flt/a", 0, 0),
			route_op(WEIR_OP_TARGET_DEL, "/flt/b", "/flt/c", 0, 0),
			route_op(WEIR_OP_ROUTE_DEL, "/flt/a", "", 0, 0),
			route_op(WEIR_OP_TARGET_SET, "/flt/r", "", id, 1),
		},
	};

	step_test(&step);
}

static void controls(void)
{
	struct weir *s[TARGETS];
	uint64_t id = 0;
	uint32_t i;

	new_routes();
	route_quiet("/flt/r");
	for (i = 0; i < TARGETS; i++)
		s[i] = server_of("/flt/r", 1, 4096, &id);
	new_settings();
	new_targets(id);
	change_test("settings are deleted",
		    route_op(WEIR_OP_ROUTE_DEL, "/flt/r", "", 0, 0),
		    set_op("/flt/r", &quiet));
	many_changes(id);
	for (i = 0; i < TARGETS; i++)
		weir_close(s[i]);
	need(!route_del("/flt/r"), "del");
	check_routes_gone("controls");
}

/* --- requests and replies ---------------------------------------------------- */

/**
 * struct asked - how it goes with memory running out in one place
 * @wrong: what went wrong; NULL: nothing.
 * @good: answers by a target, or by the route's own reply.
 * @refused: by the router.
 */
struct asked {
	const char *wrong;
	uint32_t good, refused;
};

/* The answers to one request, and that there are no others. */
static void answers(struct asked *a, struct weir *c, struct weir **s, uint32_t n,
		    uint32_t tag, bool several)
{
	struct outcome o;
	bool refused = false;
	uint32_t i;

	do {
		/* the target that has it answers, and what was not sent is */
		if (!soon(({
			for (i = 0; i < n; i++) {
				serve_all(s[i], WEIR_KIND_REPLY);
				weir_flush(s[i]);
			}
			weir_flush(c);
			outcome_now(c, &o);
		}))) {
			a->wrong = "no answer";
			return;
		}
		if (o.tag != tag) {
			a->wrong = "another's answer";
			return;
		}
		refused |= o.fault.reason != 0;
		if (o.fault.reason && o.fault.reason != WEIR_REASON_NO_MEMORY) {
			note("reason %s", weir_reason_name(o.fault.reason));
			a->wrong = "for another reason";
			return;
		}
	} while (several && o.flags & WEIR_REC_MORE);
	if (refused)
		a->refused++;
	else
		a->good++;
	for (i = 0; i < n; i++)
		serve_all(s[i], WEIR_KIND_REPLY);
	if (drain(c))
		a->wrong = "a second answer";
	else if (!soon(!in_flight_count()))
		a->wrong = "something is left in flight";
}

/* Memory fails where the request is sent, or where its answer is. */
static void requests(const char *name, const struct weir_route_conf *conf,
		     bool reply, struct weir_call call)
{
	bool several = conf->policy == WEIR_POLICY_ALL;
	struct asked a = { .wrong = NULL };
	struct weir *s[TARGETS], *c;
	struct counters idle;
	uint32_t i;
	int n;

	idle = counters();
	need(!route_set("/flt/ask", conf), "route");
	for (n = 1; n < NTH_MAX && !a.wrong; n++) {
		bool failed;

		for (i = 0; i < TARGETS; i++)
			s[i] = server("/flt/ask", 1);
		c = handle(0, 0);
		call.route = route_of(c, "/flt/ask");
		call.tag = (uint32_t)n;
		if (call.dup)
			call.dup = (uint64_t)n;
		need(!request(c, &call, "ask", 3), "request");
		if (!reply)
			nth_arm(n);
		weir_flush(c);
		if (!reply) {
			failed = nth_failed();
		} else {
			struct weir_ticket ticket;
			struct weir_buf buf = { 0 };
			struct weir_msg msg = { 0 };

			for (i = 0; i < TARGETS && weir_peek(s[i], &msg) != 1;)
				i++;
			need(i < TARGETS, "somebody has it");
			ticket = weir_ticket(&msg);
			weir_release(s[i], &msg);
			need(!weir_reply_claim(s[i], &ticket, 3, &buf), "claim");
			memcpy(buf.data, "yes", 3);
			weir_reply_commit_more(s[i], &ticket, WEIR_KIND_REPLY, 0,
					       &buf);
			nth_arm(n);
			weir_flush(s[i]);
			failed = nth_failed();
		}
		answers(&a, c, s, TARGETS, call.tag, several);
		/* and the next one is answered well */
		if (!a.wrong) {
			uint32_t refused = a.refused;

			call.tag = NTH_MAX + (uint32_t)n;
			if (call.dup)
				call.dup = call.tag;
			ask_for(c, &call, "ask", 3);
			answers(&a, c, s, TARGETS, call.tag, several);
			if (!a.wrong && a.refused != refused)
				a.wrong = "the next one is refused";
		}
		weir_close(c);
		for (i = 0; i < TARGETS; i++)
			weir_close(s[i]);
		if (!failed)
			break;
	}
	need(!route_del("/flt/ask"), "del");
	check(!a.wrong && n < NTH_MAX,
	      "%s, %s: %d allocations, %u answered, %u refused (%s)", name,
	      reply ? "answered" : "sent", n - 1, a.good, a.refused,
	      a.wrong ? a.wrong : "good");
	if (a.wrong)
		note("at %d", n);
	check(soon(counters_same(&idle)), "and nothing is left");
}

static void asking(void)
{
	const struct {
		const char *name;
		struct weir_route_conf conf;
		struct weir_call call;
	} cases[] = {
		{ "a request", { QUIET }, { 0 } },
		{ "one that may be sent again",
		  { QUIET, .retries = 2, .retry_base_ns = MS,
		    .retry_max_ns = MS }, { .flags = WEIR_REC_IDEMPOTENT } },
		{ "one to all", { QUIET, .policy = WEIR_POLICY_ALL }, { 0 } },
		{ "one to a quorum",
		  { QUIET, .policy = WEIR_POLICY_QUORUM, .quorum = 2 }, { 0 } },
		{ "one with a key",
		  { QUIET, .dup_window_ns = 600 * SECOND }, { .dup = 1 } },
		{ "one by shard", { QUIET, .policy = WEIR_POLICY_SHARD },
		  { .key = 5 } },
		{ "one with a copy",
		  { QUIET, .mirror_permille = 1000, .mirror = "/flt/shadow" },
		  { 0 } },
	};
	struct weir *shadow = server("/flt/shadow", 1);
	size_t i;

	for (i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		requests(cases[i / 2].name, &cases[i / 2].conf, i & 1,
			 cases[i / 2].call);
		drain(shadow);
	}
	weir_close(shadow);
	check_routes_gone("asking");
}

int main(void)
{
	struct counters idle, before;
	long long objects;

	hard_begin();
	if (!nth_begin())
		tap_skip_all("no fault injection (fail-nth) in this kernel");
	idle = counters();
	/* what a refused call leaves charged adds up to more than this */
	objects = tap_stat("tunables/user_objects_max");
	need(!tap_tune("user_objects_max", 200), "user_objects_max");
	/* one socket for all that is looked at or set */
	list_fd = tap_socket(SOCK_RDM);
	before = counters();
	part(calls);
	check_counters(&before);
	part(controls);
	check_counters(&before);
	part(asking);
	check_counters(&before);
	close(list_fd);
	list_fd = -1;
	need(!tap_tune("user_objects_max", objects), "user_objects_max");
	check_counters(&idle);
	check_kernel();
	return tap_done();
}
