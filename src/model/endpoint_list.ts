// The endpoints of a slice as one text. Of nothing else is there so much: as objects they took ten times the memory.

import type { Ip } from "./address.ts";
import type { Endpoint } from "./cluster.ts";
import { shareHints } from "./hints.ts";
import { ownString } from "./raw.ts";

declare const brand: unique symbol;

/** A line for each endpoint: `10.0.0.1 3 node-a`, and its hints, if it has any. Equal texts are equal endpoints in the same order. */
export type EndpointList = string & { readonly [brand]: "EndpointList" };

export const NO_ENDPOINTS = "" as EndpointList;

const READY = 1;
const SERVING = 2;
const TERMINATING = 4;
const NO_NAMES: readonly string[] = [];

/** `endpointsIn` gives them back. */
export function listEndpoints(endpoints: readonly Endpoint[]): EndpointList {
	let text = "";
	for (const endpoint of endpoints) text += lineOf(endpoint);
	// In one piece: engines keep the pieces of a text that was put together.
	return (text === "" ? NO_ENDPOINTS : ownString(text)) as EndpointList;
}

/** New objects at each call: good for one look at them. */
export function endpointsIn(list: EndpointList): readonly Endpoint[] {
	const endpoints: Endpoint[] = [];
	for (let at = 0; at < list.length; ) {
		const end = list.indexOf("\n", at);
		endpoints.push(endpointOf(list, at, end));
		at = end + 1;
	}
	return endpoints;
}

// No address, and no name of a node or a zone, has a blank or a comma.
function lineOf({ ip, ready, serving, terminating, nodeName, hints }: Endpoint): string {
	const state = (ready ? READY : 0) + (serving ? SERVING : 0) + (terminating ? TERMINATING : 0);
	const line = `${ip} ${state} ${nodeName}`;
	return hints === undefined ? `${line}\n` : `${line} ${hints.nodes.join()} ${hints.zones.join()}\n`;
}

/** Of the line from `start` to `end`. */
function endpointOf(list: string, start: number, end: number): Endpoint {
	const blank = list.indexOf(" ", start);
	const state = list.charCodeAt(blank + 1);
	const name = blank + 3;
	const nameEnd = list.indexOf(" ", name);
	const isPlain = nameEnd === -1 || nameEnd > end;
	const endpoint = {
		ip: list.slice(start, blank) as Ip,
		ready: (state & READY) !== 0,
		serving: (state & SERVING) !== 0,
		terminating: (state & TERMINATING) !== 0,
		nodeName: list.slice(name, isPlain ? end : nameEnd),
	};
	if (isPlain) return endpoint;
	const [nodes = "", zones = ""] = list.slice(nameEnd + 1, end).split(" ");
	const hints = shareHints(namesIn(nodes), namesIn(zones));
	return hints === undefined ? endpoint : { ...endpoint, hints };
}

function namesIn(text: string): readonly string[] {
	return text === "" ? NO_NAMES : text.split(",");
}
