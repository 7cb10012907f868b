/* share.h - which process gets which command, and when.
 *
 * The processes of one participant are its crew. Each worker of a crew takes as
 * many unanswered commands as its window says; what nobody has room for is held.
 * The commands of one saga stay in order: while a worker has unanswered ones of
 * a saga, that worker alone gets more of them. When a worker leaves, what it has
 * not answered goes to the others, or is held, in the same order.
 *
 * For one step of a saga the orchestrator waits for one command at a time. So a
 * command takes the place of an older one of its step: another attempt, an undo
 * after the do, another round. And where a worker has said nothing at all since
 * it was given the older one, the worker counts as absent until it says
 * something: its commands go to its colleagues, if it has any.
 *
 * Nothing here knows of bytes, sockets or time. Every command is kept until it
 * is answered, so that it can be given to somebody else.
 */
#ifndef SKALD_BUS_SHARE_H
#define SKALD_BUS_SHARE_H

#include "bus/bus.h"
#include "bus/table.h"

struct task;
struct flow;
struct crew;
struct share;

struct task_list {
	struct task *first, *last;
};

struct flow_list {
	struct flow *first, *last;
};

/* One process; the first member of what the caller knows of it. All zero before
 * share_join. */
struct worker {
	struct crew *crew; /* NULL: it takes no commands */
	struct worker *next, *previous;
	uint32_t window;
	uint32_t n_given;
	bool full;      /* its connection takes no more for now */
	bool absent;    /* see above */
	uint64_t heard; /* how often it said something */
	struct task_list given;
	struct flow_list waiting; /* sagas that wait for this worker alone */
};

struct share_setup {
	size_t held_max;  /* commands held for one participant */
	size_t bytes_max; /* of all commands kept for one participant */
	size_t crews_max; /* participants */

	/* A command is the worker's: send the bytes. False: and nothing more
	 * until share_ready. */
	bool (*give)(void *context, struct worker *worker, struct slice frame);
	void *context;
};

struct share *share_new(const struct share_setup *setup); /* NULL: out of memory */
void share_free(struct share *share);                     /* NULL is fine */

/* A command, and the bytes that stand for it; both are copied. ERR_BUSY: too much
 * is kept for this participant, or there are too many participants; ERR_NOMEM. */
CHECKED enum err share_add(struct share *share, const struct command_message *command,
			   struct slice frame);

/* A worker comes. ERR_BUSY: too many participants; ERR_NOMEM. */
CHECKED enum err share_join(struct share *share, struct worker *worker,
			    struct slice participant, uint32_t window);
void share_leave(struct share *share, struct worker *worker);

/* The worker said something, whatever it was. */
void share_heard(struct share *share, struct worker *worker);

/* The worker answered a command; one that nobody asked for changes nothing. */
void share_answered(struct share *share, struct worker *worker, struct slice id,
		    uint32_t attempt);

/* The worker's connection takes bytes again. */
void share_ready(struct share *share, struct worker *worker);

void share_visit(const struct share *share,
		 void (*visit)(void *context, const struct bus_participant *participant),
		 void *context);

#endif
