// SPDX-License-Identifier: GPL-2.0
/*
 * What a process does beside its sockets' own calls: descriptors closed,
 * doubled and passed on, processes and threads made and killed, another
 * network namespace, allocations that fail, and, as root, the tunables.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define TUNABLES	"/sys/kernel/weir/tunables"
#define TUNABLES_MAX	64

/* --- descriptors ---------------------------------------------------------- */

static void run_close(struct state *s, const uint64_t *a)
{
	int *slot = &s->fd[a[0] % FUZZ_SLOTS];

	if (*slot >= 0)
		close(*slot);
	*slot = -1;
}

static void run_dup(struct state *s, const uint64_t *a)
{
	slot_put(s, a[1], dup(slot_fd(s, a[0])));
}

static void run_block(struct state *s, const uint64_t *a)
{
	fcntl(slot_fd(s, a[0]), F_SETFL, a[1] & 1 ? O_NONBLOCK : 0);
}

/* To whichever user takes it. */
static void run_pass(struct state *s, const uint64_t *a)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &u, .msg_controllen = sizeof(u),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = slot_fd(s, a[0]);

	if (fd < 0)
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	/* over a socket of weir it is refused */
	sendmsg(a[1] == 7 ? fd : fuzz_pass[a[1] & 1], &msg,
		MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void run_take(struct state *s, const uint64_t *a)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &u, .msg_controllen = sizeof(u),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(fuzz_pass[a[1] & 1], &msg, MSG_DONTWAIT) < 0)
		return;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	slot_put(s, a[0], fd);
}

/* --- processes and threads ------------------------------------------------ */

static void nap(uint64_t us)
{
	struct timespec ts = { 0, (long)(us % 1000000) * 1000 };

	nanosleep(&ts, NULL);
}

/* In a child: ends with its parent, also when that has ended already. */
void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

/* The child goes on with the next steps, and so does the parent. */
static void run_fork(struct state *s, const uint64_t *a)
{
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return;
	die_with(parent);
	setitimer(ITIMER_REAL, &often, NULL);
	switch (a[0]) {
	case 0:
		_exit(0);
	case 1:
		nap(5000);
		_exit(0);
	case 2:
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			_exit(0);
		break;
	}
	run_rest(s, 1 + (unsigned int)a[1] % 8);
	if (a[0] & 1)
		kill(getpid(), SIGKILL);
	_exit(0);
}

static void *thread_runs(void *arg)
{
	struct state *s = arg;
	int before[FUZZ_SLOTS];
	sigset_t alarm;
	int i;

	/* the main thread's: it is woken from what it waits for */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	memcpy(before, s->fd, sizeof(before));
	run_rest(s, 8);
	for (i = 0; i < FUZZ_SLOTS; i++) {
		if (s->fd[i] >= 0 && s->fd[i] != before[i])
			close(s->fd[i]);
	}
	return NULL;
}

/*
 * A thread does the next steps while this one does the same with the same
 * descriptors and maps.
 */
static void run_thread(struct state *s, const uint64_t *a)
{
	struct state *copy = malloc(sizeof(*copy));
	unsigned int tries;
	pthread_t thread;

	if (!copy)
		return;
	*copy = *s;
	copy->rng.state += a[0];
	if (pthread_create(&thread, NULL, thread_runs, copy)) {
		free(copy);
		return;
	}
	run_rest(s, (unsigned int)a[1]);
	/* it may wait for what this one has not done */
	for (tries = 0; pthread_tryjoin_np(thread, NULL); tries++) {
		if (tries)
			pthread_kill(thread, SIGUSR1);
		nap(200);
	}
	free(copy);
}

static void run_kill(struct state *s, const uint64_t *a)
{
	(void)s;
	if (a[0] == 7)
		kill(getpid(), SIGKILL);
}

static void run_nap(struct state *s, const uint64_t *a)
{
	static const uint64_t us[] = {
		0, 10, 100, 1000, 2000, 5000, 12000, 30000,
	};

	(void)s;
	if (a[0])
		nap(us[a[0] % 8]);
	else
		sched_yield();
}

/* --- allocations that fail ------------------------------------------------ */

/*
 * The n-th of the next step's; without fault injection nothing happens. Not
 * those of a new process or thread: the kernel complains of them itself.
 */
static void run_fail(struct state *s, const uint64_t *a)
{
	const struct step *next = &s->seq->step[s->at % FUZZ_STEPS];
	char text[16];
	int fd, len;

	if (fuzz_calls[next->call]->run == run_fork ||
	    fuzz_calls[next->call]->run == run_thread)
		return;
	fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	len = snprintf(text, sizeof(text), "%u",
		       1 + (unsigned int)a[0] % 16);
	if (write(fd, text, (size_t)len) == len)
		run_rest(s, 1);
	/* what has not failed by then shall not */
	if (pwrite(fd, "0", 1, 0) != 1)
		errno = 0;
	close(fd);
}

/* --- tunables ------------------------------------------------------------- */

/**
 * struct tunable - a file in the tunables' directory
 * @name: its name.
 * @text: what was in it when the fuzzer began.
 * @most: largest value to be written, so that a guest's memory is enough; 0:
 *	any.
 */
static struct tunable {
	char name[64];
	char text[64];
	unsigned long long most;
} tunables[TUNABLES_MAX];
static unsigned int ntunables;

static const struct {
	const char *name;
	unsigned long long most;
} bounds[] = {
	{ "ring_bytes", 1 << 20 },
	{ "ring_bytes_max", 8 << 20 },
	{ "inbox_bytes", 1 << 20 },
	{ "user_bytes_max", 64 << 20 },
	{ "netns_bytes_max", 200 << 20 },
};

static int tunable_open(const char *name, int flags)
{
	char path[160];

	snprintf(path, sizeof(path), TUNABLES "/%s", name);
	return open(path, flags | O_CLOEXEC);
}

static void tunable_write(const char *name, const char *text)
{
	int fd = tunable_open(name, O_WRONLY);

	if (fd < 0)
		return;
	/* what is out of range is refused, and so it stays */
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

/* As they were before, but for those that stand for memory. */
void tunables_reset(void)
{
	char text[64];
	unsigned int i;

	for (i = 0; i < ntunables; i++) {
		const struct tunable *t = &tunables[i];

		/* an empty list of processors is a line end */
		strcpy(text, t->text[0] ? t->text : "\n");
		if (t->most && strtoull(t->text, NULL, 0) > t->most)
			snprintf(text, sizeof(text), "%llu", t->most);
		tunable_write(t->name, text);
	}
}

/* Remembers all, and bounds those that stand for memory. */
void tunables_init(void)
{
	DIR *dir = opendir(TUNABLES);
	struct dirent *e;
	unsigned int i;

	while (dir && (e = readdir(dir)) && ntunables < TUNABLES_MAX) {
		struct tunable *t = &tunables[ntunables];
		int fd;

		if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(t->name))
			continue;
		strcpy(t->name, e->d_name);
		fd = tunable_open(t->name, O_RDONLY);
		if (fd < 0)
			continue;
		if (read(fd, t->text, sizeof(t->text) - 1) < 0)
			t->text[0] = '\0';
		close(fd);
		for (i = 0; i < ARRAY_SIZE(bounds); i++) {
			if (!strcmp(bounds[i].name, t->name))
				t->most = bounds[i].most;
		}
		ntunables++;
	}
	if (dir)
		closedir(dir);
	tunables_reset();
}

/* The fuzzer ends: all as it was. */
void tunables_restore(void)
{
	unsigned int i;

	for (i = 0; i < ntunables; i++)
		tunables[i].most = 0;
	tunables_reset();
}

/* The router polls from here on, on these processors. */
static void run_polled(struct state *s, const uint64_t *a)
{
	static const char *const lists[] = {
		"0", "1", "0-1", "\n", "0-4095", "x", "-1", "0,1",
	};

	if (geteuid())
		return;
	s->tuned = true;
	tunable_write("poll_cpus", lists[a[0] % 8]);
}

static void run_tunable(struct state *s, const uint64_t *a)
{
	const struct tunable *t;
	char text[32];

	if (!ntunables || geteuid())
		return;
	t = &tunables[a[0] % ntunables];
	s->tuned = true;
	if (t->most && a[1] > t->most)
		snprintf(text, sizeof(text), "%llu", t->most);
	else
		snprintf(text, sizeof(text), "%llu", (unsigned long long)a[1]);
	tunable_write(t->name, text);
}

static const struct call calls[] = {
	{ "close", 6, { KIND_SLOT }, run_close },
	{ "dup", 2, { KIND_SLOT, KIND_SLOT }, run_dup },
	{ "block", 1, { KIND_SLOT, KIND_SMALL }, run_block },
	{ "pass", 2, { KIND_SLOT, KIND_SMALL }, run_pass },
	{ "take", 3, { KIND_SLOT, KIND_SMALL }, run_take },
	{ "fork", 3, { KIND_SMALL, KIND_SMALL }, run_fork },
	{ "thread", 4, { KIND_BITS, KIND_SMALL }, run_thread },
	{ "kill", 1, { KIND_SMALL }, run_kill },
	{ "nap", 6, { KIND_SMALL }, run_nap },
	{ "fail", 8, { KIND_FLAGS }, run_fail },
	{ "polled", 1, { KIND_SMALL }, run_polled },
	{ "tunable", 2, { KIND_FLAGS, KIND_INT }, run_tunable },
};

const struct call_table process_calls = { calls, ARRAY_SIZE(calls) };
