/* test_timeline.c - entries to bytes and back, folding, and damaged bytes. */
#include "orchestrator/core/timeline.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/saga_values.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

enum { ORIGIN_MS = 1000, MAX = 16 << 20 };

static const char long_text[ENTRY_DETAIL_MAX] = {
	[0] = 'x', [ENTRY_ACTOR_MAX - 1] = 'y', [ENTRY_DETAIL_MAX - 1] = 'z'};

static const struct row {
	const char *name;
	struct entry entry;
	size_t len; /* of its bytes */
} rows[] = {
	{"the start", {.type = ENTRY_STARTED, .at_ms = ORIGIN_MS, .step = NO_STEP}, 2},
	{"the start by somebody",
	 {.type = ENTRY_STARTED,
	  .at_ms = ORIGIN_MS,
	  .step = NO_STEP,
	  .actor = SLICE_LITERAL("alice")},
	 9},
	{"a first attempt of the first step",
	 {.type = ENTRY_SENT, .at_ms = ORIGIN_MS + 40, .step = 0, .attempt = 1},
	 4},
	{"an undo of the last step that there can be",
	 {.type = ENTRY_SENT,
	  .at_ms = ORIGIN_MS + 20000,
	  .step = STEPS_MAX - 1,
	  .verb = VERB_UNDO,
	  .attempt = 1},
	 8},
	{"the last attempt that there can be",
	 {.type = ENTRY_TIMEOUT,
	  .at_ms = ORIGIN_MS,
	  .step = 3,
	  .verb = VERB_REVOKE,
	  .attempt = UINT32_MAX},
	 9},
	{"a detail and an actor",
	 {.type = ENTRY_OPERATION,
	  .at_ms = ORIGIN_MS,
	  .step = NO_STEP,
	  .detail = SLICE_LITERAL("cancel"),
	  .actor = SLICE_LITERAL("bob")},
	 14},
	{"the longest detail",
	 {.type = ENTRY_ERROR, .step = 1, .detail = {long_text, ENTRY_DETAIL_MAX}},
	 7 + ENTRY_DETAIL_MAX},
	{"the longest actor",
	 {.type = ENTRY_OPERATION, .step = NO_STEP, .actor = {long_text, ENTRY_ACTOR_MAX}},
	 6 + ENTRY_ACTOR_MAX},
	{"the end of time", {.type = ENTRY_ENDED, .at_ms = INT64_MAX, .step = NO_STEP}, 11},
	{"the beginning of time",
	 {.type = ENTRY_ENDED, .at_ms = INT64_MIN, .step = NO_STEP},
	 11},
};

static bool same_entry(const struct entry *a, const struct entry *b)
{
	return a->at_ms == b->at_ms && a->type == b->type && a->step == b->step &&
	       a->verb == b->verb && a->attempt == b->attempt &&
	       slice_equal(a->detail, b->detail) && slice_equal(a->actor, b->actor);
}

static struct timeline read_bytes(const struct bytes *bytes)
{
	struct timeline timeline;
	struct diag diag = {""};
	enum err err = timeline_read(bytes_slice(bytes), &timeline, &diag);

	ck_assert_int_eq(bytes->err, OK);
	ck_assert_msg(err == OK, "%s", diag.text);
	return timeline;
}

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct bytes bytes = BYTES(MAX, NULL);
	struct timeline timeline;
	struct timeline_each each;
	size_t header;

	timeline_begin(&bytes, ORIGIN_MS);
	header = bytes.len;
	timeline_append(&bytes, ORIGIN_MS, &row->entry);
	ck_assert_msg(bytes.len - header == row->len, "%s: %zu bytes", row->name,
		      bytes.len - header);
	timeline = read_bytes(&bytes);
	ck_assert_uint_eq(timeline.n_entries, 1);
	ck_assert_uint_eq(timeline.n_folded, 0);
	ck_assert_int_eq(timeline.origin_ms, ORIGIN_MS);
	each = timeline_each(&timeline);
	ck_assert(timeline_next(&each));
	ck_assert_msg(same_entry(&each.entry, &row->entry), "%s", row->name);
	ck_assert(!timeline_next(&each));
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_all_in_order)
{
	struct bytes bytes = BYTES(MAX, NULL);
	struct timeline timeline;
	struct timeline_each each;
	int n = 0;

	timeline_begin(&bytes, ORIGIN_MS);
	for (int i = 0; i < ROWS(rows); i++)
		timeline_append(&bytes, ORIGIN_MS, &rows[i].entry);
	timeline = read_bytes(&bytes);
	for (each = timeline_each(&timeline); timeline_next(&each); n++)
		ck_assert_msg(same_entry(&each.entry, &rows[n].entry), "%s", rows[n].name);
	ck_assert_int_eq(n, ROWS(rows));
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_all_types_and_verbs)
{
	for (unsigned type = ENTRY_STARTED; type <= ENTRY_ENDED; type++) {
		for (unsigned verb = VERB_DO; verb <= VERB_REVOKE; verb++) {
			struct entry entry = {.type = (enum entry_type)type,
					      .verb = (enum verb)verb};
			struct bytes bytes = BYTES(MAX, NULL);
			struct timeline timeline;
			struct timeline_each each;

			timeline_begin(&bytes, 0);
			timeline_append(&bytes, 0, &entry);
			timeline = read_bytes(&bytes);
			each = timeline_each(&timeline);
			ck_assert(timeline_next(&each) && same_entry(&each.entry, &entry));
			bytes_release(&bytes);
		}
	}
}
END_TEST

static const struct cut_row {
	const char *name;
	const char *end; /* how the text ends, behind the x that fill it up */
	size_t begins;   /* where that end begins */
	size_t kept;
} cut_rows[] = {
	{"just as long as it may be", "", ENTRY_DETAIL_MAX, ENTRY_DETAIL_MAX},
	{"one byte too long", "y", ENTRY_DETAIL_MAX, ENTRY_DETAIL_MAX},
	{"a character across the limit", "\xe2\x82\xac", ENTRY_DETAIL_MAX - 1,
	 ENTRY_DETAIL_MAX - 1},
	{"a character that ends two bytes behind it", "\xf0\x9f\x98\x80", ENTRY_DETAIL_MAX - 2,
	 ENTRY_DETAIL_MAX - 2},
	{"a character that ends at it", "\xe2\x82\xacyy", ENTRY_DETAIL_MAX - 3,
	 ENTRY_DETAIL_MAX},
};

START_TEST(test_long_texts_are_cut_at_a_character)
{
	const struct cut_row *row = &cut_rows[_i];
	struct bytes bytes = BYTES(MAX, NULL);
	char text[ENTRY_DETAIL_MAX + 8];
	struct entry entry = {.detail = {text, row->begins + strlen(row->end)}};
	struct timeline timeline;
	struct timeline_each each;

	memset(text, 'x', sizeof text);
	memcpy(text + row->begins, row->end, strlen(row->end));
	entry.actor = entry.detail;
	timeline_begin(&bytes, 0);
	timeline_append(&bytes, 0, &entry);
	timeline = read_bytes(&bytes);
	each = timeline_each(&timeline);
	ck_assert(timeline_next(&each));
	ck_assert_msg(each.entry.detail.len == row->kept, "%s: %zu", row->name,
		      each.entry.detail.len);
	ck_assert_uint_eq(each.entry.actor.len, ENTRY_ACTOR_MAX);
	bytes_release(&bytes);
}
END_TEST

/* A finished order of five steps: start, sent and ok of each, end. */
START_TEST(test_an_order_is_small)
{
	struct bytes bytes = BYTES(MAX, NULL);

	timeline_begin(&bytes, 1763712000000);
	timeline_append(&bytes, 1763712000000,
			&(struct entry){.at_ms = 1763712000000, .step = NO_STEP});
	for (uint32_t i = 0; i < 10; i++)
		timeline_append(&bytes, 1763712000000,
				&(struct entry){.at_ms = 1763712000000 + i * 400,
						.type = i % 2 ? ENTRY_OK : ENTRY_SENT,
						.step = i / 2,
						.attempt = 1});
	timeline_append(&bytes, 1763712000000,
			&(struct entry){.at_ms = 1763712004000,
					.type = ENTRY_ENDED,
					.step = NO_STEP,
					.detail = SLICE_LITERAL("completed")});
	ck_assert_uint_lt(bytes.len, 90);
	bytes_release(&bytes);
}
END_TEST

/* --- folding ----------------------------------------------------------------------- */

static struct bytes numbered(uint32_t n)
{
	struct bytes bytes = BYTES(MAX, NULL);

	timeline_begin(&bytes, ORIGIN_MS);
	for (uint32_t i = 0; i < n; i++)
		timeline_append(&bytes, ORIGIN_MS,
				&(struct entry){.at_ms = ORIGIN_MS + i * 100,
						.type = i ? ENTRY_SENT : ENTRY_STARTED,
						.step = NO_STEP,
						.attempt = i});
	return bytes;
}

static const struct fold_row {
	const char *name;
	uint32_t n, keep;
	uint32_t kept, folded;
} fold_rows[] = {
	{"an empty timeline", 0, 5, 0, 0},
	{"fewer than are kept", 4, 5, 4, 0},
	{"as many as are kept", 5, 5, 5, 0},
	{"one more than are kept", 6, 5, 5, 1},
	{"many more than are kept", 5000, TIMELINE_MAX, TIMELINE_MAX, 3000},
	{"all but the first", 10, 1, 1, 9},
	{"one alone", 1, 1, 1, 0},
};

START_TEST(test_fold)
{
	const struct fold_row *row = &fold_rows[_i];
	struct bytes bytes = numbered(row->n);
	struct bytes folded = BYTES(MAX, NULL);
	struct timeline timeline = read_bytes(&bytes);
	struct timeline_each each;
	uint32_t n = 0;

	timeline_fold(&timeline, row->keep, &folded);
	timeline = read_bytes(&folded);
	ck_assert_msg(timeline.n_entries == row->kept, "%s: %u kept", row->name,
		      timeline.n_entries);
	ck_assert_msg(timeline.n_folded == row->folded, "%s: %d folded", row->name,
		      (int)timeline.n_folded);
	ck_assert_int_eq(timeline.origin_ms, ORIGIN_MS);
	for (each = timeline_each(&timeline); timeline_next(&each); n++)
		ck_assert_msg(each.entry.attempt == (n ? n + row->folded : 0), "%s: entry %u",
			      row->name, n);
	ck_assert_uint_eq(n, row->kept);
	bytes_release(&folded);
	bytes_release(&bytes);
}
END_TEST

/* One at a time gives the same as all at once. */
START_TEST(test_fold_again_and_again)
{
	struct bytes all = numbered(300);
	struct bytes at_once = BYTES(MAX, NULL);
	struct bytes bytes = numbered(1);
	struct timeline timeline = read_bytes(&all);

	timeline_fold(&timeline, 10, &at_once);
	for (uint32_t i = 1; i < 300; i++) {
		struct bytes folded = BYTES(MAX, NULL);

		timeline_append(&bytes, ORIGIN_MS,
				&(struct entry){.at_ms = ORIGIN_MS + i * 100,
						.type = ENTRY_SENT,
						.step = NO_STEP,
						.attempt = i});
		timeline = read_bytes(&bytes);
		timeline_fold(&timeline, 10, &folded);
		bytes_release(&bytes);
		bytes = folded;
	}
	ck_assert(slice_equal(bytes_slice(&bytes), bytes_slice(&at_once)));
	bytes_release(&bytes);
	bytes_release(&at_once);
	bytes_release(&all);
}
END_TEST

/* --- bytes that are no timeline ------------------------------------------------------ */

#define HEADER "\1\0\0"

static const struct bad_row {
	const char *name;
	struct slice bytes;
	const char *says; /* NULL: it is right */
} bad_rows[] = {
	{"no entries", SLICE_LITERAL(HEADER), NULL},
	{"an entry", SLICE_LITERAL(HEADER "\0\0"), NULL},
	{"no bytes", {NULL, 0}, "format is cut off"},
	{"format zero", SLICE_LITERAL("\0\0\0"), "format is zero"},
	{"a format in two bytes that needs one", SLICE_LITERAL("\x81\0\0\0"),
	 "longer than it needs"},
	{"no count", SLICE_LITERAL("\1"), "folded entries is cut off"},
	{"a count of 64 bits", SLICE_LITERAL("\1\x80\x80\x80\x80\x80\x80\x80\x80\x80\1\0\0\0"),
	 "folded entries is out of range"},
	{"a count without a first entry", SLICE_LITERAL("\1\2\0"), "first entry is missing"},
	{"no origin", SLICE_LITERAL("\1\0"), "origin is cut off"},
	{"an unknown type", SLICE_LITERAL(HEADER "\x15\0"), "head of an entry"},
	{"an unknown verb", SLICE_LITERAL(HEADER "\x80\3\0"), "head of an entry"},
	{"a bit of the head that means nothing", SLICE_LITERAL(HEADER "\x80\x10\0"),
	 "head of an entry"},
	{"no time", SLICE_LITERAL(HEADER "\0"), "time of an entry is cut off"},
	{"a step that there cannot be", SLICE_LITERAL(HEADER "\x20\0\x80\x20"),
	 "step of an entry is out of range"},
	{"attempt zero", SLICE_LITERAL(HEADER "\x40\0\0"), "attempt of an entry is zero"},
	{"an attempt of 33 bits", SLICE_LITERAL(HEADER "\x40\0\x80\x80\x80\x80\x10"),
	 "attempt of an entry is out of range"},
	{"an empty detail", SLICE_LITERAL(HEADER "\x80\4\0\0"), "detail of an entry is empty"},
	{"a detail beyond the end", SLICE_LITERAL(HEADER "\x80\4\0\2x"),
	 "detail of an entry is cut off"},
	{"a detail over the limit", SLICE_LITERAL(HEADER "\x80\4\0\x81\x08x"),
	 "detail of an entry is out of range"},
	{"an empty actor", SLICE_LITERAL(HEADER "\x80\x08\0\0"), "actor of an entry is empty"},
	{"an actor over the limit", SLICE_LITERAL(HEADER "\x80\x08\0\x81\2x"),
	 "actor of an entry is out of range"},
};

START_TEST(test_bad)
{
	const struct bad_row *row = &bad_rows[_i];
	struct timeline timeline = {.n_entries = 77};
	struct diag diag = {""};
	enum err err = timeline_read(row->bytes, &timeline, &diag);

	if (!row->says) {
		ck_assert_msg(err == OK, "%s: %s", row->name, diag.text);
		return;
	}
	ck_assert_msg(err == ERR_CORRUPT, "%s: %s", row->name, err_text(err));
	ck_assert_msg(strstr(diag.text, row->says) != NULL, "%s: %s", row->name, diag.text);
	ck_assert(strstr(diag.text, "restore"));
	ck_assert_uint_eq(timeline.n_entries, 77);
}
END_TEST

START_TEST(test_a_newer_format_is_named)
{
	struct timeline timeline;
	struct diag diag;

	ck_assert_int_eq(timeline_read(SLICE_LITERAL("\2"), &timeline, &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text, "the timeline is in format 2, of a newer skald; this one "
				    "reads formats up to 1: run the newer one");
}
END_TEST

START_TEST(test_too_many_bytes)
{
	size_t len = (size_t)TIMELINE_BYTES_MAX + 1;
	char *bytes = calloc(1, len);
	struct timeline timeline;
	struct diag diag;

	ck_assert_ptr_nonnull(bytes);
	memcpy(bytes, HEADER, 3);
	ck_assert_int_eq(timeline_read((struct slice){bytes, len - 2}, &timeline, &diag), OK);
	ck_assert_int_eq(timeline_read((struct slice){bytes, len}, &timeline, &diag),
			 ERR_CORRUPT);
	ck_assert(strstr(diag.text, "at most"));
	free(bytes);
}
END_TEST

/* Read bytes that may be anything, in a block of exactly their size; where they
 * are a timeline, writing it again gives these very bytes. */
static void try_bytes(struct slice bytes)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);
	struct bytes again = BYTES(MAX, NULL);
	struct timeline timeline;
	struct diag diag = {""};

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes.at, bytes.len);
	if (timeline_read((struct slice){copy, bytes.len}, &timeline, &diag)) {
		ck_assert_int_ne(diag.text[0], '\0');
	} else {
		struct timeline_each each;

		timeline_fold(&timeline, UINT32_MAX, &again);
		ck_assert(slice_equal(bytes_slice(&again), bytes));
		again.len -= timeline.entries.len;
		for (each = timeline_each(&timeline); timeline_next(&each);)
			timeline_append(&again, timeline.origin_ms, &each.entry);
		ck_assert(slice_equal(bytes_slice(&again), bytes));
	}
	bytes_release(&again);
	free(copy);
}

START_TEST(test_every_truncation_and_wrong_byte)
{
	struct bytes bytes = BYTES(MAX, NULL);
	uint64_t state = 1;

	timeline_begin(&bytes, ORIGIN_MS);
	for (int i = 0; i < 6; i++)
		timeline_append(&bytes, ORIGIN_MS, &rows[i].entry);
	for (size_t len = 0; len < bytes.len; len++)
		try_bytes((struct slice){bytes.at, len});
	for (size_t i = 0; i < bytes.len; i++) {
		char right = bytes.at[i];

		for (int value = 0; value < 256; value++) {
			bytes.at[i] = (char)value;
			try_bytes(bytes_slice(&bytes));
		}
		bytes.at[i] = right;
	}
	for (int n = 0; n < 20000; n++) {
		bytes.at[next_random(&state) % bytes.len] = (char)next_random(&state);
		try_bytes(bytes_slice(&bytes));
	}
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_no_memory)
{
	struct bytes bytes = BYTES(MAX, NULL);

	fail_malloc_at(0);
	timeline_begin(&bytes, 0);
	timeline_append(&bytes, 0, &rows[0].entry);
	ck_assert(fail_malloc_off());
	ck_assert_int_eq(bytes.err, ERR_NOMEM);
	bytes_release(&bytes);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_all_in_order);
	tcase_add_test(tcase, test_all_types_and_verbs);
	tcase_add_loop_test(tcase, test_long_texts_are_cut_at_a_character, 0, ROWS(cut_rows));
	tcase_add_test(tcase, test_an_order_is_small);
	tcase_add_loop_test(tcase, test_fold, 0, ROWS(fold_rows));
	tcase_add_test(tcase, test_fold_again_and_again);
	tcase_add_loop_test(tcase, test_bad, 0, ROWS(bad_rows));
	tcase_add_test(tcase, test_a_newer_format_is_named);
	tcase_add_test(tcase, test_too_many_bytes);
	tcase_add_test(tcase, test_every_truncation_and_wrong_byte);
	tcase_add_test(tcase, test_no_memory);
}

int main(void)
{
	return suite_run("timeline", add);
}
