#include "orchestrator/check/transcript.h"

#include "orchestrator/check/judge.h"

enum { LINE_MAX_BYTES = 16 * 1024 };

/* --- what happens ---------------------------------------------------------------- */

static struct slice name_of(const struct play *play, uint32_t i)
{
	return play->model->steps[i].name;
}

static void write_command(struct bytes *out, const struct play *play)
{
	const struct move *move = &play->move;

	bytes_format(out, "the %s of %.*s", verb_text((enum verb)move->verb),
		     SLICE_ARG(name_of(play, move->step)));
	if (move->attempt > 1 || move->stale)
		bytes_format(out, ", attempt %u,", move->attempt);
}

static void write_reply(struct bytes *out, const struct play *play)
{
	const struct move *move = &play->move;

	bytes_format(out, "the answer %s to ", outcome_text((enum outcome)move->outcome));
	write_command(out, play);
	bytes_text(out, " arrives");
	if (move->stale)
		bytes_text(out, " although that attempt is over");
	if (move->spent)
		bytes_text(out, " when the retry budget is spent");
}

static void write_due(struct bytes *out, const struct play *play)
{
	const struct move *move = &play->move;
	const struct step *step = &play->before.saga.steps[move->step];
	struct slice name = name_of(play, move->step);

	if (step->state != STEP_RUNNING)
		bytes_format(out, "the next attempt of %.*s is due", SLICE_ARG(name));
	else if (play->model->steps[move->step].form == FORM_SLEEP)
		bytes_format(out, "the time of %.*s is over", SLICE_ARG(name));
	else
		bytes_format(out, "what %.*s awaits does not come in time", SLICE_ARG(name));
}

static void write_operation(struct bytes *out, const struct play *play)
{
	const struct move *move = &play->move;
	struct slice name = move->step < play->before.saga.n_steps
				    ? name_of(play, move->step)
				    : SLICE_LITERAL("all it can");

	switch ((enum move_kind)move->kind) {
	case MOVE_CANCEL: bytes_text(out, "an operator cancels the saga"); break;
	case MOVE_TURN_BACK: bytes_text(out, "an operator undoes the completed saga"); break;
	case MOVE_PAUSE: bytes_text(out, "an operator pauses the saga"); break;
	case MOVE_RESUME: bytes_text(out, "an operator resumes the saga"); break;
	case MOVE_RETRY: bytes_format(out, "an operator retries %.*s", SLICE_ARG(name)); break;
	case MOVE_SKIP:
		bytes_format(out, "an operator skips %.*s%s", SLICE_ARG(name),
			     move->output ? " and gives its output" : "");
		break;
	default: bytes_text(out, "an operator kills the saga"); break;
	}
}

static void write_move(struct bytes *out, const struct play *play)
{
	const struct move *move = &play->move;

	switch ((enum move_kind)move->kind) {
	case MOVE_BEGIN: bytes_text(out, "the saga starts"); break;
	case MOVE_REPLY: write_reply(out, play); break;
	case MOVE_TIMEOUT:
		write_command(out, play);
		bytes_format(out, " gets no answer in time%s%s",
			     move->spent ? ", and the retry budget is spent" : "",
			     move->stale ? ", it is told although that attempt is over" : "");
		break;
	case MOVE_DUE: write_due(out, play); break;
	case MOVE_DEADLINE: bytes_text(out, "the saga's deadline passes"); break;
	case MOVE_SIGNAL:
		bytes_format(out, "the event %.*s arrives",
			     SLICE_ARG(play->model->events[move->step]));
		break;
	case MOVE_SIGNAL_AGAIN:
		bytes_format(out, "the event %.*s arrives again, with the id it had before",
			     SLICE_ARG(play->model->events[move->step]));
		break;
	case MOVE_CANCEL:
	case MOVE_TURN_BACK:
	case MOVE_PAUSE:
	case MOVE_RESUME:
	case MOVE_RETRY:
	case MOVE_SKIP:
	case MOVE_KILL: write_operation(out, play); break;
	}
}

/* --- what follows ---------------------------------------------------------------- */

static void next_clause(struct bytes *out, bool *any)
{
	bytes_text(out, *any ? ", " : ": ");
	*any = true;
}

static void write_phase(struct bytes *out, const struct play *play, bool *any)
{
	const struct saga *before = &play->before.saga, *after = &play->after.saga;
	bool begin = play->move.kind == MOVE_BEGIN;
	uint8_t was = begin ? 0 : before->flags;

	if (!begin && before->phase == PHASE_FORWARD && after->phase != PHASE_FORWARD &&
	    after->phase != PHASE_COMPLETED && after->phase != PHASE_KILLED) {
		next_clause(out, any);
		bytes_text(out, "the saga turns back");
	}
	if (saga_ended(after) && (begin || before->phase != after->phase)) {
		next_clause(out, any);
		bytes_format(out, "the saga is %s", phase_text((enum phase)after->phase));
	}
	if (~was & after->flags & SAGA_TURNING) {
		next_clause(out, any);
		bytes_text(out, "the saga wants to turn back");
	}
}

static const char *becomes(const struct step *step)
{
	switch ((enum step_state)step->state) {
	case STEP_WAITING: return "waits";
	case STEP_RUNNING: return step->verb == VERB_REVOKE ? "is being revoked" : "is running";
	case STEP_BACKOFF: return "waits for its next attempt";
	case STEP_DONE: return "is done";
	case STEP_REFUSED: return "is refused";
	case STEP_SKIPPED: return "is skipped";
	case STEP_IN_DOUBT: return "is in doubt";
	case STEP_UNDOING: return "is being undone";
	case STEP_UNDO_BACKOFF: return "waits for the next attempt of its undo";
	case STEP_UNDONE: return "is undone";
	case STEP_PARKED: return "is parked";
	case STEP_NEVER: break;
	}
	return "is never started";
}

static void write_steps(struct bytes *out, const struct play *play, bool *any)
{
	for (uint32_t i = 0; i < play->after.saga.n_steps; i++) {
		const struct step *after = &play->after.saga.steps[i];
		enum step_state was =
			play->move.kind == MOVE_BEGIN
				? STEP_WAITING
				: (enum step_state)play->before.saga.steps[i].state;

		/* What waited when the saga turned back goes without saying. */
		if (after->state == was || (was == STEP_WAITING && after->state == STEP_NEVER))
			continue;
		next_clause(out, any);
		bytes_format(out, "%.*s %s", SLICE_ARG(name_of(play, i)), becomes(after));
		if (after->why == WHY_EXPRESSION)
			bytes_text(out, " because an expression fails");
	}
}

static void write_commands(struct bytes *out, const struct play *play)
{
	for (uint32_t n = 0; n < play->effects.n_commands; n++) {
		const struct command *command = &play->effects.commands[n];

		bytes_format(out, "%s%s of %.*s",
			     n ? ", " : "; sent: ", verb_text(command->verb),
			     SLICE_ARG(name_of(play, command->step)));
		if (command->attempt > 1)
			bytes_format(out, " (attempt %u)", command->attempt);
		if (command->round)
			bytes_format(out, " (round %u)", command->round + 1);
	}
}

static enum err write_line(const struct play *play, bool changed, struct arena *arena,
			   const char **line)
{
	struct bytes out = BYTES(LINE_MAX_BYTES, arena);
	bool any = false;

	write_move(&out, play);
	if (changed) {
		write_phase(&out, play, &any);
		write_steps(&out, play, &any);
		write_commands(&out, play);
	} else {
		bytes_text(&out, ": nothing changes");
	}
	bytes_add(&out, '\0');
	*line = out.at;
	return out.err == ERR_TOO_LARGE ? OK : out.err;
}

/* --- the way --------------------------------------------------------------------- */

/* Make the same move once more, with the same answers of expressions. */
static enum err replay(struct play *play, const struct visited *visited, struct moves *moves,
		       struct origin origin, bool *changed)
{
	static const struct move begin = {.kind = MOVE_BEGIN};
	const struct move *move = &begin;
	enum err err = OK;

	play_load(play,
		  origin.parent == NO_STATE ? NULL : visited_record(visited, origin.parent));
	if (origin.parent != NO_STATE) {
		moves_list(moves, play->model, &play->before);
		if (moves->nomem)
			return ERR_NOMEM;
		move = &moves->list[origin.move];
	}
	answers_begin(&play->answers);
	for (uint32_t choice = 0; !err; choice++) {
		err = play_move(play, move, changed);
		if (err || choice == origin.choice || !answers_next(&play->answers))
			break;
	}
	return err;
}

enum err transcript_write(struct play *play, const struct visited *visited, uint32_t at,
			  const struct origin *last, struct explore_report *report)
{
	size_t n = last != NULL;
	const char **lines;
	struct moves moves = {0};
	struct origin origin;
	bool changed = false;
	enum err err = OK;

	for (uint32_t state = at; state != NO_STATE; n++)
		state = visited_origin(visited, state).parent;
	lines = arena_array(&report->arena, n + 1, sizeof *lines);
	if (!lines)
		return ERR_NOMEM;
	report->lines = lines;
	report->n_lines = n;
	if (last) {
		err = replay(play, visited, &moves, *last, &changed);
		if (!err)
			err = write_line(play, changed, &report->arena, &lines[--n]);
	}
	for (; n > 0 && !err; at = origin.parent) {
		origin = visited_origin(visited, at);
		err = replay(play, visited, &moves, origin, &changed);
		if (!err)
			err = write_line(play, changed, &report->arena, &lines[--n]);
	}
	moves_release(&moves);
	return err;
}
