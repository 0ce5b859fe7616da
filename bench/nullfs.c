/* SPDX-License-Identifier: ISC */
/*
 * nullfs.c -- a FUSE file system that does nothing: the limit of the machine for ours.
 *
 *	nullfs [-s SIZE] [-n THREADS] [-l] [-i] [-m] [-p FILE] MOUNTPOINT
 *	  -s	size of the one file, in bytes (default 1 GiB)
 *	  -n	threads reading /dev/fuse (default: as the frontend, 2 per core, at least 4)
 *	  -l	libfuse's own multi-threaded loop instead of such threads
 *	  -i	directIO for every opener
 *	  -m	reads come from, and writes go to, SIZE bytes of memory: what it costs that every
 *		block is another one, which no cache of real blocks escapes
 *	  -p	pass-through: reads, writes and fsync go to FILE (made SIZE long)
 *
 * Reads are answered from one page-cached buffer, writes are forgotten, nothing is looked up.  It
 * negotiates with the kernel exactly what the frontend does (frontend/fuse_ops.c, op_init and
 * op_open), so that a ratio of the two is the cost of our work alone.  Foreground; ends at unmount.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_IO (1u << 20)

static uint64_t size = 1u << 30;
static bool direct;
static int pass = -1; /* the file behind, or -1 */
static bool memory;
static char *bytes; /* MAX_IO bytes that answer every read; with -m the whole file */
static struct fuse_session *se;

static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &=
	    ~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA |
			FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_IOCTL_DIR | FUSE_CAP_READDIRPLUS |
			FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	conn->want |= conn->capable &
		      (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO |
			  FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV);
	conn->max_write = MAX_IO;
	conn->max_background = 1024;
	conn->congestion_threshold = 768;
}

static void
attributes(fuse_ino_t ino, struct stat *ret_st)
{
	memset(ret_st, 0, sizeof(*ret_st));
	ret_st->st_ino = ino;
	ret_st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0600;
	ret_st->st_nlink = ino == FUSE_ROOT_ID ? 2 : 1;
	ret_st->st_size = ino == FUSE_ROOT_ID ? 0 : (off_t)size;
	ret_st->st_blksize = MAX_IO;
}

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {.entry_timeout = 31536000.0, .attr_timeout = 31536000.0};

	if (parent == FUSE_ROOT_ID && strcmp(name, "file") == 0) {
		e.ino = 2;
		attributes(e.ino, &e.attr);
	}
	(void)fuse_reply_entry(req, &e);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	attributes(ino, &st);
	(void)fuse_reply_attr(req, &st, 31536000.0);
}

static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};

	(void)ino;
	if (direct || (fi->flags & O_DIRECT) != 0)
		out.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	(void)fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t len, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec bv = FUSE_BUFVEC_INIT(len);

	(void)ino;
	(void)fi;
	if ((uint64_t)off >= size)
		len = 0;
	else if (len > size - (uint64_t)off)
		len = size - (uint64_t)off;
	if (pass < 0) {
		(void)fuse_reply_buf(req, memory ? bytes + off : bytes, len);
		return;
	}
	bv.buf[0] = (struct fuse_buf){
	    .size = len, .flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK, .fd = pass, .pos = off};
	(void)fuse_reply_data(req, &bv, 0);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t len, off_t off,
    struct fuse_file_info *fi)
{
	ssize_t n = (ssize_t)len;

	(void)ino;
	(void)fi;
	if (pass >= 0)
		n = pwrite(pass, buf, len, off);
	else if (memory && (uint64_t)off + len <= size)
		memcpy(bytes + off, buf, len);
	if (n < 0)
		(void)fuse_reply_err(req, errno);
	else
		(void)fuse_reply_write(req, (size_t)n);
}

static void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	(void)fuse_reply_err(req, pass >= 0 && fdatasync(pass) < 0 ? errno : 0);
}

static void
op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	(void)fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {.init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .open = op_open,
    .read = op_read,
    .write = op_write,
    .fsync = op_fsync,
    .flush = op_flush};

/* The frontend's loop: one buffer per thread, reused for ever. */
static void *
loop(void *arg)
{
	char *mem =
	    mmap(NULL, MAX_IO + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	while (!fuse_session_exited(se)) {
		ssize_t n = read(fuse_session_fd(se), mem, MAX_IO + 4096);
		struct fuse_buf fb = {.mem = mem};

		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n < 0)
			break;
		fb.size = (size_t)n;
		fuse_session_process_buf(se, &fb);
	}
	return (NULL);
}

static void
serve(unsigned threads)
{
	pthread_t t[64];

	if (threads > 64)
		threads = 64;
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, loop, NULL) != 0)
			abort();
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(t[i], NULL);
}

int
main(int argc, char **argv)
{
	char *args_v[] = {argv[0], (char *)(uintptr_t) "-oallow_other,default_permissions", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, args_v);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = cores > 2 ? 2 * (unsigned)cores : 4;
	const char *file = NULL;
	bool libs_loop = false;
	int c;

	while ((c = getopt(argc, argv, "s:n:limp:")) != -1) {
		switch (c) {
		case 's':
			size = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			threads = (unsigned)atoi(optarg);
			break;
		case 'l':
			libs_loop = true;
			break;
		case 'i':
			direct = true;
			break;
		case 'm':
			memory = true;
			break;
		case 'p':
			file = optarg;
			break;
		default:
			return (2);
		}
	}
	if (optind + 1 != argc) {
		(void)fprintf(stderr, "usage: nullfs [options] MOUNTPOINT\n");
		return (2);
	}
	if (file != NULL &&
	    ((pass = open(file, O_RDWR | O_CREAT, 0600)) < 0 || ftruncate(pass, (off_t)size) < 0)) {
		perror(file);
		return (1);
	}
	bytes = mmap(NULL, memory ? size : MAX_IO, PROT_READ | PROT_WRITE,
	    memory ? MAP_SHARED | MAP_ANONYMOUS : MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED)
		return (1);
	memset(bytes, 0x5a, memory ? size : MAX_IO);
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (se == NULL || fuse_session_mount(se, argv[optind]) < 0)
		return (1);
	if (libs_loop)
		(void)fuse_session_loop_mt(se, NULL);
	else
		serve(threads);
	fuse_session_unmount(se);
	fuse_session_destroy(se);
	return (0);
}
