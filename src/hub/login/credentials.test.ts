// Which cluster credentials are for: read from what is written down, without asking anybody.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordingLog } from "../../../test/support/log.ts";
import type { Clock } from "../../lib/clock.ts";
import { type CredentialSource, createCredentials } from "./credentials.ts";

const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-credentials-`));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A kubeconfig in JSON, which is YAML; its plugin must never be run. */
function kubeconfig(server: string, ca: string | undefined): void {
	const authority = ca === undefined ? {} : { "certificate-authority-data": Buffer.from(pem(ca)).toString("base64") };
	const exec = { command: join(folder, "nobody-runs-this"), apiVersion: "client.authentication.k8s.io/v1" };
	const text = JSON.stringify({
		clusters: [{ name: "c", cluster: { server, ...authority } }],
		users: [{ name: "u", user: { exec } }],
		contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
		"current-context": "x",
	});
	writeFileSync(join(folder, "kubeconfig"), text);
}

function rig(
	source: CredentialSource = { kind: "kubeconfig", files: [join(folder, "kubeconfig")] },
	apiServer?: string,
) {
	let now = 0;
	const clock: Clock = { now: () => now, sleep: () => expect.unreachable() };
	const proxies = { https: "", http: "", no: "" };
	const { signal } = new AbortController();
	const credentials = createCredentials({ source, apiServer, proxies, log: recordingLog(), clock, signal });
	return {
		credentials,
		pass(milliseconds: number) {
			now += milliseconds;
		},
	};
}

test("identify() tells clusters apart by address and CA, wherever they are connected to", async () => {
	const seen: string[] = [];
	for (const [server, ca] of [
		["https://a:6443", "one"],
		["https://a:6443/", "one"],
		["https://b:6443", "one"],
		["https://a:6443", "two"],
		["https://a:6443", undefined],
	] as const) {
		kubeconfig(server, ca);
		seen.push(await rig().credentials.identify());
	}
	const [first = "", same, ...others] = seen;
	expect(first).toMatch(/^https:\/\/a:6443, CA [0-9a-f]{16}$/);
	expect(same).toBe(first);
	expect(new Set([first, ...others]).size).toBe(4);
	expect(others[2]).toBe("https://a:6443");
	kubeconfig("https://a:6443", "one");
	expect(await rig(undefined, "10.0.0.1:6443").credentials.identify()).toBe(first);
});

test("identify() of a Pod is its API server's address and the CA that it is given", async () => {
	writeFileSync(join(folder, "token"), "t");
	writeFileSync(join(folder, "ca.crt"), pem("one"));
	const source = { kind: "in-cluster", host: "10.96.0.1", port: "443", folder } as const;
	expect(await rig(source).credentials.identify()).toMatch(/^https:\/\/10\.96\.0\.1:443, CA [0-9a-f]{16}$/);
});

test("identify() rejects while there is nothing to read, and tells it later", async () => {
	const { credentials } = rig();
	await expect(credentials.identify()).rejects.toThrow("Cannot read kubeconfig");
	kubeconfig("https://a:6443", undefined);
	expect(await credentials.identify()).toBe("https://a:6443");
});

test("accessed() is the cluster that was last gone to, not the one that is written down now", async () => {
	writeFileSync(join(folder, "token"), "t");
	writeFileSync(join(folder, "ca.crt"), pem("one"));
	const { credentials, pass } = rig({ kind: "in-cluster", host: "10.96.0.1", port: "443", folder });
	expect(credentials.accessed()).toBeUndefined();
	await credentials.access();
	const first = credentials.accessed();
	expect(first).toBe(await credentials.identify());
	writeFileSync(join(folder, "ca.crt"), pem("two"));
	pass(60_001);
	expect(await credentials.identify()).not.toBe(first);
	expect(credentials.accessed()).toBe(first);
	await credentials.access();
	expect(credentials.accessed()).not.toBe(first);
});
