// SPDX-License-Identifier: GPL-2.0
/*
 * Breadth: a user makes routes behind routes, with as many targets as it gets,
 * from the leaves up and from the top down, and sends requests that no target
 * takes. The graph is refused beyond a size; a request is refused after a
 * number of targets, so that it costs a bounded multiple of one that is refused
 * at once; and a victim's round trips, on the same processor and on another,
 * are no longer than beside a plain loop.
 *
 * A target refuses what is larger than its inbox: no inbox need be filled.
 */
#include "tenants.h"

#define INBOX		4096
#define TOO_LARGE	8192	/* bytes of a request */
#define WAYS_MAX	512	/* from a route to those behind it */
#define LEAVES_MAX	120
#define SERVES		50	/* paths of one socket */

static long leaves, middles, sockets;

/**
 * struct found - what the attacker tells the test, in shared memory
 * @built: the graph is there.
 * @go: set by the test: send, until it is 0.
 * @done: rounds of requests that were answered.
 * @reason: of the last refusal.
 * @err: of the edge that was refused.
 * @edges: that were not.
 * @wide_ns: the shortest time of a request to the graph.
 * @one_ns: and to a single target.
 * @delivered: of 256 targets one takes it: requests that it got.
 */
struct found {
	int built, go, done;
	uint32_t reason;
	int err[6];
	long edges[4];
	uint64_t wide_ns, one_ns;
	long delivered;
};

static struct found *found;

static int edge(int fd, const char *from, const char *to)
{
	struct weir_route_op op = { .op = WEIR_OP_TARGET_ADD, .weight = 1 };
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(op), .count = 1,
		.ops = (uintptr_t)&op,
	};

	strcpy(op.path, from);
	strcpy(op.target_path, to);
	return ioctl(fd, WEIR_IOC_CONTROL, &ctl) ? errno : 0;
}

static int serve(int fd, const char *path)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, path, strlen(path));
}

static int server(int inbox_bytes)
{
	int fd = tap_socket(SOCK_RDM);

	if (tap_setopt(fd, WEIR_SO_RING_BYTES, 4096) ||
	    tap_setopt(fd, WEIR_SO_INBOX_BYTES, inbox_bytes))
		_exit(2);
	return fd;
}

static const char *name(const char *what, long i, long k)
{
	static char names[4][64];
	static int n;

	n = (n + 1) % 4;
	snprintf(names[n], sizeof(names[n]), "/wide/%s/%ld/%ld", what, i, k);
	return names[n];
}

/* Leaves with sockets behind them. */
static void leaves_serve(void)
{
	long i, k, group;
	int fd;

	for (group = 0; group < leaves; group += SERVES) {
		for (k = 0; k < sockets; k++) {
			fd = server(INBOX);
			for (i = group; i < leaves && i < group + SERVES; i++)
				if (serve(fd, name("leaf", i, 0)))
					_exit(3);
		}
	}
}

/* From the leaves up: each middle has them all, the top has the middles. */
static void build_up(int fd)
{
	long i, k;

	for (k = 0; k < middles; k++)
		for (i = 0; i < leaves; i++)
			if (edge(fd, name("up", k, 0), name("leaf", i, 0)))
				_exit(4);
	for (k = 0; k < middles && !found->err[0]; k++)
		found->err[0] = edge(fd, "/wide/top", name("up", k, 0));
	found->edges[0] = k - 1;
}

/* From the top down: chains of routes first, then what they end in. */
static void build_down(int fd)
{
	long i, k;

	for (k = 0; k < middles; k++)
		if (edge(fd, "/wide/down", name("down", k, 0)))
			_exit(4);
	found->edges[1] = k;
	for (k = 0; k < middles && !found->err[1]; k++) {
		for (i = 0; i < leaves && !found->err[1]; i++) {
			found->err[1] = edge(fd, name("down", k, 0),
					     name("leaf", i, 0));
			found->edges[1] += !found->err[1];
		}
	}

	/* one behind the other */
	for (k = 0; k < 8 && !found->err[2]; k++)
		found->err[2] = edge(fd, name("chain", k, 0),
				     name("chain", k + 1, 0));
	found->edges[2] = k - 1;
	found->err[3] = edge(fd, name("chain", 2, 0), name("chain", 0, 0));
	/* circles that are shorter than a chain may be */
	if (edge(fd, name("two", 0, 0), name("two", 1, 0)))
		_exit(4);
	found->err[4] = edge(fd, name("two", 1, 0), name("two", 0, 0));
	found->err[5] = edge(fd, name("one", 0, 0), name("one", 0, 0));
}

/*
 * One request that nobody takes; nanoseconds that the send took. What it is
 * refused for goes to @found.
 */
static uint64_t refused(int fd, const char *path)
{
	static char large[TOO_LARGE];
	struct weir_scm_route scm = {
		.kind = WEIR_KIND_REQUEST, .flags = WEIR_REC_REFUSE,
	};
	struct weir_refusal *fault = (void *)large;
	uint64_t begin = tenant_now_ns(), took;

	if (tenant_send(fd, path, large, sizeof(large), 0, &scm) < 0)
		_exit(5);
	took = tenant_now_ns() - begin;
	if (tap_poll(fd, POLLIN, TAP_DEADLINE_MS) <= 0 ||
	    tenant_recv(fd, large, sizeof(large), 0, &scm) < 0 ||
	    scm.kind != WEIR_KIND_ERROR)
		_exit(6);
	found->reason = fault->reason;
	return took;
}

/* Of the targets of one route all are asked, if need be. */
static long one_of_all(int fd)
{
	struct weir_scm_route scm;
	static char buf[TOO_LARGE];
	long i, n = 0;
	int last;

	for (i = 0; i < 255; i++)
		if (serve(server(INBOX), "/wide/many"))
			_exit(7);
	last = server(65536);
	if (serve(last, "/wide/many"))
		_exit(8);
	for (i = 0; i < 8; i++) {
		memset(&scm, 0, sizeof(scm));
		scm.kind = WEIR_KIND_EVENT;
		if (tenant_send(fd, "/wide/many", buf, sizeof(buf), 0, &scm) < 0)
			_exit(9);
		n += tap_poll(last, POLLIN, TAP_DEADLINE_MS) > 0 &&
		     tenant_recv(last, buf, sizeof(buf), 0, &scm) ==
		     sizeof(buf);
	}
	return n;
}

static int attack(void *arg TAP_UNUSED)
{
	int fd = tap_socket(SOCK_RDM), ctl = tap_socket(SOCK_RDM);
	uint64_t ns;
	int i;

	tenant_on_cpu(0);
	leaves_serve();
	build_up(ctl);
	build_down(ctl);
	if (serve(server(INBOX), "/wide/one"))
		return 10;
	tap_setopt(fd, WEIR_SO_RING_BYTES, 65536);
	found->one_ns = found->wide_ns = ~0ull;
	for (i = 0; i < 20; i++) {
		ns = refused(fd, "/wide/one");
		if (ns < found->one_ns)
			found->one_ns = ns;
	}
	for (i = 0; i < 10; i++) {
		ns = refused(fd, "/wide/top");
		if (ns < found->wide_ns)
			found->wide_ns = ns;
	}
	found->delivered = one_of_all(fd);
	__atomic_store_n(&found->built, 1, __ATOMIC_RELEASE);
	for (;;) {
		if (!__atomic_load_n(&found->go, __ATOMIC_ACQUIRE)) {
			usleep(1000);
			continue;
		}
		refused(fd, "/wide/top");
		__atomic_add_fetch(&found->done, 1, __ATOMIC_RELEASE);
	}
}

/* A process that only uses the processor. */
static int plain_loop(void *arg TAP_UNUSED)
{
	tenant_on_cpu(0);
	for (;;)
		__asm__ volatile("" ::: "memory");
	return 0;
}

static struct tenant_meter *meter[2];

enum phase { ALONE, PLAIN, BESIDE, BETWEEN };

static const char *const phase_name[] = {
	"alone", "beside a plain loop", "beside the attack",
};

static void switch_to(int phase)
{
	tenant_begin(meter[0], phase);
	tenant_begin(meter[1], phase);
}

static void measure(int phase)
{
	uint64_t rounds = (uint64_t)tap_scale(200, 40);

	switch_to(phase);
	tap_ok(tenant_measured(meter[0], phase, rounds) &&
	       tenant_measured(meter[1], phase, rounds),
	       "%s: the victims are served", phase_name[phase]);
	switch_to(BETWEEN);
}

/* The attacker has built what it may, and nothing that is wider. */
static void check_graph(void)
{
	tap_diag("%ld leaves of %ld sockets; up %ld edges, down %ld, a chain %ld",
		 leaves, sockets, found->edges[0], found->edges[1],
		 found->edges[2]);
	tap_ok(found->err[0] == ELOOP && found->edges[0] == middles - 1,
	       "built from its leaves up, a graph is refused when it is too wide");
	tap_ok(found->err[1] == ELOOP && found->edges[1] == WAYS_MAX,
	       "so is one built from the top down");
	tap_ok(found->err[2] == ELOOP && found->edges[2] == 4,
	       "and when it is too long");
	tap_is(found->err[3], ELOOP, "a circle is refused");
	tap_is(found->err[4], ELOOP, "a circle of two routes is refused");
	tap_is(found->err[5], ELOOP, "a route behind itself is refused");
	tap_is(found->delivered, 8,
	       "of 256 targets of which one takes a message, that one gets it");

	tap_diag("refused by one target: %llu us, by the graph: %llu us",
		 (unsigned long long)found->one_ns / 1000,
		 (unsigned long long)found->wide_ns / 1000);
	tap_ok(found->wide_ns < 200 * found->one_ns,
	       "a request through the graph costs at most 200 times as much as one that is refused at once");
	tap_is(found->reason, WEIR_REASON_TRIES,
	       "it is refused after a number of tries");
}

/* Beside the attack; how many requests it has sent meanwhile. */
static int measure_attack(void)
{
	int done = found->done;

	__atomic_store_n(&found->go, 1, __ATOMIC_RELEASE);
	if (!tap_until(__atomic_load_n(&found->done, __ATOMIC_ACQUIRE) >
		       done + 2))
		tap_bail("no attack");
	done = found->done;
	measure(BESIDE);
	done = found->done - done;
	__atomic_store_n(&found->go, 0, __ATOMIC_RELEASE);
	return done;
}

/* Measures the victims in rounds; how many requests the attacker sent. */
static int measure_rounds(struct tenant_verdict *verdict)
{
	pid_t loop = tenant_start(TENANT_OTHER, plain_loop, NULL);
	int i, phase, done = 0;
	char words[64];

	tenant_pause(loop);
	while (tenant_undecided(&verdict[0]) || tenant_undecided(&verdict[1])) {
		measure(ALONE);
		kill(loop, SIGCONT);
		measure(PLAIN);
		tenant_pause(loop);
		done += measure_attack();
		for (i = 0; i < 2; i++)
			tenant_compare(&verdict[i],
				       tenant_last(meter[i], BESIDE, 900),
				       tenant_last(meter[i], PLAIN, 900) +
				       tenant_last(meter[i], ALONE, 900));
	}
	tap_kill(loop);
	for (i = 0; i < 2; i++) {
		for (phase = ALONE; phase <= BESIDE; phase++) {
			snprintf(words, sizeof(words), "%s, %s processor",
				 phase_name[phase], i ? "another" : "the same");
			tenant_show(meter[i], phase, words);
		}
	}
	return done;
}

int main(void)
{
	struct tenant_job job[2];
	pid_t service[2], caller[2], attacker;
	struct tenant_verdict verdict[2] = { { .limit = 2 }, { .limit = 2 } };
	char words[64];
	int i, done;

	tap_family();
	tap_watchdog(600);
	leaves = tap_scale(LEAVES_MAX, 24);
	sockets = tap_scale(48, 8);
	middles = WAYS_MAX / (leaves + 1) + 1;
	found = tap_shared(sizeof(*found));
	attacker = tenant_start(TENANT_ATTACKER, attack, NULL);
	if (!tap_until(__atomic_load_n(&found->built, __ATOMIC_ACQUIRE)))
		tap_bail("the attacker's graph is not there");
	check_graph();

	for (i = 0; i < 2; i++) {
		meter[i] = tenant_meter_new();
		job[i] = (struct tenant_job){
			.path = i ? "/victim/far" : "/victim/near",
			.meter = meter[i],
			.cpu = i && sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0,
		};
		tenant_victim(TENANT_VICTIM, &job[i], &service[i], &caller[i]);
	}
	done = measure_rounds(verdict);
	tap_kill(attacker);
	tap_ok(done > 0, "the attack went on (%d requests)", done);
	for (i = 0; i < 2; i++) {
		tap_ok(!meter[i]->phases[BESIDE].bad, "%s: no answer is lost",
		       job[i].path);
		snprintf(words, sizeof(words),
			 "%s: round trips are as beside a plain loop",
			 job[i].path);
		tenant_judge(&verdict[i], words);
		tap_ok(tenant_victim_end(&job[i], service[i], caller[i]),
		       "%s: ends well", job[i].path);
	}
	tenant_routes_end();
	tap_ok(tap_until(!tap_stat("stats/charged_objects")),
	       "nothing is charged any more");
	return tap_done();
}
