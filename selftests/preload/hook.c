// SPDX-License-Identifier: GPL-2.0-only
/* libhook.so: somebody else's library that wraps socket(), as proxies and sandboxes do. Says so on stderr. */
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

int socket(int family, int type, int protocol)
{
	int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

	if (write(STDERR_FILENO, "hooked\n", 7) != 7)
		return -1;
	return next(family, type, protocol);
}
