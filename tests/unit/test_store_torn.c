/* test_store_torn.c - the MongoDB store where a batch is torn: some of it is written, nobody
 * hears of it, and its shards go to another one before it is tried again */
#include "orchestrator/store/mongo/store_mongo.h"
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"
#include "tests/sim/mongo/mongod.h"

#include <stdio.h>

enum { N = 2, FIRST = 0, SECOND = 1, STORES = 2 };

static struct world {
	struct mongod *mongod;
	struct store *stores[STORES];
	uint32_t keeps; /* writes of the next call that writes sagas; the rest is lost */
	bool tears;     /* and it is not answered, */
	bool loses;     /* or the second store takes the first shard then, */
	bool ends;      /* or nothing that comes behind it arrives */

	bool comes_late;     /* what is lost of sagas, the last of it, */
	struct request late; /* which is kept here */
} world;

static void own(int store, const char *names)
{
	struct shards shards = {.n = N};

	for (; *names; names++)
		shards_add(&shards, (uint32_t)(*names - '0'));
	ck_assert_int_eq(store_own(world.stores[store], &shards, 1), OK);
}

static bool carry(void *context, uint32_t client, struct request *requests, size_t n)
{
	bool sagas = !strcmp(requests->collection, "sagas"), tears = sagas && world.tears;
	bool loses = sagas && world.loses;

	if (world.ends && !strcmp(requests->collection, "members"))
		return false;
	for (size_t i = 0; i < n && (!tears || i < world.keeps); i++)
		mongod_perform(world.mongod, &requests[i]);
	if (tears && world.comes_late)
		request_copy(&requests[n - 1], &world.late);
	world.tears &= !sagas;
	world.loses &= !sagas;
	if (loses)
		own(SECOND, "0");
	return !tears;
}

static bool always(void *context, uint32_t client)
{
	return true;
}

static void ignore(void *context, const char *collection, const bson_t *before,
		   const bson_t *after)
{
}

static void enter(void)
{
	static const struct mongod_user user = {NULL, carry, always, always, ignore};

	world = (struct world){.mongod = mongod_new(&user)};
	for (int i = 0; i < STORES; i++) {
		char uri[64], url[32];
		const struct store_mongo_setup setup = {
			.uri = uri, .url = url, .instance = url};
		struct diag diag = {""};

		snprintf(uri, sizeof uri, "mongodb://client-%d/skald", i + 1);
		snprintf(url, sizeof url, "http://host:%d", i);
		ck_assert_msg(store_mongo_open(&setup, &world.stores[i], &diag) == OK, "%s",
			      diag.text);
	}
	own(FIRST, "01");
}

static void leave(void)
{
	for (int i = 0; i < STORES; i++)
		store_close(world.stores[i]);
	mongod_free(world.mongod);
}

/* An id in that shard. */
static const char *id_in(uint32_t shard)
{
	static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
	int i = 0;

	while (shard_of(slice_of(ids[i]), N) != shard)
		i++;
	return ids[i];
}

/* Both sagas, or the one in the second shard alone, as a batch that says which one was
 * sent. */
static enum err put(uint64_t number, uint64_t sent, uint64_t revision, bool both,
		    enum err results[2])
{
	struct saga_write writes[2];
	char records[2][16];
	const struct store_batch batch = {number, sent};
	enum err err;

	for (uint32_t i = 0; i < 2; i++) {
		snprintf(records[i], sizeof records[i], "%s-%u", i ? "stays" : "goes",
			 (unsigned)revision);
		writes[i] = shelf_write((struct shelf_saga){.id = id_in(i),
							    .revision = revision,
							    .record = records[i],
							    .status = STATUS_RUNNING});
		writes[i].n_news = 1;
	}
	err = store_commit(world.stores[FIRST], &batch, both ? writes : writes + 1, 1 + both,
			   NULL, 0);
	for (int i = 0; i < 2; i++)
		results[i] = writes[i].result;
	return err;
}

static enum err note(void *walk, const struct loaded_saga *saga)
{
	char text[64];

	snprintf(text, sizeof text, saga->sent ? "%.*s" : "%.*s!", SLICE_ARG(saga->record));
	return shelf_note(walk, slice_of(text));
}

static const char *loaded(int store)
{
	static struct shelf_walk visited;
	struct store_batch newest;

	visited = (struct shelf_walk){.n = 0};
	ck_assert_int_eq(store_load(world.stores[store], NULL, &newest, note, &visited), OK);
	return visited.text;
}

/* Whoever lost it goes on with the same number, and says later that it was sent: of what he
 * has left out nobody was told. */
static const struct torn_row {
	const char *name;
	uint32_t keeps;
	bool answered;
	const char *loaded;
} torn_rows[] = {
	{"both were written, and the answer is lost", 2, false, " goes-2!"},
	{"one was written", 1, false, " goes-2!"},
	{"none was written", 0, false, " goes-1!"},
	{"both were written, and then the shard was lost", 2, true, " goes-2!"},
};

START_TEST(test_what_does_not_count_is_never_sent)
{
	const struct torn_row *row = &torn_rows[_i];
	enum err results[2];

	enter();
	ck_assert_int_eq(put(1, 0, 1, true, results), OK);
	world.keeps = row->keeps;
	world.tears = !row->answered;
	world.loses = row->answered;
	if (row->answered) {
		ck_assert_int_eq(put(2, 1, 2, true, results), OK);
		ck_assert_int_eq(results[0], ERR_BUSY);
		ck_assert_int_eq(results[1], OK);
	} else {
		ck_assert_int_eq(put(2, 1, 2, true, results), ERR_UNAVAILABLE);
		own(SECOND, "0");
		ck_assert_int_eq(put(2, 1, 2, true, results), OK);
		ck_assert_int_eq(results[0], ERR_BUSY);
		ck_assert_int_eq(results[1], row->keeps == 2 ? ERR_CONFLICT : OK);
	}
	ck_assert_int_eq(put(3, 2, 3, false, results), OK);
	ck_assert_msg(!strcmp(loaded(SECOND), row->loaded), "%s: %s", row->name,
		      loaded(SECOND));
	/* Until it was told, and what is the first one's stays his. */
	ck_assert_int_eq(store_told(world.stores[SECOND]), OK);
	ck_assert_ptr_null(strchr(loaded(SECOND), '!'));
	ck_assert_str_eq(loaded(FIRST), " stays-3!");
	ck_assert_int_eq(put(4, 3, 4, false, results), OK);
	ck_assert_int_eq(results[1], OK);
	ck_assert_str_eq(loaded(FIRST), " stays-4!");
	leave();
}
END_TEST

/* Whoever told all that it had not sent forgets it. What it writes when it has a shard again
 * is not sent all the same, also before its batch comes to its end. */
START_TEST(test_who_comes_back_after_it_was_forgotten)
{
	enum err results[2];

	enter();
	ck_assert_int_eq(put(1, 0, 1, true, results), OK);
	own(FIRST, "");
	own(SECOND, "01");
	ck_assert_str_eq(loaded(SECOND), " goes-1! stays-1!");
	ck_assert_int_eq(store_told(world.stores[SECOND]), OK);
	own(FIRST, "01");
	world.ends = true;
	ck_assert_int_eq(put(2, 1, 2, true, results), ERR_UNAVAILABLE);
	ck_assert_int_eq(store_check(world.stores[SECOND]), OK);
	own(SECOND, "01");
	ck_assert_str_eq(loaded(SECOND), " goes-2! stays-2!");
	leave();
}
END_TEST

/* All was written, and whoever wrote it could not see that it was his before the shard went:
 * the batch goes on without it. */
START_TEST(test_what_was_not_settled_is_never_sent)
{
	enum err results[2];

	enter();
	ck_assert_int_eq(put(1, 0, 1, true, results), OK);
	world.keeps = 2;
	world.tears = true;
	ck_assert_int_eq(put(2, 1, 2, true, results), ERR_UNAVAILABLE);
	ck_assert_int_eq(put(2, 1, 2, true, results), OK);
	ck_assert_int_eq(results[0], ERR_CONFLICT);
	own(FIRST, "1");
	ck_assert_int_eq(put(2, 1, 2, false, results), OK);
	ck_assert_int_eq(put(3, 2, 3, false, results), OK);
	own(SECOND, "0");
	ck_assert_str_eq(loaded(SECOND), " goes-2!");
	leave();
}
END_TEST

/* What was settled before it was sent. */
START_TEST(test_what_was_settled_is_sent)
{
	enum err results[2];

	enter();
	ck_assert_int_eq(put(1, 0, 1, true, results), OK);
	ck_assert_int_eq(put(2, 1, 2, false, results), OK);
	own(FIRST, "1");
	ck_assert_int_eq(put(3, 2, 3, false, results), OK);
	own(SECOND, "0");
	ck_assert_str_eq(loaded(SECOND), " goes-1");
	leave();
}
END_TEST

/* Whoever loses a shard before he has told what he was given of it tells nothing of it when
 * it comes back. */
START_TEST(test_what_was_given_of_a_shard_that_went_is_given_again)
{
	enum err results[2];

	enter();
	ck_assert_int_eq(put(1, 0, 1, true, results), OK);
	own(SECOND, "01");
	ck_assert_str_eq(loaded(SECOND), " goes-1! stays-1!");
	own(SECOND, "1");
	own(SECOND, "01");
	ck_assert_int_eq(store_told(world.stores[SECOND]), OK);
	ck_assert_str_eq(loaded(SECOND), " goes-1! stays-1");
	leave();
}
END_TEST

START_TEST(test_what_landed_after_it_was_loaded_was_not_told)
{
	enum err results[2];

	enter();
	ck_assert_int_eq(put(1, 0, 1, true, results), OK);
	world.keeps = 1;
	world.tears = world.comes_late = true;
	ck_assert_int_eq(put(2, 0, 2, true, results), ERR_UNAVAILABLE);
	own(SECOND, "01");
	ck_assert_str_eq(loaded(SECOND), " goes-2! stays-1!");
	mongod_perform(world.mongod, &world.late);
	request_release(&world.late);
	ck_assert_int_eq(store_told(world.stores[SECOND]), OK);
	ck_assert_str_eq(loaded(SECOND), " goes-2 stays-2!");
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_what_does_not_count_is_never_sent, 0, ROWS(torn_rows));
	tcase_add_test(tcase, test_who_comes_back_after_it_was_forgotten);
	tcase_add_test(tcase, test_what_was_not_settled_is_never_sent);
	tcase_add_test(tcase, test_what_was_settled_is_sent);
	tcase_add_test(tcase, test_what_was_given_of_a_shard_that_went_is_given_again);
	tcase_add_test(tcase, test_what_landed_after_it_was_loaded_was_not_told);
}

int main(void)
{
	return suite_run("store_torn", add);
}
