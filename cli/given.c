#include "cli/given.h"

#include "cli/file.h"
#include "cli/report.h"
#include "orchestrator/core/definition.h"

enum exit_code given_text(const struct cli *cli, const char *path, size_t max,
			  struct slice *out)
{
	const char *opened = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
	struct diag diag = {""};
	enum err err = file_read(opened, max, cli->arena, out, &diag);

	if (!err)
		return EXIT_DONE;
	complain(cli, "%s", diag.text);
	return EXIT_FAILED;
}

enum exit_code given_json(const struct cli *cli, const char *option, const char *text,
			  struct json *out)
{
	struct slice given = slice_of(text);
	const char *path = NULL;
	struct diag diag = {""};
	enum err err;

	if (text[0] == '@')
		path = text + 1;
	else if (strcmp(text, "-") == 0)
		path = text;
	if (path) {
		/* White space may go: what counts is the normal form. */
		enum exit_code code = given_text(cli, path, 4 * PAYLOAD_MAX, &given);

		if (code)
			return code;
	}
	err = json_parse(given, PAYLOAD_MAX, cli->arena, out, &diag);
	if (!err)
		return EXIT_DONE;
	if (path)
		complain(cli, "%s:%s", report_name(path), diag.text);
	else
		complain(cli, "%s is no JSON: %s", option, diag.text);
	return err == ERR_INVALID && !path ? EXIT_USAGE : EXIT_FAILED;
}
