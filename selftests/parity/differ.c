// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is known to differ: a file with a scenario, or a pattern, and the reason on each line,
 *
 *	# comment
 *	address.addrform	the carrier of a connection stays an IPv6 one
 */
#include "parity.h"
#include "differ.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	char *name, *reason;
} known[64];
static size_t nr_known;

static bool add_line(char *line)
{
	char *name = strtok(line, " \t\n"), *reason = strtok(NULL, "\n");

	if (!name || *name == '#')
		return true;
	if (!reason || nr_known == ARRAY_SIZE(known))
		return false;
	known[nr_known].name = strdup(name);
	known[nr_known++].reason = strdup(reason + strspn(reason, " \t"));
	return true;
}

bool differ_load(const char *path)
{
	FILE *f = fopen(path, "re");
	bool ok = f;
	size_t size = 0;
	char *line = NULL;

	while (ok && getline(&line, &size, f) >= 0)
		ok = add_line(line);
	free(line);
	if (f)
		fclose(f);
	return ok;
}

const char *differ_reason(const char *scenario)
{
	size_t i;

	for (i = 0; i < nr_known; i++)
		if (!fnmatch(known[i].name, scenario, 0))
			return known[i].reason;
	return NULL;
}

const char *differ_unknown(bool (*exists)(const char *pattern))
{
	size_t i;

	for (i = 0; i < nr_known; i++)
		if (!exists(known[i].name))
			return known[i].name;
	return NULL;
}
