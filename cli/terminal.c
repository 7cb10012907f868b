#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* An empty variable counts as unset, as POSIX has it for the locale. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static bool names_utf8(const char *locale)
{
	const char *charset = strchr(locale, '.');
	size_t len;

	if (!charset)
		return false;
	charset++;
	len = strcspn(charset, "@");
	return (len == 5 && strncasecmp(charset, "utf-8", len) == 0) ||
	       (len == 4 && strncasecmp(charset, "utf8", len) == 0);
}

static bool is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *locale = variable(names[i]);

		if (locale)
			return names_utf8(locale);
	}
	return false;
}

static size_t within_limits(unsigned long columns)
{
	return columns > TERMINAL_WIDTH_MAX ? TERMINAL_WIDTH_MAX : (size_t)columns;
}

static size_t find_width(int fd)
{
	const char *columns = variable("COLUMNS");
	struct winsize size = {0};
	char *end = NULL;
	unsigned long n;

	if (columns && *columns >= '1' && *columns <= '9') {
		errno = 0;
		n = strtoul(columns, &end, 10);
		if (*end == '\0' && errno == 0)
			return within_limits(n);
	}
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return within_limits(size.ws_col);
	return TERMINAL_WIDTH_DEFAULT;
}

struct terminal terminal_look(int fd, bool no_color)
{
	const char *kind = variable("TERM");
	bool dumb = !kind || strcmp(kind, "dumb") == 0;
	bool is_terminal = isatty(fd) == 1;

	return (struct terminal){
		.is_terminal = is_terminal,
		.colour = is_terminal && !dumb && !no_color && !variable("NO_COLOR"),
		.utf8 = is_utf8(),
		.width = find_width(fd),
	};
}

const char *tone_code(enum tone tone)
{
	switch (tone) {
	case TONE_PLAIN: return "\033[0m";
	case TONE_DIM: return "\033[0;2m";
	case TONE_BOLD: return "\033[0;1m";
	case TONE_RED: return "\033[0;31m";
	case TONE_GREEN: return "\033[0;32m";
	case TONE_YELLOW: return "\033[0;33m";
	case TONE_BLUE: return "\033[0;34m";
	}
	return "";
}
