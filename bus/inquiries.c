#include "bus/inquiries.h"

#include "proto/message_copy.h"

#include <stdlib.h>

/* A slot's answer, or that it is lost; where even for that there is no memory, whoever
 * waits gives up by the clock. */
struct inquiry_answer {
	struct inquiry_answer *next;
	uint64_t request;
	struct records_message *records; /* NULL: lost */
};

void inquiries_init(struct inquiries *inquiries)
{
	*inquiries = (struct inquiries){0};
	inquiries->answers_end = &inquiries->answers;
}

static void free_answer(struct inquiry_answer *answer)
{
	if (answer)
		free(answer->records);
	free(answer);
}

static struct inquiry_answer *take(struct inquiries *inquiries)
{
	struct inquiry_answer *answer = inquiries->answers;

	if (!answer)
		return NULL;
	inquiries->answers = answer->next;
	if (!answer->next)
		inquiries->answers_end = &inquiries->answers;
	return answer;
}

void inquiries_release(struct inquiries *inquiries)
{
	struct inquiry_answer *answer;

	free_answer(inquiries->current);
	inquiries->current = NULL;
	while ((answer = take(inquiries)))
		free_answer(answer);
}

static struct inquiry_slot *find(struct inquiries *inquiries, uint64_t request)
{
	for (size_t i = 0; i < INQUIRIES_MAX; i++)
		if (inquiries->slots[i].request == request)
			return &inquiries->slots[i];
	return NULL;
}

uint64_t inquiries_add(struct inquiries *inquiries, uint32_t connection)
{
	struct inquiry_slot *slot = find(inquiries, 0);

	if (!slot)
		return 0;
	*slot = (struct inquiry_slot){++inquiries->last_request, connection};
	return slot->request;
}

void inquiries_forget(struct inquiries *inquiries, uint64_t request)
{
	struct inquiry_slot *slot = request ? find(inquiries, request) : NULL;

	if (slot)
		*slot = (struct inquiry_slot){0};
}

static enum err keep(struct inquiries *inquiries, uint64_t request,
		     struct records_message *records)
{
	struct inquiry_answer *answer = malloc(sizeof *answer);

	if (!answer)
		return ERR_NOMEM;
	*answer = (struct inquiry_answer){.request = request, .records = records};
	*inquiries->answers_end = answer;
	inquiries->answers_end = &answer->next;
	inquiries_forget(inquiries, request);
	return OK;
}

enum err inquiries_answered(struct inquiries *inquiries, uint32_t connection,
			    const struct records_message *records)
{
	struct inquiry_slot *slot = records->request ? find(inquiries, records->request) : NULL;
	struct records_message *copy;
	enum err err;

	if (!slot || slot->connection != connection)
		return OK;
	copy = records_message_copy(records);
	if (!copy)
		return ERR_NOMEM;
	err = keep(inquiries, records->request, copy);
	if (err)
		free(copy);
	return err;
}

void inquiries_lost(struct inquiries *inquiries, uint32_t connection)
{
	for (size_t i = 0; i < INQUIRIES_MAX; i++) {
		struct inquiry_slot *slot = &inquiries->slots[i];

		if (slot->request && slot->connection == connection &&
		    keep(inquiries, slot->request, NULL))
			*slot = (struct inquiry_slot){0};
	}
}

bool inquiries_poll(struct inquiries *inquiries, struct inquired *out)
{
	struct inquiry_answer *answer = take(inquiries);

	free_answer(inquiries->current);
	inquiries->current = answer;
	if (!answer)
		return false;
	*out = (struct inquired){.request = answer->request, .lost = !answer->records};
	if (answer->records)
		out->records = *answer->records;
	return true;
}
