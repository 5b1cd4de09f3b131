/* SPDX-License-Identifier: BSD-2-Clause
 * test_channel_io_key.c - the channel's key file
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "answer/key.h"
#include "port/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static char path[] = "/tmp/tcpcopy-test-key-XXXXXX";
static char error[TC_DRIVER_ERROR_MAX];

static void write_key(const char *text, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	error[0] = '\0';
}

static int read_key(const char *text, mode_t mode, struct tc_key *ret_key)
{
	write_key(text, strlen(text), mode);
	return tc_key_read(path, ret_key, error);
}

static void sixty_four_digits_are_a_key_with_or_without_a_newline(void **state)
{
	(void)state;
	static const char *const texts[] = { HEX, HEX "\n", HEX "\r\n" };
	for (unsigned i = 0; i < 3; i++) {
		struct tc_key key;
		if (read_key(texts[i], 0600, &key) != 0) {
			fail_msg("%s", error);
		}
		for (uint8_t b = 0; b < TC_KEY_LEN; b++) {
			assert_int_equal(key.secret[b], b);
		}
	}
}

static void the_identity_is_the_begin_of_the_keys_sha_256(void **state)
{
	(void)state;
	struct tc_key key;
	assert_int_equal(read_key(HEX, 0400, &key), 0);
	/* sha256 of the bytes 0 to 31, from coreutils */
	assert_string_equal(key.identity, "630dcd2966c43366");
}

static void what_is_no_key_is_refused_with_the_command_that_makes_one(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"0",
		HEX "0",
		HEX " ",
		HEX "\nx",
		(" " HEX),
		"0x0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F",
		"g00102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
	};
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct tc_key key;
		assert_int_equal(read_key(texts[i], 0600, &key), -EINVAL);
		assert_non_null(strstr(error, "64 hexadecimal digits"));
		assert_non_null(strstr(error, "tcpcopy genkey"));
	}
	struct tc_key key;
	write_key(HEX "\0", 65, 0600);
	assert_int_equal(tc_key_read(path, &key, error), -EINVAL);
}

static void a_file_that_others_may_touch_is_refused_with_the_command_that_mends_it(void **state)
{
	(void)state;
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0644 };
	for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		struct tc_key key;
		assert_int_equal(read_key(HEX, modes[i], &key), -EACCES);
		assert_non_null(strstr(error, "chmod 600"));
	}
}

static void a_file_that_is_not_there_or_no_file_is_an_error(void **state)
{
	(void)state;
	struct tc_key key;
	assert_int_equal(tc_key_read("/nonexistent/key", &key, error), -ENOENT);
	assert_non_null(strstr(error, "'/nonexistent/key'"));
	assert_int_equal(tc_key_read("/dev/zero", &key, error), -EINVAL);
	assert_true(tc_key_read("/tmp", &key, error) < 0);
}

static int make_file(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixty_four_digits_are_a_key_with_or_without_a_newline),
		cmocka_unit_test(the_identity_is_the_begin_of_the_keys_sha_256),
		cmocka_unit_test(what_is_no_key_is_refused_with_the_command_that_makes_one),
		cmocka_unit_test(
			a_file_that_others_may_touch_is_refused_with_the_command_that_mends_it),
		cmocka_unit_test(a_file_that_is_not_there_or_no_file_is_an_error),
	};
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
