#include "bus/polled.h"

struct polled *polled_find(const struct table *table, struct slice id, uint32_t attempt_max)
{
	struct table_node *node = table_first(table, table_hash(id));
	struct polled *found = NULL;

	for (; node; node = table_next(node)) {
		struct polled *polled = (struct polled *)node;
		uint32_t attempt = polled->command->attempt;

		if (slice_equal(polled->command->id, id) && attempt <= attempt_max &&
		    (!found || attempt > found->command->attempt))
			found = polled;
	}
	return found;
}
