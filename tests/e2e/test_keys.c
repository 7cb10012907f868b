/* test_keys.c - many clients start a saga with the same key at the same moment, over
 * HTTP and over the bus: there is one saga, and everybody is told which. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "base/clock.h"
#include "cli/members.h"
#include "skald/client.h"
#include "tests/e2e/http.h"
#include "tests/e2e/works.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CLIENTS = 12,
	ROUNDS = 20,
	KILLS = 5,
	ANSWER_MS = 20000,
	LATE_MS = 10000,
	PAUSE_MS = 10
};

static const char definition[] = "saga: visit\nversion: 1.0.0\nkey: =input.guest\n"
				 "steps: [ { greet: { kind: readonly, call: desk.greet } } ]\n";

/* What one client heard in one round. */
struct heard {
	char id[65];
	bool created;
	bool conflict; /* somebody else's input has the key */
};

/* What all processes see. */
struct hall {
	pthread_barrier_t door; /* everybody goes through it together */
	struct heard heard[ROUNDS][CLIENTS];
	int round; /* that somebody has begun */
};

static const struct row {
	const char *name;
	int inputs;   /* of how many kinds */
	bool key, id; /* given by the clients */
	bool kills;   /* of the server, meanwhile */
} rows[] = {
	{"the definition makes the key", 1, false, false, false},
	{"the clients say the key", 1, true, false, false},
	{"the clients say the id", 1, false, true, false},
	{"there are two inputs for one key", 2, true, false, false},
	{"there are two inputs for one id", 2, true, true, false},
	{"the server is killed", 1, true, false, true},
	{"the server is killed, and there are two inputs", 2, true, false, true},
};

static struct hall *hall;
static struct serving server;
static struct arena arena;

/* --- one client ------------------------------------------------------------------- */

struct client {
	const struct row *row;
	int number; /* the odd ones use the bus */
	skald_client *bus;
};

struct texts {
	char input[64], key[32], id[32];
};

static struct texts texts_of(const struct row *row, int round, int kind)
{
	struct texts texts = {.key = "", .id = ""};

	snprintf(texts.input, sizeof texts.input, "{\"guest\":\"ann-%d\"%s}", round,
		 kind ? ",\"bag\":true" : "");
	if (row->key)
		snprintf(texts.key, sizeof texts.key, "key-%d", round);
	if (row->id)
		snprintf(texts.id, sizeof texts.id, "visit-%d", round);
	return texts;
}

/* False: no answer came, or that it should come again. */
static bool start_by_http(const struct texts *texts, struct heard *heard, struct arena *memory)
{
	struct bytes body = BYTES(4096, memory);
	struct http_answer answer;
	struct json json;

	bytes_format(&body, "{\"saga\":\"visit\",\"input\":%s", texts->input);
	if (texts->key[0])
		bytes_format(&body, ",\"key\":\"%s\"", texts->key);
	if (texts->id[0])
		bytes_format(&body, ",\"id\":\"%s\"", texts->id);
	bytes_add(&body, '}');
	answer = http_ask(server.url, "/v1/sagas", bytes_slice(&body), memory);
	if (!answer.status || answer.status == 503)
		return false;
	if (json_parse(answer.text, 4096, memory, &json, NULL))
		_exit(EXIT_FAILURE);
	heard->created = answer.status == 201;
	heard->conflict = answer.status == 409 &&
			  slice_is(member_text(json, "code", memory), "key-taken");
	snprintf(heard->id, sizeof heard->id, "%.*s",
		 SLICE_ARG(member_text(json, "id", memory)));
	return true;
}

static bool start_by_bus(skald_client *client, const struct texts *texts, struct heard *heard)
{
	const skald_start start = {.saga = "visit",
				   .key = texts->key[0] ? texts->key : NULL,
				   .id = texts->id[0] ? texts->id : NULL,
				   .input = texts->input};
	skald_saga saga;
	skald_client_result result = skald_client_start(client, &start, ANSWER_MS, &saga);

	if (result != SKALD_CLIENT_OK && result != SKALD_CLIENT_REFUSED)
		return false;
	heard->created = saga.created;
	heard->conflict = result == SKALD_CLIENT_REFUSED && strcmp(saga.code, "key-taken") == 0;
	snprintf(heard->id, sizeof heard->id, "%.64s", saga.id);
	return result == SKALD_CLIENT_OK || heard->conflict;
}

/* False: it has to be asked again, because the server was killed. An answer that takes
 * so long was forgotten until something else happened. */
static bool start(struct client *client, const struct texts *texts, struct heard *heard,
		  struct arena *memory)
{
	int64_t began_ms = clock_monotonic_ms(clock_system());
	bool answered = client->number % 2 == 1 ? start_by_bus(client->bus, texts, heard)
						: start_by_http(texts, heard, memory);
	int64_t took_ms = clock_monotonic_ms(clock_system()) - began_ms;

	if ((answered || client->row->kills) && took_ms < LATE_MS)
		return answered;
	fprintf(stderr, "client %d: %s after %lld ms\n", client->number,
		answered ? "an answer" : "no answer", (long long)took_ms);
	_exit(EXIT_FAILURE);
}

static void run_client(struct client *client)
{
	struct arena memory = {0};

	for (int round = 0; round < ROUNDS; round++) {
		struct heard *heard = &hall->heard[round][client->number];
		struct texts texts =
			texts_of(client->row, round, client->number / 2 % client->row->inputs);

		pthread_barrier_wait(&hall->door);
		__atomic_store_n(&hall->round, round, __ATOMIC_RELAXED);
		while (!start(client, &texts, heard, &memory))
			works_sleep_ms(PAUSE_MS);
		arena_reset(&memory);
	}
}

static void run_clients(const struct row *row, pid_t pids[CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++) {
		struct client client = {.row = row, .number = i};
		skald_error error;

		pids[i] = fork();
		ck_assert_int_ge(pids[i], 0);
		if (pids[i])
			continue;
		client.bus = skald_client_new("local:data/bus.sock", &error);
		if (!client.bus)
			_exit(EXIT_FAILURE);
		run_client(&client);
		_exit(EXIT_SUCCESS);
	}
}

/* --- what came of it -------------------------------------------------------------- */

static const char *check_round(const struct row *row, int round)
{
	const char *id = NULL;
	int created = 0, conflicts = 0;

	for (int i = 0; i < CLIENTS; i++) {
		const struct heard *heard = &hall->heard[round][i];

		created += heard->created;
		conflicts += heard->conflict;
		if (heard->conflict)
			continue;
		id = id ? id : heard->id;
		ck_assert_msg(*id && strcmp(heard->id, id) == 0,
			      "%s: in round %d one heard of %s, another of %s", row->name,
			      round, id, heard->id);
	}
	/* The answer to the one who made it may be lost with the server. */
	ck_assert_msg(created == 1 || (row->kills && created == 0),
		      "%s: in round %d %d made the saga", row->name, round, created);
	ck_assert_msg(conflicts == (row->inputs == 1 ? 0 : CLIENTS / 2),
		      "%s: in round %d %d were told of a conflict", row->name, round,
		      conflicts);
	return id;
}

static size_t count_sagas(const char *path)
{
	struct json page = http_get(server.url, path, &arena);

	return json_size(member_json(page, "sagas"));
}

static void check_all(const struct row *row)
{
	for (int round = 0; round < ROUNDS; round++) {
		const char *id = check_round(row, round);
		char path[64];

		snprintf(path, sizeof path, "/v1/sagas?key=%s-%d", row->key ? "key" : "ann",
			 round);
		ck_assert_uint_eq(count_sagas(path), 1);
		snprintf(path, sizeof path, "/v1/sagas/%s", id);
		ck_assert_int_eq(http_ask(server.url, path, (struct slice){0}, &arena).status,
				 200);
	}
	ck_assert_uint_eq(count_sagas("/v1/sagas?limit=1000"), ROUNDS);
}

/* --- the test --------------------------------------------------------------------- */

static void begin(void)
{
	pthread_barrierattr_t shared;

	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write("sagas/visit.yaml", definition);
	serving_start(&server, works_program(SERVER), NULL);
	hall = mmap(NULL, sizeof *hall, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	ck_assert(hall != MAP_FAILED);
	ck_assert_int_eq(pthread_barrierattr_init(&shared), 0);
	ck_assert_int_eq(pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED), 0);
	ck_assert_int_eq(pthread_barrier_init(&hall->door, &shared, CLIENTS), 0);
}

static void end(void)
{
	ck_assert_int_eq(background_stop(&server.process, SIGTERM), 0);
	arena_release(&arena);
	folder_leave();
}

/* While the clients go from round to round. */
static void kill_server(void)
{
	for (int i = 1; i <= KILLS; i++) {
		while (__atomic_load_n(&hall->round, __ATOMIC_RELAXED) < i * ROUNDS / 6)
			works_sleep_ms(1);
		background_stop(&server.process, SIGKILL);
		serving_again(&server, works_program(SERVER));
	}
}

START_TEST(test_one_key_is_one_saga)
{
	const struct row *row = &rows[_i];
	pid_t pids[CLIENTS];

	begin();
	run_clients(row, pids);
	if (row->kills)
		kill_server();
	for (int i = 0; i < CLIENTS; i++) {
		int status;

		while (waitpid(pids[i], &status, 0) < 0)
			ck_assert_int_eq(errno, EINTR);
		ck_assert_int_eq(status, 0);
	}
	check_all(row);
	end();
}
END_TEST

/* --- the same from a shell -------------------------------------------------------- */

static struct process_result start_in_shell(const char *input, const char *json)
{
	struct process_setup setup = {
		.argv = {works_program(SERVER), "start", "visit", "--key", "k", "--input",
			 input, json},
		.env = {server.env},
	};

	return process_run(&setup, &arena);
}

START_TEST(test_what_a_shell_sees)
{
	struct process_result first, again, other;

	begin();
	first = start_in_shell("{\"guest\":\"ann\"}", "--json");
	again = start_in_shell("{ \"guest\": \"ann\" }", "--json");
	other = start_in_shell("{\"guest\":\"bob\"}", "--json");
	ck_assert_int_eq(first.exit_code, 0);
	ck_assert_ptr_nonnull(strstr(first.out.at, "\"created\":true"));
	ck_assert_int_eq(again.exit_code, 0);
	ck_assert_ptr_nonnull(strstr(again.out.at, "\"created\":false"));
	ck_assert_int_eq(strncmp(first.out.at, again.out.at, strcspn(first.out.at, ",")), 0);
	ck_assert_int_eq(other.exit_code, 7);
	ck_assert_uint_eq(other.out.len, 0);
	ck_assert_str_eq(other.errs.at,
			 "skald start: a saga with this id or key is there already, with "
			 "another input; give the new one an id and key of its own\n");
	ck_assert_str_eq(start_in_shell("{\"guest\":\"bob\"}", NULL).errs.at, other.errs.at);
	end();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_one_key_is_one_saga, 0, ROWS(rows));
	tcase_add_test(tcase, test_what_a_shell_sees);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	return suite_run("keys", add);
}
