// SPDX-License-Identifier: GPL-2.0
/*
 * How long weir_net.lock is held, on a stock kernel and with weir.ko as it is:
 * /sys/kernel/debug/weir_holds. Writing to it chooses the lock of the writer's
 * network namespace and forgets what was measured. A line is read there for
 * each place that has taken the lock, the longest hold first:
 *
 *	HOLD WALL WAIT HOLDS PLACE
 *
 * The longest hold, the longest with the time in which its holder did not run,
 * the longest wait of a real-time thread, all in nanoseconds, the number of holds,
 * and the place. A wait is the time for which those before it held the lock and
 * ran: how long a holder has to wait for a processor is the scheduler's business,
 * and a thread that waits at an ordinary priority waits for that, too.
 *
 * In a guest whose time is counted instructions, with one processor, a
 * nanosecond is an instruction. Interrupts during a hold count, as others wait
 * for them too; so do the probes at its ends, a few hundred instructions. RCU_SOFTIRQ
 * alone counts as time in which the holder did not run: where thousands of files have
 * been closed, weir's or not, the kernel frees them there, in batches of over a
 * million instructions, in whatever thread is interrupted. The module gives RCU no
 * function of its own.
 *
 * Built for weir's own tests on 6.1 alone, see scripts/module.
 */
#include <linux/debugfs.h>
#include <linux/interrupt.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/rt.h>
#include <linux/seq_file.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>

#include <module/net.h>

#define WEIR_HOLD_PLACES	64

/**
 * struct weir_hold_place - a place in the code that takes the lock
 * @from: return address there; 0: not used yet.
 * @longest: hold, in ns, without the time in which the holder did not run.
 * @longest_wall: hold, in ns, with it.
 * @longest_wait: of a real-time thread for the lock, in ns for which holders
 *	ran.
 * @holds: how many.
 */
struct weir_hold_place {
	unsigned long from;
	u64 longest;
	u64 longest_wall;
	u64 longest_wait;
	u64 holds;
};

/**
 * struct weir_hold - the lock that is watched, and its present hold
 * @mutex: the lock; NULL before one is chosen.
 * @guard: guards the rest.
 * @holder: the thread that holds the lock; NULL: nobody does.
 * @from: return address of its call.
 * @since: when it got the lock, in ns.
 * @away_since: when the holder stopped to run; 0 while it runs.
 * @away: time for which it did not run, in ns.
 * @waited: time for which holders ran while the holder waited, in ns.
 * @ran: time for which all holders before have run, in ns.
 * @lost: holds at places for which there was no room.
 * @places: what was measured.
 */
struct weir_hold {
	struct mutex *mutex;
	raw_spinlock_t guard;
	struct task_struct *holder;
	unsigned long from;
	u64 since;
	u64 away_since;
	u64 away;
	u64 waited;
	u64 ran;
	u64 lost;
	struct weir_hold_place places[WEIR_HOLD_PLACES];
};

static struct weir_hold weir_hold = {
	.guard = __RAW_SPIN_LOCK_UNLOCKED(weir_hold.guard),
};

static struct weir_net *(*weir_net_of)(const struct net *net);
static struct dentry *weir_hold_file;

/* Time for which holders have run up to @now, in ns. */
static u64 weir_hold_ran(const struct weir_hold *h, u64 now)
{
	if (!h->holder)
		return h->ran;
	return h->ran + (h->away_since ?: now) - h->since - h->away;
}

static int weir_hold_wanted(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct weir_hold *h = &weir_hold;
	unsigned long flags;

	if (regs->di != (unsigned long)READ_ONCE(h->mutex))
		return 1;
	raw_spin_lock_irqsave(&h->guard, flags);
	*(u64 *)ri->data = weir_hold_ran(h, ktime_get_mono_fast_ns());
	raw_spin_unlock_irqrestore(&h->guard, flags);
	return 0;
}
NOKPROBE_SYMBOL(weir_hold_wanted);

static int weir_hold_begin(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct weir_hold *h = &weir_hold;
	unsigned long flags;

	raw_spin_lock_irqsave(&h->guard, flags);
	h->holder = current;
	h->from = get_kretprobe_retaddr(ri);
	h->away_since = 0;
	h->away = 0;
	h->waited = h->ran - min(h->ran, *(u64 *)ri->data);
	h->since = ktime_get_mono_fast_ns();
	raw_spin_unlock_irqrestore(&h->guard, flags);
	return 0;
}
NOKPROBE_SYMBOL(weir_hold_begin);

static void weir_hold_note(struct weir_hold *h, u64 ns)
{
	struct weir_hold_place *p = h->places;
	int i;

	h->ran += ns - h->away;
	for (i = 0; i < WEIR_HOLD_PLACES; i++, p++)
		if (!p->from || p->from == h->from)
			break;
	if (i == WEIR_HOLD_PLACES) {
		h->lost++;
		return;
	}
	p->from = h->from;
	p->holds++;
	p->longest = max(p->longest, ns - h->away);
	p->longest_wall = max(p->longest_wall, ns);
	if (rt_task(current))
		p->longest_wait = max(p->longest_wait, h->waited);
}

static int weir_hold_end(struct kprobe *kp, struct pt_regs *regs)
{
	struct weir_hold *h = &weir_hold;
	unsigned long flags;

	if (regs->di != (unsigned long)READ_ONCE(h->mutex))
		return 0;
	raw_spin_lock_irqsave(&h->guard, flags);
	if (h->holder == current) {
		/* not before: a softirq may come until the guard is held */
		weir_hold_note(h, ktime_get_mono_fast_ns() - h->since);
		h->holder = NULL;
	}
	raw_spin_unlock_irqrestore(&h->guard, flags);
	return 0;
}
NOKPROBE_SYMBOL(weir_hold_end);

/* The holder does not run from now on, or runs again. Under the guard. */
static void weir_hold_away(struct weir_hold *h, bool away)
{
	u64 now = ktime_get_mono_fast_ns();

	if (away) {
		h->away_since = now;
	} else if (h->away_since) {
		h->away += now - h->away_since;
		h->away_since = 0;
	}
}

static void weir_hold_switched(void *data, bool preempt, struct task_struct *prev,
			       struct task_struct *next, unsigned int state)
{
	struct weir_hold *h = &weir_hold;
	struct task_struct *holder = READ_ONCE(h->holder);

	if (!holder || (prev != holder && next != holder))
		return;
	raw_spin_lock(&h->guard);
	if (h->holder == prev || h->holder == next)
		weir_hold_away(h, h->holder == prev);
	raw_spin_unlock(&h->guard);
}

static void weir_hold_softirq(unsigned int vec, bool entry)
{
	struct weir_hold *h = &weir_hold;
	unsigned long flags;

	if (vec != RCU_SOFTIRQ || READ_ONCE(h->holder) != current)
		return;
	raw_spin_lock_irqsave(&h->guard, flags);
	if (h->holder == current)
		weir_hold_away(h, entry);
	raw_spin_unlock_irqrestore(&h->guard, flags);
}

static void weir_hold_softirq_entry(void *data, unsigned int vec)
{
	weir_hold_softirq(vec, true);
}

static void weir_hold_softirq_exit(void *data, unsigned int vec)
{
	weir_hold_softirq(vec, false);
}

/**
 * struct weir_hold_trace - a tracepoint of the kernel with a function here
 * @name: of the tracepoint.
 * @fn: called there.
 * @tp: the tracepoint; NULL until it is found.
 */
struct weir_hold_trace {
	const char *name;
	void *fn;
	struct tracepoint *tp;
};

static struct weir_hold_trace weir_hold_traces[] = {
	{ "sched_switch", weir_hold_switched },
	{ "softirq_entry", weir_hold_softirq_entry },
	{ "softirq_exit", weir_hold_softirq_exit },
};

static struct kretprobe weir_hold_lock = {
	.kp.symbol_name	= "mutex_lock",
	.entry_handler	= weir_hold_wanted,
	.handler	= weir_hold_begin,
	.data_size	= sizeof(u64),
	.maxactive	= 256,
};

static struct kprobe weir_hold_unlock = {
	.symbol_name	= "mutex_unlock",
	.pre_handler	= weir_hold_end,
};

static int weir_hold_longer(const void *a, const void *b)
{
	u64 x = ((const struct weir_hold_place *)a)->longest;
	u64 y = ((const struct weir_hold_place *)b)->longest;

	return x < y ? 1 : x > y ? -1 : 0;
}

static int weir_hold_show(struct seq_file *m, void *v)
{
	struct weir_hold *h = &weir_hold;
	struct weir_hold_place *places;
	u64 lost;
	int i;

	places = kcalloc(WEIR_HOLD_PLACES, sizeof(*places), GFP_KERNEL);
	if (!places)
		return -ENOMEM;
	raw_spin_lock_irq(&h->guard);
	memcpy(places, h->places, sizeof(h->places));
	lost = h->lost + weir_hold_lock.nmissed + weir_hold_unlock.nmissed;
	raw_spin_unlock_irq(&h->guard);
	sort(places, WEIR_HOLD_PLACES, sizeof(*places), weir_hold_longer, NULL);
	for (i = 0; i < WEIR_HOLD_PLACES && places[i].from; i++)
		seq_printf(m, "%llu %llu %llu %llu %ps\n", places[i].longest,
			   places[i].longest_wall, places[i].longest_wait,
			   places[i].holds, (void *)places[i].from);
	if (lost)
		seq_printf(m, "0 0 0 %llu lost\n", lost);
	kfree(places);
	return 0;
}

static int weir_hold_open(struct inode *inode, struct file *file)
{
	return single_open(file, weir_hold_show, NULL);
}

static ssize_t weir_hold_write(struct file *file, const char __user *from,
			       size_t len, loff_t *pos)
{
	struct weir_hold *h = &weir_hold;

	raw_spin_lock_irq(&h->guard);
	WRITE_ONCE(h->mutex, &weir_net_of(current->nsproxy->net_ns)->lock);
	h->holder = NULL;
	h->ran = 0;
	h->lost = 0;
	memset(h->places, 0, sizeof(h->places));
	raw_spin_unlock_irq(&h->guard);
	return len;
}

static const struct file_operations weir_hold_fops = {
	.owner		= THIS_MODULE,
	.open		= weir_hold_open,
	.read		= seq_read,
	.write		= weir_hold_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/* weir exports nothing; a probe knows where its function is. */
static int weir_hold_find_net(void)
{
	struct kprobe kp = { .symbol_name = "weir:weir_net" };
	int err = register_kprobe(&kp);

	if (err)
		return err;
	weir_net_of = (void *)kp.addr;
	unregister_kprobe(&kp);
	return 0;
}

static void weir_hold_find_trace(struct tracepoint *tp, void *data)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(weir_hold_traces); i++)
		if (!strcmp(tp->name, weir_hold_traces[i].name))
			weir_hold_traces[i].tp = tp;
}

/* Unregisters the first @n functions. */
static void weir_hold_untrace(int n)
{
	while (n--)
		tracepoint_probe_unregister(weir_hold_traces[n].tp,
					    weir_hold_traces[n].fn, NULL);
	tracepoint_synchronize_unregister();
}

static int weir_hold_trace_all(void)
{
	int i, err;

	for_each_kernel_tracepoint(weir_hold_find_trace, NULL);
	for (i = 0; i < ARRAY_SIZE(weir_hold_traces); i++) {
		err = !weir_hold_traces[i].tp ? -ENOENT :
		      tracepoint_probe_register(weir_hold_traces[i].tp,
						weir_hold_traces[i].fn, NULL);
		if (err) {
			weir_hold_untrace(i);
			return err;
		}
	}
	return 0;
}

static int __init weir_hold_init(void)
{
	int err = weir_hold_find_net();

	if (err)
		return err;
	err = weir_hold_trace_all();
	if (err)
		return err;
	err = register_kretprobe(&weir_hold_lock);
	if (err)
		goto err_trace;
	err = register_kprobe(&weir_hold_unlock);
	if (err)
		goto err_lock;
	weir_hold_file = debugfs_create_file("weir_holds", 0600, NULL, NULL,
					     &weir_hold_fops);
	return 0;
err_lock:
	unregister_kretprobe(&weir_hold_lock);
err_trace:
	weir_hold_untrace(ARRAY_SIZE(weir_hold_traces));
	return err;
}
module_init(weir_hold_init);

static void __exit weir_hold_exit(void)
{
	debugfs_remove(weir_hold_file);
	unregister_kprobe(&weir_hold_unlock);
	unregister_kretprobe(&weir_hold_lock);
	weir_hold_untrace(ARRAY_SIZE(weir_hold_traces));
}
module_exit(weir_hold_exit);

MODULE_DESCRIPTION("how long weir_net.lock is held, for tests");
MODULE_LICENSE("GPL");
