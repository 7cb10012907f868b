#include "bus/stream.h"

#include <assert.h>

/* An empty stream keeps no more memory than this. */
enum { KEPT = 256 * 1024 };

void stream_tidy(struct stream *stream)
{
	struct bytes *bytes = &stream->bytes;

	if (stream->taken < bytes->len / 2)
		return;
	bytes->len -= stream->taken;
	if (bytes->len && stream->taken)
		memmove(bytes->at, bytes->at + stream->taken, bytes->len);
	stream->taken = 0;
}

void stream_take(struct stream *stream, size_t n)
{
	assert(n <= stream->bytes.len - stream->taken);
	stream->taken += n;
	if (stream->taken < stream->bytes.len)
		return;
	stream_clear(stream);
}

void stream_clear(struct stream *stream)
{
	stream->taken = 0;
	bytes_clear(&stream->bytes);
	if (stream->bytes.capacity > KEPT)
		bytes_release(&stream->bytes);
}
