/* SPDX-License-Identifier: BSD-2-Clause
 * guard/guard.h - a program gives up what it will not need again
 *
 * Layer:   guard. For the whole process; for programs, once, when all sockets are open and before they run.
 * Source:  capabilities(7), prctl(2) PR_SET_NO_NEW_PRIVS, seccomp(2).
 *
 *     capabilities    only those of the needs below stay, of those there are; also root is left with no more
 *     new privileges  no program that this one could start gets any
 *     system calls    only those of the steady state work (guard/calls.c); any other fails with ENOSYS
 *
 * What a call needs that only opens something (a packet socket, a port below 1024) is gone afterwards, so a fault in what reads packets
 * of strangers is worth little. A thread has the capabilities of the one that starts it: threads are started after this.
 */
#ifndef TC_GUARD_GUARD_H
#define TC_GUARD_GUARD_H

/* What a program goes on doing */
enum tc_guard_need {
	TC_GUARD_ACCEPT = 1 << 0,    /* take connections */
	TC_GUARD_CONNECT = 1 << 1,   /* make connections, ask for devices by name */
	TC_GUARD_SEND = 1 << 2,	     /* packets to a target */
	TC_GUARD_NEIGHBORS = 1 << 3, /* have the kernel find neighbours: CAP_NET_ADMIN */
	TC_GUARD_THREAD = 1 << 4,    /* start a thread */
};

#define TC_GUARD_TEXT_MAX 160

/**
 * tc_guard() - keep what @needs says, a set of enum tc_guard_need, and nothing else
 * @ret_text: for a line of the log: what holds from now on ("capabilities=net_admin system_calls=listed"), or what failed
 * What fails, or was not built in, leaves the rest in force.
 * Return: 0; -errno: something could not be given up.
 */
int tc_guard(unsigned needs, char ret_text[TC_GUARD_TEXT_MAX]);

#endif
