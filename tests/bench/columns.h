/* SPDX-License-Identifier: GPL-2.0 */
/* Tables whose columns are measurements; see columns.c. */
#ifndef WEIR_BENCH_COLUMNS_H
#define WEIR_BENCH_COLUMNS_H

#include "bench.h"

void columns_tables(FILE *out, enum bench_mode mode);

#endif /* WEIR_BENCH_COLUMNS_H */
