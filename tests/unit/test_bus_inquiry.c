/* test_bus_inquiry.c - the contract of bus/bus.h, of what is asked of participants: over
 * every implementation */
#include "bus/inquiries.h"
#include "tests/lib/bus_ends.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { HEARD_MS = 1000 }; /* an inquiry that nobody has heard by then is asked again */

static void take_turn(struct ends *ends)
{
	if (!ends->implementation->kafka) {
		ends_travel(ends);
		return;
	}
	bus_pump(ends->bus);
	port_pump(ends->port, KAFKA_TURN_MS);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* Until it is out; whoever asks has patience. */
static void ask(struct ends *ends, struct inquiry_message *inquiry)
{
	int64_t end_ms = now_ms() + KAFKA_MS;
	struct diag diag = {""};
	enum err err;

	while ((err = bus_inquire(ends->bus, SLICE_LITERAL("stock"), inquiry, &diag))) {
		ck_assert_msg(err == ERR_BUSY || err == ERR_NOT_FOUND, "%s: %s", err_text(err),
			      diag.text);
		ck_assert_msg(now_ms() < end_ms, "it cannot be asked: %s", diag.text);
		take_turn(ends);
	}
}

/* Until stock has heard it: over Kafka nobody reads what came before he did. */
static void inquire(struct ends *ends, struct inquiry_message *inquiry,
		    struct inquiry_message *heard)
{
	int64_t end_ms = now_ms() + KAFKA_MS, again_ms;

	for (;;) {
		ask(ends, inquiry);
		again_ms = now_ms() + HEARD_MS;
		while (now_ms() < again_ms) {
			take_turn(ends);
			while (port_inquiry(ends->port, heard))
				if (heard->request == inquiry->request)
					return;
		}
		bus_forget(ends->bus, inquiry->request);
		ck_assert_msg(now_ms() < end_ms, "nobody hears what is asked");
	}
}

static void tell(struct ends *ends, uint64_t request, const char *next)
{
	const struct record_message record = {SLICE_LITERAL("s/a#0/0/do"), RECORD_OK, 17};
	const struct records_message records = {
		.request = request, .records = &record, .n = 1, .next = slice_of(next)};

	port_records(ends->port, &records);
}

static struct inquired await_answer(struct ends *ends)
{
	int64_t end_ms = now_ms() + KAFKA_MS;
	struct inquired inquired;

	while (!bus_inquired(ends->bus, &inquired)) {
		ck_assert_msg(now_ms() < end_ms, "no answer comes");
		take_turn(ends);
	}
	return inquired;
}

/* Some have no use for it: nothing is compared there. */
static bool carries_inquiries(const struct ends *ends)
{
	return ends->bus->ops->inquire != NULL;
}

START_TEST(test_an_inquiry_and_its_answer_arrive_whole)
{
	const struct slice ids[] = {SLICE_LITERAL("s/a#0/0/do"), SLICE_LITERAL("s/b#0/0/do")};
	struct inquiry_message page = {
		.after = SLICE_LITERAL("m"), .since_ms = 1700000000000, .limit = 7};
	struct inquiry_message named = {.ids = ids, .n_ids = 2}, heard;
	struct inquired inquired;
	struct ends ends;

	ends_open(&ends, _i);
	if (!carries_inquiries(&ends)) {
		ck_assert_int_eq(bus_inquire(ends.bus, SLICE_LITERAL("stock"), &page, NULL),
				 ERR_UNAVAILABLE);
		ck_assert(!bus_inquired(ends.bus, &inquired));
		ends_close(&ends);
		return;
	}
	inquire(&ends, &page, &heard);
	ck_assert(slice_is(heard.after, "m") && heard.since_ms == 1700000000000 &&
		  heard.limit == 7 && heard.n_ids == 0);
	tell(&ends, heard.request, "n");
	inquired = await_answer(&ends);
	ck_assert_uint_eq(inquired.request, page.request);
	ck_assert(!inquired.lost && inquired.records.n == 1 &&
		  slice_is(inquired.records.next, "n") && !inquired.records.trouble.len);
	ck_assert(slice_is(inquired.records.records[0].id, "s/a#0/0/do") &&
		  inquired.records.records[0].state == RECORD_OK &&
		  inquired.records.records[0].first_ms == 17);
	inquire(&ends, &named, &heard);
	ck_assert(named.request != page.request && heard.n_ids == 2 &&
		  slice_is(heard.ids[1], "s/b#0/0/do"));
	ends_close(&ends);
}
END_TEST

/* Neither stands behind the other, and what is asked is no dead letter. */
START_TEST(test_inquiries_and_commands_do_not_mix)
{
	struct inquiry_message inquiry = {.limit = 7}, heard;
	struct command_message polled;
	struct inbox_message message;
	struct ends ends;

	ends_open(&ends, _i);
	if (carries_inquiries(&ends)) {
		for (int n = 0; n < 2 * WINDOW; n++) { /* more than are taken at once */
			char id[16];
			const struct command_message command = {
				.id = {id, (size_t)snprintf(id, sizeof id, "s-%d", n)},
				.participant = SLICE_LITERAL("stock"),
				.command = SLICE_LITERAL("take"),
				.saga_id = {id, strlen(id)},
				.saga = SLICE_LITERAL("order"),
				.attempt = 1};

			ck_assert_int_eq(bus_send(ends.bus, &command), OK);
		}
		inquire(&ends, &inquiry, &heard);
		tell(&ends, heard.request, "");
		ck_assert_uint_eq(await_answer(&ends).request, inquiry.request);
		ends_travel(&ends);
		ck_assert(port_poll(ends.port, &polled) && slice_is(polled.id, "s-0"));
		ck_assert(!bus_poll(ends.bus, &message));
	}
	ends_close(&ends);
}
END_TEST

START_TEST(test_an_answer_that_nobody_waits_for_is_dropped)
{
	struct inquiry_message forgotten = {.limit = 7}, wanted = {.limit = 8}, heard;
	struct inbox_message message;
	struct inquired inquired;
	struct ends ends;

	ends_open(&ends, _i);
	if (carries_inquiries(&ends)) {
		inquire(&ends, &forgotten, &heard);
		bus_forget(ends.bus, forgotten.request);
		tell(&ends, heard.request, "late");
		inquire(&ends, &wanted, &heard);
		tell(&ends, heard.request, "");
		tell(&ends, heard.request, "again");
		inquired = await_answer(&ends);
		ck_assert_uint_eq(inquired.request, wanted.request);
		ck_assert(!inquired.records.next.len);
		ends_travel(&ends);
		ck_assert(!bus_inquired(ends.bus, &inquired));
		ck_assert(!bus_poll(ends.bus, &message));
	}
	ends_close(&ends);
}
END_TEST

START_TEST(test_too_many_inquiries)
{
	struct inquiry_message inquiry = {.limit = 7}, heard;
	uint64_t asked[INQUIRIES_MAX];
	struct ends ends;
	int n = 0;

	ends_open(&ends, _i);
	if (carries_inquiries(&ends)) {
		inquire(&ends, &inquiry, &heard);
		asked[n++] = inquiry.request;
		while (!bus_inquire(ends.bus, SLICE_LITERAL("stock"), &inquiry, NULL)) {
			ck_assert_int_lt(n, INQUIRIES_MAX);
			asked[n++] = inquiry.request;
		}
		ck_assert_int_eq(n, ends.implementation->kafka ? (int)INQUIRIES_MAX
							       : INQUIRIES_OF_PROCESS_MAX);
		ck_assert_int_eq(bus_inquire(ends.bus, SLICE_LITERAL("stock"), &inquiry, NULL),
				 ERR_BUSY);
		tell(&ends, heard.request, "");
		ck_assert_uint_eq(await_answer(&ends).request, asked[0]);
		ask(&ends, &inquiry);
	}
	ends_close(&ends);
}
END_TEST

/* Where the brokers do not say who is there, as the mock, it is one that does not answer. */
START_TEST(test_nobody_can_be_asked)
{
	struct inquiry_message inquiry = {.limit = 7};
	int64_t end_ms = now_ms() + KAFKA_MS;
	struct inquired inquired;
	struct diag diag = {""};
	struct ends ends;
	enum err err;

	ends_open(&ends, _i);
	if (carries_inquiries(&ends)) {
		do {
			take_turn(&ends);
			err = bus_inquire(ends.bus, SLICE_LITERAL("away"), &inquiry, &diag);
			ck_assert_msg(now_ms() < end_ms, "it says: %s", diag.text);
		} while (err == ERR_BUSY);
		ck_assert_int_eq(err, ends.between.mock.rk ? OK : ERR_NOT_FOUND);
		take_turn(&ends);
		ck_assert(!bus_inquired(ends.bus, &inquired));
	}
	ends_close(&ends);
}
END_TEST

static void add(TCase *tcase)
{
	ends_add_loop(tcase, test_an_inquiry_and_its_answer_arrive_whole);
	ends_add_loop(tcase, test_inquiries_and_commands_do_not_mix);
	ends_add_loop(tcase, test_an_answer_that_nobody_waits_for_is_dropped);
	ends_add_loop(tcase, test_too_many_inquiries);
	ends_add_loop(tcase, test_nobody_can_be_asked);
}

int main(void)
{
	ends_kafka = kafka_broker_find();
	return suite_run("bus_inquiry", add);
}
