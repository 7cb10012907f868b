#include "base/log.h"
#include "base/rfc3339.h"
#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const char cut_mark[] = " cut=true";

enum { CUT_MARK_LEN = sizeof cut_mark - 1 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};

const char *log_level_name(enum log_level level)
{
	assert(level >= LOG_LEVEL_ERROR && level <= LOG_LEVEL_DEBUG);
	return level_names[level];
}

bool log_level_parse(struct slice name, enum log_level *out)
{
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		if (slice_is(name, level_names[level])) {
			*out = (enum log_level)level;
			return true;
		}
	}
	return false;
}

/* All of the bytes or none; there is always room left for the mark of a cut. */
static bool put(struct log_line *line, struct slice bytes)
{
	if (line->cut || bytes.len > LOG_LINE_MAX - CUT_MARK_LEN - line->len) {
		line->cut = true;
		return false;
	}
	memcpy(line->text + line->len, bytes.at, bytes.len);
	line->len += bytes.len;
	return true;
}

static bool is_word(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '_' &&
		    *c != '-' && *c != '.')
			return false;
	}
	return *text != '\0';
}

/* ` key=`, the blank only between pairs. A key is put whole, with room for at
 * least an empty value, or not at all. */
static bool put_key(struct log_line *line, const char *key)
{
	size_t before = line->len;

	assert(is_word(key));
	if ((before == 0 || put(line, SLICE_LITERAL(" "))) && put(line, slice_of(key)) &&
	    put(line, SLICE_LITERAL("=")))
		return true;
	line->len = before;
	return false;
}

/* A value of which a part would mislead. */
static void put_whole(struct log_line *line, const char *key, const char *value)
{
	size_t before = line->len;

	if (line->log && put_key(line, key) && !put(line, slice_of(value)))
		line->len = before;
}

/* What a terminal would obey, a reader would not see, or a line would end at. */
static bool is_unprintable(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static bool needs_quotes(struct slice text)
{
	for (uint32_t c; text.len > 0;) {
		size_t len = utf8_decode(text, &c);

		if (len == 0 || c == ' ' || c == '"' || c == '\\' || c == '=' || c == 0xa0 ||
		    is_unprintable(c))
			return true;
		text.at += len;
		text.len -= len;
	}
	return false;
}

static const char *short_escape(uint32_t c)
{
	switch (c) {
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\t': return "\\t";
	case '"': return "\\\"";
	case '\\': return "\\\\";
	default: return NULL;
	}
}

/* Put the first character as it is written between quotes; returns how many
 * bytes of the text that were, 0 when the line is full. One byte is left for the
 * closing quote. */
static size_t put_character(struct log_line *line, struct slice text)
{
	char escape[8];
	uint32_t c = 0;
	size_t len = utf8_decode(text, &c);
	struct slice out = {text.at, len};

	if (len == 0) {
		snprintf(escape, sizeof escape, "\\x%02x", (unsigned)(unsigned char)text.at[0]);
		out = slice_of(escape);
	} else if (short_escape(c)) {
		out = slice_of(short_escape(c));
	} else if (is_unprintable(c)) {
		snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
		out = slice_of(escape);
	}
	if (line->len + out.len + 1 > LOG_LINE_MAX - CUT_MARK_LEN) {
		line->cut = true;
		return 0;
	}
	put(line, out);
	return len ? len : 1;
}

static void put_quoted(struct log_line *line, struct slice text)
{
	if (!put(line, SLICE_LITERAL("\"")))
		return;
	while (text.len > 0) {
		size_t len = put_character(line, text);

		if (len == 0)
			break;
		text.at += len;
		text.len -= len;
	}
	line->text[line->len++] = '"';
}

void log_begin(struct log_line *line, const struct log *log, enum log_level level,
	       const char *event)
{
	/* Not the text: most lines are short, and those of debug mostly unread. */
	line->log = log->write && level <= log->level ? log : NULL;
	line->level = level;
	line->cut = false;
	line->len = 0;
	assert(is_word(event));
	put_whole(line, "level", log_level_name(level));
	put_whole(line, "event", event);
}

void log_text(struct log_line *line, const char *key, struct slice text)
{
	size_t before = line->len;

	if (!line->log || !put_key(line, key))
		return;
	if (text.len > 0 && !needs_quotes(text) &&
	    text.len <= LOG_LINE_MAX - CUT_MARK_LEN - line->len) {
		put(line, text);
		return;
	}
	/* No room even for the two quotes: leave the key out, too. */
	if (LOG_LINE_MAX - CUT_MARK_LEN - line->len < 2) {
		line->len = before;
		line->cut = true;
		return;
	}
	put_quoted(line, text);
}

void log_number(struct log_line *line, const char *key, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, number);
	put_whole(line, key, text);
}

void log_end(struct log_line *line)
{
	int kept_errno = errno;

	if (!line->log)
		return;
	if (line->cut) {
		memcpy(line->text + line->len, cut_mark, CUT_MARK_LEN);
		line->len += CUT_MARK_LEN;
	}
	line->log->write(line->log->sink, line->level, (struct slice){line->text, line->len});
	line->log = NULL;
	errno = kept_errno;
}

void log_write_fd(void *log_fd, enum log_level level, struct slice line)
{
	const struct log_fd *sink = log_fd;
	char text[LOG_LINE_MAX + 64] = "time=";
	size_t len = 5, done = 0;

	assert(line.len <= LOG_LINE_MAX);
	rfc3339_format(clock_now_ms(sink->clock), text + len);
	len += RFC3339_TEXT_SIZE - 1;
	text[len++] = ' ';
	memcpy(text + len, line.at, line.len);
	len += line.len;
	text[len++] = '\n';
	while (done < len) {
		ssize_t written = write(sink->fd, text + done, len - done);

		if (written > 0)
			done += (size_t)written;
		else if (written == 0 || errno != EINTR)
			return;
	}
}
