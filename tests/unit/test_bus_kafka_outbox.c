/* test_bus_kafka_outbox.c - what leaves over Kafka has bounds, and a topic that does not take
 * anything harms no other. Against librdkafka's mock, and a clock that is the test's. */
#include "bus/kafka/outbox.h"
#include "proto/wire.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <time.h>

enum { WAIT_MS = 30000 };

static char prefix[KAFKA_PREFIX_SIZE];
static struct kafka_mock mock;
static struct clock_sim the_clock;
static struct kafka_setup setup;
static struct outbox *outbox;
static char logged[4096];

static void keep_log(void *sink, enum log_level level, struct slice line)
{
	size_t len = strlen(logged);

	if (level < LOG_LEVEL_DEBUG && len + line.len < sizeof logged)
		memcpy(logged + len, line.at, line.len);
}

static const struct log log_kept = {LOG_LEVEL_INFO, keep_log, NULL};

static void enter(void)
{
	static const char *const topics[] = {"inbox", "dead", "cmd.stock", "cmd.other", NULL};
	struct diag diag = {""};

	logged[0] = '\0';
	kafka_prefix(prefix);
	kafka_mock_start(&mock, prefix, topics, 1);
	clock_sim_init(&the_clock, 1700000000000);
	setup = (struct kafka_setup){.brokers = mock.brokers,
				     .prefix = prefix,
				     .partitions = 1,
				     .clock = &the_clock.base,
				     .log = &log_kept};
	ck_assert_int_eq(kafka_setup_check(&setup, &diag), OK);
	ck_assert_msg(outbox_open(&setup, -1, &outbox, &diag) == OK, "%s", diag.text);
	ck_assert_msg(outbox_connect(outbox, WAIT_MS, &diag) == OK, "%s", diag.text);
}

static void leave(void)
{
	outbox_close(outbox, 0);
	kafka_mock_stop(&mock);
}

static enum err send_one(const char *participant, int number, uint32_t attempt)
{
	char id[64];
	struct command_message command = {.participant = slice_of(participant),
					  .command = SLICE_LITERAL("take"),
					  .saga = SLICE_LITERAL("order"),
					  .attempt = attempt};

	snprintf(id, sizeof id, "s%d/take#0/0/do", number);
	command.id = slice_of(id);
	command.saga_id = (struct slice){id, strcspn(id, "/")};
	return outbox_send(outbox, &command, 0);
}

static void answer(int number)
{
	char id[64];

	snprintf(id, sizeof id, "s%d/take#0/0/do", number);
	outbox_answered(outbox, slice_of(id));
}

static void rest(void)
{
	const struct timespec ms = {0, 1000000};

	outbox_pump(outbox);
	nanosleep(&ms, NULL);
}

/* Until nothing is on its way, in real time. */
static void arrive(void)
{
	for (int n = 0; outbox_busy(outbox); n++) {
		ck_assert_int_lt(n, WAIT_MS);
		rest();
	}
}

struct seen {
	char name[WIRE_NAME_MAX + 1];
	uint32_t inflight, held;
	int n;
};

static void note(void *context, const struct bus_participant *participant)
{
	struct seen *seen = context;

	seen->n++;
	if (!slice_is(participant->name, seen->name))
		return;
	seen->inflight = participant->inflight;
	seen->held = participant->held;
}

static void check_known(const char *name, uint32_t inflight, uint32_t held, int n)
{
	struct seen seen = {.n = 0};

	snprintf(seen.name, sizeof seen.name, "%s", name);
	outbox_visit(outbox, note, &seen);
	ck_assert_msg(seen.inflight == inflight && seen.held == held && seen.n == n,
		      "%s: %u in flight, %u held, %d known", name, (unsigned)seen.inflight,
		      (unsigned)seen.held, seen.n);
}

/* A step waits for one command at a time: a later one of it takes the place of the first. */
START_TEST(test_what_was_sent_and_not_answered_is_counted)
{
	enter();
	ck_assert_int_eq(send_one("stock", 1, 1), OK);
	ck_assert_int_eq(send_one("stock", 2, 1), OK);
	ck_assert_int_eq(send_one("stock", 1, 2), OK);
	ck_assert_int_eq(send_one("other", 3, 1), OK);
	arrive();
	check_known("stock", 2, 0, 2);
	check_known("other", 1, 0, 2);
	answer(1);
	answer(1);
	answer(9);
	check_known("stock", 1, 0, 2);
	answer(3);
	check_known("other", 0, 0, 2);
	check_known("stock", 1, 0, 2);
	ck_assert_int_eq(outbox_end(outbox, SLICE_LITERAL("stock")), 3);
	ck_assert_int_eq(outbox_end(outbox, SLICE_LITERAL("other")), 1);
	ck_assert_int_eq(outbox_end(outbox, SLICE_LITERAL("nobody")), 0);
	leave();
}
END_TEST

START_TEST(test_a_line_for_each_participant_up_to_a_bound)
{
	char name[WIRE_NAME_MAX + 2], topic[KAFKA_TOPIC_SIZE];

	enter();
	rd_kafka_mock_broker_set_down(mock.cluster, 1); /* or each looks for its topic */
	for (int i = 0; i < OUTBOX_LINES_MAX; i++) {
		snprintf(topic, sizeof topic, "%s.p%d", prefix, i);
		ck_assert_ptr_nonnull(outbox_line(outbox, topic));
	}
	ck_assert_int_eq(send_one("stock", 1, 1), ERR_BUSY);
	leave();
	enter();
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	ck_assert_int_eq(send_one(name, 1, 1), ERR_INVALID);
	fail_malloc_at(0);
	ck_assert_int_eq(send_one("stock", 1, 1), ERR_NOMEM);
	fail_malloc_off();
	ck_assert_int_eq(send_one("stock", 1, 1), OK);
	leave();
}
END_TEST

/* As long as nobody says whether its topic is there. */
START_TEST(test_what_is_held_has_a_bound)
{
	enter();
	ck_assert_int_eq(send_one("stock", 1, 1), OK);
	arrive();
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	for (int i = 0; i < OUTBOX_HELD_MAX; i++)
		ck_assert_int_eq(send_one("other", i, 1), OK);
	check_known("other", 0, OUTBOX_HELD_MAX, 2);
	ck_assert_int_eq(send_one("other", OUTBOX_HELD_MAX, 1), ERR_BUSY);
	ck_assert_int_eq(send_one("stock", 2, 1), OK);
	ck_assert(outbox_busy(outbox)); /* what is held is on its way, too */
	leave();
}
END_TEST

START_TEST(test_a_topic_from_which_nothing_is_heard_takes_no_more)
{
	const struct parcel parcel = {
		.key = SLICE_LITERAL("k"), .value = SLICE_LITERAL("v"), .partition = 0};
	char dead[KAFKA_TOPIC_SIZE];
	struct line *line;

	enter();
	kafka_topic(&setup, "dead", dead);
	line = outbox_line(outbox, dead);
	ck_assert_int_eq(send_one("stock", 1, 1), OK);
	ck_assert_int_eq(send_one("other", 1, 1), OK);
	arrive();
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	ck_assert_int_eq(send_one("stock", 2, 1), OK);
	ck_assert_int_eq(outbox_put(outbox, line, &parcel), OK);
	clock_sim_advance(&the_clock, OUTBOX_STALLED_MS);
	ck_assert_int_eq(send_one("stock", 3, 1), OK);
	clock_sim_advance(&the_clock, 1);
	ck_assert_int_eq(send_one("stock", 4, 1), ERR_BUSY);
	ck_assert_int_eq(outbox_put(outbox, line, &parcel), ERR_BUSY);
	ck_assert_int_eq(send_one("other", 5, 1), OK); /* it has its own time */
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	arrive();
	for (int n = 0; send_one("stock", 4, 1) == ERR_BUSY; n++) { /* until it is steady */
		ck_assert_int_lt(n, WAIT_MS);
		rest();
	}
	ck_assert_int_eq(outbox_put(outbox, line, &parcel), OK);
	arrive();
	ck_assert_int_eq(outbox_end(outbox, SLICE_LITERAL("stock")), 4);
	leave();
}
END_TEST

/* Two batches, one of which waits. */
START_TEST(test_a_mark_is_reached_when_all_before_it_is_there)
{
	enter();
	ck_assert_int_eq(send_one("stock", 1, 1), OK);
	arrive();
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	ck_assert(outbox_reached(outbox));
	ck_assert_int_eq(send_one("stock", 2, 1), OK);
	outbox_mark(outbox);
	ck_assert(!outbox_reached(outbox));
	ck_assert_int_eq(send_one("stock", 3, 1), OK);
	for (int n = 0; n < 20; n++)
		rest();
	ck_assert(!outbox_reached(outbox));
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	for (int n = 0; !outbox_reached(outbox); n++) {
		ck_assert_int_lt(n, WAIT_MS);
		rest();
	}
	ck_assert_int_ge(outbox_end(outbox, SLICE_LITERAL("stock")), 2);
	arrive();
	ck_assert_int_eq(outbox_end(outbox, SLICE_LITERAL("stock")), 3);
	leave();
}
END_TEST

/* Letters go back to where they were found, and nowhere else. */
static const struct replay_row {
	const char *name, *topic; /* behind the prefix */
	enum err err;
} replay_rows[] = {
	{"to the inbox", "inbox", OK},
	{"to a participant", "cmd.stock", OK},
	{"not among the letters", "dead", ERR_INVALID},
	{"not to a topic of another kind", "events", ERR_INVALID},
	{"not to a participant without a name", "cmd.", ERR_INVALID},
	{"not to something that begins alike", "cmdx", ERR_INVALID},
};

START_TEST(test_letters_go_back)
{
	char dead[KAFKA_TOPIC_SIZE], inbox[KAFKA_TOPIC_SIZE], topic[KAFKA_TOPIC_SIZE];

	enter();
	kafka_topic(&setup, "dead", dead);
	kafka_topic(&setup, "inbox", inbox);
	ck_assert(outbox_line(outbox, dead) && outbox_line(outbox, inbox));
	for (int i = 0; i < ROWS(replay_rows); i++) {
		const struct replay_row *row = &replay_rows[i];
		struct parcel parcel = {.key = SLICE_LITERAL("k"),
					.value = SLICE_LITERAL("v"),
					.partition = 0,
					.headers = rd_kafka_headers_new(1)};
		struct diag diag = {""};
		enum err err;

		kafka_topic(&setup, row->topic, topic);
		err = outbox_replay(outbox, slice_of(topic), &parcel, &diag);
		ck_assert_msg(err == row->err, "%s: %s", row->name, err_text(err));
		ck_assert_int_eq(strstr(diag.text, "neither the inbox nor the topic of a "
						   "participant") != NULL,
				 row->err == ERR_INVALID);
	}
	arrive();
	ck_assert_int_eq(outbox_end(outbox, SLICE_LITERAL("stock")), 1);
	leave();
}
END_TEST

/* More than the brokers, or librdkafka, take in one message. */
START_TEST(test_what_is_too_large_is_told_at_once)
{
	static char large[4 * 1024 * 1024];
	struct parcel parcel = {
		.key = SLICE_LITERAL("k"), .value = {large, sizeof large}, .partition = 0};
	char inbox[KAFKA_TOPIC_SIZE];
	struct line *line;

	enter();
	kafka_topic(&setup, "inbox", inbox);
	line = outbox_line(outbox, inbox);
	ck_assert_int_eq(outbox_put(outbox, line, &parcel), ERR_TOO_LARGE);
	ck_assert(!outbox_busy(outbox));
	parcel.value.len = 1000;
	ck_assert_int_eq(outbox_put(outbox, line, &parcel), OK);
	ck_assert(outbox_busy(outbox));
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_what_was_sent_and_not_answered_is_counted);
	tcase_add_test(tcase, test_a_line_for_each_participant_up_to_a_bound);
	tcase_add_test(tcase, test_what_is_held_has_a_bound);
	tcase_add_test(tcase, test_a_topic_from_which_nothing_is_heard_takes_no_more);
	tcase_add_test(tcase, test_a_mark_is_reached_when_all_before_it_is_there);
	tcase_add_test(tcase, test_letters_go_back);
	tcase_add_test(tcase, test_what_is_too_large_is_told_at_once);
}

int main(void)
{
	return suite_run("bus_kafka_outbox", add);
}
