/* bus_memory.h - both ends of a bus in one process.
 *
 * In order, nothing lost, nothing repeated but what was not acknowledged when
 * an end was closed and opened again. For tests, and for programs that embed
 * orchestrator and services together.
 */
#ifndef SKALD_BUS_BUS_MEMORY_H
#define SKALD_BUS_BUS_MEMORY_H

#include "bus/bus.h"

/* Commands that wait for one participant, and replies that wait at all. */
enum { BUS_MEMORY_QUEUE_MAX = 10000 };

/* The post office between the ends; it outlives them. */
struct post;

struct post *post_new(void); /* NULL: out of memory */
void post_free(struct post *post);

/* The orchestrator's end. Nobody starts a saga or signals one through it. One at
 * a time; what an earlier one polled and did
 * not acknowledge comes again. NULL: out of memory. */
struct bus *bus_memory_open(struct post *post);

/* A participant's end, by name; one at a time for each name. */
struct port *port_memory_open(struct post *post, const char *participant);

#endif
