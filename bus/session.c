#include "bus/session.h"

#include "bus/polled.h"
#include "bus/stream.h"
#include "proto/message_copy.h"
#include "proto/wire.h"

#include <stdlib.h>

/* So much output is made ready at a time; see session_output. */
enum { OUT_BYTES = 256 * 1024 };

/* A frame that is not whole yet and what was read with its end, twice. */
enum { IN_BYTES_MAX = 4 * (WIRE_LENGTH_SIZE + WIRE_FRAME_MAX) };

/* A command, from when it came until it is answered. */
struct errand {
	struct polled polled; /* first */
	struct errand *next;  /* of those that were not */
};

/* An inquiry that was not polled. */
struct question {
	struct question *next;
	struct inquiry_message *inquiry;
};

/* A reply, until it is settled. */
struct kept {
	struct kept *next;
	size_t len;
	char frame[];
};

struct session {
	struct session_setup setup;
	struct stream in, out;
	struct arena arena; /* of one frame */
	bool welcome;
	struct errand *fresh, **fresh_end; /* commands that were not polled */
	struct errand *again; /* those whose reply could not be kept, newest first */
	struct table polled;
	size_t n_fresh;
	struct kept *kept, **kept_end;
	struct kept **unsent; /* where the first one hangs that is not in `out` yet */
	size_t n_kept, kept_bytes;
	uint64_t settled;                            /* of this connection */
	uint64_t sent;                               /* replies, likewise */
	struct question *questions, **questions_end; /* likewise */
	size_t n_questions;
	struct inquiry_message *polled_inquiry;
};

/* --- commands ---------------------------------------------------------------------- */

static void free_errand(struct errand *errand)
{
	free(errand->polled.command);
	free(errand);
}

static void free_errands(struct errand *errand)
{
	while (errand) {
		struct errand *next = errand->next;

		free_errand(errand);
		errand = next;
	}
}

static void take_again(struct session *session)
{
	while (session->again) {
		struct errand *errand = session->again;

		session->again = errand->next;
		errand->next = session->fresh;
		session->fresh = errand;
		if (!errand->next)
			session->fresh_end = &errand->next;
		session->n_fresh++;
	}
}

static void drop_fresh(struct session *session)
{
	take_again(session);
	free_errands(session->fresh);
	session->fresh = NULL;
	session->fresh_end = &session->fresh;
	session->n_fresh = 0;
}

static struct errand *find_polled(const struct session *session, struct slice id,
				  uint32_t attempt_max)
{
	return (struct errand *)polled_find(&session->polled, id, attempt_max);
}

/* It is being worked on, or a later attempt is, whose reply settles this one, too. */
static bool is_polled(const struct session *session, const struct command_message *command)
{
	const struct errand *newest = find_polled(session, command->id, UINT32_MAX);

	return newest && newest->polled.command->attempt >= command->attempt;
}

/* One that is being worked on already came again because a connection was lost. */
static enum err take_command(struct session *session, const struct command_message *command,
			     struct diag *diag)
{
	struct errand *errand;

	if (is_polled(session, command))
		return OK;
	if (session->n_fresh + session->polled.n >= SESSION_COMMANDS_MAX)
		return diag_set(diag, ERR_TOO_LARGE,
				"more than %d commands came without an answer",
				SESSION_COMMANDS_MAX);
	errand = calloc(1, sizeof *errand);
	if (!errand)
		return ERR_NOMEM;
	errand->polled.command = command_message_copy(command);
	if (!errand->polled.command) {
		free(errand);
		return ERR_NOMEM;
	}
	*session->fresh_end = errand;
	session->fresh_end = &errand->next;
	session->n_fresh++;
	return OK;
}

/* NULL: there is none. */
static struct errand *take_fresh(struct session *session)
{
	struct errand *errand = session->fresh;

	if (!errand)
		return NULL;
	session->fresh = errand->next;
	if (!session->fresh)
		session->fresh_end = &session->fresh;
	session->n_fresh--;
	return errand;
}

bool session_poll(struct session *session, struct command_message *out)
{
	struct errand *errand;

	while ((errand = take_fresh(session)) && is_polled(session, errand->polled.command))
		free_errand(errand);
	if (!errand) {
		take_again(session);
		return false;
	}
	table_add(&session->polled, &errand->polled.by_id,
		  table_hash(errand->polled.command->id));
	*out = *errand->polled.command;
	return true;
}

bool session_has_command(const struct session *session)
{
	return session->fresh != NULL || session->questions != NULL;
}

/* --- inquiries --------------------------------------------------------------------- */

static enum err take_inquiry(struct session *session, const struct inquiry_message *inquiry,
			     struct diag *diag)
{
	struct question *question;

	if (session->n_questions >= SESSION_INQUIRIES_MAX)
		return diag_set(diag, ERR_TOO_LARGE,
				"more than %d inquiries came without an answer",
				SESSION_INQUIRIES_MAX);
	question = malloc(sizeof *question);
	if (!question)
		return ERR_NOMEM;
	*question = (struct question){.inquiry = inquiry_message_copy(inquiry)};
	if (!question->inquiry) {
		free(question);
		return ERR_NOMEM;
	}
	*session->questions_end = question;
	session->questions_end = &question->next;
	session->n_questions++;
	return OK;
}

/* Those of a connection that is gone need no answer. */
bool session_inquiry(struct session *session, struct inquiry_message *out)
{
	struct question *question = session->questions;

	free(session->polled_inquiry);
	session->polled_inquiry = NULL;
	if (!question)
		return false;
	session->questions = question->next;
	if (!question->next)
		session->questions_end = &session->questions;
	session->n_questions--;
	session->polled_inquiry = question->inquiry;
	*out = *question->inquiry;
	free(question);
	return true;
}

static void drop_inquiries(struct session *session)
{
	struct inquiry_message inquiry;

	while (session_inquiry(session, &inquiry))
		;
}

void session_records(struct session *session, const struct records_message *records)
{
	const struct frame frame = {.type = FRAME_RECORDS, .records = *records};

	if (!session->polled_inquiry || session->polled_inquiry->request != records->request)
		return; /* the connection was lost meanwhile */
	stream_tidy(&session->out);
	if (wire_write(&frame, &session->out.bytes, NULL))
		session->out.bytes.err = OK; /* it is asked for again */
}

/* --- replies ----------------------------------------------------------------------- */

static enum err keep(struct session *session, const struct reply_message *reply)
{
	const struct frame frame = {.type = FRAME_REPLY, .reply = *reply};
	struct bytes bytes = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, &session->arena);
	struct kept *kept;
	enum err err;

	if (session->n_kept >= SESSION_KEPT_MAX ||
	    session->kept_bytes >= SESSION_KEPT_BYTES_MAX)
		return ERR_BUSY;
	arena_reset(&session->arena);
	err = wire_write(&frame, &bytes, NULL);
	if (err)
		return err;
	kept = malloc(sizeof *kept + bytes.len);
	if (!kept)
		return ERR_NOMEM;
	kept->next = NULL;
	kept->len = bytes.len;
	memcpy(kept->frame, bytes.at, bytes.len);
	*session->kept_end = kept;
	session->kept_end = &kept->next;
	session->n_kept++;
	session->kept_bytes += kept->len;
	return OK;
}

enum err session_reply(struct session *session, const struct reply_message *reply)
{
	enum err err = keep(session, reply);
	struct errand *errand = find_polled(session, reply->id, reply->attempt);
	struct errand *settled = NULL;

	if (err) {
		/* Its command comes again, but not in this round. */
		if (errand && err_retriable(err)) {
			table_remove(&session->polled, &errand->polled.by_id);
			errand->next = session->again;
			session->again = errand;
		}
		return err;
	}
	/* The reply may well point at the texts of one of them. */
	for (; errand; errand = find_polled(session, reply->id, reply->attempt)) {
		table_remove(&session->polled, &errand->polled.by_id);
		errand->next = settled;
		settled = errand;
	}
	free_errands(settled);
	return OK;
}

static void drop_kept(struct session *session)
{
	struct kept *kept = session->kept;

	session->kept = kept->next;
	if (session->kept_end == &kept->next)
		session->kept_end = &session->kept;
	if (session->unsent == &kept->next)
		session->unsent = &session->kept;
	session->n_kept--;
	session->kept_bytes -= kept->len;
	free(kept);
}

static enum err take_settled(struct session *session, uint64_t settled, struct diag *diag)
{
	if (settled < session->settled || settled > session->sent)
		return diag_set(diag, ERR_INVALID,
				"the orchestrator settles replies that it was not sent");
	for (; session->settled < settled; session->settled++)
		drop_kept(session);
	return OK;
}

size_t session_kept(const struct session *session)
{
	return session->n_kept;
}

/* --- the connection ---------------------------------------------------------------- */

void session_lost(struct session *session)
{
	drop_fresh(session);
	drop_inquiries(session);
	stream_clear(&session->in);
	stream_clear(&session->out);
	session->welcome = false;
	session->settled = session->sent = 0;
	session->unsent = &session->kept;
}

/* A hello that there is no memory for is missed by the other side. */
void session_connected(struct session *session)
{
	const struct frame hello = {
		.type = FRAME_HELLO,
		.hello = {WIRE_VERSION, slice_of(session->setup.participant),
			  session->setup.window, slice_of(session->setup.name), WIRE_NEWEST}};
	enum err err;

	session_lost(session);
	err = wire_write(&hello, &session->out.bytes, NULL);
	if (err)
		stream_clear(&session->out);
}

static enum err take_frame(struct session *session, const struct frame *frame,
			   struct diag *diag)
{
	if (frame->type == FRAME_REFUSE)
		return diag_set(diag, ERR_UNAVAILABLE,
				"the orchestrator refuses the connection: %.*s",
				SLICE_ARG(frame->refuse));
	if (!session->welcome) {
		session->welcome = frame->type == FRAME_WELCOME;
		return session->welcome ? OK
					: diag_set(diag, ERR_INVALID, "no welcome came first");
	}
	if (frame->type == FRAME_COMMAND)
		return take_command(session, &frame->command, diag);
	if (frame->type == FRAME_SETTLED)
		return take_settled(session, frame->settled, diag);
	if (frame->type == FRAME_INQUIRY)
		return take_inquiry(session, &frame->inquiry, diag);
	return diag_set(diag, ERR_INVALID, "a frame came that is not for a participant");
}

static enum err take_frames(struct session *session, struct diag *diag)
{
	struct slice bytes;
	struct frame frame;
	enum err err;

	while (!(err = wire_first(stream_slice(&session->in), &bytes))) {
		arena_reset(&session->arena);
		err = wire_read(bytes, &session->arena, &frame, diag);
		if (!err)
			err = take_frame(session, &frame, diag);
		if (err)
			return err;
		stream_take(&session->in, WIRE_LENGTH_SIZE + bytes.len);
	}
	if (err == ERR_NOT_FOUND)
		return OK;
	return diag_set(diag, err, "what came from the orchestrator are no frames");
}

enum err session_receive(struct session *session, struct slice bytes, struct diag *diag)
{
	stream_tidy(&session->in);
	bytes_append(&session->in.bytes, bytes);
	if (session->in.bytes.err)
		return diag_set(diag, session->in.bytes.err,
				"there is no memory for what came");
	return take_frames(session, diag);
}

/* Replies move into `out` as it empties: what is kept need not be there twice. */
struct slice session_output(struct session *session)
{
	struct stream *out = &session->out;

	while (*session->unsent && session->welcome && stream_slice(out).len < OUT_BYTES) {
		struct kept *kept = *session->unsent;

		stream_tidy(out);
		bytes_append(&out->bytes, (struct slice){kept->frame, kept->len});
		if (out->bytes.err) {
			out->bytes.err = OK; /* it is tried again */
			break;
		}
		session->unsent = &kept->next;
		session->sent++;
	}
	return stream_slice(out);
}

void session_sent(struct session *session, size_t n)
{
	stream_take(&session->out, n);
}

bool session_welcome(const struct session *session)
{
	return session->welcome;
}

/* --- all of it --------------------------------------------------------------------- */

struct session *session_new(const struct session_setup *setup)
{
	struct session *session = calloc(1, sizeof *session);

	if (!session)
		return NULL;
	if (!table_init(&session->polled)) {
		free(session);
		return NULL;
	}
	session->setup = *setup;
	session->in = STREAM(IN_BYTES_MAX);
	session->out = STREAM(2 * (OUT_BYTES + WIRE_FRAME_MAX));
	session->fresh_end = &session->fresh;
	session->questions_end = &session->questions;
	session->kept_end = session->unsent = &session->kept;
	return session;
}

static void free_polled(void *context, struct table_node *node)
{
	free_errand((struct errand *)node);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	drop_fresh(session);
	drop_inquiries(session);
	table_visit(&session->polled, free_polled, NULL);
	table_release(&session->polled);
	while (session->kept)
		drop_kept(session);
	arena_release(&session->arena);
	bytes_release(&session->in.bytes);
	bytes_release(&session->out.bytes);
	free(session);
}
