// SPDX-License-Identifier: GPL-2.0
/*
 * Polling: with a CPU in poll_cpus what is committed goes out without a system
 * call; after a while without work the thread asks to be kicked, and a kick
 * wakes it; it can be switched on and off while messages flow, and none is
 * lost. A CPU that goes offline polls again when it is back.
 */
#include <dirent.h>

#include "routed.h"

static int poll_cpus(const char *cpus)
{
	return tap_write_file("/sys/kernel/weir/tunables/poll_cpus", cpus);
}

static bool asks(const struct weir *w)
{
	return weir_load(&w->out.status->wake) & WEIR_WAKE_ROUTER;
}

/* What the file says, without its end of line. */
static const char *polling(void)
{
	static char buf[64];
	int fd = open("/sys/kernel/weir/tunables/poll_cpus", O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n - 1 : 0] = 0;
	return buf;
}

/* The CPU that the polling thread of @cpu last ran on; -1: there is none. */
static int thread_on(int cpu)
{
	char name[32], line[512], want[32], *at;
	struct dirent *d;
	int found = -1;
	DIR *dir = opendir("/proc");
	FILE *f;

	snprintf(want, sizeof(want), "(weir_poll/%d)", cpu);
	while (found < 0 && (d = readdir(dir))) {
		snprintf(name, sizeof(name), "/proc/%.10s/stat", d->d_name);
		f = fopen(name, "r");
		if (!f)
			continue;
		/* "processor" is the 39th field, the 37th behind the name */
		if (fgets(line, sizeof(line), f) && strstr(line, want)) {
			int i;

			at = strrchr(line, ')');
			for (i = 0; at && i < 37; i++)
				at = strchr(at + 1, ' ');
			found = at ? atoi(at) : -1;
		}
		fclose(f);
	}
	closedir(dir);
	return found;
}

/* Is the CPU's own thread there, and on that CPU? */
static bool polls_there(int cpu)
{
	return thread_on(cpu) == cpu;
}

static void tunables(void)
{
	check(poll_cpus("4096") == -1, "a CPU that is not there is refused");
	check(poll_cpus("x") == -1, "and what is no list");
	check(!poll_cpus("0-1"), "two CPUs");
	check(!strcmp(polling(), "0-1"), "are told");
	check(!poll_cpus("\n"), "none");
	check(!strcmp(polling(), ""), "is told, too");
}

/* --- CPUs that go offline and come back -------------------------------------- */

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

/* One call whose request and reply go out without a kick. */
static bool call_unkicked(struct weir *c, uint32_t route, struct weir *s,
			  uint32_t tag)
{
	struct weir_call call = { .route = route, .tag = tag };
	struct weir_buf buf = { 0 };
	struct weir_ticket ticket;
	struct weir_msg msg;
	bool good;

	need(!request(c, &call, &tag, sizeof(tag)), "request");
	msg = next_message(s, "the target");
	ticket = weir_ticket(&msg);
	weir_release(s, &msg);
	need(!weir_reply_claim(s, &ticket, 4, &buf), "claim");
	memcpy(buf.data, &tag, 4);
	weir_reply_commit_more(s, &ticket, WEIR_KIND_REPLY, 0, &buf);
	msg = next_message(c, "the caller");
	good = msg.rec->tag == tag && msg.len == 4 &&
	       !memcmp(msg.data, &tag, 4);
	weir_release(c, &msg);
	return good;
}

static void offline(struct weir *c, uint32_t route, struct weir *s)
{
	check(!tap_write_file(CPU1, "0"), "a CPU that polls goes offline");
	check(!strcmp(polling(), "0"), "the file says that it does not poll (%s)",
	      polling());
	check(thread_on(1) < 0, "and its thread is gone");
	check(soon(!asks(c) && !asks(s)) && call_unkicked(c, route, s, 2),
	      "the other CPU polls for its endpoints");
	check(!tap_write_file(CPU1, "1"), "it comes back");
	check(!strcmp(polling(), "0-1"), "the file says that it polls (%s)",
	      polling());
	check(soon(polls_there(1)) && polls_there(0), "each on its own CPU (%d)",
	      thread_on(1));
	check(soon(!asks(c) && !asks(s)) && call_unkicked(c, route, s, 3),
	      "and does");
	check(!poll_cpus("1"), "it alone");
	need(!tap_write_file(CPU1, "0"), "offline");
	check(!strcmp(polling(), "") && asks(c) && asks(s),
	      "offline again, both are asked to kick");
	check(poll_cpus("1") == -1, "a CPU that is offline is refused");
	need(!tap_write_file(CPU1, "1"), "online");
	check(!strcmp(polling(), "1") && soon(!asks(c) && !asks(s)) &&
	      call_unkicked(c, route, s, 4), "online again, it polls");
	need(!poll_cpus("\n"), "polling off");
	need(!tap_write_file(CPU1, "0") && !tap_write_file(CPU1, "1"),
	     "off and on");
	check(!strcmp(polling(), "") && thread_on(1) < 0,
	      "one that is not to poll does not after that");
}

static void hotplug(void)
{
	struct weir *s, *c;
	uint32_t route;

	if (access(CPU1, W_OK)) {
		tap_skip("CPU hotplug", "CPU 1 cannot go offline");
		return;
	}
	s = server("/poll/plug", 1);
	c = caller("/poll/plug", &route);
	route_quiet("/poll/plug");
	need(!tap_tune("poll_idle_us", 10000000), "idle time");
	need(!poll_cpus("0-1"), "polling on");
	check(soon(polls_there(0) && polls_there(1)), "two CPUs poll");
	check(soon(!asks(c) && !asks(s)) && call_unkicked(c, route, s, 1),
	      "for two endpoints");
	offline(c, route, s);
	need(!route_del("/poll/plug"), "del");
	weir_close(c);
	weir_close(s);
}

/* What goes out without a kick. */
static void no_call(void)
{
	uint32_t route, i, good = 0, n = (uint32_t)scaled(4000);
	struct weir *s = server("/poll/a", 1);
	struct weir *c = caller("/poll/a", &route);
	struct weir_call call = { .route = route };

	route_quiet("/poll/a");
	check(asks(c) && asks(s), "without polling both are asked to kick");
	/* whatever keeps this process from its processor is shorter */
	need(!tap_tune("poll_idle_us", 10000000), "idle time");
	need(!poll_cpus("1"), "polling on");
	check(soon(!asks(c) && !asks(s)), "then neither is");
	for (i = 0; i < n; i++)
		good += call_unkicked(c, route, s, i);
	check(good == n, "%u requests and replies without a system call (%u)",
	      n, good);

	need(!tap_tune("poll_idle_us", 1000), "idle time");
	check(soon(asks(c) && asks(s)), "after a while without work it sleeps");
	call.tag = 1;
	ask_for(c, &call, "x", 1);
	echo(s);
	check(answer(c, 1) == 0, "and a kick wakes it");
	need(!poll_cpus("\n"), "polling off");
	check(asks(c) && asks(s), "both are asked to kick again");
	call.tag = 2;
	ask_for(c, &call, "x", 1);
	echo(s);
	check(answer(c, 2) == 0, "and do");
	need(!route_del("/poll/a"), "del");
	weir_close(c);
	weir_close(s);
}

/* A caller with a service of its own process; polling comes and goes. */
static int echo_for_ever(void *arg)
{
	struct weir *s = server("/poll/b", 1);
	int *ready = arg;

	put(ready, 1);
	while (!get(&ready[1])) {
		struct weir_msg msg;
		struct weir_ticket ticket;
		uint32_t value;

		if (weir_peek(s, &msg) != 1) {
			weir_wait(s, WEIR_WAIT_IN, 0, 10 * MS);
			continue;
		}
		ticket = weir_ticket(&msg);
		memcpy(&value, msg.data, sizeof(value));
		weir_release(s, &msg);
		weir_reply(s, &ticket, &value, sizeof(value),
			   HARD_DEADLINE_NS);
	}
	return 0;
}

static int switch_for_ever(void *arg)
{
	int *shared = arg;
	int i;

	for (i = 0; !get(&shared[1]); i++) {
		static const char *const lists[] = { "0", "\n", "1", "0-1", "\n" };

		if (poll_cpus(lists[i % 5])) {
			put(&shared[2], INT32_MAX);	/* nobody waits for more */
			return 1;
		}
		put(&shared[2], i + 1);
		usleep(2000);
	}
	return poll_cpus("\n") ? 1 : 0;
}

static void switching(void)
{
	uint32_t route, i, least = (uint32_t)scaled(2000), bad = 0;
	int switches = (int)scaled(1000);
	int *shared = tap_shared(4096);
	struct weir *c = caller("/poll/b", &route);
	pid_t service, switcher;

	need(!tap_tune("poll_idle_us", 100), "idle time");
	route_quiet("/poll/b");
	service = spawn(echo_for_ever, shared);
	need(soon(get(&shared[0])), "the service is there");
	switcher = spawn(switch_for_ever, shared);
	for (i = 0; i < least || get(&shared[2]) < switches; i++) {
		struct weir_call call = { .route = route };
		uint32_t value = 0;
		ssize_t len = weir_call(c, &call, &i, sizeof(i), &value,
					sizeof(value), HARD_DEADLINE_NS);

		if (len != sizeof(value) || value != i) {
			note("call %u: %zd %s", i, len, weir_error());
			bad++;
			break;
		}
	}
	check(!bad, "%u calls while polling is switched on and off %d times", i,
	      get(&shared[2]));
	put(&shared[1], 1);
	check(!tap_wait(switcher) && !tap_wait(service), "all end");
	need(!route_del("/poll/b"), "del");
	weir_close(c);
}

int main(void)
{
	long long idle;

	hard_begin();
	idle = tap_stat("tunables/poll_idle_us");
	tunables();
	no_call();
	hotplug();
	switching();
	need(!tap_tune("poll_idle_us", (unsigned long long)idle), "idle time");
	return tap_done();
}
