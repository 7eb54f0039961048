// Services in nftables, laid out as kube-proxy's nftables mode does: what a cluster's node uses without Balancing.

import { type BenchService, ENDPOINT_PORT, MEMBERS, SERVICE_PORT } from "./services.ts";

const TABLE = "ip services";
/**
 * One transaction for all would be kube-proxy's way. The kernel walks over the whole of it at each verdict map without a name:
 * 10,000 Services took 130 s in one, 20 s in these.
 */
const SERVICES_IN_A_TRANSACTION = 400;
const DESTINATION = "ip daddr . meta l4proto . th dport";
const DESTINATION_TYPE = "type ipv4_addr . inet_proto . inet_service : verdict";

/** What is there once: five look-ups by destination, and masquerading of what is marked. */
const BASE: readonly string[] = [
	`add table ${TABLE}`,
	`add set ${TABLE} cluster-ips { type ipv4_addr ; }`,
	`add set ${TABLE} nodeport-ips { type ipv4_addr ; }`,
	`add map ${TABLE} service-ips { ${DESTINATION_TYPE} ; }`,
	`add map ${TABLE} service-nodeports { type inet_proto . inet_service : verdict ; }`,
	`add map ${TABLE} no-endpoint-services { ${DESTINATION_TYPE} ; }`,
	`add map ${TABLE} firewall-ips { ${DESTINATION_TYPE} ; }`,
	...["services", "to-masquerade", "masquerading", "firewall-check", "endpoints-check", "cluster-ips-check"].map(chain),
	base("early-prerouting", "filter hook prerouting priority -110"),
	base("early-output", "filter hook output priority -110"),
	base("nat-prerouting", "nat hook prerouting priority -100"),
	base("nat-output", "nat hook output priority -100"),
	base("input", "filter hook input priority 0"),
	base("forward", "filter hook forward priority 0"),
	base("output", "filter hook output priority 0"),
	base("nat-postrouting", "nat hook postrouting priority 100"),
	rule("early-prerouting", "ct state new jump firewall-check"),
	rule("early-output", "ct state new jump firewall-check"),
	rule("firewall-check", `${DESTINATION} vmap @firewall-ips`),
	rule("nat-prerouting", "jump services"),
	rule("nat-output", "jump services"),
	rule("services", `${DESTINATION} vmap @service-ips`),
	rule("services", "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports"),
	rule("input", "ct state new jump endpoints-check"),
	...["forward", "output"].flatMap((name) => [
		rule(name, "ct state new jump endpoints-check"),
		rule(name, "ct state new jump cluster-ips-check"),
	]),
	rule("endpoints-check", `${DESTINATION} vmap @no-endpoint-services`),
	rule("cluster-ips-check", "ip daddr @cluster-ips reject"),
	rule("to-masquerade", "meta mark set meta mark or 0x4000"),
	rule("nat-postrouting", "jump masquerading"),
	rule("masquerading", "meta mark and 0x4000 == 0 return"),
	rule("masquerading", "meta mark set meta mark xor 0x4000"),
	rule("masquerading", "masquerade fully-random"),
];

export interface Nftables {
	/** Writes them all; milliseconds. */
	load(services: readonly BenchService[]): number;
	/**
	 * Puts endpoint `to` into the place of `from`, in the transaction that is the least for it; milliseconds. nft would
	 * not delete the old endpoint's chain while anything leads there.
	 */
	replaceEndpoint(service: BenchService, from: string, to: string): number;
}

function chain(name: string): string {
	return `add chain ${TABLE} ${name}`;
}

function base(name: string, hook: string): string {
	return `${chain(name)} { type ${hook} ; }`;
}

function rule(name: string, statement: string): string {
	return `add rule ${TABLE} ${name} ${statement}`;
}

function serviceChain({ name }: BenchService): string {
	return `service-${name}`;
}

function endpointChain({ name }: BenchService, ip: string): string {
	return `endpoint-${name}-${ip}`;
}

function endpointRules(service: BenchService, ip: string): readonly string[] {
	const name = endpointChain(service, ip);
	return [
		// A pod that is its own endpoint.
		rule(name, `ip saddr ${ip} jump to-masquerade`),
		rule(name, `meta l4proto ${service.protocol.toLowerCase()} dnat to ${ip}:${ENDPOINT_PORT}`),
	];
}

/** Clients outside of the pods' network are masqueraded. */
function serviceRules(service: BenchService, endpoints: readonly string[], pods: string): readonly string[] {
	const name = serviceChain(service);
	const choices = endpoints.map((ip, index) => `${index} : goto ${endpointChain(service, ip)}`);
	return [
		rule(name, `ip daddr ${service.ip} ip saddr != ${pods} jump to-masquerade`),
		rule(name, `numgen random mod ${MEMBERS} vmap { ${choices.join(", ")} }`),
	];
}

function wholeService(service: BenchService, pods: string): readonly string[] {
	const { ip, protocol, endpoints } = service;
	const name = serviceChain(service);
	const destination = `${ip} . ${protocol.toLowerCase()} . ${SERVICE_PORT}`;
	return [
		chain(name),
		...endpoints.map((each) => chain(endpointChain(service, each))),
		...serviceRules(service, endpoints, pods),
		...endpoints.flatMap((each) => endpointRules(service, each)),
		`add element ${TABLE} cluster-ips { ${ip} }`,
		`add element ${TABLE} service-ips { ${destination} : goto ${name} }`,
	];
}

/** In a network namespace, empty at first. */
export function nftables(netns: string, pods: string): Nftables {
	function run(commands: readonly string[]): number {
		const stdin = Buffer.from(`${commands.join("\n")}\n`);
		const started = performance.now();
		const { exitCode, stderr } = Bun.spawnSync(["nsenter", `--net=/run/netns/${netns}`, "nft", "-f", "-"], { stdin });
		const took = performance.now() - started;
		if (exitCode !== 0) throw new Error(`Cannot run nft: ${stderr.toString().slice(0, 1000)}`);
		return took;
	}

	return {
		load(services) {
			let took = run(BASE);
			for (let at = 0; at < services.length; at += SERVICES_IN_A_TRANSACTION) {
				const some = services.slice(at, at + SERVICES_IN_A_TRANSACTION);
				took += run(some.flatMap((service) => wholeService(service, pods)));
			}
			return took;
		},
		replaceEndpoint(service, from, to) {
			const endpoints = service.endpoints.map((ip) => (ip === from ? to : ip));
			return run([
				chain(endpointChain(service, to)),
				...endpointRules(service, to),
				`flush chain ${TABLE} ${serviceChain(service)}`,
				...serviceRules(service, endpoints, pods),
				`delete chain ${TABLE} ${endpointChain(service, from)}`,
			]);
		},
	};
}
