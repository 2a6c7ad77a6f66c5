// SPDX-License-Identifier: GPL-2.0
/*
 * Control calls: names wait while one is carried out, so without CAP_NET_ADMIN
 * it makes few changes, or is refused as a whole.
 */
#include "tenants.h"

#define EDGES	500	/* routes before one */

/**
 * struct found - what the attacker tells the test, in shared memory
 * @most: errno of a call of WEIR_OPS_USER_MAX changes.
 * @more: of one change more.
 * @words: why.
 * @targets: that there are after it.
 * @one: of one change to a route that many lead to.
 * @few: of a call of as many such changes as it may make.
 * @left: targets that there are after it.
 */
struct found {
	int most, more, one, few;
	long targets, left;
	char words[256];
};

static struct found *found;

static int call(int fd, struct weir_route_op *ops, uint32_t n)
{
	struct weir_ioc_control ctl = {
		.size = sizeof(ctl), .op_size = sizeof(*ops), .count = n,
		.ops = (uintptr_t)ops,
	};

	return ioctl(fd, WEIR_IOC_CONTROL, &ctl) ? errno : 0;
}

/* A change: one path is to stand behind another. */
static void change(struct weir_route_op *op, const char *from, long i,
		   const char *to, long k)
{
	memset(op, 0, sizeof(*op));
	op->op = WEIR_OP_TARGET_ADD;
	op->weight = 1;
	snprintf(op->path, sizeof(op->path), "/control/%s/%ld", from, i);
	snprintf(op->target_path, sizeof(op->target_path), "/control/%s/%ld",
		 to, k);
}

static long count(int fd)
{
	struct weir_target_entry entry;
	uint64_t id = 0;
	long n = 0;

	while (tenant_list_next(fd, WEIR_LIST_TARGETS, &entry, sizeof(entry),
				&id))
		n++;
	return n;
}

static int attack(void *arg TAP_UNUSED)
{
	struct weir_route_op ops[WEIR_OPS_USER_MAX + 1];
	int fd = tap_socket(SOCK_RDM);
	long i;

	for (i = 0; i <= WEIR_OPS_USER_MAX; i++)
		change(&ops[i], "from", i, "to", i);
	found->more = call(fd, ops, WEIR_OPS_USER_MAX + 1);
	snprintf(found->words, sizeof(found->words), "%s", tap_words(fd));
	found->targets = count(fd);
	for (i = 0; i < WEIR_OPS_USER_MAX; i++) {
		if (call(fd, ops + i, 1))
			return 2;
		ops[i].op = WEIR_OP_TARGET_SET;
	}
	found->most = call(fd, ops, WEIR_OPS_USER_MAX);

	/* each is a way that a new edge behind the hub has to walk */
	for (i = 0; i < EDGES; i++) {
		change(&ops[0], "before", i, "hub", 0);
		if (call(fd, ops, 1))
			return 1;
	}
	for (i = 0; i < WEIR_OPS_USER_MAX; i++)
		change(&ops[i], "hub", 0, "leaf", i);
	found->left = count(fd);
	found->few = call(fd, ops, WEIR_OPS_USER_MAX);
	found->left -= count(fd);
	found->one = call(fd, ops, 1);
	return 0;
}

int main(void)
{
	struct weir_route_op ops[WEIR_OPS_USER_MAX + 1];
	pid_t pid;
	long i;
	int fd;

	tap_begin_as_root(120);
	found = tap_shared(sizeof(*found));
	pid = tenant_start(TENANT_ATTACKER, attack, NULL);
	tap_is(tap_wait(pid), 0, "the attacker has made its calls");
	tap_is(found->more, E2BIG,
	       "a user's call of more than WEIR_OPS_USER_MAX changes is refused");
	tap_ok(!!strstr(found->words, "CAP_NET_ADMIN"),
	       "in words: %s", found->words);
	tap_is(found->targets, 0, "and none of them is made");
	tap_is(found->most, 0, "one of WEIR_OPS_USER_MAX changes is not");
	tap_is(found->few, E2BIG,
	       "changes to a route that many lead to are refused together");
	tap_is(found->left, 0, "and none of them is made");
	tap_is(found->one, 0, "one alone is not");

	fd = tap_socket(SOCK_RDM);
	for (i = 0; i <= WEIR_OPS_USER_MAX; i++)
		change(&ops[i], "admin", i, "admin-to", i);
	tap_is(call(fd, ops, WEIR_OPS_USER_MAX + 1), 0,
	       "an administrator makes more of them");
	close(fd);
	tenant_routes_end();
	tap_ok(tap_until(!tap_stat("stats/charged_objects")),
	       "nothing is charged any more");
	return tap_done();
}
