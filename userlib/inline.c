// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The inline functions of weir.h once more, as symbols for those who can not
 * include C: other languages' foreign function interfaces. C and C++ programs
 * never call these.
 */
#define WEIR_INLINE
#include "weir.h"
