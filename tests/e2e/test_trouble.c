/* test_trouble.c - server and services that cannot begin say why, and what to do; those
 * that can wait for each other do so, in any order. */
#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/e2e/works.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct works works;
static struct arena arena;

static void begin(void)
{
	works_enter();
	works = (struct works){.server = {.url = ""}};
}

static void end(void)
{
	works_stop(&works);
	arena_release(&arena);
	folder_leave();
}

static int order(const char *id)
{
	char input[256];
	struct process_setup setup = {.argv = {works_program(SERVER), "start", "order", "-i",
					       input, "--wait", "--timeout", "50s"},
				      .env = {works.server.env}};

	snprintf(
		input, sizeof input,
		"{\"order_id\":\"%s\",\"sku\":\"book\",\"qty\":1,\"total\":1,\"email\":\"a@b\","
		"\"card\":\"1\"}",
		id);
	return process_run(&setup, &arena).exit_code;
}

/* --- who waits for whom --------------------------------------------------------------- */

START_TEST(test_services_that_are_there_before_the_server)
{
	begin();
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		works_start_one(&works, work);
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		background_until(&works.services[work], "event=waiting participant=", &arena);
	works_start_one(&works, SERVER);
	ck_assert_int_eq(order("1"), 0);
	end();
}
END_TEST

START_TEST(test_services_that_come_after_the_order)
{
	struct process_setup setup = {
		.argv = {works_program(SERVER), "start", "order", "-i",
			 "{\"order_id\":\"1\",\"sku\":\"book\",\"qty\":1,"
			 "\"total\":1,\"email\":\"a@b\",\"card\":\"1\"}"}};

	begin();
	works_start_one(&works, SERVER);
	setup.env[0] = works.server.env;
	ck_assert_int_eq(process_run(&setup, &arena).exit_code, 0);
	for (enum work work = NOTIFICATION; work > SERVER; work--)
		works_start_one(&works, work);
	ck_assert_int_eq(order("1"), 0); /* the same one */
	end();
}
END_TEST

/* As long as they live they find every next server. */
START_TEST(test_services_that_outlive_the_server)
{
	char id[16];

	begin();
	works_start(&works);
	for (int i = 0; i < 3; i++) {
		works_kill(&works, SERVER);
		background_until(&works.services[PAYMENT],
				 "event=disconnected participant=payment", &arena);
		works_start_one(&works, SERVER);
		snprintf(id, sizeof id, "%d", i);
		ck_assert_int_eq(order(id), 0);
	}
	end();
}
END_TEST

START_TEST(test_a_service_with_the_path_of_another_place)
{
	begin();
	works.args[INVENTORY][0] = "--bus";
	works.args[INVENTORY][1] = "local:elsewhere/bus.sock";
	works_start_one(&works, INVENTORY);
	background_until(&works.services[INVENTORY],
			 "level=warn event=waiting participant=inventory why=\"no "
			 "orchestrator answers at elsewhere/bus.sock: No such file or "
			 "directory\"",
			 &arena);
	ck_assert_int_eq(background_stop(&works.services[INVENTORY], SIGTERM), 0);
	arena_release(&arena);
	folder_leave();
}
END_TEST

/* --- what cannot begin ------------------------------------------------------------------ */

static void damage(const char *path)
{
	char text[9000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	folder_write(path, text);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(!sqlite3_exec(db, sql, NULL, NULL, NULL), "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void damage_server(void)
{
	damage("data/skald.db");
}

/* A page in the middle of it. */
static void damage_a_page(void)
{
	static const char rubbish[8192] = "rubbish";
	FILE *file = fopen("data/skald.db", "r+");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, 4096, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(rubbish, 1, sizeof rubbish, file), sizeof rubbish);
	ck_assert_int_eq(fclose(file), 0);
}

static void make_newer(void)
{
	run_sql("data/skald.db", "PRAGMA user_version = 99");
}

static void put_file_for_socket(void)
{
	folder_write("data/bus.sock", "no socket");
}

static void damage_stock(void)
{
	damage("inventory.db");
}

static void give_stock_to_another(void)
{
	unlink("inventory.db");
	run_sql("inventory.db", "CREATE TABLE reservation (room)");
}

static void damage_guard(void)
{
	damage("inventory.guard");
}

static const struct row {
	const char *name;
	void (*prepare)(void); /* after all was used, and has ended; NULL: nothing */
	enum work work;
	const char *args[3];
	int exit_code;
	const char *errs; /* part of it */
} rows[] = {
	{"a database that is none",
	 damage_server,
	 SERVER,
	 {0},
	 1,
	 "skald serve: data/skald.db is damaged (file is not a database); stop the server, "
	 "then put a backup in its place, or save what can be saved: sqlite3 skald.db "
	 ".recover\n"},
	{"a database with rubbish in it",
	 damage_a_page,
	 SERVER,
	 {0},
	 1,
	 "skald serve: data/skald.db is damaged (malformed "},
	{"a database of a newer skald",
	 make_newer,
	 SERVER,
	 {0},
	 1,
	 "skald serve: data/skald.db is in version 99, of a newer skald; this one knows "
	 "versions up to "},
	{"a file where the socket should be",
	 put_file_for_socket,
	 SERVER,
	 {0},
	 1,
	 "skald serve: data/bus.sock is there and no socket: remove it, or choose another "
	 "path\n"},
	{"a socket in no folder",
	 NULL,
	 SERVER,
	 {"--bus", "local:none/bus.sock"},
	 1,
	 "skald serve: cannot listen at none/bus.sock: No such file or directory\n"},
	{"a service's database that is none",
	 damage_stock,
	 INVENTORY,
	 {0},
	 1,
	 "skald-inventory: ./inventory.db: file is not a database; put a backup in its place, "
	 "or use another --data\n"},
	{"a service's database that is another program's",
	 give_stock_to_another,
	 INVENTORY,
	 {0},
	 1,
	 "; is it another program's? use another --data\n"},
	{"a guard that is none",
	 damage_guard,
	 INVENTORY,
	 {0},
	 1,
	 "./inventory.guard: is no file of a crash guard; name another one\n"},
	{"a bus of another kind",
	 NULL,
	 INVENTORY,
	 {"--bus", "smoke:signals"},
	 2,
	 "give local:PATH, with the path of the orchestrator's socket, or kafka:HOST:PORT;"},
};

START_TEST(test_what_cannot_begin)
{
	const struct row *row = &rows[_i];
	bool serve = row->work == SERVER;
	struct process_setup setup = {.argv = {works_program(row->work)}};
	struct process_result result;
	size_t n = 1;

	begin();
	works_start(&works);
	ck_assert_int_eq(order("1"), 0);
	works_stop(&works);
	if (row->prepare)
		row->prepare();
	if (serve) {
		setup.argv[n++] = "serve";
		setup.argv[n++] = "--listen";
		setup.argv[n++] = "127.0.0.1:0";
	}
	setup.argv[n++] = "--data";
	setup.argv[n++] = serve ? "data" : ".";
	for (size_t i = 0; row->args[i]; i++)
		setup.argv[n++] = row->args[i];
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == row->exit_code && strstr(result.errs.at, row->errs),
		      "%s: exit %d: %s", row->name, result.exit_code, result.errs.at);
	arena_release(&arena);
	folder_leave();
}
END_TEST

/* The one that was there first does not notice. */
START_TEST(test_a_second_server_on_the_same_socket)
{
	struct process_setup setup = {.argv = {works_program(SERVER), "serve", "--listen",
					       "127.0.0.1:0", "--data", "other", "--bus",
					       "local:data/bus.sock"}};
	struct process_result result;

	begin();
	works_start(&works);
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_ptr_nonnull(strstr(result.errs.at,
				     "another process listens at data/bus.sock: stop it, or "
				     "choose another path\n"));
	ck_assert_int_eq(order("1"), 0);
	end();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_services_that_are_there_before_the_server);
	tcase_add_test(tcase, test_services_that_come_after_the_order);
	tcase_add_test(tcase, test_services_that_outlive_the_server);
	tcase_add_test(tcase, test_a_service_with_the_path_of_another_place);
	tcase_add_loop_test(tcase, test_what_cannot_begin, 0, ROWS(rows));
	tcase_add_test(tcase, test_a_second_server_on_the_same_socket);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	return suite_run("trouble", add);
}
