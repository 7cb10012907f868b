#include "bus/kafka/bus_kafka.h"

#include "bus/kafka/dead.h"
#include "bus/kafka/events.h"
#include "bus/kafka/inquirer.h"
#include "bus/kafka/outbox.h"
#include "bus/kafka/progress.h"
#include "bus/kafka/topics.h"
#include "proto/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	OPEN_MS = 30000,
	LOOK_MS = 1000,
	STEP_MS = 50,
	FLUSH_MS = 2000,
	ALONE_MS = 15000,
	LET_GO_MS = 1000,
	JOIN_AGAIN_MS = 1000,
	GOING_MS = 5000
};

struct bus_kafka {
	struct bus base; /* first, so that the two pointers are one */
	struct bus_kafka_setup setup;
	int wake; /* an eventfd */
	struct outbox *outbox;
	struct events *events;
	struct line *dead, *inbox;
	struct kafka_client consumer;
	char topic[KAFKA_TOPIC_SIZE]; /* the inbox */
	char events_topic[KAFKA_TOPIC_SIZE];
	char dead_topic[KAFKA_TOPIC_SIZE];      /* we read it, too: what others put there */
	int32_t n_partitions;                   /* of the inbox */
	bool partial;                           /* it is alone and does not have all of them */
	bool settled;                           /* which of them we have */
	uint64_t n_settled;                     /* how often that was */
	rd_kafka_topic_partition_list_t *going; /* once what was taken is done; NULL: none */
	int64_t going_ms;                       /* they go then whatever happens */
	struct progress progress;
	int64_t join_ms;           /* it is not joined again before */
	int64_t seen;              /* behind the last message of the inbox that was read */
	rd_kafka_message_t *stash; /* comes next */
	struct arena arena;        /* of the messages that were taken */
	struct inquirer inquirer;

	rd_kafka_topic_partition_list_t *waiting; /* to be committed once all is there */
	bool marked;                              /* that was sent before */
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
	log_number(&line, "partitions", (int64_t)progress_count(&bus->progress, bus->topic));
	log_number(&line, "of", bus->n_partitions);
	if (what)
		log_text(&line, "what", slice_of(what));
	log_end(&line);
}

/* --- which partitions are ours ---------------------------------------------------- */

static void lose(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *partitions)
{
	progress_lose(&bus->progress, partitions);
	for (int i = 0; i < partitions->cnt; i++)
		rd_kafka_topic_partition_list_del(bus->waiting, partitions->elems[i].topic,
						  partitions->elems[i].partition);
}

static void count_partitions(struct bus_kafka *bus)
{
	int32_t n = kafka_topic_partitions(outbox_client(bus->outbox), bus->topic, LOOK_MS);

	if (n)
		bus->n_partitions = n;
}

static void advance(struct bus_kafka *bus);

/* Give them back, and with them how far they are done with: as far as that is known
 * soon. Nobody takes them before. */
static void let_go(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *partitions)
{
	int64_t end_ms = now_ms(bus) + LET_GO_MS;

	advance(bus);
	while (bus->marked && now_ms(bus) < end_ms &&
	       !rd_kafka_assignment_lost(bus->consumer.rk)) {
		outbox_pump(bus->outbox);
		advance(bus);
	}
	lose(bus, partitions);
	kafka_client_assign(&bus->consumer, false, partitions);
	log_plain(bus, LOG_LEVEL_INFO, "inbox-lost", NULL);
}

static void finish_going(struct bus_kafka *bus)
{
	rd_kafka_topic_partition_list_t *going = bus->going;

	bus->going = NULL;
	if (!going)
		return;
	let_go(bus, going);
	rd_kafka_topic_partition_list_destroy(going);
}

/* What was taken of them is decided and stored first: see kafka_acknowledge(). */
static void on_revoked(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *partitions)
{
	bus->settled =
		strcmp(rd_kafka_rebalance_protocol(bus->consumer.rk), "COOPERATIVE") == 0;
	bus->n_settled++;
	bus->going_ms = now_ms(bus) + GOING_MS;
	if (bus->progress.n_taken && !rd_kafka_assignment_lost(bus->consumer.rk))
		bus->going = rd_kafka_topic_partition_list_copy(partitions);
	else
		let_go(bus, partitions);
}

static void on_rebalanced(void *context, bool gained,
			  rd_kafka_topic_partition_list_t *partitions)
{
	struct bus_kafka *bus = context;

	finish_going(bus);
	if (!gained) {
		/* What goes while it is paused would still be so when it comes back. */
		if (bus->partial)
			(void)rd_kafka_resume_partitions(bus->consumer.rk, partitions);
		on_revoked(bus, partitions);
		return;
	}
	count_partitions(bus);
	bus->settled = true;
	bus->n_settled++;
	progress_gain(&bus->progress, partitions);
	bus->partial = bus->setup.alone &&
		       progress_count(&bus->progress, bus->topic) < (size_t)bus->n_partitions;
	if (bus->partial) {
		log_plain(bus, LOG_LEVEL_ERROR, "inbox-shared",
			  "another orchestrator has a part of the inbox, so nothing is taken "
			  "from it; stop that one, or give it another prefix");
		lose(bus, partitions);
		kafka_client_assign(&bus->consumer, true, partitions);
		(void)rd_kafka_pause_partitions(bus->consumer.rk, partitions);
		return;
	}
	kafka_client_assign(&bus->consumer, true, partitions);
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

	if (home == message->partition || progress_has(&bus->progress, bus->topic, home))
		return false;
	if (!rd_kafka_message_headers(message, &headers))
		parcel.headers = rd_kafka_headers_copy(headers);
	taken->again = outbox_put(bus->outbox, bus->inbox, &parcel) == ERR_BUSY;
	return true;
}

/* --- taking ------------------------------------------------------------------------ */

/* NULL: there is none. */
static rd_kafka_message_t *next_message(struct bus_kafka *bus, int timeout_ms)
{
	rd_kafka_message_t *message = bus->stash ? bus->stash : progress_again(&bus->progress);

	bus->stash = NULL;
	if (message || !bus->consumer.rk)
		return message;
	message = kafka_client_poll(&bus->consumer, timeout_ms);
	if (message && strcmp(rd_kafka_topic_name(message->rkt), bus->topic) == 0)
		bus->seen = message->offset + 1;
	return message;
}

static struct slice key_of(const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_REPLY: return shard_key(frame->reply.id);
	case FRAME_START: return frame->start.id;
	case FRAME_SIGNAL: return shard_key(frame->signal.saga_id);
	default: return (struct slice){0};
	}
}

static bool give(struct bus_kafka *bus, const struct frame *frame, struct inbox_message *out)
{
	*out = (struct inbox_message){.origin =
					      bus->progress.first + bus->progress.n_taken - 1};
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

	if (taken->topic == bus->dead_topic) {
		*out = (struct inbox_message){.type = INBOX_DEAD};
		return dead_read(message, &bus->arena, &out->dead);
	}
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

	while (!bus->going && !progress_full(&bus->progress) &&
	       (message = next_message(bus, 0))) {
		struct taken *taken = progress_take(&bus->progress, message);
		enum err err = taken ? read_message(bus, taken, out) : ERR_NOMEM;

		if (!err)
			return true;
		if (err != ERR_NOMEM)
			continue;
		if (taken)
			progress_untake(&bus->progress);
		bus->stash = message;
		return false;
	}
	return false;
}

/* --- acknowledging -------------------------------------------------------------------- */

/* Commit what was acknowledged, once all that was sent before is there. */
static void advance(struct bus_kafka *bus)
{
	rd_kafka_topic_partition_list_t *acked = bus->progress.acked;

	if (!bus->marked && acked->cnt) {
		bus->progress.acked = bus->waiting;
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

	if (!progress_acknowledge(&bus->progress))
		return;
	arena_reset(&bus->arena);
	advance(bus);
	finish_going(bus);
}

/* --- answers ---------------------------------------------------------------------------- */

/* Whether asking again later may help. */
static bool is_busy(struct slice code)
{
	static const char *const codes[] = {"busy", "store-unavailable", "out-of-memory",
					    "changed-meanwhile", "moved"};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (slice_is(code, codes[i]))
			return true;
	return false;
}

/* Nobody waits for an answer; but a message that was refused is kept for people. */
static void kafka_answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	struct taken *taken = progress_find(&bus->progress, origin);

	if (!taken || !result->code.len)
		return;
	if (is_busy(result->code))
		taken->again = true;
	else
		bury(bus, taken, result->code, result->text);
}

static bool kafka_bury(struct bus *base, const struct inbox_message *message,
		       struct slice reason, struct slice text)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	struct taken *taken = progress_find(&bus->progress, message->origin);

	if (taken)
		bury(bus, taken, reason, text);
	return taken != NULL;
}

/* A letter that was read goes to where its key says, as then there may have been other
 * partitions. */
static enum err kafka_replay(struct bus *base, const struct dead_letter *letter,
			     struct diag *diag)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	struct parcel parcel = {
		.key = letter->key,
		.value = letter->value,
		.partition = letter->key.len ? -1 : letter->partition,
	};

	if (letter->size > letter->value.len)
		return diag_set(diag, ERR_INVALID,
				"only the first %zu of its %llu bytes are here",
				letter->value.len, (unsigned long long)letter->size);
	parcel.headers = dead_original_headers(letter);
	return outbox_replay(bus->outbox, letter->source, &parcel, diag);
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
	const struct kafka_reader reader = {.group = bus->topic,
					    .instance = bus->setup.instance};
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(2);
	enum err err = kafka_consumer_open(&bus->consumer, &bus->setup.kafka, &reader, &user,
					   bus, diag);

	if (!err) {
		kafka_client_wake(&bus->consumer, bus->wake);
		rd_kafka_topic_partition_list_add(topics, bus->topic, RD_KAFKA_PARTITION_UA);
		rd_kafka_topic_partition_list_add(topics, bus->dead_topic,
						  RD_KAFKA_PARTITION_UA);
		rd_kafka_subscribe(bus->consumer.rk, topics);
	}
	rd_kafka_topic_partition_list_destroy(topics);
	return err;
}

/* After an outage the brokers may take us for an impostor of ourselves, or not know where
 * we had come to, and librdkafka gives up for good then. A new member takes our place, as after
 * a crash. */
static void join_again(struct bus_kafka *bus)
{
	struct diag diag = {""};

	if (bus->stash)
		rd_kafka_message_destroy(bus->stash);
	bus->stash = NULL;
	bus->settled = false;
	finish_going(bus);
	progress_lose_all(&bus->progress);
	rd_kafka_topic_partition_list_destroy(bus->waiting);
	bus->waiting = rd_kafka_topic_partition_list_new(16);
	kafka_client_close(&bus->consumer, 0);
	bus->join_ms = now_ms(bus) + JOIN_AGAIN_MS;
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

static void open_inquirer(struct bus_kafka *bus)
{
	inquirer_init(&bus->inquirer, &bus->setup.kafka, outbox_client(bus->outbox),
		      bus->setup.blind, bus->wake);
}

/* What was asked of participants is given up with it. */
static void replace_producer(struct bus_kafka *bus)
{
	inquirer_close(&bus->inquirer);
	outbox_replace(bus->outbox);
	open_inquirer(bus);
}

static void kafka_pump(struct bus *base)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	uint64_t n;

	if (read(bus->wake, &n, sizeof n) != (ssize_t)sizeof n)
		n = 0; /* nothing woke us, but we look all the same */
	if (outbox_failed(bus->outbox))
		replace_producer(bus);
	outbox_pump(bus->outbox);
	events_pump(bus->events);
	inquirer_pump(&bus->inquirer);
	advance(bus);
	if (bus->going && now_ms(bus) > bus->going_ms) /* nobody has any until then */
		finish_going(bus);
	if (!bus->progress.n_taken && now_ms(bus) >= bus->join_ms &&
	    (!bus->consumer.rk || kafka_client_failed(&bus->consumer)))
		join_again(bus);
	if (!bus->going && !bus->stash && !progress_full(&bus->progress))
		bus->stash = next_message(bus, 0);
}

static enum err kafka_publish(struct bus *base, const struct event_message *event)
{
	return events_put(((struct bus_kafka *)base)->events, event);
}

static bool kafka_crowded(const struct bus *base)
{
	return events_crowded(((const struct bus_kafka *)base)->events);
}

static uint64_t kafka_arrived(struct bus *base, uint64_t batch)
{
	return events_arrived(((struct bus_kafka *)base)->events, batch);
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

static enum err kafka_inquire(struct bus *base, struct slice participant,
			      struct inquiry_message *inquiry, struct diag *diag)
{
	return inquirer_ask(&((struct bus_kafka *)base)->inquirer, participant, inquiry, diag);
}

static bool kafka_inquired(struct bus *base, struct inquired *out)
{
	return inquirer_poll(&((struct bus_kafka *)base)->inquirer, out);
}

static void kafka_forget(struct bus *base, uint64_t request)
{
	inquirer_forget(&((struct bus_kafka *)base)->inquirer, request);
}

static bool kafka_owned(struct bus *base, struct shards *out, uint64_t *turn)
{
	const struct bus_kafka *bus = (const struct bus_kafka *)base;

	*turn = bus->n_settled;
	*out = (struct shards){.n = (uint32_t)bus->n_partitions};
	for (int32_t i = 0; bus->settled && i < bus->n_partitions; i++)
		if (progress_has(&bus->progress, bus->topic, i))
			shards_add(out, (uint32_t)i);
	return bus->settled && bus->n_partitions > 0;
}

static void kafka_close(struct bus *base)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	int64_t end_ms = now_ms(bus) + FLUSH_MS;

	while (bus->consumer.rk && (bus->marked || bus->progress.acked->cnt) &&
	       now_ms(bus) < end_ms) {
		outbox_pump(bus->outbox);
		advance(bus);
	}
	if (bus->stash)
		rd_kafka_message_destroy(bus->stash);
	progress_drop(&bus->progress);
	finish_going(bus);
	kafka_client_close(&bus->consumer, 0);
	events_close(bus->events, FLUSH_MS);
	inquirer_close(&bus->inquirer);
	outbox_close(bus->outbox, FLUSH_MS);
	progress_release(&bus->progress);
	rd_kafka_topic_partition_list_destroy(bus->waiting);
	arena_release(&bus->arena);
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
	enum err err;

	err = outbox_need(bus->outbox, bus->topic, setup->partitions, bus->setup.open_ms, diag);
	if (!err)
		err = outbox_need(bus->outbox, bus->dead_topic, 1, bus->setup.open_ms, diag);
	if (!err)
		err = outbox_need(bus->outbox, bus->events_topic, setup->partitions,
				  bus->setup.open_ms, diag);
	if (err)
		return err;
	bus->inbox = outbox_line(bus->outbox, bus->topic);
	bus->dead = outbox_line(bus->outbox, bus->dead_topic);
	return bus->inbox && bus->dead ? OK : ERR_NOMEM;
}

/* Of several members of the group some may have nothing. */
static bool bus_ours(const struct bus_kafka *bus)
{
	return bus->setup.alone ? progress_count(&bus->progress, bus->topic) > 0 : bus->settled;
}

static enum err wait_for_inbox(struct bus_kafka *bus, struct diag *diag)
{
	int64_t end_ms = now_ms(bus) + bus->setup.open_ms;

	while (!bus_ours(bus) && now_ms(bus) < end_ms) {
		bus->stash = next_message(bus, STEP_MS);
		outbox_pump(bus->outbox);
	}
	if (bus_ours(bus))
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
	kafka_topic(&bus->setup.kafka, "dead", bus->dead_topic);
	kafka_topic(&bus->setup.kafka, "events", bus->events_topic);
	err = outbox_open(&bus->setup.kafka, bus->wake, &bus->outbox, diag);
	if (err)
		return err;
	open_inquirer(bus);
	err = outbox_connect(bus->outbox, bus->setup.open_ms, diag);
	if (!err)
		err = need_topics(bus, diag);
	if (!err)
		err = events_open(&bus->setup.kafka, bus->wake, &bus->events, diag);
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

rd_kafka_t *bus_kafka_handle(struct bus *base, rd_kafka_type_t type)
{
	const struct bus_kafka *bus = (const struct bus_kafka *)base;

	return type == RD_KAFKA_CONSUMER ? bus->consumer.rk : outbox_client(bus->outbox)->rk;
}

bool bus_kafka_idle(struct bus *base, int64_t end)
{
	struct bus_kafka *bus = (struct bus_kafka *)base;
	rd_kafka_topic_partition_list_t *list;
	int64_t at;

	if (outbox_busy(bus->outbox) || bus->marked || bus->progress.acked->cnt)
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
		.inquire = kafka_inquire,
		.inquired = kafka_inquired,
		.forget = kafka_forget,
		.bury = kafka_bury,
		.replay = kafka_replay,
		.publish = kafka_publish,
		.crowded = kafka_crowded,
		.arrived = kafka_arrived,
		.owned = kafka_owned,
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
	progress_init(&bus->progress, setup->kafka.clock, bus->topic, bus->dead_topic);
	bus->waiting = rd_kafka_topic_partition_list_new(16);
	err = open_all(bus, diag);
	if (err) {
		kafka_close(&bus->base);
		return err;
	}
	*out = &bus->base;
	return OK;
}
