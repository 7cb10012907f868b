#include "bus/kafka/outbox.h"

#include "bus/kafka/rescue.h"
#include "bus/kafka/topics.h"
#include "bus/table.h"
#include "proto/message_copy.h"
#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>

/* What a message is delivered to: counts of its line in one batch. */
struct slot {
	struct line *line;
	int batch;
};

enum line_state { LINE_NEW, LINE_ASKED, LINE_OPEN };

/* A command that waits for its topic. */
struct held {
	struct held *next;
	struct command_message *command;
	int32_t reply_partition;
	struct slot *slot;
};

/* A command that was sent and not answered, known by the step that it is for: a step
 * waits for one command at a time. */
struct asked {
	struct table_node by_step; /* first */
	size_t len, step_len;
	char id[];
};

struct line {
	struct line *next;
	struct outbox *outbox;
	enum line_state state;
	rd_kafka_topic_t *handle;
	struct slot slots[2];
	size_t n_away;       /* handed to librdkafka and not delivered */
	int64_t progress_ms; /* when one was, or the first one left */
	int64_t end;         /* behind the last one that was */
	int64_t ask_ms;      /* LINE_NEW: when to ask for the topic */
	struct held *held, **held_end;
	size_t n_held;
	struct table asked;
	uint32_t processes;                  /* that were seen last */
	char participant[WIRE_NAME_MAX + 1]; /* empty: no participant's line */
	char topic[KAFKA_TOPIC_SIZE];
};

struct outbox {
	const struct kafka_setup *setup;
	int wake_fd;
	struct kafka_client clients[2]; /* one of them is closed */
	struct kafka_client *client;    /* the other one */
	struct rescue rescue;           /* of a producer that failed */
	bool rescuing;                  /* what is given back is kept */
	int64_t replace_ms;             /* not before it is replaced */
	rd_kafka_queue_t *events;       /* what the brokers say of topics and groups */
	struct line *lines;
	size_t n_lines;
	size_t n[2]; /* messages that were handed over and are not delivered, by batch */
	int filling; /* the batch that is added to */
	struct bytes bytes;
	bool groups_asked;
	int64_t groups_ms; /* when they were asked last */
};

static int64_t now_ms(const struct outbox *outbox)
{
	return clock_monotonic_ms(outbox->setup->clock);
}

/* --- lines -------------------------------------------------------------------------- */

struct line *outbox_line(struct outbox *outbox, const char *topic)
{
	struct line *line = calloc(1, sizeof *line);

	if (!line || !table_init(&line->asked)) {
		free(line);
		return NULL;
	}
	snprintf(line->topic, sizeof line->topic, "%s", topic);
	line->handle = rd_kafka_topic_new(outbox->client->rk, topic, NULL);
	line->outbox = outbox;
	line->state = LINE_OPEN;
	line->held_end = &line->held;
	for (int i = 0; i < 2; i++)
		line->slots[i] = (struct slot){line, i};
	line->next = outbox->lines;
	outbox->lines = line;
	outbox->n_lines++;
	return line;
}

static struct line *find_line(struct outbox *outbox, struct slice participant)
{
	for (struct line *line = outbox->lines; line; line = line->next)
		if (slice_is(participant, line->participant) && participant.len)
			return line;
	return NULL;
}

static enum err line_to(struct outbox *outbox, struct slice participant, struct line **out)
{
	char topic[KAFKA_TOPIC_SIZE];

	*out = find_line(outbox, participant);
	if (*out)
		return OK;
	if (participant.len > WIRE_NAME_MAX)
		return ERR_INVALID;
	if (outbox->n_lines >= OUTBOX_LINES_MAX)
		return ERR_BUSY;
	kafka_topic_of(outbox->setup, participant, topic);
	*out = outbox_line(outbox, topic);
	if (!*out)
		return ERR_NOMEM;
	(*out)->state = LINE_NEW;
	memcpy((*out)->participant, participant.at, participant.len);
	return OK;
}

static void free_asked(void *context, struct table_node *node)
{
	free(node);
}

static void free_line(struct line *line)
{
	while (line->held) {
		struct held *next = line->held->next;

		free(line->held->command);
		free(line->held);
		line->held = next;
	}
	table_visit(&line->asked, free_asked, NULL);
	table_release(&line->asked);
	rd_kafka_topic_destroy(line->handle);
	free(line);
}

/* --- what was sent and not answered ------------------------------------------------ */

/* "SAGA/STEP#ELEMENT" of a command's id. */
static struct slice step_of(struct slice id)
{
	size_t n = 0;

	for (size_t i = 0; i < id.len; i++)
		if (id.at[i] == '/' && ++n == 2)
			return (struct slice){id.at, i};
	return id;
}

static struct asked *find_asked(const struct line *line, struct slice step)
{
	struct table_node *node = table_first(&line->asked, table_hash(step));

	for (; node; node = table_next(node)) {
		struct asked *asked = (struct asked *)node;

		if (slice_equal((struct slice){asked->id, asked->step_len}, step))
			return asked;
	}
	return NULL;
}

/* For people who look: what there is no memory for is not counted. */
static void note_asked(struct line *line, struct slice id)
{
	struct slice step = step_of(id);
	struct asked *asked = find_asked(line, step);

	if (asked) {
		table_remove(&line->asked, &asked->by_step);
		free(asked);
	}
	if (line->asked.n >= OUTBOX_ASKED_MAX)
		return;
	asked = malloc(sizeof *asked + id.len);
	if (!asked)
		return;
	asked->len = id.len;
	asked->step_len = step.len;
	memcpy(asked->id, id.at, id.len);
	table_add(&line->asked, &asked->by_step, table_hash(step));
}

void outbox_answered(struct outbox *outbox, struct slice command_id)
{
	struct slice step = step_of(command_id);

	for (struct line *line = outbox->lines; line; line = line->next) {
		struct asked *asked = find_asked(line, step);

		if (!asked || !slice_equal((struct slice){asked->id, asked->len}, command_id))
			continue;
		table_remove(&line->asked, &asked->by_step);
		free(asked);
		return;
	}
}

/* --- handing over -------------------------------------------------------------------- */

static bool stalled(const struct line *line)
{
	return line->n_away && now_ms(line->outbox) - line->progress_ms > OUTBOX_STALLED_MS;
}

static void count(struct slot *slot)
{
	slot->line->outbox->n[slot->batch]++;
}

static void note_away(struct line *line)
{
	if (!line->n_away++)
		line->progress_ms = now_ms(line->outbox);
	line->outbox->client->filled = true;
}

static enum err produce(struct line *line, struct slot *slot, const struct parcel *parcel)
{
	rd_kafka_resp_err_t err = rd_kafka_producev(
		line->outbox->client->rk, RD_KAFKA_V_RKT(line->handle),
		RD_KAFKA_V_PARTITION(parcel->partition < 0 ? RD_KAFKA_PARTITION_UA
							   : parcel->partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_KEY(parcel->key.at, parcel->key.len),
		RD_KAFKA_V_VALUE((void *)parcel->value.at, parcel->value.len),
		RD_KAFKA_V_HEADERS(parcel->headers), RD_KAFKA_V_OPAQUE(slot), RD_KAFKA_V_END);

	if (!err) {
		note_away(line);
		return OK;
	}
	if (parcel->headers)
		rd_kafka_headers_destroy(parcel->headers);
	switch (err) {
	case RD_KAFKA_RESP_ERR__QUEUE_FULL: return ERR_BUSY;
	case RD_KAFKA_RESP_ERR__FATAL: return ERR_BUSY; /* until there is another one */
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return ERR_TOO_LARGE;
	default: return ERR_INVALID;
	}
}

enum err outbox_put(struct outbox *outbox, struct line *line, const struct parcel *parcel)
{
	struct slot *slot = &line->slots[outbox->filling];
	enum err err;

	if (!outbox->client->reachable || stalled(line)) {
		if (parcel->headers)
			rd_kafka_headers_destroy(parcel->headers);
		return ERR_BUSY;
	}
	err = produce(line, slot, parcel);
	if (!err)
		count(slot);
	return err;
}

/* The line to a topic that is known by its name; NULL: there is none. */
static struct line *line_of_topic(struct outbox *outbox, struct slice topic)
{
	char commands[KAFKA_TOPIC_SIZE];
	struct line *line = outbox->lines;
	size_t len;

	while (line && !slice_is(topic, line->topic))
		line = line->next;
	if (line)
		return line;
	kafka_topic(outbox->setup, "cmd.", commands);
	len = strlen(commands);
	if (topic.len <= len || memcmp(topic.at, commands, len) != 0 ||
	    line_to(outbox, (struct slice){topic.at + len, topic.len - len}, &line))
		return NULL;
	return line;
}

enum err outbox_replay(struct outbox *outbox, struct slice topic, const struct parcel *parcel,
		       struct diag *diag)
{
	char dead[KAFKA_TOPIC_SIZE];
	struct line *line = line_of_topic(outbox, topic);

	kafka_topic(outbox->setup, "dead", dead);
	if (line && !slice_is(topic, dead))
		return outbox_put(outbox, line, parcel);
	if (parcel->headers)
		rd_kafka_headers_destroy(parcel->headers);
	return diag_set(diag, ERR_INVALID,
			"it was found in `%.*s`, which is neither the inbox nor the topic of a "
			"participant",
			SLICE_ARG(topic));
}

static rd_kafka_headers_t *command_headers(const struct command_message *command,
					   int32_t reply_partition)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
	char text[KAFKA_TRACE_SIZE];

	kafka_traceparent(command->saga_id, command->id, command->attempt, text);
	rd_kafka_header_add(headers, "traceparent", -1, text, -1);
	if (reply_partition >= 0) {
		snprintf(text, sizeof text, "%d", (int)reply_partition);
		rd_kafka_header_add(headers, "skald-reply-partition", -1, text, -1);
	}
	return headers;
}

static enum err produce_command(struct line *line, struct slot *slot,
				const struct command_message *command, int32_t reply_partition)
{
	const struct frame frame = {.type = FRAME_COMMAND, .command = *command};
	struct bytes *bytes = &line->outbox->bytes;
	struct parcel parcel = {.key = shard_key(command->saga_id), .partition = -1};
	enum err err;

	bytes_clear(bytes);
	err = wire_write(&frame, bytes, NULL);
	if (err)
		return err;
	parcel.value =
		(struct slice){bytes->at + WIRE_LENGTH_SIZE, bytes->len - WIRE_LENGTH_SIZE};
	parcel.headers = command_headers(command, reply_partition);
	err = produce(line, slot, &parcel);
	if (!err)
		note_asked(line, command->id);
	return err;
}

static enum err hold(struct line *line, struct slot *slot,
		     const struct command_message *command, int32_t reply_partition)
{
	struct held *held;

	if (line->n_held >= OUTBOX_HELD_MAX)
		return ERR_BUSY;
	held = malloc(sizeof *held);
	if (held)
		*held = (struct held){NULL, command_message_copy(command), reply_partition,
				      slot};
	if (!held || !held->command) {
		free(held);
		return ERR_NOMEM;
	}
	*line->held_end = held;
	line->held_end = &held->next;
	line->n_held++;
	return OK;
}

enum err outbox_send(struct outbox *outbox, const struct command_message *command,
		     int32_t reply_partition)
{
	struct slot *slot;
	struct line *line;
	enum err err = line_to(outbox, command->participant, &line);

	if (err)
		return err;
	if (!outbox->client->reachable || stalled(line))
		return ERR_BUSY;
	slot = &line->slots[outbox->filling];
	err = line->state == LINE_OPEN && !line->held
		      ? produce_command(line, slot, command, reply_partition)
		      : hold(line, slot, command, reply_partition);
	if (!err)
		count(slot);
	if (!err && line->state == LINE_NEW)
		outbox_pump(outbox);
	return err;
}

/* --- what becomes of it ---------------------------------------------------------------- */

static void log_lost(const struct line *line, const char *why)
{
	struct log_line text;

	log_begin(&text, line->outbox->setup->log, LOG_LEVEL_ERROR, "not-delivered");
	log_text(&text, "topic", slice_of(line->topic));
	log_text(&text, "why", slice_of(why));
	log_end(&text);
}

static void uncount(const struct slot *slot)
{
	slot->line->outbox->n[slot->batch]--;
}

/* What never arrives is sent again when its attempt has run out. But what a producer did
 * not deliver because it failed goes with the next one, and until then nothing that came
 * before it counts as read. */
static void on_delivered(void *context, const rd_kafka_message_t *message)
{
	const struct slot *slot = message->_private;
	struct line *line = slot->line;
	struct outbox *outbox = line->outbox;

	line->n_away--;
	line->progress_ms = now_ms(outbox);
	if (message->err && (outbox->rescuing || kafka_client_useless(outbox->client)) &&
	    rescue_keep(&outbox->rescue, message))
		return;
	uncount(slot);
	if (!message->err)
		line->end = message->offset + 1;
	if (!message->err || message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
	    message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) /* we are closing */
		return;
	log_lost(line, rd_kafka_err2str(message->err));
	if (line->participant[0] && message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		line->state = LINE_NEW; /* somebody removed it */
}

static void drop_first_held(struct line *line)
{
	struct held *held = line->held;

	line->held = held->next;
	if (!line->held)
		line->held_end = &line->held;
	line->n_held--;
	free(held->command);
	free(held);
}

static void send_held(struct line *line)
{
	while (line->held && line->state == LINE_OPEN) {
		struct held *held = line->held;
		enum err err =
			produce_command(line, held->slot, held->command, held->reply_partition);

		if (err == ERR_BUSY)
			return;
		if (err) {
			uncount(held->slot);
			log_lost(line, err_text(err));
		}
		drop_first_held(line);
	}
}

static void hear_topic(struct outbox *outbox, rd_kafka_event_t *event)
{
	struct line *line = rd_kafka_event_opaque(event);
	struct diag diag = {""};
	struct log_line text;
	enum err err = kafka_topic_heard(outbox->client, event, &diag);

	if (!err || err == ERR_CONFLICT) {
		line->state = LINE_OPEN;
		return;
	}
	line->state = LINE_NEW;
	line->ask_ms = now_ms(outbox) + OUTBOX_ASK_AGAIN_MS;
	log_begin(&text, outbox->setup->log, LOG_LEVEL_ERROR, "topic-missing");
	log_text(&text, "topic", slice_of(line->topic));
	log_text(&text, "why", slice_of(diag.text));
	log_text(&text, "what", SLICE_LITERAL("have it made; its commands wait"));
	log_end(&text);
}

/* --- who is there ------------------------------------------------------------------- */

static void hear_groups(struct outbox *outbox, rd_kafka_event_t *event)
{
	const rd_kafka_DescribeConsumerGroups_result_t *result =
		rd_kafka_event_DescribeConsumerGroups_result(event);
	const rd_kafka_ConsumerGroupDescription_t **groups = NULL;
	size_t n = 0;

	outbox->groups_asked = false;
	if (!rd_kafka_event_error(event))
		groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &n);
	for (size_t i = 0; i < n; i++)
		for (struct line *line = outbox->lines; line; line = line->next)
			if (line->participant[0] &&
			    !strcmp(line->topic,
				    rd_kafka_ConsumerGroupDescription_group_id(groups[i])))
				line->processes = (uint32_t)
					rd_kafka_ConsumerGroupDescription_member_count(
						groups[i]);
}

/* A participant's group is called as its topic. */
static void ask_groups(struct outbox *outbox)
{
	const char *names[OUTBOX_LINES_MAX];
	size_t n = 0;

	if (outbox->groups_asked || !outbox->client->reachable ||
	    now_ms(outbox) - outbox->groups_ms < OUTBOX_STALLED_MS)
		return;
	for (struct line *line = outbox->lines; line; line = line->next)
		if (line->participant[0])
			names[n++] = line->topic;
	outbox->groups_ms = now_ms(outbox);
	if (!n)
		return;
	outbox->groups_asked = true;
	rd_kafka_DescribeConsumerGroups(outbox->client->rk, names, n, NULL, outbox->events);
}

void outbox_visit(struct outbox *outbox,
		  void (*visit)(void *context, const struct bus_participant *participant),
		  void *context)
{
	ask_groups(outbox);
	for (struct line *line = outbox->lines; line; line = line->next) {
		const struct bus_participant participant = {
			.name = slice_of(line->participant),
			.processes = line->processes,
			.inflight = (uint32_t)line->asked.n,
			.held = (uint32_t)line->n_held,
		};

		if (line->participant[0])
			visit(context, &participant);
	}
}

/* --- another producer ----------------------------------------------------------------- */

static enum err open_producer(struct outbox *outbox, struct kafka_client *client,
			      rd_kafka_queue_t **events, struct diag *diag)
{
	static const struct kafka_user user = {.delivered = on_delivered};
	static const uint64_t one = 1;
	enum err err = kafka_producer_open(client, outbox->setup, &user, outbox, diag);

	if (err)
		return err;
	kafka_client_wake(client, outbox->wake_fd);
	*events = rd_kafka_queue_new(client->rk);
	rd_kafka_queue_io_event_enable(*events, outbox->wake_fd, &one, sizeof one);
	return OK;
}

/* What was asked of the old one is asked again. */
static void move_line(struct line *line)
{
	rd_kafka_topic_destroy(line->handle);
	line->handle = rd_kafka_topic_new(line->outbox->client->rk, line->topic, NULL);
	if (line->state == LINE_ASKED)
		line->state = LINE_NEW;
}

static void log_replaced(const struct outbox *outbox, enum err err)
{
	struct log_line line;

	log_begin(&line, outbox->setup->log, err ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		  err ? "producer-not-replaced" : "producer-replaced");
	log_number(&line, "again", (int64_t)outbox->rescue.n);
	if (err)
		log_text(&line, "why", slice_of(err_text(err)));
	log_end(&line);
}

bool outbox_failed(const struct outbox *outbox)
{
	return now_ms(outbox) >= outbox->replace_ms && kafka_client_failed(outbox->client);
}

void outbox_replace(struct outbox *outbox)
{
	struct kafka_client *old = outbox->client, *other = &outbox->clients[0];
	rd_kafka_queue_t *events = NULL;
	struct diag diag = {""};
	enum err err;

	if (old == other)
		other = &outbox->clients[1];
	outbox->replace_ms = now_ms(outbox) + OUTBOX_REPLACE_MS;
	err = open_producer(outbox, other, &events, &diag);
	if (!err) {
		outbox->rescuing = true;
		err = rescue_empty(old->rk, OUTBOX_REPLACE_MS) ? OK : ERR_BUSY;
		outbox->rescuing = false;
	}
	if (err) { /* the next time, then */
		if (events)
			rd_kafka_queue_destroy(events);
		kafka_client_close(other, 0);
		log_replaced(outbox, err);
		return;
	}
	outbox->client = other;
	for (struct line *line = outbox->lines; line; line = line->next)
		move_line(line);
	rd_kafka_queue_destroy(outbox->events);
	outbox->events = events;
	outbox->groups_asked = false;
	kafka_client_close(old, 0);
	log_replaced(outbox, OK);
}

static void send_rescued(struct outbox *outbox)
{
	void *opaque = NULL;
	enum err err;

	while ((err = rescue_send(&outbox->rescue, outbox->client->rk, &opaque)) == OK ||
	       err == ERR_INVALID) {
		const struct slot *slot = opaque;

		if (!err) {
			note_away(slot->line);
			continue;
		}
		uncount(slot);
		log_lost(slot->line, err_text(err));
	}
}

/* --- turns ---------------------------------------------------------------------------- */

static void hear(struct outbox *outbox)
{
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(outbox->events, 0))) {
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
			hear_topic(outbox, event);
		else if (rd_kafka_event_type(event) ==
			 RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT)
			hear_groups(outbox, event);
		else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT)
			kafka_topic_config_heard(outbox->client, outbox->setup, event);
		rd_kafka_event_destroy(event);
	}
}

/* Where the topic is missing, have it made. */
static void look_for_topic(struct line *line)
{
	struct outbox *outbox = line->outbox;

	if (line->state != LINE_NEW || now_ms(outbox) < line->ask_ms)
		return;
	if (kafka_topic_partitions(outbox->client, line->topic, OUTBOX_LOOK_MS)) {
		line->state = LINE_OPEN;
		return;
	}
	line->state = LINE_ASKED;
	kafka_topic_ask(outbox->client, outbox->setup, line->topic, outbox->setup->partitions,
			outbox->events, line);
}

void outbox_pump(struct outbox *outbox)
{
	kafka_client_serve(outbox->client);
	hear(outbox);
	send_rescued(outbox);
	for (struct line *line = outbox->lines; line; line = line->next) {
		if (outbox->client->reachable)
			look_for_topic(line);
		send_held(line);
	}
}

void outbox_mark(struct outbox *outbox)
{
	outbox->filling = !outbox->filling;
}

bool outbox_reached(const struct outbox *outbox)
{
	return !outbox->n[!outbox->filling];
}

bool outbox_busy(const struct outbox *outbox)
{
	return outbox->n[0] || outbox->n[1];
}

int64_t outbox_end(struct outbox *outbox, struct slice participant)
{
	const struct line *line = find_line(outbox, participant);

	return line ? line->end : 0;
}

enum err outbox_connect(struct outbox *outbox, int timeout_ms, struct diag *diag)
{
	return kafka_client_connect(outbox->client, outbox->setup, timeout_ms, diag);
}

enum err outbox_need(struct outbox *outbox, const char *topic, int32_t partitions,
		     int timeout_ms, struct diag *diag)
{
	return kafka_topic_need(outbox->client, outbox->setup, topic, partitions, timeout_ms,
				outbox->events, diag);
}

const struct kafka_client *outbox_client(const struct outbox *outbox)
{
	return outbox->client;
}

enum err outbox_open(const struct kafka_setup *setup, int wake_fd, struct outbox **out,
		     struct diag *diag)
{
	struct outbox *outbox = calloc(1, sizeof *outbox);
	enum err err;

	if (!outbox)
		return ERR_NOMEM;
	outbox->setup = setup;
	outbox->wake_fd = wake_fd;
	outbox->bytes = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, NULL);
	outbox->client = &outbox->clients[0];
	rescue_init(&outbox->rescue);
	err = open_producer(outbox, outbox->client, &outbox->events, diag);
	if (err) {
		free(outbox);
		return err;
	}
	*out = outbox;
	return OK;
}

void outbox_close(struct outbox *outbox, int flush_ms)
{
	struct line *lines;

	if (!outbox)
		return;
	lines = outbox->lines;
	rd_kafka_flush(outbox->client->rk, flush_ms);
	rd_kafka_purge(outbox->client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_flush(outbox->client->rk, flush_ms);
	rd_kafka_queue_destroy(outbox->events);
	while (lines) {
		struct line *next = lines->next;

		free_line(lines);
		lines = next;
	}
	kafka_client_close(outbox->client, 0);
	rescue_release(&outbox->rescue);
	bytes_release(&outbox->bytes);
	free(outbox);
}
