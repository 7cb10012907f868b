/* test_codec.c - sagas to bytes and back; bytes that are no saga. */
#include "base/crc32c.h"
#include "base/pack.h"
#include "orchestrator/core/codec.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/saga_values.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

static const struct golden {
	const char *path;
	const struct saga *saga;
} goldens[] = {
	{"tests/golden/saga-v1.hex", &rich_saga},
	{"tests/golden/saga-v2.hex", &elements_saga},
};

enum {
	CHECKSUM_SIZE = 4,
	BODY = 1 + SHA256_SIZE, /* where it begins */
	SEEDS_PER_TEST = 50,
};

static struct bytes encoded(const struct saga *saga)
{
	struct bytes bytes = BYTES(SAGA_BYTES_MAX, NULL);

	ck_assert_int_eq(saga_encode(saga, rich_hash, &bytes), OK);
	return bytes;
}

/* In a block of exactly that size, so that a read beyond it is seen. */
static char *exact(struct slice bytes)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);

	ck_assert_ptr_nonnull(copy);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	return copy;
}

static void mend_checksum(char *bytes, size_t len)
{
	uint32_t checksum = crc32c((struct slice){bytes, len - CHECKSUM_SIZE});

	for (size_t i = 0; i < CHECKSUM_SIZE; i++)
		bytes[len - CHECKSUM_SIZE + i] = (char)(checksum >> (8 * i));
}

static void assert_round_trip(const char *name, const struct saga *saga)
{
	struct bytes bytes = encoded(saga);
	char *copy = exact(bytes_slice(&bytes));
	uint8_t hash[SHA256_SIZE] = {0};
	struct arena arena = {0};
	struct diag diag = {""};
	struct bytes again;
	struct saga out;
	const char *difference;
	enum err err;

	err = saga_decode((struct slice){copy, bytes.len}, &arena, &out, hash, &diag);
	ck_assert_msg(err == OK, "%s: %s", name, diag.text);
	difference = saga_difference(saga, &out);
	ck_assert_msg(!difference, "%s: %s is another", name, difference ? difference : "");
	ck_assert_mem_eq(hash, rich_hash, SHA256_SIZE);
	again = encoded(&out);
	ck_assert_msg(slice_equal(bytes_slice(&again), bytes_slice(&bytes)),
		      "%s: other bytes the second time", name);
	bytes_release(&again);
	arena_release(&arena);
	free(copy);
	bytes_release(&bytes);
}

/* --- sagas ----------------------------------------------------------------------- */

#define ID .id = SLICE_LITERAL("a"), .revision = 1, .failure_step = NO_STEP

static struct step no_error_steps[] = {
	{.state = STEP_DONE, .error = &(struct error){{0}, {0}}}};
static const struct signal empty_signals[] = {{{0}, {0}, {0}, false}, {{0}, {0}, {0}, true}};

static const struct row {
	const char *name;
	struct saga saga;
} rows[] = {
	{"nothing but an id", {ID}},
	{"the longest id",
	 {.id = SLICE_LITERAL(
		  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"),
	  .revision = 1,
	  .failure_step = NO_STEP}},
	{"the largest numbers",
	 {.id = SLICE_LITERAL("a"),
	  .revision = UINT64_MAX,
	  .failure_step = NO_STEP,
	  .started_ms = INT64_MAX,
	  .updated_ms = INT64_MIN,
	  .ended_ms = INT64_MIN + 1,
	  .deadline_ms = INT64_MAX}},
	{"a time before the start", {ID, .started_ms = 5, .updated_ms = 1, .ended_ms = -7}},
	{"an error without code and message", {ID, .failure = &(struct error){{0}, {0}}}},
	{"a failure of a step without an error",
	 {.id = SLICE_LITERAL("a"),
	  .revision = 1,
	  .failure_step = 0,
	  .steps = no_error_steps,
	  .n_steps = 1}},
	{"a step's error without code and message",
	 {ID, .steps = no_error_steps, .n_steps = 1}},
	{"signals without anything", {ID, .signals = empty_signals, .n_signals = 2}},
	{"a completed order",
	 {ID, .phase = PHASE_COMPLETED, .output = SLICE_LITERAL("{\"total\":19.99}")}},
	{"a saga that was killed while it was paused",
	 {ID, .phase = PHASE_KILLED, .flags = SAGA_PAUSED}},
};

START_TEST(test_row)
{
	assert_round_trip(rows[_i].name, &rows[_i].saga);
}
END_TEST

START_TEST(test_rich_and_order)
{
	assert_round_trip("rich", &rich_saga);
	assert_round_trip("order", &order_saga);
}
END_TEST

/* Every state, verb, reason and flag of a step. */
START_TEST(test_all_states)
{
	for (unsigned verb = VERB_DO; verb <= VERB_REVOKE; verb++) {
		for (unsigned why = WHY_NOTHING; why <= WHY_TIMEOUT; why++) {
			struct step steps[32];

			for (unsigned flags = 0; flags < 32; flags++)
				steps[flags] = (struct step){.state = (uint8_t)_i,
							     .verb = (uint8_t)verb,
							     .why = (uint8_t)why,
							     .flags = (uint8_t)flags};
			assert_round_trip(step_state_text((enum step_state)_i),
					  &(struct saga){ID, .steps = steps, .n_steps = 32});
		}
	}
}
END_TEST

START_TEST(test_all_phases)
{
	for (unsigned flags = 0; flags < SAGA_REVERSED << 1; flags++)
		assert_round_trip(
			phase_text((enum phase)_i),
			&(struct saga){ID, .phase = (uint8_t)_i, .flags = (uint8_t)flags});
}
END_TEST

START_TEST(test_most_steps_and_signals)
{
	static struct step steps[STEPS_MAX];
	static struct signal signals[SIGNALS_MAX];

	for (uint32_t i = 0; i < STEPS_MAX; i++)
		steps[i].attempt = i;
	for (uint32_t i = 0; i < SIGNALS_MAX; i++)
		signals[i].used = i % 2;
	assert_round_trip("full", &(struct saga){ID, .steps = steps, .n_steps = STEPS_MAX,
						 .signals = signals, .n_signals = SIGNALS_MAX});
}
END_TEST

START_TEST(test_seeds)
{
	struct arena arena = {0};
	char name[32];

	for (int i = 0; i < SEEDS_PER_TEST; i++) {
		uint64_t seed = (uint64_t)_i * SEEDS_PER_TEST + (uint64_t)i;

		snprintf(name, sizeof name, "seed %d", (int)seed);
		assert_round_trip(name, seeded_saga(seed, &arena));
		arena_reset(&arena);
	}
	arena_release(&arena);
}
END_TEST

START_TEST(test_an_order_is_small)
{
	struct bytes bytes = encoded(&order_saga);

	ck_assert_uint_lt(bytes.len, 175);
	bytes_release(&bytes);
}
END_TEST

/* The payloads are not copied, and all texts are in the bytes. */
START_TEST(test_texts_are_parts_of_the_bytes)
{
	struct bytes bytes = encoded(&rich_saga);
	uint8_t hash[SHA256_SIZE];
	struct arena arena = {0};
	struct slice texts[8];
	struct saga out;

	ck_assert_int_eq(saga_decode(bytes_slice(&bytes), &arena, &out, hash, NULL), OK);
	texts[0] = out.id;
	texts[1] = out.key;
	texts[2] = out.input;
	texts[3] = out.output;
	texts[4] = out.steps[0].output;
	texts[5] = out.steps[1].error->message;
	texts[6] = out.failure->code;
	texts[7] = out.signals[1].payload;
	for (int i = 0; i < ROWS(texts); i++) {
		ck_assert_uint_gt(texts[i].len, 0);
		ck_assert(texts[i].at >= bytes.at);
		ck_assert(texts[i].at + texts[i].len <= bytes.at + bytes.len);
	}
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_appends)
{
	struct bytes alone = encoded(&order_saga);
	struct bytes bytes = BYTES(SAGA_BYTES_MAX, NULL);

	bytes_text(&bytes, "before");
	ck_assert_int_eq(saga_encode(&order_saga, rich_hash, &bytes), OK);
	ck_assert_uint_eq(bytes.len, 6 + alone.len);
	ck_assert_mem_eq(bytes.at, "before", 6);
	ck_assert_mem_eq(bytes.at + 6, alone.at, alone.len);
	bytes_release(&bytes);
	bytes_release(&alone);
}
END_TEST

/* --- the format does not change silently ------------------------------------------- */

static size_t read_golden(const char *golden_path, char *out, size_t max)
{
	FILE *file = fopen(golden_path, "r");
	unsigned high = 0;
	size_t n = 0;
	int c;

	ck_assert_msg(file != NULL, "cannot open %s: run from the root of the tree",
		      golden_path);
	while ((c = fgetc(file)) != EOF && n < 2 * max) {
		unsigned digit;

		if (c == ' ' || c == '\n')
			continue;
		digit = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		ck_assert_msg(digit < 16, "%s: %c is no digit", golden_path, c);
		if (n % 2)
			out[n / 2] = (char)(high << 4 | digit);
		high = digit;
		n++;
	}
	fclose(file);
	return n / 2;
}

START_TEST(test_golden)
{
	const char *golden_path = goldens[_i].path;
	struct bytes bytes = encoded(goldens[_i].saga);
	static char golden[4096];
	size_t len = read_golden(golden_path, golden, sizeof golden);
	uint8_t hash[SHA256_SIZE];
	struct diag diag = {""};
	struct arena arena = {0};
	const char *difference;
	struct saga out;

	if (!slice_equal(bytes_slice(&bytes), (struct slice){golden, len})) {
		printf("the saga of tests/lib/saga_values.c is now:\n");
		for (size_t i = 0; i < bytes.len; i++)
			printf("%02x%s", (unsigned char)bytes.at[i],
			       i % 32 == 31 || i + 1 == bytes.len ? "\n" : "");
		fflush(stdout);
		ck_abort_msg("the bytes differ from %s: a new format needs a new SAGA_FORMAT",
			     golden_path);
	}
	ck_assert_msg(saga_decode((struct slice){golden, len}, &arena, &out, hash, &diag) == OK,
		      "%s", diag.text);
	difference = saga_difference(goldens[_i].saga, &out);
	ck_assert_msg(!difference, "%s", difference ? difference : "");
	ck_assert_mem_eq(hash, rich_hash, SHA256_SIZE);
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

/* --- bytes that are no saga -------------------------------------------------------- */

/* A saga of nothing but an id, to be spoilt: what stands behind the hash. */
#define START "\x01\x61" /* the id */

static const struct bad_row {
	const char *name;
	struct slice body;
	const char *says; /* NULL: it is right */
} bad_rows[] = {
	{"nothing is wrong", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\0"), NULL},
	{"more bytes behind the end", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\0\0"),
	 "followed by more"},
	{"no body", SLICE_LITERAL(""), "id is cut off"},
	{"an empty id", SLICE_LITERAL("\0\0\0\1\0\0\0\0\0\0"), "id is none that"},
	{"an id with a separator", SLICE_LITERAL("\1/\0\0\1\0\0\0\0\0\0"), "id is none that"},
	{"an id that is too long", SLICE_LITERAL("\x62\0\0\1\0\0\0\0\0\0"),
	 "id is out of range"},
	{"an id beyond the end", SLICE_LITERAL("\x0c\x61\0\0\1\0\0\0\0\0\0"), "id is cut off"},
	{"an unknown phase", SLICE_LITERAL(START "\5\0\1\0\0\0\0\0\0"), "head of the saga"},
	{"an unknown flag", SLICE_LITERAL(START "\x80\1\0\1\0\0\0\0\0\0"), "head of the saga"},
	{"a bit of the head that means nothing",
	 SLICE_LITERAL(START "\x80\x20\0\1\0\0\0\0\0\0"), "head of the saga"},
	{"a head in two bytes that needs one", SLICE_LITERAL(START "\x80\0\0\1\0\0\0\0\0\0"),
	 "longer than it needs"},
	{"a key that is too long", SLICE_LITERAL(START "\0\x81\2\1\0\0\0\0\0\0"),
	 "key is out of range"},
	{"revision zero", SLICE_LITERAL(START "\0\0\0\0\0\0\0\0\0"), "revision is zero"},
	{"a revision of more than 64 bits",
	 SLICE_LITERAL(START "\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\0\0\0\0\0\0"),
	 "revision is out of range"},
	{"an end that is there and zero", SLICE_LITERAL(START "\x80\2\0\1\0\0\0\0\0\0\0"),
	 "end is zero"},
	{"an end that becomes zero", SLICE_LITERAL(START "\x80\2\0\1\x0a\0\x09\0\0\0\0"),
	 "end is zero"},
	{"a deadline that is there and zero", SLICE_LITERAL(START "\x80\4\0\1\0\0\0\0\0\0\0"),
	 "deadline is zero"},
	{"an input over the limit", SLICE_LITERAL(START "\0\0\1\0\0\x81\x80\x10\0\0\0"),
	 "input is out of range"},
	{"an output beyond the end", SLICE_LITERAL(START "\0\0\1\0\0\0\3\0\0"),
	 "output is cut off"},
	{"too many steps", SLICE_LITERAL(START "\0\0\1\0\0\0\0\x81\2\0"),
	 "number of steps is out of range"},
	{"more steps than bytes", SLICE_LITERAL(START "\0\0\1\0\0\0\0\x80\2"),
	 "head of a step is cut off"},
	{"a step that waits", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\0\0"), NULL},
	{"an unknown state", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x0c\0"), "head of a step"},
	{"an unknown flag of a step", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\4\0"),
	 "head of a step"},
	{"an unknown verb", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x80\x0c\0"),
	 "head of a step"},
	{"an unknown why", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x80\x80\1\0"),
	 "head of a step"},
	{"a bit of a step's head that means nothing",
	 SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x80\x80\x20\0"), "head of a step"},
	{"a start of a step that is zero", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x08\0\0"),
	 "start of a step is zero"},
	{"attempt zero", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x20\0\0"),
	 "attempt is zero"},
	{"an attempt of 33 bits",
	 SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x20\x80\x80\x80\x80\x10\0"),
	 "attempt is out of range"},
	{"an empty output that is there", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x40\0\0"),
	 "output of a step is empty"},
	{"a round of 17 bits",
	 SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x80\x80\4\x80\x80\4\0"),
	 "round is out of range"},
	{"an undo round that is zero",
	 SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x80\x80\x08\0\0"), "round is zero"},
	{"attempts before that are zero",
	 SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x80\x80\x10\0\0"), "before is zero"},
	{"an error that is cut off", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\x80\x80\x80\2\1c"),
	 "message of an error is cut off"},
	{"a failure of a step that there is not",
	 SLICE_LITERAL(START "\x80\x08\0\1\0\0\0\0\1\0\1\0"),
	 "step that failed is out of range"},
	{"a failure of a step in a saga without steps",
	 SLICE_LITERAL(START "\x80\x08\0\1\0\0\0\0\0\0\0"), "step that failed is out of range"},
	{"too many signals", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\x65"),
	 "number of signals is out of range"},
	{"more signals than bytes", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\x64"),
	 "id of a signal is cut off"},
	{"a bit of a signal's head that means nothing",
	 SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\1\0\0\4"), "head of a signal"},
	{"an empty payload that is there", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\1\0\0\2\0"),
	 "payload of a signal is empty"},
};

/* Format 2: behind the signals a parent, and the lists with their elements. */
static const struct bad_row newer_rows[] = {
	{"a parent", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\0\1\x70\0"), NULL},
	{"a parent that is no id", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\0\1\x2f\0"),
	 "parent is no id that a saga can have"},
	{"nothing that needs the newer format", SLICE_LITERAL(START "\0\0\1\0\0\0\0\0\0\0\0"),
	 "is newer than what it holds"},
	{"an element", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\0\0\0\1\0\1\1\1\x31"), NULL},
	{"a list of no elements", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\0\0\0\1\0\1\0"),
	 "number of elements is zero"},
	{"too many elements", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\0\0\0\1\0\1\xe9\x07"),
	 "number of elements is out of range"},
	{"an element that is empty", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\0\0\0\1\0\1\1\0"),
	 "an element is empty"},
	{"a list of no step", SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\0\0\0\1\1\1\1\1\x31"),
	 "step of a list is out of range"},
	{"elements behind all steps",
	 SLICE_LITERAL(START "\0\0\1\0\0\0\0\1\0\0\0\1\0\2\1\1\x31"),
	 "place of elements is out of range"},
};

static void check_bad(const struct bad_row *row, char format)
{
	size_t len = BODY + row->body.len + CHECKSUM_SIZE;
	char *bytes = calloc(1, len);
	struct saga out = {.n_steps = 77};
	uint8_t hash[SHA256_SIZE] = {7};
	struct arena arena = {0};
	struct diag diag = {""};
	enum err err;

	ck_assert_ptr_nonnull(bytes);
	bytes[0] = format;
	memcpy(bytes + BODY, row->body.at, row->body.len);
	mend_checksum(bytes, len);
	err = saga_decode((struct slice){bytes, len}, &arena, &out, hash, &diag);
	if (!row->says) {
		ck_assert_msg(err == OK, "%s: %s", row->name, diag.text);
		assert_round_trip(row->name, &out);
	} else {
		ck_assert_msg(err == ERR_CORRUPT, "%s: %s", row->name, err_text(err));
		ck_assert_msg(strstr(diag.text, row->says) != NULL, "%s: %s", row->name,
			      diag.text);
		ck_assert_msg(strstr(diag.text, "restore") != NULL, "%s", diag.text);
		ck_assert_uint_eq(out.n_steps, 77);
		ck_assert_uint_eq(hash[0], 7);
	}
	arena_release(&arena);
	free(bytes);
}

START_TEST(test_bad)
{
	check_bad(&bad_rows[_i], 1);
}
END_TEST

START_TEST(test_bad_newer)
{
	check_bad(&newer_rows[_i], 2);
}
END_TEST

/* Decode bytes that may be anything; where they are a saga it must have these
 * very bytes. */
static enum err try_bytes(struct slice bytes)
{
	char *copy = exact(bytes);
	struct arena arena = {0};
	struct diag diag = {""};
	uint8_t hash[SHA256_SIZE];
	struct bytes again = BYTES(SAGA_BYTES_MAX, NULL);
	struct saga out;
	enum err err;

	err = saga_decode((struct slice){copy, bytes.len}, &arena, &out, hash, &diag);
	if (err) {
		ck_assert_int_ne(diag.text[0], '\0');
	} else {
		ck_assert_int_eq(saga_encode(&out, hash, &again), OK);
		ck_assert(slice_equal(bytes_slice(&again), bytes));
	}
	bytes_release(&again);
	arena_release(&arena);
	free(copy);
	return err;
}

START_TEST(test_every_truncation)
{
	struct bytes bytes = encoded(&rich_saga);

	for (size_t len = 0; len < bytes.len; len++) {
		ck_assert_int_eq(try_bytes((struct slice){bytes.at, len}), ERR_CORRUPT);
		if (len <= BODY + CHECKSUM_SIZE)
			continue;
		/* And one that the checksum does not give away. */
		char *shorter = exact((struct slice){bytes.at, len});

		mend_checksum(shorter, len);
		ck_assert_int_eq(try_bytes((struct slice){shorter, len}), ERR_CORRUPT);
		free(shorter);
	}
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_every_wrong_byte)
{
	struct bytes bytes = encoded(&rich_saga);
	struct slice whole = bytes_slice(&bytes);
	size_t n_valid = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		char *spoilt = exact(whole);

		for (int value = 0; value < 256; value++) {
			enum err err;

			if ((char)value == bytes.at[i])
				continue;
			spoilt[i] = (char)value;
			err = try_bytes((struct slice){spoilt, whole.len});
			ck_assert_int_eq(err, i == 0 && value > SAGA_FORMAT ? ERR_INVALID
									    : ERR_CORRUPT);
		}
		/* With the right checksum nothing but the contents can be wrong. */
		for (int value = 0; value < 256; value++) {
			spoilt[i] = (char)value;
			mend_checksum(spoilt, whole.len);
			n_valid += !try_bytes((struct slice){spoilt, whole.len});
		}
		free(spoilt);
	}
	ck_assert_uint_gt(n_valid, 256 * SHA256_SIZE);
	bytes_release(&bytes);
}
END_TEST

/* Several wrong bytes at once, of many sagas. */
START_TEST(test_random_damage)
{
	uint64_t state = (uint64_t)_i + 1;
	struct arena arena = {0};

	for (int n = 0; n < 30; n++) {
		struct bytes bytes = encoded(seeded_saga(next_random(&state), &arena));

		for (int m = 0; m < 100; m++) {
			char *spoilt = exact(bytes_slice(&bytes));
			uint64_t changes = 1 + next_random(&state) % 4;

			while (changes--)
				spoilt[BODY + next_random(&state) % (bytes.len - BODY)] =
					(char)next_random(&state);
			mend_checksum(spoilt, bytes.len);
			try_bytes((struct slice){spoilt, bytes.len});
			free(spoilt);
		}
		bytes_release(&bytes);
		arena_reset(&arena);
	}
	arena_release(&arena);
}
END_TEST

START_TEST(test_a_newer_format_is_named)
{
	struct bytes bytes = encoded(&order_saga);
	struct arena arena = {0};
	uint8_t hash[SHA256_SIZE];
	struct diag diag;
	struct saga out;

	bytes.at[0] = 9;
	ck_assert_int_eq(saga_decode(bytes_slice(&bytes), &arena, &out, hash, &diag),
			 ERR_INVALID);
	ck_assert_str_eq(diag.text, "the saga is in format 9, of a newer skald; this one reads "
				    "formats up to 2: run the newer one");
	bytes_release(&bytes);
	arena_release(&arena);
}
END_TEST

/* --- limits and memory ------------------------------------------------------------- */

static enum err encode_into(const struct saga *saga, size_t max)
{
	struct bytes bytes = BYTES(max, NULL);
	enum err err = saga_encode(saga, rich_hash, &bytes);

	ck_assert_int_eq(err, bytes.err);
	bytes_release(&bytes);
	return err;
}

START_TEST(test_what_is_over_a_limit)
{
	static char large[PAYLOAD_MAX + 1];
	struct slice most = {large, PAYLOAD_MAX};
	struct slice more = {large, PAYLOAD_MAX + 1};
	struct error error = {{0}, more};
	struct signal signal = {.payload = more};
	struct step step = {.output = more};
	struct step steps[16];

	memset(large, '1', sizeof large);
	assert_round_trip("the largest payload", &(struct saga){ID, .input = most});
	ck_assert_int_eq(encode_into(&(struct saga){ID, .input = more}, SIZE_MAX),
			 ERR_TOO_LARGE);
	ck_assert_int_eq(encode_into(&(struct saga){ID, .failure = &error}, SIZE_MAX),
			 ERR_TOO_LARGE);
	ck_assert_int_eq(
		encode_into(&(struct saga){ID, .steps = &step, .n_steps = 1}, SIZE_MAX),
		ERR_TOO_LARGE);
	ck_assert_int_eq(
		encode_into(&(struct saga){ID, .signals = &signal, .n_signals = 1}, SIZE_MAX),
		ERR_TOO_LARGE);
	assert_round_trip("the longest key", &(struct saga){ID, .key = {large, KEY_MAX}});
	ck_assert_int_eq(encode_into(&(struct saga){ID, .key = {large, KEY_MAX + 1}}, SIZE_MAX),
			 ERR_TOO_LARGE);
	for (int i = 0; i < ROWS(steps); i++)
		steps[i] = (struct step){.output = most};
	ck_assert_int_eq(
		encode_into(&(struct saga){ID, .steps = steps, .n_steps = 15}, SIZE_MAX), OK);
	ck_assert_int_eq(
		encode_into(&(struct saga){ID, .steps = steps, .n_steps = 16}, SIZE_MAX),
		ERR_TOO_LARGE);
	ck_assert_int_eq(encode_into(&order_saga, 100), ERR_TOO_LARGE);
}
END_TEST

START_TEST(test_bytes_over_the_limit_are_not_read)
{
	size_t len = (size_t)SAGA_BYTES_MAX + 1;
	char *bytes = calloc(1, len);
	struct arena arena = {0};
	uint8_t hash[SHA256_SIZE];
	struct diag diag;
	struct saga out;

	ck_assert_ptr_nonnull(bytes);
	bytes[0] = SAGA_FORMAT;
	mend_checksum(bytes, len);
	ck_assert_int_eq(saga_decode((struct slice){bytes, len}, &arena, &out, hash, &diag),
			 ERR_CORRUPT);
	ck_assert_str_eq(diag.text, "the saga's 4194305 bytes are not a saga: restore them "
				    "from a backup");
	free(bytes);
}
END_TEST

START_TEST(test_a_failed_buffer_stays_failed)
{
	struct bytes bytes = BYTES(SAGA_BYTES_MAX, NULL);

	bytes.err = ERR_NOMEM;
	ck_assert_int_eq(saga_encode(&order_saga, rich_hash, &bytes), ERR_NOMEM);
	ck_assert_uint_eq(bytes.len, 0);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	struct bytes whole = encoded(&rich_saga);
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct saga out = {.n_steps = 77};
		struct bytes bytes = BYTES(SAGA_BYTES_MAX, NULL);
		struct arena arena = {0};
		uint8_t hash[SHA256_SIZE];
		enum err encode_err, decode_err;

		fail_malloc_at(n);
		encode_err = saga_encode(&rich_saga, rich_hash, &bytes);
		decode_err = saga_decode(bytes_slice(&whole), &arena, &out, hash, NULL);
		fired = fail_malloc_off();
		ck_assert(encode_err == OK || (fired && encode_err == ERR_NOMEM));
		ck_assert(decode_err == OK || (fired && decode_err == ERR_NOMEM));
		ck_assert((encode_err || decode_err) == fired);
		ck_assert_uint_eq(out.n_steps, decode_err ? 77 : 5);
		arena_release(&arena);
		bytes_release(&bytes);
	}
	bytes_release(&whole);
}
END_TEST

START_TEST(test_an_arena_with_a_limit)
{
	struct bytes whole = encoded(&rich_saga);
	struct arena arena = {.max = 1};
	uint8_t hash[SHA256_SIZE];
	struct diag diag;
	struct saga out;

	ck_assert_int_eq(saga_decode(bytes_slice(&whole), &arena, &out, hash, &diag),
			 ERR_NOMEM);
	ck_assert(strstr(diag.text, "out of memory"));
	arena_release(&arena);
	bytes_release(&whole);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_rich_and_order);
	tcase_add_loop_test(tcase, test_all_states, 0, STEP_STATES);
	tcase_add_loop_test(tcase, test_all_phases, 0, PHASE_KILLED + 1);
	tcase_add_test(tcase, test_most_steps_and_signals);
	tcase_add_loop_test(tcase, test_seeds, 0, 40);
	tcase_add_test(tcase, test_an_order_is_small);
	tcase_add_test(tcase, test_texts_are_parts_of_the_bytes);
	tcase_add_test(tcase, test_appends);
	tcase_add_loop_test(tcase, test_golden, 0, ROWS(goldens));
	tcase_add_loop_test(tcase, test_bad, 0, ROWS(bad_rows));
	tcase_add_loop_test(tcase, test_bad_newer, 0, ROWS(newer_rows));
	tcase_add_test(tcase, test_every_truncation);
	tcase_add_test(tcase, test_every_wrong_byte);
	tcase_add_loop_test(tcase, test_random_damage, 0, 8);
	tcase_add_test(tcase, test_a_newer_format_is_named);
	tcase_add_test(tcase, test_what_is_over_a_limit);
	tcase_add_test(tcase, test_bytes_over_the_limit_are_not_read);
	tcase_add_test(tcase, test_a_failed_buffer_stays_failed);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_an_arena_with_a_limit);
}

int main(void)
{
	return suite_run("codec", add);
}
