// SPDX-License-Identifier: GPL-2.0
/*
 * Starts, watches and ends the processes of an act, and fails when one of them
 * fails or nothing moves.
 *
 * It waits for conditions by looking at the shared counts every millisecond:
 * the actors' own waiting is the mesh's business and must not be helped.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

#include "stage.h"

#define SHOW_NS		(250 * MS)
#define LINE_NS		(2 * SECOND)
/* Long: the clock of a guest on a busy machine may run fast. */
#define STUCK_NS	(120 * SECOND)

static volatile sig_atomic_t interrupted;

uint64_t demo_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void demo_pause(uint64_t ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(ns / SECOND),
		.tv_nsec = (long)(ns % SECOND),
	};

	nanosleep(&t, NULL);
}

void *stage_memory(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at != MAP_FAILED)
		return at;
	fprintf(stderr, "weir-demo: shared memory: %s\n", strerror(errno));
	return NULL;
}

/* --- actors --- */

/* Remembers why; the first reason is the one that counts. Returns -1. */
int actor_fail(struct actor *a, const char *what, int err)
{
	const char *words = weir_error();

	if (a->error[0])
		return -1;
	if (!err)
		snprintf(a->error, sizeof(a->error), "%s", what);
	else
		snprintf(a->error, sizeof(a->error), "%s: %s (%s)", what,
			 strerror(-err), *words ? words : "no more is known");
	return -1;
}

void actor_set_state(struct actor *a, enum actor_state state)
{
	__atomic_store_n(&a->state, state, __ATOMIC_RELEASE);
}

static enum actor_state actor_state(const struct actor *a)
{
	return __atomic_load_n(&a->state, __ATOMIC_ACQUIRE);
}

/* --- processes --- */

int stage_give_up(struct stage *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!s->why[0])
		vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
	return -1;
}

int stage_start(struct stage *s, uint32_t id)
{
	struct actor *a = s->act->actor(s->data, id);
	pid_t parent = getpid(), pid;

	actor_set_state(a, ACTOR_IDLE);
	a->leave = 0;
	a->starts++;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return stage_give_up(s, "fork: %s", strerror(errno));
	if (pid) {
		a->pid = pid;
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* it died before that took effect */
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	if (s->act->play(s->data, id)) {
		actor_set_state(a, ACTOR_FAILED);
		_exit(1);
	}
	actor_set_state(a, ACTOR_DONE);
	_exit(0);
}

/* Takes in processes that have ended. One that failed ends the run. */
static int reap(struct stage *s)
{
	uint32_t i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < s->act->actors; i++) {
			struct actor *a = s->act->actor(s->data, i);

			if (a->pid != pid)
				continue;
			a->pid = 0;
			if (WIFSIGNALED(status))
				return stage_give_up(s, "%s: killed by signal %d (%s)",
						     s->act->name(i),
						     WTERMSIG(status),
						     strsignal(WTERMSIG(status)));
			if (actor_state(a) != ACTOR_DONE)
				return stage_give_up(s, "%s: %s",
						     s->act->name(i),
						     a->error[0] ? a->error :
						     "ended early");
		}
	}
	return 0;
}

/* kill -9, and it is gone when this returns. */
int stage_kill(struct stage *s, uint32_t id)
{
	struct actor *a = s->act->actor(s->data, id);

	if (a->pid <= 0)
		return stage_give_up(s, "%s: ended before it could be killed",
				     s->act->name(id));
	kill(a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
	a->pid = 0;
	return 0;
}

/* --- waiting --- */

static int check_moving(struct stage *s, uint64_t now, const char *what)
{
	uint64_t sum = s->act->moved(s->data);
	uint32_t i;

	for (i = 0; i < s->act->actors; i++) {
		const struct actor *a = s->act->actor(s->data, i);

		sum += a->starts + actor_state(a);
	}
	if (sum != s->moved) {
		s->moved = sum;
		s->moved_ns = now;
	}
	if (now - s->moved_ns > STUCK_NS)
		return stage_give_up(s, "nothing moved for %d s while waiting for %s",
				     (int)(STUCK_NS / SECOND), what);
	return 0;
}

/* One look, to be taken again and again: shows progress when it is time. */
int stage_look(struct stage *s, const char *what)
{
	uint64_t now = demo_now_ns();

	if (interrupted)
		return stage_give_up(s, "interrupted");
	if (reap(s))
		return -1;
	if (now < s->show_ns)
		return 0;
	s->show_ns = now + (s->lines ? LINE_NS : SHOW_NS);
	s->act->show(s->data, now - s->began_ns);
	return check_moving(s, now, what);
}

int stage_wait(struct stage *s, uint32_t id, enum actor_state state)
{
	struct actor *a = s->act->actor(s->data, id);

	/* it is gone for good when its sockets are closed */
	while (actor_state(a) != state || (state == ACTOR_DONE && a->pid)) {
		if (stage_look(s, s->act->name(id)))
			return -1;
		demo_pause(MS);
	}
	return 0;
}

/* --- an act --- */

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

void stage_open(struct stage *s, const struct act *act, void *data, bool lines)
{
	struct sigaction action = { .sa_handler = on_signal };

	memset(s, 0, sizeof(*s));
	s->act = act;
	s->data = data;
	s->lines = lines;
	s->began_ns = demo_now_ns();
	s->moved_ns = s->began_ns;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Whoever is left is killed; the last line of progress stays where it is. */
void stage_close(struct stage *s)
{
	uint32_t i;

	if (!s->lines)
		printf("\n");
	fflush(stdout);
	for (i = 0; i < s->act->actors; i++) {
		if (s->act->actor(s->data, i)->pid > 0)
			stage_kill(s, i);
	}
}
