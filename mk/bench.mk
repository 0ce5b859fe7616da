# SPDX-License-Identifier: ISC
#
# Measuring (bench/run, results in bench/RESULTS.md).
#
#   make bench           ROWS="1 2 ..." BENCH_SECONDS=3 BENCH_ROUNDS=5; root, /dev/fuse

deps_bench := fio jq gnuplot-nox sqlite3 s3backer

# rawxfer signs with the uploader's own code: the same effort as ours.
cflags_bench += $(call pcf,libcurl)
libs_tool_rawxfer = $(O)/uploader.a $(lib_ipc) $(lib_common) $(call pc,libcurl) -lgcrypt
$(BIN)/rawxfer: | $(O)/uploader.a
libs_tool_libspeed = $(call pc,libzstd) -lgcrypt

bench: deps
	$(Q)mk/install-missing $(deps_bench)
	+$(Q)$(submake) all
	$(Q)S3B_BIN=$(abspath $(BIN)) bench/run -o bench/RESULTS.md $(ROWS)

.PHONY: bench
