// Events as kube-apiserver 1.36 writes them, and what is none.

import { expect, test } from "bun:test";
import { HubError } from "../request/hub_error.ts";
import { parseEvent } from "./watch_event.ts";

const parse = (text: string) => parseEvent(new TextEncoder().encode(text));
const OBJECT = { kind: "Service", metadata: { name: "web", namespace: "demo", resourceVersion: "812" } };

test.each([
	["ADDED", "put"],
	["MODIFIED", "put"],
	["DELETED", "drop"],
] as const)("parseEvent() reads %s", (type, kind) => {
	expect(parse(JSON.stringify({ type, object: OBJECT }))).toEqual({ kind, object: OBJECT, version: "812" });
});

test("parseEvent() reads bookmarks, and the one that ends the initial events", () => {
	const bookmark =
		'{"type":"BOOKMARK","object":{"kind":"Service","metadata":{"resourceVersion":"9","creationTimestamp":null}}}';
	expect(parse(bookmark)).toEqual({ kind: "bookmark", version: "9", complete: false });
	const end =
		'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}';
	expect(parse(end)).toEqual({ kind: "bookmark", version: "9", complete: true });
});

test("parseEvent() reads an ERROR by code and reason", () => {
	const event = parse(
		'{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (5)","reason":"Expired","code":410}}',
	);
	expect(event?.kind).toBe("error");
	const error = event?.kind === "error" ? event.error : undefined;
	expect(error).toMatchObject({ status: 410, reason: "Expired" });
	expect(error?.message).toBe("Cannot go on watching: 410 too old resource version: 1 (5)");
});

test("parseEvent() passes over types that it does not know", () => {
	expect(parse(JSON.stringify({ type: "PROGRESS", object: OBJECT }))).toBeUndefined();
});

test.each([
	["not JSON"],
	['{"type":"ADDED"'],
	["[]"],
	["null"],
	["{}"],
	['{"type":"ADDED"}'],
	['{"type":"ADDED","object":null}'],
	['{"type":7,"object":{}}'],
	['{"type":"ADDED","object":{"metadata":{"name":"a"}}}'],
	['{"type":"ADDED","object":{"metadata":{"resourceVersion":5}}}'],
	['{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":""}}}'],
])("parseEvent() refuses %s", (text) => {
	expect(() => parse(text)).toThrow(HubError);
});
