// SPDX-License-Identifier: GPL-2.0
/*
 * A user has dozens of processes wait for a place in the queue of a listener.
 * Each place that becomes free wakes one of them, not all: how often they have
 * been woken is what the kernel counts as their voluntary switches. Another user
 * gets a place at once, since they have no more than their user's share.
 */
#include <sys/resource.h>

#include "tenants.h"

#define PATH		"/connect/listener"
#define WAITERS		60
#define BACKLOG		3	/* four places */

/**
 * struct stage - what the processes share
 * @begun: waiters that are about to connect.
 * @through: those that have.
 * @switches: of all of them while they connected.
 */
struct stage {
	int begun;
	int through;
	long switches;
};

static long switches(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return use.ru_nvcsw;
}

static int waiter(void *arg)
{
	struct stage *s = arg;
	int fd = tap_socket(SOCK_SEQPACKET);
	long before;

	tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
	before = switches();
	__atomic_add_fetch(&s->begun, 1, __ATOMIC_RELEASE);
	if (tap_connect(fd, PATH))
		return 1;
	__atomic_add_fetch(&s->switches, switches() - before,
			   __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->through, 1, __ATOMIC_RELEASE);
	return 0;
}

static int neighbour(void *arg)
{
	int fd = tap_socket(SOCK_SEQPACKET | SOCK_NONBLOCK);

	(void)arg;
	return tap_connect(fd, PATH) ? 1 : 0;
}

int main(void)
{
	struct stage *s = tap_shared(sizeof(*s));
	pid_t pid[WAITERS];
	int fd, got, i, bad = 0;

	tap_begin_as_root(200);
	fd = tap_socket(SOCK_SEQPACKET);
	tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
	tap_setopt(fd, WEIR_SO_MODE, 0666);
	if (tap_bind(fd, PATH) || listen(fd, BACKLOG))
		tap_bail("listen: %s", tap_words(fd));
	for (i = 0; i < WAITERS; i++)
		pid[i] = tenant_start(TENANT_ATTACKER, waiter, s);
	if (!tap_until(__atomic_load_n(&s->begun, __ATOMIC_ACQUIRE) == WAITERS))
		tap_bail("no waiters");
	/* all but those that have a place */
	for (i = 0; i < WAITERS; i++)
		tap_until_asleep(pid[i]);
	tap_ok(s->through && s->through <= (BACKLOG + 1) / 2,
	       "they have their user's share of the places (%d)", s->through);
	tap_is(tap_wait(tenant_start(TENANT_OTHER, neighbour, NULL)), 0,
	       "another user gets one without waiting");
	for (i = 0; i < WAITERS + 1; i++) {
		got = accept(fd, NULL, NULL);
		bad += got < 0;
		close(got);
	}
	tap_is(bad, 0, "all are accepted");
	for (i = 0; i < WAITERS; i++)
		bad += tap_wait(pid[i]) != 0;
	tap_is(bad, 0, "and have come through");
	tap_ok(s->switches <= 5 * WAITERS,
	       "each was woken a few times: %ld of %d together", s->switches,
	       WAITERS);
	close(fd);
	return tap_done();
}
