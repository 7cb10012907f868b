#include "proto/message_copy.h"

#include <stdlib.h>

/* Move the text behind what is already in the block. */
static void take(char **at, struct slice *text)
{
	if (text->len)
		memcpy(*at, text->at, text->len);
	text->at = *at;
	*at += text->len;
}

struct command_message *command_message_copy(const struct command_message *command)
{
	size_t texts = command->id.len + command->participant.len + command->command.len +
		       command->do_id.len + command->saga_id.len + command->saga.len +
		       command->args.len + command->output.len;
	struct command_message *copy = malloc(sizeof *copy + texts);
	char *at = (char *)(copy + 1);

	if (!copy)
		return NULL;
	*copy = *command;
	take(&at, &copy->id);
	take(&at, &copy->participant);
	take(&at, &copy->command);
	take(&at, &copy->do_id);
	take(&at, &copy->saga_id);
	take(&at, &copy->saga);
	take(&at, &copy->args);
	take(&at, &copy->output);
	return copy;
}

struct reply_message *reply_message_copy(const struct reply_message *reply)
{
	size_t texts = reply->id.len + reply->output.len + reply->code.len + reply->text.len;
	struct reply_message *copy = malloc(sizeof *copy + texts);
	char *at = (char *)(copy + 1);

	if (!copy)
		return NULL;
	*copy = *reply;
	take(&at, &copy->id);
	take(&at, &copy->output);
	take(&at, &copy->code);
	take(&at, &copy->text);
	return copy;
}
