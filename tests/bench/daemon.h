/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that some contestants need. */
#ifndef WEIR_BENCH_DAEMON_H
#define WEIR_BENCH_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

const char *program_find(const char *name);
int daemon_config(const char *text, char *path, size_t room);
pid_t daemon_start(const char *program, const char *const *args);
bool daemon_ended(pid_t pid);
void daemon_stop(pid_t pid);
uint64_t process_cpu_ns(pid_t pid);
uint64_t daemons_cpu_ns(void);

/* --- roudi.c --- */
int roudi_start(void);

#endif /* WEIR_BENCH_DAEMON_H */
