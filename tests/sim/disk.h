/* disk.h - the store of an orchestrator: watched by the judge, full at times, and
 * with a record that cannot be read. */
#ifndef SKALD_TESTS_SIM_DISK_H
#define SKALD_TESTS_SIM_DISK_H

#include "orchestrator/store/store.h"
#include "tests/sim/world.h"

struct disk {
	struct store base; /* first, so that the two pointers are one */
	struct world *world;
	uint32_t number; /* of its orchestrator, */
	const char *url; /* and its name */
	struct store *real;
	struct late_write *late; /* SABOTAGE_STORE_LATE: what is not written yet */
};

/* Of the orchestrator with that number; `url`, which is borrowed, is what others call it
 * where it is shared. NULL: it does not open. */
struct store *disk_open(struct disk *disk, struct world *world, uint32_t number,
			const char *url);
void disk_close(struct disk *disk);

/* What was not written yet is, or is lost. */
void disk_write_late(struct disk *disk);

/* Whether the shard of that saga, or of that command's, is its own as it is
 * stored. */
bool disk_owns(const struct disk *disk, struct slice id);

#endif
