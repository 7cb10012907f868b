/* bus_ends.h - a bus and its port, over every implementation: what tests of the contract
 * of bus/bus.h begin with.
 */
#ifndef SKALD_TESTS_LIB_BUS_ENDS_H
#define SKALD_TESTS_LIB_BUS_ENDS_H

#include "bus/bus_memory.h"
#include "tests/lib/bus_pipe.h"
#include "tests/lib/bus_sim.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/kafka_broker.h"

#include <check.h>

enum { WINDOW = 10, KAFKA_MS = 40000, KAFKA_TURN_MS = 5 };

/* HOST:PORT of a broker; NULL: there is none. Set by main. */
extern const char *ends_kafka;

/* What lies between the ends is the implementation's own. */
struct between {
	struct post *post;
	struct bus_sim *sim;
	struct bus_pipe *pipe;
	struct clock_sim clock;
	size_t io_max;
	struct kafka_mock mock;
	const char *brokers;
	char prefix[KAFKA_PREFIX_SIZE];
	int64_t inbox_end, stock_end; /* of Kafka's topics */
};

struct implementation {
	const char *name;
	void (*make)(struct between *between);
	struct bus *(*open)(struct between *between);
	struct port *(*open_port)(struct between *between, const char *participant);
	bool in_order;
	bool repeats; /* what was not settled comes again */
	bool kafka;   /* and so does what is behind it; participants are not seen */
};

struct ends {
	const struct implementation *implementation;
	struct between between;
	struct bus *bus;
	struct port *port;  /* of "stock" */
	struct port *other; /* of somebody else; NULL: there is none */
};

void ends_open(struct ends *ends, int i);
void ends_close(struct ends *ends);
void ends_reopen_bus(struct ends *ends);
void ends_reopen_port(struct ends *ends);

/* Let everything arrive that is under way, and whoever lost the other find it again. */
void ends_travel(struct ends *ends);

/* Add a test for every implementation. The members of a group take 3 s to find each
 * other in the mock, so it is asked where there is no broker. */
void ends_add_loop(TCase *tcase, const TTest *test);

#endif
