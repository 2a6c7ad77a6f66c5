// SPDX-License-Identifier: GPL-2.0
/*
 * Which places of the module the calls of a sequence reached, by KCOV, which
 * counts the calling thread's own way. The kernel's other code is built
 * without it. The table of places is shared by all processes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define AREA_WORDS	(1U << 16)

/**
 * struct coverage - the places reached so far
 * @n: how many.
 * @place: by hash of the address: the address, 0 if free, and a bit for each
 *	user that has been there.
 */
struct coverage {
	uint32_t n;
	struct {
		uint64_t pc;
		uint32_t users;
	} place[FUZZ_PCS];
};

static int kcov_fd = -1;
static uint64_t *kcov_area;

struct coverage *coverage_create(void)
{
	void *at = mmap(NULL, sizeof(struct coverage), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

unsigned int coverage_count(const struct coverage *cov)
{
	return __atomic_load_n(&cov->n, __ATOMIC_RELAXED);
}

/* One address a line, for addr2line. */
void coverage_write(const struct coverage *cov, FILE *to)
{
	unsigned int i;

	for (i = 0; i < FUZZ_PCS; i++) {
		if (cov->place[i].pc)
			fprintf(to, "%#llx\n",
				(unsigned long long)cov->place[i].pc);
	}
}

/* As root; the descriptor is inherited by processes of other users. */
bool kcov_open(void)
{
	kcov_fd = open("/sys/kernel/debug/kcov", O_RDWR);
	if (kcov_fd < 0)
		return false;
	if (ioctl(kcov_fd, KCOV_INIT_TRACE, (unsigned long)AREA_WORDS))
		goto none;
	kcov_area = mmap(NULL, AREA_WORDS * sizeof(*kcov_area),
			 PROT_READ | PROT_WRITE, MAP_SHARED, kcov_fd, 0);
	if (kcov_area != MAP_FAILED)
		return true;
none:
	close(kcov_fd);
	kcov_fd = -1;
	return false;
}

/* From here on this thread's way is counted, until it ends. */
bool kcov_begin(void)
{
	return kcov_fd >= 0 && !ioctl(kcov_fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

/* True when this user has not been there before. */
static bool note(struct coverage *cov, uint64_t pc, unsigned int user)
{
	uint32_t at = (uint32_t)(pc * UINT64_C(0x9e3779b97f4a7c15) >> 48), tries;

	for (tries = 0; tries < 64; tries++, at++) {
		uint64_t *place = &cov->place[at % FUZZ_PCS].pc, is = 0;

		if (__atomic_load_n(place, __ATOMIC_RELAXED) != pc) {
			if (!__atomic_compare_exchange_n(place, &is, pc, false,
							 __ATOMIC_RELAXED,
							 __ATOMIC_RELAXED)) {
				if (is != pc)
					continue;
			} else {
				__atomic_add_fetch(&cov->n, 1,
						   __ATOMIC_RELAXED);
			}
		}
		return !(__atomic_fetch_or(&cov->place[at % FUZZ_PCS].users,
					   1U << user, __ATOMIC_RELAXED) &
			 1U << user);
	}
	return false;
}

/* Ends a sequence: places that are new to this user. */
unsigned int kcov_end(struct coverage *cov, unsigned int user)
{
	uint64_t n, i;
	unsigned int new = 0;

	if (kcov_fd < 0)
		return 0;
	n = __atomic_load_n(&kcov_area[0], __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < AREA_WORDS; i++)
		new += note(cov, kcov_area[i], user);
	__atomic_store_n(&kcov_area[0], 0, __ATOMIC_RELAXED);
	return new;
}
