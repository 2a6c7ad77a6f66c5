// SPDX-License-Identifier: GPL-2.0
/* NATS' server on loopback, and connections to it (libnats). */
#include <errno.h>
#include <unistd.h>

#include "loopback.h"
#include "nats_server.h"

/*
 * It is ready when somebody gets through. The caller keeps or stops it.
 * -errno if it cannot be had. @url: out: where it listens.
 */
pid_t nats_server_start(char url[NATS_URL_MAX])
{
	const char *program = program_find("nats-server");
	struct sockaddr_in at;
	pid_t server;
	int fd;
	char port[8];

	if (!program)
		return -ENOENT;
	close(loopback_bound(SOCK_STREAM, &at));
	snprintf(port, sizeof(port), "%u", ntohs(at.sin_port));
	snprintf(url, NATS_URL_MAX, "nats://127.0.0.1:%s", port);
	server = daemon_start(program, (const char *const []){
		"nats-server", "-a", "127.0.0.1", "-p", port, "-l", "/dev/null",
		NULL });
	fd = loopback_reached(server, &at);
	if (fd < 0)
		return fd;
	close(fd);
	return server;
}

/* @soon: what is sent goes out at once. */
natsConnection *nats_connect(const char *url, bool soon)
{
	natsOptions *how;
	natsConnection *c;

	good(natsOptions_Create(&how), "options");
	good(natsOptions_SetURL(how, url), "url");
	good(natsOptions_SetSendAsap(how, soon), "send at once");
	good(natsConnection_Connect(&c, how), "connect");
	natsOptions_Destroy(how);
	return c;
}
