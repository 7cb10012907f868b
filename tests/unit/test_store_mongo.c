/* test_store_mongo.c - what the MongoDB store has to itself: owners that come after one
 * another, answers that never come, servers that cannot be used */
#include "orchestrator/store/mongo/store_mongo.h"
#include "tests/lib/engines.h"
#include "tests/lib/impostor.h"
#include "tests/lib/proxy.h"
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

static char uri[MONGO_URI_SIZE];
static struct arena arena;

static void set_up(void)
{
	mongo_database(uri);
}

static void tear_down(void)
{
	arena_release(&arena);
	mongo_drop(uri);
}

static enum err open_mongo(const char *where, const char *url, struct store **out,
			   struct diag *diag)
{
	const struct store_mongo_setup setup = {
		.uri = where, .url = url, .instance = "a-test", .alone = true};

	return store_mongo_open(&setup, out, diag);
}

static struct store *open_at(const char *where, const char *owner)
{
	struct store *store = NULL;
	struct diag diag = {""};

	ck_assert_msg(open_mongo(where, owner, &store, &diag) == OK, "%s", diag.text);
	return store;
}

static struct saga_write write_of(const char *id, uint64_t revision, const char *record)
{
	return shelf_write(
		(struct shelf_saga){.id = id, .revision = revision, .record = record});
}

static enum err commit(struct store *store, const char *id, uint64_t revision,
		       const char *record)
{
	struct saga_write write = write_of(id, revision, record);
	enum err err = store_commit(store, &shelf_batch, &write, 1, NULL, 0);

	return err ? err : write.result;
}

static bool holds(struct store *store, const char *id, const char *record)
{
	struct slice stored = {0};

	return store_get(store, slice_of(id), &arena, NULL, &stored) == OK &&
	       slice_is(stored, record);
}

/* --- owners ----------------------------------------------------------------------------- */

static bool is_lost(const struct store *store)
{
	return shards_count(&store->shards) == 0;
}

/* A zombie: it had the shard, and somebody has it now. */
START_TEST(test_who_lost_the_store_cannot_write)
{
	struct store *zombie = open_at(uri, "http://first:1"), *owner;
	struct shelf_walk visited = {.n = 0};
	struct store_batch newest;

	ck_assert_int_eq(commit(zombie, "a", 1, "one"), OK);
	ck_assert_int_eq(commit(zombie, "b", 1, "one"), OK);
	owner = open_at(uri, "http://second:2");
	ck_assert_int_eq(commit(owner, "a", 2, "two"), OK);
	ck_assert_int_eq(commit(zombie, "a", 2, "zombie"), ERR_BUSY);
	ck_assert(is_lost(zombie) && !is_lost(owner));
	ck_assert(holds(owner, "a", "two"));
	ck_assert_int_eq(commit(zombie, "a", 3, "zombie"), ERR_BUSY);
	ck_assert_int_eq(commit(zombie, "n", 1, "zombie"), ERR_BUSY);
	ck_assert(holds(owner, "a", "two"));
	store_close(zombie);
	ck_assert_int_eq(commit(owner, "b", 2, "two"), OK);
	ck_assert_int_eq(store_load(owner, NULL, &newest, shelf_note_record, &visited), OK);
	ck_assert_str_eq(visited.text, " two two");
	store_close(owner);
}
END_TEST

/* The batch was written, the member's record was not. */
START_TEST(test_a_batch_that_the_record_does_not_know_counts)
{
	struct store_batch late = {.number = 7, .sent = 6}, newest;
	struct saga_write write = write_of("n", 1, "new");
	struct shelf_walk visited = {.n = 0};
	struct store *first, *owner;
	struct proxy proxy;
	char behind[MONGO_URI_SIZE];

	proxy_start(&proxy, uri, behind);
	first = open_at(behind, "http://first:1");
	ck_assert_int_eq(commit(first, "a", 1, "one"), OK);
	proxy_lose(&proxy, 1, false); /* whose the shards are */
	ck_assert_int_eq(store_commit(first, &late, &write, 1, NULL, 0), ERR_UNAVAILABLE);
	owner = open_at(uri, "http://second:2");
	ck_assert_int_eq(store_load(owner, NULL, &newest, shelf_note_record, &visited), OK);
	ck_assert_uint_eq(newest.number, 7);
	ck_assert_uint_eq(newest.sent, 1);
	store_close(owner);
	store_close(first);
	proxy_stop(&proxy);
}
END_TEST

/* --- a network that fails ------------------------------------------------------------------
 */

static struct store *open_behind(struct proxy *proxy)
{
	char behind[MONGO_URI_SIZE];

	proxy_start(proxy, uri, behind);
	return open_at(behind, "a test");
}

/* As the engine does it: the same batch again until it is known what became of it, and
 * what is there already is ours if it is the same. */
static void commit_for_sure(struct store *store, const struct store_batch *batch,
			    struct saga_write *writes, size_t n,
			    const struct audit_entry *audit, size_t n_audit)
{
	enum err err;
	int tries = 0;

	do {
		err = store_commit(store, batch, writes, n, audit, n_audit);
		ck_assert_msg(!err || (err == ERR_UNAVAILABLE && tries++ < 20), "%s",
			      store->trouble.text);
	} while (err);
	for (size_t i = 0; i < n; i++) {
		struct slice stored = {0};

		if (writes[i].result == OK)
			continue;
		ck_assert_int_eq(writes[i].result, ERR_CONFLICT);
		ck_assert_int_eq(store_get(store, writes[i].row.id, &arena, NULL, &stored), OK);
		ck_assert(slice_equal(stored, writes[i].record));
	}
}

static enum err count_entry(void *context, const struct audit_entry *entry)
{
	++*(int *)context;
	return OK;
}

/* Whether a message was lost. The odd ones lose the answer. */
static bool write_with_loss(int n)
{
	struct audit_entry audit = {1, SLICE_LITERAL("a"), SLICE_LITERAL("pause"), {0}, {0}};
	struct store_batch batch = {.number = 2, .sent = 1};
	struct saga_write writes[] = {write_of("a", 2, "two"), write_of("b", 2, "two"),
				      write_of("c", 1, "one"), write_of("d", 1, "one")};
	int n_audit = 0;
	struct store *store;
	struct proxy proxy;
	bool lost;

	mongo_database(uri);
	store = open_behind(&proxy);
	ck_assert_int_eq(commit(store, "a", 1, "one"), OK);
	ck_assert_int_eq(commit(store, "b", 1, "one"), OK);
	proxy_lose(&proxy, n / 2, n % 2);
	commit_for_sure(store, &batch, writes, ROWS(writes), &audit, 1);
	lost = proxy_lost(&proxy);
	ck_assert(holds(store, "a", "two") && holds(store, "b", "two"));
	ck_assert(holds(store, "c", "one") && holds(store, "d", "one"));
	ck_assert_int_eq(store_audit(store, (struct slice){0}, 9, count_entry, &n_audit), OK);
	ck_assert_int_eq(n_audit, 1);
	store_close(store);
	proxy_stop(&proxy);
	mongo_drop(uri);
	return lost;
}

START_TEST(test_every_message_of_a_commit_is_lost_in_turn)
{
	int n = 0;

	while (write_with_loss(n))
		n++;
	ck_assert_int_ge(n, 8); /* audit, new sagas, changed ones, the owner */
}
END_TEST

/* While nobody knows whether the server is there it is looked for anew each time; then not. */
START_TEST(test_when_an_outage_is_over_the_connection_stays)
{
	struct saga_write write = write_of("a", 2, "two");
	struct proxy proxy;
	struct store *store = open_behind(&proxy);
	int connected;

	ck_assert_int_eq(commit(store, "a", 1, "one"), OK);
	ck_assert_int_eq(proxy_counts(&proxy).connected, 1);
	proxy_lose(&proxy, 0, false);
	commit_for_sure(store, &shelf_batch, &write, 1, NULL, 0);
	ck_assert(proxy_lost(&proxy));
	connected = proxy_counts(&proxy).connected;
	ck_assert_int_gt(connected, 1);
	for (uint64_t revision = 3; revision < 6; revision++)
		ck_assert_int_eq(commit(store, "a", revision, "more"), OK);
	ck_assert_int_eq(proxy_counts(&proxy).connected, connected);
	store_close(store);
	proxy_stop(&proxy);
}
END_TEST

/* Whether something was in doubt. One of the new sagas is there already. */
static bool write_with_doubt(int n)
{
	struct audit_entry audit = {1, SLICE_LITERAL("a"), SLICE_LITERAL("pause"), {0}, {0}};
	struct store_batch batch = {.number = 2, .sent = 1};
	struct saga_write writes[] = {write_of("a", 2, "two"), write_of("b", 1, "one"),
				      write_of("c", 1, "one")};
	struct store *store;
	struct proxy proxy;
	bool doubted;
	enum err err;

	mongo_database(uri);
	store = open_behind(&proxy);
	ck_assert_int_eq(commit(store, "a", 1, "one"), OK);
	ck_assert_int_eq(commit(store, "b", 1, "one"), OK);
	proxy_doubt(&proxy, n);
	err = store_commit(store, &batch, writes, ROWS(writes), &audit, 1);
	doubted = proxy_doubted(&proxy);
	ck_assert_msg(err == (doubted ? ERR_UNAVAILABLE : OK), "%d: %s", n,
		      store->trouble.text);
	commit_for_sure(store, &batch, writes, ROWS(writes), &audit, 1);
	ck_assert(holds(store, "a", "two") && holds(store, "b", "one"));
	ck_assert(holds(store, "c", "one"));
	store_close(store);
	proxy_stop(&proxy);
	mongo_drop(uri);
	return doubted;
}

/* It may be taken back by a fail-over. */
START_TEST(test_what_the_majority_has_not_got_is_not_known)
{
	int n = 0;

	while (write_with_doubt(n))
		n++;
	ck_assert_int_eq(n, 4); /* audit, new sagas, changed ones, the member's record */
}
END_TEST

static enum err read_all(struct store *store)
{
	struct shelf_walk visited = {.n = 0};
	struct saga_filter all = {.n_statuses = 0};
	struct store_counts counts;
	struct store_batch newest;
	struct slice record, id;
	enum err err;

	err = store_get(store, slice_of("a"), &arena, NULL, &record);
	err = err ? err : store_find(store, slice_of("order"), slice_of("a"), &arena, &id);
	err = err ? err : store_load(store, NULL, &newest, shelf_note_record, &visited);
	err = err ? err : store_list(store, &all, slice_of("b"), 9, shelf_note_row, &visited);
	err = err ? err : store_counts(store, &counts);
	if (!err) {
		ck_assert_str_eq(visited.text, " one one a");
		ck_assert_uint_eq(counts.by_status[STATUS_RUNNING], 2);
	}
	return err;
}

/* Reading says that there was no answer, and the next time there is. */
START_TEST(test_every_question_is_lost_in_turn)
{
	struct store *store;
	struct proxy proxy;
	bool lost = true;
	int n = 0;

	store = open_behind(&proxy);
	ck_assert_int_eq(commit(store, "a", 1, "one"), OK);
	ck_assert_int_eq(commit(store, "b", 1, "one"), OK);
	for (; lost; n++) {
		enum err err;

		proxy_lose(&proxy, n, n % 2);
		err = read_all(store);
		lost = proxy_lost(&proxy);
		ck_assert_int_eq(err, lost ? ERR_UNAVAILABLE : OK);
		if (lost)
			ck_assert_ptr_nonnull(strstr(store->trouble.text, "does not answer"));
		ck_assert_int_eq(read_all(store), OK);
	}
	ck_assert_int_ge(n, 6);
	store_close(store);
	proxy_stop(&proxy);
}
END_TEST

/* --- the majority ------------------------------------------------------------------------ */

static enum err note_definition(void *context, const struct stored_definition *definition)
{
	++*(int *)context;
	return OK;
}

/* The others of what a store does, once. */
static void do_the_rest(struct store *store)
{
	const struct stored_definition definition = {.name = SLICE_LITERAL("order"),
						     .version = SLICE_LITERAL("1.0.0"),
						     .normal = SLICE_LITERAL("saga: order\n")};
	const struct dead_letter letter = {.id = SLICE_LITERAL("d"),
					   .reason = SLICE_LITERAL("unreadable")};
	struct dead_letter found;
	size_t n = 0;
	int n_definitions = 0;

	ck_assert_int_eq(store_put_definition(store, &definition), OK);
	ck_assert_int_eq(store_definitions(store, note_definition, &n_definitions), OK);
	ck_assert_int_eq(store_put_dead(store, &letter, 1, &n), OK);
	ck_assert_int_eq(store_get_dead(store, letter.id, &arena, &found), OK);
	ck_assert_int_eq(store_remove_dead(store, letter.id), OK);
	ck_assert_int_eq(store_prune(store, INT64_MAX, 9, &n), OK);
	ck_assert_uint_eq(n, 1);
}

/* Whatever the URI says. */
START_TEST(test_the_majority_has_what_is_written_and_read)
{
	struct audit_entry audit = {1, SLICE_LITERAL("a"), SLICE_LITERAL("pause"), {0}, {0}};
	struct saga_write ended = shelf_write((struct shelf_saga){
		.id = "z", .status = STATUS_COMPLETED, .started_ms = SHELF_START_MS});
	char behind[MONGO_URI_SIZE], where[MONGO_URI_SIZE + 64];
	struct proxy proxy;
	struct store *store;

	proxy_start(&proxy, uri, behind);
	snprintf(where, sizeof where, "%s&w=1&readConcernLevel=local", behind);
	store = open_at(where, "a test");
	ck_assert_int_eq(commit(store, "a", 1, "one"), OK);
	ck_assert_int_eq(commit(store, "b", 1, "one"), OK);
	ck_assert_int_eq(read_all(store), OK);
	ck_assert_int_eq(commit(store, "a", 2, "two"), OK);
	ck_assert_int_eq(store_commit(store, &shelf_batch, &ended, 1, &audit, 1), OK);
	do_the_rest(store);
	store_close(store);
	ck_assert_int_ge(proxy_counts(&proxy).written, 15);
	ck_assert_int_eq(proxy_counts(&proxy).careless, 0);
	proxy_stop(&proxy);
}
END_TEST

/* --- removing ---------------------------------------------------------------------------- */

START_TEST(test_a_database_is_removed)
{
	struct store *store = open_at(uri, "a test");
	struct diag diag = {""};

	ck_assert_int_eq(commit(store, "a", 1, "one"), OK);
	store_close(store);
	ck_assert_int_eq(store_mongo_remove(uri, &diag), OK);
	store = open_at(uri, "a test");
	ck_assert(!holds(store, "a", "one"));
	store_close(store);
}
END_TEST

/* --- opening ---------------------------------------------------------------------------------
 */

static const struct bad_uri {
	const char *name, *uri, *why;
} bad_uris[] = {
	{"no scheme", "localhost/skald", "write mongo:mongodb://"},
	{"nothing", "", "write mongo:mongodb://"},
	{"an option that is none", "mongodb://host/?tls=perhaps", "write mongo:mongodb://"},
	{"a database with a long name",
	 "mongodb://host/abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmno",
	 "name of the database"},
};

START_TEST(test_a_uri_that_is_no_good)
{
	const struct bad_uri *row = &bad_uris[_i];
	struct store *store = NULL;
	struct diag diag = {""};

	ck_assert_int_eq(store_mongo_check(row->uri, &diag), ERR_INVALID);
	ck_assert_msg(strstr(diag.text, row->why) != NULL, "%s: %s", row->name, diag.text);
	ck_assert_int_eq(open_mongo(row->uri, "a test", &store, NULL), ERR_INVALID);
}
END_TEST

static void check_refused(const char *where, enum err expected, const char *why)
{
	struct store *store = NULL;
	struct diag diag = {""};

	ck_assert_int_eq(open_mongo(where, "a test", &store, &diag), expected);
	ck_assert_msg(strstr(diag.text, why) != NULL, "%s", diag.text);
	ck_assert(!strstr(diag.text, "s3cret") && !strstr(diag.text, "asked again"));
}

START_TEST(test_nobody_is_there)
{
	check_refused("mongodb://ann:s3cret@127.0.0.1:1/x", ERR_UNAVAILABLE, "127.0.0.1:1");
}
END_TEST

/* The stand-in lets nobody in who says who he is. */
START_TEST(test_wrong_credentials)
{
	char with_user[MONGO_URI_SIZE];

	snprintf(with_user, sizeof with_user, "mongodb://ann:s3cret@%s",
		 strstr(uri, "://") + 3);
	check_refused(with_user, ERR_IO, "does not accept the user ann with this password");
}
END_TEST

static const struct refusal {
	const char *name;
	struct impostor_setup server;
	const char *user; /* "ann:s3cret@" */
	const char *options;
	enum err err;
	const char *why;
} refusals[] = {
	{"a server that does not know the password",
	 {.refused = "saslStart", .code = 18, .text = "Authentication failed."},
	 "ann:s3cret@",
	 "",
	 ERR_IO,
	 " does not accept the user ann with this password: Authentication failed.; correct "
	 "the URI of the store"},
	{"a certificate that there is not",
	 {.refused = NULL},
	 "",
	 "?authMechanism=MONGODB-X509",
	 ERR_IO,
	 " does not accept who asks: "},
	{"a server that wants a password, where there is none",
	 {.refused = "find", .code = 13, .text = "command find requires authentication"},
	 "",
	 "",
	 ERR_IO,
	 " wants to know who asks: command find requires authentication; write "
	 "mongodb://USER:PASSWORD@HOST:PORT/DATABASE as the URI of the store"},
	{"a server that says it is too old",
	 {.version = 4},
	 "",
	 "",
	 ERR_INVALID,
	 " is version 4.4.29; 5.0 or later is needed"},
	{"a server whose protocol is too old",
	 {.wire_version = 5},
	 "",
	 "",
	 ERR_INVALID,
	 "; 5.0 or later is needed"},
	{"a secondary that is named alone",
	 {.secondary = true},
	 "",
	 "",
	 ERR_UNAVAILABLE,
	 " is not the primary of its replicas and takes no writes; name all of them"},
	{"a server that is no primary any more when something is written",
	 {.refused = "createIndexes", .code = 10107, .text = "not primary"},
	 "",
	 "",
	 ERR_UNAVAILABLE,
	 " does not answer: not primary; see whether it runs there"},
	{"a server that does not do what it is asked for",
	 {.refused = "createIndexes", .code = 59, .text = "no such command"},
	 "",
	 "",
	 ERR_IO,
	 ": no such command"},
};

START_TEST(test_a_server_that_cannot_be_used)
{
	const struct refusal *row = &refusals[_i];
	struct impostor impostor;
	char where[MONGO_URI_SIZE], why[256];

	impostor_start(&impostor, &row->server);
	snprintf(where, sizeof where, "mongodb://%s127.0.0.1:%d/x%s", row->user, impostor.port,
		 row->options);
	snprintf(why, sizeof why, "MongoDB at 127.0.0.1:%d", impostor.port);
	check_refused(where, row->err, why);
	check_refused(where, row->err, row->why);
	impostor_stop(&impostor);
}
END_TEST

static const struct passing_row {
	const char *name;
	int code;
} passing_rows[] = {
	{"HostUnreachable", 6},
	{"HostNotFound", 7},
	{"MaxTimeMSExpired", 50},
	{"WriteConcernFailed", 64},
	{"NetworkTimeout", 89},
	{"ShutdownInProgress", 91},
	{"UnsatisfiableWriteConcern", 100},
	{"FailedToSatisfyReadPreference", 133},
	{"PrimarySteppedDown", 189},
	{"ExceededTimeLimit", 262},
	{"SocketException", 9001},
	{"NotWritablePrimary", 10107},
	{"InterruptedAtShutdown", 11600},
	{"InterruptedDueToReplStateChange", 11602},
	{"StaleConfig", 13388},
	{"NotPrimaryNoSecondaryOk", 13435},
	{"NotPrimaryOrSecondary", 13436},
};

/* It is no reason to give up. */
START_TEST(test_what_a_server_says_while_another_one_takes_over)
{
	const struct passing_row *row = &passing_rows[_i];
	const struct impostor_setup server = {
		.refused = "createIndexes", .code = row->code, .text = row->name};
	struct impostor impostor;
	char where[MONGO_URI_SIZE];

	impostor_start(&impostor, &server);
	snprintf(where, sizeof where, "mongodb://127.0.0.1:%d/x", impostor.port);
	check_refused(where, ERR_UNAVAILABLE, row->name);
	impostor_stop(&impostor);
}
END_TEST

static void add(TCase *tcase)
{
	bool real = getenv("SKALD_TEST_MONGO") && *getenv("SKALD_TEST_MONGO");

	tcase_add_loop_test(tcase, test_a_uri_that_is_no_good, 0, ROWS(bad_uris));
	tcase_add_test(tcase, test_nobody_is_there);
	tcase_add_loop_test(tcase, test_a_server_that_cannot_be_used, 0, ROWS(refusals));
	tcase_add_loop_test(tcase, test_what_a_server_says_while_another_one_takes_over, 0,
			    ROWS(passing_rows));
	if (!uri[0])
		return;
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_who_lost_the_store_cannot_write);
	tcase_add_test(tcase, test_a_database_is_removed);
	tcase_add_test(tcase, test_wrong_credentials);
	if (real) /* the proxy is for one server of this machine */
		return;
	tcase_add_test(tcase, test_a_batch_that_the_record_does_not_know_counts);
	tcase_add_test(tcase, test_every_message_of_a_commit_is_lost_in_turn);
	tcase_add_test(tcase, test_when_an_outage_is_over_the_connection_stays);
	tcase_add_test(tcase, test_what_the_majority_has_not_got_is_not_known);
	tcase_add_test(tcase, test_every_question_is_lost_in_turn);
	tcase_add_test(tcase, test_the_majority_has_what_is_written_and_read);
}

int main(void)
{
	if (mongo_find("mongo-memory"))
		set_up();
	return suite_run("store_mongo", add);
}
