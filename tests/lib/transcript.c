#include "tests/lib/transcript.h"

#include "tests/lib/laws.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { START_MS = 1000000 };

void transcript_begin(struct transcript *t, const char *line,
		      const struct script_answer *answers, size_t n_answers)
{
	*t = (struct transcript){.definition = build(line), .now_ms = START_MS};
	script_init(&t->script, answers, n_answers);
}

void transcript_end(struct transcript *t)
{
	definition_free(t->definition);
	arena_release(&t->arena);
}

/* --- what happens ------------------------------------------------------------------ */

static const char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " ");
	size_t len = strcspn(word, " ");

	*rest = word + len;
	if (word[len])
		*(*rest)++ = '\0';
	return word;
}

/* The rest of the line, kept as long as the saga. */
static struct slice keep_rest(struct transcript *t, char *rest)
{
	struct slice kept = {0};

	rest += strspn(rest, " ");
	if (*rest && !arena_copy(&t->arena, slice_of(rest), &kept))
		abort();
	return kept;
}

static struct slice keep_word(struct transcript *t, char **rest)
{
	struct slice kept;

	if (!arena_copy(&t->arena, slice_of(next_word(rest)), &kept))
		abort();
	return kept;
}

/* "do#2/1": which command; what is not said is the step's present one. */
static void read_command(struct transcript *t, const char *word, struct event *event)
{
	const struct step *step = &t->saga.steps[event->step];
	size_t len = strcspn(word, "#/");
	struct slice verb = {word, len};

	event->verb = (enum verb)step->verb;
	if (!slice_is(verb, "due"))
		for (event->verb = VERB_DO; !slice_is(verb, verb_text(event->verb));
		     event->verb = (enum verb)(event->verb + 1))
			assert(event->verb != VERB_REVOKE);
	event->attempt = step->attempt;
	event->round = event->verb == VERB_UNDO ? step->undo_round : step->do_round;
	word += len;
	if (*word == '#')
		event->attempt = (uint32_t)strtoul(word + 1, (char **)&word, 10);
	if (*word == '/')
		event->round = (uint16_t)strtoul(word + 1, (char **)&word, 10);
	assert(*word == '\0');
}

static void read_outcome(struct transcript *t, char *rest, struct event *event)
{
	const char *word = next_word(&rest);

	if (strcmp(word, "timeout") == 0) {
		event->type = EVENT_TIMEOUT;
		return;
	}
	event->type = EVENT_REPLY;
	for (event->outcome = OUTCOME_OK; strcmp(word, outcome_text(event->outcome)) != 0;
	     event->outcome = (enum outcome)(event->outcome + 1))
		assert(event->outcome != OUTCOME_KILLED);
	if (*rest == '[' || event->outcome == OUTCOME_OK)
		event->payload = keep_rest(t, rest);
	else
		event->error.code = keep_rest(t, rest);
}

static void read_step_event(struct transcript *t, const char *name, char *rest,
			    struct event *event)
{
	const char *word = next_word(&rest);

	event->step = saga_find(t->definition, &t->saga, slice_of(name));
	assert(event->step != NO_STEP);
	read_command(t, word, event);
	if (strncmp(word, "due", 3) != 0) {
		read_outcome(t, rest, event);
		return;
	}
	event->type = EVENT_DUE;
	if (t->saga.steps[event->step].due_ms > t->now_ms)
		t->now_ms = t->saga.steps[event->step].due_ms;
}

static bool read_operation(struct transcript *t, const char *word, char *rest,
			   struct event *event)
{
	static const enum event_type types[] = {EVENT_DEADLINE, EVENT_SIGNAL, EVENT_CANCEL,
						EVENT_UNDO,     EVENT_PAUSE,  EVENT_RESUME,
						EVENT_RETRY,    EVENT_SKIP,   EVENT_KILL};
	size_t n = 0;

	while (n < sizeof types / sizeof *types && strcmp(word, event_text(types[n])) != 0)
		n++;
	if (n == sizeof types / sizeof *types)
		return false;
	event->type = types[n];
	event->actor = SLICE_LITERAL("ann");
	if (event->type == EVENT_DEADLINE && t->saga.deadline_ms > t->now_ms)
		t->now_ms = t->saga.deadline_ms;
	if (event->type == EVENT_SIGNAL) {
		event->name = keep_word(t, &rest);
		event->id = keep_word(t, &rest);
	} else if (*rest && (event->type == EVENT_RETRY || event->type == EVENT_SKIP)) {
		event->step = saga_find(t->definition, &t->saga, slice_of(next_word(&rest)));
	}
	event->payload = keep_rest(t, rest);
	return true;
}

/* --- what changed --------------------------------------------------------------------- */

struct writer {
	char *at;
	size_t len;
	bool begun; /* the line has a word of this step already */
};

static void say(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct writer *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->at + w->len, TRANSCRIPT_LINE_MAX - w->len, format, args);
	va_end(args);
	assert(n >= 0 && w->len + (size_t)n < TRANSCRIPT_LINE_MAX);
	w->len += (size_t)n;
}

static void say_next(struct writer *w)
{
	if (w->len)
		say(w, ", ");
}

/* The step's name before the first thing that is said of it. */
static void say_of(struct writer *w, struct slice name)
{
	if (!w->begun) {
		say_next(w);
		say(w, "%.*s", SLICE_ARG(name));
	}
	w->begun = true;
	say(w, " ");
}

static void say_state(struct writer *w, const struct step *now)
{
	const char *state = step_state_text((enum step_state)now->state);

	say(w, "%s", state);
	if (now->state == STEP_PARKED)
		say(w, " %s", verb_text((enum verb)now->verb));
	if (now->why != WHY_NOTHING && strcmp(why_text((enum why)now->why), state) != 0)
		say(w, " %s", why_text((enum why)now->why));
}

static void say_flags(struct writer *w, struct slice name, const struct step *was,
		      const struct step *now, bool sends_do)
{
	static const struct {
		unsigned flag;
		const char *text;
	} names[] = {{FLAG_TOUCHED, "touched"},
		     {FLAG_UNANSWERED, "unanswered"},
		     {FLAG_OUTPUT, "output"},
		     {FLAG_LATE, "late"},
		     {FLAG_WAIVED, "waived"}};

	for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
		bool before = was->flags & names[n].flag, after = now->flags & names[n].flag;
		bool implied = (names[n].flag == FLAG_TOUCHED && sends_do) ||
			       (names[n].flag == FLAG_OUTPUT && now->state == STEP_DONE);

		if (before == after || (after && implied))
			continue;
		say_of(w, name);
		say(w, "%c%s", after ? '+' : '-', names[n].text);
	}
}

static void say_step(struct writer *w, const struct transcript *t, const struct saga *before,
		     uint32_t i)
{
	static const struct step fresh;
	char room[INSTANCE_NAME_MAX];
	struct slice name = saga_step_name(t->definition, &t->saga, i, room);
	const struct step *was = i < before->n_steps ? &before->steps[i] : &fresh;
	const struct step *now = &t->saga.steps[i];
	bool sends_do = false;

	w->begun = false;
	for (uint32_t n = 0; n < t->effects.n_commands; n++)
		if (t->effects.commands[n].step == i && t->effects.commands[n].verb == VERB_DO)
			sends_do = true;
	if (was->state != now->state || was->why != now->why) {
		say_of(w, name);
		say_state(w, now);
	}
	if (!slice_equal(was->output, now->output)) {
		say_of(w, name);
		say(w, "%.*s", SLICE_ARG(now->output));
	}
	say_flags(w, name, was, now, sends_do);
	if (now->due_ms && was->due_ms != now->due_ms) {
		say_of(w, name);
		say(w, "for %lld", (long long)(now->due_ms - t->now_ms));
	}
}

static void say_cause(struct writer *w, const struct transcript *t)
{
	char room[INSTANCE_NAME_MAX];
	const struct saga *saga = &t->saga;

	if (saga->failure_step != NO_STEP)
		say(w, " (%.*s",
		    SLICE_ARG(saga_step_name(t->definition, saga, saga->failure_step, room)));
	else
		say(w, " (-");
	assert(saga->failure);
	say(w, " %.*s)", SLICE_ARG(saga->failure->code));
}

static void say_saga(struct writer *w, const struct transcript *t, const struct saga *before)
{
	static const struct {
		unsigned flag;
		const char *set, *cleared;
	} flags[] = {{SAGA_PAUSED, "paused", "resumed"},
		     {SAGA_TURNING, "wants back", "wants back no more"},
		     {SAGA_OVERDUE, "overdue", "?"},
		     {SAGA_REVERSED, "reversed", "?"}};
	const struct saga *now = &t->saga;

	for (size_t n = 0; n < sizeof flags / sizeof *flags; n++) {
		if ((before->flags & flags[n].flag) == (now->flags & flags[n].flag))
			continue;
		if (flags[n].flag == SAGA_TURNING && now->phase == PHASE_BACK)
			continue;
		say_next(w);
		say(w, "%s", now->flags & flags[n].flag ? flags[n].set : flags[n].cleared);
		if (now->flags & flags[n].flag & SAGA_TURNING)
			say_cause(w, t);
	}
	if ((before->phase == PHASE_FORWARD || before->phase == PHASE_COMPLETED) &&
	    (now->phase == PHASE_BACK || now->phase == PHASE_COMPENSATED)) {
		say_next(w);
		say(w, "turns back");
		say_cause(w, t);
	}
	if (before->phase != now->phase && saga_ended(now)) {
		say_next(w);
		say(w, "%s", phase_text((enum phase)now->phase));
	}
}

static void say_signals(struct writer *w, const struct transcript *t, const struct saga *before)
{
	for (uint32_t n = before->n_signals; n < t->saga.n_signals; n++) {
		if (t->saga.signals[n].used)
			continue;
		say_next(w);
		say(w, "keeps %.*s", SLICE_ARG(t->saga.signals[n].event));
	}
}

static void say_commands(struct writer *w, const struct transcript *t)
{
	char room[INSTANCE_NAME_MAX];

	for (uint32_t n = 0; n < t->effects.n_commands; n++) {
		const struct command *command = &t->effects.commands[n];

		say_next(w);
		say(w, "send %.*s %s#%u",
		    SLICE_ARG(saga_step_name(t->definition, &t->saga, command->step, room)),
		    verb_text(command->verb), (unsigned)command->attempt);
		if (command->round)
			say(w, "/%u", (unsigned)command->round);
	}
}

static void answer(struct transcript *t, const struct saga *before)
{
	struct writer w = {.at = t->answer};

	t->answer[0] = '\0';
	switch (t->verdict) {
	case VERDICT_IGNORED: say(&w, "ignored"); return;
	case VERDICT_REFUSED: say(&w, "refused (%s)", t->effects.refusal); return;
	case VERDICT_NOMEM: say(&w, "out of memory"); return;
	case VERDICT_TAKEN: break;
	}
	for (uint32_t i = 0; i < t->saga.n_steps; i++)
		say_step(&w, t, before, i);
	say_saga(&w, t, before);
	say_signals(&w, t, before);
	say_commands(&w, t);
	if (!w.len)
		say(&w, "nothing");
}

/* --- playing --------------------------------------------------------------------------- */

static void start(struct transcript *t)
{
	struct start start = {.id = SLICE_LITERAL("saga-1"),
			      .key = SLICE_LITERAL("key-1"),
			      .input = SLICE_LITERAL("{}"),
			      .actor = SLICE_LITERAL("ann"),
			      .at_ms = t->now_ms};

	t->verdict = lawful_begin(t->definition, &t->script.base, &start, &t->arena, &t->saga,
				  &t->effects);
}

const char *transcript_play(struct transcript *t, const char *happening)
{
	char text[TRANSCRIPT_LINE_MAX], *rest = text;
	struct saga before = t->saga, after;
	struct event event = {.step = NO_STEP};
	const char *word;

	assert(strlen(happening) < sizeof text);
	memcpy(text, happening, strlen(happening) + 1);
	word = next_word(&rest);
	if (*word == '+') {
		t->now_ms += strtol(word + 1, NULL, 10);
		word = next_word(&rest);
	}
	if (strcmp(word, "start") == 0) {
		start(t);
		answer(t, &before);
		return t->answer;
	}
	if (!read_operation(t, word, rest, &event))
		read_step_event(t, word, rest, &event);
	event.at_ms = t->now_ms;
	t->verdict = lawful_step(t->definition, &t->script.base, &before, &event, &t->arena,
				 &after, &t->effects);
	if (t->verdict == VERDICT_TAKEN)
		t->saga = after;
	answer(t, &before);
	return t->answer;
}

bool transcript_expect(struct transcript *t, const char *line)
{
	const char *arrow = strstr(line, " => ");
	char happening[TRANSCRIPT_LINE_MAX];
	size_t len;
	const char *expected, *answered;

	assert(arrow && arrow - line < TRANSCRIPT_LINE_MAX);
	memcpy(happening, line, (size_t)(arrow - line));
	happening[arrow - line] = '\0';
	expected = arrow + 4;
	answered = transcript_play(t, happening);
	if (strncmp(expected, "refused (", 9) != 0 || t->verdict != VERDICT_REFUSED)
		return strcmp(expected, answered) == 0;
	len = strlen(expected);
	assert(len > 10 && expected[len - 1] == ')');
	memcpy(happening, expected + 9, len - 10);
	happening[len - 10] = '\0';
	return strstr(answered, happening) != NULL;
}

const char *transcript_run(const struct transcript_row *row)
{
	static char message[3 * TRANSCRIPT_LINE_MAX];
	struct transcript t;
	size_t n_answers = 0;
	bool right = true;

	while (n_answers < sizeof row->answers / sizeof *row->answers &&
	       (row->answers[n_answers].step || row->answers[n_answers].purpose))
		n_answers++;
	transcript_begin(&t, row->definition, row->answers, n_answers);
	t.definition->deadline_ms = row->deadline_ms;
	for (size_t n = 0; right && row->lines[n]; n++) {
		right = transcript_expect(&t, row->lines[n]);
		if (!right)
			snprintf(message, sizeof message, "%s: \"%s\" was answered: %s",
				 row->name, row->lines[n], t.answer);
	}
	transcript_end(&t);
	return right ? NULL : message;
}
