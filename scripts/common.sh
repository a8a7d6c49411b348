# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# common.sh - what the scripts of this folder share. Sourced, not run, by a
# script that has set `top`.
: "${top:?}"

# Says why, and ends the script.
die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The tests of a filesystem need a kernel that mounts it. No test is left out
# where that is missing: it fails.
need_fuse()
{
	[[ -c /dev/fuse ]] ||
		die "no /dev/fuse: load the module 'fuse', or give the" \
			"container the device (docker run --device /dev/fuse" \
			"--cap-add SYS_ADMIN)"
	[[ -r /dev/fuse && -w /dev/fuse ]] ||
		die "no permission to open /dev/fuse"
}

# configure_in DIR [CONFIGURE-ARGUMENT...]: a build directory, configured once
# for each set of arguments.
configure_in()
{
	local dir=$1
	shift
	[[ -x $top/configure ]] || (cd "$top" && autoreconf -i) || return
	mkdir -p "$dir" || return
	if [[ -f $dir/Makefile && "$(cat "$dir/configured-as")" == "$*" ]]; then
		return
	fi
	(cd "$dir" && "$top/configure" "$@") || return
	printf '%s\n' "$*" >"$dir/configured-as"
}

# The summary lines of a test run, out of its log or logs: libcheck's own
# ("100%: Checks: N, Failures: F, Errors: E") and ours ("N passed, F failed").
# Prints "PASSED FAILED".
count_tests()
{
	cat -- "$@" /dev/null | awk '
		/%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ {
			n = split($0, word, /: |, /)
			bad += word[n - 2] + word[n]
			good += word[n - 4] - word[n - 2] - word[n]
		}
		/^[0-9]+ passed, [0-9]+ failed$/ {
			good += $1
			bad += $3
		}
		END { print good + 0, bad + 0 }'
}

# The logs that make check leaves in DIR.
check_logs()
{
	find "$1/tests/unit" "$1/tests/fuzz" "$1/tests/model" \
		"$1/tests/crash" -name '*.log' -type f
}

# run_check DIR: make check in DIR; ends with "N passed, F failed". Fails when a
# test failed, when a program ended without its summary, and when nothing ran.
run_check()
{
	local dir=$1 status=0 n_silent=0 passed failed log
	local -a logs

	check_logs "$dir" 2>/dev/null | xargs -r rm -f
	timeout 2400 make -C "$dir" -j"$(nproc)" check || status=1
	mapfile -t logs < <(check_logs "$dir")
	for log in "${logs[@]}"; do
		if ! grep -q '%: Checks: ' "$log"; then
			printf 'no summary of tests in %s\n' "$log"
			tail -n 40 "$log"
			n_silent=$((n_silent + 1))
		elif ! grep -q '^PASS ' "$log"; then
			cat "$log"
		fi
	done
	read -r passed failed < <(count_tests "${logs[@]}")
	failed=$((failed + n_silent))
	((passed > 0 && failed == 0)) || status=1
	((status == 0 || failed > 0)) || failed=1
	printf '%d passed, %d failed\n' "$passed" "$failed"
	return "$status"
}

# run_on_mounts DIR NAME COMMAND...: a script of tests on real mounts with the
# program of DIR; its last line has to be "N passed, 0 failed", N not 0. Prints
# that line at last, and what else it says before; both go to DIR/NAME.log.
run_on_mounts()
{
	local log=$1/$2.log status=0 passed failed
	local -x SIGMAFS=$1/sigmafs
	shift 2

	timeout 3000 "$@" | tee "$log" || status=1
	read -r passed failed < <(count_tests <(tail -n 1 "$log"))
	((passed > 0 && failed == 0)) || status=1
	((status == 0 || failed > 0)) || failed=1
	((status == 0)) || printf '%d passed, %d failed\n' "$passed" "$failed"
	return "$status"
}

# run_integration DIR: what is tried on real mounts, with the program of DIR:
# the integration tests, and the conformance suite, which make check has built.
run_integration()
{
	local dir=$1 status=0 passed failed

	run_on_mounts "$dir" integration "$top/tests/integration/run" ||
		status=1
	run_on_mounts "$dir" posix "$top/tests/posix/run" \
		"$dir/tests/posix/posix" || status=1
	read -r passed failed < <(count_tests \
		<(tail -n 1 "$dir/integration.log") <(tail -n 1 "$dir/posix.log"))
	((status == 0 || failed > 0)) || failed=1
	printf '%d passed, %d failed\n' "$passed" "$failed"
	return "$status"
}

# run_all_tests DIR: both of them, side by side, since those on mounts wait for the
# disk and for time to pass; ends with the sum.
run_all_tests()
{
	local dir=$1 status=0 passed failed mounts

	make -C "$dir" -j"$(nproc)" check TESTS= >"$dir/programs.out" 2>&1 || {
		cat "$dir/programs.out"
		return 1
	}
	run_integration "$dir" >"$dir/integration.out" 2>&1 &
	mounts=$!
	run_check "$dir" | tee "$dir/unit.out" || status=1
	wait "$mounts" || status=1
	cat "$dir/integration.out"
	read -r passed failed < <(count_tests \
		<(tail -n 1 "$dir/unit.out") <(tail -n 1 "$dir/integration.out"))
	printf '\nall tests of sigmafs:\n%d passed, %d failed\n' \
		"$passed" "$failed"
	return "$status"
}
