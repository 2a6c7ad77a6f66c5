// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Words for errors, and system calls that do not change errno. Each thread has
 * words of its own. When the kernel refuses a call on a socket, it has more to
 * say than the errno value: the library then fetches its words.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "private.h"

static _Thread_local char weir_words[512];

const char *weir_error(void)
{
	return weir_words;
}

static void weir_error_format(const char *format, va_list args)
{
	vsnprintf(weir_words, sizeof(weir_words), format, args);
}

/* Sets the thread's words. Returns @err, a negative errno value. */
int weir_fail(int err, const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	weir_error_format(format, args);
	va_end(args);
	errno = saved;
	return err;
}

/*
 * As weir_fail(), for a system call that has failed. Appends the kernel's words
 * for @fd, or those of @err if it has none or @fd is negative.
 */
int weir_fail_syscall(int fd, int err, const char *format, ...)
{
	char why[256];
	socklen_t len = sizeof(why) - 1;
	int saved = errno;
	va_list args;
	size_t n;

	va_start(args, format);
	weir_error_format(format, args);
	va_end(args);

	memset(why, 0, sizeof(why));
	if (fd >= 0 && weir_fd_getsockopt(fd, SOL_WEIR, WEIR_SO_ERROR_TEXT, why,
					  &len))
		why[0] = '\0';
	n = strlen(weir_words);
	errno = -err;		/* for %m, which is strerror() for threads */
	if (why[0])
		snprintf(weir_words + n, sizeof(weir_words) - n, ": %s", why);
	else
		snprintf(weir_words + n, sizeof(weir_words) - n, ": %m");
	errno = saved;
	return err;
}

/* The error of a system call on @fd that has just failed. */
static int weir_fd_error(int fd)
{
	return fd == WEIR_FD_FORKED ? -ECHILD : -errno;
}

int weir_fd_ioctl(int fd, unsigned long request, void *arg)
{
	int saved = errno, ret = ioctl(fd, request, arg);

	if (ret < 0)
		ret = weir_fd_error(fd);
	errno = saved;
	return ret;
}

int weir_fd_setsockopt(int fd, int option, const void *value, socklen_t len)
{
	int saved = errno, ret = setsockopt(fd, SOL_WEIR, option, value, len);

	if (ret < 0)
		ret = weir_fd_error(fd);
	errno = saved;
	return ret;
}

int weir_fd_kick(int fd, unsigned int what)
{
	return weir_fd_setsockopt(fd, WEIR_SO_KICK, &what, sizeof(what));
}

int weir_fd_getsockopt(int fd, int level, int option, void *value,
		       socklen_t *len)
{
	int saved = errno, ret = getsockopt(fd, level, option, value, len);

	if (ret < 0)
		ret = weir_fd_error(fd);
	errno = saved;
	return ret;
}

/* Allocates zeroed memory. Sets the words if there is none. */
void *weir_zalloc(size_t bytes)
{
	int saved = errno;
	void *p = calloc(1, bytes);

	errno = saved;
	if (!p)
		weir_fail(-ENOMEM, "out of memory");
	return p;
}
