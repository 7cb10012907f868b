#include "bus/kafka/events.h"

#include "base/json_line.h"
#include "bus/kafka/topics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	EVENT_MAX = 128 * 1024, /* bytes of one */
	TYPE_SIZE = 64,
	ID_SIZE = 300,
};

/* An event that the brokers do not have, or that one before it waits for. */
struct pending {
	struct pending *next;
	bool there;
	size_t len, key_len;
	char text[]; /* the value, then the key */
};

struct events {
	const struct kafka_setup *setup;
	struct kafka_setup own; /* the same with our properties in front */
	struct kafka_property *properties;
	int wake_fd;
	struct kafka_client client;
	rd_kafka_topic_t *handle;
	rd_kafka_queue_t *answers; /* what the brokers say of the topic */
	char topic[KAFKA_TOPIC_SIZE];
	struct bytes bytes; /* being written */

	struct pending *first, **end;
	struct pending *unsent; /* the first that librdkafka does not have */
	size_t n, n_bytes, n_away;
	bool refused;     /* nothing is sent until all that is away is settled */
	bool missing;     /* since there is no topic */
	uint64_t trouble; /* one was refused, which was said, until so many are there; 0: no */
	int64_t again_ms; /* then it is sent again, and not before */

	/* The numbers of events, of all that were ever put. */
	uint64_t n_put, n_there;
	uint64_t mark; /* when so many are there, all of the batch is */
	uint64_t mark_batch, arrived;
	bool marked;
};

static int64_t now_ms(const struct events *events)
{
	return clock_monotonic_ms(events->setup->clock);
}

/* --- as CloudEvents have it ------------------------------------------------------------ */

/* "turned back" is "skald.saga.turned-back". */
static void add_type(struct bytes *out, struct slice what)
{
	char type[TYPE_SIZE] = "skald.saga.";
	size_t len = strlen(type);

	assert(len + what.len <= sizeof type);
	for (size_t i = 0; i < what.len; i++)
		type[len++] = what.at[i] == ' ' ? '-' : what.at[i];
	json_add_text(out, "type", (struct slice){type, len});
}

void events_write(const struct kafka_setup *setup, const struct event_message *event,
		  struct bytes *out)
{
	char id[ID_SIZE], source[KAFKA_PREFIX_MAX + 2], trace[KAFKA_TRACE_SIZE];

	snprintf(id, sizeof id, "%.*s/%llu", SLICE_ARG(event->saga_id),
		 (unsigned long long)event->number);
	snprintf(source, sizeof source, "/%s", setup->prefix);
	kafka_traceparent_of_saga(event->saga_id, trace);
	json_begin(out);
	json_add_text(out, "specversion", SLICE_LITERAL("1.0"));
	json_add_text(out, "id", slice_of(id));
	json_add_text(out, "source", slice_of(source));
	add_type(out, event->what);
	json_add_text(out, "subject", event->saga_id);
	json_add_time(out, "time", event->at_ms);
	json_add_text(out, "datacontenttype", SLICE_LITERAL("application/json"));
	json_add_text(out, "traceparent", slice_of(trace));
	json_add_json(out, "data", event->data);
	json_end(out);
}

/* --- sending --------------------------------------------------------------------------- */

/* What is behind it must not be there before it. */
static void refuse(struct events *events, rd_kafka_resp_err_t err)
{
	struct log_line line;

	rd_kafka_purge(events->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
						  RD_KAFKA_PURGE_F_NON_BLOCKING);
	events->refused = true;
	events->missing = err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
			  err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	events->again_ms = now_ms(events) + EVENTS_AGAIN_MS;
	if (events->trouble)
		return;
	events->trouble = events->n_put;
	log_begin(&line, events->setup->log, LOG_LEVEL_ERROR, "events-refused");
	log_text(&line, "topic", slice_of(events->topic));
	log_text(&line, "why", slice_of(rd_kafka_err2str(err)));
	log_text(&line, "what",
		 SLICE_LITERAL(
			 "they are kept and sent again; when too many wait, sagas do, too"));
	log_end(&line);
}

static void say_taken(struct events *events)
{
	struct log_line line;

	if (!events->trouble || events->n_there < events->trouble)
		return;
	events->trouble = 0;
	log_begin(&line, events->setup->log, LOG_LEVEL_INFO, "events-taken");
	log_text(&line, "topic", slice_of(events->topic));
	log_number(&line, "waiting", (int64_t)events->n);
	log_end(&line);
}

static void drop_first(struct events *events)
{
	struct pending *first = events->first;

	events->first = first->next;
	if (!events->first)
		events->end = &events->first;
	events->n--;
	events->n_bytes -= first->len + first->key_len;
	events->n_there++;
	free(first);
}

static void on_delivered(void *context, const rd_kafka_message_t *message)
{
	struct pending *pending = message->_private;
	struct events *events = context;

	events->n_away--;
	if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
	    message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) /* we did */
		return;
	if (message->err) {
		refuse(events, message->err);
		return;
	}
	pending->there = true;
	while (events->first && events->first->there)
		drop_first(events);
	say_taken(events);
}

static rd_kafka_resp_err_t produce(struct events *events, struct pending *pending)
{
	return rd_kafka_producev(
		events->client.rk, RD_KAFKA_V_RKT(events->handle), RD_KAFKA_V_MSGFLAGS(0),
		RD_KAFKA_V_KEY(&pending->text[pending->len], pending->key_len),
		RD_KAFKA_V_VALUE(pending->text, pending->len),
		RD_KAFKA_V_HEADER("content-type", "application/cloudevents+json; charset=UTF-8",
				  -1),
		RD_KAFKA_V_OPAQUE(pending), RD_KAFKA_V_END);
}

/* What librdkafka has no room for goes a little later. */
static void send_unsent(struct events *events)
{
	while (events->unsent && !events->refused) {
		rd_kafka_resp_err_t err = produce(events, events->unsent);

		if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return;
		if (err) {
			refuse(events, err);
			return;
		}
		events->n_away++;
		events->unsent = events->unsent->next;
	}
}

enum err events_put(struct events *events, const struct event_message *event)
{
	struct bytes *bytes = &events->bytes;
	struct pending *pending = NULL;

	bytes_clear(bytes);
	events_write(events->setup, event, bytes);
	if (!bytes->err && events->n_bytes <= EVENTS_BYTES_MAX)
		pending = malloc(sizeof *pending + bytes->len + event->saga_id.len);
	if (!pending)
		return bytes->err ? bytes->err : ERR_NOMEM;
	*pending = (struct pending){.len = bytes->len, .key_len = event->saga_id.len};
	memcpy(pending->text, bytes->at, bytes->len);
	memcpy(pending->text + pending->len, event->saga_id.at, pending->key_len);
	*events->end = pending;
	events->end = &pending->next;
	events->n++;
	events->n_bytes += pending->len + pending->key_len;
	events->n_put++;
	if (!events->unsent)
		events->unsent = pending;
	send_unsent(events);
	return OK;
}

/* --- sending again ------------------------------------------------------------------ */

static enum err open_producer(struct events *events, struct diag *diag)
{
	static const struct kafka_user user = {.delivered = on_delivered};
	enum err err = kafka_producer_open(&events->client, &events->own, &user, events, diag);

	if (err)
		return err;
	kafka_client_wake(&events->client, events->wake_fd);
	events->handle = rd_kafka_topic_new(events->client.rk, events->topic, NULL);
	events->answers = rd_kafka_queue_new(events->client.rk);
	return OK;
}

static void close_producer(struct events *events, int flush_ms)
{
	if (!events->client.rk)
		return;
	rd_kafka_flush(events->client.rk, flush_ms);
	rd_kafka_purge(events->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_flush(events->client.rk, flush_ms);
	rd_kafka_queue_destroy(events->answers);
	rd_kafka_topic_destroy(events->handle);
	kafka_client_close(&events->client, 0);
	events->n_away = 0;
}

/* From the first that is not there, so that each saga's are in order once more. */
static void begin_again(struct events *events)
{
	for (struct pending *pending = events->first; pending; pending = pending->next)
		pending->there = false;
	events->unsent = events->first;
	events->refused = false;
	if (events->missing)
		kafka_topic_ask(&events->client, events->setup, events->topic,
				events->setup->partitions, events->answers, NULL);
	events->missing = false;
}

/* librdkafka gives up a producer for good when it cannot say what has arrived. */
static void replace_producer(struct events *events)
{
	struct diag diag = {""};

	events->again_ms = now_ms(events) + EVENTS_AGAIN_MS;
	events->refused = true; /* until there is another one */
	close_producer(events, 0);
	if (!open_producer(events, &diag))
		begin_again(events);
}

/* Whether it was made is seen by whether events are taken. */
static void hear_topic(struct events *events)
{
	struct diag diag = {""};
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(events->answers, 0))) {
		(void)!kafka_topic_heard(&events->client, event, &diag);
		rd_kafka_event_destroy(event);
	}
}

void events_pump(struct events *events)
{
	bool due = now_ms(events) >= events->again_ms;

	if (due && (!events->client.rk || kafka_client_failed(&events->client)))
		replace_producer(events);
	if (!events->client.rk)
		return;
	kafka_client_serve(&events->client);
	hear_topic(events);
	if (events->refused && !events->n_away && due)
		begin_again(events);
	send_unsent(events);
}

/* --- how much is there ---------------------------------------------------------------- */

bool events_crowded(const struct events *events)
{
	return events->n >= EVENTS_WAIT_MAX || events->n_bytes >= EVENTS_WAIT_BYTES_MAX;
}

uint64_t events_arrived(struct events *events, uint64_t batch)
{
	if (events->marked && events->n_there >= events->mark) {
		events->arrived = events->mark_batch;
		events->marked = false;
	}
	if (!events->marked && events->arrived < batch) {
		events->marked = true;
		events->mark = events->n_put;
		events->mark_batch = batch;
	}
	if (!events->n && events->arrived < batch)
		events->arrived = batch;
	return events->arrived;
}

/* --- opening ---------------------------------------------------------------------------- */

/* Nobody waits for an event as for a command: larger batches cost less. */
static bool add_properties(struct events *events)
{
	static const struct kafka_property linger = {"linger.ms", "20"};
	const struct kafka_setup *setup = events->setup;

	events->properties = calloc(setup->n_properties + 1, sizeof *events->properties);
	if (!events->properties)
		return false;
	events->properties[0] = linger;
	for (size_t i = 0; i < setup->n_properties; i++)
		events->properties[i + 1] = setup->properties[i];
	events->own = *setup;
	events->own.properties = events->properties;
	events->own.n_properties = setup->n_properties + 1;
	return true;
}

enum err events_open(const struct kafka_setup *setup, int wake_fd, struct events **out,
		     struct diag *diag)
{
	struct events *events = calloc(1, sizeof *events);
	enum err err = ERR_NOMEM;

	if (!events)
		return err;
	events->setup = setup;
	events->wake_fd = wake_fd;
	events->end = &events->first;
	events->bytes = BYTES(EVENT_MAX, NULL);
	kafka_topic(setup, "events", events->topic);
	if (add_properties(events))
		err = open_producer(events, diag);
	if (err) {
		events_close(events, 0);
		return err;
	}
	*out = events;
	return OK;
}

void events_close(struct events *events, int flush_ms)
{
	if (!events)
		return;
	close_producer(events, flush_ms);
	while (events->first)
		drop_first(events);
	bytes_release(&events->bytes);
	free(events->properties);
	free(events);
}
