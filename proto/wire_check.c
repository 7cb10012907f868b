#include "proto/wire.h"

#include "base/utf8.h"

enum rule {
	TEXT,     /* UTF-8 */
	NEEDED,   /* UTF-8, and not empty */
	ANYTHING, /* bytes */
};

struct field {
	const char *name;
	struct slice value;
	size_t max;
	enum rule rule;
};

static enum err check_field(const struct field *field, struct diag *diag)
{
	if (field->value.len > field->max)
		return diag_set(diag, ERR_TOO_LARGE,
				"%s has %zu bytes, the limit is %zu: shorten it", field->name,
				field->value.len, field->max);
	if (field->rule == NEEDED && !field->value.len)
		return diag_set(diag, ERR_INVALID, "%s is missing", field->name);
	if (field->rule != ANYTHING && !utf8_valid(field->value))
		return diag_set(diag, ERR_INVALID, "%s is not UTF-8", field->name);
	return OK;
}

static enum err check_fields(const struct field *fields, size_t n, struct diag *diag)
{
	enum err err = OK;

	for (size_t i = 0; i < n && !err; i++)
		err = check_field(&fields[i], diag);
	return err;
}

static enum err check_command(const struct command_message *command, struct diag *diag)
{
	bool revoke = command->verb == MESSAGE_REVOKE;
	const struct field fields[] = {
		{"the command's id", command->id, WIRE_ID_MAX, NEEDED},
		{"the command's participant", command->participant, WIRE_NAME_MAX, NEEDED},
		{"the command's name", command->command, WIRE_NAME_MAX, revoke ? TEXT : NEEDED},
		{"the command's do_id", command->do_id, WIRE_ID_MAX,
		 command->verb == MESSAGE_DO ? TEXT : NEEDED},
		{"the command's saga_id", command->saga_id, WIRE_ID_MAX, NEEDED},
		{"the command's saga", command->saga, WIRE_NAME_MAX, NEEDED},
		{"the command's args", command->args, WIRE_PAYLOAD_MAX, ANYTHING},
		{"the command's output", command->output, WIRE_PAYLOAD_MAX, ANYTHING},
	};

	if ((unsigned int)command->verb > MESSAGE_REVOKE)
		return diag_set(diag, ERR_INVALID, "%d is no verb of a command",
				(int)command->verb);
	if (command->attempt < 1)
		return diag_set(diag, ERR_INVALID, "the command's attempt is missing");
	if (command->first_ms < 0 || command->timeout_ms < 0)
		return diag_set(diag, ERR_INVALID, "a time of the command is negative");
	return check_fields(fields, sizeof fields / sizeof *fields, diag);
}

static enum err check_reply(const struct reply_message *reply, struct diag *diag)
{
	const struct field fields[] = {
		{"the reply's id", reply->id, WIRE_ID_MAX, NEEDED},
		{"the reply's output", reply->output, WIRE_PAYLOAD_MAX, ANYTHING},
		{"the reply's code", reply->code, WIRE_ID_MAX, TEXT},
		{"the reply's text", reply->text, WIRE_TEXT_MAX, TEXT},
	};

	if ((unsigned int)reply->outcome > MESSAGE_EXPIRED)
		return diag_set(diag, ERR_INVALID, "%d is no outcome of a reply",
				(int)reply->outcome);
	if (reply->attempt < 1)
		return diag_set(diag, ERR_INVALID, "the reply's attempt is missing");
	return check_fields(fields, sizeof fields / sizeof *fields, diag);
}

static enum err check_start(const struct start_message *start, struct diag *diag)
{
	const struct field fields[] = {
		{"the start's saga", start->saga, WIRE_NAME_MAX, NEEDED},
		{"the start's version", start->version, WIRE_NAME_MAX, TEXT},
		{"the start's id", start->id, WIRE_ID_MAX, TEXT},
		{"the start's key", start->key, WIRE_ID_MAX, TEXT},
		{"the start's input", start->input, WIRE_PAYLOAD_MAX, ANYTHING},
		{"the start's actor", start->actor, WIRE_ID_MAX, TEXT},
	};

	return check_fields(fields, sizeof fields / sizeof *fields, diag);
}

static enum err check_signal(const struct signal_message *signal, struct diag *diag)
{
	const struct field fields[] = {
		{"the signal's saga_id", signal->saga_id, WIRE_ID_MAX, NEEDED},
		{"the signal's event", signal->event, WIRE_NAME_MAX, NEEDED},
		{"the signal's id", signal->id, WIRE_ID_MAX, TEXT},
		{"the signal's payload", signal->payload, WIRE_PAYLOAD_MAX, ANYTHING},
		{"the signal's actor", signal->actor, WIRE_ID_MAX, TEXT},
	};

	return check_fields(fields, sizeof fields / sizeof *fields, diag);
}

static enum err check_result(const struct result_message *result, struct diag *diag)
{
	const struct field fields[] = {
		{"the result's code", result->code, WIRE_ID_MAX, TEXT},
		{"the result's text", result->text, WIRE_TEXT_MAX, TEXT},
		{"the result's saga_id", result->saga_id, WIRE_ID_MAX, TEXT},
		{"the result's status", result->status, WIRE_NAME_MAX, TEXT},
	};

	return check_fields(fields, sizeof fields / sizeof *fields, diag);
}

static enum err check_hello(const struct hello *hello, struct diag *diag)
{
	const struct field fields[] = {
		{"the hello's participant", hello->participant, WIRE_NAME_MAX, TEXT},
		{"the hello's name", hello->name, WIRE_NAME_MAX, TEXT},
	};

	return check_fields(fields, sizeof fields / sizeof *fields, diag);
}

static enum err check_ended(const struct ended *ended, struct diag *diag)
{
	const struct field fields[] = {
		{"the ended saga's id", ended->saga_id, WIRE_ID_MAX, NEEDED},
		{"the ended saga's status", ended->status, WIRE_NAME_MAX, NEEDED},
	};

	return check_fields(fields, sizeof fields / sizeof *fields, diag);
}

static enum err check_inquiry(const struct inquiry_message *inquiry, struct diag *diag)
{
	const struct field after = {"the inquiry's after", inquiry->after, WIRE_ID_MAX, TEXT};
	enum err err = check_field(&after, diag);

	if (inquiry->n_ids > RECORDS_MAX || inquiry->limit > RECORDS_MAX)
		return diag_set(diag, ERR_TOO_LARGE,
				"the inquiry is for more than %d records: ask for fewer",
				RECORDS_MAX);
	if (!inquiry->n_ids && !inquiry->limit)
		return diag_set(diag, ERR_INVALID, "the inquiry's limit is missing");
	for (size_t i = 0; i < inquiry->n_ids && !err; i++)
		err = check_field(&(struct field){"an id of the inquiry", inquiry->ids[i],
						  WIRE_ID_MAX, NEEDED},
				  diag);
	return err;
}

static enum err check_records(const struct records_message *records, struct diag *diag)
{
	const struct field fields[] = {
		{"the records' next", records->next, WIRE_ID_MAX, TEXT},
		{"the records' trouble", records->trouble, WIRE_TEXT_MAX, TEXT},
	};
	enum err err = check_fields(fields, sizeof fields / sizeof *fields, diag);

	if (records->n > RECORDS_MAX)
		return diag_set(diag, ERR_TOO_LARGE, "there are more than %d records",
				RECORDS_MAX);
	for (size_t i = 0; i < records->n && !err; i++) {
		const struct record_message *record = &records->records[i];

		if ((unsigned int)record->state > RECORD_UNDONE)
			return diag_set(diag, ERR_INVALID, "%d is no state of a record",
					(int)record->state);
		err = check_field(
			&(struct field){"a record's id", record->id, WIRE_ID_MAX, NEEDED},
			diag);
	}
	return err;
}

static enum err check_text(const char *name, struct slice text, size_t max, struct diag *diag)
{
	const struct field field = {name, text, max, TEXT};

	return check_field(&field, diag);
}

enum err wire_check(const struct frame *frame, struct diag *diag)
{
	switch (frame->type) {
	case FRAME_HELLO: return check_hello(&frame->hello, diag);
	case FRAME_WELCOME:
		return check_text("the welcome's server", frame->welcome.server, WIRE_NAME_MAX,
				  diag);
	case FRAME_COMMAND: return check_command(&frame->command, diag);
	case FRAME_REPLY: return check_reply(&frame->reply, diag);
	case FRAME_SETTLED: return OK;
	case FRAME_REFUSE: return check_text("the refusal", frame->refuse, WIRE_TEXT_MAX, diag);
	case FRAME_START: return check_start(&frame->start, diag);
	case FRAME_SIGNAL: return check_signal(&frame->signal, diag);
	case FRAME_RESULT: return check_result(&frame->result, diag);
	case FRAME_ENDED: return check_ended(&frame->ended, diag);
	case FRAME_INQUIRY: return check_inquiry(&frame->inquiry, diag);
	case FRAME_RECORDS: return check_records(&frame->records, diag);
	}
	return diag_set(diag, ERR_INVALID,
			"the frame says nothing that version %d of the protocol knows",
			WIRE_NEWEST);
}
