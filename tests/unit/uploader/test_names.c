/* SPDX-License-Identifier: ISC */
/* test_names.c -- names of objects: BUCKET-FORMAT.md section 1, with its table of hashes. */
#include <string.h>

#include "tests/unit/tap.h"
#include "uploader/names.h"

static bool
parses(const struct names *n, const char *key, uint32_t want)
{
	uint32_t block = 0;

	return (name_parse(n, key, strlen(key), &block) && block == want);
}

static bool
refused(const struct names *n, const char *key)
{
	uint32_t block;

	return (!name_parse(n, key, strlen(key), &block));
}

int
main(void)
{
	static const uint32_t hash[][2] = {{0, 0xc448b72c}, {1, 0xd211cad9}, {2, 0x7183baa1},
	    {3, 0x531c6cd5}, {5, 0x6a03ab82}, {0xff, 0x6ad31a26}, {0x100, 0xe34e7a2c},
	    {0xffff, 0x5cad6e8f}, {0x10000, 0xb1b53b7c}, {0x12345678, 0x7fbf2916},
	    {0x7fffffff, 0x8f92efdc}, {0x80000000, 0xd2255ed2}, {0xfffffffe, 0xb5822738}};
	struct names plain = {"", 0, false, 256}, sub = {"sub/dir/", 8, false, 0},
		     hashed = {"p", 1, true, 1000};
	char buf[NAME_SIZE], enc[NAME_ENCODED];
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof(hash) / sizeof(hash[0]); i++)
		bad += name_hash(hash[i][0]) != hash[i][1];
	is_int(bad, 0, "hashes of the format's table");

	ok(name_of_block(&plain, 5, buf) == 0 && strcmp(buf, "00000005") == 0, "plain name");
	ok(name_of_block(&sub, 0xabcdef, buf) == 0 && strcmp(buf, "sub/dir/00abcdef") == 0,
	    "prefix");
	ok(name_of_block(&hashed, 5, buf) == 0 && strcmp(buf, "p6a03ab82-00000005") == 0, "hash");
	ok(name_of_token(&sub, buf) == 0 && strcmp(buf, "sub/dir/s3backer-mounted") == 0, "token");

	ok(parses(&plain, "000000ff", 255), "the last block");
	ok(refused(&plain, "00000100"), "beyond the disk");
	ok(refused(&plain, "000000FF"), "upper case");
	ok(refused(&plain, "0000000") && refused(&plain, "000000000"), "seven and nine digits");
	ok(refused(&plain, "0000000g") && refused(&plain, "s3backer-mounted"), "other objects");
	ok(refused(&plain, ""), "empty");
	ok(parses(&sub, "sub/dir/fffffffe", 0xfffffffe), "the largest block there can be");
	ok(refused(&sub, "sub/dir/ffffffff"), "one too large");
	ok(refused(&sub, "sub/dix/00000001"), "another prefix");
	ok(parses(&hashed, "p6a03ab82-00000005", 5), "hashed");
	ok(refused(&hashed, "p6a03ab83-00000005"), "a hash of another block");
	ok(refused(&hashed, "p00000005"), "a plain name where hashed ones are used");
	ok(refused(&hashed, "p6a03ab82_00000005"), "wrong separator");

	(void)name_encode("a/b c%#\xc3\xa4~", true, enc, sizeof(enc));
	is_str(enc, "a/b%20c%25%23%C3%A4~", "encoded for a path");
	(void)name_encode("a/b", false, enc, sizeof(enc));
	is_str(enc, "a%2Fb", "encoded for a query");
	is_int(name_encode("aaaaaaaaaa", true, enc, 6), 3, "a small buffer is not overrun");
	return (tap_done());
}
