// SPDX-License-Identifier: GPL-2.0
/*
 * Paths have an owner, a group and mode bits, as files do. Children with other
 * user and group ids try what the bits permit: reading to subscribe, writing to
 * publish, listen and connect; writing on the nearest path above for a new name
 * below it. What a pattern may not read is skipped. CAP_NET_ADMIN overrides;
 * the umask counts; the creator of the socket is judged, not the process that
 * uses it. The library's configuration sets group and mode, 0 as well.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <weir.h>

#include "selftest.h"

#define OWNER	1001
#define MEMBER	1002
#define OTHER	1003
#define GROUP	2001

/* Becomes a user; group 0 stands for "in no group of interest". */
static void become(uid_t uid, gid_t gid, gid_t extra)
{
	gid_t groups[1] = { extra };

	umask(0);
	if (setgroups(extra ? 1 : 0, groups) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		_exit(99);
}

enum act { SUBSCRIBE, TAP, PUBLISH, LISTEN, CONNECT };

static const char *const act_names[] = {
	"subscribe", "tap", "publish", "listen", "connect",
};

/* What an act says: 0 or errno. */
static int act_on(enum act act, const char *path)
{
	static const int type[] = {
		[SUBSCRIBE] = SOCK_RDM, [TAP] = SOCK_DGRAM,
		[PUBLISH] = SOCK_RDM, [LISTEN] = SOCK_SEQPACKET,
		[CONNECT] = SOCK_SEQPACKET,
	};
	int fd = tap_socket(type[act]), ret;

	if (act == PUBLISH || act == LISTEN)
		ret = tap_bind(fd, path);
	else
		ret = tap_connect(fd, path);
	ret = ret ? errno : 0;
	if (ret == EACCES && strlen(tap_words(fd)) < 8)
		ret = 98;	/* refused without words */
	close(fd);
	return ret;
}

static int try(uid_t uid, gid_t gid, gid_t extra, enum act act,
	       const char *path)
{
	pid_t pid = fork();

	if (!pid) {
		become(uid, gid, extra);
		_exit(act_on(act, path));
	}
	return tap_wait(pid);
}

static void check(uid_t uid, gid_t extra, enum act act, const char *path,
		  int want)
{
	int got = try(uid, uid, extra, act, path);

	if (!tap_ok(got == want, "uid %d%s: %s %s: %s", uid,
		    extra ? " in the group" : "", act_names[act], path,
		    want ? strerror(want) : "permitted"))
		tap_diag("got %d (%s)", got, strerror(got));
}

/* A child that owns a path until it is told to go. */
struct owner {
	pid_t pid;
	int fd;
};

static struct owner own(int type, const char *path, int mode, int group)
{
	struct owner o;
	int sync[2], end[2];
	char c;

	if (pipe(sync) || pipe(end))
		tap_bail("pipe");
	o.pid = fork();
	if (!o.pid) {
		int fd;

		close(end[1]);
		become(OWNER, OWNER, group > 0 ? group : 0);
		fd = tap_socket(type);
		if ((mode >= 0 && tap_setopt(fd, WEIR_SO_MODE, mode)) ||
		    (group > 0 && tap_setopt(fd, WEIR_SO_GROUP, group)) ||
		    tap_bind(fd, path) ||
		    (type == SOCK_SEQPACKET && listen(fd, 50)) ||
		    write(sync[1], "x", 1) != 1)
			_exit(1);
		_exit(read(end[0], &c, 1) != 1);
	}
	close(sync[1]);
	close(end[0]);
	if (read(sync[0], &c, 1) != 1)
		tap_bail("owner of %s", path);
	close(sync[0]);
	o.fd = end[1];
	return o;
}

static void disown(struct owner o)
{
	/* a byte, not the end: other children have the pipe, too */
	if (write(o.fd, "x", 1) != 1 || tap_wait(o.pid))
		tap_bail("owner");
	close(o.fd);
}

static void bits(void)
{
	/* each class has a bit of its own: which one counts is seen */
	static const struct {
		int mode;
		int can[3][2];		/* owner, member, other; read, write */
	} modes[] = {
		{ 0600, { { 1, 1 }, { 0, 0 }, { 0, 0 } } },
		{ 0640, { { 1, 1 }, { 1, 0 }, { 0, 0 } } },
		{ 0420, { { 1, 0 }, { 0, 1 }, { 0, 0 } } },
		{ 0204, { { 0, 1 }, { 0, 0 }, { 1, 0 } } },
		{ 0066, { { 0, 0 }, { 1, 1 }, { 1, 1 } } },
		{ 0606, { { 1, 1 }, { 0, 0 }, { 1, 1 } } },
		{ 0000, { { 0, 0 }, { 0, 0 }, { 0, 0 } } },
		{ 0111, { { 0, 0 }, { 0, 0 }, { 0, 0 } } },
		{ 0666, { { 1, 1 }, { 1, 1 }, { 1, 1 } } },
	};
	static const uid_t who[3] = { OWNER, MEMBER, OTHER };
	size_t i;
	int w;

	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		struct owner rdm, seq;

		tap_diag("mode %04o", modes[i].mode);
		rdm = own(SOCK_RDM, "/perm/rdm", modes[i].mode, GROUP);
		seq = own(SOCK_SEQPACKET, "/perm/seq", modes[i].mode, GROUP);
		for (w = 0; w < 3; w++) {
			gid_t extra = w == 1 ? GROUP : 0;
			int r = modes[i].can[w][0] ? 0 : EACCES;
			int wr = modes[i].can[w][1] ? 0 : EACCES;

			check(who[w], extra, SUBSCRIBE, "/perm/rdm", r);
			check(who[w], extra, TAP, "/perm/rdm", r);
			check(who[w], extra, PUBLISH, "/perm/rdm", wr);
			check(who[w], extra, CONNECT, "/perm/seq", wr);
			check(who[w], extra, LISTEN, "/perm/seq",
			      wr ?: EADDRINUSE);
			check(who[w], extra, PUBLISH, "/perm/rdm/below/it", wr);
		}
		disown(rdm);
		disown(seq);
	}
}

static void groups(void)
{
	struct owner o = own(SOCK_RDM, "/perm/own", 0640, 0);
	pid_t pid;

	tap_diag("the group is the maker's unless said otherwise");
	tap_is(try(MEMBER, OWNER, 0, SUBSCRIBE, "/perm/own"), 0,
	       "primary group of the maker counts");
	tap_is(try(MEMBER, MEMBER, OWNER, SUBSCRIBE, "/perm/own"), 0,
	       "as a supplementary group too");
	tap_is(try(MEMBER, MEMBER, 0, SUBSCRIBE, "/perm/own"), EACCES,
	       "another group does not");
	disown(o);
	pid = fork();
	if (!pid) {
		int fd;

		become(OTHER, OTHER, 0);
		fd = tap_socket(SOCK_RDM);
		_exit(tap_setopt(fd, WEIR_SO_GROUP, GROUP) == -1 &&
		      errno == EPERM && strlen(tap_words(fd)) > 8 ? 0 : 1);
	}
	tap_is(tap_wait(pid), 0, "a group one is not in cannot be given");
}

static void pattern_members(void)
{
	struct owner open = own(SOCK_RDM, "/perm/p/open", 0666, 0);
	struct owner closed = own(SOCK_RDM, "/perm/p/closed", 0600, 0), later;
	long long denied = tap_stat("drops/denied");
	int sync[2];
	pid_t pid;
	char c;

	if (pipe(sync))
		tap_bail("pipe");
	pid = fork();
	if (!pid) {
		int fd, good;

		become(OTHER, OTHER, 0);
		fd = tap_socket(SOCK_RDM);
		good = !tap_connect(fd, "/perm/p/*") &&
		       tap_info(fd).streams == 1;
		if (!good || write(sync[1], "x", 1) != 1)
			_exit(1);
		/* one more comes that may be read, and one that may not */
		good = tap_until(tap_info(fd).streams == 2);
		_exit(good ? 0 : 2);
	}
	close(sync[1]);
	tap_is(read(sync[0], &c, 1), 1, "a pattern skips what it may not read");
	tap_is(tap_stat("drops/denied") - denied, 1, "and it is counted");
	later = own(SOCK_RDM, "/perm/p/closed2", 0660, 0);
	tap_is(tap_stat("drops/denied") - denied, 2,
	       "a publisher that comes later is judged, too");
	disown(later);
	later = own(SOCK_RDM, "/perm/p/open2", 0664, 0);
	tap_is(tap_wait(pid), 0, "one that may be read is attached");
	close(sync[0]);
	disown(later);
	disown(open);
	disown(closed);
}

static int drop_caps_but(int cap)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2] = { { 0 } };

	if (cap >= 0)
		d[cap / 32].effective = d[cap / 32].permitted = 1u << cap % 32;
	return syscall(SYS_capset, &h, d);
}

static void capability(void)
{
	struct owner o = own(SOCK_RDM, "/perm/cap", 0000, 0);
	static const struct {
		int cap;
		int want;
		const char *name;
	} tries[] = {
		{ CAP_NET_ADMIN, 0, "CAP_NET_ADMIN overrides" },
		{ CAP_DAC_OVERRIDE, EACCES, "CAP_DAC_OVERRIDE does not" },
		{ -1, EACCES, "nor does uid 0 as such" },
	};
	size_t i;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		pid = fork();
		if (!pid) {
			if (drop_caps_but(tries[i].cap))
				_exit(97);
			_exit(act_on(SUBSCRIBE, "/perm/cap"));
		}
		tap_is(tap_wait(pid), tries[i].want, tries[i].name);
	}
	disown(o);
}

static void masks(void)
{
	static const struct {
		mode_t umask;
		int mode;
	} m[] = { { 0, 0666 }, { 022, 0644 }, { 077, 0600 }, { 0777, 0 } };
	mode_t old = umask(0);
	size_t i;

	for (i = 0; i < 4; i++) {
		int fd;

		umask(m[i].umask);
		fd = tap_socket(SOCK_RDM);
		tap_ok(tap_getopt(fd, WEIR_SO_MODE) == m[i].mode,
		       "umask %04o makes mode %04o", m[i].umask, m[i].mode);
		umask(0);
		if (tap_bind(fd, "/perm/umask"))
			tap_bail("bind");
		tap_is(try(OTHER, OTHER, 0, SUBSCRIBE, "/perm/umask"),
		       m[i].mode & 04 ? 0 : EACCES, "others' read bit");
		tap_is(try(OTHER, OTHER, 0, PUBLISH, "/perm/umask"),
		       m[i].mode & 02 ? 0 : EACCES, "others' write bit");
		close(fd);
	}
	umask(old);
}

/* A socket made by root is root's, whoever connects it. */
static void makers(void)
{
	struct owner o = own(SOCK_RDM, "/perm/maker", 0600, 0);
	int fd = tap_socket(SOCK_RDM);
	pid_t pid = fork();

	if (!pid) {
		become(OTHER, OTHER, 0);
		_exit(tap_connect(fd, "/perm/maker") ? errno : 0);
	}
	tap_is(tap_wait(pid), 0, "the maker of the socket is judged");
	close(fd);
	disown(o);
}

static struct weir *library_owner(const struct weir_config *c)
{
	struct weir *w;

	if (weir_open(&w, SOCK_RDM, c) || weir_bind(w, "/perm/lib"))
		tap_bail("library: %s", weir_error());
	return w;
}

static void library(void)
{
	struct weir_config c = { .set = WEIR_SET_MODE };
	struct weir *w;

	/* mode 0 is one that can be asked for, not the default */
	w = library_owner(&c);
	tap_is(tap_getopt(weir_fd(w), WEIR_SO_MODE), 0, "WEIR_SET_MODE, 0");
	check(OTHER, 0, SUBSCRIBE, "/perm/lib", EACCES);
	check(OTHER, 0, PUBLISH, "/perm/lib", EACCES);
	weir_close(w);

	/* without the bits the members do not count */
	c = (struct weir_config){ .mode = 0600, .group = GROUP };
	w = library_owner(&c);
	tap_is(tap_getopt(weir_fd(w), WEIR_SO_MODE), 0666, "mode, not set");
	tap_is(tap_getopt(weir_fd(w), WEIR_SO_GROUP), (int)getegid(),
	       "group, not set");
	weir_close(w);

	c = (struct weir_config){
		.set = WEIR_SET_MODE | WEIR_SET_GROUP,
		.mode = 0640, .group = GROUP,
	};
	w = library_owner(&c);
	tap_is(tap_getopt(weir_fd(w), WEIR_SO_GROUP), GROUP, "WEIR_SET_GROUP");
	check(MEMBER, GROUP, SUBSCRIBE, "/perm/lib", 0);
	check(MEMBER, GROUP, PUBLISH, "/perm/lib", EACCES);
	check(OTHER, 0, SUBSCRIBE, "/perm/lib", EACCES);
	weir_close(w);

	/* root's group is 0, and can be given as well */
	c.group = 0;
	w = library_owner(&c);
	tap_is(tap_getopt(weir_fd(w), WEIR_SO_GROUP), 0, "group 0");
	check(MEMBER, GROUP, SUBSCRIBE, "/perm/lib", EACCES);
	weir_close(w);

	c = (struct weir_config){ .set = 0x80 };
	tap_ok(weir_open(&w, SOCK_RDM, &c) == -EINVAL &&
	       strstr(weir_error(), "unknown bits 0x80"),
	       "an unknown bit: %s", weir_error());
}

static void first_comer(void)
{
	struct owner o = own(SOCK_RDM, "/perm/first", 0644, 0);
	struct owner deep = own(SOCK_RDM, "/perm/first/a/b", 0666, 0);

	check(OTHER, 0, PUBLISH, "/perm/first/a/b/c", 0);
	check(OTHER, 0, PUBLISH, "/perm/first/a/x", EACCES);
	check(OTHER, 0, PUBLISH, "/perm/firstling", 0);
	check(OTHER, 0, PUBLISH, "/perm/first/a/b", 0);
	check(OTHER, 0, LISTEN, "/perm/first/l", EACCES);
	check(OWNER, 0, PUBLISH, "/perm/first/a/x", 0);
	disown(deep);
	disown(o);
	check(OTHER, 0, PUBLISH, "/perm/first/a/x", 0);
}

int main(void)
{
	tap_family();
	tap_watchdog(300);
	if (geteuid())
		tap_skip_all("needs root to become others");
	umask(0);
	bits();
	groups();
	pattern_members();
	capability();
	masks();
	makers();
	library();
	first_comer();
	return tap_done();
}
