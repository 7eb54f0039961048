// Which hubs flags mean, and in which order.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { resolveConfig } from "../config.ts";
import { parseCommandLine, UsageError } from "./command_line.ts";
import type { Environment } from "./given.ts";
import type { HubChoice } from "./hub_choice.ts";

const FLAGS = ["manifests", "kubeconfig", "context", "api-server", "metaserver"] as const;

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(`${tmpdir()}/balancing-test-${process.pid}-hub-choice-`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** `k=F c=a` is `--kubeconfig=F --context=a`. */
const SHORT: Readonly<Record<string, string>> = {
	m: "manifests",
	k: "kubeconfig",
	c: "context",
	a: "api-server",
	s: "metaserver",
};

function spell(text: string): readonly string[] {
	return text.split(" ").flatMap((word) => (word === "" ? [] : `--${SHORT[word.slice(0, 1)]}${word.slice(1)}`));
}

/** `F/a@X:1`: context a of the file F at the address X:1; `*` is what is found by itself. */
function show(choice: HubChoice): string {
	if (choice.kind === "manifests") return `m:${choice.path}`;
	if (choice.kind === "metaserver") return `s:${choice.url}`;
	const { kubeconfig = "*", context, apiServer } = choice;
	return `${kubeconfig}${context === undefined ? "" : `/${context}`}${apiServer === undefined ? "" : `@${apiServer}`}`;
}

function choose(typed: string, env: Environment = {}): string {
	return resolveConfig(parseCommandLine(spell(typed), FLAGS), FLAGS, env)
		.hubs.map(show)
		.join(" ");
}

function complaint(typed: string, env: Environment = {}): string {
	try {
		return `It chose ${choose(typed, env)}`;
	} catch (error) {
		expect(error).toBeInstanceOf(UsageError);
		return error instanceof Error ? error.message : "";
	}
}

function inFile(text: string): Environment {
	const path = `${folder}/${Bun.hash(text)}.yaml`;
	writeFileSync(path, text);
	return { BALANCING_CONFIG: path };
}

test.each([
	["", "*"],
	["a=X:1", "*@X:1"],
	["c=a", "*/a"],
	["c=a c=b", "*/a */b"],
	["k=F", "F"],
	["k=F c=a", "F/a"],
	["c=a k=F", "F/a"],
	["a=X:1 c=a k=F", "F/a@X:1"],
	["k=F c=a c=b", "F/a F/b"],
	["c=a k=F c=b", "F/a F/b"],
	["k=F k=G", "F G"],
	["k=F k=G c=g c=h", "F G/g G/h"],
	["k=F c=a k=G", "F/a G"],
	["m=M", "m:M"],
	["m=M k=F m=N", "m:M F m:N"],
	["k=F m=M", "F m:M"],
	["k=F m=M c=a c=b", "F/a m:M F/b"],
	["c=a m=M k=F", "F/a m:M"],
	["m=M c=a", "m:M */a"],
	["a=X:1 m=M", "*@X:1 m:M"],
	["s=http://h:1 m=M k=F", "s:http://h:1 m:M F"],
	["s=http://h:1 a=X:1", "s:http://h:1 *@X:1"],
	["k=F a=X:1 k=G a=Y:2", "F@X:1 G@Y:2"],
	["k=F k=G a=Y:2 c=g", "F G/g@Y:2"],
	["c=a a=X:1 c=b", "*/a@X:1 */b"],
	["c=a a=X:1 k=F c=b a=Y:2", "F/a@X:1 F/b@Y:2"],
])("chooseHubs() of %j", (typed, expected) => {
	expect(choose(typed)).toBe(expected);
});

describe("chooseHubs() refuses", () => {
	test.each([
		["c=a k=F k=G", 'Cannot tell which kubeconfig --context "a" is of: give it right behind its --kubeconfig'],
		[
			"k=F a=X:1 c=a c=b",
			'Cannot tell which API server --api-server "X:1" is for: give it right behind its --kubeconfig or --context',
		],
		["a=X:1 k=F k=G", 'Cannot tell which API server --api-server "X:1" is for: '],
		["c=a c=b k=F a=X:1", 'Cannot tell which API server --api-server "X:1" is for: '],
		["k=F k=G a=X:1 c=g c=h", 'Cannot tell which API server --api-server "X:1" is for: '],
		[
			"k=F a=X:1 a=Y:2",
			'Cannot use --api-server "Y:2": the API server has the address "X:1" already; give one of them',
		],
		["m=M m=N m=./M/", /^Cannot follow the manifests \/.*\/M twice: give it once$/],
		["k=F k=./F", /^Cannot follow the current context of kubeconfig \/.*\/F twice: give it once$/],
		["k=F c=a c=a", /^Cannot follow context a of kubeconfig \/.*\/F twice/],
		["c=a c=a", "Cannot follow context a of the default kubeconfig twice: give it once"],
		["s=http://h:80 s=http://h/", "Cannot follow the MetaServer http://h twice: give it once"],
	])("%j", (typed, message) => {
		if (typeof message === "string") expect(complaint(typed)).toStartWith(message);
		else expect(complaint(typed)).toMatch(message);
	});
});

describe("in the environment", () => {
	test.each<[string, Environment, string]>([
		["", { BALANCING_KUBECONFIG: "F,G", BALANCING_MANIFESTS: "M" }, "m:M F G"],
		[
			"",
			{ BALANCING_KUBECONFIG: "F", BALANCING_CONTEXT: "a,b", BALANCING_METASERVER: "http://h:1" },
			"F/a F/b s:http://h:1",
		],
		["", { BALANCING_CONTEXT: "a,b", BALANCING_API_SERVER: "X:1,Y:2" }, "*/a@X:1 */b@Y:2"],
		["", { BALANCING_KUBECONFIG: "F,G", BALANCING_CONTEXT: "a,b", BALANCING_API_SERVER: "X:1,Y:2" }, "F/a@X:1 G/b@Y:2"],
		["", { BALANCING_KUBECONFIG: "F,G", BALANCING_API_SERVER: "X:1,Y:2" }, "F@X:1 G@Y:2"],
		["k=F", { BALANCING_MANIFESTS: "M", BALANCING_CONTEXT: "a" }, "F/a m:M"],
		["k=F", { BALANCING_KUBECONFIG: "G" }, "F"],
	])("%j and %j", (typed, env, expected) => {
		expect(choose(typed, env)).toBe(expected);
	});

	test.each<[string, Environment, string]>([
		[
			"",
			{ BALANCING_KUBECONFIG: "F,G", BALANCING_CONTEXT: "a" },
			"Cannot use BALANCING_CONTEXT: it has 1 for the 2 of BALANCING_KUBECONFIG; give 2, in the same order, or none",
		],
		[
			"",
			{ BALANCING_CONTEXT: "a,b", BALANCING_API_SERVER: "X:1" },
			"Cannot use BALANCING_API_SERVER: it has 1 for the 2",
		],
		["", { BALANCING_API_SERVER: "X:1,Y:2" }, 'Cannot use BALANCING_API_SERVER "Y:2": the API server has the address'],
		["k=F k=G", { BALANCING_CONTEXT: "a" }, 'Cannot tell which kubeconfig BALANCING_CONTEXT "a" is of'],
		["k=F k=G", { BALANCING_API_SERVER: "X:1" }, 'Cannot tell which API server BALANCING_API_SERVER "X:1" is for'],
	])("%j and %j are refused", (typed, env, message) => {
		expect(complaint(typed, env)).toStartWith(message);
	});
});

test.each([
	["manifests: [M, N]\nkubeconfig: F", "m:M m:N F"],
	["kubeconfig: F\nmanifests: [M, N]", "F m:M m:N"],
	["context: [a, b]\nmanifests: M\nkubeconfig: F", "F/a F/b m:M"],
	[
		"metaserver: http://h:1\nkubeconfig: [F, G]\napi-server: [X:1, Y:2]\ncontext: [a, b]",
		"s:http://h:1 F/a@X:1 G/b@Y:2",
	],
])("in the file %j the order of the keys counts", (text, expected) => {
	expect(choose("", inFile(text))).toBe(expected);
	expect(choose("", { ...inFile(text), BALANCING_MANIFESTS: "E" })).toBe(
		`m:E ${expected.replaceAll(/ ?m:\w/g, "")}`.replaceAll("  ", " "),
	);
});
