// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: why something failed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dmmpolicy.h"

int print_error(const struct dmm_error *e)
{
	char text[512];

	dmm_error_format(text, sizeof(text), e);
	/* A place speaks for itself. */
	fprintf(stderr, "%s%s\n", e->loc.file ? "" : "dmmpolicy: ", text);
	return e->kernel ? EXIT_KERNEL : EXIT_USAGE;
}

static int print_errno(int err)
{
	fprintf(stderr, "dmmpolicy: %s\n", strerror(-err));
	return EXIT_KERNEL;
}

int print_client_error(const struct app *app, int err)
{
	const struct dmm_error *e = dmm_client_error(app->client);

	return e->err == err ? print_error(e) : print_errno(err);
}

int print_parse_error(const struct app *app, int err)
{
	const struct dmm_error *e = dmm_parser_error(app->parser);

	if (e->err == err)
		return print_error(e);
	return app->client ? print_client_error(app, err) : print_errno(err);
}

int need_client(struct app *app)
{
	int err = app->client ? 0 : dmm_open(&app->client);

	if (!err)
		return EXIT_OK;
	if (err == -ENOPROTOOPT)
		fprintf(stderr, "dmmpolicy: the module dmm is not loaded\n");
	else
		print_errno(err);
	return EXIT_KERNEL;
}
