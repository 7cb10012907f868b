/* line.h - what a socket is elsewhere: bytes that go both ways between two sides.
 *
 * Bytes keep their order and come in pieces. A line that breaks loses what is on
 * its way, and each side learns of it when it does. A side that leaves is known to
 * the other one behind the last bytes that it sent. */
#ifndef SKALD_TESTS_SIM_LINE_H
#define SKALD_TESTS_SIM_LINE_H

#include "bus/stream.h"
#include "tests/sim/transport.h"

enum line_end { LINE_HUB, LINE_PEER, LINE_ENDS };

struct parcel;

struct line {
	struct line *next; /* of all, the newest first */
	const struct transport *transport;
	void (*woken)(struct line *line, enum line_end end); /* something came, or left */
	void *owners[LINE_ENDS];                             /* NULL: that side has left */
	struct hub_connection *connection;                   /* NULL: not accepted yet */
	bool cut;                                            /* nothing gets through */
	uint32_t n_planned;                                  /* on the agenda */
	struct line_way {
		bool over; /* the side has learned that nothing comes any more */
		struct parcel *first, **last;
		struct stream arrived;
		size_t under_way; /* bytes that are sent and not read */
		int64_t last_ms;  /* when the newest of them arrive */
	} ways[LINE_ENDS];        /* to the hub, to the peer */
};

struct line *line_new(const struct transport *transport, struct line *next);
void line_free(struct line *line);

/* Nobody has to do with it any more. */
bool line_is_gone(const struct line *line);

/* As much as goes; returns how much that is. */
size_t line_send(struct line *line, enum line_end to, struct slice bytes);

/* The bytes that have come for this side, and how many of them it has taken. */
struct slice line_arrived(const struct line *line, enum line_end end);
void line_taken(struct line *line, enum line_end end, size_t n);

/* The side leaves. */
void line_leave(struct line *line, enum line_end end);

void line_break(struct line *line);

#endif
