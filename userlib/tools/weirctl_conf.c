// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The keys of a route, named after struct weir_route_conf: one table says how
 * each is written, what it may be and what it means. The command line, the
 * configuration file, tables and completion all use this table.
 *
 * A change starts from the conf that a route has, or from nothing. It takes
 * keys one by one and is then finished: a key that a given key needs, and that
 * is not given itself, gets its default. The kernel checks the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weirctl.h"
#include "weirctl_conf.h"
#include "weirctl_json.h"
#include "weirctl_pattern.h"
#include "weirctl_reason.h"
#include "weirctl_similar.h"
#include "weirctl_unit.h"

#define CONF(member)	offsetof(struct weir_route_conf, member)
#define NONE		0
#define U32		UINT32_MAX
#define FREE		WEIRCTL_NO_LEAD
#define BREAKER		CONF(breaker_min_calls)
#define RETRY		CONF(retries)
#define DUP		CONF(dup_window_ns)
#define MIRROR		CONF(mirror)
#define DAY		86400000000000	/* longest of all times, in ns */
#define POLICY_WORD(_name, _number, word)	", " word

const struct weirctl_key weirctl_keys[] = {
	{ "policy", WEIRCTL_KEY_POLICY, CONF(policy), 0, WEIR_POLICY_MAX - 1,
	  FREE, "any", "which targets get a message" },
	{ "quorum", WEIRCTL_KEY_COUNT, CONF(quorum), 1, WEIR_TARGETS_MAX,
	  FREE, "most", "replies that complete a request, of policy quorum" },
	{ "rate", WEIRCTL_KEY_COUNT, CONF(rate), 1, 1000000000,
	  FREE, "unlimited", "messages per second" },
	{ "burst", WEIRCTL_KEY_COUNT, CONF(burst), 1, U32,
	  FREE, "a tenth of rate", "messages at once" },
	{ "bulkhead", WEIRCTL_KEY_COUNT, CONF(bulkhead), 1, INT32_MAX,
	  FREE, "unlimited", "requests in flight at one target" },
	{ "timeout", WEIRCTL_KEY_DURATION, CONF(timeout_ns), 1, DAY,
	  FREE, "5s", "deadline of requests that have none" },
	{ "deadline-max", WEIRCTL_KEY_DURATION, CONF(deadline_max_ns), 1, DAY,
	  FREE, "1m, or timeout", "longest deadline of a request" },
	{ "patience", WEIRCTL_KEY_DURATION, CONF(patience_ns), 1, DAY,
	  FREE, "100ms", "how long replies wait for a caller's inbox" },
	{ "probe", WEIRCTL_KEY_PROBE, CONF(probe_ns), 1000000, DAY,
	  FREE, "50ms", "how often the watchdog looks" },
	{ "breaker", WEIRCTL_KEY_SWITCH, BREAKER, NONE, NONE,
	  FREE, "off", "circuit breakers of the targets" },
	{ "breaker-error", WEIRCTL_KEY_PERCENT, CONF(breaker_error_percent),
	  1, 100, BREAKER, "never", "share of failed calls that opens a breaker" },
	{ "breaker-slow", WEIRCTL_KEY_PERCENT, CONF(breaker_slow_percent),
	  1, 100, BREAKER, "never", "share of slow calls that opens a breaker" },
	{ "breaker-slow-after", WEIRCTL_KEY_DURATION, CONF(breaker_slow_ns),
	  1, DAY, BREAKER, "none is", "a call that takes longer is slow" },
	{ "breaker-min-calls", WEIRCTL_KEY_COUNT, BREAKER,
	  1, U32, BREAKER, "", "fewest calls in the window that are judged" },
	{ "breaker-window", WEIRCTL_KEY_DURATION, CONF(breaker_window_ns),
	  8, DAY, BREAKER, "", "age up to which calls count" },
	{ "breaker-open", WEIRCTL_KEY_DURATION, CONF(breaker_open_ns),
	  1, DAY, BREAKER, "", "how long a breaker stays open" },
	{ "breaker-max-open", WEIRCTL_KEY_PERCENT,
	  CONF(breaker_max_open_percent), 1, 100, BREAKER, "all",
	  "share of breakers that refuse at once" },
	{ "breaker-probes", WEIRCTL_KEY_COUNT, CONF(breaker_probes),
	  1, 64, BREAKER, "", "calls let through while half-open" },
	{ "retries", WEIRCTL_KEY_COUNT, RETRY, 1, 16,
	  FREE, "none", "attempts after the first, of idempotent requests" },
	{ "retry-base", WEIRCTL_KEY_DURATION, CONF(retry_base_ns), 1, DAY,
	  RETRY, "", "pause before the first retry; it doubles" },
	{ "retry-max", WEIRCTL_KEY_DURATION, CONF(retry_max_ns), 1, DAY,
	  RETRY, "", "longest pause before a retry" },
	{ "dup-window", WEIRCTL_KEY_DURATION, DUP, 1, DAY,
	  FREE, "off", "how long idempotency keys are remembered" },
	{ "dup-entries", WEIRCTL_KEY_COUNT, CONF(dup_entries), 1,
	  1 << 20, DUP, "4096", "idempotency keys that are remembered" },
	{ "dup-bytes", WEIRCTL_KEY_BYTES, CONF(dup_bytes), 1, 64 << 20,
	  DUP, "1M", "bytes of replies that are remembered" },
	{ "mirror", WEIRCTL_KEY_PATH, CONF(mirror), NONE, NONE,
	  FREE, "none", "path that gets copies" },
	{ "mirror-share", WEIRCTL_KEY_PERMILLE, CONF(mirror_permille), 1, 1000,
	  MIRROR, "none", "share of the messages that mirror gets" },
	{ "fallback", WEIRCTL_KEY_PATH, CONF(fallback), NONE, NONE,
	  FREE, "none", "path that gets requests which a guard refused" },
	{ "fallback-reply", WEIRCTL_KEY_REPLY, CONF(fallback_len), NONE, NONE,
	  FREE, "none", "reply to requests which a guard refused" },
	{ "fallback-file", WEIRCTL_KEY_FILE, CONF(fallback_len), NONE, NONE,
	  FREE, "none", "file with the reply to such requests" },
};

const size_t weirctl_key_count = sizeof(weirctl_keys) / sizeof(weirctl_keys[0]);

/* Defaults of keys that a group needs and that are not given. */
static const struct {
	const char	*key;
	const char	*value;
} weirctl_defaults[] = {
	{ "breaker-min-calls",	"20" },
	{ "breaker-window",	"10s" },
	{ "breaker-open",	"5s" },
	{ "breaker-probes",	"3" },
	{ "retry-base",		"2ms" },
	{ "retry-max",		"100ms" },
	{ "mirror-share",	"100%" },
};

/*
 * Is 0 an ordinary value of the key? Otherwise it stands for a default or for
 * no limit, and is written in words. A key of a group is written as 0 while its
 * lead is set.
 */
static bool weirctl_zero_is_value(const struct weirctl_key *k)
{
	return k->lead != FREE || !strcmp(k->zero, "none") ||
	       !strcmp(k->zero, "off");
}

/* Do these words stand for 0? */
static bool weirctl_zero_words(const struct weirctl_key *k, const char *value)
{
	return k->zero[0] &&
	       (!strcmp(value, k->zero) ||
		(!strcmp(value, "none") && !strcmp(k->zero, "unlimited")));
}

__attribute__((format(printf, 2, 3)))
static bool weirctl_no(char why[WEIRCTL_WHY], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, WEIRCTL_WHY, format, args);
	va_end(args);
	return false;
}

static const struct weirctl_key *weirctl_key(const char *name)
{
	size_t i;

	for (i = 0; i < weirctl_key_count; i++) {
		if (!strcmp(weirctl_keys[i].name, name))
			return &weirctl_keys[i];
	}
	return NULL;
}

static bool weirctl_no_key(const char *name, char why[WEIRCTL_WHY])
{
	struct weirctl_similar s = { .word = name };
	char hint[80];
	size_t i;

	for (i = 0; i < weirctl_key_count; i++)
		weirctl_similar_try(&s, weirctl_keys[i].name);
	return weirctl_no(why, "there is no key '%.100s'%s", name,
			  weirctl_similar_text(&s, "", hint));
}

static bool weirctl_key_wide(const struct weirctl_key *k)
{
	return k->kind == WEIRCTL_KEY_DURATION || k->kind == WEIRCTL_KEY_PROBE;
}

/* Is a key that is a path set? */
static uint64_t weirctl_key_value(const struct weirctl_key *k,
				  const struct weir_route_conf *conf)
{
	const char *at = (const char *)conf + k->offset;
	uint64_t wide;
	uint32_t narrow;

	if (k->kind == WEIRCTL_KEY_PATH)
		return *at != '\0';
	if (weirctl_key_wide(k)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static void weirctl_key_store(const struct weirctl_key *k,
			      struct weir_route_conf *conf, uint64_t value)
{
	char *at = (char *)conf + k->offset;
	uint32_t narrow = (uint32_t)value;

	if (weirctl_key_wide(k))
		memcpy(at, &value, sizeof(value));
	else
		memcpy(at, &narrow, sizeof(narrow));
}

/* The key whose member is at @offset; the switch stands for its group. */
static const struct weirctl_key *weirctl_key_at(size_t offset)
{
	size_t i = 0;

	while (weirctl_keys[i].offset != offset ||
	       weirctl_keys[i].kind == WEIRCTL_KEY_SWITCH)
		i++;
	return &weirctl_keys[i];
}

/* --- changes --- */

/* Starts a change from the conf that a route has; NULL: from the defaults. */
void weirctl_change_init(struct weirctl_change *c,
			 const struct weir_route_conf *now)
{
	memset(c, 0, sizeof(*c));
	if (now)
		c->conf = *now;
	c->conf.fallback_reply = 0;
}

void weirctl_change_free(struct weirctl_change *c)
{
	free(c->reply);
	c->reply = NULL;
}

/* Takes over @reply, which was malloc()ed. */
static bool weirctl_take_reply(struct weirctl_change *c, char *reply,
			       size_t len, char why[WEIRCTL_WHY])
{
	weirctl_change_free(c);
	c->reply = reply;
	if (len > WEIR_FALLBACK_MAX)
		return weirctl_no(why, "a fallback reply has at most %u bytes, this one %zu",
				  WEIR_FALLBACK_MAX, len);
	c->conf.fallback_len = (uint32_t)len;
	c->conf.fallback_reply = len ? (uintptr_t)reply : 0;
	return true;
}

static bool weirctl_take_file(struct weirctl_change *c, const char *name,
			      char why[WEIRCTL_WHY])
{
	char *reply = weirctl_must(malloc(WEIR_FALLBACK_MAX + 1));
	size_t len = 0;
	ssize_t n = 1;
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && n > 0 && len <= WEIR_FALLBACK_MAX) {
		n = read(fd, reply + len, WEIR_FALLBACK_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0) {
		weirctl_no(why, "%s: %s", name, strerror(errno));
		free(reply);
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	if (len > WEIR_FALLBACK_MAX) {
		free(reply);
		return weirctl_no(why, "%s: a fallback reply has at most %u bytes",
				  name, WEIR_FALLBACK_MAX);
	}
	if (!len) {
		free(reply);
		return weirctl_no(why, "%s: the file is empty", name);
	}
	return weirctl_take_reply(c, reply, len, why);
}

static bool weirctl_take_path(const struct weirctl_key *k,
			      struct weirctl_change *c, const char *value,
			      char why[WEIRCTL_WHY])
{
	char *at = (char *)&c->conf + k->offset;
	const char *wrong = *value ? weirctl_pattern_check(value) : NULL;

	if (!wrong && strchr(value, '*'))
		wrong = "it must not have wildcards";
	if (wrong)
		return weirctl_no(why, "%s: '%.200s' is no path: %s", k->name,
				  value, wrong);
	memset(at, 0, WEIR_PATH_MAX + 1);
	memcpy(at, value, strlen(value));
	return true;
}

static bool weirctl_take_policy(struct weirctl_change *c, const char *value,
				char why[WEIRCTL_WHY])
{
	static const char names[] = WEIR_POLICY_LIST(POLICY_WORD);
	uint32_t i;

	for (i = 0; i < WEIR_POLICY_MAX; i++) {
		if (!strcmp(value, weirctl_policy_name(i))) {
			c->conf.policy = i;
			return true;
		}
	}
	return weirctl_no(why, "policy: '%.100s' is none of %s", value,
			  names + strlen(", "));
}

static bool weirctl_take_switch(struct weirctl_change *c, const char *value,
				char why[WEIRCTL_WHY])
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return weirctl_no(why, "breaker: on or off, not '%.100s'", value);
	c->breaker_off = value[1] == 'f';
	return true;
}

/* A number in the key's unit. */
static bool weirctl_key_parse(const struct weirctl_key *k, const char *value,
			      uint64_t *v, char why[WEIRCTL_WHY])
{
	unsigned long long number;
	uint32_t permille;

	switch (k->kind) {
	case WEIRCTL_KEY_DURATION:
	case WEIRCTL_KEY_PROBE:
		if (weirctl_duration(value, v))
			return true;
		return weirctl_no(why, "%s: '%.100s' is no duration: a number and ns, us, ms, s, m or h",
				  k->name, value);
	case WEIRCTL_KEY_PERCENT:
	case WEIRCTL_KEY_PERMILLE:
		if (!weirctl_share(value, &permille))
			return weirctl_no(why, "%s: '%.100s' is no share: 0%% to 100%%",
					  k->name, value);
		if (k->kind == WEIRCTL_KEY_PERCENT && permille % 10)
			return weirctl_no(why, "%s: a whole number of percent, not %.100s",
					  k->name, value);
		*v = k->kind == WEIRCTL_KEY_PERCENT ? permille / 10 : permille;
		return true;
	default:
		if (!weirctl_number(value, &number))
			return weirctl_no(why, "%s: '%.100s' is not a number%s",
					  k->name, value,
					  k->kind == WEIRCTL_KEY_BYTES ?
					  ", with K, M or G behind it if you like" :
					  "");
		*v = number;
		return true;
	}
}

/* A value of the key as it is written, for the words of a refusal. */
static const char *weirctl_value_text(const struct weirctl_key *k, uint64_t v,
				      char buf[24])
{
	switch (k->kind) {
	case WEIRCTL_KEY_DURATION:
	case WEIRCTL_KEY_PROBE:
		return weirctl_duration_text(v, buf);
	case WEIRCTL_KEY_BYTES:
		return weirctl_size_text(v, buf);
	case WEIRCTL_KEY_PERCENT:
		snprintf(buf, 24, "%u%%", (unsigned int)v);
		return buf;
	case WEIRCTL_KEY_PERMILLE:
		if (v % 10)
			snprintf(buf, 24, "%u.%u%%", (unsigned int)v / 10,
				 (unsigned int)v % 10);
		else
			snprintf(buf, 24, "%u%%", (unsigned int)v / 10);
		return buf;
	default:
		snprintf(buf, 24, "%llu", (unsigned long long)v);
		return buf;
	}
}

/* The default as it is written; if it is 0, the words for 0. */
static const char *weirctl_default(const struct weirctl_key *k)
{
	size_t i;

	for (i = 0; i < sizeof(weirctl_defaults) / sizeof(weirctl_defaults[0]);
	     i++) {
		if (!strcmp(weirctl_defaults[i].key, k->name))
			return weirctl_defaults[i].value;
	}
	return k->zero;
}

static bool weirctl_take_number(const struct weirctl_key *k,
				struct weirctl_change *c, const char *value,
				char why[WEIRCTL_WHY])
{
	char min[24], max[24];
	uint64_t v;

	if (k->kind == WEIRCTL_KEY_PROBE && !strcmp(value, "off")) {
		weirctl_key_store(k, &c->conf, WEIR_PROBE_OFF);
		return true;
	}
	if (!strcmp(value, "default"))
		value = weirctl_default(k);
	if (weirctl_zero_words(k, value)) {
		weirctl_key_store(k, &c->conf, 0);
		return true;
	}
	if (!weirctl_key_parse(k, value, &v, why))
		return false;
	if (!v && k->zero[0] && !weirctl_zero_is_value(k))
		return weirctl_no(why, "%s: %.100s would not mean nothing, but %s: say %s=%s",
				  k->name, value, k->zero, k->name,
				  strcmp(k->zero, "unlimited") ? "default" :
				  "none");
	if (v ? v < k->min || v > k->max : !k->zero[0])
		return weirctl_no(why, "%s: %.100s is out of range: %s to %s",
				  k->name, value,
				  weirctl_value_text(k, k->min, min),
				  weirctl_value_text(k, k->max, max));
	weirctl_key_store(k, &c->conf, v);
	return true;
}

/**
 * weirctl_change_set() - give a key a value
 * @c: the change.
 * @key: name of the key.
 * @value: as it is written.
 * @why: out: the words of a refusal.
 *
 * Return: false when it is refused; nothing has been done then.
 */
bool weirctl_change_set(struct weirctl_change *c, const char *key,
			const char *value, char why[WEIRCTL_WHY])
{
	const struct weirctl_key *k = weirctl_key(key);
	bool done;

	if (!k)
		return weirctl_no_key(key, why);
	if (c->given & (1ULL << (k - weirctl_keys)))
		return weirctl_no(why, "%s is given twice", key);
	switch (k->kind) {
	case WEIRCTL_KEY_POLICY:
		done = weirctl_take_policy(c, value, why);
		break;
	case WEIRCTL_KEY_PATH:
		done = weirctl_take_path(k, c, value, why);
		break;
	case WEIRCTL_KEY_SWITCH:
		done = weirctl_take_switch(c, value, why);
		break;
	case WEIRCTL_KEY_REPLY:
		done = weirctl_take_reply(c, weirctl_must(strdup(value)),
					  strlen(value), why);
		break;
	case WEIRCTL_KEY_FILE:
		done = weirctl_take_file(c, value, why);
		break;
	default:
		done = weirctl_take_number(k, c, value, why);
	}
	if (done)
		c->given |= 1ULL << (k - weirctl_keys);
	return done;
}

static bool weirctl_given(const struct weirctl_change *c, const char *key)
{
	return c->given & (1ULL << (weirctl_key(key) - weirctl_keys));
}

/* Has any key of the group been given, but for the switch? */
static const struct weirctl_key *
weirctl_given_of(const struct weirctl_change *c, size_t lead)
{
	size_t i;

	for (i = 0; i < weirctl_key_count; i++) {
		if (weirctl_keys[i].lead == lead && c->given & (1ULL << i))
			return &weirctl_keys[i];
	}
	return NULL;
}

static void weirctl_fill(struct weirctl_change *c, size_t lead)
{
	char why[WEIRCTL_WHY];
	uint64_t given = c->given;
	size_t i;

	for (i = 0; i < sizeof(weirctl_defaults) / sizeof(weirctl_defaults[0]);
	     i++) {
		const struct weirctl_key *k =
			weirctl_key(weirctl_defaults[i].key);

		if (k->lead == lead && !weirctl_given(c, k->name) &&
		    !weirctl_key_value(k, &c->conf))
			weirctl_take_number(k, c, weirctl_defaults[i].value,
					    why);
	}
	c->given = given;
}

static bool weirctl_finish_breaker(struct weirctl_change *c,
				   char why[WEIRCTL_WHY])
{
	const struct weirctl_key *other = weirctl_given_of(c, BREAKER);
	struct weir_route_conf *conf = &c->conf;
	size_t i;

	if (c->breaker_off && other)
		return weirctl_no(why, "breaker=off and %s do not go together",
				  other->name);
	for (i = 0; c->breaker_off && i < weirctl_key_count; i++) {
		if (weirctl_keys[i].lead == BREAKER)
			weirctl_key_store(&weirctl_keys[i], conf, 0);
	}
	if (c->breaker_off || (!other && !weirctl_given(c, "breaker")))
		return true;
	weirctl_fill(c, BREAKER);
	if (!conf->breaker_error_percent && !conf->breaker_slow_percent &&
	    !weirctl_given(c, "breaker-error"))
		conf->breaker_error_percent = 50;
	if (conf->breaker_slow_percent && !conf->breaker_slow_ns)
		return weirctl_no(why, "breaker-slow needs breaker-slow-after: when is a call slow?");
	return true;
}

static bool weirctl_finish_fallback(struct weirctl_change *c,
				    char why[WEIRCTL_WHY])
{
	bool path = weirctl_given(c, "fallback") && c->conf.fallback[0];
	bool reply = weirctl_given(c, "fallback-reply");

	if (reply && weirctl_given(c, "fallback-file"))
		return weirctl_no(why, "fallback-reply and fallback-file do not go together");
	reply = c->conf.fallback_reply || c->keep_reply;
	if (path && reply)
		return weirctl_no(why, "fallback and fallback-reply do not go together");
	if (path)
		c->conf.fallback_len = 0;
	if (reply)
		memset(c->conf.fallback, 0, sizeof(c->conf.fallback));
	return true;
}

/*
 * Keys that mean nothing without their lead. They are refused without the lead,
 * and are removed together with it.
 */
static bool weirctl_finish_group(struct weirctl_change *c, size_t lead,
				 char why[WEIRCTL_WHY])
{
	const struct weirctl_key *k = weirctl_key_at(lead);
	size_t i;

	if (weirctl_key_value(k, &c->conf)) {
		if (weirctl_given(c, k->name))
			weirctl_fill(c, lead);
		return true;
	}
	for (i = 0; i < weirctl_key_count; i++) {
		const struct weirctl_key *of = &weirctl_keys[i];

		if (of->lead != lead)
			continue;
		if (c->given & (1ULL << i) && weirctl_key_value(of, &c->conf))
			return weirctl_no(why, "%s needs %s", of->name,
					  k->name);
		weirctl_key_store(of, &c->conf, 0);
	}
	return true;
}

/*
 * Removes a key that means nothing by itself, and refuses it if it was given.
 */
static bool weirctl_finish_alone(struct weirctl_change *c,
				 char why[WEIRCTL_WHY])
{
	struct weir_route_conf *conf = &c->conf;

	if (conf->policy != WEIR_POLICY_QUORUM) {
		if (weirctl_given(c, "quorum") && conf->quorum)
			return weirctl_no(why, "quorum needs policy=quorum, and the policy is %s",
					  weirctl_policy_name(conf->policy));
		conf->quorum = 0;
	}
	if (!conf->rate) {
		if (weirctl_given(c, "burst") && conf->burst)
			return weirctl_no(why, "burst needs rate");
		conf->burst = 0;
	}
	return true;
}

/**
 * weirctl_change_finish() - after the last key
 * @c: the change; other keys that the given ones need get their defaults.
 * @why: out: the words of a refusal.
 *
 * Return: false when the keys do not go together.
 */
bool weirctl_change_finish(struct weirctl_change *c, char why[WEIRCTL_WHY])
{
	return weirctl_finish_breaker(c, why) &&
	       weirctl_finish_fallback(c, why) &&
	       weirctl_finish_alone(c, why) &&
	       weirctl_finish_group(c, RETRY, why) &&
	       weirctl_finish_group(c, DUP, why) &&
	       weirctl_finish_group(c, MIRROR, why);
}

/* --- what a conf says --- */

/* Does the key say anything in this conf? */
bool weirctl_key_shown(const struct weirctl_key *k,
		       const struct weir_route_conf *conf)
{
	if (k->lead != FREE)
		return weirctl_key_value(weirctl_key_at(k->lead), conf) != 0;
	/* what means nothing by itself is not to be written: weirctl_finish_alone() */
	if (k->offset == CONF(quorum) && conf->policy != WEIR_POLICY_QUORUM)
		return false;
	if (k->offset == CONF(burst) && !conf->rate)
		return false;
	return weirctl_key_value(k, conf) != 0;
}

/* Is it 0, so that @k->zero says what it means? */
bool weirctl_key_zero(const struct weirctl_key *k,
		      const struct weir_route_conf *conf)
{
	return !weirctl_key_value(k, conf);
}

/* A value as it is written; @k->zero says what 0 means. */
const char *weirctl_key_text(const struct weirctl_key *k,
			     const struct weir_route_conf *conf,
			     char buf[WEIR_PATH_MAX + 1])
{
	uint64_t v = weirctl_key_value(k, conf);

	switch (k->kind) {
	case WEIRCTL_KEY_POLICY:
		return weirctl_policy_name(conf->policy);
	case WEIRCTL_KEY_PATH:
		return (const char *)conf + k->offset;
	case WEIRCTL_KEY_SWITCH:
		return v ? "on" : "off";
	case WEIRCTL_KEY_REPLY:
	case WEIRCTL_KEY_FILE:
		snprintf(buf, WEIR_PATH_MAX + 1, "%u bytes",
			 conf->fallback_len);
		return buf;
	case WEIRCTL_KEY_PROBE:
		if (v == WEIR_PROBE_OFF)
			return "off";
		/* fallthrough */
	default:
		return weirctl_value_text(k, v, buf);
	}
}

/* --- JSON --- */

/**
 * weirctl_change_json() - give a key a value from a file
 * @c: the change.
 * @key: name of the key.
 * @value: a number where it has no unit, else a string as on the command line;
 *	words such as "default" are strings for all.
 * @dir: directory that the names of files are relative to.
 * @why: out: the words of a refusal.
 *
 * Return: false when it is refused.
 */
bool weirctl_change_json(struct weirctl_change *c, const char *key,
			 const json_t *value, const char *dir,
			 char why[WEIRCTL_WHY])
{
	const struct weirctl_key *k = weirctl_key(key);
	const char *text = json_string_value(value);
	char name[4096], number[24];

	if (!k)
		return weirctl_no_key(key, why);
	if (k->kind == WEIRCTL_KEY_REPLY && json_is_null(value)) {
		c->keep_reply = true;
		return true;
	}
	if (json_is_integer(value) && (k->kind == WEIRCTL_KEY_COUNT ||
				       k->kind == WEIRCTL_KEY_BYTES)) {
		snprintf(number, sizeof(number), "%lld",
			 (long long)json_integer_value(value));
		text = number;
	} else if (text && k->kind == WEIRCTL_KEY_COUNT &&
		 text[strspn(text, "0123456789")] == '\0') {
		text = NULL;
	}
	if (!text)
		return weirctl_no(why, "%s is written as a %s", key,
				  k->kind == WEIRCTL_KEY_COUNT ?
				  "number, without quotes" :
				  k->kind == WEIRCTL_KEY_BYTES ?
				  "number, or a string such as \"64K\"" :
				  weirctl_key_wide(k) ?
				  "string with a unit, such as \"50ms\"" :
				  "string");
	if (k->kind == WEIRCTL_KEY_FILE && *text != '/') {
		if (snprintf(name, sizeof(name), "%s/%s", dir, text) >=
		    (int)sizeof(name))
			return weirctl_no(why, "%s: the name is too long", key);
		text = name;
	}
	return weirctl_change_set(c, key, text, why);
}

/* What a configuration file says of a conf: an object, without its path. */
json_t *weirctl_conf_json(const struct weir_route_conf *conf)
{
	json_t *o = json_object(), *value;
	char buf[WEIR_PATH_MAX + 1];
	size_t i;

	json_object_set_new(o, "policy",
			    json_string(weirctl_policy_name(conf->policy)));
	for (i = 1; i < weirctl_key_count; i++) {
		const struct weirctl_key *k = &weirctl_keys[i];

		if (!weirctl_key_shown(k, conf) ||
		    k->kind == WEIRCTL_KEY_SWITCH ||
		    k->kind == WEIRCTL_KEY_FILE)
			continue;
		if (k->kind == WEIRCTL_KEY_COUNT)
			value = json_integer((json_int_t)
					     weirctl_key_value(k, conf));
		else if (k->kind == WEIRCTL_KEY_REPLY)
			value = json_null();
		else
			value = weirctl_json_text(weirctl_key_text(k, conf,
								   buf));
		json_object_set_new(o, k->name, value);
	}
	return o;
}
