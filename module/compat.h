/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that weir builds for: Debian's 6.1, 6.12
 * and 7.2. The only place that may look at LINUX_VERSION_CODE. Each shim says
 * since when and why.
 */
#ifndef _WEIR_COMPAT_H
#define _WEIR_COMPAT_H

#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/version.h>

/* 6.3: vm_flags are written through helpers that take the VMA lock. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void weir_vm_flags_set(struct vm_area_struct *vma,
				     unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void weir_vm_flags_clear(struct vm_area_struct *vma,
				       unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#else
#define weir_vm_flags_set	vm_flags_set
#define weir_vm_flags_clear	vm_flags_clear
#endif

/* 6.10: accept takes one structure instead of flags and kern. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define WEIR_ACCEPT_ARGS	int flags, bool kern
#define WEIR_ACCEPT_FLAGS	(flags)
#else
#define WEIR_ACCEPT_ARGS	struct proto_accept_arg *arg
#define WEIR_ACCEPT_FLAGS	(arg->flags)
#endif

/* 6.19: bind and connect take an address type without a false size. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define weir_sockaddr	sockaddr
#else
#define weir_sockaddr	sockaddr_unsized
#endif

/* 6.10: __assign_str knows its source from the field's declaration. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define weir_assign_str(field, source)	__assign_str(field, source)
#else
#define weir_assign_str(field, source)	__assign_str(field)
#endif

/*
 * 6.12: a driver's VMA may have PMD entries for memory that is not a device's,
 * put in by huge_fault; 6.17: their page frame number is a plain one. Before,
 * weir maps large rings by small pages.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && \
	defined(CONFIG_TRANSPARENT_HUGEPAGE)
#define WEIR_HUGE_FAULT	1
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/pfn_t.h>
#define weir_insert_pfn_pmd(vmf, pfn, write) \
	vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), write)
#else
#define weir_insert_pfn_pmd	vmf_insert_pfn_pmd
#endif
#else
#define WEIR_HUGE_FAULT	0
#endif

/*
 * May threads of an address space be running on any CPU? x86 keeps mm_cpumask
 * up to date; other architectures need not. If a fork has copied a mapping,
 * only one of its address spaces is known.
 */
static inline bool weir_mm_anywhere(bool forked)
{
	return !IS_ENABLED(CONFIG_X86) || forked;
}

/* CPUs on which threads of an address space may be running. */
static inline void weir_mm_cpus(struct mm_struct *mm, bool forked,
				struct cpumask *cpus)
{
	if (!weir_mm_anywhere(forked))
		cpumask_or(cpus, cpus, mm_cpumask(mm));
	else
		cpumask_copy(cpus, cpu_online_mask);
}

#endif /* _WEIR_COMPAT_H */
