/* skald start */
#include "base/json_line.h"
#include "cli/given.h"
#include "cli/members.h"
#include "cli/remote.h"
#include "cli/report.h"
#include "cli/spans.h"
#include "cli/wait.h"

#include <stdio.h>

static const char manual[] =
	"Starts the saga NAME and prints its id. With a business key, which --key gives\n"
	"or the definition makes of the input, a second start finds the first one's\n"
	"saga and prints the same id; so does --id. Another input for the same key is\n"
	"refused.\n"
	"\n"
	"With --wait the command stays until the saga has ended or needs a person.\n"
	"It then exits 0 where the saga is completed, 3 where it is not, and 8 where\n"
	"the time of --timeout is over; the saga goes on then.\n"
	"\n"
	"--input-lines starts one saga for each line of a file, which is the input of\n"
	"that saga, and prints the ids in the order of the lines.\n"
	"\n"
	"  skald start order --input '{\"order_id\":\"17\",\"sku\":\"book\",\"qty\":1}' "
	"--wait\n"
	"  skald start order --input @order.json --key 17\n"
	"  skald start order --input-lines orders.jsonl";

static const struct option options[] = {
	{.name = "input",
	 .letter = 'i',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .max = 1024 * 1024,
	 .argument = "JSON",
	 .help = "the input, @FILE for a file, - for standard input; {} where none is given"},
	{.name = "input-lines",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "FILE",
	 .help = "start a saga for each line of this file; - is standard input"},
	{.name = "key",
	 .letter = 'k',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .help = "the business key"},
	{.name = "id",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .help = "the id of the new saga"},
	{.name = "version",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .help = "the version of the definition; the newest where none is given"},
	{.name = "wait",
	 .letter = 'w',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "stay until the saga has ended or needs a person"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .flag_only = true,
	 .min = 1,
	 .help = "with --wait: no longer than this"},
};

static void add_given(const struct cli *cli, struct bytes *body, const char *name)
{
	const char *text = options_text(cli->options, name);

	if (text)
		json_add_text(body, name, slice_of(text));
}

/* --- one -------------------------------------------------------------------------- */

static const char *terminated(struct arena *arena, struct slice text)
{
	struct slice copy;

	return arena_copy(arena, text, &copy) ? copy.at : NULL;
}

/* The members of the answer; the status is that of now. */
static enum exit_code print_started(const struct cli *cli, struct json started,
				    const struct wait_result *waited)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	struct json_each each = json_each(started);

	json_begin(&out);
	while (json_next(&each)) {
		bool is_status = slice_is(each.name.text, "\"status\"");

		if (is_status && waited && waited->status.len) {
			json_add_text(&out, "status", waited->status);
			json_add_optional(&out, "reason", waited->reason);
			continue;
		}
		bytes_text(&out, out.len > 1 ? "," : "");
		bytes_append(&out, each.name.text);
		bytes_add(&out, ':');
		bytes_append(&out, each.value.text);
	}
	json_end_line(&out);
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

static void say_result(const struct cli *cli, const char *id, enum exit_code code,
		       const struct wait_result *waited)
{
	char span[SPAN_TEXT_SIZE];

	span_format(waited->took_ms, span);
	if (code == EXIT_DONE && !cli->quiet)
		fprintf(stderr, "%s: completed after %s\n", id, span);
	else if (code == EXIT_NOT_COMPLETED)
		complain(cli, "%s is %.*s%s%.*s; `skald show %s` tells what happened", id,
			 SLICE_ARG(waited->status), waited->reason.len ? ": " : "",
			 SLICE_ARG(waited->reason), id);
	else if (code == EXIT_TIMED_OUT)
		complain(cli,
			 "%s is still %.*s; it goes on, and `skald watch %s` stays with it", id,
			 SLICE_ARG(waited->status.len ? waited->status : slice_of("under way")),
			 id);
}

static enum exit_code stay(struct remote *remote, struct json started)
{
	const struct cli *cli = remote->cli;
	const char *id = terminated(cli->arena, member_text(started, "id", cli->arena));
	struct wait_result waited;
	enum exit_code code, printed;

	if (!id)
		return complain_err(cli, ERR_NOMEM);
	fflush(stdout);
	code = wait_for_end(remote, id, options_number(cli->options, "timeout"), &waited);
	printed = cli->json ? print_started(cli, started, &waited) : EXIT_DONE;
	say_result(cli, id, code, &waited);
	return code ? code : printed;
}

static enum exit_code start_one(struct remote *remote)
{
	const struct cli *cli = remote->cli;
	const char *given = options_text(cli->options, "input");
	struct bytes body = BYTES(SIZE_MAX / 2, cli->arena);
	bool wait = options_bool(cli->options, "wait");
	struct json input = JSON_OF("{}"), started;
	enum exit_code code = EXIT_DONE;

	if (given)
		code = given_json(cli, "--input", given, &input);
	if (code)
		return code;
	json_begin(&body);
	json_add_text(&body, "saga", slice_of(cli->options->args[0]));
	json_add_json(&body, "input", input.text);
	add_given(cli, &body, "key");
	add_given(cli, &body, "id");
	add_given(cli, &body, "version");
	json_end(&body);
	if (body.err)
		return complain_err(cli, body.err);
	code = remote_call(remote, "POST", "/v1/sagas", bytes_slice(&body), cli->arena,
			   &started);
	if (code)
		return code;
	if (!cli->json) {
		struct slice id = member_text(started, "id", cli->arena);

		printf("%.*s\n", SLICE_ARG(id));
	} else if (!wait) {
		return print_started(cli, started, NULL);
	}
	return wait ? stay(remote, started) : EXIT_DONE;
}

/* --- many ------------------------------------------------------------------------- */

enum {
	LINES_AT_ONCE = 1000,
	BYTES_AT_ONCE = 8 * 1024 * 1024,
	FILE_MAX = 1024 * 1024 * 1024,
};

struct lines {
	struct remote *remote;
	struct slice rest;
	uint32_t number; /* of the line that was taken last, from 1 */
	uint64_t n, n_bad;
	struct arena arena; /* of one batch */
};

static bool is_blank(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (!memchr(" \t\r", line.at[i], 3))
			return false;
	}
	return true;
}

/* A line that is no JSON is not sent. */
static bool check_line(struct lines *lines, struct slice line, struct json *out)
{
	const struct cli *cli = lines->remote->cli;
	struct diag diag = {""};
	const char *column;

	if (!json_parse(line, PAYLOAD_MAX, &lines->arena, out, &diag))
		return true;
	column = strchr(diag.text, ':');
	complain(cli, "%s:%u:%s", report_name(options_text(cli->options, "input-lines")),
		 (unsigned)lines->number, column ? column + 1 : diag.text);
	lines->n_bad++;
	return false;
}

/* The starts of as many lines as one request takes. */
static void make_batch(struct lines *lines, struct bytes *body, uint32_t numbers[LINES_AT_ONCE],
		       size_t *n)
{
	const struct cli *cli = lines->remote->cli;
	struct slice line;

	*n = 0;
	while (*n < LINES_AT_ONCE && body->len < BYTES_AT_ONCE &&
	       slice_line(&lines->rest, &line)) {
		struct json input;

		lines->number++;
		if (is_blank(line) || !check_line(lines, line, &input))
			continue;
		numbers[(*n)++] = lines->number;
		json_begin(body);
		json_add_text(body, "saga", slice_of(cli->options->args[0]));
		add_given(cli, body, "version");
		json_add_json(body, "input", input.text);
		json_end_line(body);
	}
}

static void print_result(struct lines *lines, struct slice line, uint32_t number)
{
	const struct cli *cli = lines->remote->cli;
	struct json result;
	struct slice text;

	if (json_parse(line, REMOTE_ANSWER_MAX, &lines->arena, &result, NULL))
		return;
	text = member_text(result, "detail", &lines->arena);
	if (text.len) {
		lines->n_bad++;
		complain(cli, "%s:%u: %.*s",
			 report_name(options_text(cli->options, "input-lines")),
			 (unsigned)number, SLICE_ARG(text));
		return;
	}
	lines->n++;
	text = cli->json ? result.text : member_text(result, "id", &lines->arena);
	printf("%.*s\n", SLICE_ARG(text));
}

static enum exit_code start_batch(struct lines *lines)
{
	const struct cli *cli = lines->remote->cli;
	struct bytes body = BYTES(SIZE_MAX / 2, &lines->arena);
	struct remote_request request = {"POST", "/v1/sagas:batch", {0}, &lines->arena};
	uint32_t numbers[LINES_AT_ONCE];
	struct remote_answer answer;
	struct slice line;
	size_t n;

	make_batch(lines, &body, numbers, &n);
	if (body.err)
		return complain_err(cli, body.err);
	if (!n)
		return EXIT_DONE;
	request.body = bytes_slice(&body);
	remote_ask(lines->remote, &request, &answer);
	if (answer.code) {
		remote_complain(lines->remote, &answer, NULL);
		complain(cli,
			 "%llu sagas were started, and perhaps some of the lines from %u on",
			 (unsigned long long)lines->n, (unsigned)numbers[0]);
		return answer.code;
	}
	for (size_t i = 0; i < n && slice_line(&answer.text, &line); i++)
		print_result(lines, line, numbers[i]);
	return EXIT_DONE;
}

static void draw_progress(const struct lines *lines, size_t all)
{
	const struct cli *cli = lines->remote->cli;

	if (cli->errs.is_terminal && !cli->quiet && !cli->out.is_terminal)
		fprintf(stderr, "\r%llu started, %zu %% of the file\033[K%s",
			(unsigned long long)lines->n,
			all ? 100 - lines->rest.len * 100 / all : 100,
			lines->rest.len ? "" : "\n");
}

static enum exit_code start_lines(struct remote *remote)
{
	const struct cli *cli = remote->cli;
	struct lines lines = {.remote = remote};
	enum exit_code code = given_text(cli, options_text(cli->options, "input-lines"),
					 FILE_MAX, &lines.rest);
	size_t all = lines.rest.len;

	while (!code && lines.rest.len) {
		code = start_batch(&lines);
		draw_progress(&lines, all);
		arena_reset(&lines.arena);
	}
	arena_release(&lines.arena);
	if (!code && lines.n_bad) {
		complain(cli, "%llu of %llu lines started no saga",
			 (unsigned long long)lines.n_bad,
			 (unsigned long long)(lines.n + lines.n_bad));
		return EXIT_FAILED;
	}
	return code;
}

/* --- the command ------------------------------------------------------------------ */

static enum exit_code check(const struct cli *cli)
{
	static const char *const of_one[] = {"input", "key", "id", "wait", "timeout"};
	const struct options *given = cli->options;

	if (given->n_args != 1)
		return complain_usage(cli, "give the NAME of one saga");
	for (size_t i = 0; options_given(given, "input-lines") && i < 5; i++) {
		if (options_given(given, of_one[i]))
			return complain_usage(cli,
					      "--%s is about one saga, and --input-lines "
					      "starts many",
					      of_one[i]);
	}
	if (options_given(given, "timeout") && !options_bool(given, "wait"))
		return complain_usage(cli, "--timeout needs --wait");
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	struct remote remote;
	enum exit_code code = check(cli);

	if (!code)
		code = remote_open(cli, &remote);
	if (code)
		return code;
	code = options_given(cli->options, "input-lines") ? start_lines(&remote)
							  : start_one(&remote);
	remote_close(&remote);
	return code;
}

const struct subcommand subcommand_start = {
	.name = "start",
	.brief = "start a saga, or many",
	.usage =
		{
			.program = "skald start",
			.arguments = "NAME",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
