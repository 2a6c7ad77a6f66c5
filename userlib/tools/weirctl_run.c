// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * A command that is run for one message: the message is its standard input, and
 * what it writes to standard output is collected.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_message.h"

#define WEIRCTL_PIECE		65536
#define WEIRCTL_OUTPUT_MAX	(64 << 20)	/* the rest is not collected */

extern char **environ;

/**
 * struct weirctl_pipes - our ends of the command's standard input and output
 * @in: to its standard input, or -1.
 * @out: from its standard output, or -1.
 * @written: bytes of the input that it has been given.
 * @room: bytes of the memory for its output.
 */
struct weirctl_pipes {
	int	in;
	int	out;
	size_t	written;
	size_t	room;
};

static void weirctl_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Starts the command with the other ends; -1 with errno when it does not. */
static pid_t weirctl_spawn(char **argv, struct weirctl_pipes *p)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int in[2], out[2], err;
	sigset_t usual;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC))
		return -1;
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return -1;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	/* weirctl ignores this signal; the command must not */
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = out[0];
	if (!err) {
		fcntl(p->in, F_SETFL, O_NONBLOCK);
		return pid;
	}
	weirctl_close(&p->in);
	weirctl_close(&p->out);
	errno = err;
	return -1;
}

/* A command need not read all of its input. */
static void weirctl_feed(const struct weirctl_run *r, struct weirctl_pipes *p)
{
	ssize_t n = write(p->in, (const char *)r->in + p->written,
			  r->len - p->written);

	if (n > 0)
		p->written += (size_t)n;
	if (p->written == r->len ||
	    (n < 0 && errno != EAGAIN && errno != EINTR))
		weirctl_close(&p->in);
}

static void weirctl_collect(struct weirctl_run *r, struct weirctl_pipes *p)
{
	ssize_t n;

	if (p->room - r->out_len < WEIRCTL_PIECE) {
		p->room = 2 * p->room + WEIRCTL_PIECE;
		r->out = weirctl_must(realloc(r->out, p->room));
	}
	n = read(p->out, r->out + r->out_len, WEIRCTL_PIECE);
	if (n > 0)
		r->out_len += (size_t)n;
	if (!n || (n < 0 && errno != EINTR) || r->out_len > WEIRCTL_OUTPUT_MAX)
		weirctl_close(&p->out);
}

/* Moves data until the command closes its output; false when time is over. */
static bool weirctl_exchange(struct weirctl_run *r, struct weirctl_pipes *p)
{
	uint64_t end = weirctl_monotonic_ns() + r->timeout_ns, now;
	int wait = -1;

	if (!r->len)
		weirctl_close(&p->in);
	while (p->out >= 0) {
		struct pollfd fds[] = { { .fd = p->out, .events = POLLIN },
					{ .fd = p->in, .events = POLLOUT } };

		now = weirctl_monotonic_ns();
		if (r->timeout_ns && now >= end)
			return false;
		if (r->timeout_ns)
			wait = (int)((end - now) / 1000000) + 1;
		if (poll(fds, 2, wait) <= 0)
			continue;
		if (p->in >= 0 && fds[1].revents)
			weirctl_feed(r, p);
		if (fds[0].revents)
			weirctl_collect(r, p);
	}
	return true;
}

/**
 * weirctl_run() - run a command for a message
 * @r: the command and its input; out: its output.
 *
 * SIGPIPE is ignored. Return: the exit status; 128 and the signal's number when
 * it was killed; -errno when it could not be started; -ETIME when it took too
 * long, and was killed.
 */
int weirctl_run(struct weirctl_run *r)
{
	struct weirctl_pipes p = { .in = -1, .out = -1 };
	bool in_time;
	pid_t pid;
	int status;

	r->out = NULL;
	r->out_len = 0;
	pid = weirctl_spawn(r->argv, &p);
	if (pid < 0)
		return -errno;
	in_time = weirctl_exchange(r, &p);
	weirctl_close(&p.in);
	weirctl_close(&p.out);
	if (!in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!in_time)
		return -ETIME;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	       128 + WTERMSIG(status);
}
