// SPDX-License-Identifier: GPL-2.0
/*
 * Demand, the request(n) of Reactive Streams: a subscriber with WEIR_SO_DEMAND
 * lets exactly that number of records be published, however much room the ring has,
 * then the publisher gets EAGAIN; raising the demand in the mapped cursor and
 * kicking lets exactly that number through and wakes a sleeping publisher. It
 * is compared modulo 2^32, as the count of records is. The least of several
 * readers' demands counts. The library's weir_request() does the same.
 */
#include <weir.h>

#include "selftest.h"

static int sub_with(const char *path, int demand)
{
	int fd = tap_socket(SOCK_RDM);

	if (tap_setopt(fd, WEIR_SO_DEMAND, demand) || tap_connect(fd, path))
		tap_bail("subscribe: %s", tap_words(fd));
	return fd;
}

/* How many one-byte messages go out. */
static int publish(int fd, int most)
{
	int n;

	for (n = 0; n < most; n++)
		if (send(fd, "x", 1, MSG_DONTWAIT) != 1)
			break;
	return n;
}

static int drain(int fd)
{
	char c;
	int n;

	for (n = 0; recv(fd, &c, 1, MSG_DONTWAIT) == 1; n++)
		;
	return n;
}

/* What the socket itself writes of a ring; to be unmapped as @len bytes. */
static void *own_of(int fd, uint32_t id, size_t *len)
{
	struct weir_ioc_map m = { .size = sizeof(m), .id = id };
	void *p;

	if (ioctl(fd, WEIR_IOC_MAP, &m))
		tap_bail("map: %s", tap_words(fd));
	p = mmap(NULL, m.length[1], PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 m.offset[1]);
	if (p == MAP_FAILED)
		tap_bail("mmap");
	*len = m.length[1];
	return p;
}

static struct weir_cursor *cursor_of(int fd)
{
	size_t len;

	return own_of(fd, WEIR_ID_STREAM, &len);
}

static void request(int fd, struct weir_cursor *c, uint32_t n)
{
	__atomic_store_n(&c->demand, c->demand + n, __ATOMIC_RELEASE);
	if (tap_kick(fd, WEIR_KICK_WRITER | WEIR_ID_STREAM << 8))
		tap_bail("kick: %s", tap_words(fd));
}

static void exact(int initial)
{
	int p = tap_publisher(SOCK_RDM, "/demand/exact", 4096);
	int s = sub_with("/demand/exact", initial);

	tap_is(publish(p, 1000), initial, "exactly the initial demand");
	tap_fails(send(p, "x", 1, MSG_DONTWAIT), EAGAIN, "then EAGAIN");
	tap_is(tap_poll_now(p, POLLOUT), 0, "not writable");
	tap_is(drain(s), initial, "all arrive");
	tap_fails(send(p, "x", 1, MSG_DONTWAIT), EAGAIN,
		  "reading alone asks for no more");
	close(s);
	tap_is(publish(p, 100), 100, "without the reader nothing forbids");
	close(p);
}

static void raising(void)
{
	int p = tap_publisher(SOCK_RDM, "/demand/raise", 4096);
	int s = sub_with("/demand/raise", 0);
	struct weir_cursor *c = cursor_of(s);
	long rounds = tap_scale(300, 30), i, bad = 0;
	pid_t pid;

	tap_ok(c->flags & WEIR_CURSOR_DEMAND, "the cursor has the flag");
	tap_is(publish(p, 10), 0, "a demand of 0 permits none");
	for (i = 0; i < rounds; i++) {
		request(s, c, i % 9);
		bad += publish(p, 1000) != i % 9;
		bad += drain(s) != i % 9;
	}
	tap_is(bad, 0, "each request lets exactly its number through");
	request(s, c, 1000);
	tap_is(publish(p, 10000), 64, "the ring is still the other limit");
	tap_is(drain(s), 64, "read them");
	tap_is(publish(p, 10000), 64, "the rest of the demand stands");
	drain(s);
	while (publish(p, 64))
		drain(s);

	/* a publisher that sleeps for demand */
	pid = fork();
	if (!pid)
		_exit(send(p, "wake", 4, 0) == 4 ? 0 : 1);
	tap_until_asleep(pid);
	request(s, c, 1);
	tap_is(tap_wait(pid), 0, "a request wakes a sleeping publisher");
	tap_is(drain(s), 1, "its message is there");
	tap_is(publish(p, 10), 0, "and no more is permitted");
	munmap(c, 4096);
	close(s);
	close(p);
}

/* An owner may count its records from anywhere, before anybody reads them. */
static void start_count_at(int fd, uint32_t seq)
{
	size_t len;
	struct weir_head *head = own_of(fd, WEIR_ID_OUTBOX, &len);

	__atomic_store_n(&head->claim, head->claim >> 32 << 32 | seq,
			 __ATOMIC_RELEASE);
	munmap(head, len);
}

/* The count of records, and with it the demand, goes around 32 bits. */
static void wrap(int initial)
{
	int p = tap_publisher(SOCK_RDM, "/demand/wrap", 4096), s, i, bad = 0;
	struct weir_cursor *c;

	start_count_at(p, -10u);
	s = sub_with("/demand/wrap", initial);
	c = cursor_of(s);
	tap_is(c->demand, (uint32_t)(initial - 10), "the demand's word");
	tap_is(publish(p, 1000), initial, "the initial demand");
	tap_is(drain(s), initial, "all arrive");
	for (i = 0; i < 20; i++) {
		request(s, c, 3);
		bad += publish(p, 1000) != 3;
		bad += drain(s) != 3;
	}
	tap_is(bad, 0, "each request lets exactly its number through");
	tap_is(c->demand, (uint32_t)(initial - 10 + 60), "around 2^32");
	tap_is(publish(p, 10), 0, "and none beyond");
	munmap(c, 4096);
	close(s);
	close(p);
}

static void least(void)
{
	int p = tap_publisher(SOCK_RDM, "/demand/least", 4096);
	int a = sub_with("/demand/least", 10), b = sub_with("/demand/least", 3);
	int none = tap_subscriber(SOCK_RDM, "/demand/least");
	struct weir_cursor *c = cursor_of(b);

	tap_is(publish(p, 100), 3, "the least demand counts");
	request(b, c, 100);
	tap_is(publish(p, 100), 7, "then the other's");
	tap_is(drain(a), 10, "the first got its ten");
	tap_is(drain(b), 10, "the second as well");
	tap_is(drain(none), 10, "and who has no demand");
	close(a);
	tap_ok(tap_poll(p, POLLOUT, TAP_DEADLINE_MS) & POLLOUT,
	       "the one that limits leaves: writable");
	tap_is(publish(p, 1000), 64, "up to the ring");
	munmap(c, 4096);
	close(b);
	close(none);
	close(p);
}

static void lossy(void)
{
	int p = tap_publisher(SOCK_DGRAM, "/demand/lossy", 4096);
	int s = tap_socket(SOCK_DGRAM);

	tap_setopt(s, WEIR_SO_DEMAND, 1);
	if (tap_connect(s, "/demand/lossy"))
		tap_bail("subscribe");
	tap_is(publish(p, 100), 100, "no demand holds a lossy publisher back");
	close(s);
	close(p);
}

static void pairs(void)
{
	int l = tap_socket(SOCK_SEQPACKET), c = tap_socket(SOCK_SEQPACKET), s;

	tap_setopt(l, WEIR_SO_DEMAND, 2);
	if (tap_bind(l, "/demand/pair") || listen(l, 1))
		tap_bail("listen");
	if (tap_connect(c, "/demand/pair"))
		tap_bail("connect");
	s = accept(l, NULL, NULL);
	tap_is(publish(c, 100), 2, "a listener's demand holds its clients");
	tap_is(publish(s, 100), 100, "not the other way");
	close(s);
	close(c);
	close(l);
}

static void library(void)
{
	struct weir_config config = { .set = WEIR_SET_DEMAND, .demand = 2 };
	int p = tap_publisher(SOCK_RDM, "/demand/lib", 4096), i, got = 0;
	struct weir_msg msg;
	struct weir *w;
	int ret;

	ret = weir_open(&w, SOCK_RDM, &config);
	if (!tap_ok(!ret, "weir_open"))
		return;
	tap_is(weir_subscribe(w, "/demand/lib"), 0, "weir_subscribe");
	tap_is(publish(p, 100), 2, "the configuration's demand");
	while (weir_peek(w, &msg) == 1) {
		got++;
		/* one more for each one done */
		tap_is(weir_request(w, msg.stream, 1), 0, "weir_request");
		weir_release(w, &msg);
	}
	tap_is(got, 2, "both came");
	tap_is(publish(p, 100), 2, "exactly two more");
	for (i = 0; weir_peek(w, &msg) == 1; i++)
		weir_release(w, &msg);
	tap_is(i, 2, "which came");
	tap_is(publish(p, 100), 0, "and none beyond");
	weir_close(w);
	close(p);
}

int main(void)
{
	tap_family();
	tap_watchdog(200);
	exact(1);
	exact(5);
	exact(0);
	raising();
	wrap(0);
	wrap(3);
	wrap(15);
	least();
	lossy();
	pairs();
	library();
	return tap_done();
}
