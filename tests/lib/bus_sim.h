/* bus_sim.h - a bus that does all that a real one may do, and worse.
 *
 * Messages get lost, come twice, late and in any order; the seed says which.
 * A message is never delivered changed, and what is neither lost nor late is
 * there at the next poll.
 */
#ifndef SKALD_TESTS_LIB_BUS_SIM_H
#define SKALD_TESTS_LIB_BUS_SIM_H

#include "bus/bus.h"
#include "tests/lib/random.h"

struct sim_faults {
	uint32_t lost_percent;
	uint32_t repeated_percent;
	uint32_t late_percent; /* per poll: it stays where it is, others go first */
};

struct bus_sim;

struct bus_sim *bus_sim_new(uint64_t seed, struct sim_faults faults);
void bus_sim_free(struct bus_sim *sim);

/* The two ends; any number, all for the same messages. */
struct bus *bus_sim_open(struct bus_sim *sim);
struct port *port_sim_open(struct bus_sim *sim, const char *participant);

#endif
