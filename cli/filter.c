#include "cli/filter.h"

#include "cli/members.h"

#include <inttypes.h>

enum { PAGE = 500 };

static const char *const names[] = {"saga", "key", "step", "since", "older"};

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
