/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Several messages with one system call, for fd_end.h: of a stream what is
 * together in one buffer, of datagrams sendmmsg() and recvmmsg().
 */

/**
 * struct claim - messages that wait to be sent
 * @n: how many.
 */
struct claim {
	unsigned int	n;
};

/**
 * struct view - messages that have been read
 * @have: how many, with those done with.
 * @at: of these the next.
 * @bytes: read, with a part of the one after.
 */
struct view {
	unsigned int	have;
	unsigned int	at;
	size_t		bytes;
};

#ifdef FD_DATAGRAMS

/* What is in a buffer, one message after another. */
static void fd_spread(struct mmsghdr *msgs, struct iovec *at,
		      unsigned char *buffer, size_t len, unsigned int n)
{
	unsigned int i;

	memset(msgs, 0, n * sizeof(*msgs));
	for (i = 0; i < n; i++) {
		at[i].iov_base = buffer + i * len;
		at[i].iov_len = len;
		msgs[i].msg_hdr.msg_iov = &at[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
}

static inline void fd_flush(struct end *e, struct claim *c)
{
	struct mmsghdr msgs[BATCH_MAX];
	struct iovec at[BATCH_MAX];
	unsigned int done = 0;

	fd_spread(msgs, at, e->put, e->len, c->n);
	while (done < c->n) {
		int n = sendmmsg(e->out, msgs + done, c->n - done, 0);

		if (n <= 0)
			die("sendmmsg: %s", strerror(errno));
		done += (unsigned int)n;
	}
	e->copied += c->n * e->len;
	c->n = 0;
}

static inline void fd_fill(struct end *e, struct view *v)
{
	struct mmsghdr msgs[BATCH_MAX];
	struct iovec at[BATCH_MAX];
	int n, i;

	fd_spread(msgs, at, e->got, e->len, batch_of(e->len));
	n = recvmmsg(e->in, msgs, batch_of(e->len), MSG_WAITFORONE, NULL);
	if (n <= 0)
		die("recvmmsg: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		if (msgs[i].msg_len != e->len)
			die("%u bytes instead of %zu", msgs[i].msg_len, e->len);
	}
	v->have = (unsigned int)n;
	v->at = 0;
}

#else

static inline void fd_flush(struct end *e, struct claim *c)
{
	fd_write(e, c->n * e->len);
	c->n = 0;
}

static inline void fd_fill(struct end *e, struct view *v)
{
	size_t rest = v->bytes - v->have * e->len;

	memmove(e->got, e->got + v->have * e->len, rest);
	v->bytes = fd_read(e, rest, e->len, batch_of(e->len) * e->len);
	v->have = (unsigned int)(v->bytes / e->len);
	v->at = 0;
}

#endif /* FD_DATAGRAMS */

static inline void *end_claim(struct end *e, size_t len, struct claim *c)
{
	fd_window(e);
	return e->put + c->n * len;
}

static inline void end_commit(struct end *e, size_t len, struct claim *c,
			      bool more)
{
	(void)more;
	if (++c->n == batch_of(len))
		fd_flush(e, c);
}

static inline const void *end_peek(struct end *e, size_t len, struct view *v)
{
	if (v->at == v->have)
		fd_fill(e, v);
	return e->got + v->at++ * len;
}

static inline void end_release(struct end *e, struct view *v)
{
	(void)v;
	fd_seen(e);
}

static inline void end_rest(struct end *e, struct claim *c, struct view *v)
{
	(void)v;
	if (c && c->n)
		fd_flush(e, c);
}
