#include "cli/subcommand.h"
#include "base/problems.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

extern char **environ;

enum { SUBCOMMANDS_MAX = 64 };

const struct option common_options[N_REMOTE_OPTIONS] = {
	{.name = "json",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "print JSON: one object, or one per line for a list"},
	{.name = "no-color",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "use no colours, as also with NO_COLOR set and where the output is no "
		 "terminal"},
	{.name = "quiet",
	 .letter = 'q',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "print only what was asked for, and what is wrong"},
	{.name = "help",
	 .letter = 'h',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "show this help"},
	{.name = "server",
	 .type = OPTION_TEXT,
	 .no_file = true,
	 .initial = "http://127.0.0.1:7420",
	 .min = 1,
	 .argument = "URL",
	 .help = "the server to ask, where one is asked"},
	{.name = "token",
	 .type = OPTION_TEXT,
	 .no_file = true,
	 .secret = true,
	 .help = "what to show to a server that wants to know who asks"},
};

const struct subcommand *subcommand_find(struct subcommand_table commands, struct slice name)
{
	for (size_t i = 0; i < commands.n; i++) {
		if (slice_is(name, commands.list[i]->name))
			return commands.list[i];
	}
	return NULL;
}

enum exit_code complain_unknown(struct subcommand_table commands, const char *name)
{
	const char *names[SUBCOMMANDS_MAX] = {NULL};
	const char *meant;

	assert(commands.n <= SUBCOMMANDS_MAX);
	for (size_t i = 0; i < commands.n; i++) {
		if (!commands.list[i]->hidden)
			names[i] = commands.list[i]->name;
	}
	if (name[0] == '-') {
		fprintf(stderr,
			"skald: a command comes first, and flags like %s behind it, as in "
			"`skald ls --json`; `skald help` lists the commands\n",
			name);
		return EXIT_USAGE;
	}
	meant = suggest(slice_of(name), names, commands.n);
	fprintf(stderr, "skald: there is no command \"%s\"; ", name);
	if (meant)
		fprintf(stderr, "did you mean \"%s\"? ", meant);
	fputs("`skald help` lists the commands\n", stderr);
	return EXIT_USAGE;
}

static void complain_list(const struct cli *cli, const char *format, va_list args)
{
	fprintf(stderr, "skald %s: ", cli->subcommand->name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void complain(const struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_list(cli, format, args);
	va_end(args);
}

enum exit_code complain_usage(const struct cli *cli, const char *format, ...)
{
	const struct usage *usage = &cli->subcommand->usage;
	va_list args;

	va_start(args, format);
	complain_list(cli, format, args);
	va_end(args);
	fprintf(stderr, "Usage: %s [OPTIONS]%s%s (`%s --help` says more)\n", usage->program,
		usage->arguments ? " " : "", usage->arguments ? usage->arguments : "",
		usage->program);
	return EXIT_USAGE;
}

enum exit_code complain_err(const struct cli *cli, enum err err)
{
	complain(cli, "%s", err_text(err));
	return EXIT_FAILED;
}

void print_bytes(const struct bytes *bytes)
{
	if (bytes->len)
		fwrite(bytes->at, 1, bytes->len, stdout);
}

enum exit_code output_end(const char *who, enum exit_code code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "%s: cannot write the output%s%s; send it to a place with room\n", who,
		errno ? ": " : "", errno ? strerror(errno) : "");
	return code ? code : EXIT_FAILED;
}

static enum exit_code print_help(const struct cli *cli)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);

	options_help(&cli->subcommand->usage, &out);
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli, int argc, char *const *argv)
{
	const struct usage *usage = &cli->subcommand->usage;
	struct options options;
	struct diag diag;
	enum err err = options_init(&options, usage, cli->arena);

	if (err)
		return complain_err(cli, err);
	cli->options = &options;
	err = options_from_args(&options, argc, argv, &diag);
	if (!err)
		err = options_from_env(&options, environ, &diag);
	if (err) {
		complain(cli, "%s", diag.text);
		return err == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
	}
	if (options_bool(&options, "help"))
		return print_help(cli);
	if (!usage->arguments && options.n_args > 0)
		return complain_usage(cli, "\"%s\" is too much; the command takes no arguments",
				      options.args[0]);
	cli->json = options_bool(&options, "json");
	cli->quiet = options_bool(&options, "quiet");
	cli->out = terminal_look(STDOUT_FILENO, options_bool(&options, "no-color"));
	cli->errs = terminal_look(STDERR_FILENO, options_bool(&options, "no-color"));
	return cli->subcommand->run(cli);
}

enum exit_code subcommand_run(struct subcommand_table commands,
			      const struct subcommand *subcommand, int argc, char *const *argv)
{
	struct arena arena = {0};
	struct cli cli = {.subcommand = subcommand, .commands = commands, .arena = &arena};
	enum exit_code code = run(&cli, argc, argv);

	arena_release(&arena);
	return output_end(subcommand->usage.program, code);
}
