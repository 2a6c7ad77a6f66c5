// SPDX-License-Identifier: GPL-2.0
/*
 * Owners: users that make rings, readers and paths, by a socket or without one.
 *
 * Process context.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs_struct.h>
#include <linux/memcontrol.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/time_namespace.h>

#include "charge.h"
#include "logic/account.h"
#include "net.h"
#include "owner.h"
#include "tenant.h"

/* Takes one more reference; @memcg may be NULL. */
static struct mem_cgroup *weir_memcg_get(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	if (memcg)
		css_get(&memcg->css);
#endif
	return memcg;
}

/* What the calling task's CLOCK_MONOTONIC is ahead of the kernel's, in ns. */
s64 weir_clock_here(void)
{
	struct timespec64 offset = { };

	timens_add_monotonic(&offset);
	return timespec64_to_ns(&offset);
}

/**
 * weir_owner_init() - prepare an owner
 * @o: the owner, all zeroes.
 * @wn: its namespace.
 * @from: owner whose user, account, credentials, process, clock, memory cgroup,
 *	and mode and group of paths are taken; NULL: those of the calling task,
 *	and no memory cgroup.
 * @path: see weir_owner.path.
 *
 * May sleep. Return: 0; or -ENOMEM, and @o has nothing to release.
 */
int weir_owner_init(struct weir_owner *o, struct weir_net *wn,
		    const struct weir_owner *from, const char *path)
{
	struct weir_account *account;

	if (from) {
		account = from->account;
		weir_account_get(account);
	} else {
		account = weir_account_of_current(wn->net);
		if (IS_ERR(account))
			return PTR_ERR(account);
	}
	o->tenant = weir_tenant_of(account);
	if (!o->tenant) {
		weir_account_put(account);
		return -ENOMEM;
	}
	o->account = account;
	o->wn = wn;
	o->uid = from ? from->uid : current_fsuid();
	o->cred = get_cred(from ? from->cred : current_cred());
	o->pid = get_pid(from ? from->pid : task_tgid(current));
	o->clock_ns = from ? from->clock_ns : weir_clock_here();
	o->memcg = from ? weir_memcg_get(READ_ONCE(from->memcg)) : NULL;
	o->mode = from ? from->mode : 0666 & ~current_umask();
	o->gid = from ? from->gid : o->cred->fsgid;
	o->path = path;
	return 0;
}

/**
 * weir_owner_release() - put what an owner holds
 * @o: the owner; everything that was charged to it has been uncharged.
 */
void weir_owner_release(struct weir_owner *o)
{
	put_cred(o->cred);
	put_pid(o->pid);
	weir_account_put(o->account);
	weir_tenant_put(o->tenant);
	mem_cgroup_put(o->memcg);
}

/**
 * weir_owner_admin() - does an owner have CAP_NET_ADMIN in its namespace?
 * @o: the owner.
 *
 * Return: true if its credentials have the capability.
 */
bool weir_owner_admin(const struct weir_owner *o)
{
	const struct cred *old = override_creds(o->cred);
	bool admin;

	admin = ns_capable_noaudit(o->wn->net->user_ns, CAP_NET_ADMIN);
	revert_creds(old);
	return admin;
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/visibility.h>
EXPORT_SYMBOL_IF_KUNIT(weir_owner_init);
EXPORT_SYMBOL_IF_KUNIT(weir_owner_release);
#endif
