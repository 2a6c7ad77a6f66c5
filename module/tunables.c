// SPDX-License-Identifier: GPL-2.0
/* The tunables and their defaults; ctl/sysfs.c shows and changes them. */
#include "tunables.h"

#define WEIR_TUNABLE_DEFAULT(_type, _name, _default, ...) ._name = _default,

struct weir_tunables weir_tunables = {
	WEIR_TUNABLE_LIST(WEIR_TUNABLE_DEFAULT)
};
