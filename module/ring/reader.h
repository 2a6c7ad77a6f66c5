/* SPDX-License-Identifier: GPL-2.0 */
/* What reader.c and hold.c share. */
#ifndef _WEIR_READER_H
#define _WEIR_READER_H

#include "weir.h"

void weir_reader_ungate(struct weir_reader *rd);
void weir_reader_hide(struct weir_sock *ws, struct weir_reader *rd);
void weir_reader_hold_over(struct weir_timer *timer);
void weir_reader_detach_locked(struct weir_reader *rd, enum weir_reason reason);

#endif /* _WEIR_READER_H */
