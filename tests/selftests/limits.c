// SPDX-License-Identifier: GPL-2.0
/*
 * Each file in /sys/kernel/weir/tunables takes its smallest and largest value,
 * refuses what lies just outside (ERANGE) and what is no number (EINVAL), and
 * keeps the old value then. Zero means none at all, not endless. Caps per
 * user, per namespace and per socket are honoured to the byte with ENOBUFS and
 * words, of other users independent, and all is given back at the end. A user's
 * cap is one in all namespaces; tenants_shares.c tests which other users pay.
 */
#include <dirent.h>
#include <grp.h>
#include <sched.h>

#include "hard.h"
#include "selftest.h"

struct tunable {
	const char *name;
	unsigned long long initial, min, max;
	int power;
};

#define U32_MAX		0xffffffffull
#define S64_MAX		0x7fffffffffffffffull

static struct tunable tunables[] = {
	{ "ring_bytes", 65536, 4096, 1 << 30, 1 },
	{ "ring_bytes_max", 1 << 30, 4096, 1 << 30, 1 },
	{ "inbox_bytes", 16384, 4096, 1 << 20, 1 },
	{ "user_bytes_max", 1ull << 30, 0, S64_MAX, 0 },
	{ "netns_bytes_max", 4ull << 30, 0, S64_MAX, 0 },
	{ "user_objects_max", 65536, 0, U32_MAX, 0 },
	{ "netns_objects_max", 262144, 0, U32_MAX, 0 },
	{ "streams_max", 1024, 0, 1 << 20, 0 },
	{ "poll_idle_us", 200, 0, 10000000, 0 },
	{ "fence_records", 64, 0, U32_MAX, 0 },
};

#define TUNABLES	(sizeof(tunables) / sizeof(*tunables))

/* Every file is in the table; poll_cpus holds no number. */
static void table(void)
{
	DIR *dir = opendir("/sys/kernel/weir/tunables");
	struct dirent *d;
	size_t i, found = 0;

	if (!dir)
		tap_bail("tunables");
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.' || !strcmp(d->d_name, "poll_cpus"))
			continue;
		for (i = 0; i < TUNABLES; i++)
			if (!strcmp(d->d_name, tunables[i].name))
				break;
		if (i == TUNABLES)
			tap_ok(0, "%s has its range here", d->d_name);
		found++;
	}
	closedir(dir);
	tap_ok(found == TUNABLES, "%zu tunables have their ranges here", found);
}

static unsigned long long value(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "tunables/%s", name);
	return tap_stat(path);
}

static int words(const char *name, const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/weir/tunables/%s", name);
	return tap_write_file(path, what) ? errno : 0;
}

static int number(const char *name, unsigned long long v)
{
	return tap_tune(name, v) ? errno : 0;
}

static void restore(void)
{
	size_t i;

	for (i = 0; i < TUNABLES; i++)
		number(tunables[i].name, tunables[i].initial);
}

/* The default is this part of the machine's memory, or less. */
static void fit_machine(const char *name, unsigned int part)
{
	long long kib = tap_field("/proc/meminfo", "MemTotal:");
	unsigned long long most;
	size_t i;

	if (kib < 0)
		tap_bail("MemTotal");
	most = (unsigned long long)kib / 4 / part * 4096;
	for (i = 0; i < TUNABLES; i++)
		if (!strcmp(tunables[i].name, name) &&
		    tunables[i].initial > most)
			tunables[i].initial = most;
}

static void ranges(const struct tunable *t)
{
	static const struct {
		const char *words;
		int want;
	} junk[] = {
		{ "", 0 }, { "\n", EINVAL }, { "four", EINVAL },
		{ "4096x", EINVAL }, { "-1", EINVAL }, { " 4096", EINVAL },
		{ "0x", EINVAL }, { "1e6", EINVAL }, { "4096 8192", EINVAL },
		{ "18446744073709551616", ERANGE },
		{ "99999999999999999999999", ERANGE },
	};
	size_t i;

	tap_ok(value(t->name) == t->initial, "%s: default", t->name);
	tap_ok(!number(t->name, t->min) && value(t->name) == t->min,
	       "%s: smallest, %llu", t->name, t->min);
	if (t->min)
		tap_ok(number(t->name, t->min - 1) == ERANGE &&
		       value(t->name) == t->min, "%s: below it", t->name);
	tap_ok(!number(t->name, t->max) && value(t->name) == t->max,
	       "%s: largest, %llu", t->name, t->max);
	tap_ok(number(t->name, t->max + 1) == ERANGE &&
	       value(t->name) == t->max, "%s: above it", t->name);
	tap_ok(number(t->name, 0) == (t->min ? ERANGE : 0),
	       "%s: zero is %s", t->name, t->min ? "refused" : "taken");
	number(t->name, t->max);
	tap_ok(number(t->name, ~0ull) == ERANGE, "%s: all ones", t->name);
	if (t->power)
		tap_ok(number(t->name, 12288) == ERANGE &&
		       number(t->name, 4097) == ERANGE,
		       "%s: powers of two only", t->name);
	for (i = 0; i < sizeof(junk) / sizeof(*junk); i++)
		tap_ok(words(t->name, junk[i].words) == junk[i].want &&
		       value(t->name) == t->max, "%s: garbage %zu refused",
		       t->name, i);
	tap_ok(!words(t->name, "0x2000\n") && value(t->name) == 8192,
	       "%s: hexadecimal with a newline", t->name);
	number(t->name, t->initial);
}

/* A socket, or what errno says when a cap refuses it: there are no words. */
static int socket_of(char *why)
{
	int fd = socket(tap_family(), SOCK_RDM, 0);

	strcpy(why, "no socket");
	return fd < 0 ? -errno : fd;
}

/* What a socket costs before it has anything. */
static unsigned long long socket_bytes(void)
{
	unsigned long long before = tap_stat("stats/charged_bytes"), cost;
	int fd = tap_socket(SOCK_RDM);

	cost = tap_stat("stats/charged_bytes") - before;
	close(fd);
	return cost;
}

/* What a path or a pattern of two segments costs with it; all have one length. */
static unsigned long long name_bytes(int publish)
{
	unsigned long long before = tap_stat("stats/charged_bytes"), cost;
	int fd = publish ? tap_publisher(SOCK_RDM, "/lim/x", 4096) :
		 tap_subscriber(SOCK_RDM, "/lim/x");

	cost = tap_stat("stats/charged_bytes") - before - socket_bytes();
	if (publish)
		cost -= 4096 + 8192;
	close(fd);
	return cost;
}

static int bind_of(const char *path, int ring_bytes, char *why)
{
	int fd = socket_of(why), err;

	if (fd < 0)
		return fd;
	tap_setopt(fd, WEIR_SO_RING_BYTES, ring_bytes);
	if (!tap_bind(fd, path))
		return fd;
	err = errno;
	strcpy(why, tap_words(fd));
	close(fd);
	return -err;
}

static int subscribe_of(const char *path, char *why)
{
	int fd = socket_of(why), err;

	if (fd < 0)
		return fd;
	if (!tap_connect(fd, path))
		return fd;
	err = errno;
	strcpy(why, tap_words(fd));
	close(fd);
	return -err;
}

static void bytes_cap(const char *name)
{
	unsigned long long sock = socket_bytes(), path = name_bytes(1);
	unsigned long long pattern = name_bytes(0);
	char why[300] = "";
	int a, b, s;

	tap_diag("%s", name);
	tap_ok(sock > 0, "a socket costs %llu bytes", sock);
	tap_ok(path > 0 && path < 4096 && pattern > 0 && pattern < 4096,
	       "a path %llu, a subscription %llu", path, pattern);
	/*
	 * A ring is charged with its head and status pages. There is room for
	 * one subscription more, but not for its cursor.
	 */
	number(name, 2 * 8192 + 2 * 8192 + 2 * path + 3 * sock + pattern);
	a = bind_of("/lim/a", 8192, why);
	b = bind_of("/lim/b", 8192, why);
	tap_ok(a >= 0 && b >= 0, "two rings fit exactly");
	tap_is(bind_of("/lim/c", 4096, why), -ENOBUFS, "a third does not");
	tap_ok(strlen(why) > 8, "words: %s", why);
	tap_is(subscribe_of("/lim/a", why), -ENOBUFS, "nor a cursor");
	tap_ok(strlen(why) > 8, "words: %s", why);
	close(b);
	b = bind_of("/lim/c", 4096, why);
	tap_ok(b >= 0, "what was closed is free again");
	s = subscribe_of("/lim/a", why);
	tap_ok(s >= 0, "a cursor has room, too");
	close(a);
	close(b);
	close(s);
	number(name, sock + path + 16383);
	tap_is(bind_of("/lim/a", 8192, why), -ENOBUFS, "one byte too few");
	number(name, sock + path + 16384);
	a = bind_of("/lim/a", 8192, why);
	tap_ok(a >= 0, "exactly enough");
	close(a);
	number(name, sock - 1);
	tap_is(socket_of(why), -ENOBUFS, "not even a socket");
	number(name, 0);
	tap_is(socket_of(why), -ENOBUFS, "zero is none");
	number(name, sock + pattern);
	a = tap_socket(SOCK_RDM);
	tap_call(tap_connect(a, "/lim/a"), "subscribing to nobody costs that");
	close(a);
	restore();
}

static void objects_cap(const char *name)
{
	char why[300] = "";
	int fd[2], p, s, t;

	tap_diag("%s", name);
	/* and one socket more, so that the refusal has words */
	number(name, 7);
	p = bind_of("/lim/o", 4096, why);
	s = subscribe_of("/lim/o", why);
	tap_ok(p >= 0 && s >= 0,
	       "a path, a ring, a subscription, a cursor and their sockets");
	tap_is(subscribe_of("/lim/o", why), -ENOBUFS, "not a second cursor");
	tap_ok(strlen(why) > 8, "words: %s", why);
	tap_is(bind_of("/lim/o2", 4096, why), -ENOBUFS, "not a second ring");
	tap_ok(strlen(why) > 8, "words: %s", why);
	tap_is(socketpair(tap_family(), SOCK_SEQPACKET, 0, fd), -1,
	       "not a pair");
	tap_is(errno, ENOBUFS, "with ENOBUFS");
	close(s);
	t = subscribe_of("/lim/o", why);
	tap_ok(t >= 0, "what was closed is free again");
	close(t);
	close(p);
	number(name, 5);
	tap_is(socketpair(tap_family(), SOCK_SEQPACKET, 0, fd), -1,
	       "a pair takes six: five are not enough");
	tap_is(tap_stat("stats/rings"), 0, "and nothing is left of the try");
	number(name, 6);
	tap_call(socketpair(tap_family(), SOCK_SEQPACKET, 0, fd), "six are");
	close(fd[0]);
	close(fd[1]);
	restore();
}

static void others(void)
{
	unsigned long long one = socket_bytes() + name_bytes(1) + 16384;
	char why[300] = "";
	pid_t pid;
	int a;

	number("user_bytes_max", one);
	a = bind_of("/lim/u", 8192, why);
	tap_ok(a >= 0, "one user is at its cap");
	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setresuid(1001, 1001, 1001))
			_exit(99);
		_exit(bind_of("/lim/v", 8192, why) >= 0 ? 0 : 1);
	}
	tap_is(tap_wait(pid), 0, "another user has a cap of its own");
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(77);
		_exit(bind_of("/lim/v", 8192, why) == -ENOBUFS ? 0 : 1);
	}
	tap_is(tap_wait(pid), 0, "which is one in all namespaces");
	number("user_bytes_max", S64_MAX);
	number("netns_bytes_max", one);
	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setresuid(1001, 1001, 1001))
			_exit(99);
		_exit(bind_of("/lim/v", 8192, why) == -ENOBUFS ? 0 : 1);
	}
	tap_is(tap_wait(pid), 0, "but the namespace's is shared");
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(77);
		_exit(bind_of("/lim/v", 8192, why) >= 0 ? 0 : 1);
	}
	tap_is(tap_wait(pid), 0, "and another namespace has its own");
	close(a);
	restore();
}

/* Makes an inbox: the reason of the refusal that it tells first, or -1. */
static int refused_reason(int fd)
{
	struct weir_notice notice = { 0 };
	struct weir_ring_rec rec;
	struct weir_ring_view v;
	struct raw_map m;
	__u64 pos = 0;

	if (raw_map(fd, WEIR_ID_INBOX, &m))
		return -1;
	v = raw_view(&m);
	if (weir_ring_peek(&v, &pos, &rec) == 1 && rec.kind == WEIR_KIND_NOTICE)
		memcpy(&notice, rec.payload, sizeof(notice));
	raw_unmap(&m);
	return notice.type == WEIR_NOTICE_REFUSED ? (int)notice.reason : -1;
}

static void streams(void)
{
	char why[300] = "";
	int p[3], s, i, n;

	for (i = 0; i < 3; i++)
		p[i] = tap_publisher(SOCK_RDM, i == 0 ? "/lim/s/0" :
				     i == 1 ? "/lim/s/1" : "/lim/s/2", 4096);
	number("streams_max", 3);
	s = subscribe_of("/lim/s/*", why);
	tap_ok(s >= 0, "streams_max 3 takes three");
	close(s);
	number("streams_max", 2);
	s = subscribe_of("/lim/s/*", why);
	tap_ok(s >= 0, "with 2 a pattern of three streams is no error");
	tap_is(tap_info(s).streams, 2, "it has two, and the third is left out");
	tap_is(refused_reason(s), WEIR_REASON_LIMIT, "which its inbox tells");
	close(s);
	close(p[2]);
	s = subscribe_of("/lim/s/*", why);
	tap_ok(s >= 0, "two of two");
	p[2] = bind_of("/lim/s/2", 4096, why);
	tap_ok(p[2] >= 0, "a subscriber at its cap does not stop a publisher");
	tap_is(tap_info(s).streams, 2, "it is not attached");
	close(s);
	number("streams_max", 0);
	tap_is(subscribe_of("/lim/s/0", why), -ENOBUFS, "0 is none");
	tap_ok(strlen(why) > 8, "words: %s", why);
	tap_is(tap_stat("stats/readers"), 0, "a refused one keeps no stream");
	n = tap_socket(SOCK_RDM);
	tap_call(tap_connect(n, "/lim/none"), "but the pattern itself is free");
	close(n);
	for (i = 0; i < 3; i++)
		close(p[i]);
	restore();
}

static void ring_sizes(void)
{
	int fd, pair[2];

	number("ring_bytes", 4096);
	fd = tap_publisher(SOCK_RDM, "/lim/r", 0);
	tap_is(tap_info(fd).ring_bytes, 4096, "ring_bytes is the default");
	close(fd);
	number("ring_bytes_max", 8192);
	fd = tap_socket(SOCK_RDM);
	tap_call(tap_setopt(fd, WEIR_SO_RING_BYTES, 8192), "up to the largest");
	tap_fails(tap_setopt(fd, WEIR_SO_RING_BYTES, 16384), EPERM,
		  "not above");
	tap_ok(strlen(tap_words(fd)) > 8, "words: %s", tap_words(fd));
	close(fd);
	/* the default is not to be a way around the largest */
	number("ring_bytes", 65536);
	fd = tap_socket(SOCK_RDM);
	tap_call(tap_bind(fd, "/lim/r2"), "a default above the largest");
	tap_is(tap_info(fd).ring_bytes, 8192, "is cut");
	close(fd);
	if (socketpair(tap_family(), SOCK_SEQPACKET, 0, pair))
		tap_bail("socketpair");
	tap_ok(tap_info(pair[0]).ring_bytes <= 8192 &&
	       tap_info(pair[1]).ring_bytes <= 8192, "of a pair, too");
	close(pair[0]);
	close(pair[1]);
	restore();
}

static void files(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (setresuid(1001, 1001, 1001))
			_exit(99);
		if (tap_stat("stats/sent") >= 0 || tap_stat("drops/limit") >= 0)
			_exit(2);
		_exit(words("streams_max", "1") == EACCES ? 0 : 1);
	}
	tap_is(tap_wait(pid), 0,
	       "others cannot change tunables, nor read what all users do");
	tap_is(tap_write_file("/sys/kernel/weir/stats/rings", "0"), -1,
	       "counters are read only");
}

int main(void)
{
	size_t i;

	tap_begin_as_root(300);
	if (tap_stat("stats/rings"))
		tap_skip_all("somebody else uses weir");
	fit_machine("user_bytes_max", 4);
	fit_machine("netns_bytes_max", 2);
	table();
	for (i = 0; i < TUNABLES; i++)
		ranges(&tunables[i]);
	bytes_cap("user_bytes_max");
	bytes_cap("netns_bytes_max");
	objects_cap("user_objects_max");
	objects_cap("netns_objects_max");
	others();
	streams();
	ring_sizes();
	files();
	tap_ok(tap_until(!tap_stat("stats/ring_bytes")),
	       "stats/ring_bytes is 0 again");
	tap_ok(tap_until(!tap_stat("stats/readers")),
	       "stats/readers is 0 again");
	tap_ok(tap_until(!tap_stat("stats/sockets")),
	       "stats/sockets is 0 again");
	tap_ok(tap_until(!tap_stat("stats/charged_bytes") &&
			 !tap_stat("stats/charged_objects")),
	       "nothing is charged any more");
	for (i = 0; i < TUNABLES; i++)
		if (value(tunables[i].name) != tunables[i].initial)
			tap_bail("%s was not restored", tunables[i].name);
	return tap_done();
}
