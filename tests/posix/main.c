/* SPDX-License-Identifier: MIT */
/*
 * main.c - posix DIR [FAMILY[.CASE]]: what POSIX and the manual pages of Linux
 * say of a filesystem, asked of the one that holds the directory DIR.
 *
 * As root. TAP on standard output; status 0 when all holds, 1 when something
 * does not, 2 when it cannot be asked.
 */
#include "families.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char work[] = "posix-XXXXXX";
	unsigned n_failed;

	if (argc < 2 || argc > 3) {
		(void)fprintf(stderr, "usage: posix DIR [FAMILY[.CASE]]\n");
		return 2;
	}
	if (geteuid() != 0) {
		(void)fprintf(stderr, "posix: only root can be many users\n");
		return 2;
	}
	if (chdir(argv[1]) < 0 || !mkdtemp(work) || chmod(work, 0755) < 0 ||
	    chdir(work) < 0) {
		perror(argv[1]);
		return 2;
	}
	n_failed = tap_run(families, argc > 2 ? argv[2] : "");
	if (chdir("..") < 0 || rmdir(work) < 0) {
		perror(work);
		return 2;
	}
	return n_failed > 0;
}
