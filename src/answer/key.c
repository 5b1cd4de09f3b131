/* SPDX-License-Identifier: BSD-2-Clause
 * answer/key.c - key files
 */
#include "answer/key.h"

#include "port/error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_LEN (2 * (size_t)TC_KEY_LEN)
/* the digits, a newline of any system, and one byte to see that there is more */
#define FILE_MAX (HEX_LEN + 3)

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return -1;
}

static bool parse(const char *text, size_t n, uint8_t secret[TC_KEY_LEN])
{
	while (n > HEX_LEN && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
		n--;
	}
	if (n != HEX_LEN) {
		return false;
	}
	for (size_t i = 0; i < TC_KEY_LEN; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0) {
			return false;
		}
		secret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* The file's text and length; the permission is that of the file that was opened, not of one that was put there later. */
static int read_text(const char *path, char text[FILE_MAX], size_t *ret_n, char *ret_error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		return tc_driver_error(ret_error, -errno, "cannot read the key file '%s'", path);
	}
	struct stat st;
	int r = 0;
	ssize_t n = 0;
	if (fstat(fd, &st) < 0 || (n = read(fd, text, FILE_MAX)) < 0) {
		r = tc_driver_error(ret_error, -errno, "cannot read the key file '%s'", path);
	} else if (!S_ISREG(st.st_mode)) {
		r = tc_driver_say(ret_error, -EINVAL,
				  "cannot use the key file '%s': it is not a regular file", path);
	} else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		r = tc_driver_say(ret_error, -EACCES,
				  "cannot use the key file '%s': others may read it (mode %04o): "
				  "chmod 600 '%s'",
				  path, (unsigned)(st.st_mode & 07777), path);
	}
	close(fd);
	*ret_n = (size_t)n;
	return r;
}

int tc_key_set(const uint8_t secret[TC_KEY_LEN], struct tc_key *ret_key)
{
	uint8_t digest[32];
	if (EVP_Digest(secret, TC_KEY_LEN, digest, NULL, EVP_sha256(), NULL) != 1) {
		return -EIO;
	}
	struct tc_key key;
	memcpy(key.secret, secret, TC_KEY_LEN);
	for (size_t i = 0; i < TC_KEY_IDENTITY_LEN / 2; i++) {
		key.identity[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		key.identity[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	key.identity[TC_KEY_IDENTITY_LEN] = '\0';
	*ret_key = key;
	tc_key_fini(&key);
	return 0;
}

int tc_key_read(const char *path, struct tc_key *ret_key, char *ret_error)
{
	char text[FILE_MAX];
	uint8_t secret[TC_KEY_LEN];
	size_t n = 0;
	int r = read_text(path, text, &n, ret_error);
	if (r == 0 && !parse(text, n, secret)) {
		r = tc_driver_say(ret_error, -EINVAL,
				  "cannot use the key file '%s': it does not hold 64 hexadecimal "
				  "digits: make another one with tcpcopy genkey FILE",
				  path);
	}
	if (r == 0 && (r = tc_key_set(secret, ret_key)) < 0) {
		tc_driver_say(ret_error, r, "cannot use the key file '%s': OpenSSL has no SHA-256",
			      path);
	}
	OPENSSL_cleanse(text, sizeof text);
	OPENSSL_cleanse(secret, sizeof secret);
	return r;
}

void tc_key_fini(struct tc_key *key)
{
	OPENSSL_cleanse(key, sizeof *key);
}
