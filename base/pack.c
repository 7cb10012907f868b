#include "base/pack.h"

/* The same bits: two's complement goes round where a signed sum would not. */
static int64_t signed_of(uint64_t bits)
{
	int64_t number;

	memcpy(&number, &bits, sizeof number);
	return number;
}

void pack_begin(struct pack *pack, struct bytes *out)
{
	pack->out = out;
	pack->len = 0;
}

void pack_end(struct pack *pack)
{
	bytes_append(pack->out, (struct slice){pack->gathered, pack->len});
	pack->len = 0;
}

void pack_number(struct pack *pack, uint64_t number)
{
	if (pack->len > PACK_GATHERED - PACK_NUMBER_MAX)
		pack_end(pack);
	while (number >= 128) {
		pack->gathered[pack->len++] = (char)(number | 128);
		number >>= 7;
	}
	pack->gathered[pack->len++] = (char)number;
}

void pack_signed(struct pack *pack, int64_t number)
{
	uint64_t folded = (uint64_t)number << 1;

	pack_number(pack, number < 0 ? ~folded : folded);
}

void pack_raw(struct pack *pack, struct slice bytes)
{
	if (bytes.len == 0)
		return;
	if (bytes.len > PACK_GATHERED - pack->len) {
		pack_end(pack);
		bytes_append(pack->out, bytes);
		return;
	}
	memcpy(pack->gathered + pack->len, bytes.at, bytes.len);
	pack->len += bytes.len;
}

void pack_time(struct pack *pack, int64_t time_ms, int64_t origin_ms)
{
	pack_signed(pack, signed_of((uint64_t)time_ms - (uint64_t)origin_ms));
}

void pack_slice(struct pack *pack, struct slice text)
{
	pack_number(pack, text.len);
	pack_raw(pack, text);
}

void unpack_reject(struct unpack *unpack, size_t where, const char *what, const char *how)
{
	if (!unpack->what) {
		unpack->what = what;
		unpack->how = how;
		unpack->where = where;
	}
	unpack->at = unpack->bytes.len;
}

/* Returns how many bytes the number takes; 0, and how it is wrong. */
static size_t read_number(struct slice bytes, uint64_t *number, const char **how)
{
	uint64_t sum = 0;

	for (size_t n = 0; n < PACK_NUMBER_MAX; n++) {
		uint64_t byte;

		if (n == bytes.len) {
			*how = "is cut off";
			return 0;
		}
		byte = (unsigned char)bytes.at[n];
		sum |= (byte & 127) << (7 * n);
		if (byte >= 128)
			continue;
		if (byte == 0 && n > 0) {
			*how = "is longer than it needs to be";
			return 0;
		}
		if (n == PACK_NUMBER_MAX - 1 && byte > 1)
			break;
		*number = sum;
		return n + 1;
	}
	*how = "is out of range";
	return 0;
}

uint64_t unpack_number(struct unpack *unpack, uint64_t max, const char *what)
{
	struct slice rest = unpack->bytes;
	const char *how = NULL;
	uint64_t number = 0;
	size_t len;

	if (unpack->what)
		return 0;
	/* Nearly every number is one byte. */
	if (unpack->at < rest.len && (unsigned char)rest.at[unpack->at] < 128) {
		number = (unsigned char)rest.at[unpack->at];
		len = 1;
	} else {
		rest.at = rest.len ? rest.at + unpack->at : NULL;
		rest.len -= unpack->at;
		len = read_number(rest, &number, &how);
	}
	if (len > 0 && number > max)
		how = "is out of range";
	if (how) {
		unpack_reject(unpack, unpack->at, what, how);
		return 0;
	}
	unpack->at += len;
	return number;
}

int64_t unpack_signed(struct unpack *unpack, const char *what)
{
	uint64_t folded = unpack_number(unpack, UINT64_MAX, what);

	return signed_of(folded >> 1 ^ (folded & 1 ? UINT64_MAX : 0));
}

int64_t unpack_time(struct unpack *unpack, int64_t origin_ms, const char *what)
{
	return signed_of((uint64_t)origin_ms + (uint64_t)unpack_signed(unpack, what));
}

struct slice unpack_raw(struct unpack *unpack, size_t len, const char *what)
{
	struct slice bytes = {0};

	if (unpack->what || len == 0)
		return bytes;
	if (len > unpack->bytes.len - unpack->at) {
		unpack_reject(unpack, unpack->at, what, "is cut off");
		return bytes;
	}
	bytes = (struct slice){unpack->bytes.at + unpack->at, len};
	unpack->at += len;
	return bytes;
}

struct slice unpack_slice(struct unpack *unpack, size_t max, const char *what)
{
	return unpack_raw(unpack, (size_t)unpack_number(unpack, max, what), what);
}
