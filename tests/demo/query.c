// SPDX-License-Identifier: GPL-2.0
/*
 * Requests and replies over a connected pair (SOCK_SEQPACKET): the client asks
 * for packages by name, the server answers with the record from its index, or
 * with WEIR_KIND_ERROR and words. The reply carries the tag of its request.
 * Each reads what the other wrote where it lies.
 */
#include <errno.h>
#include <string.h>

#include "demo.h"
#include "random.h"

#define LOOK_NS		((int64_t)(200 * MS))

/* The client's pause between a reply and its next request. */
#define THINK_NS	MS

/* One request of this number is for a package that does not exist. */
#define UNKNOWN_EVERY	50

#define NO_SUCH		"no package of that name"

/* --- server --- */

/**
 * struct server - the server's view
 * @d, @p: the run, and our part in it.
 * @conn: the connection.
 * @names: finds packages.
 */
struct server {
	struct demo	*d;
	struct party	*p;
	struct weir	*conn;
	struct index_names names;
};

static int reply(struct server *s, const void *data, size_t len, uint32_t tag,
		 uint8_t kind)
{
	struct tally *t = &s->p->tally[kind == WEIR_KIND_REPLY ? TALLY_REPLIES :
							     TALLY_REFUSED];
	struct weir_buf buf;
	int err = weir_claim_wait(s->conn, len, &buf, WEIR_FOREVER);

	if (err)
		return err;
	memcpy(buf.data, data, len);
	buf.kind = kind;
	buf.tag = tag;
	tally_add(t, t->count[t->turn & 1].next, len, hash_text(data, len, tag));
	/* the client is woken by the wait for its next request */
	weir_commit_more(s->conn, &buf);
	return 0;
}

static int answer(struct server *s, struct weir_msg *msg)
{
	struct tally *t = &s->p->tally[TALLY_REQUESTS];
	const char *name = msg->data;
	uint32_t tag = msg->rec->tag;
	const struct package *p;
	int err;

	tally_add(t, t->count[t->turn & 1].next, msg->len,
		  hash_text(name, msg->len, tag));
	p = index_find(&s->names, name, msg->len);
	if (p)
		err = reply(s, p, p->bytes, tag, WEIR_KIND_REPLY);
	else
		err = reply(s, NO_SUCH, strlen(NO_SUCH), tag, WEIR_KIND_ERROR);
	return err ? err : weir_release(s->conn, msg);
}

/* Until the client hangs up. */
static int serve(struct server *s)
{
	struct weir_msg msg;
	int ret;

	for (;;) {
		ret = weir_peek(s->conn, &msg);
		if (ret == 1)
			ret = answer(s, &msg);
		else if (!ret)
			ret = weir_wait(s->conn, WEIR_WAIT_IN, 0, WEIR_FOREVER);
		if (ret == -EPIPE)
			return 0;
		if (ret < 0 && ret != -EINTR)
			return actor_fail(&s->p->actor, "the connection", ret);
	}
}

int server_run(struct demo *d, struct party *p)
{
	struct server s = { .d = d, .p = p };
	struct weir_sock_info info;
	struct weir *listener;
	int err;

	if (index_names_make(&s.names, &d->index))
		return actor_fail(&p->actor, "out of memory", 0);
	err = weir_open(&listener, SOCK_SEQPACKET, NULL);
	if (err)
		return actor_fail(&p->actor, "socket", err);
	err = weir_bind(listener, QUERY_PATH);
	if (!err)
		err = weir_listen(listener, 1);
	if (!err) {
		actor_set_state(&p->actor, ACTOR_READY);
		err = weir_accept(listener, &s.conn, WEIR_FOREVER);
	}
	if (err) {
		err = actor_fail(&p->actor, QUERY_PATH, err);
	} else {
		err = serve(&s);
		if (!weir_info(s.conn, &info))
			p->copied_bytes += info.copied_bytes;
		weir_close(s.conn);
	}
	weir_close(listener);
	index_names_free(&s.names);
	return err;
}

/* --- client --- */

/**
 * struct client - the client's view
 * @d, @p: the run, and our part in it.
 * @conn: the connection.
 * @random: state of a generator.
 * @tag: of the last request.
 * @want: the package that it asked for.
 * @unknown: it asked for one that does not exist.
 */
struct client {
	struct demo		*d;
	struct party		*p;
	struct weir		*conn;
	uint64_t		random;
	uint32_t		tag;
	const struct package	*want;
	bool			unknown;
};

static int ask(struct client *c)
{
	struct tally *t = &c->p->tally[TALLY_REQUESTS];
	struct weir_buf buf;
	char *name;
	size_t len;
	int err;

	c->tag++;
	c->unknown = c->tag % UNKNOWN_EVERY == 0;
	c->want = index_package(&c->d->index,
				random_below(&c->random, c->d->index.header->npackages));
	len = c->want->string[PACKAGE_NAME].length + c->unknown;
	err = weir_claim_wait(c->conn, len, &buf, LOOK_NS);
	if (err)
		return actor_fail(&c->p->actor, "request", err);
	name = buf.data;
	/* no Debian package has an underscore in its name */
	name[len - 1] = '_';
	memcpy(name, package_string(c->want, PACKAGE_NAME), len - c->unknown);
	buf.kind = WEIR_KIND_REQUEST;
	buf.tag = c->tag;
	tally_add(t, t->count[t->turn & 1].next, len,
		  hash_text(name, len, c->tag));
	weir_commit_more(c->conn, &buf);
	return 0;
}

/* Is this what was asked for? The record is read in the server's ring. */
static bool fits(const struct client *c, const struct weir_msg *msg)
{
	const struct package *p = msg->data, *known;

	if (msg->rec->tag != c->tag)
		return false;
	if (c->unknown)
		return msg->kind == WEIR_KIND_ERROR;
	if (msg->kind != WEIR_KIND_REPLY || !package_valid(p, msg->len) ||
	    p->id >= c->d->index.header->npackages)
		return false;
	known = index_package(&c->d->index, p->id);
	return p->bytes == known->bytes && !memcmp(p, known, p->bytes) &&
	       !strcmp(package_string(p, PACKAGE_NAME),
		       package_string(c->want, PACKAGE_NAME));
}

static void take_reply(struct client *c, const struct weir_msg *msg,
		       uint64_t asked_ns)
{
	struct tally *t = &c->p->tally[msg->kind == WEIR_KIND_REPLY ?
				       TALLY_REPLIES : TALLY_REFUSED];
	uint32_t kind = __atomic_load_n(&c->d->shared->kind, __ATOMIC_RELAXED);

	histogram_add(&c->p->latency[kind], demo_now_ns() - asked_ns);
	tally_add(t, t->count[t->turn & 1].next, msg->len,
		  hash_text(msg->data, msg->len, msg->rec->tag));
	if (!fits(c, msg))
		c->p->broken++;
}

static int ask_and_wait(struct client *c)
{
	uint64_t asked_ns = demo_now_ns();
	struct weir_msg msg = { 0 };
	int ret = ask(c);

	while (!ret) {
		/* wakes the server, too, if it sleeps */
		ret = weir_wait(c->conn, WEIR_WAIT_IN, 0, LOOK_NS);
		if (ret < 0 && ret != -EINTR)
			return actor_fail(&c->p->actor, "wait", ret);
		ret = weir_peek(c->conn, &msg);
		if (ret < 0)
			return actor_fail(&c->p->actor, "the server hung up", ret);
	}
	if (ret < 0)
		return -1;
	take_reply(c, &msg, asked_ns);
	weir_release(c->conn, &msg);
	return 0;
}

int client_run(struct demo *d, struct party *p)
{
	struct client c = { .d = d, .p = p, .random = RANDOM_SEED };
	struct weir_sock_info info;
	int err = weir_open(&c.conn, SOCK_SEQPACKET, NULL);

	if (err)
		return actor_fail(&p->actor, "socket", err);
	err = weir_connect(c.conn, QUERY_PATH);
	if (err)
		actor_fail(&p->actor, QUERY_PATH, err);
	else
		actor_set_state(&p->actor, ACTOR_READY);
	while (!err && !actor_leaves(&p->actor)) {
		err = ask_and_wait(&c);
		demo_pause(THINK_NS);
	}
	if (!weir_info(c.conn, &info))
		p->copied_bytes += info.copied_bytes;
	weir_close(c.conn);
	return err ? -1 : 0;
}
