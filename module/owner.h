/* SPDX-License-Identifier: GPL-2.0 */
/* Users that make rings, readers and paths, and pay for them: see owner.c. */
#ifndef _WEIR_OWNER_H
#define _WEIR_OWNER_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include "memory.h"
#include "weir.h"

struct cred;
struct pid;

/**
 * struct weir_owner - a user that makes rings, readers and paths
 *
 * The owner also pays for what it makes. A socket contains its owner. A ring
 * that is made without a socket has an owner of its own.
 */
struct weir_owner {
	/** @wn: namespace in which they are made; never changes. */
	struct weir_net *wn;
	/** @account: pays for all of them; held, never changes. */
	struct weir_account *account;
	/**
	 * @tenant: user of @account, whose workers call the functions of their
	 * timers; held, never changes.
	 */
	struct weir_tenant *tenant;
	/** @uid: user that makes them; never changes. */
	kuid_t uid;
	/**
	 * @cred: credentials for permission checks on paths; held, never
	 * changes.
	 */
	const struct cred *cred;
	/**
	 * @pid: process that is shown as the one that made them; held, never
	 * changes.
	 */
	struct pid *pid;
	/**
	 * @clock_ns: what the CLOCK_MONOTONIC of its time namespace is ahead of
	 * the kernel's, in ns; of the task that made the owner; never changes.
	 * What it makes counts deadlines on that clock.
	 */
	s64 clock_ns;
	/**
	 * @memcg: memory cgroup to which a reader is charged that another task
	 * makes for this owner, held; NULL: the cgroup of that task. A socket
	 * sets it once, under lock_sock.
	 */
	struct mem_cgroup *memcg;
	/**
	 * @mode: permission bits of the paths that it makes. Of a socket:
	 * lock_sock.
	 */
	umode_t mode;
	/** @gid: group of these paths. Of a socket: lock_sock. */
	kgid_t gid;
	/**
	 * @path: path that refusals are traced with, or ""; belongs to the
	 * object that contains the owner.
	 */
	const char *path;
	/**
	 * @why: text of the last refusal, a static string, or NULL; no lock.
	 */
	const char *why;
};

int weir_owner_init(struct weir_owner *o, struct weir_net *wn,
		    const struct weir_owner *from, const char *path);
void weir_owner_release(struct weir_owner *o);
s64 weir_clock_here(void);
bool weir_owner_admin(const struct weir_owner *o);

/* Returns @err, and keeps the text @why. */
static inline int weir_owner_refuse(struct weir_owner *o, int err,
				    const char *why)
{
	WRITE_ONCE(o->why, why);
	return err;
}

/*
 * weir_memory_prime() for a call that ran out of memory under a lock. Clears
 * the error text when the call is to be tried again.
 */
static inline bool weir_prime(struct weir_owner *o, int err, u64 bytes,
			      unsigned int *tries)
{
	if (!weir_memory_prime(err, bytes, tries))
		return false;
	WRITE_ONCE(o->why, NULL);
	return true;
}

#endif /* _WEIR_OWNER_H */
