/* test_engine_shards.c - engines that share a store: shards that come and go while sagas
 * are under way, one that lost some and does not know it, children, definitions */
#include "bus/bus_memory.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/engine/owners.h"
#include "orchestrator/store/record.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/desk.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { N = 4, ENGINES = 2, TOLD_MAX = 200 };

static const char waits[] =
	"saga: waits\nversion: 1.0.0\nsteps:\n"
	"  - take: { call: desk.take, timeout: 1h, undo: { call: desk.back } }\n"
	"  - go: { await: { event: go, timeout: 2h, then: compensate } }\n";
static const char family[] = "saga: family\nversion: 1.0.0\nsteps:\n"
			     "  - part: { saga: waits }\n";
static const char sleeps[] = "saga: sleeps\nversion: 1.0.0\nsteps:\n  - nap: { sleep: 1m }\n";

/* One orchestrator. All have the same store, and the participant is the test. */
struct site {
	struct store *store;
	struct bus *bus;
	struct engine *engine;
	char told[TOLD_MAX][96]; /* "ID REVISION", as observed */
	int n_told;
	struct bus_ops loud; /* of a bus to which somebody listens */
	uint64_t heard;      /* the numbers of events, a bit each */
};

static struct world {
	struct clock_sim clock;
	struct vault *vault;
	struct post *posts[ENGINES];
	struct port *ports[ENGINES];
	struct site sites[ENGINES];
	struct arena arena;
} world;

static void observe(void *context, const struct definition *definition,
		    const struct saga_row *row, const struct saga *saga,
		    const struct entry *entries, size_t n_entries, uint64_t first)
{
	struct site *site = context;

	ck_assert_int_lt(site->n_told, TOLD_MAX);
	snprintf(site->told[site->n_told++], sizeof site->told[0], "%.*s %llu",
		 SLICE_ARG(row->id), (unsigned long long)row->revision);
}

static void open_site(int i)
{
	struct site *site = &world.sites[i];
	struct engine_parts parts = {.clock = &world.clock.base, .seed = (uint64_t)i};
	char url[32];

	*site = (struct site){.n_told = 0};
	snprintf(url, sizeof url, "http://host:%d", i);
	site->store = parts.store = store_memory_share(world.vault, url);
	site->bus = parts.bus = bus_memory_open(world.posts[i]);
	ck_assert_int_eq(desk_open(&parts, &site->engine, NULL), OK);
	engine_observe(site->engine, observe, site);
}

static void close_site(int i)
{
	struct site *site = &world.sites[i];

	engine_close(site->engine);
	bus_close(site->bus);
	store_close(site->store);
}

static void enter(void)
{
	world = (struct world){.vault = vault_new()};
	clock_sim_init(&world.clock, 1700000000000);
	for (int i = 0; i < ENGINES; i++) {
		world.posts[i] = post_new();
		world.ports[i] = port_memory_open(world.posts[i], "desk");
		open_site(i);
	}
	ck_assert_int_eq(desk_deploy_text(world.sites[0].engine, waits), OK);
	ck_assert_int_eq(desk_deploy_text(world.sites[0].engine, family), OK);
	ck_assert_int_eq(desk_deploy_text(world.sites[0].engine, sleeps), OK);
}

static void leave(void)
{
	for (int i = 0; i < ENGINES; i++) {
		close_site(i);
		port_close(world.ports[i]);
		post_free(world.posts[i]);
	}
	vault_free(world.vault);
	arena_release(&world.arena);
}

static enum err turn(int i)
{
	size_t n;

	return engine_turn(world.sites[i].engine, &n);
}

static void run(int i)
{
	for (int n = 0; n < 10; n++)
		ck_assert_int_eq(turn(i), OK);
}

static void advance(int64_t ms)
{
	world.clock.now_ms += ms;
}

/* "02" of n. */
static void own(int i, const char *names, uint32_t n)
{
	struct shards shards = {.n = n};

	for (; *names; names++)
		shards_add(&shards, (uint32_t)(*names - '0'));
	ck_assert_int_eq(engine_own(world.sites[i].engine, &shards), OK);
	ck_assert_int_eq(turn(i), OK);
}

static const char *id_in(uint32_t shard, int number)
{
	static char ids[8][16];
	static int at;
	char *id = ids[at++ % 8];

	for (int i = 0;; i++) {
		snprintf(id, 16, "s%d-%d", number, i);
		if (shard_of(slice_of(id), N) == shard)
			return id;
	}
}

static enum err start(int i, const char *saga, const char *id)
{
	return desk_start(world.sites[i].engine, saga, id, "{}", NULL);
}

static size_t live(int i)
{
	return desk_live(world.sites[i].engine);
}

static enum err cancel(int i, const char *id)
{
	const struct event event = {.type = EVENT_CANCEL, .step = NO_STEP};

	return desk_operate(world.sites[i].engine, slice_of(id), (struct slice){0}, &event,
			    NULL);
}

static enum status status(const char *id)
{
	struct saga_row row;
	struct slice record;

	ck_assert_int_eq(
		store_get(world.sites[0].store, slice_of(id), &world.arena, &row, &record), OK);
	return row.status;
}

/* The commands that are there, "ID#ATTEMPT ...", each answered as told; NULL: not. */
static const char *commands(int i, const char *output)
{
	static char text[512];
	struct command_message command;

	text[0] = '\0';
	while (port_poll(world.ports[i], &command)) {
		size_t len = strlen(text);
		struct reply_message reply = {.id = command.id,
					      .attempt = command.attempt,
					      .outcome = MESSAGE_OK,
					      .output = slice_of(output)};

		snprintf(text + len, sizeof text - len, "%.*s#%u ", SLICE_ARG(command.id),
			 (unsigned)command.attempt);
		if (output)
			ck_assert_int_eq(port_reply(world.ports[i], &reply), OK);
	}
	return text;
}

/* --- whose ---------------------------------------------------------------------------- */

START_TEST(test_each_begins_what_is_its_own)
{
	struct slice url;

	enter();
	ck_assert_int_eq(start(0, "waits", "x"), ERR_BUSY); /* nothing is ours yet */
	own(0, "01", N);
	own(1, "23", N);
	ck_assert_int_eq(start(0, "waits", id_in(1, 1)), OK);
	ck_assert_int_eq(start(0, "waits", id_in(2, 1)), ERR_BUSY);
	ck_assert_int_eq(start(1, "waits", id_in(2, 1)), OK);
	ck_assert_int_eq(cancel(0, id_in(2, 1)), ERR_BUSY);
	ck_assert_int_eq(cancel(1, id_in(2, 1)), OK);
	for (int n = 0; n < 20; n++) /* the ids are made so that they are */
		ck_assert_int_eq(start(n % 2, "waits", ""), OK);
	ck_assert_uint_eq(live(0), 11);
	ck_assert_int_eq(engine_read_owners(world.sites[0].engine), OK);
	ck_assert_int_eq(engine_owner(world.sites[0].engine, slice_of(id_in(0, 1)), &url),
			 OWNER_OURS);
	ck_assert_int_eq(engine_owner(world.sites[0].engine, slice_of(id_in(3, 1)), &url),
			 OWNER_OTHER);
	ck_assert(slice_is(url, "http://host:1"));
	leave();
}
END_TEST

START_TEST(test_what_comes_is_loaded_and_what_goes_is_dropped)
{
	const char *id = id_in(1, 1), *stays = id_in(0, 1);
	char sent[64];

	enter();
	own(0, "01", N);
	ck_assert_int_eq(start(0, "waits", id), OK);
	ck_assert_int_eq(start(0, "waits", stays), OK);
	commands(0, NULL);
	own(0, "0", N);
	ck_assert_uint_eq(live(0), 1);
	own(1, "1", N);
	ck_assert_uint_eq(live(1), 1);
	snprintf(sent, sizeof sent, "%s/take#0/0/do#1 ", id);
	ck_assert_str_eq(commands(1, "{}"), sent);
	run(1);
	ck_assert_int_eq(cancel(1, id), OK);
	commands(1, "{}");
	run(1);
	ck_assert_int_eq(status(id), STATUS_COMPENSATED);
	ck_assert_str_eq(commands(0, NULL), ""); /* what stays is not sent once more */
	leave();
}
END_TEST

/* A batch that is not stored when its shard goes. */
START_TEST(test_what_is_under_way_is_finished_first)
{
	const char *id = id_in(1, 1);
	const struct start_message message = {.saga = SLICE_LITERAL("waits"),
					      .id = slice_of(id),
					      .input = SLICE_LITERAL("{}")};

	enter();
	own(0, "01", N);
	engine_start(world.sites[0].engine, &message, NULL, NULL);
	own(0, "0", N);
	ck_assert_uint_eq(live(0), 0);
	own(1, "1", N);
	ck_assert_uint_eq(live(1), 1);
	leave();
}
END_TEST

/* --- a zombie ------------------------------------------------------------------------- */

START_TEST(test_who_was_held_drops_what_others_have)
{
	const char *lost = id_in(1, 1), *kept = id_in(0, 1);

	enter();
	own(0, "01", N);
	ck_assert_int_eq(start(0, "sleeps", lost), OK);
	ck_assert_int_eq(start(0, "sleeps", kept), OK);
	own(1, "1", N); /* and nobody tells the first one */
	ck_assert_uint_eq(live(0), 2);
	advance(60001);
	run(1);
	ck_assert_int_eq(status(lost), STATUS_COMPLETED);
	run(0);
	ck_assert_int_eq(status(kept), STATUS_COMPLETED);
	ck_assert_uint_eq(live(0), 0);
	ck_assert_int_eq(start(0, "sleeps", id_in(1, 2)), ERR_BUSY);
	ck_assert_int_eq(start(0, "sleeps", id_in(0, 2)), OK);
	leave();
}
END_TEST

/* Whoever has nothing to do sees it within a minute. */
START_TEST(test_who_is_idle_sees_it_too)
{
	enter();
	own(0, "01", N);
	ck_assert_int_eq(start(0, "waits", id_in(1, 1)), OK);
	own(1, "1", N);
	run(0);
	ck_assert_uint_eq(live(0), 1);
	ck_assert_int_le(engine_wake_ms(world.sites[0].engine), world.clock.now_ms + 60000);
	advance(60000);
	run(0);
	ck_assert_uint_eq(live(0), 0);
	/* It is ours again, as the bus says: what the other one did is read. */
	ck_assert_int_eq(cancel(1, id_in(1, 1)), OK);
	own(0, "01", N);
	ck_assert_uint_eq(live(0), 1);
	for (int n = 0; n < 2; n++) { /* what was under way, and its undo */
		commands(0, "{}");
		run(0);
	}
	ck_assert_int_eq(status(id_in(1, 1)), STATUS_COMPENSATED);
	leave();
}
END_TEST

/* --- others ---------------------------------------------------------------------------- */

START_TEST(test_a_child_goes_with_its_parent)
{
	const char *id = id_in(2, 1);
	const struct signal_message go = {.event = SLICE_LITERAL("go")};
	char sent[96];
	struct signal_message signal = go;
	const char *end;

	enter();
	own(0, "0123", N);
	ck_assert_int_eq(start(0, "family", id), OK);
	run(0);
	ck_assert_uint_eq(live(0), 2);
	own(0, "013", N);
	ck_assert_uint_eq(live(0), 0);
	own(1, "2", N);
	ck_assert_uint_eq(live(1), 2);
	snprintf(sent, sizeof sent, "%s", commands(1, "{}"));
	ck_assert_msg(strncmp(sent, id, strlen(id)) == 0 && sent[strlen(id)] == ':', "%s",
		      sent);
	run(1);
	end = strchr(sent, '/');
	signal.saga_id = (struct slice){sent, (size_t)(end - sent)};
	engine_signal(world.sites[1].engine, &signal, NULL, NULL);
	run(1);
	ck_assert_int_eq(status(id), STATUS_COMPLETED);
	leave();
}
END_TEST

/* Nothing is left behind, whoever has it then. */
START_TEST(test_another_number_of_shards)
{
	enum { SAGAS = 24 };

	enter();
	own(0, "01", N);
	own(1, "23", N);
	for (int n = 0; n < SAGAS; n++)
		ck_assert_int_eq(start(n % 2, "sleeps", ""), OK);
	own(1, "4567", 2 * N);
	run(0);
	own(0, "0123", 2 * N);
	ck_assert_uint_eq(live(0) + live(1), SAGAS);
	advance(60001);
	run(0);
	run(1);
	ck_assert_uint_eq(live(0) + live(1), 0);
	leave();
}
END_TEST

/* What was deployed at another one. */
START_TEST(test_definitions_of_others_are_known)
{
	enter();
	own(0, "01", N);
	own(1, "23", N);
	ck_assert_int_eq(desk_deploy_text(world.sites[1].engine,
					  "saga: sleeps\nversion: 2.0.0\nsteps:\n"
					  "  - nap: { sleep: 1s }\n"),
			 OK);
	advance(1000);
	ck_assert_int_eq(start(0, "sleeps", id_in(0, 1)), OK);
	advance(1001);
	run(0);
	ck_assert_int_eq(status(id_in(0, 1)), STATUS_COMPLETED);
	leave();
}
END_TEST

/* --- news ------------------------------------------------------------------------------ */

static bool was_told(int i, const char *id, int revision)
{
	char text[96];

	snprintf(text, sizeof text, "%s %d", id, revision);
	for (int n = 0; n < world.sites[i].n_told; n++)
		if (strcmp(world.sites[i].told[n], text) == 0)
			return true;
	return false;
}

/* Of a saga that has ended, too; and nobody tells it a third time. */
START_TEST(test_what_one_did_not_tell_is_told_by_the_next)
{
	const char *ended = id_in(1, 1), *next = id_in(1, 2), *own_one = id_in(1, 3);

	enter();
	own(0, "01", N);
	ck_assert_int_eq(start(0, "sleeps", ended), OK);
	ck_assert_int_eq(start(0, "sleeps", next), OK);
	advance(60001);
	ck_assert_int_eq(turn(0), OK); /* both have ended, and that is the newest batch */
	close_site(0);
	open_site(0);
	own(1, "1", N);
	run(1);
	ck_assert(was_told(1, ended, 2) && was_told(1, next, 2));
	for (int n = 0; n < 3; n++) { /* it has arrived with batches of our own */
		advance(6000);
		ck_assert_int_eq(start(1, "sleeps", n ? "" : own_one), OK);
		run(1);
	}
	own(0, "1", N);
	run(0);
	ck_assert(!was_told(0, ended, 2) && !was_told(0, next, 2));
	leave();
}
END_TEST

static enum err hear(struct bus *bus, const struct event_message *event)
{
	for (int i = 0; i < ENGINES; i++)
		if (world.sites[i].bus == bus)
			world.sites[i].heard |= UINT64_C(1) << event->number;
	return OK;
}

/* From the first one on, without a gap. */
static bool heard_all(int i)
{
	uint64_t heard = world.sites[i].heard >> 1;

	return heard && !(heard & (heard + 1));
}

static bool never_crowded(const struct bus *bus)
{
	return false;
}

static uint64_t never_arrives(struct bus *bus, uint64_t batch)
{
	return 0;
}

static void listen(int i)
{
	struct site *site = &world.sites[i];

	site->loud = *site->bus->ops;
	site->loud.publish = hear;
	site->loud.crowded = never_crowded;
	site->loud.arrived = never_arrives;
	site->bus->ops = &site->loud;
	site->heard = 0;
}

/* Each dies with what it published on its way, so that the next one begins with the first
 * entry again, also of sagas that the one before has loaded and changed. */
START_TEST(test_what_never_arrives_is_published_by_each)
{
	const char *id = id_in(1, 1);

	enter();
	for (int i = 0; i < ENGINES; i++)
		listen(i);
	own(0, "1", N);
	ck_assert_int_eq(start(0, "waits", id), OK);
	ck_assert(heard_all(0));
	own(1, "1", N);
	ck_assert(heard_all(1));
	ck_assert_int_eq(cancel(1, id), OK); /* the first that it stores */
	close_site(0);
	open_site(0);
	listen(0);
	own(0, "1", N);
	ck_assert(heard_all(0));
	leave();
}
END_TEST

/* Somebody wrote it before he could know that his shard is lost, as two do that ask a
 * store over a network. */
static struct store *archive;

static enum err commit_late(struct store *store, const struct store_batch *batch,
			    struct saga_write *writes, size_t n,
			    const struct audit_entry *audit, size_t n_audit)
{
	return store_commit(archive, batch, writes, n, audit, n_audit);
}

static enum err look_at_all(struct store *store,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context)
{
	struct store_batch newest;

	return store_load(archive, &store->shards, &newest, visit, context);
}

/* How whoever has the shard now comes upon it. */
enum { LOOKS, CHANGES, BEGINS };
static const char *const ways[] = {"it looks", "it wants to change it, too",
				   "it wants to begin it, too"};

static void come_upon(int way, const char *id)
{
	if (way == BEGINS) {
		ck_assert_int_eq(start(0, "waits", id), OK);
		advance(1); /* or it is the same record, and taken for its own */
		ck_assert_int_eq(start(1, "waits", id), OK);
		ck_assert_int_eq(cancel(1, id), OK);
		return;
	}
	ck_assert_int_eq(cancel(0, id), OK);
	advance(1);
	if (way == CHANGES)
		ck_assert_int_eq(cancel(1, id), ERR_BUSY);
	else
		world.sites[1].store->stirred = true;
}

/* Nobody else publishes it, and it counts as news as long as it may be on its way. */
START_TEST(test_what_came_too_late_is_published_by_each)
{
	const char *id = id_in(1, 1);
	struct store_ops late, looks;

	enter();
	archive = store_memory_open(world.vault);
	for (int i = 0; i < ENGINES; i++)
		listen(i);
	late = looks = *world.sites[0].store->ops;
	late.commit = commit_late;
	looks.look = look_at_all;
	world.sites[0].store->ops = &late;
	world.sites[1].store->ops = &looks;
	own(0, "1", N);
	if (_i != BEGINS)
		ck_assert_int_eq(start(0, "waits", id), OK);
	own(1, "1", N);
	come_upon(_i, id);
	for (int n = 0; n < 3; n++) {
		run(1);
		commands(1, "{}");
	}
	ck_assert_int_eq(status(id), STATUS_COMPENSATED);
	ck_assert_msg(heard_all(1), "%s", ways[_i]);
	close_site(0);
	open_site(0);
	listen(0);
	own(0, "1", N);
	ck_assert_msg(heard_all(0), "%s", ways[_i]);
	store_close(archive);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_each_begins_what_is_its_own);
	tcase_add_test(tcase, test_what_comes_is_loaded_and_what_goes_is_dropped);
	tcase_add_test(tcase, test_what_is_under_way_is_finished_first);
	tcase_add_test(tcase, test_who_was_held_drops_what_others_have);
	tcase_add_test(tcase, test_who_is_idle_sees_it_too);
	tcase_add_test(tcase, test_a_child_goes_with_its_parent);
	tcase_add_test(tcase, test_another_number_of_shards);
	tcase_add_test(tcase, test_definitions_of_others_are_known);
	tcase_add_test(tcase, test_what_one_did_not_tell_is_told_by_the_next);
	tcase_add_test(tcase, test_what_never_arrives_is_published_by_each);
	tcase_add_loop_test(tcase, test_what_came_too_late_is_published_by_each, 0, ROWS(ways));
}

int main(void)
{
	return suite_run("engine_shards", add);
}
