// SPDX-License-Identifier: GPL-2.0
/*
 * Clients that come for one message: a socket is opened and connected to a
 * listener that is there already, accepted, 32 bytes are sent and received, and
 * both ends are closed. Everything by plain calls, and with the settings that a
 * socket has from the start. Both ends are in one process; each figure is the
 * median of many clients.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "named.h"

#define CLIENTS		64

/**
 * enum part - what a client has cost so far
 * @PART_OPEN: until it is accepted.
 * @PART_FIRST: until its message is received.
 * @PART_CLOSE: closing both ends, alone.
 */
enum part {
	PART_OPEN,
	PART_FIRST,
	PART_CLOSE,
	PARTS
};

static const char *const part_names[PARTS] = {
	[PART_OPEN]	= "oneshot_open",
	[PART_FIRST]	= "oneshot_first",
	[PART_CLOSE]	= "oneshot_close",
};

/* One that listens, or -1 after words. */
static int oneshot_listen(const struct named *kind,
			  const struct sockaddr_storage *at, socklen_t len)
{
	int fd = named_open(kind, kind->listener);

	if (fd < 0)
		return -1;
	if (!bind(fd, (const void *)at, len) && !listen(fd, 1))
		return fd;
	say("oneshot %s: %s", kind->who, strerror(errno));
	close(fd);
	return -1;
}

/* False after words. @took: out: nanoseconds. */
static bool oneshot_client(const struct named *kind, int listener,
			   const struct sockaddr_storage *at, socklen_t len,
			   double took[PARTS])
{
	char message[32] = "first", got[sizeof(message)];
	uint64_t begin = now_ns(), opened = begin, received = begin;
	int fd = named_open(kind, kind->listener), peer = -1;
	bool good = false;

	if (fd >= 0 && !connect(fd, (const void *)at, len))
		peer = accept(listener, NULL, NULL);
	if (peer >= 0) {
		opened = now_ns();
		good = send(fd, message, sizeof(message), 0) ==
		       sizeof(message) &&
		       recv(peer, got, sizeof(got), 0) == sizeof(got);
		received = now_ns();
	}
	if (!good)
		say("oneshot %s: %s", kind->who, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (peer >= 0)
		close(peer);
	took[PART_OPEN] = (double)(opened - begin);
	took[PART_FIRST] = (double)(received - begin);
	took[PART_CLOSE] = (double)(now_ns() - received);
	return good;
}

static void oneshot(unsigned int round, const struct named *kind)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = kind->address(&at, 0);
	double took[PARTS], of[PARTS][CLIENTS];
	unsigned int n = options.quick ? CLIENTS / 4 : CLIENTS, i, p;
	int listener = oneshot_listen(kind, &at, len);

	if (listener < 0)
		return;
	/* one to warm up */
	for (i = 0; i <= n; i++) {
		if (!oneshot_client(kind, listener, &at, len, took))
			break;
		for (p = 0; i && p < PARTS; p++)
			of[p][i - 1] = took[p];
	}
	close(listener);
	for (p = 0; i > n && p < PARTS; p++)
		figure_add(round, part_names[p], kind->who, n,
			   median(of[p], n));
}

void oneshot_measure(unsigned int round)
{
	unsigned int i;

	for (i = 0; i < NAMED; i++) {
		/* TIPC's connect() waits for the accept() */
		if (named[i].accepts && named[i].family != AF_TIPC &&
		    wanted("oneshot", named[i].who) && named_works(&named[i]))
			oneshot(round, &named[i]);
	}
}
