#include "cli/wait.h"

#include "base/clock.h"
#include "cli/canvas.h"
#include "cli/members.h"
#include "cli/saga_view.h"
#include "cli/spans.h"

#include <stdio.h>
#include <time.h>

enum {
	AWAY_MAX_MS = 30000, /* how long a server may be away where there is no timeout */
	AGAIN_FIRST_MS = 100,
	AGAIN_MAX_MS = 2000,
	QUIET_MS = 2000, /* nothing has come for so long: who is it that does not answer? */
	TEXT_MAX = 512,
};

struct waiting {
	struct remote *remote;
	struct remote asker; /* asks for the saga while the stream goes on */
	const char *id;
	int64_t look_ms;       /* monotonic: when to ask next */
	char absent[TEXT_MAX]; /* of which it was said */
	int64_t began_ms;      /* monotonic, like the next two */
	int64_t end_ms;        /* INT64_MAX: none */
	int64_t heard_ms;      /* something came from the server */
	bool progress;         /* the line on standard error is wanted */
	char status[32];
	char reason[TEXT_MAX];
	char news[TEXT_MAX];            /* the newest entry of the timeline */
	int64_t started_ms, changed_ms; /* of the saga */
	unsigned spins;
};

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* --- the line --------------------------------------------------------------------- */

static void clear_line(const struct waiting *waiting)
{
	if (waiting->progress)
		fputs("\r\033[K", stderr);
}

static void draw_line(void *context)
{
	struct waiting *waiting = context;
	const struct terminal *terminal = &waiting->remote->cli->errs;
	static const char *const spinner[] = {"|", "/", "-", "\\"};
	struct arena arena = {0};
	struct canvas canvas = {
		.arena = &arena, .width = terminal->width - 1, .ascii = !terminal->utf8};
	struct bytes line = BYTES(SIZE_MAX / 2, &arena);
	char span[SPAN_TEXT_SIZE];
	size_t x;

	if (!waiting->progress)
		return;
	span_format(now_ms() - waiting->began_ms, span);
	x = canvas_text(&canvas, 0, 0, slice_of(spinner[waiting->spins++ % 4]), TONE_BLUE);
	x = canvas_text(&canvas, x + 1, 0, slice_of(waiting->status),
			status_tone(slice_of(waiting->status)));
	x = canvas_text(&canvas, x + 1, 0, slice_of(span), TONE_DIM);
	canvas_text(&canvas, x + 2, 0, slice_of(waiting->news), TONE_PLAIN);
	canvas_write(&canvas, terminal->colour, &line);
	if (line.len && line.at[line.len - 1] == '\n')
		line.len--;
	clear_line(waiting);
	fwrite(line.at, 1, line.len, stderr);
	arena_release(&arena);
}

/* --- what comes ------------------------------------------------------------------- */

static void keep(char *out, size_t size, struct slice text)
{
	struct slice cut = utf8_cut(text, size - 1);

	snprintf(out, size, "%.*s", SLICE_ARG(cut));
}

static void keep_news(struct waiting *waiting, struct json entries, struct arena *arena)
{
	struct json_each each = json_each(entries);
	struct slice text;

	while (json_next(&each)) {
		text = member_text(each.value, "text", arena);
		if (text.len)
			keep(waiting->news, sizeof waiting->news, text);
	}
}

/* --- who does not answer ---------------------------------------------------------- */

static void say_absent(struct waiting *waiting, struct slice absent)
{
	if (slice_is(absent, waiting->absent))
		return;
	keep(waiting->absent, sizeof waiting->absent, absent);
	if (!absent.len)
		return;
	clear_line(waiting);
	complain(waiting->remote->cli,
		 "%s waits for %s, of which nothing is connected; `skald explain %s` says more",
		 waiting->id, waiting->absent, waiting->id);
}

/* Where nothing has come for a while. */
static void look_for_absent(struct waiting *waiting)
{
	struct arena arena = {0};
	struct remote_request request = {"GET", NULL, {0}, &arena};
	struct remote_answer answer;

	if (waiting->remote->cli->quiet || !status_goes_on(slice_of(waiting->status)) ||
	    now_ms() < waiting->look_ms)
		return;
	waiting->look_ms = now_ms() + QUIET_MS;
	request.path = remote_saga_path(&arena, waiting->id, "");
	if (request.path) {
		remote_ask(&waiting->asker, &request, &answer);
		if (!answer.code)
			say_absent(waiting, saga_view_absent(answer.json, &arena));
	}
	arena_release(&arena);
}

static void on_tick(void *context)
{
	draw_line(context);
	look_for_absent(context);
}

static bool on_event(void *context, struct slice name, struct json data)
{
	struct waiting *waiting = context;
	struct arena arena = {0};

	waiting->heard_ms = now_ms();
	waiting->look_ms = waiting->heard_ms + QUIET_MS;
	if (slice_is(name, "saga") || slice_is(name, "change")) {
		keep(waiting->status, sizeof waiting->status,
		     member_text(data, "status", &arena));
		keep(waiting->reason, sizeof waiting->reason,
		     member_text(data, "reason", &arena));
		waiting->started_ms = member_time(data, "started_at");
		waiting->changed_ms = member_time(data, "updated_at");
		keep_news(waiting, member_json(data, "entries"), &arena);
		draw_line(waiting);
	}
	arena_release(&arena);
	return !waiting->status[0] || status_goes_on(slice_of(waiting->status));
}

/* --- waiting ---------------------------------------------------------------------- */

static int64_t left_ms(const struct waiting *waiting)
{
	int64_t left = waiting->end_ms - now_ms();

	return left > 0 ? left : 0;
}

/* Before the server is asked again. */
static void pause_before_again(const struct waiting *waiting, int64_t *pause_ms)
{
	int64_t ms = *pause_ms < left_ms(waiting) ? *pause_ms : left_ms(waiting);
	struct timespec span = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&span, NULL);
	*pause_ms = *pause_ms * 2 < AGAIN_MAX_MS ? *pause_ms * 2 : AGAIN_MAX_MS;
}

static bool is_away_too_long(const struct waiting *waiting)
{
	return waiting->end_ms == INT64_MAX && now_ms() - waiting->heard_ms > AWAY_MAX_MS;
}

static enum exit_code wait_in_streams(struct waiting *waiting, const char *path)
{
	struct arena *arena = waiting->remote->cli->arena;
	struct remote_stream stream = {
		.path = path, .event = on_event, .tick = on_tick, .context = waiting};
	int64_t pause_ms = AGAIN_FIRST_MS;
	struct remote_answer answer = {0};

	while (left_ms(waiting)) {
		int64_t heard_ms = waiting->heard_ms;

		stream.timeout_ms = waiting->end_ms == INT64_MAX ? 0 : left_ms(waiting);
		switch (remote_stream(waiting->remote, &stream, arena, &answer)) {
		case STREAM_ENOUGH: return EXIT_DONE;
		case STREAM_REFUSED:
			if (answer.code == EXIT_FAILED) /* it starts or stops */
				break;
			clear_line(waiting);
			remote_complain(waiting->remote, &answer, NULL);
			return answer.code;
		case STREAM_OVER:
		case STREAM_TIMED_OUT:
		case STREAM_BROKEN: break;
		}
		if (waiting->heard_ms != heard_ms)
			pause_ms = AGAIN_FIRST_MS;
		if (is_away_too_long(waiting)) {
			clear_line(waiting);
			remote_complain(waiting->remote, &answer, NULL);
			return EXIT_UNREACHABLE;
		}
		pause_before_again(waiting, &pause_ms);
	}
	return EXIT_TIMED_OUT;
}

enum exit_code wait_for_end(struct remote *remote, const char *id, int64_t timeout_ms,
			    struct wait_result *out)
{
	const struct cli *cli = remote->cli;
	const char *path = remote_saga_path(cli->arena, id, "/events");
	struct waiting waiting = {
		.remote = remote,
		.id = id,
		.began_ms = now_ms(),
		.heard_ms = now_ms(),
		.end_ms = timeout_ms ? now_ms() + timeout_ms : INT64_MAX,
		.progress = cli->errs.is_terminal && !cli->quiet && !cli->json,
	};
	enum exit_code code;

	*out = (struct wait_result){0};
	if (!path)
		return complain_err(cli, ERR_NOMEM);
	code = remote_open(cli, &waiting.asker);
	if (!code)
		code = wait_in_streams(&waiting, path);
	remote_close(&waiting.asker);
	clear_line(&waiting);
	if (!arena_copy(cli->arena, slice_of(waiting.status), &out->status) ||
	    !arena_copy(cli->arena, slice_of(waiting.reason), &out->reason))
		return complain_err(cli, ERR_NOMEM);
	out->took_ms = waiting.changed_ms - waiting.started_ms;
	if (code)
		return code;
	return slice_is(out->status, "completed") ? EXIT_DONE : EXIT_NOT_COMPLETED;
}
