/* SPDX-License-Identifier: GPL-2.0-only */
/* The character device /dev/dmm. */
#ifndef DMM_DEV_H
#define DMM_DEV_H

int dmm_dev_init(void);
void dmm_dev_exit(void);

#endif /* DMM_DEV_H */
