/* test_sagas.c - what we ship for people to copy: every saga in sagas/ and every
 * example in its README loads without a warning, and means the same when it is
 * read back from its normal form; and the checker finds no way in which a saga
 * goes wrong. */
#include "orchestrator/check/explore.h"
#include "orchestrator/load/load.h"
#include "tests/lib/suite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 512, EXAMPLES_MIN = 8, README_MAX = 256 * 1024 };

static const char *const shipped[] = {
	"sagas/order.yaml",        "sagas/order-bench.yaml", "sagas/travel.yaml",
	"sagas/transfer.yaml",     "sagas/trial.yaml",       "sagas/fulfilment.yaml",
	"sagas/subscription.yaml",
};

static void check_problems(enum err err, const struct problems *problems, const char *name)
{
	const struct problem *first = problems->n ? &problems->list[0] : NULL;

	ck_assert_msg(!err && !first, "%s, line %u: %s", name,
		      first ? (unsigned)first->place.line : 0,
		      first ? first->text : "cannot be loaded");
}

/* The normal form is a definition, too, and the same one. */
static void check_normal_form(const struct definition *definition, const char *name)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *again = NULL;
	enum err err = load_text(name, definition->normal, NULL, &problems, &again);

	check_problems(err, &problems, name);
	ck_assert_msg(slice_equal(again->normal, definition->normal) &&
			      !memcmp(again->hash, definition->hash, sizeof again->hash),
		      "%s: the normal form, read back, is another definition", name);
	definition_free(again);
	arena_release(&arena);
}

/* To be freed with definition_free(). */
static struct definition *load_shipped(const char *path)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	enum err err = load_file(path, &problems, &definition);

	check_problems(err, &problems, path);
	arena_release(&arena);
	return definition;
}

START_TEST(test_shipped)
{
	const char *path = shipped[_i];
	struct definition *definition = load_shipped(path);
	char file[PATH_SIZE];

	check_normal_form(definition, path);
	ck_assert_msg(definition->description.len > 0, "%s has no description", path);
	snprintf(file, sizeof file, "sagas/%.*s.yaml", SLICE_ARG(definition->name));
	ck_assert_str_eq(file, path);
	definition_free(definition);
}
END_TEST

/* A saga that is added to the folder is added to the list above. */
START_TEST(test_none_is_left_out)
{
	DIR *folder = opendir("sagas");
	const struct dirent *file;
	int n = 0;

	ck_assert_ptr_nonnull(folder);
	while ((file = readdir(folder))) {
		size_t len = strlen(file->d_name);

		n += len > 5 && !strcmp(file->d_name + len - 5, ".yaml");
	}
	closedir(folder);
	ck_assert_int_eq(n, ROWS(shipped));
}
END_TEST

/* --- every way that they can go ---------------------------------------------------- */

/* At the default bounds, but for the travel saga: that takes ten seconds, so it is
 * cut in two ways, each of which leaves what the other cuts off. */
static const struct {
	const char *path;
	const char *bounds;
} explored[] = {
	{"sagas/order.yaml", ""},
	{"sagas/order-bench.yaml", ""},
	{"sagas/transfer.yaml", ""},
	{"sagas/trial.yaml", ""},
	{"sagas/fulfilment.yaml", ""},
	{"sagas/subscription.yaml", ""},
	{"sagas/travel.yaml", "attempts=1,prune=0"},
	{"sagas/travel.yaml", "operator=0,prune=0"},
};

START_TEST(test_explored)
{
	struct definition *definition = load_shipped(explored[_i].path);
	struct explore_options options = {.bounds = explore_bounds_default};
	struct explore_report report;
	struct diag diag = {""};

	ck_assert_int_eq(
		explore_bounds_parse(slice_of(explored[_i].bounds), &options.bounds, &diag),
		OK);
	ck_assert_msg(!explore(definition, &options, &report, &diag), "%s", diag.text);
	ck_assert_msg(report.end == EXPLORE_WHOLE,
		      "%s: %s: %s; see: skald check --exhaustive --bounds %s",
		      explored[_i].path, explore_end_text(report.end),
		      report.what ? report.what : "", explored[_i].bounds);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

START_TEST(test_none_is_left_unexplored)
{
	bool found = false;

	for (int n = 0; n < ROWS(explored); n++)
		found |= !strcmp(explored[n].path, shipped[_i]);
	ck_assert_msg(found, "%s is not explored", shipped[_i]);
}
END_TEST

/* --- the README ----------------------------------------------------------------- */

static void read_file(const char *path, struct bytes *out)
{
	FILE *file = fopen(path, "rb");
	char piece[4096];
	size_t n;

	ck_assert_msg(file != NULL, "%s cannot be opened", path);
	while ((n = fread(piece, 1, sizeof piece, file)) > 0)
		bytes_append(out, (struct slice){piece, n});
	fclose(file);
	bytes_add(out, '\0');
	ck_assert_int_eq(out->err, OK);
}

static void check_example(const char *name, struct slice text)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	enum err err = load_text(name, text, NULL, &problems, &definition);

	check_problems(err, &problems, name);
	check_normal_form(definition, name);
	definition_free(definition);
	arena_release(&arena);
}

/* Everything between ```yaml and ``` that begins as a definition does. */
START_TEST(test_examples)
{
	static const char begin[] = "\n```yaml\n";
	struct bytes readme = BYTES(README_MAX, NULL);
	const char *at;
	int n = 0;

	read_file("sagas/README.md", &readme);
	for (at = strstr(readme.at, begin); at; at = strstr(at, begin)) {
		const char *end;
		char name[64];

		at += sizeof begin - 1;
		end = strstr(at, "\n```\n");
		ck_assert_msg(end != NULL, "an example of the README has no end");
		if (strncmp(at, "saga:", 5) != 0)
			continue;
		snprintf(name, sizeof name, "example %d of sagas/README.md", ++n);
		check_example(name, (struct slice){at, (size_t)(end - at) + 1});
	}
	ck_assert_int_ge(n, EXAMPLES_MIN);
	bytes_release(&readme);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_shipped, 0, ROWS(shipped));
	tcase_add_test(tcase, test_none_is_left_out);
	tcase_add_loop_test(tcase, test_explored, 0, ROWS(explored));
	tcase_add_loop_test(tcase, test_none_is_left_unexplored, 0, ROWS(shipped));
	tcase_add_test(tcase, test_examples);
}

int main(void)
{
	return suite_run("sagas", add);
}
