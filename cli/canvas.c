#include "cli/canvas.h"

#include "base/utf8.h"

#define CELL_COVERED UINT32_MAX
#define ELLIPSIS     0x2026

struct range {
	uint32_t first;
	uint32_t last;
};

static bool among(const struct range *ranges, size_t n, uint32_t character)
{
	for (size_t i = 0; i < n; i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}

/* What terminals agree on: East Asian wide characters and emoji take two
 * columns, combining marks and joiners none. */
static size_t columns_of(uint32_t character)
{
	static const struct range none[] = {
		{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
		{0x64b, 0x65f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},
		{0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
	};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (among(none, sizeof none / sizeof *none, character))
		return 0;
	return among(wide, sizeof wide / sizeof *wide, character) ? 2 : 1;
}

/* Characters that would move the cursor or turn the direction of the line. */
static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

/* Cut the first character off; what cannot be shown comes out as `?`. */
static uint32_t next_character(struct slice *text)
{
	uint32_t character = '?';
	size_t len = utf8_decode(*text, &character);

	if (len == 0)
		len = 1;
	text->at += len;
	text->len -= len;
	return is_control(character) ? '?' : character;
}

size_t text_columns(struct slice text)
{
	size_t columns = 0;

	while (text.len)
		columns += columns_of(next_character(&text));
	return columns;
}

static struct cell *cell_at(struct canvas *canvas, size_t x, size_t y)
{
	enum { FIRST = 32 };

	if (x >= canvas->width || canvas->nomem)
		return NULL;
	while (y >= canvas->n_rows) {
		size_t n = canvas->n_rows;
		struct cell *row = arena_array(canvas->arena, canvas->width, sizeof *row);

		/* The list of rows doubles and leaves the old one behind. */
		if (row && (n == 0 || (n >= FIRST && (n & (n - 1)) == 0))) {
			struct cell **rows =
				arena_array(canvas->arena, n ? 2 * n : FIRST, sizeof *rows);

			if (rows && n)
				memcpy(rows, canvas->rows, n * sizeof *rows);
			row = rows ? row : NULL;
			canvas->rows = rows ? rows : canvas->rows;
		}
		if (!row) {
			canvas->nomem = true;
			return NULL;
		}
		canvas->rows[canvas->n_rows++] = row;
	}
	return &canvas->rows[y][x];
}

void canvas_put(struct canvas *canvas, size_t x, size_t y, uint32_t character, enum tone tone)
{
	struct cell *cell = cell_at(canvas, x, y);

	if (!cell)
		return;
	if (cell->character == CELL_COVERED && x > 0)
		cell[-1].character = ' '; /* half of a wide character is none */
	if (canvas->ascii && character > 0x7f && character != CELL_COVERED)
		character = '?';
	*cell = (struct cell){.character = character, .tone = (uint8_t)tone};
}

size_t canvas_text(struct canvas *canvas, size_t x, size_t y, struct slice text, enum tone tone)
{
	size_t first = x;

	while (text.len) {
		uint32_t character = next_character(&text);
		size_t columns = columns_of(character);
		struct cell *before = x > first ? cell_at(canvas, x - 1, y) : NULL;

		if (columns == 0) {
			if (before && !canvas->ascii && before->character != CELL_COVERED)
				before->accent = character;
			continue;
		}
		if (x + columns > canvas->width)
			break;
		canvas_put(canvas, x, y, character, tone);
		if (columns == 2)
			canvas_put(canvas, x + 1, y, CELL_COVERED, tone);
		x += columns;
	}
	return x;
}

/* Cut off what stands on one line, the blank where it was broken included. */
static struct slice cut_line(struct slice *text, size_t width)
{
	struct slice rest = *text, line = {text->at, 0};
	size_t columns = 0, blank = 0;

	while (rest.len) {
		size_t before = text->len - rest.len;
		uint32_t character = next_character(&rest);

		columns += columns_of(character);
		if (columns > width && before > 0) {
			if (character != ' ' && blank)
				before = blank;
			line.len = before;
			text->at += before;
			text->len -= before;
			while (text->len && *text->at == ' ') {
				text->at++;
				text->len--;
			}
			return line;
		}
		if (character == ' ' && before > 0)
			blank = before;
	}
	line.len = text->len;
	*text = (struct slice){0};
	return line;
}

size_t canvas_wrap(struct canvas *canvas, size_t x, size_t y, size_t width, size_t lines_max,
		   struct slice text, enum tone tone)
{
	size_t n = 0;

	do {
		struct slice line = cut_line(&text, width);
		size_t end;

		if (canvas) {
			end = canvas_text(canvas, x, y + n, line, tone);
			if (n + 1 == lines_max && text.len) {
				if (end >= x + width)
					end = x + width - 1;
				canvas_put(canvas, end, y + n, canvas->ascii ? '~' : ELLIPSIS,
					   tone);
			}
		}
		n++;
	} while (text.len && n < lines_max);
	return n;
}

static void write_character(struct bytes *out, uint32_t character)
{
	char text[UTF8_MAX];

	bytes_append(out, (struct slice){text, utf8_encode(character, text)});
}

static void write_row(const struct cell *row, size_t width, bool colour, struct bytes *out)
{
	enum tone tone = TONE_PLAIN;

	while (width > 0 && (row[width - 1].character == 0 || row[width - 1].character == ' '))
		width--;
	for (size_t x = 0; x < width; x++) {
		const struct cell *cell = &row[x];

		if (cell->character == CELL_COVERED)
			continue;
		if (colour && cell->character && cell->character != ' ' && cell->tone != tone) {
			tone = (enum tone)cell->tone;
			bytes_text(out, tone_code(tone));
		}
		write_character(out, cell->character ? cell->character : ' ');
		if (cell->accent)
			write_character(out, cell->accent);
	}
	if (tone != TONE_PLAIN)
		bytes_text(out, tone_code(TONE_PLAIN));
	bytes_add(out, '\n');
}

void canvas_write(const struct canvas *canvas, bool colour, struct bytes *out)
{
	for (size_t y = 0; y < canvas->n_rows; y++)
		write_row(canvas->rows[y], canvas->width, colour, out);
	if (canvas->nomem && out->err == OK)
		out->err = ERR_NOMEM;
}
