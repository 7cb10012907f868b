#include "bus/kafka/kafka.h"

#include "base/sha256.h"
#include "proto/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* From this version on partitions move one by one; before, the members of a group
 * that did so sometimes both took one, or none did. */
enum { COOPERATIVE_SINCE = 0x020400ff };

enum { FLUSH_MS = 1 };

/* --- the setup ------------------------------------------------------------------- */

static bool is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len && len <= max &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._-") == len;
}

static enum err check_properties(const struct kafka_setup *setup, struct diag *diag)
{
	enum err err = OK;

	for (size_t i = 0; i < setup->n_properties && !err; i++)
		err = kafka_property_check(&setup->properties[i], diag);
	return err;
}

enum err kafka_setup_check(struct kafka_setup *setup, struct diag *diag)
{
	static const struct log silent = {0};

	if (!setup->prefix)
		setup->prefix = "skald";
	if (!setup->partitions)
		setup->partitions = KAFKA_PARTITIONS;
	if (!setup->replication)
		setup->replication = -1;
	if (!setup->message_max)
		setup->message_max = KAFKA_MESSAGE_MAX;
	if (!setup->log)
		setup->log = &silent;
	if (!setup->brokers || !strchr(setup->brokers, ':'))
		return diag_set(diag, ERR_INVALID,
				"kafka:%.100s names no broker; write kafka:HOST:PORT, with "
				"commas between several",
				setup->brokers ? setup->brokers : "");
	if (!is_name(setup->prefix, KAFKA_PREFIX_MAX))
		return diag_set(diag, ERR_INVALID,
				"the prefix \"%.100s\" of the topics is none: it is 1 to %d "
				"letters, digits, dots, dashes and underscores",
				setup->prefix, KAFKA_PREFIX_MAX);
	if (setup->partitions < 1 || setup->partitions > KAFKA_PARTITIONS_MAX)
		return diag_set(diag, ERR_INVALID, "%d partitions: 1 to %d are possible",
				(int)setup->partitions, KAFKA_PARTITIONS_MAX);
	return check_properties(setup, diag);
}

/* --- names ----------------------------------------------------------------------- */

void kafka_topic(const struct kafka_setup *setup, const char *kind, char out[KAFKA_TOPIC_SIZE])
{
	int len = snprintf(out, KAFKA_TOPIC_SIZE, "%s.%s", setup->prefix, kind);

	assert(len > 0 && len < KAFKA_TOPIC_SIZE);
}

static void name_topic(const struct kafka_setup *setup, const char *kind,
		       struct slice participant, char out[KAFKA_TOPIC_SIZE])
{
	int len = snprintf(out, KAFKA_TOPIC_SIZE, "%s.%s.%.*s", setup->prefix, kind,
			   SLICE_ARG(participant));

	assert(len > 0 && len < KAFKA_TOPIC_SIZE && participant.len <= WIRE_NAME_MAX);
}

void kafka_topic_of(const struct kafka_setup *setup, struct slice participant,
		    char out[KAFKA_TOPIC_SIZE])
{
	name_topic(setup, "cmd", participant, out);
}

void kafka_topic_of_inquiries(const struct kafka_setup *setup, struct slice participant,
			      char out[KAFKA_TOPIC_SIZE])
{
	name_topic(setup, "inquiry", participant, out);
}

int32_t kafka_partition_of(struct slice id, int32_t n_partitions)
{
	return (int32_t)shard_of(id, (uint32_t)n_partitions);
}

void kafka_traceparent(struct slice saga_id, struct slice command_id, uint32_t attempt,
		       char out[KAFKA_TRACE_SIZE])
{
	char span[WIRE_ID_MAX + 16];
	char trace_hex[SHA256_HEX_SIZE], span_hex[SHA256_HEX_SIZE];
	uint8_t hash[SHA256_SIZE];
	int len = snprintf(span, sizeof span, "%.*s/%u", SLICE_ARG(command_id),
			   (unsigned int)attempt);

	assert(len > 0 && len < (int)sizeof span);
	sha256(saga_id, hash);
	sha256_hex(hash, trace_hex);
	sha256((struct slice){span, (size_t)len}, hash);
	sha256_hex(hash, span_hex);
	memcpy(out, "00-", 3);
	memcpy(out + 3, trace_hex, 32);
	out[35] = '-';
	memcpy(out + 36, span_hex, 16);
	memcpy(out + 52, "-01", 4);
}

void kafka_traceparent_of_saga(struct slice saga_id, char out[KAFKA_TRACE_SIZE])
{
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	sha256(saga_id, hash);
	sha256_hex(hash, hex);
	snprintf(out, KAFKA_TRACE_SIZE, "00-%.32s-%.16s-01", hex, hex + 32);
}

/* --- callbacks ------------------------------------------------------------------- */

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	const struct kafka_client *client = rd_kafka_opaque(rk);
	struct log_line line;

	log_begin(&line, client->log, LOG_LEVEL_DEBUG, "librdkafka");
	log_text(&line, "facility", slice_of(facility));
	log_text(&line, "text", slice_of(text));
	log_end(&line);
}

static void tell(const struct kafka_client *client, enum log_level level, const char *event,
		 const char *why)
{
	struct log_line line;

	log_begin(&line, client->log, level, event);
	log_text(&line, "client", slice_of(rd_kafka_name(client->rk)));
	if (why)
		log_text(&line, "why", slice_of(why));
	log_end(&line);
}

static void on_error(rd_kafka_t *rk, int error, const char *reason, void *opaque)
{
	kafka_client_note(opaque, error, reason);
}

bool kafka_client_useless(const struct kafka_client *client)
{
	char why[DIAG_MAX] = "";

	return rd_kafka_fatal_error(client->rk, why, sizeof why) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool kafka_client_failed(const struct kafka_client *client)
{
	char why[DIAG_MAX] = "";

	if (!rd_kafka_fatal_error(client->rk, why, sizeof why)) {
		if (!client->stuck)
			return false;
		snprintf(why, sizeof why, "it was not told where to begin reading: %s",
			 rd_kafka_err2str(client->stuck));
	}
	tell(client, LOG_LEVEL_WARN, "kafka-client-failed", why);
	return true;
}

/* What concerns no topic is said where a place to read from was asked for in vain: brokers
 * that have just come back do not know yet who keeps such places. Nobody asks again then. */
rd_kafka_message_t *kafka_client_poll(struct kafka_client *client, int timeout_ms)
{
	rd_kafka_message_t *message;

	while ((message = rd_kafka_consumer_poll(client->rk, timeout_ms)) && message->err) {
		if (!message->rkt && message->err != RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
			client->stuck = message->err;
		rd_kafka_message_destroy(message);
	}
	return message;
}

static const char *trouble_of(const struct kafka_client *client)
{
	return client->trouble[0] ? client->trouble : "no broker answers";
}

/* Once a second: whether a broker is there. */
static int on_statistics(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
	struct kafka_client *client = opaque;
	bool reachable = kafka_client_hears(client, json);

	if (reachable == client->reachable)
		return 0;
	if (reachable) {
		tell(client, LOG_LEVEL_INFO, "kafka-reachable", NULL);
		client->trouble[0] = '\0';
	} else {
		tell(client, LOG_LEVEL_WARN, "kafka-unreachable", trouble_of(client));
	}
	client->reachable = reachable;
	return 0;
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_client *client = opaque;

	client->user->delivered(client->context, message);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
			 rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct kafka_client *client = opaque;

	client->user->rebalanced(client->context, err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS,
				 partitions);
}

/* --- opening ----------------------------------------------------------------------- */

/* What is good for most, and what an operator may set otherwise. */
static const struct kafka_property usual[] = {
	{"client.id", "skald"},
	{"socket.nagle.disable", "true"},
	{"reconnect.backoff.ms", "50"},
	{"reconnect.backoff.max.ms", "1000"},
	{"topic.metadata.refresh.interval.ms", "10000"}, /* new partitions are seen by then */
	{"allow.auto.create.topics", "false"},
};
static const struct kafka_property producers[] = {
	{"linger.ms", "5"},
	{"queue.buffering.max.kbytes", "131072"},
	{"message.timeout.ms", "0"}, /* an outage may be long */
};
static const struct kafka_property consumers[] = {
	{"session.timeout.ms", "10000"},
	{"heartbeat.interval.ms", "1000"}, /* so soon a member hears that another is gone */
	{"fetch.error.backoff.ms", "50"},
	{"queued.max.messages.kbytes", "16384"},
};

/* Whoever asks waits ten seconds: until then another process has to have the partitions
 * of one that died. */
static const struct kafka_property from_now[] = {
	{"session.timeout.ms", "6000"},
	{"heartbeat.interval.ms", "1000"},
};

/* What this code relies on. */
static const struct kafka_property always[] = {
	{"log.queue", "true"},
	{"statistics.interval.ms", "1000"},
};
static const struct kafka_property always_producers[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
	{"partitioner", "murmur2_random"},
};
static const struct kafka_property always_consumers[] = {
	{"enable.auto.commit", "true"}, /* of what was stored, which is ours to do */
	{"enable.auto.offset.store", "false"},
	{"auto.commit.interval.ms", "500"},
};

static enum err set(rd_kafka_conf_t *conf, const char *name, const char *value,
		    struct diag *diag)
{
	char why[256] = "";

	if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
		return OK;
	return diag_set(diag, ERR_INVALID, "kafka.%.100s: %s", name, why);
}

static enum err set_all(rd_kafka_conf_t *conf, const struct kafka_property *properties,
			size_t n, struct diag *diag)
{
	enum err err = OK;

	for (size_t i = 0; i < n && !err; i++)
		err = set(conf, properties[i].name, properties[i].value, diag);
	return err;
}

#define ALL(list) (list), sizeof(list) / sizeof *(list)

/* `reader`: NULL for a producer. */
static enum err set_common(rd_kafka_conf_t *conf, const struct kafka_setup *setup,
			   const struct kafka_reader *reader, struct diag *diag)
{
	char max[32];
	enum err err = set_all(conf, ALL(usual), diag);

	if (!err)
		err = reader ? set_all(conf, ALL(consumers), diag)
			     : set_all(conf, ALL(producers), diag);
	if (!err && reader && reader->from_now)
		err = set_all(conf, ALL(from_now), diag);
	snprintf(max, sizeof max, "%d", (int)setup->message_max);
	if (!err)
		err = set(conf, "message.max.bytes", max, diag);
	if (!err)
		err = set_all(conf, setup->properties, setup->n_properties, diag);
	if (!err)
		err = set_all(conf, ALL(always), diag);
	if (!err)
		err = reader ? set_all(conf, ALL(always_consumers), diag)
			     : set_all(conf, ALL(always_producers), diag);
	if (!err)
		err = set(conf, "bootstrap.servers", setup->brokers, diag);
	return err;
}

/* Whether passwords are asked for, and nobody said which way. */
static bool wants_kerberos(const rd_kafka_conf_t *conf)
{
	char protocol[32] = "", mechanism[32] = "";
	size_t sizes[] = {sizeof protocol, sizeof mechanism};

	return !rd_kafka_conf_get(conf, "security.protocol", protocol, &sizes[0]) &&
	       !rd_kafka_conf_get(conf, "sasl.mechanisms", mechanism, &sizes[1]) &&
	       strncmp(protocol, "sasl", 4) == 0 && strcmp(mechanism, "GSSAPI") == 0;
}

/* Takes the conf. */
static enum err open_client(struct kafka_client *client, const struct kafka_setup *setup,
			    rd_kafka_type_t type, rd_kafka_conf_t *conf, struct diag *diag)
{
	char why[256] = "";

	client->log = setup->log;
	client->stuck = RD_KAFKA_RESP_ERR_NO_ERROR;
	client->reachable = true; /* until we know better */
	client->refused = false;
	client->trouble[0] = '\0';
	rd_kafka_conf_set_opaque(conf, client);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_stats_cb(conf, on_statistics);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
	else if (client->user->rebalanced)
		rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	client->rk = rd_kafka_new(type, conf, why, sizeof why);
	if (!client->rk) {
		bool kerberos = wants_kerberos(conf);

		rd_kafka_conf_destroy(conf);
		return diag_set(diag, ERR_INVALID, "no connection to Kafka can be made: %s%s",
				why,
				kerberos ? "; without kafka.sasl.mechanism it is GSSAPI, "
					   "which is Kerberos: set it to PLAIN or "
					   "SCRAM-SHA-512"
					 : "");
	}
	rd_kafka_set_log_queue(client->rk, NULL);
	return OK;
}

enum err kafka_producer_open(struct kafka_client *client, const struct kafka_setup *setup,
			     const struct kafka_user *user, void *context, struct diag *diag)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum err err = set_common(conf, setup, NULL, diag);

	if (err) {
		rd_kafka_conf_destroy(conf);
		return err;
	}
	client->user = user;
	client->context = context;
	return open_client(client, setup, RD_KAFKA_PRODUCER, conf, diag);
}

static enum err set_reader(rd_kafka_conf_t *conf, const struct kafka_reader *reader,
			   bool cooperative, struct diag *diag)
{
	enum err err = set(conf, "group.id", reader->group, diag);

	if (!err)
		err = set(conf, "auto.offset.reset", reader->from_now ? "latest" : "earliest",
			  diag);
	if (!err && reader->instance)
		err = set(conf, "group.instance.id", reader->instance, diag);
	if (!err)
		err = set(conf, "partition.assignment.strategy",
			  cooperative ? "cooperative-sticky" : "range", diag);
	return err;
}

enum err kafka_consumer_open(struct kafka_client *client, const struct kafka_setup *setup,
			     const struct kafka_reader *reader, const struct kafka_user *user,
			     void *context, struct diag *diag)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum err err = set_common(conf, setup, reader, diag);

	client->cooperative = rd_kafka_version() >= COOPERATIVE_SINCE && !reader->instance;
	if (!err)
		err = set_reader(conf, reader, client->cooperative, diag);
	if (err) {
		rd_kafka_conf_destroy(conf);
		return err;
	}
	client->user = user;
	client->context = context;
	err = open_client(client, setup, RD_KAFKA_CONSUMER, conf, diag);
	if (!err)
		rd_kafka_poll_set_consumer(client->rk);
	return err;
}

void kafka_client_assign(struct kafka_client *client, bool gained,
			 const rd_kafka_topic_partition_list_t *partitions)
{
	rd_kafka_t *rk = client->rk;
	rd_kafka_error_t *error = NULL;

	/* One that is being closed does not even know its protocol any more. */
	if (client->cooperative)
		error = gained ? rd_kafka_incremental_assign(rk, partitions)
			       : rd_kafka_incremental_unassign(rk, partitions);
	else
		rd_kafka_assign(rk, gained ? partitions : NULL);
	if (error)
		rd_kafka_error_destroy(error);
}

void kafka_client_close(struct kafka_client *client, int flush_ms)
{
	int flags = 0;

	if (!client->rk)
		return;
	if (rd_kafka_type(client->rk) == RD_KAFKA_CONSUMER) {
		/* One that failed does not leave its group, and whoever waits for that
		 * waits for good. */
		if (kafka_client_useless(client))
			flags = RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE;
		else
			rd_kafka_consumer_close(client->rk);
	} else if (rd_kafka_flush(client->rk, flush_ms)) {
		rd_kafka_purge(client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_flush(client->rk, flush_ms);
	}
	rd_kafka_destroy_flags(client->rk, flags);
	client->rk = NULL;
}

void kafka_client_wake(struct kafka_client *client, int fd)
{
	static const uint64_t one = 1;
	rd_kafka_queue_t *queue = rd_kafka_type(client->rk) == RD_KAFKA_CONSUMER
					  ? rd_kafka_queue_get_consumer(client->rk)
					  : rd_kafka_queue_get_main(client->rk);

	rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof one);
	rd_kafka_queue_destroy(queue);
}

/* What is waited for is that librdkafka's own thread has looked: it sends at once while
 * somebody flushes. Without the linger it would send many small requests instead, and run
 * in circles while as many of them are away as may be. */
void kafka_client_serve(struct kafka_client *client)
{
	if (client->filled && client->reachable)
		client->filled = rd_kafka_flush(client->rk, FLUSH_MS) != 0;
	else
		rd_kafka_poll(client->rk, 0);
}
