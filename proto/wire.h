/* wire.h - messages as bytes, and back.
 *
 * A frame is one message of proto/skald.proto with its length in front: four
 * bytes, most significant first, then the protobuf bytes. Both sides are strict
 * in the same way, so that nothing is written that the other side refuses: ids
 * and names that must be there are, texts are UTF-8, numbers that stand for
 * something are known, and nothing is over its limit. Whether a payload is JSON
 * is not looked at.
 */
#ifndef SKALD_PROTO_WIRE_H
#define SKALD_PROTO_WIRE_H

#include "base/bytes.h"
#include "proto/message.h"

enum {
	WIRE_VERSION = 1,
	WIRE_NEWEST = 2,                  /* inquiries and records; see docs/protocol.md */
	WIRE_LENGTH_SIZE = 4,             /* in front of each frame */
	WIRE_FRAME_MAX = 2 * 1024 * 1024, /* without its length */
	WIRE_PAYLOAD_MAX = 256 * 1024,
	WIRE_NAME_MAX = 63, /* of participants, commands, sagas, versions, processes */
	WIRE_ID_MAX = 256,  /* of commands, sagas, signals; keys, actors, codes */
	WIRE_TEXT_MAX = 4096,
	WIRE_READ_MAX = 16 * 1024 * 1024, /* memory that reading one frame may take */
};

enum frame_type {
	FRAME_HELLO = 1, /* the numbers are those of the fields of Frame */
	FRAME_WELCOME,
	FRAME_COMMAND,
	FRAME_REPLY,
	FRAME_SETTLED,
	FRAME_REFUSE,
	FRAME_START,
	FRAME_SIGNAL,
	FRAME_RESULT,
	FRAME_ENDED,
	FRAME_INQUIRY, /* version 2, as are those behind it */
	FRAME_RECORDS,
};

struct hello {
	uint32_t version;
	struct slice participant; /* empty: a client */
	uint32_t window;
	struct slice name;
	uint32_t newest; /* version that it speaks; 0: `version` */
};

struct welcome {
	uint32_t version;
	struct slice server;
	uint32_t newest; /* likewise */
};

struct ended {
	struct slice saga_id;
	struct slice status;
};

struct frame {
	enum frame_type type;
	uint64_t request; /* start, signal, result */
	bool watch;       /* start */
	union {
		struct hello hello;
		struct welcome welcome;
		struct command_message command;
		struct reply_message reply;
		uint64_t settled;
		struct slice refuse;
		struct start_message start;
		struct signal_message signal;
		struct result_message result;
		struct ended ended;
		struct inquiry_message inquiry;
		struct records_message records;
	};
};

/* Append the frame, its length first. ERR_INVALID, ERR_TOO_LARGE: it is none
 * that may travel, and the diag says why; ERR_NOMEM. After an error `out` is as
 * before. */
CHECKED enum err wire_write(const struct frame *frame, struct bytes *out, struct diag *diag);

/* The first frame of a stream of bytes. OK: *frame is it, without its length.
 * ERR_NOT_FOUND: it has not come whole yet. ERR_TOO_LARGE: its length is over
 * WIRE_FRAME_MAX, or 0. */
CHECKED enum err wire_first(struct slice stream, struct slice *frame);

/* Read a frame that was cut off with wire_first; its texts are copied into the
 * arena. ERR_INVALID, ERR_TOO_LARGE: the diag says what is wrong with it. */
CHECKED enum err wire_read(struct slice bytes, struct arena *arena, struct frame *out,
			   struct diag *diag);

/* Whether the frame may travel; what reading and writing ask. */
CHECKED enum err wire_check(const struct frame *frame, struct diag *diag);

#endif
