/* test_operations.c - the commands of docs/operations.md work as they stand there. */
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"
#include "tests/lib/typed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char skald[4096], path[8192];
static struct arena arena;

#define ORDER(no, sku, more)                                                      \
	"{\"order_id\":\"" no "\",\"sku\":\"" sku "\",\"qty\":1,\"total\":19.99," \
	"\"email\":\"ann@example.com\",\"card\":\"4111\"" more "}"

/* The files that the page speaks of; the order saga is that of the tree. */
static void write_files(struct slice order, struct slice schema)
{
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	ck_assert_int_eq(mkdir("sagas/schemas", 0700), 0);
	folder_write("sagas/order.yaml", order.at);
	folder_write("sagas/schemas/order.json", schema.at);
	folder_write("sagas/visit.yaml",
		     "saga: visit\nversion: 1.0.0\nsteps:\n"
		     "  - talk: { await: { event: talked, timeout: 1h, then: compensate } }\n");
	folder_write("order.json", ORDER("17", "book", ""));
	folder_write("declined.json", ORDER("18", "book", ",\"decline\":true"));
	folder_write("lost.json", ORDER("19", "lost", ""));
	folder_write("lost-too.json", ORDER("20", "lost", ""));
	folder_write("slow.json", ORDER("21", "slow", ""));
	folder_write("orders.jsonl", ORDER("31", "book", "") "\n" ORDER("32", "book", "") "\n");
}

/* The settings that the page shows. */
static void write_settings(const char *page)
{
	static const char begin[] = "```yaml\nparticipants:";
	const char *at = strstr(page, begin), *end;
	struct slice text;

	ck_assert_ptr_nonnull(at);
	at += strlen("```yaml\n");
	end = strstr(at, "```");
	ck_assert_ptr_nonnull(end);
	ck_assert(arena_copy(&arena, (struct slice){at, (size_t)(end - at)}, &text));
	folder_write("skald.yaml", text.at);
}

/* What it says of them is in effect. */
static void check_settings(const struct serving *serving)
{
	struct process_setup setup = {.argv = {skald, "stats", "--json"},
				      .env = {serving->env}};
	struct process_result result = process_run(&setup, &arena);
	static const char *const parts[] = {
		"\"breaker\":\"closed\",\"limits\":{\"window\":50,\"rate\":\"100/s\","
		"\"burst\":20,\"failures\":5,\"pause_ms\":30000}",
		"\"limits\":{\"window\":500,\"rate\":\"30/s\",\"burst\":30}",
		"\"limits\":{\"window\":500}"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		ck_assert_msg(strstr(result.out.at, parts[i]) != NULL, "no %s in %s", parts[i],
			      result.out.at);
}

/* "$ skald show x   # exits 3": the command, and what it is to exit with. */
static int expected_exit(struct slice line)
{
	static const char mark[] = "# exits ";

	for (size_t i = 0; i + sizeof mark <= line.len; i++) {
		if (memcmp(line.at + i, mark, sizeof mark - 1) == 0)
			return line.at[i + sizeof mark - 1] - '0';
	}
	return 0;
}

static void run_line(const struct serving *serving, struct slice line)
{
	struct slice command;
	struct process_setup setup = {.env = {path, serving->env, "LANG=C.UTF-8"}};
	struct process_result result;

	ck_assert(arena_copy(&arena, line, &command));
	setup.argv[0] = "/bin/sh";
	setup.argv[1] = "-c";
	setup.argv[2] = command.at;
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == expected_exit(command), "`%s` exits %d: %s%s",
		      command.at, result.exit_code, result.out.at, result.errs.at);
}

START_TEST(test_every_command_of_the_page)
{
	struct serving serving;
	struct background services;
	struct slice rest = folder_read("docs/operations.md", &arena);
	struct slice order = folder_read("sagas/order.yaml", &arena);
	struct slice schema = folder_read("sagas/schemas/order.json", &arena);
	struct slice line;
	size_t n = 0;

	folder_enter();
	write_files(order, schema);
	write_settings(rest.at);
	serving_start(&serving, skald, NULL);
	services_start(&services, "data/bus.sock");
	while (slice_line(&rest, &line)) {
		if (line.len > 2 && memcmp(line.at, "$ ", 2) == 0) {
			run_line(&serving, (struct slice){line.at + 2, line.len - 2});
			n++;
		}
	}
	ck_assert_uint_gt(n, 20);
	check_settings(&serving);
	background_stop(&services, SIGKILL);
	ck_assert_int_eq(background_stop(&serving.process, SIGTERM), 0);
	folder_leave();
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_every_command_of_the_page);
}

int main(int argc, char **argv)
{
	char *slash;

	process_find(argv[0], "skald", skald, sizeof skald);
	snprintf(path, sizeof path, "PATH=%s", skald);
	slash = strrchr(path, '/');
	snprintf(slash, sizeof path - (size_t)(slash - path), ":%.2000s", getenv("PATH"));
	return suite_run("operations", add);
}
