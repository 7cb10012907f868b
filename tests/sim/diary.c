#include "tests/sim/diary.h"

#include <stdarg.h>

enum { LINE_SIZE = 1024 };

void diary_init(struct diary *diary, const struct clock_sim *clock, FILE *out)
{
	*diary = (struct diary){.clock = clock, .out = out, .hash = 14695981039346656037u};
}

static void hash_text(struct diary *diary, const char *text)
{
	for (; *text; text++)
		diary->hash = (diary->hash ^ (unsigned char)*text) * 1099511628211u;
	diary->hash = (diary->hash ^ '\n') * 1099511628211u;
}

static void add_line(struct diary *diary, const char *text)
{
	int64_t ms = diary->clock->monotonic_ms;

	diary->hash = (diary->hash ^ (uint64_t)ms) * 1099511628211u;
	hash_text(diary, text);
	diary->n_lines++;
	if (diary->out)
		fprintf(diary->out, "%3lldd %02lld:%02lld:%02lld.%03lld  %s\n",
			(long long)(ms / 86400000), (long long)(ms / 3600000 % 24),
			(long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60),
			(long long)(ms % 1000), text);
}

void diary_write(struct diary *diary, const char *format, ...)
{
	char text[LINE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add_line(diary, text);
}

void diary_fault(struct diary *diary, const char *format, ...)
{
	va_list args;

	if (diary->faulty)
		return;
	diary->faulty = true;
	va_start(args, format);
	vsnprintf(diary->fault, sizeof diary->fault, format, args);
	va_end(args);
	diary_write(diary, "BROKEN: %s", diary->fault);
}
