#include "orchestrator/load/codes.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *word;
	enum severity severity;
} codes[N_CODES] = {
#define X(name, word, severity) [CODE_##name] = {word, SEVERITY_##severity},
	CODE_MAP(X)
#undef X
};

const char *const expression_codes[] = {
	"expression-syntax", "expression-type",    "expression-too-long", "expression-too-deep",
	"unknown-name",      "unknown-function",   "wrong-arguments",     "unknown-step",
	"step-not-run",      "step-maybe-missing", "no-output",           NULL,
};

const char *code_text(enum code code)
{
	return codes[code].word;
}

enum severity code_severity(enum code code)
{
	return codes[code].severity;
}

void report(struct problems *problems, struct place place, enum code code, const char *format,
	    ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	problem_add(problems, codes[code].severity, place, codes[code].word, "%s", text);
}

const char *shown(struct slice text, struct shown *room)
{
	enum { LONGEST = sizeof room->text - sizeof "..." };
	size_t used = 0, at = 0;

	while (at < text.len) {
		uint32_t code_point = 0;
		size_t len =
			utf8_decode((struct slice){text.at + at, text.len - at}, &code_point);
		bool printable = len > 0 && code_point >= ' ' &&
				 (code_point < 0x7f || code_point >= 0xa0);

		if (used + (printable ? len : 1) > LONGEST) {
			memcpy(room->text + used, "...", sizeof "...");
			return room->text;
		}
		if (printable)
			memcpy(room->text + used, text.at + at, len);
		else
			room->text[used] = '?';
		used += printable ? len : 1;
		at += len ? len : 1;
	}
	room->text[used] = '\0';
	return room->text;
}
