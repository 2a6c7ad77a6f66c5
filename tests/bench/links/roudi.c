// SPDX-License-Identifier: GPL-2.0
/* RouDi, iceoryx's daemon, which has the memory. */
#include <errno.h>
#include <unistd.h>

#include "bench.h"
#include "daemon.h"

static pid_t roudi;

/* Once for all measurements. A client waits until it is ready. 0, or -errno. */
int roudi_start(void)
{
	static const char config[] =
		"[general]\n"
		"version = 1\n"
		"[[segment]]\n"
		"[[segment.mempool]]\nsize = 128\ncount = 10000\n"
		"[[segment.mempool]]\nsize = 1024\ncount = 5000\n"
		"[[segment.mempool]]\nsize = 20000\ncount = 1000\n"
		"[[segment.mempool]]\nsize = 70000\ncount = 400\n"
		"[[segment.mempool]]\nsize = 1100000\ncount = 64\n";
	const char *program = program_find("iox-roudi");
	char path[32];
	int fd;

	if (roudi)
		return 0;
	if (!program)
		return -ENOENT;
	fd = daemon_config(config, path, sizeof(path));
	roudi = daemon_start(program, (const char *const []){
		"iox-roudi", "-m", "off", "-l", "error", "-c", path, NULL });
	close(fd);
	return 0;
}
