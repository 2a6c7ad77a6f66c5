/* SPDX-License-Identifier: GPL-2.0 */
/* What is measured by number, of libraries; see scale.c. */
#ifndef WEIR_BENCH_SCALE_H
#define WEIR_BENCH_SCALE_H

#include <stdbool.h>

unsigned int scale_most(bool required);
void scale_nats(unsigned int round);
void scale_zmq(unsigned int round);

#endif /* WEIR_BENCH_SCALE_H */
