/* SPDX-License-Identifier: GPL-2.0 */
/*
 * io_uring by its bare system calls, so that tests need no library: one ring of
 * the process.
 */
#ifndef WEIR_SELFTEST_URING_H
#define WEIR_SELFTEST_URING_H

#include <linux/io_uring.h>
#include <sys/syscall.h>

#include "selftest.h"

#define URING_ENTRIES	64

static struct {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	void *queues;
	size_t queues_bytes, sqes_bytes;
} ring;

/* Why there is no io_uring; NULL when the ring is ready. */
static const char *uring_setup(void)
{
	struct io_uring_params p = { 0 };
	size_t sq, cq;
	char *m;

	ring.fd = syscall(SYS_io_uring_setup, URING_ENTRIES, &p);
	if (ring.fd < 0 && (errno == ENOSYS || errno == EPERM))
		return "no io_uring";
	if (ring.fd < 0)
		tap_bail("io_uring_setup");
	if (!(p.features & IORING_FEAT_SINGLE_MMAP))
		return "io_uring is too old";
	sq = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	cq = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	ring.queues_bytes = sq > cq ? sq : cq;
	ring.sqes_bytes = p.sq_entries * sizeof(struct io_uring_sqe);
	m = mmap(NULL, ring.queues_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		 ring.fd, IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, ring.sqes_bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED, ring.fd, IORING_OFF_SQES);
	if (m == MAP_FAILED || ring.sqes == MAP_FAILED)
		tap_bail("mmap");
	ring.queues = m;
	ring.sq_tail = (void *)(m + p.sq_off.tail);
	ring.sq_mask = (void *)(m + p.sq_off.ring_mask);
	ring.sq_array = (void *)(m + p.sq_off.array);
	ring.cq_head = (void *)(m + p.cq_off.head);
	ring.cq_tail = (void *)(m + p.cq_off.tail);
	ring.cq_mask = (void *)(m + p.cq_off.ring_mask);
	ring.cqes = (void *)(m + p.cq_off.cqes);
	return NULL;
}

/* Ends the ring. Its mappings hold it, too. */
static inline void uring_end(void)
{
	munmap(ring.queues, ring.queues_bytes);
	munmap(ring.sqes, ring.sqes_bytes);
	close(ring.fd);
}

/* Puts one request in; @id comes back with its completion. */
static void submit(struct io_uring_sqe sqe, uint64_t id)
{
	unsigned int tail = *ring.sq_tail, i = tail & *ring.sq_mask;

	sqe.user_data = id;
	ring.sqes[i] = sqe;
	ring.sq_array[i] = i;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) != 1)
		tap_bail("io_uring_enter");
}

/* The next completion, if there is one. */
static int reap(struct io_uring_cqe *cqe)
{
	unsigned int head = *ring.cq_head;

	/* runs what waits to be run for this task */
	syscall(SYS_io_uring_enter, ring.fd, 0, 0, IORING_ENTER_GETEVENTS,
		NULL, 0);
	if (head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE))
		return 0;
	*cqe = ring.cqes[head & *ring.cq_mask];
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	return 1;
}

static struct io_uring_sqe op_poll(int fd, int events, unsigned int flags)
{
	return (struct io_uring_sqe) {
		.opcode = IORING_OP_POLL_ADD, .fd = fd,
		.poll32_events = events, .len = flags,
	};
}

#endif /* WEIR_SELFTEST_URING_H */
