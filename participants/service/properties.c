#include "participants/service/properties.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool add(struct properties *out, const char *text, skald_error *error)
{
	if (out->n == PROPERTIES_MAX) {
		snprintf(error->text, sizeof error->text, "--kafka: more than %d properties",
			 PROPERTIES_MAX);
		return false;
	}
	out->list[out->n++] = text;
	return true;
}

static bool fail(const char *path, const char *why, skald_error *error)
{
	snprintf(error->text, sizeof error->text, "--kafka @%.200s: %s", path, why);
	return false;
}

/* The file behind what is there already, with a terminator; NULL: *error says why. */
static char *read_file(const char *path, struct properties *out, skald_error *error)
{
	char *text = out->text + out->len;
	size_t room = sizeof out->text - out->len - 1, n;
	FILE *file = fopen(path, "re");

	if (!file) {
		fail(path, strerror(errno), error);
		return NULL;
	}
	n = fread(text, 1, room, file);
	if (ferror(file) || n == room) {
		fail(path, ferror(file) ? "cannot read it" : "it is too large", error);
		fclose(file);
		return NULL;
	}
	fclose(file);
	text[n] = '\0';
	out->len += n + 1;
	return text;
}

static bool add_file(const char *path, struct properties *out, skald_error *error)
{
	char *line = read_file(path, out, error), why[64];

	for (int number = 1; line; number++) {
		char *next = strchr(line, '\n');

		if (next)
			*next++ = '\0';
		line += strspn(line, " \t");
		line[strcspn(line, "\r")] = '\0';
		if (*line && *line != '#' && !strchr(line, '=')) {
			snprintf(why, sizeof why, "line %d is no NAME=VALUE", number);
			return fail(path, why, error);
		}
		if (*line && *line != '#' && !add(out, line, error))
			return false;
		if (!next)
			return true;
		line = next;
	}
	return false;
}

bool properties_read(const char *const *texts, struct properties *out, skald_error *error)
{
	bool ok = true;

	out->n = 0;
	out->len = 0;
	for (; *texts && ok; texts++)
		ok = **texts == '@' ? add_file(*texts + 1, out, error)
				    : add(out, *texts, error);
	out->list[out->n] = NULL;
	return ok;
}
