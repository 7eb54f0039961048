// Mutated documents against projections and reader: no exception, bounded memory, good neighbours stay. See FUZZ_RUNS and FUZZ_SEED.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_PROBLEMS_PER_FILE, type Manifest, readManifest } from "../../src/hub/manifests/manifest_file.ts";
import { classify } from "../../src/hub/manifests/manifest_kind.ts";
import { readManifests } from "../../src/hub/manifests/manifests.ts";
import { parseIp, parsePort } from "../../src/model/address.ts";
import { projectBalancingPolicy } from "../../src/model/balancing_policy.ts";
import { projectEndpointSlice } from "../../src/model/endpoint_slice.ts";
import { formatField, parseField } from "../../src/model/field_path.ts";
import { projectLocalRedirectPolicy } from "../../src/model/local_redirect_policy.ts";
import { projectNode } from "../../src/model/node.ts";
import { projectPod } from "../../src/model/pod.ts";
import type { Problem } from "../../src/model/problem.ts";
import { MAX_PROBLEMS_PER_OBJECT } from "../../src/model/report.ts";
import { projectSelection } from "../../src/model/selection.ts";
import { projectService } from "../../src/model/service.ts";
import { createRandom, type Random } from "../support/random.ts";
import { OBJECTS, SINGLE, YAML_DOCUMENTS } from "./documents.ts";
import { mutateBytes, mutateObject, mutateText } from "./mutate.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 100_000);
const SEED = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
/** The reader takes some 50 times as long as a projection; both see any kind of mutation. */
const OBJECT_RUNS = Math.ceil(RUNS * 0.83);
const TEXT_RUNS = Math.ceil(RUNS * 0.15);
const FILE_RUNS = Math.ceil(RUNS * 0.02);
const FILES_AT_ONCE = 50;
/** What garbage may pile up between two collections; a leak of 1 % of the documents' objects would be more. */
const MAX_GROWTH = 512 * 1024 * 1024;

const PROJECTIONS = [
	projectService,
	projectEndpointSlice,
	projectPod,
	(object: unknown) => projectNode(object, "node-a"),
	projectLocalRedirectPolicy,
	projectBalancingPolicy,
];

const GOOD = (name: string) =>
	`apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: keep}\nspec:\n  clusterIP: 10.0.0.1\n  ports: [{port: 80}]\n`;

console.log(`fuzz: FUZZ_SEED=${SEED} FUZZ_RUNS=${RUNS}`);

describe(`with FUZZ_SEED=${SEED}`, () => {
	test(`projections are total: ${OBJECT_RUNS} mutated objects`, () => {
		const random = createRandom(SEED);
		const memory = watchMemory();
		for (let run = 0; run < OBJECT_RUNS; run++) {
			const object = mutateObject(SINGLE[run % SINGLE.length], random);
			for (const project of PROJECTIONS) {
				const { value, problems } = project(object);
				check(value);
				checkProblems(problems, MAX_PROBLEMS_PER_OBJECT + 1);
				if (value === undefined && problems.length === 0) throw new Error("Left out without a Problem");
			}
			const selection = projectSelection(object);
			check(selection.value);
			checkProblems(selection.problems, MAX_PROBLEMS_PER_OBJECT + 1);
			classify(object, undefined);
			memory.check(run);
		}
		expect(Object.keys(Object.prototype)).toEqual([]);
		expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
	}, 120_000);

	test(`the reader is total and good neighbours stay: ${TEXT_RUNS} mutated documents`, () => {
		const random = createRandom(SEED + 1);
		const memory = watchMemory();
		for (let run = 0; run < TEXT_RUNS; run++) {
			const mutated = mutateDocument(run, random);
			const manifest = read(`${GOOD("before")}---\n${mutated}\n---\n${GOOD("after")}`);
			const ids = new Set(manifest.entries.map(({ id }) => id));
			const both = ids.has("Service keep/before") && ids.has("Service keep/after");
			if (!both) throw new Error(`Lost a neighbour of ${JSON.stringify(mutated)}`);
			for (const { declared } of manifest.entries) check(declared);
			checkProblems(manifest.problems, MAX_PROBLEMS_PER_FILE + 1);
			memory.check(run);
		}
	}, 120_000);

	test(`a folder keeps its good file: ${FILE_RUNS} mutated files`, async () => {
		const random = createRandom(SEED + 2);
		const memory = watchMemory();
		const folder = mkdtempSync(join(tmpdir(), "fuzz-manifests-"));
		try {
			writeFileSync(join(folder, "m-good.yaml"), GOOD("good"));
			for (let run = 0; run < FILE_RUNS; run += FILES_AT_ONCE) {
				for (let file = 0; file < FILES_AT_ONCE; file++) {
					const text = YAML_DOCUMENTS[(run + file) % YAML_DOCUMENTS.length] ?? "";
					writeFileSync(join(folder, `${file % 2 === 0 ? "a" : "z"}-${file}.yaml`), mutateBytes(text, random));
				}
				const cluster = await readManifests(folder);
				expect(cluster.services.has("keep/good")).toBe(true);
				memory.check(run);
			}
		} finally {
			rmSync(folder, { recursive: true });
		}
	}, 120_000);
});

const TEXTS: readonly string[] = [
	...YAML_DOCUMENTS,
	...OBJECTS.map((object) => JSON.stringify(object, null, 2)),
	...OBJECTS.map((object) => JSON.stringify(object)),
];

/** Edits of the text, or a mutated object in correct JSON. */
function mutateDocument(run: number, random: Random): string {
	if (random() < 0.6) return mutateText(TEXTS[run % TEXTS.length] ?? "", random);
	return JSON.stringify(plain(mutateObject(OBJECTS[run % OBJECTS.length], random)));
}

function read(text: string): Manifest {
	const steps = readManifest("fuzz.yaml", text);
	for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

/** What JSON can hold of it. */
function plain(value: unknown): unknown {
	try {
		return JSON.parse(JSON.stringify(value, (_, each) => (typeof each === "bigint" ? Number(each) : each)) ?? "null");
	} catch {
		return "too deep";
	}
}

/** Everything that is kept is short, canonical and of the right type. */
function check(value: unknown, key = ""): void {
	if (typeof value === "string" || typeof value === "number") checkScalar(value, key);
	if (typeof value !== "object" || value === null) return;
	const items = value instanceof Map ? value : new Map(Object.entries(value));
	for (const [name, item] of items) {
		if (item === undefined && name !== "selection") throw new Error(`${name} is undefined`);
		// A Map's keys are labels: a user may well have one called "ip".
		const isField = !Array.isArray(value) && !(value instanceof Map);
		check(item, isField ? name : key);
	}
}

const IPS = new Set(["ip", "ips", "clusterIps", "externalIps", "ingressIps", "proxyIps"]);
const RANGES: ReadonlyMap<string, readonly [least: number, most: number]> = new Map([
	["weight", [0, 1000]],
	["serviceId", [0, 2 ** 32 - 1]],
	["qosLimit", [0, 2 ** 32 - 1]],
	["generation", [0, Number.MAX_SAFE_INTEGER]],
	["interval", [1000, 3_600_000]],
	["timeout", [10, 3_599_999]],
	["fails", [1, 100]],
	["passes", [1, 100]],
	["panic", [0, 100]],
]);
const PORTS = new Set(["port", "target", "nodePort", "healthCheckNodePort"]);

function checkScalar(value: string | number, key: string): void {
	if (typeof value === "string" && value.length > 330)
		throw new Error(`A long string is kept in ${key}: ${value.slice(0, 50)}`);
	if (IPS.has(key) && parseIp(String(value)) !== value) throw new Error(`Not canonical: ${value}`);
	if (key === "seconds" && !(typeof value === "number" && value >= 1 && value <= 86_400))
		throw new Error(`Not a timeout: ${value}`);
	const range = RANGES.get(key);
	if (range !== undefined && !(typeof value === "number" && value >= range[0] && value <= range[1]))
		throw new Error(`Out of range: ${key} ${value}`);
	if (PORTS.has(key) && typeof value === "number" && parsePort(value) !== value)
		throw new Error(`Not a port: ${value}`);
}

function checkProblems(problems: readonly Problem[], most: number): void {
	if (problems.length > most) throw new Error(`${problems.length} problems`);
	for (const { object, field, message } of problems) {
		if (object.length > 300 || message.length > 700 || message.endsWith(".") || message.includes("undefined"))
			throw new Error(`A bad message: ${object}: ${message}`);
		if (field !== undefined && formatField(parseField(field)) !== field) throw new Error(`A bad field: ${field}`);
	}
}

function watchMemory(): { check(run: number): void } {
	Bun.gc(true);
	const start = process.memoryUsage().rss;
	return {
		check(run) {
			if (run % 1000 !== 0) return;
			const growth = process.memoryUsage().rss - start;
			if (growth > MAX_GROWTH) throw new Error(`Memory grew by ${growth} bytes after ${run} documents`);
		},
	};
}
