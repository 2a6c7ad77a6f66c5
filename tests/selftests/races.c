// SPDX-License-Identifier: GPL-2.0
/*
 * What can meet, meets: attaching, detaching, evicting, holding, lingering,
 * expiring, the end of a namespace and unloading, each with each. Where seldom
 * things decide, the module of the sanitizer kernel has race points
 * (module/race.h). Each entry of the table has one thread wait at a point in the
 * midst of what it does, has another thing done meanwhile, lets the first go on
 * and looks whether all is as it is to be, and nothing left when both are over.
 *
 * Each entry runs once. With WEIR_RACES_SECONDS, entries at random meet for so
 * long, with delays at random points; WEIR_TEST_SEED says at which.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <uapi/weir_route.h>

#include "tenants.h"

#define POINTS	"/sys/kernel/debug/weir/races"
#define MODULE	"/weir.ko"

#define WAIT_US	20000000	/* at a point, unless told to go on */
#define HOUR_MS	3600000
#define UNNAMED	(-1)
#define CROWD	40	/* more than the calls of one chunk, 32 */

/**
 * struct world - what the two sides of an entry work on
 * @pub: publisher.
 * @sub: subscriber.
 * @more: another socket.
 * @other: another publisher.
 * @crowd: sockets that serve one path.
 * @asked: names the request that each of @crowd has read.
 * @ended: streams that ends of namespaces have ended before.
 * @rings: there before, of entries that failed.
 * @readers: the same for readers.
 * @bad: something did not come out as it must; says what.
 */
static struct world {
	int	pub, sub, more, other, crowd[CROWD];
	struct weir_scm_route asked[CROWD];
	long long ended, rings, readers;
	char	bad[128];
} w;

/**
 * struct race - an entry: what happens while something waits
 * @name: the two.
 * @point: where the first waits.
 * @begin: makes the world.
 * @first: has somebody come to the point.
 * @second: is done meanwhile.
 * @end: looks at the result; NULL: that nothing is left is enough.
 * @finish: @second needs nothing that the first has: it ends before that goes on.
 * @us: the first goes on by itself, after microseconds; 0: when told.
 */
struct race {
	const char	*name, *point;
	void		(*begin)(void);
	void		(*first)(void);
	void		(*second)(void);
	void		(*end)(void);
	int		finish;
	unsigned int	us;
};

/* --- points --------------------------------------------------------------- */

static void point_set(const char *name, unsigned int us, int permille, int waits)
{
	char words[64];

	snprintf(words, sizeof(words), "%s %u %d %d", name, us, permille, waits);
	/* it goes with the module */
	if (tap_write_file(POINTS, words) && errno != ENOENT)
		tap_bail("race point %s", words);
}

/* How often a thread has passed a point, or waited there. */
static int point_count(const char *name, int waited)
{
	int n[6] = { 0 }, got = 0;
	char line[128], at[32];
	FILE *f = fopen(POINTS, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %d %d %d %d %d", at, &n[0], &n[1], &n[2],
			   &n[3], &n[4]) == 6 && !strcmp(at, name))
			got = n[3 + waited];
	if (f)
		fclose(f);
	return got;
}

/* --- making things -------------------------------------------------------- */

TAP_PRINTF(1) static void wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!w.bad[0])
		vsnprintf(w.bad, sizeof(w.bad), fmt, ap);
	va_end(ap);
}

static int publisher(const char *path, int linger_ms, int evict_ms)
{
	int fd = tap_socket(SOCK_RDM);

	tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
	tap_setopt(fd, WEIR_SO_LINGER_MS, linger_ms);
	tap_setopt(fd, WEIR_SO_EVICT_MS, evict_ms);
	if (tap_bind(fd, path))
		wrong("bind: %s", tap_words(fd));
	return fd;
}

/* A socket that is to subscribe, under a cursor name unless UNNAMED. */
static int fresh(int hold_ms, int oldest)
{
	int fd = tap_socket(SOCK_RDM);

	if (hold_ms != UNNAMED && setsockopt(fd, SOL_WEIR, WEIR_SO_NAME, "n", 1))
		wrong("name: %s", tap_words(fd));
	if (hold_ms > 0)
		tap_setopt(fd, WEIR_SO_HOLD_MS, hold_ms);
	if (oldest)
		tap_setopt(fd, WEIR_SO_START, WEIR_START_OLDEST);
	return fd;
}

static void join(int fd)
{
	if (tap_connect(fd, "/race/*"))
		wrong("connect: %s", tap_words(fd));
}

static int subscriber(int hold_ms)
{
	int fd = fresh(hold_ms, 0);

	join(fd);
	return fd;
}

static void fill(int fd)
{
	char data[500] = { 0 };

	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static long long left(void)
{
	return tap_stat("stats/rings") + tap_stat("stats/readers") +
	       tap_stat("stats/ring_bytes") + tap_stat("stats/sockets");
}

static void change_route(const struct weir_route_op *op)
{
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(*op), .count = 1,
		.ops = (uintptr_t)op,
	};
	int fd = tap_socket(SOCK_RDM);

	if (ioctl(fd, WEIR_IOC_CONTROL, &ctl))
		tap_bail("WEIR_IOC_CONTROL: %s", tap_words(fd));
	close(fd);
}

/* Sets the route that @crowd serves, or ends it. */
static void crowd_route(uint32_t what)
{
	struct weir_route_op op = {
		.op = what, .path = "/race/all",
		.conf = { .policy = WEIR_POLICY_QUORUM, .quorum = 1,
			  .timeout_ns = HOUR_MS * 1000000ULL },
	};

	change_route(&op);
}

static void disperse(void)
{
	int any = w.crowd[0] >= 0;
	int i;

	for (i = 0; i < CROWD; i++)
		drop(&w.crowd[i]);
	if (any)
		crowd_route(WEIR_OP_ROUTE_DEL);
}

/* Ends what lingers: an owner without linger goes on with it and closes it. */
static void clear(void)
{
	int fd;

	drop(&w.sub);
	drop(&w.more);
	drop(&w.other);
	drop(&w.pub);
	disperse();
	fd = publisher("/race/p", 0, 0);
	close(fd);
}

/* Does something in a network namespace of its own, which then ends. */
static void in_namespace(void (*fn)(void))
{
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(1);
		fn();
		_exit(w.bad[0] != 0);
	}
	if (tap_wait(pid))
		wrong("in a namespace: failed");
}

/* A stream that lingers and a cursor that is held, unless time ends them. */
static void leave_behind(void)
{
	int p = publisher("/race/q", HOUR_MS, 0), s = subscriber(HOUR_MS);

	send(p, "left", 4, MSG_DONTWAIT);
	close(p);
	close(s);
}

/* --- begin ---------------------------------------------------------------- */

static void remember(void)
{
	w.ended = tap_stat("drops/netns");
}

static void publish(void)
{
	w.pub = publisher("/race/p", 0, 0);
}

/* A stream, and the readers and held cursors of it. */
static void stream(int linger_ms, int hold_ms)
{
	w.pub = publisher("/race/p", linger_ms, 0);
	w.sub = subscriber(hold_ms);
}

/* A writer that is held back, and patient until it asks for room. */
static void publish_full(void)
{
	stream(HOUR_MS, HOUR_MS);
	fill(w.pub);
	drop(&w.pub);
	w.pub = publisher("/race/p", HOUR_MS, 1);
}

static void lingers_briefly(void)
{
	w.pub = publisher("/race/p", 1, 0);
}

static void lingering(void)
{
	w.pub = publisher("/race/p", HOUR_MS, 0);
	drop(&w.pub);
}

static void stream_and_reader(void)
{
	stream(HOUR_MS, UNNAMED);
}

static void short_stream_and_reader(void)
{
	stream(1, UNNAMED);
}

static void stream_and_short_hold(void)
{
	stream(HOUR_MS, 1);
	send(w.pub, "kept", 4, MSG_DONTWAIT);
}

static void stream_and_hold(void)
{
	stream(HOUR_MS, HOUR_MS);
	send(w.pub, "kept", 4, MSG_DONTWAIT);
}

static void held(void)
{
	stream_and_hold();
	drop(&w.sub);
}

/* A subscribe to all under the cursor name fails when it has joined the first. */
static void held_and_in_use(void)
{
	/* with nothing to be read, so that a poller is to be woken */
	stream(HOUR_MS, HOUR_MS);
	drop(&w.sub);
	w.other = publisher("/race/q", 0, 0);
	w.more = fresh(0, 0);
	if (tap_connect(w.more, "/race/q"))
		wrong("connect: %s", tap_words(w.more));
	w.sub = fresh(HOUR_MS, 0);
}

static void short_stream_held(void)
{
	stream(1, HOUR_MS);
	drop(&w.sub);
}

static void full_and_held(void)
{
	publish_full();
	drop(&w.sub);
}

/* Maps the window of a ring that the socket writes; *@bytes is its length. */
static void *own_window(int fd, uint32_t id, size_t *bytes)
{
	struct weir_ioc_map map = { .size = sizeof(map), .id = id };
	void *own;

	if (ioctl(fd, WEIR_IOC_MAP, &map))
		tap_bail("WEIR_IOC_MAP");
	*bytes = map.length[WEIR_MAP_OWN];
	own = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   map.offset[WEIR_MAP_OWN]);
	if (own == MAP_FAILED)
		tap_bail("mmap");
	return own;
}

/* A reader whose cursor cannot be true. */
static void liar(int linger_ms)
{
	struct weir_cursor *cursor;
	size_t bytes;

	stream(linger_ms, UNNAMED);
	cursor = own_window(w.sub, WEIR_ID_STREAM, &bytes);
	cursor->pos = 3;
	munmap(cursor, bytes);
}

static void liar_and_stream(void)
{
	liar(HOUR_MS);
}

static void liar_and_short_stream(void)
{
	liar(1);
}

/*
 * A stream whose first record makes no sense, so that a reader ends it, and
 * a socket that may receive before it subscribes, because it calls as well.
 */
static void nonsense(void)
{
	struct weir_ioc_call call = { .size = sizeof(call), .path = "/race/c" };
	struct weir_record *rec;
	size_t bytes;
	void *own;

	w.pub = publisher("/race/p", 0, 0);
	send(w.pub, "sense", 5, MSG_DONTWAIT);
	own = own_window(w.pub, WEIR_ID_OUTBOX, &bytes);
	rec = own + WEIR_PAGE_BYTES;
	rec->len = 0x7fffff00;
	munmap(own, bytes);
	w.sub = fresh(UNNAMED, 1);
	if (ioctl(w.sub, WEIR_IOC_CALL, &call))
		tap_bail("WEIR_IOC_CALL: %s", tap_words(w.sub));
}

static int target(const char *path)
{
	struct weir_ioc_serve ctl = { .size = sizeof(ctl), .weight = 1 };
	int fd = tap_socket(SOCK_RDM);

	strcpy(ctl.path, path);
	if (ioctl(fd, WEIR_IOC_SERVE, &ctl))
		tap_bail("WEIR_IOC_SERVE: %s", tap_words(fd));
	return fd;
}

static int asker(const char *path)
{
	struct sockaddr_weir addr;
	socklen_t len = tap_addr(&addr, path);
	int fd = tap_socket(SOCK_RDM);

	if (sendto(fd, "?", 1, 0, (struct sockaddr *)&addr, len) != 1)
		tap_bail("request: %s", tap_words(fd));
	return fd;
}

/* The watchdog looks at a target of the path half a second after a request. */
static void watch_slowly(void)
{
	static struct weir_route_op op = {
		.op = WEIR_OP_ROUTE_SET, .path = "/race/t",
		.conf.probe_ns = 500000000,
	};

	change_route(&op);
}

/* One socket serves a path, another one waits for its answer. */
static void serve(void)
{
	w.pub = target("/race/t");
	w.sub = asker("/race/t");
}

/* Reads the request that a target has; @scm answers it. */
static void read_request(int fd, struct weir_scm_route *scm)
{
	char data[8];

	if (tenant_recv(fd, data, sizeof(data), MSG_DONTWAIT, scm) < 0)
		tap_bail("no request: %s", tap_words(fd));
	if (scm->kind != WEIR_KIND_REQUEST)
		tap_bail("a request without its call");
	scm->kind = WEIR_KIND_REPLY;
	scm->flags = 0;
}

/* Many sockets serve a path; all have read the request of another one. */
static void serve_all(void)
{
	int i;

	crowd_route(WEIR_OP_ROUTE_SET);
	for (i = 0; i < CROWD; i++)
		w.crowd[i] = target("/race/all");
	w.sub = asker("/race/all");
	for (i = 0; i < CROWD; i++)
		read_request(w.crowd[i], &w.asked[i]);
}

/* --- the things that meet ------------------------------------------------- */

static void attach(void)
{
	w.more = fresh(UNNAMED, 1);
	join(w.more);
}

static void attach_sub(void)
{
	join(w.sub);
}

static void attach_refused(void)
{
	if (!tap_connect(w.sub, "/race/*") || errno != EBUSY)
		wrong("a cursor name in use is not refused");
}

/* One that was evicted and is about to go hides none that is in use. */
static void name_twice(void)
{
	w.more = fresh(HOUR_MS, 0);
	join(w.more);
	w.sub = fresh(HOUR_MS, 0);
	attach_refused();
}

static void poll_and_publish(void)
{
	tap_poll_now(w.sub, POLLIN);
	if (send(w.pub, "wakes", 5, MSG_DONTWAIT) != 5)
		wrong("send: %s", strerror(errno));
}

static void receive_sub(void)
{
	char buf[8];

	if (recv(w.sub, buf, sizeof(buf), 0) != -1 || errno != EPROTO)
		wrong("recv: %s", strerror(errno));
}

static void detach(void)
{
	/* which side was first does not matter */
	if (ioctl(w.sub, WEIR_IOC_DETACH, WEIR_ID_STREAM) && errno != ENXIO)
		wrong("detach: %s", tap_words(w.sub));
}

/* Goes on when readers have been evicted, or gone. */
static void block(void)
{
	if (!(tap_poll(w.pub, POLLOUT, TAP_DEADLINE_MS) & POLLOUT))
		wrong("the writer is not woken");
}

/* The same, and does not wait for it. */
static void block_now(void)
{
	tap_poll_now(w.pub, POLLOUT);
}

static void receive_liar(void)
{
	char buf[8];

	if (recv(w.sub, buf, sizeof(buf), MSG_DONTWAIT) != -1)
		wrong("a cursor that is no position was read from");
}

static void receive_error(void)
{
	char buf[8];

	if (recv(w.sub, buf, sizeof(buf), 0) != -1)
		wrong("an answer by nobody");
}

static void leave_sub(void)
{
	drop(&w.sub);
}

/* Answers the request that a target has read. */
static void reply(int fd, const struct weir_scm_route *scm)
{
	if (tenant_send(fd, NULL, "!", 1, 0, scm) != 1)
		wrong("reply: %s", tap_words(fd));
}

static void reply_all(void)
{
	int i;

	for (i = 0; i < CROWD; i++)
		reply(w.crowd[i], &w.asked[i]);
}

static void leave_pub(void)
{
	drop(&w.pub);
}

static void leave_pub_expire(void)
{
	drop(&w.pub);
	if (!tap_until(point_count("expire_done", 0)))
		wrong("the stream does not expire");
}

/* The held cursor goes on, and is held once more. */
static void hold_again(void)
{
	int fd = subscriber(HOUR_MS);

	close(fd);
}

static void resume_and_detach(void)
{
	w.sub = subscriber(HOUR_MS);
	detach();
	drop(&w.sub);
}

static void linger_again(void)
{
	int fd = publisher("/race/p", HOUR_MS, 0);

	close(fd);
}

static void other_namespace(void)
{
	in_namespace(leave_behind);
}

/* The end of a namespace has come to its streams. */
static void until_ending(void)
{
	if (!tap_until(tap_stat("drops/netns") > w.ended))
		wrong("the namespace does not end");
}

static void until_ended(void)
{
	remember();
	other_namespace();
	until_ending();
}

static int unload(void)
{
	return (int)syscall(SYS_delete_module, "weir", O_NONBLOCK);
}

static void load(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		tap_bail("load the module");
	close(fd);
}

static void unload_refused(void)
{
	if (!unload())
		wrong("unloaded with sockets");
}

static void unload_load(void)
{
	/* the core may still hold a reference of a socket that is released */
	if (!tap_until(!unload()))
		wrong("not unloaded: %s", strerror(errno));
	else
		load();
}

/*
 * In a namespace: what ends on time does so as the namespace ends. Until then a
 * socket keeps the module, and the race points with it.
 */
static void brief_stream(void)
{
	int fd = publisher("/race/q", 1, 0), keep = tap_socket(SOCK_RDM);

	close(fd);
	if (!tap_until(point_count("expire_work", 1)))
		wrong("no work");
	close(keep);
}

static void brief_hold(void)
{
	int p = publisher("/race/q", HOUR_MS, 0), s = subscriber(1);
	int keep = tap_socket(SOCK_RDM);

	close(s);
	close(p);
	if (!tap_until(point_count("hold_work", 1)))
		wrong("no work");
	close(keep);
}

/* A socket that calls a path, and something that lingers. */
static void call_and_leave(void)
{
	struct weir_ioc_call call = { .size = sizeof(call), .path = "/race/c" };
	int fd = tap_socket(SOCK_RDM);

	if (ioctl(fd, WEIR_IOC_CALL, &call))
		wrong("WEIR_IOC_CALL: %s", tap_words(fd));
	leave_behind();
	close(fd);
}

static void call_in_namespace(void)
{
	in_namespace(call_and_leave);
}

static void expire_in_namespace(void)
{
	in_namespace(brief_stream);
}

static void hold_in_namespace(void)
{
	in_namespace(brief_hold);
}

/* The namespace looks at the ring whose last reference goes meanwhile. */
static void expire_as_it_is_found(void)
{
	point_set("expire_work", WAIT_US, 1000, 1);
	in_namespace(brief_stream);
}

static void let_expire(void)
{
	point_set("expire_work", 0, 0, 0);
	if (!tap_until(tap_stat("stats/rings") <= w.rings))
		wrong("the stream does not expire");
}

static void serve_watched(void)
{
	watch_slowly();
	serve();
}

/* A user's timer comes: for the target, or for the call to it. */
static void tick_comes(void)
{
	if (!tap_until(point_count("tick", 0)))
		wrong("no timer comes");
}

/*
 * All that the timer came for goes, and there is more that it is to come for.
 * The worker that it calls has to wait.
 */
static void serve_again(void)
{
	drop(&w.sub);
	drop(&w.pub);
	serve();
	point_set("turn", WAIT_US, 1000, 1);
}

/* --- looking at the result ------------------------------------------------ */

static void told_of_eviction(void)
{
	char buf[8];

	if (recv(w.more, buf, sizeof(buf), MSG_DONTWAIT) != -1 ||
	    errno != ESTALE)
		wrong("a reader that was evicted is not told");
}

static void still_held(void)
{
	char buf[8];

	if (!tap_until(point_count("hold_done", 0)))
		wrong("the first hold has no end");
	w.sub = subscriber(0);
	if (recv(w.sub, buf, sizeof(buf), MSG_DONTWAIT) != 4)
		wrong("a hold was ended by the work of the last one");
}

static void still_lingers(void)
{
	if (!tap_until(point_count("expire_done", 0)))
		wrong("the first linger has no end");
	w.pub = publisher("/race/p", 0, 0);
	if (!tap_info(w.pub).resumed)
		wrong("a linger was ended by the work of the last one");
}

static void goes_on(void)
{
	char buf[8];

	if (w.pub < 0) {
		w.pub = publisher("/race/p", 0, 0);
		if (!tap_info(w.pub).resumed)
			wrong("the stream does not linger");
	}
	w.sub = subscriber(0);
	if (recv(w.sub, buf, sizeof(buf), MSG_DONTWAIT) != 4)
		wrong("the cursor is not held");
}

static void stream_expired(void)
{
	char buf[8];

	/* a stream that ends has no more to say than that it is gone */
	if (!tap_until(point_count("expire_done", 0)) ||
	    recv(w.more, buf, sizeof(buf), MSG_DONTWAIT) != -1)
		wrong("the stream does not end");
}

/* Neither attached nor held. */
static void all_gone(void)
{
	if (!tap_until(tap_stat("stats/readers") <= w.readers))
		wrong("readers stay");
}

/*
 * A timer that outlives all that it was to come for outlives the module. It
 * would come before one that is set afterwards.
 */
static void no_timer_left(void)
{
	if (!tap_until(point_count("turn", 1)))
		wrong("no worker comes");
	drop(&w.sub);
	drop(&w.pub);
	point_set("turn", 0, 0, 0);
	unload_load();
	serve_watched();
	tick_comes();
	drop(&w.sub);
	drop(&w.pub);
	unload_load();
}

static const struct race races[] = {
	{ "attach, and a receive that ends the stream", "attach_show",
	  nonsense, attach_sub, receive_sub, NULL, 0, 0 },
	{ "attach, before it gates", "attach_gate",
	  publish, attach, leave_pub, NULL, 0, 0 },
	{ "attach, and evict", "attach_show",
	  publish_full, attach, block, told_of_eviction, 1, 0 },
	{ "attach, before it has a slot, and evict", "attach_slot",
	  publish_full, attach, block, NULL, 1, 0 },
	{ "attach, as a hold ends", "hold_work",
	  stream_and_short_hold, leave_sub, attach, NULL, 1, 0 },
	{ "attach, and linger", "attach_show",
	  stream_and_hold, attach, leave_pub, NULL, 0, 0 },
	{ "attach, as the stream expires", "expire_work",
	  lingers_briefly, leave_pub, attach, stream_expired, 1, 0 },
	{ "attach, and the end of a namespace", "attach_show",
	  publish, attach, until_ended, NULL, 1, 0 },
	{ "attach, and unload", "attach_show",
	  publish, attach, unload_refused, NULL, 1, 0 },

	{ "detach twice", "detach",
	  stream_and_reader, detach, detach, NULL, 1, 0 },
	{ "detach, as it is to be evicted", "evict",
	  publish_full, block_now, detach, NULL, 1, 0 },
	{ "detach, as its hold ends", "hold_work",
	  stream_and_short_hold, leave_sub, resume_and_detach, all_gone, 1, 0 },
	{ "detach, and linger", "detach",
	  stream_and_reader, detach, leave_pub, NULL, 1, 0 },
	{ "detach, as the stream expires", "expire_work",
	  short_stream_and_reader, leave_pub, detach, all_gone, 1, 0 },
	{ "detach, and the end of a namespace", "detach",
	  stream_and_reader, detach, until_ended, NULL, 1, 0 },
	{ "detach, and unload", "detach",
	  stream_and_reader, detach, unload_refused, NULL, 1, 0 },

	{ "evict, as it is to be held", "leave",
	  publish_full, leave_sub, block, all_gone, 1, 0 },
	{ "evict, as it is held again", "evict",
	  full_and_held, block_now, hold_again, all_gone, 1, 0 },
	{ "evict what is held, and its name is used again", "hold_work",
	  full_and_held, block_now, name_twice, NULL, 1, 0 },
	{ "evict, as the writer goes", "evict",
	  publish_full, block_now, leave_pub, NULL, 0, 0 },
	{ "evict, and linger", "evict",
	  liar_and_stream, receive_liar, leave_pub, NULL, 1, 0 },
	{ "evict, and the stream expires", "evict",
	  liar_and_short_stream, receive_liar, leave_pub_expire, NULL, 1, 0 },
	{ "evict, and the end of a namespace", "evict",
	  liar_and_stream, receive_liar, until_ended, NULL, 1, 0 },
	{ "evict, and unload", "evict",
	  liar_and_stream, receive_liar, unload_refused, NULL, 1, 0 },

	{ "hold, as the last hold ends", "hold_work",
	  stream_and_short_hold, leave_sub, hold_again, still_held, 1, 0 },
	{ "hold, and linger", "leave",
	  stream_and_hold, leave_sub, leave_pub, goes_on, 0, 0 },
	{ "hold again, as the stream expires", "expire_work",
	  short_stream_held, leave_pub, hold_again, all_gone, 1, 0 },
	{ "hold again for a subscribe that fails, and its socket polls", "keep",
	  held_and_in_use, attach_refused, poll_and_publish, NULL, 1, 0 },
	{ "go on with what is held, and linger", "resume",
	  held, hold_again, leave_pub, goes_on, 0, 0 },
	{ "a hold ends, and its namespace", "hold_work",
	  remember, hold_in_namespace, until_ending, NULL, 1, 0 },
	{ "a hold ends, and the module is unloaded", "hold_work",
	  remember, hold_in_namespace, unload_load, NULL, 0, 1000000 },
	{ "hold, and unload", "leave",
	  stream_and_hold, leave_sub, unload_refused, goes_on, 1, 0 },

	{ "linger, as the last linger ends", "expire_work",
	  lingers_briefly, leave_pub, linger_again, still_lingers, 1, 0 },
	{ "linger, and the end of a namespace", "netns_exit",
	  stream_and_hold, other_namespace, leave_pub, NULL, 1, 0 },
	{ "linger, and unload", "linger",
	  publish, leave_pub, unload_refused, NULL, 1, 0 },

	{ "a stream expires as the end of its namespace finds it", "ring_next",
	  remember, expire_as_it_is_found, let_expire, NULL, 1, 0 },
	{ "a stream expires, and its namespace ends", "expire_work",
	  remember, expire_in_namespace, until_ending, NULL, 1, 0 },
	{ "a stream expires, and the module is unloaded", "expire_work",
	  remember, expire_in_namespace, unload_load, NULL, 0, 1000000 },
	{ "a stream that lingers has a new owner, and a subscriber", "take_over",
	  lingering, linger_again, attach, NULL, 0, 0 },

	{ "a namespace ends, and the module is unloaded", "netns_exit",
	  remember, other_namespace, unload_load, NULL, 0, 1000000 },

	{ "an endpoint is freed, and its namespace ends", "endpoint_free",
	  remember, call_in_namespace, until_ending, NULL, 0, 2000000 },

	{ "a target goes, and its caller", "endpoint_close",
	  serve, leave_pub, leave_sub, NULL, 1, 0 },
	{ "a target goes, and its caller waits for it", "target_remove",
	  serve, leave_pub, receive_error, NULL, 0, 0 },
	{ "a caller of many goes, and they reply", "calls_cancel",
	  serve_all, leave_sub, reply_all, NULL, 1, 0 },
	{ "a target goes as its user's timer comes, and unload", "tick",
	  serve_watched, tick_comes, serve_again, no_timer_left, 1, 0 },
};

/* --- running them --------------------------------------------------------- */

/**
 * struct side - a thread that does one of the two things
 * @fn: the thing.
 * @thread: it.
 * @tid: its number, 0 before it has begun.
 * @over: it has ended.
 */
struct side {
	void		(*fn)(void);
	pthread_t	thread;
	pid_t		tid;
	int		over;
};

static void *side_run(void *arg)
{
	struct side *s = arg;

	__atomic_store_n(&s->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	s->fn();
	__atomic_store_n(&s->over, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static int side_over(struct side *s)
{
	return __atomic_load_n(&s->over, __ATOMIC_SEQ_CST);
}

static void side_begin(struct side *s, void (*fn)(void))
{
	memset(s, 0, sizeof(*s));
	s->fn = fn;
	if (pthread_create(&s->thread, NULL, side_run, s))
		tap_bail("thread");
	tap_until(__atomic_load_n(&s->tid, __ATOMIC_SEQ_CST));
}

/* Does it sleep? What it waits for may be what the first side holds. */
static int side_asleep(struct side *s)
{
	char state = tap_state(s->tid);

	return state && strchr("SD", state);
}

static void side_end(struct side *s)
{
	if (!tap_until(side_over(s)))
		tap_bail("a side hangs");
	pthread_join(s->thread, NULL);
}

/*
 * One meeting. @us: how long the first waits by itself, 0: until the second is
 * done, or waits as well. @random: it is not known which side is first.
 */
static int meet(const struct race *r, unsigned int us, int random)
{
	long long before = left();
	struct side first, second;
	int met, gone, i;

	w = (struct world){
		.pub = -1, .sub = -1, .more = -1, .other = -1,
		.rings = tap_stat("stats/rings"),
		.readers = tap_stat("stats/readers"),
	};
	for (i = 0; i < CROWD; i++)
		w.crowd[i] = -1;
	r->begin();
	point_set(r->point, us ?: WAIT_US, 1000, 1);
	side_begin(&first, r->first);
	met = tap_until(point_count(r->point, 1) || (us && side_over(&first)));
	side_begin(&second, r->second);
	if (!us) {
		if (r->finish)
			tap_until(side_over(&second));
		else
			tap_until(side_over(&second) || side_asleep(&second));
		point_set(r->point, 0, 0, 0);
	}
	side_end(&second);
	side_end(&first);
	if (r->end && !random)
		r->end();
	clear();
	/* an entry that fails is not to have the others fail */
	gone = tap_until(left() <= before);
	if (!met)
		wrong("nobody came to %s", r->point);
	if (!gone)
		wrong("left: %lld rings, %lld readers, %lld bytes, %lld sockets",
		      tap_stat("stats/rings"), tap_stat("stats/readers"),
		      tap_stat("stats/ring_bytes"), tap_stat("stats/sockets"));
	return !w.bad[0];
}

static void points_reset(void)
{
	if (tap_write_file(POINTS, "reset"))
		tap_bail("reset");
}

static long long taint(void)
{
	return tap_read_file("/proc/sys/kernel/tainted") &
	       ~(1LL << 12 | 1LL << 13 | 1LL << 18);
}

/* Schedules at random: the points of others hold threads up as well. */
static void at_random(unsigned int seconds, unsigned int seed)
{
	static const char *const points[] = {
		"attach_slot", "attach_gate", "attach_show", "detach", "evict",
		"leave", "keep", "hold_work", "resume", "owner_gone", "linger",
		"expire_work", "take_over", "ring_next", "netns_exit",
	};
	uint64_t end = tap_now_ms() + seconds * 1000ULL;
	unsigned long n = 0, bad = 0;
	size_t i;

	while (tap_now_ms() < end && !bad && !taint()) {
		const struct race *r;

		srand(seed + (unsigned int)n);
		r = &races[(unsigned int)rand() % (sizeof(races) / sizeof(*r))];
		points_reset();
		for (i = 0; i < sizeof(points) / sizeof(*points); i++)
			if (rand() % 4 == 0 && strcmp(points[i], r->point))
				point_set(points[i],
					  (unsigned int)rand() % 20000, 300, -1);
		/* what ends before the first goes on may need that it waits */
		if (!meet(r, r->us ?: r->finish || rand() % 2 ? 0 :
			     1 + (unsigned int)rand() % 50000, 1)) {
			tap_diag("seed %u: %s: %s", seed + (unsigned int)n,
				 r->name, w.bad);
			bad++;
		}
		n++;
	}
	tap_diag("%lu meetings at random from seed %u", n, seed);
	tap_ok(!bad && !taint(), "meetings at random");
}

int main(void)
{
	const char *seconds = getenv("WEIR_RACES_SECONDS");
	const char *seed = getenv("WEIR_TEST_SEED");
	size_t i;

	tap_family();
	if (geteuid())
		tap_skip_all("needs root");
	if (access(POINTS, W_OK) && getenv("WEIR_TEST_RACES"))
		tap_bail("this kernel's module has race points: " POINTS);
	if (access(POINTS, W_OK))
		tap_skip_all("the module has no race points: they are in the sanitizer kernel's alone");
	if (!tap_until(!left()))
		tap_bail("an earlier test has left something");
	signal(SIGPIPE, SIG_IGN);
	if (seconds) {
		/* passes of a soak do not overlap */
		at_random((unsigned int)atoi(seconds),
			  seed ? (unsigned int)atoi(seed) << 16 : 0);
	} else {
		tap_watchdog(300);
		for (i = 0; i < sizeof(races) / sizeof(*races); i++) {
			points_reset();
			if (!tap_ok(meet(&races[i], races[i].us, 0), "%s",
				    races[i].name))
				tap_diag("%s", w.bad);
		}
	}
	points_reset();
	tap_is(taint(), 0, "the kernel is clean");
	return tap_done();
}
