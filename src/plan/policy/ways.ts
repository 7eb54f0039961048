// Where connections to a selected pod are sent: to itself, to a port that its node opens for it, or to its node's proxy.

import { assertNever } from "../../lib/assert_never.ts";
import { type Ip, ipFamily, type L4Address, l4Address } from "../../model/address.ts";
import type { Pod } from "../../model/pod.ts";
import type { RedirectMode } from "../../model/policy.ts";
import type { Family } from "../node_ports.ts";
import type { Vantage } from "../vantage.ts";
import type { Place } from "./places.ts";

/** Why a pod is left out. */
export interface Obstacle {
	readonly pod: string;
	readonly reason: "HostPortMissing" | "Unreachable";
	/** The fact and the fix. */
	readonly message: string;
}

/** The pod's addresses for one place. */
export type Way = (pod: Pod, place: Place) => readonly L4Address[] | Obstacle;

export function wayOf(mode: RedirectMode, vantage: Vantage): Way {
	switch (mode) {
		case "podEndpoint":
			return ({ ips }, place) => addressesOf(ofFamily(ips, place.family).slice(0, 1), place);
		case "hostPort":
			return (pod, place) => throughHostPort(pod, place, vantage);
		case "nodeProxy":
			return (pod, place) => throughProxy(pod, place, vantage);
		default:
			return assertNever(mode);
	}
}

function throughHostPort(pod: Pod, place: Place, vantage: Vantage): readonly L4Address[] | Obstacle {
	const { target, protocol, family } = place;
	const opened = pod.hostPorts.filter((each) => each.port === target && each.protocol === protocol);
	if (opened.length === 0) {
		const fact = `Pod ${pod.key} has no hostPort ${target}/${protocol}`;
		return { pod: pod.key, reason: "HostPortMissing", message: `${fact}: give one of its containers this hostPort` };
	}
	if (opened.some(({ ip }) => ip === undefined)) return throughNode(pod, place, vantage);
	const ips = ofFamily(
		opened.flatMap(({ ip }) => ip ?? []),
		family,
	);
	if (ips.length > 0) return addressesOf(ips.slice(0, 1), place);
	const fact = `Pod ${pod.key} opens hostPort ${target}/${protocol} at no ${family} address`;
	return { pod: pod.key, reason: "HostPortMissing", message: `${fact}: give it a hostIP of this family, or none` };
}

function throughNode(pod: Pod, place: Place, { nodes }: Vantage): readonly L4Address[] | Obstacle {
	const node = nodes.get(pod.nodeName);
	if (node === undefined) return noNode(pod);
	const ips = ofFamily(node.ips, place.family);
	if (ips.length > 0) return addressesOf(ips.slice(0, 1), place);
	return unreachable(pod, `Node ${node.name} of Pod ${pod.key} has no ${place.family} address: give it one`);
}

function throughProxy(pod: Pod, place: Place, { nodes }: Vantage): readonly L4Address[] | Obstacle {
	const node = nodes.get(pod.nodeName);
	if (node === undefined) return noNode(pod);
	const ips = ofFamily(node.proxyIps, place.family);
	if (ips.length > 0) return addressesOf(ips, place);
	const annotation = `balancing.elf.io/nodeProxy${place.family === "IPv4" ? "Ipv4" : "Ipv6"}`;
	return unreachable(pod, `Node ${node.name} of Pod ${pod.key} has no annotation ${annotation}: set it`);
}

function noNode(pod: Pod): Obstacle {
	if (pod.nodeName === "") return unreachable(pod, `Pod ${pod.key} is on no node: let it be scheduled`);
	return unreachable(pod, `There is no Node ${pod.nodeName}, which Pod ${pod.key} is on: let the hub have Nodes`);
}

function unreachable({ key }: Pod, message: string): Obstacle {
	return { pod: key, reason: "Unreachable", message };
}

function addressesOf(ips: readonly Ip[], { target, protocol }: Place): readonly L4Address[] {
	return ips.map((ip) => l4Address(ip, target, protocol));
}

function ofFamily(ips: readonly Ip[], family: Family): readonly Ip[] {
	return ips.filter((ip) => ipFamily(ip) === family);
}
