// SPDX-License-Identifier: GPL-2.0
/*
 * Weir sockets as passengers: passed over AF_UNIX they work in the receiver,
 * also after the sender has exited, through the kernel and through the library
 * (weir_adopt); in flight in a queue that dies they are released; a cycle of
 * AF_UNIX sockets that carry weir sockets is collected. A weir socket itself
 * carries no descriptors: it refuses control messages of any kind, in words.
 */
#include "hard.h"

/* Makes a publisher and a subscriber, passes them on and ends. */
static int sender(void *arg)
{
	int via = *(int *)arg, fd[2];

	fd[0] = raw_publisher(SOCK_RDM, "/fd/pass", 8192);
	fd[1] = raw_subscriber(SOCK_RDM, "/fd/*");
	if (write(fd[0], "first", 5) != 5)
		return 1;
	return send_fd(via, &fd[0], 1) || send_fd(via, &fd[1], 1);
}

/* The same, having mapped them: the receiver must be able to map them again. */
static int sender_mapped(void *arg)
{
	int via = *(int *)arg, fd[2];
	struct weir *p, *s;

	if (weir_open(&p, SOCK_RDM, NULL) || weir_bind(p, "/fd/pass") ||
	    weir_open(&s, SOCK_RDM, NULL) || weir_subscribe(s, "/fd/*"))
		return 2;
	if (weir_send(p, "first", 5, WEIR_DONTWAIT))
		return 1;
	fd[0] = weir_fd(p);
	fd[1] = weir_fd(s);
	return send_fd(via, &fd[0], 1) || send_fd(via, &fd[1], 1);
}

static void passed(bool mapped)
{
	const char *how = mapped ? "mapped" : "raw";
	int sv[2], p, s, ret;
	char data[64];
	struct weir *wp = NULL, *wsub = NULL;

	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), "socketpair");
	ret = tap_wait(spawn(mapped ? sender_mapped : sender, &sv[1]));
	need(!ret, "sender %d", ret);
	p = recv_fd(sv[0]);
	s = recv_fd(sv[0]);
	need(p >= 0 && s >= 0, "passed descriptors");
	check(recv(s, data, sizeof(data), MSG_DONTWAIT) == 5 &&
	      !memcmp(data, "first", 5), "%s: what was sent before is there", how);
	check(write(p, "second", 6) == 6 && read(s, data, sizeof(data)) == 6,
	      "%s: both work after the sender's exit", how);
	check(!weir_adopt(&wp, p, NULL) && !weir_adopt(&wsub, s, NULL),
	      "%s: the library adopts them (%s)", how, weir_error());
	if (wp && wsub) {
		ret = weir_send(wp, "third", 5, WEIR_DONTWAIT);
		if (!ret)
			ret = (int)weir_recv(wsub, data, sizeof(data),
					     2000 * INT64_C(1000000));
		check(ret == 5, "%s: and maps them (%d, %u streams)", how, ret,
		      wsub->nstreams);
		weir_close(wp);
		check(weir_recv(wsub, data, sizeof(data), WEIR_DONTWAIT) == -EAGAIN,
		      "%s: closed", how);
		weir_close(wsub);
	}
	close(sv[0]);
	close(sv[1]);
}

static void in_flight(void)
{
	int sv[2], w[2], i;

	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), "socketpair");
	for (i = 0; i < 50; i++) {
		need(!socketpair(weir_family(), SOCK_SEQPACKET, 0, w), "pair");
		need(write(w[0], "x", 1) == 1, "write");
		need(!send_fd(sv[0], w, 2), "pass");
		close(w[0]);
		close(w[1]);
	}
	close(sv[0]);
	close(sv[1]);
}

static void cycles(void)
{
	int i;

	for (i = 0; i < 50; i++) {
		int a[2], w[2], all[4];

		need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), "socketpair");
		need(!socketpair(weir_family(), SOCK_SEQPACKET, 0, w), "pair");
		all[0] = a[0];
		all[1] = w[0];
		all[2] = w[1];
		all[3] = a[1];
		/* the AF_UNIX socket carries itself, and ours with it */
		need(!send_fd(a[0], all, 4) && !send_fd(a[1], all, 4), "pass");
		close(a[0]);
		close(a[1]);
		close(w[0]);
		close(w[1]);
	}
	/* the collector runs when AF_UNIX sockets are closed */
	for (i = 0; i < 3; i++) {
		int a[2];

		need(!socketpair(AF_UNIX, SOCK_STREAM, 0, a), "socketpair");
		need(!send_fd(a[0], a, 1), "pass");
		close(a[0]);
		close(a[1]);
	}
}

static void carries_none(void)
{
	char ctl[CMSG_SPACE(sizeof(struct ucred))] = { 0 }, c = 'c';
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);
	struct ucred cred = { getpid(), getuid(), getgid() };
	int w[2], sent;

	need(!socketpair(weir_family(), SOCK_SEQPACKET, 0, w), "pair");
	sent = send_fd(w[0], &w[0], 1);
	check(sent == -EINVAL && strstr(tap_words(w[0]), "control messages"),
	      "a weir socket refuses descriptors (%d): %s", sent,
	      tap_words(w[0]));
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_CREDENTIALS;
	cm->cmsg_len = CMSG_LEN(sizeof(cred));
	memcpy(CMSG_DATA(cm), &cred, sizeof(cred));
	check(sendmsg(w[0], &msg, 0) == -1 && errno == EINVAL, "credentials");
	cm->cmsg_level = SOL_WEIR;
	cm->cmsg_type = 1;
	check(sendmsg(w[0], &msg, 0) == -1 && errno == EINVAL,
	      "and what it does not know");
	msg.msg_controllen = 0;
	check(sendmsg(w[0], &msg, 0) == 1 &&
	      recv(w[1], &c, 1, MSG_DONTWAIT) == 1 &&
	      recv(w[1], &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN,
	      "only what had none was sent");
	close(w[0]);
	close(w[1]);
}

int main(void)
{
	struct counters before;

	hard_begin();
	before = counters();
	passed(false);
	check_counters(&before);
	passed(true);
	check_counters(&before);
	in_flight();
	check_counters(&before);
	cycles();
	check_counters(&before);
	carries_none();
	check_counters(&before);
	check_kernel();
	return tap_done();
}
