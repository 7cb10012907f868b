/* judge.h - holds a run to the promises.
 *
 * It keeps the books of everything that took effect at a service, sees every
 * command that is sent and every record that is stored, and asks nobody: what is
 * right is said here once more, in terms of books and records. The first thing
 * that is wrong ends the run.
 *
 * P1  an effect occurs once for each round of a command, whatever comes twice
 * P2  a start that was acknowledged is never lost, and comes to its end in time
 * P3  what took effect is undone, in the opposite order, or a person decided
 * P4  a cancelled saga is compensated unless its pivot took effect; only kill
 *     leaves things as they are, and is in the audit
 * P5  a saga stays on the version with which it started
 * P6  a saga that cannot be read, or a participant that never answers, is no
 *     business of the others
 * and what the engine promises beside: nothing is sent that is not stored, nothing is
 * acknowledged that is not stored and sent (order); whoever observes is told of each
 * change, in order (news); so is whoever reads events, of each entry (events); what came too
 * late does not count, and whoever owns it comes upon it (owners); nothing grows beyond what
 * its header says (bounds).
 */
#ifndef SKALD_TESTS_SIM_JUDGE_H
#define SKALD_TESTS_SIM_JUDGE_H

#include "orchestrator/core/timeline.h"
#include "orchestrator/engine/engine.h"
#include "tests/sim/world.h"

/* The saga as it is on the disk. False: it cannot be read, which is said. */
bool judge_read(struct world *world, const struct sim_case *sim_case, struct arena *arena,
		struct saga *out);

/* Likewise, in memory until the next call. */
bool judge_read_saga(struct world *world, const struct sim_case *sim_case, struct saga *out);

/* Its pivot took effect. */
bool judge_pivot_done(const struct world *world, const struct sim_case *sim_case);

/* --- what services do --------------------------------------------------------------- */

/* Which command of which case an id means; false: none that the judge knows. */
struct command_place {
	struct sim_case *sim_case;
	struct instance at;
	enum verb verb;
	uint16_t round;
};
bool judge_place(struct world *world, struct slice command_id, struct command_place *out);

/* A handler's effect was committed. */
void judge_effect(struct world *world, const struct command_place *place);

/* A service sends a reply, which must be true. */
void judge_reply(struct world *world, const struct reply_message *reply);

/* --- what an orchestrator does ------------------------------------------------------ */

/* It is there now. One that is not its owner's, any more or again, came too late. */
void judge_stored(struct world *world, const struct saga_write *write, bool is_owner);

/* What it wrote counts, says the store that several share. */
void judge_counted(struct world *world, const struct saga_write *write);

/* `number` of the orchestrator. A command that the bus did not take was tried. */
void judge_sent(struct world *world, uint32_t number, const struct command_message *command,
		bool taken);

/* Messages that were polled are acknowledged: `replies` of them, by their ids. */
struct polled_reply {
	char id[COMMAND_ID_MAX + 1];
	uint32_t attempt;
	enum message_outcome outcome;
};
void judge_acknowledged(struct world *world, uint32_t number, const struct engine *engine,
			const struct polled_reply *replies, size_t n);

/* It has loaded what there is, or what is in these shards: everything that is waited for was
 * sent again, or is held back by the limits of its participant. */
void judge_opened(struct world *world, uint32_t number, const struct engine *engine,
		  const struct shards *which);

/* --- what people are told ----------------------------------------------------------- */

void judge_started(struct world *world, struct sim_case *sim_case, struct slice saga_id);
void judge_signalled(struct world *world, struct sim_case *sim_case, const char *signal_id);

/* For whoever helps: the steps that need it; returns how many there are, of which as
 * many are named as there is room for. */
enum { PARKED_MAX = 8 };
uint32_t judge_parked(struct world *world, const struct sim_case *sim_case,
		      char names[PARKED_MAX][INSTANCE_NAME_MAX + 1]);

/* --- children (judge_family.c) ------------------------------------------------------ */

/* The child that a step has begun last, of those that have one; NULL: none. */
const struct sim_case *judge_child(const struct world *world, const struct sim_case *parent,
				   struct instance at);

/* A child saga is stored for the first time. NULL: nobody asked for it, which is said. */
struct sim_case *judge_new_child(struct world *world, const struct saga *child,
				 struct slice name);

/* A saga has ended that is stored so: no child may be left behind. */
void judge_children_left(struct world *world, const struct sim_case *parent);

/* Whether its parent turns back, so that it has to, too. */
bool judge_parent_undoes(struct world *world, const struct sim_case *child);

/* At the end: whether a step that starts a saga fits what became of that. */
bool judge_child_fits(struct world *world, const struct sim_case *parent,
		      const struct saga *saga, uint32_t i);

/* --- news, and bounds (judge_news.c) ------------------------------------------------ */

/* A change is stored, so that the observer is to be told; it is told; and whether it was
 * told of all at the end. */
void judge_will_tell(struct world *world, struct sim_case *sim_case, uint64_t revision);
void judge_told(struct world *world, const struct saga_row *row, size_t n_entries,
		uint64_t first);

/* The entries of what is stored, which are those that there were and more. */
void judge_entries(struct world *world, struct sim_case *sim_case, struct slice record);

/* An entry of a saga is where events are read. */
void judge_published(struct world *world, const struct event_message *event);
void judge_news_end(struct world *world, const struct sim_case *sim_case,
		    const struct timeline *timeline);

/* After a turn: nothing has more in it than its header says. Settled: all went well. */
void judge_bounds(struct world *world, const struct engine *engine, bool settled);
void judge_bus(struct world *world, struct bus *bus);

/* A saga has begun: there was room for it. */
void judge_room(struct world *world, const struct sim_case *fresh);

/* Some time after the trouble: every saga is in the memory of whoever owns it, as it is
 * stored. False: not all of them are there, so that it cannot be said yet. */
bool judge_memory(struct world *world);

/* --- in the end --------------------------------------------------------------------- */

/* Whether all have come to their end: those that can, as long as not all is
 * mended. */
bool judge_all_ended(struct world *world);

/* How long that may take when nothing goes wrong any more. */
int64_t judge_patience_ms(const struct world *world);

/* Too long: say who is still under way. */
void judge_impatient(struct world *world);

void judge_end(struct world *world);

#endif
