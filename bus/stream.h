/* stream.h - bytes on their way: added at the end, taken from the front. */
#ifndef SKALD_BUS_STREAM_H
#define SKALD_BUS_STREAM_H

#include "base/bytes.h"

struct stream {
	struct bytes bytes;
	size_t taken; /* from the front of `bytes` */
};

#define STREAM(max_bytes) ((struct stream){.bytes = BYTES(max_bytes, NULL)})

static inline struct slice stream_slice(const struct stream *stream)
{
	return (struct slice){stream->bytes.at ? stream->bytes.at + stream->taken : NULL,
			      stream->bytes.len - stream->taken};
}

/* Before bytes are added: move what is left to the front where that is worth it.
 * `max` has to be twice what is ever on its way. */
void stream_tidy(struct stream *stream);

/* Take n bytes from the front. Large memory that is not needed is given back. */
void stream_take(struct stream *stream, size_t n);

void stream_clear(struct stream *stream);

#endif
