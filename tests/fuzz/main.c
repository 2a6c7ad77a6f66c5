// SPDX-License-Identifier: GPL-2.0
/*
 * weir-fuzz: several users at once run random sequences of calls.
 *
 *   weir-fuzz [--seed N] [--seconds S] [--users K] [--kept LOG]
 *             [--coverage FILE] [--log]
 *   weir-fuzz --run FILE [--times N]
 *
 * As root, with weir loaded, on a kernel with KCOV. User 0 is root, the others have uids of their own,
 * every fourth in a user and network namespace of its own; all the others share
 * one, which is renewed every few seconds, so that everything in it ends while
 * it is in use. The verdict is TAP.
 *
 * The sequences of a user depend on the seed and on which of them were kept,
 * because they reached new code. Each that is kept is told ("# kept USER N"):
 * with --kept and the log of a run, its sequences come again. --log writes each
 * sequence before it is run; --run runs those of a file, a sequence a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tap/tap.h"
#include "fuzz.h"

#define UID_FIRST	1000
#define ARENA_MS	15000	/* life of a shared network namespace */
#define CALL_MS		60000	/* no call may last longer */
#define END_MS		240000	/* everything is gone by then */
#define PER_PROCESS	200	/* sequences that one process runs */
#define PLACES_MIN	1000	/* that a run reaches, however short */
#define REPLAY_MAX	(1U << 22) /* sequences of a user, with --kept */

/**
 * struct user - what all processes know of one user
 * @next: number of the next sequence.
 * @calls: made so far.
 * @kept: sequences that reached new places.
 * @since_ms: when the present step began; 0: none runs.
 * @step: the present step.
 * @crashed: signal that ended a process of this user, other than SIGKILL.
 * @thread: the one that runs sequences.
 * @spent_ms: time spent in each kind of call.
 * @made: how often it was made.
 * @now: the present sequence.
 * @corpus: those that are kept.
 */
struct user {
	uint64_t next;
	uint64_t calls;
	uint64_t kept;
	int64_t since_ms;
	uint32_t step;
	int crashed;
	pid_t thread;
	uint64_t spent_ms[CALLS_MAX];
	uint64_t made[CALLS_MAX];
	struct seq now;
	struct corpus corpus;
};

static struct {
	uint64_t seed;
	unsigned int seconds;
	unsigned int users;
	const char *kept;
	const char *coverage;
	const char *run;
	unsigned int times;
	bool log;
} conf = { .seconds = 60, .users = 4, .times = 1 };

static struct user *users;
static struct coverage *cov;
static unsigned char *replayed;	/* bit per user, by number of sequence */
static unsigned int me;		/* in a user's process */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("weir-fuzz: mmap");
		exit(2);
	}
	return at;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

static long long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long long n = -1;

	if (f && fscanf(f, "%lli", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* --- one user's process --------------------------------------------------- */

/* The step before has ended. */
static void account(struct user *u, int64_t now)
{
	int64_t since = __atomic_load_n(&u->since_ms, __ATOMIC_RELAXED);
	uint32_t call = u->now.step[u->step % FUZZ_STEPS].call % CALLS_MAX;

	if (!since)
		return;
	__atomic_fetch_add(&u->spent_ms[call], (uint64_t)(now - since),
			   __ATOMIC_RELAXED);
	__atomic_fetch_add(&u->made[call], 1, __ATOMIC_RELAXED);
}

static void tell(unsigned int step)
{
	struct user *u = &users[me];
	int64_t now;

	__atomic_fetch_add(&u->calls, 1, __ATOMIC_RELAXED);
	/* threads are waited for in a step, and children by nobody */
	if (gettid() != u->thread)
		return;
	now = now_ms();
	account(u, now);
	__atomic_store_n(&u->step, step, __ATOMIC_RELAXED);
	__atomic_store_n(&u->since_ms, now, __ATOMIC_RELAXED);
}

static bool is_kept(uint64_t n, unsigned int new)
{
	if (!replayed)
		return new;
	return n < REPLAY_MAX && replayed[n] >> me & 1;
}

static void one_seq(struct user *u)
{
	uint64_t n = u->next++;
	struct rng r = { conf.seed * 0x10001 + me * UINT64_C(0x100000001) + n };
	unsigned int new;

	corpus_make(&u->corpus, &r, n, &u->now);
	if (conf.log) {
		printf("# %u %llu: ", me, (unsigned long long)n);
		seq_print(stdout, &u->now);
		fflush(stdout);
	}
	run_seq(&u->now, rng_next(&r), tell);
	account(u, now_ms());
	__atomic_store_n(&u->since_ms, 0, __ATOMIC_RELAXED);
	new = kcov_end(cov, me);
	if (!is_kept(n, new))
		return;
	corpus_keep(&u->corpus, &u->now);
	u->kept++;
	printf("# kept %u %llu\n", me, (unsigned long long)n);
	fflush(stdout);
}

/* Processes follow one another, as they are killed at times. */
static void processes(void)
{
	struct user *u = &users[me];

	for (;;) {
		pid_t parent = getpid(), pid = fork();
		int status = 0, i;

		if (!pid) {
			die_with(parent);
			u->thread = gettid();
			run_signals();
			kcov_begin();
			for (i = 0; i < PER_PROCESS; i++)
				one_seq(u);
			_exit(0);
		}
		if (pid < 0)
			continue;
		while (waitpid(pid, &status, 0) != pid)
			;
		__atomic_store_n(&u->since_ms, 0, __ATOMIC_RELAXED);
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			u->crashed = WTERMSIG(status);
	}
}

static void map_id(const char *file, unsigned int from)
{
	char text[32];

	snprintf(text, sizeof(text), "0 %u 1", from);
	write_file(file, text);
}

static void user_begin(pid_t parent)
{
	unsigned int uid = UID_FIRST + me;

	die_with(parent);
	kcov_open();
	if (!me)
		return;
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) {
		perror("weir-fuzz: setresuid");
		_exit(2);
	}
	/* its own files in /proc are its own again */
	prctl(PR_SET_DUMPABLE, 1);
	if (me % 4 == 3 && !unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		prctl(PR_SET_DUMPABLE, 1);
		write_file("/proc/self/setgroups", "deny");
		map_id("/proc/self/uid_map", uid);
		map_id("/proc/self/gid_map", uid);
	}
	/* new credentials have cleared the signal */
	die_with(parent);
}

/* The users in a network namespace of theirs; ends when it is killed. */
static void arena(pid_t parent)
{
	die_with(parent);
	if (unshare(CLONE_NEWNET) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, fuzz_pass)) {
		perror("weir-fuzz: a namespace");
		_exit(2);
	}
	parent = getpid();
	for (me = 0; me < conf.users; me++) {
		if (fork())
			continue;
		user_begin(parent);
		processes();
	}
	for (;;)
		pause();
}

/* --- the whole ------------------------------------------------------------ */

/* Those that fail must not be told by the kernel: a trace is a complaint. */
static void faults_init(void)
{
	static const char *const files[] = {
		"failslab/verbose", "fail_page_alloc/verbose",
		"failslab/ignore-gfp-wait", "fail_page_alloc/ignore-gfp-wait",
		"fail_page_alloc/min-order", "fail_page_alloc/ignore-gfp-highmem",
	};
	static const char *const values[] = { "0", "0", "N", "N", "0", "N" };
	char path[96];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", files[i]);
		write_file(path, values[i]);
	}
}

/* Anything that the kernel says only when it is broken. */
static const char *complaint(void)
{
	static const char *const words[] = {
		"BUG:", "WARNING:", "KASAN:", "UBSAN:", "KCSAN:", "ODEBUG:",
		"possible recursive", "possible circular", "inconsistent lock",
		"suspicious RCU", "held lock freed", "lock held when returning",
		"bad unlock", "INFO: task", "detected stalls", "soft lockup",
		"refcount_t:", "general protection", "Call Trace:",
	};
	static char log[1 << 20];
	int n = klogctl(3, log, sizeof(log) - 1);
	unsigned int i;

	log[n > 0 ? n : 0] = '\0';
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strstr(log, words[i]))
			return words[i];
	}
	/* out of tree, unsigned, tests */
	if (read_number("/proc/sys/kernel/tainted") &
	    ~(1LL << 12 | 1LL << 13 | 1LL << 18))
		return "a taint";
	return NULL;
}

static void show_now(unsigned int i)
{
	struct user *u = &users[i];

	printf("# user %u, sequence %llu, step %u: ", i,
	       (unsigned long long)u->next - 1, u->step);
	seq_print(stdout, &u->now);
}

static long long left(void)
{
	return read_number("/sys/kernel/weir/stats/sockets") +
	       read_number("/sys/kernel/weir/stats/rings") +
	       read_number("/sys/kernel/weir/stats/ring_bytes") +
	       read_number("/sys/kernel/weir/stats/readers");
}

static bool hung(void)
{
	bool found = false;
	unsigned int i;

	for (i = 0; i < conf.users; i++) {
		int64_t since = __atomic_load_n(&users[i].since_ms,
						__ATOMIC_RELAXED);

		if (!since || now_ms() - since < CALL_MS)
			continue;
		found = true;
		show_now(i);
	}
	return found;
}

/* One arena after another; false when a call hung. */
static bool fuzz(void)
{
	int64_t end = now_ms() + (int64_t)conf.seconds * 1000;
	bool hangs = false;

	while (now_ms() < end && !hangs && !complaint()) {
		int64_t over = now_ms() + ARENA_MS;
		pid_t parent = getpid(), pid = fork();
		unsigned int i;

		if (!pid)
			arena(parent);
		if (over > end)
			over = end;
		while (now_ms() < over && !hangs) {
			usleep(200000);
			hangs = hung();
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (i = 0; i < conf.users; i++)
			users[i].since_ms = 0;
	}
	return !hangs;
}

/* Sequences of a file, in this process and namespace. */
static int run_file(void)
{
	static char line[1 << 16];
	FILE *f = fopen(conf.run, "r");
	struct seq seq;
	unsigned int i;

	if (!f) {
		perror(conf.run);
		return 2;
	}
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fuzz_pass))
		return 2;
	run_signals();
	while (fgets(line, sizeof(line), f)) {
		char *text = strstr(line, ": ");

		/* a line of --log is as good */
		text = *line == '#' && text ? text + 2 : line;
		if (!seq_parse(text, &seq))
			return 2;
		for (i = 0; i < conf.times; i++)
			run_seq(&seq, conf.seed + i, tell);
	}
	fclose(f);
	return 0;
}

/* The numbers of kept sequences in the log of an earlier run. */
static void read_kept(void)
{
	FILE *f = fopen(conf.kept, "r");
	unsigned long long n;
	unsigned int user;
	char line[256];

	if (!f) {
		perror(conf.kept);
		exit(2);
	}
	replayed = calloc(1, REPLAY_MAX);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "# kept %u %llu", &user, &n) == 2 &&
		    user < 8 && n < REPLAY_MAX)
			replayed[n] |= (unsigned char)(1U << user);
	}
	fclose(f);
}

static void options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "users", required_argument, NULL, 'u' },
		{ "kept", required_argument, NULL, 'k' },
		{ "coverage", required_argument, NULL, 'c' },
		{ "log", no_argument, NULL, 'l' },
		{ "run", required_argument, NULL, 'r' },
		{ "times", required_argument, NULL, 'n' },
		{ 0 },
	};
	int c;

	conf.seed = (uint64_t)time(NULL);
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			conf.seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			conf.seconds = (unsigned int)atoi(optarg);
			break;
		case 'u':
			conf.users = (unsigned int)atoi(optarg);
			break;
		case 'k':
			conf.kept = optarg;
			break;
		case 'c':
			conf.coverage = optarg;
			break;
		case 'l':
			conf.log = true;
			break;
		case 'r':
			conf.run = optarg;
			break;
		case 'n':
			conf.times = (unsigned int)atoi(optarg);
			break;
		default:
			fprintf(stderr, "usage: see tests/fuzz/main.c\n");
			exit(2);
		}
	}
	if (!conf.users || conf.users > 8) {
		fprintf(stderr, "weir-fuzz: 1 to 8 users\n");
		exit(2);
	}
}

/* What is left when all processes and namespaces have gone. */
static void check_end(long long before)
{
	int64_t end = now_ms() + END_MS;

	while (left() != before && now_ms() < end)
		usleep(100000);
	tap_ok(left() == before, "nothing is left afterwards");
	if (left() == before)
		return;
	printf("# sockets %lld, rings %lld, bytes %lld, readers %lld\n",
	       read_number("/sys/kernel/weir/stats/sockets"),
	       read_number("/sys/kernel/weir/stats/rings"),
	       read_number("/sys/kernel/weir/stats/ring_bytes"),
	       read_number("/sys/kernel/weir/stats/readers"));
}

/* Where the time went: a call that is slower than it should be shows. */
static void show_times(void)
{
	unsigned int i, j;

	printf("# milliseconds in (and number of):");
	for (j = 0; j < fuzz_ncalls; j++) {
		uint64_t ms = 0, made = 0;

		for (i = 0; i < conf.users; i++) {
			ms += users[i].spent_ms[j];
			made += users[i].made[j];
		}
		if (made)
			printf(" %s %llu (%llu)", fuzz_calls[j]->name,
			       (unsigned long long)ms, (unsigned long long)made);
	}
	printf("\n");
}

static void verdict(bool returned, long long before)
{
	unsigned long long calls = 0, seqs = 0, kept = 0;
	const char *said;
	unsigned int i;

	for (i = 0; i < conf.users; i++) {
		calls += users[i].calls;
		seqs += users[i].next;
		kept += users[i].kept;
	}
	said = complaint();
	tap_ok(!said && calls,
	       "no complaint of the kernel within %llu calls of seed %llu",
	       calls, (unsigned long long)conf.seed);
	if (said) {
		printf("# it said: %s\n", said);
		for (i = 0; i < conf.users; i++)
			show_now(i);
	}
	tap_ok(returned, "every call returned in time");
	for (i = 0; i < conf.users && !users[i].crashed; i++)
		;
	tap_ok(i == conf.users, "no process of the fuzzer broke");
	if (i < conf.users)
		printf("# user %u: signal %d\n", i, users[i].crashed);
	for (i = 0; i < conf.users && users[i].calls; i++)
		;
	tap_ok(i == conf.users, "every user has made calls");
	tap_ok(coverage_count(cov) > PLACES_MIN,
	       "more than %d places of the module were reached: %u",
	       PLACES_MIN, coverage_count(cov));
	check_end(before);
	show_times();
	printf("# %llu sequences, %llu kept; %u places of the module reached\n",
	       seqs, kept, coverage_count(cov));
}

int main(int argc, char **argv)
{
	long long before;
	unsigned int i;
	FILE *f;

	run_stack();
	options(argc, argv);
	calls_init();
	if (fuzz_family() < 0 || geteuid())
		tap_skip_all("needs root and the weir module");
	users = shared(conf.users * sizeof(*users));
	cov = coverage_create();
	if (conf.run)
		return run_file();
	printf("# seed %llu, %u s, %u users\n", (unsigned long long)conf.seed,
	       conf.seconds, conf.users);
	fflush(stdout);
	if (conf.kept)
		read_kept();
	for (i = 0; i < conf.users; i++)
		corpus_init(&users[i].corpus);
	before = left();
	faults_init();
	tunables_init();
	verdict(fuzz(), before);
	tunables_restore();
	f = conf.coverage ? fopen(conf.coverage, "w") : NULL;
	if (f) {
		coverage_write(cov, f);
		fclose(f);
	}
	return tap_done();
}
