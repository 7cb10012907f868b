/* test_wire.c - messages to bytes and back; bytes that are no message; and that
 * docs/protocol.md shows the very bytes. */
#include "proto/wire.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT SLICE_LITERAL

static const char page_path[] = "docs/protocol.md";

static const struct slice golden_ids[] = {{"order-17/reserve#0/0/do", 23},
					  {"order-18/reserve#0/0/do", 23}};
static const struct record_message golden_records[] = {
	{TEXT("order-17/reserve#0/0/do"), RECORD_UNDONE, 1763715600000},
	{TEXT("order-18/reserve#0/0/do"), RECORD_NONE, 0},
};

/* Every kind of frame, as it is for good: tests/golden/wire/NAME.hex. */
static const struct golden_row {
	const char *name;
	struct frame frame;
} golden_rows[] = {
	{"hello-participant",
	 {.type = FRAME_HELLO, .hello = {1, TEXT("inventory"), 100, TEXT("stock-1")}}},
	{"hello-client", {.type = FRAME_HELLO, .hello = {.version = 1, .name = TEXT("shop")}}},
	{"welcome", {.type = FRAME_WELCOME, .welcome = {1, TEXT("skald 0.1.0")}}},
	{"command-do",
	 {.type = FRAME_COMMAND,
	  .command = {.id = TEXT("order-17/reserve#0/0/do"),
		      .participant = TEXT("inventory"),
		      .command = TEXT("reserve"),
		      .verb = MESSAGE_DO,
		      .saga_id = TEXT("order-17"),
		      .saga = TEXT("order"),
		      .attempt = 2,
		      .first_ms = 1763715600000,
		      .timeout_ms = 5000,
		      .args = TEXT("{\"sku\":\"book\",\"qty\":2}")}}},
	{"command-undo",
	 {.type = FRAME_COMMAND,
	  .command = {.id = TEXT("order-17/reserve#0/0/undo"),
		      .participant = TEXT("inventory"),
		      .command = TEXT("release"),
		      .verb = MESSAGE_UNDO,
		      .do_id = TEXT("order-17/reserve#0/0/do"),
		      .saga_id = TEXT("order-17"),
		      .saga = TEXT("order"),
		      .attempt = 1,
		      .first_ms = 1763715600000,
		      .timeout_ms = 5000,
		      .args = TEXT("{\"reservation\":\"r-9\"}"),
		      .output = TEXT("{\"id\":\"r-9\"}")}}},
	{"command-revoke",
	 {.type = FRAME_COMMAND,
	  .command = {.id = TEXT("order-17/charge#0/0/revoke"),
		      .participant = TEXT("payment"),
		      .verb = MESSAGE_REVOKE,
		      .do_id = TEXT("order-17/charge#0/0/do"),
		      .saga_id = TEXT("order-17"),
		      .saga = TEXT("order"),
		      .attempt = 1,
		      .first_ms = 1763715600000,
		      .timeout_ms = 10000}}},
	{"reply-ok",
	 {.type = FRAME_REPLY,
	  .reply = {.id = TEXT("order-17/reserve#0/0/do"),
		    .attempt = 2,
		    .outcome = MESSAGE_OK,
		    .output = TEXT("{\"id\":\"r-9\"}")}}},
	{"reply-refused",
	 {.type = FRAME_REPLY,
	  .reply = {.id = TEXT("order-17/charge#0/0/do"),
		    .attempt = 1,
		    .outcome = MESSAGE_REFUSED,
		    .code = TEXT("card_declined"),
		    .text = TEXT("the bank says no \xe2\x80\x93 ask the customer")}}},
	{"settled", {.type = FRAME_SETTLED, .settled = 300}},
	{"refuse", {.type = FRAME_REFUSE, .refuse = TEXT("the first frame must be a hello")}},
	{"start",
	 {.type = FRAME_START,
	  .request = 7,
	  .watch = true,
	  .start = {.saga = TEXT("order"),
		    .version = TEXT("1.0.0"),
		    .id = TEXT("order-17"),
		    .key = TEXT("cart-4711"),
		    .input = TEXT("{\"sku\":\"book\",\"qty\":2}"),
		    .actor = TEXT("shop")}}},
	{"signal",
	 {.type = FRAME_SIGNAL,
	  .request = 8,
	  .signal = {.saga_id = TEXT("order-17"),
		     .event = TEXT("parcel-scanned"),
		     .id = TEXT("scan-1"),
		     .payload = TEXT("{\"depot\":3}"),
		     .actor = TEXT("depot")}}},
	{"result-done",
	 {.type = FRAME_RESULT,
	  .request = 7,
	  .result = {.saga_id = TEXT("order-17"), .status = TEXT("running"), .created = true}}},
	{"result-refused",
	 {.type = FRAME_RESULT,
	  .request = 8,
	  .result = {.code = TEXT("not-found"), .text = TEXT("no such saga is under way")}}},
	{"ended", {.type = FRAME_ENDED, .ended = {TEXT("order-17"), TEXT("completed")}}},
	{"hello-newer",
	 {.type = FRAME_HELLO, .hello = {1, TEXT("inventory"), 100, TEXT("stock-1"), 2}}},
	{"welcome-newer", {.type = FRAME_WELCOME, .welcome = {1, TEXT("skald 0.1.0"), 2}}},
	{"inquiry-page",
	 {.type = FRAME_INQUIRY,
	  .inquiry = {.request = 3,
		      .after = TEXT("order-17/reserve#0/0/do"),
		      .since_ms = 1763715600000,
		      .limit = 1000}}},
	{"inquiry-ids",
	 {.type = FRAME_INQUIRY, .inquiry = {.request = 4, .ids = golden_ids, .n_ids = 2}}},
	{"records",
	 {.type = FRAME_RECORDS,
	  .records = {.request = 4,
		      .records = golden_records,
		      .n = 2,
		      .next = TEXT("order-18/reserve#0/0/do"),
		      .kept_ms = 1761123600000}}},
	{"records-trouble",
	 {.type = FRAME_RECORDS,
	  .records = {.request = 5, .trouble = TEXT("the disk is full")}}},
};

/* --- helpers ----------------------------------------------------------------------- */

static struct slice read_file(const char *path, char *room, size_t max)
{
	FILE *file = fopen(path, "r");
	size_t len;

	ck_assert_msg(file != NULL, "cannot open %s: run from the root of the tree", path);
	len = fread(room, 1, max - 1, file);
	ck_assert(!ferror(file) && len < max - 1);
	room[len] = '\0';
	fclose(file);
	return (struct slice){room, len};
}

static struct slice read_golden(const char *name, char *room, size_t max)
{
	char path[128];

	snprintf(path, sizeof path, "tests/golden/wire/%s.hex", name);
	return read_file(path, room, max);
}

/* 16 bytes a line, as in the files. */
static void to_hex(struct slice bytes, char *out)
{
	for (size_t i = 0; i < bytes.len; i++)
		out += snprintf(out, 4, "%02x%s", (unsigned char)bytes.at[i],
				i % 16 == 15 || i + 1 == bytes.len ? "\n" : " ");
}

static size_t from_hex(struct slice hex, char *out)
{
	size_t n = 0;
	unsigned int byte;

	for (size_t i = 0; i + 1 < hex.len; i += 3) {
		ck_assert_int_eq(sscanf(hex.at + i, "%2x", &byte), 1);
		out[n++] = (char)byte;
	}
	return n;
}

/* In a block of exactly that size, so that a read beyond it is seen. */
static struct slice exact(struct slice bytes)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);

	ck_assert_ptr_nonnull(copy);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	return (struct slice){copy, bytes.len};
}

static void free_exact(struct slice bytes)
{
	free((void *)bytes.at);
}

static struct bytes written(const struct frame *frame)
{
	struct bytes bytes = BYTES(4 * WIRE_FRAME_MAX, NULL);
	struct diag diag = {""};

	ck_assert_msg(wire_write(frame, &bytes, &diag) == OK, "%s", diag.text);
	return bytes;
}

/* Two frames are the same where their bytes are. */
static void assert_same(const struct frame *a, const struct frame *b, const char *name)
{
	struct bytes x = written(a), y = written(b);

	ck_assert_msg(slice_equal(bytes_slice(&x), bytes_slice(&y)), "%s changes on its way",
		      name);
	bytes_release(&x);
	bytes_release(&y);
}

/* --- what is for good -------------------------------------------------------------- */

START_TEST(test_golden)
{
	const struct golden_row *row = &golden_rows[_i];
	struct bytes bytes = written(&row->frame);
	static char golden[8192], now[8192], raw[4096];
	struct slice whole = {raw, 0}, first, copy;
	struct arena arena = {0};
	struct diag diag = {""};
	struct frame frame;

	read_golden(row->name, golden, sizeof golden);
	to_hex(bytes_slice(&bytes), now);
	ck_assert_msg(!strcmp(golden, now), "%s is now:\n%s", row->name, now);
	whole.len = from_hex(slice_of(golden), raw);
	ck_assert_int_eq(wire_first(whole, &first), OK);
	ck_assert_uint_eq(first.len + WIRE_LENGTH_SIZE, whole.len);
	copy = exact(first);
	ck_assert_msg(wire_read(copy, &arena, &frame, &diag) == OK, "%s: %s", row->name,
		      diag.text);
	free_exact(copy); /* the texts are the arena's */
	ck_assert(frame.type == row->frame.type && frame.request == row->frame.request &&
		  frame.watch == row->frame.watch);
	assert_same(&frame, &row->frame, row->name);
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_the_page_shows_the_golden_bytes)
{
	const struct golden_row *row = &golden_rows[_i];
	static char page[256 * 1024], golden[8192];

	read_file(page_path, page, sizeof page);
	read_golden(row->name, golden, sizeof golden);
	ck_assert_msg(strstr(page, golden), "%s does not show tests/golden/wire/%s.hex",
		      page_path, row->name);
}
END_TEST

/* Field by field: a text that goes to another field and back would not be seen. */
START_TEST(test_a_command_comes_as_it_was)
{
	struct bytes bytes = written(&golden_rows[4].frame);
	const struct command_message *sent = &golden_rows[4].frame.command, *got;
	struct arena arena = {0};
	struct slice first;
	struct frame frame;

	ck_assert_int_eq(wire_first(bytes_slice(&bytes), &first), OK);
	ck_assert_int_eq(wire_read(first, &arena, &frame, NULL), OK);
	got = &frame.command;
	ck_assert(slice_equal(got->id, sent->id) &&
		  slice_equal(got->participant, sent->participant) &&
		  slice_equal(got->command, sent->command) &&
		  slice_equal(got->do_id, sent->do_id) &&
		  slice_equal(got->saga_id, sent->saga_id) &&
		  slice_equal(got->saga, sent->saga) && slice_equal(got->args, sent->args) &&
		  slice_equal(got->output, sent->output));
	ck_assert(got->verb == sent->verb && got->attempt == sent->attempt &&
		  got->first_ms == sent->first_ms && got->timeout_ms == sent->timeout_ms);
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

/* --- what may not travel ----------------------------------------------------------- */

/* A row is a plain message with some field replaced. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define COMMAND(...)                                \
	{                                           \
		.type = FRAME_COMMAND, .command = { \
			.id = TEXT("s/a#0/0/do"),   \
			.participant = TEXT("p"),   \
			.command = TEXT("c"),       \
			.saga_id = TEXT("s"),       \
			.saga = TEXT("order"),      \
			.attempt = 1,               \
			__VA_ARGS__                 \
		}                                   \
	}

#define REPLY(...)                                                                          \
	{                                                                                   \
		.type = FRAME_REPLY, .reply = {.id = TEXT("s"), .attempt = 1, __VA_ARGS__ } \
	}

static char long_text[WIRE_PAYLOAD_MAX + 2]; /* filled with 'a' */

#define LONG(n)                \
	{                      \
		long_text, (n) \
	}

static const struct slice no_id[1];
static const struct record_message nameless[1];
static const struct record_message sixth_state[] = {{TEXT("a"), (enum record_state)5, 0}};

static const struct check_row {
	const char *name;
	struct frame frame;
	const char *says; /* NULL: it may */
} check_rows[] = {
	{"a plain command", COMMAND(.timeout_ms = 1), NULL},
	{"without its id", COMMAND(.id = {0}), "the command's id is missing"},
	{"without its participant", COMMAND(.participant = {0}),
	 "the command's participant is missing"},
	{"a do without a name", COMMAND(.command = {0}), "the command's name is missing"},
	{"a revoke without a name",
	 COMMAND(.command = {0}, .verb = MESSAGE_REVOKE, .do_id = TEXT("d")), NULL},
	{"an undo without its do", COMMAND(.verb = MESSAGE_UNDO),
	 "the command's do_id is missing"},
	{"a revoke without its do", COMMAND(.verb = MESSAGE_REVOKE),
	 "the command's do_id is missing"},
	{"without its saga's id", COMMAND(.saga_id = {0}), "the command's saga_id is missing"},
	{"without its saga", COMMAND(.saga = {0}), "the command's saga is missing"},
	{"attempt 0", COMMAND(.attempt = 0), "the command's attempt is missing"},
	{"a fourth verb", COMMAND(.verb = (enum message_verb)3), "3 is no verb of a command"},
	{"sent before time began", COMMAND(.first_ms = -1),
	 "a time of the command is negative"},
	{"a negative timeout", COMMAND(.timeout_ms = -1), "a time of the command is negative"},
	{"an id of 256 bytes", COMMAND(.id = LONG(256)), NULL},
	{"an id of 257 bytes", COMMAND(.id = LONG(257)),
	 "the command's id has 257 bytes, the limit is 256: shorten it"},
	{"a name of 64 bytes", COMMAND(.command = LONG(64)),
	 "the command's name has 64 bytes, the limit is 63: shorten it"},
	{"args of 256 KiB", COMMAND(.args = LONG(WIRE_PAYLOAD_MAX)), NULL},
	{"args of a byte more", COMMAND(.args = LONG(WIRE_PAYLOAD_MAX + 1)),
	 "the command's args has 262145 bytes, the limit is 262144: shorten it"},
	{"an output of a byte more", COMMAND(.output = LONG(WIRE_PAYLOAD_MAX + 1)),
	 "the command's output has 262145 bytes, the limit is 262144: shorten it"},
	{"an id that is not UTF-8", COMMAND(.id = TEXT("a\xff")),
	 "the command's id is not UTF-8"},
	{"args need not be UTF-8", COMMAND(.args = TEXT("\xff")), NULL},
	{"an id with a NUL in it", COMMAND(.id = {"a\0b", 3}), NULL},
	{"a plain reply", REPLY(.outcome = MESSAGE_EXPIRED), NULL},
	{"a fifth outcome", REPLY(.outcome = (enum message_outcome)4),
	 "4 is no outcome of a reply"},
	{"a reply without id", REPLY(.id = {0}), "the reply's id is missing"},
	{"a reply to attempt 0", REPLY(.attempt = 0), "the reply's attempt is missing"},
	{"a reply with too much", REPLY(.output = LONG(WIRE_PAYLOAD_MAX + 1)),
	 "the reply's output has 262145 bytes, the limit is 262144: shorten it"},
	{"a code of 257 bytes", REPLY(.code = LONG(257)),
	 "the reply's code has 257 bytes, the limit is 256: shorten it"},
	{"a text of 4,097 bytes", REPLY(.text = LONG(4097)),
	 "the reply's text has 4097 bytes, the limit is 4096: shorten it"},
	{"a start without its saga", {.type = FRAME_START}, "the start's saga is missing"},
	{"a start that says the saga alone",
	 {.type = FRAME_START, .start = {.saga = TEXT("order")}},
	 NULL},
	{"a start with too much",
	 {.type = FRAME_START,
	  .start = {.saga = TEXT("order"), .input = LONG(WIRE_PAYLOAD_MAX + 1)}},
	 "the start's input has 262145 bytes, the limit is 262144: shorten it"},
	{"a signal without its saga",
	 {.type = FRAME_SIGNAL, .signal = {.event = TEXT("go")}},
	 "the signal's saga_id is missing"},
	{"a signal without its event",
	 {.type = FRAME_SIGNAL, .signal = {.saga_id = TEXT("s")}},
	 "the signal's event is missing"},
	{"a result of nothing", {.type = FRAME_RESULT}, NULL},
	{"an end of nothing", {.type = FRAME_ENDED}, "the ended saga's id is missing"},
	{"an end without a status",
	 {.type = FRAME_ENDED, .ended = {TEXT("s"), {0}}},
	 "the ended saga's status is missing"},
	{"a hello with a long name",
	 {.type = FRAME_HELLO, .hello = {.name = LONG(64)}},
	 "the hello's name has 64 bytes, the limit is 63: shorten it"},
	{"a refusal that is not UTF-8",
	 {.type = FRAME_REFUSE, .refuse = TEXT("\x80")},
	 "the refusal is not UTF-8"},
	{"an inquiry for nothing", {.type = FRAME_INQUIRY}, "the inquiry's limit is missing"},
	{"an inquiry for a page", {.type = FRAME_INQUIRY, .inquiry = {.limit = 1000}}, NULL},
	{"an inquiry for too large a page",
	 {.type = FRAME_INQUIRY, .inquiry = {.limit = 1001}},
	 "the inquiry is for more than 1000 records: ask for fewer"},
	{"an inquiry for too many ids",
	 {.type = FRAME_INQUIRY, .inquiry = {.ids = golden_ids, .n_ids = 1001}},
	 "the inquiry is for more than 1000 records: ask for fewer"},
	{"an inquiry for an empty id",
	 {.type = FRAME_INQUIRY, .inquiry = {.ids = no_id, .n_ids = 1}},
	 "an id of the inquiry is missing"},
	{"no records", {.type = FRAME_RECORDS}, NULL},
	{"too many records",
	 {.type = FRAME_RECORDS, .records = {.records = golden_records, .n = 1001}},
	 "there are more than 1000 records"},
	{"a record without an id",
	 {.type = FRAME_RECORDS, .records = {.records = nameless, .n = 1}},
	 "a record's id is missing"},
	{"a record of a sixth state",
	 {.type = FRAME_RECORDS, .records = {.records = sixth_state, .n = 1}},
	 "5 is no state of a record"},
	{"a frame of no kind",
	 {.type = (enum frame_type)0},
	 "the frame says nothing that version 2 of the protocol knows"},
	{"a frame of another kind",
	 {.type = (enum frame_type)13},
	 "the frame says nothing that version 2 of the protocol knows"},
};

START_TEST(test_what_may_travel)
{
	const struct check_row *row = &check_rows[_i];
	struct bytes bytes = BYTES(4 * WIRE_FRAME_MAX, NULL);
	struct diag diag = {""};
	struct arena arena = {0};
	struct slice first;
	struct frame frame;
	enum err err;

	memset(long_text, 'a', sizeof long_text);
	err = wire_write(&row->frame, &bytes, &diag);
	if (row->says) {
		ck_assert_msg(err == ERR_INVALID || err == ERR_TOO_LARGE, "%s: %s", row->name,
			      err_text(err));
		ck_assert_str_eq(diag.text, row->says);
		ck_assert_uint_eq(bytes.len, 0);
		ck_assert_int_eq(bytes.err, OK);
	} else {
		ck_assert_msg(err == OK, "%s: %s", row->name, diag.text);
		ck_assert_int_eq(wire_first(bytes_slice(&bytes), &first), OK);
		ck_assert_int_eq(wire_read(first, &arena, &frame, NULL), OK);
		assert_same(&frame, &row->frame, row->name);
	}
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

/* --- bytes that nobody here writes ------------------------------------------------- */

static const struct raw_row {
	const char *name;
	struct slice bytes;
	const char *says; /* NULL: they are a frame */
} raw_rows[] = {
	{"settled 1", TEXT("\x28\x01"), NULL},
	{"an unknown field is ignored", TEXT("\x28\x01\xa0\x06\x05"), NULL},
	{"the last body counts", TEXT("\x28\x01\x28\x02"), NULL},
	{"a body after a body of another kind", TEXT("\x32\x02no\x28\x01"), NULL},
	{"nothing but an unknown field", TEXT("\xa0\x06\x05"),
	 "the frame says nothing that version 2 of the protocol knows"},
	{"nothing but a request's number", TEXT("\x78\x05"),
	 "the frame says nothing that version 2 of the protocol knows"},
	{"a reply whose outcome is unknown", TEXT("\x22\x07\x0a\x01s\x10\x01\x18\x04"),
	 "4 is no outcome of a reply"},
	{"a reply whose outcome is negative",
	 TEXT("\x22\x10\x0a\x01s\x10\x01\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	 "-1 is no outcome of a reply"},
	{"an empty reply", TEXT("\x22\x00"), "the reply's attempt is missing"},
	{"a command whose verb is unknown", TEXT("\x1a\x02\x20\x09"),
	 "9 is no verb of a command"},
	{"an id that is not UTF-8", TEXT("\x22\x05\x0a\x01\xff\x10\x01"),
	 "the reply's id is not UTF-8"},
	{"a body that is cut off", TEXT("\x22\x07\x0a\x01s"),
	 "the bytes are no frame of the protocol"},
	{"a tag that is cut off", TEXT("\x80"), "the bytes are no frame of the protocol"},
	{"field 0", TEXT("\x00\x01"), "the bytes are no frame of the protocol"},
	{"a body of another wire type", TEXT("\x20\x01"),
	 "the bytes are no frame of the protocol"},
	{"a length beyond the end", TEXT("\x22\xff\xff\xff\xff\x0f"),
	 "the bytes are no frame of the protocol"},
	{"bytes of another protocol", TEXT("GET / HTTP/1.1\r\n\r\n"),
	 "the bytes are no frame of the protocol"},
};

START_TEST(test_raw_bytes)
{
	const struct raw_row *row = &raw_rows[_i];
	struct slice bytes = exact(row->bytes);
	struct arena arena = {0};
	struct diag diag = {""};
	struct frame frame;
	enum err err = wire_read(bytes, &arena, &frame, &diag);

	ck_assert_msg(err == (row->says ? ERR_INVALID : OK), "%s: %s %s", row->name,
		      err_text(err), diag.text);
	ck_assert_str_eq(diag.text, row->says ? row->says : "");
	free_exact(bytes);
	arena_release(&arena);
}
END_TEST

/* Whatever becomes of the bytes on their way: an error, or a frame that may
 * travel. */
START_TEST(test_spoilt_bytes)
{
	struct bytes bytes = written(&golden_rows[_i].frame);
	struct arena arena = {0};
	struct frame frame;
	struct slice first, spoilt;

	ck_assert_int_eq(wire_first(bytes_slice(&bytes), &first), OK);
	for (size_t len = 0; len < first.len; len++) {
		spoilt = exact((struct slice){first.at, len});
		if (!wire_read(spoilt, &arena, &frame, NULL))
			ck_assert_int_eq(wire_check(&frame, NULL), OK);
		free_exact(spoilt);
		arena_reset(&arena);
	}
	spoilt = exact(first);
	for (size_t bit = 0; bit < first.len * 8; bit++) {
		((char *)spoilt.at)[bit / 8] ^= (char)(1 << bit % 8);
		if (!wire_read(spoilt, &arena, &frame, NULL))
			ck_assert_int_eq(wire_check(&frame, NULL), OK);
		((char *)spoilt.at)[bit / 8] ^= (char)(1 << bit % 8);
		arena_reset(&arena);
	}
	free_exact(spoilt);
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

/* A frame of nothing but small fields takes many times its bytes to read. */
START_TEST(test_reading_takes_no_more_than_its_limit)
{
	char *bytes = malloc(WIRE_FRAME_MAX);
	struct arena arena = {0};
	struct diag diag = {""};
	struct frame frame;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i + 1 < WIRE_FRAME_MAX; i += 2)
		memcpy(bytes + i, "\x58\x00", 2); /* field 11 = 0 */
	ck_assert_int_eq(
		wire_read((struct slice){bytes, WIRE_FRAME_MAX}, &arena, &frame, &diag),
		ERR_TOO_LARGE);
	ck_assert_str_eq(diag.text, "reading the frame takes over 16 MiB");
	ck_assert_uint_le(arena.used, (size_t)2 * WIRE_READ_MAX);
	arena_release(&arena);
	free(bytes);
}
END_TEST

/* --- frames in a stream ------------------------------------------------------------ */

static const struct first_row {
	const char *name;
	struct slice stream;
	enum err err;
	size_t len;
} first_rows[] = {
	{"nothing yet", {0}, ERR_NOT_FOUND, 0},
	{"half a length", TEXT("\0\0\0"), ERR_NOT_FOUND, 0},
	{"a length", TEXT("\0\0\0\2"), ERR_NOT_FOUND, 0},
	{"half a frame", TEXT("\0\0\0\2\x28"), ERR_NOT_FOUND, 0},
	{"a frame", TEXT("\0\0\0\2\x28\x01"), OK, 2},
	{"a frame and a half", TEXT("\0\0\0\2\x28\x01\0\0\0\2\x28"), OK, 2},
	{"length 0", TEXT("\0\0\0\0\x28"), ERR_TOO_LARGE, 0},
	{"2 MiB, not there yet", TEXT("\0\x20\0\0"), ERR_NOT_FOUND, 0},
	{"a byte over 2 MiB", TEXT("\0\x20\0\1"), ERR_TOO_LARGE, 0},
	{"the largest number", TEXT("\xff\xff\xff\xff"), ERR_TOO_LARGE, 0},
	{"another protocol", TEXT("GET / HTTP/1.1"), ERR_TOO_LARGE, 0},
};

START_TEST(test_first)
{
	const struct first_row *row = &first_rows[_i];
	struct slice frame = {0};
	enum err err = wire_first(row->stream, &frame);

	ck_assert_msg(err == row->err, "%s: %s", row->name, err_text(err));
	ck_assert_uint_eq(frame.len, row->len);
}
END_TEST

START_TEST(test_frames_follow_one_another)
{
	struct bytes bytes = BYTES(64 * 1024, NULL);
	struct arena arena = {0};
	struct slice stream, first;
	struct frame frame;

	for (int i = 0; i < ROWS(golden_rows); i++)
		ck_assert_int_eq(wire_write(&golden_rows[i].frame, &bytes, NULL), OK);
	stream = bytes_slice(&bytes);
	for (int i = 0; i < ROWS(golden_rows); i++) {
		ck_assert_int_eq(wire_first(stream, &first), OK);
		ck_assert_int_eq(wire_read(first, &arena, &frame, NULL), OK);
		assert_same(&frame, &golden_rows[i].frame, golden_rows[i].name);
		stream.at += WIRE_LENGTH_SIZE + first.len;
		stream.len -= WIRE_LENGTH_SIZE + first.len;
	}
	ck_assert_uint_eq(stream.len, 0);
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

/* --- without memory ---------------------------------------------------------------- */

START_TEST(test_no_room_to_write)
{
	struct bytes bytes = BYTES(40, NULL);
	struct diag diag = {""};

	ck_assert_int_eq(wire_write(&golden_rows[0].frame, &bytes, &diag), OK);
	ck_assert_int_eq(wire_write(&golden_rows[0].frame, &bytes, &diag), ERR_TOO_LARGE);
	ck_assert_str_eq(diag.text, "there is no room for another frame");
	ck_assert_uint_eq(bytes.len, 30);
	ck_assert_int_eq(bytes.err, OK);
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	const struct frame *sent = &golden_rows[4].frame;
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct bytes bytes = BYTES(64 * 1024, NULL);
		struct arena arena = {0};
		enum err read = OK, write;
		struct slice first;
		struct frame frame;

		fail_malloc_at(n);
		write = wire_write(sent, &bytes, NULL);
		if (!write) {
			read = wire_first(bytes_slice(&bytes), &first);
			if (!read)
				read = wire_read(first, &arena, &frame, NULL);
		}
		fired = fail_malloc_off();
		ck_assert_int_eq((write == ERR_NOMEM) + (read == ERR_NOMEM), fired);
		arena_release(&arena);
		bytes_release(&bytes);
	}
}
END_TEST

/* Two bytes an entry, and in memory 16 or 64. */
START_TEST(test_lists_have_a_limit)
{
	static const struct slice heads[] = {TEXT("\x5a\xd2\x0f"), TEXT("\x62\xd2\x0f")};
	struct bytes bytes = BYTES(4096, NULL);
	struct arena arena = {0};
	struct diag diag = {""};
	struct frame frame;

	bytes_append(&bytes, heads[_i]);
	for (int i = 0; i < RECORDS_MAX + 1; i++)
		bytes_append(&bytes, (struct slice){"\x12\x00", 2});
	ck_assert_int_eq(wire_read(bytes_slice(&bytes), &arena, &frame, &diag), ERR_TOO_LARGE);
	ck_assert_str_eq(diag.text, "the frame lists more than 1000 records");
	arena_release(&arena);
	bytes_release(&bytes);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_lists_have_a_limit, 0, 2);
	tcase_add_loop_test(tcase, test_golden, 0, ROWS(golden_rows));
	tcase_add_loop_test(tcase, test_the_page_shows_the_golden_bytes, 0, ROWS(golden_rows));
	tcase_add_test(tcase, test_a_command_comes_as_it_was);
	tcase_add_loop_test(tcase, test_what_may_travel, 0, ROWS(check_rows));
	tcase_add_loop_test(tcase, test_raw_bytes, 0, ROWS(raw_rows));
	tcase_add_loop_test(tcase, test_spoilt_bytes, 0, ROWS(golden_rows));
	tcase_add_test(tcase, test_reading_takes_no_more_than_its_limit);
	tcase_add_loop_test(tcase, test_first, 0, ROWS(first_rows));
	tcase_add_test(tcase, test_frames_follow_one_another);
	tcase_add_test(tcase, test_no_room_to_write);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
}

int main(void)
{
	return suite_run("wire", add);
}
