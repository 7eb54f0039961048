// Plans written down as tables, for tests below the planner.

import type { Ip, L4Address } from "../../src/model/address.ts";
import { parseIp, parseL4Address } from "../../src/model/address.ts";
import {
	type Chunk,
	EMPTY_PLAN,
	type Frontend,
	type KnownAddress,
	type NodeScope,
	type Plan,
	type Self,
} from "../../src/plan/plan_types.ts";

/** Frontend address to `active | terminating`, addresses parted by spaces: `{ "10.96.0.1:80/TCP": "10.0.0.1:80/TCP | " }`. */
export type Table = Readonly<Record<string, string>>;

/** One chunk for each object: `{ "demo/web": { ... } }`. */
export function planOf(objects: Readonly<Record<string, Table>>): Plan {
	const chunks = Object.entries(objects).map(([object, table]) => [object, chunkOf(object, table)] as const);
	return { ...EMPTY_PLAN, chunks: new Map(chunks) };
}

/** An agent that knows nothing of itself but its node's name. */
export function selfOf(nodeName: string): Self {
	return { nodeName, reach: "auto", addresses: [] };
}

/** The plan with these as well: `cluster-ip`, or `own|remote|host ADDRESS` with the address of the node ports. */
export function withAddresses(plan: Plan, known: Readonly<Record<string, string>>): Plan {
	const more = Object.entries(known).map(([ip, what]) => [ipOf(ip), knownOf(what)] as const);
	return { ...plan, addresses: new Map([...plan.addresses, ...more]) };
}

/** The plan with session affinity for the objects that are so; the frontends of one are one group. */
export function withAffinity(plan: Plan, isSticky: (object: string) => boolean): Plan {
	const chunks = [...plan.chunks].map(([key, chunk]) => [key, isSticky(chunk.object) ? sticky(chunk) : chunk] as const);
	return { ...plan, chunks: new Map(chunks) };
}

/** The plan with a redirect before each frontend for which this gives its backend, or alone there if `isAlone`. */
export function withRedirects(
	plan: Plan,
	backendOf: (address: L4Address) => L4Address | undefined,
	{ limit, isAlone }: { readonly limit: number; readonly isAlone: boolean },
): Plan {
	function redirected(frontend: Frontend): Frontend {
		const { address } = frontend;
		const backend = frontend.redirect === undefined ? backendOf(address) : undefined;
		if (backend === undefined) return frontend;
		const redirect = { guard: `LocalRedirectPolicy ${address}`, limit, ...(isAlone ? {} : { next: frontend }) };
		const mode = "localRedirectService";
		return { address, name: `cache:${address}`, mode, active: [backend], terminating: [], keepsPeer: true, redirect };
	}
	const chunks = [...plan.chunks].map(
		([key, chunk]) => [key, { ...chunk, frontends: chunk.frontends.map(redirected) }] as const,
	);
	return { ...plan, chunks: new Map(chunks) };
}

/** The plan with so many active backends of each frontend at the most, counted as often as their weights repeat them. */
export function withSlotsOf(plan: Plan, most: number): Plan {
	function cut(frontend: Frontend): Frontend {
		const { redirect } = frontend;
		const active = frontend.active.slice(0, most);
		if (redirect?.next === undefined) return { ...frontend, active };
		return { ...frontend, active, redirect: { ...redirect, next: cut(redirect.next) } };
	}
	const isLong = ({ frontends }: Chunk) =>
		frontends.some(({ active, redirect }) => Math.max(active.length, redirect?.next?.active.length ?? 0) > most);
	if (![...plan.chunks.values()].some(isLong)) return plan;
	const chunks = [...plan.chunks].map(
		([key, chunk]) => [key, isLong(chunk) ? { ...chunk, frontends: chunk.frontends.map(cut) } : chunk] as const,
	);
	return { ...plan, chunks: new Map(chunks) };
}

function sticky(chunk: Chunk): Chunk {
	const affinity = { seconds: 10_800, client: "netns", group: chunk.object } as const;
	return { ...chunk, frontends: chunk.frontends.map((frontend) => ({ ...frontend, affinity })) };
}

const SCOPES: readonly NodeScope[] = ["own", "remote", "host"];

function knownOf(text: string): KnownAddress {
	if (text === "cluster-ip") return { kind: "clusterIp" };
	const [first, nodePorts = ""] = text.split(" ");
	const scope = SCOPES.find((known) => known === first);
	if (scope === undefined) throw new Error(`Nothing that is known of an address: ${text}`);
	return { kind: "node", nodePorts: ipOf(nodePorts), scope };
}

function ipOf(text: string): Ip {
	const ip = parseIp(text);
	if (ip === undefined) throw new Error(`Not an address: ${text}`);
	return ip;
}

export function chunkOf(object: string, table: Table): Chunk {
	return { object, frontends: Object.entries(table).map(([address, sets]) => frontendOf(object, address, sets)) };
}

export function l4(text: string): L4Address {
	const parsed = parseL4Address(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

export function frontendOf(object: string, address: string, sets: string): Frontend {
	const [active, terminating] = sets.split("|").map((part) => part.split(" ").filter(Boolean).map(l4).sort());
	return {
		address: l4(address),
		name: `${object}:http`,
		mode: "ServiceClusterIP",
		active: active ?? [],
		terminating: terminating ?? [],
		keepsPeer: true,
	};
}
