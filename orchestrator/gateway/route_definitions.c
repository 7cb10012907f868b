/* route_definitions.c - deploy, list and read definitions. */
#include "base/json_line.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"
#include "orchestrator/gateway/tell.h"
#include "orchestrator/load/load.h"

/* --- reading ---------------------------------------------------------------------- */

struct listing {
	const struct engine *engine;
	struct bytes *out;
};

static void definition_members(struct bytes *out, const struct engine *engine,
			       struct slice name, struct slice version,
			       const uint8_t hash[SHA256_SIZE])
{
	const struct definition *newest = engine_definition(engine, name, (struct slice){0});
	char text[SHA256_HEX_SIZE];

	sha256_hex(hash, text);
	json_add_text(out, "saga", name);
	json_add_text(out, "version", version);
	json_add_text(out, "hash", slice_of(text));
	json_add_bool(out, "newest", newest && !memcmp(newest->hash, hash, SHA256_SIZE));
}

static enum err add_definition(void *context, const struct stored_definition *stored)
{
	struct listing *listing = context;
	const struct definition *definition =
		engine_definition_by_hash(listing->engine, stored->hash);
	struct bytes *out = listing->out;

	json_begin(out);
	definition_members(out, listing->engine, stored->name, stored->version, stored->hash);
	json_add_time(out, "deployed_at", stored->deployed_ms);
	if (definition) {
		json_add_number(out, "steps", definition->n_steps);
		json_add_optional(out, "description", definition->description);
	} else {
		json_add_null(out, "steps");
		json_add_null(out, "description");
	}
	json_end(out);
	return out->err;
}

void route_definitions(struct request *request)
{
	const struct gateway_parts *parts = &request->gateway->parts;
	struct listing listing = {parts->engine, &request->out};
	enum err err;

	engine_learn(parts->engine);
	json_begin(&request->out);
	json_add_name(&request->out, "definitions");
	json_begin_list(&request->out);
	err = store_definitions(parts->store, add_definition, &listing);
	if (err) {
		request_fail_err(request, err);
		return;
	}
	json_end_list(&request->out);
	json_end_line(&request->out);
	request_answer_json(request, MHD_HTTP_OK);
}

void route_definition(struct request *request)
{
	const struct definition *definition = NULL;
	uint8_t hash[SHA256_SIZE];

	if (sha256_parse(request->parameters[0], hash))
		definition = gateway_definition(&request->gateway->parts, hash);
	if (!definition) {
		request_fail(request, MHD_HTTP_NOT_FOUND, "unknown-definition",
			     "there is no definition with this hash; /v1/definitions lists "
			     "them with the 64 digits of theirs");
		return;
	}
	bytes_append(&request->out, definition->normal);
	request_answer(request, MHD_HTTP_OK, "application/yaml");
}

/* --- deploying -------------------------------------------------------------------- */

static void refuse_definition(struct request *request, const struct problems *problems)
{
	const struct problem *first = &problems->list[0];
	struct bytes *out = &request->out;
	struct bytes detail = BYTES(2 * PROBLEM_TEXT_MAX, &request->arena);

	bytes_format(&detail,
		     "%zu mistake%s; the first is in line %u, column %u: ", problems->n_errors,
		     problems->n_errors == 1 ? "" : "s", (unsigned)first->place.line,
		     (unsigned)first->place.column);
	bytes_text(&detail, first->text);
	json_begin(out);
	problem_members(out, MHD_HTTP_UNPROCESSABLE_CONTENT, "bad-definition",
			bytes_slice(&detail));
	json_add_name(out, "problems");
	json_begin_list(out);
	for (size_t i = 0; i < problems->n; i++)
		problem_json(out, &problems->list[i]);
	json_end_list(out);
	json_end_line(out);
	request_answer(request, MHD_HTTP_UNPROCESSABLE_CONTENT, "application/problem+json");
}

static void deploy(struct request *request, struct definition **definition)
{
	struct engine *engine = request->gateway->parts.engine;
	bool created = !engine_definition_by_hash(engine, (*definition)->hash);
	struct definition *kept = *definition;
	uint8_t hash[SHA256_SIZE];
	struct slice name, version;
	struct diag diag = {""};
	enum err err;

	/* The engine takes the definition, and may free it. */
	memcpy(hash, kept->hash, sizeof hash);
	if (!arena_copy(&request->arena, kept->name, &name) ||
	    !arena_copy(&request->arena, kept->version, &version)) {
		definition_free(kept);
		*definition = NULL;
		request_fail_err(request, ERR_NOMEM);
		return;
	}
	err = engine_deploy(engine, definition, &diag);
	if (err == ERR_CONFLICT) {
		request_fail(request, MHD_HTTP_CONFLICT, "version-taken", "%s", diag.text);
		return;
	}
	if (err) {
		request_fail_err(request, err);
		return;
	}
	json_begin(&request->out);
	definition_members(&request->out, engine, name, version, hash);
	json_add_bool(&request->out, "created", created);
	tell_others(request, created ? MHD_HTTP_CREATED : MHD_HTTP_OK);
}

void route_deploy(struct request *request)
{
	struct problems problems = {.arena = &request->arena};
	struct definition *definition = NULL;
	enum err err = load_text("definition", bytes_slice(&request->body), NULL, &problems,
				 &definition);

	if (!err)
		deploy(request, &definition);
	else if (err == ERR_INVALID && problems.n)
		refuse_definition(request, &problems);
	else
		request_fail_err(request, err);
}
