/* test_template.c - JSON with expressions in it. */
#include "orchestrator/core/template.h"
#include "tests/lib/expression_world.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

struct fixture {
	struct arena arena;
	struct problems problems;
	struct expression_world world;
	struct failure_text failure;
};

static void begin(struct fixture *fixture)
{
	*fixture = (struct fixture){.problems.arena = &fixture->arena};
	ck_assert(expression_world_init(&fixture->world, slice_of(world_values),
					&fixture->arena));
}

static void *allocate(struct fixture *fixture, size_t n, size_t size)
{
	void *memory = arena_array(&fixture->arena, n ? n : 1, size);

	ck_assert_ptr_nonnull(memory);
	return memory;
}

/* A template from JSON in which texts that begin with `=` are expressions. */
static const struct template *make(struct fixture *fixture, struct json json)
{
	struct template *template = allocate(fixture, 1, sizeof *template);
	struct template_entry *entries = allocate(fixture, json_size(json), sizeof *entries);
	struct json_each each = json_each(json);
	struct slice text;

	if (json_type(json) == JSON_TEXT && json.text.len > 2 && json.text.at[1] == '=') {
		struct place place = {3, 5};

		ck_assert(json_text(json, &fixture->arena, &text));
		template->kind = TEMPLATE_EXPRESSION;
		template->expression = expression_parse(
			(struct slice){text.at + 1, text.len - 1}, place, &fixture->world.scope,
			&fixture->arena, &fixture->problems);
		ck_assert_msg(template->expression, "%.*s: %s", SLICE_ARG(text),
			      fixture->problems.list[0].text);
		return template;
	}
	if (json_type(json) != JSON_LIST && json_type(json) != JSON_OBJECT) {
		template->literal = json;
		return template;
	}
	template->kind = json_type(json) == JSON_LIST ? TEMPLATE_LIST : TEMPLATE_OBJECT;
	for (template->entries = entries; json_next(&each); template->n_entries++) {
		struct template_entry *entry = &entries[template->n_entries];

		entry->value = make(fixture, each.value);
		if (template->kind == TEMPLATE_OBJECT)
			ck_assert(json_text(each.name, &fixture->arena, &entry->name));
	}
	return template;
}

static const struct template *make_text(struct fixture *fixture, struct slice text)
{
	struct diag diag = {""};
	struct json json;
	enum err err = json_parse(text, 2 * 1024 * 1024, &fixture->arena, &json, &diag);

	ck_assert_msg(!err, "%.60s: %s", text.at, diag.text);
	return make(fixture, json);
}

static const struct row {
	const char *name;
	const char *template;
	const char *result; /* or the failure */
	enum err err;
	bool can_fail;
} rows[] = {
	{"a literal", "1.50", "1.50", OK, false},
	{"an empty object", "{}", "{}", OK, false},
	{"an empty list", "[]", "[]", OK, false},
	{"one expression", "\"=input.tags\"", "[\"new\",\"red\"]", OK, true},
	{"an object of expressions",
	 "{\"sku\": \"=input.sku\", \"qty\": \"=input.qty\", \"total\": \"=input.total\"}",
	 "{\"sku\":\"A-1\",\"qty\":3,\"total\":129.90}", OK, false},
	{"literals between expressions",
	 "{\"a\": 1, \"b\": \"=1 + 1\", \"c\": [true, null, \"x\"]}",
	 "{\"a\":1,\"b\":2,\"c\":[true,null,\"x\"]}", OK, true},
	{"a list of expressions", "[\"=input.sku\", [\"='x' + 'y'\"], {\"z\": \"=null\"}]",
	 "[\"A-1\",[\"xy\"],{\"z\":null}]", OK, false},
	{"names that need escapes", "{\"say \\\"hi\\\"\": \"=true\"}",
	 "{\"say \\\"hi\\\"\":true}", OK, false},
	{"texts that need escapes", "{\"a\": \"=input.any.quote + '\\\"'\"}",
	 "{\"a\":\"say \\\"hi\\\"\\\"\"}", OK, true},
	{"numbers beyond the exact range pass", "[\"=input.any.big\", \"=input.any.e\"]",
	 "[123456789012345678901234567890,1e3]", OK, true},
	{"an expression that fails", "{\"a\": 1, \"b\": [\"=1 / 0\"]}", "3:7: division by zero",
	 ERR_INVALID, true},
	{"something that is missing", "{\"a\": \"=input.any.none\", \"b\": \"=1 / 0\"}",
	 "3:15: input.any.none is missing", ERR_INVALID, true},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	const struct template *template;
	struct fixture fixture;
	struct json out = {{0}};
	enum err err;

	begin(&fixture);
	template = make_text(&fixture, slice_of(row->template));
	err = template_evaluate(template, &fixture.world.environment, &fixture.arena, &out,
				&fixture.failure);
	ck_assert_msg(err == row->err, "%s: %s", row->name, err_text(err));
	if (err)
		ck_assert_msg(strcmp(fixture.failure.text, row->result) == 0, "%s: %s",
			      row->name, fixture.failure.text);
	else
		ck_assert_msg(slice_is(out.text, row->result), "%s: %.*s", row->name,
			      SLICE_ARG(out.text));
	ck_assert_msg(template_can_fail(template) == row->can_fail, "%s: can_fail", row->name);
	arena_release(&fixture.arena);
}
END_TEST

static void note(void *context, const struct expression *expression)
{
	struct bytes *seen = context;

	bytes_append(seen, expression->text);
	bytes_add(seen, ';');
}

START_TEST(test_each)
{
	struct bytes seen = BYTES(1024, NULL);
	struct fixture fixture;

	begin(&fixture);
	template_each(make_text(&fixture,
				SLICE_LITERAL("{\"a\": \"=1+1\", \"b\": [2, \"=input.sku\"], "
					      "\"c\": {\"d\": \"=true\"}}")),
		      note, &seen);
	ck_assert(slice_is(bytes_slice(&seen), "1 + 1;input.sku;true;"));
	bytes_release(&seen);
	arena_release(&fixture.arena);
}
END_TEST

/* --- limits ----------------------------------------------------------------------- */

static enum err evaluate(struct fixture *fixture, struct slice text, struct json *out)
{
	fixture->failure.text[0] = '\0';
	return template_evaluate(make_text(fixture, text), &fixture->world.environment,
				 &fixture->arena, out, &fixture->failure);
}

/* The input's `any` is then `first` n times, `middle`, and `last` n times. */
static void set_any(struct fixture *fixture, const char *first, const char *middle,
		    const char *last, size_t n)
{
	struct bytes values = BYTES(2 * PAYLOAD_MAX, NULL);

	bytes_text(&values, "{\"input\":{\"any\":");
	for (size_t i = 0; i < n; i++)
		bytes_text(&values, first);
	bytes_text(&values, middle);
	for (size_t i = 0; i < n; i++)
		bytes_text(&values, last);
	bytes_text(&values, "}}");
	ck_assert(
		expression_world_init(&fixture->world, bytes_slice(&values), &fixture->arena));
	bytes_release(&values);
}

static void set_any_text(struct fixture *fixture, size_t n)
{
	struct bytes text = BYTES(PAYLOAD_MAX, NULL);

	while (text.len < n)
		bytes_add(&text, 'x');
	bytes_add(&text, '\0');
	set_any(fixture, "\"", text.at, "\"", 1);
	bytes_release(&text);
}

/* A result is exactly as large as a payload, or it is one byte too large. */
START_TEST(test_too_large)
{
	struct bytes values = BYTES(2 * PAYLOAD_MAX, NULL);
	struct fixture fixture;
	struct json out;

	begin(&fixture);
	set_any_text(&fixture, PAYLOAD_MAX - 4);
	ck_assert_int_eq(evaluate(&fixture, SLICE_LITERAL("[\"=input.any\"]"), &out), OK);
	ck_assert_uint_eq(out.text.len, PAYLOAD_MAX);
	ck_assert_int_eq(evaluate(&fixture, SLICE_LITERAL("[\"=input.any\", 1]"), &out),
			 ERR_INVALID);
	ck_assert_str_eq(fixture.failure.text, "3:5: result too large: it is at most 256 KiB");

	/* A literal alone has no place. */
	bytes_clear(&values);
	bytes_add(&values, '[');
	while (values.len < PAYLOAD_MAX)
		bytes_text(&values, "1,");
	bytes_text(&values, "1]");
	ck_assert_int_eq(evaluate(&fixture, bytes_slice(&values), &out), ERR_INVALID);
	ck_assert_str_eq(fixture.failure.text, "result too large: it is at most 256 KiB");
	bytes_release(&values);
	arena_release(&fixture.arena);
}
END_TEST

/* All expressions of a template share the room for the texts that they make. */
START_TEST(test_room)
{
	struct slice one = SLICE_LITERAL("[\"=size(upper(input.any))\"]");
	struct slice five =
		SLICE_LITERAL("[\"=size(upper(input.any))\", \"=size(upper(input.any))\", "
			      "\"=size(upper(input.any))\", \"=size(upper(input.any))\", "
			      "\"=size(upper(input.any))\"]");
	struct fixture fixture;
	struct json out;

	begin(&fixture);
	set_any_text(&fixture, PAYLOAD_MAX - 100);
	ck_assert_int_eq(evaluate(&fixture, one, &out), OK);
	ck_assert_int_eq(evaluate(&fixture, five, &out), ERR_INVALID);
	ck_assert_str_eq(fixture.failure.text,
			 "3:16: result too large: a text is at most 256 KiB");
	arena_release(&fixture.arena);
}
END_TEST

/* Input of full depth inside a template: one level is too much. */
START_TEST(test_too_deep)
{
	static const struct {
		const char *name, *template;
		size_t levels;
		enum err err;
	} nests[] = {
		{"full depth on its own", "\"=input.any\"", 60, OK},
		{"as deep as can be", "[[[[\"=input.any\"]]]]", 60, OK},
		{"one level too deep", "[[[[[\"=input.any\"]]]]]", 60, ERR_INVALID},
		{"one level too deep in an object", "{\"a\":[[[[\"=input.any\"]]]]}", 60,
		 ERR_INVALID},
	};
	struct fixture fixture;

	begin(&fixture);
	for (int i = 0; i < ROWS(nests); i++) {
		struct json out, again;
		enum err err;

		set_any(&fixture, _i ? "[" : "[\"[\\\"[\",", "1", "]", nests[i].levels);
		err = evaluate(&fixture, slice_of(nests[i].template), &out);
		ck_assert_msg(err == nests[i].err, "%s: %s", nests[i].name, err_text(err));
		if (err) {
			ck_assert_str_eq(fixture.failure.text,
					 "3:5: result too large: lists and objects nest more "
					 "than 64 deep");
			continue;
		}
		err = json_parse(out.text, PAYLOAD_MAX, &fixture.arena, &again, NULL);
		ck_assert_msg(err == OK && slice_equal(out.text, again.text),
			      "%s: the result is not in normal form", nests[i].name);
	}
	arena_release(&fixture.arena);
}
END_TEST

/* The template's own lists and objects count, too. */
START_TEST(test_template_too_deep)
{
	const struct template *inside;
	struct fixture fixture;

	begin(&fixture);
	inside = make_text(&fixture, SLICE_LITERAL("\"=1\""));
	for (int depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		struct template *list = allocate(&fixture, 1, sizeof *list);
		struct template_entry *entry = allocate(&fixture, 1, sizeof *entry);
		struct json out;
		enum err err;

		entry->value = inside;
		*list = (struct template){
			.kind = TEMPLATE_LIST, .entries = entry, .n_entries = 1};
		inside = list;
		err = template_evaluate(inside, &fixture.world.environment, &fixture.arena,
					&out, &fixture.failure);
		ck_assert_int_eq(err, depth <= JSON_DEPTH_MAX ? OK : ERR_INVALID);
	}
	arena_release(&fixture.arena);
}
END_TEST

/* Every allocation fails in turn. */
START_TEST(test_no_memory)
{
	static _Alignas(max_align_t) char memory[16 * 1024];
	const struct template *template;
	struct fixture fixture;
	enum err err = ERR_NOMEM;

	begin(&fixture);
	template = make_text(&fixture,
			     SLICE_LITERAL("{\"a\": \"=input.any.quote + upper(input.sku)\", "
					   "\"b\": [\"=join(input.tags, ', ')\", 1, "
					   "\"=input.lines\"]}"));
	for (size_t size = 0; err == ERR_NOMEM; size += sizeof(max_align_t)) {
		struct arena arena = {.next = memory, .end = memory + size, .max = 1};
		struct json out = {{0}};

		ck_assert_uint_le(size, sizeof memory);
		err = template_evaluate(template, &fixture.world.environment, &arena, &out,
					&fixture.failure);
		ck_assert_ptr_null(arena.blocks);
		ck_assert(err == ERR_NOMEM ? !out.text.at : out.text.len > 0);
	}
	ck_assert_int_eq(err, OK);
	arena_release(&fixture.arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_each);
	tcase_add_test(tcase, test_too_large);
	tcase_add_test(tcase, test_room);
	tcase_add_loop_test(tcase, test_too_deep, 0, 2); /* with and without texts */
	tcase_add_test(tcase, test_template_too_deep);
	tcase_add_test(tcase, test_no_memory);
}

int main(void)
{
	return suite_run("template", add);
}
