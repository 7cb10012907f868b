#include "bus/kafka/bus_kafka.h"

#include "bus/kafka/dead.h"
#include "bus/kafka/outbox.h"
#include "bus/kafka/topics.h"
#include "proto/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { OPEN_MS = 30000, LOOK_MS = 1000, STEP_MS = 50, FLUSH_MS = 2000, ALONE_MS = 15000 };

/* What is known of a partition of the inbox that is ours. */
struct shard {
	int32_t partition;
	int64_t next; /* all before it is acknowledged, or waits in `again`; -1: none */
};

/* A message, from when it was polled until what becomes of it is stored. */
struct taken {
	rd_kafka_message_t *message;
	bool again; /* the orchestrator was too busy for it */
	bool lost;  /* its partition is somebody else's now */
};

struct again {
	struct again *next;
	rd_kafka_message_t *message;
	int64_t due_ms;
};

struct bus_kafka {
	struct bus base; /* first, so that the two pointers are one */
	struct bus_kafka_setup setup;
	int wake; /* an eventfd */
	struct outbox *outbox;
	struct line *dead, *inbox;
	struct kafka_client consumer;
	char topic[KAFKA_TOPIC_SIZE]; /* the inbox */
	int32_t n_partitions;
	bool partial; /* it is alone and does not have all of them */
	struct shard *shards;
	size_t n_shards;

	int64_t seen;              /* behind the last message that was read */
	rd_kafka_message_t *stash; /* comes next */
	struct taken *taken;
	size_t n_taken, taken_capacity;
	uint64_t first; /* the origin of taken[0] */
	struct again *again, **again_end;
	size_t n_again;
	struct arena arena; /* of the messages that were taken */

	rd_kafka_topic_partition_list_t *acked;   /* to be committed, and */
	rd_kafka_topic_partition_list_t *waiting; /* once what was sent is there */
	bool marked;
};

static int64_t now_ms(const struct bus_kafka *bus)
{
	return clock_monotonic_ms(bus->setup.kafka.clock);
}

static void log_plain(const struct bus_kafka *bus, enum log_level level, const char *event,
		      const char *what)
{
	struct log_line line;

	log_begin(&line, bus->setup.kafka.log, level, event);
	log_text(&line, "topic", slice_of(bus->topic));
	log_number(&line, "partitions", (int64_t)bus->n_shards);
	log_number(&line, "of", bus->n_partitions);
	if (what)
		log_text(&line, "what", slice_of(what));
	log_end(&line);
}

/* --- which partitions are ours ---------------------------------------------------- */

static struct shard *find_shard(const struct bus_kafka *bus, int32_t partition)
{
	for (size_t i = 0; i < bus->n_shards; i++)
		if (bus->shards[i].partition == partition)
			return &bus->shards[i];
	return NULL;
}

static void gain(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *partitions)
{
	size_t n = bus->n_shards + (size_t)partitions->cnt;
	struct shard *shards = realloc(bus->shards, n * sizeof *shards);

	if (!shards)
		return; /* then nothing of them is committed, and comes again */
	bus->shards = shards;
	for (int i = 0; i < partitions->cnt; i++)
		if (!find_shard(bus, partitions->elems[i].partition))
			shards[bus->n_shards++] =
				(struct shard){partitions->elems[i].partition, -1};
}

static void drop_again(struct bus_kafka *bus, int32_t partition)
{
	struct again **link = &bus->again;

	while (*link) {
		struct again *again = *link;

		if (again->message->partition != partition) {
			link = &again->next;
			continue;
		}
		*link = again->next;
		rd_kafka_message_destroy(again->message);
		free(again);
		bus->n_again--;
	}
	bus->again_end = link;
}

/* What was polled of it is still decided, and then counts for nothing. */
static void lose(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *partitions)
{
	for (int i = 0; i < partitions->cnt; i++) {
		int32_t partition = partitions->elems[i].partition;
		struct shard *shard = find_shard(bus, partition);

		if (shard)
			*shard = bus->shards[--bus->n_shards];
		drop_again(bus, partition);
		for (size_t n = 0; n < bus->n_taken; n++)
			if (bus->taken[n].message->partition == partition)
				bus->taken[n].lost = true;
		rd_kafka_topic_partition_list_del(bus->acked, bus->topic, partition);
		rd_kafka_topic_partition_list_del(bus->waiting, bus->topic, partition);
	}
}

static void count_partitions(struct bus_kafka *bus)
{
	int32_t n = kafka_topic_partitions(outbox_client(bus->outbox), bus->topic, LOOK_MS);

	if (n)
		bus->n_partitions = n;
}

/* Tell librdkafka that this is what we read from now on. */
static void assign(const struct bus_kafka *bus, bool gained,
		   const rd_kafka_topic_partition_list_t *partitions)
{
	rd_kafka_t *rk = bus->consumer.rk;
	rd_kafka_error_t *error = NULL;

	if (strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0)
		error = gained ? rd_kafka_incremental_assign(rk, partitions)
			       : rd_kafka_incremental_unassign(rk, partitions);
	else
		rd_kafka_assign(rk, gained ? partitions : NULL);
	if (error)
		rd_kafka_error_destroy(error);
}

static void on_rebalanced(void *context, bool gained,
			  rd_kafka_topic_partition_list_t *partitions)
{
	struct bus_kafka *bus = context;

	if (!gained) {
		lose(bus, partitions);
		assign(bus, false, partitions);
		log_plain(bus, LOG_LEVEL_INFO, "inbox-lost", NULL);
		return;
	}
	count_partitions(bus);
	gain(bus, partitions);
	bus->partial = bus->setup.alone && bus->n_shards < (size_t)bus->n_partitions;
	if (bus->partial) {
		log_plain(bus, LOG_LEVEL_ERROR, "inbox-shared",
			  "another orchestrator has a part of the inbox, so nothing is taken "
			  "from it; stop that one, or give it another prefix");
		lose(bus, partitions);
		assign(bus, true, partitions);
		(void)rd_kafka_pause_partitions(bus->consumer.rk, partitions);
		return;
	}
	assign(bus, true, partitions);
	log_plain(bus, LOG_LEVEL_INFO, "inbox-ours", NULL);
}

/* --- what is of no use here ----------------------------------------------------------- */

static void log_dead(const struct bus_kafka *bus, const rd_kafka_message_t *message,
		     struct slice code, struct slice text)
{
	struct log_line line;

	log_begin(&line, bus->setup.kafka.log, LOG_LEVEL_WARN, "dead-letter");
	log_text(&line, "topic", slice_of(rd_kafka_topic_name(message->rkt)));
	log_number(&line, "partition", message->partition);
	log_number(&line, "offset", message->offset);
	log_text(&line, "reason", code);
	log_text(&line, "text", text);
	log_end(&line);
}

/* What cannot be put there now is looked at again. */
static void bury(struct bus_kafka *bus, struct taken *taken, struct slice code,
		 struct slice text)
{
	const rd_kafka_message_t *message = taken->message;
	const struct parcel parcel = {
		.key = {message->key, message->key_len},
		.value = dead_value(message),
		.partition = -1,
		.headers = dead_headers(message, code, text),
	};
	enum err err = outbox_put(bus->outbox, bus->dead, &parcel);

	taken->again = err == ERR_BUSY;
	if (!taken->again)
		log_dead(bus, message, code, text);
}

/* To the partition of its saga, where that is somebody else's. */
static bool pass_on(struct bus_kafka *bus, struct taken *taken, struct slice key)
{
	const rd_kafka_message_t *message = taken->message;
	int32_t home = bus->n_partitions && key.len ? kafka_partition_of(key, bus->n_partitions)
						    : message->partition;
	rd_kafka_headers_t *headers = NULL;
	struct parcel parcel = {
		.key = key, .value = {message->payload, message->len}, .partition = home};

	if (home == message->partition || find_shard(bus, home))
		return false;
	if (!rd_kafka_message_headers(message, &headers))
		parcel.headers = rd_kafka_headers_copy(headers);
	taken->again = outbox_put(bus->outbox, bus->inbox, &parcel) == ERR_BUSY;
	return true;
}

/* --- taking ------------------------------------------------------------------------ */

static rd_kafka_message_t *first_again(struct bus_kafka *bus)
{
	struct again *again = bus->again;
	rd_kafka_message_t *message;

	if (!again || again->due_ms > now_ms(bus))
		return NULL;
	message = again->message;
	bus->again = again->next;
	if (!bus->again)
		bus->again_end = &bus->again;
	bus->n_again--;
	free(again);
	return message;
}

/* The next message, an error of the consumer left out; NULL: none. */
static rd_kafka_message_t *next_message(struct bus_kafka *bus, int timeout_ms)
{
	rd_kafka_message_t *message = bus->stash ? bus->stash : first_again(bus);

	bus->stash = NULL;
	while (!message && bus->consumer.rk &&
	       (message = rd_kafka_consumer_poll(bus->consumer.rk, timeout_ms))) {
		if (!message->err) {
			bus->seen = message->offset + 1;
			break;
		}
		rd_kafka_message_destroy(message);
		message = NULL;
	}
	return message;
}

static bool keep(struct bus_kafka *bus, rd_kafka_message_t *message)
{
	size_t capacity = bus->taken_capacity ? 2 * bus->taken_capacity : 64;
	struct taken *grown;

	if (bus->n_taken == bus->taken_capacity) {
		grown = realloc(bus->taken, capacity * sizeof *grown);
		if (!grown)
			return false;
		bus->taken = grown;
		bus->taken_capacity = capacity;
	}
	bus->taken[bus->n_taken++] = (struct taken){.message = message};
	return true;
}

static struct slice key_of(const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_REPLY: return kafka_key_of_command(frame->reply.id);
	case FRAME_START: return frame->start.id;
	case FRAME_SIGNAL: return frame->signal.saga_id;
	default: return (struct slice){0};
	}
}

static bool give(struct bus_kafka *bus, const struct frame *frame, struct inbox_message *out)
{
	*out = (struct inbox_message){.origin = bus->first + bus->n_taken - 1};
	switch (frame->type) {
	case FRAME_REPLY:
		out->type = INBOX_REPLY;
		out->reply = frame->reply;
		outbox_answered(bus->outbox, frame->reply.id);
		return true;
	case FRAME_START:
		out->type = INBOX_START;
		out->start = frame->start;
		return true;
	case FRAME_SIGNAL:
		out->type = INBOX_SIGNAL;
		out->signal = frame->signal;
		return true;
	default: return false;
	}
}

/* ERR_NOT_FOUND: it was none for the orchestrator, and has been dealt with. */
static enum err read_message(struct bus_kafka *bus, struct taken *taken,
			     struct inbox_message *out)
{
	const rd_kafka_message_t *message = taken->message;
	const struct slice value = {message->payload, message->len};
	struct diag diag = {""};
	struct frame frame;
	enum err err;

	err = value.len > WIRE_FRAME_MAX
		      ? diag_set(&diag, ERR_TOO_LARGE,
				 "it has %zu bytes, more than a frame may", value.len)
		      : wire_read(value, &bus->arena, &frame, &diag);
	if (err == ERR_NOMEM)
		return err;
	if (err) {
		bury(bus, taken,
		     err == ERR_TOO_LARGE ? SLICE_LITERAL("too-large")
					  : SLICE_LITERAL("unreadable"),
		     slice_of(diag.text));
		return ERR_NOT_FOUND;
	}
	if (pass_on(bus, taken, key_of(&frame)))
		return ERR_NOT_FOUND;
	if (give(bus, &frame, out))
		return OK;
	bury(bus, taken, SLICE_LITERAL("unexpected"),
	     SLICE_LITERAL("the inbox takes replies, starts and signals alone"));
	return ERR_NOT_FOUND;
}

static bool kafka_poll(struct bus *base, struct inbox_message *out)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	rd_kafka_message_t *message;
	enum err err;

	while (bus->n_taken < BUS_KAFKA_TAKEN_MAX && bus->n_again < BUS_KAFKA_AGAIN_MAX &&
	       (message = next_message(bus, 0))) {
		err = keep(bus, message) ? OK : ERR_NOMEM;
		if (!err) {
			err = read_message(bus, &bus->taken[bus->n_taken - 1], out);
			if (!err)
				return true;
			bus->n_taken -= err == ERR_NOMEM;
		}
		if (err == ERR_NOMEM) {
			bus->stash = message;
			return false;
		}
	}
	return false;
}

/* --- acknowledging -------------------------------------------------------------------- */

/* Out of memory: it is gone here, and its partition is not committed beyond it, so
 * that it comes again some time. */
static void take_again(struct bus_kafka *bus, rd_kafka_message_t *message)
{
	struct again *again = malloc(sizeof *again);

	if (!again) {
		rd_kafka_message_destroy(message);
		return;
	}
	*again = (struct again){NULL, message, now_ms(bus) + BUS_KAFKA_AGAIN_MS};
	*bus->again_end = again;
	bus->again_end = &again->next;
	bus->n_again++;
}

static void acknowledge(struct bus_kafka *bus, const struct taken *taken)
{
	rd_kafka_message_t *message = taken->message;
	struct shard *shard = taken->lost ? NULL : find_shard(bus, message->partition);

	if (shard && shard->next <= message->offset)
		shard->next = message->offset + 1;
	if (shard && taken->again)
		take_again(bus, message);
	else
		rd_kafka_message_destroy(message);
}

static void set_offset(rd_kafka_topic_partition_list_t *list, const char *topic,
		       int32_t partition, int64_t offset)
{
	rd_kafka_topic_partition_t *entry =
		rd_kafka_topic_partition_list_find(list, topic, partition);

	if (!entry)
		entry = rd_kafka_topic_partition_list_add(list, topic, partition);
	entry->offset = offset;
}

/* How far each partition is done with. */
static void note_progress(struct bus_kafka *bus)
{
	for (size_t i = 0; i < bus->n_shards; i++)
		if (bus->shards[i].next >= 0)
			set_offset(bus->acked, bus->topic, bus->shards[i].partition,
				   bus->shards[i].next);
	for (const struct again *again = bus->again; again; again = again->next) {
		rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_find(
			bus->acked, bus->topic, again->message->partition);

		if (entry && entry->offset > again->message->offset)
			entry->offset = again->message->offset;
	}
}

/* Commit what was acknowledged, once all that was sent before is there. */
static void advance(struct bus_kafka *bus)
{
	rd_kafka_topic_partition_list_t *acked = bus->acked;

	if (!bus->marked && acked->cnt) {
		bus->acked = bus->waiting;
		bus->waiting = acked;
		bus->marked = true;
		outbox_mark(bus->outbox);
	}
	if (!bus->marked || !outbox_reached(bus->outbox))
		return;
	bus->marked = false;
	/* A partition that is somebody else's meanwhile is refused, and no harm done. */
	if (bus->consumer.rk)
		(void)rd_kafka_offsets_store(bus->consumer.rk, bus->waiting);
	while (bus->waiting->cnt)
		rd_kafka_topic_partition_list_del_by_idx(bus->waiting, bus->waiting->cnt - 1);
}

static void kafka_acknowledge(struct bus *base)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;

	if (!bus->n_taken)
		return;
	for (size_t i = 0; i < bus->n_taken; i++)
		acknowledge(bus, &bus->taken[i]);
	bus->first += bus->n_taken;
	bus->n_taken = 0;
	arena_reset(&bus->arena);
	note_progress(bus);
	advance(bus);
}

/* --- answers ---------------------------------------------------------------------------- */

/* Whether asking again later may help. */
static bool is_busy(struct slice code)
{
	static const char *const codes[] = {"busy", "store-unavailable", "out-of-memory",
					    "changed-meanwhile"};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (slice_is(code, codes[i]))
			return true;
	return false;
}

/* Nobody waits for an answer; but a message that was refused is kept for people. */
static void kafka_answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;

	if (!result->code.len || origin < bus->first || origin - bus->first >= bus->n_taken)
		return;
	if (is_busy(result->code))
		bus->taken[origin - bus->first].again = true;
	else
		bury(bus, &bus->taken[origin - bus->first], result->code, result->text);
}

static void kafka_ended(struct bus *base, uint64_t origin, struct slice saga_id,
			struct slice status)
{
	/* Whoever wants to know reads PREFIX.events. */
}

/* --- joining ------------------------------------------------------------------------- */

static enum err join(struct bus_kafka *bus, struct diag *diag)
{
	static const struct kafka_user user = {.rebalanced = on_rebalanced};
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	enum err err = kafka_consumer_open(&bus->consumer, &bus->setup.kafka, bus->topic,
					   bus->setup.instance, &user, bus, diag);

	if (!err) {
		kafka_client_wake(&bus->consumer, bus->wake);
		rd_kafka_topic_partition_list_add(topics, bus->topic, RD_KAFKA_PARTITION_UA);
		rd_kafka_subscribe(bus->consumer.rk, topics);
	}
	rd_kafka_topic_partition_list_destroy(topics);
	return err;
}

static void lose_all(struct bus_kafka *bus)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

	for (size_t i = 0; i < bus->n_shards; i++)
		rd_kafka_topic_partition_list_add(list, bus->topic, bus->shards[i].partition);
	lose(bus, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* After an outage the brokers may take us for an impostor of ourselves, and librdkafka
 * gives up for good then. A new member takes our place, as after a crash. */
static void join_again(struct bus_kafka *bus)
{
	struct diag diag = {""};

	if (bus->stash)
		rd_kafka_message_destroy(bus->stash);
	bus->stash = NULL;
	lose_all(bus);
	kafka_client_close(&bus->consumer, 0);
	if (join(bus, &diag))
		log_plain(bus, LOG_LEVEL_ERROR, "inbox-not-joined", diag.text);
}

/* --- the rest of a bus -------------------------------------------------------------------- */

static enum err kafka_send(struct bus *base, const struct command_message *command)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;

	return outbox_send(bus->outbox, command,
			   bus->n_partitions
				   ? kafka_partition_of(command->saga_id, bus->n_partitions)
				   : -1);
}

static void kafka_pump(struct bus *base)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	uint64_t n;

	if (read(bus->wake, &n, sizeof n) != (ssize_t)sizeof n)
		n = 0; /* nothing woke us, but we look all the same */
	outbox_pump(bus->outbox);
	advance(bus);
	if (!bus->n_taken && (!bus->consumer.rk || kafka_client_failed(&bus->consumer)))
		join_again(bus);
	if (!bus->stash && bus->n_taken < BUS_KAFKA_TAKEN_MAX)
		bus->stash = next_message(bus, 0);
}

static int kafka_fd(struct bus *base)
{
	return ((struct bus_kafka *)base)->wake;
}

static void kafka_participants(struct bus *base,
			       void (*visit)(void *context,
					     const struct bus_participant *participant),
			       void *context)
{
	outbox_visit(((struct bus_kafka *)base)->outbox, visit, context);
}

static void free_messages(struct bus_kafka *bus)
{
	for (size_t i = 0; i < bus->n_taken; i++)
		rd_kafka_message_destroy(bus->taken[i].message);
	while (bus->again)
		drop_again(bus, bus->again->message->partition);
	if (bus->stash)
		rd_kafka_message_destroy(bus->stash);
	bus->stash = NULL;
	bus->n_taken = 0;
}

static void kafka_close(struct bus *base)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	int64_t end_ms = now_ms(bus) + FLUSH_MS;

	while (bus->consumer.rk && (bus->marked || bus->acked->cnt) && now_ms(bus) < end_ms) {
		outbox_pump(bus->outbox);
		advance(bus);
	}
	free_messages(bus);
	kafka_client_close(&bus->consumer, 0);
	outbox_close(bus->outbox, FLUSH_MS);
	rd_kafka_topic_partition_list_destroy(bus->acked);
	rd_kafka_topic_partition_list_destroy(bus->waiting);
	arena_release(&bus->arena);
	free(bus->shards);
	free(bus->taken);
	if (bus->wake >= 0)
		close(bus->wake);
	free(bus);
}

/* --- opening ------------------------------------------------------------------------------ */

/* Whether a member of our group is another orchestrator, as an event says. */
static bool has_others(const struct bus_kafka *bus, rd_kafka_event_t *event)
{
	const rd_kafka_ConsumerGroupDescription_t **groups = NULL;
	size_t n = 0, n_members;

	if (!rd_kafka_event_error(event))
		groups = rd_kafka_DescribeConsumerGroups_result_groups(
			rd_kafka_event_DescribeConsumerGroups_result(event), &n);
	if (!n)
		return false;
	n_members = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
	for (size_t i = 0; i < n_members; i++) {
		const char *instance = rd_kafka_MemberDescription_group_instance_id(
			rd_kafka_ConsumerGroupDescription_member(groups[0], i));

		if (!instance || strcmp(instance, bus->setup.instance) != 0)
			return true;
	}
	return false;
}

/* Look before we join: who joins takes a part. One that died is a member still, for as
 * long as its session lasts. */
static enum err wait_until_alone(struct bus_kafka *bus, struct diag *diag)
{
	const struct kafka_client *client = outbox_client(bus->outbox);
	int64_t end_ms = now_ms(bus) + ALONE_MS;
	const char *group = bus->topic;
	bool others = bus->setup.alone && bus->setup.instance;

	while (others && now_ms(bus) < end_ms) {
		rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
		rd_kafka_event_t *event;

		rd_kafka_DescribeConsumerGroups(client->rk, &group, 1, NULL, queue);
		event = rd_kafka_queue_poll(queue, LOOK_MS);
		others = event && has_others(bus, event);
		if (event)
			rd_kafka_event_destroy(event);
		if (others) /* let some time pass; nothing comes */
			event = rd_kafka_queue_poll(queue, LOOK_MS);
		rd_kafka_queue_destroy(queue);
	}
	if (!others)
		return OK;
	return diag_set(
		diag, ERR_CONFLICT,
		"another orchestrator reads %s, and its sagas are not ours; stop it, or "
		"serve with another --kafka-prefix",
		bus->topic);
}

static enum err need_topics(struct bus_kafka *bus, struct diag *diag)
{
	const struct kafka_setup *setup = &bus->setup.kafka;
	char dead[KAFKA_TOPIC_SIZE];
	enum err err;

	kafka_topic(setup, "dead", dead);
	err = outbox_need(bus->outbox, bus->topic, setup->partitions, bus->setup.open_ms, diag);
	if (!err)
		err = outbox_need(bus->outbox, dead, 1, bus->setup.open_ms, diag);
	if (err)
		return err;
	bus->inbox = outbox_line(bus->outbox, bus->topic);
	bus->dead = outbox_line(bus->outbox, dead);
	return bus->inbox && bus->dead ? OK : ERR_NOMEM;
}

static enum err wait_for_inbox(struct bus_kafka *bus, struct diag *diag)
{
	int64_t end_ms = now_ms(bus) + bus->setup.open_ms;

	while (!bus->n_shards && now_ms(bus) < end_ms) {
		bus->stash = next_message(bus, STEP_MS);
		outbox_pump(bus->outbox);
	}
	if (bus->n_shards)
		return OK;
	if (bus->partial)
		return diag_set(
			diag, ERR_CONFLICT,
			"another orchestrator takes a part of %s, and its sagas are not "
			"ours; stop it, or serve with another --kafka-prefix",
			bus->topic);
	return diag_set(
		diag, ERR_UNAVAILABLE, "the brokers %.200s did not give us %s in %d s: %.200s",
		bus->setup.kafka.brokers, bus->topic, bus->setup.open_ms / 1000,
		bus->consumer.trouble[0] ? bus->consumer.trouble : "no reason is known");
}

static enum err open_all(struct bus_kafka *bus, struct diag *diag)
{
	enum err err = kafka_setup_check(&bus->setup.kafka, diag);

	if (err)
		return err;
	bus->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bus->wake < 0)
		return diag_set(diag, ERR_IO, "cannot make an eventfd");
	kafka_topic(&bus->setup.kafka, "inbox", bus->topic);
	err = outbox_open(&bus->setup.kafka, bus->wake, &bus->outbox, diag);
	if (!err)
		err = need_topics(bus, diag);
	if (!err)
		err = wait_until_alone(bus, diag);
	if (!err)
		err = join(bus, diag);
	return err ? err : wait_for_inbox(bus, diag);
}

int64_t bus_kafka_end(struct bus *base, struct slice participant)
{
	return outbox_end(((struct bus_kafka *)base)->outbox, participant);
}

bool bus_kafka_idle(struct bus *base, int64_t end)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	rd_kafka_topic_partition_list_t *list;
	int64_t at;

	if (outbox_busy(bus->outbox) || bus->marked || bus->acked->cnt)
		return false;
	if (bus->stash || end <= bus->seen)
		return true;
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, bus->topic, 0);
	at = rd_kafka_committed(bus->consumer.rk, list, LOOK_MS) ? -1 : list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	return end <= at;
}

enum err bus_kafka_open(const struct bus_kafka_setup *setup, struct bus **out,
			struct diag *diag)
{
	static const struct bus_ops ops = {
		.send = kafka_send,
		.poll = kafka_poll,
		.answer = kafka_answer,
		.ended = kafka_ended,
		.acknowledge = kafka_acknowledge,
		.pump = kafka_pump,
		.fd = kafka_fd,
		.participants = kafka_participants,
		.close = kafka_close,
	};
	struct bus_kafka *bus = calloc(1, sizeof *bus);
	enum err err;

	if (!bus)
		return ERR_NOMEM;
	bus->base.ops = &ops;
	bus->setup = *setup;
	if (!bus->setup.open_ms)
		bus->setup.open_ms = OPEN_MS;
	bus->wake = -1;
	bus->first = 1; /* 0: nobody */
	bus->again_end = &bus->again;
	bus->acked = rd_kafka_topic_partition_list_new(16);
	bus->waiting = rd_kafka_topic_partition_list_new(16);
	err = open_all(bus, diag);
	if (err) {
		kafka_close(&bus->base);
		return err;
	}
	*out = &bus->base;
	return OK;
}
