/* options.h - one table of options that everything else follows from.
 *
 * An option of the table is a flag (--max-inflight N, -m N), a variable of the
 * environment (SKALD_MAX_INFLIGHT), a key of the settings file (max_inflight), a
 * line of --help, an entry of the man page and a line of the settings in effect.
 * A flag wins over the environment, the environment over the file, the file over
 * the default, in whatever order they are read. Every value is checked where it
 * comes from, also one that another wins over.
 *
 *	struct options options;
 *
 *	err = options_init(&options, &serve_usage, arena);
 *	err = err ? err : options_from_args(&options, argc, argv, &diag);
 *	err = err ? err : options_from_env(&options, environ, &diag);
 *	err = err ? err : load_file(options_text(&options, "config"), &options, &diag);
 *	data = options_text(&options, "data");
 *
 * Errors are ERR_INVALID (or ERR_NOMEM); the diag names the option, the value,
 * where it came from and what is allowed. Asking for an option that is not in
 * the table, or as another type, is our own bug.
 */
#ifndef SKALD_BASE_OPTIONS_H
#define SKALD_BASE_OPTIONS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

enum {
	OPTIONS_MAX = 96,         /* of one program, common ones included */
	OPTION_NAME_MAX = 32,     /* bytes of a name */
	OPTION_TEXT_BYTES = 4096, /* of a value, unless the option says otherwise */
	OPTION_WHERE_SIZE = 192   /* of a text that says where a value is from */
};

enum option_type {
	OPTION_TEXT,
	OPTION_CHOICE, /* one of `choices` */
	OPTION_LIST,   /* texts: with commas between them, or given repeatedly */
	OPTION_INTEGER,
	OPTION_BOOLEAN,  /* --name is true, --name=false is not; true false 1 0 elsewhere */
	OPTION_DURATION, /* 250ms 10s 15m 24h 7d; the number is milliseconds */
	OPTION_SIZE      /* 4096 64KiB 16MiB 1GiB; the number is bytes */
};

struct option {
	const char *name; /* lower-case letters, digits and single dashes */
	enum option_type type;
	char letter;         /* for -x; 0: none */
	bool flag_only;      /* neither in the environment nor in the file, as --help is */
	bool no_file;        /* not in the file alone, as what --server says to a client */
	bool secret;         /* the value is shown nowhere */
	bool uri;            /* OPTION_TEXT: a password in it is shown nowhere */
	const char *initial; /* the default, as one would write it; NULL: not set */

	/* Least and most of a number, or of the bytes of a text or list. A `max`
	 * of 0 is the most that the type has, so a number that may be negative
	 * says so by a negative `min`. */
	int64_t min;
	int64_t max;

	const char *choices;  /* OPTION_CHOICE: "text|dot|mermaid" */
	const char *argument; /* what help calls the value: "DIR"; NULL: as the type */
	const char *help;     /* one line without a full stop */
};

struct option_table {
	const struct option *list;
	size_t n;
};

/* A program or a subcommand: its own options and those it shares. */
struct usage {
	const char *program;   /* "skald serve" */
	const char *arguments; /* "FILE..."; NULL: takes none */
	const char *summary;   /* a sentence; NULL: none */
	struct option_table own;
	struct option_table common;
};

/* In order of precedence. */
enum option_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

struct option_source {
	enum option_origin origin;
	const char *file; /* ORIGIN_FILE: borrowed as long as the options */
	uint32_t line;
};

struct option_value {
	const char *text; /* NULL: not set */
	int64_t number;   /* of the types that have one; a boolean is 0 or 1 */
	struct option_source source;
};

struct options {
	const struct usage *usage;
	struct arena *arena;
	struct option_value *values; /* of the own options, then of the common ones */
	const char *const *args;     /* what is no flag, in order; borrowed from argv */
	size_t n_args;
};

/* Every option has its default. Both arguments outlive the options. */
CHECKED enum err options_init(struct options *options, const struct usage *usage,
			      struct arena *arena);

/* Give one option a value, unless what it has is of a higher origin; this is how
 * whoever reads the settings file hands it over. The name is that of the option
 * or its key in the file. The value is copied. */
CHECKED enum err options_set(struct options *options, struct slice name, struct slice value,
			     struct option_source source, struct diag *diag);

/* `environment` is the environ of the process. A variable that is empty counts
 * as not set; one that no option has is not ours. */
CHECKED enum err options_from_env(struct options *options, char *const *environment,
				  struct diag *diag);

/* argv[0] is the command. --name VALUE, --name=VALUE, -c VALUE, -cVALUE, -nq for
 * -n -q; flags and other arguments in any order; after -- nothing is a flag, and
 * a - alone never is. A value that begins with -- needs the form with =. */
CHECKED enum err options_from_args(struct options *options, int argc, char *const *argv,
				   struct diag *diag);

enum option_origin options_origin(const struct options *options, const char *name);
bool options_given(const struct options *options, const char *name);       /* not by default */
const char *options_text(const struct options *options, const char *name); /* NULL: not set */
int64_t options_number(const struct options *options, const char *name);   /* 0: not set */
bool options_bool(const struct options *options, const char *name);        /* false: not set */

/* The index-th text of an OPTION_LIST; false behind the last. */
bool options_item(const struct options *options, const char *name, size_t index,
		  struct slice *out);

/* "flag --bus", "environment SKALD_BUS", "skald.yaml:3: bus" or "default of
 * --bus": for messages of those who look closer at a value. */
void options_where(const struct options *options, const char *name,
		   char text[OPTION_WHERE_SIZE]);

/* What --help prints. */
void options_help(const struct usage *usage, struct bytes *out);

/* The list of the options for a man page, in mdoc, without a heading. */
void options_man(const struct usage *usage, struct bytes *out);

/* The settings in effect, each with where it came from, as lines that a settings
 * file could hold. Secrets are masked; options that are only flags are no
 * settings. */
void options_print(const struct options *options, struct bytes *out);

#endif
