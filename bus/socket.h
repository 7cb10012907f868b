/* socket.h - Unix sockets that never block.
 *
 * An end of a connection is read and written as far as it goes at the moment.
 * Anything that is wrong with it, the other side's leaving included, is
 * ERR_UNAVAILABLE: the connection is of no use any more.
 */
#ifndef SKALD_BUS_SOCKET_H
#define SKALD_BUS_SOCKET_H

#include "base/err.h"
#include "base/slice.h"

/* Longest path of a socket, its terminator included. */
enum { SOCKET_PATH_MAX = 108 };

/* Listen at a path, for this user alone. A socket that nobody listens at any more
 * is replaced. ERR_CONFLICT: somebody does; ERR_INVALID: the path is no good. */
CHECKED enum err socket_listen(const char *path, int *fd, struct diag *diag);

/* Whoever waits to be let in. ERR_NOT_FOUND: nobody; ERR_BUSY: this process has no
 * file descriptor left. */
CHECKED enum err socket_accept(int listener, int *fd);

CHECKED enum err socket_connect(const char *path, int *fd, struct diag *diag);

/* OK with *n == 0: nothing goes at the moment. */
CHECKED enum err socket_read(int fd, char *bytes, size_t max, size_t *n);
CHECKED enum err socket_write(int fd, struct slice bytes, size_t *n);

#endif
