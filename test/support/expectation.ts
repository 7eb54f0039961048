// What the kernel may do with a packet: what the oracle says, and what the socket that sends it has been promised before.

import type { L4Address } from "../../src/model/address.ts";
import { l4Address, l4Parts, parseIp } from "../../src/model/address.ts";
import type { Explanation, Question, Scope, Verdict } from "../../src/plan/explain/explanation.ts";
import type { Affinity, Frontend, Plan } from "../../src/plan/plan_types.ts";
import { asDialled, type Packet } from "./packets.ts";
import { frontendsOf } from "./plan_lookup.ts";

export interface Sent {
	readonly question: Question;
	readonly packet: Packet;
	readonly explanation: Explanation;
	/** Where it went, and what getpeername() shows: see packets.ts. */
	readonly answer: string;
	readonly peer: string;
}

export interface Expectation {
	/** From now on this is what the kernel has. */
	program(plan: Plan): void;
	/** Undefined: it did what it has to; else what it should have done. To be told of each packet, in order. */
	judge(sent: Sent): string | undefined;
	/** How often a packet went where an earlier one had gone because it had to: of its socket, or of its client. */
	kept(): { readonly flows: number; readonly clients: number };
}

/** FLOWS_PER_SOCKET of bpf/types.h. */
const FLOWS = 8;
const REFUSED = "ECONNREFUSED";
/** Seconds: whether a shorter affinity has ended while packets were sent, nobody knows. */
const LONG = 3600;

/** Where something went before. */
interface Memory {
	readonly answer: string;
	/** What it belongs to has been there ever since. */
	unbroken: boolean;
}

/** Of a frontend. Redirects stand before who would have their address without them. */
type Place = `${L4Address} ${"redirect" | "plain"}`;

interface Flow extends Memory {
	readonly dialled: L4Address;
	/** Several where it cannot be told which one it was. */
	readonly frontends: readonly Place[];
}

interface Client extends Memory {
	readonly group: string;
}

/** The flows of one unconnected socket; the oldest gives way. */
interface Socket {
	readonly flows: (Flow | undefined)[];
	next: number;
}

interface Recalled {
	readonly dialled: L4Address;
	/** Only of one that goes on. */
	readonly socket: Socket | undefined;
	readonly flow: Flow | undefined;
	readonly client: Client | undefined;
	/** The client's; "" without affinity. */
	readonly name: string;
	readonly group: string;
	readonly isLong: boolean;
}

interface Learned extends Recalled {
	readonly at: Place;
	readonly answer: string;
	readonly how: "chosen" | "kept" | "unclear";
}

type Ours = Exclude<Verdict, { readonly kind: "pass" }>;

export function createExpectation(): Expectation {
	const sockets = new Map<string, Socket>();
	const clients = new Map<string, Client>();
	let frontends: ReadonlyMap<Place, Frontend> = new Map();
	let [flowsKept, clientsKept] = [0, 0];

	function socketOf(scope: Scope, { call, family }: Packet): Socket | undefined {
		if (call.length > 1) return undefined;
		const name = `${scope} ${call} ${family}`;
		const socket = sockets.get(name) ?? { flows: [], next: 0 };
		sockets.set(name, socket);
		return socket;
	}

	/** What a frontend may know of who connects. */
	function recall({ question, packet }: Sent, at: Place): Recalled {
		const dialled = l4Address(question.ip, question.port, question.protocol);
		const { scope } = question.client;
		const socket = socketOf(scope, packet);
		const flow = socket?.flows.find((each) => each?.dialled === dialled && each.frontends.includes(at));
		const affinity = frontends.get(at)?.affinity;
		const group = affinity?.group ?? "";
		const name = affinity === undefined ? "" : `${group} ${whoIs(affinity, scope)}`;
		return { dialled, socket, flow, client: clients.get(name), name, group, isLong: Number(affinity?.seconds) >= LONG };
	}

	function judgeOurs(sent: Sent, verdict: Ours, at: Place): string | undefined {
		const { answer } = sent;
		const recalled = recall(sent, at);
		const { flow, client } = recalled;
		const news = newOutcomes(verdict, client);
		const allowed = outcomesOf(verdict, news, flow);
		if (!allowed.includes(answer))
			return `one of ${allowed.join(" ")} (flow: ${JSON.stringify(flow)}, client: ${JSON.stringify(client)})`;
		if (answer === REFUSED) return undefined;
		learn({ ...recalled, at, answer, how: allowed === news ? "chosen" : flow?.unbroken ? "kept" : "unclear" });
		return undefined;
	}

	/** A flow of the redirect stays, and so does one of who is next; what is new goes to the redirect while there is room in the second. */
	function judgeRedirect(sent: Sent, verdict: Ours, address: L4Address): string | undefined {
		const [redirect, plain] = [placeOf(address, true), placeOf(address, false)];
		const after = afterRedirect(sent, plain);
		if (after !== undefined && isKept(recall(sent, plain).flow, after)) return judgeOurs(sent, after, plain);
		const { flow } = recall(sent, redirect);
		if (isKept(flow, verdict)) return judgeOurs(sent, verdict, redirect);
		const old = [...oldOutcomes(verdict, flow), ...oldOutcomes(after, recall(sent, plain).flow)];
		const [own, over] = [newOutcomes(verdict, undefined), overOutcomes(sent)];
		if (old.length === 0 && !over.includes(sent.answer)) return judgeOurs(sent, verdict, redirect);
		if (old.length === 0 && !own.includes(sent.answer)) return judgeOver(sent);
		return judgeEither(sent, [redirect, plain], [...own, ...over, ...old]);
	}

	/** Of what is over the limit, if anything may be. */
	function overOutcomes(sent: Sent): readonly string[] {
		const { limited } = sent.explanation;
		if (limited === undefined || limited.perSecond >= UNREACHABLE) return [];
		const { verdict, frontend } = limited;
		if (verdict.kind === "pass") return [textOf(reached(sent.question))];
		const flow = frontend && recall(sent, placeOf(frontend.address, false)).flow;
		return outcomesOf(verdict, newOutcomes(verdict, undefined), flow);
	}

	function judgeOver(sent: Sent): string | undefined {
		const { verdict, frontend } = sent.explanation.limited ?? { verdict: sent.explanation.verdict };
		if (verdict.kind === "pass" || frontend === undefined) return undefined;
		return judgeOurs(sent, verdict, placeOf(frontend.address, false));
	}

	/** By which of both it went is not to be seen: from now on it may be either's. */
	function judgeEither(sent: Sent, either: readonly [Place, Place], allowed: readonly string[]): string | undefined {
		const { answer } = sent;
		const { socket, dialled, name } = recall(sent, either[1]);
		if (!allowed.includes(answer)) return `one of ${allowed.join(" ")}`;
		if (answer !== REFUSED && socket !== undefined)
			remember(socket, { dialled, frontends: either, answer, unbroken: false });
		clients.delete(name);
		return undefined;
	}

	/** What a plan says of who is next. */
	function afterRedirect(sent: Sent, plain: Place): Ours | undefined {
		const { limited } = sent.explanation;
		if (limited !== undefined && limited.verdict.kind !== "pass") return limited.verdict;
		const next = frontends.get(plain);
		if (next === undefined) return undefined;
		const { active, terminating } = next;
		return { kind: "translate", active, terminating };
	}

	function learn(learned: Learned): void {
		const { at, answer, how, dialled, socket, name } = learned;
		if (socket !== undefined) remember(socket, { dialled, frontends: [at], answer, unbroken: true });
		if (how === "kept") flowsKept += 1;
		else if (name !== "") learnClient(learned);
	}

	function learnClient(learned: Learned): void {
		const { answer, how, name, group, isLong } = learned;
		if (isSameAgain(learned)) clientsKept += 1;
		// Whether a flow was kept that need not have been, or its backend was chosen anew, nobody knows.
		if (how === "unclear" || !isLong) clients.delete(name);
		else clients.set(name, { group, answer, unbroken: true });
	}

	/** A redirect without active backends is there for the flows that it has: how it must be, if the socket has one. */
	function judgeDraining(sent: Sent): { readonly wanted: string | undefined } | undefined {
		const { ip, port, protocol } = sent.question;
		const redirect = placeOf(l4Address(ip, port, protocol), true);
		const there = frontends.get(redirect);
		if (there === undefined || there.active.length > 0) return undefined;
		const verdict: Ours = { kind: "translate", active: [], terminating: there.terminating };
		const { flow } = recall(sent, redirect);
		if (isKept(flow, verdict)) return { wanted: judgeOurs(sent, verdict, redirect) };
		// What was left behind by a redirect that was gone may be used again.
		return oldOutcomes(verdict, flow).includes(sent.answer) ? { wanted: undefined } : undefined;
	}

	function judgeWay(sent: Sent): string | undefined {
		const draining = judgeDraining(sent);
		if (draining !== undefined) return draining.wanted;
		const { verdict, frontend } = sent.explanation;
		if (verdict.kind !== "pass" && frontend !== undefined) {
			const isRedirect = frontend.mode.startsWith("localRedirect");
			return isRedirect
				? judgeRedirect(sent, verdict, frontend.address)
				: judgeOurs(sent, verdict, placeOf(frontend.address, false));
		}
		const wanted = verdict.kind === "pass" ? textOf(reached(sent.question)) : REFUSED;
		return sent.answer === wanted ? undefined : wanted;
	}

	function judge(sent: Sent): string | undefined {
		return judgeWay(sent) ?? judgePeer(sent);
	}

	function program(plan: Plan): void {
		frontends = placesOf(plan);
		breakFlows(sockets, frontends);
		breakClients(clients, frontends);
	}

	return { program, judge, kept: () => ({ flows: flowsKept, clients: clientsKept }) };
}

/** Who is translated sees the address that it used. */
function judgePeer({ question, packet, explanation, answer, peer }: Sent): string | undefined {
	if (answer === REFUSED || packet.call !== "udp") return undefined;
	const { ip, port } = explanation.verdict.kind === "pass" ? l4Parts(reached(question)) : question;
	const wanted = `${asDialled({ ...packet, ip })}|${port}`;
	return peer === wanted ? undefined : `peer ${wanted}, not ${peer}`;
}

function isSameAgain({ how, client, answer }: Learned): boolean {
	return how === "chosen" && client?.unbroken === true && client.answer === answer;
}

/** What comes back after a while may have another id. */
function breakFlows(sockets: ReadonlyMap<string, Socket>, frontends: ReadonlyMap<Place, Frontend>): void {
	for (const { flows } of sockets.values())
		for (const flow of flows) if (flow !== undefined && !stillHas(frontends, flow)) flow.unbroken = false;
}

/** With a group's last frontend its clients are forgotten. */
function breakClients(clients: Map<string, Client>, frontends: ReadonlyMap<Place, Frontend>): void {
	const all = [...frontends.values()];
	const groups = new Set(all.map(({ affinity }) => affinity?.group));
	const backends = new Set(all.flatMap(backendsOf));
	for (const client of clients.values()) client.unbroken &&= backends.has(client.answer);
	for (const [name, { group }] of clients) if (!groups.has(group)) clients.delete(name);
}

function stillHas(places: ReadonlyMap<Place, Frontend>, { frontends, answer }: Flow): boolean {
	return frontends.every((place) => {
		const there = places.get(place);
		return there !== undefined && backendsOf(there).includes(answer);
	});
}

function placeOf(address: L4Address, isRedirect: boolean): Place {
	return `${address} ${isRedirect ? "redirect" : "plain"}`;
}

function placesOf(plan: Plan): ReadonlyMap<Place, Frontend> {
	const places = new Map<Place, Frontend>();
	for (const [address, frontend] of frontendsOf(plan)) {
		const { redirect } = frontend;
		places.set(placeOf(address, redirect !== undefined), frontend);
		if (redirect?.next !== undefined) places.set(placeOf(address, false), redirect.next);
	}
	return places;
}

/** A limit that random packets never come to. */
const UNREACHABLE = 100_000;

/** It is known whose the flow is, and that it has been there all the time. */
function isKept(flow: Flow | undefined, verdict: Ours): boolean {
	return flow?.unbroken === true && backendsIn(verdict).includes(flow.answer);
}

/** What a frontend that was gone has left behind may be used. */
function oldOutcomes(verdict: Ours | undefined, flow: Flow | undefined): readonly string[] {
	if (verdict === undefined || flow === undefined) return [];
	return backendsIn(verdict).includes(flow.answer) ? [flow.answer] : [];
}

function backendsOf({ active, terminating }: Frontend): readonly string[] {
	return [...active, ...terminating].map(textOf);
}

/** Each namespace has one process, and one cgroup; both are of one user. */
function whoIs({ client }: Affinity, scope: Scope): string {
	return client === "uid" ? client : `${client} ${scope}`;
}

/** Where a choice made anew may lead. */
function newOutcomes(verdict: Ours, client: Client | undefined): readonly string[] {
	if (verdict.kind === "refuse") return [REFUSED];
	const active = verdict.active.map(textOf);
	return client?.unbroken && active.includes(client.answer) ? [client.answer] : active;
}

/** A flow keeps its backend as long as the frontend has it. What a frontend that was gone has left behind may be used. */
function outcomesOf(verdict: Ours, news: readonly string[], flow: Flow | undefined): readonly string[] {
	if (flow === undefined || !backendsIn(verdict).includes(flow.answer)) return news;
	return flow.unbroken ? [flow.answer] : [...news, flow.answer];
}

function backendsIn(verdict: Ours): readonly string[] {
	const active = verdict.kind === "refuse" ? [] : verdict.active;
	return [...active, ...verdict.terminating].map(textOf);
}

function remember(socket: Socket, flow: Flow): void {
	const index = socket.flows.findIndex((each) => each?.dialled === flow.dialled);
	if (index >= 0) socket.flows[index] = flow;
	else {
		socket.flows[socket.next % FLOWS] = flow;
		socket.next += 1;
	}
}

/** `ADDRESS|PORT` */
function textOf(address: L4Address): string {
	const { ip, port } = l4Parts(address);
	return `${ip}|${port}`;
}

/** The kernel takes the unspecified address for loopback, after the programs have seen it. */
function reached({ ip, port, protocol }: Question): L4Address {
	const loopback = parseIp(ip === "0.0.0.0" ? "127.0.0.1" : ip === "::" ? "::1" : ip);
	return l4Address(loopback ?? ip, port, protocol);
}
