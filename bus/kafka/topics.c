#include "bus/kafka/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ANSWER_MS = 10000, LOOK_MS = 3000, LOOK_AGAIN_MS = 1000, LOOK_SOON_MS = 50 };

/* --- making ------------------------------------------------------------------------ */

static rd_kafka_AdminOptions_t *options_of(const struct kafka_client *client,
					   rd_kafka_admin_op_t operation, int timeout_ms,
					   void *opaque)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client->rk, operation);
	char why[128];

	rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why);
	rd_kafka_AdminOptions_set_opaque(options, opaque);
	return options;
}

void kafka_topic_ask(const struct kafka_client *client, const struct kafka_setup *setup,
		     const char *topic, int32_t partitions, rd_kafka_queue_t *queue,
		     void *opaque)
{
	rd_kafka_AdminOptions_t *options =
		options_of(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, ANSWER_MS, opaque);
	char why[256], max[32];
	rd_kafka_NewTopic_t *wanted =
		rd_kafka_NewTopic_new(topic, partitions, setup->replication, why, sizeof why);

	snprintf(max, sizeof max, "%d", (int)setup->message_max);
	rd_kafka_NewTopic_set_config(wanted, "max.message.bytes", max);
	rd_kafka_CreateTopics(client->rk, &wanted, 1, options, queue);
	rd_kafka_NewTopic_destroy(wanted);
	rd_kafka_AdminOptions_destroy(options);
}

static enum err log_made(const struct kafka_client *client, const char *topic)
{
	struct log_line line;

	log_begin(&line, client->log, LOG_LEVEL_INFO, "topic-made");
	log_text(&line, "topic", slice_of(topic));
	log_end(&line);
	return OK;
}

enum err kafka_topic_heard(const struct kafka_client *client, rd_kafka_event_t *event,
			   struct diag *diag)
{
	const rd_kafka_CreateTopics_result_t *result =
		rd_kafka_event_CreateTopics_result(event);
	const rd_kafka_topic_result_t **topics, *topic;
	size_t n = 0;

	if (rd_kafka_event_error(event))
		return diag_set(diag, ERR_UNAVAILABLE, "%s",
				rd_kafka_event_error_string(event));
	topics = rd_kafka_CreateTopics_result_topics(result, &n);
	topic = n ? topics[0] : NULL;
	switch (topic ? rd_kafka_topic_result_error(topic) : RD_KAFKA_RESP_ERR_UNKNOWN) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return log_made(client, rd_kafka_topic_result_name(topic));
	case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: return ERR_CONFLICT;
	default:
		return diag_set(diag, ERR_INVALID, "%s",
				topic ? rd_kafka_topic_result_error_string(topic)
				      : "no answer");
	}
}

/* --- looking ------------------------------------------------------------------------ */

/* False: there is no such topic. */
static bool describe(const struct kafka_client *client, const char *topic, int timeout_ms,
		     int32_t *partitions, int32_t *replicas)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client->rk, topic, NULL);
	const struct rd_kafka_metadata *metadata = NULL;
	bool found = false;

	if (handle && !rd_kafka_metadata(client->rk, 0, handle, &metadata, timeout_ms)) {
		const rd_kafka_metadata_topic_t *about = metadata->topics;

		found = metadata->topic_cnt == 1 && !about->err && about->partition_cnt > 0;
		if (found) {
			*partitions = about->partition_cnt;
			*replicas = about->partitions[0].replica_cnt;
		}
		rd_kafka_metadata_destroy(metadata);
	}
	if (handle)
		rd_kafka_topic_destroy(handle);
	return found;
}

int32_t kafka_topic_partitions(const struct kafka_client *client, const char *topic,
			       int timeout_ms)
{
	int32_t partitions = 0, replicas;

	return describe(client, topic, timeout_ms, &partitions, &replicas) ? partitions : 0;
}

int32_t kafka_inquiry_partitions(const struct kafka_setup *setup)
{
	return setup->partitions < KAFKA_INQUIRY_PARTITIONS ? setup->partitions
							    : KAFKA_INQUIRY_PARTITIONS;
}

/* --- until it is there ---------------------------------------------------------------- */

void wanted_topic_open(struct wanted_topic *topic, int wake_fd)
{
	static const uint64_t one = 1;

	topic->queue = rd_kafka_queue_new(topic->client->rk);
	rd_kafka_queue_io_event_enable(topic->queue, wake_fd, &one, sizeof one);
}

void wanted_topic_close(struct wanted_topic *topic)
{
	if (topic->queue)
		rd_kafka_queue_destroy(topic->queue);
	topic->queue = NULL;
}

/* True: it is there, and known. */
static bool look(struct wanted_topic *topic)
{
	int32_t n = kafka_topic_partitions(topic->client, topic->name, KAFKA_LOOK_MS);

	if (!n)
		return false;
	topic->partitions = n;
	topic->state = WANTED_THERE;
	topic->trouble.text[0] = '\0';
	return true;
}

static void look_later(struct wanted_topic *topic, int64_t ms)
{
	topic->state = WANTED_UNKNOWN;
	topic->look_ms = clock_monotonic_ms(topic->setup->clock) + ms;
}

static void missing(struct wanted_topic *topic, const char *why)
{
	bool told = topic->trouble.text[0] != '\0';
	struct log_line line;

	look_later(topic, LOOK_AGAIN_MS);
	snprintf(topic->trouble.text, sizeof topic->trouble.text, "%s", why);
	if (told)
		return;
	log_begin(&line, topic->setup->log, LOG_LEVEL_WARN, "topic-missing");
	log_text(&line, "topic", slice_of(topic->name));
	log_text(&line, "why", slice_of(why));
	log_end(&line);
}

static void hear(struct wanted_topic *topic)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(topic->queue, 0);
	struct diag why = {""};
	enum err err;

	if (!event)
		return;
	err = kafka_topic_heard(topic->client, event, &why);
	rd_kafka_event_destroy(event);
	if (err && err != ERR_CONFLICT)
		missing(topic, why.text);
	else if (!look(topic))
		look_later(topic, LOOK_SOON_MS); /* see wait_until_seen */
}

bool wanted_topic_look(struct wanted_topic *topic)
{
	if (topic->state == WANTED_UNKNOWN &&
	    clock_monotonic_ms(topic->setup->clock) >= topic->look_ms) {
		if (look(topic))
			return true;
		topic->state = WANTED_ASKED;
		kafka_topic_ask(topic->client, topic->setup, topic->name, topic->partitions,
				topic->queue, topic);
	}
	if (topic->state == WANTED_ASKED)
		hear(topic);
	return topic->state == WANTED_THERE;
}

/* The number that a topic has for max.message.bytes; -1: nobody said. */
static long read_max(const rd_kafka_ConfigResource_t *resource)
{
	size_t n_entries = 0;
	const rd_kafka_ConfigEntry_t **entries =
		rd_kafka_ConfigResource_configs(resource, &n_entries);

	for (size_t i = 0; i < n_entries; i++)
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0)
			return strtol(rd_kafka_ConfigEntry_value(entries[i]), NULL, 10);
	return -1;
}

static void warn(const struct kafka_client *client, const char *topic, const char *what,
		 long is, long wanted)
{
	struct log_line line;

	log_begin(&line, client->log, LOG_LEVEL_WARN, "topic-differs");
	log_text(&line, "topic", slice_of(topic));
	log_text(&line, "what", slice_of(what));
	log_number(&line, "is", is);
	log_number(&line, "wanted", wanted);
	log_end(&line);
}

/* What allows how large a message is answered later. */
static void ask_config(const struct kafka_client *client, const char *topic,
		       rd_kafka_queue_t *queue)
{
	rd_kafka_AdminOptions_t *options =
		options_of(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, ANSWER_MS, NULL);
	rd_kafka_ConfigResource_t *resource =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);

	rd_kafka_DescribeConfigs(client->rk, &resource, 1, options, queue);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_AdminOptions_destroy(options);
}

void kafka_topic_config_heard(const struct kafka_client *client,
			      const struct kafka_setup *setup, rd_kafka_event_t *event)
{
	const rd_kafka_ConfigResource_t **resources = NULL;
	size_t n = 0;

	if (!rd_kafka_event_error(event))
		resources = rd_kafka_DescribeConfigs_result_resources(
			rd_kafka_event_DescribeConfigs_result(event), &n);
	for (size_t i = 0; i < n; i++) {
		long max = read_max(resources[i]);

		if (max >= 0 && max < setup->message_max)
			warn(client, rd_kafka_ConfigResource_name(resources[i]),
			     "max.message.bytes", max, setup->message_max);
	}
}

static enum err compare(const struct kafka_client *client, const struct kafka_setup *setup,
			const char *topic, int32_t wanted, rd_kafka_queue_t *queue)
{
	int32_t partitions, replicas;

	if (!describe(client, topic, LOOK_MS, &partitions, &replicas))
		return ERR_NOT_FOUND;
	if (partitions != wanted)
		warn(client, topic, "partitions", partitions, wanted);
	if (setup->replication > 0 && replicas != setup->replication)
		warn(client, topic, "replication", replicas, setup->replication);
	ask_config(client, topic, queue);
	return OK;
}

/* What was made is not known to all brokers at once; and who subscribes to a topic that is
 * not known yet hears of it with the next look at all topics only. */
static void wait_until_seen(const struct kafka_client *client, const struct kafka_setup *setup,
			    const char *topic, int timeout_ms)
{
	const struct timespec step = {0, 20 * 1000 * 1000};
	int64_t end_ms = clock_monotonic_ms(setup->clock) + timeout_ms;

	while (!kafka_topic_partitions(client, topic, LOOK_MS) &&
	       clock_monotonic_ms(setup->clock) < end_ms)
		nanosleep(&step, NULL);
}

enum err kafka_topic_need(const struct kafka_client *client, const struct kafka_setup *setup,
			  const char *topic, int32_t partitions, int timeout_ms,
			  rd_kafka_queue_t *later, struct diag *diag)
{
	struct diag why = {"no broker answers"};
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;
	enum err err = compare(client, setup, topic, partitions, later);

	if (err != ERR_NOT_FOUND)
		return err;
	queue = rd_kafka_queue_new(client->rk);
	kafka_topic_ask(client, setup, topic, partitions, queue, NULL);
	event = rd_kafka_queue_poll(queue, timeout_ms);
	err = ERR_UNAVAILABLE;
	if (event) {
		err = kafka_topic_heard(client, event, &why);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(queue);
	if (!err || err == ERR_CONFLICT) { /* somebody else was faster */
		wait_until_seen(client, setup, topic, timeout_ms);
		return OK;
	}
	return diag_set(diag, err == ERR_UNAVAILABLE ? err : ERR_NOT_FOUND,
			"the topic %s is not there and cannot be made (%.200s); have it made, "
			"with %d partitions",
			topic, why.text, (int)partitions);
}

/* --- removing ----------------------------------------------------------------------- */

static bool of_prefix(const struct kafka_setup *setup, const char *topic)
{
	size_t len = strlen(setup->prefix);

	return strncmp(topic, setup->prefix, len) == 0 && topic[len] == '.';
}

/* Those of the prefix; each is the caller's to destroy. */
static enum err list_topics(const struct kafka_client *client, const struct kafka_setup *setup,
			    int timeout_ms, rd_kafka_DeleteTopic_t ***out, size_t *n,
			    struct diag *diag)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t err = rd_kafka_metadata(client->rk, 1, NULL, &metadata, timeout_ms);

	*n = 0;
	if (err)
		return diag_set(diag, ERR_UNAVAILABLE, "%s", rd_kafka_err2str(err));
	*out = calloc((size_t)metadata->topic_cnt + 1, sizeof(rd_kafka_DeleteTopic_t *));
	for (int i = 0; *out && i < metadata->topic_cnt; i++)
		if (of_prefix(setup, metadata->topics[i].topic))
			(*out)[(*n)++] = rd_kafka_DeleteTopic_new(metadata->topics[i].topic);
	rd_kafka_metadata_destroy(metadata);
	return *out ? OK : ERR_NOMEM;
}

/* What the brokers said; NULL: nothing. */
static enum err hear_removed(rd_kafka_event_t *event, struct diag *diag)
{
	const rd_kafka_topic_result_t **topics;
	size_t n = 0;

	if (!event || rd_kafka_event_error(event))
		return diag_set(diag, ERR_UNAVAILABLE, "%s",
				event ? rd_kafka_event_error_string(event)
				      : "no broker answers");
	topics = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event),
						     &n);
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_topic_result_error(topics[i]) &&
		    rd_kafka_topic_result_error(topics[i]) !=
			    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
			return diag_set(diag, ERR_UNAVAILABLE, "the topic %s: %s",
					rd_kafka_topic_result_name(topics[i]),
					rd_kafka_topic_result_error_string(topics[i]));
	return OK;
}

enum err kafka_topics_remove(const struct kafka_client *client, const struct kafka_setup *setup,
			     int timeout_ms, struct diag *diag)
{
	rd_kafka_DeleteTopic_t **topics = NULL;
	rd_kafka_AdminOptions_t *options;
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;
	size_t n;
	enum err err = list_topics(client, setup, timeout_ms, &topics, &n, diag);

	if (!err && n) {
		options = options_of(client, RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout_ms, NULL);
		queue = rd_kafka_queue_new(client->rk);
		rd_kafka_DeleteTopics(client->rk, topics, n, options, queue);
		event = rd_kafka_queue_poll(queue, timeout_ms);
		err = hear_removed(event, diag);
		if (event)
			rd_kafka_event_destroy(event);
		rd_kafka_queue_destroy(queue);
		rd_kafka_AdminOptions_destroy(options);
	}
	if (topics)
		rd_kafka_DeleteTopic_destroy_array(topics, n);
	free(topics);
	return err;
}
