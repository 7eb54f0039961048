/* SPDX-License-Identifier: Apache-2.0 */
/* The contract with src/datapath/layout.ts; layout.test.ts compares the two. */
#pragma once

#include <linux/types.h>

/* An IPv6 address in network order; IPv4 is v4-mapped (::ffff:a.b.c.d). */
struct address {
	__be32 word[4];
};

/* Of a hash of an address: address_filter has 2^18 bits, 32 KiB. */
#define ADDRESS_HASH_BITS 18

/* What a client connects to. */
struct frontend_key {
	struct address address;
	__be16 port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 rule;
};

/* Who has the address. */
#define RULE_FIRST 0
/* Who has it where a redirect is gone past. */
#define RULE_NEXT 1
#define RULES 2

/*
 * The key stands in the value again, first: a hash element may be reused for
 * another frontend while a program still reads it. A program copies the rest,
 * then compares the key.
 *
 * A frontend's backends are the slots [slot_base, slot_base + members). New
 * connections choose among the first `active` of them; the rest are
 * terminating and only keep the UDP flows they have. Each of the two runs is
 * sorted by backend id. A range of slots is never edited while a frontend
 * refers to it: a changed set gets a new range and a new generation, so one
 * map update switches from the old set to the new one.
 */
struct frontend {
	struct frontend_key key;
	__u32 id;
	__u64 affinity; /* the group whose clients keep their backend; 0 for none */
	__u32 slot_base;
	__u32 active;
	__u32 members;
	__u32 generation;
	__u32 flags;
	__u32 affinity_seconds; /* since the client's last connection */
	__u64 guard; /* of a redirect: the group whose members go past it; else 0 */
	__u32 limit; /* of a redirect: connections in a second; 0 for any number */
	__u32 pad;
};

/* The frontend's TCP sockets remember it: getpeername, connection counts. */
#define FRONTEND_KEEPS_PEER (1U << 0)
/* Of a node port: not on the addresses of other nodes. */
#define FRONTEND_OWN_NODE_ONLY (1U << 1)
/* enum client_identity, in two bits. */
#define FRONTEND_CLIENT_SHIFT 2
#define FRONTEND_CLIENT_MASK 3U
/* When a socket's backend is gone: TCP sockets are closed too, UDP ones are not. */
#define FRONTEND_CLOSES_TCP (1U << 4)
#define FRONTEND_KEEPS_UDP (1U << 5)
/* What kind of address it is, for people: enum frontend_mode, in four bits. */
#define FRONTEND_MODE_SHIFT 8
#define FRONTEND_MODE_MASK 15U

/* Who is one client to a frontend with session affinity. */
enum client_identity {
	CLIENT_NETNS,
	CLIENT_CGROUP,
	CLIENT_UID,
	CLIENT_PROCESS,
};

enum frontend_mode {
	MODE_CLUSTER_IP,
	MODE_NODE_PORT,
	MODE_LOAD_BALANCER,
	MODE_EXTERNAL_IP,
	MODE_CANARY,
	MODE_REDIRECT_SERVICE,
	MODE_REDIRECT_ADDRESS,
	MODE_BALANCING_POD,
	MODE_BALANCING_HOST_PORT,
	MODE_BALANCING_NODE_PROXY,
	MODE_BALANCING_ADDRESS,
};

/*
 * What an address is known for where no frontend has the port. It stands again in
 * the value, first, for the same reason as a frontend's key.
 */
struct known_address {
	struct address address;
	struct address
		node_ports; /* of a node: where its node ports' frontends are */
	__u32 flags;
};

/* Ports that it has no frontend for are refused. */
#define ADDRESS_CLUSTER_IP (1U << 0)
#define ADDRESS_OWN_NODE (1U << 1)
#define ADDRESS_REMOTE_NODE (1U << 2)
/* This node, for clients in the host's network namespace only: loopback. */
#define ADDRESS_HOST_NETNS (1U << 3)

/* One client that goes past the redirects of a group: their own backend. */
struct guard_key {
	__u64 group;
	__u64 identity; /* a cgroup's id, or a network namespace's cookie */
	__u32 kind; /* enum guard_kind */
	__u32 pad;
};

/* Of cgroups that may be guards, from the root's 0. */
#define GUARD_LEVELS 32

enum guard_kind {
	GUARD_CGROUP, /* with all that is below it */
	GUARD_NETNS,
};

struct guard {
	__u32 level; /* of the cgroup: the root's is 0 */
};

/* One client of a group of frontends with session affinity. */
struct affinity_key {
	__u64 group;
	__u64 client;
	__u32 identity; /* enum client_identity */
	__u32 pad;
};

/* Written by programs: the backend that it has. */
struct affinity {
	struct address backend_address;
	__be16 backend_port;
	__u8 pad[2];
	__u32 backend_id;
	__u64 used; /* CLOCK_BOOTTIME in nanoseconds, of its last connection */
};

/* owner is the frontend's id: a slot that was freed meanwhile shows itself. */
struct slot {
	__u32 backend_id;
	__u32 owner;
};

struct backend {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 pad;
	__u32 pad2;
};

/* Written by programs only; indexed as the frontend or backend. */
struct frontend_stats {
	__u64 resolved;
	__u64 refused;
};

struct backend_stats {
	__u64 connections; /* every choice of this backend */
	__u64 opened; /* those of them with per-socket state */
	__u64 closed; /* and how many of these have ended */
};

/* namespace/name:port of a frontend, so that the maps explain themselves. */
struct frontend_name {
	char text[160];
};

/*
 * Where one socket's traffic to one frontend goes. `reported` is the generation
 * of the flow that user space was told of as one to close: once each.
 */
struct flow {
	struct address frontend_address;
	struct address backend_address;
	__be16 frontend_port;
	__be16 backend_port;
	__u32 frontend_id;
	__u32 backend_id;
	__u32 generation;
	__u32 flags;
	__u32 reported;
};

/* As the frontend said when the backend was chosen: it may be gone when the backend is. */
#define FLOW_CLOSES_TCP (1U << 0)
#define FLOW_KEEPS_UDP (1U << 1)
/* Of a TCP socket; else of a UDP one. */
#define FLOW_TCP (1U << 2)

/* A connected socket whose backend is gone, for user space to close. */
struct stale_socket {
	__u64 cookie;
	struct flow flow;
};

#define FLOWS_PER_SOCKET 8

/*
 * An unconnected UDP socket talks to several frontends; the oldest gives way.
 * `last` is the flow that was used last, FLOWS_PER_SOCKET for the connection of
 * a connected socket: where two frontends have one backend, an answer is from
 * the one that was asked last.
 */
struct flows {
	struct flow flow[FLOWS_PER_SOCKET];
	__u32 next;
	__u32 last;
};

/*
 * Written by the agent, about its own connects and datagrams to frontends:
 * they are counted, and let through as they are until a time. As that ends by
 * itself, nothing is left of an agent that was killed.
 */
struct own_way {
	__u64 until; /* CLOCK_MONOTONIC in nanoseconds */
	__u32 tgid; /* in the initial PID namespace; 0 for nobody */
	__be32 asking; /* IPv4: who is refused there leaves its trace */
};

/* Written by programs. */
struct own_trace {
	__u64 met; /* how often that process came to a frontend */
	__u64 time; /* CLOCK_MONOTONIC in nanoseconds, when `tgid` was refused */
	__u32 tgid;
	struct frontend_key key; /* the frontend that it came to last */
};

/* Why a connection was let through untranslated, or a record was lost. */
enum fault {
	FAULT_NONE,
	FAULT_SLOT, /* slots and frontend disagreed on every try */
	FAULT_STORAGE, /* no memory for state of a socket or a client: translated without it */
	FAULT_EVENT_FULL, /* ring buffer full: an event was dropped */
	FAULT_EVENT_RATE, /* over the rate: an event was dropped */
	FAULT_MAX,
};

/* Why a connection was refused that met no frontend. */
enum refusal {
	REFUSAL_UNKNOWN_PORT, /* a cluster IP without a frontend on that port */
	REFUSAL_MAX,
};

enum events_mode {
	EVENTS_OFF,
	EVENTS_FAILURES,
	EVENTS_ALL,
};

enum event_result {
	EVENT_RESOLVED = 1,
	EVENT_REFUSED = 2, /* the frontend has no backend */
	EVENT_UNKNOWN_PORT =
		3, /* a cluster IP without a frontend on that port */
};

/* One resolution; time is CLOCK_BOOTTIME in nanoseconds. */
struct event {
	__u64 time;
	__u64 cgroup_id;
	__u64 netns_cookie;
	__u32 pid;
	__u32 tid;
	__u32 uid;
	__u32 frontend_id;
	__u32 backend_id;
	__be16 frontend_port;
	__be16 backend_port;
	struct address frontend_address;
	struct address backend_address;
	__u8 protocol;
	__u8 result;
	__u8 mode; /* enum frontend_mode */
	__u8 redirect_hit_limit; /* 1: a redirect had taken its share of the second */
	__u8 pad[4];
	char comm[16];
};
