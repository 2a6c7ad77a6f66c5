// SPDX-License-Identifier: GPL-2.0
/*
 * What weirctl makes of text: durations, shares, keys of routes, JSON, places
 * in a file, percentiles, and events of the kernel. No module is needed.
 */
#include <errno.h>
#include <event-parse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <weir_route.h>
#include <uapi/weir_route.h>

#include "../../userlib/tools/weirctl.h"
#include "../../userlib/tools/weirctl_conf.h"
#include "../../userlib/tools/weirctl_config.h"
#include "../../userlib/tools/weirctl_hist.h"
#include "../../userlib/tools/weirctl_message.h"
#include "../../userlib/tools/weirctl_reason.h"
#include "../../userlib/tools/weirctl_similar.h"
#include "../../userlib/tools/weirctl_trace.h"
#include "../../userlib/tools/weirctl_unit.h"
#include "../tap/tap.h"

static void duration(const char *text, long long want)
{
	uint64_t ns = 77;
	bool good = weirctl_duration(text, &ns);

	tap_ok(want < 0 ? !good : good && ns == (uint64_t)want,
	       "duration '%s' is %lld", text, good ? (long long)ns : -1);
}

static void durations(void)
{
	duration("5s", 5000000000);
	duration("1.5s", 1500000000);
	duration("50ms", 50000000);
	duration("2us", 2000);
	duration("7ns", 7);
	duration("3m", 180000000000);
	duration("1h", 3600000000000);
	duration("0", 0);
	duration("0s", 0);
	duration("0.000000001s", 1);
	duration("2562047h", 2562047LL * 3600000000000);
	duration("2562048h", -1);
	duration("99999999999999999999s", -1);
	duration("0.5ns", -1);
	duration("5", -1);
	duration("s", -1);
	duration(".s", -1);
	duration("1.2.3s", -1);
	duration("-1s", -1);
	duration("5 s", -1);
	duration("5sec", -1);
	duration("", -1);
}

static void duration_texts(void)
{
	static const uint64_t values[] = {
		0, 1, 999, 1000, 1500, 1000000, 1500000000, 60000000000,
		90000000000, 3600000000000, INT64_MAX, 7000000001 };
	char buf[24];
	uint64_t ns;
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		weirctl_duration_text(values[i], buf);
		tap_ok(weirctl_duration(buf, &ns) && ns == values[i],
		       "%llu ns is written %s and read as the same",
		       (unsigned long long)values[i], buf);
	}
}

static void share(const char *text, int want)
{
	uint32_t permille = 7777;
	bool good = weirctl_share(text, &permille);

	tap_ok(want < 0 ? !good : good && permille == (uint32_t)want,
	       "share '%s' is %d", text, good ? (int)permille : -1);
}

static void shares(void)
{
	share("5%", 50);
	share("0.5%", 5);
	share("100%", 1000);
	share("0%", 0);
	share("0", 0);
	share("100.1%", -1);
	share("0.05%", -1);
	share("5", -1);
	share("%", -1);
	share("-5%", -1);
	share("5%%", -1);
}

static void sizes(void)
{
	unsigned long long v;
	char buf[24];

	tap_ok(weirctl_number("64K", &v) && v == 65536, "64K");
	tap_ok(weirctl_number("1g", &v) && v == 1 << 30, "1g");
	tap_ok(!weirctl_number("64KB", &v), "64KB is none");
	tap_ok(!weirctl_number("99999999999T", &v), "too large a number");
	tap_ok(!weirctl_number("-1", &v), "-1 is none");
	tap_ok(!strcmp(weirctl_size_text(65536, buf), "64K"), "65536 is 64K");
	tap_ok(!strcmp(weirctl_size_text(1000, buf), "1000"), "1000 is 1000");
	tap_ok(!strcmp(weirctl_size_text(0, buf), "0"), "0 is 0");
}

/* --- keys --- */

/* One set of keys on a conf; refusals are compared with @words. */
static bool set(struct weir_route_conf *conf, const char *const *keys,
		const char *words)
{
	struct weirctl_change c;
	char why[WEIRCTL_WHY] = "", key[64];
	bool good = true;
	size_t i;

	weirctl_change_init(&c, conf);
	for (i = 0; keys[i] && good; i++) {
		const char *value = strchr(keys[i], '=');

		snprintf(key, sizeof(key), "%.*s", (int)(value - keys[i]),
			 keys[i]);
		good = weirctl_change_set(&c, key, value + 1, why);
	}
	good = good && weirctl_change_finish(&c, why);
	if (good) {
		*conf = c.conf;
		conf->fallback_reply = 0;
	}
	weirctl_change_free(&c);
	if (words ? !good && strstr(why, words) : good)
		return true;
	printf("# said: %s\n", why);
	return false;
}

#define SET(conf, words, ...) \
	set(conf, (const char *const[]){ __VA_ARGS__, NULL }, words)

static void keys_good(void)
{
	struct weir_route_conf c = { 0 }, was;

	tap_ok(SET(&c, NULL, "policy=quorum", "quorum=2", "rate=1000",
		   "burst=10", "bulkhead=64", "timeout=1.5s") &&
	       c.policy == WEIR_POLICY_QUORUM && c.quorum == 2 &&
	       c.rate == 1000 && c.burst == 10 && c.bulkhead == 64 &&
	       c.timeout_ns == 1500000000, "plain keys");
	was = c;
	tap_ok(SET(&c, NULL, "rate=5") && c.rate == 5 && c.burst == 10,
	       "a key that is not given keeps its value");
	c.rate = was.rate;
	tap_ok(!memcmp(&c, &was, sizeof(c)), "and so does all the rest");
	tap_ok(SET(&c, NULL, "probe=off") && c.probe_ns == WEIR_PROBE_OFF,
	       "probe=off");
	tap_ok(SET(&c, NULL, "probe=default", "timeout=default") &&
	       !c.probe_ns && !c.timeout_ns, "default");
	tap_ok(SET(&c, NULL, "rate=none", "bulkhead=unlimited",
		   "policy=any") && !c.rate && !c.bulkhead && !c.burst &&
	       !c.quorum, "words for no limit, and what goes with it");
	tap_ok(SET(&c, NULL, "mirror=/a/b", "mirror-share=0.5%") &&
	       !strcmp(c.mirror, "/a/b") && c.mirror_permille == 5, "mirror");
	tap_ok(SET(&c, NULL, "mirror=") && !c.mirror[0] && !c.mirror_permille,
	       "no mirror has no share");
	tap_ok(SET(&c, NULL, "mirror=/m") && c.mirror_permille == 1000,
	       "a mirror gets all if nobody says how much");
}

static void keys_groups(void)
{
	struct weir_route_conf c = { 0 };

	tap_ok(SET(&c, NULL, "breaker-error=40%") &&
	       c.breaker_error_percent == 40 && c.breaker_min_calls == 20 &&
	       c.breaker_window_ns == 10000000000 &&
	       c.breaker_open_ns == 5000000000 && c.breaker_probes == 3,
	       "one key of the breaker turns it on");
	tap_ok(SET(&c, NULL, "breaker-slow=30%", "breaker-slow-after=50ms") &&
	       c.breaker_error_percent == 40 && c.breaker_slow_percent == 30,
	       "another is added");
	tap_ok(SET(&c, NULL, "breaker=off") && !c.breaker_min_calls &&
	       !c.breaker_error_percent && !c.breaker_window_ns, "breaker=off");
	tap_ok(SET(&c, NULL, "breaker=on") && c.breaker_error_percent == 50 &&
	       c.breaker_min_calls == 20, "breaker=on");
	tap_ok(SET(&c, NULL, "retries=3") && c.retry_base_ns == 2000000 &&
	       c.retry_max_ns == 100000000, "retries have pauses");
	tap_ok(SET(&c, NULL, "retries=2", "retry-base=1ms") &&
	       c.retry_base_ns == 1000000 && c.retry_max_ns == 100000000,
	       "their own, when they are given");
	tap_ok(SET(&c, NULL, "dup-window=1m", "dup-entries=5") &&
	       c.dup_entries == 5 && !c.dup_bytes, "a window of keys");
	tap_ok(SET(&c, NULL, "dup-window=0") && !c.dup_entries,
	       "no window has no entries");
	tap_ok(SET(&c, NULL, "retries=0") && !c.retry_base_ns,
	       "no retries have no pauses");
	tap_ok(SET(&c, NULL, "fallback-reply=sorry") && c.fallback_len == 5,
	       "a fallback reply");
	tap_ok(SET(&c, NULL, "rate=1") && c.fallback_len == 5,
	       "it stays when other keys are set");
	tap_ok(SET(&c, NULL, "fallback=/b") && !c.fallback_len &&
	       !strcmp(c.fallback, "/b"), "a fallback path takes its place");
	tap_ok(SET(&c, NULL, "fallback-reply=x") && c.fallback_len == 1 &&
	       !c.fallback[0], "and the other way round");
	tap_ok(SET(&c, NULL, "fallback-reply=") && !c.fallback_len,
	       "an empty one is none");
}

static void keys_bad(void)
{
	struct weir_route_conf c = { .rate = 3 }, was = c;

	tap_ok(SET(&c, "there is no key 'colour'", "colour=red"), "no such key");
	tap_ok(SET(&c, "any, weighted", "policy=best"), "no such policy");
	tap_ok(SET(&c, "rate: 0 would not mean nothing, but unlimited: say rate=none",
		   "rate=0"), "a rate of nothing");
	tap_ok(SET(&c, "say bulkhead=none", "bulkhead=0"), "a bulkhead of nothing");
	tap_ok(SET(&c, "timeout: 0s would not mean nothing, but 5s: say timeout=default",
		   "timeout=0s"), "no time at all");
	tap_ok(SET(&c, "say quorum=default", "policy=quorum", "quorum=0"),
	       "a quorum of nobody");
	tap_ok(SET(&c, "timeout: 'none' is no duration", "timeout=none"),
	       "a default is no limit");
	tap_ok(SET(&c, "quorum needs policy=quorum, and the policy is any",
		   "quorum=3"), "a quorum without its policy");
	tap_ok(SET(&c, "burst needs rate", "rate=none", "burst=3"),
	       "a burst without a rate");
	tap_ok(SET(&c, "is no duration", "timeout=5"), "a unit is missing");
	tap_ok(SET(&c, "out of range: 1 to 1000000000", "rate=1000000001"),
	       "too high a rate");
	tap_ok(SET(&c, "out of range: 1 to 64", "breaker-probes=65"),
	       "too many probes");
	tap_ok(SET(&c, "out of range: 1 to 16", "retries=17"),
	       "too many retries");
	tap_ok(SET(&c, "whole number of percent", "breaker-error=0.5%"),
	       "half a percent of errors");
	tap_ok(SET(&c, "is no share", "mirror=/m", "mirror-share=101%"),
	       "more than all");
	tap_ok(SET(&c, "mirror-share needs mirror", "mirror-share=5%"),
	       "a share of nothing");
	tap_ok(SET(&c, "breaker-slow-after", "breaker-slow=5%"),
	       "slow without a time");
	tap_ok(SET(&c, "do not go together", "breaker=off", "breaker-error=5%"),
	       "off and on");
	tap_ok(SET(&c, "do not go together", "fallback=/b", "fallback-reply=x"),
	       "two fallbacks");
	tap_ok(SET(&c, "given twice", "rate=1", "rate=2"), "a key twice");
	tap_ok(SET(&c, "is no path", "mirror=m"), "no path");
	tap_ok(SET(&c, "wildcards", "fallback=/a/*"), "a pattern");
	tap_ok(SET(&c, "No such file", "fallback-file=/no/such/file"),
	       "no such file");
	tap_ok(SET(&c, "is empty", "fallback-file=/dev/null"), "an empty file");
	tap_ok(SET(&c, "at most 4096 bytes", "fallback-file=/dev/zero"),
	       "too long a file");
	tap_ok(SET(&c, "dup-entries needs dup-window", "dup-entries=3"),
	       "keys without a window");
	tap_ok(SET(&c, "retry-max needs retries", "retry-max=3s"),
	       "a pause before nothing");
	tap_ok(SET(&c, "out of range: 1ns to 24h", "timeout=25h"),
	       "more than a day");
	tap_ok(SET(&c, "out of range: 1ms to 24h", "probe=1us"),
	       "a watchdog without rest");
	tap_ok(!memcmp(&c, &was, sizeof(c)), "and nothing was changed");
}

/* --- JSON --- */

static bool from_json(const json_t *o, struct weir_route_conf *conf)
{
	struct weirctl_change c;
	char why[WEIRCTL_WHY] = "";
	const char *key;
	json_t *value;
	bool good = true;

	weirctl_change_init(&c, NULL);
	json_object_foreach((json_t *)(uintptr_t)o, key, value)
		good = good && weirctl_change_json(&c, key, value, ".", why);
	good = good && weirctl_change_finish(&c, why);
	if (!good)
		printf("# said: %s\n", why);
	*conf = c.conf;
	weirctl_change_free(&c);
	return good;
}

static void round_trip(void)
{
	struct weir_route_conf c = { 0 }, back;
	json_t *o;

	SET(&c, NULL, "policy=weighted", "rate=1000", "burst=7", "bulkhead=3",
	    "timeout=1500us", "deadline-max=2s", "patience=1s",
	    "probe=off", "breaker-error=12%",
	    "breaker-slow=7%", "breaker-slow-after=3ms", "breaker-window=7s",
	    "retries=3", "retry-max=5s", "dup-window=90s", "dup-bytes=12345",
	    "mirror=/x/y", "mirror-share=12.3%", "fallback=/z");
	o = weirctl_conf_json(&c);
	tap_ok(from_json(o, &back) && !memcmp(&c, &back, sizeof(c)),
	       "a conf comes back from JSON as it was");
	json_decref(o);
	memset(&c, 0, sizeof(c));
	o = weirctl_conf_json(&c);
	tap_ok(json_object_size(o) == 1 && from_json(o, &back) &&
	       !memcmp(&c, &back, sizeof(c)), "the defaults are not written");
	json_decref(o);
	o = json_pack("{s:i}", "timeout", 5);
	tap_ok(!from_json(o, &back), "a duration is no number");
	json_decref(o);
	o = json_pack("{s:b}", "rate", 1);
	tap_ok(!from_json(o, &back), "a rate is no truth");
	json_decref(o);
	o = json_pack("{s:i}", "rate", -1);
	tap_ok(!from_json(o, &back), "a rate is not negative");
	json_decref(o);
}

static void locations(void)
{
	static const char text[] =
		"{\n"
		" \"a\\\"b\": [1, {\"x\": \"]}\"}, \"\\\\\"],\n"
		" \"routes\": [\n"
		"  {\"path\": \"/a\",\n"
		"   \"rate\": 1},\n"
		"  {\"path\": \"/b\", \"targets\": [\n"
		"    {\"path\": \"/c\"},\n"
		"    {\"path\": \"/d\",\n"
		"     \"weight\": 3}]}]}\n";
	const struct weirctl_step steps[] = {
		{ .key = "routes" }, { .index = 1 }, { .key = "targets" },
		{ .index = 1 }, { .key = "weight" } };
	const struct weirctl_step rate[] = {
		{ .key = "routes" }, { .index = 0 }, { .key = "rate" } };
	const struct weirctl_step gone[] = {
		{ .key = "routes" }, { .index = 7 }, { .key = "rate" } };

	tap_ok(weirctl_locate(text, steps, 1) == 3, "routes are in line 3");
	tap_ok(weirctl_locate(text, steps, 2) == 6, "the second in line 6");
	tap_ok(weirctl_locate(text, steps, 4) == 8, "a target in line 8");
	tap_ok(weirctl_locate(text, steps, 5) == 9, "its weight in line 9");
	tap_ok(weirctl_locate(text, rate, 3) == 5, "a rate in line 5");
	tap_ok(weirctl_locate(text, gone, 3) == 3, "what is not there, nearby");
	tap_ok(weirctl_locate("", steps, 1) == 1, "nothing at all");
	tap_ok(weirctl_locate("{\"routes\"", steps, 2) == 1, "half a text");
}

/* --- times --- */

static void histogram(void)
{
	uint32_t is[WEIR_HIST_BUCKETS] = { 0 }, was[WEIR_HIST_BUCKETS] = { 0 };
	bool rises = true;
	uint64_t ns;
	unsigned int i;

	for (i = 0; i + 1 < WEIR_HIST_BUCKETS; i++)
		rises = rises && weirctl_hist_low(i) < weirctl_hist_low(i + 1);
	tap_ok(rises, "the buckets rise");
	tap_ok(weirctl_hist_low(7) == 7 << 8 && weirctl_hist_low(8) == 8 << 8 &&
	       weirctl_hist_low(16) == 16 << 8 &&
	       weirctl_hist_low(17) == 18 << 8, "where buckets begin");
	tap_ok(!weirctl_hist_percentile(is, NULL, 50, &ns), "nothing counted");
	is[10] = 98;
	is[20] = 2;
	tap_ok(weirctl_hist_percentile(is, NULL, 50, &ns) &&
	       ns == weirctl_hist_low(11) - 1, "the median");
	tap_ok(weirctl_hist_percentile(is, NULL, 98, &ns) &&
	       ns == weirctl_hist_low(11) - 1, "98 of 100");
	tap_ok(weirctl_hist_percentile(is, NULL, 99, &ns) &&
	       ns == weirctl_hist_low(21) - 1, "99 of 100");
	was[10] = UINT32_MAX - 1;
	is[10] = 1;
	is[20] = 0;
	tap_ok(weirctl_hist_percentile(is, was, 50, &ns) &&
	       ns == weirctl_hist_low(11) - 1, "a count that wrapped");
	memset(is, 0, sizeof(is));
	is[WEIR_HIST_BUCKETS - 1] = 1;
	tap_ok(weirctl_hist_percentile(is, NULL, 99, &ns) &&
	       ns >= weirctl_hist_low(WEIR_HIST_BUCKETS - 1),
	       "the last bucket");
}

static void times(void)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} t[] = {
		{ 0, "0ns" }, { 850, "850ns" }, { 12345, "12.3us" },
		{ 999499, "999us" }, { 999999, "1.0ms" },
		{ 1500000000, "1.5s" }, { 150000000000, "150s" } };
	struct weirctl_options o = { 0 };
	char b[24];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		tap_ok(!strcmp(weirctl_time(&o, t[i].ns, b), t[i].text),
		       "%llu ns is shown as %s", (unsigned long long)t[i].ns, b);
}

/* --- events --- */

#define COMMON \
	"	field:unsigned short common_type;	offset:0;	size:2;	signed:0;\n" \
	"	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;\n" \
	"	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;\n" \
	"	field:int common_pid;	offset:4;	size:4;	signed:1;\n\n"

static const char refuse_format[] =
	"name: weir_refuse\nID: 700\nformat:\n" COMMON
	"	field:u32 reason;	offset:8;	size:4;	signed:0;\n"
	"	field:u32 guard;	offset:12;	size:4;	signed:0;\n"
	"	field:u64 target;	offset:16;	size:8;	signed:0;\n"
	"	field:u32 tag;	offset:24;	size:4;	signed:0;\n"
	"	field:__data_loc char[] path;	offset:28;	size:4;	signed:0;\n"
	"\nprint fmt: \"%s\", __get_str(path)\n";

static const char drop_format[] =
	"name: weir_drop\nID: 701\nformat:\n" COMMON
	"	field:u32 reason;	offset:8;	size:4;	signed:0;\n"
	"	field:__data_loc char[] path;	offset:12;	size:4;	signed:0;\n"
	"\nprint fmt: \"%s\", __get_str(path)\n";

static const char target_format[] =
	"name: weir_target\nID: 702\nformat:\n" COMMON
	"	field:u64 target;	offset:8;	size:8;	signed:0;\n"
	"	field:u32 state;	offset:16;	size:4;	signed:0;\n"
	"\nprint fmt: \"%u\", REC->state\n";

static const char state_format[] =
	"name: weir_state\nID: 703\nformat:\n" COMMON
	"	field:u64 ring;	offset:8;	size:8;	signed:0;\n"
	"	field:u32 state;	offset:16;	size:4;	signed:0;\n"
	"	field:u32 reason;	offset:20;	size:4;	signed:0;\n"
	"	field:__data_loc char[] name;	offset:24;	size:4;	signed:0;\n"
	"\nprint fmt: \"%s\", __get_str(name)\n";

struct event_data {
	uint16_t type;
	uint8_t rest[6];
	uint32_t word[6];
	char text[32];
};

static void event(struct tep_event *e, const struct event_data *d,
		  const char *about, const char *want)
{
	struct tep_record record = { .data = (void *)(uintptr_t)d,
				     .size = sizeof(*d) };
	const char *path = "";
	char text[640];

	tap_ok(e && weirctl_event_text(e, &record, &path, text, sizeof(text)) &&
	       !strcmp(path, about) && !strcmp(text, want), "%s", want);
	if (e && strcmp(text, want))
		printf("# said: %s of '%s'\n", text, path);
}

/* Streams that end; of pairs and callers, only what is unusual. */
static void stream_events(struct tep_handle *tep)
{
	struct event_data d = { .type = 703, .text = "/md/a" };
	struct tep_record record = { .data = &d, .size = sizeof(d) };
	const char *path;
	struct tep_event *e;
	char text[640];

	tep_parse_event(tep, state_format, sizeof(state_format) - 1, "weir");
	e = tep_find_event_by_name(tep, "weir", "weir_state");
	d.word[0] = 5;
	d.word[2] = WEIR_STATE_CLOSED;
	d.word[3] = WEIR_REASON_CLOSED;
	d.word[4] = (uint32_t)(8 << 16 | offsetof(struct event_data, text));
	event(e, &d, "/md/a", "/md/a: stream 5 is closed now: closed in good order");
	d.text[0] = '\0';
	tap_ok(e && !weirctl_event_text(e, &record, &path, text, sizeof(text)),
	       "the end of a caller's ring is no line");
	d.word[2] = WEIR_STATE_BROKEN;
	d.word[3] = WEIR_REASON_BAD_RECORD;
	event(e, &d, "",
	      "a pair: stream 5 is broken now: a record or ring head that cannot be");
}

static void events(void)
{
	struct event_data d = { .type = 700, .text = "/svc/kv" };
	uint32_t where = (uint32_t)(8 << 16 | offsetof(struct event_data, text));
	struct tep_handle *tep = tep_alloc();

	tep_set_file_bigendian(tep, TEP_LITTLE_ENDIAN);
	tep_set_local_bigendian(tep, TEP_LITTLE_ENDIAN);
	tep_parse_event(tep, refuse_format, sizeof(refuse_format) - 1, "weir");
	tep_parse_event(tep, drop_format, sizeof(drop_format) - 1, "weir");
	d.word[0] = WEIR_REASON_BREAKER;
	d.word[1] = WEIR_GUARD_BREAKER;
	d.word[2] = 12;
	d.word[4] = 17;
	d.word[5] = where;
	event(tep_find_event_by_name(tep, "weir", "weir_refuse"), &d,
	      "/svc/kv",
	      "/svc/kv: request tag 17 refused by the circuit breaker of target 12: the circuit breaker is open: too many calls failed or were slow");
	d.word[0] = 99;
	d.word[1] = 99;
	d.word[2] = 0;
	event(tep_find_event_by_name(tep, "weir", "weir_refuse"), &d,
	      "/svc/kv",
	      "/svc/kv: request tag 17 refused by a guard: for a reason that this weirctl does not know");
	d.word[0] = WEIR_REASON_DENIED;
	d.word[1] = where;
	event(tep_find_event_by_name(tep, "weir", "weir_drop"), &d,
	      "/svc/kv",
	      "/svc/kv: refused: the path's mode does not permit this user, or it has become another user's");
	tep_parse_event(tep, target_format, sizeof(target_format) - 1, "weir");
	d.word[0] = 12;
	d.word[1] = 0;
	d.word[2] = WEIR_TARGET_EJECTED;
	event(tep_find_event_by_name(tep, "weir", "weir_target"), &d, "",
	      "target 12 is ejected now: it holds requests and does nothing");
	stream_events(tep);
	tep_free(tep);
}

static void words(void)
{
	uint32_t i;
	bool all = true;

	for (i = 0; i < WEIR_REASON_MAX; i++)
		all = all && weirctl_reason_named(weir_reason_name(i)) == i &&
		      weirctl_reason_text(i)[0];
	for (i = 0; i < WEIR_GUARD_MAX; i++)
		all = all && weirctl_guard_text(i);
	tap_ok(all, "each reason and guard has words");
	tap_ok(weirctl_reason_named("unknown") == WEIR_REASON_MAX,
	       "no reason is called so");
	tap_ok(weirctl_key_count <= 64, "the keys fit into a word of bits");
}

/* --- messages by hand --- */

static int runs(struct weirctl_run *r, const char *in, uint64_t timeout_ns,
		const char *script)
{
	static char *argv[] = { "sh", "-c", NULL, NULL };

	argv[2] = (char *)(uintptr_t)script;
	r->argv = argv;
	r->in = in;
	r->len = strlen(in);
	r->timeout_ns = timeout_ns;
	return weirctl_run(r);
}

static void commands(void)
{
	static char *none[] = { "/nowhere/none", NULL };
	struct weirctl_run r = { 0 };
	char *much = malloc(1000001);

	tap_ok(!runs(&r, "hello", 0, "tr a-z A-Z") && r.out_len == 5 &&
	       !memcmp(r.out, "HELLO", 5), "a command gets and gives bytes");
	free(r.out);
	memset(much, 'x', 1000000);
	much[1000000] = '\0';
	tap_ok(!runs(&r, much, 0, "cat") && r.out_len == 1000000 &&
	       !memcmp(r.out, much, r.out_len), "a million of them");
	free(r.out);
	signal(SIGPIPE, SIG_IGN);
	tap_ok(!runs(&r, much, 0, "echo no") && r.out_len == 3,
	       "it need not read them");
	free(r.out);
	tap_is(runs(&r, "", 0, "echo sorry; exit 3"), 3, "an exit status");
	tap_ok(r.out_len == 6 && !memcmp(r.out, "sorry", 5), "with output");
	free(r.out);
	tap_is(runs(&r, "x", 0, "kill -9 $$"), 128 + 9, "a signal");
	free(r.out);
	tap_is(runs(&r, "x", 50000000, "exec sleep 60"), -ETIME,
	       "too long, and killed");
	free(r.out);
	r.argv = none;
	tap_is(weirctl_run(&r), -ENOENT, "no such command");
	free(much);
}

static void call_times(void)
{
	struct weirctl_times t = { 0 };
	uint64_t i;

	tap_is(weirctl_times_at(&t, 50), 0, "no times");
	for (i = 100; i; i--)
		weirctl_times_add(&t, i);
	weirctl_times_sort(&t);
	tap_ok(weirctl_times_at(&t, 0) == 1 && weirctl_times_at(&t, 50) == 51 &&
	       weirctl_times_at(&t, 99) == 100 &&
	       weirctl_times_at(&t, 100) == 100, "percentiles");
	free(t.ns);
}

static void similar(void)
{
	static const struct {
		const char	*word;
		const char	*best;
	} cases[] = {
		{ "sokcet", "socket" }, { "rout", "route" }, { "sup", "sub" },
		{ "colour", NULL }, { "x", NULL }, { "", NULL },
		{ "a-word-that-is-longer-than-any-other-one", NULL },
	};
	static const char *const known[] = { "socket", "route", "sub", "pub" };
	size_t i, j;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weirctl_similar s = { .word = cases[i].word };

		for (j = 0; j < sizeof(known) / sizeof(known[0]); j++)
			weirctl_similar_try(&s, known[j]);
		tap_ok(!s.best == !cases[i].best &&
		       (!s.best || !strcmp(s.best, cases[i].best)),
		       "'%s' is like %s", cases[i].word,
		       cases[i].best ? cases[i].best : "none");
	}
}

int main(void)
{
	tap_alarm(TAP_SECONDS);
	durations();
	duration_texts();
	shares();
	sizes();
	keys_good();
	keys_groups();
	keys_bad();
	round_trip();
	locations();
	histogram();
	times();
	commands();
	call_times();
	similar();
	events();
	words();
	return tap_done();
}
