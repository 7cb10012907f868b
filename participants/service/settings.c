#include "participants/service/settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options that every service has: where their value goes, or their flag. */
static const struct common {
	const char *name;
	const char *argument; /* NULL: a flag */
	size_t offset;
	bool for_run, for_audit;
	const char *help; /* NULL: the service's store says it, where it has one */
} commons[] = {
	{"data", "DIR", offsetof(struct settings, data), true, true,
	 "where the service keeps its data (default ./skald-data)"},
	{"store", "STORE", offsetof(struct settings, store), true, true, NULL},
	{"bus", "BUS", offsetof(struct settings, bus), true, false,
	 "the orchestrator: local:PATH of its socket (default local:./skald-data/bus.sock), "
	 "or kafka:HOST:PORT"},
	{"kafka", "NAME=VALUE", 0, true, false,
	 "a property of librdkafka, as sasl.username=shop; may be given repeatedly; @FILE "
	 "has one in each line, and is the place for a password"},
	{"kafka-prefix", "PREFIX", offsetof(struct settings, kafka_prefix), true, false,
	 "of the topics, as the orchestrator's (default skald)"},
	{"faults", "SPEC", offsetof(struct settings, faults), true, false,
	 "go wrong on purpose: decline=10%,fail=1%,slow=50ms,crash=0.1%,deadly=SAGA-ID"},
	{"window", "N", offsetof(struct settings, window), true, false,
	 "most commands on their way here, 1 to 10000 (default 1000)"},
	{"horizon", "D", offsetof(struct settings, horizon), true, false,
	 "how long answered commands are remembered (default 30d)"},
	{"json", NULL, offsetof(struct settings, json), false, true,
	 "one JSON object in a line"},
	{"sagas", NULL, offsetof(struct settings, sagas), false, true,
	 "and then a line for every saga"},
	{"help", NULL, offsetof(struct settings, help), true, true, "show this"},
	{"version", NULL, offsetof(struct settings, version), true, true, "show the version"},
};

enum { N_COMMONS = sizeof commons / sizeof *commons };

/* --- values ------------------------------------------------------------------------- */

bool settings_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < min || number > max)
		return false;
	*out = number;
	return true;
}

bool settings_duration(const char *text, int64_t *out_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	size_t len = strspn(text, "0123456789");
	char digits[16];
	int64_t number;

	snprintf(digits, sizeof digits, "%.*s", len < sizeof digits ? (int)len : 0, text);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(text + len, units[i].unit) == 0 &&
		    settings_number(digits, 1, INT64_MAX / units[i].ms, &number)) {
			*out_ms = number * units[i].ms;
			return true;
		}
	return false;
}

/* --- reading --------------------------------------------------------------------------- */

static bool complain(const struct service_kind *kind, skald_error *error, const char *what,
		     const char *name, int len)
{
	snprintf(error->text, sizeof error->text, "--%.*s %s; see skald-%s --help",
		 len < 40 ? len : 40, name, what, kind->name);
	return false;
}

static const char *help_of(const struct service_kind *kind, const struct common *common)
{
	if (common->help)
		return common->help;
	return kind->store ? kind->store->help : NULL;
}

static const struct common *find_common(const struct service_kind *kind, const char *name,
					size_t len)
{
	for (int i = 0; i < N_COMMONS; i++)
		if (help_of(kind, &commons[i]) && strlen(commons[i].name) == len &&
		    !strncmp(name, commons[i].name, len))
			return &commons[i];
	return NULL;
}

static const struct service_option *find_own(const struct service_kind *kind, const char *name,
					     size_t len)
{
	const struct service_option *option = kind->options;

	for (; option && option->name; option++)
		if (strlen(option->name) == len && !strncmp(name, option->name, len))
			return option;
	return NULL;
}

static bool keep(struct settings *settings, const struct common *common,
		 const struct service_option *own, const char *value)
{
	if (own) {
		if (settings->n_own == SETTINGS_OWN_MAX)
			return false;
		settings->own[settings->n_own++] = (struct setting){own, value};
	} else if (strcmp(common->name, "kafka") == 0) {
		if (settings->n_kafka == SETTINGS_KAFKA_MAX)
			return false;
		settings->kafka[settings->n_kafka++] = value;
	} else if (common->argument) {
		*(const char **)((char *)settings + common->offset) = value;
	} else {
		*(bool *)((char *)settings + common->offset) = true;
	}
	return true;
}

/* Reads the option at argv[*i], and its value where that is the next argument. */
static bool read_option(const struct service_kind *kind, int argc, char **argv, int *i,
			struct settings *out, skald_error *error)
{
	const char *name = argv[*i] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct common *common = find_common(kind, name, len);
	const struct service_option *own =
		common || out->audit ? NULL : find_own(kind, name, len);
	bool wants;

	if (common && !(out->audit ? common->for_audit : common->for_run))
		common = NULL;
	if (!common && !own)
		return complain(kind, error, "is no option here", name, (int)len);
	wants = own ? own->argument != NULL : common->argument != NULL;
	if (!wants && value)
		return complain(kind, error, "takes no value", name, (int)len);
	if (wants && !value) {
		if (*i + 1 >= argc)
			return complain(kind, error, "needs a value", name, (int)len);
		value = argv[++*i];
	} else if (value) {
		value++;
	}
	if (!keep(out, common, own, value))
		return complain(kind, error, "is given too often", name, (int)len);
	return true;
}

static bool read_bus(const struct service_kind *kind, const struct settings *settings,
		     skald_error *error)
{
	if (strncmp(settings->bus, "local:", 6) == 0 ||
	    strncmp(settings->bus, "kafka:", 6) == 0)
		return true;
	snprintf(error->text, sizeof error->text,
		 "--bus: \"%.100s\" is none; give local:PATH, with the path of the "
		 "orchestrator's socket, or kafka:HOST:PORT; see skald-%s --help",
		 settings->bus, kind->name);
	return false;
}

/* What is behind the scheme, where a store is given. */
static bool read_store(const struct service_kind *kind, struct settings *out,
		       skald_error *error)
{
	const char *scheme = out->store ? kind->store->scheme : "";

	if (!out->store)
		return true;
	if (strncmp(out->store, scheme, strlen(scheme)) != 0) {
		snprintf(error->text, sizeof error->text,
			 "--store: it begins with %s; see skald-%s --help", scheme, kind->name);
		return false;
	}
	out->address = out->store + strlen(scheme);
	return true;
}

bool settings_read(const struct service_kind *kind, int argc, char **argv, struct settings *out,
		   skald_error *error)
{
	int i = 1;

	*out = (struct settings){.data = "./skald-data", .bus = "local:./skald-data/bus.sock"};
	if (argc > 1 && strcmp(argv[1], "audit") == 0) {
		out->audit = true;
		i++;
	}
	for (; i < argc; i++) {
		if (strcmp(argv[i], "-h") == 0) {
			out->help = true;
		} else if (strncmp(argv[i], "--", 2) != 0 || !argv[i][2]) {
			snprintf(error->text, sizeof error->text,
				 "\"%.100s\" is neither an option nor `audit`; see skald-%s "
				 "--help",
				 argv[i], kind->name);
			return false;
		} else if (!read_option(kind, argc, argv, &i, out, error)) {
			return false;
		}
	}
	return read_bus(kind, out, error) && read_store(kind, out, error);
}

/* --- help --------------------------------------------------------------------------------- */

static void print_option(const char *name, const char *argument, const char *help)
{
	char left[40];

	snprintf(left, sizeof left, "--%s%s%s", name, argument ? " " : "",
		 argument ? argument : "");
	printf("  %-18s %s\n", left, help);
}

void settings_help(const struct service_kind *kind)
{
	printf("usage: skald-%s [OPTION...]\n"
	       "       skald-%s audit [--json] [--sagas] [--data DIR]\n\n%s\n\noptions:\n",
	       kind->name, kind->name, kind->summary);
	for (int i = 0; i < N_COMMONS; i++)
		if (commons[i].for_run && help_of(kind, &commons[i]))
			print_option(commons[i].name, commons[i].argument,
				     help_of(kind, &commons[i]));
	for (const struct service_option *own = kind->options; own && own->name; own++)
		print_option(own->name, own->argument, own->help);
	printf("\naudit prints the service's books, and exits with 1 where they do not "
	       "agree:\n");
	for (int i = 0; i < N_COMMONS; i++)
		if (commons[i].for_audit && !commons[i].for_run)
			print_option(commons[i].name, commons[i].argument, commons[i].help);
	printf("\ncommands that sagas may call:\n");
	for (const struct service_command *command = kind->commands; command->name; command++)
		printf("  %s.%s\n      %s\n", kind->name, command->name, command->help);
}
