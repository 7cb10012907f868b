/* skald backup */
#include "base/json_line.h"
#include "cli/members.h"
#include "cli/remote.h"
#include "orchestrator/store/store_sqlite.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static const char manual[] =
	"Copies what a server keeps in SQLite into the new FILE, while it goes on: sagas,\n"
	"definitions, dead letters, as they all are at one moment. The copy can be read\n"
	"with sqlite3. To go back to it, stop the server, put FILE in the place of skald.db\n"
	"in its folder of data, remove skald.db-wal and skald.db-shm there, and start it.\n"
	"\n"
	"The server says where its file is, so this has to be its machine. With --data the\n"
	"file of that folder is copied, and no server is asked.\n"
	"\n"
	"  skald backup /backup/skald-$(date +%F).db";

static const struct option options[] = {
	{.name = "data",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .min = 1,
	 .argument = "DIR",
	 .help = "copy the file of this folder instead of asking the server for its own"},
};

/* The server's own file, and not one of that name on another machine. */
static bool is_here(const char *path, struct json store_file)
{
	struct stat stat_of;

	return stat(path, &stat_of) == 0 &&
	       (int64_t)stat_of.st_ino == member_number(store_file, "inode");
}

/* NULL, with *code: there is none. */
static const char *ask_for_file(const struct cli *cli, enum exit_code *code)
{
	struct json stats, store_file;
	struct remote remote;
	struct slice path;

	*code = remote_open(cli, &remote);
	if (*code)
		return NULL;
	*code = remote_call(&remote, "GET", "/v1/stats", (struct slice){0}, cli->arena, &stats);
	remote_close(&remote);
	if (*code)
		return NULL;
	*code = EXIT_FAILED;
	store_file = member_json(stats, "store_file");
	if (json_type(store_file) != JSON_OBJECT) {
		complain(cli, "the server keeps its sagas in no file; of MongoDB, mongodump "
			      "makes a copy");
		return NULL;
	}
	if (!arena_copy(cli->arena, member_text(store_file, "path", cli->arena), &path)) {
		(void)complain_err(cli, ERR_NOMEM);
		return NULL;
	}
	if (is_here(path.at, store_file)) {
		*code = EXIT_DONE;
		return path.at;
	}
	complain(cli,
		 "the file of the server, %s, is not on this machine, or not to be seen from "
		 "here; run `skald backup` where the server runs",
		 path.at);
	return NULL;
}

static const char *file_of(const struct cli *cli, const char *folder, enum exit_code *code)
{
	struct bytes path = BYTES(SIZE_MAX / 2, cli->arena);

	bytes_text(&path, folder);
	bytes_text(&path, "/" STORE_SQLITE_FILE);
	bytes_add(&path, '\0');
	*code = path.err ? complain_err(cli, path.err) : EXIT_DONE;
	return path.err ? NULL : path.at;
}

static enum exit_code print_copy(const struct cli *cli, const char *to)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	struct stat stat_of = {0};

	(void)stat(to, &stat_of);
	if (cli->json) {
		json_begin(&out);
		json_add_text(&out, "file", slice_of(to));
		json_add_number(&out, "bytes", (int64_t)stat_of.st_size);
		json_end_line(&out);
	} else if (!cli->quiet) {
		bytes_format(&out, "%s: %" PRId64 " bytes\n", to, (int64_t)stat_of.st_size);
	}
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	const char *folder = options_text(cli->options, "data"), *to, *file;
	struct diag diag = {""};
	enum exit_code code;

	if (cli->options->n_args != 1)
		return complain_usage(cli, "give the FILE that is to be made");
	to = cli->options->args[0];
	file = folder ? file_of(cli, folder, &code) : ask_for_file(cli, &code);
	if (!file)
		return code;
	umask(077); /* it has all that customers told us */
	if (!store_sqlite_copy(file, to, &diag))
		return print_copy(cli, to);
	complain(cli, "%s", diag.text);
	return EXIT_FAILED;
}

const struct subcommand subcommand_backup = {
	.name = "backup",
	.brief = "copy what a server keeps, while it runs",
	.usage =
		{
			.program = "skald backup",
			.arguments = "FILE",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
