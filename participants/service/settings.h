/* settings.h - the command line of a service. */
#ifndef SKALD_PARTICIPANTS_SETTINGS_H
#define SKALD_PARTICIPANTS_SETTINGS_H

#include "participants/service/service.h"

enum { SETTINGS_OWN_MAX = 64, SETTINGS_KAFKA_MAX = 64 };

/* An option of the service's own, in the order in which they were given. */
struct setting {
	const struct service_option *option;
	const char *value;
};

struct settings {
	bool audit; /* instead of running */
	bool help, version;
	bool json, sagas;
	const char *data;
	const char *store;   /* NULL: SQLite */
	const char *address; /* behind the scheme of the store */
	const char *bus;
	const char *faults;
	const char *window;
	const char *horizon;
	const char *kafka_prefix;
	const char *kafka[SETTINGS_KAFKA_MAX + 1]; /* properties, up to a NULL */
	int n_kafka;
	struct setting own[SETTINGS_OWN_MAX];
	int n_own;
};

/* False: *error says what is wrong. */
bool settings_read(const struct service_kind *kind, int argc, char **argv, struct settings *out,
		   skald_error *error);

/* A number from min to max, and a duration such as 10s, 15m, 24h, 30d. */
bool settings_number(const char *text, int64_t min, int64_t max, int64_t *out);
bool settings_duration(const char *text, int64_t *out_ms);

/* What --help prints, to standard output. */
void settings_help(const struct service_kind *kind);

#endif
