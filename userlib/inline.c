// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The inline functions of weir.h as symbols, for the foreign function interfaces
 * of languages that cannot include C. C and C++ programs do not call them.
 */
#define WEIR_INLINE
#include "weir.h"
