/* skald dead */
#include "base/clock.h"
#include "cli/columns.h"
#include "cli/members.h"
#include "cli/remote.h"
#include "cli/spans.h"

#include <stdio.h>

static const char manual[] =
	"Dead letters are messages that nobody could use: what cannot be read, is too\n"
	"large, or is for a saga, step, definition or participant that there is not. They\n"
	"are kept with the reason and all that they had, 1,000 of them and 64 MiB at\n"
	"most; beyond, the oldest go.\n"
	"\n"
	"  skald dead ls                 list them, the newest first\n"
	"  skald dead show ID            all about one: key, headers, what it says\n"
	"  skald dead replay ID...       send them again to where they were found\n"
	"  skald dead drop ID...         forget them\n"
	"\n"
	"What is replayed is taken off the list; what is of no use again comes back to\n"
	"it as a new one. A letter that was cut off cannot be replayed.";

static const struct option options[] = {
	{.name = "limit",
	 .letter = 'n',
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .initial = "1000",
	 .min = 1,
	 .max = 1000,
	 .help = "ls: no more than so many"},
};

/* --- ls --------------------------------------------------------------------------- */

enum { ID, AGE, REASON, SOURCE, SIZE, TEXT, N_COLUMNS };

static const char *const titles[N_COLUMNS] = {"ID", "AGE", "REASON", "SOURCE", "BYTES", "TEXT"};

static struct slice format(struct arena *arena, const char *text)
{
	struct slice copy = {0};

	return arena_copy(arena, slice_of(text), &copy) ? copy : (struct slice){0};
}

static void add_row(struct columns *table, int64_t now_ms, struct json letter)
{
	struct arena *arena = table->arena;
	char age[SPAN_TEXT_SIZE], size[24];
	struct cell_text cells[COLUMNS_MAX] = {
		[ID] = {member_text(letter, "id", arena), TONE_BOLD},
		[REASON] = {member_text(letter, "reason", arena), TONE_PLAIN},
		[SOURCE] = {member_text(letter, "source", arena), TONE_PLAIN},
		[TEXT] = {member_text(letter, "text", arena), TONE_DIM},
	};

	span_format(now_ms - member_time(letter, "at"), age);
	cells[AGE].text = format(arena, age);
	snprintf(size, sizeof size, "%lld", (long long)member_number(letter, "bytes"));
	cells[SIZE].text = format(arena, size);
	columns_add(table, cells);
}

static enum exit_code list(struct remote *remote)
{
	const struct cli *cli = remote->cli;
	struct columns table = {.arena = cli->arena,
				.titles = cli->quiet ? NULL : titles,
				.n_columns = N_COLUMNS};
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	int64_t now_ms = clock_now_ms(clock_system());
	char path[64];
	struct json_each each;
	struct json page;
	enum exit_code code;
	enum err err = OK;
	size_t n = 0;

	snprintf(path, sizeof path, "/v1/dead?limit=%lld",
		 (long long)options_number(cli->options, "limit"));
	code = remote_call(remote, "GET", path, (struct slice){0}, cli->arena, &page);
	if (code)
		return code;
	for (each = json_each(member_json(page, "dead")); json_next(&each); n++) {
		if (cli->json)
			printf("%.*s\n", SLICE_ARG(each.value.text));
		else
			add_row(&table, now_ms, each.value);
	}
	if (!n && !cli->json && !cli->quiet)
		fprintf(stderr, "no dead letters are there\n");
	if (n && !cli->json)
		err = columns_write(&table, &cli->out, &out);
	if (err)
		return complain_err(cli, err);
	print_bytes(&out);
	return EXIT_DONE;
}

/* --- one letter ------------------------------------------------------------------- */

static const char dead_path[] = "/v1/dead/";

static void print_member(const char *title, struct slice text)
{
	if (text.len)
		printf("%-10s %.*s\n", title, SLICE_ARG(text));
}

static void print_letter(struct arena *arena, struct json letter)
{
	static const char *const of_letter[] = {"id", "at", "reason", "text", "source", "key"};
	struct json message = member_json(letter, "message");
	struct json_each each;

	for (size_t i = 0; i < sizeof of_letter / sizeof *of_letter; i++)
		print_member(of_letter[i], member_text(letter, of_letter[i], arena));
	if (json_type(member_json(letter, "partition")) == JSON_NUMBER)
		printf("%-10s partition %lld, offset %lld\n", "place",
		       (long long)member_number(letter, "partition"),
		       (long long)member_number(letter, "offset"));
	printf("%-10s %lld\n", "bytes", (long long)member_number(letter, "bytes"));
	for (each = json_each(member_json(letter, "headers")); json_next(&each);)
		printf("%-10s %.*s: %.*s\n", "header",
		       SLICE_ARG(member_text(each.value, "name", arena)),
		       SLICE_ARG(member_text(each.value, "value", arena)));
	if (json_type(message) != JSON_OBJECT)
		return;
	printf("\n");
	for (each = json_each(message); json_next(&each);) {
		char title[32];

		/* The name without its quotes: it is one of the server's own. */
		snprintf(title, sizeof title, "%.*s", (int)each.name.text.len - 2,
			 each.name.text.at + 1);
		if (json_type(each.value) == JSON_TEXT)
			print_member(title, member_text(message, title, arena));
		else
			print_member(title, each.value.text);
	}
}

static enum exit_code show(struct remote *remote, const char *id)
{
	const struct cli *cli = remote->cli;
	const char *path = remote_path(cli->arena, dead_path, id, "");
	struct json letter;
	enum exit_code code;

	if (!path)
		return complain_err(cli, ERR_NOMEM);
	code = remote_call(remote, "GET", path, (struct slice){0}, cli->arena, &letter);
	if (code)
		return code;
	if (cli->json)
		printf("%.*s\n", SLICE_ARG(letter.text));
	else
		print_letter(cli->arena, letter);
	return EXIT_DONE;
}

/* The first failure counts; the others are done all the same. */
static enum exit_code act(struct remote *remote, const char *method, const char *behind,
			  const char *done)
{
	const struct cli *cli = remote->cli;
	enum exit_code code = EXIT_DONE;

	for (size_t i = 1; i < cli->options->n_args && code != EXIT_UNREACHABLE; i++) {
		const char *id = cli->options->args[i];
		struct remote_request request = {method,
						 remote_path(cli->arena, dead_path, id, behind),
						 {0},
						 cli->arena};
		struct remote_answer answer;

		if (!request.path)
			return complain_err(cli, ERR_NOMEM);
		remote_ask(remote, &request, &answer);
		if (answer.code)
			remote_complain(remote, &answer, id);
		else if (cli->json)
			printf("%.*s\n", SLICE_ARG(answer.json.text));
		else if (!cli->quiet)
			printf("%s %s\n", id, done);
		code = code ? code : answer.code;
	}
	return code;
}

/* --- the command ------------------------------------------------------------------ */

enum verb { LS, SHOW, REPLAY, DROP, N_VERBS };

static enum exit_code choose(const struct cli *cli, enum verb *out)
{
	static const char *const verbs[N_VERBS] = {"ls", "show", "replay", "drop"};
	size_t n = cli->options->n_args;
	int verb = n ? 0 : N_VERBS;

	while (verb < N_VERBS && strcmp(cli->options->args[0], verbs[verb]) != 0)
		verb++;
	if (verb == N_VERBS)
		return complain_usage(cli, "say what to do: ls, show, replay or drop");
	if (verb == LS && n > 1)
		return complain_usage(cli, "ls lists all; to see one, use show");
	if (verb == SHOW && n != 2)
		return complain_usage(cli, "give the ID of one letter; ls has them");
	if (verb > SHOW && n < 2)
		return complain_usage(cli, "give the IDs of letters; ls has them");
	*out = (enum verb)verb;
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	struct remote remote;
	enum verb verb = LS;
	enum exit_code code = choose(cli, &verb);

	if (!code)
		code = remote_open(cli, &remote);
	if (code)
		return code;
	switch (verb) {
	case LS: code = list(&remote); break;
	case SHOW: code = show(&remote, cli->options->args[1]); break;
	case REPLAY: code = act(&remote, "POST", "/replay", "replayed"); break;
	case DROP: code = act(&remote, "DELETE", "", "dropped"); break;
	case N_VERBS: break;
	}
	remote_close(&remote);
	return code;
}

const struct subcommand subcommand_dead = {
	.name = "dead",
	.brief = "look at messages that nobody could use, replay or drop them",
	.usage =
		{
			.program = "skald dead",
			.arguments = "ls|show|replay|drop [ID...]",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
