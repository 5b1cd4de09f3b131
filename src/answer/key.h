/* SPDX-License-Identifier: BSD-2-Clause
 * answer/key.h - the key that both ends of the channel share
 *
 * Layer:   answer. Reads a file; used at start only.
 *
 * A file of 64 hexadecimal digits, which only its owner may read. The key itself never travels: TLS proves that both ends have it
 * (an external PSK, RFC 8446 4.2.11). What travels is its identity, by which an end knows whether the other means the same key.
 */
#ifndef TC_ANSWER_KEY_H
#define TC_ANSWER_KEY_H

#include <stdint.h>

#define TC_KEY_LEN 32
#define TC_KEY_IDENTITY_LEN 16

struct tc_key {
	uint8_t secret[TC_KEY_LEN];
	char identity[TC_KEY_IDENTITY_LEN +
		      1]; /* the first 8 bytes of SHA-256(secret), in hexadecimal */
};

/**
 * tc_key_read() - read a key file
 * @ret_error: TC_DRIVER_ERROR_MAX bytes; on failure what is wrong with the file and the command that mends it
 * Return: 0; -errno of the file; -EACCES when others may read it; -EINVAL when it holds no key.
 */
int tc_key_read(const char *path, struct tc_key *ret_key, char *ret_error);

/** tc_key_set() - from the bytes of a key; 0, or -EIO when the digest is not to be had */
int tc_key_set(const uint8_t secret[TC_KEY_LEN], struct tc_key *ret_key);

/** tc_key_fini() - leave nothing of it in memory */
void tc_key_fini(struct tc_key *key);

#endif
