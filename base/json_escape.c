#include "base/json_escape.h"

#include <assert.h>

/* What stands after the backslash, and what it means. */
static const char short_names[] = "\"\\/bfnrt";
static const char short_meanings[] = "\"\\/\b\f\n\r\t";

size_t json_escape(char c, char out[JSON_ESCAPE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(short_meanings, c) : NULL;

	assert(json_must_escape(c));
	out[0] = '\\';
	if (found) {
		out[1] = short_names[found - short_meanings];
		return 2;
	}
	out[1] = 'u';
	out[2] = '0';
	out[3] = '0';
	out[4] = digits[c >> 4];
	out[5] = digits[c & 15];
	return 6;
}

/* \u and four digits: 6 bytes, or 0. */
static size_t read_unit(struct slice bytes, uint32_t *unit)
{
	*unit = 0;
	if (bytes.len < 6 || bytes.at[0] != '\\' || bytes.at[1] != 'u')
		return 0;
	for (size_t i = 2; i < 6; i++) {
		char c = bytes.at[i];

		if (c >= '0' && c <= '9')
			*unit = *unit << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*unit = *unit << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*unit = *unit << 4 | (uint32_t)(c - 'A' + 10);
		else
			return 0;
	}
	return 6;
}

size_t json_unescape(struct slice bytes, uint32_t *code_point)
{
	uint32_t high, low;
	const char *found;

	if (bytes.len < 2 || bytes.at[0] != '\\')
		return 0;
	found = bytes.at[1] ? strchr(short_names, bytes.at[1]) : NULL;
	if (found) {
		*code_point = (unsigned char)short_meanings[found - short_names];
		return 2;
	}
	if (read_unit(bytes, &high) == 0)
		return 0;
	if (high < 0xd800 || high >= 0xe000) {
		*code_point = high;
		return 6;
	}
	if (high >= 0xdc00 ||
	    read_unit((struct slice){bytes.at + 6, bytes.len - 6}, &low) == 0 || low < 0xdc00 ||
	    low >= 0xe000)
		return 0;
	*code_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}
