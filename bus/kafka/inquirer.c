#include "bus/kafka/inquirer.h"

#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REQUEST_BITS = 20, ANSWERS_PER_TURN = 100 };

/* Whom the brokers know as readers of a topic. */
struct readers {
	char topic[KAFKA_TOPIC_SIZE]; /* and their group */
	int n;                        /* -1: the brokers do not say */
};

struct respondent {
	struct respondent *next;
	struct readers of_inquiries, of_commands;
	bool asked, heard;    /* the brokers, about the readers */
	int64_t asked_ms;     /* when they were */
	int64_t wanted_ms;    /* when something was asked of it last */
	int64_t old_since_ms; /* it takes commands and no inquiries; 0: not so */
	struct wanted_topic topic;
	uint32_t turn;
	char name[WIRE_NAME_MAX + 1];
};

static int64_t now_ms(const struct inquirer *inquirer)
{
	return clock_monotonic_ms(inquirer->setup->clock);
}

/* A number that no answer has that was asked for by whoever was here before. */
void inquirer_init(struct inquirer *inquirer, const struct kafka_setup *setup,
		   const struct kafka_client *brokers, bool blind, int wake_fd)
{
	*inquirer = (struct inquirer){
		.setup = setup, .brokers = brokers, .blind = blind, .wake_fd = wake_fd};
	inquiries_init(&inquirer->inquiries);
	inquirer->inquiries.last_request = (uint64_t)clock_now_ms(setup->clock) << REQUEST_BITS;
	inquirer->bytes = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, NULL);
}

void inquirer_close(struct inquirer *inquirer)
{
	if (!inquirer->setup)
		return;
	while (inquirer->respondents) {
		struct respondent *next = inquirer->respondents->next;

		wanted_topic_close(&inquirer->respondents->topic);
		free(inquirer->respondents);
		inquirer->respondents = next;
	}
	kafka_client_close(&inquirer->consumer, 0);
	kafka_client_close(&inquirer->producer, 0);
	wanted_topic_close(&inquirer->records);
	if (inquirer->events)
		rd_kafka_queue_destroy(inquirer->events);
	inquiries_release(&inquirer->inquiries);
	arena_release(&inquirer->arena);
	bytes_release(&inquirer->bytes);
}

/* --- opening ----------------------------------------------------------------------- */

/* What does not arrive is asked again. */
static void on_delivered(void *context, const rd_kafka_message_t *message)
{
}

/* As the setup says, but nothing is kept for long; and one that is of no use any more is
 * replaced. */
static enum err open_producer(struct inquirer *inquirer, struct diag *diag)
{
	static const struct kafka_user user = {.delivered = on_delivered};
	struct kafka_setup setup = *inquirer->setup;
	struct kafka_property *properties;
	char kept_ms[16];
	enum err err;

	if (inquirer->producer.rk && kafka_client_failed(&inquirer->producer))
		kafka_client_close(&inquirer->producer, 0);
	if (inquirer->producer.rk)
		return OK;
	properties = calloc(setup.n_properties + 1, sizeof *properties);
	if (!properties)
		return ERR_NOMEM;
	for (size_t i = 0; i < setup.n_properties; i++)
		properties[i] = setup.properties[i];
	snprintf(kept_ms, sizeof kept_ms, "%d", INQUIRER_KEPT_MS);
	properties[setup.n_properties++] =
		(struct kafka_property){"message.timeout.ms", kept_ms};
	setup.properties = properties;
	err = kafka_producer_open(&inquirer->producer, &setup, &user, inquirer, diag);
	free(properties);
	return err;
}

/* In no group: whoever asks reads all answers, from now on. */
static enum err open_consumer(struct inquirer *inquirer, struct diag *diag)
{
	static const struct kafka_user user = {0};
	const struct kafka_reader reader = {.group = inquirer->records.name, .from_now = true};
	enum err err;

	if (inquirer->consumer.rk)
		return OK;
	err = kafka_consumer_open(&inquirer->consumer, inquirer->setup, &reader, &user,
				  inquirer, diag);
	if (!err)
		kafka_client_wake(&inquirer->consumer, inquirer->wake_fd);
	return err;
}

static void want_topics(struct inquirer *inquirer)
{
	static const uint64_t one = 1;

	if (inquirer->events)
		return;
	inquirer->events = rd_kafka_queue_new(inquirer->brokers->rk);
	rd_kafka_queue_io_event_enable(inquirer->events, inquirer->wake_fd, &one, sizeof one);
	inquirer->records = (struct wanted_topic){
		.setup = inquirer->setup, .client = inquirer->brokers, .partitions = 1};
	kafka_topic(inquirer->setup, "records", inquirer->records.name);
	wanted_topic_open(&inquirer->records, inquirer->wake_fd);
}

static enum err is_missing(const struct wanted_topic *topic, struct diag *diag)
{
	const char *why = topic->trouble.text;

	return diag_set(diag, ERR_BUSY, "the topic %s is not there%s%.200s", topic->name,
			why[0] ? ": " : " yet", why);
}

/* Where the answers will come. */
static enum err begin_listening(struct inquirer *inquirer, struct diag *diag)
{
	const char *topic = inquirer->records.name;
	rd_kafka_topic_partition_list_t *list;
	int64_t first, end;

	if (!wanted_topic_look(&inquirer->records))
		return is_missing(&inquirer->records, diag);
	if (rd_kafka_query_watermark_offsets(inquirer->brokers->rk, topic, 0, &first, &end,
					     KAFKA_LOOK_MS))
		return diag_set(diag, ERR_BUSY,
				"the brokers do not say where the topic %s for its answer ends",
				topic);
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = end;
	rd_kafka_assign(inquirer->consumer.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	inquirer->listening = true;
	return OK;
}

static enum err be_open(struct inquirer *inquirer, struct diag *diag)
{
	enum err err;

	want_topics(inquirer);
	err = open_producer(inquirer, diag);
	if (!err)
		err = open_consumer(inquirer, diag);
	if (!err && !inquirer->listening)
		err = begin_listening(inquirer, diag);
	return err;
}

/* --- who is there ------------------------------------------------------------------ */

static enum err respondent_of(struct inquirer *inquirer, struct slice name,
			      struct respondent **out)
{
	struct respondent *made;

	for (*out = inquirer->respondents; *out; *out = (*out)->next)
		if (slice_is(name, (*out)->name))
			return OK;
	if (name.len > WIRE_NAME_MAX || inquirer->n_respondents >= INQUIRER_RESPONDENTS_MAX)
		return ERR_BUSY;
	made = calloc(1, sizeof *made);
	if (!made)
		return ERR_NOMEM;
	memcpy(made->name, name.at, name.len);
	kafka_topic_of(inquirer->setup, name, made->of_commands.topic);
	kafka_topic_of_inquiries(inquirer->setup, name, made->of_inquiries.topic);
	made->topic =
		(struct wanted_topic){.setup = inquirer->setup,
				      .client = inquirer->brokers,
				      .partitions = kafka_inquiry_partitions(inquirer->setup)};
	kafka_topic_of_inquiries(inquirer->setup, name, made->topic.name);
	wanted_topic_open(&made->topic, inquirer->wake_fd);
	made->next = inquirer->respondents;
	inquirer->respondents = made;
	inquirer->n_respondents++;
	*out = made;
	return OK;
}

static void ask_brokers(struct inquirer *inquirer, struct respondent *respondent)
{
	const char *groups[] = {respondent->of_inquiries.topic, respondent->of_commands.topic};
	rd_kafka_AdminOptions_t *options;
	char why[128];

	if (respondent->asked ||
	    (respondent->heard && now_ms(inquirer) - respondent->asked_ms < INQUIRER_GROUPS_MS))
		return;
	options = rd_kafka_AdminOptions_new(inquirer->brokers->rk,
					    RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
	rd_kafka_AdminOptions_set_opaque(options, respondent);
	rd_kafka_AdminOptions_set_request_timeout(options, INQUIRER_SILENT_MS, why, sizeof why);
	respondent->asked = true;
	respondent->asked_ms = now_ms(inquirer);
	rd_kafka_DescribeConsumerGroups(inquirer->brokers->rk, groups,
					sizeof groups / sizeof *groups, options,
					inquirer->events);
	rd_kafka_AdminOptions_destroy(options);
}

static void count_readers(struct readers *readers,
			  const rd_kafka_ConsumerGroupDescription_t *const *groups, size_t n)
{
	readers->n = -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(rd_kafka_ConsumerGroupDescription_group_id(groups[i]),
			   readers->topic) == 0 &&
		    !rd_kafka_ConsumerGroupDescription_error(groups[i]))
			readers->n =
				(int)rd_kafka_ConsumerGroupDescription_member_count(groups[i]);
}

static void hear_brokers(rd_kafka_event_t *event)
{
	struct respondent *respondent = rd_kafka_event_opaque(event);
	const rd_kafka_ConsumerGroupDescription_t **groups = NULL;
	size_t n = 0;

	if (!rd_kafka_event_error(event))
		groups = rd_kafka_DescribeConsumerGroups_result_groups(
			rd_kafka_event_DescribeConsumerGroups_result(event), &n);
	count_readers(&respondent->of_inquiries, groups, n);
	count_readers(&respondent->of_commands, groups, n);
	respondent->asked = false;
	respondent->heard = true;
}

/* Whether anybody would read what is asked. Where the brokers do not say, it may be. */
static enum err attending(struct inquirer *inquirer, struct respondent *respondent,
			  struct diag *diag)
{
	const char *topic = respondent->of_inquiries.topic;
	int64_t at_ms = now_ms(inquirer);
	bool lately = at_ms - respondent->wanted_ms < INQUIRER_OLD_MS;

	respondent->wanted_ms = at_ms;
	if (inquirer->blind)
		return OK;
	ask_brokers(inquirer, respondent);
	if (!respondent->heard)
		return diag_set(diag, ERR_BUSY, "the brokers do not say yet who reads %s",
				topic);
	if (respondent->of_inquiries.n || respondent->of_commands.n <= 0) {
		respondent->old_since_ms = 0;
		return respondent->of_inquiries.n ? OK : ERR_NOT_FOUND;
	}
	if (!respondent->old_since_ms || !lately)
		respondent->old_since_ms = at_ms;
	/* One that has just come reads its commands first; and one may wait for the
	 * topic. */
	(void)wanted_topic_look(&respondent->topic);
	return diag_set(
		diag,
		at_ms - respondent->old_since_ms < INQUIRER_OLD_MS ? ERR_BUSY : ERR_INVALID,
		"it takes commands, but nobody reads %s: its library is too old", topic);
}

/* --- asking ------------------------------------------------------------------------ */

/* Another partition each time, and soon one of another process. */
static enum err next_partition(struct respondent *respondent, int32_t *out, struct diag *diag)
{
	uint32_t n;

	if (!wanted_topic_look(&respondent->topic))
		return is_missing(&respondent->topic, diag);
	n = (uint32_t)respondent->topic.partitions;
	*out = (int32_t)(respondent->turn++ * (n / 2 + 1) % n);
	return OK;
}

static enum err produce(struct inquirer *inquirer, struct respondent *respondent,
			int32_t partition, const struct inquiry_message *inquiry)
{
	const struct frame frame = {.type = FRAME_INQUIRY, .inquiry = *inquiry};
	struct bytes *bytes = &inquirer->bytes;
	enum err err;

	bytes_clear(bytes);
	err = wire_write(&frame, bytes, NULL);
	if (err)
		return err;
	if (!rd_kafka_producev(
		    inquirer->producer.rk, RD_KAFKA_V_TOPIC(respondent->of_inquiries.topic),
		    RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_VALUE((void *)(bytes->at + WIRE_LENGTH_SIZE),
				     bytes->len - WIRE_LENGTH_SIZE),
		    RD_KAFKA_V_END))
		return OK;
	return ERR_BUSY;
}

enum err inquirer_ask(struct inquirer *inquirer, struct slice participant,
		      struct inquiry_message *inquiry, struct diag *diag)
{
	struct respondent *respondent;
	int32_t partition = 0;
	enum err err;

	if (!inquirer->brokers->reachable)
		return diag_set(diag, ERR_BUSY, "no broker answers");
	err = be_open(inquirer, diag);
	if (!err)
		err = respondent_of(inquirer, participant, &respondent);
	if (!err)
		err = attending(inquirer, respondent, diag);
	if (!err)
		err = next_partition(respondent, &partition, diag);
	if (err)
		return err;
	inquiry->request = inquiries_add(&inquirer->inquiries, 0);
	if (!inquiry->request)
		return ERR_BUSY;
	err = produce(inquirer, respondent, partition, inquiry);
	if (err)
		inquiries_forget(&inquirer->inquiries, inquiry->request);
	return err;
}

/* --- answers ----------------------------------------------------------------------- */

/* Whatever else may be there is nobody's business. */
static void take(struct inquirer *inquirer, const rd_kafka_message_t *message)
{
	const struct slice value = {message->payload, message->len};
	struct frame frame;

	arena_reset(&inquirer->arena);
	if (value.len > WIRE_FRAME_MAX || wire_read(value, &inquirer->arena, &frame, NULL) ||
	    frame.type != FRAME_RECORDS)
		return;
	if (inquiries_answered(&inquirer->inquiries, 0, &frame.records))
		return; /* without memory it is as if it had not come */
}

/* So many that the commands need not wait; for the rest it wakes itself. */
static void take_some(struct inquirer *inquirer)
{
	static const uint64_t one = 1;
	rd_kafka_message_t *message;

	for (int n = 0; n < ANSWERS_PER_TURN; n++) {
		message = kafka_client_poll(&inquirer->consumer, 0);
		if (!message)
			return;
		take(inquirer, message);
		rd_kafka_message_destroy(message);
	}
	if (write(inquirer->wake_fd, &one, sizeof one) != (ssize_t)sizeof one)
		return; /* it is awake */
}

void inquirer_pump(struct inquirer *inquirer)
{
	rd_kafka_event_t *event;

	if (!inquirer->events)
		return;
	while ((event = rd_kafka_queue_poll(inquirer->events, 0))) {
		hear_brokers(event);
		rd_kafka_event_destroy(event);
	}
	if (inquirer->producer.rk)
		kafka_client_serve(&inquirer->producer);
	if (inquirer->listening)
		take_some(inquirer);
}

bool inquirer_poll(struct inquirer *inquirer, struct inquired *out)
{
	return inquiries_poll(&inquirer->inquiries, out);
}

void inquirer_forget(struct inquirer *inquirer, uint64_t request)
{
	inquiries_forget(&inquirer->inquiries, request);
}
