// SPDX-License-Identifier: GPL-2.0-only
#include "dev.h"

#include <linux/compat.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "compat.h"
#include "instance.h"

/**
 * struct dmm_dev - an open /dev/dmm
 * @lock:	one registration at a time
 * @inst:	what it has registered, or NULL; set once
 */
struct dmm_dev {
	struct mutex lock;
	struct dmm_instance *inst;
};

static struct dmm_instance *instance(const struct file *file)
{
	const struct dmm_dev *dev = file->private_data;

	return smp_load_acquire(&dev->inst);
}

static int file_open(struct inode *inode, struct file *file)
{
	struct dmm_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return -ENOMEM;
	mutex_init(&dev->lock);
	file->private_data = dev;
	return 0;
}

static int file_release(struct inode *inode, struct file *file)
{
	struct dmm_dev *dev = file->private_data;

	if (dev->inst)
		dmm_instance_unregister(dev->inst);
	kfree(dev);
	return 0;
}

/* A structure that may be longer or shorter than ours, its size in front. */
static int get_register(struct dmm_register *reg, void __user *arg)
{
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)arg))
		return -EFAULT;
	if (size < offsetofend(struct dmm_register, reserved))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(reg, sizeof(*reg), arg, size);
	/* It may have changed. */
	reg->size = size;
	return err;
}

static int register_instance(struct dmm_dev *dev, struct dmm_register *reg,
			     void __user *arg)
{
	struct dmm_instance *inst;

	if (dev->inst)
		return -EBUSY;
	inst = dmm_instance_register(reg);
	if (IS_ERR(inst))
		return PTR_ERR(inst);
	if (copy_to_user(arg, reg, sizeof(*reg))) {
		dmm_instance_unregister(inst);
		return -EFAULT;
	}
	smp_store_release(&dev->inst, inst);
	return 0;
}

static int do_register(struct file *file, void __user *arg)
{
	struct dmm_dev *dev = file->private_data;
	struct dmm_register reg;
	int err;

	err = get_register(&reg, arg);
	if (err)
		return err;
	if (mutex_lock_interruptible(&dev->lock))
		return -EINTR;
	err = register_instance(dev, &reg, arg);
	mutex_unlock(&dev->lock);
	if (err == -EOPNOTSUPP && copy_to_user(arg, &reg, sizeof(reg)))
		err = -EFAULT;
	return err;
}

static int do_enter(struct file *file, struct dmm_instance *inst, void __user *arg)
{
	struct dmm_enter enter;

	if (copy_from_user(&enter, arg, sizeof(enter)))
		return -EFAULT;
	return dmm_queue_enter(inst, &enter, file->f_flags & O_NONBLOCK);
}

static int do_address(struct dmm_instance *inst, void __user *arg)
{
	struct dmm_address addr;

	if (copy_from_user(&addr, arg, sizeof(addr)))
		return -EFAULT;
	return dmm_instance_address(inst, &addr);
}

static int take_over(struct dmm_instance *inst, struct dmm_takeover *t, void __user *arg)
{
	struct file *arena = inst->arena.file;
	int fd = -1;

	if (arena) {
		fd = get_unused_fd_flags(O_CLOEXEC);
		if (fd < 0)
			return fd;
	}
	t->generation = dmm_instance_takeover(inst);
	t->reg = inst->reg;
	t->reg.arena_addr = 0;
	t->reg.arena_fd = fd;
	if (copy_to_user(arg, t, sizeof(*t))) {
		if (arena)
			put_unused_fd(fd);
		return -EFAULT;
	}
	if (arena)
		fd_install(fd, get_file(arena));
	return 0;
}

static int do_takeover(struct dmm_instance *inst, void __user *arg)
{
	struct dmm_takeover *t;
	int err;

	if (READ_ONCE(inst->broken))
		return -EIO;
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	err = take_over(inst, t, arg);
	kfree(t);
	return err;
}

static long file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dmm_instance *inst = instance(file);
	void __user *ptr = (void __user *)arg;

	if (cmd == DMM_IOC_REGISTER)
		return do_register(file, ptr);
	switch (cmd) {
	case DMM_IOC_ENTER:
		return inst ? do_enter(file, inst, ptr) : -ENXIO;
	case DMM_IOC_ADDRESS:
		return inst ? do_address(inst, ptr) : -ENXIO;
	case DMM_IOC_TAKEOVER:
		return inst ? do_takeover(inst, ptr) : -ENXIO;
	}
	return -ENOTTY;
}

static __poll_t file_poll(struct file *file, poll_table *wait)
{
	struct dmm_instance *inst = instance(file);
	__poll_t mask = 0;
	u32 i;

	if (!inst)
		return EPOLLERR;
	for (i = 0; i < inst->reg.nr_queues; i++)
		poll_wait(file, &inst->queues[i].wait, wait);
	smp_mb(); /* partner in queue.c's wake() */
	for (i = 0; i < inst->reg.nr_queues; i++)
		if (dmm_queue_ready(&inst->queues[i]))
			mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(inst->broken))
		mask |= EPOLLERR;
	return mask;
}

/*
 * Ordinary pages, inserted one by one: what drivers and RDMA can pin.  The area
 * that the kernel writes stays read-only whatever mprotect() is asked for.
 */
static int file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dmm_instance *inst = instance(file);
	unsigned long nr = vma_pages(vma);
	struct dmm_area *area;
	bool writable;

	if (!inst)
		return -ENXIO;
	area = dmm_queue_area(inst, (u64)vma->vm_pgoff << PAGE_SHIFT, &writable);
	if (!area || nr != area->nr)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!writable) {
		if (vma->vm_flags & (VM_WRITE | VM_EXEC))
			return -EPERM;
		dmm_vm_flags(vma, 0, VM_MAYWRITE | VM_MAYEXEC);
	}
	dmm_vm_flags(vma, VM_DONTEXPAND | VM_DONTCOPY, 0);
	return vm_insert_pages(vma, vma->vm_start, area->pages, &nr);
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.open = file_open,
	.release = file_release,
	.unlocked_ioctl = file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = file_poll,
	.mmap = file_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice dev_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmm",
	.fops = &dev_fops,
	.mode = 0600,
};

int __init dmm_dev_init(void)
{
	return misc_register(&dev_misc);
}

void dmm_dev_exit(void)
{
	misc_deregister(&dev_misc);
}
