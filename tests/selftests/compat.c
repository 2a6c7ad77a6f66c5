// SPDX-License-Identifier: GPL-2.0
/*
 * 32-bit programs: every ioctl does for them what it does for others. Calls are
 * made as such a program makes them, by the kernel's 32-bit entry, with
 * everything that a pointer names below 4 GiB; that the structures are the same
 * is asserted when abi.c is compiled for both.
 */
#include <setjmp.h>
#include <uapi/weir_route.h>

#include "selftest.h"

#ifdef __x86_64__

#define CALL32_GETPID	20
#define CALL32_IOCTL	54

/* -errno or the result, as the kernel gives it. */
static long call32(int number, long a, long b, long c)
{
	int ret;

	/* these registers are not kept by the 32-bit entry of old kernels */
	__asm__ volatile("int $0x80" : "=a"(ret)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static sigjmp_buf none;

static void no_entry(int sig)
{
	(void)sig;
	siglongjmp(none, 1);
}

/* A kernel without the entry sends SIGSEGV. */
static int has_entry(void)
{
	int has = 0;

	signal(SIGSEGV, no_entry);
	if (!sigsetjmp(none, 1))
		has = call32(CALL32_GETPID, 0, 0, 0) == getpid();
	signal(SIGSEGV, SIG_DFL);
	return has;
}

union low {
	struct weir_ioc_map map;
	struct weir_ioc_list list;
	struct weir_ioc_serve serve;
	struct weir_ioc_call call;
	struct weir_ioc_control control;
	int n;
};

struct room {
	union low u;
	struct weir_list_entry entries[8];
	struct weir_route_op op;
};

static struct room *low;

static long ioctl32(int fd, unsigned long cmd, void *arg)
{
	return call32(CALL32_IOCTL, fd, (long)cmd, (long)arg);
}

static void rings(void)
{
	int out = tap_publisher(SOCK_RDM, "/compat/feed", 4096);
	int in = tap_subscriber(SOCK_RDM, "/compat/feed");
	struct weir_ioc_map same = { .size = sizeof(same) };
	uint32_t i, found = 0;

	if (ioctl(out, WEIR_IOC_MAP, &same))
		tap_bail("map: %s", tap_words(out));
	memset(&low->u, 0, sizeof(low->u));
	low->u.map.size = sizeof(low->u.map);
	tap_is(ioctl32(out, WEIR_IOC_MAP, &low->u), 0, "WEIR_IOC_MAP");
	tap_ok(!memcmp(&same, &low->u.map, sizeof(same)),
	       "says what it says to others");

	memset(&low->u, 0, sizeof(low->u));
	low->u.list.size = sizeof(low->u.list);
	low->u.list.kind = WEIR_LIST_STREAMS;
	low->u.list.entry_size = sizeof(low->entries[0]);
	low->u.list.count = 8;
	low->u.list.entries = (uintptr_t)low->entries;
	tap_is(ioctl32(out, WEIR_IOC_LIST, &low->u), 0, "WEIR_IOC_LIST");
	for (i = 0; i < low->u.list.count && i < 8; i++)
		found += !strcmp(low->entries[i].name, "/compat/feed");
	tap_is(found, 1, "lists the stream");

	if (send(out, "abc", 3, 0) != 3)
		tap_bail("send");
	tap_is(ioctl32(in, FIONREAD, &low->u), 0, "FIONREAD");
	tap_is(low->u.n, 3, "tells the message's length");
	tap_is(ioctl32(in, WEIR_IOC_DETACH, (void *)WEIR_ID_STREAM), 0,
	       "WEIR_IOC_DETACH");
	tap_is(tap_info(in).streams, 0, "detaches");
	tap_is(ioctl32(in, WEIR_IOC_MAP, NULL), -EFAULT, "a bad pointer");
	tap_is(ioctl32(in, _IO(WEIR_IOC_MAGIC, 99), NULL), -ENOTTY,
	       "an unknown command");
	close(out);
	close(in);
}

static void routes(void)
{
	int server = tap_socket(SOCK_RDM), caller = tap_socket(SOCK_RDM);

	memset(&low->u, 0, sizeof(low->u));
	low->u.serve.size = sizeof(low->u.serve);
	low->u.serve.weight = 1;
	strcpy(low->u.serve.path, "/compat/service");
	tap_is(ioctl32(server, WEIR_IOC_SERVE, &low->u), 0, "WEIR_IOC_SERVE");
	tap_ok(low->u.serve.id, "gives a target's id");

	memset(&low->u, 0, sizeof(low->u));
	low->u.call.size = sizeof(low->u.call);
	strcpy(low->u.call.path, "/compat/service");
	tap_is(ioctl32(caller, WEIR_IOC_CALL, &low->u), 0, "WEIR_IOC_CALL");
	tap_ok(low->u.call.route, "gives a handle");

	memset(&low->u, 0, sizeof(low->u));
	memset(&low->op, 0, sizeof(low->op));
	low->op.op = WEIR_OP_ROUTE_SET;
	strcpy(low->op.path, "/compat/service");
	low->u.control.size = sizeof(low->u.control);
	low->u.control.op_size = sizeof(low->op);
	low->u.control.count = 1;
	low->u.control.ops = (uintptr_t)&low->op;
	tap_is(ioctl32(caller, WEIR_IOC_CONTROL, &low->u), 0,
	       "WEIR_IOC_CONTROL");
	/* it would stay */
	low->op.op = WEIR_OP_ROUTE_DEL;
	tap_is(ioctl32(caller, WEIR_IOC_CONTROL, &low->u), 0,
	       "and takes it back");
	close(server);
	close(caller);
}

int main(void)
{
	tap_family();
	if (!has_entry())
		tap_skip_all("this kernel runs no 32-bit programs");
	low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		tap_bail("memory below 4 GiB");
	rings();
	routes();
	return tap_done();
}

#else

int main(void)
{
	tap_skip_all("there are 32-bit programs for x86 alone here");
}

#endif
