/* later.h - answers that come later, from any thread.
 *
 * A skald_deferred is in two hands: the thread that will answer it, and the
 * participant, which finds the commands that have to wait for that answer with it.
 * The box is where the answers are put; it lives until the participant and the
 * last unanswered skald_deferred have let it go.
 */
#ifndef SKALD_PARTICIPANTS_LATER_H
#define SKALD_PARTICIPANTS_LATER_H

#include "base/arena.h"
#include "base/err.h"
#include "proto/message.h"
#include "skald/participant.h"

struct later_box;

/* NULL: out of memory. */
struct later_box *later_box_new(void);

/* `fd` gets a byte when something is put into an empty box; -1, as at first:
 * nothing does. */
void later_box_set_wake(struct later_box *box, int fd);

/* The participant ends: answers that come now go nowhere. */
void later_box_close(struct later_box *box);

/* NULL: out of memory. */
skald_deferred *later_new(struct later_box *box);

/* A word of the participant's own, only for its thread; NULL at first. */
void later_set_owner(skald_deferred *deferred, void *owner);
void *later_owner(const skald_deferred *deferred);

/* The participant is not interested any more: the answer will go nowhere. */
void later_abandon(skald_deferred *deferred);

/* The next one that was answered, oldest first, now the participant's alone; NULL:
 * none. */
skald_deferred *later_take(struct later_box *box);

/* Its answer, copied into the arena. */
CHECKED enum err later_read(const skald_deferred *deferred, struct arena *arena,
			    struct reply_message *reply);

void later_free(skald_deferred *deferred); /* one that was taken */

#endif
