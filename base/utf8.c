#include "base/utf8.h"

#include <assert.h>

/* What the first byte of a character says: how long it is, and the least code
 * point that needs this length. 0 for bytes that begin nothing. */
static size_t length_of(unsigned char first, uint32_t *least)
{
	if (first < 0x80) {
		*least = 0;
		return 1;
	}
	if (first >= 0xc0 && first < 0xe0) {
		*least = 0x80;
		return 2;
	}
	if (first >= 0xe0 && first < 0xf0) {
		*least = 0x800;
		return 3;
	}
	if (first >= 0xf0 && first < 0xf8) {
		*least = 0x10000;
		return 4;
	}
	return 0;
}

size_t utf8_decode(struct slice bytes, uint32_t *code_point)
{
	const unsigned char *at = (const unsigned char *)bytes.at;
	uint32_t code, least;
	size_t len;

	if (bytes.len == 0)
		return 0;
	len = length_of(at[0], &least);
	if (len == 0 || len > bytes.len)
		return 0;
	code = len == 1 ? at[0] : at[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fu);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*code_point = code;
	return len;
}

size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX])
{
	assert(code_point <= 0x10ffff && (code_point < 0xd800 || code_point >= 0xe000));
	if (code_point < 0x80) {
		out[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		out[0] = (char)(0xc0 | code_point >> 6);
		out[1] = (char)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point < 0x10000) {
		out[0] = (char)(0xe0 | code_point >> 12);
		out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code_point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code_point >> 18);
	out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code_point & 0x3f));
	return 4;
}

bool utf8_valid(struct slice bytes)
{
	uint32_t code_point;

	while (bytes.len > 0) {
		/* Most bytes are ASCII, and need no closer look. */
		size_t len =
			(unsigned char)*bytes.at < 0x80 ? 1 : utf8_decode(bytes, &code_point);

		if (len == 0)
			return false;
		bytes.at += len;
		bytes.len -= len;
	}
	return true;
}

struct slice utf8_cut(struct slice bytes, size_t max)
{
	struct slice rest = bytes;
	uint32_t code_point;
	size_t len;

	while ((len = utf8_decode(rest, &code_point)) && bytes.len - rest.len + len <= max) {
		rest.at += len;
		rest.len -= len;
	}
	return (struct slice){bytes.at, bytes.len - rest.len};
}

size_t utf8_count(struct slice bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes.len; i++)
		n += ((unsigned char)bytes.at[i] & 0xc0) != 0x80;
	return n;
}
