/* SPDX-License-Identifier: GPL-2.0 */
/* How costs grow with numbers; see growth.c. */
#ifndef WEIR_BENCH_GROWTH_H
#define WEIR_BENCH_GROWTH_H

#include "bench.h"

void growth_write(FILE *file);
void growth_table(FILE *out, enum bench_mode mode);

#endif /* WEIR_BENCH_GROWTH_H */
