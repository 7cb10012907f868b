/* floor_link.h - frames over one end of a Unix stream socket.
 *
 * Whatever lies in the socket is read at once, up to FLOOR_LINK_FRAMES, and that
 * is the batch: a process that falls behind finds more to do together.
 */
#ifndef SKALD_BENCH_FLOOR_LINK_H
#define SKALD_BENCH_FLOOR_LINK_H

#include "base/err.h"
#include "bench/floor_frame.h"

#include <stddef.h>

enum {
	FLOOR_LINK_FRAMES = 1024,             /* taken from the socket at a time */
	FLOOR_LINK_SOCKET_BYTES = 1024 * 1024 /* asked for; the system may give less */
};

struct floor_link {
	int fd;
	const char *peer; /* for messages */
	char *in;         /* room for FLOOR_LINK_FRAMES */
	size_t in_bytes;
	char *out; /* what waits to be sent */
	size_t out_bytes;
	size_t out_max_bytes;
};

/* A connected pair. ERR_UNAVAILABLE of the others: the peer has gone. */
CHECKED enum err floor_link_pair(int fds[2], struct diag *diag);

/* The link owns the socket from now on, also on failure. At most so many frames
 * wait to be sent. */
CHECKED enum err floor_link_init(struct floor_link *link, int fd, const char *peer,
				 size_t out_max, struct diag *diag);
void floor_link_release(struct floor_link *link);

/* Wait until there is something, and read what there is. *n is the number of
 * whole frames that floor_link_frame now gives; 0 with OK where the peer has
 * closed its end as it should, between two frames. */
CHECKED enum err floor_link_receive(struct floor_link *link, size_t *n, struct diag *diag);
struct floor_frame floor_link_frame(const struct floor_link *link, size_t index);

/* Forget these frames; the beginning of the next one stays. */
void floor_link_consume(struct floor_link *link, size_t n);

/* Keep a frame until the next flush. */
void floor_link_queue(struct floor_link *link, const struct floor_frame *frame);

/* Send what waits: all of it, or without `wait` what the socket takes. */
CHECKED enum err floor_link_flush(struct floor_link *link, bool wait, struct diag *diag);

#endif
