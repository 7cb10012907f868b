#include "base/json_line.h"

#include "base/json.h"
#include "base/json_escape.h"
#include "base/rfc3339.h"

#include <string.h>

enum { NUMBER_SIZE = 20 }; /* of an int64_t in digits, with its sign */

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

/* Numbers are many: no format is read for them. */
static void add_number(struct bytes *out, int64_t number)
{
	char text[NUMBER_SIZE], *at = text + sizeof text;
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (number < 0)
		*--at = '-';
	bytes_append(out, (struct slice){at, (size_t)(text + sizeof text - at)});
}

void json_add_value_number(struct bytes *out, int64_t number)
{
	separate(out);
	add_number(out, number);
}

/* Names are ours: nothing in them is to be escaped. */
void json_add_name(struct bytes *out, const char *name)
{
	size_t len = strlen(name);
	char *room;

	separate(out);
	room = bytes_room(out, len + 3);
	if (!room)
		return;
	room[0] = '"';
	memcpy(room + 1, name, len);
	memcpy(room + 1 + len, "\":", 2);
}

void json_add_text(struct bytes *out, const char *name, struct slice text)
{
	json_add_name(out, name);
	add_characters(out, text);
}

size_t json_begin_text(struct bytes *out, const char *name)
{
	json_add_name(out, name);
	bytes_add(out, '"');
	return out->len;
}

static bool is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (json_must_escape(text.at[i]))
			return false;
	return utf8_valid(text);
}

/* Few texts have anything that is to be escaped: those are written anew. */
void json_end_text(struct bytes *out, size_t at)
{
	struct bytes copy = BYTES(SIZE_MAX / 4, NULL);
	struct slice text;

	if (out->err)
		return;
	text = (struct slice){out->at + at, out->len - at};
	if (is_plain(text)) {
		bytes_add(out, '"');
		return;
	}
	bytes_append(&copy, text);
	out->len = at - 1;
	add_characters(out, bytes_slice(&copy));
	out->err = out->err ? out->err : copy.err;
	bytes_release(&copy);
}

void json_add_number(struct bytes *out, const char *name, int64_t number)
{
	json_add_name(out, name);
	add_number(out, number);
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
