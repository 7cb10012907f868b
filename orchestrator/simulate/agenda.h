/* agenda.h - what is going to happen, and when.
 *
 * All that happens in a simulated world is an item of its agenda: bytes that
 * arrive, a process that gets the processor, somebody who asks for something.
 * Items of the same millisecond happen in the order in which they were added, so
 * that a run has one order and no other. */
#ifndef SKALD_SIMULATE_AGENDA_H
#define SKALD_SIMULATE_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void happening(void *context, uint64_t argument);

struct agenda_item {
	int64_t at_ms; /* of the clock that never jumps */
	uint64_t number;
	happening *happen;
	void *context;
	uint64_t argument;
};

/* The zero value is an empty one. */
struct agenda {
	struct agenda_item *items; /* a heap */
	size_t n, capacity;
	uint64_t number;
	bool nomem; /* something could not be added: the run is of no use */
};

void agenda_release(struct agenda *agenda);

void agenda_add(struct agenda *agenda, int64_t at_ms, happening *happen, void *context,
		uint64_t argument);

/* The first one, which is taken off; false: there is none, or the agenda is not whole. */
bool agenda_next(struct agenda *agenda, struct agenda_item *out);

#endif
