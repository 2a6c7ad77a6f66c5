// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that closes a socket last pays for the close alone, and not for what
 * the socket's owner left in its outbox. An attacker passes its socket on, with
 * many messages that are committed and not routed, also behind a claim that
 * stays open, and ends. The victim closes it: this costs the victim about as
 * much as with few messages, and all messages come where they go to. The same
 * holds for a service that an attacker has many open calls to, for a stream with
 * many records, which end with a claim that stays open, and for a listener with
 * many sockets in its queue.
 */
#include "routed.h"
#include "tenants.h"

#define TO	"/last/to"
#define STREAM	"/last/stream"
#define LISTENER	"/last/listener"
#define RING	(8U << 20)
#define ROUNDS	5

/**
 * struct leave - what an attacker leaves behind
 * @messages: committed ones.
 * @hole: a claim stays open before them.
 * @via: where it sends its socket to.
 * @service: socket of the service, which its caller inherits.
 */
struct leave {
	uint32_t messages;
	int hole;
	int via;
	int service;
};

static int attack(void *arg)
{
	const struct leave *l = arg;
	struct weir *w = handle(RING, 0);
	struct weir_call call = { .route = route_of(w, TO), .one_way = 1 };
	struct weir_buf buf;
	uint32_t i;

	if (l->hole)
		need(!weir_call_claim(w, &call, 8, &buf), "claim");
	for (i = 0; i < l->messages; i++)
		need(!request(w, &call, &i, sizeof(i)), "commit %u", i);
	need(!send_fd(l->via, &w->fd, 1), "pass the socket on");
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* Publishes records that nobody reads. */
static int publish(void *arg)
{
	const struct leave *l = arg;
	struct weir *w = handle(RING, 0);
	struct weir_buf buf;
	uint32_t i;

	need(!weir_bind(w, STREAM), "bind: %s", weir_error());
	for (i = 0; i < l->messages; i++)
		need(!weir_send(w, &i, sizeof(i), 0), "publish %u", i);
	need(!weir_claim(w, 8, &buf), "claim");
	need(!send_fd(l->via, &w->fd, 1), "pass the socket on");
	return 0;
}

/* Connects @messages sockets to a listener that takes none. */
static int crowd(void *arg)
{
	const struct leave *l = arg;
	int fd = raw_publisher(SOCK_SEQPACKET, LISTENER, 4096), c;
	uint32_t i;

	need(fd >= 0 && !listen(fd, (int)l->messages), "listen: %s",
	     tap_words(fd));
	for (i = 0; i < l->messages; i++) {
		c = raw_socket(SOCK_SEQPACKET);
		need(!raw_set(c, WEIR_SO_RING_BYTES, 4096) &&
		     !raw_connect(c, LISTENER), "connect %u: %s", i,
		     tap_words(c));
	}
	need(!send_fd(l->via, &fd, 1), "pass the socket on");
	return 0;
}

/* Has a process pass its socket on, and end. */
static int left_by(int (*run)(void *arg), struct leave *l)
{
	int sv[2], fd;
	pid_t pid;

	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), "socketpair");
	l->via = sv[1];
	pid = tenant_start(TENANT_ATTACKER, run, l);
	fd = recv_fd(sv[0]);
	need(fd >= 0 && !tap_wait(pid), "the attacker passes its socket on");
	close(sv[0]);
	close(sv[1]);
	return fd;
}

static uint64_t close_ns(int fd)
{
	uint64_t began = cpu_ns();

	close(fd);
	return cpu_ns() - began;
}

/*
 * A socket that is not routed. @run: what its owner does. @rings: that there are
 * when all of the rounds before is gone.
 */
static void stops(struct tenant_meter *m, int phase, int (*run)(void *arg),
		  uint32_t messages, long long rings)
{
	struct leave l = { .messages = messages };
	uint64_t took;

	need(soon(tap_stat("stats/rings") <= rings), "the rounds before are over");
	took = close_ns(left_by(run, &l));
	m->phase = phase;
	tenant_note(m, took, soon(tap_stat("stats/rings") <= rings));
}

static void closes(struct tenant_meter *m, int phase, uint32_t messages, int hole)
{
	struct weir *s = server_of(TO, 1, 32 << 20, NULL);
	struct leave l = { .messages = messages, .hole = hole };
	uint64_t took = close_ns(left_by(attack, &l));
	uint32_t n = 0;

	soon((n += (uint32_t)drain(s)) >= messages);
	m->phase = phase;
	tenant_note(m, took, n == messages);
	weir_close(s);
}

/* Leaves @messages calls open, and hears that their target died. */
static int call(void *arg)
{
	const struct leave *l = arg;
	struct weir *w = handle(4U << 20, 4U << 20);
	struct weir_call call = { .route = route_of(w, TO) };
	uint32_t i, errors = 0;

	close(l->service);
	for (i = 0; i < l->messages; i++) {
		call.tag = i;
		need(!request(w, &call, &i, sizeof(i)), "call %u", i);
	}
	weir_flush(w);
	need(write(l->via, "", 1) == 1, "tell");
	for (i = 0; i < l->messages; i++)
		errors += next_outcome(w).fault.reason == WEIR_REASON_TARGET_DIED;
	return errors != l->messages;
}

/* A service closes its socket, to which calls are open. */
static void ends(struct tenant_meter *m, int phase, uint32_t calls)
{
	struct weir *s = server_of(TO, 1, 4U << 20, NULL);
	struct leave l = { .messages = calls, .service = weir_fd(s) };
	uint64_t took;
	int sv[2], fd;
	pid_t pid;
	char c;

	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), "socketpair");
	l.via = sv[1];
	pid = tenant_start(TENANT_ATTACKER, call, &l);
	close(sv[1]);
	need(read(sv[0], &c, 1) == 1, "the attacker calls");
	/* not what the library does besides */
	fd = dup(weir_fd(s));
	need(fd >= 0, "dup");
	weir_close(s);
	took = close_ns(fd);
	m->phase = phase;
	tenant_note(m, took, !tap_wait(pid));
	close(sv[0]);
}

int main(void)
{
	static const char *const name[] = {
		"few messages", "many messages", "many messages behind a claim",
		"few calls", "many calls", "few records", "many records",
		"few that wait", "many that wait",
	};
	uint32_t many = (uint32_t)tap_scale(100000, 60000);
	struct tenant_meter *m;
	uint64_t few = 0, took;
	long long rings;
	int i, phase;

	hard_begin();
	tap_watchdog(250);
	if (geteuid())
		tap_skip_all("needs root");
	m = tenant_meter_new();
	rings = tap_stat("stats/rings");
	umask(0);
	route_quiet(TO);
	for (i = 0; i < ROUNDS; i++) {
		closes(m, 0, 16, 0);
		closes(m, 1, many, 0);
		closes(m, 2, many, 1);
		ends(m, 3, 16);
		ends(m, 4, many / 6);
		stops(m, 5, publish, 16, rings);
		stops(m, 6, publish, many, rings);
		stops(m, 7, crowd, 4, rings);
		stops(m, 8, crowd, 400, rings);
	}
	/* the least of the rounds: others use the machine as well */
	for (phase = 0; phase < 9; phase++) {
		tenant_show(m, phase, name[phase]);
		check(!m->phases[phase].bad, "%s: all are routed, answered, or gone",
		      name[phase]);
		if (!phase || (phase > 2 && phase % 2)) {
			few = tenant_quantile(m, phase, 1);
			continue;
		}
		took = tenant_quantile(m, phase, 1);
		check(took <= 4 * few,
		      "%s: to close the socket takes at most 4 times the processor time of few (%llu ns, %llu ns)",
		      name[phase], (unsigned long long)took,
		      (unsigned long long)few);
	}
	need(!route_del(TO), "del");
	check_routes_gone("last");
	check_kernel();
	return tap_done();
}
