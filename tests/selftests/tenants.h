/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of isolation share: processes of several users, a victim that
 * measures what it is served, and memory cgroups.
 *
 * A test of isolation runs an attack as one user and a victim as another, and
 * compares what the victim measures before, during and after: answers by
 * count, latency by a histogram, memory by its cgroup. A verdict is a ratio or
 * a count, so that it holds on a slow machine. A ratio of durations is that of
 * several rounds, in which what is compared takes turns (struct tenant_verdict),
 * so that it holds on a machine that others use meanwhile.
 *
 * The victim here is a service and a caller that use plain socket calls. A
 * test that needs another one measures with tenant_note().
 */
#ifndef WEIR_TENANTS_H
#define WEIR_TENANTS_H

#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <uapi/weir_ring.h>
#include <uapi/weir_route.h>

#include "selftest.h"

#define TENANT_VICTIM	2001
#define TENANT_ATTACKER	2002
#define TENANT_OTHER	2003

#define TENANT_BUCKETS	320	/* eight for each doubling of nanoseconds */
#define TENANT_PHASES	12
#define TENANT_ROUNDS	7	/* of a verdict, at most; odd */

/**
 * struct tenant_phase - what was measured in one phase
 * @good: answers that were right.
 * @bad: errors, wrong answers and answers that did not come in time.
 * @max_ns: the longest round trip, in nanoseconds.
 * @total_ns: of all that were good, in nanoseconds.
 * @hist: round trips by duration, see tenant_bucket().
 */
struct tenant_phase {
	uint64_t good;
	uint64_t bad;
	uint64_t max_ns;
	uint64_t total_ns;
	uint32_t hist[TENANT_BUCKETS];
};

/**
 * struct tenant_meter - a victim's measurements, in memory that processes share
 * @ready: victims that are at work.
 * @phase: index of the phase that counts, set by the test.
 * @stop: nonzero: victims end.
 * @refused: what the last error said: reason (low half) and guard; 0: none did.
 * @phases: one for each phase; written by one victim.
 * @begun: what they were when they began last, see tenant_begin().
 */
struct tenant_meter {
	int ready;
	int phase;
	int stop;
	uint64_t refused;
	struct tenant_phase phases[TENANT_PHASES];
	struct tenant_phase begun[TENANT_PHASES];
};

/**
 * struct tenant_verdict - a comparison of durations that is made in rounds
 * @limit: the most that a duration may be, in times of what it is compared with.
 * @rounds: that were measured.
 * @within: of these, those within the limit.
 * @ratio: of each.
 *
 * In each round both are measured, one after the other. The verdict is on the
 * median of the rounds' ratios: one that something else disturbed does not
 * decide, and what takes too long takes so in each of them. It needs no more
 * rounds when most of TENANT_ROUNDS are on one side of the limit.
 */
struct tenant_verdict {
	double limit;
	int rounds;
	int within;
	double ratio[TENANT_ROUNDS];
};

/* --- users ---------------------------------------------------------------- */

/* Makes the process one of an ordinary user, without groups and capabilities. */
TAP_UNUSED static void tenant_become(uid_t uid)
{
	umask(0);
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		_exit(99);
	/* setresuid() made /proc/self root's */
	prctl(PR_SET_DUMPABLE, 1);
}

/* Ends with its parent. New credentials clear that: to be said after them. */
TAP_UNUSED static void tenant_die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(99);
}

/* Forks a process of a user, which ends with this one; returns as fork(). */
TAP_UNUSED static pid_t tenant_fork(uid_t uid)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		tap_bail("fork");
	if (pid)
		return pid;
	if (geteuid() != uid)
		tenant_become(uid);
	tenant_die_with(parent);
	return 0;
}

/* A process of a user that runs @fn; its result is the exit status. */
TAP_UNUSED static pid_t tenant_start(uid_t uid, int (*fn)(void *arg), void *arg)
{
	pid_t pid = tenant_fork(uid);

	if (!pid)
		_exit(fn(arg));
	return pid;
}

/* Stops a process, if it is not stopped already; SIGCONT lets it go on. */
TAP_UNUSED static void tenant_pause(pid_t pid)
{
	siginfo_t info;

	if (kill(pid, SIGSTOP) || waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT))
		tap_bail("process %d cannot be stopped", pid);
}

/* Runs on this processor from then on. */
TAP_UNUSED static void tenant_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		tap_bail("processor %d", cpu);
}

/* --- measuring ------------------------------------------------------------ */

TAP_UNUSED static uint64_t tenant_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

TAP_UNUSED static struct tenant_meter *tenant_meter_new(void)
{
	return tap_shared(sizeof(struct tenant_meter));
}

/* Index in the histogram of a duration. */
static unsigned int tenant_bucket(uint64_t ns)
{
	unsigned int log = ns < 8 ? 3 : 63 - __builtin_clzll(ns);
	unsigned int i = (log - 3) * 8 + (unsigned int)(ns >> (log - 3) & 7);

	return i < TENANT_BUCKETS ? i : TENANT_BUCKETS - 1;
}

/* The longest duration of a bucket, in nanoseconds. */
static uint64_t tenant_bucket_ns(unsigned int i)
{
	return ((8ULL | i % 8) + 1) << i / 8;
}

/* Counts one round trip of the victim in the phase that counts. */
TAP_UNUSED static void tenant_note(struct tenant_meter *m, uint64_t ns, int good)
{
	struct tenant_phase *p =
		&m->phases[__atomic_load_n(&m->phase, __ATOMIC_ACQUIRE)];

	if (!good) {
		__atomic_add_fetch(&p->bad, 1, __ATOMIC_RELAXED);
		return;
	}
	p->hist[tenant_bucket(ns)]++;
	p->total_ns += ns;
	if (ns > p->max_ns)
		p->max_ns = ns;
	__atomic_add_fetch(&p->good, 1, __ATOMIC_RELEASE);
}

/* Duration that @permille of 1000 round trips of a histogram did not exceed, ns. */
static uint64_t tenant_hist_quantile(const uint32_t *hist, unsigned int permille)
{
	uint64_t n = 0, want;
	unsigned int i;

	for (i = 0; i < TENANT_BUCKETS; i++)
		n += hist[i];
	want = (n * permille + 999) / 1000;
	for (i = 0, n = 0; i < TENANT_BUCKETS; i++) {
		n += hist[i];
		if (n && n >= want)
			return tenant_bucket_ns(i);
	}
	return 0;
}

/* The same, of all round trips of a phase. */
TAP_UNUSED static uint64_t tenant_quantile(const struct tenant_meter *m,
					   int phase, unsigned int permille)
{
	return tenant_hist_quantile(m->phases[phase].hist, permille);
}

/* The same, of those since it began last. */
TAP_UNUSED static uint64_t tenant_last(const struct tenant_meter *m, int phase,
				       unsigned int permille)
{
	uint32_t hist[TENANT_BUCKETS];
	unsigned int i;

	for (i = 0; i < TENANT_BUCKETS; i++)
		hist[i] = m->phases[phase].hist[i] - m->begun[phase].hist[i];
	return tenant_hist_quantile(hist, permille);
}

/* Round trips, good or bad, since a phase began last. */
static uint64_t tenant_count(const struct tenant_meter *m, int phase)
{
	const struct tenant_phase *p = &m->phases[phase];
	const struct tenant_phase *begun = &m->begun[phase];

	return __atomic_load_n(&p->good, __ATOMIC_ACQUIRE) - begun->good +
	       __atomic_load_n(&p->bad, __ATOMIC_ACQUIRE) - begun->bad;
}

/* From now on a phase counts, for the first time or once more. */
TAP_UNUSED static void tenant_begin(struct tenant_meter *m, int phase)
{
	m->begun[phase] = m->phases[phase];
	__atomic_store_n(&m->phase, phase, __ATOMIC_RELEASE);
}

/*
 * Waits until the victim has measured @rounds round trips, good or bad, since a
 * phase began. Returns whether they came before the deadline.
 */
TAP_UNUSED static int tenant_measured(struct tenant_meter *m, int phase,
				      uint64_t rounds)
{
	return tap_until(tenant_count(m, phase) >= rounds);
}

/* Both. */
TAP_UNUSED static int tenant_measure(struct tenant_meter *m, int phase,
				     uint64_t rounds)
{
	tenant_begin(m, phase);
	return tenant_measured(m, phase, rounds);
}

/* Prints a phase as a comment. */
TAP_UNUSED static void tenant_show(const struct tenant_meter *m, int phase,
				   const char *name)
{
	const struct tenant_phase *p = &m->phases[phase];

	tap_diag("%s: %llu good, %llu bad, p50 %llu us, p99 %llu us, max %llu us",
		 name, (unsigned long long)p->good, (unsigned long long)p->bad,
		 (unsigned long long)tenant_quantile(m, phase, 500) / 1000,
		 (unsigned long long)tenant_quantile(m, phase, 990) / 1000,
		 (unsigned long long)p->max_ns / 1000);
	if (p->bad && m->refused)
		tap_diag("%s: refused at last for reason %u, by guard %u", name,
			 (unsigned int)m->refused,
			 (unsigned int)(m->refused >> 32));
}

/* --- comparing --------------------------------------------------------------- */

/* Whether a verdict needs another round. */
TAP_UNUSED static bool tenant_undecided(const struct tenant_verdict *v)
{
	const int most = TENANT_ROUNDS / 2 + 1;

	return v->within < most && v->rounds - v->within < most;
}

/* What was measured in a round: a duration, and what it is compared with. */
TAP_UNUSED static void tenant_compare(struct tenant_verdict *v, uint64_t ns,
				      uint64_t with)
{
	double ratio = (double)ns / (double)(with ? with : 1);

	if (v->rounds == TENANT_ROUNDS)
		return;
	v->ratio[v->rounds++] = ratio;
	v->within += ratio <= v->limit;
}

/* Says how it came out, as a check; whether it is within the limit. */
TAP_UNUSED static bool tenant_judge(const struct tenant_verdict *v,
				    const char *what)
{
	char ratios[16 * TENANT_ROUNDS] = "";
	size_t len = 0;
	int i;

	for (i = 0; i < v->rounds && len < sizeof(ratios) - 1; i++)
		len += (size_t)snprintf(ratios + len, sizeof(ratios) - len,
					" %.2f", v->ratio[i]);
	tap_diag("%d rounds, at most %g times as long:%s", v->rounds, v->limit,
		 ratios);
	return tap_ok(2 * v->within > v->rounds, "%s (%d of %d rounds)", what,
		      v->within, v->rounds);
}

/* --- a victim: a service and its caller ------------------------------------ */

/**
 * struct tenant_job - a service or a caller
 * @path: served or called.
 * @meter: what the caller measures; a service uses @ready and @stop of it.
 * @cpu: processor to run on; -1: any.
 * @mode: permission bits of the path that a service makes; 0: 0666.
 * @large: bytes of a service's reply to a request that is not of 8 bytes, at most
 *	TENANT_REPLY; 0: as long as the request.
 * @flags: WEIR_REC_*, of replies.
 * @moment_us: that a service takes for each request, in microseconds.
 * @nonsense: bytes of a request that a service answers with an error; 0: none.
 */
struct tenant_job {
	const char *path;
	struct tenant_meter *meter;
	int cpu;
	int mode;
	int large;
	int flags;
	int moment_us;
	int nonsense;
};

#define TENANT_REPLY	2048

/* A message that was routed, by a plain call. Length, or -1 with errno. */
TAP_UNUSED static ssize_t tenant_recv(int fd, void *buf, size_t len, int flags,
				      struct weir_scm_route *scm)
{
	char control[CMSG_SPACE(sizeof(*scm))] = { 0 };
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, flags);

	memset(scm, 0, sizeof(*scm));
	if (n >= 0 && CMSG_FIRSTHDR(&msg))
		memcpy(scm, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(*scm));
	return n;
}

/* Sends a message with these words; to @path if it is not NULL. */
TAP_UNUSED static ssize_t tenant_send(int fd, const char *path, const void *buf,
				      size_t len, int flags,
				      const struct weir_scm_route *scm)
{
	char control[CMSG_SPACE(sizeof(*scm))] = { 0 };
	struct iovec iov = { (void *)buf, len };
	struct sockaddr_weir addr;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	if (path) {
		msg.msg_namelen = tap_addr(&addr, path);
		msg.msg_name = &addr;
	}
	cm->cmsg_level = SOL_WEIR;
	cm->cmsg_type = WEIR_SCM_ROUTE;
	cm->cmsg_len = CMSG_LEN(sizeof(*scm));
	memcpy(CMSG_DATA(cm), scm, sizeof(*scm));
	return sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
}

/* Serves a path: every request is answered with its own payload, or a large one. */
static int tenant_service(void *arg)
{
	struct tenant_job *job = arg;
	struct weir_scm_route scm;
	int fd = tap_socket(SOCK_RDM);
	static char buf[TENANT_REPLY];
	ssize_t n;

	if (job->cpu >= 0)
		tenant_on_cpu(job->cpu);
	if (tap_setopt(fd, WEIR_SO_MODE, job->mode ? job->mode : 0666) ||
	    setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, job->path,
		       strlen(job->path)))
		return 1;
	__atomic_add_fetch(&job->meter->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&job->meter->stop, __ATOMIC_ACQUIRE)) {
		if (!tap_poll(fd, POLLIN, 100))
			continue;
		n = tenant_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &scm);
		if (n < 0 || scm.kind != WEIR_KIND_REQUEST)
			continue;
		scm.kind = job->nonsense && n == job->nonsense ?
			   WEIR_KIND_ERROR : WEIR_KIND_REPLY;
		if (job->large && n != 8)
			n = job->large;
		if (job->moment_us)
			usleep((useconds_t)job->moment_us);
		scm.flags = (uint8_t)job->flags;
		scm.key = 0;
		scm.deadline_ns = 0;
		tenant_send(fd, NULL, buf, n, 0, &scm);
	}
	return 0;
}

/* Calls a path, one request at a time, and measures each. */
static int tenant_caller(void *arg)
{
	struct tenant_job *job = arg;
	struct tenant_meter *m = job->meter;
	struct weir_scm_route scm;
	int fd = tap_socket(SOCK_RDM), good;
	uint64_t i, begin, got;

	if (job->cpu >= 0)
		tenant_on_cpu(job->cpu);
	__atomic_add_fetch(&m->ready, 1, __ATOMIC_RELEASE);
	for (i = 1; !__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE); i++) {
		memset(&scm, 0, sizeof(scm));
		scm.kind = WEIR_KIND_REQUEST;
		scm.tag = (uint32_t)i;
		begin = tenant_now_ns();
		good = tenant_send(fd, job->path, &i, sizeof(i), 0, &scm) ==
		       sizeof(i);
		while (good) {
			got = 0;
			good = tap_poll(fd, POLLIN, TAP_DEADLINE_MS) > 0 &&
			       tenant_recv(fd, &got, sizeof(got), 0, &scm) ==
			       sizeof(i);
			if (!good || scm.tag == (uint32_t)i)
				break;
		}
		if (good && scm.kind == WEIR_KIND_ERROR)
			__atomic_store_n(&m->refused, got, __ATOMIC_RELAXED);
		tenant_note(m, tenant_now_ns() - begin, good && got == i &&
			    scm.kind == WEIR_KIND_REPLY);
		if (!good)
			usleep(1000);
	}
	return 0;
}

/* Starts a service and its caller of a user; both are at work on return. */
TAP_UNUSED static void tenant_victim(uid_t uid, struct tenant_job *job,
				     pid_t *service, pid_t *caller)
{
	int ready = __atomic_load_n(&job->meter->ready, __ATOMIC_ACQUIRE);

	*service = tenant_start(uid, tenant_service, job);
	if (!tap_until(__atomic_load_n(&job->meter->ready, __ATOMIC_ACQUIRE) >=
		       ready + 1))
		tap_bail("no service on %s", job->path);
	*caller = tenant_start(uid, tenant_caller, job);
	if (!tap_until(__atomic_load_n(&job->meter->ready, __ATOMIC_ACQUIRE) >=
		       ready + 2))
		tap_bail("no caller of %s", job->path);
}

/* Ends them; returns whether both ended well. */
TAP_UNUSED static int tenant_victim_end(struct tenant_job *job, pid_t service,
					pid_t caller)
{
	int ok;

	__atomic_store_n(&job->meter->stop, 1, __ATOMIC_RELEASE);
	ok = !tap_wait(caller);
	return !tap_wait(service) && ok;
}

/* --- routes behind routes --------------------------------------------------- */

/* The next entry of a list after *@id, whose number is then in *@id; or 0. */
static int tenant_list_next(int fd, uint32_t kind, void *entry, uint32_t size,
			    uint64_t *id)
{
	struct weir_ioc_list list = {
		.size = sizeof(list), .kind = kind, .entry_size = size,
		.count = 1, .after = *id, .entries = (uintptr_t)entry,
	};

	if (ioctl(fd, WEIR_IOC_LIST, &list))
		tap_bail("list: %s", tap_words(fd));
	memcpy(id, entry, sizeof(*id));	/* the first field of every entry */
	return list.count;
}

/* Takes one path away from a route's targets. */
static int tenant_unroute(int fd, const char *path, const char *target)
{
	struct weir_route_op op = { .op = WEIR_OP_TARGET_DEL };
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(op), .count = 1,
		.ops = (uintptr_t)&op,
	};

	snprintf(op.path, sizeof(op.path), "%s", path);
	snprintf(op.target_path, sizeof(op.target_path), "%s", target);
	return ioctl(fd, WEIR_IOC_CONTROL, &ctl);
}

/*
 * Takes away all targets that are paths, as root. Routes that stand behind
 * others are there, and charged to their maker, when the maker has ended.
 */
TAP_UNUSED static void tenant_routes_end(void)
{
	static struct weir_route_entry route;
	static struct weir_target_entry target;
	int fd = tap_socket(SOCK_RDM);
	uint64_t id = 0, at;

	while (tenant_list_next(fd, WEIR_LIST_TARGETS, &target, sizeof(target),
				&id)) {
		at = target.route - 1;
		if (target.socket ||
		    !tenant_list_next(fd, WEIR_LIST_ROUTES, &route,
				      sizeof(route), &at) ||
		    at != target.route)
			continue;
		if (tenant_unroute(fd, route.path, target.path))
			tap_bail("%s: %s", route.path, tap_words(fd));
	}
	close(fd);
}

/* --- a writer that asks for room --------------------------------------------- */

/* The words of its ring that a writer writes. */
TAP_UNUSED static struct weir_head *tenant_head(int fd)
{
	struct weir_ioc_map m = { .size = sizeof(m), .id = WEIR_ID_OUTBOX };
	void *at;

	if (ioctl(fd, WEIR_IOC_MAP, &m))
		tap_bail("map: %s", tap_words(fd));
	at = mmap(NULL, m.length[WEIR_MAP_OWN], PROT_READ | PROT_WRITE,
		  MAP_SHARED, fd, (off_t)m.offset[WEIR_MAP_OWN]);
	if (at == MAP_FAILED)
		tap_bail("mmap");
	return at;
}

/*
 * Asks for room in a ring of these bytes that is full, in another way each time
 * (@odd: 0 or 1). The kernel makes sure that no reader has moved meanwhile: for that
 * it may interrupt the readers' processors.
 */
TAP_UNUSED static void tenant_ask_room(int fd, struct weir_head *head,
				       uint32_t bytes, uint64_t odd)
{
	struct weir_so_wait wait = {
		.flags = WEIR_WAIT_OUT, .bytes = 128 + 64 * odd,
	};

	weir_store(&head->limit, bytes);
	weir_store(&head->claim,
		   weir_ring_pack((uint32_t)(bytes / 64 - odd), 1));
	tap_sleep(fd, &wait);
}

/* --- memory cgroups -------------------------------------------------------- */

#define TENANT_CGROUPS	"/sys/fs/cgroup"

/* A file of a cgroup: a number, -1 if it cannot be read or is no number. */
TAP_UNUSED static long long tenant_cgroup_read(const char *group,
					       const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), TENANT_CGROUPS "/%s/%s", group, file);
	return tap_read_file(path);
}

TAP_UNUSED static int tenant_cgroup_write(const char *group, const char *file,
					  const char *words)
{
	char path[256];

	snprintf(path, sizeof(path), TENANT_CGROUPS "/%s/%s", group, file);
	return tap_write_file(path, words);
}

/*
 * Makes a cgroup with at most @max bytes, 0: any number. Returns 0, or -1 if
 * there are no memory cgroups.
 */
TAP_UNUSED static int tenant_cgroup(const char *group, unsigned long long max)
{
	char path[256], words[32] = "max";

	snprintf(path, sizeof(path), TENANT_CGROUPS "/%s", group);
	if (mkdir(path, 0755) && errno != EEXIST)
		return -1;
	if (tenant_cgroup_read(group, "memory.current") < 0)
		return -1;
	if (max)
		snprintf(words, sizeof(words), "%llu", max);
	return tenant_cgroup_write(group, "memory.max", words);
}

/* Puts a process into a cgroup; what it allocates from then on counts there. */
TAP_UNUSED static int tenant_cgroup_enter(const char *group, pid_t pid)
{
	char words[32];

	snprintf(words, sizeof(words), "%d", pid);
	return tenant_cgroup_write(group, "cgroup.procs", words);
}

/*
 * A process of a user that runs @fn in a cgroup, NULL: in that of this one. Its
 * result is the exit status. It ends with this one.
 */
TAP_UNUSED static pid_t tenant_start_in(const char *group, uid_t uid,
					int (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid(), pid = tenant_fork(geteuid());

	if (pid)
		return pid;
	if (group && tenant_cgroup_enter(group, getpid()))
		_exit(98);
	if (geteuid() != uid)
		tenant_become(uid);
	tenant_die_with(parent);
	_exit(fn(arg));
}

/* A counter in memory.events such as "oom_kill"; -1 if it is not there. */
TAP_UNUSED static long long tenant_cgroup_event(const char *group,
						const char *event)
{
	char path[256];

	snprintf(path, sizeof(path), TENANT_CGROUPS "/%s/memory.events", group);
	return tap_field(path, event);
}

#endif /* WEIR_TENANTS_H */
