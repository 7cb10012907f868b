/* dead.h - a message that nobody could use, kept for people.
 *
 * It keeps what it had: key, headers, bytes, and where it was found, so that it can be
 * sent there once more when what was wrong is mended.
 */
#ifndef SKALD_PROTO_DEAD_H
#define SKALD_PROTO_DEAD_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DEAD_ID_MAX = 320, /* of letters, digits, '.', '_' and '-' */
	DEAD_HEADERS_MAX = 256,
};

struct dead_letter {
	struct slice id;     /* names its place; empty: whoever keeps it makes one */
	int64_t at_ms;       /* when it was found out; 0: now */
	struct slice reason; /* for programs: "unreadable", "too-large", "unknown-saga" */
	struct slice text;   /* for people */
	struct slice source; /* its topic, or who sent it */
	int32_t partition;   /* -1: it has none */
	int64_t offset;      /* -1: it has none */
	struct slice key;
	struct slice headers; /* see dead_headers_add */
	struct slice value;
	uint64_t size; /* of the value as it was; larger: its first bytes are here */
};

/* Headers are names and values, in their order, one name as often as it occurred. */
void dead_headers_add(struct bytes *headers, struct slice name, struct slice value);

/* The next header, from *at = 0 on; false: there is none, or the rest is damaged. */
bool dead_headers_next(struct slice headers, size_t *at, struct slice *name,
		       struct slice *value);

bool dead_id_valid(struct slice id);

#endif
