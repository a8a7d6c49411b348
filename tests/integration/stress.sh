# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# stress.sh - many processes in one directory, one tree, one file; filesystems on
# top of the mount.

# The tree with its inodes and links.
tree()
{
	find . -printf '%i %y %n %s %p\n' | sort
}

test_stress_listing()
{
	start
	"$MANY" listing 3000 25
	finish
}

test_stress_renames()
{
	start
	"$MANY" renames 4 2500
	tree >"$work/before"
	again
	tree | diff "$work/before" -
	rm -r d*
	finish
}

test_stress_appends()
{
	start
	"$MANY" appends 4 2000
	cp log "$work/log"
	again
	cmp log "$work/log"
	finish
}

# Layers of images, and what changes above them.
test_stress_overlay()
{
	grep -qw overlay /proc/filesystems || return 0
	start
	mkdir lower upper scratch "$work/merged"
	seq 1 5000 >lower/file
	mkdir lower/dir lower/gone
	touch lower/dir/a lower/dir/b lower/gone/c
	ln lower/file lower/link
	mount -t overlay overlay "$work/merged" -o \
		"lowerdir=$PWD/lower,upperdir=$PWD/upper,workdir=$PWD/scratch"
	cd "$work/merged"
	echo more >>file
	rm -r gone dir/a
	mv dir/b b
	mkdir gone
	cp -a . "$work/copy"
	cd "$work"
	umount merged
	same 'a whiteout' "$(stat -c '%F %t,%T' mnt/upper/dir/a)" \
		'character special file 0,0'
	cd mnt
	again
	same 'a new file' "$(stat -c %s upper/b)" 0
	seq 1 5000 | diff - lower/file
	cmp upper/file "$work/copy/file"
	find lower | LC_ALL=C sort >"$work/lower"
	printf 'lower%s\n' '' /dir /dir/a /dir/b /file /gone /gone/c /link |
		diff - "$work/lower"
	finish
}
