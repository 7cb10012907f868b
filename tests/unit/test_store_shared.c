/* test_store_shared.c - the part of orchestrator/store/store.h for stores that several
 * share: shards that come and go, who lost one and does not know it, and what was sent */
#include "orchestrator/store/mongo/store_mongo.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/engines.h"
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { KIND_MEMORY, KIND_MONGO, N = 4, STORES = 3 };

static int kinds = KIND_MONGO + 1;

static struct world {
	int kind;
	struct vault *vault;
	char uri[MONGO_URI_SIZE];
	struct store *stores[STORES];
	uint64_t batches[STORES];
	int64_t now_ms; /* another one each time that somebody owns shards */
	struct arena arena;
} world;

static void open_one(int i)
{
	char url[32], instance[32];
	struct diag diag = {""};

	snprintf(url, sizeof url, "http://host:%d", i);
	snprintf(instance, sizeof instance, "instance-%d", i);
	if (world.kind == KIND_MEMORY) {
		world.stores[i] = store_memory_share(world.vault, url);
		ck_assert_ptr_nonnull(world.stores[i]);
		return;
	}
	ck_assert_msg(store_mongo_open(&(struct store_mongo_setup){.uri = world.uri,
								   .url = url,
								   .instance = instance},
				       &world.stores[i], &diag) == OK,
		      "%s", diag.text);
}

static void close_one(int i)
{
	store_close(world.stores[i]);
	world.stores[i] = NULL;
	world.batches[i] = 0;
}

static void enter(int kind)
{
	world = (struct world){.kind = kind};
	if (kind == KIND_MEMORY)
		world.vault = vault_new();
	else
		mongo_database(world.uri);
	for (int i = 0; i < STORES; i++)
		open_one(i);
}

static void leave(void)
{
	for (int i = 0; i < STORES; i++)
		store_close(world.stores[i]);
	if (world.kind == KIND_MEMORY)
		vault_free(world.vault);
	else
		mongo_drop(world.uri);
	arena_release(&world.arena);
}

/* "02": these two of n. */
static struct shards shards_named(const char *names, uint32_t n)
{
	struct shards shards = {.n = n};

	for (; *names; names++)
		shards_add(&shards, (uint32_t)(*names - '0'));
	return shards;
}

static void own(int store, const char *names, uint32_t n)
{
	struct shards shards = shards_named(names, n);

	ck_assert_int_eq(store_own(world.stores[store], &shards, ++world.now_ms), OK);
}

static bool owns(int store, const char *names, uint32_t n)
{
	struct shards shards = shards_named(names, n);

	return shards_equal(&world.stores[store]->shards, &shards);
}

/* An id in that shard of n; the same for the same number. */
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

static enum err put(int store, const char *id, uint64_t revision, const char *record,
		    enum status status)
{
	struct saga_write write = shelf_write((struct shelf_saga){
		.id = id, .revision = revision, .record = record, .status = status});
	struct store_batch batch = {++world.batches[store], world.batches[store] - 1};
	enum err err;

	write.n_news = 1;
	err = store_commit(world.stores[store], &batch, &write, 1, NULL, 0);
	return err ? err : write.result;
}

static enum err note(void *walk, const struct loaded_saga *saga)
{
	char text[64];

	snprintf(text, sizeof text, saga->sent ? "%.*s" : "%.*s!", SLICE_ARG(saga->record));
	return shelf_note(walk, slice_of(text));
}

/* What loading these gives; "" for all that are its own. */
static const char *loaded(int store, const char *names)
{
	static struct shelf_walk visited;
	struct shards which = shards_named(names, N);
	struct store_batch newest;

	visited = (struct shelf_walk){.n = 0};
	ck_assert_int_eq(store_load(world.stores[store], *names ? &which : NULL, &newest, note,
				    &visited),
			 OK);
	return visited.text;
}

/* --- whose ---------------------------------------------------------------------------- */

START_TEST(test_nothing_is_anybodys_before_it_is_taken)
{
	enter(_i);
	ck_assert_uint_eq(shards_count(&world.stores[0]->shards), 0);
	ck_assert_int_eq(put(0, "a", 1, "a", STATUS_RUNNING), ERR_BUSY);
	own(0, "0123", N);
	ck_assert_int_eq(put(0, "a", 1, "a", STATUS_RUNNING), OK);
	leave();
}
END_TEST

START_TEST(test_everybody_writes_his_own)
{
	enter(_i);
	own(0, "01", N);
	own(1, "23", N);
	for (uint32_t i = 0; i < N; i++) {
		ck_assert_int_eq(put(0, id_in(i, 1), 1, "one", STATUS_RUNNING),
				 i < 2 ? OK : ERR_BUSY);
		ck_assert_int_eq(put(1, id_in(i, 2), 1, "two", STATUS_RUNNING),
				 i < 2 ? ERR_BUSY : OK);
	}
	ck_assert_str_eq(loaded(0, ""), " one one");
	ck_assert_str_eq(loaded(2, "3"), " two!");
	leave();
}
END_TEST

START_TEST(test_a_child_is_where_its_parent_is)
{
	char child[32];

	enter(_i);
	own(0, "0", N);
	own(1, "123", N);
	snprintf(child, sizeof child, "%s:step.01", id_in(0, 1));
	ck_assert_int_eq(put(1, child, 1, "child", STATUS_RUNNING), ERR_BUSY);
	ck_assert_int_eq(put(0, child, 1, "child", STATUS_RUNNING), OK);
	ck_assert_str_eq(loaded(2, "0"), " child!");
	leave();
}
END_TEST

/* One that was held for a while, and does not know it. */
START_TEST(test_who_lost_a_shard_writes_nothing_of_it)
{
	const char *lost = id_in(1, 1), *kept = id_in(0, 1), *fresh = id_in(1, 2);

	enter(_i);
	own(0, "01", N);
	ck_assert_int_eq(put(0, lost, 1, "one", STATUS_RUNNING), OK);
	own(1, "1", N);
	ck_assert_int_eq(put(1, lost, 2, "new", STATUS_RUNNING), OK);
	ck_assert_int_eq(put(0, lost, 2, "old", STATUS_RUNNING), ERR_BUSY);
	ck_assert(owns(0, "0", N));
	ck_assert_int_eq(put(0, fresh, 1, "stray", STATUS_RUNNING), ERR_BUSY);
	ck_assert_int_eq(put(0, kept, 1, "kept", STATUS_RUNNING), OK);
	ck_assert_str_eq(loaded(1, ""), " new!");
	/* And without writing. */
	own(2, "0", N);
	ck_assert_int_eq(store_check(world.stores[0]), OK);
	ck_assert(owns(0, "", N) && owns(1, "1", N) && owns(2, "0", N));
	leave();
}
END_TEST

START_TEST(test_what_goes_and_comes_back)
{
	const char *id = id_in(2, 1);

	enter(_i);
	own(0, "012", N);
	ck_assert_int_eq(put(0, id, 1, "one", STATUS_RUNNING), OK);
	own(0, "01", N);
	ck_assert_int_eq(put(0, id, 2, "two", STATUS_RUNNING), ERR_BUSY);
	own(0, "0123", N);
	ck_assert_int_eq(put(0, id, 2, "two", STATUS_RUNNING), OK);
	own(1, "2", N);
	ck_assert_int_eq(store_check(world.stores[0]), OK);
	own(0, "2", N);
	ck_assert_int_eq(put(1, id, 3, "three", STATUS_RUNNING), ERR_BUSY);
	ck_assert(owns(1, "", N));
	leave();
}
END_TEST

/* Partitions were added: nothing is whose it was. */
START_TEST(test_another_number_of_shards)
{
	enter(_i);
	own(0, "0123", N);
	ck_assert_int_eq(put(0, "a", 1, "a", STATUS_RUNNING), OK);
	own(1, "4567", 2 * N);
	ck_assert_int_eq(put(0, "b", 1, "b", STATUS_RUNNING), ERR_BUSY);
	ck_assert_uint_eq(shards_count(&world.stores[0]->shards), 0);
	own(0, "0123", 2 * N);
	ck_assert(owns(0, "0123", 2 * N) && owns(1, "4567", 2 * N));
	ck_assert_int_eq(
		put(shard_of(slice_of("a"), 2 * N) < N ? 0 : 1, "a", 2, "b", STATUS_RUNNING),
		OK);
	leave();
}
END_TEST

/* Whoever did not know it yet may have written all the same: what he did is seen. */
START_TEST(test_what_comes_too_late_is_looked_for)
{
	const char *id = id_in(1, 1), *old = id_in(1, 2), *known = id_in(1, 3);
	struct shelf_walk visited = {.n = 0};
	enum err err;

	enter(_i);
	own(0, "01", N);
	ck_assert_int_eq(put(0, old, 1, "old", STATUS_RUNNING), OK);
	ck_assert_int_eq(put(0, known, 1, "known", STATUS_RUNNING), OK);
	own(1, "1", N);
	ck_assert_str_eq(loaded(1, ""), " old known!");
	ck_assert_int_eq(put(1, known, 2, "mine", STATUS_RUNNING), OK);
	ck_assert_int_eq(put(0, id, 1, "late", STATUS_RUNNING), ERR_BUSY);
	err = store_get(world.stores[1], slice_of(id), &world.arena, NULL, &(struct slice){0});
	ck_assert_int_eq(store_check(world.stores[1]), OK);
	ck_assert(world.stores[1]->stirred == !err);
	ck_assert_int_eq(store_look(world.stores[1], note, &visited), OK);
	ck_assert_str_eq(visited.text, err ? "" : " late!");
	ck_assert(!world.stores[1]->stirred);
	visited = (struct shelf_walk){.n = 0};
	ck_assert_int_eq(store_look(world.stores[1], note, &visited), OK);
	ck_assert_int_eq(visited.n, 0);
	leave();
}
END_TEST

/* --- who is where ----------------------------------------------------------------------- */

static enum err note_owner(void *walk, const struct shard_owner *owner)
{
	char text[64];

	snprintf(text, sizeof text, "%u=%.*s@%d", (unsigned)owner->shard, SLICE_ARG(owner->url),
		 (int)owner->since_ms);
	return shelf_note(walk, slice_of(text));
}

static const char *owners(int store)
{
	static struct shelf_walk visited;

	visited = (struct shelf_walk){.n = 0};
	ck_assert_int_eq(store_owners(world.stores[store], note_owner, &visited), OK);
	return visited.text;
}

START_TEST(test_owners_are_known_to_all)
{
	enter(_i);
	ck_assert_str_eq(owners(0), "");
	own(0, "02", N);
	own(1, "1", N);
	ck_assert_str_eq(owners(2), " 0=http://host:0@1 1=http://host:1@2 2=http://host:0@1");
	own(1, "12", N);
	ck_assert_str_eq(owners(0), " 0=http://host:0@1 1=http://host:1@2 2=http://host:1@3");
	own(1, "2", N);
	own(1, "12", N);
	ck_assert_str_eq(owners(0), " 0=http://host:0@1 1=http://host:1@5 2=http://host:1@3");
	close_one(1);
	ck_assert_str_eq(owners(0), " 0=http://host:0@1");
	leave();
}
END_TEST

/* --- what was sent ---------------------------------------------------------------------- */

START_TEST(test_what_somebody_else_did_not_send_is_given_until_it_was_told)
{
	const char *a = id_in(0, 1), *b = id_in(1, 1), *c = id_in(0, 2), *d = id_in(0, 3);

	enter(_i);
	own(0, "01", N);
	ck_assert_int_eq(put(0, d, 1, "d", STATUS_COMPLETED), OK);
	ck_assert_int_eq(put(0, c, 1, "c", STATUS_RUNNING), OK);
	ck_assert_int_eq(put(0, a, 1, "a", STATUS_COMPLETED), OK);
	ck_assert_int_eq(put(0, c, 2, "C", STATUS_RUNNING), OK);
	/* A batch says that those before it were sent. */
	close_one(0);
	own(1, "0", N);
	ck_assert_str_eq(loaded(1, ""), " C!");
	ck_assert_str_eq(loaded(1, ""), " C!");
	ck_assert_int_eq(store_told(world.stores[1]), OK);
	ck_assert_str_eq(loaded(1, ""), " C");
	/* Whoever is opened again is somebody else. */
	open_one(0);
	own(0, "1", N);
	ck_assert_int_eq(put(0, b, 1, "b", STATUS_KILLED), OK);
	ck_assert_str_eq(loaded(0, "1"), " b!");
	ck_assert_int_eq(put(1, a, 2, "A", STATUS_KILLED), OK);
	own(2, "01", N);
	ck_assert_str_eq(loaded(2, ""), " C A! b!");
	ck_assert_int_eq(store_told(world.stores[2]), OK);
	ck_assert_str_eq(loaded(2, ""), " C");
	leave();
}
END_TEST

/* --- definitions -------------------------------------------------------------------------- */

START_TEST(test_definitions_of_others_are_seen)
{
	struct stored_definition definition = {.name = SLICE_LITERAL("order"),
					       .version = SLICE_LITERAL("1.0.0"),
					       .normal = SLICE_LITERAL("text")};
	uint64_t before, after;

	enter(_i);
	ck_assert_int_eq(store_definition_changes(world.stores[1], &before), OK);
	ck_assert_int_eq(store_put_definition(world.stores[0], &definition), OK);
	ck_assert_int_eq(store_definition_changes(world.stores[1], &after), OK);
	ck_assert_uint_ne(before, after);
	ck_assert_int_eq(store_definition_changes(world.stores[2], &before), OK);
	ck_assert_uint_eq(before, after);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_nothing_is_anybodys_before_it_is_taken, 0, kinds);
	tcase_add_loop_test(tcase, test_everybody_writes_his_own, 0, kinds);
	tcase_add_loop_test(tcase, test_a_child_is_where_its_parent_is, 0, kinds);
	tcase_add_loop_test(tcase, test_who_lost_a_shard_writes_nothing_of_it, 0, kinds);
	tcase_add_loop_test(tcase, test_what_goes_and_comes_back, 0, kinds);
	tcase_add_loop_test(tcase, test_another_number_of_shards, 0, kinds);
	tcase_add_loop_test(tcase, test_what_comes_too_late_is_looked_for, 0, kinds);
	tcase_add_loop_test(tcase, test_owners_are_known_to_all, 0, kinds);
	tcase_add_loop_test(tcase,
			    test_what_somebody_else_did_not_send_is_given_until_it_was_told, 0,
			    kinds);
	tcase_add_loop_test(tcase, test_definitions_of_others_are_seen, 0, kinds);
}

int main(void)
{
	kinds = mongo_find("mongo-memory") ? KIND_MONGO + 1 : KIND_MONGO;
	return suite_run("store_shared", add);
}
