// SPDX-License-Identifier: GPL-2.0
/*
 * Race points, see race.h: /sys/kernel/debug/weir/races. Reading the file gives
 * one line for each point: name, microseconds to wait, chance to wait in
 * thousandths, remaining waits (-1: any number), times passed, times waited.
 * Writing
 *
 *	NAME MICROSECONDS [CHANCE [WAITS]]
 *
 * sets a point; threads that wait there go on at once. Writing "reset" does the
 * same for all points and clears their counters.
 *
 * Only in builds for kernels with KUnit.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "race.h"

#define WEIR_RACE_MAX_US	(60 * USEC_PER_SEC)
#define WEIR_RACE_SPIN_US	(200 * USEC_PER_MSEC)

/**
 * struct weir_race - a race point
 * @us: microseconds to wait; 0: no thread waits.
 * @permille: chance to wait, in thousandths.
 * @left: remaining waits; INT_MAX: any number.
 * @set: number of times that the point was set; waiters go on when it changes.
 * @passed: number of times that a thread came by.
 * @waited: number of times that a thread began to wait.
 */
struct weir_race {
	u32		us;
	u32		permille;
	atomic_t	left;
	u32		set;
	atomic_t	passed;
	atomic_t	waited;
};

#define WEIR_RACE_NAME(name)	#name,
static const char *const weir_race_names[] = {
	WEIR_RACE_POINTS(WEIR_RACE_NAME)
};

static struct weir_race weir_races[WEIR_RACE_MAX];
static DECLARE_WAIT_QUEUE_HEAD(weir_race_wait);
static DEFINE_MUTEX(weir_race_lock);
static struct dentry *weir_race_dir;

static void weir_race_spin(struct weir_race *r, u32 set, u32 us)
{
	for (us = min_t(u32, us, WEIR_RACE_SPIN_US); us > 100; us -= 100) {
		if (READ_ONCE(r->set) != set)
			return;
		udelay(100);
	}
}

void weir_race_hit(enum weir_race_point point)
{
	struct weir_race *r = &weir_races[point];
	u32 set = READ_ONCE(r->set), us = READ_ONCE(r->us);

	atomic_inc(&r->passed);
	if (!us || get_random_u32() % 1000 >= READ_ONCE(r->permille) ||
	    atomic_dec_if_positive(&r->left) < 0)
		return;
	atomic_inc(&r->waited);
	if (!preemptible() || rcu_preempt_depth() || !task_is_running(current))
		weir_race_spin(r, set, us);
	else
		wait_event_timeout(weir_race_wait, READ_ONCE(r->set) != set,
				   usecs_to_jiffies(us));
}

static int weir_race_show(struct seq_file *m, void *unused)
{
	int i, left;

	for (i = 0; i < WEIR_RACE_MAX; i++) {
		struct weir_race *r = &weir_races[i];

		left = atomic_read(&r->left);
		seq_printf(m, "%s %u %u %d %d %d\n", weir_race_names[i],
			   READ_ONCE(r->us), READ_ONCE(r->permille),
			   left > INT_MAX / 2 ? -1 : left,
			   atomic_read(&r->passed), atomic_read(&r->waited));
	}
	return 0;
}

static int weir_race_open(struct inode *inode, struct file *file)
{
	return single_open(file, weir_race_show, NULL);
}

/* Sets a point: the delay, its probability and how often it is used. */
static void weir_race_set(struct weir_race *r, u32 us, u32 permille, int waits)
	__must_hold(&weir_race_lock)
{
	lockdep_assert_held(&weir_race_lock);
	WRITE_ONCE(r->us, 0);
	WRITE_ONCE(r->permille, permille);
	atomic_set(&r->left, waits < 0 ? INT_MAX : waits);
	WRITE_ONCE(r->set, r->set + 1);
	WRITE_ONCE(r->us, us);
}

static int weir_race_command(const char *words)
{
	u32 us, permille = 1000;
	int i, n, waits = -1;
	char name[24];

	if (sysfs_streq(words, "reset")) {
		for (i = 0; i < WEIR_RACE_MAX; i++) {
			weir_race_set(&weir_races[i], 0, 0, 0);
			atomic_set(&weir_races[i].passed, 0);
			atomic_set(&weir_races[i].waited, 0);
		}
		return 0;
	}
	n = sscanf(words, "%23s %u %u %d", name, &us, &permille, &waits);
	if (n < 2 || us > WEIR_RACE_MAX_US || permille > 1000)
		return -EINVAL;
	i = match_string(weir_race_names, WEIR_RACE_MAX, name);
	if (i < 0)
		return -EINVAL;
	weir_race_set(&weir_races[i], us, permille, waits);
	return 0;
}

static ssize_t weir_race_write(struct file *file, const char __user *from,
			       size_t len, loff_t *pos)
{
	char *words;
	int err;

	if (len > PAGE_SIZE)
		return -EINVAL;
	words = memdup_user_nul(from, len);
	if (IS_ERR(words))
		return PTR_ERR(words);
	mutex_lock(&weir_race_lock);
	err = weir_race_command(words);
	mutex_unlock(&weir_race_lock);
	wake_up_all(&weir_race_wait);
	kfree(words);
	return err ?: len;
}

static const struct file_operations weir_race_fops = {
	.owner		= THIS_MODULE,
	.open		= weir_race_open,
	.read		= seq_read,
	.write		= weir_race_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/* Without the file no point is ever set, and tests skip. */
void weir_race_init(void)
{
	weir_race_dir = debugfs_create_dir("weir", NULL);
	debugfs_create_file("races", 0600, weir_race_dir, NULL,
			    &weir_race_fops);
}

void weir_race_exit(void)
{
	debugfs_remove_recursive(weir_race_dir);
}
