// SPDX-License-Identifier: GPL-2.0
/*
 * Everything changes at random while callers keep many requests in flight:
 * targets join, leave, hang and are killed, weights, policies and guards change,
 * breakers are forced, paths come and go behind others, and traffic is shifted
 * from one to another. Each request is answered once, whatever happens, and not
 * done twice if it may not be; nothing is left afterwards. Breakers and
 * plans are changed as fast as may be, for what goes wrong only then. And
 * thousands of sockets that call one service.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "routed.h"

#define SERVERS	8
#define CALLERS	4

static struct crew *crew;

/* --- everything at random ------------------------------------------------------ */

static pid_t servers[SERVERS];
static struct crew_job jobs[SERVERS];
static bool hangs[SERVERS];
static struct target {
	uint64_t	id;
	char		path[WEIR_PATH_MAX + 1];
} known[64];
static uint32_t ntargets, ndone, nrefused;

static void look(void)
{
	struct weir_target_entry *t;
	uint32_t n, i;

	ntargets = 0;
	t = targets(&n);
	for (i = 0; i < n && ntargets < 64; i++) {
		if (!t[i].socket)
			continue;
		known[ntargets].id = t[i].id;
		strcpy(known[ntargets++].path, t[i].path);
	}
}

static struct weir_route_conf random_conf(bool several)
{
	struct weir_route_conf c = {
		.policy = (uint32_t)(rnd() % (several ? WEIR_POLICY_MAX :
						        WEIR_POLICY_ALL)),
		.timeout_ns = (5 + rnd() % 5) * SECOND,
	};

	if (c.policy == WEIR_POLICY_QUORUM)
		c.quorum = (uint32_t)(rnd() % 4);
	if (rnd() % 4 == 0) {
		c.rate = 1000 + (uint32_t)(rnd() % 100000);
		c.burst = rnd() & 1 ? 100 : 0;
	}
	if (rnd() % 3 == 0)
		c.bulkhead = 1 + (uint32_t)(rnd() % 100);
	if (rnd() % 3 == 0) {
		c.breaker_window_ns = SECOND;
		c.breaker_open_ns = (1 + rnd() % 50) * MS;
		c.breaker_slow_ns = (1 + rnd() % 50) * MS;
		c.breaker_min_calls = 1 + (uint32_t)(rnd() % 20);
		c.breaker_error_percent = (uint32_t)(rnd() % 101);
		c.breaker_slow_percent = (uint32_t)(rnd() % 101);
		c.breaker_probes = 1 + (uint32_t)(rnd() % 8);
	}
	if (rnd() % 3 == 0) {
		c.retries = (uint32_t)(rnd() % 5);
		c.retry_base_ns = MS;
		c.retry_max_ns = 4 * MS;
	}
	if (rnd() % 3 == 0) {
		c.mirror_permille = 1 + (uint32_t)(rnd() % 1000);
		strcpy(c.mirror, "/churn/shadow");
	}
	if (rnd() % 3 == 0)
		strcpy(c.fallback, "/churn/behind");
	else if (rnd() % 3 == 0) {
		c.fallback_len = 6;
		c.fallback_reply = (uintptr_t)"canned";
	}
	if (rnd() % 3 == 0 && c.policy < WEIR_POLICY_ALL) {
		c.dup_window_ns = (1 + rnd() % 1000) * MS;
		c.dup_entries = rnd() & 1 ? 64 : 0;
	}
	if (rnd() % 4 == 0)
		c.probe_ns = rnd() & 1 ? (uint64_t)(5 * MS) : WEIR_PROBE_OFF;
	return c;
}

static void start(int k)
{
	static const char *const paths[SERVERS] = {
		"/churn/a", "/churn/a", "/churn/*", "/churn/behind",
		"/churn/shadow", "/churn/a", "/churn/b", "/churn/c",
	};

	jobs[k] = (struct crew_job){
		.crew = crew, .path = paths[k], .number = (uint32_t)k,
		.weight = rnd() % 8 ? 1 + (uint32_t)(rnd() % 3) : 0,
		.fail_one_in = rnd() % 3 ? 0 : 20,
	};
	servers[k] = crew_server(&jobs[k]);
}

static void go_on(int k)
{
	if (hangs[k])
		kill(servers[k], SIGCONT);
	hangs[k] = false;
}

/* From one path to the other: both weights in one call. */
static void shift(int fd)
{
	uint32_t green = (uint32_t)(rnd() % 21) * 5;
	struct weir_route_op ops[] = {
		route_op(WEIR_OP_TARGET_SET, "/churn/a", "/churn/b", 0,
			 100 - green),
		route_op(WEIR_OP_TARGET_SET, "/churn/a", "/churn/c", 0, green),
	};

	control_by(fd, ops, 2, NULL);
}

/* Half of those for one target name it by its number, the others by path. */
static struct weir_route_op random_op(bool several)
{
	uint32_t what = 1 + (uint32_t)(rnd() % WEIR_OP_BREAKER);
	uint32_t weight = rnd() % 8 ? 1 + (uint32_t)(rnd() % 3) : 0;
	const char *path = rnd() % 4 ? "/churn/a" : "/churn/behind";
	struct target *t = ntargets ? &known[rnd() % ntargets] : NULL;
	struct weir_route_op op;

	if (t && what == WEIR_OP_BREAKER)
		return route_op(what, t->path, "", t->id, rnd() % 4 == 0);
	if (t && what == WEIR_OP_TARGET_SET && rnd() & 1)
		return route_op(what, t->path, "", t->id, weight);
	if (what >= WEIR_OP_TARGET_ADD)
		return route_op(what, path, rnd() & 1 ? "/churn/b" : "/churn/c",
				0, weight);
	op = route_op(what, path, "", 0, 0);
	op.conf = random_conf(several);
	return op;
}

/* One change; some of them are refused, which is no fault. */
static void change(bool several)
{
	int k = (int)(rnd() % SERVERS);
	int fd = tap_socket(SOCK_RDM);
	struct weir_route_op ops[3];
	uint32_t i, n;

	switch (rnd() % 10) {
	case 0:
	case 1:
		if (servers[k])
			tap_kill(servers[k]);
		servers[k] = 0;
		hangs[k] = false;
		if (rnd() % 4)
			start(k);
		break;
	case 2:
		if (servers[k]) {
			kill(servers[k], SIGSTOP);
			hangs[k] = true;
			usleep((useconds_t)(rnd() % 2000));
			/* some for long enough to be given up */
			if (rnd() % 3)
				go_on(k);
		}
		break;
	case 3:
		for (k = 0; k < SERVERS; k++)
			go_on(k);
		break;
	case 4:
		shift(fd);
		break;
	default:
		look();
		n = rnd() & 1 ? 1 : 2 + (uint32_t)(rnd() & 1);
		for (i = 0; i < n; i++)
			ops[i] = random_op(several);
		if (control_by(fd, ops, n, NULL))
			nrefused++;
		else
			ndone++;
	}
	close(fd);
}

static void tidy_up(void)
{
	static const char *const paths[] = { "/churn/a", "/churn/behind",
					     "/churn/b", "/churn/c",
					     "/churn/shadow" };
	struct weir_route_op op;
	int fd = tap_socket(SOCK_RDM), i, k;

	for (i = 0; i < 5; i++) {
		for (k = 0; k < 2; k++) {
			op = route_op(WEIR_OP_TARGET_DEL, paths[i],
				      k ? "/churn/b" : "/churn/c", 0, 0);
			control_by(fd, &op, 1, NULL);
		}
	}
	for (i = 0; i < 5; i++) {
		op = route_op(WEIR_OP_ROUTE_DEL, paths[i], "", 0, 0);
		control_by(fd, &op, 1, NULL);
	}
	close(fd);
}

static void churn(bool several)
{
	struct crew_job call[CALLERS];
	long rounds = tap_scale(1500, 60), i;
	int64_t until = now_ms() + tap_scale(8000, 3000);
	const char *what = several ? "all policies" : "policies of one target";
	pid_t pid[CALLERS];
	int k;

	crew = crew_make();
	for (k = 0; k < SERVERS; k++)
		start(k);
	need(!target_op(WEIR_OP_TARGET_ADD, "/churn/a", "/churn/b", 0, 1) &&
	     !target_op(WEIR_OP_TARGET_ADD, "/churn/a", "/churn/c", 0, 0), "add");
	for (k = 0; k < CALLERS; k++) {
		call[k] = (struct crew_job){
			.crew = crew, .number = (uint32_t)k, .depth = 100,
			.path = k == 3 ? "/churn/x" : "/churn/a",
			.several = several,
			.keys = k == 2,
			.nap_us = slow_kernel() ? 20000 : 0,
		};
		pid[k] = spawn(crew_call, &call[k]);
	}
	need(crew_progress(crew, 100), "load");
	ndone = 0;
	nrefused = 0;
	/* a kernel that is very slow does a few all the same */
	for (i = 0; i < rounds && (i < 30 || now_ms() < until); i++)
		change(several);
	note("%ld changes; of control calls %u done, %u refused", i, ndone,
	     nrefused);
	/* so that what is in flight has somewhere to go */
	for (k = 0; k < SERVERS; k++) {
		go_on(k);
		if (!servers[k])
			start(k);
	}
	crew_calm(crew, pid, CALLERS, several, what);
	check(soon(!in_flight_count()), "%s: nothing is left in flight", what);
	crew_end(crew, servers, SERVERS);
	memset(servers, 0, sizeof(servers));
	tidy_up();
	check_routes_gone(what);
	crew_free(crew);
}

static void churn_one(void)
{
	churn(false);
}

static void churn_several(void)
{
	churn(true);
}

/* --- as fast as may be --------------------------------------------------------- */

static int quit;
static uint64_t fast_id;

/* What a thread has changed, and what was refused. */
struct fast_changes {
	uint64_t done, refused;
};

static void fast_change(int fd, struct weir_route_op *op,
			struct fast_changes *changes)
{
	add(control_by(fd, op, 1, NULL) ? &changes->refused : &changes->done,
	    1);
}

static void *fast_breaker(void *arg)
{
	struct weir_route_op op = route_op(WEIR_OP_BREAKER, "/fast", "",
					   fast_id, WEIR_FORCE_AUTO);
	int fd = tap_socket(SOCK_RDM);

	while (!get(&quit))
		fast_change(fd, &op, arg);
	close(fd);
	return NULL;
}

static void *fast_plan(void *arg)
{
	struct weir_route_op op = route_op(WEIR_OP_ROUTE_SET, "/fast", "", 0, 0);
	int fd = tap_socket(SOCK_RDM), i = 0;

	while (!get(&quit)) {
		op.conf = (struct weir_route_conf){
			.breaker_window_ns = SECOND, .breaker_open_ns = 10000,
			.breaker_error_percent = 1, .breaker_min_calls = 1,
			.breaker_probes = 3, .rate = 1000000000,
			.fallback_len = i++ & 1 ? 3 : 0,
			.fallback_reply = (uintptr_t)"yes",
		};
		fast_change(fd, &op, arg);
	}
	close(fd);
	return NULL;
}

static void fast(void)
{
	struct crew_job s[2], c[2];
	struct fast_changes changes[2] = { { 0 } };
	struct weir *w = server_of("/fast", 0, 0, &fast_id);
	pthread_t t[2];
	uint64_t enough = (uint64_t)tap_scale(1000, 10);
	pid_t pid[4];
	int k;

	crew = crew_make();
	for (k = 0; k < 2; k++) {
		s[k] = (struct crew_job){ .crew = crew, .path = "/fast",
					  .weight = 1, .number = (uint32_t)k,
					  .fail_one_in = 5 };
		c[k] = s[k];
		c[k].depth = 64;
		c[k].nap_us = slow_kernel() ? 10000 : 0;
		pid[k] = crew_server(&s[k]);
	}
	{
		struct weir_target_entry *e;
		uint32_t n, i;

		e = targets(&n);
		for (i = 0; i < n; i++) {
			if (e[i].weight)
				fast_id = e[i].id;
		}
	}
	for (k = 0; k < 2; k++)
		pid[2 + k] = spawn(crew_call, &c[k]);
	put(&quit, 0);
	need(!pthread_create(&t[0], NULL, fast_breaker, &changes[0]) &&
	     !pthread_create(&t[1], NULL, fast_plan, &changes[1]), "threads");
	check(soon(get(&changes[0].done) >= enough &&
		   get(&changes[1].done) >= enough) &&
	      crew_progress(crew, (uint64_t)tap_scale(50000, 300)),
	      "breakers and plans change under load as fast as may be");
	put(&quit, 1);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	check(!changes[0].refused && !changes[1].refused,
	      "each change is done (of breakers %llu, %llu refused; of plans %llu, %llu)",
	      (unsigned long long)changes[0].done,
	      (unsigned long long)changes[0].refused,
	      (unsigned long long)changes[1].done,
	      (unsigned long long)changes[1].refused);
	crew_calm(crew, pid + 2, 2, false, "fast");
	crew_end(crew, pid, 2);
	weir_close(w);
	need(!route_del("/fast"), "del");
	check_routes_gone("fast");
}

/* --- thousands of sockets ------------------------------------------------------- */

static long free_kb(void)
{
	return (long)tap_field("/proc/meminfo", "MemAvailable:");
}

/*
 * Without the library: each handle maps its rings, and that is not what is
 * counted here. The kernel's sendmsg does not reach the router's handles, so
 * each socket maps its outbox once, says its request, and lets go.
 */
#define THOUSANDS_KB	64	/* memory for one of them, at most */

struct many {
	int	fd;
	__u64	pos;
};

static bool many_say(struct many *m, uint32_t tag)
{
	struct weir_ring_view v;
	struct weir_record *rec;
	struct raw_map out;
	__u32 seq;
	__u64 pos;

	if (raw_map(m->fd, WEIR_ID_OUTBOX, &out))
		return false;
	v = raw_view(&out);
	v.head->seq_limit = (__u32)v.head->claim + (1U << 30);
	v.head->limit = ((struct weir_cursor *)(void *)
			 (out.view + WEIR_PAGE_BYTES))->pos + v.mask + 1;
	if (weir_ring_claim(&v, 64, 0, &pos, &seq)) {
		raw_unmap(&out);
		return false;
	}
	rec = weir_ring_at(&v, pos);
	memset((char *)rec + 8, 0, 24);
	rec->len = 4;
	rec->kind = WEIR_KIND_REQUEST;
	rec->seq = seq;
	rec->route = 1;
	rec->tag = tag;
	memcpy(rec + 1, &tag, 4);
	weir_ring_commit(&v, rec, pos);
	raw_unmap(&out);
	return !tap_kick(m->fd, WEIR_KICK_READERS);
}

/* Its reply, as recvmsg sees the inbox or as it is mapped. */
static bool many_heard(struct many *m, uint32_t tag)
{
	struct weir_ring_rec r;
	struct weir_ring_view v;
	struct raw_map in;
	bool good;

	if (raw_map(m->fd, WEIR_ID_INBOX, &in))
		return false;
	v = raw_view(&in);
	m->pos = in.cursor->pos;
	good = weir_ring_peek(&v, &m->pos, &r) == 1 &&
	       r.kind == WEIR_KIND_REPLY && r.rec->tag == tag && r.len == 4 &&
	       !memcmp(r.payload, &tag, 4);
	if (good)
		in.cursor->pos = r.next;
	raw_unmap(&in);
	return good;
}

static void thousands(void)
{
	struct rlimit lim = { 30000, 30000 };
	long n = tap_scale(slow_kernel() ? 1000 : 10000, 50);
	long before, each = 0, i, said = 0, heard = 0, round;
	struct many *m = calloc((size_t)n, sizeof(*m));
	struct weir *s;
	int64_t begun = now_ms();

	if (free_kb() / THOUSANDS_KB < n) {
		n = free_kb() / THOUSANDS_KB;
		note("memory for %ld sockets only", n);
	}
	need(!setrlimit(RLIMIT_NOFILE, &lim), "RLIMIT_NOFILE");
	route_quiet("/thousands");
	s = handle(1 << 20, 1 << 20);
	need(!weir_serve(s, "/thousands", 1, NULL), "serve");
	before = free_kb();
	for (i = 0; i < n; i++) {
		struct weir_ioc_call c = { .size = sizeof(c) };

		m[i].fd = raw_socket(SOCK_RDM);
		if (m[i].fd < 0 || raw_set(m[i].fd, WEIR_SO_RING_BYTES, 4096) ||
		    raw_set(m[i].fd, WEIR_SO_INBOX_BYTES, 4096))
			break;
		strcpy(c.path, "/thousands");
		if (ioctl(m[i].fd, WEIR_IOC_CALL, &c)) {
			note("%s", tap_words(m[i].fd));
			break;
		}
	}
	check(i == n, "%ld sockets call one service (%ld, %lld ms)", n, i,
	      (long long)(now_ms() - begun));
	/* rings of 4 KiB, their heads, cursors and status pages, and objects */
	n = i;
	/* until what lies about on lists of the processors is free again */
	check(soon((each = (before - free_kb()) / n) <= THOUSANDS_KB),
	      "each takes %ld KiB", each);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < n; i++) {
			said += many_say(&m[i], (uint32_t)i);
			if (i % 256 == 255)
				serve_all(s, WEIR_KIND_REPLY);
		}
		serve_all(s, WEIR_KIND_REPLY);
		for (i = 0; i < n; i++)
			heard += many_heard(&m[i], (uint32_t)i);
	}
	check(said == 2 * n && heard == 2 * n,
	      "each asks and hears, twice (%ld, %ld)", said, heard);
	/* all in flight at once, and the target goes */
	begun = now_ms();
	for (i = 0, said = 0; i < n; i++)
		said += many_say(&m[i], 7);
	check(said == n, "all ask at once");
	begun = now_ms();
	weir_close(s);
	note("a target with %ld callers' requests closes in %lld ms", n,
	     (long long)(now_ms() - begun));
	for (i = 0, heard = 0; i < n && heard == i; i++)
		heard += tap_poll(m[i].fd, POLLIN, TAP_DEADLINE_MS) == POLLIN;
	check(heard == n, "all hear that it died (%ld of %ld)", heard, n);
	begun = now_ms();
	for (i = 0; i < n; i++)
		close(m[i].fd);
	note("closed in %lld ms", (long long)(now_ms() - begun));
	free(m);
	need(!route_del("/thousands"), "del");
	check_routes_gone("thousands");
}

int main(void)
{
	struct counters before;
	long long most;

	hard_begin();
	before = counters();
	part(churn_one);
	check_counters(&before);
	part(churn_several);
	check_counters(&before);
	part(fast);
	check_counters(&before);
	/* the cap of a user fits the machine's memory, which may be for fewer */
	most = tap_stat("tunables/user_bytes_max");
	tap_tune("user_bytes_max", tap_stat("tunables/netns_bytes_max"));
	part(thousands);
	tap_tune("user_bytes_max", most);
	check_counters(&before);
	check_kernel();
	return tap_done();
}
