// SPDX-License-Identifier: GPL-2.0
/*
 * A large reply to a request with an idempotency key, whose caller's memory cgroup
 * has no room for it: the request is not done twice for all that, and the service
 * does not free the caller's memory for it. With room it is remembered.
 */
#include "routed.h"
#include "tenants.h"

#define GROUP	"tenants_keys"
#define LARGE	(1 << 20)
#define ASKS	5
#define SPARE	(256 << 10)	/* that is left to the cgroup, less than LARGE */

/**
 * struct stage - what caller and service tell each other
 * @go: requests that the caller may send.
 * @answered: requests that have been answered.
 * @reason: enum weir_reason of each answer; 0: a reply.
 * @len: bytes of each.
 */
struct stage {
	int go, answered;
	uint32_t reason[ASKS];
	uint32_t len[ASKS];
};

static struct stage *stage;

/* Of each request. The second may wait for the first, the third may not. */
static const uint64_t keys[ASKS] = { 1, 1, 1, 2, 2 };

static int call(void *arg)
{
	struct weir *w = handle(1 << 16, 8 * LARGE);
	struct weir_call how = { .route = route_of(w, "/keys/large") };
	struct outcome o;
	int i;

	(void)arg;
	for (i = 0; i < ASKS; i++) {
		need(soon(get(&stage->go) > i), "the test goes on");
		how.tag = (uint32_t)i;
		how.dup = keys[i];
		ask_for(w, &how, "?", 1);
		o = next_outcome(w);
		need(o.kind && o.tag == (uint32_t)i, "an answer to %d", i);
		stage->reason[i] = o.fault.reason;
		stage->len[i] = o.len;
		put(&stage->answered, i + 1);
	}
	weir_close(w);
	return 0;
}

static pid_t caller_in_group(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	if (tenant_cgroup_enter(GROUP, getpid()))
		_exit(98);
	tenant_become(TENANT_ATTACKER);
	_exit(call(NULL));
}

/* Has the caller send its next request; returns how often that was done. */
static int done_for_next(struct weir *s, const char *large)
{
	int i = get(&stage->go), done = 0;
	struct weir_ticket ticket;
	struct weir_msg msg;

	put(&stage->go, i + 1);
	need(soon(({
		while (weir_peek(s, &msg) == 1) {
			ticket = weir_ticket(&msg);
			weir_release(s, &msg);
			need(!weir_reply(s, &ticket, large, LARGE,
					 HARD_DEADLINE_NS), "reply");
			done++;
		}
		get(&stage->answered) > i; })), "the caller has its answer");
	return done;
}

/* Leaves the cgroup SPARE bytes, or as many as it likes. */
static void set_spare(bool little)
{
	char words[32] = "max";

	if (little)
		snprintf(words, sizeof(words), "%lld",
			 tenant_cgroup_read(GROUP, "memory.current") + SPARE);
	need(!tenant_cgroup_write(GROUP, "memory.max", words), "memory.max");
}

int main(void)
{
	const struct weir_route_conf conf = {
		QUIET, .dup_window_ns = 600 * SECOND, .dup_bytes = 8 * LARGE,
	};
	char *large = calloc(1, LARGE);
	long long before, short_of;
	struct weir *s;
	pid_t pid;
	int done;

	hard_begin();
	if (tenant_cgroup(GROUP, 0))
		tap_skip_all("no memory cgroups");
	stage = shared_memory(sizeof(*stage));
	s = handle(8 * LARGE, 0);
	need(large && !tap_setopt(weir_fd(s), WEIR_SO_MODE, 0666) &&
	     !weir_serve(s, "/keys/large", 1, NULL) &&
	     !route_set("/keys/large", &conf), "serve");
	pid = caller_in_group();
	/* what the caller needs for itself it has got by then */
	need(soon(tenant_cgroup_read(GROUP, "memory.current") > 8 * LARGE),
	     "the caller's inbox");
	set_spare(true);
	before = tenant_cgroup_event(GROUP, "max");
	check(done_for_next(s, large) == 1 && stage->len[0] == LARGE,
	      "a caller whose memory is short has its reply");
	done = done_for_next(s, large);
	done += done_for_next(s, large);
	check(!done, "its request is not done twice (%d times more)", done);
	check(stage->reason[1] == WEIR_REASON_LIMIT ||
	      stage->reason[1] == WEIR_REASON_DUPLICATE,
	      "who waits is told (%s)", weir_reason_name(stage->reason[1]));
	check(stage->reason[2] == WEIR_REASON_LIMIT,
	      "and who comes later is refused (for %s)",
	      weir_reason_name(stage->reason[2]));
	short_of = tenant_cgroup_event(GROUP, "max") - before;
	check(!short_of, "nobody has reclaimed its memory for that (%lld times)",
	      short_of);
	set_spare(false);
	check(done_for_next(s, large) == 1 && stage->len[3] == LARGE,
	      "another request, when there is memory");
	done = done_for_next(s, large);
	check(!done && stage->len[4] == LARGE,
	      "that is remembered, and given once more (done %d times, %u bytes)",
	      done, stage->len[4]);
	check(!reap(pid), "the caller ends well");
	weir_close(s);
	need(!route_del("/keys/large"), "del");
	rmdir(TENANT_CGROUPS "/" GROUP);
	check_routes_gone("keys");
	check_kernel();
	return hard_done();
}
