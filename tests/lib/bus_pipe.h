/* bus_pipe.h - the local bus without sockets, clocks and processes.
 *
 * The real hub (bus/hub.h) and the real session of a participant (bus/session.h),
 * and between them pipes that move some of the bytes at each pump, and may break
 * at any byte. What is under way in a broken pipe is lost, as with a process that
 * died. The seed says what happens.
 */
#ifndef SKALD_TESTS_LIB_BUS_PIPE_H
#define SKALD_TESTS_LIB_BUS_PIPE_H

#include "bus/hub.h"
#include "tests/lib/random.h"

struct pipe_faults {
	uint32_t short_percent; /* of all moves take some of the bytes alone */
	uint32_t break_percent; /* of all moves break the pipe instead */
};

struct bus_pipe;

struct bus_pipe *bus_pipe_new(uint64_t seed, struct pipe_faults faults,
			      const struct hub_limits *limits);
void bus_pipe_free(struct bus_pipe *pipe); /* after its ends are closed */

/* From now on. */
void bus_pipe_set_faults(struct bus_pipe *pipe, struct pipe_faults faults);

/* The orchestrator's end, one at a time; when it is closed all pipes are broken. */
struct bus *bus_pipe_open(struct bus_pipe *pipe);

/* A participant's, any number. Either end's pump moves bytes; a pipe that is
 * broken is mended by the next pump of its port. */
struct port *port_pipe_open(struct bus_pipe *pipe, const char *participant, uint32_t window);

/* Break the pipe of a port now. */
void port_pipe_break(struct port *port);

/* Replies that the orchestrator has not settled. */
size_t port_pipe_unsettled(const struct port *port);

#endif
