/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * What the files of weirctl share.
 *
 *	weirctl.c		options and commands
 *	weirctl_list.c		sockets, paths, streams and cursors
 *	weirctl_route.c		routes: what they shall do and have done
 *	weirctl_target.c	targets of routes, their weights, their breakers
 *	weirctl_conf.c		the keys of a route, in text and in JSON
 *	weirctl_control.c	changes of routes, all or nothing
 *	weirctl_config.c	a file of routes and tunables: apply and save
 *	weirctl_locate.c	the line of a value in a JSON text
 *	weirctl_top.c		the live view: looks, streams and cursors
 *	weirctl_traffic.c	the live view: routes and targets
 *	weirctl_screen.c	the live view on a terminal
 *	weirctl_doctor.c	is the host set up well? The checks are in
 *	weirctl_host.c		the host and its kernel
 *	weirctl_health.c	what is in the network namespace
 *	weirctl_trace.c		tracepoints, in words
 *	weirctl_diagnose.c	what a message would meet, from the lists
 *	weirctl_sysfs.c		counters, tunables and limits
 *	weirctl_reason.c	reasons, guards and states, in words
 *	weirctl_hist.c		percentiles of times
 *	weirctl_unit.c		durations, sizes and shares
 *	weirctl_json.c		JSON values
 *	weirctl_table.c		aligned columns and readable numbers
 *	weirctl_pattern.c	does a path match a pattern?
 */
#ifndef WEIRCTL_H
#define WEIRCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <weir.h>
#include <weir_route.h>
#include <uapi/weir_route.h>

/* Exit status. */
#define WEIRCTL_OK	0
#define WEIRCTL_FAILED	1
#define WEIRCTL_USAGE	2

#define WEIRCTL_WHY	320	/* bytes of the words of a refusal */

/**
 * struct weirctl_options - the command line
 * @json: print JSON instead of tables.
 * @exact: print numbers as they are.
 * @once: top: one table and no screen.
 * @dry_run: apply: change nothing.
 * @prune: apply: delete what is not in the file.
 * @pattern: list only what lies under this path or pattern, or NULL.
 * @root: doctor: directory in place of /, for tests; "" otherwise.
 * @iterations: top: tables to print; 0: no end.
 * @interval: top: seconds between them.
 * @for_ns: trace: end after so long; 0: no end.
 */
struct weirctl_options {
	bool		json;
	bool		exact;
	bool		once;
	bool		dry_run;
	bool		prune;
	const char	*pattern;
	const char	*root;
	unsigned long	iterations;
	double		interval;
	uint64_t	for_ns;
};

/* Prints "weirctl: ..." to standard error; returns WEIRCTL_FAILED. */
int weirctl_fail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The same for a wrong command line; returns WEIRCTL_USAGE. */
int weirctl_misuse(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Is @path a path or pattern? Says what is wrong; WEIRCTL_OK or _USAGE. */
int weirctl_check_path(const char *path);

/* Ends the program when memory is out, as there is nothing to be saved. */
void *weirctl_must(void *p);

/* --- weirctl_list.c --- */

/**
 * struct weirctl_list - objects of one kind, in order of id
 * @kind: enum weir_list_kind, WEIR_LIST_ROUTES or WEIR_LIST_TARGETS.
 * @data: as the kernel gave them; which of @entries, @routes and @targets it
 *	is, @kind says.
 * @count: how many.
 * @room: how many the array can hold.
 */
struct weirctl_list {
	uint32_t	kind;
	union {
		void				*data;
		struct weir_list_entry		*entries;
		struct weir_route_entry		*routes;
		struct weir_target_entry	*targets;
	};
	size_t		count;
	size_t		room;
};

int weirctl_open(struct weir **w);
int weirctl_list_try(struct weir *w, uint32_t kind, struct weirctl_list *list);
int weirctl_list_fetch(struct weir *w, uint32_t kind,
		       struct weirctl_list *list);
void weirctl_list_free(struct weirctl_list *list);
const void *weirctl_list_find(const struct weirctl_list *list, uint64_t id);
int weirctl_list(const struct weirctl_options *o, uint32_t kind);
const char *weirctl_path_of(const struct weirctl_list *streams,
			    const struct weir_list_entry *e);
const char *weirctl_state_name(const struct weir_list_entry *e);
const char *weirctl_cursor_flags(const struct weir_list_entry *e, char buf[24]);
json_t *weirctl_entry_json(const struct weir_list_entry *e,
			   const struct weirctl_list *streams);

/* --- weirctl_conf.c --- */

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
 * @name: of the key.
 * @kind: how its value is written.
 * @offset: of the member in struct weir_route_conf.
 * @min: smallest value but 0.
 * @max: largest.
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
 * @given: bit per key of weirctl_keys.
 * @reply: memory of the reply, or NULL.
 * @breaker_off: breaker=off was given.
 * @keep_reply: the reply that the route has is to stay; whoever finishes the
 *	change puts its length into @conf.
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
const char *weirctl_policy_name(uint32_t policy);

/* --- weirctl_control.c --- */

/**
 * struct weirctl_ops - changes to be made together
 * @ops: the changes.
 * @count: how many.
 * @room: how many the array can hold.
 */
struct weirctl_ops {
	struct weir_route_op	*ops;
	size_t			count;
	size_t			room;
};

struct weir_route_op *weirctl_ops_add(struct weirctl_ops *ops, uint32_t op,
				      const char *path);
void weirctl_ops_target(struct weir_route_op *op, uint64_t id,
			const char *path, uint32_t weight);
void weirctl_ops_free(struct weirctl_ops *ops);
int weirctl_control(struct weir *w, const struct weirctl_ops *ops,
		    size_t *failed, char why[WEIRCTL_WHY]);
int weirctl_control_refused(const struct weirctl_ops *ops, size_t failed,
			    const char *why);
int weirctl_control_say(struct weir *w, const struct weirctl_ops *ops);
const char *weirctl_op_text(const struct weir_route_op *op, char *buf,
			    size_t size);

/* --- weirctl_route.c --- */
int weirctl_route(struct weirctl_options *o, int argc, char **argv);
const struct weir_route_entry *
weirctl_route_find(const struct weirctl_list *routes, const char *path);
const char *weirctl_route_path(const struct weirctl_list *routes, uint64_t id);
uint64_t weirctl_refusals(const struct weir_route_entry *e);
json_t *weirctl_route_json(const struct weir_route_entry *e);

/* --- weirctl_target.c --- */
int weirctl_target(struct weirctl_options *o, int argc, char **argv);
int weirctl_breaker(struct weirctl_options *o, int argc, char **argv);
const char *weirctl_target_name(const struct weir_target_entry *e,
				char buf[WEIR_PATH_MAX + 1]);
json_t *weirctl_target_json(const struct weir_target_entry *e,
			    const struct weirctl_list *routes);

/* --- weirctl_config.c --- */
int weirctl_apply(const struct weirctl_options *o, const char *file);
int weirctl_save(const struct weirctl_options *o, const char *file);

/* --- weirctl_locate.c --- */

/**
 * struct weirctl_step - one step into a JSON text
 * @key: member of an object, or NULL.
 * @index: of an array, when @key is NULL.
 */
struct weirctl_step {
	const char	*key;
	size_t		index;
};

unsigned int weirctl_locate(const char *text, const struct weirctl_step *steps,
			    size_t count);

/* --- weirctl_top.c --- */

/**
 * struct weirctl_look - what there was at one moment
 * @streams: all streams.
 * @cursors: all cursors.
 * @routes: all routes.
 * @targets: all targets.
 * @at: seconds, on the monotonic clock.
 */
struct weirctl_look {
	struct weirctl_list	streams;
	struct weirctl_list	cursors;
	struct weirctl_list	routes;
	struct weirctl_list	targets;
	double			at;
};

enum weirctl_view {
	WEIRCTL_VIEW_STREAMS,
	WEIRCTL_VIEW_CURSORS,
	WEIRCTL_VIEW_ROUTES,
	WEIRCTL_VIEW_TARGETS,
	WEIRCTL_VIEWS
};

int weirctl_top(const struct weirctl_options *o);
int weirctl_look(struct weir *w, struct weirctl_look *look);
void weirctl_look_free(struct weirctl_look *look);
double weirctl_seconds(const struct weirctl_look *was,
		       const struct weirctl_look *is);

/* --- weirctl_traffic.c --- */
struct weirctl_table *weirctl_routes_table(const struct weirctl_options *o,
					   const struct weirctl_look *was,
					   const struct weirctl_look *is);
struct weirctl_table *weirctl_targets_table(const struct weirctl_options *o,
					    const struct weirctl_look *was,
					    const struct weirctl_look *is);
json_t *weirctl_routes_json(const struct weirctl_options *o,
			    const struct weirctl_look *was,
			    const struct weirctl_look *is);
json_t *weirctl_targets_json(const struct weirctl_options *o,
			     const struct weirctl_look *was,
			     const struct weirctl_look *is);

/* --- weirctl_screen.c --- */
struct weirctl_screen;

struct weirctl_screen *weirctl_screen_open(void);
void weirctl_screen_close(struct weirctl_screen *s);
enum weirctl_view weirctl_screen_view(const struct weirctl_screen *s);
void weirctl_screen_draw(struct weirctl_screen *s, const char *heading,
			 const struct weirctl_table *t);
bool weirctl_screen_wait(struct weirctl_screen *s, double seconds);

/* --- weirctl_doctor.c --- */

enum weirctl_verdict {
	WEIRCTL_CHECK_OK,
	WEIRCTL_CHECK_SKIP,
	WEIRCTL_CHECK_WARN,
	WEIRCTL_CHECK_FAIL,
};

/**
 * struct weirctl_patient - what the checks look at
 * @root: directory in place of /.
 * @live: what there is in the network namespace; NULL when no module answers.
 */
struct weirctl_patient {
	const char			*root;
	const struct weirctl_look	*live;
};

/**
 * struct weirctl_finding - what a check found
 * @verdict: good or not.
 * @heard: the last words were worse than those before, and are in @text.
 * @text: in words.
 * @remedy: a command, or "".
 */
struct weirctl_finding {
	enum weirctl_verdict	verdict;
	bool			heard;
	char			text[512];
	char			remedy[512];
};

/**
 * struct weirctl_check - one check
 * @name: of it.
 * @look: fills in a finding that is OK and empty.
 */
struct weirctl_check {
	const char *name;
	void (*look)(const struct weirctl_patient *p,
		     struct weirctl_finding *f);
};

extern const struct weirctl_check weirctl_host_checks[];
extern const size_t weirctl_host_check_count;
extern const struct weirctl_check weirctl_health_checks[];
extern const size_t weirctl_health_check_count;

int weirctl_doctor(const struct weirctl_options *o);
void weirctl_find(struct weirctl_finding *f, enum weirctl_verdict verdict,
		  const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void weirctl_remedy(struct weirctl_finding *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool weirctl_root_read(const struct weirctl_patient *p, const char *path,
		       char *text, size_t size);
bool weirctl_root_number(const struct weirctl_patient *p, const char *path,
			 unsigned long long *value);
bool weirctl_root_mentions(const struct weirctl_patient *p, const char *path,
			   const char *what);
bool weirctl_root_has(const struct weirctl_patient *p, const char *path);

/* --- weirctl_trace.c, weirctl_diagnose.c --- */
struct tep_event;
struct tep_record;

int weirctl_trace(const struct weirctl_options *o);
bool weirctl_event_text(struct tep_event *event, struct tep_record *record,
			const char **path, char *text, size_t size);
int weirctl_diagnose(struct weir *w, const char *pattern);

/* --- weirctl_sysfs.c --- */
int weirctl_stat(const struct weirctl_options *o);
int weirctl_tune(const struct weirctl_options *o, const char *name,
		 const char *value);
int weirctl_limit(const struct weirctl_options *o, int argc, char **argv);
bool weirctl_sysfs_hidden(void);
bool weirctl_sysfs_read(const char *group, const char *name,
			unsigned long long *value);
int weirctl_sysfs_each(const char *group, void *ctx,
		       void (*each)(void *ctx, const char *name,
				    unsigned long long value));
bool weirctl_is_tunable(const char *name);
bool weirctl_tunable_check(const char *name, unsigned long long value,
			   char why[WEIRCTL_WHY]);
int weirctl_tunable_write(const char *name, unsigned long long value,
			  char why[WEIRCTL_WHY]);

/* --- weirctl_reason.c --- */
uint32_t weirctl_reason_named(const char *name);
const char *weirctl_reason_text(uint32_t reason);
const char *weirctl_guard_text(uint32_t guard);
const char *weirctl_breaker_name(uint32_t breaker);
const char *weirctl_target_state(uint32_t state);

/* --- weirctl_hist.c --- */
uint64_t weirctl_hist_low(unsigned int i);
bool weirctl_hist_percentile(const uint32_t *is, const uint32_t *was,
			     unsigned int percent, uint64_t *ns);

/* --- weirctl_unit.c --- */
bool weirctl_number(const char *text, unsigned long long *value);
bool weirctl_duration(const char *text, uint64_t *ns);
bool weirctl_share(const char *text, uint32_t *permille);
const char *weirctl_duration_text(uint64_t ns, char buf[24]);
const char *weirctl_size_text(uint64_t bytes, char buf[24]);

/* --- weirctl_json.c --- */
void weirctl_json_put(json_t *o, const char *key, uint64_t value);
json_t *weirctl_json_text(const char *text);
void weirctl_json_print(json_t *o);

/* --- weirctl_table.c --- */
struct weirctl_table;

struct weirctl_table *weirctl_table_new(const char *const *titles,
					const char *align);
void weirctl_table_cell(struct weirctl_table *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
size_t weirctl_table_rows(const struct weirctl_table *t);
char *weirctl_table_line(const struct weirctl_table *t, size_t row);
void weirctl_table_print(const struct weirctl_table *t);
void weirctl_table_free(struct weirctl_table *t);

/* A number made readable into a buffer of 24 bytes, which is returned. */
const char *weirctl_bytes(const struct weirctl_options *o, uint64_t n,
			  char *buf);
const char *weirctl_rate(const struct weirctl_options *o, double n, char *buf);
const char *weirctl_time(const struct weirctl_options *o, uint64_t ns,
			 char *buf);

/* --- weirctl_pattern.c --- */
const char *weirctl_pattern_check(const char *pattern);
bool weirctl_pattern_match(const char *pattern, const char *path);

#endif /* WEIRCTL_H */
