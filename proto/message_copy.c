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

struct inquiry_message *inquiry_message_copy(const struct inquiry_message *inquiry)
{
	size_t texts = inquiry->after.len;
	struct inquiry_message *copy;
	struct slice *ids;
	char *at;

	for (size_t i = 0; i < inquiry->n_ids; i++)
		texts += inquiry->ids[i].len;
	copy = malloc(sizeof *copy + inquiry->n_ids * sizeof *ids + texts);
	if (!copy)
		return NULL;
	*copy = *inquiry;
	copy->ids = ids = (struct slice *)(copy + 1);
	at = (char *)(ids + inquiry->n_ids);
	take(&at, &copy->after);
	for (size_t i = 0; i < inquiry->n_ids; i++) {
		ids[i] = inquiry->ids[i];
		take(&at, &ids[i]);
	}
	return copy;
}

struct records_message *records_message_copy(const struct records_message *records)
{
	size_t texts = records->next.len + records->trouble.len;
	struct records_message *copy;
	struct record_message *list;
	char *at;

	for (size_t i = 0; i < records->n; i++)
		texts += records->records[i].id.len;
	copy = malloc(sizeof *copy + records->n * sizeof *list + texts);
	if (!copy)
		return NULL;
	*copy = *records;
	copy->records = list = (struct record_message *)(copy + 1);
	at = (char *)(list + records->n);
	take(&at, &copy->next);
	take(&at, &copy->trouble);
	for (size_t i = 0; i < records->n; i++) {
		list[i] = records->records[i];
		take(&at, &list[i].id);
	}
	return copy;
}
