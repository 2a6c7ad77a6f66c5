/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both acts of the demo are played on: processes that are started, watched,
 * killed and waited for, and the progress that is shown meanwhile. What they
 * tell about themselves is in anonymous shared memory, beside the mesh, and
 * survives a process that is killed.
 */
#ifndef DEMO_STAGE_H
#define DEMO_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MS		UINT64_C(1000000)
#define SECOND		UINT64_C(1000000000)

enum actor_state {
	ACTOR_IDLE,
	ACTOR_READY,		/* its sockets do what they are for */
	ACTOR_DONE,
	ACTOR_FAILED
};

/**
 * struct actor - one process, as it tells about itself; in shared memory
 * @state: enum actor_state, stored with release.
 * @leave: it is asked to finish.
 * @pid: of the process, 0 if there is none; the conductor's.
 * @starts: how often it was started.
 * @error: why it failed.
 */
struct actor {
	uint32_t	state;
	uint32_t	leave;
	pid_t		pid;
	uint32_t	starts;
	char		error[256];
};

/**
 * struct act - what is played
 * @actors: how many processes there are.
 * @actor: one of them.
 * @name: its name.
 * @play: what its process does; 0, or -1 after actor_fail().
 * @moved: a number that changes while anything moves.
 * @show: prints how far it is.
 */
struct act {
	uint32_t	actors;
	struct actor	*(*actor)(void *data, uint32_t id);
	const char	*(*name)(uint32_t id);
	int		(*play)(void *data, uint32_t id);
	uint64_t	(*moved)(void *data);
	void		(*show)(void *data, uint64_t elapsed_ns);
};

/**
 * struct stage - the state of an act that is being played
 * @act: which.
 * @data: for its functions.
 * @lines: progress as lines, not one line that is written over.
 * @began_ns: when it began.
 * @show_ns: when to show progress next.
 * @moved_ns: when a count last changed.
 * @moved: the sum of all counts then.
 * @why: words for a failure.
 */
struct stage {
	const struct act	*act;
	void			*data;
	bool			lines;
	uint64_t		began_ns;
	uint64_t		show_ns;
	uint64_t		moved_ns;
	uint64_t		moved;
	char			why[400];
};

uint64_t demo_now_ns(void);
void demo_pause(uint64_t ns);

/* Zeroed, the same memory in every process; NULL after a message on stderr. */
void *stage_memory(size_t bytes);

void stage_open(struct stage *s, const struct act *act, void *data, bool lines);
void stage_close(struct stage *s);

/* All return 0, or -1 when the act has failed; @s->why tells why. */
__attribute__((format(printf, 2, 3)))
int stage_give_up(struct stage *s, const char *format, ...);
int stage_look(struct stage *s, const char *what);
int stage_start(struct stage *s, uint32_t id);
int stage_wait(struct stage *s, uint32_t id, enum actor_state state);
int stage_kill(struct stage *s, uint32_t id);

/* In the process itself. */
int actor_fail(struct actor *a, const char *what, int err);
void actor_set_state(struct actor *a, enum actor_state state);

static inline bool actor_leaves(const struct actor *a)
{
	return __atomic_load_n(&a->leave, __ATOMIC_ACQUIRE);
}

static inline void actor_dismiss(struct actor *a)
{
	__atomic_store_n(&a->leave, 1, __ATOMIC_RELEASE);
}

#endif /* DEMO_STAGE_H */
