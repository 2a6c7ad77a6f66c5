// SPDX-License-Identifier: GPL-2.0
/*
 * Each socket option of level SOL_WEIR: its default, smallest, largest and
 * zero value, values just outside, wrong lengths and pointers, and that the
 * early ones are refused (EISCONN) once the socket is bound, connected or
 * subscribes. A refused value changes nothing and is explained in words.
 */
#include <limits.h>

#include "selftest.h"

static int set(int fd, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_WEIR, name, value, len);
}

struct option {
	int name;
	const char *words;
	int early;
	int initial;
	int good[8];
	int ngood;
	int bad[8];
	int nbad;
};

static const struct option options[] = {
	{ WEIR_SO_RING_BYTES, "RING_BYTES", 1, 65536,
	  { 4096, 8192, 1 << 30 }, 3,
	  { 0, -1, 2048, 4095, 4097, 12288, (1 << 30) + 1, INT_MIN }, 8 },
	{ WEIR_SO_NODE, "NODE", 1, -1,
	  { 0, -1 }, 2, { -2, 100000, INT_MAX, INT_MIN }, 4 },
	{ WEIR_SO_MODE, "MODE", 1, 0644,
	  { 0, 0777, 0600 }, 3, { 01000, -1, INT_MAX, INT_MIN }, 4 },
	{ WEIR_SO_GROUP, "GROUP", 1, 0,
	  { 0, 12345, INT_MAX }, 3, { -1 }, 1 },
	{ WEIR_SO_EVICT_MS, "EVICT_MS", 0, 0,
	  { 0, 1, INT_MAX }, 3, { -1, INT_MIN }, 2 },
	{ WEIR_SO_LINGER_MS, "LINGER_MS", 0, 0,
	  { 0, 1, INT_MAX }, 3, { -1, INT_MIN }, 2 },
	{ WEIR_SO_HOLD_MS, "HOLD_MS", 1, 0,
	  { 0, 1, INT_MAX }, 3, { -1, INT_MIN }, 2 },
	{ WEIR_SO_START, "START", 1, WEIR_START_TAIL,
	  { 0, 1 }, 2, { -1, 2, INT_MAX, INT_MIN }, 4 },
	{ WEIR_SO_DEMAND, "DEMAND", 1, -1,
	  { 0, 1, INT_MAX, -1 }, 4, { -2, INT_MIN }, 2 },
	{ WEIR_SO_HUGE, "HUGE", 1, 0,
	  { 0, 1 }, 2, { -1, 2 }, 2 },
};

static void values(const struct option *o)
{
	int fd = tap_socket(SOCK_RDM), i, keep;

	tap_ok(tap_getopt(fd, o->name) == o->initial, "%s: default %d",
	       o->words, tap_getopt(fd, o->name));
	for (i = 0; i < o->ngood; i++) {
		int ret = tap_setopt(fd, o->name, o->good[i]);

		tap_ok(!ret && tap_getopt(fd, o->name) == o->good[i],
		       "%s: takes %d", o->words, o->good[i]);
	}
	keep = tap_getopt(fd, o->name);
	for (i = 0; i < o->nbad; i++) {
		int ret = tap_setopt(fd, o->name, o->bad[i]), err = errno;

		tap_ok(ret == -1 && err == EINVAL &&
		       tap_getopt(fd, o->name) == keep &&
		       strlen(tap_words(fd)) > 8,
		       "%s: refuses %d: %s", o->words, o->bad[i],
		       ret ? tap_words(fd) : "taken");
	}
	close(fd);
}

static void lengths(const struct option *o)
{
	char big[16] = { 0 };
	int fd = tap_socket(SOCK_RDM), ret;
	socklen_t len;

	ret = set(fd, o->name, big, 0);
	tap_ok(ret == -1 && errno == EINVAL, "%s: length 0", o->words);
	ret = set(fd, o->name, big, 3);
	tap_ok(ret == -1 && errno == EINVAL, "%s: length 3", o->words);
	ret = set(fd, o->name, big, 8);
	tap_ok(ret == -1 && errno == EINVAL, "%s: length 8", o->words);
	ret = set(fd, o->name, (void *)8, 4);
	tap_ok(ret == -1 && errno == EFAULT, "%s: bad pointer", o->words);
	len = 2;
	memset(big, 0x55, sizeof(big));
	ret = getsockopt(fd, SOL_WEIR, o->name, big, &len);
	tap_ok(!ret && len == 2 && big[2] == 0x55, "%s: get 2 bytes only",
	       o->words);
	len = sizeof(big);
	ret = getsockopt(fd, SOL_WEIR, o->name, big, &len);
	tap_ok(!ret && len == 4 && big[4] == 0x55, "%s: get tells 4 bytes",
	       o->words);
	len = 4;
	ret = getsockopt(fd, SOL_WEIR, o->name, (void *)8, &len);
	tap_ok(ret == -1 && errno == EFAULT, "%s: get, bad pointer", o->words);
	len = -1;
	ret = getsockopt(fd, SOL_WEIR, o->name, big, &len);
	tap_ok(ret == -1 && errno == EINVAL, "%s: get, length -1", o->words);
	close(fd);
}

static void after(const struct option *o, int fd, const char *when)
{
	int ret = tap_setopt(fd, o->name, o->good[0]), err = errno;

	if (o->early)
		tap_ok(ret == -1 && err == EISCONN && strlen(tap_words(fd)) > 8,
		       "%s: refused %s", o->words, when);
	else
		tap_ok(!ret && tap_getopt(fd, o->name) == o->good[0],
		       "%s: may change %s", o->words, when);
}

static void names(void)
{
	char text[100];
	int fd = tap_socket(SOCK_RDM);
	socklen_t len = sizeof(text);

	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_NAME, text, &len) &&
	       len == 1 && !text[0], "NAME: empty by default");
	tap_call(set(fd, WEIR_SO_NAME, "abc", 3), "NAME: without NUL");
	len = sizeof(text);
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_NAME, text, &len) &&
	       len == 4 && !strcmp(text, "abc"), "NAME: is abc");
	tap_call(set(fd, WEIR_SO_NAME, "abcd", 5), "NAME: with NUL");
	len = sizeof(text);
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_NAME, text, &len) &&
	       len == 5 && !strcmp(text, "abcd"), "NAME: is abcd");
	tap_call(set(fd, WEIR_SO_NAME, "", 0), "NAME: may be taken away");
	memset(text, 'n', sizeof(text));
	tap_call(set(fd, WEIR_SO_NAME, text, 63), "NAME: 63 bytes");
	tap_fails(set(fd, WEIR_SO_NAME, text, 64), EINVAL, "NAME: 64 bytes");
	tap_fails(set(fd, WEIR_SO_NAME, "a\0b", 3), EINVAL, "NAME: NUL inside");
	tap_fails(set(fd, WEIR_SO_NAME, (void *)8, 3), EFAULT,
		  "NAME: bad pointer");
	len = 10;
	memset(text, 0, sizeof(text));
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_NAME, text, &len) &&
	       len == 10 && !text[10], "NAME: get is cut to the room");
	tap_call(tap_connect(fd, "/so/names"), "subscribe");
	tap_fails(set(fd, WEIR_SO_NAME, "x", 1), EISCONN,
		  "NAME: refused once subscribed");
	close(fd);
}

static void read_only(void)
{
	int fd = tap_socket(SOCK_RDM), v = 1, name;
	struct weir_sock_info info;
	char text[300];
	socklen_t len;

	for (name = WEIR_SO_PATH; name <= WEIR_SO_INFO; name++)
		tap_fails(set(fd, name, &v, sizeof(v)), ENOPROTOOPT,
			  "get-only options cannot be set");
	tap_fails(set(fd, 0, &v, sizeof(v)), ENOPROTOOPT, "no option 0");
	tap_fails(set(fd, WEIR_SO_DRAIN + 1, &v, sizeof(v)), ENOPROTOOPT,
		  "no option behind the last");
	tap_fails(set(fd, -1, &v, sizeof(v)), ENOPROTOOPT, "no option -1");
	len = sizeof(v);
	tap_fails(getsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN + 1, &v, &len),
		  ENOPROTOOPT, "get: no option behind the last");
	tap_fails(getsockopt(fd, SOL_WEIR, WEIR_SO_DRAIN, &v, &len),
		  ENOPROTOOPT, "get: set-only options cannot be read");
	tap_call(set(fd, WEIR_SO_DRAIN, &v, sizeof(v)),
		 "DRAIN: of a socket that serves nothing");
	v = 0;
	tap_fails(set(fd, WEIR_SO_DRAIN, &v, sizeof(v)), EINVAL,
		  "DRAIN: it is for good");
	v = 1;
	tap_fails(getsockopt(fd, SOL_WEIR + 1, 1, &v, &len), ENOPROTOOPT,
		  "get: no such level");
	tap_fails(setsockopt(fd, SOL_WEIR + 1, 1, &v, len), ENOPROTOOPT,
		  "set: no such level");
	len = sizeof(text);
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_PATH, text, &len) &&
	       len == 1 && !text[0], "PATH: empty when unbound");
	tap_call(tap_bind(fd, "/so/path"), "bind");
	len = sizeof(text);
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_PATH, text, &len) &&
	       len == 9 && !strcmp(text, "/so/path"), "PATH: what was bound");
	tap_call(tap_connect(fd, "/so/**"), "subscribe");
	len = sizeof(text);
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_PEER_PATH, text, &len) &&
	       !strcmp(text, "/so/**"), "PEER_PATH: the pattern");
	len = sizeof(info);
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_INFO, &info, &len) &&
	       len == sizeof(info) && info.ring_bytes == 65536 &&
	       !info.reserved, "INFO: whole");
	len = 8;
	memset(&info, 0x55, sizeof(info));
	tap_ok(!getsockopt(fd, SOL_WEIR, WEIR_SO_INFO, &info, &len) &&
	       len == 8 && info.ring_bytes == 65536 &&
	       info.sent == 0x5555555555555555ull, "INFO: cut to the room");
	close(fd);
}

static void effects(void)
{
	int fd = tap_socket(SOCK_RDM);

	tap_setopt(fd, WEIR_SO_RING_BYTES, 16384);
	tap_call(tap_bind(fd, "/so/effect"), "bind with a ring size");
	tap_is(tap_info(fd).ring_bytes, 16384, "RING_BYTES had effect");
	tap_is(tap_getopt(fd, WEIR_SO_RING_BYTES), 16384, "and is told");
	close(fd);
	fd = tap_socket(SOCK_RDM);
	tap_setopt(fd, WEIR_SO_HUGE, 1);
	tap_setopt(fd, WEIR_SO_RING_BYTES, 4 << 20);
	tap_call(tap_bind(fd, "/so/huge"), "bind with HUGE, 4 MiB");
	tap_is(tap_info(fd).ring_bytes, 4 << 20, "ring is there");
	close(fd);
	fd = tap_socket(SOCK_RDM);
	tap_setopt(fd, WEIR_SO_NODE, 0);
	tap_call(tap_bind(fd, "/so/node"), "bind with NODE 0");
	close(fd);
}

int main(void)
{
	int rdm, sub, l, c;
	size_t i;

	tap_family();
	tap_watchdog(120);
	umask(022);
	rdm = tap_publisher(SOCK_RDM, "/so/rdm", 0);
	sub = tap_subscriber(SOCK_DGRAM, "/so/sub");
	l = tap_socket(SOCK_SEQPACKET);
	if (tap_bind(l, "/so/listener") || listen(l, 1))
		tap_bail("listener");
	c = tap_socket(SOCK_SEQPACKET);
	if (tap_connect(c, "/so/listener"))
		tap_bail("connect");
	for (i = 0; i < sizeof(options) / sizeof(*options); i++) {
		values(&options[i]);
		lengths(&options[i]);
		after(&options[i], rdm, "after bind");
		after(&options[i], sub, "after subscribe");
		after(&options[i], l, "after listen");
		after(&options[i], c, "after connect");
	}
	names();
	read_only();
	effects();
	return tap_done();
}
