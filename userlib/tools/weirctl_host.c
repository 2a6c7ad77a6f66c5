// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The doctor's checks of the host: the module, and what the kernel and the
 * machine do to latency. One function each, which looks at files alone.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl_doctor.h"
#include "weirctl_unit.h"

#define OK	WEIRCTL_CHECK_OK
#define SKIP	WEIRCTL_CHECK_SKIP
#define WARN	WEIRCTL_CHECK_WARN
#define FAIL	WEIRCTL_CHECK_FAIL

#define WEIRCTL_CPUS		"/sys/devices/system/cpu"
#define WEIRCTL_TUNABLES	"/sys/kernel/weir/tunables"
#define WEIRCTL_SIGNED		"~Module signature appended~\n"
#define WEIRCTL_SLACK_NS	50000	/* what the kernel gives a thread */

/* --- the module --- */

static void weirctl_look_module(const struct weirctl_subject *p,
				struct weirctl_finding *f)
{
	char release[128] = "";

	weirctl_root_read(p, "/proc/sys/kernel/osrelease", release,
			  sizeof(release));
	if (weirctl_root_has(p, "/sys/module/weir")) {
		weirctl_find(f, OK, "weir is loaded, on kernel %s", release);
		return;
	}
	weirctl_find(f, FAIL, "weir is not loaded, on kernel %s", release);
	weirctl_remedy(f, "modprobe weir");
}

/* Is there a module for the running kernel, so that the next boot has one? */
static void weirctl_look_version(const struct weirctl_subject *p,
				 struct weirctl_finding *f)
{
	char release[128], path[256];

	if (!weirctl_root_read(p, "/proc/sys/kernel/osrelease", release,
			       sizeof(release))) {
		weirctl_find(f, SKIP, "the kernel does not say its release");
		return;
	}
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	if (!weirctl_root_has(p, path)) {
		weirctl_find(f, SKIP, "%s is not there", path);
		return;
	}
	if (weirctl_root_mentions(p, path, "/weir.ko")) {
		weirctl_find(f, OK, "there is a weir.ko for kernel %s", release);
		return;
	}
	weirctl_find(f, WARN, "no weir.ko is installed for kernel %s: after a boot weir is gone",
		     release);
	weirctl_remedy(f, "make && make install-modules");
}

static void weirctl_look_family(const struct weirctl_subject *p,
				struct weirctl_finding *f)
{
	unsigned long long family;

	if (!weirctl_root_number(p, "/sys/module/weir/parameters/family",
				 &family)) {
		weirctl_find(f, SKIP, "weir is not loaded");
		return;
	}
	if (family == 18 || family == 19 || family == 25)
		weirctl_find(f, OK, "address family %llu", family);
	else
		weirctl_find(f, WARN, "address family %llu is used by other modules too: they cannot be loaded beside weir",
			     family);
	if (f->verdict != OK)
		weirctl_remedy(f, "modprobe -r weir && modprobe weir family=%d",
			       WEIR_FAMILY_DEFAULT);
}

/* --- signatures --- */

/* The path of weir.ko for a release, from its modules.dep; false: none. */
static bool weirctl_module_file(const struct weirctl_subject *p,
				const char *release, char *path, size_t size)
{
	char name[256], line[1024];

	snprintf(name, sizeof(name), "/lib/modules/%s/modules.dep", release);
	if (!weirctl_root_line(p, name, "weir.ko", line, sizeof(line)))
		return false;
	line[strcspn(line, ":")] = '\0';
	snprintf(path, size, "/lib/modules/%s/%s", release, line);
	return true;
}

/* Does the kernel load signed modules alone, and why? NULL: it loads any. */
static const char *weirctl_wants_signature(const struct weirctl_subject *p)
{
	char text[128];

	if (weirctl_root_read(p, "/sys/module/module/parameters/sig_enforce",
			      text, sizeof(text)) && text[0] == 'Y')
		return "module.sig_enforce";
	if (weirctl_root_read(p, "/sys/kernel/security/lockdown", text,
			      sizeof(text)) && !strstr(text, "[none]"))
		return "lockdown, as under Secure Boot";
	return NULL;
}

static void weirctl_sign_remedy(const struct weirctl_subject *p,
				struct weirctl_finding *f, const char *release)
{
	bool dkms = weirctl_root_has(p, "/var/lib/dkms/mok.pub");
	const char *key = dkms ? "/var/lib/dkms/mok.key" : "mok.key";
	const char *certificate = dkms ? "/var/lib/dkms/mok.pub" : "mok.der";

	weirctl_remedy(f, "enrol a key once (mokutil --import %s, and confirm it at the next boot); then: /lib/modules/%s/build/scripts/sign-file sha256 %s %s weir.ko && make install-modules",
		       certificate, release, key, certificate);
}

static void weirctl_look_signature(const struct weirctl_subject *p,
				   struct weirctl_finding *f)
{
	const char *why = weirctl_wants_signature(p);
	char release[128], file[1200];

	if (!why) {
		weirctl_find(f, OK, "the kernel loads modules without a signature");
		return;
	}
	if (weirctl_root_has(p, "/sys/module/weir")) {
		weirctl_find(f, OK, "the kernel wants signed modules (%s), and has taken weir",
			     why);
		return;
	}
	if (!weirctl_root_read(p, "/proc/sys/kernel/osrelease", release,
			       sizeof(release)) ||
	    !weirctl_module_file(p, release, file, sizeof(file))) {
		weirctl_find(f, WARN, "the kernel loads signed modules alone (%s): sign weir.ko before it is installed",
			     why);
	} else if (weirctl_root_ends(p, file, WEIRCTL_SIGNED)) {
		weirctl_find(f, WARN, "the kernel loads signed modules alone (%s); weir.ko is signed, but is its key enrolled?",
			     why);
	} else if (strcmp(file + strlen(file) - 3, ".ko")) {
		weirctl_find(f, WARN, "the kernel loads signed modules alone (%s); %s is compressed: modinfo says if it is signed",
			     why, file);
	} else {
		weirctl_find(f, FAIL, "the kernel loads signed modules alone (%s), and %s is not signed",
			     why, file);
	}
	weirctl_sign_remedy(p, f, release);
}

/* --- memory --- */

/* The smallest memory limit on the way from our cgroup up; 0: none. */
static unsigned long long
weirctl_cgroup_limit(const struct weirctl_subject *p, char *cgroup,
		     const char *base, const char *file)
{
	unsigned long long limit = 0, n;
	char path[2048], *slash;

	for (;;) {
		snprintf(path, sizeof(path), "%s%s/%s", base,
			 strcmp(cgroup, "/") ? cgroup : "", file);
		/* "max", and in version 1 nearly 2^63, mean none */
		if (weirctl_root_number(p, path, &n) && n < 1ULL << 60 &&
		    (!limit || n < limit))
			limit = n;
		slash = strrchr(cgroup, '/');
		if (!slash || !cgroup[1])
			return limit;
		slash[slash == cgroup] = '\0';
	}
}

static unsigned long long weirctl_memory_limit(const struct weirctl_subject *p)
{
	char text[4096], cgroup[1024] = "/", *line, *save = NULL;
	bool old = false;

	if (!weirctl_root_read(p, "/proc/self/cgroup", text, sizeof(text)))
		return 0;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *name = strchr(line, ':');
		char *path = name ? strchr(name + 1, ':') : NULL;

		if (!path)
			continue;
		if (!strncmp(name, ":memory:", 8))
			old = true;
		else if (strncmp(line, "0::", 3) || old)
			continue;
		snprintf(cgroup, sizeof(cgroup), "%s", path + 1);
	}
	return old ? weirctl_cgroup_limit(p, cgroup, "/sys/fs/cgroup/memory",
					  "memory.limit_in_bytes") :
		     weirctl_cgroup_limit(p, cgroup, "/sys/fs/cgroup",
					  "memory.max");
}

static void weirctl_look_cgroup(const struct weirctl_subject *p,
				struct weirctl_finding *f)
{
	unsigned long long limit = weirctl_memory_limit(p), cap;
	char a[24], b[24];

	if (!weirctl_root_number(p, WEIRCTL_TUNABLES "/user_bytes_max", &cap)) {
		weirctl_find(f, SKIP, "weir is not loaded");
		return;
	}
	if (!limit) {
		weirctl_find(f, OK, "no memory limit of a cgroup here");
		return;
	}
	weirctl_size_text(limit, a);
	weirctl_size_text(cap, b);
	if (limit >= cap) {
		weirctl_find(f, OK, "the cgroup's memory limit of %s is no less than a user's cap of %s",
			     a, b);
		return;
	}
	weirctl_find(f, WARN, "the cgroup's memory limit of %s comes before a user's cap of %s: rings are charged to the cgroup, and the OOM killer is ruder than a refusal",
		     a, b);
	weirctl_remedy(f, "weirctl limit set user_bytes_max %llu", limit / 2);
}

static void weirctl_look_memlock(const struct weirctl_subject *p,
				 struct weirctl_finding *f)
{
	(void)p;
	weirctl_find(f, OK, "RLIMIT_MEMLOCK need not be raised: rings are the kernel's memory and do not count");
}

static void weirctl_look_huge(const struct weirctl_subject *p,
			      struct weirctl_finding *f)
{
	static const char file[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	char text[64];

	if (!weirctl_root_read(p, file, text, sizeof(text))) {
		weirctl_find(f, WARN, "this kernel has no transparent huge pages: rings of WEIR_HUGE are mapped by pages of 4 KiB");
		weirctl_remedy(f, "a kernel with CONFIG_TRANSPARENT_HUGEPAGE");
		return;
	}
	if (!strstr(text, "[never]")) {
		weirctl_find(f, OK, "transparent huge pages are had by WEIR_HUGE rings: %s",
			     text);
		return;
	}
	weirctl_find(f, WARN, "transparent huge pages are off: some kernels then map rings of WEIR_HUGE by pages of 4 KiB");
	weirctl_remedy(f, "echo madvise > %s", file);
}

static void weirctl_look_numa(const struct weirctl_subject *p,
			      struct weirctl_finding *f)
{
	unsigned long long balancing = 0;

	if (!weirctl_root_has(p, "/sys/devices/system/node/node1")) {
		weirctl_find(f, OK, "one NUMA node");
		return;
	}
	weirctl_root_number(p, "/proc/sys/kernel/numa_balancing", &balancing);
	if (!balancing) {
		weirctl_find(f, OK, "several NUMA nodes: keep both ends of a stream on one, WEIR_SO_NODE places its ring");
		return;
	}
	weirctl_find(f, WARN, "several NUMA nodes, and the kernel moves tasks between them: each move costs page faults");
	weirctl_remedy(f, "sysctl -w kernel.numa_balancing=0");
}

/* --- CPUs --- */

static int weirctl_is_cpu(const struct dirent *d)
{
	return !strncmp(d->d_name, "cpu", 3) && d->d_name[3] >= '0' &&
	       d->d_name[3] <= '9';
}

static void weirctl_look_governor(const struct weirctl_subject *p,
				  struct weirctl_finding *f)
{
	char dir[4096], path[512], text[64], other[64] = "";
	unsigned int known = 0, slow = 0;
	struct dirent **cpus;
	int n, i;

	snprintf(dir, sizeof(dir), "%s" WEIRCTL_CPUS, p->root);
	n = scandir(dir, &cpus, weirctl_is_cpu, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path),
			 WEIRCTL_CPUS "/%s/cpufreq/scaling_governor",
			 cpus[i]->d_name);
		if (weirctl_root_read(p, path, text, sizeof(text))) {
			known++;
			if (strcmp(text, "performance")) {
				slow++;
				memcpy(other, text, sizeof(other));
			}
		}
		free(cpus[i]);
	}
	if (n >= 0)
		free(cpus);
	if (!known) {
		weirctl_find(f, SKIP, "this machine does not let the kernel choose the CPUs' frequency");
	} else if (!slow) {
		weirctl_find(f, OK, "all CPUs have the governor performance");
	} else {
		weirctl_find(f, WARN, "%u of %u CPUs have the governor %s: a CPU that was idle is slow at first",
			     slow, known, other);
		weirctl_remedy(f, "cpupower frequency-set -g performance");
	}
}

/* The value of a word of the kernel's command line; "" when it is not there. */
static void weirctl_boot_word(const struct weirctl_subject *p, const char *name,
			      char *value, size_t size)
{
	char text[4096], *word, *save = NULL;
	size_t len = strlen(name);

	value[0] = '\0';
	if (!weirctl_root_read(p, "/proc/cmdline", text, sizeof(text)))
		return;
	for (word = strtok_r(text, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (!strncmp(word, name, len) &&
		    (word[len] == '=' || !word[len]))
			snprintf(value, size, "%s", word[len] ?
				 word + len + 1 : "all");
	}
}

static void weirctl_look_isolation(const struct weirctl_subject *p,
				   struct weirctl_finding *f)
{
	char isolated[256], full[256], nocbs[256];

	weirctl_root_read(p, WEIRCTL_CPUS "/isolated", isolated,
			  sizeof(isolated));
	weirctl_root_read(p, WEIRCTL_CPUS "/nohz_full", full, sizeof(full));
	weirctl_boot_word(p, "rcu_nocbs", nocbs, sizeof(nocbs));
	if (!strcmp(full, "(null)"))
		full[0] = '\0';
	if (!isolated[0]) {
		weirctl_find(f, OK, "no CPU is isolated; for the lowest latency isolate those that poll: isolcpus, nohz_full, rcu_nocbs");
		return;
	}
	/* nohz_full brings rcu_nocbs with it */
	if (full[0]) {
		weirctl_find(f, OK, "CPUs %s are isolated, without a tick on %s",
			     isolated, full);
		return;
	}
	weirctl_find(f, WARN, "CPUs %s are isolated, but %s there", isolated,
		     nocbs[0] ? "the timer tick still runs" :
		     "the timer tick and RCU callbacks still run");
	weirctl_remedy(f, "boot with nohz_full=%s rcu_nocbs=%s", isolated,
		       isolated);
}

static void weirctl_look_preemption(const struct weirctl_subject *p,
				    struct weirctl_finding *f)
{
	char version[512], mode[64];

	weirctl_root_read(p, "/proc/version", version, sizeof(version));
	weirctl_boot_word(p, "preempt", mode, sizeof(mode));
	if (strstr(version, "PREEMPT_RT"))
		weirctl_find(f, OK, "PREEMPT_RT: bounded latency; the router runs as a thread, so give it a priority");
	else if (strstr(version, "PREEMPT_DYNAMIC"))
		weirctl_find(f, OK, "PREEMPT_DYNAMIC, preempt=%s; preempt=full shortens the tail, preempt=none gives throughput",
			     mode[0] ? mode : "as built");
	else if (strstr(version, "PREEMPT"))
		weirctl_find(f, OK, "PREEMPT: the kernel can be preempted");
	else
		weirctl_find(f, OK, "the kernel is preempted at set points alone: throughput before tail latency");
}

static int weirctl_is_name(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void weirctl_look_mitigations(const struct weirctl_subject *p,
				     struct weirctl_finding *f)
{
	char dir[4096], path[512], text[256], names[400] = "";
	struct dirent **files;
	size_t len;
	int n, i;

	snprintf(dir, sizeof(dir), "%s" WEIRCTL_CPUS "/vulnerabilities",
		 p->root);
	n = scandir(dir, &files, weirctl_is_name, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path),
			 WEIRCTL_CPUS "/vulnerabilities/%s", files[i]->d_name);
		weirctl_root_read(p, path, text, sizeof(text));
		len = strlen(names);
		if (!strncmp(text, "Mitigation", 10))
			snprintf(names + len, sizeof(names) - len, "%s%s",
				 len ? ", " : "", files[i]->d_name);
		free(files[i]);
	}
	if (n >= 0)
		free(files);
	if (!names[0])
		weirctl_find(f, OK, "no mitigation makes system calls dearer");
	else
		weirctl_find(f, OK, "system calls and wake-ups cost more for mitigations of %s; polling readers make none",
			     names);
}

/* --- time --- */

static void weirctl_look_clock(const struct weirctl_subject *p,
			       struct weirctl_finding *f)
{
	static const char dir[] = "/sys/devices/system/clocksource/clocksource0";
	static const char *const good[] = {
		"tsc", "kvm-clock", "arch_sys_counter",
		"hyperv_clocksource_tsc_page" };
	char path[128], clock[64], all[256];
	size_t i;

	snprintf(path, sizeof(path), "%s/current_clocksource", dir);
	if (!weirctl_root_read(p, path, clock, sizeof(clock))) {
		weirctl_find(f, SKIP, "the kernel does not name its clock");
		return;
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!strcmp(clock, good[i])) {
			weirctl_find(f, OK, "the clock is %s, read without a system call",
				     clock);
			return;
		}
	}
	snprintf(path, sizeof(path), "%s/available_clocksource", dir);
	weirctl_root_read(p, path, all, sizeof(all));
	weirctl_find(f, WARN, "the clock is %s: reading it is slow, and each deadline reads it",
		     clock);
	if (strstr(all, "tsc"))
		weirctl_remedy(f, "echo tsc > %s/current_clocksource", dir);
	else
		weirctl_remedy(f, "boot with tsc=reliable, if the machine's TSC is");
}

static void weirctl_look_slack(const struct weirctl_subject *p,
			       struct weirctl_finding *f)
{
	unsigned long long ns;
	char b[24];

	if (!weirctl_root_number(p, "/proc/self/timerslack_ns", &ns)) {
		weirctl_find(f, SKIP, "the kernel does not say the timer slack");
		return;
	}
	weirctl_duration_text(ns, b);
	if (ns <= WEIRCTL_SLACK_NS) {
		weirctl_find(f, OK, "timer slack %s: a wait with a time-out ends so late at most",
			     b);
		return;
	}
	weirctl_find(f, WARN, "timer slack %s: waits with a time-out end so much too late",
		     b);
	weirctl_remedy(f, "in the program: prctl(PR_SET_TIMERSLACK, 1), or a real-time policy");
}

const struct weirctl_check weirctl_host_checks[] = {
	{ "module",		weirctl_look_module },
	{ "version",		weirctl_look_version },
	{ "family",		weirctl_look_family },
	{ "signature",		weirctl_look_signature },
	{ "cgroup",		weirctl_look_cgroup },
	{ "memlock",		weirctl_look_memlock },
	{ "huge pages",		weirctl_look_huge },
	{ "numa",		weirctl_look_numa },
	{ "governor",		weirctl_look_governor },
	{ "isolation",		weirctl_look_isolation },
	{ "preemption",		weirctl_look_preemption },
	{ "mitigations",	weirctl_look_mitigations },
	{ "clock",		weirctl_look_clock },
	{ "timer slack",	weirctl_look_slack },
};

const size_t weirctl_host_check_count =
	sizeof(weirctl_host_checks) / sizeof(weirctl_host_checks[0]);
