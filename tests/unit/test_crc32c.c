#include "base/crc32c.h"
#include "tests/lib/suite.h"

static const struct row {
	const char *name;
	struct slice bytes;
	uint32_t crc;
} rows[] = {
	{"nothing", {NULL, 0}, 0},
	{"the check value of the algorithm", SLICE_LITERAL("123456789"), 0xe3069283},
	{"one byte", SLICE_LITERAL("a"), 0xc1d04330},
	{"32 bytes of zeros, as in RFC 3720",
	 SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	 0x8a9136aa},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	uint32_t crc = crc32c(row->bytes);

	ck_assert_msg(crc == row->crc, "%s: %08x", row->name, crc);
}
END_TEST

/* As the algorithm is defined: bit by bit. */
static uint32_t by_bits(const unsigned char *bytes, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

/* Every value at every place of a block, at every length and alignment. */
START_TEST(test_agrees_with_the_definition)
{
	unsigned char bytes[64];
	uint32_t seed = 1;

	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
		for (size_t begin = 0; begin < 3; begin++) {
			size_t len = (size_t)round % (sizeof bytes - begin);
			struct slice part = {(const char *)bytes + begin, len};

			ck_assert_uint_eq(crc32c(part), by_bits(bytes + begin, len));
		}
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_agrees_with_the_definition);
}

int main(void)
{
	return suite_run("crc32c", add);
}
