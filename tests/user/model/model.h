/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's part of weir as a model inside the test process, so that the
 * library and the ring protocol run under sanitizers and with any word of the
 * shared memory set to anything. The linker puts the model in the place of the
 * library's system calls (--wrap).
 *
 * Each party gets its own mapping of the same memory, with the protection that
 * the module gives it and a guard page on either side. The thread sanitizer
 * tells memory by its address, so under it all parties share one mapping.
 *
 * What is left out: names and permissions (every subscriber reads every
 * outbox), linger, named cursors, limits.
 */
#ifndef WEIR_TESTS_MODEL_H
#define WEIR_TESTS_MODEL_H

#include "../../../userlib/weir.h"

/* Where new outboxes start: any multiple of 64, any count. */
extern __u64 model_start_pos;
extern __u32 model_start_seq;

/* Writers fence for themselves instead of being fenced by membarrier(2). */
extern int model_fence_mode;

/* Sleeps that ended by the clock although there was something to wake for. */
extern int model_lost_wakeups;

/* System calls that the library made. */
extern int model_kicks, model_waits;

/* Why the file with the family's number can not be opened; 0: it can. */
extern int model_family_errno;
/* the family of the model's sockets */
extern int model_family;

/* Frees a handle whose descriptor and rings another handle has closed. */
void model_forget(struct weir *w);

/* Bytes of each new inbox. */
extern __u32 model_inbox_bytes;

struct model_words {
	struct weir_status	*status;
	struct weir_head	*head;
	unsigned char		*data;
	struct weir_cursor	*cursor;	/* of the slot asked for */
};

/* The writable words of a socket's outbox, to be set to anything. */
struct model_words model_words(int fd, unsigned int slot);

/* A connected SOCK_SEQPACKET pair. */
void model_pair(int fd[2], __u32 ring_bytes);

/* What the kernel does when the owner of this outbox is gone or broken. */
void model_end(int fd, enum weir_state state);

/* Eviction of the reader in a slot of this outbox. */
void model_evict(int fd, unsigned int slot);

#endif /* WEIR_TESTS_MODEL_H */
