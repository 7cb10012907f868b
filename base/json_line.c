#include "base/json_line.h"

#include "base/json.h"
#include "base/rfc3339.h"

#include <inttypes.h>

/* A comma, where a value stands before: all end in one of these. */
static void separate(struct bytes *out)
{
	char last = out->len ? out->at[out->len - 1] : '{';

	if (last == '}' || last == ']' || last == '"' || (last >= '0' && last <= '9') ||
	    (last >= 'a' && last <= 'z'))
		bytes_add(out, ',');
}

void json_begin(struct bytes *out)
{
	separate(out);
	bytes_add(out, '{');
}

void json_end(struct bytes *out)
{
	bytes_add(out, '}');
}

void json_end_line(struct bytes *out)
{
	bytes_text(out, "}\n");
}

void json_begin_list(struct bytes *out)
{
	separate(out);
	bytes_add(out, '[');
}

void json_end_list(struct bytes *out)
{
	bytes_add(out, ']');
}

/* Bytes that are no UTF-8 are replaced; most texts have none. */
static void add_characters(struct bytes *out, struct slice text)
{
	struct bytes valid = BYTES(SIZE_MAX / 4, NULL);

	if (utf8_valid(text)) {
		json_write_text(out, text);
		return;
	}
	while (text.len) {
		uint32_t character;
		size_t len = utf8_decode(text, &character);

		if (len)
			bytes_append(&valid, (struct slice){text.at, len});
		else
			bytes_text(&valid, "\xef\xbf\xbd");
		text.at += len ? len : 1;
		text.len -= len ? len : 1;
	}
	json_write_text(out, bytes_slice(&valid));
	if (valid.err && !out->err)
		out->err = valid.err;
	bytes_release(&valid);
}

void json_add_value(struct bytes *out, struct slice text)
{
	separate(out);
	add_characters(out, text);
}

void json_add_value_number(struct bytes *out, int64_t number)
{
	separate(out);
	bytes_format(out, "%" PRId64, number);
}

void json_add_name(struct bytes *out, const char *name)
{
	separate(out);
	json_write_text(out, slice_of(name));
	bytes_add(out, ':');
}

void json_add_text(struct bytes *out, const char *name, struct slice text)
{
	json_add_name(out, name);
	add_characters(out, text);
}

void json_add_number(struct bytes *out, const char *name, int64_t number)
{
	json_add_name(out, name);
	bytes_format(out, "%" PRId64, number);
}

void json_add_bool(struct bytes *out, const char *name, bool value)
{
	json_add_name(out, name);
	bytes_text(out, value ? "true" : "false");
}

void json_add_null(struct bytes *out, const char *name)
{
	json_add_name(out, name);
	bytes_text(out, "null");
}

void json_add_optional(struct bytes *out, const char *name, struct slice text)
{
	if (text.len)
		json_add_text(out, name, text);
	else
		json_add_null(out, name);
}

void json_add_json(struct bytes *out, const char *name, struct slice json)
{
	json_add_name(out, name);
	bytes_append(out, json.len ? json : SLICE_LITERAL("null"));
}

void json_add_time(struct bytes *out, const char *name, int64_t unix_ms)
{
	char text[RFC3339_TEXT_SIZE];

	if (unix_ms == 0 || unix_ms < RFC3339_MIN_MS || unix_ms > RFC3339_MAX_MS) {
		json_add_null(out, name);
		return;
	}
	rfc3339_format(unix_ms, text);
	json_add_text(out, name, slice_of(text));
}
