// SPDX-License-Identifier: GPL-2.0
/*
 * Polling: with a CPU in poll_cpus what is committed goes out without a system
 * call; after a while without work the thread asks to be kicked, and a kick
 * wakes it; it can be switched on and off while messages flow, and none is
 * lost.
 */
#include "routed.h"

static int poll_cpus(const char *cpus)
{
	return tap_write_file("/sys/kernel/weir/tunables/poll_cpus", cpus);
}

static bool asks(const struct weir *w)
{
	return weir_load(&w->out.status->wake) & WEIR_WAKE_ROUTER;
}

static void tunables(void)
{
	char buf[64] = "";
	int fd;

	check(poll_cpus("4096") == -1, "a CPU that is not there is refused");
	check(poll_cpus("x") == -1, "and what is no list");
	check(!poll_cpus("0-1"), "two CPUs");
	fd = open("/sys/kernel/weir/tunables/poll_cpus", O_RDONLY);
	check(read(fd, buf, sizeof(buf) - 1) == 4 && !strcmp(buf, "0-1\n"),
	      "are told");
	close(fd);
	check(!poll_cpus("\n"), "none");
}

/* What goes out without a kick. */
static void no_call(void)
{
	uint32_t route, i, n = (uint32_t)scaled(4000);
	struct weir *s = server("/poll/a", 1);
	struct weir *c = caller("/poll/a", &route);
	struct weir_call call = { .route = route };
	struct weir_buf buf = { 0 };

	route_quiet("/poll/a");
	check(asks(c) && asks(s), "without polling both are asked to kick");
	need(!tap_tune("poll_idle_us", 1000000), "idle time");
	need(!poll_cpus("1"), "polling on");
	check(soon(!asks(c) && !asks(s)), "then neither is");
	for (i = 0; i < n; i++) {
		struct weir_msg msg;
		struct weir_ticket ticket;
		uint32_t value;

		call.tag = i;
		need(!request(c, &call, &i, sizeof(i)), "request");
		/* no weir_flush() on either side */
		msg = next_message(s, "the target");
		ticket = weir_ticket(&msg);
		memcpy(&value, msg.data, sizeof(value));
		weir_release(s, &msg);
		need(!weir_reply_claim(s, &ticket, 4, &buf), "claim");
		memcpy(buf.data, &value, 4);
		weir_reply_commit_more(s, &ticket, WEIR_KIND_REPLY, 0, &buf);
		msg = next_message(c, "the caller");
		memcpy(&value, msg.data, sizeof(value));
		if (msg.rec->tag != i || value != i)
			check(false, "reply %u is for %u", i, msg.rec->tag);
		weir_release(c, &msg);
	}
	check(true, "%u requests and replies without a system call", n);

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
	switching();
	need(!tap_tune("poll_idle_us", (unsigned long long)idle), "idle time");
	return tap_done();
}
