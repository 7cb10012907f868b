/* settings_kafka.h - properties of librdkafka, from skald.yaml, SKALD_KAFKA and --kafka.
 *
 *	kafka:
 *	  security.protocol: sasl_ssl
 *	  sasl.username: shop
 *
 * or, each as a setting of its own, `kafka.sasl.username: shop`; or a list of texts
 * NAME=VALUE. Flags and environment win over the file, property by property. In these a
 * comma begins the next property where NAME= follows, so that a value that would be
 * taken apart belongs into the file.
 */
#ifndef SKALD_CLI_SETTINGS_KAFKA_H
#define SKALD_CLI_SETTINGS_KAFKA_H

#include "base/options.h"
#include "base/problems.h"
#include "bus/kafka/kafka.h"
#include "orchestrator/load/yaml_tree.h"

enum { KAFKA_PROPERTIES_MAX = 128 };

struct kafka_settings {
	struct kafka_property list[KAFKA_PROPERTIES_MAX]; /* texts live in an arena */
	const char *where[KAFKA_PROPERTIES_MAX];          /* "skald.yaml:3" */
	size_t n;
};

/* Whether a setting of the file is about this. */
bool kafka_settings_own(struct slice name);

/* Add what an entry of the file says. Mistakes are added to the problems. */
void kafka_settings_read(struct problems *problems, const struct yaml_entry *entry,
			 struct kafka_settings *out);

/* Add those of the option --kafka; they win. ERR_INVALID, ERR_NOMEM. */
CHECKED enum err kafka_settings_add(const struct options *options, struct kafka_settings *out,
				    struct diag *diag);

/* As settings of a file, each with where it is from; secrets are masked. */
void kafka_settings_print(const struct kafka_settings *settings, struct bytes *out);

#endif
