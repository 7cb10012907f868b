#include "cli/filter.h"

#include "base/duration.h"
#include "base/problems.h"
#include "base/rfc3339.h"
#include "cli/members.h"
#include "orchestrator/store/store.h"

#include <inttypes.h>

enum { PAGE = 500 };

static const char *const names[] = {"saga", "key", "step", "since", "older"};

static bool is_status(struct slice word)
{
	for (size_t i = 0; i < STATUSES; i++) {
		if (slice_is(word, status_text((enum status)i)))
			return true;
	}
	return false;
}

static bool is_time(const char *text)
{
	int64_t ms;

	return !duration_parse(slice_of(text), &ms, NULL) ||
	       !rfc3339_parse(slice_of(text), &ms, NULL);
}

static enum exit_code complain_status(const struct cli *cli, struct slice word)
{
	const char *statuses[STATUSES], *meant;

	for (size_t i = 0; i < STATUSES; i++)
		statuses[i] = status_text((enum status)i);
	meant = suggest(word, statuses, STATUSES);
	return complain_usage(cli,
			      "there is no status `%.*s`%s%s%s; it is one of running, "
			      "compensating, completed, compensated, parked, killed",
			      SLICE_ARG(word), meant ? " (did you mean `" : "",
			      meant ? meant : "", meant ? "`?)" : "");
}

enum exit_code filter_check_time(const struct cli *cli, const char *name)
{
	const char *text = options_text(cli->options, name);

	if (!text || is_time(text))
		return EXIT_DONE;
	return complain_usage(
		cli,
		"--%s: \"%s\" is neither a time span such as 15m, 24h or 7d nor a "
		"time such as 2025-03-01T09:30:00Z",
		name, text);
}

enum exit_code filter_check(const struct cli *cli)
{
	enum exit_code code;
	struct slice word;

	for (size_t i = 0; options_item(cli->options, "status", i, &word); i++) {
		if (!is_status(word))
			return complain_status(cli, word);
	}
	code = filter_check_time(cli, "since");
	return code ? code : filter_check_time(cli, "older");
}

bool filter_given(const struct options *options)
{
	if (options_given(options, "status"))
		return true;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (options_given(options, names[i]))
			return true;
	}
	return false;
}

/* As the server takes it: one or several, with commas between them. */
static void add_statuses(const struct options *options, struct bytes *path)
{
	struct slice status;

	for (size_t i = 0; options_item(options, "status", i, &status); i++) {
		bytes_text(path, i ? "," : "&status=");
		remote_escape(path, status);
	}
}

static const char *make_path(const struct options *options, struct slice cursor, uint64_t limit,
			     struct arena *arena)
{
	struct bytes path = BYTES(REMOTE_PATH_MAX, arena);

	bytes_format(&path, "/v1/sagas?limit=%" PRIu64, limit);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = options_text(options, names[i]);

		if (!value)
			continue;
		bytes_format(&path, "&%s=", names[i]);
		remote_escape(&path, slice_of(value));
	}
	add_statuses(options, &path);
	if (cursor.len) {
		bytes_text(&path, "&cursor=");
		remote_escape(&path, cursor);
	}
	bytes_add(&path, '\0');
	return path.err ? NULL : path.at;
}

/* One page; *cursor is where the next begins, empty where there is none. */
static enum exit_code walk_page(struct remote *remote, const struct filter_walk *walk,
				uint64_t *n, struct slice *cursor, struct arena *arena)
{
	uint64_t left = walk->limit ? walk->limit - *n : PAGE;
	const char *path =
		make_path(remote->cli->options, *cursor, left < PAGE ? left : PAGE, arena);
	struct json_each each;
	struct json page;
	enum exit_code code;

	if (!path)
		return complain_err(remote->cli, ERR_TOO_LARGE);
	code = remote_call(remote, "GET", path, (struct slice){0}, arena, &page);
	if (code)
		return code;
	*cursor = member_text(page, "next", arena);
	each = json_each(member_json(page, "sagas"));
	while (json_next(&each)) {
		++*n;
		if (!walk->row(walk->context, each.value, arena)) {
			*cursor = (struct slice){0};
			break;
		}
	}
	return walk->page_end ? walk->page_end(walk->context) : EXIT_DONE;
}

enum exit_code filter_each(struct remote *remote, const struct filter_walk *walk)
{
	struct arena arenas[2] = {{0}, {0}}; /* of a page, and of the cursor to it */
	struct slice cursor = {0};
	enum exit_code code = EXIT_DONE;
	uint64_t n = 0;
	int page = 0;

	do {
		arena_reset(&arenas[page]);
		code = walk_page(remote, walk, &n, &cursor, &arenas[page]);
		page = !page;
	} while (!code && cursor.len && (!walk->limit || n < walk->limit));
	arena_release(&arenas[0]);
	arena_release(&arenas[1]);
	return code;
}
