#include "bus/kafka/port_kafka.h"

#include "bus/kafka/dead.h"
#include "bus/kafka/questions.h"
#include "bus/kafka/rescue.h"
#include "bus/kafka/subscription.h"
#include "bus/kafka/tracks.h"
#include "bus/table.h"
#include "proto/message_copy.h"
#include "proto/wire.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { FLUSH_MS = 5000, PURGE_MS = 200, FULL_MS = 1000, REPLACE_MS = 1000 };

struct port_kafka {
	struct port base; /* first, so that the two pointers are one */
	struct port_kafka_setup setup;
	int wake;                         /* an eventfd */
	struct kafka_client producers[2]; /* one of them is closed */
	struct kafka_client *producer;    /* the other one */
	struct rescue rescue;             /* of a producer that failed */
	bool rescuing;                    /* what is given back is kept */
	int64_t replace_ms;               /* no client is replaced before */
	struct subscription commands;
	struct questions questions;
	rd_kafka_topic_t *inbox, *dead, *records;

	struct tracks tracks;
	struct errands fresh; /* that were not polled */
	struct errand *again; /* whose reply could not be kept, newest first */
	struct table polled;
	int64_t seen;              /* behind the last message that was taken */
	int64_t end;               /* behind the last one that was delivered */
	size_t n_away;             /* handed to librdkafka and not delivered */
	rd_kafka_message_t *stash; /* there was no memory, or no room, for it */
	int64_t full_ms;           /* since when there has been no room; 0: there is */
	bool paused;
	struct arena arena;
	struct bytes bytes;
};

static int64_t now_ms(const struct port_kafka *port)
{
	return clock_monotonic_ms(port->setup.kafka.clock);
}

/* --- errands ------------------------------------------------------------------------ */

static struct errand *find_polled(const struct port_kafka *port, struct slice id,
				  uint32_t attempt_max)
{
	return (struct errand *)polled_find(&port->polled, id, attempt_max);
}

static void store_progress(struct port_kafka *port)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	for (struct track *track = port->tracks.first; track; track = track->next) {
		if (!track->dirty)
			continue;
		if (!list)
			list = rd_kafka_topic_partition_list_new(16);
		rd_kafka_topic_partition_list_add(list, port->commands.topic.name,
						  track->partition)
			->offset = track->done;
		track->dirty = false;
	}
	if (!list)
		return;
	/* A partition that is somebody else's meanwhile is refused, and no harm done. */
	(void)rd_kafka_offsets_store(port->commands.consumer.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void pause_partitions(struct port_kafka *port, bool pause)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	if (pause == port->paused || rd_kafka_assignment(port->commands.consumer.rk, &list))
		return;
	if (pause)
		rd_kafka_pause_partitions(port->commands.consumer.rk, list);
	else
		rd_kafka_resume_partitions(port->commands.consumer.rk, list);
	port->paused = pause;
	rd_kafka_topic_partition_list_destroy(list);
}

/* A partition that goes while it is paused would still be so when it comes back. */
static void on_rebalanced(void *context, bool gained,
			  rd_kafka_topic_partition_list_t *partitions)
{
	struct port_kafka *port = context;

	for (int i = 0; i < partitions->cnt && !gained; i++)
		tracks_close(&port->tracks, partitions->elems[i].partition, &port->fresh);
	pause_partitions(port, false);
	kafka_client_assign(&port->commands.consumer, gained, partitions);
}

/* --- sending ------------------------------------------------------------------------- */

static void log_lost(const struct port_kafka *port, const char *why)
{
	struct log_line line;

	log_begin(&line, port->setup.kafka.log, LOG_LEVEL_ERROR, "not-delivered");
	log_text(&line, "why", slice_of(why));
	log_end(&line);
}

/* Commands that were answered together. Given up: nobody has the answer. */
static void settle_all(struct errand *errand, bool given_up)
{
	while (errand) {
		struct errand *next = errand->next;

		if (!given_up)
			track_finish(errand);
		else if (!errand->track)
			errand_free(errand);
		errand = next;
	}
}

/* What can never be delivered is not held against those behind it: the orchestrator
 * asks again. But what a producer did not deliver because it failed goes with the next
 * one. */
static void on_delivered(void *context, const rd_kafka_message_t *message)
{
	struct port_kafka *port = context;
	bool given_up = message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
			message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;

	port->n_away--;
	if (message->err && (port->rescuing || kafka_client_useless(port->producer)) &&
	    rescue_keep(&port->rescue, message))
		return;
	if (!message->err && message->rkt == port->inbox)
		port->end = message->offset + 1;
	if (message->err && !given_up)
		log_lost(port, rd_kafka_err2str(message->err));
	settle_all(message->_private, given_up);
}

/* The headers are taken. ERR_NOT_FOUND: the topic has no such partition, as far as is known
 * here. */
static enum err produce(struct port_kafka *port, rd_kafka_topic_t *topic, int32_t partition,
			struct slice key, struct slice value, rd_kafka_headers_t *headers,
			struct errand *errand)
{
	rd_kafka_resp_err_t err = rd_kafka_producev(
		port->producer->rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.at, key.len),
		RD_KAFKA_V_VALUE((void *)value.at, value.len), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(errand), RD_KAFKA_V_END);

	port->n_away += !err;
	port->producer->filled |= !err;
	if (!err)
		return OK;
	rd_kafka_headers_destroy(headers);
	switch (err) {
	case RD_KAFKA_RESP_ERR__QUEUE_FULL: return ERR_BUSY;
	case RD_KAFKA_RESP_ERR__FATAL: return ERR_BUSY; /* until there is another one */
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return ERR_TOO_LARGE;
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return ERR_NOT_FOUND;
	default: return ERR_INVALID;
	}
}

static rd_kafka_headers_t *reply_headers(const struct errand *errand)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(1);

	if (errand && errand->trace[0])
		rd_kafka_header_add(headers, "traceparent", -1, errand->trace, -1);
	return headers;
}

/* A partition that was added a moment ago may not be known here. Then it goes to another
 * one, and whoever reads that passes it on. */
static enum err produce_reply(struct port_kafka *port, const struct reply_message *reply,
			      const struct errand *errand, struct errand *answered)
{
	const struct frame frame = {.type = FRAME_REPLY, .reply = *reply};
	struct slice key = shard_key(reply->id), value;
	enum err err;

	bytes_clear(&port->bytes);
	err = wire_write(&frame, &port->bytes, NULL);
	if (err)
		return err;
	err = ERR_NOT_FOUND;
	value = (struct slice){port->bytes.at + WIRE_LENGTH_SIZE,
			       port->bytes.len - WIRE_LENGTH_SIZE};
	if (errand && errand->reply_partition >= 0)
		err = produce(port, port->inbox, errand->reply_partition, key, value,
			      reply_headers(errand), answered);
	if (err == ERR_NOT_FOUND)
		err = produce(port, port->inbox, RD_KAFKA_PARTITION_UA, key, value,
			      reply_headers(errand), answered);
	return err;
}

static bool kafka_inquiry(struct port *base, struct inquiry_message *out)
{
	return questions_poll(&((struct port_kafka *)base)->questions, out);
}

/* To whoever asks: all of them read the same partition, and know the number. */
static void kafka_records(struct port *base, const struct records_message *records)
{
	struct port_kafka *port = (struct port_kafka *)base;
	const struct frame frame = {.type = FRAME_RECORDS, .records = *records};

	bytes_clear(&port->bytes);
	if (wire_write(&frame, &port->bytes, NULL))
		return;
	(void)produce(port, port->records, 0, (struct slice){0},
		      (struct slice){port->bytes.at + WIRE_LENGTH_SIZE,
				     port->bytes.len - WIRE_LENGTH_SIZE},
		      rd_kafka_headers_new(0), NULL);
}

/* The polled ones that a reply settles, taken out of the table. */
static struct errand *collect(struct port_kafka *port, const struct reply_message *reply)
{
	struct errand *first = NULL, *errand;

	while ((errand = find_polled(port, reply->id, reply->attempt))) {
		table_remove(&port->polled, &errand->polled.by_id);
		errand->next = first;
		first = errand;
	}
	return first;
}

static enum err kafka_reply(struct port *base, const struct reply_message *reply)
{
	struct port_kafka *port = (struct port_kafka *)base;
	struct errand *latest = find_polled(port, reply->id, reply->attempt);
	struct errand *answered = collect(port, reply);
	enum err err = produce_reply(port, reply, latest, answered);

	if (!err) {
		for (; answered; answered = answered->next) {
			free(answered->polled.command);
			answered->polled.command = NULL;
		}
		return OK;
	}
	/* They come again, but not in this round. */
	while (answered) {
		struct errand *errand = answered;

		answered = errand->next;
		if (err_retriable(err)) {
			errand->next = port->again;
			port->again = errand;
		} else {
			table_add(&port->polled, &errand->polled.by_id,
				  table_hash(errand->polled.command->id));
		}
	}
	return err;
}

/* --- taking ---------------------------------------------------------------------------- */

/* OK also where it cannot be buried for good: it must not hold up the others. */
static enum err bury(struct port_kafka *port, const rd_kafka_message_t *message,
		     struct errand *errand, const char *code, const char *text)
{
	struct log_line line;
	enum err err =
		produce(port, port->dead, RD_KAFKA_PARTITION_UA,
			(struct slice){message->key, message->key_len}, dead_value(message),
			dead_headers(message, slice_of(code), slice_of(text)), errand);

	if (err == ERR_BUSY)
		return err;
	if (err)
		track_finish(errand);
	log_begin(&line, port->setup.kafka.log, LOG_LEVEL_WARN, "dead-letter");
	log_text(&line, "topic", slice_of(port->commands.topic.name));
	log_number(&line, "partition", message->partition);
	log_number(&line, "offset", message->offset);
	log_text(&line, "reason", slice_of(code));
	log_text(&line, "text", slice_of(text));
	log_end(&line);
	return OK;
}

static void read_headers(const rd_kafka_message_t *message, struct errand *errand)
{
	rd_kafka_headers_t *headers = NULL;
	const void *value;
	size_t size;
	char text[16];

	errand->reply_partition = -1;
	if (rd_kafka_message_headers(message, &headers))
		return;
	if (!rd_kafka_header_get_last(headers, "skald-reply-partition", &value, &size) &&
	    value && size && size < sizeof text) {
		memcpy(text, value, size);
		text[size] = '\0';
		if (strspn(text, "0123456789") == size && size < 9)
			errand->reply_partition = (int32_t)strtol(text, NULL, 10);
	}
	if (!rd_kafka_header_get_last(headers, "traceparent", &value, &size) && value &&
	    size == KAFKA_TRACE_SIZE - 1)
		memcpy(errand->trace, value, size);
}

/* ERR_NOMEM. Otherwise it is no command for us: *reason is for programs, the diag for
 * people. */
static enum err read_command(struct port_kafka *port, const rd_kafka_message_t *message,
			     struct command_message **out, const char **reason,
			     struct diag *diag)
{
	const struct slice value = {message->payload, message->len};
	struct frame frame;
	enum err err;

	*reason = "too-large";
	if (value.len > WIRE_FRAME_MAX)
		return diag_set(diag, ERR_TOO_LARGE, "it has %zu bytes, more than a frame may",
				value.len);
	*reason = "unreadable";
	arena_reset(&port->arena);
	err = wire_read(value, &port->arena, &frame, diag);
	if (err)
		return err;
	*reason = "unexpected";
	if (frame.type != FRAME_COMMAND)
		return diag_set(diag, ERR_INVALID, "it is no command");
	*reason = "unknown-participant";
	if (!slice_is(frame.command.participant, port->setup.participant))
		return diag_set(diag, ERR_INVALID, "it is for the participant %.*s",
				SLICE_ARG(frame.command.participant));
	*out = command_message_copy(&frame.command);
	return *out ? OK : ERR_NOMEM;
}

/* The message is done with, unless there is no memory or no room. */
static enum err take(struct port_kafka *port, rd_kafka_message_t *message)
{
	struct track *track = tracks_open(&port->tracks, message->partition);
	struct errand *errand = track ? calloc(1, sizeof *errand) : NULL;
	struct diag diag = {""};
	const char *reason = NULL;
	enum err err =
		errand ? read_command(port, message, &errand->polled.command, &reason, &diag)
		       : ERR_NOMEM;

	if (err == ERR_NOMEM) {
		free(errand);
		return err;
	}
	errand->offset = message->offset;
	track_add(track, errand);
	if (!err) {
		read_headers(message, errand);
		errands_add(&port->fresh, errand);
		return OK;
	}
	return bury(port, message, errand, reason, diag.text);
}

static bool has_room(const struct port_kafka *port)
{
	return port->fresh.n < port->setup.window;
}

/* Without room the rest stays with librdkafka. But who does not poll it for long
 * loses his partitions: then they are paused, and it is polled. */
static bool may_take(struct port_kafka *port)
{
	if (has_room(port)) {
		port->full_ms = 0;
		pause_partitions(port, false);
		return true;
	}
	if (!port->full_ms)
		port->full_ms = now_ms(port);
	if (now_ms(port) - port->full_ms < FULL_MS)
		return false;
	pause_partitions(port, true);
	return true;
}

static void take_all(struct port_kafka *port)
{
	while (may_take(port)) {
		rd_kafka_message_t *message =
			port->stash ? port->stash
				    : kafka_client_poll(&port->commands.consumer, 0);
		enum err err;

		port->stash = NULL;
		if (!message)
			return;
		err = take(port, message);
		if (err == ERR_BUSY)
			tracks_untake(&port->tracks, message->partition, message->offset);
		if (err) {
			port->stash = message;
			return;
		}
		port->seen = message->offset + 1;
		rd_kafka_message_destroy(message);
	}
}

/* --- clients, and others where librdkafka gave them up --------------------------------- */

static enum err open_commands(struct port_kafka *port, struct diag *diag)
{
	static const struct kafka_user reads = {.rebalanced = on_rebalanced};
	const struct kafka_setup *kafka = &port->setup.kafka;
	char topic[KAFKA_TOPIC_SIZE];

	kafka_topic_of(kafka, slice_of(port->setup.participant), topic);
	return subscription_open(&port->commands, port->producer, kafka, topic,
				 kafka->partitions, false, &reads, port, port->wake, diag);
}

static enum err open_questions(struct port_kafka *port, struct diag *diag)
{
	return questions_open(&port->questions, port->producer, &port->setup.kafka,
			      slice_of(port->setup.participant), port->wake, diag);
}

static enum err open_producer(struct port_kafka *port, struct kafka_client *client,
			      struct diag *diag)
{
	static const struct kafka_user sends = {.delivered = on_delivered};
	enum err err = kafka_producer_open(client, &port->setup.kafka, &sends, port, diag);

	if (!err)
		kafka_client_wake(client, port->wake);
	return err;
}

static rd_kafka_topic_t *open_handle(const struct port_kafka *port, const char *kind)
{
	char topic[KAFKA_TOPIC_SIZE];

	kafka_topic(&port->setup.kafka, kind, topic);
	return rd_kafka_topic_new(port->producer->rk, topic, NULL);
}

static void open_handles(struct port_kafka *port)
{
	port->inbox = open_handle(port, "inbox");
	port->dead = open_handle(port, "dead");
	port->records = open_handle(port, "records");
}

static void close_handles(struct port_kafka *port)
{
	if (port->inbox)
		rd_kafka_topic_destroy(port->inbox);
	if (port->dead)
		rd_kafka_topic_destroy(port->dead);
	if (port->records)
		rd_kafka_topic_destroy(port->records);
}

static void log_replaced(const struct port_kafka *port, const char *what, enum err err)
{
	struct log_line line;

	log_begin(&line, port->setup.kafka.log, err ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		  err ? "client-not-replaced" : "client-replaced");
	log_text(&line, "what", slice_of(what));
	if (err)
		log_text(&line, "why", slice_of(err_text(err)));
	log_end(&line);
}

/* What the old one did not deliver goes with the other one; until then its commands count
 * as not answered. */
static void replace_producer(struct port_kafka *port)
{
	struct kafka_client *old = port->producer;
	struct kafka_client *other = &port->producers[old == port->producers];
	struct diag diag = {""};
	enum err err = open_producer(port, other, &diag);

	if (!err) {
		port->rescuing = true;
		err = rescue_empty(old->rk, REPLACE_MS) ? OK : ERR_BUSY;
		port->rescuing = false;
	}
	log_replaced(port, "producer", err);
	if (err) { /* the next time, then */
		kafka_client_close(other, 0);
		return;
	}
	close_handles(port);
	port->producer = other;
	open_handles(port);
	subscription_move(&port->commands, other, port->wake);
	subscription_move(&port->questions.subscription, other, port->wake);
	kafka_client_close(old, 0);
}

static void send_rescued(struct port_kafka *port)
{
	void *opaque = NULL;
	enum err err;

	while ((err = rescue_send(&port->rescue, port->producer->rk, &opaque)) == OK ||
	       err == ERR_INVALID) {
		if (!err) {
			port->n_away++;
			port->producer->filled = true;
			continue;
		}
		log_lost(port, err_text(err));
		settle_all(opaque, false);
	}
}

/* A new member of the group: what was not read for good comes again. */
static void replace_commands(struct port_kafka *port)
{
	struct diag diag = {""};

	if (port->stash)
		rd_kafka_message_destroy(port->stash);
	port->stash = NULL;
	while (port->tracks.first)
		tracks_close(&port->tracks, port->tracks.first->partition, &port->fresh);
	subscription_close(&port->commands);
	port->paused = false;
	port->full_ms = 0;
	log_replaced(port, "consumer", open_commands(port, &diag));
}

static void replace_questions(struct port_kafka *port)
{
	struct diag diag = {""};

	questions_close(&port->questions);
	log_replaced(port, "inquiries", open_questions(port, &diag));
}

static bool has_failed(const struct kafka_client *client)
{
	return !client->rk || kafka_client_failed(client);
}

static void replace_clients(struct port_kafka *port)
{
	bool producer, commands, questions;

	if (now_ms(port) < port->replace_ms)
		return;
	producer = has_failed(port->producer);
	if (producer)
		replace_producer(port);
	commands = has_failed(&port->commands.consumer);
	if (commands)
		replace_commands(port);
	questions = has_failed(&port->questions.subscription.consumer);
	if (questions)
		replace_questions(port);
	if (producer || commands || questions)
		port->replace_ms = now_ms(port) + REPLACE_MS;
}

static void serve(struct port_kafka *port)
{
	replace_clients(port);
	kafka_client_serve(port->producer);
	send_rescued(port);
	if (!port->commands.consumer.rk || !port->questions.subscription.consumer.rk)
		return;
	if (subscription_pump(&port->commands)) /* first what it lives for */
		questions_pump(&port->questions);
	take_all(port);
	store_progress(port);
}

/* --- the port ------------------------------------------------------------------------- */

static void wait(const struct port_kafka *port, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = port->wake, .events = POLLIN},
			       {.fd = port->setup.wake_fd, .events = POLLIN}};

	/* Whoever is ready is looked at; an error is a turn too many. */
	(void)poll(fds, port->setup.wake_fd >= 0 ? 2 : 1, timeout_ms);
}

static void kafka_pump(struct port *base, int timeout_ms)
{
	struct port_kafka *port = (struct port_kafka *)base;
	uint64_t n;

	serve(port);
	if (port->fresh.first || questions_wait(&port->questions) || timeout_ms == 0)
		return;
	wait(port, timeout_ms);
	if (read(port->wake, &n, sizeof n) == (ssize_t)sizeof n)
		serve(port);
}

static void take_again(struct port_kafka *port)
{
	while (port->again) {
		struct errand *errand = port->again;

		port->again = errand->next;
		errand->next = port->fresh.first;
		port->fresh.first = errand;
		if (!errand->next)
			port->fresh.end = &errand->next;
		port->fresh.n++;
	}
}

/* One that is being worked on already, or of which a later attempt is, came again: the
 * answer will be for both, and what it settles must not be in somebody's hands. */
static bool kafka_poll(struct port *base, struct command_message *out)
{
	struct port_kafka *port = (struct port_kafka *)base;

	while (port->polled.n < port->setup.window && port->fresh.first) {
		struct errand *errand = errands_take(&port->fresh);
		const struct command_message *command = errand->polled.command;
		struct errand *newest = find_polled(port, command->id, UINT32_MAX);

		table_add(&port->polled, &errand->polled.by_id, table_hash(command->id));
		if (newest && newest->polled.command->attempt >= command->attempt)
			continue;
		*out = *command;
		return true;
	}
	take_again(port);
	return false;
}

static void free_polled(void *context, struct table_node *node)
{
	struct errand *errand = (struct errand *)node;

	if (!errand->track)
		errand_free(errand);
}

/* All that is left hangs in its track, or has none. */
static void free_errands(struct port_kafka *port)
{
	struct errand *errand;

	table_visit(&port->polled, free_polled, NULL);
	table_release(&port->polled);
	take_again(port);
	while ((errand = errands_take(&port->fresh)))
		if (!errand->track)
			errand_free(errand);
	tracks_release(&port->tracks);
}

static void kafka_close(struct port *base)
{
	struct port_kafka *port = (struct port_kafka *)base;
	void *opaque = NULL;

	if (port->stash)
		rd_kafka_message_destroy(port->stash);
	if (port->commands.consumer.rk) {
		(void)rd_kafka_flush(port->producer->rk, FLUSH_MS);
		store_progress(port);
	}
	questions_close(&port->questions);
	subscription_close(&port->commands);
	close_handles(port);
	kafka_client_close(port->producer, PURGE_MS);
	while (rescue_drop(&port->rescue, &opaque))
		settle_all(opaque, true);
	free_errands(port);
	arena_release(&port->arena);
	bytes_release(&port->bytes);
	if (port->wake >= 0)
		close(port->wake);
	free(port);
}

const char *port_kafka_trouble(const struct port *base)
{
	const struct port_kafka *port = (const struct port_kafka *)base;

	if (!port->commands.consumer.reachable || !port->producer->reachable)
		return port->commands.consumer.trouble[0] ? port->commands.consumer.trouble
							  : "no broker answers";
	return subscription_trouble(&port->commands);
}

int64_t port_kafka_end(const struct port *port)
{
	return ((const struct port_kafka *)port)->end;
}

rd_kafka_t *port_kafka_handle(const struct port *base, rd_kafka_type_t type)
{
	const struct port_kafka *port = (const struct port_kafka *)base;

	return type == RD_KAFKA_CONSUMER ? port->commands.consumer.rk : port->producer->rk;
}

bool port_kafka_idle(struct port *base, int64_t end)
{
	struct port_kafka *port = (struct port_kafka *)base;
	rd_kafka_topic_partition_list_t *list;
	int64_t at;

	if (port->n_away || port->rescue.n || subscription_trouble(&port->commands))
		return false;
	if (port->fresh.first || end <= port->seen)
		return true;
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, port->commands.topic.name, 0);
	at = rd_kafka_committed(port->commands.consumer.rk, list, KAFKA_LOOK_MS)
		     ? -1
		     : list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	return end <= at;
}

static enum err open_all(struct port_kafka *port, struct diag *diag)
{
	enum err err;

	port->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (port->wake < 0)
		return diag_set(diag, ERR_IO, "cannot make an eventfd");
	err = open_producer(port, port->producer, diag);
	if (!err)
		err = open_commands(port, diag);
	if (!err)
		err = open_questions(port, diag);
	if (!err)
		open_handles(port);
	return err;
}

static enum err check(struct port_kafka_setup *setup, struct diag *diag)
{
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {WIRE_VERSION, slice_of(setup->participant),
					      setup->window, SLICE_LITERAL("kafka")}};
	enum err err = kafka_setup_check(&setup->kafka, diag);

	if (err)
		return err;
	if (!*setup->participant || !setup->window)
		return diag_set(diag, ERR_INVALID,
				"a participant has a name, and a window of at least 1");
	return wire_check(&hello, diag);
}

enum err port_kafka_open(const struct port_kafka_setup *setup, struct port **out,
			 struct diag *diag)
{
	static const struct port_ops ops = {
		.poll = kafka_poll,
		.reply = kafka_reply,
		.pump = kafka_pump,
		.inquiry = kafka_inquiry,
		.records = kafka_records,
		.close = kafka_close,
	};
	struct port_kafka_setup checked = *setup;
	struct port_kafka *port;
	enum err err = check(&checked, diag);

	if (err)
		return err;
	port = calloc(1, sizeof *port);
	if (!port)
		return ERR_NOMEM;
	port->base.ops = &ops;
	port->setup = checked;
	port->wake = -1;
	port->producer = &port->producers[0];
	rescue_init(&port->rescue);
	errands_init(&port->fresh);
	port->bytes = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, NULL);
	err = table_init(&port->polled) ? open_all(port, diag) : ERR_NOMEM;
	if (err) {
		kafka_close(&port->base);
		return err;
	}
	*out = &port->base;
	return OK;
}
