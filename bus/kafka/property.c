/* property.c - which properties of librdkafka others may set. */
#include "base/problems.h"
#include "bus/kafka/kafka.h"

#include <stdio.h>
#include <stdlib.h>

/* Those that are set here, and why nobody else may. */
static const struct {
	const char *name, *why;
} owned[] = {
	{"bootstrap.servers", "the brokers stand behind kafka: of the bus"},
	{"metadata.broker.list", "the brokers stand behind kafka: of the bus"},
	{"acks", "a command that one broker alone has may be lost with it"},
	{"request.required.acks", "a command that one broker alone has may be lost with it"},
	{"enable.idempotence", "commands have to stay in order"},
	{"enable.gapless.guarantee", "a command that is lost must not hold up the others"},
	{"transactional.id", "messages are not sent in transactions"},
	{"partitioner", "messages of a saga go where its key says"},
	{"delivery.report.only.error", "an offset counts once what follows was delivered"},
	{"message.max.bytes", "topics and messages have one limit, which is a setting of the "
			      "orchestrator: kafka_message_max"},
	{"group.id", "it follows from the prefix and the participant"},
	{"group.instance.id", "it follows from the folder of data"},
	{"partition.assignment.strategy", "it follows from the version of librdkafka"},
	{"enable.auto.commit", "an offset counts once the work is durable"},
	{"auto.commit.enable", "an offset counts once the work is durable"},
	{"auto.commit.interval.ms", "an offset counts once the work is durable"},
	{"enable.auto.offset.store", "an offset counts once the work is durable"},
	{"offset.store.method", "the brokers keep the offsets"},
	{"auto.offset.reset", "nothing may be passed over"},
	{"statistics.interval.ms", "they tell whether a broker is there"},
	{"log.queue", "the log goes where Skald's goes"},
};

/* Parts of the names of those whose values nobody may see. */
static const char *const secrets[] = {"password", "secret", ".pem",
				      "config",   "kinit",  "token.endpoint"};

bool kafka_property_secret(const char *name)
{
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		if (strstr(name, secrets[i]))
			return true;
	return false;
}

/* librdkafka lists them in a table, each in a line that begins with its name. */
static enum err refuse_unknown(const char *name, struct diag *diag)
{
	enum { NAMES_MAX = 512 };
	const char *names[NAMES_MAX], *meant = NULL;
	char *table = NULL;
	size_t size, n = 0;
	FILE *file = open_memstream(&table, &size);
	enum err err;

	if (file)
		rd_kafka_conf_properties_show(file);
	if (file && !fclose(file)) {
		for (char *line = table; *line && n < NAMES_MAX;) {
			char *next = line + strcspn(line, "\n");

			next += *next != '\0';
			line[strcspn(line, " |\n")] = '\0';
			names[n++] = line;
			line = next;
		}
		meant = suggest(slice_of(name), names, n);
	}
	err = diag_set(diag, ERR_INVALID,
		       meant ? "librdkafka %s has no property %.100s; did you mean %s?"
			     : "librdkafka %s has no property %.100s; its CONFIGURATION.md "
			       "lists them",
		       rd_kafka_version_str(), name, meant);
	free(table);
	return err;
}

static enum err refuse_value(const char *name, const char *why, struct diag *diag)
{
	return diag_set(diag, ERR_INVALID, "kafka.%.100s: %s", name,
			kafka_property_secret(name) ? "librdkafka does not take the value, "
						      "which is not shown"
						    : why);
}

enum err kafka_property_check(const struct kafka_property *property, struct diag *diag)
{
	const char *name = property->name;
	rd_kafka_conf_t *conf;
	rd_kafka_conf_res_t result;
	char why[256] = "";

	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
		if (strcmp(name, owned[i].name) == 0)
			return diag_set(diag, ERR_INVALID, "kafka.%s cannot be set: %s", name,
					owned[i].why);
	conf = rd_kafka_conf_new();
	result = rd_kafka_conf_set(conf, name, property->value, why, sizeof why);
	rd_kafka_conf_destroy(conf);
	switch (result) {
	case RD_KAFKA_CONF_OK: return OK;
	case RD_KAFKA_CONF_UNKNOWN: return refuse_unknown(name, diag);
	case RD_KAFKA_CONF_INVALID: break;
	}
	return refuse_value(name, why, diag);
}
