/* skald ls */
#include "base/clock.h"
#include "cli/columns.h"
#include "cli/filter.h"
#include "cli/members.h"
#include "cli/saga_view.h"
#include "cli/spans.h"

#include <stdio.h>

static const char manual[] =
	"Lists sagas, the newest first: those that fit all of the options.\n"
	"\n"
	"  skald ls --status parked\n"
	"  skald ls --saga order --since 1h --limit 20\n"
	"  skald ls --key 17 --json";

static const struct option options[] = {
	FILTER_OPTIONS,
	{.name = "limit",
	 .letter = 'n',
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .min = 1,
	 .help = "no more than so many"},
};

enum { ID, SAGA, STATUS, STEP, AGE, KEY, REASON, N_COLUMNS };

static const char *const titles[N_COLUMNS] = {"ID",  "SAGA", "STATUS", "STEP",
					      "AGE", "KEY",  "REASON"};

struct listing {
	const struct cli *cli;
	struct columns table; /* in the memory of the page */
	int64_t now_ms;
	uint64_t n;
};

static struct slice age(const struct listing *listing, struct json saga, struct arena *arena)
{
	char text[SPAN_TEXT_SIZE];
	struct slice copy = {0};

	span_format(listing->now_ms - member_time(saga, "started_at"), text);
	return arena_copy(arena, slice_of(text), &copy) ? copy : (struct slice){0};
}

static bool add_row(void *context, struct json saga, struct arena *arena)
{
	struct listing *listing = context;
	struct slice status = member_text(saga, "status", arena);
	struct cell_text cells[COLUMNS_MAX] = {
		[ID] = {member_text(saga, "id", arena), TONE_BOLD},
		[SAGA] = {member_text(saga, "saga", arena), TONE_PLAIN},
		[STATUS] = {status, status_tone(status)},
		[STEP] = {member_text(saga, "step", arena), TONE_PLAIN},
		[AGE] = {age(listing, saga, arena), TONE_PLAIN},
		[KEY] = {member_text(saga, "key", arena), TONE_PLAIN},
		[REASON] = {member_text(saga, "reason", arena), TONE_DIM},
	};

	listing->n++;
	if (listing->cli->json) {
		printf("%.*s\n", SLICE_ARG(saga.text));
		return true;
	}
	if (member_bool(saga, "paused"))
		cells[STATUS].text = SLICE_LITERAL("paused");
	listing->table.arena = arena;
	columns_add(&listing->table, cells);
	return true;
}

static enum exit_code print_page(void *context)
{
	struct listing *listing = context;
	struct bytes out = BYTES(SIZE_MAX / 2, NULL);
	enum err err;

	if (!listing->table.n_rows)
		return EXIT_DONE;
	err = columns_write(&listing->table, &listing->cli->out, &out);
	if (!err)
		print_bytes(&out);
	bytes_release(&out);
	/* The titles stand above the first page alone. */
	listing->table = (struct columns){.n_columns = N_COLUMNS};
	return err ? complain_err(listing->cli, err) : EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	struct listing listing = {
		.cli = cli,
		.table = {.titles = cli->quiet ? NULL : titles, .n_columns = N_COLUMNS},
		.now_ms = clock_now_ms(clock_system()),
	};
	const struct filter_walk walk = {
		.row = add_row,
		.page_end = print_page,
		.context = &listing,
		.limit = (uint64_t)options_number(cli->options, "limit")};
	struct remote remote;
	enum exit_code code = filter_check(cli);

	if (!code)
		code = remote_open(cli, &remote);
	if (code)
		return code;
	code = filter_each(&remote, &walk);
	remote_close(&remote);
	if (!code && !listing.n && !cli->json && !cli->quiet)
		fprintf(stderr, "no sagas%s\n",
			filter_given(cli->options) ? " fit" : " are there");
	return code;
}

const struct subcommand subcommand_ls = {
	.name = "ls",
	.brief = "list sagas",
	.usage =
		{
			.program = "skald ls",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
