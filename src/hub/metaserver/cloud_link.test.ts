// Which lists can only come from the cloud, and when that is told.

import { expect, test } from "bun:test";
import { recordingLog } from "../../../test/support/log.ts";
import { needsOf } from "../kinds/needs.ts";
import { scopesOf } from "../kinds/scopes.ts";
import { createCloudLink, isFromCloud } from "./cloud_link.ts";

const NAMESPACED = needsOf({ kind: "node", nodeName: "n1" }).filter(
	({ kind }) => kind === "Service" || kind === "EndpointSlice",
);
const ALL = { namespaces: [], selector: "" };

test.each([
	["an API server's", { metadata: { resourceVersion: "184" } }, true],
	[
		"one whose API server is older than 1.20",
		{ metadata: { resourceVersion: "184", selfLink: "/api/v1/services" } },
		true,
	],
	["a store's", { metadata: { resourceVersion: "184", selfLink: "/core/v1/services" } }, false],
	[
		"a store's of a group",
		{ metadata: { resourceVersion: "9", selfLink: "/discovery.k8s.io/v1/endpointslices" } },
		false,
	],
	["an empty store's", {}, false],
	["one without a version", { metadata: {} }, false],
	["one of a store that has seen no version", { metadata: { resourceVersion: "0" } }, false],
	["one with an empty version", { metadata: { resourceVersion: "" } }, false],
	["one with a version that is a number", { metadata: { resourceVersion: 184 } }, false],
	["one with a link that is none", { metadata: { resourceVersion: "184", selfLink: 1 } }, false],
	["one without metadata", { metadata: null }, false],
] as const)("isFromCloud() of %s", (_, part, expected) => {
	const frame = { apiVersion: "v1", kind: "ServiceList", items: [], ...part };
	for (const scope of scopesOf(NAMESPACED, ALL)) {
		expect(isFromCloud(frame, scope, (key) => key === "default/kubernetes")).toBe(expected);
		// Every cluster has that one.
		expect(isFromCloud(frame, scope, () => false)).toBe(false);
	}
});

test.each([
	// Nodes are in none, and Pods are not all.
	["of a namespace", { namespaces: ["demo"], selector: "" }, [true, true, true, true, true, true]],
	// It narrows Services alone.
	["with a selector", { namespaces: [], selector: "app=web" }, [true, false, true, true, true, true]],
])("isFromCloud() does not ask for default/kubernetes in a list %s", (_, narrowing, expected) => {
	const frame = { metadata: { resourceVersion: "184" } };
	expect(
		scopesOf(needsOf({ kind: "node", nodeName: "n1" }), narrowing).map((scope) =>
			isFromCloud(frame, scope, () => false),
		),
	).toEqual(expected);
});

test("createCloudLink() tells once that the cloud is gone, and when all kinds have it again", () => {
	const log = recordingLog();
	const link = createCloudLink(log);
	link.answered("Services", true);
	expect(link.lostSince()).toBeNull();
	link.answered("Services", false);
	const since = link.lostSince();
	expect(since).toBeInstanceOf(Date);
	link.answered("EndpointSlices", false);
	link.answered("Services", false);
	link.answered("EndpointSlices", true);
	expect(link.lostSince()).toEqual(since);
	link.answered("Services", true);
	expect(link.lostSince()).toBeNull();
	expect(log.messages()).toEqual([
		"warn The MetaServer answers from its own store, without the cloud",
		"info The cloud answers the MetaServer again",
	]);
});

test("createCloudLink() forgets what nobody asks for any more", () => {
	const link = createCloudLink(recordingLog());
	link.answered("Pods with app=web", false);
	expect(link.lostSince()).not.toBeNull();
	link.leave("Pods with app=web");
	expect(link.lostSince()).toBeNull();
});
