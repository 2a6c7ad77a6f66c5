/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the model share: its rings, readers and sockets (model.c),
 * and its router (model_route.c). All of it under the model's lock.
 */
#ifndef WEIR_TESTS_MODEL_PRIVATE_H
#define WEIR_TESTS_MODEL_PRIVATE_H

#include <stdbool.h>
#include "model.h"

#define MODEL_FDS	1024
#define MODEL_SLOTS	64		/* used; WEIR_SLOTS_MAX are mapped */
#define MODEL_READERS	64

/**
 * struct model_ring - an outbox or inbox
 * @memfd: status page, head page, data.
 * @cursor_fd: the cursor pages.
 * @base: status, head, data, data again: writable.
 * @cursors: status (read only), cursor pages.
 * @v: view of it.
 * @status: writable.
 * @slots: readers, by slot.
 * @want: bytes that the sleeping writer wants.
 * @type: SOCK_* of the owner.
 * @owned: its owner's socket is open.
 * @dead: in a grave.
 */
struct model_ring {
	int memfd, cursor_fd;
	unsigned char *base, *cursors;
	struct weir_ring_view v;
	struct weir_status *status;
	struct model_reader *slots[MODEL_SLOTS];
	__u64 want;
	int type;
	bool owned, dead;
};

struct model_reader {
	struct model_ring *ring;
	unsigned int slot;
	bool gating, evicted, armed;
	unsigned int notices;
};

struct model_sock {
	int type;
	__u32 ring_bytes;
	int demand;
	__u32 inbox_bytes;
	bool bound, subscribed;
	struct model_port *port;
	char long_path[WEIR_PATH_MAX + 1];
	struct model_ring *outbox, *inbox;
	struct model_reader *readers[MODEL_READERS];	/* by id */
};

extern struct model_sock *model_socks[MODEL_FDS];

/* --- model.c --- */
struct weir_cursor *model_cursor(const struct model_reader *rd);
struct model_ring *model_ring_new(__u32 bytes, int type, __u64 pos, __u32 seq);
struct model_reader *model_attach(struct model_sock *ws, unsigned int id,
				  struct model_ring *ring);
void model_detach(struct model_sock *ws, unsigned int id);
void model_inbox_new(struct model_sock *ws);
void model_wake_all(void);

/* --- model_route.c --- */
void model_drain(struct model_sock *ws);
int model_route_ioctl(struct model_sock *ws, unsigned long request, void *arg);
void model_route_run(struct model_sock *ws);
void model_route_resume(void);
bool model_route_expire(void);
void model_route_close(struct model_sock *ws);

#endif /* WEIR_TESTS_MODEL_PRIVATE_H */
