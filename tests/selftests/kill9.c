// SPDX-License-Identifier: GPL-2.0
/*
 * Processes killed with SIGKILL at any instant, mapped, in the middle of
 * claims and waits: a publisher, one of several threads, a subscriber, either
 * end of a pair. Those that live on see whole messages in order up to the end
 * of the stream, never half of one, and don't hang; a publisher goes on when a
 * subscriber that held it back is killed. Afterwards nothing is left.
 */
#include <pthread.h>

#include "hard.h"

#define RING	8192
#define THREADS	4

static struct {
	int ready;
	uint64_t sent[THREADS];
	uint64_t read;
} *sh;

static uint64_t progress(void)
{
	uint64_t n = get(&sh->read);
	int i;

	for (i = 0; i < THREADS; i++)
		n += get(&sh->sent[i]);
	return n;
}

static void progress_reset(void)
{
	int i;

	put(&sh->ready, 0);
	put(&sh->read, 0);
	for (i = 0; i < THREADS; i++)
		put(&sh->sent[i], 0);
}

/* What was committed before the kill has come; one more may be on its way. */
static bool all_came(const uint64_t next[THREADS])
{
	int i;

	for (i = 0; i < THREADS; i++) {
		if (next[i] - get(&sh->sent[i]) > 1)
			return false;
	}
	return true;
}

/* Several claimed at once, some aborted. */
static uint64_t publish_batch(struct weir *w, uint32_t me, uint32_t len,
			      uint64_t n)
{
	struct weir_buf buf;
	int left = weir_claim_batch(w, len, 1 + rnd() % 8, &buf);

	for (; left > 0; left = weir_claim_next(w, &buf)) {
		if (rnd() % 8 == 0) {
			weir_abort(w, &buf);
			continue;
		}
		item_fill(buf.data, len, me, n);
		weir_commit_more(w, &buf);
		put(&sh->sent[me], ++n);
	}
	weir_flush(w);
	return n;
}

/* Publishes for ever, with claims that stay open for a while. */
static int publish(struct weir *w, uint32_t me)
{
	uint64_t n = 0;

	for (;;) {
		uint32_t len = item_len(700);
		struct weir_buf buf;

		if (rnd() % 8 < 2)
			n = publish_batch(w, me, len, n);
		if (rnd() % 8 == 0) {
			unsigned char data[700];

			item_fill(data, len, me, n);
			if (send(weir_fd(w), data, len, 0) != (ssize_t)len)
				return 1;
		} else {
			if (weir_claim_wait(w, len, &buf, WEIR_FOREVER))
				return 1;
			item_fill(buf.data, len, me, n);
			if (rnd() % 4)
				weir_commit(w, &buf);
			else
				weir_commit_more(w, &buf);
		}
		put(&sh->sent[me], ++n);
	}
}

static struct weir *shared;

static void *publisher_thread(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	seed(me + (uint64_t)getpid());
	_exit(publish(shared, me));
}

/* @arg: nothing, or anything for several threads. */
static int child_publisher(void *arg)
{
	struct weir_config c = { .ring_bytes = RING,
				 .flags = arg ? WEIR_SHARED : 0 };
	uintptr_t i;

	if (weir_open(&shared, SOCK_RDM, &c) || weir_bind(shared, "/kill9/p"))
		return 20;
	put(&sh->ready, 1);
	for (i = 1; arg && i < THREADS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, publisher_thread, (void *)i))
			return 23;
	}
	return publish(shared, 0);
}

static int child_subscriber(void *arg)
{
	struct weir *w;
	uint64_t next;
	struct weir_msg msg;

	(void)arg;
	if (weir_open(&w, SOCK_RDM, NULL) || weir_subscribe(w, "/kill9/*"))
		return 20;
	put(&sh->ready, 1);
	for (next = 0;;) {
		int ret = weir_peek(w, &msg);

		if (ret < 0)
			return 21;
		if (!ret) {
			weir_wait(w, WEIR_WAIT_IN, 0, WEIR_FOREVER);
			continue;
		}
		do {
			if (!item_good(msg.data, msg.len))
				return 22;
			next++;
		} while (rnd() % 2 && weir_peek_next(w, &msg));
		weir_release(w, &msg);
		put(&sh->read, next);
	}
}

/* After a random time, counted in messages or in looks. */
static void strike(pid_t pid)
{
	uint64_t until = progress() + rnd() % 60;
	int looks = (int)(rnd() % 3000);

	while (looks-- && progress() < until) {
		if (looks % 64 == 0)
			sched_yield();
	}
	kill(pid, SIGKILL);
}

static int pid_gone(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	/* an error code of its own is an error; it never ends by itself */
	return WIFEXITED(status) ? WEXITSTATUS(status) ? WEXITSTATUS(status) : 99 : 0;
}

/*
 * Waits for more of the publisher @pid, which is 0 once it has been reaped;
 * @looks counts from then on. Returns 1 when it was killed before it published
 * at all, or an error.
 */
static int wait_for_more(struct weir *w, pid_t *pid, int *looks)
{
	int ret = weir_wait(w, WEIR_WAIT_IN, 0, 50 * 1000000), status;
	struct weir_msg msg;

	if (ret < 0 && ret != -EINTR)
		return 43;
	if (!ret && waitpid(*pid, &status, WNOHANG) == *pid) {
		*pid = 0;
		if (WIFEXITED(status))
			return 44;
		if (!w->nstreams && weir_peek(w, &msg) == 0 && !w->nstreams)
			return 1;
	}
	/* the end was never told */
	return !*pid && ++*looks > 1200 ? 45 : 0;
}

static int item_in_order(const struct weir_msg *msg, uint64_t next[THREADS])
{
	const struct item *it = msg->data;

	if (!item_good(it, msg->len) || it->from >= THREADS)
		return 46;
	return it->n == next[it->from]++ ? 0 : 47;
}

/* Reads on until its end has been seen; a stuck reader fails here. */
static int read_to_end(struct weir *w, pid_t *pid, uint64_t next[THREADS])
{
	struct weir_msg msg;
	bool ended = false;
	int looks = 0, ret;

	for (;;) {
		ret = weir_peek(w, &msg);
		if (ret < 0)
			return 42;
		if (!ret && ended)
			return 0;
		if (!ret) {
			ret = wait_for_more(w, pid, &looks);
			if (ret)
				return ret == 1 ? 0 : ret;
			continue;
		}
		if (msg.kind == WEIR_KIND_NOTICE) {
			const struct weir_notice *no = msg.data;

			ended |= no->type == WEIR_NOTICE_DETACHED;
		} else {
			ret = item_in_order(&msg, next);
			if (ret)
				return ret;
		}
		weir_release(w, &msg);
	}
}

static int kill_publisher(bool threads)
{
	struct weir_config c = { .flags = WEIR_NOTICES };
	uint64_t next[THREADS] = { 0 };
	struct weir *w;
	pid_t pid;
	int ret;

	progress_reset();
	if (weir_open(&w, SOCK_RDM, &c) || weir_subscribe(w, "/kill9/*"))
		return 40;
	pid = spawn(child_publisher, threads ? &threads : NULL);
	if (rnd() % 4 && !soon(get(&sh->ready)))
		return 41;
	if (fork() == 0) {
		/* who strikes, while this process reads */
		seed((uint64_t)getpid());
		strike(pid);
		_exit(0);
	}
	ret = read_to_end(w, &pid, next);
	if (pid && pid_gone(pid))
		ret = ret ? ret : 48;
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (!ret && !all_came(next))
		ret = 49;
	weir_close(w);
	return ret;
}

static int kill_subscriber(void)
{
	struct weir_config c = { .ring_bytes = 4096 };
	unsigned char data[400];
	struct weir *w;
	uint64_t n = 0;
	pid_t pid, killer;
	int ret = 0, left = 200;

	progress_reset();
	if (weir_open(&w, SOCK_RDM, &c) || weir_bind(w, "/kill9/s"))
		return 60;
	pid = spawn(child_subscriber, NULL);
	if (rnd() % 4 && !soon(get(&sh->ready)))
		return 61;
	killer = fork();
	if (killer == 0) {
		seed((uint64_t)getpid());
		strike(pid);
		_exit(0);
	}
	/* on until well after it is dead; it must not be held back for ever */
	while (left) {
		uint32_t len = item_len(sizeof(data));

		item_fill(data, len, 0, n);
		ret = rnd() & 1 ? weir_send(w, data, len, HARD_DEADLINE_NS) :
		      send(weir_fd(w), data, len, 0) == (ssize_t)len ? 0 : -errno;
		if (ret)
			break;
		put(&sh->sent[0], ++n);
		if (waitpid(killer, NULL, WNOHANG))
			left--;
	}
	ret = ret ? 62 : 0;
	if (pid_gone(pid))
		ret = ret ? ret : 63;
	weir_close(w);
	return ret;
}

static int child_end(void *arg)
{
	bool writes = arg;
	uint64_t next = 0;
	struct weir *w;
	int ret;

	if (weir_open(&w, SOCK_SEQPACKET, NULL) || weir_connect(w, "/kill9/l"))
		return 20;
	put(&sh->ready, 1);
	if (writes)
		return publish(w, 0);
	do {
		unsigned char data[RING];
		ssize_t len = weir_recv(w, data, sizeof(data), WEIR_FOREVER);

		ret = len > 0 && item_good(data, (size_t)len) &&
		      ((struct item *)data)->n == next++;
		put(&sh->read, next);
	} while (ret);
	return 21;
}

static int kill_end(struct weir *l, bool it_writes)
{
	unsigned char data[700];
	struct weir *w;
	uint64_t next[THREADS] = { 0 };
	pid_t pid, killer;
	int ret;

	progress_reset();
	pid = spawn(child_end, (void *)(intptr_t)it_writes);
	if (weir_accept(l, &w, HARD_DEADLINE_NS))
		return 80;
	killer = fork();
	if (killer == 0) {
		seed((uint64_t)getpid());
		strike(pid);
		_exit(0);
	}
	for (;;) {
		if (it_writes) {
			ssize_t len = weir_recv(w, data, sizeof(data), HARD_DEADLINE_NS);

			if (len == -EPIPE) {
				ret = 0;
				break;
			}
			if (len < 0)
				note("recv: %s", strerror((int)-len));
			ret = len < 0 ? 81 : !item_good(data, (size_t)len) ? 82 :
			      ((struct item *)data)->n != next[0]++ ? 83 : 0;
		} else {
			uint32_t len = item_len(sizeof(data));

			item_fill(data, len, 0, next[0]++);
			ret = weir_send(w, data, len, HARD_DEADLINE_NS);
			if (ret == -EPIPE) {
				ret = 0;
				break;
			}
			put(&sh->sent[0], next[0]);
			ret = ret ? 84 : 0;
		}
		if (ret)
			break;
	}
	kill(killer, SIGKILL);
	waitpid(killer, NULL, 0);
	if (ret)
		kill(pid, SIGKILL);
	if (pid_gone(pid))
		ret = ret ? ret : 85;
	if (!ret && it_writes && !all_came(next))
		ret = 86;
	weir_close(w);
	return ret;
}

int main(void)
{
	static const char *const names[] = {
		"publisher", "publisher of four threads", "subscriber",
		"pair, the end that writes", "pair, the end that reads",
	};
	long rounds = scaled(250), i;
	struct counters before;
	struct weir *l;
	int kind;

	hard_begin();
	before = counters();
	sh = shared_memory(4096);
	need(!weir_open(&l, SOCK_SEQPACKET, NULL) && !weir_bind(l, "/kill9/l") &&
	     !weir_listen(l, 4), "listen");
	for (kind = 0; kind < 5; kind++) {
		int ret = 0;

		for (i = 0; !ret && i < rounds; i++) {
			seed(tap_seed() << 32 | (uint64_t)(i * 5 + kind));
			ret = kind < 2 ? kill_publisher(kind == 1) :
			      kind == 2 ? kill_subscriber() :
			      kill_end(l, kind == 3);
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		}
		check(!ret, "%s killed %ld times (%d)", names[kind], i, ret);
	}
	weir_close(l);
	check_counters(&before);
	check_kernel();
	return hard_done();
}
