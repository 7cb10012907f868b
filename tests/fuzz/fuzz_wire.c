/* fuzz_wire.c - any bytes as a stream of frames: none, or frames that may travel
 * and that come back as they were. */
#include "proto/wire.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice write_frame(const struct frame *frame, struct arena *arena)
{
	struct bytes bytes = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, arena);
	enum err err = wire_write(frame, &bytes, NULL);

	assert(!err);
	return bytes_slice(&bytes);
}

static void try_frame(struct slice bytes)
{
	struct frame frame, again;
	struct arena arena = {0};
	struct slice first, written;
	struct diag diag = {{0}};
	enum err err = wire_read(bytes, &arena, &frame, &diag);

	if (err) {
		assert(err == ERR_INVALID || err == ERR_TOO_LARGE);
		assert(diag.text[0]);
	} else {
		written = write_frame(&frame, &arena);
		err = wire_first(written, &first);
		assert(!err && first.len + WIRE_LENGTH_SIZE == written.len);
		err = wire_read(first, &arena, &again, NULL);
		assert(!err && again.type == frame.type);
		assert(slice_equal(write_frame(&again, &arena), written));
	}
	arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice stream = {(const char *)data, size}, frame;

	try_frame(stream); /* as if the length had been in front */
	while (stream.len && wire_first(stream, &frame) == OK) {
		try_frame(frame);
		stream.at += WIRE_LENGTH_SIZE + frame.len;
		stream.len -= WIRE_LENGTH_SIZE + frame.len;
	}
	return 0;
}
