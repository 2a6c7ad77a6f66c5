/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* The keys of a route, in text and in JSON. */
#ifndef WEIRCTL_CONF_H
#define WEIRCTL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <weir_route.h>
#include <uapi/weir_route.h>

#include "weirctl.h"

/**
 * enum weirctl_key_kind - how the value of a key is written
 * @WEIRCTL_KEY_POLICY: a name of enum weir_policy.
 * @WEIRCTL_KEY_COUNT: a number.
 * @WEIRCTL_KEY_BYTES: a number, with K, M or G.
 * @WEIRCTL_KEY_PERCENT: a whole number and %.
 * @WEIRCTL_KEY_PERMILLE: a number with one decimal, and %.
 * @WEIRCTL_KEY_DURATION: a number and a unit.
 * @WEIRCTL_KEY_PROBE: the same, or off.
 * @WEIRCTL_KEY_PATH: a path, or nothing.
 * @WEIRCTL_KEY_SWITCH: on or off: all keys of the breaker at once.
 * @WEIRCTL_KEY_REPLY: text, or nothing.
 * @WEIRCTL_KEY_FILE: name of a file with a reply.
 */
enum weirctl_key_kind {
	WEIRCTL_KEY_POLICY,
	WEIRCTL_KEY_COUNT,
	WEIRCTL_KEY_BYTES,
	WEIRCTL_KEY_PERCENT,
	WEIRCTL_KEY_PERMILLE,
	WEIRCTL_KEY_DURATION,
	WEIRCTL_KEY_PROBE,
	WEIRCTL_KEY_PATH,
	WEIRCTL_KEY_SWITCH,
	WEIRCTL_KEY_REPLY,
	WEIRCTL_KEY_FILE,
};

/**
 * struct weirctl_key - one key of a route
 * @name: name of the key.
 * @kind: how its value is written.
 * @offset: offset of the member in struct weir_route_conf.
 * @min: smallest value other than 0.
 * @max: largest value.
 * @lead: offset of the member without which this one means nothing, or
 *	WEIRCTL_NO_LEAD.
 * @zero: what 0 means, in words.
 * @text: what the key is, in words.
 */
struct weirctl_key {
	const char		*name;
	enum weirctl_key_kind	kind;
	size_t			offset;
	uint64_t		min;
	uint64_t		max;
	size_t			lead;
	const char		*zero;
	const char		*text;
};

#define WEIRCTL_NO_LEAD	((size_t)-1)

extern const struct weirctl_key weirctl_keys[];
extern const size_t weirctl_key_count;

/**
 * struct weirctl_change - a route's conf while it is changed
 * @conf: the conf; its reply, if any, is memory of the change.
 * @given: one bit for each key of weirctl_keys that was given.
 * @reply: memory of the reply, or NULL.
 * @breaker_off: breaker=off was given.
 * @keep_reply: the route keeps its reply; the caller of weirctl_change_finish()
 *	puts the length of that reply into @conf.
 */
struct weirctl_change {
	struct weir_route_conf	conf;
	uint64_t		given;
	char			*reply;
	bool			breaker_off;
	bool			keep_reply;
};

void weirctl_change_init(struct weirctl_change *c,
			 const struct weir_route_conf *now);
void weirctl_change_free(struct weirctl_change *c);
bool weirctl_change_set(struct weirctl_change *c, const char *key,
			const char *value, char why[WEIRCTL_WHY]);
bool weirctl_change_json(struct weirctl_change *c, const char *key,
			 const json_t *value, const char *dir,
			 char why[WEIRCTL_WHY]);
bool weirctl_change_finish(struct weirctl_change *c, char why[WEIRCTL_WHY]);
bool weirctl_key_shown(const struct weirctl_key *k,
		       const struct weir_route_conf *conf);
bool weirctl_key_zero(const struct weirctl_key *k,
		      const struct weir_route_conf *conf);
const char *weirctl_key_text(const struct weirctl_key *k,
			     const struct weir_route_conf *conf,
			     char buf[WEIR_PATH_MAX + 1]);
json_t *weirctl_conf_json(const struct weir_route_conf *conf);

#endif /* WEIRCTL_CONF_H */
