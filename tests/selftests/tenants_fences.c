// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts that a sleeper sends to other processors, so that it misses no
 * wake-up, are bounded by user. The attacker has a full ring, whose head it
 * writes as it likes, and a reader that runs; it asks again and again, by
 * several sockets, to be woken when there is room. That no wake-up is missed
 * for that is shown by wakeup.c, whose sides sleep more often than this allows.
 */
#include <sched.h>
#include <uapi/weir_ring.h>

#include "tenants.h"

#define RING	4096
#define SOCKETS	4
/* module/account.h: one each millisecond, and so many at once */
#define EACH_MS	1
#define BURST	32

static int reader(void *arg)
{
	struct weir_ioc_map m = { .size = sizeof(m), .id = WEIR_ID_STREAM };
	int *ready = arg, fd = tap_subscriber(SOCK_RDM, "/fences/*"), i;

	for (i = 0; i < SOCKETS; i++) {
		m.id = (uint32_t)(WEIR_ID_STREAM + i);
		if (ioctl(fd, WEIR_IOC_MAP, &m) ||
		    mmap(NULL, m.length[WEIR_MAP_OWN], PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd,
			 (off_t)m.offset[WEIR_MAP_OWN]) == MAP_FAILED)
			return 1;
	}
	__atomic_store_n(ready, 1, __ATOMIC_SEQ_CST);
	for (;;)
		sched_yield();
}

static struct weir_head *head_of(int fd)
{
	struct weir_ioc_map m = { .size = sizeof(m), .id = WEIR_ID_OUTBOX };
	void *at;

	if (ioctl(fd, WEIR_IOC_MAP, &m))
		tap_bail("map: %s", tap_words(fd));
	at = mmap(NULL, m.length[WEIR_MAP_OWN], PROT_READ | PROT_WRITE,
		  MAP_SHARED, fd, (off_t)m.offset[WEIR_MAP_OWN]);
	if (at == MAP_FAILED)
		tap_bail("mmap");
	return at;
}

/* As often as there is time for: a full ring, in another way each time. */
static long ask(const int *fd, struct weir_head *const *head, uint64_t until)
{
	struct weir_so_wait wait = { .flags = WEIR_WAIT_OUT };
	long calls = 0;
	int i;

	while (tap_now_ms() < until) {
		for (i = 0; i < SOCKETS; i++, calls++) {
			uint64_t full = RING - 64 * (uint64_t)(calls & 1);

			weir_store(&head[i]->limit, RING);
			weir_store(&head[i]->claim,
				   weir_ring_pack((uint32_t)(full / 64), 1));
			wait.bytes = 128 + 64 * (uint64_t)(calls & 1);
			tap_sleep(fd[i], &wait);
		}
	}
	return calls;
}

static void writers(void)
{
	struct weir_head *head[SOCKETS];
	int fd[SOCKETS], *ready = tap_shared(4096), i;
	long long before, made, most;
	uint64_t start, ms;
	char path[32];
	long calls;
	pid_t pid;

	for (i = 0; i < SOCKETS; i++) {
		snprintf(path, sizeof(path), "/fences/%d", i);
		fd[i] = tap_publisher(SOCK_RDM, path, RING);
		head[i] = head_of(fd[i]);
	}
	pid = fork();
	if (!pid)
		_exit(reader(ready));
	tap_ok(tap_until(__atomic_load_n(ready, __ATOMIC_SEQ_CST)),
	       "a reader of the attacker's has its cursors mapped");
	before = tap_stat("stats/barriers");
	start = tap_now_ms();
	calls = ask(fd, head, start + (uint64_t)tap_scale(3000, 1000));
	ms = tap_now_ms() - start;
	made = tap_stat("stats/barriers") - before;
	tap_diag("%ld calls in %llu ms, %lld barriers", calls,
		 (unsigned long long)ms, made);
	/* twice, as others of the host may sleep meanwhile */
	most = 2 * (long long)(ms * EACH_MS + BURST);
	tap_ok(calls > 0 && made <= most,
	       "a writer has others interrupted once a millisecond at most");
	if (calls <= most)
		tap_skip("and asks more often", "this machine is too slow for that");
	else
		tap_ok(1, "and asks more often");
	tap_ok(made > 0, "but it has");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (i = 0; i < SOCKETS; i++)
		close(fd[i]);
}

int main(void)
{
	tap_family();
	tap_watchdog(200);
	tenant_become(TENANT_ATTACKER);
	writers();
	return tap_done();
}
