/* fuzz_json.c - any bytes as JSON: an error with its line and column, or a normal form
 * that is its own normal form, and that is the same value when it is printed for people,
 * read member by member, or read by a service.
 *
 * What stands behind the first NUL byte is a path for the reader of services. */
#include "base/json.h"
#include "skald/json.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { JSON_MAX = 1 << 20, READ_SIZE = 64 };

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* "12:3: what is wrong" */
static void check_place(const struct diag *diag)
{
	const char *text = diag->text;
	size_t line = digits(text), column = line ? digits(text + line + 1) : 0;

	assert(line && column && text[line] == ':' && text[0] != '0');
	assert(strncmp(text + line + 1 + column, ": ", 2) == 0);
	assert(text[line + 1 + column + 2]);
}

static struct json parse(struct slice text, struct arena *arena)
{
	struct json value = {{0}};
	enum err err = json_parse(text, JSON_MAX, arena, &value, NULL);

	assert(!err);
	return value;
}

static void check_pretty(struct json value, struct arena *arena)
{
	struct bytes out = BYTES(SIZE_MAX / 2, arena);

	json_write_pretty(&out, value, 0);
	assert(!out.err);
	assert(slice_equal(parse(bytes_slice(&out), arena).text, value.text));
}

static void check_text(struct json value, struct arena *arena)
{
	struct bytes out = BYTES(JSON_MAX, arena);
	struct slice characters;

	if (!json_text(value, arena, &characters))
		assert(false);
	assert(utf8_valid(characters));
	json_write_text(&out, characters);
	assert(!out.err && slice_equal(bytes_slice(&out), value.text));
}

static void check_number(struct json value)
{
	struct decimal number;

	if (json_number(value, &number) == DECIMAL_OK)
		assert(json_equal(value, value));
}

/* Every value in it, by its name and place. */
static void check_inside(struct json value, struct arena *arena)
{
	struct json_each each = json_each(value);
	struct json found;
	struct slice name;
	size_t n = 0;

	while (json_next(&each)) {
		if (json_type(value) == JSON_OBJECT) {
			if (!json_text(each.name, arena, &name))
				assert(false);
			assert(json_get(value, name, &found));
		} else {
			assert(json_at(value, n, &found));
		}
		assert(found.text.at == each.value.text.at);
		check_inside(each.value, arena);
		n++;
	}
	if (json_type(value) == JSON_TEXT)
		check_text(value, arena);
	else if (json_type(value) == JSON_NUMBER)
		check_number(value);
	else
		assert(json_size(value) == n);
}

static void read_as_service(struct json value, const char *path)
{
	char text[READ_SIZE];
	int64_t number;
	bool truth;

	if (skald_json_text(value.text.at, path, text, sizeof text) == SKALD_JSON_OK)
		assert(strlen(text) < sizeof text);
	(void)skald_json_integer(value.text.at, path, &number);
	(void)skald_json_decimal(value.text.at, path, 2, &number);
	(void)skald_json_bool(value.text.at, path, &truth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size}, path = {0};
	const char *nul = size ? memchr(data, '\0', size) : NULL;
	struct arena arena = {0};
	struct json value;
	struct diag diag = {{0}};
	enum err err;

	if (nul) {
		text.len = (size_t)(nul - text.at);
		path = (struct slice){nul + 1, size - text.len - 1};
	}
	if (!arena_copy(&arena, path, &path))
		assert(false);
	err = json_parse(text, JSON_MAX, &arena, &value, &diag);
	if (err) {
		assert(err == ERR_INVALID || err == ERR_TOO_LARGE);
		check_place(&diag);
	} else {
		assert(slice_equal(parse(value.text, &arena).text, value.text));
		assert(json_equal(value, value));
		check_pretty(value, &arena);
		check_inside(value, &arena);
		read_as_service(value, path.at);
	}
	arena_release(&arena);
	return 0;
}
