// What goes wrong with a hub while it is followed: one fault after the other, each kind in its turn.

import { needsOf } from "../../src/hub/kinds/needs.ts";
import type { Rule } from "../support/hub/access.ts";
import { POLICY_DEFINITIONS } from "../support/hub/definition.ts";
import type { Fault, Injected } from "../support/hub/fault.ts";
import type { TestHub } from "../support/hub/hub.ts";
import { expired, serverError, tooManyRequests } from "../support/hub/status.ts";
import type { OpenWatch } from "../support/hub/watch.ts";
import { createDeck, type Dice } from "./dice.ts";
import { POLICY_KINDS } from "./policies.ts";
import { definitionOf, isServed } from "./policy_world.ts";
import type { World } from "./world.ts";

/** The user that the agent is. */
export const USER = "edge";
/** What edge/kubernetes grants to read; the own Node is left as the soak has it. */
export const RULES: readonly Rule[] = needsOf({ kind: "node", nodeName: "n1" }).map(({ group, resource }) => ({
	verbs: ["list", "watch"],
	resources: [resource],
	groups: [group],
}));

/**
 * `resuming`: a client goes on from where it was, and what it loses on the way it has lost; `quick`: those, and others after which it
 * lists everything anew; `all`: those, and others that take it half a minute and more to get over.
 */
export type FaultSet = "resuming" | "quick" | "all";

export interface Faults {
	/** The next fault of a set. */
	strike(set: FaultSet): Promise<void>;
	/** Some faults end by themselves, after some changes. */
	tick(): Promise<void>;
	/** Takes all faults away. What a client noticed of them it must get over by itself. */
	calm(): Promise<void>;
	/** How often each one struck. */
	readonly counts: ReadonlyMap<string, number>;
}

export interface FaultOptions {
	readonly hub: TestHub;
	readonly world: World;
	readonly dice: Dice;
	/** Writes the agent's kubeconfig anew. */
	readonly configure: () => void;
}

const KIND_OF: ReadonlyMap<string, string> = new Map([
	["services", "Service"],
	["endpointslices.discovery.k8s.io", "EndpointSlice"],
	["nodes", "Node"],
	["localredirectpolicies.balancing.elf.io", "LocalRedirectPolicy"],
	["balancingpolicies.balancing.elf.io", "BalancingPolicy"],
]);

type Strike = () => void | Promise<void>;

/** What is to be undone, and after how many more changes. */
interface Undo {
	left: number;
	readonly undo: Strike;
}

export function createFaults(options: FaultOptions): Faults {
	const { hub, dice } = options;
	const undos = new Set<Undo>();
	const counts = new Map<string, number>();
	const later = (undo: Strike, most = 20): void => void undos.add({ left: 1 + dice.below(most), undo });
	const resuming = resumingCardsOf(options, later);
	const quick = [...resuming, ...listingCardsOf(options, later)];
	const decks: Readonly<Record<FaultSet, () => Card>> = {
		resuming: createDeck(dice, resuming),
		quick: createDeck(dice, quick),
		all: createDeck(dice, [...quick, ...slowCardsOf(options, later)]),
	};

	async function undoAll(due: readonly Undo[]): Promise<void> {
		for (const each of due) {
			undos.delete(each);
			await each.undo();
		}
	}

	return {
		counts,
		async strike(set) {
			const [name, strike] = decks[set]();
			counts.set(name, (counts.get(name) ?? 0) + 1);
			await strike();
		},
		async tick() {
			for (const each of undos) each.left--;
			await undoAll([...undos].filter(({ left }) => left <= 0));
		},
		async calm() {
			await undoAll([...undos]);
			hub.clearFaults();
			hub.shape({});
		},
	};
}

type Card = readonly [name: string, strike: Strike];
type Later = (undo: Strike, most?: number) => void;

function resumingCardsOf(options: FaultOptions, later: Later): readonly Card[] {
	return [...watchCards(options, later), ...answerCards(options), ...reachCards(options, later)];
}

function listingCardsOf(options: FaultOptions, later: Later): readonly Card[] {
	return [...errorCards(options), ...serverCards(options, later)];
}

function anyWatch(hub: TestHub, dice: Dice): (does: (watch: OpenWatch) => void) => Strike {
	return (does) => () => dice.some(hub.watches({ user: USER }), 1).forEach(does);
}

/** To one of the open watches. */
function watchCards({ hub, dice }: FaultOptions, later: Later): readonly Card[] {
	const any = anyWatch(hub, dice);
	return [
		["watch ends", any((watch) => watch.end())],
		["watch ends by FIN", any((watch) => watch.fin())],
		["watch is reset", any((watch) => watch.reset())],
		// What a client would notice after 150 s, the network tells sooner.
		[
			"watch is silent, then reset",
			any((watch) => {
				watch.silence();
				later(() => watch.reset());
			}),
		],
		[
			"half an event, then reset",
			any((watch) => {
				watch.text('{"type":"DELETED","object":{"kind":"Service","metadata":{"name":"s1","names');
				watch.reset();
			}),
		],
		// Twice in a deck: a client that passes over such a line loses one event, which few other faults would show.
		...Array.from(
			{ length: 2 },
			(): Card => ["half an event, then the next", any((watch) => watch.text('{"type":"ADDED","obj'))],
		),
		["garbage in a watch", any((watch) => watch.text("<html>502 Bad Gateway</html>\n"))],
		["unknown event", any((watch) => watch.event("NONSENSE", { metadata: { resourceVersion: "1" } }))],
		["bookmark", any((watch) => watch.bookmark())],
		["an event again", any((watch) => repeat(hub, dice, watch))],
	];
}

/** An object as it is, once more. No Pods: a watch may not select them. */
function repeat(hub: TestHub, dice: Dice, watch: OpenWatch): void {
	const kind = KIND_OF.get(watch.resource);
	if (kind === undefined || !isServed(hub, kind)) return;
	const isSteady = ({ metadata: { namespace } }: { readonly metadata: { readonly namespace?: string } }) =>
		namespace === undefined || namespace === "steady";
	const selected = hub.list(kind).filter(isSteady);
	for (const object of dice.some(selected, 1)) watch.event(dice.pick(["ADDED", "MODIFIED"]), object);
}

/** To the next request, or two. */
function nextRequest({ hub, dice }: FaultOptions): (name: string, make: () => Fault) => Card {
	let last: Injected | undefined;
	return (name, make) => [
		name,
		() => {
			// One at a time: many in a row would only make a client wait longer and longer.
			last?.remove();
			last = hub.inject({ user: USER }, make(), 1 + dice.below(2));
		},
	];
}

function answerCards(options: FaultOptions): readonly Card[] {
	const { dice } = options;
	const next = nextRequest(options);
	const bytes = () => 100 + dice.below(8000);
	return [
		next("429", () => ({ kind: "error", error: tooManyRequests(1) })),
		next("reset instead of an answer", () => ({ kind: "break", how: "reset" })),
		next("FIN instead of an answer", () => ({ kind: "break", how: "fin" })),
		next("answer cut by a reset", () => ({ kind: "cut", bytes: bytes(), how: "reset" })),
		next("answer cut by FIN", () => ({ kind: "cut", bytes: bytes(), how: "fin" })),
		next("answer by drops", () => ({ kind: "drip", bytes: 200 + dice.below(2000), everyMs: 1 })),
		next("answer late", () => ({ kind: "delay", ms: dice.below(400) })),
		next("200 with a page of HTML", () => ({
			kind: "content",
			pieces: ["<html><body>Log in first</body></html>"],
			contentType: "text/html",
			ending: "end",
		})),
		next("200 with nothing", () => ({ kind: "content", pieces: [], ending: "end" })),
	];
}

function errorCards(options: FaultOptions): readonly Card[] {
	const next = nextRequest(options);
	const any = anyWatch(options.hub, options.dice);
	return [
		next("500", () => ({ kind: "error", error: serverError(500, "no") })),
		next("503", () => ({ kind: "error", error: serverError(503, "no") })),
		next("410 on a request", () => ({ kind: "error", error: expired("The provided continue parameter is too old") })),
		["ERROR 500 in a watch", any((watch) => watch.error(serverError(500, "etcd is away")))],
		["ERROR 410 in a watch", any((watch) => watch.error(expired("too old resource version")))],
	];
}

/** The way to the server, and who we are to it. */
function reachCards({ hub, dice, configure }: FaultOptions, later: Later): readonly Card[] {
	return [
		[
			"answers in small pieces",
			() => {
				hub.shape({ chunkBytes: 1 + dice.below(300), writeBytes: 1 + dice.below(300), apart: dice.percent(50) });
				later(() => hub.shape({}));
			},
		],
		[
			"no new connections for a while",
			async () => {
				await hub.stopAccepting();
				later(() => hub.resumeAccepting());
			},
		],
		[
			"credentials rotated",
			() => {
				hub.rotateCredentials(USER);
				later(configure);
			},
		],
	];
}

function serverCards({ hub, world, dice }: FaultOptions, later: Later): readonly Card[] {
	return [
		["history compacted", () => hub.compact()],
		["streaming lists refused", () => hub.setFeatures({ initialEvents: dice.pick(["forbidden", "bad-request"]) })],
		["streaming lists served", () => hub.setFeatures({ initialEvents: "served" })],
		["server restarted", () => hub.restart({ how: dice.pick(["reset", "fin"]) })],
		[
			"server down for a while",
			async () => {
				await hub.kill(dice.pick(["reset", "fin"]));
				later(() => hub.restart());
			},
		],
		["store lost, all put back", () => loseStore(hub, world, true)],
		["store lost", () => loseStore(hub, world, false)],
	];
}

/** A new cluster at the old address; its versions are further on, as when it was restored elsewhere and went on. */
async function loseStore(hub: TestHub, world: World, all: boolean): Promise<void> {
	const [restore, revision] = [world.backup(), hub.revision()];
	await hub.restart({ store: "empty" });
	// Before anybody can have asked. The Service that always has endpoints is never away.
	hub.skip(revision + 1000);
	if (all) restore();
	else world.refillSteady();
	hub.compact();
}

function slowCardsOf({ hub, dice, configure }: FaultOptions, later: Later): readonly Card[] {
	return [
		[
			"refused (403) for a while",
			() => {
				hub.setRules(USER, dice.some(RULES, dice.below(2)));
				for (const watch of hub.watches({ user: USER })) watch.end();
				later(() => hub.setRules(USER, RULES), 60);
			},
		],
		[
			"Pods refused (403) for a while",
			() => {
				hub.setRules(
					USER,
					RULES.filter(({ resources }) => !resources.includes("pods")),
				);
				for (const watch of hub.watches({ user: USER, resource: "pods" })) watch.end();
				later(() => hub.setRules(USER, RULES), 60);
			},
		],
		["policies uninstalled for a while", () => uninstall(hub, dice, later)],
		[
			"accepts and says nothing",
			async () => {
				await hub.stall();
				later(() => hub.resumeAccepting(), 60);
			},
		],
		["silence instead of an answer", () => void hub.inject({ user: USER }, { kind: "break", how: "silence" }, 1)],
		[
			"answer that stops in the middle",
			() => void hub.inject({ user: USER }, { kind: "cut", bytes: 3000, how: "silence" }, 1),
		],
		["streaming lists ignored", () => hub.setFeatures({ initialEvents: "ignored" })],
		[
			"another authority",
			async () => {
				await hub.rotateAuthority();
				for (const watch of hub.watches({ user: USER })) watch.reset();
				later(configure);
			},
		],
	];
}

/** The definition of one of their kinds goes with all that is of it, and comes back without. */
function uninstall(hub: TestHub, dice: Dice, later: Later): void {
	const kind = dice.pick(POLICY_KINDS);
	if (!isServed(hub, kind)) return;
	const name = definitionOf(kind);
	hub.delete("CustomResourceDefinition", undefined, name);
	later(() => {
		if (!isServed(hub, kind)) hub.apply(POLICY_DEFINITIONS.filter(({ metadata }) => Object(metadata).name === name));
	}, 60);
}
