# The frontend's test stand-in for cachemgr, its I/O checker, and the null file system of bench/.
cflags_bench	+= $(call pcf,fuse3)
libs_tool_nullfs = $(call pc,fuse3)
