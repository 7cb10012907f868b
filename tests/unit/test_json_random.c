/* test_json_random.c - values that nobody thought of.
 *
 * A generator writes the same random value twice: as noisily as JSON allows,
 * with white space and needless escapes, and in normal form by rules of its own.
 * A failure names the seed; the same seed gives the same value.
 */
#include "base/json.h"
#include "tests/lib/suite.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { NO_LIMIT = 1024 * 1024, SEEDS = 300, DEPTH = 5, MUTATIONS = 40 };

struct generator {
	uint64_t state;
	struct bytes noisy;
	struct bytes normal;
};

static uint64_t next_random(struct generator *generator)
{
	generator->state ^= generator->state << 13;
	generator->state ^= generator->state >> 7;
	generator->state ^= generator->state << 17;
	return generator->state;
}

/* From 0 to n - 1. */
static size_t below(struct generator *generator, size_t n)
{
	return (size_t)(next_random(generator) >> 16) % n;
}

static void begin(struct generator *generator, int seed)
{
	*generator = (struct generator){.state = 0x9e3779b97f4a7c15u * (uint64_t)(seed + 1),
					.noisy = BYTES(NO_LIMIT, NULL),
					.normal = BYTES(NO_LIMIT, NULL)};
	for (int i = 0; i < 20; i++)
		next_random(generator);
}

static void end(struct generator *generator)
{
	bytes_release(&generator->noisy);
	bytes_release(&generator->normal);
}

static void write_both(struct generator *generator, const char *text)
{
	bytes_text(&generator->noisy, text);
	bytes_text(&generator->normal, text);
}

static void write_space(struct generator *generator)
{
	while (below(generator, 4) == 0)
		bytes_add(&generator->noisy, " \t\r\n"[below(generator, 4)]);
}

static const struct character {
	uint32_t code;
	const char *raw;    /* NULL: not allowed as it is */
	const char *brief;  /* the short escape, if there is one */
	const char *normal; /* NULL: raw */
} alphabet[] = {
	{'a', "a", NULL, NULL},
	{'Z', "Z", NULL, NULL},
	{' ', " ", NULL, NULL},
	{',', ",", NULL, NULL},
	{':', ":", NULL, NULL},
	{'{', "{", NULL, NULL},
	{']', "]", NULL, NULL},
	{'u', "u", NULL, NULL},
	{'/', "/", "\\/", NULL},
	{'"', NULL, "\\\"", "\\\""},
	{'\\', NULL, "\\\\", "\\\\"},
	{'\n', NULL, "\\n", "\\n"},
	{'\b', NULL, "\\b", "\\b"},
	{'\f', NULL, "\\f", "\\f"},
	{'\r', NULL, "\\r", "\\r"},
	{'\t', NULL, "\\t", "\\t"},
	{0, NULL, NULL, "\\u0000"},
	{0x0b, NULL, NULL, "\\u000b"},
	{0x1f, NULL, NULL, "\\u001f"},
	{0x7f, "\x7f", NULL, NULL},
	{0x80, "\xc2\x80", NULL, NULL},
	{0xe9, "\xc3\xa9", NULL, NULL},
	{0x7ff, "\xdf\xbf", NULL, NULL},
	{0x2028, "\xe2\x80\xa8", NULL, NULL},
	{0xd7ff, "\xed\x9f\xbf", NULL, NULL},
	{0xffff, "\xef\xbf\xbf", NULL, NULL},
	{0x10000, "\xf0\x90\x80\x80", NULL, NULL},
	{0x1f600, "\xf0\x9f\x98\x80", NULL, NULL},
	{0x10ffff, "\xf4\x8f\xbf\xbf", NULL, NULL},
};

static void write_unit(struct generator *generator, uint32_t unit)
{
	if (below(generator, 2))
		bytes_format(&generator->noisy, "\\u%04x", (unsigned int)unit);
	else
		bytes_format(&generator->noisy, "\\u%04X", (unsigned int)unit);
}

static void write_character(struct generator *generator)
{
	const struct character *character = &alphabet[below(generator, (size_t)ROWS(alphabet))];
	size_t way = below(generator, 4);

	bytes_text(&generator->normal, character->normal ? character->normal : character->raw);
	if (character->raw && way > 1) {
		bytes_text(&generator->noisy, character->raw);
	} else if (character->brief && way > 0) {
		bytes_text(&generator->noisy, character->brief);
	} else if (character->code < 0x10000) {
		write_unit(generator, character->code);
	} else {
		write_unit(generator, 0xd800 + ((character->code - 0x10000) >> 10));
		write_unit(generator, 0xdc00 + (character->code & 0x3ff));
	}
}

static void write_text(struct generator *generator)
{
	size_t len = below(generator, 3) ? below(generator, 6) : below(generator, 30);

	write_both(generator, "\"");
	for (size_t i = 0; i < len; i++)
		write_character(generator);
	write_both(generator, "\"");
}

/* The number at its end makes it the only one of its object. */
static void write_name(struct generator *generator, size_t number)
{
	char digits[24];

	write_text(generator);
	generator->noisy.len--;
	generator->normal.len--;
	snprintf(digits, sizeof digits, "%zu\"", number);
	write_both(generator, digits);
}

static void write_scalar(struct generator *generator)
{
	static const char *const scalars[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"19.99",
		"2.50",
		"-1",
		"1e3",
		"1E-400",
		"123456789012345678901",
		"-0.5e+07",
	};

	if (below(generator, 2))
		write_text(generator);
	else
		write_both(generator, scalars[below(generator, (size_t)ROWS(scalars))]);
}

static void write_value(struct generator *generator, int depth)
{
	bool object = below(generator, 2);
	size_t n = below(generator, 30) ? below(generator, 4) : 20;

	write_space(generator);
	if (depth == 0 || below(generator, 4) == 0) {
		write_scalar(generator);
	} else {
		write_both(generator, object ? "{" : "[");
		write_space(generator);
		for (size_t i = 0; i < n; i++) {
			if (i > 0)
				write_both(generator, ",");
			write_space(generator);
			if (object) {
				write_name(generator, i);
				write_space(generator);
				write_both(generator, ":");
			}
			write_value(generator, n == 20 ? 0 : depth - 1);
		}
		write_both(generator, object ? "}" : "]");
	}
	write_space(generator);
}

/* A list round the value: whatever is cut off, the rest is not JSON. */
static void write_document(struct generator *generator, int seed)
{
	begin(generator, seed);
	write_both(generator, "[");
	write_value(generator, DEPTH);
	write_both(generator, "]");
	ck_assert_int_eq(generator->noisy.err, OK);
	ck_assert_int_eq(generator->normal.err, OK);
}

/* A copy with nothing behind it, so that the sanitizer sees who reads on. */
static struct slice copy_of(struct slice text)
{
	char *copy = malloc(text.len ? text.len : 1);

	ck_assert_ptr_nonnull(copy);
	if (text.len)
		memcpy(copy, text.at, text.len);
	return (struct slice){copy, text.len};
}

static void free_copy(struct slice copy)
{
	free((char *)copy.at);
}

/* Whatever can be read of a value fits together. */
static void check_value(struct json value, struct arena *arena)
{
	struct json_each each = json_each(value);
	enum json_type type = json_type(value);
	struct bytes again = BYTES(NO_LIMIT, arena);
	struct slice characters;
	struct json found;
	size_t n = 0;

	if (type == JSON_TEXT) {
		ck_assert(json_text(value, arena, &characters));
		ck_assert(utf8_valid(characters));
		ck_assert_uint_eq(json_size(value), utf8_count(characters));
		json_write_text(&again, characters);
		ck_assert(slice_equal(bytes_slice(&again), value.text));
		return;
	}
	for (; json_next(&each); n++) {
		if (type == JSON_OBJECT) {
			ck_assert(json_text(each.name, arena, &characters));
			ck_assert(json_get(value, characters, &found));
		} else {
			ck_assert(json_at(value, n, &found));
		}
		ck_assert_ptr_eq(found.text.at, each.value.text.at);
		ck_assert_uint_eq(found.text.len, each.value.text.len);
		check_value(each.value, arena);
	}
	ck_assert_uint_eq(json_size(value), n);
}

/* Pretty or not, it is the same value; and not the same as another one. */
static void check_whole(struct json value, struct arena *arena)
{
	struct bytes pretty = BYTES(NO_LIMIT, arena);
	struct slice text = copy_of(value.text);
	struct json copy = {text}, again;

	check_value(copy, arena);
	ck_assert(json_equal(copy, value));
	json_write_pretty(&pretty, copy, 0);
	ck_assert_int_eq(pretty.err, OK);
	ck_assert_int_eq(json_parse(bytes_slice(&pretty), NO_LIMIT, arena, &again, NULL), OK);
	ck_assert(slice_equal(again.text, text));
	free_copy(text);
}

START_TEST(test_noisy_becomes_normal)
{
	struct generator generator;
	struct arena arena = {0};
	struct diag diag = {""};
	struct json value, again;
	struct slice noisy;
	enum err err;

	write_document(&generator, _i);
	noisy = copy_of(bytes_slice(&generator.noisy));
	err = json_parse(noisy, NO_LIMIT, &arena, &value, &diag);
	ck_assert_msg(err == OK, "seed %d: %s\n%.*s", _i, diag.text, SLICE_ARG(noisy));
	free_copy(noisy);
	ck_assert_msg(slice_equal(value.text, bytes_slice(&generator.normal)),
		      "seed %d: %.*s\nbut %.*s", _i, SLICE_ARG(value.text),
		      (int)generator.normal.len, generator.normal.at);
	ck_assert_int_eq(json_parse(value.text, value.text.len, &arena, &again, &diag), OK);
	ck_assert(slice_equal(again.text, value.text));
	check_whole(value, &arena);
	arena_release(&arena);
	end(&generator);
}
END_TEST

START_TEST(test_cut_off_anywhere)
{
	struct generator generator;
	struct arena arena = {0};
	struct json value;

	write_document(&generator, _i);
	for (size_t len = 0; len < generator.noisy.len; len++) {
		struct slice part = copy_of((struct slice){generator.noisy.at, len});
		struct diag diag = {""};
		enum err err = json_parse(part, NO_LIMIT, &arena, &value, &diag);

		ck_assert_msg(err == ERR_INVALID, "seed %d cut at %zu: %s", _i, len,
			      err_text(err));
		ck_assert_msg(strchr(diag.text, ':') && utf8_valid(slice_of(diag.text)),
			      "seed %d cut at %zu: %s", _i, len, diag.text);
		free_copy(part);
		arena_reset(&arena);
	}
	arena_release(&arena);
	end(&generator);
}
END_TEST

START_TEST(test_changed_anywhere)
{
	static const char bytes[] = "\"\\,:{}[]0e.-u \n\x01\x80\xed\xff";
	struct generator generator;
	struct arena arena = {0};

	write_document(&generator, _i);
	for (int i = 0; i < MUTATIONS; i++) {
		struct slice text = copy_of(bytes_slice(&generator.noisy));
		struct diag diag = {""};
		struct json value;
		enum err err;

		((char *)text.at)[below(&generator, text.len)] =
			bytes[below(&generator, sizeof bytes)];
		err = json_parse(text, NO_LIMIT, &arena, &value, &diag);
		if (err == OK) {
			check_whole(value, &arena);
		} else {
			ck_assert_int_eq(err, ERR_INVALID);
			ck_assert_msg(utf8_valid(slice_of(diag.text)), "%s", diag.text);
		}
		free_copy(text);
		arena_reset(&arena);
	}
	arena_release(&arena);
	end(&generator);
}
END_TEST

/* The readers trust their text, but damage must not lead them out of it. */
START_TEST(test_readers_stay_inside_damaged_text)
{
	struct generator generator;
	struct arena arena = {0};

	write_document(&generator, _i);
	for (size_t len = 1; len < generator.normal.len; len++) {
		struct slice part = copy_of((struct slice){generator.normal.at, len});
		struct json_each each = json_each((struct json){part});
		struct json found;

		while (json_next(&each) && each.value.text.len > 0) {
			struct json_each inner = json_each(each.value);

			while (json_next(&inner))
				ck_assert(inner.value.text.at + inner.value.text.len <=
					  part.at + part.len);
			json_get(each.value, SLICE_LITERAL("a0"), &found);
			json_get(each.value, SLICE_LITERAL("\n0"), &found);
		}
		free_copy(part);
	}
	arena_release(&arena);
	end(&generator);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_noisy_becomes_normal, 0, SEEDS);
	tcase_add_loop_test(tcase, test_cut_off_anywhere, 0, SEEDS / 3);
	tcase_add_loop_test(tcase, test_changed_anywhere, 0, SEEDS / 3);
	tcase_add_loop_test(tcase, test_readers_stay_inside_damaged_text, 0, SEEDS / 3);
}

int main(void)
{
	return suite_run("json_random", add);
}
