#include "tests/lib/command_row.h"

#include <check.h>
#include <string.h>

struct process_result row_run(const char *program, const struct process_setup *setup,
			      struct arena *arena)
{
	struct process_setup whole = *setup;

	memmove(whole.argv + 1, setup->argv, sizeof whole.argv - sizeof *whole.argv);
	whole.argv[0] = program;
	return process_run(&whole, arena);
}

void row_check_text(const char *name, const char *stream, struct slice text,
		    const char *expected, const char *never)
{
	if (expected)
		ck_assert_msg(strstr(text.at, expected) != NULL, "%s: %s is\n%s", name, stream,
			      text.at);
	else
		ck_assert_msg(text.len == 0, "%s: %s is\n%s", name, stream, text.at);
	if (never)
		ck_assert_msg(!strstr(text.at, never), "%s: %s is\n%s", name, stream, text.at);
}

void row_check(const char *program, const struct command_row *row)
{
	struct arena arena = {0};
	struct process_result result = row_run(program, &row->setup, &arena);

	row_check_text(row->name, "standard output", result.out, row->out, row->never);
	row_check_text(row->name, "standard error", result.errs, row->errs, row->never);
	ck_assert_msg(result.exit_code == row->exit_code, "%s: exit code %d", row->name,
		      result.exit_code);
	arena_release(&arena);
}
