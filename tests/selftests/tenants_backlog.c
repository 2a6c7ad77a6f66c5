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

enum phase { ALONE, BESIDE };

static void accept_some(int listener, int phase)
{
	long i, n = tap_scale(150, 50);

	tenant_begin(meter, phase);
	for (i = 0; i < n; i++)
		accept_own(listener);
}

/* Alone, and beside those that wait. */
static void measure_round(int listener)
{
	pid_t pid;

	accept_some(listener, ALONE);
	meter->ready = meter->stop = 0;
	pid = tenant_start(TENANT_ATTACKER, attack, NULL);
	if (!tap_until(__atomic_load_n(&meter->ready, __ATOMIC_ACQUIRE) >= waiters))
		tap_bail("no waiters");
	accept_some(listener, BESIDE);
	__atomic_store_n(&meter->stop, 1, __ATOMIC_RELEASE);
	tap_is(tap_wait(pid), 0, "they end well");
}

int main(void)
{
	struct tenant_verdict verdict = { .limit = 4 };
	char words[96];
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
	while (tenant_undecided(&verdict)) {
		measure_round(fd);
		tenant_compare(&verdict, tenant_last(meter, BESIDE, 500),
			       tenant_last(meter, ALONE, 500));
	}
	tenant_show(meter, ALONE, "alone");
	tenant_show(meter, BESIDE, "beside those that wait");
	snprintf(words, sizeof(words),
		 "an accept takes at most 4 times as long beside %ld that wait",
		 waiters);
	tenant_judge(&verdict, words);
	close(fd);
	return tap_done();
}
