#include "participants/lib/later.h"

#include "base/json.h"
#include "base/utf8.h"
#include "participants/lib/command.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct later_box {
	pthread_mutex_t lock; /* of all below, and of the states of what is deferred */
	int wake_fd;
	bool closed;
	size_t n_open;         /* deferred, and neither answered nor abandoned and answered */
	skald_deferred *first; /* answered and not taken, oldest first */
	skald_deferred **end;
};

struct skald_deferred {
	struct later_box *box;
	skald_deferred *next;
	void *owner; /* of the participant's thread */
	bool abandoned;
	enum message_outcome outcome;
	struct slice output, code, text; /* in `texts` */
	struct arena texts;
};

struct later_box *later_box_new(void)
{
	struct later_box *box = calloc(1, sizeof *box);

	if (!box)
		return NULL;
	if (pthread_mutex_init(&box->lock, NULL) != 0) {
		free(box);
		return NULL;
	}
	box->wake_fd = -1;
	box->end = &box->first;
	return box;
}

void later_box_set_wake(struct later_box *box, int fd)
{
	pthread_mutex_lock(&box->lock);
	box->wake_fd = fd;
	pthread_mutex_unlock(&box->lock);
}

/* Let go of the lock, and of the box where nobody has it any more. */
static void unlock(struct later_box *box)
{
	bool unused = box->closed && box->n_open == 0;

	pthread_mutex_unlock(&box->lock);
	if (!unused)
		return;
	pthread_mutex_destroy(&box->lock);
	free(box);
}

void later_free(skald_deferred *deferred)
{
	arena_release(&deferred->texts);
	free(deferred);
}

void later_box_close(struct later_box *box)
{
	pthread_mutex_lock(&box->lock);
	while (box->first) {
		skald_deferred *deferred = box->first;

		box->first = deferred->next;
		later_free(deferred);
	}
	box->closed = true;
	box->wake_fd = -1;
	unlock(box);
}

skald_deferred *later_new(struct later_box *box)
{
	skald_deferred *deferred = calloc(1, sizeof *deferred);

	if (!deferred)
		return NULL;
	deferred->box = box;
	pthread_mutex_lock(&box->lock);
	box->n_open++;
	pthread_mutex_unlock(&box->lock);
	return deferred;
}

void later_set_owner(skald_deferred *deferred, void *owner)
{
	deferred->owner = owner;
}

void *later_owner(const skald_deferred *deferred)
{
	return deferred->owner;
}

void later_abandon(skald_deferred *deferred)
{
	struct later_box *box = deferred->box;

	pthread_mutex_lock(&box->lock);
	deferred->abandoned = true;
	pthread_mutex_unlock(&box->lock);
}

skald_deferred *later_take(struct later_box *box)
{
	skald_deferred *deferred;

	pthread_mutex_lock(&box->lock);
	deferred = box->first;
	if (deferred) {
		box->first = deferred->next;
		if (!box->first)
			box->end = &box->first;
	}
	pthread_mutex_unlock(&box->lock);
	return deferred;
}

enum err later_read(const skald_deferred *deferred, struct arena *arena,
		    struct reply_message *reply)
{
	reply->outcome = deferred->outcome;
	if (!arena_copy(arena, deferred->output, &reply->output) ||
	    !arena_copy(arena, deferred->code, &reply->code) ||
	    !arena_copy(arena, deferred->text, &reply->text))
		return ERR_NOMEM;
	return OK;
}

/* --- any thread ---------------------------------------------------------------------- */

static void wake(int fd)
{
	int saved = errno;
	ssize_t n;

	/* A pipe that is full wakes as well. */
	if (fd >= 0) {
		n = write(fd, "", 1);
		(void)n;
	}
	errno = saved;
}

/* Hand the answer over, or throw it away where nobody waits for it any more. */
static void put(skald_deferred *deferred)
{
	struct later_box *box = deferred->box;
	bool unwanted;

	pthread_mutex_lock(&box->lock);
	box->n_open--;
	unwanted = box->closed || deferred->abandoned;
	if (!unwanted) {
		bool was_empty = !box->first;

		deferred->next = NULL;
		*box->end = deferred;
		box->end = &deferred->next;
		if (was_empty)
			wake(box->wake_fd);
	}
	unlock(box);
	if (unwanted)
		later_free(deferred);
}

static void set_error(skald_deferred *deferred, enum message_outcome outcome, const char *code,
		      const char *text)
{
	deferred->outcome = outcome;
	if (!arena_copy(&deferred->texts, utf8_cut(slice_of(code), COMMAND_CODE_MAX),
			&deferred->code) ||
	    !arena_copy(&deferred->texts, utf8_cut(slice_of(text), COMMAND_TEXT_MAX),
			&deferred->text))
		deferred->outcome = MESSAGE_FAILED;
}

void skald_deferred_ok(skald_deferred *deferred, const char *output)
{
	struct json json = {0};
	struct diag diag = {{0}};

	deferred->outcome = MESSAGE_OK;
	if (output &&
	    json_parse(slice_of(output), COMMAND_PAYLOAD_MAX, &deferred->texts, &json, &diag))
		set_error(deferred, MESSAGE_FAILED, "bad-output", diag.text);
	deferred->output = json.text;
	put(deferred);
}

void skald_deferred_refuse(skald_deferred *deferred, const char *code, const char *text)
{
	set_error(deferred, MESSAGE_REFUSED, code, text);
	put(deferred);
}

void skald_deferred_fail(skald_deferred *deferred, const char *code, const char *text)
{
	set_error(deferred, MESSAGE_FAILED, code, text);
	put(deferred);
}
