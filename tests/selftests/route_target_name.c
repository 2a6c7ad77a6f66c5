// SPDX-License-Identifier: GPL-2.0
/*
 * Targets with names: one that comes again under its name gets its shard keys
 * back, and those of others stay. A name is one target of a user on a route;
 * another user may have the same name, and gets other keys.
 */
#include <sys/wait.h>

#include "routed.h"

#define PATH	"/named/a"
#define KEYS	400U
#define TARGETS	5U
#define OTHER	4321		/* another user */

static struct weir *named_server(const char *name)
{
	struct weir_config conf = { .name = name, .inbox_bytes = PLENTY };
	struct weir *w;

	need(!weir_open(&w, SOCK_RDM, &conf), "open: %s", weir_error());
	need(!weir_serve(w, PATH, 1, NULL), "serve: %s", weir_error());
	return w;
}

/* Which target gets each key. */
static void look(struct weir *c, uint32_t route, struct weir **s, uint32_t n,
		 uint8_t *got)
{
	uint32_t key, i, answers = 0;

	for (key = 0; key < KEYS; key++) {
		ask_with(c, route, key, key * 2654435761U, 0);
		got[key] = UINT8_MAX;
		for (i = 0; i < n; i++) {
			if (s[i] && serve_one(s[i], WEIR_KIND_REPLY))
				got[key] = (uint8_t)i;
		}
		answers += (uint32_t)drain(c);
	}
	need(answers == KEYS, "each key has an answer (%u)", answers);
}

static uint32_t differing(const uint8_t *a, const uint8_t *b)
{
	uint32_t key, n = 0;

	for (key = 0; key < KEYS; key++)
		n += a[key] != b[key];
	return n;
}

/* All come again, one after another, in another order. */
static void keys_come_back(void)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_SHARD };
	const char *names[TARGETS] = { "a", "b", "c", "d", "e" };
	uint8_t was[KEYS], is[KEYS];
	struct weir *s[TARGETS], *c;
	uint32_t route, i, key, moved = 0, lost = 0, n = 0;

	need(!route_set(PATH, &conf), "route");
	for (i = 0; i < TARGETS; i++)
		s[i] = named_server(names[i]);
	c = caller(PATH, &route);
	look(c, route, s, TARGETS, was);
	weir_close(s[1]);
	s[1] = NULL;
	look(c, route, s, TARGETS, is);
	for (key = 0; key < KEYS; key++) {
		n += was[key] == 1;
		lost += was[key] != 1 && was[key] != is[key];
	}
	check(n && !lost, "a target with %u of %u keys is away: others keep theirs (%u)",
	      n, KEYS, lost);
	s[1] = named_server(names[1]);
	look(c, route, s, TARGETS, is);
	check(!differing(was, is), "it comes again: %u keys elsewhere",
	      differing(was, is));
	for (i = TARGETS; i-- > 0;) {
		weir_close(s[i]);
		s[i] = named_server(names[i]);
		look(c, route, s, TARGETS, is);
		moved += differing(was, is);
	}
	check(!moved, "all come again: %u keys elsewhere", moved);
	weir_close(c);
	for (i = 0; i < TARGETS; i++)
		weir_close(s[i]);
	need(!route_del(PATH), "route");
	check_routes_gone("keys come back");
}

/* The name that the list has for a target. */
static bool listed(const char *name)
{
	uint32_t n, i, found = 0;
	struct weir_target_entry *all = targets(&n);

	for (i = 0; i < n; i++)
		found += !strcmp(all[i].name, name);
	return found == 1;
}

static void one_of_a_name(void)
{
	struct weir_config conf = { .name = "one" };
	struct weir *a = named_server("one"), *b, *c;

	check(listed("one"), "the list has its name");
	need(!weir_open(&b, SOCK_RDM, &conf), "open");
	check(weir_serve(b, PATH, 1, NULL) == -EEXIST,
	      "a second of the name on the route: %s", weir_error());
	check(!weir_serve(b, "/named/b", 1, NULL), "on another route it may");
	c = server(PATH, 1);
	check(listed("one") == false && listed(""),
	      "two routes, two of the name, and one without");
	weir_close(b);
	weir_close(a);
	a = named_server("one");
	check(true, "after it is closed, the name is free");
	weir_close(a);
	weir_close(c);
	check_routes_gone("one of a name");
}

/* A target that is a route, by a control call. */
static void routes_too(void)
{
	struct weir_route_op op = route_op(WEIR_OP_TARGET_ADD, PATH,
					   "/named/x", 0, 1);

	need(!route_set(PATH, &quiet) && !route_set("/named/x", &quiet) &&
	     !route_set("/named/y", &quiet), "routes");
	strcpy(op.name, "x");
	check(!control(&op, 1) && listed("x"), "a target that is a route");
	strcpy(op.target_path, "/named/y");
	check(control(&op, 1) == -EEXIST, "another of its name");
	strcpy(op.name, "y");
	op.op = WEIR_OP_TARGET_SET;
	check(control(&op, 1) == -EINVAL, "names are for those that are added");
	op.op = WEIR_OP_TARGET_ADD;
	memset(op.name, 'y', sizeof(op.name));
	check(control(&op, 1) == -ENAMETOOLONG, "a name without an end");
	need(!target_op(WEIR_OP_TARGET_DEL, PATH, "/named/x", 0, 0), "del");
	need(!route_del(PATH) && !route_del("/named/x") &&
	     !route_del("/named/y"), "routes");
	check_routes_gone("routes too");
}

/* Another user's target of the same name: it takes no key with it. */
static void other_user(void)
{
	struct weir_route_conf conf = { QUIET, .policy = WEIR_POLICY_SHARD };
	struct weir_config mode = {
		.name = "a", .inbox_bytes = PLENTY, .mode = 0777,
		.set = WEIR_SET_MODE,
	};
	uint8_t was[KEYS], is[KEYS];
	uint32_t route, n;
	struct weir *s[2], *c;
	int up[2], down[2], status;
	char byte = 0;
	pid_t pid;

	need(!weir_open(&s[0], SOCK_RDM, &mode), "open");
	need(!weir_serve(s[0], PATH, 1, NULL), "serve: %s", weir_error());
	need(!route_set(PATH, &conf), "route");
	s[1] = named_server("b");
	c = handle(PLENTY, PLENTY);
	route = route_of(c, PATH);
	look(c, route, s, 2, was);
	need(!pipe(up) && !pipe(down), "pipes");
	pid = fork();
	if (!pid) {
		struct weir *other;

		if (setresuid(OTHER, OTHER, OTHER))
			_exit(2);
		other = named_server("a");
		if (write(up[1], &byte, 1) != 1 || read(down[0], &byte, 1) < 0)
			_exit(3);
		n = serve_all(other, WEIR_KIND_REPLY);
		_exit(n ? 0 : 1);
	}
	need(read(up[0], &byte, 1) == 1, "another user serves");
	for (n = 0; n < KEYS; n++)
		ask_with(c, route, n, n * 2654435761U, 0);
	need(write(down[1], &byte, 1) == 1, "tell");
	status = tap_wait(pid);
	check(!status, "another user may have the name, and gets keys (%d)",
	      status);
	n = 0;
	soon((serve_all(s[0], WEIR_KIND_REPLY), serve_all(s[1], WEIR_KIND_REPLY),
	      n += (uint32_t)drain(c)) == KEYS);
	check(n == KEYS, "all requests are answered (%u of %u)", n, KEYS);
	look(c, route, s, 2, is);
	check(!differing(was, is), "when it is gone, each key is where it was (%u)",
	      differing(was, is));
	weir_close(c);
	weir_close(s[0]);
	weir_close(s[1]);
	need(!route_del(PATH), "route");
	check_routes_gone("other user");
}

int main(void)
{
	hard_begin();
	part(keys_come_back);
	part(one_of_a_name);
	part(routes_too);
	part(other_user);
	return tap_done();
}
