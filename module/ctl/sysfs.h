/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/kernel/weir: see sysfs.c. */
#ifndef _WEIR_SYSFS_H
#define _WEIR_SYSFS_H

int weir_sysfs_init(void);
void weir_sysfs_exit(void);

#endif /* _WEIR_SYSFS_H */
