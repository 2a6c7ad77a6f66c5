// SPDX-License-Identifier: GPL-2.0
/*
 * Hundreds of threads of a user wait for a place in the queue of a listener, of
 * which they have their share already. When somebody else's connection is accepted,
 * the place is for none of them: that accept does not take the longer for their
 * number, nor does the listener's lock.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "hard.h"
#include "tenants.h"

#define PATH	"/backlog/listener"
#define BACKLOG	3	/* four places */

static struct tenant_meter *meter;
static long waiters;

/* Connects again and again, which it waits for. */
static void *waiter(void *arg)
{
	for (;;) {
		int fd = tap_socket(SOCK_SEQPACKET);

		tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
		__atomic_add_fetch(&meter->ready, 1, __ATOMIC_RELEASE);
		if (tap_connect(fd, PATH))
			return arg;
		close(fd);
	}
	return NULL;
}

static int attack(void *arg)
{
	struct rlimit most = { 4096, 4096 };
	pthread_attr_t small;
	pthread_t thread;
	long i;

	(void)arg;
	setrlimit(RLIMIT_NOFILE, &most);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (i = 0; i < waiters; i++) {
		if (pthread_create(&thread, &small, waiter, NULL))
			return 2;
	}
	while (!__atomic_load_n(&meter->stop, __ATOMIC_ACQUIRE))
		usleep(1000);
	return 0;
}

/* Accepts until the own one comes: how long that accept takes. */
static void accept_own(int listener)
{
	int fd = tap_socket(SOCK_SEQPACKET | SOCK_NONBLOCK), got = -1, own = 0;
	uint64_t begun = 0;

	tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
	if (tap_connect(fd, PATH))
		tap_bail("connect: %s", tap_words(fd));
	while (!own) {
		struct ucred peer = { 0 };
		socklen_t len = sizeof(peer);

		begun = tenant_now_ns();
		got = accept(listener, NULL, NULL);
		begun = tenant_now_ns() - begun;
		if (got < 0)
			tap_bail("accept");
		getsockopt(got, SOL_SOCKET, SO_PEERCRED, &peer, &len);
		own = peer.pid == getpid();
		close(got);
	}
	close(fd);
	tenant_note(meter, begun, 1);
}

int main(void)
{
	long rounds = tap_scale(500, 100), i;
	uint64_t alone, beside;
	pid_t pid;
	int fd;

	tap_begin_as_root(200);
	/* the sanitizer kernel looks for faults; its times mean little */
	if (hard_slow())
		tap_skip_all("times mean little on this kernel");
	waiters = tap_scale(1500, 700);
	meter = tenant_meter_new();
	fd = tap_socket(SOCK_SEQPACKET);
	tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
	tap_setopt(fd, WEIR_SO_MODE, 0666);
	if (tap_bind(fd, PATH) || listen(fd, BACKLOG))
		tap_bail("listen: %s", tap_words(fd));
	for (i = 0; i < rounds; i++)
		accept_own(fd);
	tenant_show(meter, 0, "alone");
	pid = tenant_start(TENANT_ATTACKER, attack, NULL);
	if (!tap_until(__atomic_load_n(&meter->ready, __ATOMIC_ACQUIRE) >= waiters))
		tap_bail("no waiters");
	meter->phase = 1;
	for (i = 0; i < rounds; i++)
		accept_own(fd);
	tenant_show(meter, 1, "beside those that wait");
	__atomic_store_n(&meter->stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(pid), 0, "they end well");
	alone = tenant_quantile(meter, 0, 500);
	beside = tenant_quantile(meter, 1, 500);
	tap_ok(beside <= 4 * alone,
	       "an accept takes at most 4 times as long beside %ld that wait (%llu ns, %llu ns)",
	       waiters, (unsigned long long)beside, (unsigned long long)alone);
	close(fd);
	return tap_done();
}
