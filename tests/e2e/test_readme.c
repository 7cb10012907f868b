/* test_readme.c - the commands of README.md work as they stand there, and what the
 * pages link to is there. */
#include "base/bytes.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"
#include "tests/lib/typed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char tree[4096], build[4096];
static struct arena arena;

/* --- commands ----------------------------------------------------------------------- */

/* What stands in the blocks that are marked as sh. */
static struct slice commands_of(struct slice page)
{
	struct bytes commands = BYTES(page.len, &arena);
	bool inside = false;
	struct slice line;

	while (typed_line(&page, &line)) {
		if (slice_is(line, "```sh")) {
			inside = true;
		} else if (slice_is(line, "```")) {
			inside = false;
		} else if (inside) {
			bytes_append(&commands, line);
			bytes_add(&commands, '\n');
		}
	}
	ck_assert_int_eq(commands.err, OK);
	return bytes_slice(&commands);
}

/* In this order, since each block goes on from the one before. */
static const char *const printed[] = {
	"order-17: completed after ",
	"order-18 is compensated: the bank said no",
	"undo answered ok",
	"order-19",
	"the saga ended: completed",
	"reservations 3  held 0  confirmed 2  released 1\n  the books agree",
	"charged_cents 3998",
	"no violation in what was explored",
};

START_TEST(test_every_command)
{
	struct slice commands = commands_of(folder_read("README.md", &arena));
	const char *at;

	folder_enter();
	at = typed_run(build, tree, commands, &arena).at;
	for (int i = 0; i < ROWS(printed); i++) {
		const char *found = strstr(at, printed[i]);

		ck_assert_msg(found != NULL, "no `%s` in: %.6000s", printed[i], at);
		at = found;
	}
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
	tcase_add_test(tcase, test_every_command);
	tcase_add_test(tcase, test_links);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", build, sizeof build);
	*strrchr(build, '/') = '\0';
	return getcwd(tree, sizeof tree) ? suite_run("readme", add) : EXIT_FAILURE;
}
