/* json_reader.c - skald/json.h on base/json.h. */
#include "skald/json.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/utf8.h"

/* An empty text is no JSON; it stands for arguments that nobody gave. */
static bool find(const char *text, const char *path, struct json *out)
{
	struct json value = {slice_of(text)};
	size_t len;

	for (const char *at = path; value.text.len; at += len + 1) {
		struct json member;

		len = strcspn(at, ".");
		if (json_type(value) != JSON_OBJECT ||
		    !json_get(value, (struct slice){at, len}, &member))
			return false;
		value = member;
		if (!at[len]) {
			*out = value;
			return json_type(value) != JSON_NULL;
		}
	}
	return false;
}

skald_json_result skald_json_text(const char *json, const char *path, char *out, size_t size)
{
	skald_json_result result = SKALD_JSON_NO_FIT;
	struct arena arena = {0};
	struct slice text;
	struct json value;

	if (!find(json, path, &value))
		return SKALD_JSON_MISSING;
	if (json_type(value) != JSON_TEXT)
		return SKALD_JSON_OTHER_TYPE;
	if (json_text(value, &arena, &text) && text.len < size &&
	    !(text.len && memchr(text.at, '\0', text.len))) {
		if (text.len)
			memcpy(out, text.at, text.len);
		out[text.len] = '\0';
		result = SKALD_JSON_OK;
	}
	arena_release(&arena);
	return result;
}

skald_json_result skald_json_bool(const char *json, const char *path, bool *out)
{
	struct json value;

	if (!find(json, path, &value))
		return SKALD_JSON_MISSING;
	if (json_type(value) != JSON_BOOL)
		return SKALD_JSON_OTHER_TYPE;
	*out = json_bool(value);
	return SKALD_JSON_OK;
}

skald_json_result skald_json_integer(const char *json, const char *path, int64_t *out)
{
	return skald_json_decimal(json, path, 0, out);
}

skald_json_result skald_json_decimal(const char *json, const char *path, unsigned int places,
				     int64_t *out)
{
	struct decimal number, unit = {.coefficient = 1};
	struct json value;

	if (!find(json, path, &value))
		return SKALD_JSON_MISSING;
	if (json_type(value) != JSON_NUMBER)
		return SKALD_JSON_OTHER_TYPE;
	if (places > DECIMAL_SCALE_MAX || json_number(value, &number))
		return SKALD_JSON_NO_FIT;
	for (unsigned int n = 0; n < places; n++)
		unit.coefficient *= 10;
	if (decimal_multiply(number, unit, &number) || !decimal_is_whole(number))
		return SKALD_JSON_NO_FIT;
	*out = decimal_truncate(number);
	return SKALD_JSON_OK;
}

bool skald_json_quote(const char *text, char *out, size_t size)
{
	struct bytes bytes = {.at = out, .capacity = size, .max = size};
	struct slice slice = slice_of(text);

	if (!size)
		return false;
	if (utf8_valid(slice)) {
		json_write_text(&bytes, slice);
		bytes_add(&bytes, '\0');
		if (!bytes.err)
			return true;
	}
	out[0] = '\0';
	return false;
}
