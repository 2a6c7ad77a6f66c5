// SPDX-License-Identifier: GPL-2.0
/*
 * What routes cost the users that did not make them. Messages to a name that
 * takes long to find cost no more when routes of other names come and go
 * between them; a handle finds what comes and goes at its own name; and the
 * forms of patterns are charged.
 */
#include "tenants.h"

#define LEVELS	15

static int serve(int fd, const char *path)
{
	return setsockopt(fd, SOL_WEIR, WEIR_SO_SERVE, path, strlen(path));
}

static int server(const char *path)
{
	int fd = tap_socket(SOCK_RDM);

	tap_setopt(fd, WEIR_SO_RING_BYTES, 4096);
	if (serve(fd, path))
		tap_bail("%s: %s", path, tap_words(fd));
	return fd;
}

/*
 * Whether a one-way message to a path comes to a server; the time to send it.
 */
static int reaches(int from, const char *path, int to, uint64_t *ns)
{
	struct weir_scm_route scm = { .kind = WEIR_KIND_EVENT };
	uint64_t begin = tenant_now_ns();
	char buf[8];
	int sent = tenant_send(from, path, "event", 5, MSG_DONTWAIT, &scm) == 5;

	*ns = tenant_now_ns() - begin;
	return sent && tenant_recv(to, buf, sizeof(buf), MSG_DONTWAIT,
				   &scm) == 5;
}

/* --- others' routes -------------------------------------------------------- */

/* Adds segments of the names a, b, c, ... by number. */
static void segments(char *path, int from, int to)
{
	int i;

	path += strlen(path);
	for (i = from; i < to; i++) {
		*path++ = '/';
		*path++ = (char)('a' + i);
	}
	*path = '\0';
}

/*
 * A path that is found by a pattern at the top, after many that are alike but
 * for their last segment.
 */
static int far_server(char *path)
{
	char pattern[WEIR_PATH_MAX + 1];
	int fd = server("/far/**"), i;

	for (i = 1; i < LEVELS - 2; i++) {
		strcpy(pattern, "/far");
		segments(pattern, 0, i);
		strcat(pattern, "/*");
		segments(pattern, i + 1, LEVELS - 2);
		strcat(pattern, "/none");
		if (serve(fd, pattern))
			tap_bail("%s: %s", pattern, tap_words(fd));
	}
	strcpy(path, "/far");
	segments(path, 0, LEVELS - 1);
	return fd;
}

static void others(void)
{
	struct tenant_meter *m = tenant_meter_new();
	char path[WEIR_PATH_MAX + 1];
	int to = far_server(path), from = tap_socket(SOCK_RDM), other, good;
	long i, rounds = tap_scale(1000, 100);
	uint64_t ns;

	for (i = 0; i < 2 * rounds; i++) {
		m->phase = i % 2;
		if (m->phase) {
			other = server("/other/route");
			close(other);
		}
		good = reaches(from, path, to, &ns);
		tenant_note(m, ns, good);
	}
	tenant_show(m, 0, "nothing changes");
	tenant_show(m, 1, "others' routes come and go");
	tap_ok(!m->phases[0].bad && !m->phases[1].bad,
	       "all messages are delivered");
	/*
	 * Most times contain what a worker does for the server that has gone. A
	 * handle that looked for its route again at each change would take
	 * about seven times as long.
	 */
	tap_ok(tenant_quantile(m, 1, 100) <= 5 * tenant_quantile(m, 0, 100),
	       "others' routes that come and go cost a message little: %llu us, without them %llu us",
	       (unsigned long long)tenant_quantile(m, 1, 100) / 1000,
	       (unsigned long long)tenant_quantile(m, 0, 100) / 1000);
	close(from);
	close(to);
}

/* --- one's own ------------------------------------------------------------- */

static void own(void)
{
	int from = tap_socket(SOCK_RDM), all = server("/own/**"), near, exact;
	uint64_t ns;

	tap_ok(reaches(from, "/own/a/b", all, &ns), "a pattern is found");
	near = server("/own/a/*");
	tap_ok(reaches(from, "/own/a/b", near, &ns), "a nearer one that comes");
	exact = server("/own/a/b");
	tap_ok(reaches(from, "/own/a/b", exact, &ns), "the name that comes");
	close(near);
	tap_ok(reaches(from, "/own/a/b", exact, &ns),
	       "it stays when the pattern goes");
	close(exact);
	tap_ok(reaches(from, "/own/a/b", all, &ns),
	       "the first pattern when the name goes");
	close(all);
	tap_ok(!reaches(from, "/own/a/b", from, &ns), "nothing when that goes");
	all = server("/own/**");
	tap_ok(reaches(from, "/own/a/b", all, &ns), "and what comes again");
	close(all);
	close(from);
}

/* --- forms ----------------------------------------------------------------- */

static long long idle;	/* bytes charged before the test */

static void forms(void)
{
	long long before, first, second;
	int fd;

	/* what the parts before had is freed in its own time */
	tap_ok(tap_until(tap_stat("stats/charged_bytes") <= idle),
	       "nothing is charged");
	fd = server("/forms/of");
	before = tap_stat("stats/charged_bytes");
	if (serve(fd, "/forms/of/*/a"))
		tap_bail("%s", tap_words(fd));
	first = tap_stat("stats/charged_bytes") - before;
	if (serve(fd, "/forms/of/*/b"))
		tap_bail("%s", tap_words(fd));
	second = tap_stat("stats/charged_bytes") - before - first;
	tap_ok(first > second,
	       "the first pattern below a path is charged for the forms: %lld bytes, not %lld",
	       first, second);
	close(fd);
}

int main(void)
{
	tap_family();
	idle = tap_stat("stats/charged_bytes");
	tap_watchdog(120);
	if (geteuid())
		tap_skip_all("needs root");
	others();
	own();
	forms();
	tap_ok(tap_until(!tap_stat("stats/charged_bytes") &&
			 !tap_stat("stats/charged_objects")),
	       "nothing is charged any more");
	return tap_done();
}
