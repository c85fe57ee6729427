// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: instances of stacks. */
#include "netlink.h"

int dmm_nl_stack_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	NL_SET_ERR_MSG(info->extack, "no such instance");
	return -ENOENT;
}

int dmm_nl_stack_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return skb->len;
}

int dmm_nl_stack_share_doit(struct sk_buff *skb, struct genl_info *info)
{
	NL_SET_ERR_MSG(info->extack, "no such instance");
	return -ENOENT;
}

int dmm_nl_stack_unshare_doit(struct sk_buff *skb, struct genl_info *info)
{
	NL_SET_ERR_MSG(info->extack, "no such instance");
	return -ENOENT;
}

int dmm_nl_stack_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	return 0;
}
