# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# posix.sh - content, sizes, holes, times, permissions as POSIX and ext4 have
# them.

test_posix_sparse()
{
	start
	truncate -s 1T huge
	same blocks "$(stat -c %b huge)" 0
	echo end | dd of=huge bs=1 seek=500G conv=notrunc status=none
	same size "$(stat -c %s huge)" 1099511627776
	same data "$("$HELPER" seek huge data 0)" 536870912000
	same hole "$("$HELPER" seek huge hole 536870912000)" 536870916096
	truncate -s 9223372036854775807 largest
	same size "$(stat -c %s largest)" 9223372036854775807
	same 'no data' "$("$HELPER" seek largest data 0)" ENXIO
	same 'at the end' "$("$HELPER" seek huge data 1099511627776)" ENXIO
	again
	same largest "$(stat -c %s largest)" 9223372036854775807
	same data "$(dd if=huge bs=1 skip=500G count=3 status=none)" end
	(($(value_of stored_bytes .) < 200000)) || fail 'holes cost something'
	finish
}

test_posix_seek_dirty()
{
	# Nothing of the file has reached the daemon when cp looks for holes.
	start
	"$HELPER" dirty file "cp --sparse=auto file copy && cmp file copy"
	"$HELPER" dirty file2 "tar -cSf archive.tar file2"
	mkdir out
	tar -C out -xf archive.tar
	cmp out/file2 file2
	"$HELPER" dirty file3 "$HELPER seek file3 data 0 >seen;
		$HELPER seek file3 hole 0 >>seen;
		$HELPER seek file3 data 4096 >>seen"
	same seen "$(cat seen)" $'0\n4096\n1048576'
	cmp file copy
	finish
}

# The same when the daemon has the data, and has not encoded it yet.
test_posix_sparse_copy_at_once()
{
	local i
	start
	mkdir out
	for ((i = 0; i < 20; i++)); do
		bytes 5000 "$i" >"file$i"
		tar -cSf - "file$i" | tar -C out -xf -
		cmp "file$i" "out/file$i"
		cp --sparse=auto "out/file$i" "out/copy$i"
		cmp "file$i" "out/copy$i"
	done
	finish
}

test_posix_fallocate()
{
	start
	bytes 400000 2 >file
	cp file copy
	fallocate -p -o 100000 -l 100000 file
	dd if=/dev/zero of=copy bs=1000 seek=100 count=100 conv=notrunc \
		status=none
	cmp file copy
	fallocate -z -o 300000 -l 200000 file
	truncate -s 300000 copy
	truncate -s 500000 copy
	cmp file copy
	fallocate -n -o 500000 -l 100000 file
	same 'size kept' "$(stat -c %s file)" 500000
	fallocate -l 700000 file
	same 'size grown' "$(stat -c %s file)" 700000
	same collapse "$("$HELPER" fallocate file 8 0 4096)" EOPNOTSUPP
	truncate -s 700000 copy
	again
	cmp file copy
	finish
}

test_posix_truncate()
{
	start
	bytes 1000000 3 >file
	cp file copy
	truncate -s 123456 file
	truncate -s 2000000 file
	{
		head -c 123456 copy
		head -c 1876544 /dev/zero
	} >"$work/wanted"
	cmp file "$work/wanted"
	echo short >copy
	same 'O_TRUNC' "$(cat copy)" short
	again
	cmp file "$work/wanted"
	same 'O_TRUNC' "$(cat copy)" short
	finish
}

test_posix_overwrite()
{
	local i
	start
	bytes 2000000 4 >file
	cp file "$work/wanted"
	for ((i = 0; i < 200; i++)); do
		bytes 700 "$i" >"$work/piece"
		for to in file "$work/wanted"; do
			dd if="$work/piece" of="$to" bs=1 conv=notrunc \
				seek=$((i * 9901 % 1999000)) status=none
		done
	done
	cmp file "$work/wanted"
	"$SIGMAFS" sync .
	cmp file "$work/wanted"
	again
	cmp file "$work/wanted"
	finish
}

test_posix_append()
{
	local i
	start
	for ((i = 0; i < 4; i++)); do
		for ((j = 0; j < 500; j++)); do
			echo "writer $i line $j"
		done >>log &
	done
	wait
	same lines "$(sort -u log | wc -l)" 2000
	again
	same lines "$(sort -u log | wc -l)" 2000
	finish
}

test_posix_mmap()
{
	start
	bytes 300000 5 >file
	cp file "$work/wanted"
	"$HELPER" mmap file 123456 'written through a mapping'
	printf 'written through a mapping' |
		dd of="$work/wanted" bs=1 seek=123456 conv=notrunc status=none
	cmp file "$work/wanted"
	again
	cmp file "$work/wanted"
	finish
}

test_posix_direct()
{
	start
	same direct "$("$HELPER" direct file 3145728)" same
	again
	same size "$(stat -c %s file)" 3145728
	finish
}

test_posix_unlinked_open()
{
	start
	same 'unlinked file' "$("$HELPER" orphan file)" '0 300000 same'
	[[ ! -e file ]] || fail 'it is still there'
	# Open when the daemon is killed: gone after the next mount.
	echo 'a line' >kept
	"$SIGMAFS" sync .
	finish
}

test_posix_copy()
{
	local before after
	start
	bytes 20000000 6 >file
	"$SIGMAFS" sync .
	before=$(value_of stored_bytes .)
	same copied "$("$HELPER" clone file clone)" 20000000
	"$SIGMAFS" sync .
	after=$(value_of stored_bytes .)
	((after - before < 1000000)) || fail "the copy takes $((after - before))"
	cmp file clone
	echo changed | dd of=clone bs=1 seek=1000 conv=notrunc status=none
	again
	cmp -n 1000 file clone
	cmp -i 1008 file clone
	bytes 20000000 6 | cmp - file
	finish
}

test_posix_times()
{
	local mtime
	start
	touch -d '2020-01-02 03:04:05.987654321' file
	same 'nanoseconds' "$(stat -c %y file | cut -c 1-29)" \
		'2020-01-02 03:04:05.987654321'
	touch -d '1901-12-14 00:00:00.25' old
	touch -d '2500-06-07 08:09:10.125' late
	stat -c '%n %y' old late >"$work/times"
	mtime=$(stat -c %.9Y file)
	echo more >>file
	[[ $(stat -c %.9Y file) != "$mtime" ]] || fail 'a write leaves mtime'
	mtime=$(stat -c %.9Y file)
	chmod 600 file
	same 'mtime after chmod' "$(stat -c %.9Y file)" "$mtime"
	touch -a -d '2021-01-01' file
	same 'mtime after touch -a' "$(stat -c %.9Y file)" "$mtime"
	again
	same 'mtime after mount' "$(stat -c %.9Y file)" "$mtime"
	stat -c '%n %y' old late | diff "$work/times" -
	finish
}

# Where only root enters: root may do all but execute what nobody may.
test_posix_access()
{
	start
	echo text >file
	chmod 0 file
	test -r file
	test -w file
	[[ ! -x file ]] || fail 'executable without any bit'
	chmod 1 file
	test -x file
	mkdir -m 0 dir
	test -x dir
	cd dir
	cd ..
	finish
}

test_posix_permissions()
{
	start -o allow_other
	chmod 755 .
	echo secret >secret
	chmod 600 secret
	fails 'Permission denied' as_nobody cat secret
	mkdir -m 1777 shared
	as_nobody sh -c 'echo mine >shared/mine'
	same owner "$(stat -c %u:%g shared/mine)" 65534:65534
	touch shared/other
	fails 'Operation not permitted' as_nobody rm -f shared/other
	mkdir -m 2777 group
	chgrp 77 group
	as_nobody touch group/inherits
	same 'setgid directory' "$(stat -c %g group/inherits)" 77
	finish
}

test_posix_kill_suid()
{
	start -o allow_other
	chmod 777 .
	cp /bin/true program
	chown 65534:65534 program
	chmod 6755 program
	# A write by somebody else, a truncation, a new owner.
	as_nobody sh -c 'echo x >>program'
	same 'after a write' "$(stat -c %a program)" 755
	chmod 6755 program
	as_nobody truncate -s 100 program
	same 'after a truncation' "$(stat -c %a program)" 755
	chmod 6755 program
	chown 1:1 program
	same 'after chown' "$(stat -c %a program)" 755
	mkdir dir
	chmod 2755 dir
	chown 1:1 dir
	same 'a directory keeps it' "$(stat -c %a dir)" 2755
	finish
}

# read_direct FILE: past the kernel's cache.
read_direct()
{
	dd if="$1" of=/dev/null bs=4096 count=1 iflag=direct status=none
}

test_posix_atime()
{
	local old=2001-01-01 before
	start
	echo text >file
	mkdir dir
	again
	touch -d $old file dir
	cat file
	ls dir
	before=$(stat -c %x file dir)
	[[ $before != *$old* ]] || fail "relatime: $before"
	again -o noatime
	same 'after an unmount' "$(stat -c %x file dir)" "$before"
	touch -d $old file dir
	cat file
	ls dir
	same 'with noatime' "$(stat -c %x file | cut -c 1-10)" $old
	"$SIGMAFS" mount "$work/store" "$work/mnt" \
		-o remount,strictatime,nodiratime
	read_direct file
	before=$(stat -c %x file)
	[[ $before != *$old* ]] || fail "strictatime: $before"
	sleep 0.05
	read_direct file
	[[ $(stat -c %x file) != "$before" ]] || fail 'strictatime: once'
	touch dir/new
	touch -d $old dir
	ls dir
	[[ $(stat -c %x dir) == $old* ]] || fail 'nodiratime'
	before=$(stat -c %x file)
	"$SIGMAFS" mount "$work/store" "$work/mnt" -o remount,ro
	read_direct file
	again -o ro,strictatime
	same 'after a remount' "$(stat -c %x file)" "$before"
	cat file
	ls dir
	same 'read-only' "$(stat -c %x file)" "$before"
	again
	same 'after a read-only mount' "$(stat -c %x file)" "$before"
	finish
}

# Who only reads has no log to write.
test_posix_atime_unlogged()
{
	start -o commit=1
	echo text >file
	again -o commit=1,strictatime
	touch -d 2001-01-01 file
	"$SIGMAFS" sync .
	read_direct file
	# Longer than all that has changed may wait.
	sleep 3
	[[ $(stat -c %x file) != 2001* ]] || fail 'not read'
	kill_daemon
	cd "$work"
	"$SIGMAFS" umount mnt
	mount_at store mnt
	[[ $(stat -c %x mnt/file) == 2001* ]] || fail 'was written'
	finish
}

# A read sees a write whole or not at all: those of up to 1 MiB that do not go
# through the kernel's cache.
test_posix_whole_writes()
{
	start
	same torn "$("$HELPER" whole small 4096 500)" 0
	same torn "$("$HELPER" whole middle 131072 200)" 0
	same torn "$("$HELPER" whole large 1048576 50)" 0
	finish
}

# Open files cost the daemon no descriptor; segments cost one each as long as there
# are some to spare.
test_posix_descriptors()
{
	local i
	"$SIGMAFS" mkfs -q store
	# Each mount that writes begins a segment.
	for ((i = 0; i < 12; i++)); do
		mount_at store mnt
		bytes 100000 "$i" >"mnt/part$i"
		unmount_at mnt
	done
	mkdir mnt.few
	(
		ulimit -n 28
		"$SIGMAFS" mount store mnt.few
	)
	pids+=("$(holder_of store)")
	(
		ulimit -n 4000
		same files "$("$HELPER" open 3000 mnt.few)" 3000
		ulimit -n 100
		same 'one too many' "$("$HELPER" open 100 mnt.few)" EMFILE
	)
	for ((i = 0; i < 12; i++)); do
		bytes 100000 "$i" | cmp - "mnt.few/part$i"
	done
	unmount_at mnt.few
	"$SIGMAFS" check store
}

test_posix_locks()
{
	start
	touch file
	flock file -c "flock -n file -c true" && fail 'locked twice'
	flock file -c true
	finish
}

test_posix_links()
{
	local i
	start
	echo x >file
	mkdir links
	for ((i = 0; i < 300; i++)); do
		ln file "links/$i"
	done
	same links "$(stat -c %h file)" 301
	rm -r links
	same links "$(stat -c %h file)" 1
	mkdir dir
	fails 'hard link not allowed' ln dir other
	finish
}
