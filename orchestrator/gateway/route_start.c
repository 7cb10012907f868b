/* route_start.c - POST /v1/sagas, and many of them at once. */
#include "base/json_line.h"
#include "orchestrator/gateway/answers.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- one -------------------------------------------------------------------------- */

enum { FIELD_SAGA, FIELD_INPUT, FIELD_KEY, FIELD_ID, FIELD_VERSION, N_FIELDS };

static const struct field start_fields[N_FIELDS] = {
	{.name = "saga", .required = true},
	{.name = "input", .json = true},
	{.name = "key"},
	{.name = "id"},
	{.name = "version"},
};

static struct start_message start_of(const struct field fields[N_FIELDS], struct slice actor)
{
	struct slice input = fields[FIELD_INPUT].value;

	return (struct start_message){
		.saga = fields[FIELD_SAGA].value,
		.version = fields[FIELD_VERSION].value,
		.id = fields[FIELD_ID].value,
		.key = fields[FIELD_KEY].value,
		.input = input.len ? input : SLICE_LITERAL("{}"),
		.actor = actor,
	};
}

void answer_members(struct bytes *out, const struct answer *answer)
{
	json_add_text(out, "id", answer->saga_id);
	json_add_text(out, "saga", answer->saga);
	json_add_text(out, "version", answer->version);
	json_add_optional(out, "key", answer->key);
	json_add_text(out, "status", slice_of(status_text(answer->status)));
}

static void write_started(struct bytes *out, const struct answer *answer)
{
	json_begin(out);
	answer_members(out, answer);
	json_add_bool(out, "created", answer->created);
	json_end_line(out);
}

static void on_started(void *context, const struct answer *answer)
{
	struct request *request = context;

	request->asked = false;
	if (forward_moved(request, answer))
		return;
	if (answer->err) {
		request_fail_answer(request, answer);
		return;
	}
	write_started(&request->out, answer);
	request_answer_json(request, answer->created ? MHD_HTTP_CREATED : MHD_HTTP_OK);
}

/* The same id or key again finds the saga that is there. */
static bool may_repeat(const struct start_message *start)
{
	return start->id.len || start->key.len;
}

void route_start(struct request *request)
{
	struct field fields[N_FIELDS];
	struct start_message start;

	memcpy(fields, start_fields, sizeof fields);
	if (!request_fields(request, fields, N_FIELDS))
		return;
	start = start_of(fields, request->actor);
	request->freely = may_repeat(&start);
	if (forward_request(request, start.id))
		return;
	request->asked = true;
	request->gateway->submitted = true;
	engine_start(request->gateway->parts.engine, &start, on_started, request);
}

/* --- many ------------------------------------------------------------------------- */

/* One line of a batch, and where its answer stands among those that came. */
struct batch_line {
	struct batch *batch;
	uint32_t number; /* in the body, from 1 */
	size_t at;
	size_t len;
	struct slice text;
	struct slice id; /* that it gives its saga, in the request's memory */
	bool freely;     /* arriving twice is as good as once */
	bool asked;
	bool moved;              /* the engine did not have it any more */
	struct forward *forward; /* another orchestrator is asked; otherwise NULL */
};

struct batch {
	struct request *request;
	struct slice rest;    /* of the body */
	uint32_t number;      /* of the line that was taken last */
	struct bytes answers; /* in the order in which they came */
	struct batch_line *lines;
	size_t n_lines;   /* begun */
	size_t n_waiting; /* for the engine */
	bool feeding;
};

static bool is_finished(const struct batch *batch)
{
	return !batch->feeding && !batch->rest.len && !batch->n_waiting;
}

static void add_problem(struct batch_line *line, unsigned status, const char *code,
			const char *text)
{
	struct bytes *out = &line->batch->answers;

	line->at = out->len;
	json_begin(out);
	json_add_number(out, "line", line->number);
	problem_members(out, status, code, slice_of(text));
	json_end_line(out);
	line->len = out->len - line->at;
}

static void add_answer(struct batch_line *line, const struct answer *answer)
{
	struct bytes *out = &line->batch->answers;

	if (answer->err) {
		add_problem(line, problem_status(answer->err), answer->code, answer->text);
		return;
	}
	line->at = out->len;
	write_started(out, answer);
	line->len = out->len - line->at;
}

static void finish_batch(struct batch *batch)
{
	struct request *request = batch->request;
	struct slice answers = bytes_slice(&batch->answers);

	for (size_t i = 0; i < batch->n_lines; i++)
		bytes_append(&request->out, (struct slice){answers.at + batch->lines[i].at,
							   batch->lines[i].len});
	if (batch->answers.err && !request->out.err)
		request->out.err = batch->answers.err;
	batch_forget(request);
	request_answer(request, MHD_HTTP_OK, "application/x-ndjson");
}

static void forward_line(struct batch_line *line);

static void on_line_started(void *context, const struct answer *answer)
{
	struct batch_line *line = context;
	struct batch *batch = line->batch;

	line->asked = false;
	batch->n_waiting--;
	if (line->freely && !line->moved && answer_moved(answer)) {
		line->moved = true;
		forward_line(line);
		return;
	}
	add_answer(line, answer);
	if (is_finished(batch))
		finish_batch(batch);
}

/* A line that never gets to the engine. */
static void refuse_line(struct batch_line *line, const char *code, const char *text)
{
	const struct answer answer = {.err = ERR_INVALID, .code = code, .text = text};

	add_answer(line, &answer);
}

/* The parser counts lines, too, and has seen one. */
static void refuse_json(struct batch_line *line, const struct diag *diag)
{
	const char *column = strchr(diag->text, ':');
	char text[2 * DIAG_MAX];

	snprintf(text, sizeof text, "this line is no JSON: at column %s",
		 column ? column + 1 : diag->text);
	refuse_line(line, "bad-json", text);
}

/* --- a line that is another orchestrator's ------------------------------------------ */

static void start_line(struct batch_line *line, struct arena *arena);

static void end_forward(struct batch_line *line)
{
	line->forward = NULL;
	line->batch->n_waiting--;
	if (is_finished(line->batch))
		finish_batch(line->batch);
}

/* A problem gets the number of its line in front. */
static void on_line_answered(void *context, const struct call_end *end)
{
	struct batch_line *line = context;
	struct bytes *out = &line->batch->answers;
	struct slice text = bytes_slice(end->body);

	line->at = out->len;
	if (end->status / 100 != 2 && text.len > 1 && text.at[0] == '{') {
		bytes_format(out, "{\"line\":%" PRIu32 ",", line->number);
		text = (struct slice){text.at + 1, text.len - 1};
	}
	bytes_append(out, text);
	if (!text.len || text.at[text.len - 1] != '\n')
		bytes_add(out, '\n');
	line->len = out->len - line->at;
	end_forward(line);
}

static void on_line_failed(void *context, unsigned status, const char *code, const char *text)
{
	struct batch_line *line = context;

	add_problem(line, status, code, text);
	end_forward(line);
}

static void on_line_ours(void *context)
{
	struct batch_line *line = context;
	struct batch *batch = line->batch;
	struct arena arena = {0};

	line->forward = NULL;
	batch->n_waiting--;
	batch->feeding = true;
	start_line(line, &arena);
	batch->feeding = false;
	arena_release(&arena);
	if (is_finished(batch))
		finish_batch(batch);
}

static void forward_line(struct batch_line *line)
{
	static const struct forward_events events = {on_line_answered, on_line_failed,
						     on_line_ours, NULL};
	struct batch *batch = line->batch;
	const struct forward_setup setup = {
		.request = batch->request,
		.saga_id = line->id,
		.method = "POST",
		.target = "/v1/sagas",
		.type = "application/json",
		.body = line->text,
		.repeat = line->freely ? REPEAT_FREELY : REPEAT_NEVER,
		.try_ms = FORWARD_TRY_MS,
		.answer_ms = FORWARD_ANSWER_MS,
		.events = &events,
		.context = line,
	};

	if (!batch->request->forwarded)
		line->forward = forward_begin(batch->request->gateway, &setup);
	if (line->forward) {
		batch->n_waiting++;
		return;
	}
	add_problem(line, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
		    "too many starts are for other orchestrators; ask again in a second");
}

/* --- a line ------------------------------------------------------------------------- */

static void start_line(struct batch_line *line, struct arena *arena)
{
	struct gateway *gateway = line->batch->request->gateway;
	struct field fields[N_FIELDS];
	struct start_message start;
	struct json object;
	struct diag diag = {""};
	enum err err;

	memcpy(fields, start_fields, sizeof fields);
	err = json_parse(line->text, GATEWAY_BODY_MAX, arena, &object, &diag);
	if (err) {
		refuse_json(line, &diag);
		return;
	}
	err = fields_read(object, fields, N_FIELDS, arena, &diag);
	if (err) {
		refuse_line(line, "bad-request", diag.text);
		return;
	}
	start = start_of(fields, line->batch->request->actor);
	if (!arena_copy(&line->batch->request->arena, start.id, &line->id)) {
		add_problem(line, MHD_HTTP_SERVICE_UNAVAILABLE, "out-of-memory",
			    "the server is out of memory; ask again later");
		return;
	}
	line->freely = may_repeat(&start);
	if (forward_is_due(gateway, start.id)) {
		forward_line(line);
		return;
	}
	line->asked = true;
	line->batch->n_waiting++;
	gateway->submitted = true;
	engine_start(gateway->parts.engine, &start, on_line_started, line);
}

static struct slice next_line(struct batch *batch)
{
	const char *end = memchr(batch->rest.at, '\n', batch->rest.len);
	struct slice line = {batch->rest.at,
			     end ? (size_t)(end - batch->rest.at) : batch->rest.len};
	size_t taken = line.len + (end != NULL);

	batch->rest.at += taken;
	batch->rest.len -= taken;
	batch->number++;
	return line;
}

static bool is_blank(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (!memchr(" \t\r", line.at[i], 3))
			return false;
	}
	return true;
}

void batch_continue(struct request *request)
{
	struct batch *batch = request->batch;
	struct arena arena = {0};

	batch->feeding = true;
	while (batch->rest.len && batch->n_waiting < GATEWAY_BATCH_WINDOW) {
		struct slice text = next_line(batch);
		struct batch_line *line = &batch->lines[batch->n_lines];

		if (is_blank(text))
			continue;
		*line = (struct batch_line){
			.batch = batch, .number = batch->number, .text = text};
		batch->n_lines++;
		start_line(line, &arena);
		arena_reset(&arena);
	}
	arena_release(&arena);
	batch->feeding = false;
	if (is_finished(batch))
		finish_batch(batch);
}

void batch_forget(struct request *request)
{
	struct batch *batch = request->batch;

	for (size_t i = 0; i < batch->n_lines; i++) {
		if (batch->lines[i].asked)
			engine_forget(request->gateway->parts.engine, &batch->lines[i]);
		if (batch->lines[i].forward)
			forward_forget(batch->lines[i].forward);
	}
	bytes_release(&batch->answers);
	free(batch->lines);
	free(batch);
	request->batch = NULL;
}

static size_t count_lines(struct slice text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.at[i] == '\n';
	return n;
}

void route_batch(struct request *request)
{
	struct slice body = bytes_slice(&request->body);
	size_t n = count_lines(body);
	struct batch *batch;

	if (n > GATEWAY_BATCH_LINES_MAX + 1) {
		request_fail(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
			     "the batch has over %d lines; send it in several",
			     GATEWAY_BATCH_LINES_MAX);
		return;
	}
	batch = calloc(1, sizeof *batch);
	if (batch)
		batch->lines = calloc(n, sizeof *batch->lines);
	if (!batch || !batch->lines) {
		free(batch);
		request_fail_err(request, ERR_NOMEM);
		return;
	}
	batch->request = request;
	batch->rest = body;
	batch->answers = BYTES(ANSWER_MAX, NULL);
	request->batch = batch;
	batch_continue(request);
}
