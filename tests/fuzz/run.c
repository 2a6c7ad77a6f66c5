// SPDX-License-Identifier: GPL-2.0
/*
 * Running one sequence: its steps in order, and the end of all that they made.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

int fuzz_pass[2];
static void (*run_tell)(unsigned int step);
static __thread sigjmp_buf guard_back;
static __thread volatile sig_atomic_t guard_on;

/* --- signals -------------------------------------------------------------- */

static void fault(int sig)
{
	if (guard_on)
		siglongjmp(guard_back, 1);
	/* a fault of the fuzzer's own */
	signal(sig, SIG_DFL);
	raise(sig);
}

static void nothing(int sig)
{
	(void)sig;
}

/*
 * The stack grows as far as it ever does. While an allocation of a call is to fail
 * it may not grow: the kernel would kill the process for want of memory.
 */
void run_stack(void)
{
	volatile char deep[256 * 1024];
	size_t at;

	for (at = 0; at < sizeof(deep); at += 4096)
		deep[at] = 0;
}

/*
 * A signal every 20 ms has each call that sleeps return: what lasts longer than
 * the bound in main.c can't be interrupted.
 */
void run_signals(void)
{
	struct sigaction act = { .sa_handler = nothing };
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } };

	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
	sigaction(SIGIO, &act, NULL);
	act.sa_handler = SIG_DFL;
	act.sa_flags = SA_NOCLDWAIT;
	sigaction(SIGCHLD, &act, NULL);
	act.sa_handler = fault;
	act.sa_flags = SA_NODEFER;
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* Calls a function that touches mappings; false when one was not there. */
bool guarded(void (*touch)(void *arg), void *arg)
{
	if (sigsetjmp(guard_back, 1)) {
		guard_on = 0;
		return false;
	}
	guard_on = 1;
	touch(arg);
	guard_on = 0;
	return true;
}

/* --- sequences ------------------------------------------------------------ */

/* The next steps; a step that itself runs steps takes them from the rest. */
void run_rest(struct state *s, unsigned int steps)
{
	while (steps-- && s->at < s->seq->n) {
		unsigned int at = s->at++;
		const struct step *step = &s->seq->step[at];

		run_tell(at);
		fuzz_calls[step->call]->run(s, step->arg);
	}
}

void run_seq(const struct seq *seq, uint64_t seed, void (*tell)(unsigned int))
{
	static struct state s;
	unsigned int i;
	int first;

	memset(&s, 0, sizeof(s));
	memset(s.fd, -1, sizeof(s.fd));
	s.rng.state = seed;
	s.seq = seq;
	run_tell = tell;
	/* all that a step leaves open has a number from here on */
	first = open("/dev/null", O_RDONLY);
	run_rest(&s, FUZZ_STEPS);
	for (i = 0; i < FUZZ_MAPS; i++)
		map_drop(&s.map[i]);
	if (first >= 0)
		syscall(SYS_close_range, first, ~0U, 0);
	if (s.tuned)
		tunables_reset();
}
