#include "tests/sim/judge.h"

#include "orchestrator/store/record.h"
#include "tests/sim/orchestrator.h"
#include "tests/sim/people.h"

#include <stdio.h>

/* --- what is stored ----------------------------------------------------------------- */

bool judge_read(struct world *world, const struct sim_case *sim_case, struct arena *arena,
		struct saga *out)
{
	struct slice record, bytes, timeline;
	uint8_t hash[SHA256_SIZE];
	enum err err;

	err = store_get(world->archive, slice_of(sim_case->id), arena, NULL, &record);
	if (!err)
		err = record_split(record, &bytes, &timeline);
	if (!err)
		err = saga_decode(bytes, arena, out, hash, NULL);
	if (err)
		diary_fault(&world->diary, "P2: %s cannot be read any more: %s", sim_case->id,
			    err_text(err));
	return !err;
}

bool judge_read_saga(struct world *world, const struct sim_case *sim_case, struct saga *out)
{
	arena_reset(&world->scratch);
	return judge_read(world, sim_case, &world->scratch, out);
}

/* Whether this is what the clients of the case have asked for. */
static bool is_of(const struct sim_case *sim_case, const struct saga_row *row)
{
	const char(*ids)[SAGA_ID_MAX + 1] = sim_case->ids;

	if (!slice_equal(row->saga, sim_case->definition->name))
		return false;
	if (*sim_case->key)
		return slice_is(row->key, sim_case->key);
	return slice_is(row->id, ids[0]) || slice_is(row->id, ids[1]);
}

static struct sim_case *find_new(struct world *world, const struct saga_row *row)
{
	struct sim_case *sim_case = world->cases;

	for (; sim_case < world->cases + world->plan.n_cases; sim_case++)
		if (is_of(sim_case, row))
			return sim_case;
	return NULL;
}

static void store_new(struct world *world, const struct saga_write *write)
{
	uint8_t hash[SHA256_SIZE] = {0};
	struct sim_case *sim_case;
	struct slice bytes, timeline;
	struct saga saga;

	arena_reset(&world->scratch);
	if (record_split(write->record, &bytes, &timeline) ||
	    saga_decode(bytes, &world->scratch, &saga, hash, NULL)) {
		diary_fault(&world->diary, "P2: %.*s was stored and cannot be read",
			    SLICE_ARG(write->row.id));
		return;
	}
	sim_case = saga.parent.len ? judge_new_child(world, &saga, write->row.saga)
				   : find_new(world, &write->row);
	if (!sim_case) {
		diary_fault(&world->diary,
			    "P2: the saga %.*s was stored, and nobody asked for it",
			    SLICE_ARG(write->row.id));
		return;
	}
	if (*sim_case->id) {
		diary_fault(&world->diary, "P2: %s was begun again as %.*s", sim_case->id,
			    SLICE_ARG(write->row.id));
		return;
	}
	memcpy(sim_case->hash, hash, sizeof hash);
	snprintf(sim_case->id, sizeof sim_case->id, "%.*s", SLICE_ARG(write->row.id));
	snprintf(sim_case->version, sizeof sim_case->version, "%.*s",
		 SLICE_ARG(write->row.version));
	world->tally.sagas++;
	world->n_begun++;
	judge_room(world, sim_case);
	if (sim_case->parent)
		people_meet(world->people, sim_case);
}

/* What had ended stays so; only a completed one can be undone. */
static bool may_go_on(struct world *world, const struct sim_case *sim_case)
{
	return sim_case->status == STATUS_COMPLETED && sim_case->definition->pivot == NO_STEP &&
	       (sim_case->parent ? judge_parent_undoes(world, sim_case) : sim_case->undo_asked);
}

static void note_revision(struct world *world, struct sim_case *sim_case, uint64_t revision,
			  bool is_owner)
{
	if (revision <= sim_case->revision)
		diary_fault(&world->diary, "P2: %s goes back from revision %llu to %llu",
			    sim_case->id, (unsigned long long)sim_case->revision,
			    (unsigned long long)revision);
	sim_case->revision = revision;
	sim_case->is_stray = !is_owner;
	if (is_owner)
		return;
	diary_write(&world->diary, "which came too late");
	sim_case->strays[sim_case->n_strays++ % STRAYS_MAX] = revision;
	world->tally.strays++;
}

void judge_counted(struct world *world, const struct saga_write *write)
{
	const struct sim_case *sim_case = world_case_by_id(world, write->row.id);

	if (!sim_case || sim_case->revision < write->row.revision) {
		diary_fault(&world->diary, "P2: %.*s is said to be stored, and is not",
			    SLICE_ARG(write->row.id));
		return;
	}
	for (uint32_t i = 0; i < sim_case->n_strays && i < STRAYS_MAX; i++)
		if (sim_case->strays[i] == write->row.revision)
			diary_fault(&world->diary,
				    "owners: %s is stored by one that has lost it",
				    sim_case->id);
}

void judge_stored(struct world *world, const struct saga_write *write, bool is_owner)
{
	const struct saga_row *row = &write->row;
	struct sim_case *sim_case;

	if (!write->before)
		store_new(world, write);
	sim_case = world_case_by_id(world, row->id);
	if (!sim_case) {
		diary_fault(&world->diary, "P2: %.*s is changed, and was never begun",
			    SLICE_ARG(row->id));
		return;
	}
	diary_write(&world->diary, "%s is stored: revision %llu, %s%s%s%.*s", sim_case->id,
		    (unsigned long long)row->revision, status_text(row->status),
		    row->paused ? ", paused" : "", row->step.len ? ", at " : "",
		    SLICE_ARG(row->step));
	note_revision(world, sim_case, row->revision, is_owner);
	judge_entries(world, sim_case, write->record);
	if (!slice_is(row->version, sim_case->version))
		diary_fault(&world->diary, "P5: %s has begun as version %s and is %.*s now",
			    sim_case->id, sim_case->version, SLICE_ARG(row->version));
	if (sim_case->ended && !may_go_on(world, sim_case))
		diary_fault(&world->diary, "P2: %s is changed although it was %s", sim_case->id,
			    status_text(sim_case->status));
	if (row->status == STATUS_PARKED && !row->reason.len)
		diary_fault(&world->diary, "P2: %s is parked without a reason", sim_case->id);
	if (row->status == STATUS_KILLED && !sim_case->kill_asked)
		diary_fault(&world->diary, "P4: %s is killed, and nobody did", sim_case->id);
	world->n_begun += sim_case->ended && !status_ended(row->status);
	world->tally.parked +=
		row->status == STATUS_PARKED && sim_case->status != STATUS_PARKED;
	sim_case->status = row->status;
	sim_case->ended = status_ended(row->status);
	sim_case->paused = row->paused;
	sim_case->touched = true;
	judge_will_tell(world, sim_case, row->revision);
	if (sim_case->ended)
		judge_children_left(world, sim_case);
}

/* --- what is sent ------------------------------------------------------------------- */

static uint16_t round_of(const struct step *step)
{
	return step->verb == VERB_UNDO ? step->undo_round : step->do_round;
}

/* A command of it is at its participant. */
static bool in_flight(const struct saga *saga, const struct sim_case *sim_case, uint32_t i)
{
	const struct step_definition *step =
		saga_step_definition(sim_case->definition, saga, i);

	return !saga_ended(saga) && step->form != FORM_SAGA &&
	       step_in_flight(step, &saga->steps[i]);
}

/* The step as it is stored; NULL: the saga has none there. */
static const struct step *step_at(const struct saga *saga, const struct command_place *place,
				  uint32_t *out)
{
	*out = saga_instance_at(place->sim_case->definition, saga, place->at);
	return *out == NO_STEP ? NULL : &saga->steps[*out];
}

void judge_sent(struct world *world, uint32_t number, const struct command_message *command,
		bool taken)
{
	struct command_place place;
	const struct step *step;
	struct step_book *book;
	struct saga saga;
	uint32_t i;

	if (!judge_place(world, command->id, &place)) {
		diary_fault(&world->diary, "order: %.*s is sent, and its saga is not stored",
			    SLICE_ARG(command->id));
		return;
	}
	book = case_book(place.sim_case, place.at);
	if (orchestrator_claims(world, number, command->id)) {
		book->handed_by = number;
		book->handed_verb = place.verb;
		book->handed_round = place.round;
		book->handed_attempt = command->attempt;
	}
	world->tally.commands += taken;
	/* One that has a rival, or has lost the saga, may know an older truth. */
	if (world->tally.rivals || place.sim_case->is_stray ||
	    !orchestrator_owns(world, number, command->id) ||
	    !judge_read_saga(world, place.sim_case, &saga))
		return;
	step = step_at(&saga, &place, &i);
	if (!step || !in_flight(&saga, place.sim_case, i) || step->verb != place.verb ||
	    round_of(step) != place.round || step->attempt != command->attempt)
		diary_fault(&world->diary, "order: attempt %u of %.*s is sent, and not stored",
			    (unsigned)command->attempt, SLICE_ARG(command->id));
}

/* All that the saga waits for was handed to the bus by this orchestrator, or is held back
 * because of limits that there are. */
static void check_handed(struct world *world, const struct sim_case *sim_case, uint32_t number,
			 const struct engine *engine, const char *when)
{
	struct engine_hold hold;
	struct saga saga;

	if (sim_case->is_stray || !judge_read_saga(world, sim_case, &saga))
		return;
	for (uint32_t i = 0; i < saga.n_steps; i++) {
		struct instance at = saga_instance(sim_case->definition, &saga, i);
		const struct step_book *book = case_book(sim_case, at);
		const struct step *step = &saga.steps[i];

		if (!in_flight(&saga, sim_case, i) ||
		    engine_hold(engine, slice_of(sim_case->id), i, &hold))
			continue;
		if (book->handed_by != number || book->handed_verb != step->verb ||
		    book->handed_round != round_of(step) ||
		    book->handed_attempt != step->attempt)
			diary_fault(&world->diary,
				    "order: %s waits for attempt %u of %s %.*s, which was not "
				    "sent %s",
				    sim_case->id, (unsigned)step->attempt,
				    verb_text((enum verb)step->verb),
				    SLICE_ARG(sim_case->definition->steps[at.step].name), when);
	}
}

/* --- what is acknowledged ----------------------------------------------------------- */

/* Whether the saga still waits for what this reply says. */
static void check_taken(struct world *world, const struct polled_reply *reply)
{
	struct command_place place;
	const struct step *step;
	struct saga saga;
	uint32_t i;

	if (reply->outcome == MESSAGE_FAILED || reply->outcome == MESSAGE_EXPIRED ||
	    !judge_place(world, slice_of(reply->id), &place) ||
	    place.sim_case == world->damaged || place.sim_case->is_stray ||
	    !judge_read_saga(world, place.sim_case, &saga) || saga_ended(&saga))
		return;
	step = step_at(&saga, &place, &i);
	if (!step)
		return;
	if (!in_flight(&saga, place.sim_case, i) && step->state != STEP_BACKOFF &&
	    step->state != STEP_UNDO_BACKOFF)
		return;
	if (step->verb == place.verb && round_of(step) == place.round &&
	    reply->attempt <= step->attempt)
		diary_fault(&world->diary,
			    "order: the reply to attempt %u of %s is acknowledged, and what "
			    "follows from it is not stored",
			    (unsigned)reply->attempt, reply->id);
}

void judge_acknowledged(struct world *world, uint32_t number, const struct engine *engine,
			const struct polled_reply *replies, size_t n)
{
	if (world->tally.rivals)
		return;
	for (size_t i = 0; i < n; i++)
		if (orchestrator_owns(world, number, slice_of(replies[i].id)))
			check_taken(world, &replies[i]);
	for (uint32_t i = 0; i < world->n_cases; i++) {
		struct sim_case *sim_case = &world->cases[i];

		if (!sim_case->touched || sim_case == world->damaged ||
		    !orchestrator_owns(world, number, slice_of(sim_case->id)))
			continue;
		sim_case->touched = false;
		check_handed(world, sim_case, number, engine,
			     "before replies were acknowledged");
	}
}

void judge_opened(struct world *world, uint32_t number, const struct engine *engine,
		  const struct shards *which)
{
	for (uint32_t i = 0; i < world->n_cases; i++) {
		struct sim_case *sim_case = &world->cases[i];

		if (!orchestrator_owns(world, number, slice_of(sim_case->id)) ||
		    (which && !shards_cover(which, slice_of(sim_case->id))))
			continue;
		sim_case->touched = false;
		if (*sim_case->id && !sim_case->ended && sim_case != world->damaged)
			check_handed(world, sim_case, number, engine, "when it was loaded");
	}
}

/* --- what people are told ----------------------------------------------------------- */

void judge_started(struct world *world, struct sim_case *sim_case, struct slice saga_id)
{
	struct saga saga;

	sim_case->acknowledged = true;
	if (!*sim_case->id)
		diary_fault(&world->diary,
			    "P2: the start of %.*s is acknowledged, and not stored",
			    SLICE_ARG(saga_id));
	else if (!slice_is(saga_id, sim_case->id))
		diary_fault(&world->diary, "P2: a start is told that %s is %.*s", sim_case->id,
			    SLICE_ARG(saga_id));
	else
		(void)judge_read_saga(world, sim_case, &saga);
}

void judge_signalled(struct world *world, struct sim_case *sim_case, const char *signal_id)
{
	struct saga saga;

	if (!judge_read_saga(world, sim_case, &saga))
		return;
	for (uint32_t i = 0; i < saga.n_signals; i++)
		if (slice_is(saga.signals[i].id, signal_id))
			return;
	diary_fault(&world->diary, "P2: the signal %s to %s is acknowledged, and not stored",
		    signal_id, sim_case->id);
}

uint32_t judge_parked(struct world *world, const struct sim_case *sim_case,
		      char names[PARKED_MAX][INSTANCE_NAME_MAX + 1])
{
	char room[INSTANCE_NAME_MAX];
	struct saga saga;
	uint32_t n = 0;

	if (!judge_read_saga(world, sim_case, &saga))
		return 0;
	for (uint32_t i = 0; i < saga.n_steps; i++) {
		struct slice name;

		if (saga.steps[i].state != STEP_PARKED || n == PARKED_MAX)
			continue;
		name = saga_step_name(sim_case->definition, &saga, i, room);
		snprintf(names[n++], INSTANCE_NAME_MAX + 1, "%.*s", SLICE_ARG(name));
	}
	return n;
}
