// The programs on a test's cgroup, and the maps written by the real writer.

import { Buffer } from "node:buffer";
import { type BpfMap, openPinnedMap } from "bun-ffi-libbpf";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import type { Rule } from "../../src/datapath/codec.ts";
import {
	decodeFrontend,
	decodeId,
	encodeBackend,
	encodeFrontendKey,
	encodeId,
	withRule,
} from "../../src/datapath/codec.ts";
import { type Datapath, openDatapath } from "../../src/datapath/datapath.ts";
import { offsetOf } from "../../src/datapath/layout.ts";
import { mapPin } from "../../src/datapath/pins.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { type L4Address, parseL4Address } from "../../src/model/address.ts";
import {
	type Affinity,
	type Chunk,
	EMPTY_PLAN,
	type Frontend,
	type FrontendMode,
	type Plan,
} from "../../src/plan/plan_types.ts";
import { pinPath } from "./pin_path.ts";
import { withAddresses } from "./plans.ts";

/** A frontend as tests write it; addresses as `10.96.0.1:80/TCP`. */
export interface Spec {
	readonly at: string;
	readonly to: readonly string[];
	readonly terminating?: readonly string[];
	/** True by default. */
	readonly keepsPeer?: boolean;
	readonly closeOnRemove?: "all" | "none";
	/** ServiceClusterIP by default. */
	readonly mode?: FrontendMode;
	readonly ownNodeOnly?: true;
	readonly affinity?: Affinity;
	readonly redirect?: SpecRedirect;
}

export interface SpecRedirect {
	/** The group of its guard; `test` by default. */
	readonly guard?: string;
	/** None by default. */
	readonly limit?: number;
	/** Has the same address. */
	readonly next?: Omit<Spec, "at" | "redirect">;
}

export interface TestSettings {
	/** Off by default. */
	readonly events?: "off" | "failures" | "all";
	/** No limit by default. */
	readonly eventsRate?: number;
	readonly withoutSetRetval?: boolean;
	readonly withoutPid?: boolean;
	readonly hostNetns?: bigint;
}

export interface TestDatapath extends Datapath {
	readonly pinPath: string;
	/** Makes the maps say this and nothing else, by the writer. Throws if that cannot be done in full. */
	program(...specs: readonly Spec[]): void;
	/** What is known of addresses from now on, as withAddresses() has it; the frontends stay as they are. */
	know(known: Readonly<Record<string, string>>): void;
	/** Who has the address, or is next there. */
	frontend(at: string, rule?: Rule): { readonly id: number; readonly resolved: number; readonly refused: number };
	backend(at: string): { readonly id: number; readonly connections: number; readonly open: number };
	/** One of the maps. */
	map(name: string): BpfMap;
}

/** Throws if it is no address. */
export function l4(text: string): L4Address {
	const address = parseL4Address(text);
	if (address === undefined) throw new Error(`Cannot read address ${text}`);
	return address;
}

/** A plan with one object for each frontend. */
export function planOf(specs: readonly Spec[]): Plan {
	const chunks = new Map<string, Chunk>();
	for (const spec of specs) {
		const object = `test/${spec.at}`;
		chunks.set(object, { object, frontends: [frontendOf(spec)] });
	}
	return { ...EMPTY_PLAN, chunks };
}

/** A redirect's name is not that of who is next. */
function frontendOf(spec: Spec): Frontend {
	const { at, to, terminating = [], keepsPeer = true, mode = "ServiceClusterIP", redirect, ...traits } = spec;
	const frontend: Frontend = {
		address: l4(at),
		name: `test/${at}`,
		mode,
		active: to.map(l4).sort(),
		terminating: terminating.map(l4).sort(),
		keepsPeer,
		...traits,
	};
	if (redirect === undefined) return frontend;
	const { guard = "test", limit = 0, next } = redirect;
	const beyond = next === undefined ? {} : { next: frontendOf({ ...next, at }) };
	return { ...frontend, name: `redirect/${at}`, redirect: { guard, limit, ...beyond } };
}

/** Attached to the cgroup until disposed; then nothing of it is left. */
export function datapath(cgroup: string, settings: TestSettings = {}): TestDatapath {
	using stack = new DisposableStack();
	const pins = stack.use(pinPath());
	const opened = stack.use(openDatapath({ events: "off", eventsRate: 0, ...settings, cgroup, pinPath: pins.path }));
	const writer = createWriter({ maps: opened.maps, capacity: CAPACITY, firstGeneration: 1 });
	const open = new Map<string, BpfMap>();
	const held = stack.move();

	function map(name: string): BpfMap {
		const known = open.get(name);
		if (known !== undefined) return known;
		const opening = held.use(openPinnedMap(mapPin(pins.path, name)));
		open.set(name, opening);
		return opening;
	}

	let last: readonly Spec[] = [];
	let addresses: Readonly<Record<string, string>> = {};

	function program(...specs: readonly Spec[]): void {
		last = specs;
		const plan = withAddresses(planOf(specs), addresses);
		const { failures, problems, pending } = writer.write(plan, { synced: true });
		if (failures.length + problems.length + pending === 0) return;
		throw new Error(`Cannot write the plan in full: ${JSON.stringify({ failures, problems, pending })}`);
	}

	function know(known: Readonly<Record<string, string>>): void {
		addresses = known;
		program(...last);
	}

	function frontend(at: string, rule: Rule = 0) {
		const found = map("frontends").lookup(Buffer.from(withRule(encodeFrontendKey(l4(at)), rule), "latin1"));
		if (found === undefined) throw new Error(`Cannot find frontend ${at}`);
		const { id } = decodeFrontend(Buffer.from(found).toString("latin1"));
		const stats = statsOf(map("frontend_stats"), id);
		return {
			id,
			resolved: stats(offsetOf("frontend_stats", "resolved")),
			refused: stats(offsetOf("frontend_stats", "refused")),
		};
	}

	function backend(at: string) {
		const wanted = encodeBackend(l4(at));
		for (const [key, value] of map("backends").entries()) {
			if (Buffer.from(value).toString("latin1") !== wanted) continue;
			const id = decodeId(Buffer.from(key).toString("latin1"));
			const stats = statsOf(map("backend_stats"), id);
			const open = stats(offsetOf("backend_stats", "opened")) - stats(offsetOf("backend_stats", "closed"));
			return { id, connections: stats(offsetOf("backend_stats", "connections")), open };
		}
		throw new Error(`Cannot find backend ${at}`);
	}

	return {
		...opened,
		pinPath: pins.path,
		program,
		know,
		frontend,
		backend,
		map,
		[Symbol.dispose]: () => held.dispose(),
	};
}

/** The counters of one id, by their offsets. */
function statsOf(map: BpfMap, id: number): (offset: number) => number {
	const value = map.lookup(Buffer.from(encodeId(id), "latin1"));
	if (value === undefined) throw new Error(`Cannot find counters of id ${id}`);
	const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
	return (offset) => Number(view.getBigUint64(offset, true));
}
