/* json.c - reading values that are in normal form.
 *
 * The text is trusted, but every loop still ends at its end: damage after the
 * check must not become a read of somebody else's memory.
 */
#include "base/json.h"
#include "base/json_escape.h"
#include "base/json_names.h"

#include <assert.h>
#include <stdint.h>

/* Objects with more members than this, in different orders, are sorted before
 * they are compared. */
enum { EQUAL_UNSORTED_MAX = 32 };

/* Eight bytes, the first one lowest whatever the machine. */
static uint64_t load_eight(const char *at)
{
	const unsigned char *byte = (const unsigned char *)at;

	return byte[0] | (uint64_t)byte[1] << 8 | (uint64_t)byte[2] << 16 |
	       (uint64_t)byte[3] << 24 | (uint64_t)byte[4] << 32 | (uint64_t)byte[5] << 40 |
	       (uint64_t)byte[6] << 48 | (uint64_t)byte[7] << 56;
}

/* The highest bit of the lowest byte that is c, and none below it. */
static uint64_t mark_byte(uint64_t word, char c)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t differs = word ^ ones * (unsigned char)c;

	return (differs - ones) & ~differs & ones << 7;
}

/* Behind the text that begins here with its opening quote. Most of the bytes
 * of a payload are in texts, so these are looked at eight at a time. */
static const char *skip_text(const char *at, const char *end)
{
	at++;
	while (end - at >= 8) {
		uint64_t word = load_eight(at);
		uint64_t marks = mark_byte(word, '"') | mark_byte(word, '\\');

		if (marks == 0) {
			at += 8;
			continue;
		}
		at += __builtin_ctzll(marks) / 8;
		if (*at == '"')
			return at + 1;
		at += end - at > 1 ? 2 : 1;
	}
	for (; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\' && at + 1 < end)
			at++;
	}
	return end;
}

static const char *skip_level(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		switch (*at) {
		case '"': at = skip_text(at, end); continue;
		case '{':
		case '[': depth++; break;
		case '}':
		case ']':
			if (--depth == 0)
				return at + 1;
			break;
		default: break;
		}
		at++;
	}
	return end;
}

static const char *skip_value(const char *at, const char *end)
{
	if (at == end)
		return end;
	if (*at == '"')
		return skip_text(at, end);
	if (*at == '{' || *at == '[')
		return skip_level(at, end);
	while (at < end && *at != ',' && *at != '}' && *at != ']')
		at++;
	return at;
}

static struct json json_between(const char *at, const char *end)
{
	return (struct json){{at, (size_t)(end - at)}};
}

enum json_type json_type(struct json value)
{
	assert(value.text.len > 0);
	switch (value.text.at[0]) {
	case 'n': return JSON_NULL;
	case 't':
	case 'f': return JSON_BOOL;
	case '"': return JSON_TEXT;
	case '[': return JSON_LIST;
	case '{': return JSON_OBJECT;
	default: return JSON_NUMBER;
	}
}

const char *json_type_name(enum json_type type)
{
	switch (type) {
	case JSON_NULL: return "null";
	case JSON_BOOL: return "boolean";
	case JSON_NUMBER: return "number";
	case JSON_TEXT: return "text";
	case JSON_LIST: return "list";
	case JSON_OBJECT: return "object";
	}
	return "unknown";
}

bool json_bool(struct json value)
{
	assert(json_type(value) == JSON_BOOL);
	return value.text.at[0] == 't';
}

enum decimal_result json_number(struct json value, struct decimal *out)
{
	assert(json_type(value) == JSON_NUMBER);
	return decimal_parse(value.text, out);
}

/* What stands between the quotes. */
static struct slice inside(struct json text)
{
	assert(text.text.len >= 2);
	return (struct slice){text.text.at + 1, text.text.len - 2};
}

/* The next character of what stands between quotes, and how long it is. */
static size_t next_character(struct slice escaped, uint32_t *code_point)
{
	if (escaped.at[0] == '\\')
		return json_unescape(escaped, code_point);
	return utf8_decode(escaped, code_point);
}

bool json_text(struct json value, struct arena *arena, struct slice *out)
{
	struct slice rest = inside(value);
	uint32_t code_point;
	size_t len = 0, taken;
	char *text;

	assert(json_type(value) == JSON_TEXT);
	if (!memchr(rest.at, '\\', rest.len)) {
		*out = rest;
		return true;
	}
	/* No escape is shorter than what it stands for. */
	text = arena_alloc(arena, rest.len);
	if (!text)
		return false;
	for (; rest.len > 0; rest.at += taken, rest.len -= taken) {
		taken = next_character(rest, &code_point);
		if (taken == 0)
			break;
		len += utf8_encode(code_point, text + len);
	}
	*out = (struct slice){text, len};
	return true;
}

/* Whether what stands between quotes are these characters. */
static bool is_escape_of(struct slice escaped, struct slice characters)
{
	uint32_t code_point;
	size_t taken, len;
	char character[UTF8_MAX];

	for (; escaped.len > 0; escaped.at += taken, escaped.len -= taken) {
		taken = next_character(escaped, &code_point);
		if (taken == 0)
			return false;
		len = utf8_encode(code_point, character);
		if (len > characters.len || memcmp(character, characters.at, len) != 0)
			return false;
		characters.at += len;
		characters.len -= len;
	}
	return characters.len == 0;
}

static bool has_escapes(struct slice characters)
{
	for (size_t i = 0; i < characters.len; i++)
		if (json_must_escape(characters.at[i]))
			return true;
	return false;
}

/* Behind the name of a member that begins here; whether it is this one. A name
 * without escapes is found by its bytes and the quote behind them, without
 * looking for that quote first. */
static const char *pass_name(const char *at, const char *end, struct slice name, bool escaped,
			     bool *found)
{
	const char *key = at + 1;

	*found = !escaped && (size_t)(end - key) > name.len && key[name.len] == '"' &&
		 (name.len == 0 || memcmp(key, name.at, name.len) == 0);
	if (*found)
		return key + name.len + 1;
	at = skip_text(at, end);
	if (escaped && at > key)
		*found = is_escape_of((struct slice){key, (size_t)(at - 1 - key)}, name);
	return at;
}

bool json_get(struct json object, struct slice name, struct json *out)
{
	bool escaped = has_escapes(name), found;
	const char *end = object.text.at + object.text.len;
	const char *at = object.text.at + 1;

	if (json_type(object) != JSON_OBJECT)
		return false;
	while (at < end && *at == '"') {
		const char *from = pass_name(at, end, name, escaped, &found);

		from += from < end; /* the colon */
		at = skip_value(from, end);
		if (found) {
			*out = json_between(from, at);
			return true;
		}
		at += at < end; /* the comma */
	}
	return false;
}

struct json_each json_each(struct json value)
{
	enum json_type type = json_type(value);
	struct json_each each = {0};

	if ((type == JSON_LIST || type == JSON_OBJECT) && value.text.len > 2)
		each.rest = inside(value);
	return each;
}

bool json_next(struct json_each *each)
{
	const char *at = each->rest.at;
	const char *end, *behind;

	if (each->rest.len == 0)
		return false;
	end = at + each->rest.len;
	behind = skip_value(at, end);
	/* Nothing but a name is followed by a colon. */
	if (behind < end && *behind == ':') {
		each->name = json_between(at, behind);
		at = behind + 1;
		behind = skip_value(at, end);
	}
	each->value = json_between(at, behind);
	at = behind < end ? behind + 1 : end;
	each->rest = (struct slice){at, (size_t)(end - at)};
	return true;
}

bool json_at(struct json list, size_t index, struct json *out)
{
	struct json_each each = json_each(list);

	if (json_type(list) != JSON_LIST)
		return false;
	while (json_next(&each)) {
		if (index-- == 0) {
			*out = each.value;
			return true;
		}
	}
	return false;
}

static size_t count_characters(struct slice escaped)
{
	uint32_t code_point;
	size_t n = 0, taken;

	if (!memchr(escaped.at, '\\', escaped.len))
		return utf8_count(escaped);
	for (; escaped.len > 0; escaped.at += taken, escaped.len -= taken) {
		taken = next_character(escaped, &code_point);
		if (taken == 0)
			break;
		n++;
	}
	return n;
}

size_t json_size(struct json value)
{
	struct json_each each = json_each(value);
	size_t n = 0;

	if (json_type(value) == JSON_TEXT)
		return count_characters(inside(value));
	while (json_next(&each))
		n++;
	return n;
}

static bool equal_numbers(struct json a, struct json b)
{
	struct decimal left, right;

	return json_number(a, &left) == DECIMAL_OK && json_number(b, &right) == DECIMAL_OK &&
	       decimal_compare(left, right) == 0;
}

static bool equal_lists(struct json a, struct json b)
{
	struct json_each left = json_each(a), right = json_each(b);

	while (json_next(&left))
		if (!json_next(&right) || !json_equal(left.value, right.value))
			return false;
	return !json_next(&right);
}

/* The n names of an object in order, each with the place of its value; NULL
 * when out of memory. */
static struct json_name *sort_names(struct json object, size_t n, struct arena *arena)
{
	struct json_name *names = arena_array(arena, n, sizeof *names);
	struct json_each each = json_each(object);

	if (!names)
		return NULL;
	for (size_t i = 0; i < n && json_next(&each); i++)
		names[i] = (struct json_name){each.name.text, each.value.text.at};
	json_sort_names(names, n);
	return names;
}

static struct json value_at(const struct json_name *name, struct json object)
{
	const char *end = object.text.at + object.text.len;

	return json_between(name->place, skip_value(name->place, end));
}

static bool equal_sorted(struct json a, struct json b, const struct json_name *left,
			 const struct json_name *right, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!slice_equal(left[i].text, right[i].text))
			return false;
	for (size_t i = 0; i < n; i++)
		if (!json_equal(value_at(&left[i], a), value_at(&right[i], b)))
			return false;
	return true;
}

/* Without sorting, for objects that are small, and for want of memory. */
static bool equal_by_search(struct json a, struct json b)
{
	struct json_each left = json_each(a), right;

	while (json_next(&left)) {
		right = json_each(b);
		do {
			if (!json_next(&right))
				return false;
		} while (!slice_equal(left.name.text, right.name.text));
		if (!json_equal(left.value, right.value))
			return false;
	}
	return true;
}

static bool equal_objects(struct json a, struct json b)
{
	struct json_name *left, *right;
	struct arena scratch = {0};
	size_t n = json_size(a);
	bool equal;

	if (n != json_size(b))
		return false;
	if (n <= EQUAL_UNSORTED_MAX)
		return equal_by_search(a, b);
	left = sort_names(a, n, &scratch);
	right = left ? sort_names(b, n, &scratch) : NULL;
	equal = right ? equal_sorted(a, b, left, right, n) : equal_by_search(a, b);
	arena_release(&scratch);
	return equal;
}

bool json_equal(struct json a, struct json b)
{
	enum json_type type = json_type(a);

	if (type != json_type(b))
		return false;
	/* Normal form: what is written alike is alike, and often it is. */
	if (slice_equal(a.text, b.text))
		return true;
	switch (type) {
	case JSON_NULL:
	case JSON_BOOL:
	case JSON_TEXT: return false;
	case JSON_NUMBER: return equal_numbers(a, b);
	case JSON_LIST: return equal_lists(a, b);
	case JSON_OBJECT: return equal_objects(a, b);
	}
	return false;
}
