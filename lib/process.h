/* SPDX-License-Identifier: Apache-2.0 */
/* What rules can ask of a process. */
#ifndef DMM_PROCESS_H
#define DMM_PROCESS_H

#include <stdint.h>
#include <linux/dmm.h>

struct dmm_process {
	uint32_t uid;
	uint32_t gid;
	char cgroup[DMM_CGROUP_MAX];
	char comm[16];
};

int dmm_process_read(unsigned int pid, struct dmm_process *proc);

#endif /* DMM_PROCESS_H */
