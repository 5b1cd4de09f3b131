/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/run.h - `tcpcopy run`: from the command line to the end
 *
 * Layer:   program.
 */
#ifndef TC_TCPCOPY_RUN_H
#define TC_TCPCOPY_RUN_H

/** tc_run_main() - argv[0] is not looked at; returns the exit status */
int tc_run_main(int argc, char **argv);

#endif
