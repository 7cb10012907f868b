/* polled.h - commands that a participant has polled and not answered, in a table by their
 * ids: the first member of whatever else is kept of one.
 */
#ifndef SKALD_BUS_POLLED_H
#define SKALD_BUS_POLLED_H

#include "bus/table.h"
#include "proto/message.h"

struct polled {
	struct table_node by_id; /* first; while it is in the table */
	struct command_message *command;
};

/* The latest of those attempts; NULL: there is none. */
struct polled *polled_find(const struct table *table, struct slice id, uint32_t attempt_max);

#endif
