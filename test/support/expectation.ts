// What the kernel may do with a packet: what the oracle says, and what the socket that sends it has been promised before.

import type { L4Address } from "../../src/model/address.ts";
import { l4Address, l4Parts, parseIp } from "../../src/model/address.ts";
import type { Explanation, Question, Scope, Verdict } from "../../src/plan/explain/explanation.ts";
import type { Plan } from "../../src/plan/plan_types.ts";
import type { Packet } from "./packets.ts";
import { frontendsOf } from "./plan_lookup.ts";

export interface Sent {
	readonly question: Question;
	readonly packet: Packet;
	readonly explanation: Explanation;
	/** Where it went: see packets.ts. */
	readonly answer: string;
}

export interface Expectation {
	/** From now on this is what the kernel has. */
	program(plan: Plan): void;
	/** Undefined: it did what it has to; else what it should have done. To be told of each packet, in order. */
	judge(sent: Sent): string | undefined;
	/** How often a packet went where an earlier one of its socket had gone. */
	kept(): number;
}

/** FLOWS_PER_SOCKET of bpf/types.h. */
const FLOWS = 8;
const REFUSED = "ECONNREFUSED";

interface Flow {
	readonly dialled: L4Address;
	readonly frontend: L4Address;
	/** Where its datagrams went. */
	readonly answer: string;
	/** The frontend has been there ever since. */
	unbroken: boolean;
}

/** The flows of one unconnected socket; the oldest gives way. */
interface Socket {
	readonly flows: (Flow | undefined)[];
	next: number;
}

type Ours = Exclude<Verdict, { readonly kind: "pass" }>;

export function createExpectation(): Expectation {
	const sockets = new Map<string, Socket>();
	let kept = 0;

	function socketOf(scope: Scope, { call, family }: Packet): Socket | undefined {
		if (call.length > 1) return undefined;
		const name = `${scope} ${call} ${family}`;
		const socket = sockets.get(name) ?? { flows: [], next: 0 };
		sockets.set(name, socket);
		return socket;
	}

	function judgeOurs({ question, packet, answer }: Sent, verdict: Ours, frontend: L4Address): string | undefined {
		const dialled = l4Address(question.ip, question.port, question.protocol);
		const socket = socketOf(question.client.scope, packet);
		const flow = socket?.flows.find((each) => isFlowTo(each, dialled, frontend));
		const allowed = outcomesOf(verdict, flow);
		if (!allowed.includes(answer)) return `one of ${allowed.join(" ")} (flow: ${JSON.stringify(flow)})`;
		if (isKept(flow, answer)) kept += 1;
		if (answer !== REFUSED && socket !== undefined) remember(socket, { dialled, frontend, answer, unbroken: true });
		return undefined;
	}

	function judge(sent: Sent): string | undefined {
		const { verdict, frontend } = sent.explanation;
		if (verdict.kind !== "pass" && frontend !== undefined) return judgeOurs(sent, verdict, frontend.address);
		const wanted = verdict.kind === "pass" ? textOf(reached(sent.question)) : REFUSED;
		return sent.answer === wanted ? undefined : wanted;
	}

	return {
		program(plan) {
			const there = frontendsOf(plan);
			for (const { flows } of sockets.values())
				for (const flow of flows) if (flow !== undefined && !there.has(flow.frontend)) flow.unbroken = false;
		},
		judge,
		kept: () => kept,
	};
}

/** A flow keeps its backend as long as the frontend has it. What a frontend that was gone has left behind may be used. */
function outcomesOf(verdict: Ours, flow: Flow | undefined): readonly string[] {
	const [active, terminating] = [verdict.kind === "refuse" ? [] : verdict.active, verdict.terminating];
	const news = active.length === 0 ? [REFUSED] : active.map(textOf);
	if (flow === undefined || ![...active, ...terminating].map(textOf).includes(flow.answer)) return news;
	return flow.unbroken ? [flow.answer] : [...news, flow.answer];
}

function isFlowTo(flow: Flow | undefined, dialled: L4Address, frontend: L4Address): boolean {
	return flow?.dialled === dialled && flow.frontend === frontend;
}

function isKept(flow: Flow | undefined, answer: string): boolean {
	return flow?.unbroken === true && flow.answer === answer;
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
