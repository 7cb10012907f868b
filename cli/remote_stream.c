/* remote_stream.c - server-sent events, line by line. */
#include "cli/remote_parts.h"

enum { EVENT_MAX = 32 * 1024 * 1024, NAME_SIZE = 64 };

struct reader {
	const struct remote_stream *stream;
	CURL *curl;
	struct bytes line;
	struct bytes data; /* of the event that is being read */
	char name[NAME_SIZE];
	struct bytes refusal; /* the body of an answer that is not 2xx */
	long status;
	bool enough;
};

static void end_event(struct reader *reader)
{
	struct arena arena = {0};
	struct json data;

	if (reader->data.len &&
	    !json_parse(bytes_slice(&reader->data), EVENT_MAX, &arena, &data, NULL) &&
	    !reader->stream->event(reader->stream->context, slice_of(reader->name), data))
		reader->enough = true;
	arena_release(&arena);
	bytes_clear(&reader->data);
	reader->name[0] = '\0';
}

static void take_line(struct reader *reader, struct slice line)
{
	static const char event[] = "event: ", data[] = "data: ";

	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	if (!line.len) {
		end_event(reader);
	} else if (line.len >= sizeof event - 1 &&
		   memcmp(line.at, event, sizeof event - 1) == 0) {
		size_t len = line.len - (sizeof event - 1);

		if (len >= NAME_SIZE)
			len = NAME_SIZE - 1;
		memcpy(reader->name, line.at + sizeof event - 1, len);
		reader->name[len] = '\0';
	} else if (line.len >= sizeof data - 1 && memcmp(line.at, data, sizeof data - 1) == 0) {
		bytes_append(&reader->data, (struct slice){line.at + sizeof data - 1,
							   line.len - (sizeof data - 1)});
	}
	/* Anything else is a comment, or of a later version. */
}

static void take_events(struct reader *reader, struct slice part)
{
	while (part.len && !reader->enough) {
		const char *end = memchr(part.at, '\n', part.len);
		size_t len = end ? (size_t)(end - part.at) : part.len;

		bytes_append(&reader->line, (struct slice){part.at, len});
		part.at += len + (end != NULL);
		part.len -= len + (end != NULL);
		if (end) {
			take_line(reader, bytes_slice(&reader->line));
			bytes_clear(&reader->line);
		}
	}
}

static size_t take_part(char *data, size_t size, size_t n, void *context)
{
	struct reader *reader = context;
	struct slice part = {data, size * n};

	if (!reader->status)
		curl_easy_getinfo(reader->curl, CURLINFO_RESPONSE_CODE, &reader->status);
	if (reader->status == 200)
		take_events(reader, part);
	else
		bytes_append(&reader->refusal, part);
	return reader->enough || reader->line.err || reader->data.err ? 0 : part.len;
}

static int on_tick(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		   curl_off_t up)
{
	const struct remote_stream *stream = context;

	stream->tick(stream->context);
	return 0;
}

static enum stream_end end_of(struct remote *remote, const struct reader *reader,
			      CURLcode result, const char *why, struct arena *arena,
			      struct remote_answer *answer)
{
	struct bytes refusal = reader->refusal;

	if (reader->enough)
		return STREAM_ENOUGH;
	if (result == CURLE_OK && reader->status == 200)
		return STREAM_OVER;
	if (result == CURLE_OK) {
		remote_read_answer(remote, reader->status, &refusal, arena, answer);
		return STREAM_REFUSED;
	}
	remote_read_failure(remote, result, why, arena, answer);
	if (result == CURLE_OPERATION_TIMEDOUT && reader->stream->timeout_ms)
		return STREAM_TIMED_OUT;
	return reader->status == 200 ? STREAM_OVER : STREAM_BROKEN;
}

enum stream_end remote_stream(struct remote *remote, const struct remote_stream *stream,
			      struct arena *arena, struct remote_answer *answer)
{
	const struct remote_request request = {"GET", stream->path, {0}, arena};
	struct reader reader = {.stream = stream,
				.curl = remote->curl,
				.line = BYTES(EVENT_MAX, NULL),
				.data = BYTES(EVENT_MAX, NULL),
				.refusal = BYTES(REMOTE_ANSWER_MAX, arena)};
	char why[CURL_ERROR_SIZE];
	enum stream_end end;
	CURLcode result;

	curl_easy_reset(remote->curl);
	curl_easy_setopt(remote->curl, CURLOPT_WRITEFUNCTION, take_part);
	curl_easy_setopt(remote->curl, CURLOPT_WRITEDATA, &reader);
	if (stream->timeout_ms)
		curl_easy_setopt(remote->curl, CURLOPT_TIMEOUT_MS, (long)stream->timeout_ms);
	if (stream->tick) {
		curl_easy_setopt(remote->curl, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(remote->curl, CURLOPT_XFERINFOFUNCTION, on_tick);
		curl_easy_setopt(remote->curl, CURLOPT_XFERINFODATA, stream);
	}
	result = remote_perform(remote, &request, why);
	if (result == CURLE_OK && !reader.status)
		curl_easy_getinfo(remote->curl, CURLINFO_RESPONSE_CODE, &reader.status);
	end = end_of(remote, &reader, result, why, arena, answer);
	bytes_release(&reader.line);
	bytes_release(&reader.data);
	return end;
}
