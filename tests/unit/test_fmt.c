/* test_fmt.c - skald fmt: one form for all, and nobody's comments get lost. */
#include "base/json.h"
#include "base/sha256.h"
#include "cli/file.h"
#include "tests/lib/folder.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#include <sys/stat.h>
#include <unistd.h>

static char skald[4096];

static struct process_result run(struct arena *arena, const char *const *args)
{
	struct process_setup setup = {.argv = {skald}};

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	return process_run(&setup, arena);
}

#define RUN(arena, ...) run((arena), (const char *const[]){__VA_ARGS__, NULL})

static const char commented[] = "# Owned by the rooms team.\n"
				"\n"
				"version: 1.0.0 # never the same twice\n"
				"# what it is called\n"
				"saga: stay\n"
				"input: { schema: stay.json } # shared\n"
				"steps:\n"
				"  # first the room\n"
				"  # then the money\n"
				"  - hold:\n"
				"      undo: { call: rooms.free }\n"
				"      # by name\n"
				"      call: rooms.hold # \xc3\xa9\n"
				"      with: { who: =input.name }\n"
				"  - pay: { kind: pivot, call: bank.pay } # no way back\n"
				"# the end\n";

static const char schema[] = "{\"type\":\"object\",\"properties\":"
			     "{\"name\":{\"type\":\"string\"}},\"required\":[\"name\"]}";

static void begin(void)
{
	folder_enter();
	folder_write("stay.json", schema);
	folder_write("stay.yaml", commented);
}

/* Nothing but the test's own files is left. */
static void end(struct arena *arena, size_t files)
{
	ck_assert_uint_eq(folder_count(), files);
	arena_release(arena);
	folder_leave();
}

static void contains(struct slice text, const char *part)
{
	ck_assert_msg(strstr(text.at, part) != NULL, "\"%s\" is missing in\n%s", part, text.at);
}

START_TEST(test_normal_form_is_its_own)
{
	struct arena arena = {0};
	struct process_result first, second;

	begin();
	first = RUN(&arena, "fmt", "stay.yaml");
	ck_assert_int_eq(first.exit_code, 0);
	ck_assert_str_eq(first.errs.at, "");
	contains(first.out, "    \"required\"" + 4);
	ck_assert_ptr_null(strchr(first.out.at, '#'));
	folder_write("again.yaml", first.out.at);
	second = RUN(&arena, "fmt", "again.yaml");
	ck_assert_int_eq(second.exit_code, 0);
	ck_assert_str_eq(second.out.at, first.out.at);
	end(&arena, 3);
}
END_TEST

START_TEST(test_the_hash_is_of_the_normal_form)
{
	struct arena arena = {0};
	struct process_result plain, json;
	struct json object, member;
	struct slice hash, normal;
	uint8_t digest[SHA256_SIZE];
	char text[SHA256_HEX_SIZE];

	begin();
	plain = RUN(&arena, "fmt", "stay.yaml");
	json = RUN(&arena, "fmt", "--json", "stay.yaml");
	ck_assert_int_eq(json_parse(json.out, 1 << 20, &arena, &object, NULL), OK);
	ck_assert(json_get(object, SLICE_LITERAL("normal"), &member));
	ck_assert(json_text(member, &arena, &normal));
	ck_assert_msg(slice_equal(normal, plain.out), "%.*s", SLICE_ARG(normal));
	ck_assert(json_get(object, SLICE_LITERAL("hash"), &member));
	ck_assert(json_text(member, &arena, &hash));
	sha256(normal, digest);
	sha256_hex(digest, text);
	ck_assert_msg(slice_is(hash, text), "%.*s", SLICE_ARG(hash));
	end(&arena, 2);
}
END_TEST

START_TEST(test_writing_keeps_comments_schema_and_mode)
{
	struct arena arena = {0};
	struct process_result before, result;
	struct slice written;
	struct stat state;

	begin();
	ck_assert_int_eq(chmod("stay.yaml", 0640), 0);
	before = RUN(&arena, "check", "stay.yaml");
	result = RUN(&arena, "fmt", "-w", "stay.yaml");
	ck_assert_str_eq(result.errs.at, "");
	ck_assert_str_eq(result.out.at, "stay.yaml: rewritten\n");
	ck_assert_int_eq(result.exit_code, 0);
	written = folder_read("stay.yaml", &arena);
	contains(written, "# Owned by the rooms team.\n\n");
	contains(written,
		 "# what it is called\nsaga: stay\nversion: 1.0.0 # never the same twice\n");
	contains(written, "input: # shared\n  schema: stay.json\n");
	contains(written, "  # first the room\n  # then the money\n  - hold:\n");
	contains(written, "      # by name\n      call: rooms.hold # \xc3\xa9\n");
	contains(written, "  - pay: # no way back\n");
	contains(written, "\n# the end\n");
	contains(written, "attempts: 5");
	ck_assert_int_eq(stat("stay.yaml", &state), 0);
	ck_assert_uint_eq(state.st_mode & 07777, 0640);
	ck_assert_str_eq(RUN(&arena, "check", "stay.yaml").out.at, before.out.at);
	end(&arena, 2);
}
END_TEST

START_TEST(test_writing_again_changes_nothing)
{
	struct arena arena = {0};
	struct slice first;

	begin();
	ck_assert_int_eq(RUN(&arena, "fmt", "-q", "-w", "stay.yaml").out.len, 0);
	first = folder_read("stay.yaml", &arena);
	ck_assert_str_eq(RUN(&arena, "fmt", "-w", "stay.yaml").out.at,
			 "stay.yaml: in normal form already\n");
	ck_assert_str_eq(folder_read("stay.yaml", &arena).at, first.at);
	end(&arena, 2);
}
END_TEST

START_TEST(test_a_comment_without_a_place_is_not_lost_silently)
{
	static const char lost[] = "saga: lost\n"
				   "version: 1.0.0\n"
				   "steps: [\n"
				   "  { look: { kind: readonly, call: shop.look } },\n"
				   "  # more to come\n"
				   "]\n";
	struct arena arena = {0};
	struct process_result result;

	begin();
	folder_write("lost.yaml", lost);
	result = RUN(&arena, "fmt", "-w", "lost.yaml", "stay.yaml");
	ck_assert_int_eq(result.exit_code, 1);
	contains(result.errs, "lost.yaml:5: this comment has no place");
	contains(result.errs, "--force");
	ck_assert_str_eq(folder_read("lost.yaml", &arena).at, lost);
	ck_assert_str_eq(result.out.at, "stay.yaml: rewritten\n");
	result = RUN(&arena, "fmt", "-w", "--force", "lost.yaml");
	ck_assert_int_eq(result.exit_code, 0);
	ck_assert_ptr_null(strstr(folder_read("lost.yaml", &arena).at, "more to come"));
	end(&arena, 3);
}
END_TEST

START_TEST(test_a_link_is_not_replaced)
{
	struct arena arena = {0};
	struct process_result result;
	struct stat state;

	begin();
	ck_assert_int_eq(symlink("stay.yaml", "link.yaml"), 0);
	result = RUN(&arena, "fmt", "-w", "link.yaml");
	ck_assert_int_eq(result.exit_code, 1);
	contains(result.errs, "symbolic link");
	ck_assert_int_eq(lstat("link.yaml", &state), 0);
	ck_assert(S_ISLNK(state.st_mode));
	ck_assert_str_eq(folder_read("stay.yaml", &arena).at, commented);
	end(&arena, 3);
}
END_TEST

/* YAML drops the blank behind the odd line break of this name, and with it the
 * schema is not found: what would be written is not what was there. */
START_TEST(test_what_would_be_another_saga_is_not_written)
{
	static const char odd[] = "saga: odd\n"
				  "version: 1.0.0\n"
				  "input: { schema: \"a\\u2028 b\" }\n"
				  "steps: [{ look: { kind: readonly, call: shop.look } }]\n";
	struct arena arena = {0};
	struct process_result result;

	begin();
	folder_write("a\xe2\x80\xa8 b", schema);
	folder_write("odd.yaml", odd);
	result = RUN(&arena, "fmt", "-w", "odd.yaml");
	ck_assert_int_eq(result.exit_code, 1);
	contains(result.errs, "odd.yaml: in normal form this file would be another saga");
	ck_assert_str_eq(folder_read("odd.yaml", &arena).at, odd);
	end(&arena, 4);
}
END_TEST

/* A draft that cannot take the file's place does not stay. */
START_TEST(test_a_file_that_cannot_be_replaced)
{
	struct arena arena = {0};
	struct file_draft draft;
	struct diag diag = {""};

	begin();
	ck_assert_int_eq(file_draft("stay.yaml", SLICE_LITERAL("new"), &arena, &draft, &diag),
			 OK);
	ck_assert_uint_eq(folder_count(), 3);
	ck_assert_int_eq(unlink("stay.yaml"), 0);
	ck_assert_int_eq(mkdir("stay.yaml", 0700), 0);
	ck_assert_int_eq(file_draft_accept(&draft, &diag), ERR_IO);
	contains(slice_of(diag.text), "stay.yaml: cannot replace it: ");
	ck_assert_int_eq(file_draft("stay.yaml", SLICE_LITERAL("new"), &arena, &draft, &diag),
			 ERR_INVALID);
	ck_assert_int_eq(rmdir("stay.yaml"), 0);
	ck_assert_int_eq(file_draft("stay.yaml", SLICE_LITERAL("new"), &arena, &draft, &diag),
			 ERR_NOT_FOUND);
	end(&arena, 1);
}
END_TEST

START_TEST(test_a_bad_file_stays_as_it_is)
{
	static const char bad[] = "saga: bad\nversion: 1\n";
	struct arena arena = {0};
	struct process_result result;

	begin();
	folder_write("bad.yaml", bad);
	result = RUN(&arena, "fmt", "-w", "bad.yaml");
	ck_assert_int_eq(result.exit_code, 1);
	contains(result.errs, "bad.yaml:2:10: error: ");
	ck_assert_str_eq(folder_read("bad.yaml", &arena).at, bad);
	end(&arena, 3);
}
END_TEST

START_TEST(test_what_was_written_as_json)
{
	struct arena arena = {0};
	struct process_result result;

	begin();
	result = RUN(&arena, "fmt", "--json", "-w", "stay.yaml");
	contains(result.out,
		 "{\"file\":\"stay.yaml\",\"saga\":\"stay\",\"version\":\"1.0.0\",\"hash\":\"");
	contains(result.out, "\",\"written\":true}\n");
	result = RUN(&arena, "fmt", "--json", "-w", "stay.yaml");
	contains(result.out, "\",\"written\":false}\n");
	end(&arena, 2);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_normal_form_is_its_own);
	tcase_add_test(tcase, test_the_hash_is_of_the_normal_form);
	tcase_add_test(tcase, test_writing_keeps_comments_schema_and_mode);
	tcase_add_test(tcase, test_writing_again_changes_nothing);
	tcase_add_test(tcase, test_a_comment_without_a_place_is_not_lost_silently);
	tcase_add_test(tcase, test_a_link_is_not_replaced);
	tcase_add_test(tcase, test_what_would_be_another_saga_is_not_written);
	tcase_add_test(tcase, test_a_file_that_cannot_be_replaced);
	tcase_add_test(tcase, test_a_bad_file_stays_as_it_is);
	tcase_add_test(tcase, test_what_was_written_as_json);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	return suite_run("fmt", add);
}
