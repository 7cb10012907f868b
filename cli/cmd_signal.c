/* skald signal */
#include "base/json_line.h"
#include "cli/given.h"
#include "cli/members.h"
#include "cli/remote.h"

#include <stdio.h>

static const char manual[] =
	"Tells a saga that the event EVENT has happened. It is kept where it comes before\n"
	"a step awaits it. The same --id a second time changes nothing, so that whoever\n"
	"is not sure whether a signal arrived can send it again.\n"
	"\n"
	"  skald signal trial-17 subscribed --payload '{\"method\":\"pm-17\"}' --id m1";

static const struct option options[] = {
	{.name = "payload",
	 .letter = 'p',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .max = 1024 * 1024,
	 .argument = "JSON",
	 .help = "what the event brings; @FILE for a file, - for standard input"},
	{.name = "id",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "SIGNAL-ID",
	 .help = "of the signal: the same id counts once"},
};

static enum exit_code make_body(const struct cli *cli, struct bytes *out)
{
	const char *payload = options_text(cli->options, "payload");
	const char *id = options_text(cli->options, "id");
	enum exit_code code = EXIT_DONE;
	struct json json;

	json_begin(out);
	if (id)
		json_add_text(out, "id", slice_of(id));
	if (payload) {
		code = given_json(cli, "--payload", payload, &json);
		if (code)
			return code;
		json_add_json(out, "payload", json.text);
	}
	json_end(out);
	return out->err ? complain_err(cli, out->err) : EXIT_DONE;
}

static const char *make_path(const struct cli *cli)
{
	struct bytes behind = BYTES(REMOTE_PATH_MAX, cli->arena);

	bytes_text(&behind, "/signals/");
	remote_escape(&behind, slice_of(cli->options->args[1]));
	bytes_add(&behind, '\0');
	return behind.err ? NULL
			  : remote_saga_path(cli->arena, cli->options->args[0], behind.at);
}

static enum exit_code send(const struct cli *cli, struct slice body)
{
	const char *path = make_path(cli);
	struct remote remote;
	struct json saga;
	enum exit_code code;

	if (!path)
		return complain_err(cli, ERR_TOO_LARGE);
	code = remote_open(cli, &remote);
	if (code)
		return code;
	code = remote_call(&remote, "POST", path, body, cli->arena, &saga);
	remote_close(&remote);
	if (code)
		return code;
	if (cli->json) {
		printf("%.*s\n", SLICE_ARG(saga.text));
	} else if (!cli->quiet) {
		struct slice status = member_text(saga, "status", cli->arena);

		printf("%s %.*s\n", cli->options->args[0], SLICE_ARG(status));
	}
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	struct bytes body = BYTES(SIZE_MAX / 2, cli->arena);
	enum exit_code code;

	if (cli->options->n_args != 2)
		return complain_usage(cli, "give the ID of a saga and the name of an EVENT");
	code = make_body(cli, &body);
	return code ? code : send(cli, bytes_slice(&body));
}

const struct subcommand subcommand_signal = {
	.name = "signal",
	.brief = "tell a saga of an event from outside",
	.usage =
		{
			.program = "skald signal",
			.arguments = "ID EVENT",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
