/* lanes.h - one lane for each participant: its limits, and what they hold back.
 *
 * A command that may not be handed over, or for which the bus has no room, waits
 * here: undos (and revokes) in front of all dos, so that sagas turn back however many
 * want to go forward. Of each of the two, sagas stand in line as they came; one that
 * has let one go stands at the end with its next, so that one with a thousand does
 * not keep the others waiting. A saga that is paused steps aside until it goes on.
 *
 * What waits is only a mark that leads to the saga; the command is made anew when its
 * turn comes. There is one at most for each command that an unfinished saga waits
 * for: what bounds these bounds the marks.
 *
 * A lane that nothing is in flight, held or remembered in gives its place to another
 * one where there are as many as there may be.
 */
#ifndef SKALD_ENGINE_LANES_H
#define SKALD_ENGINE_LANES_H

#include "orchestrator/engine/limits.h"
#include "orchestrator/engine/pace.h"

struct live; /* live.h */

enum { LANES_MAX = 1000 }; /* participants in use, as the bus has them */

/* How long until the bus is offered again what it did not take: 0.1 s, then twice
 * as long each time, up to 3.2 s. */
enum { SEND_RETRY_MS = 100, SEND_RETRY_DOUBLINGS = 5 };
int64_t send_retry_ms(int64_t now_ms, uint8_t *n_retries);

/* Where a command waits. */
enum lane_queue {
	QUEUE_UNDO,
	QUEUE_DO,
	QUEUE_ASIDE,
	LANE_QUEUES,
	BEHIND = LANE_QUEUES, /* in none: another one of its saga stands in line */
};

/* A command that is held back. */
struct held {
	struct held *next, *previous; /* in its queue */
	struct held *sibling;         /* of the same saga */
	struct live *live;
	uint32_t step;
	uint16_t lane;
	bool undo; /* undo or revoke */
	uint8_t queue;
};

struct held_list {
	struct held *first, *last;
};

struct lane {
	char name[NAME_MAX_BYTES + 1];
	uint16_t next; /* in its bucket; 0: none */
	struct limit limit;
	struct pace pace; /* of attempts: handed over, and answered */
	struct held_list queues[LANE_QUEUES];
	uint64_t n_held;   /* wherever they are */
	int64_t retry_ms;  /* when the bus is offered more; 0: it had room */
	uint8_t n_retries; /* how often it had none, one after the other */
};

/* All zero: none, without limits. */
struct lanes {
	struct limits limits; /* of those that are made */
	struct lane *list;    /* list[0] is not used: a lane of 0 is none */
	size_t n, capacity;
	uint16_t buckets[256];
	uint16_t turn;     /* the lane that is looked at first */
	uint64_t n_queued; /* sagas in line, in all of them */
};

void lanes_release(struct lanes *lanes);

/* The lane of a participant, made where it is not there. 0: out of memory, or all
 * LANES_MAX are in use. */
uint16_t lanes_find(struct lanes *lanes, struct slice participant, int64_t now_ms);

/* Without making one; NULL: there is none. */
struct lane *lanes_look(const struct lanes *lanes, struct slice participant);

/* Whether a command must wait in line; and the one whose turn is next (NULL: none). */
bool lane_waits(const struct lane *lane, bool undo);
struct held *lane_first(const struct lane *lane);

/* What keeps the next one back: its limits, or a bus that has no room. */
struct limit_hold lane_ask(const struct lane *lane, int64_t now_ms);

/* The bus did not take a command; and it did, or something of it was answered. */
void lane_bus_full(struct lane *lane, int64_t now_ms);
void lane_bus_takes(struct lane *lane);

/* Put the saga's step at the end of the line, or aside; false: out of memory. */
CHECKED bool lanes_hold(struct lanes *lanes, uint16_t lane, struct live *live, uint32_t step,
			bool undo, bool aside);

/* Take it out, and free it. */
void lanes_drop(struct lanes *lanes, struct held *held);

/* All that a saga has: aside, out of the line; or back to its end. */
void lanes_pause(struct lanes *lanes, struct live *live, bool aside);

/* The saga's step that is held; NULL: it is not. */
struct held *live_held(const struct live *live, uint32_t step);

/* When something that is held may go; 0: now; INT64_MAX: not before there is an
 * answer. */
int64_t lanes_wake_ms(const struct lanes *lanes, int64_t now_ms);

#endif
