// SPDX-License-Identifier: GPL-2.0
/*
 * Load for unload.sh, and no test by itself. "hold N": makes N publishers,
 * subscribers and pairs, maps them, prints "ready" and keeps messages flowing
 * until its standard input ends; "map": the same with mappings only, all
 * descriptors closed; "linger": leaves streams that linger and cursors that
 * are held for an hour, and ends; "chroot": uses the library in an empty
 * directory, and prints the family or why there is none.
 */
#include "hard.h"

#define HOUR	3600000

static int hold(int n)
{
	struct weir *w[3][64];
	struct weir_config c = { .ring_bytes = 8192 };
	char path[32], data[64];
	int i;

	for (i = 0; i < n && i < 64; i++) {
		snprintf(path, sizeof(path), "/unload/%d", i);
		need(!weir_open(&w[0][i], SOCK_RDM, &c) &&
		     !weir_bind(w[0][i], path), "bind");
		need(!weir_open(&w[1][i], SOCK_RDM, &c) &&
		     !weir_subscribe(w[1][i], path), "subscribe");
		need(!weir_open(&w[2][i], SOCK_DGRAM, &c) &&
		     !weir_subscribe(w[2][i], "/unload/**"), "subscribe");
	}
	n = i;
	printf("ready\n");
	fflush(stdout);
	while (!tap_poll_now(0, POLLIN | POLLHUP)) {
		for (i = 0; i < n; i++) {
			weir_send(w[0][i], "load", 4, WEIR_DONTWAIT);
			weir_recv(w[1][i], data, sizeof(data), WEIR_DONTWAIT);
			weir_recv(w[2][i], data, sizeof(data), WEIR_DONTWAIT);
		}
	}
	return 0;
}

static int map_only(void)
{
	int p = raw_publisher(SOCK_RDM, "/unload/map", 8192);
	int s = raw_subscriber(SOCK_RDM, "/unload/map");
	struct raw_map out, in;

	need(!raw_map(p, WEIR_ID_OUTBOX, &out) &&
	     !raw_map(s, WEIR_ID_STREAM, &in), "map");
	close(p);
	close(s);
	printf("ready\n");
	fflush(stdout);
	while (!tap_poll_now(0, POLLIN | POLLHUP)) {
		out.data[0]++;
		in.cursor->seq++;
	}
	return 0;
}

static int linger(void)
{
	struct weir_config c = { .ring_bytes = 8192, .linger_ms = HOUR };
	struct weir_config h = { .name = "held", .hold_ms = HOUR };
	struct weir *p, *s;
	char path[32];
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/unload/l/%d", i);
		need(!weir_open(&p, SOCK_RDM, &c) && !weir_bind(p, path), "bind");
		need(!weir_open(&s, SOCK_RDM, &h) && !weir_subscribe(s, path),
		     "subscribe");
		need(!weir_send(p, "left", 4, WEIR_DONTWAIT), "send");
		/* in either order */
		weir_close(i & 1 ? p : s);
		weir_close(i & 1 ? s : p);
	}
	return 0;
}

/* Without /sys. */
static int chrooted(void)
{
	char dir[] = "/tmp/unload.XXXXXX", data[64];
	int family, fd, not_weir;
	struct weir *p, *s;

	need(mkdtemp(dir) && !chroot(dir) && !chdir("/"), "chroot");
	family = weir_family();
	printf("family %d %s\n", family, family < 0 ? weir_error() : "");
	if (family < 0)
		return weir_open(&p, SOCK_RDM, NULL) != family;
	not_weir = socket(AF_UNIX, SOCK_DGRAM, 0);
	need(weir_adopt(&p, not_weir, NULL) == -EAFNOSUPPORT &&
	     weir_adopt(&p, -1, NULL) == -EBADF, "what is no weir socket");
	need(!weir_open(&p, SOCK_RDM, NULL) && !weir_bind(p, "/unload/c"),
	     "open");
	fd = raw_socket(SOCK_RDM);
	need(fd >= 0 && !weir_adopt(&s, fd, NULL) &&
	     !weir_subscribe(s, "/unload/c"), "adopt");
	need(!weir_send(p, "hello", 5, 0) &&
	     weir_recv(s, data, sizeof(data), HARD_DEADLINE_NS) == 5, "send");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		tap_skip_all("only unload.sh runs this");
	if (!strcmp(argv[1], "chroot"))
		return chrooted();
	hard_begin();
	if (!strcmp(argv[1], "hold"))
		return hold(argc > 2 ? atoi(argv[2]) : 8);
	if (!strcmp(argv[1], "map"))
		return map_only();
	return linger();
}
