/* SPDX-License-Identifier: GPL-2.0 */
/*
 * weir-fuzz: random sequences of everything that a process can ask of weir.
 *
 * A step is one call with its arguments as plain numbers; what a number means
 * is its kind's business (args.c). A sequence is a list of steps, made from a
 * seed alone (corpus.c), or by changing one that reached new code (kcov.c). The
 * calls are tables, one for each subject: sockets.c, control.c, rings.c,
 * process.c. run.c runs a sequence; main.c has the users' processes and the
 * verdict.
 */
#ifndef WEIR_FUZZ_H
#define WEIR_FUZZ_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <uapi/weir.h>
#include <uapi/weir_ring.h>
#include <uapi/weir_route.h>

#define FUZZ_ARGS	6	/* of one call */
#define FUZZ_STEPS	48	/* of one sequence */
#define FUZZ_SLOTS	16	/* descriptors that a sequence may hold */
#define FUZZ_MAPS	8	/* rings that it may have mapped */
#define FUZZ_ASKED	8	/* requests that it remembers, to answer them */
#define FUZZ_USERS	16
#define FUZZ_CORPUS	1024	/* sequences that a user keeps */
#define CALLS_MAX	128
#define FUZZ_PCS	(1U << 16)	/* places in the module, at most */

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What an argument is; args.c makes, writes and reads each. */
enum kind {
	KIND_NONE,
	KIND_SLOT,	/* descriptor, by its slot */
	KIND_MAP,	/* mapped ring, by its place */
	KIND_PATH,	/* path or pattern, by its place in the pool */
	KIND_TYPE,	/* of a socket */
	KIND_OPTION,	/* WEIR_SO_* and strangers */
	KIND_INT,	/* an int, edges among them */
	KIND_LEN,	/* bytes of a message */
	KIND_SIZE,	/* of a structure, beside the right one */
	KIND_ID,	/* of a ring */
	KIND_MSG,	/* MSG_* */
	KIND_NS,	/* a time, signed nanoseconds */
	KIND_BITS,	/* any 64 bits */
	KIND_SMALL,	/* 0 to 7 */
	KIND_FLAGS,	/* 0 to 255, single bits among them */
	KIND_MAX
};

struct step {
	uint32_t call;
	uint64_t arg[FUZZ_ARGS];
};

struct seq {
	uint32_t n;
	struct step step[FUZZ_STEPS];
};

/* --- random numbers: the same from the same seed everywhere --------------- */

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

static inline bool rng_one_in(struct rng *r, unsigned int n)
{
	return !rng_below(r, n);
}

/* --- what a running sequence has ------------------------------------------ */

/**
 * struct map - a ring as mapped by a sequence
 * @d: what the kernel said.
 * @view, @own: the regions, NULL when not mapped.
 */
struct map {
	struct weir_ioc_map d;
	unsigned char *view, *own;
};

struct state {
	int fd[FUZZ_SLOTS];
	struct map map[FUZZ_MAPS];
	uint32_t handle[8];	/* of paths called */
	struct {
		uint32_t route, tag;
	} asked[FUZZ_ASKED];	/* requests received and not yet answered */
	unsigned int nasked;
	struct rng rng;		/* for payloads and hostile words */
	const struct seq *seq;
	unsigned int at;	/* the next step */
	bool tuned;		/* tunables were changed */
};

struct call {
	const char *name;
	unsigned int weight;	/* how often it is chosen, beside the others */
	enum kind kind[FUZZ_ARGS];
	void (*run)(struct state *s, const uint64_t *a);
};

struct call_table {
	const struct call *calls;
	unsigned int n;
};

extern const struct call_table socket_calls, control_calls, ring_calls,
			       process_calls;

/* args.c */
extern const struct call *fuzz_calls[];
extern unsigned int fuzz_ncalls;
void calls_init(void);
const char *path_of(uint64_t arg);
uint64_t arg_make(struct rng *r, enum kind kind);
uint32_t call_choose(struct rng *r);
int call_find(const char *name, size_t len);
void seq_print(FILE *to, const struct seq *seq);
bool seq_parse(const char *text, struct seq *seq);

/* corpus.c */
struct corpus {
	uint32_t n;
	struct seq seq[FUZZ_CORPUS];
};
void corpus_init(struct corpus *c);
void corpus_make(const struct corpus *c, struct rng *r, uint64_t n,
		 struct seq *out);
void corpus_keep(struct corpus *c, const struct seq *seq);

/* seeds.c */
extern const char *const fuzz_seeds[];
extern const unsigned int fuzz_nseeds;

/* kcov.c */
struct coverage;
struct coverage *coverage_create(void);
unsigned int coverage_count(const struct coverage *cov);
void coverage_write(const struct coverage *cov, FILE *to);
bool kcov_open(void);
bool kcov_begin(void);
unsigned int kcov_end(struct coverage *cov, unsigned int user);

/* run.c */
extern int fuzz_pass[2];
void run_signals(void);
void run_stack(void);
void run_seq(const struct seq *seq, uint64_t seed, void (*tell)(unsigned int));
void run_rest(struct state *s, unsigned int steps);
bool guarded(void (*touch)(void *arg), void *arg);

/* rings.c */
void map_drop(struct map *m);

/* process.c */
void die_with(pid_t parent);
void tunables_init(void);
void tunables_reset(void);
void tunables_restore(void);

/* sockets.c */
int fuzz_family(void);
size_t address_of(struct sockaddr_weir *addr, uint64_t path);
unsigned char *payload(struct state *s, size_t len);

static inline int slot_fd(const struct state *s, uint64_t arg)
{
	return s->fd[arg % FUZZ_SLOTS];
}

void slot_put(struct state *s, uint64_t arg, int fd);

#endif /* WEIR_FUZZ_H */
