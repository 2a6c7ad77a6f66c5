// SPDX-License-Identifier: GPL-2.0
/*
 * Sequences: new ones, or changes of one that is kept. Which one comes as the
 * n-th of a user depends on the seed and on what has been kept so far, on
 * nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

void corpus_init(struct corpus *c)
{
	unsigned int i;

	for (i = 0; i < fuzz_nseeds; i++) {
		if (!seq_parse(fuzz_seeds[i], &c->seq[c->n]))
			exit(2);
		c->n++;
	}
}

void corpus_keep(struct corpus *c, const struct seq *seq)
{
	/* when it is full the oldest of those that were found give way */
	uint32_t room = FUZZ_CORPUS - fuzz_nseeds;
	uint32_t at = c->n < FUZZ_CORPUS ? c->n :
		      fuzz_nseeds + (c->n - FUZZ_CORPUS) % room;

	c->seq[at] = *seq;
	c->n++;
}

static uint32_t corpus_held(const struct corpus *c)
{
	return c->n < FUZZ_CORPUS ? c->n : FUZZ_CORPUS;
}

static void step_make(struct rng *r, struct step *step)
{
	const struct call *call;
	unsigned int i;

	memset(step, 0, sizeof(*step));
	step->call = call_choose(r);
	call = fuzz_calls[step->call];
	for (i = 0; i < FUZZ_ARGS && call->kind[i]; i++)
		step->arg[i] = arg_make(r, call->kind[i]);
}

static void seq_make(struct rng *r, struct seq *seq)
{
	uint32_t n = 4 + (uint32_t)rng_below(r, FUZZ_STEPS / 2), i;
	uint32_t sockets = 1 + (uint32_t)rng_below(r, 4);

	memset(seq, 0, sizeof(*seq));
	seq->n = n;
	for (i = 0; i < n; i++)
		step_make(r, &seq->step[i]);
	for (i = 0; i < sockets; i++) {
		seq->step[i].call = (uint32_t)call_find("socket", 6);
		seq->step[i].arg[0] = i;
		seq->step[i].arg[1] = arg_make(r, KIND_TYPE);
		seq->step[i].arg[2] = rng_below(r, 2);
	}
}

/* --- changes -------------------------------------------------------------- */

static void insert(struct rng *r, struct seq *seq)
{
	uint32_t at = (uint32_t)rng_below(r, seq->n + 1);

	if (seq->n == FUZZ_STEPS)
		return;
	memmove(&seq->step[at + 1], &seq->step[at],
		(seq->n - at) * sizeof(seq->step[0]));
	step_make(r, &seq->step[at]);
	seq->n++;
}

static void delete(struct rng *r, struct seq *seq)
{
	uint32_t at = (uint32_t)rng_below(r, seq->n);

	if (seq->n == 1)
		return;
	seq->n--;
	memmove(&seq->step[at], &seq->step[at + 1],
		(seq->n - at) * sizeof(seq->step[0]));
}

/* The beginning of one and the end of another. */
static void splice(struct rng *r, struct seq *seq, const struct seq *other)
{
	uint32_t keep = (uint32_t)rng_below(r, seq->n + 1);
	uint32_t from = (uint32_t)rng_below(r, other->n);
	uint32_t n = other->n - from;

	if (n > FUZZ_STEPS - keep)
		n = FUZZ_STEPS - keep;
	memcpy(&seq->step[keep], &other->step[from],
	       n * sizeof(seq->step[0]));
	seq->n = keep + n;
}

/* All of both, one step of each in turn, so that what they make meets. */
static void weave(struct rng *r, struct seq *seq, const struct seq *other)
{
	struct seq both = { 0 };
	uint32_t i = 0, j = 0;

	while (both.n < FUZZ_STEPS && (i < seq->n || j < other->n)) {
		bool first = j == other->n || (i < seq->n && rng_one_in(r, 2));

		both.step[both.n++] = first ? seq->step[i++] : other->step[j++];
	}
	*seq = both;
}

static void change_arg(struct rng *r, struct seq *seq)
{
	struct step *step = &seq->step[rng_below(r, seq->n)];
	const struct call *call = fuzz_calls[step->call];
	unsigned int n = 0, at;

	while (n < FUZZ_ARGS && call->kind[n])
		n++;
	if (!n)
		return;
	at = (unsigned int)rng_below(r, n);
	step->arg[at] = arg_make(r, call->kind[at]);
}

static void repeat(struct rng *r, struct seq *seq)
{
	uint32_t from = (uint32_t)rng_below(r, seq->n);

	if (seq->n == FUZZ_STEPS)
		return;
	seq->step[seq->n++] = seq->step[from];
}

static void change(const struct corpus *c, struct rng *r, struct seq *seq)
{
	const struct seq *other = &c->seq[rng_below(r, corpus_held(c))];

	switch (rng_below(r, 16)) {
	case 0:
		splice(r, seq, other);
		break;
	case 1:
		weave(r, seq, other);
		break;
	case 2:
	case 3:
		delete(r, seq);
		break;
	case 4:
		repeat(r, seq);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		insert(r, seq);
		break;
	default:
		change_arg(r, seq);
		break;
	}
}

/* The @n-th sequence of a user: first the seeds as they are. */
void corpus_make(const struct corpus *c, struct rng *r, uint64_t n,
		 struct seq *out)
{
	uint32_t held = corpus_held(c), changes, recent;

	if (n < fuzz_nseeds) {
		*out = c->seq[n];
		return;
	}
	if (rng_one_in(r, 8)) {
		seq_make(r, out);
		return;
	}
	/* what was found last leads on more often */
	recent = held < 32 ? held : 32;
	*out = rng_one_in(r, 3) ? c->seq[held - 1 - rng_below(r, recent)] :
				  c->seq[rng_below(r, held)];
	for (changes = 1 + (uint32_t)rng_below(r, 5); changes; changes--)
		change(c, r, out);
}
