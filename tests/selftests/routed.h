/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of routed messages share: handles that serve and call,
 * requests and answers, control calls, what the module lists, and processes
 * that serve and call under load. But for these one thread plays caller and
 * target alike, so that each step is seen by itself.
 *
 * The router works within the call that kicks it: what has been kicked is
 * where it belongs when the call returns. Only what a timer does is waited for.
 */
#ifndef WEIR_SELFTEST_ROUTED_H
#define WEIR_SELFTEST_ROUTED_H

#include "hard.h"

#define ROUTED	__attribute__((unused)) static

#define MS	INT64_C(1000000)
#define SECOND	INT64_C(1000000000)
#define PLENTY	(1U << 20)	/* an inbox that does not get full here */

/*
 * Of a route on which nothing happens by itself. The module's own settings give
 * a target that stalls for 80 ms up, and answer for it after 5 s.
 */
#define QUIET	.timeout_ns = 600 * SECOND, .probe_ns = WEIR_PROBE_OFF

ROUTED const struct weir_route_conf quiet = { QUIET };

/* Runs a part of a test and says how long it took. */
#define part(run) do {							\
	int64_t begun_ = now_ms();					\
									\
	run();								\
	note("%s: %lld ms", #run, (long long)(now_ms() - begun_));	\
} while (0)

ROUTED int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* Waits for a time to come: it is the condition itself. */
ROUTED void pass(int64_t ns)
{
	int64_t until = now_ns() + ns;

	while (now_ns() < until)
		usleep(500);
}

/* Of a kernel that looks over its own shoulder times mean little. */
ROUTED bool slow_kernel(void)
{
	return hard_slow();
}

/* Percent of one CPU that was busy while nothing is asked for. */
ROUTED double busy_share(int64_t ns)
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

/* --- handles --------------------------------------------------------------- */

/* Rings of these sizes; 0: the module's. */
ROUTED struct weir *handle(uint32_t ring_bytes, uint32_t inbox_bytes)
{
	struct weir_config c = {
		.ring_bytes = ring_bytes,
		.inbox_bytes = inbox_bytes,
	};
	struct weir *w;

	need(!weir_open(&w, SOCK_RDM, &c), "open: %s", weir_error());
	return w;
}

/* @id: gets its target's number; may be NULL. */
ROUTED struct weir *server_of(const char *path, uint32_t weight,
			      uint32_t inbox_bytes, uint64_t *id)
{
	struct weir *w = handle(0, inbox_bytes);

	need(!weir_serve(w, path, weight, id), "serve %s: %s", path,
	     weir_error());
	return w;
}

ROUTED struct weir *server(const char *path, uint32_t weight)
{
	return server_of(path, weight, 0, NULL);
}

ROUTED uint32_t route_of(struct weir *w, const char *path)
{
	int ret = weir_route(w, path);

	need(ret > 0, "route %s: %s", path, weir_error());
	return (uint32_t)ret;
}

ROUTED struct weir *caller(const char *path, uint32_t *route)
{
	struct weir *w = handle(0, 0);

	*route = route_of(w, path);
	return w;
}

/* --- requests -------------------------------------------------------------- */

/* Commits one request; nothing is routed before weir_flush(). */
ROUTED int request(struct weir *w, const struct weir_call *call,
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

/* One request; the router is told. */
ROUTED void ask_for(struct weir *w, const struct weir_call *call,
		    const void *data, size_t len)
{
	need(!request(w, call, data, len), "request %u: %s", call->tag,
	     weir_error());
	weir_flush(w);
}

/* Of 8 bytes, its tag twice. */
ROUTED void ask_with(struct weir *w, uint32_t route, uint32_t tag, uint32_t key,
		     uint8_t flags)
{
	struct weir_call call = {
		.route = route,
		.tag = tag,
		.key = key,
		.flags = flags,
	};
	uint32_t data[2] = { tag, ~tag };

	ask_for(w, &call, data, sizeof(data));
}

ROUTED void ask(struct weir *w, uint32_t route, uint32_t tag)
{
	ask_with(w, route, tag, 0, 0);
}

/* One-way messages that are lost when there is no room. */
ROUTED void shower(struct weir *w, uint32_t route, uint32_t n)
{
	struct weir_call call = {
		.route = route,
		.flags = WEIR_REC_DROP,
		.one_way = 1,
	};

	while (n--)
		ask_for(w, &call, "drop", 4);
}

/* --- what a target does ---------------------------------------------------- */

/* The next message, or the end of the test. It is to be released. */
ROUTED struct weir_msg next_message(struct weir *w, const char *who)
{
	struct weir_msg msg;
	int ret = 0;

	need(soon((ret = weir_peek(w, &msg)) != 0), "%s got a message", who);
	need(ret == 1, "%s could read it (%d)", who, ret);
	return msg;
}

/* Reads the next message: what its answer takes. */
ROUTED struct weir_ticket next_ticket(struct weir *w, const char *who)
{
	struct weir_msg msg = next_message(w, who);
	struct weir_ticket ticket = weir_ticket(&msg);

	weir_release(w, &msg);
	return ticket;
}

/*
 * The next request. What comes before it is read; *@large counts those of more than
 * @len bytes.
 */
ROUTED struct weir_ticket next_request(struct weir *w, const char *who,
				       size_t len, uint64_t *large)
{
	struct weir_ticket ticket = { 0 };

	while (!weir_ticket_wanted(&ticket)) {
		struct weir_msg msg = next_message(w, who);

		ticket = weir_ticket(&msg);
		*large += msg.len > len;
		weir_release(w, &msg);
	}
	return ticket;
}

/* Are there messages? How many; they are released. */
ROUTED int drain(struct weir *w)
{
	struct weir_msg msg;
	int n = 0;

	while (weir_peek(w, &msg) == 1) {
		weir_release(w, &msg);
		n++;
	}
	return n;
}

/*
 * Answers one request with its own payload, if there is one: with a reply, or
 * with an error. What wants no answer is passed over.
 */
ROUTED bool serve_one(struct weir *w, uint8_t kind)
{
	struct weir_ticket ticket;
	struct weir_msg msg;
	char copy[256];
	size_t len;
	int err;

	do {
		if (weir_peek(w, &msg) != 1)
			return false;
		ticket = weir_ticket(&msg);
		need(msg.kind == WEIR_KIND_REQUEST ||
		     (msg.kind == WEIR_KIND_EVENT &&
		      !weir_ticket_wanted(&ticket)),
		     "kind %d comes to a target", msg.kind);
		len = msg.len < sizeof(copy) ? msg.len : sizeof(copy);
		memcpy(copy, msg.data, len);
		weir_release(w, &msg);
	} while (!weir_ticket_wanted(&ticket));
	err = kind == WEIR_KIND_ERROR ?
	      weir_reply_error(w, &ticket, copy, len, HARD_DEADLINE_NS) :
	      weir_reply(w, &ticket, copy, len, HARD_DEADLINE_NS);
	need(!err, "answer: %s", weir_error());
	return true;
}

/* Answers the next request, or ends the test. */
ROUTED void echo(struct weir *w)
{
	need(soon(serve_one(w, WEIR_KIND_REPLY)), "the target got a request");
}

ROUTED uint32_t serve_all(struct weir *w, uint8_t kind)
{
	uint32_t n = 0;

	while (serve_one(w, kind))
		n++;
	return n;
}

/* --- what a caller hears --------------------------------------------------- */

/**
 * struct outcome - an answer
 * @kind: enum weir_kind; 0: there was none.
 * @flags: of the record.
 * @tag: the same for the tag.
 * @len: bytes of payload.
 * @fault: when the router made it and it is an error.
 */
struct outcome {
	uint8_t			kind;
	uint8_t			flags;
	uint32_t		tag;
	uint32_t		len;
	struct weir_refusal	fault;
};

/* The next answer if there is one now. */
ROUTED bool outcome_now(struct weir *w, struct outcome *o)
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
	weir_refusal_get(&msg, &o->fault);
	weir_release(w, &msg);
	return true;
}

/* The next answer; kind 0 when none came. */
ROUTED struct outcome next_outcome(struct weir *w)
{
	struct outcome o;

	soon(outcome_now(w, &o));
	return o;
}

/* The reason of the next answer, or the end of the test; 0 for a target's. */
ROUTED uint32_t answer(struct weir *w, uint32_t tag)
{
	struct outcome o = next_outcome(w);

	need(o.kind, "the caller got an answer");
	if (o.tag != tag)
		check(false, "the answer is for %u, not %u", o.tag, tag);
	need(o.kind != WEIR_KIND_ERROR || o.fault.reason,
	     "a fault of the router's");
	return o.fault.reason;
}

/* The next answer is the router's, for this reason, of this guard. */
__attribute__((format(printf, 5, 6)))
ROUTED bool refused_by(struct weir *w, uint32_t tag, uint32_t reason,
		       uint32_t guard, const char *format, ...)
{
	struct outcome o = next_outcome(w);
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
ROUTED bool replied(struct weir *w, uint32_t tag)
{
	struct outcome o = next_outcome(w);

	if (o.kind == WEIR_KIND_REPLY && o.tag == tag &&
	    !(o.flags & WEIR_REC_ROUTER))
		return true;
	note("kind %u, flags %#x, tag %u, reason %s, guard %s; want a reply to %u",
	     o.kind, o.flags, o.tag, weir_reason_name(o.fault.reason),
	     weir_guard_name(o.fault.guard), tag);
	return false;
}

/*
 * A round trip of one process: @s answers what @c asks, whether well. What comes to
 * @s before it is read, as next_request() says.
 */
ROUTED bool asks_itself(struct weir *c, uint32_t route, uint32_t tag,
			struct weir *s, size_t len, uint64_t *large)
{
	struct weir_ticket ticket;

	ask(c, route, tag);
	ticket = next_request(s, "the service", len, large);
	return !weir_reply(s, &ticket, &tag, sizeof(tag), HARD_DEADLINE_NS) &&
	       replied(c, tag);
}

/* --- control --------------------------------------------------------------- */

/* @failed: gets the number of the change that was refused; may be NULL. */
ROUTED int control_by(int fd, const struct weir_route_op *ops, uint32_t n,
		      uint32_t *failed)
{
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl),
		.op_size = sizeof(*ops),
		.count = n,
		.ops = (uintptr_t)ops,
	};
	int err = ioctl(fd, WEIR_IOC_CONTROL, &ctl) ? -errno : 0;

	if (failed)
		*failed = ctl.failed;
	return err;
}

/* By a socket of its own; says why not. */
ROUTED int control(const struct weir_route_op *ops, uint32_t n)
{
	int fd = tap_socket(SOCK_RDM), err;
	uint32_t failed;

	err = control_by(fd, ops, n, &failed);
	if (err)
		tap_diag("change %u: %s", failed, tap_words(fd));
	close(fd);
	return err;
}

ROUTED struct weir_route_op route_op(uint32_t what, const char *path,
				     const char *target_path, uint64_t target,
				     uint32_t weight)
{
	struct weir_route_op op = {
		.op = what,
		.target = target,
		.weight = weight,
	};

	strcpy(op.path, path);
	strcpy(op.target_path, target_path);
	return op;
}

ROUTED int route_set(const char *path, const struct weir_route_conf *conf)
{
	struct weir_route_op op = route_op(WEIR_OP_ROUTE_SET, path, "", 0, 0);

	op.conf = *conf;
	return control(&op, 1);
}

ROUTED int route_del(const char *path)
{
	struct weir_route_op op = route_op(WEIR_OP_ROUTE_DEL, path, "", 0, 0);

	return control(&op, 1);
}

/* Nothing but the test happens there, until route_del(). */
ROUTED void route_quiet(const char *path)
{
	need(!route_set(path, &quiet), "route %s", path);
}

ROUTED int target_op(uint32_t what, const char *path, const char *target_path,
		     uint64_t target, uint32_t weight)
{
	struct weir_route_op op = route_op(what, path, target_path, target,
					   weight);

	return control(&op, 1);
}

/* --- what the module lists ------------------------------------------------- */

#define LIST_MAX	512

/* The socket that lists; -1: a new one each time. */
ROUTED int list_fd = -1;

/* All entries of a kind after one another; how many, at most @room. */
ROUTED uint32_t list(uint32_t kind, void *to, uint32_t entry_size,
		     uint32_t room)
{
	struct weir_ioc_list l = {
		.size = sizeof(l),
		.kind = kind,
		.entry_size = entry_size,
		.count = room,
		.entries = (uintptr_t)to,
	};
	int fd = list_fd < 0 ? tap_socket(SOCK_RDM) : list_fd;

	need(!ioctl(fd, WEIR_IOC_LIST, &l), "list: %s", tap_words(fd));
	if (fd != list_fd)
		close(fd);
	return l.count;
}

/* All of them, until the next look. */
ROUTED struct weir_route_entry *routes(uint32_t *n)
{
	static struct weir_route_entry all[LIST_MAX];

	*n = list(WEIR_LIST_ROUTES, all, sizeof(all[0]), LIST_MAX);
	return all;
}

ROUTED struct weir_target_entry *targets(uint32_t *n)
{
	static struct weir_target_entry all[LIST_MAX];

	*n = list(WEIR_LIST_TARGETS, all, sizeof(all[0]), LIST_MAX);
	return all;
}

/* A route as it is now; all zero when there is none of this name. */
ROUTED struct weir_route_entry route_now(const char *path)
{
	struct weir_route_entry none = { 0 }, *all;
	uint32_t n, i;

	all = routes(&n);
	for (i = 0; i < n; i++) {
		if (!strcmp(all[i].path, path))
			return all[i];
	}
	return none;
}

/* The same for a target. */
ROUTED struct weir_target_entry target_now(uint64_t id)
{
	struct weir_target_entry none = { 0 }, *all;
	uint32_t n, i;

	all = targets(&n);
	for (i = 0; i < n; i++) {
		if (all[i].id == id)
			return all[i];
	}
	return none;
}

ROUTED uint32_t routes_count(void)
{
	uint32_t n;

	routes(&n);
	return n;
}

ROUTED uint32_t targets_count(void)
{
	uint32_t n;

	targets(&n);
	return n;
}

/* Requests that all targets have together. */
ROUTED uint32_t in_flight_count(void)
{
	struct weir_target_entry *all;
	uint32_t n, i, sum = 0;

	all = targets(&n);
	for (i = 0; i < n; i++)
		sum += all[i].in_flight;
	return sum;
}

/* The end of a part: nobody serves, nothing is set. */
ROUTED void check_routes_gone(const char *what)
{
	check(soon(!targets_count() && !routes_count()),
	      "%s: no target and no route is left (%u, %u)", what,
	      targets_count(), routes_count());
}

/* --- processes that serve and call ----------------------------------------- */

#define CREW_MAX	16
#define CREW_SLOTS	4096	/* a caller's requests in flight */
#define CREW_SEEN	65536	/* tags of a caller that servers remember */

/**
 * struct crew - what processes of one test tell each other
 * @ready: servers that serve.
 * @calm: callers send no more, wait for their answers and end.
 * @stop: servers end.
 * @fault_ns: a fault was made then; 0: not yet.
 * @victim: the target that it hit.
 * @twice: requests that may be done once and came to servers again.
 * @first_ns: the first good reply of another target after it.
 * @target: what each server has done.
 * @caller: what each caller has seen; faults by reason, of idempotent requests
 *	and of others; @odd: answers to nothing, twice, or damaged.
 * @seen: tags + 1 of what came to servers, by caller and tag.
 */
struct crew {
	int		ready, calm, stop;
	int64_t		fault_ns, first_ns;
	uint32_t	victim;
	uint64_t	twice;
	struct {
		uint64_t	served;
	} target[CREW_MAX];
	struct {
		uint64_t	sent, good, odd, errors, pending;
		uint64_t	faults[2][WEIR_REASON_MAX];
	} caller[CREW_MAX];
	uint32_t	seen[CREW_MAX][CREW_SEEN];
};

/**
 * struct crew_job - one process
 * @number: of the server or caller.
 * @depth: requests that a caller keeps in flight.
 * @nap_us: pause of a caller between two looks.
 * @fail_one_in: number of requests of which a server answers one with an error.
 * @several: answers may come with WEIR_REC_MORE.
 * @keys: requests have idempotency keys, each its own.
 */
struct crew_job {
	struct crew	*crew;
	const char	*path;
	uint32_t	number, weight, depth, nap_us, fail_one_in;
	bool		several, keys;
};

/* A request, and, with @target, its reply. */
struct crew_item {
	uint32_t tag, check, caller, target;
};

ROUTED struct crew *crew_make(void)
{
	return tap_shared(sizeof(struct crew));
}

ROUTED void crew_free(struct crew *c)
{
	munmap(c, sizeof(*c));
}

ROUTED uint64_t crew_good(struct crew *c)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < CREW_MAX; i++)
		n += get(&c->caller[i].good);
	return n;
}

/* Faults of idempotent requests or of others, for all reasons. */
ROUTED uint64_t crew_faults(struct crew *c, int idempotent)
{
	uint64_t n = 0;
	int i, k;

	for (i = 0; i < CREW_MAX; i++) {
		for (k = 0; k < WEIR_REASON_MAX; k++)
			n += get(&c->caller[i].faults[idempotent][k]);
	}
	return n;
}

/* Those for another reason. */
ROUTED uint64_t crew_faults_but(struct crew *c, int idempotent, int reason)
{
	uint64_t n = crew_faults(c, idempotent);
	int i;

	for (i = 0; i < CREW_MAX; i++)
		n -= get(&c->caller[i].faults[idempotent][reason]);
	return n;
}

/* Everything but a good reply. */
ROUTED uint64_t crew_bad(struct crew *c)
{
	uint64_t n = crew_faults(c, 0) + crew_faults(c, 1);
	int i;

	for (i = 0; i < CREW_MAX; i++)
		n += get(&c->caller[i].odd) + get(&c->caller[i].errors) +
		     get(&c->caller[i].pending);
	return n;
}

ROUTED void crew_note(struct crew *c, const char *what)
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

/* A request has come to a server: those with even tags may be done once. */
ROUTED void crew_seen(struct crew *c, const struct crew_item *it)
{
	uint32_t *seen = &c->seen[it->caller % CREW_MAX][it->tag % CREW_SEEN];

	if (__atomic_exchange_n(seen, it->tag + 1, __ATOMIC_SEQ_CST) ==
	    it->tag + 1 && !(it->tag & 1))
		add(&c->twice, 1);
}

/* Serves a path until it is told to stop. */
ROUTED int crew_serve(void *arg)
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
		memset(&it, 0, sizeof(it));
		if (msg.len == sizeof(it)) {
			memcpy(&it, msg.data, sizeof(it));
			/* neither a copy nor somebody else's */
			if (weir_ticket_wanted(&ticket) && it.check == ~it.tag)
				crew_seen(crew, &it);
		}
		weir_release(w, &msg);
		it.target = job->number;
		/* counted first: the caller that gets the reply may look at it */
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
ROUTED void crew_take(struct crew_job *job, const struct weir_msg *msg,
		      uint32_t *slots, uint32_t *pending)
{
	struct crew *crew = job->crew;
	uint32_t me = job->number, tag = msg->rec->tag;
	uint32_t *slot = &slots[tag % CREW_SLOTS];
	struct weir_refusal fault;

	if (*slot != tag + 1 ||
	    (msg->rec->flags & WEIR_REC_MORE && !job->several)) {
		add(&crew->caller[me].odd, 1);
		return;
	}
	if (!(msg->rec->flags & WEIR_REC_MORE)) {
		*slot = 0;
		(*pending)--;
	}
	if (weir_refusal_get(msg, &fault)) {
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
ROUTED int crew_call(void *arg)
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
				.dup = job->keys ? tag + 1 +
				       ((uint64_t)job->number << 32) : 0,
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
			until = now_ms() + HARD_DEADLINE_MS / 2;
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

/* --- such processes from the test's side ------------------------------------- */

/* When this returns it serves. */
ROUTED pid_t crew_server(struct crew_job *job)
{
	int ready = get(&job->crew->ready);
	pid_t pid = spawn(crew_serve, job);

	need(soon(get(&job->crew->ready) > ready), "a server");
	return pid;
}

/* Waits for a number of further good replies. */
ROUTED bool crew_progress(struct crew *c, uint64_t n)
{
	uint64_t from = crew_good(c);

	return soon(crew_good(c) >= from + n);
}

/* Callers end: each request has been answered, once if not by @several. */
ROUTED void crew_calm(struct crew *c, const pid_t *callers, int n, bool several,
		      const char *what)
{
	uint64_t sent = 0, answers = 0, odd = 0, pending = 0;
	int i, status;

	put(&c->calm, 1);
	for (i = 0; i < n; i++) {
		status = tap_wait(callers[i]);
		check(!status, "%s: caller %d has one answer to each request (%d)",
		      what, i, status);
		sent += get(&c->caller[i].sent);
		answers += get(&c->caller[i].errors);
		odd += get(&c->caller[i].odd);
		pending += get(&c->caller[i].pending);
	}
	answers += crew_good(c) + crew_faults(c, 0) + crew_faults(c, 1);
	check(!odd && !pending && (several ? answers >= sent : answers == sent),
	      "%s: %llu requests, %llu answers, %llu odd, %llu open", what,
	      (unsigned long long)sent, (unsigned long long)answers,
	      (unsigned long long)odd, (unsigned long long)pending);
	if (!several)
		check(!get(&c->twice),
		      "%s: none that may be done once came twice (%llu did)",
		      what, (unsigned long long)get(&c->twice));
	crew_note(c, what);
}

/* Whoever lost its target: idempotent requests went to another one. */
ROUTED void check_crew_faults(struct crew *c, const char *what)
{
	check(!crew_faults(c, 1),
	      "%s: every idempotent request was answered well (%llu not)",
	      what, (unsigned long long)crew_faults(c, 1));
	check(!crew_faults_but(c, 0, WEIR_REASON_TARGET_DIED),
	      "%s: the others were, or heard that their target died (%llu otherwise)",
	      what, (unsigned long long)crew_faults_but(c, 0,
						WEIR_REASON_TARGET_DIED));
}

/* Servers end; 0 is none. */
ROUTED void crew_end(struct crew *c, const pid_t *servers, int n)
{
	put(&c->stop, 1);
	while (n--) {
		if (servers[n])
			tap_wait(servers[n]);
	}
}

#endif /* WEIR_SELFTEST_ROUTED_H */
