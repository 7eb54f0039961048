// Runs test/cases/*.txtar: manifests in, the plan and the maps as text out, step after step.

import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/datapath/faulty_maps.ts";
import { readManifests } from "../../src/hub/manifests/manifests.ts";
import type { Txtar, TxtarFile } from "../../src/lib/txtar.ts";
import { formatTxtar, parseTxtar } from "../../src/lib/txtar.ts";
import type { Problem } from "../../src/model/problem.ts";
import { createPlanner, planFresh } from "../../src/plan/plan.ts";
import type { HubSnapshot, Plan, Quarantine } from "../../src/plan/plan_types.ts";
import { renderPlan } from "../../src/plan/render.ts";
import type { History } from "../support/history.ts";
import { createHistory, demandExactly } from "../support/history.ts";
import { mapsText } from "../support/maps_text.ts";
import { selfOf } from "../support/plans.ts";
import { backendIds, readMemory } from "../support/program_view.ts";

/*
 * Files `N/NAME.yaml` are the folder of step N, on top of the step before (an empty one is taken away); `N/plan` and
 * `N/maps` are what must come of it. Files `N/HUB/NAME.yaml` are the folders of several hubs, in the order of their names. `N/failed` lists the
 * backends that have failed their probes from that step on. BALANCING_UPDATE=1 writes down what comes: read the difference before you believe it.
 */
const FOLDER = import.meta.dir;
const SELF = selfOf("node-1");
const CAPACITY = { frontends: 100, backends: 100, slots: 1000, addresses: 100 };
const update = process.env["BALANCING_UPDATE"] === "1";
const seed = Number(process.env["BALANCING_SEED"] ?? Math.floor(Math.random() * 0x7fff_ffff));
const names = readdirSync(FOLDER).filter((file) => file.endsWith(".txtar"));

test("there are cases", () => {
	expect(names.length).toBeGreaterThan(5);
});

describe.each(names)("%s", (name) => {
	const path = join(FOLDER, name);
	const archive = parseTxtar(readFileSync(path, "utf8"));
	const steps = stepsOf(archive);

	test("plan and maps are as written", async () => {
		const plans = await plansOf(archive);
		const history = start(1);
		const results = new Map<string, string>();
		for (const [index, plan] of plans.entries()) {
			history.settle(plan);
			demandExactly(history.maps, plan);
			results.set(`${steps[index]}/plan`, renderPlan(plan));
			results.set(`${steps[index]}/maps`, mapsText(history.maps));
		}
		if (update) writeFileSync(path, formatTxtar(withResults(archive, results)));
		for (const [file, text] of results) expect(`${file}\n${textOf(archive, file, results)}`).toBe(`${file}\n${text}`);
	});

	test("it comes to the same with faults in 10 % of the elements", async () => {
		console.log(`${name}: BALANCING_SEED=${seed}`);
		const history = start(seed);
		for (const plan of await plansOf(archive)) {
			for (const synced of [false, true, true]) history.write(plan, { synced, probability: 0.1 });
			history.settle(plan);
			demandExactly(history.maps, plan);
		}
	});

	test("it comes to the same with restarts, and who stays keeps the id", async () => {
		const history = start(1);
		let before = new Map<string, number>();
		for (const plan of await plansOf(archive)) {
			history.restart();
			history.settle(plan);
			demandExactly(history.maps, plan);
			const after = idsOf(history);
			for (const [address, id] of after) expect([address, before.get(address) ?? id]).toEqual([address, id]);
			before = after;
			history.restart();
			expect(history.settle(plan).changes).toEqual(NO_CHANGES);
		}
	});
});

const NONE = { puts: 0, deletes: 0 };
const NO_CHANGES = { backends: NONE, slots: NONE, names: NONE, frontends: NONE, addresses: NONE };

function start(number: number): History {
	return createHistory({ capacity: CAPACITY, random: seededRandom(number), allowed: "since-complete" });
}

function idsOf(history: History): Map<string, number> {
	const memory = readMemory(history.maps);
	return new Map([
		...backendIds(memory),
		...memory.frontends.map(({ layer, id }) => [`frontend ${layer}`, id] as const),
	]);
}

/** In order. */
function stepsOf({ files }: Txtar): readonly string[] {
	const steps = new Set(files.map(({ name }) => name.slice(0, name.indexOf("/"))));
	return [...steps].sort((a, b) => Number(a) - Number(b));
}

/** The plan of each step, as one agent would make them one after another. */
async function plansOf(archive: Txtar): Promise<readonly Plan[]> {
	const folder = mkdtempSync(join(tmpdir(), "balancing-case-"));
	try {
		const planner = createPlanner();
		const hubs = hubsOf(archive);
		for (const hub of hubs) mkdirSync(join(folder, hub), { recursive: true });
		const plans: Plan[] = [];
		let failed = "";
		for (const step of stepsOf(archive)) {
			for (const file of archive.files) writeManifest(folder, step, file);
			failed = archive.files.find(({ name }) => name === `${step}/failed`)?.text ?? failed;
			const snapshots = await Promise.all(hubs.map((hub) => readHub(folder, hub)));
			plans.push(planner(snapshots, SELF, quarantineOf(planFresh(snapshots, SELF), failed)));
		}
		return plans;
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** An address on each line. */
function quarantineOf({ probes }: Plan, failed: string): Quarantine {
	const addresses = failed.split("\n");
	return new Set([...probes].flatMap(([key, { address }]) => (addresses.includes(address) ? key : [])));
}

/** The folders of the hubs: "" for the only one. */
function hubsOf({ files }: Txtar): readonly string[] {
	const folders = files.flatMap(({ name }) => /^\d+\/(?:(.*)\/)?[^/]*\.yaml$/.exec(name)?.[1] ?? []);
	return folders.length === 0 ? [""] : [...new Set(folders)].sort();
}

async function readHub(folder: string, hub: string): Promise<HubSnapshot> {
	const cluster = await readManifests(join(folder, hub), SELF.nodeName);
	const problems = cluster.problems.map((problem) => withoutFolder(problem, folder));
	return { name: hub, cluster: { ...cluster, problems } };
}

function writeManifest(folder: string, step: string, { name, text }: TxtarFile): void {
	const file = name.slice(step.length + 1);
	if (!name.startsWith(`${step}/`) || !file.endsWith(".yaml")) return;
	if (text === "") rmSync(join(folder, file));
	else writeFileSync(join(folder, file), text);
}

/** Another one each time: not what a case is about. */
function withoutFolder(problem: Problem, folder: string): Problem {
	const [object, message] = [problem.object, problem.message].map((text) => text.replaceAll(`${folder}/`, ""));
	const source = problem.source?.replaceAll(`${folder}/`, "");
	return { ...problem, object: object ?? "", message: message ?? "", ...(source === undefined ? {} : { source }) };
}

function textOf({ files }: Txtar, name: string, results: ReadonlyMap<string, string>): string | undefined {
	return update ? results.get(name) : files.find((file) => file.name === name)?.text;
}

/** Results stand after the manifests of their step. */
function withResults(archive: Txtar, results: ReadonlyMap<string, string>): Txtar {
	const files = stepsOf(archive).flatMap((step) => [
		...archive.files.filter(({ name }) => name.startsWith(`${step}/`) && /\.yaml$|\/failed$/.test(name)),
		...["plan", "maps"].map((kind) => ({ name: `${step}/${kind}`, text: results.get(`${step}/${kind}`) ?? "" })),
	]);
	return { ...archive, files };
}
