/* test_store_document.c - what people read of a saga in MongoDB, which queries may rely on:
 * docs/decisions/0007 */
#include "base/bytes.h"
#include "orchestrator/core/timeline.h"
#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/record.h"
#include "tests/lib/office.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static struct office office;

/* The saga "line-1" as the engine stored it, to be written. */
static struct saga_write stored(void)
{
	struct saga_write write = {.definition = office.line,
				   .saga = office_stored(&office, "line-1")};

	ck_assert_int_eq(store_get(office.store, slice_of("line-1"), &office.arena, &write.row,
				   &write.record),
			 OK);
	return write;
}

static const char *text_of(const struct saga_write *write)
{
	const struct document_marks marks = {.epoch = 3, .member = 4, .batch = 5};
	bson_t document = BSON_INITIALIZER;
	static struct slice copy;
	char *json;

	document_insert(&document, write, &marks);
	json = bson_as_relaxed_extended_json(&document, NULL);
	ck_assert(arena_copy(&office.arena, slice_of(json), &copy));
	bson_free(json);
	bson_destroy(&document);
	return copy.at;
}

static void check_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no `%s` in %s", part, text);
}

START_TEST(test_steps_and_timeline_are_there_to_read)
{
	struct saga_write write;
	const char *text;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	office_turn(&office);
	office_answer(&office, DESK, "line-1/a#0/0/do", 1, MESSAGE_FAILED, "");
	office_turn(&office);
	write = stored();
	text = text_of(&write);
	check_has(text, "\"_id\" : \"line-1\", \"saga\" : \"line\"");
	check_has(text, "\"status\" : \"running\", \"paused\" : false, \"step\" : \"a\"");
	check_has(text, "\"steps\" : { \"a\" : { \"state\" : \"backoff\", \"verb\" : \"do\", "
			"\"attempt\" : 1, \"started_at\" : { \"$date\" : "
			"\"2023-11-14T22:13:20Z\" }, \"error\" : \"failed: \" }, "
			"\"w\" : { \"state\" : \"waiting\" }, ");
	check_has(text, "\"timeline\" : [ { \"at\" : { \"$date\" : \"2023-11-14T22:13:20Z\" }, "
			"\"what\" : \"the saga starts\" }, ");
	check_has(text, "\"what\" : \"a: do sent (attempt 1)\" }, ");
	check_has(text, "\"what\" : \"a: do answered failed (attempt 1)\" } ], ");
	check_has(text, "\"epoch\" : 3, \"write\" : 0, \"member\" : 4, \"batch\" : 5, ");
	office_close(&office);
}
END_TEST

/* So that a document does not grow for ever. */
START_TEST(test_the_newest_of_a_long_timeline)
{
	struct bytes timeline = BYTES(1 << 20, NULL), record = BYTES(1 << 20, NULL);
	static const uint8_t hash[SHA256_SIZE];
	struct saga_write write;
	const char *text;
	int n = 0;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	office_turn(&office);
	write = stored();
	timeline_begin(&timeline, 0);
	for (int i = 1; i <= DOCUMENT_TIMELINE_MAX + 7; i++) {
		struct entry entry = {.at_ms = i, .type = ENTRY_OPERATION, .step = NO_STEP};
		char detail[32];

		snprintf(detail, sizeof detail, "pause: no. %d.", i);
		entry.detail = slice_of(detail);
		timeline_append(&timeline, 0, &entry);
	}
	record_write(&record, write.saga, hash, bytes_slice(&timeline));
	write.record = bytes_slice(&record);
	text = text_of(&write);
	for (const char *at = text; (at = strstr(at, "pause: no. ")) != NULL; at++)
		n++;
	ck_assert_int_eq(n, DOCUMENT_TIMELINE_MAX);
	check_has(text, "no. 8.");
	check_has(text, "no. 107.");
	ck_assert_ptr_null(strstr(text, "no. 7."));
	bytes_release(&record);
	bytes_release(&timeline);
	office_close(&office);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_steps_and_timeline_are_there_to_read);
	tcase_add_test(tcase, test_the_newest_of_a_long_timeline);
}

int main(void)
{
	return suite_run("store_document", add);
}
