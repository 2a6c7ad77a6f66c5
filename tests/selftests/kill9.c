// SPDX-License-Identifier: GPL-2.0
/*
 * Processes killed with SIGKILL at any instant, one by one and several at once:
 * publishers of one thread and of four, subscribers, holders of a named cursor,
 * either end of a pair, services, callers, and processes that do nothing but
 * set things up and close them. Each of them dies in its set-up, at its work,
 * or in a close.
 *
 * Survivors beside them sleep in the kernel without a limit and are never
 * killed before the end. They see whole messages in order, all that was
 * committed and at most one more, one answer to each request, and they go on
 * after each death. Afterwards nothing is left.
 *
 * For each victim one of these is chosen, in turn. It kills itself then: a timer
 * of its own sends SIGKILL a random time after the beginning, counted in the time
 * that a set-up takes on this machine, and it dies at the end at the latest. So a
 * death costs no other process, and the timer finds the victim in any system call.
 * Now and then all victims of a cell are killed in a row.
 */
#include <pthread.h>

#include "routed.h"

#define RING		8192
#define THREADS		4	/* of a publisher */
#define VICTIMS		4	/* of a cell at once */
#define CALLERS		(VICTIMS + 2)
#define IN_FLIGHT	16	/* requests of a caller */
#define SEEN		4096	/* requests of a caller that services remember */
#define ENOUGH		24	/* rounds: several for each phase, and one row */
#define ROW		12	/* deaths after which the others are killed as well */
#define HOLD_MS		600000

/* Numbers of messages: which life of the victim it was, and count in that life. */
#define LIFE		(UINT64_C(1) << 32)
#define COUNT(n)	((uint32_t)(n))

enum phase { SETUP, WORK, LEAVE, PHASES };

/**
 * struct victim - what a process that gets killed has told
 * @number: in its cell.
 * @phase: enum phase.
 * @aim: the phase in which it dies, unless the cell kills it before; PHASES: only
 *	the cell kills it.
 * @pass: number of these phases that go by before; negative: it dies in this one.
 * @began_ns, @ready_ns: when it was started, and set up; 0: not yet.
 * @delay_ns: of that phase, after which it is killed.
 * @life: number of its first message.
 * @seed: for its random numbers.
 * @sent: by thread: number behind the last message that is committed for
 *	certain; 0: there is none in this life.
 * @read, @reads: of a named cursor: messages that are released for certain, and
 *	those that may be. Kept from one life to the next.
 * @known: @read is of a cursor that is held.
 * @pairs: of an end of a pair: connections of its lives before.
 * @from: what the survivors had counted when it died.
 */
struct victim {
	int		number;
	int		phase, aim, pass;
	int64_t		began_ns, ready_ns, delay_ns;
	uint64_t	life;
	uint64_t	seed;
	uint64_t	sent[THREADS];
	uint64_t	read, reads;
	bool		known;
	uint64_t	pairs;
	uint64_t	from;
};

/**
 * struct cell - victims of one kind, and their survivors
 * @kind: what they do.
 * @up: survivors that are set up.
 * @stop: callers that survive end.
 * @got: by sender: number behind the newest message that has come.
 * @ended: by victim: connections that have been taken and ended.
 * @answers: that surviving callers have had.
 * @resumed: lives of a named cursor that went on where the last one ended.
 * @killed: by phase; without the first and the last lives.
 * @seen: requests that have come to services, by caller.
 */
struct cell {
	const struct kind *kind;
	struct victim	victim[VICTIMS];
	int		up, stop;
	uint64_t	got[VICTIMS * THREADS];
	uint64_t	ended[VICTIMS];
	uint64_t	answers;
	uint64_t	resumed;
	uint64_t	killed[PHASES];
	uint64_t	seen[CALLERS][SEEN];
};

/**
 * struct kind - a kind of victim
 * @name: of it.
 * @path: of its cell.
 * @victim: what it does until it is killed; returns a fault.
 * @survivor: what each of those beside it does; returns a fault.
 * @settled: have the others come over a death? Only the cell asks.
 */
struct kind {
	const char	*name;
	const char	*path;
	int		(*victim)(struct victim *v);
	int		(*survivor[CALLERS])(void *arg);
	bool		(*settled)(const struct victim *v);
};

static struct cell *cell;

/* A path of this cell, until the next call. */
static const char *at(const char *what, int number)
{
	static char path[64];

	snprintf(path, sizeof(path), "/kill9/%s/%s/%d", cell->kind->path, what,
		 number);
	return path;
}

/* All that is published for the processes that check it. */
static const char *all(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/kill9/%s/m/*", cell->kind->path);
	return path;
}

static void die_after(int64_t ns, int signal)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal,
	};
	struct itimerspec when = {
		.it_value = { ns / SECOND, ns % SECOND },
	};
	timer_t timer;

	need(!timer_create(CLOCK_MONOTONIC, &event, &timer) &&
	     !timer_settime(timer, 0, &when, NULL), "timer");
}

/* A phase ends, and another one begins. */
static void enter(struct victim *v, int phase)
{
	if (v->pass < 0)
		raise(SIGKILL);
	put(&v->phase, phase);
	if (phase == v->aim && !v->pass--)
		die_after(v->delay_ns, SIGKILL);
}

static void ready(struct victim *v)
{
	put(&v->ready_ns, now_ns());
	enter(v, WORK);
}

/* --- publishers ------------------------------------------------------------ */

/* Several claimed at once, some aborted. */
static uint64_t publish_batch(struct weir *w, struct victim *v, uint32_t me,
			      uint32_t len, uint64_t n)
{
	struct weir_buf buf;
	int left = weir_claim_batch(w, len, 1 + rnd() % 8, &buf);

	for (; left > 0; left = weir_claim_next(w, &buf)) {
		if (rnd() % 8 == 0) {
			weir_abort(w, &buf);
			continue;
		}
		item_fill(buf.data, len,
			  (uint32_t)v->number * THREADS + me, n);
		weir_commit_more(w, &buf);
		put(&v->sent[me], ++n);
	}
	weir_flush(w);
	return n;
}

/* Publishes, with claims that stay open for a while; for ever: no @messages. */
static int publish(struct weir *w, struct victim *v, uint32_t me,
		   uint64_t messages)
{
	uint32_t from = (uint32_t)v->number * THREADS + me;
	uint64_t n = v->life;

	while (!messages || n - v->life < messages) {
		uint32_t len = item_len(700);
		struct weir_buf buf;

		if (rnd() % 8 < 2)
			n = publish_batch(w, v, me, len, n);
		if (rnd() % 8 == 0) {
			unsigned char data[700];

			item_fill(data, len, from, n);
			if (send(weir_fd(w), data, len, 0) != (ssize_t)len)
				return 21;
		} else {
			if (weir_claim_wait(w, len, &buf, WEIR_FOREVER))
				return 22;
			item_fill(buf.data, len, from, n);
			if (rnd() % 4)
				weir_commit(w, &buf);
			else
				weir_commit_more(w, &buf);
		}
		put(&v->sent[me], ++n);
	}
	return 0;
}

/* After how many messages it closes, to die then or later; 0: never. */
static uint64_t some(const struct victim *v)
{
	return v->aim == LEAVE ? 1 + rnd() % 200 : 0;
}

static int publisher(struct victim *v)
{
	struct weir_config c = { .ring_bytes = RING };
	struct weir *w;
	int ret;

	if (weir_open(&w, SOCK_RDM, &c) || weir_bind(w, at("m", v->number)))
		return 20;
	ready(v);
	ret = publish(w, v, 0, some(v));
	if (ret)
		return ret;
	enter(v, LEAVE);
	weir_close(w);
	return 0;
}

static struct weir *shared;
static struct victim *shared_victim;

static void *publisher_thread(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	seed(shared_victim->seed + me);
	_exit(publish(shared, shared_victim, me, 0));
}

static int publisher_of_threads(struct victim *v)
{
	struct weir_config c = { .ring_bytes = RING, .flags = WEIR_SHARED };
	uintptr_t i;

	shared_victim = v;
	if (weir_open(&shared, SOCK_RDM, &c) ||
	    weir_bind(shared, at("m", v->number)))
		return 20;
	ready(v);
	for (i = 1; i < THREADS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, publisher_thread, (void *)i))
			return 23;
	}
	return publish(shared, v, 0, 0);
}

/* The number behind the last message of each thread of a stream. */
struct order {
	uint64_t	next[THREADS];
};

/* One message that has come to a survivor: is it whole, and the next one? */
static int take(struct order *o, const void *data, size_t len)
{
	const struct item *it = data;
	uint64_t *next;

	if (!item_good(it, len) || it->from >= VICTIMS * THREADS)
		return 40;
	next = &o->next[it->from % THREADS];
	if (*next ? it->n != *next : COUNT(it->n))
		return 41;
	*next = it->n + 1;
	/* the last one of a stream that has ended may come late */
	if (*next > get(&cell->got[it->from]))
		put(&cell->got[it->from], *next);
	return 0;
}

/* A stream that comes, or goes. */
static int noticed(struct weir *w, const struct weir_notice *no)
{
	struct weir_stream *s = weir_stream_find(w, no->id);

	if (no->type != WEIR_NOTICE_DETACHED)
		return 0;
	if (!s)
		return 42;
	free(s->user);
	s->user = NULL;
	return 0;
}

/* Survives: reads all that is published in the cell. */
static int reader(void *arg)
{
	struct weir_config c = { .flags = WEIR_NOTICES };
	struct weir_msg msg;
	struct weir *w;
	int ret;

	(void)arg;
	if (weir_open(&w, SOCK_RDM, &c) || weir_subscribe(w, all()))
		return 43;
	add(&cell->up, 1);
	for (;;) {
		ret = weir_peek(w, &msg);
		if (ret < 0)
			return 44;
		if (!ret) {
			weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
			continue;
		}
		if (msg.kind == WEIR_KIND_NOTICE) {
			ret = noticed(w, msg.data);
		} else {
			if (!msg.stream->user)
				msg.stream->user = calloc(1, sizeof(struct order));
			ret = take(msg.stream->user, msg.data, msg.len);
		}
		if (ret)
			return ret;
		weir_release(w, &msg);
	}
}

/* What was committed before its death has come, and at most one more. */
static bool all_came(const struct victim *v)
{
	int i;

	for (i = 0; i < THREADS; i++) {
		uint64_t got = get(&cell->got[v->number * THREADS + i]);
		uint64_t sent = v->sent[i] ? v->sent[i] : v->life;

		if (v->sent[i] && got < sent)
			return false;
		need(got <= sent + 1, "%s: %llu messages came, %llu were sent",
		     cell->kind->name, (unsigned long long)got,
		     (unsigned long long)sent);
	}
	return true;
}

/* --- subscribers ----------------------------------------------------------- */

/* Survives: publishes, and is held back by each of them. */
static int published(void *arg)
{
	struct weir_config c = { .ring_bytes = 4096 };
	unsigned char data[400];
	uint64_t n = LIFE;
	struct weir *w;

	(void)arg;
	if (weir_open(&w, SOCK_RDM, &c) || weir_bind(w, at("m", 0)))
		return 45;
	add(&cell->up, 1);
	for (;; n++) {
		uint32_t len = item_len(sizeof(data));

		item_fill(data, len, 0, n);
		if (rnd() & 1 ? weir_send(w, data, len, WEIR_FOREVER) :
		    send(weir_fd(w), data, len, 0) != (ssize_t)len)
			return 46;
		if (rnd() % 32 == 0)
			usleep((useconds_t)(rnd() % 500));
	}
}

/* The first message after a resumption: one that may be the next. */
static bool resumes(struct victim *v, uint64_t n)
{
	if (v->known && (n < v->read || n > v->reads))
		return false;
	if (v->known)
		add(&cell->resumed, 1);
	return true;
}

/* @name: of its cursor; NULL: it has none. */
static int subscribed(struct victim *v, const char *name)
{
	struct weir_config c = { .name = name, .hold_ms = name ? HOLD_MS : 0 };
	uint64_t most = some(v), next = 0, n;
	struct weir_msg msg;
	struct weir *w;

	if (weir_open(&w, SOCK_RDM, &c) || weir_subscribe(w, at("m", 0)))
		return 20;
	ready(v);
	for (n = 0; !most || n < most;) {
		int ret = weir_peek(w, &msg);

		if (ret < 0)
			return 21;
		if (!ret) {
			/* the cursors of the dead may hold the publisher back */
			n += most && name;
			weir_wait(w, WEIR_WAIT_IN, 0,
				  most && name ? MS : WEIR_FOREVER);
			continue;
		}
		do {
			const struct item *it = msg.data;

			if (!item_good(it, msg.len))
				return 22;
			if (next ? it->n != next : name && !resumes(v, it->n))
				return 23;
			next = it->n + 1;
			n++;
		} while (rnd() % 2 && weir_peek_next(w, &msg));
		put(&v->reads, next);
		weir_release(w, &msg);
		put(&v->read, next);
		put(&v->known, true);
	}
	enter(v, LEAVE);
	weir_close(w);
	return 0;
}

static int subscriber(struct victim *v)
{
	return subscribed(v, NULL);
}

static int named(struct victim *v)
{
	char name[16];

	snprintf(name, sizeof(name), "n%d", v->number);
	return subscribed(v, name);
}

/* Cursors that are held end with the process that resumes them. */
static void let_go(void)
{
	int i;

	for (i = 0; i < VICTIMS; i++) {
		struct weir_config c = { 0 };
		struct weir *w;
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		c.name = name;
		need(!weir_open(&w, SOCK_RDM, &c) &&
		     !weir_subscribe(w, at("m", 0)), "%s is resumed", name);
		weir_close(w);
	}
}

/* The publisher goes on, and other readers get what it publishes. */
static bool goes_on(const struct victim *v)
{
	return get(&cell->got[0]) >= v->from + 8;
}

/* --- pairs ----------------------------------------------------------------- */

static int end(struct victim *v, bool writes)
{
	uint64_t most = some(v), next = 0, n;
	unsigned char data[RING];
	struct weir *w;
	int ret = 0;

	if (weir_open(&w, SOCK_SEQPACKET, NULL) ||
	    weir_connect(w, at("l", v->number)))
		return 20;
	ready(v);
	if (writes)
		ret = publish(w, v, 0, most);
	if (ret)
		return ret;
	for (n = 0; !writes && (!most || n < most); n++) {
		ssize_t len = weir_recv(w, data, sizeof(data), WEIR_FOREVER);

		if (len <= 0 || !item_good(data, (size_t)len) ||
		    ((struct item *)data)->n != next++)
			return 24;
	}
	enter(v, LEAVE);
	weir_close(w);
	return 0;
}

static int end_that_writes(struct victim *v)
{
	return end(v, true);
}

static int end_that_reads(struct victim *v)
{
	return end(v, false);
}

/* Reads until the other end is gone. */
static int read_end(struct weir *w)
{
	struct order order = { 0 };
	unsigned char data[700];
	int ret = 0;

	while (!ret) {
		ssize_t len = weir_recv(w, data, sizeof(data), WEIR_FOREVER);

		if (len == -EPIPE)
			return 0;
		ret = len < 0 ? 47 : take(&order, data, (size_t)len);
	}
	return ret;
}

/* Writes until the other end is gone. */
static int write_end(struct weir *w)
{
	unsigned char data[700];
	uint64_t n;
	int ret;

	for (n = 0;; n++) {
		uint32_t len = item_len(sizeof(data));

		item_fill(data, len, 0, n);
		ret = weir_send(w, data, len, WEIR_FOREVER);
		if (ret)
			return ret == -EPIPE ? 0 : 48;
	}
}

/* Survives: the other end of one victim after the other. */
static int other_end(void *arg)
{
	int number = (int)(uintptr_t)arg, ret;
	struct weir *l, *w;

	if (weir_open(&l, SOCK_SEQPACKET, NULL) ||
	    weir_bind(l, at("l", number)) || weir_listen(l, 4))
		return 49;
	add(&cell->up, 1);
	for (;;) {
		if (weir_accept(l, &w, WEIR_FOREVER))
			return 50;
		ret = cell->kind->victim == end_that_writes ? read_end(w) :
							     write_end(w);
		if (ret)
			return ret;
		weir_close(w);
		add(&cell->ended[number], 1);
	}
}

/* The other end has seen it, and waits for the next one. */
static bool let_off(const struct victim *v)
{
	if (cell->kind->victim == end_that_writes && !all_came(v))
		return false;
	return !v->ready_ns || get(&cell->ended[v->number]) > v->pairs;
}

/* --- services and callers -------------------------------------------------- */

/* @most: requests until it closes, 0: never. */
static int serve(struct victim *v, uint64_t most)
{
	struct weir_config c = { .ring_bytes = 1 << 15,
				 .inbox_bytes = 1 << 15 };
	struct weir *w;
	uint64_t n;

	if (weir_open(&w, SOCK_RDM, &c) || weir_serve(w, at("r", 0), 1, NULL))
		return 20;
	if (v)
		ready(v);
	else
		add(&cell->up, 1);
	for (n = 0; !most || n < most;) {
		struct weir_ticket ticket;
		unsigned char data[300];
		struct weir_msg msg;
		int ret = weir_peek(w, &msg);
		const struct item *it;

		if (ret < 0)
			return 21;
		if (!ret) {
			weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0,
				  WEIR_FOREVER);
			continue;
		}
		it = msg.data;
		if (msg.kind != WEIR_KIND_REQUEST || msg.len > sizeof(data) ||
		    !item_good(it, msg.len) || it->from >= CALLERS)
			return 22;
		/* even ones may be done once */
		if (__atomic_exchange_n(&cell->seen[it->from][it->n % SEEN],
					it->n + 1, __ATOMIC_SEQ_CST) ==
		    it->n + 1 && !(it->n & 1))
			return 23;
		ticket = weir_ticket(&msg);
		memcpy(data, it, msg.len);
		weir_release(w, &msg);
		/* a caller that is killed does not read, which is no fault */
		ret = weir_reply(w, &ticket, data, msg.len, HARD_DEADLINE_NS);
		if (ret)
			return 24;
		n++;
	}
	enter(v, LEAVE);
	weir_close(w);
	return 0;
}

static int service(struct victim *v)
{
	return serve(v, some(v));
}

/* An answer: there is one to each request, of the router or its own payload. */
static int answered(const struct weir_msg *msg, uint64_t *open, uint32_t me)
{
	uint64_t *slot = &open[msg->rec->tag % IN_FLIGHT];
	const struct item *it = msg->data;
	struct weir_refusal fault;

	if (COUNT(*slot) != msg->rec->tag + 1)
		return 30;
	if (!weir_refusal_get(msg, &fault) &&
	    (msg->kind != WEIR_KIND_REPLY || !item_good(it, msg->len) ||
	     it->n + 1 != *slot || it->from != me))
		return 31;
	*slot = 0;
	return 0;
}

/* Sends requests until there are enough in flight; how many more those are. */
static uint32_t send_some(struct weir *w, uint32_t route, uint32_t me,
			  uint64_t *open, uint64_t *n)
{
	uint32_t more = 0;

	for (; !open[*n % IN_FLIGHT]; ++*n, more++) {
		struct weir_call call = {
			.route = route, .tag = COUNT(*n),
			.flags = *n & 1 ? WEIR_REC_IDEMPOTENT : 0,
		};
		uint32_t len = item_len(300);
		unsigned char data[300];

		item_fill(data, len, me, *n);
		if (request(w, &call, data, len))
			break;
		open[*n % IN_FLIGHT] = *n + 1;
	}
	return more;
}

/* @v: NULL for one that survives, which ends when it is told to. */
static int call(struct victim *v, uint32_t me, uint64_t n, uint64_t most)
{
	uint64_t open[IN_FLIGHT] = { 0 }, end = most ? n + most : UINT64_MAX;
	uint32_t pending = 0;
	struct weir_msg msg;
	struct weir *w;
	int route, ret;

	if (weir_open(&w, SOCK_RDM, NULL))
		return 32;
	route = weir_route(w, at("r", 0));
	if (route < 1)
		return 33;
	if (v)
		ready(v);
	else
		add(&cell->up, 1);
	while (pending || (!get(&cell->stop) && n < end)) {
		if (!get(&cell->stop) && n < end)
			pending += send_some(w, (uint32_t)route, me, open, &n);
		if (pending)
			weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0,
				  WEIR_FOREVER);
		while ((ret = weir_peek(w, &msg)) == 1) {
			ret = answered(&msg, open, me);
			if (ret)
				return ret;
			weir_release(w, &msg);
			pending--;
			if (!v)
				add(&cell->answers, 1);
		}
		if (ret < 0)
			return 34;
		if (rnd() % 4 == 0)
			usleep((useconds_t)(rnd() % 500));
	}
	if (v)
		enter(v, LEAVE);
	weir_close(w);
	return 0;
}

static int caller_killed(struct victim *v)
{
	return call(v, (uint32_t)v->number, v->life, some(v));
}

static int caller_that_survives(void *arg)
{
	return call(NULL, VICTIMS + (uint32_t)(uintptr_t)arg, LIFE, 0);
}

static int service_that_survives(void *arg)
{
	(void)arg;
	return serve(NULL, 0);
}

static bool are_answered(const struct victim *v)
{
	return get(&cell->answers) >= v->from + 8;
}

/* --- set-up and close ------------------------------------------------------ */

static void pair_up(struct weir *w, int number)
{
	struct weir *c, *a;

	if (weir_bind(w, at("y", number)) || weir_listen(w, 2))
		return;
	if (!weir_open(&c, SOCK_SEQPACKET, NULL)) {
		if (!weir_connect(c, at("y", number)) &&
		    !weir_accept(w, &a, WEIR_DONTWAIT)) {
			weir_send(c, "x", 1, WEIR_DONTWAIT);
			weir_close(a);
		}
		weir_close(c);
	}
}

static void route_up(struct weir *w, int number)
{
	struct weir_route_op op[2] = {
		route_op(WEIR_OP_ROUTE_SET, at("v", number), "", 0, 0),
	};

	op[0].conf = quiet;
	op[1] = route_op(rnd() & 1 ? WEIR_OP_TARGET_ADD : WEIR_OP_TARGET_DEL,
			 op[0].path, at("v", (number + 1) % VICTIMS), 0, 1);
	if (rnd() % 4 == 0)
		op[0].op = WEIR_OP_ROUTE_DEL;
	control_by(weir_fd(w), op, 1 + rnd() % 2, NULL);
}

static void call_up(struct weir *w, int number)
{
	struct weir_call call = { .tag = 1 };
	int route = weir_route(w, at("v", number));

	call.route = (uint32_t)route;
	if (route > 0 && !request(w, &call, "x", 1))
		weir_flush(w);
}

/*
 * Sets up one thing and closes it. Some of them are refused, as another victim
 * has the name, which is no fault. Returns a fault.
 */
static int set_up(struct victim *v)
{
	int what = (int)(rnd() % 8), number = (int)(rnd() % VICTIMS);
	struct weir_config c = {
		.ring_bytes = 4096, .inbox_bytes = 4096,
		.linger_ms = rnd() & 1 ? (uint32_t)(1 + rnd() % 50) : 0,
		.hold_ms = rnd() & 1 ? (uint32_t)(1 + rnd() % 50) : 0,
		.name = what == 3 ? "z" : NULL,
	};
	struct weir *w;

	if (weir_open(&w, what == 7 ? SOCK_SEQPACKET : SOCK_RDM, &c))
		return 25;
	switch (what) {
	case 0:
	case 1:
		if (!weir_bind(w, at("x", number)))
			weir_send(w, "x", 1, WEIR_DONTWAIT);
		break;
	case 2:
	case 3:
		weir_subscribe(w, at("x", number));
		break;
	case 4:
		weir_serve(w, at("v", number), 1, NULL);
		break;
	case 5:
		call_up(w, number);
		break;
	case 6:
		route_up(w, number);
		break;
	default:
		pair_up(w, number);
	}
	enter(v, LEAVE);
	weir_close(w);
	return 0;
}

static int changer(struct victim *v)
{
	int ret;

	for (;;) {
		ret = set_up(v);
		if (ret)
			return ret;
		if (!v->ready_ns)
			put(&v->ready_ns, now_ns());
		enter(v, SETUP);
	}
}

/* Settings of paths stay when the processes that made them are dead. */
static void routes_end(void)
{
	struct weir_route_op op;
	int fd = tap_socket(SOCK_RDM), i, k;

	for (i = 0; i < VICTIMS; i++) {
		op = route_op(WEIR_OP_TARGET_DEL, at("v", i), "", 0, 0);
		strcpy(op.target_path, at("v", (i + 1) % VICTIMS));
		for (k = 0; k < 2; k++) {
			control_by(fd, &op, 1, NULL);
			op = route_op(WEIR_OP_ROUTE_DEL, at("v", i), "", 0, 0);
		}
	}
	close(fd);
}

/* --- cells ----------------------------------------------------------------- */

static const struct kind kinds[] = {
	{ "publisher", "p", publisher, { reader }, all_came },
	{ "publisher of four threads", "t", publisher_of_threads, { reader },
	  all_came },
	{ "subscriber", "s", subscriber, { reader, published }, goes_on },
	{ "holder of a named cursor", "n", named, { reader, published }, NULL },
	{ "pair, the end that writes", "w", end_that_writes,
	  { other_end, other_end, other_end, other_end }, let_off },
	{ "pair, the end that reads", "r", end_that_reads,
	  { other_end, other_end, other_end, other_end }, let_off },
	{ "service", "sv",  service,
	  { caller_that_survives, caller_that_survives }, are_answered },
	{ "caller", "c", caller_killed,
	  { service_that_survives, caller_that_survives }, are_answered },
	{ "set-up and close", "x", changer, { NULL }, NULL },
};

#define KINDS	((int)(sizeof(kinds) / sizeof(kinds[0])))

/* A victim that has closed what it worked with sets other things up. */
static int victim(void *arg)
{
	struct victim *v = arg;
	int ret;

	seed(v->seed);
	v->began_ns = now_ns();
	/* not to come to where it is to die is a fault */
	die_after(HARD_DEADLINE_NS, SIGALRM);
	enter(v, SETUP);
	ret = cell->kind->victim(v);
	if (ret)
		return ret;
	enter(v, SETUP);
	return changer(v);
}

/*
 * Some time in a phase: at work often within twice of what a set-up takes, and
 * sometimes early or late. A close is short.
 */
static int64_t some_time(int aim, int64_t setup_ns)
{
	static const int halves[] = { 1, 1, 4, 4, 4, 4, 4, 24 };
	int64_t most = setup_ns;

	if (aim == WORK)
		most = setup_ns * halves[rnd() % 8] / 2;
	else if (aim == LEAVE && rnd() & 1)
		most = 20000;
	return 1 + (int64_t)(rnd() % (uint64_t)most);
}

/* Where a victim dies. Not all work, and not all close what they work with. */
static int aim_of(long number)
{
	int aim = (int)(number % PHASES);

	if (aim == WORK && cell->kind->victim == changer)
		return SETUP;
	if (aim == LEAVE && cell->kind->victim == publisher_of_threads)
		return WORK;
	return aim;
}

/* What it sets up, uses or closes before it dies. */
static int pass_of(int aim)
{
	if (cell->kind->victim == changer)
		return (int)(rnd() % 8);
	return aim == LEAVE ? (int)(rnd() % 3) : 0;
}

static pid_t next_life(struct victim *v, int aim, int64_t setup_ns)
{
	v->phase = SETUP;
	v->aim = aim;
	v->pass = pass_of(aim);
	v->life += LIFE;
	v->seed = rnd();
	v->delay_ns = some_time(aim, setup_ns);
	v->ready_ns = 0;
	memset(v->sent, 0, sizeof(v->sent));
	return spawn(victim, v);
}

/* What a set-up takes, in the mean of those that were not cut off. */
static void learn(const struct victim *v, int64_t *setup_ns)
{
	if (v->ready_ns)
		*setup_ns += (v->ready_ns - v->began_ns - *setup_ns) / 8;
	if (*setup_ns < 1000)
		*setup_ns = 1000;
}

/* A victim is dead: what its survivors have to reach is noted in it. */
static void dead(struct victim *v, int64_t *setup_ns)
{
	if (v->aim < PHASES)
		cell->killed[v->phase]++;
	learn(v, setup_ns);
	if (cell->kind->settled == goes_on)
		v->from = get(&cell->got[0]);
	else if (cell->kind->settled == are_answered)
		v->from = get(&cell->answers);
}

static bool settle(struct victim *v)
{
	if (cell->kind->settled && !cell->kind->settled(v))
		return false;
	if (cell->kind->settled == let_off && v->ready_ns)
		v->pairs++;
	return true;
}

/* Survivors are there before the first victim and end after the last one. */
static int survivors_begin(pid_t *pid)
{
	int n;

	for (n = 0; n < CALLERS && cell->kind->survivor[n]; n++) {
		pid[n] = spawn(cell->kind->survivor[n], (void *)(intptr_t)n);
		if (!soon(get(&cell->up) > n))
			return -1;
	}
	return n;
}

static int survivors_end(const pid_t *pid, int n)
{
	int i, status, ret = 0;

	put(&cell->stop, 1);
	for (i = n - 1; i >= 0; i--) {
		if (cell->kind->survivor[i] != caller_that_survives)
			continue;
		status = tap_wait(pid[i]);
		ret = ret ? ret : status;
	}
	if (cell->kind->victim == named)
		let_go();
	for (i = 0; i < n; i++) {
		if (cell->kind->survivor[i] != caller_that_survives)
			tap_kill(pid[i]);
	}
	routes_end();
	return ret;
}

static int of_pid(const pid_t *pids, pid_t pid)
{
	int i;

	for (i = 0; i < VICTIMS; i++) {
		if (pids[i] == pid)
			return i;
	}
	return -1;
}

/* The first one is killed as soon as it is set up: this tells how long it takes. */
static bool first_life(int64_t *setup_ns)
{
	struct victim *v = &cell->victim[0];
	pid_t pid = next_life(v, PHASES, 1);

	if (!soon(get(&v->ready_ns)))
		return false;
	*setup_ns = v->ready_ns - v->began_ns;
	tap_kill(pid);
	dead(v, setup_ns);
	return soon(settle(v));
}

static bool all_known(void)
{
	int i;

	for (i = 0; i < VICTIMS; i++) {
		if (!get(&cell->victim[i].known))
			return false;
	}
	return true;
}

/*
 * The last two lives of named cursors: one in which all of them read, and one in
 * which they go on. Before, chance may have killed each too early for that.
 */
static bool last_lives(int64_t *setup_ns)
{
	uint64_t resumed = get(&cell->resumed);
	pid_t pids[VICTIMS];
	bool there = true;
	int i, life;

	for (life = 0; life < 2 && there; life++) {
		for (i = 0; i < VICTIMS; i++)
			pids[i] = next_life(&cell->victim[i], PHASES, 1);
		there = soon(life ? get(&cell->resumed) > resumed :
			     all_known());
		for (i = 0; i < VICTIMS; i++) {
			tap_kill(pids[i]);
			dead(&cell->victim[i], setup_ns);
		}
	}
	return there;
}

/* Kills @rounds victims and waits after each death until it is got over. */
static int kill_them(long rounds)
{
	int64_t setup_ns, until[VICTIMS] = { 0 };
	int i, alive = 0, settling = 0, status;
	pid_t pids[VICTIMS] = { 0 };
	long deaths = 0;

	if (!first_life(&setup_ns))
		return 63;
	rounds--;
	while (rounds > 0 || alive || settling) {
		pid_t pid;

		for (i = 0; i < VICTIMS; i++) {
			struct victim *v = &cell->victim[i];

			if (until[i] && settle(v)) {
				until[i] = 0;
				settling--;
			}
			if (until[i] && now_ms() > until[i])
				return 60;
			if (!until[i] && !pids[i] && rounds-- > 0) {
				pids[i] = next_life(v, aim_of(rounds),
						    setup_ns);
				alive++;
			}
		}
		if (settling)
			usleep(300);
		pid = alive ? waitpid(-1, &status, settling ? WNOHANG : 0) : 0;
		if (pid <= 0)
			continue;
		i = of_pid(pids, pid);
		/* none ends by itself; what it returned is what was wrong */
		if (i < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			return WIFEXITED(status) && WEXITSTATUS(status) ?
			       WEXITSTATUS(status) : 61;
		pids[i] = 0;
		alive--;
		dead(&cell->victim[i], &setup_ns);
		until[i] = now_ms() + HARD_DEADLINE_MS;
		settling++;
		/* fewer than die in a phase, so that each phase is met */
		if (++deaths % ROW == 0) {
			for (i = 0; i < VICTIMS; i++) {
				if (pids[i])
					kill(pids[i], SIGKILL);
			}
		}
	}
	if (cell->kind->victim == named && !last_lives(&setup_ns))
		return 63;
	return 0;
}

static int run_cell(void *arg)
{
	long rounds = *(long *)arg;
	pid_t survivors[CALLERS];
	int n, i, ret;

	seed(tap_seed() << 8 | (uint64_t)(cell->kind - kinds));
	for (i = 0; i < VICTIMS; i++)
		cell->victim[i].number = i;
	n = survivors_begin(survivors);
	if (n < 0)
		return 62;
	ret = kill_them(rounds);
	return ret ? ret : survivors_end(survivors, n);
}

static void end_of(struct cell *c, pid_t pid)
{
	int status, ret;

	waitpid(pid, &status, 0);
	ret = tap_exit_status(status);
	check(!ret, "%s: killed %llu times (%d)", c->kind->name,
	      (unsigned long long)(c->killed[SETUP] + c->killed[WORK] +
				   c->killed[LEAVE]), ret);
	note("in a set-up %llu, at work %llu, in a close %llu",
	     (unsigned long long)c->killed[SETUP],
	     (unsigned long long)c->killed[WORK],
	     (unsigned long long)c->killed[LEAVE]);
	check(c->killed[SETUP], "some in a set-up");
	if (c->kind->victim != changer)
		check(c->killed[WORK], "and some at work");
	if (c->kind->victim != publisher_of_threads)
		check(c->killed[LEAVE], "and some in a close");
	if (c->kind->victim == named)
		check(c->resumed, "%llu went on where the last one ended",
		      (unsigned long long)c->resumed);
	munmap(c, sizeof(*c));
}

int main(void)
{
	struct cell *cells[KINDS];
	struct counters before;
	long rounds = tap_scale(80, ENOUGH);
	pid_t pid[KINDS];
	int i;

	hard_begin();
	before = counters();
	for (i = 0; i < KINDS; i++) {
		cells[i] = tap_shared(sizeof(*cells[i]));
		cells[i]->kind = &kinds[i];
		cell = cells[i];
		pid[i] = spawn(run_cell, &rounds);
	}
	for (i = 0; i < KINDS; i++)
		end_of(cells[i], pid[i]);
	check_counters(&before);
	check_routes_gone("afterwards");
	check(!in_flight_count(), "no request is in flight");
	check_kernel();
	return tap_done();
}
