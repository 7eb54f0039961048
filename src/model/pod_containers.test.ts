// Names of containers by their ids.

import { expect, test } from "bun:test";
import { containersIn, readContainers } from "./pod_containers.ts";

test.each([
	["", []],
	["0a web", [["0a", "web"]]],
	[
		"0a web 0b sidecar",
		[
			["0a", "web"],
			["0b", "sidecar"],
		],
	],
] as const)("containersIn(%j)", (text, expected) => {
	expect([...containersIn(text)]).toEqual(expected.map(([id, name]) => [id, name]));
});

test("containersIn() has what readContainers() took", () => {
	const containerStatuses = [
		{ name: "web", containerID: "containerd://0a" },
		{ name: "never-started" },
		{ name: "log", containerID: "containerd://0b" },
	];
	const names = containersIn(readContainers({ containerStatuses }));
	expect(names).toEqual(
		new Map([
			["0a", "web"],
			["0b", "log"],
		]),
	);
});

test.each([
	[
		"not started",
		{ containerStatuses: [{ name: "a" }, { name: "b", containerID: "" }, { name: "c", containerID: null }] },
	],
	["without a name", { initContainerStatuses: [{ containerID: "x://0a" }, { name: "", containerID: "x://0a" }] }],
	["of no container's name", { containerStatuses: [{ name: "a b", containerID: "x://0a" }] }],
	[
		"of no runtime's id",
		{
			containerStatuses: [
				{ name: "a", containerID: "x://0a b" },
				{ name: "b", containerID: 5 },
			],
		},
	],
	["no object", { containerStatuses: [null, 7, "a"], initContainerStatuses: {}, ephemeralContainerStatuses: null }],
])("readContainers() leaves out what is %s, without a word", (_, status) => {
	expect(readContainers(status)).toBe("");
});
