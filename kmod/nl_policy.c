// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: transactions. */
#include "nl_policy.h"

#include <net/genetlink.h>

#include "compat.h"
#include "net.h"
#include "netlink.h"

int dmm_nl_fill_gen(const struct dmm_nl_msg *m, u64 gen)
{
	void *hdr = dmm_nl_msg_start(m);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u64_64bit(m->skb, DMM_A_TXN_GEN, gen, DMM_A_TXN_PAD)) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return 0;
}

int dmm_nl_txn_begin_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[DMM_A_TXN_GEN];
	u64 base = attr ? nla_get_u64(attr) : 0;
	int err;

	err = dmm_policy_begin(dmm_nl_policy(info), info->snd_portid,
			       attr ? &base : NULL, info->extack);
	if (err == -ESTALE)
		NL_SET_BAD_ATTR(info->extack, attr);
	return err;
}

int dmm_nl_txn_commit_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct dmm_nl_msg m;
	u64 gen;
	int err;

	dmm_nl_reply_msg(&m, info, DMM_CMD_TXN_COMMIT);
	if (!m.skb)
		return -ENOMEM;
	err = dmm_policy_commit(dmm_nl_policy(info), info->snd_portid, &gen,
				info->extack);
	if (!err)
		err = dmm_nl_fill_gen(&m, gen);
	if (err) {
		nlmsg_free(m.skb);
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

int dmm_nl_txn_abort_doit(struct sk_buff *skb, struct genl_info *info)
{
	dmm_policy_abort(dmm_nl_policy(info), info->snd_portid);
	return 0;
}

int dmm_nl_change(struct genl_info *info, dmm_change_fn fn)
{
	return dmm_policy_change(dmm_nl_policy(info), info->snd_portid, fn, info,
				 info->extack);
}

static void flush_rules(struct dmm_policy *p, const struct nlattr *origin)
{
	struct dmm_rule *rule, *next;

	for (rule = dmm_rule_from(p, 0); rule; rule = next) {
		next = dmm_rule_next(rule);
		if (dmm_alive(&rule->obj) &&
		    (!origin || rule->origin == nla_get_u8(origin)))
			dmm_obj_del(p, &rule->obj);
		cond_resched();
	}
}

static bool flushable(const struct dmm_name *name, const struct nlattr *origin)
{
	return dmm_alive(&name->obj) &&
	       (!origin || name->origin == nla_get_u8(origin));
}

static int flush_change(struct dmm_policy *p, void *arg,
			struct netlink_ext_ack *extack)
{
	const struct genl_info *info = arg;
	const struct nlattr *origin = info->attrs[DMM_A_ZONE_ORIGIN];
	struct dmm_name *name, *next;
	int err = 0;

	flush_rules(p, origin);
	list_for_each_entry_safe(name, next, &p->sets.list, list) {
		if (flushable(name, origin))
			err = dmm_set_delete(p, dmm_set(name), extack);
		if (err)
			return err;
	}
	list_for_each_entry_safe(name, next, &p->groups.list, list) {
		if (flushable(name, origin))
			err = dmm_group_delete(p, dmm_group(name), extack);
		if (err)
			return err;
	}
	list_for_each_entry_safe(name, next, &p->zones.list, list) {
		if (flushable(name, origin) && !dmm_zone_builtin(dmm_zone(name)))
			err = dmm_zone_delete(p, dmm_zone(name), extack);
		if (err)
			return err;
	}
	return 0;
}

int dmm_nl_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	return dmm_nl_change(info, flush_change);
}

/* The end of a netlink socket ends its transaction. */

static int netlink_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	const struct netlink_notify *n = ptr;

	if (event == NETLINK_URELEASE && n->protocol == NETLINK_GENERIC)
		dmm_policy_abort(&dmm_net(n->net)->policy, n->portid);
	return NOTIFY_DONE;
}

static struct notifier_block netlink_notifier = {
	.notifier_call = netlink_event,
};

int dmm_policy_module_init(void)
{
	return netlink_register_notifier(&netlink_notifier);
}

void dmm_policy_module_exit(void)
{
	netlink_unregister_notifier(&netlink_notifier);
}
