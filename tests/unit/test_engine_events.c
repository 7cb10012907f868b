/* test_engine_events.c - what is published is there at least once and in order, whatever
 * dies at whatever moment and however long it takes; over every store. And that
 * docs/protocol.md shows the very thing. */
#include "base/json.h"
#include "bus/bus_memory.h"
#include "bus/kafka/events.h"
#include "orchestrator/core/timeline.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/explain/entry_json.h"
#include "orchestrator/store/record.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/desk.h"
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"
#include "tests/lib/trio.h"
#include "tests/lib/tripwire.h"

#include <stdio.h>
#include <stdlib.h>

enum { EVENTS_MAX = 8000, TEXT_SIZE = 400, START_MS = 1700000 };

static const int lags[] = {0, 1, 3};

static const char tour[] =
	"saga: tour\n"
	"version: 1.0.0\n"
	"input: { schema: { type: object, required: [stops], properties: "
	"{ stops: { type: array, maxItems: 600 } } } }\n"
	"steps:\n"
	"  - visit:\n"
	"      each: { in: =input.stops, as: stop, max: 600, steps: [ { look: { kind: "
	"readonly, call: shop.fetch, timeout: 1s } }, { buy: { kind: "
	"readonly, call: shop.pay, timeout: 1s } } ] }\n";

struct heard {
	char saga_id[16];
	uint64_t number;
	int turn; /* in which it was published */
	int64_t at_ms;
	char what[32];
	char text[TEXT_SIZE];
};

/* A bus to which somebody listens, in front of the one in memory. */
struct loud_bus {
	struct bus base; /* first, so that the two pointers are one */
	struct hall *hall;
	struct bus *real;
	size_t first, n; /* events on their way: gone when it dies */
	struct heard *away;
	uint64_t mark, mark_batch, arrived;
	size_t n_put, n_there;
	bool marked, crowded;
	long fails; /* so many are taken, and the next one is not; negative: all are */
};

struct hall {
	struct shelf shelf;
	struct clock_sim clock;
	struct post *post;
	struct port *shop;
	struct tripwire wire;
	int lag, turn;       /* after so many turns it is there; negative: never */
	struct heard *there; /* where anybody reads: for good */
	size_t n_there;

	/* The orchestrator. */
	struct bus *bus;
	struct store_tripwire store_wire;
	struct bus_tripwire bus_wire;
	struct loud_bus loud;
	struct engine *engine;
};

/* --- the bus ------------------------------------------------------------------------ */

static struct bus *real(struct bus *base)
{
	return ((struct loud_bus *)base)->real;
}

static enum err loud_send(struct bus *base, const struct command_message *command)
{
	return bus_send(real(base), command);
}

static bool loud_poll(struct bus *base, struct inbox_message *out)
{
	return bus_poll(real(base), out);
}

static void loud_answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
	bus_answer(real(base), origin, result);
}

static void loud_ended(struct bus *base, uint64_t origin, struct slice id, struct slice status)
{
	bus_ended(real(base), origin, id, status);
}

static void loud_acknowledge(struct bus *base)
{
	bus_acknowledge(real(base));
}

static enum err loud_publish(struct bus *base, const struct event_message *message)
{
	struct loud_bus *bus = (struct loud_bus *)base;
	struct heard *event = &bus->away[bus->first + bus->n];

	if (tripwire_pull(&bus->hall->wire))
		return OK;
	if (bus->fails >= 0 && bus->fails-- == 0)
		return ERR_NOMEM;
	ck_assert_uint_lt(bus->first + bus->n, EVENTS_MAX);
	*event = (struct heard){.number = message->number, .turn = bus->hall->turn};
	snprintf(event->saga_id, sizeof event->saga_id, "%.*s", SLICE_ARG(message->saga_id));
	event->at_ms = message->at_ms;
	snprintf(event->what, sizeof event->what, "%.*s", SLICE_ARG(message->what));
	ck_assert_uint_lt(message->data.len, TEXT_SIZE);
	memcpy(event->text, message->data.at, message->data.len);
	bus->n++;
	bus->n_put++;
	return OK;
}

static bool loud_crowded(const struct bus *base)
{
	return ((const struct loud_bus *)base)->crowded;
}

static uint64_t loud_arrived(struct bus *base, uint64_t batch)
{
	struct loud_bus *bus = (struct loud_bus *)base;

	if (!bus->n)
		bus->arrived = batch;
	if (bus->marked && bus->n_there >= bus->mark) {
		bus->arrived = bus->arrived > bus->mark_batch ? bus->arrived : bus->mark_batch;
		bus->marked = false;
	}
	if (!bus->marked) {
		bus->marked = true;
		bus->mark = bus->n_put;
		bus->mark_batch = batch;
	}
	return bus->arrived;
}

static void arrive(struct hall *hall)
{
	struct loud_bus *bus = &hall->loud;

	while (bus->n && hall->lag >= 0 && !hall->wire.fired &&
	       bus->away[bus->first].turn + hall->lag <= hall->turn) {
		ck_assert_uint_lt(hall->n_there, EVENTS_MAX);
		hall->there[hall->n_there++] = bus->away[bus->first++];
		bus->n--;
		bus->n_there++;
	}
}

/* --- the orchestrator --------------------------------------------------------------- */

static void boot(struct hall *hall)
{
	static const struct bus_ops ops = {
		.send = loud_send,
		.poll = loud_poll,
		.answer = loud_answer,
		.ended = loud_ended,
		.acknowledge = loud_acknowledge,
		.publish = loud_publish,
		.crowded = loud_crowded,
		.arrived = loud_arrived,
	};
	struct engine_parts parts = {.clock = &hall->clock.base, .bus = &hall->loud.base};

	hall->bus = bus_memory_open(hall->post);
	hall->loud = (struct loud_bus){.base = {&ops}, .hall = hall, .fails = -1};
	hall->loud.real = bus_tripwire_init(&hall->bus_wire, hall->bus, &hall->wire);
	hall->loud.away = calloc(EVENTS_MAX, sizeof *hall->loud.away);
	parts.store = store_tripwire_init(&hall->store_wire, hall->shelf.store, &hall->wire);
	ck_assert_int_eq(desk_open(&parts, &hall->engine, NULL), OK);
	ck_assert_int_eq(desk_deploy_text(hall->engine, trio_errand), OK);
	ck_assert_int_eq(desk_deploy_text(hall->engine, tour), OK);
}

static void shut(struct hall *hall)
{
	engine_close(hall->engine);
	bus_close(hall->bus);
	free(hall->loud.away);
}

static void hall_open(struct hall *hall, int kind, int lag)
{
	*hall = (struct hall){.wire.calls_left = -1, .lag = lag};
	clock_sim_init(&hall->clock, START_MS);
	shelf_open(&hall->shelf, (enum shelf_kind)kind);
	hall->post = post_new();
	hall->shop = port_memory_open(hall->post, "shop");
	hall->there = calloc(EVENTS_MAX, sizeof *hall->there);
	boot(hall);
}

static void hall_close(struct hall *hall)
{
	shut(hall);
	port_close(hall->shop);
	post_free(hall->post);
	shelf_close(&hall->shelf);
	free(hall->there);
}

/* The orchestrator dies with what is on its way, and another one begins on what is
 * left. */
static void restart(struct hall *hall)
{
	shut(hall);
	hall->wire = (struct tripwire){.calls_left = -1};
	shelf_reopen(&hall->shelf);
	boot(hall);
}

static size_t turn(struct hall *hall)
{
	size_t n = 0;

	hall->turn++;
	arrive(hall);
	/* What a dead one says is of no account. */
	(void)!engine_turn(hall->engine, &n);
	arrive(hall);
	return n;
}

static void keep_answer(void *context, const struct answer *answer)
{
	*(enum err *)context = answer->err;
}

static enum err start(struct hall *hall, const char *saga, const char *id, const char *input)
{
	struct start_message message = {
		.saga = slice_of(saga), .id = slice_of(id), .input = slice_of(input)};
	static enum err err; /* outlives the call: the answer comes in a later turn */

	err = OK;
	engine_start(hall->engine, &message, keep_answer, &err);
	return err;
}

/* All that is to happen: what was done already is done once more, to no effect. */
static void start_all(struct hall *hall)
{
	for (int i = 0; i < TRIO; i++) {
		char id[TRIO_ID_SIZE];

		trio_id(i, id);
		(void)!start(hall, "errand", id, "{}");
		if (i != 1) /* two are begun in one batch */
			turn(hall);
	}
}

static void go_on(struct hall *hall)
{
	start_all(hall);
	for (int i = 0; i < 8; i++) {
		trio_serve(hall->shop);
		turn(hall);
		clock_sim_advance(&hall->clock, 100);
	}
}

static void go_home(struct hall *hall)
{
	hall->lag = 0;
	for (int i = 0; i < 3; i++)
		turn(hall);
}

/* --- what is true ---------------------------------------------------------------------- */

/* How many events there are of the saga. Once those that came again are left out they are
 * what its timeline says, from its beginning. */
static size_t check_saga(struct hall *hall, const char *id)
{
	struct slice record, bytes, text;
	struct timeline timeline;
	struct timeline_each each;
	struct bytes expected = BYTES(TEXT_SIZE, NULL);
	uint8_t hash[SHA256_SIZE];
	static const char *told[EVENTS_MAX + 1]; /* by number */
	struct saga saga;
	uint64_t n = 0;
	size_t n_all = 0;

	ck_assert_int_eq(
		store_get(hall->shelf.store, slice_of(id), &hall->shelf.arena, NULL, &record),
		OK);
	ck_assert_int_eq(record_split(record, &bytes, &text), OK);
	ck_assert_int_eq(timeline_read(text, &timeline, NULL), OK);
	ck_assert_int_eq(saga_decode(bytes, &hall->shelf.arena, &saga, hash, NULL), OK);
	each = timeline_each(&timeline);
	for (size_t i = 0; i < hall->n_there; i++) {
		const struct heard *event = &hall->there[i];
		const char *entry = strstr(event->text, "\"at\":");

		if (strcmp(event->saga_id, id) != 0)
			continue;
		n_all++;
		ck_assert_msg(event->number <= n + 1, "%s: entry %d behind %d", id,
			      (int)event->number, (int)n);
		if (event->number <= n) {
			ck_assert_str_eq(entry, strstr(told[event->number], "\"at\":"));
			continue;
		}
		told[++n] = event->text;
		if (n > 1 && n <= timeline.n_folded + 1) /* the timeline has it no more */
			continue;
		ck_assert(timeline_next(&each));
		bytes_clear(&expected);
		entry_json(&expected, engine_definition_by_hash(hall->engine, hash), &saga,
			   &each.entry);
		ck_assert_msg(slice_equal(slice_of(entry),
					  (struct slice){expected.at + 1, expected.len - 1}),
			      "%s: %s and not %.*s", id, event->text, (int)expected.len,
			      expected.at);
	}
	ck_assert_uint_eq(n, timeline.n_folded + timeline.n_entries);
	bytes_release(&expected);
	return n_all - n;
}

/* --- tests ------------------------------------------------------------------------------ */

/* Call by call of store and bus the orchestrator dies there. */
START_TEST(test_whatever_dies_all_is_there)
{
	size_t n_again = 0;
	bool fired = true;
	long n = 0;

	for (; fired; n++) {
		struct hall hall;

		hall_open(&hall, _i / ROWS(lags), lags[_i % ROWS(lags)]);
		hall.wire = (struct tripwire){.calls_left = n, .effect = TRIPWIRE_DIES};
		go_on(&hall);
		fired = hall.wire.fired;
		restart(&hall);
		go_on(&hall);
		go_home(&hall);
		for (int i = 0; i < TRIO; i++) {
			char id[TRIO_ID_SIZE];

			trio_id(i, id);
			n_again += check_saga(&hall, id);
		}
		hall_close(&hall);
	}
	ck_assert_int_gt(n, 30);
	ck_assert_uint_gt(n_again, 0);
}
END_TEST

/* Until a later batch has said that it arrived, however long that takes. */
START_TEST(test_what_has_not_arrived_is_told_again)
{
	struct hall hall;
	size_t n;

	hall_open(&hall, _i, -1);
	go_on(&hall);
	ck_assert_uint_eq(hall.n_there, 0);
	restart(&hall);
	go_home(&hall);
	n = hall.n_there;
	for (int i = 0; i < TRIO; i++) {
		char id[TRIO_ID_SIZE];

		trio_id(i, id);
		ck_assert_uint_eq(check_saga(&hall, id), 0);
	}
	ck_assert_int_eq(start(&hall, "errand", "p-1", "{}"), OK);
	turn(&hall);
	restart(&hall);
	turn(&hall);
	ck_assert_uint_gt(hall.n_there, n);
	for (; n < hall.n_there; n++)
		ck_assert_str_eq(hall.there[n].saga_id, "p-1");
	hall_close(&hall);
}
END_TEST

/* A record that says that more than its last batch is news, of a saga that goes on. */
START_TEST(test_what_has_not_arrived_is_told_with_what_is_new)
{
	struct hall hall;

	hall_open(&hall, _i, -1);
	ck_assert_int_eq(start(&hall, "errand", "o-1", "{}"), OK);
	turn(&hall);
	restart(&hall);
	turn(&hall); /* told again, and still on its way */
	trio_serve(hall.shop);
	turn(&hall);
	restart(&hall);
	trio_serve(hall.shop);
	turn(&hall);
	restart(&hall);
	go_home(&hall);
	ck_assert_uint_eq(check_saga(&hall, "o-1"), 0);
	hall_close(&hall);
}
END_TEST

/* Too much is on its way: nothing new is taken, but from who helps. */
START_TEST(test_a_crowded_bus_holds_what_comes)
{
	struct hall hall;
	enum err helped = ERR_BUSY;
	struct operation pause = {.saga_id = SLICE_LITERAL("o-1"), .type = EVENT_PAUSE};

	hall_open(&hall, _i, 1);
	ck_assert_int_eq(start(&hall, "errand", "o-1", "{}"), OK);
	turn(&hall);
	hall.loud.crowded = true;
	ck_assert_int_eq(start(&hall, "errand", "o-2", "{}"), ERR_BUSY);
	trio_serve(hall.shop);
	ck_assert_uint_eq(turn(&hall), 0);
	ck_assert_int_gt(engine_wake_ms(hall.engine), START_MS);
	ck_assert_int_le(engine_wake_ms(hall.engine), START_MS + 100);
	engine_operate(hall.engine, &pause, keep_answer, &helped);
	turn(&hall);
	ck_assert_int_eq(helped, OK);
	hall.loud.crowded = false;
	ck_assert_uint_eq(turn(&hall), 1);
	/* Where there are shards it looks whose they are, and that is all. */
	ck_assert_int_ge(engine_wake_ms(hall.engine), START_MS + 60000);
	ck_assert_int_eq(start(&hall, "errand", "o-2", "{}"), OK);
	go_home(&hall);
	ck_assert_uint_eq(check_saga(&hall, "o-1"), 0);
	hall_close(&hall);
}
END_TEST

/* One after the other cannot be taken: it is told again, and nothing is lost. */
START_TEST(test_no_memory_to_publish)
{
	long n = 0;

	for (long left = -1; left < 0; n++) {
		struct hall hall;

		hall_open(&hall, _i, 0);
		hall.loud.fails = n;
		go_on(&hall);
		go_on(&hall);
		left = hall.loud.fails;
		for (int i = 0; i < TRIO; i++) {
			char id[TRIO_ID_SIZE];

			trio_id(i, id);
			check_saga(&hall, id);
		}
		hall_close(&hall);
	}
	ck_assert_int_gt(n, 20);
}
END_TEST

/* A timeline folds what is old, but not what nobody has been told of. */
START_TEST(test_a_long_saga_waits_until_it_is_heard)
{
	struct bytes input = BYTES(8192, NULL);
	struct hall hall;

	bytes_text(&input, "{\"stops\":[0");
	for (int i = 1; i < 600; i++)
		bytes_format(&input, ",%d", i);
	bytes_text(&input, "]}");
	bytes_add(&input, '\0');
	hall_open(&hall, _i, -1);
	ck_assert_int_eq(start(&hall, "tour", "t-1", input.at), OK);
	for (int i = 0; i < 10; i++) {
		trio_serve(hall.shop);
		turn(&hall);
	}
	ck_assert_int_eq(start(&hall, "errand", "o-1", "{}"), ERR_BUSY);
	restart(&hall);
	for (int i = 0; i < 10; i++) {
		trio_serve(hall.shop);
		turn(&hall);
	}
	hall.lag = 2;
	for (int i = 0; i < 40; i++) {
		trio_serve(hall.shop);
		turn(&hall);
		if (i % 9 == 1) /* where the oldest were folded, too */
			restart(&hall);
	}
	go_home(&hall);
	check_saga(&hall, "t-1");
	ck_assert_uint_gt(hall.n_there, 2400);
	hall_close(&hall);
	bytes_release(&input);
}
END_TEST

/* --- the example ---------------------------------------------------------------------- */

static const char page_path[] = "docs/protocol.md";

static const char order[] =
	"saga: order\n"
	"version: 3.1.0\n"
	"steps:\n"
	"  - reserve: { call: inventory.reserve, timeout: 1s, undo: { call: "
	"inventory.release, timeout: 1s } }\n"
	"  - charge: { kind: pivot, call: payment.charge, timeout: 1s }\n";

/* The block of the page in which this stands. */
static struct json on_page(const char *text, struct arena *arena)
{
	static char page[256 * 1024];
	FILE *file = fopen(page_path, "r");
	const char *at, *end;
	struct json json;
	size_t len;

	ck_assert_msg(file != NULL, "%s: run this test at the root of the tree", page_path);
	len = fread(page, 1, sizeof page - 1, file);
	fclose(file);
	ck_assert_uint_lt(len, sizeof page - 1);
	at = strstr(page, text);
	ck_assert_msg(at != NULL, "%s has no %s", page_path, text);
	end = strstr(at, "\n```");
	while (strncmp(at, "```json\n", strlen("```json\n")) != 0)
		at--;
	at += strlen("```json\n");
	ck_assert_int_eq(json_parse((struct slice){at, (size_t)(end - at)}, sizeof page, arena,
				    &json, NULL),
			 OK);
	return json;
}

static void reply_to(struct hall *hall, struct port *port, enum message_outcome outcome)
{
	struct reply_message reply = {.outcome = outcome};
	struct command_message command;

	ck_assert(port_poll(port, &command));
	reply.id = command.id;
	reply.attempt = command.attempt;
	if (outcome == MESSAGE_REFUSED) {
		reply.code = SLICE_LITERAL("card_declined");
		reply.text = SLICE_LITERAL("the bank says no");
	}
	ck_assert_int_eq(port_reply(port, &reply), OK);
	clock_sim_advance(&hall->clock, 250);
	turn(hall);
}

START_TEST(test_the_page_shows_an_event)
{
	const struct start_message message = {.saga = SLICE_LITERAL("order"),
					      .id = SLICE_LITERAL("order-17"),
					      .key = SLICE_LITERAL("cart-4711"),
					      .input = SLICE_LITERAL("{}")};
	const struct kafka_setup setup = {.prefix = "skald"};
	struct bytes written = BYTES(4096, NULL);
	struct port *inventory, *payment;
	struct json is, shown;
	struct hall hall;
	enum err err = OK;

	hall_open(&hall, SHELF_MEMORY, 0);
	ck_assert_int_eq(desk_deploy_text(hall.engine, order), OK);
	inventory = port_memory_open(hall.post, "inventory");
	payment = port_memory_open(hall.post, "payment");
	clock_sim_set(&hall.clock, 1763715600000);
	engine_start(hall.engine, &message, keep_answer, &err);
	turn(&hall);
	reply_to(&hall, inventory, MESSAGE_OK);
	reply_to(&hall, payment, MESSAGE_REFUSED);
	for (size_t i = 0; i < hall.n_there; i++) {
		const struct heard *heard = &hall.there[i];
		const struct event_message event = {slice_of(heard->saga_id), heard->number,
						    heard->at_ms, slice_of(heard->what),
						    slice_of(heard->text)};

		if (strcmp(heard->what, "refused") == 0)
			events_write(&setup, &event, &written);
	}
	ck_assert_int_eq(json_parse(bytes_slice(&written), 4096, &hall.shelf.arena, &is, NULL),
			 OK);
	shown = on_page("\"specversion\"", &hall.shelf.arena);
	ck_assert_msg(slice_equal(is.text, shown.text), "%s shows\n%.*s\nand it is\n%.*s",
		      page_path, SLICE_ARG(shown.text), SLICE_ARG(is.text));
	port_close(inventory);
	port_close(payment);
	hall_close(&hall);
	bytes_release(&written);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_whatever_dies_all_is_there, 0,
			    shelf_kinds * ROWS(lags));
	tcase_add_loop_test(tcase, test_what_has_not_arrived_is_told_again, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_what_has_not_arrived_is_told_with_what_is_new, 0,
			    shelf_kinds);
	tcase_add_loop_test(tcase, test_a_crowded_bus_holds_what_comes, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_no_memory_to_publish, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_a_long_saga_waits_until_it_is_heard, 0, shelf_kinds);
	tcase_add_test(tcase, test_the_page_shows_an_event);
}

int main(void)
{
	shelf_find();
	return suite_run("engine_events", add);
}
