// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts that a process has sent to other processors, so that it misses no
 * wake-up, are bounded by user. The victim runs on a processor of its own and
 * does not sleep; the attackers, several processes of one user, ask again and
 * again to be told when it has read: by full rings that the victim reads, and by
 * messages to its full inboxes; or, as readers of what the victim publishes, by
 * polling. What counts is how often the victim's processor is interrupted. That
 * no wake-up is missed for that is shown by wakeup.c, whose sides sleep more
 * often than this allows, and here by a message that waits.
 */
#include "routed.h"
#include "tenants.h"

#define RING		4096
#define SOCKETS		4	/* full rings of each attacker */
#define ATTACKERS	3
#define CPU		1	/* the victim's */
/* module/logic/account.h: one each millisecond, and this many at once */
#define EACH_MS		1
#define BURST		32

/**
 * struct scene - what all processes share
 * @ready: attackers that have made what they need.
 * @victim: the victim is at work.
 * @go: the attack begins.
 * @stop: nonzero: attackers end.
 * @read: the victim reads its inboxes.
 * @calls: of the attackers: they asked so often.
 * @arrived: messages that the victim has read.
 */
struct scene {
	int ready, victim, go, stop, read;
	long calls, arrived;
};

static struct scene *scene;

static bool is_set(const int *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Calls of functions by other processors, on the victim's, so far; or -1. */
static long long interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[4096], *at;
	long long n = -1;
	int i;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "CAL:");
		if (!at)
			continue;
		at += strlen("CAL:");
		for (i = 0; i <= CPU; i++)
			n = strtoll(at, &at, 10);
	}
	fclose(f);
	return n;
}

/* --- full rings ------------------------------------------------------------- */

static int reader(void *arg TAP_UNUSED)
{
	struct weir_ioc_map m = { .size = sizeof(m) };
	int fd, i;

	tenant_on_cpu(CPU);
	fd = tap_subscriber(SOCK_RDM, "/fences/*");
	for (i = 0; i < SOCKETS * ATTACKERS; i++) {
		m.id = (uint32_t)(WEIR_ID_STREAM + i);
		if (ioctl(fd, WEIR_IOC_MAP, &m) ||
		    mmap(NULL, m.length[WEIR_MAP_OWN], PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd,
			 (off_t)m.offset[WEIR_MAP_OWN]) == MAP_FAILED)
			return 1;
	}
	__atomic_store_n(&scene->victim, 1, __ATOMIC_RELEASE);
	for (;;)
		;
}

static int writer(void *arg)
{
	struct weir_head *head[SOCKETS];
	int fd[SOCKETS], i;
	char path[32];
	long round;

	tenant_on_cpu(0);
	for (i = 0; i < SOCKETS; i++) {
		snprintf(path, sizeof(path), "/fences/%d", *(int *)arg * 10 + i);
		fd[i] = tap_socket(SOCK_RDM);
		if (tap_setopt(fd[i], WEIR_SO_MODE, 0666) ||
		    tap_setopt(fd[i], WEIR_SO_RING_BYTES, RING) ||
		    tap_bind(fd[i], path))
			return 2;
		head[i] = tenant_head(fd[i]);
	}
	__atomic_add_fetch(&scene->ready, 1, __ATOMIC_RELEASE);
	while (!is_set(&scene->go))
		usleep(1000);
	for (round = 0; !is_set(&scene->stop); round++)
		for (i = 0; i < SOCKETS; i++) {
			tenant_ask_room(fd[i], head[i], RING, round & 1);
			__atomic_add_fetch(&scene->calls, 1, __ATOMIC_RELAXED);
		}
	return 0;
}

/* --- full inboxes ----------------------------------------------------------- */

static int service(void *arg TAP_UNUSED)
{
	struct weir_config c = { .inbox_bytes = RING, .mode = 0666 };
	struct weir_msg msg;
	struct weir *w[2];
	char path[32];
	int i;

	tenant_on_cpu(CPU);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/full/%d", i);
		if (weir_open(&w[i], SOCK_RDM, &c) ||
		    weir_serve(w[i], path, 1, NULL))
			return 1;
	}
	__atomic_store_n(&scene->victim, 1, __ATOMIC_RELEASE);
	while (!is_set(&scene->read))
		;
	for (i = 0; ; i ^= 1) {
		if (weir_peek(w[i], &msg) != 1)
			continue;
		if (!memcmp(msg.data, "wait", 4))
			__atomic_add_fetch(&scene->arrived, 1, __ATOMIC_RELEASE);
		weir_release(w[i], &msg);
	}
}

/* One message waits, in turn for one inbox and for the other. */
static int sender(void *arg TAP_UNUSED)
{
	struct weir_call call = { .one_way = 1 };
	struct weir *w = handle(0, 0);
	struct weir_record *rec;
	struct weir_buf buf;
	uint32_t route[2];
	long round;

	tenant_on_cpu(0);
	route[0] = route_of(w, "/full/0");
	route[1] = route_of(w, "/full/1");
	shower(w, route[0], RING / 64);
	shower(w, route[1], RING / 64);
	call.route = route[0];
	if (weir_call_claim(w, &call, 4, &buf))
		return 2;
	memcpy(buf.data, "wait", 4);
	rec = (void *)((char *)buf.data - WEIR_HEADER_BYTES);
	weir_call_commit_more(w, &call, &buf);
	__atomic_add_fetch(&scene->ready, 1, __ATOMIC_RELEASE);
	while (!is_set(&scene->go))
		usleep(1000);
	for (round = 0; !is_set(&scene->stop); round++) {
		__atomic_store_n(&rec->route, route[round & 1],
				 __ATOMIC_RELAXED);
		if (tap_kick(weir_fd(w), WEIR_KICK_READERS))
			return 3;
		__atomic_add_fetch(&scene->calls, 1, __ATOMIC_RELAXED);
	}
	/* it does not kick any more; the router goes on when there is room */
	if (!tap_until(__atomic_load_n(&scene->arrived, __ATOMIC_ACQUIRE) ==
		       ATTACKERS))
		return 4;
	return 0;
}

/* --- readers that poll ------------------------------------------------------ */

#define BATCH		100	/* more records than fence_records */
#define POLLS		1000

/* One reader on each stream: a second one would have the writer fence. */
static int publisher(void *arg TAP_UNUSED)
{
	struct weir_config c = { .ring_bytes = 1 << 20, .mode = 0666 };
	struct weir *w[ATTACKERS];
	struct weir_buf buf;
	char path[32];
	int i;

	tenant_on_cpu(CPU);
	for (i = 0; i < ATTACKERS; i++) {
		snprintf(path, sizeof(path), "/polled/%d", i);
		if (weir_open(&w[i], SOCK_DGRAM, &c) ||
		    weir_bind(w[i], path))
			return 1;
	}
	__atomic_store_n(&scene->victim, 1, __ATOMIC_RELEASE);
	while (!is_set(&scene->go))
		;
	/* a sleeper then sends the barrier, and the writer does not fence */
	for (i = 0; i < BATCH * ATTACKERS; i++) {
		if (weir_claim(w[i % ATTACKERS], 8, &buf))
			return 2;
		memcpy(buf.data, "polled", 7);
		weir_commit(w[i % ATTACKERS], &buf);
	}
	__atomic_store_n(&scene->read, 1, __ATOMIC_RELEASE);
	for (;;)
		;
}

static int poller(void *arg)
{
	char buf[8], path[32];
	int fd, got = 0;

	tenant_on_cpu(0);
	snprintf(path, sizeof(path), "/polled/%d", *(int *)arg);
	fd = tap_subscriber(SOCK_DGRAM, path);
	__atomic_add_fetch(&scene->ready, 1, __ATOMIC_RELEASE);
	while (!is_set(&scene->read))
		usleep(1000);
	while (got < BATCH && recv(fd, buf, sizeof(buf), 0) == 8)
		got++;
	while (!is_set(&scene->stop)) {
		if (tap_poll_now(fd, POLLIN) ||
		    recv(fd, buf, sizeof(buf), MSG_DONTWAIT) != -1)
			return 2;
		__atomic_add_fetch(&scene->calls, 2, __ATOMIC_RELAXED);
	}
	return got == BATCH ? 0 : 3;
}

/* --- the verdict ------------------------------------------------------------ */

/* How often the victim is interrupted while the attackers ask or poll. */
static void judge(bool polls)
{
	long long before = interrupts(), made, most;
	long long barriers = tap_stat("stats/barriers");
	uint64_t start = tap_now_ms(), ms;
	long calls;

	__atomic_store_n(&scene->go, 1, __ATOMIC_RELEASE);
	if (!polls)
		usleep((useconds_t)tap_scale(3000, 1000) * 1000);
	else if (!tap_until(__atomic_load_n(&scene->calls, __ATOMIC_RELAXED) >=
			    POLLS))
		tap_bail("no polls");
	made = interrupts() - before;
	barriers = tap_stat("stats/barriers") - barriers;
	calls = __atomic_load_n(&scene->calls, __ATOMIC_RELAXED);
	ms = tap_now_ms() - start;
	__atomic_store_n(&scene->stop, 1, __ATOMIC_RELEASE);
	tap_diag("%ld calls in %llu ms, %lld interrupts, %lld barriers", calls,
		 (unsigned long long)ms, made, barriers);
	if (polls) {
		tap_ok(barriers > 0 && barriers <= 2 * ATTACKERS,
		       "each poller has a barrier sent once");
		return;
	}
	/* twice, as the kernel has others for that processor */
	most = 2 * (long long)(ms * EACH_MS + BURST);
	tap_ok(calls > 0 && made <= most,
	       "the victim is interrupted once a millisecond at most");
	if (calls < 4 * (long long)(ms * EACH_MS + BURST))
		tap_skip("and most calls interrupt nobody",
			 "each takes longer here than the limit is about");
	else
		tap_ok(2 * made <= calls, "and most calls interrupt nobody");
	tap_ok(made > 0, "but it is");
}

/* Attackers of one user, beside a victim that reads or serves. */
static void attack(int (*victim)(void *), int (*attacker)(void *),
		   int victim_first)
{
	pid_t pid[ATTACKERS], prey = 0;
	int i, nth[ATTACKERS], good = 0;

	memset(scene, 0, sizeof(*scene));
	if (victim_first) {
		prey = tenant_start(TENANT_VICTIM, victim, NULL);
		if (!tap_until(is_set(&scene->victim)))
			tap_bail("no victim");
	}
	if (victim == service) {
		/* no watchdog tells that it does not read */
		route_quiet("/full/0");
		route_quiet("/full/1");
	}
	for (i = 0; i < ATTACKERS; i++) {
		nth[i] = i;
		pid[i] = tenant_start(TENANT_ATTACKER, attacker, &nth[i]);
	}
	if (!tap_until(__atomic_load_n(&scene->ready, __ATOMIC_ACQUIRE) ==
		       ATTACKERS))
		tap_bail("no attack");
	if (!victim_first) {
		prey = tenant_start(TENANT_VICTIM, victim, NULL);
		if (!tap_until(is_set(&scene->victim)))
			tap_bail("no victim");
	}
	judge(victim == publisher);
	__atomic_store_n(&scene->read, 1, __ATOMIC_RELEASE);
	for (i = 0; i < ATTACKERS; i++)
		good += !tap_wait(pid[i]);
	tap_is(good, ATTACKERS, victim == service ?
	       "what waits arrives, and the attackers end well" :
	       "the attackers end well");
	tap_kill(prey);
}

int main(void)
{
	tap_family();
	tap_watchdog(200);
	if (sysconf(_SC_NPROCESSORS_ONLN) <= CPU || interrupts() < 0)
		tap_skip_all("this takes two processors, and /proc/interrupts");
	scene = tap_shared(sizeof(*scene));
	attack(reader, writer, 0);
	attack(service, sender, 1);
	attack(publisher, poller, 1);
	tap_ok(!route_del("/full/0") && !route_del("/full/1"), "the routes go");
	return tap_done();
}
