/* test_record.c - what a store keeps of a saga: both parts of the record, and the
 * row that is made from them */
#include "orchestrator/store/record.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/saga_values.h"
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

#include <stdlib.h>

enum { SEEDS = 300 };

/* --- the record ------------------------------------------------------------------------- */

START_TEST(test_what_is_written_is_split_again)
{
	static const char timeline[] = "a timeline is any bytes \0\1\377";

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct slice part = {timeline, seed % sizeof timeline}, saga, rest;
		struct arena arena = {0};
		const struct saga *source = seeded_saga(seed, &arena);
		struct bytes record = BYTES(RECORD_BYTES_MAX, &arena);
		struct bytes alone = BYTES(SAGA_BYTES_MAX, &arena);

		bytes_text(&record, "before");
		record_write(&record, source, rich_hash, part);
		ck_assert_int_eq(record.err, OK);
		ck_assert(!memcmp(record.at, "before", 6));
		ck_assert_int_eq(record_split((struct slice){record.at + 6, record.len - 6},
					      &saga, &rest),
				 OK);
		ck_assert_int_eq(saga_encode(source, rich_hash, &alone), OK);
		ck_assert(slice_equal(saga, bytes_slice(&alone)));
		ck_assert(slice_equal(rest, part));
		arena_release(&arena);
	}
}
END_TEST

/* In a block of their own: reading beyond them would be seen. */
static enum err split_copy(struct slice bytes)
{
	char *copy = malloc(bytes.len + !bytes.len);
	struct slice saga = {0}, timeline = {0};
	enum err err;

	ck_assert_ptr_nonnull(copy);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	err = record_split((struct slice){copy, bytes.len}, &saga, &timeline);
	if (!err)
		ck_assert(saga.len > 0 && saga.at > copy && saga.at + saga.len == timeline.at &&
			  timeline.at + timeline.len == copy + bytes.len);
	free(copy);
	return err;
}

START_TEST(test_bytes_that_are_no_record)
{
	struct arena arena = {0};
	struct bytes record = BYTES(RECORD_BYTES_MAX, &arena);
	size_t whole;

	record_write(&record, &order_saga, rich_hash, (struct slice){0});
	whole = record.len;
	for (size_t len = 0; len < whole; len++)
		ck_assert_int_eq(split_copy((struct slice){record.at, len}), ERR_CORRUPT);
	ck_assert_int_eq(split_copy((struct slice){record.at, whole}), OK);
	ck_assert_int_eq(split_copy(SLICE_LITERAL("\0timeline")), ERR_CORRUPT);
	ck_assert_int_eq(
		split_copy(SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
		ERR_CORRUPT);
	arena_release(&arena);
}
END_TEST

START_TEST(test_a_record_that_finds_no_room)
{
	char room[64];
	struct bytes small = {.at = room, .capacity = sizeof room, .max = sizeof room};
	bool fired = true;

	record_write(&small, &rich_saga, rich_hash, (struct slice){0});
	ck_assert_int_eq(small.err, ERR_TOO_LARGE);
	for (size_t n = 0; fired; n++) {
		struct bytes record = BYTES(RECORD_BYTES_MAX, NULL);

		fail_malloc_at(n);
		record_write(&record, &rich_saga, rich_hash, SLICE_LITERAL("timeline"));
		fired = fail_malloc_off();
		ck_assert_int_eq(record.err, fired ? ERR_NOMEM : OK);
		bytes_release(&record);
	}
}
END_TEST

/* --- the row ------------------------------------------------------------------------------ */

static const struct row {
	const char *name;
	const char *definition;
	const char *happenings[8];
	const char *expected; /* status, step, reason */
} rows[] = {
	{"a new saga is at its first step", "a b", {"start"}, "running|a|"},
	{"a running one at the first step that is not settled",
	 "a b:when c",
	 {"start", "a do ok", "b do failed no-line"},
	 "running|b|"},
	{"in a block it is at a step", "p{a | b} c", {"start", "a do ok"}, "running|b|"},
	{"a completed one is nowhere", "a", {"start", "a do ok"}, "completed||"},
	{"turning back it is at the last that is not undone, and says why",
	 "a b c",
	 {"start", "a do ok", "b do ok", "c do refused sold-out"},
	 "compensating|b|sold-out"},
	{"... and then at the one before",
	 "a b c",
	 {"start", "a do ok", "b do ok", "c do refused sold-out", "b undo ok"},
	 "compensating|a|sold-out"},
	{"compensated it still says why",
	 "a b",
	 {"start", "a do ok", "b do refused sold-out", "a undo ok"},
	 "compensated||sold-out"},
	{"cancelled: why is what the operator said, or that it was one",
	 "a b",
	 {"start", "cancel", "a do ok", "a undo ok"},
	 "compensated||an operator cancelled it"},
	{"parked: the step that is, and what it said",
	 "a:pivot b:retriable c:retriable",
	 {"start", "a do ok", "b do refused closed"},
	 "parked|b|closed"},
	{"an event that did not come",
	 "a b:await,for=1000 c",
	 {"start", "a do ok", "+1000 b due"},
	 "compensating|a|the awaited event did not come in time"},
	{"an undone one is under way again",
	 "a b",
	 {"start", "a do ok", "b do ok", "undo"},
	 "compensating|b|an operator undid it"},
	{"killed: why is in the timeline alone", "a b", {"start", "pause", "kill"}, "killed||"},
};

static void check_row(struct transcript *t, const struct row *row, struct slice timeline)
{
	struct bytes text = BYTES(1000, &t->arena);
	struct saga_row got = record_row(t->definition, &t->saga, timeline);

	bytes_text(&text, status_text(got.status));
	bytes_text(&text, "|");
	bytes_append(&text, got.step);
	bytes_text(&text, "|");
	bytes_append(&text, got.reason);
	ck_assert_msg(slice_is(bytes_slice(&text), row->expected), "%s: %.*s (%s)", row->name,
		      SLICE_ARG(bytes_slice(&text)), t->answer);
	ck_assert(slice_equal(got.id, t->saga.id) && slice_equal(got.key, t->saga.key));
	ck_assert(slice_equal(got.saga, t->definition->name));
	ck_assert(slice_equal(got.version, t->definition->version));
	ck_assert_int_eq(got.started_ms, t->saga.started_ms);
	ck_assert_int_eq(got.updated_ms, t->saga.updated_ms);
	ck_assert_int_eq(got.ended_ms, t->saga.ended_ms);
	ck_assert_uint_eq(got.revision, t->saga.revision);
}

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct transcript t;

	transcript_begin(&t, row->definition, NULL, 0);
	for (int i = 0; i < 8 && row->happenings[i]; i++)
		transcript_play(&t, row->happenings[i]);
	check_row(&t, row, (struct slice){0});
	transcript_end(&t);
}
END_TEST

START_TEST(test_a_killed_saga_says_why)
{
	static const struct row row = {.name = "killed",
				       .expected = "killed||the customer is gone"};
	struct entry entries[] = {
		{.type = ENTRY_STARTED, .step = NO_STEP},
		{.type = ENTRY_OPERATION,
		 .step = NO_STEP,
		 .detail = SLICE_LITERAL("pause: wait")},
		{.type = ENTRY_OPERATION,
		 .step = NO_STEP,
		 .detail = SLICE_LITERAL("kill: the customer is gone")},
		{.type = ENTRY_ENDED, .step = NO_STEP, .detail = SLICE_LITERAL("killed")},
	};
	struct transcript t;
	struct bytes timeline = BYTES(TIMELINE_BYTES_MAX, &t.arena);

	transcript_begin(&t, "a", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "kill");
	timeline_begin(&timeline, t.saga.started_ms);
	for (int i = 0; i < ROWS(entries); i++)
		timeline_append(&timeline, t.saga.started_ms, &entries[i]);
	check_row(&t, &row, bytes_slice(&timeline));
	transcript_end(&t);
}
END_TEST

START_TEST(test_paused)
{
	struct slice none = {0};
	struct transcript t;

	transcript_begin(&t, "a", NULL, 0);
	transcript_play(&t, "start");
	ck_assert(!record_row(t.definition, &t.saga, none).paused);
	transcript_play(&t, "pause");
	ck_assert(record_row(t.definition, &t.saga, none).paused);
	transcript_play(&t, "kill");
	ck_assert(!record_row(t.definition, &t.saga, none).paused);
	transcript_end(&t);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_what_is_written_is_split_again);
	tcase_add_test(tcase, test_bytes_that_are_no_record);
	tcase_add_test(tcase, test_a_record_that_finds_no_room);
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_a_killed_saga_says_why);
	tcase_add_test(tcase, test_paused);
}

int main(void)
{
	return suite_run("record", add);
}
