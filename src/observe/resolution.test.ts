// The record of a resolution, field by field: log pipelines depend on the names.

import { expect, test } from "bun:test";
import { parseIp } from "../model/address.ts";
import { type ClientNames, type Resolution, resolutionRecord } from "./resolution.ts";

function ip(text: string) {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(`No address: ${text}`);
	return parsed;
}

const EVENT: Resolution = {
	result: "success",
	reason: "",
	redirectHitLimit: false,
	mode: "ServiceClusterIP",
	protocol: "TCP",
	frontendId: 7,
	original: { ip: ip("10.96.0.10"), port: 80 },
	backend: { ip: ip("fd00::1"), port: 8080 },
	pid: 100,
	tid: 101,
	uid: 1000,
	comm: "curl",
	cgroupId: 4242n,
};

const CLIENT: ClientNames = {
	hostProcess: false,
	pod: "shop-0",
	namespace: "demo",
	podUid: "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11",
	container: "shop",
	containerId: "0a".repeat(32),
	unit: "",
};

test("resolutionRecord() of a success", () => {
	const context = { name: "demo/web:http", node: "one", time: Date.UTC(2026, 0, 2, 3, 4, 5, 678), client: CLIENT };
	const record = resolutionRecord(EVENT, context);
	expect(record).toEqual({
		time: "2026-01-02T03:04:05.678Z",
		node: "one",
		result: "success",
		reason: "",
		original: { ip: ip("10.96.0.10"), port: 80 },
		backend: { ip: ip("fd00::1"), port: 8080 },
		protocol: "TCP",
		nat: { type: "service", mode: "ServiceClusterIP" },
		object: "demo/web",
		serviceId: 7,
		redirectHitLimit: false,
		client: {
			pid: 100,
			tid: 101,
			uid: 1000,
			comm: "curl",
			cgroupId: 4242,
			hostProcess: false,
			pod: "shop-0",
			namespace: "demo",
			podUid: "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11",
			container: "shop",
			containerId: "0a".repeat(32),
			unit: "",
		},
	});
	expect(() => JSON.stringify(record)).not.toThrow();
});

test("resolutionRecord() of a refusal has a reason and no backend", () => {
	const { backend: _, ...rest } = EVENT;
	const event = { ...rest, result: "failure", reason: "NoBackends", backend: undefined } as const;
	expect(resolutionRecord(event, { name: "demo/web:80", node: "one", time: 0, client: CLIENT })).toMatchObject({
		result: "failure",
		reason: "NoBackends",
		backend: null,
		object: "demo/web",
	});
});

test("resolutionRecord() says what kind of address it was", () => {
	const event = { ...EVENT, mode: "ServiceNodeport" } as const;
	expect(resolutionRecord(event, { name: "demo/web:80", node: "one", time: 0, client: CLIENT }).nat).toEqual({
		type: "service",
		mode: "ServiceNodeport",
	});
});

test.each([
	["localRedirectService", "localRedirect"],
	["localRedirectAddress", "localRedirect"],
	["balancingPod", "balancing"],
	["balancingHostPort", "balancing"],
	["balancingNodeProxy", "balancing"],
	["balancingAddress", "balancing"],
	["ServiceClusterIP", "service"],
] as const)("resolutionRecord() of a frontend of %s is of type %s", (mode, type) => {
	expect(resolutionRecord({ ...EVENT, mode }, { name: "dns:53", node: "one", time: 0, client: CLIENT }).nat).toEqual({
		type,
		mode,
	});
});

test("resolutionRecord() of a policy names it, with the id that it was given", () => {
	const event = { ...EVENT, mode: "localRedirectService", redirectHitLimit: true } as const;
	expect(
		resolutionRecord(event, { name: "dns-cache:dns", serviceId: 41_007, node: "one", time: 0, client: CLIENT }),
	).toMatchObject({
		object: "dns-cache",
		serviceId: 41_007,
		redirectHitLimit: true,
	});
	expect(resolutionRecord(event, { name: "dns-cache:dns", node: "one", time: 0, client: CLIENT }).serviceId).toBe(7);
});

test("resolutionRecord() of a frontend that is gone has an empty object", () => {
	expect(resolutionRecord(EVENT, { name: "", node: "one", time: 0, client: CLIENT }).object).toBe("");
});
