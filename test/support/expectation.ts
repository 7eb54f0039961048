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

interface Flow extends Memory {
	readonly dialled: L4Address;
	readonly frontend: L4Address;
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
	readonly at: L4Address;
	readonly answer: string;
	readonly how: "chosen" | "kept" | "unclear";
}

type Ours = Exclude<Verdict, { readonly kind: "pass" }>;

export function createExpectation(): Expectation {
	const sockets = new Map<string, Socket>();
	const clients = new Map<string, Client>();
	let frontends: ReadonlyMap<L4Address, Frontend> = new Map();
	let [flowsKept, clientsKept] = [0, 0];

	function socketOf(scope: Scope, { call, family }: Packet): Socket | undefined {
		if (call.length > 1) return undefined;
		const name = `${scope} ${call} ${family}`;
		const socket = sockets.get(name) ?? { flows: [], next: 0 };
		sockets.set(name, socket);
		return socket;
	}

	/** What a frontend may know of who connects. */
	function recall({ question, packet }: Sent, at: L4Address): Recalled {
		const dialled = l4Address(question.ip, question.port, question.protocol);
		const { scope } = question.client;
		const socket = socketOf(scope, packet);
		const flow = socket?.flows.find((each) => each?.dialled === dialled && each.frontend === at);
		const affinity = frontends.get(at)?.affinity;
		const group = affinity?.group ?? "";
		const name = affinity === undefined ? "" : `${group} ${whoIs(affinity, scope)}`;
		return { dialled, socket, flow, client: clients.get(name), name, group, isLong: Number(affinity?.seconds) >= LONG };
	}

	function judgeOurs(sent: Sent, verdict: Ours, at: L4Address): string | undefined {
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

	function learn(learned: Learned): void {
		const { at, answer, how, dialled, socket, name } = learned;
		if (socket !== undefined) remember(socket, { dialled, frontend: at, answer, unbroken: true });
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

	function judgeWay(sent: Sent): string | undefined {
		const { verdict, frontend } = sent.explanation;
		if (verdict.kind !== "pass" && frontend !== undefined) return judgeOurs(sent, verdict, frontend.address);
		const wanted = verdict.kind === "pass" ? textOf(reached(sent.question)) : REFUSED;
		return sent.answer === wanted ? undefined : wanted;
	}

	function judge(sent: Sent): string | undefined {
		return judgeWay(sent) ?? judgePeer(sent);
	}

	function program(plan: Plan): void {
		frontends = frontendsOf(plan);
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
function breakFlows(sockets: ReadonlyMap<string, Socket>, frontends: ReadonlyMap<L4Address, Frontend>): void {
	for (const { flows } of sockets.values())
		for (const flow of flows) if (flow !== undefined && !stillHas(frontends, flow)) flow.unbroken = false;
}

/** With a group's last frontend its clients are forgotten. */
function breakClients(clients: Map<string, Client>, frontends: ReadonlyMap<L4Address, Frontend>): void {
	const all = [...frontends.values()];
	const groups = new Set(all.map(({ affinity }) => affinity?.group));
	const backends = new Set(all.flatMap(backendsOf));
	for (const client of clients.values()) client.unbroken &&= backends.has(client.answer);
	for (const [name, { group }] of clients) if (!groups.has(group)) clients.delete(name);
}

function stillHas(frontends: ReadonlyMap<L4Address, Frontend>, { frontend, answer }: Flow): boolean {
	const there = frontends.get(frontend);
	return there !== undefined && backendsOf(there).includes(answer);
}

function backendsOf({ active, terminating }: Frontend): readonly string[] {
	return [...active, ...terminating].map(textOf);
}

/** Each namespace has one process; both are of one cgroup, and of one user. */
function whoIs({ client }: Affinity, scope: Scope): string {
	return client === "netns" || client === "process" ? `${client} ${scope}` : client;
}

/** Where a choice made anew may lead. */
function newOutcomes(verdict: Ours, client: Client | undefined): readonly string[] {
	if (verdict.kind === "refuse") return [REFUSED];
	const active = verdict.active.map(textOf);
	return client?.unbroken && active.includes(client.answer) ? [client.answer] : active;
}

/** A flow keeps its backend as long as the frontend has it. What a frontend that was gone has left behind may be used. */
function outcomesOf(verdict: Ours, news: readonly string[], flow: Flow | undefined): readonly string[] {
	const active = verdict.kind === "refuse" ? [] : verdict.active;
	if (flow === undefined || ![...active, ...verdict.terminating].map(textOf).includes(flow.answer)) return news;
	return flow.unbroken ? [flow.answer] : [...news, flow.answer];
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
