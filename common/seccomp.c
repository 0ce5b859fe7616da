/* SPDX-License-Identifier: ISC */
/*
 * seccomp.c -- composes the filter of seccomp.h as a classic BPF program (seccomp(2), linux/bpf.h).
 *
 * Two parts.  First the calls whose arguments matter, each a block of its own that ends in a verdict;
 * then a row of numbers that are allowed whatever they say.  Memory that a pointer names cannot be
 * looked at, therefore clone3() does not exist here (glibc falls back to clone(), whose flags can).
 */
#include "common/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/check.h"
#include "common/role.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef OUR_ARCH

#define ROOM	   1024
#define X32_BIT	   0x40000000u
#define ALLOW	   SECCOMP_RET_ALLOW
#define REFUSE	   (SECCOMP_RET_ERRNO | EPERM)
#define NOT_THERE  (SECCOMP_RET_ERRNO | ENOSYS)
#define ANY_NEW_NS 0x7e020080u /* CLONE_NEW*, the time namespace too */
#define SET_VMA	   0x53564d41u /* PR_SET_VMA: glibc names its arenas */
#define LOW(arg)   (offsetof(struct seccomp_data, args) + 8 * (arg))
#define HIGH(arg)  (LOW(arg) + 4)

struct filter {
	struct sock_filter code[ROOM];
	unsigned n;
};

/* ---- one instruction ------------------------------------------------------------------------ */
static void
emit(struct filter *f, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	MUST(f->n < ROOM);
	f->code[f->n++] = (struct sock_filter){code, jt, jf, k};
}

static void
load(struct filter *f, size_t off)
{
	emit(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)off, 0, 0);
}

static void
verdict(struct filter *f, uint32_t v)
{
	emit(f, BPF_RET | BPF_K, v, 0, 0);
}

/* What is loaded equals k: `v`.  Else go on. */
static void
if_equal(struct filter *f, uint32_t k, uint32_t v)
{
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
	verdict(f, v);
}

static void
if_any_bit(struct filter *f, uint32_t k, uint32_t v)
{
	emit(f, BPF_JMP | BPF_JSET | BPF_K, k, 0, 1);
	verdict(f, v);
}

/* ---- calls whose arguments matter ----------------------------------------------------------- */
/* Between these two, instructions for one call, which must end in a verdict. */
static unsigned
begin_call(struct filter *f, long nr)
{
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 0);
	return (f->n - 1);
}

static void
end_call(struct filter *f, unsigned begun, uint32_t v)
{
	verdict(f, v);
	MUST(f->n - begun - 1 <= UINT8_MAX);
	f->code[begun].jf = (uint8_t)(f->n - begun - 1);
}

static void
only_first_argument(struct filter *f, long nr, uint32_t value)
{
	unsigned c = begin_call(f, nr);

	load(f, LOW(0));
	if_equal(f, value, ALLOW);
	end_call(f, c, REFUSE);
}

/* Argument `arg`, all 64 bits, is less than `limit`: `v`.  Else go on. */
static void
if_below(struct filter *f, unsigned arg, uint64_t limit, uint32_t v)
{
	load(f, HIGH(arg));
	emit(f, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(limit >> 32), 4, 0);
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(limit >> 32), 0, 2);
	load(f, LOW(arg));
	emit(f, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)limit, 1, 0);
	verdict(f, v);
}

static void
if_at_least(struct filter *f, unsigned arg, uint64_t limit, uint32_t v)
{
	load(f, HIGH(arg));
	emit(f, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(limit >> 32), 3, 0);
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(limit >> 32), 0, 3);
	load(f, LOW(arg));
	emit(f, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)limit, 0, 1);
	verdict(f, v);
}

/* The cache file: a slot's bytes, and neither the table before them nor another way to them. */
static void
slots_only(struct filter *f, const struct seccomp_need *need)
{
	static const int by_offset[] = {__NR_pread64, __NR_pwrite64};
	static const int others[] = {
	    __NR_read,
	    __NR_write,
	    __NR_readv,
	    __NR_writev,
	    __NR_preadv,
	    __NR_pwritev,
	    __NR_lseek,
	    __NR_dup,
	    __NR_dup3,
	    __NR_fcntl,
	    __NR_ftruncate,
	    __NR_fallocate,
#ifdef __NR_dup2
	    __NR_dup2,
#endif
	};

	if (need->slots_fd < 0)
		return;
	for (unsigned i = 0; i < sizeof(by_offset) / sizeof(by_offset[0]); i++) {
		unsigned c = begin_call(f, by_offset[i]);

		load(f, LOW(0));
		emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)need->slots_fd, 1, 0);
		verdict(f, ALLOW);
		if_below(f, 3, need->slots_from, REFUSE);
		if_at_least(f, 3, need->slots_to, REFUSE);
		end_call(f, c, ALLOW);
	}
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		unsigned c = begin_call(f, others[i]);

		load(f, LOW(0));
		if_equal(f, (uint32_t)need->slots_fd, REFUSE);
		end_call(f, c, ALLOW);
	}
}

/* No memory is both; without files there is no library to load either, and nothing to run. */
static void
memory(struct filter *f, const struct seccomp_need *need)
{
	unsigned c = begin_call(f, __NR_mmap);

	if (need->slots_fd >= 0) {
		load(f, LOW(4));
		emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)need->slots_fd, 0, 3);
		load(f, LOW(3));
		emit(f, BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 1, 0);
		verdict(f, REFUSE);
	}
	load(f, LOW(2));
	emit(f, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
	verdict(f, ALLOW);
	if (need->files)
		if_any_bit(f, PROT_WRITE, REFUSE);
	end_call(f, c, need->files ? ALLOW : REFUSE);

	c = begin_call(f, __NR_mprotect);
	load(f, LOW(2));
	if_any_bit(f, PROT_EXEC, REFUSE);
	end_call(f, c, ALLOW);
}

static void
sockets(struct filter *f, const struct seccomp_need *need)
{
	unsigned c = begin_call(f, __NR_socket);

	load(f, LOW(0));
	if (need->network) {
		/* SOCK_STREAM 1, SOCK_DGRAM 2; flags are above 0xf.  Netlink: glibc asks for addresses. */
		if_equal(f, AF_NETLINK, ALLOW);
		emit(f, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0);
		emit(f, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 6);
		load(f, LOW(1));
		emit(f, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
		if_equal(f, SOCK_STREAM, ALLOW);
		if_equal(f, SOCK_DGRAM, ALLOW);
		load(f, LOW(0));
	}
	if (need->syslog) {
		emit(f, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 4);
		load(f, LOW(1));
		emit(f, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
		if_equal(f, SOCK_DGRAM, ALLOW);
	}
	end_call(f, c, REFUSE);
}

/* Threads of our own, no process; no other memory, name space or process than ours. */
static void
processes(struct filter *f, const struct seccomp_need *need)
{
	static const uint32_t controls[] = {
	    PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, SET_VMA};
	unsigned c = begin_call(f, __NR_clone);

	load(f, LOW(0));
	if_any_bit(f, ANY_NEW_NS, REFUSE);
	if_any_bit(f, CLONE_THREAD, ALLOW);
	end_call(f, c, REFUSE);
	c = begin_call(f, __NR_clone3);
	end_call(f, c, NOT_THERE);
	only_first_argument(f, __NR_kill, (uint32_t)getpid());
	only_first_argument(f, __NR_tgkill, (uint32_t)getpid());

	c = begin_call(f, __NR_prctl);
	load(f, LOW(0));
	for (unsigned i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
		if_equal(f, controls[i], ALLOW);
	end_call(f, c, REFUSE);

	c = begin_call(f, __NR_prlimit64); /* may be asked, not set */
	load(f, LOW(2));
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	verdict(f, REFUSE);
	load(f, HIGH(2));
	if_equal(f, 0, ALLOW);
	end_call(f, c, REFUSE);

	if (!need->network)
		return;
	c = begin_call(f, __NR_setpriority); /* of the thread that asks; uploader/priority.c */
	load(f, LOW(0));
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, PRIO_PROCESS, 1, 0);
	verdict(f, REFUSE);
	load(f, LOW(1));
	if_equal(f, 0, ALLOW);
	end_call(f, c, REFUSE);
}

static void
descriptors(struct filter *f, const struct seccomp_need *need)
{
	unsigned c = begin_call(f, __NR_ioctl);

	load(f, LOW(1));
	if_equal(f, FIONBIO, ALLOW);
	if_equal(f, FIONREAD, ALLOW);
	if_equal(f, TCGETS, ALLOW);
	if (need->network) { /* if_nametoindex(3) */
		if_equal(f, 0x8910, ALLOW);
		if_equal(f, 0x8933, ALLOW);
	}
	end_call(f, c, REFUSE);
	/* The only one that carries descriptors. */
	only_first_argument(f, __NR_sendmsg, ROLE_CTL_FD);
}

/* ---- calls that are allowed whatever they say ----------------------------------------------- */
/* if_there: not on all architectures, or not in old headers. */
static const int for_all[] = {__NR_read, __NR_write, __NR_readv, __NR_writev, __NR_pread64,
    __NR_pwrite64, __NR_preadv, __NR_pwritev, __NR_close, __NR_close_range, __NR_fstat,
    __NR_newfstatat, __NR_statx, __NR_lseek, __NR_ppoll, __NR_pselect6, __NR_epoll_create1,
    __NR_epoll_ctl, __NR_epoll_pwait, __NR_eventfd2, __NR_timerfd_create, __NR_timerfd_settime,
    __NR_timerfd_gettime, __NR_pipe2, __NR_dup, __NR_dup3, __NR_fcntl, __NR_fsync, __NR_fdatasync,
    __NR_sync_file_range, __NR_fallocate, __NR_ftruncate, __NR_fadvise64, __NR_readahead,
    __NR_munmap, __NR_mremap, __NR_madvise, __NR_brk, __NR_mlock, __NR_mlock2, __NR_munlock,
    __NR_msync, __NR_mincore, __NR_membarrier, __NR_futex, __NR_set_robust_list,
    __NR_get_robust_list, __NR_set_tid_address, __NR_exit, __NR_exit_group, __NR_sched_yield,
    __NR_sched_getaffinity, __NR_sched_getparam, __NR_sched_getscheduler, __NR_gettid, __NR_getpid,
    __NR_getppid, __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid, __NR_getpriority,
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigsuspend,
    __NR_rt_sigtimedwait, __NR_sigaltstack, __NR_restart_syscall, __NR_wait4, __NR_clock_gettime,
    __NR_clock_getres, __NR_clock_nanosleep, __NR_nanosleep, __NR_gettimeofday, __NR_times,
    __NR_getrusage, __NR_getrandom, __NR_uname, __NR_sysinfo, __NR_getcpu, __NR_recvmsg,
    __NR_recvfrom, __NR_sendto, __NR_shutdown, __NR_getsockopt, __NR_splice, __NR_tee,
    __NR_vmsplice};
static const int for_all_if_there[] = {
#ifdef __NR_rseq
    __NR_rseq,
#endif
#ifdef __NR_poll
    __NR_poll, __NR_select, __NR_epoll_wait, __NR_epoll_create, __NR_dup2, __NR_pipe, __NR_pause,
    __NR_alarm, __NR_time, __NR_stat, __NR_lstat, __NR_arch_prctl,
#endif
#ifdef __NR_epoll_pwait2
    __NR_epoll_pwait2,
#endif
#ifdef __NR_futex_waitv
    __NR_futex_waitv,
#endif
    -1};

static const int for_files[] = {__NR_openat, __NR_faccessat, __NR_readlinkat, __NR_getdents64,
    __NR_getcwd, __NR_mkdirat, __NR_unlinkat, __NR_renameat2, __NR_linkat, __NR_umask, __NR_flock,
    __NR_fstatfs, __NR_statfs, __NR_fchmod, __NR_fgetxattr, __NR_fsetxattr};
static const int for_files_if_there[] = {
#ifdef __NR_renameat
    __NR_renameat,
#endif
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
#ifdef __NR_open
    __NR_open, __NR_access, __NR_readlink, __NR_mkdir, __NR_unlink, __NR_rename, __NR_rmdir,
    __NR_link,
#endif
    -1};

static const int for_network[] = {__NR_connect, __NR_bind, __NR_socketpair, __NR_setsockopt,
    __NR_getsockname, __NR_getpeername, __NR_sendmmsg, __NR_recvmmsg};

static void
allow_all(struct filter *f, const int *nr, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (nr[i] >= 0)
			if_equal(f, (uint32_t)nr[i], ALLOW);
}
#define ALLOW_ALL(f, list) allow_all(f, list, sizeof(list) / sizeof((list)[0]))

static void
compose(struct filter *f, const struct seccomp_need *need)
{
	load(f, offsetof(struct seccomp_data, arch));
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	verdict(f, SECCOMP_RET_KILL_PROCESS);
	load(f, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	if_any_bit(f, X32_BIT, NOT_THERE);
#endif
	slots_only(f, need);
	memory(f, need);
	sockets(f, need);
	processes(f, need);
	descriptors(f, need);
	ALLOW_ALL(f, for_all);
	ALLOW_ALL(f, for_all_if_there);
	if (need->files) {
		ALLOW_ALL(f, for_files);
		ALLOW_ALL(f, for_files_if_there);
	}
	if (need->network)
		ALLOW_ALL(f, for_network);
	else if (need->syslog)
		if_equal(f, __NR_connect, ALLOW);
	verdict(f, REFUSE);
}

int
seccomp_confine(const struct seccomp_need *need)
{
	static struct filter f;
	struct sock_fprog prog = {.filter = f.code};

	f.n = 0;
	compose(&f, need);
	prog.len = (unsigned short)f.n;
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		return (0);
	return (errno == EINVAL ? -ENOSYS : -errno);
}

#else

int
seccomp_confine(const struct seccomp_need *need)
{
	(void)need;
	return (-ENOSYS);
}

#endif
