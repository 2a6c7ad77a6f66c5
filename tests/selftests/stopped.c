// SPDX-License-Identifier: GPL-2.0
/*
 * Signals without a handler: SIGSTOP and SIGCONT, and the stop of a debugger that
 * attaches, end no wait, with or without a time limit, and no call loses its
 * reply. The time limit counts on meanwhile. A handler ends a wait with EINTR.
 */
#include <sys/ptrace.h>

#include "hard.h"

#define MS		INT64_C(1000000)
#define LONG_NS		(30000 * MS)

/* What a child waits with; each returns 0 when what it waits for has come. */
struct wait {
	struct weir *w;
};

static int waits_wait(void *arg)
{
	struct wait *t = arg;

	return weir_wait(t->w, WEIR_WAIT_IN, 0, LONG_NS) != WEIR_WAIT_IN;
}

static int waits_recv(void *arg)
{
	struct wait *t = arg;
	char data[64];

	return weir_recv(t->w, data, sizeof(data), LONG_NS) != 4;
}

static int waits_for_ever(void *arg)
{
	struct wait *t = arg;
	char data[64];

	return weir_recv(t->w, data, sizeof(data), WEIR_FOREVER) != 4;
}

static int waits_plain(void *arg)
{
	struct wait *t = arg;
	char data[64];

	return recv(weir_fd(t->w), data, sizeof(data), 0) != 4;
}

static struct weir *opened(int type, const char *publishes)
{
	const struct weir_config small = { .ring_bytes = 4096 };
	struct weir *w;

	need(!weir_open(&w, type, &small), "a socket");
	need(!publishes || !weir_bind(w, publishes), "bind");
	return w;
}

static int subscribes(int (*run)(void *))
{
	struct wait t = { .w = opened(SOCK_RDM, NULL) };

	need(!weir_subscribe(t.w, "/stopped/p"), "subscribe");
	return run(&t);
}

/* The children: each has handles of its own, and waits for the parent. */
static int child_wait(void *arg)
{
	(void)arg;
	return subscribes(waits_wait);
}

static int child_recv(void *arg)
{
	(void)arg;
	return subscribes(waits_recv);
}

static int child_for_ever(void *arg)
{
	(void)arg;
	return subscribes(waits_for_ever);
}

static int child_plain(void *arg)
{
	(void)arg;
	return subscribes(waits_plain);
}

static int child_call(void *arg)
{
	struct weir *w = opened(SOCK_RDM, NULL);
	int route = weir_route(w, "/stopped/s");
	struct weir_call call = { .route = (uint32_t)route };
	char data[64];

	(void)arg;
	return route < 0 ||
	       weir_call(w, &call, "call", 4, data, sizeof(data), LONG_NS) != 5;
}

/* Waits for room. */
static int child_send(void *arg)
{
	struct weir *w = opened(SOCK_RDM, "/stopped/full");

	(void)arg;
	while (!weir_send(w, "full", 4, WEIR_DONTWAIT))
		;
	return weir_send(w, "room", 4, LONG_NS);
}

static int child_accept(void *arg)
{
	struct weir *w = opened(SOCK_SEQPACKET, "/stopped/l"), *conn;

	(void)arg;
	return weir_listen(w, 1) || weir_accept(w, &conn, LONG_NS);
}

/* Ends with the time-out; exits 1 if it comes too early. */
static int child_time_out(void *arg)
{
	struct weir *w = opened(SOCK_RDM, NULL);
	int64_t from = now_ms();
	char data[64];

	(void)arg;
	if (weir_subscribe(w, "/stopped/none") ||
	    weir_recv(w, data, sizeof(data), 1500 * MS) != -ETIMEDOUT)
		return 2;
	return now_ms() - from < 1500;
}

/* The same by the option itself, which tells the time left at the last stop. */
static int child_left(void *arg)
{
	struct weir_so_wait wait = {
		.flags = WEIR_WAIT_IN, .timeout_ns = 1500 * MS,
	};
	struct weir *w = opened(SOCK_RDM, NULL);

	(void)arg;
	if (weir_subscribe(w, "/stopped/none") ||
	    setsockopt(weir_fd(w), SOL_WEIR, WEIR_SO_WAIT, &wait, sizeof(wait)))
		return 2;
	return wait.timeout_ns < 0 || wait.timeout_ns >= 1500 * MS;
}

/* false: it has ended instead. */
static bool stop(pid_t pid)
{
	siginfo_t info = { 0 };

	tap_until_asleep(pid);
	kill(pid, SIGSTOP);
	need(!waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT),
	     "stopped");
	if (info.si_code != CLD_STOPPED)
		return false;
	waitid(P_PID, (id_t)pid, &info, WSTOPPED);
	kill(pid, SIGCONT);
	return true;
}

static void attach(pid_t pid)
{
	int status;

	tap_until_asleep(pid);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL))
		return;
	waitpid(pid, &status, __WALL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

/* Stops the child a few times. It then still waits. */
static bool stop_often(pid_t pid)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (!stop(pid))
			return false;
		attach(pid);
	}
	tap_until_asleep(pid);
	return !waitpid(pid, NULL, WNOHANG);
}

static void messages(struct weir *pub)
{
	static const struct {
		int (*run)(void *arg);
		const char *what;
	} waits[] = {
		{ child_wait, "weir_wait()" },
		{ child_recv, "weir_recv()" },
		{ child_for_ever, "weir_recv() without a limit" },
		{ child_plain, "recv()" },
	};
	size_t i;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		const struct weir_status *status = pub->out.status;
		pid_t pid = spawn(waits[i].run, NULL);

		need(soon(get(&status->attaches) > get(&status->detaches)),
		     "a subscriber");
		check(stop_often(pid), "%s goes on after stops", waits[i].what);
		need(!weir_send(pub, "data", 4, HARD_DEADLINE_NS), "send");
		check(!tap_wait(pid), "and ends with the message");
		need(soon(get(&status->attaches) == get(&status->detaches)),
		     "its end");
	}
}

static void call_and_reply(void)
{
	struct weir *s = opened(SOCK_RDM, NULL);
	struct weir_ticket ticket;
	struct weir_msg msg;
	pid_t pid;

	need(!weir_serve(s, "/stopped/s", 1, NULL), "serve");
	pid = spawn(child_call, NULL);
	need(weir_wait(s, WEIR_WAIT_IN, 0, HARD_DEADLINE_NS) > 0 &&
	     weir_peek(s, &msg) == 1, "a request");
	check(stop_often(pid), "weir_call() goes on after stops");
	ticket = weir_ticket(&msg);
	weir_release(s, &msg);
	need(!weir_reply(s, &ticket, "reply", 5, 0), "reply");
	check(!tap_wait(pid), "and gets its reply");
	weir_close(s);
}

static void room(void)
{
	struct weir *s = opened(SOCK_RDM, NULL);
	char data[64];
	pid_t pid;

	need(!weir_subscribe(s, "/stopped/full"), "subscribe");
	pid = spawn(child_send, NULL);
	need(weir_wait(s, WEIR_WAIT_IN, 0, HARD_DEADLINE_NS) > 0, "a message");
	check(stop_often(pid), "weir_send() goes on after stops");
	while (weir_recv(s, data, sizeof(data), HARD_DEADLINE_NS) == 4 &&
	       memcmp(data, "room", 4))
		;
	check(!tap_wait(pid), "and ends with the room");
	weir_close(s);
}

static void connection(void)
{
	pid_t pid = spawn(child_accept, NULL);
	struct weir *w = opened(SOCK_SEQPACKET, NULL);

	check(stop_often(pid), "weir_accept() goes on after stops");
	need(soon(!weir_connect(w, "/stopped/l")), "connect");
	check(!tap_wait(pid), "and ends with the connection");
	weir_close(w);
}

/* How long a wait of 1500 ms takes that is stopped often, in ms. */
static int64_t timed_out(int (*run)(void *), const char *what)
{
	pid_t pid = spawn(run, NULL);
	int64_t from = now_ms();
	int ret;

	while (now_ms() - from < 1000 && stop(pid))
		;
	ret = tap_wait(pid);
	check(!ret, "a wait that is stopped often %s (%d)", what, ret);
	return now_ms() - from;
}

static void time_out(int (*run)(void *), const char *what)
{
	int64_t ms;
	int tries = 3;

	/* a machine that others use as well may stand still in one of them */
	do {
		ms = timed_out(run, what);
		note("after %lld ms", (long long)ms);
	} while (ms >= 4000 && !hard_slow() && --tries);
	check(hard_slow() || tries, "and not much later");
}

static void nothing(int sig)
{
	(void)sig;
}

/* Waits, with a handler for SIGUSR1; 0: EINTR. */
static int child_handler(void *arg)
{
	struct sigaction act = { .sa_handler = nothing };
	struct weir *w = opened(SOCK_RDM, NULL);
	char data[64];

	act.sa_flags = *(int *)arg;
	sigaction(SIGUSR1, &act, NULL);
	return weir_subscribe(w, "/stopped/none") ||
	       weir_recv(w, data, sizeof(data), LONG_NS) != -EINTR;
}

static void handled(int flags, const char *what)
{
	pid_t pid = spawn(child_handler, &flags);

	tap_until_asleep(pid);
	usleep(10000);
	kill(pid, SIGUSR1);
	check(!tap_wait(pid), "a handler %s ends a wait with a limit", what);
}

/* The structure cannot be written: EINTR, as before a restart was possible. */
static int child_read_only(void *arg)
{
	struct weir_so_wait *wait = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct weir *w = opened(SOCK_RDM, NULL);

	(void)arg;
	need(wait != MAP_FAILED && !weir_subscribe(w, "/stopped/none"), "begin");
	wait->flags = WEIR_WAIT_IN;
	wait->timeout_ns = LONG_NS;
	need(!mprotect(wait, 4096, PROT_READ), "mprotect");
	return setsockopt(weir_fd(w), SOL_WEIR, WEIR_SO_WAIT, wait,
			  sizeof(*wait)) != -1 || errno != EINTR;
}

static void read_only(void)
{
	pid_t pid = spawn(child_read_only, NULL);

	tap_until_asleep(pid);
	usleep(10000);
	stop(pid);
	check(!tap_wait(pid), "without a place for the time that is left: EINTR");
}

int main(void)
{
	struct counters before;
	struct weir *pub;

	hard_begin();
	before = counters();
	pub = opened(SOCK_RDM, "/stopped/p");
	messages(pub);
	weir_close(pub);
	call_and_reply();
	room();
	connection();
	time_out(child_time_out, "ends in time");
	time_out(child_left, "knows the time that is left");
	handled(0, "without SA_RESTART");
	handled(SA_RESTART, "with SA_RESTART");
	read_only();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
