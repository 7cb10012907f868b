#include "tests/sim/line.h"

#include <assert.h>
#include <stdlib.h>

enum { ARRIVED_MAX = 16 * 1024 * 1024 };

struct parcel {
	struct parcel *next;
	size_t len;
	char bytes[];
};

struct line *line_new(const struct transport *transport, struct line *next)
{
	struct line *line = calloc(1, sizeof *line);

	assert(line);
	line->transport = transport;
	line->next = next;
	for (int end = 0; end < LINE_ENDS; end++) {
		line->ways[end].last = &line->ways[end].first;
		line->ways[end].arrived = STREAM(ARRIVED_MAX);
	}
	return line;
}

static struct parcel *take_parcel(struct line_way *way)
{
	struct parcel *parcel = way->first;

	if (!parcel)
		return NULL;
	way->first = parcel->next;
	if (!way->first)
		way->last = &way->first;
	return parcel;
}

static void drop_parcels(struct line_way *way)
{
	struct parcel *parcel;

	while ((parcel = take_parcel(way)))
		free(parcel);
}

void line_free(struct line *line)
{
	for (int end = 0; end < LINE_ENDS; end++) {
		drop_parcels(&line->ways[end]);
		bytes_release(&line->ways[end].arrived.bytes);
	}
	free(line);
}

bool line_is_gone(const struct line *line)
{
	return !line->n_planned && !line->owners[LINE_HUB] && !line->owners[LINE_PEER];
}

/* The next parcel of this way is there. */
static void arrive(void *context, uint64_t argument)
{
	struct line *line = context;
	enum line_end end = (enum line_end)argument;
	struct line_way *way = &line->ways[end];
	struct parcel *parcel = take_parcel(way);

	line->n_planned--;
	if (!parcel)
		return; /* the line broke since */
	if (line->owners[end]) {
		stream_tidy(&way->arrived);
		bytes_append(&way->arrived.bytes, (struct slice){parcel->bytes, parcel->len});
		assert(!way->arrived.bytes.err);
		line->woken(line, end);
	}
	free(parcel);
}

static int64_t arrival_ms(struct line_way *way, const struct transport *transport)
{
	int64_t at_ms = transport->setup.clock->monotonic_ms + transport_delay_ms(transport);

	if (way->last_ms < at_ms)
		way->last_ms = at_ms;
	return way->last_ms;
}

static void send_parcel(struct line *line, enum line_end to, struct slice bytes)
{
	struct line_way *way = &line->ways[to];
	struct parcel *parcel = malloc(sizeof *parcel + bytes.len);

	assert(parcel);
	parcel->next = NULL;
	parcel->len = bytes.len;
	memcpy(parcel->bytes, bytes.at, bytes.len);
	line->n_planned++;
	*way->last = parcel;
	way->last = &parcel->next;
	agenda_add(line->transport->setup.agenda, arrival_ms(way, line->transport), arrive,
		   line, to);
}

size_t line_send(struct line *line, enum line_end to, struct slice bytes)
{
	struct line_way *way = &line->ways[to];
	size_t room = line->transport->setup.line_bytes, sent = 0;

	if (line->cut)
		return bytes.len; /* it seems to go, and is lost */
	room = room > way->under_way ? room - way->under_way : 0;
	if (bytes.len > room)
		bytes.len = room;
	while (sent < bytes.len) {
		size_t rest = bytes.len - sent, n = rest;

		if (random_percent(line->transport->setup.random, 20))
			n = 1 + random_below(line->transport->setup.random, (uint32_t)rest);
		send_parcel(line, to, (struct slice){bytes.at + sent, n});
		sent += n;
	}
	way->under_way += sent;
	return sent;
}

struct slice line_arrived(const struct line *line, enum line_end end)
{
	return stream_slice(&line->ways[end].arrived);
}

static enum line_end other(enum line_end end)
{
	return end == LINE_HUB ? LINE_PEER : LINE_HUB;
}

void line_taken(struct line *line, enum line_end end, size_t n)
{
	struct line_way *way = &line->ways[end];
	bool full = way->under_way >= line->transport->setup.line_bytes;

	stream_take(&way->arrived, n);
	way->under_way -= n;
	if (full && line->owners[other(end)])
		line->woken(line, other(end));
}

static void learn(void *context, uint64_t argument)
{
	struct line *line = context;
	enum line_end end = (enum line_end)argument;

	line->n_planned--;
	line->ways[end].over = true;
	if (line->owners[end])
		line->woken(line, end);
}

static void tell(struct line *line, enum line_end end)
{
	line->n_planned++;
	agenda_add(line->transport->setup.agenda, arrival_ms(&line->ways[end], line->transport),
		   learn, line, end);
}

void line_leave(struct line *line, enum line_end end)
{
	line->owners[end] = NULL;
	drop_parcels(&line->ways[end]);
	stream_clear(&line->ways[end].arrived);
	if (line->owners[other(end)] && !line->cut)
		tell(line, other(end));
	line->cut = true;
}

void line_break(struct line *line)
{
	if (line->cut)
		return;
	line->cut = true;
	for (int end = 0; end < LINE_ENDS; end++) {
		drop_parcels(&line->ways[end]);
		tell(line, (enum line_end)end);
	}
}
