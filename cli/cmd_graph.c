/* skald graph */
#include "base/json_line.h"
#include "cli/graph.h"
#include "cli/report.h"

static const char manual[] =
	"Draws the saga of FILE, from top to bottom; - reads standard input.\n"
	"\n"
	"Every step shows its name, what it does, its kind, how it is undone\n"
	"and on what condition it runs. Branches that run in parallel stand\n"
	"side by side, or one below the other where the width does not allow\n"
	"that. A line across marks the point of no return: when the pivot is\n"
	"done, the saga only goes forward.\n"
	"\n"
	"  skald graph sagas/order.yaml\n"
	"  skald graph --format dot sagas/order.yaml | dot -Tsvg >order.svg";

static const struct option options[] = {
	{.name = "format",
	 .letter = 'f',
	 .type = OPTION_CHOICE,
	 .flag_only = true,
	 .initial = "text",
	 .choices = "text|dot|mermaid",
	 .help = "text for the terminal, dot for Graphviz, mermaid for Markdown pages"},
	{.name = "ascii",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "draw with ASCII characters alone, as where the locale is not UTF-8"},
	{.name = "width",
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .min = 1,
	 .max = TERMINAL_WIDTH_MAX,
	 .argument = "COLUMNS",
	 .help = "draw as wide as this, not as wide as the terminal"},
};

static enum err draw(const struct cli *cli, const char *format,
		     const struct definition *definition, struct bytes *out)
{
	struct graph_style style = {
		.width = cli->out.width,
		.ascii = options_bool(cli->options, "ascii") || !cli->out.utf8,
		.colour = cli->out.colour && !cli->json,
	};

	if (strcmp(format, "dot") == 0)
		return graph_dot(definition, out);
	if (strcmp(format, "mermaid") == 0)
		return graph_mermaid(definition, out);
	if (options_given(cli->options, "width"))
		style.width = (size_t)options_number(cli->options, "width");
	return graph_text(definition, &style, out);
}

static void write_json(const struct definition *definition, const char *format,
		       struct slice graph, struct bytes *out)
{
	char hash[SHA256_HEX_SIZE];

	sha256_hex(definition->hash, hash);
	json_begin(out);
	json_add_text(out, "saga", definition->name);
	json_add_text(out, "version", definition->version);
	json_add_text(out, "hash", slice_of(hash));
	json_add_text(out, "format", slice_of(format));
	json_add_text(out, "graph", graph);
	json_end_line(out);
}

static enum exit_code run(struct cli *cli)
{
	const char *format = options_text(cli->options, "format");
	struct bytes graph = BYTES(GRAPH_MAX, cli->arena);
	struct bytes line = BYTES(SIZE_MAX / 2, cli->arena);
	struct definition *definition;
	enum exit_code code;
	enum err err;

	if (cli->options->n_args != 1)
		return complain_usage(cli, "give one FILE");
	code = report_load(cli, REPORT_TEXT, cli->options->args[0], &definition);
	if (code)
		return code;
	err = draw(cli, format, definition, &graph);
	if (!err && cli->json) {
		write_json(definition, format, bytes_slice(&graph), &line);
		err = line.err;
	}
	definition_free(definition);
	if (err)
		return complain_err(cli, err);
	print_bytes(cli->json ? &line : &graph);
	return EXIT_DONE;
}

const struct subcommand subcommand_graph = {
	.name = "graph",
	.brief = "draw a definition: for the terminal, Graphviz or Mermaid",
	.usage =
		{
			.program = "skald graph",
			.arguments = "FILE",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
