#include "participants/lib/command.h"

#include "base/json.h"
#include "base/utf8.h"

struct skald_reply {
	struct arena *arena;
	struct reply_message *message;
	bool nomem;
};

/* --- what a handler sees ------------------------------------------------------- */

const char *skald_command_args(const skald_command *command)
{
	return command->args.at;
}

const char *skald_command_output(const skald_command *command)
{
	return command->output.len ? command->output.at : NULL;
}

const char *skald_command_name(const skald_command *command)
{
	return command->name.at;
}

const char *skald_command_id(const skald_command *command)
{
	return command->id.at;
}

const char *skald_command_saga_id(const skald_command *command)
{
	return command->saga_id.at;
}

uint32_t skald_command_attempt(const skald_command *command)
{
	return command->attempt;
}

skald_deferred *skald_command_defer(const skald_command *command)
{
	if (*command->deferred)
		return NULL;
	*command->deferred = later_new(command->box);
	return *command->deferred;
}

/* --- what it says ----------------------------------------------------------------- */

static void set_error(skald_reply *reply, const char *code, const char *text)
{
	if (!arena_copy(reply->arena, utf8_cut(slice_of(code), COMMAND_CODE_MAX),
			&reply->message->code) ||
	    !arena_copy(reply->arena, utf8_cut(slice_of(text), COMMAND_TEXT_MAX),
			&reply->message->text))
		reply->nomem = true;
}

skald_outcome skald_reply_ok(skald_reply *reply, const char *output)
{
	struct json json = {0};
	struct diag diag = {{0}};

	if (output &&
	    json_parse(slice_of(output), COMMAND_PAYLOAD_MAX, reply->arena, &json, &diag))
		return skald_reply_fail(reply, "bad-output", diag.text);
	reply->message->output = json.text;
	return SKALD_OK;
}

skald_outcome skald_reply_refuse(skald_reply *reply, const char *code, const char *text)
{
	set_error(reply, code, text);
	return SKALD_REFUSED;
}

skald_outcome skald_reply_fail(skald_reply *reply, const char *code, const char *text)
{
	set_error(reply, code, text);
	return SKALD_FAILED;
}

/* --- running ------------------------------------------------------------------------ */

void command_fail(struct reply_message *reply, struct slice code, struct slice text)
{
	reply->outcome = MESSAGE_FAILED;
	reply->output = (struct slice){0};
	reply->code = code;
	reply->text = text;
}

/* What the handler returned decides; what else it said that does not belong to
 * this outcome is dropped. */
static void conclude(struct reply_message *reply, skald_outcome outcome)
{
	switch (outcome) {
	case SKALD_OK:
		reply->outcome = MESSAGE_OK;
		reply->code = reply->text = (struct slice){0};
		return;
	case SKALD_REFUSED: reply->outcome = MESSAGE_REFUSED; break;
	case SKALD_FAILED: reply->outcome = MESSAGE_FAILED; break;
	case SKALD_LATER: /* without having deferred */
	default:          /* the handler's own mistake */
		command_fail(reply, SLICE_LITERAL("bad-outcome"),
			     SLICE_LITERAL("the handler returned none of the outcomes"));
	}
	reply->output = (struct slice){0};
}

/* Arguments come from elsewhere, and whoever reads them trusts them to be JSON. */
static enum err check_json(struct slice text, struct arena *arena, struct slice *out,
			   struct reply_message *reply)
{
	struct diag diag = {{0}};
	struct json json = {0};
	enum err err;

	if (!text.len)
		return OK;
	err = json_parse(text, COMMAND_PAYLOAD_MAX, arena, &json, &diag);
	*out = json.text;
	if (err && err != ERR_NOMEM) {
		reply->code = SLICE_LITERAL("bad-arguments");
		if (!arena_copy(arena, slice_of(diag.text), &reply->text))
			return ERR_NOMEM;
	}
	return err;
}

static enum err make_command(const struct command_message *message, struct arena *arena,
			     struct skald_command *out, struct reply_message *reply)
{
	enum err err;

	out->attempt = message->attempt;
	if (!arena_copy(arena, message->id, &out->id) ||
	    !arena_copy(arena, message->saga_id, &out->saga_id) ||
	    !arena_copy(arena, message->command, &out->name))
		return ERR_NOMEM;
	out->args = SLICE_LITERAL("{}");
	err = check_json(message->args, arena, &out->args, reply);
	return err ? err : check_json(message->output, arena, &out->output, reply);
}

skald_deferred *command_run(const struct command_message *message, skald_handler *handler,
			    void *context, struct later_box *box, struct arena *arena,
			    struct reply_message *reply_message)
{
	struct skald_reply reply = {.arena = arena, .message = reply_message};
	skald_deferred *deferred = NULL;
	struct skald_command command = {.box = box, .deferred = &deferred};
	skald_outcome outcome;

	if (make_command(message, arena, &command, reply_message)) {
		reply_message->outcome = MESSAGE_FAILED;
		return NULL;
	}
	outcome = handler(&command, &reply, context);
	if (outcome == SKALD_LATER && deferred)
		return deferred;
	if (deferred)
		later_abandon(deferred);
	conclude(reply_message, reply.nomem ? SKALD_FAILED : outcome);
	return NULL;
}
