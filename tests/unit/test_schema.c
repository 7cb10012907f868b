/* test_schema.c - what a schema lets through, and what it says to the rest. */
#include "tests/lib/expression_world.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

static enum err validate(struct arena *arena, const struct schema *schema, const char *text,
			 struct diag *diag)
{
	struct json value;

	*diag = (struct diag){""};
	ck_assert_msg(json_parse(slice_of(text), 1024 * 1024, arena, &value, diag) == OK,
		      "%s: %s", text, diag->text);
	return schema_validate(schema, value, arena, diag);
}

/* --- the sample schema: paths ------------------------------------------------------- */

#define BEGIN                                                                         \
	"{\"sku\":\"A\",\"qty\":1,\"total\":1,\"price\":1,\"lines\":[{\"sku\":\"A\"," \
	"\"price\":1}]"

static const struct input_row {
	const char *name;
	const char *input;
	const char *says; /* NULL: nothing, it is right */
} input_rows[] = {
	{"all that is required", BEGIN "}", NULL},
	{"members in any order",
	 "{\"lines\":[{\"price\":1,\"sku\":\"A\"}],\"price\":1,\"total\":1,\"qty\":1,\"sku\":"
	 "\"A\"}",
	 NULL},
	{"all that there may be",
	 BEGIN ",\"vip\":true,\"note\":null,\"tags\":[],\"email\":\"\",\"size\":-1,"
	       "\"address\":{\"street\":\"\",\"city\":\"\",\"zip\":null},\"status\":\"old\","
	       "\"any\":[{}]}",
	 NULL},
	{"a number beyond the exact range where none is needed",
	 "{\"sku\":\"A\",\"qty\":1,\"total\":1e400,\"price\":1,"
	 "\"lines\":[{\"sku\":\"A\",\"price\":1}]}",
	 NULL},
	{"as many elements as can be", "{\"lines\":[1,2,3,4,5]}",
	 "input.lines[0]: must be object, not number"},
	{"not an object", "[]", "input: must be object, not list"},
	{"null", "null", "input: must be object, not null"},
	{"a member is missing", "{\"sku\":\"A\",\"qty\":1,\"price\":1,\"lines\":[{}]}",
	 "input.lines[0].sku: is missing, but the schema requires it"},
	{"another member is missing",
	 "{\"sku\":\"A\",\"qty\":1,\"price\":1,\"lines\":[{\"sku\":\"A\",\"price\":1}]}",
	 "input.total: is missing, but the schema requires it"},
	{"an unknown member", BEGIN ",\"discount\":1}",
	 "input.discount: is not a name that the schema allows"},
	{"a slip in a member", BEGIN ",\"emial\":\"\"}",
	 "input.emial: is not a name that the schema allows; did you mean email?"},
	{"a member with a strange name", BEGIN ",\"a \\\"b\\\"\":1}",
	 "input[\"a \\\"b\\\"\"]: is not a name that the schema allows"},
	{"a wrong type", BEGIN ",\"vip\":\"yes\"}", "input.vip: must be boolean, not text"},
	{"a wrong type where there are two", BEGIN ",\"note\":1}",
	 "input.note: must be text or null, not number"},
	{"a wrong element", BEGIN ",\"tags\":[\"a\",\"b\",3]}",
	 "input.tags[2]: must be text, not number"},
	{"a wrong member of a member", BEGIN ",\"address\":{\"street\":1,\"city\":\"\"}}",
	 "input.address.street: must be text, not number"},
	{"a value that is not in the list", BEGIN ",\"status\":\"secret\"}",
	 "input.status: must be one of \"new\", \"old\""},
	{"a fraction", "{\"qty\":1.5}", "input.qty: must be a whole number"},
	{"a whole number with zeros", "{\"qty\":2.00,\"x\":1}",
	 "input.x: is not a name that the schema allows"},
	{"too small", "{\"qty\":0}", "input.qty: must be at least 1"},
	{"too large and a fraction", "{\"qty\":100.5}", "input.qty: must be a whole number"},
	{"too large", "{\"qty\":101}", "input.qty: must be at most 100"},
	{"an integer beyond the exact range", "{\"qty\":123456789012345678901}",
	 "input.qty: must fit an exact number: 64 bits, at most 18 digits behind the point"},
	{"too few elements", "{\"lines\":[]}", "input.lines: must have at least 1 element"},
	{"too many elements", "{\"lines\":[1,2,3,4,5,6]}",
	 "input.lines: must have at most 5 elements"},
};

START_TEST(test_input)
{
	const struct input_row *row = &input_rows[_i];
	struct arena arena = {0};
	struct diag diag;
	enum err err = validate(&arena, &world_input, row->input, &diag);

	ck_assert_msg(err == (row->says ? ERR_INVALID : OK), "%s: %s", row->name,
		      err_text(err));
	ck_assert_msg(strcmp(diag.text, row->says ? row->says : "") == 0, "%s: %s", row->name,
		      diag.text);
	arena_release(&arena);
}
END_TEST

/* --- single limits --------------------------------------------------------------------- */

#define ANY        .types = TYPE_ANY, .additional = &schema_any, NO_MAXIMUM
#define NO_MAXIMUM .max_length = UINT32_MAX, .max_items = UINT32_MAX

static const struct json only_one[] = {{{"{\"a\":[1,2.0]}", 13}}};
static const struct schema constant = {ANY, .choices = only_one, .n_choices = 1};
static const struct schema short_text = {
	.types = TYPE_OF(JSON_TEXT), .min_length = 2, .max_length = 3, .max_items = UINT32_MAX};
static const struct schema one_letter = {
	.types = TYPE_ANY, .max_length = 1, .max_items = UINT32_MAX};
static const struct schema above = {ANY, .has_minimum = true, .minimum = {-15, 1}};
static const struct schema below = {ANY, .has_maximum = true, .maximum = {250, 2}};
static const struct schema whole = {ANY, .whole_numbers = true};
static const struct schema numbers_inside = {
	.types = TYPE_ANY, .additional = &above, NO_MAXIMUM};
static const struct schema closed = {.types = TYPE_ANY, NO_MAXIMUM};
static const struct schema lists = {ANY, .items = &numbers_inside};

static const struct limit_row {
	const char *name;
	const struct schema *schema;
	const char *value;
	const char *says;
} limit_rows[] = {
	{"anything", &schema_any, "{\"a\":[1,null]}", NULL},
	{"the one value", &constant, "{\"a\":[1.0,2]}", NULL},
	{"not the one value", &constant, "{\"a\":[1,2,3]}", "input: must be {\"a\":[1,2.0]}"},
	{"just long enough", &short_text, "\"\u00fc\u20ac\"", NULL},
	{"as long as can be", &short_text, "\"abc\"", NULL},
	{"too short", &short_text, "\"\u20ac\"", "input: must have at least 2 characters"},
	{"too long", &short_text, "\"abcd\"", "input: must have at most 3 characters"},
	{"an escape is one character", &short_text, "\"\\\"\\\"\\\"\"", NULL},
	{"too long for one", &one_letter, "\"ab\"", "input: must have at most 1 character"},
	{"a length is not for lists", &one_letter, "[1,2,3]", NULL},
	{"at the minimum", &above, "-1.50", NULL},
	{"below the minimum", &above, "-1.51", "input: must be at least -1.5"},
	{"a minimum is not for texts", &above, "\"-2\"", NULL},
	{"at the maximum", &below, "2.5", NULL},
	{"above the maximum", &below, "2.501", "input: must be at most 2.50"},
	{"beyond the exact range where there is a maximum", &below, "-1e300",
	 "input: must fit an exact number: 64 bits, at most 18 digits behind the point"},
	{"a whole number", &whole, "-3", NULL},
	{"a whole number that is a fraction", &whole, "-3.5", "input: must be a whole number"},
	{"whole numbers are not for texts", &whole, "\"3.5\"", NULL},
	{"additional members have a schema", &numbers_inside, "{\"a\":1,\"b\":-7}",
	 "input.b: must be at least -1.5"},
	{"no members at all", &closed, "{\"a\":1}",
	 "input.a: is not a name that the schema allows"},
	{"an empty object", &closed, "{}", NULL},
	{"deep inside", &lists, "[{},{\"a\":0,\"b c\":-9}]",
	 "input[1][\"b c\"]: must be at least -1.5"},
};

START_TEST(test_limit)
{
	const struct limit_row *row = &limit_rows[_i];
	struct arena arena = {0};
	struct diag diag;
	enum err err = validate(&arena, row->schema, row->value, &diag);

	ck_assert_msg(err == (row->says ? ERR_INVALID : OK), "%s: %s: %s", row->name,
		      err_text(err), diag.text);
	ck_assert_msg(strcmp(diag.text, row->says ? row->says : "") == 0, "%s: %s", row->name,
		      diag.text);
	arena_release(&arena);
}
END_TEST

START_TEST(test_pattern)
{
	struct schema schema = {.types = TYPE_ANY, NO_MAXIMUM};
	struct pattern *pattern;
	struct arena arena = {0};
	struct diag diag;

	ck_assert_int_eq(pattern_compile(SLICE_LITERAL("^[A-Z]+\"$"), &arena, &pattern, &diag),
			 OK);
	schema.pattern = pattern;
	ck_assert_int_eq(validate(&arena, &schema, "\"AB\\\"\"", &diag), OK);
	ck_assert_int_eq(validate(&arena, &schema, "12", &diag), OK);
	ck_assert_int_eq(validate(&arena, &schema, "\"ab\"", &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text, "input: must match the pattern of the schema");
	arena_release(&arena);
}
END_TEST

/* Long names and long lists of choices do not push the sentence out. */
START_TEST(test_long_sentences)
{
	struct json choices[40];
	struct schema schema = {
		.types = TYPE_ANY, NO_MAXIMUM, .choices = choices, .n_choices = ROWS(choices)};
	struct bytes value = BYTES(4096, NULL);
	struct arena arena = {0};
	struct diag diag;

	for (int i = 0; i < ROWS(choices); i++)
		choices[i] = JSON_OF("\"abcdefgh\"");
	ck_assert_int_eq(validate(&arena, &schema, "1", &diag), ERR_INVALID);
	ck_assert(strlen(diag.text) < 200);
	ck_assert_str_eq(diag.text + strlen(diag.text) - 15, "\"abcdefgh\", ...");

	bytes_text(&value, "{\"a\":{\"");
	for (int i = 0; i < 1000; i++)
		bytes_text(&value, "x");
	bytes_text(&value, "\":-2}}");
	bytes_add(&value, '\0');
	schema = (struct schema){.types = TYPE_ANY, NO_MAXIMUM, .additional = &numbers_inside};
	ck_assert_int_eq(validate(&arena, &schema, value.at, &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text, "input.a...: must be at least -1.5");
	bytes_release(&value);
	arena_release(&arena);
}
END_TEST

/* No sentence holds anything of a value: it may be masked. */
START_TEST(test_values_stay_hidden)
{
	static const char *const inputs[] = {
		"\"hunter2\"", "{\"sku\":[\"hunter2\"]}", "{\"qty\":\"hunter2\"}",
		"{\"status\":\"hunter2\"}", "{\"tags\":[[\"hunter2\"]]}"};
	struct arena arena = {0};
	struct diag diag;

	for (int i = 0; i < ROWS(inputs); i++) {
		ck_assert_int_eq(validate(&arena, &world_input, inputs[i], &diag), ERR_INVALID);
		ck_assert_msg(!strstr(diag.text, "hunter2"), "%s", diag.text);
	}
	arena_release(&arena);
}
END_TEST

START_TEST(test_no_memory)
{
	static _Alignas(max_align_t) char memory[8 * 1024];
	static const char *const inputs[] = {"{\"emial\":1}", "{\"sku\":\"\\\"\",\"qty\":0}",
					     "{\"lines\":[{\"sku\":\"\"}]}",
					     "{\"status\":\"x\"}", "{\"vip\":1}"};
	struct arena values = {0};

	for (int i = 0; i < ROWS(inputs); i++) {
		enum err err = ERR_NOMEM;
		struct json value;

		ck_assert_int_eq(json_parse(slice_of(inputs[i]), 1024, &values, &value, NULL),
				 OK);
		for (size_t size = 0; err == ERR_NOMEM; size += sizeof(max_align_t)) {
			struct arena arena = {.next = memory, .end = memory + size, .max = 1};

			ck_assert_uint_le(size, sizeof memory);
			err = schema_validate(&world_input, value, &arena, NULL);
		}
		ck_assert_msg(err == ERR_INVALID, "%s: %s", inputs[i], err_text(err));
	}
	arena_release(&values);
}
END_TEST

/* --- what a schema says --------------------------------------------------------------- */

START_TEST(test_type_set)
{
	enum { N = TYPE_OF(JSON_NUMBER), T = TYPE_OF(JSON_TEXT), Z = TYPE_OF(JSON_NULL) };
	static const struct {
		int types;
		const char *text;
	} rows[] = {
		{0, "nothing"},
		{Z, "null"},
		{T, "text"},
		{N | Z, "number or null"},
		{N | T | Z, "number, text or null"},
		{TYPE_ANY & ~Z, "boolean, number, text, list or object"},
		{TYPE_ANY & ~T, "boolean, number, list, object or null"},
		{TYPE_ANY, "anything"},
	};
	char text[TYPE_SET_TEXT_MAX];

	for (int i = 0; i < ROWS(rows); i++)
		ck_assert_str_eq(type_set_text((type_set)rows[i].types, text), rows[i].text);
	/* Every set has room. */
	for (int types = 0; types <= TYPE_ANY; types++)
		ck_assert_uint_lt(strlen(type_set_text((type_set)types, text)),
				  TYPE_SET_TEXT_MAX);
}
END_TEST

START_TEST(test_knowledge)
{
	const struct schema *lines = schema_member(&world_input, SLICE_LITERAL("lines"));
	const struct schema *line;

	ck_assert_ptr_nonnull(lines);
	line = schema_element(lines);
	ck_assert_uint_eq(schema_member(line, SLICE_LITERAL("price"))->types,
			  TYPE_OF(JSON_NUMBER));
	ck_assert_ptr_null(schema_member(line, SLICE_LITERAL("pric")));
	ck_assert(schema_requires(line, SLICE_LITERAL("price")));
	ck_assert(!schema_requires(&world_input, SLICE_LITERAL("note")));
	ck_assert(!schema_requires(&schema_any, SLICE_LITERAL("sku")));
	ck_assert_ptr_eq(schema_member(&schema_any, SLICE_LITERAL("x")), &schema_any);
	ck_assert_ptr_eq(schema_element(&schema_any), &schema_any);
	ck_assert_ptr_eq(schema_member(&numbers_inside, SLICE_LITERAL("x")), &above);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_input, 0, ROWS(input_rows));
	tcase_add_loop_test(tcase, test_limit, 0, ROWS(limit_rows));
	tcase_add_test(tcase, test_pattern);
	tcase_add_test(tcase, test_long_sentences);
	tcase_add_test(tcase, test_values_stay_hidden);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_type_set);
	tcase_add_test(tcase, test_knowledge);
}

int main(void)
{
	return suite_run("schema", add);
}
