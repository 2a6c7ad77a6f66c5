// SPDX-License-Identifier: GPL-2.0
/*
 * Load for faults.sh, and no test by itself: makes, binds, connects,
 * subscribes, maps, lists and sends in a loop, any of which may fail for want
 * of memory; what has not failed must work. Its argument is the number of
 * rounds. Faults are injected into this process only, once it has said so.
 */
#include "hard.h"

static long failures;

static int may(int ret)
{
	if (ret == -ENOMEM || ret == -ENOBUFS || ret == -EAGAIN || ret == -EFAULT ||
	    ret == -ENFILE || ret == -ENXIO || ret == -ENOENT || ret == -ESTALE ||
	    ret == -EPROTO || ret == -ECONNREFUSED || ret == -ETIMEDOUT ||
	    ret == -EPIPE || ret == -ENOTCONN || ret == -EISCONN ||
	    ret == -EAFNOSUPPORT /* the family file cannot be read */) {
		failures++;
		return 1;
	}
	return ret < 0 ? -1 : 0;
}

static int strange(const char *what, int ret)
{
	fprintf(stderr, "# %s: %d %s\n", what, ret, weir_error());
	return 1;
}

static void list(struct weir *w)
{
	static struct weir_list_entry entries[16];
	uint32_t kind;

	for (kind = 1; kind <= WEIR_LIST_CURSORS; kind++) {
		struct weir_ioc_list l = {
			.size = sizeof(l), .kind = kind, .entry_size = sizeof(entries[0]),
			.count = 16, .entries = (uintptr_t)entries,
		};

		ioctl(weir_fd(w), WEIR_IOC_LIST, &l);
	}
}

/* One of everything; 1 when something failed in a way that it must not. */
static int one_round(long i)
{
	struct weir_config c = {
		.ring_bytes = 4096U << i % 4, .linger_ms = i % 3 ? 0 : 1,
		.name = i % 2 ? "held" : NULL, .hold_ms = 1,
		.start = (uint32_t)(i & 1), .flags = WEIR_NOTICES,
	};
	struct weir *w[8] = { NULL }, *p, *s, *l, *a, *b;
	char path[64], data[600] = "x";
	int n = 0, ret, pair[2], bad = 0;
	bool bound, subscribed;

	snprintf(path, sizeof(path), "/faults/%ld/%ld", i % 7, i);
	p = s = l = a = b = NULL;
	ret = weir_open(&p, i & 4 ? SOCK_RDM : SOCK_DGRAM, &c);
	if (ret)
		return may(ret) < 0 && strange("open", ret);
	w[n++] = p;
	ret = weir_open(&s, SOCK_RDM, &c);
	if (ret) {
		bad = may(ret) < 0 && strange("open", ret);
		goto out;
	}
	w[n++] = s;
	ret = weir_subscribe(s, i % 5 ? "/faults/**" : path);
	subscribed = !ret;
	bad |= may(ret) < 0 && strange("subscribe", ret);
	ret = weir_bind(p, path);
	bound = !ret;
	bad |= may(ret) < 0 && strange("bind", ret);
	if (bound) {
		ret = weir_send(p, data, sizeof(data), WEIR_DONTWAIT);
		bad |= may(ret) < 0 && strange("send", ret);
		send(weir_fd(p), data, 100, MSG_DONTWAIT);
	}
	if (bound && subscribed) {
		/* the attachment itself may have failed: then nothing comes */
		ret = (int)weir_recv(s, data, sizeof(data), WEIR_DONTWAIT);
		bad |= may(ret) < 0 && strange("recv", ret);
		recv(weir_fd(s), data, sizeof(data), MSG_DONTWAIT);
	}
	list(p);

	if (!socketpair(weir_family(), SOCK_SEQPACKET, 0, pair)) {
		send(pair[0], data, 32, MSG_DONTWAIT);
		recv(pair[1], data, 32, MSG_DONTWAIT);
		ret = weir_adopt(&a, pair[0], NULL);
		if (ret)
			close(pair[0]);
		else
			w[n++] = a;
		close(pair[1]);
	}
	a = NULL;
	ret = weir_open(&l, SOCK_SEQPACKET, NULL);
	if (ret)
		goto out;
	w[n++] = l;
	ret = weir_bind(l, "/faults-l");
	bad |= may(ret) < 0 && strange("bind listener", ret);
	if (ret || weir_listen(l, 2))
		goto out;
	ret = weir_open(&a, SOCK_SEQPACKET, NULL);
	if (ret)
		goto out;
	w[n++] = a;
	ret = weir_connect(a, "/faults-l");
	bad |= may(ret) < 0 && strange("connect", ret);
	if (!weir_accept(l, &b, WEIR_DONTWAIT)) {
		w[n++] = b;
		weir_send(a, data, 64, WEIR_DONTWAIT);
		weir_recv(b, data, 64, WEIR_DONTWAIT);
	}
out:
	while (n)
		weir_close(w[--n]);
	return bad;
}

int main(int argc, char **argv)
{
	long rounds, i;
	int fd, bad = 0;

	if (argc < 2)
		tap_skip_all("only faults.sh runs this");
	hard_begin();
	rounds = scaled(atol(argv[1]));
	bad = one_round(0);
	if (failures)
		bad |= strange("a failure without faults", 0);
	fd = open("/proc/self/make-it-fail", O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return 77;
	for (i = 1; i <= rounds && !bad; i++)
		bad |= one_round(i);
	if (write(fd, "0", 1) != 1)
		bad = 1;
	/* and without faults everything works again */
	failures = 0;
	bad |= one_round(4);
	if (failures)
		bad |= strange("a failure after the faults", 0);
	return bad;
}
