/* test_log.c - lines of the log: quoting, levels, limits, and the sink. */
#include "base/log.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <unistd.h>

/* A sink that keeps the last line. */
struct kept {
	int lines;
	enum log_level level;
	size_t len;
	char text[LOG_LINE_MAX + 1];
};

static void keep(void *sink, enum log_level level, struct slice line)
{
	struct kept *kept = sink;

	ck_assert_uint_le(line.len, LOG_LINE_MAX);
	kept->lines++;
	kept->level = level;
	kept->len = line.len;
	memcpy(kept->text, line.at, line.len);
	kept->text[line.len] = '\0';
	errno = EBADF;
}

static const struct text_row {
	const char *name;
	struct slice text;
	const char *written;
} text_rows[] = {
	{"a word is bare", SLICE_LITERAL("order-7_a.b/c:d"), "order-7_a.b/c:d"},
	{"the empty text is in quotes", SLICE_LITERAL(""), "\"\""},
	{"a blank needs quotes", SLICE_LITERAL("out of stock"), "\"out of stock\""},
	{"an equals sign needs quotes", SLICE_LITERAL("a=b"), "\"a=b\""},
	{"quotes are escaped", SLICE_LITERAL("say \"no\""), "\"say \\\"no\\\"\""},
	{"a backslash is escaped", SLICE_LITERAL("a\\b"), "\"a\\\\b\""},
	{"a line break cannot forge a line", SLICE_LITERAL("x\nlevel=error"),
	 "\"x\\nlevel=error\""},
	{"a carriage return and a tab", SLICE_LITERAL("a\r\tb"), "\"a\\r\\tb\""},
	{"a NUL byte", SLICE_LITERAL("a\0b"), "\"a\\u0000b\""},
	{"an escape sequence of a terminal", SLICE_LITERAL("\x1b[31mred"),
	 "\"\\u001b[31mred\""},
	{"the last control character", SLICE_LITERAL("\x1f"), "\"\\u001f\""},
	{"delete", SLICE_LITERAL("\x7f"), "\"\\u007f\""},
	{"a control character of two bytes", SLICE_LITERAL("\xc2\x9b"), "\"\\u009b\""},
	{"other letters are bare", SLICE_LITERAL("caf\xc3\xa9"), "caf\xc3\xa9"},
	{"an emoji", SLICE_LITERAL("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80"},
	{"a line separator", SLICE_LITERAL("a\xe2\x80\xa8"), "\"a\\u2028\""},
	{"a bidirectional override", SLICE_LITERAL("\xe2\x80\xae"), "\"\\u202e\""},
	{"a bidirectional isolate", SLICE_LITERAL("\xe2\x81\xa6"), "\"\\u2066\""},
	{"a character without width", SLICE_LITERAL("\xe2\x80\x8b"), "\"\\u200b\""},
	{"a byte that is no UTF-8", SLICE_LITERAL("a\xff"), "\"a\\xff\""},
	{"half a character at the end", SLICE_LITERAL("a\xe2\x82"), "\"a\\xe2\\x82\""},
};

START_TEST(test_text)
{
	const struct text_row *row = &text_rows[_i];
	struct kept kept = {0};
	struct log log = {LOG_LEVEL_INFO, keep, &kept};
	struct log_line line;

	log_begin(&line, &log, LOG_LEVEL_WARN, "test");
	log_text(&line, "value", row->text);
	log_end(&line);
	ck_assert_int_eq(kept.lines, 1);
	ck_assert_int_eq(strncmp(kept.text, "level=warn event=test value=", 28), 0);
	ck_assert_msg(strcmp(kept.text + 28, row->written) == 0, "%s: %s", row->name,
		      kept.text + 28);
}
END_TEST

START_TEST(test_every_type)
{
	struct kept kept = {0};
	struct log log = {LOG_LEVEL_DEBUG, keep, &kept};
	struct log_line line;

	log_begin(&line, &log, LOG_LEVEL_DEBUG, "saga-parked");
	log_text(&line, "saga", SLICE_LITERAL("01J8"));
	log_number(&line, "attempt", 5);
	log_number(&line, "least", INT64_MIN);
	log_end(&line);
	ck_assert_str_eq(kept.text, "level=debug event=saga-parked saga=01J8 attempt=5 "
				    "least=-9223372036854775808");
	ck_assert_int_eq(kept.level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(test_level)
{
	for (int most = LOG_LEVEL_ERROR; most <= LOG_LEVEL_DEBUG; most++) {
		for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
			struct kept kept = {0};
			struct log log = {(enum log_level)most, keep, &kept};
			struct log_line line;

			log_begin(&line, &log, (enum log_level)level, "test");
			log_number(&line, "n", 1);
			log_end(&line);
			ck_assert_int_eq(kept.lines, level <= most);
		}
	}
}
END_TEST

START_TEST(test_level_names)
{
	enum log_level level;

	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		ck_assert(log_level_parse(slice_of(log_level_name((enum log_level)i)), &level));
		ck_assert_int_eq(level, i);
	}
	ck_assert_str_eq(log_level_name(LOG_LEVEL_WARN), "warn");
	ck_assert(!log_level_parse(SLICE_LITERAL("Info"), &level));
	ck_assert(!log_level_parse(SLICE_LITERAL(""), &level));
}
END_TEST

START_TEST(test_a_log_without_a_sink)
{
	struct log log = {0};
	struct log_line line;

	log_begin(&line, &log, LOG_LEVEL_ERROR, "test");
	log_text(&line, "a", SLICE_LITERAL("b"));
	log_end(&line);
}
END_TEST

START_TEST(test_errno_stays)
{
	struct kept kept = {0};
	struct log log = {LOG_LEVEL_INFO, keep, &kept};
	struct log_line line;

	errno = ENOENT;
	log_begin(&line, &log, LOG_LEVEL_ERROR, "test");
	log_end(&line);
	ck_assert_int_eq(kept.lines, 1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* Texts of every length around the limit: never too long, never half a
 * character or half an escape, and always said when something is missing. */
static const struct cut_row {
	const char *name;
	const char *unit; /* repeated */
	size_t written;   /* bytes for each */
} cut_rows[] = {
	{"letters", "a", 1},
	{"characters of three bytes", "\xe2\x82\xac", 3},
	{"escaped characters", "\n", 2},
	{"escaped bytes", "\xff", 4},
};

START_TEST(test_cut)
{
	const struct cut_row *row = &cut_rows[_i];
	size_t unit_len = strlen(row->unit), head = strlen("level=info event=test value=");
	char text[LOG_LINE_MAX + 64];

	for (size_t n = 1; n * unit_len <= sizeof text; n++) {
		struct kept kept = {0};
		struct log log = {LOG_LEVEL_INFO, keep, &kept};
		struct log_line line;
		size_t len;
		bool cut, quoted;

		memcpy(text + (n - 1) * unit_len, row->unit, unit_len);
		log_begin(&line, &log, LOG_LEVEL_INFO, "test");
		log_text(&line, "value", (struct slice){text, n * unit_len});
		log_number(&line, "n", 123456);
		log_end(&line);
		cut = strcmp(kept.text + kept.len - 9, " cut=true") == 0;
		ck_assert_msg(cut || strcmp(kept.text + kept.len - 9, " n=123456") == 0,
			      "%s: %zu of them lost the number", row->name, n);
		ck_assert_msg(!cut || kept.len > LOG_LINE_MAX - 20, "%s: cut early", row->name);
		quoted = kept.text[head] == '"';
		len = kept.len - 9 - head - (quoted ? 2 : 0);
		ck_assert_msg(!quoted || kept.text[head + 1 + len] == '"', "%s: %zu end badly",
			      row->name, n);
		ck_assert_msg(len % row->written == 0, "%s: half of one is left", row->name);
		ck_assert_msg(cut || len / row->written == n, "%s: some are missing",
			      row->name);
	}
}
END_TEST

START_TEST(test_many_pairs_end_at_the_limit)
{
	struct kept kept = {0};
	struct log log = {LOG_LEVEL_INFO, keep, &kept};
	struct log_line line;

	log_begin(&line, &log, LOG_LEVEL_INFO, "test");
	for (int i = 0; i < 1000; i++) {
		log_text(&line, "t", SLICE_LITERAL("a b"));
		log_number(&line, "n", i);
	}
	log_end(&line);
	ck_assert_uint_le(kept.len, LOG_LINE_MAX);
	ck_assert_str_eq(kept.text + kept.len - 9, " cut=true");
}
END_TEST

START_TEST(test_sink_of_a_program)
{
	struct clock_sim clock;
	struct log_fd sink = {&clock.base, -1};
	struct log log = {LOG_LEVEL_INFO, log_write_fd, &sink};
	struct log_line line;
	char text[256];
	int ends[2];
	ssize_t len;

	clock_sim_init(&clock, 1740821400250);
	ck_assert_int_eq(pipe(ends), 0);
	sink.fd = ends[1];
	log_begin(&line, &log, LOG_LEVEL_INFO, "ready");
	log_text(&line, "listen", SLICE_LITERAL("127.0.0.1:7420"));
	log_end(&line);
	clock_sim_advance(&clock, 1000);
	log_begin(&line, &log, LOG_LEVEL_ERROR, "bye");
	log_end(&line);
	len = read(ends[0], text, sizeof text - 1);
	ck_assert_int_gt(len, 0);
	text[len] = '\0';
	ck_assert_str_eq(text, "time=2025-03-01T09:30:00.250Z level=info event=ready "
			       "listen=127.0.0.1:7420\n"
			       "time=2025-03-01T09:30:01.250Z level=error event=bye\n");
	close(ends[0]);
	close(ends[1]);
	log_begin(&line, &log, LOG_LEVEL_ERROR, "lost");
	log_end(&line);
}
END_TEST

START_TEST(test_longest_line_reaches_the_sink)
{
	struct log_fd sink = {clock_system(), -1};
	struct log log = {LOG_LEVEL_INFO, log_write_fd, &sink};
	struct log_line line;
	char value[LOG_LINE_MAX], text[2 * LOG_LINE_MAX];
	int ends[2];
	ssize_t len;

	memset(value, 'x', sizeof value);
	ck_assert_int_eq(pipe(ends), 0);
	sink.fd = ends[1];
	log_begin(&line, &log, LOG_LEVEL_INFO, "long");
	log_text(&line, "value", (struct slice){value, sizeof value});
	log_end(&line);
	len = read(ends[0], text, sizeof text - 1);
	text[len > 0 ? len : 0] = '\0';
	ck_assert_int_eq(len, LOG_LINE_MAX + 31);
	ck_assert_str_eq(text + len - 11, "\" cut=true\n");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(test_clocks)
{
	struct clock_sim sim;
	int64_t before = clock_monotonic_ms(clock_system());

	/* After 2024, before 2100; the monotonic one does not go back. */
	ck_assert_int_gt(clock_now_ms(clock_system()), 1704067200000);
	ck_assert_int_lt(clock_now_ms(clock_system()), 4102444800000);
	ck_assert_int_ge(clock_monotonic_ms(clock_system()), before);

	clock_sim_init(&sim, 5000);
	clock_sim_advance(&sim, 20);
	ck_assert_int_eq(clock_now_ms(&sim.base), 5020);
	ck_assert_int_eq(clock_monotonic_ms(&sim.base), 20);
	clock_sim_set(&sim, 1000);
	ck_assert_int_eq(clock_now_ms(&sim.base), 1000);
	ck_assert_int_eq(clock_monotonic_ms(&sim.base), 20);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_text, 0, ROWS(text_rows));
	tcase_add_test(tcase, test_every_type);
	tcase_add_test(tcase, test_level);
	tcase_add_test(tcase, test_level_names);
	tcase_add_test(tcase, test_a_log_without_a_sink);
	tcase_add_test(tcase, test_errno_stays);
	tcase_add_loop_test(tcase, test_cut, 0, ROWS(cut_rows));
	tcase_add_test(tcase, test_many_pairs_end_at_the_limit);
	tcase_add_test(tcase, test_sink_of_a_program);
	tcase_add_test(tcase, test_longest_line_reaches_the_sink);
	tcase_add_test(tcase, test_clocks);
}

int main(void)
{
	return suite_run("log", add);
}
