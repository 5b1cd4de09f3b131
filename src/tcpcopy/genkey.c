/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/genkey.c - `tcpcopy genkey FILE`
 */
#include "tcpcopy/genkey.h"

#include "answer/key.h"
#include "cli/option.h"
#include "cli/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HEX_LEN (2 * TC_KEY_LEN + 1) /* with the newline */

struct options {
	bool help;
};

static const struct tc_option table[] = {
	{ "help", 'h', TC_OPTION_FLAG, offsetof(struct options, help),
	  .help = "print this, and end" },
	{ 0 },
};

static int complain(const char *what, const char *path)
{
	fprintf(stderr, "tcpcopy: cannot %s '%s': %s\n", what, path, strerror(errno));
	return TC_EXIT_FAILED;
}

static bool make_hex(char hex[HEX_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t secret[TC_KEY_LEN];
	if (getrandom(secret, sizeof secret, 0) != sizeof secret) {
		return false;
	}
	for (size_t i = 0; i < sizeof secret; i++) {
		hex[2 * i] = digits[secret[i] >> 4];
		hex[2 * i + 1] = digits[secret[i] & 0xf];
	}
	hex[HEX_LEN - 1] = '\n';
	explicit_bzero(secret, sizeof secret);
	return true;
}

static int write_key(const char *path)
{
	char hex[HEX_LEN];
	if (!make_hex(hex)) {
		return complain("get random numbers for", path);
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		fprintf(stderr,
			"tcpcopy: '%s' exists and is left as it is: remove it first, or give "
			"another name\n",
			path);
		return TC_EXIT_FAILED;
	}
	if (fd < 0) {
		return complain("create", path);
	}
	ssize_t n = write(fd, hex, sizeof hex);
	explicit_bzero(hex, sizeof hex);
	if (n != HEX_LEN || fsync(fd) < 0) {
		errno = n >= 0 && n != HEX_LEN ? ENOSPC : errno;
		int status = complain("write", path);
		close(fd);
		unlink(path);
		return status;
	}
	close(fd);
	fprintf(stderr,
		"tcpcopy: wrote '%s'; copy it to the hosts of intercept, and give both programs "
		"--key\n",
		path);
	return TC_EXIT_DONE;
}

int tc_genkey_main(int argc, char **argv)
{
	struct options opt;
	const char *path = NULL;
	char error[TC_OPTION_ERROR_MAX];
	tc_option_defaults(table, &opt);
	if (tc_option_parse(table, &opt, argc, argv, &path, error) < 0) {
		fprintf(stderr, "tcpcopy: genkey: %s\n", error);
		return TC_EXIT_USAGE;
	}
	if (opt.help) {
		printf("usage: tcpcopy genkey FILE\n\n"
		       "Writes a new key for the channel between tcpcopy and intercept.\n\n");
		tc_option_help(table, stdout);
		return TC_EXIT_DONE;
	}
	if (path == NULL) {
		fprintf(stderr, "tcpcopy: genkey: a file is missing: tcpcopy genkey FILE\n");
		return TC_EXIT_USAGE;
	}
	return write_key(path);
}
