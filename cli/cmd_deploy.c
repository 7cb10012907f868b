/* skald deploy, and skald definitions */
#include "base/clock.h"
#include "cli/columns.h"
#include "cli/members.h"
#include "cli/remote.h"
#include "cli/report.h"
#include "cli/spans.h"

#include <stdio.h>

/* --- deploy ----------------------------------------------------------------------- */

static const char deploy_manual[] =
	"Checks definitions and registers them with the server. Sagas that are started\n"
	"from then on without a version are of the newest one; those that run stay with\n"
	"the one that they began with. A version that is there cannot be changed (exit\n"
	"7): give the changed definition a higher one.\n"
	"\n"
	"Where several orchestrators share a store, all of them know it at once; one that\n"
	"could not be told is named, and looks in the store when it needs it.\n"
	"\n"
	"  skald deploy sagas/order.yaml";

static void say_deployed(const struct cli *cli, const char *path, struct json answer)
{
	struct slice saga = member_text(answer, "saga", cli->arena);
	struct slice version = member_text(answer, "version", cli->arena);
	bool created = member_bool(answer, "created");

	if (cli->json)
		printf("%.*s\n", SLICE_ARG(answer.text));
	else if (!cli->quiet)
		printf("%s: %.*s %.*s %s\n", path, SLICE_ARG(saga), SLICE_ARG(version),
		       created ? "deployed" : "was there already");
}

/* Orchestrators that do not know it yet. */
static void warn_untold(const struct cli *cli, struct json answer)
{
	struct json_each each = json_each(member_json(answer, "untold"));
	struct slice url;

	while (!cli->quiet && json_next(&each)) {
		if (json_text(each.value, cli->arena, &url))
			complain(cli,
				 "the orchestrator at %.*s could not be told; it looks in the "
				 "store when it needs it",
				 SLICE_ARG(url));
	}
}

static enum exit_code deploy(struct remote *remote, const char *path)
{
	const struct cli *cli = remote->cli;
	struct remote_request request = {"POST", "/v1/definitions", {0}, cli->arena};
	struct definition *definition;
	struct remote_answer answer;
	enum exit_code code = report_load(cli, REPORT_TEXT, path, &definition);

	if (code)
		return code;
	request.body = definition->normal; /* with its schemas in it */
	remote_ask(remote, &request, &answer);
	definition_free(definition);
	if (answer.code)
		remote_complain(remote, &answer, report_name(path));
	else
		say_deployed(cli, report_name(path), answer.json);
	if (!answer.code)
		warn_untold(cli, answer.json);
	return answer.code;
}

static enum exit_code run_deploy(struct cli *cli)
{
	struct remote remote;
	enum exit_code code, first = EXIT_DONE;

	if (cli->options->n_args == 0)
		return complain_usage(cli, "give one FILE or more");
	code = remote_open(cli, &remote);
	if (code)
		return code;
	for (size_t i = 0; i < cli->options->n_args && code != EXIT_UNREACHABLE; i++) {
		code = deploy(&remote, cli->options->args[i]);
		first = first ? first : code;
	}
	remote_close(&remote);
	return first;
}

const struct subcommand subcommand_deploy = {
	.name = "deploy",
	.brief = "register definitions with the server",
	.usage = {.program = "skald deploy",
		  .arguments = "FILE...",
		  .summary = deploy_manual,
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run_deploy,
};

/* --- definitions ------------------------------------------------------------------ */

static const char definitions_manual[] =
	"Lists the definitions that the server knows, all versions of them. A star marks\n"
	"the version that is started where none is given.";

enum { SAGA, VERSION, NEWEST, HASH, STEPS, AGE, DESCRIPTION, N_COLUMNS };

static const char *const titles[N_COLUMNS] = {"SAGA",  "VERSION", "",           "HASH",
					      "STEPS", "AGE",     "DESCRIPTION"};

static void add_definition(const struct cli *cli, struct columns *table, struct json definition)
{
	int64_t now_ms = clock_now_ms(clock_system());
	struct slice hash = member_text(definition, "hash", cli->arena), age = {0};
	char span[SPAN_TEXT_SIZE];
	struct cell_text cells[COLUMNS_MAX] = {
		[SAGA] = {member_text(definition, "saga", cli->arena), TONE_BOLD},
		[VERSION] = {member_text(definition, "version", cli->arena), TONE_PLAIN},
		[NEWEST] = {slice_of(member_bool(definition, "newest") ? "*" : ""), TONE_GREEN},
		[HASH] = {utf8_cut(hash, SHORT_HASH_SIZE - 1), TONE_DIM},
		[STEPS] = {member_json(definition, "steps").text, TONE_PLAIN},
		[DESCRIPTION] = {member_text(definition, "description", cli->arena), TONE_DIM},
	};

	span_format(now_ms - member_time(definition, "deployed_at"), span);
	if (!arena_copy(cli->arena, slice_of(span), &age))
		table->nomem = true;
	cells[AGE] = (struct cell_text){age, TONE_PLAIN};
	columns_add(table, cells);
}

static enum exit_code print_definitions(const struct cli *cli, struct json list)
{
	struct columns table = {.arena = cli->arena, .titles = titles, .n_columns = N_COLUMNS};
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	struct json_each each = json_each(list);
	enum err err;

	while (json_next(&each)) {
		if (cli->json)
			printf("%.*s\n", SLICE_ARG(each.value.text));
		else
			add_definition(cli, &table, each.value);
	}
	if (!cli->json && !table.n_rows && !cli->quiet)
		fputs("no definitions are there; `skald deploy FILE` registers one\n", stderr);
	if (!table.n_rows)
		return EXIT_DONE;
	err = columns_write(&table, &cli->out, &out);
	if (err)
		return complain_err(cli, err);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code run_definitions(struct cli *cli)
{
	struct remote remote;
	struct json answer;
	enum exit_code code = remote_open(cli, &remote);

	if (code)
		return code;
	code = remote_call(&remote, "GET", "/v1/definitions", (struct slice){0}, cli->arena,
			   &answer);
	remote_close(&remote);
	return code ? code : print_definitions(cli, member_json(answer, "definitions"));
}

const struct subcommand subcommand_definitions = {
	.name = "definitions",
	.brief = "list the definitions that the server knows",
	.usage = {.program = "skald definitions",
		  .summary = definitions_manual,
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run_definitions,
};
