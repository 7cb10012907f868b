/* test_limits.c - window, rate and breaker of one participant, step by step. */
#include "orchestrator/engine/limits.h"
#include "tests/lib/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { T0 = 1000000 };

#define SECOND .rate_ms = 1000
#define WINDOW2             \
	{                   \
		.window = 2 \
	}
#define RATE                                   \
	{                                      \
		.rate = 10, SECOND, .burst = 3 \
	}
#define BREAKER                                \
	{                                      \
		.failures = 3, .pause_ms = 500 \
	}

/* What is done, a word each: "take" hands a command over where it may, "works",
 * "fails", "silent" and "forget" settle the oldest one that is on its way, +N lets time pass,
 * -N sets the clock back, "ask" asks. What is said: "go", "probe" or why not and when, and
 * every change of the breaker. */
struct row {
	const char *name;
	struct limit_settings settings;
	const char *does, *says;
};

static const struct row rows[] = {
	{"without limits everything goes",
	 {0},
	 "take take take fails fails ask",
	 "go go go go"},
	{"a window is full until something is answered", WINDOW2,
	 "take take take works take take", "go go window go window"},
	{"a failure makes room in the window, too", WINDOW2, "take take fails take",
	 "go go go"},
	{"what nobody waits for makes room", WINDOW2, "take take forget take", "go go go"},
	{"a quiet time fills the bucket", RATE, "take take take take", "go go go rate@100"},
	{"a token is due when it is said to be", RATE, "take take take +99 take +1 take take",
	 "go go go rate@1 go rate@100"},
	{"part of a token is kept", RATE, "take take take +150 take take +50 take",
	 "go go go go rate@50 go"},
	{"no more than the burst is kept", RATE, "take +60000 take take take take",
	 "go go go go rate@100"},
	{"answers give no tokens", RATE, "take take take works works works take",
	 "go go go rate@100"},
	{"a rate for each minute",
	 {.rate = 2, .rate_ms = 60000, .burst = 1},
	 "take take +29999 take +1 take",
	 "go rate@30000 rate@1 go"},
	{"a rate that time is not divided by",
	 {.rate = 3, SECOND, .burst = 1},
	 "take take +333 take +1 take",
	 "go rate@334 rate@1 go"},
	{"a rate above one a millisecond",
	 {.rate = 5000, SECOND, .burst = 5},
	 "take take take take take take +1 take",
	 "go go go go go rate@1 go"},
	{"a clock that is set back does not stop anything", RATE,
	 "take take take -1000000 take", "go go go go"},
	{"the window is looked at before the rate",
	 {.window = 1, .rate = 1, SECOND, .burst = 1},
	 "take take works take +1000 take",
	 "go window rate@1000 go"},
	{"failures in a row open the breaker", BREAKER,
	 "take take take fails fails ask fails ask", "go go go go [open] breaker@500"},
	{"a success between them begins the row again", BREAKER,
	 "take take take take take fails fails works fails fails ask", "go go go go go go"},
	{"what nobody waits for is no failure and no success", BREAKER,
	 "take take take take fails fails forget ask fails ask",
	 "go go go go go [open] breaker@500"},
	{"answers that come while it is open change nothing", BREAKER,
	 "take take take take take fails fails fails +100 works fails ask",
	 "go go go go go [open] breaker@400"},
	{"one probe when the pause is over", BREAKER,
	 "take take take fails fails fails +499 take +1 take take",
	 "go go go [open] breaker@1 [half-open] probe held"},
	{"a probe that works closes it", BREAKER,
	 "take take take fails fails fails +500 take works take take fails fails ask",
	 "go go go [open] [half-open] probe [closed] go go go"},
	{"a probe that fails opens it for a whole pause", BREAKER,
	 "take take take fails fails fails +700 take +100 fails ask",
	 "go go go [open] [half-open] probe [open] breaker@500"},
	{"a probe that nobody waits for makes room for another one", BREAKER,
	 "take take take fails fails fails +500 take forget take works take",
	 "go go go [open] [half-open] probe [open] [half-open] probe [closed] go"},
	{"no answer is a failure, of the probe, too", BREAKER,
	 "take take take silent fails silent +500 take silent +500 take works",
	 "go go go [open] [half-open] probe [open] [half-open] probe [closed]"},
	{"what was asked before does not speak for the probe", BREAKER,
	 "take take take take take fails fails fails +500 take works fails ask works ask",
	 "go go go go go [open] [half-open] probe held [closed] go"},
	{"a probe needs room in the window",
	 {.window = 3, .failures = 2, .pause_ms = 500},
	 "take take fails fails take take take +1",
	 "go go [open] breaker@500 breaker@500 breaker@500"},
	{"a probe needs a token",
	 {.rate = 1, SECOND, .burst = 2, .failures = 2, .pause_ms = 500},
	 "take take fails fails +500 take +500 take",
	 "go go [open] rate@500 [half-open] probe"},
	{"a clock that is set back lengthens no pause", BREAKER,
	 "take take take fails fails fails -100000 ask", "go go go [open] breaker@500"},
};

/* --- playing a row ------------------------------------------------------------------ */

struct play {
	struct limit limit;
	int64_t now_ms;
	bool probes[32]; /* of what is on its way */
	size_t first, n;
	enum breaker breaker;
	struct bytes said;
};

static void say(struct play *play, const char *text)
{
	if (play->said.len)
		bytes_add(&play->said, ' ');
	bytes_text(&play->said, text);
}

static void say_breaker(struct play *play)
{
	if (play->limit.breaker == play->breaker)
		return;
	play->breaker = play->limit.breaker;
	say(play, "");
	bytes_format(&play->said, "[%s]", breaker_text(play->breaker));
}

static bool ask(struct play *play)
{
	struct limit_hold hold = limit_ask(&play->limit, play->now_ms);
	char text[64];

	if (hold.why == LIMIT_FREE)
		return true;
	if (hold.until_ms == INT64_MAX)
		snprintf(text, sizeof text, "%s",
			 hold.why == LIMIT_PROBE ? "held" : limit_why_text(hold.why));
	else
		snprintf(text, sizeof text, "%s@%" PRId64, limit_why_text(hold.why),
			 hold.until_ms - play->now_ms);
	say(play, text);
	return false;
}

static void take(struct play *play)
{
	bool probe;

	if (!ask(play))
		return;
	probe = limit_take(&play->limit, play->now_ms);
	play->probes[play->n++] = probe;
	say_breaker(play);
	say(play, probe ? "probe" : "go");
}

static void settle(struct play *play, enum limit_end end)
{
	limit_settle(&play->limit, play->now_ms, end, play->probes[play->first++]);
	say_breaker(play);
}

static void act(struct play *play, const char *word)
{
	if (word[0] == '+' || word[0] == '-')
		play->now_ms += strtol(word, NULL, 10);
	else if (strcmp(word, "take") == 0)
		take(play);
	else if (strcmp(word, "works") == 0)
		settle(play, LIMIT_WORKS);
	else if (strcmp(word, "fails") == 0)
		settle(play, LIMIT_FAILS);
	else if (strcmp(word, "silent") == 0)
		settle(play, LIMIT_SILENT);
	else if (strcmp(word, "forget") == 0)
		settle(play, LIMIT_UNKNOWN);
	else if (ask(play))
		say(play, "go");
}

static void play_words(struct play *play, const char *words)
{
	char word[32];

	while (*words) {
		size_t len = strcspn(words, " ");

		snprintf(word, sizeof word, "%.*s", (int)len, words);
		act(play, word);
		words += len + (words[len] == ' ');
	}
}

START_TEST(test_step_by_step)
{
	const struct row *row = &rows[_i];
	struct play play = {.now_ms = T0 * INT64_C(1000), .said = BYTES(4096, NULL)};

	limit_set(&play.limit, &row->settings, play.now_ms);
	play_words(&play, row->does);
	bytes_add(&play.said, '\0');
	ck_assert_msg(strcmp(play.said.at, row->says) == 0, "%s: %s", row->name, play.said.at);
	bytes_release(&play.said);
}
END_TEST

/* --- silence ------------------------------------------------------------------------ */

static void be_silent(struct play *play, int n)
{
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(limit_ask(&play->limit, play->now_ms).why, LIMIT_FREE);
		ck_assert(!limit_take(&play->limit, play->now_ms));
		limit_settle(&play->limit, play->now_ms, LIMIT_SILENT, false);
	}
}

static const struct silence_row {
	const char *name;
	int before; /* attempts without an answer */
	const char *does, *says;
} silence_rows[] = {
	{"nearly as many as it takes", LIMIT_SILENT_AFTER - 1, "take take take", "go go go"},
	{"then one goes in 20 ms", LIMIT_SILENT_AFTER, "take +19 take +1 take take",
	 "silence@20 silence@1 go silence@20"},
	{"an answer ends it", LIMIT_SILENT_AFTER, "+20 take take works take take",
	 "go silence@20 go go"},
	{"a failure is an answer", LIMIT_SILENT_AFTER, "+20 take take fails take",
	 "go silence@20 go"},
	{"what nobody waits for is none", LIMIT_SILENT_AFTER, "+20 take forget take",
	 "go silence@20"},
	{"one answer, and it takes as many again", LIMIT_SILENT_AFTER,
	 "+20 take works take silent take take", "go go go go"},
	{"a clock that is set back does not stop anything", LIMIT_SILENT_AFTER,
	 "take -1000 take take", "silence@20 go silence@20"},
};

START_TEST(test_silence)
{
	const struct silence_row *row = &silence_rows[_i];
	struct play play = {.now_ms = T0 * INT64_C(1000), .said = BYTES(4096, NULL)};

	be_silent(&play, row->before);
	ck_assert_int_eq(limit_silent(&play.limit), row->before == LIMIT_SILENT_AFTER);
	ck_assert_int_eq(limit_idle(&play.limit, play.now_ms), !limit_silent(&play.limit));
	play_words(&play, row->does);
	bytes_add(&play.said, '\0');
	ck_assert_msg(strcmp(play.said.at, row->says) == 0, "%s: %s", row->name, play.said.at);
	bytes_release(&play.said);
}
END_TEST

/* --- other settings ----------------------------------------------------------------- */

static const struct change {
	const char *name;
	struct limit_settings before, after;
	const char *does, *then, *says; /* `does` before, `then` afterwards */
} changes[] = {
	{"a smaller window waits until there is room",
	 {.window = 3},
	 {.window = 1},
	 "take take take",
	 "take works works take works take",
	 "go go go window window go"},
	{"a larger window has room at once",
	 {.window = 1},
	 {.window = 2},
	 "take take",
	 "take",
	 "go window go"},
	{"what went before there was a window counts",
	 {0},
	 {.window = 1},
	 "take",
	 "take",
	 "go window"},
	{"no window lets everything go",
	 {.window = 1},
	 {0},
	 "take take",
	 "take",
	 "go window go"},
	{"a smaller burst takes tokens away",
	 {.rate = 10, SECOND, .burst = 5},
	 {.rate = 10, SECOND, .burst = 2},
	 "take",
	 "take take take",
	 "go go go rate@100"},
	{"a larger burst gives none",
	 RATE,
	 {.rate = 10, SECOND, .burst = 9},
	 "take take take",
	 "take +100 take",
	 "go go go rate@100 go"},
	{"another unit keeps what is in the bucket",
	 {.rate = 10, SECOND, .burst = 3},
	 {.rate = 60, .rate_ms = 60000, .burst = 3},
	 "take take +50",
	 "take take +500 take",
	 "go go go rate@500 go"},
	{"a rate where there was none begins with its burst",
	 {0},
	 RATE,
	 "take take",
	 "take take take take",
	 "go go go go go rate@100"},
	{"no breaker closes it",
	 BREAKER,
	 {0},
	 "take take take fails fails fails",
	 "take",
	 "go go go [open] go"},
	{"a shorter pause counts from when it opened",
	 BREAKER,
	 {.failures = 3, .pause_ms = 200},
	 "take take take fails fails fails +150",
	 "ask +50 take",
	 "go go go [open] breaker@50 [half-open] probe"},
	{"failures so far count",
	 {.failures = 9, .pause_ms = 500},
	 BREAKER,
	 "take take take fails fails",
	 "fails ask",
	 "go go go [open] breaker@500"},
};

START_TEST(test_other_settings)
{
	const struct change *change = &changes[_i];
	struct play play = {.now_ms = T0 * INT64_C(1000), .said = BYTES(4096, NULL)};

	limit_set(&play.limit, &change->before, play.now_ms);
	play_words(&play, change->does);
	limit_set(&play.limit, &change->after, play.now_ms);
	play.breaker = play.limit.breaker;
	play_words(&play, change->then);
	bytes_add(&play.said, '\0');
	ck_assert_msg(strcmp(play.said.at, change->says) == 0, "%s: %s", change->name,
		      play.said.at);
	bytes_release(&play.said);
}
END_TEST

/* --- texts -------------------------------------------------------------------------- */

START_TEST(test_settings_as_text)
{
	static const struct {
		struct limit_settings settings;
		const char *text;
	} texts[] = {
		{{0}, "{ window: none, rate: none, breaker: none }"},
		{{50, 100, 1000, 20, 5, 30000},
		 "{ window: 50, rate: 100/s, burst: 20, breaker: { failures: 5, pause: 30s } "
		 "}"},
		{{.rate = 3, .rate_ms = 60000, .burst = 3},
		 "{ window: none, rate: 3/m, burst: 3, breaker: none }"},
		{{.rate = 3, .rate_ms = 3600000, .burst = 1},
		 "{ window: none, rate: 3/h, burst: 1, breaker: none }"},
	};
	struct bytes out = BYTES(4096, NULL);

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		bytes_clear(&out);
		limit_settings_format(&texts[i].settings, &out);
		bytes_add(&out, '\0');
		ck_assert_str_eq(out.at, texts[i].text);
	}
	bytes_release(&out);
}
END_TEST

START_TEST(test_the_limits_of_a_participant)
{
	static const struct limits limits = {.others = {.window = 7},
					     .named = {{"pay", {.window = 1}}, {"paper", {0}}},
					     .n = 2};

	ck_assert_uint_eq(limits_of(&limits, SLICE_LITERAL("pay"))->window, 1);
	ck_assert_uint_eq(limits_of(&limits, SLICE_LITERAL("paper"))->window, 0);
	ck_assert_uint_eq(limits_of(&limits, SLICE_LITERAL("pa"))->window, 7);
	ck_assert_uint_eq(limits_of(&limits, SLICE_LITERAL("paypal"))->window, 7);
}
END_TEST

/* As people see it: the pause is over, and nothing wanted to go yet. */
START_TEST(test_a_breaker_that_is_looked_at)
{
	const struct limit_settings settings = BREAKER;
	struct limit limit = {.settings = settings, .breaker = BREAKER_OPEN, .opened_ms = T0};

	ck_assert_int_eq(limit_breaker(&limit, T0 + 499), BREAKER_OPEN);
	ck_assert_int_eq(limit_breaker(&limit, T0 + 500), BREAKER_HALF_OPEN);
	limit.breaker = BREAKER_CLOSED;
	ck_assert_int_eq(limit_breaker(&limit, T0 + 500), BREAKER_CLOSED);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_step_by_step, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_silence, 0, ROWS(silence_rows));
	tcase_add_loop_test(tcase, test_other_settings, 0, ROWS(changes));
	tcase_add_test(tcase, test_settings_as_text);
	tcase_add_test(tcase, test_the_limits_of_a_participant);
	tcase_add_test(tcase, test_a_breaker_that_is_looked_at);
}

int main(void)
{
	return suite_run("limits", add);
}
