// SPDX-License-Identifier: GPL-2.0
/*
 * Targets and callers that fail, as processes under load: killed at any
 * instant, stopped and continued, closed in every order. Every request is
 * answered once; idempotent ones are answered well as long as somebody is
 * there; traffic moves within 200 ms, which is measured from the fault to the
 * first good reply of another target, or within 20 of the longest pauses without
 * a fault on a slow machine (and only printed on a kernel that looks over its
 * own shoulder). Nothing is left in flight or behind. Last: unloading
 * the module, which is refused while there is load, and done with settings and
 * timers left over.
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "routed.h"

#define MOVED_MS	200
#define PAUSES		20	/* or this multiple of the longest without a fault */

static struct crew *crew;

static struct crew_job job(const char *path, uint32_t number, uint32_t weight)
{
	struct crew_job j = { .crew = crew, .path = path, .number = number,
			      .weight = weight, .depth = 64 };

	return j;
}

/* --- one of several is killed ------------------------------------------------ */

static void killed(void)
{
	struct crew_job s[3], c[3];
	pid_t servers[3], callers[3];
	long rounds = tap_scale(40, 4), i;

	crew = crew_make();
	/* no watchdog: what is stopped here is dead */
	route_quiet("/fail/kill");
	for (i = 0; i < 3; i++) {
		s[i] = job("/fail/kill", (uint32_t)i, 1);
		servers[i] = crew_server(&s[i]);
	}
	for (i = 0; i < 3; i++) {
		c[i] = job("/fail/kill", (uint32_t)i, 0);
		callers[i] = spawn(crew_call, &c[i]);
	}
	for (i = 0; i < rounds; i++) {
		uint32_t k = rnd() % 3;

		if (!crew_progress(crew, rnd() % 300))
			break;
		tap_kill(servers[k]);
		servers[k] = crew_server(&s[k]);
	}
	check(i == rounds, "a target of three is killed, %ld times under load", i);
	crew_calm(crew, callers, 3, false, "killed");
	check_crew_faults(crew, "killed");
	crew_end(crew, servers, 3);
	need(!route_del("/fail/kill"), "del");
	check_routes_gone("killed");
}

/* --- how soon ---------------------------------------------------------------- */

/* From the fault to the first good reply of the other target, in ms. */
static long moved(void)
{
	if (!soon(get(&crew->first_ns)))
		return -1;
	return (long)((get(&crew->first_ns) - get(&crew->fault_ns)) / MS);
}

static void strike(pid_t pid, int sig)
{
	put(&crew->first_ns, 0);
	put(&crew->victim, 0);
	put(&crew->fault_ns, now_ns());
	kill(pid, sig);
}

static void struck(void)
{
	put(&crew->fault_ns, 0);
}

static bool nobody_hangs(void)
{
	struct weir_target_entry *t;
	uint32_t n, i;

	t = targets(&n);
	for (i = 0; i < n; i++) {
		if (t[i].state != WEIR_TARGET_UP)
			return false;
	}
	return true;
}

/* The other target has answered all that it had to while the first was away. */
static bool other_rests(void)
{
	struct weir_target_entry *t;
	uint32_t n, i;

	t = targets(&n);
	for (i = 0; i < n; i++) {
		if (t[i].weight == 1 && t[i].in_flight)
			return false;
	}
	return true;
}

/*
 * Waits for more good replies: the longest time in ms in which none came, or -1.
 * What stalls the machine, or makes it slow, is in it.
 */
static long pause_of(uint64_t replies)
{
	uint64_t good = crew_good(crew), end = good + replies, seen;
	int64_t last = now_ns(), longest = 0, now;

	while (good < end) {
		usleep(200);
		now = now_ns();
		seen = crew_good(crew);
		if (seen == good && now - last > HARD_DEADLINE_NS)
			return -1;
		if (seen == good)
			continue;
		longest = now - last > longest ? now - last : longest;
		last = now;
		good = seen;
	}
	return (long)(longest / MS);
}

/**
 * struct moves - how soon traffic moved, over some faults
 * @worst: in ms; negative: it did not, or something else failed.
 * @late: faults after which it took longer than it may.
 * @excuses: faults that may be passed over: a stall may hit one.
 */
struct moves {
	long worst;
	int late;
	int excuses;
};

/* @pause: the longest before the fault, in ms. */
static void note_move(struct moves *m, const char *what, long ms, long pause)
{
	long most = PAUSES * pause > MOVED_MS ? PAUSES * pause : MOVED_MS;

	note("%s: %ld ms, the longest pause before %ld ms", what, ms, pause);
	if (slow_kernel())
		most = ms;	/* its watchdog looks less often */
	if (ms > most && m->excuses-- > 0)
		return;
	m->late += ms > most;
	m->worst = ms > m->worst ? ms : m->worst;
}

static void check_moved(const char *what, const struct moves *m)
{
	check(m->worst >= 0, "%s: traffic moves (%ld ms)", what, m->worst);
	if (slow_kernel())
		tap_skip("soon", "times mean little on this kernel");
	else
		check(!m->late,
		      "%s: it does within %d ms, or %d pauses of the load without it (%ld ms)",
		      what, MOVED_MS, PAUSES, m->worst);
}

/* The first server is killed over and over, and another comes in its place. */
static void kill_primary(long rounds, struct crew_job *job, pid_t *server,
			 struct moves *m)
{
	uint64_t served;
	long i, ms, pause;

	for (i = 0; i < rounds; i++) {
		/* its replies must not be taken for those of moved traffic */
		need(soon(other_rests()), "the other target rests");
		pause = pause_of(100 + rnd() % 100);
		need(pause >= 0, "load");
		strike(*server, SIGKILL);
		ms = moved();
		waitpid(*server, NULL, 0);
		struck();
		if (ms < 0) {
			m->worst = ms;
			break;
		}
		note_move(m, "killed", ms, pause);
		*server = crew_server(job);
		served = get(&crew->target[0].served);
		if (!soon(get(&crew->target[0].served) > served + 20)) {
			m->worst = -2;
			break;
		}
	}
	check_moved("the primary is killed", m);
}

/* It is stopped over and over, and goes on. */
static void stop_primary(long rounds, pid_t server, struct moves *m)
{
	uint64_t served;
	long i, ms, pause;

	for (i = 0; i < rounds; i++) {
		/* its replies must not be taken for those of moved traffic */
		need(soon(other_rests()), "the other target rests");
		pause = pause_of(100 + rnd() % 100);
		need(pause >= 0, "load");
		strike(server, SIGSTOP);
		ms = moved();
		struck();
		if (ms < 0) {
			m->worst = ms;
			break;
		}
		note_move(m, "stopped", ms, pause);
		/* it stands still until the watchdog has seen it */
		if (!soon(!nobody_hangs()) || !crew_progress(crew, 100)) {
			m->worst = -3;
			break;
		}
		/* what it had not read may have been moved, too: it has work */
		served = get(&crew->target[0].served);
		kill(server, SIGCONT);
		if (!soon(get(&crew->target[0].served) > served + 200) ||
		    !soon(nobody_hangs())) {
			m->worst = -2;
			break;
		}
	}
	check_moved("the primary is stopped", m);
	check(m->worst != -2, "and it comes back when it goes on");
}

static void check_hangs(long rounds)
{
	struct weir_target_entry *t;
	uint32_t n;

	t = targets(&n);
	check(n == 2 && t[0].ejections + t[1].ejections >= (uint64_t)rounds,
	      "the watchdog has counted it (%llu)",
	      (unsigned long long)(t[0].ejections + t[1].ejections));
}

static void fail_over(void)
{
	struct weir_route_conf conf = { .policy = WEIR_POLICY_PRIMARY,
					.timeout_ns = 60 * SECOND };
	struct crew_job s[2], c[2];
	pid_t servers[2], callers[2];
	long rounds = tap_scale(8, 2), i;
	struct moves m = { .excuses = 3 };

	/* a server of a slow kernel is not to be given up without reason */
	if (slow_kernel())
		conf.probe_ns = 500 * MS;
	crew = crew_make();
	need(!route_set("/fail/over", &conf), "route");
	for (i = 0; i < 2; i++) {
		s[i] = job("/fail/over", (uint32_t)i, 2 - (uint32_t)i);
		servers[i] = crew_server(&s[i]);
	}
	for (i = 0; i < 2; i++) {
		c[i] = job("/fail/over", (uint32_t)i, 0);
		callers[i] = spawn(crew_call, &c[i]);
	}
	kill_primary(rounds, &s[0], &servers[0], &m);
	m.worst = 0;
	m.late = 0;
	stop_primary(rounds, servers[0], &m);
	check_hangs(rounds);
	crew_calm(crew, callers, 2, false, "fail-over");
	check_crew_faults(crew, "fail-over");
	crew_end(crew, servers, 2);
	need(!route_del("/fail/over"), "del");
	check_routes_gone("fail-over");
}

/* Nobody else is there: what is to be had is an error, or it waits. */
static void alone(void)
{
	struct weir_route_conf conf = { .timeout_ns = 400 * MS,
					.probe_ns = 10 * MS };
	struct crew_job s;
	uint32_t route;
	struct weir *c;
	pid_t pid;

	crew = crew_make();
	s = job("/fail/alone", 0, 1);
	need(!route_set("/fail/alone", &conf), "route");
	pid = crew_server(&s);
	c = caller("/fail/alone", &route);
	kill(pid, SIGSTOP);
	ask(c, route, 2);
	ask_with(c, route, 3, 0, WEIR_REC_IDEMPOTENT);
	check(soon(drain(c) > 0),
	      "the only target is stopped: callers are answered in the end");
	/* and may be both */
	tap_within(1000, drain(c) > 0);
	kill(pid, SIGCONT);
	check(soon((ask(c, route, 4),
		    next_outcome(c).kind == WEIR_KIND_REPLY)),
	      "when it goes on it serves again");
	crew_end(crew, &pid, 1);
	weir_close(c);
	need(!route_del("/fail/alone"), "del");
	check_routes_gone("alone");
}

/* None does anything for a while: what waits is for the first that does. */
static void recovered(void)
{
	struct weir_route_conf conf = { .timeout_ns = HARD_DEADLINE_NS,
					.probe_ns = 10 * MS };
	uint32_t route, i, n = 0;
	struct weir *s[2], *c;
	uint64_t id[2];

	need(!route_set("/fail/back", &conf), "route");
	for (i = 0; i < 2; i++)
		s[i] = server_of("/fail/back", 1, 0, &id[i]);
	c = caller("/fail/back", &route);
	for (i = 0; i < 8; i++)
		ask_with(c, route, i, 0, WEIR_REC_IDEMPOTENT);
	check(soon(target_now(id[0]).state == WEIR_TARGET_EJECTED &&
		   target_now(id[1]).state == WEIR_TARGET_EJECTED),
	      "two targets do nothing");
	for (; i < 16; i++)
		ask_with(c, route, i, 0, WEIR_REC_IDEMPOTENT);
	check(soon((serve_all(s[1], WEIR_KIND_REPLY), n += drain(c)) == 16),
	      "when one goes on it gets all (%u of 16)", n);
	for (i = 0; i < 2; i++)
		weir_close(s[i]);
	weir_close(c);
	need(!route_del("/fail/back"), "del");
	check_routes_gone("recovered");
}

/* --- callers are killed ------------------------------------------------------ */

static uint64_t *steps;

/* Every step of a caller over and over, some of them left half done. */
static int dying_caller(void *arg)
{
	(void)arg;
	for (;;) {
		struct weir_config conf = { .ring_bytes = 4096,
					    .inbox_bytes = 4096 };
		struct weir_buf buf;
		struct weir *w;
		uint32_t i;
		int route;

		if (weir_open(&w, SOCK_RDM, &conf))
			return 20;
		add(steps, 1);
		route = weir_route(w, "/fail/dying");
		if (route < 1)
			return 21;
		for (i = 0; i < 40; i++) {
			struct weir_call call = {
				.route = (uint32_t)route,
				.tag = i,
				.flags = i & 1 ? WEIR_REC_IDEMPOTENT : 0,
			};
			char data[200] = "dying";

			add(steps, 1);
			if (rnd() % 8 == 0)
				weir_call_claim(w, &call, 100, &buf);
			else
				request(w, &call, data, rnd() % 200);
			if (rnd() % 4 == 0)
				weir_flush(w);
			if (rnd() % 8 == 0)
				weir_wait(w, WEIR_WAIT_IN | WEIR_WAIT_KICK, 0,
					  MS);
			if (rnd() % 4 == 0)
				drain(w);
		}
		weir_close(w);
	}
}

static void dying(void)
{
	long rounds = tap_scale(80, 6), i, sockets;
	struct crew_job s[2], c;
	pid_t servers[2], good, pid[3];
	int k;

	crew = crew_make();
	steps = tap_shared(4096);
	route_quiet("/fail/dying");
	for (i = 0; i < 2; i++) {
		s[i] = job("/fail/dying", (uint32_t)i, 1);
		servers[i] = crew_server(&s[i]);
	}
	sockets = tap_stat("stats/sockets");
	c = job("/fail/dying", 0, 0);
	c.depth = 8;
	good = spawn(crew_call, &c);
	for (i = 0; i < rounds; i++) {
		uint64_t until;

		for (k = 0; k < 3; k++)
			pid[k] = spawn(dying_caller, NULL);
		until = get(steps) + rnd() % 400;
		if (!soon(get(steps) >= until))
			break;
		for (k = 0; k < 3; k++)
			kill(pid[k], SIGKILL);
		for (k = 0; k < 3; k++)
			waitpid(pid[k], NULL, 0);
	}
	check(i == rounds, "callers are killed at any step, %ld times", i * 3);
	crew_calm(crew, &good, 1, false, "beside dying callers");
	check(!crew_bad(crew), "and one that lives has good replies only");
	check(soon(targets_count() == 2 && !in_flight_count()),
	      "nothing is in flight afterwards");
	check(soon(tap_stat("stats/sockets") == sockets), "no socket is left");
	crew_end(crew, servers, 2);
	need(!route_del("/fail/dying"), "del");
	check_routes_gone("dying callers");
}

/* --- closed in every order --------------------------------------------------- */

static void tell(struct weir *w, uint32_t route, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct weir_call call = {
			.route = route, .tag = i,
			.flags = i & 1 ? WEIR_REC_IDEMPOTENT : 0,
		};

		if (request(w, &call, "order", 5))
			break;
	}
}

/* Answers one, if it has room to. */
static void answer_some(struct weir *w, uint8_t kind)
{
	struct weir_ticket ticket;
	struct weir_msg msg;

	if (weir_peek(w, &msg) != 1)
		return;
	ticket = weir_ticket(&msg);
	weir_release(w, &msg);
	if (kind == WEIR_KIND_REPLY)
		weir_reply(w, &ticket, "yes", 3, WEIR_DONTWAIT);
	else
		weir_reply_error(w, &ticket, "no", 2, WEIR_DONTWAIT);
}

/* Two targets that call each other, two callers; all with things to do. */
static void make_four(struct weir *w[4])
{
	uint32_t r[4];
	int i;

	for (i = 0; i < 4; i++)
		w[i] = handle(4096, 4096);
	need(!weir_serve(w[0], "/order/a", 1, NULL) &&
	     !weir_serve(w[1], "/order/a", 1, NULL) &&
	     !weir_serve(w[1], "/order/b", 1, NULL), "serve");
	r[0] = route_of(w[0], "/order/b");
	r[1] = route_of(w[1], "/order/a");
	r[2] = route_of(w[2], "/order/a");
	r[3] = route_of(w[3], "/order/b");
	for (i = 0; i < 4; i++) {
		tell(w[i], r[i], i & 1 ? 70 : 10);
		/* committed, and not told, by the first */
		if (i)
			weir_flush(w[i]);
	}
	answer_some(w[1], WEIR_KIND_REPLY);
	answer_some(w[0], WEIR_KIND_ERROR);
	tell(w[2], r[2], 5);
}

static void every_order(void)
{
	struct weir *w[4];
	int a, b, c, d, n = 0;

	for (a = 0; a < 4; a++)
		for (b = 0; b < 4; b++)
			for (c = 0; c < 4; c++) {
				if (a == b || b == c || a == c)
					continue;
				d = 6 - a - b - c;
				make_four(w);
				weir_close(w[a]);
				weir_close(w[b]);
				weir_close(w[c]);
				weir_close(w[d]);
				n++;
			}
	check(n == 24, "sockets closed in every order (%d)", n);
	check_routes_gone("every order");
}

static void *closer(void *arg)
{
	weir_close(arg);
	return NULL;
}

static void at_once(void)
{
	long rounds = tap_scale(100, 5), i;
	struct weir *w[4];
	pthread_t t[4];
	int k;

	for (i = 0; i < rounds; i++) {
		make_four(w);
		for (k = 0; k < 4; k++)
			need(!pthread_create(&t[k], NULL, closer, w[k]), "thread");
		for (k = 0; k < 4; k++)
			pthread_join(t[k], NULL);
	}
	check(i == rounds, "and at once, by threads (%ld times)", i);
	check_routes_gone("at once");
}

/* --- unloading --------------------------------------------------------------- */

static int unload(void)
{
	return syscall(SYS_delete_module, "weir", O_NONBLOCK) ? -errno : 0;
}

static int load(void)
{
	const char *ko = getenv("WEIR_KO");
	int fd = open(ko ? ko : "/weir.ko", O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return err;
}

static void unloading(void)
{
	struct weir_route_conf conf = {
		.retries = 3, .retry_base_ns = 100 * MS,
		.retry_max_ns = SECOND, .rate = 1000000,
		.fallback_len = 4, .fallback_reply = (uintptr_t)"gone",
		.mirror_permille = 100, .mirror = "/unl/mirror",
	};
	long rounds = tap_scale(10, 2), i, k, refused = 0, n = 0;
	struct crew_job s[2], c[2];
	pid_t pid[4];
	int err = 0;

	if (access(getenv("WEIR_KO") ? getenv("WEIR_KO") : "/weir.ko", R_OK)) {
		tap_skip("unloading", "no module: set WEIR_KO");
		return;
	}
	for (i = 0; i < rounds; i++) {
		crew = crew_make();
		need(!route_set("/unl/a", &conf), "route");
		for (k = 0; k < 2; k++) {
			s[k] = job("/unl/a", (uint32_t)k, 1);
			s[k].fail_one_in = 3;
			pid[k] = crew_server(&s[k]);
			c[k] = job("/unl/a", (uint32_t)k, 0);
			pid[2 + k] = spawn(crew_call, &c[k]);
		}
		if (!crew_progress(crew, 50)) {
			err = 1;
			break;
		}
		for (k = 0; k < 20; k++, n++)
			refused += unload() < 0;
		/* retries, deadlines and moved requests are under way */
		for (k = 0; k < 4; k++)
			kill(pid[k], SIGKILL);
		for (k = 0; k < 4; k++)
			waitpid(pid[k], NULL, 0);
		if (!soon(!(err = unload())) || (err = load()))
			break;
		crew_free(crew);
	}
	check(refused == n && n, "the module is not unloaded under load (%ld of %ld)",
	      refused, n);
	check(i == rounds && !err,
	      "it is when all are dead, with routes set and timers under way, %ld times (%d)",
	      i, err);
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	part(killed);
	part(fail_over);
	part(alone);
	part(recovered);
	part(dying);
	part(every_order);
	part(at_once);
	check_counters(&before);
	part(unloading);
	check_kernel();
	return tap_done();
}
