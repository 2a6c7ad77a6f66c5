// SPDX-License-Identifier: GPL-2.0
/*
 * Shares: what one user may hold, whatever namespaces and uids it works in, and
 * what it may take of tables that all use. An attacker makes user and network
 * namespaces and works as subordinate uids; takes the slots of an outbox, the
 * idempotency keys of a route, and memory for handles, calls, targets and
 * settings. It is refused at its caps and shares, a victim beside it is served as
 * before, and all is given back when the attacker is killed.
 */
#include "routed.h"
#include "tenants.h"

#include <sys/resource.h>

#define HOARDERS	5
#define OBJECTS		100
#define BYTES		(4 << 20)
#define SUBUID		100000
#define SLOTS		4096
#define KEYS		64

/**
 * struct hoarder - an attacker that takes what it can get
 * @netns: it makes a network namespace of its own.
 * @subuid: it works as this subordinate uid; 0: as itself.
 * @bytes: it wants memory; else objects.
 * @inside: it is in its user namespace and waits for @mapped.
 * @mapped: its user namespace has its uids.
 * @got: sockets, or bytes of rings.
 * @error: errno of what it did not get.
 * @done: it has all that it can get, and keeps it.
 */
struct hoarder {
	int netns;
	uid_t subuid;
	int bytes;
	int inside;
	int mapped;
	long got;
	int error;
	int done;
};

/**
 * struct shared - what processes tell one another
 * @hoarders: see there.
 * @got: readers, handles, ... that somebody got, in the order of the test.
 * @error: errno of the first that was refused.
 * @words: its words.
 * @step: how far a process is.
 * @go: how far it may go.
 * @runs: times that the service has done the request of a victim's key.
 * @wrong: answers that were not right.
 */
struct shared {
	struct hoarder hoarders[HOARDERS];
	long got;
	int error;
	char words[256];
	int step;
	int go;
	unsigned int runs[KEYS];
	unsigned int wrong;
};

static struct shared *shared;
static struct tenant_meter *meter;
static long long bytes_max, objects_max;	/* the tunables before the test */

/* Keeps all that the process has, until it is killed. */
static void keep(void)
{
	for (;;)
		pause();
}

/* --- namespaces ------------------------------------------------------------ */

static int hoard(void *arg)
{
	struct hoarder *h = arg;
	char path[32];
	int fd, i;

	if (unshare(CLONE_NEWUSER | (h->netns ? CLONE_NEWNET : 0)))
		return 77;
	put(&h->inside, 1);
	while (!get(&h->mapped))
		usleep(1000);
	/* the second uid of the namespace */
	if (h->subuid && (setresuid(1, 1, 1)))
		return 99;
	for (i = 0; i < 10 * OBJECTS; i++) {
		fd = socket(tap_family(), SOCK_RDM, 0);
		if (fd < 0)
			break;
		if (!h->bytes) {
			h->got++;
			continue;
		}
		snprintf(path, sizeof(path), "/hoard/%d/%d", getpid(), i);
		if (tap_bind(fd, path))
			break;
		h->got += 65536;
	}
	h->error = errno;
	put(&h->done, 1);
	keep();
	return 0;
}

/* Gives a process's user namespace its uids, as newuidmap(1) does. */
static int map_uids(pid_t pid, uid_t subuid)
{
	char path[64], words[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	snprintf(words, sizeof(words), subuid ? "0 %d 1\n1 %d 1\n" : "0 %d 1\n",
		 TENANT_ATTACKER, subuid);
	return tap_write_file(path, words);
}

/* Five namespaces, and as many subordinate uids: together they have one cap. */
static void namespaces(int netns, int subuids, int bytes)
{
	long long objects = tap_stat("stats/charged_objects");
	long long used = tap_stat("stats/charged_bytes");
	pid_t pid[HOARDERS];
	long got = 0;
	int i, refused = 0, ended;

	tap_diag("%s, %s, %s", netns ? "network namespaces" : "one namespace",
		 subuids ? "subordinate uids" : "one uid",
		 bytes ? "bytes" : "objects");
	memset(shared, 0, sizeof(*shared));
	tap_tune(bytes ? "user_bytes_max" : "user_objects_max",
		 bytes ? BYTES : OBJECTS);
	for (i = 0; i < HOARDERS; i++) {
		struct hoarder *h = &shared->hoarders[i];

		h->netns = netns;
		h->bytes = bytes;
		h->subuid = subuids ? SUBUID + i : 0;
		pid[i] = tenant_start(TENANT_ATTACKER, hoard, h);
		if (!tap_until_unless_ended(get(&h->inside), pid[i], &ended)) {
			if (ended < 0)
				tap_bail("no namespace");
			tap_skip("namespaces", "users cannot make them here");
			while (i--)
				tap_kill(pid[i]);
			return;
		}
		if (map_uids(pid[i], h->subuid))
			tap_bail("uid_map: %s", strerror(errno));
		put(&h->mapped, 1);
		if (!tap_until(get(&h->done)))
			tap_bail("hoarder %d does not end", i);
		got += h->got;
		refused += h->error == ENOBUFS;
		tap_diag("hoarder %d got %ld", i, h->got);
	}
	tap_ok(got <= (bytes ? BYTES : OBJECTS),
	       "%d hoarders have no more than one user may: %ld", HOARDERS,
	       got);
	tap_ok(got >= (bytes ? BYTES : OBJECTS) / 2,
	       "and not much less, either");
	tap_is(refused, HOARDERS, "all were refused with ENOBUFS");
	tap_ok(tenant_measure(meter, 1, 20), "the victim is served beside");
	for (i = 0; i < HOARDERS; i++)
		tap_kill(pid[i]);
	tap_ok(tap_until(tap_stat("stats/charged_objects") <= objects &&
			 tap_stat("stats/charged_bytes") <= used),
	       "all is given back when they are killed");
	tap_tune("user_bytes_max", bytes_max);
	tap_tune("user_objects_max", objects_max);
}

/* --- slots ----------------------------------------------------------------- */

static int publish(void *arg)
{
	(void)arg;
	tap_publisher(SOCK_RDM, "/shares/feed", 65536);
	put(&shared->step, 1);
	keep();
	return 0;
}

/* Subscribes until it is refused, at most as often as there are slots. */
static int subscribe(void *arg)
{
	long want = (long)arg;
	int fd;

	for (shared->got = 0; shared->got < want; shared->got++) {
		fd = tap_socket(SOCK_DGRAM);
		if (!tap_connect(fd, "/shares/feed"))
			continue;
		shared->error = errno;
		strcpy(shared->words, tap_words(fd));
		break;
	}
	put(&shared->step, 2);
	keep();
	return 0;
}

static pid_t subscriber(uid_t uid, long want)
{
	pid_t pid;

	shared->error = 0;
	shared->step = 0;
	pid = tenant_start(uid, subscribe, (void *)want);
	if (!tap_until(get(&shared->step) == 2))
		tap_bail("the subscriber does not end");
	return pid;
}

static void slots(void)
{
	long long limit = tap_stat("drops/limit");
	pid_t pid[4];

	memset(shared, 0, sizeof(*shared));
	pid[0] = tenant_start(TENANT_VICTIM, publish, NULL);
	if (!tap_until(get(&shared->step) == 1))
		tap_bail("no publisher");
	pid[1] = subscriber(TENANT_ATTACKER, SLOTS + 1);
	tap_ok(shared->got >= SLOTS / 4 && shared->got <= SLOTS / 2,
	       "one user gets %ld slots", shared->got);
	tap_ok(shared->error == ENOBUFS && strlen(shared->words) > 8,
	       "and is refused then: %s", shared->words);
	tap_ok(tap_stat("drops/limit") > limit, "which is counted");
	pid[2] = subscriber(TENANT_OTHER, 100);
	tap_is(shared->got, 100, "another user has slots");
	pid[3] = subscriber(TENANT_VICTIM, SLOTS / 2 - 200);
	tap_is(shared->got, SLOTS / 2 - 200, "the publisher has what is left");
	tap_ok(tenant_measure(meter, 1, 20), "the victim is served beside");
	tap_kill(pid[1]);
	pid[1] = subscriber(TENANT_ATTACKER, 100);
	tap_is(shared->got, 100, "what was given back can be had again");
	tap_kill(pid[1]);
	tap_kill(pid[2]);
	tap_kill(pid[3]);
	tap_kill(pid[0]);
}

/* --- idempotency keys ------------------------------------------------------ */

#define VICTIM_KEYS	32

/* Does what it is asked for, and counts it. */
static int run_keys(void *arg)
{
	struct weir_config open = { .set = WEIR_SET_MODE, .mode = 0666 };
	struct weir_ticket ticket;
	struct weir_msg msg;
	struct weir *w;
	uint64_t key;

	(void)arg;
	if (weir_open(&w, SOCK_RDM, &open) ||
	    weir_serve(w, "/shares/keys", 1, NULL))
		return 1;
	put(&shared->step, 1);
	for (;;) {
		if (!tap_poll(weir_fd(w), POLLIN, 100) ||
		    weir_peek(w, &msg) != 1)
			continue;
		ticket = weir_ticket(&msg);
		memcpy(&key, msg.data, sizeof(key));
		weir_release(w, &msg);
		if (key < VICTIM_KEYS)
			__atomic_add_fetch(&shared->runs[key], 1,
					   __ATOMIC_RELAXED);
		weir_reply(w, &ticket, &key, sizeof(key), SECOND);
	}
	return 0;
}

/* One request with a key; its reason if it is refused, -1 for nonsense. */
static int ask_once(struct weir *w, uint32_t route, uint64_t key)
{
	struct weir_call call = { .route = route, .tag = (uint32_t)key,
				  .dup = key + 1 };
	struct weir_refusal fault;
	struct weir_msg msg;
	int reason = -1;

	ask_for(w, &call, &key, sizeof(key));
	msg = next_message(w, "a caller");
	if (weir_refusal_get(&msg, &fault))
		reason = (int)fault.reason;
	else if (msg.rec->tag == (uint32_t)key && msg.len == sizeof(key))
		reason = 0;
	weir_release(w, &msg);
	return reason;
}

static int call_twice(void *arg)
{
	uint32_t route;
	struct weir *w = caller("/shares/keys", &route);
	uint64_t key;

	(void)arg;
	for (key = 0; key < VICTIM_KEYS; key++)
		shared->wrong += !!ask_once(w, route, key);
	put(&shared->step, 2);
	while (get(&shared->go) < 1)
		usleep(1000);
	for (key = 0; key < VICTIM_KEYS; key++)
		shared->wrong += !!ask_once(w, route, key);
	return 0;
}

/* As many keys as it likes, all its own. */
static int call_often(void *arg)
{
	uint32_t route;
	struct weir *w = caller("/shares/keys", &route);
	uint64_t key;
	long wrong = 0;

	for (key = 1000; key < 1000 + (uint64_t)(long)arg; key++)
		wrong += !!ask_once(w, route, key);
	return wrong != 0;
}

static void keys(void)
{
	struct weir_route_conf conf = { QUIET, .dup_window_ns = 600 * SECOND,
					.dup_entries = KEYS };
	unsigned int twice = 0, i;
	pid_t service, victim;

	memset(shared, 0, sizeof(*shared));
	service = tenant_start(TENANT_OTHER, run_keys, NULL);
	if (!tap_until(get(&shared->step) == 1))
		tap_bail("no service");
	need(!route_set("/shares/keys", &conf), "keys are switched on");
	victim = tenant_start(TENANT_VICTIM, call_twice, NULL);
	if (!tap_until(get(&shared->step) == 2))
		tap_bail("no victim");
	tap_is(tap_wait(tenant_start(TENANT_ATTACKER, call_often,
				     (void *)tap_scale(1000, 3 * KEYS))), 0,
	       "the attacker's keys are all taken");
	put(&shared->go, 1);
	tap_is(tap_wait(victim), 0, "the victim asks once more");
	tap_is(shared->wrong, 0, "and has its answers");
	for (i = 0; i < VICTIM_KEYS; i++)
		twice += shared->runs[i] != 1;
	tap_is(twice, 0, "and nothing was done twice");
	tap_kill(service);
	need(!route_del("/shares/keys"), "del");
}

/* --- memory ---------------------------------------------------------------- */

#define SOCKETS	8

static void refused(int err, const char *words)
{
	shared->error = err;
	snprintf(shared->words, sizeof(shared->words), "%s", words);
}

/* Has it all, or was refused: the test may look. */
static int has_got(void)
{
	put(&shared->step, 1);
	keep();
	return 0;
}

/* On each of a few sockets as many things as @one gets, until it is refused. */
static int want(int each, int (*one)(int fd, int i, int k))
{
	int i, k, fd[SOCKETS];

	/* a socket that is refused has no words */
	for (i = 0; i < SOCKETS; i++) {
		fd[i] = tap_socket(SOCK_RDM);
		tap_setopt(fd[i], WEIR_SO_RING_BYTES, 4096);
	}
	for (i = 0; i < SOCKETS; i++) {
		for (k = 0; k < each; k++, shared->got++) {
			if (!one(fd[i], i, k))
				continue;
			refused(errno, tap_words(fd[i]));
			return has_got();
		}
	}
	return has_got();
}

/* A name to call. */
static int one_handle(int fd, int i, int k)
{
	struct weir_ioc_call call = { .size = sizeof(call) };

	(void)i;
	memset(call.path, 'x', 240);
	call.path[0] = '/';
	snprintf(call.path + 240, 10, "%d", k);
	return ioctl(fd, WEIR_IOC_CALL, &call);
}

static int want_handles(void *arg)
{
	(void)arg;
	return want(WEIR_ROUTES_MAX, one_handle);
}

/* A path to serve. */
static int one_target(int fd, int i, int k)
{
	char path[WEIR_PATH_MAX + 1];

	snprintf(path, sizeof(path), "/t/%d/%d/a/b/c/d/e/f/g", i, k);
	return setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, path, strlen(path));
}

static int want_targets(void *arg)
{
	(void)arg;
	return want(WEIR_SERVES_MAX, one_target);
}

/* Remembered replies, on a route of a namespace of its own. */
static int want_keys(void *arg)
{
	struct weir_route_op op = {
		.op = WEIR_OP_ROUTE_SET,
		.path = "/own/keys",
		.conf = { .dup_window_ns = 600 * SECOND,
			  .dup_entries = 1 << 20, .dup_bytes = 64 << 20 },
	};
	int fd, i;

	(void)arg;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 77;
	fd = tap_socket(SOCK_RDM);
	for (i = 0; i < 16; i++, shared->got++) {
		snprintf(op.path, sizeof(op.path), "/own/keys/%d", i);
		if (!control_by(fd, &op, 1, NULL))
			continue;
		refused(errno, tap_words(fd));
		break;
	}
	return has_got();
}

/* @cap: of the user; @most: what it would get without one. */
static void memory(const char *what, int (*fn)(void *), long cap, long most)
{
	long long objects = tap_stat("stats/charged_objects");
	long long used = tap_stat("stats/charged_bytes"), now;
	static uid_t user = TENANT_ATTACKER + 300;
	pid_t pid;
	int ended;

	memset(shared, 0, sizeof(*shared));
	tap_tune("user_bytes_max", cap);
	/* a user that has nothing left that is still being freed */
	pid = tenant_start(user++, fn, NULL);
	if (!tap_until_unless_ended(get(&shared->step) == 1, pid, &ended)) {
		if (ended != TAP_SKIP)
			tap_bail("%s: the attacker has not come that far (%d)",
				 what, ended);
		tap_skip(what, "users cannot make namespaces here");
		tap_tune("user_bytes_max", bytes_max);
		return;
	}
	now = tap_stat("stats/charged_bytes");
	tap_ok(shared->got < most, "%s: %ld, not %ld", what, shared->got, most);
	tap_ok(shared->error == ENOBUFS && strlen(shared->words) > 8,
	       "refused: %s", shared->words);
	tap_ok(now - used <= cap, "%lld bytes are charged", now - used);
	tap_ok(tenant_measure(meter, 1, 20), "the victim is served beside");
	tap_kill(pid);
	tap_ok(tap_until(tap_stat("stats/charged_objects") <= objects &&
			 tap_stat("stats/charged_bytes") <= used),
	       "all is given back when it is killed");
	tap_tune("user_bytes_max", bytes_max);
}

/* Calls that nobody answers: slots for them, beyond the first, are charged. */
static int want_calls(void *arg)
{
	struct weir_config c = {
		.set = WEIR_SET_MODE, .mode = 0666,
		.inbox_bytes = PLENTY, .ring_bytes = 4096,
	};
	struct weir_config d = { .inbox_bytes = PLENTY, .ring_bytes = PLENTY };
	struct weir_call call = { 0 };
	struct weir *s, *w;
	struct weir_msg msg;
	long n;

	(void)arg;
	if (weir_open(&s, SOCK_RDM, &c) ||
	    weir_serve(s, "/shares/silent", 1, NULL) ||
	    weir_open(&w, SOCK_RDM, &d))
		return 1;
	call.route = route_of(w, "/shares/silent");
	put(&shared->step, 1);
	while (get(&shared->go) < 1)
		usleep(1000);
	for (n = 0; n < 2000; n++) {
		call.tag = (uint32_t)n;
		if (request(w, &call, &n, sizeof(n)))
			break;
	}
	weir_flush(w);
	for (shared->got = 0; weir_peek(s, &msg) == 1; shared->got++)
		weir_release(s, &msg);
	put(&shared->step, 2);
	while (get(&shared->go) < 2)
		usleep(1000);
	/* all callers are answered, also requests that had no slot */
	weir_close(s);
	for (shared->error = 0; shared->error < n; shared->error++) {
		struct weir_refusal fault;

		msg = next_message(w, "the caller");
		shared->wrong += !weir_refusal_get(&msg, &fault);
		weir_release(w, &msg);
	}
	shared->error -= (int)n;
	return 0;
}

static void calls(void)
{
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = tenant_start(TENANT_ATTACKER, want_calls, NULL);
	if (!tap_until(get(&shared->step) == 1))
		tap_bail("no caller");
	/* what it has by now, and no slot more */
	tap_tune("user_bytes_max", 4096);
	put(&shared->go, 1);
	if (!tap_until(get(&shared->step) == 2))
		tap_bail("the calls do not end");
	tap_ok(shared->got > 0 && shared->got <= 32,
	       "at its cap it has the first slots: %ld calls", shared->got);
	tap_ok(tenant_measure(meter, 1, 20), "the victim is served beside");
	put(&shared->go, 2);
	tap_is(tap_wait(pid), 0, "the rest goes when they are answered");
	tap_ok(!shared->error && !shared->wrong, "and none is lost");
	tap_tune("user_bytes_max", bytes_max);
}

#define GROUP		"weir_shares"
#define MANY		8000	/* calls; their slots take 1 MB */

/* As want_calls(), with as many slots as it wants. */
static int want_slots(void *arg)
{
	struct weir_config c = { .inbox_bytes = PLENTY, .ring_bytes = PLENTY };
	struct weir_call call = { 0 };
	struct weir *s, *w;
	struct weir_msg msg;
	long n;

	(void)arg;
	while (get(&shared->go) < 1)
		usleep(1000);
	if (weir_open(&s, SOCK_RDM, &c) ||
	    weir_serve(s, "/shares/slots", 1, NULL) ||
	    weir_open(&w, SOCK_RDM, &c))
		return 1;
	call.route = route_of(w, "/shares/slots");
	put(&shared->step, 1);
	while (get(&shared->go) < 2)
		usleep(1000);
	for (n = 0; n < MANY; n++) {
		call.tag = (uint32_t)n;
		need(!request(w, &call, &n, sizeof(n)), "request");
		weir_flush(w);
		while (weir_peek(s, &msg) == 1) {
			weir_release(s, &msg);
			shared->got++;
		}
	}
	while (shared->got < MANY && soon(weir_peek(s, &msg) == 1)) {
		weir_release(s, &msg);
		shared->got++;
	}
	put(&shared->step, 2);
	keep();
	return 0;
}

/* What a polling thread makes for a user is in that user's memory cgroup. */
static void cgroups(void)
{
	long long idle = tap_stat("tunables/poll_idle_us"), before;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	if (tenant_cgroup(GROUP, 0)) {
		tap_skip("cgroups", "no memory cgroups here");
		return;
	}
	/* the thread does not sleep, so that the caller need not kick */
	tap_tune("poll_idle_us", 10000000);
	need(!tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "0"),
	     "poll_cpus");
	pid = tenant_start(TENANT_ATTACKER, want_slots, NULL);
	need(!tenant_cgroup_enter(GROUP, pid), "a cgroup");
	put(&shared->go, 1);
	if (!tap_until(get(&shared->step) == 1))
		tap_bail("no caller");
	before = tenant_cgroup_read(GROUP, "memory.current");
	put(&shared->go, 2);
	if (!tap_until(get(&shared->step) == 2))
		tap_bail("the calls do not end");
	before = tenant_cgroup_read(GROUP, "memory.current") - before;
	tap_is(shared->got, MANY, "a polling thread hands the calls on");
	tap_ok(before > MANY * 128 / 2, "their slots are the caller's: %lld",
	       before);
	tap_kill(pid);
	tap_write_file("/sys/kernel/weir/tunables/poll_cpus", "\n");
	tap_tune("poll_idle_us", idle);
	rmdir(TENANT_CGROUPS "/" GROUP);
}

int main(void)
{
	struct tenant_job job = { .path = "/shares/victim", .cpu = -1 };
	struct rlimit files = { 2 * SLOTS, 2 * SLOTS };
	pid_t service, caller_pid;

	hard_begin();
	tap_watchdog(300);
	if (geteuid())
		tap_skip_all("needs root");
	setrlimit(RLIMIT_NOFILE, &files);
	bytes_max = tap_stat("tunables/user_bytes_max");
	objects_max = tap_stat("tunables/user_objects_max");
	shared = tap_shared(sizeof(*shared));
	meter = tenant_meter_new();
	job.meter = meter;
	tenant_victim(TENANT_VICTIM, &job, &service, &caller_pid);
	tap_ok(tenant_measure(meter, 0, 50), "a victim is served");
	namespaces(1, 0, 0);
	namespaces(1, 0, 1);
	namespaces(0, 1, 0);
	namespaces(1, 1, 1);
	part(slots);
	part(keys);
	memory("handles", want_handles, BYTES, SOCKETS * WEIR_ROUTES_MAX);
	memory("targets", want_targets, BYTES / 6, SOCKETS * WEIR_SERVES_MAX);
	memory("keys", want_keys, BYTES, 16);
	part(calls);
	part(cgroups);
	tap_ok(tenant_measure(meter, 2, 50), "a victim is served afterwards");
	tenant_show(meter, 0, "before");
	tenant_show(meter, 1, "beside");
	tenant_show(meter, 2, "after");
	tap_ok(!meter->phases[0].bad && !meter->phases[1].bad &&
	       !meter->phases[2].bad, "no call of the victim has failed");
	tap_ok(tenant_victim_end(&job, service, caller_pid), "it ends well");
	tap_ok(tap_until(!tap_stat("stats/charged_bytes") &&
			 !tap_stat("stats/charged_objects") &&
			 !tap_stat("stats/sockets")),
	       "nothing is charged any more");
	check_kernel();
	return tap_done();
}
