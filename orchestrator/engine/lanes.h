/* lanes.h - one lane for each participant: its limits, and what they hold back.
 *
 * A command that may not be handed over waits here, in the order in which it came:
 * undos (and revokes) in front of all dos, so that sagas turn back however many want
 * to go forward. What waits is only a mark that leads to the saga; the command is
 * made anew when its turn comes. A saga that is paused steps aside until it goes on.
 *
 * A lane that nothing is in flight, held or remembered in gives its place to another
 * one where there are as many as there may be.
 */
#ifndef SKALD_ENGINE_LANES_H
#define SKALD_ENGINE_LANES_H

#include "orchestrator/engine/limits.h"

struct live; /* live.h */

enum { LANES_MAX = 1000 }; /* participants in use, as the bus has them */

/* Where a command waits. */
enum lane_queue { QUEUE_UNDO, QUEUE_DO, QUEUE_ASIDE, LANE_QUEUES };

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
	struct held_list queues[LANE_QUEUES];
	uint64_t n_held; /* those aside included */
};

/* All zero: none, without limits. */
struct lanes {
	struct limits limits; /* of those that are made */
	struct lane *list;    /* list[0] is not used: a lane of 0 is none */
	size_t n, capacity;
	uint16_t buckets[256];
	uint16_t turn;     /* the lane that is looked at first */
	uint64_t n_queued; /* in all of them, without those aside */
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

/* Put the saga's step at the end of the line; false: out of memory. */
CHECKED bool lanes_hold(struct lanes *lanes, uint16_t lane, struct live *live, uint32_t step,
			bool undo);

/* Take it out, and free it. */
void lanes_drop(struct lanes *lanes, struct held *held);

/* All that a saga has: out of the line, and back to its end. */
void lanes_step_aside(struct lanes *lanes, struct live *live);
void lanes_line_up(struct lanes *lanes, struct live *live);

/* The saga's step that is held; NULL: it is not. */
struct held *live_held(const struct live *live, uint32_t step);

/* When something that is held may go; 0: now; INT64_MAX: not before there is an
 * answer. */
int64_t lanes_wake_ms(const struct lanes *lanes, int64_t now_ms);

#endif
