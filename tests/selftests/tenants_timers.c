// SPDX-License-Identifier: GPL-2.0
/*
 * Timers of a user whose functions take for ever: those of many streams whose
 * linger time ends are held up at a race point, as they are by a lock of a
 * namespace of that user's own. Another user's timers come all the same: its
 * reader is evicted in time.
 *
 * Race points are in the sanitizer kernel's module alone.
 */
#include "routed.h"
#include "tenants.h"

#define POINTS		"/sys/kernel/debug/weir/races"
#define STREAMS		600	/* more than a workqueue runs at once */
#define EVICT_MS	200
#define ROUNDS		5	/* the workqueue's places fill meanwhile */

/**
 * struct stage - what the processes share
 * @lingering: the attacker has closed its streams.
 * @go: the attacker may end.
 */
static struct stage {
	int lingering;
	int go;
} *stage;

static int attack(void *arg)
{
	int fds[STREAMS], i;
	char path[32];

	(void)arg;
	for (i = 0; i < STREAMS; i++) {
		snprintf(path, sizeof(path), "/timers/%d", i);
		fds[i] = raw_socket(SOCK_RDM);
		need(!raw_set(fds[i], WEIR_SO_RING_BYTES, 4096) &&
		     !raw_set(fds[i], WEIR_SO_LINGER_MS, 1) &&
		     !raw_bind(fds[i], path), "stream %d", i);
	}
	for (i = 0; i < STREAMS; i++)
		close(fds[i]);
	put(&stage->lingering, 1);
	need(soon(get(&stage->go)), "the end");
	return 0;
}

/* The writer goes on without a reader that does not move. */
static int victim(void *arg)
{
	int out = raw_publisher(SOCK_RDM, "/timers/victim", 4096);
	int in = raw_subscriber(SOCK_RDM, "/timers/victim");
	struct timeval patience = { .tv_sec = HARD_DEADLINE_MS / 3000 };
	char data[64] = "";

	(void)arg;
	(void)in;
	while (send(out, data, sizeof(data), MSG_DONTWAIT) == sizeof(data))
		;
	need(errno == EAGAIN, "the writer waits");
	need(!raw_set(out, WEIR_SO_EVICT_MS, EVICT_MS), "evict_ms");
	need(!setsockopt(out, SOL_SOCKET, SO_SNDTIMEO, &patience,
			 sizeof(patience)), "patience");
	return send(out, data, sizeof(data), 0) != sizeof(data);
}

/* How often a function has been held up. */
static int held_up(void)
{
	char line[128];
	FILE *f = fopen(POINTS, "r");
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "expire_work %*d %*d %*d %*d %d", &n);
	if (f)
		fclose(f);
	return n;
}

int main(void)
{
	struct counters before;
	pid_t pid;
	int i;

	hard_begin();
	if (access(POINTS, W_OK))
		tap_skip_all("no race points");
	stage = tap_shared(sizeof(*stage));
	before = counters();
	need(!tap_write_file(POINTS, "reset") &&
	     !tap_write_file(POINTS, "expire_work 60000000 1000 -1"), "point");
	pid = tenant_start(TENANT_ATTACKER, attack, NULL);
	/* the point is to be reset, whatever fails */
	check(soon(get(&stage->lingering)), "the streams linger");
	check(soon(held_up() > 0), "a timer's function is held up");
	for (i = 1; i <= ROUNDS; i++) {
		check(!tap_wait(tenant_start(TENANT_VICTIM, victim, NULL)),
		      "another user's reader is evicted, %d of %d", i, ROUNDS);
		note("held up: %d", held_up());
	}
	check(!tap_write_file(POINTS, "reset"), "the point is reset");
	put(&stage->go, 1);
	check(!tap_wait(pid), "the attacker ends well");
	check_counters(&before);
	check_kernel();
	return tap_done();
}
