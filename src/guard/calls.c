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
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIST_MAX 80

/* @only: at most one rule for its arguments; .op 0 of it: all arguments are fine */
struct call {
	const char *name;
	struct scmp_arg_cmp only;
};

struct list {
	unsigned needs; /* any of these; 0: always */
	struct call calls[LIST_MAX];
};

#define ARG(n, cmp, a, b)                                                                          \
	{                                                                                          \
		.arg = (n), .op = (cmp), .datum_a = (a), .datum_b = (b)                            \
	}
/* memory that cannot be run */
#define NO_EXEC ARG(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)

static const struct list lists[] = {
	{ .needs = 0,
	  .calls = {
		  /* the loop */
		  { "epoll_wait" }, { "epoll_pwait" }, { "epoll_pwait2" }, { "epoll_ctl" },
		  { "poll" }, { "ppoll" }, { "ppoll_time64" }, { "timerfd_settime" },
		  { "timerfd_settime64" }, { "clock_gettime" }, { "clock_gettime64" },
		  { "gettimeofday" }, { "time" }, { "clock_nanosleep" },
		  { "clock_nanosleep_time64" }, { "nanosleep" }, { "restart_syscall" },
		  /* descriptors */
		  { "read" }, { "readv" }, { "write" }, { "writev" }, { "pread64" }, { "close" },
		  { "lseek" }, { "_llseek" }, { "fstat" }, { "fstat64" }, { "newfstatat" },
		  { "fstatat64" }, { "statx" }, { "fcntl" }, { "fcntl64" },
		  { "recvfrom" }, { "recv" }, { "recvmsg" }, { "sendto" }, { "send" },
		  { "sendmsg" }, { "getsockopt" }, { "setsockopt" }, { "getsockname" },
		  { "getpeername" }, { "shutdown" }, { "socketcall" },
		  /* a device that comes back is bound again */
		  { "bind" },
		  { "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFINDEX, 0) },
		  { "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFHWADDR, 0) },
		  { "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFFLAGS, 0) },
		  { "ioctl", ARG(1, SCMP_CMP_EQ, SIOCGIFNAME, 0) },
		  { "ioctl", ARG(1, SCMP_CMP_EQ, TCGETS, 0) },
		  { 0 },
	  } },
	{ .needs = 0,
	  .calls = {
		  /* memory */
		  { "brk" }, { "mmap", NO_EXEC }, { "mmap2", NO_EXEC }, { "mprotect", NO_EXEC },
		  { "mremap" }, { "munmap" }, { "madvise" }, { "sysinfo" },
		  /* signals, and the end; abort() signals itself */
		  { "rt_sigaction" }, { "rt_sigprocmask" }, { "rt_sigreturn" }, { "sigreturn" },
		  { "rt_sigpending" }, { "exit" }, { "exit_group" }, { "futex" },
		  { "futex_time64" }, { "getpid" }, { "gettid" },
		  /* OpenSSL */
		  { "getrandom" }, { "getuid" }, { "geteuid" }, { "getgid" }, { "getegid" },
		  /* the log and the pid file, and the way to the background */
		  { "open" }, { "openat" }, { "dup2" }, { "dup3" }, { "unlink" }, { "unlinkat" },
		  { "chdir" }, { "access" }, { "faccessat" },
		  { 0 },
	  } },
	{ .needs = TC_GUARD_ACCEPT, .calls = { { "accept4" }, { 0 } } },
	{ .needs = TC_GUARD_SEND, .calls = { { "sendmmsg" }, { 0 } } },
	{ .needs = TC_GUARD_CONNECT,
	  .calls = {
		  { "connect" },
		  { "socket", ARG(0, SCMP_CMP_EQ, AF_INET, 0) },
		  { "socket", ARG(0, SCMP_CMP_EQ, AF_INET6, 0) },
		  { "socket", ARG(0, SCMP_CMP_EQ, AF_UNIX, 0) }, /* if_nametoindex() */
		  { 0 },
	  } },
	{ .needs = TC_GUARD_THREAD,
	  .calls = {
		  { "clone", ARG(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) },
		  { "set_robust_list" }, { "rseq" }, { "sched_getaffinity" },
		  { 0 },
	  } },
};

static int allow(scmp_filter_ctx ctx, const struct call *c)
{
	int nr = seccomp_syscall_resolve_name(c->name);
	if (nr == __NR_SCMP_ERROR) {
		return 0; /* newer than this library */
	}
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, c->only.op != 0 ? 1 : 0, &c->only);
}

static int fill(scmp_filter_ctx ctx, unsigned needs)
{
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const struct list *l = &lists[i];
		if (l->needs != 0 && (l->needs & needs) == 0) {
			continue;
		}
		for (size_t k = 0; l->calls[k].name != NULL; k++) {
			int r = allow(ctx, &l->calls[k]);
			if (r < 0) {
				return r;
			}
		}
	}
	struct call own = { "tgkill", ARG(0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0) };
	return allow(ctx, &own);
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
