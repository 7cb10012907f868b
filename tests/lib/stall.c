#include "tests/lib/stall.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static void start(struct stall *stall)
{
	stall->port = port_memory_open(stall->post, "stall");
	stall->participant = participant_open(stall->port, stall->barrier, &stall->clock.base,
					      STALL_HORIZON_MS);
	ck_assert(stall->port && stall->participant);
}

static void stop(struct stall *stall)
{
	skald_participant_free(stall->participant);
	port_close(stall->port);
}

void stall_open(struct stall *stall, bool marks)
{
	*stall = (struct stall){.post = post_new(), .host = host_new()};
	ck_assert(stall->post && stall->host);
	stall->bus = bus_memory_open(stall->post);
	stall->barrier = barrier_of(host_barrier(stall->host, marks));
	clock_sim_init(&stall->clock, STALL_NOW_MS);
	ck_assert(stall->bus && stall->barrier);
	start(stall);
}

void stall_close(struct stall *stall)
{
	stop(stall);
	barrier_close(stall->barrier);
	host_free(stall->host);
	bus_close(stall->bus);
	post_free(stall->post);
}

void stall_restart(struct stall *stall)
{
	stop(stall);
	start(stall);
}

void stall_on(struct stall *stall, const char *command, skald_handler *handler, void *context)
{
	ck_assert(skald_participant_on(stall->participant, command, handler, context));
}

void stall_send(struct stall *stall, const char *line)
{
	const char *space = strchr(line, ' '), *hash = strchr(line, '#');
	int verb_len = (int)(space - line);
	int name_len = hash ? (int)(hash - space) - 1 : (int)strlen(space + 1);
	char id[64], do_id[64];
	struct command_message message = {
		.id = {id, 0},
		.participant = SLICE_LITERAL("stall"),
		.command = {line, (size_t)verb_len},
		.saga_id = SLICE_LITERAL("saga-1"),
		.saga = SLICE_LITERAL("saga"),
		.attempt = hash ? (uint32_t)strtoul(hash + 1, NULL, 10) : 1,
		.first_ms = STALL_NOW_MS,
		.args = SLICE_LITERAL("{}")};

	snprintf(id, sizeof id, "%.*s/%.*s", name_len, space + 1, verb_len, line);
	snprintf(do_id, sizeof do_id, "%.*s/do", name_len, space + 1);
	message.id = slice_of(id);
	if (*line != 'd') {
		message.verb = *line == 'r' ? MESSAGE_REVOKE : MESSAGE_UNDO;
		message.do_id = slice_of(do_id);
	}
	ck_assert_int_eq(bus_send(stall->bus, &message), OK);
}

/* "a/do" is told as "do a". */
static void tell(struct stall *stall, const struct reply_message *reply)
{
	static const char *const outcomes[] = {"ok", "refused", "failed", "expired"};
	size_t used = strlen(stall->replies);
	const char *slash = memchr(reply->id.at, '/', reply->id.len);
	int name_len = (int)(slash - reply->id.at);

	snprintf(stall->replies + used, sizeof stall->replies - used,
		 "%s%.*s %.*s#%u %s%s%.*s%s%.*s", used ? ", " : "",
		 (int)reply->id.len - name_len - 1, slash + 1, name_len, reply->id.at,
		 (unsigned int)reply->attempt, outcomes[reply->outcome],
		 reply->output.len ? " " : "", SLICE_ARG(reply->output),
		 reply->code.len ? " " : "", SLICE_ARG(reply->code));
}

const char *stall_poll(struct stall *stall)
{
	struct inbox_message message;

	skald_participant_poll(stall->participant);
	stall->replies[0] = '\0';
	while (bus_poll(stall->bus, &message))
		tell(stall, &message.reply);
	bus_acknowledge(stall->bus);
	return stall->replies;
}
