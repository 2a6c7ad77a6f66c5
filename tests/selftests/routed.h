/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of routed messages share: handles that serve and call, a
 * request sent and its answer awaited, control calls. One thread plays caller
 * and target alike, so that each step is seen by itself; tests that need
 * processes make them.
 */
#ifndef WEIR_SELFTEST_ROUTED_H
#define WEIR_SELFTEST_ROUTED_H

#include "hard.h"

#define MS	INT64_C(1000000)
#define SECOND	INT64_C(1000000000)

/* A handle with an inbox of this size; 0: the module's. */
static struct weir *handle(uint32_t ring_bytes, uint32_t inbox_bytes)
{
	struct weir_config c = {
		.ring_bytes = ring_bytes,
		.inbox_bytes = inbox_bytes,
	};
	struct weir *w;

	need(!weir_open(&w, SOCK_RDM, &c), "open: %s", weir_error());
	return w;
}

__attribute__((unused))
static struct weir *server(const char *path, uint32_t weight)
{
	struct weir *w = handle(0, 0);

	need(!weir_serve(w, path, weight, NULL), "serve %s: %s", path,
	     weir_error());
	return w;
}

__attribute__((unused))
static struct weir *caller(const char *path, uint32_t *route)
{
	struct weir *w = handle(0, 0);
	int ret = weir_route(w, path);

	need(ret > 0, "route %s: %s", path, weir_error());
	*route = (uint32_t)ret;
	return w;
}

/* Commits one request; nothing is routed before weir_flush(). */
__attribute__((unused))
static int request(struct weir *w, const struct weir_call *call,
		   const void *data, size_t len)
{
	struct weir_buf buf;
	int err = weir_call_claim(w, call, len, &buf);

	if (err)
		return err;
	memcpy(buf.data, data, len);
	weir_call_commit_more(w, call, &buf);
	return 0;
}

/* The next message, or the end of the test. It is to be released. */
__attribute__((unused))
static struct weir_msg next_message(struct weir *w, const char *who)
{
	struct weir_msg msg;
	int ret = 0;

	need(soon((ret = weir_peek(w, &msg)) != 0), "%s got a message", who);
	need(ret == 1, "%s could read it (%d)", who, ret);
	return msg;
}

/* Answers the next request with its own payload. Its tag, or what to do next. */
__attribute__((unused))
static void echo(struct weir *w)
{
	struct weir_msg msg = next_message(w, "the target");
	struct weir_ticket ticket = weir_ticket(&msg);
	char copy[256];
	size_t len = msg.len < sizeof(copy) ? msg.len : sizeof(copy);

	need(msg.kind == WEIR_KIND_REQUEST, "kind %d is a request", msg.kind);
	memcpy(copy, msg.data, len);
	weir_release(w, &msg);
	need(!weir_reply(w, &ticket, copy, len, WEIR_DONTWAIT), "reply: %s",
	     weir_error());
}

/* Are there messages? How many; they are released. */
__attribute__((unused))
static int drain(struct weir *w)
{
	struct weir_msg msg;
	int n = 0;

	while (weir_peek(w, &msg) == 1) {
		weir_release(w, &msg);
		n++;
	}
	return n;
}

/* The reason of the next answer, which must be the router's; 0 for a reply. */
__attribute__((unused))
static uint32_t answer(struct weir *w, uint32_t tag)
{
	struct weir_msg msg = next_message(w, "the caller");
	struct weir_fault fault = { .reason = 0 };

	if (msg.rec->tag != tag)
		check(false, "the answer is for %u, not %u", msg.rec->tag, tag);
	if (msg.kind == WEIR_KIND_ERROR)
		need(weir_fault_get(&msg, &fault), "a fault of the router's");
	weir_release(w, &msg);
	return fault.reason;
}

/* --- control -------------------------------------------------------------- */

__attribute__((unused))
static int control(const struct weir_route_op *ops, uint32_t n)
{
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl),
		.op_size = sizeof(*ops),
		.count = n,
		.ops = (uintptr_t)ops,
	};
	int fd = tap_socket(SOCK_RDM), err;

	err = ioctl(fd, WEIR_IOC_CONTROL, &ctl) ? -errno : 0;
	if (err)
		tap_diag("change %u: %s", ctl.failed, tap_words(fd));
	close(fd);
	return err;
}

/* Conf of a route; the rest are zeros. */
__attribute__((unused))
static int route_set(const char *path, const struct weir_route_conf *conf)
{
	struct weir_route_op op = { .op = WEIR_OP_ROUTE_SET, .conf = *conf };

	strcpy(op.path, path);
	return control(&op, 1);
}

__attribute__((unused))
static int route_del(const char *path)
{
	struct weir_route_op op = { .op = WEIR_OP_ROUTE_DEL };

	strcpy(op.path, path);
	return control(&op, 1);
}

__attribute__((unused))
static int target_op(uint32_t what, const char *path, const char *target_path,
		     uint64_t target, uint32_t weight)
{
	struct weir_route_op op = {
		.op = what,
		.target = target,
		.weight = weight,
	};

	strcpy(op.path, path);
	strcpy(op.target_path, target_path);
	return control(&op, 1);
}

/* All entries of a kind after one another; how many, at most @room. */
__attribute__((unused))
static uint32_t list(uint32_t kind, void *to, uint32_t entry_size,
		     uint32_t room)
{
	struct weir_ioc_list l = {
		.size = sizeof(l),
		.kind = kind,
		.entry_size = entry_size,
		.count = room,
		.entries = (uintptr_t)to,
	};
	int fd = tap_socket(SOCK_RDM);

	need(!ioctl(fd, WEIR_IOC_LIST, &l), "list: %s", tap_words(fd));
	close(fd);
	return l.count;
}

/* The route of this name; false when there is none. */
__attribute__((unused))
static bool route_get(const char *path, struct weir_route_entry *entry)
{
	static struct weir_route_entry all[256];
	uint32_t n = list(WEIR_LIST_ROUTES, all, sizeof(all[0]), 256), i;

	for (i = 0; i < n; i++) {
		if (!strcmp(all[i].path, path)) {
			*entry = all[i];
			return true;
		}
	}
	return false;
}

__attribute__((unused))
static bool target_get(uint64_t id, struct weir_target_entry *entry)
{
	static struct weir_target_entry all[256];
	uint32_t n = list(WEIR_LIST_TARGETS, all, sizeof(all[0]), 256), i;

	for (i = 0; i < n; i++) {
		if (all[i].id == id) {
			*entry = all[i];
			return true;
		}
	}
	return false;
}

/* Runs a part of a test and says how long it took. */
#define part(run) do {							\
	int64_t begun_ = now_ms();					\
									\
	run();								\
	note("%s: %lld ms", #run, (long long)(now_ms() - begun_));	\
} while (0)

/* --- more steps ------------------------------------------------------------ */

/* A server with an inbox of this size, and its target's number. */
__attribute__((unused))
static struct weir *server_of(const char *path, uint32_t weight,
			      uint32_t inbox_bytes, uint64_t *id)
{
	struct weir *w = handle(0, inbox_bytes);

	need(!weir_serve(w, path, weight, id), "serve %s: %s", path,
	     weir_error());
	return w;
}

__attribute__((unused))
static uint32_t route_of(struct weir *w, const char *path)
{
	int ret = weir_route(w, path);

	need(ret > 0, "route %s: %s", path, weir_error());
	return (uint32_t)ret;
}

__attribute__((unused))
static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* Waits for a time to come: it is the condition itself. */
__attribute__((unused))
static void pass(int64_t ns)
{
	int64_t until = now_ns() + ns;

	while (now_ns() < until)
		usleep(500);
}

/* One request of 8 bytes, its tag twice; the router is told. */
__attribute__((unused))
static void ask_with(struct weir *w, uint32_t route, uint32_t tag, uint32_t key,
		     uint8_t flags)
{
	struct weir_call call = {
		.route = route,
		.tag = tag,
		.key = key,
		.flags = flags,
	};
	uint32_t data[2] = { tag, ~tag };

	need(!request(w, &call, data, sizeof(data)), "request %u: %s", tag,
	     weir_error());
	weir_flush(w);
}

__attribute__((unused))
static void ask(struct weir *w, uint32_t route, uint32_t tag)
{
	ask_with(w, route, tag, 0, 0);
}

/* One-way messages that are lost when there is no room. */
__attribute__((unused))
static void shower(struct weir *w, uint32_t route, uint32_t n)
{
	struct weir_call call = {
		.route = route,
		.flags = WEIR_REC_DROP,
		.one_way = 1,
	};

	while (n--) {
		need(!request(w, &call, "drop", 4), "event");
		weir_flush(w);
	}
}

/* Answers one request, if there is one: with a reply, or with an error. */
__attribute__((unused))
static bool serve_one(struct weir *w, uint8_t kind)
{
	struct weir_ticket ticket;
	struct weir_msg msg;
	char copy[64];
	size_t len;
	int err;

	do {
		if (weir_peek(w, &msg) != 1)
			return false;
		ticket = weir_ticket(&msg);
		len = msg.len < sizeof(copy) ? msg.len : sizeof(copy);
		memcpy(copy, msg.data, len);
		weir_release(w, &msg);
	} while (!weir_ticket_wanted(&ticket));
	err = kind == WEIR_KIND_ERROR ?
	      weir_reply_error(w, &ticket, copy, len, SECOND) :
	      weir_reply(w, &ticket, copy, len, SECOND);
	need(!err, "answer: %s", weir_error());
	return true;
}

__attribute__((unused))
static uint32_t serve_all(struct weir *w, uint8_t kind)
{
	uint32_t n = 0;

	while (serve_one(w, kind))
		n++;
	return n;
}

/**
 * struct outcome - an answer
 * @kind: enum weir_kind; 0: there was none.
 * @flags: of the record.
 * @tag: likewise.
 * @len: bytes of payload.
 * @fault: when the router made it and it is an error.
 */
struct outcome {
	uint8_t			kind;
	uint8_t			flags;
	uint32_t		tag;
	uint32_t		len;
	struct weir_fault	fault;
};

/* The next answer if there is one now. */
__attribute__((unused))
static bool outcome_now(struct weir *w, struct outcome *o)
{
	struct weir_msg msg;
	int ret = weir_peek(w, &msg);

	memset(o, 0, sizeof(*o));
	need(ret >= 0, "the caller reads (%d)", ret);
	if (!ret)
		return false;
	o->kind = msg.kind;
	o->flags = msg.rec->flags;
	o->tag = msg.rec->tag;
	o->len = msg.len;
	weir_fault_get(&msg, &o->fault);
	weir_release(w, &msg);
	return true;
}

/* The next answer; kind 0 when none came in this time. */
__attribute__((unused))
static struct outcome outcome_within(struct weir *w, int64_t ms)
{
	struct outcome o;

	within(ms, outcome_now(w, &o));
	return o;
}

/* The next answer is the router's, for this reason, of this guard. */
__attribute__((format(printf, 5, 6), unused))
static bool refused_by(struct weir *w, uint32_t tag, uint32_t reason,
		       uint32_t guard, const char *format, ...)
{
	struct outcome o = outcome_within(w, 5000);
	char what[160];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (check(o.kind == WEIR_KIND_ERROR && o.flags & WEIR_REC_ROUTER &&
		  o.tag == tag && o.fault.reason == reason &&
		  o.fault.guard == guard, "%s", what))
		return true;
	note("kind %u, flags %#x, tag %u, reason %s, guard %s; want tag %u, %s, %s",
	     o.kind, o.flags, o.tag, weir_reason_name(o.fault.reason),
	     weir_guard_name(o.fault.guard), tag, weir_reason_name(reason),
	     weir_guard_name(guard));
	return false;
}

/* The next answer is a target's reply. */
__attribute__((unused))
static bool replied(struct weir *w, uint32_t tag)
{
	struct outcome o = outcome_within(w, 5000);

	if (o.kind == WEIR_KIND_REPLY && o.tag == tag &&
	    !(o.flags & WEIR_REC_ROUTER))
		return true;
	note("kind %u, flags %#x, tag %u, reason %s, guard %s; want a reply to %u",
	     o.kind, o.flags, o.tag, weir_reason_name(o.fault.reason),
	     weir_guard_name(o.fault.guard), tag);
	return false;
}

/* A target as it is now; all zero once it is gone. */
__attribute__((unused))
static struct weir_target_entry target_now(uint64_t id)
{
	struct weir_target_entry e;

	if (!target_get(id, &e))
		memset(&e, 0, sizeof(e));
	return e;
}

__attribute__((unused))
static struct weir_route_entry route_now(const char *path)
{
	struct weir_route_entry e;

	if (!route_get(path, &e))
		memset(&e, 0, sizeof(e));
	return e;
}

__attribute__((unused))
static uint32_t targets_count(void)
{
	static struct weir_target_entry all[512];

	return list(WEIR_LIST_TARGETS, all, sizeof(all[0]), 512);
}

__attribute__((unused))
static uint32_t routes_count(void)
{
	static struct weir_route_entry all[512];

	return list(WEIR_LIST_ROUTES, all, sizeof(all[0]), 512);
}

/* The end of a part: nobody serves, nothing is set. */
__attribute__((unused))
static void check_routes_gone(const char *what)
{
	check(soon(!targets_count() && !routes_count()),
	      "%s: no target and no route is left (%u, %u)", what,
	      targets_count(), routes_count());
}

/* Percent of one CPU that was busy while nothing is asked for. */
__attribute__((unused))
static double busy_share(int64_t ns)
{
	unsigned long long v[2][8] = { { 0 } }, busy = 0;
	int64_t begun = now_ns();
	int i, k;

	for (k = 0; k < 2; k++) {
		FILE *f = fopen("/proc/stat", "r");

		need(f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu",
				 &v[k][0], &v[k][1], &v[k][2], &v[k][3],
				 &v[k][4], &v[k][5], &v[k][6], &v[k][7]) == 8,
		     "/proc/stat");
		fclose(f);
		if (!k)
			pass(ns);
	}
	for (i = 0; i < 7; i++)
		busy += i == 3 || i == 4 ? 0 : v[1][i] - v[0][i];
	return 100.0 * (double)busy * (double)(SECOND / sysconf(_SC_CLK_TCK)) /
	       (double)(now_ns() - begun);
}

/* Of a kernel that looks over its own shoulder times mean little. */
__attribute__((unused))
static bool slow_kernel(void)
{
	return hard_lockdep() >= 0;
}

/* --- processes that serve and call ----------------------------------------- */

#define CREW_MAX	16
#define CREW_SLOTS	4096	/* a caller's requests in flight */

/**
 * struct crew - what processes of one test tell each other
 * @ready: servers that serve.
 * @calm: callers send no more, wait for their answers and end.
 * @stop: servers end.
 * @fault_ns: a fault was made then; 0: not yet.
 * @victim: the target that it hit.
 * @first_ns: the first good reply of another target after it.
 * @target: what each server has done.
 * @caller: what each caller has seen; faults by reason, of idempotent requests
 *	and of others; @odd: answers to nothing, twice, or damaged.
 */
struct crew {
	int		ready, calm, stop;
	int64_t		fault_ns, first_ns;
	uint32_t	victim;
	struct {
		uint64_t	served;
	} target[CREW_MAX];
	struct {
		uint64_t	sent, good, odd, errors, pending;
		uint64_t	faults[2][WEIR_REASON_MAX];
	} caller[CREW_MAX];
};

/**
 * struct crew_job - one process
 * @number: of the server or caller.
 * @depth: requests that a caller keeps in flight.
 * @nap_us: pause of a caller between two looks.
 * @fail_one_in: of so many requests a server answers one with an error.
 * @several: answers may come with WEIR_REC_MORE.
 */
struct crew_job {
	struct crew	*crew;
	const char	*path;
	uint32_t	number, weight, depth, nap_us, fail_one_in;
	bool		several;
};

/* A request, and, with @target, its reply. */
struct crew_item {
	uint32_t tag, check, caller, target;
};

__attribute__((unused))
static struct crew *crew_make(void)
{
	return shared_memory(sizeof(struct crew));
}

__attribute__((unused))
static uint64_t crew_good(struct crew *c)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < CREW_MAX; i++)
		n += get(&c->caller[i].good);
	return n;
}

/* Faults of idempotent requests or of others, for all reasons. */
__attribute__((unused))
static uint64_t crew_faults(struct crew *c, int idempotent)
{
	uint64_t n = 0;
	int i, k;

	for (i = 0; i < CREW_MAX; i++) {
		for (k = 0; k < WEIR_REASON_MAX; k++)
			n += get(&c->caller[i].faults[idempotent][k]);
	}
	return n;
}

/* Everything but a good reply. */
__attribute__((unused))
static uint64_t crew_bad(struct crew *c)
{
	uint64_t n = crew_faults(c, 0) + crew_faults(c, 1);
	int i;

	for (i = 0; i < CREW_MAX; i++)
		n += get(&c->caller[i].odd) + get(&c->caller[i].errors) +
		     get(&c->caller[i].pending);
	return n;
}

__attribute__((unused))
static void crew_note(struct crew *c, const char *what)
{
	int i, k;

	for (k = 0; k < WEIR_REASON_MAX; k++) {
		uint64_t n[2] = { 0, 0 };

		for (i = 0; i < CREW_MAX; i++) {
			n[0] += get(&c->caller[i].faults[0][k]);
			n[1] += get(&c->caller[i].faults[1][k]);
		}
		if (n[0] || n[1])
			note("%s: %s: %llu, idempotent %llu", what,
			     weir_reason_name((uint32_t)k),
			     (unsigned long long)n[0], (unsigned long long)n[1]);
	}
}

/* Serves a path until it is told to stop. */
__attribute__((unused))
static int crew_serve(void *arg)
{
	struct crew_job *job = arg;
	struct crew *crew = job->crew;
	struct weir_config conf = { .ring_bytes = 1 << 18,
				    .inbox_bytes = 1 << 18 };
	struct weir_msg msg;
	struct weir *w;

	if (weir_open(&w, SOCK_RDM, &conf) ||
	    weir_serve(w, job->path, job->weight, NULL))
		return 20;
	add(&crew->ready, 1);
	while (!get(&crew->stop)) {
		int ret = weir_peek(w, &msg), err;
		struct weir_ticket ticket;
		struct crew_item it;

		if (ret < 0)
			return 21;
		if (!ret) {
			weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, 20 * MS);
			continue;
		}
		ticket = weir_ticket(&msg);
		if (msg.len == sizeof(it))
			memcpy(&it, msg.data, sizeof(it));
		else
			it.tag = 0;
		weir_release(w, &msg);
		it.target = job->number;
		/* counted first: who gets the reply may look at it */
		add(&crew->target[job->number].served, 1);
		if (job->fail_one_in && rnd() % job->fail_one_in == 0)
			err = weir_reply_error(w, &ticket, &it, sizeof(it),
					       10 * SECOND);
		else
			err = weir_reply(w, &ticket, &it, sizeof(it),
					 10 * SECOND);
		if (err && err != -ETIMEDOUT)
			return 22;
	}
	weir_close(w);
	return 0;
}

/* One answer that has come to a caller. */
__attribute__((unused))
static void crew_take(struct crew_job *job, const struct weir_msg *msg,
		      uint32_t *slots, uint32_t *pending)
{
	struct crew *crew = job->crew;
	uint32_t me = job->number, tag = msg->rec->tag;
	uint32_t *slot = &slots[tag % CREW_SLOTS];
	struct weir_fault fault;

	if (*slot != tag + 1 ||
	    (msg->rec->flags & WEIR_REC_MORE && !job->several)) {
		add(&crew->caller[me].odd, 1);
		return;
	}
	if (!(msg->rec->flags & WEIR_REC_MORE)) {
		*slot = 0;
		(*pending)--;
	}
	if (weir_fault_get(msg, &fault)) {
		add(&crew->caller[me].faults[tag & 1][fault.reason %
						      WEIR_REASON_MAX], 1);
	} else if (msg->kind == WEIR_KIND_REPLY || msg->kind == WEIR_KIND_ERROR) {
		struct crew_item it;

		if (msg->rec->flags & WEIR_REC_ROUTER) {
			add(&crew->caller[me].good, 1);	/* the route's own */
			return;
		}
		if (msg->len == sizeof(it))
			memcpy(&it, msg->data, sizeof(it));
		if (msg->len != sizeof(it) || it.tag != tag ||
		    it.check != ~tag || it.caller != me) {
			add(&crew->caller[me].odd, 1);
			return;
		}
		if (msg->kind == WEIR_KIND_ERROR) {
			add(&crew->caller[me].errors, 1);
			return;
		}
		add(&crew->caller[me].good, 1);
		if (get(&crew->fault_ns) && !get(&crew->first_ns) &&
		    it.target != get(&crew->victim))
			put(&crew->first_ns, now_ns());
	} else {
		add(&crew->caller[me].odd, 1);
	}
}

/* Calls a path, odd tags idempotent, until it is to be calm. */
__attribute__((unused))
static int crew_call(void *arg)
{
	static uint32_t slots[CREW_SLOTS];
	struct crew_job *job = arg;
	struct crew *crew = job->crew;
	struct weir_config conf = { .ring_bytes = 1 << 16,
				    .inbox_bytes = 1 << 18 };
	struct crew_item it = { .caller = job->number };
	uint32_t pending = 0, tag = 0, sent;
	struct weir_msg msg;
	struct weir *w;
	int64_t until;
	int route;

	if (weir_open(&w, SOCK_RDM, &conf))
		return 20;
	route = weir_route(w, job->path);
	if (route < 1)
		return 21;
	until = INT64_MAX;
	while (pending || !get(&crew->calm)) {
		for (sent = 0; pending < job->depth && sent < 16 &&
			       !slots[tag % CREW_SLOTS] && !get(&crew->calm);
		     sent++) {
			struct weir_call call = {
				.route = (uint32_t)route,
				.tag = tag,
				.key = tag * 2654435761U,
				.flags = tag & 1 ? WEIR_REC_IDEMPOTENT : 0,
			};

			it.tag = tag;
			it.check = ~tag;
			if (request(w, &call, &it, sizeof(it)))
				break;
			slots[tag % CREW_SLOTS] = tag + 1;
			tag++;
			pending++;
			add(&crew->caller[job->number].sent, 1);
		}
		/* a slot that is still taken is passed over */
		if (slots[tag % CREW_SLOTS])
			tag += 2;
		weir_flush(w);
		while (weir_peek(w, &msg) == 1) {
			crew_take(job, &msg, slots, &pending);
			weir_release(w, &msg);
		}
		if (get(&crew->calm) && until == INT64_MAX)
			until = now_ms() + 15000;
		if (now_ms() > until)
			break;
		if (job->nap_us)
			usleep(job->nap_us);
		if (pending >= job->depth || get(&crew->calm))
			weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, 20 * MS);
	}
	put(&crew->caller[job->number].pending, pending);
	/* nothing may come after the last answer */
	while (weir_peek(w, &msg) == 1) {
		add(&crew->caller[job->number].odd, 1);
		weir_release(w, &msg);
	}
	weir_close(w);
	if (pending)
		return 30;
	return get(&crew->caller[job->number].odd) ? 31 : 0;
}

#endif /* WEIR_SELFTEST_ROUTED_H */
