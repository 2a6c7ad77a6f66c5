/* SPDX-License-Identifier: GPL-2.0 */
/* Telling what waits on a socket: see tell.c. */
#ifndef _WEIR_TELL_H
#define _WEIR_TELL_H

#include <linux/types.h>

#include "weir.h"

/**
 * enum weir_tell - what is told, as bit numbers of weir_party.tells
 * @WEIR_TELL_IN: there is something to read.
 * @WEIR_TELL_OUT: there is room.
 * @WEIR_TELL_STATE: the state has changed: all that wait look.
 * @WEIR_TELL_HUP: to O_ASYNC: the other end has closed.
 * @WEIR_TELL_END: to O_ASYNC: the other end sends no more.
 */
enum weir_tell {
	WEIR_TELL_IN,
	WEIR_TELL_OUT,
	WEIR_TELL_STATE,
	WEIR_TELL_HUP,
	WEIR_TELL_END,
};

void weir_party_tells(struct weir_party *p);
void weir_party_waits(struct weir_party *p);
bool weir_party_defers(const struct weir_party *p);
void weir_party_later(struct weir_party *p, enum weir_tell tell);
void weir_party_tell(struct weir_party *p, enum weir_tell tell);
void weir_party_quits(struct weir_party *p);

#endif /* _WEIR_TELL_H */
