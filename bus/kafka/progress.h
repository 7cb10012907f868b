/* progress.h - what the orchestrator has taken from its topics, and how far each of
 * their partitions is done with.
 *
 * A message is taken, decided, and acknowledged; or it is to come again a little later,
 * and until then its partition counts as done up to it. What is taken from somebody
 * loses its account: whoever has the partition then reads it again.
 */
#ifndef SKALD_BUS_KAFKA_PROGRESS_H
#define SKALD_BUS_KAFKA_PROGRESS_H

#include "bus/kafka/kafka.h"

enum {
	PROGRESS_TAKEN_MAX = 20000,                  /* messages not acknowledged, */
	PROGRESS_TAKEN_BYTES_MAX = 64 * 1024 * 1024, /* and their bytes */
	PROGRESS_AGAIN_MAX = 10000, /* those that the orchestrator was too busy for */
	PROGRESS_AGAIN_MS = 1000,   /* until it is asked again */
};

/* A partition that is ours. */
struct shard {
	const char *topic; /* one of those that we read */
	int32_t partition;
	int64_t next; /* all before it is acknowledged, or waits in `again`; -1: none */
};

/* A message, from when it was polled until what becomes of it is stored. */
struct taken {
	rd_kafka_message_t *message;
	const char *topic; /* likewise; NULL: its partition is somebody else's now */
	bool again;        /* the orchestrator was too busy for it */
};

struct progress {
	const struct clock *clock;
	const char *topics[2]; /* that we read; of the opener */
	struct shard *shards;
	size_t n_shards;
	struct taken *taken;
	size_t n_taken, taken_capacity, taken_bytes;
	uint64_t first; /* the origin of taken[0]; 0 is nobody's */
	struct again *again, **again_end;
	size_t n_again;
	rd_kafka_topic_partition_list_t *acked; /* what may be committed */
};

void progress_init(struct progress *progress, const struct clock *clock, const char *inbox,
		   const char *dead);

/* Give all messages back, as has to be done before their consumer is closed. */
void progress_drop(struct progress *progress);
void progress_release(struct progress *progress);

/* --- partitions ------------------------------------------------------------------- */

void progress_gain(struct progress *progress,
		   const rd_kafka_topic_partition_list_t *partitions);

/* What was polled of them is still decided, and then counts for nothing. */
void progress_lose(struct progress *progress,
		   const rd_kafka_topic_partition_list_t *partitions);
void progress_lose_all(struct progress *progress);

bool progress_has(const struct progress *progress, const char *topic, int32_t partition);
size_t progress_count(const struct progress *progress, const char *topic);

/* --- messages --------------------------------------------------------------------- */

/* No more is to be taken before something is acknowledged. */
bool progress_full(const struct progress *progress);

/* Takes the message; its origin is first + n_taken - 1. NULL: out of memory, and it is
 * still the caller's. */
struct taken *progress_take(struct progress *progress, rd_kafka_message_t *message);

/* Give the last one back. */
void progress_untake(struct progress *progress);

/* The one of that origin; NULL: it is acknowledged, or none was. */
struct taken *progress_find(const struct progress *progress, uint64_t origin);

/* One that is due again; NULL: none is. */
rd_kafka_message_t *progress_again(struct progress *progress);

/* All that was taken is dealt with: what may be committed is in `acked`. False: there
 * was nothing. */
bool progress_acknowledge(struct progress *progress);

#endif
