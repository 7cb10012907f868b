/* test_readme.c - the commands of README.md work as they stand there, those of Kafka on a
 * broker at a port of its own; and what the pages link to is there. */
#include "base/bytes.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"
#include "tests/lib/typed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char tree[4096], build[4096], skald[4096], payment[4096];
static struct arena arena;

/* --- commands ----------------------------------------------------------------------- */

/* What stands in the blocks that are marked so. */
static struct slice commands_of(struct slice page, const char *mark)
{
	struct bytes commands = BYTES(page.len + 1, &arena);
	bool inside = false;
	struct slice line;

	while (slice_line(&page, &line)) {
		if (line.len > 3 && !memcmp(line.at, "```", 3) &&
		    slice_is((struct slice){line.at + 3, line.len - 3}, mark)) {
			inside = true;
		} else if (slice_is(line, "```")) {
			inside = false;
		} else if (inside) {
			bytes_append(&commands, line);
			bytes_add(&commands, '\n');
		}
	}
	bytes_add(&commands, '\0');
	ck_assert_int_eq(commands.err, OK);
	return (struct slice){commands.at, commands.len - 1};
}

/* In this order, since each block goes on from the one before. */
static const char *const printed_locally[] = {
	"order-17: completed after ",
	"order-18 is compensated: the bank said no",
	"undo answered ok",
	"order-19",
	"the saga ended: completed",
	"reservations 3  held 0  confirmed 2  released 1\n  the books agree",
	"charged_cents 3998",
	"no violation in what was explored",
};

static void check_commands(struct slice commands, const char *const *printed, int n)
{
	const char *at;

	folder_enter();
	at = typed_run(build, tree, commands, &arena).at;
	for (int i = 0; i < n; i++) {
		const char *found = strstr(at, printed[i]);

		ck_assert_msg(found != NULL, "no `%s` in: %.6000s", printed[i], at);
		at = found;
	}
	folder_leave();
	arena_release(&arena);
}

START_TEST(test_every_command)
{
	check_commands(commands_of(folder_read("README.md", &arena), "sh"), printed_locally,
		       ROWS(printed_locally));
}
END_TEST

/* --- over Kafka ----------------------------------------------------------------------- */

static char broker_folder[4096];
static const char documented[] = "127.0.0.1:9092";

static void broker_down(void)
{
	(void)kafka_engine("down", broker_folder);
}

static const char *const printed_over_kafka[] = {
	"order-20: completed after ",
	"order-20",
	"charged_cents 1999",
};

/* The broker of the page is another one here. */
START_TEST(test_every_command_over_kafka)
{
	struct slice commands = commands_of(folder_read("README.md", &arena), "bash");
	const char *broker = kafka_engine("up", broker_folder), *at = commands.at, *place;
	struct bytes out = BYTES(65536, &arena);
	int n = 0;

	ck_assert_ptr_nonnull(broker);
	for (; (place = strstr(at, documented)) != NULL; n++) {
		bytes_append(&out, (struct slice){at, (size_t)(place - at)});
		bytes_text(&out, broker);
		at = place + strlen(documented);
	}
	ck_assert_int_eq(n, 4);
	bytes_text(&out, at);
	check_commands(bytes_slice(&out), printed_over_kafka, ROWS(printed_over_kafka));
}
END_TEST

/* The settings of the page are some. */
START_TEST(test_settings_of_kafka)
{
	struct slice page = folder_read("README.md", &arena), rest = page;
	const char *section = strstr(page.at, "## Outgrowing one machine");
	struct process_setup serve = {.argv = {skald, "serve", "-n"}};
	struct process_setup pay = {.argv = {payment, "--data", ".", "--bus",
					     "kafka:127.0.0.1:1", "--kafka",
					     "@payment.properties"}};
	struct process_result result;

	ck_assert_ptr_nonnull(section);
	rest = (struct slice){section, page.len - (size_t)(section - page.at)};
	folder_enter();
	folder_write("skald.yaml", commands_of(rest, "yaml").at);
	folder_write("payment.properties", commands_of(rest, "properties").at);
	result = process_run(&serve, &arena);
	ck_assert_msg(result.exit_code == 0 &&
			      strstr(result.out.at, "kafka.sasl.username: \"skald\"") &&
			      strstr(result.out.at, "kafka.sasl.password: \"********\""),
		      "%s%s", result.out.at, result.errs.at);
	/* It is read, and the file of the authority is not there. */
	result = process_run(&pay, &arena);
	ck_assert_msg(result.exit_code == 1 &&
			      strstr(result.errs.at, "ssl.ca.location failed") != NULL,
		      "%s", result.errs.at);
	folder_leave();
	arena_release(&arena);
}
END_TEST

/* --- links ---------------------------------------------------------------------------- */

static int check_links(const char *folder, const char *name)
{
	char page[512], path[1024];
	const char *at;
	int n = 0;

	snprintf(page, sizeof page, "%s/%s", folder, name);
	at = folder_read(page, &arena).at;
	while ((at = strstr(at, "](")) != NULL) {
		size_t len = strcspn(at += 2, ")#\n");

		if (!len || strncmp(at, "http", 4) == 0)
			continue;
		snprintf(path, sizeof path, "%s/%.*s", folder, (int)len, at);
		ck_assert_msg(access(path, R_OK) == 0, "%s links to %s, which is not there",
			      page, path);
		n++;
	}
	return n;
}

static const char *const folders[] = {".", "docs", "docs/decisions", "sagas", "bench"};

START_TEST(test_links)
{
	int n = 0;

	for (int i = 0; i < ROWS(folders); i++) {
		DIR *folder = opendir(folders[i]);
		struct dirent *entry;

		ck_assert_ptr_nonnull(folder);
		while ((entry = readdir(folder)) != NULL) {
			size_t len = strlen(entry->d_name);

			if (len > 3 && strcmp(entry->d_name + len - 3, ".md") == 0)
				n += check_links(folders[i], entry->d_name);
		}
		closedir(folder);
	}
	ck_assert_int_gt(n, 20);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_unchecked_fixture(tcase, NULL, broker_down);
	tcase_add_test(tcase, test_every_command);
	if (*broker_folder)
		tcase_add_test(tcase, test_every_command_over_kafka);
	tcase_add_test(tcase, test_settings_of_kafka);
	tcase_add_test(tcase, test_links);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	process_find(argv[0], "skald-payment", payment, sizeof payment);
	memcpy(build, skald, sizeof build);
	*strrchr(build, '/') = '\0';
	if (!kafka_broker_own(broker_folder, sizeof broker_folder))
		*broker_folder = '\0';
	return getcwd(tree, sizeof tree) ? suite_run("readme", add) : EXIT_FAILURE;
}
