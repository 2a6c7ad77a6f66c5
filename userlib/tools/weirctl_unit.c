// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * Reads values with units, as people write them, and writes them: 64K, 1.5s,
 * 0.5%. A value that was written is read as exactly the same value.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"
#include "weirctl_unit.h"

/* A number with an optional K, M, G or T for powers of 1024. */
bool weirctl_number(const char *text, unsigned long long *value)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	int shift;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end | 0x20);
	if (!unit || end[1])
		return false;
	shift = 10 * (int)(unit - units + 1);
	if (*value > ~0ULL >> shift)
		return false;
	*value <<= shift;
	return true;
}

/**
 * weirctl_decimal() - a decimal number times a unit, exactly
 * @text: the text, at the number.
 * @unit: value of the number 1, at most 3.6e12.
 * @value: out.
 *
 * Return: false if the text is no number, is too large, or is finer than 1 /
 * @unit.
 */
static bool weirctl_decimal(const char *text, size_t len, uint64_t unit,
			    uint64_t *value)
{
	unsigned __int128 n = 0, scale = 1;
	bool point = false, digit = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (text[i] < '0' || text[i] > '9' || n > INT64_MAX)
			return false;
		digit = true;
		n = 10 * n + (unsigned int)(text[i] - '0');
		if (point)
			scale *= 10;
		if (scale > 1000000000)
			return false;
	}
	n *= unit;
	if (!digit || n % scale || n / scale > INT64_MAX)
		return false;
	*value = (uint64_t)(n / scale);
	return true;
}

static const struct {
	const char	*name;
	uint64_t	ns;
} weirctl_times[] = {
	{ "h",	3600000000000 },
	{ "m",	60000000000 },
	{ "s",	1000000000 },
	{ "ms",	1000000 },
	{ "us",	1000 },
	{ "ns",	1 },
};

#define WEIRCTL_TIMES	(sizeof(weirctl_times) / sizeof(weirctl_times[0]))

/* A number, which may have a fraction, and h, m, s, ms, us or ns; or 0. */
bool weirctl_duration(const char *text, uint64_t *ns)
{
	size_t len = strspn(text, "0123456789."), i;

	if (!strcmp(text, "0")) {
		*ns = 0;
		return true;
	}
	for (i = 0; i < WEIRCTL_TIMES; i++) {
		if (!strcmp(text + len, weirctl_times[i].name))
			return weirctl_decimal(text, len, weirctl_times[i].ns,
					       ns);
	}
	return false;
}

/* 0% to 100%, with a decimal. */
bool weirctl_share(const char *text, uint32_t *permille)
{
	size_t len = strspn(text, "0123456789.");
	uint64_t n;

	if (!strcmp(text, "0")) {
		*permille = 0;
		return true;
	}
	if (strcmp(text + len, "%") || !weirctl_decimal(text, len, 10, &n) ||
	    n > 1000)
		return false;
	*permille = (uint32_t)n;
	return true;
}

/* In the largest unit of which it is a whole number. */
const char *weirctl_duration_text(uint64_t ns, char buf[24])
{
	size_t i = 0;

	if (!ns)
		return strcpy(buf, "0s");
	while (ns % weirctl_times[i].ns)
		i++;
	snprintf(buf, 24, "%llu%s",
		 (unsigned long long)(ns / weirctl_times[i].ns),
		 weirctl_times[i].name);
	return buf;
}

const char *weirctl_size_text(uint64_t bytes, char buf[24])
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	size_t i = 0;

	while (bytes && bytes % 1024 == 0 && i < 4) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, 24, "%llu%s", (unsigned long long)bytes, units[i]);
	return buf;
}

/* --- for reading, with three digits --- */

/* Three digits and a unit; @step is 1024 or 1000. */
static const char *weirctl_scaled(double n, double step, char *buf)
{
	static const char units[] = " KMGTPE";
	size_t i = 0;

	while (n >= step && i + 2 < sizeof(units)) {
		n /= step;
		i++;
	}
	if (!i || n == (double)(uint64_t)n || n >= 100)
		snprintf(buf, 24, "%.0f", n);
	else
		snprintf(buf, 24, "%.1f", n);
	if (i)
		snprintf(buf + strlen(buf), 24 - strlen(buf), "%c", units[i]);
	return buf;
}

const char *weirctl_bytes(const struct weirctl_options *o, uint64_t n,
			  char *buf)
{
	if (!o->exact)
		return weirctl_scaled((double)n, 1024, buf);
	snprintf(buf, 24, "%llu", (unsigned long long)n);
	return buf;
}

const char *weirctl_rate(const struct weirctl_options *o, double n, char *buf)
{
	if (!o->exact)
		return weirctl_scaled(n, 1000, buf);
	snprintf(buf, 24, "%.1f", n);
	return buf;
}

/* A time with three digits: 850ns, 12.3us, 1.5s. */
const char *weirctl_time(const struct weirctl_options *o, uint64_t ns,
			 char *buf)
{
	static const char *const units[] = { "ns", "us", "ms" };
	double n = (double)ns;
	size_t i = 0;

	if (o->exact) {
		snprintf(buf, 24, "%lluns", (unsigned long long)ns);
		return buf;
	}
	while (n >= 999.5 && i < 3) {
		n /= 1000;
		i++;
	}
	snprintf(buf, 24, n >= 99.95 || !i ? "%.0f%s" : "%.1f%s", n,
		 i < 3 ? units[i] : "s");
	return buf;
}
