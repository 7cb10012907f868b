#include "bus/kafka/progress.h"

#include <assert.h>
#include <stdlib.h>

struct again {
	struct again *next;
	rd_kafka_message_t *message;
	const char *topic;
	int64_t due_ms;
};

void progress_init(struct progress *progress, const struct clock *clock, const char *inbox,
		   const char *dead)
{
	*progress = (struct progress){
		.clock = clock,
		.topics = {inbox, dead},
		.first = 1,
		.acked = rd_kafka_topic_partition_list_new(16),
	};
	progress->again_end = &progress->again;
}

/* Our own text for a topic's name; NULL: it is none of ours. */
static const char *topic_of(const struct progress *progress, const char *name)
{
	for (int i = 0; i < 2; i++)
		if (strcmp(progress->topics[i], name) == 0)
			return progress->topics[i];
	return NULL;
}

/* --- partitions ------------------------------------------------------------------- */

static struct shard *find_shard(const struct progress *progress, const char *topic,
				int32_t partition)
{
	for (size_t i = 0; i < progress->n_shards; i++)
		if (progress->shards[i].topic == topic &&
		    progress->shards[i].partition == partition)
			return &progress->shards[i];
	return NULL;
}

bool progress_has(const struct progress *progress, const char *topic, int32_t partition)
{
	return find_shard(progress, topic, partition) != NULL;
}

size_t progress_count(const struct progress *progress, const char *topic)
{
	size_t n = 0;

	for (size_t i = 0; i < progress->n_shards; i++)
		n += progress->shards[i].topic == topic;
	return n;
}

void progress_gain(struct progress *progress, const rd_kafka_topic_partition_list_t *partitions)
{
	size_t n = progress->n_shards + (size_t)partitions->cnt;
	struct shard *shards = realloc(progress->shards, (n + 1) * sizeof *shards);

	if (!shards)
		return; /* then nothing of them is committed, and comes again */
	progress->shards = shards;
	for (int i = 0; i < partitions->cnt; i++) {
		const rd_kafka_topic_partition_t *entry = &partitions->elems[i];
		const char *topic = topic_of(progress, entry->topic);

		if (topic && !find_shard(progress, topic, entry->partition))
			shards[progress->n_shards++] =
				(struct shard){topic, entry->partition, -1};
	}
}

static void drop_again(struct progress *progress, const char *topic, int32_t partition)
{
	struct again **link = &progress->again;

	while (*link) {
		struct again *again = *link;

		if (again->topic != topic || again->message->partition != partition) {
			link = &again->next;
			continue;
		}
		*link = again->next;
		rd_kafka_message_destroy(again->message);
		free(again);
		progress->n_again--;
	}
	progress->again_end = link;
}

static void lose_one(struct progress *progress, const char *topic, int32_t partition)
{
	struct shard *shard = find_shard(progress, topic, partition);

	if (shard)
		*shard = progress->shards[--progress->n_shards];
	drop_again(progress, topic, partition);
	for (size_t i = 0; i < progress->n_taken; i++)
		if (progress->taken[i].topic == topic &&
		    progress->taken[i].message->partition == partition)
			progress->taken[i].topic = NULL;
	rd_kafka_topic_partition_list_del(progress->acked, topic, partition);
}

void progress_lose(struct progress *progress, const rd_kafka_topic_partition_list_t *partitions)
{
	for (int i = 0; i < partitions->cnt; i++) {
		const char *topic = topic_of(progress, partitions->elems[i].topic);

		if (topic)
			lose_one(progress, topic, partitions->elems[i].partition);
	}
}

void progress_lose_all(struct progress *progress)
{
	while (progress->n_shards)
		lose_one(progress, progress->shards[0].topic, progress->shards[0].partition);
}

/* --- taking ----------------------------------------------------------------------- */

bool progress_full(const struct progress *progress)
{
	return progress->n_taken >= PROGRESS_TAKEN_MAX ||
	       progress->taken_bytes >= PROGRESS_TAKEN_BYTES_MAX ||
	       progress->n_again >= PROGRESS_AGAIN_MAX;
}

struct taken *progress_take(struct progress *progress, rd_kafka_message_t *message)
{
	size_t capacity = progress->taken_capacity ? 2 * progress->taken_capacity : 64;
	struct taken *taken;

	if (progress->n_taken == progress->taken_capacity) {
		taken = realloc(progress->taken, capacity * sizeof *taken);
		if (!taken)
			return NULL;
		progress->taken = taken;
		progress->taken_capacity = capacity;
	}
	taken = &progress->taken[progress->n_taken++];
	*taken = (struct taken){message, topic_of(progress, rd_kafka_topic_name(message->rkt)),
				false};
	progress->taken_bytes += message->len;
	return taken;
}

void progress_untake(struct progress *progress)
{
	progress->taken_bytes -= progress->taken[--progress->n_taken].message->len;
}

struct taken *progress_find(const struct progress *progress, uint64_t origin)
{
	if (origin < progress->first || origin - progress->first >= progress->n_taken)
		return NULL;
	return &progress->taken[origin - progress->first];
}

rd_kafka_message_t *progress_again(struct progress *progress)
{
	struct again *again = progress->again;
	rd_kafka_message_t *message;

	if (!again || again->due_ms > clock_monotonic_ms(progress->clock))
		return NULL;
	message = again->message;
	progress->again = again->next;
	if (!progress->again)
		progress->again_end = &progress->again;
	progress->n_again--;
	free(again);
	return message;
}

/* --- acknowledging ---------------------------------------------------------------- */

/* Out of memory: it is gone here, and its partition is not committed beyond it, so
 * that it comes again some time. */
static void take_again(struct progress *progress, const struct taken *taken)
{
	struct again *again = malloc(sizeof *again);

	if (!again) {
		rd_kafka_message_destroy(taken->message);
		return;
	}
	*again = (struct again){NULL, taken->message, taken->topic,
				clock_monotonic_ms(progress->clock) + PROGRESS_AGAIN_MS};
	*progress->again_end = again;
	progress->again_end = &again->next;
	progress->n_again++;
}

static void acknowledge(struct progress *progress, const struct taken *taken)
{
	rd_kafka_message_t *message = taken->message;
	struct shard *shard =
		taken->topic ? find_shard(progress, taken->topic, message->partition) : NULL;

	if (shard && shard->next <= message->offset)
		shard->next = message->offset + 1;
	if (shard && taken->again)
		take_again(progress, taken);
	else
		rd_kafka_message_destroy(message);
}

static void set_offset(rd_kafka_topic_partition_list_t *list, const struct shard *shard)
{
	rd_kafka_topic_partition_t *entry =
		rd_kafka_topic_partition_list_find(list, shard->topic, shard->partition);

	if (!entry)
		entry = rd_kafka_topic_partition_list_add(list, shard->topic, shard->partition);
	entry->offset = shard->next;
}

/* How far each partition is done with. */
static void note_progress(struct progress *progress)
{
	for (size_t i = 0; i < progress->n_shards; i++)
		if (progress->shards[i].next >= 0)
			set_offset(progress->acked, &progress->shards[i]);
	for (const struct again *again = progress->again; again; again = again->next) {
		rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_find(
			progress->acked, again->topic, again->message->partition);

		if (entry && entry->offset > again->message->offset)
			entry->offset = again->message->offset;
	}
}

bool progress_acknowledge(struct progress *progress)
{
	if (!progress->n_taken)
		return false;
	for (size_t i = 0; i < progress->n_taken; i++)
		acknowledge(progress, &progress->taken[i]);
	progress->first += progress->n_taken;
	progress->n_taken = 0;
	progress->taken_bytes = 0;
	note_progress(progress);
	return true;
}

void progress_drop(struct progress *progress)
{
	for (size_t i = 0; i < progress->n_taken; i++)
		rd_kafka_message_destroy(progress->taken[i].message);
	progress->n_taken = 0;
	while (progress->again)
		drop_again(progress, progress->again->topic,
			   progress->again->message->partition);
}

void progress_release(struct progress *progress)
{
	progress_drop(progress);
	rd_kafka_topic_partition_list_destroy(progress->acked);
	free(progress->shards);
	free(progress->taken);
}
