/* heard.h - what somebody on the wire has said so far, frame by frame. */
#ifndef SKALD_TESTS_FUZZ_HEARD_H
#define SKALD_TESTS_FUZZ_HEARD_H

#include "proto/wire.h"

#include <assert.h>

#define HEARD_MAY_SAY(type) (1 << (type))

/* All that is whole are frames, of such types; the rest stays. */
static inline void heard_understand(struct bytes *heard, int may_say)
{
	struct slice rest = bytes_slice(heard), bytes;
	struct arena arena = {0};
	struct frame frame;
	enum err err;

	while ((err = wire_first(rest, &bytes)) == OK) {
		err = wire_read(bytes, &arena, &frame, NULL);
		assert(!err && HEARD_MAY_SAY(frame.type) & may_say);
		rest.at += WIRE_LENGTH_SIZE + bytes.len;
		rest.len -= WIRE_LENGTH_SIZE + bytes.len;
	}
	assert(err == ERR_NOT_FOUND);
	if (rest.len)
		memmove(heard->at, rest.at, rest.len);
	heard->len = rest.len;
	arena_release(&arena);
}

#endif
