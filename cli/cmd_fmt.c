/* skald fmt */
#include "base/json_line.h"
#include "cli/file.h"
#include "cli/report.h"
#include "orchestrator/load/load.h"
#include "orchestrator/load/rewrite.h"

static const char manual[] =
	"Prints the normal form of the saga in FILE: every default written out,\n"
	"a fixed order of keys, no comments, and an input schema that stands in\n"
	"a file of its own put in its place. All spellings of the same saga have\n"
	"the same normal form; its SHA-256 is the definition's hash. A FILE of -\n"
	"reads standard input.\n"
	"\n"
	"With --write the files themselves are brought into normal form, but stay\n"
	"the author's: comments are kept, and `schema: FILE` stays as it was\n"
	"written. A comment is kept where it stands before or behind a key, step\n"
	"or list element. If there is another one, nothing is written and its\n"
	"line is named, unless --force drops it. A file is replaced in a single\n"
	"stroke, after it was checked that it still is the same saga.";

static const struct option options[] = {
	{.name = "write",
	 .letter = 'w',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "write the file itself, with its comments, and leave a schema in its own "
		 "file"},
	{.name = "force",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "with --write: drop comments that have no place in the normal form"},
};

/* The members that both forms of the command's JSON begin with. */
static void begin_json(const struct definition *definition, const char *path, struct bytes *out)
{
	char hash[SHA256_HEX_SIZE];

	sha256_hex(definition->hash, hash);
	json_begin(out);
	json_add_text(out, "file", slice_of(report_name(path)));
	json_add_text(out, "saga", definition->name);
	json_add_text(out, "version", definition->version);
	json_add_text(out, "hash", slice_of(hash));
}

/* The new text must still be the same saga: its hash says so. */
static bool same_definition(const char *path, const struct definition *definition)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena, .file = path};
	struct definition *again = NULL;
	bool same = load_file(path, &problems, &again) == OK &&
		    memcmp(again->hash, definition->hash, SHA256_SIZE) == 0;

	definition_free(again);
	arena_release(&arena);
	return same;
}

static enum exit_code replace(const struct cli *cli, const char *path,
			      const struct definition *definition, struct slice content)
{
	struct file_draft draft;
	struct diag diag;
	enum err err = file_draft(path, content, cli->arena, &draft, &diag);

	if (!err && !same_definition(draft.path, definition)) {
		file_draft_drop(&draft);
		complain(cli,
			 "%s: in normal form this file would be another saga, so it was left "
			 "as it is; `skald fmt %s` shows the normal form",
			 path, path);
		return EXIT_FAILED;
	}
	if (!err)
		err = file_draft_accept(&draft, &diag);
	if (err)
		complain(cli, "%s", diag.text);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_code say_written(const struct cli *cli, const char *path,
				  const struct definition *definition, bool written)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);

	if (cli->json) {
		begin_json(definition, path, &out);
		json_add_bool(&out, "written", written);
		json_end_line(&out);
	} else if (!cli->quiet) {
		bytes_text(&out, path);
		bytes_text(&out, written ? ": rewritten\n" : ": in normal form already\n");
	}
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code rewrite_file(const struct cli *cli, const char *path,
				   const struct definition *definition)
{
	struct bytes content = BYTES(SIZE_MAX / 2, cli->arena);
	enum exit_code code = EXIT_DONE;
	struct slice source;
	uint32_t lost_line;
	struct diag diag;
	bool changed;
	enum err err = file_read(path, DEFINITION_TEXT_MAX, cli->arena, &source, &diag);

	if (err) {
		complain(cli, "%s", diag.text);
		return EXIT_FAILED;
	}
	err = rewrite(source, definition->normal, cli->arena, &content, &lost_line);
	if (err)
		return complain_err(cli, err);
	if (lost_line && !options_bool(cli->options, "force")) {
		complain(cli,
			 "%s:%u: this comment has no place in the normal form; move it to a "
			 "line of its own before a key or step, or give --force to drop it",
			 path, (unsigned)lost_line);
		return EXIT_FAILED;
	}
	changed = !slice_equal(source, bytes_slice(&content));
	if (changed)
		code = replace(cli, path, definition, bytes_slice(&content));
	return code ? code : say_written(cli, path, definition, changed);
}

static enum exit_code print_normal(const struct cli *cli, const char *path,
				   const struct definition *definition)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);

	if (cli->json) {
		begin_json(definition, path, &out);
		json_add_text(&out, "normal", definition->normal);
		json_end_line(&out);
	} else {
		bytes_append(&out, definition->normal);
	}
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code format(const struct cli *cli, const char *path, bool write)
{
	struct definition *definition;
	enum exit_code code = report_load(cli, REPORT_TEXT, path, &definition);

	if (code)
		return code;
	code = write ? rewrite_file(cli, path, definition)
		     : print_normal(cli, path, definition);
	definition_free(definition);
	return code;
}

static enum exit_code run(struct cli *cli)
{
	bool write = options_bool(cli->options, "write");
	enum exit_code worst = EXIT_DONE;

	if (cli->options->n_args == 0)
		return complain_usage(cli, "give a FILE");
	if (cli->options->n_args > 1 && !write)
		return complain_usage(cli, "give one FILE, or --write for several");
	if (options_bool(cli->options, "force") && !write)
		return complain_usage(cli, "--force is for --write alone");
	for (size_t i = 0; i < cli->options->n_args; i++) {
		const char *path = cli->options->args[i];
		enum exit_code code;

		if (write && strcmp(path, "-") == 0)
			return complain_usage(cli, "standard input cannot be written; "
						   "leave --write out");
		code = format(cli, path, write);
		worst = code ? code : worst;
	}
	return worst;
}

const struct subcommand subcommand_fmt = {
	.name = "fmt",
	.brief = "print or write a definition in normal form",
	.usage =
		{
			.program = "skald fmt",
			.arguments = "FILE...",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
