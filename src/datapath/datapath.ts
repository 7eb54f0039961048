// The programs and maps in the kernel: loaded and attached by the agent, opened by commands that only look.

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import {
	BpfError,
	type BpfMap,
	type BpfObject,
	netnsCookie,
	openObject,
	openPinnedMap,
	probeHelper,
	sumPerCpu,
} from "bun-ffi-libbpf";
import objectPath from "../../dist/bpf/sock.bpf.o" with { type: "file" };
import { withAddressFilter } from "./address_filter.ts";
import { type Attached, attachPrograms, type ProgramName } from "./attach.ts";
import { encodeId } from "./codec.ts";
import { createGuards, type Guards } from "./guards.ts";
import { createKernelMaps } from "./kernel_maps.ts";
import { ENUMS } from "./layout.ts";
import { MAP_NAMES, type Maps } from "./maps.ts";
import { openPassage, type Passage } from "./passage.ts";
import { assertPinsReadable, mapPin, preparePins, tryLockPins } from "./pins.ts";

/** How the programs are to be loaded. */
export interface DatapathOptions {
	/** The cgroup to attach to. */
	readonly cgroup: string;
	readonly pinPath: string;
	/** Which resolutions give an event. */
	readonly events: "all" | "failures" | "off";
	/** Events per second at the most; 0 is no limit. */
	readonly eventsRate: number;
	/** Pretend that the kernel has no bpf_set_retval (before 5.18); for tests. */
	readonly withoutSetRetval?: boolean;
	/** Pretend that programs cannot tell who connects (before 5.7); for tests. */
	readonly withoutPid?: boolean;
	/** The cookie of the network namespace where loopback is the node's, in place of the agent's own; for tests. */
	readonly hostNetns?: bigint;
}

/** How often programs had to let something through, or dropped an event, since the maps were made. */
export type Faults = Readonly<Record<"slot" | "storage" | "eventFull" | "eventRate", number>>;

/** Closes its handles when disposed; what is pinned stays. */
export interface OpenMaps extends Disposable {
	/** Connections to ports that a cluster IP does not have, since the maps were made. */
	unknownPortRefusals(): number;
	readonly maps: Maps;
	/** The ring buffer of resolution events. */
	readonly events: BpfMap;
	faults(): Faults;
}

/** Closes its handles when disposed; programs, maps and links stay in place. */
export interface Datapath extends OpenMaps {
	readonly attached: ReadonlyMap<ProgramName, Attached>;
	/** Attaches again what is not attached any more; programs that are stay where they are. */
	reattach(): ReadonlyMap<ProgramName, Attached>;
	/** Lets a process past the frontends for a while. */
	readonly passage: Passage;
	/** Lets redirects' own backends past them. */
	readonly guards: Guards;
}

/** What the agent and its commands open. */
const OPENED = [
	...MAP_NAMES,
	"affinities",
	"redirect_windows",
	"guards",
	"backend_stats",
	"frontend_stats",
	"faults",
	"refusals",
	"events",
] as const;
/** The rest is pinned for the next agent's programs: sockets keep their state, the event rate its credit, the filter what passes it. */
export const PINNED = [...OPENED, "sock_peers", "sock_flows", "event_budgets", "address_filter"] as const;

/** Numbers of helpers (enum bpf_func_id) that came after Linux 5.10, or not to every kernel's sock_addr programs. */
export const HELPERS = { can_get_pid: 14, can_get_comm: 16, can_set_retval: 187 } as const;

const EVENTS_MODE = {
	off: ENUMS.events_mode.EVENTS_OFF,
	failures: ENUMS.events_mode.EVENTS_FAILURES,
	all: ENUMS.events_mode.EVENTS_ALL,
} as const;

const NANOSECONDS = 1_000_000_000;

function setVariable(object: BpfObject, name: string, value: number | bigint): void {
	const variable = object.variables.get(name);
	if (!variable) throw new Error(`Cannot set ${name}: the object has no such variable`);
	variable.set(value);
}

/** Handles of a loaded object's data; to be closed. */
function openSection(object: BpfObject, name: string): BpfMap {
	const map = object.maps.get(name);
	if (!map) throw new Error(`Cannot open ${name}: the object has no such section`);
	return map.open();
}

const FIRST = encoded(0);

function encoded(number: number): Buffer {
	return Buffer.from(encodeId(number), "latin1");
}

type Abilities = Readonly<Record<keyof typeof HELPERS, boolean>>;

function probeAbilities({ withoutSetRetval = false, withoutPid = false }: DatapathOptions): Abilities {
	const can = (helper: keyof typeof HELPERS) => probeHelper("cgroup_sock_addr", HELPERS[helper]);
	return {
		can_get_pid: !withoutPid && can("can_get_pid"),
		can_get_comm: can("can_get_comm"),
		can_set_retval: !withoutSetRetval && can("can_set_retval"),
	};
}

function configure(
	object: BpfObject,
	{ pinPath, events, eventsRate, hostNetns }: DatapathOptions,
	abilities: Abilities,
): void {
	for (const [variable, able] of Object.entries(abilities)) setVariable(object, variable, able ? 1 : 0);
	setVariable(object, "host_netns", hostNetns ?? netnsCookie() ?? 0n);
	setVariable(object, "events_mode", EVENTS_MODE[events]);
	setVariable(object, "event_interval", BigInt(eventsRate === 0 ? 0 : Math.floor(NANOSECONDS / eventsRate)));
	for (const name of PINNED) {
		const map = object.maps.get(name);
		if (!map) throw new Error(`Cannot pin map ${name}: the object has no such map`);
		map.setPinPath(mapPin(pinPath, name));
	}
}

/** Of all processors together. */
function readCount(map: BpfMap, index: number): number {
	const value = map.lookup(encoded(index));
	return value === undefined ? 0 : Number(sumPerCpu(value, 8)[0]);
}

function readFaults(faults: BpfMap): Faults {
	const { FAULT_SLOT, FAULT_STORAGE, FAULT_EVENT_FULL, FAULT_EVENT_RATE } = ENUMS.fault;
	const count = (reason: number) => readCount(faults, reason);
	return {
		slot: count(FAULT_SLOT),
		storage: count(FAULT_STORAGE),
		eventFull: count(FAULT_EVENT_FULL),
		eventRate: count(FAULT_EVENT_RATE),
	};
}

/** Opens what an agent has pinned, with or without the agent. Throws if nothing is pinned there. */
export function openMaps(pinPath: string): OpenMaps {
	assertPinsReadable(pinPath);
	using stack = new DisposableStack();
	const open = (name: (typeof OPENED)[number]) => stack.use(openPinnedMap(mapPin(pinPath, name)));
	const set = {
		backends: open("backends"),
		slots: open("slots"),
		names: open("names"),
		frontends: open("frontends"),
		addresses: open("addresses"),
		affinities: open("affinities"),
		redirect_windows: open("redirect_windows"),
		guards: open("guards"),
		backend_stats: open("backend_stats"),
		frontend_stats: open("frontend_stats"),
	};
	const [faults, refusals, events] = [open("faults"), open("refusals"), open("events")];
	const held = stack.move();
	return {
		maps: createKernelMaps(set),
		events,
		faults: () => readFaults(faults),
		unknownPortRefusals: () => readCount(refusals, ENUMS.refusal.REFUSAL_UNKNOWN_PORT),
		[Symbol.dispose]: () => held.dispose(),
	};
}

/** Connections count on what is pinned: maps of another version are for a person to give up. */
function load(object: BpfObject, pinPath: string): void {
	try {
		object.load();
	} catch (cause) {
		if (!(cause instanceof BpfError) || !cause.message.includes("with another definition")) throw cause;
		throw new Error(
			`Cannot use what another version has pinned under ${pinPath} (stop its agent and take it away: balancing detach --pin-path ${pinPath}): ${cause.message}`,
			{ cause },
		);
	}
}

/**
 * Loads the programs onto the maps that are pinned already, or onto new ones, and attaches them: in the place of an older
 * agent's where there is one. Throws a BpfError that says what is missing.
 */
export function openDatapath(options: DatapathOptions): Datapath {
	const { cgroup, pinPath } = options;
	preparePins(pinPath);
	using stack = new DisposableStack();
	const lock = tryLockPins(pinPath);
	if (!lock) {
		throw new Error(
			`Cannot start: another agent uses --pin-path ${pinPath} (stop it, or give this one its own --pin-path, --state-dir and --cgroup)`,
		);
	}
	stack.use(lock);
	const object = stack.use(openObject(readFileSync(objectPath), { name: "sock" }));
	const abilities = probeAbilities(options);
	configure(object, options, abilities);
	load(object, pinPath);
	const { maps: unfiltered, events, faults, unknownPortRefusals } = stack.use(openMaps(pinPath));
	// Before the programs are attached: what is in the maps must pass their filter.
	const maps = withAddressFilter(unfiltered, stack.use(openPinnedMap(mapPin(pinPath, "address_filter"))));
	const levels = stack.use(openSection(object, ".data.guard_levels"));
	const guards = createGuards({ maps, setLevels: (mask) => levels.update(FIRST, encoded(mask)) });
	const attached = attachPrograms(object.programs, { cgroup, pinPath });
	const passage = stack.use(
		openPassage(object, { supported: abilities.can_get_pid, quiet: !abilities.can_set_retval }),
	);
	const held = stack.move();
	return {
		maps,
		events,
		faults,
		unknownPortRefusals,
		attached,
		passage,
		guards,
		reattach: () => attachPrograms(object.programs, { cgroup, pinPath }),
		[Symbol.dispose]: () => held.dispose(),
	};
}
