/* SPDX-License-Identifier: GPL-2.0 */
/* Many routes; see many_routes.c. */
#ifndef WEIR_BENCH_MANY_ROUTES_H
#define WEIR_BENCH_MANY_ROUTES_H

#include <stdbool.h>

bool many_routes_allow(unsigned int n);
void many_routes_path(char *to, unsigned int i);
bool many_routes_set(unsigned int from, unsigned int to);
bool many_routes_remove(unsigned int from, unsigned int to);

#endif /* WEIR_BENCH_MANY_ROUTES_H */
