/* test_engine_news.c - who observes is told of every change, in order, whatever dies
 * at whatever moment; over every store */
#include "bus/bus_memory.h"
#include "orchestrator/core/timeline.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/record.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/desk.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"
#include "tests/lib/trio.h"
#include "tests/lib/tripwire.h"

#include <stdio.h>

enum { ENTRIES_MAX = 64 };

/* What the observer knows of one saga. */
struct known {
	uint64_t revision;
	enum status status;
	size_t n_entries;
	char entries[ENTRIES_MAX][80];
	size_t n_newest; /* of them came with this revision */
	unsigned n_again;
};

struct ear {
	struct shelf shelf;
	struct clock_sim clock;
	struct post *post;
	struct port *shop;
	struct tripwire wire;
	struct known known[TRIO];
	bool deaf;

	/* The orchestrator. */
	struct bus *bus;
	struct store_tripwire store_wire;
	struct bus_tripwire bus_wire;
	struct engine *engine;
};

static void describe(const struct entry *entry, char out[80])
{
	snprintf(out, 80, "%d %d %u %lld %.*s", (int)entry->type, (int)entry->step,
		 (unsigned)entry->attempt, (long long)entry->at_ms, SLICE_ARG(entry->detail));
}

/* A change is the next one, or the newest once more. */
static void observe(void *context, const struct definition *definition,
		    const struct saga_row *row, const struct saga *saga,
		    const struct entry *entries, size_t n_entries, uint64_t first)
{
	struct ear *ear = context;
	struct known *known = &ear->known[row->id.at[row->id.len - 1] - '0'];

	if (tripwire_pull(&ear->wire) || ear->deaf)
		return;
	ck_assert(slice_is(definition->name, "errand"));
	ck_assert(slice_equal(saga->id, row->id));
	ck_assert_uint_eq(saga->revision, row->revision);
	ck_assert_int_eq(saga_status(saga), row->status);
	ck_assert_uint_ge(row->revision, known->revision);
	if (row->revision == known->revision) {
		known->n_again++;
		known->n_entries -= known->n_newest;
	}
	known->revision = row->revision;
	known->status = row->status;
	known->n_newest = n_entries;
	for (size_t i = 0; i < n_entries; i++) {
		ck_assert_uint_lt(known->n_entries, ENTRIES_MAX);
		describe(&entries[i], known->entries[known->n_entries++]);
	}
}

static void boot(struct ear *ear)
{
	struct engine_parts parts = {.clock = &ear->clock.base};

	ear->bus = bus_memory_open(ear->post);
	parts.store = store_tripwire_init(&ear->store_wire, ear->shelf.store, &ear->wire);
	parts.bus = bus_tripwire_init(&ear->bus_wire, ear->bus, &ear->wire);
	ck_assert_int_eq(desk_open(&parts, &ear->engine, NULL), OK);
	ck_assert_int_eq(desk_deploy_text(ear->engine, trio_errand), OK);
	engine_observe(ear->engine, observe, ear);
}

static void shut(struct ear *ear)
{
	engine_close(ear->engine);
	bus_close(ear->bus);
}

static void ear_open(struct ear *ear, enum shelf_kind kind)
{
	*ear = (struct ear){.wire.calls_left = -1};
	clock_sim_init(&ear->clock, 1700000000000);
	shelf_open(&ear->shelf, kind);
	ear->post = post_new();
	ear->shop = port_memory_open(ear->post, "shop");
	boot(ear);
}

static void ear_close(struct ear *ear)
{
	shut(ear);
	port_close(ear->shop);
	post_free(ear->post);
	shelf_close(&ear->shelf);
}

/* The orchestrator dies, and another one begins on what is left. */
static void restart(struct ear *ear)
{
	shut(ear);
	ear->wire = (struct tripwire){.calls_left = -1};
	shelf_reopen(&ear->shelf);
	boot(ear);
}

static void turn(struct ear *ear)
{
	size_t n;

	/* What a dead one says is of no account. */
	(void)!engine_turn(ear->engine, &n);
}

static void ignore_answer(void *context, const struct answer *answer)
{
}

/* All that is to happen: what was done already is done once more, to no effect. */
static void start_all(struct ear *ear)
{
	for (int i = 0; i < TRIO; i++) {
		char id[TRIO_ID_SIZE];
		struct start_message start = {.saga = SLICE_LITERAL("errand"),
					      .input = SLICE_LITERAL("{}")};

		trio_id(i, id);
		start.id = slice_of(id);
		engine_start(ear->engine, &start, ignore_answer, NULL);
		if (i != 1) /* two are begun in one batch */
			turn(ear);
	}
}

static void go_on(struct ear *ear)
{
	start_all(ear);
	for (int i = 0; i < 6; i++) {
		trio_serve(ear->shop);
		turn(ear);
		clock_sim_advance(&ear->clock, 10);
	}
}

/* It was told all that is in the timeline, and how it ended. */
static void check_known(struct ear *ear, int i)
{
	struct known *known = &ear->known[i];
	struct slice record, bytes, text;
	struct timeline timeline;
	struct saga_row row;
	char id[TRIO_ID_SIZE];
	size_t n = 0;

	trio_id(i, id);
	ck_assert_int_eq(
		store_get(ear->shelf.store, slice_of(id), &ear->shelf.arena, &row, &record),
		OK);
	ck_assert_int_eq(record_split(record, &bytes, &text), OK);
	ck_assert_int_eq(timeline_read(text, &timeline, NULL), OK);
	ck_assert_int_eq(row.status, i == 0 ? STATUS_COMPENSATED : STATUS_COMPLETED);
	ck_assert_uint_eq(known->revision, row.revision);
	ck_assert_int_eq(known->status, row.status);
	ck_assert_uint_eq(known->n_entries, timeline.n_entries);
	for (struct timeline_each each = timeline_each(&timeline); timeline_next(&each); n++) {
		char expected[80];

		describe(&each.entry, expected);
		ck_assert_str_eq(known->entries[n], expected);
	}
}

/* Call by call of store, bus and observer the orchestrator dies there. */
START_TEST(test_whatever_dies_all_is_told)
{
	unsigned n_again = 0;
	bool fired = true;
	long n = 0;

	for (; fired; n++) {
		struct ear ear;

		ear_open(&ear, (enum shelf_kind)_i);
		ear.wire = (struct tripwire){.calls_left = n, .effect = TRIPWIRE_DIES};
		go_on(&ear);
		fired = ear.wire.fired;
		restart(&ear);
		go_on(&ear);
		for (int i = 0; i < TRIO; i++) {
			check_known(&ear, i);
			n_again += ear.known[i].n_again;
		}
		ear_close(&ear);
	}
	ck_assert_int_gt(n, 30);
	ck_assert_uint_gt(n_again, 0);
}
END_TEST

/* It is told again until a later batch says that it was. */
START_TEST(test_the_last_batch_is_told_again)
{
	struct ear ear;
	struct known before;

	ear_open(&ear, (enum shelf_kind)_i);
	go_on(&ear);
	before = ear.known[0];
	for (unsigned i = 1; i < 4; i++) {
		restart(&ear);
		ck_assert_int_eq(engine_wake_ms(ear.engine), 0);
		turn(&ear);
		/* Where there are shards it looks whose they are, and that is all. */
		ck_assert_int_ge(engine_wake_ms(ear.engine), ear.clock.now_ms + 60000);
		/* That was the end of the first one; the others ended before. */
		ck_assert_uint_eq(ear.known[0].n_again, i);
		ck_assert_uint_eq(ear.known[1].n_again, 0);
		ck_assert_uint_eq(ear.known[0].revision, before.revision);
		ck_assert_uint_eq(ear.known[0].n_entries, before.n_entries);
	}
	check_known(&ear, 0);
	ear_close(&ear);
}
END_TEST

START_TEST(test_what_was_told_again_is_not_told_after_the_next_batch)
{
	struct start_message start = {.saga = SLICE_LITERAL("errand"),
				      .id = SLICE_LITERAL("late-2"),
				      .input = SLICE_LITERAL("{}")};
	struct ear ear;

	ear_open(&ear, (enum shelf_kind)_i);
	go_on(&ear);
	restart(&ear);
	turn(&ear);
	ck_assert_uint_eq(ear.known[0].n_again, 1);
	ear.deaf = true;
	engine_start(ear.engine, &start, ignore_answer, NULL);
	turn(&ear);
	restart(&ear);
	ear.deaf = false;
	ear.known[2] = (struct known){0};
	turn(&ear);
	ck_assert_uint_eq(ear.known[0].n_again, 1);
	ck_assert_uint_eq(ear.known[2].revision, 1);
	ck_assert_uint_gt(ear.known[2].n_entries, 0);
	ear_close(&ear);
}
END_TEST

/* Nobody observes; and closing before the first turn. */
START_TEST(test_nobody_is_told)
{
	struct ear ear;

	ear_open(&ear, (enum shelf_kind)_i);
	go_on(&ear);
	restart(&ear);
	engine_observe(ear.engine, NULL, NULL);
	turn(&ear);
	ck_assert_uint_eq(ear.known[0].n_again, 0);
	restart(&ear);
	ear_close(&ear);
}
END_TEST

/* What could not be told for want of memory is told in a later turn, before anything
 * else happens. */
START_TEST(test_no_memory_to_tell_again)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct ear ear;
		enum err err;
		size_t taken;

		ear_open(&ear, (enum shelf_kind)_i);
		go_on(&ear);
		restart(&ear);
		start_all(&ear);
		fail_malloc_at(n);
		err = engine_turn(ear.engine, &taken);
		fired = fail_malloc_off();
		ck_assert(!err || (fired && (err == ERR_NOMEM || err == ERR_UNAVAILABLE)));
		clock_sim_advance(&ear.clock, 100);
		turn(&ear);
		ck_assert_uint_eq(ear.known[0].n_again, 1);
		check_known(&ear, 0);
		ear_close(&ear);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_whatever_dies_all_is_told, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_the_last_batch_is_told_again, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_what_was_told_again_is_not_told_after_the_next_batch, 0,
			    shelf_kinds);
	tcase_add_loop_test(tcase, test_nobody_is_told, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_no_memory_to_tell_again, 0, shelf_kinds);
}

int main(void)
{
	shelf_find();
	return suite_run("engine_news", add);
}
