/* listen.h - the socket that HTTP comes to. */
#ifndef SKALD_GATEWAY_LISTEN_H
#define SKALD_GATEWAY_LISTEN_H

#include "base/err.h"

enum { LISTEN_TEXT_MAX = 300 };

/* "127.0.0.1:7420", "localhost:7420", "[::1]:7420", ":7420" (every address); port
 * 0 is one that is free. OK: *fd listens, and `address` says where, with the port
 * that it is. ERR_INVALID, ERR_UNAVAILABLE: the diag says what to do. */
CHECKED enum err listen_open(const char *where, int *fd, char address[LISTEN_TEXT_MAX],
			     struct diag *diag);

/* Whether it has that form. ERR_INVALID. */
CHECKED enum err listen_check(const char *where, struct diag *diag);

#endif
