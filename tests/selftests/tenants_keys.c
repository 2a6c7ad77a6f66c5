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
 * @sent: requests that it has sent.
 * @answered: requests that have been answered.
 * @reason: enum weir_reason of each answer; 0: a reply.
 * @len: bytes of each.
 */
struct stage {
	int go, sent, answered;
	uint32_t reason[ASKS];
	uint32_t len[ASKS];
};

static struct stage *stage;

/* Of each request. The second waits for the first, the third comes too late. */
static const uint64_t keys[ASKS] = { 1, 1, 1, 2, 2 };

static void read_answer(struct weir *w)
{
	struct outcome o = next_outcome(w);

	need(o.kind && o.tag < ASKS, "an answer");
	stage->reason[o.tag] = o.fault.reason;
	stage->len[o.tag] = o.len;
	add(&stage->answered, 1);
}

/* Sends the first two before it reads an answer. */
static int call(void *arg)
{
	struct weir *w = handle(1 << 16, 8 * LARGE);
	struct weir_call how = { .route = route_of(w, "/keys/large") };
	int i;

	(void)arg;
	for (i = 0; i < ASKS; i++) {
		need(soon(get(&stage->go) > i), "the test goes on");
		how.tag = (uint32_t)i;
		how.dup = keys[i];
		ask_for(w, &how, "?", 1);
		put(&stage->sent, i + 1);
		while (i && get(&stage->answered) <= i)
			read_answer(w);
	}
	weir_close(w);
	return 0;
}

/* Has the caller send @n requests; returns how often that was done. */
static int done_for(struct weir *s, int n, const char *large)
{
	int go = get(&stage->go) + n, done = 0;
	struct weir_ticket ticket;
	struct weir_msg msg;

	put(&stage->go, go);
	need(soon(get(&stage->sent) == go), "the caller sends");
	need(soon(({
		while (weir_peek(s, &msg) == 1) {
			ticket = weir_ticket(&msg);
			weir_release(s, &msg);
			need(!weir_reply(s, &ticket, large, LARGE,
					 HARD_DEADLINE_NS), "reply");
			done++;
		}
		get(&stage->answered) == go; })), "the caller has its answers");
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
	stage = tap_shared(sizeof(*stage));
	s = handle(8 * LARGE, 0);
	need(large && !tap_setopt(weir_fd(s), WEIR_SO_MODE, 0666) &&
	     !weir_serve(s, "/keys/large", 1, NULL) &&
	     !route_set("/keys/large", &conf), "serve");
	pid = tenant_start_in(GROUP, TENANT_ATTACKER, call, NULL);
	/* what the caller needs for itself it has got by then */
	need(soon(tenant_cgroup_read(GROUP, "memory.current") > 8 * LARGE),
	     "the caller's inbox");
	set_spare(true);
	before = tenant_cgroup_event(GROUP, "max");
	done = done_for(s, 2, large);
	check(done && stage->len[0] == LARGE,
	      "a caller whose memory is short has its reply");
	check(stage->reason[1] == WEIR_REASON_DUPLICATE,
	      "a request that waits for that reply is told (%s)",
	      weir_reason_name(stage->reason[1]));
	done += done_for(s, 1, large);
	check(done == 1, "the request is done once (%d)", done);
	check(stage->reason[2] == WEIR_REASON_LIMIT,
	      "and one that comes later is refused (for %s)",
	      weir_reason_name(stage->reason[2]));
	short_of = tenant_cgroup_event(GROUP, "max") - before;
	check(!short_of, "nobody has reclaimed its memory for that (%lld times)",
	      short_of);
	set_spare(false);
	check(done_for(s, 1, large) == 1 && stage->len[3] == LARGE,
	      "another request, when there is memory");
	done = done_for(s, 1, large);
	check(!done && stage->len[4] == LARGE,
	      "that is remembered, and given once more (done %d times, %u bytes)",
	      done, stage->len[4]);
	check(!tap_wait(pid), "the caller ends well");
	weir_close(s);
	need(!route_del("/keys/large"), "del");
	rmdir(TENANT_CGROUPS "/" GROUP);
	check_routes_gone("keys");
	check_kernel();
	return tap_done();
}
