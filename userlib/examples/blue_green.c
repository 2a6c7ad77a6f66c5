// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Moves the traffic of a path from one version of a service to the next in
 * small steps, while clients call it: blue_green PATH [CALLS]. Both versions run
 * in this program, at PATH-blue and PATH-green. They are targets of PATH. Each
 * step changes both weights at once and then sends CALLS requests. The table
 * says how many answers came from each version, and how many were lost. Making
 * PATH a weighted route needs CAP_NET_ADMIN.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <weir_loop.h>

#define STEPS		10
#define IN_FLIGHT	64

/**
 * struct version - a version of the service
 * @path: path that it serves.
 * @loop: settings of its loop.
 * @thread: thread that runs the loop.
 * @ret: return value of weir_loop_run().
 */
struct version {
	char			path[WEIR_PATH_MAX + 1];
	struct weir_loop_config	loop;
	pthread_t		thread;
	int			ret;
};

/* Counts of the callback: answers by their first letter. */
struct tally {
	unsigned long	blue;
	unsigned long	green;
	unsigned long	lost;
};

/* Prints why the router refused a change. */
static char refusal[256];

static void handle(struct weir_worker *worker, const struct weir_msg *msg,
		   struct weir_ticket ticket)
{
	const char *name = worker->arg;

	(void)msg;
	weir_worker_reply(worker, ticket, name, strlen(name));
}

static void *version_main(void *arg)
{
	struct version *v = arg;

	v->ret = weir_loop_run(&v->loop);
	if (v->ret)
		fprintf(stderr, "blue_green: %s\n", weir_error());
	return NULL;
}

static int version_start(struct version *v, const char *path, const char *name)
{
	if (snprintf(v->path, sizeof(v->path), "%s-%s", path, name) >=
	    (int)sizeof(v->path))
		return -ENAMETOOLONG;
	v->loop.path = v->path;
	v->loop.handler = handle;
	v->loop.arg = (void *)name;
	return -pthread_create(&v->thread, NULL, version_main, v);
}

static int control(struct weir *w, struct weir_route_op *ops, uint32_t n)
{
	struct weir_ioc_control c = {
		.size = sizeof(c),
		.op_size = sizeof(*ops),
		.count = n,
		.ops = (uintptr_t)ops,
	};
	socklen_t len = sizeof(refusal) - 1;
	int err;

	if (!ioctl(weir_fd(w), WEIR_IOC_CONTROL, &c))
		return 0;
	err = -errno;
	if (getsockopt(weir_fd(w), SOL_WEIR, WEIR_SO_ERROR_TEXT, refusal,
		       &len) || !refusal[0])
		strcpy(refusal, strerror(-err));
	return err;
}

/* Makes the route, with all the weight on blue. */
static int route_make(struct weir *w, const char *path,
		      const struct version *v)
{
	struct weir_route_op ops[3] = {
		{ .op = WEIR_OP_ROUTE_SET,
		  .conf.policy = WEIR_POLICY_WEIGHTED },
		{ .op = WEIR_OP_TARGET_ADD, .weight = STEPS },
		{ .op = WEIR_OP_TARGET_ADD, .weight = 0 },
	};
	int i;

	for (i = 0; i < 3; i++)
		strcpy(ops[i].path, path);
	for (i = 0; i < 2; i++)
		strcpy(ops[1 + i].target_path, v[i].path);
	return control(w, ops, 3);
}

/* Changes both weights in one step, or neither. */
static int shift(struct weir *w, const char *path, const struct version *v,
		 uint32_t green)
{
	struct weir_route_op ops[2] = {
		{ .op = WEIR_OP_TARGET_SET, .weight = STEPS - green },
		{ .op = WEIR_OP_TARGET_SET, .weight = green },
	};
	int i;

	for (i = 0; i < 2; i++) {
		strcpy(ops[i].path, path);
		strcpy(ops[i].target_path, v[i].path);
	}
	return control(w, ops, 2);
}

static void answered(void *arg, int err, const struct weir_msg *msg)
{
	struct tally *t = arg;

	if (err)
		t->lost++;
	else if (*(const char *)msg->data == 'b')
		t->blue++;
	else
		t->green++;
}

static int call_many(struct weir_calls *c, uint32_t route, unsigned long n,
		     struct tally *t)
{
	struct weir_call call = { .route = route };
	int ret = 0;

	memset(t, 0, sizeof(*t));
	while (ret >= 0 && (n || weir_calls_pending(c))) {
		for (; n && ret >= 0; n -= !ret) {
			ret = weir_calls_send(c, &call, "?", 1, answered, t);
			if (ret == -EAGAIN)
				break;
		}
		if (ret >= 0 || ret == -EAGAIN)
			ret = weir_calls_run(c, WEIR_FOREVER);
	}
	return ret < 0 ? ret : 0;
}

/* Waits until both versions answer. */
static int await(struct weir *w, const struct version *v)
{
	char reply[8];
	ssize_t n = 0;
	int i;

	for (i = 0; i < 2 && n >= 0; i++) {
		int route = weir_route(w, v[i].path);
		struct weir_call call = { .route = (uint32_t)route };

		if (route < 0)
			return route;
		do {
			sched_yield();
			n = weir_call(w, &call, "?", 1, reply, sizeof(reply),
				      1000000000);
		} while (n == -EHOSTUNREACH && !v[i].ret);
	}
	return n < 0 ? (int)n : 0;
}

static int run(struct weir *w, const char *path, const struct version *v,
	       unsigned long calls)
{
	struct weir_calls *c = weir_calls_create(w, IN_FLIGHT);
	unsigned long lost = 0;
	struct tally t;
	uint32_t step;
	int err, route;

	err = c ? await(w, v) : -ENOMEM;
	if (!err)
		err = route_make(w, path, v);
	route = err ? err : weir_route(w, path);
	err = route < 0 ? route : 0;
	if (!err)
		printf("weights     blue    green     lost\n");
	for (step = 0; !err && step <= STEPS; step++) {
		if (step)
			err = shift(w, path, v, step);
		if (!err)
			err = call_many(c, (uint32_t)route, calls, &t);
		if (err)
			break;
		lost += t.lost;
		printf("%3u:%-3u %8lu %8lu %8lu\n", STEPS - step, step, t.blue,
		       t.green, t.lost);
	}
	weir_calls_destroy(c);
	if (!err)
		printf("%lu requests lost\n", lost);
	return err ? err : lost ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct version v[2];
	struct weir *w;
	int err, i, n;

	if (argc < 2 || argc > 3 || strlen(argv[1]) > WEIR_PATH_MAX) {
		fprintf(stderr, "usage: blue_green PATH [CALLS]\n");
		return 2;
	}
	memset(v, 0, sizeof(v));
	err = weir_open(&w, SOCK_RDM, NULL);
	if (err) {
		fprintf(stderr, "blue_green: %s\n", weir_error());
		return 1;
	}
	for (n = 0; !err && n < 2; n += !err)
		err = version_start(&v[n], argv[1], n ? "green" : "blue");
	if (!err)
		err = run(w, argv[1], v, argc > 2 ?
			  strtoul(argv[2], NULL, 10) : 1000);
	if (err < 0)
		fprintf(stderr, "blue_green: %s\n",
			refusal[0] ? refusal : weir_error());
	weir_loop_stop();
	for (i = 0; i < n; i++)
		pthread_join(v[i].thread, NULL);
	weir_close(w);
	return err ? 1 : 0;
}
