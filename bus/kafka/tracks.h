/* tracks.h - what a participant has taken, partition by partition.
 *
 * A track is a partition that is ours. Its messages may be answered in any order, but
 * count as read in theirs: up to the first one that is not answered. One whose
 * partition is lost may still be answered, and then counts for nothing.
 */
#ifndef SKALD_BUS_KAFKA_TRACKS_H
#define SKALD_BUS_KAFKA_TRACKS_H

#include "bus/kafka/kafka.h"
#include "bus/polled.h"

struct track {
	struct track *next;
	int32_t partition;
	struct errand *first, *last; /* in the order of the offsets */
	int64_t done;                /* all before it is answered; -1: nothing is */
	bool dirty;                  /* and that is not stored yet */
};

struct tracks {
	struct track *first;
};

/* A message, until it is answered and so are those before it. */
struct errand {
	struct polled polled; /* first; its command is NULL: none, or it is answered */
	struct errand *next;  /* of a list, or answered by the same reply */
	struct errand *next_in_track;
	struct track *track; /* NULL: its partition is somebody else's now */
	int64_t offset;
	bool done;
	int32_t reply_partition; /* -1: none was asked for */
	char trace[KAFKA_TRACE_SIZE];
};

void errand_free(struct errand *errand);

/* Errands in the order in which they came. */
struct errands {
	struct errand *first, **end;
	size_t n;
};

void errands_init(struct errands *list);
void errands_add(struct errands *list, struct errand *errand);

/* The first one, taken out; NULL: none. */
struct errand *errands_take(struct errands *list);

/* That of the partition, made where it is missing. NULL: out of memory. */
struct track *tracks_open(struct tracks *tracks, int32_t partition);

/* The partition is lost. Those of `fresh` that are of it, which nobody has seen, are
 * forgotten. */
void tracks_close(struct tracks *tracks, int32_t partition, struct errands *fresh);

void track_add(struct track *track, struct errand *errand);

/* It needs no answer any more, and may be freed. */
void track_finish(struct errand *errand);

/* The last of its track is to be taken again: forget it. */
void tracks_untake(struct tracks *tracks, int32_t partition, int64_t offset);

/* With the errands that are in them. */
void tracks_release(struct tracks *tracks);

#endif
