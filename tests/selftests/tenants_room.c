// SPDX-License-Identifier: GPL-2.0
/*
 * Room in the inbox of a service that one user would keep. A hostile thread has
 * taken the lock of its walk and loses the processor there, for as long as it
 * likes: its worker can't look at what has been kept for it. Others get room
 * all the same, in turn and in time, and nobody but the hostile user is charged
 * for that.
 *
 * Where such a thread stands is luck, so that it waits at a race point, which
 * the module of the sanitizer kernel alone has (module/race.h).
 */
#include <pthread.h>

#include "routed.h"
#include "tenants.h"

#define POINTS		"/sys/kernel/debug/weir/races"
#define POINT		"route_owned"
#define PARK_US		55000000	/* unless told to go on */
#define IN_TIME_MS	20000

#define HALF		65536		/* bytes of a record, of an inbox of two */
#define LARGE		1500		/* bytes of a reply that waits for room */
#define PATIENCE_MS	3000
#define PORTS		48

/**
 * struct hostile - one that waits for room and then stands still
 * @path: what it calls, or serves.
 * @bytes: of each of its records.
 * @records: that it sends; those that it does not serve.
 * @ports: sockets, each with a thread that stands still.
 * @waits: threads whose records wait for room.
 * @park: set by the test: they are to stand still.
 * @went: threads that have gone on.
 */
struct hostile {
	const char *path;
	uint32_t bytes;
	int records, ports, waits, park, went;
};

static struct hostile *hostile;

/* --- standing still -------------------------------------------------------- */

static void point_set(int waits)
{
	char words[64];

	snprintf(words, sizeof(words), "%s %u 1000 %d", POINT, PARK_US, waits);
	need(!tap_write_file(POINTS, waits ? words : "reset"), "race point");
}

static int point_waited(void)
{
	int us, permille, left, passed, waited = 0, got = 0;
	char line[128], at[32];
	FILE *f = fopen(POINTS, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %d %d %d %d %d", at, &us, &permille,
			   &left, &passed, &waited) == 6 && !strcmp(at, POINT))
			got = waited;
	if (f)
		fclose(f);
	return got;
}

/* All of them stand still, each with the lock of its walk. */
static void park(void)
{
	point_set(hostile->ports);
	put(&hostile->park, 1);
	need(soon(point_waited() == hostile->ports), "they stand still");
}

/* --- the hostile user ------------------------------------------------------- */

/* Sends a message of zeros, of a length that includes its header. */
static void send_bytes(struct weir *w, uint32_t route, uint32_t bytes)
{
	struct weir_call call = { .route = route, .one_way = 1 };
	struct weir_buf buf = { 0 };

	need(!weir_call_claim(w, &call, bytes - WEIR_HEADER_BYTES, &buf),
	     "claim: %s", weir_error());
	memset(buf.data, 0, bytes - WEIR_HEADER_BYTES);
	weir_call_commit_more(w, &call, &buf);
}

static struct weir *waiting[PORTS];
static uint32_t route_from[PORTS];

static void *go_and_park(void *arg)
{
	int i = (int)(intptr_t)arg;

	/* there is something to tell the router of */
	send_bytes(waiting[i], route_from[i], 64);
	weir_flush(waiting[i]);
	add(&hostile->went, 1);
	for (;;)
		pause();
	return arg;
}

/* Records of each socket wait for room; then it stands still. */
static int call_and_park(void *unused)
{
	pthread_t thread;
	int i, k;

	(void)unused;
	for (i = 0; i < hostile->ports; i++) {
		waiting[i] = handle(4 * hostile->bytes, 4096);
		route_from[i] = route_of(waiting[i], hostile->path);
		for (k = 0; k < hostile->records; k++)
			send_bytes(waiting[i], route_from[i], hostile->bytes);
		weir_flush(waiting[i]);
		add(&hostile->waits, 1);
	}
	while (!get(&hostile->park))
		usleep(1000);
	for (i = 1; i < hostile->ports; i++)
		need(!pthread_create(&thread, NULL, go_and_park,
				     (void *)(intptr_t)i), "thread");
	go_and_park(NULL);
	return 0;
}

static pid_t hostile_start(int (*fn)(void *arg), const char *path,
			   uint32_t bytes, int records, int ports)
{
	pid_t pid;

	*hostile = (struct hostile){
		.path = path, .bytes = bytes, .records = records,
		.ports = ports,
	};
	pid = tenant_start(TENANT_ATTACKER, fn, NULL);
	need(soon(get(&hostile->waits) == ports), "%d of %d wait",
	     get(&hostile->waits), ports);
	return pid;
}

static void hostile_end(pid_t pid)
{
	point_set(0);
	tap_kill(pid);
}

/* --- a service, and those that call it --------------------------------------- */

static uint64_t hangs(void)
{
	struct weir_target_entry *all;
	uint64_t sum = 0;
	uint32_t n, i;

	all = targets(&n);
	for (i = 0; i < n; i++)
		sum += all[i].ejections;
	return sum;
}

/* Reads one message; bytes of its payload, -1: there is none in time. */
static int64_t read_one(struct weir *w)
{
	struct weir_msg msg;
	int64_t len;

	if (!tap_within(IN_TIME_MS, weir_peek(w, &msg) == 1))
		return -1;
	len = msg.len;
	weir_release(w, &msg);
	weir_flush(w);
	return len;
}

/* What was kept for a thread that stands still is for others. */
static void kept_in_vain(const struct weir_route_conf *conf)
{
	struct weir *s, *x, *b;
	uint32_t to_x, to_b;
	uint64_t hung;
	pid_t pid;

	need(!route_set("/room/kept", conf), "route");
	s = server_of("/room/kept", 1, HALF, NULL);
	x = caller("/room/kept", &to_x);
	b = caller("/room/kept", &to_b);
	send_bytes(x, to_x, HALF);
	weir_flush(x);
	pid = hostile_start(call_and_park, "/room/kept", HALF, 1, 1);
	send_bytes(b, to_b, 64);
	weir_flush(b);
	park();
	need(read_one(s) == HALF - WEIR_HEADER_BYTES, "the inbox was full");
	hung = hangs();
	check(read_one(s) == 64 - WEIR_HEADER_BYTES,
	      "room that is kept in vain is for others after a while");
	check(hangs() == hung,
	      "a service that has read all is not taken for one that hangs");
	hostile_end(pid);
	weir_close(b);
	weir_close(x);
	weir_close(s);
	need(!route_del("/room/kept"), "route");
}

static void kept_unwatched(void)
{
	kept_in_vain(&quiet);
}

/*
 * A caller that is not served in time is served when the watchdog has ejected
 * the service.
 */
static void kept_watched(void)
{
	static const struct weir_route_conf conf = {
		.timeout_ns = 600 * SECOND, .probe_ns = 100 * MS,
	};

	kept_in_vain(&conf);
}

/* What follows the message that was called waits behind others. */
static void first_once(void)
{
	struct weir *s, *x, *b;
	uint32_t to_x, to_b;
	uint64_t id;
	int64_t len;
	pid_t pid;

	route_quiet("/room/first");
	s = server_of("/room/first", 1, 2 * HALF, &id);
	x = caller("/room/first", &to_x);
	b = caller("/room/first", &to_b);
	send_bytes(x, to_x, HALF);
	weir_flush(x);
	send_bytes(x, to_x, HALF);
	weir_flush(x);
	pid = hostile_start(call_and_park, "/room/first", HALF, 3, 1);
	send_bytes(b, to_b, 64);
	weir_flush(b);
	park();
	need(read_one(s) == HALF - WEIR_HEADER_BYTES, "the inbox was full");
	/* the walk goes on, with what has been kept for its first message */
	point_set(0);
	need(soon(get(&hostile->went)), "it goes on");
	need(read_one(s) == HALF - WEIR_HEADER_BYTES, "the inbox was full");
	need(soon(target_now(id).requests == 4), "one more is sent");
	/* on a slow machine that has not been kept for so long */
	len = read_one(s);
	if (len == HALF - WEIR_HEADER_BYTES)
		len = read_one(s);
	check(len == 64 - WEIR_HEADER_BYTES,
	      "one message of a user, and then one of another");
	hostile_end(pid);
	weir_close(b);
	weir_close(x);
	weir_close(s);
	need(!route_del("/room/first"), "route");
}

/* --- a service that is late ---------------------------------------------------- */

static void reply_large(struct weir *s)
{
	struct weir_ticket t = next_ticket(s, "the target");
	struct weir_buf buf = { 0 };

	need(!weir_reply_claim(s, &t, LARGE, &buf), "claim");
	memset(buf.data, 0, LARGE);
	weir_reply_commit_more(s, &t, WEIR_KIND_REPLY, WEIR_REC_WAIT, &buf);
	weir_flush(s);
}

/* Its reply waits; then it stands still. */
static int serve_and_park(void *unused)
{
	struct weir *s = server(hostile->path, 1);
	uint32_t route;

	(void)unused;
	route = route_of(s, hostile->path);
	add(&hostile->waits, 1);
	reply_large(s);
	add(&hostile->records, 1);
	while (!get(&hostile->park))
		usleep(1000);
	send_bytes(s, route, 64);
	weir_flush(s);
	for (;;)
		pause();
	return 0;
}

/* Asks one whose reply has to wait. */
static void ask_and_fill(struct weir *c, const char *path, uint32_t tag,
			 struct weir *x, uint32_t to_c)
{
	/* all but the room for an answer of few bytes */
	shower(x, to_c, 4096 / 64 - 2);
	ask(c, route_of(c, path), tag);
}

/* Makes room, and hears what has become of the call. */
static bool hears(struct weir *c, uint32_t tag)
{
	struct outcome o;

	do {
		o = next_outcome(c);
		weir_flush(c);
	} while (o.kind == WEIR_KIND_EVENT);
	if (o.kind != WEIR_KIND_REPLY)
		note("%u: kind %u, %s", tag, o.kind,
		     weir_reason_name(o.fault.reason));
	return o.kind == WEIR_KIND_REPLY && o.tag == tag;
}

/* A caller is charged for its own delay, not for its service's. */
static void charged_once(void)
{
	const struct weir_route_conf conf = {
		QUIET, .patience_ns = PATIENCE_MS * MS,
	};
	struct weir *c, *s, *x;
	uint32_t to_c;
	pid_t pid;

	c = server_of("/room/caller", 1, 4096, NULL);
	x = caller("/room/caller", &to_c);
	s = server("/room/honest", 1);
	*hostile = (struct hostile){ .path = "/room/late", .ports = 1 };
	need(!tap_write_file(POINTS, "reset"), "race points");
	pid = tenant_start(TENANT_ATTACKER, serve_and_park, NULL);
	need(soon(get(&hostile->waits)), "the hostile user serves");
	need(!route_set("/room/late", &conf) &&
	     !route_set("/room/honest", &conf), "routes");
	ask_and_fill(c, "/room/late", 1, x, to_c);
	need(soon(get(&hostile->records)), "its reply waits");
	park();
	drain(c);
	weir_flush(c);
	pass((PATIENCE_MS + 200) * MS);
	point_set(0);
	check(hears(c, 1), "a reply comes late");
	ask_and_fill(c, "/room/honest", 2, x, to_c);
	reply_large(s);
	pass(PATIENCE_MS * MS / 10);
	check(hears(c, 2), "and there is patience with its caller still");
	hostile_end(pid);
	weir_close(s);
	weir_close(x);
	weir_close(c);
	need(!route_del("/room/late") && !route_del("/room/honest"), "routes");
}

/* --- one after the other -------------------------------------------------------- */

/* How long a number of messages take, each of which waits for room. */
static int64_t messages_ns(struct weir *s, struct weir *b, uint32_t to_b,
			   int n)
{
	int64_t begun;
	int i;

	for (i = 0; i < n; i++)
		send_bytes(b, to_b, 64);
	weir_flush(b);
	begun = now_ns();
	for (i = 0; i < n;) {
		int64_t len = read_one(s);

		need(len > 0, "a message comes");
		i += len == 64 - WEIR_HEADER_BYTES;
	}
	return now_ns() - begun;
}

/*
 * What is kept for one user after the other of its ports is for a short time.
 */
static void kept_in_turn(void)
{
	int64_t alone, beside, grants = PORTS * 10 * MS;
	struct weir *s, *x, *b;
	uint32_t to_x, to_b;
	pid_t pid;

	route_quiet("/room/turn");
	s = server_of("/room/turn", 1, 4096, NULL);
	x = caller("/room/turn", &to_x);
	b = caller("/room/turn", &to_b);
	send_bytes(x, to_x, 4096);
	weir_flush(x);
	alone = messages_ns(s, b, to_b, PORTS);
	send_bytes(x, to_x, 4096);
	weir_flush(x);
	pid = hostile_start(call_and_park, "/room/turn", 4096, 1, PORTS);
	park();
	beside = messages_ns(s, b, to_b, PORTS);
	check(beside <= 4 * alone + grants * 2 / 3,
	      "%d messages: %lld ms beside %d that keep room, %lld ms alone",
	      PORTS, (long long)(beside / MS), PORTS,
	      (long long)(alone / MS));
	hostile_end(pid);
	weir_close(b);
	weir_close(x);
	weir_close(s);
	need(!route_del("/room/turn"), "route");
}

int main(void)
{
	hard_begin();
	/* other users call what is served here */
	umask(0);
	if (access(POINTS, W_OK))
		tap_skip_all("no race points");
	hostile = tap_shared(sizeof(*hostile));
	part(charged_once);
	part(kept_unwatched);
	part(kept_watched);
	part(first_once);
	part(kept_in_turn);
	check_routes_gone("room");
	check_kernel();
	return tap_done();
}
