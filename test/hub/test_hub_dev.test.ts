// scripts/dev_hub serves a folder of manifests to people, says how to reach it, and leaves nothing behind.

import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { at, listOf } from "../support/hub/object.ts";
import { until } from "../support/wait.ts";

const folders: string[] = [];
afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folderWith(name: string, text: string): string {
	const folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-dev-hub-`));
	folders.push(folder);
	writeFileSync(join(folder, name), text);
	return folder;
}

function devHub(...args: readonly string[]) {
	const script = join(import.meta.dir, "../../scripts/dev_hub.ts");
	return Bun.spawn([process.execPath, "run", script, ...args], { stdout: "pipe", stderr: "pipe" });
}

test("dev_hub serves a folder until it is interrupted", async () => {
	const folder = folderWith(
		"web.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }\n",
	);
	const child = devHub(folder);
	let said = "";
	const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
	await until("it says how to stop it", async () => {
		said += (await reader.read()).value ?? "";
		return said.includes("Ctrl-C");
	});
	const path = /KUBECONFIG=(\S+)/.exec(said)?.[1] ?? "";
	const config: unknown = parse(readFileSync(path, "utf8"));
	const cluster = at(listOf(at(config, "clusters"))[0], "cluster");
	const user = at(listOf(at(config, "users"))[0], "user");
	const pem = (value: unknown) => Buffer.from(`${value}`, "base64").toString("utf8");
	const tls = {
		ca: pem(at(cluster, "certificate-authority-data")),
		cert: pem(at(user, "client-certificate-data")),
		key: pem(at(user, "client-key-data")),
	};
	const answer = await fetch(`${at(cluster, "server")}/api/v1/services`, { tls });
	const names = listOf(at(await answer.json(), "items")).map((item) => at(item, "metadata", "name"));
	expect(names).toEqual(["kubernetes", "web"]);
	child.kill("SIGINT");
	expect([await child.exited, existsSync(path)]).toEqual([0, false]);
});

test.each([
	["what is not there", ["/not/there"], "Cannot serve /not/there: it does not exist"],
	["a port that is none", ["--port", "http"], "Cannot use --port http: give a whole number up to 65535"],
	["two folders", ["a", "b"], "Cannot serve 2 folders: give one"],
])("dev_hub refuses %s", async (_, args, message) => {
	const child = devHub(...args);
	expect(await child.exited).toBe(1);
	expect((await new Response(child.stderr).text()).trim()).toBe(message);
});

test("dev_hub names the file that it cannot load", async () => {
	const folder = folderWith("bad.yaml", "kind: Service\n");
	const child = devHub(folder);
	expect(await child.exited).toBe(1);
	expect(await new Response(child.stderr).text()).toStartWith(
		`Cannot load ${folder}/bad.yaml: Cannot read a manifest: no apiVersion, kind or metadata.name in`,
	);
});

test("dev_hub --metaserver serves the same objects without TLS, and SIGUSR1 cuts its link", async () => {
	const folder = folderWith(
		"web.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }\n",
	);
	const child = devHub(folder, "--metaserver", "0");
	let said = "";
	const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
	const says = (text: string) =>
		until(text, async () => {
			said += (await reader.read()).value ?? "";
			return said.includes(text);
		});
	await says("Ctrl-C");
	const url = /--metaserver (\S+)/.exec(said)?.[1] ?? "";
	const names = async () => {
		const answer: unknown = await (await fetch(`${url}/api/v1/services`)).json();
		return listOf(at(answer, "items")).map((item) => at(item, "metadata", "name"));
	};
	expect(await names()).toEqual(["kubernetes", "web"]);
	child.kill("SIGUSR1");
	await says("is down");
	// No watch has brought anything to the node.
	expect(await names()).toEqual([]);
	child.kill("SIGINT");
	expect(await child.exited).toBe(0);
});
