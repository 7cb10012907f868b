/* floor_service.h - inventory and payment, each a process of the floor.
 *
 * A service takes the commands that its socket holds, writes for each a barrier
 * row and a business row, commits them together, and only then answers.
 */
#ifndef SKALD_BENCH_FLOOR_SERVICE_H
#define SKALD_BENCH_FLOOR_SERVICE_H

#include "base/err.h"

enum floor_service { FLOOR_INVENTORY, FLOOR_PAYMENT, N_FLOOR_SERVICES };

enum floor_reservation { FLOOR_HELD, FLOOR_CONFIRMED, FLOOR_RELEASED };
enum floor_charge { FLOOR_CHARGED, FLOOR_DECLINED };

const char *floor_service_name(enum floor_service service);

/* Serve on this socket, which it owns from now on, until the other end is closed.
 * The file is made. One frame is sent when it is ready. */
CHECKED enum err floor_service_run(enum floor_service service, int fd, const char *path,
				   struct diag *diag);

#endif
