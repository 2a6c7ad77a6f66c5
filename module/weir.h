/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The objects of the module, their owners, and the order of locks.
 *
 * Sockets and users
 *   weir_sock     a socket; contains an owner and a party
 *   weir_owner    makes rings, readers and paths, and pays for them: owner.h
 *   weir_account  the users, and the namespace, that pay for what an owner
 *                 makes: logic/account.h
 *   weir_user     a user's memory and objects on the whole host: the same file
 *   weir_tenant   the same user's workers, for what is done later: tenant.h
 *   weir_party    a socket as its rings know it: party.h
 *   weir_endpoint what calls and serves: a socket in the router:
 *                 route/endpoint.h
 *
 * Lifetimes
 *   object        references are held by               last put
 *   weir_sock     the file, each sock_hold()           frees the sock
 *   weir_ring     its owner socket, its path while     frees pages, gives the
 *                 lingering, each reader, each VMA,    memory back to the caps
 *                 its timers that are set
 *   weir_reader   its ring's slot table, its socket's  frees the cursor page,
 *                 table, each VMA, its timer while     puts the ring
 *                 it is set, a call that uses it
 *   weir_path     publishers, lingering rings, the     leaves the trie (under
 *                 listener, the route, patterns        weir_net.lock)
 *   weir_account  owners, endpoints, each charge to it puts its users
 *   weir_tenant   owners, rings, readers, endpoints,   leaves the table of users
 *                 its queued works
 *
 * A queued work holds its object too: see work.h. A look-up under RCU alone
 * (rings, endpoints, routes) may find an object that is ending. Such a look-up
 * takes a reference that can fail. Other objects leave their table, under the
 * table's lock, before their last put. A look-up under that lock may take a
 * reference without a check.
 *
 * Lock order, outermost first
 *    1 lock_sock(sk)           a socket's set-up state (bind, connect, ...)
 *    2 weir_user.change_lock   one user's changes of routes at a time
 *    3 weir_net.lock           names, patterns, subscriptions, routes, targets,
 *                              plans; held for a constant time: no large
 *                              allocation or search
 *    4 poll_lock               the threads that poll: route/poller.c. The lock
 *                              of CPU hotplug comes before it.
 *    5 weir_poller.lock        one round of such a thread
 *    6 weir_endpoint.dispatch_lock
 *                              one pass over an outbox at a time
 *    7 weir_sock.iolock        one kernel receiver at a time
 *    8 mmap_lock               (copying to and from user space, mmap, faults)
 *    9 weir_ring.slot_lock     slot table, cursor pages in the owner's VMAs
 *   10 weir_party.lock         the list of streams that a socket reads
 *   11 weir_ring.lock          readers, armed sleepers, the status page
 *   12 weir_ring.post.lock     space in an inbox, notices that wait for it, and
 *                              the calls of its endpoint; a second one only by
 *                              spin_trylock()
 *   13 weir_tenant.lock        what is done later for a user
 *   14 weir_ring.lock of an inbox (a lock class of its own); weir_breaker.lock;
 *      weir_dups.lock
 * Softirq takes 11 to 14, and nothing before them: see softirq.h.
 * weir_party.ids has a lock of its own, which is taken under 11 and therefore
 * with BH disabled, too.
 *
 * A ring's pointer to a party is cleared, under the ring's lock, before its
 * socket is freed.
 */
#ifndef _WEIR_MODULE_H
#define _WEIR_MODULE_H

#include <linux/types.h>

#include <uapi/weir.h>
#include <uapi/weir_ring.h>

#include "compat.h"

struct mem_cgroup;
struct weir_account;
struct weir_endpoint;
struct weir_forms;
struct weir_pending_joins;
struct weir_net;
struct weir_owner;
struct weir_party;
struct weir_path;
struct weir_pattern;
struct weir_reader;
struct weir_ring;
struct weir_ring_spec;
struct weir_route;
struct weir_sock;
struct weir_tenant;

extern unsigned int weir_family;

#endif /* _WEIR_MODULE_H */
