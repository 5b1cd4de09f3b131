/* SPDX-License-Identifier: BSD-2-Clause
 * guard/calls.c - the system calls that this process may make, with libseccomp
 *
 * The lists are what the programs do after their start, in all modes, and what libc, libevent and OpenSSL do for them, in their own and in
 * older ways. A call that is missing fails with ENOSYS, as on a kernel that does not know it:
 *   - the process is not killed, and nothing is written to the kernel's audit log, whose queue can make a caller wait;
 *   - a later libc that tries a newer call falls back on the one that is here;
 *   - nothing else answers ENOSYS on a socket, so it is not taken for a firewall's EPERM. strace(1) shows the call.
 * So a new system call after the start needs a line here, or it does not work; tests/netns run everything with the filter.
 *
 * What the filter costs: calls that are allowed whatever their arguments, all of a packet's path, are looked up in a bitmap since Linux
 * 5.11, in a binary tree before. Without SCMP_FLTATR_CTL_SSB kernels before 5.16 would also switch the processor to a slower kind of
 * speculation for us, a protection for those who run foreign code.
 */
#include "guard/calls.h"

#include "guard/guard.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* With any arguments */
static const char *const always[] = {
	/* the loop */
	"epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "poll", "ppoll", "ppoll_time64",
	"timerfd_settime", "timerfd_settime64", "clock_gettime", "clock_gettime64", "gettimeofday",
	"time", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "restart_syscall",
	/* descriptors */
	"read", "readv", "write", "writev", "pread64", "close", "lseek", "_llseek", "fstat",
	"fstat64", "newfstatat", "fstatat64", "statx", "fcntl", "fcntl64",
	/* sockets; a device that comes back is bound again */
	"recvfrom", "recv", "recvmsg", "sendto", "send", "sendmsg", "getsockopt", "setsockopt",
	"getsockname", "getpeername", "shutdown", "bind",
	/* memory */
	"brk", "mremap", "munmap", "madvise", "sysinfo",
	/* signals, and the end */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "futex", "futex_time64",
	"getpid", "gettid", "exit", "exit_group",
	/* OpenSSL */
	"getrandom", "getuid", "geteuid", "getgid", "getegid",
	/* the log and the pid file, and the way to the background */
	"open", "openat", "dup2", "dup3", "unlink", "unlinkat", "chdir", "access", "faccessat", NULL
};
static const char *const to_accept[] = { "accept4", NULL };
static const char *const to_connect[] = { "connect", NULL };
static const char *const to_send[] = { "sendmmsg", NULL };
static const char *const to_thread[] = { "set_robust_list", "rseq", "sched_getaffinity", NULL };

static const struct {
	unsigned needs; /* any of these; 0: always */
	const char *const *names;
} lists[] = {
	{ 0, always },
	{ TC_GUARD_ACCEPT, to_accept },
	{ TC_GUARD_CONNECT, to_connect },
	{ TC_GUARD_SEND, to_send },
	{ TC_GUARD_THREAD, to_thread },
};

#define ARG(n, cmp, a, b)                                                                          \
	{                                                                                          \
		.arg = (n), .op = (cmp), .datum_a = (a), .datum_b = (b)                            \
	}
/* memory that cannot be run */
#define NO_EXEC ARG(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)

/* With such an argument only */
static const struct {
	unsigned needs;
	const char *name;
	struct scmp_arg_cmp arg;
} rules[] = {
	{ 0, "mmap", NO_EXEC },
	{ 0, "mmap2", NO_EXEC },
	{ 0, "mprotect", NO_EXEC },
	{ 0, "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFINDEX, 0) },
	{ 0, "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFHWADDR, 0) },
	{ 0, "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFFLAGS, 0) },
	{ 0, "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFNAME, 0) },
	{ 0, "ioctl", ARG(1, SCMP_CMP_EQ, TCGETS, 0) },
	/* how fast a link is */
	{ TC_GUARD_SEND, "ioctl", ARG(1, SCMP_CMP_EQ, SIOCETHTOOL, 0) },
	{ TC_GUARD_CONNECT, "socket", ARG(0, SCMP_CMP_EQ, AF_INET, 0) },
	{ TC_GUARD_CONNECT, "socket", ARG(0, SCMP_CMP_EQ, AF_INET6, 0) },
	/* if_nametoindex() */
	{ TC_GUARD_CONNECT, "socket", ARG(0, SCMP_CMP_EQ, AF_UNIX, 0) },
	{ TC_GUARD_THREAD, "clone", ARG(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) },
};

/* @arg: NULL for any */
static int allow(scmp_filter_ctx ctx, const char *name, const struct scmp_arg_cmp *arg)
{
	int nr = seccomp_syscall_resolve_name(name);
	if (nr == __NR_SCMP_ERROR) {
		return 0; /* newer than this library */
	}
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, arg != NULL ? 1 : 0, arg);
}

static bool is_needed(unsigned needs, unsigned by)
{
	return by == 0 || (by & needs) != 0;
}

static int fill(scmp_filter_ctx ctx, unsigned needs)
{
	int r = 0;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const char *const *name = lists[i].names;
		for (; is_needed(needs, lists[i].needs) && *name != NULL && r == 0; name++) {
			r = allow(ctx, *name, NULL);
		}
	}
	for (size_t i = 0; i < sizeof rules / sizeof rules[0] && r == 0; i++) {
		if (is_needed(needs, rules[i].needs)) {
			r = allow(ctx, rules[i].name, &rules[i].arg);
		}
	}
	/* abort() signals its own process */
	struct scmp_arg_cmp own = ARG(0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	return r == 0 ? allow(ctx, "tgkill", &own) : r;
}

int tc_calls_limit(unsigned needs)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (ctx == NULL) {
		return -ENOMEM;
	}
	/* what an older kernel or library lacks of these costs time, not safety */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	int r = fill(ctx, needs);
	if (r == 0) {
		r = seccomp_load(ctx);
	}
	seccomp_release(ctx);
	return r;
}
