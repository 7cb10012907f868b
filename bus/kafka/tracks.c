#include "bus/kafka/tracks.h"

#include <stdlib.h>

/* --- errands ------------------------------------------------------------------------ */

void errand_free(struct errand *errand)
{
	free(errand->polled.command);
	free(errand);
}

void errands_init(struct errands *list)
{
	*list = (struct errands){NULL, &list->first, 0};
}

void errands_add(struct errands *list, struct errand *errand)
{
	errand->next = NULL;
	*list->end = errand;
	list->end = &errand->next;
	list->n++;
}

struct errand *errands_take(struct errands *list)
{
	struct errand *errand = list->first;

	if (!errand)
		return NULL;
	list->first = errand->next;
	if (!list->first)
		list->end = &list->first;
	list->n--;
	return errand;
}

/* --- tracks -------------------------------------------------------------------------- */

static struct track **find(struct tracks *tracks, int32_t partition)
{
	struct track **link = &tracks->first;

	while (*link && (*link)->partition != partition)
		link = &(*link)->next;
	return link;
}

struct track *tracks_open(struct tracks *tracks, int32_t partition)
{
	struct track *track = *find(tracks, partition);

	if (track)
		return track;
	track = calloc(1, sizeof *track);
	if (!track)
		return NULL;
	track->partition = partition;
	track->done = -1;
	track->next = tracks->first;
	tracks->first = track;
	return track;
}

static void forget_fresh(const struct track *track, struct errands *fresh)
{
	struct errand *errand = fresh->first, *next;

	errands_init(fresh);
	for (; errand; errand = next) {
		next = errand->next;
		if (errand->track != track)
			errands_add(fresh, errand);
		else
			errand->done = true; /* and freed with its track */
	}
}

void tracks_close(struct tracks *tracks, int32_t partition, struct errands *fresh)
{
	struct track **link = find(tracks, partition), *track = *link;
	struct errand *errand;

	if (!track)
		return;
	*link = track->next;
	forget_fresh(track, fresh);
	while ((errand = track->first)) {
		track->first = errand->next_in_track;
		errand->track = NULL;
		if (errand->done)
			errand_free(errand);
	}
	free(track);
}

void track_add(struct track *track, struct errand *errand)
{
	errand->track = track;
	if (track->last)
		track->last->next_in_track = errand;
	else
		track->first = errand;
	track->last = errand;
}

void track_finish(struct errand *errand)
{
	struct track *track = errand->track;

	errand->done = true;
	if (!track) {
		errand_free(errand);
		return;
	}
	while (track->first && track->first->done) {
		struct errand *first = track->first;

		track->first = first->next_in_track;
		track->done = first->offset + 1;
		track->dirty = true;
		errand_free(first);
	}
	if (!track->first)
		track->last = NULL;
}

void tracks_untake(struct tracks *tracks, int32_t partition, int64_t offset)
{
	struct track *track = *find(tracks, partition);
	struct errand *errand = track ? track->first : NULL, *before = NULL;

	while (errand && errand->next_in_track) {
		before = errand;
		errand = errand->next_in_track;
	}
	if (!errand || errand->offset != offset)
		return;
	if (before)
		before->next_in_track = NULL;
	else
		track->first = NULL;
	track->last = before;
	errand_free(errand);
}

void tracks_release(struct tracks *tracks)
{
	while (tracks->first) {
		struct track *track = tracks->first;
		struct errand *errand;

		tracks->first = track->next;
		while ((errand = track->first)) {
			track->first = errand->next_in_track;
			errand_free(errand);
		}
		free(track);
	}
}
