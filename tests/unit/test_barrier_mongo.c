/* test_barrier_mongo.c - what the MongoDB barrier has to itself: one document for what a
 * command does and for its record, and several processes that answer at once */
#include "participants/lib/barrier.h"
#include "skald/mongo.h"
#include "tests/lib/barriers.h"
#include "tests/lib/engines.h"
#include "tests/lib/proxy.h"
#include "tests/lib/suite.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>

static bool found;
static char uri[MONGO_URI_SIZE];
static struct arena arena;

/* A process of the service. */
static struct desk {
	mongoc_client_t *client;
	mongoc_collection_t *collection;
	skald_mongo *mongo;
	skald_barrier *barrier;
	int runs;
	enum message_outcome outcome;
	char output[64]; /* of the last answer */
} desks[2];

/* In the database of the test, wherever that is. */
static void enter(struct desk *desk, const char *where)
{
	*desk = (struct desk){.client = mongoc_client_new(where)};
	desk->collection =
		mongoc_client_get_collection(desk->client, strrchr(uri, '/') + 1, "charges");
	desk->barrier = skald_mongo_barrier(desk->collection, &desk->mongo, NULL);
	ck_assert_ptr_nonnull(desk->barrier);
}

static void leave(struct desk *desk)
{
	skald_barrier_free(desk->barrier);
	mongoc_collection_destroy(desk->collection);
	mongoc_client_destroy(desk->client);
}

static void set_up(void)
{
	mongo_database(uri);
	for (int i = 0; i < 2; i++)
		enter(&desks[i], uri);
}

static void tear_down(void)
{
	for (int i = 0; i < 2; i++)
		leave(&desks[i]);
	arena_release(&arena);
	mongo_drop(uri);
}

static bool handle(void *context, const struct command_message *command, struct arena *texts,
		   struct reply_message *reply)
{
	struct desk *desk = context;
	bson_t *fields = command->verb == MESSAGE_DO ? BCON_NEW("cents", BCON_INT64(1999))
						     : BCON_NEW("refunded", BCON_BOOL(true));

	desk->runs++;
	reply->outcome = desk->outcome;
	reply->output = SLICE_LITERAL("{\"receipt\":1}");
	ck_assert(skald_mongo_set(desk->mongo, fields));
	bson_destroy(fields);
	return true;
}

static struct command_message command(int saga, enum message_verb verb)
{
	static char ids[2][32];

	snprintf(ids[0], sizeof ids[0], "s%d/charge#0/0/do", saga);
	snprintf(ids[1], sizeof ids[1], "s%d/charge#0/0/undo", saga);
	return (struct command_message){.id = slice_of(ids[verb != MESSAGE_DO]),
					.do_id = slice_of(ids[0]),
					.verb = verb,
					.attempt = 1,
					.first_ms = 1000};
}

static void begin(struct desk *desk)
{
	struct barrier *barrier = barrier_of(desk->barrier);

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
}

static enum err try_one(struct desk *desk, int saga, enum message_verb verb,
			struct reply_message *reply)
{
	const struct barrier_desk at = {
		barrier_of(desk->barrier), 1000, 0, handle, desk, &arena};
	struct command_message message = command(saga, verb);
	enum barrier_answer how;

	return barrier_answer(&at, &message, reply, &how);
}

/* One of a transaction. */
static enum message_outcome answer_one(struct desk *desk, int saga, enum message_verb verb)
{
	struct reply_message reply;

	ck_assert_int_eq(try_one(desk, saga, verb, &reply), OK);
	snprintf(desk->output, sizeof desk->output, "%.*s", SLICE_ARG(reply.output));
	return reply.outcome;
}

/* Without its end. */
static enum message_outcome answer(struct desk *desk, enum message_verb verb)
{
	begin(desk);
	return answer_one(desk, 0, verb);
}

static enum err end(struct desk *desk)
{
	struct barrier *barrier = barrier_of(desk->barrier);

	return barrier->ops->commit(barrier);
}

static enum message_outcome run(struct desk *desk, enum message_verb verb)
{
	enum message_outcome outcome = answer(desk, verb);

	ck_assert_int_eq(end(desk), OK);
	return outcome;
}

/* What each document that there is holds beside its record, in the order of their ids:
 * " cents refunded, cents". */
static void check_documents(const char *expected, int n_expected)
{
	bson_t all = BSON_INITIALIZER;
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(desks[0].collection, &all, opts, NULL);
	const bson_t *document;
	char text[200] = "";
	bson_iter_t iter;
	int n = 0;

	while (mongoc_cursor_next(cursor, &document)) {
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s", n++ ? "," : "");
		ck_assert(bson_iter_init(&iter, document));
		while (bson_iter_next(&iter))
			if (strcmp(bson_iter_key(&iter), "_id") != 0 &&
			    strcmp(bson_iter_key(&iter), "skald") != 0)
				snprintf(text + strlen(text), sizeof text - strlen(text), " %s",
					 bson_iter_key(&iter));
	}
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(&all);
	ck_assert_int_eq(n, n_expected);
	ck_assert_str_eq(text, expected);
}

static void check_document(const char *expected)
{
	check_documents(expected, 1);
}

START_TEST(test_what_a_command_does_and_its_record_are_one_document)
{
	ck_assert_int_eq(run(&desks[0], MESSAGE_DO), MESSAGE_OK);
	check_document(" cents");
	ck_assert_int_eq(run(&desks[1], MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(run(&desks[0], MESSAGE_UNDO), MESSAGE_OK);
	check_document(" cents refunded");
	ck_assert_int_eq(run(&desks[1], MESSAGE_UNDO), MESSAGE_OK);
	ck_assert_str_eq(desks[1].output, "{\"receipt\":1}");
	ck_assert_int_eq(run(&desks[1], MESSAGE_DO), MESSAGE_REFUSED);
	ck_assert_int_eq(desks[0].runs, 2);
	ck_assert_int_eq(desks[1].runs, 0);
}
END_TEST

START_TEST(test_what_a_handler_that_fails_has_set_is_forgotten)
{
	desks[0].outcome = MESSAGE_FAILED;
	ck_assert_int_eq(run(&desks[0], MESSAGE_DO), MESSAGE_FAILED);
	ck_assert_int_eq(run(&desks[0], MESSAGE_UNDO), MESSAGE_OK); /* it bars the do */
	check_document("");
	ck_assert_int_eq(run(&desks[0], MESSAGE_DO), MESSAGE_REFUSED);
	check_document("");
}
END_TEST

/* Whatever two processes do at the same time, what is first in the database counts, and
 * the other one finds it when it tries again. */
static const struct race {
	const char *name;
	bool done; /* before */
	enum message_verb first, second;
	enum message_outcome again; /* the second one's answer in the end */
	const char *document;
} races[] = {
	{"the same do twice", false, MESSAGE_DO, MESSAGE_DO, MESSAGE_OK, " cents"},
	{"what bars a do, and the do", false, MESSAGE_UNDO, MESSAGE_DO, MESSAGE_REFUSED, ""},
	{"a do, and what would bar it", false, MESSAGE_DO, MESSAGE_UNDO, MESSAGE_OK,
	 " cents refunded"},
	{"a revoke, and the do", false, MESSAGE_REVOKE, MESSAGE_DO, MESSAGE_REFUSED, ""},
	{"a do, and its revoke", false, MESSAGE_DO, MESSAGE_REVOKE, MESSAGE_REFUSED, " cents"},
	{"the same undo twice", true, MESSAGE_UNDO, MESSAGE_UNDO, MESSAGE_OK,
	 " cents refunded"},
};

START_TEST(test_who_is_first_counts)
{
	const struct race *race = &races[_i];

	if (race->done)
		ck_assert_int_eq(run(&desks[0], MESSAGE_DO), MESSAGE_OK);
	(void)answer(&desks[0], race->first);
	(void)answer(&desks[1], race->second);
	ck_assert_int_eq(end(&desks[0]), OK);
	ck_assert_msg(end(&desks[1]) == ERR_UNAVAILABLE, "%s", race->name);
	ck_assert_msg(run(&desks[1], race->second) == race->again, "%s", race->name);
	check_document(race->document);
}
END_TEST

START_TEST(test_commands_share_a_transaction)
{
	struct desk *desk = &desks[0];

	begin(desk);
	ck_assert_int_eq(answer_one(desk, 1, MESSAGE_DO), MESSAGE_OK);
	desk->outcome = MESSAGE_FAILED;
	ck_assert_int_eq(answer_one(desk, 2, MESSAGE_DO), MESSAGE_FAILED);
	desk->outcome = MESSAGE_OK;
	ck_assert_int_eq(answer_one(desk, 3, MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(answer_one(desk, 1, MESSAGE_UNDO), MESSAGE_OK);
	ck_assert_int_eq(answer_one(desk, 3, MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(answer_one(desk, 1, MESSAGE_DO), MESSAGE_REFUSED);
	ck_assert_int_eq(desk->runs, 4);
	check_documents("", 0);
	ck_assert_int_eq(end(desk), OK);
	check_documents(" cents refunded, cents", 2);
	begin(&desks[1]);
	ck_assert_int_eq(answer_one(&desks[1], 3, MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(answer_one(&desks[1], 1, MESSAGE_UNDO), MESSAGE_OK);
	ck_assert_int_eq(answer_one(&desks[1], 1, MESSAGE_DO), MESSAGE_REFUSED);
	ck_assert_int_eq(end(&desks[1]), OK);
	ck_assert_int_eq(desks[1].runs, 0);
}
END_TEST

/* What was written of them is found when each is tried again, and is not done twice. */
START_TEST(test_one_of_a_transaction_was_done_by_another)
{
	begin(&desks[0]);
	for (int saga = 1; saga <= 3; saga++)
		ck_assert_int_eq(answer_one(&desks[0], saga, MESSAGE_DO), MESSAGE_OK);
	begin(&desks[1]);
	ck_assert_int_eq(answer_one(&desks[1], 2, MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(end(&desks[1]), OK);
	ck_assert_int_eq(end(&desks[0]), ERR_UNAVAILABLE);
	for (int saga = 1; saga <= 3; saga++) {
		begin(&desks[0]);
		ck_assert_int_eq(answer_one(&desks[0], saga, MESSAGE_DO), MESSAGE_OK);
		ck_assert_int_eq(end(&desks[0]), OK);
	}
	/* The first was written; of those behind the second it depends on the server. */
	ck_assert_int_le(desks[0].runs, 4);
	check_documents(" cents, cents, cents", 3);
}
END_TEST

START_TEST(test_fields_that_are_not_the_services)
{
	static const char *const names[] = {"_id", "skald", "skald.state", "$set", ""};
	bson_t *like = BCON_NEW("skalds", BCON_INT32(1));

	for (int i = 0; i < ROWS(names); i++) {
		bson_t fields = BSON_INITIALIZER;

		BSON_APPEND_INT32(&fields, names[i], 1);
		ck_assert_msg(!skald_mongo_set(desks[0].mongo, &fields), "%s", names[i]);
		bson_destroy(&fields);
	}
	ck_assert(skald_mongo_set(desks[0].mongo, like));
	bson_destroy(like);
}
END_TEST

static void keep_bare(struct desk *desk, const char *id)
{
	begin(desk);
	keep_record(barrier_of(desk->barrier), id, BARRIER_BARRED, "", "", "");
	ck_assert_int_eq(end(desk), OK);
}

static void prune(struct desk *desk, size_t limit)
{
	struct barrier *barrier = barrier_of(desk->barrier);

	begin(desk);
	ck_assert_int_eq(barrier->ops->prune(barrier, 5000, limit), OK);
	ck_assert_int_eq(end(desk), OK);
}

static int64_t n_documents(void)
{
	bson_t all = BSON_INITIALIZER;
	int64_t n = mongoc_collection_count_documents(desks[0].collection, &all, NULL, NULL,
						      NULL, NULL);

	bson_destroy(&all);
	return n;
}

/* Records that hold something of the service's stay, however old. */
START_TEST(test_pruning_leaves_the_services_data)
{
	ck_assert_int_eq(run(&desks[0], MESSAGE_DO), MESSAGE_OK);
	keep_bare(&desks[0], "bare");
	prune(&desks[0], 100);
	check_document(" cents");
	ck_assert_int_eq(run(&desks[0], MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(desks[0].runs, 1);
}
END_TEST

/* It is a question, which is not asked with every transaction. */
START_TEST(test_pruning_goes_on_while_there_is_more_and_then_rests)
{
	enum { REST = 16 };
	struct desk *desk = &desks[0];
	struct barrier *barrier = barrier_of(desk->barrier);

	for (int i = 0; i < 3; i++)
		keep_bare(desk, (const char *const[]){"a", "b", "c"}[i]);
	begin(desk);
	ck_assert_int_eq(barrier->ops->prune(barrier, 5000, 9), OK);
	barrier->ops->rollback(barrier);
	keep_bare(desk, "d");
	ck_assert_int_eq(n_documents(), 4);
	prune(desk, 2);
	ck_assert_int_eq(n_documents(), 2);
	prune(desk, 2);
	ck_assert_int_eq(n_documents(), 0);
	prune(desk, 2);
	keep_bare(desk, "e");
	for (int i = 0; i < REST; i++)
		prune(desk, 2);
	ck_assert_int_eq(n_documents(), 1);
	prune(desk, 2);
	ck_assert_int_eq(n_documents(), 0);
}
END_TEST

START_TEST(test_an_id_has_a_limit)
{
	struct barrier *barrier = barrier_of(desks[0].barrier);
	const struct barrier_record record = {.state = BARRIER_BARRED};
	char id[257];

	memset(id, 'x', sizeof id);
	begin(&desks[0]);
	ck_assert_int_eq(barrier->ops->keep(barrier, (struct slice){id, 255}, &record), OK);
	ck_assert_int_ne(barrier->ops->keep(barrier, (struct slice){id, 256}, &record), OK);
	barrier->ops->rollback(barrier);
}
END_TEST

static void fail_to_find(struct desk *desk, struct proxy *proxy, bool answered)
{
	struct barrier *barrier = barrier_of(desk->barrier);
	struct reply_message reply;

	begin(desk);
	proxy_lose(proxy, 0, answered);
	ck_assert_int_ne(try_one(desk, 0, MESSAGE_DO, &reply), OK);
	ck_assert(proxy_lost(proxy));
	barrier->ops->rollback(barrier);
}

/* Nobody knows whether the command was done before, so it is not done now. */
START_TEST(test_without_an_answer_nothing_is_begun)
{
	struct desk *desk = &desks[0];
	char behind[MONGO_URI_SIZE];
	struct barrier *barrier;
	struct proxy proxy;

	leave(desk);
	proxy_start(&proxy, uri, behind);
	enter(desk, behind);
	barrier = barrier_of(desk->barrier);
	fail_to_find(desk, &proxy, _i == 1);
	ck_assert_int_eq(desk->runs, 0);
	ck_assert_int_eq(run(desk, MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(desk->runs, 1);
	fail_to_find(desk, &proxy, _i == 1);
	proxy_stop(&proxy);
	ck_assert_int_ne(barrier->ops->begin(barrier), OK);
}
END_TEST

/* It is not answered, and when it comes again it was done. */
START_TEST(test_what_the_majority_has_not_got_is_not_answered)
{
	char behind[MONGO_URI_SIZE];
	struct desk *desk = &desks[0];
	struct proxy proxy;

	leave(desk);
	proxy_start(&proxy, uri, behind);
	enter(desk, behind);
	ck_assert_int_eq(answer(desk, MESSAGE_DO), MESSAGE_OK);
	proxy_doubt(&proxy, 0);
	ck_assert_int_eq(end(desk), ERR_UNAVAILABLE);
	ck_assert(proxy_doubted(&proxy));
	ck_assert_int_eq(run(desk, MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(desk->runs, 1);
	check_document(" cents");
	proxy_stop(&proxy);
}
END_TEST

/* Whatever the URI says. */
START_TEST(test_the_majority_has_what_is_written_and_read)
{
	char behind[MONGO_URI_SIZE], where[MONGO_URI_SIZE + 64];
	struct desk *desk = &desks[0];
	struct proxy proxy;

	leave(desk);
	proxy_start(&proxy, uri, behind);
	snprintf(where, sizeof where, "%s&w=1&readConcernLevel=local", behind);
	enter(desk, where);
	ck_assert_int_eq(run(desk, MESSAGE_DO), MESSAGE_OK);
	ck_assert_int_eq(run(desk, MESSAGE_UNDO), MESSAGE_OK);
	keep_bare(desk, "bare");
	prune(desk, 100);
	ck_assert_int_ge(proxy_counts(&proxy).written, 5);
	ck_assert_int_eq(proxy_counts(&proxy).careless, 0);
	proxy_stop(&proxy);
}
END_TEST

START_TEST(test_a_server_that_is_not_there)
{
	mongoc_client_t *client = mongoc_client_new("mongodb://127.0.0.1:1/x");
	mongoc_collection_t *collection = mongoc_client_get_collection(client, "x", "charges");
	skald_mongo *mongo = NULL;
	skald_error error = {""};

	ck_assert_ptr_null(skald_mongo_barrier(collection, &mongo, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "charges"));
	mongoc_collection_destroy(collection);
	mongoc_client_destroy(client);
}
END_TEST

static void add(TCase *tcase)
{
	if (!found)
		return;
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_what_a_command_does_and_its_record_are_one_document);
	tcase_add_test(tcase, test_what_a_handler_that_fails_has_set_is_forgotten);
	tcase_add_loop_test(tcase, test_who_is_first_counts, 0, ROWS(races));
	tcase_add_test(tcase, test_commands_share_a_transaction);
	tcase_add_test(tcase, test_one_of_a_transaction_was_done_by_another);
	tcase_add_test(tcase, test_fields_that_are_not_the_services);
	tcase_add_test(tcase, test_pruning_leaves_the_services_data);
	tcase_add_test(tcase, test_a_server_that_is_not_there);
	tcase_add_test(tcase, test_pruning_goes_on_while_there_is_more_and_then_rests);
	tcase_add_test(tcase, test_an_id_has_a_limit);
	if (getenv("SKALD_TEST_MONGO")) /* the proxy is for one server of this machine */
		return;
	tcase_add_loop_test(tcase, test_without_an_answer_nothing_is_begun, 0, 2);
	tcase_add_test(tcase, test_what_the_majority_has_not_got_is_not_answered);
	tcase_add_test(tcase, test_the_majority_has_what_is_written_and_read);
}

int main(void)
{
	found = mongo_find("mongo-memory");
	return suite_run("barrier_mongo", add);
}
