// SPDX-License-Identifier: GPL-2.0
/*
 * A name is worth its owner's word: no user gets requests that are for another
 * user's names, through patterns either.
 *
 * An attacker tries to serve names and patterns above, below and beside those
 * of a victim, and names that the victim had until it died. Callers ask by
 * handles and by addresses. Whatever comes to the attacker's sockets has leaked.
 */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <weir_route.h>

#include "routed.h"
#include "tenants.h"

#define VICTIM		TENANT_VICTIM
#define ATTACKER	TENANT_ATTACKER
#define FRIEND		TENANT_OTHER

/* The process makes sockets and control calls as this user; 0: root. */
static void as(uid_t uid)
{
	if (seteuid(0) || setegid(uid) || seteuid(uid))
		tap_bail("become user %u", uid);
}

static int sock_as(uid_t uid, int type, int mode)
{
	int fd;

	as(uid);
	fd = tap_socket(type);
	as(0);
	if (mode >= 0 && tap_setopt(fd, WEIR_SO_MODE, mode))
		tap_bail("mode");
	return fd;
}

/* 0 or an errno value; EACCES and the like without words are no answer. */
static int serve_at(int fd, const char *path)
{
	int err = setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, path, strlen(path)) ?
		  errno : 0;

	if (err && strlen(tap_words(fd)) < 8)
		return 999;
	return err;
}

/* A socket that serves a path. */
static int service_as(uid_t uid, const char *path, int mode)
{
	int fd = sock_as(uid, SOCK_RDM, mode), err = serve_at(fd, path);

	if (err)
		tap_bail("user %u serves %s: %s", uid, path, tap_words(fd));
	return fd;
}

enum act { SERVE, PUBLISH, LISTEN };

static const char *const act_names[] = { "serve", "publish", "listen" };

/* What an act says: 0 or an errno value. Nothing of it stays. */
static int try_as(uid_t uid, enum act act, const char *path)
{
	int fd = sock_as(uid, act == LISTEN ? SOCK_SEQPACKET : SOCK_RDM, 0666);
	int err;

	if (act == SERVE)
		err = serve_at(fd, path);
	else
		err = tap_bind(fd, path) ? errno : 0;
	if (err && strlen(tap_words(fd)) < 8)
		err = 999;
	close(fd);
	return err;
}

static const char *who(uid_t uid)
{
	return uid == VICTIM ? "the owner" : uid == ATTACKER ? "a stranger" :
	       uid == FRIEND ? "a friend" : "root";
}

static void may(uid_t uid, enum act act, const char *path, int want)
{
	int got = try_as(uid, act, path);

	if (!tap_ok(got == want, "%s: %s %s: %s", who(uid), act_names[act],
		    path, want ? strerror(want) : "permitted"))
		tap_diag("got %d (%s)", got, strerror(got));
}

/* --- callers ---------------------------------------------------------------- */

static struct weir *caller_as(uid_t uid)
{
	struct weir *w;

	as(uid);
	need(!weir_open(&w, SOCK_RDM, NULL), "open");
	as(0);
	return w;
}

/* Requests that wait at a socket: what has leaked to it. */
static int leaked(int fd)
{
	struct weir_scm_route scm;
	char buf[64];
	int n = 0;

	while (tenant_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &scm) >= 0)
		n++;
	return n;
}

/* A service answers what waits for it, if it is there. Returns how many. */
static int answers(int service)
{
	struct weir_scm_route scm;
	char buf[64];
	int count = 0;
	ssize_t n;

	while (service >= 0 && (n = tenant_recv(service, buf, sizeof(buf),
						MSG_DONTWAIT, &scm)) >= 0) {
		scm.kind = WEIR_KIND_REPLY;
		scm.flags = 0;
		scm.key = 0;
		scm.deadline_ns = 0;
		need(tenant_send(service, NULL, buf, n, 0, &scm) == n, "reply");
		count++;
	}
	return count;
}

/* The reason of the answer to a request by handle; 0: the service answered. */
static uint32_t asks(struct weir *w, uint32_t route, int service)
{
	static uint32_t tag;

	ask(w, route, ++tag);
	answers(service);
	return answer(w, tag);
}

/* The same by address: an errno value, 0 if the service answered. */
static int sends(int fd, const char *path, int service)
{
	struct weir_scm_route scm = { .kind = WEIR_KIND_REQUEST };
	char buf[64];

	if (tenant_send(fd, path, "body", 4, 0, &scm) != 4)
		return errno;
	answers(service);
	return recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 4 ? 0 : errno;
}

/* --- permission for a name ---------------------------------------------------- */

static void below(void)
{
	int s = service_as(VICTIM, "/tn/svc/**", 0666), t, u;

	may(ATTACKER, SERVE, "/tn/svc/login", EACCES);
	may(ATTACKER, PUBLISH, "/tn/svc/login", EACCES);
	may(ATTACKER, LISTEN, "/tn/svc/login", EACCES);
	may(ATTACKER, SERVE, "/tn/svc/*", EACCES);
	may(ATTACKER, SERVE, "/tn/svc/*/x", EACCES);
	may(ATTACKER, SERVE, "/tn/svc/a/**", EACCES);
	may(ATTACKER, SERVE, "/tn/svc/**", EACCES);
	may(ATTACKER, SERVE, "/tn/**", EACCES);
	may(ATTACKER, SERVE, "/tn/*", EACCES);
	may(ATTACKER, SERVE, "/tn/*/login", EACCES);
	may(ATTACKER, SERVE, "/*/login", EPERM);
	may(ATTACKER, SERVE, "/**", EPERM);
	may(ATTACKER, SERVE, "/*", EPERM);
	may(VICTIM, SERVE, "/**", EPERM);
	may(VICTIM, SERVE, "/tn/svc/login", 0);
	may(VICTIM, PUBLISH, "/tn/svc/feed", 0);
	may(VICTIM, LISTEN, "/tn/svc/pair", 0);
	may(VICTIM, SERVE, "/tn/svc/*/x", 0);
	may(VICTIM, SERVE, "/tn/svc/a/**", 0);
	may(0, SERVE, "/tn/svc/login", 0);
	may(0, SERVE, "/**", 0);
	may(ATTACKER, SERVE, "/tn/svcs", 0);
	may(ATTACKER, SERVE, "/tn/other/**", 0);

	/* the path above the pattern is the owner's, and can be used by it */
	may(ATTACKER, SERVE, "/tn/svc", EACCES);
	may(ATTACKER, PUBLISH, "/tn/svc", EACCES);
	may(VICTIM, PUBLISH, "/tn/svc", 0);
	may(VICTIM, LISTEN, "/tn/svc", 0);
	t = service_as(VICTIM, "/tn/svc", 0666);
	u = sock_as(ATTACKER, SOCK_RDM, -1);
	tap_ok(!sends(u, "/tn/svc", t),
	       "others call it with the mode of the socket that serves it");
	close(u);
	close(t);
	close(s);
	may(ATTACKER, SERVE, "/tn/svc/**", 0);
	may(ATTACKER, SERVE, "/tn/svc", 0);
}

/* A pattern asks for leave, whatever the modes of plain paths are. */
static void consent(void)
{
	int top = service_as(VICTIM, "/tn/c", 0666), s, t;

	may(ATTACKER, SERVE, "/tn/c/x", 0);
	may(ATTACKER, SERVE, "/tn/c/x/*", 0);
	s = service_as(VICTIM, "/tn/c/*/y", 0666);
	may(ATTACKER, SERVE, "/tn/c/z", 0);
	may(ATTACKER, SERVE, "/tn/c/z/y", EACCES);
	may(ATTACKER, SERVE, "/tn/c/z/*", EACCES);
	may(ATTACKER, SERVE, "/tn/c/z/**", EACCES);
	may(ATTACKER, SERVE, "/tn/c/z/u/**", 0);
	may(ATTACKER, SERVE, "/tn/c/z/*/u", 0);
	close(s);

	/* one that is there stays its owner's, above a pattern that comes later */
	t = service_as(ATTACKER, "/tn/c/mine", 0666);
	s = service_as(VICTIM, "/tn/c/**", 0666);
	may(ATTACKER, SERVE, "/tn/c/mine", 0);
	may(ATTACKER, SERVE, "/tn/c/more", EACCES);
	close(s);
	close(t);

	/* execute permission on the pattern is its owner's leave */
	s = service_as(VICTIM, "/tn/c/**", 0667);
	may(ATTACKER, SERVE, "/tn/c/more", 0);
	may(ATTACKER, PUBLISH, "/tn/c/feed", 0);
	may(ATTACKER, SERVE, "/tn/c/**", 0);
	close(s);
	close(top);

	/* it is no leave to serve the path above it */
	s = service_as(VICTIM, "/tn/leave/**", 0667);
	may(ATTACKER, SERVE, "/tn/leave/x", 0);
	may(ATTACKER, SERVE, "/tn/leave", EACCES);
	t = service_as(VICTIM, "/tn/leave", 0667);
	may(ATTACKER, SERVE, "/tn/leave", 0);
	close(t);
	/* nor is what the path had while it was served */
	may(ATTACKER, SERVE, "/tn/leave", EACCES);
	close(s);
}

/* Names of others are not covered by a pattern that comes above them. */
static void above(void)
{
	int fd[300], s, i;

	s = service_as(VICTIM, "/tn/a/b/own", 0666);
	may(ATTACKER, SERVE, "/tn/a/**", EACCES);
	may(ATTACKER, SERVE, "/tn/a/b/*", EACCES);
	may(ATTACKER, SERVE, "/tn/a/*/own", EACCES);
	/* a plain path first, the pattern then */
	i = service_as(ATTACKER, "/tn/a", 0666);
	may(ATTACKER, SERVE, "/tn/a/**", EACCES);
	may(ATTACKER, SERVE, "/tn/a/*/own", EACCES);
	close(i);
	may(VICTIM, SERVE, "/tn/a/b/*", 0);
	may(VICTIM, SERVE, "/tn/a/**", 0);
	may(0, SERVE, "/tn/a/**", 0);
	close(s);
	may(ATTACKER, SERVE, "/tn/a/**", 0);

	/* too many to look at, all one's own */
	for (i = 0; i < 300; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/tn/many/%d", i);
		fd[i] = sock_as(VICTIM, SOCK_RDM, 0666);
		if (tap_setopt(fd[i], WEIR_SO_RING_BYTES, 4096) ||
		    tap_bind(fd[i], path))
			tap_bail("publish %s: %s", path, tap_words(fd[i]));
	}
	may(VICTIM, SERVE, "/tn/many/**", ENOSPC);
	may(VICTIM, SERVE, "/tn/many/7/**", 0);
	for (i = 100; i < 300; i++)
		close(fd[i]);
	may(VICTIM, SERVE, "/tn/many/**", 0);
	for (i = 0; i < 100; i++)
		close(fd[i]);
}

/* --- handles ------------------------------------------------------------------ */

/**
 * struct asker - a caller that asks by handle and by address
 * @lib: has a handle of the path.
 * @route: it.
 * @fd: sends to the address.
 * @path: the path.
 */
struct asker {
	struct weir *lib;
	uint32_t route;
	int fd;
	const char *path;
};

static struct asker asker_new(const char *path)
{
	struct asker a = {
		.lib = caller_as(FRIEND),
		.fd = sock_as(FRIEND, SOCK_RDM, -1),
		.path = path,
	};

	a.route = route_of(a.lib, path);
	return a;
}

static void asker_end(struct asker *a)
{
	weir_close(a->lib);
	close(a->fd);
}

/* Both ways come to the service. */
static void heard(struct asker *a, int service, const char *what)
{
	uint32_t reason = asks(a->lib, a->route, service);
	int err = sends(a->fd, a->path, service);

	if (!tap_ok(!reason && !err, "%s", what))
		tap_diag("by handle %s; by address %s",
			 weir_reason_name(reason), strerror(err));
}

/* Neither comes to @stranger; both are refused for this reason. */
static void kept(struct asker *a, int stranger, uint32_t want, const char *what)
{
	uint32_t reason = asks(a->lib, a->route, -1);
	int err = sends(a->fd, a->path, -1), n = stranger < 0 ? 0 : leaked(stranger);

	if (!tap_ok(reason == want && err == weir_reason_errno(want) && !n,
		    "%s", what))
		tap_diag("by handle %s; by address %s, %d leaked",
			 weir_reason_name(reason), strerror(err), n);
}

/* The owner's socket closes, a stranger takes the name, the owner is back. */
static void restart(const char *served, const char *taken, const char *called)
{
	int s = service_as(VICTIM, served, 0666), t;
	struct asker a = asker_new(called);

	tap_diag("%s is served; %s is called; %s is taken", served, called,
		 taken);
	heard(&a, s, "the owner's");
	close(s);
	kept(&a, -1, WEIR_REASON_NO_ROUTE, "the owner is away");
	t = service_as(ATTACKER, taken, 0666);
	kept(&a, t, WEIR_REASON_DENIED, "a stranger gets nothing");
	kept(&a, t, WEIR_REASON_DENIED, "and goes on getting nothing");
	close(t);
	kept(&a, -1, WEIR_REASON_NO_ROUTE, "it gives up");
	s = service_as(VICTIM, served, 0666);
	heard(&a, s, "the owner is back");
	close(s);

	/* what the program asks for again is what there is then */
	t = service_as(ATTACKER, taken, 0666);
	tap_is(weir_route(a.lib, called), a.route,
	       "asked for again: the handle");
	tap_is(asks(a.lib, a.route, t), 0, "is the stranger's from then on");
	tap_ok(sends(a.fd, called, -1) == EACCES && !leaked(t),
	       "an address of another socket is not");
	close(t);
	s = service_as(VICTIM, served, 0666);
	tap_is(asks(a.lib, a.route, s), WEIR_REASON_DENIED,
	       "and the owner a stranger to it");
	close(s);
	asker_end(&a);
}

/* Those whom the owner has let, and administrators, are no strangers. */
static void trusted(void)
{
	int s = service_as(VICTIM, "/tn/t/**", 0667), t;
	struct asker a = asker_new("/tn/t/x");

	heard(&a, s, "the owner's pattern");
	t = service_as(ATTACKER, "/tn/t/x", 0666);
	heard(&a, t, "a name that the owner has let another make");
	close(s);
	heard(&a, t, "and after the owner's end");
	close(t);
	t = service_as(ATTACKER, "/tn/t/x", 0666);
	kept(&a, t, WEIR_REASON_DENIED, "made without it, it is a stranger's");
	close(t);
	t = service_as(0, "/tn/**", 0666);
	heard(&a, t, "an administrator's pattern");
	close(t);
	s = service_as(VICTIM, "/tn/t/x", 0666);
	heard(&a, s, "the owner again");
	close(s);
	asker_end(&a);

	/* the same the other way round */
	s = service_as(0, "/tn/t/x", 0666);
	a = asker_new("/tn/t/x");
	heard(&a, s, "an administrator's path");
	close(s);
	t = service_as(ATTACKER, "/tn/t/x", 0666);
	kept(&a, t, WEIR_REASON_DENIED, "does not fall to a user");
	close(t);
	asker_end(&a);
}

/* A request that waits to be sent again does not go to a stranger. */
static void retries(void)
{
	struct weir_route_conf conf = {
		QUIET, .retries = 3, .retry_base_ns = SECOND,
		.retry_max_ns = SECOND,
	};
	int s = service_as(VICTIM, "/tn/r", 0666), t;
	struct weir_scm_route scm;
	struct asker a = asker_new("/tn/r");
	struct outcome o;
	char buf[64];
	ssize_t n;

	need(!route_set("/tn/r", &conf), "set");
	ask_with(a.lib, a.route, 1, 0, WEIR_REC_IDEMPOTENT);
	n = tenant_recv(s, buf, sizeof(buf), MSG_DONTWAIT, &scm);
	need(n >= 0, "the request");
	scm.kind = WEIR_KIND_ERROR;
	scm.flags = 0;
	scm.key = 0;
	scm.deadline_ns = 0;
	need(tenant_send(s, NULL, buf, n, 0, &scm) == n, "an error");
	need(!route_del("/tn/r"), "del");
	close(s);
	t = service_as(ATTACKER, "/tn/r", 0666);
	memset(&o, 0, sizeof(o));
	soon(outcome_now(a.lib, &o) || tap_poll_now(t, POLLIN));
	tap_ok(o.fault.reason && !leaked(t),
	       "a retry does not go to a stranger (%s)",
	       weir_reason_name(o.fault.reason));
	close(t);
	asker_end(&a);
}

/* --- streams ------------------------------------------------------------------- */

static int publisher_as(uid_t uid, const char *path)
{
	int fd = sock_as(uid, SOCK_RDM, 0666);

	if (tap_bind(fd, path))
		tap_bail("user %u publishes %s: %s", uid, path, tap_words(fd));
	return fd;
}

static int subscriber_as(uid_t uid, const char *pattern)
{
	int fd = sock_as(uid, SOCK_RDM, -1);

	if (tap_connect(fd, pattern))
		tap_bail("user %u subscribes to %s: %s", uid, pattern,
			 tap_words(fd));
	return fd;
}

static void streams_are(int plain, int pattern, uint32_t one, uint32_t two,
			const char *what)
{
	if (!tap_ok(tap_until(tap_info(plain).streams == one &&
			      tap_info(pattern).streams == two), "%s", what))
		tap_diag("%u and %u streams", tap_info(plain).streams,
			 tap_info(pattern).streams);
}

/* A plain subscription is its first publisher's; a pattern's is not. */
static void streams(void)
{
	int p = publisher_as(VICTIM, "/tn/feed");
	int plain = subscriber_as(FRIEND, "/tn/feed");
	int pattern = subscriber_as(FRIEND, "/tn/*");
	long long denied;
	char c;

	streams_are(plain, pattern, 1, 1, "the owner's stream");
	close(p);
	/* the end of the stream is read, and makes room */
	while (recv(plain, &c, 1, MSG_DONTWAIT) >= 0)
		;
	while (recv(pattern, &c, 1, MSG_DONTWAIT) >= 0)
		;
	streams_are(plain, pattern, 0, 0, "it ends");
	denied = tap_stat("drops/denied");
	p = publisher_as(ATTACKER, "/tn/feed");
	streams_are(plain, pattern, 0, 1,
		    "a stranger's stream is read by a pattern alone");
	tap_is(tap_stat("drops/denied") - denied, 1, "which is counted");
	close(p);
	while (recv(pattern, &c, 1, MSG_DONTWAIT) >= 0)
		;
	p = publisher_as(VICTIM, "/tn/feed");
	streams_are(plain, pattern, 1, 1, "the owner is back");
	close(p);
	close(plain);
	close(pattern);
}

/* --- changes ------------------------------------------------------------------ */

static void change(uid_t uid, uint32_t op, const char *path,
		   const char *target_path, uint64_t id, int want)
{
	static const char *const ops[] = {
		[WEIR_OP_TARGET_ADD] = "add", [WEIR_OP_TARGET_SET] = "set",
		[WEIR_OP_TARGET_DEL] = "delete", [WEIR_OP_BREAKER] = "open",
	};
	int got;

	as(uid);
	got = target_op(op, path, target_path, id,
			op == WEIR_OP_BREAKER ? WEIR_FORCE_OPEN : 0);
	as(0);
	if (!tap_ok(got == want, "%s: %s a target %s of %s: %s", who(uid),
		    ops[op], target_path, path,
		    want ? strerror(-want) : "permitted"))
		tap_diag("got %d", got);
}

static uint64_t target_id(const char *path)
{
	struct weir_target_entry *t;
	uint32_t n, i;

	t = targets(&n);
	for (i = 0; i < n; i++) {
		if (!strcmp(t[i].path, path))
			return t[i].id;
	}
	tap_bail("no target of %s", path);
	return 0;
}

static void changes(void)
{
	/* of the path that is to stand behind the stranger's own */
	static const struct {
		int mode;
		int want;
	} behind[] = {
		{ 0600, -EACCES }, { 0622, -EACCES }, { 0611, -EACCES },
		{ 0633, 0 },
	};
	int s = service_as(VICTIM, "/tn/ch", 0677), t, own;
	uint64_t id = target_id("/tn/ch");
	size_t i;

	may(ATTACKER, SERVE, "/tn/ch", 0);
	change(ATTACKER, WEIR_OP_TARGET_SET, "/tn/ch", "", id, -EACCES);
	change(ATTACKER, WEIR_OP_BREAKER, "/tn/ch", "", id, -EACCES);
	change(ATTACKER, WEIR_OP_TARGET_ADD, "/tn/ch", "/tn/mine", 0, -EACCES);
	change(ATTACKER, WEIR_OP_TARGET_ADD, "/tn/ch/**", "/tn/ch", 0, -EACCES);
	change(ATTACKER, WEIR_OP_TARGET_ADD, "/tn/**", "/tn/mine", 0, -EACCES);
	change(ATTACKER, WEIR_OP_TARGET_ADD, "/**", "/tn/mine", 0, -EPERM);
	change(VICTIM, WEIR_OP_TARGET_SET, "/tn/ch", "", id, 0);
	change(VICTIM, WEIR_OP_TARGET_ADD, "/tn/ch", "/tn/ch2", 0, 0);
	change(ATTACKER, WEIR_OP_TARGET_DEL, "/tn/ch", "/tn/ch2", 0, -EACCES);
	change(VICTIM, WEIR_OP_TARGET_DEL, "/tn/ch", "/tn/ch2", 0, 0);
	close(s);

	own = service_as(ATTACKER, "/tn/own", 0666);
	change(ATTACKER, WEIR_OP_TARGET_ADD, "/tn/own", "/**", 0, -EPERM);
	for (i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		tap_diag("mode %04o", behind[i].mode);
		s = service_as(VICTIM, "/tn/ch", behind[i].mode);
		t = service_as(VICTIM, "/tn/chp/**", behind[i].mode);
		change(ATTACKER, WEIR_OP_TARGET_ADD, "/tn/own", "/tn/ch", 0,
		       behind[i].want);
		change(ATTACKER, WEIR_OP_TARGET_ADD, "/tn/own", "/tn/chp/**", 0,
		       behind[i].want);
		if (!behind[i].want) {
			change(ATTACKER, WEIR_OP_TARGET_DEL, "/tn/own",
			       "/tn/ch", 0, 0);
			change(ATTACKER, WEIR_OP_TARGET_DEL, "/tn/own",
			       "/tn/chp/**", 0, 0);
		}
		close(t);
		close(s);
	}
	close(own);
}

/* --- decoys -------------------------------------------------------------------- */

/* Patterns are refused if they have too many forms to find a name. */
static void forms(void)
{
	int s = service_as(VICTIM, "/tn/f/**", 0666), d, i, bit, err = 0;
	struct asker a = asker_new("/tn/f/a/a/a/a/a/a/a/c");

	d = sock_as(VICTIM, SOCK_RDM, 0666);
	for (i = 0; i < 64 && !err; i++) {
		char path[64];
		int n = snprintf(path, sizeof(path), "/tn/f/*");

		for (bit = 0; bit < 6; bit++)
			n += snprintf(path + n, sizeof(path) - n, "/%c",
				      i & 1 << bit ? '*' : 'a');
		snprintf(path + n, sizeof(path) - n, "/b");
		err = serve_at(d, path);
	}
	tap_is(err, ENOSPC, "patterns of more forms than may be are refused");
	heard(&a, s, "and their owner's other pattern is found behind them");
	close(d);
	may(VICTIM, SERVE, "/tn/f/*/*/*/*/*/*/*/b", 0);
	close(s);
	asker_end(&a);
}

/* More patterns than are looked at: the caller hears that, not "no such path". */
static int decoys(void *arg)
{
	static const char called[] = "/a/a/a/a/a/a/a/a/a/a/a";
	struct weir *c, *s[9];
	int i, bit, ret;

	(void)arg;
	/* an administrator's, at the top level, have no bound */
	if (unshare(CLONE_NEWNET))
		return 1;
	for (i = 0; i < 9; i++) {
		if (weir_open(&s[i], SOCK_RDM, NULL))
			return 2;
	}
	if (weir_open(&c, SOCK_RDM, NULL))
		return 2;
	if (weir_serve(s[8], "/**", 1, NULL) || weir_route(c, called) < 1)
		return 3;
	/* a star, every mixture of a and * in nine segments, one that differs */
	for (i = 0; i < 512; i++) {
		char path[64] = "/*";
		int n = 2;

		for (bit = 8; bit >= 0; bit--)
			n += snprintf(path + n, sizeof(path) - n, "/%c",
				      i & 1 << bit ? '*' : 'a');
		snprintf(path + n, sizeof(path) - n, "/b");
		if (weir_serve(s[i / 64], path, 1, NULL))
			return 4;
	}
	ask(c, 1, 1);
	ret = answer(c, 1);
	if (ret != WEIR_REASON_LOOP)
		return 10 + ret;
	ret = weir_route(c, called);
	if (ret != -ELOOP || strlen(weir_error()) < 8)
		return 5;
	return drain(s[8]) ? 6 : 0;
}

/* --- processes ----------------------------------------------------------------- */

/* Tries to get at a service's requests, over and over; 1 when it got one. */
static int robber(void *arg)
{
	static const char *const names[] = {
		"/tn/v/login", "/tn/v/*", "/tn/v/**", "/tn/**", "/**", "/*",
		"/tn/v/login/**", "/tn/*/login", "/tn/v", "/tn",
	};
	struct tenant_job *job = arg;
	int fd, got = 0;
	size_t i;

	__atomic_add_fetch(&job->meter->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&job->meter->stop, __ATOMIC_ACQUIRE)) {
		fd = tap_socket(SOCK_RDM);
		tap_setopt(fd, WEIR_SO_MODE, 0666);
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, names[i],
				   strlen(names[i]));
		tap_poll(fd, POLLIN, 1);
		got += leaked(fd);
		close(fd);
	}
	return got > 0;
}

static bool measured(struct tenant_meter *m, int phase, uint64_t rounds,
		     bool good, const char *name)
{
	const struct tenant_phase *p = &m->phases[phase];

	if (!tenant_measure(m, phase, rounds))
		tap_bail("%s: no rounds", name);
	/* the one that was under way counts for the phase before */
	tenant_show(m, phase, name);
	return good ? p->good && p->bad <= 1 : p->bad && p->good <= 1;
}

/* A service that is killed, and a robber beside it for all the time. */
static void killed(void)
{
	struct tenant_meter *m = tenant_meter_new();
	struct tenant_job job = {
		.path = "/tn/v/login", .meter = m, .cpu = -1, .mode = 0666,
	};
	uint64_t rounds = tap_scale(500, 50);
	pid_t service, caller, thief;
	struct tenant_job theft = {
		.path = "", .meter = tenant_meter_new(), .cpu = -1,
	};
	int fd, status;

	tenant_victim(VICTIM, &job, &service, &caller);
	tap_ok(measured(m, 0, rounds, true, "before"), "all is answered");
	thief = tenant_start(ATTACKER, robber, &theft);
	tap_until(theft.meter->ready);
	tap_ok(measured(m, 1, rounds, true, "beside a robber"),
	       "all is answered beside a robber");
	tap_kill(service);
	tap_ok(measured(m, 2, 50, false, "the service is dead"),
	       "nothing is answered when the service is dead");
	__atomic_store_n(&theft.meter->stop, 1, __ATOMIC_RELEASE);
	status = tap_wait(thief);
	tap_is(status, 0, "nothing came to the robber");
	fd = service_as(ATTACKER, "/tn/v/login", 0666);
	tap_ok(measured(m, 3, 50, false, "the robber has the name") &&
	       !leaked(fd), "nor when it has the name");
	close(fd);
	service = tenant_start(VICTIM, tenant_service, &job);
	tap_until(m->ready == 3);
	tenant_measure(m, 4, 2);
	tap_ok(measured(m, 5, rounds, true, "after"),
	       "all is answered when the service is back");
	tap_ok(tenant_victim_end(&job, service, caller), "they end");
}

/* An administrator of another namespace takes nothing of this one. */
static int elsewhere(void *arg)
{
	struct tenant_job *job = arg;
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 2;
	fd = tap_socket(SOCK_RDM);
	if (serve_at(fd, "/**") || serve_at(fd, "/tn/v/login"))
		return 3;
	__atomic_add_fetch(&job->meter->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&job->meter->stop, __ATOMIC_ACQUIRE))
		tap_poll(fd, POLLIN, 20);
	return leaked(fd) > 0;
}

static void namespaces(void)
{
	struct tenant_meter *m = tenant_meter_new();
	struct tenant_job job = {
		.path = "/tn/v/login", .meter = m, .cpu = -1, .mode = 0666,
	};
	struct tenant_job there = {
		.path = "", .meter = tenant_meter_new(), .cpu = -1,
	};
	pid_t service, caller, other;
	int ended;

	tenant_victim(VICTIM, &job, &service, &caller);
	other = tenant_start(ATTACKER, elsewhere, &there);
	if (!tap_until_unless_ended(there.meter->ready, other, &ended)) {
		if (ended == 2)
			tap_skip("another namespace", "users make none here");
		else
			tap_ok(0, "its administrator serves what it likes there (%d)",
			       ended);
	} else {
		tap_ok(measured(m, 0, tap_scale(500, 50), true, "beside it"),
		       "all is answered beside another namespace");
		__atomic_store_n(&there.meter->stop, 1, __ATOMIC_RELEASE);
		tap_is(tap_wait(other), 0, "and nothing came there");
	}
	tap_ok(tenant_victim_end(&job, service, caller), "they end");
}

/* --- what the trace shows ------------------------------------------------------ */

/* A name that fills an address, without a NUL byte, is traced as it is. */
static void traced(void)
{
	struct sockaddr_weir addr = { .sw_family = tap_family() };
	int a = sock_as(VICTIM, SOCK_RDM, 0600);
	int b = sock_as(ATTACKER, SOCK_RDM, 0600);
	char line[1024], want[256];
	int lines = 0, good = 0;
	FILE *f;

	if (tap_trace("weir/weir_drop", 1)) {
		tap_skip("a full address in the trace", "no trace events");
		return;
	}
	need(!tap_trace_begin(), "tracing is off");
	memset(addr.sw_path, 'n', sizeof(addr.sw_path));
	memcpy(addr.sw_path, "/tn/", 4);
	snprintf(want, sizeof(want), "weir_drop: %.*s reason ",
		 (int)sizeof(addr.sw_path), addr.sw_path);
	need(!bind(a, (void *)&addr, sizeof(addr)), "bind: %s", tap_words(a));
	tap_fails(bind(b, (void *)&addr, sizeof(addr)), EACCES,
		  "a stranger may not publish there");
	tap_trace("weir/weir_drop", 0);
	f = fopen(TAP_TRACING "trace", "r");
	while (f && fgets(line, sizeof(line), f)) {
		lines += !!strstr(line, "weir_drop: ");
		good += !!strstr(line, want);
	}
	tap_ok(lines == 1 && good == 1,
	       "the trace shows the name and nothing behind it");
	if (f)
		fclose(f);
	close(a);
	close(b);
}

int main(void)
{
	hard_begin();
	tap_watchdog(300);
	if (geteuid())
		tap_skip_all("needs root to become others");
	umask(0);
	if (setgroups(0, NULL))
		tap_bail("groups");
	part(below);
	part(consent);
	part(above);
	restart("/tn/live", "/tn/live", "/tn/live");
	restart("/tn/tree/**", "/tn/tree/**", "/tn/tree/x/y");
	restart("/tn/tree/**", "/tn/tree/x", "/tn/tree/x");
	restart("/tn/tree/x", "/tn/tree/*", "/tn/tree/x");
	part(trusted);
	part(retries);
	part(streams);
	part(changes);
	part(forms);
	part(traced);
	tap_is(tap_wait(spawn(decoys, NULL)), 0,
	       "more patterns than are looked at");
	part(killed);
	part(namespaces);
	check_routes_gone("at the end");
	check_kernel();
	return tap_done();
}
