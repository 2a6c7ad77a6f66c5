// SPDX-License-Identifier: GPL-2.0
/*
 * Subscriptions that something stood in the way of: streams of aborted records
 * beside one with a message, a subscribe that failed, and a publisher that ends
 * while a worker joins its many subscribers.
 */
#include <grp.h>

#include "selftest.h"

#define A_LOOK		64	/* records that the kernel looks at in one go */
#define SUBSCRIBERS	80	/* bind joins 64 of them by itself */

/* The process makes sockets as this user; 0: root. */
static void as(uid_t uid)
{
	if (seteuid(0) || setegid(uid) || seteuid(uid))
		tap_bail("become user %u", uid);
}

static int sock_as(uid_t uid)
{
	int fd;

	as(uid);
	fd = tap_socket(SOCK_RDM);
	as(0);
	if (tap_setopt(fd, WEIR_SO_MODE, 0666))
		tap_bail("mode: %s", tap_words(fd));
	return fd;
}

/* Sends from memory that cannot be read leave aborted records. */
static void abort_some(int fd)
{
	int i;

	for (i = 0; i < 2 * A_LOOK; i++)
		if (send(fd, (void *)8, 32, MSG_DONTWAIT) != -1 ||
		    errno != EFAULT)
			tap_bail("no aborted record: %s", strerror(errno));
}

/* Whichever of the streams comes first, the message is not behind it. */
static void next_length(void)
{
	static const char * const paths[] = { "/len/1", "/len/2", "/len/3" };
	int pub[3], sub, len = -1, i;

	for (i = 0; i < 3; i++)
		pub[i] = tap_publisher(SOCK_RDM, paths[i], 65536);
	sub = tap_subscriber(SOCK_RDM, "/len/*");
	abort_some(pub[0]);
	abort_some(pub[2]);
	tap_is(ioctl(sub, FIONREAD, &len), 0, "FIONREAD of aborted records");
	tap_is(len, 0, "tells of none");
	tap_is(send(pub[1], "found", 5, 0), 5, "a message beside them");
	ioctl(sub, FIONREAD, &len);
	tap_is(len, 5, "FIONREAD tells its length");
	for (i = 0; i < 3; i++)
		close(pub[i]);
	close(sub);
}

/*
 * Peeks, FIONREAD and addresses tell of the message that is received next, while
 * several streams take turns.
 */
static void next_message(void)
{
	int pub[3], sub, len, i, k, bad = 0, streams = 0;
	struct sockaddr_weir peeked, got;
	socklen_t room, got_len;
	char path[16], a[16], b[16];
	ssize_t n;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/next/%d", i);
		pub[i] = tap_publisher(SOCK_RDM, path, 4096);
	}
	sub = tap_subscriber(SOCK_RDM, "/next/*");
	for (k = 0; k < 4; k++)
		for (i = 0; i < 3; i++)
			send(pub[i], "0123456789abcdef", 4 * i + k, 0);
	for (k = 0; k < 12; k++) {
		for (i = 0; i < 3; i++) {
			room = sizeof(peeked);
			bad += ioctl(sub, FIONREAD, &len) != 0;
			n = recvfrom(sub, a, 2, MSG_PEEK | MSG_TRUNC,
				     (struct sockaddr *)&peeked, &room);
			if (n != len) {
				tap_diag("round %d: %d bytes, peeked at %zd",
					 k, len, n);
				bad++;
			}
		}
		got_len = sizeof(got);
		n = recvfrom(sub, b, sizeof(b), 0, (struct sockaddr *)&got,
			     &got_len);
		if (n != len || room != got_len ||
		    memcmp(&peeked, &got, room)) {
			tap_diag("round %d: %d bytes of %s, got %zd of %s", k,
				 len, peeked.sw_path, n, got.sw_path);
			bad++;
		}
		if (k < 3)
			streams |= 1 << (got.sw_path[6] - '0');
	}
	tap_is(bad, 0, "what is peeked at is what comes next");
	tap_is(streams, 7, "and the streams take turns");
	for (i = 0; i < 3; i++)
		close(pub[i]);
	close(sub);
}

/* A socket that serves, too: its streams come before its requests. */
static void beside_requests(void)
{
	int pub = tap_publisher(SOCK_RDM, "/beside/pub", 4096), len = 0;
	int sub = tap_subscriber(SOCK_RDM, "/beside/pub");
	int caller = tap_socket(SOCK_RDM);
	struct sockaddr_weir to;
	socklen_t to_len = tap_addr(&to, "/beside/served");
	char buf[8];

	if (setsockopt(sub, SOL_WEIR, WEIR_SO_SERVE, "/beside/served", 14))
		tap_bail("serve: %s", tap_words(sub));
	tap_is(sendto(caller, "request", 7, 0, (struct sockaddr *)&to, to_len),
	       7, "a request");
	tap_ok(tap_until(!ioctl(sub, FIONREAD, &len) && len == 7),
	       "FIONREAD tells of it (%d)", len);
	tap_is(send(pub, "data", 4, 0), 4, "a message of a stream");
	tap_ok(!ioctl(sub, FIONREAD, &len) && len == 4,
	       "comes before it (%d)", len);
	tap_is(recv(sub, buf, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC), 4,
	       "for a peek, too");
	tap_is(recv(sub, buf, sizeof(buf), MSG_DONTWAIT), 4, "and recv()");
	tap_is(recv(sub, buf, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC), 7,
	       "then the request");
	tap_is(recv(sub, buf, sizeof(buf), MSG_DONTWAIT), 7, "is received");
	close(caller);
	close(pub);
	close(sub);
}

/* A reader that was overtaken: what is told of is what comes. */
static void overtaken(void)
{
	int pub = tap_publisher(SOCK_DGRAM, "/overtaken/a", 4096), i, k, len;
	int two = tap_publisher(SOCK_RDM, "/overtaken/b", 4096), bad = 0;
	int sub = tap_subscriber(SOCK_DGRAM, "/overtaken/*");
	char buf[64] = "";
	ssize_t n;

	for (i = 0; i < 5; i++) {
		send(two, buf, 60, 0);
		for (k = 0; k < 200; k++)
			send(pub, buf, k % 50 + 1, 0);
		for (k = 0; k < 3; k++) {
			bad += ioctl(sub, FIONREAD, &len) || !len;
			n = recv(sub, buf, 1, MSG_PEEK | MSG_TRUNC);
			bad += n != len;
			n = recv(sub, buf, sizeof(buf), MSG_DONTWAIT);
			if (n == len)
				continue;
			tap_diag("round %d: %d bytes, got %zd", i, len, n);
			bad++;
		}
	}
	tap_is(bad, 0, "a message of a stream that has overtaken the reader is told of");
	tap_ok(tap_info(sub).missed > 0, "and that others were missed");
	close(pub);
	close(two);
	close(sub);
}

/* A subscribe that failed binds the socket to no owner. */
static void owner_forgotten(void)
{
	int pub = sock_as(2001), holder = sock_as(2003), sub = sock_as(2003);
	char buf[8];

	if (tap_bind(pub, "/owner/x"))
		tap_bail("bind: %s", tap_words(pub));
	if (setsockopt(holder, SOL_WEIR, WEIR_SO_NAME, "n", 1) ||
	    setsockopt(sub, SOL_WEIR, WEIR_SO_NAME, "n", 1))
		tap_bail("cursor name");
	if (tap_connect(holder, "/owner/x"))
		tap_bail("subscribe: %s", tap_words(holder));
	tap_fails(tap_connect(sub, "/owner/x"), EBUSY,
		  "a cursor name that is in use");
	close(holder);
	close(pub);
	pub = sock_as(2002);
	if (tap_bind(pub, "/owner/x"))
		tap_bail("bind: %s", tap_words(pub));
	tap_ok(!tap_connect(sub, "/owner/x"),
	       "then a subscribe to the name, which is another user's: %s",
	       tap_words(sub));
	tap_is(send(pub, "mine", 4, 0), 4, "that one publishes");
	tap_ok(tap_poll(sub, POLLIN, TAP_DEADLINE_MS) > 0 &&
	       recv(sub, buf, sizeof(buf), MSG_DONTWAIT) == 4, "and is heard");
	close(pub);
	close(sub);
}

/* What a subscriber that a worker joins has of a publisher that ended at once. */
static int heard(int fd)
{
	char buf[8];

	return recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 4 ||
	       tap_info(fd).missed;
}

static void short_lived(void)
{
	int sub[SUBSCRIBERS], pub, i, deaf = 0;

	for (i = 0; i < SUBSCRIBERS; i++)
		sub[i] = tap_subscriber(SOCK_RDM, "/short/*");
	pub = tap_publisher(SOCK_RDM, "/short/life", 4096);
	tap_is(send(pub, "once", 4, 0), 4, "a publisher of many sends once");
	close(pub);
	for (i = 0; i < SUBSCRIBERS; i++) {
		/* one that heard nothing is waited for; then it is known */
		if (deaf ? !heard(sub[i]) : !tap_until(heard(sub[i])))
			deaf++;
		close(sub[i]);
	}
	tap_is(deaf, 0, "and all of them hear it, or that they missed it");
}

int main(void)
{
	tap_begin_as_root(120);
	if (setgroups(0, NULL))
		tap_bail("setgroups");
	next_length();
	next_message();
	beside_requests();
	overtaken();
	owner_forgotten();
	short_lived();
	return tap_done();
}
