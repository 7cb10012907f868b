/* test_openapi.c - docs/openapi.json says what the gateway does: the same routes,
 * the same parameters. */
#include "base/json.h"
#include "orchestrator/gateway/openapi.h"
#include "orchestrator/gateway/routes.h"
#include "tests/lib/suite.h"

#include <ctype.h>
#include <stdlib.h>

static struct arena arena;

static struct json description(void)
{
	struct json json;
	struct diag diag = {""};
	enum err err = json_parse((struct slice){openapi_json, openapi_json_size}, SIZE_MAX / 4,
				  &arena, &json, &diag);

	ck_assert_msg(!err, "docs/openapi.json: %s", diag.text);
	return json;
}

static struct json member(struct json object, const char *name)
{
	struct json value;

	ck_assert_msg(json_get(object, slice_of(name), &value), "docs/openapi.json has no %s",
		      name);
	return value;
}

static struct slice lower(const char *method)
{
	static char text[16];
	size_t len = strlen(method);

	ck_assert_uint_lt(len, sizeof text);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)tolower((unsigned char)method[i]);
	return (struct slice){text, len};
}

static bool find_operation(struct json paths, const struct route *route, struct json *out)
{
	struct json path;

	return json_get(paths, slice_of(route->path), &path) &&
	       json_get(path, lower(route->method), out);
}

START_TEST(test_every_route_is_described)
{
	struct json paths = member(description(), "paths"), operation;

	for (size_t i = 0; i < n_routes; i++)
		ck_assert_msg(find_operation(paths, &routes[i], &operation),
			      "%s %s is not in docs/openapi.json", routes[i].method,
			      routes[i].path);
	arena_release(&arena);
}
END_TEST

static bool is_routed(struct slice path, struct slice method)
{
	for (size_t i = 0; i < n_routes; i++) {
		if (slice_is(path, routes[i].path) &&
		    slice_equal(method, lower(routes[i].method)))
			return true;
	}
	return false;
}

START_TEST(test_everything_described_is_routed)
{
	struct json_each paths = json_each(member(description(), "paths"));
	size_t n = 0;

	while (json_next(&paths)) {
		struct json_each methods = json_each(paths.value);
		struct slice path, method;

		ck_assert(json_text(paths.name, &arena, &path));
		while (json_next(&methods)) {
			ck_assert(json_text(methods.name, &arena, &method));
			if (slice_is(method, "parameters"))
				continue;
			ck_assert_msg(is_routed(path, method), "there is no route %.*s %.*s",
				      SLICE_ARG(method), SLICE_ARG(path));
			n++;
		}
	}
	ck_assert_uint_eq(n, n_routes);
	arena_release(&arena);
}
END_TEST

static size_t count_query(struct json operation)
{
	struct json parameters;
	size_t n = 0;

	if (!json_get(operation, SLICE_LITERAL("parameters"), &parameters))
		return 0;
	for (struct json_each each = json_each(parameters); json_next(&each);)
		n += slice_is(member(each.value, "in").text, "\"query\"");
	return n;
}

static bool has_query(struct json operation, const char *name)
{
	struct json parameters;
	struct slice text;

	if (!json_get(operation, SLICE_LITERAL("parameters"), &parameters))
		return false;
	for (struct json_each each = json_each(parameters); json_next(&each);) {
		ck_assert(json_text(member(each.value, "name"), &arena, &text));
		if (slice_is(text, name))
			return true;
	}
	return false;
}

START_TEST(test_the_parameters_are_the_same)
{
	struct json paths = member(description(), "paths"), operation;

	for (size_t i = 0; i < n_routes; i++) {
		size_t n = 0;

		ck_assert(find_operation(paths, &routes[i], &operation));
		for (; routes[i].query[n]; n++)
			ck_assert_msg(has_query(operation, routes[i].query[n]),
				      "%s %s: ?%s= is not described", routes[i].method,
				      routes[i].path, routes[i].query[n]);
		ck_assert_msg(count_query(operation) == n, "%s %s: more is described",
			      routes[i].method, routes[i].path);
	}
	arena_release(&arena);
}
END_TEST

/* "#/components/schemas/Row" leads somewhere. */
static void check_references(struct json root, struct json value)
{
	for (struct json_each each = json_each(value); json_next(&each);) {
		struct slice text;
		struct json at = root;

		if (!slice_is(each.name.text, "\"$ref\"")) {
			check_references(root, each.value);
			continue;
		}
		ck_assert(json_text(each.value, &arena, &text));
		ck_assert(text.len > 2 && memcmp(text.at, "#/", 2) == 0);
		text.at += 2;
		text.len -= 2;
		while (text.len) {
			const char *slash = memchr(text.at, '/', text.len);
			size_t len = slash ? (size_t)(slash - text.at) : text.len;

			ck_assert_msg(json_get(at, (struct slice){text.at, len}, &at),
				      "%.*s leads nowhere", SLICE_ARG(each.value.text));
			text.at += len + (slash != NULL);
			text.len -= len + (slash != NULL);
		}
	}
}

START_TEST(test_references_lead_somewhere)
{
	struct json root = description();

	check_references(root, root);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_every_route_is_described);
	tcase_add_test(tcase, test_everything_described_is_routed);
	tcase_add_test(tcase, test_the_parameters_are_the_same);
	tcase_add_test(tcase, test_references_lead_somewhere);
}

int main(void)
{
	return suite_run("openapi", add);
}
