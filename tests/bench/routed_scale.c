// SPDX-License-Identifier: GPL-2.0
/*
 * Many routes: what a send costs among 100 of them and up to a million, by a
 * handle that is known ("cached"), and with finding the handle of a path that
 * this socket has not called before ("uncached"); and the same by name, without
 * the library: sendto() the address of a path, whose handle the processor
 * remembers, or which it meets for the first time. All paths have eight
 * segments. In instructions only, where memory is as fast as anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "many_routes.h"
#include "routed.h"

#define FEW		100
#define MANY		1000000
#define PROBED		32	/* paths that are served and called */
#define CACHED		101	/* sends by a known handle */
#define SCALE_RING	(64 * KIB)
#define TRACING		"/sys/kernel/tracing/"

/* A request has been sent; it is answered, and the answer read. */
static void scale_answer(struct weir *w, struct weir *server)
{
	struct weir_ticket ticket;
	struct weir_msg msg;

	if (weir_peek(server, &msg) != 1)
		die("a request does not arrive");
	ticket = weir_ticket(&msg);
	weir_release(server, &msg);
	if (weir_reply(server, &ticket, "done", 4, WEIR_DONTWAIT))
		die("reply: %s", weir_error());
	if (weir_peek(w, &msg) != 1)
		die("a reply does not arrive");
	routed_expect(&msg, WEIR_KIND_REPLY);
	weir_release(w, &msg);
}

/* One request there and its reply back; how long sending it took. */
static double scale_send(struct weir *w, struct weir *server,
			 const struct weir_call *call, uint64_t since)
{
	struct weir_buf buf;
	uint64_t took;

	if (weir_call_claim(w, call, 64, &buf))
		die("claim: %s", weir_error());
	memset(buf.data, 1, 64);
	weir_call_commit(w, call, &buf);
	took = now_ns() - since;
	scale_answer(w, server);
	return (double)took;
}

/* The same by name. */
static double scale_send_named(struct weir *w, struct weir *server,
			       const char *path)
{
	struct sockaddr_weir to = { .sw_family = (sa_family_t)weir_family() };
	size_t len = strlen(path);
	uint64_t took;
	char data[64];

	if (len > sizeof(to.sw_path))
		die("%s: too long for an address", path);
	memcpy(to.sw_path, path, len);
	took = now_ns();
	memset(data, 1, sizeof(data));
	if (sendto(weir_fd(w), data, sizeof(data), MSG_DONTWAIT, (void *)&to,
		   (socklen_t)(offsetof(struct sockaddr_weir, sw_path) + len)) !=
	    (ssize_t)sizeof(data))
		die("sendto %s: %s", path, strerror(errno));
	took = now_ns() - took;
	scale_answer(w, server);
	return (double)took;
}

/*
 * Probes of the trie of names so far, seen by a kprobe on the function that
 * makes one; -1 where that cannot be had.
 */
static long scale_probes(void)
{
	FILE *file = fopen(TRACING "kprobe_profile", "r");
	long hits, all = -1;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " weir_bench_probe %ld", &hits) == 1)
			all = hits;
	}
	if (file)
		fclose(file);
	return all;
}

/* Of finding the route of a path with eight segments, and sending there. */
static void scale_depth(unsigned int round, unsigned int n, struct weir *w,
			struct weir *server, const char *path)
{
	static const char enable[] =
		TRACING "events/kprobes/weir_bench_probe/enable";
	struct weir_call call = { 0 };
	long before, probes;
	int ret;

	if (!routed_write(TRACING "kprobe_events",
			"p:weir_bench_probe weir:weir_trie_lookup\n") ||
	    !routed_write(enable, "1")) {
		say("routes: probes cannot be counted: %s", strerror(errno));
		return;
	}
	before = scale_probes();
	ret = weir_route(w, path);
	if (ret < 0)
		die("route %s: %s", path, weir_error());
	call.route = (uint32_t)ret;
	scale_send(w, server, &call, now_ns());
	probes = scale_probes() - before;
	/* none at all: the compiler has made no call of it */
	if (before >= 0 && probes > 0)
		figure_add(round, "route_probes", "routed", n, (double)probes);
	routed_write(enable, "0");
	routed_write(TRACING "kprobe_events", "-:weir_bench_probe\n");
}

static void scale_named(unsigned int round, unsigned int n,
			struct weir *server)
{
	struct weir *w = routed_handle(SCALE_RING);
	double took[CACHED];
	char path[WEIR_PATH_MAX + 1];
	unsigned int i;

	many_routes_path(path, PROBED * (n / (PROBED + 1)));
	/* this makes outbox and inbox, which are mapped here */
	if (weir_route(w, path) < 0)
		die("route %s: %s", path, weir_error());
	for (i = 0; i < PROBED; i++) {
		many_routes_path(path, i * (n / (PROBED + 1)));
		took[i] = scale_send_named(w, server, path);
	}
	figure_add(round, "send_named_new", "routed", n, median(took, PROBED));
	for (i = 0; i < CACHED; i++) {
		many_routes_path(path, i % PROBED * (n / (PROBED + 1)));
		took[i] = scale_send_named(w, server, path);
	}
	figure_add(round, "send_named", "routed", n, median(took, CACHED));
	weir_close(w);
}

/* With @n routes there, of which some are served. */
static void scale_sends(unsigned int round, unsigned int n)
{
	struct weir *server = routed_handle(SCALE_RING), *w;
	struct weir_call call = { 0 };
	double took[CACHED];
	char path[WEIR_PATH_MAX + 1];
	unsigned int i;
	uint64_t at;

	for (i = 0; i <= PROBED; i++) {
		many_routes_path(path, i * (n / (PROBED + 1)));
		if (weir_serve(server, path, 1, NULL))
			die("serve %s: %s", path, weir_error());
	}
	/* the first call makes an inbox */
	w = routed_caller("/bench/of/none", SCALE_RING, &call.route);
	for (i = 0; i < PROBED; i++) {
		int ret;

		many_routes_path(path, i * (n / (PROBED + 1)));
		at = now_ns();
		ret = weir_route(w, path);
		if (ret < 0)
			die("route %s: %s", path, weir_error());
		call.route = (uint32_t)ret;
		took[i] = scale_send(w, server, &call, at);
	}
	figure_add(round, "send_uncached", "routed", n, median(took, PROBED));
	for (i = 0; i < CACHED; i++)
		took[i] = scale_send(w, server, &call, now_ns());
	figure_add(round, "send_cached", "routed", n, median(took, CACHED));
	many_routes_path(path, PROBED * (n / (PROBED + 1)));
	scale_depth(round, n, w, server, path);
	weir_close(w);
	scale_named(round, n, server);
	weir_close(server);
}

void routed_scale_measure(unsigned int round)
{
	unsigned int many = options.quick ? MANY / 10 : MANY, from = 0, n;
	uint64_t at;

	/* in the last round, since it leaves its routes behind */
	if (options.mode != MODE_ICOUNT || round + 1 < options.rounds ||
	    !wanted("routes", "routed") || !many_routes_allow(many))
		return;
	for (n = FEW; n <= many; n *= 10) {
		at = now_ns();
		if (!many_routes_set(from, n))
			return;
		/* of those that came since the last look */
		figure_add(round, "route_set", "routed", n,
			   (double)(now_ns() - at) / (n - from));
		scale_sends(round, n);
		from = n;
	}
	/* to remove them all takes as long, and the guest ends here */
}
