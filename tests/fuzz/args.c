// SPDX-License-Identifier: GPL-2.0
/*
 * The table of all calls, and their arguments: how one of each kind is made
 * from a random number, written as text and read back. Values that a kernel
 * gets wrong most easily come more often than others.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"

const struct call *fuzz_calls[CALLS_MAX];
unsigned int fuzz_ncalls;
static unsigned int weights;

void calls_init(void)
{
	const struct call_table *const tables[] = {
		&socket_calls, &control_calls, &ring_calls, &process_calls,
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (j = 0; j < tables[i]->n && fuzz_ncalls < CALLS_MAX; j++) {
			fuzz_calls[fuzz_ncalls++] = &tables[i]->calls[j];
			weights += tables[i]->calls[j].weight;
		}
	}
}

uint32_t call_choose(struct rng *r)
{
	uint64_t at = rng_below(r, weights);
	uint32_t i;

	for (i = 0; at >= fuzz_calls[i]->weight; i++)
		at -= fuzz_calls[i]->weight;
	return i;
}

int call_find(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < fuzz_ncalls; i++) {
		if (strlen(fuzz_calls[i]->name) == len &&
		    !memcmp(fuzz_calls[i]->name, name, len))
			return (int)i;
	}
	return -1;
}

/* --- paths ---------------------------------------------------------------- */

/* Few, so that sequences and users meet; the last ones are no good paths. */
static const char *const paths[] = {
	"/f/a", "/f/b", "/f/c", "/f/d/e", "/f/*", "/f/**", "/**", "/*/a",
	"/f/d/*", "/g", "/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w",
	"/f/long-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789",
	"", "/", "f", "/f/", "//f", "/f/**/a", "/f/a*",
	"/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x", "/f/\001",
};

#define GOOD_PATHS	12

const char *path_of(uint64_t arg)
{
	return paths[arg % ARRAY_SIZE(paths)];
}

static uint64_t path_make(struct rng *r)
{
	switch (rng_below(r, 8)) {
	case 0:
		return rng_below(r, ARRAY_SIZE(paths));
	case 1:
	case 2:
		return rng_below(r, GOOD_PATHS);
	default:
		return rng_below(r, 4);
	}
}

/* --- numbers -------------------------------------------------------------- */

static uint64_t pick(struct rng *r, const uint64_t *from, size_t n)
{
	return from[rng_below(r, n)];
}

#define PICK(r, ...) __extension__ ({					\
	static const uint64_t from_[] = { __VA_ARGS__ };		\
									\
	pick(r, from_, ARRAY_SIZE(from_));				\
})

static uint64_t int_make(struct rng *r)
{
	if (rng_one_in(r, 8))
		return PICK(r, 0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffffe,
			    1U << 30, (1U << 30) + 1, 3, 4095, 4097, 0xfffffffe);
	return PICK(r, 0, 1, 2, 5, 8, 20, 0600, 0666, 0644, 0777, 1000, 1001,
		    4096, 8192, 65536, 1 << 20, 2 << 20, 4 << 20);
}

static uint64_t bits_make(struct rng *r)
{
	switch (rng_below(r, 4)) {
	case 0:
		return rng_next(r);
	case 1:
		return UINT64_C(1) << rng_below(r, 64);
	case 2:
		return -rng_below(r, 256);
	default:
		return rng_below(r, 256);
	}
}

static uint64_t ns_make(struct rng *r)
{
	if (rng_one_in(r, 8))
		return PICK(r, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN,
			    UINT64_MAX - 1, UINT64_C(1) << 40, 1);
	return PICK(r, 0, 1000, 100000, 1000000, 3000000, 10000000, 50000000);
}

/* A descriptor or map that an earlier step made, more often than another. */
static uint64_t slot_make(struct rng *r, unsigned int most)
{
	return rng_below(r, rng_one_in(r, 8) ? most : most / 3);
}

uint64_t arg_make(struct rng *r, enum kind kind)
{
	switch (kind) {
	case KIND_SLOT:
		return slot_make(r, FUZZ_SLOTS);
	case KIND_MAP:
		return slot_make(r, FUZZ_MAPS);
	case KIND_PATH:
		return path_make(r);
	case KIND_TYPE:
		return rng_one_in(r, 32) ? rng_below(r, 8) : rng_below(r, 3);
	case KIND_OPTION:
		return rng_one_in(r, 16) ? bits_make(r) : 1 + rng_below(r, 20);
	case KIND_INT:
		return int_make(r);
	case KIND_LEN:
		if (rng_one_in(r, 16))
			return PICK(r, 65504, 65505, 65536, 1 << 17, 1 << 20);
		return PICK(r, 0, 1, 8, 31, 32, 33, 96, 97, 500, 1000, 2000,
			    4000, 4064, 4065, 16000);
	case KIND_SIZE:
		return rng_one_in(r, 8) ?
		       PICK(r, 0, 3, 4, 8, 12, 4096, 4097, 0xffffffff) : 0xffff;
	case KIND_ID:
		return rng_one_in(r, 16) ? bits_make(r) :
		       PICK(r, 0, 1, 2, 2, 2, 3, 4);
	case KIND_MSG:
		return rng_one_in(r, 8) ? rng_next(r) :
		       PICK(r, MSG_DONTWAIT, MSG_DONTWAIT, MSG_DONTWAIT,
			    MSG_DONTWAIT | MSG_NOSIGNAL, 0, MSG_PEEK,
			    MSG_TRUNC | MSG_DONTWAIT, MSG_OOB);
	case KIND_NS:
		return ns_make(r);
	case KIND_SMALL:
		return rng_below(r, 8);
	case KIND_FLAGS:
		return rng_one_in(r, 2) ? rng_below(r, 256) : rng_below(r, 4) ?
		       UINT64_C(1) << rng_below(r, 8) : 0;
	default:
		return bits_make(r);
	}
}

/* --- text ----------------------------------------------------------------- */

void seq_print(FILE *to, const struct seq *seq)
{
	unsigned int i, j;

	for (i = 0; i < seq->n; i++) {
		const struct step *step = &seq->step[i];
		const struct call *call = fuzz_calls[step->call];

		fprintf(to, "%s%s", i ? "; " : "", call->name);
		for (j = 0; j < FUZZ_ARGS && call->kind[j]; j++) {
			if (call->kind[j] == KIND_PATH &&
			    step->arg[j] % ARRAY_SIZE(paths) < GOOD_PATHS)
				fprintf(to, " %s", path_of(step->arg[j]));
			else if (step->arg[j] < 10000)
				fprintf(to, " %llu",
					(unsigned long long)step->arg[j]);
			else
				fprintf(to, " %#llx",
					(unsigned long long)step->arg[j]);
		}
	}
	fprintf(to, "\n");
}

/* One argument: a path of the pool, or a number. */
static bool arg_parse(const char **at, enum kind kind, uint64_t *arg)
{
	size_t len = strcspn(*at, " ;\n");
	unsigned int i;
	char *end;

	if (kind == KIND_PATH && **at == '/') {
		for (i = 0; i < ARRAY_SIZE(paths); i++) {
			if (strlen(paths[i]) == len &&
			    !memcmp(paths[i], *at, len)) {
				*arg = i;
				*at += len;
				return true;
			}
		}
		return false;
	}
	*arg = **at == '-' ? (uint64_t)strtoll(*at, &end, 0) :
			     strtoull(*at, &end, 0);
	if (end != *at + len)
		return false;
	*at = end;
	return len > 0;
}

bool seq_parse(const char *text, struct seq *seq)
{
	unsigned int j;

	memset(seq, 0, sizeof(*seq));
	for (;;) {
		struct step *step = &seq->step[seq->n];
		size_t len;
		int call;

		text += strspn(text, " ;\n");
		if (!*text)
			return seq->n > 0;
		len = strcspn(text, " ;\n");
		call = call_find(text, len);
		if (call < 0 || seq->n == FUZZ_STEPS) {
			fprintf(stderr, "weir-fuzz: no step: %s\n", text);
			return false;
		}
		text += len;
		step->call = (uint32_t)call;
		for (j = 0; j < FUZZ_ARGS && fuzz_calls[call]->kind[j]; j++) {
			text += strspn(text, " ");
			/* what is left out is 0 */
			if (!*text || *text == ';' || *text == '\n')
				continue;
			if (!arg_parse(&text, fuzz_calls[call]->kind[j],
				       &step->arg[j])) {
				fprintf(stderr, "weir-fuzz: no argument: %s\n",
					text);
				return false;
			}
		}
		seq->n++;
	}
}
