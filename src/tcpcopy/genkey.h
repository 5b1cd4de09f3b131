/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/genkey.h - `tcpcopy genkey FILE`: a key for both ends of the channel
 *
 * Layer:   program.
 */
#ifndef TC_TCPCOPY_GENKEY_H
#define TC_TCPCOPY_GENKEY_H

/** tc_genkey_main() - argv[0] is the command's name; returns the exit status */
int tc_genkey_main(int argc, char **argv);

#endif
