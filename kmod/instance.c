// SPDX-License-Identifier: GPL-2.0-only
#include "instance.h"

#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "conn.h"
#include "listen.h"
#include "negative.h"
#include "net.h"
#include "netlink.h"

#define DEFAULT_RING	(256u << 10)
#define DEFAULT_WEIGHT	100u
#define WEIGHT_MAX	1000u

/* The registry: services of all namespaces, and which instances there are. */
static DEFINE_MUTEX(registry);
static u32 last_id;
static u32 seq = 1;

/* Freeing sleeps, and the last reference may go where that is not allowed. */
static LLIST_HEAD(dead_instances);

static void free_instance(struct dmm_instance *inst)
{
	dmm_queues_exit(inst);
	dmm_arena_exit(&inst->arena);
	kvfree(inst->conns);
	ida_destroy(&inst->indices);
	put_pid(inst->pid);
	put_net(inst->net);
	kfree_rcu(inst, rcu);
}

static void free_dead(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&dead_instances);
	struct dmm_instance *inst, *next;

	llist_for_each_entry_safe(inst, next, list, dead_node)
		free_instance(inst);
}

static DECLARE_WORK(free_work, free_dead);

bool dmm_instance_get(struct dmm_instance *inst)
{
	return refcount_inc_not_zero(&inst->ref);
}

void dmm_instance_put(struct dmm_instance *inst)
{
	if (!refcount_dec_and_test(&inst->ref))
		return;
	llist_add(&inst->dead_node, &dead_instances);
	schedule_work(&free_work);
}

/* Which listeners it can serve may have changed. */
static void tell_listeners(struct dmm_instance *inst)
{
	struct dmm_service *s;

	mutex_lock(&registry);
	list_for_each_entry(s, &inst->services, link)
		dmm_listen_changed(s->net);
	mutex_unlock(&registry);
}

/* Breaking. */

static LLIST_HEAD(broken_instances);

static void break_broken(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&broken_instances);
	struct dmm_instance *inst, *next;
	u32 i;

	llist_for_each_entry_safe(inst, next, list, broken_node) {
		for (i = 0; i < inst->reg.nr_queues; i++)
			wake_up_interruptible_all(&inst->queues[i].wait);
		dmm_conns_break(inst);
		tell_listeners(inst);
		dmm_instance_put(inst);
	}
}

static DECLARE_WORK(break_work, break_broken);

void dmm_instance_break(struct dmm_instance *inst)
{
	/* Once.  A full barrier: as with the file's close. */
	if (READ_ONCE(inst->broken) || xchg(&inst->broken, true))
		return;
	refcount_inc(&inst->ref);
	llist_add(&inst->broken_node, &broken_instances);
	schedule_work(&break_work);
}

/* Registration. */

static bool ring_size_valid(u32 size)
{
	return is_power_of_2(size) && size >= DMM_PAGE_SIZE && size <= DMM_RING_MAX;
}

static int check(struct dmm_register *reg)
{
	reg->weight = reg->weight ?: DEFAULT_WEIGHT;
	reg->sndbuf = reg->sndbuf ?: DEFAULT_RING;
	reg->rcvbuf = reg->rcvbuf ?: DEFAULT_RING;
	if (!reg->nr_conns)
		reg->nr_conns = min_t(u64, reg->arena_len / DMM_PAGE_SIZE,
				      DMM_CONNS_MAX);
	if (reg->flags || reg->reserved ||
	    strnlen(reg->name, DMM_NAME_MAX) == DMM_NAME_MAX ||
	    strnlen(reg->instance, DMM_NAME_MAX) == DMM_NAME_MAX ||
	    strchr(reg->name, '@') || strchr(reg->instance, '@') ||
	    !dmm_stack_name_valid(reg->name) ||
	    (*reg->instance && !dmm_stack_name_valid(reg->instance)) ||
	    !strcmp(reg->name, dmm_stack_kernel) ||
	    strlen(reg->name) + 1 + strlen(reg->instance) >= DMM_NAME_MAX)
		return -EINVAL;
	if (!reg->caps || reg->caps & ~DMM_CAPS_ALL || reg->weight > WEIGHT_MAX ||
	    !reg->nr_queues || reg->nr_queues > DMM_QUEUES_MAX ||
	    !is_power_of_2(reg->nr_events) || reg->nr_events < DMM_EVENTS_MIN ||
	    reg->nr_events > DMM_EVENTS_MAX ||
	    !reg->nr_conns || reg->nr_conns > DMM_CONNS_MAX ||
	    !ring_size_valid(reg->sndbuf) || !ring_size_valid(reg->rcvbuf))
		return -EINVAL;
	if (reg->arena_len < 2 * DMM_PAGE_SIZE || reg->arena_len > DMM_ARENA_MAX ||
	    offset_in_page(reg->arena_len) || offset_in_page(reg->arena_addr) ||
	    reg->arena_fd < -1)
		return -EINVAL;
	return 0;
}

/* Under the registry mutex. */
static bool name_taken(struct dmm_net *dn, const char *name, const char *instance)
{
	struct dmm_service *s;

	list_for_each_entry(s, &dn->services, node)
		if (!strcmp(s->inst->reg.name, name) &&
		    !strcmp(s->inst->reg.instance, instance))
			return true;
	return false;
}

static int choose_name(struct dmm_net *dn, struct dmm_register *reg)
{
	u32 nr = 0;

	if (*reg->instance)
		return name_taken(dn, reg->name, reg->instance) ? -EEXIST : 0;
	do {
		snprintf(reg->instance, sizeof(reg->instance), "%u", nr++);
	} while (name_taken(dn, reg->name, reg->instance));
	return strlen(reg->name) + 1 + strlen(reg->instance) < DMM_NAME_MAX ? 0 : -EINVAL;
}

static void changed(struct dmm_instance *inst, struct net *net, bool serves)
{
	WRITE_ONCE(seq, seq + 1 ?: 1);
	dmm_netlink_stack(net, inst, serves);
}

u32 dmm_instances_seq(void)
{
	return READ_ONCE(seq);
}

static int serve(struct dmm_instance *inst, struct net *net)
{
	struct dmm_net *dn = dmm_net(net);
	struct dmm_service *s;

	lockdep_assert_held(&registry);
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	s->inst = inst;
	s->net = net;
	s->nr = inst->next_service++;
	list_add_tail(&s->link, &inst->services);
	list_add_tail_rcu(&s->node, &dn->services);
	changed(inst, net, true);
	return 0;
}

static void stop_serving(struct dmm_service *s)
{
	lockdep_assert_held(&registry);
	list_del(&s->link);
	list_del_rcu(&s->node);
	changed(s->inst, s->net, false);
	/* They let go of it, and with it of its memory. */
	dmm_listen_changed(s->net);
	kfree_rcu(s, rcu);
}

static int make_tables(struct dmm_instance *inst)
{
	int err;

	inst->conns = kvcalloc(inst->reg.nr_conns, sizeof(*inst->conns),
			       GFP_KERNEL_ACCOUNT);
	if (!inst->conns)
		return -ENOMEM;
	err = dmm_arena_init(&inst->arena, &inst->reg);
	return err ?: dmm_queues_init(inst);
}

static void own(struct dmm_instance *inst)
{
	put_pid(inst->pid);
	WRITE_ONCE(inst->pid, get_pid(task_tgid(current)));
	get_task_comm(inst->comm, current);
}

static struct dmm_instance *make(const struct dmm_register *reg, struct net *net)
{
	struct dmm_instance *inst = kvzalloc(sizeof(*inst), GFP_KERNEL_ACCOUNT);

	if (!inst)
		return NULL;
	refcount_set(&inst->ref, 1);
	inst->reg = *reg;
	inst->net = get_net(net);
	ida_init(&inst->indices);
	INIT_LIST_HEAD(&inst->services);
	spin_lock_init(&inst->addr_lock);
	own(inst);
	return inst;
}

struct dmm_instance *dmm_instance_register(struct dmm_register *reg)
{
	struct net *net = current->nsproxy->net_ns;
	struct dmm_instance *inst;
	int err;

	if (!ns_capable(net->user_ns, CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	if (reg->required & ~DMM_FEATS_ALL) {
		reg->features = DMM_FEATS_ALL;
		return ERR_PTR(-EOPNOTSUPP);
	}
	reg->features = (reg->features | reg->required) & DMM_FEATS_ALL;
	err = check(reg);
	if (err)
		return ERR_PTR(err);
	inst = make(reg, net);
	if (!inst)
		return ERR_PTR(-ENOMEM);
	err = make_tables(inst);
	if (err)
		goto out_put;
	mutex_lock(&registry);
	err = choose_name(dmm_net(net), &inst->reg);
	inst->id = ++last_id;
	if (!err)
		err = serve(inst, net);
	mutex_unlock(&registry);
	if (err)
		goto out_put;
	*reg = inst->reg;
	dmm_listen_changed(net);
	return inst;

out_put:
	dmm_instance_put(inst);
	return ERR_PTR(err);
}

void dmm_instance_unregister(struct dmm_instance *inst)
{
	struct dmm_service *s, *next;

	mutex_lock(&registry);
	list_for_each_entry_safe(s, next, &inst->services, link)
		stop_serving(s);
	mutex_unlock(&registry);

	WRITE_ONCE(inst->dead, true);
	/* Either dmm_conn_publish() sees that, or we see its connection. */
	smp_mb();
	dmm_conns_break(inst);
	dmm_instance_put(inst);
}

u32 dmm_instance_takeover(struct dmm_instance *inst)
{
	u32 generation, i;

	mutex_lock(&registry);
	own(inst);
	generation = ++inst->generation;
	for (i = 0; i < inst->reg.nr_queues; i++)
		dmm_queue_reset(&inst->queues[i]);
	dmm_conns_resume(inst);
	for (i = 0; i < inst->reg.nr_queues; i++)
		dmm_queue_resumed(&inst->queues[i]);
	mutex_unlock(&registry);
	return generation;
}

/* Sharing. */

static struct dmm_service *service_of(const struct dmm_instance *inst,
				      const struct net *net)
{
	struct dmm_service *s;

	lockdep_assert_held(&registry);
	list_for_each_entry(s, &inst->services, link)
		if (net_eq(s->net, net))
			return s;
	return NULL;
}

bool dmm_instance_serves(const struct dmm_instance *inst, const struct net *net)
{
	bool serves;

	mutex_lock(&registry);
	serves = service_of(inst, net);
	mutex_unlock(&registry);
	return serves;
}

struct dmm_instance *dmm_instance_named_get(struct net *net, const char *stack,
					    const char *instance)
{
	struct dmm_instance *inst = NULL;
	struct dmm_service *s;

	mutex_lock(&registry);
	list_for_each_entry(s, &dmm_net(net)->services, node)
		if (!strcmp(s->inst->reg.name, stack) &&
		    !strcmp(s->inst->reg.instance, instance) &&
		    dmm_instance_get(s->inst))
			inst = s->inst;
	mutex_unlock(&registry);
	return inst;
}

int dmm_instance_share(struct dmm_instance *inst, struct net *net)
{
	int err;

	mutex_lock(&registry);
	if (list_empty(&inst->services))
		err = -ENOENT;
	else if (name_taken(dmm_net(net), inst->reg.name, inst->reg.instance))
		err = -EEXIST;
	else
		err = serve(inst, net);
	mutex_unlock(&registry);
	if (!err)
		dmm_listen_changed(net);
	return err;
}

int dmm_instance_unshare(struct dmm_instance *inst, struct net *net)
{
	struct dmm_service *s;

	if (net_eq(inst->net, net))
		return -EINVAL;
	mutex_lock(&registry);
	s = service_of(inst, net);
	if (s)
		stop_serving(s);
	mutex_unlock(&registry);
	return s ? 0 : -ENOENT;
}

void dmm_instances_leave(struct net *net)
{
	struct dmm_net *dn = dmm_net(net);
	struct dmm_service *s, *next;

	mutex_lock(&registry);
	list_for_each_entry_safe(s, next, &dn->services, node)
		stop_serving(s);
	mutex_unlock(&registry);
}

/* Addresses. */

static bool same_address(const struct dmm_address *a, const struct dmm_address *b)
{
	return a->family == b->family && a->len == b->len &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static int check_address(const struct dmm_address *addr)
{
	unsigned int max = addr->family == AF_INET ? 32 : 128, i;

	if (addr->flags & ~DMM_ADDRESS_DEL || addr->pad ||
	    (addr->family != AF_INET && addr->family != AF_INET6) || addr->len > max)
		return -EINVAL;
	for (i = addr->len; i < 8 * sizeof(addr->addr); i++)
		if (addr->addr[i / 8] & 0x80 >> i % 8)
			return -EINVAL;
	return 0;
}

static int change_address(struct dmm_instance *inst, const struct dmm_address *addr)
{
	unsigned int i;

	lockdep_assert_held(&inst->addr_lock);
	for (i = 0; i < inst->nr_addrs; i++)
		if (same_address(&inst->addrs[i], addr))
			break;
	if (addr->flags & DMM_ADDRESS_DEL) {
		if (i == inst->nr_addrs)
			return -ENOENT;
		inst->addrs[i] = inst->addrs[--inst->nr_addrs];
		return 0;
	}
	if (i < inst->nr_addrs)
		return -EEXIST;
	if (i == DMM_ADDRESSES_MAX)
		return -ENOSPC;
	inst->addrs[i] = *addr;
	inst->nr_addrs++;
	return 0;
}

int dmm_instance_address(struct dmm_instance *inst, const struct dmm_address *addr)
{
	int err = check_address(addr);

	if (err)
		return err;
	spin_lock(&inst->addr_lock);
	err = change_address(inst, addr);
	spin_unlock(&inst->addr_lock);
	if (!err)
		tell_listeners(inst);
	return err;
}

static bool address_contains(const struct dmm_address *a, const struct dmm_flow *flow)
{
	const u8 *ip = flow->src.s6_addr + (flow->family == AF_INET ? 12 : 0);
	unsigned int whole = a->len / 8, rest = a->len % 8;

	return a->family == flow->family && !memcmp(a->addr, ip, whole) &&
	       (!rest || !((a->addr[whole] ^ ip[whole]) >> (8 - rest)));
}

static bool has_address(struct dmm_instance *inst, const struct dmm_flow *flow)
{
	unsigned int i;
	bool ok;

	if (dmm_addr_is_any(&flow->src))
		return true;
	spin_lock(&inst->addr_lock);
	ok = !inst->nr_addrs;
	for (i = 0; i < inst->nr_addrs && !ok; i++)
		ok = address_contains(&inst->addrs[i], flow);
	spin_unlock(&inst->addr_lock);
	return ok;
}

/* Finding one. */

static u32 caps_needed(const struct dmm_flow *flow)
{
	u32 caps = flow->type == SOCK_STREAM ? DMM_CAP_STREAM : DMM_CAP_DGRAM;

	caps |= flow->family == AF_INET ? DMM_CAP_INET : DMM_CAP_INET6;
	if (flow->type == SOCK_STREAM && flow->role == DMM_ROLE_LISTEN)
		caps |= DMM_CAP_LISTEN;
	return caps;
}

static enum dmm_candidate_status status_of(struct dmm_instance *inst,
					   const struct dmm_flow *flow)
{
	u32 needed = flow ? caps_needed(flow) : 0;

	if (READ_ONCE(inst->broken))
		return DMM_CANDIDATE_BROKEN;
	if ((inst->reg.caps & needed) != needed || (flow && flow->kernel_only))
		return DMM_CANDIDATE_CAPABILITY;
	if (flow && READ_ONCE(inst->nr_addrs) && !has_address(inst, flow))
		return DMM_CANDIDATE_ADDRESS;
	return DMM_CANDIDATE_OK;
}

bool dmm_instance_can_serve(struct dmm_instance *inst, const struct dmm_flow *flow)
{
	return status_of(inst, flow) == DMM_CANDIDATE_OK;
}

static bool is_failing(struct net *net, const struct dmm_instance *inst,
		       const struct dmm_flow *flow)
{
	return flow && flow->role == DMM_ROLE_CONNECT && flow->type == SOCK_STREAM &&
	       dmm_negative_hit(net, inst, flow);
}

bool dmm_instance_named(const struct dmm_instance *inst, const char *name)
{
	size_t len = strlen(inst->reg.name);

	return !strncmp(inst->reg.name, name, len) &&
	       (!name[len] || (name[len] == '@' &&
			       !strcmp(inst->reg.instance, name + len + 1)));
}

/* Fewer connections for its weight? */
static bool less_loaded(const struct dmm_instance *a, const struct dmm_instance *b)
{
	return (u64)atomic_read(&a->nr_live) * b->reg.weight <
	       (u64)atomic_read(&b->nr_live) * a->reg.weight;
}

/* Under rcu_read_lock(). */
static struct dmm_service *find(struct net *net, const char *name,
				const struct dmm_flow *flow, bool failing)
{
	struct dmm_service *s, *best = NULL;

	list_for_each_entry_rcu(s, &dmm_net(net)->services, node)
		if (dmm_instance_named(s->inst, name) && dmm_instance_can_serve(s->inst, flow) &&
		    (failing || !is_failing(net, s->inst, flow)) &&
		    (!best || less_loaded(s->inst, best->inst)))
			best = s;
	return best;
}

struct dmm_instance *dmm_instance_find(struct net *net, const char *name,
				       const struct dmm_flow *flow, bool failing,
				       u32 *nr)
{
	struct dmm_instance *inst = NULL;
	struct dmm_service *s;

	rcu_read_lock();
	s = find(net, name, flow, failing);
	if (s && dmm_instance_get(s->inst)) {
		inst = s->inst;
		*nr = s->nr;
	}
	rcu_read_unlock();
	return inst;
}

bool dmm_instance_exists(struct net *net, const char *name,
			 const struct dmm_flow *flow, bool failing)
{
	bool exists;

	rcu_read_lock();
	exists = find(net, name, flow, failing);
	rcu_read_unlock();
	return exists;
}

int dmm_instance_load(struct net *net, const char *name, const struct dmm_flow *flow)
{
	struct dmm_service *s;
	int load = -ENOENT;

	rcu_read_lock();
	list_for_each_entry_rcu(s, &dmm_net(net)->services, node)
		if (dmm_instance_named(s->inst, name) &&
		    dmm_instance_can_serve(s->inst, flow) &&
		    !is_failing(net, s->inst, flow))
			load = max(load, 0) + atomic_read(&s->inst->nr_live);
	rcu_read_unlock();
	return load;
}

unsigned int dmm_instance_candidates(struct net *net, const char *name,
				     const struct dmm_flow *flow,
				     struct dmm_candidate *c, unsigned int max)
{
	struct dmm_service *s;
	unsigned int nr = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(s, &dmm_net(net)->services, node) {
		if (nr == max)
			break;
		if (!dmm_instance_named(s->inst, name))
			continue;
		strscpy(c[nr].instance, s->inst->reg.instance, DMM_NAME_MAX);
		c[nr].status = status_of(s->inst, flow);
		if (!c[nr].status && is_failing(net, s->inst, flow))
			c[nr].status = DMM_CANDIDATE_FAILING;
		c[nr].weight = s->inst->reg.weight;
		c[nr++].live = atomic_read(&s->inst->nr_live);
	}
	rcu_read_unlock();
	return nr;
}

int dmm_instances_walk(struct net *net,
		       int (*fn)(struct dmm_instance *inst, u32 nr, void *arg), void *arg)
{
	struct dmm_service *s;
	int err = 0;

	mutex_lock(&registry);
	list_for_each_entry(s, &dmm_net(net)->services, node) {
		err = fn(s->inst, s->nr, arg);
		if (err)
			break;
	}
	mutex_unlock(&registry);
	return err;
}

void dmm_instances_exit(void)
{
	flush_work(&break_work);
	flush_work(&free_work);
}
