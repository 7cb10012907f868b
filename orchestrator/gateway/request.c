#include "orchestrator/gateway/request.h"

#include "base/json_line.h"
#include "base/problems.h"
#include "orchestrator/gateway/parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* --- answers ---------------------------------------------------------------------- */

void request_answer(struct request *request, unsigned status, const char *type)
{
	assert(request->status == 0 && status != 0);
	if (request->out.err) {
		request_fail_err(request, request->out.err);
		return;
	}
	request->status = status;
	request->type = type;
	if (request->suspended)
		gateway_resume(request);
}

void request_answer_json(struct request *request, unsigned status)
{
	request_answer(request, status, "application/json");
}

void problem_members(struct bytes *out, unsigned status, const char *code, struct slice detail)
{
	json_add_text(out, "code", slice_of(code));
	json_add_text(out, "title", slice_of(MHD_get_reason_phrase_for(status)));
	json_add_text(out, "detail", detail);
	json_add_number(out, "status", status);
}

void request_fail(struct request *request, unsigned status, const char *code,
		  const char *format, ...)
{
	char detail[2 * DIAG_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	bytes_clear(&request->out);
	json_begin(&request->out);
	problem_members(&request->out, status, code, utf8_cut(slice_of(detail), sizeof detail));
	json_end_line(&request->out);
	/* Out of memory: the status alone is the answer. */
	if (request->out.err)
		bytes_clear(&request->out);
	request_answer(request, status, "application/problem+json");
}

unsigned problem_status(enum err err)
{
	switch (err) {
	case OK: return MHD_HTTP_OK;
	case ERR_INVALID: return MHD_HTTP_BAD_REQUEST;
	case ERR_TOO_LARGE: return MHD_HTTP_CONTENT_TOO_LARGE;
	case ERR_NOT_FOUND: return MHD_HTTP_NOT_FOUND;
	case ERR_CONFLICT: return MHD_HTTP_CONFLICT;
	case ERR_BUSY:
	case ERR_NOMEM:
	case ERR_UNAVAILABLE:
	case ERR_IO: return MHD_HTTP_SERVICE_UNAVAILABLE;
	case ERR_CORRUPT: return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
	return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

void request_fail_err(struct request *request, enum err err)
{
	const char *trouble = request->gateway->parts.store->trouble.text;

	switch (err) {
	case ERR_NOMEM:
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out-of-memory",
			     "the server is out of memory; ask again later");
		break;
	case ERR_TOO_LARGE:
		request_fail(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "too-large",
			     "the answer would be over %d MiB; ask for less",
			     ANSWER_MAX / 1024 / 1024);
		break;
	case ERR_CORRUPT:
		request_fail(
			request, MHD_HTTP_INTERNAL_SERVER_ERROR, "damaged",
			"what the store has of this cannot be read: its bytes are damaged, "
			"or of a newer skald");
		break;
	case OK:
	case ERR_INVALID:
	case ERR_NOT_FOUND:
	case ERR_CONFLICT:
	case ERR_BUSY:
	case ERR_UNAVAILABLE:
	case ERR_IO:
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "store-unavailable",
			     "the store cannot be read or written: %s; ask again later",
			     trouble[0] ? trouble : err_text(err));
		break;
	}
}

void request_stream(struct request *request, MHD_ContentReaderCallback read, void *context,
		    MHD_ContentReaderFreeCallback free)
{
	enum { BLOCK = 16 * 1024 }; /* bytes that MHD asks for at once */
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read, context, free);

	if (!response) {
		free(context);
		request_fail_err(request, ERR_NOMEM);
		return;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				      "text/event-stream");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	/* With a status and no type: it is queued already. */
	request->status = MHD_HTTP_OK;
	request->gateway->answered[MHD_HTTP_OK / 100]++;
	(void)MHD_queue_response(request->connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
}

void request_fail_answer(struct request *request, const struct answer *answer)
{
	request_fail(request, problem_status(answer->err), answer->code, "%s", answer->text);
}

/* --- what is asked ---------------------------------------------------------------- */

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* All but what stands for itself anywhere in a URL, and what is kept. */
static void add_encoded(struct bytes *out, struct slice text, char kept)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == kept || memchr(plain, c, sizeof plain - 1))
			bytes_add(out, c);
		else
			bytes_format(out, "%%%02X", (unsigned char)c);
	}
}

struct target {
	struct bytes out;
	char before; /* what stands before the next parameter */
};

static enum MHD_Result add_parameter(void *context, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	struct target *target = context;

	bytes_add(&target->out, target->before);
	target->before = '&';
	add_encoded(&target->out, slice_of(name), '\0');
	bytes_add(&target->out, '=');
	add_encoded(&target->out, slice_of(value), '\0');
	return MHD_YES;
}

const char *request_target(struct request *request)
{
	struct target target = {BYTES(4 * GATEWAY_HEADERS_MAX, &request->arena), '?'};

	add_encoded(&target.out, request->path, '/');
	MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_parameter,
				  &target);
	bytes_add(&target.out, '\0');
	return target.out.err ? NULL : target.out.at;
}

struct slice request_query(const struct request *request, const char *name)
{
	return slice_of(
		MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name));
}

static struct field *find_field(struct field *fields, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++) {
		if (slice_is(name, fields[i].name))
			return &fields[i];
	}
	return NULL;
}

static enum err unknown_member(const struct field *fields, size_t n, struct slice name,
			       struct diag *diag)
{
	enum { FIELDS_MAX = 16 };
	const char *names[FIELDS_MAX];
	const char *meant;

	assert(n <= FIELDS_MAX);
	for (size_t i = 0; i < n; i++)
		names[i] = fields[i].name;
	meant = suggest(name, names, n);
	name = utf8_cut(name, NAME_MAX_BYTES);
	if (meant)
		return diag_set(diag, ERR_INVALID, "unknown member `%.*s`; did you mean `%s`?",
				SLICE_ARG(name), meant);
	return diag_set(diag, ERR_INVALID, "unknown member `%.*s`; leave it out",
			SLICE_ARG(name));
}

static enum err read_field(struct field *field, struct json value, struct arena *arena,
			   struct diag *diag)
{
	if (json_type(value) == JSON_NULL)
		return OK;
	if (field->json) {
		field->value = value.text;
		return OK;
	}
	if (json_type(value) != JSON_TEXT)
		return diag_set(diag, ERR_INVALID, "`%s` has to be a text, not a %s",
				field->name, json_type_name(json_type(value)));
	if (!json_text(value, arena, &field->value))
		return diag_set(diag, ERR_NOMEM, "out of memory");
	return OK;
}

enum err fields_read(struct json object, struct field *fields, size_t n, struct arena *arena,
		     struct diag *diag)
{
	struct json_each each = json_each(object);

	if (json_type(object) != JSON_OBJECT)
		return diag_set(diag, ERR_INVALID, "this has to be an object, not a %s",
				json_type_name(json_type(object)));
	while (json_next(&each)) {
		struct field *field;
		struct slice name;
		enum err err;

		if (!json_text(each.name, arena, &name))
			return diag_set(diag, ERR_NOMEM, "out of memory");
		field = find_field(fields, n, name);
		if (!field)
			return unknown_member(fields, n, name, diag);
		err = read_field(field, each.value, arena, diag);
		if (err)
			return err;
	}
	for (size_t i = 0; i < n; i++) {
		if (fields[i].required && !fields[i].value.len)
			return diag_set(diag, ERR_INVALID, "`%s` is missing", fields[i].name);
	}
	return OK;
}

bool request_fields(struct request *request, struct field *fields, size_t n)
{
	struct slice body = bytes_slice(&request->body);
	struct json object;
	struct diag diag;
	enum err err;

	if (!body.len)
		body = SLICE_LITERAL("{}");
	err = json_parse(body, GATEWAY_BODY_MAX, &request->arena, &object, &diag);
	if (!err) {
		err = fields_read(object, fields, n, &request->arena, &diag);
		if (!err)
			return true;
		if (err == ERR_INVALID)
			request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
				     "in the body: %s", diag.text);
	} else if (err == ERR_INVALID) {
		request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-json",
			     "the body is no JSON: %s", diag.text);
	}
	if (err != ERR_INVALID)
		request_fail_err(request, ERR_NOMEM);
	return false;
}
