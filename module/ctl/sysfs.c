// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/weir. The directory tunables/ has the tunables, each with its
 * range. The directories stats/ and drops/ have counters of the whole host;
 * those in drops/ are by reason. Each file has one value. weir-sysfs(5)
 * documents all of them.
 */
#include <linux/kobject.h>
#include <linux/log2.h>
#include <linux/sysfs.h>

#include "charge.h"
#include "ctl/sysfs.h"
#include "logic/account.h"
#include "memory.h"
#include "route/poller.h"
#include "stats.h"
#include "tunables.h"
#include "weir.h"

/**
 * struct weir_tunable - one file in tunables/
 * @attr: the file.
 * @value: points to the value, in weir_tunables; a u64 if @wide, else a u32.
 * @wide: the value has 8 bytes.
 * @power: the value must be a power of two.
 * @min: smallest value that the file takes.
 * @max: largest value that the file takes.
 */
struct weir_tunable {
	struct kobj_attribute attr;
	void *value;
	bool wide;
	bool power;
	u64 min;
	u64 max;
};

static ssize_t weir_tunable_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	struct weir_tunable *t = container_of(attr, struct weir_tunable, attr);

	return sysfs_emit(buf, "%llu\n", t->wide ? READ_ONCE(*(u64 *)t->value) :
			  (u64)READ_ONCE(*(u32 *)t->value));
}

static ssize_t weir_tunable_store(struct kobject *kobj,
				  struct kobj_attribute *attr,
				  const char *buf, size_t count)
{
	struct weir_tunable *t = container_of(attr, struct weir_tunable, attr);
	u64 v;
	int err;

	err = kstrtou64(buf, 0, &v);
	if (err)
		return err;
	if (v < t->min || v > t->max || (t->power && !is_power_of_2(v))) {
		pr_warn_ratelimited("weir: %s takes %s from %llu to %llu\n",
				    t->attr.attr.name, t->power ?
				    "powers of two" : "values", t->min, t->max);
		return -ERANGE;
	}
	if (t->wide)
		WRITE_ONCE(*(u64 *)t->value, v);
	else
		WRITE_ONCE(*(u32 *)t->value, v);
	return count;
}

#define WEIR_TUNABLE_FILE(_type, _name, _default, _power, _min, _max)	\
	static struct weir_tunable weir_tunable_##_name = {		\
		.attr	= __ATTR(_name, 0644, weir_tunable_show,	\
				 weir_tunable_store),			\
		.value	= &weir_tunables._name,				\
		.wide	= sizeof(_type) == 8,				\
		.power	= _power,					\
		.min	= _min,						\
		.max	= _max,						\
	};
#define WEIR_TUNABLE_ATTR(_type, _name, ...)				\
	&weir_tunable_##_name.attr.attr,

WEIR_TUNABLE_LIST(WEIR_TUNABLE_FILE)

/* The CPUs that poll the outboxes of endpoints: a list such as 0,2-3. */
static ssize_t poll_cpus_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	return weir_poll_show(buf);
}

static ssize_t poll_cpus_store(struct kobject *kobj,
			       struct kobj_attribute *attr, const char *buf,
			       size_t count)
{
	cpumask_var_t cpus;
	int err;

	if (!zalloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	err = cpulist_parse(buf, cpus);
	if (!err && !cpumask_subset(cpus, cpu_online_mask)) {
		pr_warn_ratelimited("weir: poll_cpus takes CPUs that are online\n");
		err = -ERANGE;
	}
	if (!err)
		err = weir_poll_set(cpus);
	free_cpumask_var(cpus);
	return err ?: count;
}

static struct kobj_attribute weir_poll_cpus_attr = __ATTR_RW(poll_cpus);

static struct attribute *weir_tunable_attrs[] = {
	WEIR_TUNABLE_LIST(WEIR_TUNABLE_ATTR)
	&weir_poll_cpus_attr.attr,
	NULL
};

static const struct attribute_group weir_tunable_group = {
	.name	= "tunables",
	.attrs	= weir_tunable_attrs,
};

/**
 * struct weir_counter - one file in stats/ or drops/
 * @attr: the file.
 * @values: per-CPU array of counters; NULL: the file tells what all users hold.
 * @index: index in @values; or, without @values, an enum weir_account_kind.
 */
struct weir_counter {
	struct kobj_attribute attr;
	u64 __percpu *values;
	unsigned int index;
};

static ssize_t weir_counter_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	struct weir_counter *c = container_of(attr, struct weir_counter, attr);
	u64 sum = 0;
	int cpu;

	if (!c->values)
		return sysfs_emit(buf, "%llu\n",
				  weir_usage_read(&weir_users.sum, c->index));
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(c->values, cpu)[c->index]);
	return sysfs_emit(buf, "%llu\n", sum);
}

/*
 * These files count what all users of the host do. A user could learn from them
 * when another user sends a message and how long it is. So only root may read
 * them.
 */
#define WEIR_COUNTER(_name, _values, _index) {				\
		.attr.attr	= { .name = _name, .mode = 0400 },	\
		.attr.show	= weir_counter_show,			\
		.values		= _values,				\
		.index		= _index,				\
	}

#define WEIR_STAT_FILE(_NAME, _name)					\
	[WEIR_STAT_##_NAME] =						\
		WEIR_COUNTER(#_name, weir_stats, WEIR_STAT_##_NAME),
#define WEIR_STAT_ATTR(_NAME, _name)					\
	&weir_stat_files[WEIR_STAT_##_NAME].attr.attr,

static struct weir_counter weir_stat_files[WEIR_STAT_MAX] = {
	WEIR_STAT_LIST(WEIR_STAT_FILE)
};

static struct weir_counter weir_charged_bytes =
	WEIR_COUNTER("charged_bytes", NULL, WEIR_ACCOUNT_BYTES);
static struct weir_counter weir_charged_objects =
	WEIR_COUNTER("charged_objects", NULL, WEIR_ACCOUNT_OBJECTS);

static struct attribute *weir_stats_attrs[] = {
	WEIR_STAT_LIST(WEIR_STAT_ATTR)
	&weir_charged_bytes.attr.attr,
	&weir_charged_objects.attr.attr,
	NULL
};

static const struct attribute_group weir_stats_group = {
	.name	= "stats",
	.attrs	= weir_stats_attrs,
};

#define WEIR_DROP_FILE(_name, _number, _text, ...)			\
	[_number] = WEIR_COUNTER(_text, weir_drops, _number),
#define WEIR_DROP_ATTR(_name, _number, ...)				\
	&weir_drop_files[_number].attr.attr,

static struct weir_counter weir_drop_files[WEIR_REASON_MAX] = {
	WEIR_REASON_LIST(WEIR_DROP_FILE)
};

static struct attribute *weir_drops_attrs[] = {
	WEIR_REASON_LIST(WEIR_DROP_ATTR)
	NULL
};

/* The number of an attribute is its reason. */
static_assert(ARRAY_SIZE(weir_drops_attrs) == WEIR_REASON_MAX + 1);

/* Some reasons drop nothing. They have no file. */
static umode_t weir_drop_visible(struct kobject *kobj, struct attribute *attr,
				 int reason)
{
	switch (reason) {
	case WEIR_REASON_NONE:
	case WEIR_REASON_CLOSED:
	case WEIR_REASON_TAKEN_OVER:
		return 0;
	}
	return attr->mode;
}

static const struct attribute_group weir_drops_group = {
	.name		= "drops",
	.attrs		= weir_drops_attrs,
	.is_visible	= weir_drop_visible,
};

static const struct attribute_group *weir_groups[] = {
	&weir_tunable_group,
	&weir_stats_group,
	&weir_drops_group,
	NULL
};

static struct kobject *weir_kobj;

int weir_sysfs_init(void)
{
	int err;

	/* leave memory for other users, and for other namespaces */
	weir_tunables.user_bytes_max =
		weir_memory_share(4, weir_tunables.user_bytes_max);
	weir_tunables.netns_bytes_max =
		weir_memory_share(2, weir_tunables.netns_bytes_max);
	weir_kobj = kobject_create_and_add("weir", kernel_kobj);
	if (!weir_kobj)
		return -ENOMEM;
	err = sysfs_create_groups(weir_kobj, weir_groups);
	if (err)
		kobject_put(weir_kobj);
	return err;
}

void weir_sysfs_exit(void)
{
	sysfs_remove_groups(weir_kobj, weir_groups);
	kobject_put(weir_kobj);
}
