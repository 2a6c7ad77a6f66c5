/* SPDX-License-Identifier: GPL-2.0 */
/* NATS' server, and connections to it; see nats_server.c. */
#ifndef WEIR_BENCH_NATS_SERVER_H
#define WEIR_BENCH_NATS_SERVER_H

#include <nats/nats.h>
#include <sys/types.h>

#include "bench.h"

#define NATS_URL_MAX	32

static inline void good(natsStatus status, const char *what)
{
	if (status != NATS_OK)
		die("nats: %s: %s", what, natsStatus_GetText(status));
}

pid_t nats_server_start(char url[NATS_URL_MAX]);
natsConnection *nats_connect(const char *url, bool soon);

#endif /* WEIR_BENCH_NATS_SERVER_H */
