/* filter.h - which sagas: the options that `ls` and the operations share. */
#ifndef SKALD_CLI_FILTER_H
#define SKALD_CLI_FILTER_H

#include "cli/remote.h"

/* In a table of options. */
#define FILTER_OPTIONS                                                                       \
	{.name = "saga",                                                                     \
	 .type = OPTION_TEXT,                                                                \
	 .flag_only = true,                                                                  \
	 .argument = "NAME",                                                                 \
	 .help = "sagas of this name"},                                                      \
		{.name = "status",                                                           \
		 .type = OPTION_LIST,                                                        \
		 .flag_only = true,                                                          \
		 .argument = "STATUS,...",                                                   \
		 .help = "in one of these: running, compensating, completed, "               \
			 "compensated, parked, killed"},                                     \
		{.name = "key",                                                              \
		 .type = OPTION_TEXT,                                                        \
		 .flag_only = true,                                                          \
		 .help = "with this business key"},                                          \
		{.name = "step",                                                             \
		 .type = OPTION_TEXT,                                                        \
		 .flag_only = true,                                                          \
		 .argument = "NAME",                                                         \
		 .help = "that are at this step"},                                           \
		{.name = "since",                                                            \
		 .type = OPTION_TEXT,                                                        \
		 .flag_only = true,                                                          \
		 .argument = "TIME",                                                         \
		 .help = "started at this time or later; 15m, 24h or 7d is so long ago"},    \
	{                                                                                    \
		.name = "older", .type = OPTION_TEXT, .flag_only = true, .argument = "TIME", \
		.help = "started before, likewise"                                           \
	}

/* Whether there are such statuses and times; otherwise what is wrong was said. */
enum exit_code filter_check(const struct cli *cli);

/* The same of one option that gives a time. */
enum exit_code filter_check_time(const struct cli *cli, const char *name);

bool filter_given(const struct options *options);

/* Call for every saga that fits, the newest first, as one line of a list; at most
 * `limit` (0: all). Enough pages are asked for. False from `row`: stop, which is
 * no failure. `page_end` (NULL: nothing) is called where the rows of a page are all
 * told; their memory is used again. */
struct filter_walk {
	bool (*row)(void *context, struct json saga, struct arena *arena);
	enum exit_code (*page_end)(void *context);
	void *context;
	uint64_t limit;
};
enum exit_code filter_each(struct remote *remote, const struct filter_walk *walk);

#endif
