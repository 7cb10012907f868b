#include "proto/wire.h"

#include <skald.pb-c.h>

#include <assert.h>

/* The generated code knows texts as bytes: see the Makefile. On the wire the two
 * are the same, and so nothing has to be terminated, nor ends at a NUL. */
static ProtobufCBinaryData data(struct slice text)
{
	return (ProtobufCBinaryData){text.len, (uint8_t *)text.at};
}

static struct slice text(ProtobufCBinaryData data)
{
	return (struct slice){data.len ? (const char *)data.data : NULL, data.len};
}

/* Numbers go over the wire. */
_Static_assert((int)MESSAGE_DO == SKALD__V1__VERB__DO &&
		       (int)MESSAGE_UNDO == SKALD__V1__VERB__UNDO &&
		       (int)MESSAGE_REVOKE == SKALD__V1__VERB__REVOKE,
	       "verbs");
_Static_assert((int)MESSAGE_OK == SKALD__V1__OUTCOME__OK &&
		       (int)MESSAGE_REFUSED == SKALD__V1__OUTCOME__REFUSED &&
		       (int)MESSAGE_FAILED == SKALD__V1__OUTCOME__FAILED &&
		       (int)MESSAGE_EXPIRED == SKALD__V1__OUTCOME__EXPIRED,
	       "outcomes");
_Static_assert((int)RECORD_NONE == SKALD__V1__RECORD_STATE__NO_RECORD &&
		       (int)RECORD_OK == SKALD__V1__RECORD_STATE__RECORD_OK &&
		       (int)RECORD_REFUSED == SKALD__V1__RECORD_STATE__RECORD_REFUSED &&
		       (int)RECORD_BARRED == SKALD__V1__RECORD_STATE__RECORD_BARRED &&
		       (int)RECORD_UNDONE == SKALD__V1__RECORD_STATE__RECORD_UNDONE,
	       "states of records");
_Static_assert((int)FRAME_HELLO == SKALD__V1__FRAME__BODY_HELLO &&
		       (int)FRAME_RECORDS == SKALD__V1__FRAME__BODY_RECORDS,
	       "frames");

/* --- writing ----------------------------------------------------------------------- */

/* Room for whichever message a frame holds. */
union body {
	Skald__V1__Hello hello;
	Skald__V1__Welcome welcome;
	Skald__V1__Command command;
	Skald__V1__Reply reply;
	Skald__V1__Start start;
	Skald__V1__Signal signal;
	Skald__V1__Result result;
	Skald__V1__Ended ended;
};

static void put_hello(const struct hello *hello, Skald__V1__Hello *out)
{
	skald__v1__hello__init(out);
	out->version = hello->version;
	out->participant = data(hello->participant);
	out->window = hello->window;
	out->name = data(hello->name);
	out->newest = hello->newest;
}

static void put_welcome(const struct welcome *welcome, Skald__V1__Welcome *out)
{
	skald__v1__welcome__init(out);
	out->version = welcome->version;
	out->server = data(welcome->server);
	out->newest = welcome->newest;
}

static void put_command(const struct command_message *command, Skald__V1__Command *out)
{
	skald__v1__command__init(out);
	out->id = data(command->id);
	out->participant = data(command->participant);
	out->command = data(command->command);
	out->verb = (Skald__V1__Verb)command->verb;
	out->do_id = data(command->do_id);
	out->saga_id = data(command->saga_id);
	out->saga = data(command->saga);
	out->attempt = command->attempt;
	out->first_ms = command->first_ms;
	out->timeout_ms = command->timeout_ms;
	out->args = data(command->args);
	out->output = data(command->output);
}

static void put_reply(const struct reply_message *reply, Skald__V1__Reply *out)
{
	skald__v1__reply__init(out);
	out->id = data(reply->id);
	out->attempt = reply->attempt;
	out->outcome = (Skald__V1__Outcome)reply->outcome;
	out->output = data(reply->output);
	out->code = data(reply->code);
	out->text = data(reply->text);
}

static void put_start(const struct start_message *start, Skald__V1__Start *out)
{
	skald__v1__start__init(out);
	out->saga = data(start->saga);
	out->version = data(start->version);
	out->id = data(start->id);
	out->key = data(start->key);
	out->input = data(start->input);
	out->actor = data(start->actor);
}

static void put_signal(const struct signal_message *signal, Skald__V1__Signal *out)
{
	skald__v1__signal__init(out);
	out->saga_id = data(signal->saga_id);
	out->event = data(signal->event);
	out->id = data(signal->id);
	out->payload = data(signal->payload);
	out->actor = data(signal->actor);
}

static void put_result(uint64_t request, const struct result_message *result,
		       Skald__V1__Result *out)
{
	skald__v1__result__init(out);
	out->request = request;
	out->code = data(result->code);
	out->text = data(result->text);
	out->saga_id = data(result->saga_id);
	out->created = result->created;
	out->status = data(result->status);
}

static void put_ended(const struct ended *ended, Skald__V1__Ended *out)
{
	skald__v1__ended__init(out);
	out->saga_id = data(ended->saga_id);
	out->status = data(ended->status);
}

/* What has a list of others in it needs room for these. */
struct inquiry_body {
	Skald__V1__Inquiry inquiry;
	ProtobufCBinaryData ids[RECORDS_MAX];
};

struct records_body {
	Skald__V1__Records records;
	Skald__V1__Record *list[RECORDS_MAX];
	Skald__V1__Record record[RECORDS_MAX];
};

static void put_inquiry(const struct inquiry_message *inquiry, struct inquiry_body *body)
{
	Skald__V1__Inquiry *out = &body->inquiry;

	skald__v1__inquiry__init(out);
	out->request = inquiry->request;
	out->after = data(inquiry->after);
	out->since_ms = inquiry->since_ms;
	out->limit = inquiry->limit;
	out->n_ids = inquiry->n_ids;
	out->ids = body->ids;
	for (size_t i = 0; i < inquiry->n_ids; i++)
		body->ids[i] = data(inquiry->ids[i]);
}

static void put_records(const struct records_message *records, struct records_body *body)
{
	Skald__V1__Records *out = &body->records;

	skald__v1__records__init(out);
	out->request = records->request;
	out->next = data(records->next);
	out->kept_ms = records->kept_ms;
	out->trouble = data(records->trouble);
	out->n_records = records->n;
	out->records = body->list;
	for (size_t i = 0; i < records->n; i++) {
		Skald__V1__Record *record = body->list[i] = &body->record[i];

		skald__v1__record__init(record);
		record->id = data(records->records[i].id);
		record->state = (Skald__V1__RecordState)records->records[i].state;
		record->first_ms = records->records[i].first_ms;
	}
}

/* The generated structs point at the frame's texts and into *body. */
static void put_frame(const struct frame *frame, union body *body, Skald__V1__Frame *out)
{
	skald__v1__frame__init(out);
	out->body_case = (Skald__V1__Frame__BodyCase)frame->type;
	switch (frame->type) {
	case FRAME_HELLO:
		put_hello(&frame->hello, &body->hello);
		out->hello = &body->hello;
		break;
	case FRAME_WELCOME:
		put_welcome(&frame->welcome, &body->welcome);
		out->welcome = &body->welcome;
		break;
	case FRAME_COMMAND:
		put_command(&frame->command, &body->command);
		out->command = &body->command;
		break;
	case FRAME_REPLY:
		put_reply(&frame->reply, &body->reply);
		out->reply = &body->reply;
		break;
	case FRAME_SETTLED: out->settled = frame->settled; break;
	case FRAME_REFUSE: out->refuse = data(frame->refuse); break;
	case FRAME_START:
		put_start(&frame->start, &body->start);
		out->start = &body->start;
		out->request = frame->request;
		out->watch = frame->watch;
		break;
	case FRAME_SIGNAL:
		put_signal(&frame->signal, &body->signal);
		out->signal = &body->signal;
		out->request = frame->request;
		break;
	case FRAME_RESULT:
		put_result(frame->request, &frame->result, &body->result);
		out->result = &body->result;
		break;
	case FRAME_ENDED:
		put_ended(&frame->ended, &body->ended);
		out->ended = &body->ended;
		break;
	case FRAME_INQUIRY:
	case FRAME_RECORDS: break; /* see wire_write */
	}
}

static enum err write_message(const Skald__V1__Frame *message, struct bytes *out,
			      struct diag *diag)
{
	size_t len = skald__v1__frame__get_packed_size(message), written;
	char *room;
	enum err err;

	assert(len > 0 && len <= WIRE_FRAME_MAX); /* no sum of the limits is more */
	room = bytes_room(out, WIRE_LENGTH_SIZE + len);
	if (!room) {
		err = out->err;
		out->err = OK;
		return diag_set(diag, err, "there is no room for another frame");
	}
	for (size_t i = 0; i < WIRE_LENGTH_SIZE; i++)
		room[i] = (char)(len >> (8 * (WIRE_LENGTH_SIZE - 1 - i)));
	written = skald__v1__frame__pack(message, (uint8_t *)room + WIRE_LENGTH_SIZE);
	assert(written == len);
	return OK;
}

static enum err write_inquiry(const struct frame *frame, struct bytes *out, struct diag *diag)
{
	struct inquiry_body body;
	Skald__V1__Frame message = SKALD__V1__FRAME__INIT;

	put_inquiry(&frame->inquiry, &body);
	message.body_case = SKALD__V1__FRAME__BODY_INQUIRY;
	message.inquiry = &body.inquiry;
	return write_message(&message, out, diag);
}

static enum err write_records(const struct frame *frame, struct bytes *out, struct diag *diag)
{
	struct records_body body;
	Skald__V1__Frame message = SKALD__V1__FRAME__INIT;

	put_records(&frame->records, &body);
	message.body_case = SKALD__V1__FRAME__BODY_RECORDS;
	message.records = &body.records;
	return write_message(&message, out, diag);
}

enum err wire_write(const struct frame *frame, struct bytes *out, struct diag *diag)
{
	union body body;
	Skald__V1__Frame message;
	enum err err = wire_check(frame, diag);

	if (err)
		return err;
	if (frame->type == FRAME_INQUIRY)
		return write_inquiry(frame, out, diag);
	if (frame->type == FRAME_RECORDS)
		return write_records(frame, out, diag);
	put_frame(frame, &body, &message);
	return write_message(&message, out, diag);
}

/* --- reading ----------------------------------------------------------------------- */

enum err wire_first(struct slice stream, struct slice *frame)
{
	size_t len = 0;

	if (stream.len < WIRE_LENGTH_SIZE)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < WIRE_LENGTH_SIZE; i++)
		len = len << 8 | (unsigned char)stream.at[i];
	if (len == 0 || len > WIRE_FRAME_MAX)
		return ERR_TOO_LARGE;
	if (stream.len - WIRE_LENGTH_SIZE < len)
		return ERR_NOT_FOUND;
	*frame = (struct slice){stream.at + WIRE_LENGTH_SIZE, len};
	return OK;
}

/* What one frame takes from the arena. */
struct reading {
	struct arena *arena;
	size_t used;
	enum err err;
};

static void *take_memory(void *context, size_t size)
{
	struct reading *reading = context;
	void *memory;

	if (size > WIRE_READ_MAX - reading->used) {
		reading->err = ERR_TOO_LARGE;
		return NULL;
	}
	reading->used += size;
	memory = arena_alloc(reading->arena, size);
	if (!memory)
		reading->err = ERR_NOMEM;
	return memory;
}

static void leave_memory(void *context, void *memory)
{
}

static void get_command(const Skald__V1__Command *command, struct command_message *out)
{
	*out = (struct command_message){
		.id = text(command->id),
		.participant = text(command->participant),
		.command = text(command->command),
		.verb = (enum message_verb)command->verb,
		.do_id = text(command->do_id),
		.saga_id = text(command->saga_id),
		.saga = text(command->saga),
		.attempt = command->attempt,
		.first_ms = command->first_ms,
		.timeout_ms = command->timeout_ms,
		.args = text(command->args),
		.output = text(command->output),
	};
}

static void get_reply(const Skald__V1__Reply *reply, struct reply_message *out)
{
	*out = (struct reply_message){
		.id = text(reply->id),
		.attempt = reply->attempt,
		.outcome = (enum message_outcome)reply->outcome,
		.output = text(reply->output),
		.code = text(reply->code),
		.text = text(reply->text),
	};
}

static void get_start(const Skald__V1__Start *start, struct start_message *out)
{
	*out = (struct start_message){
		.saga = text(start->saga),
		.version = text(start->version),
		.id = text(start->id),
		.key = text(start->key),
		.input = text(start->input),
		.actor = text(start->actor),
	};
}

static void get_signal(const Skald__V1__Signal *signal, struct signal_message *out)
{
	*out = (struct signal_message){
		.saga_id = text(signal->saga_id),
		.event = text(signal->event),
		.id = text(signal->id),
		.payload = text(signal->payload),
		.actor = text(signal->actor),
	};
}

static void get_result(const Skald__V1__Result *result, struct result_message *out)
{
	*out = (struct result_message){
		.code = text(result->code),
		.text = text(result->text),
		.saga_id = text(result->saga_id),
		.status = text(result->status),
		.created = result->created,
	};
}

/* Lists are no longer than they may be: see wire_read. */
static enum err get_inquiry(const Skald__V1__Inquiry *inquiry, struct arena *arena,
			    struct inquiry_message *out)
{
	struct slice *ids = arena_array(arena, inquiry->n_ids, sizeof *ids);

	if (!ids)
		return ERR_NOMEM;
	for (size_t i = 0; i < inquiry->n_ids; i++)
		ids[i] = text(inquiry->ids[i]);
	*out = (struct inquiry_message){
		.request = inquiry->request,
		.ids = ids,
		.n_ids = inquiry->n_ids,
		.after = text(inquiry->after),
		.since_ms = inquiry->since_ms,
		.limit = inquiry->limit,
	};
	return OK;
}

static enum err get_records(const Skald__V1__Records *records, struct arena *arena,
			    struct records_message *out)
{
	struct record_message *list = arena_array(arena, records->n_records, sizeof *list);

	if (!list)
		return ERR_NOMEM;
	for (size_t i = 0; i < records->n_records; i++)
		list[i] = (struct record_message){
			.id = text(records->records[i]->id),
			.state = (enum record_state)records->records[i]->state,
			.first_ms = records->records[i]->first_ms,
		};
	*out = (struct records_message){
		.request = records->request,
		.records = list,
		.n = records->n_records,
		.next = text(records->next),
		.kept_ms = records->kept_ms,
		.trouble = text(records->trouble),
	};
	return OK;
}

static bool lists_too_much(const Skald__V1__Frame *message)
{
	return (message->body_case == SKALD__V1__FRAME__BODY_INQUIRY &&
		message->inquiry->n_ids > RECORDS_MAX) ||
	       (message->body_case == SKALD__V1__FRAME__BODY_RECORDS &&
		message->records->n_records > RECORDS_MAX);
}

static enum err get_frame(const Skald__V1__Frame *message, struct arena *arena,
			  struct frame *out)
{
	*out = (struct frame){.type = (enum frame_type)message->body_case,
			      .request = message->request};
	switch (message->body_case) {
	case SKALD__V1__FRAME__BODY_HELLO:
		out->hello = (struct hello){message->hello->version,
					    text(message->hello->participant),
					    message->hello->window, text(message->hello->name),
					    message->hello->newest};
		break;
	case SKALD__V1__FRAME__BODY_WELCOME:
		out->welcome = (struct welcome){message->welcome->version,
						text(message->welcome->server),
						message->welcome->newest};
		break;
	case SKALD__V1__FRAME__BODY_COMMAND:
		get_command(message->command, &out->command);
		break;
	case SKALD__V1__FRAME__BODY_REPLY: get_reply(message->reply, &out->reply); break;
	case SKALD__V1__FRAME__BODY_SETTLED: out->settled = message->settled; break;
	case SKALD__V1__FRAME__BODY_REFUSE: out->refuse = text(message->refuse); break;
	case SKALD__V1__FRAME__BODY_START:
		get_start(message->start, &out->start);
		out->watch = message->watch;
		break;
	case SKALD__V1__FRAME__BODY_SIGNAL: get_signal(message->signal, &out->signal); break;
	case SKALD__V1__FRAME__BODY_RESULT:
		get_result(message->result, &out->result);
		out->request = message->result->request;
		break;
	case SKALD__V1__FRAME__BODY_ENDED:
		out->ended = (struct ended){text(message->ended->saga_id),
					    text(message->ended->status)};
		break;
	case SKALD__V1__FRAME__BODY_INQUIRY:
		return get_inquiry(message->inquiry, arena, &out->inquiry);
	case SKALD__V1__FRAME__BODY_RECORDS:
		return get_records(message->records, arena, &out->records);
	default: break; /* wire_check says that it is unknown */
	}
	return OK;
}

enum err wire_read(struct slice bytes, struct arena *arena, struct frame *out,
		   struct diag *diag)
{
	struct reading reading = {.arena = arena};
	ProtobufCAllocator allocator = {take_memory, leave_memory, &reading};
	const Skald__V1__Frame *message =
		skald__v1__frame__unpack(&allocator, bytes.len, (const uint8_t *)bytes.at);
	enum err err;

	if (!message && reading.err == ERR_NOMEM)
		return ERR_NOMEM;
	if (!message && reading.err)
		return diag_set(diag, reading.err, "reading the frame takes over %d MiB",
				WIRE_READ_MAX / 1024 / 1024);
	if (!message)
		return diag_set(diag, ERR_INVALID, "the bytes are no frame of the protocol");
	if (lists_too_much(message))
		return diag_set(diag, ERR_TOO_LARGE, "the frame lists more than %d records",
				RECORDS_MAX);
	err = get_frame(message, arena, out);
	return err ? err : wire_check(out, diag);
}
