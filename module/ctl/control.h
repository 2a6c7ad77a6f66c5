/* SPDX-License-Identifier: GPL-2.0 */
/* Changes to routes: see control.c. */
#ifndef _WEIR_CONTROL_H
#define _WEIR_CONTROL_H

#include "weir.h"

int weir_control(struct weir_sock *ws, void __user *arg);

#endif /* _WEIR_CONTROL_H */
