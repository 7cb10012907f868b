/* test_options.c - one table of options, and all that follows from it. */
#include "base/options.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct option serve_options[] = {
	{.name = "data",
	 .type = OPTION_TEXT,
	 .letter = 'd',
	 .min = 1,
	 .initial = "./skald-data",
	 .argument = "DIR",
	 .help = "folder of everything that must survive a restart"},
	{.name = "store",
	 .type = OPTION_CHOICE,
	 .choices = "sqlite|mongo|memory",
	 .initial = "sqlite",
	 .help = "where the sagas are kept"},
	{.name = "brokers",
	 .type = OPTION_LIST,
	 .max = 40,
	 .argument = "HOST:PORT,...",
	 .help = "Kafka"},
	{.name = "max-inflight",
	 .type = OPTION_INTEGER,
	 .letter = 'm',
	 .initial = "100",
	 .min = 1,
	 .max = 1000,
	 .help = "most commands that wait for a reply at the same time, over all participants "
		 "of "
		 "this server"},
	{.name = "offset",
	 .type = OPTION_INTEGER,
	 .min = -10,
	 .max = 10,
	 .help = "a signed number"},
	{.name = "any",
	 .type = OPTION_INTEGER,
	 .min = INT64_MIN,
	 .help = "a number of 64 bits"},
	{.name = "grace",
	 .type = OPTION_DURATION,
	 .initial = "90s",
	 .max = 3600000,
	 .help = "how long"},
	{.name = "cache",
	 .type = OPTION_SIZE,
	 .initial = "65536",
	 .min = 4096,
	 .help = "how much"},
	{.name = "sync", .type = OPTION_BOOLEAN, .initial = "true", .help = "whether to sync"},
	{.name = "token", .type = OPTION_TEXT, .secret = true, .max = 16, .help = "who we are"},
	{.name = "dry-run",
	 .type = OPTION_BOOLEAN,
	 .letter = 'n',
	 .flag_only = true,
	 .help = "check the settings, print them and exit"},
};

static const struct option common_options[] = {
	{.name = "config",
	 .type = OPTION_TEXT,
	 .letter = 'c',
	 .flag_only = true,
	 .argument = "FILE",
	 .help = "settings file"},
	{.name = "quiet", .type = OPTION_BOOLEAN, .letter = 'q', .help = "say less"},
};

static const struct usage usage = {
	.program = "skald serve",
	.arguments = "[FILE...]",
	.summary = "Runs the orchestrator.",
	.own = {serve_options, COUNT(serve_options)},
	.common = {common_options, COUNT(common_options)},
};

static struct arena arena;
static struct options options;
static struct diag diag;

static void setup(void)
{
	diag = (struct diag){""};
	ck_assert_int_eq(options_init(&options, &usage, &arena), OK);
}

static void teardown(void)
{
	arena_release(&arena);
}

/* The words of a line as arguments, after the name of the command. */
static enum err args(const char *line)
{
	char *argv[16] = {(char[]){"serve"}};
	static char text[256];
	size_t n = 1;
	char *next = text;

	snprintf(text, sizeof text, "%s", line);
	while (*next) {
		char *end = strchr(next, ' ');

		ck_assert_uint_lt(n, COUNT(argv) - 1);
		argv[n++] = next;
		if (!end)
			break;
		*end = '\0';
		next = end + 1;
	}
	return options_from_args(&options, (int)n, argv, &diag);
}

static enum err env(const char *entry)
{
	char text[256];
	char *environment[] = {(char[]){"HOME=/root"}, text, (char[]){"SKALD_DATAX=no"}, NULL};

	snprintf(text, sizeof text, "%s", entry);
	return options_from_env(&options, environment, &diag);
}

static enum err file(const char *key, const char *value)
{
	struct option_source source = {ORIGIN_FILE, "skald.yaml", 3};

	return options_set(&options, slice_of(key), slice_of(value), source, &diag);
}

START_TEST(test_defaults)
{
	ck_assert_str_eq(options_text(&options, "data"), "./skald-data");
	ck_assert_str_eq(options_text(&options, "store"), "sqlite");
	ck_assert_int_eq(options_number(&options, "max-inflight"), 100);
	ck_assert_int_eq(options_number(&options, "grace"), 90000);
	ck_assert_int_eq(options_number(&options, "cache"), 65536);
	ck_assert_int_eq(options_number(&options, "offset"), 0);
	ck_assert(options_bool(&options, "sync"));
	ck_assert(!options_bool(&options, "dry-run"));
	ck_assert_ptr_null(options_text(&options, "token"));
	ck_assert(!options_given(&options, "data"));
	ck_assert_uint_eq(options.n_args, 0);
}
END_TEST

/* What a value becomes, as the line of the settings in effect says it. */
static const struct value_row {
	const char *name;
	const char *key;
	const char *value;
	const char *printed; /* NULL: refused */
	const char *says;    /* in the diag when it is refused */
} value_rows[] = {
	{"a text", "data", "/var/lib/skald", "/var/lib/skald", NULL},
	{"a text with a blank is quoted", "data", "/my data", "\"/my data\"", NULL},
	{"a text with quotes", "data", "a\"b\\c\n", "\"a\\\"b\\\\c\\x0a\"", NULL},
	{"a text that begins like an operator", "data", "-x", "\"-x\"", NULL},
	{"a text that ends like a key", "data", "x:", "\"x:\"", NULL},
	{"a text that would be a comment", "data", "#x", "\"#x\"", NULL},
	{"a text that is too short", "data", "", NULL,
	 "\"\" is too short; give a text (1 to 4096 bytes)"},
	{"a choice", "store", "mongo", "mongo", NULL},
	{"no choice", "store", "mango", NULL,
	 "\"mango\" is none of the choices; give one of sqlite|mongo|memory"},
	{"the begin of a choice", "store", "sql", NULL, "none of the choices"},
	{"two choices", "store", "sqlite|mongo", NULL, "none of the choices"},
	{"a list", "brokers", "a:1,b:2", "[a:1, b:2]", NULL},
	{"a list of one", "brokers", "a:1", "[a:1]", NULL},
	{"an empty list", "brokers", "", "[]", NULL},
	{"an empty item", "brokers", "a,,b", NULL, "\"a,,b\" has an empty item"},
	{"an empty first item", "brokers", ",b", NULL, "empty item"},
	{"an empty last item", "brokers", "a,", NULL, "empty item"},
	{"a list that is too long", "brokers", "aaaaaaaaaaaaaaaaaaaa,aaaaaaaaaaaaaaaaaaaa",
	 NULL, "is too long; give texts with commas between them (0 to 40 bytes)"},
	{"the least", "max-inflight", "1", "1", NULL},
	{"the most", "max-inflight", "1000", "1000", NULL},
	{"leading zeros", "max-inflight", "007", "7", NULL},
	{"below the least", "max-inflight", "0", NULL,
	 "\"0\" is out of range; give an integer (1 to 1000)"},
	{"above the most", "max-inflight", "1001", NULL, "out of range"},
	{"a key as in the file", "max_inflight", "7", "7", NULL},
	{"no digits", "max-inflight", "many", NULL, "\"many\" is not an integer"},
	{"nothing", "max-inflight", "", NULL, "not an integer"},
	{"a sign alone", "offset", "-", NULL, "not an integer"},
	{"digits and more", "max-inflight", "10x", NULL, "not an integer"},
	{"a point", "max-inflight", "1.0", NULL, "not an integer"},
	{"a blank", "max-inflight", " 1", NULL, "not an integer"},
	{"a negative number", "offset", "-10", "-10", NULL},
	{"a number that is too negative", "offset", "-11", NULL, "(-10 to 10)"},
	{"the largest number", "any", "9223372036854775807", "9223372036854775807", NULL},
	{"the smallest number", "any", "-9223372036854775808", "-9223372036854775808", NULL},
	{"one more than the largest", "any", "9223372036854775808", NULL, "out of range"},
	{"one less than the smallest", "any", "-9223372036854775809", NULL, "out of range"},
	{"far too large", "any", "99999999999999999999999", NULL, "out of range"},
	{"a duration in its largest unit", "grace", "120s", "2m", NULL},
	{"a duration over the most", "grace", "61m", NULL,
	 "\"61m\" is out of range; give a duration such as 250ms, 10s, 15m, 24h or 7d (0s to "
	 "1h)"},
	{"a duration without a unit", "grace", "10", NULL, "is not a duration"},
	{"a duration that overflows", "grace", "999999999999999999999d", NULL, "out of range"},
	{"a size in bytes", "cache", "4097", "4097", NULL},
	{"a size in its largest unit", "cache", "2048KiB", "2MiB", NULL},
	{"a size in GiB", "cache", "3GiB", "3GiB", NULL},
	{"a size below the least", "cache", "4095", NULL,
	 "is out of range; give a size in bytes, KiB, MiB or GiB, such as 16MiB (at least "
	 "4KiB)"},
	{"a size of an ambiguous unit", "cache", "64k", NULL, "\"64k\" is not a size"},
	{"a negative size", "cache", "-4096", NULL, "not a size"},
	{"a size that overflows", "cache", "9223372036854775807GiB", NULL, "out of range"},
	{"false", "sync", "false", "false", NULL},
	{"0 is false", "sync", "0", "false", NULL},
	{"1 is true", "quiet", "1", "true", NULL},
	{"yes is a text", "sync", "yes", NULL,
	 "\"yes\" is neither true nor false; give true or false"},
	{"a secret is masked", "token", "s3cret", "\"********\"", NULL},
	{"a secret is not shown when it is wrong", "token", "s3cret-s3cret-s3cret", NULL,
	 "token: the value (hidden) is too long"},
	{"a long value is cut in the message", "max-inflight",
	 "123456789 123456789 123456789 123456789 123456789 123456789", NULL,
	 "\"123456789 123456789 123456789 123456789 12345678...\""},
	{"control characters in the message", "max-inflight", "1\x1b[31m\n", NULL,
	 "\"1?[31m?\""},
};

/* The line of one setting; the rest is left out. */
static void printed(const char *key, char *line, size_t size)
{
	struct bytes out = BYTES(8192, &arena);
	const char *at;
	char begin[64];

	snprintf(begin, sizeof begin, "\n%s: ", key);
	for (char *c = begin; *c; c++)
		*c = *c == '-' ? '_' : *c;
	bytes_add(&out, '\n');
	options_print(&options, &out);
	bytes_add(&out, '\0');
	ck_assert_int_eq(out.err, OK);
	at = strstr(out.at, begin);
	ck_assert_msg(at, "%s is not printed", key);
	at += strlen(begin);
	snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
}

START_TEST(test_value)
{
	const struct value_row *row = &value_rows[_i];
	enum err err = file(row->key, row->value);
	char line[256], want[256];

	ck_assert_msg(err == (row->printed ? OK : ERR_INVALID), "%s: %s", row->name, diag.text);
	if (err) {
		ck_assert_msg(strstr(diag.text, row->says), "%s: %s", row->name, diag.text);
		ck_assert_msg(strncmp(diag.text, "skald.yaml:3: ", 14) == 0, "%s: %s",
			      row->name, diag.text);
		return;
	}
	printed(row->key, line, sizeof line);
	snprintf(want, sizeof want, "%s ", row->printed);
	ck_assert_msg(strncmp(line, want, strlen(want)) == 0, "%s: %s", row->name, line);
	ck_assert_msg(strstr(line, " # skald.yaml:3"), "%s: %s", row->name, line);
}
END_TEST

START_TEST(test_a_text_with_nul)
{
	struct option_source source = {ORIGIN_FILE, "skald.yaml", 3};

	ck_assert_int_eq(options_set(&options, SLICE_LITERAL("data"), SLICE_LITERAL("a\0b"),
				     source, &diag),
			 ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(diag.text, "has a NUL byte"));
}
END_TEST

/* Every order of the three; each is said in its own way. */
START_TEST(test_precedence)
{
	static const char orders[][4] = {"fea", "fae", "efa", "eaf", "afe", "aef"};
	char where[OPTION_WHERE_SIZE];

	options_where(&options, "data", where);
	ck_assert_str_eq(where, "default of --data");
	for (const char *step = orders[_i]; *step; step++) {
		if (*step == 'f')
			ck_assert_int_eq(file("data", "file"), OK);
		if (*step == 'f')
			ck_assert_int_eq(file("store", "mongo"), OK);
		if (*step == 'f')
			ck_assert_int_eq(file("max_inflight", "7"), OK);
		if (*step == 'e')
			ck_assert_int_eq(env("SKALD_DATA=env"), OK);
		if (*step == 'e')
			ck_assert_int_eq(env("SKALD_STORE=memory"), OK);
		if (*step == 'a')
			ck_assert_int_eq(args("--data flag"), OK);
	}
	ck_assert_str_eq(options_text(&options, "data"), "flag");
	ck_assert_str_eq(options_text(&options, "store"), "memory");
	ck_assert_int_eq(options_number(&options, "max-inflight"), 7);
	options_where(&options, "data", where);
	ck_assert_str_eq(where, "flag --data");
	options_where(&options, "store", where);
	ck_assert_str_eq(where, "environment SKALD_STORE");
	options_where(&options, "max-inflight", where);
	ck_assert_str_eq(where, "skald.yaml:3: max_inflight");
	ck_assert(options_given(&options, "max-inflight"));
}
END_TEST

START_TEST(test_a_value_that_does_not_win_is_checked)
{
	ck_assert_int_eq(args("-m 5"), OK);
	ck_assert_int_eq(file("max_inflight", "x"), ERR_INVALID);
	ck_assert_str_eq(diag.text, "skald.yaml:3: max_inflight: \"x\" is not an integer; "
				    "give an integer (1 to 1000)");
	ck_assert_int_eq(env("SKALD_MAX_INFLIGHT=0"), ERR_INVALID);
	ck_assert_str_eq(diag.text, "environment SKALD_MAX_INFLIGHT: \"0\" is out of range; "
				    "give an integer (1 to 1000)");
	ck_assert_int_eq(args("-m 1001"), ERR_INVALID);
	ck_assert_str_eq(diag.text, "flag --max-inflight: \"1001\" is out of range; "
				    "give an integer (1 to 1000)");
	ck_assert_int_eq(options_number(&options, "max-inflight"), 5);
}
END_TEST

START_TEST(test_environment)
{
	ck_assert_int_eq(env("SKALD_DATA="), OK);
	ck_assert_msg(!options_given(&options, "data"), "an empty variable counts");
	ck_assert_int_eq(env("SKALD_DATA_X=a"), OK);
	ck_assert_int_eq(env("SKALD_CONFIG=a"), OK);
	ck_assert_msg(!options_text(&options, "config"), "a flag came from the environment");
	ck_assert_int_eq(env("SKALD_QUIET=true"), OK);
	ck_assert(options_bool(&options, "quiet"));
	ck_assert_int_eq(env("SKALD_DATA=a=b"), OK);
	ck_assert_str_eq(options_text(&options, "data"), "a=b");
}
END_TEST

START_TEST(test_unknown_settings)
{
	ck_assert_int_eq(file("max_infligth", "1"), ERR_INVALID);
	ck_assert_str_eq(diag.text,
			 "skald.yaml:3: unknown setting \"max_infligth\"; did you mean "
			 "\"max_inflight\"?");
	ck_assert_int_eq(file("participant", "1"), ERR_INVALID);
	ck_assert_str_eq(diag.text,
			 "skald.yaml:3: unknown setting \"participant\"; `skald serve "
			 "--help` lists the settings");
	ck_assert_int_eq(file("dry_run", "true"), ERR_INVALID);
	ck_assert_ptr_null(strstr(diag.text, "did you mean"));
	ck_assert_int_eq(file("", "1"), ERR_INVALID);
}
END_TEST

START_TEST(test_lists)
{
	struct slice item;

	ck_assert(!options_item(&options, "brokers", 0, &item));
	ck_assert_int_eq(file("brokers", "f:1"), OK);
	ck_assert_int_eq(file("brokers", "f:2"), OK);
	ck_assert(options_item(&options, "brokers", 0, &item) && slice_is(item, "f:1"));
	ck_assert(options_item(&options, "brokers", 1, &item) && slice_is(item, "f:2"));
	ck_assert(!options_item(&options, "brokers", 2, &item));
	ck_assert_int_eq(args("--brokers a:1,b:2 --brokers=c:3"), OK);
	ck_assert(options_item(&options, "brokers", 0, &item) && slice_is(item, "a:1"));
	ck_assert(options_item(&options, "brokers", 2, &item) && slice_is(item, "c:3"));
	ck_assert(!options_item(&options, "brokers", 3, &item));
	ck_assert_int_eq(file("brokers", "f:3"), OK);
	ck_assert_msg(!options_item(&options, "brokers", 3, &item), "the file was added");
	ck_assert_int_eq(args("--brokers 1234567890123456789012345678901234567890"),
			 ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(diag.text, "flag --brokers: \"a:1,b:2,c:3,123"));
	ck_assert_ptr_nonnull(strstr(diag.text, "is too long"));
}
END_TEST

static const struct args_row {
	const char *name;
	const char *line;
	const char *says; /* NULL: it is right, and the rest holds */
	const char *data;
	int64_t max_inflight;
	bool dry_run;
	bool quiet;
	const char *args; /* with commas between them */
} args_rows[] = {
	{"nothing", "", NULL, "./skald-data", 100, false, false, ""},
	{"a value behind a blank", "--data x", NULL, "x", 100, false, false, ""},
	{"a value behind =", "--data=x", NULL, "x", 100, false, false, ""},
	{"a value that holds =", "--data=x=y", NULL, "x=y", 100, false, false, ""},
	{"a letter and a value", "-d x", NULL, "x", 100, false, false, ""},
	{"a letter with its value", "-dx -m7", NULL, "x", 7, false, false, ""},
	{"letters together", "-nq", NULL, "./skald-data", 100, true, true, ""},
	{"letters together with a value at the end", "-nqd x", NULL, "x", 100, true, true, ""},
	{"letters together with a value in the last", "-qm7", NULL, "./skald-data", 7, false,
	 true, ""},
	{"a boolean takes no value behind a blank", "--quiet false", NULL, "./skald-data", 100,
	 false, true, "false"},
	{"a boolean that is said to be false", "-q --quiet=false", NULL, "./skald-data", 100,
	 false, false, ""},
	{"the last one wins", "--data x -d y", NULL, "y", 100, false, false, ""},
	{"a single dash as a value", "--data -", NULL, "-", 100, false, false, ""},
	{"a value that begins with a dash", "--data -x", NULL, "-x", 100, false, false, ""},
	{"a value that begins with two", "--data=--x", NULL, "--x", 100, false, false, ""},
	{"arguments", "a b", NULL, "./skald-data", 100, false, false, "a,b"},
	{"arguments between flags", "a -n b --data x c", NULL, "x", 100, true, false, "a,b,c"},
	{"a single dash is an argument", "- -n", NULL, "./skald-data", 100, true, false, "-"},
	{"after -- nothing is a flag", "-n -- -q --data --", NULL, "./skald-data", 100, true,
	 false, "-q,--data,--"},
	{"an unknown flag", "--participant x",
	 "unknown flag --participant; `skald serve --help` lists the flags", NULL, 0, false,
	 false, NULL},
	{"a flag that is like another", "--dtaa=x",
	 "unknown flag --dtaa; did you mean --data? `skald serve --help` lists the flags", NULL,
	 0, false, false, NULL},
	{"a flag that is like a common one", "--queit", "did you mean --quiet?", NULL, 0, false,
	 false, NULL},
	{"a flag with an underscore", "--max_inflight 7", "did you mean --max-inflight?", NULL,
	 0, false, false, NULL},
	{"the begin of a flag", "--max 7", "unknown flag --max;", NULL, 0, false, false, NULL},
	{"a flag without a name", "--=x", "unknown flag", NULL, 0, false, false, NULL},
	{"an unknown letter", "-x", "unknown flag -x; `skald serve --help` lists the flags",
	 NULL, 0, false, false, NULL},
	{"an unknown letter behind a known one", "-nx", "unknown flag -x;", NULL, 0, false,
	 false, NULL},
	{"a missing value at the end", "--max-inflight",
	 "flag --max-inflight: the value is missing; give an integer (1 to 1000), as "
	 "--max-inflight=N",
	 NULL, 0, false, false, NULL},
	{"a missing value before a flag", "--data --quiet",
	 "flag --data: the value is missing; give a text (1 to 4096 bytes), as --data=DIR",
	 NULL, 0, false, false, NULL},
	{"a missing value of a letter", "-nd", "flag --data: the value is missing", NULL, 0,
	 false, false, NULL},
	{"a value that is not allowed", "-m0",
	 "flag --max-inflight: \"0\" is out of range; give an integer (1 to 1000)", NULL, 0,
	 false, false, NULL},
	{"a boolean that is neither", "--quiet=maybe",
	 "flag --quiet: \"maybe\" is neither true nor false; give true or false", NULL, 0,
	 false, false, NULL},
};

START_TEST(test_args)
{
	const struct args_row *row = &args_rows[_i];
	enum err err = args(row->line);
	char given[256] = "";
	size_t len = 0;

	ck_assert_msg(err == (row->says ? ERR_INVALID : OK), "%s: %s", row->name, diag.text);
	if (err) {
		ck_assert_msg(strstr(diag.text, row->says), "%s: %s", row->name, diag.text);
		return;
	}
	for (size_t i = 0; i < options.n_args; i++)
		len += (size_t)snprintf(given + len, sizeof given - len, "%s%s", i ? "," : "",
					options.args[i]);
	ck_assert_msg(strcmp(options_text(&options, "data"), row->data) == 0, "%s: data is %s",
		      row->name, options_text(&options, "data"));
	ck_assert_msg(options_number(&options, "max-inflight") == row->max_inflight, "%s",
		      row->name);
	ck_assert_msg(options_bool(&options, "dry-run") == row->dry_run, "%s", row->name);
	ck_assert_msg(options_bool(&options, "quiet") == row->quiet, "%s", row->name);
	ck_assert_msg(strcmp(given, row->args) == 0, "%s: the arguments are %s", row->name,
		      given);
}
END_TEST

START_TEST(test_no_arguments_taken)
{
	struct usage none = usage;
	char *argv[] = {(char[]){"serve"}, (char[]){"-n"}, (char[]){"order.yaml"}, NULL};

	none.arguments = NULL;
	ck_assert_int_eq(options_init(&options, &none, &arena), OK);
	ck_assert_int_eq(options_from_args(&options, 2, argv, &diag), OK);
	ck_assert_int_eq(options_from_args(&options, 3, argv, &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text,
			 "`skald serve` takes no arguments but flags, and "
			 "\"order.yaml\" is none; `skald serve --help` lists the flags");
	ck_assert_int_eq(options_from_args(&options, 0, argv + 3, &diag), OK);
}
END_TEST

static void assert_text(struct bytes *out, const char *want)
{
	bytes_add(out, '\0');
	ck_assert_int_eq(out->err, OK);
	ck_assert_str_eq(out->at, want);
}

START_TEST(test_help)
{
	struct bytes out = BYTES(8192, &arena);

	options_help(&usage, &out);
	assert_text(
		&out,
		"Usage: skald serve [OPTIONS] [FILE...]\n"
		"\n"
		"Runs the orchestrator.\n"
		"\n"
		"Options:\n"
		"  -d, --data DIR          folder of everything that must survive a restart\n"
		"                          (default ./skald-data) [SKALD_DATA]\n"
		"      --store sqlite|mongo|memory\n"
		"                          where the sagas are kept (default sqlite)\n"
		"                          [SKALD_STORE]\n"
		"      --brokers HOST:PORT,...\n"
		"                          Kafka [SKALD_BROKERS]\n"
		"  -m, --max-inflight N    most commands that wait for a reply at the same "
		"time,\n"
		"                          over all participants of this server (1 to 1000;\n"
		"                          default 100) [SKALD_MAX_INFLIGHT]\n"
		"      --offset N          a signed number (-10 to 10) [SKALD_OFFSET]\n"
		"      --any N             a number of 64 bits (at least "
		"-9223372036854775808)\n"
		"                          [SKALD_ANY]\n"
		"      --grace DURATION    how long (0s to 1h; default 90s) [SKALD_GRACE]\n"
		"      --cache SIZE        how much (at least 4KiB; default 65536) "
		"[SKALD_CACHE]\n"
		"      --sync              whether to sync (default true) [SKALD_SYNC]\n"
		"      --token TEXT        who we are [SKALD_TOKEN]\n"
		"  -n, --dry-run           check the settings, print them and exit\n"
		"\n"
		"Common options:\n"
		"  -c, --config FILE       settings file\n"
		"  -q, --quiet             say less [SKALD_QUIET]\n");
	for (char *line = out.at, *end; (end = strchr(line, '\n')); line = end + 1)
		ck_assert_msg(end - line < 80, "too wide: %.*s", (int)(end - line), line);
}
END_TEST

START_TEST(test_man)
{
	static const struct option hard[] = {
		{.name = "path-a",
		 .type = OPTION_TEXT,
		 .initial = "C:\\x y",
		 .flag_only = true,
		 .help = ".a dot, a \"quote\" and a \\"},
	};
	static const struct usage small = {
		.program = "x", .own = {hard, 1}, .common = {common_options + 1, 1}};
	struct bytes out = BYTES(8192, &arena);

	options_man(&small, &out);
	assert_text(&out, ".Bl -tag -width Ds\n"
			  ".It Fl \\-path\\-a Ar \"\\&TEXT\"\n"
			  "\\&.a dot, a \\(dqquote\\(dq and a \\e.\n"
			  "Default:\n"
			  ".Li \"\\&C:\\ex y\" .\n"
			  ".It Fl q , Fl \\-quiet\n"
			  "\\&say less.\n"
			  "Environment:\n"
			  ".Ev SKALD_QUIET .\n"
			  "Settings file:\n"
			  ".Li quiet .\n"
			  ".El\n");
}
END_TEST

START_TEST(test_print)
{
	struct bytes out = BYTES(8192, &arena);

	ck_assert_int_eq(file("cache", "1MiB"), OK);
	ck_assert_int_eq(env("SKALD_TOKEN=s3cret"), OK);
	ck_assert_int_eq(args("-q --brokers a:1,b:2 -c skald.yaml"), OK);
	options_print(&options, &out);
	assert_text(&out,
		    "data: ./skald-data                      # default\n"
		    "store: sqlite                           # default\n"
		    "brokers: [a:1, b:2]                     # flag --brokers\n"
		    "max_inflight: 100                       # default\n"
		    "# offset: not set\n"
		    "# any: not set\n"
		    "grace: 90s                              # default\n"
		    "cache: 1MiB                             # skald.yaml:3\n"
		    "sync: true                              # default\n"
		    "token: \"********\"                       # environment SKALD_TOKEN\n"
		    "quiet: true                             # flag --quiet\n");
}
END_TEST

/* What is printed of an address. */
START_TEST(test_a_password_in_an_address_is_masked)
{
	static const struct {
		const char *value, *printed;
	} uris[] = {
		{"sqlite", "sqlite"},
		{"mongodb://host:27017/db", "mongodb://host:27017/db"},
		{"mongodb://ann:s3cret@host/db", "\"mongodb://ann:********@host/db\""},
		{"mongodb://ann:s3@cret:x@host:1,other:2/?a=b@c",
		 "\"mongodb://ann:********@host:1,other:2/?a=b@c\""},
		{"mongodb://ann@host/?a=b:c@d", "\"mongodb://ann@host/?a=b:c@d\""},
		{"mongodb://ann:s3cret@", "\"mongodb://ann:********@\""},
	};
	static const struct option only[] = {
		{.name = "at", .type = OPTION_TEXT, .uri = true, .help = "where"}};
	static const struct usage small = {.program = "p", .own = {only, 1}};

	for (int i = 0; i < ROWS(uris); i++) {
		struct bytes out = BYTES(8192, &arena);
		char expected[128];

		ck_assert_int_eq(options_init(&options, &small, &arena), OK);
		ck_assert_int_eq(file("at", uris[i].value), OK);
		options_print(&options, &out);
		snprintf(expected, sizeof expected, "at: %s ", uris[i].printed);
		ck_assert_msg(out.len > strlen(expected) &&
				      !memcmp(out.at, expected, strlen(expected)),
			      "%.*s", SLICE_ARG(bytes_slice(&out)));
		arena_reset(&arena);
	}
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct arena small = {.max = 16384};
	static char text[2048];
	enum err err = OK;

	ck_assert_int_eq(options_init(&options, &usage, &small), OK);
	memset(text, 'x', sizeof text - 1);
	for (int i = 0; i < 20 && !err; i++)
		err = file("data", text);
	ck_assert_int_eq(err, ERR_NOMEM);
	ck_assert_str_eq(options_text(&options, "data"), text);
	arena_release(&small);

	small.max = 1;
	ck_assert_int_eq(options_init(&options, &usage, &small), ERR_NOMEM);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_defaults);
	tcase_add_loop_test(tcase, test_value, 0, ROWS(value_rows));
	tcase_add_test(tcase, test_a_text_with_nul);
	tcase_add_loop_test(tcase, test_precedence, 0, 6);
	tcase_add_test(tcase, test_a_value_that_does_not_win_is_checked);
	tcase_add_test(tcase, test_environment);
	tcase_add_test(tcase, test_unknown_settings);
	tcase_add_test(tcase, test_lists);
	tcase_add_loop_test(tcase, test_args, 0, ROWS(args_rows));
	tcase_add_test(tcase, test_no_arguments_taken);
	tcase_add_test(tcase, test_help);
	tcase_add_test(tcase, test_man);
	tcase_add_test(tcase, test_print);
	tcase_add_test(tcase, test_a_password_in_an_address_is_masked);
	tcase_add_test(tcase, test_out_of_memory);
}

int main(void)
{
	return suite_run("options", add);
}
