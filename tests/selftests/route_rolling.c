// SPDX-License-Identifier: GPL-2.0
/*
 * Services that end and others that take their place: what a target has not
 * looked at is not lost with it. One that is drained gets no more.
 */
#include "routed.h"

/* A drained socket gets nothing new on any of its paths, and keeps what it has. */
static void drained(void)
{
	struct weir *old, *next, *c = handle(0, 0);
	uint32_t a, b, i;

	old = server("/rolling/a", 1);
	need(!weir_serve(old, "/rolling/b", 1, NULL), "%s", weir_error());
	a = route_of(c, "/rolling/a");
	b = route_of(c, "/rolling/b");
	ask(c, a, 1);
	ask(c, b, 2);
	next = server("/rolling/a", 1);
	need(!weir_serve(next, "/rolling/b", 1, NULL), "%s", weir_error());
	check(!weir_drain(old), "a service is drained");
	for (i = 3; i < 43; i++)
		ask(c, i & 1 ? a : b, i);
	check(serve_all(old, WEIR_KIND_REPLY) == 2, "it has what came before");
	check(serve_all(next, WEIR_KIND_REPLY) == 40, "the rest comes to another");
	weir_close(old);
	for (i = 0; i < 42; i++)
		need(next_outcome(c).kind == WEIR_KIND_REPLY, "reply %u", i);
	check(!drain(c), "each is answered, with a reply");
	check(!weir_drain(next) && !weir_drain(next), "drained twice");
	ask(c, a, 50);
	check(answer(c, 50) == WEIR_REASON_NO_TARGET, "none is left");
	check(!weir_drain(c), "a caller can be drained, too");
	weir_close(next);
	weir_close(c);
}

/* The same for a socket without the library. */
static void drained_plain(void)
{
	int fd = socket(weir_family(), SOCK_RDM, 0), one = 1, two = 2;
	struct weir *c = handle(0, 0);
	char buf[64];
	uint32_t a;

	need(fd >= 0, "socket");
	check(!setsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN, &one, sizeof(one)),
	      "a socket that serves nothing is drained");
	need(!setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, "/rolling/p", 10),
	     "serve");
	a = route_of(c, "/rolling/p");
	ask(c, a, 1);
	need(!setsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN, &one, sizeof(one)),
	     "drain");
	ask(c, a, 2);
	check(answer(c, 2) == WEIR_REASON_NO_TARGET, "it gets no more");
	check(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 8,
	      "and keeps what it has");
	tap_fails(setsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN, &two, sizeof(two)),
		  EINVAL, "a value other than 1");
	close(fd);
	weir_close(c);
}

/* --- what has been looked at, and what has not ------------------------------- */

#define PATH	"/rolling/u"

/* A service without the library. */
static int plain_server(void)
{
	int fd = raw_socket(SOCK_RDM);

	need(fd >= 0 && !raw_set(fd, WEIR_SO_INBOX_BYTES, PLENTY) &&
	     !setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, PATH,
				    sizeof(PATH) - 1), "serve");
	return fd;
}

/* Answers a request of the plain service. */
static void plain_answer(int fd, int flags)
{
	union {
		char		bytes[CMSG_SPACE(sizeof(struct weir_scm_route))];
		struct cmsghdr	align;
	} control;
	char data[64];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	need(recvmsg(fd, &m, flags | MSG_DONTWAIT) == 8, "recv");
}

/* Is there a message? This is no look at it. */
static bool has_come(int fd)
{
	int n = 0;

	return !ioctl(fd, FIONREAD, &n) && n;
}

/* The next requests go to the services that are left, in order. */
static bool taken(struct weir *s, struct weir *c, uint32_t from, uint32_t to)
{
	uint32_t tag;

	for (tag = from; tag < to; tag++) {
		if (!soon(serve_one(s, WEIR_KIND_REPLY)) || !replied(c, tag))
			return false;
	}
	return true;
}

/* Ten requests to a plain service, of which it reads @n and looks at @peek. */
static void plain_unread(uint32_t n, bool peek, const char *what)
{
	int fd = plain_server(), seen = (int)(n + peek);
	struct weir *next, *c;
	uint32_t route, i;

	c = caller(PATH, &route);
	for (i = 0; i < 10; i++)
		ask(c, route, i);
	for (i = 0; i < n; i++)
		plain_answer(fd, 0);
	if (peek)
		plain_answer(fd, MSG_PEEK);
	next = server(PATH, 1);
	close(fd);
	for (i = 0; i < (uint32_t)seen; i++)
		need(answer(c, i) == WEIR_REASON_TARGET_DIED, "%s: %u died",
		     what, i);
	check(taken(next, c, (uint32_t)seen, 10), "%s: the others are moved",
	      what);
	check(!drain(c) && !drain(next), "%s: once", what);
	weir_close(next);
	weir_close(c);
}

static void plain(void)
{
	plain_unread(0, false, "nothing read");
	plain_unread(3, false, "three read");
	plain_unread(3, true, "three read and one peeked at");
}

/* The same with the library, which looks at @batch more behind the first. */
static void mapped_unread(uint32_t n, bool peek, uint32_t batch,
			  const char *what)
{
	uint32_t route, i, seen = n + peek + batch;
	struct weir *s = server(PATH, 1), *next, *c;
	struct weir_msg msg = { 0 };

	c = caller(PATH, &route);
	for (i = 0; i < 10; i++)
		ask(c, route, i);
	for (i = 0; i < n; i++)
		next_ticket(s, "the service");
	if (peek)
		need(weir_peek(s, &msg) == 1, "peek");
	for (i = 0; i < batch; i++)
		need(weir_peek_next(s, &msg) == 1, "peek next");
	next = server(PATH, 1);
	weir_close(s);
	/* the first behind the cursor may be seen: the library does not tell */
	if (!peek)
		seen++;
	for (i = 0; i < seen; i++)
		need(answer(c, i) == WEIR_REASON_TARGET_DIED, "%s: %u died",
		     what, i);
	check(taken(next, c, seen, 10), "%s: the others are moved", what);
	check(!drain(c) && !drain(next), "%s: once", what);
	weir_close(next);
	weir_close(c);
}

/* A program that was compiled before the library told what it has seen. */
static void mapped_old(void)
{
	struct weir *s = handle(0, 0), *next, *c;
	uint32_t route, i;

	need(!(weir_serve)(s, PATH, 1, NULL), "serve");
	c = caller(PATH, &route);
	for (i = 0; i < 10; i++)
		ask(c, route, i);
	next = server(PATH, 1);
	weir_close(s);
	for (i = 0; i < 10; i++)
		need(answer(c, i) == WEIR_REASON_TARGET_DIED, "%u", i);
	check(!drain(next), "of an older library all counts as seen");
	weir_close(next);
	weir_close(c);
}

/* A handle that serves one more path has seen what it has seen. */
static void mapped_again(void)
{
	struct weir *s = server(PATH, 1), *next, *c;
	struct weir_msg msg;
	uint32_t route, i;

	c = caller(PATH, &route);
	for (i = 0; i < 10; i++)
		ask(c, route, i);
	need(weir_peek(s, &msg) == 1, "peek");
	for (i = 0; i < 4; i++)
		need(weir_peek_next(s, &msg) == 1, "peek next");
	need(!weir_serve(s, "/rolling/more", 1, NULL), "serve");
	next = server(PATH, 1);
	weir_close(s);
	for (i = 0; i < 5; i++)
		need(answer(c, i) == WEIR_REASON_TARGET_DIED, "%u died", i);
	check(taken(next, c, 5, 10) && !drain(c) && !drain(next),
	      "a look is not forgotten when the handle serves another path");
	weir_close(next);
	weir_close(c);
}

static void mapped(void)
{
	mapped_unread(0, false, 0, "library, nothing read");
	mapped_unread(3, false, 0, "library, three read");
	mapped_unread(3, true, 0, "library, and one looked at");
	mapped_unread(3, true, 4, "library, and a batch looked at");
	mapped_old();
	mapped_again();
}

/* --- what stays with a request that is moved --------------------------------- */

/* The moved request is the same one, and its reply comes from the new target. */
static void same(void)
{
	struct weir_call call = { .tag = 7, .key = 99 };
	struct weir_ticket old, ticket;
	static uint8_t data[5000];
	struct weir *s, *next, *c;
	struct weir_msg msg;
	int fd;

	s = server(PATH, 0);	/* another service of the same user */
	fd = plain_server();
	c = caller(PATH, &call.route);
	memset(data, 0x5a, sizeof(data));
	call.deadline_ns = (uint64_t)(now_ns() + 4 * SECOND);
	ask_for(c, &call, data, sizeof(data));
	next = server(PATH, 1);
	close(fd);
	msg = next_message(next, "the next");
	check(msg.kind == WEIR_KIND_REQUEST && msg.len == sizeof(data) &&
	      !memcmp(msg.data, data, msg.len) && msg.rec->key == 99,
	      "payload and key stay");
	check(weir_msg_deadline(&msg) == call.deadline_ns, "the deadline stays");
	ticket = weir_ticket(&msg);
	weir_release(next, &msg);
	old = ticket;
	check(!weir_reply(s, &old, "x", 1, SECOND) && !tap_within(50, drain(c)),
	      "no other socket can answer it");
	check(!weir_reply(next, &ticket, "y", 1, SECOND) && replied(c, 7),
	      "the new target can");
	weir_close(s);
	weir_close(next);
	weir_close(c);
}

/* Without another target, callers hear what they did; so for what is large. */
static void left(void)
{
	static uint8_t data[100000];
	struct weir *next, *c;
	struct weir_call call = { .tag = 2 };
	int fd = plain_server();

	c = handle(PLENTY, 0);
	call.route = route_of(c, PATH);
	ask(c, call.route, 1);
	close(fd);
	check(answer(c, 1) == WEIR_REASON_TARGET_DIED, "none is left");
	fd = plain_server();
	ask_for(c, &call, data, sizeof(data));
	need(soon(has_come(fd)), "it came");
	next = server(PATH, 1);
	close(fd);
	check(answer(c, 2) == WEIR_REASON_TARGET_DIED && !drain(next),
	      "a large one is answered as before");
	weir_close(next);
	weir_close(c);
}

/* A request that may be sent twice, and one that has waited, are moved, too. */
static void held(void)
{
	struct weir_route_conf conf = {
		QUIET, .retries = 1, .retry_base_ns = MS, .retry_max_ns = MS,
	};
	struct weir *next, *c;
	uint32_t route;
	int fd;

	need(!route_set(PATH, &conf), "route");
	c = caller(PATH, &route);
	ask_with(c, route, 1, 0, WEIR_REC_WAIT);
	fd = plain_server();
	need(soon(has_come(fd)), "it came");
	plain_answer(fd, MSG_PEEK);
	close(fd);
	check(answer(c, 1) == WEIR_REASON_TARGET_DIED,
	      "one that has waited and was seen is lost");
	ask_with(c, route, 3, 0, WEIR_REC_WAIT);
	fd = plain_server();
	need(soon(has_come(fd)), "it came");
	close(fd);
	next = server(PATH, 1);
	check(taken(next, c, 3, 4), "one that was not waits again");
	weir_close(next);
	fd = plain_server();
	ask_with(c, route, 2, 0, WEIR_REC_IDEMPOTENT);
	next = server(PATH, 1);
	close(fd);
	need(soon(serve_one(next, WEIR_KIND_ERROR)), "moved");
	check(soon(serve_one(next, WEIR_KIND_REPLY)) && replied(c, 2),
	      "the move is not one of the route's attempts");
	weir_close(next);
	weir_close(c);
	need(!route_del(PATH), "route");
}

/* A request that is moved has had its token of the rate limit. */
static void limited(void)
{
	struct weir_route_conf conf = {
		QUIET,
		.rate = 1,
		.burst = 10,
	};
	struct weir *next, *c;
	uint32_t route, i;
	int fd;

	need(!route_set(PATH, &conf), "route");
	c = caller(PATH, &route);
	fd = plain_server();
	for (i = 0; i < 10; i++)
		ask(c, route, i);
	next = server(PATH, 1);
	close(fd);
	check(taken(next, c, 0, 10), "the rate limit counts a request once");
	weir_close(next);
	weir_close(c);
	need(!route_del(PATH), "route");
}

/* It has had none of a route that it comes to only now. */
static void limited_behind(void)
{
	struct weir_route_conf behind = {
		QUIET,
		.rate = 1,
		.burst = 10,
	};
	struct weir_route_conf front = { QUIET, .policy = WEIR_POLICY_PRIMARY };
	struct weir_route_op op = route_op(WEIR_OP_TARGET_ADD, PATH,
					   "/rolling/behind", 0, 1);
	struct outcome o = { 0 };
	uint32_t route, i, late = 0;
	struct weir *next, *c;
	int fd;

	need(!route_set("/rolling/behind", &behind) &&
	     !route_set(PATH, &front), "routes");
	next = server("/rolling/behind", 1);
	fd = plain_server();
	/* of the same weight: the older target is the primary one */
	need(!control(&op, 1), "behind");
	c = caller(PATH, &route);
	for (i = 0; i < 200; i++)
		ask(c, route, i);
	close(fd);
	for (i = 0; i < 200; i++) {
		need(soon((serve_one(next, WEIR_KIND_REPLY),
			   outcome_now(c, &o))), "answer %u", i);
		late += o.fault.reason == WEIR_REASON_RATE;
	}
	check(late >= 100 && !drain(c) && !drain(next),
	      "the rate limit of another route counts it (%u refused)", late);
	weir_close(next);
	weir_close(c);
	op.op = WEIR_OP_TARGET_DEL;
	need(!control(&op, 1) && !route_del(PATH) &&
	     !route_del("/rolling/behind"), "routes");
}

/* --- hostile ----------------------------------------------------------------- */

/* What a service says that it has seen is its own harm. */
static void lies(void)
{
	struct weir *next, *c, *s;
	uint32_t route, i, k, died, n;
	struct outcome o = { 0 };

	c = caller(PATH, &route);
	for (k = 0; k < 12; k++) {
		s = server(PATH, 1);
		for (i = 0; i < 8; i++)
			ask(c, route, i);
		next_ticket(s, "the service");
		next = server(PATH, 1);
		put(&s->inbox->cursor->seen,
		    k == 0 ? 0 : k == 1 ? UINT64_MAX :
		    k == 2 ? s->inbox->cursor->pos - 64 :
		    k == 3 ? s->inbox->cursor->pos + (1 << 30) : rnd());
		if (k == 5)
			put(&s->inbox->cursor->pos, UINT64_MAX - 63);
		if (k == 6)
			put(&s->inbox->cursor->pos, rnd());
		weir_close(s);
		for (died = 0, n = 0; n < 8; n++) {
			need(soon((serve_one(next, WEIR_KIND_REPLY),
				   outcome_now(c, &o))), "lie %u: answer %u", k,
			     n);
			died += o.fault.reason == WEIR_REASON_TARGET_DIED;
		}
		check((died || k == 5) && !drain(c) && !drain(next),
		      "lie %u: each has one answer (%u of a dead target)", k,
		      died);
		weir_close(next);
	}
	weir_close(c);
}

/* Services that come and go without a look do not move a request for ever. */
static void circle(void)
{
	int fd = plain_server(), next, moves = 0;
	uint32_t route;
	struct outcome o = { 0 };
	struct weir *c;

	c = caller(PATH, &route);
	ask(c, route, 1);
	while (moves < 50) {
		next = plain_server();
		close(fd);
		fd = next;
		need(soon(outcome_now(c, &o) || has_come(fd)), "it is there");
		if (o.kind)
			break;
		moves++;
	}
	check(o.fault.reason == WEIR_REASON_TARGET_DIED && moves == 8,
	      "moved %d times, then lost", moves);
	close(fd);
	weir_close(c);
}

/* --- a rolling restart --------------------------------------------------------- */

#define SERVERS	3
#define CALLERS	2

/**
 * struct roll - one service of a rolling restart
 * @leave: it is to close its socket now, whatever is in its inbox.
 * @plain: it does without the library.
 */
struct roll {
	struct crew_job	job;
	int		*leave;
	bool		plain;
};

static void roll_seen(struct crew *crew, const void *data, size_t len)
{
	struct crew_item it;

	need(len == sizeof(it), "a request");
	memcpy(&it, data, sizeof(it));
	crew_seen(crew, &it);
}

/* Batches of two, of which the second one is seen while the first is held. */
static int roll_library(struct roll *r)
{
	struct weir_config conf = { .inbox_bytes = 1 << 18 };
	struct weir_ticket ticket[2];
	struct crew_item it[2];
	struct weir_msg msg;
	struct weir *w;
	int i, n;

	if (weir_open(&w, SOCK_RDM, &conf) || weir_serve(w, PATH, 1, NULL))
		return 20;
	add(&r->job.crew->ready, 1);
	while (!get(r->leave)) {
		if (weir_peek(w, &msg) != 1) {
			weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0, 5 * MS);
			continue;
		}
		n = 0;
		do {
			ticket[n] = weir_ticket(&msg);
			memcpy(&it[n], msg.data, sizeof(it[n]));
			roll_seen(r->job.crew, msg.data, msg.len);
		} while (++n < 2 && weir_peek_next(w, &msg));
		weir_release(w, &msg);
		for (i = 0; i < n; i++) {
			if (weir_reply(w, &ticket[i], &it[i], sizeof(it[i]),
				       10 * SECOND))
				return 22;
		}
	}
	weir_close(w);
	return 0;
}

static int roll_plain(struct roll *r)
{
	int fd = plain_server();
	struct pollfd p = { .fd = fd, .events = POLLIN };
	union {
		char		bytes[CMSG_SPACE(sizeof(struct weir_scm_route))];
		struct cmsghdr	align;
	} control;
	struct crew_item it;
	struct iovec iov = { &it, sizeof(it) };
	struct weir_scm_route scm;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;

	add(&r->job.crew->ready, 1);
	while (!get(r->leave)) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		iov.iov_len = sizeof(it);
		got = recvmsg(fd, &m, MSG_DONTWAIT);
		if (got < 0) {
			poll(&p, 1, 5);
			continue;
		}
		roll_seen(r->job.crew, &it, (size_t)got);
		memcpy(&scm, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(scm));
		scm.kind = WEIR_KIND_REPLY;
		scm.flags = 0;
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &scm, sizeof(scm));
		if (sendmsg(fd, &m, 0) != sizeof(it))
			return 23;
	}
	close(fd);
	return 0;
}

static int roll_serve(void *arg)
{
	struct roll *r = arg;

	return r->plain ? roll_plain(r) : roll_library(r);
}

/* Services close one after another, each once the next one serves. */
static void roll(bool plain, bool kill9, const char *what)
{
	struct crew *crew = crew_make();
	int *leave = tap_shared(sizeof(*leave) * 64), i, ready, n = 0, bad = 0;
	int rounds = (int)tap_scale(24, 6);
	const struct weir_route_conf conf = { .timeout_ns = 60 * SECOND };
	struct roll r[64] = { 0 };
	struct crew_job call = {
		.crew = crew,
		.path = PATH,
		.depth = 256,
	};
	struct crew_job calls[CALLERS];
	pid_t servers[64], callers[CALLERS];
	uint64_t died, most;

	/* a slow machine loses none for want of time */
	need(!route_set(PATH, &conf), "route");
	need(rounds + SERVERS <= 64 || (rounds = 64 - SERVERS), "rounds");
	for (i = 0; i < rounds + SERVERS; i++) {
		r[i].job.crew = crew;
		r[i].leave = &leave[i];
		r[i].plain = plain;
	}
	for (; n < SERVERS; n++)
		servers[n] = spawn(roll_serve, &r[n]);
	need(soon(get(&crew->ready) == SERVERS), "services");
	for (i = 0; i < CALLERS; i++) {
		calls[i] = call;
		calls[i].number = (uint32_t)i;
		callers[i] = spawn(crew_call, &calls[i]);
	}
	for (i = 0; i < rounds; i++, n++) {
		need(crew_progress(crew, 500), "progress");
		ready = get(&crew->ready);
		servers[n] = spawn(roll_serve, &r[n]);
		need(soon(get(&crew->ready) > ready), "the next service");
		put(&leave[i], 1);
		if (kill9)
			kill(servers[i], SIGKILL);
		bad += tap_wait(servers[i]) && !kill9;
	}
	need(crew_progress(crew, 500), "progress");
	crew_calm(crew, callers, CALLERS, false, what);
	died = crew_faults(crew, 0) + crew_faults(crew, 1);
	check(!bad, "%s: the services end well", what);
	/*
	 * With the library, the request behind the last release may have been
	 * shown. What a killed service has in hand is lost: two of a batch.
	 */
	most = (uint64_t)rounds * (kill9 ? 3 : plain ? 0 : 1);
	check(!crew_faults(crew, 1) && died <= most,
	      "%s: %llu of %llu are lost, %llu may be", what,
	      (unsigned long long)died,
	      (unsigned long long)(crew_good(crew) + died),
	      (unsigned long long)most);
	for (; i < n; i++) {
		put(&leave[i], 1);
		tap_wait(servers[i]);
	}
	need(!route_del(PATH), "route");
	munmap(leave, sizeof(*leave) * 64);
	crew_free(crew);
}

static void rolls(void)
{
	roll(true, false, "rolling, recv()");
	roll(false, false, "rolling, library");
	roll(true, true, "killed, recv()");
	roll(false, true, "killed, library");
}

int main(void)
{
	hard_begin();
	part(drained);
	part(drained_plain);
	part(plain);
	part(mapped);
	part(same);
	part(left);
	part(held);
	part(limited);
	part(limited_behind);
	part(lies);
	part(circle);
	part(rolls);
	return tap_done();
}
