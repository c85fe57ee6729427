// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: instances of stacks. */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/user_namespace.h>
#include <net/sock.h>

#include "compat.h"
#include "decide.h"
#include "instance.h"
#include "negative.h"
#include "net.h"
#include "netlink.h"
#include "nl_policy.h"

static int put_addresses(struct sk_buff *skb, struct dmm_instance *inst)
{
	const size_t size = sizeof(struct dmm_prefix);
	struct dmm_prefix *p;
	struct nlattr *attr;
	unsigned int i;
	int err = 0;

	spin_lock(&inst->addr_lock);
	if (inst->nr_addrs) {
		attr = nla_reserve(skb, DMM_A_STACK_ADDRESSES, inst->nr_addrs * size);
		err = attr ? 0 : -EMSGSIZE;
	}
	for (i = 0; !err && i < inst->nr_addrs; i++) {
		p = (struct dmm_prefix *)nla_data(attr) + i;
		memset(p, 0, size);
		p->family = inst->addrs[i].family;
		p->len = inst->addrs[i].len;
		memcpy(p->addr, inst->addrs[i].addr, sizeof(p->addr));
	}
	spin_unlock(&inst->addr_lock);
	return err;
}

static int put_counter(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, DMM_A_STACK_PAD);
}

static int put_counters(struct sk_buff *skb, const struct dmm_instance *inst)
{
	const struct dmm_instance_stats *s = &inst->stats;
	struct dmm_queue_stats q;

	dmm_queue_stats(inst, &q);
	return put_counter(skb, DMM_A_STACK_CONNECTS, atomic64_read(&s->connects)) ?:
	       put_counter(skb, DMM_A_STACK_ACCEPTS, atomic64_read(&s->accepts)) ?:
	       put_counter(skb, DMM_A_STACK_FAILURES, atomic64_read(&s->failures)) ?:
	       put_counter(skb, DMM_A_STACK_RESETS, atomic64_read(&s->resets)) ?:
	       put_counter(skb, DMM_A_STACK_BAD_EVENTS, atomic64_read(&s->bad_events)) ?:
	       put_counter(skb, DMM_A_STACK_BAD_RINGS, atomic64_read(&s->bad_rings)) ?:
	       put_counter(skb, DMM_A_STACK_ENTERS, q.enters) ?:
	       put_counter(skb, DMM_A_STACK_WAKE_UPS, q.wake_ups) ?:
	       put_counter(skb, DMM_A_STACK_EVENTS_DOWN, q.events_down) ?:
	       put_counter(skb, DMM_A_STACK_EVENTS_UP, q.events_up);
}

/* Under the registry mutex, which keeps inst->pid. */
static int put_instance(struct sk_buff *skb, const struct net *net,
			struct dmm_instance *inst, struct pid_namespace *pids)
{
	if (nla_put_string(skb, DMM_A_STACK_STACK, inst->reg.name) ||
	    nla_put_string(skb, DMM_A_STACK_INSTANCE, inst->reg.instance) ||
	    nla_put_u32(skb, DMM_A_STACK_ID, inst->id) ||
	    nla_put_u32(skb, DMM_A_STACK_PID, pid_nr_ns(inst->pid, pids)) ||
	    nla_put_string(skb, DMM_A_STACK_COMM, inst->comm) ||
	    nla_put_u8(skb, DMM_A_STACK_HEALTH, READ_ONCE(inst->broken) ?
		       DMM_HEALTH_BROKEN : DMM_HEALTH_OK) ||
	    nla_put_u8(skb, DMM_A_STACK_SHARED, !net_eq(inst->net, net)) ||
	    nla_put_u32(skb, DMM_A_STACK_CAPS, inst->reg.caps) ||
	    nla_put_u32(skb, DMM_A_STACK_WEIGHT, inst->reg.weight) ||
	    nla_put_u32(skb, DMM_A_STACK_QUEUES, inst->reg.nr_queues) ||
	    nla_put_u32(skb, DMM_A_STACK_LIVE, atomic_read(&inst->nr_live)) ||
	    nla_put_u32(skb, DMM_A_STACK_LISTENERS,
			atomic_read(&inst->nr_listeners)) ||
	    nla_put_u32(skb, DMM_A_STACK_CONNS_MAX, inst->reg.nr_conns) ||
	    nla_put_u64_64bit(skb, DMM_A_STACK_ARENA, inst->reg.arena_len,
			      DMM_A_STACK_PAD) ||
	    nla_put_u32(skb, DMM_A_STACK_TAKEOVERS, inst->generation))
		return -EMSGSIZE;
	return put_addresses(skb, inst) ?: put_counters(skb, inst);
}

static int fill_instance(const struct dmm_nl_msg *m, const struct net *net,
			 struct dmm_instance *inst, struct pid_namespace *pids)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (put_instance(m->skb, net, inst, pids)) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return 0;
}

/* Who receives an event is not known: processes are those of the initial namespace. */
void dmm_netlink_stack(struct net *net, struct dmm_instance *inst, bool serves)
{
	struct dmm_nl_msg m = { .cmd = serves ? DMM_CMD_STACK_ADD : DMM_CMD_STACK_DEL };

	if (!genl_has_listeners(&dmm_genl_family, net, DMM_NLGRP_STACK))
		return;
	m.skb = genlmsg_new(DMM_NL_MSG_SIZE, GFP_KERNEL);
	if (m.skb && !fill_instance(&m, net, inst, &init_pid_ns)) {
		genlmsg_multicast_netns(&dmm_genl_family, net, m.skb, 0,
					DMM_NLGRP_STACK, GFP_KERNEL);
		return;
	}
	nlmsg_free(m.skb);
	genl_set_err(&dmm_genl_family, net, 0, DMM_NLGRP_STACK, -ENOBUFS);
}

/* A walk over instances. */
struct walk {
	struct dmm_nl_msg m;
	const struct net *net;
	const char *stack;	/* NULL for any */
	const char *instance;
	unsigned long skip;
	bool found;
};

static int walk_instance(struct dmm_instance *inst, u32 nr, void *arg)
{
	struct walk *w = arg;
	int err;

	if ((w->stack && strcmp(w->stack, inst->reg.name)) ||
	    (w->instance && strcmp(w->instance, inst->reg.instance)))
		return 0;
	if (w->skip) {
		w->skip--;
		return 0;
	}
	err = fill_instance(&w->m, w->net, inst, task_active_pid_ns(current));
	w->found |= !err;
	return err;
}

static const char *text_of(const struct nlattr *attr)
{
	return attr ? nla_data(attr) : NULL;
}

static int need_instance(struct genl_info *info)
{
	if (info->attrs[DMM_A_STACK_STACK] && info->attrs[DMM_A_STACK_INSTANCE])
		return 0;
	NL_SET_ERR_MSG(info->extack, "which instance: stack or instance is missing");
	return -EINVAL;
}

int dmm_nl_stack_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct walk w = {
		.net = genl_info_net(info),
		.stack = text_of(info->attrs[DMM_A_STACK_STACK]),
		.instance = text_of(info->attrs[DMM_A_STACK_INSTANCE]),
	};
	int err;

	err = need_instance(info);
	if (err)
		return err;
	dmm_nl_reply_msg(&w.m, info, DMM_CMD_STACK_GET);
	if (!w.m.skb)
		return -ENOMEM;
	err = dmm_instances_walk(genl_info_net(info), walk_instance, &w);
	if (!err && !w.found) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[DMM_A_STACK_INSTANCE],
				    "no such instance");
		err = -ENOENT;
	}
	if (err) {
		nlmsg_free(w.m.skb);
		return err;
	}
	return genlmsg_reply(w.m.skb, info);
}

struct counting_walk {
	struct walk w;
	unsigned long done;
};

static int dump_instance(struct dmm_instance *inst, u32 nr, void *arg)
{
	struct counting_walk *c = arg;
	int err;

	c->w.found = false;
	err = walk_instance(inst, nr, &c->w);
	c->done += c->w.found;
	return err;
}

/* cb->args[0]: how many are done; the library asks again when some came or went. */
int dmm_nl_stack_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr **tb = dmm_dump_attrs(cb);
	struct counting_walk c = {
		.w = {
			.net = sock_net(skb->sk),
			.stack = text_of(tb[DMM_A_STACK_STACK]),
			.instance = text_of(tb[DMM_A_STACK_INSTANCE]),
			.skip = cb->args[0],
		},
	};

	dmm_nl_dump_msg(&c.w.m, skb, cb, DMM_CMD_STACK_GET);
	cb->seq = dmm_instances_seq();
	dmm_instances_walk(sock_net(skb->sk), dump_instance, &c);
	cb->args[0] += c.done;
	return skb->len;
}

/* Sharing. */

static struct net *get_target(struct genl_info *info)
{
	const struct nlattr *fd = info->attrs[DMM_A_STACK_NETNS_FD];
	const struct nlattr *pid = info->attrs[DMM_A_STACK_NETNS_PID];
	struct net *net;

	if (!fd == !pid) {
		NL_SET_ERR_MSG(info->extack,
			       "which namespace: either netns-fd or netns-pid is needed");
		return ERR_PTR(-EINVAL);
	}
	net = fd ? get_net_ns_by_fd(nla_get_u32(fd)) :
		   get_net_ns_by_pid(nla_get_u32(pid));
	if (IS_ERR(net))
		NL_SET_ERR_MSG_ATTR(info->extack, fd ?: pid,
				    "no such network namespace");
	return net;
}

static int may_share(struct sk_buff *skb, struct genl_info *info,
		     const struct dmm_instance *inst, const struct net *net)
{
	if (!netlink_ns_capable(skb, inst->net->user_ns, CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(info->extack,
			       "needs CAP_NET_ADMIN over the namespace of the instance");
		return -EPERM;
	}
	if (!netlink_ns_capable(skb, net->user_ns, CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(info->extack,
			       "needs CAP_NET_ADMIN over the other namespace");
		return -EPERM;
	}
	return 0;
}

static void explain_error(struct genl_info *info, int err, bool share)
{
	struct netlink_ext_ack *extack = info->extack;

	if (err == -EEXIST)
		NL_SET_ERR_MSG(extack, "an instance of this name serves the namespace");
	else if (err == -ENOENT && share)
		NL_SET_ERR_MSG(extack, "no such instance");
	else if (err == -ENOENT)
		NL_SET_ERR_MSG(extack, "the instance does not serve the namespace");
	else if (err == -EINVAL)
		NL_SET_ERR_MSG(extack, "the namespace is the instance's own");
}

static int change_sharing(struct sk_buff *skb, struct genl_info *info, bool share)
{
	struct dmm_instance *inst;
	struct net *net;
	int err;

	err = need_instance(info);
	if (err)
		return err;
	net = get_target(info);
	if (IS_ERR(net))
		return PTR_ERR(net);
	inst = dmm_instance_named_get(genl_info_net(info),
				      nla_data(info->attrs[DMM_A_STACK_STACK]),
				      nla_data(info->attrs[DMM_A_STACK_INSTANCE]));
	if (!inst) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[DMM_A_STACK_INSTANCE],
				    "no such instance");
		put_net(net);
		return -ENOENT;
	}
	err = may_share(skb, info, inst, net);
	if (!err) {
		err = share ? dmm_instance_share(inst, net) :
			      dmm_instance_unshare(inst, net);
		explain_error(info, err, share);
	}
	dmm_instance_put(inst);
	put_net(net);
	return err;
}

int dmm_nl_stack_share_doit(struct sk_buff *skb, struct genl_info *info)
{
	return change_sharing(skb, info, true);
}

int dmm_nl_stack_unshare_doit(struct sk_buff *skb, struct genl_info *info)
{
	return change_sharing(skb, info, false);
}

int dmm_nl_stack_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	dmm_negative_flush(genl_info_net(info));
	return 0;
}
