#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for `more` bytes behind what is there, or the error is set. */
static bool reserve(struct bytes *bytes, size_t more)
{
	size_t capacity;
	char *grown;

	if (bytes->err)
		return false;
	if (bytes->len > bytes->max || more > bytes->max - bytes->len) {
		bytes->err = ERR_TOO_LARGE;
		return false;
	}
	if (more <= bytes->capacity - bytes->len)
		return true;
	capacity = bytes->capacity ? bytes->capacity * 2 : 64;
	if (capacity < bytes->len + more)
		capacity = bytes->len + more;
	if (capacity > bytes->max)
		capacity = bytes->max;
	if (!bytes->arena) {
		grown = realloc(bytes->at, capacity);
	} else if (bytes->at &&
		   arena_extend(bytes->arena, bytes->at, bytes->capacity, capacity)) {
		grown = bytes->at;
	} else {
		grown = arena_alloc(bytes->arena, capacity);
		if (grown && bytes->len)
			memcpy(grown, bytes->at, bytes->len);
	}
	if (!grown) {
		bytes->err = ERR_NOMEM;
		return false;
	}
	bytes->at = grown;
	bytes->capacity = capacity;
	return true;
}

char *bytes_room(struct bytes *bytes, size_t n)
{
	if (!reserve(bytes, n))
		return NULL;
	bytes->len += n;
	return bytes->at + bytes->len - n;
}

void bytes_append(struct bytes *bytes, struct slice more)
{
	if (more.len == 0 || !reserve(bytes, more.len))
		return;
	memcpy(bytes->at + bytes->len, more.at, more.len);
	bytes->len += more.len;
}

void bytes_add(struct bytes *bytes, char c)
{
	if (reserve(bytes, 1))
		bytes->at[bytes->len++] = c;
}

void bytes_text(struct bytes *bytes, const char *text)
{
	bytes_append(bytes, slice_of(text));
}

void bytes_format(struct bytes *bytes, const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (bytes->err)
		return;
	if (len < 0 || (size_t)len >= sizeof text)
		bytes->err = ERR_TOO_LARGE;
	else
		bytes_append(bytes, (struct slice){text, (size_t)len});
}

void bytes_clear(struct bytes *bytes)
{
	bytes->len = 0;
	bytes->err = OK;
}

void bytes_release(struct bytes *bytes)
{
	if (!bytes->arena)
		free(bytes->at);
	*bytes = (struct bytes){.max = bytes->max, .arena = bytes->arena};
}
