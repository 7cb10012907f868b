/* local_ends.h - both ends of the local bus over a real socket, in the folder at hand. */
#ifndef SKALD_TESTS_LIB_LOCAL_ENDS_H
#define SKALD_TESTS_LIB_LOCAL_ENDS_H

#include "bus/bus_local.h"
#include "bus/port_local.h"

extern const char local_path[sizeof "bus.sock"]; /* of the socket */

/* With these limits (NULL: the usual ones) and this clock, or the usual one. */
struct bus *local_bus_with(const struct hub_limits *limits, const struct clock *clock);
struct bus *local_bus(void);

/* Of "stock"; also in another process than Check's. */
struct port *local_port(uint32_t window, const struct clock *clock, int wake_fd);

/* Send "stock" the command "s<n>/a#0/0/do". */
CHECKED enum err local_ask(struct bus *bus, int n, uint32_t attempt);

#endif
