/* route_dead.c - dead letters: look at them, send them again, drop them. */
#include "base/json_line.h"
#include "base/utf8.h"
#include "orchestrator/gateway/page.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"
#include "proto/wire.h"

/* --- a letter as JSON ------------------------------------------------------------- */

static void letter_members(struct bytes *out, const struct dead_letter *letter)
{
	json_add_text(out, "id", letter->id);
	json_add_time(out, "at", letter->at_ms);
	json_add_text(out, "reason", letter->reason);
	json_add_text(out, "text", letter->text);
	json_add_text(out, "source", letter->source);
	if (letter->partition >= 0) {
		json_add_number(out, "partition", letter->partition);
		json_add_number(out, "offset", letter->offset);
	} else {
		json_add_null(out, "partition");
		json_add_null(out, "offset");
	}
	json_add_number(out, "bytes", (int64_t)letter->size);
}

static void add_headers(struct bytes *out, struct slice headers)
{
	struct slice name, value;
	size_t at = 0;

	json_add_name(out, "headers");
	json_begin_list(out);
	while (dead_headers_next(headers, &at, &name, &value)) {
		json_begin(out);
		json_add_text(out, "name", name);
		json_add_text(out, "value", value);
		json_end(out);
	}
	json_end_list(out);
}

static void add_base64(struct bytes *out, const char *name, struct slice bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	json_add_name(out, name);
	bytes_add(out, '"');
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
		uint32_t three = 0;

		for (size_t k = 0; k < 3; k++)
			three = three << 8 | (k < n ? (unsigned char)bytes.at[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			bytes_add(out, k <= n ? digits[three >> (18 - 6 * k) & 63] : '=');
	}
	bytes_add(out, '"');
}

static void add_reply(struct bytes *out, const struct reply_message *reply)
{
	json_add_text(out, "type", SLICE_LITERAL("reply"));
	json_add_text(out, "command", reply->id);
	json_add_number(out, "attempt", reply->attempt);
	json_add_text(out, "code", reply->code);
	json_add_text(out, "text", reply->text);
	json_add_text(out, "output", reply->output);
}

static void add_command(struct bytes *out, const struct command_message *command)
{
	json_add_text(out, "type", SLICE_LITERAL("command"));
	json_add_text(out, "command", command->id);
	json_add_number(out, "attempt", command->attempt);
	json_add_text(out, "participant", command->participant);
	json_add_text(out, "name", command->command);
	json_add_text(out, "saga_id", command->saga_id);
	json_add_text(out, "saga", command->saga);
	json_add_text(out, "args", command->args);
}

static void add_start(struct bytes *out, const struct start_message *start)
{
	json_add_text(out, "type", SLICE_LITERAL("start"));
	json_add_text(out, "saga", start->saga);
	json_add_text(out, "version", start->version);
	json_add_text(out, "saga_id", start->id);
	json_add_text(out, "key", start->key);
	json_add_text(out, "input", start->input);
}

static void add_signal(struct bytes *out, const struct signal_message *signal)
{
	json_add_text(out, "type", SLICE_LITERAL("signal"));
	json_add_text(out, "saga_id", signal->saga_id);
	json_add_text(out, "event", signal->event);
	json_add_text(out, "id", signal->id);
	json_add_text(out, "payload", signal->payload);
}

/* What it says, where it can be read. Payloads are texts, as they may be anything. */
static void add_message(struct bytes *out, struct slice value, struct arena *arena)
{
	struct frame frame;
	enum err err = value.len <= WIRE_FRAME_MAX ? wire_read(value, arena, &frame, NULL)
						   : ERR_TOO_LARGE;

	if (err || (frame.type != FRAME_REPLY && frame.type != FRAME_COMMAND &&
		    frame.type != FRAME_START && frame.type != FRAME_SIGNAL)) {
		json_add_null(out, "message");
		return;
	}
	json_add_name(out, "message");
	json_begin(out);
	if (frame.type == FRAME_REPLY)
		add_reply(out, &frame.reply);
	else if (frame.type == FRAME_COMMAND)
		add_command(out, &frame.command);
	else if (frame.type == FRAME_START)
		add_start(out, &frame.start);
	else
		add_signal(out, &frame.signal);
	json_end(out);
}

/* --- the list --------------------------------------------------------------------- */

static enum err add_letter(void *context, const struct dead_letter *letter)
{
	struct page *page = context;

	if (!page_wants(page))
		return OK;
	letter_members(&page->request->out, letter);
	return page_add(page, letter->id);
}

void route_dead_list(struct request *request)
{
	struct slice cursor = request_query(request, "cursor");
	struct page page;
	enum err err;

	if (!page_begin(&page, request, "dead"))
		return;
	err = cursor.len && !dead_id_valid(cursor)
		      ? ERR_NOT_FOUND
		      : store_list_dead(request->gateway->parts.store, cursor, page.limit + 1,
					add_letter, &page);
	page_end(&page, err,
		 "the last letter of the page before is not there any more; begin again "
		 "without a cursor");
}

/* --- one -------------------------------------------------------------------------- */

static void fail_unknown(struct request *request)
{
	struct slice id = utf8_cut(request->parameters[0], DEAD_ID_MAX);

	request_fail(request, MHD_HTTP_NOT_FOUND, "unknown-letter",
		     "there is no dead letter `%.*s`; the oldest go when there are more than "
		     "%d",
		     SLICE_ARG(id), STORE_DEAD_MAX);
}

/* False: the request was answered. */
static bool find(struct request *request, struct dead_letter *out)
{
	struct slice id = request->parameters[0];
	enum err err = dead_id_valid(id) ? store_get_dead(request->gateway->parts.store, id,
							  &request->arena, out)
					 : ERR_NOT_FOUND;

	if (err == ERR_NOT_FOUND)
		fail_unknown(request);
	else if (err)
		request_fail_err(request, err);
	return !err;
}

void route_dead_show(struct request *request)
{
	struct dead_letter letter;

	if (!find(request, &letter))
		return;
	json_begin(&request->out);
	letter_members(&request->out, &letter);
	json_add_text(&request->out, "key", letter.key);
	add_headers(&request->out, letter.headers);
	add_message(&request->out, letter.value, &request->arena);
	add_base64(&request->out, "value_base64", letter.value);
	json_end_line(&request->out);
	request_answer_json(request, MHD_HTTP_OK);
}

/* Gone from the store: say so, and log who did it. */
static void remove_letter(struct request *request, const char *event)
{
	struct slice id = request->parameters[0];
	enum err err = store_remove_dead(request->gateway->parts.store, id);
	struct log_line line;

	if (err && err != ERR_NOT_FOUND) {
		request_fail_err(request, err);
		return;
	}
	if (err) {
		fail_unknown(request);
		return;
	}
	log_begin(&line, request->gateway->parts.log, LOG_LEVEL_INFO, event);
	log_text(&line, "id", id);
	log_text(&line, "actor", request->actor);
	log_end(&line);
	json_begin(&request->out);
	json_add_text(&request->out, "id", id);
	json_end_line(&request->out);
	request_answer_json(request, MHD_HTTP_OK);
}

void route_dead_replay(struct request *request)
{
	struct dead_letter letter;
	struct diag diag = {""};
	enum err err;

	if (!find(request, &letter))
		return;
	err = bus_replay(request->gateway->parts.bus, &letter, &diag);
	if (err == ERR_INVALID) {
		request_fail(request, MHD_HTTP_CONFLICT, "not-replayable",
			     "the letter cannot be sent again: %s; drop it with `skald dead "
			     "drop`",
			     diag.text);
		return;
	}
	if (err == ERR_BUSY) {
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "bus-unavailable",
			     "the bus does not take anything at the moment; try again in a "
			     "second");
		return;
	}
	if (err) {
		request_fail_err(request, err);
		return;
	}
	request->gateway->submitted = true;
	remove_letter(request, "dead-letter-replayed");
}

void route_dead_drop(struct request *request)
{
	if (dead_id_valid(request->parameters[0]))
		remove_letter(request, "dead-letter-dropped");
	else
		fail_unknown(request);
}
